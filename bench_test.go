package cookiecharter

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
)

// guardLoads are answers as the guard meets them, by their names: what they were asked for
// as, their type, whether their body of 50 KB is compressed.
var guardLoads = map[string]struct {
	destination, contentType string
	isPacked                 bool
}{
	"plain": {"document", "text/html; charset=utf-8", false},
	"gzip":  {"document", "text/html; charset=utf-8", true},
	"image": {"image", "image/png", false},
	"style": {"style", "text/css", true},
	"data":  {"empty", "application/json", true},
}

// guardLoad returns what sends a load through a handler, with or without the guard.
func guardLoad(b testing.TB, name, option string) func() {
	b.Helper()
	load := guardLoads[name]
	handler := provision(b, "cookie_charter {\n preset opendatasoft matomo\n "+option+"\n}")
	handler.observers.others = nil
	body := fmt.Appendf(nil, "<!DOCTYPE html><html lang=fr><head><meta charset=utf-8><title>Données</title></head><body>")
	for i := 0; len(body) < 50<<10; i++ {
		body = fmt.Appendf(body, "<p>Jeu de données %d</p>", i*i)
	}
	header := http.Header{"Content-Type": {load.contentType}}
	if load.isPacked {
		header["Content-Encoding"] = []string{"gzip"}
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		if _, err := writer.Write(body); err != nil {
			b.Fatal(err)
		}
		if err := writer.Close(); err != nil {
			b.Fatal(err)
		}
		body = packed.Bytes()
	}
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		maps.Copy(w.Header(), header)
		w.WriteHeader(http.StatusOK)
		for part := range slices.Chunk(body, 32<<10) { // as a proxy copies it
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return nil
	})
	address := &url.URL{Scheme: "http", Host: "opendata.example.fr", Path: "/explore/"}
	return func() {
		w := discard{make(http.Header, 4)}
		r := &http.Request{Method: http.MethodGet, Host: address.Host, URL: address, Header: make(http.Header, 4)}
		r.Header["Sec-Fetch-Dest"] = []string{load.destination}
		r.Header["Accept-Encoding"] = []string{"gzip"}
		r.Header["Cookie"] = []string{benchmarkCookies}
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
		if err := handler.ServeHTTP(w, r, next); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGuard measures what the guard adds to the whole handler, on documents and on
// what is none.
func BenchmarkGuard(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(guardLoads)) {
		for _, option := range []string{"", "guard"} {
			b.Run(name+"/"+cmp.Or(option, "off"), func(b *testing.B) {
				serve := guardLoad(b, name, option)
				b.ReportAllocs()
				for b.Loop() {
					serve()
				}
			})
		}
	}
}

// BenchmarkNotice measures what the notice in every page adds to the whole handler, for who
// has not answered and who has.
func BenchmarkNotice(b *testing.B) {
	for _, name := range []string{"plain", "gzip", "image"} {
		for _, visitor := range []string{"asked", "answered"} {
			for _, option := range []string{"", "notice insert"} {
				b.Run(name+"/"+visitor+"/"+cmp.Or(option, "off"), func(b *testing.B) {
					serve := guardLoad(b, name, "preference charter\n "+option)
					if visitor == "answered" {
						serve = guardLoad(b, name, option)
					}
					b.ReportAllocs()
					for b.Loop() {
						serve()
					}
				})
			}
		}
	}
}

// rowCounts are the sizes of the charters in the benchmarks: as a portal has it,
// and far beyond.
var rowCounts = []int{5, 10_000}

// benchmarkHandler returns a handler with the presets of a portal, and as many
// rows more as it takes.
func benchmarkHandler(b testing.TB, rows int) *Handler {
	b.Helper()
	var block strings.Builder
	block.WriteString("cookie_charter {\n preset opendatasoft matomo\n")
	for i := range rows - 5 {
		fmt.Fprintf(&block, " cookie row%d {\n  match row%d row%d_*\n  purpose x\n  category necessary\n }\n", i, i, i)
	}
	block.WriteString("}")
	handler := provision(b, block.String())
	handler.observers.others = nil
	return handler
}

// The cookies of one page of an Opendatasoft portal with Matomo, of which an
// unanswered visitor gets four and a portal sees four.
var benchmarkLines = []string{
	"sessionid=u8k3j0c2l1o9w7q5; expires=Fri, 02 Jan 2037 06:00:00 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax",
	"csrftoken=Zk2mJ8s0Qq1cXb4vWn7RtY; expires=Fri, 02 Jan 2037 06:00:00 GMT; Max-Age=31449600; Path=/; SameSite=Lax",
	"django_language=fr; expires=Fri, 02 Jan 2037 06:00:00 GMT; Max-Age=31536000; Path=/; SameSite=Lax",
	"_pk_id.1.1fff=4b1c0a7d5e; Path=/; SameSite=Lax; Max-Age=33955200",
	"AWSALB=gR8pQ0xk; Expires=Fri, 02 Jan 2037 06:00:00 GMT; Path=/",
}

const benchmarkCookies = "sessionid=u8k3j0c2l1o9w7q5; csrftoken=Zk2mJ8s0Qq1cXb4vWn7RtY; django_language=fr; " +
	"cookies_preferences=%7B%22matomo%22%3Atrue%2C%22timestamp%22%3A1795308590967%7D; _pk_id.1.1fff=4b1c0a7d5e"

// benchmarkFilter returns a filter of a request with the cookies of the
// benchmarks.
func benchmarkFilter(b testing.TB, handler *Handler) *filter {
	b.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://opendata.example.fr/explore/", http.NoBody)
	r.Header["Cookie"] = []string{benchmarkCookies}
	w := caddyhttp.ResponseWriterWrapper{ResponseWriter: discard{make(http.Header, 4)}}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
	return &filter{ResponseWriterWrapper: w, handler: handler, request: r, visitor: answers.Visitor{Store: handler.answers, Lines: r.Header["Cookie"]}}
}

// BenchmarkVerdict measures the verdict of one name: of a literal, of a prefix,
// of a row that asks for the preference (decoded already), and of none.
func BenchmarkVerdict(b *testing.B) {
	for _, rows := range rowCounts {
		handler := benchmarkHandler(b, rows)
		f := benchmarkFilter(b, handler)
		for _, name := range []string{"sessionid", "_pk_id.1.1fff", "undeclared"} {
			b.Run(fmt.Sprintf("%s/rows=%d", name, rows), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					handler.policy.JudgePair(name, true, &f.visitor)
				}
			})
		}
	}
}

// BenchmarkSetCookie measures the judging of five Set-Cookie lines with all that
// belongs to it, BenchmarkCookie that of five cookies in a request.
func BenchmarkSetCookie(b *testing.B) {
	f := benchmarkFilter(b, benchmarkHandler(b, 5))
	header := f.Header()
	b.ReportAllocs()
	for b.Loop() {
		header["Set-Cookie"] = benchmarkLines
		f.sighting.cookieCount = 0
		f.withhold()
	}
}

func BenchmarkCookie(b *testing.B) {
	f := benchmarkFilter(b, benchmarkHandler(b, 5))
	lines := f.request.Header["Cookie"]
	b.ReportAllocs()
	for b.Loop() {
		f.request.Header["Cookie"] = lines
		f.sighting.cookieCount = 0
		f.dropCookies()
	}
}

// A writer that keeps nothing, as none of the answers is looked at.
type discard struct{ header http.Header }

func (d discard) Header() http.Header { return d.header }

func (discard) Write(body []byte) (int, error) { return len(body), nil }

func (discard) WriteHeader(int) {}

// benchmarkLoads are requests with their answers, by how many cookies they have.
func benchmarkLoads() []benchmarkLoad {
	loads := []benchmarkLoad{{name: "none"}, {"5", benchmarkLines, benchmarkCookies}, {name: "50", cookies: benchmarkCookies}}
	for i := range 10 {
		for _, line := range benchmarkLines {
			name, rest, _ := strings.Cut(line, "=")
			loads[2].lines = append(loads[2].lines, fmt.Sprintf("%s%s=%s", name, strings.Repeat("x", min(i, 1)), rest))
		}
		if i > 0 {
			loads[2].cookies += strings.ReplaceAll("; "+benchmarkCookies, "; ", fmt.Sprintf("; x%d", i))
		}
	}
	return loads
}

type benchmarkLoad struct {
	name    string
	lines   []string
	cookies string
}

// next returns the handler that answers the load.
func (l benchmarkLoad) next() caddyhttp.Handler {
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		header := w.Header()
		header["Content-Type"] = []string{"text/html"}
		if l.lines != nil {
			header["Set-Cookie"] = l.lines
		}
		w.WriteHeader(http.StatusOK)
		_, err := io.WriteString(w, "<!DOCTYPE html>")
		return err
	})
}

var benchmarkURL = &url.URL{Scheme: "http", Host: "opendata.example.fr", Path: "/explore/"}

// serve sends the load through a handler, or, where that is nil, to what answers it.
func (l benchmarkLoad) serve(tb testing.TB, handler *Handler, next caddyhttp.Handler) {
	w := discard{make(http.Header, 4)}
	r := &http.Request{Method: http.MethodGet, Host: benchmarkURL.Host, URL: benchmarkURL, Header: make(http.Header, 4)}
	if l.cookies != "" {
		r.Header["Cookie"] = []string{l.cookies}
	}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
	var err error
	if handler == nil {
		err = next.ServeHTTP(w, r)
	} else {
		err = handler.ServeHTTP(w, r, next)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkHandler measures the whole handler and, as "plain", the same without
// it: what lies between is what a request costs more.
func BenchmarkHandler(b *testing.B) {
	for _, load := range benchmarkLoads() {
		run := func(b *testing.B, handler *Handler) {
			next := load.next()
			b.ReportAllocs()
			for b.Loop() {
				load.serve(b, handler, next)
			}
		}
		b.Run("cookies="+load.name+"/plain", func(b *testing.B) { run(b, nil) })
		for _, rows := range rowCounts {
			b.Run(fmt.Sprintf("cookies=%s/rows=%d", load.name, rows), func(b *testing.B) { run(b, benchmarkHandler(b, rows)) })
		}
	}
}

// BenchmarkParallel is BenchmarkHandler on all processors at once: what one of them writes
// to memory that others use, they wait for.
func BenchmarkParallel(b *testing.B) {
	load := benchmarkLoads()[1]
	run := func(b *testing.B, handler *Handler) {
		next := load.next()
		b.RunParallel(func(turns *testing.PB) {
			for turns.Next() {
				load.serve(b, handler, next)
			}
		})
	}
	b.Run("plain", func(b *testing.B) { run(b, nil) })
	b.Run("rows=5", func(b *testing.B) { run(b, benchmarkHandler(b, 5)) })
}

// BenchmarkDocuments measures what the policy of hosts adds to an answer, by what it was
// asked for as. To all but documents that is hardly more than what is measured.
func BenchmarkDocuments(b *testing.B) {
	for _, options := range []string{"", "hosts", "hosts monitor", "third_party_cookies omit"} {
		handler := provision(b, "cookie_charter {\n"+hostsCharter+options+"\n}")
		for destination, contentType := range map[string]string{"document": "text/html", "image": "image/png", "empty": "application/json"} {
			b.Run(cmp.Or(options, "off")+"/"+destination, func(b *testing.B) {
				f := benchmarkFilter(b, handler)
				f.request.Header.Set("Sec-Fetch-Dest", destination)
				header, types := f.Header(), []string{contentType}
				b.ReportAllocs()
				for b.Loop() {
					clear(header)
					header["Content-Type"] = types
					f.askAnew()
					f.restrict()
				}
			})
		}
	}
}

// BenchmarkPage measures the charter page: of a visitor without cookies and of one with five,
// compressed or not.
func BenchmarkPage(b *testing.B) {
	for _, cookies := range []string{"", benchmarkCookies} {
		for _, encoding := range []string{"", "gzip"} {
			b.Run(fmt.Sprintf("cookies=%t/%s", cookies != "", cmp.Or(encoding, "plain")), func(b *testing.B) {
				handler := benchmarkHandler(b, 5)
				b.ReportAllocs()
				for b.Loop() {
					pageLoad(b, handler, cookies, encoding)
				}
			})
		}
	}
}

// pageLoad asks a handler for the charter page.
func pageLoad(tb testing.TB, handler *Handler, cookies, encoding string) {
	w := discard{make(http.Header, 4)}
	address := &url.URL{Scheme: "http", Host: benchmarkURL.Host, Path: handler.Page.Path}
	r := &http.Request{Method: http.MethodGet, Host: address.Host, URL: address, Header: make(http.Header, 4)}
	if cookies != "" {
		r.Header["Cookie"] = []string{cookies}
	}
	if encoding != "" {
		r.Header["Accept-Encoding"] = []string{encoding}
	}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
	if err := handler.ServeHTTP(w, r, nil); err != nil {
		tb.Fatal(err)
	}
}

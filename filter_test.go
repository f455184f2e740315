package cookiecharter

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/net/websocket"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

func TestIsSetCookie(t *testing.T) {
	for key, want := range map[string]bool{
		"Set-Cookie": true, "set-cookie": true, "SET-COOKIE": true, "Set-Coo\u212aie": true,
		"Set-Cookie2": false, "ſet-cookie": false, "Cookie": false, "Set_Cookie": false, "Trailer": false, "": false,
	} {
		if isSetCookie(key) != want {
			t.Errorf("%q: got %v", key, !want)
		}
	}
}

// Slices that core shares between answers must not be written to.
func TestWithholdLeavesSlices(t *testing.T) {
	handler := provision(t, `cookie_charter`)
	for _, lines := range [][]string{
		{"sessionid=1", "x=1", "csrftoken=1"},
		{"x=1", "sessionid=1"},
		{"sessionid=1", "csrftoken=1"},
		{"x=1"},
		{},
	} {
		before := slices.Clone(lines)
		w := httptest.NewRecorder()
		w.Header()["Set-Cookie"] = lines
		f := &filter{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, handler: handler, request: httptest.NewRequest(http.MethodGet, "/", nil)}
		f.visitor.Store = handler.answers
		f.withhold()
		if !slices.Equal(lines, before) {
			t.Errorf("%q became %q", before, lines)
		}
		kept := w.Header()["Set-Cookie"]
		want := slices.DeleteFunc(slices.Clone(before), func(line string) bool { return line == "x=1" })
		if !slices.Equal(kept, want) {
			t.Errorf("%q: kept %q", before, kept)
		}
		if _, ok := w.Header()["Set-Cookie"]; ok && len(want) == 0 {
			t.Errorf("%q: left an empty key", before)
		}
		f.withhold()
		if !slices.Equal(w.Header()["Set-Cookie"], kept) {
			t.Errorf("%q: not idempotent", before)
		}
	}
}

// fixedHeader is a response writer of which only the header counts.
type fixedHeader struct {
	http.ResponseWriter
	header http.Header
}

func (f fixedHeader) Header() http.Header { return f.header }

// TestDropPairs shows what becomes of one Cookie line.
func TestDropPairs(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"", ""},
		{"sessionid=1", "sessionid=1"},
		{"sessionid=1; csrftoken=2", "sessionid=1; csrftoken=2"},
		{"sessionid=1;csrftoken=2 ; ", "sessionid=1;csrftoken=2 ; "}, // nothing is dropped: as it came
		{"x=1", ""},
		{"x=1; y=2; z", ""},
		{"sessionid=1; x=2; csrftoken=3", "sessionid=1; csrftoken=3"},
		{"x=1; sessionid=2", "sessionid=2"},
		{"sessionid=1; x=2", "sessionid=1"},
		{"sessionid=1;x=2;;csrftoken= \"3,=\xff\" ;y=4", "sessionid=1; csrftoken= \"3,=\xff\""},
		{"sessionid=1; sessionid=2; x=3", "sessionid=1; sessionid=2"},
		{"sessionid", ""},
		{"sessionid; csrftoken=2", "csrftoken=2"},
		{"=sessionid; =sessionid=1; csrftoken=2", "csrftoken=2"},
		{"\xa0sessionid=1; SESSIONID=1; session.id=1; sessionid%20=1; csrftoken=2", "csrftoken=2"},
		{"\"sessionid\"=1; $Version=1; csrftoken=2", "csrftoken=2"},
		{"_pk_id.1.1=1; csrftoken=2", "csrftoken=2"},
		{"cookies_preferences=junk; x=1", "cookies_preferences=junk"},
		{"csrftoken=\"a; x=1; y=b\"; sessionid=1", "csrftoken=\"a; sessionid=1"},
	} {
		f := &filter{handler: provision(t, "cookie_charter {\n preset opendatasoft matomo\n}"), request: visit("http://city.example/")}
		f.visitor.Store = f.handler.answers
		got, keep := f.dropPairs(test.line)
		if got != test.want || keep != (got != "" || test.line == "") {
			t.Errorf("%q: got %q %v, want %q", test.line, got, keep, test.want)
		}
		if again, _ := f.dropPairs(got); again != got {
			t.Errorf("%q: not idempotent: %q", test.line, again)
		}
	}
}

// A request of which nothing is dropped costs nothing: the slice stays.
func TestDropNothing(t *testing.T) {
	f := &filter{
		handler: provision(t, "cookie_charter {\n preset opendatasoft matomo\n}"),
		request: httptest.NewRequest(http.MethodGet, "/", nil),
	}
	f.visitor.Store = f.handler.answers
	f.handler.observers.others = nil
	lines := []string{"sessionid=0123456789abcdef0123456789abcdef; csrftoken=0123456789abcdef", "django_language=fr"}
	f.request.Header["Cookie"] = lines
	if allocations := testing.AllocsPerRun(100, f.dropCookies); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
	if got := f.request.Header["Cookie"]; &got[0] != &lines[0] {
		t.Error("the slice was replaced")
	}
	header := http.Header{"Set-Cookie": {"sessionid=1; Path=/; Max-Age=60", "csrftoken=2"}}
	f.ResponseWriter = fixedHeader{header: header}
	f.sighting.cookieCount = 0
	if allocations := testing.AllocsPerRun(100, f.withhold); allocations != 0 {
		t.Errorf("%v allocations for Set-Cookie", allocations)
	}
}

// What a request and its answer with five cookies each cost of memory: the filter, what other
// directives ask it, and the line that marks the answer; nothing for lines of which the first
// or the last are withheld.
func TestAllocations(t *testing.T) {
	for _, load := range benchmarkLoads()[:2] {
		handler, next := benchmarkHandler(t, 5), load.next()
		added := testing.AllocsPerRun(100, func() { load.serve(t, handler, next) }) - testing.AllocsPerRun(100, func() { load.serve(t, nil, next) })
		if want := map[string]float64{"none": 2, "5": 2}[load.name]; added != want {
			t.Errorf("%s: %v allocations added, not %v", load.name, added, want)
		}
	}
}

// What a visitor can send costs little.
func TestHostileRequests(t *testing.T) {
	handler := provision(t, "cookie_charter {\n preset opendatasoft matomo\n}")
	handler.observers.others = nil
	request := visit("http://city.example/")
	request.Host = strings.Repeat("a.", 4000) + "example"
	names := make([]string, 60000)
	for i := range names {
		names[i] = fmt.Sprintf("_pk_id.%d=", i)
	}
	request.Header.Set("Cookie", strings.Join(names, ";"))
	f := &filter{handler: handler, request: request, visitor: answers.Visitor{Store: handler.answers, Lines: request.Header["Cookie"]}}
	f.ResponseWriter = fixedHeader{header: http.Header{}}
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			request.Header["Cookie"] = f.visitor.Lines
			f.dropCookies()
			f.Header().Del("Set-Cookie")
			caddyhttp.SetVar(request.Context(), expiriesVar, nil)
			f.expire()
		}
	})
	if got := len(f.Header()["Set-Cookie"]); got == 0 || result.AllocedBytesPerOp() > 1<<20 {
		t.Errorf("%d lines, %v", got, result.MemString())
	}
}

// misbehave is a handler that answers in one of the ways in which handlers do,
// each after it has set cookies that must not all leave.
type misbehave struct {
	Way string `json:"way"`
}

func (misbehave) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.misbehave", New: func() caddy.Module { return new(misbehave) }}
}

func init() {
	caddy.RegisterModule(misbehave{})
	httpcaddyfile.RegisterHandlerDirective("misbehave", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		handler := new(misbehave)
		if !h.AllArgs(&handler.Way) {
			return nil, h.ArgErr()
		}
		return handler, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("misbehave", httpcaddyfile.After, "templates")
}

// portalCookies are lines of which the charter of the tests allows the first
// and the last only.
var portalCookies = []string{
	"sessionid=1; Path=/; Expires=Thu, 01 Jan 2032 00:00:00 GMT; Max-Age=600; HttpOnly",
	"AWSALB=1; Path=/",
	"_pk_id.1.1fff=1; Path=/",
	"=nameless",
	"nameless",
	"SESSIONID=1",
	"sessionid =1\x01",
	"csrftoken=\xe9\"{,}; Path=/",
}

var allowedCookies = []string{portalCookies[0], portalCookies[7]}

const reached = "reached the visitor"

var ways = []string{
	"status 200", "status 204", "status 302", "status 304", "status 404", "status 503", "write", "flush", "read from", "silent", "error",
	"keys", "early hints", "trailers", "unannounced trailers", "add later", "append to shared",
	"after the header", "after a small write", "after 204", "after a flush", "after reading from", "instead", "in another case",
	"one for another", "one for another in the end", "one for another before a long rest", "in another alphabet",
}

var sharedLines = slices.Clone(portalCookies)

func (m *misbehave) ServeHTTP(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
	header := w.Header()
	set := func(key string) { header[key] = slices.Clone(portalCookies) }
	header.Set("X-Way", m.Way)
	var status int
	if _, err := fmt.Sscanf(m.Way, "status %d", &status); err == nil {
		set("Set-Cookie")
		w.WriteHeader(status)
		if status != http.StatusNoContent && status != http.StatusNotModified {
			io.WriteString(w, reached)
		}
		return nil
	}
	switch m.Way {
	case "write":
		set("Set-Cookie")
		io.WriteString(w, reached)
	case "flush":
		set("Set-Cookie")
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		io.WriteString(w, reached)
	case "read from":
		set("Set-Cookie")
		reader, ok := w.(io.ReaderFrom)
		if !ok {
			return errors.New("no io.ReaderFrom")
		}
		_, err := reader.ReadFrom(strings.NewReader(reached))
		return err
	case "silent":
		set("Set-Cookie")
	case "error":
		set("Set-Cookie")
		return caddyhttp.Error(http.StatusBadGateway, errors.New("refused"))
	case "keys":
		set("set-cookie")
		set("SET-cookie")
		set("Set-Cookie2")
		io.WriteString(w, reached)
	case "early hints":
		set("Set-Cookie")
		w.WriteHeader(http.StatusEarlyHints)
		set("Set-Cookie")
		w.WriteHeader(http.StatusProcessing)
		set("Set-Cookie")
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, reached)
	case "trailers":
		header.Set("Trailer", "Set-Cookie")
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, reached)
		set("Set-Cookie")
	case "unannounced trailers":
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, reached)
		http.NewResponseController(w).Flush() // else HTTP/1.1 has no trailers
		set(http.TrailerPrefix + "Set-Cookie")
	case "add later":
		header.Add("Set-Cookie", portalCookies[0])
		w.WriteHeader(http.StatusEarlyHints)
		for _, line := range portalCookies[1:] {
			header.Add("Set-Cookie", line)
		}
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, reached)
	case "append to shared":
		header["Set-Cookie"] = sharedLines
		w.WriteHeader(http.StatusOK)
		if !slices.Equal(sharedLines, portalCookies) {
			return errors.New("the filter wrote to a shared slice")
		}
		io.WriteString(w, reached)
	case "after the header", "after a small write", "after 204", "after a flush", "after reading from", "instead", "in another case":
		header.Set("Cache-Control", "public, max-age=60")
		set("Set-Cookie")
		switch m.Way {
		case "after a small write":
			io.WriteString(w, reached[:1])
		case "after 204":
			w.WriteHeader(http.StatusNoContent)
		case "after reading from":
			w.(io.ReaderFrom).ReadFrom(strings.NewReader(reached[:1]))
		case "after a flush":
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
		default:
			w.WriteHeader(http.StatusOK)
		}
		header.Set("Content-Security-Policy", "default-src 'none'") // late, as all that follows
		header.Set("Vary", "Accept")
		switch m.Way {
		case "instead":
			header["Set-Cookie"] = portalCookies[1:3]
			delete(header, "Cache-Control")
		case "in another case":
			header["set-cookie"] = portalCookies[1:]
			header["cache-control"] = []string{"public"}
			header["Cdn-Cache-Control"] = []string{"max-age=60"}
		default:
			for _, line := range portalCookies[1:] {
				header.Add("Set-Cookie", line)
			}
			header.Set("Cache-Control", "public")
		}
		switch m.Way {
		case "after 204":
		case "after a small write", "after reading from":
			io.WriteString(w, reached[1:])
		default:
			io.WriteString(w, reached)
		}
	case "one for another", "one for another in the end", "one for another before a long rest":
		set("Set-Cookie")
		header.Set("Cache-Control", "public, max-age=60")
		header.Set("X-Other", "as many fields as before")
		w.WriteHeader(http.StatusOK)
		begun := 0
		if m.Way != "one for another" {
			begun, _ = io.WriteString(w, reached[:1])
		}
		delete(header, "X-Other")
		header["set-cookie"] = portalCookies[1:]
		rest := reached[begun:]
		if m.Way == "one for another before a long rest" { // with which the header leaves over HTTP/3
			rest += strings.Repeat(" ", 8<<10)
		}
		io.WriteString(w, rest)
	case "in another alphabet": // that HTTP/3 folds
		set("Set-Coo\u212Aie")
		io.WriteString(w, reached)
	default:
		return fmt.Errorf("unknown way %q", m.Way)
	}
	return nil
}

// TestEveryWayOut sends cookies out in every way that a handler can, over every
// version of HTTP, and looks at what reaches the wire.
func TestEveryWayOut(t *testing.T) {
	const charter = "cookie_charter {\n preset opendatasoft matomo\n}\n"
	var handlers strings.Builder
	for i, way := range ways {
		fmt.Fprintf(&handlers, "@way%d path /%d\nmisbehave @way%d %q\n", i, i, i, way)
	}
	const errors = "handle_errors {\n @bare path /bare\n respond @bare {err.status_code}\n}\n"
	for name, site := range map[string]string{
		"alone":                  charter + handlers.String() + errors,
		"behind what holds back": "route {\n templates {\n  between ((( )))\n }\n header Content-Type text/html\n" + charter + handlers.String() + "}\n" + errors,
		"behind what compresses": "route {\n encode {\n gzip\n minimum_length 1\n match status 2xx\n }\n" + charter + handlers.String() + "}\n" + errors,
	} {
		t.Run(name, func(t *testing.T) { testEveryWayOut(t, serve(t, true, site)) })
	}
}

func testEveryWayOut(t *testing.T, address string) {
	for version, client := range clients(t) {
		for i, way := range ways {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				t.Run(version+"/"+way+"/"+method, func(t *testing.T) {
					received := map[string][]string{}
					ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
						Got1xxResponse: func(_ int, header textproto.MIMEHeader) error {
							received["1xx"] = append(received["1xx"], header["Set-Cookie"]...)
							return nil
						},
					})
					request, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("https://%s/%d", address, i), nil)
					if err != nil {
						t.Fatal(err)
					}
					response, err := client.Do(request)
					if err != nil {
						t.Fatal(err)
					}
					defer response.Body.Close()
					body, err := io.ReadAll(response.Body)
					if err != nil {
						t.Fatal(err)
					}
					if response.Header.Get("X-Way") != way {
						t.Fatalf("not the handler's answer: %v", response.Header)
					}
					hasBody := method == http.MethodGet && way != "silent" && way != "error" && way != "status 204" && way != "status 304" && way != "after 204"
					if strings.TrimRight(string(body), " ") != reached && hasBody {
						t.Errorf("body %q", body)
					}
					received["final"] = response.Header["Set-Cookie"]
					received["trailer"] = response.Trailer["Set-Cookie"]
					received["old"] = response.Header["Set-Cookie2"]

					for where, some := range received {
						for _, line := range some {
							if !slices.Contains(allowedCookies, line) {
								t.Errorf("%s: leaked %q", where, line)
							}
						}
					}
					if len(received["trailer"]) > 0 {
						t.Errorf("trailers %q", received["trailer"])
					}
					if strings.HasSuffix(way, "trailers") {
						return
					}
					want := allowedCookies
					if way == "keys" {
						want = slices.Concat(allowedCookies, allowedCookies)
					}
					if !slices.Equal(received["final"], want) {
						t.Errorf("kept %q", received)
					}
					caching := response.Header["Cache-Control"]
					if len(caching) != 1 || !isPrivate(response.Header) || response.Header["Cdn-Cache-Control"] != nil {
						t.Errorf("caches are told %q", response.Header)
					}
				})
			}
		}
	}
}

// isPrivate tells whether no shared cache keeps an answer.
func isPrivate(header http.Header) bool {
	for directive := range strings.SplitSeq(strings.Join(header["Cache-Control"], ","), ",") {
		if directive = strings.TrimSpace(directive); directive == "private" || directive == "no-store" {
			return true
		}
	}
	return false
}

// TestHandleErrors shows that error routes are a chain of their own.
func TestHandleErrors(t *testing.T) {
	const failing = "\nroute {\n header +Set-Cookie \"AWSALB=1\"\n header +Set-Cookie \"sessionid=1\"\n error 503\n}\n"
	const charter = "cookie_charter {\n preset opendatasoft matomo\n request_cookies pass\n}\n"
	address := serve(t, false, charter+failing+`
		handle_errors {
			`+charter+`
			header +Set-Cookie "AWSALB=2"
			header +Set-Cookie "csrftoken=2"
			respond "sorry"
		}`)
	response, body := get(t, "http://"+address+"/", nil)
	if want := []string{"sessionid=1", "csrftoken=2"}; !slices.Equal(response.Header["Set-Cookie"], want) {
		t.Errorf("got %q, want %q", response.Header["Set-Cookie"], want)
	}
	if response.StatusCode != 503 || body != "sorry" {
		t.Errorf("got %d %q", response.StatusCode, body)
	}
	// Both chains see the refused cookie; one removes it.
	response, _ = get(t, "http://"+address+"/", http.Header{"Cookie": {"_pk_id.1=1"}})
	if want := []string{"sessionid=1", "_pk_id.1=; Max-Age=-1; Path=/", "csrftoken=2"}; !slices.Equal(response.Header["Set-Cookie"], want) {
		t.Errorf("got %q, want %q", response.Header["Set-Cookie"], want)
	}
	// What the page refuses is answered by the error route, too, but for people.
	for accept, want := range map[string]string{"application/json": "sorry", "text/html": "<!DOCTYPE html>"} {
		response, body = do(t, http.MethodDelete, "http://"+address+pagePath, http.Header{"Accept": {accept}}, "")
		if response.StatusCode != 405 || !strings.HasPrefix(body, want) || response.Header.Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("%s: got %d %q", accept, response.StatusCode, body)
		}
	}
	// An error route writes no variables: those of the request may be read meanwhile.
	alone := serve(t, false, failing+"handle_errors {\n"+charter+"respond \"{http.vars.cookie_charter.expired}\"\n}")
	response, body = get(t, "http://"+alone+"/", http.Header{"Cookie": {"_pk_id.1=1"}})
	if body != "" || !slices.Contains(response.Header["Set-Cookie"], "_pk_id.1=; Max-Age=-1; Path=/") {
		t.Errorf("got %q, %q", body, response.Header)
	}
}

// TestOrder shows that other directives' cookies are seen, wherever they stand.
func TestOrder(t *testing.T) {
	for name, site := range map[string]string{
		"deferred":  "header >Set-Cookie \"AWSALB=1\"\nrespond ok",
		"redir":     "header +Set-Cookie AWSALB=1\nredir https://example.org/",
		"before":    "respond ok\nheader +Set-Cookie AWSALB=1",
		"intercept": "intercept {\n replace_status 201\n}\nheader +Set-Cookie AWSALB=1\nrespond ok",
		"encode":    "encode\nheader +Set-Cookie AWSALB=1\nrespond ok",
		"handle":    "handle {\n header +Set-Cookie AWSALB=1\n respond ok\n}",
		"templates": "header +Set-Cookie AWSALB=1\ntemplates\nheader Content-Type text/html\nrespond `{{.Req.Method}}`",
	} {
		t.Run(name, func(t *testing.T) {
			for _, directive := range []string{"", "cookie_charter\n"} {
				address := serve(t, false, directive+site)
				response, _ := get(t, "http://"+address+"/", nil)
				if leaked := len(response.Header["Set-Cookie"]) > 0; leaked == (directive != "") {
					t.Errorf("with %q: %q", directive, response.Header["Set-Cookie"])
				}
			}
		})
	}
}

// TestPageBehindHeaders puts header fields on the page, as the README tells.
func TestPageBehindHeaders(t *testing.T) {
	address := serve(t, false, "route {\n header Strict-Transport-Security max-age=1\n cookie_charter\n respond ok\n}")
	for _, path := range []string{pagePath, "/"} {
		if response, _ := get(t, "http://"+address+path, nil); response.StatusCode != http.StatusOK || response.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %s, %v", path, response.Status, response.Header)
		}
	}
}

// TestVerdictsFollowPreference proxies a real upstream and lets the visitor's
// answer decide.
func TestVerdictsFollowPreference(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{"sessionid=1; Path=/", "_pk_id.1.1=1", "measure=1", "AWSALB=1"}
	}))
	defer upstream.Close()
	address := serve(t, false, `
		cookie_charter {
			preset opendatasoft matomo
			cookie measure {
				purpose "Counts visits"
				category statistics
				exempt
			}
		}
		reverse_proxy `+upstream.Listener.Addr().String())
	for cookie, want := range map[string][]string{
		"":                         {"sessionid=1; Path=/", "measure=1"},
		"cookies_preferences=junk": {"sessionid=1; Path=/", "measure=1"},
		"cookies_preferences=%7B%22matomo%22%3Atrue%7D":                                     {"sessionid=1; Path=/", "_pk_id.1.1=1", "measure=1"},
		`a=b; cookies_preferences={"matomo":true,"statistics":false}`:                       {"sessionid=1; Path=/", "_pk_id.1.1=1"},
		`cookies_preferences={"matomo":true}; cookies_preferences=%7B%22matomo%22:false%7D`: {"sessionid=1; Path=/", "measure=1"},
	} {
		response, _ := get(t, "http://"+address+"/", http.Header{"Cookie": {cookie}})
		if got := response.Header["Set-Cookie"]; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", cookie, got, want)
		}
	}
	// Several Cookie lines are one header.
	response, _ := get(t, "http://"+address+"/", http.Header{"Cookie": {"a=b", `cookies_preferences={"matomo":true}`}})
	if got := response.Header["Set-Cookie"]; len(got) != 3 {
		t.Errorf("second line not read: got %q", got)
	}
}

// TestAmended looks at what becomes of kept lines in an answer.
func TestAmended(t *testing.T) {
	site := func(options string) string {
		return `
		cookie_charter {
			` + options + `
			cookie week {
				purpose p
				category necessary
				duration "1 week"
			}
			cookie hardened {
				purpose p
				category necessary
				secure
				http_only
				same_site Lax
			}
			cookie measure {
				purpose p
				category statistics
				exempt
				duration "20 months"
			}
			cookie embedded {
				purpose p
				category necessary
				secure
				same_site None
			}
		}
		header +Set-Cookie "week=1; Max-Age=99999999; Path=/"
		header +Set-Cookie "hardened=1; Max-Age=99999999"
		header +Set-Cookie "hardened=2; samesite=None; SECURE; httponly=x"
		header +Set-Cookie "measure=1; Max-Age=99999999"
		header +Set-Cookie "embedded=1"
		header +Set-Cookie "embedded=2; Secure"
		respond ok`
	}
	for _, test := range []struct {
		options   string
		encrypted bool
		want      []string
	}{
		{"", true, []string{
			"week=1; Max-Age=99999999; Path=/; Max-Age=604800",
			"hardened=1; Max-Age=99999999; Max-Age=34560000; Secure; HttpOnly; SameSite=Lax",
			"hardened=2; samesite=None; SECURE; httponly=x",
			"measure=1; Max-Age=99999999; Max-Age=34186698",
			"embedded=1; Secure; SameSite=None",
			"embedded=2; Secure; SameSite=None",
		}},
		{"durations declare", false, []string{
			"week=1; Max-Age=99999999; Path=/",
			"hardened=1; Max-Age=99999999; HttpOnly; SameSite=Lax",
			"hardened=2; samesite=None; SECURE; httponly=x",
			"measure=1; Max-Age=99999999",
			"embedded=1",
			"embedded=2; Secure; SameSite=None",
		}},
	} {
		address := serve(t, test.encrypted, site(test.options))
		url := "http://" + address
		if test.encrypted {
			url = "https://" + address
		}
		response, _ := get(t, url, nil)
		got := response.Header["Set-Cookie"]
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%q: got %q", test.options, got)
		}
	}
}

// TestDeletionsPass shows that the portal may always delete a cookie, and that
// what only looks like it is a deposit.
func TestDeletionsPass(t *testing.T) {
	const past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT"
	upstreamDate := "Date: Thu, 1 Jan 1970 00:00:00 GMT\r\n" // browsers read it, Go does not
	deletions := []string{
		`sessionid=""; ` + past + `; Max-Age=0; Path=/; SameSite=Lax`,
		"_pk_id.1.1=; Max-Age=0",
		"_pk_id.1.1=x; " + past,
		"unknown=; " + past + "; Path=/; Domain=example.org",
		"unknown=gone; Max-Age=-1",
		"unknown=x; Expires=Fri, 01 Jan 2100 00:00:00 GMT; Max-Age=0",
		"unknown=x; Expires=Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
		"unknown=x; Expires=Thu, 01 Jan 1970 00:00:00 +0100",
		"unknown=x; Expires=jeu., 01 January 1970 00:00:00.000 GMT",
		"unknown=x; Expires=Mon, 01 Jan 0001 00:00:00 GMT",
		"unknown=x; Max-Age=; " + past,
		"unknown=x; Max-Age=soon; " + past,
		"unknown=x; Expires=" + time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat),
	}
	deposits := []string{
		"_pk_id.1.1=x",
		"_pk_id.1.1=x; Max-Age=; Path=/",
		"_pk_id.1.1=x; Max-Age=0; Max-Age=soon",
		"_pk_id.1.1=x; Max-Age=0; Max-Age=9",
		"_pk_id.1.1=x; Max-Age=9; " + past,
		"_pk_id.1.1=x; " + past + "; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
		"_pk_id.1.1=x; Max-Age=+0",
		"_pk_id.1.1=x; Expires=1990-Jan-01 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=Mon, Mar-28-2000 12:00:00 GMT",
		"_pk_id.1.1=x; Expires=01_Jan_1970_00:00:00_GMT",
		"_pk_id.1.1=x; Expires=01+Jan+1970+00:00:00+GMT",
		"_pk_id.1.1=x; Expire\u017f=Thu, 01 Jan 1970 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Expire\u017f=Thu, 01 Jan 1970 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=1st Jan 1970 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=01 Jan 1999xx 2032 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=01 Jan 70a1 2032 00:00:00 GMT",
		"unknown=Max-Age=0",
		"unknown=x, Max-Age=0",
		"unknown=x; Max-Age=0x0",
		"=x; Max-Age=0",
		"x; Max-Age=0",
		"unknown=x\x01; Max-Age=0",
		"un known=x; Max-Age=0",
	}
	upstreamOf := func(date string, lines []string) string {
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + date + "Set-Cookie: " + strings.Join(lines, "\r\nSet-Cookie: ") + "\r\n\r\n"
		return rawUpstream(t, func(string) string { return answer })
	}
	site := func(upstream string) string {
		return "cookie_charter {\n preset opendatasoft matomo\n}\nreverse_proxy " + upstream
	}
	withoutControls := []string{}
	for _, line := range deposits {
		if !setcookie.HasControls(line) { // Go's client refuses an answer that has any
			withoutControls = append(withoutControls, line)
		}
	}
	address := serve(t, false, site(upstreamOf("", append(withoutControls, deletions...))))
	response, _ := get(t, "http://"+address, nil)
	if got := response.Header["Set-Cookie"]; strings.Join(got, "\n") != strings.Join(deletions, "\n") {
		t.Errorf("got %q", got)
	}
	// Of several Dates, each browser takes another: none is certain.
	for _, dates := range [][]string{{"", "Thu, 01 Jan 1970 00:00:00 GMT"}, {"Wed, 25 Nov 2026 00:00:00 GMT", "+1200"}, {""}} {
		address = serve(t, false, site(upstreamOf("Date: "+strings.Join(dates, "\r\nDate: ")+"\r\n", []string{"_pk_id.1.1=x; Expires=Fri, 02 Jan 1970 00:00:00 GMT", "unknown=x; Max-Age=0"})))
		response, _ = get(t, "http://"+address, nil)
		if got := response.Header["Set-Cookie"]; len(got) != 1 || got[0] != "unknown=x; Max-Age=0" {
			t.Errorf("%q: got %q", dates, got)
		}
	}
	// One in another case is the only one, too: the server writes its own beside none.
	f := benchmarkFilter(t, benchmarkHandler(t, 5))
	f.Header()["date"] = []string{"Thu, 01 Jan 1970 00:00:00 GMT"}
	f.Header()["Set-Cookie"] = []string{"_pk_id.1.1=x; Expires=Fri, 02 Jan 1970 00:00:00 GMT"}
	f.visitor = answers.Visitor{Store: f.handler.answers}
	f.withhold()
	if got := f.Header(); len(got) != 2 || len(got["Date"]) != 1 {
		t.Errorf("a date in another case: %v", got)
	}
	// Browsers count dates from the answer's own Date: here, Expires lies ahead.
	address = serve(t, false, site(upstreamOf("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", []string{"_pk_id.1.1=x; Expires=Fri, 02 Jan 1970 00:00:00 GMT"})))
	response, _ = get(t, "http://"+address, nil)
	if got := response.Header["Set-Cookie"]; got != nil || response.Header.Get("Date") != "Thu, 01 Jan 1970 00:00:00 GMT" {
		t.Errorf("got %q on %s", got, response.Header.Get("Date"))
	}
	address = serve(t, false, site(upstreamOf(upstreamDate, []string{"_pk_id.1.1=x; Expires=Fri, 02 Jan 1970 00:00:00 GMT"})))
	response, _ = get(t, "http://"+address, nil)
	if got := response.Header["Set-Cookie"]; got != nil {
		t.Errorf("got %q on %s", got, response.Header.Get("Date"))
	}
	for _, line := range deposits {
		f := &filter{handler: provision(t, "cookie_charter {\n preset opendatasoft matomo\n}"), request: visit("http://city.example/")}
		f.visitor.Store = f.handler.answers
		f.ResponseWriter = fixedHeader{header: http.Header{}}
		if _, keep := f.judgeAlone(line); keep {
			t.Errorf("%q passed", line)
		}
	}
}

// TestCookiesOfRequests sends cookies over every version of HTTP, and looks at
// what the portal gets.
func TestCookiesOfRequests(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header["Cookie"], r.Header["Cookie2"])
	}))
	defer upstream.Close()
	proxy := "\nreverse_proxy " + upstream.Listener.Addr().String()
	sent := http.Header{"Cookie": {"sessionid=1; unknown=2", "unknown=3", "_pk_id.1.1=4; csrftoken=5", "django_language=6;cookies_preferences={}"}, "Cookie2": {"$Version=1"}}
	for block, want := range map[string]map[string]string{
		"cookie_charter": {
			"HTTP/1.1": `["sessionid=1" "csrftoken=5" "django_language=6;cookies_preferences={}"] []`,
			"HTTP/2.0": `["sessionid=1; csrftoken=5; django_language=6; cookies_preferences={}"] []`,
			"HTTP/3.0": `["sessionid=1; csrftoken=5; django_language=6; cookies_preferences={}"] []`,
		},
		"cookie_charter {\n request_cookies pass\n}": {
			"HTTP/1.1": `["sessionid=1; unknown=2" "unknown=3" "_pk_id.1.1=4; csrftoken=5" "django_language=6;cookies_preferences={}"] ["$Version=1"]`,
			"HTTP/2.0": `["sessionid=1; unknown=2; unknown=3; _pk_id.1.1=4; csrftoken=5; django_language=6; cookies_preferences={}"] ["$Version=1"]`,
			"HTTP/3.0": `["sessionid=1; unknown=2; unknown=3; _pk_id.1.1=4; csrftoken=5; django_language=6;cookies_preferences={}"] ["$Version=1"]`,
		},
	} {
		address := serve(t, true, block+proxy)
		for version, client := range clients(t) {
			request, _ := http.NewRequest(http.MethodGet, "https://"+address+"/", nil)
			request.Header = sent.Clone()
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if string(got) != want[version] {
				t.Errorf("%q over %s: got %s", block, version, got)
			}
		}
	}
}

// Trailers of a request bring no cookies to the portal, announced or not.
func TestCookiesInTrailersOfRequests(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%q %q %q", r.Trailer["Cookie"], r.Trailer["Cookie2"], r.Trailer["X-Sum"])
	}))
	defer upstream.Close()
	const withheld, passed = `[] [] ["3"]`, `["_pk_id.1=1"] ["2"] ["3"]`
	for options, want := range map[string]string{"": withheld, "monitor undeclared": withheld, "request_cookies pass": passed, "monitor": passed} {
		address := serve(t, true, "cookie_charter {\n "+options+"\n}\nreverse_proxy "+upstream.Listener.Addr().String())
		for version, client := range clients(t) {
			request, err := http.NewRequest(http.MethodPost, "https://"+address+"/", io.NopCloser(strings.NewReader(strings.Repeat("body", 9999))))
			if err != nil {
				t.Fatal(err)
			}
			request.ContentLength = -1
			request.Trailer = http.Header{"Cookie": {"_pk_id.1=1"}, "Cookie2": {"2"}, "X-Sum": {"3"}}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if isDropped := version == "HTTP/3.0" && string(got) == "[] [] []"; string(got) != want && !isDropped {
				t.Errorf("%q over %s: got %s", options, version, got)
			}
		}
		for _, announced := range []string{"", "Trailer: X-Sum\r\n", "Trailer: cookie, x-sum\r\n"} {
			connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(connection, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n%s\r\n1\r\nx\r\n0\r\ncookie: _pk_id.1=1\r\ncookie2: 2\r\nx-sum: 3\r\n\r\n", announced)
			answer, _ := io.ReadAll(connection)
			connection.Close()
			if !bytes.Contains(answer, []byte("[]")) && want == withheld || bytes.Contains(answer, []byte("_pk_id")) && want == withheld || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200")) {
				t.Errorf("%q announcing %q: got %q", options, announced, answer)
			}
		}
	}
}

// TestStreaming shows that what flows without the module flows with it: each
// event is asked for only after the one before has arrived.
func TestStreaming(t *testing.T) {
	next := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header()["Set-Cookie"] = slices.Clone(portalCookies[:3])
		for i := range 5 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	}))
	defer upstream.Close()
	address := serve(t, true, "cookie_charter\nreverse_proxy "+upstream.Listener.Addr().String())
	for version, client := range clients(t) {
		t.Run(version, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/", nil)
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if got := response.Header["Set-Cookie"]; !slices.Equal(got, portalCookies[:1]) {
				t.Errorf("got %q", got)
			}
			lines := bufio.NewScanner(response.Body)
			for i := range 5 {
				for lines.Scan() && lines.Text() == "" {
				}
				if want := fmt.Sprintf("data: %d", i); lines.Text() != want {
					t.Fatalf("got %q, want %q", lines.Text(), want)
				}
				next <- struct{}{}
			}
		})
	}
}

// TestLargeBody compares a large file and a large upload byte for byte.
func TestLargeBody(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 1<<19) // 8 MiB
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large.txt"), []byte(large), 0o600); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = slices.Clone(portalCookies[:3])
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	defer upstream.Close()
	address := serve(t, true, `
		cookie_charter
		header +Set-Cookie "AWSALB=1"
		file_server /large.txt {
			root `+dir+`
		}
		reverse_proxy /echo `+upstream.Listener.Addr().String())
	for version, client := range clients(t) {
		t.Run(version, func(t *testing.T) {
			for _, path := range []string{"/large.txt", "/echo"} {
				method, body := http.MethodGet, io.Reader(http.NoBody)
				if path == "/echo" {
					method, body = http.MethodPost, strings.NewReader(large)
				}
				request, _ := http.NewRequest(method, "https://"+address+path, body)
				response, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || string(got) != large {
					t.Errorf("%s: %d bytes, %v", path, len(got), err)
				}
				for _, line := range response.Header["Set-Cookie"] {
					if line != portalCookies[0] {
						t.Errorf("%s: leaked %q", path, line)
					}
				}
			}
		})
	}
}

// webSocketUpstream echoes messages, and sets cookies in its handshake.
func webSocketUpstream(t *testing.T) string {
	upstream := httptest.NewServer(websocket.Server{
		Handshake: func(config *websocket.Config, _ *http.Request) error {
			config.Header = http.Header{"Set-Cookie": portalCookies[:3]}
			return nil
		},
		Handler: func(connection *websocket.Conn) { io.Copy(connection, connection) },
	})
	t.Cleanup(upstream.Close)
	return upstream.Listener.Addr().String()
}

// A masked client frame with "hello", its mask zero, and the server's echo.
const (
	helloFrame = "\x81\x85\x00\x00\x00\x00hello"
	echoFrame  = "\x81\x05hello"
)

func echo(t *testing.T, connection io.ReadWriter) {
	t.Helper()
	for range 3 {
		if _, err := io.WriteString(connection, helloFrame); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(echoFrame))
		if _, err := io.ReadFull(connection, got); err != nil || string(got) != echoFrame {
			t.Fatalf("echoed %q, %v", got, err)
		}
	}
}

// hangUp says that nothing more will be sent, and waits until Caddy is done
// with the connection.
func hangUp(connection io.Reader, stopSending func() error) {
	stopSending()
	io.Copy(io.Discard, connection)
}

func TestWebSocket(t *testing.T) {
	address := serve(t, false, "cookie_charter {\n preset opendatasoft matomo\n}\nreverse_proxy "+webSocketUpstream(t))
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(connection, "GET /socket HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Cookie: _pk_id.1=1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", address, address)
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", response.StatusCode)
	}
	// Browsers take cookies from a handshake, removals included.
	if got, want := response.Header["Set-Cookie"], []string{portalCookies[0], "_pk_id.1=; Max-Age=-1; Path=/", "_pk_id.1=; Max-Age=-1; Path=/socket"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	echo(t, struct {
		io.Reader
		io.Writer
	}{reader, connection})
	hangUp(reader, connection.(*net.TCPConn).CloseWrite)
}

// extendedConnect is the environment in which Go's HTTP/2 server speaks RFC 8441; it reads
// that when the process starts.
const extendedConnect = "http2xconnect=1"

func TestWebSocketHTTP2(t *testing.T) {
	if os.Getenv("GODEBUG") != extendedConnect {
		command := exec.Command(os.Args[0], "-test.run=^TestWebSocketHTTP2$", "-test.v")
		command.Env = append(os.Environ(), "GODEBUG="+extendedConnect)
		output, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(output), "--- PASS: TestWebSocketHTTP2") {
			t.Fatalf("%v\n%s", err, output)
		}
		return
	}
	address := serve(t, true, "cookie_charter\nreverse_proxy "+webSocketUpstream(t))
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{http2.NextProtoTLS}})
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(20 * time.Second))
	stream := http2Stream{Framer: http2.NewFramer(connection, connection)}
	stream.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var asked bytes.Buffer
	encoder := hpack.NewEncoder(&asked)
	for _, field := range []hpack.HeaderField{
		{Name: ":method", Value: "CONNECT"},
		{Name: ":protocol", Value: "websocket"},
		{Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: address},
		{Name: ":path", Value: "/socket"},
		{Name: "origin", Value: "https://" + address},
		{Name: "sec-websocket-version", Value: "13"},
	} {
		encoder.WriteField(field)
	}
	_, err = io.WriteString(connection, http2.ClientPreface)
	if err := cmp.Or(err, stream.WriteSettings(), stream.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: asked.Bytes(), EndHeaders: true})); err != nil {
		t.Fatal(err)
	}
	echo(t, &stream)
	if status, cookies := stream.header[":status"], stream.header["set-cookie"]; !slices.Equal(status, []string{"200"}) || !slices.Equal(cookies, portalCookies[:1]) {
		t.Errorf("got %q, %q", status, cookies)
	}
	hangUp(&stream, func() error { return stream.WriteData(1, true, nil) })
}

// An http2Stream is the first stream of a connection, frame by frame: Go's own clients refuse
// the pseudo-header of RFC 8441.
type http2Stream struct {
	*http2.Framer
	header map[string][]string // of the answer
	rest   []byte              // of the data that have come
}

func (s *http2Stream) Write(data []byte) (int, error) { return len(data), s.WriteData(1, false, data) }

func (s *http2Stream) Read(into []byte) (int, error) {
	for len(s.rest) == 0 {
		frame, err := s.ReadFrame()
		if err != nil {
			return 0, err
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				err = s.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			s.header = map[string][]string{}
			for _, field := range frame.Fields {
				s.header[field.Name] = append(s.header[field.Name], field.Value)
			}
		case *http2.DataFrame:
			if s.rest = bytes.Clone(frame.Data()); len(s.rest) == 0 && frame.StreamEnded() {
				err = io.EOF
			}
		case *http2.RSTStreamFrame:
			err = io.EOF
		}
		if err != nil {
			return 0, err
		}
	}
	read := copy(into, s.rest)
	s.rest = s.rest[read:]
	return read, nil
}

func TestWebSocketHTTP3(t *testing.T) {
	address := serve(t, true, "cookie_charter\nreverse_proxy "+webSocketUpstream(t))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	connection, err := quic.DialAddr(ctx, address, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{http3.NextProtoH3}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.CloseWithError(0, "")
	client := new(http3.Transport).NewClientConn(connection)
	stream, err := client.OpenRequestStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	request, _ := http.NewRequestWithContext(ctx, http.MethodConnect, "https://"+address+"/socket", nil)
	request.Proto = "websocket"
	request.Header.Set("Origin", "https://"+address)
	request.Header.Set("Sec-WebSocket-Version", "13")
	if err := stream.SendRequestHeader(request); err != nil {
		t.Fatal(err)
	}
	response, err := stream.ReadResponse()
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	if got := response.Header["Set-Cookie"]; !slices.Equal(got, portalCookies[:1]) {
		t.Errorf("got %q", got)
	}
	echo(t, stream)
	hangUp(stream, stream.Close)
}

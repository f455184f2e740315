package cookiecharter

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/report"
)

// A guardedPage is a page of the portal, and what has to become of it.
const (
	portalPage = "<!DOCTYPE html><html lang=fr><head><meta charset=utf-8><title>Données</title></head><body>%s</body></html>"
	navigation = "document"
)

// guardTag is the tag of a visitor who has not answered, behind the portal's doctype.
var guardTag = regexp.MustCompile(`^(<!DOCTYPE html>)?<script src="/terms/cookies-policy/guard\.js\?v=[0-9a-f]{8}" data-state="[01]+" data-seen="\d+"></script>`)

// guardedPortal answers each path in a way of its own.
func guardedPortal(t *testing.T) (address string, page string) {
	t.Helper()
	page = fmt.Sprintf(portalPage, strings.Repeat("<p>Jeu de données</p>", 2000))
	pack := func(text string) []byte {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		io.WriteString(writer, text)
		writer.Close()
		return packed.Bytes()
	}
	next := make(chan struct{})
	t.Cleanup(func() { close(next) })
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("X-Asked", r.Header.Get("Accept-Encoding")+" "+r.Header.Get("Range")+" "+r.Header.Get("If-None-Match"))
		switch r.URL.Path {
		case "/plain":
			header.Set("Content-Length", fmt.Sprint(len(page)))
			header.Set("ETag", `"a"`)
			header.Set("Last-Modified", time.Now().Format(http.TimeFormat))
			header.Set("Accept-Ranges", "bytes")
			io.WriteString(w, page)
		case "/gzip":
			header.Set("Content-Encoding", "gzip")
			w.Write(pack(page))
		case "/untyped":
			header["Content-Type"] = nil
			io.WriteString(w, page)
		case "/parts":
			for _, part := range strings.SplitAfter(page, ">") {
				io.WriteString(w, part)
			}
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, page)
		case "/choices":
			w.WriteHeader(http.StatusMultipleChoices)
			io.WriteString(w, page)
		case "/nowhere":
			w.WriteHeader(http.StatusFound)
			io.WriteString(w, page)
		case "/marked":
			io.WriteString(w, "\xEF\xBB\xBF"+page)
		case "/marked.gz":
			header.Set("Content-Encoding", "gzip")
			w.Write(pack("\xEF\xBB\xBF" + page))
		case "/xhtml":
			header.Set("Content-Type", "application/xhtml+xml")
			io.WriteString(w, xhtmlOf(page))
		case "/xhtml.gz":
			header.Set("Content-Type", "application/xhtml+xml; charset=utf-8")
			header.Set("Content-Encoding", "gzip")
			w.Write(pack(xhtmlOf(page)))
		case "/members.gz":
			header.Set("Content-Encoding", "gzip")
			w.Write(append(pack(page), pack("<p>another</p>")...))
		case "/summed.gz":
			header.Set("Content-Encoding", "gzip")
			packed := pack(page)
			packed[len(packed)-7] ^= 0xff
			w.Write(packed)
		case "/cut.gz":
			header.Set("Content-Encoding", "gzip")
			packed := pack(page)
			w.Write(packed[:len(packed)-8])
		case "/slow":
			header.Set("Content-Encoding", r.URL.Query().Get("encoding"))
			packed := pack(page)
			if r.URL.RawQuery == "" {
				header.Del("Content-Encoding")
				packed = []byte(page)
			}
			w.Write(packed[:200])
			w.(http.Flusher).Flush()
			select {
			case <-next:
			case <-time.After(5 * time.Second):
			}
			w.Write(packed[200:])
		case "/shared":
			header.Set("Cache-Control", "public, max-age=60")
			header["Content-Type"] = r.URL.Query()["type"]
			header["Content-Encoding"] = r.URL.Query()["encoding"]
			io.WriteString(w, page)
		case "/attachment":
			header.Set("Content-Disposition", "attachment; filename=a.html")
			io.WriteString(w, page)
		case "/part":
			http.ServeContent(w, r, "a.html", time.Time{}, strings.NewReader(page))
		case "/brotli":
			header.Set("Content-Encoding", "br")
			io.WriteString(w, page)
		case "/utf-16":
			header.Set("Content-Type", "text/html; charset=utf-16")
			io.WriteString(w, page)
		case "/text":
			header.Set("Content-Type", "text/plain")
			io.WriteString(w, page)
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
		case "/events":
			header.Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: "+page+"\n\n")
		}
	}))
	t.Cleanup(upstream.Close)
	return upstream.Listener.Addr().String(), page
}

// xhtmlOf returns a page as XHTML.
func xhtmlOf(page string) string {
	return strings.NewReplacer("lang=fr", `xmlns="http://www.w3.org/1999/xhtml" lang="fr"`, "charset=utf-8", `charset="utf-8"/`).Replace(page)
}

// In XHTML, and where a mark inside gzip has to stay first, the guard stands where it can, and
// the rest is as it was.
func TestGuardIsInsertedFurtherOn(t *testing.T) {
	upstream, page := guardedPortal(t)
	address := serve(t, true, "cookie_charter {\n preset opendatasoft matomo\n guard\n}\nreverse_proxy "+upstream)
	xhtml := xhtmlOf(page)
	for version, client := range clients(t) {
		for path, one := range map[string]struct{ before, page string }{
			"/marked.gz": {"\xEF\xBB\xBF", "\xEF\xBB\xBF" + page},
			"/xhtml":     {xhtml[:strings.Index(xhtml, "<head>")+len("<head>")], xhtml},
			"/xhtml.gz":  {xhtml[:strings.Index(xhtml, "<head>")+len("<head>")], xhtml},
		} {
			response, body := navigate(t, client, http.MethodGet, "https://"+address+path, http.Header{"Accept-Encoding": {"gzip"}})
			rest, isBehind := strings.CutPrefix(body, one.before)
			if !isBehind || !guardTag.MatchString(rest) || one.before+guardTag.ReplaceAllString(rest, "") != one.page {
				t.Errorf("%s %s: %.300q", version, path, body)
			}
			if isPacked := response.Header.Get("Content-Encoding") == "gzip"; isPacked != strings.HasSuffix(path, ".gz") {
				t.Errorf("%s %s: %v", version, path, response.Header)
			}
		}
	}
}

// The guard stands before all else in every HTML document, however it comes, and in nothing
// else; what it stands before is as it was.
func TestGuardIsInserted(t *testing.T) {
	upstream, page := guardedPortal(t)
	address := serve(t, true, "cookie_charter {\n preset opendatasoft matomo\n guard\n}\nreverse_proxy "+upstream)
	for version, client := range clients(t) {
		t.Run(version, func(t *testing.T) {
			for path, isGuarded := range map[string]bool{
				"/plain": true, "/gzip": true, "/untyped": true, "/parts": true, "/missing": true, "/choices": true, "/nowhere": true,
				"/attachment": false, "/brotli": false, "/utf-16": false, "/text": false, "/events": false,
			} {
				for _, encoding := range []string{"identity", "gzip, br", "br"} {
					response, body := navigate(t, client, http.MethodGet, "https://"+address+path, http.Header{"Accept-Encoding": {encoding}, "Range": {"bytes=0-9"}, "If-None-Match": {`"a"`}})
					want, ok := page, guardTag.MatchString(body)
					if path == "/events" {
						want = "data: " + page + "\n\n"
					}
					if ok != isGuarded || guardTag.ReplaceAllString(body, "") != want {
						t.Errorf("%s as %s: guarded %v: %.200q", path, encoding, ok, body)
					}
					asked := "identity"
					if strings.Contains(encoding, "gzip") {
						asked = "gzip"
					}
					if got := response.Header.Get("X-Asked"); got != asked {
						t.Errorf("%s as %s: the portal was asked for %q", path, encoding, got)
					}
					if !isGuarded {
						continue
					}
					for _, field := range []string{"Etag", "Last-Modified", "Accept-Ranges"} {
						if response.Header[field] != nil {
							t.Errorf("%s: %s is %q", path, field, response.Header[field])
						}
					}
					if got := response.Header.Get("Cache-Control"); got != "private, no-cache" {
						t.Errorf("%s: Cache-Control is %q", path, got)
					}
				}
			}
			_, body := navigate(t, client, http.MethodGet, "https://"+address+"/marked", http.Header{"Accept-Encoding": {"identity"}})
			if rest, isMarked := strings.CutPrefix(body, "\xEF\xBB\xBF"); !isMarked || guardTag.ReplaceAllString(rest, "") != page || !guardTag.MatchString(rest) {
				t.Errorf("with a mark: %.200q", body)
			}
			if response, body := navigate(t, client, http.MethodHead, "https://"+address+"/plain", nil); body != "" || response.Header.Get("Etag") != "" || response.ContentLength >= 0 && version == "HTTP/1.1" {
				t.Errorf("HEAD: %q, %v", body, response.Header)
			}
			if response, body := navigate(t, client, http.MethodGet, "https://"+address+"/nothing", nil); body != "" || response.StatusCode != http.StatusNoContent {
				t.Errorf("nothing: %q, %v", body, response.Status)
			}
		})
	}
}

// navigate asks for a document as a browser does.
func navigate(t *testing.T, client *http.Client, method, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		request.Header = header.Clone()
	}
	request.Header.Set("Sec-Fetch-Dest", navigation)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body := io.Reader(response.Body)
	if response.Header.Get("Content-Encoding") == "gzip" && method != http.MethodHead {
		if body, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	content, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(content)
}

// What is no document is asked for, and leaves, as without the guard.
func TestGuardLeavesOthersAlone(t *testing.T) {
	upstream, page := guardedPortal(t)
	address := serve(t, false, "cookie_charter {\n preset opendatasoft\n guard\n}\nreverse_proxy "+upstream)
	for _, header := range []http.Header{{"Sec-Fetch-Dest": {"empty"}}, {"Sec-Fetch-Dest": {"script"}}} {
		header.Set("Accept-Encoding", "br")
		header.Set("If-None-Match", `"a"`)
		response, body := get(t, "http://"+address+"/plain", header)
		if body != page || response.Header.Get("Etag") != `"a"` || response.Header.Get("X-Asked") != `br  "a"` {
			t.Errorf("%v: %v %.200q", header, response.Header, body)
		}
	}
	// No cache that does not heed Vary can show a page to others that was fetched as something else.
	for path, want := range map[string]string{
		"/shared?type=text/html": "private, max-age=60", "/shared?type=text/html&encoding=br": "private, max-age=60", "/shared?type=": "private, max-age=60",
		"/shared?type=image/svg%2bxml": "public, max-age=60", "/shared?type=image/png": "public, max-age=60", "/shared?type=application/json": "public, max-age=60",
	} {
		response, _ := get(t, "http://"+address+path, http.Header{"Sec-Fetch-Dest": {"image"}})
		if got := response.Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control is %q, not %q", path, got, want)
		}
	}
	response, body := get(t, "http://"+address+"/part", http.Header{"Range": {"bytes=0-9"}, "Accept": {"*/*"}})
	if response.StatusCode != http.StatusPartialContent || body != page[:10] {
		t.Errorf("a part: %s %q", response.Status, body)
	}
}

// A page that comes slowly is not held up.
func TestGuardDoesNotHoldUp(t *testing.T) {
	upstream, _ := guardedPortal(t)
	address := serve(t, true, "cookie_charter {\n preset opendatasoft\n guard\n}\nreverse_proxy "+upstream+" {\n flush_interval -1\n}")
	for version, client := range clients(t) {
		for _, query := range []string{"", "?encoding=gzip"} {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/slow"+query, nil)
			request.Header.Set("Sec-Fetch-Dest", navigation)
			request.Header.Set("Accept-Encoding", "gzip")
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(version, err)
			}
			first := make([]byte, 60)
			if _, err := io.ReadFull(response.Body, first); err != nil {
				t.Errorf("%s%s: nothing came before the end: %v", version, query, err)
			}
			response.Body.Close()
			cancel()
		}
	}
}

// The guard stands beside what other directives do with bodies.
func TestGuardBesideOtherDirectives(t *testing.T) {
	upstream, page := guardedPortal(t)
	folder := t.TempDir()
	for name, content := range map[string]string{"index.html": page, "template.html": "<!DOCTYPE html>{{.Req.Method}}"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const charter = "cookie_charter {\n preset opendatasoft\n guard\n}\n"
	for name, one := range map[string]struct{ site, path, want string }{
		"a file":                {charter + "root " + folder + "\nfile_server", "/", page},
		"compression inside":    {charter + "encode gzip zstd\nreverse_proxy " + upstream, "/plain", page},
		"compression outside":   {"route {\n encode gzip\n" + charter + "reverse_proxy " + upstream + "\n}", "/plain", page},
		"a template":            {charter + "templates\nroot " + folder + "\nfile_server", "/template.html", "<!DOCTYPE html>GET"},
		"an error page":         {"error /a 404\n" + charter + "handle_errors {\n" + charter + "header Content-Type text/html\nrespond \"<!DOCTYPE html>{err.status_code}\"\n}", "/a", "<!DOCTYPE html>404"},
		"the portal compresses": {charter + "reverse_proxy " + upstream, "/gzip", page},
	} {
		address := serve(t, false, one.site)
		response, body := navigate(t, clients(t)["HTTP/1.1"], http.MethodGet, "http://"+address+one.path, http.Header{"Accept-Encoding": {"gzip"}})
		if !guardTag.MatchString(body) || guardTag.ReplaceAllString(body, "") != one.want {
			t.Errorf("%s: %s %v %.200q", name, response.Status, response.Header, body)
		}
		if isPacked := response.Header.Get("Content-Encoding") == "gzip"; strings.Contains(name, "compress") != isPacked {
			t.Errorf("%s: compressed %v", name, isPacked)
		}
	}
}

// The script is let in where the portal's policy would stop it.
func TestGuardIsLetIn(t *testing.T) {
	for policy, want := range map[string]struct{ policy, tag string }{
		"script-src 'self'":                       {"script-src 'self'", `"></script>`},
		"script-src 'nonce-abc' 'strict-dynamic'": {"script-src 'nonce-abc' 'strict-dynamic'", `nonce="abc"></script>`},
		"script-src 'sha256-x' 'strict-dynamic'":  {"script-src 'sha256-x' 'strict-dynamic' 'sha256-", `integrity="sha256-`},
		"script-src https://cdn.example":          {"script-src https://cdn.example http://ADDRESS/terms/cookies-policy/guard.js", `"></script>`},
		"script-src 'nonce-a\"onload=x'":          {"script-src 'nonce-a\"onload=x'", `nonce="a&#34;onload=x"></script>`},
	} {
		address := serve(t, false, "cookie_charter {\n preset opendatasoft\n guard\n}\nheader Content-Type text/html\nheader Content-Security-Policy `"+policy+"`\nrespond \"<!DOCTYPE html>\"")
		response, body := navigate(t, clients(t)["HTTP/1.1"], http.MethodGet, "http://"+address+"/", nil)
		if got := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, strings.ReplaceAll(want.policy, "ADDRESS", address)) {
			t.Errorf("%s: became %q", policy, got)
		}
		if !strings.Contains(body, want.tag) {
			t.Errorf("%s: %q", policy, body)
		}
	}
}

// What a visitor says is the host adds no directive to a policy, and lets no other host in.
func TestGuardIsLetInForItsHostAlone(t *testing.T) {
	address := serve(t, false, "cookie_charter {\n preset matomo\n guard\n notice insert\n}\nheader Content-Type text/html\nheader Content-Security-Policy `default-src 'none'`\nrespond \"<!DOCTYPE html>\"")
	for host, want := range map[string]string{"a;sandbox;b": "a%3Bsandbox%3Bb", "a,sandbox,b": "a%2Csandbox%2Cb", "*": "%2A"} {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
		request.Host = host
		request.Header.Set("Accept", "text/html")
		response, err := clients(t)["HTTP/1.1"].Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		beside := "http://" + want + "/terms/cookies-policy/"
		if got, want := response.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src "+beside+"guard.js; connect-src "+beside+"guard; style-src "+beside+"notice.css"; got != want {
			t.Errorf("%s: became %q, not %q", host, got, want)
		}
	}
}

// A policy that asks for the integrity of scripts gets it.
func TestGuardHasIntegrity(t *testing.T) {
	for field, want := range map[string]bool{"Integrity-Policy": true, "X-Other": false} {
		address := serve(t, false, "cookie_charter {\n preset opendatasoft\n guard\n}\nheader Content-Type text/html\nheader "+field+" blocked-destinations=(script)\nrespond \"<!DOCTYPE html>\"")
		_, body := navigate(t, clients(t)["HTTP/1.1"], http.MethodGet, "http://"+address+"/", nil)
		if got := regexp.MustCompile(` integrity="sha256-[^"]+" crossorigin="">`).MatchString(body); got != want {
			t.Errorf("%s: %q", field, body)
		}
	}
}

// The script asks what is allowed now, and is told so by its version.
func TestGuardAsks(t *testing.T) {
	address := serve(t, false, "cookie_charter {\n preset opendatasoft matomo\n guard\n}\nheader Content-Type text/html\nrespond \"<!DOCTYPE html>\"")
	beside := "http://" + address + "/terms/cookies-policy/"
	_, body := navigate(t, clients(t)["HTTP/1.1"], http.MethodGet, "http://"+address+"/", nil)
	reference := regexp.MustCompile(`guard\.js(\?v=[0-9a-f]+)`).FindStringSubmatch(body)
	if reference == nil {
		t.Fatal(body)
	}
	if response, script := get(t, beside+reference[0], nil); response.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || !strings.Contains(script, "_pk_id.") || response.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("the script: %v", response.Header)
	}
	if response, _ := get(t, beside+"guard.js?v=other", nil); response.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("another version: %v", response.Header)
	}
	for preference, want := range map[string]string{"": `"matomo":false`, `{"matomo":true}`: `"matomo":true`, `{"matomo":false}`: `"matomo":false`} {
		response, answer := get(t, beside+"guard"+reference[1], http.Header{"Cookie": {"cookies_preferences=" + preference}})
		if !strings.Contains(answer, want) || response.Header.Get("Cache-Control") != "private, no-store" || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v %s", preference, response.Header, answer)
		}
	}
	if response, _ := get(t, beside+"guard?v=other", nil); response.StatusCode != http.StatusConflict {
		t.Errorf("the question of another charter's script: %s", response.Status)
	}
	if response, _ := do(t, http.MethodPut, beside+"guard", nil, ""); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("another method: %s", response.Status)
	}
}

// What is no document costs as much as without the guard.
func TestGuardIsFreeForOthers(t *testing.T) {
	for load, is := range guardLoads {
		without, with := testing.AllocsPerRun(100, guardLoad(t, load, "")), testing.AllocsPerRun(100, guardLoad(t, load, "guard"))
		if isDocument := is.destination == "document"; isDocument != (with > without) {
			t.Errorf("%s: %v allocations with the guard, %v without", load, with, without)
		}
	}
}

// A composer is a handler that writes a page in one of the ways in which handlers do.
type composer struct {
	Way string `json:"way"`
}

func (composer) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.compose", New: func() caddy.Module { return new(composer) }}
}

func init() {
	caddy.RegisterModule(composer{})
	httpcaddyfile.RegisterHandlerDirective("compose", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		handler := new(composer)
		if !h.AllArgs(&handler.Way) {
			return nil, h.ArgErr()
		}
		return handler, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("compose", httpcaddyfile.After, "templates")
}

// composed is a page that is longer than what is held back of one.
var composed = fmt.Sprintf(portalPage, strings.Repeat("<p>Jeu de données</p>", 1000))

// compositions are the ways, with the status that leaves.
var compositions = map[string]struct {
	status int
	write  func(w http.ResponseWriter, header http.Header) error
}{
	"write": {200, func(w http.ResponseWriter, _ http.Header) error {
		return writeString(w, composed)
	}},
	"status, type": {404, func(w http.ResponseWriter, header http.Header) error {
		header.Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		return writeString(w, composed)
	}},
	"flush, write": {200, func(w http.ResponseWriter, _ http.Header) error {
		return cmp.Or(http.NewResponseController(w).Flush(), writeString(w, composed))
	}},
	"type, flush, write": {200, func(w http.ResponseWriter, header http.Header) error {
		header.Set("Content-Type", "text/html")
		return cmp.Or(http.NewResponseController(w).Flush(), writeString(w, composed))
	}},
	"status, flush, part, flush, write": {404, func(w http.ResponseWriter, _ http.Header) error {
		w.WriteHeader(http.StatusNotFound)
		control := http.NewResponseController(w)
		return cmp.Or(control.Flush(), writeString(w, composed[:20]), control.Flush(), writeString(w, composed[20:]))
	}},
	"nothing, write": {200, func(w http.ResponseWriter, _ http.Header) error {
		return cmp.Or(writeString(w, ""), writeString(w, composed))
	}},
	"byte by byte": {200, func(w http.ResponseWriter, _ http.Header) error {
		for i := range len(composed) {
			if err := writeString(w, composed[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	}},
	"read from": {200, func(w http.ResponseWriter, _ http.Header) error {
		_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader(composed))
		return err
	}},
	"status, type, read from": {404, func(w http.ResponseWriter, header http.Header) error {
		w.WriteHeader(http.StatusNotFound)
		header.Set("Content-Type", "text/html")
		_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader(composed))
		return err
	}},
	"status, type, another status": {404, func(w http.ResponseWriter, header http.Header) error {
		w.WriteHeader(http.StatusNotFound)
		header.Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusTeapot)
		return writeString(w, composed)
	}},
	"part, type, rest": {200, func(w http.ResponseWriter, header http.Header) error {
		err := writeString(w, composed[:20])
		header.Set("Content-Type", "text/html")
		return cmp.Or(err, writeString(w, composed[20:]))
	}},
	"early hints": {200, func(w http.ResponseWriter, header http.Header) error {
		w.WriteHeader(http.StatusEarlyHints)
		header.Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusOK)
		return writeString(w, composed)
	}},
	"late fields": {200, func(w http.ResponseWriter, header http.Header) error {
		header.Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusOK)
		header.Set("Content-Security-Policy", "default-src 'none'")
		header.Set("Cache-Control", "public, max-age=60")
		header.Set("Cdn-Cache-Control", "max-age=60")
		header.Set("Etag", `"a"`)
		header.Set("Content-Length", fmt.Sprint(len(composed)))
		return writeString(w, composed)
	}},
	"a late policy": {200, func(w http.ResponseWriter, header http.Header) error {
		header.Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusOK)
		header["Content-Security-Policy"] = slices.Concat([]string{"default-src 'none'"}, header["Content-Security-Policy"][1:])
		return writeString(w, composed)
	}},
	"an error in the middle": {200, func(w http.ResponseWriter, header http.Header) error {
		header.Set("Content-Type", "text/html")
		if err := writeString(w, composed); err != nil {
			return err
		}
		return caddyhttp.Error(http.StatusBadGateway, errors.New("gone"))
	}},
	"an error": {502, func(_ http.ResponseWriter, header http.Header) error {
		header.Set("Content-Type", "text/html")
		return caddyhttp.Error(http.StatusBadGateway, errors.New("gone"))
	}},
}

func writeString(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

func (c *composer) ServeHTTP(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
	header := w.Header()
	header.Set("Content-Security-Policy", "script-src https://cdn.example")
	return compositions[c.Way].write(w, header)
}

// However a handler writes a page, the guard is in it, and what lets the guard in, and keeps
// the page from others, leaves with it.
func TestGuardOnEveryWayOut(t *testing.T) {
	names := slices.Sorted(maps.Keys(compositions))
	for _, monitor := range []string{"", " monitor everything\n"} {
		charter := "cookie_charter {\n preset opendatasoft\n guard\n hosts\n" + monitor + "}\n"
		var handlers strings.Builder
		for i, way := range names {
			fmt.Fprintf(&handlers, "@way%d path /%d\ncompose @way%d %q\n", i, i, i, way)
		}
		errors := "handle_errors {\n" + charter + "header Content-Type text/html\nrespond `" + composed + "`\n}\n"
		for name, site := range map[string]string{
			"alone":                  charter + handlers.String() + errors,
			"in a route":             "route {\n" + charter + handlers.String() + "}\n" + errors,
			"behind what compresses": "route {\n encode {\n gzip\n minimum_length 1\n match status 2xx\n }\n" + charter + handlers.String() + "}\n" + errors,
		} {
			address := serve(t, true, site)
			for version, client := range clients(t) {
				for i, way := range names {
					for _, method := range []string{http.MethodGet, http.MethodHead} {
						response, body := navigate(t, client, method, fmt.Sprintf("https://%s/%d", address, i), http.Header{"Accept-Encoding": {"gzip"}})
						where := fmt.Sprintf("%s, %s%s, %s: %s", name, version, monitor, method, way)
						if response.StatusCode != compositions[way].status {
							t.Errorf("%s: %s", where, response.Status)
						}
						if way == "an error in the middle" {
							body = body[:strings.LastIndex(body, guardTag.FindString(body))] // an error's page follows
						}
						if isWhole := guardTag.MatchString(body) && guardTag.ReplaceAllString(body, "") == composed; method == http.MethodGet && !isWhole {
							t.Errorf("%s: %.300q", where, body)
						}
						header := response.Header
						if caching := header["Cache-Control"]; len(caching) != 1 || !isPrivate(header) || header["Cdn-Cache-Control"] != nil {
							t.Errorf("%s: caches are told %q", where, caching)
						}
						if policy := strings.Join(header["Content-Security-Policy"], ","); !strings.Contains(policy, "https://"+address+"/terms/cookies-policy/guard.js") || strings.Contains(policy, "default-src 'none'") {
							t.Errorf("%s: the policy is %q", where, policy)
						}
						if header["Etag"] != nil {
							t.Errorf("%s: ETag is %q", where, header["Etag"])
						}
					}
				}
			}
		}
	}
}

// What is nothing to show leaves at once, and by the shortest way, as without the guard.
func TestGuardHoldsNothingElseUp(t *testing.T) {
	handler := provision(t, "cookie_charter {\n preset opendatasoft\n guard\n}")
	for contentType, isGuarded := range map[string]bool{"image/png": false, "text/event-stream": false, "text/html": true} {
		below := &reader{ResponseRecorder: httptest.NewRecorder()}
		err := handler.ServeHTTP(below, visit("http://city.example/"), caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", contentType)
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader(composed))
			return err
		}))
		if err != nil || below.hasRead == isGuarded || guardTag.MatchString(below.Body.String()) != isGuarded {
			t.Errorf("%s: %v, read from %v: %.100q", contentType, err, below.hasRead, below.Body)
		}
	}
	// A stream of events comes as it is sent, and a page that breaks off is one that breaks off.
	next := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", map[bool]string{true: "text/event-stream", false: "text/html"}[r.URL.Path == "/events"])
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		if r.URL.Path != "/events" {
			panic(http.ErrAbortHandler)
		}
		<-next
	}))
	defer upstream.Close()
	defer close(next)
	address := serve(t, true, "cookie_charter {\n preset opendatasoft\n guard\n}\nreverse_proxy "+upstream.Listener.Addr().String())
	for version, client := range clients(t) {
		for path, want := range map[string]string{"/events": "data: 1\n\n", "/page": `<script src="/`} {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+path, nil)
			response, err := client.Do(request)
			if err != nil {
				if path == "/events" {
					t.Error(version, err)
				}
				cancel()
				continue
			}
			first := make([]byte, len(want))
			_, err = io.ReadFull(response.Body, first)
			isLost := version == "HTTP/3.0" && path == "/page" && err != nil // a reset takes with it what has not been read yet
			if string(first) != want && !isLost {
				t.Errorf("%s%s: %q, %v", version, path, first, err)
			}
			if path == "/page" {
				if rest, err := io.ReadAll(response.Body); err == nil {
					t.Errorf("%s: a page that breaks off ends: %q", version, rest)
				}
			}
			response.Body.Close()
			cancel()
		}
	}
	socket := serve(t, false, "cookie_charter {\n preset opendatasoft\n guard\n}\nreverse_proxy "+webSocketUpstream(t))
	connection, err := websocket.Dial("ws://"+socket+"/socket", "", "http://"+socket)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	var answer string
	if err := cmp.Or(websocket.Message.Send(connection, "hello"), websocket.Message.Receive(connection, &answer)); err != nil || answer != "hello" {
		t.Errorf("a socket: %q, %v", answer, err)
	}
}

// A reader is a recorder that can read from others.
type reader struct {
	*httptest.ResponseRecorder

	hasRead bool
}

func (r *reader) ReadFrom(body io.Reader) (int64, error) {
	r.hasRead = true
	return io.Copy(r.Body, body)
}

// It is told of which documents the guard is not a part, and which policies were amended.
func TestGuardTellsWhatItCannotGuard(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", r.URL.Query().Get("type"))
		if encoding := r.URL.Query().Get("encoding"); encoding != "" {
			header.Set("Content-Encoding", encoding)
		}
		if r.URL.Path == "/untyped" {
			header["Content-Type"] = nil
		}
		header.Set("Content-Security-Policy", "default-src https://cdn.example")
		body := []byte(composed)
		if r.URL.Path == "/wide" {
			body = append([]byte("\xFF\xFE"), body...)
		}
		w.Write(body)
	}))
	defer upstream.Close()
	address := serve(t, false, "cookie_charter {\n preset opendatasoft\n guard\n}\nmetrics /metrics\nreverse_proxy "+upstream.Listener.Addr().String()+" {\n header_up Accept-Encoding br\n}")
	before, err := os.ReadFile(storage() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"/?type=text/html", "/?type=text/html&encoding=br", "/?type=text/html&encoding=zstd", "/?type=application/xhtml%2bxml",
		"/?type=text/html%3Bcharset=utf-16", "/wide?type=text/html", "/?type=image/svg%2bxml", "/untyped?encoding=br", "/?type=text/css", "/?type=text/css&encoding=br",
	} {
		request, _ := http.NewRequest(http.MethodGet, "http://"+address+query, nil)
		request.Header.Set("Accept-Encoding", "gzip")
		request.Header.Set("Sec-Fetch-Dest", navigation)
		response, err := clients(t)["HTTP/1.1"].Do(request)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	navigate(t, clients(t)["HTTP/1.1"], http.MethodHead, "http://"+address+"/?type=text/html&encoding=br", nil)
	_, metrics := get(t, "http://"+address+"/metrics", nil)
	for reason, want := range map[string]int{"encoding": 2, "xml": 2, "charset": 2, "type": 1} {
		if line := fmt.Sprintf("unguarded_documents_total{reason=%q} %d\n", reason, want); !strings.Contains(metrics, line) {
			t.Errorf("not %s: %s", line, regexp.MustCompile(`(?m)^.*unguarded.*$`).FindAllString(metrics, -1))
		}
	}
	log, err := os.ReadFile(storage() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	written := log[len(before):]
	for entry, want := range map[string]int{
		`"document without the guard","reason":"encoding"`: 2, `"reason":"xml"`: 2,
		`to let the guard in","directive":"script-src"`: 1, `to let the guard in","directive":"connect-src"`: 1, // each once
	} {
		if got := strings.Count(string(written), entry); got != want {
			t.Errorf("%d times %s", got, entry)
		}
	}
}

// A guard that monitors tells the names of cookies that it would have removed, which are counted
// and shown by themselves in the inventory; nothing else is taken, and one that enforces tells
// none.
func TestGuardMonitors(t *testing.T) {
	const question = "/terms/cookies-policy/guard?v=0"
	plain := http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}
	long := strings.Repeat("a", 8<<10)
	for option, monitors := range map[string]bool{"guard": false, "guard monitor": true, "guard\n monitor": true, "guard\n monitor undeclared": false} {
		address := "http://" + serve(t, false, "cookie_charter {\n preset opendatasoft matomo\n "+option+"\n}\nmetrics /metrics\nrespond / portal")
		inventories.sites.Store(nil)
		var many strings.Builder
		for i := range 40 {
			fmt.Fprintf(&many, "many%d\n", i)
		}
		for _, test := range []struct {
			method, field, value, body string
			want                       int
		}{
			{http.MethodPost, "", "", "_pk_id.1\nxtvrn\n_pk_id.1\n=\na=VALUE\n" + long[:65] + "\né", http.StatusNoContent},
			{http.MethodPost, "", "", many.String(), http.StatusNoContent},
			{http.MethodPost, "", "", "", http.StatusNoContent},
			{http.MethodPost, "", "", long, http.StatusNoContent},
			{http.MethodPost, "", "", long + "a", http.StatusRequestEntityTooLarge},
			{http.MethodPost, "Content-Type", "text/html", "bad", http.StatusUnsupportedMediaType},
			{http.MethodPost, "Content-Type", "text/plaİn", "bad", http.StatusUnsupportedMediaType},
			{http.MethodPost, "Origin", "https://other.example", "bad", http.StatusForbidden},
			{http.MethodPost, "Sec-Fetch-Site", "same-site", "bad", http.StatusForbidden},
			{http.MethodPost, "Sec-Fetch-Site", "same-origin", "good", http.StatusNoContent},
			{http.MethodPut, "", "", "bad", http.StatusMethodNotAllowed},
		} {
			header := plain.Clone()
			if test.field != "" {
				header.Set(test.field, test.value)
			}
			want, allow := test.want, "GET, HEAD, POST"
			if !monitors {
				want, allow = http.StatusMethodNotAllowed, "GET, HEAD"
			}
			response, _ := do(t, test.method, address+question, header, test.body)
			if response.StatusCode != want || want == http.StatusMethodNotAllowed && response.Header.Get("Allow") != allow {
				t.Errorf("%q: %s %s %.40q: %s %v", option, test.method, test.value, test.body, response.Status, response.Header)
			}
		}
		site := inventories.all()[strings.TrimPrefix(address, "http://")]
		_, metrics := get(t, address+"/metrics", nil)
		if !monitors {
			if site != nil || strings.Contains(metrics, "script_cookies_total") {
				t.Errorf("%q: something is taken", option)
			}
			continue
		}
		var names []string
		for name, entry := range entriesOf(t, strings.TrimPrefix(address, "http://")) {
			names = append(names, name)
			if entry.FromScripts != 1 || entry.Networks != 1 || entry.FromBrowser+entry.FromPortal != 0 || entry.Path != "" {
				t.Errorf("%q: %s is seen as %+v", option, name, entry)
			}
		}
		if len(names) != 3+32 || !slices.Contains(names, "_pk_id.1") || !slices.Contains(names, "xtvrn") || !slices.Contains(names, "good") || slices.Contains(names, "many32") {
			t.Errorf("%q: %q", option, names)
		}
		if entry := entriesOf(t, strings.TrimPrefix(address, "http://"))["xtvrn"]; entry.Cookie != "" || entry.Verdict != judge.Undeclared {
			t.Errorf("%+v", entry)
		}
		for _, line := range []string{`script_cookies_total{cookie="_pk_id.<site>.<hash>",verdict="refused"} 1`, `script_cookies_total{cookie="none",verdict="undeclared"} 34`, `ignored_reports_total{reason="refused"} 5`} {
			if !strings.Contains(metrics, line+"\n") {
				t.Errorf("%q: not %s in %s", option, line, regexp.MustCompile(`(?m)^.*(script_cookies|ignored).*$`).FindAllString(metrics, -1))
			}
		}
	}
	// What is told has a rate of its own.
	address := "http://" + serve(t, false, "cookie_charter {\n preset opendatasoft\n guard monitor\n hosts monitor\n}\nmetrics /metrics\nrespond / portal")
	for range 400 {
		do(t, http.MethodPost, address+question, plain, "flood")
	}
	do(t, http.MethodPost, address+reportsPath, reportsType, reportOf("img-src", "https://other.example/"))
	_, metrics := get(t, address+"/metrics", nil)
	if strings.Contains(metrics, `ignored_reports_total{reason="rate"} 0`) || !strings.Contains(metrics, `host_reports_total{directive="img-src",row="none",verdict="undeclared"} 1`) {
		t.Errorf("no rate: %s", metrics)
	}
}

// A guard that monitors also tells stored items, which are judged anew by the charter and by
// what the visitor says, counted, logged and shown beside the cookies; whoever posts what.
func TestGuardTellsItems(t *testing.T) {
	const question = "/terms/cookies-policy/guard?v=0"
	rows := func(more string) string {
		return `cookie_charter {
			preset opendatasoft matomo
			preference opendatasoft
			storage ph_* {
				purpose p
				category statistics
				consent stats
			}
			storage state {
				purpose p
				category necessary
			}
			` + more + `
			guard monitor
		}
		metrics /metrics
		respond / portal`
	}
	host := serve(t, false, rows(""))
	inventories.sites.Store(nil)
	post := func(preference, body string) {
		t.Helper()
		header := http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Cookie": {"cookies_preferences=" + preference}, "Referer": {"http://" + host + "/explore;s=VALUE?q=VALUE"}}
		if response, _ := do(t, http.MethodPost, "http://"+host+question, header, body); response.StatusCode != http.StatusNoContent {
			t.Fatalf("%q: %s", body, response.Status)
		}
	}
	before, err := os.ReadFile(storage() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	entries := func(before map[string]InventoryEntry) map[string]InventoryEntry {
		t.Helper()
		all := entriesOf(t, host)
		maps.DeleteFunc(all, func(name string, entry InventoryEntry) bool { return entry.FromScripts == before[name].FromScripts })
		return all
	}
	var seen map[string]InventoryEntry
	for _, test := range []struct {
		preference, body string
		want             []string
	}{
		{"", "@ph_*\n@mine\n@AMP_*\nmine\n", []string{"cookie mine undeclared ", "item AMP_* undeclared ", "item mine undeclared ", "item ph_* refused ph_*"}},
		{`{"stats":false}`, "@ph_VALUE", []string{"item ph_* refused ph_*"}}, // whatever the browser says
		{`{"stats":true}`, "@ph_b\n@ph_c\n@state", []string{"item ph_* allowed ph_*", "item state allowed state"}},
		// Of what no row declares, what can be somebody's is cut.
		{"", "@tel_06-VALUE\n@tel_07\n@s-VALUE4w9WgXcQ\n@V4LUE", []string{"item s-* undeclared ", "item tel_* undeclared "}},
		// Neither what is none, nor what is there twice, nor values, addresses and texts.
		{"", "@\n@@x\n@a=VALUE\n@a b\n@someone@city.example\n@é\n@a:b\n@{}\n@\r\n@" + strings.Repeat("a", 65) + "\n@twice\n@twice\n @x\n\x00@x", []string{"item twice undeclared "}},
	} {
		post(test.preference, test.body)
		var told []string
		for name, entry := range entries(seen) {
			kind := "cookie"
			if entry.Item != "" {
				kind = "item"
			}
			if entry.FromScripts != seen[name].FromScripts+1 || entry.FromBrowser+entry.FromPortal != 0 || entry.Networks != 1 || entry.Path != "/explore" || entry.Attributes != nil || (entry.Name == "") == (entry.Item == "") || time.Since(entry.LastSeen) > time.Minute {
				t.Errorf("%q: %+v", test.body, entry)
			}
			told = append(told, fmt.Sprintf("%s %s%s %s %s", kind, entry.Name, entry.Item, entry.Verdict, entry.Cookie))
		}
		if slices.Sort(told); !slices.Equal(told, test.want) {
			t.Errorf("%q: %q", test.body, told)
		}
		seen = entriesOf(t, host)
	}
	_, metrics := get(t, "http://"+host+"/metrics", nil)
	for _, line := range []string{`script_items_total{row="ph_*",verdict="refused"} 2`, `script_items_total{row="ph_*",verdict="allowed"} 1`, `script_items_total{row="none",verdict="undeclared"} 5`, `script_cookies_total{cookie="none",verdict="undeclared"} 1`} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("not %s in %s", line, regexp.MustCompile(`(?m)^.*script_.*$`).FindAllString(metrics, -1))
		}
	}
	log, err := os.ReadFile(storage() + "/log")
	if err != nil || !strings.Contains(string(log[len(before):]), `"found a script's item","item":"ph_*","verdict":"refused"`) || strings.Contains(string(log[len(before):]), "VALUE") {
		t.Errorf("%v: %s", err, log[len(before):])
	}

	// Of each kind as many as of the other are taken of a post, whatever stands before them.
	inventories.sites.Store(nil)
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, "@%s\n", madeUp(i))
	}
	for i := range 40 {
		fmt.Fprintf(&many, "cookie%d\n", i)
	}
	post("", many.String())
	if all := entries(nil); len(all) != 64 || all["cookie31"].Name == "" || all["@"+madeUp(31)].Item == "" {
		t.Errorf("%d are taken", len(all))
	}

	// Nor is more looked at, as lines of which nothing is taken cost, too.
	inventories.sites.Store(nil)
	post("", strings.Repeat("@1\n", 32)+"@late\n"+strings.Repeat("\x01\n", 32)+"late\n")
	if all := entries(nil); len(all) != 0 {
		t.Errorf("behind others are taken: %v", all)
	}

	// Verdicts are those of the charter in force.
	inventories.sites.Store(nil)
	post("", "@AMP_*\n@AMP_x\n@mine\n@ph_*")
	_, port, _ := strings.Cut(host, ":")
	load(t, "http://:"+port+" {\n"+rows("storage AMP_* {\n purpose p\n category statistics\n}\nstorage mine {\n purpose p\n category necessary\n}")+"\n}")
	for key, want := range map[string]string{"@AMP_*": "refused AMP_*", "@AMP_x": "refused AMP_*", "@mine": "allowed mine", "@ph_*": "refused ph_*"} {
		if entry := entriesOf(t, host)[key]; fmt.Sprint(entry.Verdict, " ", entry.Cookie) != want {
			t.Errorf("after a reload: %+v", entry)
		}
	}
}

// What one network tells of scripts, however much and how often, drives out nothing that two
// networks have told, nor what the charter declares by its name, nor what was seen of cookies;
// from how many networks a name is, the inventory tells.
func TestMadeUpNamesOfScripts(t *testing.T) {
	load(t, fmt.Sprintf("http://127.0.0.1:%d {\n respond none\n}", freePort())) // no charter judges anew
	forgetSites()
	handler := provision(t, `cookie_charter {
		preset opendatasoft matomo
		storage ph_* {
			purpose p
			category statistics
		}
		guard monitor
	}`)
	request := visit("https://told.example/")
	exchange := page.Exchange{Request: request, Visitor: &answers.Visitor{Store: handler.answers}}
	tell := func(network uint64, cookies, items []string) {
		pageObserver{handler}.Found(exchange, cookies, items, network)
	}
	flood := func(network uint64) {
		for post := range 40 {
			var names []string
			for i := range 32 {
				names = append(names, fmt.Sprint(madeUp(100*post+i), "_", network))
			}
			tell(network, names, names)
		}
	}
	seen := &sighting{request: request, time: 1}
	handler.observers.inventory.tell(seen, &judge.Judgement{From: judge.FromBrowser, Name: "sent"})
	tell(9, []string{"real", "sent"}, []string{"real"})
	tell(1, []string{"csrftoken", "_pk_id.1"}, []string{"ph_*"})
	tell(8, []string{"real"}, []string{"real"})
	flood(1)
	tell(7, []string{"late"}, []string{"late"})
	flood(1)
	entries := entriesOf(t, "told.example")
	for name, want := range map[string]string{
		"real": "2 0 2 undeclared", "@real": "2 0 2 undeclared", "sent": "1 1 1 undeclared", "@ph_*": "1 0 1 refused", "csrftoken": "1 0 1 allowed", "late": "1 0 1 undeclared", "@late": "1 0 1 undeclared",
	} {
		entry := entries[name]
		if got := fmt.Sprint(entry.FromScripts, entry.FromBrowser, entry.Networks, " ", entry.Verdict); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
	if _, isThere := entries["_pk_id.1"]; isThere {
		t.Error("a name that a prefix declares, of which anybody can make up many, has room of its own")
	}
	if most := 2 * (report.MaxNewcomers + report.MaxSettled); len(entries) > most || len(entries) < 2*report.MaxNewcomers {
		t.Errorf("%d entries", len(entries))
	}
}

// madeUp returns one of many keys that are told whole, so without digits.
func madeUp(number int) string {
	return "made_up_" + strings.Map(func(digit rune) rune { return digit - '0' + 'a' }, strconv.Itoa(number))
}

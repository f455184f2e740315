package cookiecharter

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
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
		case "/marked":
			io.WriteString(w, "\xEF\xBB\xBF"+page)
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

// The guard stands before all else in every HTML document, however it comes, and in nothing
// else; what it stands before is as it was.
func TestGuardIsInserted(t *testing.T) {
	upstream, page := guardedPortal(t)
	address := serve(t, true, "cookie_charter {\n preset opendatasoft matomo\n guard\n}\nreverse_proxy "+upstream)
	for version, client := range clients(t) {
		t.Run(version, func(t *testing.T) {
			for path, isGuarded := range map[string]bool{
				"/plain": true, "/gzip": true, "/untyped": true, "/parts": true, "/missing": true,
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
			var response *http.Response
			if response, body = navigate(t, client, http.MethodHead, "https://"+address+"/plain", nil); body != "" || response.Header.Get("Etag") != "" || response.ContentLength >= 0 && version == "HTTP/1.1" {
				t.Errorf("HEAD: %q, %v", body, response.Header)
			}
			if response, body = navigate(t, client, http.MethodGet, "https://"+address+"/nothing", nil); body != "" || response.StatusCode != http.StatusNoContent {
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
	if response.Header.Get("Content-Encoding") == "gzip" {
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

package cookiecharter

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// insertedNotice is the notice as it is put into pages.
var insertedNotice = regexp.MustCompile(`(?s)<link rel="stylesheet" href="/terms/cookies-policy/notice\.css">\n<section class="charter-notice.*</section>\n<span id="charter-notice-end" tabindex="-1"></span>`)

// The notice stands at the begin of the body of each page, however it comes, and nothing
// else is changed.
func TestNoticeIsInserted(t *testing.T) {
	upstream, page := guardedPortal(t)
	address := serve(t, true, "cookie_charter {\n preset opendatasoft matomo\n preference charter\n notice insert\n}\nreverse_proxy "+upstream)
	for version, client := range clients(t) {
		t.Run(version, func(t *testing.T) {
			for path, isInserted := range map[string]bool{
				"/plain": true, "/gzip": true, "/untyped": true, "/parts": true,
				"/missing": false, "/attachment": false, "/brotli": false, "/utf-16": false, "/text": false, "/events": false,
			} {
				for _, encoding := range []string{"identity", "gzip, br", "br"} {
					response, body := navigate(t, client, http.MethodGet, "https://"+address+path+"?a=%7B", http.Header{"Accept-Encoding": {encoding}, "Range": {"bytes=0-9"}, "If-None-Match": {`"a"`}})
					want := page
					if path == "/events" {
						want = "data: " + page + "\n\n"
					}
					notice := insertedNotice.FindString(body)
					if insertedNotice.ReplaceAllString(body, "") != want || notice != "" != isInserted {
						t.Errorf("%s as %s: %.200q", path, encoding, body)
					}
					if !isInserted {
						continue
					}
					if !strings.Contains(body, "<body>"+notice) || !strings.Contains(notice, `name="return" value="`+path+`?a=%7B"`) || strings.ContainsFunc(notice, func(char rune) bool { return char > '~' }) {
						t.Errorf("%s as %s: %s", path, encoding, notice)
					}
					asked := "identity"
					if strings.Contains(encoding, "gzip") {
						asked = "gzip"
					}
					if got := response.Header.Get("X-Asked"); got != asked {
						t.Errorf("%s as %s: the portal was asked for %q", path, encoding, got)
					}
					for _, field := range []string{"Etag", "Last-Modified", "Accept-Ranges"} {
						if response.Header[field] != nil {
							t.Errorf("%s: %s is %q", path, field, response.Header[field])
						}
					}
					if got := response.Header.Get("Cache-Control"); got != "private, no-cache" {
						t.Errorf("%s: Cache-Control is %q", path, got)
					}
					if got := response.Header.Get("Vary"); got != "Sec-Fetch-Dest" {
						t.Errorf("%s: Vary is %q", path, got)
					}
					if path == "/gzip" && response.Header.Get("Content-Encoding") != "gzip" {
						t.Error("what was compressed is no more")
					}
				}
			}
			if response, body := navigate(t, client, http.MethodHead, "https://"+address+"/plain", nil); body != "" || response.Header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("HEAD: %q, %v", body, response.Header)
			}
		})
	}
}

// What is no page, or shows to who is not asked, is left alone.
func TestNoticeLeavesOthersAlone(t *testing.T) {
	upstream, page := guardedPortal(t)
	address := serve(t, false, "cookie_charter {\n preset matomo\n notice insert\n}\nreverse_proxy "+upstream)
	for name, header := range map[string]http.Header{
		"a fetch": {"Sec-Fetch-Dest": {"empty"}}, "a frame": {"Sec-Fetch-Dest": {"iframe"}, "Accept": {"text/html"}}, "a script": {"Sec-Fetch-Dest": {"script"}},
		"an old browser's request": {"Accept": {"*/*"}},
	} {
		header.Set("If-None-Match", `"a"`)
		header.Set("Accept-Encoding", "br")
		response, body := get(t, "http://"+address+"/plain", header)
		if body != page || response.Header.Get("Etag") != `"a"` || response.Header.Get("Cache-Control") != "" || response.Header.Get("X-Asked") != `br  "a"` || response.Header.Get("Vary") != "Sec-Fetch-Dest" {
			t.Errorf("%s: %v", name, response.Header)
		}
	}
	if _, body := get(t, "http://"+address+"/plain", http.Header{"Accept": {"text/html, */*"}}); !insertedNotice.MatchString(body) {
		t.Error("nothing asks in a browser that does not say what it asks for")
	}
	if response, body := do(t, http.MethodPost, "http://"+address+"/plain", http.Header{"Accept": {"text/html"}}, "a=b"); body != page || response.Header.Get("Cache-Control") != "" {
		t.Error("a notice leads back to what was posted")
	}
	if _, body := get(t, "http://"+address+pagePath, http.Header{"Accept": {"text/html"}}); insertedNotice.MatchString(body) {
		t.Error("the charter page asks twice")
	}
}

// aMinuteAgo returns a stored answer as one that was given then.
func aMinuteAgo(stored string) string {
	return regexp.MustCompile(`\d{13}`).ReplaceAllString(stored, fmt.Sprint(time.Now().Add(-time.Minute).UnixMilli()))
}

// Who has answered sees that for a moment, and then nothing; no cache mixes that up.
func TestNoticeGoes(t *testing.T) {
	upstream, page := guardedPortal(t)
	address := "http://" + serve(t, false, "cookie_charter {\n preset matomo\n notice insert\n}\nreverse_proxy "+upstream)
	response, _ := do(t, http.MethodPost, address+pagePath, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "all=refused&return=/plain")
	if response.StatusCode != http.StatusSeeOther {
		t.Fatal(response.Status)
	}
	stored, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
	navigation := http.Header{"Sec-Fetch-Dest": {"document"}, "Cookie": {stored}}
	if _, body := get(t, address+"/plain", navigation); insertedNotice.MatchString(body) || !strings.Contains(body, `<body><link rel="stylesheet" href="/terms/cookies-policy/notice.css">`+"\n"+`<p class="charter-notice fr-notice" role="status"`) {
		t.Errorf("nothing says that the answer is stored: %.300q", body)
	}
	answered := aMinuteAgo(stored)
	for encoding, asked := range map[string]string{"gzip": "gzip", "br": "br"} {
		navigation = http.Header{"Sec-Fetch-Dest": {"document"}, "Cookie": {answered}, "Accept-Encoding": {encoding}, "If-None-Match": {`"a"`}}
		response, body := get(t, address+"/plain", navigation)
		if body != page || response.Header.Get("Etag") != `"a"` || response.Header.Get("X-Asked") != asked+`  "a"` {
			t.Errorf("who has answered: %v, %.300q", response.Header, body)
		}
		for _, path := range []string{"/plain", "/brotli", "/untyped"} {
			if response, _ = get(t, address+path, navigation); response.Header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("%s can be kept for who has not answered: %v", path, response.Header)
			}
		}
	}
}

// Slow pages are not held up, and of one that is cut off nothing is left behind.
func TestNoticeDoesNotHoldUp(t *testing.T) {
	upstream, _ := guardedPortal(t)
	address := serve(t, true, "cookie_charter {\n preset matomo\n notice insert\n}\nreverse_proxy "+upstream+" {\n flush_interval -1\n}")
	for version, client := range clients(t) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/slow", nil)
		request.Header.Set("Sec-Fetch-Dest", "document")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(version, err)
		}
		if _, err := io.ReadFull(response.Body, make([]byte, 60)); err != nil {
			t.Errorf("%s: nothing came before the end: %v", version, err)
		}
		response.Body.Close()
		cancel()
	}
}

// Of pages that are broken, visitors see what browsers show of them.
func TestNoticeOfWhatIsBroken(t *testing.T) {
	upstream, page := guardedPortal(t)
	for _, option := range []string{"", "\n guard"} {
		address := serve(t, true, "cookie_charter {\n preset matomo\n notice insert"+option+"\n}\nreverse_proxy "+upstream)
		for version, client := range clients(t) {
			for _, path := range []string{"/members.gz", "/summed.gz", "/cut.gz"} {
				request, _ := http.NewRequest(http.MethodGet, "https://"+address+path, nil)
				request.Header.Set("Sec-Fetch-Dest", "document")
				request.Header.Set("Accept-Encoding", "gzip")
				response, err := client.Do(request)
				if err != nil {
					t.Fatal(version, err)
				}
				var body []byte
				reader, err := gzip.NewReader(response.Body)
				if err == nil {
					reader.Multistream(false) // as browsers do
					body, _ = io.ReadAll(reader)
				}
				response.Body.Close()
				if got := insertedNotice.ReplaceAllString(guardTag.ReplaceAllString(string(body), ""), ""); got != page || !insertedNotice.Match(body) {
					t.Errorf("%s%s %s: %d bytes, not %d", version, option, path, len(got), len(page))
				}
			}
		}
	}
}

// Of pages that are cut off, nothing is left behind.
func TestNoticeOfBrokenPages(t *testing.T) {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	io.WriteString(writer, fmt.Sprintf(portalPage, strings.Repeat("<p>a</p>", 2000)))
	writer.Flush()
	upstream := rawUpstream(t, func(string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", packed.Len()+100) + packed.String()
	})
	address := "http://" + serve(t, false, "cookie_charter {\n preset matomo\n notice insert\n}\nreverse_proxy "+upstream)
	visit := func() {
		request, _ := http.NewRequest(http.MethodGet, address, nil)
		request.Header.Set("Sec-Fetch-Dest", "document")
		request.Header.Set("Accept-Encoding", "gzip")
		if response, err := clients(t)["HTTP/1.1"].Do(request); err == nil {
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	}
	visit()
	before := runtime.NumGoroutine()
	for range 40 {
		visit()
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before+20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines became %d", before, runtime.NumGoroutine())
		}
	}
}

// The notice stands beside what other directives do with bodies, and beside the guard.
func TestNoticeBesideOtherDirectives(t *testing.T) {
	upstream, page := guardedPortal(t)
	folder := t.TempDir()
	for name, content := range map[string]string{"index.html": page, "template.html": "<!DOCTYPE html>{{.Req.Method}}", "part.html": "<p>a"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const charter = "cookie_charter {\n preset matomo\n notice insert\n}\n"
	guarded := strings.Replace(charter, "notice", "guard\n notice", 1)
	for name, one := range map[string]struct{ site, path, want string }{
		"a file":                           {charter + "root " + folder + "\nfile_server", "/", page},
		"compression inside":               {charter + "encode gzip zstd\nreverse_proxy " + upstream, "/plain", page},
		"compression outside":              {"route {\n encode gzip\n" + charter + "reverse_proxy " + upstream + "\n}", "/plain", page},
		"a template":                       {charter + "templates\nroot " + folder + "\nfile_server", "/template.html", "<!DOCTYPE html>GET"},
		"the portal compresses":            {charter + "reverse_proxy " + upstream, "/gzip", page},
		"the guard":                        {guarded + "reverse_proxy " + upstream, "/plain", page},
		"the guard, untyped":               {guarded + "reverse_proxy " + upstream, "/untyped", page},
		"the guard, the portal compresses": {guarded + "reverse_proxy " + upstream, "/gzip", page},
		"the guard and compression":        {guarded + "encode gzip zstd\nreverse_proxy " + upstream, "/parts", page},
	} {
		address := serve(t, false, one.site)
		response, body := navigate(t, clients(t)["HTTP/1.1"], http.MethodGet, "http://"+address+one.path, http.Header{"Accept-Encoding": {"gzip"}})
		if isGuarded := guardTag.MatchString(body); isGuarded != strings.Contains(name, "guard") {
			t.Errorf("%s: guarded %v: %.200q", name, isGuarded, body)
		}
		body = guardTag.ReplaceAllString(body, "")
		if !insertedNotice.MatchString(body) || insertedNotice.ReplaceAllString(body, "") != one.want {
			t.Errorf("%s: %s %v %.200q", name, response.Status, response.Header, body)
		}
		if isPacked := response.Header.Get("Content-Encoding") == "gzip"; strings.Contains(name, "compress") != isPacked {
			t.Errorf("%s: compressed %v", name, isPacked)
		}
	}
	address := serve(t, false, charter+"root "+folder+"\nfile_server")
	if _, body := navigate(t, clients(t)["HTTP/1.1"], http.MethodGet, "http://"+address+"/part.html", nil); body != "<p>a" {
		t.Errorf("a part of a page: %q", body)
	}
}

// The form and its style are let in where the portal's policies would stop them, and in a
// sandbox there is none.
func TestNoticeIsLetIn(t *testing.T) {
	for policy, want := range map[string]string{
		"style-src 'self'; form-action 'self'":             "style-src 'self'; form-action 'self'",
		"default-src 'none'":                               "default-src 'none'; style-src ADDRESSnotice.css",
		"form-action 'none'; style-src 'nonce-a'":          "form-action ADDRESS; style-src 'nonce-a' ADDRESSnotice.css",
		"script-src 'none', style-src-elem https://a.test": "script-src 'none', style-src-elem https://a.test ADDRESSnotice.css",
		"sandbox allow-forms; form-action 'none'":          "sandbox allow-forms; form-action 'none'",
	} {
		address := serve(t, false, "cookie_charter {\n preset matomo\n notice insert\n}\nheader Content-Type text/html\nheader Content-Security-Policy `"+policy+"`\nrespond \"<!DOCTYPE html>\"")
		response, body := navigate(t, clients(t)["HTTP/1.1"], http.MethodGet, "http://"+address+"/", nil)
		if got := strings.ReplaceAll(response.Header.Get("Content-Security-Policy"), "http://"+address+pagePath, "ADDRESS"); strings.ReplaceAll(got, ",style", ", style") != want {
			t.Errorf("%s: became %q", policy, got)
		}
		if insertedNotice.MatchString(body) == strings.HasPrefix(policy, "sandbox") {
			t.Errorf("%s: %q", policy, body)
		}
	}
}

// A charter that asks nothing has no notice, which its operator learns.
func TestNoticeThatNobodyNeeds(t *testing.T) {
	for block, want := range map[string]int{"preset matomo": 0, "preset opendatasoft": 1} {
		handler := provision(t, "cookie_charter {\n"+block+"\n notice insert\n}")
		count := 0
		for _, warning := range handler.warnings() {
			if strings.HasPrefix(warning, "notice insert") {
				count++
			}
		}
		if count != want {
			t.Errorf("%s: %d warnings", block, count)
		}
	}
}

// The notice is made once for all who get the same, and is each visitor's own: by language,
// host, answers, and where it leads back to.
func TestNoticeIsEachVisitorsOwn(t *testing.T) {
	upstream, _ := guardedPortal(t)
	address := "http://" + serve(t, false, "cookie_charter {\n preset matomo xiti\n notice insert\n}\nreverse_proxy "+upstream)
	ask := func(path, host string, more http.Header) string {
		header := http.Header{"Sec-Fetch-Dest": {"document"}, "Accept-Language": {"fr"}, "Host": {host}}
		maps.Copy(header, more)
		_, body := get(t, address+path, header)
		return insertedNotice.FindString(body)
	}
	usual := ask("/plain?a=b&c='\"<%22+{{1}}", "a.example", nil)
	for _, want := range []string{`lang="fr"`, `name="return" value="/plain?a=b&amp;c=%27%22%3C%22`, `#charter-notice-end"`, "http://a.example"} {
		if !strings.Contains(usual, want) {
			t.Errorf("no %s in %s", want, usual)
		}
	}
	if strings.Contains(usual, "-charter-return-") || strings.Contains(usual, "{{") {
		t.Error(usual)
	}
	if ask("/plain?a=b&c='\"<%22+{{1}}", "a.example", nil) != usual {
		t.Error("it is not the same a second time")
	}
	response, _ := do(t, http.MethodPost, address+pagePath, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "answer.matomo=refused")
	stored, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
	for name, other := range map[string]string{
		"another page":     ask("/plain?other", "a.example", nil),
		"another host":     ask("/plain?a=b&c='\"<%22+{{1}}", "b.example", nil),
		"another language": ask("/plain?a=b&c='\"<%22+{{1}}", "a.example", http.Header{"Accept-Language": {"en"}}),
		"another answer":   ask("/plain?a=b&c='\"<%22+{{1}}", "a.example", http.Header{"Cookie": {stored}}),
	} {
		if other == usual || other == "" {
			t.Errorf("%s: %s", name, other)
		}
	}
}

// With "notice manage", a link to the page stands at the end of every page, for all visitors
// the same; who has answered can get it in parts no more.
func TestManageLink(t *testing.T) {
	upstream, page := guardedPortal(t)
	link := regexp.MustCompile(`<link rel="stylesheet" href="/terms/cookies-policy/notice\.css">\n<nav class="charter-notice" aria-label="[^"]+" lang="(..)" dir="ltr"><p class="charter-notice-manage"><a class="fr-link" href="/terms/cookies-policy/\?flg=..">([^<]+)</a></p></nav>$`)
	const charter = "cookie_charter {\n preset matomo\n notice manage\n}\n"
	plain := serve(t, false, charter+"header /policy Content-Type text/html\nheader /policy Content-Security-Policy \"default-src 'none'; form-action 'none'\"\nrespond /policy \"<!DOCTYPE html>\"\nreverse_proxy "+upstream)
	response, _ := do(t, http.MethodPost, "http://"+plain+pagePath, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "all=refused")
	stored, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
	answered := aMinuteAgo(stored)
	for destination, isLinked := range map[string]bool{"document": true, "iframe": false, "empty": false} {
		if _, body := get(t, "http://"+plain+"/plain", http.Header{"Sec-Fetch-Dest": {destination}}); link.MatchString(body) != isLinked {
			t.Errorf("in what is asked for as %s: %v", destination, !isLinked)
		}
	}

	// The policy is amended for its style alone.
	response, body := navigate(t, clients(t)["HTTP/1.1"], http.MethodGet, "http://"+plain+"/policy", http.Header{"Cookie": {answered}})
	if want := "default-src 'none'; form-action 'none'; style-src http://" + plain + pagePath + "notice.css"; response.Header.Get("Content-Security-Policy") != want || !link.MatchString(body) {
		t.Errorf("%q, %q", response.Header.Get("Content-Security-Policy"), body)
	}

	address := serve(t, true, charter+"reverse_proxy "+upstream)
	for version, client := range clients(t) {
		for path, isLinked := range map[string]bool{"/plain": true, "/gzip": true, "/parts": true, "/untyped": true, "/missing": false, "/text": false, "/attachment": false, "/utf-16": false} {
			for cookie, isAsked := range map[string]bool{"": true, answered: false} {
				response, body := navigate(t, client, http.MethodGet, "https://"+address+path, http.Header{"Accept-Encoding": {"gzip"}, "Accept-Language": {"fr"}, "Cookie": {cookie}, "If-None-Match": {`"a"`}})
				found := link.FindStringSubmatch(body)
				if (found != nil) != isLinked || found != nil && (found[1] != "fr" || found[2] != "G&#233;rer mes cookies") {
					t.Errorf("%s %s: %q", version, path, found)
				}
				if insertedNotice.MatchString(body) != (isAsked && isLinked) || insertedNotice.ReplaceAllString(link.ReplaceAllString(body, ""), "") != page {
					t.Errorf("%s %s %q: %.300q", version, path, cookie, body)
				}
				if isLinked && (response.Header.Get("Cache-Control") != "private, no-cache" || response.Header.Get("Etag") != "" || response.StatusCode != http.StatusOK) {
					t.Errorf("%s %s: %s %v", version, path, response.Status, response.Header)
				}
			}
		}
	}

	// Where nothing is asked, there is nothing to manage.
	if _, body := navigate(t, clients(t)["HTTP/1.1"], http.MethodGet, "http://"+serve(t, false, strings.Replace(charter, "matomo", "opendatasoft", 1)+"reverse_proxy "+upstream)+"/plain", nil); body != page {
		t.Errorf("%q", body)
	}
}

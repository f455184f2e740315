package cookiecharter

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

// Whatever goes wrong upstream, the module does with it what Caddy does without
// it, and no cookie escapes.
func TestUpstreamFaults(t *testing.T) {
	const cookies = "Set-Cookie: sessionid=1\r\nSet-Cookie: tracker=1\r\nSet-Cookie: _pk_id.1=1\r\n"
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, "Set-Cookie: x%d=1\r\n", i)
	}
	answers := map[string]string{
		"/":               "HTTP/1.1 200 OK\r\n" + cookies + "Content-Length: 2\r\n\r\nok",
		"/dies":           "HTTP/1.1 200 OK\r\n" + cookies + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 50_000),
		"/dies-chunked":   "HTTP/1.1 200 OK\r\n" + cookies + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"/dies-in-header": "HTTP/1.1 200 OK\r\n" + cookies,
		"/silent":         "",
		"/10000-lines":    "HTTP/1.1 200 OK\r\n" + cookies + many.String() + "Content-Length: 2\r\n\r\nok",
		"/long-line":      "HTTP/1.1 200 OK\r\n" + cookies + "Set-Cookie: sessionid=" + strings.Repeat("x", 1<<20) + "\r\nContent-Length: 2\r\n\r\nok",
		"/early":          "HTTP/1.1 103 Early Hints\r\n" + cookies + "\r\nHTTP/1.1 200 OK\r\n" + cookies + "Content-Length: 2\r\n\r\nok",
		"/malformed-1xx":  "HTTP/1.1 1x3 Early\r\n" + cookies + "\r\nHTTP/1.1 200 OK\r\n" + cookies + "Content-Length: 2\r\n\r\nok",
		"/malformed-line": "HTTP/1.1 200 OK\r\n" + cookies + "Set-Cookie\r\nContent-Length: 2\r\n\r\nok",
		"/many-1xx":       strings.Repeat("HTTP/1.1 103 Early Hints\r\n"+cookies+"\r\n", 100) + "HTTP/1.1 200 OK\r\n" + cookies + "Content-Length: 2\r\n\r\nok",
	}
	upstream := rawUpstream(t, func(path string) string {
		answer, ok := answers[path]
		if !ok {
			time.Sleep(2 * time.Second) // longer than anybody waits
		}
		return answer
	})
	proxy := "reverse_proxy " + upstream + " {\n transport http {\n  response_header_timeout 300ms\n }\n}"
	ports := []string{strconv.Itoa(freePort()), strconv.Itoa(freePort())}
	load(t, fmt.Sprintf("http://:%s {\n bind 127.0.0.1\n %s\n}\nhttp://:%s {\n bind 127.0.0.1\n cookie_charter {\n  preset opendatasoft matomo\n }\n %s\n}\n", ports[0], proxy, ports[1], proxy))
	fetch := func(port, path string) (status int, body int, failed bool, lines []string) {
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Get("http://127.0.0.1:" + port + path)
		if err != nil {
			return 0, 0, true, nil
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		return response.StatusCode, len(content), err != nil, response.Header["Set-Cookie"]
	}
	for path, want := range map[string]int{
		"/": 200, "/dies": 200, "/dies-chunked": 200, "/dies-in-header": 502, "/silent": 502, "/times-out": 504, "/10000-lines": 200, "/long-line": 200,
		"/early": 200, "/malformed-1xx": 502, "/malformed-line": 502, "/many-1xx": 200,
	} {
		plainStatus, plainBody, plainFailed, _ := fetch(ports[0], path)
		status, body, failed, lines := fetch(ports[1], path)
		if status != plainStatus || failed != plainFailed || failed && body > plainBody || !failed && body != plainBody || status != want {
			t.Errorf("%s: %d, %d bytes, failed %t; without the module %d, %d bytes, failed %t; want %d", path, status, body, failed, plainStatus, plainBody, plainFailed, want)
		}
		kept := []string{"sessionid=1"}
		if status != http.StatusOK {
			kept = nil
		}
		if !slices.Equal(lines, kept) {
			t.Errorf("%s: cookies %.200q", path, lines)
		}
	}
}

// A Cookie header as long as Caddy takes it is filtered; a longer one is Caddy's
// to refuse.
func TestHugeCookieHeader(t *testing.T) {
	received := make(chan string, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r.Header.Get("Cookie") }))
	defer upstream.Close()
	port := strconv.Itoa(freePort())
	address := "http://127.0.0.1:" + port
	site := fmt.Sprintf("http://:%s {\n bind 127.0.0.1\n cookie_charter {\n  preset opendatasoft matomo\n }\n reverse_proxy %s\n}\n", port, upstream.URL)
	if err := tryLoadWith(t, "servers {\n max_header_size 1MB\n}", site); err != nil {
		t.Fatal(err)
	}
	cookies := "sessionid=1"
	for i := 0; len(cookies) < 900_000; i++ {
		cookies += fmt.Sprintf("; _pk_id.%d=%s; cookies_preferences=%%7B%d", i, strings.Repeat("x", 1000), i)
	}
	response, _ := get(t, address, http.Header{"Cookie": {cookies}})
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	if got := <-received; strings.Contains(got, "_pk_id") || !strings.HasPrefix(got, "sessionid=1; cookies_preferences=") {
		t.Errorf("%.200q", got)
	}
	response, _ = get(t, address, http.Header{"Cookie": {cookies + strings.Repeat("x", 1<<20)}})
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Error(response.Status)
	}
}

// A charter file that is missing, half-written or replaced while Caddy reloads is
// refused or taken whole; what was served before goes on.
func TestReloadWithFaultyCharter(t *testing.T) {
	charters := make([]string, 2)
	for i := range charters {
		charters[i] = fmt.Sprintf("cookies:\n  - {name: version%d, purpose: one of two, category: necessary}\n", i) + strings.Repeat("# so that writing it takes a while\n", 20_000)
	}
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": charters[0]})
	port := strconv.Itoa(freePort())
	site := func(comment int) string {
		return fmt.Sprintf("http://:%s {\n bind 127.0.0.1\n cookie_charter {\n  charter %scharter.yaml\n }\n respond \"%d\"\n}\n", port, folder, comment)
	}
	load(t, site(0))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	served := func() string {
		response, err := client.Get("http://127.0.0.1:" + port + pagePath + "?format=json")
		for tries := 0; err != nil && tries < 10; tries++ { // a reload resets what comes at that moment
			time.Sleep(100 * time.Millisecond)
			response, err = client.Get("http://127.0.0.1:" + port + pagePath + "?format=json")
		}
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var charter struct{ Cookies []charter.Cookie }
		if err := json.NewDecoder(response.Body).Decode(&charter); err != nil {
			t.Fatal(err)
		}
		return charter.Cookies[len(charter.Cookies)-1].Name[0]
	}
	for content, mistake := range map[string]string{"": "no such file", charters[1][:60]: "charter.yaml:", "\x00": "charter.yaml:"} {
		os.Remove(folder + "charter.yaml")
		if content != "" {
			if err := os.WriteFile(folder+"charter.yaml", []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := tryLoad(t, site(1)); err == nil || !strings.Contains(err.Error(), mistake) {
			t.Errorf("%q: %v", content, err)
		}
		if got := served(); got != "version0" {
			t.Errorf("after %q, serves %s", content, got)
		}
	}

	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				// In place, and by renaming, as editors do.
				file := folder + "charter.yaml"
				if i%2 == 0 {
					file += ".new"
				}
				os.WriteFile(file, []byte(charters[i/2%2]), 0o600)
				os.Rename(folder+"charter.yaml.new", folder+"charter.yaml")
			}
		}
	})
	for i := range 10 {
		_ = tryLoad(t, site(i+2)) // it may fail, with the former going on
		if got := served(); got != "version0" && got != "version1" {
			t.Errorf("serves %s", got)
		}
	}
	close(stop)
	writing.Wait()
}

// Where records and versions cannot be written, visitors' pages and choices go
// on; the operator is told.
func TestFullDisk(t *testing.T) {
	archive := t.TempDir()
	port := strconv.Itoa(freePort())
	options := "log choices {\n include http.handlers.cookie_charter.choices\n output file /dev/full {\n  roll_disabled\n }\n}"
	if err := tryLoadWith(t, options, fmt.Sprintf("http://:%s {\n bind 127.0.0.1\n cookie_charter {\n  preset matomo\n  record_choices\n  page {\n   archive %s\n  }\n }\n respond ok\n}\n", port, archive)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(archive); err != nil {
		t.Fatal(err)
	}
	address := "http://127.0.0.1:" + port + pagePath
	if response, page := get(t, address, nil); response.StatusCode != http.StatusOK || !strings.Contains(page, "_pk_id") {
		t.Error(response.Status)
	}
	response, _ := do(t, http.MethodPost, address, form, "all=granted")
	if response.StatusCode != http.StatusSeeOther || len(response.Header["Set-Cookie"]) != 1 {
		t.Errorf("%s, %q", response.Status, response.Header["Set-Cookie"])
	}
	told, err := os.ReadFile(storage() + "/log")
	if err != nil || !strings.Contains(string(told), "keeping the charter in the archive") {
		t.Errorf("%v: the operator is not told", err)
	}
}

// However often the admin endpoint is asked, it answers, and so does the site.
func TestAdminFlood(t *testing.T) {
	for i := range maxFromPortal {
		noteIn(inventories.of("flood.example", answers.Timestamp(time.Now().UnixMilli())), judge.FromPortal, fmt.Sprintf("cookie%d", i), "/")
	}
	address := "http://" + serve(t, false, "cookie_charter\nheader Set-Cookie \"sessionid=1\"\nrespond ok")
	var flood sync.WaitGroup
	for range 20 {
		flood.Go(func() {
			for _, query := range []string{"", "?format=charter", "?host=flood.example", "?host=nobody"} {
				w := httptest.NewRecorder()
				err := serveInventory(w, httptest.NewRequest(http.MethodGet, "/cookie_charter/inventory"+query, http.NoBody))
				if (err == nil) != (query != "?host=nobody") || err == nil && w.Body.Len() == 0 {
					t.Errorf("%s: %v", query, err)
				}
			}
		})
	}
	for range 50 {
		if response, _ := get(t, address, nil); len(response.Header["Set-Cookie"]) != 1 {
			t.Error(response.Status, response.Header)
		}
	}
	flood.Wait()
}

package cookiecharter

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/document"
)

// hostsCharter declares a host that all may load from, one that is asked for, one that is
// exempt, one that is monitored, and a script of the portal's own.
const hostsCharter = `
	preset opendatasoft
	host *.tile.example.net {
		purpose  "Map backgrounds"
		category necessary
	}
	host stats.example.fr https://cdn.example.com/stats/ {
		purpose  "Counts visitors"
		category statistics
		consent  matomo
		script   /static/stats.js /static/stats/*
	}
	host exempt.example.fr {
		purpose  "Counts visitors without following them"
		category statistics
		exempt
		consent  exempt
	}
	host watched.example.fr {
		purpose  "Shows videos"
		category third_party
		consent  watched
		script   /static/watched.js
		monitor
	}
`

var (
	unansweredPolicy = document.Policy([]string{"*.tile.example.net", "exempt.example.fr", "watched.example.fr"})
	grantedPolicy    = document.Policy([]string{"*.tile.example.net", "stats.example.fr", "https://cdn.example.com/stats/", "exempt.example.fr", "watched.example.fr"})
	refusedPolicy    = document.Policy([]string{"*.tile.example.net", "watched.example.fr"})
	sharedPolicy     = document.Policy([]string{"*.tile.example.net", "watched.example.fr"})
)

// policies returns the lines of a field that are the module's, without what asks for
// reports, and whether any does.
func policies(header http.Header, field string) (lines []string, asks bool) {
	for _, line := range header[field] {
		if strings.HasPrefix(line, document.Policy(nil)) {
			without, reports, found := strings.Cut(line, "; report-uri ")
			asks = asks || found && strings.HasPrefix(reports, pagePath+"reports")
			lines = append(lines, without)
		}
	}
	return lines, asks
}

// TestPolicyOnEveryWayOut sends documents out in every way that a handler can, over every
// version of HTTP. Each has one policy; what is no document has none.
func TestPolicyOnEveryWayOut(t *testing.T) {
	var handlers strings.Builder
	for i, way := range ways {
		fmt.Fprintf(&handlers, "@way%d path /%d\nmisbehave @way%d %q\n", i, i, i, way)
	}
	charter := "cookie_charter {\n" + hostsCharter + "\n hosts\n}\n"
	errors := "handle_errors {\n " + charter + " respond {err.status_code}\n}\n"
	for name, site := range map[string]string{
		"alone":                  charter + handlers.String() + errors,
		"behind what compresses": "route {\n encode {\n gzip\n minimum_length 1\n match status 2xx\n }\n" + charter + handlers.String() + "}\n" + errors,
	} {
		address := serve(t, true, site)
		for version, client := range clients(t) {
			for i, way := range ways {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					for _, destination := range []string{"document", "image"} {
						t.Run(strings.Join([]string{name, version, way, method, destination}, "/"), func(t *testing.T) {
							testPolicyOnWay(t, client, method, fmt.Sprintf("https://%s/%d", address, i), destination, way)
						})
					}
				}
			}
		}
	}
}

func testPolicyOnWay(t *testing.T, client *http.Client, method, url, destination, way string) {
	var early [][]string
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, header textproto.MIMEHeader) error {
			lines, _ := policies(http.Header(header), document.PolicyField)
			early = append(early, lines)
			return nil
		},
	})
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Sec-Fetch-Dest", destination)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	var want []string
	wantVary, wantCaching := false, ""
	switch {
	case way == "status 204", way == "status 304", way == "after 204":
	case destination == "document":
		want, wantVary, wantCaching = []string{unansweredPolicy}, true, "private, no-cache"
	default:
		want, wantVary = []string{sharedPolicy}, true // it has no type, so it can be a page
	}
	if got, _ := policies(response.Header, document.PolicyField); !slices.Equal(got, want) {
		t.Errorf("policies %q", response.Header[document.PolicyField])
	}
	if vary := strings.Join(response.Header["Vary"], ","); strings.Contains(vary, "Sec-Fetch-Dest") != wantVary {
		t.Errorf("Vary %q", vary)
	}
	if caching := strings.Join(response.Header["Cache-Control"], ","); wantCaching != "" && !strings.HasPrefix(caching, wantCaching) {
		t.Errorf("Cache-Control %q", caching)
	}
	for _, lines := range early { // what a page uses is not begun before it is there
		if destination == "document" && len(lines) != len(want) || destination != "document" && lines != nil {
			t.Errorf("early policies %q", early)
		}
	}
	if wantsEarly := way == "early hints"; wantsEarly != (len(early) == 2) && way != "add later" {
		t.Errorf("early policies %q", early)
	}
}

// What is no document leaves as without the option, byte for byte.
func TestNoDocumentIsTouched(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", r.Header.Get("X-Type"))
		header.Set("Cache-Control", "public, max-age=600")
		header.Set("Etag", `"1"`)
		header.Set("Date", "Sat, 28 Nov 2026 12:00:00 GMT")
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, "body")
	}))
	defer upstream.Close()
	proxy := "\nreverse_proxy " + upstream.Listener.Addr().String()
	without := serve(t, false, "cookie_charter {\n"+hostsCharter+"\n}"+proxy)
	requests := map[string][]string{
		"image": {"image/png", "image/avif"}, "style": {"text/css"}, "font": {"font/woff2"}, "empty": {"application/json", "text/plain", "text/csv"},
		"document": {"application/pdf", "text/csv", "image/png"}, "video": {"video/mp4"}, "manifest": {"application/manifest+json"}, "": {"image/png", "application/json"},
	}
	var before []http.Header
	ask := func(address string) (answers []http.Header) {
		for destination, types := range requests {
			for _, contentType := range types {
				for _, known := range []string{"", `"1"`} {
					header := http.Header{"X-Type": {contentType}}
					if destination != "" {
						header.Set("Sec-Fetch-Dest", destination)
					}
					if known != "" && destination != "document" {
						header.Set("If-None-Match", known)
					}
					response, _ := get(t, "http://"+address+"/", header)
					response.Header.Set("X-For", fmt.Sprint(destination, contentType, known, response.StatusCode))
					answers = append(answers, response.Header)
				}
			}
		}
		slices.SortFunc(answers, func(a, b http.Header) int { return strings.Compare(a.Get("X-For"), b.Get("X-For")) })
		return answers
	}
	before = ask(without)
	for _, options := range []string{"hosts", "hosts monitor", "third_party_cookies omit", "hosts\n third_party_cookies omit"} {
		after := ask(serve(t, false, "cookie_charter {\n"+hostsCharter+"\n"+options+"\n}"+proxy))
		for i := range before {
			if fmt.Sprint(before[i]) != fmt.Sprint(after[i]) {
				t.Errorf("%s: %v became %v", options, before[i], after[i])
			}
		}
	}
}

// What the portal says itself stays as it came, and what is added stands behind it.
func TestPortalsOwnPolicies(t *testing.T) {
	const nonce, second = "script-src 'nonce-abc' 'strict-dynamic'; object-src 'none'", "img-src 'self', frame-src 'none'"
	upstream := rawUpstream(t, func(string) string {
		return "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\ncontent-security-policy: " + nonce + "\r\nContent-Security-Policy: " + second + "\r\n" +
			"Content-Security-Policy-Report-Only: default-src 'none'; report-uri /own\r\nReporting-Endpoints: own=\"/own\"\r\ncross-origin-embedder-policy: unsafe-none\r\n" +
			"Vary: Accept\r\nCache-Control: public, max-age=600, s-maxage=900\r\nCDN-Cache-Control: max-age=900\r\nContent-Length: 0\r\n\r\n"
	})
	address := serve(t, false, "cookie_charter {\n"+hostsCharter+"\n hosts\n third_party_cookies omit\n}\nreverse_proxy "+upstream)
	response, _ := get(t, "http://"+address+"/", http.Header{"Sec-Fetch-Dest": {"document"}})
	const reporting = "; report-uri " + pagePath + "reports"
	for field, want := range map[string][]string{
		document.PolicyField:     {nonce, second, unansweredPolicy + reporting},
		document.ReportOnlyField: {"default-src 'none'; report-uri /own"},
		"Reporting-Endpoints":    {`own="/own"`},
		document.EmbedderField:   {"unsafe-none"},
		"Vary":                   {"Accept", "Sec-Fetch-Dest"},
		"Cache-Control":          {"private, no-cache, max-age=600"},
		"Cdn-Cache-Control":      nil,
	} {
		if got := response.Header[field]; !slices.Equal(got, want) {
			t.Errorf("%s: got %q", field, got)
		}
	}
}

// Which hosts a document reaches depends on options, rows and answers.
func TestWhoReachesHosts(t *testing.T) {
	const html = "\nheader Content-Type text/html\nrespond page"
	const asked, own = "private, no-cache, max-age=60", "public, max-age=60"
	answered := func(value string) http.Header {
		return http.Header{"Cookie": {"cookies_preferences=" + value}}
	}
	for _, test := range []struct {
		name, options              string
		header                     http.Header
		policy, reporting, caching string
	}{
		{"unanswered", "hosts", nil, unansweredPolicy, "", asked},
		{"granted", "hosts enforce", answered(`{"matomo":true}`), grantedPolicy, "", asked},
		{"refused", "hosts", answered(`{"matomo":false,"exempt":false,"watched":false}`), refusedPolicy, "", asked},
		{"unreadable", "hosts", answered(`{"matomo"`), unansweredPolicy, "", asked},
		{"opposed by the browser", "hosts", http.Header{"Sec-Gpc": {"1"}}, refusedPolicy, "", asked},
		{"opposed, but granted", "hosts", http.Header{"Sec-Gpc": {"1"}, "Cookie": {`cookies_preferences={"matomo":true,"exempt":true}`}}, grantedPolicy, "", asked},
		{"reported", "hosts monitor", nil, "", unansweredPolicy, asked},
		{"reported while undeclared cookies are", "hosts\n monitor undeclared", nil, "", unansweredPolicy, asked},
		{"reported while everything is", "hosts\n monitor", nil, "", grantedPolicy, own},
		{"off", "", nil, "", "", own},
		{"cookies", "third_party_cookies omit", nil, "", "", own},
		{"cookies, monitored", "third_party_cookies omit\n monitor", nil, "", "", own},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := serve(t, false, "cookie_charter {\n"+hostsCharter+"\n"+test.options+"\n}\nheader Cache-Control \"public, max-age=60\""+html)
			for _, destination := range []string{"document", "iframe", "worker", "serviceworker"} {
				header := test.header.Clone()
				if header == nil {
					header = http.Header{}
				}
				header.Set("Sec-Fetch-Dest", destination)
				response, _ := get(t, "http://"+address+"/", header)
				policy, _ := policies(response.Header, document.PolicyField)
				if got := strings.Join(policy, "\n"); got != test.policy {
					t.Errorf("%s: policy %q", destination, got)
				}
				// Only one document in a second is reported of.
				reporting, asks := policies(response.Header, document.ReportOnlyField)
				caching := test.caching
				if got := strings.Join(reporting, "\n"); destination == "document" && got != test.reporting || got != "" && (got != test.reporting || !asks) {
					t.Errorf("%s: reporting %q", destination, got)
				} else if got == "" && test.reporting != "" {
					caching = own
				}
				if got := response.Header.Get("Cache-Control"); got != caching {
					t.Errorf("%s: Cache-Control %q", destination, got)
				}
				embedder, wants := response.Header.Get(document.EmbedderField), test.options == "third_party_cookies omit"
				if (embedder == document.OmitsCookies) != wants {
					t.Errorf("%s: embedder policy %q", destination, embedder)
				}
				if varies := response.Header.Get("Vary") == "Sec-Fetch-Dest"; varies != (test.policy != "" || wants) {
					t.Errorf("%s: Vary %q", destination, response.Header["Vary"])
				}
			}
		})
	}
}

// Answers that no browser shows do not take the turn of those that one reports of.
func TestWhoIsAskedForReports(t *testing.T) {
	for _, test := range []struct {
		method, url, destination string
		isAsked                  bool
	}{
		{http.MethodGet, "https://city.example/", "document", true},
		{http.MethodPost, "https://city.example/", "document", true},
		{http.MethodGet, "https://city.example/", "iframe", true},
		{http.MethodGet, "http://city.example/", "", true}, // where browsers do not say
		{http.MethodGet, "https://city.example/", "", false},
		{http.MethodHead, "https://city.example/", "document", false},
		{http.MethodHead, "http://city.example/", "", false},
	} {
		request := visit(test.url)
		request.Method = test.method
		if test.destination != "" {
			request.Header.Set("Sec-Fetch-Dest", test.destination)
		}
		recorder := httptest.NewRecorder()
		err := provision(t, "cookie_charter {\n hosts monitor\n}").ServeHTTP(recorder, request, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/html")
			return nil
		}))
		if _, isAsked := policies(recorder.Header(), document.ReportOnlyField); err != nil || isAsked != test.isAsked {
			t.Errorf("%v: %v, asked is %t", test, err, isAsked)
		}
	}
}

// A script that can be a worker, for all that the request says, is the same for all
// visitors.
func TestScriptsThatMayBeWorkers(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n"+hostsCharter+"\n hosts\n}\nheader Content-Type text/javascript\nheader Cache-Control \"public, max-age=60\"\nrespond script")
	for _, cookie := range []string{"", `cookies_preferences={"matomo":true}`} {
		response, _ := get(t, address+"/app.js", http.Header{"Cookie": {cookie}})
		if got, asks := policies(response.Header, document.PolicyField); !slices.Equal(got, []string{sharedPolicy}) || asks || response.Header.Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%q: %v", cookie, response.Header)
		}
		response, _ = get(t, address+"/app.js", http.Header{"Cookie": {cookie}, "Sec-Fetch-Dest": {"script"}})
		if got := response.Header; got[document.PolicyField] != nil || got.Get("Cache-Control") != "public, max-age=60" || got.Get("Vary") != "Sec-Fetch-Dest" {
			t.Errorf("%q: %v", cookie, got)
		}
	}
}

// Markup that a page fetches is the same for all visitors, and has the policy that holds for
// all: a cache that does not heed Vary can show it as a page.
func TestFetchedMarkup(t *testing.T) {
	for _, contentType := range []string{"text/html", "image/svg+xml", "application/rss+xml"} {
		address := "http://" + serve(t, false, "cookie_charter {\n"+hostsCharter+"\n hosts\n}\nheader Content-Type "+contentType+"\nheader Cache-Control \"public, max-age=60\"\nrespond markup")
		for _, cookie := range []string{"", `cookies_preferences={"matomo":true}`} {
			for _, destination := range []string{"empty", "image"} {
				response, _ := get(t, address+"/part", http.Header{"Cookie": {cookie}, "Sec-Fetch-Dest": {destination}})
				got := response.Header
				if lines, asks := policies(got, document.PolicyField); !slices.Equal(lines, []string{sharedPolicy}) || asks || got.Get("Cache-Control") != "public, max-age=60" || got.Get("Vary") != "Sec-Fetch-Dest" {
					t.Errorf("%s for %s, %q: %v", contentType, destination, cookie, got)
				}
			}
		}
	}
}

// A charter that asks for nothing has pages kept as the portal means them to be.
func TestHostsThatNobodyIsAskedFor(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n host *.tile.example.net {\n purpose x\n category necessary\n }\n hosts\n}\nheader Content-Type text/html\nheader Cache-Control \"public, max-age=60\"\nrespond page")
	response, _ := get(t, address+"/", http.Header{"Sec-Fetch-Dest": {"document"}})
	if got := response.Header.Get("Cache-Control"); got != "public, max-age=60" || response.Header.Get(document.PolicyField) == "" {
		t.Errorf("%v", response.Header)
	}
}

// The portal is asked in full for what a browser shows, and for what depends on an answer.
func TestAsksAnew(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, r.Header["If-None-Match"], r.Header["If-Modified-Since"], r.Header["Range"])
	}))
	defer upstream.Close()
	const asked, anew = `["1"] [Sat, 28 Nov 2026 12:00:00 GMT] [bytes=0-]`, `[] [] [bytes=0-]`
	for options, want := range map[string]map[string]string{
		"hosts":                    {"document": anew, "worker": anew, "image": asked, "": asked},
		"third_party_cookies omit": {"document": anew, "worker": anew, "image": asked, "": asked},
		"hosts monitor":            {"document": asked, "worker": asked, "image": asked, "": asked},
		"":                         {"document": asked, "worker": asked, "image": asked, "": asked},
	} {
		address := "http://" + serve(t, false, "cookie_charter {\n"+hostsCharter+"\n"+options+"\n}\nreverse_proxy "+upstream.Listener.Addr().String())
		for destination, want := range want {
			header := http.Header{"If-None-Match": {`"1"`}, "If-Modified-Since": {"Sat, 28 Nov 2026 12:00:00 GMT"}, "Range": {"bytes=0-"}, "Cookie": {`cookies_preferences={"matomo":true}`}}
			if destination != "" {
				header.Set("Sec-Fetch-Dest", destination)
			}
			for path, want := range map[string]string{"/": want, "/static/stats.js": anew, "/static/watched.js": want} {
				if _, body := get(t, address+path, header); body != want {
					t.Errorf("%q, %q %s: got %s", options, destination, path, body)
				}
			}
		}
	}
}

// A script of a tracker that the portal serves itself comes to who allows it; others get
// an empty one, and no cache keeps either.
func TestScriptRows(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Header().Set("Cdn-Cache-Control", "max-age=31536000")
		w.Header().Set("Etag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, "track()")
	}))
	defer upstream.Close()
	granted, refused := http.Header{"Cookie": {`cookies_preferences={"matomo":true,"watched":true}`}}, http.Header{"Cookie": {`cookies_preferences={"matomo":false}`}}
	for options, isWithheld := range map[string]bool{"": true, "hosts": true, "hosts monitor": true, "monitor undeclared": true, "monitor": false} {
		address := "http://" + serve(t, false, "cookie_charter {\n"+hostsCharter+"\n"+options+"\n}\nreverse_proxy "+upstream.Listener.Addr().String())
		for _, visitor := range []http.Header{nil, granted, refused, {"Sec-Gpc": {"1"}}} {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
				for path, isDeclared := range map[string]bool{
					"/static/stats.js": true, "/static/stats.js?v=2": true, "/static/stats%2Ejs": true, "/static/stats/": true, "/static/stats/a/b.js": true,
					"/static/stats.jsx": false, "/static/stat": false, "/STATIC/stats.js": false, "/static/watched.js": false,
				} {
					header := visitor.Clone()
					if header == nil {
						header = http.Header{}
					}
					header.Set("If-None-Match", `"1"`)
					header.Set("Range", "bytes=2-")
					response, body := do(t, method, address+path, header, "")
					isEmpty := isDeclared && isWithheld && visitor.Get("Cookie") != granted.Get("Cookie")
					got := response.Header
					place := fmt.Sprintf("%q: %s %s with %v", options, method, path, visitor)
					switch {
					case isEmpty && (response.StatusCode != 200 || body != "" || got.Get("Content-Length") != "0" || got.Get("Content-Type") != "text/javascript; charset=utf-8" || got["Etag"] != nil):
						t.Errorf("%s: %d %q %v", place, response.StatusCode, body, got)
					case isDeclared && isWithheld && (got.Get("Cache-Control") != "private, no-store" || got["Cdn-Cache-Control"] != nil):
						t.Errorf("%s: caches are told %v", place, got)
					case isDeclared && isWithheld && !isEmpty && (response.StatusCode != 200 || method != http.MethodHead && body != "track()"):
						t.Errorf("%s: %d %q", place, response.StatusCode, body)
					case (!isDeclared || !isWithheld) && (response.StatusCode != http.StatusNotModified || got.Get("Cdn-Cache-Control") == ""):
						t.Errorf("%s: %d %v", place, response.StatusCode, got)
					}
				}
			}
		}
	}
}

// The lines that remove cookies leave room for a policy.
func TestRemovalsLeaveRoomForPolicies(t *testing.T) {
	var hosts strings.Builder
	for i := range 60 {
		fmt.Fprintf(&hosts, " host%d.example.fr", i)
	}
	address := serve(t, false, "cookie_charter {\n preset matomo google_analytics\n host"+hosts.String()+" {\n purpose x\n category necessary\n }\n hosts\n}\nheader Content-Type text/html\nrespond page")
	response, _ := get(t, "http://"+address+"/a/b/c/d", http.Header{"Sec-Fetch-Dest": {"document"}, "Cookie": {"_pk_id.1.1=1; _pk_ses.1.1=1; _ga=1; _ga_X=1; _gid=1; _gat=1"}})
	size, policy := 0, 0
	for field, lines := range response.Header {
		for _, line := range lines {
			size += len(field) + len(": \r\n") + len(line)
			if field == document.PolicyField {
				policy += len(line)
			}
		}
	}
	if limit := 4096 - 768 + 150; size > limit || policy < 1000 || len(response.Header["Set-Cookie"]) < 10 { // the server adds some 150 bytes itself
		t.Errorf("%d bytes, %d of them of policies, and %d removals", size, policy, len(response.Header["Set-Cookie"]))
	}
}

// A socket is no document.
func TestSocketHasNoPolicy(t *testing.T) {
	address := serve(t, false, "cookie_charter {\n"+hostsCharter+"\n hosts\n}\nreverse_proxy "+webSocketUpstream(t))
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(connection, "GET /socket HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", address, address)
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header[document.PolicyField] != nil || response.Header["Vary"] != nil {
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
	hangUp(reader, connection.(*net.TCPConn).CloseWrite)
}

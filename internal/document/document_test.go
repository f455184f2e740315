package document

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// ask returns a request with some fields, "name: value" each.
func ask(fields ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, value)
	}
	return r
}

// Types are read as browsers read them: what they look into, or might run, is markup.
func TestFormOf(t *testing.T) {
	for _, test := range []struct {
		types []string
		want  form
	}{
		{nil, markup},
		{[]string{}, markup},
		{[]string{""}, markup},
		{[]string{"text/html"}, markup},
		{[]string{"TEXT/HTML"}, markup},
		{[]string{" \ttext/html ;charset=utf-8"}, markup},
		{[]string{"text/html;charset=\"a,b\""}, markup},
		{[]string{"application/xhtml+xml"}, markup},
		{[]string{"application/vnd.wap.xhtml+xml"}, markup},
		{[]string{"image/svg+xml"}, markup},
		{[]string{"image/SVG+XML; charset=utf-8"}, markup},
		{[]string{"application/xml"}, markup},
		{[]string{"text/xml"}, markup},
		{[]string{"text/xsl"}, markup},
		{[]string{"application/atom+xml"}, markup},
		{[]string{"multipart/x-mixed-replace;boundary=x"}, markup},
		{[]string{"unknown/unknown"}, markup},
		{[]string{"application/unknown"}, markup},
		{[]string{"application/x-unknown-content-type"}, markup},
		{[]string{"*/*"}, markup},
		{[]string{"text"}, markup},
		{[]string{"text/"}, markup},
		{[]string{"/html"}, markup},
		{[]string{"html"}, markup},
		{[]string{`"text/plain"`}, markup},    // no type: a browser looks into it
		{[]string{"text/plain\x0c"}, markup},  // likewise
		{[]string{"image/png x"}, markup},     // likewise
		{[]string{"text/javaſcript"}, markup}, // likewise
		{[]string{"image/\u212apng"}, markup}, // likewise
		{[]string{"im age/png"}, markup},      // likewise
		{[]string{"text/plain/html"}, markup}, // likewise
		{[]string{"text/plain, text/html"}, markup},
		{[]string{"text/plain;x=y, text/html"}, markup},
		{[]string{"text/plain", "text/html"}, markup},
		{[]string{"text/html", "text/plain"}, markup},
		{[]string{"text/javascript"}, script},
		{[]string{"Application/X-JavaScript ; charset=utf-8"}, script},
		{[]string{"text/ecmascript"}, script},
		{[]string{"text/plain"}, other},
		{[]string{"text/plain; x=text/html"}, other},
		{[]string{"text/css"}, other},
		{[]string{"text/htm"}, other},
		{[]string{"application/json"}, other},
		{[]string{"application/ld+json"}, other},
		{[]string{"application/manifest+json"}, other},
		{[]string{"application/octet-stream"}, other},
		{[]string{"application/pdf"}, other},
		{[]string{"image/png"}, other},
		{[]string{"font/woff2"}, other},
		{[]string{"text/event-stream"}, other},
	} {
		header := http.Header{}
		if test.types != nil {
			header["Content-Type"] = test.types
		}
		if got := formOf(header); got != test.want {
			t.Errorf("%q: got %d, want %d", test.types, got, test.want)
		}
	}
}

// What an answer is depends on what it was asked for as, and on its type.
func TestKindOf(t *testing.T) {
	kinds := func(request *http.Request) [4]Kind {
		var kinds [4]Kind
		for i, contentType := range []string{"text/html", "text/javascript", "image/png", ""} {
			header := http.Header{}
			if contentType != "" {
				header.Set("Content-Type", contentType)
			}
			kinds[i] = KindOf(request, 200, header)
		}
		return kinds
	}
	const destination = "Sec-Fetch-Dest: "
	page, frame := [4]Kind{Document, Framed, None, Document}, [4]Kind{Document, Framed, Framed, Document}
	worker, part := [4]Kind{Document, Document, Document, Document}, [4]Kind{Fetched, Reusable, None, Fetched}
	unsaid := [4]Kind{Document, Script, None, Document}
	for _, test := range []struct {
		fields []string
		want   [4]Kind
	}{
		{nil, unsaid},
		{[]string{"Accept: image/avif,image/webp,*/*;q=0.8"}, unsaid},
		{[]string{destination + "document"}, page},
		{[]string{destination + "document", "Sec-Purpose: prefetch"}, page},
		{[]string{destination + "document", "Sec-Purpose: prefetch;prerender"}, page},
		{[]string{destination + "iframe"}, frame},
		{[]string{destination + "frame"}, frame},
		{[]string{destination + "embed"}, frame},
		{[]string{destination + "object"}, frame},
		{[]string{destination + "fencedframe"}, frame},
		{[]string{destination + "worker"}, worker},
		{[]string{destination + "sharedworker"}, worker},
		{[]string{destination + "serviceworker"}, worker},
		{[]string{destination + "empty"}, part},
		{[]string{destination + "empty", "Sec-Purpose: prefetch"}, unsaid},
		{[]string{destination + "empty", "Sec-Purpose: prefetch;anonymous-client-ip"}, unsaid},
		{[]string{destination + "script"}, part},
		{[]string{destination + "style"}, part},
		{[]string{destination + "image"}, part},
		{[]string{destination + "xslt"}, part},
		{[]string{destination + "audioworklet"}, part},
		{[]string{destination + "paintworklet"}, part},
		{[]string{destination + "json"}, part},
		{[]string{destination + "Document"}, part}, // browsers write them in lower case
		{[]string{destination + "workerſ"}, part},
	} {
		if got := kinds(ask(test.fields...)); got != test.want {
			t.Errorf("%q: got %v, want %v", test.fields, got, test.want)
		}
	}
}

// What has nothing to show is no document, whatever it is asked for as.
func TestKindOfStatus(t *testing.T) {
	markup := func(more ...string) http.Header {
		header := http.Header{"Content-Type": {"text/html"}}
		for _, name := range more {
			header[name] = []string{"/elsewhere"}
		}
		return header
	}
	for _, test := range []struct {
		status int
		header http.Header
		want   Kind
	}{
		{0, markup(), Document},
		{200, markup(), Document},
		{206, markup(), Document},
		{101, markup(), None},
		{204, markup(), None},
		{205, markup(), None},
		{304, markup(), None},
		{304, http.Header{}, None},
		{300, markup("Location"), Document},
		{305, markup("Location"), Document},
		{301, markup("Location"), None},
		{302, markup("location"), None},
		{303, markup("LOCATION"), None},
		{307, markup("Location"), None},
		{308, markup("Location"), None},
		{301, markup(), Document},
		{302, markup("Locatıon"), Document},
		{302, http.Header{"Content-Type": {"text/html"}, "Location": {}}, Document},
		{404, markup(), Document},
		{500, markup(), Document},
	} {
		for _, field := range []string{"Sec-Fetch-Dest: document", "Sec-Fetch-Dest: iframe", "Accept: */*"} {
			if got := KindOf(ask(field), test.status, test.header); got != test.want {
				t.Errorf("%d %v for %q: got %d", test.status, test.header, field, got)
			}
		}
	}
	socket := ask()
	socket.Method = http.MethodConnect
	if got := KindOf(socket, 200, http.Header{}); got != None {
		t.Errorf("a socket: got %d", got)
	}
}

func TestIsAskedFor(t *testing.T) {
	for field, want := range map[string]bool{
		"Sec-Fetch-Dest: document": true, "Sec-Fetch-Dest: object": true, "Sec-Fetch-Dest: sharedworker": true,
		"Sec-Fetch-Dest: image": false, "Sec-Fetch-Dest: empty": false, "Sec-Fetch-Dest: script": false,
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
		"Accept: image/avif,*/*": false, "X: y": false, "Sec-Purpose: prefetch": true,
	} {
		if got := IsAskedFor(ask(field)); got != want {
			t.Errorf("%q: got %v", field, got)
		}
	}
	if IsAskedFor(ask("Sec-Fetch-Dest: image", "Accept: text/html")) || !IsAskedFor(ask("Sec-Fetch-Dest: empty", "Sec-Purpose: prefetch")) {
		t.Error("the destination does not count")
	}
}

// What is no document costs nothing.
func TestKindOfAllocatesNothing(t *testing.T) {
	for _, fields := range [][]string{{"Sec-Fetch-Dest: image"}, {"Sec-Fetch-Dest: empty"}, {"Accept: */*"}} {
		request, header := ask(fields...), http.Header{"Content-Type": {"image/png"}}
		if allocations := testing.AllocsPerRun(100, func() {
			if KindOf(request, 200, header) != None {
				t.Error("a picture is a document")
			}
			IsAskedFor(request)
		}); allocations != 0 {
			t.Errorf("%q: %v allocations", fields, allocations)
		}
	}
}

func TestReportsBeside(t *testing.T) {
	for page, want := range map[string]string{
		"/terms/cookies-policy/": "/terms/cookies-policy/reports",
		"/cookies":               "/cookies/reports",
		"/a;b,c\"d'é/":           "/a%3Bb%2Cc%22d%27%C3%A9/reports",
	} {
		if got := ReportsBeside(page); got != want {
			t.Errorf("%q: got %q", page, got)
		}
	}
}

// One document in each second asks for reports, however many leave at once.
func TestAsksReports(t *testing.T) {
	var rules Rules
	start := time.Unix(1_800_000_000, 0)
	asked := make(chan bool)
	for range 64 {
		go func() { asked <- rules.AsksReports(start.Add(time.Millisecond)) }()
	}
	count := 0
	for range 64 {
		if <-asked {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d ask in one second", count)
	}
	if rules.AsksReports(start.Add(999*time.Millisecond)) || !rules.AsksReports(start.Add(time.Second)) || rules.AsksReports(start.Add(1500*time.Millisecond)) {
		t.Error("not one in each second")
	}
}

const nothing = "default-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' data: blob: mediastream: filesystem:"

// What is added stands beside what the portal says, which is left as it came.
func TestRestrict(t *testing.T) {
	const reporting = "; report-uri /cookies/reports"
	hosts := []string{"stats.example.fr", "*.xiti.com"}
	const both = nothing + " stats.example.fr *.xiti.com"
	own := func() http.Header {
		return http.Header{
			PolicyField: {"default-src 'none'"}, ReportOnlyField: {"img-src 'self'"}, "Reporting-Endpoints": {`a="/b"`},
			"cross-origin-EMBEDDER-policy": {"require-corp"},
		}
	}
	for _, test := range []struct {
		name   string
		rules  *Rules
		kind   Kind
		asks   bool
		header http.Header
		policy string
		want   http.Header
	}{
		{"enforced", &Rules{Hosts: Enforced}, Document, false, http.Header{}, both, http.Header{PolicyField: {both}}},
		{"with reports", &Rules{Hosts: Enforced}, Document, true, http.Header{}, both + reporting, http.Header{PolicyField: {both + reporting}}},
		{"reported", &Rules{Hosts: Reported}, Document, true, http.Header{}, "", http.Header{ReportOnlyField: {both + reporting}}},
		{"reported, not now", &Rules{Hosts: Reported}, Document, false, http.Header{}, "", http.Header{}},
		{"a script", &Rules{Hosts: Enforced}, Script, false, http.Header{}, both, http.Header{PolicyField: {both}}},
		{"a script, reported", &Rules{Hosts: Reported}, Script, false, http.Header{}, "", http.Header{}},
		{"cookies", &Rules{OmitsCookies: true}, Document, true, http.Header{}, "", http.Header{EmbedderField: {"credentialless"}}},
		{"a picture in a frame", &Rules{Hosts: Enforced, OmitsCookies: true}, Framed, true, http.Header{}, "", http.Header{EmbedderField: {"credentialless"}}},
		{"beside the portal's", &Rules{Hosts: Enforced, OmitsCookies: true}, Document, true, own(), both + reporting, http.Header{
			PolicyField: {"default-src 'none'", both + reporting}, ReportOnlyField: {"img-src 'self'"}, "Reporting-Endpoints": {`a="/b"`},
			"cross-origin-EMBEDDER-policy": {"require-corp"},
		}},
		{"after an error", &Rules{Hosts: Enforced}, Document, true, http.Header{PolicyField: {both}}, both, http.Header{PolicyField: {both}}},
		{"after an error with reports", &Rules{Hosts: Enforced}, Document, false, http.Header{PolicyField: {both + reporting}}, both + reporting, http.Header{PolicyField: {both + reporting}}},
		{"beside another charter's", &Rules{Hosts: Enforced}, Document, false, http.Header{PolicyField: {nothing, both + " more.example"}}, both, http.Header{PolicyField: {nothing, both + " more.example", both}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.rules.Reports = "/cookies/reports"
			shared := map[string][]string{}
			for field, lines := range test.header {
				shared[field] = append(make([]string, 0, 8), lines...) // with room that must not be used
				test.header[field] = shared[field]
			}
			if policy := test.rules.Restrict(test.header, test.kind, hosts, test.asks); policy != test.policy {
				t.Errorf("policy %q", policy)
			}
			if len(test.header) != len(test.want) {
				t.Errorf("got %q", test.header)
			}
			for field, want := range test.want {
				if !slices.Equal(test.header[field], want) {
					t.Errorf("%s: got %q, want %q", field, test.header[field], want)
				}
			}
			for field, lines := range shared {
				if beyond := lines[:cap(lines)][len(lines)]; beyond != "" {
					t.Errorf("%s: wrote to a shared slice: %q", field, beyond)
				}
			}
		})
	}
}

// A policy grows by its hosts, and by nothing else; docs/hosts.md tells its length without any.
func TestPolicy(t *testing.T) {
	if got := Policy(nil); got != nothing || len(got) != 104 {
		t.Errorf("got %q, of %d bytes", got, len(got))
	}
	for _, count := range []int{1, 16} {
		hosts := slices.Repeat([]string{"*.example.fr"}, count)
		if got := Policy(hosts); len(got) != len(nothing)+count*len(" *.example.fr") || !strings.HasSuffix(got, strings.Repeat(" *.example.fr", count)) {
			t.Errorf("got %q", got)
		}
	}
}

func TestAddVary(t *testing.T) {
	const destination = "Sec-Fetch-Dest"
	for _, test := range []struct{ before, want []string }{
		{nil, []string{destination}},
		{[]string{"Accept-Encoding"}, []string{"Accept-Encoding", destination}},
		{[]string{"Accept-Encoding,\tsec-fetch-DEST , Cookie"}, []string{"Accept-Encoding,\tsec-fetch-DEST , Cookie"}},
		{[]string{"Cookie", "*"}, []string{"Cookie", "*"}},
		{[]string{"ſec-Fetch-Dest"}, []string{"ſec-Fetch-Dest", destination}},
		{[]string{"Sec-Fetch-Dest2"}, []string{"Sec-Fetch-Dest2", destination}},
	} {
		lines := append(make([]string, 0, 4), test.before...)
		header := http.Header{"Vary": lines}
		AddVary(header)
		if !slices.Equal(header["Vary"], test.want) || lines[:4][len(lines)] != "" {
			t.Errorf("%q became %q, %q", test.before, header["Vary"], lines[:4])
		}
	}
}

package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// One site is one, however its host is written.
func TestSameSite(t *testing.T) {
	for addresses, want := range map[string]bool{
		"http://É.localhost/a HTTP://xn--9ca.localhost:80": true, "https://a.example:443/#x https://A.example": true, "http://[::1]:80/ http://[::1]/": true,
		"http://a.example https://a.example": false, "http://a.example http://a.example:81": false, "http://a.example http://b.a.example": false, "http://a.example ::": false,
	} {
		one, other, _ := strings.Cut(addresses, " ")
		if got := sameSite(one, other); got != want {
			t.Errorf("%s: %t", addresses, got)
		}
	}
}

// loadFileAlone loads a charter file.
func loadFileAlone(path, _ string) (Charter, error) {
	declared, err := charter.LoadFile(path)
	if err != nil {
		return Charter{}, err
	}
	joined, err := charter.New(declared)
	if err != nil {
		return Charter{}, err
	}
	if err := joined.ComputeVersion(""); err != nil {
		return Charter{}, err
	}
	return Charter{Charter: joined, Version: joined.Version, Path: "/terms/cookies-policy/", Published: func(row *charter.Row) (charter.Duration, bool) { return row.PublishedDuration(true) }}, nil
}

// What happened to cookies is told once each, as it was to last longest, up to a bound.
func TestObservations(t *testing.T) {
	var seen observations
	place := browserCookie{name: "a", domain: "a.example", path: "/"}
	for _, seconds := range []int64{60, 3600, 5} {
		for _, persistent := range []bool{true, false} {
			place.life = setcookie.Lifetime{Seconds: seconds, Persistent: persistent}
			if !seen.add(observation{cookie: place}) {
				t.Fatal("has no room")
			}
		}
	}
	if !seen.add(observation{cookie: place, isSent: true}) {
		t.Error("has no room for what was sent")
	}
	taken := seen.take()
	if len(taken) != 2 || taken[0].cookie.life != (setcookie.Lifetime{Seconds: 3600, Persistent: true}) || !taken[1].isSent || len(seen.take()) != 0 {
		t.Errorf("%+v", taken)
	}
	added := 0
	for i := range 3 * maxCookies {
		if seen.add(observation{cookie: browserCookie{name: fmt.Sprint(i)}}) {
			added++
		}
	}
	if added != 2*maxCookies {
		t.Errorf("keeps %d", added)
	}
}

// The charter that a site publishes has bounds.
func TestAuditedCharterHasBounds(t *testing.T) {
	charters := map[string]string{
		"names":   `{"cookies":[{"name":["` + strings.Join(slices.Collect(strings.SplitSeq(checks.ManyNames(maxNames+1), ",")), `","`) + `x"],"purpose":"p","category":"necessary"}]}`,
		"hosts":   `{"cookies":[{"host":["` + strings.Join(slices.Collect(strings.SplitSeq(checks.ManyNames(maxNames+1), ",")), `","`) + `x"],"purpose":"p","category":"necessary"}]}`,
		"long":    checks.NecessaryCharter + strings.Repeat("#", maxCharter),
		"aliases": "cookies:\n  - {name: &a [b], purpose: p, category: necessary}\n  - {name: c, match: *a, purpose: p, category: necessary}\n",
		"deep":    strings.Repeat("[", maxCharter),
		"json":    strings.Repeat("[", maxCharter),
		"keys":    `{"cookies":[` + strings.Repeat(`{"name":"a","purpose":"p","category":"statistics"},`, maxCharter/60) + `{}]}`,
		"one":     checks.NecessaryCharter,
	}
	address := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, charters[strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/charter/"), ".json")])
	})
	for name, mistake := range map[string]string{
		"names": "it has 10002 names, hosts and stored items; an audit takes up to 10000", "hosts": "it has 10002 names, hosts and stored items; an audit takes up to 10000", "long": "it has more than 2097152 bytes", "aliases": "it has aliases",
		"deep": "publishes no charter", "json.json": "it is no JSON", "keys": "publishes no charter", "one": "",
	} {
		used := checks.Peak(func() {
			_, err := Run(terminal.NewPrinter(io.Discard), []string{address}, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Format: "json", Pages: 1, Charter: address + "/charter/" + name})
			if (err == nil) != (mistake == "") || err != nil && !strings.Contains(err.Error(), mistake) {
				t.Errorf("%s: %.300v", name, err)
			}
		})
		if used > 512*checks.Megabyte {
			t.Errorf("%s take %d MB", name, used/checks.Megabyte)
		}
	}
}

// An audit without a browser looks at no more than it says, and says what it has not
// looked at.
func TestAuditHasBounds(t *testing.T) {
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	var parts, names atomic.Int64
	address := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/cookies", "/flood":
			for range 10_000 { // of 21 bytes each
				w.Header().Add("Set-Cookie", fmt.Sprintf("%d=1", names.Add(1)))
			}
			if r.URL.Path == "/cookies" {
				fmt.Fprint(w, "<img src=flood>")
				for i := range 20 {
					fmt.Fprintf(w, "<img src=/flood?%d>", i)
				}
			}
		case "/header":
			w.Header().Set("X", strings.Repeat("x", (256<<10)))
		case "/long":
			fmt.Fprint(w, strings.Repeat("<a>", 8*checks.Megabyte/3))
		case "/references":
			fmt.Fprint(w, `<base href="/`+strings.Repeat("x", 4000)+`/">`, strings.Repeat("<img srcset='a,b'>", 2*checks.Megabyte/18))
		case "/base":
			fmt.Fprint(w, `<base href="/`+strings.Repeat("x", checks.Megabyte)+`/">`, strings.Repeat("<img src=a>", 2*checks.Megabyte/11))
		case "/parts":
			for i := range 2 * maxParts {
				fmt.Fprintf(w, "<img src=/part/%d>", i)
			}
		default:
			if strings.HasPrefix(r.URL.Path, "/part/") {
				parts.Add(1)
			}
		}
	})
	for path, want := range map[string]string{
		"/cookies":    "which of more than 180 cookies browsers keep of ",
		"/long":       "what comes after its first 4194304 bytes of ",
		"/references": "some references, of which there are many or very long ones of ",
		"/base":       "some references, of which there are many or very long ones of ",
		"/parts":      "its parts after the first 500 of ",
	} {
		used := checks.Peak(func() {
			report, err := Run(terminal.NewPrinter(io.Discard), []string{address + path}, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Format: "json", Pages: 1, Charter: charter})
			if err != nil || !report.Incomplete || !strings.Contains(strings.Join(report.Notes, "\n"), "Not looked at: "+want+address+path+".") {
				t.Errorf("%s: %v, %+v", path, err, report.Notes)
				return
			}
			if seen := len(report.Visits[0].Cookies); seen > maxCookies {
				t.Errorf("%s: tells of %d cookies", path, seen)
			}
			kept := 0
			for _, cookie := range report.Visits[0].Cookies {
				if cookie.Kept {
					kept++
				}
			}
			if kept > maxJar || path == "/cookies" && (len(report.Visits[0].Cookies) != maxCookies || !slices.ContainsFunc(report.Notes, func(note string) bool { return strings.Contains(note, "the cookies after the first 3300") })) {
				t.Errorf("%s: %d cookies, %d kept, %q", path, len(report.Visits[0].Cookies), kept, report.Notes)
			}
		})
		if used > 256*checks.Megabyte {
			t.Errorf("%s takes %d MB", path, used/checks.Megabyte)
		}
	}
	if parts.Load() != maxParts {
		t.Errorf("loads %d parts", parts.Load())
	}
	if _, err := Run(terminal.NewPrinter(io.Discard), []string{address + "/header"}, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Format: "json", Pages: 1, Charter: charter}); err == nil || !strings.Contains(err.Error(), "exceeded") {
		t.Errorf("%v", err)
	}
}

// The charter page is one page, in whatever language or format links ask for it, and leads
// nowhere. What is told in public is how many others have answered, and do not lead to it.
func TestAuditOfTheCharterPage(t *testing.T) {
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	address := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, `<a href="/terms/cookies-policy/?flg=fr"></a><a href="/terms/cookies-policy?flg=de"></a><a href="/terms/cookies-policy/"></a><a href="/away"></a><a href="/data"></a><a href="/gone"></a><a href="/terms/cookies"></a>`)
		case "/away":
			http.Redirect(w, r, "/terms/cookies-policy/", http.StatusFound)
		case "/data":
			fmt.Fprint(w, `<a href="/data/1"></a>`)
		case "/gone":
			w.WriteHeader(http.StatusNotFound)
		case "/terms/cookies-policy/":
			fmt.Fprint(w, `<a href="?flg=it"></a><a href="?format=json"></a><a href="audit"></a>`)
		}
	})
	for pages, test := range map[string]struct {
		want  []string
		count int
	}{
		"/":                                  {[]string{"", "/terms/cookies-policy/?flg=fr", "/away", "/data", "/gone", "/terms/cookies", "/data/1"}, 4},
		"/terms/cookies-policy/":             {[]string{"/terms/cookies-policy/"}, 0},
		"/ /gone /terms/cookies-policy?flg=": {[]string{"", "/gone", "/terms/cookies-policy?flg="}, 1},
	} {
		var named []string
		for path := range strings.FieldsSeq(pages) {
			named = append(named, address+path)
		}
		report, err := Run(terminal.NewPrinter(io.Discard), named, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Format: "json", Pages: 20, Charter: charter})
		if err != nil {
			t.Fatal(err)
		}
		var visited []string
		for _, page := range report.Pages {
			visited = append(visited, strings.TrimSuffix(strings.TrimPrefix(page, address), "/"))
		}
		for i := range test.want {
			test.want[i] = strings.TrimSuffix(test.want[i], "/")
		}
		if !slices.Equal(visited, test.want) || report.CountPages() != test.count || report.Incomplete || report.CharterPage != address+"/terms/cookies-policy/" {
			t.Errorf("%s: visits %q, counts %d, %+v", pages, visited, report.CountPages(), report)
		}
		if isNoted := slices.Contains(report.Notes, "Not found: "+address+"/gone, which was named."); isNoted != strings.Contains(pages, "/gone") {
			t.Errorf("%s: %q", pages, report.Notes)
		}
	}
}

// Servers that answer slowly hold an audit up for as long as it says.
func TestAuditEnds(t *testing.T) {
	declared, err := loadFileAlone(checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter + "  - {name: _ga, purpose: counts, category: statistics}\n"})+"charter.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	address := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			<-r.Context().Done()
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<img src=1><img src=2><a href=/slow></a>")
	})
	make := func(pageTime, limit time.Duration) Report {
		b := newHTTPBrowser(address + "/")
		b.time = pageTime
		a := &audit{browser: b, charter: declared, pages: []string{address + "/"}, maxPages: 2, progress: func(string) {}}
		if err := a.run(t.Context(), limit); err != nil {
			t.Fatal(err)
		}
		return a.report
	}
	report := make(200*time.Millisecond, time.Hour)
	if want := "Not looked at: 2 of its parts, which took too long of " + address + "/."; !report.Incomplete || !slices.Contains(report.Notes, want) || len(report.Failures) != 1 || len(report.Pages) != 2 {
		t.Errorf("%+v", report)
	}
	report = make(300*time.Millisecond, 450*time.Millisecond)
	if want := "what comes after 450ms, which is how long an audit of so many pages may take"; !report.Incomplete || !strings.Contains(strings.Join(report.Notes, ""), want) || len(report.Visits) != 1 {
		t.Errorf("%+v", report)
	}
	a := &audit{browser: newHTTPBrowser(address), charter: declared, pages: []string{address + "/slow"}, maxPages: 1, progress: func(string) {}}
	if err := a.run(t.Context(), 100*time.Millisecond); !errors.Is(err, errTooLong) {
		t.Errorf("%v", err)
	}
	if limit := timeLimit(20, time.Second); limit < 20*time.Minute || limit > time.Hour {
		t.Errorf("takes %v", limit)
	}
}

// Pages differ by their query, not by a session in their path, and a report shows no
// session.
func TestAuditOfPagesByQuery(t *testing.T) {
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	const secret = "0123456789abcdef"
	address := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		if answer := map[string]string{"/broken": "HTTP/1.1 200 OK\r\nSet-Cookie sid=%s\r\n\r\n", "/malformed": "HTTP/1.1 302 OK\r\nLocation: http://%%zz/%s\r\n\r\n"}[r.URL.Path]; answer != "" {
			connection, writer, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			fmt.Fprintf(writer, answer, secret)
			_ = writer.Flush()
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<a href="?id=1#a">1</a><a href="?id=1#b">1</a><a href="/x;jsessionid=%[1]s?id=2">2</a><a href="/x;jsessionid=%[2]d?id=2">2</a>
			<a href="/?id=3&sid=%[1]s1">3</a><a href="/?id=3&sid=%[1]s2">3</a><a href="/broken?token=%[1]s"></a><a href="/malformed?t=%[1]s"></a>`, secret, time.Now().UnixNano())
		for i := range 30 {
			fmt.Fprintf(w, `<a href="?day=%s-%d">later</a>`, r.URL.Query().Get("day"), i)
		}
	})
	for _, format := range []string{"json", "html", "text"} {
		var out bytes.Buffer
		made, err := Run(terminal.NewPrinter(io.Discard), []string{address + "/?token=" + secret}, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Format: format, Pages: 12, Charter: charter})
		if err != nil {
			t.Fatal(err)
		}
		if err := made.Write(terminal.NewPrinter(&out), format, Words{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), secret) || strings.Contains(out.String(), "jsessionid") {
			t.Errorf("%s", &out)
		}
		if format != "json" {
			continue
		}
		var report Report
		if err := json.Unmarshal(out.Bytes(), &report); err != nil {
			t.Fatal(err)
		}
		var pages []string
		for _, page := range report.Pages {
			pages = append(pages, strings.TrimPrefix(page, address))
		}
		want := []string{"/?token=…1", "/?id=1", "/x?id=2", "/?id=3&sid=…2", "/?id=3&sid=…3", "/broken?token=…1", "/malformed?t=…1", "/?day=-0", "/?day=-1", "/?day=-2", "/?day=-3", "/?day=-4"}
		slices.Sort(pages)
		slices.Sort(want)
		if !slices.Equal(pages, want) {
			t.Errorf("visits %q", pages)
		}
		if failures := strings.Join(report.Failures, "\n"); !strings.Contains(failures, "its answer is malformed") || !strings.Contains(failures, "malformed?t=…1, on the visit \"first\": its answer is malformed") {
			t.Errorf("%s", failures)
		}
	}
}

// A page that fails alike on all visits is told once.
func TestFailures(t *testing.T) {
	broken, gone := errors.New("it answers 500 Internal Server Error"), errors.New("it is gone")
	a := &audit{failedOn: map[failure][]string{}}
	for number := range visits {
		for range 2 { // as of two pages that are shown alike
			a.fail("https://a.example/broken", number, broken, false)
		}
		if number > 1 {
			a.fail("https://a.example/late", number, gone, false)
		}
		a.report.Visits = append(a.report.Visits, Visit{})
	}
	a.tellFailures()
	want := []string{"https://a.example/broken, on all visits: it answers 500 Internal Server Error", `https://a.example/late, on the visit "accepted": it is gone`, `https://a.example/late, on the visit "withdrawn": it is gone`}
	if !slices.Equal(a.report.Failures, want) || !a.report.Incomplete {
		t.Errorf("%q", a.report.Failures)
	}
	one := &audit{failedOn: map[failure][]string{}, report: Report{Visits: make([]Visit, 1)}}
	one.fail("https://a.example/broken", 0, broken, false)
	if one.tellFailures(); !slices.Equal(one.report.Failures, []string{`https://a.example/broken, on the visit "first": it answers 500 Internal Server Error`}) {
		t.Errorf("%q", one.report.Failures)
	}
}

package cookiecharter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// loadFileAlone loads a charter file.
func loadFileAlone(path, _ string) (auditCharter, error) {
	declared, err := loadFile(path)
	if err != nil {
		return auditCharter{}, err
	}
	joined, err := newCharter(declared)
	if err != nil {
		return auditCharter{}, err
	}
	if err := joined.sign(""); err != nil {
		return auditCharter{}, err
	}
	return auditCharter{charter: joined, version: joined.version, path: "/terms/cookies-policy/", published: func(row *Row) (duration, bool) { return row.published(true) }}, nil
}

// importAll imports a page of a server, and returns what it drafts and reports.
func importAll(t *testing.T, page string) (draft, report string, err error) {
	t.Helper()
	address := checks.Hostile(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
	var out, doubts bytes.Buffer
	err = importPage(&out, &doubts, address, "fr")
	return out.String(), doubts.String(), err
}

// An import reads as much of a page as it says, whatever that is, and says what it
// has not read.
func TestImportHasBounds(t *testing.T) {
	header := "<table><tr><th>Name<th>Purpose"
	rows := header + strings.Repeat("<tr><td>a<td>b", 8*checks.Megabyte/14)
	used := checks.Peak(func() {
		draft, report, err := importAll(t, rows)
		if err != nil || strings.Count(draft, "name: a\n") != maxRows-1 || !strings.Contains(report, "not looked at: rows after the first 10000") {
			t.Errorf("%d rows, %v, %.300s", strings.Count(draft, "name: a\n"), err, report)
		}
	})
	if used > 512*checks.Megabyte {
		t.Errorf("8 MB of rows take %d MB", used/checks.Megabyte)
	}
	for name, page := range map[string]string{
		"nothing but rows": "<table>" + strings.Repeat("<tr>", checks.Megabyte/2),
		"rows without end": "<table>" + strings.Repeat("<tr><td>a<td>b", 2*checks.Megabyte/14),
		"cells":            header + "<tr>" + strings.Repeat("<td>", checks.Megabyte/2),
		"nested tables":    header + strings.Repeat("<tr><td><table>", 2*checks.Megabyte/15),
		"open elements":    header + strings.Repeat("<b><p>", 2*checks.Megabyte/6),
		"names in one row": header + "<tr><td>" + strings.Repeat("a,b;c,", checks.Megabyte/3) + "<td>b",
		"many names":       header + "<tr><td>" + checks.ManyNames(200_000) + "<td>b",
		"lines":            "| Name | Purpose |\n|---|---|\n" + strings.Repeat("| a | b |\n", 2*checks.Megabyte/10),
		"one line":         "| Name | Purpose |\n|---|---|\n|" + strings.Repeat("a|", checks.Megabyte-20),
	} {
		if used := checks.Peak(func() { _, _, _ = importAll(t, page) }); used > 256*checks.Megabyte {
			t.Errorf("%s take %d MB", name, used/checks.Megabyte)
		}
	}
	if _, report, err := importAll(t, header+"<tr><td>a<td>b</table>"+strings.Repeat(" ", maxImport)); err != nil || !strings.Contains(report, "not looked at: what comes after the first 8388608 bytes") {
		t.Errorf("%v, %s", err, report)
	}
	if draft, report, err := importAll(t, header+"<tr><td>"+checks.ManyNames(maxNamesOfRow+2)+"<td>b"); err != nil || !strings.Contains(draft, `"63", '64,65,']`) || !strings.Contains(report, "is no cookie name") {
		t.Errorf("%v, %s, %s", err, report, draft)
	}
	if draft, report, err := importAll(t, header+"<tr>"+strings.Repeat("<td>x", maxColumns+1)); err != nil || !strings.Contains(report, "cells after the first 100") {
		t.Errorf("%v, %s, %s", err, report, draft)
	}
}

// An answer that does not end is read up to its bound.
func TestSourcesHaveBounds(t *testing.T) {
	address := checks.Hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 512 {
			if _, err := w.Write(bytes.Repeat([]byte(" "), checks.Megabyte)); err != nil {
				return
			}
		}
	})
	used := checks.Peak(func() {
		content, isWhole, err := readSource(address, maxImport)
		if len(content) != maxImport || isWhole || err != nil {
			t.Errorf("%d, %t, %v", len(content), isWhole, err)
		}
	})
	if used > 128*checks.Megabyte {
		t.Errorf("takes %d MB", used/checks.Megabyte)
	}
	tables := findTables([]byte("<table><tr>" + strings.Repeat("<td>x", 2*maxColumns) + "<tr><td>y"))
	if rows := tables.last().rows; !tables.isCut || len(rows) != 2 || len(rows[0]) != maxColumns {
		t.Errorf("%t, %q", tables.isCut, rows)
	}
}

// What happened to cookies is told once each, as it was to last longest, up to a bound.
func TestObservations(t *testing.T) {
	var seen observations
	place := heldCookie{name: "a", domain: "a.example", path: "/"}
	for _, seconds := range []int64{60, 3600, 5} {
		for _, persistent := range []bool{true, false} {
			place.life = setcookie.Lifetime{Seconds: seconds, Persistent: persistent}
			if !seen.add(observation{cookie: place}) {
				t.Fatal("has no room")
			}
		}
	}
	if !seen.add(observation{cookie: place, sent: true}) {
		t.Error("has no room for what was sent")
	}
	taken := seen.take()
	if len(taken) != 2 || taken[0].cookie.life != (setcookie.Lifetime{Seconds: 3600, Persistent: true}) || !taken[1].sent || len(seen.take()) != 0 {
		t.Errorf("%+v", taken)
	}
	added := 0
	for i := range 3 * maxSeen {
		if seen.add(observation{cookie: heldCookie{name: fmt.Sprint(i)}}) {
			added++
		}
	}
	if added != 2*maxSeen {
		t.Errorf("keeps %d", added)
	}
}

// manyNames returns names that differ, each of few bytes.
// What a table costs grows as its bytes do.
func TestImportIsLinear(t *testing.T) {
	header := "<table><tr><th>Name<th>Purpose"
	for name, page := range map[string]func(size int) string{
		"rows":   func(size int) string { return "<table>" + strings.Repeat("<tr><td>a<td>b", size/14) },
		"nested": func(size int) string { return header + strings.Repeat("<tr><td><table>", size/15) },
		"names":  func(size int) string { return header + "<tr><td>" + checks.ManyNames(size/6) + "<td>b" },
		"lines": func(size int) string {
			return "| Name | Purpose |\n|---|---|\n" + strings.Repeat("| a | b |\n", size/10)
		},
	} {
		checks.Linear(t, name, 4<<10, func(size int) {
			for _, table := range findTables([]byte(page(size))).list {
				_, body := findColumns(table.rows)
				for _, cells := range body {
					importRow(func(string) string { return cells[0] }, "", "fr")
				}
			}
		})
	}
}

// The charter that a site publishes has bounds.
func TestAuditedCharterHasBounds(t *testing.T) {
	charters := map[string]string{
		"names":   `{"cookies":[{"name":["` + strings.Join(slices.Collect(strings.SplitSeq(checks.ManyNames(maxNames+1), ",")), `","`) + `x"],"purpose":"p","category":"necessary"}]}`,
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
		"names": "it has 10002 names; an audit takes up to 10000", "long": "it has more than 2097152 bytes", "aliases": "it has aliases",
		"deep": "publishes no charter", "json.json": "it is no JSON", "keys": "publishes no charter", "one": "",
	} {
		used := checks.Peak(func() {
			_, err := makeAudit(newPrinter(io.Discard), []string{address}, auditOptions{usualPage: "/terms/cookies-policy/", load: loadFileAlone, format: "json", pages: 1, charter: address + "/charter/" + name})
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
			report, err := makeAudit(newPrinter(io.Discard), []string{address + path}, auditOptions{usualPage: "/terms/cookies-policy/", load: loadFileAlone, format: "json", pages: 1, charter: charter})
			if err != nil || !report.Incomplete || !strings.Contains(strings.Join(report.Notes, "\n"), "Not looked at: "+want+address+path+".") {
				t.Errorf("%s: %v, %+v", path, err, report.Notes)
				return
			}
			if seen := len(report.Visits[0].Cookies); seen > maxSeen {
				t.Errorf("%s: tells of %d cookies", path, seen)
			}
			kept := 0
			for _, cookie := range report.Visits[0].Cookies {
				if cookie.Kept {
					kept++
				}
			}
			if kept > maxKept || path == "/cookies" && (len(report.Visits[0].Cookies) != maxSeen || !slices.ContainsFunc(report.Notes, func(note string) bool { return strings.Contains(note, "the cookies after the first 3300") })) {
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
	if _, err := makeAudit(newPrinter(io.Discard), []string{address + "/header"}, auditOptions{usualPage: "/terms/cookies-policy/", load: loadFileAlone, format: "json", pages: 1, charter: charter}); err == nil || !strings.Contains(err.Error(), "exceeded") {
		t.Errorf("%v", err)
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
	make := func(pageTime, limit time.Duration) AuditReport {
		b := newHTTPBrowser(address + "/")
		b.time = pageTime
		a := &audit{browser: b, charter: declared, pages: []string{address + "/"}, most: 2, progress: func(string) {}}
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
	a := &audit{browser: newHTTPBrowser(address), pages: []string{address + "/slow"}, most: 1, progress: func(string) {}}
	if err := a.run(t.Context(), 100*time.Millisecond); !errors.Is(err, errTooLong) {
		t.Errorf("%v", err)
	}
	if limit := longest(20, time.Second); limit < 20*time.Minute || limit > time.Hour {
		t.Errorf("takes %v", limit)
	}
}

// Nobody is led to another host who has not asked for it.
func TestRedirectionsToOtherHosts(t *testing.T) {
	asked := false
	inside := checks.Hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		asked = true
		fmt.Fprint(w, "| Name | Purpose |\n|---|---|\n| a | b |\n")
	})
	site := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/own":
			http.Redirect(w, r, "/table", http.StatusFound)
		case "/table":
			fmt.Fprint(w, "| Name | Purpose |\n|---|---|\n| a | b |\n")
		case "/around":
			http.Redirect(w, r, "/around", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		default:
			http.Redirect(w, r, inside+"/?sessionid=0123456789abcdef", http.StatusFound)
		}
	})
	host := strings.TrimPrefix(inside, "http://")
	for path, mistake := range map[string]string{"/own": "", "/away": "it leads to another host, " + host, "/around": "20 times", "/file": "cannot be followed"} {
		if err := importPage(io.Discard, io.Discard, site+path, "fr"); (err == nil) != (mistake == "") || err != nil && !strings.Contains(err.Error(), mistake) {
			t.Errorf("%s: %v", path, err)
		}
		if mistake == "" {
			continue
		}
		if _, err := makeAudit(newPrinter(io.Discard), []string{site}, auditOptions{usualPage: defaultPagePath, load: loadForAudit, format: "json", pages: 1, charter: site + path}); err == nil || !strings.Contains(err.Error(), mistake) {
			t.Errorf("%s: %v", path, err)
		}
	}
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	if _, err := makeAudit(newPrinter(io.Discard), []string{site + "/away"}, auditOptions{usualPage: defaultPagePath, load: loadForAudit, format: "json", pages: 1, charter: charter}); err == nil || !strings.HasSuffix(err.Error(), "it leads to another site, "+inside) {
		t.Errorf("%v", err)
	}
	if asked {
		t.Error("another host was asked")
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
		made, err := makeAudit(newPrinter(io.Discard), []string{address + "/?token=" + secret}, auditOptions{usualPage: "/terms/cookies-policy/", load: loadFileAlone, format: format, pages: 12, charter: charter})
		if err != nil {
			t.Fatal(err)
		}
		if err := made.write(newPrinter(&out), format); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), secret) || strings.Contains(out.String(), "jsessionid") {
			t.Errorf("%s", &out)
		}
		if format != "json" {
			continue
		}
		var report AuditReport
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

func TestWithoutParameters(t *testing.T) {
	for path, want := range map[string]string{
		"": "", "/": "/", "/a/b": "/a/b", "/a;jsessionid=1/b;v=2": "/a/b", "/a%3bjsessionid=1": "/a", "/a%3Bx=1/": "/a/", ";": "", "/;/;x/y": "///y",
		"/a%253Bx": "/a", "/a%25%33%42x/b": "/a/b", "/a%253%42x": "/a", "/a%%33Bx": "/a", "/a%25zz%25253bx": "/a%25zz", "/a%" + strings.Repeat("25", 20) + "3Bx": "/a",
		"/a%3Bx=%2Fsecret/b": "/a/b", "/a%3Bx=%252Fsecret/b": "/a/b", "/a%2Fb%3Bx": "/a%2Fb", "/a%+3b%3": "/a%+3b%3", "/é%C3%A9%": "/é%C3%A9%",
	} {
		if got := withoutParameters(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	const secret = "0123456789abcdef0123456789abcdef"
	var addresses shownAddresses
	for _, test := range [][2]string{
		{"https://a.example/p?" + secret + "=1&page=2", "https://a.example/p?…1=1&page=2"},
		{"https://a.example/p?" + secret, "https://a.example/p?…1"},
		{"https://a.example/p?" + secret + "x=" + secret, "https://a.example/p?…2=…1"},
		{"https://a.example/a%25%33%42" + secret + "?a=", "https://a.example/a?a="},
	} {
		if got := addresses.show(test[0]); got != test[1] {
			t.Errorf("%s: %s", test[0], got)
		}
	}
}

// Names below localhost are this machine, as in browsers, whatever name servers say.
func TestAuditOfLocalhost(t *testing.T) {
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	for _, bind := range []string{"127.0.0.1:0", "[::1]:0"} {
		listener, err := net.Listen("tcp", bind)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Set-Cookie", "seen=1; Secure; Domain="+strings.Split(r.Host, ":")[0])
		})}
		go func() { _ = server.Serve(listener) }()
		defer server.Close()
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		for _, host := range []string{"portal.localhost", "A.B.localhost", "localhost"} {
			report, err := makeAudit(newPrinter(io.Discard), []string{"http://" + host + ":" + port}, auditOptions{usualPage: "/terms/cookies-policy/", load: loadFileAlone, format: "json", pages: 1, charter: charter})
			if err != nil || len(report.Visits[0].Cookies) != 1 || !report.Visits[0].Cookies[0].Kept {
				t.Errorf("%s: %v, %+v", host, err, report)
			}
		}
	}
}

// A browser has its sandbox, unless somebody says otherwise.
func TestSandbox(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter, "browser": "#!/bin/sh\necho \"$@\" > \"$0.arguments\"\n"})
	if err := os.Chmod(folder+"browser", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, noSandbox := range []bool{false, true} {
		_, err := makeAudit(newPrinter(io.Discard), []string{"http://127.0.0.1:1"}, auditOptions{usualPage: "/terms/cookies-policy/", load: loadFileAlone, format: "json", pages: 1, charter: folder + "charter.yaml", browser: folder + "browser", noSandbox: noSandbox})
		arguments, _ := os.ReadFile(folder + "browser.arguments")
		if err == nil || strings.Contains(string(arguments), "--no-sandbox") != noSandbox || strings.Contains(err.Error(), "it does not run as root") == noSandbox {
			t.Errorf("%t: %v\n%s", noSandbox, err, arguments)
		}
	}
	if _, err := makeAudit(newPrinter(io.Discard), []string{"http://127.0.0.1:1"}, auditOptions{usualPage: "/terms/cookies-policy/", load: loadFileAlone, format: "json", pages: 1, noSandbox: true}); err == nil || !strings.Contains(err.Error(), "goes with --browser") {
		t.Errorf("%v", err)
	}
}

// What a browser tells of hostile pages is kept up to a bound, and read at a cost that
// grows as it does.
func TestChromiumHasBounds(t *testing.T) {
	parameters, err := json.Marshal(map[string]any{"headers": map[string]string{"x": strings.Repeat("x", checks.Megabyte)}})
	if err != nil {
		t.Fatal(err)
	}
	c := &chromium{replies: make(chan reply, 1)}
	for range 2 * maxEvents / checks.Megabyte {
		for _, method := range []string{"Network.responseReceivedExtraInfo", "Network.dataReceived"} {
			c.replies <- reply{event: event{Method: method, Params: parameters}}
			if _, err := c.receive(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(c.events) > maxEvents/checks.Megabyte || len(c.observed()) != 0 || len(c.leftOut()) != 1 || c.size != 0 {
		t.Errorf("keeps %d events, %q", len(c.events), c.leftOut())
	}

	output, browser := io.Pipe()
	c = &chromium{replies: make(chan reply, 8)}
	go c.listen(output)
	go func() {
		defer browser.Close()
		fmt.Fprint(browser, `{"id":1}`+"\x00"+`{"id":2,"x":"`)
		for range maxMessage / checks.Megabyte {
			_, _ = browser.Write(bytes.Repeat([]byte("x"), checks.Megabyte))
		}
		fmt.Fprint(browser, `"}`+"\x00"+`{"id":3,"result":"`+strings.Repeat("x", checks.Megabyte)+`"}`+"\x00")
	}()
	var told []int
	for received := range c.replies {
		told = append(told, received.ID)
	}
	if !slices.Equal(told, []int{1, 3}) {
		t.Errorf("reads the messages %v", told)
	}

	checks.Linear(t, "blocked lines", 4<<10, func(size int) {
		var lines []string
		var blocked []map[string]string
		for i := range size / 8 {
			lines = append(lines, fmt.Sprintf("%x=1", i))
			blocked = append(blocked, map[string]string{"CookieLine": lines[i]})
		}
		sent, _ := json.Marshal(map[string]any{"requestId": "1", "request": map[string]string{"url": "http://a.example/"}})
		received, _ := json.Marshal(map[string]any{"requestId": "1", "headers": map[string]string{"Set-Cookie": strings.Join(lines, "\n")}, "blockedCookies": blocked})
		c := &chromium{events: []event{{Method: "Network.requestWillBeSent", Params: sent}, {Method: "Network.responseReceivedExtraInfo", Params: received}}}
		if len(c.observed()) != 0 {
			t.Error("tells of blocked cookies")
		}
	})
}

package cookiecharter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/draft"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// findings returns what a report accuses of, as lines.
func findings(report *audit.Report) []string {
	var found []string
	for _, visit := range report.Visits {
		for _, cookie := range visit.Cookies {
			for _, violation := range cookie.Violations {
				found = append(found, fmt.Sprintf("%s: %s %s", visit.Visit, cookie.Name, violation))
			}
		}
	}
	return found
}

// An audit finds every planted violation, and none besides.
func TestAudit(t *testing.T) {
	planted, enforced := strconv.Itoa(freePort()), strconv.Itoa(freePort())
	t.Setenv("PLANTED_PORT", planted)
	t.Setenv("ENFORCED_PORT", enforced)
	sites, err := os.ReadFile("testdata/audit.caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	load(t, string(sites))

	expected, err := os.ReadFile("testdata/audit.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(expected)), "\n")
	report, err := audit.Run(terminal.NewPrinter(io.Discard), []string{"http://127.0.0.1:" + planted}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "json", Pages: 20})
	if err != nil {
		t.Fatal(err)
	}
	if got := findings(report); !slices.Equal(got, want) || report.Violations != len(want) {
		t.Errorf("%d: got\n%s\nnot\n%s", report.Violations, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var paths []string
	for _, page := range report.Pages {
		paths = append(paths, strings.TrimPrefix(page, "http://127.0.0.1:"+planted))
	}
	if want := []string{"", "/eager?x=1", "/eager?x=2", "/hop", "/script"}; !slices.Equal(paths, want) {
		t.Errorf("visits %q, not %q", paths, want)
	}
	withdrawn := report.Visits[3].Cookies
	stays := withdrawn[slices.IndexFunc(withdrawn, func(cookie audit.Cookie) bool { return cookie.Name == "_pk_ses.1" })]
	if !stays.Kept || !stays.Sent || stays.SetBy != "" || stays.Lifetime != "" || stays.Declared != "30 minutes" || stays.Cookie != "_pk_ses.<site>.<hash>" || stays.Category != charter.Statistics || stays.Verdict != judge.Refused || stays.Domain != "127.0.0.1" || stays.Path != "/" {
		t.Errorf("%+v", stays)
	}

	refusal := report.Visits[1].Cookies
	stored := refusal[slices.IndexFunc(refusal, func(cookie audit.Cookie) bool { return cookie.Name == "cookies_preferences" })]
	if stored.SetBy != "answer" || stored.Lifetime != "6 months" || stored.Declared != "6 months" || !stored.Kept {
		t.Errorf("%+v", stored)
	}
	for pages, want := range map[string]int{"/": 3, "/ /eager": 2} {
		var addresses []string
		for path := range strings.FieldsSeq(pages) {
			addresses = append(addresses, "http://127.0.0.1:"+planted+path)
		}
		if report, err := audit.Run(terminal.NewPrinter(io.Discard), addresses, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "json", Pages: 3}); err != nil || len(report.Pages) != want {
			t.Errorf("%s: %v, %q", pages, err, report.Pages)
		}
	}

	report, err = audit.Run(terminal.NewPrinter(io.Discard), []string{"http://127.0.0.1:" + enforced}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "json", Pages: 20})
	if err != nil || report.Violations != 0 || len(findings(report)) != 0 || len(report.Visits) != 4 {
		t.Errorf("%v, %+v", err, report)
	}
}

// Hosts are held against the charter of a config that keeps pages to them.
func TestAuditOfAConfigWithHosts(t *testing.T) {
	for options, want := range map[string]bool{"": false, "hosts": true, "hosts monitor": false, "hosts\nmonitor undeclared": false} {
		config := checks.WriteFiles(t, map[string]string{"Caddyfile": "http://a.example {\ncookie_charter {\npreset django\n" + options + "\n}\n}\n"}) + "Caddyfile"
		if loaded, err := loadForAudit(config, "a.example"); err != nil || loaded.HoldsHosts != want {
			t.Errorf("%q: %v, %t", options, err, loaded.HoldsHosts)
		}
	}
}

// Without a form, or without questions, there is one visit only, and the report
// says so.
func TestAuditOfOtherSites(t *testing.T) {
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": commandCharter + "  - {name: prefs, match: prefs*, purpose: sorts, category: necessary}\n", "necessary.yaml": "cookies:\n  - {name: sessionid, purpose: signs in, category: necessary}\n"})
	fails := false
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/fails":
			w.WriteHeader(http.StatusInternalServerError)
		case "/loops":
			http.Redirect(w, r, "/loops", http.StatusFound)
		case "/away":
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/deaf":
			fmt.Fprint(w, `<form method=post><button name=all value=granted></button><button name=all value=refused></button></form>`)
		case "/parts/":
			fmt.Fprint(w, `<base href=/parts/of/><noscript><img src=noscript></noscript><img srcset="small 1x, large 2x"><video poster=poster></video>
				<object data=object></object><link rel=preload href=preload><meta http-equiv=refresh content="9; url='later'"><a href=/missing></a>`)
		case "/parts/of/later", "/parts/of/noscript", "/parts/of/small", "/parts/of/large", "/parts/of/poster", "/parts/of/object", "/parts/of/preload":
			w.Header().Add("Set-Cookie", path.Base(r.URL.Path)+"=1")
		case "/form":
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusForbidden)
			}
			fmt.Fprint(w, `<form method=post><button name=all value=granted></button><button name=all value=refused></button></form>`)
		case "/":
			if fails {
				panic(http.ErrAbortHandler)
			}
			w.Header().Add("Set-Cookie", "_ga=1; Max-Age=99999999")
			w.Header().Add("Set-Cookie", "prefs[a]=1")
			// By the clock of this answer, that is too long.
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			w.Header().Add("Set-Cookie", "_gid=1; Expires="+time.Now().Add(time.Duration(13*2629746)*time.Second-time.Minute).UTC().Format(http.TimeFormat))
			fmt.Fprint(w, `<a href=/fails></a><a href=/loops></a><a href=/away></a><a href="/::"></a>`)
		}
	}))
	defer portal.Close()

	var out bytes.Buffer
	options := audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "text", Pages: 20, Charter: charter + "charter.yaml"}
	err := runAudit(terminal.NewPrinter(&out), terminal.NewPrinter(io.Discard), []string{portal.URL}, "en", delivery{}, options)
	for _, want := range []string{
		"No scripts ran", "No answer was given", "no form for answers at " + portal.URL + "/terms/cookies-policy/",
		portal.URL + `/fails, on the visit "first": it answers 500`, "Not followed: " + portal.URL + "/away, as it leads to another site, http://elsewhere.example.\n", "leads from one address to the next",
		"set for 1158 days, published is 13 months", "undeclared", "\nCookies that violate the charter: 3 (pages or visits are missing)\n", "none: no scripts ran", portal.URL + "/fails  500\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if !errors.Is(err, errDifferences) || strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "Visit: ") != 1 {
		t.Errorf("%v\n%s", err, &out)
	}

	// What scripts are not needed for is loaded; a broken link is a page, too.
	report, err := audit.Run(terminal.NewPrinter(io.Discard), []string{strings.ToUpper(portal.URL) + "/parts/#x"}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "json", Pages: 9, Charter: charter + "necessary.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, cookie := range report.Visits[0].Cookies {
		names = append(names, cookie.Name)
	}
	if want := []string{"large", "later", "noscript", "object", "poster", "preload", "small"}; !slices.Equal(names, want) || report.Incomplete || !strings.HasSuffix(report.Site, "/parts/") || strings.ToLower(report.Site) != report.Site {
		t.Errorf("%s, %q, incomplete %t", report.Site, names, report.Incomplete)
	}

	// What was not seen is not clean.
	options.Charter = charter + "charter.yaml"
	out.Reset()
	if err := runAudit(terminal.NewPrinter(&out), terminal.NewPrinter(io.Discard), []string{portal.URL + "/fine"}, "en", delivery{}, options); !errors.Is(err, errIncomplete) || !strings.Contains(out.String(), "No violations were seen, but pages or visits are missing") {
		t.Errorf("%v\n%s", err, &out)
	}

	options.Charter, options.Format = charter+"necessary.yaml", "html"
	out.Reset()
	if err := runAudit(terminal.NewPrinter(&out), terminal.NewPrinter(io.Discard), []string{portal.URL + "/fine", portal.URL + "/away"}, "en", delivery{}, options); !errors.Is(err, errIncomplete) {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"No violations were seen, but pages or visits are missing", "The charter asks nothing", "No cookies", portal.URL + "/away, on the visit &#34;first&#34;: it leads to another site, http://elsewhere.example"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}

	fails = true
	for _, test := range []struct {
		pages   []string
		options audit.Options
		mistake string
	}{
		{[]string{portal.URL}, options, "EOF"},
		{[]string{"opendata.example.fr"}, options, "unusable address"},
		{[]string{"nosuch.json"}, options, "there is no report \"nosuch.json\""},
		{[]string{portal.URL, "findings"}, options, "write --publish=findings"},
		{[]string{strings.Replace(portal.URL, "//", "//bob:secret@", 1)}, options, "leave user and password out"},
		{nil, options, "name the site: caddy cookie-charter audit https://opendata.example.fr"},
		{[]string{portal.URL}, audit.Options{Format: "text", Pages: 1, Pictures: "x"}, "--screenshots goes with --browser"},
		{[]string{portal.URL}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "text"}, "--pages is at least 1"},
		{[]string{portal.URL + "/away"}, options, "it leads to another site, http://elsewhere.example"},
		{[]string{portal.URL + "/missing"}, options, "there is no such page"},
		{[]string{portal.URL + "/fine"}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "text", Pages: 1, Charter: charter + "charter.yaml", Page: "/deaf"}, "has not stored the answer"},
		{[]string{portal.URL, "http://elsewhere.example"}, options, "is not of the site"},
		{[]string{portal.URL}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "pdf"}, "unknown format"},
		{[]string{portal.URL}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "text", Pages: 1, Accept: []string{"a"}, Browser: "x"}, "go together"},
		{[]string{portal.URL}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "text", Pages: 1, Accept: []string{"a"}, Refuse: []string{"a"}, Withdraw: []string{"a"}}, "with --browser"},
		{[]string{portal.URL}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "text", Pages: 1, Page: "/fails"}, "answers 500 Internal Server Error; name another by --charter"},
		{[]string{portal.URL + "/fine"}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "text", Pages: 1, Charter: charter + "charter.yaml", Page: "/form"}, "answers 403 Forbidden"},
		{[]string{portal.URL}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "text", Pages: 1}, "publishes no charter of this module"},
		{[]string{portal.URL}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "text", Pages: 1, Charter: charter + "charter.yaml", Browser: "/does/not/exist"}, "no such file"},
		{[]string{portal.URL}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "text", Pages: 1, Charter: charter + "charter.yaml", Browser: "/bin/true"}, "the browser has ended"},
	} {
		if err := runAudit(terminal.NewPrinter(io.Discard), terminal.NewPrinter(io.Discard), test.pages, "en", delivery{}, test.options); err == nil || !strings.Contains(err.Error(), test.mistake) {
			t.Errorf("%q: %v", test.mistake, err)
		}
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
		if err := draft.Import(io.Discard, io.Discard, site+path, "fr"); (err == nil) != (mistake == "") || err != nil && !strings.Contains(err.Error(), mistake) {
			t.Errorf("%s: %v", path, err)
		}
		if mistake == "" {
			continue
		}
		if _, err := audit.Run(terminal.NewPrinter(io.Discard), []string{site}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "json", Pages: 1, Charter: site + path}); err == nil || !strings.Contains(err.Error(), mistake) {
			t.Errorf("%s: %v", path, err)
		}
	}
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	if _, err := audit.Run(terminal.NewPrinter(io.Discard), []string{site + "/away"}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "json", Pages: 1, Charter: charter}); err == nil || !strings.HasSuffix(err.Error(), "it leads to another site, "+inside) {
		t.Errorf("%v", err)
	}
	if asked {
		t.Error("another host was asked")
	}
}

// One audit has a report in several formats, in a language of the page, and the next one
// is compared with it.
func TestAuditForTheFiles(t *testing.T) {
	site := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "planted=1; Max-Age=1209600")
		fmt.Fprint(w, "<p>")
	})
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter})
	options := audit.Options{Format: "text", Pages: 1, Charter: folder + "charter.yaml", By: "DPO, Ys"}
	var out bytes.Buffer
	err := runAudit(terminal.NewPrinter(&out), terminal.NewPrinter(io.Discard), []string{site}, "fr", delivery{outputs: []string{folder + "a.html", folder + "a.JSON", folder + "a.xml", folder + "a.txt"}}, options)
	if !errors.Is(err, errDifferences) || !strings.Contains(out.String(), "\nÉtabli par                       DPO, Ys\n") || !strings.Contains(out.String(), "cookie_charter "+moduleVersion()) || !strings.Contains(out.String(), "  2 semaines  ") {
		t.Errorf("%v\n%s", err, &out)
	}
	for name, want := range map[string]string{"a.html": `<html lang="fr" dir="ltr">`, "a.JSON": `"by": "DPO, Ys"`, "a.xml": "<failure message=\"non déclaré\">", "a.txt": out.String()} {
		if content, err := os.ReadFile(folder + name); err != nil || !strings.Contains(string(content), want) {
			t.Errorf("%s: %v\n%s", name, err, content)
		}
	}
	options.Since = folder + "a.JSON"
	out.Reset()
	if err := runAudit(terminal.NewPrinter(&out), terminal.NewPrinter(io.Discard), []string{site}, "en", delivery{}, options); !errors.Is(err, errDifferences) || !strings.Contains(out.String(), "Nothing is new, and nothing is gone.") {
		t.Errorf("%v\n%s", err, &out)
	}
	for _, test := range []struct{ language, output, mistake string }{
		{"xx", "", "does not speak"}, {"en", folder + "a.pdf", "unknown format of"}, {"en", folder + "none/a.html", "no such file"},
	} {
		var outputs []string
		if test.output != "" {
			outputs = []string{test.output}
		}
		if err := runAudit(terminal.NewPrinter(io.Discard), terminal.NewPrinter(io.Discard), []string{site}, test.language, delivery{outputs: outputs}, options); err == nil || !strings.Contains(err.Error(), test.mistake) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	for _, language := range page.Languages {
		words, err := page.WordsIn(language)
		if err != nil || words.Direction == "" || words.Date(time.Now()) == "" || words.Duration(charter.Duration{Count: 2, Unit: "week"}) == "" {
			t.Errorf("%s: %v", language, err)
		}
	}
}

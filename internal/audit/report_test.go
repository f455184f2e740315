package audit

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// madeReport returns a report of two visits with two cookies and a host, sealed.
func madeReport(t *testing.T) *Report {
	t.Helper()
	began := time.Date(2026, 11, 28, 9, 30, 0, 0, time.FixedZone("CET", 3600))
	page := func(status int) []Page { return []Page{{Address: "https://data.example.fr/a", Status: status}} }
	tracker := Cookie{Name: "_ga", Domain: ".example.fr", Path: "/", Cookie: "_ga", Category: charter.Statistics, Verdict: judge.Refused, Declared: "13 months", Page: "https://data.example.fr/a"}
	report := &Report{
		Site: "https://data.example.fr", Time: began, Ended: began.Add(90 * time.Second), Tool: "cookie_charter v1", By: "DPO, Ys", Browser: "Chrome/1",
		Charter: "charter.yaml", Version: "0123456789ab", CharterHash: "abc", Pages: []string{"https://data.example.fr/a"}, Limits: limitsOf(true), Violations: 3,
		Visits: []Visit{
			{Visit: "first", Answer: "none", Pages: page(200), Cookies: []Cookie{tracker}, Hosts: []Host{{Host: "cdn.example", Reached: true, Page: "https://data.example.fr/a", Violations: []string{"undeclared"}}}},
			{Visit: "refused", Answer: "refused", AnsweredAt: "https://data.example.fr/c", Clicked: []string{"#more", "#refuse"}, Pages: page(404), Cookies: []Cookie{tracker, {Name: "<b>", Domain: "data.example.fr", Path: "/", SetBy: "header", Sent: true, Lifetime: "session"}}},
		},
	}
	first := &report.Visits[0].Cookies[0]
	first.SetBy, first.Kept, first.Sent, first.Lifetime, first.Seconds = "script", true, true, "1158 days", 1158*86400
	first.Violations = []string{"set for 1158 days, published is 13 months"}
	second := &report.Visits[1].Cookies[0]
	second.Kept, second.Violations = true, []string{"kept after refusal"}
	report.Findings = report.findings()
	if err := report.seal(); err != nil {
		t.Fatal(err)
	}
	return report
}

// written returns a report as it is written.
func written(t *testing.T, report *Report, format string, words Words, width int) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.Write(&terminal.Printer{Out: &out, Width: width}, format, words); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// As text, a cookie is a row, whatever it violates, and nothing is cut.
func TestReportAsText(t *testing.T) {
	report := madeReport(t)
	text := written(t, report, "text", Words{}, 0)
	for _, want := range []string{
		"Audit of https://data.example.fr\n\nDate ", "2026-11-28, from 09:30:00 to 09:31:30 (UTC+01:00)\n", "\nMade by                      DPO, Ys\n", "cookie_charter v1\n", "Chrome/1\n",
		"\nVisit: first                 no answer\n", "\nVisit: refused               answer refused, by clicking #more, #refuse on https://data.example.fr/c\n",
		"version 0123456789ab, from charter.yaml\nHash of the charter          SHA-256 abc\n", "SHA-256 " + report.Hash + "\n",
		"\nViolations\ncookie  _ga (.example.fr /)  set for 1158 days, published is 13 months; kept after refusal\nhost    cdn.example          undeclared\n",
		"\nCOOKIE                   DECLARED AS      FIRST                 REFUSED       LIFETIME                          FIRST ON\n",
		"\n_ga (.example.fr /)      _ga, statistics  ✗ script, kept, sent  ✗ kept        1158 days (published: 13 months)  /a\n",
		"\n<b> (data.example.fr /)  ", "\ncdn.example  undeclared   ✗ reached  –        –        /a\n", "\nhttps://data.example.fr/a  200    404\n",
		"\nWhat this cannot see\n- Nobody was signed in,", "\nCookies that violate the charter: 1; hosts: 1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	report.Visits[0].Cookies[0].Name = strings.Repeat("long ", 40) + "end"
	report.Notes = []string{"The charter is that of other hosts: " + strings.Repeat("data.example.fr, maps.example.fr, ", 25) + "last.example.fr."}
	for i := range 30 {
		report.Visits[0].Cookies = append(report.Visits[0].Cookies, Cookie{Name: fmt.Sprintf("of_another_host_%d", i), Domain: "cdn.example", Path: "/", Host: "cdn.example"})
	}
	text = written(t, report, "text", Words{}, 0)
	if !strings.Contains(text, "long end") || strings.Contains(text, "…") {
		t.Errorf("is cut:\n%s", text)
	}
	report.Notes, report.Visits[0].Cookies, report.Incomplete = report.Notes[:1], report.Visits[0].Cookies[:1], true
	report.Findings = append(report.Findings, Finding{Kind: kindItem, Name: "theme", Storage: "localStorage"})
	narrow := written(t, report, "text", Words{}, 80)
	if !strings.Contains(narrow, "\nNotes\n- The charter is that of other hosts: data.example.fr, maps.example.fr,\n  data.example.fr, ") {
		t.Errorf("%s", narrow)
	}
	for line := range strings.Lines(narrow) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("wider than a terminal: %q", line)
		}
	}
	if strings.Contains(narrow, "…") || !strings.Contains(narrow, "1158 days (published: 13") {
		t.Errorf("is cut:\n%s", narrow)
	}

	none := &Report{Incomplete: true, Notes: []string{"The charter asks nothing, so there is one visit only."}}
	if text := written(t, none, "text", Words{}, 0); !strings.Contains(text, "\nNotes\n- The charter") || !strings.HasSuffix(text, "\nNo violations were seen, but pages or visits are missing\n") {
		t.Errorf("%s", text)
	}
	none.Incomplete = false
	var out bytes.Buffer
	if err := none.Write(&terminal.Printer{Out: &out, IsTerminal: true}, "text", Words{}); err != nil || !strings.HasSuffix(out.String(), "\x1b[32mNo violations of the charter\x1b[0m\n") {
		t.Errorf("%v\n%q", err, &out)
	}
}

// A row has the longest lifetime of all visits, and each violation once.
func TestRowsOfReport(t *testing.T) {
	visit := func(name, lifetime string, seconds int64) Visit {
		return Visit{Visit: name, Cookies: []Cookie{{Name: "a", Lifetime: lifetime, Seconds: seconds, SetBy: "header", Violations: []string{"undeclared"}}}}
	}
	report := &Report{Visits: []Visit{visit("first", "1 hour", 3600), visit("refused", "2 hours", 7200), visit("accepted", "1 hour", 3599), visit("withdrawn", "", 0)}}
	rows := report.cookieRows()
	if len(rows) != 1 || rows[0].Lifetime != "2 hours" || len(rows[0].Cells) != 4 || len(rows[0].Violations) != 4 || !slices.Equal(rows[0].What(), []string{"undeclared"}) {
		t.Errorf("%+v", rows)
	}
}

// A report tells how far storage was looked at.
func TestLimitsOfStorage(t *testing.T) {
	for hasBrowser, want := range map[bool]string{true: "only local and session storage and the names of databases were looked at, after each page.", false: "was not looked at."} {
		if told := slices.DeleteFunc(limitsOf(hasBrowser), func(limit string) bool { return !strings.Contains(limit, "elsewhere than in cookies") }); len(told) != 1 || !strings.HasSuffix(told[0], want) {
			t.Errorf("%t: %q", hasBrowser, told)
		}
	}
}

// As HTML, it is the same, and prints all.
func TestReportAsHTML(t *testing.T) {
	report := madeReport(t)
	report.Site, report.Hash = `https://data.example.fr/"</style>`, `0123456789"</style>`
	html := written(t, report, "html", Words{Language: "fr", Direction: "ltr", Date: func(time.Time) string { return "28 novembre 2026" }, Duration: charter.Duration.String}, 0)
	for _, want := range []string{
		`<html lang="fr" dir="ltr">`, "28 novembre 2026, de 09:30:00 à 09:31:30", "<dt>Établi par</dt><dd>DPO, Ys</dd>", "Cookies contraires à la charte\u00a0: 1\u00a0; domaines\u00a0: 1",
		"déposé pour 1158 days, publié\u00a0: 13 months\u00a0; gardé après le refus", `<th scope="col">première</th><th scope="col">refus</th>`,
		`<th scope="row"><code>&lt;b&gt;</code> <span class="place">(data.example.fr /)</span></th><td>non déclaré</td><td>–</td><td>en-tête, envoyé</td>`,
		`content: "https://data.example.fr, 2026-11-28 09:30, 0123456789/sty"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in\n%s", want, html)
		}
	}
	if strings.Contains(html, "ZgotmplZ") || strings.Count(html, "</style>") != 1 {
		t.Errorf("%s", html)
	}
}

// Whoever has a report as JSON can tell that it was not changed, without this program.
func TestHashOfReport(t *testing.T) {
	report := madeReport(t)
	report.By = "bidi \u202e and \x1b"
	if err := report.seal(); err != nil {
		t.Fatal(err)
	}
	content := []byte(written(t, report, "json", Words{}, 0))
	rest := regexp.MustCompile(`(?m)^  "hash": .*\n`).ReplaceAll(content, nil)
	if !json.Valid(rest) || len(rest) == len(content) || hashOf(rest) != report.Hash {
		t.Errorf("%s", content)
	}
	read, err := ReadReport(content)
	if err != nil || !reflect.DeepEqual(read.Findings, report.Findings) || !read.Time.Equal(report.Time) || read.By != report.By {
		t.Errorf("%v, %+v", err, read)
	}
	for changed, mistake := range map[string]string{
		strings.Replace(string(content), `"violations": 3`, `"violations": 0`, 1):                      "it was changed",
		strings.Replace(string(content), "audit.schema.json", "x", 1):                                  "of an earlier version",
		strings.Replace(string(content), report.Hash+`",`, report.Hash+`", "by": "somebody else",`, 1): "it was changed",
		string(rest): "of an earlier version", "{": "no report",
	} {
		if _, err := ReadReport([]byte(changed)); err == nil || !strings.Contains(err.Error(), mistake) {
			t.Errorf("%q: %v", mistake, err)
		}
	}
	// A cell is made for each cookie and each visit, so that visits have to have an end.
	for range 100_000 {
		report.Visits = append(report.Visits, Visit{})
	}
	if err := report.seal(); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadReport([]byte(written(t, report, "json", Words{}, 0))); err == nil {
		t.Error("a report with any number of visits is read")
	}
}

// A report of many hosts and cookies takes no longer than both.
func TestReportOfManyHosts(t *testing.T) {
	report := madeReport(t)
	visit := &report.Visits[0]
	for i := range 3000 {
		visit.Cookies = append(visit.Cookies, Cookie{Name: fmt.Sprint("c", i), Host: fmt.Sprint("h", i%1000)})
	}
	for i := range 1000 {
		visit.Hosts = append(visit.Hosts, Host{Host: fmt.Sprint("h", i)})
	}
	english, err := readLanguage(Words{})
	if err != nil {
		t.Fatal(err)
	}
	v := &view{Report: report, language: english}
	rows := v.HostRows()
	v.CookiesOf(rows[0])
	if got := testing.AllocsPerRun(1, func() { v.CookiesOf(rows[1]) }); got > 10 {
		t.Errorf("%v allocations for the cookies of one host", got)
	}
}

// The schema that is published has all members of a report, and no others.
func TestSchemaOfReports(t *testing.T) {
	content, err := os.ReadFile("../../docs/" + schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type definition struct {
		Required   []string
		Properties map[string]json.RawMessage
		Closed     *bool `json:"additionalProperties"`
	}
	var schema struct {
		definition
		Definitions map[string]definition `json:"$defs"`
	}
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]reflect.Type{
		"": reflect.TypeFor[Report](), "visit": reflect.TypeFor[Visit](), "page": reflect.TypeFor[Page](), "screenshot": reflect.TypeFor[Screenshot](), "cookie": reflect.TypeFor[Cookie](), "item": reflect.TypeFor[Item](), "stopped": reflect.TypeFor[Stopped](),
		"host": reflect.TypeFor[Host](), "finding": reflect.TypeFor[Finding](), "violation": reflect.TypeFor[Violation](), "since": reflect.TypeFor[Since](),
	} {
		written := schema.definition
		if name != "" {
			written = schema.Definitions[name]
		}
		var members, required []string
		for field := range of.Fields() {
			if !field.IsExported() {
				continue
			}
			member, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			members = append(members, member)
			if options == "" || member == "hash" { // which every report has that was written
				required = append(required, member)
			}
		}
		slices.Sort(members)
		if got := slices.Sorted(func(yield func(string) bool) {
			for member := range written.Properties {
				if !yield(member) {
					return
				}
			}
		}); !slices.Equal(got, members) || !slices.Equal(written.Required, required) || written.Closed == nil || *written.Closed {
			t.Errorf("%q has %q, of which %q are required, not %q and %q", name, got, written.Required, members, required)
		}
	}
}

// CI systems see a test for each cookie, stored item and host, and whether anything is missing.
func TestReportAsJUnit(t *testing.T) {
	report := madeReport(t)
	report.Incomplete, report.Failures = true, []string{"https://data.example.fr/b, on the visit \"first\": there is no such page"}
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Failure []struct {
				Message string `xml:"message,attr"`
			} `xml:"failure"`
			Error []struct {
				Message string `xml:"message,attr"`
			} `xml:"error"`
		} `xml:"testcase"`
	}
	text := written(t, report, "junit", Words{}, 80)
	if err := xml.Unmarshal([]byte(text), &suite); err != nil {
		t.Fatal(err)
	}
	if suite.Tests != 4 || suite.Failures != 2 || suite.Errors != 1 || len(suite.Cases) != 4 || suite.Cases[0].Name != "<b> data.example.fr /" || suite.Cases[0].Failure != nil ||
		suite.Cases[1].Failure[0].Message != "set for 1158 days, published is 13 months; kept after refusal" || !strings.Contains(suite.Cases[3].Error[0].Message, "there is no such page") {
		t.Errorf("%+v\n%s", suite, text)
	}
}

// What is new since an earlier report is told, and what is gone.
func TestSince(t *testing.T) {
	earlier, now := madeReport(t), madeReport(t)
	if since := now.compare(earlier); len(since.New) != 0 || len(since.Gone) != 0 {
		t.Errorf("%+v", since)
	}
	now.Visits[0].Hosts = nil
	now.Visits[1].Cookies[0].Name = "_new"
	now.Visits[1].Cookies[1].Violations = []string{"undeclared"}
	now.Since = now.compare(earlier)
	text := written(t, now, "text", Words{}, 0)
	want := "\nSince the report of 2026-11-28, 09:30:00 (browser: Chrome/1; charter: 0123456789ab)\nNew:\ncookie  <b> (data.example.fr /)  undeclared\ncookie  _new (.example.fr /)     kept after refusal\n" +
		"Gone:\ncookie  _ga (.example.fr /)  kept after refusal\nhost    cdn.example          undeclared\n"
	if !strings.Contains(text, want) {
		t.Errorf("%s", text)
	}
	if html := written(t, now, "html", Words{}, 0); !strings.Contains(html, "<code>_new</code>") || !strings.Contains(html, "<p>Gone:</p>") || strings.Contains(html, "same") {
		t.Errorf("%s", html)
	}

	// Audits that did not look at the same say so where they differ.
	for name, change := range map[string]func(){
		"scripts": func() { now.Browser = "" }, "hosts": func() { now.HoldsHosts = !now.HoldsHosts }, "pages": func() { now.Pages = append(now.Pages, "https://data.example.fr/more") },
		"visits": func() { now.Visits = now.Visits[:len(now.Visits)-1] }, "missing": func() { now.Incomplete = !now.Incomplete },
	} {
		kept := *now
		change()
		now.Since = now.compare(earlier)
		for _, format := range []string{"text", "html"} {
			if text := written(t, now, format, Words{}, 0); !now.Since.OtherScope || !strings.Contains(text, otherScope) {
				t.Errorf("%s: %s", name, text)
			}
		}
		*now = kept
	}
	one, other := &Report{Pages: []string{"a", "b"}}, &Report{Pages: []string{"b", "a"}}
	if one.compare(other).OtherScope {
		t.Error("the same pages in another order")
	}

	folder := checks.WriteFiles(t, map[string]string{"report.json": written(t, earlier, "json", Words{}, 0), "other.json": "{}"})
	for site, mistake := range map[string]string{"https://data.example.fr": "", "https://else.example": "it is of another site, https://data.example.fr"} {
		address, _ := url.Parse(site)
		if read, err := loadEarlier(folder+"report.json", address); (err == nil) != (mistake == "") || err == nil && read.Hash != earlier.Hash || err != nil && !strings.Contains(err.Error(), mistake) {
			t.Errorf("%s: %v", site, err)
		}
	}
	if _, err := loadEarlier(folder+"none.json", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if none, err := loadEarlier("", nil); none != nil || err != nil {
		t.Errorf("%v, %v", none, err)
	}
}

// The same lifetime has the same words: those of the charter, where it is as long.
func TestLifetimeInWords(t *testing.T) {
	month, hours := charter.Duration{Count: 12, Unit: "month"}, charter.Duration{Count: 24, Unit: "hour"}
	for _, test := range []struct {
		seconds   int64
		published charter.Duration
		want      string
	}{
		{31556952, month, "12 months"},
		{31556950, month, "12 months"},
		{31556957, month, "12 months"},
		{31556958, month, "366 days"},
		{31556952, charter.Duration{}, "1 year"},
		{86400, hours, "24 hours"},
		{86399, hours, "24 hours"},
		{86398, charter.Duration{}, "1 day"},
		{1209597, charter.Duration{}, "2 weeks"},
		{1209594, charter.Duration{}, "14 days"},
		{999999, hours, "12 days"},
		{999997, hours, "12 days"},
		{60, charter.Duration{}, "1 minute"},
		{2, charter.Duration{}, "2 seconds"},
		{1 << 40, month, "more than 10 years"},
	} {
		if got := lifetimeInWords(test.seconds, test.published); got != test.want {
			t.Errorf("%d, published %v: %s, not %s", test.seconds, test.published, got, test.want)
		}
	}
}

// A lifetime is the longest that was seen: later, less of the same is left. The violation tells
// the same one, whatever shorter one was seen first.
func TestLongestLifetime(t *testing.T) {
	declared, err := loadFileAlone(checks.WriteFiles(t, map[string]string{"charter.yaml": "cookies:\n  - {name: a, purpose: p, category: necessary, duration: 1 day}\n"})+"charter.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	a, cookie := &audit{charter: declared}, &Cookie{Name: "a"}
	for _, step := range []struct {
		life       setcookie.Lifetime
		lifetime   string
		violations int
	}{
		{setcookie.Lifetime{}, "session", 0},
		{setcookie.Lifetime{Seconds: 3600, Persistent: true}, "1 hour", 0},
		{setcookie.Lifetime{Seconds: 3540, Persistent: true}, "1 hour", 0},
		{setcookie.Lifetime{}, "1 hour", 0},
		{setcookie.Lifetime{Seconds: 604799, Persistent: true}, "1 week", 1},
		{setcookie.Lifetime{Seconds: 604803, Persistent: true}, "1 week", 1},
		{setcookie.Lifetime{Seconds: 1209600, Persistent: true}, "2 weeks", 1},
	} {
		a.recordLifetime(cookie, step.life)
		cookie.Violations = nil
		a.checkLifetime(cookie)
		want := slices.Repeat([]string{"set for " + step.lifetime + ", published is 1 day"}, step.violations)
		if cookie.Lifetime != step.lifetime || !slices.Equal(cookie.Violations, want) {
			t.Errorf("%+v: %+v", step, cookie)
		}
	}
}

// The hash of the charter is that of what was read, be it a file or what a site publishes.
func TestHashOfCharter(t *testing.T) {
	file := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	address := checks.Hostile(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, checks.NecessaryCharter) })
	site, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{file, address + "/charter.yaml", ""} {
		loaded, err := loadCharter(site, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Charter: source})
		if want := hashOf([]byte(checks.NecessaryCharter)); err != nil || loaded.hash != want || len(want) != 64 {
			t.Errorf("%q: %v, %s", source, err, loaded.hash)
		}
	}
}

// The report says which pages were visited with which status, which answers were given
// and how, and has a picture of each visit.
func TestReportIsEvidence(t *testing.T) {
	declared, err := loadFileAlone(checks.WriteFiles(t, map[string]string{"charter.yaml": "cookies:\n" + hostRows})+"charter.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	var progress []string
	a := &audit{
		browser: &toldBrowser{seen: func(int) ([]observation, map[charter.Origin]outcomes, []browserCookie) { return nil, nil, nil }}, charter: declared,
		pages: []string{"https://data.example.fr/", "https://data.example.fr/a"}, maxPages: 2, pictures: folder, progress: func(text string) { progress = append(progress, text) },
	}
	if err := a.run(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	for i, visit := range a.report.Visits {
		answer, at, clicked := []string{"none", "refused", "granted", "refused"}[i], "https://data.example.fr/answers", []string{"#" + visit.Answer}
		if i == 0 {
			at, clicked = "", nil
		}
		if visit.Answer != answer || visit.AnsweredAt != at || !slices.Equal(visit.Clicked, clicked) || len(visit.Pages) != 2 || visit.Pages[1] != (Page{Address: "https://data.example.fr/a", Status: 200}) {
			t.Errorf("%+v", visit)
		}
		content, err := os.ReadFile(filepath.Join(folder, fmt.Sprintf("%d-%s.png", i+1, visit.Visit)))
		if err != nil || visit.Screenshot.File != fmt.Sprintf("%d-%s.png", i+1, visit.Visit) || hashOf(content) != visit.Screenshot.SHA256 || !strings.HasPrefix(string(content), "picture") {
			t.Errorf("%v, %+v", err, visit.Screenshot)
		}
	}
	if html := written(t, &a.report, "html", Words{}, 0); strings.Count(html, `<img src="data:image/png;base64,cGljdHVyZ`) != 4 {
		t.Errorf("%s", html)
	}
	content, err := a.report.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var read Report // as it is published, without pictures
	if err := json.Unmarshal(content, &read); err != nil || read.Visits[0].Screenshot == nil {
		t.Fatal(err)
	}
	if html := written(t, &read, "html", Words{}, 0); strings.Contains(html, ".png") {
		t.Errorf("%s", html)
	}
	if progress[0] != "visit 1 of 4 (first), page 1 of 2" || !slices.Contains(progress, "visit 2 (refused): answering") || !slices.Contains(progress, "visit 4 of 4 (withdrawn), page 2 of 2, about 5s left") {
		t.Errorf("%q", progress)
	}
	if a.report.Ended.Before(a.report.Time) || a.report.CharterHash != declared.hash || a.report.Limits == nil {
		t.Errorf("%+v", a.report)
	}
	a.report.Time = time.Now().Add(-40 * time.Second) // for four of eight pages
	progress = nil
	a.tellProgress(2, 0)
	if !slices.Equal(progress, []string{"visit 3 of 4 (accepted), page 1 of 2, about 40s left"}) {
		t.Errorf("%q", progress)
	}
}

// Each language says all that a report says, and nothing else.
func TestLanguagesOfReports(t *testing.T) {
	labels, sentences := saidByReports(t)
	all, err := allTexts()
	if err != nil {
		t.Fatal(err)
	}
	for name, said := range all {
		for want, has := range map[string]map[string]string{strings.Join(labels, "\n"): said.Labels, strings.Join(sentences, "\n"): said.Sentences} {
			for text := range strings.SplitSeq(want, "\n") {
				if has[text] == "" {
					t.Errorf("%s lacks %q", name, text)
				}
			}
			for text, other := range has {
				if !slices.Contains(strings.Split(want, "\n"), text) {
					t.Errorf("%s has %q, which nobody says", name, text)
				}
				if strings.Count(text, "%s") != strings.Count(other, "%") {
					t.Errorf("%s says %q for %q", name, other, text)
				}
			}
		}
	}
	french, err := readLanguage(Words{Language: "fr", Duration: func(charter.Duration) string { return "13 mois" }})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"set for more than 10 years, published is 13 months":                                                      "déposé pour plus de 10 ans, publié\u00a0: 13 mois",
		"Not looked at: its links after the first 10000 of https://a.example/.":                                   "Non examiné\u00a0: les liens après les 10000 premiers de https://a.example/.",
		"https://a.example/b, on the visit \"refused\": it answers 500 Internal Server Error":                     "https://a.example/b, visite «\u00a0refus\u00a0»\u00a0: elle répond 500 Internal Server Error",
		"Not followed: https://a.example/b, as it leads to another site, https://b.example.":                      "Page non visitée\u00a0: https://a.example/b, car elle mène à un autre site, https://b.example.",
		"No answer was given, so visits that need one were not made: no form for answers at https://a.example/c.": "Aucune réponse n’a été donnée, et les visites qui en demandent une n’ont pas été faites\u00a0: pas de formulaire pour répondre à la page https://a.example/c.",
		"something else": "something else",
	} {
		if got := french.say(text); got != want {
			t.Errorf("says %q, not %q", got, want)
		}
	}
	for _, said := range slices.Concat(slices.Collect(maps.Values(french.Labels)), slices.Collect(maps.Values(french.Sentences))) { // lines end before no sign
		if regexp.MustCompile(` [:;?!»]|« `).MatchString(said) {
			t.Errorf("%q has spaces at which it breaks before a sign", said)
		}
	}
	if _, err := readLanguage(Words{Language: "xx"}); err == nil || !strings.Contains(err.Error(), `reports do not speak "xx"; use en or one of `) {
		t.Errorf("%v", err)
	}
}

// saidByReports returns what reports say, as their code has it, with %s for something.
func saidByReports(t *testing.T) (labels, sentences []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, name := range append(files, "audit.html") {
		if content, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		} else if !strings.HasSuffix(name, "_test.go") {
			source.Write(content)
		}
	}
	quoted := `((?:[^"\\\n]|\\.)+)"`
	find := func(before, after string) (found []string) {
		for _, match := range regexp.MustCompile(before+quoted).FindAllStringSubmatch(source.String(), -1) {
			text := regexp.MustCompile("%[dsv]").ReplaceAllString(strings.ReplaceAll(match[1], "%q", `"%s"`), "%s")
			found = append(found, strings.Replace(after, "*", text, 1))
		}
		if found == nil {
			t.Errorf("nobody says %s", before)
		}
		return found
	}
	labels = slices.Concat(
		find(`\.[Ss]ayf?(?:\(| )"`, "*"), find(`fact{"`, "*"), find(`[{ ]{"`, "*"), find(`writeList\(out, "`, "*"), find(`head\(\[\]string{"`, "*"), find(`head\(\[\]string{"[a-z]+", "`, "*"), find(`head\(.*}, "`, "*"), find(`head\(.*}, "[a-z]+", "`, "*"),
		[]string{legend, stoppedTitle, otherScope, "stopped", kindCookie, kindItem, kindHost, "more than 10 years", "header", "script", "answer", "kept", "sent", "reached", "blocked", "failed"},
	)
	for _, category := range charter.Categories {
		labels = append(labels, string(category))
	}
	for _, visit := range visits {
		labels = append(labels, visit.name, "Visit: "+visit.name)
		if visit.answer.String() != "none" {
			labels = append(labels, "answer "+visit.answer.String())
		}
	}
	labels = slices.DeleteFunc(labels, func(text string) bool { return text == "answer " || text == "Visit: " || text == "type" })

	sentences = slices.Concat(
		limitsOf(true), limitsOf(false), find(`a\.note\((?:fmt\.Sprintf\()?"`, "*"), find(`Failures, fmt\.Sprintf\("`, "*"), find(`Violations, fmt\.Sprintf\("`, "*"),
		find(`a\.omit\(fmt\.Sprintf\("`, "Not looked at: *."), find(`[bc]\.omit\((?:fmt\.Sprintf\()?"`, "Not looked at: * of %s."),
		find(`many(?:Cookies|Items|Hosts) = fmt\.Sprintf\("`, "Not looked at: * of a visit."), find(`many(?:Cookies|Items|Hosts) = fmt\.Sprintf\("`, "Not looked at: * of %s."),
		[]string{"undeclared", errNoQuestions.Error() + " at %s", errNotFound.Error(), elsewhereError{"%s"}.Error(), "it answers %s"},
	)
	for _, visit := range visits {
		if visit.answer.String() != "granted" {
			sentences = append(sentences, "set "+visit.reason, "sent "+visit.reason, "kept "+visit.reason, "called "+visit.reason)
		}
	}
	return labels, sentences
}

// A sentence in a report as text is bounded, whatever stands in it, and keeps French signs on
// their line.
func TestStatement(t *testing.T) {
	if got := statement("publié\u00a0: \x1b[2J").Text; got != "publié\u00a0: \\u001b[2J" {
		t.Errorf("%q", got)
	}
	if got := utf8.RuneCountInString(statement(strings.Repeat("\u00a0", 2*maxStatement)).Text); got > maxStatement {
		t.Errorf("%d characters", got)
	}
}

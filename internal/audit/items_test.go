package audit

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

const itemRows = `cookies:
  - {name: posthog, storage: [ph_*, ph_debug_*, stats-db], purpose: p, category: statistics}
  - {storage: state_*, purpose: p, category: necessary}
`

// auditOfItems returns the report of an audit that sees stored items, before the page of each
// visit and after.
func auditOfItems(t *testing.T, browser browser) Report {
	t.Helper()
	declared, err := loadFileAlone(checks.WriteFiles(t, map[string]string{"charter.yaml": itemRows})+"charter.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	a := &audit{browser: browser, charter: declared, pages: []string{"https://data.example.fr/a"}, maxPages: 1, progress: func(string) {}}
	if err := a.run(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	return a.report
}

func browserOfItems(stored func(visit int, isAfter bool) ([]storedItem, bool)) *toldBrowser {
	return &toldBrowser{
		seen:   func(int) ([]observation, map[charter.Origin]outcomes, []browserCookie) { return nil, nil, nil },
		stored: func(look int) ([]storedItem, bool) { return stored((look+1)/2, look%2 == 0) },
	}
}

// A stored item violates the charter where a row declares it and the visitor does not allow it:
// as set where it was not there before, else as kept.
func TestStoredItemsAreHeld(t *testing.T) {
	both := []storedItem{{"localStorage", "ph_phc_SiteKey_posthog"}, {"indexedDB", "stats-db"}}
	harmless := []storedItem{{"localStorage", "state_42"}, {"sessionStorage", "AMP_unsent_123456"}, {"sessionStorage", "theme"}, {"localStorage", "jeanne@example.fr"}}
	report := auditOfItems(t, browserOfItems(func(visit int, isAfter bool) ([]storedItem, bool) {
		switch {
		case isAfter && visit < 4:
			return slices.Concat(both, harmless), true
		case visit == 4: // what was accepted is left, and another of its pattern is written
			held := both
			if isAfter {
				held = append(slices.Clone(both), storedItem{"sessionStorage", "ph_2"})
			}
			return held, true
		}
		return nil, true
	}))
	var told []string
	for _, found := range report.Findings {
		told = append(told, fmt.Sprint(found.Kind, " ", found.Name, " ", found.Place(), " ", found.Violations))
	}
	want := []string{
		"item ph_* localStorage [{first set before consent} {refused set after refusal} {withdrawn kept after withdrawal}]",
		"item ph_* sessionStorage [{withdrawn set after withdrawal}]",
		"item stats-db indexedDB [{first set before consent} {refused set after refusal} {withdrawn kept after withdrawal}]",
	}
	if !slices.Equal(told, want) || report.Violations != 7 {
		t.Errorf("%d, %q", report.Violations, told)
	}
	items := report.Visits[0].Items
	if len(items) != 5 || items[0].Name != "AMP_unsent_*" || items[0].Verdict != judge.Undeclared || items[0].Cookie != "" || items[2].Name != "state_*" || items[2].Verdict != judge.Allowed || items[2].Cookie != "state_*" || items[4].Name != "theme" {
		t.Errorf("%+v", items)
	}
	if held := items[1]; held.Cookie != "posthog" || held.Category != charter.Statistics || held.Verdict != judge.Refused || !held.Written || !held.Kept || held.Page != "https://data.example.fr/a" {
		t.Errorf("%+v", held)
	}
	if accepted := report.Visits[2].Items[1]; accepted.Verdict != judge.Allowed || len(accepted.Violations) != 0 {
		t.Errorf("%+v", accepted)
	}
	if err := report.CheckPublication(false, time.Now()); err == nil || !strings.Contains(err.Error(), "has 3 cookies, stored items or hosts") {
		t.Errorf("%v", err)
	}
}

// What is removed by the end of a visit, and was there before, is told, and violates nothing, as a
// cookie that is only sent once more. What could not be read at last is taken for kept.
func TestRemovedItems(t *testing.T) {
	for _, isKnown := range []bool{true, false} {
		browser := browserOfItems(nil)
		browser.stored = func(look int) ([]storedItem, bool) { // two pages a visit
			switch {
			case look >= 7 && look < 12: // from the accepted visit until the first page after withdrawal
				return []storedItem{{"localStorage", "ph_1"}}, true
			case look == 12:
				return nil, isKnown
			}
			return nil, true
		}
		declared, err := loadFileAlone(checks.WriteFiles(t, map[string]string{"charter.yaml": itemRows})+"charter.yaml", "")
		if err != nil {
			t.Fatal(err)
		}
		a := &audit{browser: browser, charter: declared, pages: []string{"https://data.example.fr/", "https://data.example.fr/b"}, maxPages: 2, progress: func(string) {}}
		if err := a.run(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		left := a.report.Visits[3].Items
		if len(left) != 1 || left[0].Kept == isKnown || left[0].Written || (len(left[0].Violations) == 0) != isKnown {
			t.Errorf("%t: %+v", isKnown, left)
		}
	}
}

// There is a bound to what a report has, and it says so.
func TestManyItems(t *testing.T) {
	report := auditOfItems(t, browserOfItems(func(int, bool) (many []storedItem, isKnown bool) {
		for i := range maxItems + 1 {
			many = append(many, storedItem{"localStorage", "x-" + strings.NewReplacer("0", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6", "g", "7", "h", "8", "i", "9", "j").Replace(fmt.Sprint(i))})
		}
		return many, true
	}))
	if len(report.Visits[0].Items) != maxItems || !report.Incomplete || !strings.Contains(report.Notes[0], "the stored items after the first 1000 of a visit") {
		t.Errorf("%d, %q", len(report.Visits[0].Items), report.Notes)
	}
}

// Without a browser no stored items are seen, and the report says so where some are declared.
func TestItemsWithoutBrowser(t *testing.T) {
	const note = "Stored items, which the charter declares, are not part of this, either; --browser sees them."
	address := checks.Hostile(t, func(http.ResponseWriter, *http.Request) {})
	for rows, want := range map[string]bool{itemRows: true, checks.NecessaryCharter: false} {
		declared, err := loadFileAlone(checks.WriteFiles(t, map[string]string{"charter.yaml": rows})+"charter.yaml", "")
		if err != nil {
			t.Fatal(err)
		}
		a := &audit{browser: newHTTPBrowser(address + "/"), charter: declared, pages: []string{address + "/"}, maxPages: 1, progress: func(string) {}}
		if err := a.run(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(a.report.Notes, note) != want || a.report.Visits[0].Items != nil {
			t.Errorf("%q, %+v", a.report.Notes, a.report.Visits[0].Items)
		}
	}
	report := auditOfItems(t, browserOfItems(func(int, bool) ([]storedItem, bool) { return nil, true }))
	if report.Notes != nil || report.Visits[0].Items == nil || report.Violations != 0 {
		t.Errorf("%q, %+v", report.Notes, report.Visits[0])
	}
}

// A report tells in each format what is stored, beside cookies and hosts, and what of it violates
// the charter.
func TestReportOfItems(t *testing.T) {
	report := madeReport(t)
	earlier := madeReport(t)
	tracker := Item{Name: "ph_*", Storage: "localStorage", Cookie: "posthog", Category: charter.Statistics, Verdict: judge.Refused, Written: true, Kept: true, Page: "https://data.example.fr/a", Violations: []string{"set before consent"}}
	report.Visits[0].Items = []Item{tracker}
	report.Visits[1].Items = []Item{{Name: "<theme>", Storage: "indexedDB", Kept: true, Page: "https://data.example.fr/b"}}
	report.Findings, report.Violations, report.Since = report.findings(), 4, report.compare(earlier)
	for format, wants := range map[string][]string{
		"text": {
			"\nitem    ph_* (localStorage)  set before consent\nhost ", "\nStored items\nITEM ", "\n<theme> (indexedDB)  undeclared           –               kept     /b\n", "\nph_* (localStorage)  posthog, statistics  ✗ script, kept  –        /a\n",
			"\nNew:\nitem  <theme> (indexedDB)  seen\nitem  ph_* (localStorage)  set before consent\n", "\nCookies that violate the charter: 1; stored items: 1; hosts: 1\n",
		},
		"html":  {`<h2 id="items">`, `<code>ph_*</code> <span class="place">(localStorage)</span></th><td>posthog, statistics</td><td class="against">✗ script, kept</td><td>–</td>`, `<code>&lt;theme&gt;</code>`, `<span class="kind">item</span> <code>ph_*</code> <span class="place">(localStorage)</span> – set before consent`},
		"junit": {`<testcase classname="item" name="ph_* localStorage">`, `<failure message="set before consent">`, `<testcase classname="item" name="&lt;theme&gt; indexedDB"></testcase>`},
		"json":  {`"items": [`, `"storage": "localStorage"`},
	} {
		text := written(t, report, format, Words{}, 0)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
	if text := written(t, report, "text", Words{Language: "fr"}, 0); !strings.Contains(text, "\nÉléments stockés\nÉLÉMENT STOCKÉ ") || !strings.Contains(text, "Cookies contraires à la charte\u00a0: 1\u00a0; éléments stockés\u00a0: 1\u00a0; domaines\u00a0: 1") {
		t.Errorf("%s", text)
	}
	if text := written(t, earlier, "json", Words{}, 0); strings.Contains(text, `"items"`) || strings.Contains(text, `"storage"`) {
		t.Error(text)
	}
}

// What was stopped is told by no more of its key than what is there.
func TestStoppedKeys(t *testing.T) {
	browser := browserOfItems(func(int, bool) ([]storedItem, bool) { return nil, true })
	browser.stopped = []write{{kindItem, "ph_phc_SiteKey_posthog"}, {kindItem, "ph_2"}, {kindItem, "dossier-2026-0042"}, {kindItem, "2026"}, {kindCookie, "_pk_id.1.1fff"}}
	var told []string
	for _, stopped := range auditOfItems(t, browser).Visits[0].Stopped {
		told = append(told, stopped.Kind+" "+stopped.Name)
	}
	if want := []string{"cookie _pk_id.1.1fff", "item dossier-*", "item ph_*"}; !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}

package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

// What documents tell of writes is taken for each document, until one reaches the browser after
// all, and bounded.
func TestStoppedWrites(t *testing.T) {
	c := new(chromium)
	c.devtools = devtools{replies: make(chan reply, 1), handle: c.handleEvent}
	tell := func(binding, payload string, document int) {
		parameters, err := json.Marshal(map[string]any{"name": binding, "payload": payload, "executionContextId": document})
		if err != nil {
			t.Fatal(err)
		}
		c.replies <- reply{event: event{Method: "Runtime.bindingCalled", Params: parameters}}
		if _, err := c.receive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, document := range []int{1, 2} {
		tell(writesBinding, `{"kind":"cookie","name":"held","stopped":true}`, document)
		tell(writesBinding, `{"kind":"cookie","name":"released","stopped":true}`, document)
		tell(writesBinding, `{"kind":"cookie","name":"released","stopped":false}`, document)
	}
	tell(writesBinding, `{"kind":"cookie","name":"held","stopped":false}`, 1)
	tell(writesBinding, `{"kind":"item","name":"held","stopped":true}`, 1)
	for _, payload := range []string{"", "{", `{"kind":"host","name":"a","stopped":true}`, `{"kind":"cookie","name":"` + strings.Repeat("x", 600) + `","stopped":true}`} {
		tell(writesBinding, payload, 1)
	}
	tell("other", `{"kind":"cookie","name":"other","stopped":true}`, 1)
	taken := c.takeStopped()
	slices.SortFunc(taken, func(a, b write) int { return strings.Compare(a.Kind, b.Kind) })
	if !slices.Equal(taken, []write{{kindCookie, "held"}, {kindItem, "held"}}) || len(c.takeStopped()) != 0 {
		t.Errorf("%q", taken)
	}
	for i := range 2 * maxStopped {
		tell(writesBinding, fmt.Sprintf(`{"kind":"cookie","name":"%d","stopped":true}`, i), 1)
	}
	if taken := c.takeStopped(); len(taken) != maxStopped {
		t.Errorf("keeps %d", len(taken))
	}
}

// A report tells in each format what was stopped, and takes it for no violation.
func TestReportOfStopped(t *testing.T) {
	report := madeReport(t)
	tracker := Stopped{Kind: kindCookie, Name: "_pk_id.1", Cookie: "_pk_id.*", Category: charter.Statistics, Verdict: judge.Refused, Page: "https://data.example.fr/a"}
	report.Visits[0].Stopped = []Stopped{tracker}
	report.Visits[1].Stopped = []Stopped{tracker, {Kind: kindItem, Name: "<ph>", Verdict: judge.Undeclared, Page: "https://data.example.fr/b"}}
	if found := report.findings(); len(found) != len(report.Findings) {
		t.Errorf("%+v", found)
	}
	for format, wants := range map[string][]string{
		"text":  {"\nWritten by scripts, and stopped in the page\nNAME ", "\n_pk_id.1                         _pk_id.*, statistics" + strings.Repeat("  stopped", 2) + "  /a\n", "\n<ph> (local or session storage)  undeclared            –        stopped  /b\n"},
		"html":  {`<h2 id="stopped">`, `<code>&lt;ph&gt; (local or session storage)</code></th><td>undeclared</td><td>–</td><td>stopped</td><td>/b</td>`},
		"junit": {`<testcase classname="stopped" name="_pk_id.1"></testcase>`},
		"json":  {`"stopped": [`, `"kind": "item"`},
	} {
		text := written(t, report, format, Words{}, 0)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
	if text := written(t, madeReport(t), "json", Words{}, 0); strings.Contains(text, `"stopped"`) {
		t.Error(text)
	}
}

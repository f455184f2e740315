package audit

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

// writesSource is a function that tells by a binding what scripts of a site write and does not
// reach the browser.
//
//go:embed writes.js
var writesSource string

// writesBinding is what it tells by; it is gone before the page's scripts run.
const writesBinding = "cookieCharterAudit"

// A Stopped is a cookie or a stored item that a script wrote on a visit, and that something in
// the page kept from the browser.
type Stopped struct {
	Kind     string           `json:"kind"`     // cookie, or item of local or session storage
	Name     string           `json:"name"`     // or what is shown of the key of the item
	Cookie   string           `json:"cookie"`   // the first name of the row that declares it, "" if none does
	Category charter.Category `json:"category"` // of that row
	Verdict  judge.Verdict    `json:"verdict"`  // allowed, undeclared or refused
	Page     string           `json:"page"`     // the first page with it
}

// maxStopped is how many a report has of each visit, and maxWrittenName how long a name can be,
// in bytes.
const (
	maxStopped     = 1000
	maxWrittenName = 512
)

// A write is what a script wrote that was stopped.
type write struct{ Kind, Name string }

// watchWrites has the pages of the site tell of what is stopped.
func (c *chromium) watchWrites(ctx context.Context) error {
	site, _ := json.Marshal(originOf(c.page))
	return errors.Join(
		c.call(ctx, c.session, "Runtime.enable", nil, nil), // else nobody tells of calls of the binding
		c.call(ctx, c.session, "Runtime.addBinding", map[string]any{"name": writesBinding}, nil),
		c.call(ctx, c.session, "Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": fmt.Sprintf("%s(%s, %q)", strings.TrimSpace(writesSource), site, writesBinding)}, nil),
	)
}

// A documentWrite is a write in one document.
type documentWrite struct {
	write
	document int
}

// readWrite reads what a document tells, which can be of somebody else: it is bounded, and of
// each document its own.
func (c *chromium) readWrite(parameters json.RawMessage) error {
	var called struct {
		Name, Payload      string
		ExecutionContextID int
	}
	var told struct {
		write
		Stopped bool
	}
	if json.Unmarshal(parameters, &called) != nil || called.Name != writesBinding || json.Unmarshal([]byte(called.Payload), &told) != nil || told.Kind != kindCookie && told.Kind != kindItem || len(told.Name) > maxWrittenName {
		return nil
	}
	key := documentWrite{told.write, called.ExecutionContextID}
	switch {
	case !told.Stopped:
		delete(c.stopped, key)
	case len(c.stopped) < maxStopped:
		if c.stopped == nil {
			c.stopped = map[documentWrite]bool{}
		}
		c.stopped[key] = true
	}
	return nil
}

func (c *chromium) takeStopped() []write {
	taken := map[write]bool{}
	for key := range c.stopped {
		taken[key.write] = true
	}
	c.stopped = nil
	return slices.Collect(maps.Keys(taken))
}

// lookAtStopped adds what was stopped on a page to a visit.
func (a *audit) lookAtStopped(made *Visit, page string, number int) {
	for _, write := range a.browser.takeStopped() {
		name, row := write.Name, a.rowOf(write.Name)
		if write.Kind == kindItem {
			row = a.charter.FindItem(write.Name)
			name = a.charter.ShowItem(write.Name)
		}
		if write.Kind == kindItem && name == "" || len(made.Stopped) >= maxStopped || slices.ContainsFunc(made.Stopped, func(known Stopped) bool { return known.Kind == write.Kind && known.Name == name }) {
			continue
		}
		seen := Stopped{Kind: write.Kind, Name: name, Verdict: judge.Undeclared, Page: a.addresses.Show(page)}
		if row != nil {
			seen.Cookie, seen.Category, seen.Verdict = row.FirstName(), row.Category, judge.VerdictAfter(visits[number].answer, row)
		}
		made.Stopped = append(made.Stopped, seen)
	}
	slices.SortFunc(made.Stopped, func(a, b Stopped) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
}

// stoppedRows returns a row for each cookie and stored item that was stopped.
func (r *Report) stoppedRows() []*row {
	return r.rows(func(visit Visit, add func(Finding) *row) {
		for _, stopped := range visit.Stopped {
			seen := add(Finding{Kind: stopped.Kind, Name: stopped.Name})
			seen.DeclaredAs, seen.Category, seen.Page = stopped.Cookie, string(stopped.Category), cmp.Or(seen.Page, stopped.Page)
			seen.happened(true, "stopped")
		}
	})
}

package audit

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

// An Item is what the site has stored in the browser on a visit, beside cookies. Keys can be
// somebody's, so that several have one name.
type Item struct {
	Name     string           `json:"name"`     // as the row that declares it has it, or what can be told of its key
	Storage  string           `json:"storage"`  // localStorage, sessionStorage or indexedDB
	Cookie   string           `json:"cookie"`   // the first name of the row that declares it, "" if none does
	Category charter.Category `json:"category"` // of that row
	Verdict  judge.Verdict    `json:"verdict"`  // allowed, undeclared or refused

	Written bool   `json:"written"` // it was not there before the pages of the visit
	Kept    bool   `json:"kept"`    // it was there after the last page
	Page    string `json:"page"`    // the first page after which it was

	Violations []string `json:"violations"` // what the charter does not allow, in words
}

// kindItem is the kind of a stored item.
const kindItem = "item"

// A storedItem is an item in a browser.
type storedItem struct{ storage, key string }

// maxItems is how many stored items are looked at after each page, and how many a report has of
// each visit; maxKey is how much is read of a key, in characters: more than rows can declare.
const (
	maxItems = 1000
	maxKey   = 512
)

// manyItems are those after them.
var manyItems = fmt.Sprintf("the stored items after the first %d", maxItems)

//go:embed items.js
var itemsSource string

// items returns the stored items of the site, if the page that is shown is of it. What cannot be
// read, such as of a page that does not rest, is omitted.
func (c *chromium) items(ctx context.Context) ([]storedItem, bool) {
	site, _ := json.Marshal(originOf(c.page))
	var found [][2]string
	var err error
	for range 3 { // as the page can be about to load another
		if found, err = c.readItems(ctx, site); err == nil || errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	if err != nil {
		c.omit("the stored items")
	}
	if found == nil {
		return nil, false
	}
	if len(found) > maxItems {
		c.omit(manyItems)
		found = found[:maxItems]
	}
	items := make([]storedItem, 0, len(found))
	for _, item := range found {
		items = append(items, storedItem{item[0], item[1]})
	}
	return items, true
}

func (c *chromium) readItems(ctx context.Context, site []byte) (found [][2]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, appearance)
	defer cancel()
	var world struct{ ExecutionContextID int }
	if err := c.call(ctx, c.session, "Page.createIsolatedWorld", map[string]any{"frameId": c.target}, &world); err != nil {
		return nil, err
	}
	err = c.evaluateIn(ctx, map[string]any{"contextId": world.ExecutionContextID}, fmt.Sprintf("%s(%s, %d, %d)", strings.TrimSpace(itemsSource), site, maxItems+1, maxKey), &found)
	return found, err
}

// A visitedItem is a stored item as a report tells it.
type visitedItem struct{ name, storage string }

// An itemsOfVisit are the stored items of a visit.
type itemsOfVisit struct {
	before map[storedItem]bool // that were there before its pages
	seen   map[visitedItem]*Item
}

// beginItems looks at the stored items that are there before the pages of a visit.
func (a *audit) beginItems(ctx context.Context) itemsOfVisit {
	items := itemsOfVisit{before: map[storedItem]bool{}, seen: map[visitedItem]*Item{}}
	held, _ := a.browser.items(ctx)
	for _, item := range held {
		items.before[item] = true
	}
	return items
}

// lookAtItems looks at the stored items that are there after a page.
func (a *audit) lookAtItems(ctx context.Context, items itemsOfVisit, page string, number int) {
	held, isKnown := a.browser.items(ctx)
	if !isKnown {
		return
	}
	for _, known := range items.seen {
		known.Kept = false // if it is not seen again
	}
	for _, item := range held {
		row := a.charter.FindItem(item.key)
		name := a.charter.ShowItem(item.key)
		if name == "" {
			continue
		}
		known := items.seen[visitedItem{name, item.storage}]
		if known == nil {
			if len(items.seen) >= maxItems {
				a.omit(manyItems + " of a visit")
				continue
			}
			known = &Item{Name: name, Storage: item.storage, Verdict: judge.Undeclared, Page: a.addresses.Show(page), Violations: []string{}}
			if row != nil {
				known.Cookie, known.Category, known.Verdict = row.FirstName(), row.Category, judge.VerdictAfter(visits[number].answer, row)
			}
			items.seen[visitedItem{name, item.storage}] = known
		}
		known.Kept = true
		known.Written = known.Written || !items.before[item]
	}
}

// check records the violations of the stored items of a visit, and returns these in order. What
// no row declares violates nothing, as the site leaves it alone.
func (i itemsOfVisit) check(number int) []Item {
	stored := make([]Item, 0, len(i.seen))
	for _, item := range i.seen {
		switch {
		case item.Verdict != judge.Refused:
		case item.Written:
			item.Violations = append(item.Violations, "set "+visits[number].reason)
		case item.Kept:
			item.Violations = append(item.Violations, "kept "+visits[number].reason)
		}
		stored = append(stored, *item)
	}
	slices.SortFunc(stored, func(a, b Item) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Storage, b.Storage)) })
	return stored
}

// itemRows returns a row for each stored item.
func (r *Report) itemRows() []*row {
	return r.rows(func(visit Visit, add func(Finding) *row) {
		for _, item := range visit.Items {
			seen := add(Finding{Kind: kindItem, Name: item.Name, Storage: item.Storage, Violations: violationsOn(visit, item.Violations)})
			seen.DeclaredAs, seen.Category, seen.Page = item.Cookie, string(item.Category), cmp.Or(seen.Page, item.Page)
			seen.happened(item.Written, "script")
			seen.happened(item.Kept, "kept")
		}
	})
}

package audit

import (
	"cmp"
	"slices"
	"strings"
)

// A Finding is a cookie, a stored item or a host with what it violates.
type Finding struct {
	Kind       string      `json:"kind"`              // cookie, item or host
	Name       string      `json:"name"`              // of the cookie ("" if it has none), the item or the host
	Domain     string      `json:"domain,omitempty"`  // of the cookie
	Path       string      `json:"path,omitempty"`    // of the cookie
	Storage    string      `json:"storage,omitempty"` // of the item
	Violations []Violation `json:"violations"`
}

// A Violation is what the charter does not allow, on a visit.
type Violation struct {
	Visit     string `json:"visit"`
	Violation string `json:"violation"` // in words
}

// Kinds of findings.
const (
	kindCookie = "cookie"
	kindHost   = "host"
)

// A row is a cookie, a stored item or a host with what was seen of it on all visits.
type row struct {
	Finding
	DeclaredAs string // the first name of the row that declares it, "" if none does
	Category   string // of that row
	Host       string // of a cookie, if that is not the site's
	Lifetime   string // of a cookie, the longest
	seconds    int64
	Published  string // the lifetime that the charter publishes
	Page       string // the first with it
	Cells      []cell // of each visit
}

// A cell is what was seen of one on one visit.
type cell struct {
	Words     []string // what happened, in the order in which it did
	IsAgainst bool     // some of it is against the charter
}

// cookieRows returns a row for each cookie.
func (r *Report) cookieRows() []*row {
	return r.rows(func(visit Visit, add func(Finding) *row) {
		for _, cookie := range visit.Cookies {
			seen := add(Finding{Kind: kindCookie, Name: cookie.Name, Domain: cookie.Domain, Path: cookie.Path, Violations: violationsOn(visit, cookie.Violations)})
			if seen.DeclaredAs == "" {
				seen.DeclaredAs, seen.Category = cookie.Cookie, string(cookie.Category)
			}
			seen.Host, seen.Published, seen.Page = cmp.Or(seen.Host, cookie.Host), cmp.Or(seen.Published, cookie.Declared), cmp.Or(seen.Page, cookie.Page)
			if seen.Lifetime == "" || cookie.Seconds > seen.seconds+tolerance {
				seen.Lifetime, seen.seconds = cmp.Or(cookie.Lifetime, seen.Lifetime), cookie.Seconds
			}
			seen.happened(cookie.SetBy != "", cookie.SetBy)
			seen.happened(cookie.Kept, "kept")
			seen.happened(cookie.Sent, "sent")
		}
	})
}

// hostRows returns a row for each other host.
func (r *Report) hostRows() []*row {
	return r.rows(func(visit Visit, add func(Finding) *row) {
		for _, host := range visit.Hosts {
			seen := add(Finding{Kind: kindHost, Name: host.Host, Violations: violationsOn(visit, host.Violations)})
			if seen.DeclaredAs == "" {
				seen.DeclaredAs, seen.Category = host.Cookie, string(host.Category)
			}
			seen.Page = cmp.Or(seen.Page, host.Page)
			seen.happened(host.Reached, "reached")
			seen.happened(host.Blocked, "blocked")
			seen.happened(host.Failed, "failed")
		}
	})
}

// happened adds a word to the last cell, if that has happened.
func (w *row) happened(hasHappened bool, word string) {
	if last := &w.Cells[len(w.Cells)-1]; hasHappened {
		last.Words = append(last.Words, word)
	}
}

// rows returns the rows that are added for each visit, in order.
func (r *Report) rows(look func(visit Visit, add func(Finding) *row)) []*row {
	var rows []*row
	places := map[[5]string]*row{}
	for number, visit := range r.Visits {
		look(visit, func(found Finding) *row {
			known := places[found.key()]
			if known == nil {
				known = &row{Finding: found, Cells: make([]cell, number)}
				places[found.key()] = known
				rows = append(rows, known)
			} else {
				known.Violations = append(known.Violations, found.Violations...)
			}
			known.Cells = append(known.Cells, cell{IsAgainst: len(found.Violations) > 0})
			return known
		})
		for _, known := range rows {
			if len(known.Cells) == number {
				known.Cells = append(known.Cells, cell{})
			}
		}
	}
	slices.SortFunc(rows, func(a, b *row) int { return slices.Compare(keyOf(a.Finding), keyOf(b.Finding)) })
	return rows
}

// key is what tells one finding from another.
func (f Finding) key() [5]string { return [5]string{f.Kind, f.Name, f.Domain, f.Path, f.Storage} }

func keyOf(found Finding) []string {
	key := found.key()
	return key[:]
}

func violationsOn(visit Visit, words []string) []Violation {
	violations := make([]Violation, 0, len(words))
	for _, violation := range words {
		violations = append(violations, Violation{visit.Visit, violation})
	}
	return violations
}

// allRows returns a row for each cookie, stored item and host.
func (r *Report) allRows() []*row { return slices.Concat(r.cookieRows(), r.itemRows(), r.hostRows()) }

// findings returns what violates the charter.
func (r *Report) findings() []Finding {
	found := []Finding{}
	for _, seen := range r.allRows() {
		if len(seen.Violations) > 0 {
			found = append(found, seen.Finding)
		}
	}
	return found
}

// What returns each violation of a finding once.
func (f Finding) What() []string {
	var what []string
	for _, violation := range f.Violations {
		if !slices.Contains(what, violation.Violation) {
			what = append(what, violation.Violation)
		}
	}
	return what
}

// Place returns where a cookie or a stored item is, "" for a host.
func (f Finding) Place() string { return strings.TrimSpace(f.Domain + " " + f.Path + f.Storage) }

// A pageRow is a page with its statuses on all visits.
type pageRow struct {
	Address  string
	Statuses []Page // of each visit; without an address where it was not visited
}

// pageRows returns a row for each page.
func (r *Report) pageRows() []*pageRow {
	var rows []*pageRow
	places := map[string]*pageRow{}
	for number, visit := range r.Visits {
		for _, page := range visit.Pages {
			known := places[page.Address]
			if known == nil {
				known = &pageRow{Address: page.Address}
				places[page.Address] = known
				rows = append(rows, known)
			}
			if len(known.Statuses) > number { // pages that are told apart by what is not shown
				known.Statuses[number].Status = max(known.Statuses[number].Status, page.Status)
				continue
			}
			known.Statuses = append(append(known.Statuses, make([]Page, number-len(known.Statuses))...), page)
		}
		for _, known := range rows {
			known.Statuses = append(known.Statuses, make([]Page, number+1-len(known.Statuses))...)
		}
	}
	return rows
}

package audit

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"time"
)

// Since is how a report differs from an earlier one of the same site.
type Since struct {
	Time    time.Time `json:"time"`    // of the earlier one
	Browser string    `json:"browser"` // it was made with, "" for one that runs no scripts
	Version string    `json:"version"` // of its charter
	Hash    string    `json:"hash"`    // of itself
	New     []Finding `json:"new"`     // what was not there, with the violations that were not; without any, it was only seen
	Gone    []Finding `json:"gone"`    // the same of what is not there any more

	// OtherScope is that the two have not looked at the same pages on the same visits, with
	// scripts or without, or not held other hosts against the charter alike.
	OtherScope bool `json:"other_scope,omitempty"`
}

// loadEarlier loads an earlier report of a site from a file, if one is named.
func loadEarlier(path string, site *url.URL) (*Report, error) {
	if path == "" {
		return nil, nil
	}
	earlier, err := LoadReport(path)
	if err == nil && !sameSite(earlier.Site, site.String()) {
		err = fmt.Errorf("the report in %s: it is of another site, %s", path, originOf(earlier.Site))
	}
	return earlier, err
}

// compare returns how a report differs from an earlier one.
func (r *Report) compare(earlier *Report) *Since {
	now, then := r.seen(), earlier.seen()
	return &Since{
		Time: earlier.Time, Browser: earlier.Browser, Version: earlier.Version, Hash: earlier.Hash, New: without(now, then), Gone: without(then, now),
		OtherScope: !reflect.DeepEqual(r.scope(), earlier.scope()),
	}
}

// scope is what an audit looks at.
type scope struct {
	hasScripts, holdsHosts, isIncomplete bool
	visits                               int
	pages                                []string
}

// scope returns what was looked at, the pages in the order of their addresses: links can come
// in another.
func (r *Report) scope() scope {
	return scope{r.Browser != "", r.HoldsHosts, r.Incomplete, len(r.Visits), slices.Sorted(slices.Values(r.Pages))}
}

// seen returns all that was seen, whether it violates anything or not.
func (r *Report) seen() []Finding {
	rows := r.allRows()
	all := make([]Finding, 0, len(rows))
	for _, seen := range rows {
		all = append(all, seen.Finding)
	}
	return all
}

// without returns what is seen and was not in another report, or is violated and was not
// there.
func without(all, others []Finding) []Finding {
	known := map[[5]string]Finding{}
	for _, other := range others {
		known[other.key()] = other
	}
	rest := []Finding{}
	for _, found := range all {
		other, isKnown := known[found.key()]
		found.Violations = slices.DeleteFunc(slices.Clone(found.Violations), func(violation Violation) bool { return slices.Contains(other.Violations, violation) })
		if !isKnown || len(found.Violations) > 0 {
			rest = append(rest, found)
		}
	}
	return rest
}

package audit

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
)

const (
	// MaxPublished is how long a report may be that is published, in bytes: some storages
	// take no more of a value.
	MaxPublished = 512 << 10

	// maxAhead is by how much the clock of who made a report may be ahead.
	maxAhead = 10 * time.Minute
)

// HostOf returns the host of an address as browsers write it, with its port if it has to
// be said, "" if it has none.
func HostOf(address string) string {
	site, err := fetch.ParseSite(address)
	if err != nil {
		return ""
	}
	return site.Host
}

// Origin returns scheme, host and port of the site.
func (r *Report) Origin() string { return originOf(r.Site) }

// Host returns the host that the report is of, with its port if that has to be said.
func (r *Report) Host() string { return HostOf(r.Site) }

// CountPages returns how many pages of the site were tested, which is what is told of a report
// that is published: those that have answered on every visit, but for the charter page and
// what leads to it.
func (r *Report) CountPages() int {
	return len(slices.DeleteFunc(r.pageRows(), func(row *pageRow) bool {
		return isPage(row.Address, r.CharterPage) || slices.ContainsFunc(row.Statuses, func(page Page) bool { return page.Failure != "" || page.Status/100 != 2 })
	}))
}

// CheckPublication returns why a report is not to be published. Without findings, that is
// also what was found, or left out.
func (r *Report) CheckPublication(withFindings bool, now time.Time) error {
	content, err := r.JSON()
	switch {
	case err != nil:
		return err
	case len(content) > MaxPublished:
		return fmt.Errorf("the report has %d bytes, and one that is published has up to %d; audit fewer pages", len(content), MaxPublished)
	case r.Host() == "" || len(r.Pages) == 0 || len(r.Visits) == 0 || !charter.IsVersion(r.Version):
		return errors.New("the report names no site, no visits or no version of a charter")
	case r.CountPages() == 0:
		return errors.New("no page of the site has answered as it should on every visit, but for the charter page; audit some")
	case r.Ended.After(now.Add(maxAhead)):
		return fmt.Errorf("the report is of %s, which is still to come; look at the clocks", r.Ended.Format(time.RFC3339))
	case !reflect.DeepEqual(r.Findings, r.findings()):
		return errors.New("the findings of the report are not those of its visits")
	case withFindings:
		return nil
	case len(r.Findings) > 0:
		return fmt.Errorf("the report has %d cookies, stored items or hosts that violate the charter; mend that, or publish what was found by --publish=findings", len(r.Findings))
	case r.Since != nil && slices.ContainsFunc(slices.Concat(r.Since.New, r.Since.Gone), func(found Finding) bool { return len(found.Violations) > 0 }):
		return errors.New("the report tells what an earlier one has found; make it without --since, or publish that by --publish=findings")
	case r.Incomplete:
		return errors.New("pages or visits are missing in the report, so that it cannot say that nothing was found; name the pages to be visited, or publish it by --publish=findings")
	}
	return nil
}

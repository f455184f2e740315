package document

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Rules are what an operator wants of documents.
type Rules struct {
	Hosts        Effect // of the hosts that a visitor does not allow
	OmitsCookies bool   // what documents load from other hosts is asked for without cookies
	AreGuarded   bool   // a script is put into documents
	HaveNotice   bool   // markup is put into pages, and not into frames
	Reports      string // the path of this site to which reports go, as ReportsBeside returns it

	lastAsked atomic.Int64 // second in which a document asked for reports
}

// An Effect is what is done about something.
type Effect uint8

// The effects.
const (
	Ignored  Effect = iota
	Reported        // by browsers, and nothing else
	Enforced
)

// ReportsBeside returns the path to which reports go, beside a page.
func ReportsBeside(page string) string {
	return Beside(page, "reports")
}

// Beside returns the path of what has a name beside a page. What would end a source or a
// policy is escaped.
func Beside(page, name string) string {
	escaped := (&url.URL{Path: strings.TrimSuffix(page, "/") + "/" + name}).EscapedPath()
	return strings.NewReplacer(";", "%3B", ",", "%2C").Replace(escaped)
}

// AreOn tells whether anything is wanted.
func (r *Rules) AreOn() bool {
	return r.Hosts != Ignored || r.OmitsCookies || r.AreGuarded || r.HaveNotice
}

// Change tells whether pages do anything else by them: reports leave them as they are.
func (r *Rules) Change() bool { return r.Hosts == Enforced || r.OmitsCookies || r.AreGuarded }

// Vary tells whether what is sent depends on where the browser uses it.
func (r *Rules) Vary() bool { return r.Change() || r.HaveNotice }

// AsksReports tells whether a document that leaves now asks for reports: one in each
// second does, as browsers send many for each, and pages differ little.
func (r *Rules) AsksReports(now time.Time) bool {
	second, last := now.Unix(), r.lastAsked.Load()
	return second != last && r.lastAsked.CompareAndSwap(last, second)
}

// NeedHosts tells whether it matters to an answer of a kind which hosts are allowed.
func (r *Rules) NeedHosts(kind Kind, asksReports bool) bool {
	if kind != Document && kind != Script && kind != Fetched {
		return false
	}
	return r.Hosts == Enforced || r.Hosts == Reported && asksReports // else nobody would learn of it
}

// Restrict adds to an answer of a kind what keeps it to some hosts, and returns the policy
// by which it does: "" if there is none, or if browsers only report by it.
func (r *Rules) Restrict(header http.Header, kind Kind, hosts []string, asksReports bool) (policy string) {
	if r.NeedHosts(kind, asksReports) {
		field, line := PolicyField, Policy(hosts)
		if r.Hosts == Reported {
			field = ReportOnlyField
		}
		if i := slices.IndexFunc(header[field], func(there string) bool { return r.isSame(there, line) }); i >= 0 {
			line = header[field][i] // from before an error
		} else {
			if asksReports {
				line += r.reporting()
			}
			Add(header, field, line)
		}
		if r.Hosts == Enforced {
			policy = line
		}
	}
	if r.OmitsCookies && !has(header, EmbedderField) {
		header[EmbedderField] = []string{OmitsCookies}
	}
	return policy
}

// isSame tells whether a line is a policy of ours, be it one with reports.
func (r *Rules) isSame(line, policy string) bool {
	rest, ok := strings.CutPrefix(line, policy)
	return ok && (rest == "" || rest == r.reporting())
}

// reporting returns the directive by which browsers report (Content Security Policy Level
// 3, section 6.5.1). Beside "report-to", which is to follow it, browsers that know both
// heed that alone, and over http then report nothing at all.
func (r *Rules) reporting() string { return "; report-uri " + r.Reports }

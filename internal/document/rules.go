package document

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Rules are what an operator wants of documents.
type Rules struct {
	Hosts        Effect // of the hosts that a visitor does not allow
	OmitsCookies bool   // what documents load from other hosts is asked for without cookies
	Reports      string // the path of this site to which reports go

	lastAsked atomic.Int64 // second in which a document asked for reports
}

// AsksReports tells whether a document that leaves now asks for reports: one in each
// second does, as browsers send many for each, and pages differ little.
func (r *Rules) AsksReports(now time.Time) bool {
	second, last := now.Unix(), r.lastAsked.Load()
	return second != last && r.lastAsked.CompareAndSwap(last, second)
}

// An Effect is what is done about something.
type Effect uint8

// The effects.
const (
	Ignored  Effect = iota
	Reported        // by browsers, and nothing else
	Enforced
)

// A Field is a line that is added to a header.
type Field struct{ Name, Line string }

// Fields returns what is added to a document, or to a script that can be a worker's, for
// which some hosts are allowed. Not every document has to ask for reports.
func (r *Rules) Fields(hosts []string, asksReports bool, header http.Header) []Field {
	var fields []Field
	if r.Hosts != Ignored {
		reports := ""
		if asksReports {
			reports = r.Reports
			fields = append(fields, Field{EndpointsField, Endpoints(reports)})
		}
		name := PolicyField
		if r.Hosts == Reported {
			name = ReportOnlyField
		}
		if r.Hosts == Enforced || reports != "" { // else nobody would learn of it
			fields = append(fields, Field{name, Policy(hosts, reports)})
		}
	}
	if r.OmitsCookies && header.Get(EmbedderField) == "" {
		fields = append(fields, Field{EmbedderField, OmitsCookies})
	}
	return fields
}

// AreOn tells whether anything is wanted.
func (r *Rules) AreOn() bool { return r.Hosts != Ignored || r.OmitsCookies }

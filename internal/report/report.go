// Package report reads what browsers report of a policy of hosts, and keeps of it which
// hosts pages load from and send to: bounded, whoever reports what.
package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

const (
	// MaxBody is the longest body that is read, in bytes. Browsers send about 600 for a
	// report.
	MaxBody = 64 << 10

	// MaxReports is how many reports of a body are read.
	MaxReports = 128
)

// A Directive is what was loaded or sent, by the directive of a policy under which it
// would be named by itself.
type Directive uint8

// Directives are the words for directives (Content Security Policy Level 3, section 6.1).
// Those of elements are their general ones.
var Directives = [...]string{
	"child-src", "connect-src", "default-src", "fenced-frame-src", "font-src", "frame-src", "img-src",
	"manifest-src", "media-src", "object-src", "prefetch-src", "script-src", "style-src", "worker-src",
}

// String returns the word for the directive.
func (d Directive) String() string { return Directives[d] }

// parseDirective reads an effective directive; it is not ok if that is none of hosts.
func parseDirective(text string) (directive Directive, ok bool) {
	index := slices.Index(Directives[:], strings.TrimSuffix(text, "-elem"))
	return Directive(max(index, 0)), index >= 0
}

// A Report is what is kept of a violation: of its addresses, the origin alone.
type Report struct {
	Origin    charter.Origin // from where something was to be loaded, or where it was to be sent
	Directive Directive
	IsBlocked bool // else the browser only reports
}

// HostFacts are what is kept of all reports of a host.
type HostFacts struct {
	Count, Blocked int64
	directives     uint16 // a bit for each
}

// Add adds a report.
func (f *HostFacts) Add(report Report) {
	f.Count++
	if report.IsBlocked {
		f.Blocked++
	}
	f.directives |= 1 << report.Directive
}

// Directives returns what was loaded or sent.
func (f *HostFacts) Directives() []string {
	var words []string
	for directive, word := range Directives {
		if f.directives>>directive&1 == 1 {
			words = append(words, word)
		}
	}
	return words
}

// Hosts are the hosts that were reported, by origin.
type Hosts struct {
	Table[charter.Origin, HostFacts]
}

// Note adds a report that came from a network. Of what is declared, Table.Note tells.
func (h *Hosts) Note(report Report, network uint64, isDeclared bool, now time.Time) {
	h.Table.Note(report.Origin, network, isDeclared, now, func(facts *HostFacts) { facts.Add(report) })
}

// The types of bodies: of `report-uri` (Content Security Policy Level 3, section 5.5) and of
// `report-to` (Reporting API, section 3.2).
const (
	singleType = "application/csp-report"
	batchType  = "application/reports+json"
)

// IsType tells whether a media type is that of reports.
func IsType(mediaType string) bool { return mediaType == singleType || mediaType == batchType }

// A violation is the body of a report, in both spellings of its members.
type violation struct {
	BlockedURL         string `json:"blockedURL"`
	EffectiveDirective string `json:"effectiveDirective"`
	Disposition        string `json:"disposition"`

	HyphenatedURL       string `json:"blocked-uri"`
	HyphenatedDirective string `json:"effective-directive"`
}

// Read reads the reports of a body, of at most MaxBody bytes, by its media type, and tells
// how many name no host but the page's own: inline code, data in addresses, and what the
// own host was to redirect to. What comes after a mistake is not read, and counts as one.
func Read(mediaType string, body io.Reader, own charter.Origin) (reports []Report, ignored int) {
	note := func(violation violation) {
		if report, ok := violation.report(); ok && !isSameHost(report.Origin, own) {
			reports = append(reports, report)
		} else {
			ignored++
		}
	}
	decoder := json.NewDecoder(io.LimitReader(body, MaxBody))
	if mediaType == singleType {
		var single struct {
			Violation violation `json:"csp-report"`
		}
		if decoder.Decode(&single) != nil {
			return nil, 1
		}
		note(single.Violation)
		return reports, ignored
	}
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return nil, 1
	}
	for range MaxReports {
		if !decoder.More() {
			break
		}
		var one struct {
			Type      string    `json:"type"`
			Violation violation `json:"body"`
		}
		err := decoder.Decode(&one)
		if _, isOtherForm := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !isOtherForm {
			return reports, ignored + 1
		}
		if err != nil || one.Type != "csp-violation" {
			one.Violation = violation{}
		}
		note(one.Violation)
	}
	return reports, ignored
}

// report returns what is kept of a violation; it is not ok if that is nothing.
func (v *violation) report() (report Report, ok bool) {
	origin, hasOrigin := charter.ParseOrigin(cmp.Or(v.BlockedURL, v.HyphenatedURL))
	directive, isOfHosts := parseDirective(cmp.Or(v.EffectiveDirective, v.HyphenatedDirective))
	// What they are parts of is a whole address.
	origin = charter.Origin{Scheme: strings.Clone(origin.Scheme), Host: strings.Clone(origin.Host), Port: strings.Clone(origin.Port)}
	return Report{origin, directive, v.Disposition == "enforce"}, hasOrigin && isOfHosts
}

// isSameHost tells whether two origins are one host on one port, under any scheme: pages
// reach their own over sockets, too.
func isSameHost(origin, other charter.Origin) bool {
	return origin.Host == other.Host && origin.Port == other.Port
}

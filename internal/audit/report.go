package audit

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// A Report is what `caddy cookie-charter audit` has seen, as its format
// json writes it. Values of cookies are never part of it.
type Report struct {
	Site    string    `json:"site"`    // the address where it began
	Time    time.Time `json:"time"`    // when it began
	Browser string    `json:"browser"` // "" for one that runs no scripts
	Charter string    `json:"charter"` // the file or the address from which the charter came
	Version string    `json:"version"` // of the charter, as published

	Pages    []string `json:"pages"`              // that were visited in each visit, in their order
	Failures []string `json:"failures,omitempty"` // pages that could not be visited, and why
	Notes    []string `json:"notes,omitempty"`    // what was not tested, and why
	Visits   []Visit  `json:"visits"`             // in their order

	HoldsHosts bool `json:"holds_hosts"` // other hosts are held against the charter, and not only told
	Violations int  `json:"violations"`  // how many there are in all visits
	Incomplete bool `json:"incomplete"`  // pages or visits are missing: that there are no violations says nothing
}

// A Visit is one visit of all pages.
type Visit struct {
	Visit   string   `json:"visit"`          // first, refused, accepted or withdrawn
	Cookies []Cookie `json:"cookies"`        // by name, domain and path
	Hosts   []Host   `json:"hosts,omitzero"` // other than the site's that pages called, by name; none without a browser
}

// A Host is another host that pages of the site, or what these load, called on a visit.
type Host struct {
	Host     string           `json:"host"`     // as hosts are declared: with a scheme only if it is not https
	Cookie   string           `json:"cookie"`   // the first name of the row that declares it, "" if none does
	Category charter.Category `json:"category"` // of that row
	Verdict  judge.Verdict    `json:"verdict"`  // allowed, undeclared or refused

	Reached bool   `json:"reached"` // by some call
	Blocked bool   `json:"blocked"` // some call was, by a policy of the page
	Failed  bool   `json:"failed"`  // some call did, or was not over in time
	Page    string `json:"page"`    // the first page that called it

	Violations []string `json:"violations"` // what the charter does not allow, in words
}

// A Cookie is one cookie of a visit: a name, a domain and a path.
type Cookie struct {
	Name     string           `json:"name"`           // "" if it has none
	Domain   string           `json:"domain"`         // with a "." in front if it is for subdomains too
	Path     string           `json:"path"`           // as browsers store it
	Cookie   string           `json:"cookie"`         // the first name of the row that declares it, "" if none does
	Category charter.Category `json:"category"`       // of that row
	Verdict  judge.Verdict    `json:"verdict"`        // allowed, undeclared or refused
	Host     string           `json:"host,omitempty"` // that set it or got it, if it is not the site's: of several, the least allowed

	SetBy    string `json:"set_by"`              // header, script (or whatever else), answer (while that was given), "" if it was there from the visit before
	Kept     bool   `json:"kept"`                // whether the browser holds it after the last page
	Sent     bool   `json:"sent"`                // whether the browser sent it to a page
	Page     string `json:"page"`                // the first page with it
	Lifetime string `json:"lifetime,omitempty"`  // as it was set: session, or such as "13 months"
	Declared string `json:"published,omitempty"` // the lifetime that the charter publishes

	Violations []string `json:"violations"` // what the charter does not allow, in words
}

//go:embed audit.html
var reportPage string

var reportTemplate = template.Must(template.New("audit").Parse(reportPage))

// Write writes the report as text, json or html.
func (r *Report) Write(out *terminal.Printer, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	case "html":
		return reportTemplate.Execute(out, r)
	}
	writeLine := func(text string) { fmt.Fprintln(out, terminal.Printable(text, terminal.MaxSentence)) }
	writeLine(fmt.Sprintf("%s on %s UTC, held against version %s of the charter, from %s", r.Site, r.Time.Format(time.DateTime), terminal.Printable(r.Version, terminal.MaxCell), r.Charter))
	writeLine(fmt.Sprintf("%s, %s", count(len(r.Pages), "page"), cmp.Or(r.Browser, "without scripts")))
	for _, note := range slices.Concat(r.Notes, r.Failures) {
		writeLine(note)
	}
	for _, visit := range r.Visits {
		fmt.Fprintln(out)
		writeLine("Visit: " + visit.Visit)
		cookies := table{head: []string{"NAME", "DOMAIN", "PATH", "DECLARED AS", "VERDICT", "SET BY", "KEPT", "SENT", "LIFETIME", "FIRST ON"}}
		for _, cookie := range visit.Cookies {
			cookies.add(cookie.Violations, cmp.Or(cookie.Name, "(no name)"), cookie.Domain, cookie.Path, cmp.Or(cookie.Cookie, "-"), cookie.Verdict.String(), cmp.Or(cookie.SetBy, "-"),
				yes(cookie.Kept), yes(cookie.Sent), cmp.Or(cookie.Lifetime, "-"), strings.TrimPrefix(cookie.Page, r.Site))
		}
		if err := cookies.write(out); err != nil {
			return err
		}
		if len(visit.Hosts) == 0 {
			continue
		}
		writeLine(visit.CallsInWords())
		hosts := table{head: []string{"HOST", "DECLARED AS", "VERDICT", "REACHED", "BLOCKED", "FAILED", "COOKIES", "FIRST ON"}}
		for _, host := range visit.Hosts {
			hosts.add(host.Violations, host.Host, cmp.Or(host.Cookie, "-"), host.Verdict.String(), yes(host.Reached), yes(host.Blocked), yes(host.Failed),
				cmp.Or(strings.Join(visit.CookiesOf(host), ", "), "-"), strings.TrimPrefix(host.Page, r.Site))
		}
		if err := hosts.write(out); err != nil {
			return err
		}
	}
	verdict, colour := "no violations", terminal.Green
	if r.Incomplete {
		verdict, colour = "no violations were seen, but pages or visits are missing", terminal.Red
	}
	if r.Violations > 0 {
		verdict, colour = count(r.Violations, "violation"), terminal.Red
	}
	fmt.Fprintln(out)
	err := out.WriteColoured(colour, verdict)
	fmt.Fprintln(out)
	return err
}

// CallsInWords tells how many other hosts pages called, and of how many they were kept.
func (v Visit) CallsInWords() string {
	reached, blocked := 0, 0
	for _, host := range v.Hosts {
		if host.Reached {
			reached++
		}
		if host.Blocked {
			blocked++
		}
	}
	return fmt.Sprintf("Other hosts: %d reached, %d blocked", reached, blocked)
}

// CookiesOf returns the names of the cookies of a host.
func (v Visit) CookiesOf(host Host) []string {
	var names []string
	for _, cookie := range v.Cookies {
		if cookie.Host == host.Host {
			names = append(names, cmp.Or(cookie.Name, "(no name)"))
		}
	}
	return names
}

// A table is one of the text, with violations at the ends of its rows.
type table struct {
	head       []string
	rows       [][]string
	violations []string // of each row
}

func (t *table) add(violations []string, cells ...string) {
	t.rows, t.violations = append(t.rows, cells), append(t.violations, strings.Join(violations, ", "))
}

func (t *table) write(out *terminal.Printer) error {
	var lines strings.Builder
	aligned := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	fmt.Fprintln(aligned, strings.Join(t.head, "\t")+"\tVIOLATIONS")
	for _, row := range t.rows {
		for _, cell := range row {
			fmt.Fprint(aligned, terminal.Printable(cell, terminal.MaxCell), "\t")
		}
		fmt.Fprintln(aligned)
	}
	if err := aligned.Flush(); err != nil {
		return err
	}
	head, rest, _ := strings.Cut(lines.String(), "\n")
	fmt.Fprintln(out, head)
	for _, violation := range t.violations {
		var row string
		row, rest, _ = strings.Cut(rest, "\n")
		fmt.Fprint(out, row)
		if err := out.WriteColoured(terminal.Red, terminal.Printable(violation, terminal.MaxSentence)); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	return nil
}

func count(count int, word string) string {
	if count != 1 {
		word += "s"
	}
	return fmt.Sprintf("%d %s", count, word)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}

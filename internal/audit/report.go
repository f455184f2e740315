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

	Violations int  `json:"violations"` // how many there are in all visits
	Incomplete bool `json:"incomplete"` // pages or visits are missing: that there are no violations says nothing
}

// A Visit is one visit of all pages.
type Visit struct {
	Visit   string   `json:"visit"`   // first, refused, accepted or withdrawn
	Cookies []Cookie `json:"cookies"` // by name, domain and path
}

// A Cookie is one cookie of a visit: a name, a domain and a path.
type Cookie struct {
	Name     string           `json:"name"`     // "" if it has none
	Domain   string           `json:"domain"`   // with a "." in front if it is for subdomains too
	Path     string           `json:"path"`     // as browsers store it
	Cookie   string           `json:"cookie"`   // the first name of the row that declares it, "" if none does
	Category charter.Category `json:"category"` // of that row
	Verdict  judge.Verdict    `json:"verdict"`  // allowed, undeclared or refused

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
		var lines strings.Builder
		table := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tDOMAIN\tPATH\tDECLARED AS\tVERDICT\tSET BY\tKEPT\tSENT\tLIFETIME\tFIRST ON\tVIOLATIONS")
		for _, cookie := range visit.Cookies {
			for _, cell := range []string{
				cmp.Or(cookie.Name, "(no name)"), cookie.Domain, cookie.Path, cmp.Or(cookie.Cookie, "-"), cookie.Verdict.String(), cmp.Or(cookie.SetBy, "-"),
				yes(cookie.Kept), yes(cookie.Sent), cmp.Or(cookie.Lifetime, "-"), strings.TrimPrefix(cookie.Page, r.Site),
			} {
				fmt.Fprint(table, terminal.Printable(cell, terminal.MaxCell), "\t")
			}
			fmt.Fprintln(table)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		rows := strings.Split(lines.String(), "\n")
		fmt.Fprintln(out, rows[0])
		for i, cookie := range visit.Cookies {
			fmt.Fprint(out, rows[i+1])
			if err := out.WriteColoured(terminal.Red, terminal.Printable(strings.Join(cookie.Violations, ", "), terminal.MaxSentence)); err != nil {
				return err
			}
			fmt.Fprintln(out)
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

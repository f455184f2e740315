package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// A Report is what `caddy cookie-charter audit` has seen, as its format
// json writes it. Values of cookies are never part of it. Its sentences are in English
// there, and are said in other languages where people read them.
type Report struct {
	Schema string `json:"$schema"`
	Hash   string `json:"hash,omitempty"` // SHA-256 of the report as JSON, without the line of this

	Site    string    `json:"site"`         // the address where it began
	Time    time.Time `json:"time"`         // when it began
	Ended   time.Time `json:"ended"`        // when it was over
	Tool    string    `json:"tool"`         // that has made it, with its version
	By      string    `json:"by,omitempty"` // who has, if that was said
	Browser string    `json:"browser"`      // with its version, "" for one that runs no scripts

	Charter     string `json:"charter"`      // the file or the address from which the charter came
	Version     string `json:"version"`      // of the charter, as published
	CharterHash string `json:"charter_hash"` // SHA-256 of what was read there
	CharterPage string `json:"charter_page"` // the address at which the charter page was looked for

	Pages    []string `json:"pages"`              // that were visited in each visit, in their order
	Failures []string `json:"failures,omitempty"` // pages that could not be visited, and why
	Notes    []string `json:"notes,omitempty"`    // what was not tested, and why
	Limits   []string `json:"limits"`             // what cannot be seen
	Visits   []Visit  `json:"visits"`             // in their order

	HoldsHosts bool      `json:"holds_hosts"`     // other hosts are held against the charter, and not only told
	Violations int       `json:"violations"`      // how many there are in all visits
	Findings   []Finding `json:"findings"`        // the same by cookie, stored item and host
	Since      *Since    `json:"since,omitempty"` // how it differs from an earlier one
	Incomplete bool      `json:"incomplete"`      // pages or visits are missing: that there are no violations says nothing

	content []byte // what it was read from; nil if it was made here
}

// A Visit is one visit of all pages.
type Visit struct {
	Visit      string      `json:"visit"`                 // first, refused, accepted or withdrawn
	Answer     string      `json:"answer"`                // given before it: none, granted or refused
	AnsweredAt string      `json:"answered_at,omitempty"` // on which page
	Clicked    []string    `json:"clicked,omitempty"`     // what there, as CSS selectors
	Pages      []Page      `json:"pages"`                 // in the order in which they were visited
	Screenshot *Screenshot `json:"screenshot,omitempty"`  // of the first page
	Cookies    []Cookie    `json:"cookies"`               // by name, domain and path
	Items      []Item      `json:"items,omitzero"`        // stored items, by name and storage; none without a browser
	Hosts      []Host      `json:"hosts,omitzero"`        // other than the site's that pages called, by name; none without a browser
	Stopped    []Stopped   `json:"stopped,omitzero"`      // what scripts wrote, and something in the page kept from the browser, by kind and name
}

// A Page is a page of a visit.
type Page struct {
	Address string `json:"address"`
	Status  int    `json:"status"`            // of the answer, 0 if there was none
	Failure string `json:"failure,omitempty"` // why it was not looked at
}

// A Screenshot is a picture of a page.
type Screenshot struct {
	File    string `json:"file"`   // its name
	SHA256  string `json:"sha256"` // of what is in the file
	content []byte
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
	Seconds  int64  `json:"seconds,omitempty"`   // the same as a number, 0 for a session
	Declared string `json:"published,omitempty"` // the lifetime that the charter publishes

	Violations []string `json:"violations"` // what the charter does not allow, in words
}

// schemaFile is where the JSON Schema of reports is, in the documentation.
const schemaFile = "audit.schema.json"

// Formats are those of a report.
var Formats = []string{"text", "json", "html", "junit"}

func checkFormat(format string) error {
	if !slices.Contains(Formats, format) {
		return fmt.Errorf("unknown format %q; use one of %s", format, strings.Join(Formats, ", "))
	}
	return nil
}

// Write writes the report in a format, and in a language.
func (r *Report) Write(out *terminal.Printer, format string, words Words) error {
	if err := checkFormat(format); err != nil {
		return err
	}
	language, err := readLanguage(words)
	if err != nil {
		return err
	}
	shown := &view{Report: r, language: language}
	switch format {
	case "json":
		return r.writeJSON(out)
	case "html":
		return reportTemplate.Execute(out, shown)
	case "junit":
		return shown.writeJUnit(out)
	}
	return shown.writeText(out)
}

// JSON returns the report as JSON: as it was written, if it was read.
func (r *Report) JSON() ([]byte, error) {
	if r.content != nil {
		return r.content, nil
	}
	var content bytes.Buffer
	out := &terminal.Printer{Out: &content}
	err := errors.Join(r.writeJSON(out), out.Close())
	return content.Bytes(), err
}

func (r *Report) writeJSON(out *terminal.Printer) error {
	if r.content != nil {
		_, err := out.Write(r.content)
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// seal computes the hash.
func (r *Report) seal() error {
	r.Schema, r.Hash = schemaFile, ""
	content, err := r.JSON()
	r.Hash = hashOf(content)
	return err
}

// hashLine begins the line with the hash, as Write writes it.
const hashLine = `  "hash": "`

// ReadReport reads a report that was written as JSON. It has to be as it was written.
func ReadReport(content []byte) (*Report, error) {
	var report Report
	if err := json.Unmarshal(content, &report); err != nil {
		return nil, fmt.Errorf("it is no report of an audit as JSON: %w", err)
	}
	if report.Schema != schemaFile || report.Hash == "" || len(report.Visits) > len(visits) {
		return nil, errors.New("it is no report of an audit as JSON, or of an earlier version of this command")
	}
	var hashed []byte
	for line := range bytes.Lines(content) {
		// A line with anything else on it says what nothing tells of.
		if string(line) != hashLine+report.Hash+"\",\n" {
			hashed = append(hashed, line...)
		}
	}
	if hashOf(hashed) != report.Hash {
		return nil, errors.New("it was changed since it was written, as its hash tells")
	}
	report.content = content
	return &report, nil
}

// LoadReport reads a report that was written as JSON from a file.
func LoadReport(path string) (*Report, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	report, err := ReadReport(content)
	if err != nil {
		return nil, fmt.Errorf("reading the report in %s: %w", path, err)
	}
	return report, nil
}

// hashOf returns a SHA-256 hash, in hexadecimal.
func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// takePicture writes a screenshot of the page that is shown on a visit.
func (a *audit) takePicture(ctx context.Context, number int) (*Screenshot, error) {
	content, err := a.browser.picture(ctx)
	if err != nil || content == nil {
		return nil, err
	}
	taken := &Screenshot{File: fmt.Sprintf("%d-%s.png", number+1, visits[number].name), SHA256: hashOf(content), content: content}
	return taken, os.WriteFile(filepath.Join(a.pictures, taken.File), content, 0o600)
}

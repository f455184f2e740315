package audit

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"

	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

//go:embed audit.html
var reportPage string

var reportTemplate = template.Must(template.New("audit").Parse(reportPage))

// Picture returns a screenshot as an address that has all of it, "" where it is not at
// hand.
func (s *Screenshot) Picture() template.URL {
	if s == nil || s.content == nil {
		return ""
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(s.content)) //nolint:gosec // in base64
}

// HTML returns the report as a page in a language, and the Content-Security-Policy with which
// it is served: but for its own style, nothing loads, runs or posts there.
func (r *Report) HTML(words Words) (content []byte, policy string, err error) {
	var page bytes.Buffer
	out := &terminal.Printer{Out: &page}
	err = errors.Join(r.Write(out, "html", words), out.Close())
	_, style, _ := bytes.Cut(page.Bytes(), []byte("<style>"))
	style, _, _ = bytes.Cut(style, []byte("</style>"))
	sum := sha256.Sum256(style)
	policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return page.Bytes(), policy, err
}

package audit

import (
	_ "embed"
	"encoding/base64"
	"html/template"
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

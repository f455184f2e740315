package draft

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// Charter files and pages that are imported are read alike, and what an import writes
// a charter file reads.
func TestFindDuration(t *testing.T) {
	for _, test := range []struct {
		text, found string
		isCertain   bool
	}{
		{"90 j", "90 j", true},
		{"7d", "7d", true},
		{"30 mn", "30 mn", true},
		{" 13 mois. ", "13 mois", true},
		{"fin de session", "session", true},
		{"Session", "session", true},
		{"13\u00a0mois", "13\u00a0mois", true},
		{"6 mois, puis 13 mois si vous acceptez", "13 mois", false},
		{"90 j maximum", "90 j", false},
		{"2 pages, 30mn", "30mn", false},
		{"until the browser is closed", "session", false},
		{"session (30 minutes)", "session", false},
		{"Permanent", "", false},
		{"1 moons", "", false},
		{"", "", false},
	} {
		found, isCertain := charter.FindDuration(test.text)
		if found != test.found || isCertain != test.isCertain {
			t.Errorf("%q: %q, %t", test.text, found, isCertain)
		}
		if _, err := charter.ParseDuration(found); found != "" && err != nil {
			t.Errorf("%q: a charter file does not read %q", test.text, found)
		}
		imported := importRow(func(column string) string {
			return map[string]string{"name": "a", "purpose": "p", "duration": test.text}[column]
		}, charter.Necessary, "fr")
		if encoded, err := yaml.Marshal(imported.node); err != nil || test.found != "" && !strings.Contains(string(encoded), "duration: "+test.found) && !strings.Contains(string(encoded), "\\") {
			t.Errorf("%q: %v, %s", test.text, err, encoded)
		}
	}
}

package answers

import (
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// A portal has a charter, and where its visitors answer.
type portal struct {
	charter *charter.Charter
	answers *Store
}

// portalOf returns a portal with presets, further rows as in a charter file, and formats,
// each with its cookie if that is given.
func portalOf(t testing.TB, presets, rows string, formats ...string) portal {
	t.Helper()
	var preferences []Config
	for _, format := range formats {
		format, cookie, _ := strings.Cut(format, " ")
		preferences = append(preferences, Config{Format: format, Cookie: cookie})
	}
	return portalWith(t, presets, rows, preferences...)
}

// portalWith is portalOf with whatever a format can have.
func portalWith(t testing.TB, presets, rows string, preferences ...Config) portal {
	t.Helper()
	var sources []charter.Source
	for preset := range strings.FieldsSeq(presets) {
		loaded, err := charter.LoadPreset(preset)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, loaded)
	}
	if rows != "" {
		loaded, err := charter.Parse([]byte("cookies: ["+rows+"]"), "rows.yaml")
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, loaded)
	}
	if err := Validate(preferences); err != nil {
		t.Fatal(err)
	}
	joined, store, err := Join(sources, preferences, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := joined.ComputeVersion("fr"); err != nil {
		t.Fatal(err)
	}
	return portal{joined, store}
}

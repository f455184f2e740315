package cookiecharter

import (
	"strings"
	"testing"
	"time"
)

// A portal has a charter, and where its visitors answer.
type portal struct {
	charter *charter
	answers *answerStore
}

// siteOf returns a portal with presets, further rows as in a charter file, and formats,
// each with its cookie if that is given.
func portalOf(t testing.TB, presets, rows string, formats ...string) portal {
	t.Helper()
	var preferences []PreferenceFormat
	for _, format := range formats {
		format, cookie, _ := strings.Cut(format, " ")
		preferences = append(preferences, PreferenceFormat{Format: format, Cookie: cookie})
	}
	return portalWith(t, presets, rows, preferences...)
}

func portalWith(t testing.TB, presets, rows string, preferences ...PreferenceFormat) portal {
	t.Helper()
	var sources []source
	for preset := range strings.FieldsSeq(presets) {
		loaded, err := loadPreset(preset)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, loaded)
	}
	if rows != "" {
		loaded, err := parseCharter([]byte("cookies: ["+rows+"]"), "rows.yaml")
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, loaded)
	}
	if err := validatePreferences(preferences); err != nil {
		t.Fatal(err)
	}
	stored, declared, err := preferencesOf(preferences, sources)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := newCharter(append(declared, sources...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := joined.sign("fr"); err != nil {
		t.Fatal(err)
	}
	store, err := newAnswerStore(stored, joined, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return portal{joined, store}
}

package answers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/recent"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// How long a banner keeps its own cookie is not known, so no duration of it is
// published.
func TestDurationOfPreferenceCookie(t *testing.T) {
	for cookie, want := range map[string]Config{
		"tarteaucitron": {Format: "tarteaucitron"}, "klaro 6 months": {Format: "klaro", LocalStorage: "klaro"}, "charter_preference 6 months": {Format: CharterFormat},
	} {
		name, duration, _ := strings.Cut(cookie, " ")
		if row := portalWith(t, "matomo", "", want).charter.Find(name); row.Duration != duration {
			t.Errorf("%s: %q", name, row.Duration)
		}
	}
}

// What a stored value says is remembered, in bounds, and as it was read.
func TestRecentValues(t *testing.T) {
	site := portalOf(t, "opendatasoft matomo", "", "opendatasoft")
	format := site.answers.Preferences[0]
	row := site.charter.Find("_pk_id.1")
	answerTo := func(value string) Answer {
		visitor := Visitor{Store: site.answers, Lines: setcookie.Lines{"cookies_preferences=" + value}}
		return visitor.AnswerTo(row)
	}
	old := `{"matomo":true,"timestamp":1577836800000}` // its grant is over
	for range 2 {
		for value, want := range map[string]Answer{`{"matomo":true}`: Granted, `{"matomo":false}`: Refused, old: None, "x": None, "": None} {
			if got := answerTo(value); got != want {
				t.Errorf("%s: %v, not %v", value, got, want)
			}
		}
	}
	// Each once more, as others can have taken its place.
	answerTo(old)
	if remembered, ok := format.recent.Find(old); !ok || remembered.reading[0].answers["matomo"] != Granted {
		t.Errorf("the reading was changed to %v", remembered.reading)
	}
	answerTo("x")
	if remembered, ok := format.recent.Find("x"); !ok || remembered.err == nil {
		t.Error("an unreadable value is not remembered as such")
	}

	long := `{"matomo":true,"x":"` + strings.Repeat("x", maxRecentValue) + `"}`
	if got := answerTo(long); got != Granted {
		t.Errorf("a long value: %v", got)
	}
	if _, ok := format.recent.Find(long); ok {
		t.Error("a long value is remembered")
	}
	now := time.Now().UnixMilli()
	for i := range 3*recent.MaxTexts + 7 { // more than are remembered
		if got := answerTo(fmt.Sprintf(`{"matomo":true,"timestamp":%d}`, now-int64(i))); got != Granted {
			t.Fatalf("value %d: %v", i, got)
		}
	}

	// What depends on other cookies is read anew.
	site = portalOf(t, "matomo", "", "onetrust")
	if site.answers.Preferences[0].recent != nil {
		t.Error("remembers a value that says nothing alone")
	}
}

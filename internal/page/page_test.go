package page

import (
	"io"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

// Whatever there is to show, the page shows it in every language.
func TestSample(t *testing.T) {
	preset, err := charter.LoadPreset("opendatasoft")
	if err != nil {
		t.Fatal(err)
	}
	stored, declared, err := answers.PreferencesOf([]answers.Config{{Format: "opendatasoft"}}, []charter.Source{preset})
	if err != nil {
		t.Fatal(err)
	}
	joined, err := charter.New(append(declared, preset)...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := answers.NewStore(stored, joined, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := New(Options{Config: Config{Path: DefaultPath, Theme: NeutralTheme}, Language: "fr", Charter: joined, Answers: store, Policy: judge.NewPolicy(joined, judge.Options{EnforcesDuration: true})})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range shown.texts {
		if err := shown.template.Execute(io.Discard, shown.sample(text)); err != nil {
			t.Error(err)
		}
	}
}

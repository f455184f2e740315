package guard

import (
	"bytes"
	"compress/gzip"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

// guardOf returns the guard of presets and of rows as in a charter file, and what reads its
// visitors' answers.
func guardOf(t testing.TB, options judge.Options, names []string, rows string, formats ...answers.Config) (*Guard, *answers.Store) {
	t.Helper()
	var sources []charter.Source
	for _, name := range names {
		preset, err := charter.LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, preset)
	}
	if rows != "" {
		inline, err := charter.Parse([]byte(rows), "rows.yaml")
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, inline)
	}
	stored, declared, err := answers.NewPreferences(formats, sources)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := charter.New(append(declared, sources...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := joined.ComputeVersion("fr"); err != nil {
		t.Fatal(err)
	}
	store, err := answers.NewStore(stored, joined, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(joined, judge.NewPolicy(joined, options), store, "/terms/cookies-policy", false)
	if err != nil {
		t.Fatal(err)
	}
	return g, store
}

// The script takes little with all presets at once.
func TestScriptIsSmall(t *testing.T) {
	g, _ := guardOf(t, judge.Options{EnforcesDuration: true}, charter.PresetNames(), "", answers.Config{Format: "charter"})
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = writer.Write(g.Script())
	_ = writer.Close()
	t.Logf("%d bytes, %d after compression", len(g.Script()), compressed.Len())
	if compressed.Len() > 3<<10 {
		t.Errorf("%d bytes after compression", compressed.Len())
	}
}
func TestDump(t *testing.T) {
	g, _ := guardOf(t, judge.Options{EnforcesDuration: true}, charter.PresetNames(), "", answers.Config{Format: "charter"})
	println(string(g.Script()[:3000]))
}

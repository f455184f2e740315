package answers

import (
	"strings"
	"testing"
)

// What a key covers does not hang on the order of its rows.
func TestFingerprint(t *testing.T) {
	const a, b = "{name: a, purpose: p, category: statistics}", "{name: b, purpose: q, category: statistics}"
	first, second := portalOf(t, "", a+", "+b, "charter"), portalOf(t, "", b+", "+a, "charter")
	if got, want := first.charter.Fingerprints["statistics"], second.charter.Fingerprints["statistics"]; got != want || len(got) != 8 {
		t.Errorf("%s, %s", got, want)
	}
}

// The version is that of what is declared, however it is written.
func TestCharterVersion(t *testing.T) {
	version := func(rows string) string { return portalOf(t, "", rows, "charter").charter.Version }
	const a, b = "{name: a, purpose: p, category: necessary}", "{name: b, category: necessary, purpose: p}"
	same := version(a + ", " + b)
	if version("{name: a, purpose: p, category: necessary, duration: 1800 s}") != version("{name: a, purpose: p, category: necessary, duration: 30 min}") {
		t.Error("the same duration in another unit is another version")
	}
	for _, block := range []string{b + ", " + a, "\n" + a + ",\n\n" + b, "{category: necessary, name: [a], purpose: p}, " + b} {
		if got := version(block); got != same {
			t.Errorf("%q has another version", block)
		}
	}
	for _, block := range []string{a, a + ", " + strings.Replace(b, "purpose: p", "purpose: q", 1), a + ", " + strings.Replace(b, "necessary", "statistics", 1), a + ", " + strings.Replace(b, "name: b", "name: c", 1)} {
		if got := version(block); got == same || len(got) != 12 {
			t.Errorf("%q has the version %s", block, got)
		}
	}
}

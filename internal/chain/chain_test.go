package chain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// An archive is what is kept, by file, as <day of March>-<version>.
type archive map[string]string

// keep keeps a version after those that are the last of some.
func (a archive) keep(day int, version string, after ...string) {
	links := []string{}
	for _, tip := range Tips(a.read(after...)) {
		links = append(links, fmt.Sprintf(`{"version": %q, "sha256": %q}`, tip.Version, tip.SHA256))
	}
	a[fmt.Sprintf("%02d-%s", day, version)] = fmt.Sprintf(`{"version": %q, "previous": [%s]}`, version, strings.Join(links, ", "))
}

// read reads some versions, or all.
func (a archive) read(versions ...string) []Entry {
	var names []string
	for name := range a {
		if versions == nil || slices.Contains(versions, name[3:]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var entries []Entry
	for _, name := range names {
		day, err := time.Parse(time.DateOnly, "2026-03-"+name[:2])
		if err != nil {
			panic(err)
		}
		entries = append(entries, Read(name[3:], day, []byte(a[name])))
	}
	return entries
}

// judge returns the verdict of each version, with who says it.
func (a archive) judge() string {
	var words []string
	for _, judged := range Judge(a.read()) {
		word := judged.Version + " " + string(judged.Verdict)
		if judged.By != "" {
			word += " by " + judged.By
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		change func(archive)
		want   string
	}{
		"as it was":            {func(archive) {}, "a unchanged by b, c unchanged by d, b unchanged by c, d latest"},
		"changed":              {func(a archive) { a["02-b"] = strings.Replace(a["02-b"], "{", "{ ", 1) }, "a unchanged by b, c unchanged by d, b changed by c, d latest"},
		"changed first":        {func(a archive) { a["01-a"] += " " }, "a changed by b, c unchanged by d, b unchanged by c, d latest"},
		"missing":              {func(a archive) { delete(a, "02-b") }, "a unnamed, b missing by c, c unchanged by d, d latest"},
		"missing first":        {func(a archive) { delete(a, "01-a") }, "c unchanged by d, a missing by b, b unchanged by c, d latest"},
		"added":                {func(a archive) { a["02-x"] = a["02-b"] }, "a unchanged by b, c unchanged by d, b unchanged by c, x unreadable, d latest"},
		"added as it seems":    {func(a archive) { a["02-x"] = strings.Replace(a["02-b"], `"b"`, `"x"`, 1) }, "a unchanged by b, c unchanged by d, b unchanged by c, x unnamed, d latest"},
		"added without others": {func(a archive) { a["02-x"] = `{"version": "x"}` }, "a unchanged by b, c unchanged by d, b unchanged by c, x unnamed, d latest"},
		"renamed":              {func(a archive) { a["02-x"] = a["02-b"]; delete(a, "02-b") }, "a unnamed, b missing by c, c unchanged by d, x unreadable, d latest"},
		"no JSON":              {func(a archive) { a["03-d"] = "{" }, "a unchanged by b, c unnamed, b unchanged by c, d unreadable"},
		"the latest, changed":  {func(a archive) { a["03-d"] += " " }, "a unchanged by b, c unchanged by d, b unchanged by c, d latest"},
	} {
		a := archive{}
		a.keep(1, "a")
		a.keep(2, "b", "a")
		a.keep(1, "c", "a", "b") // by an instance of which the clock is late
		a.keep(3, "d", "a", "b", "c")
		test.change(a)
		if got := a.judge(); got != test.want {
			t.Errorf("%s: %s; want %s", name, got, test.want)
		}
	}
}

// Two that write at once name the same one; the next names both.
func TestJudgeTwoAtOnce(t *testing.T) {
	a := archive{}
	a.keep(1, "a")
	a.keep(2, "b", "a")
	a.keep(2, "c", "a")
	if got, want := a.judge(), "a unchanged by b, b latest, c latest"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	a.keep(3, "d", "a", "b", "c")
	if got, want := a.judge(), "a unchanged by b, b unchanged by d, c unchanged by d, d latest"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// Versions from before any named others are vouched for from the first on that does.
func TestJudgeFromBefore(t *testing.T) {
	a := archive{"01-a": `{"version": "a"}`, "02-b": `{"version": "b"}`, "02-c": `{"version": "c"}`}
	if got, want := a.judge(), "a unchecked, b latest, c latest"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	a.keep(3, "d", "b", "c")
	if got, want := a.judge(), "a unchecked, b unchanged by d, c unchanged by d, d latest"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	a["02-c"] += " "
	a["04-e"] = `{"version": "e"}`
	a.keep(5, "f", "d")
	if got, want := a.judge(), "a unchecked, b unchanged by d, c changed by d, d unchanged by f, e unnamed, f latest"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// What names more than any version does is none, as it would cost who reads it.
func TestReadHasBounds(t *testing.T) {
	links := func(count int) []byte {
		return []byte(`{"version": "a", "previous": [` + strings.TrimSuffix(strings.Repeat(`{"version": "b", "sha256": ""},`, count), ",") + `]}`)
	}
	if entry := Read("a", time.Time{}, links(maxLinks)); entry.Mistake != nil || len(entry.Previous) != maxLinks {
		t.Errorf("%v, %d", entry.Mistake, len(entry.Previous))
	}
	if entry := Read("a", time.Time{}, links(maxLinks+1)); entry.Mistake == nil || entry.Previous != nil {
		t.Errorf("%v, %d", entry.Mistake, len(entry.Previous))
	}
}

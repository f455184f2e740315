package terminal

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// A table has a line for each row, unless a terminal is too narrow for that.
func TestTable(t *testing.T) {
	table := &Table{Head: []string{"NAME", "WORDS", "LAST"}}
	table.Add(Cell{"a", ""}, Cell{"some words that are long", Red}, Cell{"é", ""})
	table.Add(Cell{"averyveryverylongname", ""}, Cell{"", ""}, Cell{"", ""})
	write := func(table *Table, width int, coloured bool) string {
		var out bytes.Buffer
		if err := table.Write(&Printer{Out: &out, Width: width, IsTerminal: coloured}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	wide := "NAME                   WORDS                     LAST\na                      some words that are long  é\naveryveryverylongname\n"
	for _, width := range []int{0, 53, 200} {
		if got := write(table, width, false); got != wide {
			t.Errorf("%d:\n%s", width, got)
		}
	}
	if table.Width() != 53 {
		t.Errorf("%d", table.Width())
	}
	if got := write(table, 40, false); got != "NAME                   WORDS        LAST\na                      some words   é\n                       that are\n                       long\naveryveryverylongname\n" {
		t.Errorf("%s", got)
	}
	// Where words had to be broken, each cell is a line, but for those that say nothing.
	if got := write(table, 28, false); got != "NAME   a\nWORDS  some words that are\n       long\nLAST   é\n\nNAME   averyveryverylongname\n" {
		t.Errorf("%s", got)
	}
	for width := 24; width < 60; width++ { // down to where no column can be narrower
		for line := range strings.Lines(write(table, width, false)) {
			if length := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); length > width || strings.HasSuffix(line, " \n") {
				t.Errorf("%d: %q", width, line)
			}
		}
	}
	if got := write(table, 0, true); !strings.Contains(got, "a                      \x1b[31msome words that are long\x1b[0m  é\n") {
		t.Errorf("%q", got)
	}
	if got := write(table.Pick(2, 0), 0, false); got != "LAST  NAME\né     a\n      averyveryverylongname\n" {
		t.Errorf("%s", got)
	}
	var list Table
	list.Add(Cell{Text: "cookie"}, Cell{Text: "a"}, Cell{Text: "set before consent; set after refusal; set after withdrawal"})
	// A long word takes no more than a third of the width from sentences beside it.
	list.Add(Cell{Text: "cookie"}, Cell{Text: strings.Repeat("averylongname", 3)}, Cell{Text: "undeclared"})
	if got := write(&list, 60, false); got != "cookie  a                          set before consent; set\n                                   after refusal; set after\n                                   withdrawal\ncookie  averylongnameaverylongnam  undeclared\n        eaverylongname\n" {
		t.Errorf("%s", got)
	}
	// It stays whole where the rest can be three lines.
	var facts Table
	facts.Add(Cell{Text: "Hash of this report"}, Cell{Text: "SHA-256 " + strings.Repeat("0123456789abcdef", 2)})
	if got := write(&facts, 44, false); got != "Hash of     SHA-256\nthis        0123456789abcdef0123456789abcdef\nreport\n" {
		t.Errorf("%s", got)
	}
	var headless Table
	headless.Add(Cell{Text: "x\x1b"}, Cell{Text: "y"})
	if got := write(&headless, 0, false); got != "x\\u001b  y\n" {
		t.Errorf("%q", got)
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string][]string{
		"": {""}, "abc": {"abc"}, "abcd e": {"abcd", "e"}, "a b c": {"a b", "c"}, "abcdefghij k": {"abcd", "efgh", "ij k"}, "é è ê ë": {"é è", "ê ë"}, "a b\u00a0;": {"a", "b\u00a0;"}, "a b\u202f;": {"a", "b\u202f;"},
	} {
		if got := Wrap(text, 4); !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := Wrap("a b c d", 0); !slices.Equal(got, []string{"a b c d"}) {
		t.Errorf("%q", got)
	}
}

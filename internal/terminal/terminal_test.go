package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// What a printer lets through is whole, whatever pieces it is given.
func TestPrinter(t *testing.T) {
	for text, want := range map[string]string{
		"plain, é, 日本, \U0001f36a\n\tx":                       "plain, é, 日本, \U0001f36a\n\tx",
		"\u200e\u200fعربي\u00a0\u202f":                        "\u200e\u200fعربي\u00a0\u202f",
		"\x1b[31m\r\u009b\u202e\u2028\U000e0001":              `\u001b[31m\u000d\u009b\u202e\u2028` + "\U000e0001",
		"\xff\xc3\xe2\x82":                                    "���",
		"a\ufdd0b\ufdd1c\ufdd2d\ufdd3e\ufdef\uffff\U0001fffe": `a\ufdd0b\ufdd1c\ufdd2d\ufdd3e\ufdef\uffff` + "\U0001fffe",
	} {
		for size := range 5 {
			var out bytes.Buffer
			p := &Printer{Out: &out, IsTerminal: true}
			for rest := []byte(text); len(rest) > 0; {
				piece := min(size+1, len(rest))
				if n, err := p.Write(rest[:piece]); n != piece || err != nil {
					t.Fatal(n, err)
				}
				rest = rest[piece:]
			}
			if err := p.Close(); err != nil || strings.Trim(out.String(), "�") != strings.Trim(want, "�") {
				t.Errorf("%q in pieces of %d: %q, %v", text, size+1, &out, err)
			}
		}
	}
	var out bytes.Buffer
	p := NewPrinter(&out)
	if err := errors.Join(p.ReplaceLine("x"), p.WriteColoured(Red, "y\x1b")); err != nil || out.String() != `y\u001b` || p.IsTerminal {
		t.Errorf("%q, %v", &out, err)
	}
	out.Reset()
	p.IsTerminal = true
	if err := errors.Join(p.ReplaceLine("x\r"), p.WriteColoured(Red, "y\x1b"), p.WriteColoured(Red, "")); err != nil || out.String() != "\r\x1b[Kx"+`\u000d`+"\x1b[31my"+`\u001b`+"\x1b[0m" {
		t.Errorf("%q, %v", &out, err)
	}

	if got := Printable("é\x1b\u00a0\U000e0001\xff"+strings.Repeat("x", 50), 9); got != `é\u001b\u00a0\U000e0001�xxx…` {
		t.Errorf("%q", got)
	}
	broken := errors.New("full")
	if _, err := (&Printer{Out: failing{broken}}).Write([]byte("x")); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

// Several mistakes have a line each; no other's text makes lines of its own.
func TestMakePrintable(t *testing.T) {
	inner := errors.New("a\nb")
	err := MakePrintable(errors.Join(fmt.Errorf("x: %w", inner), errors.Join(errors.New("c\x1b"), fmt.Errorf("%w and %w", inner, io.EOF)), nil))
	if want := "x: a\\u000ab\nc\\u001b\na\\u000ab and EOF"; err.Error() != want || !errors.Is(err, inner) {
		t.Errorf("%q", err)
	}
	if MakePrintable(nil) != nil || MakePrintable(errors.Join(nil)) != nil {
		t.Error("makes a mistake")
	}
	if got := MakePrintable(errors.New(strings.Repeat("x", 99999))).Error(); len(got) > maxMistake+4 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestCount(t *testing.T) {
	for number, want := range map[int]string{0: "0 networks", 1: "1 network", 2: "2 networks"} {
		if got := Count(number, "network"); got != want {
			t.Errorf("%d: %s", number, got)
		}
	}
}

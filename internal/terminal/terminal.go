// Package terminal prints texts of somebody else's so that no terminal takes them for
// commands.
package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

const (
	// MaxCell is how much of a text of somebody else's a table shows, in characters.
	MaxCell = 48

	// MaxSentence is how much of one a sentence shows, in characters.
	MaxSentence = 500

	// maxMistake is how long an error is at most, in characters.
	maxMistake = 2000
)

// Count returns a number of things in words, by the word for one.
func Count[Number int | int64](number Number, thing string) string {
	if number != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", number, thing)
}

// Printable returns a text of somebody else's as any terminal can show it, on one
// line: what is not printable, such as control characters, the escape sequences that
// begin with them, and controls of direction, is written \u001b, and what is no UTF-8
// "�". It is cut after so many characters.
func Printable(text string, most int) string {
	if characters := []rune(text); len(characters) > most {
		text = string(characters[:most-1]) + "…"
	}
	var safe strings.Builder
	for _, char := range text { // U+FFFD for what is no UTF-8
		if unicode.IsPrint(char) {
			safe.WriteRune(char)
		} else {
			safe.WriteString(escape(char))
		}
	}
	return safe.String()
}

// isCommand tells whether a terminal, or whoever reads what it shows, can take a
// character for something else than a text. Lines and columns are ours to make, and
// marks of direction (U+200E, U+200F, U+061C) are a part of some scripts, and turn
// no other text round.
func isCommand(char rune) bool {
	switch char {
	case '\n', '\t', '\u200e', '\u200f', '\u061c':
		return false
	case '\u2028', '\u2029':
		return true
	}
	isNoncharacter := char <= 0xffff && unicode.Is(unicode.Noncharacter_Code_Point, char) // JSON escapes no others so
	return unicode.IsControl(char) || unicode.Is(unicode.Bidi_Control, char) || isNoncharacter
}

// escape returns a character as JSON and YAML write it in quotes.
func escape(char rune) string {
	if char > 0xffff {
		return fmt.Sprintf(`\U%08x`, char)
	}
	return fmt.Sprintf(`\u%04x`, char)
}

// Sequences of a terminal, the exported ones for WriteColoured. They reach it by a
// printer's methods alone: whatever stands in a text is a text.
const (
	Red     = "\x1b[31m"
	Green   = "\x1b[32m"
	plain   = "\x1b[0m"
	newLine = "\r\x1b[K" // in the place of the present one
)

// A Printer is what our commands write to. Whatever they forgot to make printable,
// it does.
type Printer struct {
	Out        io.Writer // of what is printed
	IsTerminal bool      // somebody looks, and wants colours and progress
	Width      int       // of the terminal, in characters; 0 for none, where lines have any length
	rest       []byte    // the beginning of a character
}

// NewPrinter returns the printer of a stream. NO_COLOR turns colours and progress
// off (https://no-color.org).
func NewPrinter(out io.Writer) *Printer {
	printer := &Printer{Out: out}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		printer.IsTerminal = os.Getenv("NO_COLOR") == ""
		printer.Width, _, _ = term.GetSize(int(file.Fd())) // 0 where it has none
	}
	return printer
}

// Write writes a text, but for a character that is not complete yet.
func (p *Printer) Write(text []byte) (int, error) {
	whole := slices.Concat(p.rest, text)
	end := len(whole)
	for last := max(0, end-utf8.UTFMax+1); last < end; last++ {
		if utf8.RuneStart(whole[last]) && !utf8.FullRune(whole[last:]) {
			end = last
		}
	}
	p.rest = bytes.Clone(whole[end:])
	return len(text), p.print(string(whole[:end]))
}

// Close writes what is left.
func (p *Printer) Close() error {
	rest := string(p.rest)
	p.rest = nil
	return p.print(rest)
}

// WriteColoured writes a whole text in a colour, if somebody looks.
func (p *Printer) WriteColoured(colour, text string) error {
	if !p.IsTerminal || text == "" {
		return p.print(text)
	}
	return p.writeBetween(colour, text, plain)
}

// ReplaceLine writes a whole text in the place of the present line, if somebody looks.
func (p *Printer) ReplaceLine(text string) error {
	if !p.IsTerminal {
		return nil
	}
	return p.writeBetween(newLine, text, "")
}

// writeBetween writes a text between two sequences.
func (p *Printer) writeBetween(before, text, after string) error {
	_, first := io.WriteString(p.Out, before)
	second := p.print(text)
	_, third := io.WriteString(p.Out, after)
	return errors.Join(first, second, third)
}

func (p *Printer) print(text string) error {
	var safe strings.Builder
	for _, char := range text {
		if isCommand(char) {
			safe.WriteString(escape(char))
		} else {
			safe.WriteRune(char)
		}
	}
	_, err := io.WriteString(p.Out, safe.String())
	return err
}

// A printableError is an error that says something of somebody else's.
type printableError struct {
	error
	text string
}

// Error returns what went wrong, one mistake a line.
func (e printableError) Error() string { return e.text }

// Unwrap returns the error itself.
func (e printableError) Unwrap() error { return e.error }

// MakePrintable returns an error that can be printed, nil for none.
func MakePrintable(err error) error {
	if err == nil {
		return nil
	}
	var mistakes []string
	var list func(err error)
	list = func(err error) {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || errors.Join(joined.Unwrap()...).Error() != err.Error() { // it says something of its own
			mistakes = append(mistakes, Printable(err.Error(), maxMistake))
			return
		}
		for _, each := range joined.Unwrap() {
			list(each)
		}
	}
	list(err)
	return printableError{err, strings.Join(mistakes, "\n")}
}

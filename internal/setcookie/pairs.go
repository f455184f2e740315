package setcookie

import (
	"iter"
	"strings"
)

// Lines are the lines of a Cookie header.
type Lines []string

// Pairs yields all names and values, of pairs that have a name.
func (lines Lines) Pairs() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, line := range lines {
			for more := true; more; {
				var pair string
				pair, line, more = strings.Cut(line, ";")
				if name, value, ok := CutPair(pair); ok && !yield(name, value) {
					return
				}
			}
		}
	}
}

// Names yields the name of every pair, "" for one without.
func (lines Lines) Names() iter.Seq[string] {
	return func(yield func(name string) bool) {
		for _, line := range lines {
			for pair := range strings.SplitSeq(line, ";") {
				if Trim(pair) == "" {
					continue
				}
				if name, _, _ := CutPair(pair); !yield(name) {
					return
				}
			}
		}
	}
}

// Values yields the values of one name.
func (lines Lines) Values(name string) iter.Seq[string] {
	return func(yield func(value string) bool) {
		for other, value := range lines.Pairs() {
			if other == name && !yield(value) {
				return
			}
		}
	}
}

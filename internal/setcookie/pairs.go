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
			for start := 0; start < len(line); {
				var pair string
				pair, start = nextPair(line, start)
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
			for start := 0; start < len(line); {
				var pair string
				if pair, start = nextPair(line, start); pair == "" {
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

// Keep returns a line of a Cookie header with those of its pairs that are kept, as they
// came, and tells whether there are some.
func Keep(line string, keeps func(pair string) bool) (kept string, ok bool) {
	var rest strings.Builder // in use once a pair was dropped
	dropped := false
	for start := 0; start < len(line); {
		pair, next := nextPair(line, start)
		switch {
		case pair == "":
		case !keeps(pair):
			if !dropped {
				dropped = true
				rest.WriteString(strings.TrimRight(line[:start], "; \t"))
			}
		case dropped:
			if rest.Len() > 0 {
				rest.WriteString("; ")
			}
			rest.WriteString(pair)
		}
		start = next
	}
	if !dropped {
		return line, true
	}
	return rest.String(), rest.Len() > 0
}

// nextPair returns what stands from a place up to the next ";", trimmed, and where the
// next pair begins.
func nextPair(line string, start int) (pair string, next int) {
	end := len(line)
	if length := strings.IndexByte(line[start:], ';'); length >= 0 {
		end = start + length
	}
	return Trim(line[start:end]), end + 1
}

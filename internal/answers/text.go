package answers

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
)

// decodings yields a value as it is, and percent-decoded once and twice, as far
// as that changes it. Quotes around it are removed each time.
func decodings(value string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for range 3 {
			value = unquote(value)
			if !yield(value) {
				return
			}
			decoded, err := url.PathUnescape(value)
			if err != nil || decoded == value {
				return
			}
			value = decoded
		}
	}
}

// unquote removes the quotes around a value, and the escapes in it with which
// Python, and so Django, writes what does not go into a cookie: `\054`, `\"`.
func unquote(value string) string {
	quoted, ok := strings.CutPrefix(value, `"`)
	if !ok {
		return value
	}
	quoted = strings.TrimSuffix(quoted, `"`)
	var text strings.Builder
	for {
		before, escape, ok := strings.Cut(quoted, `\`)
		text.WriteString(before)
		if !ok {
			return text.String()
		}
		length := min(len(escape), 3)
		if char, err := strconv.ParseUint(escape[:length], 8, 8); err == nil && length == 3 {
			text.WriteByte(byte(char))
			quoted = escape[length:]
		} else if escape != "" {
			text.WriteByte(escape[0])
			quoted = escape[1:]
		} else {
			return text.String()
		}
	}
}

// statements are what a text says of keys, maybe several times: a refusal beats
// all else, and what is no answer beats a grant.
type statements map[string]Answer

// unclear marks a key of which something is said that is no answer. What holds for keys
// of which nothing is said does not hold for it.
const unclear Answer = -1

func (s statements) add(key string, answer Answer) {
	former, ok := s[key]
	switch {
	case former == Refused || answer == Refused:
		s[key] = Refused
	case answer == None || ok && former == unclear:
		s[key] = unclear
	default:
		s[key] = answer
	}
}

func (s statements) answers() map[string]Answer {
	maps.DeleteFunc(s, func(_ string, answer Answer) bool { return answer == unclear })
	return s
}

// readPairs reads keys and values between separators, each value one of some
// words. As a part of them may be encoded, it decodes as far as that goes.
func readPairs(value, between, within string, words vocabulary) (reading, error) {
	for text := range decodings(value) {
		value = text
	}
	said := statements{}
	for pair := range strings.SplitSeq(value, between) {
		if key, word, ok := strings.Cut(pair, within); ok {
			said.add(key, words[word])
		}
	}
	if len(said) == 0 {
		return reading{}, errUnreadable
	}
	return reading{answers: said.answers()}, nil
}

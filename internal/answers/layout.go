package answers

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// anyName stands for every name in a path.
const anyName = "*"

// A layout says where a banner keeps the answers in a JSON object. Its paths are names
// with dots between, of which one can be anyName. A word at the end of a path answers the
// key that anyName stood for, or else that of the last name.
type layout struct {
	words      []string // paths to words, each of which answers a key
	vocabulary vocabulary
	all        string // the key of all others at once, "" if there is none

	granted []string // paths to lists of keys that are granted
	refused []string // paths to lists of keys that are refused; nil: all that no list names are

	proofs      []evidence // of an answer, each of which has to be there
	hasRevision bool       // the member of this name is that of the banner's texts
}

// A vocabulary has what words say. Those of a layout are as wordOf returns them.
type vocabulary map[string]Answer

var (
	booleans = vocabulary{"true": Granted, "false": Refused}
	digits   = vocabulary{"1": Granted, `"1"`: Granted, "0": Refused, `"0"`: Refused}
)

// An evidence is a word that is not there before an answer is given.
type evidence struct {
	path  string
	words []string // that it can be; without any, all but false, 0, null and ""
}

// isTrue returns the evidence that something is true.
func isTrue(path string) evidence { return evidence{path, []string{"true"}} }

// wordOf returns a JSON value that is no object and no list, else "": as it is written, but
// a text, which can be written in many ways, in quotes without escapes.
func wordOf(value string) string {
	text, isText := member{value: value}.text()
	switch {
	case isText:
		return `"` + text + `"`
	case strings.HasPrefix(value, "{"), strings.HasPrefix(value, "["):
		return ""
	}
	return value
}

// spellings returns words as wordOf returns them, be they texts or not.
func spellings(words []string) []string {
	all := make([]string, 0, 2*len(words))
	for _, word := range words {
		all = append(all, word, `"`+word+`"`)
	}
	return all
}

// readJSON reads an object as the configuration says, or as the page writes it.
func readJSON(cookie Cookie) (reading, error) {
	if l := cookie.Preference.layout; l != nil {
		return l.read(cookie)
	}
	return readWrittenMap(cookie)
}

// read reads the JSON object that a cookie holds, maybe in base64.
func (l layout) read(cookie Cookie) (reading, error) {
	stored, err := parseEncoded(cookie.Value)
	if err != nil {
		stored, err = parseBase64(cookie.Value)
	}
	if err != nil {
		return reading{}, err
	}
	return stored.reading(func(stored object) (reading, error) {
		if ok, err := l.isAnswered(stored, cookie.Preference); !ok || err != nil {
			return reading{}, err
		}
		said := statements{}
		for _, path := range l.words {
			err := stored.walk(path, func(m member, _ bool) error {
				said.add(m.key, l.vocabulary[wordOf(m.value)])
				return nil
			})
			if err != nil {
				return reading{}, err
			}
		}
		if l.all != "" && said[l.all] == Refused {
			return reading{rest: Refused}, nil
		}
		hasGranted, err := said.addLists(stored, l.granted, Granted)
		if err != nil {
			return reading{}, err
		}
		if _, err := said.addLists(stored, l.refused, Refused); err != nil {
			return reading{}, err
		}
		read := reading{answers: said.answers()}
		if hasGranted && l.refused == nil {
			read.rest = Refused
		}
		return read, nil
	})
}

// addLists adds the same answer to all keys in the lists at some paths. It tells whether
// there is any list.
func (s statements) addLists(stored object, paths []string, answer Answer) (found bool, err error) {
	for _, path := range paths {
		err := stored.walk(path, func(m member, isTwice bool) error {
			var keys []string
			if isTwice {
				return errContradictory
			}
			if json.Unmarshal([]byte(m.value), &keys) != nil {
				return errUnreadable
			}
			for _, key := range keys {
				s.add(key, answer)
			}
			found = found || keys != nil
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return found, nil
}

// isAnswered tells whether there is proof of an answer, to the banner's texts of today.
func (l layout) isAnswered(stored object, p *Preference) (bool, error) {
	if l.hasRevision {
		revision := 0
		if err := stored.read("revision", &revision); err != nil || revision != p.Revision {
			return false, err
		}
	}
	for _, proof := range l.proofs {
		isThere := false
		err := stored.walk(proof.path, func(m member, isTwice bool) error {
			if isTwice {
				return errContradictory
			}
			word := wordOf(m.value)
			if len(proof.words) == 0 {
				isThere = !slices.Contains([]string{"false", "0", "null", `""`, ""}, word)
			} else {
				isThere = slices.Contains(proof.words, word)
			}
			return nil
		})
		if err != nil || !isThere {
			return false, err
		}
	}
	return true, nil
}

// walk calls found for what is at the end of a path, with the key that it answers, and
// whether there is another of the same name.
func (o object) walk(path string, found func(m member, isTwice bool) error) error {
	name, rest, goesOn := strings.Cut(path, ".")
	if name != anyName {
		o = o.named(name)
	}
	count := map[string]int{}
	for _, m := range o {
		count[m.key]++
	}
	for _, m := range o {
		isTwice := count[m.key] > 1
		switch {
		case !goesOn:
			if err := found(m, isTwice); err != nil {
				return err
			}
			continue
		case isTwice:
			return errContradictory
		case m.value == "null", name == anyName && !strings.HasPrefix(m.value, "{"):
			continue // what is beside objects with answers has none
		}
		inner, err := parseObject(m.value)
		if err != nil {
			return err
		}
		err = inner.walk(rest, func(last member, isTwice bool) error {
			if name == anyName {
				last.key = m.key
			}
			return found(last, isTwice)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// parseBase64 is parseObject of what is in base64, percent-encoded or not.
func parseBase64(value string) (object, error) {
	for text := range decodings(value) {
		decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(toStandardBase64.Replace(text), "="))
		if err == nil {
			return parseObject(string(decoded))
		}
	}
	return nil, errUnreadable
}

var toStandardBase64 = strings.NewReplacer("-", "+", "_", "/")

package charter

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/language"
)

// Names is a list of cookie names or of patterns. In JSON and in charter files
// it is one string or an array of strings.
type Names []string

// Include tells whether a name is among them, or begins as one of those that end in "*".
func (n Names) Include(name string) bool {
	return slices.ContainsFunc(n, func(pattern string) bool { return includes(pattern, name) })
}

// includes tells whether a pattern is a name, or what that begins with and "*".
func includes(pattern, name string) bool {
	prefix, isPrefix := strings.CutSuffix(pattern, "*")
	return pattern == name || isPrefix && strings.HasPrefix(name, prefix)
}

// Text is a text for people: one for all languages, or one per language. In
// JSON and in charter files it is a string, or an object from BCP 47 language
// tags to strings, of which the primary subtag counts (`fr-CA` is `fr`). The
// text for all languages stands under the empty key.
type Text map[string]string

// In returns the text for a language: its own, else the one for all
// languages, else that of the fallbacks in their order, else any.
func (t Text) In(language string, fallbacks ...string) string {
	text, _ := t.Find(language, fallbacks...)
	return text
}

// Find is In, and returns the language of the text, too.
func (t Text) Find(language string, fallbacks ...string) (text, found string) {
	keys := slices.Concat([]string{language, ""}, fallbacks, slices.Sorted(maps.Keys(t)))
	for _, key := range keys {
		if t[key] != "" {
			return t[key], key
		}
	}
	return "", ""
}

// With returns the text with one more language, or with its text for all
// languages if tag is empty.
func (t Text) With(tag, text string) (Text, error) {
	if t == nil {
		t = Text{}
	}
	if err := checkVisible(text); err != nil {
		return t, err
	}
	if tag == "" {
		if _, ok := t[""]; ok {
			return t, errors.New("two texts without a language; keep one, or say their languages")
		}
		t[""] = text
		return t, nil
	}
	parsed, err := language.Parse(tag)
	if err != nil {
		return t, fmt.Errorf("unknown language %q; use a tag such as fr or en, and put texts of several words in quotes", tag)
	}
	base, _ := parsed.Base()
	if _, ok := t[base.String()]; ok {
		return t, fmt.Errorf("two texts in the language %q; keep one", base)
	}
	t[base.String()] = text
	return t, nil
}

// checkVisible returns an error if a text has characters that people do not see, but
// that change what they see: control characters other than spaces and line breaks,
// and those that turn the direction of what follows (Unicode, annex 9). The marks
// U+061C, U+200E and U+200F, which Arabic texts need, turn nothing by themselves.
func checkVisible(text string) error {
	for _, char := range text {
		turns := char >= '\u202a' && char <= '\u202e' || char >= '\u2066' && char <= '\u2069'
		if turns || unicode.IsControl(char) && !strings.ContainsRune("\t\n\r", char) {
			return fmt.Errorf("the text has the character %U, which people do not see; remove it", char)
		}
	}
	return nil
}

// MarshalJSON writes a plain string where there is one text for all languages.
func (t Text) MarshalJSON() ([]byte, error) {
	if text, ok := t[""]; ok && len(t) == 1 {
		return json.Marshal(text)
	}
	return json.Marshal(map[string]string(t))
}

// UnmarshalJSON reads a string or an object from language tags to strings.
func (t *Text) UnmarshalJSON(data []byte) (err error) {
	if string(data) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		*t, err = t.With("", text)
		return err
	}
	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		return errors.New("a text is a string or an object from languages to strings")
	}
	for tag, text := range texts {
		if *t, err = t.With(tag, text); err != nil {
			return err
		}
	}
	return nil
}

// MarshalJSON writes a plain string where there is one name.
func (n Names) MarshalJSON() ([]byte, error) {
	if len(n) == 1 {
		return json.Marshal(n[0])
	}
	return json.Marshal([]string(n))
}

// UnmarshalJSON reads a string or an array of strings.
func (n *Names) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var name string
	if json.Unmarshal(data, &name) == nil {
		*n = Names{name}
		return nil
	}
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return errors.New("names are a string or an array of strings")
	}
	*n = names
	return nil
}

package audit

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// Words are the words of a language that reports share with pages. Without any, they are
// English.
type Words struct {
	Language  string // its tag
	Direction string // "ltr" or "rtl"
	Date      func(time.Time) string
	Duration  func(charter.Duration) string
}

// english is the language in which sentences are written in reports as JSON, and by
// which they are found in others.
const english = "en"

// languages has a file for each other language: what the report says, by how it says it in English.
//
//go:embed languages/*.yaml
var languages embed.FS

// texts are what a report says in another language, by how it says it in English.
type texts struct {
	Labels    map[string]string `yaml:"labels"`    // of the report itself
	Sentences map[string]string `yaml:"sentences"` // that stand in a report as JSON, with %s for something
}

// A language says what a report has to say.
type language struct {
	Words
	texts
	patterns []pattern // of the sentences, the longest first
}

// A pattern finds a sentence that has something in it.
type pattern struct {
	english *regexp.Regexp
	other   string // format of the same in the other language
}

// readLanguage returns a language, or an error where reports do not speak it.
func readLanguage(words Words) (*language, error) {
	words.Language, words.Direction = cmp.Or(words.Language, english), cmp.Or(words.Direction, "ltr")
	if words.Date == nil {
		words.Date = func(day time.Time) string { return day.Format(time.DateOnly) }
	}
	if words.Duration == nil {
		words.Duration = charter.Duration.String
	}
	read, err := allTexts()
	if err != nil {
		return nil, err
	}
	spoken, ok := read[words.Language]
	if !ok && words.Language != english {
		return nil, fmt.Errorf("reports do not speak %q; use %s or one of %s", words.Language, english, strings.Join(charter.NamesIn(languages, languageFolder), ", "))
	}
	said := &language{Words: words, texts: spoken}
	for format, other := range spoken.Sentences {
		expression := strings.ReplaceAll(regexp.QuoteMeta(format), "%s", "(.+)")
		said.patterns = append(said.patterns, pattern{regexp.MustCompile("^" + expression + "$"), other})
	}
	slices.SortFunc(said.patterns, func(a, b pattern) int {
		return cmp.Or(len(b.english.String())-len(a.english.String()), strings.Compare(a.other, b.other))
	})
	return said, nil
}

const languageFolder = "languages"

// allTexts reads what is said in all languages, once.
var allTexts = sync.OnceValues(func() (map[string]texts, error) {
	all := map[string]texts{}
	for _, name := range charter.NamesIn(languages, languageFolder) {
		content, err := fs.ReadFile(languages, languageFolder+"/"+name+".yaml")
		if err != nil {
			return nil, err
		}
		var said texts
		decoder := yaml.NewDecoder(bytes.NewReader(content))
		decoder.KnownFields(true)
		if err := decoder.Decode(&said); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = said
	}
	return all, nil
})

// say says an English sentence of a report in the language, with the words that stand in
// it. What it has no words for stays English.
func (l *language) say(text string) string {
	if duration, err := charter.ParseDuration(text); err == nil {
		return l.Duration(duration)
	}
	if said, ok := l.Labels[text]; ok {
		return said
	}
	for _, known := range l.patterns {
		found := known.english.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		parts := make([]any, 0, len(found))
		for _, part := range found[1:] {
			parts = append(parts, l.say(part))
		}
		return fmt.Sprintf(known.other, parts...)
	}
	return text
}

// sayf says a sentence with something in it.
func (l *language) sayf(format string, parts ...any) string {
	return fmt.Sprintf(cmp.Or(l.Labels[format], format), parts...)
}

// sayAll says several sentences.
func (l *language) sayAll(texts []string) []string {
	said := make([]string, 0, len(texts))
	for _, text := range texts {
		said = append(said, l.say(text))
	}
	return said
}

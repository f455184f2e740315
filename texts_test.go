package cookiecharter

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// A language is a file.
func TestLanguageIsFile(t *testing.T) {
	files := fstest.MapFS{}
	want := slices.Sorted(slices.Values(append([]string{"cs"}, pageLanguages...)))
	for _, name := range want {
		path := languageFolder + "/" + name + ".yaml"
		content, err := fs.ReadFile(pageFiles, strings.Replace(path, "/cs.", "/en.", 1))
		if err != nil {
			t.Fatal(err)
		}
		files[path] = &fstest.MapFile{Data: content}
	}
	all, err := readTexts(files)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, text := range all {
		names = append(names, text.tag.String())
	}
	if !slices.Equal(names, want) {
		t.Errorf("%v, not %v", names, want)
	}
	for _, broken := range []string{"/no language.yaml", "/cs.yaml"} {
		files[languageFolder+broken] = &fstest.MapFile{Data: []byte("names: x")}
		if _, err := readTexts(files); err == nil || !strings.HasPrefix(err.Error(), languageFolder+broken+": ") {
			t.Errorf("%s: %v", broken, err)
		}
		delete(files, languageFolder+broken)
	}
}

// What lists the languages or the presets lists all of them, and no others.
func TestListsAreComplete(t *testing.T) {
	for of, want := range map[string][]string{"Handler.Language": pageLanguages, "Handler.Presets": presetNames()} {
		list, _, _ := strings.Cut(godoc(t)[of], ".")
		var got []string
		for _, name := range regexp.MustCompile("`(.*?)`").FindAllStringSubmatch(list, -1) {
			got = append(got, name[1])
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s documents %v, not %v", of, got, want)
		}
	}
	var names []string
	for _, name := range pageLanguages {
		names = append(names, display.English.Languages().Name(language.MustParse(name)))
	}
	slices.Sort(names)
	last := len(names) - 1
	list := regexp.MustCompile("in " + strings.Join(names[:last], `,\s+`) + `\s+(or|and)\s+` + names[last] + `\b`)
	if !list.MatchString(documentation(t)) {
		t.Errorf("no list of languages %s", list)
	}
}

// Each promise is a sentence of its own, as any of them can be the last.
func TestPromisesAreSentences(t *testing.T) {
	all, err := allTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range all {
		for key, promise := range text.Promises {
			if first, _ := utf8.DecodeRuneInString(promise); unicode.IsLower(first) || !strings.HasSuffix(promise, ".") {
				t.Errorf("%s: %s: %s", text.Name, key, promise)
			}
		}
	}
}

package page

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
	"unicode/utf8"
)

// A language is a file.
func TestLanguageIsFile(t *testing.T) {
	folder := fstest.MapFS{}
	want := slices.Sorted(slices.Values(append([]string{"cs"}, Languages...)))
	for _, name := range want {
		path := languageFolder + "/" + name + ".yaml"
		content, err := fs.ReadFile(files, strings.Replace(path, "/cs.", "/en.", 1))
		if err != nil {
			t.Fatal(err)
		}
		folder[path] = &fstest.MapFile{Data: content}
	}
	all, err := readTexts(folder)
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
		folder[languageFolder+broken] = &fstest.MapFile{Data: []byte("names: x")}
		if _, err := readTexts(folder); err == nil || !strings.HasPrefix(err.Error(), languageFolder+broken+": ") {
			t.Errorf("%s: %v", broken, err)
		}
		delete(folder, languageFolder+broken)
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

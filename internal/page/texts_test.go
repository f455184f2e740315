package page

import (
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/feature/plural"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// Every language says everything.
func TestTexts(t *testing.T) {
	for _, name := range Languages {
		loaded, err := loadTexts(files, name)
		if err != nil {
			t.Fatal(err)
		}
		var check func(path string, value reflect.Value)
		check = func(path string, value reflect.Value) {
			switch value.Kind() {
			case reflect.Struct:
				for i := range value.NumField() {
					if value.Type().Field(i).IsExported() {
						check(path+"."+value.Type().Field(i).Name, value.Field(i))
					}
				}
			case reflect.Map:
				for _, key := range value.MapKeys() {
					check(path+"."+key.String(), value.MapIndex(key))
				}
			case reflect.Slice:
				for i := range value.Len() {
					check(path, value.Index(i))
				}
			case reflect.String:
				if value.String() == "" && path != ".Authority" { // a language can be of several countries
					t.Errorf("%s lacks %s", name, path)
				}
			default:
				t.Fatalf("unexpected %s", value.Kind())
			}
		}
		check("", reflect.ValueOf(*loaded))
		for _, category := range charter.Categories {
			if loaded.Kinds[category].Name == "" {
				t.Errorf("%s lacks the kind %s", name, category)
			}
		}
		for _, unit := range []string{"second", "minute", "hour", "day", "week", "month", "year"} {
			for count := range 200 {
				form := pluralForms[plural.Cardinal.MatchPlural(loaded.tag, count, 0, 0, 0, 0)]
				if words := loaded.Durations[unit][form]; words == "" || !strings.Contains(words, "%d") && (name != "ar" || count > 2) {
					t.Errorf("%s lacks %s of %s", name, form, unit)
				}
			}
		}
		for _, status := range []string{"saved", "unchanged", "lost"} {
			if loaded.Status[status] == "" {
				t.Errorf("%s lacks the status %s", name, status)
			}
		}
		for _, key := range []string{"partly", "not_saved"} {
			if loaded.Unclear[key] == "" {
				t.Errorf("%s lacks the status %s", name, key)
			}
		}
		for _, key := range []string{"title", "cross_origin", "format", "version", "archive", "method"} {
			if loaded.Refused[key] == "" {
				t.Errorf("%s lacks the words of a refusal: %s", name, key)
			}
		}
		for _, key := range []string{"later", "never"} {
			if !strings.HasSuffix(loaded.Remaining[key], ":") {
				t.Errorf("%s lacks what remains: %s", name, key)
			}
		}
		for _, key := range []string{"allowed", "refused", "undeclared", "refused_passed", "undeclared_passed", "refused_monitored"} {
			if loaded.Outcomes[key] == "" {
				t.Errorf("%s lacks the outcome %s", name, key)
			}
		}
		for _, key := range []string{"set", "declared", "requests", "expiries", "durations"} {
			if loaded.Promises[key] == "" {
				t.Errorf("%s lacks the promise %s", name, key)
			}
		}
		for _, key := range []string{"title", "everything", "everything_answer", "undeclared", "rows", "rows_answer", "choice", "elsewhere", "stored_all", "stored_some", "notice", "notice_some"} {
			if text := loaded.Trial[key]; text == "" || strings.HasSuffix(text, ":") != (key == "rows") {
				t.Errorf("%s lacks what is on trial: %s", name, key)
			}
		}
		for _, key := range []string{"all", "some"} {
			if loaded.StoredExempt[key] == "" {
				t.Errorf("%s lacks what is exempt: %s", name, key)
			}
		}
		if len(loaded.Trial) != 12 || loaded.Monitored["everything"] == "" || loaded.Monitored["some"] == "" {
			t.Errorf("%s has other words for a trial", name)
		}
		if len(loaded.Months) != 12 || loaded.Durations[charter.Session]["other"] == "" || len(loaded.Stored) != 3 {
			t.Errorf("%s is incomplete", name)
		}
	}
}

// In French, what belongs together is not broken, and an apostrophe is one.
func TestFrenchTypography(t *testing.T) {
	content, err := fs.ReadFile(files, languageFolder+"/fr.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(content), "\n") {
		for _, wrong := range []string{" ;", " :", " ?", " !", " »", "« "} {
			if strings.Contains(line, wrong) {
				t.Errorf("line %d: %q in %s", i+1, wrong, line)
			}
		}
		if strings.Contains(line, "'") {
			t.Errorf("line %d: %s", i+1, line)
		}
	}
}

// A date is as people write it.
func TestDates(t *testing.T) {
	day := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{"fr": "1er janvier 2027", "en": "1 January 2027", "de": "1. Januar 2027", "ca": "1 de gener de 2027"} {
		loaded, err := loadTexts(files, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := loaded.date(day); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

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

package page

import (
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/feature/plural"

	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// eachText calls a function with each text in a value, and where it is.
func eachText(t *testing.T, value reflect.Value, path string, do func(path, text string)) {
	t.Helper()
	switch value.Kind() {
	case reflect.Struct:
		for i := range value.NumField() {
			if field := value.Type().Field(i); field.IsExported() {
				eachText(t, value.Field(i), path+"."+field.Name, do)
			}
		}
	case reflect.Map:
		for _, key := range value.MapKeys() {
			eachText(t, value.MapIndex(key), fmt.Sprint(path, ".", key), do)
		}
	case reflect.Slice:
		for i := range value.Len() {
			eachText(t, value.Index(i), path, do)
		}
	case reflect.String:
		do(path, value.String())
	default:
		t.Fatalf("%s: unexpected %s", path, value.Kind())
	}
}

// Every language says everything.
func TestTexts(t *testing.T) {
	ofCookies := regexp.MustCompile(`(?i)cookie|galet|kak[ao]|ارتباط`) // what languages call them
	for _, name := range Languages {
		loaded, err := loadTexts(files, name)
		if err != nil {
			t.Fatal(err)
		}
		eachText(t, reflect.ValueOf(*loaded), "", func(path, text string) {
			if text == "" && path != ".Authority" { // a language can be of several countries
				t.Errorf("%s lacks %s", name, path)
			}
		})
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
		for _, key := range []string{"title", "cross_origin", "format", "version", "archive", "audit", "method"} {
			if loaded.Refused[key] == "" {
				t.Errorf("%s lacks the words of a refusal: %s", name, key)
			}
		}
		for format, want := range map[string]string{
			loaded.Tested.Clean: "1 day, 20, 4", loaded.Tested.CleanHosts: "1 day, 20, 4", loaded.Tested.Found: "1 day, 20, 4, 3", loaded.Tested.OtherVersion: "1 day", loaded.Tested.Report: "", loaded.Tested.Incomplete: "", loaded.Tested.WithoutScripts: "", loaded.Tested.CleanItems: "",
		} {
			said := fmt.Sprintf(format, "1 day", 20, 4, 3)
			for part := range strings.SplitSeq(want, ", ") {
				if !strings.Contains(said, part) {
					t.Errorf("%s does not say %s of an audit: %s", name, part, said)
				}
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
		for _, key := range []string{"set", "declared", "requests", "expiries", "durations", "hosts", "scripts", "scripts_declared", "storage"} {
			if loaded.Promises[key] == "" {
				t.Errorf("%s lacks the promise %s", name, key)
			}
		}
		for _, key := range []string{"title", "title_pending", "others", "everything", "everything_answer", "undeclared", "rows", "rows_answer", "choice", "elsewhere", "stored_all", "stored_some", "notice", "notice_some", "hosts", "host_rows", "storage_rows", "scripts"} {
			if text := loaded.Trial[key]; text == "" || strings.HasSuffix(text, ":") != strings.HasSuffix(key, "rows") {
				t.Errorf("%s lacks what is on trial: %s", name, key)
			}
		}
		for _, key := range []string{"all", "some"} {
			if loaded.StoredExempt[key] == "" {
				t.Errorf("%s lacks what is exempt: %s", name, key)
			}
		}
		if len(loaded.Trial) != 18 || loaded.Monitored["everything"] == "" || loaded.Monitored["some"] == "" {
			t.Errorf("%s has other words for a trial", name)
		}
		if len(loaded.Limits) != 2 || !strings.HasSuffix(loaded.Hosts, ":") || !strings.HasSuffix(loaded.Storage, ":") || !strings.HasSuffix(loaded.Cookies, ":") || strings.Count(loaded.WhatPrefix, "*") != 1 {
			t.Errorf("%s has other words for hosts or stored items", name)
		}
		for _, text := range []string{loaded.ChoiceOthers, loaded.NoticeOthers, loaded.ConsequencesOthers} {
			if ofCookies.MatchString(text) {
				t.Errorf("%s says of what is no cookie: %s", name, text)
			}
		}
		if len(loaded.Months) != 12 || loaded.Durations[charter.Session]["other"] == "" || len(loaded.Stored) != 3 {
			t.Errorf("%s is incomplete", name)
		}
	}
}

// typography is how a language writes what a keyboard writes otherwise.
type typography struct {
	quotes string   // what opens and what closes, in pairs
	wrong  []string // what it never writes, beside what none does
}

// unspaced are marks that stand close to the word before them.
var unspaced = []string{" ;", " :", " ?", " !", "\u00a0;", "\u00a0:", "\u00a0?", "\u00a0!", "\u202f;", "\u202f:", "\u202f?", "\u202f!"}

// closeQuotes are guillemets away from what they quote.
var closeQuotes = []string{"« ", " »", "«\u00a0", "\u00a0»", "«\u202f", "\u202f»"}

// typographies holds a row for each language of the page.
var typographies = map[string]typography{
	"ar": {quotes: "«»“”", wrong: slices.Concat([]string{",", ";", "?", " ،", " ؛", " ؟", " :", " !"}, closeQuotes)},
	"ca": {quotes: "«»“”", wrong: slices.Concat(unspaced, closeQuotes)},
	"de": {quotes: "„“‚‘", wrong: unspaced},
	"en": {quotes: "“”‘’", wrong: unspaced},
	"es": {quotes: "«»“”¿?¡!", wrong: slices.Concat(unspaced, closeQuotes)},
	"eu": {quotes: "«»“”", wrong: slices.Concat(unspaced, closeQuotes)},
	// What belongs together is not broken: the spaces are such that break no line.
	"fr": {quotes: "«»“”", wrong: []string{" ;", " :", " ?", " !", " »", "« "}},
	"it": {quotes: "«»“”", wrong: slices.Concat(unspaced, closeQuotes)},
	"nl": {quotes: "‘’“”", wrong: unspaced},
	"pt": {quotes: "«»“”", wrong: slices.Concat(unspaced, closeQuotes)},
	"sv": {quotes: "””’’", wrong: unspaced},
}

// faults returns what is wrong in a text.
func (y typography) faults(text string) []string {
	var faults []string
	for _, wrong := range append([]string{"'", `"`, "`", "´", "...", "--", " - ", " ,", " .", "  "}, y.wrong...) {
		if strings.Contains(text, wrong) {
			faults = append(faults, strconv.Quote(wrong))
		}
	}
	runes, own := []rune(text), []rune(y.quotes)
	var open []rune // what is to close, the innermost last
	for i, r := range runes {
		inWord := i > 0 && unicode.IsLetter(runes[i-1]) && i+1 < len(runes) && unicode.IsLetter(runes[i+1])
		at := slices.Index(own, r)
		switch {
		case r == '’' && inWord: // an apostrophe
		case len(open) > 0 && r == open[len(open)-1]:
			open = open[:len(open)-1]
		case at >= 0 && at%2 == 0:
			open = append(open, own[at+1])
		case at >= 0 || strings.ContainsRune("«»“”„‟‘’‚‛‹›", r):
			faults = append(faults, strconv.QuoteRune(r))
		}
	}
	if len(open) > 0 {
		faults = append(faults, "no "+strconv.Quote(string(open)))
	}
	return faults
}

// A text is set as its language sets it.
func TestTypography(t *testing.T) {
	all, err := allTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, loaded := range all {
		rules, ok := typographies[loaded.tag.String()]
		if !ok {
			t.Errorf("nothing is told of the typography of %s", loaded.Name)
		}
		eachText(t, reflect.ValueOf(*loaded), "", func(path, text string) {
			if faults := rules.faults(text); len(faults) > 0 {
				t.Errorf("%s%s: %s in %s", loaded.tag, path, strings.Join(faults, ", "), text)
			}
		})
	}
}

// Reports of audits, which the page shows, speak its languages, and are set as it is.
func TestReportsSpeakAllLanguages(t *testing.T) {
	// Terminals show the spaces that break no line as escapes, so a report in French has none.
	plain := strings.NewReplacer("--browser", "browser", "--hosts", "hosts", " ;", "\u00a0;", " :", "\u00a0:", "« ", "«\u00a0", " »", "\u00a0»")
	for _, name := range Languages {
		words, err := WordsIn(name)
		if err != nil {
			t.Fatal(err)
		}
		if html, _, err := new(audit.Report).HTML(words); err != nil || !strings.Contains(string(html), fmt.Sprintf(`<html lang=%q dir=%q>`, name, words.Direction)) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "en" {
			continue // these are the sentences themselves
		}
		content, err := os.ReadFile("../audit/" + languagePath(name))
		if err != nil {
			t.Fatal(err)
		}
		var said map[string]map[string]string
		if err := yaml.Unmarshal(content, &said); err != nil || len(said) != 2 {
			t.Fatal(err)
		}
		for _, part := range said {
			for _, text := range part {
				if faults := typographies[name].faults(plain.Replace(text)); len(faults) > 0 {
					t.Errorf("%s: %s in %s", name, strings.Join(faults, ", "), text)
				}
			}
		}
	}
}

// Such rules find what is wrong, and leave what is right.
func TestTypographyFaults(t *testing.T) {
	for text, want := range map[string]bool{
		"en: the portal’s “own” banner": true, "en: the portal's banner": false, `en: the "own" banner`: false,
		"en: the «own» banner": false, "en: the “own banner": false, "en: its own banner ?": false, "en: wait...": false,
		"en: the visitors’ banner": false, // hard to tell from a quote, so written otherwise
		"de: das „eigene“ Banner":  true, "de: das “eigene” Banner": false, "de: das «eigene» Banner": false,
		"es: ¿Qué es una «cookie»?": true, "es: Qué es una cookie?": false, "es: las cookies « internas »": false,
		"fr: Qu’est-ce qu’un «\u00a0cookie\u00a0»\u00a0?": true, "fr: Qu’est-ce ?": false, "fr: « cookie »": false, "fr: l'usage": false,
		"it: l’uso di «cookie»": true, "it: l'uso": false, "it: l’uso di „cookie“": false,
		"ca: l’ús de «galetes»": true, "ca: d'abril": false,
		"nl: zo’n ‘cookie’": true, "nl: zo'n cookie": false, "nl: zo’n «cookie»": false,
		"sv: en ”kaka”": true, "sv: en “kaka”": false, "sv: en ”kaka": false,
		"ar: نعم، ما هذا؟": true, "ar: نعم, هذا": false, "ar: ما هذا?": false, "ar: نعم; هذا": false,
	} {
		language, text, _ := strings.Cut(text, ": ")
		if faults := typographies[language].faults(text); len(faults) == 0 != want {
			t.Errorf("%s: %s: %v", language, text, faults)
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

package page

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

// Whatever there is to show, the page shows it in every language.
func TestSample(t *testing.T) {
	shown := pageOf(t)
	for _, text := range shown.texts {
		for _, data := range []*Data{shown.sample(text), shown.archived(text, time.Now())} {
			if err := shown.template.Execute(io.Discard, data); err != nil {
				t.Error(err)
			}
		}
	}
}

// pageOf returns the page of a portal.
func pageOf(t *testing.T) *Page {
	t.Helper()
	preset, err := charter.LoadPreset("opendatasoft")
	if err != nil {
		t.Fatal(err)
	}
	joined, store, err := answers.Join([]charter.Source{preset}, []answers.Config{{Format: "opendatasoft"}}, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	joined.About.Controller = charter.Text{"": "{{.Nobody}}"}
	shown, err := New(Options{Config: Config{Path: DefaultPath, Theme: NeutralTheme}, Language: "fr", Charter: joined, Answers: store, Policy: judge.NewPolicy(joined, judge.Options{EnforcesDuration: true})})
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

// What is made once shows a visitor the same as what is made for each.
func TestMadeOnce(t *testing.T) {
	shown := pageOf(t)
	for _, text := range shown.texts {
		data := shown.sample(text)
		data.Fixed, data.Status, data.parts = false, "", shown.parts[text]
		data.About, data.Trial, data.Promises, data.Monitored = shown.about[text], shown.trial(text), nil, shown.monitored
		for _, key := range shown.promises {
			data.Promises = append(data.Promises, text.Promises[key])
		}
		data.Kinds, data.Languages, data.Exports = shown.kinds[text], shown.languages(text, url.Values{}), exports(text)
		var each, once strings.Builder
		if err := cmp.Or(shown.template.Execute(&each, data), shown.forVisitors.Execute(&once, data)); err != nil {
			t.Fatal(err)
		}
		if each.String() != once.String() {
			t.Errorf("%s: made for each\n%s\nmade once\n%s", text.tag, &each, &once)
		}
		if got := once.String(); !strings.Contains(got, "{{.Nobody}}") || !strings.Contains(got, text.LimitsTitle) {
			t.Errorf("%s: %s", text.tag, got)
		}
	}
}

// A page is remembered for who sees the very same.
func TestShownAgain(t *testing.T) {
	p := pageOf(t)
	text := p.texts[0]
	show := func(isStranger bool, change func(*Data)) *compressible {
		data := p.sample(text)
		change(data)
		made, err := p.make(data, text, isStranger)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	same := func(*Data) {}
	first, again, of, another := show(true, same), show(true, same), show(false, same), show(false, same)
	if first != again || first == of || of == another {
		t.Error("not the pages of strangers are remembered, or not they alone")
	}
	for name, change := range map[string]func(*Data){
		"audit":    func(data *Data) { data.Tested.Sentences = append(data.Tested.Sentences, "tested") },
		"version":  func(data *Data) { data.Versions = append(data.Versions, Version{Version: "1"}) },
		"answer":   func(data *Data) { data.Questions = append(data.Questions, Question{}) },
		"language": func(data *Data) { data.Language = "xx" },
	} {
		before := show(true, same)
		if changed := show(true, change); changed == before || changed == show(true, same) {
			t.Errorf("a page with another %s is not made anew", name)
		}
	}
}

// The schema that is served has all fields of a row, and no others.
func TestFieldsOfSchema(t *testing.T) {
	content, err := os.ReadFile("charter.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type definition struct {
		Type       string                `json:"type"`
		Reference  string                `json:"$ref"`
		Values     []string              `json:"enum"`
		AnyOf      []definition          `json:"anyOf"`
		Names      *definition           `json:"propertyNames"`
		Required   []string              `json:"required"`
		Properties map[string]definition `json:"properties"`
	}
	var schema struct {
		Definitions map[string]definition `json:"$defs"`
	}
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	row := schema.Definitions["cookie"]
	for name := range row.Properties {
		if charter.Fields.Find(name) == nil {
			t.Errorf("the schema has %s, which is no field", name)
		}
	}
	for _, field := range charter.Fields {
		written, ok := row.Properties[field.Name]
		if !ok {
			t.Errorf("the schema lacks %s", field.Name)
			continue
		}
		if definition, ok := strings.CutPrefix(written.Reference, "#/$defs/"); ok {
			written = schema.Definitions[definition]
		}
		types := []string{written.Type}
		for _, either := range written.AnyOf {
			types = append(types, either.Type)
		}
		if written.Values != nil {
			types = append(types, "string")
		}
		types = slices.DeleteFunc(types, func(name string) bool { return name == "" })
		var want []string
		switch field.Of(new(charter.Cookie)).(type) {
		case *charter.Names:
			want = []string{"string", "array"}
		case *charter.Text:
			want = []string{"string", "object"}
		case *bool:
			want = []string{"boolean"}
		case *string:
			want = []string{"string"}
		}
		if !slices.Equal(types, want) || !slices.Equal(written.Values, field.Values) {
			t.Errorf("in the schema, %s is %v of %q, not %v of %q", field.Name, types, written.Values, want, field.Values)
		}
	}
	var required []string
	for field := range reflect.TypeFor[charter.Cookie]().Fields() {
		if name, isOptional := strings.CutSuffix(field.Tag.Get("json"), ",omitempty"); name != "" && !isOptional {
			required = append(required, name)
		}
	}
	// A row is of cookies, of hosts, of scripts or of stored items, or adds some to others.
	for i, of := range []string{"name", "host", "script", "storage"} {
		if want := append([]string{of}, required...); !slices.Equal(row.AnyOf[i].Required, want) || row.AnyOf[i].Names != nil {
			t.Errorf("of a row of its %s, the schema requires %v, not %v", of, row.AnyOf[i].Required, want)
		}
	}
	for i, of := range []string{"host", "script", "storage"} {
		addition := row.AnyOf[4+i]
		if !slices.Equal(addition.Required, []string{of, "consent"}) || addition.Names == nil || len(row.AnyOf) != 7 || row.Required != nil {
			t.Errorf("the schema requires %v", addition.Required)
		}
	}
}

// A list of languages that is longer than any browser's is not read, wherever it stands, and
// costs no more than its length.
func TestLongLists(t *testing.T) {
	shown := pageOf(t)
	for place, asking := range map[string]func(list string) *http.Request{
		"flg":    func(list string) *http.Request { return httptest.NewRequest(http.MethodGet, "/?flg="+list, nil) },
		"cookie": func(list string) *http.Request { return requestWith("Cookie", "django_language="+list) },
		"header": func(list string) *http.Request { return requestWith("Accept-Language", list) },
	} {
		for list, want := range map[string]string{
			"de,en_x" + strings.Repeat("_y", 500):            "de",
			"de,en_x" + strings.Repeat("_y", maxLanguages/2): "fr",
		} {
			if got := shown.textsFor(asking(list)).tag.String(); got != want {
				t.Errorf("%s, %d bytes: %s, not %s", place, len(list), got, want)
			}
		}
		checks.Linear(t, place, 1<<10, func(size int) { shown.textsFor(asking("en_" + strings.Repeat("en_t_", size/5))) })
	}
}

func requestWith(field, value string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(field, value)
	return r
}

package cookiecharter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// TestAdapt compares Caddyfiles with the JSON or the error that they give.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, ok := strings.Cut(string(content), "----------\n")
			if !ok {
				t.Fatal("no ----------")
			}
			adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
			var got string
			if err != nil {
				got = err.Error() + "\n"
			} else {
				var pretty bytes.Buffer
				if err := json.Indent(&pretty, adapted, "", "\t"); err != nil {
					t.Fatal(err)
				}
				got = pretty.String() + "\n"
			}
			got = strings.ReplaceAll(got, folder+"/", "FOLDER/")
			if *checks.Update {
				if err := os.WriteFile(file, []byte(input+"----------\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// Paths begin at the folder of the file where they stand, wherever Caddy runs.
func TestPathsBesideTheCaddyfile(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{
		"charter.yaml": commandCharter, "header.html": "<p>header</p>",
		"Caddyfile": ":80 {\n import inner/*.conf\n}\n",
	})
	for name, content := range map[string]string{"inner/site.conf": "cookie_charter {\n charter own.yaml ../charter.yaml\n page {\n  header ../header.html\n }\n}\n", "inner/own.yaml": "cookies:\n  - {name: own, purpose: p, category: necessary}\n"} {
		if err := os.MkdirAll(folder+"inner", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(folder+name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(working, folder+"Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder + "Caddyfile", relative} {
		handler, err := loadHandler(path, "")
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if handler.charter.Find("own") == nil || handler.charter.Find("sessionid") == nil {
			t.Errorf("%s: not all is read", path)
		}
		for _, charter := range handler.Charters {
			if !filepath.IsAbs(charter) {
				t.Errorf("%s: %s is left to where Caddy runs", path, charter)
			}
		}
	}
	if err := os.Remove(folder + "inner/own.yaml"); err != nil {
		t.Fatal(err)
	}
	if _, err := loadHandler(relative, ""); err == nil || !strings.Contains(err.Error(), "reading the charter file "+folder+"inner/own.yaml: ") {
		t.Errorf("got %v", err)
	}
}

// sampleRow returns a row with all fields, as a YAML charter file and as a Caddyfile
// block have them.
func sampleRow(t *testing.T) (row charter.Cookie, inYAML, inCaddyfile string) {
	words := map[string]string{"duration": "2 weeks", "domain": "city.example", "path": "/app"}
	names := map[string]charter.Names{"country": {"IE", "US"}, "host": {"a.example", "https://b.example:8443/c/"}, "script": {"/a.js", "/b/*"}, "storage": {"a.b@c/d", "ph_*"}}
	inYAML = "cookies:\n  -"
	for _, field := range charter.Fields {
		block := "\t\t" + field.Name
		switch into := field.Of(&row).(type) {
		case *charter.Names:
			*into = charter.Names{field.Name + "_1", field.Name + "_2"}
			if words, ok := names[field.Name]; ok {
				*into = words
			}
			inYAML += fmt.Sprintf(" %s: [%s]\n", field.Name, strings.Join(*into, ", "))
			if field.Name == "name" {
				block = "cookie_charter {\n\tcookie"
			}
			block += " " + strings.Join(*into, " ")
			if field.Name == "name" {
				block += " {"
			}
		case *charter.Text:
			*into = charter.Text{"fr": "Le " + field.Name, "en": "The " + field.Name}
			if field.Name == "policy" {
				*into = charter.Text{"fr": "/vie-privee/", "en": "/privacy/"}
			}
			inYAML += fmt.Sprintf(" %s: {fr: %q, en: %q}\n", field.Name, (*into)["fr"], (*into)["en"])
			block += fmt.Sprintf(" fr %q\n\t\t%s en %q", (*into)["fr"], field.Name, (*into)["en"])
		case *bool:
			*into = true
			inYAML += fmt.Sprintf(" %s: true\n", field.Name)
		case *string:
			*into = field.Name
			if word, ok := words[field.Name]; ok {
				*into = word
			} else if field.Values != nil {
				*into = field.Values[1] // a necessary row has no consent
			}
			inYAML += fmt.Sprintf(" %s: %q\n", field.Name, *into)
			block += fmt.Sprintf(" %q", *into)
		default:
			t.Fatalf("%s is a %T", field.Name, into)
		}
		inYAML += "   "
		inCaddyfile += block + "\n"
	}
	return row, inYAML + "\n", inCaddyfile + "\t}\n}\n"
}

// A row with all fields is the same from a charter file in YAML or JSON, from a
// Caddyfile, from Caddy's JSON and from a draft.
func TestFieldsRoundTrip(t *testing.T) {
	want, inYAML, inCaddyfile := sampleRow(t)
	for field := range reflect.TypeFor[charter.Cookie]().Fields() {
		if field.IsExported() && reflect.ValueOf(want).FieldByIndex(field.Index).IsZero() {
			t.Errorf("no field of a row sets %s", field.Name)
		}
	}
	if _, err := want.Validate(); err != nil {
		t.Fatal(err)
	}
	check := func(from string, got []charter.Cookie, err error) {
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("from %s: %v, %+v\nnot %+v", from, err, got, want)
		}
	}
	cookies := func(parsed charter.Source) (cookies []charter.Cookie) {
		for _, row := range parsed.Rows {
			cookies = append(cookies, row.Cookie)
		}
		return cookies
	}

	parsed, err := charter.Parse([]byte(inYAML), "charter.yaml")
	check("YAML", cookies(parsed), err)

	handler := new(Handler)
	err = handler.UnmarshalCaddyfile(caddyfile.NewTestDispenser(inCaddyfile))
	check("a Caddyfile", handler.Cookies, err)

	byName := map[string]any{}
	for _, field := range charter.Fields {
		byName[field.Name] = field.Of(&want)
	}
	inJSON, err := json.Marshal(map[string]any{"cookies": []any{byName}})
	if err != nil {
		t.Fatal(err)
	}
	handler = new(Handler)
	err = handler.UnmarshalJSON(inJSON)
	check("Caddy's JSON", handler.Cookies, err)
	parsed, err = charter.Parse(inJSON, "charter.json")
	check("JSON", cookies(parsed), err)

	node, err := want.Node()
	if err != nil {
		t.Fatal(err)
	}
	draft, err := yaml.Marshal(map[string]any{"cookies": []*yaml.Node{node}})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err = charter.Parse(draft, "draft.yaml")
	check("a draft", cookies(parsed), err)
}

// The grammar of the Caddyfile has all fields of a row, and no others.
func TestFieldsOfGrammar(t *testing.T) {
	want := "cookie <names...> {"
	for _, field := range charter.Fields[1:] { // without the name, which stands before the block
		want += "\n" + field.Name
		switch field.Of(new(charter.Cookie)).(type) {
		case *charter.Names:
			want += " <...>"
		case *charter.Text:
			want += " [<language>] <text>"
		case *string:
			want += " <>"
			if field.Values != nil {
				want = strings.TrimSuffix(want, "<>") + strings.Join(field.Values, "|")
			}
		}
	}
	block := regexp.MustCompile(`cookie +<names[^}]*`).FindString(godoc(t)["Handler.UnmarshalCaddyfile"])
	var got []string
	for line := range strings.Lines(strings.TrimSpace(block)) {
		line = strings.Join(strings.Fields(line), " ")
		// What a word or the names are called is for people.
		got = append(got, regexp.MustCompile(`^(\w+) <[^>]*?(\.\.\.)?>$`).ReplaceAllString(strings.Replace(line, "<link>", "<text>", 1), "$1 <$2>"))
	}
	if got := strings.Join(got, "\n"); got != want {
		t.Errorf("the grammar has\n%s\nnot\n%s", got, want)
	}
}

package cookiecharter

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// sampleRow returns a row with all fields, as a YAML charter file and as a Caddyfile
// block have them.
func sampleRow(t *testing.T) (row charter.Cookie, inYAML, inCaddyfile string) {
	words := map[string]string{"duration": "2 weeks", "domain": "city.example", "path": "/app"}
	inYAML = "cookies:\n  -"
	for _, field := range charter.Fields {
		block := "\t\t" + field.Name
		switch into := field.Of(&row).(type) {
		case *charter.Names:
			*into = charter.Names{field.Name + "_1", field.Name + "_2"}
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

// What cannot be made of the table of fields has all of them, and no others: the struct,
// the schema, the grammar and the documentation.
func TestFieldsOfCookie(t *testing.T) {
	if got := jsonNames(charter.Cookie{}); !slices.Equal(got, charter.Fields.Names()) {
		t.Errorf("in the struct: %v\nin the table:  %v", got, charter.Fields.Names())
	}
}

func TestFieldsOfSchema(t *testing.T) {
	content, err := os.ReadFile("internal/page/charter.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type definition struct {
		Type       string                `json:"type"`
		Reference  string                `json:"$ref"`
		Values     []string              `json:"enum"`
		AnyOf      []definition          `json:"anyOf"`
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
	if !slices.Equal(row.Required, required) {
		t.Errorf("the schema requires %v, not %v", row.Required, required)
	}
}

// godoc returns the comments of the package's functions, methods and fields of structs,
// by their names, such as Handler.Language.
func godoc(t *testing.T) map[string]string {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.FuncDecl:
				name := node.Name.Name
				if node.Recv != nil {
					of := node.Recv.List[0].Type
					if pointer, ok := of.(*ast.StarExpr); ok {
						of = pointer.X
					}
					name = fmt.Sprint(of) + "." + name
				}
				comments[name] = node.Doc.Text()
			case *ast.TypeSpec:
				if fields, ok := node.Type.(*ast.StructType); ok {
					for _, field := range fields.Fields.List {
						for _, name := range field.Names {
							comments[node.Name.Name+"."+name.Name] = field.Doc.Text()
						}
					}
				}
			}
			return true
		})
	}
	return comments
}

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
		got = append(got, regexp.MustCompile(`^(\w+) <[^>]*?(\.\.\.)?>$`).ReplaceAllString(line, "$1 <$2>"))
	}
	if got := strings.Join(got, "\n"); got != want {
		t.Errorf("the grammar has\n%s\nnot\n%s", got, want)
	}
}

// documentation returns the README and what it leads to.
func documentation(t *testing.T) string {
	paths, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range append(paths, "README.md") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
		all.WriteString("\n\n")
	}
	return all.String()
}

// The reference of a row is a table whose first cells are the fields.
func TestFieldsOfDocumentation(t *testing.T) {
	isCode := regexp.MustCompile("`([^`]+)`")
	references := 0
	for _, table := range regexp.MustCompile(`(?m)(?:^\|.*\n)+`).FindAllString(documentation(t), -1) {
		told := map[string]string{}
		for line := range strings.SplitSeq(table, "\n") {
			cells := strings.SplitN(line, "|", 3)
			for _, field := range isCode.FindAllStringSubmatch(strings.Join(cells[:min(2, len(cells))], ""), -1) {
				told[field[1]] = line
			}
		}
		if told["match"] == "" || told["purpose"] == "" {
			continue
		}
		references++
		for name := range told {
			if charter.Fields.Find(name) == nil {
				t.Errorf("documented is %s, which is no field", name)
			}
		}
		for _, field := range charter.Fields {
			if told[field.Name] == "" {
				t.Errorf("%s is not documented", field.Name)
			}
			for _, value := range field.Values {
				if !strings.Contains(told[field.Name], "`"+value+"`") {
					t.Errorf("%s of %s is not documented", value, field.Name)
				}
			}
		}
	}
	if references != 1 {
		t.Errorf("there are %d references of a row", references)
	}
}

package cookiecharter

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/page"
)

// optionDocs returns what the source says of the options: the comment of each field, by
// its struct's and its JSON name, and each line of the grammar, by its block and name.
func optionDocs(t *testing.T) (fields, grammar map[string]string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	inner, err := filepath.Glob("internal/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, inner...)
	fields, grammar = map[string]string{}, map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			switch declared := declaration.(type) {
			case *ast.FuncDecl:
				if declared.Name.Name == "UnmarshalCaddyfile" && strings.Contains(declared.Doc.Text(), "cookie_charter") {
					readGrammar(declared.Doc.Text(), grammar)
				}
			case *ast.GenDecl:
				for _, specified := range declared.Specs {
					if named, ok := specified.(*ast.TypeSpec); ok {
						if of, ok := named.Type.(*ast.StructType); ok {
							readFields(file.Name.Name+"."+named.Name.Name, of, fields)
						}
					}
				}
			}
		}
	}
	return fields, grammar
}

// readFields reads the comments of fields. One without is told of by the field before.
func readFields(of string, fields *ast.StructType, into map[string]string) {
	doc := ""
	for _, field := range fields.Fields.List {
		if field.Doc != nil {
			doc = strings.Join(strings.Fields(field.Doc.Text()), " ")
		}
		if field.Tag != nil {
			tag := reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json")
			name, _, _ := strings.Cut(tag, ",")
			into[of+" "+name] = doc
		}
	}
}

// readGrammar reads the lines of the directive's block and of those in it.
func readGrammar(text string, into map[string]string) {
	var blocks []string
	for line := range strings.Lines(text) {
		line, opens := strings.CutSuffix(strings.TrimSpace(line), "{")
		name, operands, _ := strings.Cut(strings.TrimSpace(line), " ")
		if len(blocks) > 0 && name != "}" {
			into[strings.Join(append(blocks[1:len(blocks):len(blocks)], name), " ")] = strings.TrimSpace(operands)
		}
		if opens {
			blocks = append(blocks, name)
		} else if name == "}" {
			blocks = blocks[:len(blocks)-1]
		}
	}
}

// optionStructs are those whose fields are the options of a block.
var optionStructs = map[string]any{"": Handler{}, "page": page.Config{}, "preference": answers.Config{}}

func nameInJSON(of option) string { return cmp.Or(of.jsonName, of.name) }

// TestOptionsAreFields holds the table against the fields that JSON has.
func TestOptionsAreFields(t *testing.T) {
	for block, of := range optionStructs {
		var inTable []string
		for _, option := range options {
			if option.block != block {
				continue
			}
			name := nameInJSON(option)
			inTable = append(inTable, name)
			handler := new(Handler)
			within := reflect.ValueOf(handler).Elem()
			if block == "page" {
				within = reflect.ValueOf(&handler.Page).Elem()
			}
			var stored any
			switch {
			case option.text != nil:
				stored = option.text(handler)
			case option.flag != nil:
				stored = option.flag(handler)
			default:
				continue
			}
			for field, value := range within.Fields() {
				if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name && value.Addr().Interface() != stored {
					t.Errorf("%s: stored in another field", name)
				}
			}
			if option.defaultValue != "" && option.values != nil && !slices.Contains(option.values, option.defaultValue) {
				t.Errorf("%s: its default is none of its values", name)
			}
		}
		inTable = slices.Compact(inTable) // rows are one list, whatever they begin with
		if fields := jsonNames(of); !reflect.DeepEqual(slices.Sorted(slices.Values(fields)), slices.Sorted(slices.Values(inTable))) {
			t.Errorf("%T has the fields %v, the table %v", of, fields, inTable)
		}
	}
}

var backquoted = regexp.MustCompile("`([^`]*)`")

// TestOptionsAreDocumented holds the table against the fields' comments, which
// caddyserver.com shows, the grammar of the Caddyfile and the documents.
func TestOptionsAreDocumented(t *testing.T) {
	fields, grammar := optionDocs(t)
	var documents strings.Builder
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "README.md") {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		documents.Write(content)
	}

	known := map[string]bool{}
	for _, option := range options {
		of := reflect.TypeOf(optionStructs[option.block])
		if field, ok := of.FieldByNameFunc(func(name string) bool {
			field, _ := of.FieldByName(name)
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			return tag == nameInJSON(option)
		}); ok && len(field.Index) > 1 {
			of = of.Field(field.Index[0]).Type // which has it
		}
		doc, ok := fields[of.String()+" "+nameInJSON(option)]
		if !ok || doc == "" {
			t.Errorf("%s: no comment", nameInJSON(option))
		}
		if option.defaultValue != "" && !strings.Contains(doc, "Default: `"+option.defaultValue+"`.") {
			t.Errorf("%s: its comment does not say that its default is %s: %s", nameInJSON(option), option.defaultValue, doc)
		}
		isSimple := option.text != nil || option.flag != nil
		if isSimple && option.defaultValue == "" && !regexp.MustCompile(`Default: (none|nothing|false)\b`).MatchString(doc) {
			t.Errorf("%s: its comment does not say that it has no default: %s", nameInJSON(option), doc)
		}
		if option.values != nil {
			var said []string
			for _, quoted := range backquoted.FindAllStringSubmatch(doc, -1) {
				said = append(said, quoted[1])
			}
			slices.Sort(said)
			if said = slices.Compact(said); !slices.Equal(said, slices.Sorted(slices.Values(option.values))) {
				t.Errorf("%s: its comment says %v, the table %v", nameInJSON(option), said, option.values)
			}
		}

		if option.name == "" {
			continue // its operands are the block's
		}
		place := strings.TrimSpace(option.block + " " + option.name)
		known[place] = true
		operands, ok := grammar[place]
		if !ok {
			t.Errorf("%s: not in the grammar", place)
		}
		operand := strings.Trim(operands, "[]")
		if isSimple && (operand == "") != (option.flag != nil) || (option.bareValue != "") != (operand != operands) && isSimple {
			t.Errorf("%s: the grammar has other operands: %s", place, operands)
		}
		if option.values != nil && !strings.HasPrefix(operand, "<") && operand != strings.Join(option.values, "|") {
			t.Errorf("%s: the grammar has other values: %s", place, operands)
		}
		if isPath := operand == "<file>" || operand == "<name or folder>"; isPath != (option.resolve != nil) {
			t.Errorf("%s: the table and the grammar disagree whether it is a file", place)
		}
		if !regexp.MustCompile("(?m)(^[ \t]+|`)" + option.name + `\b`).MatchString(documents.String()) {
			t.Errorf("%s: no document names it", place)
		}
	}
	for place := range grammar {
		block, _, _ := strings.Cut(place, " ")
		if !known[place] && !slices.Contains([]string{"cookie", "host", "script", "storage"}, block) && !strings.HasSuffix(place, "}") {
			t.Errorf("%s: in the grammar alone", place)
		}
	}
}

// The comment of the format and the table of banners name every format, and the table
// its cookies, too.
func TestFormatsAreDocumented(t *testing.T) {
	fields, _ := optionDocs(t)
	list, _, _ := strings.Cut(fields["answers.Config format"], "The charter page's form writes")
	var listed []string
	for _, quoted := range backquoted.FindAllStringSubmatch(list, -1) {
		listed = append(listed, quoted[1])
	}
	if want := slices.Sorted(maps.Keys(answers.Formats)); !slices.Equal(listed, want) {
		t.Errorf("the comment lists %v, not %v", listed, want)
	}
	document, err := os.ReadFile("docs/preferences.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, format := range answers.Formats {
		row := regexp.MustCompile("(?m)^\\|[^|\n]*`" + name + "`[^|\n]*\\|([^|\n]*)\\|.+\\|$").FindStringSubmatch(string(document))
		if row == nil {
			t.Errorf("%s: not in the table of docs/preferences.md", name)
			continue
		}
		for _, cookie := range format.Cookies {
			if !strings.Contains(row[1], "`"+cookie+"`") {
				t.Errorf("%s: the table names %s, not %s", name, row[1], cookie)
			}
		}
		if len(format.Cookies) == 0 && !strings.Contains(row[1], "to be named") {
			t.Errorf("%s: the table does not say that the cookie has to be named", name)
		}
	}
}

package cookiecharter

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/page"
)

// A docBlock is a fenced block of code in the documentation.
type docBlock struct{ place, language, text string }

var docFence = regexp.MustCompile("^( *)```(.*)$")

// documents returns the text of the documentation by file, without its blocks of
// code, and these blocks.
func documents(t *testing.T) (texts map[string]string, blocks []docBlock) {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no docs", err)
	}
	texts = map[string]string{}
	for _, file := range append(files, "README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		var block *docBlock
		indent := ""
		for i, line := range strings.Split(string(content), "\n") {
			fence := docFence.FindStringSubmatch(line)
			switch {
			case fence != nil && block == nil:
				indent, block = fence[1], &docBlock{place: fmt.Sprintf("%s:%d", file, i+1), language: fence[2]}
			case fence != nil && fence[2] == "":
				blocks, block = append(blocks, *block), nil
			case block != nil:
				block.text += strings.TrimPrefix(line, indent) + "\n"
			case strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "    "):
				t.Errorf("%s:%d: indented code is not tested; fence it, and say its language", file, i+1)
			default:
				text.WriteString(line + "\n")
			}
		}
		if block != nil {
			t.Errorf("%s: the block does not end", block.place)
		}
		texts[file] = text.String()
	}
	return texts, blocks
}

var (
	docCode     = regexp.MustCompile("`+[^`\n]+`+")
	docLink     = regexp.MustCompile(`\]\(([^()\s]*)\)`)
	docLinkText = regexp.MustCompile(`!?\[([^\[\]]*)\]\([^()]*\)`)
	docHeading  = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)
)

// docAnchors returns the anchors of a document's headings, as GitHub makes them:
// letters, digits, hyphens and underscores in lower case, with a hyphen for each
// space, and numbered from the second of the same on.
func docAnchors(text string) map[string]bool {
	anchors := map[string]bool{}
	for _, heading := range docHeading.FindAllStringSubmatch(text, -1) {
		base := strings.Map(func(char rune) rune {
			switch {
			case char == ' ':
				return '-'
			case unicode.IsLetter(char) || unicode.IsDigit(char) || char == '-' || char == '_':
				return unicode.ToLower(char)
			}
			return -1
		}, docLinkText.ReplaceAllString(heading[1], "$1"))
		anchor := base
		for i := 1; anchors[anchor]; i++ {
			anchor = base + "-" + strconv.Itoa(i)
		}
		anchors[anchor] = true
	}
	return anchors
}

// brokenLinks returns the relative links of a document that lead nowhere, and how
// many links it has.
func brokenLinks(file string, texts map[string]string) (broken []string, links int) {
	text := docCode.ReplaceAllString(texts[file], "code")
	for _, link := range docLink.FindAllStringSubmatch(text, -1) {
		target, err := url.Parse(link[1])
		if err == nil && target.IsAbs() {
			continue
		}
		links++
		name := file
		if err == nil && target.Path != "" {
			name = filepath.Join(filepath.Dir(file), filepath.FromSlash(target.Path))
			_, err = os.Stat(name)
		}
		if err != nil {
			broken = append(broken, fmt.Sprintf("%s: %s", link[1], err))
		} else if target.Fragment != "" && !docAnchors(texts[name])[target.Fragment] {
			broken = append(broken, fmt.Sprintf("%s: no such heading", link[1]))
		}
	}
	return broken, links
}

// TestDocsLinks follows all relative links of the documentation.
func TestDocsLinks(t *testing.T) {
	texts, _ := documents(t)
	total := 0
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		broken, links := brokenLinks(file, texts)
		total += links
		for _, link := range broken {
			t.Errorf("%s: %s", file, link)
		}
	}
	if total < 60 {
		t.Errorf("there are %d links only: are they still found?", total)
	}

	made := map[string]string{"README.md": "# A `b_c`: [d](e)!\n## Same\n## Same\n[1](#a-b_c-d) ![2](#same) [3](#same-1) [4](#same-2) [![5](none.png)](README.md) [`6`](https://example.fr/#x) `[7](none.md)`"}
	broken, links := brokenLinks("README.md", made)
	if links != 7 || len(broken) != 3 || !strings.HasPrefix(broken[0], "e:") || !strings.HasPrefix(broken[1], "#same-2:") || !strings.HasPrefix(broken[2], "none.png:") {
		t.Errorf("of %d links, %q are broken", links, broken)
	}
}

// TestDocsNameTests looks for the tests that the documentation names.
func TestDocsNameTests(t *testing.T) {
	there := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "node_modules" {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		content, err := os.ReadFile(path)
		for _, found := range function.FindAllSubmatch(content, -1) {
			there[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	texts, _ := documents(t)
	total := 0
	for file, text := range texts {
		for _, named := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+|e2e/\\w+\\.test\\.js)`").FindAllStringSubmatch(text, -1) {
			total++
			if _, err := os.Stat(named[1]); err != nil && !there[named[1]] {
				t.Errorf("%s: there is no %s", file, named[1])
			}
		}
	}
	if total < 60 {
		t.Errorf("there are %d names only: are they still found?", total)
	}
}

// docCharter is the charter file that samples name.
const docCharter = "cookies:\n  - name: of_the_file\n    purpose: is there\n    category: statistics\n"

// docLoader loads the samples of the documentation as Caddy would, without serving
// them.
type docLoader struct {
	folder string // of the files that samples name
	paths  *strings.Replacer
}

// newDocLoader makes the files that samples name, and a loader that looks for them.
func newDocLoader(t *testing.T) docLoader {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{"charter.yaml": docCharter, "header.html": "<p>", "footer.html": "<p>", "page.html": "<p>"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "charter"), 0o700); err != nil {
		t.Fatal(err)
	}
	return docLoader{folder, strings.NewReplacer("/etc/caddy/", folder+"/", "/var/lib/caddy/", folder+"/", "/var/log/caddy/", folder+"/")}
}

// config loads a Caddy config, strictly.
func (l docLoader) config(content []byte) error {
	var config caddy.Config
	if err := caddy.StrictUnmarshalJSON(content, &config); err != nil {
		return err
	}
	config.StorageRaw = fmt.Appendf(nil, `{"module":"file_system","root":%q}`, l.folder)
	if config.Logging == nil {
		config.Logging = new(caddy.Logging)
	}
	if config.Logging.Logs == nil {
		config.Logging.Logs = map[string]*caddy.CustomLog{}
	}
	quiet := cmp.Or(config.Logging.Logs["default"], new(caddy.CustomLog))
	quiet.WriterRaw = json.RawMessage(`{"output":"discard"}`)
	config.Logging.Logs["default"] = quiet
	return caddy.Validate(&config)
}

// handler loads one handler.
func (l docLoader) handler(content []byte) error {
	return l.config(fmt.Appendf(nil, `{"apps":{"http":{"servers":{"docs":{"listen":["127.0.0.1:0"],"automatic_https":{"disable":true},"routes":[{"handle":[%s]}]}}}}}`, content))
}

// charter loads a charter file.
func (l docLoader) charter(name, content string) error {
	path := filepath.Join(l.folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return l.handler(fmt.Appendf(nil, `{"handler":"cookie_charter","charters":[%q]}`, path))
}

// caddyfile adapts a Caddyfile, or a part of one, and loads what that gives. What
// it is part of is the first of these in which it adapts: the options of a
// cookie_charter, a site, and nothing, as it is whole. The innermost comes first,
// because a line that is misspelled there would pass for the address of a site.
func (l docLoader) caddyfile(text string) error {
	text = l.paths.Replace(text)
	var mistakes []error
	for _, around := range []string{"http://:0 {\ncookie_charter {\n%s\n}\n}", "http://:0 {\n%s\n}", "%s"} {
		if around == "%s" && !strings.HasPrefix(text, "{\n") && !strings.Contains(text, "cookie_charter") {
			break // it has neither global options nor a charter
		}
		config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(fmt.Appendf(nil, around, text), map[string]any{"filename": filepath.Join(l.folder, "Caddyfile")})
		if err == nil {
			return l.config(config)
		}
		mistakes = append(mistakes, err)
	}
	return errors.Join(mistakes...)
}

// json parses JSON, and loads it where it is a Caddy config (it has apps, admin or
// logging), a handler, or a charter file (it has cookies).
func (l docLoader) json(text string) error {
	content := []byte(l.paths.Replace(text))
	var object map[string]json.RawMessage
	if err := json.Unmarshal(content, &object); err != nil {
		var other any
		return json.Unmarshal(content, &other)
	}
	switch {
	case object["apps"] != nil || object["admin"] != nil || object["logging"] != nil:
		return l.config(content)
	case object["handler"] != nil:
		return l.handler(content)
	case object["cookies"] != nil:
		return l.charter("sample.json", string(content))
	}
	return nil
}

// TestDocsSamples loads every sample of the documentation: Caddyfiles, Caddy's JSON,
// and charter files in JSON and YAML.
func TestDocsSamples(t *testing.T) {
	loader := newDocLoader(t)
	_, blocks := documents(t)
	loaded := map[string]int{}
	for _, block := range blocks {
		loaded[block.language]++
		var err error
		switch block.language {
		case "caddyfile":
			err = loader.caddyfile(block.text)
		case "json":
			err = loader.json(block.text)
		case "yaml":
			err = loader.charter("sample.yaml", block.text)
		case "html", "js", "sh", "text":
		default:
			err = fmt.Errorf("unknown language %q", block.language)
		}
		if err != nil {
			t.Errorf("%s: %v", block.place, err)
		}
	}
	for language, least := range map[string]int{"caddyfile": 14, "json": 2, "yaml": 2} {
		if loaded[language] < least {
			t.Errorf("%d samples are marked %s, want %d at least: are they still found?", loaded[language], language, least)
		}
	}
}

// TestDocsSamplesFail shows that samples with a mistake do not load.
func TestDocsSamplesFail(t *testing.T) {
	loader := newDocLoader(t)
	for _, sample := range []struct {
		load func(string) error
		text string
	}{
		{loader.caddyfile, "gcp 2026-11-21"},
		{loader.caddyfile, "page /cookies {\n\tthem dsfr\n}"},
		{loader.caddyfile, "pages {\n\theader header.html\n}"},
		{loader.caddyfile, "cookie_charter {\n\tpreset mattomo\n}"},
		{loader.caddyfile, "cookie_charter {\n\tcharter none.yaml\n}"},
		{loader.caddyfile, "cookie_charter {\n\tpreset matomo\n\tpreference klaro {\n\t\tkey ga gtag\n\t}\n}"},
		{loader.caddyfile, "handle {\n\t@a cookie_consent matomo\n\trespond @a 204\n}"},
		{loader.caddyfile, "example.fr {\n\tcookie_charter\n\treverse_proxi localhost:8000\n}"},
		{loader.caddyfile, "{\n\tlog charter {\n\t\tlevels DEBUG\n\t}\n}"},
		{loader.json, `{"handler":"cookie_charter","preset":["matomo"]}`},
		{loader.json, `{"handler":"cookie_chart"}`},
		{loader.json, `{"logging":{"log":{}}}`},
		{loader.json, `{"cookies":[{"name":"a"}]}`},
		{loader.json, `[1`},
		{func(text string) error { return loader.charter("sample.yaml", text) }, "cookies:\n  - name: a\n"},
	} {
		if sample.load(sample.text) == nil {
			t.Errorf("loads: %s", sample.text)
		}
	}
	for _, text := range []string{"gpc 2026-11-21", "respond ok", "example.fr {\n\tcookie_charter\n}", "cookie_charter {\n\tcharter charter.yaml\n}"} {
		if err := loader.caddyfile(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
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

// What lists the languages or the presets lists all of them, and no others.
func TestListsAreComplete(t *testing.T) {
	for of, want := range map[string][]string{"Handler.Language": page.Languages, "Handler.Presets": charter.PresetNames()} {
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
	for _, name := range page.Languages {
		names = append(names, display.English.Languages().Name(language.MustParse(name)))
	}
	slices.Sort(names)
	last := len(names) - 1
	list := regexp.MustCompile("in " + strings.Join(names[:last], `,\s+`) + `\s+(or|and)\s+` + names[last] + `\b`)
	if !list.MatchString(documentation(t)) {
		t.Errorf("no list of languages %s", list)
	}
}

// TestModulePath holds the module path in the documents against go.mod.
func TestModulePath(t *testing.T) {
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile(`(?m)^module (\S+)$`).FindSubmatch(module)
	version := regexp.MustCompile(`(?m)^\s*github.com/caddyserver/caddy/v2 (\S+)$`).FindSubmatch(module)
	if path == nil || version == nil {
		t.Fatal("go.mod has another form")
	}
	for _, file := range []string{"xcaddy.txt", "README.md"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("xcaddy build %s --with %s@v0.0.0=.\n", version[1], path[1]); !bytes.Contains(content, []byte(want)) {
			t.Errorf("%s lacks %s", file, want)
		}
	}
}

package cookiecharter

import (
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/cookie-charter/cookie_charter"

// importsOf returns what the files of a folder import, without those of tests.
func importsOf(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var imports []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			imports = append(imports, imported)
		}
	}
	slices.Sort(imports)
	return slices.Compact(imports)
}

// Each room knows those that the architecture says, and no others.
func TestRoomsKnowWhatTheyShould(t *testing.T) {
	document, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `internal/(\\w+)` \\|[^|]*\\| (.*) \\|$").FindAllStringSubmatch(string(document), -1) {
		known := slices.Sorted(slices.Values(strings.Split(row[2], ", ")))
		if row[2] == "nothing" {
			known = nil
		}
		documented[row[1]] = known
	}
	folders, err := filepath.Glob("internal/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		room := filepath.Base(folder)
		var known []string
		for _, imported := range importsOf(t, folder) {
			if of, isOurs := strings.CutPrefix(imported, modulePath+"/"); isOurs {
				known = append(known, path.Base(of))
			}
		}
		slices.Sort(known)
		want, ok := documented[room]
		if !ok || !slices.Equal(known, want) {
			t.Errorf("%s knows %v, and the architecture says %v", room, known, want)
		}
		delete(documented, room)
	}
	for room := range documented {
		t.Errorf("there is no room %s", room)
	}
}

// What reads, checks, answers and judges knows no Caddy, nor does what it knows.
func TestInnerRoomsKnowNoCaddy(t *testing.T) {
	looked := map[string]bool{}
	var look func(folder string)
	look = func(folder string) {
		if looked[folder] {
			return
		}
		looked[folder] = true
		for _, imported := range importsOf(t, folder) {
			if strings.HasPrefix(imported, "github.com/caddyserver/") {
				t.Errorf("%s imports %s", folder, imported)
			}
			if ours, isOurs := strings.CutPrefix(imported, modulePath+"/"); isOurs {
				look(ours)
			}
		}
	}
	for _, room := range []string{"setcookie", "charter", "answers", "judge"} {
		look("internal/" + room)
	}
	if len(looked) < 5 {
		t.Errorf("looked at %v only", looked)
	}
}

// The root is what an operator meets, and no more.
func TestRootIsSmall(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	if len(files) > 12 || !slices.Contains(files, "module.go") || !slices.Contains(files, "filter.go") || !slices.Contains(files, "charter.go") {
		t.Errorf("%v", files)
	}
}

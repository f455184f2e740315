package ascii

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOnlyASCIIFolds(t *testing.T) {
	for char := range rune(0x2200) {
		for _, letter := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
			want := char == letter || char < 0x80 && strings.EqualFold(string(char), string(letter))
			if got := EqualFold("x"+string(char), "X"+string(letter)); got != want {
				t.Errorf("%q and %q: equal %v", char, letter, got)
			}
		}
	}
	for text, want := range map[string]string{"Max-AGE": "max-age", "ſecure": "ſecure", "\u212aİÉ\xff": "\u212aİÉ\xff", "": "", "@[`{": "@[`{"} {
		if got := ToLower(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
	if !HasPrefixFold("__hOSt-a", "__Host-") || HasPrefixFold("__Hoſt-a", "__Host-") || HasPrefixFold("__Ho", "__Host-") {
		t.Error("prefixes do not fold as ASCII")
	}
	for text, want := range map[string]string{"Text/HTML; charset=x": "text/html", "text/\u212a": "", "text/htmlſ": "", "": "", ";": "", "text/html;;": ""} {
		if got, _ := MediaType(text); got != want {
			t.Errorf("%q is taken for %q", text, got)
		}
	}
	if !isASCII("a~\x00") || isASCII("ſ") || isASCII("\xff") {
		t.Error("what is ASCII is not known")
	}
}

// foldsUnicode are the functions that take other characters for letters of ASCII.
// mime.ParseMediaType is one of them.
var foldsUnicode = map[string][]string{
	"strings": {"EqualFold", "ToLower", "ToUpper", "ToTitle", "Title", "ToLowerSpecial", "ToUpperSpecial"},
	"bytes":   {"EqualFold", "ToLower", "ToUpper", "ToTitle", "Title", "ToLowerSpecial", "ToUpperSpecial"},
	"unicode": {"ToLower", "ToUpper", "ToTitle", "To", "SimpleFold", "IsLetter", "IsDigit", "IsNumber", "IsSpace"},
	"mime":    {"ParseMediaType"},
}

// peoplesWords are the functions that read what people wrote, in any alphabet.
var peoplesWords = []string{
	"internal/ascii/ascii.go MediaType", // of ASCII alone
	"internal/audit/text.go head",
	"internal/charter/duration.go ParseDuration",     // "Année"
	"internal/charter/duration_text.go FindDuration", // "1 Année"
	"internal/draft/columns.go areIn",                // headers of tables in eleven languages
	"internal/draft/columns.go begin",
	"internal/draft/import.go Parse", // of what surrounds an asterisk
}

// Whatever reads bytes from the wire folds letters of ASCII only: the code has no
// function of another kind, but where it reads people's words.
func TestNothingFoldsUnicode(t *testing.T) {
	const root = "../.."
	used := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "bench" || strings.HasPrefix(entry.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, declaration := range file.Decls {
			place := filepath.ToSlash(relative)
			if function, ok := declaration.(*ast.FuncDecl); ok {
				place += " " + function.Name.Name
			}
			ast.Inspect(declaration, func(node ast.Node) bool {
				selector, ok := node.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				name, ok := selector.X.(*ast.Ident)
				if !ok || !slices.Contains(foldsUnicode[name.Name], selector.Sel.Name) {
					return true
				}
				if used[place] = true; !slices.Contains(peoplesWords, place) {
					t.Errorf("%s: %s.%s folds more than ASCII; use package ascii", files.Position(node.Pos()), name.Name, selector.Sel.Name)
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range peoplesWords {
		if !used[place] {
			t.Errorf("%s reads no people's words any more", place)
		}
	}
}

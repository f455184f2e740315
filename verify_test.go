package cookiecharter

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// verifyAll returns what is said of an archive, and how that ends.
func verifyAll(t *testing.T, words ...string) (out string, err error) {
	t.Helper()
	words = append(words, "")
	var printed bytes.Buffer
	err = runVerify(terminal.NewPrinter(&printed), words[0], words[1])
	if err != nil && !errors.Is(err, errDifferences) {
		return err.Error(), err
	}
	return printed.String(), err
}

// A chain of three versions of a site's charter is found whole, in its folder, by its
// config, and on the site; what changes in it, or goes, is told.
func TestVerify(t *testing.T) {
	kept := t.TempDir()
	site := func(purpose string) string {
		return "cookie_charter {\n cookie a {\n purpose " + purpose + "\n category necessary\n }\n page {\n archive " + kept + "\n }\n}\nrespond portal"
	}
	var address, current string
	var files []string // in their order
	for i, purpose := range []string{"first", "second", "third"} {
		address = "http://" + serve(t, false, site(purpose))
		_, exported := get(t, address+pagePath+"?format=json", nil)
		current = versionOf(exported)
		file := filepath.Join(kept, []string{"2025-01-01", "2025-01-02", "2025-01-03"}[i]+"-"+current+".json")
		written, err := filepath.Glob(filepath.Join(kept, "*-"+current+".json"))
		if err != nil || len(written) != 1 || os.Rename(written[0], file) != nil {
			t.Fatal(err, written)
		}
		files = append(files, file)
	}
	address = "http://" + serve(t, false, site("third")) // which lists them anew
	get(t, address+pagePath, nil)
	folder := filepath.Dir(kept)
	for name, purpose := range map[string]string{"Caddyfile": "third", "next.caddyfile": "fourth"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("a.example {\n"+site(purpose)+"\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, next := filepath.Join(folder, "Caddyfile"), filepath.Join(folder, "next.caddyfile")
	version := func(i int) string { return filepath.Base(files[i])[11:23] }

	for _, words := range [][]string{{kept}, {kept, address}, {config}, {config, address}, {address}, {address + pagePath}, {next}, {next, address}} {
		out, err := verifyAll(t, words...)
		if err != nil || !strings.Contains(out, ": 3 versions\n") || strings.Count(out, "  unchanged  ") != 2 || !strings.Contains(out, version(2)+": nothing names it yet, so keep its hash elsewhere, too: SHA-256 ") {
			t.Errorf("%s: %v\n%s", words, err, out)
		}
		if hasNote := strings.Contains(out, " is not kept; that is done when"); hasNote != (words[0] == next && len(words) == 1) {
			t.Errorf("%s\n%s", words, out)
		}
	}

	content := map[string][]byte{}
	for _, file := range files {
		read, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		content[file] = read
	}
	write := func(i int, from, to string) {
		if err := os.Chmod(files[i], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[i], bytes.Replace(content[files[i]], []byte(from), []byte(to), 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		change func()
		want   string
		where  [][]string
	}{
		"changed":        {func() { write(0, `"purpose": "first"`, `"purpose": "other"`) }, version(0) + ": it has changed since version " + version(1) + " was kept", [][]string{{kept}, {config}, {address}}},
		"missing":        {func() { os.Remove(files[1]) }, version(1) + ": it is not there, though version " + version(2) + " was kept after it", [][]string{{kept}, {config}}},
		"latest changed": {func() { write(2, `"purpose": "third"`, `"purpose": "other"`) }, "version " + version(2) + " is not published as it is kept: ~ a: purpose was other, is third", [][]string{{kept, address}, {config}, {config, address}, {address}}},
		"latest other":   {func() { write(2, `"cookies": [`, `"controller": "x", "cookies": [`) }, "is not published as it is kept: controller is not the same", [][]string{{config}, {address}}},
		"latest missing": {func() { os.Remove(files[2]) }, "version " + version(2) + " is not kept; that", [][]string{{kept, address + pagePath}}},
	} {
		test.change()
		for _, words := range test.where {
			if out, err := verifyAll(t, words...); !errors.Is(err, errDifferences) || !strings.Contains(out, test.want) {
				t.Errorf("%s, %s: %v, no %q in\n%s", name, words, err, test.want, out)
			}
		}
		for _, file := range files { // as they were
			os.Remove(file)
			if err := os.WriteFile(file, content[file], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Another instance, which has not seen it, shows that it is not there.
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	address = "http://" + serve(t, false, site("third"))
	if out, err := verifyAll(t, address); !errors.Is(err, errDifferences) || !strings.Contains(out, version(1)+": it is not there, though version "+version(2)) {
		t.Errorf("%v\n%s", err, out)
	}
}

// Versions in Caddy's storage are found by the config, whatever its storage is.
func TestVerifyStorage(t *testing.T) {
	stored := t.TempDir()
	config := "{\n storage file_system " + stored + "\n}\na.example {\n cookie_charter {\n  page {\n   archive ys.example\n  }\n }\n}\nb.example {\n cookie_charter\n}\n"
	path := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := verifyAll(t, path); err != nil || !strings.Contains(out, "ys.example: 0 versions") || !strings.Contains(out, "a.example: version ") || strings.Contains(out, "b.example") {
		t.Errorf("%v\n%s", err, out)
	}
	kept := filepath.Join(stored, "cookie_charter", "ys.example")
	if err := os.MkdirAll(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kept, "2025-01-01-aaaaaaaaaaaa.json"), []byte(`{"version": "aaaaaaaaaaaa"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kept, "2025-01-02-bbbbbbbbbbbb.json"), []byte(`{"version": "aaaaaaaaaaaa"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := verifyAll(t, path)
	for _, want := range []string{"ys.example: 2 versions", "aaaaaaaaaaaa: it was kept before versions named others", "bbbbbbbbbbbb: it is no version of a charter: it is another version than its name says"} {
		if !errors.Is(err, errDifferences) || !strings.Contains(out, want) {
			t.Errorf("%v, no %q in\n%s", err, want, out)
		}
	}
}

// What cannot be verified is a mistake, and nothing of a site that lies is taken for more
// than it is.
func TestVerifyMistakes(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "Caddyfile")
	if err := os.WriteFile(path, []byte("a.example {\n cookie_charter\n}\nb.example {\n cookie_charter\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := "http://" + serve(t, false, "cookie_charter")
	hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		version := r.URL.Query().Get("version")
		switch number, err := strconv.ParseUint(version, 16, 64); {
		case version == "":
			_, _ = w.Write([]byte(`{"version": "aaaaaaaaaaaa", "cookies": [{"name": "a", "purpose": "p", "category": "necessary"}]}`))
		case err != nil || number == 0:
			http.NotFound(w, r)
		case strings.HasPrefix(r.URL.Path, "/endless"):
			fmt.Fprintf(w, `{"version": %q, "previous": [{"version": "%012x", "sha256": ""}]}`, version, number+1)
		default:
			_, _ = w.Write([]byte(`{"version": "aaaaaaaaaaaa", "previous": [{"version": "\u001b[31m\nbbbbbbbbbbbb  unchanged", "sha256": "\u001b"}], "cookies": [{"name": "a", "purpose": "q", "category": "necessary"}]}`))
		}
	}))
	defer hostile.Close()
	for words, want := range map[string]string{
		path:                         "names no archive",
		folder + "/missing":          "no such file",
		folder:                       "has no version of a charter",
		plain:                        "shows no archive",
		plain + "/elsewhere/":        "publishes no charter of this module",
		plain + " https://a.example": "--site is for archives and configs",
		path + " https://c.example":  "has 2 charters",
		path + " https://a.example":  "names no archive",
		hostile.URL + "/endless/":    "has more than 1000 versions",
		"https:// ":                  "unusable address",
	} {
		if out, err := verifyAll(t, strings.Split(words, " ")...); err == nil || errors.Is(err, errDifferences) || !strings.Contains(out, want) {
			t.Errorf("%s: %v, %s", words, err, out)
		}
	}
	out, err := verifyAll(t, hostile.URL)
	if !errors.Is(err, errDifferences) || strings.Contains(out, "\x1b") || strings.Contains(out, "\nbbbbbbbbbbbb") || !strings.Contains(out, "aaaaaaaaaaaa is not published as it is kept: ~ a: purpose was q") {
		t.Errorf("%v\n%s", err, out)
	}
}

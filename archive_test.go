package cookiecharter

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/page"
)

// A folder keeps each version once, from when it is first served.
func TestArchiveInFolder(t *testing.T) {
	kept := t.TempDir()
	site := func(purpose string) string {
		return "http://" + serve(t, false, "cookie_charter {\n cookie a {\n purpose "+purpose+"\n category necessary\n }\n page {\n archive "+kept+"\n }\n}\nrespond portal")
	}
	files := func() (names []string) {
		entries, err := os.ReadDir(kept)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}
	address := site("first")
	get(t, address, nil)
	if got := files(); got != nil {
		t.Fatalf("kept %q before it was served", got)
	}
	_, exported := get(t, address+pagePath+"?format=json", nil)
	get(t, address+pagePath, nil)
	first := files()
	if len(first) != 1 || !strings.Contains(first[0], versionOf(exported)) {
		t.Fatalf("kept %q", first)
	}
	path := filepath.Join(kept, first[0])
	content, err := os.ReadFile(path)
	if info, _ := os.Stat(path); err != nil || string(content) != exported || info.Mode().Perm() != 0o444 {
		t.Errorf("kept %s, %v", content, err)
	}
	// As if it was first served long ago: it is not kept anew.
	old := filepath.Join(kept, "2025-02-03-"+versionOf(exported)+".json")
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	_, shown := get(t, site("first")+pagePath, nil)
	if got := files(); len(got) != 1 || strings.Contains(shown, "?version=") {
		t.Errorf("kept %q", got)
	}

	address = site("second")
	_, shown = get(t, address+pagePath+"?flg=en", nil)
	if got := files(); len(got) != 2 {
		t.Errorf("kept %q", got)
	}
	if want := `<a href="?version=` + versionOf(exported) + `">Version ` + versionOf(exported) + `</a> – <time datetime="2025-02-03">3 February 2025</time>`; !strings.Contains(shown, want) {
		t.Errorf("no %s", want)
	}
	if _, got := get(t, address+pagePath+"?version="+versionOf(exported), nil); got != exported {
		t.Errorf("it was served as %s", got)
	}
	for _, version := range []string{"000000000000", "../" + versionOf(exported), "*"} {
		if response, _ := get(t, address+pagePath+"?version="+version, nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", version, response.Status)
		}
	}

	// A folder that is lost does not break the shown.
	address = site("third")
	if err := os.RemoveAll(kept); err != nil {
		t.Fatal(err)
	}
	if response, _ := get(t, address+pagePath, nil); response.StatusCode != http.StatusOK {
		t.Errorf("without the folder: %s", response.Status)
	}
	if err := tryLoad(t, "http://:0 {\n bind 127.0.0.1\n cookie_charter {\n page {\n archive "+kept+"\n }\n }\n}"); err == nil || !strings.Contains(err.Error(), "make the folder, and let Caddy write there") {
		t.Errorf("without the folder: %v", err)
	}
}

// purposeSite is a site whose charter has one row, of this purpose, and a page with
// this archive.
func purposeSite(port int, purpose, archive string) string {
	return fmt.Sprintf("http://:%d {\n bind 127.0.0.1\n cookie_charter {\n cookie a {\n purpose %s\n category necessary\n }\n page {\n archive %s\n }\n }\n respond portal\n}\n", port, purpose, archive)
}

// In Caddy's storage, each version is kept once, from when it is first served, under
// the archive's name.
func TestArchiveInStorage(t *testing.T) {
	t.Cleanup(func() { os.RemoveAll(filepath.Join(storage(), "cookie_charter")) })
	ports := []int{freePort(), freePort()}
	one, other := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	kept := filepath.Join(storage(), "cookie_charter", "ys.example")
	files := func() (names []string) {
		entries, err := os.ReadDir(kept)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}
	load(t, purposeSite(ports[0], "first", "ys.example")+purposeSite(ports[1], "elsewhere", "ys"))
	get(t, one, nil)
	if got := files(); got != nil {
		t.Fatalf("kept %q before it was served", got)
	}
	_, exported := get(t, one+pagePath+"?format=json", nil)
	_, elsewhere := get(t, other+pagePath+"?format=json", nil)
	get(t, one+pagePath, nil)
	today := time.Now().UTC()
	if got := files(); len(got) != 1 || got[0] != today.Format(time.DateOnly)+"-"+versionOf(exported)+".json" {
		t.Fatalf("kept %q", got)
	}
	if content, err := os.ReadFile(filepath.Join(kept, files()[0])); err != nil || string(content) != exported {
		t.Errorf("kept %s, %v", content, err)
	}

	// After a restart, it is not kept anew: its first day stays.
	old := "2025-02-03-" + versionOf(exported) + ".json"
	if err := os.Rename(filepath.Join(kept, files()[0]), filepath.Join(kept, old)); err != nil {
		t.Fatal(err)
	}
	ports[0] = freePort() // the former server closes connections, of which one could be used
	one = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	load(t, purposeSite(ports[0], "first", "ys.example"))
	get(t, one+pagePath, nil)
	if got := files(); !slices.Equal(got, []string{old}) {
		t.Errorf("kept %q", got)
	}

	// Nothing is an older version but what is called so, in this archive.
	secret := filepath.Join(storage(), "cookie_charter", "ys.example-more", "2025-01-01-aaaaaaaaaaaa.json")
	forged := []string{
		secret, filepath.Join(storage(), "cookie_charter", "2025-01-01-aaaaaaaaaaaa.json"), filepath.Join(storage(), "secret.json"),
		filepath.Join(kept, "within", "2025-01-01-aaaaaaaaaaaa.json"), filepath.Join(kept, "2025-13-45-aaaaaaaaaaaa.json"),
		filepath.Join(kept, "2025-01-01-AAAAAAAAAAAA.json"), filepath.Join(kept, "2025-01-01-aaaaaaaaaaaa.json.new"), filepath.Join(kept, "x2025-01-01-aaaaaaaaaaaa.json"),
	}
	for _, path := range forged {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ports[0] = freePort()
	one = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	load(t, purposeSite(ports[0], "second", "ys.example"))
	_, page := get(t, one+pagePath+"?flg=en", nil)
	if want := `<a href="?version=` + versionOf(exported) + `">Version ` + versionOf(exported) + `</a> – <time datetime="2025-02-03">3 February 2025</time>`; !strings.Contains(page, want) || strings.Count(page, "?version=") != 1 {
		t.Errorf("no %s, or more", want)
	}
	if _, got := get(t, one+pagePath+"?version="+versionOf(exported), nil); got != exported {
		t.Errorf("it was served as %s", got)
	}
	for _, version := range []string{
		"aaaaaaaaaaaa", "AAAAAAAAAAAA", "000000000000", versionOf(elsewhere), "../ys.example/" + versionOf(exported), "../../secret", "../../secret.json",
		"..%2F..%2Fsecret.json", "/etc/passwd", "*", old, strings.TrimSuffix(old, ".json"), "within/aaaaaaaaaaaa", "../ys.example-more/aaaaaaaaaaaa",
	} {
		if response, body := get(t, one+pagePath+"?version="+version, nil); response.StatusCode != http.StatusNotFound || strings.Contains(body, "secret") {
			t.Errorf("%s: %s %s", version, response.Status, body)
		}
	}
}

// A storage that cannot be written breaks no page.
func TestArchiveInFaultyStorage(t *testing.T) {
	if err := os.MkdirAll(filepath.Join(storage(), "cookie_charter"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(storage(), "cookie_charter", "full"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort()
	load(t, purposeSite(port, "p", "full"))
	if response, page := get(t, fmt.Sprintf("http://127.0.0.1:%d%s", port, pagePath), nil); response.StatusCode != http.StatusOK || !strings.Contains(page, "charter-") {
		t.Error(response.Status)
	}
	told, err := os.ReadFile(filepath.Join(storage(), "log"))
	if err != nil || !strings.Contains(string(told), `keeping the charter in the archive","archive":"cookie_charter/full","error":"`) {
		t.Errorf("%v: the operator is not told", err)
	}
}

func TestArchiveNames(t *testing.T) {
	kept := checks.WriteFiles(t, map[string]string{"2025-02-03-aaaaaaaaaaaa.json": "{}"})
	t.Chdir(filepath.Dir(filepath.Clean(kept)))
	base := filepath.Base(kept)
	for archive, want := range map[string]string{
		"ys": "", "data.ys.example": "", "7": "", "xn--ys-zja.example": "", kept: "", "./" + base: "",
		"Ys": "is no name for an archive", ".": "is no name", "..": "is no name", "-ys": "is no name", "ys.": "is no name", "y s": "is no name", "ys\x00": "is no name", strings.Repeat("y", 65): "is no name",
		base:       fmt.Sprintf("the folder %s has versions of the charter, but %q is a name in Caddy's storage: write ./%s to go on in the folder, or copy its files to cookie_charter/%s/ in the storage", filepath.Clean(kept), base, base, base),
		"../ys/no": "make the folder",
	} {
		// Without a storage, as the sub-command check.
		if err := (&Handler{Page: page.Config{Archive: archive}}).prepare(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", archive, err)
		}
	}
	for archive, want := range map[string]string{"ys": "ys", base: "", "./" + base: filepath.Clean(kept)} {
		if got, err := page.ResolveArchive(filepath.Join(filepath.Dir(filepath.Clean(kept)), "Caddyfile"), archive); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", archive, got, err)
		}
	}
}

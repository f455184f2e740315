package cookiecharter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/page"
)

// charterOf returns what an entry of an archive has beside the pages.
func charterOf(t *testing.T, content []byte) string {
	t.Helper()
	declared, kept, ok := strings.Cut(string(content), ",\n  \"previous\": [")
	if !ok || !json.Valid(content) || len(kept) < 1000 {
		t.Errorf("nothing is kept beside the charter: %.2000s", content)
	}
	return declared + "\n}\n"
}

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
	if info, _ := os.Stat(path); err != nil || charterOf(t, content) != exported || info.Mode().Perm() != 0o444 {
		t.Errorf("kept %.2000s, %v", content, err)
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
	if want := `<a href="?version=` + versionOf(exported) + `&amp;flg=en">Version ` + versionOf(exported) + `</a> – <time datetime="2025-02-03">3 February 2025</time>`; !strings.Contains(shown, want) {
		t.Errorf("no %s", want)
	}
	if _, got := get(t, address+pagePath+"?version="+versionOf(exported)+"&format=json", nil); got != string(content) {
		t.Errorf("it was served as %.2000s", got)
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
	content, err := os.ReadFile(filepath.Join(kept, files()[0]))
	if err != nil || charterOf(t, content) != exported {
		t.Errorf("kept %.2000s, %v", content, err)
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
	if want := `<a href="?version=` + versionOf(exported) + `&amp;flg=en">Version ` + versionOf(exported) + `</a> – <time datetime="2025-02-03">3 February 2025</time>`; !strings.Contains(page, want) || strings.Count(page, "?version=") != 1 {
		t.Errorf("no %s, or more", want)
	}
	if _, got := get(t, one+pagePath+"?version="+versionOf(exported)+"&format=json", nil); got != string(content) {
		t.Errorf("it was served as %.2000s", got)
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

// archivedSite is a site whose charter asks, and that keeps its page in an archive.
func archivedSite(archive, options string) string {
	return "cookie_charter {\n preset opendatasoft matomo\n preference charter\n record_choices\n page {\n archive " + archive + "\n " + options + "\n }\n}\nrespond portal"
}

// entriesIn returns the names of the versions that a folder keeps.
func entriesIn(t *testing.T, archive string) []string {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join(archive, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range kept {
		kept[i] = filepath.Base(kept[i])
	}
	return kept
}

// What is kept has the page's words in all its languages, can be read as a page, and has
// nothing of the visitor for whom it was kept.
func TestArchivedPage(t *testing.T) {
	kept := t.TempDir()
	address := "http://" + serve(t, false, archivedSite(kept, ""))
	choice, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted")
	reference := regexp.MustCompile(`[A-Z2-7]{26}`).FindString(choice.Header.Get("Location"))
	visitor := http.Header{"Cookie": {storedBy(choice) + "; sessionid=S3cr3tValue; n0tDeclared=x; django_language=it"}, "Sec-Gpc": {"1"}, "Accept-Language": {"sv"}, "Host": {"h0st.example"}}
	_, shown := get(t, address+pagePath+"?status=saved&flg=en&"+strings.TrimPrefix(choice.Header.Get("Location"), "?"), visitor)
	if !strings.Contains(shown, "n0tDeclared") || !strings.Contains(shown, "h0st.example") || !strings.Contains(shown, reference) || !strings.Contains(shown, "<form") {
		t.Fatal("the visitor's own page shows nothing of the visitor")
	}
	entries := entriesIn(t, kept)
	if len(entries) != 1 {
		t.Fatalf("kept %q", entries)
	}
	content, err := os.ReadFile(filepath.Join(kept, entries[0]))
	if err != nil {
		t.Fatal(err)
	}
	var entry struct {
		Version string
		Pages   []struct{ Language, HTML string }
	}
	if err := json.Unmarshal(content, &entry); err != nil {
		t.Fatal(err)
	}
	var languages []string
	for _, page := range entry.Pages {
		languages = append(languages, page.Language)
		if !strings.HasPrefix(page.HTML, "<!DOCTYPE html>") {
			t.Errorf("%s: is %.100s", page.Language, page.HTML)
		}
		for _, theirs := range []string{"S3cr3t", "n0tDeclared", "h0st.example", "127.0.0.1", reference, "Les cookies de votre navigateur", "The cookies of your browser", "Global Privacy Control", "<form", "<input", "<button", `rel="alternate"`, "charter-languages", `id="stored.`} {
			if strings.Contains(page.HTML, theirs) {
				t.Errorf("%s: has %s", page.Language, theirs)
			}
		}
		for _, own := range []string{`<html lang="` + page.Language + `"`, `id="purposes.matomo"`, entry.Version, "?flg=" + page.Language} {
			if !strings.Contains(page.HTML, own) {
				t.Errorf("%s: lacks %s", page.Language, own)
			}
		}
	}
	t.Logf("%d bytes", len(content))
	if languages[0] != "fr" || !slices.Equal(slices.Sorted(slices.Values(languages)), page.Languages) {
		t.Errorf("kept in %q", languages)
	}

	today := time.Now().UTC().Format("2 January 2006")
	for query, want := range map[string][]string{
		"&flg=en": {"This is version " + entry.Version + " of this policy, as it was served from " + today + " on.", `<a href="?flg=en">See the version in force</a>`, "Your choice is kept for: 6 months.", "&amp;format=json\">JSON</a>"},
		"&flg=de": {"Dies ist die Version " + entry.Version, `<html lang="de"`},
		"":        {`<html lang="it"`},
	} {
		response, got := get(t, address+pagePath+"?version="+entry.Version+query, visitor)
		for _, want := range want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s", query, want)
			}
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex",
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
		} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", query, name, got)
			}
		}
		style := regexp.MustCompile(`rel="stylesheet" href="([^"]+)"`).FindStringSubmatch(got)
		if style == nil {
			t.Fatalf("%s: no style", query)
		}
		linked, err := response.Request.URL.Parse(style[1])
		if err != nil {
			t.Fatal(err)
		}
		if response, _ := get(t, linked.String(), nil); response.StatusCode != http.StatusOK || !strings.Contains(response.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s", linked, response.Status)
		}
	}
	// Without the slash at the end of the path, its links would lead elsewhere.
	response, _ := get(t, address+strings.TrimSuffix(pagePath, "/")+"?version="+entry.Version+"&flg=de", nil)
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || got != "cookies-policy/?flg=de&version="+entry.Version {
		t.Errorf("without the slash: %s, %q", response.Status, got)
	}
	for query, accept := range map[string]string{"&format=json": "text/html", "": "application/json"} {
		response, got := get(t, address+pagePath+"?version="+entry.Version+query, http.Header{"Accept": {accept}})
		if got != string(content) || response.Header.Get("Content-Type") != "application/json" || response.Header.Get("X-Robots-Tag") != "noindex" {
			t.Errorf("%s, %s: %v, %.300s", query, accept, response.Header, got)
		}
	}
	if response, _ := get(t, address+pagePath, nil); response.Header.Get("X-Robots-Tag") != "" {
		t.Error("the page in force is not to be found")
	}
	// What is kept is a charter file, too.
	if _, err := loadHandler(filepath.Join(kept, entries[0]), ""); err != nil {
		t.Error(err)
	}
}

// What the storage holds is shown, and nothing in it runs: entries from before as they
// are, and pages that somebody else has written.
func TestForeignEntries(t *testing.T) {
	const hostile = `<!DOCTYPE html><script>alert(1)</script><form method="post" action="/x"><button name="all" value="granted">See</button></form>`
	entries := map[string]string{
		"aaaaaaaaaaaa": `{"version": "aaaaaaaaaaaa", "cookies": []}`,
		"bbbbbbbbbbbb": `{"pages": [{"language": "pl", "html": ` + fmt.Sprintf("%q", hostile) + `}]}`,
		"cccccccccccc": `{"pages": {"fr": "x"}}`,
		"dddddddddddd": hostile,
		"eeeeeeeeeeee": `{"pages": [{"language": "\r\nSet-Cookie: a=b", "html": "x"}, {"language": "en"}]}`,
		"ffffffffffff": `{"pages": []}`,
	}
	kept := t.TempDir()
	for version, content := range entries {
		if err := os.WriteFile(filepath.Join(kept, "2025-01-01-"+version+".json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := "http://" + serve(t, false, archivedSite(kept, ""))
	for version, content := range entries {
		response, got := get(t, address+pagePath+"?version="+version, nil)
		wantType := "application/json"
		if version == "bbbbbbbbbbbb" {
			wantType, content = "text/html; charset=utf-8", hostile
		}
		if response.StatusCode != http.StatusOK || got != content || response.Header.Get("Content-Type") != wantType || response.Header["Set-Cookie"] != nil {
			t.Errorf("%s: %s, %v, %s", version, response.Status, response.Header, got)
		}
		policy := response.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "script-src") || !strings.Contains(policy, "; form-action 'none'; ") || response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("X-Robots-Tag") != "noindex" {
			t.Errorf("%s: %v", version, response.Header)
		}
	}
}

// Whatever decides of the page's sentences makes another version, which is kept beside the
// former one.
func TestWordsMakeVersions(t *testing.T) {
	kept := t.TempDir()
	own := page.Wording
	t.Cleanup(func() { page.Wording = own })
	visit := func(options string) (entries int) {
		get(t, "http://"+serve(t, false, strings.Replace(archivedSite(kept, "title Charter"), "record_choices", options, 1))+pagePath, nil)
		return len(entriesIn(t, kept))
	}
	for i, options := range []string{"", "monitor everything", "request_cookies pass", "durations declare", "hosts", "guard", "guard monitor"} {
		for range 2 {
			if got := visit(options); got != i+1 {
				t.Errorf("%q: %d entries", options, got)
			}
		}
	}
	page.Wording = func() string { return "other words" }
	if got := visit(""); got != 8 {
		t.Errorf("after a change of words: %d entries", got)
	}
}

// A portal that has a name has it in its archive, too.
func TestArchivedName(t *testing.T) {
	kept := t.TempDir()
	address := "http://" + serve(t, false, strings.Replace(archivedSite(kept, ""), "record_choices", `site_name "Open data of Ys"`, 1))
	_, exported := get(t, address+pagePath+"?format=json", nil)
	_, got := get(t, address+pagePath+"?flg=en&version="+versionOf(exported), nil)
	if !strings.Contains(got, "<h2>What the cookies on Open data of Ys are for</h2>") || !strings.Contains(got, " – Open data of Ys</title>") {
		t.Errorf("no name in %.2000s", got)
	}
}

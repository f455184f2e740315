package cookiecharter

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const exportedSite = `
	cookie_charter {
		preset opendatasoft matomo
		updated 2026-11-26
		cookie "odd_<id>" other {
			match odd_* other
			provider fr "Ville | d'Ys"
			service "a*b_c & <d>"
			purpose fr "Pour *tout* [voir](x)"
			purpose en "To see it all"
			category third_party
			exempt
			duration "3 ans"
			domain city.example
		}
	}
	respond portal`

// One charter, edited in one place, is the same on the page, in all exports and
// in the filter.
func TestExportsAreTheTable(t *testing.T) {
	for _, names := range []string{"measure", "measure tool", "sessionid"} {
		address := "http://" + serve(t, false, "cookie_charter {\n preset matomo\n cookie "+names+" {\n purpose p\n category first_party\n exempt\n }\n}\nheader +Set-Cookie measure=1\nheader +Set-Cookie tool=1\nheader +Set-Cookie sessionid=1")
		response, _ := get(t, address, nil)
		var enforced []string
		for _, line := range response.Header["Set-Cookie"] {
			name, _, _ := strings.Cut(line, "=")
			enforced = append(enforced, name)
		}
		if got := strings.Join(enforced, " "); got != names {
			t.Errorf("enforced %s, want %s", got, names)
		}
		_, page := get(t, address+pagePath, nil)
		published := publishedNames(t, page)

		var charter struct{ Cookies []struct{ Name, Match Names } }
		_, body := get(t, address+pagePath+"?format=json", nil)
		if err := json.Unmarshal([]byte(body), &charter); err != nil {
			t.Fatal(err)
		}
		var exported, patterns []string
		for _, cookie := range charter.Cookies {
			exported = append(exported, cookie.Name...)
			if patterns = append(patterns, cookie.Match...); cookie.Match == nil {
				patterns = append(patterns, cookie.Name...)
			}
		}
		_, markdown := get(t, address+pagePath+"?format=markdown", nil)
		var pasted []string
		for line := range strings.Lines(markdown) {
			if cells := strings.Split(line, " | "); len(cells) == 4 && !strings.HasPrefix(cells[3], "Durée") {
				pasted = append(pasted, strings.NewReplacer(`\`, "", "&lt;", "<").Replace(cells[1]))
			}
		}
		pasted = strings.Split(strings.Join(pasted, ", "), ", ")
		var bases []struct{ Knowledges []struct{ Name string } }
		_, body = get(t, address+pagePath+"?format=edpb", nil)
		if err := json.Unmarshal([]byte(body), &bases); err != nil || len(bases) != 1 {
			t.Fatal(err, bases)
		}
		var known []string
		for _, knowledge := range bases[0].Knowledges {
			known = append(known, knowledge.Name)
		}
		for _, list := range [][]string{published, exported, pasted, known, patterns} {
			slices.Sort(list)
		}
		if !slices.Equal(published, exported) || !slices.Equal(published, pasted) || !slices.Equal(patterns, known) || len(published) < 6 {
			t.Errorf("published %q, exported %q, pasted %q, known %q", published, exported, pasted, known)
		}
	}
}

// What is exported declares the same where it is used as a charter file.
func TestExportIsACharterFile(t *testing.T) {
	address := "http://" + serve(t, false, exportedSite)
	response, body := get(t, address+pagePath+"?format=json", nil)
	if response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", response.Header)
	}
	for _, want := range []string{`"updated": "2026-11-26"`, `"duration": "400 days"`, `"duration": "13 months"`, `"fr": "Ville | d'Ys"`, `"$schema": "charter.schema.json"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	path := filepath.Join(t.TempDir(), "charter.json")
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	again := "http://" + serve(t, false, "cookie_charter {\n charter "+path+"\n}")
	if _, exported := get(t, again+pagePath, http.Header{"Accept": {"application/json"}}); exported != body {
		t.Errorf("exported again it is %s", exported)
	}
}

func versionOf(exported string) string {
	_, rest, _ := strings.Cut(exported, `"version": "`)
	version, _, _ := strings.Cut(rest, `"`)
	return version
}

func TestExportFormats(t *testing.T) {
	address := "http://" + serve(t, false, exportedSite)
	_, markdown := get(t, address+pagePath+"?format=markdown&flg=en", nil)
	for _, want := range []string{
		"# Cookie policy\n", "## Third-party cookies\n", `| Ville \| d'Ys, a\*b\_c &amp; &lt;d> | odd\_&lt;id>, other | To see it all Set without consent; you can oppose it. | 13 months |`,
	} {
		if !strings.Contains(markdown, want) {
			t.Errorf("no %q in %s", want, markdown)
		}
	}
	_, knowledge := get(t, address+pagePath+"?format=edpb&flg=fr", nil)
	for _, want := range []string{`"name": "odd_*"`, `"domain": "city.example"`, `"controller": "Ville | d'Ys"`, `"kind": "cookie"`, `"policy": "` + address + pagePath + `"`, `"updated_at": "2026-11-26T00:00:00Z"`, `Durée: 13 mois"`} {
		if !strings.Contains(knowledge, want) {
			t.Errorf("no %s in %s", want, knowledge)
		}
	}
	for accept, want := range map[string]string{
		"": "text/html; charset=utf-8", "*/*": "text/html; charset=utf-8", "text/html, application/json": "text/html; charset=utf-8",
		"application/json": "application/json", "text/html;q=0.5, application/json": "application/json", "application/json;q=0, */*": "text/html; charset=utf-8",
		"application/json;q=x": "application/json", "junk;;, application/json": "application/json",
	} {
		response, _ := get(t, address+pagePath, http.Header{"Accept": {accept}})
		if got := response.Header.Get("Content-Type"); got != want || !slices.Contains(response.Header["Vary"], "Accept, Accept-Language, Cookie") {
			t.Errorf("%s: %s, Vary %q", accept, got, response.Header["Vary"])
		}
	}
	if response, _ := get(t, address+pagePath+"?format=xml", nil); response.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown format: %s", response.Status)
	}
	response, schema := get(t, address+pagePath+"charter.schema.json", nil)
	if !json.Valid([]byte(schema)) || response.Header.Get("Content-Type") != "application/schema+json" {
		t.Errorf("the schema: %v", response.Header)
	}
}

// The archive keeps each version once, from when it is first served.
func TestArchive(t *testing.T) {
	folder := t.TempDir()
	site := func(purpose string) string {
		return "http://" + serve(t, false, "cookie_charter {\n cookie a {\n purpose "+purpose+"\n category necessary\n }\n page {\n archive "+folder+"\n }\n}\nrespond portal")
	}
	files := func() (names []string) {
		entries, err := os.ReadDir(folder)
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
	if len(first) != 1 || !archivedName.MatchString(first[0]) || !strings.Contains(first[0], versionOf(exported)) {
		t.Fatalf("kept %q", first)
	}
	path := filepath.Join(folder, first[0])
	content, err := os.ReadFile(path)
	if info, _ := os.Stat(path); err != nil || string(content) != exported || info.Mode().Perm() != 0o444 {
		t.Errorf("kept %s, %v", content, err)
	}
	// As if it was first served long ago: it is not kept anew.
	old := filepath.Join(folder, "2025-02-03-"+versionOf(exported)+".json")
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	_, page := get(t, site("first")+pagePath, nil)
	if got := files(); len(got) != 1 || strings.Contains(page, "?version=") {
		t.Errorf("kept %q", got)
	}

	address = site("second")
	_, page = get(t, address+pagePath+"?flg=en", nil)
	if got := files(); len(got) != 2 {
		t.Errorf("kept %q", got)
	}
	if want := `<a href="?version=` + versionOf(exported) + `">Version ` + versionOf(exported) + `</a> – <time datetime="2025-02-03">3 February 2025</time>`; !strings.Contains(page, want) {
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

	// What is there is not replaced, not even by an instance that began before.
	a, err := openArchive(folder, "000000000000")
	if err != nil {
		t.Fatal(err)
	}
	kept, _ := a.find(versionOf(exported))
	if err := a.write(kept, func() ([]byte, error) { return []byte("changed"), nil }); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(old); err != nil || string(content) != exported || len(files()) != 2 {
		t.Errorf("replaced by %s, %v", content, err)
	}

	// A folder that is lost does not break the page.
	address = site("third")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if response, _ := get(t, address+pagePath, nil); response.StatusCode != http.StatusOK {
		t.Errorf("without the folder: %s", response.Status)
	}
	if err := tryLoad(t, "http://:0 {\n bind 127.0.0.1\n cookie_charter {\n page {\n archive "+folder+"\n }\n }\n}"); err == nil || !strings.Contains(err.Error(), "make the folder, and let Caddy write there") {
		t.Errorf("without the folder: %v", err)
	}
}

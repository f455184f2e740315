package cookiecharter

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

const exportedSite = `
	cookie_charter {
		preset opendatasoft matomo
		updated 2026-11-26
		languages ar ca de en es eu fr it nl pt sv
		language fr
		cookie "odd_<id>" other {
			match odd_* other
			host stats.city.example https://*.odd.example:8443/a_b/
			storage odd_<id> a_*
			provider fr "Ville | d'Ys"
			policy https://city.example/a|b_(c)
			country FR US
			service "a*b_c & <d>"
			purpose fr "Pour *tout* [voir](x)"
			purpose en "To see it all"
			category third_party
			exempt
			duration "3 ans"
			domain city.example
		}
		host *.tile.example tile.example {
			provider "Tuiles SAS"
			purpose fr "Fonds de carte"
			purpose en "Map backgrounds"
			category first_party
		}
		host fonts.example {
			service "Fonts"
			purpose "Letters"
			category necessary
		}
		storage seen,once ph_* {
			provider "Notes SAS"
			purpose "Remembers"
			category statistics
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

		var charter struct {
			Cookies []struct{ Name, Match charter.Names }
		}
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
			if cells := strings.Split(line, " | "); len(cells) == 5 && !strings.HasPrefix(cells[4], "Durée") {
				pasted = append(pasted, strings.NewReplacer(`\`, "", "&lt;", "<").Replace(cells[2]))
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

// An export says what is done about hosts, as long as that is so; a charter file declares
// the same with it and without.
func TestExportSaysWhatIsDoneAboutHosts(t *testing.T) {
	for options, want := range map[string]string{"": "", "hosts": "enforce", "hosts enforce": "enforce", "hosts monitor": "monitor", "hosts\n monitor": "monitor"} {
		address := "http://" + serve(t, false, "cookie_charter {\n preset django\n "+options+"\n}")
		_, body := get(t, address+pagePath+"?format=json", nil)
		var exported struct{ Hosts string }
		if err := json.Unmarshal([]byte(body), &exported); err != nil || exported.Hosts != want {
			t.Errorf("%q: %v, %q", options, err, exported.Hosts)
		}
		path := filepath.Join(t.TempDir(), "charter.json")
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		again := "http://" + serve(t, false, "cookie_charter {\n charter "+path+"\n}")
		if _, declared := get(t, again+pagePath+"?format=json", nil); !strings.Contains(declared, `"csrftoken"`) || strings.Contains(declared, `"hosts"`) {
			t.Errorf("%q: declares %s", options, declared)
		}
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
		"# Cookie policy\n", "## Third-party cookies\n", `| Tuiles SAS | Loads from or sends to: \*.tile.example, tile.example | – | Map backgrounds |  |`, `| Notes SAS |  | Stored in the browser: seen,once, ph\_\* | Remembers | Stored in the browser: until deleted |`, `| [Ville \| d'Ys](https://city.example/a%7Cb_%28c%29); Data go to: France, United States. | a\*b\_c &amp; &lt;d>; Loads from or sends to: stats.city.example, https://\*.odd.example:8443/a\_b/ | odd\_&lt;id>, other; Stored in the browser: odd\_&lt;id>, a\_\* | To see it all Set without consent; you can object to it. | Cookies: 13 months; Stored in the browser: until deleted |`,
	} {
		if !strings.Contains(markdown, want) {
			t.Errorf("no %q in %s", want, markdown)
		}
	}
	_, knowledge := get(t, address+pagePath+"?format=edpb&flg=fr", nil)
	for _, want := range []string{`"name": "odd_*"`, `"domain": "city.example"`, `"controller": "Ville | d'Ys"`, `"kind": "cookie"`, `"policy": "` + address + pagePath + `"`, `"policy": "https://city.example/a|b_(c)"`, `"updated_at": "2026-11-26T00:00:00Z"`, `Durée: 13 mois"`} {
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

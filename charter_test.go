package cookiecharter

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// textsOf returns the texts of all elements of a name in a page, in their order.
func textsOf(t *testing.T, page, element string) []string {
	t.Helper()
	document, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for node := range document.Descendants() {
		if node.Type != html.ElementNode || node.Data != element {
			continue
		}
		var text strings.Builder
		for inner := range node.Descendants() {
			if inner.Type == html.TextNode {
				text.WriteString(inner.Data)
			}
		}
		texts = append(texts, strings.TrimSpace(text.String()))
	}
	return texts
}

// The charters of two real portals can be published without a template: the same columns,
// rows, kinds and headings. What the pages are is recorded.
func TestRealCharters(t *testing.T) {
	for name, site := range map[string]string{"doubs": "https://opendata.doubs.fr", "porto-vecchio": "https://porto-vecchio.opendatasoft.com"} {
		var out bytes.Buffer
		if err := runExport(&out, "testdata/"+name+".yaml", "html", "fr", site); err != nil {
			t.Fatal(err)
		}
		page := out.String()
		if got := textsOf(t, page, "h1"); !slices.Equal(got, []string{"Charte cookies"}) {
			t.Errorf("%s: titles %q", name, got)
		}
		headings := textsOf(t, page, "h2")
		for _, want := range []string{"Qu’est-ce qu’un cookie\u00a0?", "Les quatre types de cookies", "À quoi servent les cookies sur la plateforme " + site} {
			if !slices.Contains(headings, want) {
				t.Errorf("%s: no %q in %q", name, want, headings)
			}
		}
		if got := textsOf(t, page, "h3"); !slices.Equal(got, []string{"Cookies nécessaires au bon fonctionnement de la plateforme"}) {
			t.Errorf("%s: tables %q", name, got)
		}
		for i, word := range []string{"nécessaires", "statistiques", "internes ou «\u00a0first-party\u00a0»", "tiers"} {
			if got := textsOf(t, page, "dt"); !strings.Contains(got[i], word) {
				t.Errorf("%s: no %s in %q", name, word, got)
			}
		}
		var rows [][]string
		_, tables, _ := strings.Cut(page, "<table")
		table, _, _ := strings.Cut("<table"+tables, "</table>")
		for _, row := range strings.Split(table, "<tr")[1:] {
			cells := regexp.MustCompile(`(?s)<t[hd][^>]*>(.*?)</t[hd]>`).FindAllStringSubmatch("<tr"+row, -1)
			var texts []string
			for _, cell := range cells {
				texts = append(texts, regexp.MustCompile(`<[^>]*>`).ReplaceAllString(cell[1], ""))
			}
			rows = append(rows, texts)
		}
		if len(rows) != 5 || !slices.Equal(rows[0], []string{"Nom du prestataire", "Service et emplacement", "Nom du cookie", "Finalités"}) {
			t.Fatalf("%s: %q", name, rows)
		}
		for i, want := range [][]string{
			{"Opendatasoft", "Authentification (front et back office)", "sessionid"},
			{"Opendatasoft", "Sélection de la langue (front et back office)", "django_language"},
			{"Opendatasoft", "API (CSRF) (front et back office)", "csrftoken"},
			{"Opendatasoft", "Choix concernant vos préférences sur les cookies", "cookies_preferences"},
		} {
			if got := rows[i+1]; !slices.Equal(got[:3], want) || got[3] == "" {
				t.Errorf("%s: %q", name, got)
			}
		}

		// What changes with the module's own words, and with its style, is left out.
		page = regexp.MustCompile(`(Version |style\.css\?v=)[0-9a-f]+`).ReplaceAllString(page, "${1}…")
		page = regexp.MustCompile(`(?s)(<style>).*?(</style>)`).ReplaceAllString(page, "${1}…${2}")
		path := "testdata/" + name + ".html"
		if *checks.Update {
			if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		recorded, err := os.ReadFile(path)
		if err != nil || string(recorded) != page {
			t.Errorf("%s: %v; what is recorded differs from\n%s", name, err, page)
		}
	}
}

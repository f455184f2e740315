package cookiecharter

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/draft"
	"github.com/cookie-charter/cookie_charter/internal/page"
)

// Charter pages as they are written: the older shape with service and location,
// the newer with durations, in HTML, Markdown and from a spreadsheet.
var importPages = map[string]string{
	"older.html": `<h1>Politique</h1><h2>Les cookies strictement nécessaires</h2><table>
		<tr><th>Fournisseur</th><th>Service et emplacement</th><th>Nom du cookie</th><th>Finalité</th></tr>
		<tr><td>Opendatasoft</td><td>Authentification<br>(front et back office)</td><td><code>sessionid</code></td><td>Retient l&#39;utilisateur</td></tr>
		<tr><td>Incapsula</td><td>Pare-feu</td><td>incap_ses_*; visid_incap_&lt;ID&gt;</td><td>Protège : tout</td></tr>
		<tr><td>Inconnu</td><td></td><td></td><td>Sert à quelque chose</td></tr></table>
		<h2>Cookies de mesure d'audience</h2><table>
		<tr><th>Fournisseur</th><th>Service</th><th>Cookie</th><th>Finalité</th></tr>
		<tr><td>Matomo</td><td>Statistiques</td><td>_pk_id#, _pk_ses.*</td><td>Compte les visites</td></tr></table>`,
	"newer.html": `<table><caption>Cookies</caption><thead><tr><th>Émetteur</th><th>Nom</th><th>Durée de conservation</th><th>Fonction</th><th>Catégorie</th></tr></thead>
		<tbody><tr><td>Portail</td><td>csrftoken</td><td>12 mois</td><td>Protège</td><td>Nécessaire</td></tr>
		<tr><td>Portail</td><td>messages</td><td>Session</td><td>Messages</td><td>Nécessaire</td></tr>
		<tr><td>Matomo</td><td>_pk_id</td><td>13 mois</td><td>Mesure</td><td>Statistiques</td></tr>
		<tr><td>Google</td><td>_ga</td><td>6 mois, puis 13 mois si vous acceptez</td><td>Mesure</td><td>Statistiques</td></tr>
		<tr><td>YouTube</td><td>VISITOR_INFO1_LIVE et YSC</td><td>variable</td><td>Vidéos</td><td>Tiers</td></tr>
		<tr><td>X</td><td>odd</td><td>-</td><td></td><td>?</td></tr></tbody></table>`,
	"page.md":   "# Cookies\n\n## Strictly necessary cookies\n\n| Provider | Name | Purpose | Duration |\n|---|---|---|---|\n| Portal | `session\\_id` | Stays \\| signed in | 2 weeks |\n\n## Third-party cookies\n\n| Provider | Name | Purpose | Duration |\n|---|---|---|---|\n| Map | map | Shows maps | until the browser is closed |\n",
	"sheet.txt": "Cookies internes\nNom\tFinalité\tDurée\r\nlang\tRetient la langue\t1 an\r\nCookies tiers\nNom\tFinalité\tDurée\nvid\tVidéos\t90 jours\n",
}

func TestImport(t *testing.T) {
	folder := checks.WriteFiles(t, importPages)
	for name, want := range map[string]struct {
		drafted, doubts, unwanted []string
	}{
		"older.html": {
			[]string{
				"    - name: sessionid\n      provider: {fr: \"Opendatasoft\"}\n      service: {fr: \"Authentification; (front et back office)\"}\n      purpose: {fr: \"Retient l'utilisateur\"}\n      category: necessary\n",
				"name: [incap_ses_*, visid_incap_<ID>]", "match: [incap_ses_*, visid_incap_*]", "# unsure: the table names no cookie\n      name: \"\"",
				"match: [_pk_id.*, _pk_ses.*]", "category: statistics\n      # unsure: the key of a preset, for a cookie of this name\n      consent: matomo\n",
			},
			[]string{"Sert à quelque chose: the table names no cookie", `_pk_id#, _pk_ses.*: read from "_pk_id#, _pk_ses.*"`, "4 rows, 4 doubts"},
			[]string{"duration"},
		},
		"newer.html": {
			[]string{"name: csrftoken", "duration: 12 mois", "duration: session", "name: _pk_id\n      # unsure: read from \"_pk_id\"\n      match: _pk_id.*\n", "name: _ga\n      provider", "category: statistics\n      # unsure: the key of a preset, for a cookie of this name\n      consent: ga\n", "# unsure: read from \"6 mois, puis 13 mois si vous acceptez\"\n      duration: 13 mois", "name: [VISITOR_INFO1_LIVE, YSC]", "category: third_party", "purpose: \"\"", "category: \"\""},
			[]string{`VISITOR_INFO1_LIVE et YSC: cannot be read: "variable"`, "odd: the table gives no purpose", "odd: the table tells no category", "_ga: the key of a preset, for a cookie of this name", "6 rows, 7 doubts"},
			nil,
		},
		"page.md": {
			[]string{"name: session_id", "purpose: {fr: \"Stays | signed in\"}", "duration: 2 weeks", "category: third_party", "duration: session"},
			[]string{`map: read from "until the browser is closed"`, "2 rows, 1 doubt"},
			nil,
		},
		"sheet.txt": {[]string{"name: lang", "duration: 1 an", "category: first_party", "name: vid", "duration: 90 jours", "category: third_party"}, []string{"2 rows, 0 doubts"}, []string{"unsure"}},
	} {
		var drafted, report bytes.Buffer
		if err := draft.Import(&drafted, &report, folder+name, "fr"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range want.drafted {
			if !strings.Contains(drafted.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, &drafted)
			}
		}
		for _, want := range want.doubts {
			if !strings.Contains(report.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, &report)
			}
		}
		for _, unwanted := range want.unwanted {
			if strings.Contains(drafted.String(), unwanted) {
				t.Errorf("%s: %q in\n%s", name, unwanted, &drafted)
			}
		}
		// Without doubts it can be used; with what is left empty it cannot.
		path := filepath.Join(t.TempDir(), "drafted.yaml")
		if err := os.WriteFile(path, drafted.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		err := runCheck(new(bytes.Buffer), new(bytes.Buffer), []string{path}, "none", "fr")
		if isUsable := name == "sheet.txt" || name == "page.md"; isUsable != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, source := range []string{folder + "none.html", "http://127.0.0.1:1/"} {
		if err := draft.Import(new(bytes.Buffer), new(bytes.Buffer), source, "fr"); err == nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// What the page exports can be imported: its own HTML, and its Markdown.
func TestImportOwnPage(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n preset opendatasoft matomo google_analytics\n}")
	for _, query := range []string{"?flg=fr", "?flg=fr&format=markdown"} {
		var drafted, report bytes.Buffer
		if err := draft.Import(&drafted, &report, address+pagePath+query, "fr"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"name: sessionid", "name: _pk_id.<site>.<hash>", "match: _pk_id.*", "duration: 13 mois", "duration: 24 heures", "category: statistics", "Reconnaître le visiteur"} {
			if !strings.Contains(drafted.String(), want) {
				t.Errorf("%s: no %q in\n%.3000s", query, want, &drafted)
			}
		}
	}
	if err := draft.Import(new(bytes.Buffer), new(bytes.Buffer), address+pagePath+"?format=xml", "fr"); err == nil || !strings.Contains(err.Error(), "answers 400") {
		t.Errorf("%v", err)
	}
	empty := httptest.NewServer(http.NotFoundHandler())
	defer empty.Close()
	if err := draft.Import(new(bytes.Buffer), new(bytes.Buffer), empty.URL, "fr"); err == nil {
		t.Error("imports what is not there")
	}
}

// Of our own page, a row is imported with its consent key, by which answers are stored
// already.
func TestImportOwnConsentKeys(t *testing.T) {
	address := "http://" + serve(t, false, `cookie_charter {
	preset matomo
	cookie a b_* {
		provider A
		purpose "Counts"
		category statistics
		consent own.key-1
	}
	storage ph_* {
		purpose "Counts, too"
		category statistics
		consent posthog
	}
	cookie c {
		purpose "Counts as well"
		category statistics
	}
}`)
	var drafted, report bytes.Buffer
	if err := draft.Import(&drafted, &report, address+pagePath+"?flg=en", "en"); err != nil {
		t.Fatal(err)
	}
	source, err := charter.Parse(drafted.Bytes(), "draft.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "own.key-1", "ph_*": "posthog", "c": "", "_pk_id.<site>.<hash>": "matomo", "mtm_consent": ""}
	for _, row := range source.Rows {
		if key, ok := want[row.FirstName()]; ok && key != row.Consent {
			t.Errorf("%s: consent %q, want %q", row.FirstName(), row.Consent, key)
		}
		delete(want, row.FirstName())
	}
	if len(want) > 0 || strings.Contains(report.String(), "the key of a preset") {
		t.Errorf("lacks %v\n%s", want, &report)
	}
}

// What the page exports is imported as the charter that it is, as far as the format tells
// it; what it does not tell for sure is doubted.
func TestImportOwnExports(t *testing.T) {
	address := "http://" + serve(t, false, exportedSite)
	load := func(name, content string) []charter.Row {
		source, err := charter.Parse([]byte(content), name)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, content)
		}
		return source.Rows
	}
	_, exported := get(t, address+pagePath+"?format=json", nil)
	want := load("charter.json", exported)
	byPattern := map[string]charter.Row{}
	for _, row := range want {
		for _, pattern := range row.Patterns() {
			byPattern[pattern] = row
		}
	}
	byName := map[string]charter.Row{}
	for _, row := range want {
		byName[row.FirstName()] = row
	}
	for _, language := range page.Languages {
		for _, format := range []string{"json", "html", "markdown"} {
			query := "?flg=" + language
			if format != "html" {
				query += "&format=" + format
			}
			var drafted, report bytes.Buffer
			if err := draft.Import(&drafted, &report, address+pagePath+query, language); err != nil {
				t.Fatal(err)
			}
			rows := load("draft.yaml", drafted.String())
			if len(rows) != len(want) {
				t.Errorf("%s in %s: %d rows, want %d\n%s", format, language, len(rows), len(want), &report)
			}
			for _, row := range rows {
				declared, ok := byName[row.FirstName()]
				if !ok {
					t.Errorf("%s in %s: no row %q", format, language, row.FirstName())
					continue
				}
				lifetime, _ := charter.ParseDuration(row.Duration)
				wanted, _ := charter.ParseDuration(declared.Duration)
				// What the filter matches beside the names is not on the page.
				isTold := format == "json" || len(declared.Patterns()) == len(declared.Name)
				if isTold && !slices.Equal(row.Patterns(), declared.Patterns()) || !slices.Equal(row.Host, declared.Host) || !slices.Equal(row.Storage, declared.Storage) || row.Category != declared.Category || row.Consent != declared.Consent || !slices.Equal(row.Country, declared.Country) || row.Exempt != declared.Exempt || lifetime.Seconds() != wanted.Seconds() {
					t.Errorf("%s in %s: %+v, want %+v", format, language, row.Cookie, declared.Cookie)
				}
				link, _ := url.PathUnescape(row.Policy.In(language, ""))
				if link != declared.Policy.In(language, "") {
					t.Errorf("%s in %s: policy %v, want %v", format, language, row.Policy, declared.Policy)
				}
				for _, field := range charter.TextFields {
					got, of := *charter.Fields.Find(field).Of(&row.Cookie).(*charter.Text), *charter.Fields.Find(field).Of(&declared.Cookie).(*charter.Text)
					if got.In(language, "fr", "en") != of.In(language, "fr", "en") && !strings.Contains(report.String(), row.FirstName()) {
						t.Errorf("%s in %s: %s %q of %q, want %q", format, language, field, got.In(language), row.Name, of.In(language))
					}
				}
				if len(row.Name) == 0 && strings.Contains(report.String(), row.FirstName()) {
					t.Errorf("%s in %s: a row without cookies is doubted: %s", format, language, &report)
				}
			}
			if strings.Contains(report.String(), ": 13 ") {
				t.Errorf("%s in %s: how long cookies are kept is doubted beside stored items: %s", format, language, &report)
			}
			if !strings.HasSuffix(report.String(), "check accepts the draft\n") || format == "json" && !strings.Contains(report.String(), " 0 doubts") {
				t.Errorf("%s in %s: %s", format, language, &report)
			}
		}

		// The EDPB's format has what the filter matches, a row each, and neither services nor
		// exemptions.
		var drafted, report bytes.Buffer
		if err := draft.Import(&drafted, &report, address+pagePath+"?format=edpb&flg="+language, language); err != nil {
			t.Fatal(err)
		}
		rows := load("draft.yaml", drafted.String())
		if len(rows) != len(byPattern) {
			t.Errorf("edpb in %s: %d rows, want %d\n%s", language, len(rows), len(byPattern), &report)
		}
		for _, row := range rows {
			declared := byPattern[row.Name[0]]
			lifetime, _ := charter.ParseDuration(row.Duration)
			wanted, _ := charter.ParseDuration(declared.Duration)
			if row.Category != declared.Category || row.Consent != declared.Consent || lifetime.Seconds() != wanted.Seconds() || row.Policy.In(language, "") != declared.Policy.In(language, "") ||
				row.Purpose.In(language) != declared.Purpose.In(language, "fr", "en") || row.Provider.In(language) != declared.Provider.In(language, "fr", "en") {
				t.Errorf("edpb in %s: %+v, want %+v", language, row.Cookie, declared.Cookie)
			}
		}
	}
}

package cookiecharter

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/checks"
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
				"match: [_pk_id*, _pk_ses.*]", "category: statistics",
			},
			[]string{"Sert à quelque chose: the table names no cookie", `_pk_id#, _pk_ses.*: read from "_pk_id#, _pk_ses.*"`, "4 rows, 3 doubts"},
			[]string{"duration"},
		},
		"newer.html": {
			[]string{"name: csrftoken", "duration: 12 mois", "duration: session", "# unsure: read from \"6 mois, puis 13 mois si vous acceptez\"\n      duration: 13 mois", "name: [VISITOR_INFO1_LIVE, YSC]", "category: third_party", "purpose: \"\"", "category: \"\""},
			[]string{`VISITOR_INFO1_LIVE et YSC: cannot be read: "variable"`, "odd: the table gives no purpose", "odd: the table tells no category", "5 rows, 4 doubts"},
			nil,
		},
		"page.md": {
			[]string{"name: session_id", "purpose: {fr: \"Stays | signed in\"}", "duration: 2 weeks", "category: third_party", "duration: session"},
			[]string{`map: read from "until the browser is closed"`, "2 rows, 1 doubts"},
			nil,
		},
		"sheet.txt": {[]string{"name: lang", "duration: 1 an", "category: first_party", "name: vid", "duration: 90 jours", "category: third_party"}, []string{"2 rows, 0 doubts"}, []string{"unsure"}},
	} {
		var drafted, report bytes.Buffer
		if err := importPage(&drafted, &report, folder+name, "fr"); err != nil {
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
		_, err := runCheck(new(bytes.Buffer), new(bytes.Buffer), []string{path}, "none", "fr")
		if isUsable := name == "sheet.txt" || name == "page.md"; isUsable != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, source := range []string{folder + "none.html", "http://127.0.0.1:1/"} {
		if err := importPage(new(bytes.Buffer), new(bytes.Buffer), source, "fr"); err == nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// A table is used, whatever its columns are called, or told of.
func TestImportOtherColumns(t *testing.T) {
	const understood = "\n\n| Nom | Finalité |\n|---|---|\n| a | p |\n"
	for header, isUsed := range map[string]bool{
		"Cookie | But | Durée": true, "Nom | Objectif": true, "Traceur | Utilisation | Durée d'utilisation": true, "Cookie | À quoi ça sert": true, "Traceur | Sert à": true,
		"Clé | Butin\u009b": false, "Nom | Note": false,
	} {
		folder := checks.WriteFiles(t, map[string]string{"page.md": "| " + header + " |\n|" + strings.Repeat("---|", strings.Count(header, "|")+1) + "\n| other | Mesure | 1 an |\n" + understood + "\n| alone |\n|---|\n| x |\n\n| one | row |\n"})
		var draft, report bytes.Buffer
		if err := importPage(&draft, &report, folder+"page.md", "fr"); err != nil {
			t.Fatal(err)
		}
		doubt := `not used: the table with the columns "` + strings.ReplaceAll(header, "\u009b", `\u009b`) + `"`
		if got := strings.Contains(draft.String(), "name: other"); got != isUsed {
			t.Errorf("%s: used is %t\n%s", header, got, &report)
		}
		if told := strings.Contains(report.String(), doubt+"\n") && strings.Contains(draft.String(), "# "+doubt+"\n"); told == isUsed || strings.Count(report.String(), "not used") > 1 {
			t.Errorf("%s: told is %t\n%s%s", header, told, &report, &draft)
		}
		if doubts := map[bool]string{true: "2 rows, 2 doubts", false: "1 rows, 2 doubts"}[isUsed]; !strings.Contains(report.String(), doubts) {
			t.Errorf("%s: no %s\n%s", header, doubts, &report)
		}
	}
}

// Tables in Markdown are read as people write them.
func TestImportMarkdown(t *testing.T) {
	const head = "| Nom | Finalité |\n|:---|---:|\n"
	columns := []string{"Nom", "Finalité"}
	table := func(heading string, cells ...string) importedTable {
		return importedTable{heading, [][]string{columns, cells}}
	}
	for page, want := range map[string][]importedTable{
		head + `| a\|b | one \| two |`:                                                             {table("", "a|b", "one | two")},
		head + "| `a\\|b\\_c` | `<x>` &amp; &lt;y&gt; &eacute; \\& |":                              {table("", "a|b_c", "<x> & <y> é &")},
		head + "| **a** | *one*, **two** and [three](https://a.example \"b\") |":                   {table("", "a", "one, two and three")},
		head + "| _pk_id.*, _pk_ses.* | not 2 * 3 |":                                               {table("", "_pk_id.*, _pk_ses.*", "not 2 * 3")},
		head + "| _ga_*; _ga_<id> | one<br/>two <b>three</b> |":                                    {table("", "_ga_*; _ga_<id>", "one; two three")},
		head + "| a | b | c |\n":                                                                   {table("", "a", "b")},
		"Nom | Finalité\n:-: | ---\na | b":                                                         {table("", "a", "b")},
		"1. list\n\n\t| Nom | Finalité |\n\t|---|---|\n\t| a | b |":                                {table("", "a", "b")},
		strings.ReplaceAll("Cookies\n===\n\n"+head+"| a | b |\n\nText.\n", "\n", "\r\n"):           {table("Cookies", "a", "b")},
		"## Third `party` #\n\nText.\n\n" + head + "| a | b |\n\n## Others\n" + head + "| c | d |": {table("Third party", "a", "b"), table("Others", "c", "d")},
		"# Cookies\n\n**Third party:**\n\n" + head + "| a | b |\n\nTo measure:\n" + head + "| c | d |\n\nThese:\n\n" + head + "| e | f |": {table("Third party:", "a", "b"), table("To measure:", "c", "d"), table("To measure:", "e", "f")},
		"## One\n\n<table><tr><th>Nom<th>Finalité\n\n    <tr><td>a<td>**b**</table>\n\n## Two\n\n" + head + "| c | d |":                   {table("One", "a", "**b**"), table("Two", "c", "d")},
		"<!--\n" + head + "| a | b |\n-->\n\n" + head + "| c | d |":                                                                       {table("", "c", "d")},
		"Nos cookies : <table><tr><th>Nom<th>Finalité<tr><td>a<td>b</table>":                                                              {table("", "a", "b")},
		"| alone |\n\n---|---\n": nil,
	} {
		if got := findTables([]byte(page)).list; !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n%q, want %q", page, got, want)
		}
	}
}

// What a hostile page in Markdown could make much of is left as it is written, or out.
func TestImportMarkdownHasBounds(t *testing.T) {
	const understood = "\n\n| Nom | Finalité |\n|---|---|\n| a | b |\n"
	for name, page := range map[string]string{
		"quotes": strings.Repeat("> ", 10_000), "lists": strings.Repeat("- ", 10_000) + strings.Repeat("\n", 10_000), "brackets": strings.Repeat("[", 100_000), "pipes": strings.Repeat("|", checks.Megabyte/2),
		"references": strings.Repeat("[a]: b\n", 10_000), "emphasis": "# " + strings.Repeat("**a", 100_000), "comments": "a" + strings.Repeat("<!--", 100_000),
	} {
		if tables := findTables([]byte(page + understood)); len(tables.list) != 1 || tables.rows != 2 || tables.isCut != (name == "pipes") {
			t.Errorf("%s: %d tables, %d rows, %t", name, len(tables.list), tables.rows, tables.isCut)
		}
	}
	row := func(cell string, count int) string { return strings.Repeat(cell+"|", count) + "\n" }
	for columns, fewest := range map[int]int{maxColumns: maxRows - 4, 2 * maxColumns: 0} {
		tables := findTables([]byte(strings.Repeat(row("a", columns)+row("-", columns)+strings.Repeat("a\n", maxRows/4)+"\n", 8)))
		if tables.rows < fewest || tables.rows > fewest+4 {
			t.Errorf("%d columns: %d rows", columns, tables.rows)
		}
	}
	for length, want := range map[int]string{maxMarkdownText: "a", maxMarkdownText + 1: "**a**"} {
		cell := "**a**" + strings.Repeat("<br>", length/4) + strings.Repeat("b", length)
		if got := findTables([]byte(understood + "|" + cell[:length] + "|b|")).list[0].rows[2][0]; !strings.HasPrefix(got, want) {
			t.Errorf("%d bytes: %.20s", length, got)
		}
	}
	if tables := findTables([]byte(understood + strings.Repeat("\n", maxMarkdown) + understood)); !tables.isCut || len(tables.list) != 1 {
		t.Errorf("%d tables, %t", len(tables.list), tables.isCut)
	}
}

// Rows above the header of a sheet are told of, too, wherever it has empty lines.
func TestImportRowsAboveHeader(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{"sheet.txt": "Clé\tNote\nx\ty\n\nNom\tFinalité\n\na\tMesure\n"})
	var draft, report bytes.Buffer
	if err := importPage(&draft, &report, folder+"sheet.txt", "fr"); err != nil || !strings.Contains(draft.String(), "name: a\n") || !strings.Contains(report.String(), `not used: the table with the columns "Clé | Note"`) {
		t.Errorf("%v\n%s%s", err, &report, &draft)
	}
}

// What the page exports can be imported: its own HTML, and its Markdown.
func TestImportOwnPage(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n preset opendatasoft matomo google_analytics\n}")
	for _, query := range []string{"?flg=fr", "?flg=fr&format=markdown"} {
		var drafted, report bytes.Buffer
		if err := importPage(&drafted, &report, address+pagePath+query, "fr"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"name: sessionid", "name: _pk_id.<site>.<hash>", "match: _pk_id.*", "duration: 13 mois", "duration: 24 heures", "category: statistics", "Reconnaît un visiteur"} {
			if !strings.Contains(drafted.String(), want) {
				t.Errorf("%s: no %q in\n%.3000s", query, want, &drafted)
			}
		}
	}
	if err := importPage(new(bytes.Buffer), new(bytes.Buffer), address+pagePath+"?format=xml", "fr"); err == nil || !strings.Contains(err.Error(), "answers 400") {
		t.Errorf("%v", err)
	}
	empty := httptest.NewServer(http.NotFoundHandler())
	defer empty.Close()
	if err := importPage(new(bytes.Buffer), new(bytes.Buffer), empty.URL, "fr"); err == nil {
		t.Error("imports what is not there")
	}
}

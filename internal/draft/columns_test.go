package draft

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// importText imports a text, and returns what it drafts and reports.
func importText(t *testing.T, page string) (draft, report string) {
	t.Helper()
	folder := checks.WriteFiles(t, map[string]string{"page.txt": page})
	var out, doubts bytes.Buffer
	if err := Import(&out, &doubts, folder+"page.txt", "fr"); err != nil {
		t.Fatalf("%v\n%s", err, &doubts)
	}
	return out.String(), doubts.String()
}

// The plain text of a portal's page, with a provider's name before the cookies' names:
// once as lines, once with a line drawn below the header, and with one cookie alone.
func TestImportPlainText(t *testing.T) {
	const head = "\n\nNos cookies\n\nUn cookie est un fichier.\n\nÀ quoi servent les cookies de ce site\n\n"
	const heading = "Cookies nécessaires au portail / cookies fonctionnels\n\n"
	const columns = "Nom du prestataire\tService et emplacement\tNom du cookies\tFinalités\n"
	const line = "------------------\t-----------\t----\t----\n\n"
	const rows = "Portail\tConnexion (front et back office)\tsessionid\tGarde la session d'une page à l'autre.\n\nPortail\tLangue (front et back office)\tdjango_language\tRetient la langue\nPortail\tChoix des cookies\tpreferences\tRetient les choix faits\n"
	for name, page := range map[string]string{"lines": head + heading + columns + rows, "drawn": head + "<https://portal.example>\n\n" + heading + columns + line + rows} {
		draft, report := importText(t, page)
		for _, want := range []string{
			"    - name: sessionid\n      provider: {fr: \"Portail\"}\n      service: {fr: \"Connexion (front et back office)\"}\n      purpose: {fr: \"Garde la session d'une page à l'autre.\"}\n      # unsure: read from \"Cookies nécessaires au portail / cookies fonctionnels\"\n      category: necessary\n",
			"name: django_language", "name: preferences",
		} {
			if !strings.Contains(draft, want) {
				t.Errorf("%s: no %q in\n%s", name, want, draft)
			}
		}
		if !strings.HasSuffix(report, "3 rows, 3 doubts, each marked in the draft by a comment; check accepts the draft\n") || strings.Count(draft, "unsure") != 3 || strings.Contains(draft, "---") {
			t.Errorf("%s: %s%s", name, report, draft)
		}
	}
	if draft, report := importText(t, head+"Cookies nécessaires\n"+columns+"Portail\tConnexion\tsid\tGarde la session\n"); !strings.Contains(draft, "name: sid\n") || !strings.Contains(report, "1 row, 0 doubts") {
		t.Errorf("%s%s", report, draft)
	}
	// A sentence is no heading.
	if draft, report := importText(t, strings.Repeat("Les cookies nécessaires. ", 10)+"\n"+columns+rows); !strings.Contains(draft, `category: ""`) || !strings.Contains(report, "check refuses the draft, for 3 mistakes") {
		t.Errorf("%s%s", report, draft)
	}
}

// Columns are found by what stands in them where their headers do not tell, and that is
// doubted.
func TestFindColumnsByContent(t *testing.T) {
	for name, test := range map[string]struct {
		rows   []string
		want   map[string]int
		header int
		doubts int
	}{
		"header":              {[]string{"Nom du cookie|Finalité", "lang|Langue"}, map[string]int{"name": 0, "purpose": 1}, 0, 0},
		"cookies of platform": {[]string{"Nom de la plateforme|Nom du cookie|Finalité", "Portail|sid|Garde"}, map[string]int{"name": 1, "purpose": 2}, 0, 1},
		"not used":            {[]string{"Nom|Domaine|Finalité", "sid|.ys.example|Garde"}, map[string]int{"name": 0, "purpose": 2}, 0, 1},
		"empty":               {[]string{"Nom|Domaine|Finalité", "sid|–|Garde"}, map[string]int{"name": 0, "purpose": 2}, 0, 0},
		"wrong name": {
			[]string{"Nom|Outil|Finalité", "Portail|_pk_id.*|Compte", "Portail|_pk_ses.*|Compte"},
			map[string]int{"provider": 0, "name": 1, "purpose": 2},
			0, 2,
		},
		"same names": {[]string{"Nom|Finalité", "Portail|Retient la langue", "Portail|Retient le choix"}, map[string]int{"name": 0, "purpose": 1}, 0, 1},
		"unknown header": {
			[]string{"A|B|C|D", "Portail|sessionid|Garde la session ouverte|1 an", "Portail|_ga_<id>|Compte toutes les visites|13 mois"},
			map[string]int{"provider": 0, "name": 1, "purpose": 2, "duration": 3},
			0, 4,
		},
		"no header": {
			[]string{"Portail|session_id|Garde la session ouverte", "Portail|_ga_#|Compte toutes les visites"},
			map[string]int{"provider": 0, "name": 1, "purpose": 2},
			-1, 3,
		},
		"category": {[]string{"X|Nom|Finalité", "Nécessaire|sid|Garde", "Statistiques|pk|Compte"}, map[string]int{"category": 0, "name": 1, "purpose": 2}, 0, 1},
		"provider is no name": {
			[]string{"Prestataire|Nom|Finalité", "LinkedIn_2|le cookie du réseau|Partage", "X_1|le cookie de l'autre|Partage"},
			map[string]int{"provider": 0, "name": 1, "purpose": 2},
			0, 0,
		},
		"numbers are no names": {[]string{"N°|Clé|Description", "1|lang|Retient la langue", "2|vid|Retient la vidéo"}, nil, -1, 0},
		"words":                {[]string{"A|B", "one|some words of it", "two|some words of that"}, nil, -1, 0},
		"durations":            {[]string{"A|B", "13mois|some words of it", "1an|some words of that"}, nil, -1, 0},
	} {
		var rows [][]string
		for _, row := range test.rows {
			rows = append(rows, strings.Split(row, "|"))
		}
		columns, header, _ := findColumns(rows)
		if columns == nil {
			columns = new(tableColumns)
		}
		if fmt.Sprint(columns.of) != fmt.Sprint(test.want) || header != test.header || len(columns.doubts) != test.doubts {
			t.Errorf("%s: %v, header %d, %q", name, columns.of, header, columns.doubts)
		}
	}
}

// What is found by content is marked in the draft.
func TestImportByContent(t *testing.T) {
	draft, report := importText(t, "Cookies internes\nA\tB\nsession_id\tGarde la session ouverte\nlang_id\tRetient la langue choisie\n")
	if _, report := importText(t, "Cookies internes\nNom\tDomaine\tFinalité\nsid\t.ys.example\tGarde la session ouverte\n"); !strings.Contains(report, `a table: the column "Domaine" is not used`) {
		t.Error(report)
	}
	if strings.Count(draft, "# unsure: of this table, the column") != 2 || !strings.Contains(report, `a table: the column "A" is taken for the name by what stands in it`) || !strings.Contains(report, "2 rows, 2 doubts") {
		t.Errorf("%s%s", report, draft)
	}
}

// Headers of real pages, in each language of the page.
func TestReadHeader(t *testing.T) {
	for header, want := range map[string]string{
		"Nom du prestataire|Service et emplacement|Nom du cookies|Finalités":         "provider service name purpose",
		"Name des Cookies|Anbieter|Zweck|Speicherdauer|Art":                          "name provider purpose duration category",
		"Cookie|Domain|Beschreibung|Laufzeit":                                        "name - purpose duration",
		"Nombre de la cookie|Proveedor|Finalidad|Duración|Tipo":                      "name provider purpose duration category",
		"Nom de la galeta|Proveïdor|Descripció|Caducitat":                            "name provider purpose duration",
		"Nome do cookie|Fornecedor|Descrição|Prazo":                                  "name provider purpose duration",
		"Nome del cookie|Fornitore|Scopo|Scadenza|Tipologia":                         "name provider purpose duration category",
		"Cookiearen izena|Hornitzailea|Helburua|Iraungitzea|Mota":                    "name provider purpose duration category",
		"Naam van de cookie|Aanbieder|Doel|Bewaartermijn|Soort":                      "name provider purpose duration category",
		"Kakans namn|Leverantör|Syfte|Lagringstid":                                   "name provider purpose duration",
		"اسم ملف تعريف الارتباط|المزود|الغرض|مدة الصلاحية|النوع":                     "name provider purpose duration category",
		"Cookie name|Issuer|Description|Expires|Category":                            "name provider purpose duration category",
		"Traceur|Éditeur|À quoi sert-il ?|Durée de vie|Catégorie":                    "name provider purpose duration category",
		"Type de cookie|Nom du cookie|Durée de conservation du cookie|Objet|Société": "category name duration purpose provider",
	} {
		columns := readHeader(strings.Split(header, "|"))
		for i, column := range strings.Fields(want) {
			if at, ok := columns[column]; column != "-" && (!ok || at != i) {
				t.Errorf("%s: %v", header, columns)
			}
		}
	}
}

// The page's own words, in each of its languages, are read as they are meant.
func TestOwnWords(t *testing.T) {
	files, err := filepath.Glob("../page/languages/*.yaml")
	if err != nil || len(files) != 11 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		var texts struct {
			Columns   map[string]string
			Exempt    string
			Countries string
			Durations map[string]map[string]string
			Kinds     map[charter.Category]struct{ Name string }
		}
		content, err := os.ReadFile(file)
		if err == nil {
			err = yaml.Unmarshal(content, &texts)
		}
		if err != nil {
			t.Fatal(err)
		}
		header := []string{texts.Columns["provider"], texts.Columns["service"], texts.Columns["name"], texts.Columns["purpose"], texts.Columns["duration"]}
		columns, _, _ := findColumns([][]string{header, {"Us", "Sign in", "sid", "Stays signed in", "1 h"}})
		if columns == nil || fmt.Sprint(columns.of) != "map[duration:4 name:2 provider:0 purpose:3 service:1]" || columns.isShared || len(columns.doubts) > 0 {
			t.Errorf("%s: %q: %+v", file, header, columns)
		}
		if !slices.Contains(exemptTexts, strings.Join(strings.Fields(texts.Exempt), " ")) {
			t.Errorf("%s: %q is not known", file, texts.Exempt)
		}
		written := strings.Join(strings.Fields(fmt.Sprintf("Us; "+texts.Countries, "A, B")), " ")
		if rest, countries := cutCountries(written); rest != "Us" || countries != "A, B" {
			t.Errorf("%s: %q is read as %q and %q", file, written, rest, countries)
		}
		for category, kind := range texts.Kinds {
			if found := findCategory(kind.Name); found.category != category || found.doubt != "" {
				t.Errorf("%s: %q is read as %v", file, kind.Name, found)
			}
		}
		for unit, forms := range texts.Durations {
			for form, text := range forms {
				count := map[string]int{"one": 1, "two": 2, "few": 3}[form]
				if count == 0 {
					count = 13
				}
				want := charter.Duration{Count: count, Unit: unit}
				if unit == charter.Session {
					want.Count = 0
				}
				if form == "zero" {
					continue
				}
				written := strings.ReplaceAll(text, "%d", fmt.Sprint(count))
				found, isCertain := charter.FindDuration(written)
				read, err := charter.ParseDuration(found)
				if err != nil || !isCertain || read.Seconds() != want.Seconds() {
					t.Errorf("%s: %q is read as %q, %t", file, written, found, isCertain)
				}
			}
		}
	}
}

// What can mean two things is doubted.
func TestFindCategory(t *testing.T) {
	for text, want := range map[string]foundCategory{
		"Cookies strictement nécessaires":   {charter.Necessary, ""},
		"Cookies non nécessaires":           {},
		"Not strictly necessary":            {},
		"Cookies techniques":                {charter.Necessary, `read from "Cookies techniques"`},
		"Cookies statistiques tiers":        {charter.Statistics, `read from "Cookies statistiques tiers"`},
		"Cookies publicitaires":             {charter.ThirdParty, `read from "Cookies publicitaires"`},
		"Cookies fonctionnels, nécessaires": {charter.Necessary, `read from "Cookies fonctionnels, nécessaires"`},
		"Charte":                            {},
	} {
		if got := findCategory(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A draft that check refuses is not called fine: what check says of each row is listed,
// up to a bound.
func TestImportTellsWhatCheckSays(t *testing.T) {
	_, report := importText(t, "Cookies internes\nNom\tFinalité\na\tRetient\na\tCompte\nb\t\u009bMesure\n")
	if !strings.Contains(report, `check refuses: cookie "a" is declared twice; remove one of the two, at draft:`) || !strings.Contains(report, "check refuses the draft, for ") {
		t.Error(report)
	}
	_, report = importText(t, "Nom\tFinalité\n"+strings.Repeat("a\tRetient\n", 50))
	if strings.Count(report, "check refuses: ") != maxMistakes+1 || !strings.Contains(report, "check refuses: 30 more\n") || !strings.Contains(report, "for 50 mistakes") {
		t.Error(report)
	}
}

// What is a charter already is drafted as it is.
func TestImportCharter(t *testing.T) {
	const want = "site_name: Ys\npolicy:\n    en: /privacy/\n    fr: /vie-privee/\nlanguages:\n    - fr\n    - en\nupdated: 2026-11-21\ncookies:\n    - name:\n        - a_<id>\n        - b\n      match:\n        - a_*\n        - b\n      provider: Us\n      purpose:\n        en: To see\n        fr: Voir\n      category: statistics\n      exempt: true\n      duration: 13 months\n"
	const row = `"name":["a_<id>","b"],"match":["a_*","b"],"provider":"Us","purpose":{"fr":"Voir","en":"To see"},"category":"statistics","exempt":true,"duration":"13 months"`
	for _, page := range []string{`{"$schema":"s","version":"v","module":"m","site_name":"Ys","policy":{"fr":"/vie-privee/","en":"/privacy/"},"languages":["fr","en"],"updated":"2026-11-21","cookies":[{` + row + `}]}`, "\ufeff" + want} {
		draft, report := importText(t, page)
		if draft != want || report != "1 row, 0 doubts; check accepts the draft\n" {
			t.Errorf("%s\n%s%s", page, report, draft)
		}
	}
	for _, page := range []string{"{}", `{"cookies":[{"name":"a","wrong":1}]}`, `{"cookies":` + strings.Repeat("[", maxCharter) + `}`, `{"cookies":[` + strings.Repeat(" ", maxCharter) + `]}`, "cookies:\n- a\n"} {
		folder := checks.WriteFiles(t, map[string]string{"page": page})
		if err := Import(new(bytes.Buffer), new(bytes.Buffer), folder+"page", "fr"); err == nil {
			t.Errorf("%.60s: no error", page)
		}
	}
	// A page can have such a line.
	if draft, _ := importText(t, "cookies:\n\nNom\tFinalité\na\tRetient\n"); !strings.Contains(draft, "name: a\n") {
		t.Error(draft)
	}
}

// A cell of provider and service is split where it is two lines, and doubted else.
func TestSplitProvider(t *testing.T) {
	for text, want := range map[string][3]string{
		"Us; Sign in": {"Us", "Sign in", ""},
		"Us, Sign in": {"Us", "Sign in", `provider and service are read from "Us, Sign in"`},
		"Us":          {"Us", "", "it may be the service: the column is for both"},
	} {
		provider, service, doubt := splitProvider(text)
		if got := [3]string{provider, service, doubt}; got != want {
			t.Errorf("%q", got)
		}
	}
}

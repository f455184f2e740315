package draft

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// A table is used, whatever its columns are called, or told of.
func TestImportOtherColumns(t *testing.T) {
	const understood = "\n\n| Nom | Finalité |\n|---|---|\n| a | p |\n"
	for header, isUsed := range map[string]bool{
		"Cookie | But | Durée": true, "Nom | Objectif": true, "Traceur | Utilisation | Durée d'utilisation": true, "Cookie | À quoi ça sert": true, "Traceur | Sert à": true,
		"Clé | Butin\u009b": false, "Nom | Note": false,
	} {
		folder := checks.WriteFiles(t, map[string]string{"page.md": "| " + header + " |\n|" + strings.Repeat("---|", strings.Count(header, "|")+1) + "\n| other | Mesure | 1 an |\n" + understood + "\n| alone |\n|---|\n| x |\n\n| one | row |\n"})
		var draft, report bytes.Buffer
		if err := Import(&draft, &report, folder+"page.md", "fr"); err != nil {
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
	if err := Import(&draft, &report, folder+"sheet.txt", "fr"); err != nil || !strings.Contains(draft.String(), "name: a\n") || !strings.Contains(report.String(), `not used: the table with the columns "Clé | Note"`) {
		t.Errorf("%v\n%s%s", err, &report, &draft)
	}
}

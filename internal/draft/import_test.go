package draft

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
)

// Durations of charter files and of imported pages are read alike, and what an import
// writes a charter file reads.
func TestFindDuration(t *testing.T) {
	for _, test := range []struct {
		text, found string
		isCertain   bool
	}{
		{"90 j", "90 j", true},
		{"7d", "7d", true},
		{"30 mn", "30 mn", true},
		{" 13 mois. ", "13 mois", true},
		{"fin de session", "session", true},
		{"Session", "session", true},
		{"13\u00a0mois", "13\u00a0mois", true},
		{"6 mois, puis 13 mois si vous acceptez", "13 mois", false},
		{"90 j maximum", "90 j", false},
		{"2 pages, 30mn", "30mn", false},
		{"until the browser is closed", "session", false},
		{"session (30 minutes)", "session", false},
		{"Permanent", "", false},
		{"1 moons", "", false},
		{"", "", false},
	} {
		found, isCertain := charter.FindDuration(test.text)
		if found != test.found || isCertain != test.isCertain {
			t.Errorf("%q: %q, %t", test.text, found, isCertain)
		}
		if _, err := charter.ParseDuration(found); found != "" && err != nil {
			t.Errorf("%q: a charter file does not read %q", test.text, found)
		}
		imported := importRow(func(column string) string {
			return map[string]string{"name": "a", "purpose": "p", "duration": test.text}[column]
		}, false, foundCategory{category: charter.Necessary}, "fr", codesIn("fr"))
		if encoded, err := yaml.Marshal(imported.node); err != nil || test.found != "" && !strings.Contains(string(encoded), "duration: "+test.found) && !strings.Contains(string(encoded), "\\") {
			t.Errorf("%q: %v, %s", test.text, err, encoded)
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
		if doubts := map[bool]string{true: "2 rows, 2 doubts", false: "1 row, 2 doubts"}[isUsed]; !strings.Contains(report.String(), doubts) {
			t.Errorf("%s: no %s\n%s", header, doubts, &report)
		}
	}
}

// Tables in Markdown are read as people write them.
func TestImportMarkdown(t *testing.T) {
	const head = "| Nom | Finalité |\n|:---|---:|\n"
	columns := []string{"Nom", "Finalité"}
	table := func(heading string, cells ...string) pageTable {
		return pageTable{heading: heading, rows: [][]string{columns, cells}}
	}
	for page, want := range map[string][]pageTable{
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
		got := findTables([]byte(page)).list
		for i := range got {
			got[i].links, got[i].consents = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
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

// importAll imports a page of a server, and returns what it drafts and reports.
func importAll(t *testing.T, page string) (draft, report string, err error) {
	t.Helper()
	address := checks.Hostile(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
	var out, doubts bytes.Buffer
	err = Import(&out, &doubts, address, "fr")
	return out.String(), doubts.String(), err
}

// An import reads as much of a page as it says, whatever that is, and says what it
// has not read.
func TestImportHasBounds(t *testing.T) {
	header := "<table><tr><th>Name<th>Purpose"
	rows := header + strings.Repeat("<tr><td>a<td>b", 8*checks.Megabyte/14)
	used := checks.Peak(func() {
		draft, report, err := importAll(t, rows)
		if err != nil || strings.Count(draft, "name: a\n") != maxRows-1 || !strings.Contains(report, "not looked at: rows after the first 10000") {
			t.Errorf("%d rows, %v, %.300s", strings.Count(draft, "name: a\n"), err, report)
		}
	})
	if used > 512*checks.Megabyte {
		t.Errorf("8 MB of rows take %d MB", used/checks.Megabyte)
	}
	for name, page := range map[string]string{
		"nothing but rows": "<table>" + strings.Repeat("<tr>", checks.Megabyte/2),
		"rows without end": "<table>" + strings.Repeat("<tr><td>a<td>b", 2*checks.Megabyte/14),
		"cells":            header + "<tr>" + strings.Repeat("<td>", checks.Megabyte/2),
		"nested tables":    header + strings.Repeat("<tr><td><table>", 2*checks.Megabyte/15),
		"open elements":    header + strings.Repeat("<b><p>", 2*checks.Megabyte/6),
		"names in one row": header + "<tr><td>" + strings.Repeat("a,b;c,", checks.Megabyte/3) + "<td>b",
		"many names":       header + "<tr><td>" + checks.ManyNames(200_000) + "<td>b",
		"lines":            "| Name | Purpose |\n|---|---|\n" + strings.Repeat("| a | b |\n", 2*checks.Megabyte/10),
		"one line":         "| Name | Purpose |\n|---|---|\n|" + strings.Repeat("a|", checks.Megabyte-20),
	} {
		if used := checks.Peak(func() { _, _, _ = importAll(t, page) }); used > 256*checks.Megabyte {
			t.Errorf("%s take %d MB", name, used/checks.Megabyte)
		}
	}
	if _, report, err := importAll(t, header+"<tr><td>a<td>b</table>"+strings.Repeat(" ", maxImport)); err != nil || !strings.Contains(report, "not looked at: what comes after the first 8388608 bytes") {
		t.Errorf("%v, %s", err, report)
	}
	if draft, report, err := importAll(t, header+"<tr><td>"+checks.ManyNames(maxNamesOfRow+2)+"<td>b"); err != nil || !strings.Contains(draft, `"63", '64,65,']`) || !strings.Contains(report, "is no cookie name") {
		t.Errorf("%v, %s, %s", err, report, draft)
	}
	if draft, report, err := importAll(t, header+"<tr>"+strings.Repeat("<td>x", maxColumns+1)); err != nil || !strings.Contains(report, "cells after the first 100") {
		t.Errorf("%v, %s, %s", err, report, draft)
	}
}

// An answer that does not end is read up to its bound.
func TestSourcesHaveBounds(t *testing.T) {
	address := checks.Hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 512 {
			if _, err := w.Write(bytes.Repeat([]byte(" "), checks.Megabyte)); err != nil {
				return
			}
		}
	})
	used := checks.Peak(func() {
		content, isWhole, err := fetch.ReadSource(address, maxImport)
		if len(content) != maxImport || isWhole || err != nil {
			t.Errorf("%d, %t, %v", len(content), isWhole, err)
		}
	})
	if used > 128*checks.Megabyte {
		t.Errorf("takes %d MB", used/checks.Megabyte)
	}
	tables := findTables([]byte("<table><tr>" + strings.Repeat("<td>x", 2*maxColumns) + "<tr><td>y"))
	if rows := tables.last().rows; !tables.isCut || len(rows) != 2 || len(rows[0]) != maxColumns {
		t.Errorf("%t, %q", tables.isCut, rows)
	}
}

// What a table costs grows as its bytes do.
func TestImportIsLinear(t *testing.T) {
	header := "<table><tr><th>Name<th>Purpose"
	codesOf := codesIn("fr")
	for name, page := range map[string]func(size int) string{
		"rows":   func(size int) string { return "<table>" + strings.Repeat("<tr><td>a<td>b", size/14) },
		"nested": func(size int) string { return header + strings.Repeat("<tr><td><table>", size/15) },
		"names":  func(size int) string { return header + "<tr><td>" + checks.ManyNames(size/6) + "<td>b" },
		"lines": func(size int) string {
			return "| Name | Purpose |\n|---|---|\n" + strings.Repeat("| a | b |\n", size/10)
		},
	} {
		checks.Linear(t, name, 4<<10, func(size int) {
			for _, table := range findTables([]byte(page(size))).list {
				_, _, body := findColumns(table.rows)
				for _, cells := range body {
					importRow(func(string) string { return cells[0] }, false, foundCategory{}, "fr", codesOf)
				}
			}
		})
	}
}

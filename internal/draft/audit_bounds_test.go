package draft

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
)

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

// manyNames returns names that differ, each of few bytes.
// What a table costs grows as its bytes do.
func TestImportIsLinear(t *testing.T) {
	header := "<table><tr><th>Name<th>Purpose"
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
				_, body := findColumns(table.rows)
				for _, cells := range body {
					importRow(func(string) string { return cells[0] }, "", "fr")
				}
			}
		})
	}
}

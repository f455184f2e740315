package cookiecharter

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"gopkg.in/yaml.v3"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

const (
	// maxImport is how much of a page is read, in bytes.
	maxImport = 8 << 20

	importTimeout = 30 * time.Second
)

// An importedTable is a table of a charter page that people wrote.
type importedTable struct {
	heading string // above it: often the category
	rows    [][]string
}

// runImport drafts a charter file from an existing charter page. What is unsure
// is marked in the draft, and listed in report.
func runImport(out, report io.Writer, source, language string) (int, error) {
	content, err := readSource(source)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	tables := findTables(content)
	rows := &yaml.Node{Kind: yaml.SequenceNode}
	unsure := 0
	for _, table := range tables {
		columns, body := findColumns(table.rows)
		if columns == nil {
			continue
		}
		category := findCategory(table.heading)
		for _, cells := range body {
			cell := func(column string) string {
				if i, ok := columns[column]; ok && i < len(cells) {
					return cells[i]
				}
				return ""
			}
			imported := importRow(cell, category, language)
			if imported == nil {
				category = cmp.Or(findCategory(strings.Join(cells, " ")), category)
				continue
			}
			rows.Content = append(rows.Content, imported.node)
			for _, doubt := range imported.doubts {
				unsure++
				fmt.Fprintf(report, "%s: %s\n", imported.name, doubt)
			}
		}
	}
	if len(rows.Content) == 0 {
		return caddy.ExitCodeFailedStartup, fmt.Errorf("%s has no table with cookies; there have to be columns for a name and a purpose", source)
	}
	document := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "cookies"}, rows}}
	encoded, err := yaml.Marshal(document)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if _, err := out.Write(encoded); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	fmt.Fprintf(report, "%d rows, %d doubts, each marked in the draft by a comment\n", len(rows.Content), unsure)
	return caddy.ExitCodeSuccess, nil
}

// readSource reads a file, or the page at a URL.
func readSource(source string) ([]byte, error) {
	if !isURL(source) {
		return os.ReadFile(source) //nolint:gosec // the operator names it
	}
	client := &http.Client{Timeout: importTimeout}
	response, err := client.Get(source) //nolint:noctx // the client has a time limit
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", source, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxImport))
}

func isURL(source string) bool {
	return strings.HasPrefix(source, "https://") || strings.HasPrefix(source, "http://")
}

// findTables returns the tables in HTML, in Markdown, or separated by tabs.
func findTables(content []byte) []importedTable {
	if strings.Contains(ascii.ToLower(string(content)), "<table") {
		return findHTMLTables(content)
	}
	var tables []importedTable
	heading, isTable := "", false
	scanner := bufio.NewScanner(bytes.NewReader(content))
	scanner.Buffer(nil, maxImport)
	for scanner.Scan() {
		line := strings.TrimRight(scanner.Text(), " \r")
		var cells []string
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "|"):
			line = strings.ReplaceAll(strings.Trim(strings.TrimSpace(line), "|"), `\|`, "\x00")
			for cell := range strings.SplitSeq(line, "|") {
				cells = append(cells, markdownUnescape.Replace(strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|")))
			}
		case strings.Contains(line, "\t"):
			for cell := range strings.SplitSeq(line, "\t") {
				cells = append(cells, strings.TrimSpace(cell))
			}
		default:
			if line != "" {
				heading, isTable = strings.TrimLeft(line, "# "), false
			}
			continue
		}
		if !isTable {
			tables, isTable = append(tables, importedTable{heading: heading}), true
		}
		if strings.Trim(strings.Join(cells, ""), "-: ") != "" {
			last := &tables[len(tables)-1]
			last.rows = append(last.rows, cells)
		}
	}
	return tables
}

var markdownUnescape = strings.NewReplacer(`\_`, "_", `\*`, "*", "\\`", "`", `\[`, "[", `\]`, "]", `\\`, `\`, "`", "", "**", "", "&lt;", "<", "&amp;", "&", "<br>", "; ")

func findHTMLTables(content []byte) []importedTable {
	document, err := html.Parse(bytes.NewReader(content))
	if err != nil {
		return nil
	}
	var tables []importedTable
	heading := ""
	for node := range document.Descendants() {
		switch tag := tagOf(node); tag {
		case "h1", "h2", "h3", "h4", "h5", "h6", "caption":
			heading = textOf(node)
			if tag == "caption" && len(tables) > 0 {
				tables[len(tables)-1].heading = heading
			}
		case "table":
			tables = append(tables, importedTable{heading: heading})
		case "tr":
			if len(tables) == 0 {
				continue
			}
			var cells []string
			for cell := range node.ChildNodes() {
				if tag := tagOf(cell); tag == "td" || tag == "th" {
					cells = append(cells, textOf(cell))
				}
			}
			last := &tables[len(tables)-1]
			last.rows = append(last.rows, cells)
		}
	}
	return tables
}

// tagOf returns the name of an element, "" of what is none.
func tagOf(node *html.Node) string {
	if node.Type != html.ElementNode {
		return ""
	}
	return node.Data
}

// textOf returns the text of a node on one line; line breaks are told by ";".
func textOf(node *html.Node) string {
	var text strings.Builder
	for inner := range node.Descendants() {
		switch {
		case inner.Type == html.TextNode:
			text.WriteString(inner.Data)
		case slices.Contains([]string{"br", "p", "li", "div"}, tagOf(inner)):
			text.WriteString(" ; ")
		}
	}
	parts := strings.FieldsFunc(strings.ReplaceAll(text.String(), " ; ", "\x00"), func(char rune) bool { return char == 0 })
	for i, part := range parts {
		parts[i] = strings.Join(strings.Fields(part), " ")
	}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "; ")
}

// columnWords are what columns are called in French and English.
var columnWords = []struct{ column, words string }{
	{"duration", `dur[ée]e|conservation|validit[ée]|duration|expir|lifetime|retention`},
	{"purpose", `finalit|fonction|description|utilit|objet|purpose|function|r[ôo]le|usage`},
	{"category", `cat[ée]gorie|category|type|nature`},
	{"provider", `fournisseur|[ée]metteur|[ée]diteur|provider|supplier|issuer|soci[ée]t[ée]`},
	{"service", `service|emplacement|location`},
	{"name", `nom|name|cookie`},
}

// findColumns returns the column of each field, from the table's header, and the
// rows below it; nil if there are no columns for names and purposes.
func findColumns(rows [][]string) (columns map[string]int, body [][]string) {
	for i, cells := range rows {
		columns = map[string]int{}
		for _, known := range columnWords {
			for j, cell := range cells {
				taken := false
				for _, column := range columns {
					taken = taken || column == j
				}
				if _, found := columns[known.column]; !found && !taken && len(cell) < 60 && regexp.MustCompile(`(?i)`+known.words).MatchString(cell) {
					columns[known.column] = j
				}
			}
		}
		_, hasName := columns["name"]
		_, hasPurpose := columns["purpose"]
		if hasName && hasPurpose && len(cells) > 1 {
			return columns, rows[i+1:]
		}
	}
	return nil, nil
}

// findCategory returns the category that a heading or a cell speaks of.
func findCategory(text string) Category {
	for _, known := range []struct {
		category Category
		words    string
	}{
		{Necessary, `n[ée]cessair|necessary|essenti|techni|fonctionnement`},
		{Statistics, `statisti|audience|analyt|mesure|measure`},
		{ThirdParty, `tiers|tierce|third|r[ée]seaux sociaux|social|publicit|marketing|advert`},
		{FirstParty, `intern|first|fonctionnel|functional|pr[ée]f[ée]ren|personnali`},
	} {
		if regexp.MustCompile(`(?i)` + known.words).MatchString(text) {
			return known.category
		}
	}
	return ""
}

// An importedRow is a row of a draft, with what is unsure about it.
type importedRow struct {
	name   string
	node   *yaml.Node
	doubts []string
}

var (
	nameSeparator    = regexp.MustCompile(`\s*[;,]\s*|\s+(?:et|and|ou|or)\s+|\s*\n\s*`)
	namePlaceholder  = regexp.MustCompile(`<[^>]*>|\[[^\]]*\]|\{[^}]*\}|#|(?i:x{3,})`)
	importableColumn = []string{"provider", "service", "purpose"}
)

// importRow drafts a row from the cells of a table; it returns nil if they are
// no cookie, such as a line between the rows.
func importRow(cell func(column string) string, category Category, language string) *importedRow {
	written := cell("name")
	if strings.Trim(written, "-–— ") == "" && cell("purpose") == "" || written != "" && cell("purpose") == "" && cell("provider") == "" && cell("duration") == "" {
		return nil
	}
	imported := &importedRow{name: written, node: &yaml.Node{Kind: yaml.MappingNode}}
	add := func(key, doubt string, values ...string) {
		value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.Join(values, "")}
		if len(values) > 1 {
			value = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
			for _, each := range values {
				value.Content = append(value.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: each})
			}
		}
		name := &yaml.Node{Kind: yaml.ScalarNode, Value: key}
		if doubt != "" {
			name.HeadComment = "unsure: " + doubt
			imported.doubts = append(imported.doubts, doubt)
		}
		imported.node.Content = append(imported.node.Content, name, value)
	}

	var names, patterns []string
	doubt := ""
	for _, name := range nameSeparator.Split(written, -1) {
		name = strings.Trim(name, " \"'`.«»")
		if name == "" || slices.Contains(names, name) {
			continue
		}
		names = append(names, name)
		pattern := name
		if place := namePlaceholder.FindStringIndex(name); place != nil && place[0] > 0 {
			pattern = name[:place[0]] + "*"
		}
		if validatePattern(pattern, "") != nil {
			doubt = fmt.Sprintf("%q is no cookie name; say in match what the filter matches", name)
			continue
		}
		patterns = append(patterns, pattern)
	}
	switch {
	case len(names) == 0:
		imported.name = cell("purpose")
		add("name", "the table names no cookie", "")
	default:
		add("name", doubt, names...)
		if len(patterns) > 0 && !slices.Equal(patterns, names) {
			add("match", fmt.Sprintf("read from %q", written), patterns...)
		}
	}
	for _, column := range importableColumn {
		if text := cell(column); text != "" {
			imported.node.Content = append(imported.node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: column},
				&yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: language}, {Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}}})
		} else if column == "purpose" {
			add("purpose", "the table gives no purpose", "")
		}
	}
	if found := findCategory(cell("category")); found != "" {
		category = found
	}
	if category == "" {
		add("category", "the table tells no category; use one of necessary, statistics, first_party, third_party", "")
	} else {
		add("category", "", string(category))
	}
	if text := cell("duration"); strings.Trim(text, "-–— ") != "" {
		switch found, isCertain := findDuration(text); {
		case isCertain:
			add("duration", "", found)
		case found != "":
			add("duration", fmt.Sprintf("read from %q", text), found)
		default:
			add("duration", fmt.Sprintf("cannot be read: %q", text), "")
		}
	}
	return imported
}

package draft

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	markdownhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
	"go.yaml.in/yaml/v3"
	"golang.org/x/net/html"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

const (
	// maxImport is how much of a page is read, in bytes.
	maxImport = 8 << 20

	// maxRows is how many rows of its tables are, maxColumns how many cells of a row,
	// and maxNamesOfRow how many names of one: no charter has as many.
	maxRows       = 10_000
	maxColumns    = 100
	maxNamesOfRow = 100

	// maxMarkdown is how much of a page in Markdown is read, in bytes, as it becomes a
	// tree; maxMarkdownText how long a cell is in which Markdown means something, as
	// what that costs grows faster than the cell.
	maxMarkdown     = 1 << 20
	maxMarkdownText = 2 << 10
)

// An pageTable is a table of a charter page that people wrote.
type pageTable struct {
	heading string // above it: often the category
	rows    [][]string
}

// hasColumns tells whether a table has several rows and columns: others are layout.
func (t pageTable) hasColumns() bool {
	return len(t.rows) > 1 && slices.ContainsFunc(t.rows, func(cells []string) bool { return len(cells) > 1 })
}

// pageTables are the tables of a page.
type pageTables struct {
	list  []pageTable
	rows  int
	isCut bool // there are more rows, or cells
}

func (t *pageTables) begin(heading string) {
	t.list = append(t.list, pageTable{heading: heading})
}

// last returns the table to which rows are added, nil if there is none.
func (t *pageTables) last() *pageTable {
	if len(t.list) == 0 {
		return nil
	}
	return &t.list[len(t.list)-1]
}

// add adds a row to the last table, unless there are too many.
func (t *pageTables) add(cells []string) {
	if t.rows++; t.rows > maxRows || len(cells) > maxColumns {
		t.isCut = true
	}
	if table := t.last(); table != nil && t.rows <= maxRows {
		table.rows = append(table.rows, cells[:min(len(cells), maxColumns)])
	}
}

// Import drafts a charter file from an existing charter page. What is unsure
// is marked in the draft, and listed in report.
func Import(out, report io.Writer, source, language string) error {
	content, isWhole, err := fetch.ReadSource(source, maxImport)
	if err != nil {
		return fmt.Errorf("reading %s: %w", source, err)
	}
	if !isWhole {
		fmt.Fprintf(report, "not looked at: what comes after the first %d bytes\n", maxImport)
	}
	if !utf8.Valid(content) {
		content = bytes.ToValidUTF8(content, []byte("�"))
		fmt.Fprintln(report, "the page is not in UTF-8; what cannot be read is written �")
	}
	tables := findTables(content)
	if tables.isCut {
		fmt.Fprintf(report, "not looked at: rows after the first %d, or cells after the first %d of a row, or Markdown after the first %d bytes\n", maxRows, maxColumns, maxMarkdown)
	}
	rows := &yaml.Node{Kind: yaml.SequenceNode}
	unsure := 0
	var doubtedTables []string
	for _, table := range tables.list {
		columns, body := findColumns(table.rows)
		above := table // the rows without a header that is understood
		if columns != nil {
			above.rows = table.rows[:len(table.rows)-len(body)-1]
		}
		if above.hasColumns() {
			doubt := "not used: the table with the columns " + quote(strings.Join(above.rows[0], " | "))
			doubtedTables = append(doubtedTables, doubt)
			fmt.Fprintln(report, doubt)
		}
		category := findCategory(table.heading)
		for _, cells := range body {
			cell := func(column string) string {
				if i, ok := columns[column]; ok && i < len(cells) {
					return cells[i]
				}
				return ""
			}
			drafted := importRow(cell, category, language)
			if drafted == nil {
				category = cmp.Or(findCategory(strings.Join(cells, " ")), category)
				continue
			}
			rows.Content = append(rows.Content, drafted.node)
			for _, doubt := range drafted.doubts {
				unsure++
				fmt.Fprintf(report, "%s: %s\n", terminal.Printable(drafted.name, terminal.MaxSentence), doubt)
			}
		}
	}
	if len(rows.Content) == 0 {
		return fmt.Errorf("%s has no table with cookies; there have to be columns for a name and a purpose", source)
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Value: "cookies", HeadComment: strings.Join(doubtedTables, "\n")}
	document := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, rows}}
	encoded, err := yaml.Marshal(document)
	if err != nil {
		return err
	}
	if _, err := out.Write(encoded); err != nil {
		return err
	}
	fmt.Fprintf(report, "%d rows, %d doubts, each marked in the draft by a comment\n", len(rows.Content), unsure+len(doubtedTables))
	return nil
}

// findTables returns the tables in HTML, in Markdown, or separated by tabs.
func findTables(content []byte) *pageTables {
	if bytes.HasPrefix(bytes.TrimLeft(content, "\ufeff \t\r\n"), []byte("<")) {
		if tables := findHTMLTables(content); len(tables.list) > 0 {
			return tables
		}
	}
	if tables := findMarkdownTables(content); len(tables.list) > 0 {
		return tables
	}
	if tables := findHTMLTables(content); len(tables.list) > 0 {
		return tables
	}
	return findTabbedTables(content)
}

// findTabbedTables returns the tables of a sheet.
func findTabbedTables(content []byte) *pageTables {
	tables := new(pageTables)
	heading, isTable := "", false
	for line := range strings.Lines(string(content)) {
		line = strings.TrimRight(line, " \r\n")
		if !strings.Contains(line, "\t") {
			if line != "" { // people leave lines of a sheet empty
				heading, isTable = line, false
			}
			continue
		}
		if !isTable {
			tables.begin(heading)
			isTable = true
		}
		var cells []string
		for cell := range strings.SplitSeq(line, "\t") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		if strings.Join(cells, "") != "" {
			tables.add(cells)
		}
	}
	return tables
}

var (
	indentation = regexp.MustCompile(`(?m)^[ \t]+`)

	// inlineTag is the beginning of what is a tag in Markdown: others, such as <id>,
	// are a part of a name.
	inlineTag = regexp.MustCompile(`(?i)^<(?:!--|/?(?:a|abbr|b|br|code|em|i|kbd|li|ol|p|small|span|strong|sub|sup|u|ul)[\s/>])`)
)

// findMarkdownTables returns the tables of a page in Markdown, and those in HTML
// that it has. Lists and quotes are not told from paragraphs: they would nest.
func findMarkdownTables(content []byte) *pageTables {
	bounds := &markdownBounds{ParagraphTransformer: extension.NewTableParagraphTransformer()}
	blocks := parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewSetextHeadingParser(), 1), util.Prioritized(parser.NewATXHeadingParser(), 2),
			util.Prioritized(parser.NewHTMLBlockParser(), 3), util.Prioritized(parser.NewParagraphParser(), 4)),
		parser.WithInlineParsers(
			util.Prioritized(markdownText{parser.NewCodeSpanParser()}, 1), util.Prioritized(markdownText{parser.NewLinkParser()}, 2),
			util.Prioritized(markdownText{parser.NewRawHTMLParser()}, 3), util.Prioritized(markdownText{parser.NewEmphasisParser()}, 4)),
		parser.WithParagraphTransformers(util.Prioritized(bounds, 1)),
	)
	markdown := goldmark.New(goldmark.WithParser(blocks), goldmark.WithRendererOptions(
		markdownhtml.WithUnsafe(), renderer.WithNodeRenderers(util.Prioritized(extension.NewTableHTMLRenderer(), 1))))
	if len(content) > maxMarkdown {
		content, bounds.isCut = content[:bytes.LastIndexByte(content[:maxMarkdown], '\n')+1], true
	}
	var page bytes.Buffer
	if err := markdown.Convert(indentation.ReplaceAll(content, nil), &page); err != nil {
		return new(pageTables)
	}
	tables := findHTMLTables(page.Bytes())
	tables.isCut = tables.isCut || bounds.isCut
	return tables
}

// markdownBounds bounds the tables of a page: each row gets as many cells as the
// header, so that few bytes could become very many.
type markdownBounds struct {
	parser.ParagraphTransformer

	rows  int
	isCut bool
}

func (b *markdownBounds) Transform(paragraph *ast.Paragraph, reader text.Reader, context parser.Context) {
	lines, parent, above, next := paragraph.Lines(), paragraph.Parent(), paragraph.PreviousSibling(), paragraph.NextSibling()
	for i := range lines.Len() {
		line := lines.At(i)
		if b.rows+i > maxRows || bytes.Count(line.Value(reader.Source()), []byte("|")) > maxColumns+1 {
			b.isCut = true
			lines.SetSliced(0, i)
			break
		}
	}
	count := lines.Len()
	b.ParagraphTransformer.Transform(paragraph, reader, context)
	if paragraph.Parent() != nil {
		if paragraph.NextSibling() == next {
			return // no table
		}
		above = paragraph
	}
	b.rows += count
	// A short line above a table is its heading if it names a category.
	if line, ok := above.(*ast.Paragraph); ok {
		if written := line.Lines().Value(reader.Source()); len(written) < 60 && findCategory(string(written)) != "" {
			heading := ast.NewHeading(6)
			heading.SetLines(line.Lines())
			parent.ReplaceChild(parent, line, heading)
		}
	}
}

// markdownText reads what is in a cell or in a heading as people mean it, who do
// not escape the names of cookies.
type markdownText struct{ parser.InlineParser }

func (m markdownText) Parse(parent ast.Node, block text.Reader, context parser.Context) ast.Node {
	lines := parent.Lines()
	if lines.At(lines.Len()-1).Stop-lines.At(0).Start > maxMarkdownText {
		return nil
	}
	before := block.PrecendingCharacter()
	line, _ := block.PeekLine()
	if line[0] == '_' || line[0] == '<' && !inlineTag.Match(line) {
		return nil
	}
	node := m.InlineParser.Parse(parent, block, context)
	switch node := node.(type) {
	case *parser.Delimiter:
		if node.Length == 1 && !unicode.IsSpace(before) {
			node.CanOpen = false // the asterisk is the end of a name
		}
	case *ast.CodeSpan:
		// What is escaped in code: pipes have to be, and people escape more.
		first, last := node.FirstChild().(*ast.Text), node.LastChild().(*ast.Text)
		code := ast.NewString(util.UnescapePunctuations(block.Source()[first.Segment.Start:last.Segment.Stop]))
		code.SetRaw(true)
		return code
	}
	return node
}

// CloseBlock ends what the parser of links has left open.
func (m markdownText) CloseBlock(parent ast.Node, block text.Reader, context parser.Context) {
	if closer, ok := m.InlineParser.(parser.CloseBlocker); ok {
		closer.CloseBlock(parent, block, context)
	}
}

// findHTMLTables returns the tables of a page. It reads it from its beginning to its
// end, without a tree, of which a hostile page could have a large one made.
func findHTMLTables(content []byte) *pageTables {
	tables := new(pageTables)
	heading := ""
	var headingText, cellText *strings.Builder // while they are read
	var cells []string
	endHeading := func() {
		if headingText != nil {
			heading, headingText = onOneLine(headingText.String()), nil
		}
	}
	endCell := func() {
		if cellText != nil {
			cells, cellText = append(cells, onOneLine(cellText.String())), nil
		}
	}
	endRow := func() {
		endHeading()
		endCell()
		if len(cells) > 0 {
			tables.add(cells)
			cells = nil
		}
	}
	write := func(text string) {
		for _, builder := range []*strings.Builder{headingText, cellText} {
			if builder != nil {
				builder.WriteString(text)
			}
		}
	}
	isHidden := false // within what browsers do not show
	for tokens := html.NewTokenizer(bytes.NewReader(content)); ; {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			endRow()
			return tables
		}
		token := tokens.Token()
		isStart := kind == html.StartTagToken || kind == html.SelfClosingTagToken
		switch {
		case kind == html.TextToken:
			if !isHidden {
				write(token.Data)
			}
			continue
		case !isStart && kind != html.EndTagToken:
			continue
		}
		switch token.Data {
		case "h1", "h2", "h3", "h4", "h5", "h6", "caption":
			endHeading()
			if isStart {
				headingText = new(strings.Builder)
			} else if table := tables.last(); table != nil && token.Data == "caption" {
				table.heading = heading
			}
		case "table", "thead", "tbody", "tr":
			endRow()
			if isStart && token.Data == "table" {
				tables.begin(heading)
			}
		case "td", "th":
			endCell()
			if isStart && tables.last() != nil {
				cellText = new(strings.Builder)
			}
		case "br", "p", "li", "div":
			if isStart {
				write(lineBreak)
			}
		case "script", "style":
			isHidden = kind == html.StartTagToken
		case "noscript":
			if isStart {
				tokens.NextIsNotRawText()
			}
		}
	}
}

// lineBreak stands for a line break until it is written as ";".
const lineBreak = "\x00"

// onOneLine returns a text on one line.
func onOneLine(text string) string {
	var parts []string
	for part := range strings.SplitSeq(text, lineBreak) {
		if part = strings.Join(strings.Fields(part), " "); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

// columnWords are what columns are called in French and English.
var columnWords = []struct {
	column string
	words  *regexp.Regexp
}{
	{"duration", regexp.MustCompile(`(?i)dur[ée]e|conservation|validit[ée]|duration|expir|lifetime|retention`)},
	{"purpose", regexp.MustCompile(`(?i)finalit|fonction|description|utilit|utilisation|objet|objectif|\bbuts?\b|\bquoi\b|\bsert\b|purpose|function|r[ôo]le|usage`)},
	{"category", regexp.MustCompile(`(?i)cat[ée]gorie|category|type|nature`)},
	{"provider", regexp.MustCompile(`(?i)fournisseur|[ée]metteur|[ée]diteur|provider|supplier|issuer|soci[ée]t[ée]`)},
	{"service", regexp.MustCompile(`(?i)service|emplacement|location`)},
	{"name", regexp.MustCompile(`(?i)nom|name|cookie|traceur|tracker`)},
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
				if _, found := columns[known.column]; !found && !taken && len(cell) < 60 && known.words.MatchString(cell) {
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

// categoryWords are what categories are called in French and English.
var categoryWords = []struct {
	category charter.Category
	words    *regexp.Regexp
}{
	{charter.Necessary, regexp.MustCompile(`(?i)n[ée]cessair|necessary|essenti|techni|fonctionnement`)},
	{charter.Statistics, regexp.MustCompile(`(?i)statisti|audience|analyt|mesure|measure`)},
	{charter.ThirdParty, regexp.MustCompile(`(?i)tiers|tierce|third|r[ée]seaux sociaux|social|publicit|marketing|advert`)},
	{charter.FirstParty, regexp.MustCompile(`(?i)intern|first|fonctionnel|functional|pr[ée]f[ée]ren|personnali`)},
}

// findCategory returns the category that a heading or a cell speaks of.
func findCategory(text string) charter.Category {
	for _, known := range categoryWords {
		if known.words.MatchString(text) {
			return known.category
		}
	}
	return ""
}

// An draftedRow is a row of a draft, with what is unsure about it.
type draftedRow struct {
	name   string
	node   *yaml.Node
	doubts []string
}

var (
	nameSeparator   = regexp.MustCompile(`\s*[;,]\s*|\s+(?:et|and|ou|or)\s+|\s*\n\s*`)
	namePlaceholder = regexp.MustCompile(`<[^>]*>|\[[^\]]*\]|\{[^}]*\}|#|(?i:x{3,})`)
)

// quote returns a text of the page as comments and sentences can have it.
func quote(text string) string { return `"` + terminal.Printable(text, terminal.MaxSentence) + `"` }

// importRow drafts a row from the cells of a table; it returns nil if they are
// no cookie, such as a line between the rows.
func importRow(cell func(column string) string, category charter.Category, language string) *draftedRow {
	written := cell("name")
	if strings.Trim(written, "-–— ") == "" && cell("purpose") == "" || written != "" && cell("purpose") == "" && cell("provider") == "" && cell("duration") == "" {
		return nil
	}
	drafted := &draftedRow{name: written, node: &yaml.Node{Kind: yaml.MappingNode}}
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
			drafted.doubts = append(drafted.doubts, doubt)
		}
		drafted.node.Content = append(drafted.node.Content, name, value)
	}

	var names, patterns []string
	known := map[string]bool{}
	doubt := ""
	for _, name := range nameSeparator.Split(written, maxNamesOfRow+1) { // the rest is no name, and doubted
		name = strings.Trim(name, " \"'`.«»")
		if name == "" || known[name] {
			continue
		}
		known[name] = true
		names = append(names, name)
		pattern := name
		if place := namePlaceholder.FindStringIndex(name); place != nil && place[0] > 0 {
			pattern = name[:place[0]] + "*"
		}
		if charter.ValidatePattern(pattern, "") != nil {
			doubt = fmt.Sprintf("%s is no cookie name; say in match what the filter matches", quote(name))
			continue
		}
		patterns = append(patterns, pattern)
	}
	switch {
	case len(names) == 0:
		drafted.name = cell("purpose")
		add("name", "the table names no cookie", "")
	default:
		add("name", doubt, names...)
		if len(patterns) > 0 && !slices.Equal(patterns, names) {
			add("match", "read from "+quote(written), patterns...)
		}
	}
	for _, column := range charter.TextFields {
		if text := cell(column); text != "" {
			drafted.node.Content = append(drafted.node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: column},
				&yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: language}, {Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}}})
		} else if column == "purpose" {
			add("purpose", "the table gives no purpose", "")
		}
	}
	if found := findCategory(cell("category")); found != "" {
		category = found
	}
	if category == "" {
		add("category", "the table tells no category; use one of "+strings.Join(charter.CategoryNames(), ", "), "")
	} else {
		add("category", "", string(category))
	}
	if text := cell("duration"); strings.Trim(text, "-–— ") != "" {
		switch found, isCertain := charter.FindDuration(text); {
		case isCertain:
			add("duration", "", found)
		case found != "":
			add("duration", "read from "+quote(text), found)
		default:
			add("duration", "cannot be read: "+quote(text), "")
		}
	}
	return drafted
}

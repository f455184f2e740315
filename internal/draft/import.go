package draft

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
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
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

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

	// maxHeading is how long a line is, in bytes, that is the heading of a sheet: longer
	// ones are sentences, which speak of many things.
	maxHeading = 200

	// maxCharter is how much is read of what is a charter already, in bytes.
	maxCharter = 2 << 20

	// maxMistakes is how many mistakes are listed, and maxMistake how long one is.
	maxMistakes = 20
	maxMistake  = 400
)

// A pageTable is a table of a charter page that people wrote.
type pageTable struct {
	heading  string // above it: often the category
	rows     [][]string
	links    [][]string // by row and cell, where the cell leads to another site; "" if it does not
	consents []string   // by row, the consent key that our own page tells; "" if there is none
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

// add adds a row to the last table, unless there are too many, with where its cells lead
// and its consent key.
func (t *pageTables) add(cells, links []string, consent string) {
	if t.rows++; t.rows > maxRows || len(cells) > maxColumns {
		t.isCut = true
	}
	if table := t.last(); table != nil && t.rows <= maxRows {
		table.rows = append(table.rows, cells[:min(len(cells), maxColumns)])
		table.links = append(table.links, links)
		table.consents = append(table.consents, consent)
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
	if declared, isCharter, err := readCharter(content); isCharter {
		if err != nil {
			return err
		}
		return writeDraft(out, report, declared, 0)
	}
	tables := findTables(content)
	if tables.isCut {
		fmt.Fprintf(report, "not looked at: rows after the first %d, or cells after the first %d of a row, or Markdown after the first %d bytes\n", maxRows, maxColumns, maxMarkdown)
	}
	rows := &yaml.Node{Kind: yaml.SequenceNode}
	unsure, codesOf := 0, codesIn(language)
	var doubtedTables []string
	for _, table := range tables.list {
		columns, header, body := findColumns(table.rows)
		above := table // the rows without a header that is understood
		if columns != nil {
			above.rows = table.rows[:max(header, 0)]
		}
		if above.hasColumns() {
			doubt := "not used: the table with the columns " + quote(strings.Join(above.rows[0], " | "))
			doubtedTables = append(doubtedTables, doubt)
			fmt.Fprintln(report, doubt)
		}
		category, first := findCategory(table.heading), len(rows.Content)
		for i, cells := range body {
			row := len(table.rows) - len(body) + i
			cell := func(column string) string {
				in := cells
				switch column {
				case "policy":
					column, in = "provider", table.links[row]
				case "consent":
					return table.consents[row]
				}
				if i := columns.at(column); i >= 0 && i < len(in) {
					return in[i]
				}
				return ""
			}
			drafted := importRow(cell, columns.isShared, category, language, codesOf)
			if drafted == nil {
				if found := findCategory(strings.Join(cells, " ")); found.category != "" {
					category = found
				}
				continue
			}
			rows.Content = append(rows.Content, drafted.node)
			for _, doubt := range drafted.doubts {
				unsure++
				fmt.Fprintf(report, "%s: %s\n", terminal.Printable(drafted.name, terminal.MaxSentence), doubt)
			}
		}
		if columns != nil && len(rows.Content) > first {
			for _, doubt := range columns.doubts {
				unsure++
				fmt.Fprintf(report, "a table: %s\n", doubt)
				markUnsure(rows.Content[first], "of this table, "+doubt)
			}
		}
	}
	if len(rows.Content) == 0 {
		return fmt.Errorf("%s has no table with cookies; there have to be columns for a name and a purpose", source)
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Value: "cookies", HeadComment: strings.Join(doubtedTables, "\n")}
	document := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, rows}}
	return writeDraft(out, report, document, unsure+len(doubtedTables))
}

// markUnsure says in the draft what is unsure of a node.
func markUnsure(node *yaml.Node, doubt string) {
	node.HeadComment = strings.TrimPrefix(node.HeadComment+"\nunsure: "+doubt, "\n")
}

// writeDraft writes a draft, and reports what keeps it from being used: what check says of
// it, which it would say one by one.
func writeDraft(out, report io.Writer, document *yaml.Node, doubts int) error {
	encoded, err := yaml.Marshal(document)
	if err != nil {
		return err
	}
	if _, err := out.Write(encoded); err != nil {
		return err
	}
	rows := 0
	for i := 0; i < len(document.Content); i += 2 {
		if document.Content[i].Value == "cookies" {
			rows = len(document.Content[i+1].Content)
		}
	}
	mistakes := charter.Mistakes(encoded, "draft", true)
	for _, mistake := range mistakes[:min(len(mistakes), maxMistakes)] {
		fmt.Fprintf(report, "check refuses: %s\n", terminal.Printable(mistake.Error(), maxMistake))
	}
	if more := len(mistakes) - maxMistakes; more > 0 {
		fmt.Fprintf(report, "check refuses: %d more\n", more)
	}
	verdict := "check accepts the draft"
	if len(mistakes) > 0 {
		verdict = "check refuses the draft, for " + terminal.Count(len(mistakes), "mistake")
	}
	unsure := terminal.Count(doubts, "doubt")
	if doubts > 0 {
		unsure += ", each marked in the draft by a comment"
	}
	fmt.Fprintf(report, "%s, %s; %s\n", terminal.Count(rows, "row"), unsure, verdict)
	return nil
}

// cookiesInYAML is the line at which a charter in YAML is known.
var cookiesInYAML = regexp.MustCompile(`(?m)^"?cookies"?:[ \t]*\r?$`)

// readCharter reads what is a charter already, such as one that the page exports, and
// returns it as it can be drafted; it is none if it can be neither JSON nor YAML.
func readCharter(content []byte) (document *yaml.Node, isCharter bool, err error) {
	content = bytes.TrimLeft(content, "\ufeff \t\r\n")
	name := "page.yaml"
	isJSON := bytes.HasPrefix(content, []byte("{")) && json.Valid(content) // which bounds how deep it is
	switch {
	case isJSON:
		name = "page.json"
	case bytes.HasPrefix(content, []byte("<")) || !cookiesInYAML.Match(content):
		return nil, false, nil
	}
	if len(content) > maxCharter {
		return nil, true, fmt.Errorf("the charter has more than %d bytes", maxCharter)
	}
	declared, err := charter.Parse(content, name)
	if err != nil {
		return nil, isJSON, err // other texts can have such a line
	}
	rows := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range declared.Rows {
		row, err := declared.Rows[i].Node()
		if err != nil {
			return nil, true, err
		}
		rows.Content = append(rows.Content, row)
	}
	if document, err = declared.About.Node(); err != nil {
		return nil, true, err
	}
	if !declared.Updated.IsZero() {
		document.Content = append(document.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "updated"}, &yaml.Node{Kind: yaml.ScalarNode, Value: declared.Updated.Format(time.DateOnly)})
	}
	document.Content = append(document.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "cookies"}, rows)
	return document, true, nil
}

// findTables returns the tables in HTML, in Markdown, or separated by tabs, or what is a
// table in a knowledge base.
func findTables(content []byte) *pageTables {
	if tables := findKnowledge(content); len(tables.list) > 0 {
		return tables
	}
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
				isTable = false
				if len(line) < maxHeading {
					heading = line
				}
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
		if !isEmpty(strings.Join(cells, "")) { // nor lines that are drawn
			tables.add(cells, nil, "")
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
		if written := line.Lines().Value(reader.Source()); len(written) < 60 && findCategory(string(written)).category != "" {
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
	var cells, links []string
	link, consent := "", ""
	endHeading := func() {
		if headingText != nil {
			heading, headingText = onOneLine(headingText.String()), nil
		}
	}
	endCell := func() {
		if cellText != nil {
			cells, links = append(cells, onOneLine(cellText.String())), append(links, link)
			cellText, link = nil, ""
		}
	}
	endRow := func() {
		endHeading()
		endCell()
		if len(cells) > 0 {
			tables.add(cells, links, consent)
			cells, links = nil, nil
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
			consent = ""
			switch {
			case isStart && token.Data == "table":
				tables.begin(heading)
			case isStart && token.Data == "tr":
				consent = consentOf(token)
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
		case "a":
			if isStart && cellText != nil && link == "" {
				link = linkOf(token)
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

// linkOf returns where a tag leads, "" if that is not another site.
func linkOf(tag html.Token) string {
	for _, attribute := range tag.Attr {
		if _, link := charter.SplitLink(attribute.Val); attribute.Key == "href" && strings.HasPrefix(link, "https://") {
			return link
		}
	}
	return ""
}

// consentOf returns the consent key that our own page tells of a row, "" if there is none.
func consentOf(tag html.Token) string {
	for _, attribute := range tag.Attr {
		if attribute.Key == "data-consent" && charter.IsConsentKey(attribute.Val) {
			return attribute.Val
		}
	}
	return ""
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

// A draftedRow is a row of a draft, with what is unsure about it.
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

// cellNames are the names that stand in a cell.
type cellNames struct {
	names, patterns []string
	doubt           string // what is no name
}

// readNames reads the names in a cell, and what the filter is to match for them.
func readNames(written string) (read cellNames) {
	known := map[string]bool{}
	for _, name := range nameSeparator.Split(written, maxNamesOfRow+1) { // the rest is no name, and doubted
		name = strings.Trim(name, " \"'`.«»")
		if name == "" || known[name] {
			continue
		}
		known[name] = true
		read.names = append(read.names, name)
		pattern := name
		if place := namePlaceholder.FindStringIndex(name); place != nil && place[0] > 0 {
			pattern = name[:place[0]] + "*"
		}
		if charter.ValidatePattern(pattern, "") != nil {
			read.doubt = fmt.Sprintf("%s is no cookie name; say in match what the filter matches", quote(name))
			continue
		}
		if findInPresets(pattern) == nil {
			pattern = cmp.Or(findSeriesInPresets(pattern), pattern)
		}
		read.patterns = append(read.patterns, pattern)
	}
	return read
}

// exemptTexts are what the page says of exempt rows behind their purpose, in each of its
// languages.
var exemptTexts = []string{
	"يُحفظ دون موافقة؛ ويمكنكم الاعتراض عليه.",
	"S’instal·la sense consentiment; podeu oposar-vos-hi.",
	"Wird ohne Einwilligung gesetzt; Sie können widersprechen.",
	"Set without consent; you can object to it.",
	"Se instala sin consentimiento; usted puede oponerse.",
	"Baimenik gabe instalatzen da; aurka egin dezakezu.",
	"Déposé sans consentement ; vous pouvez vous y opposer.",
	"Installato senza consenso; Lei può opporsi.",
	"Wordt zonder toestemming geplaatst; u kunt bezwaar maken.",
	"Instalado sem consentimento; pode opor-se à sua utilização.",
	"Lagras utan samtycke. Du kan invända mot den.",
}

// cutExempt returns a purpose without what the page says of exempt rows, and whether it
// was said.
func cutExempt(purpose string) (rest string, isExempt bool) {
	for _, text := range exemptTexts {
		if rest, isExempt = strings.CutSuffix(purpose, text); isExempt {
			return strings.TrimRight(rest, "; "), true
		}
	}
	return purpose, false
}

// countryTexts are how the page begins to say where data go, behind the provider, in each
// of its languages.
var countryTexts = []string{
	"وجهة البيانات: ", "Destinació de les dades: ", "Zielländer der Daten: ", "Data go to: ", "Destino de los datos: ", "Datuen helmuga: ",
	"Destination des données : ", "Destinazione dei dati: ", "Bestemming van de gegevens: ", "Destino dos dados: ", "Uppgifterna överförs till: ",
}

// cutCountries returns a provider without what the page says of where data go, and the
// countries.
func cutCountries(provider string) (rest, countries string) {
	for _, text := range countryTexts {
		if rest, countries, ok := strings.Cut(provider, text); ok {
			return strings.TrimRight(rest, "; "), strings.TrimSuffix(countries, ".")
		}
	}
	return provider, ""
}

// codesIn returns what finds the codes of countries by a list of their names in a language;
// it finds none if it does not know one of them.
func codesIn(tag string) func(names string) []string {
	known := map[string]string{}
	if in := display.Regions(language.Make(tag)); in != nil {
		for i := range 26 * 26 {
			code := string([]byte{byte('A' + i/26), byte('A' + i%26)})
			if region, err := language.ParseRegion(code); err == nil && region.IsCountry() && region.Canonicalize() == region {
				known[in.Name(region)] = code
			}
		}
		delete(known, "") // some have no name
	}
	return func(names string) (codes []string) {
		for name := range strings.SplitSeq(strings.ReplaceAll(names, "،", ","), ", ") {
			if known[name] == "" {
				return nil
			}
			codes = append(codes, known[name])
		}
		return codes
	}
}

// hostTexts are how the page begins to say which hosts a row has, behind the service, in
// each of its languages.
var hostTexts = []string{
	"التحميل من أو الإرسال إلى: ", "Carrega de o envia a: ", "Lädt von oder sendet an: ", "Loads from or sends to: ", "Carga desde o envía a: ", "Nondik kargatzen den edo nora bidaltzen den: ",
	"Chargement depuis ou envoi vers : ", "Carica da o invia a: ", "Laadt van of verzendt naar: ", "Carrega de ou envia para: ", "Läser in från eller skickar till: ",
}

// storageTexts are how it begins to say behind the name what a row stores in the browser, and
// behind the duration how long that stays.
var storageTexts = []string{
	"المخزَّن في المتصفح: ", "Emmagatzemat al navegador: ", "Im Browser gespeichert: ", "Stored in the browser: ", "Almacenado en el navegador: ", "Nabigatzailean gordetakoa: ",
	"Stockage dans le navigateur : ", "Memorizzato nel browser: ", "Opgeslagen in de browser: ", "Armazenado no navegador: ", "Lagras i webbläsaren: ",
}

// cutList returns a cell without the list that the page says behind some text, and what
// is on it.
func cutList(cell string, texts []string) (rest string, list []string) {
	for _, text := range texts {
		if rest, list, ok := strings.Cut(cell, text); ok {
			return strings.TrimRight(rest, "; "), strings.Split(list, ", ")
		}
	}
	return cell, nil
}

// splitProvider returns the provider and the service of a cell that has both, as the page
// writes them, in two lines, or in Markdown behind a comma.
func splitProvider(text string) (provider, service, doubt string) {
	if provider, service, ok := strings.Cut(text, "; "); ok && !strings.Contains(service, "; ") {
		return provider, service, ""
	}
	if provider, service, ok := strings.Cut(text, ", "); ok {
		return provider, service, "provider and service are read from " + quote(text)
	}
	return text, "", "it may be the service: the column is for both"
}

// importRow drafts a row from the cells of a table; it returns nil if they are
// no cookie, such as a line between the rows.
func importRow(cell func(column string) string, isShared bool, category foundCategory, language string, codesOf func(names string) []string) *draftedRow {
	written, items := cutList(cell("name"), storageTexts)
	if isEmpty(written) && cell("purpose") == "" || written != "" && cell("purpose") == "" && cell("provider") == "" && cell("duration") == "" {
		return nil
	}
	drafted := &draftedRow{name: written, node: &yaml.Node{Kind: yaml.MappingNode}}
	addNode := func(key, doubt string, value *yaml.Node) {
		name := &yaml.Node{Kind: yaml.ScalarNode, Value: key}
		if doubt != "" {
			markUnsure(name, doubt)
			drafted.doubts = append(drafted.doubts, doubt)
		}
		drafted.node.Content = append(drafted.node.Content, name, value)
	}
	add := func(key, doubt string, values ...string) {
		value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.Join(values, "")}
		if len(values) > 1 {
			value = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
			for _, each := range values {
				value.Content = append(value.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: each})
			}
		}
		addNode(key, doubt, value)
	}

	service, hosts := cutList(cell("service"), hostTexts)
	read := readNames(written)
	switch {
	case isEmpty(written) && (hosts != nil || items != nil): // a row without cookies
		drafted.name = slices.Concat(hosts, items)[0]
	case len(read.names) == 0:
		drafted.name = cell("purpose")
		add("name", "the table names no cookie", "")
	default:
		add("name", read.doubt, read.names...)
		if len(read.patterns) > 0 && !slices.Equal(read.patterns, read.names) {
			add("match", "read from "+quote(written), read.patterns...)
		}
	}
	if hosts != nil {
		add("host", "", hosts...)
	}
	if items != nil {
		add("storage", "", items...)
	}
	purpose, isExempt := cutExempt(cell("purpose"))
	provider, countries := cutCountries(cell("provider"))
	texts, doubted := map[string]string{"purpose": purpose, "provider": provider, "service": service}, map[string]string{}
	if isShared {
		texts["provider"], texts["service"], doubted["provider"] = splitProvider(provider)
	}
	codes := codesOf(countries)
	if countries != "" && codes == nil {
		doubted["provider"] = "say in \"country\", by their codes, where data go: " + quote(countries)
	}
	for _, column := range charter.TextFields {
		if text := texts[column]; !isEmpty(text) {
			addNode(column, doubted[column], &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: language}, {Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}}})
		} else if column == "purpose" {
			add("purpose", "the table gives no purpose", "")
		}
	}
	if codes != nil {
		add("country", "", codes...)
	}
	if link := cell("policy"); link != "" {
		add("policy", "where the provider's name leads", link)
	}
	if found := findCategory(cell("category")); found.category != "" {
		category = found
	} else if text := cell("category"); !isEmpty(text) && category.category != "" {
		category.doubt = "read from the heading; the table says " + quote(text)
	}
	if category.category == "" {
		add("category", "the table tells no category; use one of "+strings.Join(charter.CategoryNames(), ", "), "")
	} else {
		add("category", category.doubt, string(category.category))
	}
	// By another key, answers that are stored already would not be read.
	if category.category != "" && category.category != charter.Necessary {
		if key := cell("consent"); key != "" {
			add("consent", "", key)
		} else if len(read.patterns) > 0 {
			if row := findInPresets(read.patterns[0]); row != nil && row.Consent != "" {
				add("consent", "the key of a preset, for a cookie of this name", row.Consent)
			}
		}
	}
	if isExempt && category.category != charter.Necessary {
		addNode("exempt", "", &yaml.Node{Kind: yaml.ScalarNode, Value: "true"})
	}
	duration, ofItems := cutList(cell("duration"), storageTexts)
	if _, ofCookies, isLabelled := strings.Cut(duration, ":"); isLabelled && ofItems != nil {
		duration = strings.TrimSpace(ofCookies)
	}
	if !isEmpty(duration) {
		switch found, isCertain := charter.FindDuration(duration); {
		case isCertain:
			add("duration", "", found)
		case found != "":
			add("duration", "read from "+quote(duration), found)
		default:
			add("duration", "cannot be read: "+quote(duration), "")
		}
	}
	return drafted
}

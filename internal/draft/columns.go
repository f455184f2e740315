package draft

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// maxLookedAt is how many rows of a table tell what stands in its columns.
const maxLookedAt = 200

// A columnWord tells what columns of a field are called.
type columnWord struct {
	column string
	words  wordBeginnings
}

// wordBeginnings are beginnings of words in lower case, by their first byte. Those of
// whole words end with "=". They are looked up, as an expression of them all would take
// far longer for a large table.
type wordBeginnings map[byte][]string

// wordsOf returns beginnings of words: one that begins with "=" has to be whole, and "_"
// is a space.
func wordsOf(lines ...string) wordBeginnings {
	words := wordBeginnings{}
	for word := range strings.FieldsSeq(strings.Join(lines, " ")) {
		whole, isWhole := strings.CutPrefix(strings.ReplaceAll(word, "_", " "), "=")
		if isWhole {
			whole += "="
		}
		words[whole[0]] = append(words[whole[0]], whole)
	}
	return words
}

// areIn tells whether a text has one of the words.
func (w wordBeginnings) areIn(text string) bool {
	text = strings.ToLower(text)
	isInWord := false
	for i, char := range text {
		wasInWord := isInWord
		isInWord = unicode.IsLetter(char) || unicode.IsMark(char)
		if !isInWord || wasInWord {
			continue
		}
		rest := text[i:]
		if w.begin(rest) {
			return true
		}
		for _, article := range []string{"ال", "لل", "وال"} {
			if noun, ok := strings.CutPrefix(rest, article); ok && w.begin(noun) {
				return true
			}
		}
	}
	return false
}

// begin tells whether a text begins with one of the words.
func (w wordBeginnings) begin(text string) bool {
	if text == "" {
		return false
	}
	return slices.ContainsFunc(w[text[0]], func(word string) bool {
		whole, isWhole := strings.CutSuffix(word, "=")
		rest, ok := strings.CutPrefix(text, whole)
		next, _ := utf8.DecodeRuneInString(rest)
		return ok && (!isWhole || !unicode.IsLetter(next) && !unicode.IsMark(next))
	})
}

// columnWords are what columns are called in the languages of the page: French and
// English, then Catalan, Spanish, Portuguese, Italian, Basque, German, Dutch, Swedish and
// Arabic. The first field whose words a header has is that of its column.
var columnWords = []columnWord{
	{"duration", wordsOf("durée duree conserva validit duration expir lifetime lifespan retention délai échéance persist",
		"durada caducitat termini duración caducidad plazo vigencia vencimiento duração prazo valida durata scadenza",
		"iraup iraung dauer speicherdauer speicherfrist laufzeit lebensdauer gültig ablauf aufbewahrung bewaar looptijd levensduur verval geldigheid",
		"lagringst livsl varaktig giltig utgång مدة مدّة صلاحية انتهاء")},
	{"purpose", wordsOf("finalité finalite fonction description utilité utilisation objet objectif =but =buts =quoi =sert purpose function rôle role usage",
		"finalit finalidad objetivo objectiu obiettivo propósito propòsit propósit descripci descriç descrizion funció función funçõ função funzion utilidad =usos uso_de =ús utilização utilizzo scopo",
		"helburu xede deskrib azalpen erabilera zweck verwendung beschreibung funktion doel omschrijving beschrijving functie gebruiksdoel",
		"ändamål syfte användning beskrivning غرض هدف وصف وظيفة استخدام")},
	{"category", wordsOf("catégorie categorie category type nature catego kategor kateg tipo tipus mota =typ =typen =art =arten soort klass categoría فئة نوع تصنيف")},
	{"provider", wordsOf("fournisseur prestataire émetteur emetteur éditeur editeur provider supplier issuer vendor publisher société societe partenaire company",
		"proveïdor proveidor proveedor fornecedor fornitore empresa hornitzail anbieter herausgeber =firma aanbieder leverancier leverant مزود مزوّد مقدم مقدّم جهة شركة")},
	{"service", wordsOf("service emplacement location servei servicio serviço servizi ubicaci localiza lugar dienst zerbitz kokap einsatzort tjänst =plats =plaats خدمة مكان")},
	{"name", nil}, // as nameRank tells
}

var (
	// nameWords and cookieWords are what columns of names are called, and what the cookies
	// themselves are called in them: a column that has both is surest.
	nameWords   = wordsOf("=nom =noms intitulé désignation =name =names nombre =nome =nomes izen =naam =namen =namn identifi اسم أسماء")
	cookieWords = wordsOf("cookie traceur tracker témoin galet =kaka =kakan =kakor rastreador rastrejador tracciante تعريف_الارتباط كوكي")

	// noWord is what names of cookies have, and words of people have not: other names
	// are told from words by the presets.
	noWord = regexp.MustCompile(`[_*#<\[{]|\pL\d|\d\pL|(?:^|[\s,;])[a-z]+[A-Z]`)
)

// tableColumns tell which column of a table is that of each field.
type tableColumns struct {
	of       map[string]int
	isShared bool     // the provider's column has the service, too
	doubts   []string // what was not told by the header alone
}

// columnContent is what stands in a column.
type columnContent struct {
	filled     int // cells
	names      int // cells of nothing but what can be names
	surely     int // those of them that are no words
	sentences  int // cells of three words or more
	words      int
	durations  int
	categories int
	distinct   map[string]bool
}

// isSame tells whether several rows have the same.
func (c columnContent) isSame() bool { return c.filled > 1 && len(c.distinct) == 1 }

// hasNames tells whether a column can be that of the names.
func (c columnContent) hasNames() bool { return c.filled > 0 && 2*c.names >= c.filled && !c.isSame() }

// isOfNames tells whether a column is that of the names, whatever it is called.
func (c columnContent) isOfNames() bool {
	return c.filled > 0 && c.names == c.filled && 2*c.surely >= c.filled && !c.isSame()
}

// describeColumns looks at the first rows of a table.
func describeColumns(body [][]string, count int) []columnContent {
	columns := make([]columnContent, count)
	for _, cells := range body[:min(len(body), maxLookedAt)] {
		for i, cell := range cells[:min(len(cells), count)] {
			if isEmpty(cell) || len(cell) > maxMarkdownText {
				continue
			}
			column := &columns[i]
			if column.distinct == nil {
				column.distinct = map[string]bool{}
			}
			column.distinct[cell] = true
			column.filled++
			words := len(strings.Fields(cell))
			column.words += words
			if words >= 3 {
				column.sentences++
			}
			if _, isCertain := charter.FindDuration(cell); isCertain {
				column.durations++
			} else if read := readNames(cell); len(read.names) > 0 && read.doubt == "" {
				column.names++
				if noWord.MatchString(cell) || findInPresets(read.patterns[0]) != nil {
					column.surely++
				}
			}
			if len(cell) < 60 && findCategory(cell).category != "" {
				column.categories++
			}
		}
	}
	return columns
}

// findInPresets returns the row that a preset has for a name, nil if there is none.
func findInPresets(name string) *charter.Row {
	presets, err := charter.Presets()
	if err != nil {
		return nil
	}
	for _, preset := range presets {
		if row := preset.Find(name); row != nil {
			return row
		}
	}
	return nil
}

// findSeriesInPresets returns the pattern of a preset for a name that people write without what its
// cookies differ in, as _pk_id for _pk_id.*; "" if no preset has one.
func findSeriesInPresets(written string) string { return presetSeries()[seriesStem(written)] }

// presetSeries are the prefixes that presets have, by what people write of them.
var presetSeries = sync.OnceValue(func() map[string]string {
	series := map[string]string{}
	presets, _ := charter.Presets() // tests load them
	for _, preset := range presets {
		for _, row := range preset.Rows {
			for _, pattern := range row.Patterns() {
				if strings.HasSuffix(pattern, "*") {
					series[seriesStem(pattern)] = pattern
				}
			}
		}
	}
	return series
})

// seriesStem returns a prefix without the signs that end it.
func seriesStem(pattern string) string { return strings.TrimRight(pattern, "*._-") }

// isEmpty tells whether a cell has nothing but a line, as people write for nothing.
func isEmpty(cell string) bool { return strings.Trim(cell, "-–—=:_/. ") == "" }

// readHeader returns the columns that a header names.
func readHeader(cells []string) map[string]int {
	columns, taken := map[string]int{}, map[int]bool{}
	for _, known := range columnWords {
		best := 0
		for i, cell := range cells {
			if taken[i] || len(cell) >= 60 {
				continue
			}
			rank := 0
			if known.column == "name" {
				rank = nameRank(cell)
			} else if known.words.areIn(cell) {
				rank = 1
			}
			if rank > best {
				columns[known.column], best = i, rank
			}
		}
		if best > 0 {
			taken[columns[known.column]] = true
		}
	}
	return columns
}

// nameRank tells how surely a header is that of the names, 0 if it is not.
func nameRank(cell string) (rank int) {
	if nameWords.areIn(cell) {
		rank++
	}
	if cookieWords.areIn(cell) {
		rank += 2
	}
	return rank
}

// findColumns returns the column of each field, by the header and by what stands in the
// columns, the row of the header, -1 if there is none, and the rows below it; nil if there
// are no columns for names and purposes.
func findColumns(rows [][]string) (columns *tableColumns, header int, body [][]string) {
	for i, cells := range rows {
		if len(cells) < 2 {
			continue
		}
		of := readHeader(cells)
		_, hasName := of["name"]
		_, hasPurpose := of["purpose"]
		if hasName && hasPurpose {
			columns = &tableColumns{of: of}
			columns.complete(cells, rows[i+1:])
			return columns, i, rows[i+1:]
		}
	}
	// No header is understood: what stands below the first row can tell.
	header = slices.IndexFunc(rows, func(cells []string) bool { return len(cells) > 1 })
	if header < 0 {
		return nil, -1, nil
	}
	cells, body := rows[header], rows[header+1:]
	columns = &tableColumns{of: readHeader(cells)}
	if len(columns.of) == 0 && slices.ContainsFunc(cells, func(cell string) bool { return noWord.MatchString(cell) && readNames(cell).doubt == "" }) {
		cells, body, header = nil, rows[header:], header-1
	}
	columns.complete(cells, body)
	_, hasName := columns.of["name"]
	_, hasPurpose := columns.of["purpose"]
	if !hasName || !hasPurpose {
		return nil, -1, nil
	}
	return columns, header, body
}

// complete finds by what stands in the columns what the header does not tell, or tells
// wrongly.
func (c *tableColumns) complete(header []string, body [][]string) {
	count := len(header)
	for _, cells := range body[:min(len(body), maxLookedAt)] {
		count = max(count, len(cells))
	}
	contents := describeColumns(body, count)
	c.findNames(header, contents)

	isFree := func(i int) bool {
		for _, column := range c.of {
			if column == i {
				return false
			}
		}
		return true
	}
	find := func(column string, score func(columnContent) int) {
		if _, found := c.of[column]; found {
			return
		}
		found, best := -1, 0
		for i, content := range contents {
			if isFree(i) && content.filled > 0 && score(content) > best {
				found, best = i, score(content)
			}
		}
		if found >= 0 {
			c.take(column, found, header)
		}
	}
	all := func(some, filled int) int {
		if some == filled {
			return some
		}
		return 0
	}
	find("duration", func(content columnContent) int { return all(content.durations, content.filled) })
	find("category", func(content columnContent) int { return all(content.categories, content.filled) })
	find("purpose", func(content columnContent) int {
		if 2*content.sentences < content.filled {
			return 0
		}
		return content.words
	})
	find("provider", func(content columnContent) int {
		if content.isSame() {
			return content.filled
		}
		return 0
	})
	if i, ok := c.of["provider"]; ok && i < len(header) {
		_, hasService := c.of["service"]
		c.isShared = !hasService && columnWords[slices.IndexFunc(columnWords, func(known columnWord) bool { return known.column == "service" })].words.areIn(header[i])
	}
	for i, content := range contents {
		if isFree(i) && content.filled > 0 {
			c.doubts = append(c.doubts, fmt.Sprintf("the column %s is not used", describeColumn(i, header)))
		}
	}
}

// findNames finds the column of the names among those that can be called so, and else by
// what stands in it.
func (c *tableColumns) findNames(header []string, contents []columnContent) {
	current, isTold := c.of["name"]
	if isTold && contents[current].hasNames() {
		if !contents[current].isOfNames() {
			c.doubtNames(current, header, contents)
		}
		return
	}
	for i, content := range contents {
		isOther := i == c.at("purpose") || i == c.at("duration") || i == c.at("provider") && nameRank(header[i]) == 0
		if !content.isOfNames() || isOther {
			continue
		}
		for column, at := range c.of {
			if at == i {
				delete(c.of, column)
			}
		}
		c.take("name", i, header)
		if _, hasProvider := c.of["provider"]; isTold && !hasProvider && contents[current].isSame() {
			c.take("provider", current, header)
		}
		return
	}
	if isTold && contents[current].isSame() {
		c.doubts = append(c.doubts, fmt.Sprintf("the column %s, taken for the names, has the same in each row", describeColumn(current, header)))
	}
}

// doubtNames doubts that a column has the names if another is as likely: what stands in it
// may be names or words.
func (c *tableColumns) doubtNames(current int, header []string, contents []columnContent) {
	for i, content := range contents {
		if i != current && i != c.at("provider") && i != c.at("category") && content.isOfNames() && nameRank(header[current]) < 3 {
			c.doubts = append(c.doubts, fmt.Sprintf("the column %s is taken for the names; the column %s may be", describeColumn(current, header), describeColumn(i, header)))
			return
		}
	}
}

// at returns the column of a field, -1 if there is none.
func (c *tableColumns) at(column string) int {
	if i, ok := c.of[column]; ok {
		return i
	}
	return -1
}

// take takes a column for that of a field, by what stands in it.
func (c *tableColumns) take(column string, i int, header []string) {
	c.of[column] = i
	c.doubts = append(c.doubts, fmt.Sprintf("the column %s is taken for the %s by what stands in it", describeColumn(i, header), column))
}

// describeColumn returns what a column is called, or its number.
func describeColumn(i int, header []string) string {
	if i < len(header) && !isEmpty(header[i]) {
		return quote(header[i])
	}
	return fmt.Sprint(i + 1)
}

// A foundCategory is what a text tells of a category.
type foundCategory struct {
	category charter.Category
	doubt    string // "" if nothing else can be meant
}

// categoryWords are what categories are called in the languages of the page: words that
// tell them, and words that make them likely.
var categoryWords = []struct {
	category     charter.Category
	sure, likely *regexp.Regexp
}{
	{
		charter.Necessary,
		regexp.MustCompile(`(?i)n[ée]cess?[aàá][ir]|essen[tcz]i|noodzakelijk|erforderlich|notwendig|nödvändig|beharrezko|ضروري`),
		regexp.MustCompile(`(?i)techni|t[èée]cni|teknis|fonctionnement|indispens`),
	},
	{
		charter.Statistics,
		regexp.MustCompile(`(?i)stati?sti|estad[íi]sti|estatísti|audien[cçtz]|analy|anal[ií]t|anal[ií]ti|mesur|measure|medici|mediç|misuraz|messung|meting|mätning|neurt|قياس|إحصا`),
		nil,
	},
	{
		charter.ThirdParty,
		regexp.MustCompile(`(?i)\btiers\b|tierce|third|tercer|terceir|terze parti|\bterzi\b|dritt|derden|tredje|hirugarren|خارجي|أطراف ثالثة`),
		regexp.MustCompile(`(?i)r[ée]seaux sociaux|social|publicit|publicid|pubblicit|marketing|advert|werb`),
	},
	{
		charter.FirstParty,
		regexp.MustCompile(`(?i)intern|first.?party|premi[èe]re partie|prima parte|propi|pr[òóo]pi|داخلي`),
		regexp.MustCompile(`(?i)fonctionnel|functional|funcional|funzional|funktional|functione|pr[ée]f[ée]ren|preferen|personnali|personali`),
	},
}

// negation is what turns what a text says of a category.
var negation = regexp.MustCompile(`(?i)(?:^|[^\pL])(?:non|not|no|pas|nicht|niet|inte|ez|não|optional|غير)(?:[^\pL]|$)`)

// findCategory returns the category that a heading or a cell speaks of.
func findCategory(text string) foundCategory {
	if len(text) > maxHeading || negation.MatchString(text) {
		return foundCategory{}
	}
	var sure, likely []charter.Category
	for _, known := range categoryWords {
		switch {
		case known.sure.MatchString(text):
			sure = append(sure, known.category)
		case known.likely != nil && known.likely.MatchString(text):
			likely = append(likely, known.category)
		}
	}
	spoken := slices.Concat(sure, likely)
	switch {
	case len(spoken) == 0:
		return foundCategory{}
	case len(spoken) == 1 && len(sure) == 1:
		return foundCategory{category: sure[0]}
	}
	return foundCategory{spoken[0], "read from " + quote(text)}
}

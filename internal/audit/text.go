package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// writeText writes the report as text: on a terminal as wide as that, elsewhere with a
// line for each row.
func (v *view) writeText(out *terminal.Printer) error {
	colour := terminal.Red
	if v.IsGood() {
		colour = terminal.Green
	}
	v.writeLine(out, v.Title())
	fmt.Fprintln(out)
	var facts terminal.Table
	for _, each := range v.Facts() {
		facts.Add(statement(each.Name), statement(each.Text))
	}
	tables := []func(*terminal.Printer) error{facts.Write, v.writeFindings}
	if v.Report.Since != nil {
		tables = append(tables, v.writeSince)
	}
	for _, write := range append(tables, v.writeCookies, v.writeItems, v.writeStopped, v.writeHosts, v.writePages) {
		if err := write(out); err != nil {
			return err
		}
	}
	v.writeList(out, "Notes", slices.Concat(v.Notes, v.Failures))
	v.writeList(out, "What this cannot see", v.Limits)
	fmt.Fprintln(out)
	var err error
	for _, line := range terminal.Wrap(statement(v.Verdict()).Text, out.Width) {
		err = errors.Join(err, out.WriteColoured(colour, line))
		fmt.Fprintln(out)
	}
	return err
}

// writeLine writes a sentence, or a title.
func (v *view) writeLine(out *terminal.Printer, text string) {
	for _, line := range terminal.Wrap(statement(text).Text, out.Width) {
		fmt.Fprintln(out, line)
	}
}

// writeTitle writes the title of what follows.
func (v *view) writeTitle(out *terminal.Printer, text string) {
	fmt.Fprintln(out)
	v.writeLine(out, text)
}

func (v *view) writeList(out *terminal.Printer, title string, sentences []string) {
	if len(sentences) == 0 {
		return
	}
	v.writeTitle(out, v.say(title))
	for _, text := range v.sayAll(sentences) {
		begin := "- "
		for _, line := range terminal.Wrap(statement(text).Text, max(out.Width-len(begin), 0)) {
			fmt.Fprintln(out, begin+line)
			begin = "  "
		}
	}
}

// maxEntry is how much is shown of a name, in characters: longer ones are made up, and JSON
// has all of them. maxStatement is how much is shown of a sentence, which can list hosts.
const (
	maxEntry     = 256
	maxStatement = 16 << 10
)

// entry returns a text in a table.
func entry(text string) terminal.Cell {
	return terminal.Cell{Text: terminal.Printable(text, maxEntry)}
}

// statement returns a sentence in a table, with the spaces that keep French signs on a line.
func statement(text string) terminal.Cell {
	return terminal.Cell{Text: strings.ReplaceAll(terminal.Printable(text, maxStatement), `\u00a0`, "\u00a0")}
}

func (v *view) writeFindings(out *terminal.Printer) error {
	if len(v.Findings) == 0 {
		return nil
	}
	v.writeTitle(out, v.say("Violations"))
	return v.writeFound(out, v.Findings, terminal.Red)
}

// writeFound writes a list of findings.
func (v *view) writeFound(out *terminal.Printer, findings []Finding, colour string) error {
	var table terminal.Table
	for _, found := range findings {
		what := statement(v.What(found))
		what.Colour = colour
		table.Add(entry(v.say(found.Kind)), v.nameAndPlace(found), what)
	}
	return table.Write(out)
}

func (v *view) nameAndPlace(found Finding) terminal.Cell {
	name := entry(v.NameOf(found))
	if place := found.Place(); place != "" {
		name.Text += " (" + entry(place).Text + ")"
	}
	return name
}

func (v *view) writeSince(out *terminal.Printer) error {
	v.writeTitle(out, v.SinceTitle())
	if len(v.Report.Since.New)+len(v.Report.Since.Gone) == 0 {
		v.writeLine(out, v.say("Nothing is new, and nothing is gone."))
		return nil
	}
	for _, part := range []struct {
		title    string
		findings []Finding
		colour   string
	}{{"New:", v.Report.Since.New, terminal.Red}, {"Gone:", v.Report.Since.Gone, ""}} {
		if len(part.findings) == 0 {
			continue
		}
		v.writeLine(out, v.say(part.title))
		if err := v.writeFound(out, part.findings, part.colour); err != nil {
			return err
		}
	}
	if v.Report.Since.OtherScope {
		v.writeLine(out, v.say(otherScope))
	}
	return nil
}

// head returns the head of a table, with the visits in it.
func (v *view) head(before []string, after ...string) []string {
	names := slices.Clone(before)
	for _, visit := range v.Visits {
		names = append(names, visit.Visit)
	}
	head := v.sayAll(slices.Concat(names, after))
	for i := range head {
		head[i] = strings.ToUpper(head[i])
	}
	return head
}

func (v *view) cells(seen *row) []terminal.Cell {
	cells := make([]terminal.Cell, 0, len(seen.Cells))
	for _, visit := range seen.Cells {
		cell := entry(v.Cell(visit))
		if visit.IsAgainst {
			cell.Colour = terminal.Red
		}
		cells = append(cells, cell)
	}
	return cells
}

func (v *view) writeCookies(out *terminal.Printer) error {
	v.writeTitle(out, v.say("Cookies"))
	rows := v.cookieRows()
	if len(rows) == 0 {
		v.writeLine(out, v.say("No cookies"))
		return nil
	}
	table := terminal.Table{Head: v.head([]string{"cookie", "declared as"}, "lifetime", "first on")}
	for _, seen := range rows {
		table.Add(slices.Concat([]terminal.Cell{v.nameAndPlace(seen.Finding), entry(v.DeclaredAs(seen))}, v.cells(seen), []terminal.Cell{statement(v.LifetimeOf(seen)), entry(v.Shown(seen.Page))})...)
	}
	if err := v.writeWide(out, &table); err != nil {
		return err
	}
	v.writeLine(out, v.say(legend))
	return nil
}

func (v *view) writeItems(out *terminal.Printer) error {
	rows := v.itemRows()
	if len(rows) == 0 {
		return nil
	}
	v.writeTitle(out, v.say("Stored items"))
	table := terminal.Table{Head: v.head([]string{"item", "declared as"}, "first on")}
	for _, seen := range rows {
		table.Add(slices.Concat([]terminal.Cell{v.nameAndPlace(seen.Finding), entry(v.DeclaredAs(seen))}, v.cells(seen), []terminal.Cell{entry(v.Shown(seen.Page))})...)
	}
	return v.writeWide(out, &table)
}

func (v *view) writeStopped(out *terminal.Printer) error {
	rows := v.stoppedRows()
	if len(rows) == 0 {
		return nil
	}
	v.writeTitle(out, v.say(stoppedTitle))
	table := terminal.Table{Head: v.head([]string{"name", "declared as"}, "first on")}
	for _, seen := range rows {
		table.Add(slices.Concat([]terminal.Cell{entry(v.StoppedName(seen)), entry(v.DeclaredAs(seen))}, v.cells(seen), []terminal.Cell{entry(v.Shown(seen.Page))})...)
	}
	return v.writeWide(out, &table)
}

func (v *view) writeHosts(out *terminal.Printer) error {
	rows := v.hostRows()
	if len(rows) == 0 {
		return nil
	}
	v.writeTitle(out, v.say("Other hosts"))
	table := terminal.Table{Head: v.head([]string{"host", "declared as"}, "cookies", "first on")}
	for _, seen := range rows {
		table.Add(slices.Concat([]terminal.Cell{entry(seen.Name), entry(v.DeclaredAs(seen))}, v.cells(seen), []terminal.Cell{statement(v.CookiesOf(seen)), entry(v.Shown(seen.Page))})...)
	}
	return v.writeWide(out, &table)
}

// writeWide writes a table with the visits after its first two columns. Where that is too
// wide, it is two: what happened on the visits, and the rest.
func (v *view) writeWide(out *terminal.Printer, table *terminal.Table) error {
	if out.Width == 0 || table.Width() <= out.Width {
		return table.Write(out)
	}
	happened, rest := []int{0}, []int{0, 1}
	for i := range v.Visits {
		happened = append(happened, 2+i)
	}
	for i := 2 + len(v.Visits); i < len(table.Head); i++ {
		rest = append(rest, i)
	}
	err := table.Pick(happened...).Write(out)
	fmt.Fprintln(out)
	return errors.Join(err, table.Pick(rest...).Write(out))
}

func (v *view) writePages(out *terminal.Printer) error {
	v.writeTitle(out, v.say("Pages, with the status of their answers"))
	table := terminal.Table{Head: v.head([]string{"page"})}
	for _, page := range v.pageRows() {
		cells := []terminal.Cell{entry(page.Address)}
		for _, visited := range page.Statuses {
			cells = append(cells, entry(v.Status(visited)))
		}
		table.Add(cells...)
	}
	return table.Write(out)
}

package terminal

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Cell is a text in a table, in a colour or in none.
type Cell struct{ Text, Colour string }

// A Table is rows of cells below a head, each cell as wide as its column.
type Table struct {
	Head []string // nil for none
	rows [][]Cell
}

// Add adds a row.
func (t *Table) Add(cells ...Cell) { t.rows = append(t.rows, cells) }

const (
	gap       = 2 // columns between cells
	minColumn = 8 // how narrow a column is made, in characters
)

// Write writes the table. On a terminal, cells are broken into several lines, so that
// the table fits; elsewhere, each row is one line.
func (t *Table) Write(out *Printer) error {
	rows := t.all()
	widths := widthsOf(rows, out.Width)
	for _, row := range rows {
		lines := make([][]string, len(row))
		most := 1
		for i, cell := range row {
			lines[i] = Wrap(cell.Text, widths[i])
			most = max(most, len(lines[i]))
		}
		for number := range most {
			space := 0 // written before the next text, so that no line ends with it
			for i, cell := range row {
				text := ""
				if number < len(lines[i]) {
					text = lines[i][number]
				}
				if text != "" {
					fmt.Fprint(out, strings.Repeat(" ", space))
					space = 0
					if err := out.writeCell(cell.Colour, text); err != nil {
						return err
					}
				}
				space += widths[i] + gap - utf8.RuneCountInString(text)
			}
			fmt.Fprintln(out)
		}
	}
	return nil
}

// writeCell writes a part of a cell.
func (p *Printer) writeCell(colour, text string) error {
	if colour == "" {
		_, err := p.Write([]byte(text))
		return err
	}
	return p.WriteColoured(colour, text)
}

// Width returns how wide the table is where rows are lines, in characters.
func (t *Table) Width() int {
	total := -gap
	for _, width := range widthsOf(t.all(), 0) {
		total += width + gap
	}
	return total
}

// Pick returns a table of some of the columns, as many as there are.
func (t *Table) Pick(columns ...int) *Table {
	picked := new(Table)
	for _, column := range columns {
		picked.Head = append(picked.Head, t.Head[column])
	}
	for _, row := range t.rows {
		cells := make([]Cell, 0, len(columns))
		for _, column := range columns {
			cells = append(cells, row[column])
		}
		picked.Add(cells...)
	}
	return picked
}

// all returns all rows, with the head.
func (t *Table) all() [][]Cell {
	if t.Head == nil {
		return t.rows
	}
	head := make([]Cell, 0, len(t.Head))
	for _, text := range t.Head {
		head = append(head, Cell{Text: text})
	}
	return slices.Concat([][]Cell{head}, t.rows)
}

// widthsOf returns how wide columns are: as wide as their cells, and where that is too
// wide in all, the widest are made narrower, down to their words as long as that can be.
func widthsOf(rows [][]Cell, most int) []int {
	var widths, words []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths, words = append(widths, 0), append(words, minColumn)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell.Text))
			for word := range strings.FieldsSeq(cell.Text) {
				words[i] = max(words[i], utf8.RuneCountInString(word))
			}
		}
	}
	if most > 0 {
		narrow(widths, words, most)
		narrow(widths, slices.Repeat([]int{minColumn}, len(widths)), most)
	}
	return widths
}

// narrow makes the widest columns narrower, none than its least, until all are as wide as
// they may be.
func narrow(widths, least []int, most int) {
	total := -gap
	for _, width := range widths {
		total += width + gap
	}
	for ; total > most; total-- {
		widest := -1
		for i, width := range widths {
			if width > least[i] && (widest < 0 || width > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// Wrap breaks a text into lines of some characters at most: between words, and within
// those that are longer. Without a width, it is one line.
func Wrap(text string, width int) []string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	var lines []string
	var line []rune
	for word := range strings.FieldsSeq(text) {
		rest := []rune(word)
		if len(line) > 0 && len(line)+1+len(rest) > width {
			lines, line = append(lines, string(line)), nil
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		for ; len(line)+len(rest) > width; line = nil {
			room := width - len(line)
			lines, rest = append(lines, string(append(line, rest[:room]...))), rest[room:]
		}
		line = append(line, rest...)
	}
	if len(line) > 0 {
		lines = append(lines, string(line))
	}
	return lines
}

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
	gap       = 2  // columns between cells
	minColumn = 8  // how narrow a column is made, in characters
	maxWord   = 16 // how long a word is that has to stay whole in a table with a head
)

// Write writes the table. On a terminal, cells are broken into several lines, so that
// the table fits, and where words would have to be broken for that, each cell is a line
// below the other, named by its head; elsewhere, each row is one line.
func (t *Table) Write(out *Printer) error {
	rows := t.all()
	widths, fits := widthsOf(rows, out.Width)
	if !fits && t.Head != nil {
		return t.upright().Write(out)
	}
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
	widths, _ := widthsOf(t.all(), 0)
	return widthOf(widths)
}

// upright returns a table with a row for each cell that says something, named by its head,
// and an empty one between the rows of the table itself.
func (t *Table) upright() *Table {
	turned := new(Table)
	for number, row := range t.rows {
		if number > 0 {
			turned.Add(Cell{}, Cell{})
		}
		for i, cell := range row {
			if cell.Text != "" && cell.Text != "-" {
				turned.Add(Cell{Text: t.Head[i]}, cell)
			}
		}
	}
	return turned
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
// wide in all, the widest are made narrower: down to their words and to three lines, else to
// words that take no more than a third of the width, else to the least. It tells whether all
// words fit but for long ones.
func widthsOf(rows [][]Cell, most int) (widths []int, fits bool) {
	var lines, words, short []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths, lines, words, short = append(widths, 0), append(lines, minColumn), append(words, minColumn), append(short, minColumn)
			}
			length := utf8.RuneCountInString(cell.Text)
			widths[i], lines[i] = max(widths[i], length), max(lines[i], (length+2)/3)
			for word := range strings.FieldsFuncSeq(cell.Text, isSpace) {
				length := utf8.RuneCountInString(word)
				lines[i], words[i], short[i] = max(lines[i], length), max(words[i], min(length, most/3)), max(short[i], min(length, maxWord))
			}
		}
	}
	if most <= 0 {
		return widths, true
	}
	narrowed := widths
	for _, least := range [][]int{lines, words, slices.Repeat([]int{minColumn}, len(widths))} {
		if narrowed = narrow(widths, least, most); widthOf(narrowed) <= most {
			break
		}
	}
	return narrowed, widthOf(short) <= most
}

// widthOf returns how wide columns are together.
func widthOf(widths []int) int {
	total := -gap
	for _, width := range widths {
		total += width + gap
	}
	return total
}

// narrow returns the widths of columns of which the widest are made narrower, none than its
// least, until all are as wide as they may be.
func narrow(widths, least []int, most int) []int {
	widths = slices.Clone(widths)
	for total := widthOf(widths); total > most; total-- {
		widest := -1
		for i, width := range widths {
			if width > least[i] && (widest < 0 || width > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// isSpace tells whether a line can be broken at a character: not at the spaces by which French
// keeps its signs on the line.
func isSpace(char rune) bool { return strings.ContainsRune(" \t\n\v\f\r", char) }

// Wrap breaks a text into lines of some characters at most: between words, and within
// those that are longer. Without a width, it is one line.
func Wrap(text string, width int) []string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	var lines []string
	var line []rune
	for word := range strings.FieldsFuncSeq(text, isSpace) {
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

// Package guard makes the script that keeps a document's scripts to the cookies, and the
// stored items, that the charter declares and the visitor allows, and what each visitor's document tells it. The
// script is the same for all visitors; the state of a visitor is a digit for each group of
// rows, whose verdicts are always the same together.
package guard

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html"
	"slices"
	"strconv"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// Both are guard.js as `npm --prefix e2e run guard` shortens it, with the words CHARTER and
// VERSION in the places of what New fills in: for charters without stored items, and with.
var (
	//go:embed guard.min.js
	source string
	//go:embed guard.storage.min.js
	storageSource string
)

// FileName is what the script is called beside the page, and QuestionName where it asks what
// is allowed now.
const (
	FileName     = "guard.js"
	QuestionName = "guard"
)

// A Guard is the guard of one charter. Nothing changes it once it is made.
type Guard struct {
	charter *charter.Charter
	store   *answers.Store
	script  []byte
	version string
	groups  []*charter.Row // the first row of each, nil for the group that is always allowed
	begin   string         // of the tag

	monitors bool

	beside    string // the path to which the names of both files are added
	integrity string // the script's hash, as policies and tags have it
}

// A group is what rows have in common whose verdicts are always the same together. Banners
// answer to categories, too. The zero group is always allowed.
type group struct {
	key      string
	category charter.Category
	isExempt bool
}

// groupOf returns the group of a row.
func groupOf(row *charter.Row) group {
	if row.Key == "" || row.Monitor {
		return group{}
	}
	return group{row.Key, row.Category, row.Exempt}
}

// What the script has to know of a row beside its verdict.
const (
	holdsAnswers = 1 << iota
	isReserved   // it is the page's alone to write
	isStored     // its names are keys of local or session storage
)

// noLimit stands for the lifetime of cookies that live for as long as they ask for.
const noLimit = -1

// A kind is what rows have in common that the script treats alike.
type kind struct{ group, seconds, flags int }

// table is what the script knows of the charter.
type table struct {
	Rows       [][]any `json:"rows"`                 // group, seconds, flags, and names with spaces between
	Monitors   bool    `json:"monitors,omitempty"`   // all is only reported
	Passes     bool    `json:"passes,omitempty"`     // scripts read all cookies
	Undeclared bool    `json:"undeclared,omitempty"` // what no row declares is only reported
}

// New returns the guard of a charter whose page is at a path. One that monitors stops
// nothing, and tells what it would have stopped.
func New(c *charter.Charter, policy *judge.Policy, store *answers.Store, pagePath string, monitors bool) (*Guard, error) {
	g := &Guard{charter: c, store: store, monitors: monitors || policy.Monitor == judge.MonitorEverything}
	source := source
	known := table{
		Monitors: g.monitors,
		Passes:   policy.PassesRequests, Undeclared: policy.Monitor == judge.MonitorUndeclared,
	}
	groups := []group{{}}
	g.groups = []*charter.Row{nil}
	var kinds []kind
	var names []charter.Names
	for _, row := range c.Rows {
		own := groupOf(row)
		number := slices.Index(groups, own)
		if number < 0 {
			number = len(groups)
			groups, g.groups = append(groups, own), append(g.groups, row)
		}
		seconds := noLimit
		if policy.EnforcesDuration && !row.Monitor {
			seconds = row.Limit.Seconds()
		}
		add := func(one kind, pattern string) {
			at := slices.Index(kinds, one)
			if at < 0 {
				at = len(kinds)
				kinds, names = append(kinds, one), append(names, nil)
			}
			names[at] = append(names[at], pattern)
		}
		for _, pattern := range row.Patterns() {
			one := kind{number, seconds, 0}
			if store.Rows[row] {
				one.flags |= holdsAnswers
			}
			if !row.Monitor && (&answers.Visitor{Store: store}).IsReserved(pattern) {
				one.flags |= isReserved
			}
			add(one, pattern)
		}
		if g.monitors {
			continue
		}
		for _, pattern := range row.Storage {
			add(kind{number, noLimit, isStored}, pattern)
			source = storageSource
		}
	}
	for i, one := range kinds {
		written := names[i]
		if one.flags != isStored {
			written = shorten(written)
		}
		known.Rows = append(known.Rows, []any{one.group, one.seconds, one.flags, strings.Join(written, " ")})
	}
	encoder := new(bytes.Buffer)
	writer := json.NewEncoder(encoder)
	writer.SetEscapeHTML(false) // it is a file of its own
	if err := writer.Encode(known); err != nil {
		return nil, err
	}
	inJSON := strings.TrimSpace(encoder.String())
	g.version = charter.Hash([]byte(source+inJSON), 4)
	g.script = []byte(strings.NewReplacer("CHARTER", inJSON, "VERSION", strconv.Quote(g.version)).Replace(source))
	sum := sha256.Sum256(g.script)
	g.integrity = "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	g.beside = document.Beside(pagePath, "")
	g.begin = `<script src="` + html.EscapeString(g.beside+g.Name()) + `" data-state="`
	return g, nil
}

// shorten writes nine prefixes that differ in a digit, from 1 to 9, as one with a slash, which
// no name has: some trackers add a number to their names.
func shorten(patterns charter.Names) []string {
	var short []string
	for _, pattern := range patterns {
		base, isFirst := strings.CutSuffix(pattern, "1*")
		isOne := func(digit int) bool { return slices.Contains(patterns, base+strconv.Itoa(digit)+"*") }
		if isFirst && !slices.ContainsFunc([]int{2, 3, 4, 5, 6, 7, 8, 9}, func(digit int) bool { return !isOne(digit) }) {
			short = append(short, base+"/")
		} else if !slices.Contains(short, numbered(pattern)) {
			short = append(short, pattern)
		}
	}
	return short
}

// numbered returns what a prefix that ends in a digit is written as beside the other eight.
func numbered(pattern string) string {
	if base, isPrefix := strings.CutSuffix(pattern, "*"); isPrefix && base != "" {
		return base[:len(base)-1] + "/"
	}
	return ""
}

// Monitors tells whether the script stops nothing, and tells what it would have stopped.
func (g *Guard) Monitors() bool { return g.monitors }

// Script returns the script, and Name the reference to it from the page's path, which changes
// whenever the script does.
func (g *Guard) Script() []byte { return g.script }

// Name returns the reference to the script from the page's path: another one for another
// script.
func (g *Guard) Name() string { return FileName + "?v=" + g.version }

// Tag returns the markup that has a visitor's document load the script, with the nonce or the
// hash by which the portal's policies let it in.
func (g *Guard) Tag(visitor *answers.Visitor, by document.Admission) []byte {
	tag := make([]byte, 0, 256)
	tag = append(tag, g.begin...)
	tag = g.appendState(tag, visitor)
	tag = append(tag, `" data-seen="`...)
	tag = strconv.AppendUint(tag, uint64(g.seen(visitor.Lines)), 10)
	if by.Nonce != "" {
		tag = append(tag, `" nonce="`...)
		tag = append(tag, html.EscapeString(by.Nonce)...)
	}
	if by.NeedsIntegrity {
		tag = append(tag, `" integrity="`...)
		tag = append(tag, g.integrity...)
		tag = append(tag, `" crossorigin="`...) // else, policies take no notice of it
	}
	return append(tag, `"></script>`...)
}

// Guest returns the guard as it asks the policies of an origin's documents to be let in.
func (g *Guard) Guest(origin string) document.Guest {
	beside := origin + g.beside
	return document.Guest{Origin: origin, Script: beside + FileName, Integrity: g.integrity, Asks: beside + QuestionName}
}

// An answer is what the server says to the script's question.
type answer struct {
	State   string          `json:"state"`
	Allowed map[string]bool `json:"allowed"` // by consent key, whether all of its cookies are
}

// Answer returns what a visitor allows now, as JSON, for the script of a version. It is not ok
// for another one, whose groups are others.
func (g *Guard) Answer(visitor *answers.Visitor, version string) (body []byte, ok bool) {
	if version != g.version {
		return nil, false
	}
	now := answer{string(g.appendState(nil, visitor)), map[string]bool{}}
	for _, row := range g.charter.Rows {
		if row.Key == "" {
			continue
		}
		before, isThere := now.Allowed[row.Key]
		now.Allowed[row.Key] = (before || !isThere) && judge.VerdictOf(row, visitor) == judge.Allowed
	}
	body, err := json.Marshal(now)
	return body, err == nil
}

// appendState appends a digit for each group: whether it is allowed.
func (g *Guard) appendState(to []byte, visitor *answers.Visitor) []byte {
	for _, row := range g.groups {
		digit := byte('0')
		if row == nil || judge.VerdictOf(row, visitor) == judge.Allowed {
			digit = '1'
		}
		to = append(to, digit)
	}
	return to
}

// seen returns a hash over the cookies that hold answers, as the script computes it of what it
// sees. It does not heed their order, nor characters beyond ASCII, of which browsers show
// others to scripts than they send.
func (g *Guard) seen(lines setcookie.Lines) (sum uint32) {
	for name, value := range lines.Pairs() {
		if row := g.charter.Find(name); row == nil || !g.store.Rows[row] || !setcookie.IsToken(name) {
			continue
		}
		one := hash(fnvOffset, name)
		one = hash(one, "=")
		sum += hash(one, value)
	}
	return sum
}

// The numbers of FNV-1a in 32 bits.
const (
	fnvOffset uint32 = 0x811c9dc5
	fnvPrime  uint32 = 0x01000193
)

func hash(sum uint32, text string) uint32 {
	for i := range len(text) {
		if text[i] < 0x80 {
			sum = (sum ^ uint32(text[i])) * fnvPrime
		}
	}
	return sum
}

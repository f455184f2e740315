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
	"fmt"
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

// Each is guard.js as `npm --prefix e2e run guard` shortens it, with the words ROWS, PASSES and
// VERSION in the places of what New fills in: for charters without stored items, with them,
// and for who only monitors, with them or without.
var (
	//go:embed guard.min.js
	source string
	//go:embed guard.storage.min.js
	storageSource string
	//go:embed guard.monitor.min.js
	monitorSource string
)

// FileName is what the script is called beside the page, and QuestionName where it asks what
// is allowed now.
const (
	FileName     = "guard.js"
	QuestionName = "guard"
)

// maxScript is how long the script may be, in bytes: that of about 4,000 names.
const maxScript = 64 << 10

// A Guard is the guard of one charter. Nothing changes it once it is made.
type Guard struct {
	charter *charter.Charter
	store   *answers.Store
	script  []byte
	version string
	groups  []*charter.Row // the first row of each, but for those two that no answer changes
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

// The groups that no answer changes: what is always allowed, and what no row declares.
const (
	alwaysAllowed = iota
	undeclared
	fixedGroups // their number
)

// What the script has to know of a row beside its verdict.
const (
	holdsAnswers = 1 << iota
	isReserved   // it is the page's alone to write
	isStored     // its names are keys of local or session storage
	nextGroup    // what the number of a group is multiplied with
)

// noLimit is how many seconds cookies live that live for as long as they ask for: no browser
// keeps any for longer.
var noLimit = charter.MaxLifetime.Seconds()

// A kind is what rows have in common that the script treats alike.
type kind struct{ group, flags, seconds int }

// A table has the names of each kind.
type table struct {
	kinds []kind
	names []charter.Names
}

func (t *table) add(one kind, patterns ...string) {
	at := slices.Index(t.kinds, one)
	if at < 0 {
		at = len(t.kinds)
		t.kinds, t.names = append(t.kinds, one), append(t.names, nil)
	}
	t.names[at] = append(t.names[at], patterns...)
}

// String returns the table as the script reads it: of each kind group and flags as one number,
// the seconds, and the names, with a space between, and two between kinds.
func (t *table) String() string {
	lines := make([]string, 0, len(t.kinds))
	for i, one := range t.kinds {
		names := t.names[i]
		if one.flags != isStored {
			names = shorten(names)
		}
		lines = append(lines, fmt.Sprintf("%d %d %s", one.group*nextGroup|one.flags, one.seconds, strings.Join(names, " ")))
	}
	return strings.Join(lines, "  ")
}

// New returns the guard of a charter whose page is at a path. One that monitors stops
// nothing, and tells what it would have stopped, and what is stored and not declared.
func New(c *charter.Charter, policy *judge.Policy, store *answers.Store, pagePath string, monitors bool) (*Guard, error) {
	g := &Guard{charter: c, store: store, monitors: monitors || policy.Monitor == judge.MonitorEverything}
	var known table
	holdsItems := false
	var groups []group
	for _, row := range c.Rows {
		number := alwaysAllowed
		if own := groupOf(row); own != (group{}) {
			at := slices.Index(groups, own)
			if at < 0 {
				at = len(groups)
				groups, g.groups = append(groups, own), append(g.groups, row)
			}
			number = fixedGroups + at
		}
		seconds := noLimit
		if policy.EnforcesDuration && !row.Monitor {
			seconds = row.Limit.Seconds()
		}
		for _, pattern := range row.Patterns() {
			one := kind{group: number, seconds: seconds}
			if store.Rows[row] {
				one.flags |= holdsAnswers
			}
			if !row.Monitor && (&answers.Visitor{Store: store}).IsReserved(pattern) {
				one.flags |= isReserved
			}
			known.add(one, pattern)
		}
		if len(row.Storage) > 0 {
			known.add(kind{number, isStored, noLimit}, row.Storage...)
			holdsItems = true
		}
	}
	// An asterisk alone is what no other row declares.
	other := kind{group: undeclared, seconds: noLimit}
	if policy.Monitor == judge.MonitorUndeclared {
		other.group = alwaysAllowed
	}
	known.add(other, "*")
	// Items that no row declares are left alone, and told where it only monitors.
	source := source
	switch {
	case g.monitors:
		source = monitorSource
		known.add(kind{undeclared, isStored, noLimit}, "*")
	case holdsItems:
		source = storageSource
		known.add(kind{alwaysAllowed, isStored, noLimit}, "*")
	}
	encoder := new(bytes.Buffer)
	writer := json.NewEncoder(encoder)
	writer.SetEscapeHTML(false) // it is a file of its own
	if err := writer.Encode(known.String()); err != nil {
		return nil, err
	}
	rows, passes := strings.TrimSpace(encoder.String()), strconv.FormatBool(policy.PassesRequests)
	g.version = charter.Hash([]byte(source+rows+passes), 4)
	g.script = []byte(strings.NewReplacer("ROWS", rows, "PASSES", passes, "VERSION", strconv.Quote(g.version)).Replace(source))
	if len(g.script) > maxScript {
		return nil, fmt.Errorf("the guard's script would have %d bytes, more than %d, as each document needs all names of the charter before anything else; declare names that begin alike as a prefix, such as _pk_id.*", len(g.script), maxScript)
	}
	sum := sha256.Sum256(g.script)
	g.integrity = "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	g.beside = document.Beside(pagePath, "")
	g.begin = `<script src="` + html.EscapeString(g.beside+g.Name()) + `" data-state="`
	return g, nil
}

// shorten writes a name and nine prefixes that add a digit to it, from 1 to 9, as one with a
// slash, which no name has: some trackers add a number to their names.
func shorten(patterns charter.Names) charter.Names {
	isThere := make(map[string]bool, len(patterns))
	for _, pattern := range patterns {
		isThere[pattern] = true
	}
	isNumbered := func(base string) bool {
		for digit := 1; digit <= 9; digit++ {
			if !isThere[base+strconv.Itoa(digit)+"*"] {
				return false
			}
		}
		return isThere[base]
	}
	var short charter.Names
	for _, pattern := range patterns {
		if isNumbered(pattern) {
			pattern += "/"
		} else if prefix, isPrefix := strings.CutSuffix(pattern, "*"); isPrefix && prefix != "" {
			if digit := prefix[len(prefix)-1]; digit >= '1' && digit <= '9' && isNumbered(prefix[:len(prefix)-1]) {
				continue
			}
		}
		short = append(short, pattern)
	}
	return short
}

// Monitors tells whether the script stops nothing, and tells of what it finds.
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
	to = append(to, "10"...)
	for _, row := range g.groups {
		digit := byte('0')
		if judge.VerdictOf(row, visitor) == judge.Allowed {
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
		sum += hash(hash(hash(0, name), "="), value)
	}
	return sum
}

// hash goes on with a hash as sdbm has it.
func hash(sum uint32, text string) uint32 {
	for i := range len(text) {
		if text[i] < 0x80 {
			sum = sum*65599 + uint32(text[i])
		}
	}
	return sum
}

// Package charter reads, checks and joins declared cookies: presets, files and rows, into
// one table with a version, fingerprints of what it asks, and an index by name.
package charter

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Doubts returns what browsers or the page do otherwise than the operator's own rows
// say: durations that are too long, or, where they are only declared, not so, and
// texts in languages that the page does not speak.
func (c *Charter) Doubts(enforces bool, languages []string) []string {
	var tooLong, unread []string
	for _, row := range c.ownRows {
		name := row.title()
		declared, err := ParseDuration(row.Duration)
		isOver := err == nil && declared.Seconds() > row.maxDuration().Seconds()
		switch {
		case isOver && enforces && !row.Monitor:
			reason := "browsers keep no cookie longer"
			if row.Exempt {
				reason = "an exempt row lives no longer"
			}
			tooLong = append(tooLong, fmt.Sprintf("%s: of the duration %q, %s are enforced and published, as %s; declare that, at %s", name, row.Duration, row.maxDuration(), reason, row.Place("duration")))
		case isOver && declared.Seconds() > MaxLifetime.Seconds():
			tooLong = append(tooLong, fmt.Sprintf("%s: the duration %q is published, but is not so, as browsers keep no cookie longer than %s; declare that, at %s", name, row.Duration, MaxLifetime, row.Place("duration")))
		}
		for _, field := range TextFields {
			text := *Fields.Find(field).Of(&row.Cookie).(*Text)
			for _, language := range slices.Sorted(maps.Keys(text)) {
				if language != "" && !slices.Contains(languages, language) {
					unread = append(unread, fmt.Sprintf("%s: the page does not speak %q, the language of its %s; use one of %s, at %s", name, language, field, strings.Join(languages, ", "), row.Place(field+" "+language)))
				}
			}
		}
	}
	return slices.Concat(tooLong, unread)
}

// Gaps returns what people would miss in the operator's own rows, in those that are
// declared for a banner's cookies, and about who asks them.
func (c *Charter) Gaps() []string {
	var gaps []string
	if len(c.ConsentKeys()) > 0 && len(c.About.Controller) == 0 {
		gaps = append(gaps, `the charter has no controller; visitors are to be told who asks for their consent: write name and address in "controller"`)
	}
	for _, row := range c.ownRows {
		for _, field := range []struct{ name, value string }{{"provider", row.Provider.In("")}, {"duration", row.Duration}} {
			if field.value == "" && (len(row.Name) > 0 || field.name != "duration") {
				gaps = append(gaps, fmt.Sprintf("%s has no %s; visitors are to be told, at %s", row.title(), field.name, row.Place("")))
			}
		}
	}
	for _, row := range c.Rows {
		if row.Duration == "" && strings.HasPrefix(row.Place(""), preferenceFile+":") {
			gaps = append(gaps, fmt.Sprintf("%s, in which a banner keeps answers, has no duration; visitors are to be told: declare it with how long the banner keeps it, in a row of its own", row.title()))
		}
	}
	return gaps
}

// KeysWithoutHosts returns the consent keys of which no row tells where its service is: it
// may be where this site is, as what is the site's own surely is, or the operator may have to
// say so.
func (c *Charter) KeysWithoutHosts() []string {
	return slices.DeleteFunc(c.ConsentKeys(), func(key string) bool {
		return slices.ContainsFunc(c.Rows, func(row *Row) bool {
			return row.Key == key && (len(row.Host)+len(row.Script) > 0 || row.Category == FirstParty)
		})
	})
}

// A Charter is the declared table of cookies: published by the page and
// enforced by the filter. It never changes once built.
type Charter struct {
	Rows    []*Row    // in the order of the sources
	About   About     // the portal, by all sources
	Updated time.Time // the latest of the sources, zero if none says
	Version string    // a hash over all that is declared, and over the page's own words

	// Fingerprints are, by consent key, hashes over what the visitor is asked: who
	// wants to do what.
	Fingerprints map[string]string

	ownRows []*Row // which no preset declares

	names, items nameTree
}

// New joins the sources, in their order, into one table.
func New(sources ...Source) (*Charter, error) {
	c, additions, err := join(sources)
	if err != nil {
		return nil, err
	}
	if err := c.add(additions); err != nil {
		return nil, err
	}
	for number, row := range c.Rows {
		row.Number, row.Limit, row.sources = number, row.maxDuration(), sourcesOf(row.Host)
		c.names.add(row.Patterns(), row)
		c.items.add(row.Storage, row)
	}
	return c, nil
}

// Check returns the mistakes in rows that others may stand beside.
func (s Source) Check() error {
	return errors.Join(s.eachMistake()...)
}

// eachMistake returns the mistakes of each row by itself, or else the first beside the others.
func (s Source) eachMistake() (mistakes []error) {
	declared := map[claimed]*Row{}
	for i := range s.Rows {
		row := &s.Rows[i]
		found := row.eachMistake()
		for _, each := range row.claims() {
			if earlier := declared[each]; earlier != nil && found == nil && earlier != row {
				found = []error{declaredTwice(each, earlier, row)}
			}
			declared[each] = row
		}
		if !row.isMistaken {
			mistakes = append(mistakes, found...)
		}
	}
	return mistakes
}

// mistakes returns those of the rows and of what is said of the portal. Of a source that
// stands alone, additions belong to its own rows.
func (s Source) mistakes(isAlone bool) []error {
	mistakes := s.eachMistake()
	if field, err := s.About.Validate(); err != nil {
		mistakes = append(mistakes, fmt.Errorf("%w%s", err, s.at(field)))
	}
	if !isAlone {
		return mistakes
	}
	var keys []string
	for _, row := range s.Rows {
		if key := row.consentKey(); key != "" && !row.isAddition() && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for i := range s.Rows {
		if row := &s.Rows[i]; !row.isMistaken && row.isAddition() && row.mistake() == nil && !slices.Contains(keys, row.Consent) {
			mistakes = append(mistakes, row.belongsNowhere(keys))
		}
	}
	return mistakes
}

// An addition is a row that adds hosts, scripts or stored items to the first row of its key.
type addition struct {
	*Row
	isPreset bool // it adds nothing where no row has its key
}

// add puts additions where they belong.
func (c *Charter) add(additions []addition) error {
	for _, added := range additions {
		i := slices.IndexFunc(c.Rows, func(row *Row) bool { return row.Key == added.Consent })
		switch {
		case i >= 0:
			row := *c.Rows[i] // the source keeps its own
			for _, field := range otherFields {
				names := field.Of(&row.Cookie).(*Names)
				*names = addOnce(*names, *field.Of(&added.Cookie).(*Names))
			}
			c.Rows[i] = &row
		case !added.isPreset:
			return added.belongsNowhere(c.ConsentKeys())
		}
	}
	return nil
}

// belongsNowhere returns the mistake in an addition of which no row has the consent key.
func (r *Row) belongsNowhere(keys []string) error {
	fix := `say in "purpose" and "category" what it is for`
	if len(keys) > 0 {
		fix = UseOneOf(keys) + ", or " + fix
	}
	if names := presetsOf(r.Consent); len(names) > 0 {
		fix = fmt.Sprintf("name the preset %s, whose rows have it, beside this charter, and check the Caddyfile that does, or %s", strings.Join(names, " or "), fix)
	}
	return fmt.Errorf("%s: no row has the consent key %q, to which it would be added; %s, at %s", r.title(), r.Consent, fix, r.Place("consent"))
}

// addOnce returns names with others that are not among them. Neither of both is changed.
func addOnce(names, others Names) Names {
	for _, other := range others {
		if !slices.Contains(names, other) {
			names = slices.Concat(names, Names{other})
		}
	}
	return names
}

// join puts the rows of sources into one table, without an index, and returns what is still
// to be added to them.
func join(sources []Source) (*Charter, []addition, error) {
	c := new(Charter)
	var additions []addition
	type claim struct {
		*Row
		preset bool
	}
	claims := map[claimed]claim{}
	for _, source := range sources {
		if field, err := source.About.Validate(); err != nil {
			return nil, nil, fmt.Errorf("%w%s", err, source.at(field))
		}
		if twice := c.About.add(&source.About); twice != "" {
			return nil, nil, fmt.Errorf("%s is declared twice; remove one of the two%s", twice, source.at(twice))
		}
		if source.Updated.After(c.Updated) {
			c.Updated = source.Updated
		}
		for i := range source.Rows {
			added := claim{&source.Rows[i], source.isPreset}
			if err := added.mistake(); err != nil {
				return nil, nil, err
			}
			for _, one := range added.claims() {
				earlier, taken := claims[one]
				switch {
				case !taken || earlier.Row == added.Row:
				case earlier.preset:
					maps.DeleteFunc(claims, func(_ claimed, other claim) bool { return other.Row == earlier.Row })
					c.Rows = slices.DeleteFunc(c.Rows, func(row *Row) bool { return row == earlier.Row })
					additions = slices.DeleteFunc(additions, func(other addition) bool { return other.Row == earlier.Row })
				default:
					return nil, nil, declaredTwice(one, earlier.Row, added.Row)
				}
				claims[one] = added
			}
			if added.isAddition() {
				additions = append(additions, addition{added.Row, source.isPreset})
			} else {
				c.Rows = append(c.Rows, added.Row)
			}
		}
	}
	for _, source := range sources {
		if source.isPreset {
			continue
		}
		for i := range source.Rows {
			if !source.Rows[i].isAddition() {
				c.ownRows = append(c.ownRows, &source.Rows[i])
			}
		}
	}
	for _, row := range c.Rows {
		row.Key = row.consentKey()
	}
	return c, additions, nil
}

// mistake returns the first mistake in the row, nil if there is none.
func (r *Row) mistake() error {
	for _, first := range r.eachMistake() {
		return first
	}
	return nil
}

// eachMistake returns what cannot be used in the row, with where it is.
func (r *Row) eachMistake() (mistakes []error) {
	for _, mistake := range r.mistakes() {
		mistakes = append(mistakes, fmt.Errorf("%s: %w, at %s", r.title(), mistake.err, r.Place(mistake.field)))
	}
	return mistakes
}

// A claimed is what one row alone declares.
type claimed struct{ kind, name string }

// claims returns what no other row can declare: names and patterns of cookies, and stored
// items. A host or a script can be in several.
func (r *Row) claims() []claimed {
	claims := make([]claimed, 0, len(r.Name)+len(r.Match)+len(r.Storage))
	for _, name := range slices.Concat(r.Name, r.Match) {
		claims = append(claims, claimed{"cookie", name})
	}
	for _, item := range r.Storage {
		claims = append(claims, claimed{"storage", item})
	}
	return claims
}

func declaredTwice(what claimed, earlier, added *Row) error {
	return fmt.Errorf("%s %q is declared twice; remove one of the two, at %s and %s", what.kind, what.name, earlier.Place(""), added.Place(""))
}

// Find returns the row that declares a name, nil if none does.
func (c *Charter) Find(name string) *Row { return c.names.find(name) }

// FindItem returns the row that declares a stored item by its key, nil if none does.
func (c *Charter) FindItem(key string) *Row { return c.items.find(key) }

// ComputeVersion computes the version, over all that is declared and what else the page
// says in its own words, and the fingerprints, over the texts in one language: a
// translation asks for nothing new.
func (c *Charter) ComputeVersion(language string, words ...any) error {
	rows := make([]json.RawMessage, 0, len(c.Rows))
	for _, row := range c.Rows {
		cookie := row.Cookie
		if cookie.Duration != "" {
			cookie.Duration = strconv.Itoa(row.Limit.Seconds()) // whatever unit it is written in
		}
		encoded, err := json.Marshal(cookie)
		if err != nil {
			return err
		}
		rows = append(rows, encoded)
	}
	slices.SortFunc(rows, func(a, b json.RawMessage) int { return bytes.Compare(a, b) }) // a host can stand in several
	said := []any{rows}
	if !c.About.isZero() {
		said = append(said, c.About)
	}
	declared, err := json.Marshal(append(said, words...))
	if err != nil {
		return err
	}
	c.Version = Hash(declared, versionBytes)
	c.Fingerprints = map[string]string{}
	for _, key := range c.ConsentKeys() {
		var questions []string
		for _, cookie := range c.Rows {
			if cookie.Key == key {
				asked := slices.Concat([]string{cookie.Provider.In(language, "en"), cookie.Purpose.In(language, "en"), string(cookie.Category)}, slices.Sorted(slices.Values(cookie.Country)))
				questions = append(questions, fmt.Sprintf("%q", asked))
				questions = append(questions, cookie.Host...) // the same question, whichever row has them
				for _, item := range cookie.Storage {
					questions = append(questions, "storage "+item)
				}
			}
		}
		slices.Sort(questions)
		c.Fingerprints[key] = Hash([]byte(strings.Join(slices.Compact(questions), "\n")), 4)
	}
	return nil
}

// versionBytes is how many bytes of a hash a version has, in hexadecimal.
const versionBytes = 6

// IsVersion tells whether a text can be the version of a charter.
func IsVersion(text string) bool {
	return len(text) == 2*versionBytes && strings.Trim(text, "0123456789abcdef") == ""
}

// Hash returns the first bytes of the SHA-256 hash of data, in hexadecimal.
func Hash(data []byte, length int) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:length])
}

// UseOneOf returns the end of an error about a consent key that no row has: what to use
// instead.
func UseOneOf(keys []string) string {
	if len(keys) == 0 {
		return "no row needs an answer, so there is none to use"
	}
	return fmt.Sprintf("use one of %v", keys)
}

// ConsentKeys returns the keys that a visitor can answer, in the order of the
// table.
func (c *Charter) ConsentKeys() []string {
	var keys []string
	for _, cookie := range c.Rows {
		if key := cookie.Key; key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

package answers

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// A Store is where the answers of visitors are, to the keys of a charter.
// Nothing changes it once it is made.
type Store struct {
	charter        *charter.Charter
	Preferences    []*Preference         // the places, in the order of the options
	Rows           map[*charter.Row]bool // rows of cookies that hold answers
	UsesHostCookie bool                  // some are in HostCookie over https
	Now            func() time.Time      // the clock by which grants end
	enforces       bool                  // declared durations hold
}

// Join joins sources into a charter that also declares the cookies in which answers are stored
// in some formats, and returns it with the store of these. Whether durations are enforced tells
// how long grants hold.
func Join(sources []charter.Source, formats []Config, enforces bool, now func() time.Time) (*charter.Charter, *Store, error) {
	preferences, declared, err := newPreferences(formats, sources)
	if err != nil {
		return nil, nil, err
	}
	joined, err := charter.New(slices.Concat(declared, sources)...)
	if err != nil {
		return nil, nil, err
	}
	store, err := newStore(preferences, joined, enforces, now)
	return joined, store, err
}

// newStore returns the store of a charter that declares its cookies.
func newStore(preferences []*Preference, c *charter.Charter, enforces bool, now func() time.Time) (*Store, error) {
	s := &Store{charter: c, Preferences: preferences, Rows: map[*charter.Row]bool{}, Now: now, enforces: enforces}
	for _, p := range preferences {
		for _, name := range slices.Concat(p.Names, Formats[p.Format].proofs) {
			switch row := c.Find(strings.TrimSuffix(name, "*")); {
			case row == nil:
				return nil, fmt.Errorf("cookie %q holds the visitor's preference, but the row of this name matches others; add it to the row's match", name)
			case row.Category != charter.Necessary:
				return nil, fmt.Errorf("cookie %q holds the visitor's preference, which has to be kept in any case; make its category necessary, at %s", name, row.Place(""))
			default:
				s.Rows[row] = true
			}
		}
		for key := range p.Keys {
			if !slices.Contains(c.ConsentKeys(), key) && !slices.Contains(charter.Categories, charter.Category(key)) {
				return nil, fmt.Errorf("no cookie has the consent key %q, for which the preference %s has a key; %s", key, p.Format, charter.UseOneOf(c.ConsentKeys()))
			}
		}
		p.Lifetime = s.Lifetime(c.Find(strings.TrimSuffix(p.Names[0], "*")))
		s.UsesHostCookie = s.UsesHostCookie || p.usesHostCookie
	}
	return s, nil
}

// Lifetime returns how long a cookie of a row lives that holds answers: six months, or as
// long as its row says.
func (s *Store) Lifetime(row *charter.Row) charter.Duration {
	declared, err := charter.ParseDuration(row.Duration)
	if err != nil {
		declared = preferenceLifetime
	}
	return row.Lifetime(declared, s.enforces)
}

// CheckRoom returns an error if the answers to all keys, and the reference of a record
// where there is one, do not fit into a cookie.
func (s *Store) CheckRoom(records bool) error {
	reference := ""
	if records {
		reference = rand.Text()
	}
	for _, answer := range []Answer{Granted, Refused} {
		answers := map[string]Answer{}
		for _, key := range s.charter.ConsentKeys() {
			answers[key] = answer
		}
		for _, cookie := range (&Visitor{Store: s, Secure: true}).Save(answers, reference, s.Now()) {
			if length := len(cookie.Name) + len(cookie.Value); length > MaxPreference {
				return fmt.Errorf("the charter has %d consent keys, whose answers take %d bytes; a cookie holds %d: let more rows share a key", len(answers), length, MaxPreference)
			}
		}
	}
	return nil
}

package answers

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

const (
	// MaxPreference is the longest stored value that is read or written, in
	// bytes: what browsers keep of a cookie (RFC 6265bis, section 5.6).
	MaxPreference = 4096

	// PlainCookie and hostCookie are the usual cookies of the format charter. Over
	// https, any host of the same site can write the former, so that only its
	// refusals count.
	PlainCookie = "charter_preference"
	HostCookie  = "__Host-" + PlainCookie
)

// preferenceLifetime is how long the visitor's choice is kept if the row of its
// cookie says nothing else: what the CNIL calls good practice (recommendation of
// 17 September 2020).
var preferenceLifetime = charter.Duration{Count: 6, Unit: "month"}

// A Preference is one place where answers are stored: its format, and its cookies.
type Preference struct {
	Config

	Names          []string         // of the cookies, or prefixes that end in "*"
	usesHostCookie bool             // over https, it is in hostCookie
	Lifetime       charter.Duration // of what the charter page writes
	recent         *recentValues    // nil if what a cookie says depends on others
}

// cookieName returns the name of the cookie that the page writes.
func (p *Preference) cookieName(secure bool) string {
	if secure && p.usesHostCookie {
		return HostCookie
	}
	return p.Cookies()[0]
}

// NewPreferences returns where answers are stored in some formats, and the rows that
// declare the cookies, for charters whose sources do not.
func NewPreferences(formats []Config, sources []charter.Source) (preferences []*Preference, rows []charter.Source, err error) {
	for _, config := range formats {
		p := &Preference{Config: config, Names: config.Cookies()}
		format := Formats[p.Format]
		if format.prove == nil && !format.hasNames {
			p.recent = new(recentValues)
		}
		preferences = append(preferences, p)
		if p.Format == CharterFormat && p.Cookie == "" {
			if p.usesHostCookie = shareRow(sources); !p.usesHostCookie {
				p.Names = []string{PlainCookie}
			}
			row, err := charter.PreferenceRow(p.Names...)
			if err != nil {
				return nil, nil, err
			}
			rows = append(rows, row)
			continue
		}
		for _, name := range slices.Concat(p.Names, format.proofs) {
			row, err := charter.PreferenceRow(name)
			if err != nil {
				return nil, nil, err
			}
			if !p.IsWritten() && p.LocalStorage == "" {
				row.Rows[0].Duration = "" // which only the banner knows
			}
			rows = append(rows, row)
		}
	}
	return preferences, rows, nil
}

// An Store is where the answers of visitors are, to the keys of a charter.
// Nothing changes it once it is made.
type Store struct {
	charter        *charter.Charter
	Preferences    []*Preference
	Rows           map[*charter.Row]bool // rows of cookies that hold answers
	UsesHostCookie bool                  // some are in hostCookie over https
	Now            func() time.Time
}

// NewStore returns the store of a charter that declares its cookies; whether
// their durations are enforced tells how long grants hold.
func NewStore(preferences []*Preference, c *charter.Charter, enforces bool, now func() time.Time) (*Store, error) {
	s := &Store{charter: c, Preferences: preferences, Rows: map[*charter.Row]bool{}, Now: now}
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
		p.Lifetime = lifetimeOf(c.Find(strings.TrimSuffix(p.Names[0], "*")), enforces)
		s.UsesHostCookie = s.UsesHostCookie || p.usesHostCookie
	}
	return s, nil
}

// lifetimeOf returns how long a cookie lives that holds answers: six months, or as long
// as its row says.
func lifetimeOf(row *charter.Row, enforces bool) charter.Duration {
	declared, err := charter.ParseDuration(row.Duration)
	if err != nil {
		declared = preferenceLifetime
	}
	return row.Lifetime(declared, enforces)
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

// shareRow makes both usual names of the format charter one row's, wherever one
// of them is declared. It tells whether hostCookie can be used: not where the row
// says a domain or a path.
func shareRow(sources []charter.Source) bool {
	var row *charter.Row
	count := 0
	for _, source := range sources {
		for i := range source.Rows {
			for _, name := range []string{PlainCookie, HostCookie} {
				if slices.Contains(source.Rows[i].Name, name) || slices.Contains(source.Rows[i].Match, name) {
					row, count = &source.Rows[i], count+1
				}
			}
		}
	}
	if count != 1 {
		return true
	}
	if row.Domain != "" || row.Path != "" && row.Path != "/" {
		return false
	}
	for _, names := range []*charter.Names{&row.Name, &row.Match} {
		if i := slices.IndexFunc(*names, func(name string) bool { return name == PlainCookie || name == HostCookie }); i >= 0 {
			other := HostCookie
			if (*names)[i] == HostCookie {
				other = PlainCookie
			}
			*names = slices.Concat(*names, charter.Names{other}) // not into the configuration's own
		}
	}
	return true
}

// holdsAnswers tells whether a cookie of this name is one of some, by their names
// or prefixes.
func holdsAnswers(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if prefix, isPrefix := strings.CutSuffix(pattern, "*"); name == pattern || isPrefix && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

const (
	// maxRecent is how many values are remembered, twice, and maxRecentValue how
	// long they may be, in bytes.
	maxRecent      = 256
	maxRecentValue = 1024
)

// recentValues remember what the latest stored values of a format said: a page
// takes dozens of requests, all with the same value, and decoding it would cost
// more than all else. Nothing changes a reading once it is there.
type recentValues struct {
	mutex         sync.RWMutex
	newer, former map[string]recentReading
}

type recentReading struct {
	reading []reading // one, to be shared
	err     error
}

// read reads a cookie, or remembers what it says: one reading, even with an
// error.
func (v *recentValues) read(cookie Cookie) ([]reading, error) {
	if v == nil || len(cookie.Value) > maxRecentValue {
		read, err := cookie.read()
		return []reading{read}, err
	}
	v.mutex.RLock()
	recent, ok := v.newer[cookie.Value]
	if !ok {
		recent, ok = v.former[cookie.Value]
	}
	v.mutex.RUnlock()
	if !ok {
		// A copy, as the value is a part of a header with other cookies.
		cookie.Value = strings.Clone(cookie.Value)
		read, err := cookie.read()
		recent = recentReading{[]reading{read}, err}
		v.mutex.Lock()
		if len(v.newer) >= maxRecent || v.newer == nil {
			v.newer, v.former = make(map[string]recentReading, maxRecent), v.newer
		}
		v.newer[cookie.Value] = recent
		v.mutex.Unlock()
	}
	return recent.reading, recent.err
}

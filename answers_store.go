package cookiecharter

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxPreference is the longest stored value that is read or written, in
	// bytes: what browsers keep of a cookie (RFC 6265bis, section 5.6).
	maxPreference = 4096

	// plainCookie and hostCookie are the usual cookies of the format charter. Over
	// https, any host of the same site can write the former, so that only its
	// refusals count.
	plainCookie = "charter_preference"
	hostCookie  = "__Host-" + plainCookie
)

// preferenceLifetime is how long the visitor's choice is kept if the row of its
// cookie says nothing else: what the CNIL calls good practice (recommendation of
// 17 September 2020).
var preferenceLifetime = duration{6, "month"}

// A preference is one place where answers are stored: its format, and its cookies.
type preference struct {
	PreferenceFormat

	names    []string      // of the cookies, or prefixes that end in "*"
	hostOnly bool          // over https, it is in hostCookie
	lifetime duration      // of what the charter page writes
	recent   *recentValues // nil if what a cookie says depends on others
}

// written returns the name of the cookie that the page writes.
func (p *preference) written(secure bool) string {
	if secure && p.hostOnly {
		return hostCookie
	}
	return p.cookies()[0]
}

// preferencesOf returns where answers are stored in some formats, and the rows that
// declare the cookies, for charters whose sources do not.
func preferencesOf(formats []PreferenceFormat, sources []source) (stored []*preference, declared []source, err error) {
	for _, format := range formats {
		p := &preference{PreferenceFormat: format, names: format.cookies()}
		known := storedFormats[p.Format]
		if known.prove == nil && !known.hasNames {
			p.recent = new(recentValues)
		}
		stored = append(stored, p)
		if p.Format == charterFormat && p.Cookie == "" {
			if p.hostOnly = nameBoth(sources); !p.hostOnly {
				p.names = []string{plainCookie}
			}
			row, err := loadPreferenceRow(p.names...)
			if err != nil {
				return nil, nil, err
			}
			declared = append(declared, row)
			continue
		}
		for _, name := range slices.Concat(p.names, known.proofs) {
			row, err := loadPreferenceRow(name)
			if err != nil {
				return nil, nil, err
			}
			if !p.isWritten() && p.LocalStorage == "" {
				row.rows[0].Duration = "" // which only the banner knows
			}
			declared = append(declared, row)
		}
	}
	return stored, declared, nil
}

// An answerStore is where the answers of visitors are, to the keys of a charter.
// Nothing changes it once it is made.
type answerStore struct {
	charter *charter
	stored  []*preference
	holding map[*Row]bool // rows of cookies that hold answers
	isHost  bool          // some are in hostCookie over https
	now     func() time.Time
}

// newAnswerStore returns the store of a charter that declares its cookies; whether
// their durations are enforced tells how long grants hold.
func newAnswerStore(stored []*preference, c *charter, enforces bool, now func() time.Time) (*answerStore, error) {
	s := &answerStore{charter: c, stored: stored, holding: map[*Row]bool{}, now: now}
	for _, p := range stored {
		for _, name := range slices.Concat(p.names, storedFormats[p.Format].proofs) {
			switch row := c.find(strings.TrimSuffix(name, "*")); {
			case row == nil:
				return nil, fmt.Errorf("cookie %q holds the visitor's preference, but the row of this name matches others; add it to the row's match", name)
			case row.Category != Necessary:
				return nil, fmt.Errorf("cookie %q holds the visitor's preference, which has to be kept in any case; make its category necessary, at %s", name, row.place(""))
			default:
				s.holding[row] = true
			}
		}
		for key := range p.Keys {
			if !slices.Contains(c.consentKeys(), key) && !slices.Contains(categories, Category(key)) {
				return nil, fmt.Errorf("no cookie has the consent key %q, for which the preference %s has a key; %s", key, p.Format, useOneOf(c.consentKeys()))
			}
		}
		p.lifetime = lifetimeOf(c.find(strings.TrimSuffix(p.names[0], "*")), enforces)
		s.isHost = s.isHost || p.hostOnly
	}
	return s, nil
}

// lifetimeOf returns how long a cookie lives that holds answers: six months, or as long
// as its row says.
func lifetimeOf(row *Row, enforces bool) duration {
	declared, err := parseDuration(row.Duration)
	if err != nil {
		declared = preferenceLifetime
	}
	return row.kept(declared, enforces)
}

// checkRoom returns an error if the answers to all keys, and the reference of a record
// where there is one, do not fit into a cookie.
func (s *answerStore) checkRoom(records bool) error {
	reference := ""
	if records {
		reference = rand.Text()
	}
	for _, given := range []answer{answerGranted, answerRefused} {
		answers := map[string]answer{}
		for _, key := range s.charter.consentKeys() {
			answers[key] = given
		}
		for _, cookie := range (&visitor{store: s, secure: true}).save(answers, reference, s.now()) {
			if length := len(cookie.name) + len(cookie.value); length > maxPreference {
				return fmt.Errorf("the charter has %d consent keys, whose answers take %d bytes; a cookie holds %d: let more rows share a key", len(answers), length, maxPreference)
			}
		}
	}
	return nil
}

// nameBoth makes both usual names of the format charter one row's, wherever one
// of them is declared. It tells whether hostCookie can be used: not where the row
// says a domain or a path.
func nameBoth(sources []source) bool {
	var declaring *Row
	found := 0
	for _, source := range sources {
		for i := range source.rows {
			for _, name := range []string{plainCookie, hostCookie} {
				if slices.Contains(source.rows[i].Name, name) || slices.Contains(source.rows[i].Match, name) {
					declaring, found = &source.rows[i], found+1
				}
			}
		}
	}
	if found != 1 {
		return true
	}
	if declaring.Domain != "" || declaring.Path != "" && declaring.Path != "/" {
		return false
	}
	for _, names := range []*Names{&declaring.Name, &declaring.Match} {
		if i := slices.IndexFunc(*names, func(name string) bool { return name == plainCookie || name == hostCookie }); i >= 0 {
			other := hostCookie
			if (*names)[i] == hostCookie {
				other = plainCookie
			}
			*names = slices.Concat(*names, Names{other}) // not into the configuration's own
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
func (v *recentValues) read(cookie storedCookie) ([]reading, error) {
	if v == nil || len(cookie.value) > maxRecentValue {
		read, err := cookie.read()
		return []reading{read}, err
	}
	v.mutex.RLock()
	recent, ok := v.newer[cookie.value]
	if !ok {
		recent, ok = v.former[cookie.value]
	}
	v.mutex.RUnlock()
	if !ok {
		// A copy, as the value is a part of a header with other cookies.
		cookie.value = strings.Clone(cookie.value)
		read, err := cookie.read()
		recent = recentReading{[]reading{read}, err}
		v.mutex.Lock()
		if len(v.newer) >= maxRecent || v.newer == nil {
			v.newer, v.former = make(map[string]recentReading, maxRecent), v.newer
		}
		v.newer[cookie.value] = recent
		v.mutex.Unlock()
	}
	return recent.reading, recent.err
}

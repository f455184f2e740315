package answers

import (
	"slices"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// A Cookie is one copy of a cookie that holds answers.
type Cookie struct {
	Name, Value string      // as the header has them
	proof       proof       // nothing, if no other cookie says something
	Preference  *Preference // whose copy it is
	charter     *charter.Charter
}

// read returns what the cookie says.
func (c Cookie) read() (reading, error) {
	if len(c.Value) > MaxPreference {
		return reading{preference: c.Preference}, errOversized
	}
	read, err := Formats[c.Preference.Format].read(c)
	read.preference = c.Preference
	return read, err
}

// isAsked tells whether an answer to some row is looked for under a banner's key.
func (c Cookie) isAsked(key string) bool {
	return slices.ContainsFunc(c.charter.Rows, func(row *charter.Row) bool {
		return row.Key != "" && (key == row.Key || key == string(row.Category) || slices.Contains(c.Preference.keysOf(row.Key), key))
	})
}

// A proof is what other cookies say of answers, once for all copies of these.
type proof struct {
	isAnswered bool    // the visitor has answered
	list       reading // what is answered to each key, if another cookie lists that
	err        error   // that cannot be read
}

// A reading is what a stored value says.
type reading struct {
	preference *Preference
	answers    map[string]Answer // by the banner's keys
	rest       Answer            // to the keys that it does not name

	// If the format is written by the page: when the answers were given, what the
	// page has stored by the charter's keys (nil if it was a banner that stored the
	// rest), the version of the charter that it then was, and the reference of their
	// record.
	at          Timestamp
	pageAnswers map[string]Answer
	version     string
	reference   string

	ignoresGrants bool // they do not count, or not any more
	isPlain       bool // it is from PlainCookie, where HostCookie takes its place over https
}

// A writing is what the charter page stores.
type writing struct {
	name        string            // of the cookie
	copies      []string          // the copies that the browser has
	inForce     map[string]Answer // all answers in force, by the charter's keys
	answers     map[string]Answer // those that were just given, by the banner's keys
	keys        []string          // all of the banner's keys that the charter asks for
	validGrants map[string]bool   // those of them of which a stored grant is in force
	at          time.Time
	reference   string // of the record, "" if there is none
	charter     *charter.Charter
}

// contradiction returns the reading of a value that says two things at once, which no
// banner writes: the strictest of all that it could say.
func contradiction() reading { return reading{rest: Refused} }

// answerOf returns the answer that a boolean stands for.
func answerOf(granted bool) Answer {
	if granted {
		return Granted
	}
	return Refused
}

// readGrants returns the reading of a list that names what is granted.
func readGrants(keys []string) reading {
	read := reading{answers: map[string]Answer{}, rest: Refused}
	for _, key := range keys {
		read.answers[key] = Granted
	}
	return read
}

// Package answers reads what visitors have said to a charter, in the formats of many
// consent banners and in one of its own, and writes what they say by form.
package answers

import (
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// maxReadings is how many copies of answers are read: browsers have a few.
const maxReadings = 64

// An Answer is what the visitor said to one consent key. Silence is not
// consent, and of two answers to the same key the greater, stricter one wins.
type Answer int

const (
	None Answer = iota
	Granted
	Refused
)

// String returns the word for the answer in the page's form and texts.
func (a Answer) String() string {
	return [...]string{"none", "granted", "refused"}[a]
}

// A Visitor is who has sent a request, by the answers in its Cookie header. These are
// decoded when first asked for.
type Visitor struct {
	Store    *Store
	Lines    setcookie.Lines
	Secure   bool // over https, as the visitor sees it
	Opposed  bool // Global Privacy Control: what is unanswered is refused
	decoded  bool
	looked   Timestamp               // when something about time was first asked
	readings []reading               // of every copy of every cookie that holds answers, once decoded
	given    map[*charter.Row]Answer // what several readings say, so that each is asked once for a row
	saves    bool                    // the page has saved answers, in this request

	Unreadable []Unreadable // of what was decoded
}

// An Unreadable is a copy of answers that could not be read, without its value.
type Unreadable struct {
	Format string
	Reason error
}

// Now returns when the request was looked at, always the same: looking at a clock
// takes as long as judging several cookies.
func (v *Visitor) Now() Timestamp {
	if v.looked == 0 {
		v.looked = timestampOf(v.Store.Now())
	}
	return v.looked
}

// AnswerTo returns the answer that decides about a row. One that was given
// beats Global Privacy Control, which beats silence.
func (v *Visitor) AnswerTo(row *charter.Row) Answer {
	given := v.GivenTo(row)
	if given == None && v.Opposed {
		return Refused
	}
	return given
}

// GivenTo returns the answer that was given to a row. An explicit one in any
// format counts; of several, the stricter.
func (v *Visitor) GivenTo(row *charter.Row) Answer {
	if given, ok := v.given[row]; ok {
		return given
	}
	given := None
	for i := range v.decode() {
		read := &v.readings[i]
		found := read.find(row)
		if found == Granted && row.Exempt && Formats[read.in.Format].grantsUnasked {
			continue
		}
		given = max(given, found)
	}
	if len(v.readings) > 1 {
		if v.given == nil {
			v.given = map[*charter.Row]Answer{}
		}
		v.given[row] = given
	}
	return given
}

// find returns what is answered to a row: by its consent key, else by its
// category, else as to all keys that the reading does not name.
func (r *reading) find(row *charter.Row) Answer {
	given := r.findKey(row.Key)
	if given == None && !Formats[r.in.Format].asksEachKey {
		// The page asks each key for itself.
		if given = r.findKey(string(row.Category)); given == Granted && r.asked != nil {
			given = None
		}
	}
	if given == None {
		given = r.rest
	}
	return r.inForce(given)
}

// inForce returns an answer of the reading, if it counts: a refusal does always.
func (r *reading) inForce(given Answer) Answer {
	if given == Granted && r.ended {
		return None
	}
	return given
}

func (r *reading) findKey(key string) Answer {
	given := r.findStored(key)
	if r.asked == nil {
		return given
	}
	// What the page has stored holds for what it asked.
	switch asked := r.asked[key]; {
	case asked == Refused:
		return Refused
	case given == Granted && asked != Granted:
		return None
	}
	return given
}

func (r *reading) findStored(key string) Answer {
	keys, ok := r.in.Keys[key]
	if !ok {
		return r.answers[key]
	}
	given := Granted
	for _, key := range keys {
		switch named, ok := r.answers[key]; {
		case !ok && r.rest == Refused, named == Refused:
			return Refused
		case named == None && r.rest != Granted:
			given = None
		}
	}
	return given
}

// decode reads every copy of every cookie that holds answers.
func (v *Visitor) decode() []reading {
	if v.decoded {
		return v.readings
	}
	v.decoded = true
	proofs := v.prove()
	broken := map[place]bool{} // a copy there cannot be read
	hasHost := false
	for name, value := range v.Lines.Pairs() {
		for i, p := range v.Store.Stored {
			if !holdsAnswers(p.Names, name) {
				continue
			}
			from := place{p, p.hostOnly && name == PlainCookie}
			hasHost = hasHost || p.hostOnly && name == HostCookie
			if len(v.readings) >= maxReadings {
				broken[from] = true
				continue
			}
			var proof proof
			if proofs != nil {
				proof = proofs[i]
			}
			read, err := p.recent.read(StoredCookie{name, value, proof, p, v.Store.charter})
			if err != nil {
				v.Unreadable = append(v.Unreadable, Unreadable{p.Format, err})
				broken[from] = true
			}
			ended := p.isOver(read[0].at, v.Now()) || v.Secure && from.isPlain
			if v.readings == nil && !ended && !from.isPlain {
				v.readings = read // not copied: nearly always, it is the only one
				continue
			}
			v.readings = append(v.readings, read...)
			added := &v.readings[len(v.readings)-1]
			added.ended, added.isPlain = ended, from.isPlain
		}
	}
	if len(broken) == 0 && !hasHost {
		return v.readings
	}
	// One copy that cannot be read could say anything, so that no grant of another
	// counts. What anybody could write does not count beside hostCookie, which comes
	// over https alone: a template's request for the notice does not say that it did.
	if len(v.readings) == 1 {
		v.readings = slices.Clone(v.readings) // it may be what is remembered
	}
	v.readings = slices.DeleteFunc(v.readings, func(read reading) bool { return read.isPlain && hasHost })
	for i := range v.readings {
		read := &v.readings[i]
		read.ended = read.ended || broken[place{read.in, read.isPlain}]
	}
	return v.readings
}

// A place is where copies of the same answers are.
type place struct {
	in      *Preference
	isPlain bool // in plainCookie, where hostCookie takes its place over https
}

// prove returns what other cookies say of the answers in each format, nil if no
// format looks at others.
func (v *Visitor) prove() []proof {
	var proofs []proof
	for i, p := range v.Store.Stored {
		if prove := Formats[p.Format].prove; prove != nil {
			if proofs == nil {
				proofs = make([]proof, len(v.Store.Stored))
			}
			proofs[i] = prove(v.Lines)
		}
	}
	return proofs
}

// Owns tells whether a cookie is the page's alone to write: it is that of our own
// format, and the answer is not the page's.
func (v *Visitor) Owns(name string) bool {
	for _, p := range v.Store.Stored {
		if p.Format == CharterFormat && holdsAnswers(p.Names, name) {
			return !v.saves
		}
	}
	return false
}

// isOver tells whether a grant that the page wrote has ended: it was kept for as
// long as the page says, or is of a time that cannot be; a browser's cookie can be
// renewed by the portal. One without a time lasts as long as its cookie.
func (p *Preference) isOver(at, now Timestamp) bool {
	if at == NoTime || !p.IsWritten() {
		return false
	}
	seconds := p.Lifetime.Seconds()
	return !at.isPossible(now) || seconds > 0 && now-at > Timestamp(seconds)*1000
}

// WrittenTo returns the answer to a consent key in what the page writes.
func (v *Visitor) WrittenTo(key string) Answer {
	given := None
	for _, read := range v.decode() {
		if read.in.IsWritten() {
			given = max(given, read.inForce(read.findKey(key)))
		}
	}
	return given
}

// Save returns the cookies that hold answers to consent keys, beside those that
// were given before, with the reference of their record, "" if there is none. From
// now on they are the visitor's.
func (v *Visitor) Save(given map[string]Answer, reference string, at time.Time) []StoredCookie {
	var cookies []StoredCookie
	var readings []reading
	for _, p := range v.Store.Stored {
		if !p.IsWritten() {
			continue
		}
		w := v.writing(p, given)
		w.reference, w.at = reference, at
		cookie := StoredCookie{w.name, Formats[p.Format].write(w), proof{}, p, v.Store.charter}
		read, _ := cookie.read() // what was just written can be read
		readings = append(readings, read)
		cookies = append(cookies, cookie)
	}
	for _, read := range v.decode() {
		if !read.in.IsWritten() {
			readings = append(readings, read)
		}
	}
	v.readings, v.given, v.saves = readings, nil, true
	return cookies
}

// writing returns what the page writes in a format.
func (v *Visitor) writing(p *Preference, given map[string]Answer) writing {
	w := writing{name: p.written(v.Secure), given: map[string]Answer{}, answers: map[string]Answer{}, live: map[string]bool{}, charter: v.Store.charter}
	for value := range v.Lines.Values(w.name) {
		if len(value) <= MaxPreference {
			w.stored = append(w.stored, value)
		}
	}
	before := v.decode()
	for _, key := range v.Store.charter.ConsentKeys() {
		keys := p.keysOf(key)
		w.keys = append(w.keys, keys...)
		for _, read := range before {
			if read.in != p {
				continue
			}
			w.given[key] = max(w.given[key], read.inForce(read.findKey(key)))
			for _, banner := range keys {
				isLive := read.inForce(read.answers[banner]) == Granted && (read.asked == nil || read.asked[key] == Granted)
				w.live[banner] = w.live[banner] || isLive
			}
		}
		if given[key] == None {
			continue
		}
		w.given[key] = given[key]
		for _, banner := range keys {
			w.answers[banner] = max(w.answers[banner], given[key])
		}
	}
	return w
}

// InForce returns the answers to all consent keys in what the page writes.
func (v *Visitor) InForce() map[string]Answer {
	inForce := map[string]Answer{}
	for _, key := range v.Store.charter.ConsentKeys() {
		inForce[key] = v.WrittenTo(key)
	}
	return inForce
}

// HasFormer tells whether the browser still has plainCookie where hostCookie takes its
// place.
func (v *Visitor) HasFormer() bool {
	if !v.Secure || !slices.ContainsFunc(v.Store.Stored, func(p *Preference) bool { return p.hostOnly }) {
		return false
	}
	for range v.Lines.Values(PlainCookie) {
		return true
	}
	return false
}

// GivenAt returns when what the page wrote was given, the latest of all copies,
// if they tell a time that can be.
func (v *Visitor) GivenAt() (latest time.Time, ok bool) {
	for _, read := range v.decode() {
		if at := read.at.Time(); read.at.isPossible(v.Now()) && at.After(latest) && read.in.IsWritten() {
			latest = at
		}
	}
	return latest.UTC(), !latest.IsZero()
}

// IsWithin tells whether what was done at a time was done no longer ago.
func (v *Visitor) IsWithin(at Timestamp, ago time.Duration) bool {
	return at.isPossible(v.Now()) && v.Now()-at <= Timestamp(ago.Milliseconds())
}

// Keeps tells whether a choice that was made at a time, with the reference of its
// record, "" if there is none, or a later one is in force: the browser has it in all
// that the page wrote, and no other copy says otherwise.
func (v *Visitor) Keeps(at Timestamp, reference string) bool {
	kept := map[*Preference]*reading{}
	readings := v.decode()
	for i := range readings {
		read := &readings[i]
		isOther := read.at == at && reference != "" && read.reference != reference
		if read.in.IsWritten() && read.at.isPossible(v.Now()) && read.at >= at && !isOther {
			kept[read.in] = read
		}
	}
	for _, p := range v.Store.Stored {
		if !p.IsWritten() {
			continue
		}
		read := kept[p]
		if read == nil {
			return false
		}
		for _, key := range v.Store.charter.ConsentKeys() {
			if v.WrittenTo(key) != read.findKey(key) {
				return false
			}
		}
	}
	return true
}

// Holds tells whether what the page wrote has the reference of a record.
func (v *Visitor) Holds(reference string) bool {
	return reference != "" && slices.ContainsFunc(v.decode(), func(read reading) bool { return read.reference == reference })
}

// IsReference tells whether a text can be the reference of a record, as
// crypto/rand.Text writes it.
func IsReference(text string) bool {
	return len(text) == 26 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

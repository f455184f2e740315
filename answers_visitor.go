package cookiecharter

import (
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// maxReadings is how many copies of answers are read: browsers have a few.
const maxReadings = 64

// An answer is what the visitor said to one consent key. Silence is not
// consent, and of two answers to the same key the greater, stricter one wins.
type answer int

const (
	answerNone answer = iota
	answerGranted
	answerRefused
)

// String returns the word for the answer in the page's form and texts.
func (a answer) String() string {
	return [...]string{"none", "granted", "refused"}[a]
}

// A visitor is who has sent a request, by the answers in its Cookie header. These are
// decoded when first asked for.
type visitor struct {
	store    *answerStore
	lines    setcookie.Lines
	secure   bool // over https, as the visitor sees it
	opposed  bool // Global Privacy Control: what is unanswered is refused
	decoded  bool
	looked   timestamp       // when something about time was first asked
	readings []reading       // of every copy of every cookie that holds answers, once decoded
	given    map[*Row]answer // what several readings say, so that each is asked once for a row
	saves    bool            // the page has saved answers, in this request

	unreadable []unreadableCopy // of what was decoded
}

// An unreadableCopy is a copy of answers that could not be read, without its value.
type unreadableCopy struct {
	format string
	reason error
}

// now returns when the request was looked at, always the same: looking at a clock
// takes as long as judging several cookies.
func (v *visitor) now() timestamp {
	if v.looked == 0 {
		v.looked = timestampOf(v.store.now())
	}
	return v.looked
}

// answerTo returns the answer that decides about a row. One that was given
// beats Global Privacy Control, which beats silence.
func (v *visitor) answerTo(row *Row) answer {
	given := v.givenTo(row)
	if given == answerNone && v.opposed {
		return answerRefused
	}
	return given
}

// givenTo returns the answer that was given to a row. An explicit one in any
// format counts; of several, the stricter.
func (v *visitor) givenTo(row *Row) answer {
	if given, ok := v.given[row]; ok {
		return given
	}
	given := answerNone
	for i := range v.decode() {
		read := &v.readings[i]
		found := read.find(row)
		if found == answerGranted && row.Exempt && storedFormats[read.in.Format].grantsUnasked {
			continue
		}
		given = max(given, found)
	}
	if len(v.readings) > 1 {
		if v.given == nil {
			v.given = map[*Row]answer{}
		}
		v.given[row] = given
	}
	return given
}

// find returns what is answered to a row: by its consent key, else by its
// category, else as to all keys that the reading does not name.
func (r *reading) find(row *Row) answer {
	given := r.findKey(row.key)
	if given == answerNone && !storedFormats[r.in.Format].asksEachKey {
		// The page asks each key for itself.
		if given = r.findKey(string(row.Category)); given == answerGranted && r.asked != nil {
			given = answerNone
		}
	}
	if given == answerNone {
		given = r.rest
	}
	return r.inForce(given)
}

// inForce returns an answer of the reading, if it counts: a refusal does always.
func (r *reading) inForce(given answer) answer {
	if given == answerGranted && r.ended {
		return answerNone
	}
	return given
}

func (r *reading) findKey(key string) answer {
	given := r.findStored(key)
	if r.asked == nil {
		return given
	}
	// What the page has stored holds for what it asked.
	switch asked := r.asked[key]; {
	case asked == answerRefused:
		return answerRefused
	case given == answerGranted && asked != answerGranted:
		return answerNone
	}
	return given
}

func (r *reading) findStored(key string) answer {
	keys, ok := r.in.Keys[key]
	if !ok {
		return r.answers[key]
	}
	given := answerGranted
	for _, key := range keys {
		switch named, ok := r.answers[key]; {
		case !ok && r.rest == answerRefused, named == answerRefused:
			return answerRefused
		case named == answerNone && r.rest != answerGranted:
			given = answerNone
		}
	}
	return given
}

// decode reads every copy of every cookie that holds answers.
func (v *visitor) decode() []reading {
	if v.decoded {
		return v.readings
	}
	v.decoded = true
	proofs := v.prove()
	broken := map[place]bool{} // a copy there cannot be read
	hasHost := false
	for name, value := range v.lines.Pairs() {
		for i, p := range v.store.stored {
			if !holdsAnswers(p.names, name) {
				continue
			}
			from := place{p, p.hostOnly && name == plainCookie}
			hasHost = hasHost || p.hostOnly && name == hostCookie
			if len(v.readings) >= maxReadings {
				broken[from] = true
				continue
			}
			var proof proof
			if proofs != nil {
				proof = proofs[i]
			}
			read, err := p.recent.read(storedCookie{name, value, proof, p, v.store.charter})
			if err != nil {
				v.unreadable = append(v.unreadable, unreadableCopy{p.Format, err})
				broken[from] = true
			}
			ended := p.isOver(read[0].at, v.now()) || v.secure && from.isPlain
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
	in      *preference
	isPlain bool // in plainCookie, where hostCookie takes its place over https
}

// prove returns what other cookies say of the answers in each format, nil if no
// format looks at others.
func (v *visitor) prove() []proof {
	var proofs []proof
	for i, p := range v.store.stored {
		if prove := storedFormats[p.Format].prove; prove != nil {
			if proofs == nil {
				proofs = make([]proof, len(v.store.stored))
			}
			proofs[i] = prove(v.lines)
		}
	}
	return proofs
}

// owns tells whether a cookie is the page's alone to write: it is that of our own
// format, and the answer is not the page's.
func (v *visitor) owns(name string) bool {
	for _, p := range v.store.stored {
		if p.Format == charterFormat && holdsAnswers(p.names, name) {
			return !v.saves
		}
	}
	return false
}

// isOver tells whether a grant that the page wrote has ended: it was kept for as
// long as the page says, or is of a time that cannot be; a browser's cookie can be
// renewed by the portal. One without a time lasts as long as its cookie.
func (p *preference) isOver(at, now timestamp) bool {
	if at == noTime || !p.isWritten() {
		return false
	}
	seconds := p.lifetime.seconds()
	return !at.isPossible(now) || seconds > 0 && now-at > timestamp(seconds)*1000
}

// writtenTo returns the answer to a consent key in what the page writes.
func (v *visitor) writtenTo(key string) answer {
	given := answerNone
	for _, read := range v.decode() {
		if read.in.isWritten() {
			given = max(given, read.inForce(read.findKey(key)))
		}
	}
	return given
}

// save returns the cookies that hold answers to consent keys, beside those that
// were given before, with the reference of their record, "" if there is none. From
// now on they are the visitor's.
func (v *visitor) save(given map[string]answer, reference string, at time.Time) []storedCookie {
	var cookies []storedCookie
	var readings []reading
	for _, p := range v.store.stored {
		if !p.isWritten() {
			continue
		}
		w := v.writing(p, given)
		w.reference, w.at = reference, at
		cookie := storedCookie{w.name, storedFormats[p.Format].write(w), proof{}, p, v.store.charter}
		read, _ := cookie.read() // what was just written can be read
		readings = append(readings, read)
		cookies = append(cookies, cookie)
	}
	for _, read := range v.decode() {
		if !read.in.isWritten() {
			readings = append(readings, read)
		}
	}
	v.readings, v.given, v.saves = readings, nil, true
	return cookies
}

// writing returns what the page writes in a format.
func (v *visitor) writing(p *preference, given map[string]answer) writing {
	w := writing{name: p.written(v.secure), given: map[string]answer{}, answers: map[string]answer{}, live: map[string]bool{}, charter: v.store.charter}
	for value := range v.lines.Values(w.name) {
		if len(value) <= maxPreference {
			w.stored = append(w.stored, value)
		}
	}
	before := v.decode()
	for _, key := range v.store.charter.consentKeys() {
		keys := p.keysOf(key)
		w.keys = append(w.keys, keys...)
		for _, read := range before {
			if read.in != p {
				continue
			}
			w.given[key] = max(w.given[key], read.inForce(read.findKey(key)))
			for _, banner := range keys {
				isLive := read.inForce(read.answers[banner]) == answerGranted && (read.asked == nil || read.asked[key] == answerGranted)
				w.live[banner] = w.live[banner] || isLive
			}
		}
		if given[key] == answerNone {
			continue
		}
		w.given[key] = given[key]
		for _, banner := range keys {
			w.answers[banner] = max(w.answers[banner], given[key])
		}
	}
	return w
}

// inForce returns the answers to all consent keys in what the page writes.
func (v *visitor) inForce() map[string]answer {
	inForce := map[string]answer{}
	for _, key := range v.store.charter.consentKeys() {
		inForce[key] = v.writtenTo(key)
	}
	return inForce
}

// hasFormer tells whether the browser still has plainCookie where hostCookie takes its
// place.
func (v *visitor) hasFormer() bool {
	if !v.secure || !slices.ContainsFunc(v.store.stored, func(p *preference) bool { return p.hostOnly }) {
		return false
	}
	for range v.lines.Values(plainCookie) {
		return true
	}
	return false
}

// givenAt returns when what the page wrote was given, the latest of all copies,
// if they tell a time that can be.
func (v *visitor) givenAt() (latest time.Time, ok bool) {
	for _, read := range v.decode() {
		if at := read.at.time(); read.at.isPossible(v.now()) && at.After(latest) && read.in.isWritten() {
			latest = at
		}
	}
	return latest.UTC(), !latest.IsZero()
}

// isWithin tells whether what was done at a time was done no longer ago.
func (v *visitor) isWithin(at timestamp, ago time.Duration) bool {
	return at.isPossible(v.now()) && v.now()-at <= timestamp(ago.Milliseconds())
}

// keeps tells whether a choice that was made at a time, with the reference of its
// record, "" if there is none, or a later one is in force: the browser has it in all
// that the page wrote, and no other copy says otherwise.
func (v *visitor) keeps(at timestamp, reference string) bool {
	kept := map[*preference]*reading{}
	readings := v.decode()
	for i := range readings {
		read := &readings[i]
		isOther := read.at == at && reference != "" && read.reference != reference
		if read.in.isWritten() && read.at.isPossible(v.now()) && read.at >= at && !isOther {
			kept[read.in] = read
		}
	}
	for _, p := range v.store.stored {
		if !p.isWritten() {
			continue
		}
		read := kept[p]
		if read == nil {
			return false
		}
		for _, key := range v.store.charter.consentKeys() {
			if v.writtenTo(key) != read.findKey(key) {
				return false
			}
		}
	}
	return true
}

// holds tells whether what the page wrote has the reference of a record.
func (v *visitor) holds(reference string) bool {
	return reference != "" && slices.ContainsFunc(v.decode(), func(read reading) bool { return read.reference == reference })
}

// isReference tells whether a text can be the reference of a record, as
// crypto/rand.Text writes it.
func isReference(text string) bool {
	return len(text) == 26 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

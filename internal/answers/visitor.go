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

// All answers, from the weakest to the strictest.
const (
	None Answer = iota // none was given
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
	Store   *Store
	Lines   setcookie.Lines // of the Cookie header, as it came
	Secure  bool            // over https, as the visitor sees it
	Opposed bool            // by Global Privacy Control: what is unanswered is refused

	isDecoded bool
	hasSaved  bool                    // the page has saved answers, in this request
	now       Timestamp               // when Now was first called
	readings  []reading               // of every copy of every cookie that holds answers, once decoded
	byRow     map[*charter.Row]Answer // what several readings say, so that each is asked once for a row

	// Unreadable is the last of the copies that could not be read, nil if there is none,
	// among those that were decoded.
	Unreadable *Unreadable
}

// An Unreadable is a copy of answers that could not be read, without its value.
type Unreadable struct {
	Format string      // that it should have
	Reason error       // which quotes nothing of it
	Next   *Unreadable // the one before, nil for the first
}

// Now returns when the request was looked at, always the same: looking at a clock
// takes as long as judging several cookies.
func (v *Visitor) Now() Timestamp {
	if v.now == 0 {
		v.now = timestampOf(v.Store.Now())
	}
	return v.now
}

// AnswerTo returns the answer that decides about a row. A stored one beats Global Privacy Control, which beats silence.
func (v *Visitor) AnswerTo(row *charter.Row) Answer {
	answer := v.StoredAnswerTo(row)
	if answer == None && v.Opposed {
		return Refused
	}
	return answer
}

// StoredAnswerTo returns the answer to a row that is stored in any format; of several,
// the stricter.
func (v *Visitor) StoredAnswerTo(row *charter.Row) Answer {
	if answer, ok := v.byRow[row]; ok {
		return answer
	}
	answer := None
	for i := range v.decode() {
		read := &v.readings[i]
		found := read.find(row)
		if found == Granted && row.Exempt && Formats[read.preference.Format].grantsUnasked {
			continue
		}
		answer = max(answer, found)
	}
	if len(v.readings) > 1 {
		if v.byRow == nil {
			v.byRow = map[*charter.Row]Answer{}
		}
		v.byRow[row] = answer
	}
	return answer
}

// find returns what is answered to a row: by its consent key, else by its
// category, else as to all keys that the reading does not name.
func (r *reading) find(row *charter.Row) Answer {
	answer := r.findKey(row.Key)
	if answer == None && !Formats[r.preference.Format].asksEachKey {
		// The page asks for each key separately.
		if answer = r.findKey(string(row.Category)); answer == Granted && r.pageAnswers != nil {
			answer = None
		}
	}
	if answer == None {
		answer = r.rest
	}
	return r.inForce(answer)
}

// inForce returns an answer of the reading, if it counts: a refusal does always.
func (r *reading) inForce(answer Answer) Answer {
	if answer == Granted && r.ignoresGrants {
		return None
	}
	return answer
}

func (r *reading) findKey(key string) Answer {
	answer := r.findStored(key)
	if r.pageAnswers == nil {
		return answer
	}
	// What the page has stored holds for what it asked.
	switch pageAnswer := r.pageAnswers[key]; {
	case pageAnswer == Refused:
		return Refused
	case answer == Granted && pageAnswer != Granted:
		return None
	}
	return answer
}

func (r *reading) findStored(key string) Answer {
	keys, ok := r.preference.Keys[key]
	if !ok {
		return r.answers[key]
	}
	answer := Granted
	for _, key := range keys {
		switch one, ok := r.answers[key]; {
		case !ok && r.rest == Refused, one == Refused:
			return Refused
		case one == unclear, one == None && r.rest != Granted:
			answer = min(answer, one)
		}
	}
	return answer
}

// decode reads every copy of every cookie that holds answers.
func (v *Visitor) decode() []reading {
	if v.isDecoded {
		return v.readings
	}
	v.isDecoded = true
	proofs := v.prove()
	var broken []place // a copy there cannot be read
	distrust := func(from place) {
		if !slices.Contains(broken, from) {
			broken = append(broken, from)
		}
	}
	hasHost := false
	for name, value := range v.Lines.Pairs() {
		for i, p := range v.Store.Preferences {
			if !p.Names.Include(name) {
				continue
			}
			from := place{p, p.usesHostCookie && name == PlainCookie}
			hasHost = hasHost || p.usesHostCookie && name == HostCookie
			if len(v.readings) >= maxReadings {
				distrust(from)
				continue
			}
			var proof proof
			if proofs != nil {
				proof = proofs[i]
			}
			read, err := p.recent.read(Cookie{name, value, proof, p, v.Store.charter})
			if err != nil {
				v.Unreadable = &Unreadable{p.Format, err, v.Unreadable}
				distrust(from)
			}
			ignoresGrants := p.grantHasEnded(read[0].at, v.Now()) || v.Secure && from.isPlain
			if v.readings == nil && !ignoresGrants && !from.isPlain {
				v.readings = read // not copied: nearly always, it is the only one
				continue
			}
			v.readings = append(v.readings, read...)
			added := &v.readings[len(v.readings)-1]
			added.ignoresGrants, added.isPlain = ignoresGrants, from.isPlain
		}
	}
	if len(broken) == 0 && !hasHost {
		return v.readings
	}
	// One copy that cannot be read could say anything, so that no grant of another
	// counts. What anybody could write does not count beside HostCookie, which comes
	// over https alone: a template's request for the notice does not say that it did.
	if len(v.readings) == 1 {
		v.readings = slices.Clone(v.readings) // it may be what is remembered
	}
	v.readings = slices.DeleteFunc(v.readings, func(read reading) bool { return read.isPlain && hasHost })
	for i := range v.readings {
		read := &v.readings[i]
		read.ignoresGrants = read.ignoresGrants || slices.Contains(broken, place{read.preference, read.isPlain})
	}
	return v.readings
}

// A place is where copies of the same answers are.
type place struct {
	in      *Preference
	isPlain bool // in PlainCookie, where HostCookie takes its place over https
}

// prove returns what other cookies say of the answers in each format, nil if no
// format looks at others.
func (v *Visitor) prove() []proof {
	var proofs []proof
	for i, p := range v.Store.Preferences {
		if prove := Formats[p.Format].prove; prove != nil {
			if proofs == nil {
				proofs = make([]proof, len(v.Store.Preferences))
			}
			proofs[i] = prove(v.Lines)
		}
	}
	return proofs
}

// IsReserved tells whether a cookie is the page's alone to write: it is that of our own
// format, and the answer is not the page's.
func (v *Visitor) IsReserved(name string) bool {
	for _, p := range v.Store.Preferences {
		if p.Format == CharterFormat && p.Names.Include(name) {
			return !v.hasSaved
		}
	}
	return false
}

// PageAnswerTo returns the answer to a consent key that is stored where the page writes.
func (v *Visitor) PageAnswerTo(key string) Answer {
	answer := None
	for _, read := range v.decode() {
		if read.preference.IsWritten() {
			answer = max(answer, read.inForce(read.findKey(key)))
		}
	}
	return answer
}

// Save returns the cookies that hold answers to consent keys, beside those that
// were given before, with the reference of their record, "" if there is none. From
// now on they are the visitor's.
func (v *Visitor) Save(answers map[string]Answer, reference string, at time.Time) []Cookie {
	var cookies []Cookie
	var readings []reading
	for _, p := range v.Store.Preferences {
		if !p.IsWritten() {
			continue
		}
		w := v.writing(p, answers)
		w.reference, w.at = reference, at
		cookie := Cookie{w.name, Formats[p.Format].write(w), proof{}, p, v.Store.charter}
		read, _ := cookie.read() // what was just written can be read
		readings = append(readings, read)
		cookies = append(cookies, cookie)
	}
	for _, read := range v.decode() {
		if !read.preference.IsWritten() {
			readings = append(readings, read)
		}
	}
	v.readings, v.byRow, v.hasSaved = readings, nil, true
	return cookies
}

// writing returns what the page writes in a format.
func (v *Visitor) writing(p *Preference, answers map[string]Answer) writing {
	w := writing{name: p.cookieName(v.Secure), inForce: map[string]Answer{}, answers: map[string]Answer{}, validGrants: map[string]bool{}, charter: v.Store.charter}
	for value := range v.Lines.Values(w.name) {
		if len(value) <= MaxPreference {
			w.copies = append(w.copies, value)
		}
	}
	before := v.decode()
	for _, key := range v.Store.charter.ConsentKeys() {
		keys := p.keysOf(key)
		w.keys = append(w.keys, keys...)
		for _, read := range before {
			if read.preference != p {
				continue
			}
			w.inForce[key] = max(w.inForce[key], read.inForce(read.findKey(key)))
			for _, banner := range keys {
				isValid := read.inForce(read.answers[banner]) == Granted && (read.pageAnswers == nil || read.pageAnswers[key] == Granted)
				w.validGrants[banner] = w.validGrants[banner] || isValid
			}
		}
		if answers[key] == None {
			continue
		}
		w.inForce[key] = answers[key]
		for _, banner := range keys {
			w.answers[banner] = max(w.answers[banner], answers[key])
		}
	}
	return w
}

// PageAnswers returns the answers to all consent keys that are stored where the page
// writes.
func (v *Visitor) PageAnswers() map[string]Answer {
	answers := map[string]Answer{}
	for _, key := range v.Store.charter.ConsentKeys() {
		answers[key] = v.PageAnswerTo(key)
	}
	return answers
}

// HasPlainCookie tells whether the browser still has PlainCookie where HostCookie takes
// its place.
func (v *Visitor) HasPlainCookie() bool {
	if !v.Secure || !slices.ContainsFunc(v.Store.Preferences, func(p *Preference) bool { return p.usesHostCookie }) {
		return false
	}
	for range v.Lines.Values(PlainCookie) {
		return true
	}
	return false
}

// AnswerTime returns when the answers were given that the page wrote, the latest of all copies,
// if they tell a time that can be.
func (v *Visitor) AnswerTime() (latest time.Time, ok bool) {
	for _, read := range v.decode() {
		if at := read.at.Time(); read.at.isPossible(v.Now()) && at.After(latest) && read.preference.IsWritten() {
			latest = at
		}
	}
	return latest.UTC(), !latest.IsZero()
}

// Record returns the version of the charter to which the answers were given that the page
// wrote, and the reference of their record, each "" if it is not told. Where copies
// disagree, or one tells nothing, neither is: it could be that of other answers.
func (v *Visitor) Record() (version, reference string) {
	var first *reading
	readings := v.decode()
	for i := range readings {
		read := &readings[i]
		switch {
		case !read.preference.IsWritten():
			continue
		case first == nil:
			first = read
		}
		isSame := read.at == first.at && read.version == first.version && read.reference == first.reference
		if !isSame || read.version == "" || v.Secure && read.isPlain {
			return "", ""
		}
	}
	if first == nil {
		return "", ""
	}
	return first.version, first.reference
}

// IsRecent tells whether a time is possible, and no longer ago than that.
func (v *Visitor) IsRecent(at Timestamp, ago time.Duration) bool {
	return at.isPossible(v.Now()) && v.Now()-at <= Timestamp(ago.Milliseconds())
}

// Keeps tells whether a choice that was made at a time, with the reference of its
// record, "" if there is none, or a later one is in force: the browser has it in all
// that the page wrote, and no other copy says otherwise.
func (v *Visitor) Keeps(at Timestamp, reference string) bool {
	latest := map[*Preference]*reading{}
	readings := v.decode()
	for i := range readings {
		read := &readings[i]
		isOther := read.at == at && reference != "" && read.reference != reference
		if read.preference.IsWritten() && read.at.isPossible(v.Now()) && read.at >= at && !isOther {
			latest[read.preference] = read
		}
	}
	for _, p := range v.Store.Preferences {
		if !p.IsWritten() {
			continue
		}
		read := latest[p]
		if read == nil {
			return false
		}
		for _, key := range v.Store.charter.ConsentKeys() {
			if v.PageAnswerTo(key) != read.findKey(key) {
				return false
			}
		}
	}
	return true
}

// HasReference tells whether what the page wrote has the reference of a record.
func (v *Visitor) HasReference(reference string) bool {
	return reference != "" && slices.ContainsFunc(v.decode(), func(read reading) bool { return read.reference == reference })
}

// IsReference tells whether a text can be the reference of a record, as
// crypto/rand.Text writes it.
func IsReference(text string) bool {
	return len(text) == 26 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

package cookiecharter

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// PreferenceFormat says where the visitor's preference is stored and how it is
// written there.
type PreferenceFormat struct {
	// The stored format: `axeptio`, `c15t`, `charter` (this module's own),
	// `complianz`, `cookiebot`, `cookieconsent` (orestbida's, version 3),
	// `cookieconsent2`, `cookieyes`, `didomi`, `django_cookie_consent`, `drupal` (EU Cookie Compliance),
	// `govuk`, `json` (an object from keys to booleans), `klaro`, `matomo`,
	// `nhsuk`, `onetrust`, `opendatasoft`, `orejime`, `osano`, `symfony`,
	// `tarteaucitron`, `tcf` (IAB Europe's, version 2; the keys are the purposes'
	// numbers). The charter page's form writes `charter`, `opendatasoft` and
	// `json`; what it does not know there is kept. Required.
	Format string `json:"format"`

	// The name of the cookie that holds it, a token (RFC 6265, section 4.1.1).
	// Default: the format's usual one; `json` has none. That of `charter` is
	// `__Host-charter_preference` on https, where no other host can write it,
	// unless its row has a domain or a path, and else `charter_preference`.
	Cookie string `json:"cookie,omitempty"`

	// The banner's keys for a consent key of the charter, or for a category. Of
	// several, all have to be granted, and one that is refused refuses. Default:
	// the same key. Not for `charter`.
	Keys map[string]Names `json:"keys,omitempty"`

	// The revision of the banner's texts (`cookieconsent`, `cookieconsent2`): an
	// answer to another revision is none. Default: 0.
	Revision int `json:"revision,omitempty"`

	// Where visitors change the choice in the banner itself: a URL with scheme,
	// or a path from the root. Default: none; the page refers to the banner.
	Manage string `json:"manage,omitempty"`

	// The key in the browser's local storage under which the banner keeps the
	// choice, where it keeps none in a cookie. The script `local_storage.js` at
	// the charter page's path, which the portal's pages have to load, copies it
	// to the cookie. Default: none.
	LocalStorage string `json:"local_storage,omitempty"`

	names    []string      // what cookies returns
	hostOnly bool          // on https, it is in hostCookie
	lifetime duration      // of what the charter page writes
	recent   *recentValues // nil if what a cookie says depends on others
}

const (
	// maxPreference is the longest stored value that is read or written, in
	// bytes: what browsers keep of a cookie (RFC 6265bis, section 5.6).
	maxPreference = 4096

	// timestampKey holds when the answer was given, in Unix milliseconds.
	timestampKey = "timestamp"

	// charterKey holds what the page asked when it wrote a JSON object.
	charterKey = "charter"

	// plainCookie and hostCookie are the usual cookies of the format charter. Over
	// https, any host of the same site can write the former, so that only its
	// refusals count.
	plainCookie = "charter_preference"
	hostCookie  = "__Host-" + plainCookie

	// maxReadings is how many copies of answers are read: browsers have a few.
	maxReadings = 64
)

func (p *PreferenceFormat) validate() error {
	format, ok := storedFormats[p.Format]
	if !ok {
		return fmt.Errorf("unknown preference format %q; use one of %s", p.Format, strings.Join(slices.Sorted(maps.Keys(storedFormats)), ", "))
	}
	if p.Cookie != "" && !setcookie.IsToken(p.Cookie) {
		return fmt.Errorf("%q is not a cookie name", p.Cookie)
	}
	if p.Cookie == "" && len(format.cookies) == 0 {
		return fmt.Errorf("the preference format %s has no usual cookie; name it", p.Format)
	}
	if p.Cookie != "" && format.hasNames {
		return fmt.Errorf("the cookies of the preference format %s have their own names; name none", p.Format)
	}
	if p.Format == charterFormat && len(p.Keys) > 0 {
		return errors.New("the preference format charter has the charter's own keys; remove key")
	}
	for key, banner := range p.Keys {
		for _, name := range banner {
			if format.write != nil && (name == timestampKey || name == charterKey) {
				return fmt.Errorf("the preference format %s keeps something else under %q, the key for %s; use another", p.Format, name, key)
			}
		}
	}
	if p.Revision != 0 && !format.hasRevision {
		return fmt.Errorf("the preference format %s knows no revision; remove it", p.Format)
	}
	if p.LocalStorage != "" && (p.Format == charterFormat || len(p.cookies()) != 1 || format.hasNames) {
		return fmt.Errorf("nothing is known to keep the preference format %s in local storage as one item; remove local_storage", p.Format)
	}
	if manage, err := url.Parse(p.Manage); err != nil || p.Manage != "" && manage.Scheme != "http" && manage.Scheme != "https" && !strings.HasPrefix(p.Manage, "/") {
		return fmt.Errorf("unusable link %q; write a URL with https:// or a path from the root", p.Manage)
	}
	return nil
}

// cookies returns the names, or prefixes that end in "*", of the cookies that
// hold answers.
func (p *PreferenceFormat) cookies() []string {
	if p.Cookie != "" {
		return []string{p.Cookie}
	}
	return storedFormats[p.Format].cookies
}

// written returns the name of the cookie that the page writes.
func (p *PreferenceFormat) written(secure bool) string {
	if secure && p.hostOnly {
		return hostCookie
	}
	return p.cookies()[0]
}

// nameBoth makes both usual names of the format charter one row's, wherever one
// of them is declared. It tells whether hostCookie can be used: not where the row
// says a domain or a path.
func nameBoth(sources []source) bool {
	var declaring *row
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

// A preference is the visitor's answers, decoded from the Cookie header when
// first asked for.
type preference struct {
	handler  *Handler
	lines    setcookie.Lines
	secure   bool // over https, as the visitor sees it
	opposed  bool // Global Privacy Control: what is unanswered is refused
	decoded  bool
	asked    timestamp          // when something about time was first asked
	readings []reading          // of every copy of every cookie that holds answers, once decoded
	given    map[*Cookie]answer // what several readings say, so that each is asked once for a row
	stores   bool               // the page has stored answers, in this request
}

// now returns when the request was looked at, always the same: looking at a clock
// takes as long as judging several cookies.
func (p *preference) now() timestamp {
	if p.asked == 0 {
		p.asked = timestampNow()
	}
	return p.asked
}

// answerTo returns the answer that decides about a row. One that was given
// beats Global Privacy Control, which beats silence.
func (p *preference) answerTo(row *Cookie) answer {
	given := p.givenTo(row)
	if given == answerNone && p.opposed {
		return answerRefused
	}
	return given
}

// givenTo returns the answer that was given to a row. An explicit one in any
// format counts; of several, the stricter.
func (p *preference) givenTo(row *Cookie) answer {
	if given, ok := p.given[row]; ok {
		return given
	}
	given := answerNone
	for i := range p.decode() {
		read := &p.readings[i]
		found := read.find(row)
		if found == answerGranted && row.Exempt && storedFormats[read.format.Format].grantsUnasked {
			continue
		}
		given = max(given, found)
	}
	if len(p.readings) > 1 {
		if p.given == nil {
			p.given = map[*Cookie]answer{}
		}
		p.given[row] = given
	}
	return given
}

// find returns what is answered to a row: by its consent key, else by its
// category, else as to all keys that the reading does not name.
func (r *reading) find(row *Cookie) answer {
	given := r.findKey(row.key)
	if given == answerNone && !storedFormats[r.format.Format].asksEachKey {
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
	keys, ok := r.format.Keys[key]
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
func (p *preference) decode() []reading {
	if p.decoded {
		return p.readings
	}
	p.decoded = true
	proofs := p.prove()
	broken := map[place]bool{} // a copy there cannot be read
	hasHost := false
	for name, value := range p.lines.Pairs() {
		for i := range p.handler.Preferences {
			format := &p.handler.Preferences[i]
			if !holdsAnswers(format.names, name) {
				continue
			}
			from := place{format, format.hostOnly && name == plainCookie}
			hasHost = hasHost || format.hostOnly && name == hostCookie
			if len(p.readings) >= maxReadings {
				broken[from] = true
				continue
			}
			var proof proof
			if proofs != nil {
				proof = proofs[i]
			}
			read, err := format.recent.read(storedCookie{name, value, proof, format, p.handler.charter})
			if err != nil {
				p.handler.reportUnreadable(format.Format, err)
				broken[from] = true
			}
			ended := format.isOver(read[0].at, p.now()) || p.secure && from.isPlain
			if p.readings == nil && !ended && !from.isPlain {
				p.readings = read // not copied: nearly always, it is the only one
				continue
			}
			p.readings = append(p.readings, read...)
			added := &p.readings[len(p.readings)-1]
			added.ended, added.isPlain = ended, from.isPlain
		}
	}
	if len(broken) == 0 && !hasHost {
		return p.readings
	}
	// One copy that cannot be read could say anything, so that no grant of another
	// counts. What anybody could write does not count beside hostCookie, which comes
	// over https alone: a template's request for the notice does not say that it did.
	if len(p.readings) == 1 {
		p.readings = slices.Clone(p.readings) // it may be what is remembered
	}
	p.readings = slices.DeleteFunc(p.readings, func(read reading) bool { return read.isPlain && hasHost })
	for i := range p.readings {
		read := &p.readings[i]
		read.ended = read.ended || broken[place{read.format, read.isPlain}]
	}
	return p.readings
}

// A place is where copies of the same answers are.
type place struct {
	format  *PreferenceFormat
	isPlain bool // in plainCookie, where hostCookie takes its place over https
}

// prove returns what other cookies say of the answers in each format, nil if no
// format looks at others.
func (p *preference) prove() []proof {
	var proofs []proof
	for i := range p.handler.Preferences {
		if prove := storedFormats[p.handler.Preferences[i].Format].prove; prove != nil {
			if proofs == nil {
				proofs = make([]proof, len(p.handler.Preferences))
			}
			proofs[i] = prove(p.lines)
		}
	}
	return proofs
}

// owns tells whether a cookie is the page's alone to write: it is that of our own
// format, and the answer is not the page's.
func (p *preference) owns(name string) bool {
	for i := range p.handler.Preferences {
		if format := &p.handler.Preferences[i]; format.Format == charterFormat && holdsAnswers(format.names, name) {
			return !p.stores
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

// isWritten tells whether the charter page writes it.
func (p *PreferenceFormat) isWritten() bool {
	return storedFormats[p.Format].write != nil && p.LocalStorage == ""
}

// isOver tells whether a grant that the page wrote has ended: it was kept for as
// long as the page says, or is of a time that cannot be; a browser's cookie can be
// renewed by the portal. One without a time lasts as long as its cookie.
func (p *PreferenceFormat) isOver(at, now timestamp) bool {
	if at == noTime || !p.isWritten() {
		return false
	}
	seconds := p.lifetime.seconds()
	return !at.isPossible(now) || seconds > 0 && now-at > timestamp(seconds)*1000
}

// keysOf returns the banner's keys for a consent key.
func (p *PreferenceFormat) keysOf(key string) []string {
	if keys, ok := p.Keys[key]; ok {
		return keys
	}
	return []string{key}
}

// writtenTo returns the answer to a consent key in what the page writes.
func (p *preference) writtenTo(key string) answer {
	given := answerNone
	for _, read := range p.decode() {
		if read.format.isWritten() {
			given = max(given, read.inForce(read.findKey(key)))
		}
	}
	return given
}

// store returns the cookies that hold answers to consent keys, beside those that
// were given before, with the reference of their record, "" if there is none. From
// now on they are the visitor's.
func (p *preference) store(given map[string]answer, reference string, at time.Time) []storedCookie {
	var cookies []storedCookie
	var readings []reading
	for i := range p.handler.Preferences {
		format := &p.handler.Preferences[i]
		if !format.isWritten() {
			continue
		}
		w := p.writing(format, given)
		w.reference, w.at = reference, at
		cookie := storedCookie{w.name, storedFormats[format.Format].write(w), proof{}, format, p.handler.charter}
		read, _ := cookie.read() // what was just written can be read
		readings = append(readings, read)
		cookies = append(cookies, cookie)
	}
	for _, read := range p.decode() {
		if !read.format.isWritten() {
			readings = append(readings, read)
		}
	}
	p.readings, p.given, p.stores = readings, nil, true
	return cookies
}

// writing returns what the page writes in a format.
func (p *preference) writing(format *PreferenceFormat, given map[string]answer) writing {
	w := writing{name: format.written(p.secure), given: map[string]answer{}, answers: map[string]answer{}, live: map[string]bool{}, charter: p.handler.charter}
	for value := range p.lines.Values(w.name) {
		if len(value) <= maxPreference {
			w.stored = append(w.stored, value)
		}
	}
	before := p.decode()
	for _, key := range p.handler.charter.consentKeys() {
		keys := format.keysOf(key)
		w.keys = append(w.keys, keys...)
		for _, read := range before {
			if read.format != format {
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

// givenAt returns when what the page wrote was given, the latest of all copies,
// if they tell a time that can be.
func (p *preference) givenAt() (latest time.Time, ok bool) {
	for _, read := range p.decode() {
		if at := read.at.time(); read.at.isPossible(p.now()) && at.After(latest) && read.format.isWritten() {
			latest = at
		}
	}
	return latest.UTC(), !latest.IsZero()
}

// isWithin tells whether what was done at a time was done no longer ago.
func (p *preference) isWithin(at timestamp, ago time.Duration) bool {
	return at.isPossible(p.now()) && p.now()-at <= timestamp(ago.Milliseconds())
}

// keeps tells whether a choice that was made at a time, with the reference of its
// record, "" if there is none, or a later one is in force: the browser has it in all
// that the page wrote, and no other copy says otherwise.
func (p *preference) keeps(at timestamp, reference string) bool {
	kept := map[*PreferenceFormat]*reading{}
	readings := p.decode()
	for i := range readings {
		read := &readings[i]
		isOther := read.at == at && reference != "" && read.reference != reference
		if read.format.isWritten() && read.at.isPossible(p.now()) && read.at >= at && !isOther {
			kept[read.format] = read
		}
	}
	for i := range p.handler.Preferences {
		format := &p.handler.Preferences[i]
		if !format.isWritten() {
			continue
		}
		read := kept[format]
		if read == nil {
			return false
		}
		for _, key := range p.handler.charter.consentKeys() {
			if p.writtenTo(key) != read.findKey(key) {
				return false
			}
		}
	}
	return true
}

// holds tells whether what the page wrote has the reference of a record.
func (p *preference) holds(reference string) bool {
	return reference != "" && slices.ContainsFunc(p.decode(), func(read reading) bool { return read.reference == reference })
}

// The format of our own is `1.<time>.<version>`, then `.<key>-n` for each key
// that is refused, and `.<key>-y<fingerprint>` for each that is granted, and at the
// end `.<reference>` of the choice's record, if there is one: its letters, digits,
// '.', '-' and '_' trip no firewall. The time is in Unix milliseconds, the version
// the charter's. In keys, '-' is written "-0" and '.' is "-1". A refusal holds
// whatever else changes; a grant holds for what was asked, so that what is new is
// asked again.
const (
	charterFormat        = "charter"
	charterFormatVersion = "1"
)

var (
	escapeKey   = strings.NewReplacer("-", "-0", ".", "-1")
	unescapeKey = strings.NewReplacer("-0", "-", "-1", ".")
)

func readCharterFormat(cookie storedCookie) (reading, error) {
	fields := strings.Split(cookie.value, ".")
	if len(fields) < 3 || fields[0] != charterFormatVersion {
		return reading{}, errUnreadable
	}
	if _, err := strconv.ParseUint(fields[1], 10, 64); err != nil {
		return reading{}, errUnreadable
	}
	read := reading{answers: map[string]answer{}, at: parseTime(fields[1])}
	if last := len(fields) - 1; last > 2 && isReference(fields[last]) {
		read.reference = fields[last]
		fields = fields[:last]
	}
	for _, field := range fields[3:] {
		end := max(strings.LastIndexByte(field, '-'), 0)
		escaped, word := field[:end], field[end:]
		key := unescapeKey.Replace(escaped)
		fingerprint, isGrant := strings.CutPrefix(word, "-y")
		switch {
		case !isConsentKey(key), escapeKey.Replace(key) != escaped, !isGrant && word != "-n":
			return reading{}, errUnreadable
		case !isGrant:
			read.answers[key] = answerRefused
		case fingerprint == cookie.charter.fingerprints[key]:
			read.answers[key] = max(read.answers[key], answerGranted)
		}
	}
	return read, nil
}

func writeCharterFormat(w writing) string {
	fields := []string{charterFormatVersion, strconv.FormatInt(w.at.UnixMilli(), 10), w.charter.version}
	for _, key := range w.charter.consentKeys() {
		switch w.given[key] {
		case answerGranted:
			fields = append(fields, escapeKey.Replace(key)+"-y"+w.charter.fingerprints[key])
		case answerRefused:
			fields = append(fields, escapeKey.Replace(key)+"-n")
		case answerNone, isSilent: // nothing to write
		}
	}
	if w.reference != "" {
		fields = append(fields, w.reference)
	}
	return strings.Join(fields, ".")
}

// reportUnreadable counts and logs that a stored preference could not be read;
// never its value.
func (h *Handler) reportUnreadable(format string, reason error) {
	h.metrics.unreadable[format].Inc()
	if h.debugs {
		h.logger.Debug("unreadable preference", zap.String("format", format), zap.Error(reason))
	}
}

// preferenceNotes returns what is to be known of the preferences that others write.
func (h *Handler) preferenceNotes() []string {
	var notes []string
	for i := range h.Preferences {
		preference := &h.Preferences[i]
		if preference.isWritten() {
			continue
		}
		notes = append(notes, fmt.Sprintf("preference %s: only the banner knows what it has asked; where a provider, a purpose or a category changes here, let it ask again", preference.Format))
		if storedFormats[preference.Format].grantsUnasked {
			notes = append(notes, fmt.Sprintf("preference %s: its cookie does not tell an answer from a default; it must not store true unasked (serviceDefaultState 'wait', highPrivacy and alwaysNeedConsent true, no bypass)", preference.Format))
		}
	}
	return notes
}

// validatePreferences returns the first mistake in where preferences are stored.
func (h *Handler) validatePreferences() error {
	for i := range h.Preferences {
		preference := &h.Preferences[i]
		if err := preference.validate(); err != nil {
			return err
		}
		for _, earlier := range h.Preferences[:i] {
			for _, name := range preference.cookies() {
				if holdsAnswers(earlier.cookies(), name) && (preference.isWritten() || earlier.isWritten()) {
					return fmt.Errorf("two preferences, %s and %s, are written into the cookie %q; keep one", earlier.Format, preference.Format, name)
				}
			}
		}
	}
	return nil
}

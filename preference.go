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
	// Default: the format's usual one; `json` has none.
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
	lifetime duration      // of what the charter page writes
	recent   *recentValues // nil if what a cookie says depends on others
}

const (
	// maxPreference is the longest stored value that is read or written, in
	// bytes: what browsers keep of a cookie (RFC 6265bis, section 5.6).
	maxPreference = 4096

	// timestampKey holds when the answer was given, in Unix milliseconds.
	timestampKey = "timestamp"
)

func (p *PreferenceFormat) validate() error {
	format, ok := storedFormats[p.Format]
	if !ok {
		return fmt.Errorf("unknown preference format %q; use one of %s", p.Format, strings.Join(slices.Sorted(maps.Keys(storedFormats)), ", "))
	}
	if p.Cookie != "" && !isToken(p.Cookie) {
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

// cookieLines are the lines of a Cookie header.
type cookieLines []string

// pairs yields all names and values.
func (lines cookieLines) pairs() func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, line := range lines {
			for more := true; more; {
				var pair string
				pair, line, more = cutByte(line, ';')
				if name, value, ok := cutPair(pair); ok && !yield(name, value) {
					return
				}
			}
		}
	}
}

// names yields the name of every pair, "" for one without.
func (lines cookieLines) names() func(yield func(name string) bool) {
	return func(yield func(name string) bool) {
		for _, line := range lines {
			for pair := range strings.SplitSeq(line, ";") {
				if trim(pair) == "" {
					continue
				}
				if name, _, _ := cutPair(pair); !yield(name) {
					return
				}
			}
		}
	}
}

// values yields the values of one name.
func (lines cookieLines) values(name string) func(yield func(value string) bool) {
	return func(yield func(value string) bool) {
		for other, value := range lines.pairs() {
			if other == name && !yield(value) {
				return
			}
		}
	}
}

// all tells whether there is a cookie of this name, and all copies satisfy a
// condition.
func (lines cookieLines) all(name string, satisfies func(value string) bool) bool {
	found := false
	for value := range lines.values(name) {
		if !satisfies(value) {
			return false
		}
		found = true
	}
	return found
}

// A preference is the visitor's answers, decoded from the Cookie header when
// first asked for.
type preference struct {
	handler  *Handler
	lines    cookieLines
	opposed  bool // Global Privacy Control: what is unanswered is refused
	decoded  bool
	asked    timestamp          // when something about time was first asked
	readings []reading          // of every copy of every cookie that holds answers, once decoded
	given    map[*Cookie]answer // what several readings say, so that each is asked once for a row
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
	if given := r.findKey(row.key); given != answerNone {
		return given
	}
	if !storedFormats[r.format.Format].asksEachKey {
		if given := r.findKey(string(row.Category)); given != answerNone {
			return given
		}
	}
	return r.rest
}

func (r *reading) findKey(key string) answer {
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
	for name, value := range p.lines.pairs() {
		for i := range p.handler.Preferences {
			format := &p.handler.Preferences[i]
			if !holdsAnswers(format.names, name) {
				continue
			}
			read, err := format.recent.read(storedCookie{name, value, p.lines, format, p.handler.charter})
			if err != nil {
				p.handler.reportUnreadable(format.Format, err)
			}
			if format.isOver(read[0].at, p.now()) {
				// A grant ends; a refusal does not need to.
				read = slices.Clone(read)
				read[0].answers = maps.Clone(read[0].answers)
				maps.DeleteFunc(read[0].answers, func(_ string, given answer) bool { return given == answerGranted })
			}
			if p.readings == nil {
				p.readings = read // not copied: nearly always, it is the only one
			} else {
				p.readings = append(p.readings, read...)
			}
		}
	}
	return p.readings
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

// isOver tells whether an answer that the page wrote has been kept for as long as
// the page says; a browser's cookie can be renewed by the portal.
func (p *PreferenceFormat) isOver(at, now timestamp) bool {
	seconds := p.lifetime.seconds()
	return seconds > 0 && at.isPossible(now) && now-at > timestamp(seconds)*1000
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
			given = max(given, read.findKey(key))
		}
	}
	return given
}

// store returns the cookies that hold answers to consent keys, beside those that
// were given before. From now on they are the visitor's.
func (p *preference) store(given map[string]answer, at time.Time) []storedCookie {
	var cookies []storedCookie
	var readings []reading
	for i := range p.handler.Preferences {
		format := &p.handler.Preferences[i]
		if !format.isWritten() {
			continue
		}
		name := format.cookies()[0]
		w := writing{name: name, answers: map[string]answer{}, at: at, charter: p.handler.charter}
		for value := range p.lines.values(name) {
			if len(value) <= maxPreference {
				w.stored = append(w.stored, value)
			}
		}
		for _, key := range p.handler.charter.consentKeys() {
			w.keys = append(w.keys, format.keysOf(key)...)
			if given[key] != answerNone {
				for _, banner := range format.keysOf(key) {
					w.answers[banner] = max(w.answers[banner], given[key])
				}
			}
		}
		cookie := storedCookie{name, storedFormats[format.Format].write(w), nil, format, p.handler.charter}
		read, _ := cookie.read() // what was just written can be read
		readings = append(readings, read)
		cookies = append(cookies, cookie)
	}
	for _, read := range p.decode() {
		if !read.format.isWritten() {
			readings = append(readings, read)
		}
	}
	p.readings, p.given = readings, nil
	return cookies
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

// isSince tells whether every copy of what the page wrote is of a time, or later.
func (p *preference) isSince(at timestamp) bool {
	written := map[*PreferenceFormat]bool{}
	for _, read := range p.decode() {
		if read.format.isWritten() {
			written[read.format] = true
			if !read.at.isPossible(p.now()) || read.at < at {
				return false
			}
		}
	}
	for i := range p.handler.Preferences {
		if format := &p.handler.Preferences[i]; format.isWritten() && !written[format] {
			return false
		}
	}
	return true
}

// The format of our own is `1.<time>.<version>`, then `.<key>-n` for each key
// that is refused, and `.<key>-y<fingerprint>` for each that is granted: its
// letters, digits, '.', '-' and '_' trip no firewall. The time is in Unix
// milliseconds, the version the charter's. In keys, '-' is written "-0" and '.'
// is "-1". A refusal holds whatever else changes; a grant holds for what was
// asked, so that what is new is asked again.
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
	read := reading{answers: map[string]answer{}, at: parseTimestamp(fields[1])}
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
	answers := map[string]answer{}
	for _, value := range w.stored {
		read, _ := readCharterFormat(storedCookie{value: value, charter: w.charter})
		for key, given := range read.answers {
			answers[key] = max(answers[key], given)
		}
	}
	maps.Copy(answers, w.answers)
	fields := []string{charterFormatVersion, strconv.FormatInt(w.at.UnixMilli(), 10), w.charter.version}
	for _, key := range w.keys {
		switch answers[key] {
		case answerGranted:
			fields = append(fields, escapeKey.Replace(key)+"-y"+w.charter.fingerprints[key])
		case answerRefused:
			fields = append(fields, escapeKey.Replace(key)+"-n")
		case answerNone: // nothing to write
		}
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

// validatePreferences returns the first mistake in where preferences are stored.
func (h *Handler) validatePreferences() error {
	for i := range h.Preferences {
		preference := &h.Preferences[i]
		if err := preference.validate(); err != nil {
			return err
		}
		for _, earlier := range h.Preferences[:i] {
			if name := preference.cookies()[0]; holdsAnswers(earlier.cookies(), name) && (preference.isWritten() || earlier.isWritten()) {
				return fmt.Errorf("two preferences, %s and %s, are written into the cookie %q; keep one", earlier.Format, preference.Format, name)
			}
		}
	}
	return nil
}

package cookiecharter

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// PreferenceFormat says where the visitor's preference is stored and how it is
// written there.
type PreferenceFormat struct {
	// The stored format: `axeptio`, `c15t`, `complianz`, `cookiebot`,
	// `cookieconsent` (orestbida's, version 3), `cookieconsent2`, `cookieyes`,
	// `didomi`, `django_cookie_consent`, `drupal` (EU Cookie Compliance),
	// `govuk`, `json` (an object from keys to booleans), `klaro`, `matomo`,
	// `nhsuk`, `onetrust`, `opendatasoft`, `orejime`, `osano`, `symfony`,
	// `tarteaucitron`, `tcf` (IAB Europe's, version 2; the keys are the purposes'
	// numbers). The charter page writes `opendatasoft` only. Required.
	Format string `json:"format"`

	// The name of the cookie that holds it, a token (RFC 6265, section 4.1.1).
	// Default: the format's usual one; `json` has none.
	Cookie string `json:"cookie,omitempty"`

	// The banner's keys for a consent key of the charter, or for a category. Of
	// several, all have to be granted, and one that is refused refuses. Default:
	// the same key.
	Keys map[string]Names `json:"keys,omitempty"`

	// The revision of the banner's texts (`cookieconsent`, `cookieconsent2`): an
	// answer to another revision is none. Default: 0.
	Revision int `json:"revision,omitempty"`

	// Where visitors change a choice that the charter page does not write: a URL
	// with scheme, or a path from the root. Default: none; the page refers to the
	// banner.
	Manage string `json:"manage,omitempty"`
}

const (
	defaultPreferenceFormat = "opendatasoft"
	defaultPreferenceCookie = "cookies_preferences"

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
	if p.Cookie != "" && len(format.cookies) > 0 && strings.HasSuffix(format.cookies[0], "*") {
		return fmt.Errorf("the cookies of the preference format %s have their own names; name none", p.Format)
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

// holds tells whether a cookie of this name holds answers.
func (p *PreferenceFormat) holds(name string) bool {
	return slices.ContainsFunc(p.cookies(), func(pattern string) bool {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		return name == pattern || isPrefix && strings.HasPrefix(name, prefix)
	})
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
			for pair := range strings.SplitSeq(line, ";") {
				if name, value, ok := cutPair(pair); ok && !yield(name, value) {
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
	opposed  bool        // Global Privacy Control: what is unanswered is refused
	readings [][]reading // by format and copy, once decoded
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
	given := answerNone
	for i, copies := range p.decode() {
		format := &p.handler.Preferences[i]
		for _, read := range copies {
			found := format.find(read, row)
			if found == answerGranted && row.Exempt && storedFormats[format.Format].grantsUnasked {
				continue
			}
			given = max(given, found)
		}
	}
	return given
}

// find returns what a reading answers to a row: by its consent key, else by its
// category, else as to all keys that it does not name.
func (p *PreferenceFormat) find(read reading, row *Cookie) answer {
	if given := p.findKey(read, row.consentKey()); given != answerNone {
		return given
	}
	// Our own page asks for each key, so that an answer to one is to no other.
	if !storedFormats[p.Format].isWritten {
		if given := p.findKey(read, string(row.Category)); given != answerNone {
			return given
		}
	}
	return read.rest
}

func (p *PreferenceFormat) findKey(read reading, key string) answer {
	keys, ok := p.Keys[key]
	if !ok {
		return read.answers[key]
	}
	given := answerGranted
	for _, key := range keys {
		switch named, ok := read.answers[key]; {
		case !ok && read.rest == answerRefused, named == answerRefused:
			return answerRefused
		case named == answerNone && read.rest != answerGranted:
			given = answerNone
		}
	}
	return given
}

// decode reads every copy of every cookie that holds answers.
func (p *preference) decode() [][]reading {
	if p.readings != nil {
		return p.readings
	}
	p.readings = make([][]reading, len(p.handler.Preferences))
	for name, value := range p.lines.pairs() {
		for i := range p.handler.Preferences {
			format := &p.handler.Preferences[i]
			if !format.holds(name) {
				continue
			}
			read, err := reading{}, errOversized
			if len(value) <= maxPreference {
				read, err = storedFormats[format.Format].read(storedCookie{name, value, p.lines, format})
			}
			if err != nil {
				p.handler.reportUnreadable(format.Format, err)
			}
			p.readings[i] = append(p.readings[i], read)
		}
	}
	return p.readings
}

// written returns the answers that the page wrote, or the portal's own banner
// in the same format.
func (p *preference) written() map[string]answer {
	answers := map[string]answer{}
	for _, read := range p.writtenReadings() {
		for key, given := range read.answers {
			answers[key] = max(answers[key], given)
		}
	}
	return answers
}

func (p *preference) writtenReadings() []reading {
	for i, copies := range p.decode() {
		if storedFormats[p.handler.Preferences[i].Format].isWritten {
			return copies
		}
	}
	return nil
}

// replace puts answers in the place of those that the page wrote before.
func (p *preference) replace(answers map[string]answer) {
	for i := range p.decode() {
		if storedFormats[p.handler.Preferences[i].Format].isWritten {
			p.readings[i] = []reading{{answers: answers}}
		}
	}
}

// isOf tells whether every copy of what the page wrote is of one time.
func (p *preference) isOf(at string) bool {
	copies := p.writtenReadings()
	return len(copies) > 0 && !slices.ContainsFunc(copies, func(read reading) bool { return read.at != at })
}

// reportUnreadable counts and logs that a stored preference could not be read;
// never its value.
func (h *Handler) reportUnreadable(format string, reason error) {
	h.unreadable[format].Inc()
	if c := h.logger.Check(zapcore.DebugLevel, "unreadable preference"); c != nil {
		c.Write(zap.String("format", format), zap.Error(reason))
	}
}

// validatePreferences returns the first mistake in where preferences are stored.
func (h *Handler) validatePreferences() error {
	written := 0
	for i := range h.Preferences {
		if err := h.Preferences[i].validate(); err != nil {
			return err
		}
		if storedFormats[h.Preferences[i].Format].isWritten {
			written++
		}
	}
	if written > 1 {
		return errors.New("the page can write one preference only; keep one of the format " + defaultPreferenceFormat)
	}
	return nil
}

package cookiecharter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// PreferenceFormat says where the visitor's preference is stored and how it is
// written there.
type PreferenceFormat struct {
	// The stored format. `opendatasoft`, the only one so far, is a JSON object,
	// usually percent-encoded, from consent keys to booleans. Default:
	// `opendatasoft`.
	Format string `json:"format,omitempty"`

	// The name of the cookie that holds it, a token (RFC 6265, section 4.1.1).
	// Default: `cookies_preferences`.
	Cookie string `json:"cookie,omitempty"`
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

func (p PreferenceFormat) validate() error {
	if p.Format != "" && p.Format != defaultPreferenceFormat {
		return fmt.Errorf("unknown preference format %q; use %s", p.Format, defaultPreferenceFormat)
	}
	if p.Cookie != "" && !isToken(p.Cookie) {
		return fmt.Errorf("%q is not a cookie name", p.Cookie)
	}
	return nil
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
	lines   []string // the request's Cookie header
	cookie  string   // the name of the cookie that holds the preference
	opposed bool     // Global Privacy Control: what is unanswered is refused
	decoded bool
	answers map[string]answer
	times   []string // when the answers were given, as stored, by copy of the cookie
}

// answer returns the answer to a key. One that was given beats Global Privacy
// Control, which beats silence.
func (p *preference) answer(key string) answer {
	given := p.given()[key]
	if given == answerNone && p.opposed {
		return answerRefused
	}
	return given
}

// given returns the answers that the visitor has stored.
func (p *preference) given() map[string]answer {
	if !p.decoded {
		p.decoded = true
		for _, line := range p.lines {
			for pair := range strings.SplitSeq(line, ";") {
				name, value, ok := cutPair(pair)
				if ok && name == p.cookie {
					answers, at := readOpendatasoft(value)
					p.answers = merge(p.answers, answers)
					p.times = append(p.times, at)
				}
			}
		}
	}
	return p.answers
}

// isOf tells whether every copy of the preference cookie is of one time.
func (p *preference) isOf(at string) bool {
	p.given()
	return len(p.times) > 0 && !slices.ContainsFunc(p.times, func(other string) bool { return other != at })
}

// merge joins two readings; where they disagree, the stricter answer wins.
func merge(into, from map[string]answer) map[string]answer {
	if into == nil {
		return from
	}
	for key, a := range from {
		into[key] = max(into[key], a)
	}
	return into
}

// readOpendatasoft reads the value of Opendatasoft's `cookies_preferences`: a
// JSON object, raw, or percent-encoded in part or whole, once or twice, in
// quotes or not. Booleans are answers; all else is none. The time of the answers
// is returned as it is stored.
func readOpendatasoft(value string) (answers map[string]answer, at string) {
	if len(value) > maxPreference {
		return nil, ""
	}
	for range 3 {
		value = unquote(value)
		if answers, at, err := readObject(value); err == nil {
			return answers, at
		}
		decoded, err := url.PathUnescape(value)
		if err != nil || decoded == value {
			return nil, ""
		}
		value = decoded
	}
	return nil, ""
}

// unquote removes the quotes around a value, and the escapes in it with which
// Python, and so Django, writes what does not go into a cookie: `\054`, `\"`.
func unquote(value string) string {
	quoted, ok := strings.CutPrefix(value, `"`)
	if !ok {
		return value
	}
	return quotedEscape.ReplaceAllStringFunc(strings.TrimSuffix(quoted, `"`), func(escape string) string {
		if char, err := strconv.ParseUint(escape[1:], 8, 8); err == nil && len(escape) == 4 {
			return string([]byte{byte(char)})
		}
		return escape[1:]
	})
}

var quotedEscape = regexp.MustCompile(`\\(?:[0-3][0-7][0-7]|.)`)

// readObject returns the boolean members of a JSON object, and its timestamp.
func readObject(text string) (answers map[string]answer, at string, err error) {
	if !utf8.ValidString(text) {
		return nil, "", errors.New("not UTF-8")
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, "", errors.New("not a JSON object")
	}
	answers = map[string]answer{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, "", err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, "", err
		}
		if key == timestampKey {
			at = string(value)
			continue
		}
		// encoding/json would let the last of two equal keys win.
		switch string(value) {
		case "true":
			answers[key.(string)] = max(answers[key.(string)], answerGranted)
		case "false":
			answers[key.(string)] = answerRefused
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, "", err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, "", errors.New("text after the JSON object")
	}
	return answers, at, nil
}

// writeOpendatasoft writes answers as readOpendatasoft reads them: encoded as
// JavaScript's encodeURIComponent does for these bytes, keys in order.
func writeOpendatasoft(answers map[string]answer, at time.Time) string {
	var text bytes.Buffer
	text.WriteByte('{')
	for _, key := range slices.Sorted(maps.Keys(answers)) {
		if a := answers[key]; a != answerNone && key != timestampKey {
			quoted, err := json.Marshal(key)
			if err != nil {
				continue // a string always marshals
			}
			text.Write(quoted)
			text.WriteString(":" + strconv.FormatBool(a == answerGranted) + ",")
		}
	}
	text.WriteString(strconv.Quote(timestampKey) + ":" + strconv.FormatInt(at.UnixMilli(), 10) + "}")
	return strings.ReplaceAll(url.QueryEscape(text.String()), "+", "%20")
}

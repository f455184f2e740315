package cookiecharter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
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

// String returns the word that the page's form uses for the answer.
func (a answer) String() string {
	return [...]string{"", "granted", "refused"}[a]
}

// A preference is the visitor's answers, decoded from the Cookie header when
// first asked for.
type preference struct {
	lines   []string // the request's Cookie header
	cookie  string   // the name of the cookie that holds the preference
	opposed bool     // Global Privacy Control: what is unanswered is refused
	decoded bool
	answers map[string]answer
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
					p.answers = merge(p.answers, readOpendatasoft(value))
				}
			}
		}
	}
	return p.answers
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
// quotes or not. Booleans are answers; all else is none.
func readOpendatasoft(value string) map[string]answer {
	if len(value) > maxPreference {
		return nil
	}
	for range 3 {
		if unquoted, ok := strings.CutPrefix(value, `"`); ok {
			value = strings.TrimSuffix(unquoted, `"`)
		}
		if answers, err := readBooleans(value); err == nil {
			return answers
		}
		decoded, err := url.PathUnescape(value)
		if err != nil || decoded == value {
			return nil
		}
		value = decoded
	}
	return nil
}

// readBooleans returns the boolean members of a JSON object.
func readBooleans(text string) (map[string]answer, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	answers := map[string]answer{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
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
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the JSON object")
	}
	return answers, nil
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

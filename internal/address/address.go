// Package address shows addresses without what can be the value of a cookie, and knows what
// every browser takes for granted of them.
package address

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// WithoutParameters returns a path, escaped or not, without the parameters of its
// segments (RFC 3986, section 3.3), such as ";jsessionid=VALUE": portals keep
// sessions there.
func WithoutParameters(path string) string {
	segments := strings.Split(path, "/") // a slash that is encoded is a part of a value
	for i, segment := range segments {
		segments[i] = segment[:parametersIn(segment)]
	}
	return strings.Join(segments, "/")
}

// parametersIn returns where the parameters of a segment begin: at the first ";",
// however that is encoded, once or more. What an escape stands for can end one before
// it ("%25%33%42" is "%3B" is ";"), so the text that is read so far is kept decoded.
func parametersIn(segment string) int {
	decoded := make([]byte, 0, len(segment))
	starts := make([]int, 0, len(segment)) // of each byte of it
	for i := range len(segment) {
		decoded, starts = append(decoded, segment[i]), append(starts, i)
		for first := len(decoded) - 3; first >= 0 && decoded[first] == '%'; first = len(decoded) - 3 {
			char, err := strconv.ParseUint(string(decoded[first+1:]), 16, 8)
			if err != nil {
				break
			}
			decoded, starts = append(decoded[:first], byte(char)), starts[:first+1]
		}
		if last := len(decoded) - 1; decoded[last] == ';' {
			return starts[last]
		}
	}
	return len(segment)
}

// maxShownPath is how much of a path is shown, in bytes.
const maxShownPath = 128

// A RequestPath is the path of a request as it can be shown: worked out once, however
// many cookies are seen there.
type RequestPath struct {
	Address *url.URL // of the request; nil if it is not known
	shown   *string  // nil if it was not asked for yet
}

// Shown returns the path without parameters, cut after 128 bytes; "" if it is not known.
func (p *RequestPath) Shown() string {
	if p.Address == nil {
		return ""
	}
	if p.shown == nil {
		path := WithoutParameters(p.Address.EscapedPath())
		if plain, err := url.PathUnescape(path); err == nil {
			path = plain
		}
		path = strings.Clone(path[:min(len(path), maxShownPath)])
		p.shown = &path
	}
	return *p.shown
}

// DefaultPorts are those that an address need not say, by its scheme in lower case: of all
// schemes that pages load from.
var DefaultPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443"}

// IsLocalhost tells whether a host is this machine for every browser, whatever
// name servers say (Secure Contexts, section 5.2; RFC 6761, section 6.3).
func IsLocalhost(host string) bool {
	host = strings.TrimSuffix(ascii.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// maxQueryWord is how long a word of a query can be to be shown, in bytes: numbers,
// dates and short words are, and no session's identifier is as short (64 bits take
// 11 characters in base64).
const maxQueryWord = 10

// A Redactor shows addresses without what can be the value of a cookie. What is
// left out of queries has a number, so that pages can be told apart.
type Redactor struct {
	numbers map[string]int
}

// Show returns an address as a report can have it: without its user, parameters of
// its path, and longer words in its query, be they names or values.
func (s *Redactor) Show(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	shown := parsed.Scheme + "://" + parsed.Host + WithoutParameters(parsed.EscapedPath())
	if parsed.RawQuery == "" {
		return shown
	}
	var fields []string
	for field := range strings.FieldsFuncSeq(parsed.RawQuery, func(char rune) bool { return char == '&' || char == ';' }) {
		name, value, hasValue := strings.Cut(field, "=")
		if hasValue {
			fields = append(fields, s.word(name)+"="+s.word(value))
		} else {
			fields = append(fields, s.word(name))
		}
	}
	return shown + "?" + strings.Join(fields, "&")
}

// word returns a word of a query as it is shown.
func (s *Redactor) word(word string) string {
	if len(word) <= maxQueryWord {
		return word
	}
	if s.numbers == nil {
		s.numbers = map[string]int{}
	}
	if s.numbers[word] == 0 {
		s.numbers[word] = len(s.numbers) + 1
	}
	return "…" + strconv.Itoa(s.numbers[word])
}

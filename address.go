package cookiecharter

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// pathParameters begin at a ";" in a segment of a path, however that is encoded,
// once or more.
var pathParameters = regexp.MustCompile(`(?:;|%(?:25)*3[Bb])[^/]*`)

// withoutParameters returns a path, escaped or not, without the parameters of its
// segments (RFC 3986, section 3.3), such as ";jsessionid=VALUE": portals keep
// sessions there.
func withoutParameters(path string) string { return pathParameters.ReplaceAllString(path, "") }

// A visitedPath is the path of a request as it can be told: found once, however
// many cookies are seen there.
type visitedPath struct {
	address *url.URL
	told    *string
}

func (p *visitedPath) shown() string {
	if p.told == nil {
		path := withoutParameters(p.address.EscapedPath())
		if plain, err := url.PathUnescape(path); err == nil {
			path = plain
		}
		path = strings.Clone(path[:min(len(path), maxName)])
		p.told = &path
	}
	return *p.told
}

// isLocalhost tells whether a host is this machine for every browser, whatever
// name servers say (Secure Contexts, section 5.2; RFC 6761, section 6.3).
func isLocalhost(host string) bool {
	host = strings.TrimSuffix(ascii.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// maxQueryWord is how long a word of a query can be to be shown, in bytes: numbers,
// dates and short words are, and no session's identifier is as short (64 bits take
// 11 characters in base64).
const maxQueryWord = 10

// shownAddresses shows addresses without what can be the value of a cookie. What is
// left out of queries has a number, so that pages can be told apart.
type shownAddresses struct {
	numbers map[string]int
}

// show returns an address as a report can have it: without its user, parameters of
// its path, and longer words in its query.
func (s *shownAddresses) show(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	shown := parsed.Scheme + "://" + parsed.Host + withoutParameters(parsed.EscapedPath())
	if parsed.RawQuery == "" {
		return shown
	}
	var fields []string
	for field := range strings.FieldsFuncSeq(parsed.RawQuery, func(char rune) bool { return char == '&' || char == ';' }) {
		name, value, hasValue := strings.Cut(field, "=")
		if hasValue {
			fields = append(fields, name+"="+s.word(value))
		} else {
			fields = append(fields, s.word(name))
		}
	}
	return shown + "?" + strings.Join(fields, "&")
}

// word returns a word of a query as it is shown.
func (s *shownAddresses) word(word string) string {
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

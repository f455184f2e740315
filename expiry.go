package cookiecharter

import (
	"cmp"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

const (
	// maxExpiries is how many bytes of expiries one answer carries: servers in
	// front hold the whole header in a buffer of 4 KiB or more. What has no room
	// is removed by later answers.
	maxExpiries = 2 << 10

	// maxWithdrawal is the same for the answer to a withdrawal, whose header
	// holds little else.
	maxWithdrawal = 2<<10 + 512

	// anywhere is how many of these bytes are for guesses from anywhere in their
	// order: what cannot be removed must not keep the rest from its turn.
	anywhere = 1 << 10

	// maxCookies is how many cookies are removed at a time: more than browsers
	// keep for a host.
	maxCookies = 256

	// maxHost is the longest host name, in bytes (RFC 1035, section 2.3.4), and
	// maxDomains how many of its domains are tried.
	maxHost    = 253
	maxDomains = 8
)

// expiries returns the Set-Cookie lines that remove cookies from the browser
// that sent r. A browser tells a cookie's name only; its domain, its path and its
// partition have to be guessed, and each guess takes a line (RFC 6265bis, section
// 5.7, step 23).
func expiries(cookies []refusedCookie, r *http.Request) []string {
	site := newExpirySite(r)
	var lines []string
	room := maxExpiries
	add := func(i int) {
		line := site.guess(cookies[i%len(cookies)], i/len(cookies))
		if size := sizeOf(line); line != "" && size <= room {
			room -= size
			lines = append(lines, line)
		}
	}
	// The likeliest guesses of all cookies come first.
	total, next := site.guesses()*len(cookies), 0
	for ; next < total && room > anywhere; next++ {
		add(next)
	}
	if rest := total - next; rest > 0 {
		start := rand.IntN(rest) //nolint:gosec // only fairness hangs on it
		for i := 0; i < rest && room > 0; i++ {
			add(next + (start+i)%rest)
		}
	}
	return lines
}

// withdrawal returns as many of all these lines as one answer has room for, from
// a position on, and the position from which the next answer goes on. Positions
// count down through the cookies: those that are removed do not move the rest.
func withdrawal(cookies []refusedCookie, r *http.Request, position int) (lines []string, next int) {
	site := newExpirySite(r)
	room := maxWithdrawal
	for ; position < site.guesses()*maxCookies; position++ {
		i := maxCookies - 1 - position%maxCookies
		if i >= len(cookies) {
			continue
		}
		line := site.guess(cookies[i], position/maxCookies)
		size := sizeOf(line)
		if line == "" || size > maxWithdrawal {
			continue
		}
		if size > room {
			break
		}
		room -= size
		lines = append(lines, line)
	}
	return lines, position
}

// sizeOf returns how many bytes of a header a Set-Cookie line takes.
func sizeOf(line string) int { return len("Set-Cookie: \r\n") + len(line) }

// A refusedCookie is a declared cookie that came in a request and that the
// visitor does not allow.
type refusedCookie struct {
	name string
	row  *Cookie
}

// An expirySite is what the places of cookies are guessed from.
type expirySite struct {
	host    string
	secure  bool
	domains []string // "" is host-only
	paths   []string
}

func newExpirySite(r *http.Request) expirySite {
	site := expirySite{
		host:    hostOf(r),
		secure:  scheme(r) == "https",
		domains: []string{""},
		paths:   []string{"/"},
	}
	if path := defaultPath(originalURL(r)); path != "/" {
		site.paths = append(site.paths, path)
	}
	if _, err := netip.ParseAddr(strings.Trim(site.host, "[]")); err == nil {
		return site
	}
	if registrable, err := publicsuffix.EffectiveTLDPlusOne(site.host); err == nil && isHost(site.host) {
		for domain := site.host; len(site.domains) < maxDomains; {
			site.domains = append(site.domains, domain)
			if domain == registrable {
				break
			}
			_, domain, _ = strings.Cut(domain, ".")
		}
	}
	return site
}

// hostOf returns the host that a request is for, without its port.
func hostOf(r *http.Request) string {
	host := r.Host
	if strings.Contains(host, ":") {
		if withoutPort, _, err := net.SplitHostPort(host); err == nil {
			host = withoutPort
		}
	}
	return ascii.ToLower(strings.TrimSuffix(host, "."))
}

// isHost tells whether a host can stand in a Domain attribute.
func isHost(host string) bool {
	return host != "" && len(host) <= maxHost && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// defaultPath returns the path that a cookie has which says none (RFC 6265bis,
// section 5.1.4), or "/" if it cannot stand in a Path attribute.
func defaultPath(url *url.URL) string {
	path := url.EscapedPath()
	end := strings.LastIndexByte(path, '/')
	if end <= 0 || path[0] != '/' || !isPath(path) {
		return "/"
	}
	return path[:end]
}

// originalURL returns the URL as the client sent it.
func originalURL(r *http.Request) *url.URL {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return original.URL
	}
	return r.URL
}

// isPath tells whether a path can stand in a Path attribute.
func isPath(path string) bool {
	if strings.HasSuffix(path, " ") || len(path) > maxAttribute {
		return false
	}
	for i := range len(path) {
		if char := path[i]; char < ' ' || char > '~' || char == ';' {
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}

// guesses is how many guesses there are for a cookie.
func (s expirySite) guesses() int {
	return 2 * len(s.domains) * (1 + len(s.paths))
}

// guess returns the line that removes a cookie from one of the places where it
// can be: first those that its row declares, then by path, partition and
// domain. It is "" if there is nothing to remove from there.
func (s expirySite) guess(cookie refusedCookie, number int) string {
	domain := s.domains[number%len(s.domains)]
	partitioned := number/len(s.domains)%2 == 1
	path := ""
	if place := number / len(s.domains) / 2; place > 0 {
		path = s.paths[place-1]
	} else if row := cookie.row; row.Domain != "" || row.Path != "" {
		path = cmp.Or(row.Path, "/")
		if row.Domain != "" {
			isWithin := row.Domain == s.host || strings.HasSuffix(s.host, "."+row.Domain)
			if domain != "" || !isWithin {
				return "" // once is enough
			}
			domain = row.Domain
		}
	}
	if path == "" {
		return ""
	}
	return s.expiry(cookie.name, domain, path, partitioned)
}

// expiry returns the line that removes a cookie from one place, or "" if no
// such cookie can be there.
func (s expirySite) expiry(name, domain, path string, partitioned bool) string {
	isHost := ascii.HasPrefixFold(name, "__Host-")
	isSecure := isHost || ascii.HasPrefixFold(name, "__Secure-") || ascii.HasPrefixFold(name, "__Http-")
	if isHost && (domain != "" || path != "/") || (isSecure || partitioned) && !s.secure {
		return ""
	}
	line := name + "=; Max-Age=0; Path=" + path
	if domain != "" {
		line += "; Domain=" + domain
	}
	if s.secure {
		line += "; Secure; SameSite=None" // without it, nothing is removed within another site's frame
	}
	if ascii.HasPrefixFold(name, "__Http-") || ascii.HasPrefixFold(name, "__Host-Http-") {
		line += "; HttpOnly"
	}
	if partitioned {
		line += "; Partitioned"
	}
	return line
}

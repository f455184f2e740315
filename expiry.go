package cookiecharter

import (
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const (
	// maxExpiries is how many bytes of expiries one answer carries: servers in
	// front hold headers in buffers of 4 to 8 KiB. What has no room is removed
	// by later answers.
	maxExpiries = 2 << 10

	// maxWithdrawal is the same for the answer to a withdrawal, which removes
	// everything at once.
	maxWithdrawal = 64 << 10
)

// expiries returns the Set-Cookie lines that remove cookies from the browser
// that sent r, in at most room bytes. A browser tells a cookie's name only; its
// domain, its path and its partition have to be guessed, and each guess takes a
// line (RFC 6265bis, section 5.7, step 23).
func expiries(cookies []refusedCookie, r *http.Request, room int) []string {
	site := newExpirySite(r)
	var lines []string
	add := func(line string) {
		if line != "" {
			lines = append(lines, line)
		}
	}
	// The likeliest guesses come first, of all cookies.
	for _, cookie := range cookies {
		if cookie.row.Domain != "" || cookie.row.Path != "" {
			path := cookie.row.Path
			if path == "" {
				path = "/"
			}
			domain := strings.ToLower(cookie.row.Domain)
			if domain == "" || domain == site.host || strings.HasSuffix(site.host, "."+domain) {
				add(site.expiry(cookie.name, domain, path, false))
				add(site.expiry(cookie.name, domain, path, true))
			}
		}
	}
	for _, partitioned := range []bool{false, true} {
		for _, path := range site.paths {
			for _, domain := range site.domains {
				for _, cookie := range cookies {
					add(site.expiry(cookie.name, domain, path, partitioned))
				}
			}
		}
	}

	used := 0
	for i, line := range lines {
		used += len("Set-Cookie: \r\n") + len(line)
		if used > room/2 && i < len(lines)-1 {
			// What cannot be removed must not keep the rest from its turn.
			rand.Shuffle(len(lines)-i, func(a, b int) { lines[i+a], lines[i+b] = lines[i+b], lines[i+a] }) //nolint:gosec // only fairness hangs on it
			break
		}
	}
	used = 0
	for i, line := range lines {
		if used += len("Set-Cookie: \r\n") + len(line); used > room {
			return lines[:i]
		}
	}
	return lines
}

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
	host := r.Host
	if withoutPort, _, err := net.SplitHostPort(host); err == nil {
		host = withoutPort
	}
	site := expirySite{
		host:    strings.ToLower(strings.TrimSuffix(host, ".")),
		secure:  scheme(r) == "https",
		domains: []string{""},
		paths:   []string{"/"},
	}
	if path := defaultPath(r); path != "/" {
		site.paths = append(site.paths, path)
	}
	if _, err := netip.ParseAddr(strings.Trim(site.host, "[]")); err == nil {
		return site
	}
	if registrable, err := publicsuffix.EffectiveTLDPlusOne(site.host); err == nil && isHost(site.host) {
		for domain := site.host; ; {
			site.domains = append(site.domains, domain)
			if domain == registrable {
				break
			}
			_, domain, _ = strings.Cut(domain, ".")
		}
	}
	return site
}

// isHost tells whether a host can stand in a Domain attribute.
func isHost(host string) bool {
	return host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// defaultPath returns the path that a cookie has which says none, for the URL
// as the client sent it (RFC 6265bis, section 5.1.4), or "/" if it cannot stand
// in a Path attribute.
func defaultPath(r *http.Request) string {
	url := r.URL
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		url = original.URL
	}
	path := url.EscapedPath()
	end := strings.LastIndexByte(path, '/')
	if end <= 0 || path[0] != '/' || !isPath(path) {
		return "/"
	}
	return path[:end]
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

// expiry returns the line that removes a cookie from one place, or "" if no
// such cookie can be there.
func (s expirySite) expiry(name, domain, path string, partitioned bool) string {
	hostPrefix := hasPrefixFold(name, "__Host-") || hasPrefixFold(name, "__Host-Http-")
	securePrefix := hostPrefix || hasPrefixFold(name, "__Secure-") || hasPrefixFold(name, "__Http-")
	if hostPrefix && (domain != "" || path != "/") || (securePrefix || partitioned) && !s.secure {
		return ""
	}
	line := name + "=; Max-Age=0; Path=" + path
	if domain != "" {
		line += "; Domain=" + domain
	}
	if s.secure {
		line += "; Secure; HttpOnly" // as the prefixed names need; harmless for all others
	}
	if partitioned {
		line += "; Partitioned"
	}
	return line
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

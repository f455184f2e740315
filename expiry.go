package cookiecharter

import (
	"cmp"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

const (
	// frontBuffer is what the smallest buffer of common servers in front holds,
	// in bytes. The whole header of an answer has to fit in: nginx takes one that
	// does not for a fault.
	frontBuffer = 4 << 10

	// frontReserve is how much of it is left for what is not in the header yet:
	// what is added below (Date, Content-Type, Content-Length, Connection,
	// Cache-Control: some 150 bytes) and by a server in between, and, where nginx
	// caches, the record of 350 bytes that it keeps in the same buffer.
	frontReserve = 768

	// maxExpiries is how many bytes of expiries one answer carries at most. What
	// has no room is removed by later answers. The answer to a withdrawal, whose
	// header holds little else, takes all the room that there is.
	maxExpiries = 2 << 10

	// anywhere is how many of these bytes are for guesses from anywhere in their
	// order: what cannot be removed must not keep the rest from its turn.
	anywhere = 768

	// maxExpiry is the longest line that is tried, in bytes: a longer name leaves
	// no room for others.
	maxExpiry = 2 << 10

	// maxTries is how many guesses are looked at for one answer: many more than
	// fit, as some are of no use to some cookies.
	maxTries = 2 << 10

	// maxCookies is how many cookies are removed at a time: more than browsers
	// keep for a host.
	maxCookies = 256

	// maxHost is the longest host name, in bytes (RFC 1035, section 2.3.4).
	maxHost = 253

	// maxPaths is how many paths are tried besides "/", and maxGuesses how many
	// guesses for each cookie.
	maxPaths   = 64
	maxGuesses = 1 << 10

	// registrableDomain stands in a row for the registrable domain of the host
	// that a visitor is on: many trackers write there.
	registrableDomain = "registrable"
)

// roomFor returns how many bytes of expiries there is room for in an answer with
// this header, below nothing if the header alone is too much. The address counts
// as well: nginx's caches keep it in the same buffer.
func roomFor(header http.Header, address *url.URL) int {
	size := len("HTTP/1.1 511 Network Authentication Required\r\n\r\n") + len(address.RequestURI())
	for field, lines := range header {
		for _, line := range lines {
			size += len(field) + len(": \r\n") + len(line)
		}
	}
	return frontBuffer - frontReserve - size
}

// expiries returns the Set-Cookie lines that remove cookies from the browser
// that sent r, as far as there is room. A browser tells a cookie's name only; its
// domain, its path and its partition have to be guessed, and each guess takes a
// line (RFC 6265bis, section 5.7, step 23).
func expiries(cookies []refusedCookie, r *http.Request, room int) []string {
	site := newExpirySite(r)
	answer := expiryAnswer{room: min(room, maxExpiries)}
	cookies = site.removable(cookies, answer.room)
	if len(cookies) == 0 {
		return nil
	}
	answer.least = site.least(cookies)

	// The likeliest guesses of all cookies come first.
	total, next := len(site.guesses)*len(cookies), 0
	for ; next < total && answer.room > anywhere && answer.goesOn(); next++ {
		answer.add(site.guess(cookies[next%len(cookies)], next/len(cookies)))
	}

	// Then, from any cookie on, a few guesses of each: what comes next, or any.
	const few = 3
	turns := (len(site.guesses) + few - 1) / few
	turn := next / len(cookies) / few
	if turn >= turns || rand.IntN(2) == 0 { //nolint:gosec // only fairness hangs on it
		turn = rand.IntN(turns) //nolint:gosec // likewise
	}
	start := turn*few*len(cookies) + rand.IntN(few*len(cookies)) //nolint:gosec // likewise
	total = turns * few * len(cookies)
	for i := 0; i < total && answer.goesOn(); i++ {
		position := (start + i) % total
		cookie, number := position/few%len(cookies), position/few/len(cookies)*few+position%few
		if number < len(site.guesses) && number*len(cookies)+cookie >= next {
			answer.add(site.guess(cookies[cookie], number))
		}
	}
	return answer.lines
}

// withdrawal returns as many of all these lines as there is room for, from a
// position on, and the position from which the next answer goes on. Positions
// count down through the cookies: those that are removed do not move the rest.
func withdrawal(cookies []refusedCookie, r *http.Request, position, room int) (lines []string, next int) {
	site := newExpirySite(r)
	cookies = site.removable(cookies, maxExpiry)
	if len(cookies) == 0 {
		return nil, position
	}
	answer := expiryAnswer{room: room, least: site.least(cookies)}
	for ; position < site.positions() && answer.goesOn(); position++ {
		i := maxCookies - 1 - position%maxCookies
		if i >= len(cookies) {
			position += i - len(cookies) // to the last of them
			continue
		}
		guess := site.guess(cookies[i], position/maxCookies)
		if guess.size() > answer.room && guess.size() <= maxExpiry {
			break
		}
		answer.add(guess)
	}
	return answer.lines, position
}

// afterWithdrawal tells the cookies that are still there after a withdrawal up to
// a position: those that later answers remove, and those that no answer to this
// request can, as all was tried.
func afterWithdrawal(cookies []refusedCookie, r *http.Request, position int) (later, never []refusedCookie) {
	site := newExpirySite(r)
	for _, cookie := range cookies {
		if position < site.positions() && site.isRemovable(cookie, maxExpiry) {
			later = append(later, cookie)
		} else {
			never = append(never, cookie)
		}
	}
	return later, never
}

// An expiryAnswer collects the expiries of one answer.
type expiryAnswer struct {
	lines []string
	room  int // that is left, in bytes
	least int // that a line takes
	tries int
}

// goesOn tells whether more guesses are worth a try.
func (a *expiryAnswer) goesOn() bool { return a.room >= a.least && a.tries < maxTries }

// add adds the line of a guess if there is room for it.
func (a *expiryAnswer) add(guess expiry) {
	a.tries++
	if size := guess.size(); size > 0 && size <= a.room {
		a.room -= size
		a.lines = append(a.lines, strings.Join(guess[:], ""))
	}
}

// An expiry is a Set-Cookie line, in its parts, that removes a cookie from one
// place. It is empty if no such cookie can be there.
type expiry [8]string

// size returns how many bytes of a header the line takes, none for no line.
func (e *expiry) size() int {
	if e[0] == "" {
		return 0
	}
	size := len("Set-Cookie: \r\n")
	for _, part := range e {
		size += len(part)
	}
	return size
}

// A refusedCookie is a declared cookie that came in a request and that the
// visitor does not allow.
type refusedCookie struct {
	name string
	row  *Cookie
}

// An expirySite is what the places of cookies are guessed from.
type expirySite struct {
	host        string
	registrable string // "" if there is none
	secure      bool
	guesses     []expiryGuess // the likeliest first
}

// An expiryGuess is where a cookie can be.
type expiryGuess struct {
	domain      string // "" is host-only
	path        string // "" for the place that the cookie's row declares
	partitioned bool
}

// newExpirySite guesses in the order in which cookies are written. Trackers write
// to the host alone or, to be read by its siblings, to the highest domain that
// browsers let them, the registrable one; few write in between. Nearly all name
// the path "/"; a script that names none gets the default path. Partitioned ones
// are written by frames of others, or by servers for these, and there too at "/".
func newExpirySite(r *http.Request) expirySite {
	host := hostOf(r)
	site := expirySite{host: host, registrable: registrableOf(host), secure: scheme(r) == "https"}
	likely, between := domainsOf(host, site.registrable)
	defaults, deeper := deeperPaths(originalURL(r))
	add := func(partitioned bool, paths, domains []string) {
		if partitioned && !site.secure {
			return
		}
		for _, path := range paths {
			for _, domain := range domains[:min(len(domains), maxGuesses-len(site.guesses))] {
				site.guesses = append(site.guesses, expiryGuess{domain, path, partitioned})
			}
		}
	}
	root := []string{"/"}
	declaredOrRoot := []string{"", "/"}
	add(false, declaredOrRoot, likely)
	add(false, defaults, likely)
	add(false, root, between)
	add(true, declaredOrRoot, likely)
	add(false, deeper, likely)
	add(true, defaults, likely)
	add(true, deeper, likely)
	add(false, defaults, between)
	add(true, root, between)
	add(false, deeper, between)
	add(true, defaults, between)
	add(true, deeper, between)
	return site
}

// registrableOf returns the registrable domain of a host, "" if it has none.
func registrableOf(host string) string {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || !isHost(host) {
		return ""
	}
	registrable, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	return registrable
}

// domainOn returns the domain that a row declares, as it is on a host; "" if it is
// host-only there, or not known.
func (c *Cookie) domainOn(host string) string {
	if c.Domain == registrableDomain {
		return registrableOf(host)
	}
	return c.Domain
}

// domainsOf returns the domains that cookies of a host can have: the likely ones,
// and those between.
func domainsOf(host, registrable string) (likely, between []string) {
	switch registrable {
	case "":
		return []string{""}, nil
	case host:
		return []string{"", host}, nil
	}
	_, domain, _ := strings.Cut(host, ".")
	for ; domain != registrable; _, domain, _ = strings.Cut(domain, ".") {
		between = append(between, domain)
	}
	return []string{"", registrable, host}, between
}

// deeperPaths returns the paths but "/" of cookies that come with a request for an
// address (RFC 6265bis, section 5.1.4), as far as they can stand in a Path
// attribute: the default path, if it is one of them, and the rest from the root
// down.
func deeperPaths(address *url.URL) (likely, rest []string) {
	path, usable := address.EscapedPath(), 0
	for usable < len(path) && usable < setcookie.MaxAttribute && path[usable] > ' ' && path[usable] <= '~' && path[usable] != ';' {
		usable++
	}
	if !strings.HasPrefix(path, "/") {
		return nil, nil
	}
	seen := []string{"/"}
	if path := defaultPath(address); path != "/" {
		seen = append(seen, path)
	}
	known := len(seen)
	add := func(path string) {
		if !slices.Contains(seen, path) {
			seen = append(seen, path)
		}
	}
	for end := 1; end < usable && len(seen) < maxPaths; end++ {
		if path[end] == '/' {
			add(path[:end])
			add(path[:end+1])
		}
	}
	if usable == len(path) {
		add(path)
	}
	return seen[1:known], seen[known:]
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
	if end <= 0 || !isPath(path[:end]) {
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
	if strings.HasSuffix(path, " ") || len(path) > setcookie.MaxAttribute {
		return false
	}
	for i := range len(path) {
		if char := path[i]; char < ' ' || char > '~' || char == ';' {
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}

// positions is how many positions there are in a withdrawal.
func (s expirySite) positions() int { return len(s.guesses) * maxCookies }

// removable returns the cookies that a line of some bytes can remove.
func (s expirySite) removable(cookies []refusedCookie, most int) []refusedCookie {
	removable := make([]refusedCookie, 0, len(cookies))
	for _, cookie := range cookies {
		if s.isRemovable(cookie, most) {
			removable = append(removable, cookie)
		}
	}
	return removable
}

// isRemovable tells whether a line of some bytes can remove a cookie.
func (s expirySite) isRemovable(cookie refusedCookie, most int) bool {
	guess := s.expiry(cookie.name, "", "/", false)
	return guess.size() > 0 && guess.size() <= most
}

// least returns how many bytes the shortest line takes that removes one of some
// cookies.
func (s expirySite) least(cookies []refusedCookie) int {
	least := maxExpiry
	for _, cookie := range cookies {
		guess := s.expiry(cookie.name, "", "/", false)
		least = min(least, guess.size())
	}
	return least
}

// guess returns what removes a cookie from one of the places where it can be.
func (s expirySite) guess(cookie refusedCookie, number int) expiry {
	guess := s.guesses[number]
	row := cookie.row
	isDeclared := row.Domain != "" || row.Path != ""
	declaredDomain, declaredPath := row.Domain, cmp.Or(row.Path, "/")
	switch {
	case row.Domain == "":
		declaredDomain = guess.domain // any
	case row.Domain == registrableDomain:
		declaredDomain = s.registrable
	case row.Domain != s.host && !strings.HasSuffix(s.host, "."+row.Domain):
		isDeclared = false
	}
	switch {
	case guess.path != "":
		if isDeclared && guess.domain == declaredDomain && guess.path == declaredPath {
			return expiry{} // once is enough
		}
		return s.expiry(cookie.name, guess.domain, guess.path, guess.partitioned)
	case !isDeclared || row.Domain != "" && guess.domain != "":
		return expiry{}
	}
	return s.expiry(cookie.name, declaredDomain, declaredPath, guess.partitioned)
}

// expiry returns what removes a cookie from one place. The age is below zero, as
// Firefox keeps an expired record of what several answers remove at one instant
// with an age of zero.
func (s expirySite) expiry(name, domain, path string, partitioned bool) expiry {
	isHost := ascii.HasPrefixFold(name, "__Host-")
	isSecure := isHost || ascii.HasPrefixFold(name, "__Secure-") || ascii.HasPrefixFold(name, "__Http-")
	if isHost && (domain != "" || path != "/") || (isSecure || partitioned) && !s.secure {
		return expiry{}
	}
	line := expiry{name, "=; Max-Age=-1; Path=", path}
	if domain != "" {
		line[3], line[4] = "; Domain=", domain
	}
	if s.secure {
		line[5] = "; Secure; SameSite=None" // without it, nothing is removed within another site's frame
	}
	if ascii.HasPrefixFold(name, "__Http-") || ascii.HasPrefixFold(name, "__Host-Http-") {
		line[6] = "; HttpOnly"
	}
	if partitioned {
		line[7] = "; Partitioned"
	}
	return line
}

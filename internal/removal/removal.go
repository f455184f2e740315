// Package removal makes the Set-Cookie lines that remove refused cookies from a browser,
// which sends their names and not where they are.
package removal

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
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

	// maxPaths is how many paths are tried besides "/", and maxGuesses how many
	// guesses for each cookie.
	maxPaths   = 64
	maxGuesses = 1 << 10
)

// RoomFor returns how many bytes of expiries there is room for in an answer with
// this header, below nothing if the header alone is too much. The address counts
// as well: nginx's caches keep it in the same buffer.
func RoomFor(header http.Header, address *url.URL) int {
	size := len("HTTP/1.1 511 Network Authentication Required\r\n\r\n") + len(address.RequestURI())
	for field, lines := range header {
		for _, line := range lines {
			size += len(field) + len(": \r\n") + len(line)
		}
	}
	return frontBuffer - frontReserve - size
}

// Expiries returns the Set-Cookie lines that remove cookies from a browser, as far
// as there is room. A browser sends a cookie's name only; its
// domain, its path and its partition have to be guessed, and each guess takes a
// line (RFC 6265bis, section 5.7, step 23).
func Expiries(cookies []Cookie, from Origin, room int) []string {
	site := newExpirySite(from)
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

// Withdrawal returns as many of all these lines as there is room for, from a
// position on, and the position from which the next answer goes on. Positions
// count down through the cookies: those that are removed do not move the rest.
func Withdrawal(cookies []Cookie, from Origin, position, room int) (lines []string, next int) {
	site := newExpirySite(from)
	cookies = site.removable(cookies, maxExpiry)
	if len(cookies) == 0 {
		return nil, position
	}
	answer := expiryAnswer{room: room, least: site.least(cookies)}
	for ; position < site.positions() && answer.goesOn(); position++ {
		i := setcookie.MaxCookies - 1 - position%setcookie.MaxCookies
		if i >= len(cookies) {
			position += i - len(cookies) // to the last of them
			continue
		}
		guess := site.guess(cookies[i], position/setcookie.MaxCookies)
		if guess.size() > answer.room && guess.size() <= maxExpiry {
			break
		}
		answer.add(guess)
	}
	return answer.lines, position
}

// AfterWithdrawal returns the cookies that are still there after a withdrawal up to
// a position: those that later answers remove, and those that no answer to this
// request can, as all was tried.
func AfterWithdrawal(cookies []Cookie, from Origin, position int) (later, never []Cookie) {
	site := newExpirySite(from)
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

// A Cookie is a declared cookie that came in a request and that the
// visitor does not allow.
type Cookie struct {
	Name string
	Row  *charter.Row // that declares it
}

// An Origin is from where a request came, as the browser sees it.
type Origin struct {
	Host    string   // without its port
	Address *url.URL // of which the path counts
	Secure  bool     // over https
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
func newExpirySite(from Origin) expirySite {
	site := expirySite{host: from.Host, registrable: setcookie.Registrable(from.Host), secure: from.Secure}
	likely, between := domainsOf(site.host, site.registrable)
	defaults, deeper := deeperPaths(from.Address)
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
	paths := []string{"/"}
	if path := setcookie.DefaultPath(address); path != "/" {
		paths = append(paths, path)
	}
	likelyCount := len(paths)
	add := func(path string) {
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	for end := 1; end < usable && len(paths) < maxPaths; end++ {
		if path[end] == '/' {
			add(path[:end])
			add(path[:end+1])
		}
	}
	if usable == len(path) {
		add(path)
	}
	return paths[1:likelyCount], paths[likelyCount:]
}

// positions is how many positions there are in a withdrawal.
func (s expirySite) positions() int { return len(s.guesses) * setcookie.MaxCookies }

// removable returns the cookies that a line of some bytes can remove.
func (s expirySite) removable(cookies []Cookie, most int) []Cookie {
	removable := make([]Cookie, 0, len(cookies))
	for _, cookie := range cookies {
		if s.isRemovable(cookie, most) {
			removable = append(removable, cookie)
		}
	}
	return removable
}

// isRemovable tells whether a line of some bytes can remove a cookie.
func (s expirySite) isRemovable(cookie Cookie, most int) bool {
	guess := s.expiry(cookie.Name, "", "/", false)
	return guess.size() > 0 && guess.size() <= most
}

// least returns how many bytes the shortest line takes that removes one of some
// cookies.
func (s expirySite) least(cookies []Cookie) int {
	least := maxExpiry
	for _, cookie := range cookies {
		guess := s.expiry(cookie.Name, "", "/", false)
		least = min(least, guess.size())
	}
	return least
}

// guess returns what removes a cookie from one of the places where it can be.
func (s expirySite) guess(cookie Cookie, number int) expiry {
	guess := s.guesses[number]
	row := cookie.Row
	isDeclared := row.Domain != "" || row.Path != ""
	declaredDomain, declaredPath := row.Domain, cmp.Or(row.Path, "/")
	switch {
	case row.Domain == "":
		declaredDomain = guess.domain // any
	case row.Domain == charter.RegistrableDomain:
		declaredDomain = s.registrable
	case row.Domain != s.host && !strings.HasSuffix(s.host, "."+row.Domain):
		isDeclared = false
	}
	switch {
	case guess.path != "":
		if isDeclared && guess.domain == declaredDomain && guess.path == declaredPath {
			return expiry{} // once is enough
		}
		return s.expiry(cookie.Name, guess.domain, guess.path, guess.partitioned)
	case !isDeclared || row.Domain != "" && guess.domain != "":
		return expiry{}
	}
	return s.expiry(cookie.Name, declaredDomain, declaredPath, guess.partitioned)
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

package setcookie

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// A Lifetime is how long a Set-Cookie line asks the browser to keep its cookie.
type Lifetime struct {
	Seconds    int64 // zero or less deletes it
	Persistent bool  // false: until the browser ends its session
}

// Deletes tells whether a cookie with this lifetime is removed at once.
func (l Lifetime) Deletes() bool { return l.Persistent && l.Seconds <= 0 }

// A Clock is what dates count from: browsers correct their clock by the answer's
// own Date.
type Clock struct {
	Now  time.Time // by our own clock
	Date string    // the answer's field, "" if it has none
}

// earliest returns the time from which dates count. The earlier of the two lets a
// cookie live longer, so it is the safe one. It is not ok if browsers may take
// another.
func (c Clock) earliest() (now time.Time, ok bool) {
	if c.Date == "" {
		return c.Now, true
	}
	date, _, ok := parseDate(c.Date)
	if ok && date.Before(c.Now) {
		return date, true
	}
	return c.Now, ok
}

// Attributes are what browsers read of a Set-Cookie line after the name and value
// (RFC 6265bis, section 5.6). Nothing changes them once they are read.
type Attributes struct {
	Text        string // what they were read from
	HasControls bool   // which browsers read differently

	// Domain, Path and SameSite are values as they are written, "" for an attribute
	// that is not there or is empty.
	Domain, Path, SameSite string

	// Secure, HTTPOnly and HasSameSite tell which attributes there are.
	Secure, HTTPOnly, HasSameSite bool

	maxAge      Lifetime  // persistent if there is one
	badMaxAge   bool      // the last is no number
	plusMaxAge  bool      // but for its "+", which some browsers skip
	expires     time.Time // as the last browser reads it
	hasExpires  bool
	badExpires  bool // the last is read differently
	hasInnerTab bool // for which Chromium refuses the line
}

// ReadAttributes reads what stands behind the first ";" of a Set-Cookie line. Of
// attributes that are given twice, the last counts; overlong ones do not.
func ReadAttributes(text string) *Attributes {
	a := &Attributes{Text: text, HasControls: HasControls(text)}
	hasTab := strings.Contains(text, "\t")
	for rest, more := text, true; more; {
		var attribute string
		attribute, rest, more = strings.Cut(rest, ";")
		name, value, _ := strings.Cut(attribute, "=")
		name, value = Trim(name), Trim(value)
		a.hasInnerTab = a.hasInnerTab || hasTab && (strings.Contains(name, "\t") || strings.Contains(value, "\t"))
		switch {
		case len(value) > MaxAttribute:
		case ascii.EqualFold(name, "Domain"):
			a.Domain = value
		case ascii.EqualFold(name, "Path"):
			a.Path = value
		case ascii.EqualFold(name, "Secure"):
			a.Secure = true
		case ascii.EqualFold(name, "HttpOnly"):
			a.HTTPOnly = true
		case ascii.EqualFold(name, "SameSite"):
			a.SameSite, a.HasSameSite = value, true
		case ascii.EqualFold(name, "Max-Age"):
			seconds, ok := parseMaxAge(value)
			if ok {
				a.maxAge = Lifetime{seconds, true}
			}
			a.badMaxAge, a.plusMaxAge = !ok, !ok && strings.HasPrefix(value, "+")
		case ascii.EqualFold(name, "Expires"):
			_, latest, ok := parseDate(value)
			a.expires, a.hasExpires, a.badExpires = latest, true, !ok
		}
	}
	return a
}

// Lifetime returns the longest lifetime that a browser takes from the line: Max-Age,
// else Expires (RFC 6265bis, section 5.6). It is certain only if no browser takes
// another. A Max-Age that is no number does not count, but of the one before it,
// some browsers forget it, and others do not. Dates count from the clock.
func (a *Attributes) Lifetime(clock Clock) (life Lifetime, certain bool) {
	switch {
	case !a.maxAge.Persistent && !a.plusMaxAge && !a.hasExpires:
		return Lifetime{}, true
	case a.hasInnerTab, a.plusMaxAge, a.badMaxAge && a.maxAge.Persistent:
		return Lifetime{}, false
	case a.maxAge.Persistent:
		return a.maxAge, true
	case a.badExpires:
		return Lifetime{}, false
	default:
		now, ok := clock.earliest()
		return Lifetime{int64(math.Ceil(a.expires.Sub(now).Seconds())), true}, ok
	}
}

// Deletes tells whether every browser removes the cookie at once.
func (a *Attributes) Deletes(clock Clock) bool {
	life, certain := a.Lifetime(clock)
	return certain && life.Deletes()
}

// Shorten returns a line with these attributes that lives for some seconds at most,
// none for no longer than the browser's session. The last Max-Age wins; that a
// cookie ends with the session, though, no attribute can say, so for that, and where
// browsers read differently, those that say otherwise are cut out.
func (a *Attributes) Shorten(line string, most int64, clock Clock) string {
	life, certain := a.Lifetime(clock)
	if certain && (!life.Persistent || life.Seconds <= most) {
		return line
	}
	if certain && most > 0 {
		return line + "; Max-Age=" + strconv.FormatInt(most, 10)
	}
	pair, rest, more := strings.Cut(line, ";")
	kept := make([]byte, 0, len(line))
	kept = append(kept, pair...)
	for more {
		var attribute string
		attribute, rest, more = strings.Cut(rest, ";")
		name, _, _ := strings.Cut(attribute, "=")
		if name = Trim(name); !ascii.EqualFold(name, "Max-Age") && !ascii.EqualFold(name, "Expires") {
			kept = append(kept, ';')
			kept = append(kept, attribute...)
		}
	}
	return string(kept)
}

// parseMaxAge reads the value of Max-Age (RFC 6265bis, section 5.6.2).
func parseMaxAge(value string) (seconds int64, ok bool) {
	digits := strings.TrimPrefix(value, "-")
	if !isDigits(digits) {
		return 0, false
	}
	for i := range len(digits) {
		seconds = min(seconds, math.MaxInt64/10-1)*10 + int64(digits[i]-'0') // so that it stays in range
	}
	if digits != value {
		seconds = -seconds
	}
	return seconds, true
}

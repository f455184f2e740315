package cookiecharter

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// maxAttribute is the longest attribute value that browsers look at, in bytes
// (RFC 6265bis, section 5.6).
const maxAttribute = 1024

var (
	// maxLifetime is how long any cookie may live: browsers cut off there (RFC
	// 6265bis, section 5.5).
	maxLifetime = duration{400, "day"}

	// maxExempt is the same for exempt rows (CNIL, audience measurement exempt
	// from consent).
	maxExempt = duration{13, "month"}
)

// A duration is a declared lifetime: count units, or a session.
type duration struct {
	count int
	unit  string
}

const session = "session"

// durationUnits maps what people write to the unit that is meant.
var durationUnits = map[string]string{
	"s": "second", "sec": "second", "second": "second", "seconds": "second", "seconde": "second", "secondes": "second",
	"min": "minute", "minute": "minute", "minutes": "minute",
	"h": "hour", "hour": "hour", "hours": "hour", "heure": "hour", "heures": "hour",
	"d": "day", "day": "day", "days": "day", "j": "day", "jour": "day", "jours": "day",
	"week": "week", "weeks": "week", "semaine": "week", "semaines": "week",
	"month": "month", "months": "month", "mois": "month",
	"year": "year", "years": "year", "an": "year", "ans": "year", "année": "year", "années": "year",
}

// secondsPer returns how long a unit is, 0 for a session. A month is a twelfth of
// a mean Gregorian year of 365.2425 days.
func secondsPer(unit string) int {
	switch unit { // asked for every line that is kept: a map takes longer
	case "second":
		return 1
	case "minute":
		return 60
	case "hour":
		return 3600
	case "day":
		return 86400
	case "week":
		return 604800
	case "month":
		return 2629746
	case "year":
		return 31556952
	default:
		return 0
	}
}

func parseDuration(text string) (duration, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == session {
		return duration{unit: session}, nil
	}
	number := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	unit := durationUnits[strings.TrimSpace(text[len(number):])]
	count, err := strconv.Atoi(number)
	if err != nil || unit == "" || count < 1 || count > 9999 {
		return duration{}, fmt.Errorf(`unreadable duration %q; write "session", or a whole number and a unit, such as "30 min", "2 weeks" or "13 months"`, text)
	}
	return duration{count, unit}, nil
}

// seconds returns the lifetime in seconds, 0 for a session.
func (d duration) seconds() int {
	return d.count * secondsPer(d.unit)
}

// String returns the duration as it can be declared.
func (d duration) String() string {
	if d.unit == session {
		return session
	}
	return fmt.Sprintf("%d %s", d.count, d.unit+"s"[:min(d.count-1, 1)])
}

// longest returns the longest lifetime that a row allows: the declared one, but
// no more than any cookie may live, or any exempt one.
func (c *Cookie) longest() duration {
	limit := maxLifetime
	if c.Exempt {
		limit = maxExempt
	}
	if declared, err := parseDuration(c.Duration); err == nil && declared.seconds() < limit.seconds() {
		limit = declared
	}
	return limit
}

// A lifetime is how long a Set-Cookie line asks the browser to keep its cookie,
// in seconds; zero or less deletes it.
type lifetime struct {
	seconds    int64
	persistent bool // false: until the browser ends its session
}

// deletes tells whether a cookie with this lifetime is removed at once.
func (l lifetime) deletes() bool {
	return l.persistent && l.seconds <= 0
}

// attributes are what browsers read of a Set-Cookie line after the name and value
// (RFC 6265bis, section 5.6).
type attributes struct {
	written     string    // what they were read from
	at          timestamp // when, if they are remembered
	hasControls bool      // which browsers read differently

	domain, path, sameSite        string
	secure, httpOnly, hasSameSite bool

	maxAge     lifetime // persistent if there is one
	badMaxAge  bool
	expires    time.Time
	hasExpires bool
	badExpires bool
}

// readAttributes reads what stands behind the first ";" of a Set-Cookie line. Of
// attributes that are given twice, the last counts.
func readAttributes(written string) *attributes {
	a := &attributes{written: written, hasControls: hasControls(written)}
	for rest, more := written, true; more; {
		var attribute string
		attribute, rest, more = cutByte(rest, ';')
		name, value, _ := cutByte(attribute, '=')
		name, value = trim(name), trim(value)
		switch {
		case ascii.EqualFold(name, "Domain"):
			a.domain = value
		case ascii.EqualFold(name, "Path"):
			a.path = value
		case ascii.EqualFold(name, "Secure"):
			a.secure = true
		case ascii.EqualFold(name, "HttpOnly"):
			a.httpOnly = true
		case ascii.EqualFold(name, "SameSite"):
			a.sameSite, a.hasSameSite = value, true
		case ascii.EqualFold(name, "Max-Age"):
			seconds, ok := parseMaxAge(value)
			a.maxAge, a.badMaxAge = lifetime{seconds, true}, a.badMaxAge || !ok
		case ascii.EqualFold(name, "Expires"):
			date, plain := parseCookieDate(value)
			a.expires, a.hasExpires, a.badExpires = date, true, a.badExpires || !plain
		}
	}
	return a
}

// lifetime returns the lifetime that is asked for: Max-Age, else Expires (RFC
// 6265bis, section 5.6). It is certain only if every browser reads the same, which
// is so if all attributes that count are well formed: of malformed ones, some
// browsers forget, others forget what stood before them. Dates count from the
// clock.
func (a *attributes) lifetime(clock func() (time.Time, bool)) (life lifetime, certain bool) {
	switch {
	case a.badMaxAge:
		return lifetime{}, false
	case a.maxAge.persistent || !a.hasExpires:
		return a.maxAge, true
	default:
		now, ok := clock()
		return lifetime{int64(math.Ceil(a.expires.Sub(now).Seconds())), true}, ok && !a.badExpires
	}
}

// deletes tells whether every browser removes the cookie at once.
func (a *attributes) deletes(clock func() (time.Time, bool)) bool {
	if !a.maxAge.persistent && a.expires.After(time.Now()) {
		return false // no need to read the answer's Date: the earlier of the two counts
	}
	life, certain := a.lifetime(clock)
	return certain && life.deletes()
}

// amend returns a kept line as it may leave: a cookie that would outlive its
// row's duration is shortened, and attributes that the row declares are added.
func (f *filter) amend(line string, read *attributes, row *Cookie) string {
	if f.handler.Durations != declareDurations {
		line = shorten(line, read, row.limit, f.clock)
	}
	secures := row.Secure && !read.secure && scheme(f.request) == "https"
	if secures {
		line += "; Secure"
	}
	if row.HTTPOnly && !read.httpOnly {
		line += "; HttpOnly"
	}
	// Browsers refuse SameSite=None without Secure.
	if row.SameSite != "" && !read.hasSameSite && (row.SameSite != "None" || read.secure || secures) {
		line += "; SameSite=" + row.SameSite
	}
	return line
}

// shorten returns a line that lives no longer than limit. The last Max-Age
// wins; that a cookie ends with the session, though, no attribute can say, so
// for that, and where browsers read differently, those that say otherwise are
// cut out.
func shorten(line string, read *attributes, limit duration, clock func() (time.Time, bool)) string {
	life, certain := read.lifetime(clock)
	if certain && (!life.persistent || life.seconds <= int64(limit.seconds())) {
		return line
	}
	if certain && limit.unit != session {
		return line + "; Max-Age=" + strconv.Itoa(limit.seconds())
	}
	pair, rest, more := strings.Cut(line, ";")
	for more {
		var attribute string
		attribute, rest, more = strings.Cut(rest, ";")
		name, _, _ := strings.Cut(attribute, "=")
		if name = trim(name); !ascii.EqualFold(name, "Max-Age") && !ascii.EqualFold(name, "Expires") {
			pair += ";" + attribute
		}
	}
	return pair
}

// parseMaxAge reads the value of Max-Age (RFC 6265bis, section 5.6.2).
func parseMaxAge(value string) (seconds int64, ok bool) {
	digits := strings.TrimPrefix(value, "-")
	if digits == "" || len(value) > maxAttribute {
		return 0, false
	}
	for i := range len(digits) {
		digit := int64(digits[i]) - '0'
		if digit < 0 || digit > 9 {
			return 0, false
		}
		seconds = min(seconds, math.MaxInt64/10-1)*10 + digit // so that it stays in range
	}
	if digits != value {
		seconds = -seconds
	}
	return seconds, true
}

// dateWords are the words in dates: months by their number, days and zones as 0.
var dateWords = map[string]time.Month{
	"jan": time.January, "feb": time.February, "mar": time.March, "apr": time.April, "may": time.May, "jun": time.June,
	"jul": time.July, "aug": time.August, "sep": time.September, "oct": time.October, "nov": time.November, "dec": time.December,
	"mon": 0, "tue": 0, "wed": 0, "thu": 0, "fri": 0, "sat": 0, "sun": 0, "gmt": 0, "utc": 0,
	"monday": 0, "tuesday": 0, "wednesday": 0, "thursday": 0, "friday": 0, "saturday": 0, "sunday": 0,
}

// parseCookieDate reads a date as browsers do (RFC 6265bis, section 5.1.1), in
// any order of its parts. It is ok only in plain form, which is all that servers
// send: a clock, a day, a month, a year of two or four digits, each once, and
// besides these the name of a day, and GMT or +0000. Browsers differ over the
// rest.
func parseCookieDate(text string) (date time.Time, ok bool) {
	var clock [3]int
	var day, year int
	var month time.Month
	var hasClock, hasYear bool
	if len(text) > maxAttribute {
		return date, false
	}
	for text != "" {
		if isDateDelimiter(text[0]) {
			text = text[1:]
			continue
		}
		length := 1
		for length < len(text) && !isDateDelimiter(text[length]) {
			length++
		}
		token := text[:length]
		text = text[length:]
		number, isNumber := parseDigits(token)
		switch {
		case isNumber && day == 0 && len(token) <= 2:
			day = number
		case isNumber && !hasYear && (len(token) == 2 || len(token) == 4):
			year, hasYear = number, true
			if len(token) == 2 && year >= 70 {
				year += 1900
			} else if len(token) == 2 {
				year += 2000
			}
		case token == "0000":
		case token[0] >= '0' && token[0] <= '9':
			if clock, ok = parseClock(token); !ok || hasClock {
				return date, false
			}
			hasClock = true
		default:
			var lower [len("wednesday")]byte
			for i := range min(len(token), len(lower)) {
				lower[i] = token[i] | 0x20 // makes letters of letters only
			}
			named, known := dateWords[string(lower[:min(len(token), len(lower))])]
			if !known || len(token) > len(lower) || named != 0 && month != 0 {
				return date, false
			}
			month = max(month, named)
		}
	}
	date = time.Date(year, month, day, clock[0], clock[1], clock[2], 0, time.UTC)
	return date, hasClock && day != 0 && month != 0 && year >= 1601 && date.Day() == day && date.Month() == month
}

func isDateDelimiter(char byte) bool {
	return char == '\t' || char >= ' ' && char <= '/' || char >= ';' && char <= '@' || char >= '[' && char <= '`' || char >= '{' && char <= '~'
}

// parseDigits reads a number of few digits.
func parseDigits(text string) (number int, ok bool) {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		number = number*10 + int(text[i]-'0')
	}
	return number, text != ""
}

// parseClock reads hours, minutes and seconds, of one or two digits each.
func parseClock(token string) (clock [3]int, ok bool) {
	for i, limit := range [...]int{23, 59, 59} {
		field, rest, more := cutByte(token, ':')
		number, isNumber := parseDigits(field)
		if !isNumber || len(field) > 2 || number > limit || more != (i < 2) {
			return clock, false
		}
		clock[i], token = number, rest
	}
	return clock, true
}

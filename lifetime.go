package cookiecharter

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
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

// A month is a twelfth of a mean Gregorian year of 365.2425 days.
var secondsPerUnit = map[string]int{
	"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2629746, "year": 31556952,
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
	return d.count * secondsPerUnit[d.unit]
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

// readLifetime returns the shortest and the longest lifetime that current
// browsers read from a line. They differ over attributes that stand twice, one
// of them malformed: RFC 6265bis, section 5.6, looks at the last that is well
// formed, Chromium and Firefox at the last. In both, Max-Age beats Expires.
// Dates count from now.
func readLifetime(line string, now func() time.Time) (shortest, longest lifetime) {
	var lastAge, validAge, lastDate, validDate lifetime
	for name, value := range attributes(line) {
		switch {
		case len(value) > maxAttribute:
		case strings.EqualFold(name, "Max-Age"):
			// Chromium takes a plus sign for well formed, the RFC does not.
			var strict bool
			lastAge, strict = parseMaxAge(value)
			if strict {
				validAge = lastAge
			}
		case strings.EqualFold(name, "Expires"):
			lastDate = lifetime{}
			if date, ok := parseCookieDate(value); ok {
				lastDate = lifetime{int64(math.Ceil(date.Sub(now()).Seconds())), true}
				validDate = lastDate
			}
		}
	}
	first := func(age, date lifetime) lifetime {
		if age.persistent {
			return age
		}
		return date
	}
	shortest, longest = first(lastAge, lastDate), first(validAge, validDate)
	if longest.less(shortest) {
		shortest, longest = longest, shortest
	}
	return shortest, longest
}

// less orders lifetimes as a charter sees them: a session is longer than a
// deletion and shorter than what outlives it.
func (l lifetime) less(other lifetime) bool {
	rank := func(l lifetime) int64 {
		if !l.persistent {
			return 0
		}
		if l.seconds <= 0 {
			return -1
		}
		return l.seconds
	}
	return rank(l) < rank(other)
}

// deletes tells whether a cookie with this lifetime is removed at once.
func (l lifetime) deletes() bool {
	return l.persistent && l.seconds <= 0
}

// amend returns a kept line as it may leave: a cookie that would outlive its
// row's duration is shortened, and attributes that the row declares are added.
func (f *filter) amend(line string, row *Cookie) string {
	if f.handler.Durations != declareDurations {
		line = shorten(line, row.limit, f.now)
	}
	if row.Secure && scheme(f.request) == "https" {
		line = withAttribute(line, "Secure", "")
	}
	if row.HTTPOnly {
		line = withAttribute(line, "HttpOnly", "")
	}
	if row.SameSite != "" {
		line = withAttribute(line, "SameSite", row.SameSite)
	}
	return line
}

// shorten returns a line that lives no longer than limit. The last Max-Age
// wins; that a cookie ends with the session, though, no attribute can say, so
// those that say otherwise are cut out.
func shorten(line string, limit duration, now func() time.Time) string {
	_, longest := readLifetime(line, now)
	if !longest.persistent || longest.seconds <= int64(limit.seconds()) {
		return line
	}
	if limit.unit != session {
		return line + "; Max-Age=" + strconv.Itoa(limit.seconds())
	}
	pair, rest, more := strings.Cut(line, ";")
	for more {
		var attribute string
		attribute, rest, more = strings.Cut(rest, ";")
		name, _, _ := strings.Cut(attribute, "=")
		if name = strings.Trim(name, " \t"); !strings.EqualFold(name, "Max-Age") && !strings.EqualFold(name, "Expires") {
			pair += ";" + attribute
		}
	}
	return pair
}

// withAttribute returns a line that has an attribute, added if it lacks it.
func withAttribute(line, name, value string) string {
	for has := range attributes(line) {
		if strings.EqualFold(has, name) {
			return line
		}
	}
	line += "; " + name
	if value != "" {
		line += "=" + value
	}
	return line
}

// attributes yields the attributes of a Set-Cookie line, trimmed.
func attributes(line string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		_, rest, more := strings.Cut(line, ";")
		for more {
			var attribute string
			attribute, rest, more = strings.Cut(rest, ";")
			name, value, _ := strings.Cut(attribute, "=")
			if !yield(strings.Trim(name, " \t"), strings.Trim(value, " \t")) {
				return
			}
		}
	}
}

// parseMaxAge reads the value of Max-Age (RFC 6265bis, section 5.6.2). It is
// strict where the RFC takes it too.
func parseMaxAge(value string) (age lifetime, strict bool) {
	digits, plus := strings.CutPrefix(value, "+")
	if !plus {
		digits = strings.TrimPrefix(value, "-")
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return lifetime{}, false
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil && seconds == 0 {
		return lifetime{}, false
	}
	return lifetime{seconds, true}, !plus
}

var months = map[string]time.Month{
	"jan": time.January, "feb": time.February, "mar": time.March, "apr": time.April, "may": time.May, "jun": time.June,
	"jul": time.July, "aug": time.August, "sep": time.September, "oct": time.October, "nov": time.November, "dec": time.December,
}

// parseCookieDate reads a date as browsers do (RFC 6265bis, section 5.1.1): the
// first token of each form is taken, in any order.
func parseCookieDate(text string) (time.Time, bool) {
	var clock [3]int
	var day, year int
	var month time.Month
	var hasClock, hasDay, hasYear bool
	for token := range strings.FieldsFuncSeq(text, isDateDelimiter) {
		if !hasClock {
			if clock, hasClock = parseClock(token); hasClock {
				continue
			}
		}
		if !hasDay {
			if day, hasDay = leadingNumber(token, 1, 2); hasDay {
				continue
			}
		}
		if month == 0 && len(token) >= 3 {
			if month = months[strings.ToLower(token[:3])]; month != 0 {
				continue
			}
		}
		if !hasYear {
			year, hasYear = leadingNumber(token, 2, 4)
		}
	}
	switch {
	case year >= 70 && year <= 99:
		year += 1900
	case year >= 0 && year <= 69:
		year += 2000
	}
	date := time.Date(year, month, day, clock[0], clock[1], clock[2], 0, time.UTC)
	ok := hasClock && hasDay && month != 0 && hasYear && year >= 1601 &&
		clock[0] <= 23 && clock[1] <= 59 && clock[2] <= 59 && date.Day() == day && date.Month() == month
	return date, ok
}

func isDateDelimiter(char rune) bool {
	return char == '\t' || char >= ' ' && char <= '/' || char >= ';' && char <= '@' || char >= '[' && char <= '`' || char >= '{' && char <= '~'
}

// parseClock reads `hours:minutes:seconds`, after which anything but a digit
// may follow.
func parseClock(token string) (clock [3]int, ok bool) {
	for i := range clock {
		field, rest, more := strings.Cut(token, ":")
		if i < 2 && (!more || strings.Trim(field, "0123456789") != "") {
			return clock, false
		}
		if clock[i], ok = leadingNumber(field, 1, 2); !ok {
			return clock, false
		}
		token = rest
	}
	return clock, true
}

// leadingNumber reads a number of least to most digits, after which anything
// but a digit may follow.
func leadingNumber(token string, least, most int) (int, bool) {
	digits := len(token) - len(strings.TrimLeft(token, "0123456789"))
	if digits < least || digits > most {
		return 0, false
	}
	number, err := strconv.Atoi(token[:digits])
	return number, err == nil
}

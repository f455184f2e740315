package cookiecharter

import (
	"fmt"
	"math"
	"slices"
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

// readLifetime returns the lifetime that a line asks for: its last Max-Age, else
// its last Expires (RFC 6265bis, section 5.6). It is certain only if every
// browser reads the same, which is so if all attributes that count are well
// formed: of malformed ones, some browsers forget, others forget what stood
// before them. Dates count from the clock.
func readLifetime(line string, clock func() (time.Time, bool)) (life lifetime, certain bool) {
	var date string
	var hasDate, datesPlain bool
	_, rest, more := cutByte(line, ';')
	for more {
		var attribute string
		attribute, rest, more = cutByte(rest, ';')
		if start := trim(attribute); start == "" || start[0]|0x20 != 'm' && start[0]|0x20 != 'e' {
			continue // by far the most
		}
		name, value := cutAttribute(attribute)
		switch {
		case strings.EqualFold(name, "Max-Age"):
			seconds, ok := parseMaxAge(value)
			if !ok {
				return lifetime{}, false
			}
			life = lifetime{seconds, true}
		case strings.EqualFold(name, "Expires"):
			_, plain := parseCookieDate(value)
			date, datesPlain = value, plain && (datesPlain || !hasDate)
			hasDate = true
		}
	}
	if life.persistent || !hasDate {
		return life, true
	}
	now, ok := clock()
	expires, _ := parseCookieDate(date)
	return lifetime{int64(math.Ceil(expires.Sub(now).Seconds())), true}, ok && datesPlain
}

// amend returns a kept line as it may leave: a cookie that would outlive its
// row's duration is shortened, and attributes that the row declares are added.
func (f *filter) amend(line string, row *Cookie) string {
	if f.handler.Durations != declareDurations {
		line = shorten(line, row.limit, f.clock)
	}
	if row.Secure && scheme(f.request) == "https" {
		line = withAttribute(line, "Secure", "")
	}
	if row.HTTPOnly {
		line = withAttribute(line, "HttpOnly", "")
	}
	// Browsers refuse SameSite=None without Secure.
	if row.SameSite != "" && (row.SameSite != "None" || hasAttribute(line, "Secure")) {
		line = withAttribute(line, "SameSite", row.SameSite)
	}
	return line
}

// shorten returns a line that lives no longer than limit. The last Max-Age
// wins; that a cookie ends with the session, though, no attribute can say, so
// for that, and where browsers read differently, those that say otherwise are
// cut out.
func shorten(line string, limit duration, clock func() (time.Time, bool)) string {
	life, certain := readLifetime(line, clock)
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
		if name = trim(name); !strings.EqualFold(name, "Max-Age") && !strings.EqualFold(name, "Expires") {
			pair += ";" + attribute
		}
	}
	return pair
}

// withAttribute returns a line that has an attribute, added if it lacks it.
func withAttribute(line, name, value string) string {
	if hasAttribute(line, name) {
		return line
	}
	line += "; " + name
	if value != "" {
		line += "=" + value
	}
	return line
}

func hasAttribute(line, name string) bool {
	for has := range attributes(line) {
		if strings.EqualFold(has, name) {
			return true
		}
	}
	return false
}

// attributes yields the attributes of a Set-Cookie line, trimmed.
func attributes(line string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		_, rest, more := cutByte(line, ';')
		for more {
			var attribute string
			attribute, rest, more = cutByte(rest, ';')
			if !yield(cutAttribute(attribute)) {
				return
			}
		}
	}
}

func cutAttribute(attribute string) (name, value string) {
	name, value, _ = cutByte(attribute, '=')
	return trim(name), trim(value)
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

var months = map[string]time.Month{
	"jan": time.January, "feb": time.February, "mar": time.March, "apr": time.April, "may": time.May, "jun": time.June,
	"jul": time.July, "aug": time.August, "sep": time.September, "oct": time.October, "nov": time.November, "dec": time.December,
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
	for token := range strings.FieldsFuncSeq(text, isDateDelimiter) {
		number, err := strconv.Atoi(token)
		isNumber := err == nil && token[0] >= '0'
		switch name := strings.ToLower(token); {
		case isNumber && day == 0 && len(token) <= 2:
			day = number
		case isNumber && !hasYear && (len(token) == 2 || len(token) == 4):
			year, hasYear = number, true
			if len(token) == 2 && year >= 70 {
				year += 1900
			} else if len(token) == 2 {
				year += 2000
			}
		case !hasClock && strings.Contains(token, ":"):
			if clock, hasClock = parseClock(token); !hasClock {
				return date, false
			}
		case month == 0 && months[name] != 0:
			month = months[name]
		case name == "gmt" || name == "utc" || name == "0000" || slices.Contains(weekdays, name):
		default:
			return date, false
		}
	}
	date = time.Date(year, month, day, clock[0], clock[1], clock[2], 0, time.UTC)
	return date, hasClock && day != 0 && month != 0 && year >= 1601 && date.Day() == day && date.Month() == month
}

var weekdays = strings.Fields("mon monday tue tuesday wed wednesday thu thursday fri friday sat saturday sun sunday")

func isDateDelimiter(char rune) bool {
	return char == '\t' || char >= ' ' && char <= '/' || char >= ';' && char <= '@' || char >= '[' && char <= '`' || char >= '{' && char <= '~'
}

// parseClock reads hours, minutes and seconds, of one or two digits each.
func parseClock(token string) (clock [3]int, ok bool) {
	fields := strings.Split(token, ":")
	if len(fields) != len(clock) {
		return clock, false
	}
	for i, field := range fields {
		number, err := strconv.Atoi(field)
		if err != nil || len(field) > 2 || field[0] < '0' || number > []int{23, 59, 59}[i] {
			return clock, false
		}
		clock[i] = number
	}
	return clock, true
}

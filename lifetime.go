package cookiecharter

import (
	"fmt"
	"math"
	"regexp"
	"slices"
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
	"s": "second", "sec": "second", "secs": "second", "second": "second", "seconds": "second", "seconde": "second", "secondes": "second",
	"min": "minute", "mins": "minute", "mn": "minute", "minute": "minute", "minutes": "minute",
	"h": "hour", "hr": "hour", "hrs": "hour", "hour": "hour", "hours": "hour", "heure": "hour", "heures": "hour",
	"d": "day", "day": "day", "days": "day", "j": "day", "jour": "day", "jours": "day",
	"w": "week", "week": "week", "weeks": "week", "sem": "week", "semaine": "week", "semaines": "week",
	"month": "month", "months": "month", "mois": "month",
	"y": "year", "yr": "year", "yrs": "year", "year": "year", "years": "year", "an": "year", "ans": "year", "année": "year", "années": "year",
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

// sessionWords are what people write for the end of the browser's session.
var sessionWords = []string{
	session, "de session", "la session", "fin de session", "fin de la session", "fin session", "durée de la session", "durée de session", "session du navigateur",
	"end of session", "end of the session", "browser session",
}

// parseDuration reads what people write, of which charter files, Caddyfiles and pages
// that are imported all have the same.
func parseDuration(text string) (duration, error) {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ") // any spaces, also those that break no line
	text = strings.TrimSuffix(text, ".")
	if slices.Contains(sessionWords, text) {
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

var (
	sessionInText = regexp.MustCompile(`(?i)session|fermeture du navigateur|browser is closed`)

	// durationInText is what can be a duration among other words.
	durationInText = regexp.MustCompile(`\d+\s*\pL+`)
)

// findDuration returns the last duration that a text speaks of, the session's end if it
// speaks of that. It is certain if the text says nothing else.
func findDuration(text string) (found string, isCertain bool) {
	if parsed, err := parseDuration(text); err == nil {
		if parsed.unit == session {
			return session, true
		}
		return strings.TrimSuffix(strings.TrimSpace(text), "."), true
	}
	if sessionInText.MatchString(text) {
		return session, false
	}
	for _, part := range durationInText.FindAllString(text, -1) {
		if _, err := parseDuration(part); err == nil {
			found = part
		}
	}
	return found, false
}

// seconds returns the lifetime in seconds, 0 for a session.
func (d duration) seconds() int {
	return d.count * secondsPer(d.unit)
}

// String returns the duration as it can be declared.
func (d duration) String() string {
	if d.seconds() == 0 {
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

	maxAge      lifetime  // persistent if there is one
	badMaxAge   bool      // the last is no number
	plusMaxAge  bool      // but for its "+", which some browsers skip
	expires     time.Time // as the last browser reads it
	hasExpires  bool
	badExpires  bool // the last is read differently
	hasInnerTab bool // for which Chromium refuses the line
}

// readAttributes reads what stands behind the first ";" of a Set-Cookie line. Of
// attributes that are given twice, the last counts; overlong ones do not.
func readAttributes(written string) *attributes {
	a := &attributes{written: written, hasControls: hasControls(written)}
	hasTab := strings.Contains(written, "\t")
	for rest, more := written, true; more; {
		var attribute string
		attribute, rest, more = cutByte(rest, ';')
		name, value, _ := cutByte(attribute, '=')
		name, value = trim(name), trim(value)
		a.hasInnerTab = a.hasInnerTab || hasTab && (strings.Contains(name, "\t") || strings.Contains(value, "\t"))
		switch {
		case len(value) > maxAttribute:
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
			if ok {
				a.maxAge = lifetime{seconds, true}
			}
			a.badMaxAge, a.plusMaxAge = !ok, !ok && strings.HasPrefix(value, "+")
		case ascii.EqualFold(name, "Expires"):
			_, latest, ok := parseCookieDate(value)
			a.expires, a.hasExpires, a.badExpires = latest, true, !ok
		}
	}
	return a
}

// lifetime returns the longest lifetime that a browser takes from the line: Max-Age,
// else Expires (RFC 6265bis, section 5.6). It is certain only if no browser takes
// another. A Max-Age that is no number does not count, but of the one before it,
// some browsers forget it, and others do not. Dates count from the clock.
func (a *attributes) lifetime(clock func() (time.Time, bool)) (life lifetime, certain bool) {
	switch {
	case !a.maxAge.persistent && !a.plusMaxAge && !a.hasExpires:
		return lifetime{}, true
	case a.hasInnerTab, a.plusMaxAge, a.badMaxAge && a.maxAge.persistent:
		return lifetime{}, false
	case a.maxAge.persistent:
		return a.maxAge, true
	case a.badExpires:
		return lifetime{}, false
	default:
		now, ok := clock()
		return lifetime{int64(math.Ceil(a.expires.Sub(now).Seconds())), true}, ok
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
	kept := make([]byte, 0, len(line))
	kept = append(kept, pair...)
	for more {
		var attribute string
		attribute, rest, more = strings.Cut(rest, ";")
		name, _, _ := strings.Cut(attribute, "=")
		if name = trim(name); !ascii.EqualFold(name, "Max-Age") && !ascii.EqualFold(name, "Expires") {
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

// A cookieDate is what was read of a date so far.
type cookieDate struct {
	day, year  int // 0 and -1 if there is none yet
	month      time.Month
	clock      [3]int
	hasClock   bool
	hasZone    bool          // so that the names of further zones do not count
	east, west time.Duration // the farthest offsets from GMT
}

// parseCookieDate reads a date in the shapes that all browsers read, and no
// others (testdata/dates.jsonl has what they read, e2e/record.js records it). Its
// parts are a day, a month, a year of two or four digits, and a clock, in any
// order, and then offsets from GMT; words such as the name of a day may stand
// among them. They end at spaces, commas and brackets, and at a hyphen before what
// is no number, or between month and year.
//
// Not all heed offsets, and years before 100 mean later ones to some: there is an
// earliest and a latest reading.
func parseCookieDate(text string) (earliest, latest time.Time, ok bool) {
	date := cookieDate{year: -1}
	for start := 0; start < len(text); {
		isNumbered := start+1 < len(text) && isDigit(text[start+1])
		isBetween := date.year < 0 && start > 0 && isLetter(text[start-1])
		if isDateSeparator(text[start]) || text[start] == '-' && start > 0 && (!isNumbered || isBetween) {
			start++
			continue
		}
		end := start + 1
		for end < len(text) && !isDateSeparator(text[end]) && text[end] != '-' && text[end] != '+' {
			end++
		}
		if !date.read(text[start:end], text[end:]) {
			return earliest, latest, false
		}
		start = end
	}
	earliest, ok = date.in(date.year)
	latest, okLatest := date.in(fullYear(date.year))
	return earliest.Add(-date.east), latest.Add(date.west), ok && okLatest && date.hasClock && date.year >= 0
}

// in returns the date in a year, if there is such a day.
func (d *cookieDate) in(year int) (date time.Time, ok bool) {
	date = time.Date(year, d.month, d.day, d.clock[0], d.clock[1], d.clock[2], 0, time.UTC)
	return date, date.Day() == d.day && date.Month() == d.month
}

// fullYear returns the year that one of two digits means.
func fullYear(year int) int {
	switch {
	case year >= 100:
		return year
	case year >= 70:
		return year + 1900
	default:
		return year + 2000
	}
}

// read takes in a part of a date, and tells whether all browsers do. A part may
// end with a full stop, or with a quotation mark.
func (d *cookieDate) read(part, rest string) bool {
	first, part := part[0], strings.TrimRight(part, ".\"'")
	switch {
	case first == '+' || first == '-':
		return d.readOffset(part)
	case !isDigit(first):
		return d.readWord(part)
	case strings.Contains(part, ":"):
		return d.readClock(part) && !isHalfDay(rest)
	default:
		return d.readNumber(part) && (len(rest) < 2 || rest[0] != '-' || !isDigit(rest[1]))
	}
}

// readNumber reads the day or the year, whichever is missing.
func (d *cookieDate) readNumber(part string) bool {
	number, err := strconv.Atoi(part)
	switch {
	case err != nil:
		return false
	case d.day == 0 && len(part) <= 2:
		d.day = number
		return number != 0
	case d.year < 0 && len(part) == 2:
		d.year = fullYear(number)
		return true
	case d.year < 0 && len(part) == 4:
		d.year = number
		return true
	default:
		return false
	}
}

// readClock reads hours, minutes and seconds. Of their fraction, some browsers
// would make the day or the year if that is missing.
func (d *cookieDate) readClock(part string) bool {
	part, fraction, hasFraction := cutByte(part, '.')
	if hasFraction && (!isDigits(fraction) || d.day == 0 || d.year < 0) || d.hasClock {
		return false
	}
	d.hasClock = true
	for i, limit := range [...]int{23, 59, 59} {
		field, rest, more := cutByte(part, ':')
		number, err := strconv.Atoi(field)
		if err != nil || !isDigits(field) || len(field) > 2 || number > limit || more != (i < 2) {
			return false
		}
		d.clock[i], part = number, rest
	}
	return true
}

// isHalfDay tells whether "am" or "pm" stands behind a clock.
func isHalfDay(rest string) bool {
	rest = strings.TrimLeft(rest, " ")
	return ascii.HasPrefixFold(rest, "am") || ascii.HasPrefixFold(rest, "pm")
}

// readOffset reads an offset, such as +0100 or +01:00. Before the year and the
// clock, some browsers would take it for one.
func (d *cookieDate) readOffset(part string) bool {
	digits := strings.Replace(part[1:], ":", "", 1)
	if len(digits) != 4 || !isDigits(digits) || len(part) == 6 && part[3] != ':' || d.year < 0 || !d.hasClock {
		return false
	}
	number, _ := strconv.Atoi(digits)
	offset := time.Duration(number/100)*time.Hour + time.Duration(number%100)*time.Minute
	if part[0] == '+' {
		d.east = max(d.east, offset)
	} else {
		d.west = max(d.west, offset)
	}
	d.hasZone = true
	return true
}

// dateMonths are the months by the beginning of their name.
var dateMonths = map[string]time.Month{
	"jan": time.January, "feb": time.February, "mar": time.March, "apr": time.April, "may": time.May, "jun": time.June,
	"jul": time.July, "aug": time.August, "sep": time.September, "oct": time.October, "nov": time.November, "dec": time.December,
}

// readWord reads a month, or another word, by how it begins. Names of zones count
// in some browsers; a month or GMT behind a quotation mark does not.
func (d *cookieDate) readWord(part string) bool {
	word := strings.TrimLeft(part, "\"'")
	for i := range len(word) {
		if !isLetter(word[i]) && word[i] < 0x80 {
			return false
		}
	}
	var key [3]byte
	for i := range min(len(word), len(key)) {
		key[i] = word[i] | 0x20 // makes letters of letters only
	}
	month := dateMonths[string(key[:])]
	if d.month == 0 {
		d.month = month
	}
	switch string(key[:]) {
	case "gmt":
		d.hasZone = d.hasZone || word == part
	case "pst", "pdt", "mst", "mdt", "cst", "cdt", "est", "edt", "ast", "nst", "bst", "met", "eet", "jst":
		return d.hasZone
	}
	return month == 0 || word == part
}

func isDateSeparator(char byte) bool {
	return char == ' ' || char == ',' || char == '(' || char == ')' || char == '[' || char == ']'
}

func isDigit(char byte) bool { return char >= '0' && char <= '9' }

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

func isLetter(char byte) bool {
	char |= 0x20
	return char >= 'a' && char <= 'z'
}

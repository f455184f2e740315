package setcookie

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// A cookieDate is what was read of a date so far.
type cookieDate struct {
	day, year  int // 0 and -1 if there is none yet
	month      time.Month
	clock      [3]int
	hasClock   bool
	hasZone    bool          // so that the names of further zones do not count
	east, west time.Duration // the farthest offsets from GMT
}

// parseDate reads a date in the shapes that all browsers read, and no
// others (testdata/dates.jsonl has what they read, e2e/record.js records it). Its
// parts are a day, a month, a year of two or four digits, and a clock, in any
// order, and then offsets from GMT; words such as the name of a day may stand
// among them. They end at spaces, commas and brackets, and at a hyphen before what
// is no number, or between month and year.
//
// Not all heed offsets, and years before 100 mean later ones to some: there is an
// earliest and a latest reading.
func parseDate(text string) (earliest, latest time.Time, ok bool) {
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
	part, fraction, hasFraction := strings.Cut(part, ".")
	if hasFraction && (!isDigits(fraction) || d.day == 0 || d.year < 0) || d.hasClock {
		return false
	}
	d.hasClock = true
	for i, limit := range [...]int{23, 59, 59} {
		field, rest, more := strings.Cut(part, ":")
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

// DateOf returns the Date of an answer, "" if it has none. Of several, browsers take
// different ones, so that none can be read.
func DateOf(header http.Header) string {
	switch dates := header["Date"]; {
	case len(dates) == 0:
		return ""
	case len(dates) > 1 || dates[0] == "":
		return "?"
	default:
		return dates[0]
	}
}

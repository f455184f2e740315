package setcookie

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// The functions chromiumDate and firefoxDate read dates as these browsers do, with
// all their peculiarities: TestBrowserDates holds them to what was recorded, and
// the fuzz target holds parseDate to them.

// chromiumDate takes the first day, month, year and clock for those of the date.
func chromiumDate(text string) (date time.Time, ok bool) {
	day, year := -1, -1
	var month time.Month
	var clock []int
	for _, token := range strings.FieldsFunc(checks.ToLatin1(text), func(char rune) bool {
		return char == '\t' || char >= ' ' && char <= '/' || char >= ';' && char <= '@' || char >= '[' && char <= '`' || char >= '{' && char <= '~'
	}) {
		number, digits := leadingDigits(token)
		switch {
		case digits == 0:
			if month == 0 {
				month = monthOf(token)
			}
		case strings.Contains(token, ":"):
			if clock == nil {
				clock = clockOfToken(token)
			}
		case digits < len(token):
		case day < 0 && digits <= 2:
			day = number
		case year < 0 && digits <= 5:
			year = number
		}
	}
	if day < 1 || year < 0 || month == 0 || clock == nil || clock[0] > 23 || clock[1] > 59 || clock[2] > 59 {
		return date, false
	}
	if year < 100 {
		year += 2000
		if year >= 2070 {
			year -= 100
		}
	}
	date = time.Date(year, month, day, clock[0], clock[1], clock[2], 0, time.UTC)
	return date, date.Day() == day
}

// leadingDigits returns the number that a text begins with, and how many digits it
// has.
func leadingDigits(text string) (number, digits int) {
	for digits < len(text) && isDigit(text[digits]) {
		digits++
	}
	number, _ = strconv.Atoi(text[:digits])
	return number, digits
}

func monthOf(token string) time.Month {
	for i := time.January; i <= time.December; i++ {
		if ascii.HasPrefixFold(token, i.String()[:3]) {
			return i
		}
	}
	return 0
}

// clockOfToken returns three numbers with colons between them, nil for what is
// none.
func clockOfToken(token string) []int {
	var clock []int
	for field := range strings.SplitSeq(token, ":") {
		number, digits := leadingDigits(field)
		if digits == 0 || digits < len(field) {
			return nil
		}
		clock = append(clock, number)
	}
	if len(clock) != 3 {
		return nil
	}
	return clock
}

// firefoxZones are the offsets from GMT that Firefox knows, in minutes.
var firefoxZones = map[string]int{
	"pst": -480, "pdt": -420, "mst": -420, "mdt": -360, "cst": -360, "cdt": -300, "est": -300, "edt": -240,
	"ast": -240, "nst": -210, "gmt": 0, "bst": 60, "met": 60, "eet": 120, "jst": 540,
}

// firefoxDate takes words and numbers for what they can be, by what was seen of
// the date before.
func firefoxDate(text string) (date time.Time, ok bool) {
	day, year, hour, minute, second := -1, -1, -1, -1, -1
	var month time.Month
	zone, offset := "", -1
	rest := text
	last := byte(0) // the byte before rest
	skip := func(count int) {
		last, rest = rest[count-1], rest[count:]
	}
	is := func(i int, test func(byte) bool) bool { return i < len(rest) && test(rest[i]) }
	for rest != "" {
		switch number, digits := leadingDigits(rest); {
		case rest[0] == '+' || rest[0] == '-':
			sign := 1
			if rest[0] == '-' {
				sign = -1
			}
			skip(1)
			if offset != -1 || zone != "" && zone != "gmt" {
				break
			}
			number, digits := leadingDigits(rest)
			switch digits {
			case 4:
				offset, zone = sign*(number/100*60+number%100), "gmt"
			case 1, 2:
				offset, zone = sign*number*60, "gmt"
			}
		case digits > 0 && is(digits, func(char byte) bool { return char == ':' }):
			if hour >= 0 && minute >= 0 || digits > 2 {
				break
			}
			skip(digits + 1)
			minutes, digits := leadingDigits(rest)
			if digits == 0 || digits > 2 {
				break
			}
			skip(digits)
			if strings.HasPrefix(rest, ":") {
				skip(1)
			}
			seconds, digits := leadingDigits(rest)
			if digits > 2 {
				break
			}
			if digits == 0 {
				seconds = -1
			} else {
				skip(digits)
			}
			behind := strings.TrimLeft(rest, " \t")
			switch {
			case number <= 12 && ascii.HasPrefixFold(behind, "pm"):
				if number != 12 {
					number += 12
				}
			case number == 12 && ascii.HasPrefixFold(behind, "am"):
				number = 0
			}
			hour, minute, second = number, minutes, seconds
		case digits > 0 && is(digits, func(char byte) bool { return char == '/' || char == '-' }) && is(digits+1, isDigit):
			if month != 0 {
				break
			}
			return date, false // a date of numbers, which no other browser reads
		case digits > 0 && is(digits, isLetter):
		case digits == 4 || digits == 5:
			if year < 0 {
				year = number
			}
		case digits == 2 && day < 0 && number < 32, digits == 1 && day < 0:
			day = number
		case digits == 2 && year < 0:
			year = fullYear(number)
		case digits == 0 && len(rest) >= 2:
			word := ascii.ToLower(rest[:min(3, len(rest))])
			if found := monthOf(rest); found != 0 {
				if month == 0 {
					month = found
				}
			} else if _, isZone := firefoxZones[word]; isZone && zone == "" {
				zone = word
			} else if strings.HasPrefix(word, "ut") && !is(2, isLetter) && zone == "" {
				zone = "gmt"
			}
		}
		for rest != "" && !strings.ContainsRune(" \t,;-+/()[]", rune(rest[0])) {
			skip(1)
		}
		for {
			for rest != "" && strings.ContainsRune(" \t,;/()[]", rune(rest[0])) {
				skip(1)
			}
			if !strings.HasPrefix(rest, "-") || is(1, isDigit) && (!isLetter(last) || year >= 0) {
				break
			}
			skip(1)
		}
	}
	if day < 0 || year < 0 || year > 1<<15-1 || month == 0 {
		return date, false
	}
	if offset == -1 {
		offset = firefoxZones[zone]
	}
	return time.Date(year, month, day, max(hour, 0), max(minute, 0)-offset, max(second, 0), 0, time.UTC), true
}

// TestBrowserDates holds the two to what was recorded.
func TestBrowserDates(t *testing.T) {
	now := asOf2026.Now
	for _, row := range checks.ReadLines[recordedRow](t, recordedFile) {
		expires, found := strings.CutPrefix(checks.FromLatin1(row.Attributes), "Expires=")
		if !found || strings.Contains(expires, ";") || row.Date != "" || len(expires) > MaxAttribute {
			continue
		}
		moments := []time.Time{recordedPast, recordedFuture}[:len(row.Chromium)]
		for i, moment := range moments {
			text := fill(expires, moment)
			for _, browser := range []struct {
				name    string
				read    func(string) (time.Time, bool)
				outcome any
			}{{"Chromium", chromiumDate, row.Chromium[i]}, {"Firefox", firefoxDate, row.Firefox[i]}} {
				date, ok := browser.read(text)
				seconds, deletes, ends := keptFor(browser.outcome, moment.Sub(now))
				life := date.Sub(now).Seconds()
				switch {
				case browser.outcome == "refused":
				case browser.name == "Firefox" && row.Chromium[i] == "session": // of which nothing is certain
				case ends == ok, deletes != (ok && life <= 0), !deletes && !ends && min(life, float64(longest)) != seconds && browser.outcome != "longest":
					t.Errorf("%q in %s: %v, %v, recorded is %v", text, browser.name, date, ok, browser.outcome)
				}
			}
		}
	}
}

// checkDate holds what parseDate is certain of to both browsers.
func checkDate(t *testing.T, text string) {
	t.Helper()
	earliest, latest, ok := parseDate(text)
	if !ok {
		return
	}
	for _, read := range []func(string) (time.Time, bool){chromiumDate, firefoxDate} {
		if date, ok := read(text); !ok || date.Before(earliest) || date.After(latest) {
			t.Errorf("%q: from %v to %v, a browser reads %v, %v", text, earliest, latest, date, ok)
		}
	}
}

// FuzzBrowserDate looks for dates of which the module is certain and that a
// browser reads otherwise: for deletions that a browser does not make.
func FuzzBrowserDate(f *testing.F) {
	for _, row := range checks.ReadLines[recordedRow](f, recordedFile) {
		for _, moment := range []time.Time{recordedPast, recordedFuture} {
			f.Add(strings.TrimPrefix(fill(checks.FromLatin1(row.Attributes), moment), "Expires="))
		}
	}
	f.Fuzz(checkDate)
}

// TestPartsOfDates puts the parts of dates together in all ways, up to five.
func TestPartsOfDates(t *testing.T) {
	parts := []string{"Thu", "01", "Jan", "1970", "00:00:00", "GMT", "+0100", "-0800", "EST", "12:00:00", "pm", "mar.", "70", "\"Jan", "(", "-", "+", ".5", "/", "27-Nov-", "'"}
	separators := []string{" ", ", ", "-", ""}
	var put func(text string, left []string, depth int)
	put = func(text string, left []string, depth int) {
		checkDate(t, text)
		if depth == 0 {
			return
		}
		for i, part := range left {
			for _, separator := range separators[:1+depth%2*3] {
				put(text+separator+part, slices.Delete(slices.Clone(left), i, i+1), depth-1)
			}
		}
	}
	put("27 Mar 2027", parts, 3)
	put("Thu, 01 Jan 1970 00:00:00", parts, 3)
	put("00:00:00 1994", parts, 3)
}

package setcookie

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	for text, want := range map[string]string{
		"Thu, 01 Jan 1970 00:00:00 GMT":  "1970-01-01T00:00:00Z",
		"Thu, 01-Jan-1970 00:00:01 GMT":  "1970-01-01T00:00:01Z",
		"Sunday, 06-Nov-94 08:49:37 GMT": "1994-11-06T08:49:37Z",
		"Sun Nov  6 08:49:37 1994":       "1994-11-06T08:49:37Z",
		"2032 jan 1 0:0:0":               "2032-01-01T00:00:00Z",
		"1:2:3 4 FEBRUARY 69":            "2069-02-04T01:02:03Z",
		"1st Jan 1970 00:00:00 GMT":      "", "1x Jan 1970 00:00:00": "", "01 Jan 1999xx 2032 00:00:00": "", "01 Jan 70a1 2032 00:00:00": "",
		"Thu, 01 Jan 1970 00:00:00 -0000": "1970-01-01T00:00:00Z",
		"01 Jan 20320 00:00:00":           "", "Thu, 01 Jan 1970 00:00:00 EST": "", "\tThu\t01/Jan/1970/00:00:00": "",
		"1:2:3 4 feb 69":                  "2069-02-04T01:02:03Z",
		"1:2:3 4 feb 70":                  "1970-02-04T01:02:03Z",
		"1 jan 0099 00:00:00":             "1999-01-01T00:00:00Z",
		"01 Jan 1970 00:00:00zulu":        "",
		"29 Feb 2028 12:00:00":            "2028-02-29T12:00:00Z",
		"1st Jan 2032th 00:00:00":         "",
		"Thu, 01 Jan 1970 00:00:00 +0200": "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 -0200": "1970-01-01T02:00:00Z",
		"\tThu\t01/Jan/1970/00:00:00{x}":     "",
		"01 Jan 1601 00:00:00":               "1601-01-01T00:00:00Z",
		"31 Dec 9999 23:59:59":               "9999-12-31T23:59:59Z",
		"10 11 Dec 2031 23:59:59":            "",
		"":                                   "",
		"0":                                  "",
		"Thu, 01 Jan 1970":                   "",
		"01 Jan 1970 00:00":                  "",
		"01 Jan 00:00:00":                    "",
		"1970 00:00:00 01":                   "",
		"01 Xyz 1970 00:00:00":               "",
		"30 Feb 2028 12:00:00":               "",
		"29 Feb 2027 12:00:00":               "",
		"32 Jan 2028 12:00:00":               "",
		"0 Jan 2028 12:00:00":                "",
		"01 Jan 1600 00:00:00":               "1600-01-01T00:00:00Z",
		"01 Jan 12345 00:00:00":              "",
		"01 Jan 2028 24:00:00":               "",
		"01 Jan 2028 12:60:00":               "",
		"01 Jan 2028 12:00:60":               "",
		"01 Jan 2028 123:00:00":              "",
		"01 Jan 2028 1x:00:00":               "",
		"01 Jan 2028 012:00:00":              "",
		"01 Jan 2028 12:00:00 12:00:00":      "",
		"01 Jan 2028 12:00:00:00":            "",
		"01 Jan Feb 2028 12:00:00":           "2028-01-01T12:00:00Z",
		"Wednesdays 01 Jan 2028 12:00:00":    "2028-01-01T12:00:00Z",
		"1970-01-01T00:00:00Z":               "",
		"Thu, 01 Jan 1970 00:00:00 'GMT EST": "", "-Jan 7 70 23:59:59 +0100": "", "27-Jan-70 23:59:59": "1970-01-27T23:59:59Z",
		strings.Repeat("9", 400) + "GMT":   "",
		"Thu, 01 Jan 1970 00:00:00\x80GMT": "",
	} {
		_, date, ok := parseDate(text)
		got := ""
		if ok {
			got = date.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%.60q: got %q, want %q", text, got, want)
		}
	}
}

// FuzzParseDate compares with net/http where that reads a date.
func FuzzParseDate(f *testing.F) {
	f.Add("Thu, 01 Jan 1970 00:00:00 GMT")
	f.Add("Sunday, 06-Nov-94 08:49:37 GMT")
	f.Add("Sun Nov  6 08:49:37 1994")
	f.Fuzz(func(t *testing.T, text string) {
		_, date, ok := parseDate(text)
		if ok && (date.Year() < 1601 || date.Year() > 9999) {
			t.Errorf("%q: %v", text, date)
		}
		if want, err := time.Parse(http.TimeFormat, text); err == nil && want.Year() >= 1601 && want.Second() < 60 && (!ok || !date.Equal(want)) {
			t.Errorf("%q: got %v %v, want %v", text, date, ok, want)
		}
	})
}

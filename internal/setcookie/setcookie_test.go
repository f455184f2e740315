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
		_, date, ok := ParseDate(text)
		got := ""
		if ok {
			got = date.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%.60q: got %q, want %q", text, got, want)
		}
	}
}

// asOf2026 is the clock of the tests.
var asOf2026 = Clock{Now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}

func TestReadLifetime(t *testing.T) {
	const past, future = "Expires=Thu, 01 Jan 1970 00:00:00 GMT", "Expires=Sun, 22 Nov 2026 00:00:00 GMT" // a day
	session, gone, day := Lifetime{}, Lifetime{0, true}, Lifetime{86400, true}
	for line, want := range map[string]Lifetime{
		"a=b":                                   session,
		"a=b; Path=/; HttpOnly":                 session,
		"Max-Age=0":                             session,
		"a=b; Max-Age=0":                        gone,
		"a=b;max-AGE = 0 ; Path=/":              gone,
		"a=b; Max-Age=-1":                       {-1, true},
		"a=b; Max-Age=00":                       gone,
		"a=b; Max-Age=86400":                    day,
		"a=b; " + future:                        day,
		"a=b; expires=Sun Nov 22 00:00:00 2026": day,
		"a=b; Max-Age=99999999999999999999":     {1<<63 - 9, true},
		"a=b; Max-Age=-99999999999999999999":    {-(1<<63 - 9), true},
		"a=b; Maxage=0; Max-Age2=0; xMax-Age=0": session,
		"a=b, Max-Age=0":                        session,

		// Max-Age beats Expires, in any order; the last of each wins.
		"a=b; Max-Age=86400; " + past:      day,
		"a=b; " + future + "; Max-Age=0":   gone,
		"a=b; Expires=soon; Max-Age=86400": day,
		"a=b; Max-Age=0; Max-Age=86400":    day,
		"a=b; Max-Age=soon; Max-Age=0":     gone,
		"a=b; Expires=soon; " + future:     day,

		// What is no number does not count, nor what is too long.
		"a=b; Max-Age=": session, "a=b; Max-Age": session, "a=b; Max-Age=soon": session, "a=b; Max-Age=0x0": session, "a=b; Max-Age=0.0": session,
		"a=b; Max-Age=\"0\"": session, "a=b; Max-Age=-": session, "a=b; Max-Age=--0": session,
		"a=b; Max-Age=; " + future:                                 day,
		"a=b; " + future + "; Max-Age=1.5":                         day,
		"a=b; Max-Age=0" + strings.Repeat("0", MaxAttribute):       session,
		"a=b; Max-Age=86400; Max-Age=" + strings.Repeat("0", 2000): day,
		"a=b; Max-Age=\t0\t":                                       gone,
		"a=b; Max-Age=86400; Max-Age=0":                            gone,
		"a=b; " + past + "; " + future:                             day,
	} {
		if got, certain := attributesOf(line).Lifetime(asOf2026); got != want || !certain {
			t.Errorf("%.80q: got %v %v, want %v", line, got, certain, want)
		}
	}
	for _, line := range []string{
		"a=b; Max-Age=+0", "a=b; Max-Age=+86400", "a=b; Max-Age=+soon", "a=b; Max-Age=0; Max-Age=soon", "a=b; Max-Age=0; Max-Age", "a=b; Max-Age=9; Max-Age=-x; " + past,
		"a=b; Expires=", "a=b; Expires=0", "a=b; " + past + "; Expires=soon", "a=b; Max-Age=; Expires=soon",
		"a=b; Expires=1st Jan 1970 00:00:00 GMT", "a=b; Expires=01 Jan 1999x 2032 00:00:00 GMT", "a=b; Expires=Thu, 01 Jan 12345 00:00:00 GMT",
		"a=b; Max-Age=0; x\ty", "a=b; Max\tAge=0; Max-Age=0", "a=b; Max-Age=0; Path=/\t/",
	} {
		if got, certain := attributesOf(line).Lifetime(asOf2026); certain {
			t.Errorf("%.80q: certain of %v", line, got)
		}
	}
	// A date of the past deletes, if the clock is known.
	if life, certain := attributesOf("a=; " + past).Lifetime(asOf2026); !life.Deletes() || !certain {
		t.Errorf("%v %v does not delete", life, certain)
	}
	if _, certain := attributesOf("a=; " + past).Lifetime(Clock{Now: time.Now(), Date: "1_Jan_2020 0:0:0"}); certain {
		t.Error("certain of a date without a clock")
	}
}

// attributesOf returns the attributes of a line.
func attributesOf(line string) *Attributes {
	_, written, _ := strings.Cut(line, ";")
	return ReadAttributes(written)
}

func TestShorten(t *testing.T) {
	const week, none = 604800, 0
	for _, test := range []struct {
		line  string
		limit int64
		want  string
	}{
		{"a=b; Path=/", week, "a=b; Path=/"},
		{"a=b; Max-Age=604800", week, "a=b; Max-Age=604800"},
		{"a=b; Max-Age=604801; Path=/;", week, "a=b; Max-Age=604801; Path=/;; Max-Age=604800"},
		{"a=b; Expires=Sat, 21 Nov 2026 00:00:01 GMT", week, "a=b; Expires=Sat, 21 Nov 2026 00:00:01 GMT"},
		{"a=b; Expires=Sat, 28 Nov 2026 00:00:01 GMT", week, "a=b; Expires=Sat, 28 Nov 2026 00:00:01 GMT; Max-Age=604800"},
		{"a=b; Max-Age=5; Expires=Tue, 19 Jan 2038 03:14:07 GMT", week, "a=b; Max-Age=5; Expires=Tue, 19 Jan 2038 03:14:07 GMT"},
		{"a=b; Max-Age=0", week, "a=b; Max-Age=0"},
		{"a=b; Max-Age=999999999; Max-Age=x; Path=/", week, "a=b; Path=/"},
		{"a=b; Max-Age=+999999999", week, "a=b"},
		{"a=b; Expires=Thu, 01 Jan 12345 00:00:00 GMT; Secure", week, "a=b; Secure"},
		{"a=b", none, "a=b"},
		{"a=b; Max-Age=0", none, "a=b; Max-Age=0"},
		{"a=b;Path=/ ; max-age = 5;\tSecure; EXPIRES=Sat, 28 Nov 2026 00:00:01 GMT;;HttpOnly", none, "a=b;Path=/ ;\tSecure;;HttpOnly"},
	} {
		got := attributesOf(test.line).Shorten(test.line, test.limit, asOf2026)
		if got != test.want {
			t.Errorf("%q to %v: got %q, want %q", test.line, test.limit, got, test.want)
		}
		if again := attributesOf(got).Shorten(got, test.limit, asOf2026); again != got {
			t.Errorf("%q to %v: not idempotent: %q", test.line, test.limit, again)
		}
	}
}

// FuzzParseDate compares with net/http where that reads a date.
func FuzzParseDate(f *testing.F) {
	f.Add("Thu, 01 Jan 1970 00:00:00 GMT")
	f.Add("Sunday, 06-Nov-94 08:49:37 GMT")
	f.Add("Sun Nov  6 08:49:37 1994")
	f.Fuzz(func(t *testing.T, text string) {
		_, date, ok := ParseDate(text)
		if ok && (date.Year() < 1601 || date.Year() > 9999) {
			t.Errorf("%q: %v", text, date)
		}
		if want, err := time.Parse(http.TimeFormat, text); err == nil && want.Year() >= 1601 && want.Second() < 60 && (!ok || !date.Equal(want)) {
			t.Errorf("%q: got %v %v, want %v", text, date, ok, want)
		}
	})
}

// Dates count from the answer's own, if that is past and all browsers read it.
func TestClock(t *testing.T) {
	now := asOf2026.Now
	past := now.Add(-time.Hour)
	for text, want := range map[string]time.Time{"": now, past.Format(http.TimeFormat): past, now.Add(time.Hour).Format(http.TimeFormat): now} {
		if got, ok := (Clock{Now: now, Date: text}).earliest(); !ok || !got.Equal(want) {
			t.Errorf("%q: %v, %t", text, got, ok)
		}
	}
	if _, ok := (Clock{Now: now, Date: "1_Jan_2020 0:0:0"}).earliest(); ok {
		t.Error("a Date that browsers read differently is certain")
	}
}

func TestCut(t *testing.T) {
	long := strings.Repeat("x", MaxNameAndValue-1)
	for _, test := range []struct {
		line string
		name string
		ok   bool
	}{
		{"a=b", "a", true},
		{"a=b; Path=/; Expires=Thu, 01 Jan 2032 00:00:00 GMT", "a", true},
		{" \ta \t= b", "a", true},
		{"a=", "a", true},
		{"a=b=c", "a", true},
		{"a=\xff\"{,}\x80", "a", true},
		{"a=b\tc", "a", true},
		{"a=" + long, "a", true},
		{"a=" + long + "x", "a", false},
		{"a=  " + long + "\t; HttpOnly", "a", true},
		{"", "", false},
		{"a", "", false},
		{"a; b=c", "", false},
		{"=", "", false},
		{"=a", "", false},
		{"=a=b", "", false},
		{"\t=a", "", false},
		{"; a=b", "", false},
		{"a b=c", "a b", false},
		{"a\tb=c", "a\tb", false},
		{"\"a\"=c", "\"a\"", false},
		{"a,b=c", "a,b", false},
		{"a[b]=c", "a[b]", false},
		{"\xc3\xa9=c", "\xc3\xa9", false},
		{"\xa0a=c", "\xa0a", false},
		{"a=b\x00c", "a", false},
		{"a=b; Path=/\x1f", "a", false},
		{"a=b\r\nSet-Cookie: c=d", "a", false},
		{"a=b\x7f", "a", false},
	} {
		name, written, ok := Cut(test.line)
		ok = ok && !ReadAttributes(written).HasControls
		if name != test.name || ok != test.ok {
			t.Errorf("%.40q: got %q %v, want %q %v", test.line, name, ok, test.name, test.ok)
		}
	}
}

// A control byte is seen wherever it stands.
func TestHasControls(t *testing.T) {
	for length := 1; length < 20; length++ {
		for at := range length {
			for char := range 256 {
				line := []byte(strings.Repeat("x", length))
				line[at] = byte(char)
				want := char < ' ' && char != '\t' || char == 0x7f
				if got := HasControls(string(line)); got != want {
					t.Fatalf("%q: %t", line, got)
				}
			}
		}
	}
}

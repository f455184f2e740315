package setcookie

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

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

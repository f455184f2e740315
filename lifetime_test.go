package cookiecharter

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestParseCookieDate(t *testing.T) {
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
		_, date, ok := parseCookieDate(text)
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
func asOf2026() (time.Time, bool) {
	return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), true
}

func TestReadLifetime(t *testing.T) {
	const past, future = "Expires=Thu, 01 Jan 1970 00:00:00 GMT", "Expires=Sun, 22 Nov 2026 00:00:00 GMT" // a day
	session, gone, day := lifetime{}, lifetime{0, true}, lifetime{86400, true}
	for line, want := range map[string]lifetime{
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
		"a=b; Max-Age=0" + strings.Repeat("0", maxAttribute):       session,
		"a=b; Max-Age=86400; Max-Age=" + strings.Repeat("0", 2000): day,
		"a=b; Max-Age=\t0\t":                                       gone,
		"a=b; Max-Age=86400; Max-Age=0":                            gone,
		"a=b; " + past + "; " + future:                             day,
	} {
		if got, certain := attributesOf(line).lifetime(asOf2026); got != want || !certain {
			t.Errorf("%.80q: got %v %v, want %v", line, got, certain, want)
		}
	}
	for _, line := range []string{
		"a=b; Max-Age=+0", "a=b; Max-Age=+86400", "a=b; Max-Age=+soon", "a=b; Max-Age=0; Max-Age=soon", "a=b; Max-Age=0; Max-Age", "a=b; Max-Age=9; Max-Age=-x; " + past,
		"a=b; Expires=", "a=b; Expires=0", "a=b; " + past + "; Expires=soon", "a=b; Max-Age=; Expires=soon",
		"a=b; Expires=1st Jan 1970 00:00:00 GMT", "a=b; Expires=01 Jan 1999x 2032 00:00:00 GMT", "a=b; Expires=Thu, 01 Jan 12345 00:00:00 GMT",
		"a=b; Max-Age=0; x\ty", "a=b; Max\tAge=0; Max-Age=0", "a=b; Max-Age=0; Path=/\t/",
	} {
		if got, certain := attributesOf(line).lifetime(asOf2026); certain {
			t.Errorf("%.80q: certain of %v", line, got)
		}
	}
	// A date of the past deletes, if the clock is known.
	if life, certain := attributesOf("a=; " + past).lifetime(asOf2026); !life.deletes() || !certain {
		t.Errorf("%v %v does not delete", life, certain)
	}
	if _, certain := attributesOf("a=; " + past).lifetime(func() (time.Time, bool) { return time.Now(), false }); certain {
		t.Error("certain of a date without a clock")
	}
}

// attributesOf returns the attributes of a line.
func attributesOf(line string) *attributes {
	_, written, _ := strings.Cut(line, ";")
	return readAttributes(written)
}

func TestShorten(t *testing.T) {
	week, none := duration{1, "week"}, duration{unit: session}
	for _, test := range []struct {
		line  string
		limit duration
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
		got := shorten(test.line, attributesOf(test.line), test.limit, asOf2026)
		if got != test.want {
			t.Errorf("%q to %v: got %q, want %q", test.line, test.limit, got, test.want)
		}
		if again := shorten(got, attributesOf(got), test.limit, asOf2026); again != got {
			t.Errorf("%q to %v: not idempotent: %q", test.line, test.limit, again)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, test := range []struct {
		cookie Cookie
		want   duration
	}{
		{Cookie{}, maxLifetime},
		{Cookie{Duration: "2 years"}, maxLifetime},
		{Cookie{Duration: "2 years", Exempt: true}, maxExempt},
		{Cookie{Exempt: true}, maxExempt},
		{Cookie{Duration: "6 months", Exempt: true}, duration{6, "month"}},
		{Cookie{Duration: "session"}, duration{0, "session"}},
	} {
		if got := test.cookie.longest(); got != test.want {
			t.Errorf("%+v: got %v", test.cookie, got)
		}
	}
}

// TestAmended looks at what becomes of kept lines in an answer.
func TestAmended(t *testing.T) {
	site := func(options string) string {
		return `
		cookie_charter {
			` + options + `
			cookie week {
				purpose p
				category necessary
				duration "1 week"
			}
			cookie hardened {
				purpose p
				category necessary
				secure
				http_only
				same_site Lax
			}
			cookie measure {
				purpose p
				category statistics
				exempt
				duration "20 months"
			}
			cookie embedded {
				purpose p
				category necessary
				secure
				same_site None
			}
		}
		header +Set-Cookie "week=1; Max-Age=99999999; Path=/"
		header +Set-Cookie "hardened=1; Max-Age=99999999"
		header +Set-Cookie "hardened=2; samesite=None; SECURE; httponly=x"
		header +Set-Cookie "measure=1; Max-Age=99999999"
		header +Set-Cookie "embedded=1"
		header +Set-Cookie "embedded=2; Secure"
		respond ok`
	}
	for _, test := range []struct {
		options   string
		encrypted bool
		want      []string
	}{
		{"", true, []string{
			"week=1; Max-Age=99999999; Path=/; Max-Age=604800",
			"hardened=1; Max-Age=99999999; Max-Age=34560000; Secure; HttpOnly; SameSite=Lax",
			"hardened=2; samesite=None; SECURE; httponly=x",
			"measure=1; Max-Age=99999999; Max-Age=34186698",
			"embedded=1; Secure; SameSite=None",
			"embedded=2; Secure; SameSite=None",
		}},
		{"durations declare", false, []string{
			"week=1; Max-Age=99999999; Path=/",
			"hardened=1; Max-Age=99999999; HttpOnly; SameSite=Lax",
			"hardened=2; samesite=None; SECURE; httponly=x",
			"measure=1; Max-Age=99999999",
			"embedded=1",
			"embedded=2; Secure; SameSite=None",
		}},
	} {
		address := serve(t, test.encrypted, site(test.options))
		url := "http://" + address
		if test.encrypted {
			url = "https://" + address
		}
		response, _ := get(t, url, nil)
		got := response.Header["Set-Cookie"]
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%q: got %q", test.options, got)
		}
	}
}

// TestDeletionsPass shows that the portal may always delete a cookie, and that
// what only looks like it is a deposit.
func TestDeletionsPass(t *testing.T) {
	const past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT"
	upstreamDate := "Date: Thu, 1 Jan 1970 00:00:00 GMT\r\n" // browsers read it, Go does not
	deletions := []string{
		`sessionid=""; ` + past + `; Max-Age=0; Path=/; SameSite=Lax`,
		"_pk_id.1.1=; Max-Age=0",
		"_pk_id.1.1=x; " + past,
		"unknown=; " + past + "; Path=/; Domain=example.org",
		"unknown=gone; Max-Age=-1",
		"unknown=x; Expires=Fri, 01 Jan 2100 00:00:00 GMT; Max-Age=0",
		"unknown=x; Expires=Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
		"unknown=x; Expires=Thu, 01 Jan 1970 00:00:00 +0100",
		"unknown=x; Expires=jeu., 01 January 1970 00:00:00.000 GMT",
		"unknown=x; Expires=Mon, 01 Jan 0001 00:00:00 GMT",
		"unknown=x; Max-Age=; " + past,
		"unknown=x; Max-Age=soon; " + past,
		"unknown=x; Expires=" + time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat),
	}
	deposits := []string{
		"_pk_id.1.1=x",
		"_pk_id.1.1=x; Max-Age=; Path=/",
		"_pk_id.1.1=x; Max-Age=0; Max-Age=soon",
		"_pk_id.1.1=x; Max-Age=0; Max-Age=9",
		"_pk_id.1.1=x; Max-Age=9; " + past,
		"_pk_id.1.1=x; " + past + "; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
		"_pk_id.1.1=x; Max-Age=+0",
		"_pk_id.1.1=x; Expires=1990-Jan-01 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=Mon, Mar-28-2000 12:00:00 GMT",
		"_pk_id.1.1=x; Expires=01_Jan_1970_00:00:00_GMT",
		"_pk_id.1.1=x; Expires=01+Jan+1970+00:00:00+GMT",
		"_pk_id.1.1=x; Expire\u017f=Thu, 01 Jan 1970 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Expire\u017f=Thu, 01 Jan 1970 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=1st Jan 1970 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=01 Jan 1999xx 2032 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=01 Jan 70a1 2032 00:00:00 GMT",
		"unknown=Max-Age=0",
		"unknown=x, Max-Age=0",
		"unknown=x; Max-Age=0x0",
		"=x; Max-Age=0",
		"x; Max-Age=0",
		"unknown=x\x01; Max-Age=0",
		"un known=x; Max-Age=0",
	}
	upstreamOf := func(date string, lines []string) string {
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + date + "Set-Cookie: " + strings.Join(lines, "\r\nSet-Cookie: ") + "\r\n\r\n"
		return rawUpstream(t, func(string) string { return answer })
	}
	site := func(upstream string) string {
		return "cookie_charter {\n preset opendatasoft matomo\n}\nreverse_proxy " + upstream
	}
	withoutControls := []string{}
	for _, line := range deposits {
		if !hasControls(line) { // Go's client refuses an answer that has any
			withoutControls = append(withoutControls, line)
		}
	}
	address := serve(t, false, site(upstreamOf("", append(withoutControls, deletions...))))
	response, _ := get(t, "http://"+address, nil)
	if got := response.Header["Set-Cookie"]; strings.Join(got, "\n") != strings.Join(deletions, "\n") {
		t.Errorf("got %q", got)
	}
	// Browsers count dates from the answer's own Date: here, Expires lies ahead.
	address = serve(t, false, site(upstreamOf("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", []string{"_pk_id.1.1=x; Expires=Fri, 02 Jan 1970 00:00:00 GMT"})))
	response, _ = get(t, "http://"+address, nil)
	if got := response.Header["Set-Cookie"]; got != nil || response.Header.Get("Date") != "Thu, 01 Jan 1970 00:00:00 GMT" {
		t.Errorf("got %q on %s", got, response.Header.Get("Date"))
	}
	address = serve(t, false, site(upstreamOf(upstreamDate, []string{"_pk_id.1.1=x; Expires=Fri, 02 Jan 1970 00:00:00 GMT"})))
	response, _ = get(t, "http://"+address, nil)
	if got := response.Header["Set-Cookie"]; got != nil {
		t.Errorf("got %q on %s", got, response.Header.Get("Date"))
	}
	for _, line := range deposits {
		f := &filter{handler: provision(t, "cookie_charter {\n preset opendatasoft matomo\n}"), request: visit("http://city.example/")}
		f.visitor.handler = f.handler
		f.ResponseWriter = fixedHeader{header: http.Header{}}
		if _, keep := f.judgeLine(line); keep {
			t.Errorf("%q passed", line)
		}
	}
}

// FuzzParseCookieDate compares with net/http where that reads a date.
func FuzzParseCookieDate(f *testing.F) {
	f.Add("Thu, 01 Jan 1970 00:00:00 GMT")
	f.Add("Sunday, 06-Nov-94 08:49:37 GMT")
	f.Add("Sun Nov  6 08:49:37 1994")
	f.Fuzz(func(t *testing.T, text string) {
		_, date, ok := parseCookieDate(text)
		if ok && (date.Year() < 1601 || date.Year() > 9999) {
			t.Errorf("%q: %v", text, date)
		}
		if want, err := time.Parse(http.TimeFormat, text); err == nil && want.Year() >= 1601 && want.Second() < 60 && (!ok || !date.Equal(want)) {
			t.Errorf("%q: got %v %v, want %v", text, date, ok, want)
		}
	})
}

// What is written of a duration is read as the same.
func TestDurationString(t *testing.T) {
	for _, want := range []string{"1 day", "2 weeks", "13 months", "1 year", "session"} {
		if read, err := parseDuration(want); err != nil || read.String() != want {
			t.Errorf("%s: %s, %v", want, read, err)
		}
	}
	if got := (duration{}).String(); got != session {
		t.Errorf("none is %q", got)
	}
}

// Dates count from the answer's own, if that is past and all browsers read it.
func TestClockOf(t *testing.T) {
	now := time.Now()
	past := now.Add(-time.Hour).Truncate(time.Second)
	for text, want := range map[string]time.Time{"": now, past.UTC().Format(http.TimeFormat): past, now.Add(time.Hour).UTC().Format(http.TimeFormat): now} {
		if got, ok := clockOf(text); !ok || got.Sub(want).Abs() > time.Minute {
			t.Errorf("%q: %v, %t", text, got, ok)
		}
	}
	if _, ok := clockOf("1_Jan_2020 0:0:0"); ok {
		t.Error("a Date that browsers read differently is certain")
	}
}

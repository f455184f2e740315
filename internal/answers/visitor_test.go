package answers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// Of several copies of a cookie, a refusal counts before a grant, and no grant beside
// one that cannot be read.
func TestPreferenceCopies(t *testing.T) {
	site := portalOf(t, "opendatasoft", "", "opendatasoft p")
	for _, test := range []struct {
		lines []string
		want  Answer
	}{
		{nil, None},
		{[]string{""}, None},
		{[]string{`p={"k":true}`}, Granted},
		{[]string{`a=b;p={"k":true} ;c=d`}, Granted},
		{[]string{"a=b", `p={"k":true}`}, Granted},
		{[]string{`p={"k":true}; p={"k":false}`}, Refused},
		{[]string{`p={"k":false}`, `p={"k":true}`}, Refused},
		{[]string{`p={"k":true}; p={}`}, Granted},
		{[]string{`p={"k":true}; p=junk; p={}`}, None},
		{[]string{`p=; p={"k":true}`}, None},
		{[]string{`p={"k":true}`, "p=" + strings.Repeat("x", MaxPreference+1)}, None},
		{[]string{`p=junk; p={"k":false}`}, Refused},
		{[]string{`P={"k":true}`}, None},
		{[]string{`p={"k":true,"x":"` + strings.Repeat("x", MaxPreference) + `"}`}, None},
		{[]string{`xp={"k":true}; =p={"k":true}; p; p x={"k":true}`}, None},
	} {
		visitor := &Visitor{Store: site.answers, Lines: test.lines}
		if got := visitor.AnswerTo(&charter.Row{Cookie: charter.Cookie{Category: charter.Statistics}, Key: "k"}); got != test.want {
			t.Errorf("%q: got %q, want %q", test.lines, got, test.want)
		}
	}
}

// One copy that cannot be read could say anything: no grant of another copy counts,
// and every refusal does.
func TestUnreadableCopies(t *testing.T) {
	site := portalOf(t, "matomo google_analytics", "", "opendatasoft", "tarteaucitron")
	matomo, ga := site.charter.Find("_pk_id.1"), site.charter.Find("_ga")
	for _, lines := range []setcookie.Lines{
		{`cookies_preferences={"matomo":true,"ga":false}; cookies_preferences=junk`},
		{`cookies_preferences=junk`, `cookies_preferences={"matomo":true,"ga":false}`},
		{`cookies_preferences={"matomo":true,"ga":false}; cookies_preferences=; cookies_preferences={"matomo":true}`},
	} {
		for range 2 { // what is remembered of a value stays as it was read
			visitor := &Visitor{Store: site.answers, Lines: lines}
			if got := [2]Answer{visitor.AnswerTo(matomo), visitor.AnswerTo(ga)}; got != [2]Answer{None, Refused} {
				t.Errorf("%s: %v", lines, got)
			}
		}
		visitor := &Visitor{Store: site.answers, Lines: slices.Concat(lines, setcookie.Lines{"tarteaucitron=!matomo=true!ga=true"})}
		if got := [2]Answer{visitor.AnswerTo(matomo), visitor.AnswerTo(ga)}; got != [2]Answer{Granted, Refused} {
			t.Errorf("%s, and another format: %v", lines, got)
		}
	}
	visitor := &Visitor{Store: site.answers, Lines: setcookie.Lines{`cookies_preferences={"matomo":true,"ga":false}`}}
	if got := visitor.AnswerTo(matomo); got != Granted {
		t.Errorf("alone: %v", got)
	}
}

// Many copies are read at a cost that is linear in them.
func TestManyCopies(t *testing.T) {
	site := portalOf(t, "opendatasoft matomo", "", "opendatasoft")
	const copies = 20_000
	asker := Visitor{Store: site.answers, Lines: setcookie.Lines{strings.Repeat("cookies_preferences={};", copies)}}
	if got := testing.AllocsPerRun(1, func() {
		asker.isDecoded, asker.readings = false, nil
		asker.decode()
	}); got > 100 {
		t.Errorf("%v allocations for %d copies", got, copies)
	}
	if len(asker.readings) != maxReadings {
		t.Errorf("%d readings", len(asker.readings))
	}
	const granted = `cookies_preferences={"matomo":true};`
	for count, want := range map[int]Answer{maxReadings: Granted, maxReadings + 1: None} {
		asker := Visitor{Store: site.answers, Lines: setcookie.Lines{strings.Repeat(granted, count)}}
		if got := asker.AnswerTo(site.charter.Find("_pk_id.1")); got != want {
			t.Errorf("%d copies: %v", count, got)
		}
	}
	for i := range 1000 {
		asker.AnswerTo(site.charter.Find(fmt.Sprintf("_pk_id.%d", i)))
	}
	if len(asker.byRow) != 1 {
		t.Errorf("%d rows were remembered", len(asker.byRow))
	}
}

// A grant ends when the page says that it does, though the portal renews its
// cookie; a refusal does not need to end.
func TestAnswersEnd(t *testing.T) {
	for _, format := range []string{"opendatasoft p", "json p"} {
		site := portalOf(t, "matomo", "{name: p, purpose: p, category: necessary, duration: 30 days}", format)
		row := site.charter.Find("_pk_id.1")
		for days, want := range map[int]string{0: "granted", 29: "granted", 31: "none", 900: "none", -2: "none"} {
			at := time.Now().AddDate(0, 0, -days).UnixMilli()
			granted := &Visitor{Store: site.answers, Lines: setcookie.Lines{fmt.Sprintf(`p={"matomo":true,"timestamp":%d}`, at)}}
			if got := granted.AnswerTo(row).String(); got != want {
				t.Errorf("%s, granted %d days ago: %s", format, days, got)
			}
			refused := &Visitor{Store: site.answers, Lines: setcookie.Lines{fmt.Sprintf(`p={"matomo":false,"timestamp":%d}`, at)}}
			if got := refused.AnswerTo(row); got != Refused {
				t.Errorf("%s, refused %d days ago: %s", format, days, got)
			}
		}
	}
	site := portalOf(t, "matomo", "", "charter")
	fingerprint := site.charter.Fingerprints["matomo"]
	for days, want := range map[int]string{0: "granted", 180: "granted", 184: "none"} {
		visitor := &Visitor{Store: site.answers, Lines: setcookie.Lines{fmt.Sprintf("charter_preference=1.%d.000000000000.matomo-y%s", time.Now().AddDate(0, 0, -days).UnixMilli(), fingerprint)}}
		if got := visitor.AnswerTo(site.charter.Find("_pk_id.1")).String(); got != want {
			t.Errorf("granted %d days ago: %s", days, got)
		}
	}
}

// A grant with a time that cannot be read, or cannot be, has ended; one without
// lasts as long as its cookie. Of two times, the stricter counts.
func TestTimesOfAnswers(t *testing.T) {
	const now Timestamp = 1_795_000_000_000
	for _, format := range []string{"opendatasoft p", "json p"} {
		site := portalOf(t, "matomo google_analytics", "", format)
		for times, want := range map[string]Answer{
			``: Granted, `"timestamp":1794999999999`: Granted, `"timestamp":"1794999999999"`: Granted,
			`"timestamp":1795086399999`: Granted, `"timestamp":1795086400001`: None, // a day ahead
			`"timestamp":978307199999`: None, `"timestamp":1795000000`: None, `"timestamp":0`: None, `"timestamp":-1`: None,
			`"timestamp":null`: None, `"timestamp":true`: None, `"timestamp":"2026-11-20"`: None, `"timestamp":""`: None, `"timestamp":{}`: None,
			`"timestamp":1e400`: None, `"timestamp":99999999999999999999`: None, `"timestamp":1794999999999.5`: None,
			`"timestamp":1794999999999,"timestamp":1760000000000`: None, `"timestamp":1760000000000,"timestamp":1794999999999`: None,
			`"timestamp":1794999999999,"timestamp":"x"`: None, `"timestamp":null,"timestamp":1794999999999`: None,
			`"timestamp":1794999999999,"timestamp":1794999999998`: Granted,
		} {
			lines := setcookie.Lines{"p=" + strings.TrimSuffix(`{"matomo":true,"ga":false,`+times, ",") + "}"}
			visitor := &Visitor{Store: site.answers, Lines: lines, now: now}
			if got := visitor.AnswerTo(site.charter.Find("_pk_id.1")); got != want {
				t.Errorf("%s, %s: %v, want %v", format, times, got, want)
			}
			if got := visitor.AnswerTo(site.charter.Find("_ga")); got != Refused {
				t.Errorf("%s, %s: the refusal is %v", format, times, got)
			}
		}
	}
	site := portalOf(t, "matomo", "", "charter")
	for at, want := range map[string]Answer{"1794999999999": Granted, "0": None, "1": None, "1795086400001": None, "18446744073709551615": None} {
		visitor := &Visitor{Store: site.answers, Lines: setcookie.Lines{PlainCookie + "=1." + at + ".x.matomo-y" + site.charter.Fingerprints["matomo"]}, now: now}
		if got := visitor.AnswerTo(site.charter.Find("_pk_id.1")); got != want {
			t.Errorf("charter, %s: %v, want %v", at, got, want)
		}
	}
}

// Only what the page writes tells when an answer was given to it.
func TestGivenAt(t *testing.T) {
	site := portalOf(t, "matomo", "", "klaro", "opendatasoft")
	of := func(cookies string) time.Time {
		visitor := Visitor{Store: site.answers, Lines: setcookie.Lines{cookies}}
		at, _ := visitor.AnswerTime()
		return at
	}
	early, late := time.UnixMilli(1785000000000).UTC(), time.UnixMilli(1790000000000).UTC()
	first := fmt.Sprintf(`cookies_preferences={"matomo":true,"timestamp":%d}`, early.UnixMilli())
	second := fmt.Sprintf(`={"matomo":true,"timestamp":%d}`, late.UnixMilli())
	for cookies, want := range map[string]time.Time{
		first: early, first + "; klaro" + second: early, first + "; cookies_preferences" + second: late, "klaro" + second: {}, "": {},
	} {
		if got := of(cookies); got != want {
			t.Errorf("%s: %v, want %v", cookies, got, want)
		}
	}
}

// Over https, what the former cookie grants does not count, nor does it say anything
// beside the new one.
func TestFormerCookie(t *testing.T) {
	site := portalOf(t, "matomo", "", "charter")
	row := site.charter.Find("_pk_id.1")
	const hour Timestamp = 3_600_000
	value := func(at Timestamp, word string) string { return fmt.Sprintf("=1.%d.000000000000.matomo%s; ", at, word) }
	const now Timestamp = 1_796_083_200_000
	granted := "-y" + site.charter.Fingerprints["matomo"]
	for _, test := range []struct {
		cookies          string
		encrypted, plain Answer
	}{
		{HostCookie + value(now, granted), Granted, Granted},
		{HostCookie + value(now, "-y00000000"), None, None},
		{PlainCookie + value(now, granted), None, Granted},
		{PlainCookie + value(now, "-n"), Refused, Refused},
		{PlainCookie + value(now-200*24*hour, granted), None, None},
		// Beside the new one, the former says nothing, in whatever order.
		{PlainCookie + value(now, "-n") + HostCookie + value(now, granted), Granted, Granted},
		{HostCookie + value(now, granted) + PlainCookie + value(now, "-n"), Granted, Granted},
		{HostCookie + value(now, granted) + PlainCookie + "=junk", Granted, Granted},
		{PlainCookie + value(now, granted) + HostCookie + "=junk", None, None},
	} {
		for secure, want := range map[bool]Answer{true: test.encrypted, false: test.plain} {
			visitor := &Visitor{Store: site.answers, Lines: setcookie.Lines{test.cookies}, Secure: secure, now: now + 2*hour}
			if got := visitor.AnswerTo(row); got != want {
				t.Errorf("https %t, %s: %v, want %v", secure, test.cookies, got, want)
			}
		}
	}
}

// What the page writes keeps what is in force, and begins nothing anew that is
// over.
func TestWritingKeepsWhatIsInForce(t *testing.T) {
	day := 24 * time.Hour
	for _, format := range []string{"charter", "opendatasoft", "json choice"} {
		site := portalOf(t, "matomo google_analytics", "", format)
		cookie := func(at time.Time, given map[string]Answer) setcookie.Lines {
			stored := (&Visitor{Store: site.answers}).Save(given, "", at)
			return setcookie.Lines{stored[0].Name + "=" + stored[0].Value}
		}
		for age, want := range map[time.Duration]Answer{day: Granted, 200 * day: None} {
			lines := cookie(time.Now().Add(-age), map[string]Answer{"matomo": Granted})
			asked := &Visitor{Store: site.answers, Lines: lines}
			stored := asked.Save(map[string]Answer{"ga": Granted}, "", time.Now())
			for _, visitor := range []*Visitor{asked, {Store: site.answers, Lines: setcookie.Lines{stored[0].Name + "=" + stored[0].Value}}} {
				if got := visitor.AnswerTo(site.charter.Find("_pk_id.1")); got != want {
					t.Errorf("%s, granted %v ago: %v, want %v", format, age, got, want)
				}
				if got := visitor.AnswerTo(site.charter.Find("_ga")); got != Granted {
					t.Errorf("%s: what was granted just now is %v", format, got)
				}
			}
			if isLeft := strings.Contains(stored[0].Value, "matomo"); isLeft != (want == Granted) {
				t.Errorf("%s, granted %v ago: %s", format, age, stored[0].Value)
			}
		}
		lines := cookie(time.Now().Add(-200*day), map[string]Answer{"matomo": Refused})
		visitor := &Visitor{Store: site.answers, Lines: lines}
		visitor.Save(map[string]Answer{"ga": Granted}, "", time.Now())
		if got := visitor.AnswerTo(site.charter.Find("_pk_id.1")); got != Refused {
			t.Errorf("%s: a refusal became %v", format, got)
		}
	}
}

// BenchmarkPreference measures the decoding of a preference: of one that was
// seen lately, and of one that was not.
func BenchmarkPreference(b *testing.B) {
	site := portalOf(b, "opendatasoft matomo", "", "opendatasoft")
	const cookies = "sessionid=u8k3j0c2l1o9w7q5; csrftoken=Zk2mJ8s0Qq1cXb4vWn7RtY; django_language=fr; " +
		"cookies_preferences=%7B%22matomo%22%3Atrue%2C%22timestamp%22%3A1795308590967%7D; _pk_id.1.1fff=4b1c0a7d5e"
	for _, recent := range []*recentValues{{}, nil} {
		b.Run(fmt.Sprintf("recent=%t", recent != nil), func(b *testing.B) {
			site.answers.Preferences[0].recent = recent
			b.ReportAllocs()
			for b.Loop() {
				visitor := Visitor{Store: site.answers, Lines: setcookie.Lines{cookies}}
				visitor.decode()
			}
		})
	}
}

// A record is told as far as all that the page wrote agrees on it.
func TestRecord(t *testing.T) {
	const (
		now       Timestamp = 1_796_083_200_000
		reference           = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	)
	value := func(at Timestamp, version, end string) string {
		return fmt.Sprintf("=1.%d.%s.matomo-n%s; ", at, version, end)
	}
	own := value(now, "0123456789ab", "."+reference)
	site := portalOf(t, "matomo", "", "charter", "klaro", "opendatasoft")
	object := func(timestamp Timestamp) string {
		return fmt.Sprintf(`cookies_preferences={"matomo":false,"timestamp":%d,"charter":"1.%d.0123456789ab.matomo-n.%s"}; `, timestamp, now, reference)
	}
	for _, test := range []struct {
		cookies            string
		secure             bool
		version, reference string
	}{
		{"", true, "", ""},
		{HostCookie + own, true, "0123456789ab", reference},
		{PlainCookie + own, false, "0123456789ab", reference},
		{PlainCookie + own, true, "", ""}, // any host of the site can write it
		{HostCookie + own + PlainCookie + value(now-1, "0123456789ab", ""), true, "0123456789ab", reference},
		{HostCookie + value(now, "0123456789ab", ""), true, "0123456789ab", ""},
		{HostCookie + own + HostCookie + own, true, "0123456789ab", reference},
		{HostCookie + own + HostCookie + value(now-1, "0123456789ab", "."+reference), true, "", ""},
		{HostCookie + own + HostCookie + value(now, "0123456789ac", "."+reference), true, "", ""},
		{HostCookie + own + HostCookie + value(now, "0123456789ab", ""), true, "", ""},
		{HostCookie + own + HostCookie + "=junk", true, "", ""},
		{HostCookie + own + "klaro={}", true, "0123456789ab", reference},
		{HostCookie + own + object(now), true, "0123456789ab", reference},
		{HostCookie + own + object(now+1), true, "", ""}, // the portal's banner has written since
		{object(now), true, "0123456789ab", reference},
		{object(now + 1), true, "", ""},
		{`cookies_preferences={"matomo":false}`, true, "", ""},
		{HostCookie + value(now, "0123456789aB", "."+reference), true, "", ""},
		{HostCookie + value(now, "0123456789abc", "."+reference), true, "", ""},
		{HostCookie + value(now, "", "."+reference), true, "", ""},
		{HostCookie + value(now, "0123456789ab", "."+strings.ToLower(reference)), true, "", ""},
	} {
		visitor := &Visitor{Store: site.answers, Secure: test.secure, Lines: setcookie.Lines{test.cookies}, now: now}
		if version, reference := visitor.Record(); version != test.version || reference != test.reference {
			t.Errorf("%s: %q, %q", test.cookies, version, reference)
		}
	}
}

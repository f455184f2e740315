package answers

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

func TestReadMap(t *testing.T) {
	const object = `{"matomo":true,"ga":false,"timestamp":1719830000000}`
	granted := map[string]Answer{"matomo": Granted, "ga": Refused}
	for _, test := range []struct {
		value string
		want  map[string]Answer
	}{
		// As it is written: raw, encoded in part, in whole, twice, in quotes.
		{object, granted},
		{strings.NewReplacer(`"`, "%22", ",", "%2C").Replace(object), granted},
		{url.PathEscape(object), granted},
		{url.QueryEscape(object), granted},
		{url.QueryEscape(url.QueryEscape(object)), granted},
		{`"` + object + `"`, granted},
		{`"` + url.QueryEscape(object) + `"`, granted},
		{url.QueryEscape(`"` + object + `"`), granted},
		{`"{\"matomo\": true\054 \"ga\": false}"`, granted},
		{`"{\173}"`, nil},
		{` { "matomo" : true } `, map[string]Answer{"matomo": Granted}},
		{`{"\u006datomo":true}`, map[string]Answer{"matomo": Granted}},

		// Of two answers to one key the stricter wins.
		{`{"matomo":true,"matomo":false}`, map[string]Answer{"matomo": Refused}},
		{`{"matomo":false,"matomo":true}`, map[string]Answer{"matomo": Refused}},

		// What is no boolean is no answer.
		{`{}`, map[string]Answer{}},
		{`{"matomo":"true","ga":1,"xiti":null,"at":[true],"piano":{"matomo":true}}`, map[string]Answer{}},
		{`{"Matomo":true}`, map[string]Answer{"Matomo": Granted}},

		// Unreadable.
		{"", nil},
		{"true", nil},
		{"[true]", nil},
		{`{"matomo":true`, nil},
		{`{"matomo":true}}`, nil},
		{`{"matomo":true} x`, nil},
		{`{"matomo":true,}`, nil},
		{`{matomo:true}`, nil},
		{"%7B%22matomo%22%3Atrue%7", nil},
		{"%7B%22matomo%22%3Atrue%7D%ZZ", nil},
		{url.QueryEscape(url.QueryEscape(url.QueryEscape(object))), nil},
		{"{\"matomo\":true,\"\xff\":true}", nil},
		{"%7B%22matomo%22%3Atrue%2C%22%FF%22%3Atrue%7D", nil},
		{"{\"matomo\":true\x00}", nil},
		{`{"matomo":true,"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`, map[string]Answer{"matomo": Granted}},
		{`{"matomo":true,"x":` + strings.Repeat("[", 2000) + `}`, nil},
	} {
		got, err := readMap(StoredCookie{Value: test.value})
		if !maps.Equal(got.answers, test.want) || (err != nil) != (test.want == nil) {
			t.Errorf("%.80s: got %v, %v, want %v", test.value, got, err, test.want)
		}
	}
}

func TestPreferenceCopies(t *testing.T) {
	handler := portalOf(t, "opendatasoft", "", "opendatasoft p")
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
		visitor := &Visitor{Store: handler.answers, Lines: test.lines}
		if got := visitor.AnswerTo(&charter.Row{Cookie: charter.Cookie{Category: charter.Statistics}, Key: "k"}); got != test.want {
			t.Errorf("%q: got %q, want %q", test.lines, got, test.want)
		}
	}
}

func TestWriteMap(t *testing.T) {
	answers := map[string]Answer{"matomo": Granted, "ga": Refused, "é \"": Granted}
	asked := &charter.Charter{Version: "0123456789ab"}
	got := writeMap(writing{answers: answers, at: time.UnixMilli(1719830000000), charter: asked})
	want := "%7B%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22%C3%A9%20%5C%22%22%3Atrue%2C%22timestamp%22%3A1719830000000%2C%22charter%22%3A%221.1719830000000.0123456789ab%22%7D"
	if got != want {
		t.Errorf("got %s", got)
	}
	back, err := readWrittenMap(StoredCookie{Value: got, charter: asked})
	if err != nil || back.at != 1719830000000 {
		t.Errorf("%v, time %d", err, back.at)
	}
	if !maps.Equal(back.answers, map[string]Answer{"matomo": Granted, "ga": Refused, "é \"": Granted}) {
		t.Errorf("read back as %v", back.answers)
	}

	// Into what is stored already: what is not known is kept as it stands there,
	// in the same encoding.
	long := strings.Repeat("x", 2100)
	for _, test := range []struct{ stored, want string }{
		{`{"ga":true,"other":[1,{"x":"é\u00e9"}],"matomo":false,"timestamp":1}`, `{"ga":false,"other":[1,{"x":"é\u00e9"}],"matomo":true,"timestamp":2}`},
		{`%7B%22ga%22:%22yes%22,%22mine%22:true%7D`, `%7B%22ga%22%3Afalse%2C%22mine%22%3Atrue%2C%22matomo%22%3Atrue%2C%22timestamp%22%3A2%7D`},
		{`"{\"version\": 3}"`, `%7B%22version%22%3A3%2C%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22timestamp%22%3A2%7D`},
		// Of two copies, the stricter.
		{`{"mine":true,"yours":true};{"yours":false,"ours":true,"mine":1}`, `{"mine":true,"yours":false,"ours":true,"ga":false,"matomo":true,"timestamp":2}`},
		{`{"mine":1};%7B%22mine%22:true%7D`, `%7B%22mine%22%3Atrue%2C%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22timestamp%22%3A2%7D`},
		{`junk`, `%7B%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22timestamp%22%3A2%7D`},
		// Without room for all of it.
		{`{"xiti":true,"` + long + `":true};{"` + long + `2":true}`, `{"xiti":true,"ga":false,"matomo":true,"timestamp":2}`},
	} {
		got := writeMapAsStored(writing{
			name:    "p",
			stored:  strings.Split(test.stored, ";"),
			answers: map[string]Answer{"matomo": Granted, "ga": Refused},
			keys:    []string{"matomo", "ga", "xiti"},
			live:    map[string]bool{"xiti": true},
			at:      time.UnixMilli(2),
			charter: asked,
		})
		want := strings.Replace(test.want, `"timestamp":2}`, `"timestamp":2,"charter":"1.2.0123456789ab"}`, 1)
		want = strings.Replace(want, "%3A2%7D", "%3A2%2C%22charter%22%3A%221.2.0123456789ab%22%7D", 1)
		if got != want {
			t.Errorf("into %.100s: got %.300s", test.stored, got)
		}
		if got := writeMap(writing{stored: strings.Split(test.stored, ";"), charter: asked}); !strings.HasPrefix(got, "%7B") || strings.ContainsAny(got, `{" ,`) {
			t.Errorf("into %.100s: got %.300s", test.stored, got)
		}
	}
}

// What a key covers does not hang on the order of its rows.
func TestFingerprint(t *testing.T) {
	const a, b = "{name: a, purpose: p, category: statistics}", "{name: b, purpose: q, category: statistics}"
	first, second := portalOf(t, "", a+", "+b, "charter"), portalOf(t, "", b+", "+a, "charter")
	if got, want := first.charter.Fingerprints["statistics"], second.charter.Fingerprints["statistics"]; got != want || len(got) != 8 {
		t.Errorf("%s, %s", got, want)
	}
}

// The version is that of what is declared, however it is written.
func TestCharterVersion(t *testing.T) {
	version := func(rows string) string { return portalOf(t, "", rows, "charter").charter.Version }
	const a, b = "{name: a, purpose: p, category: necessary}", "{name: b, category: necessary, purpose: p}"
	same := version(a + ", " + b)
	if version("{name: a, purpose: p, category: necessary, duration: 1800 s}") != version("{name: a, purpose: p, category: necessary, duration: 30 min}") {
		t.Error("the same duration in another unit is another version")
	}
	for _, block := range []string{b + ", " + a, "\n" + a + ",\n\n" + b, "{category: necessary, name: [a], purpose: p}, " + b} {
		if got := version(block); got != same {
			t.Errorf("%q has another version", block)
		}
	}
	for _, block := range []string{a, a + ", " + strings.Replace(b, "purpose: p", "purpose: q", 1), a + ", " + strings.Replace(b, "necessary", "statistics", 1), a + ", " + strings.Replace(b, "name: b", "name: c", 1)} {
		if got := version(block); got == same || len(got) != 12 {
			t.Errorf("%q has the version %s", block, got)
		}
	}
}

// A grant ends when the page says that it does, though the portal renews its
// cookie; a refusal does not need to end.
func TestAnswersEnd(t *testing.T) {
	for _, format := range []string{"opendatasoft p", "json p"} {
		handler := portalOf(t, "matomo", "{name: p, purpose: p, category: necessary, duration: 30 days}", format)
		row := handler.charter.Find("_pk_id.1")
		for days, want := range map[int]string{0: "granted", 29: "granted", 31: "none", 900: "none", -2: "none"} {
			at := time.Now().AddDate(0, 0, -days).UnixMilli()
			granted := &Visitor{Store: handler.answers, Lines: setcookie.Lines{fmt.Sprintf(`p={"matomo":true,"timestamp":%d}`, at)}}
			if got := granted.AnswerTo(row).String(); got != want {
				t.Errorf("%s, granted %d days ago: %s", format, days, got)
			}
			refused := &Visitor{Store: handler.answers, Lines: setcookie.Lines{fmt.Sprintf(`p={"matomo":false,"timestamp":%d}`, at)}}
			if got := refused.AnswerTo(row); got != Refused {
				t.Errorf("%s, refused %d days ago: %s", format, days, got)
			}
		}
	}
	handler := portalOf(t, "matomo", "", "charter")
	fingerprint := handler.charter.Fingerprints["matomo"]
	for days, want := range map[int]string{0: "granted", 180: "granted", 184: "none"} {
		visitor := &Visitor{Store: handler.answers, Lines: setcookie.Lines{fmt.Sprintf("charter_preference=1.%d.000000000000.matomo-y%s", time.Now().AddDate(0, 0, -days).UnixMilli(), fingerprint)}}
		if got := visitor.AnswerTo(handler.charter.Find("_pk_id.1")).String(); got != want {
			t.Errorf("granted %d days ago: %s", days, got)
		}
	}
}

// FuzzReadMap looks for answers that a second reading of what was read changes.
func FuzzReadMap(f *testing.F) {
	f.Add(`{"matomo":true}`)
	f.Add("%7B%22matomo%22%3Atrue%7D")
	f.Fuzz(func(t *testing.T, value string) {
		read, _ := readMap(StoredCookie{Value: value})
		live := map[string]bool{}
		for key := range read.answers {
			live[key] = true
		}
		for _, w := range []writing{{answers: read.answers, charter: &charter.Charter{}}, {stored: []string{value}, keys: slices.Collect(maps.Keys(read.answers)), live: live, charter: &charter.Charter{}}} {
			written := writeMap(w)
			if back, _ := readMap(StoredCookie{Value: written}); read.answers != nil && !maps.Equal(back.answers, read.answers) {
				t.Errorf("%q: %v became %v", value, read.answers, back.answers)
			}
		}
	})
}

// How long a banner keeps its own cookie is not known, so no duration of it is
// published.
func TestDurationOfPreferenceCookie(t *testing.T) {
	for cookie, want := range map[string]Config{
		"tarteaucitron": {Format: "tarteaucitron"}, "klaro 6 months": {Format: "klaro", LocalStorage: "klaro"}, "charter_preference 6 months": {Format: CharterFormat},
	} {
		name, duration, _ := strings.Cut(cookie, " ")
		if row := portalWith(t, "matomo", "", want).charter.Find(name); row.Duration != duration {
			t.Errorf("%s: %q", name, row.Duration)
		}
	}
}

// Only what the page writes tells when an answer was given to it.
func TestGivenAt(t *testing.T) {
	handler := portalOf(t, "matomo", "", "klaro", "opendatasoft")
	of := func(cookies string) time.Time {
		visitor := Visitor{Store: handler.answers, Lines: setcookie.Lines{cookies}}
		at, _ := visitor.GivenAt()
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

// Many copies are read at a cost that is linear in them.
func TestManyCopies(t *testing.T) {
	handler := portalOf(t, "opendatasoft matomo", "", "opendatasoft")
	const copies = 20_000
	asker := Visitor{Store: handler.answers, Lines: setcookie.Lines{strings.Repeat("cookies_preferences={};", copies)}}
	if got := testing.AllocsPerRun(1, func() {
		asker.decoded, asker.readings = false, nil
		asker.decode()
	}); got > 100 {
		t.Errorf("%v allocations for %d copies", got, copies)
	}
	if len(asker.readings) != maxReadings {
		t.Errorf("%d readings", len(asker.readings))
	}
	const granted = `cookies_preferences={"matomo":true};`
	for count, want := range map[int]Answer{maxReadings: Granted, maxReadings + 1: None} {
		asker := Visitor{Store: handler.answers, Lines: setcookie.Lines{strings.Repeat(granted, count)}}
		if got := asker.AnswerTo(handler.charter.Find("_pk_id.1")); got != want {
			t.Errorf("%d copies: %v", count, got)
		}
	}
	for i := range 1000 {
		asker.AnswerTo(handler.charter.Find(fmt.Sprintf("_pk_id.%d", i)))
	}
	if len(asker.given) != 1 {
		t.Errorf("%d rows were remembered", len(asker.given))
	}
}

// What a stored value says is remembered, in bounds, and as it was read.
func TestRecentValues(t *testing.T) {
	handler := portalOf(t, "opendatasoft matomo", "", "opendatasoft")
	format := handler.answers.Stored[0]
	row := handler.charter.Find("_pk_id.1")
	answerTo := func(value string) Answer {
		visitor := Visitor{Store: handler.answers, Lines: setcookie.Lines{"cookies_preferences=" + value}}
		return visitor.AnswerTo(row)
	}
	old := `{"matomo":true,"timestamp":1577836800000}` // its grant is over
	for range 2 {
		for value, want := range map[string]Answer{`{"matomo":true}`: Granted, `{"matomo":false}`: Refused, old: None, "x": None, "": None} {
			if got := answerTo(value); got != want {
				t.Errorf("%s: %v, not %v", value, got, want)
			}
		}
	}
	if got := format.recent.newer[old].reading[0].answers["matomo"]; got != Granted {
		t.Errorf("the reading was changed to %v", got)
	}
	if format.recent.newer["x"].err == nil {
		t.Error("an unreadable value is not remembered as such")
	}

	long := `{"matomo":true,"x":"` + strings.Repeat("x", maxRecentValue) + `"}`
	if got := answerTo(long); got != Granted {
		t.Errorf("a long value: %v", got)
	}
	if _, ok := format.recent.newer[long]; ok {
		t.Error("a long value is remembered")
	}
	now := time.Now().UnixMilli()
	for i := range 3*maxRecent + 7 {
		if got := answerTo(fmt.Sprintf(`{"matomo":true,"timestamp":%d}`, now-int64(i))); got != Granted {
			t.Fatalf("value %d: %v", i, got)
		}
		if i == maxRecent {
			if _, ok := format.recent.former[`{"matomo":true}`]; !ok {
				t.Error("what was there before is forgotten at once")
			}
		}
	}
	if len(format.recent.newer) > maxRecent || len(format.recent.former) > maxRecent {
		t.Errorf("remembers %d and %d values", len(format.recent.newer), len(format.recent.former))
	}

	// What depends on other cookies is read anew.
	handler = portalOf(t, "matomo", "", "onetrust")
	if handler.answers.Stored[0].recent != nil {
		t.Error("remembers a value that says nothing alone")
	}
}

// What the page writes keeps what is in force, and begins nothing anew that is
// over.
func TestWritingKeepsWhatIsInForce(t *testing.T) {
	day := 24 * time.Hour
	for _, format := range []string{"charter", "opendatasoft", "json choice"} {
		handler := portalOf(t, "matomo google_analytics", "", format)
		cookie := func(at time.Time, given map[string]Answer) setcookie.Lines {
			stored := (&Visitor{Store: handler.answers}).Save(given, "", at)
			return setcookie.Lines{stored[0].Name + "=" + stored[0].Value}
		}
		for age, want := range map[time.Duration]Answer{day: Granted, 200 * day: None} {
			lines := cookie(time.Now().Add(-age), map[string]Answer{"matomo": Granted})
			asked := &Visitor{Store: handler.answers, Lines: lines}
			stored := asked.Save(map[string]Answer{"ga": Granted}, "", time.Now())
			for _, visitor := range []*Visitor{asked, {Store: handler.answers, Lines: setcookie.Lines{stored[0].Name + "=" + stored[0].Value}}} {
				if got := visitor.AnswerTo(handler.charter.Find("_pk_id.1")); got != want {
					t.Errorf("%s, granted %v ago: %v, want %v", format, age, got, want)
				}
				if got := visitor.AnswerTo(handler.charter.Find("_ga")); got != Granted {
					t.Errorf("%s: what was granted just now is %v", format, got)
				}
			}
			if isLeft := strings.Contains(stored[0].Value, "matomo"); isLeft != (want == Granted) {
				t.Errorf("%s, granted %v ago: %s", format, age, stored[0].Value)
			}
		}
		lines := cookie(time.Now().Add(-200*day), map[string]Answer{"matomo": Refused})
		visitor := &Visitor{Store: handler.answers, Lines: lines}
		visitor.Save(map[string]Answer{"ga": Granted}, "", time.Now())
		if got := visitor.AnswerTo(handler.charter.Find("_pk_id.1")); got != Refused {
			t.Errorf("%s: a refusal became %v", format, got)
		}
	}
}

// Over https, what the former cookie grants does not count, nor does it say anything
// beside the new one.
func TestFormerCookie(t *testing.T) {
	handler := portalOf(t, "matomo", "", "charter")
	row := handler.charter.Find("_pk_id.1")
	const hour Timestamp = 3_600_000
	value := func(at Timestamp, word string) string { return fmt.Sprintf("=1.%d.000000000000.matomo%s; ", at, word) }
	const now Timestamp = 1_796_083_200_000
	granted := "-y" + handler.charter.Fingerprints["matomo"]
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
			visitor := &Visitor{Store: handler.answers, Lines: setcookie.Lines{test.cookies}, Secure: secure, looked: now + 2*hour}
			if got := visitor.AnswerTo(row); got != want {
				t.Errorf("https %t, %s: %v, want %v", secure, test.cookies, got, want)
			}
		}
	}
}

// One copy that cannot be read could say anything: no grant of another copy counts,
// and every refusal does.
func TestUnreadableCopies(t *testing.T) {
	handler := portalOf(t, "matomo google_analytics", "", "opendatasoft", "tarteaucitron")
	matomo, ga := handler.charter.Find("_pk_id.1"), handler.charter.Find("_ga")
	for _, lines := range []setcookie.Lines{
		{`cookies_preferences={"matomo":true,"ga":false}; cookies_preferences=junk`},
		{`cookies_preferences=junk`, `cookies_preferences={"matomo":true,"ga":false}`},
		{`cookies_preferences={"matomo":true,"ga":false}; cookies_preferences=; cookies_preferences={"matomo":true}`},
	} {
		for range 2 { // what is remembered of a value stays as it was read
			visitor := &Visitor{Store: handler.answers, Lines: lines}
			if got := [2]Answer{visitor.AnswerTo(matomo), visitor.AnswerTo(ga)}; got != [2]Answer{None, Refused} {
				t.Errorf("%s: %v", lines, got)
			}
		}
		visitor := &Visitor{Store: handler.answers, Lines: slices.Concat(lines, setcookie.Lines{"tarteaucitron=!matomo=true!ga=true"})}
		if got := [2]Answer{visitor.AnswerTo(matomo), visitor.AnswerTo(ga)}; got != [2]Answer{Granted, Refused} {
			t.Errorf("%s, and another format: %v", lines, got)
		}
	}
	visitor := &Visitor{Store: handler.answers, Lines: setcookie.Lines{`cookies_preferences={"matomo":true,"ga":false}`}}
	if got := visitor.AnswerTo(matomo); got != Granted {
		t.Errorf("alone: %v", got)
	}
}

// A grant with a time that cannot be read, or cannot be, has ended; one without
// lasts as long as its cookie. Of two times, the stricter counts.
func TestTimesOfAnswers(t *testing.T) {
	const now Timestamp = 1_795_000_000_000
	for _, format := range []string{"opendatasoft p", "json p"} {
		handler := portalOf(t, "matomo google_analytics", "", format)
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
			visitor := &Visitor{Store: handler.answers, Lines: lines, looked: now}
			if got := visitor.AnswerTo(handler.charter.Find("_pk_id.1")); got != want {
				t.Errorf("%s, %s: %v, want %v", format, times, got, want)
			}
			if got := visitor.AnswerTo(handler.charter.Find("_ga")); got != Refused {
				t.Errorf("%s, %s: the refusal is %v", format, times, got)
			}
		}
	}
	handler := portalOf(t, "matomo", "", "charter")
	for at, want := range map[string]Answer{"1794999999999": Granted, "0": None, "1": None, "1795086400001": None, "18446744073709551615": None} {
		visitor := &Visitor{Store: handler.answers, Lines: setcookie.Lines{PlainCookie + "=1." + at + ".x.matomo-y" + handler.charter.Fingerprints["matomo"]}, looked: now}
		if got := visitor.AnswerTo(handler.charter.Find("_pk_id.1")); got != want {
			t.Errorf("charter, %s: %v, want %v", at, got, want)
		}
	}
}

// What others write is told of, with what is not known of it.
func TestPreferenceNotes(t *testing.T) {
	for _, test := range []struct {
		format Config
		want   int
	}{
		{Config{Format: "charter"}, 0},
		{Config{Format: "opendatasoft"}, 0},
		{Config{Format: "json", Cookie: "p"}, 0},
		{Config{Format: "klaro"}, 1},
		{Config{Format: "klaro", LocalStorage: "klaro"}, 1},
		{Config{Format: "tarteaucitron"}, 2},
	} {
		if notes := test.format.Notes(); len(notes) != test.want {
			t.Errorf("%v: %q", test.format, notes)
		}
	}
}

package cookiecharter

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

func TestReadMap(t *testing.T) {
	const object = `{"matomo":true,"ga":false,"timestamp":1719830000000}`
	granted := map[string]answer{"matomo": answerGranted, "ga": answerRefused}
	for _, test := range []struct {
		value string
		want  map[string]answer
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
		{` { "matomo" : true } `, map[string]answer{"matomo": answerGranted}},
		{`{"\u006datomo":true}`, map[string]answer{"matomo": answerGranted}},

		// Of two answers to one key the stricter wins.
		{`{"matomo":true,"matomo":false}`, map[string]answer{"matomo": answerRefused}},
		{`{"matomo":false,"matomo":true}`, map[string]answer{"matomo": answerRefused}},

		// What is no boolean is no answer.
		{`{}`, map[string]answer{}},
		{`{"matomo":"true","ga":1,"xiti":null,"at":[true],"piano":{"matomo":true}}`, map[string]answer{}},
		{`{"Matomo":true}`, map[string]answer{"Matomo": answerGranted}},

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
		{`{"matomo":true,"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`, map[string]answer{"matomo": answerGranted}},
		{`{"matomo":true,"x":` + strings.Repeat("[", 2000) + `}`, nil},
	} {
		got, err := readMap(storedCookie{value: test.value})
		if !maps.Equal(got.answers, test.want) || (err != nil) != (test.want == nil) {
			t.Errorf("%.80s: got %v, %v, want %v", test.value, got, err, test.want)
		}
	}
}

func TestPreferenceCopies(t *testing.T) {
	handler := portalOf(t, "opendatasoft", "", "opendatasoft p")
	for _, test := range []struct {
		lines []string
		want  answer
	}{
		{nil, answerNone},
		{[]string{""}, answerNone},
		{[]string{`p={"k":true}`}, answerGranted},
		{[]string{`a=b;p={"k":true} ;c=d`}, answerGranted},
		{[]string{"a=b", `p={"k":true}`}, answerGranted},
		{[]string{`p={"k":true}; p={"k":false}`}, answerRefused},
		{[]string{`p={"k":false}`, `p={"k":true}`}, answerRefused},
		{[]string{`p={"k":true}; p={}`}, answerGranted},
		{[]string{`p={"k":true}; p=junk; p={}`}, answerNone},
		{[]string{`p=; p={"k":true}`}, answerNone},
		{[]string{`p={"k":true}`, "p=" + strings.Repeat("x", maxPreference+1)}, answerNone},
		{[]string{`p=junk; p={"k":false}`}, answerRefused},
		{[]string{`P={"k":true}`}, answerNone},
		{[]string{`p={"k":true,"x":"` + strings.Repeat("x", maxPreference) + `"}`}, answerNone},
		{[]string{`xp={"k":true}; =p={"k":true}; p; p x={"k":true}`}, answerNone},
	} {
		visitor := &visitor{store: handler.answers, lines: test.lines}
		if got := visitor.answerTo(&Row{Cookie: Cookie{Category: Statistics}, key: "k"}); got != test.want {
			t.Errorf("%q: got %q, want %q", test.lines, got, test.want)
		}
	}
}

func TestWriteMap(t *testing.T) {
	answers := map[string]answer{"matomo": answerGranted, "ga": answerRefused, "é \"": answerGranted}
	asked := &charter{version: "0123456789ab"}
	got := writeMap(writing{answers: answers, at: time.UnixMilli(1719830000000), charter: asked})
	want := "%7B%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22%C3%A9%20%5C%22%22%3Atrue%2C%22timestamp%22%3A1719830000000%2C%22charter%22%3A%221.1719830000000.0123456789ab%22%7D"
	if got != want {
		t.Errorf("got %s", got)
	}
	back, err := readWrittenMap(storedCookie{value: got, charter: asked})
	if err != nil || back.at != 1719830000000 {
		t.Errorf("%v, time %d", err, back.at)
	}
	if !maps.Equal(back.answers, map[string]answer{"matomo": answerGranted, "ga": answerRefused, "é \"": answerGranted}) {
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
			answers: map[string]answer{"matomo": answerGranted, "ga": answerRefused},
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

// Where no banner has a format of its own, a choice is stored in ours: no
// character of it trips a firewall, and what is granted is so for the purposes
// that were shown.
func TestCharterFormat(t *testing.T) {
	site := func(rows ...string) string {
		return "cookie_charter {\n" + strings.Join(rows, "\n") + "\n}\nheader +Set-Cookie a=1\nheader +Set-Cookie b=1\nrespond ok"
	}
	row := func(name, key, purpose string) string {
		return "cookie " + name + " {\n category statistics\n consent " + key + "\n purpose " + purpose + "\n}"
	}
	asked := func(site, cookie string) string {
		address := "http://" + serve(t, false, site)
		response, _ := get(t, address, http.Header{"Cookie": {cookie}})
		return strings.Join(response.Header["Set-Cookie"], " ")
	}
	address := "http://" + serve(t, false, site(row("a", "k.1-x", `"Counts visits"`), row("b", "z", `"Shows maps"`)))
	response, _ := do(t, http.MethodPost, address+pagePath, form, "answer.z=refused")
	first, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
	header := form.Clone()
	header.Set("Cookie", first)
	response, _ = do(t, http.MethodPost, address+pagePath, header, "answer.k.1-x=granted")
	cookie, attributes, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
	if !regexp.MustCompile(`^charter_preference=1\.\d{13}\.[0-9a-f]{12}\.k-11-0x-y[0-9a-f]{8}\.z-n$`).MatchString(cookie) || attributes != " Path=/; SameSite=Lax; Max-Age=15778476" {
		t.Fatalf("stored %s;%s", cookie, attributes)
	}
	for name, test := range map[string]struct{ site, want string }{
		"the same":             {site(row("a", "k.1-x", `"Counts visits"`), row("b", "z", `"Shows maps"`)), "a=1"},
		"in another order":     {site(row("b", "z", `"Shows maps"`), row("a", "k.1-x", `"Counts visits"`)), "a=1"},
		"another cookie":       {site(row("a b", "k.1-x", `"Counts visits"`)), "a=1 b=1"},
		"another key":          {site(row("a", "k.1-x", `"Counts visits"`), row("b", "y", `"Shows maps"`)), "a=1"},
		"a translation":        {site(row("a", "k.1-x", "fr \"Counts visits\"\npurpose en Counts")), "a=1"},
		"another row":          {site(row("a", "k.1-x", `"Counts visits"`), row("b", "k.1-x", `"Counts visits"`)), "a=1 b=1"},
		"another purpose":      {site(row("a", "k.1-x", `"Follows visitors"`)), ""},
		"one purpose more":     {site(row("a", "k.1-x", `"Counts visits"`), row("b", "k.1-x", `"Follows visitors"`)), ""},
		"another provider":     {site(row("a", "k.1-x", "\"Counts visits\"\nprovider Another")), ""},
		"what was refused":     {site(row("a b", "z", `"Something else"`) + "\nlanguage en"), ""},
		"exempt, was refused":  {site(row("a b", "z", "\"Something else\"\nexempt")), ""},
		"exempt, was granted":  {site(row("a b", "k.1-x", "\"Something else\"\nexempt")), "a=1 b=1"},
		"another stored place": {site(row("a", "k.1-x", `"Counts visits"`), "preference charter elsewhere"), ""},
	} {
		if got := asked(test.site, cookie); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// What a key covers does not hang on the order of its rows.
func TestFingerprint(t *testing.T) {
	const a, b = "{name: a, purpose: p, category: statistics}", "{name: b, purpose: q, category: statistics}"
	first, second := portalOf(t, "", a+", "+b, "charter"), portalOf(t, "", b+", "+a, "charter")
	if got, want := first.charter.fingerprints["statistics"], second.charter.fingerprints["statistics"]; got != want || len(got) != 8 {
		t.Errorf("%s, %s", got, want)
	}
}

// The version is that of what is declared, however it is written.
func TestCharterVersion(t *testing.T) {
	version := func(rows string) string { return portalOf(t, "", rows, "charter").charter.version }
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

// The form writes every preference that is its to write, under the banner's
// keys, where the row of its cookie says.
func TestStoreEveryPreference(t *testing.T) {
	site := func(preferences string) string {
		return `
			cookie_charter {
				preset matomo google_analytics
				` + preferences + `
				cookie choice {
					purpose "Remembers the choice"
					category necessary
					domain city.example
					duration "3 months"
					path /portal
					same_site Strict
					http_only
				}
			}
			header +Set-Cookie _ga=1
			header +Set-Cookie _pk_id.1=1
			respond ok`
	}
	address := "http://" + serve(t, false, site(`
				preference charter
				preference json choice {
					key ga gtag analytics
				}
				preference tarteaucitron`))
	if _, page := get(t, address+pagePath+"?flg=en", nil); !strings.Contains(page, "Your choice is kept for: 3 months.") {
		t.Error("the page does not tell the shortest duration")
	}
	header := form.Clone()
	header.Set("Cookie", `choice={"gtag":false,"analytics":true,"matomo":false,"banner":{"version":3}}; tarteaucitron=!other=true`)
	_, page := get(t, address+pagePath+"?flg=en", header)
	for _, want := range []string{`name="answer.ga" value="refused" checked`, "This portal&#39;s own banner asks, too."} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	response, _ := do(t, http.MethodPost, address+pagePath, header, "answer.ga=granted&answer.matomo=granted")
	lines := response.Header["Set-Cookie"]
	for i, want := range []string{
		`^charter_preference=1\.(\d+)\.[0-9a-f]{12}\.matomo-y[0-9a-f]{8}\.ga-y[0-9a-f]{8}; Path=/; SameSite=Lax; Max-Age=15778476$`,
		`^choice=\{"gtag":true,"analytics":true,"matomo":true,"banner":\{"version":3\},"timestamp":(\d+),"charter":"1\.(\d+)\.[0-9a-f]{12}\.matomo-y[0-9a-f]{8}\.ga-y[0-9a-f]{8}"\}; Path=/portal; Domain=city.example; Max-Age=7889238; HttpOnly; SameSite=Strict$`,
	} {
		if len(lines) != 2 || !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("set %q, want %s", lines, want)
		}
	}
	// Moving from one format to another: an answer in either counts.
	var cookies []string
	for _, line := range lines {
		pair, _, _ := strings.Cut(line, ";")
		cookies = append(cookies, pair)
	}
	for _, cookie := range append(cookies, strings.Join(cookies, "; ")) {
		response, _ := get(t, address, http.Header{"Cookie": {cookie}})
		if got := response.Header["Set-Cookie"]; len(got) != 2 {
			t.Errorf("%s: %q", cookie, got)
		}
		saved, page := get(t, address+pagePath+"?flg=en&status=saved&at="+regexp.MustCompile(`\d{13}`).FindString(cookie), http.Header{"Cookie": {cookie}})
		if isWhole := strings.Contains(cookie, "; "); strings.Contains(page, "have been saved") != isWhole || strings.Contains(saved.Header.Get("Location"), "status=lost") == isWhole {
			t.Errorf("%s: the page says that all is saved: %v", cookie, !isWhole)
		}
	}
}

// A grant ends when the page says that it does, though the portal renews its
// cookie; a refusal does not need to end.
func TestAnswersEnd(t *testing.T) {
	for _, format := range []string{"opendatasoft p", "json p"} {
		handler := portalOf(t, "matomo", "{name: p, purpose: p, category: necessary, duration: 30 days}", format)
		row := handler.charter.find("_pk_id.1")
		for days, want := range map[int]string{0: "granted", 29: "granted", 31: "none", 900: "none", -2: "none"} {
			at := time.Now().AddDate(0, 0, -days).UnixMilli()
			granted := &visitor{store: handler.answers, lines: setcookie.Lines{fmt.Sprintf(`p={"matomo":true,"timestamp":%d}`, at)}}
			if got := granted.answerTo(row).String(); got != want {
				t.Errorf("%s, granted %d days ago: %s", format, days, got)
			}
			refused := &visitor{store: handler.answers, lines: setcookie.Lines{fmt.Sprintf(`p={"matomo":false,"timestamp":%d}`, at)}}
			if got := refused.answerTo(row); got != answerRefused {
				t.Errorf("%s, refused %d days ago: %s", format, days, got)
			}
		}
	}
	handler := portalOf(t, "matomo", "", "charter")
	fingerprint := handler.charter.fingerprints["matomo"]
	for days, want := range map[int]string{0: "granted", 180: "granted", 184: "none"} {
		visitor := &visitor{store: handler.answers, lines: setcookie.Lines{fmt.Sprintf("charter_preference=1.%d.000000000000.matomo-y%s", time.Now().AddDate(0, 0, -days).UnixMilli(), fingerprint)}}
		if got := visitor.answerTo(handler.charter.find("_pk_id.1")).String(); got != want {
			t.Errorf("granted %d days ago: %s", days, got)
		}
	}
}

// FuzzReadMap looks for answers that a second reading of what was read changes.
func FuzzReadMap(f *testing.F) {
	f.Add(`{"matomo":true}`)
	f.Add("%7B%22matomo%22%3Atrue%7D")
	f.Fuzz(func(t *testing.T, value string) {
		read, _ := readMap(storedCookie{value: value})
		live := map[string]bool{}
		for key := range read.answers {
			live[key] = true
		}
		for _, w := range []writing{{answers: read.answers, charter: &charter{}}, {stored: []string{value}, keys: slices.Collect(maps.Keys(read.answers)), live: live, charter: &charter{}}} {
			written := writeMap(w)
			if back, _ := readMap(storedCookie{value: written}); read.answers != nil && !maps.Equal(back.answers, read.answers) {
				t.Errorf("%q: %v became %v", value, read.answers, back.answers)
			}
		}
	})
}

// How long a banner keeps its own cookie is not known, so no duration of it is
// published.
func TestDurationOfPreferenceCookie(t *testing.T) {
	for cookie, want := range map[string]PreferenceFormat{
		"tarteaucitron": {Format: "tarteaucitron"}, "klaro 6 months": {Format: "klaro", LocalStorage: "klaro"}, "charter_preference 6 months": {Format: charterFormat},
	} {
		name, duration, _ := strings.Cut(cookie, " ")
		if row := portalWith(t, "matomo", "", want).charter.find(name); row.Duration != duration {
			t.Errorf("%s: %q", name, row.Duration)
		}
	}
}

// Only what the page writes tells when an answer was given to it.
func TestGivenAt(t *testing.T) {
	handler := portalOf(t, "matomo", "", "klaro", "opendatasoft")
	of := func(cookies string) time.Time {
		visitor := visitor{store: handler.answers, lines: setcookie.Lines{cookies}}
		at, _ := visitor.givenAt()
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
	asker := visitor{store: handler.answers, lines: setcookie.Lines{strings.Repeat("cookies_preferences={};", copies)}}
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
	for count, want := range map[int]answer{maxReadings: answerGranted, maxReadings + 1: answerNone} {
		asker := visitor{store: handler.answers, lines: setcookie.Lines{strings.Repeat(granted, count)}}
		if got := asker.answerTo(handler.charter.find("_pk_id.1")); got != want {
			t.Errorf("%d copies: %v", count, got)
		}
	}
	for i := range 1000 {
		asker.answerTo(handler.charter.find(fmt.Sprintf("_pk_id.%d", i)))
	}
	if len(asker.given) != 1 {
		t.Errorf("%d rows were remembered", len(asker.given))
	}
}

// What a stored value says is remembered, in bounds, and as it was read.
func TestRecentValues(t *testing.T) {
	handler := portalOf(t, "opendatasoft matomo", "", "opendatasoft")
	format := handler.answers.stored[0]
	row := handler.charter.find("_pk_id.1")
	answerTo := func(value string) answer {
		visitor := visitor{store: handler.answers, lines: setcookie.Lines{"cookies_preferences=" + value}}
		return visitor.answerTo(row)
	}
	old := `{"matomo":true,"timestamp":1577836800000}` // its grant is over
	for range 2 {
		for value, want := range map[string]answer{`{"matomo":true}`: answerGranted, `{"matomo":false}`: answerRefused, old: answerNone, "x": answerNone, "": answerNone} {
			if got := answerTo(value); got != want {
				t.Errorf("%s: %v, not %v", value, got, want)
			}
		}
	}
	if got := format.recent.newer[old].reading[0].answers["matomo"]; got != answerGranted {
		t.Errorf("the reading was changed to %v", got)
	}
	if format.recent.newer["x"].err == nil {
		t.Error("an unreadable value is not remembered as such")
	}

	long := `{"matomo":true,"x":"` + strings.Repeat("x", maxRecentValue) + `"}`
	if got := answerTo(long); got != answerGranted {
		t.Errorf("a long value: %v", got)
	}
	if _, ok := format.recent.newer[long]; ok {
		t.Error("a long value is remembered")
	}
	now := time.Now().UnixMilli()
	for i := range 3*maxRecent + 7 {
		if got := answerTo(fmt.Sprintf(`{"matomo":true,"timestamp":%d}`, now-int64(i))); got != answerGranted {
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
	if handler.answers.stored[0].recent != nil {
		t.Error("remembers a value that says nothing alone")
	}
}

// The cookies of a form post, as a browser would send them back.
func storedBy(response *http.Response) string {
	var pairs []string
	for _, line := range response.Header["Set-Cookie"] {
		if pair, attributes, _ := strings.Cut(line, ";"); !strings.Contains(attributes, "Max-Age=-1") && !strings.Contains(attributes, "Max-Age=0") {
			pairs = append(pairs, pair)
		}
	}
	return strings.Join(pairs, "; ")
}

// In every format that the page writes, a grant covers what was asked and no more;
// what is new is asked for again.
func TestGrantCoversWhatWasAsked(t *testing.T) {
	site := func(format, rows string) string {
		return "cookie_charter {\n preference " + format + "\n" + rows + "\n}\nheader +Set-Cookie VISITOR_INFO1_LIVE=1\nheader +Set-Cookie _fbp=1\nrespond ok"
	}
	row := func(names, provider, purpose, category string) string {
		return fmt.Sprintf("cookie %s {\n provider %s\n purpose %q\n category %s\n consent third_party\n}\n", names, provider, purpose, category)
	}
	youtube := row("VISITOR_INFO1_LIVE", "YouTube", "Plays videos", "third_party")
	for _, format := range []string{"charter", "opendatasoft", "json choice"} {
		address := "http://" + serve(t, false, site(format, youtube))
		response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted")
		cookie := storedBy(response)
		_, value, _ := strings.Cut(cookie, "=")
		refusal, _ := do(t, http.MethodPost, address+pagePath, form, "all=refused")
		refused := storedBy(refusal)
		for name, test := range map[string]struct{ rows, want string }{
			"the same":                  {youtube, "VISITOR_INFO1_LIVE=1"},
			"another name, same use":    {row("VISITOR_INFO1_LIVE _fbp", "YouTube", "Plays videos", "third_party"), "VISITOR_INFO1_LIVE=1 _fbp=1"},
			"somebody more":             {youtube + row("_fbp", "Meta", "Follows visitors", "third_party"), ""},
			"somebody else":             {row("VISITOR_INFO1_LIVE", "Meta", "Plays videos", "third_party"), ""},
			"another purpose":           {row("VISITOR_INFO1_LIVE", "YouTube", "Follows visitors", "third_party"), ""},
			"another category":          {row("VISITOR_INFO1_LIVE", "YouTube", "Plays videos", "statistics"), ""},
			"another key, its category": {strings.Replace(youtube, "consent third_party", "consent video", 1), ""},
			"a translation":             {strings.Replace(youtube, "purpose \"Plays videos\"", "purpose fr \"Plays videos\"\npurpose en Plays", 1), "VISITOR_INFO1_LIVE=1"},
		} {
			address := "http://" + serve(t, false, site(format, test.rows))
			response, _ := get(t, address, http.Header{"Cookie": {cookie}})
			if got := strings.Join(response.Header["Set-Cookie"], " "); got != test.want {
				t.Errorf("%s, %s: %q, want %q", format, name, got, test.want)
			}
			_, page := get(t, address+pagePath+"?flg=en", http.Header{"Cookie": {cookie}})
			_, notice := get(t, address+pagePath+"notice?flg=en", http.Header{"Cookie": {cookie}})
			if isAsked := test.want == ""; strings.Contains(page, " checked") == isAsked || (notice != "") != isAsked {
				t.Errorf("%s, %s: asks again: %t", format, name, !isAsked)
			}
			if name == "another key, its category" {
				continue // the refusal was of another
			}
			exempt := strings.ReplaceAll(test.rows, " consent", " exempt\n consent")
			response, _ = get(t, "http://"+serve(t, false, site(format, exempt)), http.Header{"Cookie": {refused}})
			if got := response.Header["Set-Cookie"]; got != nil {
				t.Errorf("%s, %s: %q after a refusal", format, name, got)
			}
		}
		if format == "charter" {
			continue
		}

		// The portal's own reader, JSON.parse(decodeURIComponent(value)), reads it.
		decoded, err := url.PathUnescape(value)
		var object map[string]any
		if err != nil || json.Unmarshal([]byte(decoded), &object) != nil || object["third_party"] != true || object["timestamp"] == nil {
			t.Errorf("%s: the banner reads %s, %v", format, decoded, err)
		}
		if asked, _ := object["charter"].(string); !regexp.MustCompile(`^1\.\d{13}\.[0-9a-f]{12}\.third_party-y[0-9a-f]{8}$`).MatchString(asked) {
			t.Errorf("%s: the page asked %q", format, asked)
		}
		// What a banner writes goes on to count, be it beside what the page wrote.
		name, _, _ := strings.Cut(cookie, "=")
		at := fmt.Sprint(time.Now().UnixMilli() + 5)
		both := youtube + row("_fbp", "Meta", "Follows visitors", "third_party")
		address = "http://" + serve(t, false, site(format, both))
		for value, want := range map[string]int{
			`{"third_party":true}`: 2, `{"third_party":true,"timestamp":` + at + `}`: 2,
			regexp.MustCompile(`"timestamp":\d+`).ReplaceAllString(decoded, `"timestamp":`+at): 2,
			decoded: 0, strings.Replace(decoded, `"timestamp"`, `"x"`, 1): 0,
			strings.Replace(decoded, "{", `{"charter":"1.1.x",`, 1): 0, strings.Replace(decoded, `"charter":"1`, `"charter":"2`, 1): 0,
		} {
			response, _ := get(t, address, http.Header{"Cookie": {name + "=" + value}})
			if got := response.Header["Set-Cookie"]; len(got) != want {
				t.Errorf("%s, %s: %q", format, value, got)
			}
		}
		// What the page wrote cannot be stretched.
		address = "http://" + serve(t, false, site(format, youtube))
		for _, change := range []string{"", `,"charter":"1.` + at + `.x.third_party-n"`} {
			response, _ := get(t, address, http.Header{"Cookie": {name + "=" + strings.Replace(decoded, "}", change+"}", 1)}})
			if got := response.Header["Set-Cookie"]; (len(got) == 1) != (change == "") {
				t.Errorf("%s, %s: %q", format, change, got)
			}
		}
	}
}

// What the page writes keeps what is in force, and begins nothing anew that is
// over.
func TestWritingKeepsWhatIsInForce(t *testing.T) {
	day := 24 * time.Hour
	for _, format := range []string{"charter", "opendatasoft", "json choice"} {
		handler := portalOf(t, "matomo google_analytics", "", format)
		cookie := func(at time.Time, given map[string]answer) setcookie.Lines {
			stored := (&visitor{store: handler.answers}).save(given, "", at)
			return setcookie.Lines{stored[0].name + "=" + stored[0].value}
		}
		for age, want := range map[time.Duration]answer{day: answerGranted, 200 * day: answerNone} {
			lines := cookie(time.Now().Add(-age), map[string]answer{"matomo": answerGranted})
			asked := &visitor{store: handler.answers, lines: lines}
			stored := asked.save(map[string]answer{"ga": answerGranted}, "", time.Now())
			for _, visitor := range []*visitor{asked, {store: handler.answers, lines: setcookie.Lines{stored[0].name + "=" + stored[0].value}}} {
				if got := visitor.answerTo(handler.charter.find("_pk_id.1")); got != want {
					t.Errorf("%s, granted %v ago: %v, want %v", format, age, got, want)
				}
				if got := visitor.answerTo(handler.charter.find("_ga")); got != answerGranted {
					t.Errorf("%s: what was granted just now is %v", format, got)
				}
			}
			if isLeft := strings.Contains(stored[0].value, "matomo"); isLeft != (want == answerGranted) {
				t.Errorf("%s, granted %v ago: %s", format, age, stored[0].value)
			}
		}
		lines := cookie(time.Now().Add(-200*day), map[string]answer{"matomo": answerRefused})
		visitor := &visitor{store: handler.answers, lines: lines}
		visitor.save(map[string]answer{"ga": answerGranted}, "", time.Now())
		if got := visitor.answerTo(handler.charter.find("_pk_id.1")); got != answerRefused {
			t.Errorf("%s: a refusal became %v", format, got)
		}
	}
}

// Who did not answer has no answer: what the portal or a sibling site writes into
// the page's own cookie is none.
func TestOwnCookie(t *testing.T) {
	fingerprint := provision(t, "cookie_charter {\n preset matomo\n}").charter.fingerprints["matomo"]
	forged := fmt.Sprintf("=1.%d.000000000000.matomo-y%s", time.Now().UnixMilli(), fingerprint)
	for _, test := range []struct{ preference, line, want string }{
		{"charter", plainCookie + forged + "; Path=/", ""},
		{"charter", hostCookie + forged + "; Path=/; Secure", ""},
		{"charter", plainCookie + "=; Path=/; Max-Age=0", plainCookie + "=; Path=/; Max-Age=0"},
		{"charter mine", "mine" + forged, ""},
		{"charter mine", "mine=; Max-Age=-1", "mine=; Max-Age=-1"},
		{"opendatasoft", "cookies_preferences=%7B%22matomo%22:true%7D", "cookies_preferences=%7B%22matomo%22:true%7D"},
		{"tarteaucitron", "tarteaucitron=!matomo=true", "tarteaucitron=!matomo=true"},
	} {
		for _, encrypted := range []bool{false, true} {
			address := map[bool]string{false: "http://", true: "https://"}[encrypted] + serve(t, encrypted, "cookie_charter {\n preset matomo\n preference "+test.preference+"\n}\nheader +Set-Cookie \""+test.line+"\"\nrespond portal")
			response, _ := get(t, address, nil)
			got := strings.Join(response.Header["Set-Cookie"], " ")
			if !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
				t.Errorf("%s, %s: %q passes", test.preference, test.line, got)
			}
			// The page's own line leaves, where the format is its to write.
			if test.preference != "tarteaucitron" {
				if response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted"); len(response.Header["Set-Cookie"]) != 1 {
					t.Errorf("%s: the page sets %q", test.preference, response.Header["Set-Cookie"])
				}
			}
		}
	}
}

// Over https, the page's own cookie has a name that only this host can write. What
// is stored under the former name counts until there is a new one, if it refuses.
func TestHostCookie(t *testing.T) {
	site := "cookie_charter {\n preset matomo\n%s\n}\nheader +Set-Cookie _pk_id.1=1\nrespond portal"
	for rows, want := range map[string]struct{ encrypted, plain string }{
		"": {hostCookie, plainCookie},
		"cookie charter_preference {\n purpose p\n category necessary\n duration \"3 months\"\n}": {hostCookie, plainCookie},
		"cookie __Host-charter_preference {\n purpose p\n category necessary\n path /\n}":         {hostCookie, plainCookie},
		"cookie choice {\n match charter_preference\n purpose p\n category necessary\n}":          {hostCookie, plainCookie},
		"cookie charter_preference {\n purpose p\n category necessary\n domain city.example\n}":   {plainCookie, plainCookie},
		"cookie charter_preference {\n purpose p\n category necessary\n path /portal\n}":          {plainCookie, plainCookie},
		"preference charter mine": {"mine", "mine"},
		"cookie charter_preference {\n purpose p\n category necessary\n}\ncookie __Host-charter_preference {\n purpose p\n category necessary\n}": {hostCookie, plainCookie},
	} {
		for _, encrypted := range []bool{true, false} {
			scheme, name := "http://", want.plain
			if encrypted {
				scheme, name = "https://", want.encrypted
			}
			address := scheme + serve(t, encrypted, fmt.Sprintf(site, rows))
			response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted")
			lines := response.Header["Set-Cookie"]
			if len(lines) != 1 || !strings.HasPrefix(lines[0], name+"=1.") || strings.HasSuffix(lines[0], "; Secure") != encrypted || name == hostCookie && strings.Contains(lines[0], "Domain") {
				t.Errorf("%s, %s: set %q", rows, scheme, lines)
				continue
			}
			if isShort := strings.Contains(lines[0], "Max-Age=7889238"); isShort != strings.Contains(rows, "3 months") {
				t.Errorf("%s, %s: set %q", rows, scheme, lines)
			}
			if response, _ := get(t, address, http.Header{"Cookie": {storedBy(response)}}); response.Header.Get("Set-Cookie") != "_pk_id.1=1" {
				t.Errorf("%s, %s: does not read what it wrote", rows, scheme)
			}
		}
	}

	// A choice over https takes the former cookie away.
	header := form.Clone()
	header.Set("Cookie", plainCookie+"=1.1790000000000.000000000000.matomo-n; "+plainCookie+"=x")
	response, _ := do(t, http.MethodPost, "https://"+serve(t, true, fmt.Sprintf(site, ""))+pagePath, header, "all=granted")
	if lines := response.Header["Set-Cookie"]; len(lines) != 2 || lines[0] != plainCookie+"=; Max-Age=-1; Path=/; Secure" || !strings.HasPrefix(lines[1], hostCookie+"=1.") {
		t.Errorf("set %q", lines)
	}

	// The notice knows it, too, where a template asks for it.
	address := "https://" + serve(t, true, "cookie_charter {\n preset matomo\n}\ntemplates\nheader Content-Type text/html\nrespond `{{httpInclude \"/terms/cookies-policy/notice\"}}`")
	_, asking := get(t, address, nil)
	_, answered := get(t, address, http.Header{"Cookie": {storedBy(response)}})
	if !strings.Contains(asking, "<form") || answered != "" {
		t.Errorf("the notice: %q", answered)
	}

	// Nor can a sibling grant there.
	handler := provision(t, "cookie_charter {\n preset matomo\n}")
	forged := http.Header{"Cookie": {fmt.Sprintf("%s=1.%d.x.matomo-y%s", plainCookie, time.Now().UnixMilli(), handler.charter.fingerprints["matomo"])}}
	const included = "cookie_charter {\n preset matomo\n}\ntemplates\nheader Content-Type text/html\n@part {\n path /part\n cookie_consent matomo\n}\nrespond @part granted\nrespond /part refused\nrespond `{{httpInclude \"/part\"}}`"
	for scheme, want := range map[string]string{"https": "refused", "http": "granted"} {
		if _, body := get(t, scheme+"://"+serve(t, scheme == "https", included), forged); body != want {
			t.Errorf("a fragment over %s: %s", scheme, body)
		}
	}
}

// Over https, what the former cookie grants does not count, nor does it say anything
// beside the new one.
func TestFormerCookie(t *testing.T) {
	handler := portalOf(t, "matomo", "", "charter")
	row := handler.charter.find("_pk_id.1")
	const hour timestamp = 3_600_000
	value := func(at timestamp, word string) string { return fmt.Sprintf("=1.%d.000000000000.matomo%s; ", at, word) }
	const now timestamp = 1_796_083_200_000
	granted := "-y" + handler.charter.fingerprints["matomo"]
	for _, test := range []struct {
		cookies          string
		encrypted, plain answer
	}{
		{hostCookie + value(now, granted), answerGranted, answerGranted},
		{hostCookie + value(now, "-y00000000"), answerNone, answerNone},
		{plainCookie + value(now, granted), answerNone, answerGranted},
		{plainCookie + value(now, "-n"), answerRefused, answerRefused},
		{plainCookie + value(now-200*24*hour, granted), answerNone, answerNone},
		// Beside the new one, the former says nothing, in whatever order.
		{plainCookie + value(now, "-n") + hostCookie + value(now, granted), answerGranted, answerGranted},
		{hostCookie + value(now, granted) + plainCookie + value(now, "-n"), answerGranted, answerGranted},
		{hostCookie + value(now, granted) + plainCookie + "=junk", answerGranted, answerGranted},
		{plainCookie + value(now, granted) + hostCookie + "=junk", answerNone, answerNone},
	} {
		for secure, want := range map[bool]answer{true: test.encrypted, false: test.plain} {
			visitor := &visitor{store: handler.answers, lines: setcookie.Lines{test.cookies}, secure: secure, looked: now + 2*hour}
			if got := visitor.answerTo(row); got != want {
				t.Errorf("https %t, %s: %v, want %v", secure, test.cookies, got, want)
			}
		}
	}
}

// One copy that cannot be read could say anything: no grant of another copy counts,
// and every refusal does.
func TestUnreadableCopies(t *testing.T) {
	handler := portalOf(t, "matomo google_analytics", "", "opendatasoft", "tarteaucitron")
	matomo, ga := handler.charter.find("_pk_id.1"), handler.charter.find("_ga")
	for _, lines := range []setcookie.Lines{
		{`cookies_preferences={"matomo":true,"ga":false}; cookies_preferences=junk`},
		{`cookies_preferences=junk`, `cookies_preferences={"matomo":true,"ga":false}`},
		{`cookies_preferences={"matomo":true,"ga":false}; cookies_preferences=; cookies_preferences={"matomo":true}`},
	} {
		for range 2 { // what is remembered of a value stays as it was read
			visitor := &visitor{store: handler.answers, lines: lines}
			if got := [2]answer{visitor.answerTo(matomo), visitor.answerTo(ga)}; got != [2]answer{answerNone, answerRefused} {
				t.Errorf("%s: %v", lines, got)
			}
		}
		visitor := &visitor{store: handler.answers, lines: slices.Concat(lines, setcookie.Lines{"tarteaucitron=!matomo=true!ga=true"})}
		if got := [2]answer{visitor.answerTo(matomo), visitor.answerTo(ga)}; got != [2]answer{answerGranted, answerRefused} {
			t.Errorf("%s, and another format: %v", lines, got)
		}
	}
	visitor := &visitor{store: handler.answers, lines: setcookie.Lines{`cookies_preferences={"matomo":true,"ga":false}`}}
	if got := visitor.answerTo(matomo); got != answerGranted {
		t.Errorf("alone: %v", got)
	}
}

// A grant with a time that cannot be read, or cannot be, has ended; one without
// lasts as long as its cookie. Of two times, the stricter counts.
func TestTimesOfAnswers(t *testing.T) {
	const now timestamp = 1_795_000_000_000
	for _, format := range []string{"opendatasoft p", "json p"} {
		handler := portalOf(t, "matomo google_analytics", "", format)
		for times, want := range map[string]answer{
			``: answerGranted, `"timestamp":1794999999999`: answerGranted, `"timestamp":"1794999999999"`: answerGranted,
			`"timestamp":1795086399999`: answerGranted, `"timestamp":1795086400001`: answerNone, // a day ahead
			`"timestamp":978307199999`: answerNone, `"timestamp":1795000000`: answerNone, `"timestamp":0`: answerNone, `"timestamp":-1`: answerNone,
			`"timestamp":null`: answerNone, `"timestamp":true`: answerNone, `"timestamp":"2026-11-20"`: answerNone, `"timestamp":""`: answerNone, `"timestamp":{}`: answerNone,
			`"timestamp":1e400`: answerNone, `"timestamp":99999999999999999999`: answerNone, `"timestamp":1794999999999.5`: answerNone,
			`"timestamp":1794999999999,"timestamp":1760000000000`: answerNone, `"timestamp":1760000000000,"timestamp":1794999999999`: answerNone,
			`"timestamp":1794999999999,"timestamp":"x"`: answerNone, `"timestamp":null,"timestamp":1794999999999`: answerNone,
			`"timestamp":1794999999999,"timestamp":1794999999998`: answerGranted,
		} {
			lines := setcookie.Lines{"p=" + strings.TrimSuffix(`{"matomo":true,"ga":false,`+times, ",") + "}"}
			visitor := &visitor{store: handler.answers, lines: lines, looked: now}
			if got := visitor.answerTo(handler.charter.find("_pk_id.1")); got != want {
				t.Errorf("%s, %s: %v, want %v", format, times, got, want)
			}
			if got := visitor.answerTo(handler.charter.find("_ga")); got != answerRefused {
				t.Errorf("%s, %s: the refusal is %v", format, times, got)
			}
		}
	}
	handler := portalOf(t, "matomo", "", "charter")
	for at, want := range map[string]answer{"1794999999999": answerGranted, "0": answerNone, "1": answerNone, "1795086400001": answerNone, "18446744073709551615": answerNone} {
		visitor := &visitor{store: handler.answers, lines: setcookie.Lines{plainCookie + "=1." + at + ".x.matomo-y" + handler.charter.fingerprints["matomo"]}, looked: now}
		if got := visitor.answerTo(handler.charter.find("_pk_id.1")); got != want {
			t.Errorf("charter, %s: %v, want %v", at, got, want)
		}
	}
}

// What others write is told of, with what is not known of it.
func TestPreferenceNotes(t *testing.T) {
	for _, test := range []struct {
		format PreferenceFormat
		want   int
	}{
		{PreferenceFormat{Format: "charter"}, 0},
		{PreferenceFormat{Format: "opendatasoft"}, 0},
		{PreferenceFormat{Format: "json", Cookie: "p"}, 0},
		{PreferenceFormat{Format: "klaro"}, 1},
		{PreferenceFormat{Format: "klaro", LocalStorage: "klaro"}, 1},
		{PreferenceFormat{Format: "tarteaucitron"}, 2},
	} {
		if notes := test.format.notes(); len(notes) != test.want {
			t.Errorf("%v: %q", test.format, notes)
		}
	}
}

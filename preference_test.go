package cookiecharter

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
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
	handler := provision(t, "cookie_charter {\n preference opendatasoft p\n}")
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
		{[]string{`p={"k":true}; p=junk; p={}`}, answerGranted},
		{[]string{`p=junk; p={"k":false}`}, answerRefused},
		{[]string{`P={"k":true}`}, answerNone},
		{[]string{`p={"k":true,"x":"` + strings.Repeat("x", maxPreference) + `"}`}, answerNone},
		{[]string{`xp={"k":true}; =p={"k":true}; p; p x={"k":true}`}, answerNone},
	} {
		visitor := &preference{handler: handler, lines: test.lines}
		if got := visitor.answerTo(&Cookie{Category: Statistics, key: "k"}); got != test.want {
			t.Errorf("%q: got %q, want %q", test.lines, got, test.want)
		}
	}
}

func TestWriteMap(t *testing.T) {
	answers := map[string]answer{"matomo": answerGranted, "ga": answerRefused, "é \"": answerGranted}
	got := writeMap(writing{answers: answers, at: time.UnixMilli(1719830000000)})
	want := "%7B%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22%C3%A9%20%5C%22%22%3Atrue%2C%22timestamp%22%3A1719830000000%7D"
	if got != want {
		t.Errorf("got %s", got)
	}
	back, err := readMap(storedCookie{value: got})
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
			at:      time.UnixMilli(2),
		})
		if got != test.want {
			t.Errorf("into %.100s: got %.300s", test.stored, got)
		}
		if got := writeMap(writing{stored: strings.Split(test.stored, ";")}); !strings.HasPrefix(got, "%7B") || strings.ContainsAny(got, `{" ,`) {
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
	const a, b = "cookie a {\n purpose p\n category statistics\n}\n", "cookie b {\n purpose q\n category statistics\n}\n"
	first, second := provision(t, "cookie_charter {\n"+a+b+"}"), provision(t, "cookie_charter {\n"+b+a+"}")
	if got, want := first.charter.fingerprints["statistics"], second.charter.fingerprints["statistics"]; got != want || len(got) != 8 {
		t.Errorf("%s, %s", got, want)
	}
}

// The version is that of what is declared, however it is written.
func TestCharterVersion(t *testing.T) {
	version := func(block string) string { return provision(t, "cookie_charter {\n"+block+"\n}").charter.version }
	const a, b = "cookie a {\n purpose p\n category necessary\n}\n", "cookie b {\n category necessary\n purpose p\n}\n"
	same := version(a + b)
	if version("cookie a {\n purpose p\n category necessary\n duration \"1800 s\"\n}") != version("cookie a {\n purpose p\n category necessary\n duration \"30 min\"\n}") {
		t.Error("the same duration in another unit is another version")
	}
	for _, block := range []string{b + a, a + "\n\n" + b + "page /x", "cookie a {\n  category necessary\n purpose p\n}\n" + b} {
		if got := version(block); got != same {
			t.Errorf("%q has another version", block)
		}
	}
	for _, block := range []string{a, a + strings.Replace(b, "purpose p", "purpose q", 1), a + strings.Replace(b, "necessary", "statistics", 1), a + strings.Replace(b, "cookie b", "cookie c", 1)} {
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
		`^choice=\{"gtag":true,"analytics":true,"matomo":true,"banner":\{"version":3\},"timestamp":(\d+)\}; Path=/portal; Domain=city.example; Max-Age=7889238; HttpOnly; SameSite=Strict$`,
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
		_, page := get(t, address+pagePath+response.Header.Get("Location")+"?flg=en&status=saved&at="+regexp.MustCompile(`\d{13}`).FindString(cookie), http.Header{"Cookie": {cookie}})
		if isWhole := strings.Contains(cookie, "; "); strings.Contains(page, "have been saved") != isWhole {
			t.Errorf("%s: the page says that all is saved: %v", cookie, !isWhole)
		}
	}
}

// A grant ends when the page says that it does, though the portal renews its
// cookie; a refusal does not need to end.
func TestAnswersEnd(t *testing.T) {
	for _, format := range []string{"opendatasoft p", "json p"} {
		handler := provision(t, "cookie_charter {\n preset matomo\n preference "+format+"\n cookie p {\n purpose p\n category necessary\n duration \"30 days\"\n}\n}")
		row := handler.charter.find("_pk_id.1")
		for days, want := range map[int]string{0: "granted", 29: "granted", 31: "none", 900: "none", -2: "granted"} {
			at := time.Now().AddDate(0, 0, -days).UnixMilli()
			visitor := &preference{handler: handler, lines: cookieLines{fmt.Sprintf(`p={"matomo":true,"timestamp":%d}`, at)}}
			if got := visitor.answerTo(row).String(); got != want {
				t.Errorf("%s, granted %d days ago: %s", format, days, got)
			}
			visitor = &preference{handler: handler, lines: cookieLines{fmt.Sprintf(`p={"matomo":false,"timestamp":%d}`, at)}}
			if got := visitor.answerTo(row); got != answerRefused {
				t.Errorf("%s, refused %d days ago: %s", format, days, got)
			}
		}
	}
	handler := provision(t, "cookie_charter {\n preset matomo\n}")
	fingerprint := handler.charter.fingerprints["matomo"]
	for days, want := range map[int]string{0: "granted", 180: "granted", 184: "none"} {
		visitor := &preference{handler: handler, lines: cookieLines{fmt.Sprintf("charter_preference=1.%d.000000000000.matomo-y%s", time.Now().AddDate(0, 0, -days).UnixMilli(), fingerprint)}}
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
		for _, w := range []writing{{answers: read.answers}, {stored: []string{value}, keys: slices.Collect(maps.Keys(read.answers))}} {
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
		h := &Handler{Presets: []string{"matomo"}, Preferences: []PreferenceFormat{want}}
		if err := h.prepare(); err != nil {
			t.Fatal(err)
		}
		if row := h.charter.find(name); row.Duration != duration {
			t.Errorf("%s: %q", name, row.Duration)
		}
	}
}

// Only what the page writes tells when an answer was given to it.
func TestGivenAt(t *testing.T) {
	handler := provision(t, "cookie_charter {\n preset matomo\n preference klaro\n preference opendatasoft\n}")
	of := func(cookies string) time.Time {
		visitor := preference{handler: handler, lines: cookieLines{cookies}}
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
	handler := provision(t, "cookie_charter {\n preset opendatasoft matomo\n}")
	const copies = 20_000
	visitor := preference{handler: handler, lines: cookieLines{strings.Repeat("cookies_preferences={};", copies)}}
	if got := testing.AllocsPerRun(1, func() {
		visitor.decoded, visitor.readings = false, nil
		visitor.decode()
	}); got > 100 {
		t.Errorf("%v allocations for %d copies", got, copies)
	}
	if len(visitor.readings) != copies {
		t.Errorf("%d readings", len(visitor.readings))
	}
	for i := range 1000 {
		handler.charter.judge(fmt.Sprintf("_pk_id.%d", i), &visitor)
	}
	if len(visitor.given) != 1 {
		t.Errorf("%d rows were remembered", len(visitor.given))
	}
}

// What a stored value says is remembered, in bounds, and as it was read.
func TestRecentValues(t *testing.T) {
	handler := provision(t, "cookie_charter {\n preset opendatasoft matomo\n}")
	format := &handler.Preferences[0]
	row := handler.charter.find("_pk_id.1")
	answerTo := func(value string) answer {
		visitor := preference{handler: handler, lines: cookieLines{"cookies_preferences=" + value}}
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
	for i := range 3*maxRecent + 7 {
		if got := answerTo(fmt.Sprintf(`{"matomo":true,"timestamp":%d}`, 4102444800000+i)); got != answerGranted {
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
	handler = provision(t, "cookie_charter {\n preset matomo\n preference onetrust\n}")
	if handler.Preferences[0].recent != nil {
		t.Error("remembers a value that says nothing alone")
	}
}

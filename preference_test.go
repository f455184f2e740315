package cookiecharter

import (
	"maps"
	"net/url"
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
		if got := visitor.answerTo(&Cookie{Category: Statistics, Consent: "k"}); got != test.want {
			t.Errorf("%q: got %q, want %q", test.lines, got, test.want)
		}
	}
}

func TestWriteOpendatasoft(t *testing.T) {
	answers := map[string]answer{"matomo": answerGranted, "ga": answerRefused, "xiti": answerNone, "timestamp": answerGranted, "é \"": answerGranted}
	got := writeOpendatasoft(answers, time.UnixMilli(1719830000000))
	want := "%7B%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22%C3%A9%20%5C%22%22%3Atrue%2C%22timestamp%22%3A1719830000000%7D"
	if got != want {
		t.Errorf("got %s", got)
	}
	back, err := readMap(storedCookie{value: got})
	if err != nil || back.at != "1719830000000" {
		t.Errorf("%v, time %s", err, back.at)
	}
	if !maps.Equal(back.answers, map[string]answer{"matomo": answerGranted, "ga": answerRefused, "é \"": answerGranted}) {
		t.Errorf("read back as %v", back.answers)
	}
}

// FuzzReadMap looks for answers that a second reading of what was read changes.
func FuzzReadMap(f *testing.F) {
	f.Add(`{"matomo":true}`)
	f.Add("%7B%22matomo%22%3Atrue%7D")
	f.Fuzz(func(t *testing.T, value string) {
		read, _ := readMap(storedCookie{value: value})
		written := writeOpendatasoft(read.answers, time.Unix(0, 0))
		if back, _ := readMap(storedCookie{value: written}); !maps.Equal(back.answers, read.answers) {
			t.Errorf("%q: %v became %v", value, read.answers, back.answers)
		}
	})
}

package charter

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const completeRow = `
cookies:
  - name: [a, b]
    provider: Somebody
    service: {fr: Authentification, en-GB: Authentication}
    purpose: {fr: Reconnaît, en: Recognises}
    category: statistics
    consent: matomo
    exempt: true
    duration: 13 months
`

func TestParseCharter(t *testing.T) {
	parsed, err := Parse([]byte("updated: 2026-11-21"+completeRow), "charter.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := Cookie{
		Name:     Names{"a", "b"},
		Provider: Text{"": "Somebody"},
		Service:  Text{"fr": "Authentification", "en": "Authentication"},
		Purpose:  Text{"fr": "Reconnaît", "en": "Recognises"},
		Category: Statistics,
		Consent:  "matomo",
		Exempt:   true,
		Duration: "13 months",
	}
	if got := parsed.Rows[0].Cookie; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if parsed.Updated.Format("2006-01-02") != "2026-11-21" {
		t.Errorf("updated %v", parsed.Updated)
	}
}

// The same rows in YAML, in JSON files (tabs included) and in Caddy's JSON are
// the same.
func TestFormatsAgree(t *testing.T) {
	parsed, err := Parse([]byte(completeRow), "charter.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := parsed.Rows[0].Cookie

	text, err := json.MarshalIndent(map[string]any{"updated": "2026-11-21", "cookies": []Cookie{want}}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "charter.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := file.Rows[0].Cookie; !reflect.DeepEqual(got, want) {
		t.Errorf("JSON file: got %+v", got)
	}

	text, err = json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var decoded Cookie
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(decoded, want) {
		t.Errorf("JSON config: got %+v", decoded)
	}
}

// Every mistake is told with the file, the line and the fix.
func TestCharterErrors(t *testing.T) {
	const row = "cookies:\n  - name: a\n    purpose: p\n    category: necessary\n"
	for _, test := range []struct {
		yaml string
		want string
	}{
		{"", `the charter is empty; declare rows under "cookies", at f:1`},
		{"a: [", `unreadable YAML: did not find expected node content; indent with spaces, and put texts that hold ": " in quotes, at f:1`},
		{"- a", `a charter has the fields "updated" and "cookies", at f:1`},
		{"cookies: {}", `"cookies" is a list of rows, at f:1`},
		{"cookie: []", `unknown field "cookie"; a charter has "updated" and "cookies", at f:1`},
		{"\nupdated: yesterday", `unreadable date "yesterday"; write it as 2026-11-21, at f:2`},
		{row + "---\n" + row, "the charter has a second document; keep one, at f:5"},
		{"cookies:\n  - a", "a row has the fields name, match, provider, service, purpose, category, consent, exempt, duration, domain, path, secure, http_only, same_site, monitor, and is no alias, at f:2"},
		{row + "    purposes: x", `unknown field "purposes"; a cookie has name, match, provider, service, purpose, category, consent, exempt, duration, domain, path, secure, http_only, same_site, monitor, at f:5`},
		{row + "    purpose: mesure : audience", `unreadable YAML: mapping values are not allowed in this context; indent with spaces, and put texts that hold ": " in quotes, at f:5`},
		{"cookies:\n  - name: a\n    purpose: \"d\xe9tail\"", "the file is not in UTF-8; save it in that encoding, at f:3"},
		{"cookies: []", `the charter declares no cookie; add rows under "cookies", at f:1`},
		{"updated: 2026-11-21", `the charter declares no cookie; add rows under "cookies", at f:1`},
		{row + "cookies: []", "cookies already specified, at f:5"},
		{row + "    match: []", "match is empty; give it a value or remove it, at f:5"},
		{row + "    duration: ''", "duration is empty; give it a value or remove it, at f:5"},
		{row + "    match: [a, ~]", "match has a value that is no plain text, at f:5"},
		{row + "    service: {fr: x, fr-CA: y}", `two texts in the language "fr"; keep one, at f:5`},
		{"cookies:\n  - name: ~\n    purpose: p\n    category: necessary", `cookie "": a cookie has an empty name; give it one, such as sessionid, at f:2`},
		{"cookies:\n  - name: a\n    purpose: ~\n    category: necessary", `cookie "a": missing purpose; say in "purpose" what the cookie is for, at f:2`},
		{"cookies:\n  - name: a\n    purpose: ''\n    category: necessary", "purpose is empty; say what the cookie is for, at f:3"},
		{"cookies:\n  - name: a\n    category: ''", "category is empty; use one of [necessary statistics first_party third_party], at f:3"},
		{"# *pk\n" + row + "    # match: *pk\n    match: *pk\n", `"*pk" stands for an anchor that there is not; put what begins with "*" in quotes, and write prefixes as "_pk_id.*", at f:7`},
		{row + "    match: [a, *pk]\n", `"*pk" stands for an anchor that there is not; put what begins with "*" in quotes, and write prefixes as "_pk_id.*", at f:5`},
		{row + "    provider: \"\\u202Eevil\"", "the text has the character U+202E, which people do not see; remove it, at f:5"},
		{row + "    service: {fr: \"a\\u2066b\"}", "the text has the character U+2066, which people do not see; remove it, at f:5"},
		{"cookies:\n  - name: [a, \"b\\e[2J\"]\n    match: a\n    purpose: p\n    category: necessary", `cookie "a b\x1b[2J": the text has the character U+001B, which people do not see; remove it, at f:2`},
		{row + "    service: \"a\u009bb\"", "the text has the character U+009B, which people do not see; remove it, at f:5"},
		{row + "    service: \"a\u202eb\"", "the text has the character U+202E, which people do not see; remove it, at f:5"},
		{row + "    purpose: x", "purpose already specified, at f:5"},
		{row + "    category: [a, b]", "category already specified, at f:5"},
		{row + "    duration: [a, b]", "duration takes one value, not 2; put texts of several words in quotes, at f:5"},
		{row + "    duration: {fr: a}", "duration is the same in all languages; give it one value, at f:5"},
		{row + "    service: [[a]]", "service has a value that is no plain text, at f:5"},
		{row + "    service: {klingon!: a}", `unknown language "klingon!"; use a tag such as fr or en, and put texts of several words in quotes, at f:5`},
		{row + "    exempt: yes", `exempt is true or false, not "yes", at f:5`},
		{row + "    exempt: true", `cookie "a": a necessary cookie needs no answer; remove exempt or choose another category, at f:5`},
		{row + "    consent: matomo", `cookie "a": a necessary cookie needs no answer; remove its consent key or choose another category, at f:5`},
		{row + "    duration: a while", `cookie "a": unreadable duration "a while"; write "session", or a whole number and a unit, such as "30 min", "2 weeks" or "13 months", at f:5`},
		{row + "    match: a b", `cookie "a": "a b" is not a cookie name, which is of letters, digits and !#$%&'+-.^_` + "`" + `|~; browsers differ over other names, so none of them can be let through, at f:5`},
		{row + "    match: '*'", `cookie "a": "*" alone would declare every cookie; write a longer prefix, such as _pk_id.*, at f:5`},
		{row + "    match: a*b", `cookie "a": "a*b" has a "*" that is not its last character; only a prefix can be matched, such as _pk_id.*, at f:5`},
		{row + "    match: [b, c, b]", `cookie "a": "b" stands there twice; remove one, at f:5`},
		{row + "  - name: a\n    purpose: p\n    category: necessary", `cookie "a" is declared twice; remove one of the two, at f:2 and f:5`},
		{row + "  - name: x\n    match: a\n    purpose: p\n    category: necessary", `cookie "a" is declared twice; remove one of the two, at f:2 and f:5`},
		{"cookies:\n  - purpose: p\n    category: necessary", `cookie "": a cookie has an empty name; give it one, such as sessionid, at f:2`},
		{"cookies:\n  - name: ''\n    category: necessary", `cookie "": a cookie has an empty name; give it one, such as sessionid, at f:2`},
		{"cookies:\n  - name: é\n    category: necessary", `cookie "é": "é" is not a cookie name, which is of letters, digits and !#$%&'+-.^_` + "`" + `|~; keep it if people read it so, and say in "match" what the filter matches, at f:2`},
		{"cookies:\n  - name: a\n    category: necessary", `cookie "a": missing purpose; say in "purpose" what the cookie is for, at f:2`},
		{"cookies:\n  - name: a\n    purpose: {fr: ' '}\n    category: necessary", `cookie "a": missing purpose; say in "purpose" what the cookie is for, at f:2`},
		{"cookies:\n  - name: a\n    purpose: p", `cookie "a": missing category; use one of [necessary statistics first_party third_party], at f:2`},
		{"cookies:\n  - name: a\n    purpose: p\n    category: tracking", `cookie "a": unknown category "tracking"; use one of [necessary statistics first_party third_party], at f:4`},
		{"cookies:\n  - name: a\n    purpose: p\n    category: statistics\n    consent: a b", `cookie "a": unusable consent key "a b"; use 1 to 64 letters, digits, '_', '-' or '.', and not "timestamp" or "charter", at f:5`},
		{"cookies:\n  - name: a\n    purpose: p\n    category: statistics\n    consent: timestamp", `cookie "a": unusable consent key "timestamp"; use 1 to 64 letters, digits, '_', '-' or '.', and not "timestamp" or "charter", at f:5`},
	} {
		parsed, err := Parse([]byte(test.yaml), "f")
		if err == nil {
			_, err = New(parsed)
		}
		if err == nil || err.Error() != test.want {
			t.Errorf("%s\n got: %v\nwant: %s", test.yaml, err, test.want)
		}
	}
	for text, want := range map[string]string{
		"":                                      "unreadable JSON: EOF, at f.json:1",
		"{\n\"cookies\": [\n{\"name\": \"a\"\n": "unreadable JSON: EOF, at f.json:3",
		"{\n\"cookies\": [\n{\"name\": \"a\"\n\"purpose\": \"p\"}]}": `unreadable JSON: invalid character '"' after object key:value pair, at f.json:4`,
		"{\"cookies\": [{\"name\": \"a\",}]}":                        `unreadable JSON: invalid character '}' looking for beginning of object key string, at f.json:1`,
		"{\"cookies\": []} x":                                        "unreadable JSON: invalid character 'x' looking for beginning of value, at f.json:1",
		"{\"cookies\": []} {}":                                       "unreadable JSON: text after the JSON object, at f.json:1",
		"{\n\"cookies\": [\n{\"name\": \"a\",\n\"purpose\": null, \"category\": \"necessary\"}]}": `cookie "a": missing purpose; say in "purpose" what the cookie is for, at f.json:3`,
		"{\n\"cookies\": [\n{\"name\": \"a\",\n\"purposes\": \"p\"}]}":                            `unknown field "purposes"; a cookie has ` + strings.Join(Fields.Names(), ", ") + ", at f.json:4",
	} {
		parsed, err := Parse([]byte(text), "f.json")
		if err == nil {
			_, err = New(parsed)
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got: %v\nwant: %s", text, err, want)
		}
	}
	// All that JSON writers write is read.
	parsed, err := Parse([]byte(`{"cookies":[{"name":"a","purpose":"a\/b \ud83c\udf6a \u00e9","exempt":true,"category":"statistics"}]}`), "f.json")
	if err != nil || parsed.Rows[0].Purpose.In("fr") != "a/b \U0001f36a é" || !parsed.Rows[0].Exempt {
		t.Errorf("%v %+v", err, parsed)
	}
	if _, err := LoadFile("no/such.yaml"); err == nil || !strings.Contains(err.Error(), "no/such.yaml") {
		t.Errorf("missing file: %v", err)
	}
}

// Presets are complete, so that the page is; each row has one name and one
// match, so that a user's row replaces it exactly.
func TestPresets(t *testing.T) {
	languages, err := filepath.Glob("../page/languages/*.yaml")
	if err != nil || len(languages) < 11 {
		t.Fatal(languages, err)
	}
	for _, name := range PresetNames() {
		preset, err := LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(preset); err != nil {
			t.Error(err)
		}
		if preset.Updated.IsZero() {
			t.Errorf("%s: no date", name)
		}
		for _, row := range preset.Rows {
			for _, file := range languages {
				language := strings.TrimSuffix(filepath.Base(file), ".yaml")
				if row.Purpose[language] == "" || row.Service[language] == "" || row.Provider[language] == "" && row.Provider[""] == "" {
					t.Errorf("%s: %s is incomplete in %s", name, row.Name, language)
				}
			}
			if row.Duration == "" || row.Exempt || (row.Category == Necessary) == (row.Consent != "") {
				t.Errorf("%s: %+v", name, row.Cookie)
			}
		}
	}
	for name, written := range presetCookies {
		preset, err := LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		joined, err := New(preset)
		if err != nil {
			t.Fatal(err)
		}
		used := map[*Row]bool{}
		for _, cookie := range written {
			row := joined.Find(cookie.name)
			used[row] = true
			switch {
			case row == nil:
				t.Errorf("%s: %s is not declared", name, cookie.name)
			case row.Key != cookie.key:
				t.Errorf("%s: %s has the consent key %q", name, cookie.name, row.Key)
			case row.Limit.Seconds() < min(cookie.asked, 400*oneDay):
				t.Errorf("%s: %s asks for %d seconds, longer than %s", name, cookie.name, cookie.asked, row.Duration)
			}
		}
		for _, row := range joined.Rows {
			if !used[row] {
				t.Errorf("%s: nothing writes %s", name, row.Name)
			}
		}
		for _, other := range []string{
			"xtander", "xtorder", "xtdate_format", "xtanx", "atsessionid", "atremanx", "atredirect", "_gatsby", "_gat2", "_gas", "_dc_gtm", "_pk_identity", "_pk_testcookies", "_pk_uid",
			"_cookie_tests", "_pcidx", "_pc", "pa_", "mtm_consented", "cookies_preferences2",
		} {
			if row := joined.Find(other); row != nil {
				t.Errorf("%s: %s swallows %s", name, row.Name, other)
			}
		}
	}
	if len(presetCookies) != len(PresetNames()) {
		t.Errorf("presets are %v", PresetNames())
	}
}

const (
	oneMinute = 60
	oneDay    = 24 * 60 * oneMinute
)

// presetCookies are names that each service writes, with the consent key that
// decides, and the seconds that it asks for. Those of trackers are as their code
// has them, where a public copy is to be read; presets say which.
var presetCookies = map[string][]struct {
	name, key string
	asked     int
}{
	"opendatasoft": {
		{"sessionid", "", 14 * oneDay}, {"django_language", "", 365 * oneDay}, {"csrftoken", "", 364 * oneDay}, {"cookies_preferences", "", 180 * oneDay},
	},
	"matomo": {
		{"_pk_id.1.1fff", "matomo", 393 * oneDay},
		{"_pk_ses.1.1fff", "matomo", 30 * oneMinute},
		{"_pk_ref.1.1fff", "matomo", 15768000},
		{"_pk_cvar.1.1fff", "matomo", 30 * oneMinute},
		{"_pk_hsr.1.1fff", "matomo", 30 * oneMinute},
		{"_pk_testcookie", "matomo", 0},
		{"_pk_testcookie_domain", "matomo", 10},
		{"_pk_testcookie.1.1fff", "matomo", 0},
		{"mtm_consent", "", 30 * 365 * oneDay},
		{"mtm_cookie_consent", "", 30 * 365 * oneDay},
		{"mtm_consent_removed", "", 30 * 365 * oneDay},
	},
	"google_analytics": {
		{"_ga", "ga", 63072000},
		{"_ga_ABC123", "ga", 63072000},
		{"_gid", "ga", oneDay},
		{"_gat", "ga", oneMinute},
		{"_gat_gtag_UA_1_1", "ga", oneMinute},
		{"_dc_gtm_UA-1-1", "ga", oneMinute},
		{"_gac_UA-1-1", "ga", 90 * oneDay},
		{"_gac_gb_ABC123", "ga", 90 * oneDay},
		{"AMP_TOKEN", "ga", 365 * oneDay},
	},
	"at_internet": {
		{"atuserid", "at", 397 * oneDay},
		{"atauthority", "at", 397 * oneDay},
		{"atidvisitor", "at", 182 * oneDay},
		{"atidvisitor617190", "at", 182 * oneDay},
		{"atreman", "at", 30 * oneDay},
		{"atreman617190", "at", 30 * oneDay},
		{"attvtreman", "at", 30 * oneDay},
		{"attvtreman617190", "at", 30 * oneDay},
		{"atsession", "at", 30 * oneMinute},
		{"atsession617190", "at", 30 * oneMinute},
		{"atredir", "at", 30},
		{"atredir617190", "at", 30},
		{"atoptedout", "", 0},
	},
	"piano": {
		{"_pcid", "piano", 395 * oneDay},
		{"_pctx", "piano", 395 * oneDay},
		{"_pprv", "piano", 395 * oneDay},
		{"_pcus", "piano", 395 * oneDay},
		{"pa_user", "piano", 395 * oneDay},
		{"pa_vid", "piano", 395 * oneDay},
		{"pa_privacy", "piano", 395 * oneDay},
		{"_cookie_test", "piano", 30},
	},
	"xiti": {
		{"xtvrn", "xiti", 3650 * oneDay},
		{"xtan123456", "xiti", 3650 * oneDay},
		{"xtant123456", "xiti", 3650 * oneDay},
		{"xtat987654", "xiti", 3650 * oneDay},
		{"xtan", "xiti", 3650 * oneDay},
		{"xtant", "xiti", 3650 * oneDay},
		{"xtor123456", "xiti", 20 * oneDay},
		{"xtdate123456", "xiti", 20 * oneDay},
		{"xtocl123456", "xiti", 30 * oneMinute},
		{"xtide", "xiti", 3650 * oneDay},
		{"xtvid", "xiti", 30 * oneMinute},
		{"xtvalCZ", "xiti", 45},
		{"xtgo", "xiti", 30},
		{"xtord", "xiti", 30},
		{"xtref", "xiti", 30},
		{"xtanrd", "xiti", 30},
		{"xtatrd", "xiti", 30},
	},
	"eulerian": {{"etuix", "eulerian", 0}},
	"django": {
		{"sessionid", "", 14 * oneDay}, {"csrftoken", "", 364 * oneDay}, {"django_language", "", 0}, {"messages", "", 0},
	},
	"ckan":    {{"ckan", "", 0}, {"remember_token", "", 365 * oneDay}, {"auth_tkt", "", 0}},
	"aws_alb": {{"AWSALB", "", 7 * oneDay}, {"AWSALBCORS", "", 7 * oneDay}, {"AWSALBTG", "", 7 * oneDay}, {"AWSALBTGCORS", "", 7 * oneDay}},
}

func charterOf(t *testing.T, rows ...string) *Charter {
	t.Helper()
	var text strings.Builder
	text.WriteString("cookies:\n")
	for _, row := range rows {
		fmt.Fprintf(&text, "  - {purpose: p, category: statistics, %s}\n", row)
	}
	parsed, err := Parse([]byte(text.String()), "f")
	if err != nil {
		t.Fatal(err)
	}
	charter, err := New(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

func TestFind(t *testing.T) {
	charter := charterOf(t, "name: a*", "name: abc*", "name: abc", "name: ab*", `name: "what people read", match: [x, y.*]`, "name: [p, q]")
	for name, want := range map[string]string{
		"a": "a*", "ax": "a*", "ab": "ab*", "abd": "ab*", "abc": "abc", "abcd": "abc*",
		"x": "what people read", "y.": "what people read", "y.1": "what people read", "p": "p", "q": "p",
		"": "", "A": "", "xx": "", "y": "", "yx": "", "what people read": "", "*": "",
	} {
		got := ""
		if cookie := charter.Find(name); cookie != nil {
			got = cookie.Name[0]
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if charter.Find("p") != charter.Find("q") {
		t.Error("one row became two")
	}
}

func TestPresetsGiveWay(t *testing.T) {
	preset := func(name string) Source {
		loaded, err := LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		return loaded
	}
	own, err := Parse([]byte("cookies:\n  - {name: sessionid, purpose: mine, category: necessary}\n  - {name: visitor, match: _pk_id.*, purpose: mine, category: necessary}"), "f")
	if err != nil {
		t.Fatal(err)
	}
	charter, err := New(preset("opendatasoft"), preset("django"), preset("matomo"), own)
	if err != nil {
		t.Fatal(err)
	}
	if got := charter.Find("csrftoken").Duration; got != "52 weeks" {
		t.Errorf("the later preset did not win: %s", got)
	}
	for _, name := range []string{"sessionid", "_pk_id.1.1"} {
		if got := charter.Find(name).Purpose.In("fr"); got != "mine" {
			t.Errorf("the user's row did not win for %s: %s", name, got)
		}
	}
	seen := map[string]bool{}
	for _, cookie := range charter.Rows {
		for _, pattern := range cookie.Patterns() {
			if seen[pattern] {
				t.Errorf("%s is on the page twice", pattern)
			}
			seen[pattern] = true
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, seconds := range map[string]int{
		"session": 0, "Session": 0, "30 min": 1800, "30min": 1800, "1 s": 1, "30 seconds": 30, "24 hours": 86400, "1 h": 3600, "7 days": 604800,
		"2 weeks": 1209600, "52 weeks": 31449600, "6 months": 15778476, "13 mois": 34186698, "2 years": 63113904, "1 an": 31556952,
		"2 Semaines": 1209600, " 3 jours ": 259200, "1 année": 31556952,
		"90 j": 7776000, "7d": 604800, "30 mn": 1800, "13\u00a0mois": 34186698, "13\u202fmois.": 34186698, "fin de session": 0, "Fin de la  session": 0, "end of session": 0, "Session du navigateur.": 0,
	} {
		parsed, err := ParseDuration(text)
		if err != nil || parsed.Seconds() != seconds {
			t.Errorf("%q: got %d, %v", text, parsed.Seconds(), err)
		}
	}
	for _, text := range []string{"", "weeks", "2", "0 days", "-1 day", "1.5 hours", "99999 days", "2 moons", "a week", "2 weeks or so", "one year", "99999999999999999999 s"} {
		if parsed, err := ParseDuration(text); err == nil {
			t.Errorf("%q: read as %v", text, parsed)
		}
	}
}

func TestTextIn(t *testing.T) {
	for _, test := range []struct {
		text Text
		want string
	}{
		{Text{"fr": "f", "en": "e", "": "all"}, "f"},
		{Text{"en": "e", "": "all"}, "all"},
		{Text{"en": "e", "nl": "n"}, "n"},
		{Text{"en": "e", "de": "d"}, "e"},
		{Text{"es": "s", "de": "d"}, "d"},
		{Text{"fr": "", "es": "s"}, "s"},
		{nil, ""},
	} {
		if got := test.text.In("fr", "nl", "en"); got != test.want {
			t.Errorf("%v: got %q, want %q", test.text, got, test.want)
		}
	}
}

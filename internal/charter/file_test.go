package charter

import (
	"encoding/json"
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
		{"a: [", `unreadable YAML: did not find expected node content; indent all fields of a row alike, with spaces, and put texts that hold ": " or begin with "*" in quotes, at f:1`},
		{"- a", "a charter has the fields updated, cookies, site_name, intro, controller, contact, complaint, policy, accessibility, languages; the name of a Caddyfile begins with Caddyfile or ends with .caddyfile; at f:1"},
		{"cookies: {}", `"cookies" is a list of rows, at f:1`},
		{"cookie: []", `unknown field "cookie"; a charter has updated, cookies, site_name, intro, controller, contact, complaint, policy, accessibility, languages, at f:1`},
		{"\nupdated: yesterday", `unreadable date "yesterday"; write it as 2026-11-21, at f:2`},
		{row + "---\n" + row, "the charter has a second document; keep one, at f:5"},
		{"cookies:\n  - a", "a row has the fields name, match, host, script, storage, provider, policy, country, service, purpose, category, consent, exempt, duration, domain, path, secure, http_only, same_site, monitor, and is no alias, at f:2"},
		{row + "    purposes: x", `unknown field "purposes"; a row has name, match, host, script, storage, provider, policy, country, service, purpose, category, consent, exempt, duration, domain, path, secure, http_only, same_site, monitor, at f:5`},
		{row + "    purpose: mesure : audience", `unreadable YAML: mapping values are not allowed in this context; indent all fields of a row alike, with spaces, and put texts that hold ": " or begin with "*" in quotes, at f:5`},
		{row + "  - name: b\n   purpose: p\n    category: necessary\n", `unreadable YAML: did not find expected '-' indicator; indent all fields of a row alike, with spaces, and put texts that hold ": " or begin with "*" in quotes, at f:6`},
		{row + "  - name: b\n    purpose: p\n  category: necessary\n", `unreadable YAML: did not find expected '-' indicator; indent all fields of a row alike, with spaces, and put texts that hold ": " or begin with "*" in quotes, at f:7`},
		{row + "  - name: b\n    purpose: p\n  category: necessary\n" + strings.Repeat("  - name: [c,\n    d]\n    purpose: p\n    category: necessary\n", 1000), `unreadable YAML: did not find expected '-' indicator; indent all fields of a row alike, with spaces, and put texts that hold ": " or begin with "*" in quotes, at f:7`},
		{row + "    match:\n    - a\n    -b\n    consent: x\n", `unreadable YAML: could not find expected ':'; indent all fields of a row alike, with spaces, and put texts that hold ": " or begin with "*" in quotes, at f:7`},
		{"cookies:\n  - host: *.example.fr\n    purpose: p\n    category: necessary", `unreadable YAML: did not find expected alphabetic or numeric character; indent all fields of a row alike, with spaces, and put texts that hold ": " or begin with "*" in quotes, at f:2`},
		{"hosts: enforce\n" + row, "hosts is an option of the directive, not of a charter; write it in the block of cookie_charter, at f:1"},
		{"guard: monitor\n" + row, "guard is an option of the directive, not of a charter; write it in the block of cookie_charter, at f:1"},
		{"hosts: [video.example]\n" + row, `hosts are declared by rows under "cookies", as "- host: stats.example.fr", at f:1`},
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
		{row + "policy: privacy", `unusable policy: it has no link; write https://... or a path from the root of this site, such as /pages/privacy/, at f:5`},
		{row + "contact: {fr: dpo, en: javascript:alert(1)}", `unusable contact: "javascript:alert(1)" is no link; write https://..., mailto:..., tel:... or a path from the root of this site, at f:5`},
		{row + "intro: [a, b]", "intro takes one text, or one per language, at f:5"},
		{row + "intro: ''", "intro takes one text, or one per language, at f:5"},
		{row + "intro: {fr: [a]}", "intro has a value that is no plain text, at f:5"},
		{row + "site_name: {fr: a, fr-CA: b}", `two texts in the language "fr"; keep one, at f:5`},
		{row + "site_name: a\nsite_name: b", "site_name already specified, at f:6"},
		{row + "languages: {fr: en}", "languages is a list, such as [fr, en], at f:5"},
		{row + "languages: [fr, fr]", `the language "fr" stands there twice; remove one, at f:5`},
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
		{row + "    policy: privacy", `cookie "a": unusable policy: it has no link; write https://... or a path from the root of this site, such as /pages/privacy/, at f:5`},
		{row + "    policy: {en: /a, fr: ftp://b.example}", `cookie "a": unusable policy: "ftp://b.example" is no link; write https://..., mailto:..., tel:... or a path from the root of this site, at f:5`},
		{row + "    policy: Privacy /a", `cookie "a": unusable policy "Privacy /a"; write a link alone: https://... or a path from the root of this site, at f:5`},
		{row + "    policy: dpo@ys.example", `cookie "a": unusable policy "dpo@ys.example"; write a link alone: https://... or a path from the root of this site, at f:5`},
		{row + "    country: [IE, Ireland]", `cookie "a": unknown country "Ireland"; use ISO 3166-1's codes of two letters, such as IE or US, at f:5`},
		{row + "    country: ie", `cookie "a": unknown country "ie"; use ISO 3166-1's codes of two letters, such as IE or US, at f:5`},
		{row + "    country: UK", `cookie "a": unknown country "UK"; use ISO 3166-1's codes of two letters, such as IE or US, at f:5`},
		{row + "    country: ZZ", `cookie "a": unknown country "ZZ"; use ISO 3166-1's codes of two letters, such as IE or US, at f:5`},
		{row + "    country: [IE, IE]", `cookie "a": IE stands there twice; remove one, at f:5`},
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
		{row + "    host: []", "host is empty; give it a value or remove it, at f:5"},
		{row + "    host: Stats.example.fr", `cookie "a": "Stats.example.fr" is not written as browsers match it; write stats.example.fr, at f:5`},
		{row + "    host: [a.fr, b.fr, a.fr]", `cookie "a": "a.fr" stands there twice; remove one, at f:5`},
		{row + "    script: xtcore.js", `cookie "a": "xtcore.js" is no path of a script; write one from the root of this site, such as /static/xtcore.js, or the beginning of some with a * behind it, without a query and without escapes, at f:5`},
		{"cookies:\n  - purpose: p\n    host: '*'\n    category: necessary", `host "*": "*" would declare every host; write one, such as stats.example.fr or *.example.fr, at f:3`},
		{"cookies:\n  - host: a.fr\n    category: necessary", `host "a.fr": missing purpose; say in "purpose" what it is for, or nothing but the consent key of the rows that it belongs to, at f:2`},
		{"cookies:\n  - host: a.fr\n    consent: k\n    exempt: true", `host "a.fr": missing purpose; say in "purpose" what it is for, or nothing but the consent key of the rows that it belongs to, at f:2`},
		{"cookies:\n  - host: a.fr\n    purpose: p", `host "a.fr": missing category; use one of [necessary statistics first_party third_party], at f:2`},
		{"cookies:\n  - host: a.fr\n    purpose: p\n    category: necessary\n    duration: 1 day", `host "a.fr": duration is said of cookies, and the row names none; remove it, or write the row's cookies in "name", at f:5`},
		{"cookies:\n  - host: a.fr\n    match: b\n    purpose: p\n    category: necessary", `host "a.fr": a cookie has an empty name; give it one, such as sessionid, at f:2`},
		{"cookies:\n  - host: a.fr\n    consent: a b", `host "a.fr": unusable consent key "a b"; use 1 to 64 letters, digits, '_', '-' or '.', and not "timestamp" or "charter", at f:3`},
		{"cookies:\n  - host: a.fr\n    consent: k", `host "a.fr": no row has the consent key "k", to which it would be added; say in "purpose" and "category" what it is for, at f:3`},
		{"cookies:\n  - script: /*\n    consent: k", `script "/*": "/*" would be every page; write a longer path, such as /static/stats/*, at f:2`},
		{"cookies:\n  - script: [/s.js, /s.js]\n    consent: k", `script "/s.js /s.js": "/s.js" stands there twice; remove one, at f:2`},
		{row + "    storage: '*'", `cookie "a": "*" alone would declare all that is stored; write a longer prefix, such as ph_*, at f:5`},
		{row + "    storage: ph_*_posthog", `cookie "a": "ph_*_posthog" has a "*" that is not its last character; only a prefix can be matched, such as ph_*, at f:5`},
		{row + "    storage: [ph_*, x, ph_*]", `cookie "a": "ph_*" stands there twice; remove one, at f:5`},
		{row + "    storage: [x, '']", `cookie "a": "" is no key of a stored item; write 1 to 128 visible characters without spaces, or the beginning of some with a * behind it, at f:5`},
		{row + "    storage: a b", `cookie "a": "a b" is no key of a stored item; write 1 to 128 visible characters without spaces, or the beginning of some with a * behind it, at f:5`},
		{row + "    storage: \"a\\u200bb\"", `cookie "a": "a\u200bb" is no key of a stored item; write 1 to 128 visible characters without spaces, or the beginning of some with a * behind it, at f:5`},
		{row + "    storage: " + strings.Repeat("é", 129), `cookie "a": "` + strings.Repeat("é", 129) + `" is no key of a stored item; write 1 to 128 visible characters without spaces, or the beginning of some with a * behind it, at f:5`},
		{row + "    storage: " + strings.Repeat("é", 128) + "*\n    purpose: p", "purpose already specified, at f:6"},
		{row + "    storage: x\n  - storage: x\n    consent: k", `storage "x" is declared twice; remove one of the two, at f:2 and f:6`},
		{row + "    storage: b\n  - name: b\n    purpose: p\n    category: statistics\n  - storage: b*\n    consent: k", `storage "b*": no row has the consent key "k", to which it would be added; use one of [statistics], or say in "purpose" and "category" what it is for, at f:10`},
		{"cookies:\n  - storage: x\n    category: necessary", `storage "x": missing purpose; say in "purpose" what it is for, or nothing but the consent key of the rows that it belongs to, at f:2`},
		{"cookies:\n  - storage: x\n    purpose: p\n    category: necessary\n    duration: 1 day", `storage "x": duration is said of cookies, and the row names none; remove it, or write the row's cookies in "name", at f:5`},
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
		"":                                      "unreadable JSON: it ends before its last bracket, at f.json:1",
		"{\n\"cookies\": [\n{\"name\": \"a\"\n": "unreadable JSON: it ends before its last bracket, at f.json:3",
		"{\n\"cookies\": [\n{\"name\": \"a\"\n\"purpose\": \"p\"}]}": `unreadable JSON: invalid character '"' after object key:value pair, at f.json:4`,
		"{\"cookies\": []} x":  "unreadable JSON: invalid character 'x' looking for beginning of value, at f.json:1",
		"{\"cookies\": []} {}": "unreadable JSON: text after the JSON object, at f.json:1",
		"{\n\"cookies\": [\n{\"name\": \"a\",\n\"purpose\": null, \"category\": \"necessary\"}]}": `cookie "a": missing purpose; say in "purpose" what the cookie is for, at f.json:3`,
		"{\n\"cookies\": [\n{\"name\": \"a\",\n\"purposes\": \"p\"}]}":                            `unknown field "purposes"; a row has ` + strings.Join(Fields.Names(), ", ") + ", at f.json:4",
	} {
		parsed, err := Parse([]byte(text), "f.json")
		if err == nil {
			_, err = New(parsed)
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got: %v\nwant: %s", text, err, want)
		}
	}
	// The words for this one depend on Go's version.
	_, err := Parse([]byte(`{"cookies": [{"name": "a",}]}`), "f.json")
	if err == nil || !strings.HasPrefix(err.Error(), "unreadable JSON: invalid character") || !strings.HasSuffix(err.Error(), ", at f.json:1") {
		t.Error(err)
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

// Of a charter with several mistakes, all are told, where Parse stops at the first.
func TestMistakes(t *testing.T) {
	const good = "cookies:\n- {name: [a, a*], match: [a, a*], purpose: p, category: necessary}\n"
	if got := Mistakes([]byte(good), "draft", true); got != nil {
		t.Errorf("%v", got)
	}
	got := Mistakes([]byte(good+"- {name: b, purpose: \"\", category: necessary}\n- {name: c d, purpose: p, category: necessary}\n- {name: a, purpose: p, category: necessary}\n- {name: e, category: necessary}\n"), "draft", true)
	for i, want := range []string{"purpose is empty; say what the cookie is for, at draft:3", `"c d" is not a cookie name`, `cookie "a" is declared twice; remove one of the two, at draft:2 and draft:5`, "missing purpose"} {
		if len(got) != 4 || !strings.Contains(got[i].Error(), want) {
			t.Errorf("no %s in %v", want, got)
		}
	}
	got = Mistakes([]byte(good+"- {host: A.fr, consent: k}\n- {script: x, consent: k}\n- {host: a.fr}\n- {host: a.fr, consent: k}\n"), "draft", true)
	for i, want := range []string{`host "A.fr": `, `script "x": `, `host "a.fr": missing purpose`, `host "a.fr": missing category`, `host "a.fr": no row has the consent key "k"`} {
		if len(got) != 5 || !strings.Contains(got[i].Error(), want) {
			t.Errorf("no %s in %v", want, got)
		}
	}
	// Of each field that is a mistake, the first; else of the row beside the others.
	got = Mistakes([]byte(good+"- {name: [c d, e f, a], category: necessry, duration: 2 wekks, consent: a b, domain: fr, path: x, same_site: None}\n"), "draft", true)
	for i, want := range []string{`"c d" is not a cookie name`, "missing purpose", `unknown category "necessry"`, `unusable consent key "a b"`, "2 wekks", `unusable domain "fr"`, `unusable path "x"`, "without Secure"} {
		if len(got) != 8 || !strings.Contains(got[i].Error(), want) || !strings.HasSuffix(got[i].Error(), ", at draft:3") {
			t.Errorf("no %s in %v", want, got)
		}
	}
	got = Mistakes([]byte(good+"- {storage: x, purpose: p, category: statistics}\n- {storage: [y, x], consent: statistics}\n- {storage: z, consent: k}\n"), "draft", true)
	for i, want := range []string{`storage "x" is declared twice; remove one of the two, at draft:3 and draft:4`, `storage "z": no row has the consent key "k"`} {
		if len(got) != 2 || !strings.Contains(got[i].Error(), want) {
			t.Errorf("no %s in %v", want, got)
		}
	}
	got = Mistakes([]byte("updated: soon\npolicy: nowhere\nwhat: x\n"+good+"- {name: b, category: x, duration: \"\", what: x, exempt: often}\n- x\nupdated: later\n"), "draft", true)
	for i, want := range []string{`unreadable date "soon"; write it as 2026-11-21, at draft:1`, `unknown field "what"; a charter has`, "duration is empty", `unknown field "what"; a row has`, "exempt is true or false", "a row has the fields", "updated already specified, at draft:8", "unusable policy"} {
		if len(got) <= i || !strings.Contains(got[i].Error(), want) {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if got := Mistakes([]byte(good+"- {host: a.fr, consent: k}\n"), "draft", false); got != nil {
		t.Errorf("beside others: %v", got)
	}
	if got := Mistakes([]byte("cookies: ["), "draft", true); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

package charter

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// A host is one source of a policy, or is refused with what to write.
func TestParseHost(t *testing.T) {
	long := strings.Repeat("a", 63)
	for text, want := range map[string]string{
		// What browsers match.
		"stats.example.fr": "", "*.example.fr": "", "https://stats.example.fr": "", "http://a.example": "", "wss://push.example.fr:8443": "", "ws://*.example.fr": "",
		"stats.example.fr:65535": "", "localhost:8080": "", "*.localhost": "", "collector": "", "xn--dpenses-bya.fr": "", "a-b.c--d.example": "", "1.example.fr": "",
		"s3-eu-central-1.amazonaws.com/aws-ec2-eu-central-1-opendatasoft-staticfileset/": "", "cdn.example/a/b.js": "", "cdn.example/a%3Bb%27c": "", "cdn.example/$a/~b/(c)@d=e": "",
		long + "." + long + "." + long + ".example": "", "example.fr/" + strings.Repeat("a/", 500): "", "github.io": "",

		// What they do not, or what would be another host than is meant.
		"":        "is no host",
		"*":       "would declare every host",
		"*.":      "would declare every host",
		"*:443":   "would declare every host",
		"*.fr":    "would declare the hosts of everybody under fr",
		"*.co.uk": "would declare the hosts of everybody under co.uk", "*.github.io": "would declare the hosts of everybody under github.io",
		"**.example.fr": `has a "*" that is not all`, "a.*.example.fr": `has a "*" that is not all`, "*a.example.fr": `has a "*" that is not all`, "*.*.example.fr": `has a "*" that is not all`,
		"Stats.Example.fr": `"Stats.Example.fr" is not written as browsers match it; write stats.example.fr`, "https://*.Example.fr/A": "write https://*.example.fr/A",
		"dépenses.fr": "write xn--dpenses-bya.fr", "*.dépenses.fr:8443": "write *.xn--dpenses-bya.fr:8443",
		"ſtats.example.fr": "write stats.example.fr", "stats。example.fr": "write stats.example.fr", "K.example": "write k.example", // U+017F, an ideographic full stop, U+212A
		"example.fr.": "is no host", ".example.fr": "is no host", "a..fr": "is no host", "-a.fr": "is no host", "a-.fr": "is no host", "a_b.example.fr": "is no host",
		long + "a.fr": "is no host", strings.Repeat("a.", 127) + "fr": "is no host",
		"127.0.0.1": "is an address, and browsers match names alone", "http://127.0.0.1:8080/a": "is an address", "127.1": "is no host", "0x7f.1": "is no host", "2130706433": "is no host", "a.0x10": "is no host", "[::1]": "is an address", "::1": "is an address", "https://[2001:db8::1]:8443": "is an address",
		"'self'": "is no host", "'none'": "is no host", "user@example.fr": "is no host", "example.fr\\a": "is no host",
		"ftp://example.fr": "has no scheme", "javascript://example.fr": "has no scheme", "HTTPS://example.fr": `"HTTPS://example.fr" is not written as browsers match it; write https://example.fr`, "://example.fr": "has no scheme", "//example.fr": "is no host",
		"data:": "no port", "https:": "no port", "example.fr:": "no port", "example.fr:0": "no port", "example.fr:65536": "no port", "example.fr:080": "no port", "example.fr:+80": "no port", "example.fr:*": "no port", "example.fr:８０": "no port",
		"example.fr ": "is no host", "a.fr b.fr": "is no host", "a.fr;script-src": "is no host", "a.fr,b.fr": "is no host", "a.fr\n": "is no host", "a.fr\t": "is no host", "a.fr\x00": "is no host", "a.fr\x7f": "is no host", `a.fr"`: "is no host",
		"a.fr/;b": "has a path", "a.fr/,b": "has a path", "a.fr/ b": "has a path", "a.fr/?q": "has a path", "a.fr/#f": "has a path", "a.fr/'b'": "has a path", `a.fr/"b"`: "has a path", "a.fr/é": "has a path", "a.fr/\n": "has a path", "a.fr/\\b": "has a path",
		"a.fr//b": "has a path", "a.fr/*": "has a path", "a.fr/%": "has a path", "a.fr/%zz": "has a path", "a.fr?q": "is no host", "a.fr#f": "is no host",
	} {
		_, err := parseHost(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// What is accepted is one source, and ends none.
func FuzzParseHost(f *testing.F) {
	for _, text := range []string{"*.example.fr:8443/a%3Bb", "wss://a.fr", "a.fr;b", "a.fr/'b'", "ſ.fr", "*", "dépenses.fr", "127.1", "a.fr//"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		source, err := parseHost(text)
		if err != nil {
			return
		}
		if text == "" || strings.ContainsFunc(text, func(char rune) bool {
			return char > '~' || unicode.IsSpace(char) || unicode.IsControl(char) || strings.ContainsRune(`;,'"\?#<>`, char)
		}) {
			t.Errorf("%q is accepted", text)
		}
		if strings.Count(text, "*") > 1 || strings.Contains(text, "*") != source.isPrefixed {
			t.Errorf("%q is accepted", text)
		}
		scheme := source.scheme
		if scheme == "" {
			scheme = "https"
		}
		host := source.host
		if source.isPrefixed {
			host = "a." + host
		}
		address := scheme + "://" + host
		if source.port != "" {
			address += ":" + source.port
		}
		origin, ok := ParseOrigin(address + source.path)
		if !ok || len(host) <= 253 && !source.includes(origin) {
			t.Errorf("%q does not include %q", text, address)
		}
		if source.includes(Origin{Scheme: scheme, Host: "x" + source.host}) {
			t.Errorf("%q includes another host", text)
		}
	})
}

// A declared host covers another if it includes all that this does.
func TestCovers(t *testing.T) {
	for _, test := range []struct{ by, covered, others string }{
		{"a.fr", "a.fr a.fr/ https://a.fr a.fr/x http://a.fr", "b.a.fr *.a.fr a.fr:8443 wss://a.fr"},
		{"*.a.fr", "b.a.fr *.a.fr *.b.a.fr https://b.a.fr", "a.fr *.fr.example b.fr"},
		{"https://a.fr", "https://a.fr https://a.fr/x", "a.fr http://a.fr wss://a.fr"},
		{"wss://a.fr", "wss://a.fr https://a.fr", "a.fr ws://a.fr"},
		{"a.fr/x/", "a.fr/x/ a.fr/x/y", "a.fr a.fr/ a.fr/x a.fr/y"},
		{"a.fr/x", "a.fr/x", "a.fr a.fr/x/"},
		{"a.fr/", "a.fr a.fr/x", "b.fr"},
	} {
		by, err := parseHost(test.by)
		if err != nil {
			t.Fatal(err)
		}
		for want, hosts := range map[bool]string{true: test.covered, false: test.others} {
			for host := range strings.FieldsSeq(hosts) {
				if other, err := parseHost(host); err != nil || by.covers(other) != want {
					t.Errorf("%s and %s: %v, want %t", test.by, host, err, want)
				}
			}
		}
	}
}

// A declared host includes what browsers match with it (Content Security Policy Level 3,
// section 6.7.2).
func TestIncludesOrigin(t *testing.T) {
	for _, test := range []struct {
		declared string
		included string
		others   string
	}{
		{"a.fr", "https://a.fr https://A.FR/x?y https://a.fr:443 http://a.fr", "wss://a.fr ws://a.fr https://b.a.fr https://a.fr:8443 https://xa.fr https://a.fr.b.fr https://a.fr."},
		{"*.a.fr", "https://b.a.fr https://c.b.a.fr", "https://a.fr https://xa.fr https://a.fr:8443"},
		{"https://a.fr", "https://a.fr", "wss://a.fr http://a.fr ws://a.fr"},
		{"http://a.fr", "http://a.fr https://a.fr", "ws://a.fr wss://a.fr https://a.fr:80 http://a.fr:443"},
		{"wss://a.fr", "wss://a.fr https://a.fr", "ws://a.fr http://a.fr"},
		{"ws://a.fr", "ws://a.fr wss://a.fr http://a.fr https://a.fr", "ws://b.fr"},
		{"a.fr:8443", "https://a.fr:8443", "wss://a.fr:8443 https://a.fr https://a.fr:443"},
		{"a.fr:443", "https://a.fr https://a.fr:443", "http://a.fr https://a.fr:80"},
		{"a.fr:80", "http://a.fr http://a.fr:80 https://a.fr", "https://a.fr:8080"},
		{"a.fr/path/", "https://a.fr/path/b https://a.fr/other", "https://b.fr/path/"},
	} {
		source, err := parseHost(test.declared)
		if err != nil {
			t.Fatal(err)
		}
		check := func(addresses string, want bool) {
			for address := range strings.FieldsSeq(addresses) {
				origin, ok := ParseOrigin(address)
				if !ok || source.includes(origin) != want {
					t.Errorf("%s, %s: read %v, included is not %v", test.declared, address, ok, want)
				}
			}
		}
		check(test.included, true)
		check(test.others, false)
	}
}

func TestParseOrigin(t *testing.T) {
	for address, want := range map[string]string{
		"https://a.fr": "a.fr", "HTTPS://A.fr/b?c#d": "a.fr", "https://a.fr:443/": "a.fr", "https://a.fr:8443": "a.fr:8443", "http://a.fr:80": "http://a.fr", "http://a.fr:443": "http://a.fr:443",
		"wss://a.fr?x": "wss://a.fr", `https://a.fr\b`: "a.fr", "https://127.0.0.1:8080/a": "127.0.0.1:8080", "https://a_b.fr": "a_b.fr", "https://a.fr:": "a.fr", "https://a.fr./": "a.fr.",
		"": "", "a.fr": "", "//a.fr": "", "data:text/html,x": "", "blob:https://a.fr/1": "", "about:blank": "", "inline": "", "eval": "", "https://": "", "https://user@a.fr": "",
		"https://[::1]": "", "https://a.fr:65536": "", "https://a.fr:x": "", "https://a fr": "", "https://é.fr": "", "ſttp://a.fr": "", "chrome-extension://a": "", "https://a.fr:080": "",
	} {
		origin, ok := ParseOrigin(address)
		if ok != (want != "") || ok && origin.String() != want {
			t.Errorf("%q: got %v, %q, want %q", address, ok, origin, want)
		}
	}
}

// Hosts, scripts and stored items that belong to rows of their key are added to the first of them.
func TestAdditions(t *testing.T) {
	source := func(isPreset bool, rows string) Source {
		parsed, err := Parse([]byte("cookies: ["+rows+"]"), "f")
		if err != nil {
			t.Fatal(err)
		}
		parsed.isPreset = isPreset
		return parsed
	}
	const cookies = "{name: a, purpose: p, category: statistics, consent: k, host: a.fr}, {name: b, purpose: p, category: statistics, consent: k}"
	joined, err := New(source(true, "{host: [a.fr, c.fr], consent: k}, "+cookies), source(false, "{host: d.fr, script: /s.js, storage: [x, y*], consent: k}"))
	if err != nil {
		t.Fatal(err)
	}
	if row := joined.Rows[0]; len(joined.Rows) != 2 || !slices.Equal(row.Host, Names{"a.fr", "c.fr", "d.fr"}) || !slices.Equal(row.Script, Names{"/s.js"}) || !slices.Equal(row.Storage, Names{"x", "y*"}) || joined.Rows[1].Host != nil {
		t.Errorf("%+v", joined.Rows)
	}
	joined.About.Controller = Text{"": "A, 1 b"}
	if gaps := joined.Gaps(); gaps != nil {
		t.Errorf("what is added is no row that could lack anything: %v", gaps)
	}

	// A preset's stored items give way to those of an operator, as its cookies do.
	joined, err = New(source(true, cookies+", {storage: [x, y], consent: k}"), source(false, "{storage: x, purpose: p, category: necessary}"))
	if err != nil || joined.Rows[0].Storage != nil || !slices.Equal(joined.Rows[2].Storage, Names{"x"}) {
		t.Errorf("%v, %+v", err, joined)
	}

	// Where an operator's row has replaced all of a key, a preset's addition has gone, too.
	joined, err = New(source(true, "{name: a, purpose: p, category: statistics, consent: k}, {host: c.fr, consent: k}"), source(false, "{name: a, purpose: p, category: statistics, consent: other}"))
	if err != nil || len(joined.Rows) != 1 || joined.Rows[0].Host != nil {
		t.Errorf("%v, %+v", err, joined)
	}
	own := source(false, "{name: x, purpose: p, category: statistics},\n{host: c.fr,\nconsent: k}")
	const want = `host "c.fr": no row has the consent key "k", to which it would be added; use one of [statistics], or say in "purpose" and "category" what it is for, at f:3`
	if _, err := New(own); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := own.Check(); err != nil {
		t.Errorf("the key may be a preset's: %v", err)
	}
}

// Declared hosts and stored items are asked about, whichever row of a key has them, in
// whatever order.
func TestHostsAreAskedAbout(t *testing.T) {
	const a, b = "{name: a, purpose: p, category: statistics%s}", "{name: b, purpose: q, category: statistics%s}"
	fingerprint := func(ofA, ofB string) string {
		return signed(t, fmt.Sprintf(a+", "+b, ofA, ofB)).Fingerprints["statistics"]
	}
	without, with := fingerprint("", ""), fingerprint(", host: [x.fr, y.fr]", "")
	if without == with || with != fingerprint(", host: [y.fr, x.fr]", "") || with != fingerprint(", host: x.fr", ", host: y.fr") || with == fingerprint(", host: x.fr", "") {
		t.Error("the fingerprint does not tell hosts from each other")
	}
	if without != fingerprint(", script: /s.js", "") {
		t.Error("a path of the portal's own makes another question")
	}
	// So are stored items, which no host is taken for.
	withItem := fingerprint(", storage: x.fr", "")
	if withItem == without || withItem == fingerprint(", host: x.fr", "") || withItem != fingerprint("", ", storage: x.fr") || withItem == fingerprint(", storage: x.fr*", "") {
		t.Error("the fingerprint does not tell stored items from each other, or from hosts")
	}
	version := func(rows string) string { return signed(t, rows).Version }
	const x, y = "{host: x.fr, purpose: p, category: necessary}", "{host: x.fr, purpose: q, category: necessary}"
	if version(x+", "+y) != version(y+", "+x) || version(x) == version(y) || version(x) == version(strings.Replace(x, "host: x.fr", "host: x.fr, script: /s.js", 1)) || version(x) == version(strings.Replace(x, "host: x.fr", "host: x.fr, storage: x", 1)) {
		t.Error("the version is not that of all that is declared")
	}
}

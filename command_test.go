package cookiecharter

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// commandCharter is a charter file to which commands are given.
const commandCharter = `updated: 2026-11-21
cookies:
  - name: sessionid
    provider: Portal
    purpose: {en: Stays signed in, fr: Reste connecté}
    category: necessary
    duration: 2 weeks
  - name: [_ga, _gid]
    provider: Google
    purpose: Counts visits
    category: statistics
    consent: ga
    exempt: true
    duration: 2 years
`

// runCommand runs a sub-command as Caddy does, and returns what it prints, and its
// error's text.
func runCommand(words ...string) (out, report, mistake string) {
	root := &cobra.Command{Use: "cookie-charter", SilenceErrors: true, SilenceUsage: true}
	addCommands(root)
	var printed, reported bytes.Buffer
	root.SetOut(&printed)
	root.SetErr(&reported)
	root.SetArgs(words)
	if err := root.Execute(); err != nil {
		mistake = err.Error()
	}
	return printed.String(), reported.String(), mistake
}

// Commands find the charter of a host, with its port where only that tells sites
// apart.
func TestLoadHandler(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{"Caddyfile": "a.example {\n cookie_charter {\n  preset matomo\n }\n}\nhttp://:8080 {\n cookie_charter {\n  preset ckan\n }\n}\nhttp://:8081 {\n cookie_charter {\n  preset piano\n }\n}\n"})
	for host, want := range map[string]string{"a.example": "mtm_consent", "a.example:443": "mtm_consent", "a.example:8082": "mtm_consent", "localhost:8080": "ckan", "b.example:8081": "_pcid"} {
		handler, err := loadHandler(folder+"Caddyfile", host)
		if err != nil || handler.charter.Find(want) == nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"", "b.example", "b.example:8082"} {
		if _, err := loadHandler(folder+"Caddyfile", host); err == nil || !strings.Contains(err.Error(), "has 3 charters, of the hosts [a.example :8080 :8081]") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// A charter of a Caddy config with several is chosen by its host.
func TestLoadHandlerByHost(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{"Caddyfile": "a.example, b.example:8443 {\n cookie_charter {\n  preset matomo\n }\n}\nc.example {\n handle /x/* {\n  cookie_charter\n }\n}\n"})
	for host, want := range map[string]string{"a.example": "matomo", "b.example:8443": "matomo", "c.example": "opendatasoft", "d.example": "", "": ""} {
		handler, err := loadHandler(folder+"Caddyfile", host)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "has 3 charters, of the hosts [") {
				t.Errorf("%s: %v", host, err)
			}
		} else if err != nil || handler.Presets[0] != want {
			t.Errorf("%s: %v, %v", host, handler, err)
		}
	}
}

func TestCheckCommand(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{
		"charter.yaml":    commandCharter,
		"broken.yaml":     "cookies:\n  - name: a\n    category: necessary\n",
		"Caddyfile":       "a.example {\n cookie_charter {\n  preset matomo\n }\n}\nb.example {\n handle /x/* {\n  cookie_charter\n }\n}\n",
		"ports.caddyfile": "http://:8080 {\n cookie_charter\n}\nhttp://:8081 {\n cookie_charter\n}\n",
		"hosts.yaml":      "cookies:\n  - {name: a, purpose: p, category: statistics, host: [a.example, b.example]}\n  - {host: tiles.example, script: /t.js, purpose: Tiles, category: necessary}\n  - {storage: [seen, ph_*], purpose: Items, category: necessary}\n",
		"none.json":       `{"apps":{"http":{"servers":{}}}}`,
		"config.json":     `{"apps":{"http":{"servers":{"x":{"routes":[{"handle":[{"handler":"cookie_charter","presets":["ckan"]}]}]}}}}}`,
	})
	for _, test := range []struct {
		files, format string
		wants         []string
		mistakes      string
	}{
		{"charter.yaml", "table", []string{"charter.yaml: version ", ", 3 rows\n", "NAME", "_ga _gid", "ga (exempt)", "13 months", "Stays signed in"}, ""},
		{"charter.yaml", "json", []string{`"duration": "13 months"`, `"$schema"`}, ""},
		{"charter.yaml", "yaml", []string{"    - name: sessionid\n", "duration: 13 months", "fr: Reste connecté"}, ""},
		{"charter.yaml", "markdown", []string{"| Google |  | \\_ga, \\_gid | Counts visits"}, ""},
		{"charter.yaml", "none", nil, ""},
		{"hosts.yaml", "table", []string{"HOSTS", "  a.example b.example  ", "\n-   ", "tiles.example /t.js  ", "Tiles\n", "STORAGE", "seen ph_*  ", "Items\n"}, ""},
		{"hosts.yaml", "json", []string{`"host": [`, `"host": "tiles.example"`, `"script": "/t.js"`}, ""},
		{"charter.yaml", "table", []string{"consent key \"ga\": no row of it has a host"}, ""},
		{"Caddyfile", "table", []string{"_pk_id.<site>.<hash>", "django_language", "Caddyfile: a.example: version ", "Caddyfile: b.example: version ", "cookie_charter " + moduleVersion() + "\n"}, ""},
		{"ports.caddyfile", "table", []string{"ports.caddyfile: :8080: version ", "ports.caddyfile: :8081: version "}, ""},
		{"config.json", "table", []string{"ckan"}, ""},
		{"broken.yaml charter.yaml", "table", []string{"_ga _gid"}, "broken.yaml:2"},
		{"none.json", "table", nil, "none.json has no cookie_charter"},
		{"missing.yaml", "table", nil, "no such file"},
		{"charter.yaml", "xml", nil, `unknown format "xml"`},
	} {
		var paths []string
		for name := range strings.FieldsSeq(test.files) {
			paths = append(paths, folder+name)
		}
		var out, report bytes.Buffer
		err := runCheck(&out, &report, paths, test.format, "en")
		if (err == nil) != (test.mistakes == "") || err != nil && !strings.Contains(err.Error(), test.mistakes) {
			t.Errorf("%s: %v", test.files, err)
		}
		for _, want := range test.wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s as %s: no %q in\n%s", test.files, test.format, want, &out)
			}
		}
		if test.format == "none" && out.Len() > 0 {
			t.Errorf("prints %q", &out)
		}
	}
}

// What is only monitored is told, so that nobody forgets to enforce it.
func TestCheckTellsWhatIsMonitored(t *testing.T) {
	for block, want := range map[string]string{
		"hosts\n guard":                      "",
		"monitor\n hosts\n guard":            "all cookies, hosts, scripts",
		"monitor everything":                 "all cookies",
		"monitor undeclared\n hosts\n guard": "undeclared cookies, hosts",
		"hosts monitor\n guard":              "hosts",
		"hosts\n guard monitor":              "scripts",
		"cookie a {\n purpose p\n category statistics\n monitor\n}": `the row "a"`,
	} {
		path := checks.WriteFiles(t, map[string]string{"Caddyfile": "a.example {\n cookie_charter {\n preset matomo\n" + block + "\n}\n}"}) + "Caddyfile"
		out, _, mistake := runCommand("check", path)
		_, after, ok := strings.Cut(out, "only monitored, and not enforced: ")
		if got, _, _ := strings.Cut(after, "\n"); got != want || ok != (want != "") || mistake != "" {
			t.Errorf("%q: %q, not %q %s", block, got, want, mistake)
		}
	}
}

// All mistakes of a file are told at once, those of all files and sites, and of all rows in a
// Caddyfile.
func TestCheckTellsAllMistakes(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{
		"charter.yaml":     "updated: soon\ncookies:\n  - {name: a, category: x, exempt: often}\n  - {name: b, purpose: p}\n  - {name: b, purpose: p, category: necessary}\nwhat: x\n",
		"other.yaml":       "cookies:\n  - {name: c}\n  - {host: a.example, consent: matomo}\n",
		"Caddyfile":        "a.example {\n cookie_charter {\n  preset matomo\n  charter charter.yaml other.yaml\n }\n}\nb.example {\n cookie_charter {\n  charter other.yaml missing.yaml\n }\n}\n",
		"inline.caddyfile": "a.example {\n cookie_charter {\n  cookie x {\n   category necessary\n  }\n  cookie y z {\n   purpose p\n  }\n  cookie x {\n   purpose p\n   category necessary\n  }\n }\n}\n",
		"alone.yaml":       "cookies:\n  - {name: a, purpose: p, category: necessary}\n  - {host: a.example, consent: matomo}\n  - {host: b.example, consent: ga}\n",
		"options.json":     `{"apps":{"http":{"servers":{"x":{"routes":[{"handle":[{"handler":"cookie_charter","presets":["ckan"],"gpc":"soon"}]}]}}}}}`,
	})
	ofCharter := []string{`unreadable date "soon"; write it as 2026-11-21, at @charter.yaml:1`, "exempt is true or false", `cookie "b": missing category; use one of [necessary statistics first_party third_party], at @charter.yaml:4`, `unknown field "what"`}
	ofOther := []string{`cookie "c": missing purpose; say in "purpose" what the cookie is for, at @other.yaml:2`, `cookie "c": missing category; use one of [necessary statistics first_party third_party], at @other.yaml:2`}
	for file, wants := range map[string][]string{
		"charter.yaml":     append(ofCharter, `cookie "b" is declared twice; remove one of the two, at @charter.yaml:4 and @charter.yaml:5`),
		"Caddyfile":        slices.Concat(ofCharter, ofOther, ofOther, []string{`cookie "b" is declared twice`, "missing.yaml"}),
		"inline.caddyfile": {`cookie "x": missing purpose`, `cookie "y z": missing category`, `cookie "x" is declared twice; remove one of the two, at @inline.caddyfile:3 and @inline.caddyfile:9`},
		"alone.yaml":       {`name the preset matomo, whose rows have it, beside this charter, and check the Caddyfile that does`, `name the preset google_analytics, whose rows`},
		"options.json":     {`unreadable date "soon"`},
	} {
		_, _, mistake := runCommand("check", folder+file)
		for _, want := range wants {
			want = strings.ReplaceAll(want, "@", folder)
			if strings.Count(mistake, want) < max(1, strings.Count(strings.Join(wants, "\n"), strings.ReplaceAll(want, folder, "@"))) {
				t.Errorf("%s: no %s in\n%s", file, want, mistake)
			}
		}
		if got := strings.Count(mistake, "\n") + 1; got != len(wants) {
			t.Errorf("%s: %d mistakes\n%s", file, got, mistake)
		}
	}
}

// What is not served as it was written, and what people would miss, is told with its
// place, and kept out of what other programs read.
func TestCheckWarns(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{
		"good.yaml":   "cookies:\n  - {name: a, provider: P, purpose: p, category: necessary, duration: 400 days}\n", // nobody is asked
		"asking.yaml": "controller: C\ncookies:\n  - {name: a, provider: P, purpose: p, category: statistics, duration: 400 days}\n",
		"bad.yaml": "cookies:\n  - name: a\n    purpose: {en: p, tlh: p}\n    category: necessary\n    duration: 5 years\n" +
			"  - name: b\n    provider: P\n    purpose: p\n    category: statistics\n    exempt: true\n    duration: 400 days\n",
		"future.yaml":       "updated: 2999-01-01\ncookies:\n  - {name: a, provider: P, purpose: p, category: necessary, duration: session}\n",
		"declare.caddyfile": "a.example {\n cookie_charter {\n  charter bad.yaml\n  durations declare\n }\n}\n",
		"Caddyfile":         "a.example {\n cookie_charter {\n  charter bad.yaml\n  preset matomo\n }\n}\n",
	})
	for file, wants := range map[string][]string{
		"good.yaml":   nil,
		"asking.yaml": nil,
		"bad.yaml": {
			`cookie "a": of the duration "5 years", 400 days are enforced and published, as browsers keep no cookie longer; declare that, at ` + folder + "bad.yaml:5",
			`cookie "a": the page does not speak "tlh", the language of its purpose; use one of ar, ca, de, en, es, eu, fr, it, nl, pt, sv, at ` + folder + "bad.yaml:3",
			`cookie "b": of the duration "400 days", 13 months are enforced and published, as an exempt row lives no longer; declare that, at ` + folder + "bad.yaml:11",
			`cookie "a" has no provider; visitors are to be told, at ` + folder + "bad.yaml:2",
			`the charter has no controller; visitors are to be told who asks for their consent: write name and address in "controller"`,
		},
	} {
		for _, path := range []string{file, "Caddyfile"} {
			var out, report bytes.Buffer
			err := runCheck(&out, &report, []string{folder + path}, "json", "en")
			if err != nil || strings.Contains(out.String(), "warning") {
				t.Errorf("%s: %v", path, err)
			}
			if path == "Caddyfile" && wants == nil {
				continue
			}
			title := map[string]string{file: folder + file, "Caddyfile": folder + "Caddyfile: a.example"}[path]
			for _, want := range wants {
				if !strings.Contains(report.String(), title+": warning: "+want+"\n") {
					t.Errorf("%s: no %s in\n%s", path, want, &report)
				}
			}
			if got := strings.Count(report.String(), "\n"); got != len(wants) {
				t.Errorf("%s: %d warnings\n%s", path, got, &report)
			}
		}
	}
	if err := runCheck(new(bytes.Buffer), new(bytes.Buffer), []string{folder + "future.yaml"}, "none", "en"); err == nil || !strings.HasSuffix(err.Error(), "the date 2999-01-01 is still to come; write that of the last update, at "+folder+"future.yaml:1") {
		t.Errorf("got %v", err)
	}
	if handler, err := loadHandler(folder+"declare.caddyfile", ""); err != nil || len(handler.warnings()) != 2 ||
		handler.warnings()[0] != `cookie "a": the duration "5 years" is published, but is not so, as browsers keep no cookie longer than 400 days; declare that, at `+folder+"bad.yaml:5" {
		t.Errorf("%v, or told of durations that are not enforced, or not of those that are not true: %q", err, handler.warnings())
	}
	load(t, "http://:0 {\n bind 127.0.0.1\n cookie_charter {\n  charter "+folder+"bad.yaml\n }\n}")
	log, err := os.ReadFile(filepath.Join(storage(), "log"))
	if err != nil || !bytes.Contains(log, []byte("of the duration \\\"5 years\\\", 400 days are enforced")) {
		t.Errorf("%v, or not in the log", err)
	}
}

// A service that anybody can run is asked about: where it is, only the operator knows.
func TestMissingHosts(t *testing.T) {
	const missing = `consent key "matomo": no row of it has a host, so with the option hosts, pages reach none for it; declare where it is, as in "host stats.example.fr { consent matomo }", unless that is this site itself`
	for block, want := range map[string]string{
		"preset matomo\nhosts":         missing,
		"preset matomo\nhosts monitor": missing,
		"preset matomo":                "",
		"preset matomo\nhosts\nhost m.example {\n consent matomo\n}":                         "",
		"preset matomo\nhosts\nscript /m.js {\n consent matomo\n}":                           "",
		"preset opendatasoft\nhosts":                                                         "",
		"preset opendatasoft\nhosts\ncookie comfort {\n purpose p\n category first_party\n}": "",
		"preset google_analytics at_internet piano xiti eulerian\nhosts":                     "",
	} {
		handler := provision(t, "cookie_charter {\n"+block+"\n}")
		if got := strings.Join(handler.warnings(), "\n"); got != want {
			t.Errorf("%s: %s", block, got)
		}
	}
}

// A host of which a refusal would keep no page is told of.
func TestUnaskedHosts(t *testing.T) {
	const necessary = "host *.example.fr {\n provider p\n purpose p\n category necessary\n}\n"
	const asked = "preset matomo\nhost stats.example.fr {\n consent matomo\n}\n"
	const want = `host "stats.example.fr": host "*.example.fr", which needs no answer, lets it through for all visitors, so a refusal of "matomo" does not keep pages from it; keep one of the two`
	for block, want := range map[string]string{
		"hosts\n" + asked + necessary:                               want,
		"hosts monitor\n" + necessary + asked:                       want,
		asked + necessary:                                           "",
		"hosts\n" + asked + strings.Replace(necessary, "*.", "", 1): "",
	} {
		if got := strings.Join(provision(t, "cookie_charter {\n"+block+"}").warnings(), "\n"); got != want {
			t.Errorf("%s: %s", block, got)
		}
	}
}

func TestExportCommand(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": commandCharter, "Caddyfile": "a.example {\n cookie_charter\n}\nb.example {\n cookie_charter\n}\n"})
	for format, want := range map[string]string{
		"json": `"version": "`, "markdown": "# Charte cookies", "edpb": `"policy": "https://data.example/terms/cookies-policy/"`, "html": "<h2>À quoi servent les cookies sur la plateforme https://data.example</h2>",
	} {
		var out bytes.Buffer
		if err := runExport(&out, folder+"charter.yaml", format, "fr", "https://data.example/"); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, no %s in %.300s", format, err, want, &out)
		}
		// A file cannot be answered, and has no server for its style.
		if page := out.String(); format == "html" && (strings.Contains(page, "<form") || strings.Contains(page, `"stylesheet"`) || strings.Contains(page, `href="?`) || !strings.Contains(page, "<style>") || !strings.Contains(page, ".charter-table {")) {
			t.Errorf("the page is no file by itself: %.2000s", page)
		}
	}
	for language, wants := range map[string][2]string{
		"": {"# Charte cookies"}, "en": {"# Cookie policy"}, "de": {"", `the page does not speak "de"; use one of fr, en, or write its texts in that language, too`}, "tlh": {"", `the page does not speak "tlh"`},
	} {
		var out, table bytes.Buffer
		err := runExport(&out, folder+"charter.yaml", "markdown", language, "https://data.example")
		inCheck := runCheck(&table, new(bytes.Buffer), []string{folder + "charter.yaml"}, "table", language)
		for _, err := range []error{err, inCheck} {
			if (err == nil) != (wants[1] == "") || err != nil && !strings.Contains(err.Error(), wants[1]) || !strings.HasPrefix(out.String(), wants[0]) {
				t.Errorf("%s: %v, %.40s", language, err, &out)
			}
		}
	}
	for _, test := range [][3]string{
		{"charter.yaml", "xml", "https://data.example"}, {"charter.yaml", "json", "data.example"}, {"Caddyfile", "json", "https://data.example"}, {"missing", "json", "https://data.example"},
	} {
		if err := runExport(new(bytes.Buffer), folder+test[0], test[1], "", test[2]); err == nil {
			t.Errorf("%v: %v", test, err)
		}
	}
}

// A page in a file leads to the site, be it that of the config, or, where none is known, has
// nothing of it.
func TestExportedPageStandsAlone(t *testing.T) {
	const block = "cookie_charter {\n  charter charter.yaml\n  page {\n   logo /logo.svg\n   stylesheet /own.css\n  }\n }\n}\n"
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": commandCharter + "    policy: /privacy/\n", "Caddyfile": "*.example, a.example, b.example {\n " + block, "any.caddyfile": ":8080 {\n " + block})
	for arguments, site := range map[string]string{
		"@Caddyfile": "https://a.example", "@Caddyfile --site http://c.example:8080/": "http://c.example:8080", "@any.caddyfile": "", "@charter.yaml": "", "@charter.yaml --site https://b.example": "https://b.example",
	} {
		out, _, mistake := runCommand(append([]string{"export", "--format", "html", "--language", "en"}, strings.Fields(strings.ReplaceAll(arguments, "@", folder))...)...)
		if mistake != "" {
			t.Fatal(mistake)
		}
		for _, dead := range []string{"<form", "<button", "localhost", `src="/`, `href="/`, `href="?`, "<script"} {
			if strings.Contains(out, dead) {
				t.Errorf("%s: has %s", arguments, dead)
			}
		}
		wants := []string{"<title>Cookie policy</title>", `<a class="fr-link">`}
		if site != "" {
			wants = []string{"<title>Cookie policy – " + site + "</title>", `<a class="fr-link" href="` + site + `/"`, `href="` + site + `/privacy/"`}
		}
		if site != "" && !strings.Contains(arguments, "charter.yaml") {
			wants = append(wants, `<img class="charter-logo" src="`+site+`/logo.svg"`, `<link rel="stylesheet" href="`+site+`/own.css">`)
		} else if strings.Contains(out, "<img") || strings.Contains(out, `"stylesheet"`) {
			t.Errorf("%s: shows what is nowhere", arguments)
		}
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s: lacks %s", arguments, want)
			}
		}
	}
}

// A page without a visitor, as it is exported and archived, tells beside each question what
// is set without an answer, as that of a visitor does beside the stored one.
func TestExportedPageTellsExemptions(t *testing.T) {
	const exempt = "cookies:\n  - {name: a, purpose: p, category: statistics, consent: a, exempt: true}\n"
	folder := checks.WriteFiles(t, map[string]string{"all.yaml": exempt, "some.yaml": exempt + "  - {name: b, purpose: q, category: statistics, consent: a}\n", "none.yaml": strings.Replace(exempt, ", exempt: true", "", 1)})
	for file, want := range map[string]string{"all.yaml": "<em>Set without consent, by exemption", "some.yaml": "<em>Some of these cookies are set without consent, by exemption", "none.yaml": ""} {
		out, _, mistake := runCommand("export", folder+file, "--format", "html", "--language", "en")
		if mistake != "" {
			t.Fatal(mistake)
		}
		if !strings.Contains(out, want) || strings.Contains(out, "by exemption") != (want != "") {
			t.Errorf("%s: no %q, or another, in %s", file, want, out)
		}
	}
	address := "http://" + serve(t, false, "cookie_charter {\n charter "+folder+"all.yaml\n}")
	if _, shown := get(t, address+pagePath+"?flg=en", nil); strings.Count(shown, "by exemption") != 1 {
		t.Errorf("what is set by exemption is told twice, or not: %s", shown)
	}
}

// What is exported as YAML is a charter file with the same version.
func TestExportYAML(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": commandCharter})
	var first, again bytes.Buffer
	if err := runExport(&first, folder+"charter.yaml", "yaml", "fr", "https://data.example"); err != nil {
		t.Fatal(err)
	}
	exported := checks.WriteFiles(t, map[string]string{"exported.yaml": first.String()})
	if err := runExport(&again, exported+"exported.yaml", "yaml", "fr", "https://data.example"); err != nil || again.String() != first.String() {
		t.Errorf("%v\n%s\n%s", err, &first, &again)
	}
}

// Texts are in the languages that the page speaks.
func TestLanguageOfCommands(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": commandCharter, "page.md": importPages["page.md"]})
	for _, words := range [][]string{{"check", folder + "charter.yaml"}, {"export", folder + "charter.yaml"}, {"import", folder + "page.md"}} {
		for language, want := range map[string]string{"pl": `invalid argument "pl" for "--language" flag: use one of ar, ca, de,`, "french": `invalid argument "french" for "--language" flag: use one of`, "": "", "en": ""} {
			out, _, mistake := runCommand(append(words, "--language", language)...)
			if words[0] == "import" && language == "" {
				want = `invalid argument "" for "--language" flag: use one of`
			}
			if want == "" && (mistake != "" || out == "") || want != "" && (out != "" || !strings.Contains(mistake, want)) {
				t.Errorf("%s %q: %s, %s", words[0], language, out, mistake)
			}
		}
	}
}

func TestDiffCommand(t *testing.T) {
	changed := strings.NewReplacer("2 weeks", "3 weeks", "provider: Portal", "# nobody", "[_ga, _gid]", "other").Replace(commandCharter)
	inventory, err := json.Marshal(map[string][]InventoryEntry{
		"a.example": {
			{Name: "sessionid", Verdict: judge.Allowed, FromPortal: 3, Attributes: &portalAttributes{Lifetime: "31556952"}, LastSeen: time.Date(2026, 3, 1, 0, 30, 0, 0, time.FixedZone("CET", 3600))},
			{Name: "charter_preference", Verdict: judge.Allowed, Attributes: &portalAttributes{Lifetime: "60"}},
			{Name: "_gid", Verdict: judge.Refused, FromBrowser: 2},
			{Name: "_fbp", Verdict: judge.Refused, FromBrowser: 7, FromScripts: 3},
			{Name: "", Verdict: judge.Undeclared, FromPortal: 1},
			{Item: "AMP_*", Verdict: judge.Undeclared, FromScripts: 4, Networks: 1, Path: "/explore"},
			{Item: "state", Verdict: judge.Allowed, FromScripts: 1},
		},
		"b.example": {},
		"d.example": {
			{Name: "sessionid", Verdict: judge.Allowed, FromPortal: 3, Attributes: &portalAttributes{Lifetime: "60"}},
			{Name: "_ga", Verdict: judge.Refused, FromPortal: 3, Attributes: &portalAttributes{Lifetime: "60"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	folder := checks.WriteFiles(t, map[string]string{
		"hosts.yaml": commandCharter + "  - {host: [a.example, b.example], consent: ga}\n  - {host: c.example, purpose: p, category: necessary}\n  - {host: [c.example, d.example], purpose: q, category: necessary}\n",
		"old.yaml":   commandCharter, "new.yaml": changed, "inventory.json": string(inventory),
		"items.yaml":       commandCharter + "  - {storage: [state, AMP_*], purpose: p, category: statistics}\n  - {storage: unseen, purpose: p, category: statistics}\n",
		"banner.caddyfile": ":80 {\n cookie_charter {\n  charter old.yaml\n  preference complianz\n  preference matomo\n }\n}\n",
	})
	for _, test := range []struct {
		files []string
		host  string
		want  []string
	}{
		{[]string{"old.yaml", "old.yaml"}, "", nil},
		{[]string{"old.yaml", "new.yaml"}, "", []string{"- _ga _gid", "+ other", "~ sessionid: provider was Portal, is not there", "~ sessionid: duration was 2 weeks, is 3 weeks"}},
		{[]string{"old.yaml", "hosts.yaml"}, "", []string{"~ _ga _gid: host was not there, is [a.example b.example]", "+ c.example", "+ c.example (2)"}},
		{[]string{"hosts.yaml"}, "d.example", nil}, // no cookie is seen of a host
		{[]string{"old.yaml"}, "a.example", []string{
			"a.example: longer: sessionid asks for 1 year, declared are 2 weeks", `a.example: undeclared: "_fbp", set by the portal 0 times, sent by browsers 7 times, found in pages 3 times`,
			`a.example: undeclared: "", set by the portal 1 time, sent by browsers 0 times, found in pages 0 times`,
			`a.example: undeclared: stored item "AMP_*", found in pages 4 times`, `a.example: undeclared: stored item "state", found in pages 1 time`,
		}},
		{[]string{"items.yaml"}, "a.example", []string{ // what is not stored is told by nobody
			"a.example: longer: sessionid asks for 1 year, declared are 2 weeks", `a.example: undeclared: "_fbp", set by the portal 0 times, sent by browsers 7 times, found in pages 3 times`,
			`a.example: undeclared: "", set by the portal 1 time, sent by browsers 0 times, found in pages 0 times`,
		}},
		{[]string{"old.yaml"}, "d.example", nil}, // nobody has answered yet
		{[]string{"banner.caddyfile"}, "d.example", nil},
		{[]string{"old.yaml"}, "b.example", []string{"b.example: unseen: sessionid", "b.example: unseen: _ga _gid"}},
	} {
		paths := slices.Clone(test.files)
		for i := range paths {
			paths[i] = folder + paths[i]
		}
		var out bytes.Buffer
		err := runDiff(&out, paths, []string{folder + "inventory.json"}, test.host)
		if got := len(strings.Split(out.String(), "\n")) - 1; errors.Is(err, errDifferences) != (len(test.want) > 0) || err != nil && len(test.want) == 0 || got != len(test.want) {
			t.Errorf("%v: %v\n%s", test.files, err, &out)
		}
		for _, want := range test.want {
			if !strings.Contains(out.String(), want+"\n") {
				t.Errorf("%v: no %q in\n%s", test.files, want, &out)
			}
		}
	}
	if err := runDiff(new(bytes.Buffer), []string{folder + "old.yaml"}, []string{folder + "inventory.json"}, "c.example"); err == nil || !strings.Contains(err.Error(), "there are [a.example b.example d.example]") {
		t.Errorf("%v", err)
	}

	for format, wants := range map[string][]string{
		"table":   {"SITE", `"_fbp"`, "1 year    2026-02-28 23:30:00\n", "STORED ITEM  VERDICT     DECLARED AS  FROM SCRIPTS  NETWORKS", `"AMP_*"      undeclared               4             1`},
		"json":    {`"from_browser": 7`, `"item": "AMP_*"`},
		"charter": {"# a.example: stored, as found in pages 4 times, first for \"/explore\", from one network alone, which can be made up. Suggested by the preset amplitude: ", "storage: AMP_*\n"},
	} {
		var out bytes.Buffer
		if err := runInventory(&out, []string{folder + "inventory.json"}, "", format); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %s in\n%s", format, want, &out)
			}
		}
		if format == "table" && strings.Count(out.String(), `""`) != 1 { // the cookie without a name
			t.Errorf("an item is among the cookies of\n%s", &out)
		}
	}
	for _, address := range []string{folder + "old.yaml", "127.0.0.1:1"} {
		if err := runInventory(new(bytes.Buffer), []string{address}, "", "json"); err == nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// The inventories of several instances are one: counts are added, and what only one has seen
// is there, too.
func TestInventoryOfSeveral(t *testing.T) {
	day := func(day int) time.Time { return time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC) }
	write := func(bySite map[string][]InventoryEntry) string {
		encoded, err := json.Marshal(bySite)
		if err != nil {
			t.Fatal(err)
		}
		return string(encoded)
	}
	folder := checks.WriteFiles(t, map[string]string{
		"one.json": write(map[string][]InventoryEntry{"a.example": {
			{Name: "b", Verdict: judge.Refused, FromPortal: 2, FromBrowser: 1, FromScripts: 2, Attributes: &portalAttributes{Lifetime: "60"}, Path: "/late", FirstSeen: day(2), LastSeen: day(3)},
			{Name: "c", Verdict: judge.Undeclared, FromPortal: 1, FirstSeen: day(1), LastSeen: day(1)},
			{Item: "b", Verdict: judge.Undeclared, FromScripts: 2, Networks: 1, Path: "/late", FirstSeen: day(2), LastSeen: day(2)},
			{Host: "t.example", Reports: &hostReports{2, 1, 3, []string{"img-src", "script-src"}}, FirstSeen: day(1), LastSeen: day(1)},
		}}),
		"other.json": write(map[string][]InventoryEntry{
			"a.example": {
				{Name: "a", Verdict: judge.Undeclared, FromBrowser: 1, FirstSeen: day(1), LastSeen: day(1)},
				{Name: "b", Verdict: judge.Allowed, FromBrowser: 5, FromScripts: 1, Path: "/early", FirstSeen: day(1), LastSeen: day(4)},
				{Item: "b", Verdict: judge.Refused, FromScripts: 3, Networks: 2, FirstSeen: day(1), LastSeen: day(3)},
				{Host: "t.example", Reports: &hostReports{5, 0, 2, []string{"font-src", "img-src"}}, FirstSeen: day(1), LastSeen: day(2)},
			},
			"b.example": {{Name: "z", Verdict: judge.Undeclared, FromPortal: 1, FirstSeen: day(1), LastSeen: day(1)}},
		}),
		"charter.yaml": "cookies:\n  - {name: b, purpose: p, category: statistics}\n",
	})
	want := map[string][]InventoryEntry{
		"a.example": {
			{Name: "a", Verdict: judge.Undeclared, FromBrowser: 1, FirstSeen: day(1), LastSeen: day(1)},
			{Name: "b", Verdict: judge.Allowed, FromPortal: 2, FromBrowser: 6, FromScripts: 3, Attributes: &portalAttributes{Lifetime: "60"}, Path: "/early", FirstSeen: day(1), LastSeen: day(4)},
			{Name: "c", Verdict: judge.Undeclared, FromPortal: 1, FirstSeen: day(1), LastSeen: day(1)},
			{Item: "b", Verdict: judge.Refused, FromScripts: 5, Networks: 2, Path: "/late", FirstSeen: day(1), LastSeen: day(3)},
			{Host: "t.example", Reports: &hostReports{7, 1, 3, []string{"font-src", "img-src", "script-src"}}, FirstSeen: day(1), LastSeen: day(2)},
		},
		"b.example": {{Name: "z", Verdict: judge.Undeclared, FromPortal: 1, FirstSeen: day(1), LastSeen: day(1)}},
	}
	for _, names := range [][]string{{"one.json", "other.json"}, {"other.json", "one.json"}} {
		out, _, mistake := runCommand("inventory", "--format", "json", "--address", folder+names[0], "--address", folder+names[1])
		var got map[string][]InventoryEntry
		if err := json.Unmarshal([]byte(out), &got); err != nil || mistake != "" || !reflect.DeepEqual(got, want) {
			t.Errorf("%v, %s\n%s", err, mistake, out)
		}
		out, _, _ = runCommand("diff", folder+"charter.yaml", "--host", "a.example", "--address", folder+names[0], "--address", folder+names[1])
		for _, want := range []string{`undeclared: "a"`, `undeclared: "c"`, `host "t.example", reported 7 times`} {
			if !strings.Contains(out, want) {
				t.Errorf("no %s in\n%s", want, out)
			}
		}
	}
	if _, _, mistake := runCommand("inventory", "--address", folder+"one.json", "--address", "127.0.0.1:1"); !strings.Contains(mistake, "connection refused") {
		t.Errorf("one of two is not there: %s", mistake)
	}
}

// Tables fit a terminal, and lose nothing by it; in a pipe, a row is a line.
func TestTablesFit(t *testing.T) {
	purpose := strings.TrimSpace(strings.Repeat("Remembers what was said, ", 9))
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": strings.Replace(commandCharter, "Counts visits", strconv.Quote(purpose), 1)})
	for _, width := range []int{80, 0} {
		var shown bytes.Buffer
		if err := runCheck(&terminal.Printer{Out: &shown, Width: width}, io.Discard, []string{folder + "charter.yaml"}, "table", "en"); err != nil {
			t.Fatal(err)
		}
		_, table, _ := strings.Cut(shown.String(), "NAME ")
		longest := 0
		for line := range strings.Lines(table) {
			longest = max(longest, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")))
		}
		if words := strings.Count(table, "Remembers"); words != 9 || (longest <= 80) != (width == 80) || width == 0 && !strings.Contains(table, purpose+"\n") {
			t.Errorf("%d wide, with %d of 9 words:\n%s", longest, words, table)
		}
	}
}

// Each command shows how it is used, and shells complete what its flags take.
func TestCommandsHelp(t *testing.T) {
	root := &cobra.Command{Use: "cookie-charter"}
	addCommands(root)
	for _, command := range root.Commands() {
		if !strings.HasPrefix(command.Example, "  caddy cookie-charter "+command.Name()+" ") {
			t.Errorf("%s has no example: %q", command.Name(), command.Example)
		}
		for _, name := range []string{"format", "language", "publish"} {
			flag := command.Flags().Lookup(name)
			if flag == nil {
				continue
			}
			out, _, mistake := runCommand("__complete", command.Name(), "--"+name+"=")
			values := strings.Fields(strings.TrimSuffix(out, ":4\n"))
			if len(values) < 2 || mistake != "" || flag.DefValue != "" && !slices.Contains(values, flag.DefValue) {
				t.Errorf("%s --%s is completed by %q, %s", command.Name(), name, values, mistake)
			}
			for _, value := range values {
				if name != "language" && !strings.Contains(flag.Usage, value) {
					t.Errorf("%s --%s: %s is not told", command.Name(), name, value)
				}
			}
		}
	}
}

// nasty is what no terminal may be given: a title, a colour by a C1 byte and by its
// character, another direction, a line of its own, and what is no UTF-8.
const nasty = "\x1b]0;x\x07\u009b31m\x9b31m\u202e\u2066\r\n\x7f\ufdd0\xff"

// isClean tells whether a text can be printed.
func isClean(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsAny(text, "\x1b\x07\u009b\u202e\u2066\r\x7f\ufdd0")
}

// A server that says what no terminal may be given, wherever it can, is not heard.
func TestNothingIsPrintedRaw(t *testing.T) {
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	inHeader := strings.NewReplacer("\r\n", "", "\x1b", "", "\x07", "", "\x7f", "", ";", "").Replace(nasty)
	quoted, err := json.Marshal(nasty)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{
		"/":        `<a href="/404` + nasty + `">1</a><a href="/500?` + inHeader + `">2</a><a href="/hop` + inHeader + `">3</a><a href="/status">4</a><a href="/line">5</a><a href="/chunk">6</a>`,
		"/table":   "<h2>" + nasty + "</h2><table><tr><th>Name<th>Purpose<th>Duration<th>Provider<tr><td>a" + nasty + "b<td>p" + nasty + "q<td>d" + nasty + "<td>" + nasty + "<tr><td>ok<td>" + nasty + "<td>2 " + nasty + "<td></table>",
		"/lines":   "| Name | Purpose | Duration |\n|---|---|---|\n| a" + nasty[:5] + "\u009b\u202e | b\u009b | c\u202e |\n",
		"/unknown": `{"` + "x" + `": 1, ` + string(quoted) + `: 2}`,
		"/name":    `{"cookies":[{"name":` + string(quoted) + `,"purpose":"p","category":"necessary"}]}`,
		"/twice":   `{"cookies":[{"name":"a","purpose":{` + string(quoted) + `:"p"},"category":"necessary"}]}`,
		"/field":   `{"cookies":[{"name":"a",` + string(quoted) + `:"p",` + string(quoted) + `:"p"}]}`,
		"/yaml":    "cookies: [" + nasty,
		"/version": `{"version":` + string(quoted) + `,"cookies":[{"name":"sessionid","purpose":"p","category":"necessary"}]}`,
	}
	address := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Add("Set-Cookie", "a"+inHeader+"=1; Path=/"+inHeader)
		w.Header().Add("Set-Cookie", strings.Repeat("long", 900)+"=1")
		raw := map[string]string{
			"/status": "HTTP/1.1 500 " + nasty[:4] + "\u009b\r\nContent-Length: 0\r\n\r\n", "/line": "HTTP/9\x1b[31m \u009b\r\n\r\n", "/chunk": "HTTP/1.1 200 OK\r\nX\x1b\u009b: y\r\n\r\n",
			"/moved": "HTTP/1.1 302 Found\r\nLocation: http://\u009b\u202e.example/\r\nContent-Length: 0\r\n\r\n",
			"/port":  "HTTP/1.1 302 Found\r\nLocation: http://a:\u009b/\r\nContent-Length: 0\r\n\r\n",
		}[r.URL.Path]
		switch {
		case raw != "":
			connection, writer, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			_, _ = writer.WriteString(raw)
			_ = writer.Flush()
		case strings.HasPrefix(r.URL.Path, "/404"):
			w.WriteHeader(http.StatusNotFound)
		case strings.HasPrefix(r.URL.Path, "/500"):
			w.WriteHeader(http.StatusInternalServerError)
		case strings.HasPrefix(r.URL.Path, "/hop"):
			w.Header()["Location"] = []string{"http://a" + inHeader + ".example/"}
			w.WriteHeader(http.StatusFound)
		default:
			_, _ = io.WriteString(w, answers[r.URL.Path])
		}
	})
	check := func(words ...string) (out, report, mistake string) {
		t.Helper()
		out, report, mistake = runCommand(words...)
		for _, text := range []string{out, report, mistake} {
			if !isClean(text) {
				t.Errorf("%q prints %q", words, text)
			}
		}
		if out+report+mistake == "" {
			t.Errorf("%q prints nothing", words)
		}
		return out, report, mistake
	}
	for _, format := range []string{"text", "json", "html"} {
		out, _, mistake := check("audit", address, "--charter", charter, "--format", format)
		if strings.Contains(mistake, address) || !strings.Contains(out, "500") {
			t.Errorf("%s: %s, %s", format, out, mistake)
		}
		var report audit.Report
		if format == "json" && (json.Unmarshal([]byte(out), &report) != nil || len(report.Visits) != 1 || !strings.Contains(report.Visits[0].Cookies[0].Name, "\u009b")) {
			t.Errorf("%s", out)
		}
		if format == "text" && strings.Contains(out, strings.Repeat("long", 100)) {
			t.Errorf("%s", out)
		}
		check("audit", address, "--charter", address+"/version", "--format", format)
	}
	for path := range answers {
		check("audit", address, "--charter", address+path)
	}
	for _, path := range []string{"/status", "/line", "/chunk", "/moved", "/port", "/hop"} {
		check("audit", address, "--charter", address+path)
		check("audit", address+path, "--charter", charter)
		check("import", address+path)
	}
	for _, path := range []string{"/table", "/lines"} {
		out, _, mistake := check("import", address+path)
		if mistake != "" || yaml.Unmarshal([]byte(out), new(any)) != nil || !strings.Contains(out, `\u009b`) {
			t.Errorf("%s: %s\n%s", path, mistake, out)
		}
	}
	for format := range map[string]string{"text": "", "html": ""} {
		if _, _, mistake := check("audit", address, "--format", format, "--charter", "\x1b"); mistake == "" {
			t.Error("finds a charter")
		}
	}

	// A certificate names hosts.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	named := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "\x1b[31m\u009b\u202e"}, DNSNames: []string{"a\x1b[31m"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, named, named, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	secure.StartTLS()
	defer secure.Close()
	check("import", secure.URL)
	check("audit", secure.URL, "--charter", charter)
}

// The commands are part of Caddy, and scripts can use their exit codes.
func TestCommandsOfCaddy(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{"old.yaml": commandCharter, "new.yaml": strings.Replace(commandCharter, "2 weeks", "3 weeks", 1), "broken.yaml": "cookies: []"})
	binary := folder + "caddy"
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/caddy").CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	portal := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, `<a href="/broken">`)
	})
	for arguments, want := range map[string]struct {
		code int
		out  string
	}{
		"chekc @old.yaml":                      {1, "unknown command"},
		"diff @old.yaml @old.yaml --address x": {1, "leave out one of them"},
		"check @old.yaml --format xml":         {1, "use one of table, json, yaml, markdown, none"},
		"check @old.yaml":                      {0, "_ga _gid"},
		"check @broken.yaml":                   {1, "declares no cookie"},
		"diff @old.yaml @old.yaml":             {0, ""},
		"diff @old.yaml @new.yaml":             {2, "~ sessionid: duration was 2 weeks, is 3 weeks"},
		"export @old.yaml":                     {0, `"cookies": [`},
		"inventory --address 127.0.0.1:1":      {1, "connection refused"},
		"check --help":                         {0, "caddy cookie-charter check charter.yaml"},
		"verify @old.yaml":                     {1, "names no archive"},
		"verify":                               {1, "accepts 1 arg(s)"},
		"diff --hosts a @old.yaml":             {1, "unknown flag: --hosts"},
		"audit --hosts=a":                      {1, "invalid argument"},

		"audit " + portal + " --charter @old.yaml": {1, "pages or visits are missing, so that it is not known"},
	} {
		command := exec.Command(binary, append([]string{"cookie-charter"}, strings.Fields(strings.ReplaceAll(arguments, "@", folder))...)...)
		out, _ := command.CombinedOutput()
		if code := command.ProcessState.ExitCode(); code != want.code || !strings.Contains(string(out), want.out) {
			t.Errorf("%s: %d\n%s", arguments, code, out)
		}
	}

	// What Caddy makes of all its commands has ours.
	if out, err := exec.Command(binary, "manpage", "--directory", folder+"man").CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	root := &cobra.Command{Use: "cookie-charter"}
	addCommands(root)
	for _, command := range root.Commands() {
		page, err := os.ReadFile(folder + "man/caddy-cookie-charter-" + command.Name() + ".8")
		if err != nil || !strings.Contains(string(page), "caddy cookie-charter "+command.Use+" ") || !strings.Contains(string(page), ".SH EXAMPLE") {
			t.Errorf("%v: no page of %s: %s", err, command.Name(), page)
		}
	}
	out, err := exec.Command(binary, "__complete", "cookie-charter", "").Output()
	if got := strings.Count(string(out), "\n"); err != nil || got != len(root.Commands())+1 || !strings.Contains(string(out), "verify\t") {
		t.Errorf("%v: completes %s", err, out)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, err := exec.Command(binary, "completion", shell).Output(); err != nil || !strings.Contains(string(out), "__complete") {
			t.Errorf("%s: %v", shell, err)
		}
	}
}

// What says how to visit a site is no word for a report, and where to publish none for an
// audit that is not published.
func TestAuditFlags(t *testing.T) {
	report := checks.WriteFiles(t, map[string]string{"audit.json": "{}"}) + "audit.json"
	for words, want := range map[string]string{
		report + " --browser":                       "--browser is for audits that are made, and " + report + " is the report of one",
		report + " --since " + report:               "--since is for audits that are made",
		report:                                      "reading the report in " + report + ": it is no report",
		report + " --address localhost:1":           "--address goes with --publish",
		report + " --publish=all":                   `invalid argument "all" for "--publish" flag: use one of clean, findings`,
		report + " --publish --format html":         "reading the report",
		"http://127.0.0.1:1 --publish --format pdf": `invalid argument "pdf" for "--format" flag: use one of text, json, html, junit`,
		"opendata.example.fr --publish":             "unusable address",
	} {
		if _, _, mistake := runCommand(append([]string{"audit"}, strings.Fields(words)...)...); !strings.Contains(mistake, want) {
			t.Errorf("%s: %s", words, mistake)
		}
	}
}

// The page tells how long a banner keeps its cookie only if the operator has said so.
func TestBannerWithoutDuration(t *testing.T) {
	const row = " cookie klaro {\n purpose x\n provider y\n category necessary\n duration \"6 months\"\n }\n"
	for rows, lacks := range map[string]bool{"": true, row: false} {
		path := checks.WriteFiles(t, map[string]string{"Caddyfile": ":80 {\n cookie_charter {\n preset matomo\n preference klaro\n" + rows + " }\n}\n"}) + "Caddyfile"
		_, printed, mistakes := runCommand("check", path)
		if told := strings.Contains(printed+mistakes, `cookie "klaro", in which a banner keeps answers, has no duration`); told != lacks {
			t.Errorf("%q: %s%s", rows, printed, mistakes)
		}
	}
}

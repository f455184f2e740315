package cookiecharter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-charter/cookie_charter/internal/document"
)

// TestLoadErrors shows what is said at load, and that the old config stays.
func TestLoadErrors(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter\nheader +Set-Cookie x=1\nrespond old")
	path := filepath.Join(t.TempDir(), "charter.yaml")
	if err := os.WriteFile(path, []byte("cookies:\n  - name: a\n    purpose: p\n    category: statistics\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	manyKeys := new(strings.Builder)
	for i := range 60 {
		fmt.Fprintf(manyKeys, "cookie c%d {\n purpose p\n category statistics\n consent %064d\n}\n", i, i)
	}
	for block, want := range map[string]string{
		"charter no/such.yaml":         "no/such.yaml",
		"charter " + path + " " + path: "cookie \"a\" is declared twice; remove one of the two, at " + path + ":2 and " + path + ":2",
		"charter " + path + "\ncookie a {\n purpose p\n category necessary\n}":           "cookie \"a\" is declared twice; remove one of the two, at " + path + ":2 and inline row 1",
		"cookie cookies_preferences {\n purpose p\n category statistics\n}":              "cookie \"cookies_preferences\" holds the visitor's preference, which has to be kept in any case; make its category necessary, at inline row 1",
		"cookie cookies_preferences {\n match other\n purpose p\n category necessary\n}": "the row of this name matches others; add it to the row's match",
		manyKeys.String(): "60 consent keys",
	} {
		err := tryLoad(t, "http://:0 {\n bind 127.0.0.1\n cookie_charter {\n"+block+"\n}\n}")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v", block, err)
		}
	}
	for config, want := range map[string]string{
		`{"presets":["joomla"]}`:                                                                       `unknown preset "joomla"`,
		`{"cookies":[{"name":"a b","purpose":"p"}]}`:                                                   `"a b" is not a cookie name`,
		`{"cookies":[{"name":"a","purpose":"p","categry":"x"}]}`:                                       `unknown field "categry"`,
		`{"cookies":[{"name":1}]}`:                                                                     "names are a string or an array of strings",
		`{"cookies":[{"name":"a","purpose":["p"]}]}`:                                                   "a text is a string or an object from languages to strings",
		`{"cookies":[{"name":"a","purpose":{"klingon!":"p"}}]}`:                                        `unknown language "klingon!"`,
		`{"cookies":[{"name":"a"}]}`:                                                                   "missing purpose; say in \"purpose\" what the cookie is for, at inline row 1",
		`{"cookies":[{"name":"a","purpose":{"fr":"x","fr-CA":"y"}}]}`:                                  `two texts in the language "fr"`,
		`{"cookies":[{"name":"a","match":null,"purpose":null}]}`:                                       "missing purpose",
		`{"request_cookies":"drop"}`:                                                                   `unknown request_cookies "drop"; use filter or pass`,
		`{"durations":"shorten"}`:                                                                      `unknown durations "shorten"; use enforce or declare`,
		`{"gpc":"yes"}`:                                                                                `unreadable date "yes"`,
		`{"gpc":"2026-11-21","page":{"path":"/.well-known/gpc.json"}}`:                                 "choose another path for the page",
		`{"cookies":[{"name":"a","purpose":"p","category":"necessary","domain":"fr"}]}`:                `unusable domain "fr"`,
		`{"cookies":[{"name":"a","purpose":"p","category":"necessary","domain":"127.0.0.1"}]}`:         `unusable domain "127.0.0.1"`,
		`{"cookies":[{"name":"a","purpose":"p","category":"necessary","domain":"example.fr."}]}`:       `unusable domain "example.fr."`,
		`{"cookies":[{"name":"__Host-a","purpose":"p","category":"necessary","domain":"example.fr"}]}`: `"__Host-a" can have no domain`,
		`{"cookies":[{"name":"a","purpose":"p","category":"necessary","same_site":"None"}]}`:           "browsers refuse SameSite=None without Secure; add secure",
		`{"monitor":"rows"}`:                                                                           `unknown monitor "rows"; use everything or undeclared`,
		`{"preferences":[{"format":"matomo","cookie":"x"}]}`:                                           "the cookies of the preference format matomo have their own names; name none",
		`{"updated":"yesterday"}`:                                                                      `unreadable date "yesterday"`,
		`{"page":{"path":"terms"}}`:                                                                    `"terms" is no path for the page`,
		`{"page":{"path":"/"}}`:                                                                        `"/" is no path for the page`,
		`{"page":{"path":"/a/../b"}}`:                                                                  `"/a/../b" is no path for the page`,
		`{"language":"tlh"}`:                                                                           `the page does not speak "tlh"; use one of ar, ca, de,`,
		`{"preferences":[{"format":"cookiebox"}]}`:                                                     `unknown preference format "cookiebox"; use one of axeptio, borlabs,`,
		`{"preferences":[{"format":"cookiebot","cookie":"a b"}]}`:                                      `"a b" is not a cookie name`,
		`{"preferences":[{"format":"json"}]}`:                                                          "the preference format json has no usual cookie; name it",
		`{"preferences":[{"format":"iubenda"}]}`:                                                       "the cookie of the preference format iubenda has a name of each portal's own; name it, as _iub_cs-<site>",
		`{"preferences":[{"format":"klaro","path":"a"}]}`:                                              "it is known where the preference format klaro has its answers; remove path, list, granted, refused and proof",
		`{"preferences":[{"format":"json","cookie":"x","list":"a","granted":"1"}]}`:                    "a list has what is granted, and no words for it; remove path, granted and refused, or list",
		`{"preferences":[{"format":"json","cookie":"x","granted":"1","refused":["0","1"]}]}`:           `"1" cannot both grant and refuse`,
		`{"preferences":[{"format":"json","cookie":"x","granted":"false"}]}`:                           `"false" cannot both grant and refuse`,
		`{"preferences":[{"format":"json","cookie":"x","granted":""}]}`:                                "nothing is no answer, and no proof of one; remove the empty word",
		`{"preferences":[{"format":"json","cookie":"x","proofs":{"a":["b",""]}}]}`:                     "nothing is no answer, and no proof of one; remove the empty word",
		`{"preferences":[{"format":"json","cookie":"x","path":"a..b"}]}`:                               `unusable path "a..b"; write names with dots between`,
		`{"preferences":[{"format":"json","cookie":"x","path":"$.services.*.status"}]}`:                `unusable path "$.services.*.status"; write names with dots between, from the outermost, and * for the name of a key, as in services.*.status`,
		`{"preferences":[{"format":"json","cookie":"x","path":"services[*].status"}]}`:                 `unusable path "services[*].status"; write names with dots between, from the outermost, and * for the name of a key, as in services.*.status`,
		`{"preferences":[{"format":"json","cookie":"x","path":"s*.status"}]}`:                          `unusable path "s*.status"; write names with dots between, from the outermost, and * for the name of a key, as in services.*.status`,
		`{"preferences":[{"format":"json","cookie":"x","path":"*.a.*"}]}`:                              `unusable path "*.a.*"; * can stand once in a path to answers, and in none to a proof`,
		`{"preferences":[{"format":"json","cookie":"x","proofs":{"a.*":[]}}]}`:                         `unusable path "a.*"; * can stand once in a path to answers, and in none to a proof`,
		`{"preferences":[{"format":"json","cookie":"x","path":["a"]}]}`:                                "path is a text, in quotes, not a list, in preference 1",
		`{"preferences":[{"format":"json","cookie":"x","proof":{}}]}`:                                  `unknown field "proof": JSON calls it proofs, in preference 1`,
		`{"preferences":[{"format":"complianz","cookie":"x"}]}`:                                        "the cookies of the preference format complianz have their own names; name none",
		`{"preferences":[{"format":"osano","manage":"javascript:x"}]}`:                                 `unusable link "javascript:x"`,
		`{"preferences":[{"format":"json","cookie":"x"},{"format":"opendatasoft","cookie":"x"}]}`:      `two preferences, json and opendatasoft, are written into the cookie "x"; keep one`,
		`{"preferences":[{"format":"osano","cookie":"charter_preference"},{"format":"charter"}]}`:      "two preferences, osano and charter, are written into",
		`{"preferences":[{"format":"charter","keys":{"matomo":"x"}}]}`:                                 "the preference format charter has the charter's own keys; remove key",
		`{"preferences":[{"format":"klaro","revision":2}]}`:                                            "the preference format klaro knows no revision; remove it",
		`{"preferences":[{"format":"charter","local_storage":"x"}]}`:                                   "nothing is known to keep the preference format charter in local storage",
		`{"preferences":[{"format":"complianz","local_storage":"x"}]}`:                                 "nothing is known to keep the preference format complianz in local storage",
		`{"preferences":[{"format":"matomo","local_storage":"x"}]}`:                                    "nothing is known to keep the preference format matomo in local storage",
		`{"cookies":[{"name":"a"},{"name":"b","duration":5}]}`:                                         "duration is a text, in quotes, not a number, at inline row 2",
		`{"cookies":[{"name":"a","exempt":"yes"}]}`:                                                    "exempt is true or false, not a text, at inline row 1",
		`{"cookies":[{"name":"a","purposes":"p"}]}`:                                                    `unknown field "purposes"; there are name, match, host, script, storage, provider, policy, country, service, purpose, category, consent, exempt, duration, domain, path, secure, http_only, same_site, monitor, at inline row 1`,
		`{"cookies":[{"host":"A.fr","purpose":"p","category":"necessary"}]}`:                           `host "A.fr": "A.fr" is not written as browsers match it; write a.fr, at inline row 1`,
		`{"cookies":[{"host":"a.fr","consent":"matomo"}]}`:                                             `host "a.fr": no row has the consent key "matomo", to which it would be added; name the preset matomo, whose rows have it, beside this charter, and check the Caddyfile that does, or say in "purpose" and "category" what it is for, at inline row 1`,
		`{"cookies":[{"script":"a.js","consent":"matomo"}]}`:                                           `script "a.js": "a.js" is no path of a script`,
		`{"cookies":[{"host":5}]}`:                                                                     "names are a string or an array of strings, at inline row 1",
		`{"host":["a.fr"]}`:                                                                            `unknown field "host": JSON calls it cookies`,
		`{"hosts":"report"}`:                                                                           `unknown hosts "report"; use enforce or monitor, remove it for neither, and declare hosts by "host"`,
		`{"third_party_cookies":"block"}`:                                                              `unknown third_party_cookies "block"; use omit`,
		`{"cookies":["a"]}`:                                                                            "what has to be an object, in braces is a text, at inline row 1",
		`{"cookies":{"name":"a"}}`:                                                                     "cookies is a list, in brackets, not an object",
		`{"cookies":[{"name":"a","purpose":"a\u202eb"}]}`:                                              "the text has the character U+202E, which people do not see; remove it, at inline row 1",
		`{"presets":"matomo"}`:                                                                         "presets is a list, in brackets, not a text",
		`{"preset":["matomo"]}`:                                                                        `unknown field "preset": JSON calls it presets`,
		`{"debug_header":"on"}`:                                                                        "debug_header is true or false, not a text",
		`{"page":{"titel":"x"}}`:                                                                       `unknown field "titel"; there are path, title, logo, theme, stylesheet, header, footer, template, archive, in page`,
		`{"page":{"title":"a\u001bb"}}`:                                                                "the text has the character U+001B, which people do not see; remove it, in page",
		`{"page":{"title":{"tlh":"x"}}}`:                                                               `the page does not speak "tlh"; use one of ar, ca, de,`,
		`{"page":{"path":5}}`:                                                                          "path is a text, in quotes, not a number, in page",
		`{"page":{"footer":"no/footer.html"}}`:                                                         "open " + folder + "/no/footer.html: no such file",
		`{"page":{"archive":"no/archive"}}`:                                                            "open " + folder + "/no/archive: no such file",
		`{"charters":["no/such.yaml"]}`:                                                                "reading the charter file " + folder + "/no/such.yaml: ",
		`{"preferences":[{"format":"osano"},{"format":"osano","revision":1.5}]}`:                       "revision is a whole number, not the number 1.5, in preference 2",
		`{"preferences":[{"format":"osano","key":{}}]}`:                                                `unknown field "key": JSON calls it keys, in preference 1`,
		`{"updated":"2999-01-01"}`:                                                                     "the date 2999-01-01 is still to come",
		`{"gpc":"2999-01-01"}`:                                                                         "the date 2999-01-01 is still to come",
		`{"preferences":[{"format":"osano","keys":{"matomo":"x"}}]}`:                                   `no cookie has the consent key "matomo", for which the preference osano has a key; no row needs an answer`,
	} {
		handler := strings.Replace(config, "{", `{"handler":"cookie_charter",`, 1)
		err := caddy.Load([]byte(`{"admin":{"disabled":true},"apps":{"http":{"servers":{"x":{"listen":["127.0.0.1:0"],"routes":[{"handle":[`+handler+`]}]}}}}}`), true)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", config, err)
		}
	}
	if response, body := get(t, address+"/", nil); body != "old" || response.Header["Set-Cookie"] != nil {
		t.Errorf("the old config does not serve: %q %v", body, response.Header)
	}
}

// The version of the module is that of the binary.
func TestModuleVersion(t *testing.T) {
	const path = "github.com/cookie-charter/cookie_charter"
	other := &debug.Module{Path: "example.org/other", Version: "v9.9.9"}
	for want, build := range map[string]*debug.BuildInfo{
		"v1.2.3":               {Deps: []*debug.Module{other, {Path: path, Version: "v1.2.3"}}},
		"v1.3.0":               {Deps: []*debug.Module{{Path: path, Version: "v1.2.3", Replace: &debug.Module{Path: "example.org/fork", Version: "v1.3.0"}}}},
		"v0.0.0 (devel)":       {Deps: []*debug.Module{{Path: path, Version: "v0.0.0", Replace: &debug.Module{Path: "/src", Version: "(devel)"}}}},
		"v2.0.0":               {Main: debug.Module{Path: path, Version: "v2.0.0"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}}},
		"(devel) abc":          {Main: debug.Module{Path: path, Version: "(devel)"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}}},
		"(devel) abc modified": {Main: debug.Module{Path: path, Version: "(devel)"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}},
		"(unknown)":            {Main: debug.Module{Path: "example.org/main", Version: "v1.0.0"}, Deps: []*debug.Module{other}},
	} {
		if got := versionIn(build, path); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if moduleVersion() == "" {
		t.Error("none")
	}
	if out, _, mistake := runCommand("--version"); !strings.Contains(out, moduleVersion()) || mistake != "" {
		t.Errorf("--version tells %q, %s", out, mistake)
	}
	address := "http://" + serve(t, false, "cookie_charter")
	var exported struct{ Module string }
	if _, body := get(t, address+pagePath+"?format=json", nil); json.Unmarshal([]byte(body), &exported) != nil || exported.Module != moduleVersion() {
		t.Errorf("%s is not in %s", moduleVersion(), body)
	}
	log, err := os.ReadFile(filepath.Join(storage(), "log"))
	if err != nil || !bytes.Contains(log, []byte(`"msg":"charter loaded","module":"`+moduleVersion()+`"`)) {
		t.Errorf("%v, or not in the log", err)
	}
}

// TestJSONConfig loads by JSON what the Caddyfile declares elsewhere.
func TestJSONConfig(t *testing.T) {
	load(t, "http://:0 {\n bind 127.0.0.1\n cookie_charter\n}") // its logs go to a file
	handler := provision(t, "cookie_charter")
	config := `{"presets":["matomo"],"charters":["testdata/charter.yaml"],"cookies":[{"name":["a","b"],"purpose":{"fr":"f"},"category":"third_party"}],
		"updated":"2026-11-26","page":{"path":"/cookies"},"language":"en","preferences":[{"format":"opendatasoft","cookie":"choices"}]}`
	*handler = Handler{}
	if err := caddy.StrictUnmarshalJSON([]byte(config), handler); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := handler.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"choices", "a", "b", "_pk_id.1.1", "from_file"} {
		if handler.charter.Find(name) == nil {
			t.Errorf("%s is not declared", name)
		}
	}
	if handler.charter.Find("cookies_preferences") != nil || handler.charter.Find("sessionid") != nil {
		t.Error("more is declared")
	}
	if !handler.page.Serves("/cookies/") || handler.charter.Updated.Day() != 26 {
		t.Error("options are not taken")
	}
}

// TestTwoSites shows that two charters do not mix.
func TestTwoSites(t *testing.T) {
	port := freePort()
	load(t, fmt.Sprintf(`
		http://:%d {
			bind 127.0.0.1
			cookie_charter {
				preset django
			}
			header +Set-Cookie ckan=1
			header +Set-Cookie sessionid=1
		}
		http://:%d {
			bind 127.0.0.1
			cookie_charter {
				preset ckan
			}
			header +Set-Cookie ckan=1
			header +Set-Cookie sessionid=1
		}`, port, port+1))
	for i, want := range []string{"sessionid=1", "ckan=1"} {
		response, _ := get(t, fmt.Sprintf("http://127.0.0.1:%d/", port+i), nil)
		if got := response.Header["Set-Cookie"]; len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestExample runs Caddyfile.example as the README tells.
func TestExample(t *testing.T) {
	content, err := os.ReadFile("Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	charter, portal, admin := freePort(), freePort(), freePort()
	example := strings.NewReplacer("8080", fmt.Sprint(charter), "8081", fmt.Sprint(portal), "8082", fmt.Sprint(admin)).Replace(string(content))
	// The commands that ask a running Caddy say where the example is asked.
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`(?m)^\s*admin (\S+)$`).FindSubmatch(content)
	for name, text := range map[string][]byte{"README.md": readme, "Caddyfile.example": content} {
		if asked == nil || !bytes.Contains(text, fmt.Appendf(nil, "go run ./cmd/caddy cookie-charter inventory --address %s", asked[1])) {
			t.Errorf("%s does not say where to ask the example: %s", name, asked)
		}
	}
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(example), map[string]any{"filename": "Caddyfile.example"})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	granted := http.Header{"Cookie": {"cookies_preferences=%7B%22matomo%22%3Atrue%7D"}}
	for _, test := range []struct {
		port   int
		header http.Header
		want   int
	}{{portal, nil, 7}, {charter, nil, 4}, {portal, granted, 7}, {charter, granted, 5}} {
		response, body := get(t, fmt.Sprintf("http://127.0.0.1:%d/", test.port), test.header)
		if got := len(response.Header["Set-Cookie"]); got != test.want || !strings.Contains(body, "Open data of Exampleville") {
			t.Errorf("%+v: %d cookies", test, got)
		}
	}
	var seen bytes.Buffer
	if err := runInventory(&seen, []string{fmt.Sprintf("localhost:%d", admin)}, fmt.Sprintf("127.0.0.1:%d", charter), "table"); err != nil || !strings.Contains(seen.String(), "AWSALB") {
		t.Errorf("%v\n%s", err, &seen)
	}
}

// A policy that servers in front would refuse is told of at load, with all hosts in it.
func TestPolicyIsBounded(t *testing.T) {
	load := func(option string, excess int) error {
		long := document.MaxPolicy + excess - len(document.Policy([]string{"*.example.fr"})) - len(" cdn.example/")
		handler := new(Handler)
		block := "cookie_charter {\n" + option + "\nhost *.example.fr {\n purpose p\n category third_party\n}\nhost *.example.fr cdn.example/" + strings.Repeat("a", long) + " {\n purpose p\n category necessary\n}\n}"
		if err := handler.UnmarshalCaddyfile(caddyfile.NewTestDispenser(block)); err != nil {
			t.Fatal(err)
		}
		return handler.prepare()
	}
	want := fmt.Sprintf("the policy of documents would have %d bytes, 7 too many", document.MaxPolicy+7)
	for _, option := range []string{"hosts", "hosts monitor"} {
		if err := load(option, 7); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", option, err, want)
		}
	}
	for option, excess := range map[string]int{"hosts": 0, "gpc 2026-11-21": 7} {
		if err := load(option, excess); err != nil {
			t.Errorf("%s, %d: %v", option, excess, err)
		}
	}
}

package cookiecharter

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// What a site as a whole has wrong is told at load, by its name and with the fix, and
// by the command, too; what only looks so is served.
func TestSiteErrors(t *testing.T) {
	const twice = "requests go through two cookie_charter, and only what both allow would pass; keep one"
	for site, want := range map[string]string{
		"cookie_charter\nrespond ok\ncookie_charter {\n preset matomo\n}":                               twice,
		"cookie_charter\nhandle /a/* {\n cookie_charter\n}":                                             twice,
		"cookie_charter /a/*\ncookie_charter /a/* {\n preset matomo\n}":                                 twice,
		"route {\n cookie_charter\n route /b/* {\n  cookie_charter\n }\n}":                              twice,
		"handle /a/* {\n cookie_charter\n}\nhandle {\n cookie_charter\n respond ok\n cookie_charter\n}": twice,
		"handle_errors {\n cookie_charter\n respond ok\n cookie_charter\n}":                             twice,
		"cookie_charter\nhandle_errors {\n cookie_charter\n}":                                           "",
		"handle /a/* {\n cookie_charter\n}\nhandle {\n cookie_charter {\n  preset matomo\n }\n}":        "",
		"handle_path /a/* {\n cookie_charter\n}\nhandle /b/* {\n cookie_charter\n}":                     "",
		"cookie_charter /a/*\ncookie_charter /b/* {\n preset matomo\n}":                                 "",

		"route {\n reverse_proxy a.example\n cookie_charter\n}":                                        "cookie_charter stands behind reverse_proxy, which answers all that comes",
		"route {\n route {\n  respond ok\n }\n handle /a/* {\n  cookie_charter\n }\n}":                 "behind static_response",
		"route /a/* {\n file_server\n cookie_charter\n}":                                               "behind file_server",
		"handle_errors {\n route {\n  respond ok\n  cookie_charter\n }\n}":                             "behind static_response",
		"route {\n reverse_proxy /a/* a.example\n respond /health ok\n cookie_charter\n respond ok\n}": "",
		"route {\n forward_auth a.example {\n  uri /\n }\n cookie_charter\n}":                          "",
		"route {\n file_server {\n  pass_thru\n }\n cookie_charter\n}":                                 "",
		"handle /a/* {\n respond ok\n}\nhandle {\n cookie_charter\n respond ok\n}":                     "",
		"route {\n handle /a/* {\n  respond ok\n }\n handle {\n  respond ok\n }\n cookie_charter\n}":   "",

		"cookie_charter {\n preset matomo\n}\n@m cookie_consent matmo\nrespond @m ok":                                                              `cookie_consent asks for "matmo", but no row of its charter has this consent key; use one of [matomo]`,
		"cookie_charter {\n preset matomo\n}\n@m {\n path /x\n not cookie_consent matmo\n}\nrespond @m ok":                                         `asks for "matmo"`,
		"cookie_charter {\n preset matomo\n}\nhandle /a/* {\n @m not cookie_consent matomo matmo\n respond @m ok\n}":                               `asks for "matmo"`,
		"cookie_charter {\n preset matomo\n}\n@m not cookie_consent matomo\nrespond @m ok":                                                         "",
		"handle /a/* {\n cookie_charter {\n  preset matomo\n }\n @m cookie_consent matomo\n respond @m ok\n}\nhandle {\n cookie_charter\n}":        "",
		"handle /a/* {\n cookie_charter\n}\nhandle {\n cookie_charter {\n  preset matomo\n }\n @m cookie_consent matomo\n respond @m ok\n}":        "",
		"cookie_charter {\n preset matomo\n}\nhandle_errors {\n @m cookie_consent matomo\n respond @m ok\n}":                                       "",
		"handle /a/* {\n cookie_charter\n}\nhandle {\n cookie_charter {\n  preset matomo\n }\n @m cookie_consent ga\n respond @m ok\n}":            `asks for "ga", but no row of its charter has this consent key; use one of [matomo]`,
		"cookie_charter\n@m cookie_consent matomo\nrespond @m ok":                                                                                  `asks for "matomo", but no row of its charter has this consent key; no row needs an answer`,
		"cookie_charter {\n charter no/such.yaml\n}\n@m cookie_consent matomo\nrespond @m ok":                                                      "no/such.yaml",
		"cookie_charter {\n preset matomo\n}\nhandle_path /z/* {\n cookie_charter {\n  preset matomo\n }\n @m cookie_consent x\n respond @m ok\n}": twice,
	} {
		for _, address := range []string{"http://:0", "http://a.example:0"} {
			content := address + " {\n bind 127.0.0.1\n" + site + "\n}\n"
			name := "site 127.0.0.1:0: "
			if strings.Contains(address, "a.example") {
				content += "http://b.example:0 {\n bind 127.0.0.1\n cookie_charter\n}\n"
				name = "site a.example: "
			}
			err := tryLoad(t, content)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) && want != "no/such.yaml") {
				t.Errorf("%s\ngot %v\nwant %s", content, err, want)
			}
			path := filepath.Join(t.TempDir(), "Caddyfile")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			err = runCheck(new(bytes.Buffer), new(bytes.Buffer), []string{path}, "none", "en")
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("check: %s\ngot %v\nwant %s", content, err, want)
			}
		}
	}
}

// The same in JSON, where a site's routes need not end a request's way.
func TestSiteErrorsInJSON(t *testing.T) {
	const charter, other = `{"handler":"cookie_charter","presets":["matomo"]}`, `{"handler":"cookie_charter"}`
	for routes, want := range map[string]string{
		`{"handle":[` + charter + `]},{"handle":[` + other + `]}`:                                                                         "two cookie_charter",
		`{"handle":[` + charter + `,` + other + `]}`:                                                                                      "two cookie_charter",
		`{"handle":[{"handler":"subroute","routes":[{"handle":[` + charter + `]}]}]},{"handle":[` + other + `]}`:                          "two cookie_charter",
		`{"match":[{"host":["a"]}],"handle":[` + charter + `]},{"match":[{"host":["b"]}],"handle":[` + other + `]}`:                       "",
		`{"match":[{"host":["a"]}],"handle":[` + charter + `],"terminal":true},{"handle":[` + other + `]}`:                                "",
		`{"group":"g","match":[{"path":["/a"]}],"handle":[` + charter + `]},{"group":"g","handle":[` + other + `]}`:                       "",
		`{"handle":[` + charter + `]},{"match":[{"not":[{"cookie_consent":["matmo"]}]}],"handle":[{"handler":"static_response"}]}`:        `asks for "matmo"`,
		`{"match":[{"cookie_consent":["matmo"]}],"handle":[{"handler":"static_response"}]},{"handle":[` + charter + `]}`:                  `asks for "matmo"`,
		`{"match":[{"cookie_consent":["matomo"]}],"handle":[{"handler":"static_response"}]},{"handle":[` + charter + `]}`:                 "",
		`{"match":[{"cookie_consent":["matomo"]}],"handle":[{"handler":"static_response"}],"terminal":true},{"handle":[` + charter + `]}`: "",
	} {
		err := caddy.Load(fmt.Appendf(nil, `{"admin":{"disabled":true},"apps":{"http":{"servers":{"x":{"listen":["127.0.0.1:0"],"automatic_https":{"disable":true},"routes":[%s]}}}}}`, routes), true)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %s", routes, err, want)
		}
	}
}

// The log at load tells which site, and what of it is only reported.
func TestLoadedIsLogged(t *testing.T) {
	port := freePort()
	load(t, fmt.Sprintf("http://city.example:%d http://www.city.example:%[1]d {\n bind 127.0.0.1\n cookie_charter {\n  monitor undeclared\n  hosts\n  cookie watched {\n   purpose p\n   category necessary\n   monitor\n  }\n }\n}\nhttp://:%d {\n bind 127.0.0.1\n cookie_charter\n}", port, port+1))
	log, err := os.ReadFile(filepath.Join(storage(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf(`"monitored":["undeclared cookies","hosts","the row \"watched\""],"hosts":["city.example","www.city.example"],"listen":["127.0.0.1:%d"]`, port),
		fmt.Sprintf(`"monitored":[],"hosts":[],"listen":["127.0.0.1:%d"]`, port+1),
	} {
		if !bytes.Contains(log, []byte(want)) {
			t.Errorf("no %s in %s", want, regexp.MustCompile(`"charter loaded.*`).FindAll(log, -1))
		}
	}
}

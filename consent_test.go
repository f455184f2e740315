package cookiecharter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Other directives can depend on consent.
func TestConsentMatcherAndPlaceholders(t *testing.T) {
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset opendatasoft matomo google_analytics
			cookie measure {
				purpose p
				category statistics
				exempt
			}
		}
		@matomo cookie_consent matomo
		@both cookie_consent matomo ga
		@exempt cookie_consent statistics
		header @matomo X-Matomo yes
		header @both X-Both yes
		header @exempt X-Exempt yes
		header X-Consent "{http.cookie_charter.consent.matomo}/{http.cookie_charter.consent.ga}/{http.cookie_charter.consent.statistics} {http.cookie_charter.consent.unknown} {http.cookie_charter.version} {http.cookie_charter.x}"
		header X-Allowed "{http.cookie_charter.allowed.matomo} {http.cookie_charter.allowed.unknown}"
		respond ok`)
	for _, test := range []struct{ cookie, gpc, matched, consent string }{
		{"", "", "Exempt", "none/none/none"},
		{`{"matomo":true}`, "", "Matomo Exempt", "granted/none/none"},
		{`{"matomo":true,"ga":true}`, "", "Matomo Both Exempt", "granted/granted/none"},
		{`{"matomo":true,"ga":false,"statistics":false}`, "", "Matomo", "granted/refused/refused"},
		{`{"matomo":true}`, "1", "Matomo", "granted/refused/refused"},
		{"junk", "", "Exempt", "none/none/none"},
	} {
		header := http.Header{"Cookie": {"cookies_preferences=" + test.cookie}}
		if test.gpc != "" {
			header["Sec-Gpc"] = []string{test.gpc}
		}
		response, _ := get(t, address, header)
		var matched []string
		for _, name := range []string{"Matomo", "Both", "Exempt"} {
			if response.Header.Get("X-"+name) != "" {
				matched = append(matched, name)
			}
		}
		if got := strings.Join(matched, " "); got != test.matched {
			t.Errorf("%+v: matched %s", test, got)
		}
		if got, want := response.Header.Get("X-Allowed"), fmt.Sprintf("%t false", strings.Contains(test.matched, "Matomo")); got != want {
			t.Errorf("%+v: allowed %q", test, got)
		}
		if got := response.Header.Get("X-Consent"); !regexp.MustCompile("^" + test.consent + ` \{http.cookie_charter.consent.unknown\} [0-9a-f]{12} \{http.cookie_charter.x\}$`).MatchString(got) {
			t.Errorf("%+v: %q", test, got)
		}
	}
	// Where a request does not go through the handler, nothing matches.
	address = "http://" + serve(t, false, "cookie_charter /a {\n preset opendatasoft matomo\n}\n@matomo cookie_consent matomo\nheader @matomo X-Matomo yes\nrespond ok")
	if response, _ := get(t, address, http.Header{"Cookie": {`cookies_preferences={"matomo":true}`}}); response.Header.Get("X-Matomo") != "" {
		t.Error("matches without the handler")
	}
	for _, config := range []string{"cookie_consent", `cookie_consent "a b"`, "cookie_consent a {\n b\n}"} {
		if err := new(MatchConsent).UnmarshalCaddyfile(caddyfile.NewTestDispenser(config)); err == nil {
			t.Errorf("%q is taken", config)
		}
	}
}

// What asks for the visitor's answer makes the answer one that no cache keeps:
// what was granted may be withdrawn.
func TestAnswersThatDependOnConsent(t *testing.T) {
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset opendatasoft matomo
		}
		header Cache-Control "public, max-age=31536000, immutable"
		header Cdn-Cache-Control max-age=600
		handle /matched {
			@refused not cookie_consent matomo
			respond @refused 204
			respond measure
		}
		handle /allowed {
			respond "{http.cookie_charter.allowed.matomo}"
		}
		handle /consent {
			templates {
				mime text/plain
			}
			header Content-Type text/plain
			respond "{{placeholder `+"`http.cookie_charter.consent.matomo`"+`}}"
		}
		handle /kept {
			header Cache-Control no-store
			respond "{http.cookie_charter.consent.matomo}"
		}
		respond "{http.cookie_charter.version} {http.cookie_charter.consent.unknown}"`)
	const untouched = "public, max-age=31536000, immutable"
	for _, preference := range []string{"", `cookies_preferences={"matomo":true}`, `cookies_preferences={"matomo":false}`} {
		for path, want := range map[string]string{
			"/": untouched, "/matched": "private, no-store", "/allowed": "private, no-store", "/consent": "private, no-store", "/kept": "private, no-store",
		} {
			response, _ := get(t, address+path, http.Header{"Cookie": {preference}})
			if got := response.Header["Cache-Control"]; len(got) != 1 || got[0] != want {
				t.Errorf("%s with %q: %q", path, preference, got)
			}
			if targeted := response.Header["Cdn-Cache-Control"]; targeted != nil != (want == untouched) {
				t.Errorf("%s with %q: caches are told %q", path, preference, targeted)
			}
		}
	}
}

// A server on which the matcher can never match is refused, wherever the matcher stands.
func TestConsentMatcherNeedsCharter(t *testing.T) {
	const (
		charter = `{"handler":"cookie_charter","presets":["matomo"]}`
		asked   = `{"match":[{"cookie_consent":["matomo"]}],"handle":[{"handler":"static_response"}]}`
		not     = `{"match":[{"path":["/b"]},{"not":[{"cookie_consent":["matomo"]}]}],"handle":[{"handler":"static_response"}]}`
		plain   = `{"match":[{"path":["/a"]}],"handle":[{"handler":"static_response"}]}`
	)
	inside := func(routes string) string { return `{"handle":[{"handler":"subroute","routes":[` + routes + `]}]}` }
	const other = `"b":{"listen":["127.0.0.2:0"],"routes":[{"match":[{"path":["/b"]}],"handle":[` + charter + `]}]},`
	for server, isRefused := range map[string]bool{
		`"routes":[` + asked + `]`:                                                                                                        true,
		`"routes":[` + plain + `,` + not + `]`:                                                                                            true,
		`"routes":[` + plain + `,` + inside(asked) + `]`:                                                                                  true,
		`"routes":[` + plain + `],"errors":{"routes":[` + asked + `]}`:                                                                    true,
		`"routes":[` + plain + `],"named_routes":{"n":` + asked + `}`:                                                                     true,
		`"routes":[{"handle":[` + charter + `]},` + asked + `]`:                                                                           false,
		`"routes":[` + inside(`{"handle":[`+charter+`]},`+asked) + `]`:                                                                    false,
		`"routes":[` + inside(`{"handle":[`+charter+`]}`) + `,` + inside(not) + `]`:                                                       false,
		`"routes":[{"handle":[` + charter + `]}],"errors":{"routes":[` + asked + `]}`:                                                     false,
		`"routes":[` + plain + `],"errors":{"routes":[{"handle":[` + charter + `]},` + asked + `]}`:                                       false,
		`"routes":[{"handle":[{"handler":"invoke","name":"n"}]},` + inside(asked) + `],"named_routes":{"n":{"handle":[` + charter + `]}}`: false,
	} {
		err := caddy.Load([]byte(`{"admin":{"disabled":true},"apps":{"http":{"servers":{`+other+`"c":{"listen":["127.0.0.1:0"],`+server+`}}}}}`), true)
		if isRefused && (err == nil || !strings.Contains(err.Error(), `cookie_consent asks for "matomo", but its server has no cookie_charter; add one, or remove the matcher`)) || !isRefused && err != nil {
			t.Errorf("%s: %v", server, err)
		}
	}
	for _, address := range []string{"http://:0", "http://a.example:0"} {
		if err := tryLoad(t, address+" {\n bind 127.0.0.1\n @matomo cookie_consent matomo\n respond @matomo ok\n}"); err == nil || !strings.Contains(err.Error(), "its server has no cookie_charter") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A matcher without a key would match everybody.
func TestConsentMatcherNeedsKeys(t *testing.T) {
	for _, keys := range []string{"[]", `["a b"]`} {
		err := caddy.Load(fmt.Appendf(nil, `{"admin":{"disabled":true},"apps":{"http":{"servers":{"x":{"listen":["127.0.0.1:0"],"routes":[{"match":[{"cookie_consent":%s}]}]}}}}}`, keys), true)
		if err == nil || !strings.Contains(err.Error(), "consent key") {
			t.Errorf("%s: %v", keys, err)
		}
	}
}

// records returns the records of choices in the log.
func records(t *testing.T) (found [][]byte) {
	t.Helper()
	logs, err := os.ReadFile(storage() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(logs) {
		if bytes.Contains(line, []byte(`"logger":"http.handlers.cookie_charter.choices"`)) {
			found = append(found, line)
		}
	}
	return found
}

// A choice is recorded before it is answered, without anything that tells whose
// it is, and the visitor sees the record's reference.
func TestRecordChoices(t *testing.T) {
	const secret = "S3cr3t"
	site := "cookie_charter {\n preset opendatasoft matomo\n"
	address := "http://" + serve(t, false, site+"record_choices\n}")
	records := func() [][]byte { return records(t) }
	before := len(records())
	header := form.Clone()
	header.Set("Cookie", "sessionid="+secret+"; _pk_id.1="+secret)
	header.Set("User-Agent", secret)
	header.Set("Sec-Gpc", "1")
	response, _ := do(t, http.MethodPost, address+pagePath+"?flg=de", header, "all=refused&return=/"+secret)
	found := records()
	if len(found) != before+1 || response.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d records, %s", len(found)-before, response.Status)
	}
	var record map[string]any
	if err := json.Unmarshal(found[before], &record); err != nil {
		t.Fatal(err)
	}
	if record["msg"] != "choice" || record["source"] != "notice" || record["language"] != "de" || record["global_privacy_control"] != true || len(record["version"].(string)) != 12 ||
		record["answers"].(map[string]any)["matomo"] != "refused" || bytes.Contains(found[before], []byte(secret)) || bytes.Contains(found[before], []byte("127.0.0.1")) {
		t.Errorf("%s", found[before])
	}

	response, _ = do(t, http.MethodPost, address+pagePath, form, "answer.matomo=granted")
	location, err := url.Parse(response.Header.Get("Location"))
	if err != nil || !strings.Contains(string(records()[before+1]), `"reference":"`+location.Query().Get("reference")+`"`) {
		t.Errorf("%s, %v", location, err)
	}
	cookie, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
	_, page := get(t, address+pagePath+location.String()+"&flg=en", http.Header{"Cookie": {cookie}})
	if want := "Your choices have been saved. Reference of the record, without your name: " + location.Query().Get("reference") + "."; !strings.Contains(page, want) {
		t.Errorf("no %s", want)
	}
	if _, page := get(t, address+pagePath+"?status=saved&at="+location.Query().Get("at")+"&reference=%3Cscript%3E", nil); strings.Contains(page, "script&gt;") {
		t.Error("takes any reference")
	}

	address = "http://" + serve(t, false, site+"}")
	before = len(records())
	response, _ = do(t, http.MethodPost, address+pagePath, form, "all=granted")
	if len(records()) != before || strings.Contains(response.Header.Get("Location"), "reference") {
		t.Error("recorded without being asked to")
	}
}

// listen is an event handler that keeps the latest event.
type listen struct{}

var heard atomic.Pointer[caddy.Event]

func init() {
	caddy.RegisterModule(listen{})
}

func (listen) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.listen", New: func() caddy.Module { return new(listen) }}
}

func (*listen) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func (listen) Handle(_ context.Context, event caddy.Event) error {
	heard.Store(&event)
	return nil
}

// Who subscribes to the event learns of every stored choice.
func TestChoiceEvent(t *testing.T) {
	port := freePort()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(fmt.Appendf(nil, `{
			admin off
			persist_config off
			grace_period 1ms
			events {
				on cookie_choice listen
			}
		}
		http://:%d {
			bind 127.0.0.1
			cookie_charter {
				preset opendatasoft matomo
			}
		}`, port), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	do(t, http.MethodPost, address+pagePath, form, "all=granted")
	event := heard.Load()
	if event == nil || event.Data["source"] != "page" || event.Data["language"] != "fr" || event.Data["answers"].(map[string]string)["matomo"] != "granted" || event.Data["version"] == "" {
		t.Errorf("heard %v", event)
	}
	heard.Store(nil)
	do(t, http.MethodPost, address+pagePath, form, "")
	if event := heard.Load(); event != nil {
		t.Errorf("heard %v of no choice", event)
	}
}

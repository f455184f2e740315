package cookiecharter

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/draft"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// The admin API tells what was seen of each site, over a reload, without values,
// and drafts a charter of what is undeclared.
func TestInventory(t *testing.T) {
	forgetSites()
	const secret = "S3cr3t"
	admin := freePort()
	reload := func() int {
		port := freePort()
		config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(fmt.Appendf(nil, `{
				admin localhost:%d
				persist_config off
				grace_period 1ms
			}
			http://:%d {
				bind 127.0.0.1
				cookie_charter {
					preset django
					monitor
				}
				header +Set-Cookie "sessionid=%s; Path=/app; HttpOnly; SameSite=Lax; Max-Age=1209600"
				header +Set-Cookie "_ga=%[3]s; Domain=city.example; Secure; Expires=Wed, 01 Jan 2031 00:00:00 GMT"
				header +Set-Cookie "strange=%[3]s"
				header +Set-Cookie "=%[3]s"
				respond ok
			}`, admin, port, secret), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := caddy.Load(config, true); err != nil {
			t.Fatal(err)
		}
		return port
	}
	for range 2 {
		address := fmt.Sprintf("http://127.0.0.1:%d", reload())
		get(t, address+"/first?q="+secret, http.Header{"Host": {"City.Example:80"}, "Cookie": {"sessionid=" + secret + "; sent=" + secret}})
		get(t, address+"/", http.Header{"Host": {"other.example"}})
	}
	api := fmt.Sprintf("http://localhost:%d/cookie_charter/inventory", admin)
	origin := http.Header{"Host": {fmt.Sprintf("localhost:%d", admin)}}
	_, body := get(t, api, origin)
	var sites map[string][]InventoryEntry
	if err := json.Unmarshal([]byte(body), &sites); err != nil || strings.Contains(body, secret) || len(sites) != 2 {
		t.Fatal(err, body)
	}
	entries := map[string]InventoryEntry{}
	for _, entry := range sites["city.example"] {
		if entry.FirstSeen.IsZero() || entry.LastSeen.Before(entry.FirstSeen) || entry.Path != "/first" {
			t.Errorf("%+v", entry)
		}
		entries[entry.Name] = entry
	}
	for name, want := range map[string]struct {
		verdict             judge.Verdict
		cookie              string
		portal, browser     int64
		domain, path, sites string
		secure, httpOnly    bool
		lifetime            string
	}{
		"sessionid": {judge.Allowed, "sessionid", 2, 2, "", "/app", "Lax", false, true, "1209600"},
		"_ga":       {judge.Undeclared, "", 2, 0, "city.example", "", "", true, false, "1"},
		"strange":   {judge.Undeclared, "", 2, 0, "", "", "", false, false, "session"},
		"":          {judge.Undeclared, "", 2, 0, "", "", "", false, false, "session"},
		"sent":      {judge.Undeclared, "", 0, 2, "", "", "", false, false, ""},
	} {
		got, ok := entries[name]
		if !ok || got.Verdict != want.verdict || got.Cookie != want.cookie || got.FromPortal != want.portal || got.FromBrowser != want.browser {
			t.Errorf("%s: %+v", name, got)
		}
		if want.lifetime == "" {
			if got.Attributes != nil {
				t.Errorf("%s: %+v", name, got.Attributes)
			}
			continue
		}
		if got.Attributes == nil || got.Attributes.Domain != want.domain || got.Attributes.Path != want.path || got.Attributes.SameSite != want.sites ||
			got.Attributes.Secure != want.secure || got.Attributes.HTTPOnly != want.httpOnly || !strings.HasPrefix(got.Attributes.Lifetime, want.lifetime) {
			t.Errorf("%s: %+v", name, got.Attributes)
		}
	}
	if len(entries) != 5 || len(sites["other.example"]) != 4 {
		t.Errorf("%d and %d cookies", len(entries), len(sites["other.example"]))
	}

	// What the portal says differently from one answer to the next is seen.
	site := inventories.of("city.example", answers.Timestamp(time.Now().UnixMilli()))
	judging := filterOf(t, "")
	for attributes, lifetime := range map[string]string{"": "session", "; Max-Age=60": "60", "; Max-Age=90; Secure": "90"} {
		judging.judgeAlone("changes=" + secret + attributes)
		seen := site.cookies.find("changes").latest.Load()
		if got := site.cookies.find("changes").attributes().Lifetime; got != lifetime {
			t.Errorf("%q: %s", attributes, got)
		}
		if judging.judgeAlone("changes=other" + attributes); site.cookies.find("changes").latest.Load() != seen {
			t.Errorf("%q: looked at again", attributes)
		}
	}
	dated := "dated=" + secret + "; Expires=" + time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	judging.judgeAlone(dated)
	read := site.cookies.find("dated").latest.Load()
	if seconds, err := strconv.Atoi(site.cookies.find("dated").attributes().Lifetime); err != nil || seconds < 3500 || seconds > 3600 {
		t.Errorf("lives %s", site.cookies.find("dated").attributes().Lifetime)
	}
	if unsafe.StringData(read.Text) == unsafe.StringData(dated[len("dated="+secret+";"):]) {
		t.Error("what is remembered is a part of the line, with its value")
	}
	// Lines that no browser would take are not kept in memory.
	if judging.judgeAlone("changes=" + secret + "; " + strings.Repeat("x", 4096)); len(site.cookies.find("changes").latest.Load().Text) > 4096 {
		t.Error("an oversized line is remembered")
	}
	for _, name := range []string{"*", "s*", "\xff"} { // a draft must not make prefixes of them
		noteIn(site, judge.FromBrowser, name, "/")
	}
	_, draft := get(t, api+"?format=charter&host=city.example", origin)
	if strings.Contains(draft, "*") || strings.Contains(draft, "!!binary") {
		t.Errorf("a prefix, or no text, in %s", draft)
	}
	for _, want := range []string{"Suggested by the preset google_analytics", "- name: _ga\n", "provider: Google Ireland Limited\n", "- name: strange\n      purpose: \"\"\n", "duration: session", "first for \"/first\""} {
		if !strings.Contains(draft, want) {
			t.Errorf("no %q in %s", want, draft)
		}
	}
	// The draft cannot be used before it is said what the unknown is for.
	path := filepath.Join(t.TempDir(), "draft.yaml")
	for draft, want := range map[string]string{
		draft: "missing purpose",
		strings.NewReplacer(`purpose: ""`, "purpose: p", `category: ""`, "category: necessary").Replace(draft): "",
	} {
		if err := os.WriteFile(path, []byte(draft), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := charter.LoadFile(path)
		if parsed, parseErr := charter.LoadFile(path); parseErr == nil {
			_, err = charter.New(parsed)
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "purpose is empty")) {
			t.Errorf("%v\n%s", err, draft)
		}
	}
	for query, want := range map[string]int{"?host=nowhere.example": http.StatusNotFound, "?host=other.example": http.StatusOK, "?format=charter": http.StatusOK} {
		if response, _ := get(t, api+query, origin); response.StatusCode != want {
			t.Errorf("%s: %s", query, response.Status)
		}
	}
	if response, _ := do(t, http.MethodPost, api, origin, ""); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
}

// forgetSites makes room in the inventory, which other tests may have filled.
func forgetSites() {
	inventories.mutex.Lock()
	defer inventories.mutex.Unlock()
	inventories.sites.Store(nil)
}

// judgeAlone judges a line of an answer without a Date, and tells the observers.
func (f *filter) judgeAlone(line string) (string, bool) {
	return f.judgeLine(line, judge.Response{Clock: setcookie.Clock{Now: f.visitor.Now().Time()}})
}

// noteIn notes a cookie in a site's inventory.
func noteIn(site *inventory, from judge.Direction, name, path string) {
	site.cookies.note(&judge.Judgement{From: from, Name: name, Attributes: new(setcookie.Attributes)}, &address.RequestPath{Address: &url.URL{Path: path}}, nil, answers.Timestamp(site.last.Load()))
}

// Names that visitors make up do not fill the inventory, nor drive out what the
// portal sets.
func TestInventoryHasBounds(t *testing.T) {
	set := inventorySet{}
	site := set.of("city.example", 1)
	for i := range 5000 {
		noteIn(site, judge.FromBrowser, fmt.Sprintf("made_up_%d_%s", i, strings.Repeat("x", 300)), strings.Repeat("/x", 5000))
		if i%10 == 0 {
			noteIn(site, judge.FromPortal, fmt.Sprintf("portal_%d", i), "/")
			noteIn(site, judge.FromBrowser, fmt.Sprintf("portal_%d", i), "/")
		}
	}
	portal := 0
	for name, cookie := range site.cookies.all() {
		if strings.HasPrefix(name, "portal_") {
			portal++
		}
		if len(name) > setcookie.MaxShown || len(cookie.path) > setcookie.MaxShown {
			t.Fatalf("%d bytes of name, %d of path", len(name), len(cookie.path))
		}
	}
	if all := len(maps.Collect(site.cookies.all())); portal != 500 || site.cookies.portalCount.Load() != 500 || all > 500+maxFromBrowser || all < 500+maxFromBrowser/2 {
		t.Errorf("%d of the portal, %d in all", portal, len(maps.Collect(site.cookies.all())))
	}
	for i := range 5000 {
		noteIn(site, judge.FromPortal, fmt.Sprintf("more_%d", i), "/")
	}
	if site.cookies.portalCount.Load() != maxFromPortal || len(maps.Collect(site.cookies.all())) > maxFromPortal+maxFromBrowser {
		t.Errorf("%d of the portal, %d in all", site.cookies.portalCount.Load(), len(maps.Collect(site.cookies.all())))
	}
	for i := range 5000 { // a portal that sets what it is sent
		noteIn(site, judge.FromBrowser, fmt.Sprintf("echo_%d", i), "/")
		noteIn(site, judge.FromPortal, fmt.Sprintf("echo_%d", i), "/")
	}
	if site.cookies.portalCount.Load() != maxFromPortal || len(maps.Collect(site.cookies.all())) > maxFromPortal+maxFromBrowser {
		t.Errorf("%d of the portal, %d in all, of one that echoes", site.cookies.portalCount.Load(), len(maps.Collect(site.cookies.all())))
	}
	for i := range 1000 {
		noteIn(set.of(fmt.Sprintf("host%d.example", i), answers.Timestamp(i)), judge.FromBrowser, "x", "/")
	}
	if len(set.all()) != maxSites || set.of("city.example", 1) != site {
		t.Errorf("%d sites, or the one in use was dropped", len(set.all()))
	}
}

// What is known already is noted without allocating.
func TestInventoryAllocates(t *testing.T) {
	judge := filterOf(t, "")
	for _, line := range []string{"csrftoken=1; expires=Fri, 02 Jan 2037 06:00:00 GMT; Max-Age=60; Path=/", "known=1; expires=Fri, 02 Jan 2037 06:00:00 GMT"} {
		judge.judgeAlone(line)
		if got := testing.AllocsPerRun(100, func() { judge.judgeAlone(line) }); got != 0 {
			t.Errorf("%s: %v allocations", line, got)
		}
	}
}

// Hosts that visitors make up give way to each other, not the portal's own, though it
// answers all of them alike.
func TestMadeUpHosts(t *testing.T) {
	set := inventorySet{}
	for _, portalSets := range []bool{false, true} {
		for range 3 {
			noteIn(set.of("city.example", 1), judge.FromPortal, "sessionid", "/")
		}
		for i := range 70 {
			site := set.of(fmt.Sprintf("made-up-%t-%d.example", portalSets, i), answers.Timestamp(1000+i))
			if portalSets {
				noteIn(site, judge.FromPortal, "sessionid", "/")
			}
		}
		if len(set.all()) != maxSites || set.all()["city.example"] == nil {
			t.Errorf("%d sites, the portal's own among them: %t", len(set.all()), set.all()["city.example"] != nil)
		}
	}
	if set.all()["made-up-true-69.example"] == nil || set.all()["made-up-true-0.example"] != nil {
		t.Error("of hosts that were seen once, the oldest does not go first")
	}
}

// Sites are told apart by their ports, save those that an address need not say, and
// found by both.
func TestInventoryOfPorts(t *testing.T) {
	for host, want := range map[string]string{
		"City.Example": "city.example", "city.example:80": "city.example", "city.example:8080": "city.example:8080", "City.Example.:8080": "city.example:8080",
		"city.example:443": "city.example:443", "[::1]:8080": "[::1]:8080", "[::1]:80": "::1", "city.example:": "city.example", "city.example:x": "city.example", "city.example:123456": "city.example",
		strings.Repeat("x", 300) + ":81": strings.Repeat("x", setcookie.MaxHost) + ":81",
	} {
		if got := siteOf(&http.Request{Host: host}); strings.Trim(got, "[]") != strings.Trim(want, "[]") {
			t.Errorf("%s: %s", host, got)
		}
	}
	listed := map[string][]InventoryEntry{"a.example": nil, "a.example:8443": nil, "b.example:1": nil, "b.example:2": nil, "[::1]:1": nil, "::1": nil, "bb.example": nil}
	for host, want := range map[string]string{
		"a.example": "a.example", "A.example:443": "a.example", "a.example:80": "a.example", "a.example:8443": "a.example:8443", "a.example:1": "",
		"b.example": "b.example:1 b.example:2", "b.example:2": "b.example:2", "b.example:443": "", "b.exampl": "", "[::1]:1": "[::1]:1", "[::1]:80": "::1", "::1": "::1", "c": "",
	} {
		if got := strings.Join(slices.Sorted(maps.Keys(selectHost(listed, host))), " "); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
}

// Of what browsers ask for, or post, beside the page by themselves, the inventory has the path of
// the page that made them, where it is one of the same host.
func TestPathOfThePage(t *testing.T) {
	host := serve(t, false, "cookie_charter {\n preset matomo\n guard monitor\n hosts monitor\n}\nrespond portal")
	inventories.sites.Store(nil)
	for i, test := range []struct{ method, path, referrer, want string }{
		{http.MethodPost, "reports", "http://%s/explore?q=S3cr3t", "/explore"},
		{http.MethodPost, "guard?v=0", "http://%s/explore;jsessionid=S3cr3t#S3cr3t", "/explore"},
		{http.MethodGet, "guard?v=0", "https://%s/explore", "/explore"},
		{http.MethodGet, "guard.js?v=0", "http://%s/", "/"},
		{http.MethodGet, "guard.js?v=0", "http://other.example/S3cr3t", ""},
		{http.MethodGet, "guard.js?v=0", "http://%s.other.example/S3cr3t", ""},
		{http.MethodGet, "guard.js?v=0", "//%s%%/S3cr3t", ""},
		{http.MethodGet, "guard.js?v=0", "/S3cr3t", ""},
		{http.MethodGet, "guard.js?v=0", "", ""},
		{http.MethodGet, "", "http://%s/explore", "/terms/cookies-policy/"},
		{http.MethodGet, "other", "http://%s/explore", "/terms/cookies-policy/other"},
	} {
		name := fmt.Sprint("path_", i)
		header := http.Header{"Content-Type": {"text/plain"}, "Cookie": {name + "=1"}}
		if test.referrer != "" {
			header.Set("Referer", strings.Replace(strings.ReplaceAll(test.referrer, "%%", "%"), "%s", host, 1))
		}
		do(t, test.method, "http://"+host+"/terms/cookies-policy/"+test.path, header, "")
		if path := entriesOf(t, host)[name].Path; path != test.want {
			t.Errorf("%s %s from %q is told as of %q", test.method, test.path, test.referrer, path)
		}
	}
	if told := inventoryOf(t, host); strings.Contains(told, "S3cr3t") {
		t.Error(told)
	}
}

// What stands behind a ";" in a path can be a session, however it is encoded.
func TestPathParameters(t *testing.T) {
	for written, want := range map[string]string{
		"/app;jsessionid=S3cr3t/list;v=1": "/app/list", "/app%3Bjsessionid=S3cr3t": "/app", "/app%3bjsessionid=S3cr3t/x": "/app/x", "/a%253Bjsessionid=S3cr3t": "/a",
		"/a%25%33%42S3cr3t/x": "/a/x", "/a%253%42S3cr3t%252Fx": "/a", "/a%2525zz%25253BS3cr3t": "/a%25zz",
		"/a%25253bx": "/a", ";x/y": "/y", "/a;x=b%2FS3cr3t/c": "/a/c", "/%C3%A9t%C3%A9/a%2Fb": "/été/a/b", "/plain": "/plain", "*": "*", "": "",
	} {
		parsed, err := url.ParseRequestURI(written)
		if err != nil {
			parsed = &url.URL{Path: written}
		}
		if got := (&address.RequestPath{Address: parsed}).Shown(); got != want {
			t.Errorf("%s: %s", written, got)
		}
	}
	site := "cookie_charter {\n debug_header\n}\nheader +Set-Cookie \"unknown=1\"\nrespond ok"
	host := serve(t, false, site)
	response, _ := get(t, "http://"+host+"/app;jsessionid=S3cr3tS3ss10n/x", http.Header{"Host": {"paths.example"}})
	w := httptest.NewRecorder()
	if err := serveInventory(w, httptest.NewRequest(http.MethodGet, "/cookie_charter/inventory?host=paths.example", http.NoBody)); err != nil || !strings.Contains(w.Body.String(), `"path":"/app/x"`) {
		t.Errorf("%v, %s", err, w.Body)
	}
	log, err := os.ReadFile(filepath.Join(storage(), "log"))
	if err != nil || strings.Contains(string(log)+fmt.Sprint(response.Header)+w.Body.String(), "S3cr3tS3ss10n") {
		t.Errorf("%v, or a session in the log or the answer", err)
	}
	checks.Linear(t, "path parameters", 4<<10, func(size int) {
		(&address.RequestPath{Address: &url.URL{Path: strings.Repeat("/a;b", size/4)}}).Shown()
	})
	checks.Linear(t, "nested escapes", 4<<10, func(size int) {
		address.WithoutParameters("/" + strings.Repeat("%", size/3) + strings.Repeat("25", size/3))
		address.WithoutParameters("/" + strings.Repeat("%25", size/3))
	})
}

// Verdicts are told by the charter in force, without a further request.
func TestInventoryAfterReload(t *testing.T) {
	port := freePort()
	reload := func(blocks ...string) map[string]InventoryEntry {
		t.Helper()
		var sites strings.Builder
		for i, block := range blocks {
			fmt.Fprintf(&sites, "http://reload%d.example:%d {\n bind 127.0.0.1\n %s\n header +Set-Cookie \"drafted=1\"\n header +Set-Cookie \"_pk_id.1=1\"\n header +Set-Cookie \"long=%s\"\n respond ok\n}\n", i, port, block, strings.Repeat("x", 5000))
		}
		load(t, sites.String())
		return entriesOf(t, fmt.Sprintf("reload0.example:%d", port))
	}
	const drafted, long = "cookie drafted {\n purpose p\n category necessary\n}\n", "cookie long {\n purpose p\n category necessary\n}\n"
	reload("cookie_charter", "cookie_charter")
	get(t, fmt.Sprintf("http://127.0.0.1:%d/", port), http.Header{"Host": {fmt.Sprintf("reload0.example:%d", port)}, "Cookie": {"b b=1; sent=1"}})
	check := func(when string, entries map[string]InventoryEntry, want map[string]string) {
		t.Helper()
		for name, told := range want {
			if got := strings.TrimSpace(entries[name].Verdict.String() + " " + entries[name].Cookie); got != told {
				t.Errorf("%s: %s is told as %s, not %s", when, name, got, told)
			}
		}
	}
	check("at first", entriesOf(t, fmt.Sprintf("reload0.example:%d", port)), map[string]string{"drafted": "undeclared", "_pk_id.1": "undeclared", "long": "undeclared"})
	// Another site's rows count for nothing.
	check("with rows elsewhere", reload("cookie_charter", "cookie_charter {\n"+drafted+"}"), map[string]string{"drafted": "undeclared"})
	declared := reload("cookie_charter {\n preset matomo\n "+drafted+long+"cookie b* {\n purpose p\n category necessary\n}\n}", "cookie_charter")
	check("declared", declared, map[string]string{"drafted": "allowed drafted", "_pk_id.1": "refused _pk_id.<site>.<hash>", "long": "allowed long", "b b": "undeclared", "sent": "undeclared"})
	if drafted, err := draft.Charter(draftEntries(map[string][]InventoryEntry{"": slices.Collect(maps.Values(declared))})); err != nil || strings.Contains(string(drafted), "drafted") || strings.Contains(string(drafted), "_pk") {
		t.Errorf("%v, drafted again: %s", err, drafted)
	}
	// What is wrong besides the name stays so.
	get(t, fmt.Sprintf("http://127.0.0.1:%d/", port), http.Header{"Host": {fmt.Sprintf("reload0.example:%d", port)}})
	check("after a request", entriesOf(t, fmt.Sprintf("reload0.example:%d", port)), map[string]string{"long": "undeclared", "drafted": "allowed drafted"})
	check("then", reload("cookie_charter {\n preset matomo\n "+drafted+long+"}"), map[string]string{"long": "undeclared", "drafted": "allowed drafted"})
	check("removed", reload("cookie_charter"), map[string]string{"drafted": "undeclared", "_pk_id.1": "undeclared"})
	// A config that fails changes nothing, though some of it was set up.
	if err := tryLoad(t, fmt.Sprintf("http://reload0.example:%d {\n bind 127.0.0.1\n cookie_charter {\n%s}\n}\nhttp://b.example:%[1]d {\n cookie_charter {\n  charter no/such.yaml\n }\n}", port, drafted)); err == nil {
		t.Error("loads")
	}
	check("after a failure", entriesOf(t, fmt.Sprintf("reload0.example:%d", port)), map[string]string{"drafted": "undeclared"})
	// Two charters of a site, for other paths.
	check("two", reload("handle /a/* {\n cookie_charter\n}\nhandle {\n cookie_charter {\n"+drafted+"}\n}"), map[string]string{"drafted": "allowed drafted"})
	// What is served without a charter keeps what it had when it was last seen.
	check("none", reload("respond none"), map[string]string{"drafted": "allowed drafted", "long": "undeclared"})
}

// entriesOf returns what the admin endpoint tells of a site, by name.
func entriesOf(t *testing.T, host string) map[string]InventoryEntry {
	t.Helper()
	w := httptest.NewRecorder()
	if err := serveInventory(w, httptest.NewRequest(http.MethodGet, "/cookie_charter/inventory?host="+host, http.NoBody)); err != nil {
		if caddyError, ok := errors.AsType[caddy.APIError](err); ok && caddyError.HTTPStatus == http.StatusNotFound {
			return nil
		}
		t.Fatal(err)
	}
	var sites map[string][]InventoryEntry
	if err := json.Unmarshal(w.Body.Bytes(), &sites); err != nil || len(sites) != 1 {
		t.Fatal(err, w.Body)
	}
	entries := map[string]InventoryEntry{}
	for _, entry := range sites[host] {
		name := entry.Name
		if entry.Item != "" {
			name = "@" + entry.Item
		}
		entries[name] = entry
	}
	return entries
}

// A deletion tells nothing of a cookie: what is known of its attributes stays, it is not
// counted, and shows in no field.
func TestDeletionsAreNotSeen(t *testing.T) {
	const host = "deletions.example"
	address := "http://" + serve(t, false, `
		cookie_charter {
			debug_header
			cookie sessionid {
				purpose p
				category necessary
				duration "1 hour"
			}
		}
		header /set +Set-Cookie "sessionid=1; HttpOnly; Path=/app; Max-Age=7200"
		header /delete +Set-Cookie "sessionid=; Path=/app; Max-Age=0"
		header /delete +Set-Cookie "never=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
		metrics /metrics
		respond /set ok
		respond /delete ok`)
	verdicts := map[string]string{}
	for _, path := range []string{"/set", "/delete"} {
		response, _ := get(t, address+path, http.Header{"Host": {host}})
		verdicts[path] = response.Header.Get("Cookie-Charter-Verdicts")
		if want := map[string]int{"/set": 1, "/delete": 2}[path]; len(response.Header["Set-Cookie"]) != want {
			t.Errorf("%s: %q", path, response.Header["Set-Cookie"])
		}
	}
	if verdicts["/set"] == "" || verdicts["/delete"] != "" {
		t.Errorf("%q", verdicts)
	}
	entries := entriesOf(t, host)
	seen := entries["sessionid"]
	if len(entries) != 1 || seen.FromPortal != 1 || seen.Attributes == nil || seen.Attributes.Lifetime != "7200" || !seen.Attributes.HTTPOnly {
		t.Errorf("%+v", entries)
	}
	handler := provision(t, "cookie_charter {\n cookie sessionid {\n  purpose p\n  category necessary\n  duration \"1 hour\"\n }\n}")
	if findings := diffInventory(handler, []InventoryEntry{seen}); len(findings) != 1 || findings[0] != "longer: sessionid asks for 2 hours, declared are 1 hour" {
		t.Errorf("%q", findings)
	}
	_, metrics := get(t, address+"/metrics", nil)
	if want := `caddy_cookie_charter_cookies_total{cookie="sessionid",effect="kept",from="portal",verdict="allowed"} 1`; !strings.Contains(metrics, want+"\n") {
		t.Errorf("no %s in %s", want, regexp.MustCompile(`(?m)^caddy_cookie_charter_cookies.*`).FindAllString(metrics, -1))
	}
}

// filterOf returns a filter of an answer to a visitor with a preference.
func filterOf(t testing.TB, preference string) *filter {
	t.Helper()
	f := &filter{handler: provision(t, "cookie_charter {\n preset opendatasoft matomo\n}"), request: visit("https://city.example/")}
	f.ResponseWriter = fixedHeader{header: http.Header{}}
	f.visitor.Store, f.visitor.Lines = f.handler.answers, setcookie.Lines{preference}
	f.handler.observers.others = nil
	return f
}

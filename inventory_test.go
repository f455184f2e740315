package cookiecharter

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// The admin API tells what was seen of each site, over a reload, without values,
// and drafts a charter of what is undeclared.
func TestInventory(t *testing.T) {
	inventories.mutex.Lock()
	inventories.sites = map[string]*inventory{}
	inventories.mutex.Unlock()
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
		verdict             verdict
		cookie              string
		portal, browser     int64
		domain, path, sites string
		secure, httpOnly    bool
		lifetime            string
	}{
		"sessionid": {allowed, "sessionid", 2, 2, "", "/app", "Lax", false, true, "1209600"},
		"_ga":       {undeclared, "", 2, 0, "city.example", "", "", true, false, "1"},
		"strange":   {undeclared, "", 2, 0, "", "", "", false, false, "session"},
		"":          {undeclared, "", 2, 0, "", "", "", false, false, "session"},
		"sent":      {undeclared, "", 0, 2, "", "", "", false, false, ""},
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
	site := inventories.of("city.example", timestampNow())
	judge := corpusFilter(t, "")
	for attributes, lifetime := range map[string]string{"": "session", "; Max-Age=60": "60", "; Max-Age=90; Secure": "90"} {
		judge.judgeLine("changes=" + secret + attributes)
		seen := site.find("changes").read.Load()
		if got := seen.shown().Lifetime; got != lifetime {
			t.Errorf("%q: %s", attributes, got)
		}
		if judge.judgeLine("changes=other" + attributes); site.find("changes").read.Load() != seen {
			t.Errorf("%q: looked at again", attributes)
		}
	}
	dated := "dated=" + secret + "; Expires=" + time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	judge.judgeLine(dated)
	read := site.find("dated").read.Load()
	if seconds, err := strconv.Atoi(read.shown().Lifetime); err != nil || seconds < 3500 || seconds > 3600 {
		t.Errorf("lives %s", read.shown().Lifetime)
	}
	if unsafe.StringData(read.written) == unsafe.StringData(dated[len("dated="+secret+";"):]) {
		t.Error("what is remembered is a part of the line, with its value")
	}
	// Lines that no browser would take are not kept in memory.
	if judge.judgeLine("changes=" + secret + "; " + strings.Repeat("x", maxPreference)); len(site.find("changes").read.Load().written) > maxPreference {
		t.Error("an oversized line is remembered")
	}
	for _, name := range []string{"*", "s*", "\xff"} { // a draft must not make prefixes of them
		noteIn(site, fromBrowser, name, "/")
	}
	_, draft := get(t, api+"?format=charter&host=city.example", origin)
	if strings.Contains(draft, "*") || strings.Contains(draft, "!!binary") {
		t.Errorf("a prefix, or no text, in %s", draft)
	}
	for _, want := range []string{"Suggested by the preset google_analytics", "- name: _ga\n", "provider: Google", "- name: strange\n      purpose: \"\"\n", "duration: session", "first for \"/first\""} {
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
		_, err := loadFile(path)
		if parsed, parseErr := loadFile(path); parseErr == nil {
			_, err = newCharter(parsed)
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

// noteIn notes a cookie in a site's inventory.
func noteIn(site *inventory, from direction, name, path string) {
	site.note(site.find(name), from, name, path, nil, undeclared, new(attributes))
}

// Names that visitors make up do not fill the inventory, nor drive out what the
// portal sets.
func TestInventoryHasBounds(t *testing.T) {
	set := inventorySet{sites: map[string]*inventory{}}
	site := set.of("city.example", 1)
	for i := range 5000 {
		noteIn(site, fromBrowser, fmt.Sprintf("made_up_%d_%s", i, strings.Repeat("x", 300)), strings.Repeat("/x", 5000))
		if i%10 == 0 {
			noteIn(site, fromPortal, fmt.Sprintf("portal_%d", i), "/")
			noteIn(site, fromBrowser, fmt.Sprintf("portal_%d", i), "/")
		}
	}
	portal := 0
	for name, cookie := range site.all() {
		if strings.HasPrefix(name, "portal_") {
			portal++
		}
		if len(name) > maxName || len(cookie.path) > maxName {
			t.Fatalf("%d bytes of name, %d of path", len(name), len(cookie.path))
		}
	}
	if all := len(maps.Collect(site.all())); portal != 500 || site.portal.Load() != 500 || all > 500+maxFromBrowser || all < 500+maxFromBrowser/2 {
		t.Errorf("%d of the portal, %d in all", portal, len(maps.Collect(site.all())))
	}
	for i := range 5000 {
		noteIn(site, fromPortal, fmt.Sprintf("more_%d", i), "/")
	}
	if site.portal.Load() != maxFromPortal || len(maps.Collect(site.all())) > maxFromPortal+maxFromBrowser {
		t.Errorf("%d of the portal, %d in all", site.portal.Load(), len(maps.Collect(site.all())))
	}
	for i := range 5000 { // a portal that sets what it is sent
		noteIn(site, fromBrowser, fmt.Sprintf("echo_%d", i), "/")
		noteIn(site, fromPortal, fmt.Sprintf("echo_%d", i), "/")
	}
	if site.portal.Load() != maxFromPortal || len(maps.Collect(site.all())) > maxFromPortal+maxFromBrowser {
		t.Errorf("%d of the portal, %d in all, of one that echoes", site.portal.Load(), len(maps.Collect(site.all())))
	}
	for i := range 1000 {
		noteIn(set.of(fmt.Sprintf("host%d.example", i), timestamp(i)), fromBrowser, "x", "/")
	}
	if len(set.sites) != maxSites || set.of("city.example", 1) != site {
		t.Errorf("%d sites, or the one in use was dropped", len(set.sites))
	}
}

// What is known already is noted without allocating.
func TestInventoryAllocates(t *testing.T) {
	judge := corpusFilter(t, "")
	for _, line := range []string{"csrftoken=1; expires=Fri, 02 Jan 2037 06:00:00 GMT; Max-Age=60; Path=/", "known=1; expires=Fri, 02 Jan 2037 06:00:00 GMT"} {
		judge.judgeLine(line)
		if got := testing.AllocsPerRun(100, func() { judge.judgeLine(line) }); got != 0 {
			t.Errorf("%s: %v allocations", line, got)
		}
	}
}

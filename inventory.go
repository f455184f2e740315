package cookiecharter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(inventoryAPI{})
}

const (
	// maxSites is how many sites' cookies are remembered; where a host can be
	// anything, it is the visitor's to choose.
	maxSites = 64

	// maxFromPortal and maxFromBrowser are how many names are remembered of a
	// site: those that its portal sets, and those that only browsers send.
	maxFromPortal  = 1024
	maxFromBrowser = 512
)

// inventories are what was seen of every site, by host. They outlive a reload.
var inventories = inventorySet{sites: map[string]*inventory{}}

type inventorySet struct {
	mutex sync.RWMutex
	sites map[string]*inventory
}

// of returns the inventory of a site, to which a request came now.
func (s *inventorySet) of(host string, now timestamp) *inventory {
	s.mutex.RLock()
	site := s.sites[host]
	s.mutex.RUnlock()
	if site == nil {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if site = s.sites[host]; site == nil {
			if len(s.sites) >= maxSites {
				// Hosts for which the portal sets nothing go first: anybody can
				// make them up.
				madeUp := maps.Clone(s.sites)
				maps.DeleteFunc(madeUp, func(_ string, site *inventory) bool { return site.portal.Load() > 0 })
				if len(madeUp) == 0 {
					madeUp = s.sites
				}
				delete(s.sites, oldest(madeUp))
			}
			site = new(inventory)
			s.sites[strings.Clone(host)] = site
		}
	}
	site.last.Store(int64(now))
	return site
}

// oldest returns the host of the site that was seen least recently.
func oldest(sites map[string]*inventory) string {
	return slices.MinFunc(slices.Collect(maps.Keys(sites)), func(a, b string) int {
		return cmp.Compare(sites[a].last.Load(), sites[b].last.Load())
	})
}

// An inventory is what was seen of a site's cookies.
type inventory struct {
	last    atomic.Int64 // Unix time in milliseconds
	cookies sync.Map     // from names to *seenCookie
	portal  atomic.Int64 // how many of them the portal sets
	mutex   sync.Mutex   // while one is added
	names   int          // how many there are
}

// A seenCookie is what was seen of one name; never a value.
type seenCookie struct {
	first, last atomic.Int64 // Unix seconds
	counts      [len(directions)]atomic.Int64
	verdict     atomic.Int32               // the latest
	row         atomic.Pointer[Cookie]     // that declares it, nil if none does
	read        atomic.Pointer[attributes] // of the portal's latest line, but for oversized ones
	path        string
}

// seenAttributes are those of the portal's latest Set-Cookie line.
type seenAttributes struct {
	Domain   string `json:"domain,omitempty"`
	Path     string `json:"path,omitempty"`
	Secure   bool   `json:"secure,omitempty"`
	HTTPOnly bool   `json:"http_only,omitempty"`
	SameSite string `json:"same_site,omitempty"`
	Lifetime string `json:"lifetime"` // "session", or in seconds
}

// find returns what was seen of a name, nil if nothing was.
func (i *inventory) find(name string) *seenCookie {
	seen, _ := i.cookies.Load(name)
	cookie, _ := seen.(*seenCookie)
	return cookie
}

// readBefore returns the attributes of the portal's latest line, nil if they are
// not those that are written.
func (c *seenCookie) readBefore(written string) *attributes {
	if c == nil {
		return nil
	}
	read := c.read.Load()
	if read == nil || read.written != written {
		return nil
	}
	return read
}

// note notes that a cookie, nil if it is a new one, came from one side, from the
// portal with attributes.
func (i *inventory) note(cookie *seenCookie, from direction, name, path string, row *Cookie, judged verdict, read *attributes) {
	now := i.last.Load() / 1000 // when this request came
	if cookie != nil && (from == fromBrowser || cookie.counts[fromPortal].Load() > 0) {
		cookie.counts[from].Add(1)
	} else if cookie = i.add(name, path, from, now); cookie == nil {
		return
	}
	// Writing what is there already would only slow other requests down.
	if cookie.last.Load() != now {
		cookie.last.Store(now)
	}
	if cookie.verdict.Load() != int32(judged) {
		cookie.verdict.Store(int32(judged))
	}
	if cookie.row.Load() != row {
		cookie.row.Store(row)
	}
	if from == fromPortal && cookie.read.Load() != read && len(read.written) <= maxPreference {
		cookie.read.Store(read)
	}
}

// add makes room for a name, and counts it. What only browsers send gives way to
// newer names, and never takes the room of what the portal sets.
func (i *inventory) add(name, path string, from direction, now int64) *seenCookie {
	name = name[:min(len(name), maxName)]
	i.mutex.Lock()
	defer i.mutex.Unlock()
	cookie := i.find(name)
	if from == fromPortal && (cookie == nil || cookie.counts[fromPortal].Load() == 0) {
		if i.portal.Load() >= maxFromPortal {
			return nil
		}
		i.portal.Add(1)
	} else if cookie == nil && i.names-int(i.portal.Load()) >= maxFromBrowser {
		onlySent := maps.Collect(i.all())
		maps.DeleteFunc(onlySent, func(_ string, cookie *seenCookie) bool { return cookie.counts[fromPortal].Load() > 0 })
		// Half of them at once, so that a flood of names costs little for each.
		names := slices.SortedFunc(maps.Keys(onlySent), func(a, b string) int { return int(onlySent[a].last.Load() - onlySent[b].last.Load()) })
		for _, name := range names[:(len(names)+1)/2] {
			i.cookies.Delete(name)
			i.names--
		}
	}
	if cookie == nil {
		cookie = &seenCookie{path: strings.Clone(path[:min(len(path), maxName)])}
		cookie.first.Store(now)
		i.cookies.Store(strings.Clone(name), cookie) // what it is a part of holds values
		i.names++
	}
	cookie.counts[from].Add(1)
	return cookie
}

// all yields every cookie that was seen, by name.
func (i *inventory) all() func(yield func(name string, cookie *seenCookie) bool) {
	return func(yield func(name string, cookie *seenCookie) bool) {
		for name, cookie := range i.cookies.Range {
			if !yield(name.(string), cookie.(*seenCookie)) {
				return
			}
		}
	}
}

// shown returns the attributes as the admin API tells them.
func (a *attributes) shown() *seenAttributes {
	if a == nil {
		return nil
	}
	clip := func(text string, length int) string {
		return strings.ToValidUTF8(text[:min(len(text), length)], "�")
	}
	shown := &seenAttributes{
		Domain:   clip(a.domain, maxHost),
		Path:     clip(a.path, maxName),
		Secure:   a.secure,
		HTTPOnly: a.httpOnly,
		SameSite: clip(a.sameSite, len("Strict")),
		Lifetime: session,
	}
	if life, _ := a.lifetime(func() (time.Time, bool) { return a.at.time(), true }); life.persistent {
		shown.Lifetime = strconv.FormatInt(life.seconds, 10)
	}
	return shown
}

// An InventoryEntry is what was seen of one cookie of a site, as the admin API
// tells it. Values are never part of it.
type InventoryEntry struct {
	Name    string  `json:"name"`    // "" if it had none
	Cookie  string  `json:"cookie"`  // the first name of the row that declares it, "" if none does
	Verdict verdict `json:"verdict"` // the latest: allowed, undeclared or refused

	FromPortal  int64 `json:"from_portal"`  // Set-Cookie lines
	FromBrowser int64 `json:"from_browser"` // cookies in requests

	Attributes *seenAttributes `json:"attributes,omitempty"` // as the portal set them
	Path       string          `json:"path"`                 // of the first request, without its query
	FirstSeen  time.Time       `json:"first_seen"`
	LastSeen   time.Time       `json:"last_seen"`
}

// list returns the inventory of every site, by host.
func (s *inventorySet) list() map[string][]InventoryEntry {
	s.mutex.RLock()
	sites := maps.Clone(s.sites)
	s.mutex.RUnlock()
	listed := map[string][]InventoryEntry{}
	for host, site := range sites {
		entries := []InventoryEntry{}
		for name, cookie := range site.all() {
			declared := ""
			if row := cookie.row.Load(); row != nil {
				declared = row.Name[0]
			}
			entries = append(entries, InventoryEntry{
				Name: name, Cookie: declared, Verdict: verdict(cookie.verdict.Load()),
				FromPortal: cookie.counts[fromPortal].Load(), FromBrowser: cookie.counts[fromBrowser].Load(),
				Attributes: cookie.read.Load().shown(), Path: cookie.path,
				FirstSeen: time.Unix(cookie.first.Load(), 0).UTC(), LastSeen: time.Unix(cookie.last.Load(), 0).UTC(),
			})
		}
		slices.SortFunc(entries, func(a, b InventoryEntry) int { return strings.Compare(a.Name, b.Name) })
		listed[host] = entries
	}
	return listed
}

// inventoryAPI serves the inventory at Caddy's admin endpoint:
//
//	GET /cookie_charter/inventory                 what was seen, by host, as JSON
//	GET /cookie_charter/inventory?format=charter  a charter file, in YAML, that
//	    declares what is undeclared; what it suggests has to be checked
//
// `?host=` chooses one site.
type inventoryAPI struct{}

// CaddyModule returns the Caddy module information.
func (inventoryAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.cookie_charter",
		New: func() caddy.Module { return new(inventoryAPI) },
	}
}

// Routes returns the routes of the admin endpoint.
func (inventoryAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/cookie_charter/inventory", Handler: caddy.AdminHandlerFunc(serveInventory)}}
}

func serveInventory(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s on the inventory", r.Method)}
	}
	listed := inventories.list()
	if host := r.URL.Query().Get("host"); host != "" {
		entries, ok := listed[host]
		if !ok {
			return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("nothing was seen of the host %q", host)}
		}
		listed = map[string][]InventoryEntry{host: entries}
	}
	if r.URL.Query().Get("format") == "charter" {
		draft, err := draftCharter(listed)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/yaml")
		_, err = w.Write(draft)
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(listed)
}

// draftCharter returns a charter file with a row for each undeclared cookie.
// What the presets know of a name is suggested; where they know nothing, the
// purpose is left empty, so that the file cannot be used before it is said.
func draftCharter(listed map[string][]InventoryEntry) ([]byte, error) {
	known, err := presetCharters()
	if err != nil {
		return nil, err
	}
	rows := &yaml.Node{Kind: yaml.SequenceNode}
	drafted := map[string]bool{}
	for _, host := range slices.Sorted(maps.Keys(listed)) {
		for _, entry := range listed[host] {
			if entry.Verdict != undeclared || !isToken(entry.Name) || strings.Contains(entry.Name, "*") || drafted[entry.Name] {
				continue
			}
			drafted[entry.Name] = true
			row, err := draftRow(entry, known)
			if err != nil {
				return nil, err
			}
			// A preset's row can stand for several names.
			if name := "row " + row.Content[1].Value; !drafted[name] {
				drafted[name] = true
				row.HeadComment = fmt.Sprintf("%s: set by the portal %d times, sent by browsers %d times, first for %q. %s", host, entry.FromPortal, entry.FromBrowser, entry.Path, row.HeadComment)
				rows.Content = append(rows.Content, row)
			}
		}
	}
	if len(rows.Content) == 0 {
		return []byte("# Nothing undeclared was seen.\n"), nil
	}
	document := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "cookies"}, rows}}
	return yaml.Marshal(document)
}

// draftRow returns a row for a cookie, as it is known or as it was seen.
func draftRow(entry InventoryEntry, known map[string]*charter) (*yaml.Node, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	add := func(key string, value any) error {
		encoded := new(yaml.Node)
		if err := encoded.Encode(value); err != nil {
			return err
		}
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, encoded)
		return nil
	}
	for _, preset := range slices.Sorted(maps.Keys(known)) {
		row := known[preset].find(entry.Name)
		if row == nil {
			continue
		}
		node.HeadComment = fmt.Sprintf("Suggested by the preset %s: check it, or use that preset.", preset)
		for _, field := range []struct {
			key   string
			value any
			given bool
		}{
			{"name", row.Name[0], true},
			{"match", []string(row.patterns()), len(row.Match) > 0 || len(row.Name) > 1},
			{"provider", row.Provider[""], row.Provider[""] != ""},
			{"service", map[string]string(row.Service), len(row.Service) > 0},
			{"purpose", map[string]string(row.Purpose), true},
			{"category", string(row.Category), true},
			{"consent", row.Consent, row.Consent != ""},
			{"duration", row.Duration, row.Duration != ""},
		} {
			if field.given {
				if err := add(field.key, field.value); err != nil {
					return nil, err
				}
			}
		}
		return node, nil
	}
	node.HeadComment = "Nothing is known of it: say what it is for, and of which category it is."
	lifetime := ""
	if entry.Attributes != nil {
		lifetime = entry.Attributes.Lifetime
		if seconds, err := strconv.Atoi(lifetime); err == nil {
			lifetime = inWholeUnits(seconds).String()
		}
	}
	for _, field := range []struct{ key, value string }{{"name", entry.Name}, {"purpose", ""}, {"category", ""}, {"duration", lifetime}} {
		if field.key != "duration" || lifetime != "" {
			if err := add(field.key, field.value); err != nil {
				return nil, err
			}
		}
	}
	return node, nil
}

// presetCharters returns the charter of every preset.
var presetCharters = sync.OnceValues(func() (map[string]*charter, error) {
	charters := map[string]*charter{}
	for _, name := range presetNames() {
		preset, err := loadPreset(name)
		if err != nil {
			return nil, err
		}
		if charters[name], err = newCharter(preset); err != nil {
			return nil, err
		}
	}
	return charters, nil
})

// inWholeUnits returns a lifetime in the greatest unit that leaves no rest, or
// rounded up to days.
func inWholeUnits(seconds int) duration {
	for _, unit := range []string{"year", "month", "week", "day", "hour", "minute"} {
		if length := secondsPer(unit); seconds >= length && seconds%length == 0 && seconds/length < 9999 {
			return duration{seconds / length, unit}
		}
	}
	if seconds > 86400 {
		return duration{min((seconds+86399)/86400, 9999), "day"}
	}
	return duration{max(seconds, 1), "second"}
}

// Interface guard
var _ caddy.AdminRouter = (*inventoryAPI)(nil)

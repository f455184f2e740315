package cookiecharter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/draft"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/report"
	"github.com/cookie-charter/cookie_charter/internal/request"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

func init() {
	caddy.RegisterModule(adminAPI{})
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
var inventories inventorySet

type inventorySet struct {
	mutex sync.Mutex                            // while a site is added
	sites atomic.Pointer[map[string]*inventory] // which nothing changes once it is there
}

// all returns the inventories of all sites, by host.
func (s *inventorySet) all() map[string]*inventory {
	if sites := s.sites.Load(); sites != nil {
		return *sites
	}
	return nil
}

// of returns the inventory of a site, to which a request came now.
func (s *inventorySet) of(host string, now answers.Timestamp) *inventory {
	site := s.all()[host]
	if site == nil {
		site = s.add(host)
	}
	site.requests.Add(1)
	site.last.Store(int64(now))
	return site
}

// add makes room for the inventory of a site.
func (s *inventorySet) add(host string) *inventory {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if site := s.all()[host]; site != nil {
		return site
	}
	sites := maps.Clone(s.all())
	if sites == nil {
		sites = map[string]*inventory{}
	}
	if len(sites) >= maxSites {
		delete(sites, leastSeen(sites))
	}
	site := new(inventory)
	sites[strings.Clone(host)] = site
	s.sites.Store(&sites)
	return site
}

// ofReports returns the inventory of a site of which hosts are reported, nil if there is
// none, nor room for one: no other site gives way to that.
func (s *inventorySet) ofReports(host string, now answers.Timestamp) *inventory {
	sites := s.all()
	if site := sites[host]; site != nil || len(sites) >= maxSites {
		return site
	}
	return s.of(host, now)
}

// leastSeen returns the host that gives way to a new one. Anybody can make hosts
// up: those go first for which the portal sets nothing, then those with the fewest
// requests, so that a host with traffic stays whatever came last.
func leastSeen(sites map[string]*inventory) string {
	return slices.MinFunc(slices.Collect(maps.Keys(sites)), func(a, b string) int {
		one, other := sites[a], sites[b]
		return cmp.Or(
			cmp.Compare(min(one.cookies.portalCount.Load(), 1), min(other.cookies.portalCount.Load(), 1)),
			cmp.Compare(one.requests.Load(), other.requests.Load()),
			cmp.Compare(one.last.Load(), other.last.Load()),
		)
	})
}

// siteOf returns the site of a request in the inventory: its host, and its port if
// that is not the scheme's own.
func siteOf(r *http.Request) string {
	host := request.Host(r)
	host = host[:min(len(host), setcookie.MaxHost)]
	colon := strings.LastIndexByte(r.Host, ':')
	if colon < 0 || colon < strings.LastIndexByte(r.Host, ']') {
		return host
	}
	port := r.Host[colon+1:]
	if port == "" || len(port) > len("65535") || strings.Trim(port, "0123456789") != "" || port == address.DefaultPorts[request.Scheme(r)] {
		return host
	}
	if r.Host[:colon] == host {
		return r.Host // what is there already costs nothing
	}
	return net.JoinHostPort(host, port)
}

// selectHost returns the site of a host, or else its sites on all ports. A port that
// an address need not say can be said.
func selectHost(listed map[string][]InventoryEntry, host string) map[string][]InventoryEntry {
	host = ascii.ToLower(host)
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	found := map[string][]InventoryEntry{}
	for _, site := range []string{host, name} {
		if entries, ok := listed[site]; ok && (site == host || port == address.DefaultPorts["http"] || port == address.DefaultPorts["https"]) {
			return map[string][]InventoryEntry{site: entries}
		}
	}
	for site, entries := range listed {
		if of, _, hasPort := net.SplitHostPort(site); hasPort == nil && of == name && port == "" {
			found[site] = entries
		}
	}
	return found
}

// An inventory is what was seen of a site's cookies, what documents' guards have told of those
// of scripts and of stored items, and what was reported of the hosts that its pages load from.
type inventory struct {
	last     atomic.Int64 // Unix time in milliseconds
	requests atomic.Int64 // how many had cookies, or were answered with some

	cookies              nameTable
	scriptCookies, items scriptTable
	hosts                report.Hosts
}

// A scriptTable is what documents' guards have told of names, which anybody can make up.
type scriptTable = report.Table[string, scriptFacts]

// scriptFacts are what is known of such a name.
type scriptFacts struct {
	count  int64
	judged lastJudgement
	path   string // of the page of which it was told first, "" where that is not known
}

// A lastJudgement is the verdict that a name had last.
type lastJudgement struct {
	verdict judge.Verdict
	row     *charter.Row   // that declares the name, nil if none does
	charter *servedCharter // whose verdict it is
}

// A nameTable is what was seen of each name.
type nameTable struct {
	records     sync.Map     // from names to *nameRecord
	portalCount atomic.Int64 // how many of them the portal sets
	mutex       sync.Mutex   // while one is added
	count       int          // how many there are
}

// A nameRecord is what was seen of one name; never a value.
type nameRecord struct {
	first, last atomic.Int64 // Unix seconds
	counts      [len(judge.Directions)]atomic.Int64
	verdict     atomic.Int32                         // the latest
	row         atomic.Pointer[charter.Row]          // that declares it, nil if none does
	charter     atomic.Pointer[servedCharter]        // whose verdict it is
	latest      atomic.Pointer[setcookie.Attributes] // of the portal's latest line, but for oversized ones
	latestTime  atomic.Int64                         // Unix seconds
	path        string
}

// portalAttributes are those of the portal's latest Set-Cookie line.
type portalAttributes struct {
	Domain   string `json:"domain,omitempty"`
	Path     string `json:"path,omitempty"`
	Secure   bool   `json:"secure,omitempty"`
	HTTPOnly bool   `json:"http_only,omitempty"`
	SameSite string `json:"same_site,omitempty"`
	Lifetime string `json:"lifetime"` // "session", or in seconds
}

// find returns what was seen of a name, nil if nothing was.
func (t *nameTable) find(name string) *nameRecord {
	seen, _ := t.records.Load(name)
	record, _ := seen.(*nameRecord)
	return record
}

// An inventoryObserver adds to the inventory what is judged by a handler's charter.
type inventoryObserver struct {
	charter *servedCharter
	page    *page.Page
}

func (o inventoryObserver) tell(sighting *sighting, judgement *judge.Judgement) {
	if sighting.cookieCount == setcookie.MaxCookies {
		return
	}
	sighting.cookieCount++
	if sighting.site == nil {
		sighting.site = inventories.of(siteOf(sighting.request), sighting.time)
		sighting.path.Address = sighting.request.URL
		if o.page.IsBeside(sighting.request.URL.Path) {
			sighting.path.Address = request.Referrer(sighting.request)
		}
	}
	sighting.site.cookies.note(judgement, &sighting.path, o.charter, sighting.time)
}

// note records what was judged by a charter at a time.
func (t *nameTable) note(judgement *judge.Judgement, path *address.RequestPath, by *servedCharter, at answers.Timestamp) {
	now := int64(at) / 1000
	record := t.find(judgement.Name)
	if record != nil && (judgement.From != judge.FromPortal || record.counts[judge.FromPortal].Load() > 0) {
		record.counts[judgement.From].Add(1)
	} else if record = t.add(judgement.Name, path, judgement.From, now); record == nil {
		return
	}
	// Writing what is there already would only slow other requests down.
	if record.last.Load() != now {
		record.last.Store(now)
	}
	if record.verdict.Load() != int32(judgement.Verdict) {
		record.verdict.Store(int32(judgement.Verdict))
	}
	if record.row.Load() != judgement.Row {
		record.row.Store(judgement.Row)
	}
	if record.charter.Load() != by {
		record.charter.Store(by)
	}
	attributes := judgement.Attributes
	if before := record.latest.Load(); attributes != nil && len(attributes.Text) <= answers.MaxPreference && (before == nil || before.Text != attributes.Text) {
		record.latestTime.Store(now)
		record.latest.Store(attributes)
	}
}

// add makes room for a name, and counts it. What only browsers send gives way to
// newer names, and never takes the room of what the portal sets.
func (t *nameTable) add(name string, path *address.RequestPath, from judge.Direction, now int64) *nameRecord {
	name = name[:min(len(name), setcookie.MaxShown)]
	t.mutex.Lock()
	defer t.mutex.Unlock()
	record := t.find(name)
	if from == judge.FromPortal && (record == nil || record.counts[judge.FromPortal].Load() == 0) {
		if t.portalCount.Load() >= maxFromPortal {
			return nil
		}
		t.portalCount.Add(1)
	} else if record == nil && t.count-int(t.portalCount.Load()) >= maxFromBrowser {
		onlySent := maps.Collect(t.all())
		maps.DeleteFunc(onlySent, func(_ string, record *nameRecord) bool { return record.counts[judge.FromPortal].Load() > 0 })
		// Half of them at once, so that a flood of names costs little for each.
		names := slices.SortedFunc(maps.Keys(onlySent), func(a, b string) int { return int(onlySent[a].last.Load() - onlySent[b].last.Load()) })
		for _, name := range names[:(len(names)+1)/2] {
			t.records.Delete(name)
			t.count--
		}
	}
	if record == nil {
		record = &nameRecord{path: path.Shown()}
		record.first.Store(now)
		t.records.Store(strings.Clone(name), record) // what it is a part of holds values
		t.count++
	}
	record.counts[from].Add(1)
	return record
}

// all yields all that was seen, by name.
func (t *nameTable) all() func(yield func(name string, record *nameRecord) bool) {
	return func(yield func(name string, record *nameRecord) bool) {
		for name, record := range t.records.Range {
			if !yield(name.(string), record.(*nameRecord)) {
				return
			}
		}
	}
}

// attributes returns the attributes of the portal's latest line as the admin API
// shows them.
func (r *nameRecord) attributes() *portalAttributes {
	read := r.latest.Load()
	if read == nil {
		return nil
	}
	clip := func(text string, length int) string {
		return strings.ToValidUTF8(text[:min(len(text), length)], "�")
	}
	shown := &portalAttributes{
		Domain:   clip(read.Domain, setcookie.MaxHost),
		Path:     clip(read.Path, setcookie.MaxShown),
		Secure:   read.Secure,
		HTTPOnly: read.HTTPOnly,
		SameSite: clip(read.SameSite, len("Strict")),
		Lifetime: charter.Session,
	}
	if life, _ := read.Lifetime(setcookie.Clock{Now: time.Unix(r.latestTime.Load(), 0)}); life.Persistent {
		shown.Lifetime = strconv.FormatInt(life.Seconds, 10)
	}
	return shown
}

// An InventoryEntry is what was seen of one cookie of a site, told of one stored item, or
// reported of one host that its pages load from, as the admin API shows it. Values are never
// part of it.
type InventoryEntry struct {
	Name    string        `json:"name"`           // "" if it had none, and of what is no cookie
	Item    string        `json:"item,omitempty"` // the key, or the beginning of some with an asterisk
	Host    string        `json:"host,omitempty"` // as it would be declared
	Cookie  string        `json:"cookie"`         // the first name of the row that declares it, "" if none does
	Verdict judge.Verdict `json:"verdict"`        // allowed, undeclared or refused: the latest, by the charter in force; of a host, that of a visitor without an answer

	FromPortal  int64 `json:"from_portal"`  // Set-Cookie lines, but for deletions
	FromBrowser int64 `json:"from_browser"` // cookies in requests
	FromScripts int64 `json:"from_scripts"` // pages in which a guard that monitors has found it

	Networks   int               `json:"networks,omitempty"`   // about how many have told that, 64 at most
	Reports    *hostReports      `json:"reports,omitempty"`    // of a host
	Attributes *portalAttributes `json:"attributes,omitempty"` // as the portal set them
	Path       string            `json:"path"`                 // of the first request, or the page that made it by itself, without query and parameters; "" where that is not known
	FirstSeen  time.Time         `json:"first_seen"`
	LastSeen   time.Time         `json:"last_seen"`
}

// hostReports are what browsers reported of a host.
type hostReports struct {
	Count      int64    `json:"count"`
	Blocked    int64    `json:"blocked"`    // how many tell that it was, and not only that it would have been
	Networks   int      `json:"networks"`   // about how many have reported it, 64 at most
	Directives []string `json:"directives"` // what was loaded or sent
}

// origin returns what the entry of a host tells of.
func (e *InventoryEntry) origin() charter.Origin {
	address := e.Host
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	origin, _ := charter.ParseOrigin(address)
	return origin
}

// now returns the verdict of a name and the row that declares it, as find finds it, by
// the charters in force: the last verdict, if one of these gave it. Else a row that asks for the same as the
// last keeps the verdict, and another has that of a visitor without an answer. What
// is served no longer keeps its last verdict, as does what had more wrong than its
// name.
func (l lastJudgement) now(name string, find func(*charter.Charter, string) *charter.Row, config runningConfig, charters []*charter.Charter) (judge.Verdict, *charter.Row) {
	if l.charter == nil || config.has(l.charter) || len(charters) == 0 || !setcookie.IsToken(name) || l.row == nil && find(l.charter.charter, name) != nil {
		return l.verdict, l.row
	}
	for _, charter := range charters {
		found := find(charter, name)
		switch {
		case found == nil:
		case l.row != nil && found.Key == l.row.Key && found.Exempt == l.row.Exempt:
			return l.verdict, found
		default:
			return judge.VerdictAfter(answers.None, found), found
		}
	}
	return judge.Undeclared, nil
}

// judged returns the verdict that a cookie had last.
func (r *nameRecord) judged() lastJudgement {
	return lastJudgement{judge.Verdict(r.verdict.Load()), r.row.Load(), r.charter.Load()}
}

// bySite returns the inventory of every site, by host, with the verdicts of the
// charters in force.
func (s *inventorySet) bySite(config runningConfig) map[string][]InventoryEntry {
	bySite := map[string][]InventoryEntry{}
	for host, site := range s.all() {
		entries, charters := []InventoryEntry{}, config.charters(host)
		var rows []*charter.Row
		for _, charter := range charters {
			rows = append(rows, charter.Rows...)
		}
		for name, cookie := range site.cookies.all() {
			verdict, row := cookie.judged().now(name, (*charter.Charter).Find, config, charters)
			entries = append(entries, InventoryEntry{
				Name: name, Cookie: firstNameOf(row), Verdict: verdict,
				FromPortal: cookie.counts[judge.FromPortal].Load(), FromBrowser: cookie.counts[judge.FromBrowser].Load(),
				Attributes: cookie.attributes(), Path: cookie.path, FirstSeen: time.Unix(cookie.first.Load(), 0).UTC(), LastSeen: time.Unix(cookie.last.Load(), 0).UTC(),
			})
		}
		told := func(table *scriptTable, find func(*charter.Charter, string) *charter.Row) (entries []InventoryEntry) {
			for _, seen := range table.All() {
				verdict, row := seen.Facts.judged.now(seen.Name, find, config, charters)
				entries = append(entries, InventoryEntry{
					Name: seen.Name, Cookie: firstNameOf(row), Verdict: verdict, FromScripts: seen.Facts.count, Networks: seen.Networks,
					Path: seen.Facts.path, FirstSeen: seen.First.Truncate(time.Second).UTC(), LastSeen: seen.Last.Truncate(time.Second).UTC(),
				})
			}
			return entries
		}
		entries = mergeEntries(entries, told(&site.scriptCookies, (*charter.Charter).Find))
		for _, entry := range told(&site.items, (*charter.Charter).FindItem) {
			entry.Name, entry.Item = "", entry.Name
			entries = append(entries, entry)
		}
		for _, seen := range site.hosts.All() {
			judged := judge.JudgeHostAfter(answers.None, rows, seen.Name)
			entries = append(entries, InventoryEntry{
				Host: seen.Name.String(), Cookie: firstNameOf(judged.Row), Verdict: judged.Verdict,
				Reports:   &hostReports{seen.Facts.Count, seen.Facts.Blocked, seen.Networks, seen.Facts.Directives()},
				FirstSeen: seen.First.Truncate(time.Second).UTC(), LastSeen: seen.Last.Truncate(time.Second).UTC(),
			})
		}
		slices.SortFunc(entries, compareEntries)
		bySite[host] = entries
	}
	return bySite
}

// firstNameOf returns what a row is called, "" for none.
func firstNameOf(row *charter.Row) string {
	if row == nil {
		return ""
	}
	return row.FirstName()
}

// adminAPI serves the inventory at Caddy's admin endpoint, and takes audits there:
//
//	GET  /cookie_charter/inventory                 what was seen, by host, as JSON
//	GET  /cookie_charter/inventory?format=charter  a charter file, in YAML, that
//	     declares what is undeclared; what it suggests has to be checked
//	POST /cookie_charter/audits                    the report of an audit, as JSON, to
//	     be published, if nothing was found
//	POST /cookie_charter/audits?findings=allowed   the same, whatever was found
//
// `?host=` chooses one host, on one port or on all.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.cookie_charter",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// The paths of the admin endpoint.
const (
	inventoryPath = "/cookie_charter/inventory"
	auditsPath    = "/cookie_charter/audits"

	// findingsAllowed is the query with which a report is published whatever was found.
	findingsAllowed = "findings=allowed"
)

// Routes returns the routes of the admin endpoint.
func (adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: inventoryPath, Handler: caddy.AdminHandlerFunc(serveInventory)},
		{Pattern: auditsPath, Handler: caddy.AdminHandlerFunc(takeAudit)},
	}
}

func serveInventory(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s on the inventory", r.Method)}
	}
	bySite := inventories.bySite(running())
	if host := r.URL.Query().Get("host"); host != "" {
		if bySite = selectHost(bySite, host); len(bySite) == 0 {
			return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("nothing was seen of the host %q", host)}
		}
	}
	if r.URL.Query().Get("format") == "charter" {
		draft, err := draft.Charter(draftEntries(bySite))
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/yaml")
		_, err = w.Write(draft)
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(bySite)
}

// A publication is what the admin endpoint answers where it has taken an audit.
type publication struct {
	page.Publication

	// IsListening tells whether a server here listens at the address of the report; else it
	// shows only if something in front leads from there to here.
	IsListening bool `json:"is_listening"`
}

// takeAudit publishes the report of an audit on the charter page of its site.
func takeAudit(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s on audits", r.Method)}
	}
	content, err := io.ReadAll(io.LimitReader(r.Body, audit.MaxPublished+1)) // one too many is refused
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	if len(content) > audit.MaxPublished {
		return caddy.APIError{HTTPStatus: http.StatusRequestEntityTooLarge, Err: fmt.Errorf("a report that is published has up to %d bytes", audit.MaxPublished)}
	}
	report, err := audit.ReadReport(content)
	if err == nil {
		err = report.CheckPublication(r.URL.RawQuery == findingsAllowed, time.Now())
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	handlers, err := running().publishersOf(report)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	}
	taken := publication{IsListening: running().isListening(report.Origin())}
	for _, handler := range handlers {
		if taken.Publication, err = handler.page.Publish(r.Context(), report); err != nil {
			return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
		}
		handler.logger.Info("published an audit", zap.String("host", report.Host()), zap.Int("findings", len(report.Findings)), zap.String("version", report.Version), zap.String("hash", report.Hash))
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(taken)
}

// publishersOf returns the handlers that publish an audit, which have one archive: those of
// its host, and where they have several archives, those of its version.
func (c runningConfig) publishersOf(report *audit.Report) ([]*Handler, error) {
	host := report.Host()
	found := c.handlers(host)
	if len(found) == 0 {
		return nil, fmt.Errorf("no cookie_charter serves the host %q here", host)
	}
	found = slices.DeleteFunc(found, func(handler *Handler) bool { return handler.Page.Archive == "" })
	if len(found) == 0 {
		return nil, fmt.Errorf("the charter of %q has no archive, which keeps published audits, too; write \"archive\" in the block of \"page\"", host)
	}
	isOfOthers := func(handler *Handler) bool { return handler.Page.Archive != found[0].Page.Archive }
	if slices.ContainsFunc(found, isOfOthers) {
		found = slices.DeleteFunc(found, func(handler *Handler) bool { return handler.charter.Version != report.Version })
	}
	if len(found) == 0 || slices.ContainsFunc(found, isOfOthers) {
		return nil, fmt.Errorf("the host %q has several charters with archives, and not one of them alone is the version %s of the report", host, report.Version)
	}
	return found, nil
}

// draftEntries returns what drafts are made of.
func draftEntries(bySite map[string][]InventoryEntry) map[string][]draft.Entry {
	all := map[string][]draft.Entry{}
	for host, entries := range bySite {
		for _, entry := range entries {
			one := draft.Entry{Name: cmp.Or(entry.Item, entry.Name), IsItem: entry.Item != "", Host: entry.origin(), Path: entry.Path, IsUndeclared: entry.Verdict == judge.Undeclared, FromPortal: entry.FromPortal, FromBrowser: entry.FromBrowser, FromScripts: entry.FromScripts, Networks: entry.Networks}
			if entry.Attributes != nil {
				one.Lifetime = entry.Attributes.Lifetime
			}
			if entry.Reports != nil {
				one.Reports, one.Networks = entry.Reports.Count, entry.Reports.Networks
			}
			all[host] = append(all[host], one)
		}
	}
	return all
}

// compareEntries orders the entries of a site.
func compareEntries(a, b InventoryEntry) int {
	return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.Item, b.Item), strings.Compare(a.Name, b.Name))
}

// mergeEntries returns what two instances have seen of a site as one has, in the order of the
// admin API. What only the latest tells is that of the one that has seen it last.
func mergeEntries(one, other []InventoryEntry) []InventoryEntry {
	type key struct{ host, item, name string }
	known := make(map[key]int, len(one))
	merged := slices.Clone(one)
	for i, entry := range merged {
		known[key{entry.Host, entry.Item, entry.Name}] = i
	}
	for _, entry := range other {
		i, isKnown := known[key{entry.Host, entry.Item, entry.Name}]
		if !isKnown {
			merged = append(merged, entry)
			continue
		}
		first, last := merged[i], entry
		if entry.LastSeen.Before(first.LastSeen) {
			first, last = entry, first
		}
		last.FromPortal += first.FromPortal
		last.FromBrowser += first.FromBrowser
		last.FromScripts += first.FromScripts
		last.Networks = max(last.Networks, first.Networks) // as of hosts
		last.Attributes = cmp.Or(last.Attributes, first.Attributes)
		last.Reports = mergeReports(last.Reports, first.Reports)
		if first.FirstSeen.Before(last.FirstSeen) {
			last.FirstSeen, last.Path = first.FirstSeen, cmp.Or(first.Path, last.Path)
		}
		last.Path = cmp.Or(last.Path, first.Path)
		merged[i] = last
	}
	slices.SortFunc(merged, compareEntries)
	return merged
}

// mergeReports returns what two instances were told of a host as one. Of how many networks
// both know is not to be told, so there are at least as many as either knows.
func mergeReports(one, other *hostReports) *hostReports {
	if one == nil || other == nil {
		return cmp.Or(one, other)
	}
	return &hostReports{
		Count: one.Count + other.Count, Blocked: one.Blocked + other.Blocked, Networks: max(one.Networks, other.Networks),
		Directives: slices.Compact(slices.Sorted(slices.Values(slices.Concat(one.Directives, other.Directives)))),
	}
}

// Interface guard
var _ caddy.AdminRouter = (*adminAPI)(nil)

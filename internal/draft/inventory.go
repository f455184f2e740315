// Package draft writes charter files that people have to complete: from an existing
// charter page, and from what was seen of a site.
package draft

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// An Entry is what was seen of one cookie of a site, told of one stored item, or reported of one
// host that its pages load from.
type Entry struct {
	Name         string // "" if it had none, and of a host
	IsItem       bool   // the name is the key of a stored item, or the beginning of some with an asterisk
	Host         charter.Origin
	Path         string // of the first page, "" where that is not known
	Lifetime     string // "session", or in seconds; "" if the portal does not set it
	IsUndeclared bool   // no row declares it

	FromPortal, FromBrowser, FromScripts int64 // how often

	Reports  int64 // of a host
	Networks int   // that have reported it, or told it from scripts
}

// rowIn returns the row that declares a cookie, or a stored item, nil if none does.
func (e Entry) rowIn(c *charter.Charter) *charter.Row {
	if e.IsItem {
		return c.FindItem(e.Name)
	}
	return c.Find(e.Name)
}

// Charter returns a charter file, in YAML, from what was seen by host, with a row for each
// undeclared cookie, stored item and host.
// What the presets know of a name is suggested; where they know nothing, the
// purpose is left empty, so that the file cannot be used before it is said.
func Charter(sites map[string][]Entry) ([]byte, error) {
	known, err := charter.Presets()
	if err != nil {
		return nil, err
	}
	rows := &yaml.Node{Kind: yaml.SequenceNode}
	drafted := map[string]bool{}
	// A preset's row can stand for several names, as a prefix does, and for hosts.
	add := func(row charter.Cookie, comment string) error {
		if name := fmt.Sprintf("row %t %s", len(row.Storage) > 0, row.FirstName()); !drafted[name] {
			drafted[name] = true
			node, err := row.Node()
			if err != nil {
				return err
			}
			node.HeadComment = comment
			rows.Content = append(rows.Content, node)
		}
		return nil
	}
	series := map[bool]map[string]*nameSeries{false: findSeries(sites, false, known), true: findSeries(sites, true, known)}
	for _, host := range slices.Sorted(maps.Keys(sites)) {
		joined := map[*nameSeries]Entry{}
		for _, entry := range sites[host] {
			if of := series[entry.IsItem][entry.Name]; of != nil {
				joined[of] = joinSeries(joined[of], entry)
			}
		}
		for _, entry := range sites[host] {
			name := fmt.Sprintf("name %t %s", entry.IsItem, entry.Name)
			if !isDraftable(entry) || drafted[name] {
				continue
			}
			drafted[name] = true
			of := series[entry.IsItem][entry.Name]
			if of != nil {
				entry = joined[of]
				entry.Name = of.prefix + "*"
			}
			row, comment := draftRow(entry, known)
			switch {
			case of != nil:
				comment = fmt.Sprintf("unsure: stands for %d names that differ in a number or a hash alone, such as %s. %s", len(of.names), strings.Join(of.names[:minSeries], ", "), comment)
			case entry.IsItem && row.Category == "" && strings.HasSuffix(entry.Name, "*"):
				comment = "unsure: stands for all keys that begin so, of which browsers do not tell the rest, as it looks like a number or a hash. " + comment
			}
			seen := fmt.Sprintf("set by the portal %s, sent by browsers %s, found in pages %s", terminal.Count(entry.FromPortal, "time"), terminal.Count(entry.FromBrowser, "time"), terminal.Count(entry.FromScripts, "time"))
			if entry.IsItem {
				seen = "stored, as found in pages " + terminal.Count(entry.FromScripts, "time")
			}
			if entry.Path != "" {
				seen += fmt.Sprintf(", first for %q", entry.Path)
			}
			seen += doubt(entry)
			if err := add(row, fmt.Sprintf("%s: %s. %s", host, seen, comment)); err != nil {
				return nil, err
			}
		}
		for _, entry := range sites[host] {
			if row, comment, ok := draftHost(entry, known); ok {
				if err := add(row, fmt.Sprintf("%s: pages load from %s, or send to it, as browsers reported %s%s. %s", host, entry.Host, terminal.Count(entry.Reports, "time"), doubt(entry), comment)); err != nil {
					return nil, err
				}
			}
		}
	}
	if len(rows.Content) == 0 {
		return []byte("# Nothing undeclared was seen.\n"), nil
	}
	document := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "cookies"}, rows}}
	return yaml.Marshal(document)
}

// isDraftable tells whether a row can be drafted for a cookie or a stored item, and has to be.
func isDraftable(entry Entry) bool {
	if entry.IsItem {
		row := charter.Cookie{Storage: charter.Names{entry.Name}}
		field, _ := row.Validate()
		return entry.IsUndeclared && field != "storage"
	}
	return entry.IsUndeclared && setcookie.IsToken(entry.Name) && !strings.Contains(entry.Name, "*")
}

const (
	// minSeries is how many names make a series: two that differ in a number can be
	// two cookies of which each has its purpose.
	minSeries = 3

	// minPrefix is how long a drafted prefix is at least, in letters: a shorter one
	// would declare what nobody has thought of.
	minPrefix = 4
)

var (
	// namePart is what stands between separators in a name.
	namePart = regexp.MustCompile(`[0-9A-Za-z]+`)

	// What in a part, or in several, can change from one name to the next.
	isHash    = regexp.MustCompile(`^(?:[0-9a-f]{8,}|[0-9A-F]{8,}|[0-9A-Za-z]{20,})$`)
	isUUID    = regexp.MustCompile(`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	digits    = regexp.MustCompile(`[0-9]+`)
	isLettery = regexp.MustCompile(`^[^0-9]*$`)
)

// seriesOf returns a name with a "*" for each number and hash in it.
func seriesOf(name string) string {
	return namePart.ReplaceAllStringFunc(isUUID.ReplaceAllString(name, "*"), func(part string) string {
		if isHash.MatchString(part) && !isLettery.MatchString(part) {
			return "*"
		}
		return digits.ReplaceAllString(part, "*")
	})
}

// A nameSeries is names that differ in a number or a hash alone.
type nameSeries struct {
	prefix string // what they share
	names  []string
}

// findSeries returns the series of undeclared cookies, or of items, by their names. There are
// several names in each, no preset knows them, and nothing else of the kind that was seen begins
// with their prefix.
func findSeries(sites map[string][]Entry, ofItems bool, known map[string]*charter.Charter) map[string]*nameSeries {
	found := map[string]*nameSeries{} // by what seriesOf returns
	all := map[string]bool{}
	for _, entries := range sites {
		for _, entry := range entries {
			if entry.IsItem != ofItems {
				continue
			}
			isKnown := false
			for _, preset := range known {
				isKnown = isKnown || entry.rowIn(preset) != nil
			}
			if series := seriesOf(entry.Name); !all[entry.Name] && isDraftable(entry) && !isKnown && series != entry.Name {
				if found[series] == nil {
					prefix, _, _ := strings.Cut(series, "*")
					found[series] = &nameSeries{prefix: prefix}
				}
				found[series].names = append(found[series].names, entry.Name)
			}
			all[entry.Name] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(all))
	byName := map[string]*nameSeries{}
	for _, series := range found {
		letters := len(strings.Join(namePart.FindAllString(series.prefix, -1), ""))
		if len(series.names) < minSeries || letters < minPrefix {
			continue
		}
		slices.Sort(series.names)
		first, _ := slices.BinarySearch(sorted, series.prefix)
		last := first + len(series.names) // of what begins so, if that is the series alone
		if !slices.Equal(sorted[first:min(last, len(sorted))], series.names) || last < len(sorted) && strings.HasPrefix(sorted[last], series.prefix) {
			continue
		}
		for _, name := range series.names {
			byName[name] = series
		}
	}
	return byName
}

// joinSeries returns an entry for several cookies: counts are added, and of the
// attributes those count that live longest.
func joinSeries(joined, entry Entry) Entry {
	if joined.Name == "" {
		return entry
	}
	joined.FromPortal += entry.FromPortal
	joined.FromBrowser += entry.FromBrowser
	joined.FromScripts += entry.FromScripts
	joined.Networks = max(joined.Networks, entry.Networks)
	if joined.Lifetime == "" || secondsOf(entry.Lifetime) > secondsOf(joined.Lifetime) {
		joined.Lifetime = entry.Lifetime
	}
	return joined
}

// secondsOf returns how long a lifetime of the inventory is, 0 for a session.
func secondsOf(lifetime string) int {
	seconds, err := strconv.Atoi(lifetime)
	if err != nil {
		return 0
	}
	return seconds
}

// draftRow returns a row for a cookie, as it is known or as it was seen, or for a stored item,
// and a comment that says which.
func draftRow(entry Entry, known map[string]*charter.Charter) (row charter.Cookie, comment string) {
	const isUnknown = "Nothing is known of it: say what it is for, and of which category it is."
	for _, preset := range slices.Sorted(maps.Keys(known)) {
		if row := entry.rowIn(known[preset]); row != nil {
			drafted := row.Cookie
			drafted.Host, drafted.Script, drafted.Storage = nil, nil, nil // of which nothing was seen
			if entry.IsItem {
				drafted.Name, drafted.Match, drafted.Duration, drafted.Domain = nil, nil, "", ""
				drafted.Storage = charter.Names{known[preset].ShowItem(entry.Name)}
			}
			return drafted, fmt.Sprintf("Suggested by the preset %s: check it, or use that preset.", preset)
		}
	}
	if entry.IsItem {
		return charter.Cookie{Storage: charter.Names{entry.Name}, Purpose: charter.Text{"": ""}}, isUnknown
	}
	row = charter.Cookie{Name: charter.Names{entry.Name}, Purpose: charter.Text{"": ""}}
	row.Duration = entry.Lifetime
	if seconds, err := strconv.Atoi(row.Duration); err == nil {
		row.Duration = charter.DurationOf(seconds).String()
	}
	return row, isUnknown
}

// doubt returns why an entry may be made up, "" if that is not likely. Cookies in headers are
// told by no network.
func doubt(entry Entry) string {
	if entry.Networks != 1 || entry.FromPortal+entry.FromBrowser > 0 {
		return ""
	}
	return ", from one network alone, which can be made up"
}

// draftHost returns a row for a host, and a comment that says what is known of it; it is not
// ok if there is none to be drafted. Of what a preset knows, the host is added to the key.
func draftHost(entry Entry, known map[string]*charter.Charter) (row charter.Cookie, comment string, ok bool) {
	if !entry.IsUndeclared || entry.Host.Host == "" {
		return row, "", false
	}
	row.Host = charter.Names{entry.Host.String()}
	for _, preset := range slices.Sorted(maps.Keys(known)) {
		for _, of := range known[preset].Rows {
			if of.Key != "" && of.IncludesOrigin(entry.Host) {
				row.Consent = of.Key
				return row, fmt.Sprintf("Suggested by the preset %s, which asks by this key: check it, or use that preset.", preset), true
			}
		}
	}
	row.Purpose = charter.Text{"": ""}
	field, _ := row.Validate()
	return row, "Nothing is known of it: say what it is for, and of which category it is.", field != "host" // an address cannot be declared
}

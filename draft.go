package cookiecharter

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// seen is what was seen of one cookie of a site.
type seen struct {
	name         string
	path         string // of the first request
	lifetime     string // "session", or in seconds; "" if the portal does not set it
	isUndeclared bool

	fromPortal, fromBrowser int64 // how often
}

// draftCharter returns a charter file with a row for each undeclared cookie.
// What the presets know of a name is suggested; where they know nothing, the
// purpose is left empty, so that the file cannot be used before it is said.
func draftCharter(listed map[string][]seen) ([]byte, error) {
	known, err := presetCharters()
	if err != nil {
		return nil, err
	}
	rows := &yaml.Node{Kind: yaml.SequenceNode}
	drafted := map[string]bool{}
	series := findSeries(listed, known)
	for _, host := range slices.Sorted(maps.Keys(listed)) {
		joined := map[*nameSeries]seen{}
		for _, entry := range listed[host] {
			if of := series[entry.name]; of != nil {
				joined[of] = joinSeries(joined[of], entry)
			}
		}
		for _, entry := range listed[host] {
			if !isDraftable(entry) || drafted[entry.name] {
				continue
			}
			drafted[entry.name] = true
			of := series[entry.name]
			if of != nil {
				entry = joined[of]
				entry.name = of.prefix + "*"
			}
			row, comment := draftRow(entry, known)
			// A preset's row can stand for several names, as a prefix does.
			if name := "row " + row.Name[0]; !drafted[name] {
				drafted[name] = true
				node, err := row.node()
				if err != nil {
					return nil, err
				}
				if of != nil {
					comment = fmt.Sprintf("unsure: stands for %d names that differ in a number or a hash alone, such as %s. %s", len(of.names), strings.Join(of.names[:minSeries], ", "), comment)
				}
				node.HeadComment = fmt.Sprintf("%s: set by the portal %d times, sent by browsers %d times, first for %q. %s", host, entry.fromPortal, entry.fromBrowser, entry.path, comment)
				rows.Content = append(rows.Content, node)
			}
		}
	}
	if len(rows.Content) == 0 {
		return []byte("# Nothing undeclared was seen.\n"), nil
	}
	document := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "cookies"}, rows}}
	return yaml.Marshal(document)
}

// isDraftable tells whether a row can be drafted for a cookie, and has to be.
func isDraftable(entry seen) bool {
	return entry.isUndeclared && setcookie.IsToken(entry.name) && !strings.Contains(entry.name, "*")
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

// findSeries returns the series of undeclared cookies, by their names. There are
// several names in each, no preset knows them, and nothing else that was seen begins
// with their prefix.
func findSeries(listed map[string][]seen, known map[string]*charter) map[string]*nameSeries {
	found := map[string]*nameSeries{} // by what seriesOf returns
	all := map[string]bool{}
	for _, entries := range listed {
		for _, entry := range entries {
			isKnown := false
			for _, preset := range known {
				isKnown = isKnown || preset.find(entry.name) != nil
			}
			if series := seriesOf(entry.name); !all[entry.name] && isDraftable(entry) && !isKnown && series != entry.name {
				if found[series] == nil {
					prefix, _, _ := strings.Cut(series, "*")
					found[series] = &nameSeries{prefix: prefix}
				}
				found[series].names = append(found[series].names, entry.name)
			}
			all[entry.name] = true
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
func joinSeries(joined, entry seen) seen {
	if joined.name == "" {
		return entry
	}
	joined.fromPortal += entry.fromPortal
	joined.fromBrowser += entry.fromBrowser
	if joined.lifetime == "" || secondsOf(entry.lifetime) > secondsOf(joined.lifetime) {
		joined.lifetime = entry.lifetime
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

// draftRow returns a row for a cookie, as it is known or as it was seen, and a
// comment that says which.
func draftRow(entry seen, known map[string]*charter) (row Cookie, comment string) {
	for _, preset := range slices.Sorted(maps.Keys(known)) {
		if row := known[preset].find(entry.name); row != nil {
			return row.Cookie, fmt.Sprintf("Suggested by the preset %s: check it, or use that preset.", preset)
		}
	}
	row = Cookie{Name: Names{entry.name}, Purpose: Text{"": ""}}
	row.Duration = entry.lifetime
	if seconds, err := strconv.Atoi(row.Duration); err == nil {
		row.Duration = inWholeUnits(seconds).String()
	}
	return row, "Nothing is known of it: say what it is for, and of which category it is."
}

package charter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Diff returns which rows were added, removed or changed from one charter to another.
func Diff(before, after *Charter) []string {
	rows := func(c *Charter) map[string]map[string]any {
		byName := map[string]map[string]any{}
		for _, cookie := range c.Rows {
			var fields map[string]any
			encoded, err := json.Marshal(cookie)
			if err != nil || json.Unmarshal(encoded, &fields) != nil {
				continue // a row always marshals
			}
			name := cmp.Or(strings.Join(cookie.Name, " "), cookie.FirstName())
			for other := 2; byName[name] != nil; other++ { // a host can stand in several rows
				name = fmt.Sprintf("%s (%d)", cookie.FirstName(), other)
			}
			byName[name] = fields
		}
		return byName
	}
	old, new := rows(before), rows(after)
	names := slices.Sorted(maps.Keys(old))
	for name := range new {
		if old[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var findings []string
	for _, name := range names {
		switch {
		case old[name] == nil:
			findings = append(findings, "+ "+name)
		case new[name] == nil:
			findings = append(findings, "- "+name)
		default:
			for _, field := range Fields.Names() {
				from, to := fmt.Sprint(old[name][field]), fmt.Sprint(new[name][field])
				if from != to {
					findings = append(findings, fmt.Sprintf("~ %s: %s was %s, is %s", name, field, strings.Replace(from, "<nil>", "not there", 1), strings.Replace(to, "<nil>", "not there", 1)))
				}
			}
		}
	}
	return findings
}

package charter

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Diff returns which rows were added, removed or changed from one charter to another.
func Diff(before, after *Charter) []string {
	rows := func(c *Charter) map[string]*Cookie {
		byName := map[string]*Cookie{}
		for _, row := range c.Rows {
			name := cmp.Or(strings.Join(row.Name, " "), row.FirstName())
			for other := 2; byName[name] != nil; other++ { // a host can stand in several rows
				name = fmt.Sprintf("%s (%d)", row.FirstName(), other)
			}
			byName[name] = &row.Cookie
		}
		return byName
	}
	old, new := rows(before), rows(after)
	names := slices.Collect(maps.Keys(old))
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
			for _, field := range Fields {
				for _, change := range field.changes(old[name], new[name]) {
					findings = append(findings, "~ "+name+": "+change)
				}
			}
		}
	}
	return findings
}

// changes returns what of a field is not as it was, of a text by language.
func (f Field) changes(before, after *Cookie) []string {
	from, to := f.inWords(before), f.inWords(after)
	var changes []string
	for _, language := range slices.Sorted(maps.Keys(from)) {
		isSame := from[language] == to[language] || f.Name == "duration" && lastAlike(from[language], to[language])
		if !isSame {
			changes = append(changes, fmt.Sprintf("%s was %s, is %s", strings.TrimSpace(f.Name+" "+language), from[language], cmp.Or(to[language], "not there")))
		}
	}
	for _, language := range slices.Sorted(maps.Keys(to)) {
		if _, ok := from[language]; !ok {
			changes = append(changes, fmt.Sprintf("%s was not there, is %s", strings.TrimSpace(f.Name+" "+language), to[language]))
		}
	}
	return changes
}

// inWords returns what a row says in the field, by language, "" for all or for what is no
// text; nothing if it does not have it.
func (f Field) inWords(c *Cookie) map[string]string {
	if !f.isSet(c) {
		return nil
	}
	switch value := f.Of(c).(type) {
	case *Text:
		return *value
	case *Names:
		if len(*value) == 1 {
			return map[string]string{"": (*value)[0]}
		}
		return map[string]string{"": fmt.Sprint([]string(*value))}
	case *string:
		return map[string]string{"": *value}
	default:
		return map[string]string{"": "true"} // a flag that is set
	}
}

// lastAlike tells whether two durations are the same, in whatever words and units, as in the
// version of a charter.
func lastAlike(one, other string) bool {
	first, notFirst := ParseDuration(one)
	second, notSecond := ParseDuration(other)
	return notFirst == nil && notSecond == nil && first.Seconds() == second.Seconds()
}

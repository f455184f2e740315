package charter

import "strings"

// A nameTree is a radix tree over names and prefixes: finding a name takes no
// longer with more rows than with few, and undeclared names end at once. Two maps, of
// which that of the prefixes is asked for each of their lengths, would be shorter, but
// twice as slow for a prefix and more than ten times for an undeclared name
// (BenchmarkFind).
type nameTree struct {
	label           string // what leads here from the node above
	literal, prefix *Row
	firsts          string // the first bytes of the labels below
	below           []*nameTree
}

// add has names, and prefixes that end in an asterisk, lead to a row.
func (t *nameTree) add(patterns Names, row *Row) {
	for _, pattern := range patterns {
		if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
			t.at(prefix).prefix = row
		} else {
			t.at(pattern).literal = row
		}
	}
}

// at returns the node of a name or a prefix, made if there is none.
func (t *nameTree) at(name string) *nameTree {
	if name == "" {
		return t
	}
	i := strings.IndexByte(t.firsts, name[0])
	if i < 0 {
		added := &nameTree{label: name}
		t.firsts += name[:1]
		t.below = append(t.below, added)
		return added
	}
	next := t.below[i]
	common := 0
	for common < len(name) && common < len(next.label) && name[common] == next.label[common] {
		common++
	}
	if common < len(next.label) {
		fork := &nameTree{label: next.label[:common], firsts: next.label[common : common+1], below: []*nameTree{next}}
		next.label = next.label[common:]
		t.below[i] = fork
		next = fork
	}
	return next.at(name[common:])
}

// find returns the row of a name: that of the literal, else of the longest
// prefix, nil if there is none.
func (t *nameTree) find(name string) (longest *Row) {
	for {
		if t.prefix != nil {
			longest = t.prefix
		}
		if name == "" {
			break
		}
		i := strings.IndexByte(t.firsts, name[0])
		if i < 0 || !strings.HasPrefix(name, t.below[i].label) {
			return longest
		}
		t = t.below[i]
		name = name[len(t.label):]
	}
	if t.literal != nil {
		return t.literal
	}
	return longest
}

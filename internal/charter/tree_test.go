package charter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The tree finds what looking through all names would.
func TestNameTree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	name := func() string {
		text := make([]byte, 1+random.IntN(5))
		for i := range text {
			text[i] = "ab_"[random.IntN(3)]
		}
		return string(text)
	}
	for range 200 {
		var tree nameTree
		literals, prefixes := map[string]*Row{}, map[string]*Row{}
		for range random.IntN(20) {
			literal, prefix := name(), name()
			literals[literal], prefixes[prefix] = new(Row), new(Row)
			tree.at(literal).literal, tree.at(prefix).prefix = literals[literal], prefixes[prefix]
		}
		for range 200 {
			wanted := name()
			want := literals[wanted]
			for length := len(wanted); want == nil && length > 0; length-- {
				want = prefixes[wanted[:length]]
			}
			if got := tree.find(wanted); got != want {
				t.Fatalf("%s: got %p, want %p, of %v and %v", wanted, got, want, literals, prefixes)
			}
		}
	}
}

// A plainIndex is what the tree takes the place of.
type plainIndex struct {
	literals, prefixes map[string]*Row
	lengths            []int // of the prefixes, the longest first
}

func (x *plainIndex) find(name string) *Row {
	if row := x.literals[name]; row != nil {
		return row
	}
	for _, length := range x.lengths {
		if length <= len(name) {
			if row := x.prefixes[name[:length]]; row != nil {
				return row
			}
		}
	}
	return nil
}

// BenchmarkFind measures the tree beside two maps, with the names of all presets.
func BenchmarkFind(b *testing.B) {
	var tree nameTree
	plain := plainIndex{literals: map[string]*Row{}, prefixes: map[string]*Row{}}
	for _, name := range PresetNames() {
		preset, err := LoadPreset(name)
		if err != nil {
			b.Fatal(err)
		}
		for i := range preset.Rows {
			row := &preset.Rows[i]
			for _, pattern := range row.Patterns() {
				if prefix, isPrefix := strings.CutSuffix(pattern, "*"); isPrefix {
					tree.at(prefix).prefix, plain.prefixes[prefix] = row, row
					if !slices.Contains(plain.lengths, len(prefix)) {
						plain.lengths = append(plain.lengths, len(prefix))
					}
				} else {
					tree.at(pattern).literal, plain.literals[pattern] = row, row
				}
			}
		}
	}
	slices.Sort(plain.lengths)
	slices.Reverse(plain.lengths)
	for _, name := range []string{"sessionid", "_pk_id.1.1fff", "undeclared"} {
		for kind, find := range map[string]func(string) *Row{"tree": tree.find, "maps": plain.find} {
			b.Run(fmt.Sprintf("%s/%s", name, kind), func(b *testing.B) {
				for b.Loop() {
					find(name)
				}
			})
		}
	}
}

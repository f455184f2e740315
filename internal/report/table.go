package report

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"
	"time"
)

const (
	// MaxNewcomers is how many names are remembered that are not settled: as a rule, because
	// one network alone has reported them.
	MaxNewcomers = 256

	// MaxSettled is how many are remembered besides.
	MaxSettled = 256

	// forgotten is after how long a name that nobody reports weighs nothing.
	forgotten = 30 * 24 * time.Hour
)

// A Table is which names were reported, and what is known of each, by whom nobody knows: anybody
// can make reports up. So a name weighs as much as networks have reported it, not as reports.
//
// It begins as a newcomer, and settles when a second network reports it. Of newcomers, those
// of the network that has brought the most give way, so that a flood drives out itself. Of
// settled ones, the lightest gives way, and only to a heavier one. What the charter declares
// by its name outweighs all others.
//
// The zero Table is empty.
type Table[Name comparable, Facts any] struct {
	mutex     sync.Mutex
	names     map[Name]*entry[Name, Facts]
	newcomers map[uint64][]*entry[Name, Facts] // by the network that has brought them, the oldest first
	settled   []*entry[Name, Facts]
}

// An entry is what was reported of a name.
type entry[Name comparable, Facts any] struct {
	name        Name
	facts       Facts
	first, last time.Time
	networks    uint64 // a bit for each: 64 of them are told apart, some by chance not
	broughtBy   uint64
	isSettled   bool
	isDeclared  bool // by its name
}

// weight returns how heavy a name is.
func (e *entry[Name, Facts]) weight(now time.Time) int {
	const heaviest = 64
	switch {
	case e.isDeclared:
		return heaviest + 1
	case now.Sub(e.last) > forgotten:
		return 0
	}
	return bits.OnesCount64(e.networks)
}

// Note has learn add to what is known of a name, by a report that came from a network, of which
// only a hash with a secret seed is known. What is declared is so by its name, and not among
// all that begin or end as another.
func (t *Table[Name, Facts]) Note(name Name, network uint64, isDeclared bool, now time.Time, learn func(*Facts)) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	seen := t.names[name]
	if seen == nil {
		seen = t.add(name, network, now)
	}
	learn(&seen.facts)
	seen.networks |= 1 << (network % 64)
	seen.last, seen.isDeclared = now, isDeclared
	if !seen.isSettled && seen.weight(now) > 1 {
		t.settle(seen, now)
	}
}

// add makes room for a newcomer.
func (t *Table[Name, Facts]) add(name Name, network uint64, now time.Time) *entry[Name, Facts] {
	if t.names == nil {
		t.names, t.newcomers = map[Name]*entry[Name, Facts]{}, map[uint64][]*entry[Name, Facts]{}
	}
	if len(t.names)-len(t.settled) >= MaxNewcomers {
		most := network
		for other, brought := range t.newcomers {
			if len(brought) > len(t.newcomers[most]) {
				most = other
			}
		}
		oldest := t.newcomers[most][0]
		t.leave(oldest)
		delete(t.names, oldest.name)
	}
	added := &entry[Name, Facts]{name: name, first: now, broughtBy: network}
	t.names[name] = added
	t.newcomers[network] = append(t.newcomers[network], added)
	return added
}

// leave takes a name out of the newcomers.
func (t *Table[Name, Facts]) leave(seen *entry[Name, Facts]) {
	rest := slices.DeleteFunc(t.newcomers[seen.broughtBy], func(other *entry[Name, Facts]) bool { return other == seen })
	if t.newcomers[seen.broughtBy] = rest; len(rest) == 0 {
		delete(t.newcomers, seen.broughtBy)
	}
}

// settle makes room for a newcomer among the settled, if it is heavier than one of them.
func (t *Table[Name, Facts]) settle(seen *entry[Name, Facts], now time.Time) {
	if len(t.settled) < MaxSettled {
		t.settled = append(t.settled, seen)
	} else {
		lightest := 0
		for i, other := range t.settled {
			least := t.settled[lightest]
			if cmp.Or(cmp.Compare(other.weight(now), least.weight(now)), other.last.Compare(least.last)) < 0 {
				lightest = i
			}
		}
		if t.settled[lightest].weight(now) >= seen.weight(now) {
			return
		}
		delete(t.names, t.settled[lightest].name)
		t.settled[lightest] = seen
	}
	t.leave(seen)
	seen.isSettled = true
}

// Seen is what was reported of a name, as people are told.
type Seen[Name comparable, Facts any] struct {
	Name        Name
	Facts       Facts
	Networks    int // about how many have reported it, 64 at most
	First, Last time.Time
}

// All returns what was reported, in no order.
func (t *Table[Name, Facts]) All() []Seen[Name, Facts] {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	all := make([]Seen[Name, Facts], 0, len(t.names))
	for name, seen := range t.names {
		all = append(all, Seen[Name, Facts]{name, seen.facts, bits.OnesCount64(seen.networks), seen.first, seen.last})
	}
	return all
}

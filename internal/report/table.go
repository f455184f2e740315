package report

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

const (
	// MaxNewcomers is how many origins are remembered that are not settled: as a rule,
	// because one network alone has reported them.
	MaxNewcomers = 256

	// MaxSettled is how many are remembered besides.
	MaxSettled = 256

	// forgotten is after how long an origin that nobody reports weighs nothing.
	forgotten = 30 * 24 * time.Hour
)

// A Table is which origins were reported, by whom nobody knows: anybody can make reports up.
// So an origin weighs as much as networks have reported it, not as reports.
//
// It begins as a newcomer, and settles when a second network reports it. Of newcomers, those
// of the network that has brought the most give way, so that a flood drives out itself. Of
// settled ones, the lightest gives way, and only to a heavier one. What the charter declares
// by its name outweighs all others.
//
// The zero Table is empty.
type Table struct {
	mutex     sync.Mutex
	origins   map[charter.Origin]*entry
	newcomers map[uint64][]*entry // by the network that has brought them, the oldest first
	settled   []*entry
}

// An entry is what was reported of an origin.
type entry struct {
	origin         charter.Origin
	directives     uint16 // a bit for each
	count, blocked int64
	first, last    time.Time
	networks       uint64 // a bit for each: 64 of them are told apart, some by chance not
	broughtBy      uint64
	isSettled      bool
	isDeclared     bool // by its name
}

// weight returns how heavy an origin is.
func (e *entry) weight(now time.Time) int {
	const heaviest = 64
	switch {
	case e.isDeclared:
		return heaviest + 1
	case now.Sub(e.last) > forgotten:
		return 0
	}
	return bits.OnesCount64(e.networks)
}

// Note adds a report that came from a network, of which only a hash with a secret seed is
// known. What is declared is so by its name, and not among all the subdomains of another.
func (t *Table) Note(report Report, network uint64, isDeclared bool, now time.Time) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	seen := t.origins[report.Origin]
	if seen == nil {
		seen = t.add(report.Origin, network, now)
	}
	seen.directives |= 1 << report.Directive
	seen.networks |= 1 << (network % 64)
	seen.count++
	if report.IsBlocked {
		seen.blocked++
	}
	seen.last, seen.isDeclared = now, isDeclared
	if !seen.isSettled && seen.weight(now) > 1 {
		t.settle(seen, now)
	}
}

// add makes room for a newcomer.
func (t *Table) add(origin charter.Origin, network uint64, now time.Time) *entry {
	if t.origins == nil {
		t.origins, t.newcomers = map[charter.Origin]*entry{}, map[uint64][]*entry{}
	}
	if len(t.origins)-len(t.settled) >= MaxNewcomers {
		most := network
		for other, brought := range t.newcomers {
			if len(brought) > len(t.newcomers[most]) {
				most = other
			}
		}
		oldest := t.newcomers[most][0]
		t.leave(oldest)
		delete(t.origins, oldest.origin)
	}
	added := &entry{origin: origin, first: now, broughtBy: network}
	t.origins[origin] = added
	t.newcomers[network] = append(t.newcomers[network], added)
	return added
}

// leave takes an origin out of the newcomers.
func (t *Table) leave(seen *entry) {
	rest := slices.DeleteFunc(t.newcomers[seen.broughtBy], func(other *entry) bool { return other == seen })
	if t.newcomers[seen.broughtBy] = rest; len(rest) == 0 {
		delete(t.newcomers, seen.broughtBy)
	}
}

// settle makes room for a newcomer among the settled, if it is heavier than one of them.
func (t *Table) settle(seen *entry, now time.Time) {
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
		delete(t.origins, t.settled[lightest].origin)
		t.settled[lightest] = seen
	}
	t.leave(seen)
	seen.isSettled = true
}

// Seen is what was reported of an origin, as people are told.
type Seen struct {
	Origin         charter.Origin
	Directives     []string
	Count, Blocked int64
	Networks       int // about how many have reported it, 64 at most
	First, Last    time.Time
}

// All returns what was reported, in no order.
func (t *Table) All() []Seen {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	all := make([]Seen, 0, len(t.origins))
	for origin, seen := range t.origins {
		one := Seen{Origin: origin, Count: seen.count, Blocked: seen.blocked, Networks: bits.OnesCount64(seen.networks), First: seen.first, Last: seen.last}
		for directive, word := range Directives {
			if seen.directives>>directive&1 == 1 {
				one.Directives = append(one.Directives, word)
			}
		}
		all = append(all, one)
	}
	return all
}

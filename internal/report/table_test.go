package report

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

var day = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// reportOf returns a report of a host.
func reportOf(host string) Report {
	return Report{Origin: charter.Origin{Scheme: "https", Host: host}}
}

// find returns what a table has of a host.
func find(t *Hosts, host string) (seen Seen[charter.Origin, HostFacts], ok bool) {
	for _, seen := range t.All() {
		if seen.Name.Host == host {
			return seen, true
		}
	}
	return seen, false
}

// keeps fails a test if a table does not have some hosts.
func keeps(t *testing.T, table *Hosts, what string, number int) {
	t.Helper()
	for i := range number {
		if _, ok := find(table, fmt.Sprintf("%s%d.example", what, i)); !ok {
			t.Errorf("%s%d is forgotten", what, i)
		}
	}
	newcomers := 0
	for _, brought := range table.newcomers {
		newcomers += len(brought)
	}
	if settled := len(table.settled); newcomers > MaxNewcomers || settled > MaxSettled || newcomers+settled != len(table.names) {
		t.Errorf("%d newcomers, %d settled, of %d", newcomers, settled, len(table.names))
	}
}

func TestTable(t *testing.T) {
	var table Hosts
	report := reportOf("a.example")
	for i, directive := range []string{"img-src", "script-src", "img-src"} {
		report.Directive, _ = parseDirective(directive)
		report.IsBlocked = i == 2
		table.Note(report, uint64(i%2), false, day.Add(time.Duration(i)*time.Hour))
	}
	seen, _ := find(&table, "a.example")
	if fmt.Sprint(seen.Facts.Directives(), seen.Facts.Count, seen.Facts.Blocked, seen.Networks, seen.First.Hour(), seen.Last.Hour()) != "[img-src script-src] 3 1 2 12 14" {
		t.Errorf("%+v", seen)
	}
}

// flood reports hosts that nobody loads from: sixteen times as many as a table holds.
func flood(table *Hosts, from, hosts uint64, now time.Time) {
	for i := range 16 * uint64(MaxNewcomers+MaxSettled) {
		table.Note(reportOf(fmt.Sprintf("made-up-%d-%d.example", hosts, i)), from, false, now.Add(time.Duration(i)))
	}
}

// What one network reports, however much and how often, drives out nothing that two
// networks have reported, nor keeps another network's hosts from being known.
func TestFloodFromOneNetwork(t *testing.T) {
	var table Hosts
	for i := range MaxSettled {
		for network := range uint64(2) {
			table.Note(reportOf(fmt.Sprintf("known%d.example", i)), network, false, day)
		}
	}
	flood(&table, 7, 7, day.Add(time.Hour))
	for i := range 100 {
		table.Note(reportOf(fmt.Sprintf("new%d.example", i)), 8, false, day.Add(2*time.Hour))
	}
	flood(&table, 7, 7, day.Add(3*time.Hour))
	keeps(t, &table, "known", MaxSettled)
	keeps(t, &table, "new", 100)
}

// Two networks that agree settle what nobody has heard of, but drive out nothing that two have
// reported.
func TestFloodFromTwoNetworks(t *testing.T) {
	var table Hosts
	for i := range 100 {
		for network := range uint64(2) {
			table.Note(reportOf(fmt.Sprintf("known%d.example", i)), network, false, day)
		}
	}
	for network := range uint64(2) {
		flood(&table, 7+network, 7, day.Add(time.Hour))
	}
	for i := range 1000 {
		for network := range uint64(2) {
			table.Note(reportOf(fmt.Sprintf("joint%d.example", i)), 7+network, false, day.Add(time.Hour))
		}
	}
	if len(table.settled) != MaxSettled {
		t.Errorf("%d are settled", len(table.settled))
	}
	keeps(t, &table, "known", 100)
}

// Many networks that report at once, each of them hosts of its own, leave room for those of
// others; what all of them report together does not drive out what more have reported.
func TestFloodFromManyNetworks(t *testing.T) {
	for _, isJoint := range []bool{false, true} {
		var table Hosts
		for i := range 100 {
			for network := range uint64(40) {
				table.Note(reportOf(fmt.Sprintf("known%d.example", i)), network, false, day)
			}
		}
		for i := range 10 {
			table.Note(reportOf(fmt.Sprintf("new%d.example", i)), 50, false, day)
		}
		var floods sync.WaitGroup
		for network := range uint64(16) {
			floods.Go(func() {
				hosts := network
				if isJoint {
					hosts = 0
				}
				flood(&table, network, hosts, day.Add(time.Hour))
			})
		}
		floods.Wait()
		keeps(t, &table, "known", 100)
		keeps(t, &table, "new", 10)

		// What settles in the flood's place needs more networks than that.
		for i := range 100 {
			for network := range uint64(20) {
				table.Note(reportOf(fmt.Sprintf("later%d.example", i)), 20+network, false, day.Add(2*time.Hour))
			}
		}
		keeps(t, &table, "later", 100)
	}
}

// What is declared by its name has room, whatever was reported; what nobody reports for
// long gives way.
func TestDeclaredOrigins(t *testing.T) {
	var table Hosts
	for i := range MaxSettled + 100 {
		for network := range uint64(64) {
			table.Note(reportOf(fmt.Sprintf("made-up%d.example", i)), network, false, day)
		}
	}
	for i := range 100 {
		table.Note(reportOf(fmt.Sprintf("declared%d.example", i)), 1, true, day)
	}
	flood(&table, 2, 2, day)
	keeps(t, &table, "declared", 100)
	if table.Note(reportOf("undeclared.example"), 1, false, day); table.names[reportOf("undeclared.example").Origin].isSettled {
		t.Error("one network settles what is undeclared")
	}

	later := day.Add(forgotten + time.Hour)
	for i := range MaxSettled - 100 {
		for network := range uint64(2) {
			table.Note(reportOf(fmt.Sprintf("later%d.example", i)), network, false, later)
		}
	}
	flood(&table, 2, 2, later)
	keeps(t, &table, "later", MaxSettled-100)
	keeps(t, &table, "declared", 100)
}

// A report costs no more than one look at the table.
func BenchmarkFlood(b *testing.B) {
	var table Hosts
	flood(&table, 1, 1, day)
	b.ReportAllocs()
	for i := range b.N {
		table.Note(reportOf(fmt.Sprintf("made-up-%d.example", i)), uint64(i%16), false, day)
	}
}

package cookiecharter

import (
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/report"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// heap returns how many bytes are in use once all is collected that is not.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what has finalizers goes with the second
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}

// fill fills the inventory of a site, with all that it can hold of cookies and hosts, each
// text as long as it is made.
func fill(site *inventory, length int) {
	long := func(text string) string { return text + strings.Repeat("x", max(0, length-len(text))) }
	note := func(from judge.Direction, name string, attributes *setcookie.Attributes) {
		path := address.RequestPath{Address: &url.URL{Path: long("/explore/dataset/" + name)}}
		site.cookies.note(&judge.Judgement{From: from, Name: long(name), Attributes: attributes}, &path, nil, answers.Timestamp(1))
	}
	for i := range maxFromPortal {
		name := fmt.Sprintf("from_portal_%d", i)
		// A line holds its own text, of which a cookie's attributes are a part.
		line := strings.Clone("; Domain=example.fr; Path=" + long("/") + "; SameSite=Lax; Max-Age=31449600")
		note(judge.FromPortal, name, setcookie.ReadAttributes(line))
	}
	for i := range maxFromBrowser {
		note(judge.FromBrowser, fmt.Sprintf("from_browser_%d", i), nil)
	}
	for i := range report.MaxNewcomers + report.MaxSettled {
		path := address.RequestPath{Address: &url.URL{Path: long("/explore")}}
		for kind, table := range map[string]*scriptTable{"cookie": &site.scriptCookies, "item": &site.items} {
			for network := range uint64(2 - i%2) {
				table.Note(long(fmt.Sprintf("%s_%d", kind, i)), uint64(i)+network, false, time.Now(), func(facts *scriptFacts) { facts.path = path.Shown() })
			}
		}
		origin := charter.Origin{Scheme: "https", Host: long(fmt.Sprintf("host%d.example", i))}
		for network := range uint64(2 - i%2) { // half of them settle
			site.hosts.Note(report.Report{Origin: origin}, uint64(i)+network, false, time.Now())
		}
	}
}

// BenchmarkFullInventory tells how much memory the inventory of one site takes at most, with
// texts of a usual length, and with the longest that it keeps.
func BenchmarkFullInventory(b *testing.B) {
	const sites = 8
	for name, length := range map[string]int{"usual": 0, "longest": setcookie.MaxShown} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				full := make([]inventory, sites)
				for i := range full {
					full[i].last.Store(1)
					fill(&full[i], length)
				}
				b.ReportMetric(float64(heap()-before)/sites, "B/site")
				if all := full[0].cookies.count; all != maxFromPortal+maxFromBrowser {
					b.Fatalf("it holds %d cookies", all)
				}
				runtime.KeepAlive(full)
			}
		})
	}
}

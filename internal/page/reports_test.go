package page

import (
	"testing"
	"time"
)

// In a second, so many posts are read, and so many of one network, and none is counted of
// those that are not.
func TestReportRate(t *testing.T) {
	var rate reportRate
	now := time.Unix(1_800_000_000, 0)
	count := func(networks, posts int, now time.Time) int {
		taken := 0
		for i := range posts {
			if rate.takes(uint64(i%networks), now) {
				taken++
			}
		}
		return taken
	}
	for second := range 2 {
		at := now.Add(time.Duration(second) * time.Second)
		if taken := count(1, 1000, at); taken != maxNetworkPosts {
			t.Errorf("%d posts of one network", taken)
		}
		if taken := count(1000, 10000, at); taken != maxPosts-maxNetworkPosts {
			t.Errorf("%d posts of many networks", taken)
		}
		if len(rate.networks) > maxPosts {
			t.Errorf("%d networks are remembered", len(rate.networks))
		}
	}
}

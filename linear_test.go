package cookiecharter

import (
	"testing"
	"time"
)

// checkLinear fails a test if what run does with some bytes grows faster than
// these: sixteen times as many may take 64 times as long, where 256 times would
// be quadratic. It bounds a ratio, of the fastest of several runs each, and no
// time.
func checkLinear(t *testing.T, name string, few int, run func(size int)) {
	t.Helper()
	const times, most = 16, 64
	fastest := func(size int) time.Duration {
		shortest := time.Duration(1<<63 - 1)
		for range 5 {
			rounds := max(1, 1<<14/size)
			start := time.Now()
			for range rounds {
				run(size)
			}
			shortest = min(shortest, time.Since(start)/time.Duration(rounds))
		}
		return max(shortest, time.Microsecond)
	}
	small, large := fastest(few), fastest(times*few)
	for range 20 { // what else the machine does disturbs the longer run more
		if large <= most*small {
			return
		}
		small, large = min(small, fastest(few)), min(large, fastest(times*few))
	}
	t.Errorf("%s: %d bytes take %v, %d bytes %v", name, few, small, times*few, large)
}

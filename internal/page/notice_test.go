package page

import (
	"fmt"
	"testing"
)

// Hosts and answers come from visitors, and only so many notices are kept.
func TestKeptNoticesHaveABound(t *testing.T) {
	var notices keptNotices
	for i := range 10 * maxNotices {
		key := noticeKey{site: fmt.Sprint(i)}
		notices.add(key, [][]byte{[]byte(key.site)})
		if parts, ok := notices.get(key); !ok || string(parts[0]) != key.site || len(notices.parts) > maxNotices {
			t.Fatalf("%d are kept: %q", len(notices.parts), parts)
		}
	}
}

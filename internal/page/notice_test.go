package page

import (
	"fmt"
	"testing"
)

// Hosts and answers come from visitors, and only so much is remembered.
func TestRememberedHasABound(t *testing.T) {
	var notices remembered[noticeKey, [][]byte]
	for i := range 10 * maxRemembered {
		key := noticeKey{site: fmt.Sprint(i)}
		notices.add(key, [][]byte{[]byte(key.site)})
		if parts, ok := notices.get(key); !ok || string(parts[0]) != key.site || len(notices.values) > maxRemembered {
			t.Fatalf("%d are kept: %q", len(notices.values), parts)
		}
	}
}

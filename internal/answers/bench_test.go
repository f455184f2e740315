package answers

import (
	"fmt"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// BenchmarkPreference measures the decoding of a preference: of one that was
// seen lately, and of one that was not.
func BenchmarkPreference(b *testing.B) {
	handler := portalOf(b, "opendatasoft matomo", "", "opendatasoft")
	const cookies = "sessionid=u8k3j0c2l1o9w7q5; csrftoken=Zk2mJ8s0Qq1cXb4vWn7RtY; django_language=fr; " +
		"cookies_preferences=%7B%22matomo%22%3Atrue%2C%22timestamp%22%3A1795308590967%7D; _pk_id.1.1fff=4b1c0a7d5e"
	for _, recent := range []*recentValues{{}, nil} {
		b.Run(fmt.Sprintf("recent=%t", recent != nil), func(b *testing.B) {
			handler.answers.Stored[0].recent = recent
			b.ReportAllocs()
			for b.Loop() {
				visitor := Visitor{Store: handler.answers, Lines: setcookie.Lines{cookies}}
				visitor.decode()
			}
		})
	}
}

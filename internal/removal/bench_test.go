package removal

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// BenchmarkExpiries measures what an answer costs more that removes cookies: of a
// portal's visitor, and at worst.
func BenchmarkExpiries(b *testing.B) {
	for _, count := range []int{7, setcookie.MaxCookies} {
		for _, address := range []string{"https://data.city.example/explore/", "https://" + strings.Repeat("a.", 110) + "city.example/" + strings.Repeat("a/", 2000)} {
			b.Run(fmt.Sprintf("cookies=%d/address=%d", count, len(address)), func(b *testing.B) {
				var cookies []Cookie
				for i := range count {
					cookies = append(cookies, Cookie{fmt.Sprintf("_pk_id.%d.1fff", i), &charter.Row{}})
				}
				from := fromOrigin(address)
				header := http.Header{"Content-Type": {"text/html"}, "Server": {"Caddy"}}
				b.ReportAllocs()
				for b.Loop() {
					Expiries(cookies, from, RoomFor(header, from.Address))
				}
			})
		}
	}
}

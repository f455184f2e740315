package page

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// GPCPath is where a site says that it respects Global Privacy Control (W3C,
// Global Privacy Control, section 4).
const GPCPath = "/.well-known/gpc.json"

// isGPC tells whether a path is where that is said here.
func (p *Page) isGPC(path string) bool { return path == GPCPath && p.GPC != "" }

func (p *Page) serveGPC(e Exchange) error {
	if e.Request.Method != http.MethodGet && e.Request.Method != http.MethodHead {
		e.Header().Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, fmt.Errorf("method %s on %s", e.Request.Method, GPCPath))
	}
	return p.write(e, "application/json", fmt.Appendf(nil, `{"gpc":true,"lastUpdate":%q}`, p.GPC))
}

// Package request says what a request is for, as the visitor sees it, behind proxies and
// after rewrites.
package request

import (
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// Host returns the host that a request is for, without its port.
func Host(r *http.Request) string {
	host := r.Host
	if strings.Contains(host, ":") {
		if withoutPort, _, err := net.SplitHostPort(host); err == nil {
			host = withoutPort
		}
	}
	return ascii.ToLower(strings.TrimSuffix(host, "."))
}

// URL returns the URL as the client sent it.
func URL(r *http.Request) *url.URL {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return original.URL
	}
	return r.URL
}

// Referrer returns the address of the page that a request comes from, nil if that is not told,
// or of another host.
func Referrer(r *http.Request) *url.URL {
	referrer, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || referrer.Host == "" || !ascii.EqualFold(referrer.Host, r.Host) {
		return nil
	}
	return referrer
}

// Scheme returns the scheme of the URL as the visitor sees it.
func Scheme(r *http.Request) string {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	if r.TLS != nil || trusted && isForwardedEncrypted(r) {
		return "https"
	}
	return "http"
}

// isForwardedEncrypted tells whether a request says that the visitor uses https, which anybody
// can write.
func isForwardedEncrypted(r *http.Request) bool {
	forwarded, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return ascii.EqualFold(setcookie.Trim(forwarded), "https")
}

// IsEncrypted tells whether a visitor's connection is, also in a request that a
// template makes for a fragment of its page (httpInclude), which says nothing of it.
func IsEncrypted(r *http.Request) bool {
	if Scheme(r) == "https" {
		return true
	}
	if r.Header.Get("Caddy-Templates-Include") == "" {
		return false
	}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return ok && len(server.TLSConnPolicies) > 0 || isForwardedEncrypted(r)
}

// seed is known to nobody, and gone with the process.
var seed = maphash.MakeSeed()

// Network returns a number for the network that a request comes from: what one visitor has
// at hand, 256 addresses, or of IPv6 a site's. Nobody can tell an address from it.
func Network(r *http.Request) uint64 {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	address, _ := netip.ParseAddr(text) // one that is not known is a network of its own
	address = address.Unmap().WithZone("")
	length := 48
	if address.Is4() {
		length = 24
	}
	network, _ := address.Prefix(length)
	return maphash.Comparable(seed, network)
}

package setcookie

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

const (
	// MaxHost is the longest host name, in bytes (RFC 1035, section 2.3.4).
	MaxHost = 253

	// MaxShown is how much of a name is shown to people, in bytes.
	MaxShown = 128

	// MaxCookies is how many cookies of a request are looked at one by one: more
	// than browsers keep for a host.
	MaxCookies = 256
)

// IsHost tells whether a host can stand in a Domain attribute.
func IsHost(host string) bool {
	return host != "" && len(host) <= MaxHost && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// Registrable returns the registrable domain of a host, "" if it has none.
func Registrable(host string) string {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || !IsHost(host) {
		return ""
	}
	registrable, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	return registrable
}

// IsPath tells whether a path can stand in a Path attribute.
func IsPath(path string) bool {
	if strings.HasSuffix(path, " ") || len(path) > MaxAttribute {
		return false
	}
	for i := range len(path) {
		if char := path[i]; char < ' ' || char > '~' || char == ';' {
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}

// DefaultPath returns the path that a cookie has which says none (RFC 6265bis,
// section 5.1.4), or "/" if it cannot stand in a Path attribute.
func DefaultPath(address *url.URL) string {
	path := address.EscapedPath()
	end := strings.LastIndexByte(path, '/')
	if end <= 0 || !IsPath(path[:end]) {
		return "/"
	}
	return path[:end]
}

package request

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// The host is told as browsers keep it, however it was typed.
func TestHost(t *testing.T) {
	for typed, want := range map[string]string{
		"city.example": "city.example", "CITY.Example.:8080": "city.example", "[::1]:443": "::1", "[::1]": "[::1]", "\u212a.example": "\u212a.example", "": "",
	} {
		if got := Host(&http.Request{Host: typed}); got != want {
			t.Errorf("%q: %q", typed, got)
		}
	}
}

// What a proxy in front tells of the scheme counts if it is trusted.
func TestScheme(t *testing.T) {
	for _, test := range []struct {
		forwarded          string
		trusted, encrypted bool
		want               string
	}{
		{"", false, false, "http"},
		{"", false, true, "https"},
		{"https", false, false, "http"},
		{"https", true, false, "https"},
		{"HTTPS , http", true, false, "https"},
		{"httpſ", true, false, "http"},
	} {
		r := caddyhttp.PrepareRequest(httptest.NewRequest(http.MethodGet, "/", http.NoBody), caddy.NewReplacer(), nil, new(caddyhttp.Server))
		r.Header.Set("X-Forwarded-Proto", test.forwarded)
		caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, test.trusted)
		if test.encrypted {
			r.TLS = new(tls.ConnectionState)
		}
		if got := Scheme(r); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

// A network is told by its first bits, and as what it is over both protocols.
func TestNetwork(t *testing.T) {
	of := func(address string) uint64 {
		r := caddyhttp.PrepareRequest(httptest.NewRequest(http.MethodGet, "/", http.NoBody), caddy.NewReplacer(), nil, new(caddyhttp.Server))
		caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, address)
		return Network(r)
	}
	for _, same := range [][2]string{{"192.0.2.1", "192.0.2.254"}, {"192.0.2.1", "::ffff:192.0.2.9"}, {"2001:db8:1::1", "2001:db8:1:ffff::2"}, {"fe80::1%eth0", "fe80::2"}, {"", "nobody"}} {
		if of(same[0]) != of(same[1]) {
			t.Errorf("%q are two networks", same)
		}
	}
	for _, different := range [][2]string{{"192.0.2.1", "192.0.3.1"}, {"2001:db8:1::1", "2001:db8:2::1"}, {"192.0.2.1", ""}} {
		if of(different[0]) == of(different[1]) {
			t.Errorf("%q are one network", different)
		}
	}
}

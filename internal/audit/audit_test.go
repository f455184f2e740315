package audit

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// The cookies of an audit without a browser are kept and sent as browsers do it.
func TestAuditKeepsCookiesAsBrowsersDo(t *testing.T) {
	for _, test := range []struct {
		at, line   string
		domain     string // "" if it is not stored
		sent, kept []string
	}{
		{"https://a.city.fr/x/y", "n=1", "a.city.fr", []string{"https://a.city.fr/x/", "https://a.city.fr/x", "http://a.city.fr/x/z"}, []string{"https://b.a.city.fr/x/", "https://a.city.fr/xx", "https://a.city.fr/"}},
		{"https://a.city.fr/", "n=1; Domain=city.fr", ".city.fr", []string{"https://b.city.fr/"}, []string{"https://acity.fr/"}},
		{"https://a.city.fr/", "n=1; domain=.A.city.fr; path=x", ".a.city.fr", []string{"https://b.a.city.fr/x"}, nil},
		{"https://a.city.fr/", "n=1; Domain=city.fr; Domain=", "a.city.fr", nil, []string{"https://city.fr/"}},
		{"https://a.city.fr/", "n=1; Domain=fr", "", nil, nil},
		{"https://a.city.fr/", "n=1; Domain=b.city.fr", "", nil, nil},
		{"https://a.city.fr/", "n=1; Domain=a.city.fr; Path=/x; Path=/z", ".a.city.fr", []string{"https://a.city.fr/z"}, []string{"https://a.city.fr/x"}},
		{"http://127.0.0.1:8080/", "n=1; Domain=127.0.0.1", "127.0.0.1", []string{"http://127.0.0.1/"}, nil},
		{"http://127.0.0.1:8080/", "n=1; Domain=0.0.1", "", nil, nil},
		{"http://localhost/", "n=1; Domain=localhost; Secure", "localhost", []string{"http://localhost:81/"}, nil},
		{"http://a.city.fr/", "n=1; Secure", "", nil, nil},
		{"https://a.city.fr/", "n=1; Secure", "a.city.fr", nil, []string{"http://a.city.fr/"}},
		{"https://a.city.fr/", "__Secure-n=1", "", nil, nil},
		{"https://a.city.fr/", "__host-n=1; Secure; Path=/x", "", nil, nil},
		{"https://a.city.fr/", "__Host-n=1; Secure; Domain=a.city.fr", "", nil, nil},
		{"https://a.city.fr/", "__Host-n=1; Secure; Path=/", "a.city.fr", nil, nil},
		{"https://a.city.fr/", "n=1; Max-Age=0", "", nil, nil},
		{"https://a.city.fr/", "n\x01=1", "", nil, nil},
		{"https://a.city.fr/", " = ", "", nil, nil},
		{"https://a.city.fr/", "value", "a.city.fr", []string{"https://a.city.fr/"}, nil},
		{"https://a.city.fr/", "n=" + strings.Repeat("x", 4096), "", nil, nil},
	} {
		b := newHTTPBrowser("")
		_ = b.begin(t.Context())
		at, err := url.Parse(test.at)
		if err != nil {
			t.Fatal(err)
		}
		b.store(test.line, at, setcookie.Clock{Now: time.Now()})
		held, _ := b.held(t.Context())
		if stored := len(held) == 1; stored != (test.domain != "") || stored && held[0].domain != test.domain || len(b.observed()) != len(held) {
			t.Errorf("%s from %s: %+v", test.line, test.at, held)
		}
		for _, address := range slices.Concat(test.sent, test.kept) {
			to, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			if sent := b.send(to); (sent != "") != slices.Contains(test.sent, address) {
				t.Errorf("%s from %s to %s: %q", test.line, test.at, address, sent)
			}
		}
	}

	// The longest path comes first; what is removed or over is not sent.
	b := newHTTPBrowser("")
	_ = b.begin(t.Context())
	at := &url.URL{Scheme: "https", Host: "a.city.fr", Path: "/x/"}
	for _, line := range []string{"a=1; Path=/", "b=1; Path=/", "c=1", "a=2; Path=/; Max-Age=9", "d=1", "d=; Max-Age=-1", "e=1; Max-Age=9"} {
		b.store(line, at, setcookie.Clock{Now: time.Now()})
	}
	for _, cookie := range b.jar {
		if cookie.name == "e" {
			cookie.expires = time.Now().Add(-time.Second)
		}
	}
	if got := b.send(at); got != "c=1; a=2; b=1" {
		t.Errorf("sends %q", got)
	}
	if held, _ := b.held(t.Context()); len(held) != 3 {
		t.Errorf("%+v", held)
	}
}

// What is written for machines can be read by them.
func TestAuditAsJSON(t *testing.T) {
	report := &Report{Violations: 1, Visits: []Visit{{Visit: "first", Cookies: []Cookie{{Name: "<a>", Violations: []string{"undeclared"}}}}}}
	var out bytes.Buffer
	terminal := &terminal.Printer{Out: &out, IsTerminal: true}
	if err := report.Write(terminal, "json"); err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(out.Bytes(), &again); err != nil || again.Visits[0].Cookies[0].Name != "<a>" || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%v\n%s", err, &out)
	}
	out.Reset()
	if err := report.Write(terminal, "text"); err != nil || !strings.Contains(out.String(), "\x1b[31m1 violation\x1b[0m") || !strings.Contains(out.String(), "\x1b[31mundeclared\x1b[0m") {
		t.Errorf("%v\n%q", err, &out)
	}
	out.Reset()
	if err := report.Write(terminal, "html"); err != nil || !strings.Contains(out.String(), "&lt;a&gt;") {
		t.Errorf("%v\n%s", err, &out)
	}
	out.Reset()
	if err := (&Report{Incomplete: true}).Write(terminal, "html"); err != nil || !strings.Contains(out.String(), "No violations of the charter were seen") || !strings.Contains(out.String(), "Pages or visits are missing.") {
		t.Errorf("%v\n%s", err, &out)
	}
}

// One site is one, however its host is written.
func TestSameSite(t *testing.T) {
	for addresses, want := range map[string]bool{
		"http://É.localhost/a HTTP://xn--9ca.localhost:80": true, "https://a.example:443/#x https://A.example": true, "http://[::1]:80/ http://[::1]/": true,
		"http://a.example https://a.example": false, "http://a.example http://a.example:81": false, "http://a.example http://b.a.example": false, "http://a.example ::": false,
	} {
		one, other, _ := strings.Cut(addresses, " ")
		if got := sameSite(one, other); got != want {
			t.Errorf("%s: %t", addresses, got)
		}
	}
}

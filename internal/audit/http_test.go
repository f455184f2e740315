package audit

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/checks"
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
		held, _ := b.cookies(t.Context())
		if stored := len(held) == 1; stored != (test.domain != "") || stored && held[0].domain != test.domain || len(b.observations.take()) != len(held) {
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
	if held, _ := b.cookies(t.Context()); len(held) != 3 {
		t.Errorf("%+v", held)
	}
}

// Names below localhost are this machine, as in browsers, whatever name servers say.
func TestAuditOfLocalhost(t *testing.T) {
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	for _, bind := range []string{"127.0.0.1:0", "[::1]:0"} {
		listener, err := net.Listen("tcp", bind)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Set-Cookie", "seen=1; Secure; Domain="+strings.Split(r.Host, ":")[0])
		})}
		go func() { _ = server.Serve(listener) }()
		defer server.Close()
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		for _, host := range []string{"portal.localhost", "A.B.localhost", "localhost"} {
			report, err := Run(terminal.NewPrinter(io.Discard), []string{"http://" + host + ":" + port}, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Format: "json", Pages: 1, Charter: charter})
			if err != nil || len(report.Visits[0].Cookies) != 1 || !report.Visits[0].Cookies[0].Kept {
				t.Errorf("%s: %v, %+v", host, err, report)
			}
		}
	}
}

package cookiecharter

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/draft"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// Nobody is led to another host who has not asked for it.
func TestRedirectionsToOtherHosts(t *testing.T) {
	asked := false
	inside := checks.Hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		asked = true
		fmt.Fprint(w, "| Name | Purpose |\n|---|---|\n| a | b |\n")
	})
	site := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/own":
			http.Redirect(w, r, "/table", http.StatusFound)
		case "/table":
			fmt.Fprint(w, "| Name | Purpose |\n|---|---|\n| a | b |\n")
		case "/around":
			http.Redirect(w, r, "/around", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		default:
			http.Redirect(w, r, inside+"/?sessionid=0123456789abcdef", http.StatusFound)
		}
	})
	host := strings.TrimPrefix(inside, "http://")
	for path, mistake := range map[string]string{"/own": "", "/away": "it leads to another host, " + host, "/around": "20 times", "/file": "cannot be followed"} {
		if err := draft.Import(io.Discard, io.Discard, site+path, "fr"); (err == nil) != (mistake == "") || err != nil && !strings.Contains(err.Error(), mistake) {
			t.Errorf("%s: %v", path, err)
		}
		if mistake == "" {
			continue
		}
		if _, err := audit.Make(terminal.NewPrinter(io.Discard), []string{site}, audit.Options{UsualPage: page.DefaultPath, Load: loadForAudit, Format: "json", Pages: 1, Charter: site + path}); err == nil || !strings.Contains(err.Error(), mistake) {
			t.Errorf("%s: %v", path, err)
		}
	}
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	if _, err := audit.Make(terminal.NewPrinter(io.Discard), []string{site + "/away"}, audit.Options{UsualPage: page.DefaultPath, Load: loadForAudit, Format: "json", Pages: 1, Charter: charter}); err == nil || !strings.HasSuffix(err.Error(), "it leads to another site, "+inside) {
		t.Errorf("%v", err)
	}
	if asked {
		t.Error("another host was asked")
	}
}

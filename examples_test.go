package cookiecharter

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// exampleSites are the sites of each example, and which of exampleCookies pass there
// without an answer.
var exampleSites = map[string]map[string]string{
	"behind_a_proxy.caddyfile": {"data.example.fr": "sessionid csrftoken SERVERID"},
	"ckan.caddyfile":           {"data.example.fr": "ckan remember_token"},
	"django.caddyfile":         {"data.example.fr": "sessionid csrftoken"},
	"instances.caddyfile":      {"opendata.example.fr": "sessionid csrftoken"},
	"limits.caddyfile":         {"data.example.fr": "sessionid csrftoken"},
	"opendatasoft.caddyfile":   {"opendata.example.fr": "sessionid csrftoken"},
	"several_portals.caddyfile": {
		"data.example.fr":    "ckan remember_token SERVERID",
		"culture.example.fr": "SSESS0123456789abcdef0123456789abcdef SERVERID",
		"wiki.example.fr":    "DokuWiki SERVERID",
	},
	"staging.caddyfile":     {"staging.example.fr": strings.Join(exampleCookies, " ")},
	"static_site.caddyfile": {"www.example.fr": ""},
	"udata.caddyfile":       {"www.data.example.fr": "session remember_token"},
	"wordpress.caddyfile":   {"www.example.fr": "wordpress_logged_in_0123456789abcdef0123456789abcdef"},
}

// exampleCookies are what all portals of the examples set at once.
var exampleCookies = []string{
	"sessionid", "csrftoken", "ckan", "remember_token", "session", "SSESS0123456789abcdef0123456789abcdef", "DokuWiki",
	"wordpress_logged_in_0123456789abcdef0123456789abcdef", "_pk_id.1.1fff", "SERVERID", "stranger",
}

// Every example is what Caddy takes as it is, in Caddy's own format.
func TestExamplesLoad(t *testing.T) {
	loader := newDocLoader(t)
	paths, err := filepath.Glob("examples/*.caddyfile")
	if err != nil || len(paths) != len(exampleSites) {
		t.Errorf("%d examples, and the sites of %d: %v", len(paths), len(exampleSites), err)
	}
	index, err := os.ReadFile("docs/examples.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.ReplaceAll(content, []byte("/var/lib/caddy/shared"), []byte(t.TempDir())) // which is the machine's own
		config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(content, map[string]any{"filename": path})
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", path, warnings, err)
			continue
		}
		if err := loader.config(config); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if !strings.Contains(string(index), "(../"+path+")") {
			t.Errorf("docs/examples.md does not list %s", path)
		}
	}
}

// Every example is run in front of a portal that sets exampleCookies, on loopback and
// without TLS.
func TestExamplesRun(t *testing.T) {
	portal := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for _, name := range exampleCookies {
			w.Header().Add("Set-Cookie", name+"=1; Path=/")
		}
		io.WriteString(w, "<!DOCTYPE html><html><head><title>Portal</title></head><body><p>Portal</p></body></html>")
	})
	upstream := httptest.NewServer(portal)
	defer upstream.Close()
	php, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer php.Close()
	go fcgi.Serve(php, portal)
	root := checks.WriteFiles(t, map[string]string{"index.php": "<?php", "style.css": "p {}"})
	static := checks.WriteFiles(t, map[string]string{"index.html": "<!DOCTYPE html><html><head><title>Portal</title></head><body><p>Portal</p></body></html>", "style.css": "p {}"})

	for name, sites := range exampleSites {
		content, err := os.ReadFile("examples/" + name)
		if err != nil {
			t.Fatal(err)
		}
		port := freePort()
		text := strings.NewReplacer(
			"unix//run/php/php-fpm.sock", php.Addr().String(),
			"/srv/wordpress", root, "/srv/www", static, "/srv/portal/static", static,
			"charter charter.yaml", "charter examples/charter.yaml",
			"10.0.0.0/8", "127.0.0.0/8", "/var/lib/caddy/shared", t.TempDir(),
		).Replace(string(content))
		text = regexp.MustCompile(`reverse_proxy (unix/\S+|https?://\S+|localhost:\d+)`).ReplaceAllString(text, "reverse_proxy "+upstream.Listener.Addr().String())
		text = regexp.MustCompile(`(?m)^(?:http://)?([a-z.]+\.example\.fr) \{$`).ReplaceAllString(text, fmt.Sprintf("http://$1:%d {\n\tbind 127.0.0.1", port))
		options := regexp.MustCompile(`(?ms)^\{\n(.*?)^\}\n`).FindStringSubmatch(text)
		if options == nil {
			options = []string{"", ""}
		}
		if err := tryLoadWith(t, options[1], strings.Replace(text, options[0], "", 1)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for host, passes := range sites {
			site := exampleSite{t, name, host, fmt.Sprintf("http://127.0.0.1:%d", port)}
			header := http.Header{"Sec-Fetch-Dest": {"document"}, "Accept": {"text/html"}}
			switch name {
			case "staging.caddyfile":
				if response, _ := site.ask(http.MethodGet, "/", nil, ""); response.StatusCode != http.StatusUnauthorized || len(response.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s: %d without a password", name, response.StatusCode)
				}
				header.Set("Authorization", "Basic dGVhbTpzdGFnaW5n") // team:staging
			case "behind_a_proxy.caddyfile":
				header.Set("X-Forwarded-Proto", "https")
			case "wordpress.caddyfile":
				for _, private := range []string{"/wp-config.php", "/wp-content/uploads/a.php", "/wp-content/uploads/2026/11/a.PHP", "/.env", "/wp-content/.env"} {
					if response, _ := site.ask(http.MethodGet, private, header, ""); response.StatusCode != http.StatusNotFound {
						t.Errorf("%s: %s is %d", name, private, response.StatusCode)
					}
				}
			}
			response, shown := site.ask(http.MethodGet, "/", header, "")
			var got []string
			for _, line := range response.Header["Set-Cookie"] {
				cookie, _, _ := strings.Cut(line, "=")
				got = append(got, cookie)
			}
			if want := strings.Fields(passes); response.StatusCode != http.StatusOK || !sameNames(got, want) || !strings.Contains(shown, "<p>Portal</p>") {
				t.Errorf("%s, %s: %d, %v pass, want %v: %.300s", name, host, response.StatusCode, got, want, shown)
			}
			for option, shows := range map[string]string{"notice insert": `<section class="charter-notice`, "\tguard\n": `guard.js?`} {
				if strings.Contains(text, option) && !strings.Contains(shown, shows) {
					t.Errorf("%s, %s: there is no %s: %s", name, host, shows, shown)
				}
			}
			if policy := response.Header.Get("Content-Security-Policy"); strings.Contains(text, "\thosts\n") != strings.Contains(policy, "default-src") {
				t.Errorf("%s, %s: the policy is %q", name, host, policy)
			}
			path := pagePath
			if strings.Contains(text, "page /cookies/") {
				path = "/cookies/"
			}
			response, shown = site.ask(http.MethodGet, path, header, "")
			if response.StatusCode != http.StatusOK || !strings.Contains(shown, "<h1") {
				t.Errorf("%s, %s: the page is %d", name, host, response.StatusCode)
			}
			if name == "behind_a_proxy.caddyfile" {
				header.Set("Content-Type", "application/x-www-form-urlencoded")
				response, _ := site.ask(http.MethodPost, path, header, "all=refused&asked="+url.QueryEscape(askedOn(t, shown, 2)))
				if stored := strings.Join(response.Header["Set-Cookie"], "\n"); !strings.HasPrefix(stored, "__Host-charter_preference=") || !strings.Contains(stored, "; Secure") {
					t.Errorf("%s: visitors by https are not taken for such: %d %s", name, response.StatusCode, response.Header)
				}
			}
		}
	}
}

// Names are the same, in any order.
func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// An exampleSite is a host of an example that runs.
type exampleSite struct {
	t                   *testing.T
	name, host, address string
}

// ask makes a request to the host, wherever that is.
func (s exampleSite) ask(method, path string, header http.Header, body string) (*http.Response, string) {
	s.t.Helper()
	request, err := http.NewRequest(method, s.address+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	request.Host = s.host
	response, err := clients(s.t)["HTTP/1.1"].Do(request)
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	return response, string(content)
}

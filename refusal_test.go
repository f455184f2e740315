package cookiecharter

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/cookie-charter/cookie_charter/internal/page"
)

// What the page refuses, it refuses in words, in the visitor's language, with a way on; a
// program gets the status alone.
func TestRefusals(t *testing.T) {
	kept := t.TempDir()
	if err := os.Mkdir(filepath.Join(kept, "2025-02-03-aaaaaaaaaaaa.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset opendatasoft matomo
			record_choices
			page {
				archive `+kept+`
				stylesheet /portal.css
			}
		}
		respond portal`)
	get(t, address+pagePath, nil) // so that the archive is known
	withoutSlash := strings.TrimSuffix(pagePath, "/")
	other := http.Header{"Content-Type": form["Content-Type"], "Sec-Fetch-Site": {"cross-site"}}
	for name, test := range map[string]struct {
		method, path string
		header       http.Header
		status       int
		says, allow  string
	}{
		"from another site":        {"POST", pagePath, other, 403, "Nothing has been saved, as the form was sent from another site.", ""},
		"from another, no slash":   {"POST", withoutSlash, other, 403, "Nothing has been saved, as the form was sent from another site.", ""},
		"from another origin":      {"POST", pagePath, http.Header{"Content-Type": form["Content-Type"], "Origin": {"https://elsewhere.example"}}, 403, "was sent from another site", ""},
		"a format":                 {"GET", pagePath + "?format=xml", nil, 400, "The table does not exist in this format.", ""},
		"a format, no slash":       {"GET", withoutSlash + "?format=%3Cb%3E", nil, 400, "The table does not exist in this format.", ""},
		"a version":                {"GET", pagePath + "?version=000000000000", nil, 404, "There is no such version of this policy", ""},
		"a version, unreadable":    {"GET", pagePath + "?version=aaaaaaaaaaaa", nil, 503, "cannot be read for the moment", ""},
		"a method":                 {"DELETE", pagePath, nil, 405, "does not take such a request", "GET, HEAD, POST"},
		"a method, no slash":       {"PUT", withoutSlash, nil, 405, "does not take such a request", "GET, HEAD, POST"},
		"a post to the notice":     {"POST", pagePath + "notice", form, 405, "nothing has been saved", "GET, HEAD"},
		"a post to the stylesheet": {"POST", pagePath + "style.css", form, 405, "nothing has been saved", "GET, HEAD"},
	} {
		before := len(records(t))
		for accept, isHTML := range map[string]bool{
			"": true, "*/*": true, "text/*": true, "text/html,application/xhtml+xml,*/*;q=0.8": true, "text/html, application/json;q=0.9": true,
			"application/json": false, "application/json, text/plain, */*": false, "image/png": false, "text/html;q=0": false,
		} {
			header := http.Header{"Cookie": {`_pk_id.1=S3cr3t; cookies_preferences={"matomo":true}`}, "Accept-Language": {"en"}}
			maps.Copy(header, test.header)
			if accept != "" {
				header.Set("Accept", accept)
			}
			if !isHTML && test.method == "GET" && test.status == 503 {
				continue // the same as the others
			}
			response, body := do(t, test.method, address+test.path, header, "all=granted")
			if response.StatusCode != test.status || response.Header.Get("Allow") != test.allow || strings.Contains(strings.Join(response.Header["Set-Cookie"], " "), "cookies_preferences") {
				t.Errorf("%s, %q: %s, %v", name, accept, response.Status, response.Header)
			}
			if policy := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || response.Header.Get("Cache-Control") != "private, no-store" {
				t.Errorf("%s, %q: %v", name, accept, response.Header)
			}
			if !isHTML {
				if body != "" {
					t.Errorf("%s, %q: %q", name, accept, body)
				}
				continue
			}
			if response.Header.Get("Content-Type") != "text/html; charset=utf-8" || response.Header.Get("Content-Language") != "en" || response.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s, %q: %v", name, accept, response.Header)
			}
			for _, want := range []string{
				`<html lang="en" dir="ltr">`, "<title>This did not work – Cookie policy – " + address + "</title>", "<main>\n<h1>This did not work</h1>", test.says, ">Cookie policy</a>", `<link rel="stylesheet" href="/portal.css">`,
			} {
				if !strings.Contains(body, want) {
					t.Errorf("%s, %q: no %s in %s", name, accept, want, body)
				}
			}
			for _, unwanted := range []string{"S3cr3t", "_pk_id", "<script", "<b>", "<form", "ZgotmplZ", "style="} {
				if strings.Contains(body, unwanted) {
					t.Errorf("%s, %q: has %s", name, accept, unwanted)
				}
			}
			if _, err := html.Parse(strings.NewReader(body)); err != nil {
				t.Error(err)
			}
			// The style is there, and the way on leads to the page.
			for _, link := range regexp.MustCompile(`href="([^"]*(?:style\.css|flg)[^"]*)"`).FindAllStringSubmatch(body, -1) {
				reference, err := response.Request.URL.Parse(link[1])
				if err != nil {
					t.Fatal(err)
				}
				linked, content := get(t, reference.String(), nil)
				if linked.StatusCode != http.StatusOK || strings.Contains(content, "portal\n") || !strings.Contains(content, "charter") {
					t.Errorf("%s: %s leads to %s", name, link[1], linked.Status)
				}
			}
			if got := strings.Count(body, "href="); got != 3 {
				t.Errorf("%s: %d links", name, got)
			}
		}
		if got := len(records(t)); got != before {
			t.Errorf("%s: %d records", name, got-before)
		}
	}
	if response, body := do(t, http.MethodHead, address+pagePath+"?format=xml", nil, ""); response.StatusCode != http.StatusBadRequest || body != "" || response.ContentLength <= 0 {
		t.Errorf("HEAD: %s, %d bytes", response.Status, response.ContentLength)
	}

	// An operator learns of what only an operator can mend.
	told, err := os.ReadFile(filepath.Join(storage(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	levels := map[float64]string{}
	for line := range strings.Lines(string(told)) {
		var entry struct {
			Level, Msg string
			Status     float64
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "refusing a request for the page" {
			levels[entry.Status] = entry.Level
		}
	}
	if got := fmt.Sprint(levels); got != "map[400:debug 403:debug 404:debug 405:debug 503:error]" {
		t.Errorf("logged %s", got)
	}
}

// A refusal is in the language that the page would be in, and leads to the page in it.
func TestRefusalLanguages(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n preset opendatasoft matomo\n page {\n title fr \"Nos cookies\"\n }\n languages fr "+strings.Join(slices.DeleteFunc(slices.Clone(page.Languages), func(name string) bool { return name == "fr" }), " ")+"\n}")
	said := map[string]string{}
	for _, language := range page.Languages {
		direction := map[bool]string{true: "rtl", false: "ltr"}[language == "ar"]
		for _, header := range []http.Header{{"Accept-Language": {language}}, {"Cookie": {"django_language=" + language}}} {
			response, body := get(t, address+pagePath+"?format=xml", header)
			_, heading, _ := strings.Cut(body, "<h1>")
			said[heading] = language
			if response.Header.Get("Content-Language") != language || !strings.Contains(body, `<html lang="`+language+`" dir="`+direction+`">`) || !strings.Contains(body, `href="./?flg=`+language+`"`) {
				t.Errorf("%s: %s", language, body)
			}
			// The operator's title, marked where it is in another language.
			if strings.Contains(body, `<span lang="fr" dir="auto">Nos cookies</span>`) != (language != "fr") {
				t.Errorf("%s: %s", language, body)
			}
		}
	}
	if len(said) != len(page.Languages) {
		t.Errorf("%d languages say %d different things", len(page.Languages), len(said))
	}
}

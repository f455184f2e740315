package cookiecharter

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What visitors, other sites and charters put into requests and texts changes
// nobody else's answer, leads nowhere else, and stays text.
func TestAbuse(t *testing.T) {
	const markup = `"><script>alert(1)</script>{{.}}`
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset opendatasoft matomo
			record_choices
			cookie evil {
				provider "\"><script>alert(1)</script>{{.}}"
				service "\"><script>alert(1)</script>{{.}}"
				purpose "\"><script>alert(1)</script>{{.}}"
				category statistics
				consent evil
			}
			page {
				title "\"><script>alert(1)</script>{{.}}"
			}
		}
		respond ok`)

	// Injection through texts, names, languages, hosts and queries.
	for _, query := range []string{"", "?flg=" + url.QueryEscape(markup), "?status=" + url.QueryEscape(markup), "?reference=" + url.QueryEscape(markup), "?at=" + url.QueryEscape(markup), "?version=" + url.QueryEscape(markup)} {
		response, page := get(t, address+pagePath+query, http.Header{
			"Accept-Language": {markup}, "Cookie": {"x=1; " + `"><script>=1; <b>=1`}, "Host": {"evil.example"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {markup},
		})
		if strings.Contains(page, "<script") || strings.Contains(page, `"><b>`) {
			t.Errorf("%s: markup in the page", query)
		}
		for name, values := range response.Header {
			if value := strings.Join(values, " "); strings.Contains(value, "evil.example") || strings.Contains(value, "script>") {
				t.Errorf("%s: %s: %s", query, name, value)
			}
		}
		policy := response.Header.Get("Content-Security-Policy")
		if response.StatusCode == http.StatusOK && (!strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe")) {
			t.Errorf("%s: policy %q", query, policy)
		}
		if cache := response.Header.Get("Cache-Control"); response.StatusCode == http.StatusOK && cache != "private, no-store" {
			t.Errorf("%s: Cache-Control %q", query, cache)
		}
	}
	// What caches keep is the same for everybody.
	for _, file := range []string{"style.css", "charter.schema.json", "notice.css"} {
		_, plain := get(t, address+pagePath+file, nil)
		if _, other := get(t, address+pagePath+file+"?flg=de", http.Header{"Accept-Language": {"de"}, "Host": {"evil.example"}, "Cookie": {"django_language=de"}}); other != plain || plain == "" {
			t.Errorf("%s depends on who asks", file)
		}
	}
	// Exports of the same texts are not HTML.
	for _, format := range []string{"json", "edpb", "markdown"} {
		response, body := get(t, address+pagePath+"?format="+format, nil)
		if strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") || response.Header.Get("X-Content-Type-Options") != "nosniff" || format == "markdown" && strings.Contains(body, "<script") {
			t.Errorf("%s: %v", format, response.Header)
		}
	}

	// Posts: from elsewhere, leading elsewhere, splitting the header, or too many.
	for name, test := range map[string]struct {
		header http.Header
		body   string
		status int
	}{
		"another site's":     {http.Header{"Sec-Fetch-Site": {"cross-site"}}, "all=granted", http.StatusForbidden},
		"a sibling site's":   {http.Header{"Sec-Fetch-Site": {"same-site"}}, "all=granted", http.StatusForbidden},
		"another origin's":   {http.Header{"Origin": {"http://evil.example"}}, "all=granted", http.StatusForbidden},
		"a sandbox's":        {http.Header{"Origin": {"null"}}, "all=granted", http.StatusForbidden},
		"of another type":    {http.Header{"Content-Type": {"text/plain"}}, "all=granted", http.StatusSeeOther},
		"an unknown key":     {nil, "answer.x%0d%0aSet-Cookie:evil=granted", http.StatusSeeOther},
		"a long one":         {nil, "all=granted&x=" + strings.Repeat("x", 64<<10), http.StatusSeeOther},
		"to another site":    {nil, "all=granted&return=//evil.example/", http.StatusSeeOther},
		"to another scheme":  {nil, "all=granted&return=javascript:alert(1)", http.StatusSeeOther},
		"with a backslash":   {nil, `all=granted&return=/\evil.example`, http.StatusSeeOther},
		"with a line break":  {nil, "all=granted&return=/%0d%0aSet-Cookie:%20evil=1", http.StatusSeeOther},
		"with two addresses": {nil, "all=granted&return=/&return=//evil.example", http.StatusSeeOther},
	} {
		header := form.Clone()
		maps.Copy(header, test.header)
		response, _ := do(t, http.MethodPost, address+pagePath, header, test.body)
		if response.StatusCode != test.status || len(response.Header["Set-Cookie"]) > 0 || strings.Contains(response.Header.Get("Location"), "evil") {
			t.Errorf("%s: %s, %v", name, response.Status, response.Header)
		}
	}
	for range 200 {
		if response, _ := do(t, http.MethodPost, address+pagePath, form, "all=refused"); response.StatusCode != http.StatusSeeOther {
			t.Fatal(response.Status)
		}
	}
}

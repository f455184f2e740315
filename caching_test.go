package cookiecharter

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestCacheRule shows which answers are marked: those of which a cookie was
// judged by the preference, whatever the answer to it.
func TestCacheRule(t *testing.T) {
	targeted := strings.Fields("CDN-Cache-Control Akamai-Cache-Control Cloudflare-CDN-Cache-Control Netlify-CDN-Cache-Control Vercel-CDN-Cache-Control Edge-Control Surrogate-Control X-Accel-Expires X-LiteSpeed-Cache-Control")
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset opendatasoft matomo
		}
		header `+strings.Join(targeted, " 60\n\t\theader ")+` 60
		header Cache-Control "public, max-age=60"
		header /tracked +Set-Cookie "_pk_id.1.1=1"
		header /necessary +Set-Cookie "sessionid=1"
		header /undeclared +Set-Cookie "unknown=1"
		header /deleted +Set-Cookie "unknown=1; Max-Age=0"
		respond ok`)
	for path, want := range map[string]string{
		"/":           "public, max-age=60",
		"/necessary":  "public, max-age=60",
		"/undeclared": "public, max-age=60",
		"/deleted":    "public, max-age=60",
		"/tracked":    "private, max-age=60",
	} {
		for _, preference := range []string{"", `cookies_preferences={"matomo":true}`, `cookies_preferences={"matomo":false}`} {
			response, _ := get(t, address+path, http.Header{"Cookie": {preference}})
			if got := response.Header.Get("Cache-Control"); got != want {
				t.Errorf("%s with %q: %q", path, preference, got)
			}
			for _, field := range targeted {
				if response.Header.Get(field) == "" != (path == "/tracked") {
					t.Errorf("%s with %q: %s is %q", path, preference, field, response.Header.Get(field))
				}
			}
		}
	}
}

// Nor does a cache keep the page, whatever the handlers before it say.
func TestPageIsPrivate(t *testing.T) {
	address := "http://" + serve(t, false, "route {\n header Cdn-Cache-Control max-age=60\n header Cache-Control public\n cookie_charter {\n  preset matomo\n }\n}")
	response, _ := get(t, address+pagePath, nil)
	if got := response.Header; got.Get("Cache-Control") != "private, no-store" || got["Cdn-Cache-Control"] != nil {
		t.Errorf("%v", got)
	}
}

// What a handler says of caching after an early answer is judged anew.
func TestPrivateAfterEarlyHints(t *testing.T) {
	f := benchmarkFilter(t, benchmarkHandler(t, 5))
	f.Header()["Set-Cookie"] = []string{"_pk_id.1=1"}
	f.WriteHeader(http.StatusEarlyHints)
	f.Header()["Cache-Control"] = []string{"public, max-age=60"}
	f.WriteHeader(http.StatusOK)
	if got := f.Header()["Cache-Control"]; !slices.Equal(got, []string{"private, max-age=60"}) {
		t.Errorf("%q", got)
	}
}

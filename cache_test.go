package cookiecharter

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIsShared(t *testing.T) {
	future, past := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "Thu, 01 Jan 1970 00:00:00 GMT"
	for _, test := range []struct {
		header http.Header
		want   bool
	}{
		{nil, false},
		{http.Header{"Cache-Control": {"public"}}, true},
		{http.Header{"Cache-Control": {"must-revalidate, MAX-AGE=60"}}, true},
		{http.Header{"Cache-Control": {"must-revalidate", "s-maxage=60"}}, true},
		{http.Header{"Cache-Control": {"max-age=60, private"}}, false},
		{http.Header{"Cache-Control": {"max-age=60", "Private"}}, false},
		{http.Header{"Cache-Control": {"max-age=60, no-store"}}, false},
		{http.Header{"Cache-Control": {`max-age=60, private="x"`}}, true},
		{http.Header{"Cache-Control": {"max-age=60, prİvate"}}, true},
		{http.Header{"Cache-Control": {"max-age=60,\tPRIVATE\t"}}, false},
		{http.Header{"Cache-Control": {"no-cache"}, "Expires": {future}}, false},
		{http.Header{"Cache-Control": {"max-age=0"}}, false},
		{http.Header{"Expires": {future}}, true},
		{http.Header{"Expires": {past}}, false},
		{http.Header{"Expires": {"0"}}, false},
		{http.Header{"X-Accel-Expires": {"60"}}, true},
		{http.Header{"Cache-Control": {"private"}, "Cdn-Cache-Control": {"max-age=600"}}, true},
		{http.Header{"Surrogate-Control": {"max-age=60"}, "Cache-Control": {"max-age=0"}}, true},
	} {
		if got := isShared(test.header); got != test.want {
			t.Errorf("%v: got %v", test.header, got)
		}
	}
}

func TestMakePrivate(t *testing.T) {
	shared := []string{"max-age=60"}
	for _, test := range []struct {
		header http.Header
		want   []string
	}{
		{http.Header{}, []string{"private"}},
		{http.Header{"Cache-Control": shared}, []string{"private, max-age=60"}},
		{http.Header{"Cache-Control": {"public", "max-age=60"}}, []string{"private, max-age=60"}},
		{http.Header{"Cache-Control": {"no-store, public"}}, []string{"private, no-store"}},
		{http.Header{"Cache-Control": {"private, max-age=60, s-maxage=60"}}, []string{"private, max-age=60"}},
		{http.Header{"Cache-Control": {"Max-Age=60,\tmust-revalidate ,", "Private"}}, []string{"private, Max-Age=60, must-revalidate"}},
		{http.Header{"Cache-Control": {"prİvate, max-age=6x, max-age=, max-age, immutable=1, immutable, x=\u212a"}}, []string{"private, immutable"}},
		{http.Header{"Cache-Control": {`no-cache="a, private, b"`}}, []string{"private"}},
		{http.Header{"Cache-Control": {`x="`, `max-age=600, y=", no-store`}}, []string{"private, max-age=600, no-store"}},
		{http.Header{"Cache-Control": {`private="a"`}}, []string{"private"}},
		{http.Header{"cache-control": {"max-age=60"}}, []string{"private, max-age=60"}},
		{http.Header{"cache-control": {"private"}, "Cache-Control": {"public"}}, []string{"private"}},
		{http.Header{"Cache-Control": {"private"}, "X-Accel-Expires": {"60"}, "cdn-cache-control": {"max-age=60"}}, []string{"private"}},
	} {
		makePrivate(test.header)
		makePrivate(test.header)
		if got := test.header["Cache-Control"]; !slices.Equal(got, test.want) || len(test.header) != 1 {
			t.Errorf("got %v, want %q", test.header, test.want)
		}
	}
	if shared[0] != "max-age=60" {
		t.Error("wrote to a shared slice")
	}
}

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

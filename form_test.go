package cookiecharter

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const (
	partlySaved = "Only part of your choices has been saved"
	notSaved    = "Nothing has been saved"
)

// storedAnswers returns what a line of Set-Cookie stores in the portal's own format.
func storedAnswers(t *testing.T, lines []string) map[string]string {
	t.Helper()
	stored := map[string]string{}
	for _, line := range lines {
		pair, _, _ := strings.Cut(line, ";")
		value, ok := strings.CutPrefix(pair, "cookies_preferences=")
		if !ok {
			continue
		}
		text, err := url.PathUnescape(value)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			t.Fatal(err)
		}
		for key, value := range members {
			if granted, ok := value.(bool); ok {
				stored[key] = map[bool]string{true: "granted", false: "refused"}[granted]
			}
		}
	}
	return stored
}

// askedOn returns what the forms of a page or a notice say that they have shown.
func askedOn(t *testing.T, shown string, forms int) string {
	t.Helper()
	found := regexp.MustCompile(`<input type="hidden" name="asked" value="([0-9a-f ]+)">`).FindAllStringSubmatch(shown, -1)
	if len(found) != forms || found[0][1] != found[len(found)-1][1] {
		t.Fatalf("%d forms say what they ask, not %d: %q", len(found), forms, found)
	}
	return found[0][1]
}

// Of a post of which not all is understood, what is clear is stored, and nothing else is
// granted; the visitor sees that on the page, never an empty answer.
func TestUnclearForms(t *testing.T) {
	address := "http://" + serve(t, false, twoQuestions)
	_, shown := get(t, address+pagePath, nil)
	asked := "asked=" + url.QueryEscape(askedOn(t, shown, 2))
	_, notice := get(t, address+pagePath+"notice", nil)
	if "asked="+url.QueryEscape(askedOn(t, notice, 1)) != asked {
		t.Error("the notice asks something else")
	}
	anHourAgo := fmt.Sprint(time.Now().Add(-time.Hour).UnixMilli())
	const before = `cookies_preferences={"ga":true}`
	bothRefused, bothGranted := map[string]string{"matomo": "refused", "ga": "refused"}, map[string]string{"matomo": "granted", "ga": "granted"}
	matomoGranted, matomoRefused := map[string]string{"matomo": "granted"}, map[string]string{"matomo": "refused"}
	for _, test := range []struct {
		contentType, body, says string
		want                    map[string]string
	}{
		// What is clear, as before.
		{"", asked + "&all=granted", "have been saved", bothGranted},
		{"", asked, "You chose nothing", nil},

		// A key that is unknown, as one that was renamed, or a field.
		{"", "answer.unknown=granted", notSaved, nil},
		{"", "answer.=granted", notSaved, nil},
		{"", "next=https://elsewhere.example", notSaved, nil},
		{"", "answer.unknown=granted&answer.matomo=granted", partlySaved, matomoGranted},
		{"", "answer.unknown=refused&answer.matomo=refused", partlySaved, matomoRefused},
		{"", "answer.unknown=granted&all=refused", partlySaved, bothRefused},
		{"", "answer.unknown=granted&all=granted", notSaved, nil},
		{"", "answer.unknown=granted&all=granted&answer.matomo=granted", partlySaved, matomoGranted},
		{"", asked + "&x=1&all=granted", notSaved, nil},

		// A field twice: the stricter.
		{"", "all=granted&all=refused", partlySaved, bothRefused},
		{"", "all=granted&all=granted", notSaved, nil},
		{"", "answer.matomo=granted&answer.matomo=refused", partlySaved, matomoRefused},
		{"", "answer.matomo=refused&answer.matomo=granted", partlySaved, matomoRefused},
		{"", "answer.matomo=granted&answer.matomo=granted", partlySaved, matomoGranted},
		{"", "answer.matomo=granted&answer.matomo=granted&all=granted", partlySaved, matomoGranted},
		{"", "answer.matomo=granted&answer.matomo=perhaps", notSaved, nil},
		{"", "answer.matomo=perhaps&answer.matomo=refused", partlySaved, matomoRefused},
		{"", asked + "&" + asked + "&answer.matomo=granted", notSaved, nil},
		{"", asked + "&" + asked + "&answer.matomo=refused", partlySaved, matomoRefused},

		// No answer.
		{"", "all=maybe", notSaved, nil},
		{"", "all=Granted", notSaved, nil},
		{"", "answer.matomo=", notSaved, nil},
		{"", "answer.matomo=none", notSaved, nil},
		{"", "answer.matomo=maybe&all=granted", notSaved, nil},
		{"", "answer.matomo=maybe&all=refused", partlySaved, bothRefused},
		{"", "all=maybe&answer.matomo=granted", partlySaved, matomoGranted},

		// An address to go back to that leads elsewhere.
		{"", "all=granted&return=//elsewhere.example", notSaved, nil},
		{"", "all=refused&return=//elsewhere.example", partlySaved, bothRefused},
		{"", "all=refused&return=/a&return=/b", partlySaved, bothRefused},
		{"", "return=//elsewhere.example", notSaved, nil},
		{"", "return=/explore&answer.matomo=granted&x=1", partlySaved, matomoGranted},
		{"", "return=/explore&all=granted&x=1", notSaved, nil},

		// No form at all: not even what stands in it.
		{"", "all=granted&%zz", notSaved, nil},
		{"", "all=refused&%zz", notSaved, nil},
		{"", "all=granted;x", notSaved, nil},
		{"", "answer.matomo=granted&x=" + strings.Repeat("x", 64<<10), notSaved, nil},
		{"text/plain", "all=granted", notSaved, nil},
		{"multipart/form-data; boundary=x", "--x--", notSaved, nil},
		{"application/json", `{"all":"granted"}`, notSaved, nil},
		{" ", "all=granted", notSaved, nil},
	} {
		header := http.Header{"Content-Type": {test.contentType}, "Cookie": {before}}
		if test.contentType == "" {
			header = form.Clone()
		}
		response, _ := do(t, http.MethodPost, address+pagePath+"?flg=en", header, test.body)
		location := response.Header.Get("Location")
		if response.StatusCode != http.StatusSeeOther || !strings.HasPrefix(location, "?") || strings.Contains(location, "return") {
			t.Errorf("%.60s: %s to %q", test.body, response.Status, location)
			continue
		}
		if got := storedAnswers(t, response.Header["Set-Cookie"]); !maps.Equal(got, test.want) || (len(response.Header["Set-Cookie"]) > 0) != (test.want != nil) {
			t.Errorf("%.60s: stored %v, want %v", test.body, got, test.want)
		}

		// The page says so, and no more than that.
		follow := http.Header{"Cookie": {storedBy(response)}, "Sec-Fetch-Site": {"same-origin"}}
		shownPage, shown := get(t, address+pagePath+location, follow)
		if shownPage.StatusCode != http.StatusOK || !strings.Contains(shown, `" role="status" tabindex="-1" autofocus>`) || !strings.Contains(shown, test.says) {
			t.Errorf("%.60s: the page does not say %q", test.body, test.says)
		}
		if test.says != "have been saved" && strings.Contains(shown, "have been saved") {
			t.Errorf("%.60s: the page says that all was saved", test.body)
		}
		// Nor does it to who comes by a link, or later.
		_, byLink := get(t, address+pagePath+location, http.Header{"Cookie": follow["Cookie"], "Sec-Fetch-Site": {"cross-site"}})
		_, later := get(t, address+pagePath+regexp.MustCompile(`at=\d+`).ReplaceAllString(location, "at="+anHourAgo), follow)
		if strings.Contains(byLink+later, "charter-status") {
			t.Errorf("%.60s: the page says it by a link, or later", test.body)
		}
		// What the browser did not keep is not said to be saved.
		if test.says == partlySaved {
			lost, _ := get(t, address+pagePath+location, http.Header{"Sec-Fetch-Site": {"same-origin"}})
			if got := lost.Header.Get("Location"); !strings.Contains(got, "status=lost") {
				t.Errorf("%.60s: leads to %q where the browser has kept nothing", test.body, got)
			}
		}
	}
}

// In every format, a grant is of what was shown: what a charter asks since is not granted by
// a form from before, and refused all the same.
func TestFormsFromBefore(t *testing.T) {
	row := func(name, provider, purpose, more string) string {
		return fmt.Sprintf("cookie %s {\n provider %s\n purpose %q\n category third_party\n consent %s\n%s}\n", name, provider, purpose, name, more)
	}
	site := func(format, rows string) string {
		return "cookie_charter {\n preference " + format + "\n" + rows + "}\nheader +Set-Cookie video=1\nheader +Set-Cookie map=1\nheader +Set-Cookie ad=1\nheader +Set-Cookie film=1\nrespond ok"
	}
	for _, format := range []string{"charter", "opendatasoft", "json choice"} {
		address := "http://" + serve(t, false, site(format, row("video", "YouTube", "Plays videos", "")+row("map", "Mapbox", "Shows maps", "")))
		_, page := get(t, address+pagePath, nil)
		shown := askedOn(t, page, 2)
		_, pasted := get(t, address+pagePath+"?format=notice", nil)
		if got := askedOn(t, pasted, 1); got != shown {
			t.Errorf("%s: a pasted notice says that it shows %q, the page %q", format, got, shown)
		}
		asked := "asked=" + url.QueryEscape(shown) + "&"
		for name, test := range map[string]struct{ rows, body, status, passes string }{
			"the same":                    {row("video", "YouTube", "Plays videos", "") + row("map", "Mapbox", "Shows maps", ""), asked + "all=granted", "saved", "video=1 map=1"},
			"in another order":            {row("map", "Mapbox", "Shows maps", "") + row("video", "YouTube", "Plays videos", ""), asked + "all=granted", "saved", "video=1 map=1"},
			"another duration":            {row("video", "YouTube", "Plays videos", "duration \"1 day\"\n") + row("map", "Mapbox", "Shows maps", ""), asked + "all=granted", "saved", "video=1 map=1"},
			"another purpose":             {row("video", "YouTube", "Follows visitors", "") + row("map", "Mapbox", "Shows maps", ""), asked + "all=granted", "partly", "map=1"},
			"another provider, by itself": {row("video", "Vimeo", "Plays videos", "") + row("map", "Mapbox", "Shows maps", ""), asked + "answer.video=granted", "not_saved", ""},
			"an answer to each":           {row("video", "Vimeo", "Plays videos", "") + row("map", "Mapbox", "Shows maps", ""), asked + "answer.video=granted&answer.map=granted", "partly", "map=1"},
			"a refusal":                   {row("video", "Vimeo", "Plays videos", "") + row("map", "Mapbox", "Shows maps", ""), asked + "answer.video=refused", "saved", ""},
			"all refused":                 {row("video", "Vimeo", "Plays videos", "exempt\n") + row("map", "Mapbox", "Shows maps", "exempt\n"), asked + "all=refused", "saved", ""},
			"a new one":                   {row("video", "YouTube", "Plays videos", "") + row("map", "Mapbox", "Shows maps", "") + row("ad", "Meta", "Follows visitors", ""), asked + "all=granted", "partly", "video=1 map=1"},
			"one less":                    {row("map", "Mapbox", "Shows maps", ""), asked + "all=granted", "saved", "map=1"},
			"a renamed key":               {row("film", "YouTube", "Plays videos", "") + row("map", "Mapbox", "Shows maps", ""), asked + "answer.video=granted&answer.map=granted", "partly", "map=1"},
			"nothing was shown":           {row("map", "Mapbox", "Shows maps", ""), "asked=&all=granted", "not_saved", ""},
			"something else was shown":    {row("map", "Mapbox", "Shows maps", ""), "asked=00000000&all=granted", "not_saved", ""},
			"a form that does not say":    {row("map", "Mapbox", "Shows maps", ""), "all=granted", "saved", "map=1"},
		} {
			address := "http://" + serve(t, false, site(format, test.rows))
			response, _ := do(t, http.MethodPost, address+pagePath, form, test.body)
			if location := response.Header.Get("Location"); !strings.Contains(location, "status="+test.status) {
				t.Errorf("%s, %s: leads to %q", format, name, location)
			}
			visited, _ := get(t, address, http.Header{"Cookie": {storedBy(response)}})
			got := visited.Header["Set-Cookie"]
			if strings.Join(got, " ") != test.passes {
				t.Errorf("%s, %s: %q passes, want %q", format, name, got, test.passes)
			}
		}
	}
}

// posted checks what a post to the page does, whatever it is: it is answered, in
// words or by leading to a page that has some, and grants only what it says clearly.
func posted(t *testing.T, handler *Handler, header http.Header, body string) {
	t.Helper()
	r := visit("http://city.example" + pagePath)
	post := httptest.NewRequest(http.MethodPost, r.URL.String(), strings.NewReader(body))
	r.Method, r.Body, r.ContentLength = post.Method, post.Body, post.ContentLength
	r.Header = header
	w := httptest.NewRecorder()
	err := handler.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		t.Error("the page has not answered")
		return nil
	}))
	location := w.Header().Get("Location")
	switch {
	case err != nil:
		t.Errorf("%v %.200q: %v", header, body, err)
	case w.Code == http.StatusForbidden && w.Body.Len() > 0:
	case w.Code != http.StatusSeeOther || !strings.HasPrefix(location, "?") && (!strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//")):
		t.Errorf("%v %.200q: %d to %q, %q", header, body, w.Code, location, w.Body)
	}
	fields, err := url.ParseQuery(body)
	canGrant := err == nil && len(body) <= 64<<10 && strings.HasPrefix(header.Get("Content-Type"), "application/x-www-form-urlencoded") && w.Code == http.StatusSeeOther
	isPlain := true // nothing in it is in question
	for field, values := range fields {
		isKnown := slices.Contains([]string{"all", "answer.matomo", "answer.ga", "asked", "return"}, field)
		isPlain = isPlain && isKnown && len(values) == 1
	}
	for key, answer := range storedAnswers(t, w.Header()["Set-Cookie"]) {
		own, all := fields["answer."+key], fields["all"]
		isClear := len(own) > 0 && !slices.ContainsFunc(own, func(value string) bool { return value != "granted" }) || len(own) == 0 && isPlain && slices.Equal(all, []string{"granted"})
		isAsked := !fields.Has("asked") || len(fields["asked"]) == 1 && slices.Contains(strings.Fields(fields.Get("asked")), handler.charter.Fingerprints[key])
		mayGrant := canGrant && isClear && isAsked && !slices.Contains(all, "refused")
		if answer == "granted" && !mayGrant {
			t.Errorf("%v %.200q: grants %s", header, body, key)
		}
	}
}

// Whatever stands in a post, and however often.
func TestRandomForms(t *testing.T) {
	handler := provision(t, "cookie_charter {\n preset opendatasoft matomo google_analytics\n}")
	prints := handler.charter.Fingerprints
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // so that a failure comes again
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	fields := []string{"all", "all", "answer.matomo", "answer.matomo", "answer.ga", "asked", "return", "answer.unknown", "answer.", "x", "", "%zz"}
	values := map[string][]string{
		"asked":  {prints["matomo"] + "+" + prints["ga"], prints["matomo"] + "+" + prints["ga"], prints["matomo"], "", "0"},
		"return": {"/explore", "//elsewhere.example", "", "https://elsewhere.example"},
	}
	answers := []string{"granted", "granted", "granted", "refused", "maybe", "", "%zz", "granted;x"}
	granted := 0
	for range 5000 {
		var parts []string
		for range random.IntN(5) {
			field := pick(fields)
			parts = append(parts, field+"="+pick(append(slices.Clip(values[field]), map[bool][]string{true: answers}[values[field] == nil]...)))
		}
		header := http.Header{"Content-Type": {pick([]string{form.Get("Content-Type"), form.Get("Content-Type"), form.Get("Content-Type") + "; charset=utf-8", "text/plain", ""})}}
		if random.IntN(10) == 0 {
			header.Set("Sec-Fetch-Site", pick([]string{"same-origin", "cross-site", "none"}))
			header.Set("Sec-Fetch-Dest", pick([]string{"document", "iframe"}))
			header.Set("Accept", pick([]string{"text/html", "*/*"}))
		}
		body := strings.Join(parts, "&")
		if strings.Contains(body, "granted") {
			granted++
		}
		posted(t, handler, header, body)
	}
	if granted < 500 {
		t.Errorf("only %d posts say that something is granted", granted)
	}
}

func FuzzForm(f *testing.F) {
	handler := provision(f, "cookie_charter {\n preset opendatasoft matomo google_analytics\n}")
	for _, body := range []string{"all=granted", "all=refused&return=/explore", "answer.matomo=granted&answer.ga=refused", "asked=&answer.matomo=granted", "asked=" + handler.charter.Fingerprints["matomo"] + "&all=granted", "answer.matomo=granted&answer.matomo=x", "%zz"} {
		f.Add(form.Get("Content-Type"), body)
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		posted(t, handler, http.Header{"Content-Type": {contentType}}, body)
	})
}

package cookiecharter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// Where no banner has a format of its own, a choice is stored in ours: no
// character of it trips a firewall, and what is granted is so for the purposes
// that were shown.
func TestCharterFormat(t *testing.T) {
	site := func(rows ...string) string {
		return "cookie_charter {\n" + strings.Join(rows, "\n") + "\n}\nheader +Set-Cookie a=1\nheader +Set-Cookie b=1\nrespond ok"
	}
	row := func(name, key, purpose string) string {
		return "cookie " + name + " {\n category statistics\n consent " + key + "\n purpose " + purpose + "\n}"
	}
	asked := func(site, cookie string) string {
		address := "http://" + serve(t, false, site)
		response, _ := get(t, address, http.Header{"Cookie": {cookie}})
		return strings.Join(response.Header["Set-Cookie"], " ")
	}
	address := "http://" + serve(t, false, site(row("a", "k.1-x", `"Counts visits"`), row("b", "z", `"Shows maps"`)))
	response, _ := do(t, http.MethodPost, address+pagePath, form, "answer.z=refused")
	first, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
	header := form.Clone()
	header.Set("Cookie", first)
	response, _ = do(t, http.MethodPost, address+pagePath, header, "answer.k.1-x=granted")
	cookie, attributes, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
	if !regexp.MustCompile(`^charter_preference=1\.\d{13}\.[0-9a-f]{12}\.k-11-0x-y[0-9a-f]{8}\.z-n$`).MatchString(cookie) || attributes != " Path=/; SameSite=Lax; Max-Age=15778476" {
		t.Fatalf("stored %s;%s", cookie, attributes)
	}
	for name, test := range map[string]struct{ site, want string }{
		"the same":             {site(row("a", "k.1-x", `"Counts visits"`), row("b", "z", `"Shows maps"`)), "a=1"},
		"in another order":     {site(row("b", "z", `"Shows maps"`), row("a", "k.1-x", `"Counts visits"`)), "a=1"},
		"another cookie":       {site(row("a b", "k.1-x", `"Counts visits"`)), "a=1 b=1"},
		"another key":          {site(row("a", "k.1-x", `"Counts visits"`), row("b", "y", `"Shows maps"`)), "a=1"},
		"a translation":        {site(row("a", "k.1-x", "fr \"Counts visits\"\npurpose en Counts")), "a=1"},
		"another row":          {site(row("a", "k.1-x", `"Counts visits"`), row("b", "k.1-x", `"Counts visits"`)), "a=1 b=1"},
		"another purpose":      {site(row("a", "k.1-x", `"Follows visitors"`)), ""},
		"one purpose more":     {site(row("a", "k.1-x", `"Counts visits"`), row("b", "k.1-x", `"Follows visitors"`)), ""},
		"another provider":     {site(row("a", "k.1-x", "\"Counts visits\"\nprovider Another")), ""},
		"another country":      {site(row("a", "k.1-x", "\"Counts visits\"\ncountry US")), ""},
		"a policy":             {site(row("a", "k.1-x", "\"Counts visits\"\npolicy /privacy/")), "a=1"},
		"what was refused":     {site(row("a b", "z", `"Something else"`) + "\nlanguage en"), ""},
		"exempt, was refused":  {site(row("a b", "z", "\"Something else\"\nexempt")), ""},
		"exempt, was granted":  {site(row("a b", "k.1-x", "\"Something else\"\nexempt")), "a=1 b=1"},
		"another stored place": {site(row("a", "k.1-x", `"Counts visits"`), "preference charter elsewhere"), ""},
	} {
		if got := asked(test.site, cookie); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// The form writes every preference that is its to write, under the banner's
// keys, where the row of its cookie says.
func TestStoreEveryPreference(t *testing.T) {
	site := func(preferences string) string {
		return `
			cookie_charter {
				preset matomo google_analytics
				` + preferences + `
				cookie choice {
					purpose "Remembers the choice"
					category necessary
					domain city.example
					duration "3 months"
					path /portal
					same_site Strict
					http_only
				}
			}
			header +Set-Cookie _ga=1
			header +Set-Cookie _pk_id.1=1
			respond ok`
	}
	address := "http://" + serve(t, false, site(`
				preference charter
				preference json choice {
					key ga gtag analytics
				}
				preference tarteaucitron`))
	if _, page := get(t, address+pagePath+"?flg=en", nil); !strings.Contains(page, "Your choice is kept for: 3 months.") {
		t.Error("the page does not tell the shortest duration")
	}
	header := form.Clone()
	header.Set("Cookie", `choice={"gtag":false,"analytics":true,"matomo":false,"banner":{"version":3}}; tarteaucitron=!other=true`)
	_, page := get(t, address+pagePath+"?flg=en", header)
	for _, want := range []string{`name="answer.ga" value="refused" checked`, "This portal’s own banner asks, too."} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	response, _ := do(t, http.MethodPost, address+pagePath, header, "answer.ga=granted&answer.matomo=granted")
	lines := response.Header["Set-Cookie"]
	for i, want := range []string{
		`^charter_preference=1\.(\d+)\.[0-9a-f]{12}\.matomo-y[0-9a-f]{8}\.ga-y[0-9a-f]{8}; Path=/; SameSite=Lax; Max-Age=15778476$`,
		`^choice=\{"gtag":true,"analytics":true,"matomo":true,"banner":\{"version":3\},"timestamp":(\d+),"charter":"1\.(\d+)\.[0-9a-f]{12}\.matomo-y[0-9a-f]{8}\.ga-y[0-9a-f]{8}"\}; Path=/portal; Domain=city.example; Max-Age=7889238; HttpOnly; SameSite=Strict$`,
	} {
		if len(lines) != 2 || !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("set %q, want %s", lines, want)
		}
	}
	// Moving from one format to another: an answer in either counts.
	var cookies []string
	for _, line := range lines {
		pair, _, _ := strings.Cut(line, ";")
		cookies = append(cookies, pair)
	}
	for _, cookie := range append(cookies, strings.Join(cookies, "; ")) {
		response, _ := get(t, address, http.Header{"Cookie": {cookie}})
		if got := response.Header["Set-Cookie"]; len(got) != 2 {
			t.Errorf("%s: %q", cookie, got)
		}
		saved, page := get(t, address+pagePath+"?flg=en&status=saved&at="+regexp.MustCompile(`\d{13}`).FindString(cookie), http.Header{"Cookie": {cookie}})
		if isWhole := strings.Contains(cookie, "; "); strings.Contains(page, "have been saved") != isWhole || strings.Contains(saved.Header.Get("Location"), "status=lost") == isWhole {
			t.Errorf("%s: the page says that all is saved: %v", cookie, !isWhole)
		}
	}
}

// The cookies of a form post, as a browser would send them back.
func storedBy(response *http.Response) string {
	var pairs []string
	for _, line := range response.Header["Set-Cookie"] {
		if pair, attributes, _ := strings.Cut(line, ";"); !strings.Contains(attributes, "Max-Age=-1") && !strings.Contains(attributes, "Max-Age=0") {
			pairs = append(pairs, pair)
		}
	}
	return strings.Join(pairs, "; ")
}

// In every format that the page writes, a grant covers what was asked and no more;
// what is new is asked for again.
func TestGrantCoversWhatWasAsked(t *testing.T) {
	site := func(format, rows string) string {
		return "cookie_charter {\n preference " + format + "\n" + rows + "\n}\nheader +Set-Cookie VISITOR_INFO1_LIVE=1\nheader +Set-Cookie _fbp=1\nrespond ok"
	}
	row := func(names, provider, purpose, category string) string {
		return fmt.Sprintf("cookie %s {\n provider %s\n purpose %q\n category %s\n consent third_party\n}\n", names, provider, purpose, category)
	}
	youtube := row("VISITOR_INFO1_LIVE", "YouTube", "Plays videos", "third_party")
	for _, format := range []string{"charter", "opendatasoft", "json choice"} {
		address := "http://" + serve(t, false, site(format, youtube))
		response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted")
		cookie := storedBy(response)
		_, value, _ := strings.Cut(cookie, "=")
		refusal, _ := do(t, http.MethodPost, address+pagePath, form, "all=refused")
		refused := storedBy(refusal)
		for name, test := range map[string]struct{ rows, want string }{
			"the same":                  {youtube, "VISITOR_INFO1_LIVE=1"},
			"another name, same use":    {row("VISITOR_INFO1_LIVE _fbp", "YouTube", "Plays videos", "third_party"), "VISITOR_INFO1_LIVE=1 _fbp=1"},
			"somebody more":             {youtube + row("_fbp", "Meta", "Follows visitors", "third_party"), ""},
			"somebody else":             {row("VISITOR_INFO1_LIVE", "Meta", "Plays videos", "third_party"), ""},
			"another purpose":           {row("VISITOR_INFO1_LIVE", "YouTube", "Follows visitors", "third_party"), ""},
			"another category":          {row("VISITOR_INFO1_LIVE", "YouTube", "Plays videos", "statistics"), ""},
			"another key, its category": {strings.Replace(youtube, "consent third_party", "consent video", 1), ""},
			"a translation":             {strings.Replace(youtube, "purpose \"Plays videos\"", "purpose fr \"Plays videos\"\npurpose en Plays", 1), "VISITOR_INFO1_LIVE=1"},
		} {
			address := "http://" + serve(t, false, site(format, test.rows))
			response, _ := get(t, address, http.Header{"Cookie": {cookie}})
			if got := strings.Join(response.Header["Set-Cookie"], " "); got != test.want {
				t.Errorf("%s, %s: %q, want %q", format, name, got, test.want)
			}
			_, page := get(t, address+pagePath+"?flg=en", http.Header{"Cookie": {cookie}})
			_, notice := get(t, address+pagePath+"notice?flg=en", http.Header{"Cookie": {cookie}})
			if isAsked := test.want == ""; strings.Contains(page, " checked") == isAsked || strings.Contains(notice, "<form") != isAsked {
				t.Errorf("%s, %s: asks again: %t", format, name, !isAsked)
			}
			if name == "another key, its category" {
				continue // the refusal was of another
			}
			exempt := strings.ReplaceAll(test.rows, " consent", " exempt\n consent")
			response, _ = get(t, "http://"+serve(t, false, site(format, exempt)), http.Header{"Cookie": {refused}})
			if got := response.Header["Set-Cookie"]; got != nil {
				t.Errorf("%s, %s: %q after a refusal", format, name, got)
			}
		}
		if format == "charter" {
			continue
		}

		// The portal's own reader, JSON.parse(decodeURIComponent(value)), reads it.
		decoded, err := url.PathUnescape(value)
		var object map[string]any
		if err != nil || json.Unmarshal([]byte(decoded), &object) != nil || object["third_party"] != true || object["timestamp"] == nil {
			t.Errorf("%s: the banner reads %s, %v", format, decoded, err)
		}
		if asked, _ := object["charter"].(string); !regexp.MustCompile(`^1\.\d{13}\.[0-9a-f]{12}\.third_party-y[0-9a-f]{8}$`).MatchString(asked) {
			t.Errorf("%s: the page asked %q", format, asked)
		}
		// What a banner writes goes on to count, be it beside what the page wrote.
		name, _, _ := strings.Cut(cookie, "=")
		at := fmt.Sprint(time.Now().UnixMilli() + 5)
		both := youtube + row("_fbp", "Meta", "Follows visitors", "third_party")
		address = "http://" + serve(t, false, site(format, both))
		for value, want := range map[string]int{
			`{"third_party":true}`: 2, `{"third_party":true,"timestamp":` + at + `}`: 2,
			regexp.MustCompile(`"timestamp":\d+`).ReplaceAllString(decoded, `"timestamp":`+at): 2,
			decoded: 0, strings.Replace(decoded, `"timestamp"`, `"x"`, 1): 0,
			strings.Replace(decoded, "{", `{"charter":"1.1.x",`, 1): 0, strings.Replace(decoded, `"charter":"1`, `"charter":"2`, 1): 0,
		} {
			response, _ := get(t, address, http.Header{"Cookie": {name + "=" + value}})
			if got := response.Header["Set-Cookie"]; len(got) != want {
				t.Errorf("%s, %s: %q", format, value, got)
			}
		}
		// What the page wrote cannot be stretched.
		address = "http://" + serve(t, false, site(format, youtube))
		for _, change := range []string{"", `,"charter":"1.` + at + `.x.third_party-n"`} {
			response, _ := get(t, address, http.Header{"Cookie": {name + "=" + strings.Replace(decoded, "}", change+"}", 1)}})
			if got := response.Header["Set-Cookie"]; (len(got) == 1) != (change == "") {
				t.Errorf("%s, %s: %q", format, change, got)
			}
		}
	}
}

// Who did not answer has no answer: what the portal or a sibling site writes into
// the page's own cookie is none.
func TestOwnCookie(t *testing.T) {
	fingerprint := provision(t, "cookie_charter {\n preset matomo\n}").charter.Fingerprints["matomo"]
	forged := fmt.Sprintf("=1.%d.000000000000.matomo-y%s", time.Now().UnixMilli(), fingerprint)
	for _, test := range []struct{ preference, line, want string }{
		{"charter", answers.PlainCookie + forged + "; Path=/", ""},
		{"charter", answers.HostCookie + forged + "; Path=/; Secure", ""},
		{"charter", answers.PlainCookie + "=; Path=/; Max-Age=0", answers.PlainCookie + "=; Path=/; Max-Age=0"},
		{"charter mine", "mine" + forged, ""},
		{"charter mine", "mine=; Max-Age=-1", "mine=; Max-Age=-1"},
		{"opendatasoft", "cookies_preferences=%7B%22matomo%22:true%7D", "cookies_preferences=%7B%22matomo%22:true%7D"},
		{"tarteaucitron", "tarteaucitron=!matomo=true", "tarteaucitron=!matomo=true"},
	} {
		for _, encrypted := range []bool{false, true} {
			address := map[bool]string{false: "http://", true: "https://"}[encrypted] + serve(t, encrypted, "cookie_charter {\n preset matomo\n preference "+test.preference+"\n}\nheader +Set-Cookie \""+test.line+"\"\nrespond portal")
			response, _ := get(t, address, nil)
			got := strings.Join(response.Header["Set-Cookie"], " ")
			if !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
				t.Errorf("%s, %s: %q passes", test.preference, test.line, got)
			}
			// The page's own line leaves, where the format is its to write.
			if test.preference != "tarteaucitron" {
				if response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted"); len(response.Header["Set-Cookie"]) != 1 {
					t.Errorf("%s: the page sets %q", test.preference, response.Header["Set-Cookie"])
				}
			}
		}
	}
}

// Over https, the page's own cookie has a name that only this host can write. What
// is stored under the former name counts until there is a new one, if it refuses.
func TestHostCookie(t *testing.T) {
	site := "cookie_charter {\n preset matomo\n%s\n}\nheader +Set-Cookie _pk_id.1=1\nrespond portal"
	for rows, want := range map[string]struct{ encrypted, plain string }{
		"": {answers.HostCookie, answers.PlainCookie},
		"cookie charter_preference {\n purpose p\n category necessary\n duration \"3 months\"\n}": {answers.HostCookie, answers.PlainCookie},
		"cookie __Host-charter_preference {\n purpose p\n category necessary\n path /\n}":         {answers.HostCookie, answers.PlainCookie},
		"cookie choice {\n match charter_preference\n purpose p\n category necessary\n}":          {answers.HostCookie, answers.PlainCookie},
		"cookie charter_preference {\n purpose p\n category necessary\n domain city.example\n}":   {answers.PlainCookie, answers.PlainCookie},
		"cookie charter_preference {\n purpose p\n category necessary\n path /portal\n}":          {answers.PlainCookie, answers.PlainCookie},
		"preference charter mine": {"mine", "mine"},
		"cookie charter_preference {\n purpose p\n category necessary\n}\ncookie __Host-charter_preference {\n purpose p\n category necessary\n}": {answers.HostCookie, answers.PlainCookie},
	} {
		for _, encrypted := range []bool{true, false} {
			scheme, name := "http://", want.plain
			if encrypted {
				scheme, name = "https://", want.encrypted
			}
			address := scheme + serve(t, encrypted, fmt.Sprintf(site, rows))
			response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted")
			lines := response.Header["Set-Cookie"]
			if len(lines) != 1 || !strings.HasPrefix(lines[0], name+"=1.") || strings.HasSuffix(lines[0], "; Secure") != encrypted || name == answers.HostCookie && strings.Contains(lines[0], "Domain") {
				t.Errorf("%s, %s: set %q", rows, scheme, lines)
				continue
			}
			if isShort := strings.Contains(lines[0], "Max-Age=7889238"); isShort != strings.Contains(rows, "3 months") {
				t.Errorf("%s, %s: set %q", rows, scheme, lines)
			}
			if response, _ := get(t, address, http.Header{"Cookie": {storedBy(response)}}); response.Header.Get("Set-Cookie") != "_pk_id.1=1" {
				t.Errorf("%s, %s: does not read what it wrote", rows, scheme)
			}
		}
	}

	// A choice over https takes the former cookie away.
	header := form.Clone()
	header.Set("Cookie", answers.PlainCookie+"=1.1790000000000.000000000000.matomo-n; "+answers.PlainCookie+"=x")
	response, _ := do(t, http.MethodPost, "https://"+serve(t, true, fmt.Sprintf(site, ""))+pagePath, header, "all=granted")
	if lines := response.Header["Set-Cookie"]; len(lines) != 2 || lines[0] != answers.PlainCookie+"=; Max-Age=-1; Path=/; Secure" || !strings.HasPrefix(lines[1], answers.HostCookie+"=1.") {
		t.Errorf("set %q", lines)
	}

	// The notice knows it, too, where a template asks for it.
	address := "https://" + serve(t, true, "cookie_charter {\n preset matomo\n}\ntemplates\nheader Content-Type text/html\nrespond `{{httpInclude \"/terms/cookies-policy/notice\"}}`")
	_, asking := get(t, address, nil)
	_, answered := get(t, address, http.Header{"Cookie": {storedBy(response)}})
	if !strings.Contains(asking, "<form") || strings.Contains(answered, "<form") {
		t.Errorf("the notice: %q", answered)
	}

	// Nor can a sibling grant there.
	handler := provision(t, "cookie_charter {\n preset matomo\n}")
	forged := http.Header{"Cookie": {fmt.Sprintf("%s=1.%d.x.matomo-y%s", answers.PlainCookie, time.Now().UnixMilli(), handler.charter.Fingerprints["matomo"])}}
	const included = "cookie_charter {\n preset matomo\n}\ntemplates\nheader Content-Type text/html\n@part {\n path /part\n cookie_consent matomo\n}\nrespond @part granted\nrespond /part refused\nrespond `{{httpInclude \"/part\"}}`"
	for scheme, want := range map[string]string{"https": "refused", "http": "granted"} {
		if _, body := get(t, scheme+"://"+serve(t, scheme == "https", included), forged); body != want {
			t.Errorf("a fragment over %s: %s", scheme, body)
		}
	}
}

// A row's domain can be the registrable one of the host that is visited.
func TestRegistrableDomain(t *testing.T) {
	address := "http://" + serve(t, false, `cookie_charter {
		preset matomo
		preference json choice
		cookie choice {
			purpose p
			category necessary
			domain registrable
		}
	}`)
	for host, want := range map[string]string{"a.data.city.example": "Domain=city.example; ", "city.example:80": "Domain=city.example; ", "127.0.0.1": "", "localhost": ""} {
		header := form.Clone()
		header.Set("Host", host)
		response, body := do(t, http.MethodPost, address+pagePath, header, "all=granted")
		if line := response.Header.Get("Set-Cookie"); !strings.Contains(line, "; Path=/; "+want+"SameSite") {
			t.Errorf("%s: %q, %s", host, line, body)
		}
		_, knowledge := get(t, address+pagePath+"?format=edpb", http.Header{"Host": {host}})
		domain, _, _ := strings.Cut(strings.TrimPrefix(want, "Domain="), ";")
		if strings.Contains(knowledge, "registrable") || domain != "" && !strings.Contains(knowledge, `"domain": "`+domain+`"`) {
			t.Errorf("%s: %s", host, knowledge)
		}
	}
}

// Several banners: an answer in any counts, the stricter wins.
func TestSeveralPreferences(t *testing.T) {
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset matomo google_analytics
			preference opendatasoft
			preference tarteaucitron {
				key ga gtag
			}
		}
		header +Set-Cookie _ga=1
		header +Set-Cookie _pk_id.1.1=1
		header +Set-Cookie tarteaucitron=!gtag=wait
		respond ok`)
	for cookies, want := range map[string]string{
		"":                         "tarteaucitron",
		"tarteaucitron=!gtag=true": "_ga tarteaucitron",
		`cookies_preferences={"ga":false}; tarteaucitron=!gtag=true`:          "tarteaucitron",
		`cookies_preferences={"matomo":true}; tarteaucitron=!gtag=true`:       "_ga _pk_id.1.1 tarteaucitron",
		`cookies_preferences={"matomo":true}; tarteaucitron=!matomo=false`:    "tarteaucitron",
		`cookies_preferences=junk; tarteaucitron=!matomo=true!gtag=wait!ga=x`: "_pk_id.1.1 tarteaucitron",
	} {
		response, _ := get(t, address, http.Header{"Cookie": {cookies}})
		var names []string
		for _, line := range response.Header["Set-Cookie"] {
			if name, _, _ := setcookie.CutPair(line); !strings.Contains(line, "Max-Age=-1") {
				names = append(names, name)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", cookies, got, want)
		}
	}
	// A choice on the page is stored in its own cookie, and the banner's stays.
	header := form.Clone()
	header.Set("Cookie", "tarteaucitron=!gtag=true; _ga=1")
	response, _ := do(t, http.MethodPost, address+pagePath, header, "all=refused")
	lines := response.Header["Set-Cookie"]
	if len(lines) < 2 || !strings.HasPrefix(lines[0], "cookies_preferences=") || !strings.HasPrefix(lines[1], "_ga=; Max-Age=-1") {
		t.Errorf("set %q", lines)
	}
}

// A banner's choice cannot be made on the page; the page says where, and what
// is stored.
func TestPageOfBanner(t *testing.T) {
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset matomo
			preference tarteaucitron {
				manage /#tarteaucitron
			}
		}`)
	_, page := get(t, address+pagePath+"?flg=en", http.Header{"Cookie": {"tarteaucitron=!matomo=true"}})
	for _, want := range []string{"this portal’s own banner", `<a class="fr-link" href="/#tarteaucitron">Change your choice</a>`, "Stored answer: accepted.", `<code dir="ltr">tarteaucitron</code>`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(page, "<form") {
		t.Error("there is a form that would be ignored")
	}
	response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted")
	if response.StatusCode != http.StatusMethodNotAllowed || response.Header["Set-Cookie"] != nil {
		t.Errorf("POST: %s", response.Status)
	}
}

// The script that copies from local storage is served where it is configured.
func TestLocalStorageScript(t *testing.T) {
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset matomo
			preference klaro {
				local_storage
			}
			preference json choice {
				local_storage "it's </script>"
			}
			cookie choice {
				purpose "Remembers the choice"
				category necessary
				duration session
			}
		}
		respond portal`)
	response, script := get(t, address+pagePath+"local_storage.js", nil)
	if got := response.Header.Get("Content-Type"); got != "text/javascript; charset=utf-8" || response.Header.Get("Cache-Control") != "public, max-age=3600" {
		t.Errorf("%v", response.Header)
	}
	if want := `const copies = [{"key":"klaro","cookie":"klaro","seconds":15778476},{"key":"it's \u003c/script\u003e","cookie":"choice","seconds":0}];`; !strings.Contains(script, want) {
		t.Errorf("no %s in %s", want, script)
	}
	if response, _ := do(t, http.MethodPost, address+pagePath+"local_storage.js", form, "all=granted"); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
	// What is copied over is not for the page to write.
	if _, page := get(t, address+pagePath, nil); strings.Contains(page, "<form") {
		t.Error("there is a form that would be ignored")
	}
	address = "http://" + serve(t, false, "cookie_charter\nrespond portal")
	if _, body := get(t, address+pagePath+"local_storage.js", nil); body != "portal" {
		t.Errorf("without local storage: %.100s", body)
	}
}

// What cannot be read is counted by format, and logged without its value.
func TestUnreadablePreference(t *testing.T) {
	const secret = "Unr34d4bl3"
	address := "http://" + serve(t, false, "cookie_charter {\n preset matomo\n preference cookiebot\n}\nmetrics /metrics\nheader +Set-Cookie _pk_id.1=1")
	cookies := http.Header{"Cookie": {"CookieConsent=" + secret}}
	get(t, address, cookies)
	get(t, address, http.Header{"Cookie": {"CookieConsent=" + strings.Repeat("x", 4097)}})
	_, metrics := get(t, address+"/metrics", nil)
	if want := `caddy_cookie_charter_unreadable_preferences_total{format="cookiebot"} 2` + "\n"; !strings.Contains(metrics, want) {
		t.Errorf("no %s", want)
	}
	logs, err := os.ReadFile(storage() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{"unreadable", "too long"} {
		if want := `"msg":"unreadable preference","format":"cookiebot","error":"` + reason + `"`; !bytes.Contains(logs, []byte(want)) {
			t.Errorf("no %s", want)
		}
	}
	if bytes.Contains(logs, []byte(secret)) {
		t.Error("a value in the log")
	}
}

// A stored preference that cannot be read is counted, too, if the handler after this one
// fails, or if somebody asks for it only when the answer has left.
func TestUnreadableInAnyCase(t *testing.T) {
	handler := provision(t, "cookie_charter {\n preset opendatasoft matomo\n}")
	registry := prometheus.NewRegistry()
	registry.MustRegister(handler.metrics.unreadable["opendatasoft"])
	count := func() float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return families[0].GetMetric()[0].GetCounter().GetValue()
	}
	ask := func(cookies string, next caddyhttp.HandlerFunc) *caddy.Replacer {
		w := httptest.NewRecorder()
		replacer := caddy.NewReplacer()
		r := caddyhttp.PrepareRequest(visit("http://city.example/"), replacer, w, new(caddyhttp.Server))
		r.Header.Set("Cookie", cookies)
		defer func() { _ = recover() }()
		_ = handler.ServeHTTP(w, r, next)
		return replacer
	}
	ask("cookies_preferences=junk; _pk_id.1=1", func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) })
	if got := count(); got != 1 {
		t.Errorf("counted %v times after a panic", got)
	}
	replacer := ask("cookies_preferences=junk", func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})
	if answer, _ := replacer.GetString("http.cookie_charter.consent.matomo"); answer != "none" || count() != 2 {
		t.Errorf("%q, counted %v times after a late question", answer, count())
	}
}

// A cookie that holds answers lives as long as its own row says, also where another
// name of the same preference has another row.
func TestLifetimeOfEachName(t *testing.T) {
	const site = `cookie_charter {
		preset matomo
		durations declare
		preference charter
		cookie charter_preference {
			purpose p
			category necessary
			duration "9 months"
		}
		cookie __Host-charter_preference {
			purpose p
			category necessary
			duration "2 months"
		}
	}`
	for scheme, want := range map[string]string{"https": "; Max-Age=5259492;", "http": "; Max-Age=23667714"} {
		response, _ := do(t, http.MethodPost, scheme+"://"+serve(t, scheme == "https", site)+pagePath, form, "all=granted")
		if line := response.Header.Get("Set-Cookie"); !strings.Contains(line, want) {
			t.Errorf("%s: %q", scheme, line)
		}
	}
}

package cookiecharter

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

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
	for _, want := range []string{"this portal&#39;s own banner", `<a href="/#tarteaucitron">Change your choice</a>`, "Stored answer: accepted.", `<code dir="ltr">tarteaucitron</code>`} {
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

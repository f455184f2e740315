package cookiecharter

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The notice asks for an answer as long as one is missing, wherever the portal
// puts it, and leads back.
func TestNotice(t *testing.T) {
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset opendatasoft matomo
		}
		route {
			templates
			header Content-Type text/html
			respond `+"`"+`<h1>Portal</h1>{{httpInclude (printf "/terms/cookies-policy/notice?return=%s" (.OriginalReq.URL.RequestURI | urlquery))}}`+"`"+`
		}`)
	_, page := get(t, address+"/explore?q=a&b={{now}}", http.Header{"Accept-Language": {"en"}})
	for _, want := range []string{
		"<h1>Portal</h1>", `aria-labelledby="charter-notice" lang="en" dir="ltr"`, `<form method="post" action="/terms/cookies-policy/?flg=en">`,
		`<input type="hidden" name="return" value="/explore?q=a&amp;b=%7B%7Bnow%7D%7D">`, `<button class="fr-btn" name="all" value="granted">Accept all</button>`, `<button class="fr-btn" name="all" value="refused">Refuse all</button>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
	response, notice := get(t, address+pagePath+"notice", nil)
	if response.Header.Get("Cache-Control") != "private, no-store" || strings.Contains(notice, "return") || strings.Contains(notice, "<script") {
		t.Errorf("%v %s", response.Header, notice)
	}
	for _, header := range []http.Header{
		{"Cookie": {`cookies_preferences={"matomo":false}`}}, {"Cookie": {`cookies_preferences={"matomo":true}`}}, {"Sec-Gpc": {"1"}},
	} {
		if response, notice := get(t, address+pagePath+"notice", header); notice != "" || response.StatusCode != http.StatusOK {
			t.Errorf("%v: asks for what is answered: %s", header, notice)
		}
	}
	// An answer that was just given is confirmed, and no other.
	for ago, want := range map[time.Duration]string{time.Second: "Your choices have been saved.", time.Minute: "", -time.Hour: ""} {
		cookie := fmt.Sprintf(`cookies_preferences={"matomo":false,"timestamp":%d}`, time.Now().Add(-ago).UnixMilli())
		_, notice := get(t, address+pagePath+"notice?flg=en", http.Header{"Cookie": {cookie}})
		if (notice == "") != (want == "") || !strings.Contains(notice, want) || strings.Contains(notice, "<form") {
			t.Errorf("answered %s ago: %s", ago, notice)
		}
	}
	if response, _ := get(t, address+pagePath+"notice.css", nil); response.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("the style: %v", response.Header)
	}
	if response, _ := do(t, http.MethodPost, address+pagePath+"notice", form, "all=granted"); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}

	// What was stored leads back, by the page, which looks whether it was.
	for back, want := range map[string]string{
		"/explore?q=a&b=c#d": "/explore?q=a&b=c#d", "/": "/",
		"//elsewhere.example": "", "///elsewhere.example": "", "/\r/elsewhere.example": "", "/\x7f": "", `/\elsewhere.example`: "", `\\elsewhere.example`: "", "https://elsewhere.example": "", "elsewhere": "",
		"/a\r\nSet-Cookie: x=1": "", "/\t/elsewhere.example": "", "javascript:alert(1)": "", "": "", "/%zz": "",
	} {
		response, _ := do(t, http.MethodPost, address+pagePath, form, "all=refused&return="+url.QueryEscape(back))
		location := response.Header.Get("Location")
		if wasRead := want != ""; response.StatusCode != http.StatusSeeOther || strings.Contains(location, "status=saved") != wasRead || strings.Contains(location, "return=") != wasRead {
			t.Errorf("%q: %s to %q", back, response.Status, location)
		}
		if want != "" {
			cookie, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
			response, _ := do(t, http.MethodGet, address+pagePath+location, http.Header{"Cookie": {cookie}}, "")
			if got := response.Header.Get("Location"); got != want || response.StatusCode != http.StatusSeeOther {
				t.Errorf("%q: %s on to %q", back, response.Status, got)
			}
		}
		if _, notice := get(t, address+pagePath+"notice?return="+url.QueryEscape(back), nil); strings.Contains(notice, `name="return"`) != (want != "") {
			t.Errorf("%q is in the notice, or is not: %s", back, notice)
		}
	}

	// Where that would take too long a header for servers in front, the page says so itself.
	for _, back := range []string{"/explore?q=" + strings.Repeat("a", 2<<10), "/explore?q=" + strings.Repeat("%C3%A9", 300)} {
		response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted&return="+url.QueryEscape(back))
		if location := response.Header.Get("Location"); !strings.Contains(location, "status=saved") || strings.Contains(location, "return=") || response.Header.Get("Set-Cookie") == "" {
			t.Errorf("%d bytes: %v", len(back), response.Header)
		}
	}

	// What is pasted into pages asks everybody, of everything, and tells where to change it.
	_, pasted := get(t, address+pagePath+"?format=notice&flg=fr", http.Header{"Cookie": {`cookies_preferences={"matomo":true}`}})
	for _, want := range []string{`<form method="post" action="/terms/cookies-policy/?flg=fr">`, "Tout accepter", "Tout refuser", "<strong>Cookies statistiques</strong> – <bdi>Matomo</bdi> (13 mois au plus)", ": " + address + ".", `<a class="fr-link" href="/terms/cookies-policy/?flg=fr">`} {
		if !strings.Contains(pasted, want) {
			t.Errorf("no %s in %s", want, pasted)
		}
	}
	for _, unwanted := range []string{"<link", "<script", "<style", "style=", `name="return"`} {
		if strings.Contains(pasted, unwanted) {
			t.Errorf("%s in %s", unwanted, pasted)
		}
	}
	if response, _ := get(t, "http://"+serve(t, false, "cookie_charter")+pagePath+"?format=notice", nil); response.StatusCode != http.StatusBadRequest {
		t.Errorf("where there is nothing to ask: %s", response.Status)
	}

	// What is stored of each question stands there, too, and what is set unasked.
	address = "http://" + serve(t, false, "cookie_charter {\n preference json answers\n preset matomo\n cookie ga {\n  purpose p\n  category statistics\n  consent ga\n  exempt\n }\n}")
	for query, want := range map[string][]string{
		"notice?flg=en":         {"cookies.<br>No answer stored.</li>", "p<br>Stored answer: refused.</li>"},
		"?flg=en&format=notice": {"cookies.</li>", "p<br>Set without consent, by exemption; to refuse is to object to it.</li>"},
	} {
		_, notice := get(t, address+pagePath+query, http.Header{"Cookie": {`answers={"ga":false}`}})
		for _, words := range want {
			if !strings.Contains(notice, words) {
				t.Errorf("%s: no %q in %s", query, words, notice)
			}
		}
	}
	if _, notice := get(t, address+pagePath+"notice?flg=en", nil); !strings.Contains(notice, "p<br>No answer stored. Set without consent, by exemption; to refuse is to object to it.</li>") {
		t.Errorf("nothing is said of what is exempt: %s", notice)
	}

	// Whatever the template's delimiters are, what a visitor sends is no code.
	address = "http://" + serve(t, false, `
		cookie_charter {
			preset matomo
		}
		route {
			templates {
				between [[ ]]
			}
			header Content-Type text/html
			respond `+"`"+`[[httpInclude (printf "/terms/cookies-policy/notice?return=%s" (.OriginalReq.URL.RequestURI | urlquery))]]`+"`"+`
		}`)
	if _, page := get(t, address+"/?q=[[now|len]]&r=('%3C%ff%C3%A9')%20$|<%x%>", nil); !strings.Contains(page, `value="/?q=%5B%5Bnow%7Clen%5D%5D&amp;r=%28%27%3C%ff%C3%A9%27%29%20%24%7C%3C%x%%3E"`) {
		t.Errorf("with other delimiters: %s", page)
	}

	// What is exempt, or not this page's to ask, is not asked for.
	for _, block := range []string{"cookie a {\n purpose p\n category statistics\n exempt\n}", "preset matomo\npreference osano", "preset opendatasoft"} {
		if _, notice := get(t, "http://"+serve(t, false, "cookie_charter {\n"+block+"\n}")+pagePath+"notice", nil); notice != "" {
			t.Errorf("%s: %s", block, notice)
		}
	}
}

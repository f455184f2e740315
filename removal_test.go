package cookiecharter

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// TestWithdrawal refuses what was granted, and looks at both directions before
// and after.
func TestWithdrawal(t *testing.T) {
	var arrived []string
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived = r.Header["Cookie"]
		switch r.URL.Path {
		case "/public":
			w.Header().Set("Cache-Control", "public, max-age=600")
		case "/error":
			w.WriteHeader(http.StatusInternalServerError)
		case "/304":
			w.WriteHeader(http.StatusNotModified)
		}
	}))
	defer upstream.Close()
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset opendatasoft matomo
			cookie measure {
				purpose p
				category statistics
				exempt
			}
		}
		error /unproxied 502
		reverse_proxy `+upstream.Listener.Addr().String())
	const cookies = "sessionid=1; _pk_id.1.1=2; measure=3; unknown=4"
	for _, test := range []struct {
		preference, gpc, path string
		arrived               string
		expired               []string
	}{
		{"", "", "/", "sessionid=1; measure=3", []string{"_pk_id.1.1"}},
		{`; cookies_preferences={"matomo":true}`, "", "/", `sessionid=1; _pk_id.1.1=2; measure=3; cookies_preferences={"matomo":true}`, nil},
		{`; cookies_preferences={"matomo":false,"statistics":false}`, "", "/", `sessionid=1; cookies_preferences={"matomo":false,"statistics":false}`, []string{"_pk_id.1.1", "measure"}},
		{"", "1", "/", "sessionid=1", []string{"_pk_id.1.1", "measure"}},
		{"", "0", "/", "sessionid=1; measure=3", []string{"_pk_id.1.1"}},
		{`; cookies_preferences={"matomo":true,"statistics":true}`, "1", "/", `sessionid=1; _pk_id.1.1=2; measure=3; cookies_preferences={"matomo":true,"statistics":true}`, nil},
		{"", "", "/public", "sessionid=1; measure=3", nil},
		{"", "", "/error", "sessionid=1; measure=3", []string{"_pk_id.1.1"}},
		{"", "", "/304", "sessionid=1; measure=3", []string{"_pk_id.1.1"}},
		{"", "", "/unproxied", "", []string{"_pk_id.1.1"}},
		{"", "", pagePath, "", []string{"_pk_id.1.1"}},
	} {
		arrived = nil
		header := http.Header{"Cookie": {cookies + test.preference}}
		if test.gpc != "" {
			header["Sec-Gpc"] = []string{test.gpc}
		}
		response, _ := get(t, address+test.path, header)
		if got := strings.Join(arrived, "|"); got != test.arrived {
			t.Errorf("%+v: %q arrived", test, got)
		}
		var expired []string
		for _, line := range response.Header["Set-Cookie"] {
			name, _, _ := setcookie.CutPair(line)
			if !strings.Contains(line, "Max-Age=-1") {
				t.Errorf("%+v: deposit %q", test, line)
			}
			if !slices.Contains(expired, name) {
				expired = append(expired, name)
			}
		}
		if !slices.Equal(expired, test.expired) {
			t.Errorf("%+v: expired %v", test, expired)
		}
		if private := isPrivate(response.Header); private != (expired != nil) && test.path != pagePath {
			t.Errorf("%+v: Cache-Control %q", test, response.Header["Cache-Control"])
		}
	}

	header := form.Clone()
	header.Set("Cookie", cookies+`; cookies_preferences={"matomo":true,"statistics":true}`)
	response, _ := do(t, http.MethodPost, address+pagePath, header, "all=refused")
	lines := response.Header["Set-Cookie"]
	for _, want := range []string{"cookies_preferences=%7B%22matomo%22%3Afalse%2C%22statistics%22%3Afalse", "_pk_id.1.1=; Max-Age=-1; Path=/", "measure=; Max-Age=-1; Path=/", "measure=; Max-Age=-1; Path=/terms/cookies-policy"} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no %s in %q", want, lines)
		}
	}
	if slices.ContainsFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "unknown") || strings.HasPrefix(line, "sessionid")
	}) {
		t.Errorf("removed too much: %q", lines)
	}
	// A withdrawal has room for the likely places of many.
	header.Set("Cookie", "_pk_id."+strings.Join(strings.Split("abcdefghijklmnopqrstuvwxyz", ""), "=1; _pk_id.")+"=1")
	response, _ = do(t, http.MethodPost, address+pagePath, header, "all=refused")
	size := 0
	for _, line := range response.Header["Set-Cookie"] {
		size += len("Set-Cookie: \r\n") + len(line)
	}
	for _, name := range "abcdefghijklmnopqrstuvwxyz" {
		if want := "_pk_id." + string(name) + "=; Max-Age=-1; Path=/"; !slices.Contains(response.Header["Set-Cookie"], want) {
			t.Errorf("no %s", want)
		}
	}
	if size > 4<<10-512 {
		t.Errorf("%d bytes are too many for a server in front", size)
	}
}

// After a withdrawal, detours remove what its answer had no room for.
func TestWithdrawalTurns(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n preset matomo\n}")
	held := map[string]bool{}
	for i := range 60 {
		held[fmt.Sprintf("_pk_id.%03d.%030d", i, i)] = true
	}
	header := func() http.Header {
		header := form.Clone()
		header.Set("Cookie", "x=1")
		for name := range held {
			header.Set("Cookie", header.Get("Cookie")+"; "+name+"=1")
		}
		return header
	}
	response, _ := do(t, http.MethodPost, address+pagePath, header(), "all=refused")
	turns := 0
	for ; response.StatusCode == http.StatusSeeOther; turns++ {
		for _, line := range response.Header["Set-Cookie"] {
			name, _, _ := setcookie.CutPair(line)
			delete(held, name)
		}
		response, _ = get(t, address+pagePath+response.Header.Get("Location"), header())
	}
	if response.StatusCode != http.StatusOK || turns < 2 || len(held) > 0 {
		t.Errorf("%s after %d turns, %d left", response.Status, turns, len(held))
	}
	// Cookies that cannot be removed end them, too.
	for names, want := range map[string]int{"_pk_id.1=1": 1, strings.Repeat("_pk_id.%d%060d=1; ", 200): 8} {
		for i := 0; strings.Contains(names, "%d"); i++ {
			names = strings.Replace(names, "%d%060d", fmt.Sprintf("%d%060d", i, i), 1)
		}
		turns, location := -1, "?status=saved&turn=0&from=0"
		for ; location != ""; turns++ {
			response, _ = get(t, address+pagePath+location, http.Header{"Cookie": {names}})
			location = response.Header.Get("Location")
		}
		if turns != want {
			t.Errorf("%d turns, want %d", turns, want)
		}
	}
	for _, query := range []string{"turn=-9&from=0", "turn=0", "from=0", "turn=0&from=-1", "turn=0&from=99999999999", "turn=8&from=0"} {
		if response, _ = get(t, address+pagePath+"?"+query, http.Header{"Cookie": {"_pk_id.1=1"}}); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", query, response.Status)
		}
	}
}

// After a withdrawal, the page tells which refused cookies are still there, and
// whether that will change.
func TestPageTellsWhatRemains(t *testing.T) {
	address := "http://" + serve(t, false, `cookie_charter {
		preset matomo
		cookie __Secure-a {
			purpose p
			category statistics
		}
	}`)
	const later, never = "the next pages you visit remove: ", "cannot remove from here; you can delete them in your browser’s settings: "
	name := func(name string) string { return `<code dir="ltr">` + name + `</code>` }
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("_pk_id.%03d.%060d", i, i))
	}
	var first []string
	for _, each := range many[:10] {
		first = append(first, name(each))
	}
	for _, test := range []struct{ cookies, want string }{
		{"sessionid=1", ""},
		{"_pk_id.1=1; _pk_ses.1=1", never + name("_pk_id.1") + ", " + name("_pk_ses.1") + "</p>"}, // this test keeps them
		{"__Secure-a=1", never + name("__Secure-a") + "</p>"},
		{strings.Join(many, "=1; ") + "=1", later + strings.Join(first, ", ") + " … <bdi>+190</bdi></p>"},
		{strings.Join(many, "=1; ") + "=1; __Secure-a=1", "<bdi>+190</bdi><br>Refused cookies that are still in your browser, and that this site " + never + name("__Secure-a") + "</p>"},
	} {
		header := form.Clone()
		header.Set("Cookie", test.cookies)
		response, body := do(t, http.MethodPost, address+pagePath+"?flg=en", header, "all=refused")
		stored, _, _ := strings.Cut(response.Header["Set-Cookie"][0], ";")
		for response.StatusCode == http.StatusSeeOther {
			response, body = get(t, address+pagePath+response.Header.Get("Location"), http.Header{"Cookie": {stored + "; " + test.cookies}})
		}
		_, status, _ := strings.Cut(body, `role="status" tabindex="-1" autofocus>Your choices have been saved.`)
		status, _, _ = strings.Cut(status, "\n")
		if test.want == "" && status != "</p>" || !strings.HasSuffix(status, test.want) {
			t.Errorf("%.40s: the page says %q", test.cookies, status)
		}
		if !strings.Contains(status, later) && strings.Contains(test.want, later) {
			t.Errorf("%.40s: the page says %q", test.cookies, status)
		}
		// In another language, nothing else is said.
		if other, ok := strings.CutPrefix(link(t, body, "fr"), "?"); ok {
			_, body = get(t, address+pagePath+"?"+other, http.Header{"Cookie": {stored + "; " + test.cookies}})
			if strings.Contains(body, "supprimeront\u00a0:") != strings.Contains(test.want, "190") || strings.Contains(body, "supprimer d’ici") != strings.Contains(test.want, never) {
				t.Errorf("%.40s: in French, the page says something else", test.cookies)
			}
		}
	}
}

// link returns the link to the page in another language.
func link(t *testing.T, page, language string) string {
	t.Helper()
	_, rest, _ := strings.Cut(page, `<li><a href="`)
	for range strings.Count(page, `<li><a href="`) {
		found, more, _ := strings.Cut(rest, `"`)
		if strings.HasPrefix(more, ` lang="`+language+`"`) {
			return html.UnescapeString(found)
		}
		_, rest, _ = strings.Cut(rest, `<li><a href="`)
	}
	t.Fatalf("no link to %s", language)
	return ""
}

// What is added fits into the buffer of a server in front, beside the header that
// is there, and what others add on the way; with no room, nothing is added. The
// page's own answers are no exception.
func TestExpiriesFitInFront(t *testing.T) {
	const tracked = "_ga=1; _ga_ABCDEFGHIJ=1; _gid=1; _gat_gtag_UA_1_1=1; _pk_id.1.1fff=1; _pk_ses.1.1fff=1; _pk_ref.1.1fff=1"
	for size := 0; size < 5000; size += 250 {
		pad := ""
		if size > 0 {
			pad = "header X-Pad " + strings.Repeat("x", size) + "\n"
		}
		address := serve(t, false, "route {\n"+pad+" cookie_charter {\n preset matomo google_analytics\n debug_header\n }\n respond ok\n}")
		for _, path := range []string{"/", "/" + strings.Repeat("x", 200) + "/?" + strings.Repeat("y", 700), pagePath + "?turn=0&from=0"} {
			head := swap(t, address, "GET "+path+" HTTP/1.1\r\nHost: data.city.example\r\nConnection: close\r\nCookie: "+tracked+"\r\n\r\n")
			added := strings.Count(head, "Set-Cookie: ")
			for line := range strings.SplitSeq(head, "\r\n") {
				if strings.HasPrefix(line, "Set-Cookie: ") && !strings.Contains(line, "=; Max-Age=-1; ") {
					t.Fatal(line)
				}
			}
			if most := 4<<10 - 768/2; added > 0 && len(head)+len(path) > most {
				t.Errorf("%d bytes with %d lines for %.20s, and %d of the address", len(head), added, path, len(path))
			}
			if room := 4<<10 - 768 - size - len(path) - 800; room > 0 && added == 0 {
				t.Errorf("nothing is removed from %.20s, beside %d bytes", path, size)
			}
		}
	}
}

// swap sends bytes to a server, and returns the head of its answer.
func swap(t *testing.T, address, request string) string {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(answer), "\r\n\r\n")
	return head + "\r\n\r\n"
}

// The default path is that of the URL as the client sent it.
func TestExpiryOfRewrittenPath(t *testing.T) {
	address := serve(t, false, "handle_path /app/* {\n cookie_charter {\n preset matomo\n }\n respond ok\n}")
	response, _ := get(t, "http://"+address+"/app/a/b", http.Header{"Cookie": {"_pk_id.1=1"}})
	if got, want := response.Header["Set-Cookie"], []string{"_pk_id.1=; Max-Age=-1; Path=/", "_pk_id.1=; Max-Age=-1; Path=/app/a", "_pk_id.1=; Max-Age=-1; Path=/app", "_pk_id.1=; Max-Age=-1; Path=/app/", "_pk_id.1=; Max-Age=-1; Path=/app/a/", "_pk_id.1=; Max-Age=-1; Path=/app/a/b"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Over https, removals are Secure: without it, browsers remove nothing within another
// site's frame. Over http, browsers refuse such lines.
func TestExpiryOverHTTPS(t *testing.T) {
	const site = "cookie_charter {\n preset matomo\n}\nrespond ok"
	for scheme, want := range map[string]string{"https": "_pk_id.1=; Max-Age=-1; Path=/; Secure; SameSite=None", "http": "_pk_id.1=; Max-Age=-1; Path=/"} {
		response, _ := get(t, scheme+"://"+serve(t, scheme == "https", site)+"/", http.Header{"Cookie": {"_pk_id.1=1"}})
		if got := response.Header["Set-Cookie"]; len(got) == 0 || got[0] != want {
			t.Errorf("%s: %q", scheme, got)
		}
	}
}

package cookiecharter

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// TestAmended looks at what becomes of kept lines in an answer.
func TestAmended(t *testing.T) {
	site := func(options string) string {
		return `
		cookie_charter {
			` + options + `
			cookie week {
				purpose p
				category necessary
				duration "1 week"
			}
			cookie hardened {
				purpose p
				category necessary
				secure
				http_only
				same_site Lax
			}
			cookie measure {
				purpose p
				category statistics
				exempt
				duration "20 months"
			}
			cookie embedded {
				purpose p
				category necessary
				secure
				same_site None
			}
		}
		header +Set-Cookie "week=1; Max-Age=99999999; Path=/"
		header +Set-Cookie "hardened=1; Max-Age=99999999"
		header +Set-Cookie "hardened=2; samesite=None; SECURE; httponly=x"
		header +Set-Cookie "measure=1; Max-Age=99999999"
		header +Set-Cookie "embedded=1"
		header +Set-Cookie "embedded=2; Secure"
		respond ok`
	}
	for _, test := range []struct {
		options   string
		encrypted bool
		want      []string
	}{
		{"", true, []string{
			"week=1; Max-Age=99999999; Path=/; Max-Age=604800",
			"hardened=1; Max-Age=99999999; Max-Age=34560000; Secure; HttpOnly; SameSite=Lax",
			"hardened=2; samesite=None; SECURE; httponly=x",
			"measure=1; Max-Age=99999999; Max-Age=34186698",
			"embedded=1; Secure; SameSite=None",
			"embedded=2; Secure; SameSite=None",
		}},
		{"durations declare", false, []string{
			"week=1; Max-Age=99999999; Path=/",
			"hardened=1; Max-Age=99999999; HttpOnly; SameSite=Lax",
			"hardened=2; samesite=None; SECURE; httponly=x",
			"measure=1; Max-Age=99999999",
			"embedded=1",
			"embedded=2; Secure; SameSite=None",
		}},
	} {
		address := serve(t, test.encrypted, site(test.options))
		url := "http://" + address
		if test.encrypted {
			url = "https://" + address
		}
		response, _ := get(t, url, nil)
		got := response.Header["Set-Cookie"]
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%q: got %q", test.options, got)
		}
	}
}

// TestDeletionsPass shows that the portal may always delete a cookie, and that
// what only looks like it is a deposit.
func TestDeletionsPass(t *testing.T) {
	const past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT"
	upstreamDate := "Date: Thu, 1 Jan 1970 00:00:00 GMT\r\n" // browsers read it, Go does not
	deletions := []string{
		`sessionid=""; ` + past + `; Max-Age=0; Path=/; SameSite=Lax`,
		"_pk_id.1.1=; Max-Age=0",
		"_pk_id.1.1=x; " + past,
		"unknown=; " + past + "; Path=/; Domain=example.org",
		"unknown=gone; Max-Age=-1",
		"unknown=x; Expires=Fri, 01 Jan 2100 00:00:00 GMT; Max-Age=0",
		"unknown=x; Expires=Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
		"unknown=x; Expires=Thu, 01 Jan 1970 00:00:00 +0100",
		"unknown=x; Expires=jeu., 01 January 1970 00:00:00.000 GMT",
		"unknown=x; Expires=Mon, 01 Jan 0001 00:00:00 GMT",
		"unknown=x; Max-Age=; " + past,
		"unknown=x; Max-Age=soon; " + past,
		"unknown=x; Expires=" + time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat),
	}
	deposits := []string{
		"_pk_id.1.1=x",
		"_pk_id.1.1=x; Max-Age=; Path=/",
		"_pk_id.1.1=x; Max-Age=0; Max-Age=soon",
		"_pk_id.1.1=x; Max-Age=0; Max-Age=9",
		"_pk_id.1.1=x; Max-Age=9; " + past,
		"_pk_id.1.1=x; " + past + "; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
		"_pk_id.1.1=x; Max-Age=+0",
		"_pk_id.1.1=x; Expires=1990-Jan-01 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=Mon, Mar-28-2000 12:00:00 GMT",
		"_pk_id.1.1=x; Expires=01_Jan_1970_00:00:00_GMT",
		"_pk_id.1.1=x; Expires=01+Jan+1970+00:00:00+GMT",
		"_pk_id.1.1=x; Expire\u017f=Thu, 01 Jan 1970 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Expire\u017f=Thu, 01 Jan 1970 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=1st Jan 1970 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=01 Jan 1999xx 2032 00:00:00 GMT",
		"_pk_id.1.1=x; Expires=01 Jan 70a1 2032 00:00:00 GMT",
		"unknown=Max-Age=0",
		"unknown=x, Max-Age=0",
		"unknown=x; Max-Age=0x0",
		"=x; Max-Age=0",
		"x; Max-Age=0",
		"unknown=x\x01; Max-Age=0",
		"un known=x; Max-Age=0",
	}
	upstreamOf := func(date string, lines []string) string {
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + date + "Set-Cookie: " + strings.Join(lines, "\r\nSet-Cookie: ") + "\r\n\r\n"
		return rawUpstream(t, func(string) string { return answer })
	}
	site := func(upstream string) string {
		return "cookie_charter {\n preset opendatasoft matomo\n}\nreverse_proxy " + upstream
	}
	withoutControls := []string{}
	for _, line := range deposits {
		if !setcookie.HasControls(line) { // Go's client refuses an answer that has any
			withoutControls = append(withoutControls, line)
		}
	}
	address := serve(t, false, site(upstreamOf("", append(withoutControls, deletions...))))
	response, _ := get(t, "http://"+address, nil)
	if got := response.Header["Set-Cookie"]; strings.Join(got, "\n") != strings.Join(deletions, "\n") {
		t.Errorf("got %q", got)
	}
	// Of several Dates, each browser takes another: none is certain.
	for _, dates := range [][]string{{"", "Thu, 01 Jan 1970 00:00:00 GMT"}, {"Wed, 25 Nov 2026 00:00:00 GMT", "+1200"}, {""}} {
		address = serve(t, false, site(upstreamOf("Date: "+strings.Join(dates, "\r\nDate: ")+"\r\n", []string{"_pk_id.1.1=x; Expires=Fri, 02 Jan 1970 00:00:00 GMT", "unknown=x; Max-Age=0"})))
		response, _ = get(t, "http://"+address, nil)
		if got := response.Header["Set-Cookie"]; len(got) != 1 || got[0] != "unknown=x; Max-Age=0" {
			t.Errorf("%q: got %q", dates, got)
		}
	}
	if setcookie.DateOf(http.Header{"date": {"Thu, 01 Jan 1970 00:00:00 GMT"}}) == "" {
		t.Error("the server's own Date is beside one in another case")
	}
	// Browsers count dates from the answer's own Date: here, Expires lies ahead.
	address = serve(t, false, site(upstreamOf("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", []string{"_pk_id.1.1=x; Expires=Fri, 02 Jan 1970 00:00:00 GMT"})))
	response, _ = get(t, "http://"+address, nil)
	if got := response.Header["Set-Cookie"]; got != nil || response.Header.Get("Date") != "Thu, 01 Jan 1970 00:00:00 GMT" {
		t.Errorf("got %q on %s", got, response.Header.Get("Date"))
	}
	address = serve(t, false, site(upstreamOf(upstreamDate, []string{"_pk_id.1.1=x; Expires=Fri, 02 Jan 1970 00:00:00 GMT"})))
	response, _ = get(t, "http://"+address, nil)
	if got := response.Header["Set-Cookie"]; got != nil {
		t.Errorf("got %q on %s", got, response.Header.Get("Date"))
	}
	for _, line := range deposits {
		f := &filter{handler: provision(t, "cookie_charter {\n preset opendatasoft matomo\n}"), request: visit("http://city.example/")}
		f.visitor.Store = f.handler.answers
		f.ResponseWriter = fixedHeader{header: http.Header{}}
		if _, keep := f.keepsLine(line); keep {
			t.Errorf("%q passed", line)
		}
	}
}

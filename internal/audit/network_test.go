package audit

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// eventsOf returns events of lines with a method and its parameters each.
func eventsOf(lines string) []event {
	var events []event
	for line := range strings.Lines(lines) {
		method, parameters, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.Contains(method, ".") {
			method = "Network." + method
		}
		events = append(events, event{Method: method, Params: json.RawMessage(parameters)})
	}
	return events
}

// What becomes of a call is told by what Chromium tells of it, in whatever order.
func TestCalls(t *testing.T) {
	const here = `Page.frameNavigated {"frame":{"id":"main","url":"http://site.example:8080/a"}}` + "\n"
	const issue = `Audits.issueAdded {"issue":{"details":{"contentSecurityPolicyIssueDetails":{"blockedURL":"https://a.example/x","isReportOnly":%t}}}}`
	for _, test := range []struct{ name, events, want string }{
		{"answered", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}
			requestWillBeSentExtraInfo {"requestId":"1"}
			responseReceivedExtraInfo {"requestId":"1"}`, "a.example reached"},
		{"told late", here + `responseReceivedExtraInfo {"requestId":"1"}
			requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}`, "a.example reached"},
		{"from a cache", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}
			responseReceived {"requestId":"1","hasExtraInfo":false}`, "a.example reached"},
		{"sent, and not answered", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}
			requestWillBeSentExtraInfo {"requestId":"1"}
			loadingFailed {"requestId":"1","errorText":"net::ERR_EMPTY_RESPONSE"}`, "a.example reached"},
		{"not connected", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}
			loadingFailed {"requestId":"1","errorText":"net::ERR_CONNECTION_REFUSED"}`, "a.example failed"},
		{"nothing more", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}`, "a.example failed"},
		{"blocked", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}
			loadingFailed {"requestId":"1","blockedReason":"csp"}
			` + fmt.Sprintf(issue, false), "a.example blocked"},
		{"blocked without a request", here + fmt.Sprintf(issue, false), "a.example blocked"},
		{"only reported", here + fmt.Sprintf(issue, true), ""},
		{"some blocked, some not", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/other"}}
			responseReceivedExtraInfo {"requestId":"1"}
			` + fmt.Sprintf(issue, false), "a.example reached blocked"},
		{"redirected", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}
			responseReceivedExtraInfo {"requestId":"1"}
			requestWillBeSent {"requestId":"1","redirectResponse":{},"redirectHasExtraInfo":true,"request":{"url":"https://b.example/x"}}
			responseReceivedExtraInfo {"requestId":"1"}`, "a.example reached, b.example reached"},
		{"redirected, and blocked there", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}
			requestWillBeSentExtraInfo {"requestId":"1"}
			responseReceivedExtraInfo {"requestId":"1"}
			` + fmt.Sprintf(issue, false) + `
			requestWillBeSent {"requestId":"1","request":{"url":"https://b.example/x"}}
			loadingFailed {"requestId":"1","blockedReason":"csp"}
			loadingFailed {"requestId":"1","errorText":"net::ERR_ABORTED","canceled":true}`, "a.example reached, b.example blocked"},
		{"redirected by the browser itself", here + `requestWillBeSent {"requestId":"1","request":{"url":"http://a.example/x"}}
			requestWillBeSent {"requestId":"1","redirectResponse":{},"redirectHasExtraInfo":false,"request":{"url":"https://a.example/x"}}
			responseReceivedExtraInfo {"requestId":"1"}`, "a.example reached"},
		{"sockets", here + `webSocketCreated {"requestId":"1","url":"wss://a.example/x"}
			webSocketWillSendHandshakeRequest {"requestId":"1","request":{"headers":{}}}
			webSocketCreated {"requestId":"2","url":"ws://b.example/x"}
			webTransportCreated {"transportId":"3","url":"https://c.example/x"}
			webTransportConnectionEstablished {"transportId":"3"}`, "c.example reached, ws://b.example failed, wss://a.example reached"},
		{"the site's own", here + `requestWillBeSent {"requestId":"1","request":{"url":"http://site.example:8080/x"}}
			webSocketCreated {"requestId":"2","url":"ws://site.example:8080/x"}
			requestWillBeSent {"requestId":"3","request":{"url":"data:,x"}}
			requestWillBeSent {"requestId":"4","request":{"url":"http://site.example/x"}}`, "http://site.example failed"},
		{"frames, and the page itself", here + `requestWillBeSent {"requestId":"1","type":"Document","frameId":"main","request":{"url":"https://a.example/x"}}
			requestWillBeSent {"requestId":"2","type":"Document","frameId":"inner","request":{"url":"https://b.example/x"}}
			Page.frameNavigated {"frame":{"id":"inner","url":"https://b.example/x"}}
			requestWillBeSent {"requestId":"3","type":"Image","frameId":"inner","request":{"url":"https://c.example/x"}}`, "b.example failed, c.example failed"},
		{"a page of another site", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}
			Page.frameNavigated {"frame":{"id":"main","url":"https://elsewhere.example/a"}}
			requestWillBeSent {"requestId":"2","request":{"url":"https://b.example/x"}}
			` + fmt.Sprintf(issue, false) + `
			` + here + `requestWillBeSent {"requestId":"3","request":{"url":"https://c.example/x"}}`, "a.example failed, c.example failed"},
		{"no page yet", `requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}`, ""},
		{"hosts that nobody declares", here + `requestWillBeSent {"requestId":"1","request":{"url":"https://user:secret@a.example/%zz?secret#secret"}}
			requestWillBeSent {"requestId":"2","request":{"url":"https://[::1]:8443/x"}}
			requestWillBeSent {"requestId":"3","request":{"url":"https://odd$host.example?secret"}}
			requestWillBeSent {"requestId":"4","request":{"url":"https://` + strings.Repeat("x", 300) + `/x"}}`, "[::1]:8443 failed, a.example failed, odd$host.example failed"},
	} {
		c := &chromium{target: "main", events: eventsOf(test.events)}
		c.site, _ = parseOrigin("http://site.example:8080/")
		_, called := c.takeObservations()
		var got []string
		for _, origin := range slices.SortedFunc(maps.Keys(called), func(a, b charter.Origin) int { return strings.Compare(a.String(), b.String()) }) {
			words, became := origin.String(), called[origin]
			for word, is := range map[string]bool{" reached": became.reached, " failed": became.failed} {
				if is {
					words += word
				}
			}
			if became.blocked {
				words += " blocked"
			}
			got = append(got, words)
		}
		if got := strings.Join(got, ", "); got != test.want {
			t.Errorf("%s: %s, not %s", test.name, got, test.want)
		}
	}
}

// A cookie is told with the host that has set it, or to which it was sent.
func TestCookiesOfHosts(t *testing.T) {
	c := &chromium{events: eventsOf(`requestWillBeSent {"requestId":"1","request":{"url":"https://a.example/x"}}
		requestWillBeSentExtraInfo {"requestId":"1","associatedCookies":[{"cookie":{"name":"sent","domain":"a.example","path":"/"}},{"cookie":{"name":"kept","domain":"a.example","path":"/"},"blockedReasons":["SameSiteLax"]}]}
		responseReceivedExtraInfo {"requestId":"1","headers":{"Set-Cookie":"set=1"}}
		requestWillBeSent {"requestId":"1","redirectResponse":{},"redirectHasExtraInfo":true,"request":{"url":"https://b.example/x"}}
		requestWillBeSentExtraInfo {"requestId":"1","associatedCookies":[{"cookie":{"name":"sent","domain":"b.example","path":"/"}}]}
		responseReceivedExtraInfo {"requestId":"1","headers":{"set-cookie":"other=1\nrefused=1"},"blockedCookies":[{"cookieLine":"refused=1"}]}`)}
	cookies, _ := c.takeObservations()
	var got []string
	for _, seen := range cookies {
		got = append(got, fmt.Sprint(seen.host, " ", seen.cookie.name, " ", seen.isSent))
	}
	if want := []string{"a.example sent true", "a.example set false", "b.example sent true", "b.example other false"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Hosts are told up to a bound, and at a cost that grows as their number does.
func TestCallsHaveBounds(t *testing.T) {
	many := func(number int) *chromium {
		events := `Page.frameNavigated {"frame":{"id":"main","url":"https://site.example/"}}`
		var lines strings.Builder
		lines.WriteString(events)
		for i := range number {
			fmt.Fprintf(&lines, "\nrequestWillBeSent {\"requestId\":\"%d\",\"request\":{\"url\":\"https://%d.example/\"}}", i%10, i)
		}
		c := &chromium{target: "main", events: eventsOf(lines.String())}
		c.site, _ = parseOrigin("https://site.example/")
		return c
	}
	c := many(2 * maxHosts)
	if _, called := c.takeObservations(); len(called) != maxHosts || !slices.Equal(c.takeOmissions(), []string{manyHosts}) {
		t.Errorf("tells of %d hosts", len(called))
	}
	checks.Linear(t, "calls", 1<<10, func(size int) { many(size).takeObservations() })
}

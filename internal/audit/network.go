package audit

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A networkEvent is what is read of an event, whichever it is.
type networkEvent struct {
	RequestID, TransportID, FrameID string

	// Of a request, or of a socket.
	Type, URL            string
	Request              struct{ URL string }
	RedirectResponse     *struct{} // to the request before it, which has the same ID
	RedirectHasExtraInfo bool

	// Of what was sent, and of what was answered.
	AssociatedCookies []struct {
		Cookie         chromiumCookie
		BlockedReasons []string
	}
	Headers        map[string]string
	BlockedCookies []struct{ CookieLine string }

	// Of a request that failed.
	BlockedReason, ErrorText string

	Frame struct{ ID, URL string } // that shows a page
	Issue struct {                 // of a page with its policy
		Details struct {
			ContentSecurityPolicyIssueDetails struct {
				BlockedURL   string
				IsReportOnly bool
			}
		}
	}
}

// A hop is a request, or one to which it was redirected.
type hop struct {
	address   string
	isCall    bool // of a page of the site
	isReached bool // a host has it
	isBlocked bool // a policy has stopped it
}

// traffic is what events tell.
type traffic struct {
	events  []event
	hops    map[string][]*hop // by the ID of their request
	blocked []string          // addresses that pages were kept from, by their policies
}

// takeObservations returns what the events since the last time tell.
func (c *chromium) takeObservations() ([]observation, map[charter.Origin]outcomes) {
	told := traffic{events: c.events, hops: map[string][]*hop{}}
	c.events, c.size = nil, 0
	c.readRequests(&told)
	cookies := c.readCookies(&told)
	return cookies, c.calls(&told)
}

// each reads all events of some methods, in their order.
func (t *traffic) each(read func(method string, told *networkEvent)) {
	for _, e := range t.events {
		var told networkEvent
		if json.Unmarshal(e.Params, &told) == nil {
			read(e.Method, &told)
		}
	}
}

// readRequests reads which requests there were, and of whose pages: where a page leads
// elsewhere, what is there calls whom it likes.
func (c *chromium) readRequests(t *traffic) {
	t.each(func(method string, told *networkEvent) {
		id, address := told.RequestID+told.TransportID, told.URL
		switch method {
		case "Page.frameNavigated":
			if told.Frame.ID == c.target {
				origin, ok := parseOrigin(told.Frame.URL)
				c.isHere = ok && origin == c.site
			}
			return
		case "Audits.issueAdded":
			if issue := told.Issue.Details.ContentSecurityPolicyIssueDetails; c.isHere && !issue.IsReportOnly {
				t.blocked = append(t.blocked, issue.BlockedURL)
			}
			return
		case "Network.requestWillBeSent":
			address = told.Request.URL
			if before := t.hops[id]; told.RedirectResponse != nil && !told.RedirectHasExtraInfo && len(before) > 0 {
				t.hops[id] = before[:len(before)-1] // by the browser itself, without asking
			}
		case "Network.webSocketCreated", "Network.webTransportCreated":
		default:
			return
		}
		isPage := told.Type == "Document" && told.FrameID == c.target
		t.hops[id] = append(t.hops[id], &hop{address: address, isCall: c.isHere && !isPage})
	})
}

// readCookies reads what became of the requests, and returns the cookies that were sent
// and set.
func (c *chromium) readCookies(t *traffic) []observation {
	var found observations
	see := func(happened observation) {
		if !found.add(happened) {
			c.omit(manyCookies)
		}
	}
	sent, answered := map[string]int{}, map[string]int{} // how many hops of a request
	next := func(counts map[string]int, id string) *hop {
		number := counts[id]
		counts[id]++
		if number >= len(t.hops[id]) {
			return nil
		}
		return t.hops[id][number]
	}
	t.each(func(method string, told *networkEvent) {
		id := told.RequestID + told.TransportID
		var at *hop
		switch method {
		case "Network.requestWillBeSentExtraInfo":
			at = next(sent, id)
		case "Network.responseReceivedExtraInfo":
			at = next(answered, id)
		default:
			if hops := t.hops[id]; len(hops) > 0 {
				at = hops[len(hops)-1]
			}
		}
		if at == nil {
			return
		}
		switch method {
		case "Network.requestWillBeSentExtraInfo":
			at.isReached = true // as it tells of what has gone over a connection
			origin, _ := parseOrigin(at.address)
			for _, associated := range told.AssociatedCookies {
				if len(associated.BlockedReasons) == 0 {
					see(observation{cookie: associated.Cookie.browserCookie(), isSent: true, host: origin})
				}
			}
		case "Network.responseReceivedExtraInfo":
			at.isReached = true
			for _, cookie := range cookiesOf(told, at.address) {
				see(cookie)
			}
		case "Network.responseReceived": // be it from a cache
			at.isReached = true
		case "Network.webSocketWillSendHandshakeRequest", "Network.webTransportConnectionEstablished":
			at.isReached = true
		case "Network.loadingFailed":
			at.isBlocked = told.BlockedReason == "csp" || at.isBlocked
		}
	})
	return found.take()
}

// cookiesOf returns the cookies that an answer from an address has set.
func cookiesOf(answer *networkEvent, address string) []observation {
	at, err := url.Parse(address)
	if err != nil {
		return nil
	}
	header := map[string]string{}
	for name, value := range answer.Headers {
		header[ascii.ToLower(name)] = bytesOf(value)
	}
	clock := setcookie.Clock{Now: time.Now(), Date: header["date"]}
	isBlocked := map[string]bool{}
	for _, blocked := range answer.BlockedCookies {
		isBlocked[bytesOf(blocked.CookieLine)] = true
	}
	host, _ := parseOrigin(address)
	var set []observation
	for line := range strings.SplitSeq(header["set-cookie"], "\n") {
		if cookie := parseSetCookie(line, at, clock); cookie != nil && !isBlocked[line] && !cookie.life.Deletes() {
			set = append(set, observation{cookie: cookie.browserCookie, host: host})
		}
	}
	return set
}

// calls returns what became of the calls of the site's pages to other hosts.
func (c *chromium) calls(t *traffic) map[charter.Origin]outcomes {
	made := map[charter.Origin]outcomes{}
	add := func(address string, became outcomes) {
		origin, ok := parseOrigin(address)
		if !ok || c.site.Includes(origin) {
			return
		}
		if _, isKnown := made[origin]; !isKnown && len(made) >= maxHosts {
			c.omit(manyHosts)
			return
		}
		made[origin] = made[origin].and(became)
	}
	isExplained := map[string]bool{} // by what became of requests
	for _, hops := range t.hops {
		isBlocked := hops[len(hops)-1].isBlocked
		for _, hop := range hops {
			isExplained[hop.address] = isExplained[hop.address] || isBlocked
			if hop.isCall {
				add(hop.address, outcomes{reached: hop.isReached, blocked: !hop.isReached && hop.isBlocked, failed: !hop.isReached && !hop.isBlocked})
			}
		}
	}
	for _, address := range t.blocked { // before there was a request
		if !isExplained[address] {
			add(address, outcomes{blocked: true})
		}
	}
	return made
}

// bytesOf returns the bytes of a header field, which the protocol tells as
// characters.
func bytesOf(text string) string {
	var bytes strings.Builder
	for _, char := range text {
		if char > 0xff {
			return text
		}
		bytes.WriteByte(byte(char))
	}
	return bytes.String()
}

package audit

import (
	"fmt"
	"slices"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A browserCookie is a cookie in a browser.
type browserCookie struct {
	name, domain, path string // the domain begins with "." if it is for subdomains too
	life               setcookie.Lifetime
}

// key is what tells one cookie of a browser from another.
func (c browserCookie) key() browserCookie {
	return browserCookie{name: c.name, domain: c.domain, path: c.path}
}

// An observation is that a cookie was set or sent.
type observation struct {
	cookie browserCookie
	isSent bool           // else it was set
	host   charter.Origin // by or to which; empty if it can only be the site's own
}

// maxCookies is how many cookies a report has of each visit: as many as Chromium keeps of
// all sites.
const maxCookies = 3300

// manyCookies are those after them.
var manyCookies = fmt.Sprintf("the cookies after the first %d", maxCookies)

// observations are what happened to cookies, each once for a host: a cookie that was set
// several times, as it was to live longest.
type observations struct {
	list   []observation
	places map[observation]int // without the lifetime
}

// add adds what happened, unless there is too much.
func (o *observations) add(happened observation) bool {
	key := observation{happened.cookie.key(), happened.isSent, happened.host}
	if i, ok := o.places[key]; ok {
		if isShorter(o.list[i].cookie.life, happened.cookie.life) {
			o.list[i] = happened
		}
		return true
	}
	if len(o.list) >= 2*maxCookies { // set, and sent
		return false
	}
	if o.places == nil {
		o.places = map[observation]int{}
	}
	o.places[key] = len(o.list)
	o.list = append(o.list, happened)
	return true
}

// take returns what happened since it was last called.
func (o *observations) take() []observation {
	taken := o.list
	*o = observations{}
	return taken
}

// omissions are what a browser has not looked at, each once.
type omissions []string

// omit records what is not looked at.
func (o *omissions) omit(what string) {
	if !slices.Contains(*o, what) {
		*o = append(*o, what)
	}
}

func (o *omissions) takeOmissions() []string {
	taken := *o
	*o = nil
	return taken
}

// isShorter tells whether a cookie lives shorter than with another lifetime; a
// session is shorter than any time.
func isShorter(life, other setcookie.Lifetime) bool {
	return other.Persistent && (!life.Persistent || life.Seconds < other.Seconds)
}

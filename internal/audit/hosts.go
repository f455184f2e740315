package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// maxHosts is how many hosts a report has of each visit, beside the site's own.
const maxHosts = 1000

// manyHosts are those after them.
var manyHosts = fmt.Sprintf("the hosts after the first %d", maxHosts)

// outcomes are what became of the calls to a host: each is true if it became so of some.
type outcomes struct {
	reached bool // the host, or what a cache had from it
	blocked bool // by a policy
	failed  bool // to reach it, as long as the page was looked at
}

func (o outcomes) and(other outcomes) outcomes {
	return outcomes{o.reached || other.reached, o.blocked || other.blocked, o.failed || other.failed}
}

// parseOrigin returns the origin of an address, if pages load from such. It can be one that
// no row can declare, but none is passed over.
func parseOrigin(address string) (origin charter.Origin, ok bool) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || !slices.Contains([]string{"https", "http", "wss", "ws"}, scheme) {
		return charter.Origin{}, false
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	host := rest[strings.LastIndexByte(rest, '@')+1:]
	if origin, ok = charter.ParseOrigin(scheme + "://" + host); ok {
		return origin, true
	}
	return charter.Origin{Scheme: scheme, Host: host}, host != "" && len(host) <= setcookie.MaxHost
}

// lookAtHost records what became of calls to a host.
func (a *audit) lookAtHost(hosts map[charter.Origin]*Host, origin charter.Origin, became outcomes, page string, number int) {
	known := hosts[origin]
	if known == nil {
		if len(hosts) >= maxHosts {
			a.omit(manyHosts + " of a visit")
			return
		}
		judgement := a.judgeHost(origin, number)
		known = &Host{Host: origin.String(), Verdict: judgement.Verdict, Page: a.addresses.Show(page), Violations: []string{}}
		if judgement.Row != nil {
			known.Cookie, known.Category = judgement.Row.FirstName(), judgement.Row.Category
		}
		hosts[origin] = known
	}
	known.Reached = known.Reached || became.reached
	known.Blocked = known.Blocked || became.blocked
	known.Failed = known.Failed || became.failed
}

// checkCalls records the violations of the hosts of a visit, and returns these in order.
func (a *audit) checkCalls(hosts map[charter.Origin]*Host, number int) []Host {
	called := make([]Host, 0, len(hosts))
	for _, host := range hosts {
		switch {
		case !a.report.HoldsHosts || !host.Reached:
		case host.Verdict == judge.Undeclared:
			host.Violations = append(host.Violations, "undeclared")
		case host.Verdict == judge.Refused:
			host.Violations = append(host.Violations, "called "+visits[number].reason)
		}
		called = append(called, *host)
	}
	slices.SortFunc(called, func(a, b Host) int { return cmp.Compare(a.Host, b.Host) })
	return called
}

// judgeHost judges an origin on a visit, once: charters can declare many hosts.
func (a *audit) judgeHost(origin charter.Origin, number int) judge.HostJudgement {
	judgement, isKnown := a.judgedHosts[origin]
	if !isKnown {
		judgement = judge.JudgeHostAfter(visits[number].answer, a.charter.Rows, origin)
		a.judgedHosts[origin] = judgement
	}
	return judgement
}

// isOwn tells whether browsers send a cookie to the site.
func (a *audit) isOwn(cookie browserCookie) bool {
	site, err := fetch.ParseSite(a.pages[0])
	return err == nil && isSentTo(site.Hostname(), strings.Trim(cookie.domain, "[]"))
}

// judgeByHost judges a cookie of another host by that host, too: of those that have set it,
// or got it, the one with the lowest verdict decides, and so does the row of its name, if
// there is one.
func (a *audit) judgeByHost(cookie *Cookie, origin charter.Origin, number int) {
	judgement := a.judgeHost(origin, number)
	row, verdict := judgement.Row, judgement.Verdict
	if named := a.rowOf(cookie.Name); named != nil {
		if byName := judge.VerdictAfter(visits[number].answer, named); byName <= verdict || !a.report.HoldsHosts {
			row, verdict = named, byName
		}
	}
	if cookie.Host != "" && verdict >= cookie.Verdict {
		return
	}
	cookie.Host, cookie.Verdict, cookie.Cookie, cookie.Category = origin.String(), verdict, "", ""
	if row != nil {
		cookie.Cookie, cookie.Category = row.FirstName(), row.Category
	}
	if len(a.hostsOfCookies) < len(visits)*maxCookies {
		a.hostsOfCookies[browserCookie{name: cookie.Name, domain: cookie.Domain, path: cookie.Path}] = origin
	}
}

// findHost judges a cookie of another host of which no answer has told: by the hosts that
// can have set it, or by the one that it was of on an earlier visit, or by its domain.
func (a *audit) findHost(cookie *Cookie, hosts map[charter.Origin]*Host, number int) {
	for origin, host := range hosts {
		if host.Reached && isSentTo(origin.Host, cookie.Domain) {
			a.judgeByHost(cookie, origin, number)
		}
	}
	if cookie.Host != "" {
		return
	}
	origin, isKnown := a.hostsOfCookies[browserCookie{name: cookie.Name, domain: cookie.Domain, path: cookie.Path}]
	if !isKnown {
		origin = charter.Origin{Scheme: "https", Host: strings.TrimPrefix(cookie.Domain, ".")}
	}
	a.judgeByHost(cookie, origin, number)
}

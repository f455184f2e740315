package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// tolerance is by how many seconds a cookie may live longer than published: its
// dates are in whole seconds, and of another clock.
const tolerance = 5

// A cookiesOfVisit are the cookies of a visit.
type cookiesOfVisit struct {
	before map[browserCookie]bool // that were there before its pages
	seen   map[browserCookie]*Cookie
	held   []browserCookie // after the last page
}

// beginCookies looks at the cookies that are there before the pages of a visit. Those that
// were not there earlier, before the answer, came with it.
func (a *audit) beginCookies(ctx context.Context, earlier []browserCookie, number int) (*cookiesOfVisit, error) {
	held, err := a.browser.cookies(ctx)
	if err != nil {
		return nil, err
	}
	cookies := &cookiesOfVisit{before: map[browserCookie]bool{}, seen: map[browserCookie]*Cookie{}, held: held}
	beforeAnswer := map[browserCookie]bool{}
	for _, cookie := range earlier {
		beforeAnswer[cookie.key()] = true
	}
	for _, cookie := range held {
		cookies.before[cookie.key()] = true
		if !beforeAnswer[cookie.key()] {
			known := a.lookAtCookie(cookies, cookie, a.pages[0], number)
			known.SetBy = "answer"
			a.recordLifetime(known, cookie.life)
		}
	}
	return cookies, nil
}

// lookAtCookie returns what is known of a cookie on a visit, which is judged when it is first
// seen.
func (a *audit) lookAtCookie(cookies *cookiesOfVisit, cookie browserCookie, page string, number int) *Cookie {
	known := cookies.seen[cookie.key()]
	if known == nil {
		known = a.judge(cookie, number)
		known.Page = a.addresses.Show(page)
		if len(cookies.seen) >= maxCookies {
			a.omit(manyCookies + " of a visit")
			return known // which no report has
		}
		cookies.seen[cookie.key()] = known
	}
	return known
}

// lookAtHappenings looks at what happened to cookies on a page.
func (a *audit) lookAtHappenings(cookies *cookiesOfVisit, happenings []observation, page string, number int) {
	for _, happened := range happenings {
		known := a.lookAtCookie(cookies, happened.cookie, page, number)
		if !a.isOwn(happened.cookie) {
			a.judgeByHost(known, happened.host, number)
		}
		switch {
		case !happened.isSent:
			known.SetBy = "header"
			a.recordLifetime(known, happened.cookie.life)
		case known.SetBy == "" && !cookies.before[happened.cookie.key()]:
			known.SetBy = "script" // and it may be removed by now
			a.recordLifetime(known, happened.cookie.life)
			fallthrough
		default:
			known.Sent = true
		}
	}
}

// lookAtHeld looks at the cookies that are there after a page. What cannot be read as the
// time is over are those after the one before.
func (a *audit) lookAtHeld(ctx context.Context, cookies *cookiesOfVisit, page string, number int) error {
	if now, err := a.browser.cookies(ctx); err == nil {
		cookies.held = now
	} else if ctx.Err() == nil {
		return err
	}
	for _, cookie := range cookies.held {
		known := a.lookAtCookie(cookies, cookie, page, number)
		if cookies.before[cookie.key()] && known.SetBy != "header" {
			continue
		}
		if known.SetBy == "" {
			known.SetBy = "script" // as no header has set it
		}
		a.recordLifetime(known, cookie.life) // a script can have set it anew
	}
	return nil
}

// checkCookies records the violations of the cookies of a visit, and returns these in order.
func (a *audit) checkCookies(cookies *cookiesOfVisit, hosts map[charter.Origin]*Host, number int) []Cookie {
	for _, cookie := range cookies.held {
		a.lookAtCookie(cookies, cookie, a.pages[len(a.pages)-1], number).Kept = true
	}
	checked := make([]Cookie, 0, len(cookies.seen))
	for key, cookie := range cookies.seen {
		if cookie.Host == "" && !a.isOwn(key) {
			a.findHost(cookie, hosts, number)
		}
		a.checkLifetime(cookie)
		a.checkPresence(cookie, number)
		checked = append(checked, *cookie)
	}
	slices.SortFunc(checked, func(a, b Cookie) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Path, b.Path))
	})
	return checked
}

// judge returns what the charter says of a cookie on a visit.
func (a *audit) judge(cookie browserCookie, number int) *Cookie {
	judgement := &Cookie{Name: cookie.name, Domain: cookie.domain, Path: cookie.path, Verdict: judge.Undeclared, Violations: []string{}}
	row := a.rowOf(cookie.name)
	if row == nil {
		return judgement
	}
	judgement.Cookie, judgement.Category = row.FirstName(), row.Category
	judgement.Verdict = judge.VerdictAfter(visits[number].answer, row)
	if published, ok := a.publishedOf(cookie.name); ok {
		judgement.Declared = published.String()
	}
	return judgement
}

// rowOf returns the row that declares a name, nil if none does.
func (a *audit) rowOf(name string) *charter.Row {
	if !setcookie.IsToken(name) {
		return nil
	}
	return a.charter.Find(name)
}

// recordLifetime records how long a cookie was set to live at most.
func (a *audit) recordLifetime(cookie *Cookie, life setcookie.Lifetime) {
	switch {
	case cookie.Lifetime == "" && !life.Persistent:
		cookie.Lifetime = charter.Session
	case life.Persistent && (cookie.Lifetime == "" || life.Seconds > cookie.Seconds+tolerance): // else less of the same is left
		published, _ := a.publishedOf(cookie.Name)
		cookie.Lifetime, cookie.Seconds = lifetimeInWords(life.Seconds, published), life.Seconds
	}
}

// publishedOf returns the lifetime that the charter publishes of a name, if it does.
func (a *audit) publishedOf(name string) (charter.Duration, bool) {
	row := a.rowOf(name)
	if row == nil {
		return charter.Duration{}, false
	}
	return a.charter.Published(row)
}

// checkLifetime adds the violation that a cookie makes by its lifetime.
func (a *audit) checkLifetime(cookie *Cookie) {
	if published, isPublished := a.publishedOf(cookie.Name); isPublished && cookie.Seconds > int64(published.Seconds())+tolerance {
		cookie.Violations = append(cookie.Violations, fmt.Sprintf("set for %s, published is %s", cookie.Lifetime, published))
	}
}

// lifetimeInWords returns how long a cookie was set to live: in the words in which that is
// published, if it is as long, or else in the greatest unit that leaves no rest.
func lifetimeInWords(seconds int64, published charter.Duration) string {
	if seconds > 10*int64(charter.SecondsPer("year")) {
		return "more than 10 years"
	}
	if difference := seconds - int64(published.Seconds()); published.Seconds() > 0 && max(difference, -difference) <= tolerance {
		return published.String()
	}
	shortest := charter.DurationOf(int(seconds))
	for rounded := seconds + 1; rounded <= seconds+tolerance; rounded++ { // as some of it has passed
		if words := charter.DurationOf(int(rounded)); words.Count < shortest.Count {
			shortest = words
		}
	}
	return shortest.String()
}

// checkPresence adds the violations that a cookie makes by being there. One of another host
// can be removed by nobody else, so it makes none until it is sent there, or set anew.
func (a *audit) checkPresence(cookie *Cookie, number int) {
	reason, isOwn := visits[number].reason, cookie.Host == ""
	switch {
	case cookie.SetBy == "" && (isOwn && !cookie.Kept || !isOwn && !cookie.Sent): // removed, or only sent
	case cookie.Verdict == judge.Undeclared:
		cookie.Violations = append(cookie.Violations, "undeclared")
	case cookie.Verdict == judge.Refused && cookie.SetBy != "" && cookie.SetBy != "answer":
		cookie.Violations = append(cookie.Violations, "set "+reason)
	case cookie.Verdict == judge.Refused && !isOwn && cookie.Sent:
		cookie.Violations = append(cookie.Violations, "sent "+reason)
	case cookie.Verdict == judge.Refused && isOwn && cookie.Kept:
		cookie.Violations = append(cookie.Violations, "kept "+reason)
	}
}

// Package audit visits a site as an inspector would, and holds what it sees against a
// charter.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A browser is what an audit looks with.
type browser interface {
	// name returns what it is, "" if it runs no scripts.
	name() string

	// begin forgets all cookies.
	begin(ctx context.Context) error

	// open visits a page with all that it loads.
	open(ctx context.Context, address string) (landing, error)

	// picture returns what the page looks like that was opened last, as PNG, nil if it
	// looks like nothing.
	picture(ctx context.Context) ([]byte, error)

	// giveAnswer gives an answer, the same to all questions, and returns how. It returns
	// errNoQuestions where it finds none.
	giveAnswer(ctx context.Context, answer answers.Answer, withdraws bool) (given, error)

	// takeObservations returns what happened to cookies since it was last asked, and
	// what became of the calls of pages to other hosts.
	takeObservations() ([]observation, map[charter.Origin]outcomes)

	// takeStopped returns what scripts of the site wrote since it was last asked, and what does
	// not reach the browser.
	takeStopped() []write

	// items returns the stored items of the site that it holds, if they can be read.
	items(ctx context.Context) (held []storedItem, isKnown bool)

	// takeOmissions returns what was not looked at since it was last asked, in words that
	// go on with "of" and a page.
	takeOmissions() []string

	// cookies returns those that it holds, without their values.
	cookies(ctx context.Context) ([]browserCookie, error)

	close() error
}

// A landing is where a visit of a page has ended.
type landing struct {
	at     string   // its address
	status int      // of its answer, 0 if there was none
	links  []string // where they lead
}

// A given is how an answer was given.
type given struct {
	at      string   // the address of a page
	clicked []string // CSS selectors, in their order
}

// formButton returns what to click in the form of the charter page.
func formButton(answer answers.Answer) string {
	return fmt.Sprintf("button[name=all][value=%s]", answer)
}

var (
	errNoQuestions = errors.New("no form for answers")
	errNotFound    = errors.New("there is no such page")
)

// statusError returns what is wrong with the status of a page, nil if nothing is.
func statusError(status int) error {
	switch {
	case status == http.StatusNotFound || status == http.StatusGone:
		return errNotFound
	case status >= 400:
		return fmt.Errorf("it answers %d %s", status, http.StatusText(status))
	}
	return nil
}

// The visits of an audit, in their order.
var visits = []struct {
	name    string
	answer  answers.Answer
	isFresh bool // begins without cookies
	reason  string
}{
	{"first", answers.None, true, "before consent"},
	{"refused", answers.Refused, true, "after refusal"},
	{"accepted", answers.Granted, true, "although refused"}, // which cannot be
	{"withdrawn", answers.Refused, false, "after withdrawal"},
}

// tolerance is by how many seconds a cookie may live longer than published: its
// dates are in whole seconds, and of another clock.
const tolerance = 5

// An audit visits the pages of a site as a visitor who has not answered, who
// refuses, accepts and withdraws, and holds what it sees against a charter.
type audit struct {
	browser    browser
	charter    Charter
	pages      []string // to be visited; more are found on the first visit
	namedPages int      // how many of them somebody has named
	maxPages   int      // pages to visit
	addresses  address.Redactor
	pictures   string // the folder for screenshots, "" for none
	progress   func(text string)
	report     Report

	failures       []failure                              // each once
	failedOn       map[failure][]string                   // on which visits
	judgedHosts    map[charter.Origin]judge.HostJudgement // on this visit
	hostsOfCookies map[browserCookie]charter.Origin       // of those of other hosts, on all visits
}

// What an audit takes at most, whatever the site does: pages that take a quarter of
// a minute each, on each visit, and some time for answers.
const (
	maxAnswers  = 5 * time.Minute
	maxPerVisit = 15 * time.Second
)

// timeLimit returns how long an audit may take in all, where scripts have some time to
// go on.
func timeLimit(pages int, wait time.Duration) time.Duration {
	return maxAnswers + time.Duration(pages*len(visits))*(maxPerVisit+maxWaits*wait)
}

var errTooLong = errors.New("the audit takes too long; visit fewer pages, by --pages")

// note adds a note to the report, once.
func (a *audit) note(text string) {
	if !slices.Contains(a.report.Notes, text) {
		a.report.Notes = append(a.report.Notes, text)
	}
}

// omit records what was not looked at.
func (a *audit) omit(what string) {
	what = "Not looked at: " + what + "."
	a.note(what)
	a.report.Incomplete = true
}

// run makes all visits.
func (a *audit) run(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	a.report.Site, a.report.Time = a.addresses.Show(a.pages[0]), time.Now().Truncate(time.Second)
	a.report.Browser, a.report.Charter, a.report.Version, a.report.CharterHash = a.browser.name(), a.charter.source, a.charter.Version, a.charter.hash
	a.report.Limits = limitsOf(a.report.Browser != "")
	a.report.CharterPage = a.addresses.Show(originOf(a.pages[0]) + (&url.URL{Path: a.charter.Path}).EscapedPath())
	a.hostsOfCookies, a.failedOn = map[browserCookie]charter.Origin{}, map[failure][]string{}
	a.report.HoldsHosts = a.charter.HoldsHosts && a.report.Browser != ""
	if a.report.Browser == "" {
		a.note("No scripts ran, so cookies that scripts set, other hosts that pages call, and the cookies of these are not part of this; --browser sees them.")
		if slices.ContainsFunc(a.charter.Rows, func(row *charter.Row) bool { return len(row.Storage) > 0 }) {
			a.note("Stored items, which the charter declares, are not part of this, either; --browser sees them.")
		}
	}
	for i := range visits {
		goesOn, err := a.answerAndVisit(ctx, i)
		if isOver := errors.Is(context.Cause(ctx), errTooLong); isOver && len(a.report.Visits) > 0 {
			a.omit(fmt.Sprintf("what comes after %v, which is how long an audit of so many pages may take", limit))
			break
		} else if isOver {
			return errTooLong
		}
		if err != nil {
			return err
		}
		if !goesOn {
			break
		}
	}
	for _, page := range a.pages {
		a.report.Pages = append(a.report.Pages, a.addresses.Show(page))
	}
	a.tellFailures()
	if !a.report.HoldsHosts && slices.ContainsFunc(a.report.Visits, func(visit Visit) bool { return len(visit.Hosts) > 0 }) {
		a.note("Other hosts violate nothing here, as the charter does not say that the site keeps its pages to those that it declares; --hosts holds them against it.")
	}
	for _, visit := range a.report.Visits {
		for _, cookie := range visit.Cookies {
			a.report.Violations += len(cookie.Violations)
		}
		for _, item := range visit.Items {
			a.report.Violations += len(item.Violations)
		}
		for _, host := range visit.Hosts {
			a.report.Violations += len(host.Violations)
		}
	}
	a.report.Findings = a.report.findings()
	a.report.Ended = time.Now().Truncate(time.Second)
	return nil
}

// limitsOf returns what an audit cannot see, in words, with and without a browser.
func limitsOf(hasBrowser bool) []string {
	limits := []string{"Nobody was signed in, nothing was typed, and no other pages were visited than those that are listed."}
	if hasBrowser {
		return append(limits,
			"Of what scripts store elsewhere than in cookies, only local and session storage and the names of databases were looked at, after each page.",
			"Connections without a request and pages in windows of their own are not seen, and of the address of a call, its host alone.",
			"Other browsers, devices, places and times can be shown other pages.")
	}
	return append(limits,
		"What scripts store elsewhere than in cookies, such as in local storage, was not looked at.",
		"No scripts ran, and no other host was asked for anything.",
		"Cookies were read by the same code by which the module itself reads them: neither would see a mistake in it. A browser reads them by its own.")
}

// tellProgress tells which page of which visit comes next, and about how long the rest
// takes, if it takes as long as what is done.
func (a *audit) tellProgress(number, page int) {
	made := len(visits)
	if len(a.charter.ConsentKeys()) == 0 {
		made = 1
	}
	text := fmt.Sprintf("visit %d of %d (%s), page %d of %d", number+1, made, visits[number].name, page+1, len(a.pages))
	if done := number*len(a.pages) + page; done > 0 {
		left := time.Since(a.report.Time) / time.Duration(done) * time.Duration(made*len(a.pages)-done)
		text += fmt.Sprintf(", about %v left", max(left.Round(5*time.Second), 5*time.Second))
	}
	a.progress(text)
}

// answerAndVisit gives the answer of a visit, makes it, and tells whether there can
// be others.
func (a *audit) answerAndVisit(ctx context.Context, number int) (goesOn bool, err error) {
	visit := visits[number]
	if visit.answer != answers.None {
		a.progress(fmt.Sprintf("visit %d (%s): answering", number+1, visit.name))
	}
	if visit.isFresh {
		if err := a.browser.begin(ctx); err != nil {
			return false, err
		}
	}
	earlier, err := a.browser.cookies(ctx)
	if err != nil {
		return false, err
	}
	var how given
	if visit.answer != answers.None {
		if len(a.charter.ConsentKeys()) == 0 {
			a.note("The charter asks nothing, so there is one visit only.")
			return false, nil
		}
		how, err = a.browser.giveAnswer(ctx, visit.answer, !visit.isFresh)
		if errors.Is(err, errNoQuestions) {
			a.note(fmt.Sprintf("No answer was given, so visits that need one were not made: %v.", err))
			a.report.Incomplete = true
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("answering for the visit %q: %w", visit.name, err)
		}
	}
	a.browser.takeObservations() // what came before and with the answer
	a.browser.takeStopped()
	seen, err := a.visit(ctx, number, earlier)
	if err != nil {
		return false, err
	}
	seen.Answer, seen.Clicked = visit.answer.String(), how.clicked
	if how.at != "" {
		seen.AnsweredAt = a.addresses.Show(how.at)
	}
	a.report.Visits = append(a.report.Visits, seen)
	return true, nil
}

// visit makes one visit of all pages, and returns what was seen. Earlier are the cookies
// that were there before the answer.
func (a *audit) visit(ctx context.Context, number int, earlier []browserCookie) (Visit, error) {
	made := Visit{Visit: visits[number].name}
	seen := map[browserCookie]*Cookie{}
	hosts := map[charter.Origin]*Host{}
	a.judgedHosts = map[charter.Origin]judge.HostJudgement{}
	look := func(cookie browserCookie, page string) *Cookie {
		known := seen[cookie.key()]
		if known == nil {
			known = a.judge(cookie, number)
			known.Page = a.addresses.Show(page)
			if len(seen) >= maxCookies {
				a.omit(manyCookies + " of a visit")
				return known // which no report has
			}
			seen[cookie.key()] = known
		}
		return known
	}
	held, err := a.browser.cookies(ctx)
	if err != nil {
		return Visit{}, err
	}
	beforeAnswer := map[browserCookie]bool{}
	for _, cookie := range earlier {
		beforeAnswer[cookie.key()] = true
	}
	before := map[browserCookie]bool{} // cookies that were there before the pages
	for _, cookie := range held {
		before[cookie.key()] = true
		if !beforeAnswer[cookie.key()] {
			known := look(cookie, a.pages[0])
			known.SetBy = "answer"
			a.recordLifetime(known, cookie.life)
		}
	}
	items := a.beginItems(ctx)
	for i := 0; i < len(a.pages); i++ {
		page := a.pages[i]
		a.tellProgress(number, i)
		landed, err := a.browser.open(ctx, page)
		if err == nil && !sameSite(landed.at, page) {
			err = elsewhereError{originOf(landed.at)}
		}
		if ctx.Err() != nil && i+number > 0 {
			break // with what was seen
		}
		if err != nil {
			if i == 0 {
				return Visit{}, fmt.Errorf("visiting %s: %w", a.addresses.Show(page), err)
			}
			a.fail(page, number, err, i < a.namedPages)
		}
		if number == 0 && !isPage(landed.at, a.report.CharterPage) { // whose links lead to itself, in each language and format
			a.follow(landed.links)
		}
		visited := Page{Address: a.addresses.Show(page), Status: landed.status}
		switch {
		case err != nil:
			visited.Failure = err.Error()
		case isPage(landed.at, a.report.CharterPage) && !isPage(page, a.report.CharterPage):
			visited.Failure = "it leads to the charter page"
		}
		made.Pages = append(made.Pages, visited)
		if i == 0 && a.pictures != "" {
			if made.Screenshot, err = a.takePicture(ctx, number); err != nil {
				return Visit{}, err
			}
		}
		happenings, called := a.browser.takeObservations()
		for origin, became := range called {
			a.lookAtHost(hosts, origin, became, page, number)
		}
		for _, happened := range happenings {
			known := look(happened.cookie, page)
			if !a.isOwn(happened.cookie) {
				a.judgeByHost(known, happened.host, number)
			}
			switch {
			case !happened.isSent:
				known.SetBy = "header"
				a.recordLifetime(known, happened.cookie.life)
			case known.SetBy == "" && !before[happened.cookie.key()]:
				known.SetBy = "script" // and it may be removed by now
				a.recordLifetime(known, happened.cookie.life)
				fallthrough
			default:
				known.Sent = true
			}
		}
		a.lookAtStopped(&made, page, number)
		a.lookAtItems(ctx, items, page, number)
		for _, what := range a.browser.takeOmissions() {
			a.omit(what + " of " + a.addresses.Show(page))
		}
		if now, err := a.browser.cookies(ctx); ctx.Err() == nil && err != nil {
			return Visit{}, err
		} else if err == nil {
			held = now
		}
		for _, cookie := range held {
			known := look(cookie, page)
			if before[cookie.key()] && known.SetBy != "header" {
				continue
			}
			if known.SetBy == "" {
				known.SetBy = "script" // as no header has set it
			}
			a.recordLifetime(known, cookie.life) // a script can have set it anew
		}
	}
	for _, cookie := range held {
		look(cookie, a.pages[len(a.pages)-1]).Kept = true
	}
	cookies := make([]Cookie, 0, len(seen))
	for key, cookie := range seen {
		if cookie.Host == "" && !a.isOwn(key) {
			a.findHost(cookie, hosts, number)
		}
		a.checkLifetime(cookie)
		a.checkPresence(cookie, number)
		cookies = append(cookies, *cookie)
	}
	slices.SortFunc(cookies, func(a, b Cookie) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Path, b.Path))
	})
	made.Cookies = cookies
	if a.report.Browser != "" {
		made.Items = items.check(number)
		made.Hosts = a.checkCalls(hosts, number)
	}
	return made, nil
}

// An elsewhereError is that a page leads to another site.
type elsewhereError struct{ site string }

// Error names the site.
func (e elsewhereError) Error() string {
	return "it leads to another site, " + e.site
}

// fail records that a page could not be visited. Links can be broken, or lead
// elsewhere; pages that somebody has named should not.
func (a *audit) fail(page string, number int, err error, isNamed bool) {
	_, isElsewhere := errors.AsType[elsewhereError](err)
	switch {
	case errors.Is(err, errNotFound) && isNamed:
		a.note(fmt.Sprintf("Not found: %s, which was named.", a.addresses.Show(page)))
	case errors.Is(err, errNotFound): // a broken link is a page, too
	case isElsewhere && !isNamed:
		a.note(fmt.Sprintf("Not followed: %s, as %v.", a.addresses.Show(page), err))
	default:
		failed, visit := failure{a.addresses.Show(page), err.Error()}, visits[number].name
		on, isKnown := a.failedOn[failed]
		if !isKnown {
			a.failures = append(a.failures, failed)
		}
		if !slices.Contains(on, visit) {
			a.failedOn[failed] = append(on, visit)
		}
	}
}

// A failure is that a page could not be visited, and why.
type failure struct{ page, reason string }

// tellFailures adds the failures to the report: what is the same on all visits, once.
func (a *audit) tellFailures() {
	for _, failed := range a.failures {
		if on := a.failedOn[failed]; len(on) > 1 && len(on) == len(a.report.Visits) {
			a.report.Failures = append(a.report.Failures, fmt.Sprintf("%s, on all visits: %s", failed.page, failed.reason))
			continue
		}
		for _, visit := range a.failedOn[failed] {
			a.report.Failures = append(a.report.Failures, fmt.Sprintf("%s, on the visit %q: %s", failed.page, visit, failed.reason))
		}
	}
	a.report.Incomplete = a.report.Incomplete || len(a.report.Failures) > 0
}

// follow adds the pages of the same host to which links lead, each once.
func (a *audit) follow(links []string) {
	known := map[string]bool{}
	for _, page := range a.pages {
		known[a.identity(page)] = true
	}
	for _, link := range links {
		if len(a.pages) >= a.maxPages {
			return
		}
		if len(link) > fetch.MaxAddress || !sameSite(link, a.pages[0]) || known[a.identity(link)] {
			continue
		}
		known[a.identity(link)] = true
		link, _, _ = strings.Cut(link, "#")
		a.pages = append(a.pages, link)
	}
}

// identity returns what tells pages of one site apart: path and query. The charter page is
// one, whatever its query.
func (a *audit) identity(page string) string {
	if isPage(page, a.report.CharterPage) {
		return a.report.CharterPage
	}
	path, query := pathOf(page)
	return path + "?" + query
}

// isPage tells whether an address is that of a page, whatever its query, and with or without
// a slash at its end.
func isPage(address, page string) bool {
	one, _ := pathOf(address)
	other, _ := pathOf(page)
	return sameSite(address, page) && strings.TrimSuffix(one, "/") == strings.TrimSuffix(other, "/")
}

// pathOf returns path and query of an address. Parameters of paths are mostly sessions.
func pathOf(page string) (path, query string) {
	parsed, err := url.Parse(page)
	if err != nil {
		return "", ""
	}
	return cmp.Or(address.WithoutParameters(parsed.EscapedPath()), "/"), parsed.RawQuery
}

// originOf returns an address without what comes after its host.
func originOf(address string) string {
	site, err := fetch.ParseSite(address)
	if err != nil {
		return "which has no address"
	}
	return site.Scheme + "://" + site.Host
}

// sameSite tells whether two addresses have the same scheme, host and port.
func sameSite(one, other string) bool {
	site, err := fetch.ParseSite(one)
	otherSite, otherErr := fetch.ParseSite(other)
	return err == nil && otherErr == nil && site.Scheme == otherSite.Scheme && site.Host == otherSite.Host
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

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
	hosts := map[charter.Origin]*Host{}
	a.judgedHosts = map[charter.Origin]judge.HostJudgement{}
	cookies, err := a.beginCookies(ctx, earlier, number)
	if err != nil {
		return Visit{}, err
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
		made.Pages = append(made.Pages, a.visited(page, landed, err))
		if i == 0 && a.pictures != "" {
			if made.Screenshot, err = a.takePicture(ctx, number); err != nil {
				return Visit{}, err
			}
		}
		happenings, called := a.browser.takeObservations()
		for origin, became := range called {
			a.lookAtHost(hosts, origin, became, page, number)
		}
		a.lookAtHappenings(cookies, happenings, page, number)
		a.lookAtStopped(&made, page, number)
		a.lookAtItems(ctx, items, page, number)
		for _, what := range a.browser.takeOmissions() {
			a.omit(what + " of " + a.addresses.Show(page))
		}
		if err := a.lookAtHeld(ctx, cookies, page, number); err != nil {
			return Visit{}, err
		}
	}
	made.Cookies = a.checkCookies(cookies, hosts, number)
	if a.report.Browser != "" {
		made.Items = items.check(number)
		made.Hosts = a.checkCalls(hosts, number)
	}
	return made, nil
}

// visited returns what a report has of a page that was visited, with the mistake in that.
func (a *audit) visited(page string, landed landing, mistake error) Page {
	visited := Page{Address: a.addresses.Show(page), Status: landed.status}
	switch {
	case mistake != nil:
		visited.Failure = mistake.Error()
	case isPage(landed.at, a.report.CharterPage) && !isPage(page, a.report.CharterPage):
		visited.Failure = "it leads to the charter page"
	}
	return visited
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

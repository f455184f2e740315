// Package audit visits a site as an inspector would, and holds what it sees against a
// charter.
package audit

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// An Report is what `caddy cookie-charter audit` has seen, as its format
// json writes it. Values of cookies are never part of it.
type Report struct {
	Site    string    `json:"site"`    // the address where it began
	Time    time.Time `json:"time"`    // when it began
	Browser string    `json:"browser"` // "" for one that runs no scripts
	Charter string    `json:"charter"` // the file or the address from which the charter came
	Version string    `json:"version"` // of the charter, as the page tells it

	Pages    []string `json:"pages"`              // that were visited in each visit, in their order
	Failures []string `json:"failures,omitempty"` // pages that could not be visited, and why
	Notes    []string `json:"notes,omitempty"`    // what was not tested, and why
	Visits   []Visit  `json:"visits"`

	Violations int  `json:"violations"` // how many there are in all visits
	Incomplete bool `json:"incomplete"` // pages or visits are missing: that there are no violations says nothing
}

// An Visit is one visit of all pages.
type Visit struct {
	Visit   string   `json:"visit"` // first, refused, accepted or withdrawn
	Cookies []Cookie `json:"cookies"`
}

// An Cookie is one cookie of a visit: a name, a domain and a path.
type Cookie struct {
	Name     string           `json:"name"`
	Domain   string           `json:"domain"` // with a "." in front if it is for subdomains too
	Path     string           `json:"path"`
	Cookie   string           `json:"cookie"`   // the first name of the row that declares it, "" if none does
	Category charter.Category `json:"category"` // of that row
	Verdict  judge.Verdict    `json:"verdict"`  // allowed, undeclared or refused

	SetBy    string `json:"set_by"`              // header, script (or whatever else), answer (while that was given), "" if it was there from the visit before
	Kept     bool   `json:"kept"`                // whether the browser holds it after the last page
	Sent     bool   `json:"sent"`                // whether the browser sent it to a page
	Page     string `json:"page"`                // the first page with it
	Lifetime string `json:"lifetime,omitempty"`  // as it was set: session, or such as "13 months"
	Declared string `json:"published,omitempty"` // the lifetime that the charter publishes

	Violations []string `json:"violations"` // what the charter does not allow, in words
}

// An Charter is what an audit holds the cookies against.
type Charter struct {
	*charter.Charter
	source    string
	Version   string   // as published
	Path      string   // of the page
	Hosts     []string // of a Caddy config, none for all
	Published func(*charter.Row) (charter.Duration, bool)
}

// A browser is what an audit looks with.
type browser interface {
	// name returns what it is, "" if it runs no scripts.
	name() string

	// begin forgets all cookies.
	begin(ctx context.Context) error

	// open visits a page with all that it loads, and returns at which address it
	// ended, and where its links lead.
	open(ctx context.Context, address string) (at string, links []string, err error)

	// answer gives an answer, the same to all questions. It returns
	// errNoQuestions where it finds none.
	giveAnswer(ctx context.Context, given answers.Answer, withdraws bool) error

	// observed returns what happened to cookies since it was last asked.
	takeObservations() []observation

	// takeOmissions returns what was not looked at since it was last asked, in words that
	// go on with "of" and a page.
	takeOmissions() []string

	// held returns the cookies that it holds, without their values.
	cookies(ctx context.Context) ([]browserCookie, error)

	close() error
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
	isSent bool // else it was set
}

// maxCookies is how many cookies are told of each visit: as many as Chromium keeps of
// all sites.
const maxCookies = 3300

// manyCookies are those after them.
var manyCookies = fmt.Sprintf("the cookies after the first %d", maxCookies)

// observations are what happened to cookies, each told once: a cookie that was set
// several times, as it was to live longest.
type observations struct {
	list   []observation
	places map[observation]int // without the lifetime
}

// add adds what happened, unless there is too much.
func (o *observations) add(happened observation) bool {
	key := observation{happened.cookie.key(), happened.isSent}
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

// isShorter tells whether a cookie lives shorter than with another lifetime; a
// session is shorter than what is told in seconds.
func isShorter(life, other setcookie.Lifetime) bool {
	return other.Persistent && (!life.Persistent || life.Seconds < other.Seconds)
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
	progress   func(text string)
	report     Report
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
	return maxAnswers + time.Duration(pages*len(visits))*(maxPerVisit+wait)
}

var errTooLong = errors.New("the audit takes too long")

// omit notes what was not looked at.
func (a *audit) omit(what string) {
	if note := "Not looked at: " + what + "."; !slices.Contains(a.report.Notes, note) {
		a.report.Notes = append(a.report.Notes, note)
	}
	a.report.Incomplete = true
}

// run makes all visits.
func (a *audit) run(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	a.report.Site, a.report.Time = a.addresses.Show(a.pages[0]), time.Now().UTC().Truncate(time.Second)
	a.report.Browser, a.report.Charter, a.report.Version = a.browser.name(), a.charter.source, a.charter.Version
	if a.report.Browser == "" {
		a.report.Notes = append(a.report.Notes, "No scripts ran, so cookies that scripts set are not part of this; --browser sees them.")
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
	a.report.Incomplete = a.report.Incomplete || len(a.report.Failures) > 0
	for _, visit := range a.report.Visits {
		for _, cookie := range visit.Cookies {
			a.report.Violations += len(cookie.Violations)
		}
	}
	return nil
}

// answerAndVisit gives the answer of a visit, makes it, and tells whether there can
// be others.
func (a *audit) answerAndVisit(ctx context.Context, number int) (goesOn bool, err error) {
	visit := visits[number]
	a.progress(fmt.Sprintf("visit %q: answering", visit.name))
	if visit.isFresh {
		if err := a.browser.begin(ctx); err != nil {
			return false, err
		}
	}
	earlier, err := a.browser.cookies(ctx)
	if err != nil {
		return false, err
	}
	if visit.answer != answers.None {
		if len(a.charter.ConsentKeys()) == 0 {
			a.report.Notes = append(a.report.Notes, "The charter asks nothing, so there is one visit only.")
			return false, nil
		}
		err := a.browser.giveAnswer(ctx, visit.answer, !visit.isFresh)
		if errors.Is(err, errNoQuestions) {
			a.report.Notes = append(a.report.Notes, fmt.Sprintf("No answer was given, so visits that need one were not made: %v.", err))
			a.report.Incomplete = true
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("answering for the visit %q: %w", visit.name, err)
		}
	}
	a.browser.takeObservations() // what came before and with the answer
	cookies, err := a.visit(ctx, number, earlier)
	if err != nil {
		return false, err
	}
	a.report.Visits = append(a.report.Visits, Visit{Visit: visit.name, Cookies: cookies})
	return true, nil
}

// visit makes one visit of all pages, and returns the cookies that were seen.
// Earlier are those that were there before the answer.
func (a *audit) visit(ctx context.Context, number int, earlier []browserCookie) ([]Cookie, error) {
	seen := map[browserCookie]*Cookie{}
	look := func(cookie browserCookie, page string) *Cookie {
		known := seen[cookie.key()]
		if known == nil {
			known = a.judge(cookie, number)
			known.Page = a.addresses.Show(page)
			if len(seen) >= maxCookies {
				a.omit(manyCookies + " of a visit")
				return known // which is told to nobody
			}
			seen[cookie.key()] = known
		}
		return known
	}
	held, err := a.browser.cookies(ctx)
	if err != nil {
		return nil, err
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
			a.measure(known, cookie.life)
		}
	}
	for i := 0; i < len(a.pages); i++ {
		page := a.pages[i]
		a.progress(fmt.Sprintf("visit %q: page %d of %d", visits[number].name, i+1, len(a.pages)))
		at, links, err := a.browser.open(ctx, page)
		if err == nil && !sameSite(at, page) {
			err = elsewhereError{originOf(at)}
		}
		if ctx.Err() != nil && i+number > 0 {
			break // with what was seen
		}
		if err != nil {
			if i == 0 {
				return nil, fmt.Errorf("visiting %s: %w", a.addresses.Show(page), err)
			}
			a.fail(page, number, err, i < a.namedPages)
		}
		if number == 0 {
			a.follow(links)
		}
		for _, happened := range a.browser.takeObservations() {
			known := look(happened.cookie, page)
			switch {
			case !happened.isSent:
				known.SetBy = "header"
				a.measure(known, happened.cookie.life)
			case known.SetBy == "" && !before[happened.cookie.key()]:
				known.SetBy = "script" // and it may be removed by now
				a.measure(known, happened.cookie.life)
				fallthrough
			default:
				known.Sent = true
			}
		}
		for _, what := range a.browser.takeOmissions() {
			a.omit(what + " of " + a.addresses.Show(page))
		}
		if now, err := a.browser.cookies(ctx); ctx.Err() == nil && err != nil {
			return nil, err
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
			a.measure(known, cookie.life) // a script can have set it anew
		}
	}
	for _, cookie := range held {
		look(cookie, a.pages[len(a.pages)-1]).Kept = true
	}
	cookies := make([]Cookie, 0, len(seen))
	for _, cookie := range seen {
		a.accuse(cookie, number)
		cookies = append(cookies, *cookie)
	}
	slices.SortFunc(cookies, func(a, b Cookie) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Path, b.Path))
	})
	return cookies, nil
}

// An elsewhereError is that a page leads to another site.
type elsewhereError struct{ site string }

// Error names the site.
func (e elsewhereError) Error() string {
	return "it leads to another site, " + e.site
}

// fail notes that a page could not be visited. Links can be broken, or lead
// elsewhere; pages that somebody has named should not.
func (a *audit) fail(page string, number int, err error, isNamed bool) {
	_, isElsewhere := errors.AsType[elsewhereError](err)
	switch {
	case errors.Is(err, errNotFound): // a broken link is a page, too
	case isElsewhere && !isNamed:
		note := fmt.Sprintf("Not followed: %s, as %v.", a.addresses.Show(page), err)
		if !slices.Contains(a.report.Notes, note) {
			a.report.Notes = append(a.report.Notes, note)
		}
	default:
		a.report.Failures = append(a.report.Failures, fmt.Sprintf("%s, on the visit %q: %v", a.addresses.Show(page), visits[number].name, err))
	}
}

// follow adds the pages of the same host to which links lead, each once.
func (a *audit) follow(links []string) {
	known := map[string]bool{}
	for _, page := range a.pages {
		known[identity(page)] = true
	}
	for _, link := range links {
		if len(a.pages) >= a.maxPages {
			return
		}
		if len(link) > fetch.MaxAddress || !sameSite(link, a.pages[0]) || known[identity(link)] {
			continue
		}
		known[identity(link)] = true
		link, _, _ = strings.Cut(link, "#")
		a.pages = append(a.pages, link)
	}
}

// identity returns what tells pages of one site apart: path and query. Parameters
// of paths are mostly sessions.
func identity(page string) string {
	parsed, err := url.Parse(page)
	if err != nil {
		return ""
	}
	return cmp.Or(address.WithoutParameters(parsed.EscapedPath()), "/") + "?" + parsed.RawQuery
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
	origins := [2]string{}
	for i, address := range []string{one, other} {
		site, err := fetch.ParseSite(address)
		if err != nil {
			return false
		}
		origins[i] = site.Scheme + "://" + site.Host
	}
	return origins[0] == origins[1]
}

// judge returns what the charter says of a cookie on a visit.
func (a *audit) judge(cookie browserCookie, number int) *Cookie {
	judgement := &Cookie{Name: cookie.name, Domain: cookie.domain, Path: cookie.path, Verdict: judge.Undeclared, Violations: []string{}}
	row := a.charter.Find(cookie.name)
	if row == nil || !setcookie.IsToken(cookie.name) {
		return judgement
	}
	judgement.Cookie, judgement.Category = row.Name[0], row.Category
	judgement.Verdict = judge.VerdictAfter(visits[number].answer, row)
	if published, ok := a.charter.Published(row); ok {
		judgement.Declared = published.String()
	}
	return judgement
}

// measure notes how long a cookie was set to live, and if that is too long.
func (a *audit) measure(cookie *Cookie, life setcookie.Lifetime) {
	cookie.Lifetime = charter.Session
	switch {
	case life.Seconds > 10*int64(charter.SecondsPer("year")):
		cookie.Lifetime = "more than 10 years"
	case life.Persistent:
		cookie.Lifetime = charter.DurationOf(int(life.Seconds)).String()
	}
	row := a.charter.Find(cookie.Name)
	if row == nil || len(cookie.Violations) > 0 {
		return // one is enough
	}
	published, ok := a.charter.Published(row)
	if ok && life.Persistent && life.Seconds > int64(published.Seconds())+tolerance {
		cookie.Violations = append(cookie.Violations, fmt.Sprintf("set for %s, published is %s", cookie.Lifetime, published))
	}
}

// accuse adds the violations that a cookie makes by being there.
func (a *audit) accuse(cookie *Cookie, number int) {
	reason := visits[number].reason
	switch {
	case cookie.SetBy == "" && !cookie.Kept: // removed, or only sent
	case cookie.Verdict == judge.Undeclared:
		cookie.Violations = append(cookie.Violations, "undeclared")
	case cookie.Verdict == judge.Refused && cookie.SetBy != "" && cookie.SetBy != "answer":
		cookie.Violations = append(cookie.Violations, "set "+reason)
	case cookie.Verdict == judge.Refused && cookie.Kept:
		cookie.Violations = append(cookie.Violations, "kept "+reason)
	}
}

//go:embed audit.html
var reportPage string

var reportTemplate = template.Must(template.New("audit").Parse(reportPage))

// Write writes the report in a format.
func (r *Report) Write(out *terminal.Printer, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	case "html":
		return reportTemplate.Execute(out, r)
	}
	writeLine := func(text string) { fmt.Fprintln(out, terminal.Printable(text, terminal.MaxSentence)) }
	writeLine(fmt.Sprintf("%s on %s UTC, held against version %s of the charter, from %s", r.Site, r.Time.Format(time.DateTime), terminal.Printable(r.Version, terminal.MaxCell), r.Charter))
	writeLine(fmt.Sprintf("%s, %s", count(len(r.Pages), "page"), cmp.Or(r.Browser, "without scripts")))
	for _, note := range slices.Concat(r.Notes, r.Failures) {
		writeLine(note)
	}
	for _, visit := range r.Visits {
		fmt.Fprintln(out)
		writeLine("Visit: " + visit.Visit)
		var lines strings.Builder
		table := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tDOMAIN\tPATH\tDECLARED AS\tVERDICT\tSET BY\tKEPT\tSENT\tLIFETIME\tFIRST ON\tVIOLATIONS")
		for _, cookie := range visit.Cookies {
			for _, cell := range []string{
				cmp.Or(cookie.Name, "(no name)"), cookie.Domain, cookie.Path, cmp.Or(cookie.Cookie, "-"), cookie.Verdict.String(), cmp.Or(cookie.SetBy, "-"),
				yes(cookie.Kept), yes(cookie.Sent), cmp.Or(cookie.Lifetime, "-"), strings.TrimPrefix(cookie.Page, r.Site),
			} {
				fmt.Fprint(table, terminal.Printable(cell, terminal.MaxCell), "\t")
			}
			fmt.Fprintln(table)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		rows := strings.Split(lines.String(), "\n")
		fmt.Fprintln(out, rows[0])
		for i, cookie := range visit.Cookies {
			fmt.Fprint(out, rows[i+1])
			if err := out.WriteColoured(terminal.Red, terminal.Printable(strings.Join(cookie.Violations, ", "), terminal.MaxSentence)); err != nil {
				return err
			}
			fmt.Fprintln(out)
		}
	}
	verdict, colour := "no violations", terminal.Green
	if r.Incomplete {
		verdict, colour = "no violations were seen, but pages or visits are missing", terminal.Red
	}
	if r.Violations > 0 {
		verdict, colour = count(r.Violations, "violation"), terminal.Red
	}
	fmt.Fprintln(out)
	err := out.WriteColoured(colour, verdict)
	fmt.Fprintln(out)
	return err
}

func count(count int, word string) string {
	if count != 1 {
		word += "s"
	}
	return fmt.Sprintf("%d %s", count, word)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}

// FindBrowser stands for a Chromium that is found by itself.
const FindBrowser = "found"

// Options are the flags of the command.
type Options struct {
	Charter, Page, Browser, Format string
	Pages                          int
	Wait                           time.Duration
	Accept, Refuse, Withdraw       []string
	NoSandbox                      bool

	// DefaultPage is where charter pages are, and load loads the charter of a file or a
	// config for a host.
	DefaultPage string
	Load        func(path, host string) (Charter, error)
}

// Run audits a site, and tells what it does.
func Run(progress *terminal.Printer, pages []string, options Options) (*Report, error) {
	if !slices.Contains([]string{"text", "json", "html"}, options.Format) {
		return nil, fmt.Errorf("unknown format %q; use text, json or html", options.Format)
	}
	clicks := map[string][]string{"accept": options.Accept, "refuse": options.Refuse, "withdraw": options.Withdraw}
	given := 0
	for _, selectors := range clicks {
		given += min(len(selectors), 1)
	}
	switch {
	case given == 0:
		clicks = nil
	case given < len(clicks), options.Browser == "":
		return nil, errors.New("--accept, --refuse and --withdraw go together, and with --browser")
	}
	if options.Pages < 1 {
		return nil, errors.New("--pages is at least 1")
	}
	if options.NoSandbox && options.Browser == "" {
		return nil, errors.New("--no-sandbox goes with --browser")
	}
	site, err := fetch.ParseSite(pages[0])
	if err != nil || site.Scheme != "https" && site.Scheme != "http" || site.Host == "" {
		return nil, fmt.Errorf("unusable address %q; write it as https://opendata.example.fr", pages[0])
	}
	if site.User != nil {
		return nil, errors.New("leave user and password out of the address; they would stand in the report")
	}
	pages = slices.Clone(pages)
	for i, page := range pages {
		if !sameSite(page, site.String()) {
			return nil, fmt.Errorf("%q is not of the site %s://%s; audit one site at a time (the path of a browser is written --browser=/path)", page, site.Scheme, site.Host)
		}
		address, err := fetch.ParseSite(page)
		if err != nil {
			return nil, err
		}
		pages[i] = address.String()
	}
	most := options.Pages
	if len(pages) > 1 {
		most = len(pages)
	}
	charter, err := loadCharter(site, options)
	if err != nil {
		return nil, err
	}
	page := site.ResolveReference(&url.URL{Path: charter.Path}).String()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	a := &audit{charter: charter, pages: pages, namedPages: len(pages), maxPages: most, progress: func(string) {}}
	if progress.IsTerminal {
		a.progress = func(text string) { _ = progress.ReplaceLine(text) }
		defer a.progress("")
	}
	if len(charter.Hosts) > 0 && !slices.Contains(charter.Hosts, site.Hostname()) {
		a.report.Notes = append(a.report.Notes, fmt.Sprintf("The charter is that of other hosts: %s.", strings.Join(charter.Hosts, ", ")))
	}
	a.browser = newHTTPBrowser(page)
	if options.Browser != "" {
		path := options.Browser
		if path == FindBrowser {
			if path, err = findChromium(); err != nil {
				return nil, err
			}
		}
		if a.browser, err = startChromium(ctx, path, page, clicks, options); err != nil {
			return nil, err
		}
	}
	err = a.run(ctx, timeLimit(most, options.Wait))
	return &a.report, errors.Join(err, a.browser.close())
}

// loadCharter loads the charter against which a site is held.
func loadCharter(site *url.URL, options Options) (Charter, error) {
	source, path := options.Charter, cmp.Or(options.Page, options.DefaultPage)
	if source == "" {
		source = site.ResolveReference(&url.URL{Path: path, RawQuery: "format=json"}).String()
	}
	if !fetch.IsURL(source) {
		loaded, err := options.Load(source, site.Host)
		loaded.source, loaded.Path = source, cmp.Or(options.Page, loaded.Path)
		return loaded, err
	}
	shown := new(address.Redactor).Show(source)
	content, isWhole, err := fetch.ReadSource(source, maxCharter)
	if err == nil && !isWhole {
		err = fmt.Errorf("it has more than %d bytes", maxCharter)
	}
	if err != nil {
		return Charter{}, fmt.Errorf("reading the charter that is published at %s: %w; name another by --charter, or the path of its page by --page", shown, err)
	}
	declared, err := parsePublished(content, shown)
	if err != nil {
		return Charter{}, fmt.Errorf("%s publishes no charter of this module: %w; name one by --charter", shown, err)
	}
	published, err := charter.New(declared)
	if err == nil {
		err = published.Sign("")
	}
	if err != nil {
		return Charter{}, err
	}
	var document struct{ Version string }
	_ = yaml.Unmarshal(content, &document) // as parseCharter has done
	return Charter{published, shown, cmp.Or(document.Version, published.Version), path, nil, func(row *charter.Row) (charter.Duration, bool) {
		declared, err := charter.ParseDuration(row.Duration)
		return declared, err == nil
	}}, nil
}

const (
	// maxCharter is how long a charter of somebody else's may be, in bytes, and
	// maxNames how many names and patterns it may have.
	maxCharter = 2 << 20
	maxNames   = 10_000
)

// parsePublished reads a charter that a site publishes, be it none.
func parsePublished(content []byte, name string) (charter.Source, error) {
	if !json.Valid(content) {
		if ascii.EqualFold(filepath.Ext(name), ".json") {
			return charter.Source{}, errors.New("it is no JSON")
		}
		var document yaml.Node
		if yaml.Unmarshal(content, &document) == nil && hasAlias(&document) {
			return charter.Source{}, errors.New("it has aliases, by which a few bytes can stand for many")
		}
	}
	declared, err := charter.Parse(content, name)
	if err != nil {
		return charter.Source{}, err
	}
	names := 0
	for _, row := range declared.Rows {
		names += len(row.Name) + len(row.Match)
	}
	if names > maxNames {
		return charter.Source{}, fmt.Errorf("it has %d names; an audit takes up to %d", names, maxNames)
	}
	return declared, nil
}

func hasAlias(node *yaml.Node) bool {
	return node.Kind == yaml.AliasNode || slices.ContainsFunc(node.Content, hasAlias)
}

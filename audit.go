package cookiecharter

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/term"
	"gopkg.in/yaml.v3"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// An AuditReport is what `caddy cookie-charter audit` has seen, as its format
// json writes it. Values of cookies are never part of it.
type AuditReport struct {
	Site    string    `json:"site"`    // the address where it began
	Time    time.Time `json:"time"`    // when it began
	Browser string    `json:"browser"` // "" for one that runs no scripts
	Charter string    `json:"charter"` // the file or the address from which the charter came
	Version string    `json:"version"` // of the charter, as the page tells it

	Pages    []string     `json:"pages"`              // that were visited in each visit, in their order
	Failures []string     `json:"failures,omitempty"` // pages that could not be visited, and why
	Notes    []string     `json:"notes,omitempty"`    // what was not tested, and why
	Visits   []AuditVisit `json:"visits"`

	Violations int  `json:"violations"` // how many there are in all visits
	Incomplete bool `json:"incomplete"` // pages or visits are missing: that there are no violations says nothing
}

// An AuditVisit is one visit of all pages.
type AuditVisit struct {
	Visit   string        `json:"visit"` // first, refused, accepted or withdrawn
	Cookies []AuditCookie `json:"cookies"`
}

// An AuditCookie is one cookie of a visit: a name, a domain and a path.
type AuditCookie struct {
	Name     string   `json:"name"`
	Domain   string   `json:"domain"` // with a "." in front if it is for subdomains too
	Path     string   `json:"path"`
	Cookie   string   `json:"cookie"`   // the first name of the row that declares it, "" if none does
	Category Category `json:"category"` // of that row
	Verdict  verdict  `json:"verdict"`  // allowed, undeclared or refused

	SetBy    string `json:"set_by"`              // header, script (or whatever else), answer (while that was given), "" if it was there from the visit before
	Kept     bool   `json:"kept"`                // whether the browser holds it after the last page
	Sent     bool   `json:"sent"`                // whether the browser sent it to a page
	Page     string `json:"page"`                // the first page with it
	Lifetime string `json:"lifetime,omitempty"`  // as it was set: session, or such as "13 months"
	Declared string `json:"published,omitempty"` // the lifetime that the charter publishes

	Violations []string `json:"violations"` // what the charter does not allow, in words
}

// An auditCharter is what an audit holds the cookies against.
type auditCharter struct {
	*charter
	source    string
	version   string   // as published
	path      string   // of the page
	hosts     []string // of a Caddy config, none for all
	published func(*Cookie) (duration, bool)
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
	answer(ctx context.Context, given answer, withdraws bool) error

	// observed returns what happened to cookies since it was last asked.
	observed() []observation

	// held returns the cookies that it holds, without their values.
	held(ctx context.Context) ([]heldCookie, error)

	close() error
}

var (
	errNoQuestions = errors.New("no form for answers")
	errNotFound    = errors.New("there is no such page")
)

// statusError returns what is wrong with the status of a page, nil if nothing is.
func statusError(address string, status int) error {
	switch {
	case status == http.StatusNotFound || status == http.StatusGone:
		return fmt.Errorf("%w: %s", errNotFound, address)
	case status >= 400:
		return fmt.Errorf("%s answers %d %s", address, status, http.StatusText(status))
	}
	return nil
}

// A heldCookie is a cookie in a browser.
type heldCookie struct {
	name, domain, path string // the domain begins with "." if it is for subdomains too
	life               lifetime
}

// key is what tells one cookie of a browser from another.
func (c heldCookie) key() heldCookie { return heldCookie{name: c.name, domain: c.domain, path: c.path} }

// An observation is that a cookie was set or sent.
type observation struct {
	cookie heldCookie
	sent   bool // else it was set
}

// The visits of an audit, in their order.
var auditVisits = []struct {
	name   string
	given  answer
	fresh  bool // begins without cookies
	reason string
}{
	{"first", answerNone, true, "before consent"},
	{"refused", answerRefused, true, "after refusal"},
	{"accepted", answerGranted, true, "although refused"}, // which cannot be
	{"withdrawn", answerRefused, false, "after withdrawal"},
}

// tolerance is by how many seconds a cookie may live longer than published: its
// dates are in whole seconds, and of another clock.
const tolerance = 5

// An audit visits the pages of a site as a visitor who has not answered, who
// refuses, accepts and withdraws, and holds what it sees against a charter.
type audit struct {
	browser  browser
	charter  auditCharter
	pages    []string // to be visited; more are found on the first visit
	most     int      // pages to visit
	progress func(text string)
	report   AuditReport
}

// run makes all visits.
func (a *audit) run(ctx context.Context) error {
	a.report.Site, a.report.Time = a.pages[0], time.Now().UTC().Truncate(time.Second)
	a.report.Browser, a.report.Charter, a.report.Version = a.browser.name(), a.charter.source, a.charter.version
	if a.report.Browser == "" {
		a.report.Notes = append(a.report.Notes, "No scripts ran, so cookies that scripts set are not part of this; --browser sees them.")
	}
	for i, visit := range auditVisits {
		a.progress(fmt.Sprintf("visit %q: answering", visit.name))
		if visit.fresh {
			if err := a.browser.begin(ctx); err != nil {
				return err
			}
		}
		earlier, err := a.browser.held(ctx)
		if err != nil {
			return err
		}
		if visit.given != answerNone {
			if len(a.charter.consentKeys()) == 0 {
				a.report.Notes = append(a.report.Notes, "The charter asks nothing, so there is one visit only.")
				break
			}
			err := a.browser.answer(ctx, visit.given, !visit.fresh)
			if errors.Is(err, errNoQuestions) {
				a.report.Notes = append(a.report.Notes, fmt.Sprintf("No answer was given, so visits that need one were not made: %v.", err))
				a.report.Incomplete = true
				break
			} else if err != nil {
				return fmt.Errorf("answering for the visit %q: %w", visit.name, err)
			}
		}
		a.browser.observed() // what came before and with the answer
		cookies, err := a.visit(ctx, i, earlier)
		if err != nil {
			return err
		}
		a.report.Visits = append(a.report.Visits, AuditVisit{Visit: visit.name, Cookies: cookies})
	}
	a.report.Pages = a.pages
	a.report.Incomplete = a.report.Incomplete || len(a.report.Failures) > 0
	for _, visit := range a.report.Visits {
		for _, cookie := range visit.Cookies {
			a.report.Violations += len(cookie.Violations)
		}
	}
	return nil
}

// visit makes one visit of all pages, and returns the cookies that were seen.
// Earlier are those that were there before the answer.
func (a *audit) visit(ctx context.Context, number int, earlier []heldCookie) ([]AuditCookie, error) {
	seen := map[heldCookie]*AuditCookie{}
	look := func(cookie heldCookie, page string) *AuditCookie {
		known := seen[cookie.key()]
		if known == nil {
			known = a.judge(cookie, number)
			known.Page = page
			seen[cookie.key()] = known
		}
		return known
	}
	held, err := a.browser.held(ctx)
	if err != nil {
		return nil, err
	}
	before := map[heldCookie]bool{} // cookies that were there before the pages
	for _, cookie := range held {
		before[cookie.key()] = true
		if !slices.ContainsFunc(earlier, func(other heldCookie) bool { return other.key() == cookie.key() }) {
			known := look(cookie, a.pages[0])
			known.SetBy = "answer"
			a.measure(known, cookie.life)
		}
	}
	for i := 0; i < len(a.pages); i++ {
		page := a.pages[i]
		a.progress(fmt.Sprintf("visit %q: page %d of %d", auditVisits[number].name, i+1, len(a.pages)))
		at, links, err := a.browser.open(ctx, page)
		if i == 0 && err == nil && !sameSite(at, page) {
			err = fmt.Errorf("it leads to another site, %s; audit that", at)
		}
		if err != nil {
			if i == 0 {
				return nil, fmt.Errorf("visiting %s: %w", page, err)
			}
			if !errors.Is(err, errNotFound) { // a broken link is a page, too
				a.report.Failures = append(a.report.Failures, fmt.Sprintf("%s, on the visit %q: %v", page, auditVisits[number].name, err))
			}
		}
		if number == 0 {
			a.follow(cmp.Or(at, page), links)
		}
		for _, happened := range a.browser.observed() {
			known := look(happened.cookie, page)
			switch {
			case !happened.sent:
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
		if held, err = a.browser.held(ctx); err != nil {
			return nil, err
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
	cookies := make([]AuditCookie, 0, len(seen))
	for _, cookie := range seen {
		a.accuse(cookie, number)
		cookies = append(cookies, *cookie)
	}
	slices.SortFunc(cookies, func(a, b AuditCookie) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Path, b.Path))
	})
	return cookies, nil
}

// follow adds the pages of the same host to which links lead, each path once.
func (a *audit) follow(page string, links []string) {
	base, err := url.Parse(page)
	if err != nil {
		return
	}
	known := map[string]bool{}
	for _, page := range a.pages {
		if address, err := url.Parse(page); err == nil {
			known[cmp.Or(address.Path, "/")] = true
		}
	}
	for _, link := range links {
		address, err := base.Parse(link)
		if err != nil || !sameSite(address.String(), page) || len(a.pages) >= a.most {
			continue
		}
		if path := cmp.Or(address.Path, "/"); !known[path] {
			known[path] = true
			address.Fragment = ""
			a.pages = append(a.pages, address.String())
		}
	}
}

// sameSite tells whether two addresses have the same scheme, host and port.
func sameSite(one, other string) bool {
	origins := [2]string{}
	for i, address := range []string{one, other} {
		site, err := parseSite(address)
		if err != nil {
			return false
		}
		origins[i] = site.Scheme + "://" + site.Host
	}
	return origins[0] == origins[1]
}

// parseSite reads the address of a page, and writes its host as browsers do.
func parseSite(address string) (*url.URL, error) {
	site, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	host, err := idna.Lookup.ToASCII(site.Hostname())
	if err != nil {
		host = ascii.ToLower(site.Hostname()) // an address, or a name with "_"
	}
	if port := site.Port(); port != "" && port != map[string]string{"http": "80", "https": "443"}[site.Scheme] {
		host = net.JoinHostPort(host, port)
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	site.Host, site.Fragment, site.RawFragment = host, "", ""
	return site, nil
}

// judge returns what the charter says of a cookie on a visit.
func (a *audit) judge(cookie heldCookie, number int) *AuditCookie {
	judged := &AuditCookie{Name: cookie.name, Domain: cookie.domain, Path: cookie.path, Verdict: undeclared, Violations: []string{}}
	row := a.charter.find(cookie.name)
	if row == nil || !isToken(cookie.name) {
		return judged
	}
	judged.Cookie, judged.Category = row.Name[0], row.Category
	judged.Verdict = row.verdict(auditVisits[number].given)
	if published, ok := a.charter.published(row); ok {
		judged.Declared = published.String()
	}
	return judged
}

// measure notes how long a cookie was set to live, and if that is too long.
func (a *audit) measure(cookie *AuditCookie, life lifetime) {
	cookie.Lifetime = session
	switch {
	case life.seconds > 10*int64(secondsPer("year")):
		cookie.Lifetime = "more than 10 years"
	case life.persistent:
		cookie.Lifetime = inWholeUnits(int(life.seconds)).String()
	}
	row := a.charter.find(cookie.Name)
	if row == nil || len(cookie.Violations) > 0 {
		return // one is enough
	}
	published, ok := a.charter.published(row)
	if ok && life.persistent && life.seconds > int64(published.seconds())+tolerance {
		cookie.Violations = append(cookie.Violations, fmt.Sprintf("set for %s, published is %s", cookie.Lifetime, published))
	}
}

// accuse adds the violations that a cookie makes by being there.
func (a *audit) accuse(cookie *AuditCookie, number int) {
	reason := auditVisits[number].reason
	switch {
	case cookie.SetBy == "" && !cookie.Kept: // removed, or only sent
	case cookie.Verdict == undeclared:
		cookie.Violations = append(cookie.Violations, "undeclared")
	case cookie.Verdict == refused && cookie.SetBy != "" && cookie.SetBy != "answer":
		cookie.Violations = append(cookie.Violations, "set "+reason)
	case cookie.Verdict == refused && cookie.Kept:
		cookie.Violations = append(cookie.Violations, "kept "+reason)
	}
}

//go:embed page/audit.html
var auditPage string

var auditTemplate = template.Must(template.New("audit").Parse(auditPage))

// write writes the report in a format.
func (r *AuditReport) write(out io.Writer, format string, coloured bool) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	case "html":
		return auditTemplate.Execute(out, r)
	}
	fmt.Fprintf(out, "%s on %s UTC, held against version %s of the charter, from %s\n", r.Site, r.Time.Format(time.DateTime), printable(r.Version), r.Charter)
	fmt.Fprintf(out, "%s, %s\n", counted(len(r.Pages), "page"), cmp.Or(r.Browser, "without scripts"))
	for _, note := range slices.Concat(r.Notes, r.Failures) {
		fmt.Fprintln(out, note)
	}
	for _, visit := range r.Visits {
		fmt.Fprintf(out, "\nVisit: %s\n", visit.Visit)
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tDOMAIN\tPATH\tDECLARED AS\tVERDICT\tSET BY\tKEPT\tSENT\tLIFETIME\tFIRST ON\tVIOLATIONS")
		for _, cookie := range visit.Cookies {
			violations := colour(strings.Join(cookie.Violations, ", "), red, coloured)
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(printable(cookie.Name), "(no name)"), printable(cookie.Domain), printable(cookie.Path), cmp.Or(printable(cookie.Cookie), "-"),
				cookie.Verdict, cmp.Or(cookie.SetBy, "-"), yes(cookie.Kept), yes(cookie.Sent), cmp.Or(cookie.Lifetime, "-"), printable(strings.TrimPrefix(cookie.Page, r.Site)), violations)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	verdict := colour("no violations", green, coloured)
	if r.Incomplete {
		verdict = colour("no violations were seen, but pages or visits are missing", red, coloured)
	}
	if r.Violations > 0 {
		verdict = colour(counted(r.Violations, "violation"), red, coloured)
	}
	_, err := fmt.Fprintf(out, "\n%s\n", verdict)
	return err
}

// The colours of a terminal.
const (
	red   = "31"
	green = "32"
)

// colour returns a text in a colour, if there is to be one.
func colour(text, code string, coloured bool) string {
	if !coloured || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// isTerminal tells whether somebody looks at what is written. NO_COLOR, too,
// turns colours and progress off (https://no-color.org).
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(file.Fd()))
}

// printable returns a text of somebody else's as a terminal can show it, of a
// length that leaves room for others.
func printable(text string) string {
	text = strings.Map(func(char rune) rune {
		if unicode.IsPrint(char) {
			return char
		}
		return unicode.ReplacementChar
	}, text)
	if characters := []rune(text); len(characters) > 48 {
		return string(characters[:47]) + "…"
	}
	return text
}

func counted(count int, word string) string {
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

// findBrowser stands for a Chromium that is found by itself.
const findBrowser = "found"

// auditOptions are the flags of the command.
type auditOptions struct {
	charter, page, browser, format string
	pages                          int
	wait                           time.Duration
	accept, refuse, withdraw       []string
}

// runAudit makes an audit and writes its report.
func runAudit(out, progress io.Writer, pages []string, options auditOptions) (int, error) {
	report, err := makeAudit(progress, pages, options)
	if err == nil {
		err = report.write(out, options.format, isTerminal(out))
	}
	switch {
	case err != nil:
		return caddy.ExitCodeFailedStartup, err
	case report.Violations > 0:
		return exitDifferences, nil
	case report.Incomplete:
		return caddy.ExitCodeFailedStartup, nil
	}
	return caddy.ExitCodeSuccess, nil
}

func makeAudit(progress io.Writer, pages []string, options auditOptions) (*AuditReport, error) {
	if !slices.Contains([]string{"text", "json", "html"}, options.format) {
		return nil, fmt.Errorf("unknown format %q; use text, json or html", options.format)
	}
	clicks := map[string][]string{"accept": options.accept, "refuse": options.refuse, "withdraw": options.withdraw}
	given := 0
	for _, selectors := range clicks {
		given += min(len(selectors), 1)
	}
	switch {
	case given == 0:
		clicks = nil
	case given < len(clicks), options.browser == "":
		return nil, errors.New("--accept, --refuse and --withdraw go together, and with --browser")
	}
	if options.pages < 1 {
		return nil, errors.New("--pages is at least 1")
	}
	site, err := parseSite(pages[0])
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
		address, err := parseSite(page)
		if err != nil {
			return nil, err
		}
		pages[i] = address.String()
	}
	most := options.pages
	if len(pages) > 1 {
		most = len(pages)
	}
	charter, err := loadAuditCharter(site, options)
	if err != nil {
		return nil, err
	}
	page := site.ResolveReference(&url.URL{Path: charter.path}).String()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	a := &audit{charter: charter, pages: pages, most: most, progress: func(string) {}}
	if isTerminal(progress) {
		a.progress = func(text string) { fmt.Fprintf(progress, "\r\x1b[K%s", text) }
		defer a.progress("")
	}
	if len(charter.hosts) > 0 && !slices.Contains(charter.hosts, site.Hostname()) {
		a.report.Notes = append(a.report.Notes, fmt.Sprintf("The charter is that of other hosts: %s.", strings.Join(charter.hosts, ", ")))
	}
	a.browser = newHTTPBrowser(page)
	if options.browser != "" {
		path := options.browser
		if path == findBrowser {
			if path, err = findChromium(); err != nil {
				return nil, err
			}
		}
		if a.browser, err = startChromium(ctx, path, page, clicks, options.wait); err != nil {
			return nil, err
		}
	}
	err = a.run(ctx)
	return &a.report, errors.Join(err, a.browser.close())
}

// loadAuditCharter loads the charter against which a site is held.
func loadAuditCharter(site *url.URL, options auditOptions) (auditCharter, error) {
	source, path := options.charter, cmp.Or(options.page, defaultPagePath)
	if source == "" {
		source = site.ResolveReference(&url.URL{Path: path, RawQuery: "format=json"}).String()
	}
	if !isURL(source) {
		handler, err := loadHandler(source, site.Host)
		if err != nil {
			return auditCharter{}, err
		}
		return auditCharter{handler.charter, source, handler.charter.version, cmp.Or(options.page, handler.Page.Path), handler.hosts, handler.page.published}, nil
	}
	content, err := readSource(source)
	if err != nil {
		return auditCharter{}, fmt.Errorf("reading the charter that is published: %w; name another by --charter, or the path of its page by --page", err)
	}
	declared, err := parseCharter(content, source)
	if err != nil {
		return auditCharter{}, fmt.Errorf("%s publishes no charter of this module: %w; name one by --charter", source, err)
	}
	published, err := newCharter(declared)
	if err == nil {
		err = published.sign(defaultPageLanguage)
	}
	if err != nil {
		return auditCharter{}, err
	}
	var told struct{ Version string }
	_ = yaml.Unmarshal(content, &told) // as parseCharter has done
	return auditCharter{published, source, cmp.Or(told.Version, published.version), path, nil, func(row *Cookie) (duration, bool) {
		declared, err := parseDuration(row.Duration)
		return declared, err == nil
	}}, nil
}

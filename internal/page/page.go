// Package page shows a charter, takes the visitor's choice, and gives the same table in
// other formats.
package page

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/text/language"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/encode"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/caching"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/guard"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/removal"
	"github.com/cookie-charter/cookie_charter/internal/report"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

const (
	// DefaultPath is where the page is if nothing else is said: where Opendatasoft
	// portals have theirs.
	DefaultPath = "/terms/cookies-policy/"

	// NeutralTheme is the look if nothing else is said.
	NeutralTheme = "neutral"

	styleFile       = "style.css"
	scriptFile      = "local_storage.js"
	schemaFile      = "charter.schema.json"
	noticeFile      = "notice"
	noticeStyleFile = "notice.css"
	pagePolicy      = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

	// maxStatus is how long the page shows what a form post did.
	maxStatus = 10 * time.Minute

	// maxTurns is how many detours a withdrawal takes, for removals that its
	// answer had no room for.
	maxTurns = 8
)

// Options are what a page is made of.
type Options struct {
	Config                          // where it is and how it looks
	Language       string           // where the visitor asks for none: one of Languages
	Charter        *charter.Charter // that it publishes
	Answers        *answers.Store   // which it reads and writes
	Policy         *judge.Policy    // of which it makes promises
	Hosts          document.Effect  // of hosts that a visitor does not allow
	RecordsChoices bool             // each choice has a record, with a reference
	GPC            string           // the date in what GPCPath has, "" if that is not served
	Guard          *guard.Guard     // of documents; nil if there is none
	Module         string           // its version
	Storage        Storage          // Caddy's; nil where nothing is served
	Observer       Observer
	Logger         *zap.Logger // nil where nothing is served
}

// An Observer is told what happens on the page.
type Observer interface {
	// Viewed tells that the page was shown.
	Viewed()

	// Chose tells what was chosen by form, before that is answered.
	Chose(choice Choice)

	// Lost tells that a choice, of which there is a record if it has a reference, is
	// not in force as it was made, and what is in force.
	Lost(reference string, inForce map[string]answers.Answer)

	// Reported tells what a browser reports of other hosts, from a network.
	Reported(e Exchange, reports []report.Report, network uint64)

	// Found tells the names of cookies that scripts of a document have written and that its
	// guard would have removed, and what can be shown of the keys of stored items that it would
	// have removed or that no row declares, from a network.
	Found(e Exchange, cookies, items []string, network uint64)

	// Ignored tells how many reports, or posts of such, were ignored: for one of the
	// reasons IgnoredReports.
	Ignored(reason string, count int)
}

// A Choice is what was chosen by form.
type Choice struct {
	Answers   map[string]answers.Answer // by consent key
	Source    string                    // page or notice
	Language  string                    // of the page: one of Languages
	Opposed   bool                      // by Global Privacy Control
	Reference string                    // of the record; "" if there is none
}

// An Exchange is a request for the page, with its answer.
type Exchange struct {
	http.ResponseWriter

	Request  *http.Request
	Visitor  *answers.Visitor // who has sent it
	Origin   removal.Origin   // from where it came
	Removals Removals
}

// Removals are what removes refused cookies from the browser, in the same answer.
type Removals interface {
	// RefusedCookies returns those that came with the request.
	RefusedCookies() []removal.Cookie

	// Room returns how many bytes of lines the answer has room for.
	Room() int

	// AddExpiries adds lines that remove some.
	AddExpiries(lines []string)
}

// A Page shows the charter and stores the visitor's preference.
type Page struct {
	Options
	canAnswer   bool             // with the form; else the preference is a banner's to write
	hasBanner   bool             // asks, too
	manageLinks []string         // links to where else a choice can be changed
	scope       scope            // what is enforced, and what is only observed
	promises    []string         // keys of texts.Promises
	monitored   string           // key of texts.Monitored; "" if all is enforced
	lifetime    charter.Duration // of the stored preference
	texts       []*texts         // the default language first, as in matcher
	matcher     language.Matcher
	kinds       map[*texts][]Kind
	about       map[*texts]About
	tables      map[*texts]template.HTML
	template    *template.Template
	notices     remembered[noticeKey, [][]byte] // in the parts between which it stands where an answer leads back to
	shown       remembered[shownKey, *shown]
	ownParts    []string                            // that the operator's template defines
	parts       map[*texts]map[string]template.HTML // that are made once
	forVisitors *template.Template                  // which puts them in
	header      template.HTML
	footer      template.HTML
	styleName   string // with its version
	assets      map[string]asset
	archive     *archive
	audits      *audits // beside the archive; nil without one
	crossOrigin *http.CrossOriginProtection
	reportRate  reportRate
	nameRate    reportRate // of what guards tell
}

// New returns a page, or what is wrong with its options and the files that they name.
func New(options Options) (*Page, error) {
	options.Path = strings.TrimSuffix(options.Path, "/") // it is served with and without
	p := &Page{Options: options, crossOrigin: http.NewCrossOriginProtection()}
	for _, preference := range p.Answers.Preferences {
		if preference.Manage != "" {
			p.manageLinks = append(p.manageLinks, preference.Manage)
		}
		if !preference.IsWritten() {
			p.hasBanner = true
			continue
		}
		if !p.canAnswer || preference.Lifetime.Seconds() < p.lifetime.Seconds() {
			p.lifetime = preference.Lifetime
		}
		p.canAnswer = true
	}
	p.scope = newScope(options)
	p.scope.takesAnswers = p.canAnswer
	p.promises = p.scope.promises()
	if p.scope.ignoresAnswers() {
		p.GPC = "" // it is not heeded yet
	}
	switch {
	case !p.scope.isTrial():
	case len(p.promises) == 0:
		p.monitored = "everything"
	default:
		p.monitored = "some"
	}
	var err error
	if p.texts, p.matcher, err = loadLanguages(p.Language, p.speaks); err != nil {
		return nil, err
	}
	for i, text := range p.texts {
		p.texts[i] = p.scope.wording(text)
	}
	p.kinds, p.about = map[*texts][]Kind{}, map[*texts]About{}
	for _, text := range p.texts {
		p.kinds[text], p.about[text] = p.kindsIn(text), p.aboutIn(text)
	}
	if err := p.loadFiles(); err != nil {
		return nil, err
	}
	if p.Archive != "" {
		if p.archive, err = openArchive(p.Archive, p.Charter.Version, p.Storage, p.Answers.Now); err != nil {
			return nil, err
		}
		p.audits = openAudits(p.archive)
	}
	return p, nil
}

// speaks tells whether the page speaks a language: one that is chosen, or else one in
// which all is there.
func (p *Page) speaks(language string) bool {
	if chosen := p.Charter.About.Languages; len(chosen) > 0 {
		return slices.Contains(chosen, language)
	}
	hasTitle := len(p.Title) == 0 || p.Title[language] != "" || p.Title[""] != ""
	return language == p.Language || hasTitle && p.Charter.Speaks(language)
}

// SpokenLanguage returns a language, the default one for "", or an error if the page does
// not speak it.
func (p *Page) SpokenLanguage(chosen string) (string, error) {
	spoken := make([]string, 0, len(p.texts))
	for _, text := range p.texts {
		spoken = append(spoken, text.tag.String())
	}
	if chosen == "" {
		return spoken[0], nil
	}
	if err := CheckLanguage(chosen); err != nil {
		return "", err
	}
	if !slices.Contains(spoken, chosen) {
		return "", fmt.Errorf("the page does not speak %q; use one of %s, or write its texts in that language, too", chosen, strings.Join(spoken, ", "))
	}
	return chosen, nil
}

// Serves tells whether a path is the page's, or that of a file beside it.
func (p *Page) Serves(path string) bool {
	if p.isGPC(path) {
		return true
	}
	rest, ok := strings.CutPrefix(path, p.Path)
	if !ok || rest == "" || rest == "/" || rest == "/"+noticeFile {
		return ok
	}
	switch rest {
	case "/" + reportsFile:
		return p.Hosts != document.Ignored
	case "/" + auditFile:
		return p.audits != nil
	}
	name, ok := strings.CutPrefix(rest, "/")
	_, isAsset := p.assets[name]
	return ok && (isAsset || p.isGuards(name))
}

// IsBeside tells whether a path is that of a file beside the page, which browsers ask for, or
// post to, by themselves.
func (p *Page) IsBeside(path string) bool {
	return p.Serves(path) && strings.TrimSuffix(path, "/") != p.Path
}

// Serve answers every request to the page's paths.
func (p *Page) Serve(e Exchange) error {
	if p.isGPC(e.Request.URL.Path) {
		return p.serveGPC(e)
	}
	method, header := e.Request.Method, e.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "private, no-store")
	caching.DropTargeted(header)
	header.Set("Content-Security-Policy", pagePolicy) // on errors, too: they may have HTML of the operator's
	name := strings.Trim(strings.TrimPrefix(e.Request.URL.Path, p.Path), "/")
	canAnswer := name == "" && p.Asks()
	isRead := method == http.MethodGet || method == http.MethodHead
	switch asset, isAsset := p.assets[name]; {
	case name == reportsFile:
		return p.takeReports(e)
	case isRead && isAsset:
		header.Del("Content-Security-Policy")
		header.Set("Cache-Control", asset.cacheControl)
		isOther := name == styleFile && !strings.HasSuffix(p.styleName, "?"+e.Request.URL.RawQuery)
		if name == guard.FileName {
			isOther = !strings.HasSuffix(p.Guard.Name(), "?"+e.Request.URL.RawQuery)
		}
		if isOther {
			header.Set("Cache-Control", "no-cache") // not the version that pages name
		}
		return p.writeStatus(e, http.StatusOK, asset.contentType, asset.body)
	case p.isGuards(name):
		return p.answerGuard(e)
	case isRead && name == noticeFile:
		return p.showNotice(e)
	case isRead && name == auditFile:
		return p.showAudit(e)
	case isRead:
		return p.show(e)
	case method == http.MethodPost && canAnswer:
		return p.storeChoice(e)
	case canAnswer:
		header.Set("Allow", "GET, HEAD, POST")
	default:
		header.Set("Allow", "GET, HEAD")
	}
	return p.refuse(e, http.StatusMethodNotAllowed, "method", fmt.Errorf("method %s on the charter page", method))
}

// write writes a whole answer with status 200.
func (p *Page) write(e Exchange, contentType string, content []byte) error {
	return p.writeStatus(e, http.StatusOK, contentType, &compressible{plain: content})
}

// writeStatus writes a whole answer, compressed if the browser takes that: the page
// is served before the directive `encode`.
func (p *Page) writeStatus(e Exchange, status int, contentType string, content *compressible) error {
	header := e.Header()
	header.Set("Content-Type", contentType)
	header.Add("Vary", "Accept-Encoding")
	written := content.plain
	if slices.Contains(encode.AcceptedEncodings(e.Request, []string{"gzip"}), "gzip") {
		header.Set("Content-Encoding", "gzip")
		written = content.gzip()
	}
	header.Set("Content-Length", strconv.Itoa(len(written)))
	e.WriteHeader(status)
	_, _ = e.Write(written) // that a visitor has left is no error
	return nil
}

// textsFor returns the page's words in the visitor's language, as an
// Opendatasoft front office chooses it: `flg`, `django_language`, the browser's
// languages, the default.
func (p *Page) textsFor(r *http.Request) *texts {
	return p.texts[matchLanguage(p.matcher, r)]
}

// maxLanguages is how long a list of languages is that is read, in bytes: those of browsers
// have some hundred, and reading one can cost the square of its length.
const maxLanguages = 1 << 10

// matchLanguage returns which of some languages the visitor reads best.
func matchLanguage(matcher language.Matcher, r *http.Request) int {
	var chosen string
	for value := range setcookie.Lines(r.Header["Cookie"]).Values("django_language") {
		chosen = value // Django, too, takes the last
	}
	lists := []string{r.URL.Query().Get("flg"), chosen, r.Header.Get("Accept-Language")}
	lists = slices.DeleteFunc(lists, func(list string) bool { return len(list) > maxLanguages })
	_, index := language.MatchStrings(matcher, lists...)
	return index
}

// show writes the charter in the visitor's language, with the visitor's
// stored answers, or the charter alone in another format.
func (p *Page) show(e Exchange) error {
	r := e.Request
	query := r.URL.Query()
	header := e.Header()
	header.Add("Vary", "Accept, Accept-Language, Cookie")
	text := p.textsFor(r)
	if p.archive != nil {
		patience, cancel := context.WithTimeout(r.Context(), ArchivePatience) // for both
		defer cancel()
		p.archive.update(patience, p.exportVersion, p.Logger)
		p.audits.update(patience, p.Logger)
		if version := query.Get("version"); version != "" {
			return p.showVersion(e, version)
		}
	}
	if format := requestedFormat(r); format != "" {
		return p.export(e, format, text)
	}
	turn, notTurn := strconv.ParseUint(query.Get("turn"), 10, 0)
	from, notFrom := strconv.ParseUint(query.Get("from"), 10, 31)
	if notTurn == nil && turn < maxTurns && notFrom == nil && e.withdraw(query, "", int(turn)+1, int(from)) {
		return redirect(e, "?"+query.Encode())
	}
	if done, err := p.confirmChoice(e, query); done {
		return err
	}
	data := p.data(e, text)
	content, err := p.make(data, text, len(r.Header["Cookie"]) == 0)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	p.Observer.Viewed()
	header.Set("Content-Language", data.Language)
	header.Set("Referrer-Policy", "same-origin")
	return p.writeStatus(e, http.StatusOK, "text/html; charset=utf-8", content)
}

// A shown page is one that was made, and all that it was made from.
type shown struct {
	data *Data
	body *compressible
}

// A shownKey is what most pages that are shown to strangers differ in.
type shownKey struct {
	text       *texts
	site, base string
}

// make makes the page. What a stranger is shown, who sends no cookies, is remembered and
// shown to all whose page would be made from the very same.
func (p *Page) make(data *Data, text *texts, isStranger bool) (*compressible, error) {
	key := shownKey{text, data.Site, data.Base}
	if isStranger {
		if last, ok := p.shown.get(key); ok && reflect.DeepEqual(last.data, data) {
			return last.body, nil
		}
	}
	made := p.template
	if data.Status == "" {
		made = p.forVisitors
	}
	var written bytes.Buffer
	if err := made.Execute(&written, data); err != nil {
		return nil, err
	}
	content := &compressible{plain: written.Bytes()}
	if isStranger {
		p.shown.add(key, &shown{data, content})
	}
	return content, nil
}

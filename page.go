package cookiecharter

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	texttemplate "text/template"
	"text/template/parse"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"go.uber.org/zap"
	"golang.org/x/text/language"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/encode"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

//go:embed page
var pageFiles embed.FS

// Page says where the charter page is and how it looks.
//
// Colours, fonts and widths are CSS custom properties whose names begin with
// `--charter-`; an extra stylesheet can set them. Its Content-Security-Policy
// lets the page load styles, images and fonts from its own site only, and no
// script.
type Page struct {
	// The path of the page, from the root, served with and without the slash at
	// its end. Default: `/terms/cookies-policy/`.
	Path string `json:"path,omitempty"`

	// The title, one for all languages or one per language. Default: "Cookie
	// policy" in the visitor's language.
	Title Text `json:"title,omitempty"`

	// The path of an image on the same site, shown beside the link to the
	// portal. Default: none.
	Logo string `json:"logo,omitempty"`

	// The look: `neutral`, or `dsfr`, which is close to the design system of the
	// French State. Default: `neutral`.
	Theme string `json:"theme,omitempty"`

	// The path of an extra stylesheet on the same site, which comes last.
	// Default: none.
	Stylesheet string `json:"stylesheet,omitempty"`

	// Files with HTML fragments that are put before and after the page's own
	// content, as they are. A relative path begins at the working directory.
	// Default: none.
	Header string `json:"header,omitempty"`
	Footer string `json:"footer,omitempty"`

	// A file with a template (Go's html/template) that takes the place of the
	// page's own, or, by `define`, of some of its parts; PageData is what it
	// shows. A mistake in it is told at load. Default: none.
	Template string `json:"template,omitempty"`

	// What keeps every version of the charter that was ever served, as JSON each,
	// written once and never changed; the page lists them. A name, of lower-case
	// letters, digits, `.`, `-` and `_`, keeps them in Caddy's storage, under
	// `cookie_charter/<name>/`; charters have to have names of their own. With a
	// slash, it is a folder, which has to be there and to be writable. What another
	// instance keeps in the same place shows within a minute. Default: none is kept.
	Archive string `json:"archive,omitempty"`
}

const (
	defaultPagePath = "/terms/cookies-policy/"
	neutralTheme    = "neutral"
	styleFile       = "style.css"
	scriptFile      = "local_storage.js"
	schemaFile      = "charter.schema.json"
	noticeFile      = "notice"
	noticeStyleFile = "notice.css"
	pagePolicy      = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

	// maxStatus is how long what a form post did is told.
	maxStatus = 10 * time.Minute

	// maxTurns is how many detours a withdrawal takes, for removals that its
	// answer had no room for.
	maxTurns = 8
)

var pageThemes = []string{neutralTheme, "dsfr"}

// checkPath returns an error if the page cannot have a path.
func checkPath(of string) error {
	if trimmed := strings.TrimSuffix(of, "/"); !strings.HasPrefix(trimmed, "/") || path.Clean(trimmed) != trimmed || strings.ContainsAny(trimmed, "?#*{}% \\") || setcookie.HasControls(trimmed) {
		return fmt.Errorf("%q is no path for the page; write one from the root, such as %s", of, defaultPagePath)
	}
	return nil
}

// checkTheme returns an error if there is no such look.
func checkTheme(name string) error {
	if !slices.Contains(pageThemes, name) {
		return fmt.Errorf("unknown theme %q; use one of %s", name, strings.Join(pageThemes, ", "))
	}
	return nil
}

// checkLink returns an error if a link leads to another site.
func checkLink(link string) error {
	if !isLocal(link) {
		return fmt.Errorf("%q is not on this site; write a path from the root, such as /static/portal.css", link)
	}
	return nil
}

// validateTitle returns an error if the title is in a language that the page does not
// speak.
func (o *Page) validateTitle() error {
	for _, language := range slices.Sorted(maps.Keys(o.Title)) {
		if language != "" && !slices.Contains(pageLanguages, language) {
			return fmt.Errorf("the page does not speak %q; use one of %s, and put titles of several words in quotes", language, strings.Join(pageLanguages, ", "))
		}
	}
	return nil
}

// What a form post did, told to the page that it leads to.
const (
	statusSaved     = "saved"
	statusUnchanged = "unchanged"
	statusLost      = "lost" // the browser did not keep what was saved
)

// PageData is what the template of the charter page shows.
type PageData struct {
	Language, Direction string // a language tag; "ltr" or "rtl"
	Text                *texts // the page's own words, as in page/languages/en.yaml
	Title               PageText
	Site                string // the address of the portal, such as https://data.example.fr
	Base                string // of relative links: the page's own folder, such as "" or "cookies-policy/"
	Style               string // the page's own stylesheet, with its version
	Stylesheet, Logo    string
	Header, Footer      template.HTML
	Languages           []PageLink // the page in the other languages
	Status              string     // what became of a form post; "" if there was none
	Remaining           []PageRemaining
	Reference           string // of its record; "" if there is none
	Kinds               []PageKind
	Tables              template.HTML  // the part "charter-tables", of Kinds alone: it is made at load, a language each
	Questions           []PageQuestion // one per consent key
	CanAnswer           bool           // on this page
	Banner              bool           // the portal's own banner asks, too
	Manage              []string       // links to it
	Kept                string         // how long an answer is kept
	Given               string         // when the stored answers were given and until when they hold; "" if there are none
	Cookies             []PageCookie   // what the browser sent
	Promises            []string
	Monitored           string // that it is not enforced yet; "" if it is
	Version             string
	Updated             *PageDate
	Versions            []PageVersion // that were served before
	Exports             []PageLink    // the same table in other formats
}

// PageText is a text of the charter. Language is empty if it is in the page's
// own, or in none that is known.
type PageText struct{ Text, Language string }

// PageLink is a link. Language is that of the page behind it, "" for the same.
type PageLink struct {
	Name, Language, Link string
	Current              bool
}

// PageRemaining are refused cookies that are still in the browser after a choice
// was saved.
type PageRemaining struct {
	Text  string // when they go, or that they cannot be removed from here
	Names Names  // of the first of them
	More  int    // how many there are besides
}

// PageKind is one of the four kinds of cookies with its rows.
type PageKind struct {
	Name, Definition string
	Rows             []PageRow
	HasDurations     bool
}

// PageRow is a row of the charter.
type PageRow struct {
	Names                      Names
	Provider, Service, Purpose PageText
	Duration                   string // as it is enforced
	Exempt                     bool
}

// PageQuestion is what a visitor can answer, and has answered.
type PageQuestion struct {
	Key              string
	Providers        []PageText
	Kind             string
	Names            Names
	Stored           string // the answer in force, in words
	Granted, Refused bool   // what the form shows
}

// PageCookie is a cookie that the browser sent with the request for the page.
// Its value is not part of it.
type PageCookie struct {
	Name     string   // "" if it has none
	Declared bool     // by a row
	Purpose  PageText // of the row
	Verdict  string   // "allowed", "undeclared" or "refused"
	Outcome  string   // what happens to it, in words
}

// PageDate is a day.
type PageDate struct{ ISO, Words string }

// PageVersion is a version of the charter that was served.
type PageVersion struct {
	Version string
	Served  PageDate // the first day
}

// An asset is a file beside the page.
type asset struct {
	contentType  string
	cacheControl string
	body         []byte
}

// pageOptions are what a page is made of.
type pageOptions struct {
	Page
	language       string // where the visitor asks for none
	charter        *charter
	answers        *answerStore
	policy         *policy
	recordsChoices bool
	gpc            string         // the date of gpcPath, "" if that is not served
	module         string         // its version
	storage        archiveStorage // Caddy's; nil where nothing is served
	observer       pageObserver
	logger         func() *zap.Logger
}

// A pageObserver is told what happens on the page.
type pageObserver interface {
	// viewed tells that the page was shown.
	viewed()

	// chose tells what was chosen by form, before that is answered.
	chose(made choice)

	// lost tells that a choice, of which there is a record if it has a reference, is
	// not in force as it was made, and what is in force.
	lost(reference string, inForce map[string]answer)
}

// A choice is what was chosen by form.
type choice struct {
	answers   map[string]answer // by consent key
	source    string            // page or notice
	language  string
	opposed   bool   // by Global Privacy Control
	reference string // of the record; "" if there is none
}

// An exchange is a request for the page, with its answer.
type exchange struct {
	http.ResponseWriter
	request  *http.Request
	visitor  *visitor
	origin   origin
	removals removals
}

// removals are what removes refused cookies from the browser, in the same answer.
type removals interface {
	// refusedCookies returns those that came with the request.
	refusedCookies() []refusedCookie

	// room returns how many bytes of lines the answer has room for.
	room() int

	// addExpiries adds lines that remove some.
	addExpiries(lines []string)
}

// A page shows the charter and stores the visitor's preference.
type page struct {
	pageOptions
	canAnswer bool     // with the form; else the preference is a banner's to write
	banner    bool     // asks, too
	manage    []string // links to where else a choice can be changed
	promises  []string // keys of texts.Promises
	monitored string   // key of texts.Monitored; "" if all is enforced
	lifetime  duration // of the stored preference
	path      string   // without the slash at its end
	texts     []*texts // the default language first, as in matcher
	matcher   language.Matcher
	kinds     map[*texts][]PageKind
	tables    map[*texts]template.HTML
	template  *template.Template
	header    template.HTML
	footer    template.HTML
	styleName string // with its version
	assets    map[string]asset
	archive   *archive
	origins   *http.CrossOriginProtection
}

func newPage(options pageOptions) (*page, error) {
	p := &page{
		pageOptions: options,
		path:        strings.TrimSuffix(options.Path, "/"),
		origins:     http.NewCrossOriginProtection(),
	}
	for _, stored := range p.answers.stored {
		if stored.Manage != "" {
			p.manage = append(p.manage, stored.Manage)
		}
		if !stored.isWritten() {
			p.banner = true
			continue
		}
		if !p.canAnswer || stored.lifetime.seconds() < p.lifetime.seconds() {
			p.lifetime = stored.lifetime
		}
		p.canAnswer = true
	}
	p.promises = []string{"set"}
	if !p.policy.passesRequests {
		p.promises = append(p.promises, "requests")
	}
	p.promises = append(p.promises, "expiries")
	if p.policy.enforcesDuration {
		p.promises = append(p.promises, "durations")
	}
	switch {
	case p.policy.monitors == monitorEverything:
		p.promises, p.monitored = nil, "everything"
	case p.policy.monitors != "" || slices.ContainsFunc(p.charter.cookies, func(row *Row) bool { return row.Monitor }):
		p.monitored = "some"
	}
	var err error
	if p.texts, p.matcher, err = loadLanguages(p.language); err != nil {
		return nil, err
	}
	p.kinds = map[*texts][]PageKind{}
	for _, text := range p.texts {
		p.kinds[text] = p.kindsIn(text)
	}
	if err := p.loadFiles(); err != nil {
		return nil, err
	}
	if p.Archive != "" {
		if p.archive, err = openArchive(p.Archive, p.charter.version, p.storage, p.answers.now); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// loadFiles reads the files of the page: its own, and the operator's.
func (p *page) loadFiles() error {
	read := func(option, name string, into *template.HTML) error {
		if name == "" {
			return nil
		}
		if absolute, err := filepath.Abs(name); err == nil {
			name = absolute // for the error
		}
		content, err := os.ReadFile(name)
		if err == nil && !utf8.Valid(content) {
			err = errors.New("the file is not in UTF-8; save it in that encoding")
		}
		if err != nil {
			return fmt.Errorf("the %s of the page: %w; name a file that Caddy can read", option, err)
		}
		*into = template.HTML(content) //nolint:gosec // the operator's own, to be put in as it is
		return nil
	}
	var override template.HTML
	err := cmp.Or(read("header", p.Header, &p.header), read("footer", p.Footer, &p.footer), read("template", p.Template, &override))
	if err != nil {
		return err
	}
	if p.template, err = template.ParseFS(pageFiles, "page/*.html"); err != nil {
		return err
	}
	p.template = p.template.Lookup("page.html")
	if override != "" {
		if err := p.override(string(override)); err != nil {
			return fmt.Errorf("%w, in %s", err, p.Template)
		}
	}

	style, err := pageFiles.ReadFile("page/" + styleFile)
	if err != nil {
		return err
	}
	theme, err := pageFiles.ReadFile("page/" + p.Theme + ".css")
	if err != nil {
		return err
	}
	style = slices.Concat(theme, style)
	notice, err := pageFiles.ReadFile("page/" + noticeStyleFile)
	if err != nil {
		return err
	}
	schema, err := pageFiles.ReadFile("page/" + schemaFile)
	if err != nil {
		return err
	}
	const anHour = "public, max-age=3600"
	p.assets = map[string]asset{
		styleFile:       {"text/css; charset=utf-8", "public, max-age=31536000, immutable", style},
		noticeStyleFile: {"text/css; charset=utf-8", anHour, notice},
		schemaFile:      {"application/schema+json", anHour, schema},
	}
	p.styleName = styleFile + "?v=" + hash(style, 4)
	script, err := p.newScript()
	if script != nil {
		p.assets[scriptFile] = asset{"text/javascript; charset=utf-8", anHour, script}
	}
	if err != nil {
		return err
	}

	p.tables = map[*texts]template.HTML{}
	for _, text := range p.texts {
		var tables strings.Builder
		data := PageData{Language: text.tag.String(), Direction: text.Direction, Text: text, Kinds: p.kinds[text]}
		if err := p.template.ExecuteTemplate(&tables, "charter-tables", data); err != nil {
			return fmt.Errorf("%w, in %s", err, p.Template)
		}
		p.tables[text] = template.HTML(tables.String()) //nolint:gosec // the template has escaped it
	}
	// Whatever there is to show, the operator's template can show it.
	if override != "" {
		if err := p.template.Execute(&bytes.Buffer{}, p.sample(p.texts[0])); err != nil {
			return fmt.Errorf("%w, in %s", err, p.Template)
		}
	}
	return nil
}

// override puts the operator's template in the place of the page's own, or of
// those of its parts that it defines.
func (p *page) override(text string) error {
	own, err := template.New("page.html").Parse(text)
	if err != nil {
		return err
	}
	var parts, known []string
	for _, part := range p.template.Templates() {
		if strings.HasPrefix(part.Name(), "charter-") {
			known = append(known, part.Name())
		}
	}
	for _, part := range own.Templates() {
		if slices.Contains(known, part.Name()) {
			parts = append(parts, part.Name())
		} else if strings.HasPrefix(part.Name(), "charter-") {
			slices.Sort(known)
			return fmt.Errorf("the page has no part %q; define some of %s", part.Name(), strings.Join(known, ", "))
		}
	}
	isPage := own.Tree != nil && !parse.IsEmptyTree(own.Tree.Root)
	if isPage && len(parts) > 0 && !strings.Contains(ascii.ToLower(text), "<!doctype") {
		return fmt.Errorf("the template defines %s, and has text outside of it, which would be the whole page; remove that text, or write a page that begins with <!DOCTYPE html>", strings.Join(parts, ", "))
	}
	p.template, err = p.template.Parse(text)
	return err
}

// newScript returns the script that copies what banners keep in local storage,
// nil if none does.
func (p *page) newScript() ([]byte, error) {
	type storageCopy struct {
		Key     string `json:"key"`
		Cookie  string `json:"cookie"`
		Seconds int    `json:"seconds"`
	}
	var copies []storageCopy
	for _, stored := range p.answers.stored {
		if stored.LocalStorage != "" {
			copies = append(copies, storageCopy{stored.LocalStorage, stored.names[0], stored.lifetime.seconds()})
		}
	}
	if copies == nil {
		return nil, nil
	}
	script, err := texttemplate.ParseFS(pageFiles, "page/"+scriptFile)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(copies)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	err = script.Execute(&body, string(encoded))
	return body.Bytes(), err
}

// serves tells whether a path is the page's, or that of a file beside it.
func (p *page) serves(path string) bool {
	if path == gpcPath {
		return p.gpc != ""
	}
	rest, ok := strings.CutPrefix(path, p.path)
	if !ok || rest == "" || rest == "/" || rest == "/"+noticeFile {
		return ok
	}
	name, ok := strings.CutPrefix(rest, "/")
	_, isAsset := p.assets[name]
	return ok && isAsset
}

// serve answers every request to the page's paths.
func (p *page) serve(e exchange) error {
	if e.request.URL.Path == gpcPath {
		return p.serveGPC(e)
	}
	method, header := e.request.Method, e.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "private, no-store")
	dropTargeted(header)
	header.Set("Content-Security-Policy", pagePolicy) // on errors, too: they may have HTML of the operator's
	name := strings.Trim(strings.TrimPrefix(e.request.URL.Path, p.path), "/")
	canAnswer := name == "" && p.canAnswer && len(p.charter.consentKeys()) > 0
	isRead := method == http.MethodGet || method == http.MethodHead
	switch asset, isAsset := p.assets[name]; {
	case isRead && isAsset:
		header.Del("Content-Security-Policy")
		header.Set("Cache-Control", asset.cacheControl)
		if name == styleFile && !strings.HasSuffix(p.styleName, "?"+e.request.URL.RawQuery) {
			header.Set("Cache-Control", "no-cache") // not the version that the page names
		}
		return p.write(e, asset.contentType, asset.body)
	case isRead && name == noticeFile:
		return p.showNotice(e)
	case isRead:
		return p.show(e)
	case method == http.MethodPost && canAnswer:
		return p.store(e)
	case canAnswer:
		header.Set("Allow", "GET, HEAD, POST")
	default:
		header.Set("Allow", "GET, HEAD")
	}
	return caddyhttp.Error(http.StatusMethodNotAllowed, fmt.Errorf("method %s on the charter page", method))
}

// gzipWriters are used again, as each takes most of a megabyte.
var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// write writes a whole answer, compressed if the browser takes that: the page
// is served before the directive `encode`.
func (p *page) write(e exchange, contentType string, body []byte) error {
	header := e.Header()
	header.Set("Content-Type", contentType)
	header.Add("Vary", "Accept-Encoding")
	if slices.Contains(encode.AcceptedEncodings(e.request, []string{"gzip"}), "gzip") {
		var compressed bytes.Buffer
		writer := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(writer)
		writer.Reset(&compressed)
		if _, err := writer.Write(body); err != nil {
			return err
		}
		if err := writer.Close(); err != nil {
			return err
		}
		header.Set("Content-Encoding", "gzip")
		body = compressed.Bytes()
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = e.Write(body) // that a visitor has left is no error
	return nil
}

// speak returns the page's words in the visitor's language, as an
// Opendatasoft front office chooses it: `flg`, `django_language`, the browser's
// languages, the default.
func (p *page) speak(r *http.Request) *texts {
	var chosen string
	for value := range setcookie.Lines(r.Header["Cookie"]).Values("django_language") {
		chosen = value // Django, too, takes the last
	}
	_, index := language.MatchStrings(p.matcher, r.URL.Query().Get("flg"), chosen, r.Header.Get("Accept-Language"))
	return p.texts[index]
}

// show writes the charter in the visitor's language, with the visitor's
// stored answers, or the charter alone in another format.
func (p *page) show(e exchange) error {
	r := e.request
	query := r.URL.Query()
	header := e.Header()
	header.Add("Vary", "Accept, Accept-Language, Cookie")
	text := p.speak(r)
	if p.archive != nil {
		p.archive.update(p.exportJSON, p.logger())
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
		return lead(e, "?"+query.Encode())
	}
	if done, err := p.resolve(e, query); done {
		return err
	}
	data := p.data(e, text)
	var body bytes.Buffer
	if err := p.template.Execute(&body, data); err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	p.observer.viewed()
	header.Set("Content-Language", data.Language)
	header.Set("Referrer-Policy", "same-origin")
	return p.write(e, "text/html; charset=utf-8", body.Bytes())
}

// data returns what the page shows to a visitor.
func (p *page) data(e exchange, text *texts) *PageData {
	r := e.request
	query := r.URL.Query()
	data := &PageData{
		Language:   text.tag.String(),
		Direction:  text.Direction,
		Text:       text,
		Title:      p.title(text),
		Site:       scheme(r) + "://" + r.Host,
		Stylesheet: p.Stylesheet,
		Logo:       p.Logo,
		Header:     p.header,
		Footer:     p.footer,
		Kinds:      p.kinds[text],
		Tables:     p.tables[text],
		Questions:  p.questions(text, e.visitor),
		CanAnswer:  p.canAnswer,
		Banner:     p.banner,
		Manage:     p.manage,
		Kept:       text.duration(p.lifetime),
		Cookies:    p.cookies(text, e.visitor),
		Monitored:  text.Monitored[p.monitored],
		Version:    p.charter.version,
	}
	if !strings.HasSuffix(r.URL.Path, "/") {
		data.Base = path.Base(p.path) + "/"
	}
	data.Style = data.Base + p.styleName
	inOther := url.Values{}
	switch status := query.Get("status"); status {
	case statusSaved, statusUnchanged, statusLost:
		// Only what was just done is told: the address may come back later.
		at := parseTime(query.Get("at"))
		if !e.visitor.isWithin(at, maxStatus) || !isFromHere(r) || status == statusSaved && !e.visitor.keeps(at, "") {
			break
		}
		inOther.Set("status", status)
		inOther.Set("at", query.Get("at"))
		if reference := query.Get("reference"); e.visitor.holds(reference) {
			inOther.Set("reference", reference)
			data.Reference = fmt.Sprintf(text.Reference, reference)
		}
		data.Status = text.Status[status]
		if status == statusSaved {
			from, _ := strconv.ParseUint(query.Get("from"), 10, 31)
			if data.Remaining = p.remaining(e, text, int(from)); data.Remaining != nil {
				inOther.Set("from", strconv.FormatUint(from, 10))
			}
		}
	}
	for _, other := range p.texts {
		tag := other.tag.String()
		inOther.Set("flg", tag)
		data.Languages = append(data.Languages, PageLink{other.Name, tag, "?" + inOther.Encode(), other == text})
	}
	slices.SortFunc(data.Languages, func(a, b PageLink) int { return strings.Compare(a.Language, b.Language) })
	for _, format := range exportFormats {
		data.Exports = append(data.Exports, PageLink{Name: format.name, Link: "?format=" + format.key + "&flg=" + data.Language})
	}
	for _, key := range p.promises {
		data.Promises = append(data.Promises, text.Promises[key])
	}
	if !p.charter.updated.IsZero() {
		data.Updated = &PageDate{p.charter.updated.Format(time.DateOnly), fmt.Sprintf(text.Updated, text.date(p.charter.updated))}
	}
	if p.archive != nil {
		for _, kept := range p.archive.others() {
			data.Versions = append(data.Versions, PageVersion{kept.version, PageDate{kept.served.Format(time.DateOnly), text.date(kept.served)}})
		}
	}
	if given, ok := e.visitor.givenAt(); ok && p.lifetime.unit != session {
		if until := given.Add(time.Duration(p.lifetime.seconds()) * time.Second); until.After(time.Now()) {
			data.Given = fmt.Sprintf(text.ChoiceGiven, text.date(given), text.date(until))
		}
	}
	return data
}

// maxRemaining is how many cookies are named that were not removed yet.
const maxRemaining = 10

// remaining returns the refused cookies that came with the request for a page
// that tells that a choice was saved, after a withdrawal up to a position.
func (p *page) remaining(e exchange, text *texts, position int) []PageRemaining {
	later, never := afterWithdrawal(e.removals.refusedCookies(), e.origin, position)
	var remaining []PageRemaining
	for _, part := range []struct {
		key     string
		cookies []refusedCookie
	}{{"later", later}, {"never", never}} {
		if len(part.cookies) == 0 {
			continue
		}
		shown := PageRemaining{Text: text.Remaining[part.key], More: max(0, len(part.cookies)-maxRemaining)}
		for _, cookie := range part.cookies[:len(part.cookies)-shown.More] {
			shown.Names = append(shown.Names, cookie.name[:min(len(cookie.name), setcookie.MaxShown)])
		}
		remaining = append(remaining, shown)
	}
	return remaining
}

// sample returns data of which every part shows.
func (p *page) sample(text *texts) *PageData {
	link := []PageLink{{"name", "fr", "/", false}, {"name", "en", "/", true}}
	word := PageText{"text", "fr"}
	return &PageData{
		Language: text.tag.String(), Direction: text.Direction, Text: text, Title: word, Site: "https://example.fr", Style: styleFile,
		Stylesheet: "/x.css", Logo: "/x.svg", Header: p.header, Footer: p.footer, Languages: link, Status: "status", Reference: "reference",
		Remaining: []PageRemaining{{"text", Names{"a", "b"}, 1}, {Names: Names{"c"}}},
		Kinds:     []PageKind{{"name", "definition", []PageRow{{Names{"a", "b"}, word, word, word, "1 day", true}, {Names: Names{"c"}}}, true}, {Name: "name"}},
		Questions: []PageQuestion{{"key", []PageText{word, word}, "kind", Names{"a", "b"}, "stored", true, true}, {Key: "key"}},
		CanAnswer: true, Banner: true, Manage: []string{"/"}, Kept: "6 months", Given: "given",
		Cookies:  []PageCookie{{"a", true, word, refused.String(), "outcome"}, {}},
		Promises: []string{"promise"}, Monitored: "monitored", Version: "version", Updated: &PageDate{"2026-11-21", "words"},
		Versions: []PageVersion{{"version", PageDate{"2026-11-21", "words"}}}, Exports: link,
	}
}

// kindsIn returns the four kinds with the rows of each.
func (p *page) kindsIn(text *texts) []PageKind {
	kinds := make([]PageKind, 0, len(categories))
	for _, category := range categories {
		kind := PageKind{Name: text.Kinds[category].Name, Definition: text.Kinds[category].Definition}
		for _, cookie := range p.charter.cookies {
			if cookie.Category != category {
				continue
			}
			row := PageRow{
				Names:    cookie.Name,
				Provider: p.in(text, cookie.Provider),
				Service:  p.in(text, cookie.Service),
				Purpose:  p.in(text, cookie.Purpose),
				Exempt:   cookie.Exempt,
			}
			if lifetime, ok := cookie.published(p.policy.enforcesDuration); ok {
				row.Duration = text.duration(lifetime)
				kind.HasDurations = true
			}
			kind.Rows = append(kind.Rows, row)
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// questions returns what the visitor can answer, a question per consent key.
func (p *page) questions(text *texts, visitor *visitor) []PageQuestion {
	keys := p.charter.consentKeys()
	questions := make([]PageQuestion, 0, len(keys))
	for _, key := range keys {
		question := PageQuestion{Key: key}
		stored := answerNone
		for _, cookie := range p.charter.cookies {
			if cookie.key != key {
				continue
			}
			question.Names = append(question.Names, cookie.Name...)
			stored = max(stored, visitor.givenTo(cookie))
			provider := p.in(text, cookie.Provider)
			if provider.Text != "" && !slices.Contains(question.Providers, provider) && !slices.Contains(categories, Category(key)) {
				question.Providers = append(question.Providers, provider)
			}
			question.Kind = text.Kinds[cookie.Category].Name
		}
		written := visitor.writtenTo(key)
		question.Granted, question.Refused = written == answerGranted, written == answerRefused
		question.Stored = text.Stored[stored.String()]
		if stored == answerNone && visitor.opposed {
			question.Stored = text.Opposed
		}
		questions = append(questions, question)
	}
	return questions
}

// cookies returns what the browser sent, each name once, and what happens to it.
func (p *page) cookies(text *texts, visitor *visitor) []PageCookie {
	var cookies []PageCookie
	seen := map[string]bool{}
	for name := range visitor.lines.Names() {
		if len(cookies) == setcookie.MaxCookies || seen[name] {
			continue
		}
		seen[name] = true
		judged := p.policy.judgePair(name, name != "", visitor)
		word := judged.verdict.String()
		cookie := PageCookie{Name: strings.ToValidUTF8(name[:min(len(name), setcookie.MaxShown)], "�"), Declared: judged.row != nil, Verdict: word, Outcome: text.Outcomes[word]}
		switch {
		case judged.verdict == refused && judged.monitored:
			cookie.Outcome = text.Outcomes["refused_monitored"]
		case judged.verdict != allowed && judged.keeps:
			cookie.Outcome = text.Outcomes[word+"_passed"]
		}
		if judged.row != nil {
			cookie.Purpose = p.in(text, judged.row.Purpose)
		}
		cookies = append(cookies, cookie)
	}
	return cookies
}

// in returns a charter's text, in the page's language if it has that.
func (p *page) in(text *texts, t Text) PageText {
	own := text.tag.String()
	found, language := t.find(own, p.texts[0].tag.String(), "en")
	if language == own {
		language = ""
	}
	return PageText{found, language}
}

// title returns the page's title.
func (p *page) title(text *texts) PageText {
	if len(p.Title) > 0 {
		return p.in(text, p.Title)
	}
	return PageText{Text: text.Title}
}

// gpcPath is where a site tells that it respects Global Privacy Control (W3C,
// Global Privacy Control, section 4).
const gpcPath = "/.well-known/gpc.json"

func (p *page) serveGPC(e exchange) error {
	if e.request.Method != http.MethodGet && e.request.Method != http.MethodHead {
		e.Header().Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, fmt.Errorf("method %s on %s", e.request.Method, gpcPath))
	}
	return p.write(e, "application/json", fmt.Appendf(nil, `{"gpc":true,"lastUpdate":%q}`, p.gpc))
}

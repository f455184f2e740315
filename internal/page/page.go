// Package page shows a charter, takes the visitor's choice, and gives the same table in
// other formats.
package page

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

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/caching"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/removal"
	"github.com/cookie-charter/cookie_charter/internal/request"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// files are the page's own: templates, styles, the script and the schema.
//
//go:embed *.html *.css *.js *.json languages
var files embed.FS

// Config says where the charter page is and how it looks.
//
// Colours, fonts and widths are CSS custom properties whose names begin with
// `--charter-`; an extra stylesheet can set them. Its Content-Security-Policy
// lets the page load styles, images and fonts from its own site only, and no
// script.
type Config struct {
	// The path of the page, from the root, served with and without the slash at
	// its end. Default: `/terms/cookies-policy/`.
	Path string `json:"path,omitempty"`

	// The title, one for all languages or one per language. Default: "Cookie
	// policy" in the visitor's language.
	Title charter.Text `json:"title,omitempty"`

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
	DefaultPath     = "/terms/cookies-policy/"
	NeutralTheme    = "neutral"
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

var Themes = []string{NeutralTheme, "dsfr"}

// CheckPath returns an error if the page cannot have a path.
func CheckPath(of string) error {
	if trimmed := strings.TrimSuffix(of, "/"); !strings.HasPrefix(trimmed, "/") || path.Clean(trimmed) != trimmed || strings.ContainsAny(trimmed, "?#*{}% \\") || setcookie.HasControls(trimmed) {
		return fmt.Errorf("%q is no path for the page; write one from the root, such as %s", of, DefaultPath)
	}
	return nil
}

// CheckTheme returns an error if there is no such look.
func CheckTheme(name string) error {
	if !slices.Contains(Themes, name) {
		return fmt.Errorf("unknown theme %q; use one of %s", name, strings.Join(Themes, ", "))
	}
	return nil
}

// CheckLink returns an error if a link leads to another site.
func CheckLink(link string) error {
	if !isLocal(link) {
		return fmt.Errorf("%q is not on this site; write a path from the root, such as /static/portal.css", link)
	}
	return nil
}

// ValidateTitle returns an error if the title is in a language that the page does not
// speak.
func (o *Config) ValidateTitle() error {
	for _, language := range slices.Sorted(maps.Keys(o.Title)) {
		if language != "" && !slices.Contains(Languages, language) {
			return fmt.Errorf("the page does not speak %q; use one of %s, and put titles of several words in quotes", language, strings.Join(Languages, ", "))
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

// Data is what the template of the charter page shows.
type Data struct {
	Language, Direction string // a language tag; "ltr" or "rtl"
	Text                *texts // the page's own words, as in page/languages/en.yaml
	Title               Text
	Site                string // the address of the portal, such as https://data.example.fr
	Base                string // of relative links: the page's own folder, such as "" or "cookies-policy/"
	Style               string // the page's own stylesheet, with its version
	Stylesheet, Logo    string
	Header, Footer      template.HTML
	Languages           []Link // the page in the other languages
	Status              string // what became of a form post; "" if there was none
	Remaining           []Remaining
	Reference           string // of its record; "" if there is none
	Kinds               []Kind
	Tables              template.HTML // the part "charter-tables", of Kinds alone: it is made at load, a language each
	Questions           []Question    // one per consent key
	CanAnswer           bool          // on this page
	Banner              bool          // the portal's own banner asks, too
	Manage              []string      // links to it
	Kept                string        // how long an answer is kept
	Given               string        // when the stored answers were given and until when they hold; "" if there are none
	Cookies             []Cookie      // what the browser sent
	Promises            []string
	Monitored           string // that it is not enforced yet; "" if it is
	Version             string
	Updated             *Date
	Versions            []Version // that were served before
	Exports             []Link    // the same table in other formats
}

// Text is a text of the charter. Language is empty if it is in the page's
// own, or in none that is known.
type Text struct{ Text, Language string }

// Link is a link. Language is that of the page behind it, "" for the same.
type Link struct {
	Name, Language, Link string
	Current              bool
}

// Remaining are refused cookies that are still in the browser after a choice
// was saved.
type Remaining struct {
	Text  string        // when they go, or that they cannot be removed from here
	Names charter.Names // of the first of them
	More  int           // how many there are besides
}

// Kind is one of the four kinds of cookies with its rows.
type Kind struct {
	Name, Definition string
	Rows             []Row
	HasDurations     bool
}

// Row is a row of the charter.
type Row struct {
	Names                      charter.Names
	Provider, Service, Purpose Text
	Duration                   string // as it is enforced
	Exempt                     bool
}

// Question is what a visitor can answer, and has answered.
type Question struct {
	Key              string
	Providers        []Text
	Kind             string
	Names            charter.Names
	Stored           string // the answer in force, in words
	Granted, Refused bool   // what the form shows
}

// Cookie is a cookie that the browser sent with the request for the page.
// Its value is not part of it.
type Cookie struct {
	Name     string // "" if it has none
	Declared bool   // by a row
	Purpose  Text   // of the row
	Verdict  string // "allowed", "undeclared" or "refused"
	Outcome  string // what happens to it, in words
}

// Date is a day.
type Date struct{ ISO, Words string }

// Version is a version of the charter that was served.
type Version struct {
	Version string
	Served  Date // the first day
}

// An asset is a file beside the page.
type asset struct {
	contentType  string
	cacheControl string
	body         []byte
}

// Options are what a page is made of.
type Options struct {
	Config
	Language       string // where the visitor asks for none
	Charter        *charter.Charter
	Answers        *answers.Store
	Policy         *judge.Policy
	RecordsChoices bool
	GPC            string  // the date of gpcPath, "" if that is not served
	Module         string  // its version
	Storage        Storage // Caddy's; nil where nothing is served
	Observer       Observer
	Logger         func() *zap.Logger
}

// An Observer is told what happens on the page.
type Observer interface {
	// Viewed tells that the page was shown.
	Viewed()

	// Chose tells what was chosen by form, before that is answered.
	Chose(made Choice)

	// Lost tells that a choice, of which there is a record if it has a reference, is
	// not in force as it was made, and what is in force.
	Lost(reference string, inForce map[string]answers.Answer)
}

// A Choice is what was chosen by form.
type Choice struct {
	Answers   map[string]answers.Answer // by consent key
	Source    string                    // page or notice
	Language  string
	Opposed   bool   // by Global Privacy Control
	Reference string // of the record; "" if there is none
}

// An Exchange is a request for the page, with its answer.
type Exchange struct {
	http.ResponseWriter
	Request  *http.Request
	Visitor  *answers.Visitor
	Origin   removal.Origin
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
	promises    []string         // keys of texts.Promises
	monitored   string           // key of texts.Monitored; "" if all is enforced
	lifetime    charter.Duration // of the stored preference
	Path        string           // without the slash at its end
	texts       []*texts         // the default language first, as in matcher
	matcher     language.Matcher
	kinds       map[*texts][]Kind
	tables      map[*texts]template.HTML
	template    *template.Template
	header      template.HTML
	footer      template.HTML
	styleName   string // with its version
	assets      map[string]asset
	archive     *archive
	origins     *http.CrossOriginProtection
}

func New(options Options) (*Page, error) {
	p := &Page{
		Options: options,
		Path:    strings.TrimSuffix(options.Path, "/"),
		origins: http.NewCrossOriginProtection(),
	}
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
	p.promises = []string{"set"}
	if !p.Policy.PassesRequests {
		p.promises = append(p.promises, "requests")
	}
	p.promises = append(p.promises, "expiries")
	if p.Policy.EnforcesDuration {
		p.promises = append(p.promises, "durations")
	}
	switch {
	case p.Policy.Monitor == judge.MonitorEverything:
		p.promises, p.monitored = nil, "everything"
	case p.Policy.Monitor != "" || slices.ContainsFunc(p.Charter.Rows, func(row *charter.Row) bool { return row.Monitor }):
		p.monitored = "some"
	}
	var err error
	if p.texts, p.matcher, err = loadLanguages(p.Language); err != nil {
		return nil, err
	}
	p.kinds = map[*texts][]Kind{}
	for _, text := range p.texts {
		p.kinds[text] = p.kindsIn(text)
	}
	if err := p.loadFiles(); err != nil {
		return nil, err
	}
	if p.Archive != "" {
		if p.archive, err = openArchive(p.Archive, p.Charter.Version, p.Storage, p.Answers.Now); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// loadFiles reads the files of the page: its own, and the operator's.
func (p *Page) loadFiles() error {
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
	if p.template, err = template.ParseFS(files, "*.html"); err != nil {
		return err
	}
	p.template = p.template.Lookup("page.html")
	if override != "" {
		if err := p.override(string(override)); err != nil {
			return fmt.Errorf("%w, in %s", err, p.Template)
		}
	}

	style, err := files.ReadFile(styleFile)
	if err != nil {
		return err
	}
	theme, err := files.ReadFile(p.Theme + ".css")
	if err != nil {
		return err
	}
	style = slices.Concat(theme, style)
	notice, err := files.ReadFile(noticeStyleFile)
	if err != nil {
		return err
	}
	schema, err := files.ReadFile(schemaFile)
	if err != nil {
		return err
	}
	const anHour = "public, max-age=3600"
	p.assets = map[string]asset{
		styleFile:       {"text/css; charset=utf-8", "public, max-age=31536000, immutable", style},
		noticeStyleFile: {"text/css; charset=utf-8", anHour, notice},
		schemaFile:      {"application/schema+json", anHour, schema},
	}
	p.styleName = styleFile + "?v=" + charter.Hash(style, 4)
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
		data := Data{Language: text.tag.String(), Direction: text.Direction, Text: text, Kinds: p.kinds[text]}
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
func (p *Page) override(text string) error {
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
func (p *Page) newScript() ([]byte, error) {
	type storageCopy struct {
		Key     string `json:"key"`
		Cookie  string `json:"cookie"`
		Seconds int    `json:"seconds"`
	}
	var copies []storageCopy
	for _, preference := range p.Answers.Preferences {
		if preference.LocalStorage != "" {
			copies = append(copies, storageCopy{preference.LocalStorage, preference.Names[0], preference.Lifetime.Seconds()})
		}
	}
	if copies == nil {
		return nil, nil
	}
	script, err := texttemplate.ParseFS(files, scriptFile)
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

// Serves tells whether a path is the page's, or that of a file beside it.
func (p *Page) Serves(path string) bool {
	if path == GPCPath {
		return p.GPC != ""
	}
	rest, ok := strings.CutPrefix(path, p.Path)
	if !ok || rest == "" || rest == "/" || rest == "/"+noticeFile {
		return ok
	}
	name, ok := strings.CutPrefix(rest, "/")
	_, isAsset := p.assets[name]
	return ok && isAsset
}

// Serve answers every request to the page's paths.
func (p *Page) Serve(e Exchange) error {
	if e.Request.URL.Path == GPCPath {
		return p.serveGPC(e)
	}
	method, header := e.Request.Method, e.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "private, no-store")
	caching.DropTargeted(header)
	header.Set("Content-Security-Policy", pagePolicy) // on errors, too: they may have HTML of the operator's
	name := strings.Trim(strings.TrimPrefix(e.Request.URL.Path, p.Path), "/")
	canAnswer := name == "" && p.canAnswer && len(p.Charter.ConsentKeys()) > 0
	isRead := method == http.MethodGet || method == http.MethodHead
	switch asset, isAsset := p.assets[name]; {
	case isRead && isAsset:
		header.Del("Content-Security-Policy")
		header.Set("Cache-Control", asset.cacheControl)
		if name == styleFile && !strings.HasSuffix(p.styleName, "?"+e.Request.URL.RawQuery) {
			header.Set("Cache-Control", "no-cache") // not the version that the page names
		}
		return p.write(e, asset.contentType, asset.body)
	case isRead && name == noticeFile:
		return p.showNotice(e)
	case isRead:
		return p.show(e)
	case method == http.MethodPost && canAnswer:
		return p.storeChoice(e)
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
func (p *Page) write(e Exchange, contentType string, body []byte) error {
	header := e.Header()
	header.Set("Content-Type", contentType)
	header.Add("Vary", "Accept-Encoding")
	if slices.Contains(encode.AcceptedEncodings(e.Request, []string{"gzip"}), "gzip") {
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

// textsFor returns the page's words in the visitor's language, as an
// Opendatasoft front office chooses it: `flg`, `django_language`, the browser's
// languages, the default.
func (p *Page) textsFor(r *http.Request) *texts {
	var chosen string
	for value := range setcookie.Lines(r.Header["Cookie"]).Values("django_language") {
		chosen = value // Django, too, takes the last
	}
	_, index := language.MatchStrings(p.matcher, r.URL.Query().Get("flg"), chosen, r.Header.Get("Accept-Language"))
	return p.texts[index]
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
		p.archive.update(p.exportJSON, p.Logger())
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
	var body bytes.Buffer
	if err := p.template.Execute(&body, data); err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	p.Observer.Viewed()
	header.Set("Content-Language", data.Language)
	header.Set("Referrer-Policy", "same-origin")
	return p.write(e, "text/html; charset=utf-8", body.Bytes())
}

// data returns what the page shows to a visitor.
func (p *Page) data(e Exchange, text *texts) *Data {
	r := e.Request
	query := r.URL.Query()
	data := &Data{
		Language:   text.tag.String(),
		Direction:  text.Direction,
		Text:       text,
		Title:      p.title(text),
		Site:       request.Scheme(r) + "://" + r.Host,
		Stylesheet: p.Stylesheet,
		Logo:       p.Logo,
		Header:     p.header,
		Footer:     p.footer,
		Kinds:      p.kinds[text],
		Tables:     p.tables[text],
		Questions:  p.questions(text, e.Visitor),
		CanAnswer:  p.canAnswer,
		Banner:     p.hasBanner,
		Manage:     p.manageLinks,
		Kept:       text.duration(p.lifetime),
		Cookies:    p.cookies(text, e.Visitor),
		Monitored:  text.Monitored[p.monitored],
		Version:    p.Charter.Version,
	}
	if !strings.HasSuffix(r.URL.Path, "/") {
		data.Base = path.Base(p.Path) + "/"
	}
	data.Style = data.Base + p.styleName
	inOther := url.Values{}
	switch status := query.Get("status"); status {
	case statusSaved, statusUnchanged, statusLost:
		// Only what was just done is told: the address may come back later.
		at := answers.ParseTime(query.Get("at"))
		if !e.Visitor.IsRecent(at, maxStatus) || !isFromSameSite(r) || status == statusSaved && !e.Visitor.Keeps(at, "") {
			break
		}
		inOther.Set("status", status)
		inOther.Set("at", query.Get("at"))
		if reference := query.Get("reference"); e.Visitor.HasReference(reference) {
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
		data.Languages = append(data.Languages, Link{other.Name, tag, "?" + inOther.Encode(), other == text})
	}
	slices.SortFunc(data.Languages, func(a, b Link) int { return strings.Compare(a.Language, b.Language) })
	for _, format := range exportFormats {
		data.Exports = append(data.Exports, Link{Name: format.name, Link: "?format=" + format.key + "&flg=" + data.Language})
	}
	for _, key := range p.promises {
		data.Promises = append(data.Promises, text.Promises[key])
	}
	if !p.Charter.Updated.IsZero() {
		data.Updated = &Date{p.Charter.Updated.Format(time.DateOnly), fmt.Sprintf(text.Updated, text.date(p.Charter.Updated))}
	}
	if p.archive != nil {
		for _, kept := range p.archive.others() {
			data.Versions = append(data.Versions, Version{kept.version, Date{kept.served.Format(time.DateOnly), text.date(kept.served)}})
		}
	}
	if given, ok := e.Visitor.AnswerTime(); ok && p.lifetime.Unit != charter.Session {
		if until := given.Add(time.Duration(p.lifetime.Seconds()) * time.Second); until.After(time.Now()) {
			data.Given = fmt.Sprintf(text.ChoiceGiven, text.date(given), text.date(until))
		}
	}
	return data
}

// maxRemaining is how many cookies are named that were not removed yet.
const maxRemaining = 10

// remaining returns the refused cookies that came with the request for a page
// that tells that a choice was saved, after a withdrawal up to a position.
func (p *Page) remaining(e Exchange, text *texts, position int) []Remaining {
	later, never := removal.AfterWithdrawal(e.Removals.RefusedCookies(), e.Origin, position)
	var remaining []Remaining
	for _, part := range []struct {
		key     string
		cookies []removal.Cookie
	}{{"later", later}, {"never", never}} {
		if len(part.cookies) == 0 {
			continue
		}
		shown := Remaining{Text: text.Remaining[part.key], More: max(0, len(part.cookies)-maxRemaining)}
		for _, cookie := range part.cookies[:len(part.cookies)-shown.More] {
			shown.Names = append(shown.Names, cookie.Name[:min(len(cookie.Name), setcookie.MaxShown)])
		}
		remaining = append(remaining, shown)
	}
	return remaining
}

// sample returns data of which every part shows.
func (p *Page) sample(text *texts) *Data {
	link := []Link{{"name", "fr", "/", false}, {"name", "en", "/", true}}
	word := Text{"text", "fr"}
	return &Data{
		Language: text.tag.String(), Direction: text.Direction, Text: text, Title: word, Site: "https://example.fr", Style: styleFile,
		Stylesheet: "/x.css", Logo: "/x.svg", Header: p.header, Footer: p.footer, Languages: link, Status: "status", Reference: "reference",
		Remaining: []Remaining{{"text", charter.Names{"a", "b"}, 1}, {Names: charter.Names{"c"}}},
		Kinds:     []Kind{{"name", "definition", []Row{{charter.Names{"a", "b"}, word, word, word, "1 day", true}, {Names: charter.Names{"c"}}}, true}, {Name: "name"}},
		Questions: []Question{{"key", []Text{word, word}, "kind", charter.Names{"a", "b"}, "stored", true, true}, {Key: "key"}},
		CanAnswer: true, Banner: true, Manage: []string{"/"}, Kept: "6 months", Given: "given",
		Cookies:  []Cookie{{"a", true, word, judge.Refused.String(), "outcome"}, {}},
		Promises: []string{"promise"}, Monitored: "monitored", Version: "version", Updated: &Date{"2026-11-21", "words"},
		Versions: []Version{{"version", Date{"2026-11-21", "words"}}}, Exports: link,
	}
}

// kindsIn returns the four kinds with the rows of each.
func (p *Page) kindsIn(text *texts) []Kind {
	kinds := make([]Kind, 0, len(charter.Categories))
	for _, category := range charter.Categories {
		kind := Kind{Name: text.Kinds[category].Name, Definition: text.Kinds[category].Definition}
		for _, cookie := range p.Charter.Rows {
			if cookie.Category != category {
				continue
			}
			row := Row{
				Names:    cookie.Name,
				Provider: p.textIn(text, cookie.Provider),
				Service:  p.textIn(text, cookie.Service),
				Purpose:  p.textIn(text, cookie.Purpose),
				Exempt:   cookie.Exempt,
			}
			if lifetime, ok := cookie.PublishedDuration(p.Policy.EnforcesDuration); ok {
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
func (p *Page) questions(text *texts, visitor *answers.Visitor) []Question {
	keys := p.Charter.ConsentKeys()
	questions := make([]Question, 0, len(keys))
	for _, key := range keys {
		question := Question{Key: key}
		answer := answers.None
		for _, cookie := range p.Charter.Rows {
			if cookie.Key != key {
				continue
			}
			question.Names = append(question.Names, cookie.Name...)
			answer = max(answer, visitor.StoredAnswerTo(cookie))
			provider := p.textIn(text, cookie.Provider)
			if provider.Text != "" && !slices.Contains(question.Providers, provider) && !slices.Contains(charter.Categories, charter.Category(key)) {
				question.Providers = append(question.Providers, provider)
			}
			question.Kind = text.Kinds[cookie.Category].Name
		}
		written := visitor.PageAnswerTo(key)
		question.Granted, question.Refused = written == answers.Granted, written == answers.Refused
		question.Stored = text.Stored[answer.String()]
		if answer == answers.None && visitor.Opposed {
			question.Stored = text.Opposed
		}
		questions = append(questions, question)
	}
	return questions
}

// cookies returns what the browser sent, each name once, and what happens to it.
func (p *Page) cookies(text *texts, visitor *answers.Visitor) []Cookie {
	var cookies []Cookie
	known := map[string]bool{}
	for name := range visitor.Lines.Names() {
		if len(cookies) == setcookie.MaxCookies || known[name] {
			continue
		}
		known[name] = true
		judgement := p.Policy.JudgePair(name, name != "", visitor)
		word := judgement.Verdict.String()
		cookie := Cookie{Name: strings.ToValidUTF8(name[:min(len(name), setcookie.MaxShown)], "�"), Declared: judgement.Row != nil, Verdict: word, Outcome: text.Outcomes[word]}
		switch {
		case judgement.Verdict == judge.Refused && judgement.IsMonitored:
			cookie.Outcome = text.Outcomes["refused_monitored"]
		case judgement.Verdict != judge.Allowed && judgement.Keeps:
			cookie.Outcome = text.Outcomes[word+"_passed"]
		}
		if judgement.Row != nil {
			cookie.Purpose = p.textIn(text, judgement.Row.Purpose)
		}
		cookies = append(cookies, cookie)
	}
	return cookies
}

// textIn returns a charter's text, in the page's language if it has that.
func (p *Page) textIn(text *texts, t charter.Text) Text {
	own := text.tag.String()
	found, language := t.Find(own, p.texts[0].tag.String(), "en")
	if language == own {
		language = ""
	}
	return Text{found, language}
}

// title returns the page's title.
func (p *Page) title(text *texts) Text {
	if len(p.Title) > 0 {
		return p.textIn(text, p.Title)
	}
	return Text{Text: text.Title}
}

// GPCPath is where a site tells that it respects Global Privacy Control (W3C,
// Global Privacy Control, section 4).
const GPCPath = "/.well-known/gpc.json"

func (p *Page) serveGPC(e Exchange) error {
	if e.Request.Method != http.MethodGet && e.Request.Method != http.MethodHead {
		e.Header().Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, fmt.Errorf("method %s on %s", e.Request.Method, GPCPath))
	}
	return p.write(e, "application/json", fmt.Appendf(nil, `{"gpc":true,"lastUpdate":%q}`, p.GPC))
}

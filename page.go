package cookiecharter

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

//go:embed page
var pageFiles embed.FS

const (
	defaultPageLanguage = "fr"
	styleFile           = "style.css"
	scriptFile          = "local_storage.js"
	maxTurns            = 8        // detours after a post, for removals that its answer had no room for
	maxForm             = 64 << 10 // bytes of a form post; the longest that the form can send is far below
	pagePolicy          = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

// preferenceLifetime is how long the visitor's choice is kept if the row of its
// cookie says nothing else: what the CNIL calls good practice (recommendation of
// 17 September 2020).
var preferenceLifetime = duration{6, "month"}

// pageLanguages are the languages that the page speaks, a file each.
var pageLanguages = []string{"en", "fr"}

// texts are the page's own words in one language, read from its file.
type texts struct {
	Title      string                       `yaml:"title"`
	Date       string                       `yaml:"date"` // of day, month, year
	Months     []string                     `yaml:"months"`
	Updated    string                       `yaml:"updated"` // of a date
	Back       string                       `yaml:"back"`
	WhatTitle  string                       `yaml:"what_title"`
	What       string                       `yaml:"what"`
	KindsTitle string                       `yaml:"kinds_title"`
	Kinds      map[Category]kindText        `yaml:"kinds"`
	UsedTitle  string                       `yaml:"used_title"` // of the site
	Columns    columnTexts                  `yaml:"columns"`
	Exempt     string                       `yaml:"exempt"`
	Durations  map[string]map[string]string `yaml:"durations"` // by unit and plural form, of a number

	ChoiceTitle     string            `yaml:"choice_title"`
	Choice          string            `yaml:"choice"`
	ChoiceKept      string            `yaml:"choice_kept"` // of a duration
	ChoiceElsewhere string            `yaml:"choice_elsewhere"`
	ChoiceBanner    string            `yaml:"choice_banner"`
	Manage          string            `yaml:"manage"`
	NothingToChoose string            `yaml:"nothing_to_choose"`
	AcceptAll       string            `yaml:"accept_all"`
	RefuseAll       string            `yaml:"refuse_all"`
	Save            string            `yaml:"save"`
	Accept          string            `yaml:"accept"`
	Refuse          string            `yaml:"refuse"`
	Stored          map[string]string `yaml:"stored"`  // by answer
	Opposed         string            `yaml:"opposed"` // by Global Privacy Control
	Status          map[string]string `yaml:"status"`

	PromiseTitle string            `yaml:"promise_title"`
	Promise      string            `yaml:"promise"`
	Promises     map[string]string `yaml:"promises"` // by what is kept
	LimitsTitle  string            `yaml:"limits_title"`
	Limits       []string          `yaml:"limits"`
	LimitsAdvice string            `yaml:"limits_advice"`

	tag language.Tag
}

type kindText struct {
	Name       string `yaml:"name"`
	Definition string `yaml:"definition"`
}

type columnTexts struct {
	Service  string `yaml:"service"`
	Name     string `yaml:"name"`
	Purpose  string `yaml:"purpose"`
	Duration string `yaml:"duration"`
}

// What a form post did, told to the page that it leads to.
const (
	statusSaved     = "saved"
	statusUnchanged = "unchanged"
	statusLost      = "lost" // the browser did not keep what was saved
)

// pageData is what the template shows.
type pageData struct {
	Language  string
	Text      *texts
	Site      string // the portal's own address
	Style     string
	Status    string
	Kinds     []pageKind
	Questions []pageQuestion
	CanAnswer bool // on this page
	Banner    bool // asks, too
	Manage    []string
	Kept      string
	Promises  []string
	Updated   *pageDate
}

type pageKind struct {
	kindText
	Rows         []pageRow
	HasDurations bool
}

type pageRow struct {
	Names                                Names
	Provider, Service, Purpose, Duration string
	Exempt                               bool
}

type pageQuestion struct {
	Key, Label, Stored string
	Names              Names
	Granted, Refused   bool
}

type pageDate struct {
	ISO, Words string
}

// A page shows the charter and stores the visitor's preference.
type page struct {
	charter   *charter
	canAnswer bool     // with the form; else the preference is a banner's to write
	banner    bool     // asks, too
	manage    []string // links to where else a choice can be changed
	promises  []string // keys of texts.Promises
	enforces  bool     // the durations
	lifetime  duration // of the stored preference
	path      string   // without the slash at its end
	texts     []*texts // the default language first, as in matcher
	matcher   language.Matcher
	template  *template.Template
	style     []byte
	styleName string // with its version
	script    []byte // copies answers from local storage; nil if none are there
	origins   *http.CrossOriginProtection
}

func newPage(h *Handler) (*page, error) {
	p := &page{
		charter:  h.charter,
		enforces: h.Durations != declareDurations,
		path:     strings.TrimSuffix(h.Page, "/"),
		origins:  http.NewCrossOriginProtection(),
	}
	for i := range h.Preferences {
		preference := &h.Preferences[i]
		if preference.Manage != "" {
			p.manage = append(p.manage, preference.Manage)
		}
		if !preference.isWritten() {
			p.banner = true
			continue
		}
		lifetime := p.lifetimeOf(h.charter.find(preference.cookies()[0]))
		if !p.canAnswer || lifetime.seconds() < p.lifetime.seconds() {
			p.lifetime = lifetime
		}
		p.canAnswer = true
	}
	p.promises = []string{"set"}
	if h.RequestCookies != passCookies {
		p.promises = append(p.promises, "requests")
	}
	p.promises = append(p.promises, "expiries")
	if p.enforces {
		p.promises = append(p.promises, "durations")
	}
	for _, given := range []answer{answerGranted, answerRefused} {
		answers := map[string]answer{}
		for _, key := range h.charter.consentKeys() {
			answers[key] = given
		}
		for _, cookie := range (&preference{handler: h}).store(answers, time.Now()) {
			if length := len(cookie.name) + len(cookie.value); length > maxPreference {
				return nil, fmt.Errorf("the charter has %d consent keys, whose answers take %d bytes; a cookie holds %d: let more rows share a key", len(answers), length, maxPreference)
			}
		}
	}

	languages := slices.Clone(pageLanguages)
	if i := slices.Index(languages, h.Language); i > 0 {
		languages[0], languages[i] = languages[i], languages[0]
	}
	var tags []language.Tag
	for _, name := range languages {
		loaded, err := loadTexts(name)
		if err != nil {
			return nil, err
		}
		p.texts = append(p.texts, loaded)
		tags = append(tags, loaded.tag)
	}
	p.matcher = language.NewMatcher(tags)

	var err error
	if p.script, err = p.newScript(h.Preferences); err != nil {
		return nil, err
	}
	if p.template, err = template.ParseFS(pageFiles, "page/page.html"); err != nil {
		return nil, err
	}
	if p.style, err = pageFiles.ReadFile("page/" + styleFile); err != nil {
		return nil, err
	}
	p.styleName = styleFile + "?v=" + hash(p.style, 4)
	return p, nil
}

// newScript returns the script that copies what banners keep in local storage,
// nil if none does.
func (p *page) newScript(preferences []PreferenceFormat) ([]byte, error) {
	type storageCopy struct {
		Key     string `json:"key"`
		Cookie  string `json:"cookie"`
		Seconds int    `json:"seconds"`
	}
	var copies []storageCopy
	for _, preference := range preferences {
		if preference.LocalStorage != "" {
			name := preference.cookies()[0]
			copies = append(copies, storageCopy{preference.LocalStorage, name, p.lifetimeOf(p.charter.find(name)).seconds()})
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

func loadTexts(name string) (*texts, error) {
	data, err := pageFiles.ReadFile("page/" + name + ".yaml")
	if err != nil {
		return nil, err
	}
	loaded := &texts{tag: language.MustParse(name)}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(loaded); err != nil {
		return nil, fmt.Errorf("page/%s.yaml: %w", name, err)
	}
	return loaded, nil
}

func validatePagePath(pagePath string) error {
	trimmed := strings.TrimSuffix(pagePath, "/")
	if !strings.HasPrefix(trimmed, "/") || path.Clean(trimmed) != trimmed || strings.ContainsAny(trimmed, "?#*{}% \\") || hasControls(trimmed) {
		return fmt.Errorf("%q is no path for the page; write one from the root, such as /terms/cookies-policy/", pagePath)
	}
	return nil
}

// serves tells whether a path is the page's, or that of its style.
func (p *page) serves(path string) bool {
	rest, ok := strings.CutPrefix(path, p.path)
	return ok && (rest == "" || rest == "/" || rest == "/"+styleFile || rest == "/"+scriptFile && p.script != nil)
}

// serve answers every request to the page's paths.
func (p *page) serve(f *filter) error {
	method, header := f.request.Method, f.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	name := strings.Trim(strings.TrimPrefix(f.request.URL.Path, p.path), "/")
	canAnswer := name == "" && p.canAnswer && len(p.charter.consentKeys()) > 0
	isRead := method == http.MethodGet || method == http.MethodHead
	if name == "" || !isRead {
		header.Set("Cache-Control", "private, no-store")
	}
	switch {
	case isRead && name == styleFile:
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
		if !strings.HasSuffix(p.styleName, "?"+f.request.URL.RawQuery) {
			header.Set("Cache-Control", "no-cache") // not the version that the page names
		}
		write(f, "text/css; charset=utf-8", p.style)
		return nil
	case isRead && name == scriptFile:
		header.Set("Cache-Control", "public, max-age=3600")
		write(f, "text/javascript; charset=utf-8", p.script)
		return nil
	case isRead:
		return p.show(f)
	case method == http.MethodPost && canAnswer:
		return p.store(f)
	case canAnswer:
		header.Set("Allow", "GET, HEAD, POST")
	default:
		header.Set("Allow", "GET, HEAD")
	}
	return caddyhttp.Error(http.StatusMethodNotAllowed, fmt.Errorf("method %s on the charter page", method))
}

func write(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // that a visitor has left is no error
}

// language returns the page's words in the visitor's language, as an
// Opendatasoft front office chooses it: `flg`, `django_language`, the browser's
// languages, the default.
func (p *page) language(r *http.Request) *texts {
	var chosen string
	for value := range cookieLines(r.Header["Cookie"]).values("django_language") {
		chosen = value // Django, too, takes the last
	}
	_, index := language.MatchStrings(p.matcher, r.URL.Query().Get("flg"), chosen, r.Header.Get("Accept-Language"))
	return p.texts[index]
}

// show writes the charter in the visitor's language, with the visitor's
// stored answers.
func (p *page) show(f *filter) error {
	r := f.request
	text := p.language(r)
	query := r.URL.Query()
	turn, notTurn := strconv.ParseUint(query.Get("turn"), 10, 0)
	from, notFrom := strconv.ParseUint(query.Get("from"), 10, 16)
	if f.refused && notTurn == nil && turn < maxTurns && notFrom == nil && f.withdraw(query, int(turn)+1, int(from)) {
		return p.lead(f, query)
	}
	data := pageData{
		Language:  text.tag.String(),
		Text:      text,
		Site:      scheme(r) + "://" + r.Host,
		Style:     p.styleName,
		Kinds:     p.kinds(text),
		Questions: p.questions(text, &f.visitor),
		CanAnswer: p.canAnswer,
		Banner:    p.banner,
		Manage:    p.manage,
		Kept:      text.duration(p.lifetime),
	}
	if !strings.HasSuffix(r.URL.Path, "/") {
		data.Style = path.Base(p.path) + "/" + p.styleName
	}
	for _, key := range p.promises {
		data.Promises = append(data.Promises, text.Promises[key])
	}
	if date := p.charter.updated; !date.IsZero() {
		words := fmt.Sprintf(text.Date, date.Day(), text.Months[date.Month()-1], date.Year())
		data.Updated = &pageDate{date.Format(time.DateOnly), fmt.Sprintf(text.Updated, words)}
	}
	switch status := query.Get("status"); status {
	case statusSaved:
		if !f.visitor.isOf(query.Get("at")) {
			status = statusLost
		}
		data.Status = text.Status[status]
	case statusUnchanged:
		data.Status = text.Status[status]
	}

	var body bytes.Buffer
	if err := p.template.Execute(&body, data); err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	f.Header().Set("Content-Language", data.Language)
	f.Header().Set("Content-Security-Policy", pagePolicy)
	f.Header().Set("Referrer-Policy", "same-origin")
	write(f, "text/html; charset=utf-8", body.Bytes())
	return nil
}

// kinds returns the four kinds with the rows of each.
func (p *page) kinds(text *texts) []pageKind {
	kinds := make([]pageKind, 0, len(categories))
	for _, category := range categories {
		kind := pageKind{kindText: text.Kinds[category]}
		for _, cookie := range p.charter.cookies {
			if cookie.Category != category {
				continue
			}
			row := pageRow{
				Names:    cookie.Name,
				Provider: p.in(text, cookie.Provider),
				Service:  p.in(text, cookie.Service),
				Purpose:  p.in(text, cookie.Purpose),
				Exempt:   cookie.Exempt,
			}
			if declared, err := parseDuration(cookie.Duration); err == nil {
				row.Duration = text.duration(p.kept(cookie, declared))
				kind.HasDurations = true
			}
			kind.Rows = append(kind.Rows, row)
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// kept returns how long a cookie lives of which a duration is declared.
func (p *page) kept(cookie *Cookie, declared duration) duration {
	if p.enforces && cookie.limit.seconds() < declared.seconds() {
		return cookie.limit
	}
	return declared
}

// questions returns what the visitor can answer, a question per consent key.
func (p *page) questions(text *texts, visitor *preference) []pageQuestion {
	keys := p.charter.consentKeys()
	questions := make([]pageQuestion, 0, len(keys))
	for _, key := range keys {
		question := pageQuestion{Key: key}
		var providers []string
		stored := answerNone
		for _, cookie := range p.charter.cookies {
			if cookie.consentKey() != key {
				continue
			}
			question.Names = append(question.Names, cookie.Name...)
			stored = max(stored, visitor.givenTo(cookie))
			if provider := p.in(text, cookie.Provider); provider != "" && !slices.Contains(providers, provider) {
				providers = append(providers, provider)
			}
			question.Label = text.Kinds[cookie.Category].Name
		}
		if key != string(Statistics) && key != string(FirstParty) && key != string(ThirdParty) && len(providers) > 0 {
			question.Label = strings.Join(providers, ", ") + " – " + question.Label
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

// in returns a charter's text in the page's language.
func (p *page) in(text *texts, t Text) string {
	return t.in(text.tag.String(), p.texts[0].tag.String(), "en")
}

// duration returns a lifetime in words.
func (t *texts) duration(d duration) string {
	form := "other"
	if plural.Cardinal.MatchPlural(t.tag, d.count, 0, 0, 0, 0) == plural.One {
		form = "one"
	}
	if d.unit == session {
		return t.Durations[session]["other"]
	}
	return fmt.Sprintf(t.Durations[d.unit][form], d.count)
}

// store takes a form post and leads back to the page.
func (p *page) store(f *filter) error {
	r := f.request
	if err := p.origins.Check(r); err != nil {
		return caddyhttp.Error(http.StatusForbidden, err)
	}
	given, err := p.readForm(f, r)
	if err != nil {
		return caddyhttp.Error(http.StatusBadRequest, err)
	}
	query := url.Values{"status": {statusUnchanged}}
	if len(given) > 0 {
		now := time.Now()
		query = url.Values{"status": {statusSaved}, "at": {strconv.FormatInt(now.UnixMilli(), 10)}}
		for _, cookie := range f.visitor.store(given, now) {
			f.Header().Add("Set-Cookie", p.setCookie(cookie, r))
		}

		// What is refused from now on is removed, beginning with this answer.
		f.withdraw(query, 0, 0)
	}
	if r.URL.Query().Has("flg") {
		query.Set("flg", p.language(r).tag.String())
	}
	return p.lead(f, query)
}

// withdraw adds to the answer what removes refused cookies, from a position on,
// and to the query where the next answer goes on. It tells whether there was
// anything to add.
func (f *filter) withdraw(query url.Values, turn, from int) bool {
	lines, next := withdrawal(f.refusedCookies(), f.request, from)
	if len(lines) == 0 {
		return false
	}
	f.addExpiries(lines)
	query.Set("turn", strconv.Itoa(turn))
	query.Set("from", strconv.Itoa(next))
	return true
}

// lead leads to the page with another query. The reference is relative, as the
// path that the client sees is not always the one that arrives here.
func (p *page) lead(f *filter, query url.Values) error {
	f.Header().Set("Location", "?"+query.Encode())
	f.WriteHeader(http.StatusSeeOther)
	return nil
}

// readForm returns the answers in a form post.
func (p *page) readForm(w http.ResponseWriter, r *http.Request) (map[string]answer, error) {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, errors.New("not a form")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, err
	}
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("malformed form") // the error itself would quote it
	}
	keys := p.charter.consentKeys()
	given, all := map[string]answer{}, answerNone
	for field, values := range fields {
		key, isAnswer := strings.CutPrefix(field, "answer.")
		isField := field == "all" || isAnswer && slices.Contains(keys, key)
		if !isField || len(values) != 1 {
			return nil, errors.New("not a field of the form")
		}
		var value answer
		switch values[0] {
		case answerGranted.String():
			value = answerGranted
		case answerRefused.String():
			value = answerRefused
		default:
			return nil, errors.New("not an answer")
		}
		if isAnswer {
			given[key] = value
		} else {
			all = value
		}
	}
	if all != answerNone {
		for _, key := range keys {
			given[key] = all
		}
	}
	return given, nil
}

// lifetimeOf returns how long a cookie lives that holds the preference: six
// months, or as long as its row says.
func (p *page) lifetimeOf(row *Cookie) duration {
	declared, err := parseDuration(row.Duration)
	if err != nil {
		declared = preferenceLifetime
	}
	return p.kept(row, declared)
}

// setCookie returns the line that stores a preference, where its row says.
func (p *page) setCookie(cookie storedCookie, r *http.Request) string {
	row := p.charter.find(cookie.name)
	line := cookie.name + "=" + cookie.value + "; Path=" + cmp.Or(row.Path, "/")
	if row.Domain != "" {
		line += "; Domain=" + row.Domain
	}
	if row.SameSite == "" {
		line += "; SameSite=Lax"
	}
	if lifetime := p.lifetimeOf(row); lifetime.unit != session {
		line += "; Max-Age=" + strconv.Itoa(lifetime.seconds())
	}
	if scheme(r) == "https" {
		line += "; Secure"
	}
	return line
}

// scheme returns the scheme of the URL as the visitor sees it.
func scheme(r *http.Request) string {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	forwarded, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	if r.TLS != nil || trusted && strings.EqualFold(strings.TrimSpace(forwarded), "https") {
		return "https"
	}
	return "http"
}

// gpcPath is where a site tells that it respects Global Privacy Control (W3C,
// Global Privacy Control, section 4).
const gpcPath = "/.well-known/gpc.json"

func serveGPC(f *filter, lastUpdate string) error {
	if f.request.Method != http.MethodGet && f.request.Method != http.MethodHead {
		f.Header().Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, fmt.Errorf("method %s on %s", f.request.Method, gpcPath))
	}
	write(f, "application/json", fmt.Appendf(nil, `{"gpc":true,"lastUpdate":%q}`, lastUpdate))
	return nil
}

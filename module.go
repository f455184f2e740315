// Package cookiecharter is a Caddy module that keeps the promise of a cookie
// charter: it withholds from the browser, and from the portal behind it, every
// HTTP cookie that the charter does not declare or that the visitor did not
// allow, and publishes the same charter as a page.
package cookiecharter

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"weak"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

func init() {
	caddy.RegisterModule(Handler{})
	httpcaddyfile.RegisterHandlerDirective("cookie_charter", parseCaddyfile)
	// Outermost, so that it sees what every other handler sets.
	httpcaddyfile.RegisterDirectiveOrder("cookie_charter", httpcaddyfile.Before, "header")
}

// Handler withholds the cookies that a charter does not allow, in both
// directions, and serves that charter as a page.
//
// The charter is one table, declared by presets, charter files and inline
// cookies. Where none of the three is given, it is the preset `opendatasoft`.
// A Set-Cookie field leaves only if its name is declared and the row is
// necessary, or exempt and not refused, or granted by the visitor's stored
// preference. This holds for every answer of the handlers after it: of any
// status, informational, upgraded or failed, and whatever handlers do to the
// header after they have written it; in trailers, no cookie leaves. Lines that
// delete a cookie pass. Answers of `handle_errors` routes come from a chain of
// their own; the directive has to stand there too.
//
// Cookies that would not be allowed to leave do not reach the next handlers in
// requests either. Of these, declared ones are removed from the browser, by
// lines that are added to the answer. The request field `Sec-GPC: 1` (Global
// Privacy Control) refuses what the visitor has not answered. An answer of which
// a cookie depends on the preference is marked `Cache-Control: private`, and one
// for which the matcher `cookie_consent` or a placeholder asked for the
// preference, `private, no-store`.
//
// No field takes placeholders.
//
// The page is served where the handler is reached: behind a request matcher,
// only for requests that match.
type Handler struct {
	// Charters shipped with the module: `aws_alb`, `at_internet`, `ckan`,
	// `django`, `eulerian`, `google_analytics`, `matomo`, `opendatasoft`,
	// `piano`, `xiti`. Rows declared elsewhere replace a preset's rows of the
	// same name or match, as do those of a later preset. Default:
	// `opendatasoft` if no rows are declared in any way, else none.
	Presets []string `json:"presets,omitempty"`

	// Charter files, YAML or JSON. A relative path begins at the working
	// directory, in a Caddyfile at the folder of the file where it stands.
	// Default: none.
	Charters []string `json:"charters,omitempty"`

	// Rows declared here. Default: none.
	Cookies []Cookie `json:"cookies,omitempty"`

	// The date of the last update of the rows declared here, as `2026-11-21`.
	// The page shows the latest of all sources' dates. Default: none.
	Updated string `json:"updated,omitempty"`

	// Where the charter page is and how it looks.
	Page Page `json:"page,omitzero"`

	// The language of the page where the visitor asks for none that it speaks:
	// `ar`, `ca`, `de`, `en`, `es`, `eu`, `fr`, `it`, `nl`, `pt` or `sv`.
	// Default: `fr`.
	Language string `json:"language,omitempty"`

	// Where the visitor's preference is stored; of several places, an answer in
	// any counts, and where they disagree, the stricter. Their cookies are always
	// declared, as necessary. Default: the format `opendatasoft` if a row is
	// called `cookies_preferences`, as in the preset of that name, else `charter`.
	Preferences []PreferenceFormat `json:"preferences,omitempty"`

	// What happens to cookies in requests that the charter does not allow:
	// `filter` drops them before the portal, `pass` lets them through, for a
	// portal that needs them. Default: `filter`.
	RequestCookies string `json:"request_cookies,omitempty"`

	// What the declared durations do: `enforce` shortens a cookie that would
	// outlive its row's duration, 400 days, or 13 months for an exempt row;
	// `declare` only publishes them. Default: `enforce`.
	Durations string `json:"durations,omitempty"`

	// The date of `lastUpdate`, as `2026-11-21`, with which
	// `/.well-known/gpc.json` tells that this site respects Global Privacy
	// Control (the request field `Sec-GPC`), as it does in any case. Default:
	// none; the file is not served.
	GPC string `json:"gpc,omitempty"`

	// What is only judged, counted and logged, but not enforced: `everything`,
	// or `undeclared`, for cookies that no row declares. Of what is monitored,
	// nothing is withheld, shortened or removed. Rows can be monitored one by
	// one, too. Default: nothing is.
	Monitor string `json:"monitor,omitempty"`

	// Whether answers tell in a field `Cookie-Charter-Verdicts` what became of the
	// cookies of their request and of their own: a list of names, each with
	// where it came from, its verdict and the effect (RFC 9651), of at most about
	// 2 KiB; never a value. Scripts of the page can read it, so it is for looking
	// into a matter, not for good. Default: false.
	DebugHeader bool `json:"debug_header,omitempty"`

	// Whether a record of every choice that is made by form is written to the
	// logger `http.handlers.cookie_charter.choices`, at level info, before it is
	// answered: its time, a random reference that the visitor sees, the charter's
	// version, the answers, where it was made (page or notice), in which language,
	// and whether the browser opposes (Global Privacy Control). Where the browser
	// did not keep the choice, a second record with the same reference says so. The
	// reference is stored with the choice. Default: false.
	RecordChoices bool `json:"record_choices,omitempty"`

	charter   *charter
	answers   *answerStore
	policy    *policy
	page      *page
	metrics   *metrics
	observers []observer
	logger    *zap.Logger
	choices   *zap.Logger
	ctx       caddy.Context
	events    *caddyevents.App // nil if nobody subscribes
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.cookie_charter",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets up the handler.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.choices = h.logger.Named("choices")
	if site, isWhole := loadingSite(ctx); isWhole {
		if err := site.check(); err != nil {
			return err
		}
	}
	if err := h.prepare(); err != nil {
		return err
	}
	h.ctx = ctx
	if app, err := ctx.AppIfConfigured("events"); err == nil {
		h.events = app.(*caddyevents.App)
	} else if !errors.Is(err, caddy.ErrNotConfigured) {
		return err
	}

	var err error
	if h.metrics, err = newMetrics(ctx.GetMetricsRegistry(), h.charter); err != nil {
		return err
	}
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	h.observers = []observer{h.metrics, inventoryObserver{&judge{h.charter, weak.Make(server)}}}
	if h.DebugHeader {
		h.observers = append(h.observers, headerObserver{})
	}
	if h.logger.Core().Enabled(zapcore.DebugLevel) {
		h.observers = append(h.observers, logObserver{h.logger})
	}
	h.logLoaded(ctx)
	return nil
}

// prepare builds the charter and the page, by which alone they can be checked.
func (h *Handler) prepare() error {
	if len(h.Presets)+len(h.Charters)+len(h.Cookies) == 0 {
		h.Presets = []string{"opendatasoft"}
	}
	if h.Page.Path == "" {
		h.Page.Path = defaultPagePath
	}
	if h.Page.Theme == "" {
		h.Page.Theme = neutralTheme
	}
	if h.Language == "" {
		h.Language = defaultPageLanguage
	}
	if h.RequestCookies == "" {
		h.RequestCookies = "filter"
	}
	if h.Durations == "" {
		h.Durations = "enforce"
	}
	if err := h.validateOptions(); err != nil {
		return err
	}

	var err error
	if h.charter, h.answers, err = h.loadCharter(); err != nil {
		return err
	}
	h.policy = newPolicy(h.charter, policyOptions{
		monitors:         h.Monitor,
		passesRequests:   h.RequestCookies == passCookies,
		enforcesDuration: h.Durations != declareDurations,
	})
	h.page, err = newPage(pageOptions{
		Page:           h.Page,
		language:       h.Language,
		charter:        h.charter,
		answers:        h.answers,
		policy:         h.policy,
		recordsChoices: h.RecordChoices,
		gpc:            h.GPC,
		module:         moduleVersion(),
		observer:       pageTold{h},
		logger:         func() *zap.Logger { return h.logger },
	})
	return err
}

// What the options of two values are called where they turn something off.
const (
	passCookies      = "pass"
	declareDurations = "declare"
)

// warnings returns what is not as it was written, though it can be served.
func (h *Handler) warnings() []string {
	return h.charter.doubts(h.Durations != declareDurations, pageLanguages)
}

// monitoredRows returns the names of the rows that say themselves that they are only
// reported.
func (h *Handler) monitoredRows() []string {
	var names []string
	for _, row := range h.charter.cookies {
		if row.Monitor {
			names = append(names, row.Name[0])
		}
	}
	return names
}

// validateOptions returns the first option with a value that cannot be used.
// An option that is not given has none.
func (h *Handler) validateOptions() error {
	if err := h.Page.validate(); err != nil {
		return err
	}
	if h.Language != "" {
		if err := checkLanguage(h.Language); err != nil {
			return err
		}
	}
	if !slices.Contains([]string{"", "filter", passCookies}, h.RequestCookies) {
		return fmt.Errorf("unknown request_cookies %q; use filter or pass", h.RequestCookies)
	}
	if !slices.Contains([]string{"", "enforce", declareDurations}, h.Durations) {
		return fmt.Errorf("unknown durations %q; use enforce or declare", h.Durations)
	}
	if !slices.Contains([]string{"", monitorEverything, monitorUndeclared}, h.Monitor) {
		return fmt.Errorf("unknown monitor %q; use everything or undeclared", h.Monitor)
	}
	if h.GPC != "" && strings.TrimSuffix(h.Page.Path, "/") == gpcPath {
		return fmt.Errorf("%s is served by the option gpc; choose another path for the page", gpcPath)
	}
	for _, date := range []string{h.Updated, h.GPC} {
		if date != "" {
			parsed, err := parseDate(date)
			if err := cmp.Or(err, checkPast(parsed)); err != nil {
				return err
			}
		}
	}
	return validatePreferences(h.Preferences)
}

// loadCharter joins what is declared, the weakest source first, and says where visitors
// answer to it.
func (h *Handler) loadCharter() (*charter, *answerStore, error) {
	var sources []source
	for _, name := range h.Presets {
		preset, err := loadPreset(name)
		if err != nil {
			return nil, nil, err
		}
		sources = append(sources, preset)
	}
	for _, path := range h.Charters {
		file, err := loadFile(path)
		if err != nil {
			return nil, nil, err
		}
		sources = append(sources, file)
	}
	var inline source
	if h.Updated != "" {
		var err error
		if inline.updated, err = parseDate(h.Updated); err != nil {
			return nil, nil, err
		}
	}
	for i, cookie := range h.Cookies {
		declared := newRow(fmt.Sprintf("inline row %d", i+1))
		declared.Cookie = cookie
		inline.rows = append(inline.rows, declared)
	}

	sources = append(sources, inline)
	if len(h.Preferences) == 0 {
		h.Preferences = []PreferenceFormat{{Format: defaultFormat(sources)}}
	}
	stored, declared, err := preferencesOf(h.Preferences, sources)
	if err != nil {
		return nil, nil, err
	}
	joined, err := newCharter(slices.Concat(declared, sources)...)
	if err != nil {
		return nil, nil, err
	}
	if err := joined.sign(h.Language); err != nil {
		return nil, nil, err
	}
	answers, err := newAnswerStore(stored, joined, h.Durations != declareDurations, time.Now)
	if err != nil {
		return nil, nil, err
	}
	return joined, answers, answers.checkRoom(h.RecordChoices)
}

// defaultFormat returns the format of the preference where none is configured:
// that of Opendatasoft's banner if its cookie is declared, else our own.
func defaultFormat(sources []source) string {
	const opendatasoft = "opendatasoft"
	for _, source := range sources {
		for _, row := range source.rows {
			if slices.Contains(row.Name, storedFormats[opendatasoft].cookies[0]) {
				return opendatasoft
			}
		}
	}
	return charterFormat
}

// logLoaded tells what is in force and where to look.
func (h *Handler) logLoaded(ctx caddy.Context) {
	fields := []zap.Field{
		zap.String("module", moduleVersion()),
		zap.Int("cookies", len(h.charter.cookies)),
		zap.Strings("consent_keys", h.charter.consentKeys()),
		zap.String("page", h.Page.Path),
		zap.String("monitor", cmp.Or(h.Monitor, "nothing")),
	}
	if rows := h.monitoredRows(); len(rows) > 0 {
		fields = append(fields, zap.Strings("monitored_rows", rows))
	}
	if site, _ := loadingSite(ctx); site.listen != nil {
		fields = append(fields, zap.Strings("hosts", site.hosts()), zap.Strings("listen", site.listen))
	}
	h.logger.Info("charter loaded", fields...)
	for _, warning := range h.warnings() {
		h.logger.Warn(warning)
	}
	for i := range h.Preferences {
		for _, note := range h.Preferences[i].notes() {
			h.logger.Info(note)
		}
	}
}

// ServeHTTP is the way of a request: the visitor's preference is read, the
// cookies in the request are judged, the page or the next handlers answer, and
// the cookies in the answer are judged on their way out.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	f := &filter{
		ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		handler:               h,
		request:               r,
		visitor: visitor{
			store:   h.answers,
			lines:   r.Header["Cookie"],
			secure:  h.answers.isHost && isEncrypted(r),
			opposed: slices.Contains(r.Header["Sec-Gpc"], "1"),
		},
	}
	f.share()
	f.dropCookies()

	var err error
	switch {
	case h.page.serves(r.URL.Path) && !isError(r):
		err = h.page.serve(exchange{f, r, &f.visitor, f.origin(), f})
	default:
		err = next.ServeHTTP(f, r)
	}

	// What is still to leave are trailers, or an error's answer, or the header of
	// an answer that nobody wrote, or that a writer below holds back.
	f.release()
	h.tellUnreadable(f.visitor.unreadable)
	return err
}

// isError tells whether a request is in an error route: there is nothing to serve,
// as the page may have failed.
func isError(r *http.Request) bool {
	return r.Context().Value(caddyhttp.ErrorCtxKey) != nil
}

func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	cookie_charter [<matcher>] {
//	    preset     <names...>
//	    charter    <files...>
//	    cookie     <names...> {
//	        match    <names or prefixes*...>
//	        provider [<language>] <text>
//	        service  [<language>] <text>
//	        purpose  [<language>] <text>
//	        category necessary|statistics|first_party|third_party
//	        consent  <key>
//	        exempt
//	        duration <text>
//	        domain   <host>
//	        path     <path>
//	        secure
//	        http_only
//	        same_site Strict|Lax|None
//	        monitor
//	    }
//	    updated         <date>
//	    page [<path>] {
//	        title      [<language>] <text>
//	        logo       <path>
//	        theme      neutral|dsfr
//	        stylesheet <path>
//	        header     <file>
//	        footer     <file>
//	        template   <file>
//	        archive    <folder>
//	    }
//	    language        <language>
//	    preference      <format> [<cookie>] {
//	        key      <consent key> <banner's keys...>
//	        revision <number>
//	        manage   <URL>
//	        local_storage [<key>]
//	    }
//	    request_cookies filter|pass
//	    durations       enforce|declare
//	    monitor         [everything|undeclared]
//	    debug_header
//	    record_choices
//	    gpc             <date>
//	}
//
// `preset`, `charter`, `cookie` and `preference` can be repeated; `provider`, `service` and
// `purpose` can be repeated with another language each.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	if d.NextArg() {
		return d.Errf("cookie_charter takes nothing but a matcher before its block, not %q; write options in the block, such as \"preset opendatasoft\"", d.Val())
	}
	var inline source
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		subdirective := d.Val()
		switch subdirective {
		case "preset", "charter":
			values := d.RemainingArgs()
			if len(values) == 0 {
				return d.Errf("%s names nothing; write one or more behind it", subdirective)
			}
			if subdirective == "charter" {
				for _, path := range values {
					h.Charters = append(h.Charters, besides(d.File(), path))
				}
				continue
			}
			for _, name := range values {
				if _, err := loadPreset(name); err != nil {
					return d.WrapErr(err)
				}
			}
			h.Presets = append(h.Presets, values...)
		case "cookie":
			declared, err := unmarshalCookie(d)
			if err != nil {
				return err
			}
			inline.rows = append(inline.rows, declared)
			h.Cookies = append(h.Cookies, declared.Cookie)
		case "updated", "language", "request_cookies", "durations", "gpc":
			value := map[string]*string{
				"updated":         &h.Updated,
				"language":        &h.Language,
				"request_cookies": &h.RequestCookies,
				"durations":       &h.Durations,
				"gpc":             &h.GPC,
			}[subdirective]
			if *value != "" {
				return d.Errf("%s already specified", subdirective)
			}
			if !d.AllArgs(value) {
				return wantsOneValue(d, subdirective)
			}
		case "monitor":
			if h.Monitor != "" {
				return d.Err("monitor already specified")
			}
			if h.Monitor = monitorEverything; d.Args(&h.Monitor) && d.NextArg() {
				return d.Errf("monitor takes one value at most; remove %q", d.Val())
			}
		case "debug_header", "record_choices":
			flag := map[string]*bool{"debug_header": &h.DebugHeader, "record_choices": &h.RecordChoices}[subdirective]
			if *flag {
				return d.Errf("%s already specified", subdirective)
			}
			if *flag = true; d.NextArg() {
				return d.Errf("%s takes no value; remove %q, or the whole line to turn it off", subdirective, d.Val())
			}
		case "page":
			if err := h.Page.unmarshal(d); err != nil {
				return err
			}
		case "preference":
			stored, err := unmarshalPreference(d)
			if err != nil {
				return err
			}
			h.Preferences = append(h.Preferences, stored)
		default:
			if name, ok := namesInJSON[subdirective]; ok {
				return d.Errf("%s is what JSON calls it; in a Caddyfile, write %s", subdirective, name)
			}
			return d.Errf("unrecognized subdirective: %s; use one of %s", subdirective, strings.Join(subdirectives, ", "))
		}
		if err := h.validateOptions(); err != nil {
			return d.WrapErr(err)
		}
	}
	// Only the adapter knows the lines of inline rows, so look for their
	// mistakes here.
	_, err := newCharter(inline)
	return err
}

// subdirectives are those of the Caddyfile, in the order of the grammar.
var subdirectives = []string{"preset", "charter", "cookie", "updated", "page", "language", "preference", "request_cookies", "durations", "monitor", "debug_header", "record_choices", "gpc"}

// namesInJSON are the options that JSON calls otherwise than a Caddyfile.
var namesInJSON = map[string]string{"presets": "preset", "charters": "charter", "cookies": "cookie", "preferences": "preference", "keys": "key"}

func wantsOneValue(d *caddyfile.Dispenser, option string) error {
	return d.Errf("%s takes one value; put texts of several words in quotes", option)
}

func (o *Page) unmarshal(d *caddyfile.Dispenser) error {
	if !reflect.ValueOf(*o).IsZero() {
		return d.Err("page already specified")
	}
	if d.Args(&o.Path); d.NextArg() {
		return d.Errf("page takes one path at most; remove %q", d.Val())
	}
	values := map[string]*string{
		"logo":       &o.Logo,
		"theme":      &o.Theme,
		"stylesheet": &o.Stylesheet,
		"header":     &o.Header,
		"footer":     &o.Footer,
		"template":   &o.Template,
		"archive":    &o.Archive,
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if option == "title" {
			args := d.RemainingArgs()
			if len(args) != 1 && len(args) != 2 {
				return d.Err("title takes a text, or a language and a text; put texts of several words in quotes")
			}
			tag := strings.Join(args[:len(args)-1], "")
			var err error
			if o.Title, err = o.Title.with(tag, args[len(args)-1]); err == nil {
				err = o.validate()
			}
			if err != nil {
				return d.WrapErr(err)
			}
			continue
		}
		value, ok := values[option]
		if !ok {
			return d.Errf("unrecognized option: %s; a page has title, %s", option, strings.Join(slices.Sorted(maps.Keys(values)), ", "))
		}
		if *value != "" {
			return d.Errf("%s already specified", option)
		}
		if !d.AllArgs(value) {
			return wantsOneValue(d, option)
		}
		if slices.Contains([]string{"header", "footer", "template", "archive"}, option) {
			*value = besides(d.File(), *value)
		}
		if err := o.validate(); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

// besides returns a path that begins at the folder of the file that names it. It is
// absolute, as the server that loads what the adapter makes can run elsewhere.
func besides(file, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	absolute, err := filepath.Abs(filepath.Join(filepath.Dir(file), path))
	if err != nil {
		return path
	}
	return absolute
}

func unmarshalPreference(d *caddyfile.Dispenser) (PreferenceFormat, error) {
	var stored PreferenceFormat
	if !d.Args(&stored.Format) {
		return stored, d.Err("preference names no format; write one, such as opendatasoft")
	}
	d.Args(&stored.Cookie)
	if d.NextArg() {
		return stored, d.Errf("preference takes a format and a cookie; remove %q", d.Val())
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option, values := d.Val(), d.RemainingArgs()
		switch {
		case option == "key" && len(values) >= 2:
			if stored.Keys == nil {
				stored.Keys = map[string]Names{}
			}
			if _, ok := stored.Keys[values[0]]; ok {
				return stored, d.Errf("key %s already specified", values[0])
			}
			stored.Keys[values[0]] = values[1:]
		case option == "revision" && len(values) == 1:
			var err error
			if stored.Revision, err = strconv.Atoi(values[0]); err != nil {
				return stored, d.Errf("revision is a number, not %q", values[0])
			}
		case option == "local_storage" && len(values) <= 1:
			// What is not given is called as the cookie.
			if stored.LocalStorage = strings.Join(values, ""); len(values) == 0 && len(stored.cookies()) > 0 {
				stored.LocalStorage = stored.cookies()[0]
			}
		case option == "manage" && len(values) == 1:
			stored.Manage = values[0]
		case option == "key":
			return stored, d.Err("key takes a consent key and the banner's keys for it")
		case slices.Contains([]string{"revision", "manage"}, option):
			return stored, wantsOneValue(d, option)
		case option == "local_storage":
			return stored, d.Err("local_storage takes one key at most")
		case namesInJSON[option] != "":
			return stored, d.Errf("%s is what JSON calls it; in a Caddyfile, write %s", option, namesInJSON[option])
		default:
			return stored, d.Errf("unrecognized option: %s; a preference has key, revision, manage, local_storage", option)
		}
	}
	return stored, nil
}

func unmarshalCookie(d *caddyfile.Dispenser) (Row, error) {
	place := func() string { return fmt.Sprintf("%s:%d", d.File(), d.Line()) }
	declared := newRow(place())
	if err := declared.set("name", "", d.RemainingArgs(), place()); err != nil {
		return declared, d.WrapErr(err)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		field, language, values := d.Val(), "", d.RemainingArgs()
		if field == "name" {
			return declared, d.Errf("in a Caddyfile, names stand behind cookie, not in its block; write cookie %s {", strings.Join(values, " "))
		}
		if len(values) == 2 && slices.Contains(cookieTexts, field) {
			language, values = values[0], values[1:]
			if base, _, _ := strings.Cut(language, "-"); !slices.Contains(pageLanguages, ascii.ToLower(base)) {
				return declared, d.Errf("the page does not speak %q; use one of %s, and put texts of several words in quotes", language, strings.Join(pageLanguages, ", "))
			}
		}
		if err := declared.set(field, language, values, place()); err != nil {
			return declared, d.WrapErr(err)
		}
	}
	return declared, nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)

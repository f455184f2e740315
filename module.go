// Package cookiecharter is a Caddy module that keeps the promise of a cookie
// charter: it withholds from the browser, and from the portal behind it, every
// HTTP cookie that the charter does not declare or that the visitor did not
// allow, and publishes the same charter as a page.
package cookiecharter

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"sync"
	"weak"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/guard"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/request"
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
	// Charters shipped with the module: `amplitude`, `aws_alb`, `at_internet`,
	// `ckan`, `cloudflare`, `django`, `dokuwiki`, `drupal`, `eulerian`,
	// `google_analytics`, `haproxy`, `keycloak`, `matomo`, `mediawiki`,
	// `mixpanel`, `nginx`, `opendatasoft`, `php`, `piano`, `posthog`,
	// `wordpress`, `xiti`. Rows declared elsewhere replace a preset's rows of
	// the same name, match or stored item, as do those of a later preset.
	// Default: `opendatasoft` if no rows are declared in any way, else none.
	Presets []string `json:"presets,omitempty"`

	// Charter files, YAML or JSON. A relative path begins at the working
	// directory, in a Caddyfile at the folder of the file where it stands.
	// Default: none.
	Charters []string `json:"charters,omitempty"`

	// Rows declared here, those of hosts, scripts and stored items among them. Default: none.
	Cookies []Cookie `json:"cookies,omitempty"`

	// What the charter says of the portal, in fields of the handler itself.
	About

	// The date of the last update of what is declared here, as `2026-11-21`.
	// The page shows the latest of all sources' dates. Default: none.
	Updated string `json:"updated,omitempty"`

	// Where the charter page is and how it looks.
	Page Page `json:"page,omitzero"`

	// The language of the page where the visitor asks for none that it speaks:
	// `ar`, `ca`, `de`, `en`, `es`, `eu`, `fr`, `it`, `nl`, `pt` or `sv`.
	// Default: none is chosen; the first of the languages that are, else `fr`.
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
	// Control (the request field `Sec-GPC`), as it does in any case. As long as
	// answers are only monitored, for some row, the file is not served. Default:
	// none; the file is not served.
	GPC string `json:"gpc,omitempty"`

	// What is only judged, counted and logged, but not enforced: `everything`,
	// or `undeclared`, for cookies that no row declares. Of what is monitored,
	// nothing is withheld, shortened or removed. Rows can be monitored one by
	// one, too. Default: nothing is.
	Monitor string `json:"monitor,omitempty"`

	// What keeps documents to the hosts that the charter declares and the visitor
	// allows: `enforce` adds a Content-Security-Policy of its own to pages, frames and
	// workers, which stands beside the portal's, so that their pages load from and send
	// to no others; `monitor` adds one that browsers only report by. As long as anything
	// else is monitored, both only report. Reports are taken beside the page. Documents of
	// which the hosts depend on the preference are marked as private, to be asked for
	// again. Default: none; pages load from where they like.
	Hosts string `json:"hosts,omitempty"`

	// What keeps scripts of documents to the cookies that the charter declares and the
	// visitor allows: `enforce` puts one script of this site at the head of every HTML
	// document, before any other; `monitor` has that script stop nothing, and tell what
	// it would have stopped. Documents are asked for in full, and shared caches keep none
	// of them, as the script is told what the visitor allows. Default: none; documents
	// are left alone.
	Guard string `json:"guard,omitempty"`

	// Where the notice is that asks for answers: `insert` puts it at the begin of every
	// HTML page for which a visitor who has not answered asks, and into nothing else.
	// Pages are private then, and caches ask for them again. `manage` does that, and puts a
	// link to the page at the end of every such page, for all visitors. Default: none; it
	// is put nowhere by itself.
	Notice string `json:"notice,omitempty"`

	// What happens to cookies of other hosts: `omit` has pages load from these without
	// cookies, by a Cross-Origin-Embedder-Policy where the portal has none. Frames of
	// other sites show only if these agree to it, so it is for portals without any.
	// Default: none; nothing happens to them.
	ThirdPartyCookies string `json:"third_party_cookies,omitempty"`

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

	charter   *charter.Charter
	answers   *answers.Store
	policy    *judge.Policy
	page      *page.Page
	rules     *document.Rules
	guard     *guard.Guard // nil if documents are left alone
	amended   *sync.Map    // directives of the portal's policies that are known to be amended for it
	metrics   *metrics
	observers observers
	logger    *zap.Logger
	choices   *zap.Logger
	ctx       caddy.Context
	events    *caddyevents.App // nil if nobody subscribes
	storage   page.Storage     // Caddy's; nil where nothing is served
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
	if h.Page.Archive != "" {
		h.storage = ctx.Storage()
	}
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
	if h.page.Publishes() {
		h.metrics.audits.add(h.page.LastAudits)
	}
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	h.observers = observers{metrics: h.metrics, inventory: inventoryObserver{&servedCharter{h.charter, weak.Make(server)}, h.page}}
	if h.DebugHeader {
		h.observers.others = append(h.observers.others, headerObserver{})
	}
	if h.logger.Core().Enabled(zapcore.DebugLevel) {
		h.observers.others = append(h.observers.others, logObserver{h.logger})
	}
	h.logCharter(ctx)
	return nil
}

// prepare builds the charter and the page, by which alone they can be checked.
func (h *Handler) prepare() error {
	h.setDefaults()
	if err := h.validateOptions(); err != nil {
		return err
	}

	var err error
	if h.charter, h.answers, err = h.loadCharter(); err != nil {
		return err
	}
	h.policy = judge.NewPolicy(h.charter, h.judgeOptions())
	h.rules = &document.Rules{
		Hosts:        h.hostsEffect(),
		OmitsCookies: h.ThirdPartyCookies == omitCookies && h.Monitor == "",
		AreGuarded:   h.Guard != "",
		HaveNotice:   h.Notice != "",
		Reports:      document.ReportsBeside(h.Page.Path),
	}
	if err := h.checkPolicy(); err != nil {
		return err
	}
	if h.Guard != "" {
		if h.guard, err = guard.New(h.charter, h.policy, h.answers, h.Page.Path, h.Guard == monitorOnly); err != nil {
			return err
		}
		h.amended = new(sync.Map)
	}
	h.page, err = page.New(page.Options{
		Config:         h.Page,
		Language:       h.Language,
		Charter:        h.charter,
		Answers:        h.answers,
		Policy:         h.policy,
		Hosts:          h.hostsEffect(),
		RecordsChoices: h.RecordChoices,
		GPC:            h.GPC,
		Guard:          h.guard,
		Module:         moduleVersion(),
		Storage:        h.storage,
		Observer:       pageObserver{h},
		Logger:         h.logger,
	})
	return err
}

// logCharter logs what is in force and where it is served.
func (h *Handler) logCharter(ctx caddy.Context) {
	fields := []zap.Field{
		zap.String("module", moduleVersion()),
		zap.Int("cookies", len(h.charter.Rows)),
		zap.Strings("consent_keys", h.charter.ConsentKeys()),
		zap.String("page", h.Page.Path),
		zap.Strings("monitored", h.monitored()),
	}
	if site, _ := loadingSite(ctx); site.listen != nil {
		fields = append(fields, zap.Strings("hosts", site.hosts()), zap.Strings("listen", site.listen))
	}
	h.logger.Info("charter loaded", fields...)
	for _, warning := range h.warnings() {
		h.logger.Warn(warning)
	}
	for i := range h.Preferences {
		for _, note := range h.Preferences[i].Notes() {
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
		visitor: answers.Visitor{
			Store:   h.answers,
			Lines:   r.Header["Cookie"],
			Secure:  h.answers.UsesHostCookie && request.IsEncrypted(r),
			Opposed: slices.Contains(r.Header["Sec-Gpc"], "1"),
		},
	}
	defer f.abandon()
	f.share()
	f.dropCookies()
	script := h.policy.JudgeScript(r.URL.Path, &f.visitor)
	f.hasScript = script.DependsOnAnswer
	if h.Notice != "" && isRead(r) && document.IsPageAskedFor(r) {
		f.hasNotice, f.hasLink = h.page.HasNotice(&f.visitor), h.Notice == manageNotice && h.page.Asks()
	}
	f.askAnew()
	f.reportUnreadable()

	var err error
	switch f.isPage = h.page.Serves(r.URL.Path) && !isError(r); {
	case f.isPage:
		err = h.page.Serve(page.Exchange{ResponseWriter: f, Request: r, Visitor: &f.visitor, Origin: f.origin(), Removals: f})
	case !script.Keeps:
		f.serveEmpty()
	default:
		err = next.ServeHTTP(f, r)
	}

	// What is still to leave are trailers, or an error's answer, or the header of
	// an answer that nobody wrote, or that a writer below holds back.
	return cmp.Or(err, f.end())
}

// judgeOptions returns the options by which cookies are judged.
func (h *Handler) judgeOptions() judge.Options {
	return judge.Options{
		Monitor:          h.Monitor,
		PassesRequests:   h.RequestCookies == passCookies,
		EnforcesDuration: h.Durations != declareDurations,
	}
}

// hostsEffect returns what is done about hosts that a visitor does not allow. A policy
// cannot let through what no row declares, or what is refused, so it only reports as long
// as such is let through elsewhere.
func (h *Handler) hostsEffect() document.Effect {
	switch {
	case h.Hosts == "":
		return document.Ignored
	case h.Hosts == monitorOnly, h.Monitor != "":
		return document.Reported
	}
	return document.Enforced
}

// isError tells whether a request is in an error route: there is nothing to serve,
// as the page may have failed.
func isError(r *http.Request) bool {
	return r.Context().Value(caddyhttp.ErrorCtxKey) != nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)

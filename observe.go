package cookiecharter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/insertion"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/report"
	"github.com/cookie-charter/cookie_charter/internal/request"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// What becomes of cookies, in the order of the counters.
var effects = [...]string{"withheld", "kept"}

// rowCounters count what becomes of the cookies of one row.
type rowCounters struct {
	judged  [len(judge.Directions)][len(judge.Verdicts)][len(effects)]atomic.Uint64
	amended atomic.Uint64
}

// metrics are what the handler counts.
type metrics struct {
	undeclared rowCounters
	rows       []rowCounters                 // by their numbers
	unreadable map[string]prometheus.Counter // by format
	expiries   prometheus.Counter
	views      prometheus.Counter
	choices    *prometheus.CounterVec
	lost       prometheus.Counter
	reports    *prometheus.CounterVec
	ignored    *prometheus.CounterVec
	found      *prometheus.CounterVec
	foundItems *prometheus.CounterVec
	unguarded  *prometheus.CounterVec
	audits     *auditCollector
}

func newMetrics(registry *prometheus.Registry, c *charter.Charter) (*metrics, error) {
	m := &metrics{rows: make([]rowCounters, len(c.Rows)), unreadable: map[string]prometheus.Counter{}}
	collector, err := register(registry, &rowCollector{
		judged:  prometheus.NewDesc(metricName("cookies_total"), "Cookies that were judged: from the browser (in requests) or the portal (in Set-Cookie lines), by declared cookie (its first name, or none), verdict (allowed, undeclared or unreadable, refused or unanswered) and effect (kept or withheld).", []string{"from", "cookie", "verdict", "effect"}, nil),
		amended: prometheus.NewDesc(metricName("amended_cookies_total"), "Kept cookies of the portal whose lifetime was shortened or that got declared attributes, or would have while they are only monitored, by declared cookie.", []string{"cookie"}, nil),
	})
	if err != nil {
		return nil, err
	}
	m.audits, err = register(registry, &auditCollector{
		time:     prometheus.NewDesc(metricName("last_audit_timestamp_seconds"), "When the last audit that is published of a host ended, in Unix time.", []string{"host"}, nil),
		findings: prometheus.NewDesc(metricName("last_audit_findings"), "How many cookies, stored items and hosts violated the charter in the last audit that is published of a host.", []string{"host"}, nil),
	})
	if err != nil {
		return nil, err
	}
	collector.add("none", &m.undeclared)
	for _, row := range c.Rows {
		collector.add(row.FirstName(), &m.rows[row.Number])
	}
	var unreadable, expiries, views, lost *prometheus.CounterVec
	for _, counter := range []struct {
		vector     **prometheus.CounterVec
		name, help string
		labels     []string
	}{
		{&unreadable, "unreadable_preferences_total", "Stored preferences that could not be read and so count as unanswered, by format.", []string{"format"}},
		{&expiries, "expiries_total", "Set-Cookie lines that were added to remove refused cookies from browsers.", nil},
		{&views, "page_views_total", "Charter pages that were shown.", nil},
		{&m.choices, "choices_total", "Answers that visitors gave by form, by consent key, answer (granted or refused) and source (page or notice).", []string{"key", "answer", "source"}},
		{&m.reports, "host_reports_total", "Reports of browsers that a page was kept from a host, or would have been, by declared row (its first name, or none), verdict (allowed, undeclared, refused or unanswered) and directive.", []string{"row", "verdict", "directive"}},
		{&m.found, "script_cookies_total", "Cookies that scripts wrote and that the guard, which only monitors, would have removed, by declared cookie (its first name, or none) and verdict (allowed by now, undeclared, refused or unanswered).", []string{"cookie", "verdict"}},
		{&m.foundItems, "script_items_total", "Items of local and session storage, and databases, that the guard, which only monitors, would have removed, or that no row declares, by declared row (its first name, or none) and verdict (allowed by now, undeclared, refused or unanswered).", []string{"row", "verdict"}},
		{&m.unguarded, "unguarded_documents_total", "Documents that the guard could not be put into, by reason: xml (of XML or SVG, or XHTML without a head), encoding (compressed in another way than by gzip), charset (UTF-16), type (none that can be read).", []string{"reason"}},
		{&m.ignored, "ignored_reports_total", "Posts of reports, of hosts or of scripts' cookies and items, that were refused (from other sites, or of another form) or came too fast (rate), and reports that name no other host (no_host), by reason.", []string{"reason"}},
		{&lost, "lost_choices_total", "Choices made by form that the browser did not keep, so that they are not in force.", nil},
	} {
		vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricName(counter.name), Help: counter.help}, counter.labels)
		if *counter.vector, err = register(registry, vector); err != nil {
			return nil, err
		}
	}
	for format := range answers.Formats {
		m.unreadable[format] = unreadable.WithLabelValues(format)
	}
	for _, obstacle := range insertion.Obstacles {
		m.unguarded.WithLabelValues(string(obstacle))
	}
	for _, reason := range page.IgnoredReports {
		m.ignored.WithLabelValues(reason)
	}
	m.expiries, m.views, m.lost = expiries.WithLabelValues(), views.WithLabelValues(), lost.WithLabelValues()
	return m, nil
}

func metricName(name string) string { return prometheus.BuildFQName("caddy", "cookie_charter", name) }

// register registers a collector, or finds the one that another site's handler
// has registered.
func register[C prometheus.Collector](registry *prometheus.Registry, collector C) (C, error) {
	if err := registry.Register(collector); err != nil {
		registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
		if !ok {
			return collector, err
		}
		return registered.ExistingCollector.(C), nil
	}
	return collector, nil
}

// A rowCollector gives Prometheus what is counted of the rows of all handlers.
type rowCollector struct {
	judged, amended *prometheus.Desc

	mutex    sync.Mutex
	counters []labelledCounters
}

type labelledCounters struct {
	cookie string
	*rowCounters
}

func (c *rowCollector) add(cookie string, counters *rowCounters) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.counters = append(c.counters, labelledCounters{cookie, counters})
}

// Describe implements prometheus.Collector.
func (c *rowCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.judged
	descriptions <- c.amended
}

// Collect implements prometheus.Collector. Rows of several handlers can have the
// same name.
func (c *rowCollector) Collect(metrics chan<- prometheus.Metric) {
	type series struct {
		description *prometheus.Desc
		labels      [4]string
	}
	counts := map[series]uint64{}
	c.mutex.Lock()
	for _, row := range c.counters {
		for from := range row.judged {
			for judged := range row.judged[from] {
				for effect := range row.judged[from][judged] {
					counts[series{c.judged, [...]string{judge.Directions[from], row.cookie, judge.Verdicts[judged], effects[effect]}}] += row.judged[from][judged][effect].Load()
				}
			}
		}
		counts[series{c.amended, [4]string{row.cookie}}] += row.amended.Load()
	}
	c.mutex.Unlock()
	for counted, count := range counts {
		if count == 0 {
			continue
		}
		labels := counted.labels[:]
		if counted.description == c.amended {
			labels = labels[:1]
		}
		metrics <- prometheus.MustNewConstMetric(counted.description, prometheus.CounterValue, float64(count), labels...)
	}
}

// maxAsking is how long metrics wait for storages with audits, all together.
const maxAsking = time.Second

// An auditCollector gives Prometheus what is known of the last audits that are published.
type auditCollector struct {
	time, findings *prometheus.Desc

	mutex sync.Mutex
	pages []func(patience context.Context) []page.LastAudit
}

func (c *auditCollector) add(of func(patience context.Context) []page.LastAudit) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.pages = append(c.pages, of)
}

// Describe implements prometheus.Collector.
func (c *auditCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.time
	descriptions <- c.findings
}

// Collect implements prometheus.Collector. Several handlers can have audits of one host. Of a
// host that nobody can reach here, nothing is told: an alert on it would never end.
func (c *auditCollector) Collect(metrics chan<- prometheus.Metric) {
	c.mutex.Lock()
	pages := slices.Clone(c.pages)
	c.mutex.Unlock()
	patience, cancel := context.WithTimeout(context.Background(), maxAsking)
	defer cancel()
	config := running()
	byHost := map[string]page.LastAudit{}
	for _, of := range pages {
		for _, last := range of(patience) {
			if !last.IsAsked && !config.isListening(last.Origin) {
				continue
			}
			if known, ok := byHost[last.Host]; !ok || last.Time.After(known.Time) {
				byHost[last.Host] = last
			}
		}
	}
	for host, last := range byHost {
		metrics <- prometheus.MustNewConstMetric(c.time, prometheus.GaugeValue, float64(last.Time.Unix()), host)
		metrics <- prometheus.MustNewConstMetric(c.findings, prometheus.GaugeValue, float64(last.Findings), host)
	}
}

// tell counts what became of a cookie.
func (m *metrics) tell(_ *sighting, judgement *judge.Judgement) {
	counters := &m.undeclared
	if judgement.Row != nil {
		counters = &m.rows[judgement.Row.Number]
	}
	effect := 0
	if judgement.Keeps {
		effect = 1
	}
	counters.judged[judgement.From][judgement.Verdict][effect].Add(1)
	if judgement.IsAmended {
		counters.amended.Add(1)
	}
}

// A sighting is a request with its answer, as observers know it.
type sighting struct {
	request     *http.Request
	time        answers.Timestamp
	site        *inventory // nil until a cookie is recorded there
	cookieCount int        // how many
	path        address.RequestPath
	verdicts    []byte // for the debug header
}

// An observer is told what became of each cookie, after that is done; never a value,
// and nobody asks it. A deletion is only logged.
type observer interface {
	tell(at *sighting, judged *judge.Judgement)
}

// observers are all that are told.
type observers struct {
	metrics   *metrics
	inventory inventoryObserver
	others    []observer // debug header and log, if they are on
}

// tell tells all observers what became of a cookie. Those that always are told are
// called by their types: by an interface, each judgement would be put on the heap.
func (o *observers) tell(sighting *sighting, judgement *judge.Judgement) {
	if !judgement.Deletes {
		o.metrics.tell(sighting, judgement)
		o.inventory.tell(sighting, judgement)
	}
	for _, other := range o.others {
		copied := *judgement
		other.tell(sighting, &copied)
	}
}

// tell tells all observers what became of a cookie.
func (f *filter) tell(judgement *judge.Judgement) {
	if f.sighting.time == answers.NoTime {
		f.sighting.request, f.sighting.time = f.request, f.visitor.Now()
	}
	f.handler.observers.tell(&f.sighting, judgement)
}

func effectOf(keeps bool) string {
	if keeps {
		return effects[1]
	}
	return effects[0]
}

// A logObserver writes debug entries.
type logObserver struct{ *zap.Logger }

func (o logObserver) tell(_ *sighting, judgement *judge.Judgement) {
	if judgement.Deletes {
		o.Debug("passed a deletion", zap.String("cookie", judgement.Name))
		return
	}
	o.Debug("judged a cookie", zap.Stringer("from", judgement.From), zap.String("cookie", judgement.Name), zap.Stringer("verdict", judgement.Verdict), zap.Bool("kept", judgement.Keeps))
	if judgement.IsAmended {
		o.Debug("amended a cookie", zap.String("cookie", judgement.Name), zap.Bool("monitored", judgement.IsMonitored))
	}
}

const (
	debugField = "Cookie-Charter-Verdicts"

	// maxVerdicts is the length from which nothing is added to it.
	maxVerdicts = 2 << 10
)

// A headerObserver collects the verdicts for the debug header.
type headerObserver struct{}

func (headerObserver) tell(sighting *sighting, judgement *judge.Judgement) {
	verdicts := sighting.verdicts
	if judgement.Deletes || len(verdicts) >= maxVerdicts {
		return
	}
	if len(verdicts) > 0 {
		verdicts = append(verdicts, ", "...)
	}
	shown := ""
	if setcookie.IsToken(judgement.Name) {
		shown = judgement.Name[:min(len(judgement.Name), setcookie.MaxShown)]
	}
	verdicts = fmt.Appendf(verdicts, `"%s";from=%s;verdict=%s;effect=%s`, shown, judgement.From, judgement.Verdict, effectOf(judgement.Keeps))
	if len(verdicts) >= maxVerdicts {
		verdicts = append(verdicts, `, "";truncated`...)
	}
	sighting.verdicts = verdicts
}

// reportUnreadable counts and logs the stored answers of a visitor that could not be
// read.
func (h *Handler) reportUnreadable(unreadable *answers.Unreadable) {
	for ; unreadable != nil; unreadable = unreadable.Next {
		h.metrics.unreadable[unreadable.Format].Inc()
		h.logger.Debug("unreadable preference", zap.String("format", unreadable.Format), zap.Error(unreadable.Reason))
	}
}

// tellUnguarded counts and logs that the guard could not be put into a document.
func (h *Handler) tellUnguarded(obstacle insertion.Obstacle) {
	h.metrics.unguarded.WithLabelValues(string(obstacle)).Inc()
	h.logger.Debug("document without the guard", zap.String("reason", string(obstacle)))
}

// tellAmended logs once each directive of the portal's policies to which something was added
// for the guard.
func (h *Handler) tellAmended(directives []string) {
	for _, directive := range directives {
		if _, isKnown := h.amended.LoadOrStore(directive, true); !isKnown {
			h.logger.Debug("amended the portal's Content-Security-Policy to let the guard in", zap.String("directive", directive))
		}
	}
}

// A pageObserver counts, logs and announces what happens on the page.
type pageObserver struct{ *Handler }

// Viewed counts a page that was shown.
func (t pageObserver) Viewed() { t.metrics.views.Inc() }

// Chose counts the answers of a form post, emits the event
// `cookie_choice`, and records the choice if it has a reference.
func (t pageObserver) Chose(choice page.Choice) {
	answers := make(map[string]string, len(choice.Answers))
	for key, value := range choice.Answers {
		answers[key] = value.String()
		t.metrics.choices.WithLabelValues(key, value.String(), choice.Source).Inc()
	}
	if t.events != nil {
		t.events.Emit(t.ctx, "cookie_choice", map[string]any{"version": t.charter.Version, "answers": answers, "source": choice.Source, "language": choice.Language})
	}
	if choice.Reference != "" {
		t.choices.Info("choice", zap.String("reference", choice.Reference), zap.String("version", t.charter.Version), zap.Any("answers", answers),
			zap.String("source", choice.Source), zap.String("language", choice.Language), zap.Bool("global_privacy_control", choice.Opposed))
	}
}

// Lost counts that a choice is not in force as it was made, as the browser did not
// keep it or has another copy that says otherwise, and records what is in force if the
// choice has a reference.
func (t pageObserver) Lost(reference string, inForce map[string]answers.Answer) {
	t.metrics.lost.Inc()
	if reference == "" {
		return
	}
	answers := make(map[string]string, len(inForce))
	for key, value := range inForce {
		answers[key] = value.String()
	}
	t.choices.Info("choice not stored", zap.String("reference", reference), zap.String("version", t.charter.Version), zap.Any("in_force", answers))
}

// Reported judges the hosts that a browser reports, counts and logs them, and adds them to
// the inventory.
func (t pageObserver) Reported(e page.Exchange, reports []report.Report, network uint64) {
	now := e.Visitor.Now()
	site := inventories.ofReports(siteOf(e.Request), now)
	for _, reported := range reports {
		judgement := t.policy.JudgeHost(reported.Origin, e.Visitor)
		row, isByName := "none", false
		if judgement.Row != nil {
			row, isByName = judgement.Row.FirstName(), judgement.Row.NamesOrigin(reported.Origin)
		}
		t.metrics.reports.WithLabelValues(row, judgement.Verdict.String(), reported.Directive.String()).Inc()
		t.logger.Debug("reported a host", zap.Stringer("host", reported.Origin), zap.Stringer("directive", reported.Directive), zap.Stringer("verdict", judgement.Verdict), zap.Bool("blocked", reported.IsBlocked))
		if site != nil {
			site.hosts.Note(reported, network, isByName, now.Time())
		}
	}
}

// Found judges the cookies and the stored items of scripts that a guard tells, counts and logs
// them, and adds them to the inventory.
func (t pageObserver) Found(e page.Exchange, cookies, items []string, network uint64) {
	now := e.Visitor.Now()
	site := inventories.ofReports(siteOf(e.Request), now)
	if site == nil {
		site = new(inventory) // which nobody asks
	}
	path := address.RequestPath{Address: request.Referrer(e.Request)}
	tell := func(kind string, judgement judge.Judgement, counter *prometheus.CounterVec, seen *scriptTable, isByName bool) {
		counter.WithLabelValues(cmp.Or(firstNameOf(judgement.Row), "none"), judgement.Verdict.String()).Inc()
		t.logger.Debug("found a script's "+kind, zap.String(kind, judgement.Name), zap.Stringer("verdict", judgement.Verdict))
		// What the name is a part of is a whole post.
		seen.Note(strings.Clone(judgement.Name), network, isByName, now.Time(), func(facts *scriptFacts) {
			if facts.count++; facts.count == 1 {
				facts.path = path.Shown()
			}
			facts.judged = lastJudgement{judgement.Verdict, judgement.Row, t.observers.inventory.charter}
		})
	}
	for _, name := range cookies {
		judgement := t.policy.JudgePair(name, true, e.Visitor)
		tell("cookie", judgement, t.metrics.found, &site.scriptCookies, judgement.Row != nil && slices.Contains(judgement.Row.Patterns(), name))
	}
	for _, key := range items {
		judgement := t.policy.JudgeItem(key, e.Visitor)
		tell("item", judgement, t.metrics.foundItems, &site.items, judgement.Row != nil)
	}
}

// Ignored counts reports that were not taken.
func (t pageObserver) Ignored(reason string, count int) {
	t.metrics.ignored.WithLabelValues(reason).Add(float64(count))
}

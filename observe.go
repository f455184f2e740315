package cookiecharter

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// A direction is where a cookie came from.
type direction int

const (
	fromBrowser direction = iota // in a request, on its way to the portal
	fromPortal                   // in a Set-Cookie line, on its way to the browser
)

// What the directions are called in metrics and logs.
var directions = [...]string{"browser", "portal"}

// What becomes of cookies, in the order of the counters.
var effects = [...]string{"withheld", "kept"}

// rowCounters are the counters of one row, by direction, verdict and effect.
// Looking one up takes longer than judging a cookie, so each is looked up once,
// and only when it counts something: a charter can have thousands of rows.
type rowCounters [len(directions)][len(verdicts)][len(effects)]atomic.Pointer[prometheus.Counter]

// metrics are what the handler counts.
type metrics struct {
	cookies    *prometheus.CounterVec
	amended    *prometheus.CounterVec
	unreadable map[string]prometheus.Counter // by format
	expiries   prometheus.Counter
	views      prometheus.Counter
	choices    *prometheus.CounterVec

	undeclared rowCounters
}

func newMetrics(registry *prometheus.Registry, c *charter) (*metrics, error) {
	m := &metrics{unreadable: map[string]prometheus.Counter{}}
	for _, row := range c.cookies {
		row.counters = new(rowCounters)
	}
	var unreadable, expiries, views *prometheus.CounterVec
	for _, counter := range []struct {
		vector     **prometheus.CounterVec
		name, help string
		labels     []string
	}{
		{&m.cookies, "cookies_total", "Cookies that were judged: from the browser (in requests) or the portal (in Set-Cookie lines), by declared cookie (its first name, or none), verdict (allowed, undeclared or unreadable, refused or unanswered) and effect (kept or withheld).", []string{"from", "cookie", "verdict", "effect"}},
		{&m.amended, "amended_cookies_total", "Kept cookies of the portal whose lifetime was shortened or that got declared attributes, or would have while they are only monitored, by declared cookie.", []string{"cookie"}},
		{&unreadable, "unreadable_preferences_total", "Stored preferences that could not be read and so count as unanswered, by format.", []string{"format"}},
		{&expiries, "expiries_total", "Set-Cookie lines that were added to remove refused cookies from browsers.", nil},
		{&views, "page_views_total", "Charter pages that were shown.", nil},
		{&m.choices, "choices_total", "Answers that visitors gave by form, by consent key, answer (granted or refused) and source (page or notice).", []string{"key", "answer", "source"}},
	} {
		var err error
		if *counter.vector, err = register(registry, counter.name, counter.help, counter.labels); err != nil {
			return nil, err
		}
	}
	for format := range storedFormats {
		m.unreadable[format] = unreadable.WithLabelValues(format)
	}
	m.expiries, m.views = expiries.WithLabelValues(), views.WithLabelValues()
	return m, nil
}

// register registers a counter, or finds the one that another site's handler
// has registered.
func register(registry *prometheus.Registry, name, help string, labels []string) (*prometheus.CounterVec, error) {
	vector := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "caddy", Subsystem: "cookie_charter", Name: name, Help: help}, labels)
	if err := registry.Register(vector); err != nil {
		registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
		if !ok {
			return nil, err
		}
		vector = registered.ExistingCollector.(*prometheus.CounterVec)
	}
	return vector, nil
}

// count counts a verdict.
func (m *metrics) count(from direction, row *Cookie, judged verdict, keeps bool) {
	counters, label := &m.undeclared, "none"
	if row != nil {
		counters, label = row.counters, row.Name[0]
	}
	effect := 0
	if keeps {
		effect = 1
	}
	place := &counters[from][judged][effect]
	counter := place.Load()
	if counter == nil {
		resolved := m.cookies.WithLabelValues(directions[from], label, judged.String(), effects[effect])
		counter = &resolved
		place.Store(counter)
	}
	(*counter).Inc()
}

// maxTold is the length from which nothing is added to Cookie-Charter-Verdicts.
const maxTold = 2 << 10

func effectOf(keeps bool) string {
	if keeps {
		return effects[1]
	}
	return effects[0]
}

// report counts and logs a verdict, and notes the cookie in the inventory; never
// a value.
func (f *filter) report(from direction, name string, seen *seenCookie, read *attributes, row *Cookie, judged verdict, keeps bool) {
	h := f.handler
	h.metrics.count(from, row, judged, keeps)
	if f.noted++; f.noted <= maxCookies {
		f.inventory().note(seen, from, name, f.request.URL.Path, row, judged, read)
	}
	if h.DebugHeader && f.told.Len() < maxTold {
		if f.told.Len() > 0 {
			f.told.WriteString(", ")
		}
		shown := ""
		if isToken(name) {
			shown = name[:min(len(name), maxName)]
		}
		fmt.Fprintf(&f.told, `"%s";from=%s;verdict=%s;effect=%s`, shown, directions[from], judged, effectOf(keeps))
		if f.told.Len() >= maxTold {
			f.told.WriteString(`, "";truncated`)
		}
	}
	if h.debugs {
		h.logger.Debug("judged a cookie", zap.String("from", directions[from]), zap.String("cookie", name), zap.Stringer("verdict", judged), zap.Bool("kept", keeps))
	}
}

// inventory returns the inventory of the site.
func (f *filter) inventory() *inventory {
	if f.site == nil {
		f.site = inventories.of(hostOf(f.request), f.visitor.now())
	}
	return f.site
}

// recordChoice counts the answers of a form post, tells those who subscribe to
// the event `cookie_choice`, and records the choice; it returns the record's
// reference, "" if there is none.
func (h *Handler) recordChoice(given map[string]answer, source, language string, opposed bool) (reference string) {
	answers := make(map[string]string, len(given))
	for key, value := range given {
		answers[key] = value.String()
		h.metrics.choices.WithLabelValues(key, value.String(), source).Inc()
	}
	if h.events != nil {
		h.events.Emit(h.ctx, "cookie_choice", map[string]any{"version": h.charter.version, "answers": answers, "source": source, "language": language})
	}
	if h.RecordChoices {
		reference = rand.Text()
		h.choices.Info("choice", zap.String("reference", reference), zap.String("version", h.charter.version), zap.Any("answers", answers),
			zap.String("source", source), zap.String("language", language), zap.Bool("global_privacy_control", opposed))
	}
	return reference
}

// reportAmended counts and logs that a kept line leaves otherwise than it came,
// or would have.
func (h *Handler) reportAmended(name string, row *Cookie) {
	h.metrics.amended.WithLabelValues(row.Name[0]).Inc()
	if h.debugs {
		h.logger.Debug("amended a cookie", zap.String("cookie", name), zap.Bool("monitored", h.monitors(row)))
	}
}

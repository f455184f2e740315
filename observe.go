package cookiecharter

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
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

// rowCounters count what becomes of the cookies of one row.
type rowCounters struct {
	judged  [len(directions)][len(verdicts)][len(effects)]atomic.Uint64
	amended atomic.Uint64
}

// metrics are what the handler counts.
type metrics struct {
	undeclared rowCounters
	unreadable map[string]prometheus.Counter // by format
	expiries   prometheus.Counter
	views      prometheus.Counter
	choices    *prometheus.CounterVec
	lost       prometheus.Counter
}

func newMetrics(registry *prometheus.Registry, c *charter) (*metrics, error) {
	m := &metrics{unreadable: map[string]prometheus.Counter{}}
	rows, err := register(registry, &rowCollector{
		judged:  prometheus.NewDesc(metricName("cookies_total"), "Cookies that were judged: from the browser (in requests) or the portal (in Set-Cookie lines), by declared cookie (its first name, or none), verdict (allowed, undeclared or unreadable, refused or unanswered) and effect (kept or withheld).", []string{"from", "cookie", "verdict", "effect"}, nil),
		amended: prometheus.NewDesc(metricName("amended_cookies_total"), "Kept cookies of the portal whose lifetime was shortened or that got declared attributes, or would have while they are only monitored, by declared cookie.", []string{"cookie"}, nil),
	})
	if err != nil {
		return nil, err
	}
	rows.add("none", &m.undeclared)
	for _, row := range c.cookies {
		row.counters = new(rowCounters)
		rows.add(row.Name[0], row.counters)
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
		{&lost, "lost_choices_total", "Choices made by form that the browser did not keep, so that they are not in force.", nil},
	} {
		vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricName(counter.name), Help: counter.help}, counter.labels)
		if *counter.vector, err = register(registry, vector); err != nil {
			return nil, err
		}
	}
	for format := range storedFormats {
		m.unreadable[format] = unreadable.WithLabelValues(format)
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

// A rowCollector tells Prometheus what the rows of all handlers count. Counting
// happens for every cookie, so that the counters stand at the rows themselves.
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
func (c *rowCollector) Collect(collected chan<- prometheus.Metric) {
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
					counts[series{c.judged, [...]string{directions[from], row.cookie, verdicts[judged], effects[effect]}}] += row.judged[from][judged][effect].Load()
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
		collected <- prometheus.MustNewConstMetric(counted.description, prometheus.CounterValue, float64(count), labels...)
	}
}

// count counts a judgement.
func (m *metrics) count(judged *judgement) {
	counters := &m.undeclared
	if judged.row != nil {
		counters = judged.row.counters
	}
	effect := 0
	if judged.keeps {
		effect = 1
	}
	counters.judged[judged.from][judged.verdict][effect].Add(1)
	if judged.amended {
		counters.amended.Add(1)
	}
}

// maxTold is the length from which nothing is added to Cookie-Charter-Verdicts.
const maxTold = 2 << 10

func effectOf(keeps bool) string {
	if keeps {
		return effects[1]
	}
	return effects[0]
}

// tell tells who observes what became of a cookie: counters, the inventory, the debug
// header and the log; never a value. A deletion is only logged.
func (f *filter) tell(judged *judgement) {
	h := f.handler
	if judged.deletes {
		if h.debugs {
			h.logger.Debug("passed a deletion", zap.String("cookie", judged.name))
		}
		return
	}
	h.metrics.count(judged)
	if f.noted++; f.noted <= maxCookies {
		f.inventory().note(judged, &f.path, h.judge)
	}
	if h.DebugHeader && f.told.Len() < maxTold {
		if f.told.Len() > 0 {
			f.told.WriteString(", ")
		}
		shown := ""
		if setcookie.IsToken(judged.name) {
			shown = judged.name[:min(len(judged.name), maxName)]
		}
		fmt.Fprintf(&f.told, `"%s";from=%s;verdict=%s;effect=%s`, shown, directions[judged.from], judged.verdict, effectOf(judged.keeps))
		if f.told.Len() >= maxTold {
			f.told.WriteString(`, "";truncated`)
		}
	}
	if h.debugs {
		h.logger.Debug("judged a cookie", zap.String("from", directions[judged.from]), zap.String("cookie", judged.name), zap.Stringer("verdict", judged.verdict), zap.Bool("kept", judged.keeps))
		if judged.amended {
			h.logger.Debug("amended a cookie", zap.String("cookie", judged.name), zap.Bool("monitored", judged.monitored))
		}
	}
}

// inventory returns the inventory of the site.
func (f *filter) inventory() *inventory {
	if f.site == nil {
		f.site = inventories.of(siteOf(f.request), f.visitor.now())
		f.path.address = f.request.URL
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

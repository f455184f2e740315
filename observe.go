package cookiecharter

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// withheld counts the cookies that were withheld in one direction, by verdict.
// The counters are resolved at load, as looking them up takes longer than
// judging a cookie.
type withheld map[verdict]prometheus.Counter

func newWithheld(registry *prometheus.Registry) (fromBrowser, fromPortal withheld, err error) {
	vector, err := register(registry, prometheus.CounterOpts{
		Name: "withheld_cookies_total",
		Help: "Cookies that did not go to the browser (Set-Cookie lines) or to the portal (pairs of Cookie), by verdict: undeclared (or unreadable), refused (or unanswered).",
	}, "from", "verdict")
	if err != nil {
		return nil, nil, err
	}
	resolve := func(from string) withheld {
		return withheld{
			undeclared: vector.WithLabelValues(from, string(undeclared)),
			refused:    vector.WithLabelValues(from, string(refused)),
		}
	}
	return resolve("browser"), resolve("portal"), nil
}

// newUnreadable returns a counter of unreadable preferences for each format.
func newUnreadable(registry *prometheus.Registry) (map[string]prometheus.Counter, error) {
	vector, err := register(registry, prometheus.CounterOpts{
		Name: "unreadable_preferences_total",
		Help: "Stored preferences that could not be read and so count as unanswered, by format.",
	}, "format")
	if err != nil {
		return nil, err
	}
	counters := map[string]prometheus.Counter{}
	for format := range storedFormats {
		counters[format] = vector.WithLabelValues(format)
	}
	return counters, nil
}

// register registers a counter, or finds the one that another site's handler
// has registered.
func register(registry *prometheus.Registry, options prometheus.CounterOpts, labels ...string) (*prometheus.CounterVec, error) {
	options.Namespace, options.Subsystem = "caddy", "cookie_charter"
	vector := prometheus.NewCounterVec(options, labels)
	if err := registry.Register(vector); err != nil {
		registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
		if !ok {
			return nil, err
		}
		vector = registered.ExistingCollector.(*prometheus.CounterVec)
	}
	return vector, nil
}

// report counts a verdict, if there are counters, and logs it; never a value.
func (h *Handler) report(message, name string, judged verdict, counters withheld) {
	if judged != allowed && counters != nil {
		counters[judged].Inc()
	}
	if c := h.logger.Check(zapcore.DebugLevel, message); c != nil {
		c.Write(zap.String("cookie", name), zap.String("verdict", string(judged)))
	}
}

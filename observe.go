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

// newWithheld registers the counters of withheld cookies, or finds those that
// another site's handler has registered.
func newWithheld(registry *prometheus.Registry) (fromBrowser, fromPortal withheld, err error) {
	vector := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy",
		Subsystem: "cookie_charter",
		Name:      "withheld_cookies_total",
		Help:      "Cookies that did not go to the browser (Set-Cookie lines) or to the portal (pairs of Cookie), by verdict: undeclared (or unreadable), refused (or unanswered).",
	}, []string{"from", "verdict"})
	if err := registry.Register(vector); err != nil {
		registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
		if !ok {
			return nil, nil, err
		}
		vector = registered.ExistingCollector.(*prometheus.CounterVec)
	}
	resolve := func(from string) withheld {
		return withheld{
			undeclared: vector.WithLabelValues(from, string(undeclared)),
			refused:    vector.WithLabelValues(from, string(refused)),
		}
	}
	return resolve("browser"), resolve("portal"), nil
}

// report counts and logs a verdict; never a value.
func (h *Handler) report(message, name string, judged verdict, counters withheld) {
	if judged != allowed {
		counters[judged].Inc()
	}
	if c := h.logger.Check(zapcore.DebugLevel, message); c != nil {
		c.Write(zap.String("cookie", name), zap.String("verdict", string(judged)))
	}
}

package judge

import (
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A script of a row is withheld however its path is written, where servers take that for
// the same file.
func TestJudgeScript(t *testing.T) {
	const rows = `
cookies:
  - name: xtvrn
    script: [/static/xtcore.js, /stats/*]
    purpose: Counts visits
    category: statistics
    consent: xiti
  - name: watched
    script: /watched.js
    purpose: Counts visits
    category: statistics
    consent: xiti
    monitor: true
`
	joined, store := portalOf(t, nil, rows, answers.Config{Format: "opendatasoft"})
	policy := NewPolicy(joined, Options{})
	for path, want := range map[string]Verdict{
		"/static/xtcore.js": Refused, "//static/xtcore.js": Refused, "/static//xtcore.js": Refused, "/static/./xtcore.js": Refused, "/a/../static/xtcore.js": Refused,
		"/stats/": Refused, "/stats/a/b.js": Refused, "/stats//a.js": Refused, "/x/..//stats/a.js": Refused, "/watched.js": Refused,
		"/static/XTCORE.js": Undeclared, "/static/xtcore.js/": Refused, "/static/xtcore.jsx": Undeclared, "/stats": Undeclared, "/": Undeclared, "": Undeclared,
	} {
		refused := policy.JudgeScript(path, &answers.Visitor{Store: store})
		if refused.Verdict != want || refused.Keeps != (want == Undeclared || path == "/watched.js") || refused.DependsOnAnswer != (want == Refused && path != "/watched.js") {
			t.Errorf("%s: %+v", path, refused)
		}
		granted := policy.JudgeScript(path, &answers.Visitor{Store: store, Lines: setcookie.Lines{`cookies_preferences={"xiti":true}`}})
		if !granted.Keeps || want == Refused && granted.Verdict != Allowed {
			t.Errorf("%s, granted: %+v", path, granted)
		}
	}
}

package page

import (
	"maps"
	"slices"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

// A scope is what a policy enforces of a charter, and what it only observes: every
// sentence of the page and the notice has to hold by it.
type scope struct {
	everything bool          // nothing is enforced
	undeclared bool          // cookies that no row declares pass
	rows       charter.Names // that are observed one by one, as people read them
	rowsAnswer bool          // some of these can be answered

	hasAnswers   bool // some cookie can be answered
	needsConsent bool // some cookie is refused without an answer
	refuses      bool // a refusal of some cookie is enforced
	shortens     bool // a duration that is told is enforced

	asked, askedObserved int // rows that are refused without an answer, and how many of them pass
}

func newScope(c *charter.Charter, policy *judge.Policy) scope {
	s := scope{everything: policy.Monitor == judge.MonitorEverything, undeclared: policy.Monitor == judge.MonitorUndeclared}
	for _, row := range c.Rows {
		canAnswer, isObserved := row.Key != "", policy.IsMonitored(row)
		s.hasAnswers = s.hasAnswers || canAnswer
		s.refuses = s.refuses || canAnswer && !isObserved
		s.shortens = s.shortens || row.Duration != "" && !isObserved && policy.EnforcesDuration
		if isObserved && !s.everything {
			s.rows = append(s.rows, row.Name...)
			s.rowsAnswer = s.rowsAnswer || canAnswer
		}
		if canAnswer && !row.Exempt {
			s.needsConsent = true
			s.asked++
			if isObserved {
				s.askedObserved++
			}
		}
	}
	return s
}

// isTrial tells whether something is only observed.
func (s *scope) isTrial() bool {
	return s.everything || s.undeclared || len(s.rows) > 0
}

// ignoresAnswers tells whether some answer is not enforced yet.
func (s *scope) ignoresAnswers() bool {
	return s.everything && s.hasAnswers || s.rowsAnswer
}

// promises returns the keys of texts.Promises that are kept.
func (s *scope) promises(policy *judge.Policy) []string {
	if s.everything {
		return nil
	}
	var promises []string
	switch {
	case !s.undeclared:
		promises = append(promises, "set")
	case s.refuses:
		promises = append(promises, "declared")
	}
	if len(promises) > 0 && !policy.PassesRequests {
		promises = append(promises, "requests")
	}
	if s.refuses {
		promises = append(promises, "expiries")
	}
	if s.shortens {
		promises = append(promises, "durations")
	}
	return promises
}

// wording returns the page's words in a language as they hold in this scope.
func (s *scope) wording(text *texts) *texts {
	own := *text
	own.Status = maps.Clone(text.Status)
	if s.needsConsent && !s.ignoresAnswers() {
		own.Status[statusLost] += " " + text.StillRefused
	}
	if s.ignoresAnswers() {
		own.Choice, own.ChoiceElsewhere = text.Trial["choice"], text.Trial["elsewhere"]
	}
	if s.hasAnswers && !s.needsConsent {
		own.Choice = text.ChoiceExempt
	}
	switch s.askedObserved {
	case 0:
	case s.asked:
		own.Notice = text.Trial["notice"]
	default:
		own.Notice += " " + text.Trial["notice_some"]
	}
	return &own
}

// trial returns what the page says first, if something is only observed.
func (p *Page) trial(text *texts) []Observed {
	var trial []Observed
	say := func(key string, names charter.Names) {
		trial = append(trial, Observed{text.Trial[key], names})
	}
	if p.scope.everything {
		say("everything", nil)
		if p.scope.hasAnswers {
			say("everything_answer", nil)
		}
		return trial
	}
	if p.scope.undeclared {
		say("undeclared", nil)
	}
	if len(p.scope.rows) > 0 {
		say("rows", slices.Clip(p.scope.rows))
		if p.scope.rowsAnswer {
			say("rows_answer", nil)
		}
	}
	return trial
}

// extent returns the word for a part of all cookies of a question.
func extent(part, all int) string {
	if part == all {
		return "all"
	}
	return "some"
}

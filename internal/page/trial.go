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
	policy        *judge.Policy
	keepsHosts    bool // pages reach no hosts but those that are allowed
	observesHosts bool // it is reported which others they reach
	keepsScripts  bool // their scripts write no cookies but those that are allowed

	observesScripts bool // it is told which others they write

	everything bool          // nothing is enforced
	undeclared bool          // cookies that no row declares pass
	rows       charter.Names // that are observed one by one, as people read them
	rowsAnswer bool          // some of these can be answered
	hosts      charter.Names // of rows without cookies, that a refusal does not stop
	items      charter.Names // stored ones of such rows

	hasAnswers   bool // some cookie can be answered
	needsConsent bool // some cookie is refused without an answer
	refuses      bool // a refusal of some cookie is enforced
	shortens     bool // a duration that is told is enforced
	asksHosts    bool // an answer decides about some host

	asked, askedObserved int // rows that are refused without an answer, and how many of them pass
}

func newScope(options Options) scope {
	s := scope{
		policy: options.Policy, keepsHosts: options.Hosts == Enforced, observesHosts: options.Hosts == Monitored,
		keepsScripts: options.guardWord() == Enforced, observesScripts: options.guardWord() == Monitored,
		everything: options.Policy.Monitor == judge.MonitorEverything, undeclared: options.Policy.Monitor == judge.MonitorUndeclared,
	}
	for _, row := range options.Charter.Rows {
		canAnswer, isObserved := row.Key != "", s.passes(row)
		s.hasAnswers = s.hasAnswers || canAnswer
		s.refuses = s.refuses || canAnswer && !isObserved
		s.shortens = s.shortens || row.Duration != "" && !isObserved && s.policy.EnforcesDuration
		s.asksHosts = s.asksHosts || canAnswer && !isObserved && s.keepsHosts && len(row.Host) > 0
		if isObserved && !s.everything && s.policy.IsMonitored(row) {
			s.rows = append(s.rows, row.Name...)
			s.rowsAnswer = s.rowsAnswer || canAnswer
		}
		if isObserved && !s.everything && canAnswer && len(row.Name) == 0 {
			isMonitored := s.policy.IsMonitored(row)
			if isMonitored || !s.keepsHosts {
				s.hosts = append(s.hosts, row.Host...)
			}
			if isMonitored || !s.keepsScripts {
				s.items = append(s.items, row.Storage...)
			}
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

// passes tells whether a row passes for now, whatever the answer: it is monitored, or of
// nothing but hosts or stored items, and nothing keeps pages from some of these.
func (s *scope) passes(row *charter.Row) bool {
	return s.policy.IsMonitored(row) || len(row.Name)+len(row.Script) == 0 &&
		(len(row.Host) > 0 && !s.keepsHosts || len(row.Storage) > 0 && !s.keepsScripts)
}

// isTrial tells whether some cookies are only observed.
func (s *scope) isTrial() bool {
	return s.everything || s.undeclared || len(s.rows) > 0
}

// ignoresAnswers tells whether some answer is not enforced yet.
func (s *scope) ignoresAnswers() bool {
	return s.everything && s.hasAnswers || s.rowsAnswer || len(s.hosts)+len(s.items) > 0
}

// promises returns the keys of texts.Promises that are kept.
func (s *scope) promises() []string {
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
	if len(promises) > 0 && !s.policy.PassesRequests {
		promises = append(promises, "requests")
	}
	if s.refuses {
		promises = append(promises, "expiries")
	}
	if s.shortens {
		promises = append(promises, "durations")
	}
	switch {
	case !s.keepsScripts:
	case !s.undeclared:
		promises = append(promises, "scripts")
	case s.refuses:
		promises = append(promises, "scripts_declared")
	}
	if s.keepsHosts {
		promises = append(promises, "hosts")
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
	if s.asksHosts {
		own.Choice += " " + text.ChoiceOpen
		own.Consequences += " " + text.ConsequencesHosts
	}
	own.Limits = slices.Clone(text.Limits)
	if s.keepsScripts {
		own.Limits[0] = text.LimitsScripts
	}
	if s.keepsHosts {
		own.Limits[1] = text.LimitsHosts
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
	if p.scope.observesScripts {
		say("scripts", nil)
	}
	switch {
	case p.scope.observesHosts:
		say("hosts", nil)
	case len(p.scope.hosts) > 0:
		say("host_rows", slices.Clip(p.scope.hosts))
	}
	if len(p.scope.items) > 0 {
		say("storage_rows", slices.Clip(p.scope.items))
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

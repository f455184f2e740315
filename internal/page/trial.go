package page

import (
	"maps"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

// A scope is what a policy enforces of a charter, and what it only observes: every
// sentence of the page and the notice has to hold by it.
type scope struct {
	policy        *judge.Policy
	keepsHosts    bool // pages reach no hosts but those that are allowed
	observesHosts bool // it is reported which others they reach
	keepsScripts  bool // their scripts write no cookies but those that are allowed, and no other stored items of rows

	observesScripts bool // it is told which others they write

	everything bool          // nothing is enforced
	undeclared bool          // cookies that no row declares pass
	rows       charter.Names // that are observed one by one, as people read them
	rowsAnswer bool          // some of these can be answered
	isAnyRow   bool          // some row is observed by itself, be it of cookies or not
	hosts      charter.Names // that a refusal does not stop; none if all are of rows with cookies
	items      charter.Names // stored ones, likewise

	takesAnswers bool // by its form; else a banner does
	hasAnswers   bool // some row can be answered
	asksCookies  bool // and some such row is of cookies
	needsConsent bool // some cookie is refused without an answer
	refuses      bool // a refusal of some cookie is enforced
	shortens     bool // a duration that is told is enforced
	asksHosts    bool // an answer decides about some host
	keepsItems   bool // a refusal of any stored item is enforced, and there are some
	hasItems     bool // there are some, be it of necessary rows
	hasPrefixes  bool // some names stand for all that begin so

	// Rows that are refused without an answer, but for those without cookies that pass, and
	// how many of them pass.
	asked, askedObserved int
}

func newScope(options Options) scope {
	s := scope{
		policy: options.Policy, keepsHosts: options.Hosts == document.Enforced, observesHosts: options.Hosts == document.Reported,
		keepsScripts: options.guardEffect() == document.Enforced, observesScripts: options.guardEffect() == document.Reported,
		everything: options.Policy.Monitor == judge.MonitorEverything, undeclared: options.Policy.Monitor == judge.MonitorUndeclared,
	}
	var hosts, items charter.Names
	var areHostsAlone, areItemsAlone bool // some of them are of a row without cookies
	var itemsPass bool                    // some, whatever the answer
	for _, row := range options.Charter.Rows {
		canAnswer, isObserved, isMonitored := row.Key != "", s.passes(row), s.policy.IsMonitored(row)
		s.hasAnswers = s.hasAnswers || canAnswer
		s.asksCookies = s.asksCookies || canAnswer && isOfCookies(row)
		s.refuses = s.refuses || canAnswer && !isObserved
		s.shortens = s.shortens || row.Duration != "" && !isObserved && s.policy.EnforcesDuration
		s.asksHosts = s.asksHosts || canAnswer && !isObserved && s.keepsHosts && len(row.Host) > 0
		if len(row.Storage) > 0 {
			s.hasItems = true
			s.keepsItems = s.keepsItems || canAnswer && s.keepsScripts
			itemsPass = itemsPass || canAnswer && isMonitored
		}
		s.hasPrefixes = s.hasPrefixes || slices.ContainsFunc(slices.Concat(row.Name, row.Storage), func(name string) bool { return strings.HasSuffix(name, "*") })
		passesAlone := isObserved && len(row.Name) == 0
		othersPass := isObserved && !s.everything && !isOfCookies(row)
		if isMonitored && !s.everything {
			s.isAnyRow = true
			s.rows = append(s.rows, row.Name...)
			s.rowsAnswer = s.rowsAnswer || canAnswer && !othersPass
		}
		if canAnswer && !s.everything && (isMonitored || !s.keepsHosts) {
			hosts = addOnce(hosts, row.Host...)
			areHostsAlone = areHostsAlone || passesAlone && len(row.Host) > 0
		}
		if canAnswer && !s.everything && (isMonitored || !s.keepsScripts) {
			items = addOnce(items, row.Storage...)
			areItemsAlone = areItemsAlone || passesAlone && len(row.Storage) > 0
		}
		if canAnswer && !row.Exempt {
			s.needsConsent = true
			if !othersPass {
				s.asked++
				if isObserved {
					s.askedObserved++
				}
			}
		}
	}
	s.keepsItems = s.keepsItems && !itemsPass
	if areHostsAlone {
		s.hosts = hosts
	}
	if areItemsAlone {
		s.items = items
	}
	return s
}

// isOfCookies tells whether a row is about cookies, or about scripts, which set them.
func isOfCookies(row *charter.Row) bool { return len(row.Name)+len(row.Script) > 0 }

// passes tells whether a row passes for now, whatever the answer: it is monitored, or of
// nothing but hosts or stored items, and nothing keeps pages from some of these.
func (s *scope) passes(row *charter.Row) bool {
	return s.policy.IsMonitored(row) || !isOfCookies(row) &&
		(len(row.Host) > 0 && !s.keepsHosts || len(row.Storage) > 0 && !s.keepsScripts)
}

// isTrial tells whether some cookies are only observed.
func (s *scope) isTrial() bool {
	return s.everything || s.undeclared || len(s.rows) > 0
}

// observes tells whether anything is only observed, which is a trial.
func (s *scope) observes() bool {
	return s.everything || s.undeclared || s.isAnyRow || s.observesHosts || s.observesScripts
}

// ignoresAnswers tells whether some answer is not enforced yet.
func (s *scope) ignoresAnswers() bool { return s.letsCookiesPass() || s.letsOthersPass() }

// letsCookiesPass tells whether that is so of cookies.
func (s *scope) letsCookiesPass() bool { return s.everything && s.hasAnswers || s.rowsAnswer }

// asksOthersAlone tells whether answers decide about hosts or stored items, and about no
// cookies.
func (s *scope) asksOthersAlone() bool { return s.hasAnswers && !s.asksCookies }

// letsOthersPass tells whether that is so of hosts or stored items.
func (s *scope) letsOthersPass() bool { return len(s.hosts)+len(s.items) > 0 }

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
	if s.keepsItems {
		promises = append(promises, "storage")
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
	if s.needsConsent && s.asksCookies && !s.letsCookiesPass() {
		own.Status[statusLost] += " " + text.StillRefused
	}
	if s.letsCookiesPass() {
		own.Choice, own.ChoiceElsewhere = text.Trial["choice"], text.Trial["elsewhere"]
	}
	if s.asksOthersAlone() {
		own.Choice, own.Consequences = text.ChoiceOthers, text.ConsequencesOthers
	}
	if s.hasAnswers && !s.needsConsent {
		own.Choice, own.ChoiceHere = text.ChoiceExempt, text.ChoiceExemptHere
	}
	if s.takesAnswers {
		own.Choice += " " + own.ChoiceHere
	}
	switch {
	case s.asksOthersAlone():
		own.Notice = text.NoticeOthers
	case s.askedObserved == 0:
	case s.askedObserved == s.asked:
		own.Notice = text.Trial["notice"]
	default:
		own.Notice += " " + text.Trial["notice_some"]
	}
	if s.letsOthersPass() || s.asksOthersAlone() && s.everything {
		own.Notice += " " + text.Trial["others"]
	}
	if !s.observes() {
		own.Trial = maps.Clone(text.Trial)
		own.Trial["title"] = text.Trial["title_pending"]
	}
	if s.hasItems {
		own.What += " " + text.WhatStorage
	}
	if s.keepsItems {
		own.What += " " + text.WhatStorageRefused
		if s.asksCookies {
			own.Consequences += " " + text.ConsequencesStorage
		}
	}
	if s.hasPrefixes {
		own.What += " " + text.WhatPrefix
	}
	if s.asksHosts {
		own.Choice += " " + text.ChoiceOpen
		own.Consequences += " " + text.ConsequencesHosts
	}
	own.Limits = slices.Clone(text.Limits)
	switch {
	case s.keepsItems:
		own.Limits[0] = text.LimitsStorage
	case s.keepsScripts:
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

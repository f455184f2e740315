package page

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

// A Question is what a visitor can answer, and has answered. It tells who asks, what for
// and for how long (CNIL, guidelines 2020-091, article 2; GDPR, article 7).
type Question struct {
	Key              string        // the consent key
	Title            Text          // who, and of what kind; the kind first where all of it is asked about
	Kind             string        // or kinds
	Providers        []Text        // who sets the cookies, each once, with a link to the policy; none if no row tells
	Countries        string        // where data go, as a list in words; "" if that is not declared
	Hosts            charter.Names // of all rows of the key, each once
	Storage          charter.Names // what scripts store in the browser beside cookies
	Purposes         []Text        // of all cookies of the key, each once
	Names            charter.Names // of these cookies
	Longest          string        // how long the longest-lived of them is kept, in words, or that some row does not tell; "" if there are none
	Stored           string        // the answer in force, in words, and what it does if that is not plain
	Granted, Refused bool          // what the form shows
	Exemption        string        // that cookies are set without an answer, in words; "" if none is
	Exempt           bool          // some cookie is, and was not opposed
	Observed         bool          // some cookie passes for now, whatever the answer
}

// asked returns what is asked in a language, a question per consent key, without what
// differs between visitors.
func (p *Page) asked(text *texts) []Question {
	keys := p.Charter.ConsentKeys()
	questions := make([]Question, 0, len(keys))
	for _, key := range keys {
		question := Question{Key: key}
		var kinds []string
		var countries charter.Names
		var longest charter.Duration
		var all, exempt int
		isTold := true
		for _, row := range p.Charter.Rows {
			if row.Key != key {
				continue
			}
			all++
			if row.Exempt {
				exempt++
			}
			question.Names = append(question.Names, row.Name...)
			kinds = addOnce(kinds, text.Kinds[row.Category].Name)
			countries = addOnce(countries, row.Country...)
			if provider := p.providerIn(text, row); provider.Text != "" {
				question.Providers = addProvider(question.Providers, provider)
			}
			if purpose := p.textIn(text, row.Purpose); purpose.Text != "" {
				question.Purposes = addOnce(question.Purposes, purpose)
			}
			question.Hosts = addOnce(question.Hosts, row.Host...)
			question.Storage = append(question.Storage, row.Storage...)
			if len(row.Name) == 0 {
				continue // nothing else of a row has a duration
			}
			lifetime, ok := p.Policy.PublishedDuration(row)
			isTold = isTold && ok
			if longest.Unit == "" || longest.Seconds() < lifetime.Seconds() {
				longest = lifetime
			}
		}
		if exempt > 0 {
			question.Exemption = text.StoredExempt[extent(exempt, all)]
		}
		question.Countries = text.countries(countries)
		switch {
		case len(question.Names) == 0:
		case isTold:
			question.Longest = text.longest(longest)
		default:
			question.Longest = text.Untold
		}
		question.Kind = strings.Join(kinds, text.Comma+" ")
		question.Title = titleOf(text, question)
		questions = append(questions, question)
	}
	return questions
}

// titleOf returns what a question is called.
func titleOf(text *texts, question Question) Text {
	names := make([]string, 0, len(question.Providers))
	for _, provider := range question.Providers {
		names = append(names, provider.Text)
	}
	who := strings.Join(slices.Compact(names), text.Comma+" ")
	switch {
	case who == "":
		return Text{Text: question.Kind}
	case slices.Contains(charter.Categories, charter.Category(question.Key)):
		return Text{Text: question.Kind + " – " + who}
	}
	return Text{Text: who + " – " + question.Kind}
}

// questions returns what the visitor can answer, and has answered.
func (p *Page) questions(text *texts, visitor *answers.Visitor) []Question {
	questions := slices.Clone(p.about[text].questions)
	for i := range questions {
		question := &questions[i]
		answer := answers.None
		var all, unasked, observed int
		var cookiesPass bool
		for _, row := range p.Charter.Rows {
			if row.Key != question.Key {
				continue
			}
			answer = max(answer, visitor.StoredAnswerTo(row))
			all++
			switch verdict := judge.VerdictOf(row, visitor); {
			case verdict == judge.Refused && p.scope.passes(row):
				observed++
				cookiesPass = cookiesPass || isOfCookies(row)
			case row.Exempt && visitor.AnswerTo(row) == answers.None:
				unasked++
			}
		}
		written := visitor.PageAnswerTo(question.Key)
		question.Granted, question.Refused = written == answers.Granted, written == answers.Refused
		question.Stored = text.Stored[answer.String()]
		if answer == answers.None && visitor.Opposed {
			question.Stored = text.Opposed
		}
		if question.Exempt = unasked > 0; question.Exempt {
			question.Stored += " " + question.Exemption
		}
		question.Observed = observed > 0
		switch {
		case !question.Observed:
		case cookiesPass || observed == all:
			question.Stored += " " + text.Trial["stored_"+extent(observed, all)]
		default:
			question.Stored += " " + text.Trial["others"]
		}
	}
	return questions
}

// addProvider adds a provider to a list, unless it is there, with the link to its policy if
// some row has one.
func addProvider(providers []Text, provider Text) []Text {
	for i, known := range providers {
		if known.Text == provider.Text && (known.Link == "" || provider.Link == "" || known.Link == provider.Link) {
			providers[i].Link = cmp.Or(known.Link, provider.Link)
			return providers
		}
	}
	return append(providers, provider)
}

// addOnce adds values to a list, unless they are there.
func addOnce[List ~[]Value, Value comparable](list List, values ...Value) List {
	for _, value := range values {
		if !slices.Contains(list, value) {
			list = append(list, value)
		}
	}
	return list
}

// countries returns a list of countries in words.
func (t *texts) countries(codes charter.Names) string {
	names := make([]string, 0, len(codes))
	in := display.Regions(t.tag)
	for _, code := range codes {
		names = append(names, in.Name(language.MustParseRegion(code)))
	}
	return strings.Join(names, t.Comma+" ")
}

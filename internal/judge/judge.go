// Package judge says what becomes of a cookie, a stored item, a host or a script: by the charter, the
// visitor's answers, options and a clock, and by nothing else. It does nothing itself.
package judge

import (
	"fmt"
	"slices"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A Direction is where a cookie came from.
type Direction uint8

// The directions.
const (
	FromBrowser Direction = iota // in a request, on its way to the portal
	FromPortal                   // in a Set-Cookie line, on its way to the browser
)

// Directions are the words for directions, in metrics and logs.
var Directions = [...]string{"browser", "portal"}

// String returns the word for the direction.
func (d Direction) String() string { return Directions[d] }

// A Verdict is what the charter and the visitor's preference say of a name.
type Verdict uint8

// The verdicts.
const (
	Undeclared Verdict = iota // no row declares the name, or browsers differ over it
	Refused                   // or unanswered, and not exempt
	Allowed                   // necessary, granted, or exempt and not refused
)

// Verdicts are the words for verdicts, in metrics, logs and files.
var Verdicts = [...]string{"undeclared", "refused", "allowed"}

// String returns the word for the verdict.
func (v Verdict) String() string { return Verdicts[v] }

// MarshalText returns the word for the verdict.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the word for a verdict.
func (v *Verdict) UnmarshalText(text []byte) error {
	i := slices.Index(Verdicts[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown verdict %q", text)
	}
	*v = Verdict(i)
	return nil
}

// VerdictAfter returns the verdict of the cookies of a row after an answer.
func VerdictAfter(answer answers.Answer, row *charter.Row) Verdict {
	switch {
	case row.Key == "", answer == answers.Granted, answer == answers.None && row.Exempt:
		return Allowed
	default:
		return Refused
	}
}

// VerdictOf returns the verdict of the cookies of a row for a visitor, who is asked
// only where the row needs an answer.
func VerdictOf(row *charter.Row, visitor *answers.Visitor) Verdict {
	if row.Key == "" {
		return Allowed
	}
	return VerdictAfter(visitor.AnswerTo(row), row)
}

// A Judgement is what judging one cookie, or stored item, gives. It is made first; acting on it, and
// telling of it, come after, and read nothing else.
type Judgement struct {
	Name string       // "" if it has none; of an item, its key
	Row  *charter.Row // that declares the name, nil if none does
	Line string       // of the portal, as it leaves if it does; "" of a pair or an item

	From            Direction
	Verdict         Verdict
	IsMonitored     bool // it is only reported
	Keeps           bool // it goes on to where it was sent
	IsAmended       bool // the line leaves otherwise than it came, or would if it were not monitored
	Deletes         bool // the line removes the cookie: a deletion is not a deposit
	DependsOnAnswer bool // another visitor's answer could give another judgement

	Attributes *setcookie.Attributes // of the portal's line, nil of a pair or an item
}

// What can be monitored, which is only reported: nothing is done to it.
const (
	MonitorEverything = "everything"
	MonitorUndeclared = "undeclared" // cookies that no row declares
)

// Options are what an operator chooses of a policy.
type Options struct {
	Monitor          string // what is, beside rows that say so: MonitorEverything, MonitorUndeclared, or "" for nothing
	PassesRequests   bool   // cookies go to the portal, whatever the verdict
	EnforcesDuration bool   // cookies live no longer than their rows say
}

// HoldsDurations tells whether durations are really enforced, save those of rows that are
// monitored one by one.
func (o Options) HoldsDurations() bool {
	return o.EnforcesDuration && o.Monitor != MonitorEverything
}

// A Policy is by what cookies are judged, beside the visitor's answers. Nothing
// changes it once it is made.
type Policy struct {
	Options
	charter    *charter.Charter
	hosts      []*charter.Row  // those with hosts
	scripts    []*charter.Row  // those with scripts
	attributes setcookie.Cache // of lines that come again and again
	AddsSecure bool            // to lines of some row
}

// NewPolicy returns the policy of a charter.
func NewPolicy(c *charter.Charter, options Options) *Policy {
	p := &Policy{Options: options, charter: c}
	for _, row := range c.Rows {
		p.AddsSecure = p.AddsSecure || row.Secure
		if len(row.Host) > 0 {
			p.hosts = append(p.hosts, row)
		}
		if len(row.Script) > 0 {
			p.scripts = append(p.scripts, row)
		}
	}
	return p
}

// IsMonitored tells whether verdicts of a row, nil for undeclared cookies, are only
// reported.
func (p *Policy) IsMonitored(row *charter.Row) bool {
	return p.Monitor == MonitorEverything || row == nil && p.Monitor == MonitorUndeclared || row != nil && row.Monitor
}

// PublishedDuration returns the duration that is published of a row, if it has one: the
// one that is enforced, or else the declared one.
func (p *Policy) PublishedDuration(row *charter.Row) (charter.Duration, bool) {
	return row.PublishedDuration(p.HoldsDurations())
}

// judgeName judges a cookie by its name, which is not ok if browsers differ over it.
func (p *Policy) judgeName(name string, ok bool, visitor *answers.Visitor) (j Judgement) {
	j.Name, j.Verdict = name, Undeclared
	if ok {
		j.Row = p.charter.Find(name)
	}
	if j.Row != nil {
		j.Verdict = VerdictOf(j.Row, visitor)
	}
	j.IsMonitored = p.IsMonitored(j.Row)
	j.DependsOnAnswer = j.Row != nil && j.Row.Key != "" && !j.IsMonitored
	j.Keeps = j.Verdict == Allowed || j.IsMonitored
	return j
}

// JudgePair judges a pair of a request's Cookie line by its name, which is not ok if
// there is none.
func (p *Policy) JudgePair(name string, ok bool, visitor *answers.Visitor) (j Judgement) {
	j = p.judgeName(name, ok && setcookie.IsToken(name), visitor)
	j.From = FromBrowser
	j.Keeps = j.Keeps || p.PassesRequests
	return j
}

// JudgeItem judges a stored item by its key, or by the beginning of some with an asterisk
// behind it. What no row declares is left alone.
func (p *Policy) JudgeItem(key string, visitor *answers.Visitor) (j Judgement) {
	j.Name, j.Row, j.Keeps = key, p.charter.FindItem(key), true
	if j.Row == nil {
		return j
	}
	j.Verdict, j.IsMonitored = VerdictOf(j.Row, visitor), p.IsMonitored(j.Row)
	j.DependsOnAnswer = j.Row.Key != "" && !j.IsMonitored
	j.Keeps = j.Verdict == Allowed || j.IsMonitored
	return j
}

// A Response is what the judgement of a portal's line takes from its answer.
type Response struct {
	Clock     setcookie.Clock // from which dates count
	Encrypted bool            // on its way to the visitor
}

// JudgeLine judges a Set-Cookie line of the portal.
func (p *Policy) JudgeLine(line string, response Response, visitor *answers.Visitor) (j Judgement) {
	name, text, ok := setcookie.Cut(line)
	attributes := p.attributes.Read(text)
	ok = ok && !attributes.HasControls
	j = p.judgeName(name, ok, visitor)
	if ok && visitor.IsReserved(name) {
		j.Verdict, j.Keeps = Refused, j.IsMonitored
	}
	j.From, j.Line, j.Attributes = FromPortal, line, attributes
	j.Deletes = ok && attributes.Deletes(response.Clock)
	j.Keeps = j.Keeps || j.Deletes
	if j.Verdict != Allowed {
		return j
	}
	amended := p.amend(line, attributes, j.Row, response)
	j.IsAmended = amended != line
	if !j.IsMonitored {
		j.Line = amended
	}
	return j
}

// amend returns a kept line as it may leave: a cookie that would outlive its
// row's duration is shortened, and attributes that the row declares are added.
func (p *Policy) amend(line string, attributes *setcookie.Attributes, row *charter.Row, response Response) string {
	if p.EnforcesDuration {
		line = attributes.Shorten(line, int64(row.Limit.Seconds()), response.Clock)
	}
	secures := row.Secure && !attributes.Secure && response.Encrypted
	if secures {
		line += "; Secure"
	}
	if row.HTTPOnly && !attributes.HTTPOnly {
		line += "; HttpOnly"
	}
	// Browsers refuse SameSite=None without Secure.
	if row.SameSite != "" && !attributes.HasSameSite && (row.SameSite != "None" || attributes.Secure || secures) {
		line += "; SameSite=" + row.SameSite
	}
	return line
}

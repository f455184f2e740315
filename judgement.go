package cookiecharter

import (
	"fmt"
	"slices"

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

// String returns the word for the direction.
func (d direction) String() string { return directions[d] }

// A verdict is what the charter and the visitor's preference say of a name.
type verdict int

const (
	undeclared verdict = iota
	refused            // or unanswered, and not exempt
	allowed
)

var verdicts = [...]string{"undeclared", "refused", "allowed"}

// String returns the word for the verdict.
func (v verdict) String() string { return verdicts[v] }

// MarshalText returns the word for the verdict.
func (v verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the word for a verdict.
func (v *verdict) UnmarshalText(text []byte) error {
	i := slices.Index(verdicts[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown verdict %q", text)
	}
	*v = verdict(i)
	return nil
}

// verdictAfter returns the verdict of the cookies of a row after an answer.
func verdictAfter(given answer, row *Row) verdict {
	switch {
	case row.key == "", given == answerGranted, given == answerNone && row.Exempt:
		return allowed
	default:
		return refused
	}
}

// verdictOf returns the verdict of the cookies of a row for a visitor, who is asked
// only where the row needs an answer.
func verdictOf(row *Row, visitor *visitor) verdict {
	if row.key == "" {
		return allowed
	}
	return verdictAfter(visitor.answerTo(row), row)
}

// A judgement is what judging one cookie gives. It is made first; acting on it, and
// telling of it, come after, and read nothing else.
type judgement struct {
	from    direction
	name    string
	row     *Row // that declares the name, nil if none does
	verdict verdict

	monitored bool   // it is only told
	keeps     bool   // it goes on to where it was sent
	line      string // of the portal, as it leaves if it does
	amended   bool   // so that it leaves otherwise than it came, or would but for monitored
	deletes   bool   // the line removes the cookie: a deletion is not a deposit
	depends   bool   // another visitor's answer could give another judgement

	attributes *setcookie.Attributes // of the portal's line, nil of a pair
}

// What is monitored: only told, and nothing done.
const (
	monitorEverything = "everything"
	monitorUndeclared = "undeclared"
)

// policyOptions are what an operator chooses of a policy.
type policyOptions struct {
	monitors         string // what is monitored beside rows that say so: everything, undeclared, or ""
	passesRequests   bool   // cookies go to the portal, whatever the verdict
	enforcesDuration bool
}

// A policy is by what cookies are judged, beside the visitor's answers. Nothing
// changes it once it is made.
type policy struct {
	policyOptions
	charter    *charter
	attributes setcookie.Cache // of lines that come again and again
	addsSecure bool            // to lines of some row
}

func newPolicy(c *charter, options policyOptions) *policy {
	p := &policy{policyOptions: options, charter: c}
	for _, row := range c.cookies {
		p.addsSecure = p.addsSecure || row.Secure
	}
	return p
}

// isMonitored tells whether verdicts of a row, nil for undeclared cookies, are only
// told.
func (p *policy) isMonitored(row *Row) bool {
	return p.monitors == monitorEverything || row == nil && p.monitors == monitorUndeclared || row != nil && row.Monitor
}

// judgeName judges a cookie by its name, which is not ok if browsers differ over it.
func (p *policy) judgeName(name string, ok bool, visitor *visitor) judgement {
	j := judgement{name: name, verdict: undeclared}
	if ok {
		j.row = p.charter.find(name)
	}
	if j.row != nil {
		j.verdict = verdictOf(j.row, visitor)
	}
	j.monitored = p.isMonitored(j.row)
	j.depends = j.row != nil && j.row.key != "" && !j.monitored
	j.keeps = j.verdict == allowed || j.monitored
	return j
}

// judgePair judges a pair of a request's Cookie line by its name, which is not ok if
// there is none.
func (p *policy) judgePair(name string, ok bool, visitor *visitor) judgement {
	j := p.judgeName(name, ok && setcookie.IsToken(name), visitor)
	j.from = fromBrowser
	j.keeps = j.keeps || p.passesRequests
	return j
}

// An answerContext is what the judgement of a portal's line takes from its answer.
type answerContext struct {
	clock     setcookie.Clock // from which dates count
	encrypted bool            // on its way to the visitor
}

// judgeLine judges a Set-Cookie line of the portal.
func (p *policy) judgeLine(line string, answer answerContext, visitor *visitor) judgement {
	name, written, ok := setcookie.Cut(line)
	read := p.attributes.Read(written)
	ok = ok && !read.HasControls
	j := p.judgeName(name, ok, visitor)
	if ok && visitor.owns(name) {
		j.verdict, j.keeps = refused, j.monitored
	}
	j.from, j.line, j.attributes = fromPortal, line, read
	j.deletes = ok && read.Delete(answer.clock)
	j.keeps = j.keeps || j.deletes
	if j.verdict != allowed {
		return j
	}
	amended := p.amend(line, read, j.row, answer)
	j.amended = amended != line
	if !j.monitored {
		j.line = amended
	}
	return j
}

// amend returns a kept line as it may leave: a cookie that would outlive its
// row's duration is shortened, and attributes that the row declares are added.
func (p *policy) amend(line string, read *setcookie.Attributes, row *Row, answer answerContext) string {
	if p.enforcesDuration {
		line = read.Shorten(line, int64(row.limit.seconds()), answer.clock)
	}
	secures := row.Secure && !read.Secure && answer.encrypted
	if secures {
		line += "; Secure"
	}
	if row.HTTPOnly && !read.HTTPOnly {
		line += "; HttpOnly"
	}
	// Browsers refuse SameSite=None without Secure.
	if row.SameSite != "" && !read.HasSameSite && (row.SameSite != "None" || read.Secure || secures) {
		line += "; SameSite=" + row.SameSite
	}
	return line
}

package cookiecharter

import (
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A judgement is what judging one cookie gives. It is made first; acting on it, and
// telling of it, come after, and read nothing else.
type judgement struct {
	from    direction
	name    string
	row     *Cookie // that declares the name, nil if none does
	verdict verdict

	monitored bool   // it is only told
	keeps     bool   // it goes on to where it was sent
	line      string // of the portal, as it leaves if it does
	amended   bool   // so that it leaves otherwise than it came, or would but for monitored
	deletes   bool   // the line removes the cookie: a deletion is not a deposit
	depends   bool   // another visitor's answer could give another judgement

	attributes *setcookie.Attributes // of the portal's line, nil of a pair
}

// A policy is by what cookies are judged, beside the visitor's answers. Nothing
// changes it once it is made.
type policy struct {
	charter    *charter
	attributes *setcookie.Cache // of lines that come again and again

	monitors         string // what is only told beside rows that say so: everything, undeclared, or ""
	passesRequests   bool   // to the portal, whatever the verdict
	enforcesDuration bool
	addsSecure       bool // to lines of some row
}

func newPolicy(h *Handler) *policy {
	p := &policy{
		charter:          h.charter,
		attributes:       new(setcookie.Cache),
		monitors:         h.Monitor,
		passesRequests:   h.RequestCookies == passCookies,
		enforcesDuration: h.Durations != declareDurations,
	}
	for _, row := range h.charter.cookies {
		p.addsSecure = p.addsSecure || row.Secure
	}
	return p
}

// isMonitored tells whether verdicts of a row, nil for undeclared cookies, are only
// told.
func (p *policy) isMonitored(row *Cookie) bool {
	return p.monitors == monitorEverything || row == nil && p.monitors == monitorUndeclared || row != nil && row.Monitor
}

// judgeName judges a cookie by its name, which is not ok if browsers differ over it.
func (p *policy) judgeName(name string, ok bool, visitor *preference) judgement {
	j := judgement{name: name, verdict: undeclared}
	if ok {
		j.verdict, j.row = p.charter.judge(name, visitor)
	}
	j.monitored = p.isMonitored(j.row)
	j.depends = j.row != nil && j.row.key != "" && !j.monitored
	j.keeps = j.verdict == allowed || j.monitored
	return j
}

// judgePair judges a pair of a request's Cookie line by its name, which is not ok if
// there is none.
func (p *policy) judgePair(name string, ok bool, visitor *preference) judgement {
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
func (p *policy) judgeLine(line string, answer answerContext, visitor *preference) judgement {
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
func (p *policy) amend(line string, read *setcookie.Attributes, row *Cookie, answer answerContext) string {
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

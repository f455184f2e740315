package judge

import (
	"path"
	"slices"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// A HostJudgement is what judging an origin gives, from which a page loads or to which it
// sends.
type HostJudgement struct {
	Origin  charter.Origin
	Row     *charter.Row // that lets it through, else the first that declares it; nil if none does
	Verdict Verdict      // a host in several rows is allowed as soon as one of them is
}

// JudgeHost judges an origin for a visitor. Browsers match paths of declared hosts, too,
// of which an origin tells nothing.
func (p *Policy) JudgeHost(origin charter.Origin, visitor *answers.Visitor) HostJudgement {
	return judgeHost(p.hosts, origin, func(row *charter.Row) Verdict { return VerdictOf(row, visitor) })
}

// JudgeHostAfter judges an origin by rows after an answer, the same to all questions.
func JudgeHostAfter(answer answers.Answer, rows []*charter.Row, origin charter.Origin) HostJudgement {
	return judgeHost(rows, origin, func(row *charter.Row) Verdict { return VerdictAfter(answer, row) })
}

func judgeHost(rows []*charter.Row, origin charter.Origin, verdictOf func(*charter.Row) Verdict) HostJudgement {
	judgement := HostJudgement{Origin: origin, Verdict: Undeclared}
	for _, row := range rows {
		if !row.IncludesOrigin(origin) {
			continue
		}
		if verdict := verdictOf(row); verdict > judgement.Verdict {
			judgement.Row, judgement.Verdict = row, verdict
		}
	}
	return judgement
}

// AllowedHosts are the hosts that pages may load from and send to.
type AllowedHosts struct {
	Hosts           charter.Names // as they are declared, each once
	DependsOnAnswer bool          // another visitor's answers could give others
}

// JudgeHosts returns the hosts that a visitor allows. Those of rows that are only
// monitored are among them.
func (p *Policy) JudgeHosts(visitor *answers.Visitor) AllowedHosts {
	var allowed AllowedHosts
	for _, row := range p.hosts {
		isMonitored := p.IsMonitored(row)
		if isMonitored || VerdictOf(row, visitor) == Allowed {
			allowed.Hosts = appendOnce(allowed.Hosts, row.Host)
		}
		allowed.DependsOnAnswer = allowed.DependsOnAnswer || row.Key != "" && !isMonitored
	}
	return allowed
}

// NecessaryHosts returns the hosts that every visitor's pages may reach, whatever the
// answers.
func (p *Policy) NecessaryHosts() charter.Names {
	var hosts charter.Names
	for _, row := range p.hosts {
		if row.Key == "" || p.IsMonitored(row) {
			hosts = appendOnce(hosts, row.Host)
		}
	}
	return hosts
}

// DeclaredHosts returns all hosts that are declared, each once.
func (p *Policy) DeclaredHosts() charter.Names {
	var hosts charter.Names
	for _, row := range p.hosts {
		hosts = appendOnce(hosts, row.Host)
	}
	return hosts
}

func appendOnce(hosts, others charter.Names) charter.Names {
	for _, host := range others {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// A ScriptJudgement is what judging a path of the portal gives.
type ScriptJudgement struct {
	Row             *charter.Row // that lets the script through, else the first that declares it; nil if none does
	Verdict         Verdict
	IsMonitored     bool // it is only reported
	Keeps           bool // it is served
	DependsOnAnswer bool // another visitor's answer could give another judgement
}

// JudgeScript judges a path for a visitor; what no row declares is the portal's own.
func (p *Policy) JudgeScript(requested string, visitor *answers.Visitor) ScriptJudgement {
	judgement := ScriptJudgement{Verdict: Undeclared, Keeps: true}
	if len(p.scripts) == 0 {
		return judgement
	}
	clean := path.Clean(requested) // many servers take "//" for "/", and all take "/./"
	for _, row := range p.scripts {
		if !row.Script.Include(requested) && !row.Script.Include(clean) {
			continue
		}
		verdict, isMonitored := VerdictOf(row, visitor), p.IsMonitored(row)
		judgement.DependsOnAnswer = judgement.DependsOnAnswer || row.Key != "" && !isMonitored
		judgement.IsMonitored = judgement.IsMonitored || isMonitored
		if verdict > judgement.Verdict {
			judgement.Row, judgement.Verdict = row, verdict
		}
	}
	judgement.Keeps = judgement.Verdict != Refused || judgement.IsMonitored
	return judgement
}

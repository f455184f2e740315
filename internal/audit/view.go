package audit

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A view is a report as people read it, in a language.
type view struct {
	*Report
	*language

	cookiesByHost map[string][]string // their names; nil as long as nobody has asked
}

// A fact is something of the report with what it is called.
type fact struct{ Name, Text string }

// Say says a sentence of the report in the language.
func (v *view) Say(text string) string { return v.say(text) }

// Facts returns what makes a report evidence: when it was made, by whom, with what and
// against what.
func (v *view) Facts() []fact {
	facts := make([]fact, 0, 7+len(v.Visits))
	facts = append(facts, fact{"Date", v.period()}, fact{"Made by", v.By}, fact{"Made with", v.Tool}, fact{"Browser", cmp.Or(v.Browser, v.say("none: no scripts ran"))})
	for _, visit := range v.Visits {
		facts = append(facts, fact{"Visit: " + visit.Visit, v.answerOf(visit)}) // a label each
	}
	facts = append(facts,
		fact{"Charter", v.sayf("version %s, from %s", v.Version, v.Charter)},
		fact{"Hash of the charter", sha256Of(v.CharterHash)},
		fact{"Hash of this report as JSON", sha256Of(v.Hash)})
	facts = slices.DeleteFunc(facts, func(each fact) bool { return each.Text == "" })
	for i := range facts {
		facts[i].Name = v.say(facts[i].Name)
	}
	return facts
}

func sha256Of(hash string) string {
	if hash == "" {
		return ""
	}
	return "SHA-256 " + hash
}

// period returns when the audit was made.
func (v *view) period() string {
	ended := v.Ended.In(v.Time.Location())
	return v.sayf("%s, from %s to %s (%s)", v.Date(v.Time), v.Time.Format(time.TimeOnly), ended.Format(time.TimeOnly), v.Time.Format("UTC-07:00"))
}

// answerOf returns which answer was given before a visit, and how.
func (v *view) answerOf(visit Visit) string {
	if visit.AnsweredAt == "" {
		return v.say("no answer")
	}
	return v.sayf("%s, by clicking %s on %s", v.say("answer "+visit.Answer), strings.Join(visit.Clicked, ", "), visit.AnsweredAt)
}

// Title returns what the report is called.
func (v *view) Title() string { return v.sayf("Audit of %s", v.Site) }

// Footer returns what stands on each printed page: site, time and the beginning of the hash.
func (v *view) Footer() template.CSS {
	text := fmt.Sprintf("%s, %s, %s", originOf(v.Site), v.Time.Format("2006-01-02 15:04"), v.Hash[:min(len(v.Hash), 16)])
	plain := strings.Map(func(char rune) rune { // so that it ends no string
		if char == '\'' || char == '"' || char == '\\' || char == '<' || unicode.IsControl(char) {
			return -1
		}
		return char
	}, text)
	return template.CSS(`"` + plain + `"`) //nolint:gosec // as above
}

// legend tells what the cells of cookies say.
const legend = "header, script, answer: what has set the cookie on this visit (answer: it came with that); kept: it was there after the last page; sent: to a page; ✗: against the charter"

// Legend returns what the cells of cookies say, in English.
func (*view) Legend() string { return legend }

// Remarks returns what was not tested, and why.
func (v *view) Remarks() []string { return v.sayAll(slices.Concat(v.Notes, v.Failures)) }

// HasPictures tells whether there are screenshots at hand. A report that was read, such as one
// that is published, has their hashes alone, in its JSON.
func (v *view) HasPictures() bool {
	return slices.ContainsFunc(v.Visits, func(visit Visit) bool { return visit.Screenshot.Picture() != "" })
}

// found are findings with who says them.
type found struct {
	View     *view
	Findings []Finding
}

// Found returns findings for a template.
func (v *view) Found(findings []Finding) found { return found{v, findings} }

// IsGood tells whether all was looked at, and nothing violates the charter.
func (v *view) IsGood() bool { return len(v.Findings) == 0 && !v.Incomplete }

// Verdict returns what was found.
func (v *view) Verdict() string {
	var text string
	counts := map[string]int{}
	for _, found := range v.Findings {
		counts[found.Kind]++
	}
	cookies, items, hosts := strconv.Itoa(counts[kindCookie]), strconv.Itoa(counts[kindItem]), strconv.Itoa(counts[kindHost])
	switch {
	case counts[kindItem] > 0:
		text = v.sayf("Cookies that violate the charter: %s; stored items: %s; hosts: %s", cookies, items, hosts)
	case counts[kindHost] > 0:
		text = v.sayf("Cookies that violate the charter: %s; hosts: %s", cookies, hosts)
	case counts[kindCookie] > 0:
		text = v.sayf("Cookies that violate the charter: %s", cookies)
	case v.Incomplete:
		return v.say("No violations were seen, but pages or visits are missing")
	default:
		return v.say("No violations of the charter")
	}
	if v.Incomplete {
		text += " (" + v.say("pages or visits are missing") + ")"
	}
	return text
}

// against marks cells with violations.
const against = "✗ "

// Cell returns what happened on a visit.
func (v *view) Cell(seen cell) string {
	text := cmp.Or(strings.Join(v.sayAll(seen.Words), ", "), "–")
	if seen.IsAgainst {
		return against + text
	}
	return text
}

// DeclaredAs returns the row that declares what was seen.
func (v *view) DeclaredAs(seen *row) string {
	if seen.DeclaredAs == "" {
		return v.say("undeclared")
	}
	return seen.DeclaredAs + ", " + v.say(seen.Category)
}

// NameOf returns what a cookie, a stored item or a host is called.
func (v *view) NameOf(found Finding) string { return cmp.Or(found.Name, v.say("(no name)")) }

// LifetimeOf returns how long a cookie lives, and how long the charter says that.
func (v *view) LifetimeOf(seen *row) string {
	set, published := cmp.Or(v.say(seen.Lifetime), "–"), v.say(seen.Published)
	if published == "" || published == set {
		return set
	}
	return v.sayf("%s (published: %s)", set, published)
}

// CookiesOf returns the names of the cookies of a host.
func (v *view) CookiesOf(host *row) string {
	if v.cookiesByHost == nil {
		v.cookiesByHost = map[string][]string{}
		for _, cookie := range v.cookieRows() {
			v.cookiesByHost[cookie.Host] = append(v.cookiesByHost[cookie.Host], v.NameOf(cookie.Finding))
		}
	}
	return cmp.Or(strings.Join(v.cookiesByHost[host.Name], ", "), "–")
}

// What returns what a finding violates, in words.
func (v *view) What(found Finding) string {
	return cmp.Or(strings.Join(v.sayAll(found.What()), v.say("; ")), v.say("seen"))
}

// Status returns what a page has answered on a visit.
func (v *view) Status(page Page) string {
	switch {
	case page.Failure != "" && page.Status == 0:
		return v.say("failed")
	case page.Status == 0:
		return "–"
	}
	return strconv.Itoa(page.Status)
}

// Shown returns an address without the site, where it is of that.
func (v *view) Shown(address string) string {
	return cmp.Or(strings.TrimPrefix(address, strings.TrimSuffix(originOf(v.Site), "/")), "/")
}

// CookieRows returns a row for each cookie.
func (v *view) CookieRows() []*row { return v.cookieRows() }

// stoppedTitle is over what scripts wrote, and the site's guard, or whatever else is in its pages,
// kept from the browser.
const stoppedTitle = "Written by scripts, and stopped in the page"

// StoppedTitle returns it in English.
func (*view) StoppedTitle() string { return stoppedTitle }

// StoppedName returns what that is called which was stopped.
func (v *view) StoppedName(seen *row) string {
	if seen.Kind == kindItem {
		return v.sayf("%s (local or session storage)", seen.Name)
	}
	return v.NameOf(seen.Finding)
}

// StoppedRows returns a row for each cookie and stored item that was stopped.
func (v *view) StoppedRows() []*row { return v.stoppedRows() }

// ItemRows returns a row for each stored item.
func (v *view) ItemRows() []*row { return v.itemRows() }

// HostRows returns a row for each other host.
func (v *view) HostRows() []*row { return v.hostRows() }

// PageRows returns a row for each page.
func (v *view) PageRows() []*pageRow { return v.pageRows() }

// otherScope tells how a comparison is to be read where OtherScope is true.
const otherScope = "The two audits did not look at the same (pages, visits, scripts or hosts), so that what is new or gone can be what only one of them saw."

// OtherScope returns it in English.
func (*view) OtherScope() string { return otherScope }

// SinceTitle returns which earlier report this one is compared with.
func (v *view) SinceTitle() string {
	earlier := v.Report.Since
	return v.sayf("Since the report of %s (browser: %s; charter: %s)", v.Date(earlier.Time)+", "+earlier.Time.Format(time.TimeOnly), cmp.Or(earlier.Browser, v.say("none: no scripts ran")), earlier.Version)
}

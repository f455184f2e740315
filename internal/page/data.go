package page

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/removal"
	"github.com/cookie-charter/cookie_charter/internal/request"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// What a form post did, in the address of the page to which it leads.
const (
	statusSaved     = "saved"
	statusUnchanged = "unchanged"
	statusLost      = "lost"      // the browser did not keep what was saved
	statusPartly    = "partly"    // not all was understood, and what was is saved
	statusNotSaved  = "not_saved" // nothing was understood that can be saved
)

// Data is what the template of the charter page shows.
type Data struct {
	Language, Direction string // a language tag; "ltr" or "rtl"
	Text                *texts // the page's own words, as in internal/page/languages/en.yaml
	Title               Text
	Site                string        // what the portal is called: its name, or its address, such as https://data.example.fr; "" in the archive, if it has no name
	About               About         // the portal
	Base                string        // of relative links: the page's own folder, such as "" or "cookies-policy/"
	Style               string        // the page's own stylesheet, with its version
	InlineStyle         template.CSS  // what is in it, where the page is a file by itself; "" if it is linked
	Stylesheet, Logo    string        // paths on this site; "" for none
	Header, Footer      template.HTML // the operator's, before and after the content
	Languages           []Link        // the page in the other languages
	Fixed               bool          // the page is kept or exported: it takes no choice, and tells nothing of a visitor
	Archived            string        // which version it is that is kept, and since when it was served; "" if it is not from the archive
	Status              string        // what became of a form post; "" if there was none
	Trial               []Observed    // what is only observed, not enforced yet; none if all is enforced
	Remaining           []Remaining   // refused cookies that are still there, after a choice
	Reference           string        // of its record; "" if there is none
	Kinds               []Kind        // all four, also those without rows
	Tables              template.HTML // the part "charter-tables", of Kinds alone: it is made at load, a language each
	Questions           []Question    // one per consent key
	CanAnswer           bool          // on this page, by form
	Banner              bool          // the portal's own banner asks, too
	Manage              []string      // links to it
	Consequences        string        // of either answer; "" if answers are not enforced yet
	Kept                string        // how long an answer is kept that the page takes; "" if it takes none
	Given               string        // when the stored answers were given and until when they hold; "" if there are none
	GivenTo             Text          // to which version of the charter, in a sentence that can be a link to it
	GivenReference      string        // of the record of these answers; "" if there is none
	Cookies             []Cookie      // what the browser sent
	Promises            []string      // what is enforced, in words
	Monitored           string        // that it is not enforced yet; "" if it is
	Tested              *Tested       // the last audit of the site that is published; nil if there is none
	Version             string        // of the charter
	Updated             *Date         // the last time, in a sentence; nil if it is not known
	Versions            []Version     // that were served before
	Exports             []Link        // the same table in other formats; none where they cannot be reached
	Asked               string        // fingerprints of the questions, for the form's field of that name

	parts map[string]template.HTML // that are made once
}

// Part returns a part of the page that is made once.
func (d *Data) Part(name string) template.HTML { return d.parts[name] }

// Text is a text of the charter. Language is empty if it is in the page's
// own, or in none that is known. Link is where it leads, "" if that is nowhere.
type Text struct {
	Text     string
	Language string
	Link     string
}

// Link is a link. Language is that of the page behind it, "" for the same.
type Link struct {
	Name, Language, Link string
	Current              bool // it leads to the page itself
}

// Observed says in a sentence what is not enforced yet, or what that means for an
// answer.
type Observed struct {
	Text  string
	Names charter.Names // of the cookies, if it is not all of a kind
}

// Remaining are refused cookies that are still in the browser after a choice
// was saved.
type Remaining struct {
	Text  string        // when they go, or that they cannot be removed from here
	Names charter.Names // of the first of them
	More  int           // how many there are besides
}

// Kind is one of the four kinds of cookies with its rows.
type Kind struct {
	Name, Definition string
	Providers        [][]Row // the rows, by who sets them; none if no cookie is of this kind
	HasDurations     bool    // some row has one, or stored items, which have none
	HasStorage       bool    // some row has stored items
}

// Rows returns all rows of the kind.
func (k Kind) Rows() []Row { return slices.Concat(k.Providers...) }

// Row is a row of the charter.
type Row struct {
	Names                      charter.Names // as people read them; none if it has no cookies
	Hosts                      charter.Names // that pages load from or send to
	Storage                    charter.Names // what scripts store in the browser beside cookies
	Provider, Service, Purpose Text
	Countries                  string // where data go, as a list in words
	Duration                   string // of its cookies, as it is enforced; "" if that is not declared
	Exempt                     bool   // allowed unless it is refused
	Consent                    string // the key of the answer that decides about it, "" for that of its kind
}

// Cookie is a cookie that the browser sent with the request for the page.
// Its value is not part of it.
type Cookie struct {
	Name     string // "" if it has none
	Declared bool   // by a row
	Purpose  Text   // of the row
	Verdict  string // "allowed", "undeclared" or "refused"
	Outcome  string // what happens to it, in words
}

// Date is a day.
type Date struct {
	ISO   string // such as 2026-11-21
	Words string // in the page's language
}

// Version is a version of the charter that was served.
type Version struct {
	Version string
	Served  Date // the first day
}

// fixed returns what the page shows in a language of a site whose address is that, if it has
// no visitor: what is kept, or exported, has no more than that.
func (p *Page) fixed(address string, text *texts) *Data {
	data := &Data{
		Language:     text.tag.String(),
		Direction:    text.Direction,
		Text:         text,
		Title:        p.title(text),
		Site:         p.site(address, text),
		About:        p.about[text],
		Style:        p.styleName,
		Stylesheet:   p.Stylesheet,
		Logo:         p.Logo,
		Header:       p.header,
		Footer:       p.footer,
		Fixed:        true,
		Kinds:        p.kinds[text],
		Tables:       p.tables[text],
		Questions:    p.about[text].questions,
		Banner:       p.hasBanner,
		Manage:       p.manageLinks,
		Consequences: p.consequences(text),
		Kept:         text.duration(p.lifetime),
		Monitored:    text.Monitored[p.monitored],
		Trial:        p.trial(text),
		Version:      p.Charter.Version,
		Asked:        p.asks(),
		parts:        p.parts[text],
	}
	for _, key := range p.promises {
		data.Promises = append(data.Promises, text.Promises[key])
	}
	if !p.Charter.Updated.IsZero() {
		data.Updated = &Date{p.Charter.Updated.Format(time.DateOnly), fmt.Sprintf(text.Updated, text.date(p.Charter.Updated))}
	}
	return data
}

// data returns what the page shows to a visitor.
func (p *Page) data(e Exchange, text *texts) *Data {
	r := e.Request
	query := r.URL.Query()
	data := p.fixed(address(r), text)
	data.Fixed = false
	data.Questions, data.CanAnswer = p.questions(text, e.Visitor), p.canAnswer
	data.Cookies = p.cookies(text, e.Visitor)
	if !strings.HasSuffix(r.URL.Path, "/") {
		data.Base = p.ownFolder()
	}
	data.Style = data.Base + p.styleName
	inOther := url.Values{}
	switch status := query.Get("status"); status {
	case statusSaved, statusUnchanged, statusLost, statusPartly, statusNotSaved:
		// Only what was just done is shown: the address may come back later.
		at := answers.ParseTime(query.Get("at"))
		if !e.Visitor.IsRecent(at, maxStatus) || !isFromSameOrigin(r) || saysSaved(status) && !e.Visitor.Keeps(at, "") {
			break
		}
		inOther.Set("status", status)
		inOther.Set("at", query.Get("at"))
		if reference := query.Get("reference"); e.Visitor.HasReference(reference) {
			inOther.Set("reference", reference)
			data.Reference = fmt.Sprintf(text.Reference, reference)
		}
		data.Status = cmp.Or(text.Status[status], text.Unclear[status])
		if saysSaved(status) {
			from, _ := strconv.ParseUint(query.Get("from"), 10, 31)
			if data.Remaining = p.remaining(e, text, int(from)); data.Remaining != nil {
				inOther.Set("from", strconv.FormatUint(from, 10))
			}
		}
	}
	data.Languages, data.Exports = p.languages(text, inOther), exports(text)
	if p.archive != nil {
		for _, kept := range p.archive.others() {
			data.Versions = append(data.Versions, Version{kept.version, Date{kept.served.Format(time.DateOnly), text.date(kept.served)}})
		}
	}
	p.tellGiven(data, text, e.Visitor)
	data.Tested = p.tested(r, data.Base, text)
	return data
}

// languages returns links to the page in all its languages, the same for some query.
func (p *Page) languages(current *texts, query url.Values) []Link {
	links := make([]Link, 0, len(p.texts))
	for _, other := range p.texts {
		tag := other.tag.String()
		query.Set("flg", tag)
		links = append(links, Link{other.Name, tag, "?" + query.Encode(), other == current})
	}
	slices.SortFunc(links, func(a, b Link) int { return strings.Compare(a.Language, b.Language) })
	return links
}

// exports returns links to the same table in other formats.
func exports(text *texts) []Link {
	var links []Link
	for _, format := range exportFormats {
		if format.name != "" {
			links = append(links, Link{Name: format.name, Link: "?format=" + format.key + "&flg=" + text.tag.String()})
		}
	}
	return links
}

// tellGiven tells, as long as some answer holds, when the visitor has given it, and what
// proves that: the version of the charter, and the reference of the record.
func (p *Page) tellGiven(data *Data, text *texts, visitor *answers.Visitor) {
	given, ok := visitor.AnswerTime()
	holds := slices.ContainsFunc(p.Charter.ConsentKeys(), func(key string) bool { return visitor.PageAnswerTo(key) != answers.None })
	if !ok || !holds {
		return
	}
	if p.lifetime.Unit != charter.Session {
		until := given.Add(time.Duration(p.lifetime.Seconds()) * time.Second)
		if !until.After(p.Answers.Now()) {
			return
		}
		data.Given = fmt.Sprintf(text.ChoiceGiven, text.date(given), text.date(until))
	}
	version, reference := visitor.Record()
	if version == "" {
		return
	}
	data.GivenTo.Text = fmt.Sprintf(text.ChoiceVersion, version)
	if p.archive != nil {
		if _, isKept := p.archive.find(version); isKept {
			data.GivenTo.Link = versionLink(version, text)
		}
	}
	if reference != "" {
		data.GivenReference = fmt.Sprintf(text.Reference, reference)
	}
}

// versionLink returns a link from the page to a version in the archive, in a language.
func versionLink(version string, text *texts) string {
	return "?version=" + version + "&flg=" + text.tag.String()
}

// ownFolder returns the page's own folder, as it is named from the page without the slash at
// its end.
func (p *Page) ownFolder() string { return path.Base(p.Path) + "/" }

// maxRemaining is how many cookies are named that were not removed yet.
const maxRemaining = 10

// remaining returns the refused cookies that came with the request for a page
// that says that a choice was saved, after a withdrawal up to a position.
func (p *Page) remaining(e Exchange, text *texts, position int) []Remaining {
	later, never := removal.AfterWithdrawal(e.Removals.RefusedCookies(), e.Origin, position)
	var remaining []Remaining
	for _, part := range []struct {
		key     string
		cookies []removal.Cookie
	}{{"later", later}, {"never", never}} {
		if len(part.cookies) == 0 {
			continue
		}
		shown := Remaining{Text: text.Remaining[part.key], More: max(0, len(part.cookies)-maxRemaining)}
		for _, cookie := range part.cookies[:len(part.cookies)-shown.More] {
			shown.Names = append(shown.Names, cookie.Name[:min(len(cookie.Name), setcookie.MaxShown)])
		}
		remaining = append(remaining, shown)
	}
	return remaining
}

// sample returns data of which every part shows.
func (p *Page) sample(text *texts) *Data {
	link := []Link{{"name", "fr", "/", false}, {"name", "en", "/", true}}
	word := Text{"text", "fr", "/"}
	return &Data{
		Language: text.tag.String(), Direction: text.Direction, Text: text, Title: word, Site: "https://example.fr", About: About{word, []Text{word}, word, word, word, word, word, nil}, Style: styleFile, InlineStyle: "a {}", Archived: "archived",
		Stylesheet: "/x.css", Logo: "/x.svg", Header: p.header, Footer: p.footer, Languages: link, Status: "status", Reference: "reference",
		Trial:     []Observed{{"text", charter.Names{"a", "b"}}, {Text: "text"}},
		Remaining: []Remaining{{"text", charter.Names{"a", "b"}, 1}, {Names: charter.Names{"c"}}},
		Kinds:     []Kind{{"name", "definition", [][]Row{{{charter.Names{"a", "b"}, charter.Names{"a.example", "b.example"}, charter.Names{"a", "b"}, word, word, word, "countries", "1 day", true, "key"}, {Names: charter.Names{"c"}}, {Hosts: charter.Names{"c.example"}}, {Storage: charter.Names{"c"}}}}, true, true}, {Name: "name"}},
		Questions: []Question{{"key", word, "kind", []Text{word, word}, "countries", charter.Names{"a.example", "b.example"}, charter.Names{"a", "b"}, []Text{word, word}, charter.Names{"a", "b"}, "1 day", "stored", true, true, "exemption", true, true}, {Key: "key"}},
		CanAnswer: true, Banner: true, Manage: []string{"/"}, Consequences: "consequences", Kept: "6 months", Given: "given", GivenTo: word, GivenReference: "reference",
		Cookies:  []Cookie{{"a", true, word, judge.Refused.String(), "outcome"}, {}},
		Promises: []string{"promise"}, Monitored: "monitored", Tested: &Tested{[]string{"sentence", "sentence"}, "/", "/"}, Version: "version", Updated: &Date{"2026-11-21", "words"},
		Versions: []Version{{"version", Date{"2026-11-21", "words"}}}, Exports: link, Asked: "asked",
	}
}

// kindsIn returns the four kinds with the rows of each.
func (p *Page) kindsIn(text *texts) []Kind {
	kinds := make([]Kind, 0, len(charter.Categories))
	for _, category := range charter.Categories {
		kind := Kind{Name: text.Kinds[category].Name, Definition: text.Kinds[category].Definition}
		for _, cookie := range p.Charter.Rows {
			if cookie.Category != category {
				continue
			}
			row := Row{
				Names:     cookie.Name,
				Hosts:     cookie.Host,
				Storage:   cookie.Storage,
				Provider:  p.providerIn(text, cookie),
				Service:   p.textIn(text, cookie.Service),
				Purpose:   p.textIn(text, cookie.Purpose),
				Countries: text.countries(cookie.Country),
				Exempt:    cookie.Exempt,
				Consent:   cookie.Consent,
			}
			if lifetime, ok := p.Policy.PublishedDuration(cookie); ok {
				row.Duration = text.duration(lifetime)
			}
			kind.HasStorage = kind.HasStorage || len(row.Storage) > 0
			kind.HasDurations = kind.HasDurations || row.Duration != "" || len(row.Storage) > 0
			i := slices.IndexFunc(kind.Providers, func(rows []Row) bool { return rows[0].Provider.Text == row.Provider.Text })
			if i < 0 {
				i = len(kind.Providers)
				kind.Providers = append(kind.Providers, nil)
			}
			kind.Providers[i] = append(kind.Providers[i], row)
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// cookies returns what the browser sent, each name once, and what happens to it.
func (p *Page) cookies(text *texts, visitor *answers.Visitor) []Cookie {
	var cookies []Cookie
	known := map[string]bool{}
	for name := range visitor.Lines.Names() {
		if len(cookies) == setcookie.MaxCookies || known[name] {
			continue
		}
		known[name] = true
		judgement := p.Policy.JudgePair(name, name != "", visitor)
		word := judgement.Verdict.String()
		cookie := Cookie{Name: strings.ToValidUTF8(name[:min(len(name), setcookie.MaxShown)], "�"), Declared: judgement.Row != nil, Verdict: word, Outcome: text.Outcomes[word]}
		switch {
		case judgement.Verdict == judge.Refused && judgement.IsMonitored:
			cookie.Outcome = text.Outcomes["refused_monitored"]
		case judgement.Verdict != judge.Allowed && judgement.Keeps:
			cookie.Outcome = text.Outcomes[word+"_passed"]
		}
		if judgement.Row != nil {
			cookie.Purpose = p.textIn(text, judgement.Row.Purpose)
		}
		cookies = append(cookies, cookie)
	}
	return cookies
}

// textIn returns a charter's text, in the page's language if it has that.
func (p *Page) textIn(text *texts, t charter.Text) Text {
	own := text.tag.String()
	found, language := t.Find(own, p.texts[0].tag.String(), "en")
	if language == own {
		language = ""
	}
	return Text{Text: found, Language: language}
}

// consequences returns what either answer comes to, "" if some are not enforced yet of cookies,
// or, without these, of others, or none is of anything.
func (p *Page) consequences(text *texts) string {
	if p.scope.letsCookiesPass() || p.scope.asksOthersAlone() && p.scope.letsOthersPass() || !p.scope.refuses {
		return ""
	}
	return text.Consequences
}

// site returns what the portal is called that has an address.
func (p *Page) site(address string, text *texts) string {
	return cmp.Or(p.about[text].SiteName.Text, address)
}

// address returns the address of the portal, as the visitor sees it.
func address(r *http.Request) string { return request.Scheme(r) + "://" + r.Host }

// title returns the page's title.
func (p *Page) title(text *texts) Text {
	if len(p.Title) > 0 {
		return p.textIn(text, p.Title)
	}
	return Text{Text: text.Title}
}

// With returns what the template of one question shows.
func (d *Data) With(question Question) any {
	return struct {
		Text     *texts
		Site     string
		Question Question
	}{d.Text, d.Site, question}
}

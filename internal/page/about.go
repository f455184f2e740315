package page

import (
	"cmp"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// About is what the page tells of the portal that publishes the charter. A text that is
// not declared is empty.
type About struct {
	SiteName      Text   // "" if the portal is called by its address
	Intro         []Text // paragraphs
	Controller    Text
	Contact       Text
	Complaint     Text // the authority that takes complaints
	Policy        Text
	Accessibility Text

	questions []Question // as they are asked of all
}

// aboutIn returns what is told in a language.
func (p *Page) aboutIn(text *texts) About {
	declared := p.Charter.About
	about := About{
		SiteName:      p.textIn(text, declared.SiteName),
		Controller:    p.linkedIn(text, declared.Controller, ""),
		Contact:       p.linkedIn(text, declared.Contact, ""),
		Complaint:     p.linkedIn(text, declared.Complaint, ""),
		Policy:        p.linkedIn(text, declared.Policy, text.Policy),
		Accessibility: p.linkedIn(text, declared.Accessibility, text.Accessibility),
		questions:     p.asked(text),
	}
	// The authority is that of the portal's country, whatever language a visitor reads.
	if first := p.texts[0]; len(declared.Complaint) == 0 && first.Authority != "" {
		about.Complaint = p.linkedIn(text, charter.Text{first.tag.String(): first.Authority}, "")
	}
	intro := p.textIn(text, declared.Intro)
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(intro.Text, "\r\n", "\n"), "\n\n") {
		if paragraph = strings.TrimSpace(paragraph); paragraph != "" {
			about.Intro = append(about.Intro, Text{Text: paragraph, Language: intro.Language})
		}
	}
	return about
}

// linkedIn is textIn for a text of which the last word can be a link, with the words for
// one that has none.
func (p *Page) linkedIn(text *texts, t charter.Text, usual string) Text {
	found := p.textIn(text, t)
	words, link := charter.SplitLink(found.Text)
	if words == "" && usual != "" {
		found.Language = ""
	}
	_, address, _ := strings.Cut(link, ":")
	if charter.IsLocal(link) || strings.HasPrefix(address, "//") {
		address = link
	}
	found.Text, found.Link = cmp.Or(words, usual, address), link
	if link == "" {
		found.Text = words
	}
	return found
}

// providerIn returns who sets a row's cookies, with a link to the policy.
func (p *Page) providerIn(text *texts, row *charter.Row) Text {
	provider := p.textIn(text, row.Provider)
	_, provider.Link = charter.SplitLink(p.textIn(text, row.Policy).Text)
	return provider
}

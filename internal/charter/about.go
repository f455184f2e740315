package charter

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// About is what a charter says of the portal that publishes it, besides its rows. Each
// text is one for all languages, or one per language; the last word of a text can be
// a link: `https://...`, `mailto:...` or `dpo@example.fr`, `tel:...`, or a path from the
// root of the site.
type About struct {
	// What the portal is called, in the title of the page and in its headings.
	// Default: none; its address stands there.
	SiteName Text `json:"site_name,omitempty"`

	// What the page says first. An empty line begins another paragraph. Default:
	// none.
	Intro Text `json:"intro,omitempty"`

	// Who is responsible for the cookies: name and address (GDPR, article 13(1)(a);
	// CNIL, guidelines 2020-091, article 2). The page and the notice tell it.
	// Default: none; the notice speaks of the portal.
	Controller Text `json:"controller,omitempty"`

	// Whom to write to, such as the data protection officer (GDPR, article
	// 13(1)(b)). Default: none.
	Contact Text `json:"contact,omitempty"`

	// The supervisory authority that takes complaints (GDPR, article 13(2)(d)).
	// Default: none that is written here; the page names that of the country whose
	// language is its default one, as the CNIL for French, where that is plain.
	Complaint Text `json:"complaint,omitempty"`

	// The portal's privacy policy: a link, with or without words for it. Default:
	// none.
	Policy Text `json:"policy,omitempty"`

	// How accessible the portal is, with a link to its declaration, as the RGAA
	// asks: `partiellement conforme /accessibilite/`. Default: none.
	Accessibility Text `json:"accessibility,omitempty"`

	// The languages that the page speaks. Default: none is chosen; those in which
	// all is there that the charter declares, and the default one.
	Languages Names `json:"languages,omitempty"`
}

// An AboutField is a text about the portal, as charter files, Caddyfile and JSON call it.
type AboutField struct {
	Name      string
	Of        func(*About) *Text // returns where it is
	needsLink bool
}

// AboutFields are the texts about the portal, in the order in which they are written.
var AboutFields = []AboutField{
	{Name: "site_name", Of: func(a *About) *Text { return &a.SiteName }},
	{Name: "intro", Of: func(a *About) *Text { return &a.Intro }},
	{Name: "controller", Of: func(a *About) *Text { return &a.Controller }},
	{Name: "contact", Of: func(a *About) *Text { return &a.Contact }},
	{Name: "complaint", Of: func(a *About) *Text { return &a.Complaint }},
	{Name: "policy", Of: func(a *About) *Text { return &a.Policy }, needsLink: true},
	{Name: "accessibility", Of: func(a *About) *Text { return &a.Accessibility }},
}

// Validate returns the first mistake, and the field that has it; "" and nil if there is
// none.
func (a *About) Validate() (field string, err error) {
	for _, field := range AboutFields {
		text := *field.Of(a)
		for _, tag := range slices.Sorted(maps.Keys(text)) {
			if field.Name == "intro" || field.Name == "site_name" {
				continue // they are shown as they are
			}
			if err := checkLink(text[tag], field.needsLink); err != nil {
				return strings.TrimSpace(field.Name + " " + tag), fmt.Errorf("unusable %s: %w", field.Name, err)
			}
		}
	}
	for i, language := range a.Languages {
		if slices.Contains(a.Languages[:i], language) {
			return "languages", fmt.Errorf("the language %q stands there twice; remove one", language)
		}
	}
	return "", nil
}

// add adds what another source says. What both say is an error: the field and its
// language.
func (a *About) add(other *About) (twice string) {
	for _, field := range AboutFields {
		into := field.Of(a)
		for tag, text := range *field.Of(other) {
			if _, ok := (*into)[tag]; ok {
				return strings.TrimSpace(field.Name + " " + tag)
			}
			if *into == nil {
				*into = Text{}
			}
			(*into)[tag] = text
		}
	}
	if len(a.Languages) > 0 && len(other.Languages) > 0 {
		return "languages"
	}
	a.Languages = append(a.Languages, other.Languages...)
	return ""
}

// Node returns what is said as charter files have it.
func (a *About) Node() (*yaml.Node, error) {
	encoded, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	node, _, err := parseJSON(encoded)
	return node, err
}

// isZero tells whether nothing is said.
func (a *About) isZero() bool {
	return len(a.Languages) == 0 && !slices.ContainsFunc(AboutFields, func(field AboutField) bool { return len(*field.Of(a)) > 0 })
}

// Speaks tells whether all texts of the charter are there in a language, or in one text
// for all languages.
func (c *Charter) Speaks(language string) bool {
	isThere := func(text Text) bool { return len(text) == 0 || text[language] != "" || text[""] != "" }
	for _, field := range AboutFields {
		if !isThere(*field.Of(&c.About)) {
			return false
		}
	}
	for _, row := range c.Rows {
		if !isThere(row.Provider) || !isThere(row.Service) || !isThere(row.Purpose) {
			return false
		}
	}
	return true
}

package cookiecharter

import (
	"fmt"
	"slices"
)

// A cookieField is a field of a row, as charter files, Caddyfile blocks and JSON call
// it. What it is in a Cookie tells how it is written: Names as one or several, a Text
// in one language or in all, a bool alone or with its value, a string as one word.
type cookieField struct {
	name   string
	of     func(*Cookie) any // a pointer to Names, Text, bool or string
	values []string          // that there are, nil for any
	fix    string            // of another or an empty value, if it is not to remove it
}

type fieldTable []cookieField

// cookieFields are the fields of a row, in the order in which they are written.
var cookieFields = fieldTable{
	{name: "name", of: func(c *Cookie) any { return &c.Name }},
	{name: "match", of: func(c *Cookie) any { return &c.Match }},
	{name: "provider", of: func(c *Cookie) any { return &c.Provider }},
	{name: "service", of: func(c *Cookie) any { return &c.Service }},
	{name: "purpose", of: func(c *Cookie) any { return &c.Purpose }, fix: "say what the cookie is for"},
	{name: "category", of: func(c *Cookie) any { return (*string)(&c.Category) }, values: categoryNames(), fix: fmt.Sprintf("use one of %v", categories)},
	{name: "consent", of: func(c *Cookie) any { return &c.Consent }},
	{name: "exempt", of: func(c *Cookie) any { return &c.Exempt }},
	{name: "duration", of: func(c *Cookie) any { return &c.Duration }},
	{name: "domain", of: func(c *Cookie) any { return &c.Domain }},
	{name: "path", of: func(c *Cookie) any { return &c.Path }},
	{name: "secure", of: func(c *Cookie) any { return &c.Secure }},
	{name: "http_only", of: func(c *Cookie) any { return &c.HTTPOnly }},
	{name: "same_site", of: func(c *Cookie) any { return &c.SameSite }, values: []string{"Strict", "Lax", "None"}, fix: "use Strict, Lax or None"},
	{name: "monitor", of: func(c *Cookie) any { return &c.Monitor }},
}

// cookieTexts are the names of those fields that can differ by language.
var cookieTexts = slices.DeleteFunc(cookieFields.names(), func(name string) bool {
	_, isText := cookieFields.find(name).of(new(Cookie)).(*Text)
	return !isText
})

func (t fieldTable) names() []string {
	names := make([]string, 0, len(t))
	for _, field := range t {
		names = append(names, field.name)
	}
	return names
}

// find returns the field of a name, nil if there is none.
func (t fieldTable) find(name string) *cookieField {
	for i := range t {
		if t[i].name == name {
			return &t[i]
		}
	}
	return nil
}

func categoryNames() []string {
	names := make([]string, 0, len(categories))
	for _, category := range categories {
		names = append(names, string(category))
	}
	return names
}

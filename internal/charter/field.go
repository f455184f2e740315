package charter

import (
	"fmt"
	"reflect"
	"slices"
)

// A Field is a field of a row, as charter files, Caddyfile blocks and JSON call
// it. What it is in a Cookie tells how it is written: Names as one or several, a Text
// in one language or in all, a bool alone or with its value, a string as one word.
type Field struct {
	Name   string            // such as "same_site"
	Of     func(*Cookie) any // returns where it is: a pointer to Names, Text, bool or string
	Values []string          // that it can have, nil for any
	fix    string            // of another or an empty value, if it is not to remove it

	isOfCookies bool // it says something of the row's cookies, and of nothing else
	isOfOthers  bool // it names what a row can have beside cookies, or in their place
}

// isSet tells whether a row has the field.
func (f Field) isSet(c *Cookie) bool { return !reflect.ValueOf(f.Of(c)).Elem().IsZero() }

type fieldTable []Field

// Fields are the fields of a row, in the order in which they are written.
var Fields = fieldTable{
	{Name: "name", Of: func(c *Cookie) any { return &c.Name }},
	{Name: "match", Of: func(c *Cookie) any { return &c.Match }, isOfCookies: true},
	{Name: "host", Of: func(c *Cookie) any { return &c.Host }, isOfOthers: true},
	{Name: "script", Of: func(c *Cookie) any { return &c.Script }, isOfOthers: true},
	{Name: "storage", Of: func(c *Cookie) any { return &c.Storage }, isOfOthers: true},
	{Name: "provider", Of: func(c *Cookie) any { return &c.Provider }},
	{Name: "policy", Of: func(c *Cookie) any { return &c.Policy }},
	{Name: "country", Of: func(c *Cookie) any { return &c.Country }},
	{Name: "service", Of: func(c *Cookie) any { return &c.Service }},
	{Name: "purpose", Of: func(c *Cookie) any { return &c.Purpose }, fix: "say what the cookie is for"},
	{Name: "category", Of: func(c *Cookie) any { return (*string)(&c.Category) }, Values: CategoryNames(), fix: fmt.Sprintf("use one of %v", Categories)},
	{Name: "consent", Of: func(c *Cookie) any { return &c.Consent }},
	{Name: "exempt", Of: func(c *Cookie) any { return &c.Exempt }},
	{Name: "duration", Of: func(c *Cookie) any { return &c.Duration }, isOfCookies: true},
	{Name: "domain", Of: func(c *Cookie) any { return &c.Domain }, isOfCookies: true},
	{Name: "path", Of: func(c *Cookie) any { return &c.Path }, isOfCookies: true},
	{Name: "secure", Of: func(c *Cookie) any { return &c.Secure }, isOfCookies: true},
	{Name: "http_only", Of: func(c *Cookie) any { return &c.HTTPOnly }, isOfCookies: true},
	{Name: "same_site", Of: func(c *Cookie) any { return &c.SameSite }, Values: []string{"Strict", "Lax", "None"}, fix: "use Strict, Lax or None", isOfCookies: true},
	{Name: "monitor", Of: func(c *Cookie) any { return &c.Monitor }},
}

// otherFields are those that name what a row can have beside cookies, or in their place.
var otherFields = slices.DeleteFunc(slices.Clone(Fields), func(field Field) bool { return !field.isOfOthers })

// TextFields are the names of those fields that can differ by language.
var TextFields = slices.DeleteFunc(Fields.Names(), func(name string) bool {
	_, isText := Fields.Find(name).Of(new(Cookie)).(*Text)
	return !isText
})

// isSetIn tells whether a row has some of the fields.
func (t fieldTable) isSetIn(c *Cookie) bool {
	return slices.ContainsFunc(t, func(field Field) bool { return field.isSet(c) })
}

// Names returns the names of all fields.
func (t fieldTable) Names() []string {
	names := make([]string, 0, len(t))
	for _, field := range t {
		names = append(names, field.Name)
	}
	return names
}

// Find returns the field of a name, nil if there is none.
func (t fieldTable) Find(name string) *Field {
	for i := range t {
		if t[i].Name == name {
			return &t[i]
		}
	}
	return nil
}

package setcookie

import (
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/recent"
)

// maxCachedText is how long the texts may be that a cache remembers, in bytes.
const maxCachedText = 512

// A Cache is ReadAttributes for texts that come again and again: a portal's lines
// differ in their values, and seldom in their attributes. The zero value is ready.
type Cache struct{ texts recent.Texts[*Attributes] }

// Read returns what ReadAttributes does, of a copy of the text: what that is a part
// of has a value, and is not to be kept.
func (c *Cache) Read(text string) *Attributes {
	if len(text) > maxCachedText {
		return ReadAttributes(strings.Clone(text))
	}
	attributes, ok := c.texts.Find(text)
	if !ok {
		attributes = ReadAttributes(strings.Clone(text))
		c.texts.Add(attributes.Text, attributes)
	}
	return attributes
}

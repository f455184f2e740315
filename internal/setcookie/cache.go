package setcookie

import (
	"strings"
	"sync"
)

const (
	// maxCached is how many texts a cache remembers, twice, and maxCachedText how
	// long they may be, in bytes.
	maxCached     = 256
	maxCachedText = 512
)

// A Cache is ReadAttributes for texts that come again and again: a portal's lines
// differ in their values, and seldom in their attributes. The zero value is ready.
type Cache struct {
	mutex         sync.RWMutex
	newer, former map[string]*Attributes
}

// Read returns what ReadAttributes does, of a copy of the text: what that is a part
// of has a value, and is not to be kept.
func (c *Cache) Read(text string) *Attributes {
	if len(text) > maxCachedText {
		return ReadAttributes(strings.Clone(text))
	}
	c.mutex.RLock()
	attributes := c.newer[text]
	if attributes == nil {
		attributes = c.former[text]
	}
	c.mutex.RUnlock()
	if attributes != nil {
		return attributes
	}
	attributes = ReadAttributes(strings.Clone(text))
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.newer) >= maxCached || c.newer == nil {
		c.newer, c.former = make(map[string]*Attributes, maxCached), c.newer
	}
	c.newer[attributes.Text] = attributes
	return attributes
}

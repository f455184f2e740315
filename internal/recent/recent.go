// Package recent remembers what a pure function gave for the texts that came last, as most
// come again and again. To look one up writes nothing, so that no processor waits for
// another.
package recent

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	places = 256
	ways   = 2

	// MaxTexts is how many texts are remembered.
	MaxTexts = places * ways
)

// seed keeps others from choosing texts that take the place of certain ones.
var seed = maphash.MakeSeed()

// Texts are texts with what was given for them. The zero value is ready.
type Texts[V any] struct {
	places [places][ways]atomic.Pointer[remembered[V]]
}

type remembered[V any] struct {
	text  string
	value V
}

// place returns where a text is, if it is remembered.
func (t *Texts[V]) place(text string) *[ways]atomic.Pointer[remembered[V]] {
	return &t.places[maphash.String(seed, text)%places]
}

// Find returns what was given for a text.
func (t *Texts[V]) Find(text string) (value V, ok bool) {
	place := t.place(text)
	for i := range place {
		if found := place[i].Load(); found != nil && found.text == text {
			return found.value, true
		}
	}
	return value, false
}

// Add remembers what was given for a text, in the place of the older of those that would be
// there, too. Two at once may forget one more, and no harm is done.
func (t *Texts[V]) Add(text string, value V) {
	place := t.place(text)
	place[1].Store(place[0].Load())
	place[0].Store(&remembered[V]{text, value})
}

package page

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// maxRemembered is how much of a kind is remembered: what is in all languages, for several
// hosts. These, and what visitors have answered, come from visitors.
const maxRemembered = 64

// remembered has what was made by what it was made from.
type remembered[K comparable, V any] struct {
	mutex  sync.RWMutex
	values map[K]V
}

func (r *remembered[K, V]) get(key K) (value V, ok bool) {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	value, ok = r.values[key]
	return value, ok
}

func (r *remembered[K, V]) add(key K, value V) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.values == nil || len(r.values) == maxRemembered {
		r.values = make(map[K]V)
	}
	r.values[key] = value
}

// A compressible is the body of an answer.
type compressible struct {
	plain []byte

	compress   sync.Once
	compressed []byte
}

// gzipWriters are used again, as each takes most of a megabyte.
var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// gzip returns the body in gzip, which is made once.
func (b *compressible) gzip() []byte {
	b.compress.Do(func() {
		var compressed bytes.Buffer
		writer := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(writer)
		writer.Reset(&compressed)
		_, _ = writer.Write(b.plain) // into memory
		_ = writer.Close()
		b.compressed = compressed.Bytes()
	})
	return b.compressed
}

package answers

import (
	"strings"
	"sync"
)

const (
	// maxRecent is how many values are remembered, twice, and maxRecentValue how
	// long they may be, in bytes.
	maxRecent      = 256
	maxRecentValue = 1024
)

// recentValues remember what the latest stored values of a format said: a page
// takes dozens of requests, all with the same value, and decoding it would cost
// more than all else. Nothing changes a reading once it is there.
type recentValues struct {
	mutex         sync.RWMutex
	newer, former map[string]recentReading
}

type recentReading struct {
	reading []reading // one, to be shared
	err     error
}

// read reads a cookie, or remembers what it says: one reading, even with an
// error.
func (v *recentValues) read(cookie Cookie) ([]reading, error) {
	if v == nil || len(cookie.Value) > maxRecentValue {
		read, err := cookie.read()
		return []reading{read}, err
	}
	v.mutex.RLock()
	recent, ok := v.newer[cookie.Value]
	if !ok {
		recent, ok = v.former[cookie.Value]
	}
	v.mutex.RUnlock()
	if !ok {
		// A copy, as the value is a part of a header with other cookies.
		cookie.Value = strings.Clone(cookie.Value)
		read, err := cookie.read()
		recent = recentReading{[]reading{read}, err}
		v.mutex.Lock()
		if len(v.newer) >= maxRecent || v.newer == nil {
			v.newer, v.former = make(map[string]recentReading, maxRecent), v.newer
		}
		v.newer[cookie.Value] = recent
		v.mutex.Unlock()
	}
	return recent.reading, recent.err
}

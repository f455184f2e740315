package answers

import (
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/recent"
)

// maxRecentValue is how long the values may be that are remembered, in bytes.
const maxRecentValue = 1024

// recentValues remember what the latest stored values of a format said: a page
// takes dozens of requests, all with the same value, and decoding it would cost
// more than all else. Nothing changes a reading once it is there.
type recentValues struct{ recent.Texts[recentReading] }

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
	remembered, ok := v.Find(cookie.Value)
	if !ok {
		// A copy, as the value is a part of a header with other cookies.
		cookie.Value = strings.Clone(cookie.Value)
		read, err := cookie.read()
		remembered = recentReading{[]reading{read}, err}
		v.Add(cookie.Value, remembered)
	}
	return remembered.reading, remembered.err
}

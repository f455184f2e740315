package answers

import (
	"strconv"
	"time"
)

// A Timestamp is a time in Unix milliseconds.
type Timestamp int64

const (
	// NoTime is that of what says no time.
	NoTime Timestamp = 0

	badTime Timestamp = -1 // there is something that is no time
)

func timestampOf(at time.Time) Timestamp { return Timestamp(at.UnixMilli()) }

// ParseTime reads a timestamp as it is stored, in decimal digits. What is no time gives
// one that is not possible.
func ParseTime(text string) Timestamp {
	milliseconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || milliseconds <= 0 {
		return badTime
	}
	return Timestamp(milliseconds)
}

// Time returns the same time as package time has it.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t)) }

// isPossible tells whether an answer can have been given then: since 2001, and not
// more than a day after now, as clocks differ.
func (t Timestamp) isPossible(now Timestamp) bool {
	const earliest, day Timestamp = 978_307_200_000, 86_400_000
	return t >= earliest && t < now+day
}

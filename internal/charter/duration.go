package charter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

var (
	// MaxLifetime is how long any cookie may live: browsers cut off there (RFC
	// 6265bis, section 5.5).
	MaxLifetime = Duration{400, "day"}

	// maxExempt is the same for exempt rows (CNIL, audience measurement exempt
	// from consent).
	maxExempt = Duration{13, "month"}
)

// A Duration is a declared lifetime: some units, or a session.
type Duration struct {
	Count int    // of units, 0 for a session
	Unit  string // Session, second, minute, hour, day, week, month or year
}

// Session is the unit of a lifetime until the browser ends its session, and the word for
// it in charter files.
const Session = "session"

// durationUnits maps what people write to the unit that is meant.
var durationUnits = map[string]string{
	"s": "second", "sec": "second", "secs": "second", "second": "second", "seconds": "second", "seconde": "second", "secondes": "second",
	"min": "minute", "mins": "minute", "mn": "minute", "minute": "minute", "minutes": "minute",
	"h": "hour", "hr": "hour", "hrs": "hour", "hour": "hour", "hours": "hour", "heure": "hour", "heures": "hour",
	"d": "day", "day": "day", "days": "day", "j": "day", "jour": "day", "jours": "day",
	"w": "week", "week": "week", "weeks": "week", "sem": "week", "semaine": "week", "semaines": "week",
	"month": "month", "months": "month", "mois": "month",
	"y": "year", "yr": "year", "yrs": "year", "year": "year", "years": "year", "an": "year", "ans": "year", "année": "year", "années": "year",
}

// SecondsPer returns how long a unit is, in seconds; 0 for a session, or no unit. A month is a twelfth of
// a mean Gregorian year of 365.2425 days.
func SecondsPer(unit string) int {
	switch unit { // asked for every line that is kept: a map takes longer
	case "second":
		return 1
	case "minute":
		return 60
	case "hour":
		return 3600
	case "day":
		return 86400
	case "week":
		return 604800
	case "month":
		return 2629746
	case "year":
		return 31556952
	default:
		return 0
	}
}

// sessionWords are what people write for the end of the browser's session.
var sessionWords = []string{
	Session, "de session", "la session", "fin de session", "fin de la session", "fin session", "durée de la session", "durée de session", "session du navigateur",
	"end of session", "end of the session", "browser session",
}

// ParseDuration reads what people write, of which charter files, Caddyfiles and pages
// that are imported all have the same.
func ParseDuration(text string) (Duration, error) {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ") // any spaces, also those that break no line
	text = strings.TrimSuffix(text, ".")
	if slices.Contains(sessionWords, text) {
		return Duration{Unit: Session}, nil
	}
	number := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	unit := durationUnits[strings.TrimSpace(text[len(number):])]
	count, err := strconv.Atoi(number)
	if err != nil || unit == "" || count < 1 || count > 9999 {
		return Duration{}, fmt.Errorf(`unreadable duration %q; write "session", or a whole number and a unit, such as "30 min", "2 weeks" or "13 months"`, text)
	}
	return Duration{count, unit}, nil
}

// Seconds returns the lifetime in seconds, 0 for a session.
func (d Duration) Seconds() int {
	return d.Count * SecondsPer(d.Unit)
}

// String returns the duration as it can be declared.
func (d Duration) String() string {
	if d.Seconds() == 0 {
		return Session
	}
	return fmt.Sprintf("%d %s", d.Count, d.Unit+"s"[:min(d.Count-1, 1)])
}

// DurationOf returns a lifetime of some seconds in the greatest unit that leaves no rest,
// or rounded up to days.
func DurationOf(seconds int) Duration {
	for _, unit := range []string{"year", "month", "week", "day", "hour", "minute"} {
		if length := SecondsPer(unit); seconds >= length && seconds%length == 0 && seconds/length < 9999 {
			return Duration{seconds / length, unit}
		}
	}
	if seconds > 86400 {
		return Duration{min((seconds+86399)/86400, 9999), "day"}
	}
	return Duration{max(seconds, 1), "second"}
}

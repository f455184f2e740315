package cookiecharter

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// maxLifetime is how long any cookie may live: browsers cut off there (RFC
	// 6265bis, section 5.5).
	maxLifetime = duration{400, "day"}

	// maxExempt is the same for exempt rows (CNIL, audience measurement exempt
	// from consent).
	maxExempt = duration{13, "month"}
)

// A duration is a declared lifetime: count units, or a session.
type duration struct {
	count int
	unit  string
}

const session = "session"

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

// secondsPer returns how long a unit is, 0 for a session. A month is a twelfth of
// a mean Gregorian year of 365.2425 days.
func secondsPer(unit string) int {
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
	session, "de session", "la session", "fin de session", "fin de la session", "fin session", "durée de la session", "durée de session", "session du navigateur",
	"end of session", "end of the session", "browser session",
}

// parseDuration reads what people write, of which charter files, Caddyfiles and pages
// that are imported all have the same.
func parseDuration(text string) (duration, error) {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ") // any spaces, also those that break no line
	text = strings.TrimSuffix(text, ".")
	if slices.Contains(sessionWords, text) {
		return duration{unit: session}, nil
	}
	number := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	unit := durationUnits[strings.TrimSpace(text[len(number):])]
	count, err := strconv.Atoi(number)
	if err != nil || unit == "" || count < 1 || count > 9999 {
		return duration{}, fmt.Errorf(`unreadable duration %q; write "session", or a whole number and a unit, such as "30 min", "2 weeks" or "13 months"`, text)
	}
	return duration{count, unit}, nil
}

var (
	sessionInText = regexp.MustCompile(`(?i)session|fermeture du navigateur|browser is closed`)

	// durationInText is what can be a duration among other words.
	durationInText = regexp.MustCompile(`\d+\s*\pL+`)
)

// findDuration returns the last duration that a text speaks of, the session's end if it
// speaks of that. It is certain if the text says nothing else.
func findDuration(text string) (found string, isCertain bool) {
	if parsed, err := parseDuration(text); err == nil {
		if parsed.unit == session {
			return session, true
		}
		return strings.TrimSuffix(strings.TrimSpace(text), "."), true
	}
	if sessionInText.MatchString(text) {
		return session, false
	}
	for _, part := range durationInText.FindAllString(text, -1) {
		if _, err := parseDuration(part); err == nil {
			found = part
		}
	}
	return found, false
}

// seconds returns the lifetime in seconds, 0 for a session.
func (d duration) seconds() int {
	return d.count * secondsPer(d.unit)
}

// String returns the duration as it can be declared.
func (d duration) String() string {
	if d.seconds() == 0 {
		return session
	}
	return fmt.Sprintf("%d %s", d.count, d.unit+"s"[:min(d.count-1, 1)])
}

// longest returns the longest lifetime that a row allows: the declared one, but
// no more than any cookie may live, or any exempt one.
func (c *Cookie) longest() duration {
	limit := maxLifetime
	if c.Exempt {
		limit = maxExempt
	}
	if declared, err := parseDuration(c.Duration); err == nil && declared.seconds() < limit.seconds() {
		limit = declared
	}
	return limit
}

// inWholeUnits returns a lifetime in the greatest unit that leaves no rest, or
// rounded up to days.
func inWholeUnits(seconds int) duration {
	for _, unit := range []string{"year", "month", "week", "day", "hour", "minute"} {
		if length := secondsPer(unit); seconds >= length && seconds%length == 0 && seconds/length < 9999 {
			return duration{seconds / length, unit}
		}
	}
	if seconds > 86400 {
		return duration{min((seconds+86399)/86400, 9999), "day"}
	}
	return duration{max(seconds, 1), "second"}
}

// kept returns how long a cookie of a row lives of which a duration is declared.
func (r *Row) kept(declared duration, enforces bool) duration {
	if enforces && r.limit.seconds() < declared.seconds() {
		return r.limit
	}
	return declared
}

// published returns the duration that is published of a row, if it has one.
func (r *Row) published(enforces bool) (duration, bool) {
	declared, err := parseDuration(r.Duration)
	return r.kept(declared, enforces), err == nil
}

package answers

import (
	"strconv"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// charterFormatVersion is what values in this module's own format begin with. It is `1.<time>.<version>`, then `.<key>-n` for each key
// that is refused, and `.<key>-y<fingerprint>` for each that is granted, and at the
// end `.<reference>` of the choice's record, if there is one: its letters, digits,
// '.', '-' and '_' trip no firewall. The time is in Unix milliseconds, the version
// the charter's. In keys, '-' is written "-0" and '.' is "-1". A refusal holds
// whatever else changes; a grant holds for what was asked, so that what is new is
// asked again.
const charterFormatVersion = "1"

// CharterFormat is the name of this module's own format.
const CharterFormat = "charter"

var (
	escapeKey   = strings.NewReplacer("-", "-0", ".", "-1")
	unescapeKey = strings.NewReplacer("-0", "-", "-1", ".")
)

func readCharterFormat(cookie Cookie) (reading, error) {
	fields := strings.Split(cookie.Value, ".")
	if len(fields) < 3 || fields[0] != charterFormatVersion {
		return reading{}, errUnreadable
	}
	if _, err := strconv.ParseUint(fields[1], 10, 64); err != nil {
		return reading{}, errUnreadable
	}
	read := reading{answers: map[string]Answer{}, at: ParseTime(fields[1])}
	if charter.IsVersion(fields[2]) {
		read.version = fields[2]
	}
	if last := len(fields) - 1; last > 2 && IsReference(fields[last]) {
		read.reference = fields[last]
		fields = fields[:last]
	}
	for _, field := range fields[3:] {
		end := max(strings.LastIndexByte(field, '-'), 0)
		escaped, word := field[:end], field[end:]
		key := unescapeKey.Replace(escaped)
		fingerprint, isGrant := strings.CutPrefix(word, "-y")
		switch {
		case !charter.IsConsentKey(key), escapeKey.Replace(key) != escaped, !isGrant && word != "-n":
			return reading{}, errUnreadable
		case !isGrant:
			read.answers[key] = Refused
		case fingerprint == cookie.charter.Fingerprints[key]:
			read.answers[key] = max(read.answers[key], Granted)
		}
	}
	return read, nil
}

func writeCharterFormat(w writing) string {
	fields := []string{charterFormatVersion, strconv.FormatInt(w.at.UnixMilli(), 10), w.charter.Version}
	for _, key := range w.charter.ConsentKeys() {
		switch w.inForce[key] {
		case Granted:
			fields = append(fields, escapeKey.Replace(key)+"-y"+w.charter.Fingerprints[key])
		case Refused:
			fields = append(fields, escapeKey.Replace(key)+"-n")
		case None, unclear: // nothing to write
		}
	}
	if w.reference != "" {
		fields = append(fields, w.reference)
	}
	return strings.Join(fields, ".")
}

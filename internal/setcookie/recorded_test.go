package setcookie

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// longest is how long browsers keep any cookie, in seconds (RFC 6265bis, section 5.5).
const longest = 400 * 86400

// A recordedRow is what Chromium and Firefox made of attributes: e2e/record.js
// tells how it is written.
type recordedRow struct {
	Date       string `json:"date"`
	Attributes string `json:"attributes"`
	Chromium   []any  `json:"chromium"`
	Firefox    []any  `json:"firefox"`
}

const recordedFile = "../../testdata/dates.jsonl"

// The dates that the recorded rows are filled with.
var (
	recordedPast   = time.Date(1994, 11, 27, 13, 45, 50, 0, time.UTC)
	recordedFuture = time.Date(2027, 3, 27, 13, 45, 50, 0, time.UTC)
)

// fill writes the parts of a date into a text that names them.
func fill(text string, date time.Time) string {
	for part, layout := range map[string]string{
		"weekday": "Monday", "Www": "Mon", "DD": "02", "D": "2", "month": "January", "Mmm": "Jan", "MM": "01",
		"YYYY": "2006", "YY": "06", "hh": "15", "h": "15", "mm": "04", "ss": "05",
	} {
		text = strings.ReplaceAll(text, "{"+part+"}", date.Format(layout))
	}
	return strings.ReplaceAll(text, "{epoch}", strconv.FormatInt(date.Unix(), 10))
}

// keptFor returns how long a browser keeps a cookie, and tells whether it deletes
// it, or ends it with the session.
func keptFor(outcome any, more time.Duration) (seconds float64, deletes, ends bool) {
	if number, ok := outcome.(float64); ok {
		return number + more.Seconds(), false, false
	}
	if outcome == "aged" {
		return 3000, false, false
	}
	return float64(longest), outcome == "deleted", outcome == "session"
}

// TestRecordedDates holds what is taken for certain against what browsers do: what
// is taken for a deletion, both delete, and what lives, lives no longer than told.
// And what both read alike is certain, save what is left out.
func TestRecordedDates(t *testing.T) {
	unread := map[string]bool{}
	for _, row := range checks.ReadLines[recordedRow](t, recordedFile) {
		moments := []time.Time{recordedPast, recordedFuture}[:len(row.Chromium)]
		isAlike := slices.Equal(row.Chromium, row.Firefox)
		for i, moment := range moments {
			clock := Clock{Now: asOf2026.Now, Date: row.Date}
			now, _ := clock.earliest()
			more := time.Duration(0) // by which outcomes count from the date
			if len(moments) == 2 {
				more = moment.Sub(now)
			}
			written := fill(checks.FromLatin1(row.Attributes), moment)
			life, certain := ReadAttributes(written).Lifetime(clock)
			what := fmt.Sprintf("%.99q, Date %q: %v, %v; in Chromium %v, in Firefox %v", written, row.Date, life, certain, row.Chromium[i], row.Firefox[i])
			if !certain {
				unread[row.Attributes] = unread[row.Attributes] || isAlike && row.Date == "" && row.Chromium[i] != "session"
				continue
			}
			most := 0.0
			for _, outcome := range []any{row.Chromium[i], row.Firefox[i]} {
				seconds, deletes, ends := keptFor(outcome, more)
				stays := outcome == "refused"
				if (ends || stays) && life.Persistent || life.Deletes() && !deletes {
					t.Error(what)
				}
				if !deletes && !ends && !stays {
					most = max(most, seconds)
				}
			}
			told := float64(min(max(life.Seconds, 0), int64(longest)))
			if told < most-100 || isAlike && row.Date == "" && told > most+100 {
				t.Errorf("%s, not %v", what, most)
			}
		}
	}
	for text, isUnread := range unread {
		// A malformed Max-Age behind another: RFC 6265bis would let the other count.
		isContested := strings.HasPrefix(text, "Max-Age=0; Max-Age=")
		if isUnread && !isContested && !strings.Contains(text, "\t") && !slices.Contains(leftOut, strings.TrimPrefix(text, "Expires=")) {
			t.Errorf("both browsers read %q alike", text)
		}
	}
	for _, text := range leftOut {
		if !unread["Expires="+text] {
			t.Errorf("%q is not left out", text)
		}
	}
}

// leftOut are dates that both browsers read alike, and the module does not take for
// certain, as no server is known to write them.
var leftOut = []string{
	"{DD}/{Mmm}/{YYYY} {hh}:{mm}:{ss}",
	"={Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT",
	"thu4, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT",
	"{Www}%2C {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT",
	"{Www}, {DD} Jan1 {YYYY} {hh}:{mm}:{ss} GMT",
	"{Www}, {DD} Jan/Feb {YYYY} {hh}:{mm}:{ss} GMT",
	"{Www}, {DD} {Mmm} 10000 {hh}:{mm}:{ss} GMT",
	"{Www}, {DD} {Mmm} {YYYY} 2099 {hh}:{mm}:{ss} GMT",
	"{Www}, {DD} {Mmm} {YY} 99 {hh}:{mm}:{ss} GMT",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} {hh}:{mm}:{ss} GMT",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss},000 GMT",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} PM",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} AM",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} Amt",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} +010",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} +01000",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT 12:00:00",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT 7",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT&x",
	"{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT, {DD} Jun 2099 00:00:00 GMT",
}

package cookiecharter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The corpus holds raw Set-Cookie lines, a byte per character, and what leaves
// of each through the charter of the corpus, "" for nothing. The end-to-end
// tests send the same lines through Caddy to Chromium.
const corpusFile = "testdata/set_cookie.jsonl"

// corpusCharter is also in e2e/Caddyfile.
const corpusCharter = `cookie_charter {
	preset opendatasoft matomo
	cookie __Host-portal __Secure-portal __Http-portal {
		purpose "Shows what becomes of prefixed names"
		category necessary
	}
	cookie dated_* {
		purpose "Shows what becomes of dates"
		category necessary
		duration "10 days"
	}
}`

type corpusLine struct {
	Line   string `json:"line"`
	Leaves string `json:"leaves"`
}

// readLines reads a file with a JSON value per line.
func readLines[T any](t testing.TB, file string) []T {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var values []T
	for line := range bytes.Lines(content) {
		var value T
		if err := json.Unmarshal(line, &value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	return values
}

// fromLatin1 returns the bytes that characters up to 255 stand for.
func fromLatin1(text string) string {
	var raw []byte
	for _, char := range text {
		raw = append(raw, byte(char))
	}
	return string(raw)
}

func toLatin1(raw string) string {
	var text []rune
	for i := range len(raw) {
		text = append(text, rune(raw[i]))
	}
	return string(text)
}

func corpusFilter(t testing.TB, preference string) *filter {
	t.Helper()
	f := &filter{handler: provision(t, corpusCharter), request: visit("https://city.example/")}
	f.ResponseWriter = fixedHeader{header: http.Header{}}
	f.visitor.handler, f.visitor.lines = f.handler, cookieLines{preference}
	f.handler.debugs = false
	return f
}

func TestCorpus(t *testing.T) {
	corpus := readLines[corpusLine](t, corpusFile)
	if len(corpus) < 150 {
		t.Errorf("only %d lines", len(corpus))
	}
	f := corpusFilter(t, "")
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	for _, entry := range corpus {
		leaves, keep := f.judgeLine(fromLatin1(entry.Line))
		if !keep {
			leaves = ""
		}
		if leaves = toLatin1(leaves); leaves != entry.Leaves && !*update {
			t.Errorf("%.80q: %.80q leaves, recorded is %.80q", entry.Line, leaves, entry.Leaves)
		}
		if err := encoder.Encode(corpusLine{entry.Line, leaves}); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(corpusFile, written.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzSetCookie looks for lines that the filter changes other than it should,
// and for names that it reads otherwise than net/http where that reads one.
func FuzzSetCookie(f *testing.F) {
	for _, entry := range readLines[corpusLine](f, corpusFile) {
		f.Add(fromLatin1(entry.Line))
	}
	judge := corpusFilter(f, `cookies_preferences={"matomo":true}`)
	f.Fuzz(func(t *testing.T, line string) {
		name, ok, _, _ := judge.readSetCookie(line)
		if parsed, err := http.ParseSetCookie(line); err == nil && ok && parsed.Name != name {
			t.Errorf("%q: %q, net/http reads %q", line, name, parsed.Name)
		}
		left, keep := judge.judgeLine(line)
		if !keep {
			if left != line {
				t.Errorf("%q: edited though withheld: %q", line, left)
			}
			return
		}
		if !ok {
			t.Fatalf("%q: kept without a name", line)
		}
		if again, keep := judge.judgeLine(left); again != left || !keep {
			t.Errorf("%q: not idempotent: %q, then %q", line, left, again)
		}
		if leftName, ok, _, _ := judge.readSetCookie(left); leftName != name || !ok {
			t.Errorf("%q: the name became %q", line, leftName)
		}
		_, row := judge.handler.charter.judge(name, &judge.visitor)
		life, certain := attributesOf(left).lifetime(judge.clock)
		if !certain || row != nil && life.persistent && !life.deletes() && life.seconds > int64(row.limit.seconds()) {
			t.Errorf("%q: lives %v, %v", left, life, certain)
		}
	})
}

// longLines are what hostile portals may repeat in a Set-Cookie line, behind what
// it begins with.
var longLines = [][2]string{
	{"sessionid=1; Max-Age=+1", "; a"},
	{"sessionid=1; Max-Age=9; Max-Age=x", "; a=b"},
	{"sessionid=1; Max-Age=9; Expires=soon", ";"},
	{"sessionid=1; x\ty; Max-Age=99999999", ";\t;\tx\ty"},
	{"sessionid=1; Max-Age=99999999", "; Max-Age=99999999"},
	{"sessionid=1; Path=/", "; Expires=Fri, 02 Jan 2099 00:00:00 GMT"},
	{"sessionid=1; Expires=", "Fri, 02 Jan 2099 00:00:00 GMT, "},
	{"sessionid=1; Max-Age=", "9"},
	{"sessionid=1; Max-Age=99999999;", " \t"},
	{"sessionid=1; Max-Age=99999999;", "="},
	{"sessionid=", "x"},
	{"dated_", "x"},
	{"unknown=1; Max-Age=x", "; Max-Age=0"},
	{"unknown=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", " x"},
}

// twoLongLines returns two lines of some bytes. Judged in turn, the attributes of
// none are remembered.
func twoLongLines(begins, repeated string, size int) [2]string {
	line := begins + strings.Repeat(repeated, max(0, size-len(begins))/len(repeated))
	return [...]string{line + ";0", line + ";1"}
}

// judgeLongLines bounds the ratio of what lines of these parts cost.
func judgeLongLines(t *testing.T, judge *filter, begins, repeated string, few int) {
	t.Helper()
	lines := map[int][2]string{few: twoLongLines(begins, repeated, few), 16 * few: twoLongLines(begins, repeated, 16*few)}
	turn := 0
	checkLinear(t, fmt.Sprintf("%q, %q", begins, repeated), few, func(size int) {
		turn++
		judge.judgeLine(lines[size][turn%2])
	})
}

// TestLongLines holds that the cost of a Set-Cookie line grows with its length, up
// to a megabyte.
func TestLongLines(t *testing.T) {
	judge := corpusFilter(t, "")
	for _, parts := range longLines {
		for _, few := range []int{4 << 10, 64 << 10} {
			judgeLongLines(t, judge, parts[0], parts[1], few)
		}
	}
}

// FuzzLongLine looks for lines whose cost grows faster than their length.
func FuzzLongLine(f *testing.F) {
	for _, parts := range longLines {
		f.Add(parts[0], parts[1])
	}
	judge := corpusFilter(f, "")
	f.Fuzz(func(t *testing.T, begins, repeated string) {
		if repeated != "" && len(begins)+len(repeated) < 1<<10 {
			judgeLongLines(t, judge, begins, repeated, 4<<10)
		}
	})
}

// FuzzCookie looks for Cookie lines of which something is kept that is not
// allowed, or other than it came.
func FuzzCookie(f *testing.F) {
	f.Add("sessionid=1; unknown=2; _pk_id.1=3;; csrftoken = 4 ;=5;6")
	f.Add("cookies_preferences={\"matomo\":true}; a=b")
	judge := corpusFilter(f, "")
	f.Fuzz(func(t *testing.T, line string) {
		kept, ok := judge.dropPairs(line)
		if !ok {
			if kept != "" {
				t.Errorf("%q: dropped, but %q", line, kept)
			}
			return
		}
		pairs := trimmedPairs(line)
		for _, pair := range trimmedPairs(kept) {
			name, _, ok := cutPair(pair)
			if judged, _ := judge.handler.charter.judge(name, &judge.visitor); !ok || !isToken(name) || judged != allowed {
				t.Errorf("%q: kept %q", line, pair)
			}
			// A subset, in order, as it came.
			at := slices.Index(pairs, pair)
			if at < 0 {
				t.Fatalf("%q: kept %q, which was not there", line, pair)
			}
			pairs = pairs[at+1:]
		}
		if again, _ := judge.dropPairs(kept); again != kept {
			t.Errorf("%q: not idempotent: %q, then %q", line, kept, again)
		}
	})
}

func trimmedPairs(line string) []string {
	var pairs []string
	for pair := range strings.SplitSeq(line, ";") {
		if pair = strings.Trim(pair, " \t"); pair != "" {
			pairs = append(pairs, pair)
		}
	}
	return pairs
}

// A recordedRow is what Chromium and Firefox made of attributes: e2e/record.js
// tells how it is written.
type recordedRow struct {
	Date       string `json:"date"`
	Attributes string `json:"attributes"`
	Chromium   []any  `json:"chromium"`
	Firefox    []any  `json:"firefox"`
}

const recordedFile = "testdata/dates.jsonl"

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

// keptFor returns how long a browser keeps a cookie, and tells whether it deletes
// it, or ends it with the session.
func keptFor(outcome any, more time.Duration) (seconds float64, deletes, ends bool) {
	if number, ok := outcome.(float64); ok {
		return number + more.Seconds(), false, false
	}
	if outcome == "aged" {
		return 3000, false, false
	}
	return float64(maxLifetime.seconds()), outcome == "deleted", outcome == "session"
}

// TestRecordedDates holds what is taken for certain against what browsers do: what
// is taken for a deletion, both delete, and what lives, lives no longer than told.
// And what both read alike is certain, save what is left out.
func TestRecordedDates(t *testing.T) {
	unread := map[string]bool{}
	for _, row := range readLines[recordedRow](t, recordedFile) {
		moments := []time.Time{recordedPast, recordedFuture}[:len(row.Chromium)]
		isAlike := slices.Equal(row.Chromium, row.Firefox)
		for i, moment := range moments {
			now, plain := asOf2026()
			if row.Date != "" {
				now, plain = clockOf(row.Date)
			}
			more := time.Duration(0) // by which outcomes count from the date
			if len(moments) == 2 {
				more = moment.Sub(now)
			}
			written := fill(fromLatin1(row.Attributes), moment)
			life, certain := readAttributes(written).lifetime(func() (time.Time, bool) { return now, plain })
			what := fmt.Sprintf("%.99q, Date %q: %v, %v; in Chromium %v, in Firefox %v", written, row.Date, life, certain, row.Chromium[i], row.Firefox[i])
			if !certain {
				unread[row.Attributes] = unread[row.Attributes] || isAlike && row.Date == "" && row.Chromium[i] != "session"
				continue
			}
			longest := 0.0
			for _, outcome := range []any{row.Chromium[i], row.Firefox[i]} {
				seconds, deletes, ends := keptFor(outcome, more)
				stays := outcome == "refused"
				if (ends || stays) && life.persistent || life.deletes() && !deletes {
					t.Error(what)
				}
				if !deletes && !ends && !stays {
					longest = max(longest, seconds)
				}
			}
			told := float64(min(max(life.seconds, 0), int64(maxLifetime.seconds())))
			if told < longest-100 || isAlike && row.Date == "" && told > longest+100 {
				t.Errorf("%s, not %v", what, longest)
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

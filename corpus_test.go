package cookiecharter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
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
	f.visitor.store, f.visitor.lines = f.handler.answers, setcookie.Lines{preference}
	f.handler.observers = f.handler.observers[:2]
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
		leaves, keep := f.keepsLine(fromLatin1(entry.Line))
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
		name, written, ok := setcookie.Cut(line)
		ok = ok && !setcookie.ReadAttributes(written).HasControls
		if parsed, err := http.ParseSetCookie(line); err == nil && ok && parsed.Name != name {
			t.Errorf("%q: %q, net/http reads %q", line, name, parsed.Name)
		}
		left, keep := judge.keepsLine(line)
		if !keep {
			if left != line {
				t.Errorf("%q: edited though withheld: %q", line, left)
			}
			return
		}
		if !ok {
			t.Fatalf("%q: kept without a name", line)
		}
		if again, keep := judge.keepsLine(left); again != left || !keep {
			t.Errorf("%q: not idempotent: %q, then %q", line, left, again)
		}
		leftName, written, ok := setcookie.Cut(left)
		if leftName != name || !ok {
			t.Errorf("%q: the name became %q", line, leftName)
		}
		row := judge.handler.charter.find(name)
		life, certain := setcookie.ReadAttributes(written).Lifetime(judge.answer.clock)
		if !certain || row != nil && life.Persistent && !life.Deletes() && life.Seconds > int64(row.limit.seconds()) {
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
		judge.keepsLine(lines[size][turn%2])
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
			name, _, ok := setcookie.CutPair(pair)
			if judged := judge.handler.policy.judgePair(name, ok, &judge.visitor); judged.verdict != allowed {
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

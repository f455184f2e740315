package cookiecharter

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
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

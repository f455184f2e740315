package judge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// The corpus holds raw Set-Cookie lines, a byte per character, and what leaves
// of each through the charter of the corpus, "" for nothing. The end-to-end
// tests send the same lines through Caddy to Chromium.
const corpusFile = "../../testdata/set_cookie.jsonl"

// corpusCharter is also in e2e/Caddyfile.
// corpusRows are the rows of the corpus, beside two presets.
const corpusRows = `
updated: 2026-11-21
cookies:
  - name: [__Host-portal, __Secure-portal, __Http-portal]
    purpose: Shows what becomes of prefixed names
    category: necessary
  - name: dated_*
    purpose: Shows what becomes of dates
    category: necessary
    duration: 10 days
`

type corpusLine struct {
	Line   string `json:"line"`
	Leaves string `json:"leaves"`
}

// A tested policy is that of the corpus, for one visitor and one answer over https.
type tested struct {
	policy  *Policy
	visitor answers.Visitor
	answer  Response
}

// policyOf returns the policy of the corpus, for a visitor with a preference.
func policyOf(t testing.TB, preference string) *tested {
	t.Helper()
	var sources []charter.Source
	for _, name := range []string{"opendatasoft", "matomo"} {
		preset, err := charter.LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, preset)
	}
	rows, err := charter.Parse([]byte(corpusRows), "corpus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sources = append(sources, rows)
	stored, declared, err := answers.PreferencesOf([]answers.Config{{Format: "opendatasoft"}}, sources)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := charter.New(append(declared, sources...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := joined.Sign("fr"); err != nil {
		t.Fatal(err)
	}
	store, err := answers.NewStore(stored, joined, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return &tested{
		policy:  NewPolicy(joined, Options{EnforcesDuration: true}),
		visitor: answers.Visitor{Store: store, Lines: setcookie.Lines{preference}},
		answer:  Response{Clock: setcookie.Clock{Now: time.Now()}, Encrypted: true},
	}
}

// keepsLine judges a Set-Cookie line.
func (p *tested) keepsLine(line string) (string, bool) {
	judged := p.policy.JudgeLine(line, p.answer, &p.visitor)
	return judged.Line, judged.Keeps
}

// dropPairs judges the pairs of a Cookie line.
func (p *tested) dropPairs(line string) (string, bool) {
	return setcookie.Keep(line, func(pair string) bool {
		name, _, ok := setcookie.CutPair(pair)
		return p.policy.JudgePair(name, ok, &p.visitor).Keeps
	})
}

func TestVerdict(t *testing.T) {
	rows, err := charter.Parse([]byte(`cookies:
  - {name: asked, purpose: p, category: statistics}
  - {name: own, purpose: p, category: statistics, consent: key}
  - {name: exempt, purpose: p, category: statistics, exempt: true}
  - {name: other, purpose: p, category: statistics, consent: key, exempt: true}
  - {name: needed, purpose: p, category: necessary}`), "verdicts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sources := []charter.Source{rows}
	stored, declared, err := answers.PreferencesOf([]answers.Config{{Format: "opendatasoft", Cookie: "p"}}, sources)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := charter.New(append(declared, sources...)...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := answers.NewStore(stored, joined, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	policy := NewPolicy(joined, Options{})
	for _, test := range []struct{ answers, want string }{ // of asked, own, exempt, other, needed, unknown: their initials
		{``, "rraaau"},
		{`{"statistics":true}`, "araaau"},
		{`{"statistics":false}`, "rrraau"},
		{`{"key":true,"necessary":false,"":false}`, "raaaau"},
		{`{"key":false,"unknown":true}`, "rrarau"},
	} {
		asked := &answers.Visitor{Store: store, Lines: setcookie.Lines{"p=" + test.answers}}
		var got string
		for _, name := range []string{"asked", "own", "exempt", "other", "needed", "unknown"} {
			got += policy.JudgePair(name, true, asked).Verdict.String()[:1]
		}
		if got != test.want {
			t.Errorf("%v: got %s", test.answers, got)
		}
	}
	if got := joined.ConsentKeys(); !slices.Equal(got, []string{"statistics", "key"}) {
		t.Errorf("keys %v", got)
	}

	// Who needs no answer is not asked for one.
	unreadable := &answers.Visitor{Store: store, Lines: setcookie.Lines{"p=junk"}}
	policy.JudgePair("needed", true, unreadable)
	if unreadable.Unreadable != nil {
		t.Error("the preference is decoded for a necessary cookie")
	}
	if policy.JudgePair("own", true, unreadable); unreadable.Unreadable == nil {
		t.Error("a preference that cannot be read is not told of")
	}
}

func TestCorpus(t *testing.T) {
	corpus := checks.ReadLines[corpusLine](t, corpusFile)
	if len(corpus) < 150 {
		t.Errorf("only %d lines", len(corpus))
	}
	policy := policyOf(t, "")
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	for _, entry := range corpus {
		leaves, keep := policy.keepsLine(checks.FromLatin1(entry.Line))
		if !keep {
			leaves = ""
		}
		if leaves = checks.ToLatin1(leaves); leaves != entry.Leaves && !*checks.Update {
			t.Errorf("%.80q: %.80q leaves, recorded is %.80q", entry.Line, leaves, entry.Leaves)
		}
		if err := encoder.Encode(corpusLine{entry.Line, leaves}); err != nil {
			t.Fatal(err)
		}
	}
	if *checks.Update {
		if err := os.WriteFile(corpusFile, written.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzSetCookie looks for lines that the filter changes other than it should,
// and for names that it reads otherwise than net/http where that reads one.
func FuzzSetCookie(f *testing.F) {
	for _, entry := range checks.ReadLines[corpusLine](f, corpusFile) {
		f.Add(checks.FromLatin1(entry.Line))
	}
	policy := policyOf(f, `cookies_preferences={"matomo":true}`)
	f.Fuzz(func(t *testing.T, line string) {
		name, written, ok := setcookie.Cut(line)
		ok = ok && !setcookie.ReadAttributes(written).HasControls
		if parsed, err := http.ParseSetCookie(line); err == nil && ok && parsed.Name != name {
			t.Errorf("%q: %q, net/http reads %q", line, name, parsed.Name)
		}
		left, keep := policy.keepsLine(line)
		if !keep {
			if left != line {
				t.Errorf("%q: edited though withheld: %q", line, left)
			}
			return
		}
		if !ok {
			t.Fatalf("%q: kept without a name", line)
		}
		if again, keep := policy.keepsLine(left); again != left || !keep {
			t.Errorf("%q: not idempotent: %q, then %q", line, left, again)
		}
		leftName, written, ok := setcookie.Cut(left)
		if leftName != name || !ok {
			t.Errorf("%q: the name became %q", line, leftName)
		}
		row := policy.policy.charter.Find(name)
		life, certain := setcookie.ReadAttributes(written).Lifetime(policy.answer.Clock)
		if !certain || row != nil && life.Persistent && !life.Deletes() && life.Seconds > int64(row.Limit.Seconds()) {
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
func judgeLongLines(t *testing.T, policy *tested, begins, repeated string, few int) {
	t.Helper()
	lines := map[int][2]string{few: twoLongLines(begins, repeated, few), 16 * few: twoLongLines(begins, repeated, 16*few)}
	turn := 0
	checks.Linear(t, fmt.Sprintf("%q, %q", begins, repeated), few, func(size int) {
		turn++
		policy.keepsLine(lines[size][turn%2])
	})
}

// TestLongLines holds that the cost of a Set-Cookie line grows with its length, up
// to a checks.Megabyte.
func TestLongLines(t *testing.T) {
	policy := policyOf(t, "")
	for _, parts := range longLines {
		for _, few := range []int{4 << 10, 64 << 10} {
			judgeLongLines(t, policy, parts[0], parts[1], few)
		}
	}
}

// FuzzLongLine looks for lines whose cost grows faster than their length.
func FuzzLongLine(f *testing.F) {
	for _, parts := range longLines {
		f.Add(parts[0], parts[1])
	}
	policy := policyOf(f, "")
	f.Fuzz(func(t *testing.T, begins, repeated string) {
		if repeated != "" && len(begins)+len(repeated) < 1<<10 {
			judgeLongLines(t, policy, begins, repeated, 4<<10)
		}
	})
}

// FuzzCookie looks for Cookie lines of which something is kept that is not
// allowed, or other than it came.
func FuzzCookie(f *testing.F) {
	f.Add("sessionid=1; unknown=2; _pk_id.1=3;; csrftoken = 4 ;=5;6")
	f.Add("cookies_preferences={\"matomo\":true}; a=b")
	policy := policyOf(f, "")
	f.Fuzz(func(t *testing.T, line string) {
		kept, ok := policy.dropPairs(line)
		if !ok {
			if kept != "" {
				t.Errorf("%q: dropped, but %q", line, kept)
			}
			return
		}
		pairs := trimmedPairs(line)
		for _, pair := range trimmedPairs(kept) {
			name, _, ok := setcookie.CutPair(pair)
			if judged := policy.policy.JudgePair(name, ok, &policy.visitor); judged.Verdict != Allowed {
				t.Errorf("%q: kept %q", line, pair)
			}
			// A subset, in order, as it came.
			at := slices.Index(pairs, pair)
			if at < 0 {
				t.Fatalf("%q: kept %q, which was not there", line, pair)
			}
			pairs = pairs[at+1:]
		}
		if again, _ := policy.dropPairs(kept); again != kept {
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

// BenchmarkLongLine measures the judging of Set-Cookie lines of 1 to 64 KB that
// are hard to read: the time per byte is the same for all.
func BenchmarkLongLine(b *testing.B) {
	policy := policyOf(b, "")
	for _, parts := range longLines {
		for _, size := range []int{1 << 10, 4 << 10, 16 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%s%s/%dKB", parts[0], parts[1], size>>10), func(b *testing.B) {
				lines := twoLongLines(parts[0], parts[1], size)
				b.SetBytes(int64(size))
				for i := 0; b.Loop(); i++ {
					policy.keepsLine(lines[i%2])
				}
			})
		}
	}
}

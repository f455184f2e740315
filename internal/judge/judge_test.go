package judge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A verdict follows from the row and from the visitor's answer to its key.
func TestVerdict(t *testing.T) {
	joined, store := portalOf(t, nil, `cookies:
  - {name: asked, purpose: p, category: statistics}
  - {name: own, purpose: p, category: statistics, consent: key}
  - {name: exempt, purpose: p, category: statistics, exempt: true}
  - {name: other, purpose: p, category: statistics, consent: key, exempt: true}
  - {name: needed, purpose: p, category: necessary}`, answers.Config{Format: "opendatasoft", Cookie: "p"})
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

// A host in several rows is allowed as soon as one of them is, and told with the row that
// lets it through.
func TestHostAfterAnAnswer(t *testing.T) {
	joined, _ := portalOf(t, nil, `cookies:
  - {host: "*.map.example", purpose: p, category: third_party}
  - {name: n, host: [tiles.map.example, http://old.example:8080], purpose: p, category: necessary}
  - {host: stats.example, purpose: p, category: statistics, exempt: true}`, answers.Config{Format: "opendatasoft", Cookie: "p"})
	for host, want := range map[string]string{ // without an answer, refused, granted
		"https://a.map.example/":        "refused/*.map.example,refused/*.map.example,allowed/*.map.example",
		"https://tiles.map.example/":    "allowed/n,allowed/n,allowed/*.map.example",
		"http://old.example:8080/":      "allowed/n,allowed/n,allowed/n",
		"https://stats.example/":        "allowed/stats.example,refused/stats.example,allowed/stats.example",
		"https://stats.example:8443/":   "undeclared,undeclared,undeclared",
		"https://evil.stats.example/":   "undeclared,undeclared,undeclared",
		"https://map.example/":          "undeclared,undeclared,undeclared",
		"https://tiles.map.example.fr/": "undeclared,undeclared,undeclared",
	} {
		origin, ok := charter.ParseOrigin(host)
		var got []string
		for _, answer := range []answers.Answer{answers.None, answers.Refused, answers.Granted} {
			judgement := JudgeHostAfter(answer, joined.Rows, origin)
			words := judgement.Verdict.String()
			if judgement.Row != nil {
				words += "/" + judgement.Row.FirstName()
			}
			got = append(got, words)
		}
		if got := strings.Join(got, ","); !ok || got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
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
// to a megabyte.
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

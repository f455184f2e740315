package judge

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
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

// corpusRows are the rows of the corpus, beside two presets. They are also in
// e2e/Caddyfile.
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

// portalOf returns the charter of presets and of rows as in a charter file, and what
// reads its visitors' answers.
func portalOf(t testing.TB, presets []string, rows string, format answers.Config) (*charter.Charter, *answers.Store) {
	t.Helper()
	var sources []charter.Source
	for _, name := range presets {
		preset, err := charter.LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, preset)
	}
	inline, err := charter.Parse([]byte(rows), "rows.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sources = append(sources, inline)
	joined, store, err := answers.Join(sources, []answers.Config{format}, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := joined.ComputeVersion("fr"); err != nil {
		t.Fatal(err)
	}
	return joined, store
}

// policyOf returns the policy of the corpus, for a visitor with a preference.
func policyOf(t testing.TB, preference string) *tested {
	t.Helper()
	joined, store := portalOf(t, []string{"opendatasoft", "matomo"}, corpusRows, answers.Config{Format: "opendatasoft"})
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

// What leaves of each line of the corpus is what is recorded beside it.
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

// FuzzSetCookie looks for lines that leave other than they should, and for names
// that are read otherwise than net/http reads them, where it reads one.
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

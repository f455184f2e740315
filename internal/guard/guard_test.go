package guard

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/net/html"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// guardOf returns the guard of presets and of rows as in a charter file, and what reads its
// visitors' answers.
func guardOf(t testing.TB, options judge.Options, names []string, rows string, formats ...answers.Config) (*Guard, *answers.Store) {
	t.Helper()
	var sources []charter.Source
	for _, name := range names {
		preset, err := charter.LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, preset)
	}
	if rows != "" {
		inline, err := charter.Parse([]byte(rows), "rows.yaml")
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, inline)
	}
	joined, store, err := answers.Join(sources, formats, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := joined.ComputeVersion("fr"); err != nil {
		t.Fatal(err)
	}
	g, err := New(joined, judge.NewPolicy(joined, options), store, "/terms/cookies-policy", false)
	if err != nil {
		t.Fatal(err)
	}
	return g, store
}

// The script takes little, as the page sends it, with the presets of a portal, with one more
// that has stored items, with those of portals and of all that measures, with all that there
// are, which no portal has, and where it only monitors.
func TestScriptIsSmall(t *testing.T) {
	some := []string{"opendatasoft", "matomo"}
	services := []string{"opendatasoft", "django", "ckan", "aws_alb", "matomo", "google_analytics", "piano", "xiti", "at_internet", "eulerian"}
	for _, test := range []struct {
		presets []string
		monitor string
		most    int
	}{
		{some, "", 2700},
		{some, judge.MonitorEverything, 2 << 10},
		{services, "", 3 << 10},
		{slices.Concat(some, []string{"posthog"}), "", 3<<10 + 128},
		{slices.Concat(some, []string{"mixpanel"}), "", 3<<10 + 128},
		{slices.Concat(some, []string{"amplitude"}), "", 3<<10 + 128},
		{slices.Concat(services, []string{"posthog", "mixpanel", "amplitude"}), "", 3<<10 + 640},
		{charter.PresetNames(), "", 4<<10 + 256},
	} {
		g, _ := guardOf(t, judge.Options{EnforcesDuration: true, Monitor: test.monitor}, test.presets, "", answers.Config{Format: "charter"})
		size := compressed(t, g)
		t.Logf("%d presets, monitor %q: %d bytes, %d after compression", len(test.presets), test.monitor, len(g.Script()), size)
		if size > test.most {
			t.Errorf("%v: %d bytes after compression, more than %d", test.presets, size, test.most)
		}
		for _, word := range []string{"ROWS", "PASSES", "VERSION"} {
			if bytes.Contains(g.Script(), []byte(word)) {
				t.Errorf("%s is not filled in", word)
			}
		}
	}
}

// A name takes a few bytes, of a charter of any size, and there is an end to that.
func TestScriptHasBounds(t *testing.T) {
	some, _ := guardOf(t, judge.Options{}, nil, manyRows(100), inJSON)
	many, _ := guardOf(t, judge.Options{}, nil, manyRows(1100), inJSON)
	if each := float64(compressed(t, many)-compressed(t, some)) / 1000; each > 8 {
		t.Errorf("a name of eight random characters takes %.1f bytes after compression", each)
	}
	c, err := charter.Parse([]byte(manyRows(8000)), "rows.yaml")
	if err != nil {
		t.Fatal(err)
	}
	joined, store, err := answers.Join([]charter.Source{c}, nil, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(joined, judge.NewPolicy(joined, judge.Options{}), store, "/", false); err == nil || !strings.Contains(err.Error(), "more than 65536") {
		t.Errorf("a script of 8,000 names: %v", err)
	}
}

// manyRows returns a charter with some names of eight random characters, in rows of a hundred.
func manyRows(count int) string {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	rows := "cookies:\n"
	for i := range count {
		if i%100 == 0 {
			rows += "  - {purpose: p, category: necessary, name: ["
		}
		rows += fmt.Sprintf("%08x", random.Uint32())
		if i%100 == 99 {
			rows += "]}\n"
		} else {
			rows += ", "
		}
	}
	return rows
}

// compressed returns how many bytes the script takes as the page sends it.
func compressed(t *testing.T, g *Guard) int {
	t.Helper()
	var sent bytes.Buffer
	writer := gzip.NewWriter(&sent)
	if _, err := writer.Write(g.Script()); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return sent.Len()
}

// portal is a charter with rows of every kind.
const portal = `cookies:
  - {name: needed, purpose: p, category: necessary, duration: 1 hour}
  - {name: visit, purpose: p, category: necessary, duration: session}
  - {name: asked, purpose: p, category: statistics}
  - {name: [own, "own_*"], purpose: p, category: statistics, consent: key, duration: 1 day}
  - {name: exempt, purpose: p, category: statistics, consent: key, exempt: true}
  - {name: other, purpose: p, category: first_party, consent: key}
  - {name: watched, purpose: p, category: statistics, monitor: true, duration: 1 day}
  - {host: [tiles.example.org], purpose: p, category: third_party}
  - {name: numbered, match: [n, n1*, n2*, n3*, n4*, n5*, n6*, n7*, n8*, n9*, n1, m, m1*, m2*], purpose: p, category: necessary}`

var inJSON = answers.Config{Format: "json", Cookie: "choice"}

// The state has a digit for each group of rows that are always allowed together.
func TestState(t *testing.T) {
	g, store := guardOf(t, judge.Options{}, nil, portal, inJSON)
	for lines, want := range map[string]string{ // necessary and monitored; undeclared; statistics; key; key, exempt; key, first_party; hosts
		"":                                         "1000100",
		`choice={"statistics":true}`:               "1011100",
		`choice={"key":true}`:                      "1001110",
		`choice={"key":false,"statistics":true}`:   "1010000",
		`choice={"first_party":true}`:              "1000110",
		`choice={"third_party":true}; needed=1`:    "1000101",
		`choice={"key":true}; choice={"key":false`: "1000100",
	} {
		visitor := &answers.Visitor{Store: store, Lines: setcookie.Lines{lines}}
		if got := string(g.appendState(nil, visitor)); got != want {
			t.Errorf("%s: state %s, want %s", lines, got, want)
		}
		// All cookies of a row have the digit of its group.
		for _, row := range g.charter.Rows {
			number := slices.IndexFunc(g.groups, func(first *charter.Row) bool { return groupOf(first) == groupOf(row) })
			if allowed := judge.VerdictOf(row, visitor) == judge.Allowed; number >= 0 && (want[fixedGroups+number] == '1') != allowed {
				t.Errorf("%s: %s is allowed %v, and the state is %s", lines, row.FirstName(), allowed, want)
			}
		}
	}
}

// The table has of each row what the script judges by, and nothing else of the charter.
func TestTable(t *testing.T) {
	for _, test := range []struct {
		options  judge.Options
		monitors bool
		formats  []answers.Config
		want     string
	}{
		{
			judge.Options{EnforcesDuration: true},
			false,
			[]answers.Config{inJSON, {Format: "charter"}},
			`"1 15778476 choice  3 15778476 charter_preference __Host-charter_preference  0 3600 needed  0 0 visit  16 34560000 asked  24 86400 own own_*  32 34186698 exempt  40 34560000 other  0 34560000 watched n/ n1 m m1* m2*  8 34560000 *"`,
		},
		{
			judge.Options{Monitor: judge.MonitorUndeclared, PassesRequests: true},
			false,
			[]answers.Config{inJSON},
			`"1 34560000 choice  0 34560000 needed visit watched n/ n1 m m1* m2* *  16 34560000 asked  24 34560000 own own_*  32 34560000 exempt  40 34560000 other"`,
		},
		{judge.Options{Monitor: judge.MonitorEverything}, false, []answers.Config{inJSON}, `sendBeacon`},
		{judge.Options{}, true, []answers.Config{inJSON}, `sendBeacon`},
	} {
		g, _ := guardOf(t, test.options, nil, portal, test.formats...)
		if test.monitors {
			var err error
			if g, err = New(g.charter, judge.NewPolicy(g.charter, test.options), g.store, "/", true); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Contains(g.Script(), []byte(test.want)) {
			t.Errorf("%+v: %.700s, want %s", test.options, g.Script(), test.want)
		}
	}
}

// Stored items stand in the table of the scripts that keep them, and that tell them; what no row
// declares is left alone, or told. No other script knows of them.
func TestStoredItems(t *testing.T) {
	const rows = `cookies:
  - {name: [own, VERSION], storage: ["ROWS", "VERSION", "x/"], purpose: p, category: statistics, consent: key, duration: 1 day}
  - {storage: [n, n1*, n2*, n3*, n4*, n5*, n6*, n7*, n8*, n9*], purpose: p, category: necessary}
  - {storage: watched, purpose: p, category: statistics, monitor: true}
  - {storage: é, consent: key}`
	g, store := guardOf(t, judge.Options{EnforcesDuration: true}, nil, rows, inJSON)
	const want = `"1 15778476 choice  16 86400 own VERSION  20 34560000 ROWS VERSION x/ é  4 34560000 n n1* n2* n3* n4* n5* n6* n7* n8* n9* watched *  8 34560000 *"`
	if !bytes.Contains(g.Script(), []byte(want)) || !bytes.Contains(g.Script(), []byte("localStorage")) || !bytes.Contains(g.Script(), []byte(strconv.Quote(g.version))) || g.Monitors() {
		t.Errorf("%s, want %s", g.Script(), want)
	}
	if got := string(g.appendState(nil, &answers.Visitor{Store: store, Lines: setcookie.Lines{`choice={"key":true}`}})); got != "101" {
		t.Errorf("state %s", got)
	}
	without, _ := guardOf(t, judge.Options{}, nil, portal, inJSON)
	if bytes.Contains(without.Script(), []byte("localStorage")) || without.Monitors() {
		t.Errorf("%.200s", without.Script())
	}
	for _, monitor := range []string{"", judge.MonitorUndeclared} {
		for _, one := range []struct {
			charter *charter.Charter
			want    string
		}{{g.charter, "20 34560000 ROWS VERSION x/ é  4 "}, {without.charter, ""}} {
			watching, err := New(one.charter, judge.NewPolicy(one.charter, judge.Options{Monitor: monitor}), g.store, "/", true)
			if err != nil {
				t.Fatal(err)
			}
			if script := string(watching.Script()); !watching.Monitors() || !strings.Contains(script, one.want) || !strings.Contains(script, "  12 34560000 *\"") || !strings.Contains(script, "localStorage") || strings.Contains(script, "removeItem(") || strings.Contains(script, "deleteDatabase(") {
				t.Errorf("monitor %q: %s", monitor, script)
			}
		}
	}
}

// The reference to the script changes with the charter, and with nothing else.
func TestName(t *testing.T) {
	g, _ := guardOf(t, judge.Options{}, nil, portal, inJSON)
	same, _ := guardOf(t, judge.Options{}, nil, portal, inJSON)
	other, _ := guardOf(t, judge.Options{EnforcesDuration: true}, nil, portal, inJSON)
	if g.Name() != same.Name() || g.Name() == other.Name() || !strings.HasPrefix(g.Name(), "guard.js?v=") {
		t.Errorf("%s, %s, %s", g.Name(), same.Name(), other.Name())
	}
}

// The hash heeds the cookies that hold answers: how often each is there, but not where.
func TestSeen(t *testing.T) {
	g, _ := guardOf(t, judge.Options{}, nil, portal, inJSON)
	seen := func(lines ...string) uint32 { return g.seen(lines) }
	if got := seen("choice=a"); got != 0xba95aa25 {
		t.Errorf("%#x", got) // as sdbm hashes choice=a
	}
	for _, same := range [][2]string{{"choice=a; choice=b", "choice=b;choice=a"}, {"choice=a; needed=1", " choice = a"}, {"choice=\xff\xfea", "choice=a\u00e9"}, {"needed=1; choice", ""}} {
		if seen(same[0]) != seen(same[1]) {
			t.Errorf("%q and %q differ", same[0], same[1])
		}
	}
	if seen("choice=a", "choice=b") != seen("choice=a; choice=b") {
		t.Error("lines of HTTP/2 differ from one")
	}
	for _, others := range [][2]string{{"choice=a", "choice=b"}, {"choice=a", "choice=a; choice=a"}, {"choice=", ""}, {"choice=a", "Choice=a"}} {
		if seen(others[0]) == seen(others[1]) {
			t.Errorf("%q and %q are the same", others[0], others[1])
		}
	}
}

// What the script asks is answered for its own version only.
func TestAnswer(t *testing.T) {
	g, store := guardOf(t, judge.Options{}, nil, portal, inJSON)
	visitor := &answers.Visitor{Store: store, Lines: setcookie.Lines{`choice={"statistics":true}`}}
	version := strings.TrimPrefix(g.Name(), "guard.js?v=")
	body, ok := g.Answer(visitor, version)
	if want := `{"state":"1011100","allowed":{"key":false,"statistics":true,"third_party":false}}`; !ok || string(body) != want {
		t.Errorf("%s, want %s", body, want)
	}
	for _, other := range []string{"", "0", version + "0"} {
		if _, ok := g.Answer(visitor, other); ok {
			t.Errorf("version %q is answered", other)
		}
	}
}

// The tag is small, and has a nonce where one is asked for.
func TestTag(t *testing.T) {
	g, store := guardOf(t, judge.Options{}, []string{"opendatasoft", "matomo"}, "", answers.Config{Format: "opendatasoft"})
	visitor := &answers.Visitor{Store: store, Lines: setcookie.Lines{`cookies_preferences={"matomo":true}`}}
	want := `<script src="/terms/cookies-policy/` + g.Name() + `" data-state="101" data-seen="` + strconv.FormatUint(uint64(g.seen(visitor.Lines)), 10) + `"></script>`
	if got := string(g.Tag(visitor, document.Admission{})); got != want || len(got) > 130 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	if got := string(g.Tag(visitor, document.Admission{Nonce: `a"b`})); got != strings.TrimSuffix(want, "></script>")+` nonce="a&#34;b"></script>` {
		t.Error(got)
	}
}

// A page can be at any path: what would end a source or a policy, or is no ASCII, is escaped.
func TestPathOfPage(t *testing.T) {
	g, store := guardOf(t, judge.Options{}, []string{"matomo"}, "", answers.Config{Format: "charter"})
	odd, err := New(g.charter, judge.NewPolicy(g.charter, judge.Options{}), store, `/é;a,b"'<`, false)
	if err != nil {
		t.Fatal(err)
	}
	const beside = "/%C3%A9%3Ba%2Cb%22%27%3C/"
	if got := string(odd.Tag(&answers.Visitor{Store: store}, document.Admission{})); !strings.HasPrefix(got, `<script src="`+beside+odd.Name()+`" `) {
		t.Error(got)
	}
	if guest := odd.Guest("https://a"); guest.Script != "https://a"+beside+FileName || guest.Asks != "https://a"+beside+QuestionName {
		t.Error(guest)
	}
}

// FuzzTag looks for cookies, or a nonce of the portal's, that break out of the tag.
func FuzzTag(f *testing.F) {
	f.Add(`choice={"key":true}`, "cmFuZG9t")
	f.Add(`choice="></script><script>`, `"><img src=x onerror=alert(1)>`)
	g, store := guardOf(f, judge.Options{}, nil, portal, inJSON)
	f.Fuzz(func(t *testing.T, line, nonce string) {
		tag := g.Tag(&answers.Visitor{Store: store, Lines: setcookie.Lines{line}}, document.Admission{Nonce: nonce})
		tokenizer := html.NewTokenizer(bytes.NewReader(tag))
		if tokenizer.Next() != html.StartTagToken {
			t.Fatalf("%q begins with no tag", tag)
		}
		token := tokenizer.Token()
		names := []string{"src", "data-state", "data-seen"}
		if nonce != "" {
			names = append(names, "nonce")
		}
		if token.Data != "script" || len(token.Attr) != len(names) {
			t.Fatalf("%q has %d attributes", tag, len(token.Attr))
		}
		for i, attribute := range token.Attr {
			if attribute.Key != names[i] {
				t.Errorf("%q has %s", tag, attribute.Key)
			}
		}
		if strings.Trim(token.Attr[1].Val, "01") != "" || strings.Trim(token.Attr[2].Val, "0123456789") != "" {
			t.Errorf("%q has other values", tag)
		}
		if tokenizer.Next() != html.EndTagToken || tokenizer.Next() != html.ErrorToken {
			t.Errorf("%q does not end with its tag", tag)
		}
	})
}

// BenchmarkTag measures what a document costs.
func BenchmarkTag(b *testing.B) {
	g, store := guardOf(b, judge.Options{}, charter.PresetNames(), "", answers.Config{Format: "opendatasoft"})
	b.ReportAllocs()
	for b.Loop() {
		g.Tag(&answers.Visitor{Store: store, Lines: setcookie.Lines{`cookies_preferences={"matomo":true}; sessionid=1; csrftoken=2`}}, document.Admission{})
	}
}

package audit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// A toldBrowser sees what it is told.
type toldBrowser struct {
	seen      func(visit int) ([]observation, map[charter.Origin]outcomes, []browserCookie)
	visit     int // 1 for the first
	isAsked   bool
	answering []browserCookie // that it holds once it has answered
	hasAnswer bool
	stopped   []write
	looks     int
	stored    func(look int) ([]storedItem, bool) // two looks for each visit: before its page, and after
}

func (*toldBrowser) name() string { return "Told/1" }

func (*toldBrowser) begin(context.Context) error { return nil }

func (b *toldBrowser) open(_ context.Context, address string) (landing, error) {
	b.visit++
	b.isAsked = true
	return landing{at: address, status: http.StatusOK}, nil
}

func (b *toldBrowser) picture(context.Context) ([]byte, error) {
	return fmt.Append(nil, "picture ", b.visit), nil
}

func (b *toldBrowser) giveAnswer(_ context.Context, answer answers.Answer, _ bool) (given, error) {
	b.hasAnswer = true
	return given{"https://data.example.fr/answers;sid=1", []string{"#" + answer.String()}}, nil
}

func (b *toldBrowser) takeObservations() ([]observation, map[charter.Origin]outcomes) {
	if !b.isAsked {
		return nil, nil
	}
	b.isAsked = false
	happened, called, _ := b.seen(b.visit)
	return happened, called
}

func (b *toldBrowser) takeStopped() []write { return b.stopped }

func (b *toldBrowser) items(context.Context) ([]storedItem, bool) {
	if b.stored == nil {
		return nil, false
	}
	b.looks++
	return b.stored(b.looks)
}

func (*toldBrowser) takeOmissions() []string { return nil }

func (b *toldBrowser) cookies(context.Context) ([]browserCookie, error) {
	if b.visit == 0 {
		return nil, nil
	}
	_, _, held := b.seen(b.visit)
	if b.hasAnswer {
		held = append(held, b.answering...)
	}
	return held, nil
}

func (*toldBrowser) close() error { return nil }

// auditOf returns the report of an audit of https://data.example.fr that sees something,
// and cookies that come with the answer.
func auditOf(t *testing.T, holds bool, seen func(visit int) ([]observation, map[charter.Origin]outcomes, []browserCookie), answering ...browserCookie) Report {
	t.Helper()
	declared, err := loadFileAlone(checks.WriteFiles(t, map[string]string{"charter.yaml": "cookies:\n" + hostRows})+"charter.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	declared.HoldsHosts = holds
	a := &audit{browser: &toldBrowser{seen: seen, answering: answering}, charter: declared, pages: []string{"https://data.example.fr/"}, maxPages: 1, progress: func(string) {}}
	if err := a.run(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	return a.report
}

// violationsOf returns those of all visits, as lines.
func violationsOf(report Report) []string {
	var found []string
	for _, visit := range report.Visits {
		for _, cookie := range visit.Cookies {
			for _, violation := range cookie.Violations {
				found = append(found, fmt.Sprintf("%s: %s of %q %s", visit.Visit, cookie.Name, cookie.Host, violation))
			}
		}
		for _, host := range visit.Hosts {
			for _, violation := range host.Violations {
				found = append(found, fmt.Sprintf("%s: %s %s", visit.Visit, host.Host, violation))
			}
		}
	}
	return found
}

const hostRows = `
  - {name: own, purpose: p, category: statistics}
  - {name: named, purpose: p, category: necessary}
  - {name: asked, purpose: p, category: third_party}
  - {host: cdn.example, purpose: p, category: necessary}
  - {host: "*.ads.example", purpose: p, category: third_party}
`

// A call violates the charter where it has reached a host that the visitor does not allow,
// and only where hosts are held against it.
func TestHostsAreHeld(t *testing.T) {
	seen := func(int) ([]observation, map[charter.Origin]outcomes, []browserCookie) {
		return nil, map[charter.Origin]outcomes{
			{Scheme: "https", Host: "cdn.example"}:                {reached: true},
			{Scheme: "https", Host: "px.ads.example"}:             {reached: true, blocked: true},
			{Scheme: "https", Host: "ads.example"}:                {blocked: true},
			{Scheme: "wss", Host: "evil.example", Port: "8443"}:   {reached: true},
			{Scheme: "https", Host: "failed.example", Port: "81"}: {failed: true},
		}, nil
	}
	report := auditOf(t, true, seen)
	want := []string{
		"first: px.ads.example called before consent", "first: wss://evil.example:8443 undeclared",
		"refused: px.ads.example called after refusal", "refused: wss://evil.example:8443 undeclared",
		"accepted: wss://evil.example:8443 undeclared",
		"withdrawn: px.ads.example called after withdrawal", "withdrawn: wss://evil.example:8443 undeclared",
	}
	if got := violationsOf(report); !slices.Equal(got, want) || report.Violations != len(want) || len(report.Notes) != 0 {
		t.Errorf("%d, %q, %q", report.Violations, got, report.Notes)
	}
	report = auditOf(t, false, seen)
	if got := violationsOf(report); got != nil || report.Violations != 0 || len(report.Visits[3].Hosts) != 5 || len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "--hosts holds them against it") {
		t.Errorf("%q, %q", got, report.Notes)
	}
	report = auditOf(t, false, func(int) ([]observation, map[charter.Origin]outcomes, []browserCookie) { return nil, nil, nil })
	if len(report.Notes) != 0 || report.Visits[0].Hosts == nil {
		t.Errorf("%q", report.Notes)
	}
	report = auditOf(t, true, func(visit int) ([]observation, map[charter.Origin]outcomes, []browserCookie) {
		many := map[charter.Origin]outcomes{}
		for i := range maxHosts + 1 {
			many[charter.Origin{Scheme: "https", Host: fmt.Sprintf("%d.example", i)}] = outcomes{failed: true}
		}
		return nil, many, nil
	})
	if len(report.Visits[0].Hosts) != maxHosts || !report.Incomplete || !strings.Contains(report.Notes[0], "the hosts after the first 1000 of a visit") {
		t.Errorf("%d, %q", len(report.Visits[0].Hosts), report.Notes)
	}
}

// A cookie of another host is judged by that, too, and not for being there.
func TestCookiesOfOtherHosts(t *testing.T) {
	cdn, ads, evil := charter.Origin{Scheme: "https", Host: "cdn.example"}, charter.Origin{Scheme: "https", Host: "px.ads.example"}, charter.Origin{Scheme: "https", Host: "px.evil.example"}
	set := func(name, domain string, host charter.Origin) observation {
		return observation{cookie: browserCookie{name: name, domain: domain, path: "/"}, host: host}
	}
	sent := func(happened observation, host charter.Origin) observation {
		happened.isSent, happened.host = true, host
		return happened
	}
	for _, test := range []struct {
		what         string
		happened     []observation
		called       []charter.Origin
		held         []observation // in the browser
		want, unheld string
	}{
		{"of the site itself", []observation{set("own", "data.example.fr", cdn)}, nil, nil, `first: own of "" set before consent`, ""},
		{"of its parent domain", []observation{set("own", ".example.fr", evil)}, nil, nil, `first: own of "" set before consent`, ""},
		{"of a host beside it", []observation{set("own", "a.example.fr", charter.Origin{Scheme: "https", Host: "a.example.fr"})}, nil, nil, `first: own of "a.example.fr" undeclared`, `first: own of "a.example.fr" set before consent`},
		{"of an allowed host", []observation{set("x", "cdn.example", cdn)}, nil, nil, "", ""},
		{"of a host to be asked for", []observation{set("x", "px.ads.example", ads)}, nil, nil, `first: x of "px.ads.example" set before consent`, ""},
		{"of an undeclared host", []observation{set("x", "px.evil.example", evil)}, nil, nil, `first: x of "px.evil.example" undeclared`, ""},
		{"declared by its name alone", []observation{set("named", "px.evil.example", evil)}, nil, nil, `first: named of "px.evil.example" undeclared`, "-"},
		{"refused by its name", []observation{set("asked", "cdn.example", cdn)}, nil, nil, `first: asked of "cdn.example" set before consent`, ""},
		{"got by another than has set it", []observation{set("x", ".example", cdn), sent(set("x", ".example", cdn), evil)}, nil, nil, `first: x of "px.evil.example" undeclared`, ""},
		{"only sent", []observation{sent(set("x", "px.ads.example", ads), ads)}, nil, nil, `first: x of "px.ads.example" set before consent`, ""},
		{"of a script in a frame", nil, []charter.Origin{cdn, ads}, []observation{set("x", ".ads.example", ads)}, `first: x of "px.ads.example" set before consent`, ""},
		{"of nobody who was called", nil, nil, []observation{set("x", ".evil.example", evil)}, `first: x of "evil.example" undeclared`, ""},
	} {
		for _, holds := range []bool{true, false} {
			report := auditOf(t, holds, func(visit int) ([]observation, map[charter.Origin]outcomes, []browserCookie) {
				if visit != 1 {
					return nil, nil, nil
				}
				called := map[charter.Origin]outcomes{evil: {blocked: true}} // so it can have set nothing
				for _, origin := range test.called {
					called[origin] = outcomes{reached: true}
				}
				var held []browserCookie
				for _, cookie := range test.held {
					held = append(held, cookie.cookie)
				}
				return test.happened, called, held
			})
			want := test.want
			if !holds && test.unheld != "" {
				want = strings.TrimPrefix(test.unheld, "-")
			}
			got := slices.DeleteFunc(violationsOf(report), func(violation string) bool { return strings.Contains(violation, "called before") })
			if strings.Join(got, ", ") != want {
				t.Errorf("%s, held %t: %q, not %s", test.what, holds, got, want)
			}
		}
	}

	// Who has withdrawn keeps what nobody but its host can remove; it is not to go there.
	for _, isSent := range []bool{false, true} {
		report := auditOf(t, true, func(visit int) ([]observation, map[charter.Origin]outcomes, []browserCookie) {
			cookie := set("x", ".ads.example", ads)
			switch {
			case visit == 3:
				return []observation{cookie}, nil, []browserCookie{cookie.cookie}
			case visit == 4 && isSent:
				return []observation{sent(cookie, ads)}, nil, []browserCookie{cookie.cookie}
			case visit == 4:
				return nil, nil, []browserCookie{cookie.cookie}
			}
			return nil, nil, nil
		})
		var want []string
		if isSent {
			want = []string{`withdrawn: x of "px.ads.example" sent after withdrawal`}
		}
		left := report.Visits[3].Cookies[0]
		if got := violationsOf(report); !slices.Equal(got, want) || !left.Kept || left.Host != "px.ads.example" || left.Verdict.String() != "refused" || left.Cookie != "*.ads.example" {
			t.Errorf("%q, %+v", got, left)
		}
	}
}

// What a visitor keeps is told, and only what the site itself could remove accuses it.
func TestKeptCookiesOfOtherHosts(t *testing.T) {
	nothing := func(int) ([]observation, map[charter.Origin]outcomes, []browserCookie) { return nil, nil, nil }
	report := auditOf(t, true, nothing, browserCookie{name: "x", domain: "px.ads.example", path: "/"}, browserCookie{name: "own", domain: "data.example.fr", path: "/"})
	want := []string{`refused: own of "" kept after refusal`, `withdrawn: own of "" kept after withdrawal`}
	if got := violationsOf(report); !slices.Equal(got, want) || len(report.Visits[1].Cookies) != 2 {
		t.Errorf("%q", got)
	}
	left := func(visit int) ([]observation, map[charter.Origin]outcomes, []browserCookie) {
		undeclared := browserCookie{name: "x", domain: "px.evil.example", path: "/"}
		if visit < 3 {
			return nil, nil, nil
		}
		return nil, nil, []browserCookie{undeclared}
	}
	want = []string{`accepted: x of "px.evil.example" undeclared`}
	if got := violationsOf(auditOf(t, true, left)); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Hosts are held against a charter that says that pages are kept to them, or if somebody
// wants it.
func TestWhereHostsAreHeld(t *testing.T) {
	said := ""
	address := checks.Hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"version":"1",%s "cookies":[{"name":"a","purpose":"p","category":"necessary"}]}`, said)
	})
	site, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	file := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	for _, test := range []struct {
		said, charter string
		asked, want   bool
	}{
		{"", "", false, false},
		{`"hosts":"monitor",`, "", false, false},
		{`"hosts":"enforce",`, "", false, true},
		{`"hosts":"monitor",`, "", true, true},
		{"", file, false, false},
		{"", file, true, true},
	} {
		said = test.said
		loaded, err := loadCharter(site, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Charter: test.charter, Hosts: test.asked})
		if err != nil || loaded.HoldsHosts != test.want {
			t.Errorf("%+v: %v, %t", test, err, loaded.HoldsHosts)
		}
	}
	if _, err := Run(terminal.NewPrinter(io.Discard), []string{address}, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Format: "json", Pages: 1, Hosts: true}); err == nil || !strings.Contains(err.Error(), "--hosts goes with --browser") {
		t.Errorf("%v", err)
	}
}

// A report has hosts in every format, with the names of their cookies.
func TestReportOfHosts(t *testing.T) {
	report := &Report{Site: "https://data.example.fr", Violations: 1, HoldsHosts: true, Visits: []Visit{{
		Visit:   "first",
		Cookies: []Cookie{{Name: "<a>", Domain: ".ads.example", Path: "/", Host: "px.ads.example"}, {Name: "b", Domain: "data.example.fr", Path: "/"}},
		Hosts:   []Host{{Host: "px.ads.example", Reached: true, Failed: true, Page: "https://data.example.fr/a", Violations: []string{"undeclared"}}, {Host: "cdn.example", Cookie: "maps", Category: charter.Necessary, Blocked: true}},
	}}}
	report.Findings = report.findings()
	for format, wants := range map[string][]string{
		"text": {"\nOther hosts\nHOST            DECLARED AS      FIRST              COOKIES  FIRST ON\n", "\npx.ads.example  undeclared       \x1b[31m✗ reached, failed\x1b[0m  <a>      /a\n", "\ncdn.example     maps, necessary  blocked            –        /\n", "\nhost  px.ads.example  \x1b[31mundeclared\x1b[0m\n"},
		"json": {`"holds_hosts": true`, `"host": "px.ads.example"`, `"reached": true`, `"blocked": true`, `"failed": true`},
		"html": {`<tr><th scope="row"><code>px.ads.example</code></th><td>undeclared</td><td class="against">✗ reached, failed</td><td>&lt;a&gt;</td><td>/a</td></tr>`, `<li><span class="kind">host</span> <code>px.ads.example</code> – undeclared</li>`, `<span class="place">px.ads.example</span>`, "<td>maps, necessary</td><td>blocked</td>"},
	} {
		var out bytes.Buffer
		if err := report.Write(&terminal.Printer{Out: &out, IsTerminal: format == "text"}, format, Words{}); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%q", want, &out)
			}
		}
	}
}

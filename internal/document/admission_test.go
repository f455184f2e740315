package document

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/checks"
)

var guest = Guest{
	Origin:    "https://data.city.example",
	Script:    "https://data.city.example/terms/cookies-policy/guard.js",
	Integrity: "sha256-abc",
	Asks:      "https://data.city.example/terms/cookies-policy/guard",
}

// Policies of public sites and of what runs them, as their published sources have them, some
// of them shortened where they name one more host of many.
var published = []struct {
	source, policy string
	want           Admission // without the policies
	added          []string  // to the policy; nil if it stays as it is
}{
	{"GOV.UK, govuk_app_config", "default-src https: 'self' *.publishing.service.gov.uk; img-src 'self' data: lux.speedcurve.com; script-src 'self' *.publishing.service.gov.uk www.google-analytics.com www.gstatic.com 'unsafe-inline'; connect-src 'self' www.google-analytics.com lux.speedcurve.com; object-src 'none'", Admission{}, nil},
	{"demarches-simplifiees.fr", "img-src 'self' data: blob: *.openstreetmap.org *; script-src 'self' 'unsafe-eval' 'unsafe-inline' blob: *.crisp.chat cdn.jsdelivr.net; connect-src 'self' wss://*.crisp.chat data.geopf.fr; default-src 'self' data: blob: 'report-sample' fonts.gstatic.com", Admission{}, nil},
	{"ministryofjustice/check-financial-eligibility", "default-src 'self'; font-src 'self' data:; img-src 'self' data:; object-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'", Admission{}, nil},
	{"wemake-django-template", "script-src 'self'; img-src 'self'; font-src 'self'; style-src 'self'; default-src 'none'", Admission{Amended: []string{"connect-src"}}, []string{"connect-src " + guest.Asks}},
	{"Mastodon", "base-uri 'none'; default-src 'none'; frame-ancestors 'none'; script-src https://data.city.example 'wasm-unsafe-eval'; connect-src 'self' data: blob:", Admission{}, nil},
	{"headertest.com", "default-src 'self' https://www.googletagmanager.com; script-src 'self' 'nonce-MjJjYTkx' 'strict-dynamic' https://www.googletagmanager.com; connect-src 'self' https://*.google-analytics.com; object-src 'none'", Admission{Nonce: "MjJjYTkx"}, nil},
	{"web.dev, strict policy by hashes", "script-src 'sha256-x' 'strict-dynamic' https: 'unsafe-inline'; object-src 'none'; base-uri 'none'", Admission{NeedsIntegrity: true, Amended: []string{"script-src"}}, []string{"'sha256-abc'"}},
	{"noxcrux", "default-src 'none'; connect-src 'self'; script-src 'self' https://code.jquery.com; img-src 'self'", Admission{}, nil},
	{"a monaco-editor portal", "default-src 'self'; script-src-elem https://cdn.jsdelivr.net/npm/; script-src 'self'", Admission{Amended: []string{"script-src-elem"}}, []string{guest.Script}},
	{"lantiamaster2", "default-src 'self'; img-src 'self' data: https:; object-src 'none'; upgrade-insecure-requests", Admission{}, nil},
	{"a portal whose scripts have another host", "script-src https://static.city.example; object-src 'none'", Admission{Amended: []string{"script-src"}}, []string{guest.Script}},
	{"nothing at all", "default-src 'none'", Admission{Amended: []string{"script-src", "connect-src"}}, []string{"script-src " + guest.Script, "connect-src " + guest.Asks, "default-src 'none'"}},
}

func TestAdmit(t *testing.T) {
	for _, one := range published {
		lines := []string{one.policy}
		got := Admit(lines, guest)
		policy := got.Policies[0]
		if got.Policies = nil; !reflect.DeepEqual(got, one.want) {
			t.Errorf("%s: %+v, not %+v", one.source, got, one.want)
		}
		if lines[0] != one.policy || one.added == nil && policy != one.policy {
			t.Errorf("%s: became %q", one.source, policy)
		}
		for _, added := range one.added {
			if !strings.Contains(policy, added) {
				t.Errorf("%s: %q has no %q", one.source, policy, added)
			}
		}
		if again := Admit([]string{policy}, guest); again.Policies[0] != policy && !got.NeedsIntegrity {
			t.Errorf("%s: asks for more once more: %q", one.source, again.Policies[0])
		}
	}
}

// What is added is one source for the guest, and what was there stays, but for 'none'.
func TestAdmitLoosensNothingElse(t *testing.T) {
	for _, one := range published {
		before, after := parsePolicy(one.policy), parsePolicy(Admit([]string{one.policy}, guest).Policies[0])
		for _, directive := range after {
			fallback := find(before, []string{directive.name, "default-src"})
			if fallback == nil {
				t.Errorf("%s: %s is new", one.source, directive.name)
				continue
			}
			for _, source := range directive.sources {
				isGuests := source == guest.Script || source == guest.Asks || source == "'"+guest.Integrity+"'"
				if !isGuests && !fallback.has(source) {
					t.Errorf("%s: %s lets %s through", one.source, directive.name, source)
				}
			}
		}
		if len(after) < len(before) {
			t.Errorf("%s: %d directives were %d", one.source, len(after), len(before))
		}
	}
}

func TestAdmitBySeveralPolicies(t *testing.T) {
	for _, one := range []struct {
		lines []string
		nonce string
		want  []string
	}{
		{nil, "", nil},
		{[]string{"script-src 'nonce-a' 'nonce-b'", "script-src 'nonce-b'"}, "b", []string{"script-src 'nonce-a' 'nonce-b'", "script-src 'nonce-b'"}},
		{[]string{"script-src 'nonce-a', script-src 'self'"}, "a", []string{"script-src 'nonce-a', script-src 'self'"}},
		{[]string{"script-src 'nonce-a'", "script-src 'nonce-b'"}, "", []string{"script-src 'nonce-a' " + guest.Script, "script-src 'nonce-b' " + guest.Script}},
		{[]string{"SCRIPT-SRC 'NONE'; script-src 'self'", "img-src 'none'"}, "", []string{"script-src " + guest.Script + "; script-src 'self'", "img-src 'none'"}},
		{[]string{"ſcript-src 'none'"}, "", []string{"ſcript-src 'none'"}},
	} {
		got := Admit(one.lines, guest)
		if got.Nonce != one.nonce || !reflect.DeepEqual(got.Policies, one.want) {
			t.Errorf("%q: %+v", one.lines, got)
		}
	}
}

// What a visitor says is the host ends no source and no policy.
func TestOrigin(t *testing.T) {
	for host, want := range map[string]string{
		"data.city.example":      "https://data.city.example",
		"data.city.example:8443": "https://data.city.example:8443",
		"[2001:db8::1]:8443":     "https://[2001:db8::1]:8443",
		"a;sandbox;b":            "https://a%3Bsandbox%3Bb",
		"a,default-src":          "https://a%2Cdefault-src",
		"*":                      "https://%2A",
		"*.example:*":            "https://%2A.example:%2A",
		"a b\t'none'":            "https://a%20b%09%27none%27",
	} {
		if got := Origin("https", host); got != want {
			t.Errorf("%q: %s, not %s", host, got, want)
		}
	}
}

// However much policies say, reading them costs in proportion to their length.
func TestPoliciesAreLinear(t *testing.T) {
	for _, policies := range [][2]string{{"'nonce-a%d'", "'nonce-b%d'"}, {"'nonce-%d'", "'nonce-%d'"}, {"'nonce-a'", "'nonce-a' ,script-src"}, {"a%d", ";b%d"}} {
		checks.Linear(t, policies[0], 4<<10, func(size int) {
			var lines []string
			for _, source := range policies {
				line := strings.Builder{}
				line.WriteString("script-src")
				for i := 0; line.Len() < size/2; i++ {
					line.WriteString(" " + strings.ReplaceAll(source, "%d", strconv.Itoa(i)))
				}
				lines = append(lines, line.String())
			}
			Admit(lines, guest)
			AdmitForm(lines, Form{guest.Origin, guest.Asks, guest.Script})
		})
	}
}

package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// cleanReport returns a report in which nothing was found, sealed.
func cleanReport(t *testing.T) *Report {
	t.Helper()
	report := madeReport(t)
	for i := range report.Visits {
		report.Visits[i].Pages[0].Status = http.StatusOK
		for j := range report.Visits[i].Cookies {
			report.Visits[i].Cookies[j].Violations = nil
		}
		for j := range report.Visits[i].Hosts {
			report.Visits[i].Hosts[j].Violations = nil
		}
	}
	report.Violations, report.Findings = 0, report.findings()
	if err := report.seal(); err != nil {
		t.Fatal(err)
	}
	return report
}

// foundReport returns a report in which something was found.
func foundReport(t *testing.T) *Report {
	t.Helper()
	report := madeReport(t)
	report.Visits[1].Pages[0].Status = http.StatusOK
	return report
}

// Only what is clean is published without being asked for, and nothing that says what its
// visits do not.
func TestPublication(t *testing.T) {
	for name, test := range map[string]struct {
		change                     func(report *Report)
		withFindings, withoutThese string // what is wrong
	}{
		"clean":       {func(*Report) {}, "", ""},
		"incomplete":  {func(report *Report) { report.Incomplete = true }, "", "pages or visits are missing"},
		"found":       {func(report *Report) { *report = *foundReport(t) }, "", "has 2 cookies, stored items or hosts that violate the charter"},
		"of before":   {func(report *Report) { report.Since = &Since{Gone: madeReport(t).Findings} }, "", "what an earlier one has found"},
		"seen before": {func(report *Report) { report.Since = &Since{New: []Finding{{Name: "a"}}} }, "", ""},
		"hidden":      {func(report *Report) { *report = *foundReport(t); report.Findings = []Finding{} }, "not those of its visits", "not those of its visits"},
		"long":        {func(report *Report) { report.By = strings.Repeat("x", MaxPublished) }, "audit fewer pages", "audit fewer pages"},
		"to come":     {func(report *Report) { report.Ended = report.Ended.Add(time.Hour) }, "look at the clocks", "look at the clocks"},
		"of no site":  {func(report *Report) { report.Site = "/" }, "names no site", "names no site"},
		"no visit":    {func(report *Report) { report.Visits = nil }, "names no site", "names no site"},
		"no page":     {func(report *Report) { report.Pages = nil }, "names no site", "names no site"},
		"no answer":   {func(report *Report) { report.Visits[1].Pages[0].Status = http.StatusNotFound }, "no page of the site has answered", "no page of the site has answered"},
		"its own":     {func(report *Report) { report.CharterPage = "https://data.example.fr/a/" }, "no page of the site has answered", "no page of the site has answered"},
		"no versions": {func(report *Report) { report.Version = "<b>" }, "names no site", "names no site"},
	} {
		report := cleanReport(t)
		now := report.Ended.Add(time.Second)
		test.change(report)
		for withFindings, want := range map[bool]string{true: test.withFindings, false: test.withoutThese} {
			if err := report.CheckPublication(withFindings, now); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %t: %v", name, withFindings, err)
			}
		}
	}
}

// A host is what browsers call it.
func TestHostOf(t *testing.T) {
	for address, want := range map[string]string{
		"https://Data.Example.fr/a": "data.example.fr", "https://é.example": "xn--9ca.example", "https://a.example:443": "a.example", "http://a.example:443": "a.example:443",
		"http://localhost:8080/": "localhost:8080", "http://[::1]:80/": "[::1]", "/": "", "%": "",
	} {
		if got := HostOf(address); got != want {
			t.Errorf("%s: %q", address, got)
		}
	}
}

// A report as a page is served with a policy that lets in its own style and nothing else,
// whatever its texts say.
func TestReportAsServed(t *testing.T) {
	report := madeReport(t)
	hostile := `</style><script>alert(1)</script><img src=x onerror=alert(1)>"'` + "\u202e\\3c/style"
	report.By, report.Site, report.Browser, report.Charter = hostile, "https://data.example.fr/"+hostile, hostile, hostile
	report.Pages, report.Notes, report.Visits[0].Cookies[0].Name, report.Visits[0].Hosts[0].Host = []string{hostile}, []string{hostile}, hostile, hostile
	if err := report.seal(); err != nil {
		t.Fatal(err)
	}
	for _, language := range []string{"en", "fr"} {
		content, policy, err := report.HTML(Words{Language: language})
		if err != nil {
			t.Fatal(err)
		}
		html := string(content)
		styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(html, -1)
		if len(styles) != 1 || strings.Contains(html, "<script") || strings.Contains(html, "<img") || strings.Contains(html, " style=") || strings.Contains(html, "\u202e") || strings.Contains(html, "href=") {
			t.Fatalf("%s", html)
		}
		sum := sha256.Sum256([]byte(styles[0][1]))
		want := fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", base64.StdEncoding.EncodeToString(sum[:]))
		if policy != want {
			t.Errorf("%s, not %s", policy, want)
		}
	}
}

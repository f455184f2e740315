package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
)

var own = charter.Origin{Scheme: "https", Host: "portal.example", Port: "8443"}

// told returns reports as the tests write them.
func told(reports []Report) []string {
	texts := []string{}
	for _, report := range reports {
		what := "reported"
		if report.IsBlocked {
			what = "blocked"
		}
		host := report.Origin.Host
		if report.Origin.Port != "" {
			host += ":" + report.Origin.Port
		}
		texts = append(texts, fmt.Sprintf("%s %s://%s %s", report.Directive, report.Origin.Scheme, host, what))
	}
	return texts
}

// What Chromium and Firefox really send gives the hosts, and nothing else.
func TestRecordedReports(t *testing.T) {
	types := map[string]int{}
	for _, recorded := range checks.ReadLines[struct {
		Browser, Type, Body string
		Want                []string
		Ignored             int
	}](t, "testdata/recorded.jsonl") {
		types[recorded.Browser+recorded.Type]++
		reports, ignored := Read(recorded.Type, strings.NewReader(recorded.Body), own)
		if !IsType(recorded.Type) || !slices.Equal(told(reports), recorded.Want) || ignored != recorded.Ignored {
			t.Errorf("%s: %q, %d ignored, of %s", recorded.Browser, told(reports), ignored, recorded.Body)
		}
	}
	if len(types) != 4 {
		t.Errorf("recorded are %v only", types)
	}
}

func TestReports(t *testing.T) {
	for body, want := range map[string]string{
		`{"csp-report":{"blocked-uri":"HTTPS://A.Example/x?q","effective-directive":"script-src-elem"}}`:                                                "script-src https://a.example reported",
		`{"csp-report":{"blockedURL":"https://a.example","effectiveDirective":"default-src","disposition":"enforce"}}`:                                  "default-src https://a.example blocked",
		`{"csp-report":{"blocked-uri":"https://user:secret@a.example/","effective-directive":"img-src"}}`:                                               "",
		`{"csp-report":{"blocked-uri":"https://a.example:secret/","effective-directive":"img-src"}}`:                                                    "",
		`{"csp-report":{"blocked-uri":"https://a_b.example/","effective-directive":"form-action"}}`:                                                     "",
		`{"csp-report":{"blocked-uri":"data","effective-directive":"img-src"}}`:                                                                         "",
		`{"csp-report":{"blocked-uri":"blob:https://a.example/1","effective-directive":"img-src"}}`:                                                     "",
		`{"csp-report":{"blocked-uri":"wss://portal.example:8443/","effective-directive":"connect-src"}}`:                                               "",
		`{"csp-report":{"blocked-uri":"https://portal.example/","effective-directive":"connect-src"}}`:                                                  "connect-src https://portal.example reported",
		`{"csp-report":{"blocked-uri":"https://` + strings.Repeat("a", 254) + `/","effective-directive":"img-src"}}`:                                    "",
		`{"csp-report":{"blocked-uri":1,"effective-directive":"img-src"}}`:                                                                              "",
		`[{"type":"deprecation","body":{"blockedURL":"https://a.example","effectiveDirective":"img-src"}}]`:                                             "",
		`[{"type":"csp-violation","body":null},1,{"type":"csp-violation","body":{"blockedURL":"http://b.example:80/","effectiveDirective":"img-src"}}]`: "img-src http://b.example reported",
		`[{"type":"csp-violation","body":{"blocked-uri":"https://b.example","effective-directive":"img-src"}}`:                                          "img-src https://b.example reported",
		`[{"type":"csp-violation","body":{"blockedURL":"https://b.example","effectiveDirective":"img-src"}},{`:                                          "img-src https://b.example reported",
		``: "", `[`: "", `{}`: "", `[]`: "", `"x"`: "", strings.Repeat("[", MaxBody): "",
	} {
		mediaType := singleType
		if strings.HasPrefix(body, "[") {
			mediaType = batchType
		}
		if reports, _ := Read(mediaType, strings.NewReader(body), own); strings.Join(told(reports), " ") != want {
			t.Errorf("%.200s: %q", body, told(reports))
		}
	}
}

const oneReport = `{"type":"csp-violation","body":{"blockedURL":"https://b.example/","effectiveDirective":"img-src"}},`

// What is read of a body has bounds, and costs in proportion to its length.
func TestReportsHaveBounds(t *testing.T) {
	many := "[" + strings.Repeat(oneReport, 300)
	if reports, _ := Read(batchType, strings.NewReader(many), own); len(reports) != MaxReports {
		t.Errorf("%d reports are read", len(reports))
	}
	late := "[" + strings.Repeat(" ", MaxBody) + oneReport
	if reports, _ := Read(batchType, strings.NewReader(late), own); len(reports) != 0 {
		t.Errorf("%d reports are read beyond the longest body", len(reports))
	}
	for _, shape := range []string{oneReport, `{"body":{"blockedURL":"`, `[`, `{"body":`, `0,`, `"\u0061`, `{"type":"csp-violation","body":{}},`} {
		checks.Linear(t, shape, 4<<10, func(size int) {
			body := "[" + strings.Repeat(shape, size/len(shape))
			Read(batchType, strings.NewReader(body), own)
			Read(singleType, strings.NewReader(body[1:]), own)
		})
	}
}

// Whatever is posted, nothing but hosts comes of it.
func FuzzReports(f *testing.F) {
	f.Add("[" + oneReport[:len(oneReport)-1] + "]")
	f.Add(`{"csp-report":{"blocked-uri":"https://a.example:81/x?q#f","effective-directive":"img-src","disposition":"report"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, mediaType := range []string{singleType, batchType} {
			reports, ignored := Read(mediaType, strings.NewReader(body), own)
			if len(reports)+ignored > MaxReports+1 {
				t.Errorf("%d reports, %d ignored", len(reports), ignored)
			}
			for _, report := range reports {
				origin, ok := charter.ParseOrigin(report.Origin.Scheme + "://" + report.Origin.Host)
				if !ok || origin.Host != report.Origin.Host || len(origin.Host) > 253 || report.Directive.String() == "" {
					t.Errorf("%+v", report)
				}
			}
		}
	})
}

// The longest body of reports costs less than a millisecond or so.
func BenchmarkLongestBody(b *testing.B) {
	body := "[" + strings.Repeat(oneReport, MaxReports) + strings.Repeat(" ", MaxBody)
	for b.Loop() {
		Read(batchType, strings.NewReader(body), own)
	}
}

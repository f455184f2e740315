package cookiecharter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/draft"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/report"
)

const reportsPath = pagePath + "reports"

// reportsType is that of what reportOf returns.
var reportsType = http.Header{"Content-Type": {"application/reports+json"}}

// reportOf returns the body of a report, with all that a browser tells.
func reportOf(directive, address string) string {
	return fmt.Sprintf(`[{"age":9,"type":"csp-violation","url":"https://city.example/R3p0rt3dS3cr3t","user_agent":"R3p0rt3dS3cr3t","body":{"documentURL":"https://city.example/R3p0rt3dS3cr3t","blockedURL":%q,"referrer":"R3p0rt3dS3cr3t","effectiveDirective":%q,"originalPolicy":"R3p0rt3dS3cr3t","sourceFile":"https://city.example/R3p0rt3dS3cr3t","sample":"R3p0rt3dS3cr3t","disposition":"report","statusCode":200}}]`, address, directive)
}

// hostBlock declares hosts of three kinds.
const hostBlock = `cookie_charter {
	preset opendatasoft
	hosts %s
	cookie _stats {
		purpose p
		category statistics
		consent stats
		host *.stats.example
	}
	host maps.example {
		purpose p
		category necessary
	}
}
`

// What browsers report beside the page is judged, counted, logged and listed by its origin,
// and nothing else of it is kept.
func TestReports(t *testing.T) {
	forgetSites()
	port := freePort()
	load(t, fmt.Sprintf("http://reports.example:%d {\n bind 127.0.0.1\n %s metrics /metrics\n respond / portal\n}", port, fmt.Sprintf(hostBlock, "monitor")))
	site := fmt.Sprintf("reports.example:%d", port)
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	header := reportsType.Clone()
	header.Set("Host", site)
	header.Set("Cookie", "unknown=R3p0rt3dS3cr3t")
	for _, report := range [][2]string{
		{"img-src", "https://pixel.example/R3p0rt3dS3cr3t?q=R3p0rt3dS3cr3t"},
		{"script-src-elem", "https://pixel.example/R3p0rt3dS3cr3t"},
		{"script-src-elem", "https://a.stats.example/R3p0rt3dS3cr3t"},
		{"img-src", "https://maps.example/R3p0rt3dS3cr3t"},
		{"connect-src", "wss://pixel.example:8443/R3p0rt3dS3cr3t"},
		{"script-src-elem", "inline"},
		{"img-src", "http://" + site + "/R3p0rt3dS3cr3t"},
	} {
		response, body := do(t, http.MethodPost, address+reportsPath, header, reportOf(report[0], report[1]))
		if response.StatusCode != http.StatusNoContent || body != "" || response.Header["Set-Cookie"] != nil {
			t.Errorf("%s: %s, %q", report, response.Status, body)
		}
	}
	entries := map[string]InventoryEntry{}
	w := inventoryOf(t, site)
	var sites map[string][]InventoryEntry
	if err := json.Unmarshal([]byte(w), &sites); err != nil {
		t.Fatal(err)
	}
	for _, entry := range sites[site] {
		if entry.Host != "" {
			entries[entry.Host] = entry
		}
	}
	for host, want := range map[string]string{
		"pixel.example":            "undeclared  2 0 1 [img-src script-src]",
		"wss://pixel.example:8443": "undeclared  1 0 1 [connect-src]",
		"a.stats.example":          "refused _stats 1 0 1 [script-src]",
		"maps.example":             "allowed maps.example 1 0 1 [img-src]",
	} {
		entry := entries[host]
		if entry.Reports == nil {
			t.Errorf("%s is not listed", host)
		} else if got := fmt.Sprint(entry.Verdict, " ", entry.Cookie, " ", entry.Reports.Count, entry.Reports.Blocked, entry.Reports.Networks, entry.Reports.Directives); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
	_, metrics := get(t, address+"/metrics", http.Header{"Host": {site}})
	for _, want := range []string{
		`host_reports_total{directive="img-src",row="none",verdict="undeclared"} 1`, `host_reports_total{directive="script-src",row="_stats",verdict="refused"} 1`,
		`host_reports_total{directive="img-src",row="maps.example",verdict="allowed"} 1`, `ignored_reports_total{reason="no_host"} 2`,
		`cookies_total{cookie="none",effect="withheld",from="browser",verdict="undeclared"} 7`,
	} {
		if !strings.Contains(metrics, "caddy_cookie_charter_"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	log, err := os.ReadFile(filepath.Join(storage(), "log"))
	if err != nil || !bytes.Contains(log, []byte(`"msg":"reported a host","host":"wss://pixel.example:8443","directive":"connect-src","verdict":"undeclared","blocked":false`)) {
		t.Errorf("%v, or not in the log", err)
	}
	if len(entries) != 4 || strings.Contains(string(log)+w+metrics, "R3p0rt3dS3cr3t") {
		t.Errorf("more than origins is kept, of %d hosts", len(entries))
	}

	// Where nothing asks for reports, the path is the portal's.
	load(t, fmt.Sprintf("http://reports.example:%d {\n bind 127.0.0.1\n cookie_charter {\n  preset matomo\n }\n respond /* portal\n}", port))
	if _, body := do(t, http.MethodPost, address+reportsPath, header, "{}"); body != "portal" {
		t.Errorf("without hosts, the page answers %q", body)
	}
}

// inventoryOf returns what the admin endpoint tells of a site.
func inventoryOf(t *testing.T, site string) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := serveInventory(w, httptest.NewRequest(http.MethodGet, "/cookie_charter/inventory?host="+site, http.NoBody)); err != nil {
		t.Fatal(err)
	}
	return w.Body.String()
}

// Posts that are no reports, or of which there are too many, are not read.
func TestReportsThatAreRefused(t *testing.T) {
	address := "http://" + serve(t, false, fmt.Sprintf(hostBlock, "enforce")+"metrics /metrics\nrespond / portal")
	long := "[" + strings.Repeat(" ", report.MaxBody)
	for _, test := range []struct {
		method, field, value, body string
		want                       int
	}{
		{http.MethodGet, "", "", "", http.StatusMethodNotAllowed},
		{http.MethodHead, "", "", "", http.StatusMethodNotAllowed},
		{http.MethodPut, "", "", "[]", http.StatusMethodNotAllowed},
		{http.MethodPost, "Content-Type", "application/json", "[]", http.StatusUnsupportedMediaType},
		{http.MethodPost, "Content-Type", "application/reportſ+json", "[]", http.StatusUnsupportedMediaType},
		{http.MethodPost, "", "", long, http.StatusRequestEntityTooLarge},
		{http.MethodPost, "Origin", "https://other.example", "[]", http.StatusForbidden},
		{http.MethodPost, "Origin", "null", "[]", http.StatusForbidden},
		{http.MethodPost, "Sec-Fetch-Site", "same-site", "[]", http.StatusForbidden},
		{http.MethodPost, "Sec-Fetch-Site", "same-origin", "[]", http.StatusNoContent},
		{http.MethodPost, "Origin", address, "[]", http.StatusNoContent},
		{http.MethodPost, "Content-Type", "application/csp-report; charset=utf-8", "{", http.StatusNoContent},
		{http.MethodPost, "", "", long[:report.MaxBody], http.StatusNoContent},
	} {
		header := reportsType.Clone()
		if test.field != "" {
			header.Set(test.field, test.value)
		}
		response, _ := do(t, test.method, address+reportsPath, header, test.body)
		if response.StatusCode != test.want || (test.want == http.StatusMethodNotAllowed) != (response.Header.Get("Allow") == "POST") {
			t.Errorf("%s %s %s: %s", test.method, test.field, test.value, response.Status)
		}
	}
	for range 400 {
		do(t, http.MethodPost, address+reportsPath, reportsType, reportOf("img-src", "https://flood.example/"))
	}
	_, metrics := get(t, address+"/metrics", nil)
	if !strings.Contains(metrics, `ignored_reports_total{reason="refused"} 9`+"\n") || strings.Contains(metrics, `ignored_reports_total{reason="rate"} 0`) {
		t.Errorf("not counted: %s", metrics)
	}
}

// Made-up hosts of sites take no other site's place.
func TestReportsOfMadeUpSites(t *testing.T) {
	set := inventorySet{}
	for i := range 3 * maxSites {
		site := set.ofReports(fmt.Sprintf("made-up-%d.example", i), answers.Timestamp(i))
		if (site == nil) != (i >= maxSites) {
			t.Errorf("%d: %v", i, site)
		}
	}
	if len(set.all()) != maxSites || set.ofReports("made-up-0.example", 1) == nil {
		t.Errorf("%d sites", len(set.all()))
	}
}

// Commands know hosts, and drafts declare them.
func TestCommandsKnowHosts(t *testing.T) {
	reported := func(host string, networks int) InventoryEntry {
		return InventoryEntry{Host: host, Reports: &hostReports{Count: 3, Networks: networks, Directives: []string{"img-src", "script-src"}}}
	}
	bySite := map[string][]InventoryEntry{"city.example": {
		{Name: "sessionid", Verdict: judge.Allowed, FromPortal: 3},
		reported("pixel.example", 5), reported("http://alone.example:81", 1), reported("wss://pixel.example", 2), reported("192.0.2.1", 2), reported("a.stats.example", 2),
	}}
	content, err := json.Marshal(bySite)
	if err != nil {
		t.Fatal(err)
	}
	folder := checks.WriteFiles(t, map[string]string{"inventory.json": string(content), "Caddyfile": ":80 {\n" + fmt.Sprintf(hostBlock, "") + "}\n"})
	for format, wants := range map[string][]string{
		"table": {"\nSITE          HOST ", "city.example  http://alone.example:81  undeclared               3        0        1         img-src script-src  "},
		"json":  {`"host": "pixel.example",`, `"networks": 5,`},
		"charter": {
			"    # city.example: pages load from pixel.example, or send to it, as browsers reported 3 times. Nothing is known of it: say what it is for, and of which category it is.\n    - host: pixel.example\n      purpose: \"\"\n      category: \"\"\n",
			"reported 3 times, from one network alone, which can be made up. Nothing is known", "    - host: http://alone.example:81\n",
			"    - host: wss://pixel.example\n",
		},
	} {
		var out bytes.Buffer
		if err := runInventory(&out, []string{folder + "inventory.json"}, "", format); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", format, want, &out)
			}
		}
		if format == "charter" && strings.Contains(out.String(), "192.0.2.1") {
			t.Errorf("drafts what cannot be declared: %s", &out)
		}
	}
	var out bytes.Buffer
	err = runDiff(&out, []string{folder + "Caddyfile"}, []string{folder + "inventory.json"}, "city.example")
	if want := `city.example: undeclared: host "pixel.example", reported 3 times from about 5 networks, for img-src, script-src` + "\n"; !errors.Is(err, errDifferences) || !strings.Contains(out.String(), want) {
		t.Errorf("%v: %s", err, &out)
	}
	// What is declared, and what is allowed and so not reported, is no difference.
	if strings.Contains(out.String(), "stats.example") || strings.Contains(out.String(), "maps.example") || strings.Contains(out.String(), "unseen: \n") {
		t.Errorf("%s", &out)
	}
}

// What a preset knows of a host is suggested: the key by which it asks.
func TestDraftOfKnownHosts(t *testing.T) {
	presets, err := charter.Presets()
	if err != nil {
		t.Fatal(err)
	}
	for name, preset := range presets {
		for _, row := range preset.Rows {
			for _, host := range row.Host {
				host = strings.Replace(host, "*.", "www.", 1)
				origin, ok := charter.ParseOrigin("https://" + host)
				if !ok || row.Key == "" {
					continue
				}
				drafted, err := draft.Charter(map[string][]draft.Entry{"city.example": {{Host: origin, IsUndeclared: true, Reports: 1, Networks: 2}}})
				if err != nil || !strings.Contains(string(drafted), "Suggested by the preset ") || !strings.Contains(string(drafted), "- host: "+host+"\n") || !strings.Contains(string(drafted), "consent: ") {
					t.Errorf("%s, %s: %v, %s", name, host, err, drafted)
				}
			}
		}
	}
}

// What is drafted of a host declares it: browsers take no socket for what is not one.
func TestDraftDeclaresHosts(t *testing.T) {
	for _, address := range []string{"https://a.example", "http://a.example:8080", "wss://a.example", "wss://a.example:8443", "ws://a.example"} {
		origin, _ := charter.ParseOrigin(address)
		drafted, err := draft.Charter(map[string][]draft.Entry{"city.example": {{Host: origin, IsUndeclared: true, Reports: 1, Networks: 2}}})
		if err != nil {
			t.Fatal(err)
		}
		filled := strings.NewReplacer(`purpose: ""`, "purpose: p", `category: ""`, "category: necessary").Replace(string(drafted))
		declared, err := charter.Parse([]byte(filled), "draft.yaml")
		if err != nil || len(declared.Rows) != 1 {
			t.Fatalf("%s: %v, %s", address, err, drafted)
		}
		built, err := charter.New(declared)
		if err != nil {
			t.Fatal(err)
		}
		if !built.Rows[0].IncludesOrigin(origin) {
			t.Errorf("%s is not what was drafted: %s", address, drafted)
		}
	}
}

// What a row names has room, whoever floods; what a prefix includes is anybody's to make up.
func TestDeclaredHostsHaveRoom(t *testing.T) {
	forgetSites()
	handler := provision(t, fmt.Sprintf(hostBlock, "enforce"))
	request := visit("https://room.example/")
	exchange := page.Exchange{Request: request, Visitor: &answers.Visitor{Store: handler.answers}}
	tell := func(host string) {
		pageObserver{handler}.Reported(exchange, []report.Report{{Origin: charter.Origin{Scheme: "https", Host: host}}}, 1)
	}
	tell("maps.example")
	tell("first.stats.example")
	for i := range 2 * report.MaxNewcomers {
		tell(fmt.Sprintf("made-up%d.stats.example", i))
	}
	listed := map[string]judge.Verdict{}
	for _, entry := range inventories.bySite(running())["room.example"] {
		listed[entry.Host] = entry.Verdict
	}
	if _, isListed := listed["maps.example"]; !isListed {
		t.Error("what is declared is forgotten")
	}
	if _, isListed := listed["first.stats.example"]; isListed || len(listed) != report.MaxNewcomers+1 {
		t.Errorf("%d are listed, and what one network made up first: %t", len(listed), isListed)
	}
}

// A post of as many reports as are read, under a charter of 50 hosts, costs little.
func BenchmarkReported(b *testing.B) {
	var block strings.Builder
	block.WriteString("cookie_charter {\n preset opendatasoft\n hosts\n")
	for i := range 50 {
		fmt.Fprintf(&block, " host *.host%d.example {\n  purpose p\n  category third_party\n }\n", i)
	}
	handler := provision(b, block.String()+"}")
	exchange := page.Exchange{Request: visit("https://benchmark.example/"), Visitor: &answers.Visitor{Store: handler.answers}}
	reports := make([]report.Report, report.MaxReports)
	for i := range reports {
		reports[i].Origin = charter.Origin{Scheme: "https", Host: fmt.Sprintf("a.host%d.example.com", i)}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		pageObserver{handler}.Reported(exchange, reports, uint64(i))
	}
}

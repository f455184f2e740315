package cookiecharter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// TestMetricsAndLogs counts what was withheld over two sites and a reload, and
// looks for values where none may be.
func TestMetricsAndLogs(t *testing.T) {
	const secret = "S3cr3tV4lu3"
	sites := func(port int) string {
		site := `{
			bind 127.0.0.1
			cookie_charter {
				preset opendatasoft matomo
			}
			header +Set-Cookie "sessionid=` + secret + `"
			header +Set-Cookie "_pk_id.1=` + secret + `"
			header +Set-Cookie "AWSALB=` + secret + `"
			header +Set-Cookie "` + secret + `"
			header +Set-Cookie "=` + secret + `"
			metrics /metrics
			respond / ok
		}
		`
		return fmt.Sprintf("http://:%d %s http://:%d %s", port, site, port+1, site)
	}
	for range 2 {
		port := freePort() // a stopping server may still take connections from the old one
		load(t, sites(port))
		for i := range 2 {
			for range 3 {
				get(t, fmt.Sprintf("http://127.0.0.1:%d/", port+i), http.Header{"Cookie": {`cookies_preferences={"` + secret + `":true}`}})
			}
			do(t, http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d%s", port+i, pagePath), form, secret+"=%zz")
		}
		// The request for the metrics withholds four more.
		_, metrics := get(t, fmt.Sprintf("http://127.0.0.1:%d/metrics", port), nil)
		for _, want := range []string{
			`caddy_cookie_charter_cookies_total{cookie="_pk_id.<site>.<hash>",effect="withheld",from="portal",verdict="refused"} 6`,
			`caddy_cookie_charter_cookies_total{cookie="none",effect="withheld",from="portal",verdict="undeclared"} 18`,
			`caddy_cookie_charter_cookies_total{cookie="sessionid",effect="kept",from="portal",verdict="allowed"} 6`,
			`caddy_cookie_charter_cookies_total{cookie="cookies_preferences",effect="kept",from="browser",verdict="allowed"} 6`,
		} {
			if !strings.Contains(metrics, want+"\n") {
				t.Errorf("no %s in %s", want, regexp.MustCompile(`(?m)^caddy_cookie_charter.*`).FindAllString(metrics, -1))
			}
		}
		if strings.Contains(metrics, secret) {
			t.Error("a value in the metrics")
		}
	}
	logs, err := os.ReadFile(filepath.Join(storage(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"msg":"judged a cookie","from":"portal","cookie":"sessionid","verdict":"allowed","kept":true`,
		`"msg":"judged a cookie","from":"portal","cookie":"_pk_id.1","verdict":"refused","kept":false`,
		`"msg":"judged a cookie","from":"portal","cookie":"AWSALB","verdict":"undeclared","kept":false`,
		`"msg":"judged a cookie","from":"portal","cookie":"","verdict":"undeclared","kept":false`,
		`"msg":"charter loaded"`,
	} {
		if !bytes.Contains(logs, []byte(want)) {
			t.Errorf("no %s in the log", want)
		}
	}
	for line := range bytes.Lines(logs) {
		if bytes.Contains(line, []byte(secret)) && !bytes.Contains(line, []byte(`"logger":"http.auto_https","msg":"adjusted config"`)) {
			t.Errorf("a value in the log: %s", line)
		}
	}
}

// What is monitored is judged and counted, but leaves as it came, in both
// directions; what is not is enforced beside it.
func TestMonitor(t *testing.T) {
	set := []string{"sessionid=1; Max-Age=99999999", "_pk_id.1=1; Max-Age=99999999", "unknown=1", "=nameless", "bad\tname=1", "third=1; Max-Age=99999999", "watched=1; Max-Age=99999999"}
	const sent = "sessionid=1; _pk_id.1=1; unknown=1; nameless; third=1; watched=1"
	site := func(options string) string {
		block := "cookie_charter {\n preset opendatasoft matomo\n cookie third {\n purpose p\n category third_party\n exempt\n duration \"1 day\"\n}\n" +
			"cookie watched {\n purpose p\n category third_party\n duration \"1 day\"\n secure\n http_only\n monitor\n}\n" + options + "\n}\nmetrics /metrics\nroute / {\n header X-Cookie {http.request.header.Cookie}\n header X-Cookie2 {http.request.header.Cookie2}\n"
		for _, line := range set {
			block += "header +Set-Cookie \"" + line + "\"\n"
		}
		return "http://" + serve(t, false, block+"respond ok\n}")
	}
	for options, want := range map[string]struct {
		set, arrived []string
		count, page  string
	}{
		"": {
			[]string{"sessionid=1; Max-Age=99999999; Max-Age=1209600", "third=1; Max-Age=99999999; Max-Age=86400", "watched=1; Max-Age=99999999"},
			[]string{"sessionid", "third", "watched"},
			`cookie="_pk_id.<site>.<hash>",effect="withheld",from="portal",verdict="refused"} 1`, "only observes some of the cookies",
		},
		"monitor undeclared": {
			[]string{"sessionid=1; Max-Age=99999999; Max-Age=1209600", "unknown=1", "=nameless", "bad\tname=1", "third=1; Max-Age=99999999; Max-Age=86400", "watched=1; Max-Age=99999999"},
			[]string{"sessionid", "unknown", "nameless", "third", "watched"},
			`cookie="none",effect="kept",from="portal",verdict="undeclared"} 3`, "only observes some of the cookies",
		},
		"monitor": {
			set,
			[]string{"sessionid", "_pk_id.1", "unknown", "nameless", "third", "watched"},
			`cookie="_pk_id.<site>.<hash>",effect="kept",from="browser",verdict="refused"} 1`, "it does not enforce the table of this page yet",
		},
	} {
		address := site(options)
		response, _ := get(t, address, http.Header{"Cookie": {sent}, "Cookie2": {"x"}})
		var deposits []string
		expired := false
		for _, line := range response.Header["Set-Cookie"] {
			if strings.Contains(line, "Max-Age=-1") {
				expired = true
			} else {
				deposits = append(deposits, line)
			}
		}
		if !slices.Equal(deposits, want.set) {
			t.Errorf("%q: set\n%s", options, strings.Join(deposits, "\n"))
		}
		var arrived []string
		for name := range strings.SplitSeq(response.Header.Get("X-Cookie"), "; ") {
			name, _, _ = strings.Cut(name, "=")
			arrived = append(arrived, name)
		}
		if !slices.Equal(arrived, want.arrived) {
			t.Errorf("%q: %q arrived", options, arrived)
		}
		all := options == "monitor"
		if expired == all || (response.Header.Get("Cache-Control") == "") != all || (response.Header.Get("X-Cookie2") == "x") != all {
			t.Errorf("%q: removed %v, %v", options, expired, response.Header)
		}
		_, metrics := get(t, address+"/metrics", nil)
		for _, count := range []string{"cookies_total{" + want.count, `amended_cookies_total{cookie="sessionid"} 1`, `cookies_total{cookie="watched",effect="kept",from="portal",verdict="refused"} 1`} {
			if !strings.Contains(metrics, "caddy_cookie_charter_"+count) {
				t.Errorf("%q: no %s", options, count)
			}
		}
		_, page := get(t, address+pagePath+"?flg=en", http.Header{"Cookie": {sent}})
		if !strings.Contains(page, want.page) || strings.Contains(page, "This page is made from the table that the server enforces") == all {
			t.Errorf("%q: the page does not say what is enforced", options)
		}
		_, mine, _ := strings.Cut(page, "The cookies of your browser")
		_, row, _ := strings.Cut(mine, ">watched<")
		if row, _, _ = strings.Cut(row, "</tr>"); !strings.Contains(row, "You have not accepted it. It reaches the portal all the same.") {
			t.Errorf("%q: %s", options, row)
		}
		response, _ = do(t, http.MethodPost, address+pagePath, http.Header{"Content-Type": form["Content-Type"], "Cookie": {sent}}, "all=refused")
		if removes := strings.Contains(strings.Join(response.Header["Set-Cookie"], "\n"), "_pk_id.1=; Max-Age=-1"); removes == all {
			t.Errorf("%q: a withdrawal sets %q", options, response.Header["Set-Cookie"])
		}
	}
}

// The dashboard and the documentation name the metrics that there are, with their labels.
func TestDocumentedMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	rows := []*charter.Row{{Cookie: charter.Cookie{Name: charter.Names{"a"}}}, {Cookie: charter.Cookie{Name: charter.Names{"a"}}, Number: 1}} // as two handlers have them
	m, err := newMetrics(registry, &charter.Charter{Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	m.tell(nil, &judge.Judgement{From: judge.FromPortal})
	m.rows[0].amended.Add(1)
	m.rows[1].amended.Add(1)
	m.choices.WithLabelValues("a", "b", "c")
	m.reports.WithLabelValues("a", "b", "c")
	m.found.WithLabelValues("a", "b")
	m.foundItems.WithLabelValues("a", "b")
	for _, findings := range []int{0, 3, 1} { // as several handlers know the audits of one host
		m.audits.add(func(context.Context) []page.LastAudit {
			return []page.LastAudit{{Host: "a", IsAsked: true, Time: time.Unix(int64(findings), 0), Findings: findings}}
		})
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("docs/operation.md")
	if err != nil {
		t.Fatal(err)
	}
	dashboard, err := os.ReadFile("docs/grafana.json")
	if err != nil || !json.Valid(dashboard) {
		t.Fatal(err)
	}
	known := map[string][]string{} // their labels
	for _, family := range families {
		known[family.GetName()] = []string{"instance"} // that Prometheus adds
		if count := family.GetMetric()[0].GetCounter().GetValue(); strings.Contains(family.GetName(), "amended") && count != 2 {
			t.Errorf("%s: %v", family.GetName(), count)
		}
		if last := family.GetMetric()[0].GetGauge().GetValue(); strings.Contains(family.GetName(), "last_audit") && last != 3 {
			t.Errorf("%s: %v", family.GetName(), last)
		}
		_, row, ok := strings.Cut(string(readme), "| `"+strings.TrimPrefix(family.GetName(), "caddy_cookie_charter_")+"` |")
		row, _, _ = strings.Cut(row, "\n")
		for _, label := range family.GetMetric()[0].GetLabel() {
			ok = ok && strings.Contains(row, "`"+label.GetName()+"`")
			known[family.GetName()] = append(known[family.GetName()], label.GetName())
		}
		if !ok || !strings.Contains(string(dashboard), family.GetName()) {
			t.Errorf("%s is not documented with its labels, or not in the dashboard", family.GetName())
		}
	}
	for _, name := range regexp.MustCompile(`caddy_cookie_charter_\w+`).FindAllString(string(dashboard), -1) {
		if known[name] == nil {
			t.Errorf("the dashboard shows %s, which is not there", name)
		}
	}
	checkAlerts(t, known, string(readme))
}

// checkAlerts holds the alert rules against the labels of all metrics, and the words that
// the documentation has for them.
func checkAlerts(t *testing.T, known map[string][]string, documented string) {
	t.Helper()
	content, err := os.ReadFile("docs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(content, &file); err != nil || len(file.Groups) != 1 || len(file.Groups[0].Rules) < 9 {
		t.Fatal(err)
	}
	for _, rule := range file.Groups[0].Rules {
		used := regexp.MustCompile(`(caddy_cookie_charter_\w+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(rule.Expr, -1)
		if len(used) == 0 || rule.For == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
			t.Errorf("%+v", rule)
		}
		if strings.HasSuffix(rule.For, "d") && !strings.Contains(rule.Expr, "[1d]") {
			t.Errorf("%s: a quiet night ends what has to hold for days", rule.Alert)
		}
		var ofAll []string
		for _, metric := range used {
			labels := known[metric[1]]
			if labels == nil {
				t.Errorf("%s watches %s, which is not there", rule.Alert, metric[1])
			}
			if metric[1] == "caddy_cookie_charter_choices_total" && !strings.Contains(rule.Expr, "sum by (instance, key)") {
				t.Errorf("%s: one form answers to all keys, and is counted for each", rule.Alert)
			}
			for _, match := range regexp.MustCompile(`(\w+)!?="(\w*)"`).FindAllStringSubmatch(metric[2], -1) {
				if !slices.Contains(labels, match[1]) || !strings.Contains(documented, "`"+match[2]+"`") {
					t.Errorf("%s: %s has no %s", rule.Alert, metric[1], match[0])
				}
			}
			ofAll = append(ofAll, labels...)
		}
		for _, by := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(rule.Expr, -1) {
			for label := range strings.SplitSeq(by[1], ", ") {
				if !slices.Contains(ofAll, label) {
					t.Errorf("%s: what it watches has no %s", rule.Alert, label)
				}
			}
		}
	}
}

// A field of the answer tells the verdicts, where that is asked for.
func TestDebugHeader(t *testing.T) {
	site := func(options string) string {
		return "http://" + serve(t, false, "cookie_charter {\n preset opendatasoft matomo\n"+options+"\n}\nheader +Set-Cookie \"sessionid=V4lue\"\nheader +Set-Cookie \"x=V4lue\"\nheader +Set-Cookie \"_pk_id.1=V4lue\"\nheader +Set-Cookie \"V4lue\"\nrespond ok")
	}
	header := http.Header{"Cookie": {"csrftoken=V4lue; _pk_id.1=V4lue; V4lue; a\"b=V4lue"}}
	response, _ := get(t, site("debug_header"), header)
	want := `"csrftoken";from=browser;verdict=allowed;effect=kept, "_pk_id.1";from=browser;verdict=refused;effect=withheld, ` +
		`"";from=browser;verdict=undeclared;effect=withheld, "";from=browser;verdict=undeclared;effect=withheld, ` +
		`"sessionid";from=portal;verdict=allowed;effect=kept, "x";from=portal;verdict=undeclared;effect=withheld, ` +
		`"_pk_id.1";from=portal;verdict=refused;effect=withheld, "";from=portal;verdict=undeclared;effect=withheld`
	if got := response.Header["Cookie-Charter-Verdicts"]; len(got) != 1 || got[0] != want {
		t.Errorf("got %q", got)
	}
	if response, _ := get(t, site(""), header); response.Header["Cookie-Charter-Verdicts"] != nil {
		t.Error("tells without being asked to")
	}
	header.Set("Cookie", strings.Repeat("x=1; ", 5000))
	if response, _ := get(t, site("debug_header"), header); len(response.Header.Get("Cookie-Charter-Verdicts")) > maxVerdicts+setcookie.MaxShown+100 {
		t.Error("tells without end")
	}
}

// What visitors and the page do is counted.
func TestCounters(t *testing.T) {
	address := "http://" + serve(t, false, "handle /other {\n cookie_charter {\n  preset google_analytics\n }\n respond ok\n}\nhandle {\n cookie_charter {\n  preset opendatasoft matomo google_analytics\n }\n metrics /metrics\n respond / ok\n}")
	do(t, http.MethodPost, address+pagePath, http.Header{"Content-Type": form["Content-Type"], "Cookie": {"_ga=1"}}, "answer.ga=refused&answer.matomo=granted")
	do(t, http.MethodPost, address+pagePath, form, "all=granted&return=/")
	get(t, address+pagePath, nil)
	get(t, address, http.Header{"Cookie": {"_ga=1; unknown=1"}})
	get(t, address+"/other", http.Header{"Cookie": {"_ga=1; unknown=1"}})
	_, metrics := get(t, address+"/metrics", nil)
	if regexp.MustCompile(`(?m)cookies_total\{.* 0$`).MatchString(metrics) {
		t.Error("rows of which nothing was counted are told")
	}
	for _, want := range []string{
		`choices_total{answer="refused",key="ga",source="page"} 1`, `choices_total{answer="granted",key="matomo",source="page"} 1`,
		`choices_total{answer="granted",key="ga",source="notice"} 1`, "page_views_total 1", "expiries_total 8",
		// Both handlers have a row of this name.
		`cookies_total{cookie="_ga",effect="withheld",from="browser",verdict="refused"} 3`, `cookies_total{cookie="none",effect="withheld",from="browser",verdict="undeclared"} 2`,
	} {
		if !strings.Contains(metrics, "caddy_cookie_charter_"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}

// A deletion is no deposit: nobody is told of one, be the cookie allowed or not.
// What an early answer says already counts once.
func TestDeletionsAreNotTold(t *testing.T) {
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset opendatasoft matomo
			debug_header
		}
		metrics /metrics
		header /deleted Set-Cookie "sessionid=; Max-Age=0; Path=/"
		header /deleted +Set-Cookie "unknown=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
		header /deleted +Set-Cookie "_pk_id.1=; Max-Age=-1"
		header /set Set-Cookie "sessionid=1; HttpOnly; Max-Age=99999999"
		misbehave /early "add later"
		respond /set ok
		respond /deleted ok`)
	get(t, address+"/set", nil)
	response, _ := get(t, address+"/deleted", nil)
	if len(response.Header["Set-Cookie"]) != 3 || response.Header["Cookie-Charter-Verdicts"] != nil {
		t.Errorf("got %q", response.Header)
	}
	for _, entry := range inventories.bySite(running())[strings.TrimPrefix(address, "http://")] {
		if entry.Name == "sessionid" && (!entry.Attributes.HTTPOnly || entry.Attributes.Lifetime != "99999999" || entry.FromPortal != 1) {
			t.Errorf("the inventory knows %+v", entry)
		}
	}
	get(t, address+"/early", nil)
	_, metrics := get(t, address+"/metrics", nil)
	for _, want := range []string{
		`cookies_total{cookie="sessionid",effect="kept",from="portal",verdict="allowed"} 2`, // set, early
		`amended_cookies_total{cookie="sessionid"} 1`,
	} {
		if !strings.Contains(metrics, "caddy_cookie_charter_"+want+"\n") {
			t.Errorf("no %s in %s", want, metrics)
		}
	}
}

package cookiecharter

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// auditedSite returns the report of an audit of a site.
func auditedSite(t *testing.T, address string) *audit.Report {
	t.Helper()
	report, err := audit.Run(terminal.NewPrinter(io.Discard), []string{address}, audit.Options{DefaultPage: page.DefaultPath, Load: loadForAudit, Format: "json", Pages: 2, Tool: "test", By: "<b>DPO</b>"})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// jsonOf returns a report as JSON.
func jsonOf(t *testing.T, report *audit.Report) []byte {
	t.Helper()
	content, err := report.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// postAudit posts a report to the admin endpoint, and returns the status and the answer.
func postAudit(t *testing.T, query string, content []byte) (int, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	err := takeAudit(recorder, httptest.NewRequest(http.MethodPost, auditsPath+query, bytes.NewReader(content)))
	if refused, ok := errors.AsType[caddy.APIError](err); ok {
		return refused.HTTPStatus, refused.Err.Error()
	} else if err != nil {
		t.Fatal(err)
	}
	return recorder.Code, recorder.Body.String()
}

// testedOn returns what a page says of the last audit, "" if it says nothing.
func testedOn(t *testing.T, address string) string {
	t.Helper()
	_, shown := get(t, address+pagePath+"?flg=en", nil)
	return regexp.MustCompile(`<p class="charter-tested">.*</p>`).FindString(shown)
}

// The example shows its last audit, once the command of its comment has run.
func TestExampleShowsItsAudit(t *testing.T) {
	content, err := os.ReadFile("Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	command := "go run ./cmd/caddy cookie-charter audit http://localhost:8080 --publish --address localhost:8082"
	documented, err := os.ReadFile("docs/commands.md")
	if err != nil || !bytes.Contains(content, []byte(command)) || !bytes.Contains(documented, []byte(command)) {
		t.Errorf("%v, or %s is not documented", err, command)
	}
	ports := strings.NewReplacer("8080", fmt.Sprint(freePort()), "8081", fmt.Sprint(freePort()), "8082", fmt.Sprint(freePort()))
	kept := t.TempDir()
	example := strings.Replace(ports.Replace(string(content)), "persist_config off", "persist_config off\nstorage file_system "+kept, 1)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(example), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	site, admin := ports.Replace("http://localhost:8080"), ports.Replace("localhost:8082")
	if said := testedOn(t, site); said != "" {
		t.Errorf("tested before: %s", said)
	}
	if response, _ := get(t, site+pagePath+"audit", http.Header{"Accept": {"text/html"}}); response.StatusCode != http.StatusNotFound {
		t.Errorf("shows an audit: %s", response.Status)
	}

	var told bytes.Buffer
	to := delivery{publish: publishClean, addresses: []string{admin}}
	options := audit.Options{Format: "json", Pages: 20}
	err = runAudit(terminal.NewPrinter(io.Discard), terminal.NewPrinter(&told), []string{site}, "en", to, options)
	if err != nil || told.String() != "published at "+site+pagePath+"audit\n" {
		t.Fatalf("%v, %s", err, &told)
	}
	day := time.Now().UTC().Format("2 January 2006")
	want := "Last tested on " + day + " (pages: 1; visits: 4): no cookie was found that this policy does not allow. It ran no scripts, so it did not see what these set or call. " +
		`<a href="audit?flg=en">Report of the test</a> (<a href="audit?format=json">JSON</a>)</p>`
	if said := testedOn(t, site); !strings.Contains(said, want) {
		t.Errorf("no %s in %s", want, said)
	}
	for _, language := range page.Languages {
		response, shown := get(t, site+pagePath+"audit?flg="+language, nil)
		policy := response.Header.Get("Content-Security-Policy")
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Language") != language || !strings.Contains(shown, `<html lang="`+language+`"`) || !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s, %s", language, response.Status, policy)
		}
	}
	response, published := get(t, site+pagePath+"audit?format=json", nil)
	report, err := audit.ReadReport([]byte(published))
	if err != nil || response.Header.Get("Content-Type") != "application/json" || report.Site != site {
		t.Errorf("%v, %s", err, published)
	}
	if response, _ := get(t, site+pagePath+"audit?format=pdf", http.Header{"Accept": {"text/html"}}); response.StatusCode != http.StatusBadRequest {
		t.Error(response.Status)
	}
	if response, _ := do(t, http.MethodPost, site+pagePath+"audit", nil, "x"); response.StatusCode != http.StatusMethodNotAllowed {
		t.Error(response.Status)
	}
	_, metrics := get(t, "http://"+admin+"/metrics", nil)
	host := strings.TrimPrefix(site, "http://")
	for _, want := range []string{fmt.Sprintf("last_audit_findings{host=%q} 0\n", host), fmt.Sprintf("last_audit_timestamp_seconds{host=%q} %v\n", host, float64(report.Ended.Unix()))} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in %s", want, regexp.MustCompile(`(?m)^.*last_audit.*$`).FindAllString(metrics, -1))
		}
	}

	// A reload keeps it, and so does another instance: the storage has it. Another host has none.
	if err := caddy.Load(bytes.Replace(config, []byte(`"persist":false`), []byte(`"persist": false`), 1), true); err != nil {
		t.Fatal(err)
	}
	_, metrics = get(t, "http://"+admin+"/metrics", nil)
	if !strings.Contains(metrics, fmt.Sprintf("last_audit_findings{host=%q} 0\n", host)) {
		t.Error("the metrics forget the audit, until the page is asked for")
	}
	if said := testedOn(t, site); !strings.Contains(said, want) {
		t.Errorf("after a reload: %s", said)
	}
	if said := testedOn(t, strings.Replace(site, "localhost", "127.0.0.1", 1)); said != "" {
		t.Errorf("another host: %s", said)
	}

	// A report that was written before is written anew, and published.
	file := filepath.Join(t.TempDir(), "audit.json")
	if err := os.WriteFile(file, []byte(published), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	told.Reset()
	if err := runAudit(terminal.NewPrinter(&out), terminal.NewPrinter(&told), []string{file}, "en", to, options); err != nil || out.String() != published || !strings.HasPrefix(told.String(), "published at ") {
		t.Errorf("%v, %s", err, &told)
	}

	// Of a port on which nothing listens here, what is in front has to lead here; until somebody
	// has asked for the page there, no metric tells of it. An older report does not show.
	elsewhere := "localhost:1"
	for name, test := range map[string]struct{ from, to, want string }{
		"elsewhere": {host, elsewhere, "published at http://" + elsewhere + pagePath + "audit; no server here listens there, so what is in front of this Caddy has to lead from there to it\n"},
		"https":     {"http://" + host, "https://" + host[:len("localhost")], "published at https://localhost" + pagePath + "audit; no server here listens there"},
		"older":     {`"ended": "2`, `"ended": "1`, "kept; a later one, of " + report.Ended.Format(time.RFC3339) + ", shows at " + site + pagePath + "audit\n"},
	} {
		if err := os.WriteFile(file, sealAnew([]byte(strings.ReplaceAll(published, test.from, test.to))), 0o600); err != nil {
			t.Fatal(err)
		}
		told.Reset()
		if err := runAudit(terminal.NewPrinter(io.Discard), terminal.NewPrinter(&told), []string{file}, "en", to, options); err != nil || !strings.HasPrefix(told.String(), test.want) {
			t.Errorf("%s: %v, %s", name, err, &told)
		}
	}
	for _, isAsked := range []bool{false, true} {
		_, metrics = get(t, "http://"+admin+"/metrics", nil)
		if strings.Contains(metrics, fmt.Sprintf("last_audit_findings{host=%q} 0\n", elsewhere)) != isAsked || !strings.Contains(metrics, fmt.Sprintf("last_audit_findings{host=%q} 0\n", host)) {
			t.Errorf("asked %t: %s", isAsked, regexp.MustCompile(`(?m)^.*last_audit.*$`).FindAllString(metrics, -1))
		}
		request, err := http.NewRequest(http.MethodGet, site+pagePath, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = elsewhere
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if err := os.WriteFile(file, []byte(published), 0o600); err != nil {
		t.Fatal(err)
	}
	to.addresses = []string{"localhost:1"}
	if err := runAudit(terminal.NewPrinter(io.Discard), terminal.NewPrinter(io.Discard), []string{file}, "en", to, options); err == nil || !strings.Contains(err.Error(), "not published by localhost:1: ") {
		t.Errorf("%v", err)
	}
}

// The page says what was found only where that is allowed, of which version it was, and
// nothing of what a report says in words.
func TestPublishedFindings(t *testing.T) {
	kept := t.TempDir()
	site := func(purpose, cookie string) string {
		return "http://" + serve(t, false, "cookie_charter {\n cookie a {\n purpose "+purpose+"\n category necessary\n }\n monitor\n page {\n archive "+kept+"\n }\n}\nheader +Set-Cookie "+cookie+"\nrespond portal")
	}
	address := site("first", "b=1")
	report := auditedSite(t, address)
	content := jsonOf(t, report)
	if status, answer := postAudit(t, "", content); status != http.StatusBadRequest || !strings.Contains(answer, "1 cookies, stored items or hosts that violate the charter") {
		t.Errorf("%d, %s", status, answer)
	}
	var told bytes.Buffer
	file := filepath.Join(t.TempDir(), "audit.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runAudit(terminal.NewPrinter(io.Discard), terminal.NewPrinter(&told), []string{file}, "en", delivery{publish: publishClean}, audit.Options{Format: "text"}); !errors.Is(err, errDifferences) || !strings.Contains(told.String(), "not published: the report has 1 cookies, stored items or hosts that violate the charter") {
		t.Errorf("%v, %s", err, &told)
	}
	if said := testedOn(t, address); said != "" {
		t.Errorf("not allowed, and said: %s", said)
	}
	status, answer := postAudit(t, "?"+findingsAllowed, content)
	if status != http.StatusOK || answer != `{"page":"`+address+pagePath+`audit","is_listening":true}`+"\n" {
		t.Fatalf("%d, %s", status, answer)
	}
	said := testedOn(t, address)
	if !strings.Contains(said, ": cookies, stored items and domains found that this policy does not allow: 1. It ran no scripts") || strings.Contains(said, "version") || strings.Contains(said, "DPO") {
		t.Errorf("%s", said)
	}
	if _, shown := get(t, address+pagePath+"audit?flg=en", nil); !strings.Contains(shown, "&lt;b&gt;DPO&lt;/b&gt;") || strings.Contains(shown, "<b>") {
		t.Errorf("%s", shown)
	}
	names, err := filepath.Glob(filepath.Join(kept, "audits", "*-127.0.0.1_*-"+report.Hash[:12]+".json"))
	if err != nil || len(names) != 1 {
		t.Fatal(err, names)
	}
	if written, err := os.ReadFile(names[0]); err != nil || !bytes.Equal(written, content) {
		t.Errorf("%v, kept otherwise", err)
	}
	if entries := entriesIn(t, kept); len(entries) != 1 {
		t.Errorf("versions: %q", entries)
	}

	// What was changed since it was published is told.
	if out, err := verifyAll(t, kept); err != nil || !strings.Contains(out, "published audits: 1\n") {
		t.Errorf("%v, %s", err, out)
	}
	forged := filepath.Join(kept, "audits", "3"+filepath.Base(names[0])[1:]) // and so the last
	if err := os.WriteFile(forged, bytes.Replace(content, []byte("DPO"), []byte("DPA"), 1), 0o600); err != nil || forged == names[0] {
		t.Fatal(err, forged)
	}
	if out, err := verifyAll(t, kept); !errors.Is(err, errDifferences) || !strings.Contains(out, "published audits: 2\nthe audit "+filepath.Base(forged)+" is not what was published: it was changed since it was written") {
		t.Errorf("%v, %s", err, out)
	}

	// Another charter, or another instance: the words say which was tested.
	port := address[strings.LastIndex(address, ":")+1:]
	load(t, strings.ReplaceAll(purposeSite(0, "second", kept), "http://:0", "http://:"+port))
	if said := testedOn(t, address); !strings.Contains(said, "What was tested is version "+report.Version+" of this policy, not the present one.") {
		t.Errorf("%s", said)
	}
	// Neither what is kept of the version nor another host shows it.
	_, exported := get(t, address+pagePath+"?format=json", nil)
	if _, archived := get(t, address+pagePath+"?flg=en&version="+versionOf(exported), nil); strings.Contains(archived, "charter-tested") {
		t.Error("the archive shows an audit")
	}

	// What cannot be kept is told, and what was there shows on.
	if err := os.RemoveAll(filepath.Join(kept, "audits")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kept, "audits"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, answer := postAudit(t, "?"+findingsAllowed, content); status != http.StatusInternalServerError || !strings.Contains(answer, "keeping the audit in the archive: ") {
		t.Errorf("%d, %s", status, answer)
	}
	if said := testedOn(t, address); !strings.Contains(said, report.Version) {
		t.Errorf("%s", said)
	}
}

// The admin endpoint takes reports of sites that are served with an archive, whole and
// unchanged, and nothing else.
func TestRefusedAudits(t *testing.T) {
	kept, other := t.TempDir(), t.TempDir()
	ports := []int{freePort(), freePort(), freePort()}
	charter := func(archive string) string {
		return "cookie_charter {\n cookie a {\n purpose " + filepath.Base(archive) + "\n category necessary\n }\n page {\n archive " + archive + "\n }\n}\n"
	}
	load(t, fmt.Sprintf("http://:%d {\n bind 127.0.0.1\n%s}\nhttp://:%d {\n bind 127.0.0.1\n cookie_charter\n}\nhttp://:%d {\n bind 127.0.0.1\n handle /terms/* {\n%s}\n handle {\n%s}\n}\n",
		ports[0], charter(kept), ports[1], ports[2], charter(kept), charter(other)))
	address := func(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", ports[i]) }
	report := auditedSite(t, address(0))
	content := jsonOf(t, report)
	ofTwo := auditedSite(t, address(2))

	// Whose version it is, publishes it; of no version of theirs, nobody does.
	if status, answer := postAudit(t, "", jsonOf(t, ofTwo)); status != http.StatusOK {
		t.Errorf("of two: %d, %s", status, answer)
	}
	edit := func(from, to string) []byte {
		t.Helper()
		var sealed map[string]json.RawMessage
		changed := bytes.ReplaceAll(content, []byte(from), []byte(to))
		if err := json.Unmarshal(changed, &sealed); err != nil || bytes.Equal(changed, content) {
			t.Fatal(err)
		}
		return sealAnew(changed)
	}
	for name, test := range map[string]struct {
		content []byte
		status  int
		want    string
	}{
		"no report":    {[]byte("{}"), http.StatusBadRequest, "no report of an audit"},
		"nothing":      {nil, http.StatusBadRequest, "no report of an audit"},
		"changed":      {bytes.Replace(content, []byte("test"), []byte("best"), 1), http.StatusBadRequest, "it was changed"},
		"long":         {bytes.Repeat([]byte(" "), audit.MaxPublished+1), http.StatusRequestEntityTooLarge, "up to 524288 bytes"},
		"no archive":   {edit(address(0), address(1)), http.StatusNotFound, "has no archive"},
		"two charters": {edit(address(0), address(2)), http.StatusNotFound, "several charters"},
	} {
		if name == "two charters" {
			test.content = sealAnew(bytes.ReplaceAll(test.content, []byte(report.Version), []byte("000000000000")))
		}
		if status, answer := postAudit(t, "", test.content); status != test.status || !strings.Contains(answer, test.want) {
			t.Errorf("%s: %d, %s", name, status, answer)
		}
	}
	err := takeAudit(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, auditsPath, nil))
	if refused, ok := errors.AsType[caddy.APIError](err); !ok || refused.HTTPStatus != http.StatusMethodNotAllowed {
		t.Errorf("%v", err)
	}
	// Without an archive, nothing is beside the page: the path is the portal's.
	if response, _ := get(t, address(1)+pagePath+"audit", nil); response.StatusCode != http.StatusOK || response.Header.Get("Content-Security-Policy") != "" {
		t.Error(response.Status)
	}
	load(t, "http://a.example:"+fmt.Sprint(ports[0])+" {\n bind 127.0.0.1\n"+charter(kept)+"}\n")
	if status, answer := postAudit(t, "", content); status != http.StatusNotFound || !strings.Contains(answer, "no cookie_charter serves the host") {
		t.Errorf("%d, %s", status, answer)
	}
}

// sealAnew gives a report that was changed the hash of what it is now.
func sealAnew(content []byte) []byte {
	line := regexp.MustCompile(`(?m)^  "hash": "([0-9a-f]{64})",\n`)
	hash := fmt.Sprintf("%x", sha256.Sum256(line.ReplaceAll(content, nil)))
	return line.ReplaceAll(content, []byte(`  "hash": "`+hash+"\",\n"))
}

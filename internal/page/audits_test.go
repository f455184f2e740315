package page

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// madeAudit returns the report of an audit of a site that ended at a time, as it is read.
func madeAudit(t *testing.T, site string, ended time.Time) *audit.Report {
	t.Helper()
	made := &audit.Report{Schema: "audit.schema.json", Site: site, Time: ended, Ended: ended, Version: oneVersion, Pages: []string{site}, Visits: []audit.Visit{{Visit: "first", Pages: []audit.Page{{Address: site, Status: http.StatusOK}, {Address: site + "/missing", Status: http.StatusNotFound, Failure: "there is no such page"}}}}, Findings: []audit.Finding{}}
	unsealed, err := made.JSON()
	if err != nil {
		t.Fatal(err)
	}
	made.Hash = fmt.Sprintf("%x", sha256.Sum256(unsealed))
	content, err := made.JSON()
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.ReadReport(content)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// auditsIn returns the audits of an instance, what has it ask for them, and its log.
func auditsIn(t *testing.T, storage Storage, now func() time.Time) (p *Page, ask func(), log *zapobserver.ObservedLogs) {
	t.Helper()
	a, _, _ := instance(t, storage, oneVersion, now)
	core, log := zapobserver.New(zap.DebugLevel)
	p = &Page{Options: Options{Config: Config{Path: "/charter"}, Logger: zap.New(core)}, archive: a, audits: openAudits(a)}
	return p, func() {
		patience, cancel := context.WithTimeout(context.Background(), ArchivePatience)
		defer cancel()
		p.audits.update(patience, p.Logger)
	}, log
}

// What one instance publishes, others that share the storage show within a minute: the last
// of each host. What is not what was published does not show, and is told.
func TestAuditsAreShared(t *testing.T) {
	folder := t.TempDir()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	one, _, _ := auditsIn(t, fileStorage(folder), clock)
	other, ask, log := auditsIn(t, rooted{fileStorage(folder)}, clock)
	ask()
	publish := func(site string, ended time.Time) *audit.Report {
		t.Helper()
		report := madeAudit(t, site, ended)
		if at, err := one.Publish(t.Context(), report); err != nil || at.Page != strings.TrimSuffix(site, "/")+"/charter/audit" {
			t.Fatal(at, err)
		}
		return report
	}
	const site = "https://data.example.fr"
	first := publish(site, now.Add(-time.Hour))
	publish(site, now.Add(-2*time.Hour)) // older
	publish("https://data.example.fr:8443", now)
	shows := func(p *Page, site string, want *audit.Report) {
		t.Helper()
		last := p.audits.of(site)
		if (last == nil) != (want == nil) || last != nil && last.Hash != want.Hash {
			t.Errorf("%s: shows %v", site, last)
		}
	}
	shows(one, site, first)
	ask()
	shows(other, site, nil)
	now = now.Add(archiveInterval)
	ask()
	shows(other, site, first)
	shows(other, "http://DATA.example.fr:80", first) // as the visitor sees it
	shows(other, "https://data.example.fr:8443/", other.audits.last["data.example.fr_8443"].Report)
	for _, elsewhere := range []string{"https://data.example.fr_8443", "https://example.fr", "https://..", ""} {
		shows(other, elsewhere, nil)
	}

	second := publish(site, now)
	kept := filepath.Join(folder, archivesKey, "shared", auditsKey)
	content, err := first.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, forged := range []string{
		"20260301T130000Z-data.example.fr-" + first.Hash[:12] + ".json",      // of another time
		"20260301T130001Z-data.example.fr-000000000000.json",                 // of another hash
		"20260301T100000Z-elsewhere.example.fr-" + first.Hash[:12] + ".json", // of another host
		"20260301T130000Z-data.example.fr-" + first.Hash[:12] + ".json.new", "x.json",
	} {
		if err := os.WriteFile(filepath.Join(kept, forged), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(archiveInterval)
	ask()
	shows(other, site, second)
	shows(other, "https://elsewhere.example.fr", nil)
	if told := log.FilterMessage("reading the published audits").All(); len(told) != 1 || strings.Count(told[0].ContextMap()["error"].(string), "it is another than its name says") != 3 {
		t.Errorf("told %v", told)
	}

	// A list that comes back empty takes nothing away, and a storage that panics ends nothing.
	for _, before := range []func(context.Context, string) error{func(context.Context, string) error { return errSilent }, func(context.Context, string) error { panic("broken") }} {
		other.audits.storage, now = asked{fileStorage(folder), before}, now.Add(archiveInterval)
		ask()
		shows(other, site, second)
	}
	if last := other.LastAudits(t.Context()); len(last) != 2 {
		t.Errorf("%v", last)
	}
}

// A report whose file is removed is taken back within a minute: the one before shows, or none,
// unless the storage does not say that it is gone.
func TestAuditIsTakenBack(t *testing.T) {
	folder := t.TempDir()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	fails := false
	storage := asked{fileStorage(folder), func(_ context.Context, method string) error {
		switch {
		case fails && method == "List":
			return errSilent
		case fails:
			return errors.New("not reached")
		}
		return nil
	}}
	p, ask, log := auditsIn(t, storage, func() time.Time { return now })
	const site = "https://a.example"
	first, second := madeAudit(t, site, now.Add(-time.Hour)), madeAudit(t, site, now)
	for _, report := range []*audit.Report{first, second} {
		if _, err := p.Publish(t.Context(), report); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(report *audit.Report) {
		t.Helper()
		if err := os.Remove(filepath.Join(folder, archivesKey, "shared", auditsKey, nameOfAudit(report))); err != nil {
			t.Fatal(err)
		}
	}
	shows := func(want *audit.Report) {
		t.Helper()
		now = now.Add(archiveInterval)
		ask()
		if last := p.audits.of(site); (last == nil) != (want == nil) || last != nil && last.Hash != want.Hash {
			t.Errorf("shows %v", last)
		}
	}
	shows(second)
	remove(second)
	fails = true
	shows(second)
	fails = false
	shows(first)
	remove(first)
	shows(nil)
	if log.Len() > 0 || len(p.LastAudits(t.Context())) != 0 {
		t.Errorf("%v", log.All())
	}
}

// Whoever publishes is told of a later report, be it that of another instance.
func TestLaterAudit(t *testing.T) {
	folder := t.TempDir()
	one, _, _ := auditsIn(t, fileStorage(folder), time.Now)
	other, _, _ := auditsIn(t, fileStorage(folder), time.Now)
	later := madeAudit(t, "https://a.example", time.Now())
	if made, err := one.Publish(t.Context(), later); err != nil || !made.Later.IsZero() {
		t.Errorf("%v, %v", made, err)
	}
	if made, err := other.Publish(t.Context(), madeAudit(t, "https://a.example", time.Now().Add(-time.Hour))); err != nil || !made.Later.Equal(later.Ended) {
		t.Errorf("%v, %v", made, err)
	}
}

// What a storage does not take is not published, and what was shows on.
func TestAuditIsNotKept(t *testing.T) {
	folder := t.TempDir()
	mistake := errors.New("the disk is full")
	fails := false
	storage := asked{fileStorage(folder), func(_ context.Context, method string) error {
		if fails && method == "Store" {
			return mistake
		}
		return nil
	}}
	p, _, _ := auditsIn(t, storage, time.Now)
	first := madeAudit(t, "https://a.example", time.Now().Add(-time.Hour))
	if _, err := p.Publish(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	fails = true
	if _, err := p.Publish(t.Context(), madeAudit(t, "https://a.example", time.Now())); !errors.Is(err, mistake) {
		t.Error(err)
	}
	if last := p.audits.of("https://a.example"); last == nil || last.Hash != first.Hash {
		t.Errorf("shows %v", last)
	}
}

// A storage that hangs holds up no page for longer than a second, and no report for longer
// than ten.
func TestAuditsInSlowStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := asked{fileStorage(t.TempDir()), func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		p, ask, log := auditsIn(t, storage, time.Now)
		began := time.Now()
		ask()
		if took := time.Since(began); took != ArchivePatience {
			t.Errorf("took %v", took)
		}
		began = time.Now()
		if _, err := p.Publish(t.Context(), madeAudit(t, "https://a.example", time.Now())); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != archiveTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		synctest.Wait()
		if log.FilterMessage("reading the published audits").Len() != 1 {
			t.Error("nothing is told")
		}
	})
}

// Of many hosts, those that were audited last are remembered.
func TestAuditsOfManyHosts(t *testing.T) {
	folder := t.TempDir()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range maxAudited + 2 {
		report := madeAudit(t, "https://"+strings.Repeat("a", i+1)+".example", now.Add(time.Duration(i)*time.Second))
		content, err := report.JSON()
		if err == nil {
			err = fileStorage(folder).Store(t.Context(), path.Join(archivesKey, "shared", auditsKey, nameOfAudit(report)), content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p, ask, _ := auditsIn(t, fileStorage(folder), func() time.Time { return now.Add(time.Hour) })
	ask()
	if len(p.audits.last) != maxAudited || p.audits.of("https://a.example") != nil || p.audits.of("https://"+strings.Repeat("a", maxAudited+2)+".example") == nil {
		t.Errorf("remembers %d", len(p.audits.last))
	}
}

// The page says no more than was tested.
func TestTested(t *testing.T) {
	all, err := allTexts()
	if err != nil {
		t.Fatal(err)
	}
	text := all[slices.Index(Languages, "en")]
	ended := time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", -3600))
	const begin = "Last tested on 1 March 2026 (pages: 1; visits: 1): "
	const scripts = "It ran no scripts, so it did not see what these set or call."
	const items = "No stored item of the table was found where it was not allowed."
	const clean = begin + "no cookie was found that this policy does not allow."
	for name, test := range map[string]struct {
		change func(report *audit.Report)
		want   []string
	}{
		"cookies":       {func(report *audit.Report) { report.Browser = "x" }, []string{clean}},
		"hosts":         {func(report *audit.Report) { report.Browser, report.HoldsHosts = "x", true }, []string{begin + "no cookie and no domain was found that this policy does not allow."}},
		"no scripts":    {func(*audit.Report) {}, []string{clean, scripts}},
		"found":         {func(report *audit.Report) { report.Findings = make([]audit.Finding, 3) }, []string{begin + "cookies, stored items and domains found that this policy does not allow: 3.", scripts}},
		"incomplete":    {func(report *audit.Report) { report.Incomplete = true }, []string{clean, "Some pages or visits are missing from this test.", scripts}},
		"other version": {func(report *audit.Report) { report.Version = otherVersion }, []string{clean, scripts, "What was tested is version 222222222222 of this policy, not the present one."}},

		"items":                 {func(report *audit.Report) { report.Browser = "x" }, []string{clean, items}},
		"items, no scripts":     {func(*audit.Report) {}, []string{clean, scripts}},
		"items, other version":  {func(report *audit.Report) { report.Browser, report.Version = "x", otherVersion }, []string{clean, "What was tested is version 222222222222 of this policy, not the present one."}},
		"items that were found": {func(report *audit.Report) { report.Browser, report.Findings = "x", make([]audit.Finding, 1) }, []string{begin + "cookies, stored items and domains found that this policy does not allow: 1."}},
		"items, pages missing":  {func(report *audit.Report) { report.Browser, report.Incomplete = "x", true }, []string{clean, items, "Some pages or visits are missing from this test."}},
	} {
		p, _, _ := auditsIn(t, fileStorage(t.TempDir()), time.Now)
		p.Charter = &charter.Charter{Version: oneVersion, Rows: []*charter.Row{{Cookie: charter.Cookie{Name: []string{"a"}}}}}
		if strings.HasPrefix(name, "items") {
			p.Charter.Rows = append(p.Charter.Rows, &charter.Row{Cookie: charter.Cookie{Storage: []string{"b"}}})
		}
		report := madeAudit(t, "https://a.example", ended)
		test.change(report)
		p.audits.remember(&publishedAudit{Report: report})
		told := p.tested(httptest.NewRequest(http.MethodGet, "https://a.example/charter", nil), "charter/", text)
		if told == nil || !slices.Equal(told.Sentences, test.want) || told.Report != "charter/audit?flg=en" || told.JSON != "charter/audit?format=json" {
			t.Errorf("%s: %+v", name, told)
		}
		if told := p.tested(httptest.NewRequest(http.MethodGet, "https://b.example/charter", nil), "", text); told != nil {
			t.Errorf("%s, of another host: %+v", name, told)
		}
	}
}

package page

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/charter"
)

const (
	// auditFile is where the last audit is, beside the page.
	auditFile = "audit"

	// auditsKey is where audits are in an archive.
	auditsKey = "audits"

	// maxAudited is of how many hosts the last audit is remembered, where an archive has
	// those of many.
	maxAudited = 64
)

// audits are the reports of audits that are published. The archive keeps them beside the
// versions of the charter, each under a key that is written once; what shows is the last of
// each host.
type audits struct {
	storage Storage
	prefix  string // of their keys
	now     func() time.Time
	turn    turn

	mutex sync.Mutex                 // not held while the storage is asked
	last  map[string]*publishedAudit // by how keys call its host
	asked map[string]bool            // of which of these hosts the page was asked for
}

// A publishedAudit is one that shows.
type publishedAudit struct {
	*audit.Report
	name string // that it is kept by

	mutex sync.Mutex
	pages map[*texts]auditPage // of the languages that were asked for
}

// An auditPage is a report in a language.
type auditPage struct {
	html   []byte
	policy string // with which it is served
}

// auditName is what reports are kept by: when the audit ended, of which host, and the begin
// of the hash. So the last comes last.
var auditName = regexp.MustCompile(`^(\d{8}T\d{6}Z)-([a-z0-9._-]+)-([0-9a-f]{12})\.json$`)

func nameOfAudit(report *audit.Report) string {
	return fmt.Sprintf("%s-%s-%.12s.json", report.Ended.UTC().Format("20060102T150405Z"), hostInKeys(report.Host()), report.Hash)
}

// hostInKeys returns how keys call a host: some file systems take no colon. Two hosts that
// are called the same are told apart by the reports.
func hostInKeys(host string) string {
	return strings.Map(func(char rune) rune {
		if char >= 'a' && char <= 'z' || char >= '0' && char <= '9' || char == '.' || char == '-' {
			return char
		}
		return '_'
	}, host)
}

// openAudits returns the audits in an archive.
func openAudits(a *archive) *audits {
	return &audits{storage: a.storage, prefix: path.Join(a.prefix, auditsKey), now: a.now, last: map[string]*publishedAudit{}, asked: map[string]bool{}}
}

// update reads which audits are the last, as others publish some, too. If that fails, what
// is known shows on.
func (a *audits) update(patience context.Context, logger *zap.Logger) {
	a.turn.take(patience, a.now(), a.refresh, func(err error) {
		logger.Error("reading the published audits", zap.String("archive", a.prefix), zap.Error(err))
	})
}

// refresh remembers the last report of each host that is what was published, and forgets what
// was taken back.
func (a *audits) refresh(ctx context.Context) error {
	names, err := a.list(ctx)
	if err != nil {
		return err
	}
	a.forget(ctx, names)
	var mistakes []error
	found := map[string]bool{}
	for _, name := range slices.Backward(names) {
		host := auditName.FindStringSubmatch(name)[2]
		if found[host] {
			continue
		}
		if len(found) == maxAudited {
			break
		}
		if !a.isKnown(host, name) {
			published, err := a.load(ctx, name)
			if err != nil {
				mistakes = append(mistakes, err)
				continue
			}
			a.remember(published)
		}
		found[host] = true
	}
	return errors.Join(mistakes...)
}

// forget forgets the reports whose files are gone. That a list lacks them is not enough: some
// storages return an empty one if they cannot be reached.
func (a *audits) forget(ctx context.Context, listed []string) {
	a.mutex.Lock()
	known := slices.Collect(maps.Values(a.last))
	a.mutex.Unlock()
	for _, published := range known {
		if slices.Contains(listed, published.name) {
			continue
		}
		if _, err := a.storage.Load(ctx, path.Join(a.prefix, published.name)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		a.mutex.Lock()
		if host := hostInKeys(published.Host()); a.last[host] == published {
			delete(a.last, host)
			delete(a.asked, host)
		}
		a.mutex.Unlock()
	}
}

// list returns the names of all reports, the last one last.
func (a *audits) list(ctx context.Context) ([]string, error) {
	keys, err := a.storage.List(ctx, a.prefix, true)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, key := range keys {
		if name, ok := strings.CutPrefix(strings.TrimPrefix(key, "/"), a.prefix+"/"); ok && auditName.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// A KeptAudit is a report in an archive.
type KeptAudit struct {
	Name    string // by which it is kept
	Mistake error  // why it is not what was published
}

// ReadAudits returns all published reports of an archive, the last one last.
func ReadAudits(ctx context.Context, name string, storage Storage) ([]KeptAudit, error) {
	archive, err := openArchive(name, "", storage, time.Now)
	if err != nil {
		return nil, err
	}
	a := openAudits(archive)
	names, err := a.list(ctx)
	if err != nil {
		return nil, err
	}
	kept := make([]KeptAudit, 0, len(names))
	for _, name := range names {
		_, err := a.load(ctx, name)
		kept = append(kept, KeptAudit{name, err})
	}
	return kept, nil
}

// load reads a report, which has to be what was published by its name.
func (a *audits) load(ctx context.Context, name string) (*publishedAudit, error) {
	content, err := a.storage.Load(ctx, path.Join(a.prefix, name))
	if err != nil {
		return nil, fmt.Errorf("reading the audit %s: %w", name, err)
	}
	if len(content) > audit.MaxPublished {
		return nil, fmt.Errorf("the audit %s is longer than what is published", name)
	}
	report, err := audit.ReadReport(content)
	if err == nil && nameOfAudit(report) != name {
		err = errors.New("it is another than its name says")
	}
	if err == nil {
		err = report.CheckPublication(true, a.now())
	}
	if err != nil {
		return nil, fmt.Errorf("the audit %s is not what was published: %w", name, err)
	}
	return &publishedAudit{Report: report, name: name, pages: map[*texts]auditPage{}}, nil
}

func (a *audits) isKnown(host, name string) bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	known := a.last[host]
	return known != nil && known.name == name
}

// remember has an audit show, if it is the last of its host, and returns the one that does.
func (a *audits) remember(published *publishedAudit) *publishedAudit {
	host := hostInKeys(published.Host())
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if known := a.last[host]; known == nil || known.name < published.name {
		a.last[host] = published
	}
	return a.last[host]
}

// of returns the last audit of the site at an address, nil if none is published.
func (a *audits) of(address string) *publishedAudit {
	host := audit.HostOf(address)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if known := a.last[hostInKeys(host)]; known != nil && known.Host() == host {
		a.asked[hostInKeys(host)] = true
		return known
	}
	return nil
}

// in returns the report in a language. What was made once is kept, as anybody can ask for it.
func (a *publishedAudit) in(text *texts) (auditPage, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if made, ok := a.pages[text]; ok {
		return made, nil
	}
	html, policy, err := a.HTML(text.words())
	if err == nil {
		a.pages[text] = auditPage{html, policy}
	}
	return auditPage{html, policy}, err
}

// Publishes tells whether the page has a place for audits.
func (p *Page) Publishes() bool { return p.audits != nil }

// A Publication is what became of a report.
type Publication struct {
	Page  string    `json:"page"`           // the address at which the last report of the site shows
	Later time.Time `json:"later,omitzero"` // when that ended, if it is a later one
}

// Publish keeps the report of an audit, which was checked, beside the versions of the
// charter, and has it show, unless a later one does.
func (p *Page) Publish(ctx context.Context, report *audit.Report) (Publication, error) {
	content, err := report.JSON()
	if err != nil {
		return Publication{}, err
	}
	published := &publishedAudit{Report: report, name: nameOfAudit(report), pages: map[*texts]auditPage{}}
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	err = withoutPanic(ctx, func(ctx context.Context) error {
		if err := p.audits.storage.Store(ctx, path.Join(p.audits.prefix, published.name), content); err != nil {
			return err
		}
		_ = p.audits.refresh(ctx) // another instance may have a later one; what is wrong with others is told each minute
		return nil
	})
	if err != nil {
		return Publication{}, fmt.Errorf("keeping the audit in the archive: %w", err)
	}
	made := Publication{Page: report.Origin() + p.Path + "/" + auditFile}
	if shown := p.audits.remember(published); shown.name != published.name {
		made.Later = shown.Ended
	}
	return made, nil
}

// A LastAudit is what metrics tell of the last audit of a host.
type LastAudit struct {
	Host     string
	Origin   string    // with its scheme
	IsAsked  bool      // the page was asked for there
	Time     time.Time // when it ended
	Findings int
}

// LastAudits returns the last audit of each host, as far as patience goes.
func (p *Page) LastAudits(patience context.Context) []LastAudit {
	p.audits.update(patience, p.Logger)
	p.audits.mutex.Lock()
	defer p.audits.mutex.Unlock()
	all := make([]LastAudit, 0, len(p.audits.last))
	for host, last := range p.audits.last {
		all = append(all, LastAudit{last.Host(), last.Origin(), p.audits.asked[host], last.Ended, len(last.Findings)})
	}
	return all
}

// Tested is what the page tells of the last audit of the site.
type Tested struct {
	Sentences    []string
	Report, JSON string // where it is
}

// tested returns what is told to who asks for the page, nil if no audit of this host is
// published.
func (p *Page) tested(r *http.Request, base string, text *texts) *Tested {
	if p.audits == nil {
		return nil
	}
	last := p.audits.of(address(r))
	if last == nil {
		return nil
	}
	words := text.Tested
	result := words.Clean
	switch {
	case len(last.Findings) > 0:
		result = words.Found
	case last.HoldsHosts:
		result = words.CleanHosts
	}
	told := &Tested{Report: base + auditFile + "?flg=" + text.tag.String(), JSON: base + auditFile + "?format=json"}
	told.Sentences = append(told.Sentences, fmt.Sprintf(result, text.date(last.Ended), last.CountPages(), len(last.Visits), len(last.Findings)))
	if len(last.Findings) == 0 && last.Browser != "" && last.Version == p.Charter.Version && p.declaresItems() {
		told.Sentences = append(told.Sentences, words.CleanItems)
	}
	if last.Incomplete {
		told.Sentences = append(told.Sentences, words.Incomplete)
	}
	if last.Browser == "" {
		told.Sentences = append(told.Sentences, words.WithoutScripts)
	}
	if last.Version != p.Charter.Version {
		told.Sentences = append(told.Sentences, fmt.Sprintf(words.OtherVersion, last.Version))
	}
	return told
}

// declaresItems tells whether the charter has stored items, which audits with a browser hold
// against it. Of others they say nothing.
func (p *Page) declaresItems() bool {
	return slices.ContainsFunc(p.Charter.Rows, func(row *charter.Row) bool { return len(row.Storage) > 0 })
}

// showAudit writes the last audit of the site: as a page in the visitor's language, or as it
// was published.
func (p *Page) showAudit(e Exchange) error {
	header := e.Header()
	header.Add("Vary", "Accept, Accept-Language, Cookie")
	patience, cancel := context.WithTimeout(e.Request.Context(), ArchivePatience)
	defer cancel()
	p.audits.update(patience, p.Logger)
	last := p.audits.of(address(e.Request))
	if last == nil {
		return p.refuse(e, http.StatusNotFound, "audit", errors.New("no audit of this site is published"))
	}
	header.Set("X-Robots-Tag", "noindex")
	switch requestedFormat(e.Request) {
	case "":
	case "json":
		content, err := last.JSON()
		if err != nil {
			return caddyhttp.Error(http.StatusInternalServerError, err)
		}
		return p.write(e, "application/json", content)
	default:
		return p.refuse(e, http.StatusBadRequest, "format", errors.New("there is no such format of an audit"))
	}
	text := p.textsFor(e.Request)
	shown, err := last.in(text)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	header.Set("Content-Security-Policy", shown.policy)
	header.Set("Content-Language", text.tag.String())
	header.Set("Referrer-Policy", "same-origin")
	return p.write(e, "text/html; charset=utf-8", shown.html)
}

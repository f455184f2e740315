package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/text/language"

	"github.com/cookie-charter/cookie_charter/internal/chain"
	"github.com/cookie-charter/cookie_charter/internal/charter"
)

const (
	// archivesKey is what the keys of archives in Caddy's storage begin with.
	archivesKey = "cookie_charter"

	// archiveInterval is how often an archive's storage is asked at most.
	archiveInterval = time.Minute

	// archiveTimeout is how long the storage has.
	archiveTimeout = 10 * time.Second

	// maxBefore is how many versions of before are read for a new one, which names those
	// that are the last.
	maxBefore = 32
)

// ArchivePatience is how long a page waits for an archive's storage; then it is served with
// what is known. It is never changed while pages are served.
var ArchivePatience = time.Second

// Storage is what an archive needs of Caddy's storage, a certmagic.Storage.
type Storage interface {
	// Lock waits until nobody else has the lock of a name.
	Lock(ctx context.Context, name string) error

	// Unlock gives the lock of a name back.
	Unlock(ctx context.Context, name string) error

	// List returns the keys below a prefix.
	List(ctx context.Context, prefix string, recursive bool) ([]string, error)

	// Load returns what is stored under a key.
	Load(ctx context.Context, key string) ([]byte, error)

	// Store stores a value under a key.
	Store(ctx context.Context, key string, value []byte) error
}

// An archive keeps every version of the charter that was ever served, with the page's
// words, each under a key that is written once. Several instances can share it.
type archive struct {
	storage Storage
	prefix  string // of its keys; "" if the storage has nothing else
	version string // the one in force
	now     func() time.Time
	turn    turn

	mutex    sync.Mutex // not held while the storage is asked
	isListed bool       // it has answered
	entries  []archiveEntry
}

// A turn is whose it is to ask a storage: one request's at a time, at most once a minute,
// while others go on.
type turn struct {
	mutex    sync.Mutex
	isAsking bool
	next     time.Time // when it is asked again
}

// take asks the storage, if it is time to, and waits for that as long as there is patience.
// What fails is told, and tried again later.
func (t *turn) take(patience context.Context, now time.Time, ask func(ctx context.Context) error, tell func(error)) {
	t.mutex.Lock()
	if t.isAsking || now.Before(t.next) {
		t.mutex.Unlock()
		return
	}
	t.isAsking, t.next = true, now.Add(archiveInterval)
	t.mutex.Unlock()

	done := make(chan struct{})
	// What was served is kept even if the visitor leaves, or the config is replaced.
	asking := context.WithoutCancel(patience)
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(asking, archiveTimeout)
		defer cancel()
		if err := withoutPanic(ctx, ask); err != nil {
			tell(err)
		}
		t.mutex.Lock()
		defer t.mutex.Unlock()
		t.isAsking = false
	}()
	select {
	case <-done:
	case <-patience.Done():
	}
}

// withoutPanic asks a storage. No request is there to end with one that panics, so that is
// an error.
func withoutPanic(ctx context.Context, ask func(ctx context.Context) error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return ask(ctx)
}

// ReadArchive returns all versions of an archive, the first day first, and a function that
// returns what is kept of one.
func ReadArchive(ctx context.Context, name string, storage Storage) ([]chain.Entry, func(version string) ([]byte, error), error) {
	a, err := openArchive(name, "", storage, time.Now)
	if err != nil {
		return nil, nil, err
	}
	if err := a.list(ctx); err != nil {
		return nil, nil, err
	}
	entries, err := a.read(ctx, a.all())
	return entries, func(version string) ([]byte, error) { return a.load(ctx, version) }, err
}

// An exporter returns the version in force as it is kept, from the day when it is first
// served, after others.
type exporter func(served time.Time, previous []chain.Link) ([]byte, error)

// An archiveEntry is a version in the archive, named `<first day>-<version>.json`.
type archiveEntry struct {
	served  time.Time
	version string
}

var (
	entryName = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})-([0-9a-f]{12})\.json$`)

	// Case makes no difference on some file systems, and locks lose other characters.
	archiveName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$`)
)

func (a archiveEntry) file() string {
	return a.served.Format(time.DateOnly) + "-" + a.version + ".json"
}

// isFolder tells whether an archive is a folder, not a name in Caddy's storage.
func isFolder(archive string) bool {
	return filepath.IsAbs(archive) || strings.ContainsAny(archive, `/\`)
}

// CheckArchive returns an error for what is neither a folder nor a name.
func CheckArchive(archive string) error {
	if archive != "" && !isFolder(archive) && !archiveName.MatchString(archive) {
		return fmt.Errorf("%q is no name for an archive; use lower-case letters, digits, \".\", \"-\" and \"_\", or write a folder with a slash, such as /var/lib/caddy/charter", archive)
	}
	return nil
}

// ResolveArchive returns an archive that is named in a file: where a folder begins at
// that of the file, as other paths. A name of what was a folder
// when none needed a slash is an error.
func ResolveArchive(file, archive string) (string, error) {
	found, err := charter.ResolvePath(file, archive)
	if err != nil || isFolder(archive) {
		return found, err
	}
	files, _ := os.ReadDir(found)
	if slices.ContainsFunc(files, func(file os.DirEntry) bool { return entryName.MatchString(file.Name()) }) {
		return "", fmt.Errorf("the folder %s has versions of the charter, but %q is a name in Caddy's storage: write ./%s to go on in the folder, or copy its files to %s/ in the storage, and rename the folder", found, archive, archive, path.Join(archivesKey, archive))
	}
	return archive, nil
}

// openArchive opens a folder, which has to be there, or an archive in a storage, which
// is not asked before a page is served: it may be down when Caddy starts.
func openArchive(name, version string, storage Storage, now func() time.Time) (*archive, error) {
	name, err := ResolveArchive("", name)
	if err != nil {
		return nil, err
	}
	a := &archive{storage: storage, prefix: path.Join(archivesKey, name), version: version, now: now}
	if isFolder(name) {
		a.storage, a.prefix = folder(name), ""
		if _, err := os.ReadDir(name); err != nil {
			return nil, fmt.Errorf("the archive of the charter: %w; make the folder, and let Caddy write there", err)
		}
	}
	return a, nil
}

// update reads what is in the archive, where other instances write, too, and keeps
// the version in force when it is first served. If that fails, the page is served all the
// same.
func (a *archive) update(patience context.Context, export exporter, logger *zap.Logger) {
	now := a.now()
	a.turn.take(patience, now, func(ctx context.Context) error { return a.refresh(ctx, now, export) }, func(err error) {
		logger.Error("keeping the charter in the archive", zap.String("archive", a.String()), zap.Error(err))
	})
}

// refresh reads what is in the archive, and keeps the version in force.
func (a *archive) refresh(ctx context.Context, now time.Time, export exporter) error {
	if err := a.list(ctx); err != nil {
		return err
	}
	if _, isKept := a.find(a.version); isKept {
		return nil
	}
	return a.keep(ctx, archiveEntry{now.UTC(), a.version}, export)
}

// String returns where the archive is.
func (a *archive) String() string {
	if folder, ok := a.storage.(folder); ok {
		return string(folder)
	}
	return a.prefix
}

// list adds what is in the storage. Nothing goes: some storages return an empty list
// if they cannot be reached.
func (a *archive) list(ctx context.Context) error {
	// Some know keys only, and no folders, of which not to list what is deeper.
	keys, err := a.storage.List(ctx, a.prefix, true)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var entries []archiveEntry
	for _, key := range keys {
		file, ok := strings.TrimPrefix(key, "/"), true
		if a.prefix != "" {
			file, ok = strings.CutPrefix(file, a.prefix+"/")
		}
		if name := entryName.FindStringSubmatch(file); ok && name != nil {
			if served, err := time.Parse(time.DateOnly, name[1]); err == nil {
				entries = append(entries, archiveEntry{served, name[2]})
			}
		}
	}
	a.add(entries...)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.isListed = true
	return nil
}

// add adds versions. Where locks have failed, one can have been kept twice: it was
// first served on the earlier day.
func (a *archive) add(entries ...archiveEntry) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.entries = append(a.entries, entries...)
	slices.SortFunc(a.entries, func(a, b archiveEntry) int { return strings.Compare(a.file(), b.file()) })
	known := map[string]bool{}
	a.entries = slices.DeleteFunc(a.entries, func(entry archiveEntry) bool {
		isKnown := known[entry.version]
		known[entry.version] = true
		return isKnown
	})
}

// keep writes an entry, unless another instance did since: only a list tells, as the
// name begins with the day.
func (a *archive) keep(ctx context.Context, entry archiveEntry, export exporter) (err error) {
	if err := a.storage.Lock(ctx, a.prefix); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), archiveTimeout)
		defer cancel()
		err = errors.Join(err, a.storage.Unlock(ctx, a.prefix))
	}()
	if err := a.list(ctx); err != nil {
		return err
	}
	if _, isKept := a.find(entry.version); isKept {
		return nil
	}
	previous, err := a.last(ctx)
	if err != nil {
		return err
	}
	content, err := export(entry.served, previous)
	if err != nil {
		return err
	}
	if err := a.storage.Store(ctx, path.Join(a.prefix, entry.file()), content); err != nil {
		return err
	}
	a.add(entry)
	return nil
}

// last returns links to the last versions that were kept: those that no other names. Two
// instances that have written at once, where nothing locks, have made two of these.
func (a *archive) last(ctx context.Context) ([]chain.Link, error) {
	entries := a.all()
	read, err := a.read(ctx, entries[max(0, len(entries)-maxBefore):])
	return chain.Tips(read), err
}

// all returns all versions, the first day first.
func (a *archive) all() []archiveEntry {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return slices.Clone(a.entries)
}

// read reads versions, but those that have gone since they were listed.
func (a *archive) read(ctx context.Context, entries []archiveEntry) ([]chain.Entry, error) {
	read := make([]chain.Entry, 0, len(entries))
	for _, entry := range entries {
		content, err := a.storage.Load(ctx, path.Join(a.prefix, entry.file()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", entry.file(), err)
		}
		read = append(read, chain.Read(entry.version, entry.served, content))
	}
	return read, nil
}

// find returns the entry of a version.
func (a *archive) find(version string) (archiveEntry, bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	i := slices.IndexFunc(a.entries, func(entry archiveEntry) bool { return entry.version == version })
	if i < 0 {
		return archiveEntry{}, false
	}
	return a.entries[i], true
}

// others returns the versions but the one in force, the latest first.
func (a *archive) others() []archiveEntry {
	others := slices.DeleteFunc(a.all(), func(entry archiveEntry) bool { return entry.version == a.version })
	slices.Reverse(others)
	return others
}

// load returns a version as it was served. Only what is listed is asked for.
func (a *archive) load(ctx context.Context, version string) ([]byte, error) {
	entry, ok := a.find(version)
	if !ok {
		a.mutex.Lock()
		defer a.mutex.Unlock()
		if !a.isListed {
			return nil, errors.New("the archive of the charter cannot be read")
		}
		return nil, fs.ErrNotExist
	}
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	return a.storage.Load(ctx, path.Join(a.prefix, entry.file()))
}

// kept is what an archive keeps beside the charter.
type kept struct {
	Previous []chain.Link   `json:"previous"` // the last versions of before
	Pages    []archivedPage `json:"pages"`
}

// An archivedPage is the page in a language, as it was published.
type archivedPage struct {
	Language string `json:"language"` // a language tag
	HTML     string `json:"html"`
}

// exportVersion returns the version in force as it is kept: the charter, and the page in
// each of its languages. Nothing in it is of the request for which it is kept.
func (p *Page) exportVersion(served time.Time, previous []chain.Link) ([]byte, error) {
	pages := make([]archivedPage, 0, len(p.texts))
	for _, text := range p.texts {
		var html strings.Builder
		if err := p.template.Execute(&html, p.archived(text, served)); err != nil {
			return nil, err
		}
		pages = append(pages, archivedPage{text.tag.String(), strings.TrimSpace(html.String())})
	}
	return p.exportJSON(&kept{previous, pages})
}

// archived returns what the page shows of the version in force once it is kept. A portal
// without a name has none there: visitors can make up an address, and several can share an
// archive.
func (p *Page) archived(text *texts, served time.Time) *Data {
	data := p.fixed("", text)
	data.Archived = fmt.Sprintf(text.Archived, data.Version, text.date(served))
	data.Exports = []Link{{Name: "JSON", Link: versionLink(data.Version, text) + "&format=json"}}
	return data
}

// archivePolicy is for pages that a storage holds, which others can write, too: they post
// nothing.
var archivePolicy = strings.Replace(pagePolicy, "form-action 'self'", "form-action 'none'", 1)

// showVersion writes a version as it was served: the page to who asks for no other format,
// if it was kept, in the visitor's language or else in the first of those that it has.
func (p *Page) showVersion(e Exchange, version string) error {
	content, err := p.archive.load(e.Request.Context(), version)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return p.refuse(e, http.StatusNotFound, "version", errors.New("there is no such version of the charter"))
	case err != nil:
		return p.refuse(e, http.StatusServiceUnavailable, "archive", err)
	}
	header := e.Header()
	header.Set("X-Robots-Tag", "noindex") // so that the version in force is found
	header.Set("Content-Security-Policy", archivePolicy)
	shown := pageIn(content, e.Request)
	if shown.HTML == "" || requestedFormat(e.Request) != "" {
		return p.write(e, "application/json", content)
	}
	if !strings.HasSuffix(e.Request.URL.Path, "/") {
		return redirect(e, p.ownFolder()+"?"+e.Request.URL.Query().Encode()) // where its links lead on from
	}
	header.Set("Content-Language", shown.Language)
	header.Set("Referrer-Policy", "same-origin")
	return p.write(e, "text/html; charset=utf-8", []byte(shown.HTML))
}

// pageIn returns the page of an entry that the visitor reads best, nothing if it has none.
func pageIn(content []byte, r *http.Request) archivedPage {
	var entry struct {
		Pages []archivedPage `json:"pages"`
	}
	if err := json.Unmarshal(content, &entry); err != nil {
		return archivedPage{} // it is shown as it is
	}
	var pages []archivedPage
	var tags []language.Tag
	for _, page := range entry.Pages {
		if tag, err := language.Parse(page.Language); err == nil {
			pages = append(pages, archivedPage{tag.String(), page.HTML})
			tags = append(tags, tag)
		}
	}
	if len(pages) == 0 {
		return archivedPage{}
	}
	return pages[matchLanguage(language.NewMatcher(tags), r)]
}

// A folder is the storage of an archive that has it for itself. It needs no locks.
type folder string

// Lock does nothing.
func (folder) Lock(context.Context, string) error { return nil }

// Unlock does nothing.
func (folder) Unlock(context.Context, string) error { return nil }

// List returns the keys of all files in the folder, or in one inside it.
func (f folder) List(_ context.Context, prefix string, _ bool) ([]string, error) {
	files, err := os.ReadDir(f.path(prefix))
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(files))
	for _, file := range files {
		keys = append(keys, path.Join(prefix, file.Name()))
	}
	return keys, nil
}

// path returns where a key is.
func (f folder) path(key string) string { return filepath.Join(string(f), filepath.FromSlash(key)) }

// Load reads a file.
func (f folder) Load(_ context.Context, key string) ([]byte, error) {
	return os.ReadFile(f.path(key))
}

// Store writes a file that was not there, whole or not at all.
func (f folder) Store(_ context.Context, key string, content []byte) error {
	if inside := path.Dir(key); inside != "." {
		if err := os.Mkdir(f.path(inside), 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	file, err := os.CreateTemp(string(f), ".charter-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	if err := errors.Join(err, file.Chmod(0o444), file.Sync(), file.Close()); err != nil {
		return err
	}
	// Unlike renaming, this never replaces a file.
	if err := os.Link(file.Name(), f.path(key)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

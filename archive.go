package cookiecharter

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// An archive is a folder with every version of the charter that was ever
// served, each in a file that is written once. Several instances can share it.
type archive struct {
	folder  string
	version string // the one in force

	mutex   sync.Mutex
	isKept  bool
	retry   time.Time // after a failure
	entries []archived
}

// archived is a version in the archive, named `<first day>-<version>.json`.
type archived struct {
	served  time.Time
	version string
}

var archivedName = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})-([0-9a-f]{12})\.json$`)

func (a archived) file() string { return a.served.Format(time.DateOnly) + "-" + a.version + ".json" }

func openArchive(folder, version string) (*archive, error) {
	if absolute, err := filepath.Abs(folder); err == nil {
		folder = absolute // for errors
	}
	a := &archive{folder: folder, version: version}
	if err := a.list(); err != nil {
		return nil, fmt.Errorf("the archive of the charter: %w; make the folder, and let Caddy write there", err)
	}
	return a, nil
}

// list reads what is in the folder.
func (a *archive) list() error {
	files, err := os.ReadDir(a.folder)
	if err != nil {
		return err
	}
	a.entries = nil
	for _, file := range files {
		if name := archivedName.FindStringSubmatch(file.Name()); name != nil {
			if served, err := time.Parse(time.DateOnly, name[1]); err == nil {
				a.entries = append(a.entries, archived{served, name[2]})
			}
		}
	}
	return nil
}

// find returns the entry of a version.
func (a *archive) find(version string) (archived, bool) {
	i := slices.IndexFunc(a.entries, func(entry archived) bool { return entry.version == version })
	if i < 0 {
		return archived{}, false
	}
	return a.entries[i], true
}

// keep keeps the version in force, when it is first served. If that fails, the
// page is served all the same; it is told in the log, and tried again later.
func (a *archive) keep(export func() ([]byte, error), logger *zap.Logger) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	now := time.Now()
	if a.isKept || now.Before(a.retry) {
		return
	}
	err := a.list() // another instance may have kept it since
	if _, found := a.find(a.version); err == nil && !found {
		err = a.write(archived{now.UTC(), a.version}, export)
	}
	if a.isKept = err == nil; !a.isKept {
		a.retry = now.Add(time.Minute)
		logger.Error("keeping the charter in the archive", zap.String("folder", a.folder), zap.Error(err))
	}
}

// write writes a file that was not there, whole or not at all.
func (a *archive) write(entry archived, export func() ([]byte, error)) error {
	content, err := export()
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(a.folder, ".charter-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	if err := errors.Join(err, file.Chmod(0o444), file.Sync(), file.Close()); err != nil {
		return err
	}
	// Unlike renaming, this never replaces a file.
	if err := os.Link(file.Name(), filepath.Join(a.folder, entry.file())); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return a.list()
}

// others returns the versions but the one in force, the latest first.
func (a *archive) others() []archived {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	others := slices.DeleteFunc(slices.Clone(a.entries), func(entry archived) bool { return entry.version == a.version })
	slices.SortFunc(others, func(a, b archived) int { return b.served.Compare(a.served) })
	return others
}

// showVersion writes a version as it was served.
func (p *page) showVersion(e exchange, version string) error {
	p.archive.mutex.Lock()
	entry, ok := p.archive.find(version)
	p.archive.mutex.Unlock()
	if !ok {
		return caddyhttp.Error(http.StatusNotFound, errors.New("there is no such version of the charter"))
	}
	content, err := os.ReadFile(filepath.Join(p.archive.folder, entry.file()))
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	return p.write(e, "application/json", content)
}

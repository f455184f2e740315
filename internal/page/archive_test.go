package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-charter/cookie_charter/internal/chain"
)

// What is in a folder is not replaced, not even by an instance that began before.
func TestFolderKeepsOnce(t *testing.T) {
	kept := folder(t.TempDir())
	const name = "2025-02-03-aaaaaaaaaaaa.json"
	for _, content := range []string{"first", "changed"} {
		if err := kept.Store(t.Context(), name, []byte(content)); err != nil {
			t.Error(err)
		}
	}
	content, err := kept.Load(t.Context(), name)
	if names, _ := kept.List(t.Context(), "", true); err != nil || string(content) != "first" || !slices.Equal(names, []string{name}) {
		t.Errorf("%q, %v, in %v", content, err, names)
	}
}

// asked is a storage that calls a function before each call of its own.
type asked struct {
	Storage
	before func(ctx context.Context, method string) error
}

var errSilent = errors.New("told by nobody")

func (s asked) Lock(ctx context.Context, name string) error {
	if err := s.before(ctx, "Lock"); err != nil {
		return err
	}
	return s.Storage.Lock(ctx, name)
}

func (s asked) Unlock(ctx context.Context, name string) error {
	return errors.Join(ctx.Err(), s.Storage.Unlock(ctx, name))
}

func (s asked) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	if err := s.before(ctx, "List"); errors.Is(err, errSilent) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return s.Storage.List(ctx, prefix, recursive)
}

func (s asked) Load(ctx context.Context, key string) ([]byte, error) {
	if err := s.before(ctx, "Load"); err != nil {
		return nil, err
	}
	return s.Storage.Load(ctx, key)
}

func (s asked) Store(ctx context.Context, key string, value []byte) error {
	if err := s.before(ctx, "Store"); err != nil {
		return err
	}
	return s.Storage.Store(ctx, key, value)
}

// instance opens an archive as one of several instances does.
func instance(t *testing.T, storage Storage, version string, now func() time.Time) (a *archive, visit func(), log *zapobserver.ObservedLogs) {
	t.Helper()
	a, err := openArchive("shared", version, storage, now)
	if err != nil {
		t.Fatal(err)
	}
	core, log := zapobserver.New(zap.DebugLevel)
	return a, func() {
		patience, cancel := context.WithTimeout(t.Context(), ArchivePatience)
		defer cancel()
		a.update(patience, func(time.Time, []chain.Link) ([]byte, error) { return []byte("charter " + version), nil }, zap.New(core))
	}, log
}

// fileStorage returns Caddy's own storage, in a folder.
func fileStorage(folder string) Storage {
	files := *caddy.DefaultStorage
	files.Path = folder
	return &files
}

// keysIn returns the names that are kept in a folder of fileStorage.
func keysIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(folder, archivesKey, "shared"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

const (
	oneVersion   = "111111111111"
	otherVersion = "222222222222"
)

// What one instance keeps, another that shares the storage shows within a minute,
// without asking the storage for every page.
func TestArchiveShows(t *testing.T) {
	folder := t.TempDir()
	now := time.Date(2026, 3, 1, 23, 59, 30, 0, time.UTC)
	clock := func() time.Time { return now }
	lists := 0
	counted := asked{fileStorage(folder), func(_ context.Context, method string) error {
		if method == "List" {
			lists++
		}
		return nil
	}}
	one, visitOne, log := instance(t, counted, oneVersion, clock)
	other, visitOther, _ := instance(t, fileStorage(folder), otherVersion, clock)
	visitOne()
	now = now.Add(40 * time.Second) // past midnight
	visitOther()
	if got := other.others(); len(got) != 1 || got[0].file() != "2026-03-01-111111111111.json" {
		t.Errorf("the second shows %v", got)
	}
	for range 100 {
		visitOne()
	}
	if got := one.others(); len(got) != 0 || lists != 2 {
		t.Errorf("shows %v, after %d lists", got, lists)
	}
	if _, err := one.load(t.Context(), otherVersion); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	now = now.Add(20 * time.Second)
	visitOne()
	if got := one.others(); len(got) != 1 || got[0].file() != "2026-03-02-222222222222.json" || lists != 3 {
		t.Errorf("shows %v, after %d lists", got, lists)
	}
	if content, err := one.load(t.Context(), otherVersion); err != nil || string(content) != "charter "+otherVersion {
		t.Errorf("%s, %v", content, err)
	}

	// A list that comes back empty takes nothing away.
	counted.before = func(context.Context, string) error { return errSilent }
	one.storage, now = counted, now.Add(time.Minute)
	visitOne()
	if got := one.others(); len(got) != 1 || log.Len() > 0 {
		t.Errorf("shows %v; %v", got, log.All())
	}
}

// A version is written once, though two instances on either side of midnight find at
// the same time that it is not there.
func TestArchiveWritesOnce(t *testing.T) {
	folder := t.TempDir()
	var both sync.WaitGroup
	both.Add(2)
	var instances sync.WaitGroup
	for day := range 2 {
		lists := 0
		storage := asked{fileStorage(folder), func(_ context.Context, method string) error {
			if method != "List" {
				return nil
			}
			if lists++; lists == 1 {
				defer both.Wait()
				both.Done()
			}
			return nil
		}}
		a, visit, log := instance(t, storage, oneVersion, func() time.Time { return time.Date(2026, 3, 1+day, 0, 0, 0, 0, time.UTC) })
		instances.Go(func() {
			visit()
			for range 100 { // it may wait for the other's lock, which is asked for once a second
				if _, ok := a.find(oneVersion); ok {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			if log.Len() > 0 {
				t.Error(log.All())
			}
		})
	}
	instances.Wait()
	if got := keysIn(t, folder); len(got) != 1 {
		t.Errorf("kept %q", got)
	}

	// If locks failed, the earlier day is the first.
	for _, day := range []string{"2026-02-27", "2026-02-28", "2026-03-03"} {
		if err := fileStorage(folder).Store(t.Context(), path.Join(archivesKey, "shared", day+"-"+oneVersion+".json"), []byte(day)); err != nil {
			t.Fatal(err)
		}
	}
	a, visit, _ := instance(t, fileStorage(folder), otherVersion, time.Now)
	visit()
	if got := a.others(); len(got) != 1 || got[0].file() != "2026-02-27-"+oneVersion+".json" {
		t.Errorf("shows %v", got)
	}
}

// While a storage hangs, one request waits for a second, and others do not; what it
// does not take is told, and tried again after a minute.
func TestArchiveInSlowStorage(t *testing.T) {
	for _, slow := range []string{"List", "Lock", "Store"} {
		synctest.Test(t, func(t *testing.T) {
			folder := t.TempDir()
			hangs := true
			storage := asked{fileStorage(folder), func(ctx context.Context, method string) error {
				if hangs && method == slow {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}}
			a, visit, log := instance(t, storage, oneVersion, time.Now)
			began := time.Now()
			visit()
			if took := time.Since(began); took != ArchivePatience {
				t.Errorf("%s: a page took %s", slow, took)
			}
			began = time.Now()
			visit()
			a.others()
			_, err := a.load(t.Context(), otherVersion)
			if took := time.Since(began); took != 0 {
				t.Errorf("%s: others took %s", slow, took)
			}
			if err == nil || errors.Is(err, fs.ErrNotExist) != (slow != "List") {
				t.Errorf("%s: what is not known is %v", slow, err)
			}
			time.Sleep(archiveTimeout)
			if told := log.FilterMessage("keeping the charter in the archive").All(); len(told) != 1 || told[0].Level != zap.ErrorLevel || told[0].ContextMap()["archive"] != "cookie_charter/shared" || told[0].ContextMap()["error"] != context.DeadlineExceeded.Error() {
				t.Errorf("%s: told %v", slow, told)
			}
			hangs = false
			visit()
			if got := keysIn(t, folder); got != nil {
				t.Errorf("%s: tried again at once: %q", slow, got)
			}
			time.Sleep(archiveInterval)
			visit()
			if got := keysIn(t, folder); len(got) != 1 || log.Len() != 1 {
				t.Errorf("%s: kept %q; %v", slow, got, log.All())
			}
			if locks, err := os.ReadDir(filepath.Join(folder, "locks")); err != nil || len(locks) > 0 {
				t.Errorf("%s: left %v, %v", slow, locks, err)
			}
			time.Sleep(archiveTimeout) // for what has kept the lock fresh
		})
	}
}

// A storage has ten seconds for a version that is asked for.
func TestArchiveLoadsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := asked{fileStorage(t.TempDir()), func(ctx context.Context, method string) error {
			if method == "Load" {
				<-ctx.Done()
			}
			return ctx.Err()
		}}
		a, visit, _ := instance(t, storage, oneVersion, time.Now)
		visit()
		began := time.Now()
		if _, err := a.load(t.Context(), oneVersion); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != archiveTimeout {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		time.Sleep(archiveTimeout) // for what has kept the lock fresh
	})
}

// rooted is a storage whose lists have a slash before each key, as those of some are.
type rooted struct{ Storage }

func (s rooted) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	keys, err := s.Storage.List(ctx, prefix, recursive)
	for i := range keys {
		keys[i] = "/" + keys[i]
	}
	return keys, err
}

// The latest version comes first, in whatever order and form a storage lists them.
func TestArchiveOrder(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"2026-01-02-333333333333", "2026-01-01-ffffffffffff", "2025-12-31-444444444444"} {
		if err := fileStorage(folder).Store(t.Context(), path.Join(archivesKey, "shared", name+".json"), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	a, visit, _ := instance(t, rooted{fileStorage(folder)}, oneVersion, time.Now)
	visit()
	var got []string
	for _, entry := range a.others() {
		got = append(got, entry.version)
	}
	if want := []string{"333333333333", "ffffffffffff", "444444444444"}; !slices.Equal(got, want) {
		t.Errorf("shows %v", got)
	}
}

// A storage that panics ends no process.
func TestArchiveInPanic(t *testing.T) {
	_, visit, log := instance(t, asked{fileStorage(t.TempDir()), func(context.Context, string) error { panic("broken") }}, oneVersion, time.Now)
	visit()
	if entries := log.FilterMessage("keeping the charter in the archive").All(); len(entries) != 1 || !strings.Contains(fmt.Sprint(entries[0].ContextMap()), "panic: broken") {
		t.Errorf("logged %v", entries)
	}
}

// A page that cannot be made is told as what cannot be kept, and nothing is.
func TestArchiveWithoutPage(t *testing.T) {
	folder := t.TempDir()
	a, err := openArchive("shared", oneVersion, fileStorage(folder), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	core, log := zapobserver.New(zap.DebugLevel)
	a.update(t.Context(), func(time.Time, []chain.Link) ([]byte, error) { return nil, errors.New("a broken template") }, zap.New(core))
	if told := log.FilterMessage("keeping the charter in the archive").All(); len(told) != 1 || told[0].ContextMap()["error"] != "a broken template" || keysIn(t, folder) != nil {
		t.Errorf("told %v, kept %q", told, keysIn(t, folder))
	}
}

// keepVersion keeps a version as an instance of its own does that serves it first.
func keepVersion(t *testing.T, name string, storage Storage, version string, day int) {
	t.Helper()
	a, err := openArchive(name, version, storage, func() time.Time { return time.Date(2026, 3, day, 12, 0, 0, 0, time.UTC) })
	if err != nil {
		t.Fatal(err)
	}
	core, log := zapobserver.New(zap.DebugLevel)
	a.update(t.Context(), func(_ time.Time, previous []chain.Link) ([]byte, error) {
		return json.Marshal(map[string]any{"version": version, "previous": previous})
	}, zap.New(core))
	if log.Len() > 0 {
		t.Error(log.All())
	}
}

// judgeArchive returns what is to be said of an archive.
func judgeArchive(t *testing.T, name string, storage Storage) string {
	t.Helper()
	entries, _, err := ReadArchive(t.Context(), name, storage)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, judged := range chain.Judge(entries) {
		words = append(words, judged.Version[:1]+" "+string(judged.Verdict))
	}
	return strings.Join(words, ", ")
}

// Each version that is kept names the last before it, whoever keeps them.
func TestArchiveNamesTheLast(t *testing.T) {
	for _, test := range []struct {
		name    string
		storage Storage
	}{{t.TempDir(), nil}, {"shared", fileStorage(t.TempDir())}} {
		for i, version := range []string{otherVersion, oneVersion, "333333333333"} { // two on one day, not in their order
			keepVersion(t, test.name, test.storage, version, 1+i/2)
		}
		if got, want := judgeArchive(t, test.name, test.storage), "1 unchanged, 2 unchanged, 3 latest"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
}

// Of two instances that keep versions at the same time, one waits for the other's lock, and
// names what that has kept.
func TestArchiveNamesTheLastOfTwo(t *testing.T) {
	storage := fileStorage(t.TempDir())
	var both sync.WaitGroup
	both.Add(2)
	var instances sync.WaitGroup
	for _, version := range []string{oneVersion, otherVersion} {
		lists := 0
		at := asked{storage, func(_ context.Context, method string) error {
			if method != "List" {
				return nil
			}
			if lists++; lists == 1 { // neither is kept
				both.Done()
				both.Wait()
			}
			return nil
		}}
		a, err := openArchive("shared", version, at, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		instances.Go(func() {
			if err := a.refresh(t.Context(), time.Now(), func(_ time.Time, previous []chain.Link) ([]byte, error) {
				return json.Marshal(map[string]any{"version": version, "previous": previous})
			}); err != nil {
				t.Error(err)
			}
		})
	}
	instances.Wait()
	if got := judgeArchive(t, "shared", storage); got != "1 unchanged, 2 latest" && got != "1 latest, 2 unchanged" {
		t.Error(got)
	}
}

// A folder has no locks: two that write at once name the same version, and the next names
// both.
func TestArchiveNamesTwo(t *testing.T) {
	folder := t.TempDir()
	keepVersion(t, folder, nil, oneVersion, 1)
	a, err := openArchive(folder, otherVersion, nil, func() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) })
	if err != nil {
		t.Fatal(err)
	}
	a.update(t.Context(), func(_ time.Time, previous []chain.Link) ([]byte, error) {
		keepVersion(t, folder, nil, "333333333333", 2)
		return json.Marshal(map[string]any{"version": otherVersion, "previous": previous})
	}, zap.NewNop())
	if got, want := judgeArchive(t, folder, nil), "1 unchanged, 2 latest, 3 latest"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	keepVersion(t, folder, nil, "444444444444", 3)
	if got, want := judgeArchive(t, folder, nil), "1 unchanged, 2 unchanged, 3 unchanged, 4 latest"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// A version is not kept without those before it: where they cannot be read, that is tried
// again. One that has gone since it was listed keeps nothing up.
func TestArchiveReadsTheLast(t *testing.T) {
	folder := t.TempDir()
	keepVersion(t, "shared", fileStorage(folder), oneVersion, 1)
	var fault error
	storage := asked{fileStorage(folder), func(_ context.Context, method string) error {
		if method == "Load" {
			return fault
		}
		return nil
	}}
	for _, test := range []struct {
		fault error
		want  int
	}{{errors.New("slow"), 1}, {fs.ErrNotExist, 2}} {
		fault = test.fault
		_, visit, _ := instance(t, storage, otherVersion, time.Now)
		visit()
		if got := keysIn(t, folder); len(got) != test.want {
			t.Errorf("%v: kept %q", fault, got)
		}
	}
}

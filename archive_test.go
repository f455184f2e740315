package cookiecharter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
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

	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// A folder keeps each version once, from when it is first served.
func TestArchiveInFolder(t *testing.T) {
	kept := t.TempDir()
	site := func(purpose string) string {
		return "http://" + serve(t, false, "cookie_charter {\n cookie a {\n purpose "+purpose+"\n category necessary\n }\n page {\n archive "+kept+"\n }\n}\nrespond portal")
	}
	files := func() (names []string) {
		entries, err := os.ReadDir(kept)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}
	address := site("first")
	get(t, address, nil)
	if got := files(); got != nil {
		t.Fatalf("kept %q before it was served", got)
	}
	_, exported := get(t, address+pagePath+"?format=json", nil)
	get(t, address+pagePath, nil)
	first := files()
	if len(first) != 1 || !strings.Contains(first[0], versionOf(exported)) {
		t.Fatalf("kept %q", first)
	}
	path := filepath.Join(kept, first[0])
	content, err := os.ReadFile(path)
	if info, _ := os.Stat(path); err != nil || string(content) != exported || info.Mode().Perm() != 0o444 {
		t.Errorf("kept %s, %v", content, err)
	}
	// As if it was first served long ago: it is not kept anew.
	old := filepath.Join(kept, "2025-02-03-"+versionOf(exported)+".json")
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	_, shown := get(t, site("first")+pagePath, nil)
	if got := files(); len(got) != 1 || strings.Contains(shown, "?version=") {
		t.Errorf("kept %q", got)
	}

	address = site("second")
	_, shown = get(t, address+pagePath+"?flg=en", nil)
	if got := files(); len(got) != 2 {
		t.Errorf("kept %q", got)
	}
	if want := `<a href="?version=` + versionOf(exported) + `">Version ` + versionOf(exported) + `</a> – <time datetime="2025-02-03">3 February 2025</time>`; !strings.Contains(shown, want) {
		t.Errorf("no %s", want)
	}
	if _, got := get(t, address+pagePath+"?version="+versionOf(exported), nil); got != exported {
		t.Errorf("it was served as %s", got)
	}
	for _, version := range []string{"000000000000", "../" + versionOf(exported), "*"} {
		if response, _ := get(t, address+pagePath+"?version="+version, nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", version, response.Status)
		}
	}

	// A folder that is lost does not break the shown.
	address = site("third")
	if err := os.RemoveAll(kept); err != nil {
		t.Fatal(err)
	}
	if response, _ := get(t, address+pagePath, nil); response.StatusCode != http.StatusOK {
		t.Errorf("without the folder: %s", response.Status)
	}
	if err := tryLoad(t, "http://:0 {\n bind 127.0.0.1\n cookie_charter {\n shown {\n archive "+kept+"\n }\n }\n}"); err == nil || !strings.Contains(err.Error(), "make the folder, and let Caddy write there") {
		t.Errorf("without the folder: %v", err)
	}
}

// purposeSite is a site whose charter has one row, of this purpose, and a page with
// this archive.
func purposeSite(port int, purpose, archive string) string {
	return fmt.Sprintf("http://:%d {\n bind 127.0.0.1\n cookie_charter {\n cookie a {\n purpose %s\n category necessary\n }\n page {\n archive %s\n }\n }\n respond portal\n}\n", port, purpose, archive)
}

// In Caddy's storage, each version is kept once, from when it is first served, under
// the archive's name.
func TestArchiveInStorage(t *testing.T) {
	t.Cleanup(func() { os.RemoveAll(filepath.Join(storage(), archivesKey)) })
	ports := []int{freePort(), freePort()}
	one, other := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	kept := filepath.Join(storage(), "cookie_charter", "ys.example")
	files := func() (names []string) {
		entries, err := os.ReadDir(kept)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}
	load(t, purposeSite(ports[0], "first", "ys.example")+purposeSite(ports[1], "elsewhere", "ys"))
	get(t, one, nil)
	if got := files(); got != nil {
		t.Fatalf("kept %q before it was served", got)
	}
	_, exported := get(t, one+pagePath+"?format=json", nil)
	_, elsewhere := get(t, other+pagePath+"?format=json", nil)
	get(t, one+pagePath, nil)
	today := time.Now().UTC()
	if got := files(); len(got) != 1 || got[0] != today.Format(time.DateOnly)+"-"+versionOf(exported)+".json" {
		t.Fatalf("kept %q", got)
	}
	if content, err := os.ReadFile(filepath.Join(kept, files()[0])); err != nil || string(content) != exported {
		t.Errorf("kept %s, %v", content, err)
	}

	// After a restart, it is not kept anew: its first day stays.
	old := "2025-02-03-" + versionOf(exported) + ".json"
	if err := os.Rename(filepath.Join(kept, files()[0]), filepath.Join(kept, old)); err != nil {
		t.Fatal(err)
	}
	ports[0] = freePort() // the former server closes connections, of which one could be used
	one = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	load(t, purposeSite(ports[0], "first", "ys.example"))
	get(t, one+pagePath, nil)
	if got := files(); !slices.Equal(got, []string{old}) {
		t.Errorf("kept %q", got)
	}

	// Nothing is an older version but what is called so, in this archive.
	secret := filepath.Join(storage(), "cookie_charter", "ys.example-more", "2025-01-01-aaaaaaaaaaaa.json")
	forged := []string{
		secret, filepath.Join(storage(), "cookie_charter", "2025-01-01-aaaaaaaaaaaa.json"), filepath.Join(storage(), "secret.json"),
		filepath.Join(kept, "within", "2025-01-01-aaaaaaaaaaaa.json"), filepath.Join(kept, "2025-13-45-aaaaaaaaaaaa.json"),
		filepath.Join(kept, "2025-01-01-AAAAAAAAAAAA.json"), filepath.Join(kept, "2025-01-01-aaaaaaaaaaaa.json.new"), filepath.Join(kept, "x2025-01-01-aaaaaaaaaaaa.json"),
	}
	for _, path := range forged {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ports[0] = freePort()
	one = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	load(t, purposeSite(ports[0], "second", "ys.example"))
	_, page := get(t, one+pagePath+"?flg=en", nil)
	if want := `<a href="?version=` + versionOf(exported) + `">Version ` + versionOf(exported) + `</a> – <time datetime="2025-02-03">3 February 2025</time>`; !strings.Contains(page, want) || strings.Count(page, "?version=") != 1 {
		t.Errorf("no %s, or more", want)
	}
	if _, got := get(t, one+pagePath+"?version="+versionOf(exported), nil); got != exported {
		t.Errorf("it was served as %s", got)
	}
	for _, version := range []string{
		"aaaaaaaaaaaa", "AAAAAAAAAAAA", "000000000000", versionOf(elsewhere), "../ys.example/" + versionOf(exported), "../../secret", "../../secret.json",
		"..%2F..%2Fsecret.json", "/etc/passwd", "*", old, strings.TrimSuffix(old, ".json"), "within/aaaaaaaaaaaa", "../ys.example-more/aaaaaaaaaaaa",
	} {
		if response, body := get(t, one+pagePath+"?version="+version, nil); response.StatusCode != http.StatusNotFound || strings.Contains(body, "secret") {
			t.Errorf("%s: %s %s", version, response.Status, body)
		}
	}
}

// A storage that cannot be written breaks no page.
func TestArchiveInFaultyStorage(t *testing.T) {
	if err := os.MkdirAll(filepath.Join(storage(), "cookie_charter"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(storage(), "cookie_charter", "full"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort()
	load(t, purposeSite(port, "p", "full"))
	if response, page := get(t, fmt.Sprintf("http://127.0.0.1:%d%s", port, pagePath), nil); response.StatusCode != http.StatusOK || !strings.Contains(page, "charter-") {
		t.Error(response.Status)
	}
	told, err := os.ReadFile(filepath.Join(storage(), "log"))
	if err != nil || !strings.Contains(string(told), `keeping the charter in the archive","archive":"cookie_charter/full","error":"`) {
		t.Errorf("%v: the operator is not told", err)
	}
}

func TestArchiveNames(t *testing.T) {
	kept := checks.WriteFiles(t, map[string]string{"2025-02-03-aaaaaaaaaaaa.json": "{}"})
	t.Chdir(filepath.Dir(filepath.Clean(kept)))
	base := filepath.Base(kept)
	for archive, want := range map[string]string{
		"ys": "", "data.ys.example": "", "7": "", "xn--ys-zja.example": "", kept: "", "./" + base: "",
		"Ys": "is no name for an archive", ".": "is no name", "..": "is no name", "-ys": "is no name", "ys.": "is no name", "y s": "is no name", "ys\x00": "is no name", strings.Repeat("y", 65): "is no name",
		base:       fmt.Sprintf("the folder %s has versions of the charter, but %q is a name in Caddy's storage: write ./%s to go on in the folder, or copy its files to cookie_charter/%s/ in the storage", filepath.Clean(kept), base, base, base),
		"../ys/no": "make the folder",
	} {
		// Without a storage, as the sub-command check.
		if err := (&Handler{Page: Page{Archive: archive}}).prepare(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", archive, err)
		}
	}
	for archive, want := range map[string]string{"ys": "ys", base: "", "./" + base: filepath.Clean(kept)} {
		if got, err := archiveBesides(filepath.Join(filepath.Dir(filepath.Clean(kept)), "Caddyfile"), archive); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", archive, got, err)
		}
	}
}

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
	archiveStorage
	before func(ctx context.Context, method string) error
}

var errSilent = errors.New("told by nobody")

func (s asked) Lock(ctx context.Context, name string) error {
	if err := s.before(ctx, "Lock"); err != nil {
		return err
	}
	return s.archiveStorage.Lock(ctx, name)
}

func (s asked) Unlock(ctx context.Context, name string) error {
	return errors.Join(ctx.Err(), s.archiveStorage.Unlock(ctx, name))
}

func (s asked) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	if err := s.before(ctx, "List"); errors.Is(err, errSilent) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return s.archiveStorage.List(ctx, prefix, recursive)
}

func (s asked) Load(ctx context.Context, key string) ([]byte, error) {
	if err := s.before(ctx, "Load"); err != nil {
		return nil, err
	}
	return s.archiveStorage.Load(ctx, key)
}

func (s asked) Store(ctx context.Context, key string, value []byte) error {
	if err := s.before(ctx, "Store"); err != nil {
		return err
	}
	return s.archiveStorage.Store(ctx, key, value)
}

// instance opens an archive as one of several instances does.
func instance(t *testing.T, storage archiveStorage, version string, now func() time.Time) (a *archive, visit func(), log *zapobserver.ObservedLogs) {
	t.Helper()
	a, err := openArchive("shared", version, storage, now)
	if err != nil {
		t.Fatal(err)
	}
	core, log := zapobserver.New(zap.DebugLevel)
	return a, func() {
		a.update(func() ([]byte, error) { return []byte("charter " + version), nil }, zap.New(core))
	}, log
}

// fileStorage returns Caddy's own storage, in a folder.
func fileStorage(folder string) archiveStorage {
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

// rooted is a storage whose lists have a slash before each key, as those of some are.
type rooted struct{ archiveStorage }

func (s rooted) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	keys, err := s.archiveStorage.List(ctx, prefix, recursive)
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
			if took := time.Since(began); took != archivePatience {
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

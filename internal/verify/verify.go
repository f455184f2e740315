// Package verify holds archived versions of a charter against each other, and what is
// published against them.
package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/chain"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

const (
	// timeout is how long an archive has for all of its versions.
	timeout = 5 * time.Minute

	// maxPublished is how long a published version may be, in bytes.
	maxPublished = 8 << 20

	// maxVersions is how many versions of a site are read.
	maxVersions = 1000
)

// An Archive is what is known of an archive.
type Archive struct {
	name    string
	entries []chain.Entry
	audits  []page.KeptAudit
	load    func(version string) ([]byte, error) // what is kept of one
}

// Site follows the versions that a site shows, from the one in force on, each of
// which names the last before it.
func Site(out *terminal.Printer, source string) (findings int, err error) {
	at, shown, err := pageOfSite(source, page.DefaultPath)
	if err != nil {
		return 0, err
	}
	published, err := fetchPublished(at, "")
	if err != nil {
		return 0, fmt.Errorf("reading the charter that is published at %s: %w; name its page, as in https://opendata.example.fr/cookies/", shown, err)
	}
	current := publishedVersion(published)
	if !charter.IsVersion(current) {
		return 0, fmt.Errorf("%s publishes no charter of this module", shown)
	}
	a := Archive{name: shown, load: func(version string) ([]byte, error) { return fetchPublished(at, version) }}
	const noVersion = "000000000000"
	switch _, err := a.load(noVersion); {
	case err == nil:
		return 0, fmt.Errorf("%s shows no archive: it takes no versions", shown)
	case !isNotFound(err):
		return 0, fmt.Errorf("reading the archive of %s: %w", shown, err)
	}
	next, isKnown := []string{current}, map[string]bool{current: true}
	for len(next) > 0 {
		if len(a.entries) == maxVersions {
			return 0, fmt.Errorf("%s has more than %d versions; verify the archive itself", shown, maxVersions)
		}
		version := next[0]
		next = next[1:]
		content, err := a.load(version)
		if isNotFound(err) {
			continue // it is missing
		}
		if err != nil {
			return 0, fmt.Errorf("reading version %s of %s: %w", version, shown, err)
		}
		entry := chain.Read(version, time.Time{}, content)
		a.entries = append(a.entries, entry)
		for _, link := range entry.Previous {
			if !isKnown[link.Version] && charter.IsVersion(link.Version) {
				isKnown[link.Version] = true
				next = append(next, link.Version)
			}
		}
	}
	slices.Reverse(a.entries)
	return a.verify(out, published, shown, false)
}

// isNotFound tells whether a site has no such version.
func isNotFound(err error) bool {
	status, ok := errors.AsType[fetch.StatusError](err)
	return ok && status == http.StatusNotFound
}

// Folder verifies a folder, and holds what a site publishes against it, if one is named.
func Folder(out *terminal.Printer, source, site string) (int, error) {
	folder, err := filepath.Abs(source)
	if err != nil {
		return 0, err
	}
	a, err := Open(folder, nil)
	switch {
	case err != nil:
		return 0, err
	case len(a.entries) == 0:
		return 0, fmt.Errorf("the folder %s has no version of a charter", folder)
	case site != "":
		return a.HoldSite(out, site, page.DefaultPath)
	}
	return a.verify(out, nil, "", false)
}

// Open reads all of an archive.
func Open(name string, storage page.Storage) (Archive, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	entries, load, err := page.ReadArchive(ctx, name, storage)
	if err != nil {
		return Archive{}, fmt.Errorf("the archive %s: %w", name, err)
	}
	audits, err := page.ReadAudits(ctx, name, storage)
	if err != nil {
		return Archive{}, fmt.Errorf("the audits in the archive %s: %w", name, err)
	}
	return Archive{name, entries, audits, load}, nil
}

// pageOfSite returns the address of a charter page, by that of its site or its own, and as
// it can be shown.
func pageOfSite(site, path string) (at *url.URL, shown string, err error) {
	at, err = fetch.ParseSite(site)
	if err != nil || at.Host == "" || !fetch.IsURL(site) {
		return nil, "", fmt.Errorf("unusable address %q; write it as https://opendata.example.fr", site)
	}
	if strings.Trim(at.Path, "/") == "" {
		at.Path, at.RawPath = path, ""
	}
	at.RawQuery = ""
	return at, new(address.Redactor).Show(at.String()), nil
}

// fetchPublished returns what a page gives of a version, "" for the one in force.
func fetchPublished(at *url.URL, version string) ([]byte, error) {
	query := url.Values{"format": {"json"}}
	if version != "" {
		query.Set("version", version)
	}
	source := *at
	source.RawQuery = query.Encode()
	content, isWhole, err := fetch.ReadSource(source.String(), maxPublished)
	if err == nil && !isWhole {
		err = fmt.Errorf("it has more than %d bytes", maxPublished)
	}
	return content, err
}

// HoldSite verifies an archive, and holds what a site publishes against it.
func (a Archive) HoldSite(out *terminal.Printer, site, path string) (int, error) {
	at, shown, err := pageOfSite(site, path)
	if err != nil {
		return 0, err
	}
	published, err := fetchPublished(at, "")
	if err != nil {
		return 0, fmt.Errorf("reading the charter that is published at %s: %w", shown, err)
	}
	return a.verify(out, published, shown, false)
}

// HoldConfig verifies an archive, and holds the charter of a config against it, which may not
// be in force yet.
func (a Archive) HoldConfig(out *terminal.Printer, own []byte, by string) (int, error) {
	return a.verify(out, own, by, true)
}

// verify writes what is to be said of an archive and of what somebody publishes, nil for
// nobody, and returns how much of it is not as it should be. A config may not be in force
// yet.
func (a Archive) verify(out *terminal.Printer, published []byte, by string, isConfig bool) (findings int, err error) {
	fmt.Fprintf(out, "%s: %s\n", a.name, terminal.Count(len(a.entries), "version"))
	judged := chain.Judge(a.entries)
	for i, version := range judged {
		judged[i].Version = terminal.Printable(version.Version, terminal.MaxCell) // whatever is said to be missing
	}
	if len(judged) > 0 {
		table := terminal.Table{Head: []string{"FIRST DAY", "VERSION", "VERDICT", "BY", "SHA-256"}}
		for _, version := range judged {
			day := "-"
			if !version.Served.IsZero() {
				day = version.Served.Format(time.DateOnly)
			}
			hash := "-"
			if version.SHA256 != "" && version.Verdict != chain.Missing {
				hash = version.SHA256[:16]
			}
			table.Add(terminal.Cell{Text: day}, terminal.Cell{Text: version.Version}, terminal.Cell{Text: string(version.Verdict)}, terminal.Cell{Text: cmp.Or(version.By, "-")}, terminal.Cell{Text: hash})
		}
		if err := table.Write(out); err != nil {
			return 0, err
		}
	}
	for _, version := range judged {
		if version.Verdict.IsBroken() {
			findings++
		}
		if meaning := meaningOf(version); meaning != "" {
			fmt.Fprintf(out, "%s: %s\n", version.Version, meaning)
		}
	}
	if len(a.audits) > 0 {
		fmt.Fprintf(out, "published audits: %d\n", len(a.audits))
	}
	for _, audit := range a.audits {
		if audit.Mistake != nil {
			findings++
			fmt.Fprintln(out, terminal.Printable(audit.Mistake.Error(), terminal.MaxSentence))
		}
	}
	if published == nil {
		return findings, nil
	}
	changes, isKept, err := a.compare(published)
	if err != nil {
		return 0, fmt.Errorf("what %s publishes: %w", by, err)
	}
	for _, change := range changes {
		fmt.Fprintf(out, "%s: %s\n", by, terminal.Printable(change, terminal.MaxSentence))
	}
	if isConfig && !isKept {
		return findings, nil
	}
	return findings + len(changes), nil
}

// meaningOf returns what a verdict comes to, "" where it needs no words.
func meaningOf(version chain.Judgement) string {
	switch version.Verdict {
	case chain.Latest:
		return "nothing names it yet, so keep its hash elsewhere, too: SHA-256 " + version.SHA256
	case chain.Unchecked:
		return "it was kept before versions named others, so that nothing tells whether it has changed"
	case chain.Changed:
		return fmt.Sprintf("it has changed since version %s was kept, which has another hash of it", version.By)
	case chain.Missing:
		return fmt.Sprintf("it is not there, though version %s was kept after it", version.By)
	case chain.Unnamed:
		return "no later version names it, so it was not there when these were kept"
	case chain.Unreadable:
		return fmt.Sprintf("it is no version of a charter: %v", version.Mistake)
	case chain.Unchanged:
	}
	return ""
}

// compare returns what of a published charter is not as it is kept, and whether its version
// is.
func (a Archive) compare(published []byte) (changes []string, isKept bool, err error) {
	version := publishedVersion(published)
	if !slices.ContainsFunc(a.entries, func(entry chain.Entry) bool { return entry.Version == version }) {
		return []string{fmt.Sprintf("version %s is not kept; that is done when the page is first asked for", version)}, false, nil
	}
	content, err := a.load(version)
	if err != nil {
		return nil, false, err
	}
	var members [2]map[string]any
	var charters [2]*charter.Charter
	for i, content := range [][]byte{content, published} {
		source, err := charter.Parse(content, "version.json")
		if err == nil {
			charters[i], err = charter.New(source)
		}
		if err == nil {
			err = json.Unmarshal(content, &members[i])
		}
		if err != nil {
			return []string{fmt.Sprintf("what is kept of version %s, or what is published, is no charter: %v", version, err)}, true, nil
		}
		for _, ofFile := range []string{"$schema", "module", "previous", "pages"} { // not of the charter
			delete(members[i], ofFile)
		}
	}
	changes = charter.Diff(charters[0], charters[1])
	for i, change := range changes {
		changes[i] = fmt.Sprintf("version %s is not published as it is kept: %s", version, change)
	}
	names := slices.Concat(slices.Collect(maps.Keys(members[0])), slices.Collect(maps.Keys(members[1])))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if name != "cookies" && !reflect.DeepEqual(members[0][name], members[1][name]) {
			changes = append(changes, fmt.Sprintf("version %s is not published as it is kept: %s is not the same", version, name))
		}
	}
	return changes, true, nil
}

// publishedVersion returns the version of an exported charter, "" if it says none.
func publishedVersion(exported []byte) string {
	var said struct{ Version string }
	if err := json.Unmarshal(exported, &said); err != nil {
		return ""
	}
	return said.Version
}

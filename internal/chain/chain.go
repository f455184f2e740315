// Package chain tells of versions that were kept one after the other whether they are
// still what they were: each names those that were the last before it, with the hashes of
// all that was kept of them.
package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxLinks is how many others a version can name.
const maxLinks = 1000

// A Link names a version that was kept before.
type Link struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"` // of all that was kept of it, in hexadecimal
}

// An Entry is what a chain has to know of a version that is kept.
type Entry struct {
	Link
	Served   time.Time // its first day; zero if that is not known
	Previous []Link    // nil if it was kept before versions named others
	Mistake  error     // why it cannot be what was kept
}

// Read returns what a chain has to know of a version, by what is kept under its name.
func Read(version string, served time.Time, content []byte) Entry {
	sum := sha256.Sum256(content)
	entry := Entry{Link: Link{version, hex.EncodeToString(sum[:])}, Served: served}
	var kept struct {
		Version  string
		Previous []Link
	}
	switch err := json.Unmarshal(content, &kept); {
	case err != nil:
		entry.Mistake = errors.New("it cannot be read")
	case kept.Version != version:
		entry.Mistake = errors.New("it is another version than its name says")
	case len(kept.Previous) > maxLinks:
		entry.Mistake = fmt.Errorf("it names more than %d others", maxLinks)
	default:
		entry.Previous = kept.Previous
	}
	return entry
}

// Tips returns links to those that no other names: one, or several where instances have
// written at once. The next version names them all, never nil.
func Tips(entries []Entry) []Link {
	tips := []Link{}
	for _, entry := range entries {
		if len(namesOf(entry.Version, entries)) == 0 {
			tips = append(tips, entry.Link)
		}
	}
	return tips
}

// A name is how a version names another.
type name struct {
	sha256, by string
}

// namesOf returns how versions name one.
func namesOf(version string, entries []Entry) (names []name) {
	for _, other := range entries {
		for _, link := range other.Previous {
			if link.Version == version {
				names = append(names, name{link.SHA256, other.Version})
			}
		}
	}
	return names
}

// A Verdict is what a chain says of a version.
type Verdict string

// What a chain can say of a version.
const (
	Unchanged  Verdict = "unchanged"  // it is what a later one names
	Latest     Verdict = "latest"     // none is later, so that none names it yet
	Unchecked  Verdict = "unchecked"  // it was kept before versions named others, and none names it
	Changed    Verdict = "changed"    // it is not what a later one names
	Missing    Verdict = "missing"    // a later one names it, and it is not there
	Unnamed    Verdict = "unnamed"    // it was not there when later ones were kept
	Unreadable Verdict = "unreadable" // it is nothing that is kept
)

// IsBroken tells whether a version is not what was kept.
func (v Verdict) IsBroken() bool {
	return v != Unchanged && v != Latest && v != Unchecked
}

// A Judgement is what a chain says of a version, and by which other.
type Judgement struct {
	Entry
	Verdict Verdict
	By      string // the version that names it; "" if none does
}

// Judge returns what a chain says of all versions, in their order, the first day first.
// One that is missing stands before the first that names it.
func Judge(entries []Entry) []Judgement {
	var last, linked time.Time // the last day, and the first of one that names others
	isThere, isLinked := map[string]bool{}, false
	for _, entry := range entries {
		isThere[entry.Version] = true
		if entry.Served.After(last) {
			last = entry.Served
		}
		if entry.Previous != nil && (!isLinked || entry.Served.Before(linked)) {
			linked, isLinked = entry.Served, true
		}
	}
	var judged []Judgement
	for _, entry := range entries {
		for _, link := range entry.Previous {
			if !isThere[link.Version] {
				isThere[link.Version] = true
				judged = append(judged, Judgement{Entry{Link: link}, Missing, entry.Version})
			}
		}
		judgement := Judgement{Entry: entry, Verdict: Unchanged}
		names := namesOf(entry.Version, entries)
		changed := slices.IndexFunc(names, func(name name) bool { return name.sha256 != entry.SHA256 })
		switch {
		case changed >= 0:
			judgement.Verdict, judgement.By = Changed, names[changed].by
		case entry.Mistake != nil:
			judgement.Verdict = Unreadable
		case len(names) > 0:
			judgement.By = names[0].by
		case !entry.Served.Before(last):
			judgement.Verdict = Latest
		case entry.Previous == nil && (!isLinked || !entry.Served.After(linked)):
			judgement.Verdict = Unchecked
		default:
			judgement.Verdict = Unnamed
		}
		judged = append(judged, judgement)
	}
	return judged
}

// Package caching marks answers so that no shared cache replays what is one visitor's
// to another.
package caching

import (
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// The rule for caches: an answer to which a cookie was added, or of which a
// cookie was judged, by the visitor's preference is marked private (RFC 9111,
// section 5.2.2.7), so that no shared cache in front replays it to another
// visitor. One that is itself another after another preference, as other
// directives asked for that, is kept by nobody (section 5.2.2.5): what was granted
// must not come from a browser's own cache after a withdrawal, which Chromium
// asks on the way back whatever it was told of asking again.
// Caches between this module and the portal hold what the portal said, and each
// answer of theirs is filtered anew.

// targeted are the fields that tell some shared caches more than Cache-Control does
// (RFC 9213, and vendors' own).
var targeted = [...]string{
	"CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Vercel-CDN-Cache-Control", "Netlify-CDN-Cache-Control",
	"Akamai-Cache-Control", "Edge-Control", "Surrogate-Control", "X-Accel-Expires", "X-LiteSpeed-Cache-Control",
}

// IsTargeted tells whether a field tells some shared caches more than Cache-Control does.
func IsTargeted(field string) bool {
	for _, name := range targeted { // nearly all differ in their length already
		if ascii.EqualFold(field, name) {
			return true
		}
	}
	return false
}

// A Mark is the line by which an answer tells caches whether they may keep it. Whoever
// answers holds it, so that marking takes no memory of its own. The zero value is ready.
type Mark [1]string

// MakePrivate marks an answer so that no shared cache keeps it: by that first, and
// by what else it says to caches as far as that is plain, and not the contrary.
// Caches differ over the rest, such as quotes that do not end.
func (m *Mark) MakePrivate(header http.Header) { m.keepPrivate(header, "private") }

// MakeAsked marks an answer so that no shared cache keeps it, and that a browser asks
// again before it uses what it has kept (RFC 9111, section 5.2.2.4). Pages to which a
// visitor goes back can come back whole all the same, which "no-store" would forbid them.
func (m *Mark) MakeAsked(header http.Header) { m.keepPrivate(header, "private", "no-cache") }

// MakeUnstored marks an answer so that no cache keeps it.
func (m *Mark) MakeUnstored(header http.Header) {
	DropTargeted(header)
	m.set(header, "private, no-store")
}

// keepPrivate marks an answer by some directives, and keeps what does not contradict them.
func (m *Mark) keepPrivate(header http.Header, marks ...string) {
	DropTargeted(header)
	kept := slices.Clip(marks)
	for directive := range directives(header) {
		if isHarmless(directive) && !slices.Contains(marks, directive) {
			kept = append(kept, directive)
		}
	}
	m.set(header, strings.Join(kept, ", "))
}

func (m *Mark) set(header http.Header, line string) {
	m[0] = line
	header["Cache-Control"] = m[:]
}

// isHarmless tells whether a directive says nothing of shared caches, or forbids
// more.
func isHarmless(directive string) bool {
	name, seconds, hasSeconds := strings.Cut(directive, "=")
	names := []string{"no-store", "no-cache", "no-transform", "must-revalidate", "immutable"}
	if hasSeconds {
		names = []string{"max-age", "stale-while-revalidate", "stale-if-error"}
	}
	isNumber := seconds != "" && strings.Trim(seconds, "0123456789") == ""
	return hasSeconds == isNumber && slices.ContainsFunc(names, func(known string) bool { return ascii.EqualFold(name, known) })
}

// DropTargeted drops the fields for single caches from a header, and leaves one
// Cache-Control, however its name was written.
func DropTargeted(header http.Header) {
	for field, lines := range header {
		switch {
		case IsTargeted(field):
			delete(header, field)
		case field != "Cache-Control" && ascii.EqualFold(field, "Cache-Control"):
			header["Cache-Control"] = slices.Concat(header["Cache-Control"], lines)
			delete(header, field)
		}
	}
}

// IsShared tells whether the portal means a shared cache to keep an answer now:
// then nothing that is one visitor's is added to it.
func IsShared(header http.Header, now time.Time) bool {
	for field, lines := range header {
		if IsTargeted(field) && len(lines) > 0 {
			return true
		}
	}
	if hasDirective(header, "private", "no-store", "no-cache", "max-age=0") {
		return false
	}
	expires, err := http.ParseTime(header.Get("Expires"))
	return hasDirective(header, "public", "max-age=", "s-maxage=") || err == nil && expires.After(now)
}

// hasDirective tells whether Cache-Control has one of some directives, as they are
// given, or with any argument if they end in "=".
func hasDirective(header http.Header, wanted ...string) bool {
	for directive := range directives(header) {
		for _, one := range wanted {
			if ascii.EqualFold(directive, one) || one[len(one)-1] == '=' && ascii.HasPrefixFold(directive, one) {
				return true
			}
		}
	}
	return false
}

// directives yields what stands between the commas of Cache-Control.
func directives(header http.Header) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range header["Cache-Control"] {
			for directive := range strings.SplitSeq(line, ",") {
				if !yield(setcookie.Trim(directive)) {
					return
				}
			}
		}
	}
}

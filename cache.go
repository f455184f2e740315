package cookiecharter

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// The rule for caches: an answer to which a cookie was added, or of which a
// cookie was judged, by the visitor's preference is marked private (RFC 9111,
// section 5.2.2.7), so that no shared cache in front replays it to another
// visitor. Caches between this module and the portal hold what the portal
// said, and each answer of theirs is filtered anew.

// isTargeted tells whether a field tells some shared caches more than
// Cache-Control does (RFC 9213, and vendors' own).
func isTargeted(field string) bool {
	switch field {
	case "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Vercel-Cdn-Cache-Control", "Netlify-Cdn-Cache-Control",
		"Akamai-Cache-Control", "Edge-Control", "Surrogate-Control", "X-Accel-Expires", "X-Litespeed-Cache-Control":
		return true
	}
	return false
}

// dropTargeted drops those fields from the header of an answer.
func dropTargeted(header http.Header) {
	maps.DeleteFunc(header, func(field string, _ []string) bool { return isTargeted(field) })
}

// makePrivate marks an answer without targeted fields so that no shared cache
// keeps it.
func makePrivate(header http.Header) {
	if !hasDirective(header, "private", "no-store") {
		header["Cache-Control"] = []string{strings.Join(append(slices.Clone(header["Cache-Control"]), "private"), ", ")}
	}
}

// isShared tells whether the portal means a shared cache to keep an answer:
// then nothing that is one visitor's is added to it.
func isShared(header http.Header) bool {
	for field, lines := range header {
		if isTargeted(field) && len(lines) > 0 {
			return true
		}
	}
	if hasDirective(header, "private", "no-store", "no-cache", "max-age=0") {
		return false
	}
	expires, err := http.ParseTime(header.Get("Expires"))
	return hasDirective(header, "public", "max-age", "s-maxage") || err == nil && expires.After(time.Now())
}

// hasDirective tells whether Cache-Control has one of some directives, given in
// lower case, with or without an argument.
func hasDirective(header http.Header, directives ...string) bool {
	for _, line := range header["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			directive = ascii.ToLower(strings.Trim(directive, " \t"))
			name, _, _ := strings.Cut(directive, "=")
			// `private="field"` restricts that field only.
			if slices.Contains(directives, directive) || name != "private" && slices.Contains(directives, name) {
				return true
			}
		}
	}
	return false
}

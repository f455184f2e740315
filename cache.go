package cookiecharter

import (
	"net/http"
	"net/textproto"
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

// isTargeted tells whether a field tells some shared caches more than
// Cache-Control does (RFC 9213, and vendors' own).
func isTargeted(field string) bool {
	switch textproto.CanonicalMIMEHeaderKey(field) {
	case "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Vercel-Cdn-Cache-Control", "Netlify-Cdn-Cache-Control",
		"Akamai-Cache-Control", "Edge-Control", "Surrogate-Control", "X-Accel-Expires", "X-Litespeed-Cache-Control":
		return true
	}
	return false
}

// makePrivate marks an answer so that no shared cache keeps it.
func makePrivate(header http.Header) {
	dropTargeted(header)
	if !hasDirective(header, "private", "no-store") {
		// First, as a quote in what follows may not end.
		header["Cache-Control"] = []string{strings.Join(append([]string{"private"}, header["Cache-Control"]...), ", ")}
	}
}

// makeUnstored marks an answer so that no cache keeps it.
func makeUnstored(header http.Header) {
	dropTargeted(header)
	if !hasDirective(header, "no-store") {
		header["Cache-Control"] = []string{"private, no-store"}
	}
}

// dropTargeted drops the fields for single caches from a header, and leaves one
// Cache-Control, however its name was written.
func dropTargeted(header http.Header) {
	for field, lines := range header {
		switch {
		case isTargeted(field):
			delete(header, field)
		case field != "Cache-Control" && ascii.EqualFold(field, "Cache-Control"):
			header["Cache-Control"] = slices.Concat(header["Cache-Control"], lines)
			delete(header, field)
		}
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
	return hasDirective(header, "public", "max-age=", "s-maxage=") || err == nil && expires.After(time.Now())
}

// hasDirective tells whether Cache-Control has one of some directives, as they are
// given, or with any argument if they end in "=". What names fields
// (`private="field"`) restricts these only, and is another directive.
func hasDirective(header http.Header, wanted ...string) bool {
	for says := strings.Join(header["Cache-Control"], ", "); says != ""; {
		var directive string
		directive, says = cutDirective(says)
		for _, one := range wanted {
			if ascii.EqualFold(directive, one) || one[len(one)-1] == '=' && ascii.HasPrefixFold(directive, one) {
				return true
			}
		}
	}
	return false
}

// cutDirective cuts the first of a list of directives off, at a comma that is not
// within quotes (RFC 9110, section 5.6.4).
func cutDirective(says string) (directive, rest string) {
	quoted := false
	for i := 0; i < len(says); i++ {
		switch char := says[i]; {
		case char == '"':
			quoted = !quoted
		case quoted && char == '\\':
			i++
		case !quoted && char == ',':
			return setcookie.Trim(says[:i]), says[i+1:]
		}
	}
	return setcookie.Trim(says), ""
}

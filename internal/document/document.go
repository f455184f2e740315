// Package document says which answers are documents, and what is added to these: by the
// fields of request and answer, and by nothing else.
package document

import (
	"net/http"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A Kind is what a browser may make of an answer.
type Kind uint8

// The kinds.
const (
	None     Kind = iota // what a page uses, which is under the page's own policy, or nothing to show
	Reusable             // likewise, but who keeps it might run it as a worker another time
	Fetched              // likewise, but who keeps it might show it another time, whatever it heeds of Vary
	Framed               // shown by itself, without code that runs in it
	Script               // asked for by what does not say whether it is a worker
	Document             // a page, a frame or a worker: code in it runs under its own policy
)

// A use is what a browser says that it wants an answer for.
type use uint8

const (
	unsaid use = iota // over http, by old browsers, and ahead of time
	part              // of a page
	page
	frame
	worker
)

// uses are those of the destinations that are no parts of pages (Fetch Metadata, section
// 2.1; Fetch, section 2.2.5). Worklets run under the policy of their page.
var uses = map[string]use{
	"document": page,
	"iframe":   frame, "frame": frame, "embed": frame, "object": frame, "fencedframe": frame,
	"worker": worker, "sharedworker": worker, "serviceworker": worker,
}

// useOf returns the use that a request names.
func useOf(r *http.Request) use {
	destination := r.Header.Get("Sec-Fetch-Dest")
	if used := uses[destination]; used != unsaid || destination == "" || isAhead(r) {
		return used
	}
	return part
}

// isAhead tells whether a request is made before its answer is used, for what it may not
// say (Fetch, section 3.9).
func isAhead(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch")
}

// IsAskedFor tells whether a request asks for a page, a frame or a worker. Browsers that
// do not say so ask for pages and frames by their type (HTML, section 7.4.5).
func IsAskedFor(r *http.Request) bool {
	used := useOf(r)
	if used == unsaid {
		return isAhead(r) || strings.Contains(r.Header.Get("Accept"), "text/html")
	}
	return used != part
}

// IsPageAskedFor tells whether a request asks for a page, and for no frame, as far as
// browsers say so.
func IsPageAskedFor(r *http.Request) bool {
	used := useOf(r)
	return used == page || used == unsaid && IsAskedFor(r)
}

// KindOf returns what a browser may make of an answer with a status, 0 for the one that
// nobody has said.
func KindOf(r *http.Request, status int, header http.Header) Kind {
	used := useOf(r)
	switch form := formOf(header); {
	case used == part && form == other, !isShown(r, status, header):
		return None
	case used == part && form == markup:
		return Fetched
	case used == part:
		return Reusable
	case used == worker, form == markup:
		return Document
	case used == unsaid && form == script:
		return Script
	case used == frame, form == script:
		return Framed
	}
	return None
}

// isShown tells whether the body of an answer can be shown.
func isShown(r *http.Request, status int, header http.Header) bool {
	switch status {
	case http.StatusSwitchingProtocols, http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return false
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return !has(header, "Location") // without one, browsers show what there is
	}
	return r.Method != http.MethodConnect // a socket
}

// has tells whether a header has a field, in whatever case handlers have written it.
func has(header http.Header, field string) bool {
	for name, lines := range header {
		if len(lines) > 0 && ascii.EqualFold(name, field) {
			return true
		}
	}
	return false
}

// A form is what the type of an answer makes of its bytes.
type form uint8

const (
	other  form = iota
	markup      // it can hold scripts
	script
)

// formOf returns the form of an answer's type. What has none, or one that browsers cannot
// read or do not trust, they look into (MIME Sniffing, section 7), so that it can be
// markup.
func formOf(header http.Header) form {
	lines := header["Content-Type"]
	if len(lines) != 1 { // of several, browsers take the last that they can read
		return markup
	}
	essence, _, _ := strings.Cut(lines[0], ";")
	essence = ascii.ToLower(setcookie.Trim(essence))
	kind, subtype, _ := strings.Cut(essence, "/")
	switch {
	case !setcookie.IsToken(kind), !setcookie.IsToken(subtype), strings.Contains(lines[0], ","):
		return markup
	case subtype == "html", subtype == "xml", subtype == "xsl", strings.HasSuffix(subtype, "+xml"), strings.HasPrefix(subtype, "xhtml"):
		return markup
	case kind == "multipart", strings.Contains(subtype, "unknown"), essence == "*/*":
		return markup
	case slices.Contains(scriptTypes, subtype):
		return script
	}
	return other
}

// scriptTypes are the subtypes by which browsers know scripts, "text/" or "application/"
// before them (MIME Sniffing, section 4.6), without the versions that nobody writes.
var scriptTypes = []string{"javascript", "x-javascript", "ecmascript", "x-ecmascript", "jscript", "livescript"}

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
	None     Kind = iota // what a page uses: it is under the page's own policy
	Document             // a page, a frame or a worker: code in it runs under its own policy
	Script               // a script, asked for by what does not say whether it is a worker
)

// destinations are those of requests for a document or a worker (Fetch Metadata, section
// 2.1; Fetch, section 2.2.5).
var destinations = []string{"document", "iframe", "frame", "embed", "object", "fencedframe", "worker", "sharedworker", "serviceworker"}

// KindOf returns what a browser may make of an answer with a status.
func KindOf(r *http.Request, status int, header http.Header) Kind {
	if status >= 300 && status <= 399 && status != http.StatusNotModified {
		return None // a redirect's own body is not shown
	}
	destination, prefetches := r.Header.Get("Sec-Fetch-Dest"), strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch")
	switch {
	case destination != "" && !prefetches && !slices.Contains(destinations, destination):
		return None
	case strings.HasSuffix(destination, "worker"):
		return Document
	}
	switch form := formOf(header); {
	case form == markup:
		return Document
	case form == script && destination == "":
		return Script
	}
	return None
}

// Varies tells whether a browser might take out of its cache, for a document, what was
// answered for something else, as for a script that has fetched a page.
func Varies(header http.Header) bool {
	return len(header["Content-Type"]) > 0 && formOf(header) != other
}

// A form is what the type of an answer makes of its bytes.
type form uint8

const (
	other  form = iota
	markup      // it can hold scripts
	script
)

// formOf returns the form of an answer's type. What has no type, or one that browsers do
// not trust, they look into (MIME Sniffing, section 7), so that it can be markup.
func formOf(header http.Header) form {
	lines := header["Content-Type"]
	if len(lines) == 0 {
		return markup
	}
	essence, _, _ := strings.Cut(lines[len(lines)-1], ";") // of several, browsers take the last that they can read
	essence = ascii.ToLower(setcookie.Trim(essence))
	kind, subtype, _ := strings.Cut(essence, "/")
	switch {
	case len(lines) > 1, strings.Contains(lines[0], ","), kind == "", subtype == "":
		return markup
	case subtype == "html", subtype == "xml", subtype == "xsl", strings.HasSuffix(subtype, "+xml"), strings.HasPrefix(subtype, "xhtml"):
		return markup
	case kind == "multipart", essence == "unknown/unknown", essence == "application/unknown", essence == "*/*":
		return markup
	case strings.Contains(subtype, "javascript"), strings.Contains(subtype, "ecmascript"), subtype == "jscript", subtype == "livescript":
		return script
	}
	return other
}

package insertion

import (
	"net/http"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A Form is how the body of a document comes.
type Form uint8

// The forms.
const (
	Closed Form = iota // markup cannot be put into it
	Plain
	Gzip
)

// XHTML is the type of documents that are looked at as XML.
const XHTML = "application/xhtml+xml"

// FormOf returns the form in which a document comes with a status and a header, for which
// markup is to be put in.
func FormOf(status int, header http.Header) Form {
	form, _ := formOf(status, header)
	return form
}

// An Obstacle is why no markup can be put into a document that is shown.
type Obstacle string

// The obstacles.
const (
	Type     Obstacle = "type"     // none can be read, so that it may be HTML
	XML      Obstacle = "xml"      // it is neither HTML nor XHTML with a head
	Encoding Obstacle = "encoding" // compressed in another way than by gzip
	Charset  Obstacle = "charset"  // UTF-16
)

// Obstacles are all that there are.
var Obstacles = []Obstacle{Type, XML, Encoding, Charset}

// ObstacleOf returns why a document that comes so is closed to markup; "" if it is not, or
// if nothing of it is shown.
func ObstacleOf(status int, header http.Header) Obstacle {
	_, obstacle := formOf(status, header)
	return obstacle
}

func formOf(status int, header http.Header) (Form, Obstacle) {
	switch {
	case status < 200, status == http.StatusNoContent, status == http.StatusResetContent, status == http.StatusPartialContent, status == http.StatusNotModified:
		return Closed, ""
	}
	if disposition, _, _ := strings.Cut(header.Get("Content-Disposition"), ";"); ascii.EqualFold(setcookie.Trim(disposition), "attachment") {
		return Closed, "" // it is stored as it is
	}
	// By the words before the first semicolon alone, as browsers read it, whatever follows.
	essence, parameters, _ := strings.Cut(ascii.ToLower(header.Get("Content-Type")), ";")
	essence = setcookie.Trim(essence)
	switch lines := len(header["Content-Type"]); {
	case lines == 0 && len(header["Content-Encoding"]) == 0, strings.HasSuffix(essence, "script"):
		return Closed, "" // nothing was written, or a worker's code
	case lines != 1:
		return Closed, Type
	case essence == XHTML:
	case strings.HasSuffix(essence, "xml"), strings.HasSuffix(essence, "/xsl"), strings.Contains(essence, "/xhtml"):
		return Closed, XML
	case essence != "text/html":
		return Closed, Type
	}
	switch unescaped := strings.ReplaceAll(parameters, `\`, ""); { // as browsers read what is quoted
	case strings.Contains(parameters, ","):
		return Closed, Type
	case slices.ContainsFunc(wideCharsets, func(charset string) bool { return strings.Contains(unescaped, charset) }):
		return Closed, Charset
	}
	switch encoding := ascii.ToLower(setcookie.Trim(strings.Join(header["Content-Encoding"], ","))); encoding {
	case "", "identity":
		return Plain, ""
	case "gzip", "x-gzip":
		return Gzip, ""
	}
	return Closed, Encoding
}

// wideCharsets are parts of all names of UTF-16 (Encoding, section 4.2).
var wideCharsets = []string{"utf-16", "unicode", "ucs-2"}

// PrepareRequest asks the next handlers for a whole document, now, and compressed so that
// markup can be put into it, if at all.
func PrepareRequest(header http.Header) {
	encoding := "identity"
	for _, line := range header["Accept-Encoding"] {
		for coding := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if ascii.EqualFold(setcookie.Trim(name), "gzip") && !isZero(weight) {
				encoding = "gzip"
			}
		}
	}
	header["Accept-Encoding"] = []string{encoding}
	for _, field := range []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since"} {
		delete(header, field)
	}
}

// isZero tells whether a weight says that a coding is not wanted (RFC 9110, section 12.4.2).
func isZero(weight string) bool {
	name, value, _ := strings.Cut(setcookie.Trim(weight), "=")
	return ascii.EqualFold(setcookie.Trim(name), "q") && strings.Trim(setcookie.Trim(value), "0.") == "" && value != ""
}

// PrepareHeader makes the header of a document one with markup in it: what was said of its
// bytes holds no longer, nor can it be asked for by what the portal calls it.
func PrepareHeader(header http.Header) {
	for _, field := range []string{"Content-Length", "Accept-Ranges", "Etag", "Last-Modified", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest"} {
		delete(header, field)
	}
}

package insertion

import (
	"net/http"
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

// FormOf returns the form in which a document comes with a status and a header, for which
// markup is to be put in.
func FormOf(status int, header http.Header) Form {
	switch {
	case status < 200, status == http.StatusNoContent, status == http.StatusResetContent, status == http.StatusPartialContent:
		return Closed
	case status >= 300 && status <= 399:
		return Closed
	}
	if disposition, _, _ := strings.Cut(header.Get("Content-Disposition"), ";"); ascii.EqualFold(setcookie.Trim(disposition), "attachment") {
		return Closed // it is stored as it is
	}
	essence, parameters := ascii.MediaType(header.Get("Content-Type"))
	if essence != "text/html" || len(header["Content-Type"]) != 1 || ascii.HasPrefixFold(parameters["charset"], "utf-16") {
		return Closed
	}
	switch encoding := ascii.ToLower(setcookie.Trim(strings.Join(header["Content-Encoding"], ","))); encoding {
	case "", "identity":
		return Plain
	case "gzip", "x-gzip":
		return Gzip
	}
	return Closed
}

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

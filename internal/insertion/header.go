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

// MayNavigate tells whether a request can be one for a document, by what a browser says of
// it, or else by what it accepts.
func MayNavigate(header http.Header, isNavigation func(destination string) bool) bool {
	if destination := header.Get("Sec-Fetch-Dest"); destination != "" {
		return isNavigation(destination)
	}
	return strings.Contains(header.Get("Accept"), "text/html")
}

// PrepareRequest asks the next handlers for a whole document, compressed so that markup can
// be put into it, if at all. Of the copies that a browser names, those that have this markup
// are asked for as the portal knows them.
func PrepareRequest(header http.Header, tag string) {
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
	for _, field := range []string{"Range", "If-Range", "If-Modified-Since", "If-Unmodified-Since"} {
		delete(header, field)
	}
	var known []string
	for _, line := range header["If-None-Match"] {
		for validator := range strings.SplitSeq(line, ",") {
			if own, isOurs := strings.CutSuffix(setcookie.Trim(validator), tag+`"`); isOurs {
				known = append(known, own+`"`)
			}
		}
	}
	if delete(header, "If-None-Match"); known != nil {
		header["If-None-Match"] = []string{strings.Join(known, ", ")}
	}
}

// isZero tells whether a weight says that a coding is not wanted (RFC 9110, section 12.4.2).
func isZero(weight string) bool {
	name, value, _ := strings.Cut(setcookie.Trim(weight), "=")
	return ascii.EqualFold(setcookie.Trim(name), "q") && strings.Trim(setcookie.Trim(value), "0.") == "" && value != ""
}

// PrepareHeader makes the header of a document one with markup in it: what was said of its
// bytes holds no longer, and a tag tells its validator from that of others.
func PrepareHeader(header http.Header, tag string) {
	for _, field := range []string{"Content-Length", "Accept-Ranges", "Last-Modified", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest"} {
		delete(header, field)
	}
	MarkValidator(header, tag)
}

// MarkValidator tells the validator of a document with markup in it from that of others.
func MarkValidator(header http.Header, tag string) {
	own, isQuoted := strings.CutSuffix(strings.Join(header["Etag"], ", "), `"`)
	if delete(header, "Etag"); isQuoted {
		header["Etag"] = []string{own + tag + `"`}
	}
}

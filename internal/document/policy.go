package document

import (
	"net/http"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// The fields that are added to documents.
const (
	PolicyField     = "Content-Security-Policy"
	ReportOnlyField = "Content-Security-Policy-Report-Only"
	EmbedderField   = "Cross-Origin-Embedder-Policy"

	// OmitsCookies is the embedder policy under which what pages load from other hosts
	// is asked for without cookies (HTML, section 7.4).
	OmitsCookies = "credentialless"
)

// sources is what a policy lets through besides hosts: all that a page can do without
// any, so that it gates hosts and nothing else. It never has a nonce or a hash, which
// would switch 'unsafe-inline' off.
const sources = "default-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' data: blob: mediastream: filesystem:"

// MaxPolicy is the longest policy, in bytes: servers in front refuse a header that
// outgrows their buffers, which hold 4 KiB in nginx, of which removals take 2 at most.
const MaxPolicy = 1536

// Policy returns the policy under which a document reaches this site and some hosts. It
// stands beside others, of which each forbids what it forbids (Content Security Policy
// Level 3, section 8.1).
func Policy(hosts []string) string {
	length := len(sources)
	for _, host := range hosts {
		length += 1 + len(host)
	}
	var policy strings.Builder
	policy.Grow(length)
	policy.WriteString(sources)
	for _, host := range hosts {
		policy.WriteByte(' ')
		policy.WriteString(host)
	}
	return policy.String()
}

// Add adds one more line to a field, and leaves those that are there alone. Answers can
// share lines, so none is added in place.
func Add(header http.Header, field, line string) {
	header[field] = slices.Concat(header[field], []string{line})
}

// AddVary says that an answer differs by where the browser uses it.
func AddVary(header http.Header) {
	const destination = "Sec-Fetch-Dest"
	for _, line := range header["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name == "*" || ascii.EqualFold(name, destination) {
				return
			}
		}
	}
	Add(header, "Vary", destination)
}

package charter

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// SplitLink cuts the link off the end of a text for people: "DPO dpo@example.fr" is the
// words "DPO" with the link "mailto:dpo@example.fr". Without one, the whole text is
// words.
func SplitLink(text string) (words, link string) {
	text = strings.TrimSpace(text)
	last := lastWord(text)
	if link = linkOf(last); link == "" {
		return text, ""
	}
	return strings.TrimSpace(strings.TrimSuffix(text, last)), link
}

// lastWord returns what stands behind the last space, of whatever width.
func lastWord(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// linkOf returns where a word leads, "" if that is nowhere that the page links to.
func linkOf(word string) string {
	parsed, err := url.Parse(word)
	_, host, isMail := strings.Cut(word, "@")
	switch {
	case err != nil:
	case IsLocal(word):
		return word
	case (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Hostname() != "" && parsed.User == nil:
		return word
	case parsed.Scheme == "mailto" && isMail, parsed.Scheme == "tel" && parsed.Opaque != "":
		return word
	case parsed.Scheme == "" && isMail && setcookie.IsHost(ascii.ToLower(host)) && strings.Contains(host, "."):
		return "mailto:" + word
	}
	return ""
}

// IsLocal tells whether a reference is a path from the root of the same site, for
// every browser: these take "\" for "/", and drop control characters, which
// url.Parse refuses.
func IsLocal(reference string) bool {
	_, err := url.Parse(reference)
	return err == nil && strings.HasPrefix(reference, "/") && !strings.HasPrefix(reference, "//") && !strings.Contains(reference, `\`)
}

// checkLink returns an error for a text of which the last word looks like a link, and is
// none that the page can show, and for one without a link, if it needs one.
func checkLink(text string, isNeeded bool) error {
	words, link := SplitLink(text)
	last := lastWord(words)
	switch {
	case link != "":
		return nil
	case strings.Contains(last, "://") || strings.HasPrefix(last, "//") || strings.HasPrefix(last, "javascript:") || strings.HasPrefix(last, "data:"):
		return fmt.Errorf("%q is no link; write https://..., mailto:..., tel:... or a path from the root of this site", last)
	case isNeeded:
		return errors.New("it has no link; write https://... or a path from the root of this site, such as /pages/privacy/")
	}
	return nil
}

// isPage tells whether a link leads to a page of the web or of this site.
func isPage(link string) bool {
	return IsLocal(link) || strings.HasPrefix(link, "https:") || strings.HasPrefix(link, "http:")
}

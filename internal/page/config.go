package page

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// Config says where the charter page is and how it looks.
//
// Colours, fonts and widths are CSS custom properties whose names begin with
// `--charter-`; an extra stylesheet can set them. Its Content-Security-Policy
// lets the page load styles, images and fonts from its own site only, and no
// script.
type Config struct {
	// The path of the page, from the root, served with and without the slash at
	// its end. Default: `/terms/cookies-policy/`.
	Path string `json:"path,omitempty"`

	// The title, one for all languages or one per language. Default: "Cookie
	// policy" in the visitor's language.
	Title charter.Text `json:"title,omitempty"`

	// The path of an image on the same site, shown beside the link to the
	// portal. Default: none.
	Logo string `json:"logo,omitempty"`

	// The look: `neutral`, or `dsfr`, which is close to the design system of the
	// French State. Default: `neutral`.
	Theme string `json:"theme,omitempty"`

	// The path of an extra stylesheet on the same site, which comes last.
	// Default: none.
	Stylesheet string `json:"stylesheet,omitempty"`

	// Files with HTML fragments that are put before and after the page's own
	// content, as they are. A relative path begins at the working directory.
	// Default: none.
	Header string `json:"header,omitempty"`
	Footer string `json:"footer,omitempty"`

	// A file with a template (Go's html/template) that takes the place of the
	// page's own, or, by `define`, of some of its parts; PageData is what it
	// shows. A mistake in it is reported at load. Default: none.
	Template string `json:"template,omitempty"`

	// What keeps every version of the charter that was ever served, as JSON each, with
	// the page in all its languages, written once and never changed; the page lists
	// them. A name, of lower-case
	// letters, digits, `.`, `-` and `_`, keeps them in Caddy's storage, under
	// `cookie_charter/<name>/`; charters have to have names of their own. With a
	// slash, it is a folder, which has to be there and to be writable. What another
	// instance keeps in the same place shows within a minute. Published audits are kept
	// there, too, of which the page shows the last. Default: none is kept.
	Archive string `json:"archive,omitempty"`
}

// Themes are the looks that there are.
var Themes = []string{NeutralTheme, "dsfr"}

// CheckPath returns an error if the page cannot have a path.
func CheckPath(of string) error {
	if trimmed := strings.TrimSuffix(of, "/"); !strings.HasPrefix(trimmed, "/") || path.Clean(trimmed) != trimmed || strings.ContainsAny(trimmed, "?#*{}% \\") || setcookie.HasControls(trimmed) {
		return fmt.Errorf("%q is no path for the page; write one from the root, such as %s", of, DefaultPath)
	}
	return nil
}

// CheckLink returns an error if a link leads to another site.
func CheckLink(link string) error {
	if !charter.IsLocal(link) {
		return fmt.Errorf("%q is not on this site; write a path from the root, such as /static/portal.css", link)
	}
	return nil
}

// CheckText returns an error if a text is in a language that the page does not speak.
func CheckText(text charter.Text) error {
	for _, language := range slices.Sorted(maps.Keys(text)) {
		if language != "" && !slices.Contains(Languages, language) {
			return fmt.Errorf("the page does not speak %q; use one of %s, and put texts of several words in quotes", language, strings.Join(Languages, ", "))
		}
	}
	return nil
}

package answers

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// Config says where the visitor's preference is stored and how it is
// written there.
type Config struct {
	// The stored format: `axeptio`, `borlabs`, `c15t`, `cck` (the European
	// Commission's), `charter` (this module's own), `civic`, `commanders_act`,
	// `complianz`, `cookie_information`, `cookie_notice`, `cookiebot`,
	// `cookieconsent` (orestbida's, version 3), `cookieconsent2`, `cookiesjsr`
	// (Drupal's COOKiES), `cookieyes`, `didomi`, `django_cookie_consent`, `drupal`
	// (EU Cookie Compliance), `govuk`, `iubenda`, `json` (an object from keys to
	// booleans), `klaro`, `matomo`, `moove`, `nhsuk`, `onetrust`, `opendatasoft`,
	// `orejime`, `osano`, `piwik_pro`, `symfony`, `tarteaucitron`, `tcf` (IAB
	// Europe's, version 2; the keys are the purposes' numbers), `wp_consent`. The
	// charter page's form writes `charter`, `opendatasoft` and `json`; what it does
	// not know there is kept. Required.
	Format string `json:"format"`

	// The name of the cookie that holds it, a token (RFC 6265, section 4.1.1).
	// Default: the format's usual one; `iubenda`, `json` and `piwik_pro` have none.
	// That of `charter` is
	// `__Host-charter_preference` on https, where no other host can write it,
	// unless its row has a domain or a path, and else `charter_preference`.
	Cookie string `json:"cookie,omitempty"`

	// The banner's keys for a consent key of the charter, or for a category. Of
	// several, all have to be granted, and one that is refused refuses. Default:
	// the same key. Not for `charter`.
	Keys map[string]charter.Names `json:"keys,omitempty"`

	// The revision of the banner's texts (`cookieconsent`, `cookieconsent2`): an
	// answer to another revision is none. Default: 0.
	Revision int `json:"revision,omitempty"`

	// Where visitors change the choice in the banner itself: a URL with scheme,
	// or a path from the root. Default: none; the page refers to the banner.
	Manage string `json:"manage,omitempty"`

	// The key in the browser's local storage under which the banner keeps the
	// choice, where it keeps none in a cookie. The script `local_storage.js` at
	// the charter page's path, which the portal's pages have to load, copies it
	// to the cookie. Default: none.
	LocalStorage string `json:"local_storage,omitempty"`
}

func (p *Config) validate() error {
	format, ok := Formats[p.Format]
	if !ok {
		return fmt.Errorf("unknown preference format %q; use one of %s", p.Format, strings.Join(slices.Sorted(maps.Keys(Formats)), ", "))
	}
	if p.Cookie != "" && !setcookie.IsToken(p.Cookie) {
		return fmt.Errorf("%q is not a cookie name", p.Cookie)
	}
	if p.Cookie == "" && format.namedAs != "" {
		return fmt.Errorf("the cookie of the preference format %s has a name of each portal's own; name it, as %s", p.Format, format.namedAs)
	}
	if p.Cookie == "" && len(format.Cookies) == 0 {
		return fmt.Errorf("the preference format %s has no usual cookie; name it", p.Format)
	}
	if p.Cookie != "" && format.hasNames {
		return fmt.Errorf("the cookies of the preference format %s have their own names; name none", p.Format)
	}
	if p.Format == CharterFormat && len(p.Keys) > 0 {
		return errors.New("the preference format charter has the charter's own keys; remove key")
	}
	for key, banner := range p.Keys {
		for _, name := range banner {
			if format.write != nil && (name == charter.TimestampKey || name == charter.CharterKey) {
				return fmt.Errorf("the preference format %s keeps something else under %q, the key for %s; use another", p.Format, name, key)
			}
		}
	}
	if p.Revision != 0 && !format.hasRevision {
		return fmt.Errorf("the preference format %s knows no revision; remove it", p.Format)
	}
	if p.LocalStorage != "" && (p.Format == CharterFormat || len(p.Cookies()) != 1 || format.hasNames) {
		return fmt.Errorf("nothing is known to keep the preference format %s in local storage as one item; remove local_storage", p.Format)
	}
	if manage, err := url.Parse(p.Manage); err != nil || p.Manage != "" && manage.Scheme != "http" && manage.Scheme != "https" && !strings.HasPrefix(p.Manage, "/") {
		return fmt.Errorf("unusable link %q; write a URL with https:// or a path from the root", p.Manage)
	}
	return nil
}

// Cookies returns the names, or prefixes that end in "*", of the cookies that
// hold answers.
func (p *Config) Cookies() []string {
	if p.Cookie != "" {
		return []string{p.Cookie}
	}
	return Formats[p.Format].Cookies
}

// IsWritten tells whether the charter page writes it.
func (p *Config) IsWritten() bool {
	return Formats[p.Format].write != nil && p.LocalStorage == ""
}

// keysOf returns the banner's keys for a consent key.
func (p *Config) keysOf(key string) []string {
	if keys, ok := p.Keys[key]; ok {
		return keys
	}
	return []string{key}
}

// Notes returns what is to be known of a format that others write.
func (p *Config) Notes() []string {
	if p.IsWritten() {
		return nil
	}
	notes := []string{fmt.Sprintf("preference %s: only the banner knows what it has asked; where a provider, a purpose or a category changes here, let it ask again", p.Format)}
	if settings := Formats[p.Format].settings; settings != "" {
		notes = append(notes, fmt.Sprintf("preference %s: its cookie does not tell an answer from a default; the banner must store no consent unasked (%s)", p.Format, settings))
	}
	return notes
}

// Validate returns the first mistake in where preferences are stored.
func Validate(preferences []Config) error {
	for i := range preferences {
		preference := &preferences[i]
		if err := preference.validate(); err != nil {
			return err
		}
		for _, earlier := range preferences[:i] {
			for _, name := range preference.Cookies() {
				if holdsAnswers(earlier.Cookies(), name) && (preference.IsWritten() || earlier.IsWritten()) {
					return fmt.Errorf("two preferences, %s and %s, are written into the cookie %q; keep one", earlier.Format, preference.Format, name)
				}
			}
		}
	}
	return nil
}

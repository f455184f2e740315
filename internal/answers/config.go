package answers

import (
	"cmp"
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

	// Where the answers are in the JSON object of another banner (`json`): names with
	// dots between, of which one can be `*`, which stands for every name. Each answer is
	// to the banner's key of that name, or else of the last one. With this, or one of
	// the four after it, the form does not write the cookie. Default: `*`.
	Path string `json:"path,omitempty"`

	// Where that object has a list of the keys that are granted, in place of Path; all
	// others are refused. Default: none.
	List string `json:"list,omitempty"`

	// The words that grant, where the object has other ones at Path, be they texts or
	// numbers. Default: the boolean `true`.
	Granted charter.Names `json:"granted,omitempty"`

	// The words that refuse; what is neither is no answer. Default: the boolean `false`.
	Refused charter.Names `json:"refused,omitempty"`

	// What is only there once an answer was given: paths in that object, without `*`,
	// each with the words that it can be, or with none if any will do but false, 0 and
	// an empty text. Of several, all have to be there. Default: none; the banner stores
	// nothing before.
	Proofs map[string]charter.Names `json:"proofs,omitempty"`

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
		return fmt.Errorf("%q is not a cookie name; write it without spaces, quotes and separators, such as site_consent", p.Cookie)
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
	if err := p.validateLayout(); err != nil {
		return err
	}
	for key, banner := range p.Keys {
		for _, name := range banner {
			if p.IsWritten() && (name == charter.TimestampKey || name == charter.CharterKey) {
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

// hasLayout tells whether it says where answers are in a JSON object.
func (p *Config) hasLayout() bool {
	return p.Path != "" || p.List != "" || len(p.Granted)+len(p.Refused)+len(p.Proofs) > 0
}

// validateLayout returns the first mistake in where answers are in a JSON object.
func (p *Config) validateLayout() error {
	if !p.hasLayout() {
		return nil
	}
	if p.Format != "json" {
		return fmt.Errorf("it is known where the preference format %s has its answers; remove path, list, granted, refused and proof, or use json", p.Format)
	}
	if p.List != "" && (p.Path != "" || len(p.Granted)+len(p.Refused) > 0) {
		return errors.New("a list has what is granted, and no words for it; remove path, granted and refused, or list")
	}
	granted, refused := p.answerWords()
	for _, word := range granted {
		if slices.Contains(refused, word) {
			return fmt.Errorf("%q cannot both grant and refuse; write other words for one of them", word)
		}
	}
	for _, words := range append(slices.Collect(maps.Values(p.Proofs)), granted, refused) {
		if slices.Contains(words, "") {
			return errors.New("nothing is no answer, and no proof of one; remove the empty word")
		}
	}
	for _, path := range slices.Concat([]string{cmp.Or(p.Path, p.List, anyName)}, slices.Sorted(maps.Keys(p.Proofs))) {
		names := strings.Split(path, ".")
		if slices.Contains(names, "") {
			return fmt.Errorf("unusable path %q; write names with dots between", path)
		}
		for _, name := range names {
			if name != anyName && strings.ContainsAny(name, "*[]") || name == "$" {
				return fmt.Errorf("unusable path %q; write names with dots between, from the outermost, and * for the name of a key, as in services.*.status", path)
			}
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name != anyName })
		if _, isProof := p.Proofs[path]; len(names) > 1 || isProof && len(names) > 0 {
			return fmt.Errorf("unusable path %q; * can stand once in a path to answers, and in none to a proof", path)
		}
	}
	return nil
}

// answerWords returns the words that grant and refuse. Those of the configuration can be
// texts or not.
func (p *Config) answerWords() (granted, refused charter.Names) {
	granted, refused = charter.Names{"true"}, charter.Names{"false"}
	if len(p.Granted) > 0 {
		granted = spellings(p.Granted)
	}
	if len(p.Refused) > 0 {
		refused = spellings(p.Refused)
	}
	return granted, refused
}

// layout returns where answers are in a JSON object, nil if it is not said.
func (p *Config) layout() *layout {
	if !p.hasLayout() {
		return nil
	}
	l := &layout{vocabulary: vocabulary{}}
	if p.List != "" {
		l.granted = []string{p.List}
	} else {
		l.words = []string{cmp.Or(p.Path, anyName)}
	}
	granted, refused := p.answerWords()
	for _, word := range granted {
		l.vocabulary[word] = Granted
	}
	for _, word := range refused {
		l.vocabulary[word] = Refused
	}
	for _, path := range slices.Sorted(maps.Keys(p.Proofs)) {
		l.proofs = append(l.proofs, evidence{path, spellings(p.Proofs[path])})
	}
	return l
}

// Cookies returns the names, or prefixes that end in "*", of the cookies that
// hold answers.
func (p *Config) Cookies() charter.Names {
	if p.Cookie != "" {
		return charter.Names{p.Cookie}
	}
	return Formats[p.Format].Cookies
}

// IsWritten tells whether the charter page writes it.
func (p *Config) IsWritten() bool {
	return Formats[p.Format].write != nil && p.LocalStorage == "" && !p.hasLayout()
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
	if p.hasLayout() && len(p.Proofs) == 0 {
		notes = append(notes, fmt.Sprintf("preference %s: without proof, a default counts as an answer; write what is there only once one was given, as in \"proof answered true\", unless the banner stores no consent unasked", p.Format))
	}
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
				if earlier.Cookies().Include(name) && (preference.IsWritten() || earlier.IsWritten()) {
					return fmt.Errorf("two preferences, %s and %s, are written into the cookie %q; keep one", earlier.Format, preference.Format, name)
				}
			}
		}
	}
	return nil
}

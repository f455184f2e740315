// Package charter reads, checks and joins declared cookies: presets, files and rows, into
// one table with a version, fingerprints of what it asks, and an index by name.
package charter

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/language"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// Category is one of the four kinds of cookies that a charter page defines.
type Category string

// The four kinds, in the order in which the page lists them.
const (
	Necessary  Category = "necessary"   // the site cannot work without it; needs no answer
	Statistics Category = "statistics"  // audience measurement
	FirstParty Category = "first_party" // other purposes of the site itself
	ThirdParty Category = "third_party" // purposes of somebody else
)

var Categories = []Category{Necessary, Statistics, FirstParty, ThirdParty}

// Names is a list of cookie names or of patterns. In JSON and in charter files
// it is one string or an array of strings.
type Names []string

// Text is a text for people: one for all languages, or one per language. In
// JSON and in charter files it is a string, or an object from BCP 47 language
// tags to strings, of which the primary subtag counts (`fr-CA` is `fr`). The
// text for all languages stands under the empty key.
type Text map[string]string

// Cookie is one declared row of the charter.
type Cookie struct {
	// The names as people read them, one or more. Required. Where `match` is
	// absent they are also what the filter matches, and each has to be a token
	// (RFC 6265, section 4.1.1) or a prefix that ends in `*`.
	Name Names `json:"name"`

	// What the filter matches, where that is not the name: literal names, or
	// prefixes that end in `*`. Case-sensitive, as in browsers. A literal beats
	// a prefix, and a longer prefix a shorter one. Default: the names.
	Match Names `json:"match,omitempty"`

	// Who sets the cookie. Default: none.
	Provider Text `json:"provider,omitempty"`

	// The service that the cookie belongs to, and where it is set ("front and
	// back office"). Default: none.
	Service Text `json:"service,omitempty"`

	// What the cookie is for. Required in at least one language, for every
	// category: a "necessary" label without a purpose is what regulators
	// punish (CNIL, SAN-2025-010).
	Purpose Text `json:"purpose"`

	// One of `necessary`, `statistics`, `first_party`, `third_party`. Required.
	Category Category `json:"category"`

	// The key of the visitor's answer to this cookie: 1 to 64 letters, digits,
	// `_`, `-` or `.`. Not for necessary cookies. Default: the category.
	Consent string `json:"consent,omitempty"`

	// Whether the cookie is allowed without an answer, though the visitor can
	// oppose it (CNIL, audience measurement exempt from consent, July 2025).
	// That it qualifies is the operator's own judgement. Default: false.
	Exempt bool `json:"exempt,omitempty"`

	// How long the cookie lives: `session`, or a whole number and a unit, in
	// English or French: seconds, minutes, hours, days, weeks, months, years
	// (`30 min`, `13 months`, `2 semaines`). Default: not declared.
	Duration string `json:"duration,omitempty"`

	// Where scripts or the portal set the cookie, if it is known: the domain of
	// its Domain attribute, or the word `registrable` for the registrable domain
	// of the host that a visitor is on (`example.fr` for `data.example.fr`), and
	// the path of its Path attribute. A refused cookie is first removed from
	// there. Default: not known; likely places are tried.
	Domain string `json:"domain,omitempty"`
	Path   string `json:"path,omitempty"`

	// Attributes that are added to the portal's Set-Cookie line if it lacks
	// them (RFC 6265bis, section 4.1.2): Secure (on https only), HttpOnly, and
	// SameSite, which is `Strict`, `Lax` or, beside Secure, `None`. Default: none
	// is added.
	Secure   bool   `json:"secure,omitempty"`
	HTTPOnly bool   `json:"http_only,omitempty"`
	SameSite string `json:"same_site,omitempty"`

	// Whether the cookie is only judged, counted and logged, but not withheld,
	// shortened or removed. Default: false.
	Monitor bool `json:"monitor,omitempty"`
}

// Patterns returns what the filter matches.
func (c *Cookie) Patterns() Names {
	if len(c.Match) > 0 {
		return c.Match
	}
	return c.Name
}

// consentKey returns the key of the answer that decides about the cookie, ""
// for one that needs none.
func (c *Cookie) consentKey() string {
	if c.Category == Necessary {
		return ""
	}
	if c.Consent != "" {
		return c.Consent
	}
	return string(c.Category)
}

// Validate returns the first mistake in the row and the field that has it.
func (c *Cookie) Validate() (field string, err error) {
	if len(c.Name) == 0 || slices.Contains(c.Name, "") {
		return "name", errors.New("a cookie has an empty name; give it one, such as sessionid")
	}
	for _, name := range c.Name {
		if err := checkVisible(name); err != nil {
			return "name", err
		}
	}
	field, fix := "name", "keep it if people read it so, and say in \"match\" what the filter matches"
	if len(c.Match) > 0 {
		field, fix = "match", "browsers differ over other names, so none of them can be let through"
	}
	for i, pattern := range c.Patterns() {
		if err := ValidatePattern(pattern, fix); err != nil {
			return field, err
		}
		if slices.Contains(c.Patterns()[:i], pattern) {
			return field, fmt.Errorf("%q stands there twice; remove one", pattern)
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(c.Purpose)), func(text string) bool { return strings.TrimSpace(text) != "" }) {
		return "purpose", errors.New(`missing purpose; say in "purpose" what the cookie is for`)
	}
	if c.Category == "" {
		return "category", fmt.Errorf("missing category; use one of %v", Categories)
	}
	for _, field := range Fields {
		if word, isWord := field.Of(c).(*string); isWord && *word != "" && field.Values != nil && !slices.Contains(field.Values, *word) {
			return field.Name, fmt.Errorf("unknown %s %q; %s", field.Name, *word, field.fix)
		}
	}
	if c.Category == Necessary && c.Consent != "" {
		return "consent", errors.New("a necessary cookie needs no answer; remove its consent key or choose another category")
	}
	if c.Category == Necessary && c.Exempt {
		return "exempt", errors.New("a necessary cookie needs no answer; remove exempt or choose another category")
	}
	if c.Consent != "" && !IsConsentKey(c.Consent) {
		return "consent", fmt.Errorf("unusable consent key %q; use 1 to 64 letters, digits, '_', '-' or '.', and not %q or %q", c.Consent, TimestampKey, CharterKey)
	}
	if c.Duration != "" {
		if _, err := ParseDuration(c.Duration); err != nil {
			return "duration", err
		}
	}
	if c.Domain != "" && c.Domain != RegistrableDomain {
		_, notAddress := netip.ParseAddr(c.Domain)
		if _, err := publicsuffix.EffectiveTLDPlusOne(c.Domain); err != nil || notAddress == nil || !setcookie.IsHost(c.Domain) {
			return "domain", fmt.Errorf("unusable domain %q; write a host in lower case that is no public suffix, such as example.fr, or %s", c.Domain, RegistrableDomain)
		}
	}
	for _, pattern := range c.Patterns() {
		if ascii.HasPrefixFold(pattern, "__Host-") && (c.Domain != "" || c.Path != "" && c.Path != "/") {
			return "domain", fmt.Errorf("%q can have no domain, and no path but /; remove them", pattern)
		}
	}
	if c.Path != "" && !setcookie.IsPath(c.Path) {
		return "path", fmt.Errorf("unusable path %q; write one from the root, such as /", c.Path)
	}
	if c.SameSite == "None" && !c.Secure {
		return "same_site", errors.New("browsers refuse SameSite=None without Secure; add secure")
	}
	return "", nil
}

// Doubts returns what browsers or the page do otherwise than the operator's own rows
// say: durations that are too long, or, where they are only declared, not so, and
// texts in languages that the page does not speak.
func (c *Charter) Doubts(enforces bool, languages []string) []string {
	var tooLong, unread []string
	for _, row := range c.ownRows {
		name := strings.Join(row.Name, " ")
		declared, err := ParseDuration(row.Duration)
		isOver := err == nil && declared.Seconds() > row.maxDuration().Seconds()
		switch {
		case isOver && enforces:
			reason := "browsers keep no cookie longer"
			if row.Exempt {
				reason = "an exempt row lives no longer"
			}
			tooLong = append(tooLong, fmt.Sprintf("cookie %q: of the duration %q, %s are enforced and published, as %s; declare that, at %s", name, row.Duration, row.maxDuration(), reason, row.Place("duration")))
		case isOver && declared.Seconds() > MaxLifetime.Seconds():
			tooLong = append(tooLong, fmt.Sprintf("cookie %q: the duration %q is published, but is not so, as browsers keep no cookie longer than %s; declare that, at %s", name, row.Duration, MaxLifetime, row.Place("duration")))
		}
		for _, field := range TextFields {
			text := *Fields.Find(field).Of(&row.Cookie).(*Text)
			for _, language := range slices.Sorted(maps.Keys(text)) {
				if language != "" && !slices.Contains(languages, language) {
					unread = append(unread, fmt.Sprintf("cookie %q: the page does not speak %q, the language of its %s; use one of %s, at %s", name, language, field, strings.Join(languages, ", "), row.Place(field+" "+language)))
				}
			}
		}
	}
	return slices.Concat(tooLong, unread)
}

// Gaps returns what people would miss in the operator's own rows.
func (c *Charter) Gaps() []string {
	var gaps []string
	for _, row := range c.ownRows {
		for _, field := range []struct{ name, value string }{{"provider", row.Provider.In("")}, {"duration", row.Duration}} {
			if field.value == "" {
				gaps = append(gaps, fmt.Sprintf("cookie %q has no %s; visitors are to be told, at %s", strings.Join(row.Name, " "), field.name, row.Place("")))
			}
		}
	}
	return gaps
}

// DomainOn returns the domain that a row declares, as it is on a host; "" if it is
// host-only there, or not known.
func (c *Cookie) DomainOn(host string) string {
	if c.Domain == RegistrableDomain {
		return setcookie.Registrable(host)
	}
	return c.Domain
}

func ValidatePattern(pattern, fix string) error {
	name, _ := strings.CutSuffix(pattern, "*")
	switch {
	case pattern == "*":
		return errors.New(`"*" alone would declare every cookie; write a longer prefix, such as _pk_id.*`)
	case strings.Contains(name, "*"):
		return fmt.Errorf(`%q has a "*" that is not its last character; only a prefix can be matched, such as _pk_id.*`, pattern)
	case !setcookie.IsToken(name):
		return fmt.Errorf("%q is not a cookie name, which is of letters, digits and !#$%%&'+-.^_`|~; %s", pattern, fix)
	}
	return nil
}

const (
	// TimestampKey holds when the answer was given, in Unix milliseconds, where
	// answers are a JSON object.
	TimestampKey = "timestamp"

	// CharterKey holds there what the page asked when it wrote the object.
	CharterKey = "charter"

	// RegistrableDomain stands in a row for the registrable domain of the host
	// that a visitor is on: many trackers write there.
	RegistrableDomain = "registrable"
)

// IsConsentKey tells whether a text can be a consent key.
func IsConsentKey(key string) bool {
	return len(key) >= 1 && len(key) <= 64 && key != TimestampKey && key != CharterKey && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") == ""
}

// In returns the text for a language: its own, else the one for all
// languages, else that of the fallbacks in their order, else any.
func (t Text) In(language string, fallbacks ...string) string {
	text, _ := t.Find(language, fallbacks...)
	return text
}

// Find is in, and returns the language of the text, too.
func (t Text) Find(language string, fallbacks ...string) (text, found string) {
	keys := slices.Concat([]string{language, ""}, fallbacks, slices.Sorted(maps.Keys(t)))
	for _, key := range keys {
		if t[key] != "" {
			return t[key], key
		}
	}
	return "", ""
}

// With returns the text with one more language, or with its text for all
// languages if tag is empty.
func (t Text) With(tag, text string) (Text, error) {
	if t == nil {
		t = Text{}
	}
	if err := checkVisible(text); err != nil {
		return t, err
	}
	if tag == "" {
		if _, ok := t[""]; ok {
			return t, errors.New("two texts without a language; keep one, or say their languages")
		}
		t[""] = text
		return t, nil
	}
	parsed, err := language.Parse(tag)
	if err != nil {
		return t, fmt.Errorf("unknown language %q; use a tag such as fr or en, and put texts of several words in quotes", tag)
	}
	base, _ := parsed.Base()
	if _, ok := t[base.String()]; ok {
		return t, fmt.Errorf("two texts in the language %q; keep one", base)
	}
	t[base.String()] = text
	return t, nil
}

// checkVisible returns an error if a text has characters that people do not see, but
// that change what they see: control characters other than spaces and line breaks,
// and those that turn the direction of what follows (Unicode, annex 9). The marks
// U+061C, U+200E and U+200F, which Arabic texts need, turn nothing by themselves.
func checkVisible(text string) error {
	for _, char := range text {
		turns := char >= '\u202a' && char <= '\u202e' || char >= '\u2066' && char <= '\u2069'
		if turns || unicode.IsControl(char) && !strings.ContainsRune("\t\n\r", char) {
			return fmt.Errorf("the text has the character %U, which people do not see; remove it", char)
		}
	}
	return nil
}

// MarshalJSON writes a plain string where there is one text for all languages.
func (t Text) MarshalJSON() ([]byte, error) {
	if text, ok := t[""]; ok && len(t) == 1 {
		return json.Marshal(text)
	}
	return json.Marshal(map[string]string(t))
}

// UnmarshalJSON reads a string or an object from language tags to strings.
func (t *Text) UnmarshalJSON(data []byte) (err error) {
	if string(data) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		*t, err = t.With("", text)
		return err
	}
	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		return errors.New("a text is a string or an object from languages to strings")
	}
	for tag, text := range texts {
		if *t, err = t.With(tag, text); err != nil {
			return err
		}
	}
	return nil
}

// MarshalJSON writes a plain string where there is one name.
func (n Names) MarshalJSON() ([]byte, error) {
	if len(n) == 1 {
		return json.Marshal(n[0])
	}
	return json.Marshal([]string(n))
}

// UnmarshalJSON reads a string or an array of strings.
func (n *Names) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var name string
	if json.Unmarshal(data, &name) == nil {
		*n = Names{name}
		return nil
	}
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return errors.New("names are a string or an array of strings")
	}
	*n = names
	return nil
}

// A Charter is the declared table of cookies: published by the page and
// enforced by the filter. It never changes once built.
type Charter struct {
	Rows    []*Row
	Updated time.Time // the latest of the sources, zero if none says
	Version string    // a hash over all that is declared

	// By consent key, a hash over what the visitor is asked: who wants to do
	// what.
	Fingerprints map[string]string

	ownRows []*Row // those of the operator's own

	names nameTree
}

// New joins the sources, in their order, into one table.
func New(sources ...Source) (*Charter, error) {
	c := new(Charter)
	type claim struct {
		*Row
		preset bool
	}
	claims := map[string]claim{} // by every name and pattern
	for _, source := range sources {
		if source.Updated.After(c.Updated) {
			c.Updated = source.Updated
		}
		for i := range source.Rows {
			added := claim{&source.Rows[i], source.isPreset}
			if field, err := added.Validate(); err != nil {
				return nil, fmt.Errorf("cookie %q: %w, at %s", strings.Join(added.Name, " "), err, added.Place(field))
			}
			for _, name := range slices.Concat(added.Name, added.Match) {
				earlier, taken := claims[name]
				switch {
				case !taken || earlier.Row == added.Row:
				case earlier.preset:
					maps.DeleteFunc(claims, func(_ string, other claim) bool { return other.Row == earlier.Row })
					c.Rows = slices.DeleteFunc(c.Rows, func(row *Row) bool { return row == earlier.Row })
				default:
					return nil, fmt.Errorf("cookie %q is declared twice; remove one of the two, at %s and %s", name, earlier.Place(""), added.Place(""))
				}
				claims[name] = added
			}
			c.Rows = append(c.Rows, added.Row)
		}
	}
	for _, source := range sources {
		if source.isPreset {
			continue
		}
		for i := range source.Rows {
			c.ownRows = append(c.ownRows, &source.Rows[i])
		}
	}
	for number, row := range c.Rows {
		row.Number, row.Limit, row.Key = number, row.maxDuration(), row.consentKey()
		for _, pattern := range row.Patterns() {
			if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
				c.names.at(prefix).prefix = row
			} else {
				c.names.at(pattern).literal = row
			}
		}
	}
	return c, nil
}

// Find returns the row that declares a name, nil if none does.
func (c *Charter) Find(name string) *Row { return c.names.find(name) }

// Sign computes the version and the fingerprints, the latter over the texts in
// one language: a translation asks for nothing new.
func (c *Charter) Sign(language string) error {
	rows := make([]Cookie, 0, len(c.Rows))
	for _, row := range c.Rows {
		cookie := row.Cookie
		if cookie.Duration != "" {
			cookie.Duration = strconv.Itoa(row.Limit.Seconds()) // whatever unit it is written in
		}
		rows = append(rows, cookie)
	}
	slices.SortFunc(rows, func(a, b Cookie) int { return slices.Compare(a.Name, b.Name) })
	declared, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	c.Version = Hash(declared, 6)
	c.Fingerprints = map[string]string{}
	for _, key := range c.ConsentKeys() {
		var questions []string
		for _, cookie := range c.Rows {
			if cookie.Key == key {
				questions = append(questions, fmt.Sprintf("%q", []string{cookie.Provider.In(language, "en"), cookie.Purpose.In(language, "en"), string(cookie.Category)}))
			}
		}
		slices.Sort(questions)
		c.Fingerprints[key] = Hash([]byte(strings.Join(slices.Compact(questions), "\n")), 4)
	}
	return nil
}

// Hash returns the first bytes of the SHA-256 hash of data, in hexadecimal.
func Hash(data []byte, length int) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:length])
}

// UseOneOf returns the fix for a consent key that there is not.
func UseOneOf(keys []string) string {
	if len(keys) == 0 {
		return "no row needs an answer, so there is none to use"
	}
	return fmt.Sprintf("use one of %v", keys)
}

// ConsentKeys returns the keys that a visitor can answer, in the order of the
// table.
func (c *Charter) ConsentKeys() []string {
	var keys []string
	for _, cookie := range c.Rows {
		if key := cookie.Key; key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

package charter

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/language"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// Category is one of the four kinds of cookies that a charter page defines.
type Category string

// The four kinds.
const (
	Necessary  Category = "necessary"   // the site cannot work without it; needs no answer
	Statistics Category = "statistics"  // audience measurement
	FirstParty Category = "first_party" // other purposes of the site itself
	ThirdParty Category = "third_party" // purposes of somebody else
)

// Categories are the four kinds, in the order in which the page lists them.
var Categories = []Category{Necessary, Statistics, FirstParty, ThirdParty}

// Cookie is one declared row of the charter: of cookies, or of hosts, scripts or stored
// items without any.
type Cookie struct {
	// The names as people read them, one or more. Required, but in a row that has
	// hosts, scripts or stored items. Where `match` is absent they are also what the filter
	// matches, and each has to be a token (RFC 6265, section 4.1.1) or a prefix that
	// ends in `*`.
	Name Names `json:"name,omitempty"`

	// What the filter matches, where that is not the name: literal names, or
	// prefixes that end in `*`. Case-sensitive, as in browsers. A literal beats
	// a prefix, and a longer prefix a shorter one. Default: the names.
	Match Names `json:"match,omitempty"`

	// The hosts that pages of the portal load the service from or send to: names, or
	// `*.` and a name for all of its subdomains, with a scheme, a port or a path if
	// need be (Content Security Policy Level 3, section 2.3.1). The option `hosts`
	// lets pages reach them where the row is allowed. A row without names that says
	// nothing but hosts, scripts or stored items, and a consent key, adds them to the
	// first row of that key. Default: none.
	Host Names `json:"host,omitempty"`

	// The paths under which the portal itself serves the service's code, or
	// beginnings of paths that end in `*`. Where the row is not allowed, an empty
	// script is served there. Default: none.
	Script Names `json:"script,omitempty"`

	// The keys of items that scripts keep in the browser's local or session storage,
	// or prefixes that end in `*`. Case-sensitive; a key beats a prefix, and a longer
	// prefix a shorter one. Where the row is not allowed, the option `guard` has
	// scripts neither write nor read them, and removes them. Default: none.
	Storage Names `json:"storage,omitempty"`

	// Who sets the cookie. Default: none.
	Provider Text `json:"provider,omitempty"`

	// The provider's own privacy policy: a link, one for all languages or one per
	// language. Default: none.
	Policy Text `json:"policy,omitempty"`

	// The countries where data go, in ISO 3166-1's codes of two letters, such as
	// `IE` or `US`; the page names them in its languages. Default: not declared.
	Country Names `json:"country,omitempty"`

	// The service that the cookie belongs to, and where it is set ("front and
	// back office"). Default: none.
	Service Text `json:"service,omitempty"`

	// What it is for. Required in at least one language, for every
	// category, but where nothing is said but hosts and a consent key: a
	// "necessary" label without a purpose is what regulators punish (CNIL,
	// SAN-2025-010).
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

// Patterns returns what the filter matches: names, and prefixes that end in "*".
func (c *Cookie) Patterns() Names {
	if len(c.Match) > 0 {
		return c.Match
	}
	return c.Name
}

// FirstName returns what the row is called where one word has to do: its first name, else
// its first host, script or stored item.
func (c *Cookie) FirstName() string {
	for _, names := range []Names{c.Name, c.Host, c.Script, c.Storage} {
		if len(names) > 0 {
			return names[0]
		}
	}
	return ""
}

// title returns what errors call the row.
func (c *Cookie) title() string {
	if len(c.Name) == 0 {
		for _, field := range otherFields {
			if field.isSet(c) {
				return fmt.Sprintf("%s %q", field.Name, strings.Join(*field.Of(c).(*Names), " "))
			}
		}
	}
	return fmt.Sprintf("cookie %q", strings.Join(c.Name, " "))
}

// isAddition tells whether the row says nothing of its own, but adds hosts, scripts or
// stored items to the first row of its consent key.
func (c *Cookie) isAddition() bool {
	for _, field := range Fields {
		if field.isSet(c) && !field.isOfOthers && field.Name != "consent" {
			return false
		}
	}
	return otherFields.isSetIn(c) && c.Consent != ""
}

// MarshalJSON writes of an addition only what it adds, and to what.
func (c Cookie) MarshalJSON() ([]byte, error) {
	if c.isAddition() {
		return json.Marshal(struct {
			Host    Names  `json:"host,omitempty"`
			Script  Names  `json:"script,omitempty"`
			Storage Names  `json:"storage,omitempty"`
			Consent string `json:"consent"`
		}{c.Host, c.Script, c.Storage, c.Consent})
	}
	type row Cookie // without this method
	return json.Marshal(row(c))
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

// Validate returns the first mistake in the row and the field that has it; "" and nil if
// there is none.
func (c *Cookie) Validate() (field string, err error) {
	for _, first := range c.mistakes() {
		return first.field, first.err
	}
	return "", nil
}

// A fieldMistake is what cannot be used in a field of a row.
type fieldMistake struct {
	field string
	err   error
}

// mistakes returns the first mistake in each field of the row, in the order in which they
// matter.
func (c *Cookie) mistakes() []fieldMistake {
	var found []fieldMistake
	add := func(field string, err error) {
		if err != nil && !slices.ContainsFunc(found, func(earlier fieldMistake) bool { return earlier.field == field }) {
			found = append(found, fieldMistake{field, err})
		}
	}
	isOfCookies := !otherFields.isSetIn(c) || len(c.Name)+len(c.Match) > 0
	if isOfCookies && len(c.Name) == 0 || slices.Contains(c.Name, "") {
		add("name", errors.New("a cookie has an empty name; give it one, such as sessionid"))
	}
	add("host", validateHosts(c.Host))
	add("script", validateScripts(c.Script))
	add("storage", validateStorage(c.Storage))
	if !isOfCookies {
		for _, field := range Fields {
			if field.isOfCookies && field.isSet(c) {
				add(field.Name, fmt.Errorf("%s is said of cookies, and the row names none; remove it, or write the row's cookies in \"name\"", field.Name))
			}
		}
		if c.isAddition() {
			add("consent", c.validateConsent())
			return found
		}
	}
	for _, name := range c.Name {
		add("name", checkVisible(name))
	}
	field, fix := "name", "keep it if people read it so, and say in \"match\" what the filter matches"
	if len(c.Match) > 0 {
		field, fix = "match", "browsers differ over other names, so none of them can be let through"
	}
	for i, pattern := range c.Patterns() {
		add(field, ValidatePattern(pattern, fix))
		if slices.Contains(c.Patterns()[:i], pattern) {
			add(field, fmt.Errorf("%q stands there twice; remove one", pattern))
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(c.Purpose)), func(text string) bool { return strings.TrimSpace(text) != "" }) {
		if !isOfCookies {
			add("purpose", errors.New(`missing purpose; say in "purpose" what it is for, or nothing but the consent key of the rows that it belongs to`))
		}
		add("purpose", errors.New(`missing purpose; say in "purpose" what the cookie is for`))
	}
	for _, tag := range slices.Sorted(maps.Keys(c.Policy)) {
		field := strings.TrimSpace("policy " + tag)
		if err := checkLink(c.Policy[tag], true); err != nil {
			add(field, fmt.Errorf("unusable policy: %w", err))
		}
		if words, link := SplitLink(c.Policy[tag]); words != "" || !isPage(link) {
			add(field, fmt.Errorf("unusable policy %q; write a link alone: https://... or a path from the root of this site", c.Policy[tag]))
		}
	}
	for i, code := range c.Country {
		add("country", checkCountry(code))
		if slices.Contains(c.Country[:i], code) {
			add("country", fmt.Errorf("%s stands there twice; remove one", code))
		}
	}
	if c.Category == "" {
		add("category", fmt.Errorf("missing category; use one of %v", Categories))
	}
	for _, field := range Fields {
		if word, isWord := field.Of(c).(*string); isWord && *word != "" && field.Values != nil && !slices.Contains(field.Values, *word) {
			add(field.Name, fmt.Errorf("unknown %s %q; %s", field.Name, *word, field.fix))
		}
	}
	if c.Category == Necessary && c.Consent != "" {
		add("consent", errors.New("a necessary cookie needs no answer; remove its consent key or choose another category"))
	}
	if c.Category == Necessary && c.Exempt {
		add("exempt", errors.New("a necessary cookie needs no answer; remove exempt or choose another category"))
	}
	add("consent", c.validateConsent())
	if c.Duration != "" {
		_, err := ParseDuration(c.Duration)
		add("duration", err)
	}
	if c.Domain != "" && c.Domain != RegistrableDomain {
		_, notAddress := netip.ParseAddr(c.Domain)
		if _, err := publicsuffix.EffectiveTLDPlusOne(c.Domain); err != nil || notAddress == nil || !setcookie.IsHost(c.Domain) {
			add("domain", fmt.Errorf("unusable domain %q; write a host in lower case that is no public suffix, such as example.fr, or %s", c.Domain, RegistrableDomain))
		}
	}
	for _, pattern := range c.Patterns() {
		if ascii.HasPrefixFold(pattern, "__Host-") && (c.Domain != "" || c.Path != "" && c.Path != "/") {
			add("domain", fmt.Errorf("%q can have no domain, and no path but /; remove them", pattern))
		}
	}
	if c.Path != "" && !setcookie.IsPath(c.Path) {
		add("path", fmt.Errorf("unusable path %q; write one from the root, such as /", c.Path))
	}
	if c.SameSite == "None" && !c.Secure {
		add("same_site", errors.New("browsers refuse SameSite=None without Secure; add secure"))
	}
	return found
}

// validateConsent returns the mistake in the consent key.
func (c *Cookie) validateConsent() error {
	if c.Consent != "" && !IsConsentKey(c.Consent) {
		return fmt.Errorf("unusable consent key %q; use 1 to 64 letters, digits, '_', '-' or '.', and not %q or %q", c.Consent, TimestampKey, CharterKey)
	}
	return nil
}

// checkCountry returns an error for what is no code of a country (ISO 3166-1), in its
// one spelling.
func checkCountry(code string) error {
	region, err := language.ParseRegion(code)
	if err != nil || !region.IsCountry() || region.String() != code || region.Canonicalize() != region {
		return fmt.Errorf("unknown country %q; use ISO 3166-1's codes of two letters, such as IE or US", code)
	}
	return nil
}

// DomainOn returns the domain that a row declares, as it is on a host; "" if it is
// host-only there, or not known.
func (c *Cookie) DomainOn(host string) string {
	if c.Domain == RegistrableDomain {
		return setcookie.Registrable(host)
	}
	return c.Domain
}

// ValidatePattern returns an error for what is neither a cookie name nor a prefix that
// ends in "*". The error ends with the fix for what is no name.
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

// Node returns the row as charter files have it.
func (c *Cookie) Node() (*yaml.Node, error) {
	encoded, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	node, _, err := parseJSON(encoded)
	return node, err
}

// CategoryNames returns what the four kinds are called in charter files.
func CategoryNames() []string {
	names := make([]string, 0, len(Categories))
	for _, category := range Categories {
		names = append(names, string(category))
	}
	return names
}

// maxDuration returns the longest lifetime that a row allows: the declared one, but
// no more than any cookie may live, or any exempt one.
func (c *Cookie) maxDuration() Duration {
	limit := MaxLifetime
	if c.Exempt {
		limit = maxExempt
	}
	if declared, err := ParseDuration(c.Duration); err == nil && declared.Seconds() < limit.Seconds() {
		limit = declared
	}
	return limit
}

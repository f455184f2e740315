package cookiecharter

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
)

func init() {
	caddy.RegisterModule(MatchConsent{})
}

// MatchConsent matches requests of visitors who allow all cookies of some consent
// keys: who have granted them, or not refused them where rows are exempt. It
// stands after the handler `cookie_charter`; where a request does not go through that,
// nothing matches, and a server without one is refused, as is a key that no row of its
// site has.
//
//	@measured cookie_consent matomo
//
// In JSON it is a list of keys. No field takes placeholders.
type MatchConsent []string

// CaddyModule returns the Caddy module information.
func (MatchConsent) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.matchers.cookie_consent",
		New: func() caddy.Module { return new(MatchConsent) },
	}
}

// UnmarshalCaddyfile sets up the matcher from Caddyfile tokens. Syntax:
//
//	cookie_consent <consent keys...>
func (m *MatchConsent) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		keys := d.RemainingArgs()
		if len(keys) == 0 {
			return d.ArgErr()
		}
		*m = append(*m, keys...)
		if err := m.Validate(); err != nil {
			return d.WrapErr(err)
		}
		if d.NextBlock(0) {
			return d.Err("cookie_consent has no block")
		}
	}
	return nil
}

// Provision returns an error if no charter can make the matcher match.
func (m *MatchConsent) Provision(ctx caddy.Context) error {
	if err := m.Validate(); err != nil {
		return err
	}
	if server := matcherServer(ctx); server != nil && !hasCharter(server) {
		return fmt.Errorf("cookie_consent asks for %q, but its server has no cookie_charter; add one, or remove the matcher", (*m)[0])
	}
	return nil
}

// Validate returns an error if there is no key, as that would match everybody,
// or one that no row can have.
func (m *MatchConsent) Validate() error {
	if len(*m) == 0 {
		return errors.New("cookie_consent needs a consent key, such as matomo")
	}
	for _, key := range *m {
		if !charter.IsConsentKey(key) {
			return fmt.Errorf("%q is no consent key; use 1 to 64 letters, digits, '_', '-' or '.'", key)
		}
	}
	return nil
}

// MatchWithError returns true if the visitor allows all keys.
func (m MatchConsent) MatchWithError(r *http.Request) (bool, error) {
	replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return false, nil
	}
	for _, key := range m {
		if allows, found := replacer.Get(placeholderPrefix + allowedPlaceholder + key); !found || allows != true {
			return false, nil
		}
	}
	return true, nil
}

// allows tells whether all cookies of a consent key are allowed, and there are
// some.
func (f *filter) allows(key string) bool {
	found := false
	for _, row := range f.handler.charter.Rows {
		if row.Key == key {
			found = true
			f.wasAsked.Store(true) // another visitor's answer could differ
			if judge.VerdictOf(row, &f.visitor) != judge.Allowed {
				return false
			}
		}
	}
	return found
}

const (
	placeholderPrefix  = "http.cookie_charter."
	allowedPlaceholder = "allowed."
)

// placeholder returns the values of `{http.cookie_charter.version}`,
// `{http.cookie_charter.allowed.<key>}`, which is true or false, and
// `{http.cookie_charter.consent.<key>}`, which is granted, refused or none.
func (f *filter) placeholder(name string) (any, bool) {
	defer f.reportUnreadable() // also where an answer is asked for when the header has left
	name, ok := strings.CutPrefix(name, placeholderPrefix)
	if !ok {
		return nil, false
	}
	if name == "version" {
		return f.handler.charter.Version, true
	}
	if key, ok := strings.CutPrefix(name, allowedPlaceholder); ok {
		return f.allows(key), true
	}
	key, ok := strings.CutPrefix(name, "consent.")
	if !ok {
		return nil, false
	}
	given, found := answers.None, false
	for _, row := range f.handler.charter.Rows {
		if row.Key == key {
			given, found = max(given, f.visitor.AnswerTo(row)), true
			f.wasAsked.Store(true)
		}
	}
	return given.String(), found
}

// share makes the filter known to what comes after the handler.
func (f *filter) share() {
	if replacer, ok := f.request.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		replacer.Map(f.placeholder)
	}
}

// Interface guards
var (
	_ caddyhttp.RequestMatcherWithError = (*MatchConsent)(nil)
	_ caddyfile.Unmarshaler             = (*MatchConsent)(nil)
	_ caddy.Provisioner                 = (*MatchConsent)(nil)
	_ caddy.Validator                   = (*MatchConsent)(nil)
)

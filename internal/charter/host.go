package charter

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// An Origin is from where a page loads, or where it sends to: what of an address does not
// tell what is asked for there.
type Origin struct {
	Scheme string // such as https
	Host   string // in lower case, without a port
	Port   string // "" for the scheme's own
}

// String returns the origin as hosts are declared: with its scheme only if that is not
// https.
func (o Origin) String() string {
	text := o.Host
	if o.Scheme != "https" {
		text = o.Scheme + "://" + text
	}
	if o.Port != "" {
		text += ":" + o.Port
	}
	return text
}

// A hostSource is a declared host in its parts (Content Security Policy Level 3,
// section 2.3.1, host-source).
type hostSource struct {
	scheme, host, port, path string // "" for those that are not declared
	isPrefixed               bool   // by "*.": all subdomains, but not the host itself
}

// parseHost reads a declared host. The error names the fix.
func parseHost(text string) (hostSource, error) {
	var source hostSource
	rest := text
	if scheme, after, ok := strings.Cut(text, "://"); ok {
		if lower := ascii.ToLower(scheme); lower != scheme && address.DefaultPorts[lower] != "" {
			return source, fmt.Errorf("%q is not written as browsers match it; write %s://%s", text, lower, after)
		}
		if address.DefaultPorts[scheme] == "" {
			return source, fmt.Errorf("%q has no scheme that pages load from; use https, http, wss or ws, or none", text)
		}
		source.scheme, rest = scheme, after
	}
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		rest, source.path = rest[:slash], rest[slash:]
	}
	if isAddress(rest) {
		return source, fmt.Errorf("%q is an address, and browsers match names alone; write the name of the host, such as stats.example.fr", text)
	}
	if host, port, ok := strings.Cut(rest, ":"); ok {
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 || strconv.FormatUint(number, 10) != port {
			return source, fmt.Errorf("%q has no port behind its colon; write a number such as 8443, or none", text)
		}
		rest, source.port = host, port
	}
	source.host, source.isPrefixed = strings.CutPrefix(rest, "*.")
	if rest == "*" || source.isPrefixed && source.host == "" {
		return source, fmt.Errorf("%q would declare every host; write one, such as stats.example.fr or *.example.fr", text)
	}
	if strings.Contains(source.host, "*") {
		return source, fmt.Errorf(`%q has a "*" that is not all of what stands before the first dot; browsers match subdomains alone, such as *.example.fr`, text)
	}
	if !isHostName(source.host) {
		if name, err := idna.Lookup.ToASCII(source.host); err == nil && name != source.host && isHostName(name) {
			return source, fmt.Errorf("%q is not written as browsers match it; write %s", text, strings.Replace(text, source.host, name, 1))
		}
		return source, fmt.Errorf("%q is no host; write a name such as stats.example.fr or *.example.fr, with https://, a port or a path if need be", text)
	}
	if source.isPrefixed && source.host != "localhost" {
		if _, err := publicsuffix.EffectiveTLDPlusOne(source.host); err != nil {
			return source, fmt.Errorf("%q would declare the hosts of everybody under %s; write the one that is meant", text, source.host)
		}
	}
	if source.path != "" && !isSourcePath(source.path) {
		return source, fmt.Errorf("%q has a path that no policy of browsers can hold; write letters, digits and /-._~!$&()+=:@ without a query, others as %%3B, and a / at its end for all that is below", text)
	}
	return source, nil
}

// isAddress tells whether a text is an address of IPv4 or IPv6, with or without a port.
func isAddress(text string) bool {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	return net.ParseIP(text) != nil
}

// pathCharacters are those of a path that stand for themselves in a policy, beside "%":
// neither what ends a source or a directive, nor what begins a query or a fragment, nor
// what looks as if it had another meaning there.
const pathCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~!$&()+=:@"

// isSourcePath tells whether a path can stand in a policy.
func isSourcePath(path string) bool {
	decoded, err := url.PathUnescape(path) // escapes have to be whole
	return err == nil && decoded != "" && !strings.HasPrefix(path, "//") && strings.Trim(path, pathCharacters+"%") == ""
}

// isHostName tells whether a text is the name of a host in lower case, and no address, as
// browsers need match names alone. It has no "_", as in a policy.
func isHostName(host string) bool {
	if !setcookie.IsHost(host) || strings.Contains(host, "_") {
		return false
	}
	label := ""
	for label = range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > maxLabel || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
	}
	// Browsers take what ends in a number for an address (URL Standard, "ends in a number
	// checker").
	_, err := strconv.ParseUint(label, 0, 64)
	return err != nil && strings.Trim(label, "0123456789") != ""
}

// maxLabel is how long what stands between the dots of a host can be, in bytes (RFC 1035,
// section 2.3.4).
const maxLabel = 63

// includes tells whether a declared host includes an origin, as browsers match it, but for
// its path: of what was asked for, an origin says nothing. A page that is not encrypted
// loads from encrypted ones, too.
func (s hostSource) includes(origin Origin) bool {
	above, isBelow := strings.CutSuffix(origin.Host, s.host)
	isSubdomain := isBelow && strings.HasSuffix(above, ".")
	if s.isPrefixed && !isSubdomain || !s.isPrefixed && origin.Host != s.host {
		return false
	}
	if s.scheme != origin.Scheme && !isUpgrade(s.scheme, origin.Scheme) {
		return false
	}
	port := origin.Port
	if port == "" {
		port = address.DefaultPorts[origin.Scheme]
	}
	switch s.port {
	case "":
		return port == address.DefaultPorts[origin.Scheme]
	case port:
		return true
	}
	return s.port == "80" && port == "443" // encrypted, as the scheme
}

// isUpgrade tells whether a declared scheme includes another (section 6.7.2.8), as what is
// encrypted in the place of what is not. No scheme is that of pages: browsers take none of
// sockets for it.
func isUpgrade(declared, other string) bool {
	switch declared {
	case "":
		return other == "http" || other == "https"
	case "http":
		return other == "https"
	case "ws":
		return other == "wss" || other == "http" || other == "https"
	case "wss":
		return other == "https"
	}
	return false
}

// Includes tells whether pages of an origin take another for their own, as 'self' stands for
// it in a policy.
func (o Origin) Includes(other Origin) bool {
	switch other.Scheme { // sockets are the page's own, too
	case "ws":
		other.Scheme = "http"
	case "wss":
		other.Scheme = "https"
	}
	return hostSource{scheme: o.Scheme, host: o.Host, port: o.Port}.includes(other)
}

// sourcesOf reads declared hosts.
func sourcesOf(hosts Names) []hostSource {
	var sources []hostSource
	for _, host := range hosts {
		if source, err := parseHost(host); err == nil { // it was validated
			sources = append(sources, source)
		}
	}
	return sources
}

// IncludesOrigin tells whether some host of the row includes an origin.
func (r *Row) IncludesOrigin(origin Origin) bool {
	return slices.ContainsFunc(r.sources, func(source hostSource) bool { return source.includes(origin) })
}

// NamesOrigin tells whether some host of the row is an origin's own, and not a prefix of
// more than anybody can count.
func (r *Row) NamesOrigin(origin Origin) bool {
	return slices.ContainsFunc(r.sources, func(source hostSource) bool { return !source.isPrefixed && source.includes(origin) })
}

// covers tells whether a declared host includes all that another does.
func (s hostSource) covers(other hostSource) bool {
	if other.isPrefixed && !s.isPrefixed {
		return false
	}
	origin := Origin{cmp.Or(other.scheme, "https"), other.host, other.port}
	if other.isPrefixed {
		origin.Host = "any." + origin.Host // stands for all of them
	}
	isBelow := s.path == other.path || strings.HasSuffix(s.path, "/") && strings.HasPrefix(other.path, s.path)
	return (s.path == "" || s.path == "/" || isBelow) && s.includes(origin) && (other.scheme != "" || s.scheme == "" || s.scheme == "http")
}

// UnaskedHosts returns the hosts of rows that need an answer which another row, that needs
// none, lets through in any case.
func (c *Charter) UnaskedHosts() []UnaskedHost {
	var unasked []UnaskedHost
	for _, row := range c.Rows {
		if row.Key == "" {
			continue
		}
		for i, source := range row.sources {
			covers := func(by hostSource) bool { return by.covers(source) }
			j := slices.IndexFunc(c.Rows, func(by *Row) bool { return by.Key == "" && slices.ContainsFunc(by.sources, covers) })
			if j >= 0 {
				unasked = append(unasked, UnaskedHost{row.Host[i], row.Key, c.Rows[j].title()})
			}
		}
	}
	return unasked
}

// An UnaskedHost is one that pages reach whatever the answer to its key.
type UnaskedHost struct {
	Host, Key string
	By        string // the row that lets it through, as errors call it
}

// ParseOrigin reads the origin of an address; it is not ok if that has none that a page
// can load from.
func ParseOrigin(text string) (origin Origin, ok bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	scheme = ascii.ToLower(scheme)
	if !ok || address.DefaultPorts[scheme] == "" {
		return Origin{}, false
	}
	if end := strings.IndexAny(rest, "/?#\\"); end >= 0 {
		rest = rest[:end]
	}
	host, port, _ := strings.Cut(rest, ":")
	host = ascii.ToLower(host)
	number, err := strconv.ParseUint(port, 10, 16)
	if !setcookie.IsHost(host) || port != "" && (err != nil || strconv.FormatUint(number, 10) != port) {
		return Origin{}, false
	}
	if port == address.DefaultPorts[scheme] {
		port = ""
	}
	return Origin{scheme, host, port}, true
}

// validateHosts returns the first mistake in the hosts of a row.
func validateHosts(hosts Names) error {
	for i, host := range hosts {
		if _, err := parseHost(host); err != nil {
			return err
		}
		if slices.Contains(hosts[:i], host) {
			return fmt.Errorf("%q stands there twice; remove one", host)
		}
	}
	return nil
}

// validateScripts returns the first mistake in the scripts of a row.
func validateScripts(scripts Names) error {
	for i, script := range scripts {
		path, _ := strings.CutSuffix(script, "*")
		switch {
		case !IsLocal(path) || strings.ContainsAny(path, "?#*%"):
			return fmt.Errorf("%q is no path of a script; write one from the root of this site, such as /static/xtcore.js, or the beginning of some with a * behind it, without a query and without escapes", script)
		case checkVisible(script) != nil:
			return checkVisible(script)
		case path == "/":
			return fmt.Errorf("%q would be every page; write a longer path, such as /static/stats/*", script)
		case slices.Contains(scripts[:i], script):
			return fmt.Errorf("%q stands there twice; remove one", script)
		}
	}
	return nil
}

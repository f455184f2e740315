// Package setcookie reads Set-Cookie lines and Cookie lines from their bytes, as
// every current browser reads them: the part of RFC 6265bis on which Chromium,
// Firefox and Safari agree. What they read differently is reported as uncertain.
package setcookie

import "strings"

const (
	// MaxNameAndValue is how long the name and the value of a cookie may be
	// together, in bytes (RFC 6265bis, section 5.6).
	MaxNameAndValue = 4096

	// MaxAttribute is the longest attribute value that browsers look at, in bytes
	// (RFC 6265bis, section 5.6).
	MaxAttribute = 1024
)

// Cut cuts a Set-Cookie line at its first ";", and returns the name under which
// every current browser stores its cookie (RFC 6265bis, section 5.6). It is not ok if
// browsers differ, or refuse the line, by what stands there; the name is returned
// in any case as far as there is one, for the log.
func Cut(line string) (name, attributes string, ok bool) {
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, hasName := CutPair(pair)
	return name, attributes, hasName && IsToken(name) && len(name)+len(value) <= MaxNameAndValue && !HasControls(pair)
}

// CutPair splits `name=value` as browsers do, at the first "=", and trims both.
// Without a "=" or a name it is not ok, and there is no name.
func CutPair(pair string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(pair, "=")
	name, value = Trim(name), Trim(value)
	if !ok || name == "" {
		return "", value, false
	}
	return name, value, true
}

// Trim removes spaces and tabs from both ends, and nothing else.
func Trim(text string) string {
	for text != "" && (text[0] == ' ' || text[0] == '\t') {
		text = text[1:]
	}
	for text != "" && (text[len(text)-1] == ' ' || text[len(text)-1] == '\t') {
		text = text[:len(text)-1]
	}
	return text
}

// IsToken tells whether a name is a token (RFC 9110, section 5.6.2).
func IsToken(name string) bool {
	for i := range len(name) {
		if !tokenBytes[name[i]] {
			return false
		}
	}
	return name != ""
}

var tokenBytes = func() (table [256]bool) {
	for _, char := range []byte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		table[char] = true
	}
	return table
}()

// HasControls tells whether a text has a control byte other than a tab.
func HasControls(text string) bool {
	for i := range len(text) {
		if char := text[i]; char < ' ' && char != '\t' || char == 0x7f {
			return true
		}
	}
	return false
}

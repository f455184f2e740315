// Package ascii compares what comes from the wire as browsers and servers do:
// letters of ASCII fold, and no others. The functions of the same names in strings
// take "ſ" (U+017F), the Kelvin sign (U+212A) and "İ" (U+0130) for letters of ASCII.
package ascii

import "mime"

// EqualFold tells whether two texts are the same but for the case of letters of
// ASCII.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// HasPrefixFold tells whether text begins with prefix, but for the case of letters
// of ASCII.
func HasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && EqualFold(text[:len(prefix)], prefix)
}

// ToLower returns text with the capital letters of ASCII in lower case.
func ToLower(text string) string {
	for i := range len(text) {
		if lower(text[i]) == text[i] {
			continue
		}
		lowered := []byte(text)
		for i, char := range lowered {
			lowered[i] = lower(char)
		}
		return string(lowered)
	}
	return text
}

// MediaType returns a media type in lower case with its parameters, "" for what is
// none (RFC 9110, section 8.3.1).
func MediaType(text string) (mediaType string, parameters map[string]string) {
	if !isASCII(text) { // which mime would fold
		return "", nil
	}
	mediaType, parameters, err := mime.ParseMediaType(text)
	if err != nil {
		return "", nil
	}
	return mediaType, parameters
}

// isASCII tells whether all of text is ASCII.
func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

func lower(char byte) byte {
	if 'A' <= char && char <= 'Z' {
		return char + 'a' - 'A'
	}
	return char
}

package charter

import (
	"regexp"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

const (
	// maxShownKey is how long what is shown of a key is, in bytes, and maxReadKey how much of a
	// key is read for that.
	maxShownKey = 64
	maxReadKey  = 99

	// minRandom is from how many letters and digits on a part of a key can be drawn by chance.
	minRandom = 8

	keyDigits = "0123456789"
)

var (
	keyPart       = regexp.MustCompile(`[0-9A-Za-z]+`)
	keyLetter     = regexp.MustCompile(`[A-Za-z]`)
	smallLetter   = regexp.MustCompile(`[a-z]`)
	closeCapitals = regexp.MustCompile(`[A-Z][a-z]?[A-Z]`)
)

// ShowItem returns what can be shown of the key of a stored item, "" for nothing: what its row
// says, or else what ShowKey returns.
func (c *Charter) ShowItem(key string) string {
	row := c.FindItem(key)
	if row == nil {
		return ShowKey(key)
	}
	longest := ""
	for _, item := range row.Storage {
		if item == key {
			return item
		}
		if includes(item, key) && len(item) > len(longest) {
			longest = item
		}
	}
	return longest
}

// ShowKey returns what can be shown of the key of a stored item that no row declares, "" for
// nothing. A key can be somebody's: a session's, or with a number or an address in it. So it is
// shown up to the first part that can be such, with an asterisk for the rest; parts are letters
// and digits, with other characters between. The guard's script has the same rule (tellItem in
// guard.js): testdata/keys.jsonl drives both.
func ShowKey(key string) string {
	shown := key[:min(len(key), maxReadKey)]
	for _, part := range keyPart.FindAllStringIndex(shown, -1) {
		if kept := shownOfPart(shown[part[0]:part[1]]); kept < part[1]-part[0] {
			shown = shown[:part[0]+kept]
			break
		}
	}
	if !keyLetter.MatchString(shown) {
		return ""
	}
	if len(shown) < len(key) {
		shown += "*"
	}
	if len(shown) > maxShownKey || !setcookie.IsToken(shown) {
		return ""
	}
	return shown
}

// shownOfPart returns how much of a part is shown: all if it is letters, but for those that
// look drawn by chance, with capitals close to each other among small ones; of a short word with
// digits behind it, the word; else nothing.
func shownOfPart(part string) int {
	word := strings.TrimRight(part, keyDigits)
	isMixed := word != part || closeCapitals.MatchString(part) && smallLetter.MatchString(part)
	if strings.ContainsAny(word, keyDigits) || len(part) >= minRandom && isMixed {
		return 0
	}
	return len(word)
}

package charter

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxKey is how long the key of a stored item can be, in characters.
const maxKey = 128

// validateStorage returns the first mistake in the stored items of a row.
func validateStorage(items Names) error {
	for i, item := range items {
		key, _ := strings.CutSuffix(item, "*")
		switch {
		case item == "*":
			return fmt.Errorf("%q alone would declare all that is stored; write a longer prefix, such as ph_*", item)
		case strings.Contains(key, "*"):
			return fmt.Errorf(`%q has a "*" that is not its last character; only a prefix can be matched, such as ph_*`, item)
		case key == "" || utf8.RuneCountInString(key) > maxKey || strings.ContainsFunc(key, isNoKeyCharacter) || !utf8.ValidString(key):
			return fmt.Errorf("%q is no key of a stored item; write 1 to %d visible characters without spaces, or the beginning of some with a * behind it", item, maxKey)
		case slices.Contains(items[:i], item):
			return fmt.Errorf("%q stands there twice; remove one", item)
		}
	}
	return nil
}

func isNoKeyCharacter(char rune) bool { return char == ' ' || !unicode.IsPrint(char) }

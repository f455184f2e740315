package cookiecharter

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Each promise is a sentence of its own, as any of them can be the last.
func TestPromisesAreSentences(t *testing.T) {
	all, err := allTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range all {
		for key, promise := range text.Promises {
			if first, _ := utf8.DecodeRuneInString(promise); unicode.IsLower(first) || !strings.HasSuffix(promise, ".") {
				t.Errorf("%s: %s: %s", text.Name, key, promise)
			}
		}
	}
}

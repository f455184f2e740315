package charter

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// What is shown of keys, which the guard's script tells alike (e2e/guard_rules.test.js).
func TestShowKey(t *testing.T) {
	content, err := os.ReadFile("../../testdata/keys.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(content) {
		var test struct{ Key, Shown, Why string }
		if err := json.Unmarshal(line, &test); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if shown := ShowKey(test.Key); shown != test.Shown {
			t.Errorf("%s: %q is shown as %q, not as %q", test.Why, test.Key, shown, test.Shown)
		}
	}
}

// Of an item that is declared, what its row says is shown, whatever the key.
func TestShowItem(t *testing.T) {
	charter := charterOf(t, "storage: [ph_user_*, ph_*, 'a:*', ph_42]", "storage: [user_42]")
	for key, want := range map[string]string{
		"ph_someone": "ph_*", "ph_user_someone": "ph_user_*", "ph_*": "ph_*", "ph_": "ph_*", "ph_42": "ph_42", "ph_421": "ph_*", "a:someone": "a:*",
		"user_42": "user_42", "user_421": "user_*", "b:someone": "",
	} {
		if shown := charter.ShowItem(key); shown != want {
			t.Errorf("%q is shown as %q, not as %q", key, shown, want)
		}
	}
}

// Whatever the key, what is shown of it is its beginning, of the characters of names, with a
// letter and without a digit, and is shown as it is.
func FuzzShowKey(f *testing.F) {
	f.Add("s-dQw4w9WgXcQ")
	f.Add("\xff*")
	f.Fuzz(func(t *testing.T, key string) {
		shown := ShowKey(key)
		begin := strings.TrimSuffix(shown, "*")
		if shown != "" && (!strings.HasPrefix(key, begin) || !setcookie.IsToken(shown) || len(shown) > maxShownKey || strings.ContainsAny(shown, keyDigits) || !keyLetter.MatchString(begin)) {
			t.Errorf("%q is shown as %q", key, shown)
		}
		if again := ShowKey(shown); again != shown {
			t.Errorf("%q is shown as %q, and that as %q", key, shown, again)
		}
	})
}

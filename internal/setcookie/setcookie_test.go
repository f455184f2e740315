package setcookie

import (
	"strings"
	"testing"
)

func TestCut(t *testing.T) {
	long := strings.Repeat("x", MaxNameAndValue-1)
	for _, test := range []struct {
		line string
		name string
		ok   bool
	}{
		{"a=b", "a", true},
		{"a=b; Path=/; Expires=Thu, 01 Jan 2032 00:00:00 GMT", "a", true},
		{" \ta \t= b", "a", true},
		{"a=", "a", true},
		{"a=b=c", "a", true},
		{"a=\xff\"{,}\x80", "a", true},
		{"a=b\tc", "a", true},
		{"a=" + long, "a", true},
		{"a=" + long + "x", "a", false},
		{"a=  " + long + "\t; HttpOnly", "a", true},
		{"", "", false},
		{"a", "", false},
		{"a; b=c", "", false},
		{"=", "", false},
		{"=a", "", false},
		{"=a=b", "", false},
		{"\t=a", "", false},
		{"; a=b", "", false},
		{"a b=c", "a b", false},
		{"a\tb=c", "a\tb", false},
		{"\"a\"=c", "\"a\"", false},
		{"a,b=c", "a,b", false},
		{"a[b]=c", "a[b]", false},
		{"\xc3\xa9=c", "\xc3\xa9", false},
		{"\xa0a=c", "\xa0a", false},
		{"a=b\x00c", "a", false},
		{"a=b; Path=/\x1f", "a", false},
		{"a=b\r\nSet-Cookie: c=d", "a", false},
		{"a=b\x7f", "a", false},
	} {
		name, written, ok := Cut(test.line)
		ok = ok && !ReadAttributes(written).HasControls
		if name != test.name || ok != test.ok {
			t.Errorf("%.40q: got %q %v, want %q %v", test.line, name, ok, test.name, test.ok)
		}
	}
}

// A control byte is seen wherever it stands.
func TestHasControls(t *testing.T) {
	for length := 1; length < 20; length++ {
		for at := range length {
			for char := range 256 {
				line := []byte(strings.Repeat("x", length))
				line[at] = byte(char)
				want := char < ' ' && char != '\t' || char == 0x7f
				if got := HasControls(string(line)); got != want {
					t.Fatalf("%q: %t", line, got)
				}
			}
		}
	}
}

package address

import (
	"strings"
	"testing"
)

// A path is shown without its parameters, however they are escaped, and a secret in a
// query by its number.
func TestWithoutParameters(t *testing.T) {
	for path, want := range map[string]string{
		"": "", "/": "/", "/a/b": "/a/b", "/a;jsessionid=1/b;v=2": "/a/b", "/a%3bjsessionid=1": "/a", "/a%3Bx=1/": "/a/", ";": "", "/;/;x/y": "///y",
		"/a%253Bx": "/a", "/a%25%33%42x/b": "/a/b", "/a%253%42x": "/a", "/a%%33Bx": "/a", "/a%25zz%25253bx": "/a%25zz", "/a%" + strings.Repeat("25", 20) + "3Bx": "/a",
		"/a%3Bx=%2Fsecret/b": "/a/b", "/a%3Bx=%252Fsecret/b": "/a/b", "/a%2Fb%3Bx": "/a%2Fb", "/a%+3b%3": "/a%+3b%3", "/é%C3%A9%": "/é%C3%A9%",
	} {
		if got := WithoutParameters(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	const secret = "0123456789abcdef0123456789abcdef"
	var addresses Redactor
	for _, test := range [][2]string{
		{"https://a.example/p?" + secret + "=1&page=2", "https://a.example/p?…1=1&page=2"},
		{"https://a.example/p?" + secret, "https://a.example/p?…1"},
		{"https://a.example/p?" + secret + "x=" + secret, "https://a.example/p?…2=…1"},
		{"https://a.example/a%25%33%42" + secret + "?a=", "https://a.example/a?a="},
	} {
		if got := addresses.Show(test[0]); got != test[1] {
			t.Errorf("%s: %s", test[0], got)
		}
	}
}

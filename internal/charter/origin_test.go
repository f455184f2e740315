package charter

import "testing"

// Pages take for their own what 'self' lets through: the same host and port, encrypted as
// well or better, sockets among it.
func TestOriginIncludes(t *testing.T) {
	for _, test := range []struct {
		origin, other string
		want          bool
	}{
		{"https://data.example.fr/", "https://data.example.fr/a", true},
		{"https://data.example.fr/", "wss://data.example.fr/", true},
		{"https://data.example.fr/", "http://data.example.fr/", false},
		{"https://data.example.fr/", "https://data.example.fr:8443/", false},
		{"https://data.example.fr/", "https://a.data.example.fr/", false},
		{"https://data.example.fr/", "https://example.fr/", false},
		{"http://localhost:8080/", "ws://localhost:8080/", true},
		{"http://localhost:8080/", "http://localhost:8081/", false},
		{"http://data.example.fr/", "https://data.example.fr/", true},
	} {
		origin, ok := ParseOrigin(test.origin)
		other, isOther := ParseOrigin(test.other)
		if !ok || !isOther || origin.Includes(other) != test.want {
			t.Errorf("%s, %s: not %t", test.origin, test.other, test.want)
		}
	}
}

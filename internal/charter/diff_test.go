package charter

import (
	"slices"
	"testing"
)

// What is said in another way is not told, and of texts what differs in which language.
func TestDiff(t *testing.T) {
	load := func(text string) *Charter {
		source, err := Parse([]byte("cookies:\n  - name: a\n    category: statistics\n"+text), "charter.yaml")
		if err != nil {
			t.Fatal(err)
		}
		joined, err := New(source)
		if err != nil {
			t.Fatal(err)
		}
		return joined
	}
	const plain = "    purpose: {fr: Compter, en: Count}\n"
	for _, test := range []struct {
		before, after string
		want          []string
	}{
		{plain + "    duration: 1 day\n", plain + "    duration: 24 heures\n", nil},
		{plain + "    duration: 13 months\n", plain + "    duration: 12 mois\n", []string{"~ a: duration was 13 months, is 12 mois"}},
		{plain, "    purpose: {en: Count, fr: Mesurer}\n", []string{"~ a: purpose fr was Compter, is Mesurer"}},
		{plain, "    purpose: {en: Count, es: Contar}\n", []string{"~ a: purpose fr was Compter, is not there", "~ a: purpose es was not there, is Contar"}},
		{plain, "    purpose: Count\n", []string{"~ a: purpose en was Count, is not there", "~ a: purpose fr was Compter, is not there", "~ a: purpose was not there, is Count"}},
		{plain, plain + "    exempt: true\n    host: a.example\n    country: [FR, IE]\n", []string{"~ a: host was not there, is a.example", "~ a: country was not there, is [FR IE]", "~ a: exempt was not there, is true"}},
	} {
		if got := Diff(load(test.before), load(test.after)); !slices.Equal(got, test.want) {
			t.Errorf("%q, %q: %q", test.before, test.after, got)
		}
	}
}

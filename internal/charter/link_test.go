package charter

import "testing"

func TestSplitLink(t *testing.T) {
	for text, want := range map[string][2]string{
		"":                                 {"", ""},
		"Ville d'Ys, 29000 Ys":             {"Ville d'Ys, 29000 Ys", ""},
		"https://a.example/b?c=d#e":        {"", "https://a.example/b?c=d#e"},
		"partiellement conforme /a11y/":    {"partiellement conforme", "/a11y/"},
		" DPO\n dpo@ys.example ":           {"DPO", "mailto:dpo@ys.example"},
		"mailto:dpo@ys.example?subject=a":  {"", "mailto:dpo@ys.example?subject=a"},
		"Standard tel:+33298000000":        {"Standard", "tel:+33298000000"},
		"CNIL\u00a0https://www.cnil.fr/fr": {"CNIL", "https://www.cnil.fr/fr"},
		"a and/or b":                       {"a and/or b", ""},
		"@city":                            {"@city", ""},
		"write to dpo@ys":                  {"write to dpo@ys", ""},
		"Nothing: none":                    {"Nothing: none", ""},
		"//evil.example/":                  {"//evil.example/", ""},
		`/\evil.example/`:                  {`/\evil.example/`, ""},
		"javascript:alert(1)":              {"javascript:alert(1)", ""},
		"javascript:alert(1)//@a.example":  {"javascript:alert(1)//@a.example", ""},
		"data:text/html,a":                 {"data:text/html,a", ""},
		"https://user:word@a.example/":     {"https://user:word@a.example/", ""},
		"https:///path":                    {"https:///path", ""},
		"ftp://a.example":                  {"ftp://a.example", ""},
		"https://a.example/ a b":           {"https://a.example/ a b", ""},
	} {
		words, link := SplitLink(text)
		if got := [2]string{words, link}; got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"//evil.example/", "javascript:alert(1)", "data:text/html,a", "ftp://a.example", "https:///path", "see https://user:word@a.example/"} {
		if checkLink(text, false) == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	for text, isNeeded := range map[string]bool{"words": true, "": true, "non conforme": false, "Note: none": false} {
		if err := checkLink(text, isNeeded); (err != nil) != isNeeded {
			t.Errorf("%q: %v", text, err)
		}
	}
}

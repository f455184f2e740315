package charter

import "testing"

// Durations of several parts are their sum, in each language of the page.
func TestFindDurationOfParts(t *testing.T) {
	for _, test := range []struct {
		text, found string
		isCertain   bool
	}{
		{"1 an 1 mois", "13 months", true},
		{"1 an et 1 mois", "13 months", true},
		{"1 year and 1 month.", "13 months", true},
		{"1 Jahr und 1 Monat", "13 months", true},
		{"1 heure 30 minutes", "90 minutes", true},
		{"2 ans 6 mois maximum", "30 months", false},
		{"environ 1 an 1 mois", "13 months", false},
		{"1 an 1 jour", "367 days", false}, // rounded
		{"1 mois 1 an", "1 an", false},
		{"6 mois 13 mois", "13 mois", false},
		{"1 an, 1 mois", "1 mois", false},
		{"30 jours ou 1 an", "1 an", false},
		{"1,5 an", "", false},
		{"1.5 hours", "", false},
		{"1,5 an, puis 6 mois", "6 mois", false},
		{"1 an 2 pages", "1 an", false},
		{"13 meses", "13 months", true},
		{"2 Jahre", "2 years", true},
		{"24 uur", "24 hours", true},
		{"urte 1", "1 year", true},
		{"سنتان", "2 years", true},
		{"13 شهرًا", "13 months", true},
		{"1 año y 1 mes", "13 months", true},
		{"Sitzung", "session", true},
		{"Sesión del navegador", "session", false},
		{"99999 meses", "", false},
		{"0 meses", "", false},
		{"an 1 mois", "1 mois", false},
	} {
		found, isCertain := FindDuration(test.text)
		if found != test.found || isCertain != test.isCertain {
			t.Errorf("%q: %q, %t, want %q, %t", test.text, found, isCertain, test.found, test.isCertain)
		}
		if _, err := ParseDuration(found); found != "" && err != nil {
			t.Errorf("%q: a charter file does not read %q", test.text, found)
		}
	}
	// What charter files accept is no more than before.
	for _, text := range []string{"1 an 1 mois", "13 meses", "Sitzung"} {
		if parsed, err := ParseDuration(text); err == nil {
			t.Errorf("%q: read as %v", text, parsed)
		}
	}
}

package charter

import "testing"

func TestParseDuration(t *testing.T) {
	for text, seconds := range map[string]int{
		"session": 0, "Session": 0, "30 min": 1800, "30min": 1800, "1 s": 1, "30 seconds": 30, "24 hours": 86400, "1 h": 3600, "7 days": 604800,
		"2 weeks": 1209600, "52 weeks": 31449600, "6 months": 15778476, "13 mois": 34186698, "2 years": 63113904, "1 an": 31556952,
		"2 Semaines": 1209600, " 3 jours ": 259200, "1 année": 31556952,
		"90 j": 7776000, "7d": 604800, "30 mn": 1800, "13\u00a0mois": 34186698, "13\u202fmois.": 34186698, "fin de session": 0, "Fin de la  session": 0, "end of session": 0, "Session du navigateur.": 0,
	} {
		parsed, err := ParseDuration(text)
		if err != nil || parsed.Seconds() != seconds {
			t.Errorf("%q: got %d, %v", text, parsed.Seconds(), err)
		}
	}
	for _, text := range []string{"", "weeks", "2", "0 days", "-1 day", "1.5 hours", "99999 days", "2 moons", "a week", "2 weeks or so", "one year", "99999999999999999999 s"} {
		if parsed, err := ParseDuration(text); err == nil {
			t.Errorf("%q: read as %v", text, parsed)
		}
	}
}

// A row lives as long as it says, but no longer than browsers keep cookies, or than an
// exempt row may.
func TestLimits(t *testing.T) {
	for _, test := range []struct {
		cookie Cookie
		want   Duration
	}{
		{Cookie{}, MaxLifetime},
		{Cookie{Duration: "2 years"}, MaxLifetime},
		{Cookie{Duration: "2 years", Exempt: true}, maxExempt},
		{Cookie{Exempt: true}, maxExempt},
		{Cookie{Duration: "6 months", Exempt: true}, Duration{6, "month"}},
		{Cookie{Duration: "session"}, Duration{0, "session"}},
	} {
		if got := test.cookie.maxDuration(); got != test.want {
			t.Errorf("%+v: got %v", test.cookie, got)
		}
	}
}

// What is written of a duration is read as the same.
func TestDurationString(t *testing.T) {
	for _, want := range []string{"1 day", "2 weeks", "13 months", "1 year", "session"} {
		if read, err := ParseDuration(want); err != nil || read.String() != want {
			t.Errorf("%s: %s, %v", want, read, err)
		}
	}
	if got := (Duration{}).String(); got != Session {
		t.Errorf("none is %q", got)
	}
}

package charter

import (
	"testing"
)

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
		if got := test.cookie.longest(); got != test.want {
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

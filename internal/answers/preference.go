package answers

import (
	"slices"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

const (
	// MaxPreference is the longest stored value that is read or written, in
	// bytes: what browsers keep of a cookie (RFC 6265bis, section 5.6).
	MaxPreference = 4096

	// PlainCookie is the usual cookie of the format charter over http. Over https, any
	// host of the same site can write it, so that only its refusals count.
	PlainCookie = "charter_preference"

	// HostCookie is the usual cookie of the format charter over https.
	HostCookie = "__Host-" + PlainCookie
)

// preferenceLifetime is how long the visitor's choice is kept if the row of its
// cookie says nothing else: what the CNIL calls good practice (recommendation of
// 17 September 2020).
var preferenceLifetime = charter.Duration{Count: 6, Unit: "month"}

// A Preference is one place where answers are stored: its format, and its cookies.
type Preference struct {
	Config // how it is configured

	Names          charter.Names    // of the cookies, or prefixes that end in "*"
	usesHostCookie bool             // over https, it is in HostCookie
	Lifetime       charter.Duration // of what the charter page writes
	layout         *layout          // of a JSON object; nil if it is not configured
	recent         *recentValues    // nil if what a cookie says depends on others
}

// cookieName returns the name of the cookie that the page writes.
func (p *Preference) cookieName(secure bool) string {
	if secure && p.usesHostCookie {
		return HostCookie
	}
	return p.Cookies()[0]
}

// newPreferences returns where answers are stored in some formats, and the rows that
// declare the cookies, for charters whose sources do not.
func newPreferences(formats []Config, sources []charter.Source) (preferences []*Preference, rows []charter.Source, err error) {
	for _, config := range formats {
		p := &Preference{Config: config, Names: config.Cookies(), layout: config.layout()}
		format := Formats[p.Format]
		if format.prove == nil && !format.hasNames {
			p.recent = new(recentValues)
		}
		preferences = append(preferences, p)
		if p.Format == CharterFormat && p.Cookie == "" {
			if p.usesHostCookie = shareRow(sources); !p.usesHostCookie {
				p.Names = []string{PlainCookie}
			}
			row, err := charter.PreferenceRow(p.Names...)
			if err != nil {
				return nil, nil, err
			}
			rows = append(rows, row)
			continue
		}
		for _, name := range slices.Concat(p.Names, format.proofs) {
			row, err := charter.PreferenceRow(name)
			if err != nil {
				return nil, nil, err
			}
			if !p.IsWritten() && p.LocalStorage == "" {
				row.Rows[0].Duration = "" // which only the banner knows
			}
			rows = append(rows, row)
		}
	}
	return preferences, rows, nil
}

// shareRow makes both usual names of the format charter one row's, wherever one
// of them is declared. It tells whether HostCookie can be used: not where the row
// says a domain or a path.
func shareRow(sources []charter.Source) bool {
	var row *charter.Row
	count := 0
	for _, source := range sources {
		for i := range source.Rows {
			for _, name := range []string{PlainCookie, HostCookie} {
				if slices.Contains(source.Rows[i].Name, name) || slices.Contains(source.Rows[i].Match, name) {
					row, count = &source.Rows[i], count+1
				}
			}
		}
	}
	if count != 1 {
		return true
	}
	if row.Domain != "" || row.Path != "" && row.Path != "/" {
		return false
	}
	for _, names := range []*charter.Names{&row.Name, &row.Match} {
		if i := slices.IndexFunc(*names, func(name string) bool { return name == PlainCookie || name == HostCookie }); i >= 0 {
			other := HostCookie
			if (*names)[i] == HostCookie {
				other = PlainCookie
			}
			*names = slices.Concat(*names, charter.Names{other}) // not into the configuration's own
		}
	}
	return true
}

// grantHasEnded tells whether a grant that the page wrote has ended: it was kept for as
// long as the page says, or is of a time that cannot be; a browser's cookie can be
// renewed by the portal. One without a time lasts as long as its cookie.
func (p *Preference) grantHasEnded(at, now Timestamp) bool {
	if at == NoTime || !p.IsWritten() {
		return false
	}
	seconds := p.Lifetime.Seconds()
	return !at.isPossible(now) || seconds > 0 && now-at > Timestamp(seconds)*1000
}

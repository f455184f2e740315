package cookiecharter

import (
	"fmt"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/page"
)

// What a charter is made of, for who writes a config in Go.
type (
	// Cookie is one declared row of the charter.
	Cookie = charter.Cookie

	// Category is one of the four kinds of cookies that a charter page defines.
	Category = charter.Category

	// Names is a list of cookie names or of patterns.
	Names = charter.Names

	// Text is a text for people: one for all languages, or one per language.
	Text = charter.Text

	// About is what a charter says of the portal that publishes it.
	About = charter.About

	// PreferenceFormat says where the visitor's preference is stored, and how.
	PreferenceFormat = answers.Config

	// Page says where the charter page is and how it looks.
	Page = page.Config

	// PageData is what the template of the charter page shows.
	PageData = page.Data
)

// The four kinds, in the order in which the page lists them.
const (
	Necessary  = charter.Necessary
	Statistics = charter.Statistics
	FirstParty = charter.FirstParty
	ThirdParty = charter.ThirdParty
)

// loadCharter joins what is declared, the weakest source first, and says where visitors
// answer to it.
func (h *Handler) loadCharter() (*charter.Charter, *answers.Store, error) {
	var sources []charter.Source
	for _, name := range h.Presets {
		preset, err := charter.LoadPreset(name)
		if err != nil {
			return nil, nil, err
		}
		sources = append(sources, preset)
	}
	for _, path := range h.Charters {
		file, err := charter.LoadFile(path)
		if err != nil {
			return nil, nil, err
		}
		sources = append(sources, file)
	}
	inline := charter.Source{About: h.About}
	if h.Updated != "" {
		var err error
		if inline.Updated, err = charter.ParseDate(h.Updated); err != nil {
			return nil, nil, err
		}
	}
	for i, cookie := range h.Cookies {
		declared := charter.NewRow(fmt.Sprintf("inline row %d", i+1))
		declared.Cookie = cookie
		inline.Rows = append(inline.Rows, declared)
	}

	sources = append(sources, inline)
	if len(h.Preferences) == 0 {
		h.Preferences = []answers.Config{{Format: defaultFormat(sources)}}
	}
	joined, store, err := answers.Join(sources, h.Preferences, h.judgeOptions().HoldsDurations(), time.Now)
	if err != nil {
		return nil, nil, err
	}
	if h.Language, err = page.DefaultOf(joined.About.Languages, h.Language); err != nil {
		return nil, nil, err
	}
	// With what decides of the page's own sentences, a version stands for all that is said.
	if err := joined.ComputeVersion(h.Language, page.Wording(), h.Page.Title, h.Monitor, h.RequestCookies, h.Durations, h.Hosts, h.Guard); err != nil {
		return nil, nil, err
	}
	return joined, store, store.CheckRoom(h.RecordChoices)
}

// warnings returns what is not as it was written, or may not be meant, though it can be
// served.
func (h *Handler) warnings() []string {
	warnings := h.charter.Doubts(h.judgeOptions().HoldsDurations(), page.Languages)
	if h.Hosts != "" {
		warnings = append(warnings, h.missingHosts()...)
		for _, host := range h.charter.UnaskedHosts() {
			warnings = append(warnings, fmt.Sprintf("host %q: %s, which needs no answer, lets it through for all visitors, so a refusal of %q does not keep pages from it; keep one of the two", host.Host, host.By, host.Key))
		}
	}
	if h.Notice != "" && !h.page.Asks() {
		warnings = append(warnings, "notice "+h.Notice+": the page takes no answers, so that there is no notice; it is for charters with rows that need consent, whose answers no banner stores")
	}
	return warnings
}

// missingHosts tells of each consent key of which no row has a host what to declare.
func (h *Handler) missingHosts() []string {
	keys := h.charter.KeysWithoutHosts()
	missing := make([]string, 0, len(keys))
	for _, key := range keys {
		missing = append(missing, fmt.Sprintf("consent key %q: no row of it has a host, so with the option hosts, pages reach none for it; declare where it is, as in \"host stats.example.fr { consent %s }\", unless that is this site itself", key, key))
	}
	return missing
}

// checkPolicy returns an error if a policy with all hosts would be too long for servers in
// front.
func (h *Handler) checkPolicy() error {
	policy := document.Policy(h.policy.DeclaredHosts())
	if excess := len(policy) - document.MaxPolicy; h.Hosts != "" && excess > 0 {
		return fmt.Errorf("with all hosts that rows declare, the policy of documents would have %d bytes, %d too many: servers in front refuse long headers; declare fewer hosts, or all subdomains of one as *.example.fr", len(policy), excess)
	}
	return nil
}

// monitored names what is only reported, and not enforced.
func (h *Handler) monitored() []string {
	var names []string
	switch h.Monitor {
	case judge.MonitorEverything:
		names = append(names, "all cookies")
	case judge.MonitorUndeclared:
		names = append(names, "undeclared cookies")
	}
	if h.hostsEffect() == document.Reported {
		names = append(names, "hosts")
	}
	if h.guard != nil && h.guard.Monitors() {
		names = append(names, "scripts")
	}
	for _, row := range h.charter.Rows {
		if row.Monitor {
			names = append(names, fmt.Sprintf("the row %q", row.FirstName()))
		}
	}
	return names
}

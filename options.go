package cookiecharter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/page"
)

// An option is one of the handler's, of its page's or of a preference's.
type option struct {
	block    string // that it stands in, "" for the handler's
	name     string // in a Caddyfile; "" if it stands behind the block's name
	jsonName string // "" if JSON calls it so, too

	// Where it is stored, as a word, as a flag, or as a text for people. Those that are
	// none of these have code of their own.
	text  func(*Handler) *string
	flag  func(*Handler) *bool
	texts func(*Handler) *charter.Text

	defaultValue string                                   // what holds if it is not given
	bareValue    string                                   // what its name alone means; "" if it needs a value
	values       []string                                 // that can be used; nil if there is no list of them
	hint         string                                   // ends an error about its value, or a second one
	check        func(value string) error                 // returns what is wrong; nil if values tell that
	resolve      func(file, value string) (string, error) // returns a path that begins beside the Caddyfile
}

// The values that other code asks for.
const (
	passCookies      = "pass"
	declareDurations = "declare"
	enforce          = "enforce"
	monitorOnly      = "monitor"
	omitCookies      = "omit"
	insertNotice     = "insert"
	manageNotice     = "manage"
)

// options are all options, in the order in which an error lists them. The Caddyfile's
// parser, the defaults and the checks go by them.
var options = []option{
	{name: "preset", jsonName: "presets"},
	{name: "charter", jsonName: "charters"},
	{name: "cookie", jsonName: "cookies"},
	{name: "host", jsonName: "cookies"},
	{name: "script", jsonName: "cookies"},
	{name: "storage", jsonName: "cookies"},
	aboutOption("site_name"), aboutOption("intro"), aboutOption("controller"), aboutOption("contact"),
	aboutOption("complaint"), aboutOption("policy"), aboutOption("accessibility"),
	{name: "languages"},
	{name: "updated", text: func(h *Handler) *string { return &h.Updated }, check: checkDate},
	{name: "page"},
	{name: "language", text: func(h *Handler) *string { return &h.Language }, values: page.Languages, check: page.CheckLanguage},
	{name: "preference", jsonName: "preferences"},
	{name: "request_cookies", text: func(h *Handler) *string { return &h.RequestCookies }, defaultValue: "filter", values: []string{"filter", passCookies}},
	{name: "durations", text: func(h *Handler) *string { return &h.Durations }, defaultValue: enforce, values: []string{enforce, declareDurations}},
	{name: "monitor", text: func(h *Handler) *string { return &h.Monitor }, bareValue: judge.MonitorEverything, values: []string{judge.MonitorEverything, judge.MonitorUndeclared}},
	{name: "hosts", text: func(h *Handler) *string { return &h.Hosts }, bareValue: enforce, values: []string{enforce, monitorOnly}, hint: `, remove it for neither, and declare hosts by "host"`},
	{name: "guard", text: func(h *Handler) *string { return &h.Guard }, bareValue: enforce, values: []string{enforce, monitorOnly}},
	{name: "notice", text: func(h *Handler) *string { return &h.Notice }, values: []string{insertNotice, manageNotice}, hint: " (manage includes insert)"},
	{name: "third_party_cookies", text: func(h *Handler) *string { return &h.ThirdPartyCookies }, values: []string{omitCookies}},
	{name: "debug_header", flag: func(h *Handler) *bool { return &h.DebugHeader }},
	{name: "record_choices", flag: func(h *Handler) *bool { return &h.RecordChoices }},
	{name: "gpc", text: func(h *Handler) *string { return &h.GPC }, check: checkDate},

	{block: "page", jsonName: "path", text: func(h *Handler) *string { return &h.Page.Path }, defaultValue: page.DefaultPath, check: page.CheckPath},
	{block: "page", name: "title", texts: func(h *Handler) *charter.Text { return &h.Page.Title }},
	{block: "page", name: "archive", text: func(h *Handler) *string { return &h.Page.Archive }, check: page.CheckArchive, resolve: page.ResolveArchive},
	{block: "page", name: "footer", text: func(h *Handler) *string { return &h.Page.Footer }, resolve: charter.ResolvePath},
	{block: "page", name: "header", text: func(h *Handler) *string { return &h.Page.Header }, resolve: charter.ResolvePath},
	{block: "page", name: "logo", text: func(h *Handler) *string { return &h.Page.Logo }, check: page.CheckLink},
	{block: "page", name: "stylesheet", text: func(h *Handler) *string { return &h.Page.Stylesheet }, check: page.CheckLink},
	{block: "page", name: "template", text: func(h *Handler) *string { return &h.Page.Template }, resolve: charter.ResolvePath},
	{block: "page", name: "theme", text: func(h *Handler) *string { return &h.Page.Theme }, defaultValue: page.NeutralTheme, values: page.Themes},

	{block: "preference", jsonName: "format"},
	{block: "preference", jsonName: "cookie"},
	{block: "preference", name: "key", jsonName: "keys"},
	{block: "preference", name: "path"},
	{block: "preference", name: "list"},
	{block: "preference", name: "granted"},
	{block: "preference", name: "refused"},
	{block: "preference", name: "proof", jsonName: "proofs"},
	{block: "preference", name: "revision"},
	{block: "preference", name: "manage"},
	{block: "preference", name: "local_storage"},
}

// aboutOption returns the option that stores a text about the portal.
func aboutOption(name string) option {
	field := charter.AboutFields[slices.IndexFunc(charter.AboutFields, func(field charter.AboutField) bool { return field.Name == name })]
	return option{name: name, texts: func(h *Handler) *charter.Text { return field.Of(&h.About) }}
}

// optionNames returns what the options of a block are called in a Caddyfile.
func optionNames(block string) []string {
	var names []string
	for _, option := range options {
		if option.block == block && option.name != "" {
			names = append(names, option.name)
		}
	}
	return names
}

// caddyfileName returns what a Caddyfile calls an option of which that is the name in JSON
// alone.
func caddyfileName(inJSON string) (name string, ok bool) {
	for _, option := range options {
		if option.name != "" && option.jsonName != "" && option.jsonName == inJSON {
			return option.name, true
		}
	}
	return "", false
}

// setDefaults stores the usual values of options that are not given.
func (h *Handler) setDefaults() {
	if len(h.Presets)+len(h.Charters)+len(h.Cookies) == 0 {
		h.Presets = []string{"opendatasoft"}
	}
	for _, option := range options {
		if option.text != nil {
			value := option.text(h)
			*value = cmp.Or(*value, option.defaultValue)
		}
	}
}

// validateOptions returns the first option with a value that cannot be used.
// An option that is not given has none.
func (h *Handler) validateOptions() error {
	for _, option := range options {
		if option.texts != nil {
			if err := page.CheckText(*option.texts(h)); err != nil {
				return err
			}
		}
		if option.text == nil || *option.text(h) == "" {
			continue
		}
		value := *option.text(h)
		if option.check != nil {
			if err := option.check(value); err != nil {
				return err
			}
		} else if option.values != nil && !slices.Contains(option.values, value) {
			return fmt.Errorf("unknown %s %q; use %s%s", option.name, value, strings.Join(option.values, " or "), option.hint)
		}
	}
	if h.GPC != "" && strings.TrimSuffix(h.Page.Path, "/") == page.GPCPath {
		return fmt.Errorf("%s is served by the option gpc; choose another path for the page", page.GPCPath)
	}
	for _, language := range h.Languages {
		if err := page.CheckLanguage(language); err != nil {
			return err
		}
	}
	if _, err := h.About.Validate(); err != nil {
		return err
	}
	return answers.Validate(h.Preferences)
}

// checkDate returns an error if that is no date on which something can have been done.
func checkDate(text string) error {
	date, err := charter.ParseDate(text)
	return cmp.Or(err, charter.CheckPast(date, time.Now()))
}

// defaultFormat returns the format of the preference where none is configured:
// that of Opendatasoft's banner if its cookie is declared, else our own.
func defaultFormat(sources []charter.Source) string {
	const opendatasoft = "opendatasoft"
	for _, source := range sources {
		for _, row := range source.Rows {
			if slices.Contains(row.Name, answers.Formats[opendatasoft].Cookies[0]) {
				return opendatasoft
			}
		}
	}
	return answers.CharterFormat
}

package cookiecharter

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"
)

// Category is one of the four kinds of cookies that a charter page defines.
type Category string

// The four kinds, in the order in which the page lists them.
const (
	Necessary  Category = "necessary"   // the site cannot work without it; needs no answer
	Statistics Category = "statistics"  // audience measurement
	FirstParty Category = "first_party" // other purposes of the site itself
	ThirdParty Category = "third_party" // purposes of somebody else
)

var categories = []Category{Necessary, Statistics, FirstParty, ThirdParty}

// Names is a list of cookie names or of patterns. In JSON and in charter files
// it is one string or an array of strings.
type Names []string

// Text is a text for people: one for all languages, or one per language. In
// JSON and in charter files it is a string, or an object from BCP 47 language
// tags to strings, of which the primary subtag counts (`fr-CA` is `fr`). The
// text for all languages stands under the empty key.
type Text map[string]string

// Cookie is one declared row of the charter.
type Cookie struct {
	// The names as people read them, one or more. Required. Where `match` is
	// absent they are also what the filter matches, and each has to be a token
	// (RFC 6265, section 4.1.1) or a prefix that ends in `*`.
	Name Names `json:"name"`

	// What the filter matches, where that is not the name: literal names, or
	// prefixes that end in `*`. Case-sensitive, as in browsers. A literal beats
	// a prefix, and a longer prefix a shorter one. Default: the names.
	Match Names `json:"match,omitempty"`

	// Who sets the cookie. Default: none.
	Provider Text `json:"provider,omitempty"`

	// The service that the cookie belongs to, and where it is set ("front and
	// back office"). Default: none.
	Service Text `json:"service,omitempty"`

	// What the cookie is for. Required in at least one language, for every
	// category: a "necessary" label without a purpose is what regulators
	// punish (CNIL, SAN-2025-010).
	Purpose Text `json:"purpose"`

	// One of `necessary`, `statistics`, `first_party`, `third_party`. Required.
	Category Category `json:"category"`

	// The key of the visitor's answer to this cookie: 1 to 64 letters, digits,
	// `_`, `-` or `.`. Not for necessary cookies. Default: the category.
	Consent string `json:"consent,omitempty"`

	// Whether the cookie is allowed without an answer, though the visitor can
	// oppose it (CNIL, audience measurement exempt from consent, July 2025).
	// That it qualifies is the operator's own judgement. Default: false.
	Exempt bool `json:"exempt,omitempty"`

	// How long the cookie lives: `session`, or a whole number and a unit, in
	// English or French: seconds, minutes, hours, days, weeks, months, years
	// (`30 min`, `13 months`, `2 semaines`). Default: not declared.
	Duration string `json:"duration,omitempty"`

	// Where scripts or the portal set the cookie, if it is known: the domain of
	// its Domain attribute, and the path of its Path attribute. A refused cookie
	// is first removed from there. Default: not known; likely places are tried.
	Domain string `json:"domain,omitempty"`
	Path   string `json:"path,omitempty"`

	// Attributes that are added to the portal's Set-Cookie line if it lacks
	// them (RFC 6265bis, section 4.1.2): Secure (on https only), HttpOnly, and
	// SameSite, which is `Strict`, `Lax` or `None`. Default: none is added.
	Secure   bool   `json:"secure,omitempty"`
	HTTPOnly bool   `json:"http_only,omitempty"`
	SameSite string `json:"same_site,omitempty"`

	limit duration // the longest lifetime that is let through
	place string   // where the row was written
}

// cookieFields are the fields of a row, as a charter file and a Caddyfile
// block write them.
var cookieFields = []string{"name", "match", "provider", "service", "purpose", "category", "consent", "exempt", "duration", "domain", "path", "secure", "http_only", "same_site"}

// cookieTexts are those of them that can differ by language.
var cookieTexts = []string{"provider", "service", "purpose"}

// patterns returns what the filter matches.
func (c *Cookie) patterns() Names {
	if len(c.Match) > 0 {
		return c.Match
	}
	return c.Name
}

// consentKey returns the key of the answer that decides about the cookie, ""
// for one that needs none.
func (c *Cookie) consentKey() string {
	if c.Category == Necessary {
		return ""
	}
	if c.Consent != "" {
		return c.Consent
	}
	return string(c.Category)
}

// validate returns the first mistake in the row and the field that has it.
func (c *Cookie) validate() (field string, err error) {
	if len(c.Name) == 0 || slices.Contains(c.Name, "") {
		return "name", errors.New("a cookie has an empty name; give it one, such as sessionid")
	}
	field, fix := "name", "keep it if people read it so, and say in \"match\" what the filter matches"
	if len(c.Match) > 0 {
		field, fix = "match", "browsers differ over other names, so none of them can be let through"
	}
	for i, pattern := range c.patterns() {
		if err := validatePattern(pattern, fix); err != nil {
			return field, err
		}
		if slices.Contains(c.patterns()[:i], pattern) {
			return field, fmt.Errorf("%q stands there twice; remove one", pattern)
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(c.Purpose)), func(text string) bool { return strings.TrimSpace(text) != "" }) {
		return "purpose", errors.New(`missing purpose; say in "purpose" what the cookie is for`)
	}
	if c.Category == "" {
		return "category", fmt.Errorf("missing category; use one of %v", categories)
	}
	if !slices.Contains(categories, c.Category) {
		return "category", fmt.Errorf("unknown category %q; use one of %v", c.Category, categories)
	}
	if c.Category == Necessary && c.Consent != "" {
		return "consent", errors.New("a necessary cookie needs no answer; remove its consent key or choose another category")
	}
	if c.Category == Necessary && c.Exempt {
		return "exempt", errors.New("a necessary cookie needs no answer; remove exempt or choose another category")
	}
	if c.Consent != "" && !isConsentKey(c.Consent) {
		return "consent", fmt.Errorf("unusable consent key %q; use 1 to 64 letters, digits, '_', '-' or '.', and not %q", c.Consent, timestampKey)
	}
	if c.Duration != "" {
		if _, err := parseDuration(c.Duration); err != nil {
			return "duration", err
		}
	}
	if c.Domain != "" && (!isHost(c.Domain) || strings.HasPrefix(c.Domain, ".")) {
		return "domain", fmt.Errorf("unusable domain %q; write a host in lower case, such as example.fr", c.Domain)
	}
	if c.Path != "" && !isPath(c.Path) {
		return "path", fmt.Errorf("unusable path %q; write one from the root, such as /", c.Path)
	}
	if c.SameSite != "" && !slices.Contains([]string{"Strict", "Lax", "None"}, c.SameSite) {
		return "same_site", fmt.Errorf("unknown same_site %q; use Strict, Lax or None", c.SameSite)
	}
	return "", nil
}

func validatePattern(pattern, fix string) error {
	name, _ := strings.CutSuffix(pattern, "*")
	switch {
	case pattern == "*":
		return errors.New(`"*" alone would declare every cookie; write a longer prefix, such as _pk_id.*`)
	case strings.Contains(name, "*"):
		return fmt.Errorf(`%q has a "*" that is not its last character; only a prefix can be matched, such as _pk_id.*`, pattern)
	case !isToken(name):
		return fmt.Errorf("%q is not a cookie name, which is of letters, digits and !#$%%&'+-.^_`|~; %s", pattern, fix)
	}
	return nil
}

func isConsentKey(key string) bool {
	return len(key) >= 1 && len(key) <= 64 && key != timestampKey && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") == ""
}

// in returns the text for a language: its own, else the one for all
// languages, else that of the fallbacks in their order, else any.
func (t Text) in(language string, fallbacks ...string) string {
	for _, key := range append([]string{language, ""}, fallbacks...) {
		if text := t[key]; text != "" {
			return text
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if t[key] != "" {
			return t[key]
		}
	}
	return ""
}

// with returns the text with one more language, or with its text for all
// languages if tag is empty.
func (t Text) with(tag, text string) (Text, error) {
	if t == nil {
		t = Text{}
	}
	if tag == "" {
		t[""] = text
		return t, nil
	}
	parsed, err := language.Parse(tag)
	if err != nil {
		return t, fmt.Errorf("unknown language %q; use a tag such as fr or en, and put texts of several words in quotes", tag)
	}
	base, _ := parsed.Base()
	if _, ok := t[base.String()]; ok {
		return t, fmt.Errorf("two texts in the language %q; keep one", base)
	}
	t[base.String()] = text
	return t, nil
}

// MarshalJSON writes a plain string where there is one text for all languages.
func (t Text) MarshalJSON() ([]byte, error) {
	if text, ok := t[""]; ok && len(t) == 1 {
		return json.Marshal(text)
	}
	return json.Marshal(map[string]string(t))
}

// UnmarshalJSON reads a string or an object from language tags to strings.
func (t *Text) UnmarshalJSON(data []byte) (err error) {
	if string(data) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		*t, err = t.with("", text)
		return err
	}
	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		return fmt.Errorf("a text is a string or an object from languages to strings: %w", err)
	}
	for tag, text := range texts {
		if *t, err = t.with(tag, text); err != nil {
			return err
		}
	}
	return nil
}

// MarshalJSON writes a plain string where there is one name.
func (n Names) MarshalJSON() ([]byte, error) {
	if len(n) == 1 {
		return json.Marshal(n[0])
	}
	return json.Marshal([]string(n))
}

// UnmarshalJSON reads a string or an array of strings.
func (n *Names) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var name string
	if json.Unmarshal(data, &name) == nil {
		*n = Names{name}
		return nil
	}
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return fmt.Errorf("names are a string or an array of strings: %w", err)
	}
	*n = names
	return nil
}

// A duration is a declared lifetime: count units, or a session.
type duration struct {
	count int
	unit  string
}

const session = "session"

// durationUnits maps what people write to the unit that is meant.
var durationUnits = map[string]string{
	"s": "second", "sec": "second", "second": "second", "seconds": "second", "seconde": "second", "secondes": "second",
	"min": "minute", "minute": "minute", "minutes": "minute",
	"h": "hour", "hour": "hour", "hours": "hour", "heure": "hour", "heures": "hour",
	"d": "day", "day": "day", "days": "day", "j": "day", "jour": "day", "jours": "day",
	"week": "week", "weeks": "week", "semaine": "week", "semaines": "week",
	"month": "month", "months": "month", "mois": "month",
	"year": "year", "years": "year", "an": "year", "ans": "year", "année": "year", "années": "year",
}

// A month is a twelfth of a mean Gregorian year of 365.2425 days.
var secondsPerUnit = map[string]int{
	"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2629746, "year": 31556952,
}

func parseDuration(text string) (duration, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == session {
		return duration{unit: session}, nil
	}
	number := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	unit := durationUnits[strings.TrimSpace(text[len(number):])]
	count, err := strconv.Atoi(number)
	if err != nil || unit == "" || count < 1 || count > 9999 {
		return duration{}, fmt.Errorf(`unreadable duration %q; write "session", or a whole number and a unit, such as "30 min", "2 weeks" or "13 months"`, text)
	}
	return duration{count, unit}, nil
}

// seconds returns the lifetime in seconds, 0 for a session.
func (d duration) seconds() int {
	return d.count * secondsPerUnit[d.unit]
}

// longest returns the longest lifetime that a row allows: the declared one, but
// no more than browsers keep a cookie, nor, for an exempt row, 13 months (CNIL,
// audience measurement exempt from consent).
func (c *Cookie) longest() duration {
	limit := duration{maxLifetime, "second"}
	if exempt := (duration{13, "month"}); c.Exempt && exempt.seconds() < limit.seconds() {
		limit = exempt
	}
	if declared, err := parseDuration(c.Duration); err == nil && declared.seconds() < limit.seconds() {
		limit = declared
	}
	return limit
}

// A row is a Cookie with the places where it (under the empty key) and its
// fields were written, so that an error can name them.
type row struct {
	Cookie
	places map[string]string
}

func newRow(place string) row {
	return row{places: map[string]string{"": place}}
}

// place returns where a field was written, or else where the row begins.
func (r *row) place(field string) string {
	if place, ok := r.places[field]; ok {
		return place
	}
	return r.places[""]
}

// set stores one field as it was written: for a text in one language, or in
// all if language is empty.
func (r *row) set(field, language string, values []string, place string) (err error) {
	key := strings.TrimSpace(field + " " + language)
	if _, ok := r.places[key]; ok {
		return fmt.Errorf("%s already specified", key)
	}
	r.places[key] = place

	isFlag := field == "exempt" || field == "secure" || field == "http_only"
	if isFlag && len(values) == 0 {
		values = []string{"true"}
	}
	switch {
	case !slices.Contains(cookieFields, field):
		return fmt.Errorf("unknown field %q; a cookie has %s", field, strings.Join(cookieFields, ", "))
	case language != "" && !slices.Contains(cookieTexts, field):
		return fmt.Errorf("%s is the same in all languages; give it one value", field)
	case len(values) != 1 && field != "name" && field != "match":
		return fmt.Errorf("%s takes one value, not %d; put texts of several words in quotes", field, len(values))
	case field != "name" && (len(values) == 0 || values[0] == ""):
		return fmt.Errorf("%s is empty; give it a value or remove it", field)
	}

	flag := false
	if isFlag {
		if flag, err = strconv.ParseBool(values[0]); err != nil {
			return fmt.Errorf("%s is true or false, not %q", field, values[0])
		}
	}
	switch field {
	case "name":
		r.Name = values
	case "match":
		r.Match = values
	case "provider":
		r.Provider, err = r.Provider.with(language, values[0])
	case "service":
		r.Service, err = r.Service.with(language, values[0])
	case "purpose":
		r.Purpose, err = r.Purpose.with(language, values[0])
	case "category":
		r.Category = Category(values[0])
	case "consent":
		r.Consent = values[0]
	case "exempt":
		r.Exempt = flag
	case "duration":
		r.Duration = values[0]
	case "domain":
		r.Domain = values[0]
	case "path":
		r.Path = values[0]
	case "secure":
		r.Secure = flag
	case "http_only":
		r.HTTPOnly = flag
	case "same_site":
		r.SameSite = values[0]
	}
	return err
}

// A source is what one preset, one charter file or the inline rows declare.
type source struct {
	rows    []row
	updated time.Time
	preset  bool // its rows give way to later rows of the same name
}

//go:embed presets/*.yaml
var presetFiles embed.FS

func presetNames() []string {
	files, err := fs.Glob(presetFiles, "presets/*.yaml")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(file, "presets/"), ".yaml")
	}
	return files
}

func loadPreset(name string) (source, error) {
	if !slices.Contains(presetNames(), name) {
		return source{}, fmt.Errorf("unknown preset %q; use some of %s", name, strings.Join(presetNames(), ", "))
	}
	data, err := presetFiles.ReadFile("presets/" + name + ".yaml")
	if err != nil {
		return source{}, err
	}
	loaded, err := parseCharter(data, "preset "+name)
	loaded.preset = true
	return loaded, err
}

// loadPreferenceRow declares the cookie that holds the preference, for charters
// that do not.
func loadPreferenceRow(cookie string) (source, error) {
	data, err := pageFiles.ReadFile("page/preference.yaml")
	if err != nil {
		return source{}, err
	}
	loaded, err := parseCharter(data, "page/preference.yaml")
	if err != nil {
		return source{}, err
	}
	loaded.preset = true
	loaded.rows[0].Name = Names{cookie}
	return loaded, nil
}

func loadFile(path string) (source, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		absolute, _ := filepath.Abs(path)
		return source{}, fmt.Errorf("reading the charter file %s: %w", absolute, err)
	}
	return parseCharter(data, path)
}

// parseCharter reads a charter, in JSON if its name says so, else in YAML.
func parseCharter(data []byte, name string) (source, error) {
	var parsed source
	place := func(node *yaml.Node) string { return name + ":" + strconv.Itoa(node.Line) }
	parse := parseYAML
	if strings.EqualFold(filepath.Ext(name), ".json") {
		parse = parseJSON
	}
	root, line, err := parse(data)
	if err != nil {
		return parsed, fmt.Errorf("%w, at %s:%d", err, name, line)
	}
	if root.Kind != yaml.MappingNode {
		return parsed, fmt.Errorf(`a charter has the fields "updated" and "cookies", at %s`, place(root))
	}
	seen := map[string]bool{}
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if seen[key.Value] {
			return parsed, fmt.Errorf("%s already specified, at %s", key.Value, place(key))
		}
		seen[key.Value] = true
		switch key.Value {
		case "updated":
			if parsed.updated, err = parseDate(value.Value); err != nil {
				return parsed, fmt.Errorf("%w, at %s", err, place(value))
			}
		case "cookies":
			if value.Kind != yaml.SequenceNode {
				return parsed, fmt.Errorf(`"cookies" is a list of rows, at %s`, place(value))
			}
			for _, node := range value.Content {
				parsedRow, err := parseRow(node, place)
				if err != nil {
					return parsed, err
				}
				parsed.rows = append(parsed.rows, parsedRow)
			}
		default:
			return parsed, fmt.Errorf(`unknown field %q; a charter has "updated" and "cookies", at %s`, key.Value, place(key))
		}
	}
	if len(parsed.rows) == 0 {
		return parsed, fmt.Errorf(`the charter declares no cookie; add rows under "cookies", at %s`, place(root))
	}
	return parsed, nil
}

// yamlLine is how yaml.v3 begins an error.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// parseYAML returns the root node of a YAML file, or an error and its line.
func parseYAML(data []byte) (root *yaml.Node, line int, err error) {
	for i, text := range bytes.Split(data, []byte("\n")) {
		if !utf8.Valid(text) {
			return nil, i + 1, errors.New("the file is not in UTF-8; save it in that encoding")
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, 1, errors.New(`the charter is empty; declare rows under "cookies"`)
	} else if err != nil {
		line, _ := strconv.Atoi(yamlLine.FindStringSubmatch(err.Error())[1])
		message := yamlLine.ReplaceAllString(err.Error(), "")
		return nil, max(line, 1), fmt.Errorf(`unreadable YAML: %s; indent with spaces, and put texts that hold ": " in quotes`, message)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, max(second.Line, 1), errors.New("the charter has a second document; keep one")
	}
	return document.Content[0], 0, nil
}

// parseJSON returns the root of a JSON file as if it were YAML, or an error and
// its line. Not all JSON is YAML.
func parseJSON(data []byte) (root *yaml.Node, line int, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	lineAt := func(offset int64) int { return 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n")) }
	var parse func() (*yaml.Node, error)
	parse = func() (*yaml.Node, error) {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		node := &yaml.Node{Kind: yaml.ScalarNode, Line: lineAt(decoder.InputOffset()), Tag: "!!str"}
		switch value := token.(type) {
		case json.Delim:
			node.Kind = yaml.MappingNode
			if value == '[' {
				node.Kind = yaml.SequenceNode
			}
			for decoder.More() {
				child, err := parse()
				if err != nil {
					return nil, err
				}
				node.Content = append(node.Content, child)
			}
			_, err = decoder.Token() // the closing bracket
		case nil:
			node.Tag = nullTag
		default:
			node.Value = fmt.Sprint(value)
		}
		return node, err
	}
	root, err = parse()
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return root, 0, nil
		} else if err == nil {
			err = errors.New("text after the JSON object")
		}
	}
	offset := decoder.InputOffset()
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = syntax.Offset
	}
	return nil, lineAt(offset), fmt.Errorf("unreadable JSON: %w", err)
}

// nullTag is the tag of a value that is not there.
const nullTag = "!!null"

func parseRow(node *yaml.Node, place func(*yaml.Node) string) (row, error) {
	parsed := newRow(place(node))
	if node.Kind != yaml.MappingNode {
		return parsed, fmt.Errorf("a row has the fields %s, and is no alias, at %s", strings.Join(cookieFields, ", "), place(node))
	}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		set := func(language string, nodes ...*yaml.Node) error {
			values := make([]string, 0, len(nodes))
			for _, node := range nodes {
				if node.Kind != yaml.ScalarNode || node.Tag == nullTag {
					return fmt.Errorf("%s has a value that is no plain text, at %s", key.Value, place(node))
				}
				values = append(values, node.Value)
			}
			if err := parsed.set(key.Value, language, values, place(key)); err != nil {
				return fmt.Errorf("%w, at %s", err, place(key))
			}
			return nil
		}
		var err error
		switch value.Kind {
		case yaml.MappingNode:
			for j := 0; j < len(value.Content) && err == nil; j += 2 {
				err = set(value.Content[j].Value, value.Content[j+1])
			}
		case yaml.SequenceNode:
			err = set("", value.Content...)
		default:
			if value.Tag != nullTag {
				err = set("", value)
			}
		}
		if err != nil {
			return parsed, err
		}
	}
	return parsed, nil
}

func parseDate(text string) (time.Time, error) {
	date, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return date, fmt.Errorf("unreadable date %q; write it as 2026-11-21", text)
	}
	return date, nil
}

// A charter is the declared table of cookies: published by the page and
// enforced by the filter. It never changes once built.
type charter struct {
	cookies []*Cookie
	updated time.Time // the latest of the sources, zero if none says

	literals      map[string]*Cookie
	prefixes      map[string]*Cookie // without the "*"
	prefixLengths []int              // of prefixes, longest first
}

// newCharter joins the sources, in their order, into one table.
func newCharter(sources ...source) (*charter, error) {
	c := &charter{literals: map[string]*Cookie{}, prefixes: map[string]*Cookie{}}
	type claim struct {
		*row
		preset bool
	}
	claims := map[string]claim{} // by every name and pattern
	for _, source := range sources {
		if source.updated.After(c.updated) {
			c.updated = source.updated
		}
		for i := range source.rows {
			added := claim{&source.rows[i], source.preset}
			if field, err := added.validate(); err != nil {
				return nil, fmt.Errorf("cookie %q: %w, at %s", strings.Join(added.Name, " "), err, added.place(field))
			}
			for _, name := range slices.Concat(added.Name, added.Match) {
				earlier, taken := claims[name]
				switch {
				case !taken || earlier.row == added.row:
				case earlier.preset:
					maps.DeleteFunc(claims, func(_ string, other claim) bool { return other.row == earlier.row })
					c.cookies = slices.DeleteFunc(c.cookies, func(cookie *Cookie) bool { return cookie == &earlier.Cookie })
				default:
					return nil, fmt.Errorf("cookie %q is declared twice; remove one of the two, at %s and %s", name, earlier.place(""), added.place(""))
				}
				claims[name] = added
			}
			added.Cookie.place = added.row.place("")
			c.cookies = append(c.cookies, &added.Cookie)
		}
	}
	for _, cookie := range c.cookies {
		cookie.limit = cookie.longest()
		for _, pattern := range cookie.patterns() {
			if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
				c.prefixes[prefix] = cookie
				c.prefixLengths = append(c.prefixLengths, len(prefix))
			} else {
				c.literals[pattern] = cookie
			}
		}
	}
	slices.Sort(c.prefixLengths)
	c.prefixLengths = slices.Compact(c.prefixLengths)
	slices.Reverse(c.prefixLengths)
	return c, nil
}

// find returns the row that declares a name, nil if none does.
func (c *charter) find(name string) *Cookie {
	if cookie := c.literals[name]; cookie != nil {
		return cookie
	}
	for _, length := range c.prefixLengths {
		if length <= len(name) {
			if cookie := c.prefixes[name[:length]]; cookie != nil {
				return cookie
			}
		}
	}
	return nil
}

// A verdict is what the charter and the visitor's preference say of a name.
type verdict string

const (
	undeclared verdict = "undeclared"
	refused    verdict = "refused" // or unanswered, and not exempt
	allowed    verdict = "allowed"
)

// judge returns the verdict of a name, and the row that declares it. It asks
// the preference only where the row needs it.
func (c *charter) judge(name string, visitor *preference) (verdict, *Cookie) {
	cookie := c.find(name)
	if cookie == nil {
		return undeclared, nil
	}
	key := cookie.consentKey()
	if key == "" {
		return allowed, cookie
	}
	switch answer := visitor.answer(key); {
	case answer == answerGranted, answer == answerNone && cookie.Exempt:
		return allowed, cookie
	default:
		return refused, cookie
	}
}

// consentKeys returns the keys that a visitor can answer, in the order of the
// table.
func (c *charter) consentKeys() []string {
	var keys []string
	for _, cookie := range c.cookies {
		if key := cookie.consentKey(); key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

package charter

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// A Row is a declared cookie of the charter. Nothing changes it once that is built.
type Row struct {
	Cookie // as it is declared

	// Where the row (under the empty key) and its fields were written, so that an
	// error can name them.
	places map[string]string

	Number int      // of the row in the charter, from 0
	Key    string   // of the answer that decides, "" for one that needs none
	Limit  Duration // the longest lifetime that is let through

	sources []hostSource // the hosts, as they are read

	isMistaken bool // not all of it could be read
}

// NewRow returns an empty row that begins at a place, such as "charter.yaml:3".
func NewRow(place string) Row {
	return Row{places: map[string]string{"": place}}
}

// Place returns where a field was written, or else where the row begins. A field of a
// text can be followed by a language.
func (r *Row) Place(field string) string {
	if place, ok := r.places[field]; ok {
		return place
	}
	for written, place := range r.places {
		name, tag, hasTag := strings.Cut(written, " ")
		if base, _, _ := strings.Cut(tag, "-"); hasTag && name+" "+ascii.ToLower(base) == field {
			return place
		}
	}
	return r.places[""]
}

// Set stores one field as it was written: for a text in one language, or in
// all if language is empty.
func (r *Row) Set(name, language string, values []string, place string) (err error) {
	key := strings.TrimSpace(name + " " + language)
	if _, ok := r.places[key]; ok {
		return fmt.Errorf("%s already specified", key)
	}
	r.places[key] = place

	field := Fields.Find(name)
	if field == nil {
		return fmt.Errorf("unknown field %q; a row has %s", name, strings.Join(Fields.Names(), ", "))
	}
	into := field.Of(&r.Cookie)
	_, isNames := into.(*Names)
	_, isText := into.(*Text)
	if _, isFlag := into.(*bool); isFlag && len(values) == 0 {
		values = []string{"true"}
	}
	switch {
	case language != "" && !isText:
		return fmt.Errorf("%s is the same in all languages; give it one value", name)
	case len(values) != 1 && !isNames:
		return fmt.Errorf("%s takes one value, not %d; put texts of several words in quotes", name, len(values))
	case (len(values) == 0 || values[0] == "") && name != "name": // Validate reports a row without a name
		return fmt.Errorf("%s is empty; %s", name, cmp.Or(field.fix, "give it a value or remove it"))
	}
	switch into := into.(type) {
	case *Names:
		*into = values
	case *Text:
		*into, err = into.With(language, values[0])
	case *bool:
		if *into, err = strconv.ParseBool(values[0]); err != nil {
			return fmt.Errorf("%s is true or false, not %q", name, values[0])
		}
	case *string:
		*into = values[0]
	}
	return err
}

// Lifetime returns how long a cookie of the row lives for which a duration is declared:
// no longer than the row's limit, if durations are enforced and the row is not only
// monitored.
func (r *Row) Lifetime(declared Duration, enforces bool) Duration {
	if enforces && !r.Monitor && r.Limit.Seconds() < declared.Seconds() {
		return r.Limit
	}
	return declared
}

// PublishedDuration returns the duration that is published of the row, if it has one,
// by whether durations are enforced.
func (r *Row) PublishedDuration(enforces bool) (Duration, bool) {
	declared, err := ParseDuration(r.Duration)
	return r.Lifetime(declared, enforces), err == nil
}

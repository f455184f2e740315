package cookiecharter

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// UnmarshalJSON reads the handler from a Caddy config, strictly. An error says where the
// mistake is.
func (h *Handler) UnmarshalJSON(data []byte) error {
	type options Handler // without this method
	read := struct {
		*options

		Cookies     []json.RawMessage `json:"cookies"`
		Preferences []json.RawMessage `json:"preferences"`
		Page        json.RawMessage   `json:"page"`
	}{options: (*options)(h)}
	if err := unmarshalPart(data, &read, *h); err != nil {
		return err
	}
	h.Cookies, h.Preferences = nil, nil
	for i, raw := range read.Cookies {
		var cookie charter.Cookie
		if err := unmarshalPart(raw, &cookie, cookie); err != nil {
			return fmt.Errorf("%w, at inline row %d", err, i+1)
		}
		h.Cookies = append(h.Cookies, cookie)
	}
	for i, raw := range read.Preferences {
		var preference answers.Config
		if err := unmarshalPart(raw, &preference, preference); err != nil {
			return fmt.Errorf("%w, in preference %d", err, i+1)
		}
		h.Preferences = append(h.Preferences, preference)
	}
	if read.Page != nil {
		if err := unmarshalPart(read.Page, &h.Page, h.Page); err != nil {
			return fmt.Errorf("%w, in page", err)
		}
	}
	return nil
}

// unmarshalPart reads a part of the config that has the fields of a struct.
func unmarshalPart(data []byte, into, fields any) error {
	if err := caddy.StrictUnmarshalJSON(data, into); err != nil {
		return readableError(err, fields)
	}
	return nil
}

// readableError returns an error of package json in the words of the one who has
// written what was to be read into such a value.
func readableError(err error, into any) error {
	if mistake, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		name := mistake.Field[strings.LastIndexByte(mistake.Field, '.')+1:]
		if name == "" {
			return fmt.Errorf("what has to be %s is %s", kindInWords(mistake.Type), valueInWords(mistake.Value))
		}
		return fmt.Errorf("%s is %s, not %s", name, kindInWords(mistake.Type), valueInWords(mistake.Value))
	}
	_, quoted, isUnknown := strings.Cut(err.Error(), "json: unknown field ")
	if !isUnknown {
		return err
	}
	unknown := strings.Trim(quoted, `"`)
	for _, option := range options {
		if option.name == unknown && option.jsonName != "" && slices.Contains(jsonNames(into), option.jsonName) {
			return fmt.Errorf("unknown field %q: JSON calls it %s", unknown, option.jsonName)
		}
	}
	return fmt.Errorf("unknown field %q; there are %s", unknown, strings.Join(jsonNames(into), ", "))
}

// jsonNames returns what the fields of a struct are called in JSON.
func jsonNames(of any) []string {
	var names []string
	for _, field := range reflect.VisibleFields(reflect.TypeOf(of)) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func kindInWords(of reflect.Type) string {
	switch of.Kind() { //nolint:exhaustive // what options have
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list, in brackets"
	case reflect.String:
		return "a text, in quotes"
	default:
		return "an object, in braces"
	}
}

// valueInWords puts an article before what package json calls a value: "number",
// "string", "bool", "array" or "object", and a number with its digits.
func valueInWords(value string) string {
	kind, _, hasDigits := strings.Cut(value, " ")
	if hasDigits {
		return "the " + value
	}
	switch kind {
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	default:
		return "a number"
	}
}

// UnmarshalJSON reads a list of consent keys.
func (m *MatchConsent) UnmarshalJSON(data []byte) error {
	var keys []string
	if err := json.Unmarshal(data, &keys); err != nil {
		return errors.New(`cookie_consent is a list of consent keys, such as ["matomo"]`)
	}
	*m = keys
	return nil
}

// Interface guards
var (
	_ json.Unmarshaler = (*Handler)(nil)
	_ json.Unmarshaler = (*MatchConsent)(nil)
)

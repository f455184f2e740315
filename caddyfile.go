package cookiecharter

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/page"
)

func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	cookie_charter [<matcher>] {
//	    preset     <names...>
//	    charter    <files...>
//	    cookie     <names...> {
//	        match    <names or prefixes*...>
//	        host     <hosts...>
//	        script   <paths or prefixes*...>
//	        storage  <keys or prefixes*...>
//	        provider [<language>] <text>
//	        policy   [<language>] <link>
//	        country  <codes...>
//	        service  [<language>] <text>
//	        purpose  [<language>] <text>
//	        category necessary|statistics|first_party|third_party
//	        consent  <key>
//	        exempt
//	        duration <text>
//	        domain   <host>
//	        path     <path>
//	        secure
//	        http_only
//	        same_site Strict|Lax|None
//	        monitor
//	    }
//	    host       <hosts...> {
//	        consent  <key>
//	    }
//	    script     <paths or prefixes*...> {
//	        consent  <key>
//	    }
//	    storage    <keys or prefixes*...> {
//	        consent  <key>
//	    }
//	    site_name       [<language>] <text>
//	    intro           [<language>] <text>
//	    controller      [<language>] <text>
//	    contact         [<language>] <text>
//	    complaint       [<language>] <text>
//	    policy          [<language>] <link>
//	    accessibility   [<language>] <text>
//	    languages       <languages...>
//	    updated         <date>
//	    page [<path>] {
//	        title      [<language>] <text>
//	        logo       <path>
//	        theme      neutral|dsfr
//	        stylesheet <path>
//	        header     <file>
//	        footer     <file>
//	        template   <file>
//	        archive    <name or folder>
//	    }
//	    language        <language>
//	    preference      <format> [<cookie>] {
//	        key      <consent key> <banner's keys...>
//	        path     <path>
//	        list     <path>
//	        granted  <words...>
//	        refused  <words...>
//	        proof    <path> [<words...>]
//	        revision <number>
//	        manage   <URL>
//	        local_storage [<key>]
//	    }
//	    request_cookies filter|pass
//	    durations       enforce|declare
//	    monitor         [everything|undeclared]
//	    hosts           [enforce|monitor]
//	    guard           [enforce|monitor]
//	    notice          insert|manage
//	    third_party_cookies omit
//	    debug_header
//	    record_choices
//	    gpc             <date>
//	}
//
// The blocks of `host`, `script` and `storage` take the other fields of `cookie`, too, but
// for those that say something of cookies. `preset`, `charter`, `cookie`, `host`, `script`,
// `storage` and `preference` can be repeated; texts and links can be repeated with another
// language each.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	if d.NextArg() {
		return d.Errf("cookie_charter takes nothing but a matcher before its block, not %q; write options in the block, such as \"preset opendatasoft\"", d.Val())
	}
	var inline charter.Source
	var previous string
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		subdirective := d.Val()
		switch subdirective {
		case "{":
			return d.Errf("%s takes no block; remove the braces, and what is between them", previous)
		case "preset", "charter":
			names := d.RemainingArgs()
			if len(names) == 0 {
				return d.Errf("%s names nothing; write one or more behind it", subdirective)
			}
			for _, name := range names {
				var err error
				if subdirective == "preset" {
					_, err = charter.LoadPreset(name)
					h.Presets = append(h.Presets, name)
				} else {
					name, err = charter.ResolvePath(d.File(), name)
					h.Charters = append(h.Charters, name)
				}
				if err != nil {
					return d.WrapErr(err)
				}
			}
		case "languages":
			if len(h.Languages) > 0 {
				return d.Err("languages already specified")
			}
			if h.Languages = d.RemainingArgs(); len(h.Languages) == 0 {
				return d.Err("languages names none; write one or more behind it, such as fr en")
			}
		case "cookie", "host", "script", "storage":
			row, err := unmarshalRow(d)
			if err != nil {
				return err
			}
			inline.Rows = append(inline.Rows, row)
			h.Cookies = append(h.Cookies, row.Cookie)
		case "page":
			if err := h.unmarshalPage(d); err != nil {
				return err
			}
		case "preference":
			preference, err := unmarshalPreference(d)
			if err != nil {
				return err
			}
			h.Preferences = append(h.Preferences, preference)
		default:
			ok, err := h.unmarshalOption(d, "")
			if err != nil {
				return err
			}
			if !ok {
				if name, ok := caddyfileName(subdirective); ok {
					return d.Errf("%s is what JSON calls it; in a Caddyfile, write %s", subdirective, name)
				}
				return d.Errf("unrecognized subdirective: %s; use one of %s", subdirective, strings.Join(optionNames(""), ", "))
			}
		}
		if err := h.validateOptions(); err != nil {
			return d.WrapErr(err)
		}
		previous = subdirective
	}
	// Only the adapter knows the lines of inline rows, so look for their
	// mistakes here.
	return inline.Check()
}

// unmarshalOption reads an option of a block, if it is stored as a text or a flag.
func (h *Handler) unmarshalOption(d *caddyfile.Dispenser, block string) (ok bool, err error) {
	name := d.Val()
	i := slices.IndexFunc(options, func(o option) bool {
		return o.block == block && o.name == name && name != "" && (o.text != nil || o.flag != nil || o.texts != nil)
	})
	if i < 0 {
		return false, nil
	}
	option := options[i]
	if option.texts != nil {
		return true, unmarshalText(d, option.texts(h))
	}
	if option.text != nil && *option.text(h) != "" || option.flag != nil && *option.flag(h) {
		return true, d.Errf("%s already specified%s", name, option.hint)
	}
	if option.flag != nil {
		if *option.flag(h) = true; d.NextArg() {
			return true, d.Errf("%s takes no value; remove %q, or the whole line to turn it off", name, d.Val())
		}
		return true, nil
	}
	value := option.text(h)
	if option.bareValue != "" {
		if *value = option.bareValue; d.Args(value) && d.NextArg() {
			return true, d.Errf("%s takes one value at most; remove %q", name, d.Val())
		}
	} else if !d.AllArgs(value) {
		if option.values != nil {
			return true, d.Errf("%s takes one value; use %s%s", name, strings.Join(option.values, " or "), option.hint)
		}
		return true, oneValueError(d, name)
	}
	if option.resolve != nil {
		resolved, err := option.resolve(d.File(), *value)
		if err != nil {
			return true, d.WrapErr(err)
		}
		*value = resolved
	}
	return true, nil
}

// unmarshalText reads a text in one language, or in all.
func unmarshalText(d *caddyfile.Dispenser, into *charter.Text) (err error) {
	name, values := d.Val(), d.RemainingArgs()
	if len(values) != 1 && len(values) != 2 {
		return d.Errf("%s takes a text, or a language and a text; put texts of several words in quotes", name)
	}
	language, text := strings.Join(values[:len(values)-1], ""), values[len(values)-1]
	if text == "" {
		return d.Errf("%s is empty; write a text, or remove it", name)
	}
	if *into, err = into.With(language, text); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func oneValueError(d *caddyfile.Dispenser, option string) error {
	return d.Errf("%s takes one value; put texts of several words in quotes", option)
}

func (h *Handler) unmarshalPage(d *caddyfile.Dispenser) error {
	if !reflect.ValueOf(h.Page).IsZero() {
		return d.Err("page already specified")
	}
	if d.Args(&h.Page.Path); d.NextArg() {
		return d.Errf("page takes one path at most; remove %q", d.Val())
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		ok, err := h.unmarshalOption(d, "page")
		if err != nil {
			return err
		}
		if !ok {
			return d.Errf("unrecognized option: %s; a page has %s", option, strings.Join(optionNames("page"), ", "))
		}
		if err := h.validateOptions(); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

func unmarshalPreference(d *caddyfile.Dispenser) (answers.Config, error) {
	var preference answers.Config
	if !d.Args(&preference.Format) {
		return preference, d.Err("preference names no format; write one, such as opendatasoft")
	}
	d.Args(&preference.Cookie)
	if d.NextArg() {
		return preference, d.Errf("preference takes a format and a cookie; remove %q", d.Val())
	}
	texts := map[string]*string{"path": &preference.Path, "list": &preference.List, "manage": &preference.Manage}
	words := map[string]*charter.Names{"granted": &preference.Granted, "refused": &preference.Refused}
	wordsOf := map[string]*map[string]charter.Names{"key": &preference.Keys, "proof": &preference.Proofs}
	isGiven := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option, values := d.Val(), d.RemainingArgs()
		switch {
		case option == "key" && len(values) < 2:
			return preference, d.Err("key takes a consent key and the banner's keys for it")
		case option == "proof" && len(values) == 0:
			return preference, d.Err("proof takes a path, and the words that can be there")
		case words[option] != nil && len(values) == 0:
			return preference, d.Errf("%s takes words of the banner's", option)
		case (texts[option] != nil || option == "revision") && len(values) != 1:
			return preference, oneValueError(d, option)
		case isGiven[option] && words[option] == nil && wordsOf[option] == nil:
			return preference, d.Errf("%s already specified", option)
		case option == "local_storage" && len(values) > 1:
			return preference, d.Err("local_storage takes one key at most")

		case texts[option] != nil:
			*texts[option] = values[0]
		case words[option] != nil:
			*words[option] = append(*words[option], values...)
		case wordsOf[option] != nil:
			known := wordsOf[option]
			if *known == nil {
				*known = map[string]charter.Names{}
			}
			if _, ok := (*known)[values[0]]; ok {
				return preference, d.Errf("%s %s already specified", option, values[0])
			}
			(*known)[values[0]] = values[1:]
		case option == "revision":
			var err error
			if preference.Revision, err = strconv.Atoi(values[0]); err != nil {
				return preference, d.Errf("revision is a number, not %q", values[0])
			}
		case option == "local_storage":
			// What is not given is called as the cookie.
			if preference.LocalStorage = strings.Join(values, ""); len(values) == 0 && len(preference.Cookies()) > 0 {
				preference.LocalStorage = preference.Cookies()[0]
			}
		default:
			if name, ok := caddyfileName(option); ok {
				return preference, d.Errf("%s is what JSON calls it; in a Caddyfile, write %s", option, name)
			}
			return preference, d.Errf("unrecognized option: %s; a preference has %s", option, strings.Join(optionNames("preference"), ", "))
		}
		isGiven[option] = true
	}
	return preference, nil
}

// unmarshalRow reads a row, which begins with what it is of: cookies by their names,
// hosts, scripts or stored items.
func unmarshalRow(d *caddyfile.Dispenser) (charter.Row, error) {
	place := func() string { return fmt.Sprintf("%s:%d", d.File(), d.Line()) }
	row := charter.NewRow(place())
	first := d.Val()
	if first == "cookie" {
		first = "name"
	}
	if err := row.Set(first, "", d.RemainingArgs(), place()); err != nil {
		return row, d.WrapErr(err)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		field, language, values := d.Val(), "", d.RemainingArgs()
		if field == "name" {
			return row, d.Errf("in a Caddyfile, names stand behind cookie, not in its block; write cookie %s {", strings.Join(values, " "))
		}
		if len(values) == 2 && slices.Contains(charter.TextFields, field) {
			language, values = values[0], values[1:]
			if base, _, _ := strings.Cut(language, "-"); !slices.Contains(page.Languages, ascii.ToLower(base)) {
				return row, d.Errf("the page does not speak %q; use one of %s, and put texts of several words in quotes", language, strings.Join(page.Languages, ", "))
			}
		}
		if err := row.Set(field, language, values, place()); err != nil {
			return row, d.WrapErr(err)
		}
	}
	return row, nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)

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
//	        provider [<language>] <text>
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
//	        revision <number>
//	        manage   <URL>
//	        local_storage [<key>]
//	    }
//	    request_cookies filter|pass
//	    durations       enforce|declare
//	    monitor         [everything|undeclared]
//	    debug_header
//	    record_choices
//	    gpc             <date>
//	}
//
// `preset`, `charter`, `cookie` and `preference` can be repeated; `provider`, `service` and
// `purpose` can be repeated with another language each.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	if d.NextArg() {
		return d.Errf("cookie_charter takes nothing but a matcher before its block, not %q; write options in the block, such as \"preset opendatasoft\"", d.Val())
	}
	var inline charter.Source
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		subdirective := d.Val()
		switch subdirective {
		case "preset", "charter":
			values := d.RemainingArgs()
			if len(values) == 0 {
				return d.Errf("%s names nothing; write one or more behind it", subdirective)
			}
			if subdirective == "charter" {
				for _, path := range values {
					beside, err := charter.ResolvePath(d.File(), path)
					if err != nil {
						return d.WrapErr(err)
					}
					h.Charters = append(h.Charters, beside)
				}
				continue
			}
			for _, name := range values {
				if _, err := charter.LoadPreset(name); err != nil {
					return d.WrapErr(err)
				}
			}
			h.Presets = append(h.Presets, values...)
		case "cookie":
			declared, err := unmarshalCookie(d)
			if err != nil {
				return err
			}
			inline.Rows = append(inline.Rows, declared)
			h.Cookies = append(h.Cookies, declared.Cookie)
		case "page":
			if err := h.unmarshalPage(d); err != nil {
				return err
			}
		case "preference":
			stored, err := unmarshalPreference(d)
			if err != nil {
				return err
			}
			h.Preferences = append(h.Preferences, stored)
		default:
			ok, err := h.unmarshalOption(d, "")
			if err != nil {
				return err
			}
			if !ok {
				if name, ok := otherName(subdirective); ok {
					return d.Errf("%s is what JSON calls it; in a Caddyfile, write %s", subdirective, name)
				}
				return d.Errf("unrecognized subdirective: %s; use one of %s", subdirective, strings.Join(optionNames(""), ", "))
			}
		}
		if err := h.validateOptions(); err != nil {
			return d.WrapErr(err)
		}
	}
	// Only the adapter knows the lines of inline rows, so look for their
	// mistakes here.
	_, err := charter.New(inline)
	return err
}

// unmarshalOption reads an option of a block, if it is stored as a text or a flag.
func (h *Handler) unmarshalOption(d *caddyfile.Dispenser, block string) (ok bool, err error) {
	name := d.Val()
	i := slices.IndexFunc(options, func(o option) bool {
		return o.block == block && o.name == name && name != "" && (o.text != nil || o.flag != nil)
	})
	if i < 0 {
		return false, nil
	}
	option := options[i]
	if option.text != nil && *option.text(h) != "" || option.flag != nil && *option.flag(h) {
		return true, d.Errf("%s already specified", name)
	}
	if option.flag != nil {
		if *option.flag(h) = true; d.NextArg() {
			return true, d.Errf("%s takes no value; remove %q, or the whole line to turn it off", name, d.Val())
		}
		return true, nil
	}
	value := option.text(h)
	if option.alone != "" {
		if *value = option.alone; d.Args(value) && d.NextArg() {
			return true, d.Errf("%s takes one value at most; remove %q", name, d.Val())
		}
	} else if !d.AllArgs(value) {
		return true, wantsOneValue(d, name)
	}
	if option.beside != nil {
		beside, err := option.beside(d.File(), *value)
		if err != nil {
			return true, d.WrapErr(err)
		}
		*value = beside
	}
	return true, nil
}

func wantsOneValue(d *caddyfile.Dispenser, option string) error {
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
		if option := d.Val(); option == "title" {
			args := d.RemainingArgs()
			if len(args) != 1 && len(args) != 2 {
				return d.Err("title takes a text, or a language and a text; put texts of several words in quotes")
			}
			tag := strings.Join(args[:len(args)-1], "")
			var err error
			if h.Page.Title, err = h.Page.Title.With(tag, args[len(args)-1]); err != nil {
				return d.WrapErr(err)
			}
		} else if ok, err := h.unmarshalOption(d, "page"); err != nil {
			return err
		} else if !ok {
			return d.Errf("unrecognized option: %s; a page has %s", option, strings.Join(optionNames("page"), ", "))
		}
		if err := h.validateOptions(); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

func unmarshalPreference(d *caddyfile.Dispenser) (answers.Config, error) {
	var stored answers.Config
	if !d.Args(&stored.Format) {
		return stored, d.Err("preference names no format; write one, such as opendatasoft")
	}
	d.Args(&stored.Cookie)
	if d.NextArg() {
		return stored, d.Errf("preference takes a format and a cookie; remove %q", d.Val())
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option, values := d.Val(), d.RemainingArgs()
		switch {
		case option == "key" && len(values) >= 2:
			if stored.Keys == nil {
				stored.Keys = map[string]charter.Names{}
			}
			if _, ok := stored.Keys[values[0]]; ok {
				return stored, d.Errf("key %s already specified", values[0])
			}
			stored.Keys[values[0]] = values[1:]
		case option == "revision" && len(values) == 1:
			var err error
			if stored.Revision, err = strconv.Atoi(values[0]); err != nil {
				return stored, d.Errf("revision is a number, not %q", values[0])
			}
		case option == "local_storage" && len(values) <= 1:
			// What is not given is called as the cookie.
			if stored.LocalStorage = strings.Join(values, ""); len(values) == 0 && len(stored.Cookies()) > 0 {
				stored.LocalStorage = stored.Cookies()[0]
			}
		case option == "manage" && len(values) == 1:
			stored.Manage = values[0]
		case option == "key":
			return stored, d.Err("key takes a consent key and the banner's keys for it")
		case slices.Contains([]string{"revision", "manage"}, option):
			return stored, wantsOneValue(d, option)
		case option == "local_storage":
			return stored, d.Err("local_storage takes one key at most")
		default:
			if name, ok := otherName(option); ok {
				return stored, d.Errf("%s is what JSON calls it; in a Caddyfile, write %s", option, name)
			}
			return stored, d.Errf("unrecognized option: %s; a preference has %s", option, strings.Join(optionNames("preference"), ", "))
		}
	}
	return stored, nil
}

func unmarshalCookie(d *caddyfile.Dispenser) (charter.Row, error) {
	place := func() string { return fmt.Sprintf("%s:%d", d.File(), d.Line()) }
	declared := charter.NewRow(place())
	if err := declared.Set("name", "", d.RemainingArgs(), place()); err != nil {
		return declared, d.WrapErr(err)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		field, language, values := d.Val(), "", d.RemainingArgs()
		if field == "name" {
			return declared, d.Errf("in a Caddyfile, names stand behind cookie, not in its block; write cookie %s {", strings.Join(values, " "))
		}
		if len(values) == 2 && slices.Contains(charter.TextFields, field) {
			language, values = values[0], values[1:]
			if base, _, _ := strings.Cut(language, "-"); !slices.Contains(page.Languages, ascii.ToLower(base)) {
				return declared, d.Errf("the page does not speak %q; use one of %s, and put texts of several words in quotes", language, strings.Join(page.Languages, ", "))
			}
		}
		if err := declared.Set(field, language, values, place()); err != nil {
			return declared, d.WrapErr(err)
		}
	}
	return declared, nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)

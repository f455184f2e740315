package page

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	texttemplate "text/template"
	"text/template/parse"
	"time"
	"unicode/utf8"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/guard"
)

// files are the page's own: templates, styles, the script and the schema.
//
//go:embed *.html *.css *.js *.json languages
var files embed.FS

// An asset is a file beside the page.
type asset struct {
	contentType  string
	cacheControl string
	body         *compressible
}

// loadFiles reads the files of the page: its own, and the operator's.
func (p *Page) loadFiles() error {
	read := func(option, name string, into *template.HTML) error {
		if name == "" {
			return nil
		}
		if absolute, err := filepath.Abs(name); err == nil {
			name = absolute // for the error
		}
		content, err := os.ReadFile(name)
		if err == nil && !utf8.Valid(content) {
			err = errors.New("the file is not in UTF-8; save it in that encoding")
		}
		if err != nil {
			return fmt.Errorf("the %s of the page: %w; name a file that Caddy can read", option, err)
		}
		*into = template.HTML(content) //nolint:gosec // the operator's own, to be put in as it is
		return nil
	}
	var override template.HTML
	err := cmp.Or(read("header", p.Header, &p.header), read("footer", p.Footer, &p.footer), read("template", p.Template, &override))
	if err != nil {
		return err
	}
	if p.template, err = template.ParseFS(files, "*.html"); err != nil {
		return err
	}
	p.template = p.template.Lookup("page.html")
	if override != "" {
		if err := p.override(string(override)); err != nil {
			return fmt.Errorf("%w, in %s", err, p.Template)
		}
	}

	var properties, style, look, notice, schema []byte
	for name, into := range map[string]*[]byte{p.Theme + ".css": &properties, styleFile: &style, p.Theme + ".page.css": &look, noticeStyleFile: &notice, schemaFile: &schema} {
		if *into, err = files.ReadFile(name); err != nil {
			return err
		}
	}
	style = slices.Concat(properties, style, look)
	notice = noticeStyle(properties, notice)
	const anHour, always = "public, max-age=3600", "public, max-age=31536000, immutable"
	p.assets = map[string]asset{
		styleFile:       {"text/css; charset=utf-8", always, &compressible{plain: style}},
		noticeStyleFile: {"text/css; charset=utf-8", anHour, &compressible{plain: notice}},
		schemaFile:      {"application/schema+json", anHour, &compressible{plain: schema}},
	}
	if p.Guard != nil {
		p.assets[guard.FileName] = asset{"text/javascript; charset=utf-8", always, &compressible{plain: p.Guard.Script()}}
	}
	p.styleName = styleFile + "?v=" + charter.Hash(style, 4)
	script, err := p.newScript()
	if script != nil {
		p.assets[scriptFile] = asset{"text/javascript; charset=utf-8", anHour, &compressible{plain: script}}
	}
	if err != nil {
		return err
	}

	if err := p.makeOnce(); err != nil {
		return fmt.Errorf("%w, in %s", err, p.Template)
	}
	p.tables = map[*texts]template.HTML{}
	for _, text := range p.texts {
		var tables strings.Builder
		data := Data{Language: text.tag.String(), Direction: text.Direction, Text: text, Kinds: p.kinds[text]}
		if err := p.template.ExecuteTemplate(&tables, "charter-tables", data); err != nil {
			return fmt.Errorf("%w, in %s", err, p.Template)
		}
		p.tables[text] = template.HTML(tables.String()) //nolint:gosec // the template has escaped it
	}
	// Whatever there is to show, the operator's template can show it, and also a version
	// in the archive, which lacks what a visitor's page has.
	if override != "" {
		for _, data := range []*Data{p.sample(p.texts[0]), p.archived(p.texts[0], time.Now())} {
			if err := p.template.Execute(&bytes.Buffer{}, data); err != nil {
				return fmt.Errorf("%w, in %s", err, p.Template)
			}
		}
	}
	return nil
}

// sameForAll are the parts of the template that are the same for all visitors who read a
// language, unless a form post is told of.
var sameForAll = []string{"charter-alternates", "charter-languages", "charter-trial", "charter-kinds", "charter-enforced", "charter-limits", "charter-portal", "charter-exports"}

// makeOnce makes those parts in each language, and a template that puts them in. What the
// operator's template defines is no such part: it can show what is one visitor's.
func (p *Page) makeOnce() (err error) {
	if p.forVisitors, err = p.template.Clone(); err != nil {
		return err
	}
	p.parts = map[*texts]map[string]template.HTML{}
	for _, text := range p.texts {
		p.parts[text] = map[string]template.HTML{}
	}
	for _, name := range sameForAll {
		if slices.Contains(p.ownParts, name) {
			continue
		}
		if p.forVisitors, err = p.forVisitors.Parse(fmt.Sprintf("{{define %q}}{{.Part %[1]q}}{{end}}", name)); err != nil {
			return err
		}
		for _, text := range p.texts {
			data := p.fixed("", text)
			data.Fixed, data.Languages, data.Exports = false, p.languages(text, url.Values{}), exports(text)
			var part strings.Builder
			if err := p.template.ExecuteTemplate(&part, name, data); err != nil {
				return err
			}
			p.parts[text][name] = template.HTML(part.String()) //nolint:gosec // the template has escaped it
		}
	}
	return nil
}

// noticeStyle returns the style of the notice: in the portal's own pages, nothing else
// has the theme's custom properties.
func noticeStyle(properties, style []byte) []byte {
	return slices.Concat(bytes.ReplaceAll(properties, []byte(":root"), []byte(".charter-notice")), style)
}

// override puts the operator's template in the place of the page's own, or of
// those of its parts that it defines.
func (p *Page) override(text string) error {
	own, err := template.New("page.html").Parse(text)
	if err != nil {
		return err
	}
	var parts, known []string
	for _, part := range p.template.Templates() {
		if strings.HasPrefix(part.Name(), "charter-") {
			known = append(known, part.Name())
		}
	}
	for _, part := range own.Templates() {
		if slices.Contains(known, part.Name()) {
			parts = append(parts, part.Name())
		} else if strings.HasPrefix(part.Name(), "charter-") {
			slices.Sort(known)
			return fmt.Errorf("the page has no part %q; define some of %s", part.Name(), strings.Join(known, ", "))
		}
	}
	isPage := own.Tree != nil && !parse.IsEmptyTree(own.Tree.Root)
	if isPage && len(parts) > 0 && !strings.Contains(ascii.ToLower(text), "<!doctype") {
		return fmt.Errorf("the template defines %s, and has text outside of it, which would be the whole page; remove that text, or write a page that begins with <!DOCTYPE html>", strings.Join(parts, ", "))
	}
	p.ownParts = parts
	p.template, err = p.template.Parse(text)
	return err
}

// newScript returns the script that copies what banners keep in local storage,
// nil if none does.
func (p *Page) newScript() ([]byte, error) {
	type storageCopy struct {
		Key     string `json:"key"`
		Cookie  string `json:"cookie"`
		Seconds int    `json:"seconds"`
	}
	var copies []storageCopy
	for _, preference := range p.Answers.Preferences {
		if preference.LocalStorage != "" {
			copies = append(copies, storageCopy{preference.LocalStorage, preference.Names[0], preference.Lifetime.Seconds()})
		}
	}
	if copies == nil {
		return nil, nil
	}
	script, err := texttemplate.ParseFS(files, scriptFile)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(copies)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	err = script.Execute(&body, string(encoded))
	return body.Bytes(), err
}

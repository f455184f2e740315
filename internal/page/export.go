package page

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/request"
)

// An exportFormat is one other than HTML in which the page has the charter.
type exportFormat struct {
	key, name, contentType string // the page has no link to one without a name
	write                  func(*Page, *http.Request, *texts) ([]byte, error)
}

var exportFormats = []exportFormat{
	{"json", "JSON", "application/json", func(p *Page, _ *http.Request, _ *texts) ([]byte, error) { return p.exportJSON(nil) }},
	{"markdown", "Markdown", "text/markdown; charset=utf-8", (*Page).exportMarkdown},
	{"notice", "", "text/html; charset=utf-8", (*Page).exportNotice},
	{"edpb", "EDPB Website Auditing Tool", "application/json", (*Page).exportKnowledge},
}

// requestedFormat returns the format that a request asks for, "" for HTML: by
// `?format=`, else by what it accepts.
func requestedFormat(r *http.Request) string {
	if format := r.URL.Query().Get("format"); format != "" {
		return format
	}
	accept := strings.Join(r.Header["Accept"], ",")
	if quality(accept, "application/json") > quality(accept, "text/html") {
		return "json"
	}
	return ""
}

// quality returns the weight of a media type that an Accept field names, 0 if
// it does not name it (RFC 9110, section 12.5.1).
func quality(accept, mediaType string) float64 {
	for element := range strings.SplitSeq(accept, ",") {
		named, parameters := ascii.MediaType(element)
		if named != mediaType {
			continue
		}
		weight, err := strconv.ParseFloat(parameters["q"], 64)
		if err != nil {
			return 1
		}
		return weight
	}
	return 0
}

// export writes the charter in another format.
func (p *Page) export(e Exchange, format string, text *texts) error {
	for _, known := range exportFormats {
		if known.key != format {
			continue
		}
		body, err := known.write(p, e.Request, text)
		if errors.Is(err, errNothingToAsk) {
			return p.refuse(e, http.StatusBadRequest, "format", err)
		}
		if err != nil {
			return caddyhttp.Error(http.StatusInternalServerError, err)
		}
		return p.write(e, known.contentType, body)
	}
	return p.refuse(e, http.StatusBadRequest, "format", errors.New("there is no such format of the charter"))
}

// effectWords are what is done about hosts and scripts, as the options say it.
var effectWords = map[document.Effect]string{document.Reported: "monitor", document.Enforced: "enforce"}

// exportJSON returns the charter as a charter file in JSON: with it, another
// site could declare the same. In an archive, what is kept stands beside it.
func (p *Page) exportJSON(archived *kept) ([]byte, error) {
	declared := struct {
		Schema  string `json:"$schema"`
		Version string `json:"version"`
		Module  string `json:"module"`
		charter.About
		Updated string           `json:"updated,omitempty"`
		Hosts   string           `json:"hosts,omitempty"`
		Guard   string           `json:"guard,omitempty"`
		Cookies []charter.Cookie `json:"cookies"`
		*kept
	}{Schema: schemaFile, Version: p.Charter.Version, Module: p.Module, About: p.Charter.About, Hosts: effectWords[p.Hosts], Guard: effectWords[p.guardEffect()], kept: archived}
	if !p.Charter.Updated.IsZero() {
		declared.Updated = p.Charter.Updated.Format(time.DateOnly)
	}
	for _, cookie := range p.Charter.Rows {
		row := cookie.Cookie
		if lifetime, ok := p.Policy.PublishedDuration(cookie); ok {
			row.Duration = lifetime.String()
		}
		declared.Cookies = append(declared.Cookies, row)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(declared)
	return body.Bytes(), err
}

// markdownEscapes are the characters that mean something in a table's text.
var markdownEscapes = strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", "&", "&amp;", "[", `\[`, "]", `\]`, "\n", " ", "\r", " ")

// markdownProvider returns who sets a row's cookies, with the policy, and where data go.
func markdownProvider(row Row, text *texts) string {
	provider := markdownEscapes.Replace(row.Provider.Text)
	if row.Provider.Link != "" && provider != "" {
		provider = "[" + provider + "](" + strings.NewReplacer("(", "%28", ")", "%29", "|", "%7C").Replace(row.Provider.Link) + ")"
	}
	if row.Countries != "" {
		provider += "; " + fmt.Sprintf(text.Countries, markdownEscapes.Replace(row.Countries))
	}
	return provider
}

// markdownList returns what a row has in a cell, with a list of other names behind it.
func markdownList(own, label string, names charter.Names) string {
	if len(names) == 0 {
		return own
	}
	list := label + " " + markdownEscapes.Replace(strings.Join(names, ", "))
	if own == "" {
		return list
	}
	return own + "; " + list
}

// markdownDuration returns how long a row's cookies are kept, and its stored items.
func markdownDuration(row Row, text *texts) string {
	if len(row.Storage) == 0 {
		return row.Duration
	}
	var cookies string
	if len(row.Names) > 0 {
		cookies = text.Cookies + " " + cmp.Or(row.Duration, "–")
	}
	return markdownList(cookies, text.Storage, charter.Names{text.UntilDeleted})
}

// exportMarkdown returns the tables of the page, to be pasted into a back office.
func (p *Page) exportMarkdown(r *http.Request, text *texts) ([]byte, error) {
	var body bytes.Buffer
	fmt.Fprintf(&body, "# %s\n\n", markdownEscapes.Replace(p.title(text).Text))
	for _, kind := range p.kinds[text] {
		if len(kind.Providers) == 0 {
			continue
		}
		fmt.Fprintf(&body, "## %s\n\n%s\n\n", markdownEscapes.Replace(kind.Name), markdownEscapes.Replace(kind.Definition))
		columns := text.Columns
		if kind.HasStorage {
			columns.Name = columns.Item
		}
		fmt.Fprintf(&body, "| %s | %s | %s | %s | %s |\n|---|---|---|---|---|\n", columns.Provider, columns.Service, columns.Name, columns.Purpose, columns.Duration)
		for _, row := range kind.Rows() {
			service := markdownList(markdownEscapes.Replace(row.Service.Text), text.Hosts, row.Hosts)
			names := markdownList(markdownEscapes.Replace(strings.Join(row.Names, ", ")), text.Storage, row.Storage)
			purpose := row.Purpose.Text
			if row.Exempt {
				purpose += " " + text.Exempt
			}
			fmt.Fprintf(&body, "| %s | %s | %s | %s | %s |\n", markdownProvider(row, text), service, cmp.Or(names, "–"), markdownEscapes.Replace(purpose), markdownDuration(row, text))
		}
		body.WriteByte('\n')
	}
	fmt.Fprintf(&body, text.Version+"\n", p.Charter.Version)
	return body.Bytes(), nil
}

// exportKnowledge returns a knowledge base for the Website Auditing Tool of the
// European Data Protection Board, which tells an inspector what each cookie is
// declared to be.
func (p *Page) exportKnowledge(r *http.Request, text *texts) ([]byte, error) {
	type knowledge struct {
		Kind       string `json:"kind"`
		Domain     string `json:"domain"`
		Name       string `json:"name"`
		Category   string `json:"category"`
		Source     string `json:"source"`
		Controller string `json:"controller"`
		Policy     string `json:"policy"`
		Reference  string `json:"reference"`
		Comment    string `json:"comment"`
		Created    string `json:"created_at"`
		Updated    string `json:"updated_at"`
	}
	site := address(r)
	var known []knowledge
	for _, cookie := range p.Charter.Rows {
		comment := p.textIn(text, cookie.Purpose).Text
		if lifetime, ok := p.Policy.PublishedDuration(cookie); ok {
			comment += " " + text.Columns.Duration + ": " + text.duration(lifetime)
		}
		provider := p.providerIn(text, cookie)
		for _, name := range cookie.Patterns() {
			known = append(known, knowledge{
				Kind: "cookie", Domain: cookie.DomainOn(request.Host(r)), Name: name, Category: text.Kinds[cookie.Category].Name, Source: site,
				Controller: provider.Text, Policy: cmp.Or(provider.Link, site+r.URL.Path), Reference: p.Charter.Version, Comment: comment,
				Created: p.Charter.Updated.Format(time.RFC3339), Updated: p.Charter.Updated.Format(time.RFC3339),
			})
		}
	}
	return json.MarshalIndent([]struct {
		Name       string      `json:"name"`
		Author     string      `json:"author"`
		Category   string      `json:"category"`
		Knowledges []knowledge `json:"knowledges"`
	}{{p.title(text).Text + " – " + site, site, "cookie", known}}, "", "  ")
}

// Print returns the charter in a format, as a file that needs no server; a page, as one of a
// site with this address, "" for one that is not known.
func (p *Page) Print(format, site string, r *http.Request) ([]byte, error) {
	text := p.textsFor(r)
	switch format {
	case "html":
		data := p.fixed(site, text)
		data.InlineStyle = template.CSS(p.assets[styleFile].body.plain) //nolint:gosec // the page's own
		if site == "" {
			data.Logo, data.Stylesheet = "", "" // there is nowhere to get them
		}
		var html bytes.Buffer
		err := p.template.Execute(&html, data)
		return standAlone(html.Bytes(), site), err
	case "yaml":
		return p.exportYAML()
	}
	for _, known := range exportFormats {
		if known.key == format {
			return known.write(p, r, text)
		}
	}
	return nil, fmt.Errorf("unknown format %q; use json, yaml, markdown, edpb, html or notice", format)
}

// ofSite is what in a page leads to a path on its site, or shows what is there.
var ofSite = regexp.MustCompile(` (href|src)="(/[^"]*)"`)

// standAlone returns a page in which what is of the site leads there, and not to where the
// file lies; nowhere, if the site is not known.
func standAlone(html []byte, site string) []byte {
	return ofSite.ReplaceAllFunc(html, func(found []byte) []byte {
		if site == "" {
			return nil
		}
		parts := ofSite.FindSubmatch(found)
		return fmt.Appendf(nil, ` %s="%s%s"`, parts[1], template.HTMLEscapeString(site), parts[2])
	})
}

// exportYAML returns the exported charter in YAML.
func (p *Page) exportYAML() ([]byte, error) {
	exported, err := p.exportJSON(nil)
	if err != nil {
		return nil, err
	}
	var document yaml.Node // JSON is written in a style of YAML
	if err := yaml.Unmarshal(exported, &document); err != nil {
		return nil, err
	}
	var plain func(*yaml.Node)
	plain = func(node *yaml.Node) {
		node.Style = 0
		for _, child := range node.Content {
			plain(child)
		}
	}
	plain(&document)
	return yaml.Marshal(&document)
}

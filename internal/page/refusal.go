package page

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// refusalData is what the template of a refusal shows: nothing of the visitor's, as
// another site can have led there.
type refusalData struct {
	Language, Direction string
	Heading, Reason     string
	Title               Text   // of the page
	Site                string // what the portal is called
	Page                string // where the page is
	Style               string
	Stylesheet          string // the operator's; "" for none
}

// refuse answers that a request cannot be done: to people with a small page that says
// why, in their language, and leads to the charter. Programs that do not take HTML get the
// status alone, from Caddy, which tells it to `handle_errors`.
func (p *Page) refuse(e Exchange, status int, reason string, cause error) error {
	r := e.Request
	header := e.Header()
	if !acceptsHTML(r) {
		return caddyhttp.Error(status, cause)
	}
	text := p.textsFor(r)
	data := refusalData{
		Language:   text.tag.String(),
		Direction:  text.Direction,
		Heading:    text.Refused["title"],
		Reason:     text.Refused[reason],
		Title:      p.title(text),
		Site:       p.site(address(r), text),
		Stylesheet: p.Stylesheet,
	}
	// Relative, as on the page itself; from a file beside it, its folder is the page.
	base := ""
	if r.URL.Path == p.Path {
		base = p.ownFolder()
	}
	data.Style = base + p.styleName
	data.Page = cmp.Or(base, "./") + "?flg=" + data.Language
	var body bytes.Buffer
	if err := p.template.ExecuteTemplate(&body, "refusal.html", data); err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	// Caddy would log it by the same levels.
	level := zap.DebugLevel
	if status >= http.StatusInternalServerError {
		level = zap.ErrorLevel
	}
	p.Logger.Log(level, "refusing a request for the page", zap.Int("status", status), zap.Error(cause))
	header.Set("Content-Language", data.Language)
	return p.writeStatus(e, status, "text/html; charset=utf-8", &compressible{plain: body.Bytes()})
}

// acceptsHTML tells whether an answer in HTML is of use: who prefers JSON is a program.
func acceptsHTML(r *http.Request) bool {
	accept := strings.Join(r.Header["Accept"], ",")
	html := quality(accept, "text/html")
	return accept == "" || max(html, quality(accept, "text/*"), quality(accept, "*/*")) > 0 && quality(accept, "application/json") <= html
}

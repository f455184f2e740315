package page

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/request"
)

// maxThanks is how long after an answer the notice confirms it: on the page to which that
// leads back, and hardly on others.
const maxThanks = 15 * time.Second

// returnField is the field of a form post that says where to go back to.
const returnField = "return"

// noticeData is what the template of the notice shows.
type noticeData struct {
	Language, Direction string
	Text                *texts
	Title               Text
	Site                string // what the portal is called
	Controller          Text
	Questions           []Question
	Consequences        string // of either answer; "" if answers are not enforced yet
	Status              string // that an answer was just stored; "" if one is asked for
	Base                string // the page's path, as the client sees it
	Style               string
	Return              string
	Asked               string // fingerprints of the questions
}

// encodeReference encodes all of a reference but letters, digits and what is
// common in URLs: where the notice is put into a template, nothing that a
// visitor has chosen may be taken for the template's own code.
func encodeReference(reference string) string {
	var encoded strings.Builder
	for _, char := range []byte(reference) {
		if char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z' || char >= '0' && char <= '9' || strings.IndexByte("/?&=%+:@,;#.-_~", char) >= 0 {
			encoded.WriteByte(char)
		} else {
			fmt.Fprintf(&encoded, "%%%02X", char)
		}
	}
	return encoded.String()
}

// showNotice writes a fragment of HTML that asks for an answer, or confirms one that was
// just given, for portals to put into their pages; else it is empty.
func (p *Page) showNotice(e Exchange) error {
	var body bytes.Buffer
	given, _ := e.Visitor.AnswerTime()
	hasToAsk := p.hasToAsk(e.Visitor)
	wasAnswered := !hasToAsk && p.Answers.Now().Sub(given).Abs() <= maxThanks // clocks of instances differ
	if p.canAnswer && (hasToAsk || wasAnswered) {
		r := e.Request
		text := p.textsFor(r)
		data := p.noticeData(r, text)
		data.Questions, data.Style = p.questions(text, e.Visitor), noticeStyleFile
		if wasAnswered {
			data.Status = text.Status[statusSaved]
		}
		if back := r.URL.Query().Get(returnField); charter.IsLocal(back) {
			data.Return = encodeReference(back)
		}
		if err := p.template.ExecuteTemplate(&body, "notice.html", data); err != nil {
			return caddyhttp.Error(http.StatusInternalServerError, err)
		}
		e.Header().Set("Content-Language", data.Language)
	}
	e.Header().Add("Vary", "Accept-Language, Cookie")
	return p.write(e, "text/html; charset=utf-8", body.Bytes())
}

// noticeData returns what the notice tells all visitors.
func (p *Page) noticeData(r *http.Request, text *texts) noticeData {
	return noticeData{
		Language: text.tag.String(), Direction: text.Direction, Text: text, Title: p.title(text), Site: p.site(address(r), text),
		Controller: p.about[text].Controller, Questions: p.about[text].questions, Consequences: p.consequences(text),
		Base:  strings.TrimSuffix(strings.TrimSuffix(request.URL(r).EscapedPath(), noticeFile), "/") + "/",
		Asked: p.asks(),
	}
}

var errNothingToAsk = errors.New("there is nothing that the page asks, so there is no notice")

// exportNotice returns a notice to be pasted into pages that are the same for all visitors:
// it asks whoever reads it, and needs neither style nor script.
func (p *Page) exportNotice(r *http.Request, text *texts) ([]byte, error) {
	if !p.canAnswer || len(p.Charter.ConsentKeys()) == 0 {
		return nil, errNothingToAsk
	}
	var body bytes.Buffer
	err := p.template.ExecuteTemplate(&body, "notice.html", p.noticeData(r, text))
	return bytes.TrimSpace(body.Bytes()), err
}

// hasToAsk tells whether an answer is missing without which a cookie is refused.
func (p *Page) hasToAsk(visitor *answers.Visitor) bool {
	for _, cookie := range p.Charter.Rows {
		if cookie.Category != charter.Necessary && !cookie.Exempt && visitor.AnswerTo(cookie) == answers.None {
			return true
		}
	}
	return false
}

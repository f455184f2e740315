package page

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
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
	Skips               bool   // it can be skipped, as the portal may have no such link of its own in front of it
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
	if p.HasNotice(e.Visitor) {
		r := e.Request
		text := p.textsFor(r)
		data := p.noticeData(r, text)
		p.addVisitor(&data, text, e.Visitor, r.URL.Query().Get(returnField))
		if err := p.template.ExecuteTemplate(&body, "notice.html", data); err != nil {
			return caddyhttp.Error(http.StatusInternalServerError, err)
		}
		e.Header().Set("Content-Language", data.Language)
	}
	e.Header().Add("Vary", "Accept-Language, Cookie")
	return p.write(e, "text/html; charset=utf-8", body.Bytes())
}

// HasNotice tells whether the notice asks or tells a visitor anything.
func (p *Page) HasNotice(visitor *answers.Visitor) bool {
	return p.canAnswer && (p.hasToAsk(visitor) || p.hasJustAnswered(visitor))
}

// hasJustAnswered tells whether a visitor has answered a moment ago.
func (p *Page) hasJustAnswered(visitor *answers.Visitor) bool {
	given, _ := visitor.AnswerTime()
	return p.Answers.Now().Sub(given).Abs() <= maxThanks // clocks of instances differ
}

// Notice returns the notice for a document of the portal that a visitor asks for, in ASCII,
// which is the same in all encodings that documents have.
func (p *Page) Notice(r *http.Request, visitor *answers.Visitor) ([]byte, error) {
	text := p.textsFor(r)
	questions := p.questions(text, visitor)
	key := noticeKey{text: text, site: p.site(address(r), text), isAsked: p.hasToAsk(visitor)}
	for i := range questions {
		key.stored += questions[i].Stored + "\n"
	}
	back := request.URL(r).RequestURI()
	if key.leadsBack = charter.IsLocal(back); !key.leadsBack {
		back = ""
	}
	parts, isMade := p.notices.get(key)
	if !isMade {
		data := p.noticeData(r, text)
		data.Base, data.Skips = p.Path+"/", true
		p.addVisitor(&data, text, visitor, "")
		if key.leadsBack {
			data.Return = returnMark
		}
		var body bytes.Buffer
		if err := p.template.ExecuteTemplate(&body, "notice.html", data); err != nil {
			return nil, err
		}
		parts = bytes.Split(toASCII(bytes.TrimSpace(body.Bytes())), []byte(returnMark))
		p.notices.add(key, parts)
	}
	return bytes.Join(parts, []byte(html.EscapeString(encodeReference(back)))), nil
}

// ManageLink returns a link to the page for the end of a document of the portal, in ASCII.
func (p *Page) ManageLink(r *http.Request) ([]byte, error) {
	text := p.textsFor(r)
	key := noticeKey{text: text, isLink: true}
	parts, isMade := p.notices.get(key)
	if !isMade {
		data := noticeData{Language: text.tag.String(), Direction: text.Direction, Text: text, Title: p.title(text), Base: p.Path + "/", Style: noticeStyleFile}
		var body bytes.Buffer
		if err := p.template.ExecuteTemplate(&body, "manage.html", data); err != nil {
			return nil, err
		}
		parts = [][]byte{toASCII(bytes.TrimSpace(body.Bytes()))}
		p.notices.add(key, parts)
	}
	return parts[0], nil
}

// returnMark stands in a notice that is kept where it tells where an answer leads back to.
const returnMark = "/-charter-return-"

// A noticeKey is all that the notice in documents is made of, but for the charter and where
// an answer leads back to.
type noticeKey struct {
	text      *texts
	isLink    bool // for the end of documents, of which nothing else counts
	site      string
	stored    string // what it says of stored answers
	isAsked   bool   // else, it tells that they were stored
	leadsBack bool
}

// Form returns the notice's form as it asks the policies of an origin's documents to be let
// in.
func (p *Page) Form(origin string) document.Form {
	return document.Form{Origin: origin, Action: origin + document.Beside(p.Path, ""), Style: origin + document.Beside(p.Path, noticeStyleFile)}
}

// toASCII writes what else there is in HTML as references to characters.
func toASCII(text []byte) []byte {
	written := make([]byte, 0, len(text)+len(text)/4)
	for _, char := range string(text) {
		if char < utf8.RuneSelf {
			written = append(written, byte(char))
		} else {
			written = fmt.Appendf(written, "&#%d;", char)
		}
	}
	return written
}

// addVisitor adds to the notice what it tells one visitor, and where an answer leads back to.
func (p *Page) addVisitor(data *noticeData, text *texts, visitor *answers.Visitor, back string) {
	data.Questions, data.Style = p.questions(text, visitor), noticeStyleFile
	if !p.hasToAsk(visitor) {
		data.Status = text.Status[statusSaved]
	}
	if charter.IsLocal(back) {
		data.Return = encodeReference(back)
	}
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

// Asks tells whether there is anything that the page asks.
func (p *Page) Asks() bool { return p.canAnswer && len(p.Charter.ConsentKeys()) > 0 }

var errNothingToAsk = errors.New("there is nothing that the page asks, so there is no notice")

// exportNotice returns a notice to be pasted into pages that are the same for all visitors:
// it asks whoever reads it, and needs neither style nor script.
func (p *Page) exportNotice(r *http.Request, text *texts) ([]byte, error) {
	if !p.Asks() {
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

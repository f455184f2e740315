package page

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/removal"
	"github.com/cookie-charter/cookie_charter/internal/request"
)

// maxForm is the longest form post that is read, in bytes; the longest that the
// form can send is far below.
const maxForm = 64 << 10

// askedField is the field of a form post that says what was shown: a word for each
// question, its fingerprint.
const askedField = "asked"

// maxConfirm is how long after a form post the browser's next request is its
// outcome: later, a choice that was kept can have been deleted.
const maxConfirm = time.Minute

// maxReturn is how long the address can be to which an answer leads back, as a field of a
// query, in bytes: beside the cookie, a longer one outgrows the buffers of servers in front,
// which hold 4 KiB, and the answer would be lost.
const maxReturn = 2 << 10

// frameDestinations are the destinations of requests that are made inside a frame (Fetch
// Metadata, section 2.1).
var frameDestinations = []string{"iframe", "frame", "embed", "object", "fencedframe"}

// storeChoice takes a form post and leads back to the page.
func (p *Page) storeChoice(e Exchange) error {
	r := e.Request
	if err := p.crossOrigin.Check(r); err != nil {
		return p.refuse(e, http.StatusForbidden, "cross_origin", err)
	}
	if slices.Contains(frameDestinations, r.Header.Get("Sec-Fetch-Dest")) {
		return p.refuseFramed(e)
	}
	form := p.readForm(e, r)
	choice := form.choice
	source := "page"
	if form.back != "" {
		source = noticeFile
	}
	back := form.back
	if !form.isClear || len(url.QueryEscape(back)) > maxReturn {
		back = "" // the visitor sees on the page what was done
	}
	now := p.Answers.Now()
	query := url.Values{"status": {form.status()}, "at": {strconv.FormatInt(now.UnixMilli(), 10)}}
	if len(choice) > 0 {
		if back != "" {
			query.Set(returnField, back)
		}
		reference := ""
		if p.RecordsChoices {
			reference = rand.Text()
			query.Set("reference", reference)
		}
		p.Observer.Chose(Choice{choice, source, p.textsFor(r).tag.String(), e.Visitor.Opposed, reference})
		if e.Visitor.HasPlainCookie() {
			e.Header().Add("Set-Cookie", answers.PlainCookie+"=; Max-Age=-1; Path=/; Secure")
		}
		for _, cookie := range e.Visitor.Save(choice, reference, now) {
			e.Header().Add("Set-Cookie", p.setCookie(cookie, r))
		}

		// What is refused from now on is removed, beginning with this answer.
		e.withdraw(query, back, 0, 0)
	}
	if r.URL.Query().Has("flg") {
		query.Set("flg", p.textsFor(r).tag.String())
	}
	if len(choice) == 0 && back != "" {
		return redirect(e, back)
	}
	return redirect(e, "?"+query.Encode())
}

// refuseFramed refuses a form post from inside a frame, where a visitor may not
// know what is clicked, by the only words of the page that a frame can show: they
// are no HTML.
func (p *Page) refuseFramed(e Exchange) error {
	r := e.Request
	text := p.textsFor(r)
	e.Header().Del("Content-Security-Policy")
	e.Header().Set("Content-Type", "text/plain; charset=utf-8")
	e.Header().Set("Content-Language", text.tag.String())
	e.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprintf(e, text.Framed+"\n", address(r)+request.URL(r).EscapedPath()) // that a visitor has left is no error
	return nil
}

// confirmChoice looks whether the browser has kept a choice, in the request that follows
// its form post, and tells whether it has answered this request: a kept choice from
// the notice leads back to the portal, and one that was lost to a page that says
// so.
func (p *Page) confirmChoice(e Exchange, query url.Values) (done bool, err error) {
	at := answers.ParseTime(query.Get("at"))
	if !saysSaved(query.Get("status")) || !e.Visitor.IsRecent(at, maxConfirm) || !isFromSameOrigin(e.Request) {
		return false, nil
	}
	back, reference := query.Get(returnField), query.Get("reference")
	if !answers.IsReference(reference) {
		reference = ""
	}
	if e.Visitor.Keeps(at, reference) {
		if !charter.IsLocal(back) {
			return false, nil
		}
		return true, redirect(e, back)
	}
	if !p.RecordsChoices {
		reference = ""
	}
	p.Observer.Lost(reference, e.Visitor.PageAnswers())
	query.Set("status", statusLost)
	query.Del(returnField)
	query.Del("reference")
	return true, redirect(e, "?"+query.Encode())
}

// isFromSameOrigin tells whether no link from elsewhere has led to a request: that could
// tell anything of what was done.
func isFromSameOrigin(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin"
}

// withdraw adds to the answer what removes refused cookies, from a position on,
// and to the query where the next answer goes on. It tells whether that is
// further on.
func (e Exchange) withdraw(query url.Values, back string, turn, from int) bool {
	room := e.Removals.Room() - len("Location: ?\r\n") - max(len(back), len(query.Encode()))
	cookies := e.Removals.RefusedCookies()
	lines, next := removal.Withdrawal(cookies, e.Origin, from, room)
	if len(cookies) > 0 {
		query.Set("turn", strconv.Itoa(turn))
		query.Set("from", strconv.Itoa(next))
	}
	if len(lines) > 0 {
		e.Removals.AddExpiries(lines)
	}
	return next > from
}

// redirect leads to another page. Its own is named by a relative reference, as the
// path that the client sees is not always the one that arrives here.
func redirect(e Exchange, location string) error {
	e.Header().Set("Location", location)
	e.WriteHeader(http.StatusSeeOther)
	return nil
}

// A formPost is what was understood of a form post.
type formPost struct {
	choice  map[string]answers.Answer // by consent key
	back    string                    // where to go back to; "" if that is the page
	isClear bool                      // all of it was understood
}

// status returns what the post has done.
func (f formPost) status() string {
	switch {
	case f.isClear && len(f.choice) == 0:
		return statusUnchanged
	case f.isClear:
		return statusSaved
	case len(f.choice) == 0:
		return statusNotSaved
	}
	return statusPartly
}

// saysSaved tells whether a status says that something was saved.
func saysSaved(status string) bool { return status == statusSaved || status == statusPartly }

// readForm returns what a form post says. What is not understood, as the charter may have
// changed since the form was shown, grants nothing.
func (p *Page) readForm(w http.ResponseWriter, r *http.Request) formPost {
	fields, err := readFields(w, r)
	if err != nil {
		return formPost{}
	}
	keys := p.Charter.ConsentKeys()
	form := formPost{choice: map[string]answers.Answer{}, isClear: true}
	all := answers.None
	var asked []string
	for field, values := range fields {
		key, isAnswer := strings.CutPrefix(field, "answer.")
		isClear := false
		switch {
		case field == "all":
			all, isClear = answerIn(values)
		case isAnswer && slices.Contains(keys, key):
			var answer answers.Answer
			if answer, isClear = answerIn(values); answer != answers.None {
				form.choice[key] = answer
			}
		case field == askedField && len(values) == 1:
			asked, isClear = strings.Fields(values[0]), true
		case field == returnField && len(values) == 1 && charter.IsLocal(values[0]):
			form.back, isClear = values[0], true
		}
		form.isClear = form.isClear && isClear
	}
	// To refuse all is safe, whatever was shown. To accept all is to accept what was
	// shown, of which a post with a mistake leaves open what it was.
	if all == answers.Refused || all == answers.Granted && form.isClear {
		for _, key := range keys {
			form.choice[key] = max(form.choice[key], all) // of two answers to a key, the stricter
		}
	}
	// Nobody has accepted what was not shown. Forms that do not say what they have shown,
	// as those of other templates, are taken to have shown what is asked now.
	if fields.Has(askedField) {
		for key, answer := range form.choice {
			if answer == answers.Granted && !slices.Contains(asked, p.Charter.Fingerprints[key]) {
				delete(form.choice, key)
				form.isClear = false
			}
		}
	}
	return form
}

// readFields returns the fields of a form post, or an error if any of it cannot be read.
func readFields(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if mediaType, _ := ascii.MediaType(r.Header.Get("Content-Type")); mediaType != "application/x-www-form-urlencoded" {
		return nil, errors.New("not a form")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(string(body))
}

// answerIn returns the answer that the values of a field give, and whether they are clear:
// one value that is an answer. Of several, a refusal counts, and a grant only if nothing
// speaks against it.
func answerIn(values []string) (answer answers.Answer, isClear bool) {
	hasOther := false
	for _, value := range values {
		switch value {
		case answers.Granted.String():
			answer = max(answer, answers.Granted)
		case answers.Refused.String():
			answer = answers.Refused
		default:
			hasOther = true
		}
	}
	if hasOther && answer == answers.Granted {
		answer = answers.None
	}
	return answer, len(values) == 1 && !hasOther
}

// asks returns the fingerprints of all that the charter asks, as the forms say what
// they have shown.
func (p *Page) asks() string {
	asked := p.Charter.ConsentKeys()
	for i, key := range asked {
		asked[i] = p.Charter.Fingerprints[key]
	}
	return strings.Join(asked, " ")
}

// setCookie returns the line that stores a preference, where its row says.
func (p *Page) setCookie(cookie answers.Cookie, r *http.Request) string {
	row := p.Charter.Find(cookie.Name)
	line := cookie.Name + "=" + cookie.Value + "; Path=" + cmp.Or(row.Path, "/")
	if domain := row.DomainOn(request.Host(r)); domain != "" {
		line += "; Domain=" + domain
	}
	if row.SameSite == "" {
		line += "; SameSite=Lax"
	}
	if lifetime := p.Answers.Lifetime(row); lifetime.Unit != charter.Session {
		line += "; Max-Age=" + strconv.Itoa(lifetime.Seconds())
	}
	if request.Scheme(r) == "https" {
		line += "; Secure"
	}
	return line
}

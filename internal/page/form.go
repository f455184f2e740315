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

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/removal"
	"github.com/cookie-charter/cookie_charter/internal/request"
)

// maxForm is the longest form post that is read, in bytes; the longest that the
// form can send is far below.
const maxForm = 64 << 10

// maxConfirm is how long after a form post the browser's next request is its
// outcome: later, a choice that was kept can have been deleted.
const maxConfirm = time.Minute

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
	choice, back, err := p.readForm(e, r)
	if err != nil {
		return caddyhttp.Error(http.StatusBadRequest, err)
	}
	now := p.Answers.Now()
	query := url.Values{"status": {statusUnchanged}, "at": {strconv.FormatInt(now.UnixMilli(), 10)}}
	if len(choice) > 0 {
		query.Set("status", statusSaved)
		source := "page"
		if back != "" {
			source = noticeFile
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
	_, _ = fmt.Fprintf(e, text.Framed+"\n", request.Scheme(r)+"://"+r.Host+request.URL(r).EscapedPath()) // that a visitor has left is no error
	return nil
}

// confirmChoice looks whether the browser has kept a choice, in the request that follows
// its form post, and tells whether it has answered this request: a kept choice from
// the notice leads back to the portal, and one that was lost to a page that says
// so.
func (p *Page) confirmChoice(e Exchange, query url.Values) (done bool, err error) {
	at := answers.ParseTime(query.Get("at"))
	if query.Get("status") != statusSaved || !e.Visitor.IsRecent(at, maxConfirm) || !isFromSameOrigin(e.Request) {
		return false, nil
	}
	back, reference := query.Get(returnField), query.Get("reference")
	if !answers.IsReference(reference) {
		reference = ""
	}
	if e.Visitor.Keeps(at, reference) {
		if !isLocal(back) {
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

// isLocal tells whether a reference is a path from the root of the same site, for
// every browser: these take "\" for "/", and drop control characters, which
// url.Parse refuses.
func isLocal(reference string) bool {
	_, err := url.Parse(reference)
	return err == nil && strings.HasPrefix(reference, "/") && !strings.HasPrefix(reference, "//") && !strings.Contains(reference, `\`)
}

// readForm returns the answers in a form post, and where to go back to.
func (p *Page) readForm(w http.ResponseWriter, r *http.Request) (choice map[string]answers.Answer, back string, err error) {
	if mediaType, _ := ascii.MediaType(r.Header.Get("Content-Type")); mediaType != "application/x-www-form-urlencoded" {
		return nil, "", errors.New("not a form")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, "", err
	}
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, "", errors.New("malformed form") // the error itself would quote it
	}
	keys := p.Charter.ConsentKeys()
	choice = map[string]answers.Answer{}
	all := answers.None
	for field, values := range fields {
		if field == returnField && len(values) == 1 && isLocal(values[0]) {
			back = values[0]
			continue
		}
		key, isAnswer := strings.CutPrefix(field, "answer.")
		isField := field == "all" || isAnswer && slices.Contains(keys, key)
		if !isField || len(values) != 1 {
			return nil, "", errors.New("not a field of the form")
		}
		var value answers.Answer
		switch values[0] {
		case answers.Granted.String():
			value = answers.Granted
		case answers.Refused.String():
			value = answers.Refused
		default:
			return nil, "", errors.New("not an answer")
		}
		if isAnswer {
			choice[key] = value
		} else {
			all = value
		}
	}
	if all != answers.None {
		for _, key := range keys {
			choice[key] = max(choice[key], all) // of two answers to a key, the stricter
		}
	}
	return choice, back, nil
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

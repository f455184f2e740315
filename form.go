package cookiecharter

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

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// maxForm is the longest form post that is read, in bytes; the longest that the
// form can send is far below.
const maxForm = 64 << 10

// maxResolve is how long after a form post the browser's next request is its
// outcome: later, a choice that was kept can have been deleted.
const maxResolve = time.Minute

// framing are the destinations of requests that are made inside a frame (Fetch
// Metadata, section 2.1).
var framing = []string{"iframe", "frame", "embed", "object", "fencedframe"}

// store takes a form post and leads back to the page.
func (p *page) store(e exchange) error {
	r := e.request
	if err := p.origins.Check(r); err != nil {
		return caddyhttp.Error(http.StatusForbidden, err)
	}
	if slices.Contains(framing, r.Header.Get("Sec-Fetch-Dest")) {
		return p.refuseFramed(e)
	}
	given, back, err := p.readForm(e, r)
	if err != nil {
		return caddyhttp.Error(http.StatusBadRequest, err)
	}
	now := p.answers.now()
	query := url.Values{"status": {statusUnchanged}, "at": {strconv.FormatInt(now.UnixMilli(), 10)}}
	if len(given) > 0 {
		query.Set("status", statusSaved)
		source := "page"
		if back != "" {
			source = noticeFile
			query.Set(returnField, back)
		}
		reference := ""
		if p.recordsChoices {
			reference = rand.Text()
			query.Set("reference", reference)
		}
		p.observer.chose(choice{given, source, p.speak(r).tag.String(), e.visitor.opposed, reference})
		if e.visitor.hasFormer() {
			e.Header().Add("Set-Cookie", plainCookie+"=; Max-Age=-1; Path=/; Secure")
		}
		for _, cookie := range e.visitor.save(given, reference, now) {
			e.Header().Add("Set-Cookie", p.setCookie(cookie, r))
		}

		// What is refused from now on is removed, beginning with this answer.
		e.withdraw(query, back, 0, 0)
	}
	if r.URL.Query().Has("flg") {
		query.Set("flg", p.speak(r).tag.String())
	}
	if len(given) == 0 && back != "" {
		return lead(e, back)
	}
	return lead(e, "?"+query.Encode())
}

// refuseFramed refuses a form post from inside a frame, where a visitor may not
// know what is clicked, by the only words of the page that a frame can show: they
// are no HTML.
func (p *page) refuseFramed(e exchange) error {
	r := e.request
	text := p.speak(r)
	e.Header().Del("Content-Security-Policy")
	e.Header().Set("Content-Type", "text/plain; charset=utf-8")
	e.Header().Set("Content-Language", text.tag.String())
	e.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprintf(e, text.Framed+"\n", scheme(r)+"://"+r.Host+originalURL(r).EscapedPath()) // that a visitor has left is no error
	return nil
}

// resolve looks whether the browser has kept a choice, in the request that follows
// its form post, and tells whether it has answered this request: a kept choice from
// the notice leads back to the portal, and one that was lost to a page that says
// so.
func (p *page) resolve(e exchange, query url.Values) (done bool, err error) {
	at := parseTime(query.Get("at"))
	if query.Get("status") != statusSaved || !e.visitor.isWithin(at, maxResolve) || !isFromHere(e.request) {
		return false, nil
	}
	back, reference := query.Get(returnField), query.Get("reference")
	if !isReference(reference) {
		reference = ""
	}
	if e.visitor.keeps(at, reference) {
		if !isLocal(back) {
			return false, nil
		}
		return true, lead(e, back)
	}
	if !p.recordsChoices {
		reference = ""
	}
	p.observer.lost(reference, e.visitor.inForce())
	query.Set("status", statusLost)
	query.Del(returnField)
	query.Del("reference")
	return true, lead(e, "?"+query.Encode())
}

// isFromHere tells whether no link from elsewhere has led to a request: that could
// tell anything of what was done.
func isFromHere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin"
}

// withdraw adds to the answer what removes refused cookies, from a position on,
// and to the query where the next answer goes on. It tells whether that is
// further on.
func (e exchange) withdraw(query url.Values, back string, turn, from int) bool {
	room := e.removals.room() - len("Location: ?\r\n") - max(len(back), len(query.Encode()))
	cookies := e.removals.refusedCookies()
	lines, next := withdrawal(cookies, e.origin, from, room)
	if len(cookies) > 0 {
		query.Set("turn", strconv.Itoa(turn))
		query.Set("from", strconv.Itoa(next))
	}
	if len(lines) > 0 {
		e.removals.addExpiries(lines)
	}
	return next > from
}

// lead leads to another page. Its own is named by a relative reference, as the
// path that the client sees is not always the one that arrives here.
func lead(e exchange, location string) error {
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
func (p *page) readForm(w http.ResponseWriter, r *http.Request) (given map[string]answer, back string, err error) {
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
	keys := p.charter.consentKeys()
	given = map[string]answer{}
	all := answerNone
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
		var value answer
		switch values[0] {
		case answerGranted.String():
			value = answerGranted
		case answerRefused.String():
			value = answerRefused
		default:
			return nil, "", errors.New("not an answer")
		}
		if isAnswer {
			given[key] = value
		} else {
			all = value
		}
	}
	if all != answerNone {
		for _, key := range keys {
			given[key] = max(given[key], all) // of two answers to a key, the stricter
		}
	}
	return given, back, nil
}

// setCookie returns the line that stores a preference, where its row says.
func (p *page) setCookie(cookie storedCookie, r *http.Request) string {
	row := p.charter.find(cookie.name)
	line := cookie.name + "=" + cookie.value + "; Path=" + cmp.Or(row.Path, "/")
	if domain := row.domainOn(hostOf(r)); domain != "" {
		line += "; Domain=" + domain
	}
	if row.SameSite == "" {
		line += "; SameSite=Lax"
	}
	if lifetime := cookie.in.lifetime; lifetime.unit != session {
		line += "; Max-Age=" + strconv.Itoa(lifetime.seconds())
	}
	if scheme(r) == "https" {
		line += "; Secure"
	}
	return line
}

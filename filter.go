package cookiecharter

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/caching"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/insertion"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/removal"
	"github.com/cookie-charter/cookie_charter/internal/request"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// isSetCookie tells whether a key of a header map is written as Set-Cookie.
// Handlers may have put it there in any case, and over HTTP/3, the server writes the Kelvin
// sign as "k".
func isSetCookie(key string) bool {
	return ascii.EqualFold(key, "Set-Cookie") || ascii.EqualFold(key, "Set-Coo\u212Aie")
}

// isUnread tells whether a key of a header map is that of cookies where no browser looks for
// them: behind an answer's body (RFC 9110, section 6.5.1), or in the field of RFC 2965.
func isUnread(key string) bool {
	name, isTrailer := strings.CutPrefix(key, http.TrailerPrefix)
	return isTrailer && isSetCookie(name) || ascii.EqualFold(name, "Set-Cookie2")
}

// A filter applies the charter to one request and its answer. On the answer it
// is the last hand on the headers before they leave: whatever the handlers below
// call first (WriteHeader, Write, ReadFrom, Flush), the cookies are judged
// before it.
type filter struct {
	caddyhttp.ResponseWriterWrapper
	handler  *Handler
	request  *http.Request
	visitor  answers.Visitor
	sighting sighting

	// All that belongs to a request is in this one piece of memory, which is made anew for
	// each: what it holds is paid for by those without a cookie, too.
	hasExpiries *bool          // the expiries of refused cookies are in the header; nil if there are none
	wasAsked    atomic.Bool    // another directive asked what the visitor allows
	hasScript   bool           // what is served at the path depends on the visitor's answers
	isPage      bool           // the charter page answers, which has a policy of its own
	hasRefused  bool           // the request has declared cookies that the visitor does not allow
	isPrivate   bool           // the header is marked private
	isEarly     bool           // the header is that of an informational answer
	isHeld      bool           // the final header waits for the body, as nobody has said its type
	isSent      bool           // the final header is on its way
	isEnded     bool           // all of the body was written
	hasBegun    bool           // some of it was
	hasNotice   bool           // the notice asks or tells the visitor something, in the page that is asked for
	hasLink     bool           // and a link to the charter page stands at the end of that
	status      int            // of the final header; 0 as long as nobody has said it
	begun       []byte         // of the body, as long as that is too little to tell its type
	inserted    insertion.Body // what puts markup into the body; nil if nothing does
	mark        caching.Mark   // of the header
	final       finalFields
}

// finalFields are fields of the final header as they were judged.
type finalFields struct {
	setCookie, cacheControl []string
	policy                  string   // that keeps a document to hosts; "" if none does
	policies                []string // all of them, where a guard is let in by them
	varies                  bool     // by where the browser uses the answer
	count                   int      // of all fields
}

// edit returns the lines that apply keeps, as it leaves them. The slice is copied only
// if more changes than that it is shorter at its ends, as other answers may share it.
func edit(lines []string, apply func(line string) (edited string, keep bool)) (kept []string) {
	first, isCopy := 0, false // of what is kept, if it is no copy
	for i, line := range lines {
		edited, keep := apply(line)
		if !keep {
			continue
		}
		if len(kept) == 0 {
			first = i
		}
		if !isCopy && edited == line && i == first+len(kept) {
			kept = lines[first : i+1 : i+1]
			continue
		}
		if !isCopy {
			kept, isCopy = append(make([]string, 0, len(lines)), kept...), true
		}
		kept = append(kept, edited)
	}
	return kept
}

// editHeader applies edit to a key of a header map, and removes the key with
// its last line.
func editHeader(header http.Header, key string, apply func(line string) (edited string, keep bool)) {
	lines := header[key]
	edited := edit(lines, apply)
	if len(edited) == 0 {
		delete(header, key)
	} else if len(edited) != len(lines) || &edited[0] != &lines[0] {
		header[key] = edited
	}
}

// dropCookies drops from the request every cookie that is not allowed. What is
// kept is kept as it came.
func (f *filter) dropCookies() {
	editHeader(f.request.Header, "Cookie", f.dropPairs)
	if f.handler.RequestCookies != passCookies && f.holdsCookies() {
		delete(f.request.Header, "Cookie2")
		if len(f.request.Trailer) > 0 {
			f.request.Body = &bodyWithTrailers{f.request.Body, f.request.Trailer}
			dropFromTrailer(f.request.Trailer)
		}
	}
	if f.hasRefused {
		f.shareExpiries()
	}
}

// bodyWithTrailers is a request's body after which no cookies follow: the server
// adds trailers to the map once the body was read.
type bodyWithTrailers struct {
	io.ReadCloser
	trailer http.Header
}

// Read reads the body, and drops cookies from what comes after it.
func (b *bodyWithTrailers) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if err != nil {
		dropFromTrailer(b.trailer)
	}
	return n, err
}

func dropFromTrailer(trailer http.Header) {
	maps.DeleteFunc(trailer, func(field string, _ []string) bool {
		return ascii.EqualFold(field, "Cookie") || ascii.EqualFold(field, "Cookie2")
	})
}

// dropPairs drops the pairs of one Cookie line.
func (f *filter) dropPairs(line string) (string, bool) {
	return setcookie.Keep(line, f.judgePair)
}

// judgePair judges one pair of a Cookie line, tells the observers, and returns whether it
// is kept.
func (f *filter) judgePair(pair string) bool {
	name, _, ok := setcookie.CutPair(pair)
	judgement := f.handler.policy.JudgePair(name, ok, &f.visitor)
	f.hasRefused = f.hasRefused || judgement.Verdict == judge.Refused
	f.tell(&judgement)
	return judgement.Keeps
}

// finish brings the final header into the state in which it leaves.
func (f *filter) finish() {
	f.withhold()
	f.insert()
	policy, varies := f.restrict()
	f.expire()
	header := f.Header()
	if f.wasAsked.Load() || f.hasScript {
		f.isPrivate = true
		f.mark.MakeUnstored(header)
	}
	if len(f.sighting.verdicts) > 0 {
		header.Set(debugField, string(f.sighting.verdicts))
	}
	f.final = finalFields{header["Set-Cookie"], header["Cache-Control"], policy, nil, varies, len(header)}
	if f.inserted != nil {
		f.final.policies = header[document.PolicyField]
	}
	f.reportUnreadable()
}

// reportUnreadable reports the stored answers that could not be read, each once.
func (f *filter) reportUnreadable() {
	if f.visitor.Unreadable != nil {
		f.handler.reportUnreadable(f.visitor.Unreadable)
		f.visitor.Unreadable = nil
	}
}

// withhold drops from the header map every Set-Cookie line that is not allowed.
// Lines that are kept are kept as they came, save that one which would live too
// long is shortened, and one that lacks a declared attribute gets it.
func (f *filter) withhold() {
	header := f.Header()
	f.isPrivate = false
	for key, lines := range header {
		switch {
		case key == "Set-Cookie", key == "Date":
		case isSetCookie(key):
			delete(header, key)
			header["Set-Cookie"] = slices.Concat(header["Set-Cookie"], lines)
		case ascii.EqualFold(key, "Date"): // beside which the server would write its own
			delete(header, key)
			header["Date"] = slices.Concat(header["Date"], lines)
		case isUnread(key) && f.holdsCookies():
			delete(header, key)
		}
	}
	if _, ok := header["Set-Cookie"]; ok {
		response := judge.Response{
			Clock:     setcookie.Clock{Now: f.visitor.Now().Time(), Date: setcookie.DateOf(header)},
			Encrypted: f.handler.policy.AddsSecure && request.Scheme(f.request) == "https",
		}
		editHeader(header, "Set-Cookie", func(line string) (string, bool) { return f.judgeLine(line, response) })
	}
	if f.isPrivate {
		f.mark.MakePrivate(header)
	}
}

// restoreFields undoes what handlers have changed in the final header since it was
// judged: over HTTP/3, and below handlers that hold it back, it has not left yet.
// Nor do cookies follow it as trailers.
func (f *filter) restoreFields() {
	header := f.Header()
	if f.final.varies {
		document.AddVary(header)
	}
	hasPolicy := f.final.policy == "" || slices.Contains(header[document.PolicyField], f.final.policy)
	if f.inserted != nil {
		hasPolicy = slices.Equal(header[document.PolicyField], f.final.policies)
	}
	if len(header) == f.final.count && hasPolicy && slices.Equal(header["Set-Cookie"], f.final.setCookie) && slices.Equal(header["Cache-Control"], f.final.cacheControl) && !f.hasOthers() {
		return
	}
	switch {
	case f.inserted != nil:
		insertion.PrepareHeader(header)
		delete(header, document.PolicyField)
		if f.final.policies != nil {
			header[document.PolicyField] = f.final.policies
		}
	case !hasPolicy:
		document.Add(header, document.PolicyField, f.final.policy)
	}
	maps.DeleteFunc(header, func(key string, _ []string) bool { return f.isJudged(key) })
	if f.holdsCookies() && f.final.setCookie != nil {
		header["Set-Cookie"] = f.final.setCookie
	}
	if (f.holdsCookies() || f.isPrivate) && f.final.cacheControl != nil {
		header["Cache-Control"] = f.final.cacheControl
	}
	f.final.count = len(header)
}

// holdsCookies tells whether cookies that are not allowed are withheld.
func (f *filter) holdsCookies() bool { return f.handler.Monitor != judge.MonitorEverything }

// isJudged tells whether a key of the final header is one that leaves as it was judged.
func (f *filter) isJudged(key string) bool {
	return f.holdsCookies() && (isSetCookie(key) || isUnread(key)) || f.isPrivate && (caching.IsTargeted(key) || ascii.EqualFold(key, "Cache-Control"))
}

// hasOthers tells whether such a key has come into the header beside the usual ones. Once the
// body has begun, a header leaves no more, but over HTTP/3, by a flush, and at the end.
func (f *filter) hasOthers() bool {
	if f.hasBegun && f.request.ProtoMajor < 3 {
		return false
	}
	for key := range f.Header() {
		if key != "Set-Cookie" && key != "Cache-Control" && f.isJudged(key) {
			return true
		}
	}
	return false
}

// judgeLine judges one Set-Cookie line, tells the observers, and returns the line as it
// leaves and whether it does.
func (f *filter) judgeLine(line string, response judge.Response) (string, bool) {
	judgement := f.handler.policy.JudgeLine(line, response, &f.visitor)
	f.isPrivate = f.isPrivate || judgement.DependsOnAnswer
	if !judgement.Keeps || !f.isEarly { // what is kept in an early answer is seen once more
		f.tell(&judgement)
	}
	return judgement.Line, judgement.Keeps
}

// expiriesVar holds, for a request with refused cookies, whether its expiries are
// in the header: error routes share it.
const expiriesVar = "cookie_charter.expired"

// shareExpiries makes that known before the next handlers begin. Later, and so in error
// routes, nobody may write the variables: Caddy's transport reads them while it still dials
// for a request that another connection has served.
func (f *filter) shareExpiries() {
	if earlier, ok := caddyhttp.GetVar(f.request.Context(), expiriesVar).(*bool); ok {
		f.hasExpiries = earlier
		return
	}
	f.hasExpiries = new(bool)
	if !isError(f.request) {
		caddyhttp.SetVar(f.request.Context(), expiriesVar, f.hasExpiries)
	}
}

// expire adds the lines that remove refused cookies from the browser, as far as
// servers in front have room for them.
func (f *filter) expire() {
	if !f.hasRefused || *f.hasExpiries || caching.IsShared(f.Header(), f.visitor.Now().Time()) {
		return
	}
	f.AddExpiries(removal.Expiries(f.RefusedCookies(), f.origin(), f.Room()))
}

// restrict adds to a document what keeps it to the hosts that the visitor allows, and
// returns the policy that does, and whether the answer varies by its use.
func (f *filter) restrict() (policy string, varies bool) {
	rules := f.handler.rules
	if !rules.AreOn() || f.isPage {
		return "", false
	}
	header := f.Header()
	kind := document.KindOf(f.request, f.status, header)
	if kind == document.None {
		return "", false
	}
	if varies = rules.Vary(); varies {
		document.AddVary(header)
	}
	asksReports := kind == document.Document && f.mayBeReported() && rules.AsksReports(f.visitor.Now().Time())
	var allowed judge.AllowedHosts
	switch {
	case !rules.NeedHosts(kind, asksReports):
	case kind != document.Document: // it is shared by all visitors, whatever caches heed of Vary
		allowed.Hosts = f.handler.policy.NecessaryHosts()
	default:
		allowed = f.handler.policy.JudgeHosts(&f.visitor)
	}
	if kind != document.Reusable {
		policy = rules.Restrict(header, kind, allowed.Hosts, asksReports)
	}
	if allowed.DependsOnAnswer {
		f.isPrivate = true
		f.mark.MakeAsked(header)
	}
	return policy, varies
}

// insert puts the guard and the notice into a document's body, and makes its header fit that.
func (f *filter) insert() {
	f.inserted = nil
	withGuard, withNotice := f.guardBody(), f.noticeBody()
	if withGuard == nil && withNotice == nil {
		return
	}
	form := insertion.FormOf(cmp.Or(f.status, http.StatusOK), f.Header())
	insertion.PrepareHeader(f.Header())
	if withNotice == nil {
		f.inserted = withGuard(f.ResponseWriter, form)
		return
	}
	withBoth := func(below io.Writer) insertion.Body {
		if withGuard != nil {
			below = withGuard(below, insertion.Plain)
		}
		return withNotice(below)
	}
	if form == insertion.Gzip {
		f.inserted = insertion.Repack(f.ResponseWriter, withBoth)
	} else {
		f.inserted = withBoth(f.ResponseWriter)
	}
}

// guardBody returns what puts the guard into a document's body that comes in some form, nil if
// nothing does, and has the document's policies let it in.
func (f *filter) guardBody() func(below io.Writer, form insertion.Form) insertion.Body {
	guard, header := f.handler.guard, f.Header()
	if guard == nil || f.isPage {
		return nil
	}
	kind, status := document.KindOf(f.request, f.status, header), cmp.Or(f.status, http.StatusOK)
	if kind == document.Fetched && insertion.ObstacleOf(status, header) != insertion.XML {
		f.isPrivate = true // else a cache that does not heed Vary might show it without the guard
		f.mark.MakePrivate(header)
	}
	if kind != document.Document {
		return nil
	}
	if insertion.FormOf(status, header) == insertion.Closed {
		if obstacle := insertion.ObstacleOf(status, header); obstacle != "" && f.request.Method != http.MethodHead {
			f.handler.tellUnguarded(obstacle)
		}
		return nil
	}
	essence, parameters := ascii.MediaType(header.Get("Content-Type"))
	admission := document.Admit(header[document.PolicyField], guard.Guest(document.Origin(request.Scheme(f.request), f.request.Host)))
	if len(admission.Amended) > 0 {
		header[document.PolicyField] = admission.Policies
		f.handler.tellAmended(admission.Amended)
	}
	f.isPrivate = true
	f.mark.MakeAsked(header)
	if len(header["Integrity-Policy"]) > 0 {
		admission.NeedsIntegrity = true // it stops scripts that come without
	}
	tag := guard.Tag(&f.visitor, admission)
	return func(below io.Writer, form insertion.Form) insertion.Body {
		if essence == insertion.XHTML {
			inHead := func(below io.Writer) insertion.Body { return insertion.InHead(below, tag, f.handler.tellUnguarded) }
			if form == insertion.Gzip {
				return insertion.Repack(below, inHead)
			}
			return inHead(below)
		}
		return insertion.New(below, form == insertion.Gzip, func(head []byte) []byte {
			markup := insertion.Before(head, parameters["charset"] != "", tag)
			if markup == nil {
				f.handler.tellUnguarded(insertion.Charset)
			}
			return markup
		})
	}
}

// noticeBody returns what puts the notice and the link to the charter page into a page's body
// that is not compressed, nil if there is neither for this visitor, and keeps caches from
// showing either page to who should see the other.
func (f *filter) noticeBody() func(below io.Writer) insertion.Body {
	header := f.Header()
	if f.handler.Notice == "" || f.isPage || f.status > http.StatusOK || !isRead(f.request) || !document.IsPageAskedFor(f.request) || document.KindOf(f.request, f.status, header) != document.Document {
		return nil
	}
	if essence, _ := ascii.MediaType(header.Get("Content-Type")); essence != "text/html" {
		return nil
	}
	f.isPrivate = true
	f.mark.MakeAsked(header)
	if !f.hasNotice && !f.hasLink || insertion.FormOf(http.StatusOK, header) == insertion.Closed {
		return nil
	}
	form := f.handler.page.Form(document.Origin(request.Scheme(f.request), f.request.Host))
	if !f.hasNotice {
		form.Action = ""
	}
	policies, ok := document.AdmitForm(header[document.PolicyField], form)
	if !ok {
		return nil
	}
	var notice, link []byte
	var err error
	if f.hasNotice {
		notice, err = f.handler.page.Notice(f.request, &f.visitor)
	}
	if f.hasLink && err == nil {
		link, err = f.handler.page.ManageLink(f.request)
	}
	if err != nil {
		f.handler.logger.Error("no notice was made", zap.Error(err))
		return nil
	}
	if len(policies) > 0 {
		header[document.PolicyField] = policies
	}
	return func(below io.Writer) insertion.Body { return insertion.AtBody(below, notice, link) }
}

// isRead tells whether a request reads something.
func isRead(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// abandon ends what is still done to a body of which nobody writes the end: what there is of
// it leaves.
func (f *filter) abandon() {
	body, ok := f.inserted.(insertion.Abandoner)
	if !ok {
		return
	}
	body.Abandon()
	if !f.isEnded {
		_ = http.NewResponseController(f.ResponseWriter).Flush() // nobody is left to be told
	}
}

// askAnew has the portal answer in full, where what a browser has kept must not do: with
// a "304 Not Modified", what is added to a document would take the place of the portal's
// own policies, which such an answer need not repeat (RFC 9111, section 3.2).
func (f *filter) askAnew() {
	if f.hasScript || f.handler.rules.Change() && document.IsAskedFor(f.request) {
		delete(f.request.Header, "If-None-Match")
		delete(f.request.Header, "If-Modified-Since")
	}
	if f.hasNotice || f.hasLink || f.handler.guard != nil && document.IsAskedFor(f.request) {
		insertion.PrepareRequest(f.request.Header) // no markup can be put into a part
	}
}

// serveEmpty serves an empty script in the place of one that the visitor does not allow,
// whatever is asked of it: nothing reaches who is behind its path.
func (f *filter) serveEmpty() {
	f.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	f.Header().Set("Content-Length", "0")
	f.WriteHeader(http.StatusOK)
}

// origin returns from where the request came.
func (f *filter) origin() removal.Origin {
	return removal.Origin{Host: request.Host(f.request), Address: request.URL(f.request), Secure: request.Scheme(f.request) == "https"}
}

// Room returns how many bytes of expiries the answer has room for.
func (f *filter) Room() int {
	room := removal.RoomFor(f.Header(), request.URL(f.request))
	if length := len(f.sighting.verdicts); length > 0 {
		room -= len(debugField+": \r\n") + length
	}
	return room
}

// AddExpiries adds lines that remove refused cookies to the header.
func (f *filter) AddExpiries(lines []string) {
	if f.hasExpiries != nil {
		*f.hasExpiries = true
	}
	if len(lines) > 0 {
		f.handler.metrics.expiries.Add(float64(len(lines)))
		header := f.Header()
		header["Set-Cookie"] = slices.Concat(header["Set-Cookie"], lines)
		f.mark.MakePrivate(header)
	}
}

// RefusedCookies returns the cookies in the request that are declared and not
// allowed, each once, as many as a browser can hold.
func (f *filter) RefusedCookies() []removal.Cookie {
	var cookies []removal.Cookie
	known := map[string]bool{}
	for name := range f.visitor.Lines.Pairs() {
		if len(cookies) == setcookie.MaxCookies || known[name] || !setcookie.IsToken(name) {
			continue
		}
		known[name] = true
		if judgement := f.handler.policy.JudgePair(name, true, &f.visitor); judgement.Verdict == judge.Refused && !judgement.IsMonitored {
			cookies = append(cookies, removal.Cookie{Name: name, Row: judgement.Row})
		}
	}
	return cookies
}

// WriteHeader filters informational answers (1xx) as well as the final one.
func (f *filter) WriteHeader(status int) {
	if f.isEarly = status >= 100 && status <= 199 && status != http.StatusSwitchingProtocols; f.isEarly {
		f.withhold()
		f.isEarly = false
		defer f.restrictEarly()()
	} else {
		if f.isHeld {
			return // the first one counts
		}
		if f.status == 0 {
			f.status = status
		}
		if f.awaitsType() {
			f.isHeld = true
			return
		}
		f.release()
	}
	f.ResponseWriterWrapper.WriteHeader(status)
}

// mayBeReported tells whether a browser that reports may show the answer. Those that say no
// use over https are checks of servers, crawlers and browsers of before 2023, which would
// take the turns of all others.
func (f *filter) mayBeReported() bool {
	return f.request.Method != http.MethodHead && (f.request.Header.Get("Sec-Fetch-Dest") != "" || request.Scheme(f.request) != "https")
}

// awaitsType tells whether it takes the body to know whether an answer is a document, as
// nobody has said its type.
func (f *filter) awaitsType() bool {
	header := f.Header()
	return !f.isSent && (f.handler.guard != nil || f.handler.Notice != "") && !f.isPage && len(header["Content-Type"]) == 0 && len(header["Content-Encoding"]) == 0 &&
		document.KindOf(f.request, f.status, header) == document.Document
}

// maxSniffed is how much of a body tells its type, in bytes.
const maxSniffed = 512

// begin sends the final header, and what of the body was held back. A type that nobody has
// said, it says as the server would do it, which sees the body with the guard in it.
func (f *filter) begin() error {
	begun := f.begun
	if len(begun) > 0 && f.awaitsType() {
		f.Header().Set("Content-Type", http.DetectContentType(begun))
	}
	f.begun = nil
	f.release()
	if f.isHeld {
		f.isHeld = false
		f.ResponseWriterWrapper.WriteHeader(f.status)
	}
	if len(begun) == 0 {
		return nil
	}
	_, err := f.body().Write(begun)
	return err
}

// body returns where the body goes.
func (f *filter) body() io.Writer {
	if f.inserted != nil {
		return f.inserted
	}
	return f.ResponseWriter
}

// restrictEarly keeps what a browser loads before the final answer to the hosts that the
// visitor allows, and returns what takes the policy out again: the final answer gets its
// own.
func (f *filter) restrictEarly() (undo func()) {
	header := f.Header()
	if f.handler.rules.Hosts != document.Enforced || f.isPage || document.KindOf(f.request, 0, header) != document.Document {
		return func() {}
	}
	before, had := header[document.PolicyField]
	document.Add(header, document.PolicyField, document.Policy(f.handler.policy.JudgeHosts(&f.visitor).Hosts))
	return func() {
		if had {
			header[document.PolicyField] = before
		} else {
			delete(header, document.PolicyField)
		}
	}
}

// release makes the final header ready to leave: it is judged, or held as it was.
func (f *filter) release() {
	if f.isSent {
		f.restoreFields()
	} else {
		f.finish()
		f.isSent = true
	}
}

// Write filters if the handler has not called WriteHeader.
func (f *filter) Write(body []byte) (int, error) {
	if f.awaitsType() {
		if f.begun = append(f.begun, body...); len(f.begun) < maxSniffed {
			return len(body), nil
		}
		return len(body), f.begin()
	}
	if err := f.begin(); err != nil {
		return 0, err
	}
	f.hasBegun = true
	return f.body().Write(body)
}

// ReadFrom is Write for a whole reader; it keeps sendfile possible.
func (f *filter) ReadFrom(body io.Reader) (int64, error) {
	if f.awaitsType() {
		return io.Copy(onlyWriter{f}, body)
	}
	if err := f.begin(); err != nil {
		return 0, err
	}
	if f.inserted != nil {
		return io.Copy(onlyWriter{f}, body)
	}
	return f.ResponseWriterWrapper.ReadFrom(body)
}

// onlyWriter hides that a filter can read from others.
type onlyWriter struct{ io.Writer }

// end sends what is still held of an answer.
func (f *filter) end() error {
	f.hasBegun = false
	if err := f.begin(); err != nil {
		return err
	}
	if f.inserted != nil {
		f.isEnded = true
		return f.inserted.Close()
	}
	return nil
}

// FlushError filters before a flush sends the header, if the writer below is
// able to flush.
func (f *filter) FlushError() error {
	if len(f.begun) == 0 && f.awaitsType() {
		return nil // there is no body yet that tells its type
	}
	wasSent := f.isSent || f.isHeld || len(f.begun) > 0
	f.hasBegun = false
	if err := f.begin(); err != nil {
		return err
	}
	if f.inserted != nil {
		if err := f.inserted.Flush(); err != nil {
			return err
		}
	}
	err := http.NewResponseController(f.ResponseWriter).Flush()
	f.isSent = wasSent || err == nil
	return err
}

// Interface guards
var (
	_ http.ResponseWriter = (*filter)(nil)
	_ io.ReaderFrom       = (*filter)(nil)
)

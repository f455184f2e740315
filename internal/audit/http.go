package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/publicsuffix"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// Bounds on what is looked at; what they leave out is said in the report.
const (
	// maxPageTime is how long a page may take with its parts.
	maxPageTime = time.Minute

	// maxPage is how much of a page is read, and maxPart how much of a part, of which
	// only the header counts, so that its connection can be used again; in bytes.
	maxPage = 4 << 20
	maxPart = 64 << 10

	// maxReferences is how many references of a page are looked at, be they links or
	// parts, and maxParts how many parts (images, scripts, frames, ...) are loaded.
	maxReferences = 10_000
	maxParts      = 500

	// maxJar is how many cookies are kept of a site, as in Chromium.
	maxJar = 180
)

const userAgent = "Mozilla/5.0 (compatible; cookie_charter audit)"

// An httpBrowser is a browser that runs no scripts. Its cookies are kept as
// browsers keep them (RFC 6265bis, section 5.7), which Go's own jar does not: it
// drops lines that they store.
type httpBrowser struct {
	omissions

	page         string        // where the form for answers is
	time         time.Duration // for a page with its parts
	client       *http.Client
	jar          map[browserCookie]*jarCookie
	stores       int // how often cookies were
	observations observations
	parts        map[string]bool // that were loaded
}

// A jarCookie is a cookie with what decides where it is sent.
type jarCookie struct {
	browserCookie
	value   string
	secure  bool
	expires time.Time // zero for a session
	order   int
}

func newHTTPBrowser(page string) *httpBrowser {
	return &httpBrowser{page: page, time: maxPageTime, client: fetch.NewClient()}
}

func (*httpBrowser) name() string { return "" }

func (b *httpBrowser) close() error {
	b.client.CloseIdleConnections()
	return nil
}

func (b *httpBrowser) begin(context.Context) error {
	b.jar, b.parts = map[browserCookie]*jarCookie{}, map[string]bool{}
	return nil
}

// takeObservations tells nothing of other hosts, of which it asks nothing.
func (b *httpBrowser) takeObservations() ([]observation, map[charter.Origin]outcomes) {
	return b.observations.take(), nil
}

// takeStopped tells nothing, as no scripts run.
func (b *httpBrowser) takeStopped() []write { return nil }

// items tells nothing, as above.
func (b *httpBrowser) items(context.Context) ([]storedItem, bool) { return nil, false }

func (b *httpBrowser) cookies(context.Context) ([]browserCookie, error) {
	var held []browserCookie
	for _, cookie := range b.jar {
		if !cookie.isOver() {
			held = append(held, cookie.browserCookie)
		}
	}
	return held, nil
}

func (c *jarCookie) isOver() bool { return !c.expires.IsZero() && time.Now().After(c.expires) }

// open visits a page and loads its parts of the same host.
func (b *httpBrowser) open(ctx context.Context, address string) (landing, error) {
	ctx, cancel := context.WithTimeout(ctx, b.time)
	defer cancel()
	var at, base *url.URL
	var links, parts []string
	references := 0
	resolve := func(reference string) string { // "" where it cannot be read
		if reference == "" {
			return ""
		}
		if references++; references > maxReferences || len(reference) > fetch.MaxAddress {
			b.omit("some references, of which there are many or very long ones")
			return ""
		}
		address, err := base.Parse(strings.TrimSpace(reference))
		if err != nil {
			return ""
		}
		address.Fragment = ""
		return address.String()
	}
	addLink := func(reference string) {
		if link := resolve(reference); link != "" {
			links = append(links, link)
		}
	}
	addPart := func(reference string) {
		part := resolve(reference)
		parsed, err := url.Parse(part)
		switch {
		case part == "" || err != nil || parsed.Host != at.Host || b.parts[part]:
		case len(parts) >= maxParts:
			b.omit(fmt.Sprintf("its parts after the first %d", maxParts))
		default:
			b.parts[part] = true
			parts = append(parts, part)
		}
	}
	at, status, err := b.load(ctx, http.MethodGet, address, nil, func(element html.Token, page *url.URL) {
		if base == nil {
			at, base = page, page
		}
		rel := ascii.ToLower(attributeOf(element, "rel"))
		switch {
		case element.DataAtom == atom.Base && base == page:
			if given := resolve(attributeOf(element, "href")); given != "" {
				base, _ = url.Parse(given) // as it was written by url
			}
		case element.DataAtom == atom.A || element.DataAtom == atom.Area:
			addLink(attributeOf(element, "href"))
		case element.DataAtom == atom.Meta && ascii.EqualFold(attributeOf(element, "http-equiv"), "refresh"):
			_, address, _ := strings.Cut(attributeOf(element, "content"), "=")
			addLink(strings.Trim(address, ` '"`))
		case element.DataAtom == atom.Link && (strings.Contains(rel, "stylesheet") || strings.Contains(rel, "icon") || strings.Contains(rel, "preload")):
			addPart(attributeOf(element, "href"))
		default:
			for _, attribute := range []string{"src", "poster", "data"} {
				addPart(attributeOf(element, attribute))
			}
			for candidate := range strings.SplitSeq(attributeOf(element, "srcset"), ",") {
				address, _, _ := strings.Cut(strings.TrimSpace(candidate), " ")
				addPart(address)
			}
		}
	})
	if err != nil {
		return landing{status: status}, err
	}
	for i, part := range parts {
		_, _, err := b.load(ctx, http.MethodGet, part, nil, nil)
		if err != nil && ctx.Err() != nil { // else it is the page's own matter
			b.omit(fmt.Sprintf("%d of its parts, which took too long", len(parts)-i))
			break
		}
	}
	return landing{at: at.String(), status: status, links: links}, nil
}

// picture returns none: nothing is shown.
func (*httpBrowser) picture(context.Context) ([]byte, error) { return nil, nil }

func attributeOf(element html.Token, key string) string {
	for _, attribute := range element.Attr {
		if attribute.Key == key {
			return attribute.Val
		}
	}
	return ""
}

// savedStatus is what the address to which a form post leads says of a choice that was
// saved.
const savedStatus = "saved"

// giveAnswer sends the form of the charter page.
func (b *httpBrowser) giveAnswer(ctx context.Context, answer answers.Answer, _ bool) (given, error) {
	ctx, cancel := context.WithTimeout(ctx, b.time)
	defer cancel()
	b.parts = map[string]bool{}
	hasForm := false
	how := given{at: b.page, clicked: []string{formButton(answer)}}
	at, _, err := b.load(ctx, http.MethodGet, b.page, nil, func(element html.Token, _ *url.URL) {
		hasForm = hasForm || element.DataAtom == atom.Button && attributeOf(element, "name") == "all" && attributeOf(element, "value") == answer.String()
	})
	if err != nil {
		return how, err
	}
	if !hasForm {
		return how, fmt.Errorf("%w at %s", errNoQuestions, b.page)
	}
	at, _, err = b.load(ctx, http.MethodPost, at.String(), url.Values{"all": {answer.String()}}, nil)
	if err == nil && at.Query().Get("status") != savedStatus {
		err = fmt.Errorf("the form at %s has not stored the answer", b.page)
	}
	return how, err
}

// load loads an address and follows redirections on the same host. It returns
// where that ended, which can be the address of another host, and with which status. Look is called for
// each element of a page in HTML; without it, that is not read.
func (b *httpBrowser) load(ctx context.Context, method, address string, form url.Values, look func(element html.Token, page *url.URL)) (*url.URL, int, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, 0, fetch.WithoutAddress(err)
	}
	for range fetch.MaxHops {
		request, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(form.Encode()))
		if err != nil {
			return nil, 0, fetch.WithoutAddress(err)
		}
		request.Header.Set("User-Agent", userAgent)
		request.Header.Set("Accept", "text/html,*/*;q=0.8")
		if method == http.MethodPost {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set("Origin", at.Scheme+"://"+at.Host)
		}
		if cookies := b.send(at); cookies != "" {
			request.Header.Set("Cookie", cookies)
		}
		response, err := b.client.Do(request)
		if err != nil {
			return nil, 0, fetch.WithoutAddress(err)
		}
		clock := setcookie.Clock{Now: time.Now(), Date: setcookie.DateOf(response.Header)}
		for _, line := range response.Header["Set-Cookie"] {
			b.store(line, at, clock)
		}
		next, err := fetch.Redirection(response)
		if err == nil && next == nil {
			err = statusError(response.StatusCode)
		}
		if err == nil {
			err = b.read(response, next == nil, look)
		}
		response.Body.Close()
		switch {
		case err != nil:
			return nil, response.StatusCode, err
		case next == nil:
			return at, response.StatusCode, nil
		case !fetch.SameHost(next, at):
			return next, response.StatusCode, nil
		}
		if response.StatusCode != http.StatusTemporaryRedirect && response.StatusCode != http.StatusPermanentRedirect {
			method, form = http.MethodGet, nil
		}
		at = next
	}
	return nil, 0, fetch.ErrTooManyHops
}

// read reads the elements of an answer that is a page to be looked at.
func (b *httpBrowser) read(response *http.Response, isPage bool, look func(element html.Token, page *url.URL)) error {
	mediaType, _ := ascii.MediaType(response.Header.Get("Content-Type"))
	if !isPage || look == nil || mediaType != "text/html" && mediaType != "application/xhtml+xml" {
		_, err := io.CopyN(io.Discard, response.Body, maxPart)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return err
	}
	tokens := html.NewTokenizer(io.LimitReader(response.Body, maxPage))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if !errors.Is(tokens.Err(), io.EOF) {
				return fetch.WithoutAddress(tokens.Err())
			}
			if more, _ := io.ReadFull(response.Body, make([]byte, 1)); more > 0 {
				b.omit(fmt.Sprintf("what comes after its first %d bytes", maxPage))
			}
			return nil
		case html.StartTagToken, html.SelfClosingTagToken:
			element := tokens.Token()
			if element.DataAtom == atom.Noscript { // which counts
				tokens.NextIsNotRawText()
			}
			look(element, response.Request.URL)
		default: // no element
		}
	}
}

// store stores the cookie of a Set-Cookie line, or removes it, if browsers would.
func (b *httpBrowser) store(line string, at *url.URL, clock setcookie.Clock) {
	cookie := parseSetCookie(line, at, clock)
	if cookie == nil || setcookie.HasControls(line) || len(cookie.name)+len(cookie.value) > setcookie.MaxNameAndValue {
		return
	}
	isHost := ascii.HasPrefixFold(cookie.name, "__Host-")
	isSecure := isHost || ascii.HasPrefixFold(cookie.name, "__Secure-") || ascii.HasPrefixFold(cookie.name, "__Http-")
	switch {
	case (cookie.secure || isSecure) && !isTrustworthy(at):
	case isSecure && !cookie.secure:
	case isHost && (strings.HasPrefix(cookie.domain, ".") || cookie.path != "/"):
	case cookie.life.Deletes():
		delete(b.jar, cookie.key())
	default:
		b.stores++
		cookie.order = b.stores
		if earlier := b.jar[cookie.key()]; earlier != nil {
			cookie.order = earlier.order
		} else if len(b.jar) >= maxJar {
			b.omit(fmt.Sprintf("which of more than %d cookies browsers keep", maxJar))
			oldest := slices.MinFunc(slices.Collect(maps.Values(b.jar)), func(a, b *jarCookie) int { return a.order - b.order })
			delete(b.jar, oldest.key())
		}
		b.jar[cookie.key()] = cookie
		b.observe(observation{cookie: cookie.browserCookie})
	}
}

// observe records what happened to a cookie.
func (b *httpBrowser) observe(happened observation) {
	if !b.observations.add(happened) {
		b.omit(manyCookies)
	}
}

// send returns the Cookie header of a request.
func (b *httpBrowser) send(at *url.URL) string {
	var sent []*jarCookie
	for _, cookie := range b.jar {
		if isSentTo(ascii.ToLower(at.Hostname()), cookie.domain) && isWithinPath(cmp.Or(at.EscapedPath(), "/"), cookie.path) && (!cookie.secure || isTrustworthy(at)) && !cookie.isOver() {
			sent = append(sent, cookie)
		}
	}
	slices.SortFunc(sent, func(a, b *jarCookie) int { return cmp.Or(len(b.path)-len(a.path), a.order-b.order) })
	pairs := make([]string, 0, len(sent))
	for _, cookie := range sent {
		pair := cookie.value
		if cookie.name != "" {
			pair = cookie.name + "=" + cookie.value
		}
		pairs = append(pairs, pair)
		b.observe(observation{cookie: cookie.browserCookie, isSent: true})
	}
	return strings.Join(pairs, "; ")
}

// parseSetCookie returns the cookie of a Set-Cookie line with the place where it
// is stored, nil if no browser stores it there.
func parseSetCookie(line string, at *url.URL, clock setcookie.Clock) *jarCookie {
	pair, written, _ := strings.Cut(line, ";")
	name, value, _ := setcookie.CutPair(pair)
	if !strings.Contains(pair, "=") {
		value = setcookie.Trim(pair) // of a cookie without a name
	}
	if name == "" && value == "" {
		return nil
	}
	host := ascii.ToLower(at.Hostname())
	cookie := &jarCookie{browserCookie: browserCookie{name: name, domain: host, path: setcookie.DefaultPath(at)}, value: value}
	read := setcookie.ReadAttributes(written)
	cookie.secure = read.Secure
	if domain := ascii.ToLower(strings.TrimPrefix(read.Domain, ".")); domain != "" {
		cookie.domain = "." + domain
	}
	if strings.HasPrefix(read.Path, "/") {
		cookie.path = read.Path
	}
	if domain, ok := strings.CutPrefix(cookie.domain, "."); ok {
		_, notAddress := netip.ParseAddr(host)
		_, isPublic := publicsuffix.EffectiveTLDPlusOne(domain)
		switch {
		case domain == host && (notAddress == nil || isPublic != nil):
			cookie.domain = host
		case domain != host && (notAddress == nil || isPublic != nil || !strings.HasSuffix(host, "."+domain)):
			return nil
		}
	}
	if cookie.life, _ = read.Lifetime(clock); cookie.life.Persistent {
		cookie.expires = time.Now().Add(time.Duration(min(cookie.life.Seconds, int64(charter.MaxLifetime.Seconds()))) * time.Second)
	}
	return cookie
}

// isSentTo tells whether browsers send a cookie of a domain to a host.
func isSentTo(host, domain string) bool {
	domain, withSubdomains := strings.CutPrefix(domain, ".")
	return host == domain || withSubdomains && strings.HasSuffix(host, "."+domain)
}

// isWithinPath tells whether a cookie of a path is sent to another (RFC 6265bis,
// section 5.1.4).
func isWithinPath(path, of string) bool {
	rest, ok := strings.CutPrefix(path, of)
	return ok && (rest == "" || strings.HasSuffix(of, "/") || rest[0] == '/')
}

// isTrustworthy tells whether browsers take Secure cookies from an address and
// send them there.
func isTrustworthy(at *url.URL) bool {
	ip := net.ParseIP(at.Hostname())
	return at.Scheme == "https" || address.IsLocalhost(at.Hostname()) || ip != nil && ip.IsLoopback()
}

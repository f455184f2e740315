package cookiecharter

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

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

const (
	auditTimeout = 30 * time.Second

	// maxHops is how many redirections are followed; a withdrawal takes up to nine.
	maxHops = 20

	// maxParts is how many parts of a page (images, scripts, frames, ...) are loaded.
	maxParts = 500

	auditAgent = "Mozilla/5.0 (compatible; cookie_charter audit)"
)

// An httpBrowser is a browser that runs no scripts. Its cookies are kept as
// browsers keep them (RFC 6265bis, section 5.7), which Go's own jar does not: it
// drops lines that they store.
type httpBrowser struct {
	page   string // where the form for answers is
	client *http.Client
	jar    map[heldCookie]*jarCookie
	seen   []observation
	parts  map[string]bool // that were loaded
}

// A jarCookie is a cookie with what decides where it is sent.
type jarCookie struct {
	heldCookie
	value   string
	secure  bool
	expires time.Time // zero for a session
	order   int
}

func newHTTPBrowser(page string) *httpBrowser {
	return &httpBrowser{page: page, client: &http.Client{
		Timeout:       auditTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (*httpBrowser) name() string { return "" }
func (*httpBrowser) close() error { return nil }

func (b *httpBrowser) begin(context.Context) error {
	b.jar, b.parts = map[heldCookie]*jarCookie{}, map[string]bool{}
	return nil
}

func (b *httpBrowser) observed() []observation {
	seen := b.seen
	b.seen = nil
	return seen
}

func (b *httpBrowser) held(context.Context) ([]heldCookie, error) {
	var held []heldCookie
	for cookie := range maps.Values(b.jar) {
		if !cookie.isOver() {
			held = append(held, cookie.heldCookie)
		}
	}
	return held, nil
}

func (c *jarCookie) isOver() bool { return !c.expires.IsZero() && time.Now().After(c.expires) }

// open visits a page and loads its parts of the same host.
func (b *httpBrowser) open(ctx context.Context, address string) (string, []string, error) {
	document, at, err := b.load(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", nil, err
	}
	if document == nil {
		return at.String(), nil, nil
	}
	base := at
	var links, parts []string
	for node := range document.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		rel := ascii.ToLower(attributeOf(node, "rel"))
		switch {
		case node.DataAtom == atom.Base && base == at:
			if given, err := at.Parse(attributeOf(node, "href")); err == nil {
				base = given
			}
		case node.DataAtom == atom.A || node.DataAtom == atom.Area:
			links = append(links, resolve(base, attributeOf(node, "href")))
		case node.DataAtom == atom.Meta && ascii.EqualFold(attributeOf(node, "http-equiv"), "refresh"):
			_, address, _ := strings.Cut(attributeOf(node, "content"), "=")
			links = append(links, resolve(base, strings.Trim(address, ` '"`)))
		case node.DataAtom == atom.Link && (strings.Contains(rel, "stylesheet") || strings.Contains(rel, "icon") || strings.Contains(rel, "preload")):
			parts = append(parts, resolve(base, attributeOf(node, "href")))
		default:
			for _, attribute := range []string{"src", "poster", "data"} {
				parts = append(parts, resolve(base, attributeOf(node, attribute)))
			}
			for candidate := range strings.SplitSeq(attributeOf(node, "srcset"), ",") {
				address, _, _ := strings.Cut(strings.TrimSpace(candidate), " ")
				parts = append(parts, resolve(base, address))
			}
		}
	}
	for _, part := range parts {
		parsed, err := url.Parse(part)
		if err != nil || part == "" || parsed.Host != at.Host || b.parts[part] || len(b.parts) >= maxParts {
			continue
		}
		b.parts[part] = true
		if _, _, err := b.load(ctx, http.MethodGet, part, nil); err != nil && ctx.Err() != nil {
			return "", nil, err // a part that fails is the page's own matter
		}
	}
	return at.String(), links, nil
}

// resolve returns where a reference in a page leads, "" if it cannot be told.
func resolve(base *url.URL, reference string) string {
	if reference == "" {
		return ""
	}
	address, err := base.Parse(strings.TrimSpace(reference))
	if err != nil {
		return ""
	}
	address.Fragment = ""
	return address.String()
}

func attributeOf(node *html.Node, key string) string {
	for _, attribute := range node.Attr {
		if attribute.Key == key {
			return attribute.Val
		}
	}
	return ""
}

// answer sends the form of the charter page.
func (b *httpBrowser) answer(ctx context.Context, given answer, _ bool) error {
	b.parts = map[string]bool{}
	document, at, err := b.load(ctx, http.MethodGet, b.page, nil)
	if err != nil {
		return err
	}
	if document != nil {
		for node := range document.Descendants() {
			if node.DataAtom == atom.Button && attributeOf(node, "name") == "all" && attributeOf(node, "value") == given.String() {
				_, at, err := b.load(ctx, http.MethodPost, at.String(), url.Values{"all": {given.String()}})
				if err == nil && at.Query().Get("status") != statusSaved {
					err = fmt.Errorf("the form at %s has not stored the answer", b.page)
				}
				return err
			}
		}
	}
	return fmt.Errorf("%w at %s", errNoQuestions, b.page)
}

// load loads an address and follows redirections on the same host. It returns
// the page, nil if it is no HTML, and where it is.
func (b *httpBrowser) load(ctx context.Context, method, address string, form url.Values) (*html.Node, *url.URL, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, nil, err
	}
	for range maxHops {
		request, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(form.Encode()))
		if err != nil {
			return nil, nil, err
		}
		request.Header.Set("User-Agent", auditAgent)
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
			return nil, nil, err
		}
		document, err := b.receive(response)
		if err != nil {
			return nil, nil, err
		}
		next, err := response.Location()
		if errors.Is(err, http.ErrNoLocation) || response.StatusCode < 300 || response.StatusCode > 399 {
			return document, at, statusError(at.String(), response.StatusCode)
		} else if err != nil {
			return nil, nil, err
		}
		if next.Host != at.Host {
			return nil, next, nil
		}
		if response.StatusCode != http.StatusTemporaryRedirect && response.StatusCode != http.StatusPermanentRedirect {
			method, form = http.MethodGet, nil
		}
		at = next
	}
	return nil, nil, fmt.Errorf("%s leads from one address to the next, %d times", address, maxHops)
}

// receive stores the cookies of an answer, and reads it if it is HTML.
func (b *httpBrowser) receive(response *http.Response) (*html.Node, error) {
	defer response.Body.Close()
	clock := func() (time.Time, bool) { return clockOf(response.Header.Get("Date")) }
	for _, line := range response.Header["Set-Cookie"] {
		b.store(line, response.Request.URL, clock)
	}
	body := io.LimitReader(response.Body, maxImport)
	if mediaType, _ := ascii.MediaType(response.Header.Get("Content-Type")); mediaType == "text/html" || mediaType == "application/xhtml+xml" {
		return html.ParseWithOptions(body, html.ParseOptionEnableScripting(false)) // so that <noscript> counts
	}
	_, err := io.Copy(io.Discard, body)
	return nil, err
}

// store stores the cookie of a Set-Cookie line, or removes it, if browsers would.
func (b *httpBrowser) store(line string, at *url.URL, clock func() (time.Time, bool)) {
	cookie := parseSetCookie(line, at, clock)
	if cookie == nil || hasControls(line) || len(cookie.name)+len(cookie.value) > maxNameAndValue {
		return
	}
	isHost := ascii.HasPrefixFold(cookie.name, "__Host-")
	isSecure := isHost || ascii.HasPrefixFold(cookie.name, "__Secure-") || ascii.HasPrefixFold(cookie.name, "__Http-")
	switch {
	case (cookie.secure || isSecure) && !isTrustworthy(at):
	case isSecure && !cookie.secure:
	case isHost && (strings.HasPrefix(cookie.domain, ".") || cookie.path != "/"):
	case cookie.life.deletes():
		delete(b.jar, cookie.key())
	default:
		cookie.order = len(b.jar)
		if earlier := b.jar[cookie.key()]; earlier != nil {
			cookie.order = earlier.order
		}
		b.jar[cookie.key()] = cookie
		b.seen = append(b.seen, observation{cookie: cookie.heldCookie})
	}
}

// send returns the Cookie header of a request.
func (b *httpBrowser) send(at *url.URL) string {
	var sent []*jarCookie
	for _, cookie := range b.jar {
		domain, withSubdomains := strings.CutPrefix(cookie.domain, ".")
		host := ascii.ToLower(at.Hostname())
		isHere := host == domain || withSubdomains && strings.HasSuffix(host, "."+domain)
		if isHere && isWithinPath(cmp.Or(at.EscapedPath(), "/"), cookie.path) && (!cookie.secure || isTrustworthy(at)) && !cookie.isOver() {
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
		b.seen = append(b.seen, observation{cookie: cookie.heldCookie, sent: true})
	}
	return strings.Join(pairs, "; ")
}

// parseSetCookie returns the cookie of a Set-Cookie line with the place where it
// is stored, nil if no browser stores it there.
func parseSetCookie(line string, at *url.URL, clock func() (time.Time, bool)) *jarCookie {
	pair, written, _ := strings.Cut(line, ";")
	name, value, _ := cutPair(pair)
	if !strings.Contains(pair, "=") {
		value = trim(pair) // of a cookie without a name
	}
	if name == "" && value == "" {
		return nil
	}
	host := ascii.ToLower(at.Hostname())
	cookie := &jarCookie{heldCookie: heldCookie{name: name, domain: host, path: defaultPath(at)}, value: value}
	read := readAttributes(written)
	cookie.secure = read.secure
	if domain := ascii.ToLower(strings.TrimPrefix(read.domain, ".")); domain != "" {
		cookie.domain = "." + domain
	}
	if strings.HasPrefix(read.path, "/") {
		cookie.path = read.path
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
	if cookie.life, _ = read.lifetime(clock); cookie.life.persistent {
		cookie.expires = time.Now().Add(time.Duration(min(cookie.life.seconds, int64(maxLifetime.seconds()))) * time.Second)
	}
	return cookie
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
	host := at.Hostname()
	address := net.ParseIP(host)
	return at.Scheme == "https" || host == "localhost" || strings.HasSuffix(host, ".localhost") || address != nil && address.IsLoopback()
}

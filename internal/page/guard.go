package page

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/guard"
	"github.com/cookie-charter/cookie_charter/internal/request"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// What a document's guard tells is read so far: names, each in a line, of stored items with a
// mark that no name of a cookie has.
const (
	maxTold       = 8 << 10 // bytes
	maxToldNames  = 32      // of either kind
	maxToldLength = 64      // of a name
	itemMark      = "@"
)

// answerGuard tells a document's guard what the visitor allows now. One that monitors tells
// here what it would have removed.
func (p *Page) answerGuard(e Exchange) error {
	method, allowed := e.Request.Method, "GET, HEAD"
	if p.Guard.Monitors() {
		if method == http.MethodPost {
			return p.takeNames(e)
		}
		allowed = "GET, HEAD, POST"
	}
	if method != http.MethodGet && method != http.MethodHead {
		e.Header().Set("Allow", allowed)
		return p.refuse(e, http.StatusMethodNotAllowed, "method", fmt.Errorf("method %s on the guard's question", method))
	}
	answer, ok := p.Guard.Answer(e.Visitor, e.Request.URL.Query().Get("v"))
	if !ok { // the document is one of before another charter
		e.WriteHeader(http.StatusConflict)
		return nil
	}
	return p.write(e, "application/json", answer)
}

// takeNames takes the names of cookies and stored items that a document's guard tells. Of items,
// nothing gets further than what can be shown: anybody can post, also a script of before.
func (p *Page) takeNames(e Exchange) error {
	mediaType, _ := ascii.MediaType(e.Request.Header.Get("Content-Type"))
	return p.takePost(e, &p.nameRate, mediaType == "text/plain", maxTold, func(body []byte) {
		var cookies, items []string
		read := map[bool]int{} // lines, by whether they are of items
		for line := range strings.SplitSeq(string(body), "\n") {
			name, isItem := strings.CutPrefix(line, itemMark)
			if read[isItem]++; read[isItem] > maxToldNames {
				continue // a script tells no more, and each costs
			}
			names := &cookies
			if isItem {
				names, name = &items, p.Charter.ShowItem(name)
			}
			if len(name) <= maxToldLength && setcookie.IsToken(name) && !slices.Contains(*names, name) {
				*names = append(*names, name)
			}
		}
		p.Observer.Found(e, cookies, items, request.Network(e.Request))
	})
}

// guardEffect returns what is done about cookies of scripts that a visitor does not allow.
func (o *Options) guardEffect() document.Effect {
	switch {
	case o.Guard == nil:
		return document.Ignored
	case o.Guard.Monitors():
		return document.Reported
	}
	return document.Enforced
}

// isGuards tells whether a name beside the page is the guard's.
func (p *Page) isGuards(name string) bool {
	return p.Guard != nil && name == guard.QuestionName
}

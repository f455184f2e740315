package page

import (
	"fmt"
	"net/http"

	"github.com/cookie-charter/cookie_charter/internal/guard"
)

// answerGuard tells a document's guard what the visitor allows now.
func (p *Page) answerGuard(e Exchange) error {
	if method := e.Request.Method; method != http.MethodGet && method != http.MethodHead {
		e.Header().Set("Allow", "GET, HEAD")
		return p.refuse(e, http.StatusMethodNotAllowed, "method", fmt.Errorf("method %s on the guard's question", method))
	}
	answer, ok := p.Guard.Answer(e.Visitor, e.Request.URL.Query().Get("v"))
	if !ok { // the document is one of before another charter
		e.WriteHeader(http.StatusConflict)
		return nil
	}
	return p.write(e, "application/json", answer)
}

// guardAsset returns the guard's script.
func (p *Page) guardAsset() asset {
	return asset{"text/javascript; charset=utf-8", "public, max-age=31536000, immutable", p.Guard.Script()}
}

// isGuards tells whether a name beside the page is the guard's.
func (p *Page) isGuards(name string) bool {
	return p.Guard != nil && name == guard.QuestionName
}

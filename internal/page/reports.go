package page

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/report"
	"github.com/cookie-charter/cookie_charter/internal/request"
)

// reportsFile is where browsers report to, beside the page.
const reportsFile = "reports"

// Why reports are ignored.
const (
	RefusedReport  = "refused" // the post comes from another site, or has another form
	CrowdingReport = "rate"    // it comes too soon after others
	HostlessReport = "no_host" // it names no host but the page's own
)

// IgnoredReports are all reasons.
var IgnoredReports = []string{RefusedReport, CrowdingReport, HostlessReport}

// takeReports takes what browsers report of hosts.
func (p *Page) takeReports(e Exchange) error {
	r := e.Request
	mediaType, _ := ascii.MediaType(r.Header.Get("Content-Type"))
	return p.takePost(e, &p.reportRate, report.IsType(mediaType), report.MaxBody, func(body []byte) {
		own, _ := charter.ParseOrigin(request.Scheme(r) + "://" + r.Host)
		reports, ignored := report.Read(mediaType, bytes.NewReader(body), own)
		p.Observer.Reported(e, reports, request.Network(r))
		p.Observer.Ignored(HostlessReport, ignored)
	})
}

// takePost takes what a browser posts of what it has seen. Who has sent it does not learn
// what became of it.
func (p *Page) takePost(e Exchange, rate *reportRate, isOfType bool, limit int64, take func(body []byte)) error {
	refuse := func(status int, cause error) error {
		p.Observer.Ignored(RefusedReport, 1)
		return caddyhttp.Error(status, cause)
	}
	r := e.Request
	if r.Method != http.MethodPost {
		e.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, fmt.Errorf("method %s on the reports", r.Method))
	}
	// Or another site could have all of its visitors report here.
	if err := p.crossOrigin.Check(r); err != nil {
		return refuse(http.StatusForbidden, err)
	}
	if !isOfType {
		return refuse(http.StatusUnsupportedMediaType, errors.New("not in a form of reports"))
	}
	if !rate.takes(request.Network(r), p.Answers.Now()) {
		p.Observer.Ignored(CrowdingReport, 1)
		e.WriteHeader(http.StatusNoContent)
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if _, isTooLong := errors.AsType[*http.MaxBytesError](err); isTooLong {
		return refuse(http.StatusRequestEntityTooLarge, err)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	take(body)
	e.WriteHeader(http.StatusNoContent)
	return nil
}

const (
	// maxPosts is how many posts of a kind are read in a second. One document in a second
	// asks for reports, for which browsers make up to some fifty posts; each document in
	// which a guard monitors makes one at most.
	maxPosts = 256

	// maxNetworkPosts is how many of these one network can make.
	maxNetworkPosts = 64
)

// A reportRate bounds how many posts of a kind are read.
type reportRate struct {
	mutex    sync.Mutex
	second   int64
	posts    int
	networks map[uint64]int // of these
}

// takes tells whether one more post from a network is read now.
func (r *reportRate) takes(network uint64, now time.Time) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if second := now.Unix(); second != r.second {
		r.second, r.posts, r.networks = second, 0, map[uint64]int{}
	}
	if r.posts == maxPosts || r.networks[network] == maxNetworkPosts {
		return false
	}
	r.posts++
	r.networks[network]++
	return true
}

// Package fetch reads files, and addresses of untrusted servers, within bounds.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// Bounds on what an untrusted server can make us do.
const (
	// RequestTimeout is how long one request may take, its answer included.
	RequestTimeout = 30 * time.Second

	// MaxHops is how many redirections are followed, on the same host; a withdrawal
	// takes up to nine.
	MaxHops = 20

	// maxHeader is how long the header of an answer may be, in bytes, as in Chromium.
	maxHeader = 256 << 10

	// MaxAddress is how long an address may be, in bytes: what servers take, mostly.
	MaxAddress = 8 << 10
)

// NewClient returns a client that keeps these bounds, takes *.localhost for this
// machine, as browsers do, and leaves redirections to its user.
func NewClient() *http.Client {
	dialer := &net.Dialer{Timeout: RequestTimeout}
	return &http.Client{
		Timeout:       RequestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: func(request *http.Request) (*url.URL, error) {
				if address.IsLocalhost(request.URL.Hostname()) {
					return nil, nil
				}
				return http.ProxyFromEnvironment(request)
			},
			DialContext: func(ctx context.Context, network, server string) (net.Conn, error) {
				host, port, err := net.SplitHostPort(server)
				if err != nil || !address.IsLocalhost(host) {
					return dialer.DialContext(ctx, network, server)
				}
				connection, err := dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
				if err != nil {
					var other error
					if connection, other = dialer.DialContext(ctx, network, net.JoinHostPort("::1", port)); other != nil {
						return nil, err
					}
				}
				return connection, nil
			},
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: maxHeader,
			IdleConnTimeout:        RequestTimeout,
		},
	}
}

// Redirection returns where an answer leads, nil if it does not.
func Redirection(response *http.Response) (*url.URL, error) {
	if response.StatusCode < 300 || response.StatusCode > 399 {
		return nil, nil
	}
	next, err := response.Location()
	switch {
	case errors.Is(err, http.ErrNoLocation):
		return nil, nil
	case err != nil || len(next.String()) > MaxAddress || next.Host == "" || next.Scheme != "http" && next.Scheme != "https":
		return nil, errors.New("it leads to an address that cannot be followed")
	}
	return next, nil
}

// WithoutAddress returns an error of a request without its address and without bytes
// of its answer's header: both can hold values of cookies.
func WithoutAddress(err error) error {
	if ofURL, ok := errors.AsType[*url.Error](err); ok {
		err = ofURL.Err
	}
	if text := err.Error(); strings.Contains(text, "malformed") || strings.Contains(text, "Location header") {
		return errors.New("its answer is malformed")
	}
	return err
}

// ReadSource reads a file, or the page at a URL, up to so many bytes, and tells
// whether that was all. To another host nothing leads.
func ReadSource(source string, most int64) (content []byte, isWhole bool, err error) {
	if !IsURL(source) {
		file, err := os.Open(source) //nolint:gosec // the operator names it
		if err != nil {
			return nil, false, err
		}
		defer file.Close()
		return readAll(file, most)
	}
	at, err := url.Parse(source)
	if err != nil {
		return nil, false, WithoutAddress(err)
	}
	client := NewClient()
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), RequestTimeout)
	defer cancel()
	for range MaxHops {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return nil, false, WithoutAddress(err)
		}
		response, err := client.Do(request)
		if err != nil {
			return nil, false, WithoutAddress(err)
		}
		defer response.Body.Close()
		next, err := Redirection(response)
		switch {
		case err != nil:
			return nil, false, err
		case next != nil && !SameHost(next, at):
			return nil, false, fmt.Errorf("it leads to another host, %s; name that if you mean it", next.Host)
		case next != nil:
			at = next
		case response.StatusCode != http.StatusOK:
			return nil, false, StatusError(response.StatusCode)
		default:
			return readAll(response.Body, most)
		}
	}
	return nil, false, ErrTooManyHops
}

// A StatusError is the status of an answer other than 200.
type StatusError int

// Error returns what the server answers.
func (s StatusError) Error() string {
	return fmt.Sprintf("it answers %d %s", int(s), http.StatusText(int(s)))
}

// ErrTooManyHops is the error of an address that redirects for ever.
var ErrTooManyHops = fmt.Errorf("it leads from one address to the next, %d times", MaxHops)

// readAll reads up to so many bytes, and tells whether that was all.
func readAll(body io.Reader, most int64) (content []byte, isWhole bool, err error) {
	content, err = io.ReadAll(io.LimitReader(body, most+1))
	if err != nil {
		return nil, false, WithoutAddress(err)
	}
	return content[:min(int64(len(content)), most)], int64(len(content)) <= most, nil
}

// SameHost tells whether two addresses are of one host, be it by http or https.
func SameHost(one, other *url.URL) bool {
	site, err := ParseSite(one.String())
	otherSite, otherErr := ParseSite(other.String())
	return err == nil && otherErr == nil && site.Host == otherSite.Host
}

// IsURL tells whether a source is an address, and no file.
func IsURL(source string) bool {
	return strings.HasPrefix(source, "https://") || strings.HasPrefix(source, "http://")
}

// ParseSite reads the address of a page, and writes its host as browsers do.
func ParseSite(text string) (*url.URL, error) {
	site, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	host, err := idna.Lookup.ToASCII(site.Hostname())
	if err != nil {
		host = ascii.ToLower(site.Hostname()) // an address, or a name with "_"
	}
	if port := site.Port(); port != "" && port != address.DefaultPorts[site.Scheme] {
		host = net.JoinHostPort(host, port)
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	site.Host, site.Fragment, site.RawFragment = host, "", ""
	return site, nil
}

package cookiecharter

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/cookie-charter/cookie_charter/internal/page"
)

func TestMain(m *testing.M) {
	page.ArchivePatience = time.Minute // so that pages show all of an archive on a busy machine, too
	code := m.Run()
	if err := caddy.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.RemoveAll(storage())
	os.Exit(code)
}

var storage = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "cookie_charter")
	if err != nil {
		panic(err)
	}
	return dir
})

// certificate returns the files of a certificate and key for localhost. With
// one that it had to manage, Caddy would still be busy when a test begins.
var certificate = sync.OnceValues(func() (certFile, keyFile string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	public, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	certFile, keyFile = filepath.Join(storage(), "cert.pem"), filepath.Join(storage(), "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: public}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			panic(err)
		}
	}
	return certFile, keyFile
})

// portsGiven tells freePort where it was, and begins anywhere.
var portsGiven atomic.Int64

func init() { portsGiven.Store(time.Now().UnixMicro()) }

// freePort returns a port of which, and of whose successor, nobody listens. It
// is below those that systems choose themselves, and comes round again late.
func freePort() int {
	for {
		port := 10_000 + int(portsGiven.Add(1)%10_000)*2
		if isFree(port) && isFree(port+1) {
			return port
		}
	}
}

func isFree(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	listener.Close()
	return true
}

// serve runs Caddy in this process with one site, and returns its address.
func serve(t *testing.T, encrypted bool, site string) string {
	t.Helper()
	port := strconv.Itoa(freePort())
	// A site with a host in its address would answer other hosts with an empty
	// 200 that looks like a perfect filter.
	address, options := "http://:"+port, ""
	if encrypted {
		certFile, keyFile := certificate()
		address, options = "https://localhost:"+port, "tls "+certFile+" "+keyFile
	}
	load(t, fmt.Sprintf("%s {\n bind 127.0.0.1\n %s\n %s\n}\n", address, options, site))
	if encrypted {
		return "localhost:" + port
	}
	return "127.0.0.1:" + port
}

// load runs Caddy in this process with the sites of a Caddyfile.
func load(t *testing.T, sites string) {
	t.Helper()
	if err := tryLoad(t, sites); err != nil {
		t.Fatal(err)
	}
}

func tryLoad(t *testing.T, sites string) error {
	t.Helper()
	return tryLoadWith(t, "", sites)
}

// tryLoadWith is tryLoad with global options more.
func tryLoadWith(t *testing.T, options, sites string) error {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(fmt.Appendf(nil, `{
		admin off
		persist_config off
		skip_install_trust
		grace_period 1ms
		storage file_system %s
		http_port 0
		log {
			output file %s/log {
				mode 0600
			}
			level DEBUG
		}
		%s
	}
	%s`, storage(), storage(), options, sites), nil)
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.ReplaceAll(config, []byte(`"match":{"sni":["localhost"]}`), []byte(`"match":{"sni":["localhost"],"after_start":{}}`))
	defer started.Unlock()
	started.Lock()
	return caddy.Load(config, true)
}

// afterStart is a matcher of TLS handshakes that shows the race detector what it
// cannot see over QUIC: that handshakes come after Caddy has started.
type afterStart struct{}

var started sync.Mutex

func init() {
	caddy.RegisterModule(afterStart{})
}

func (afterStart) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "tls.handshake_match.after_start", New: func() caddy.Module { return new(afterStart) }}
}

func (afterStart) Match(*tls.ClientHelloInfo) bool {
	started.Lock()
	defer started.Unlock()
	return true
}

// provision returns a handler as Caddy provisions it.
func provision(t testing.TB, block string) *Handler {
	t.Helper()
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(caddyfile.NewTestDispenser(block)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := handler.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return handler
}

// visit returns a request as Caddy hands it to the handler.
func visit(url string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	r.TLS = nil
	if strings.HasPrefix(url, "https:") {
		r.TLS = &tls.ConnectionState{}
	}
	ctx := context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{})
	original := *r
	return r.WithContext(context.WithValue(ctx, caddyhttp.OriginalRequestCtxKey, original))
}

// clients returns an HTTP client for each version, by its name.
func clients(t *testing.T) map[string]*http.Client {
	t.Helper()
	config := func() *tls.Config { return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"} }
	h1 := &http.Transport{TLSClientConfig: config(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	h2 := &http.Transport{TLSClientConfig: config(), ForceAttemptHTTP2: true}
	h3 := &http3.Transport{TLSClientConfig: config()}
	t.Cleanup(func() {
		h1.CloseIdleConnections()
		h2.CloseIdleConnections()
		h3.Close()
	})
	versions := map[string]*http.Client{}
	for version, transport := range map[string]http.RoundTripper{"HTTP/1.1": h1, "HTTP/2.0": h2, "HTTP/3.0": h3} {
		versions[version] = &http.Client{
			Transport:     versionCheck{transport, version},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return versions
}

// versionCheck fails a request that was answered in another version.
type versionCheck struct {
	http.RoundTripper
	version string
}

func (v versionCheck) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := v.RoundTripper.RoundTrip(request)
	if err == nil && response.Proto != v.version {
		return nil, fmt.Errorf("answered in %s, want %s", response.Proto, v.version)
	}
	return response, err
}

// get makes a request over HTTP/1.1 that follows no redirect.
func get(t *testing.T, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	return do(t, http.MethodGet, url, header, "")
}

// do makes a request, and reads the answer to its end.
func do(t *testing.T, method, url string, header http.Header, body string) (*http.Response, string) {
	t.Helper()
	client := clients(t)["HTTP/1.1"]
	for tries := 1; ; tries++ {
		request, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if header != nil {
			request.Header = header.Clone()
		}
		if host := header.Get("Host"); host != "" {
			request.Host = host
		}
		response, err := client.Do(request)
		// At a reload, the former server closes connections that it has accepted and
		// of which it has read no request yet; the next connection is its successor's.
		if tries < 5 && isUnanswered(err) {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(content)
	}
}

// isUnanswered tells whether a connection was closed before anything was answered on
// it.
func isUnanswered(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) ||
		err != nil && strings.HasSuffix(err.Error(), "http: server closed idle connection") // Go's name for it before a request is sent
}

// rawUpstream answers every request with the bytes for its path, and closes; it
// returns its address.
func rawUpstream(t *testing.T, answer func(path string) string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				if request, err := http.ReadRequest(bufio.NewReader(connection)); err == nil {
					io.WriteString(connection, answer(request.URL.Path))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

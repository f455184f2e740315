// Command guard puts the guard into the pages of an origin, for the tests in this folder's
// guard.test.js: one site for each of some charters, over http and https.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/guard"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

const pagePath = "/terms/cookies-policy"

// A site is one charter, as the tests write it.
type site struct {
	Presets     []string
	Rows        string // as in a charter file
	Preferences []answers.Config
	Monitors    bool

	store *answers.Store
	guard *guard.Guard
}

func (s *site) prepare() error {
	var sources []charter.Source
	for _, name := range s.Presets {
		preset, err := charter.LoadPreset(name)
		if err != nil {
			return err
		}
		sources = append(sources, preset)
	}
	if s.Rows != "" {
		rows, err := charter.Parse([]byte(s.Rows), "rows.yaml")
		if err != nil {
			return err
		}
		sources = append(sources, rows)
	}
	stored, declared, err := answers.NewPreferences(s.Preferences, sources)
	if err != nil {
		return err
	}
	joined, err := charter.New(append(declared, sources...)...)
	if err != nil {
		return err
	}
	if err := joined.ComputeVersion("fr"); err != nil {
		return err
	}
	if s.store, err = answers.NewStore(stored, joined, true, time.Now); err != nil {
		return err
	}
	s.guard, err = guard.New(joined, judge.NewPolicy(joined, judge.Options{EnforcesDuration: true}), s.store, pagePath, s.Monitors)
	return err
}

func (s *site) visitor(r *http.Request) *answers.Visitor {
	return &answers.Visitor{Store: s.store, Lines: setcookie.Lines(r.Header["Cookie"]), Secure: r.TLS != nil}
}

// ServeHTTP answers what the script asks; all else is the origin's.
func (s *site) serve(w http.ResponseWriter, r *http.Request, origin http.Handler) {
	w.Header().Set("Cache-Control", "private, no-store")
	switch {
	case r.URL.Path == pagePath+"/"+guard.FileName:
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		_, _ = w.Write(s.guard.Script())
	case r.URL.Path == pagePath+"/"+guard.QuestionName && r.Method == http.MethodPost:
		names, _ := io.ReadAll(io.LimitReader(r.Body, 4<<10))
		fmt.Printf("told %q\n", names) //nolint:forbidigo // what the tests read
	case r.URL.Path == pagePath+"/"+guard.QuestionName:
		fmt.Println("asked") //nolint:forbidigo // likewise
		answer, ok := s.guard.Answer(s.visitor(r), r.URL.Query().Get("v"))
		if !ok {
			http.Error(w, "another version", http.StatusConflict)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer) //nolint:gosec // JSON of ours
	default:
		w.Header().Del("Cache-Control")
		origin.ServeHTTP(w, r)
	}
}

// insert puts the tag behind the doctype.
func (s *site) insert(answer *http.Response) error {
	if document.KindOf(answer.Request, answer.StatusCode, answer.Header) != document.Document || !strings.Contains(answer.Header.Get("Content-Type"), "html") {
		return nil
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	tag, end := s.guard.Tag(s.visitor(answer.Request), document.Admission{}), 0
	if bytes.HasPrefix(bytes.ToLower(body), []byte("<!doctype")) {
		end = bytes.IndexByte(body, '>') + 1
	}
	body = append(append(body[:end:end], tag...), body[end:]...)
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// run serves sites by the first label of their hosts.
func run(sites map[string]*site, httpPort, httpsPort, originPort string) error {
	handlers := map[string]http.Handler{}
	origin := &url.URL{Scheme: "http", Host: "127.0.0.1:" + originPort}
	handlers["plain"] = httputil.NewSingleHostReverseProxy(origin)
	for label, s := range sites {
		proxy := httputil.NewSingleHostReverseProxy(origin)
		proxy.ModifyResponse = s.insert
		handlers[label] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, proxy) })
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		label, _, _ := strings.Cut(r.Host, ".")
		label, _, _ = strings.Cut(label, "-") // hosts of one site share nothing else
		if found := handlers[label]; found != nil {
			found.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	secured, err := tls.Listen("tcp", net.JoinHostPort("127.0.0.1", httpsPort), &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", httpPort)) //nolint:noctx // until it is ended
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { log.Print(server.Serve(plain)) }()
	return server.Serve(secured)
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"*.city.example"}}
	made, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{made}, PrivateKey: key}, err
}

// main takes the sites as JSON. With three ports it serves them, else it writes the script
// and a tag of each.
func main() {
	var sites map[string]*site
	if err := json.Unmarshal([]byte(os.Args[1]), &sites); err != nil {
		log.Fatal(err)
	}
	for _, s := range sites {
		if err := s.prepare(); err != nil {
			log.Fatal(err)
		}
	}
	if len(os.Args) == 5 {
		log.Fatal(run(sites, os.Args[2], os.Args[3], os.Args[4]))
	}
	written := map[string][2]string{}
	for label, s := range sites {
		written[label] = [2]string{string(s.guard.Script()), string(s.guard.Tag(&answers.Visitor{Store: s.store}, document.Admission{}))}
	}
	if err := json.NewEncoder(os.Stdout).Encode(written); err != nil {
		log.Fatal(err)
	}
}

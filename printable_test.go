package cookiecharter

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// nasty is what no terminal may be given: a title, a colour by a C1 byte and by its
// character, another direction, a line of its own, and what is no UTF-8.
const nasty = "\x1b]0;x\x07\u009b31m\x9b31m\u202e\u2066\r\n\x7f\ufdd0\xff"

// isClean tells whether a text can be printed.
func isClean(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsAny(text, "\x1b\x07\u009b\u202e\u2066\r\x7f\ufdd0")
}

// runCommand runs a sub-command as Caddy does, and returns what it prints, and its
// error's text.
func runCommand(words ...string) (out, report, mistake string) {
	root := &cobra.Command{Use: "cookie-charter", SilenceErrors: true, SilenceUsage: true}
	addCommands(root)
	var printed, reported bytes.Buffer
	root.SetOut(&printed)
	root.SetErr(&reported)
	root.SetArgs(words)
	if err := root.Execute(); err != nil {
		mistake = err.Error()
	}
	return printed.String(), reported.String(), mistake
}

// A server that says what no terminal may be given, wherever it can, is not heard.
func TestNothingIsPrintedRaw(t *testing.T) {
	charter := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter}) + "charter.yaml"
	inHeader := strings.NewReplacer("\r\n", "", "\x1b", "", "\x07", "", "\x7f", "", ";", "").Replace(nasty)
	quoted, err := json.Marshal(nasty)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{
		"/":        `<a href="/404` + nasty + `">1</a><a href="/500?` + inHeader + `">2</a><a href="/hop` + inHeader + `">3</a><a href="/status">4</a><a href="/line">5</a><a href="/chunk">6</a>`,
		"/table":   "<h2>" + nasty + "</h2><table><tr><th>Name<th>Purpose<th>Duration<th>Provider<tr><td>a" + nasty + "b<td>p" + nasty + "q<td>d" + nasty + "<td>" + nasty + "<tr><td>ok<td>" + nasty + "<td>2 " + nasty + "<td></table>",
		"/lines":   "| Name | Purpose | Duration |\n|---|---|---|\n| a" + nasty[:5] + "\u009b\u202e | b\u009b | c\u202e |\n",
		"/unknown": `{"` + "x" + `": 1, ` + string(quoted) + `: 2}`,
		"/name":    `{"cookies":[{"name":` + string(quoted) + `,"purpose":"p","category":"necessary"}]}`,
		"/twice":   `{"cookies":[{"name":"a","purpose":{` + string(quoted) + `:"p"},"category":"necessary"}]}`,
		"/field":   `{"cookies":[{"name":"a",` + string(quoted) + `:"p",` + string(quoted) + `:"p"}]}`,
		"/yaml":    "cookies: [" + nasty,
		"/version": `{"version":` + string(quoted) + `,"cookies":[{"name":"sessionid","purpose":"p","category":"necessary"}]}`,
	}
	address := checks.Hostile(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Add("Set-Cookie", "a"+inHeader+"=1; Path=/"+inHeader)
		w.Header().Add("Set-Cookie", strings.Repeat("long", 900)+"=1")
		raw := map[string]string{
			"/status": "HTTP/1.1 500 " + nasty[:4] + "\u009b\r\nContent-Length: 0\r\n\r\n", "/line": "HTTP/9\x1b[31m \u009b\r\n\r\n", "/chunk": "HTTP/1.1 200 OK\r\nX\x1b\u009b: y\r\n\r\n",
			"/moved": "HTTP/1.1 302 Found\r\nLocation: http://\u009b\u202e.example/\r\nContent-Length: 0\r\n\r\n",
			"/port":  "HTTP/1.1 302 Found\r\nLocation: http://a:\u009b/\r\nContent-Length: 0\r\n\r\n",
		}[r.URL.Path]
		switch {
		case raw != "":
			connection, writer, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			_, _ = writer.WriteString(raw)
			_ = writer.Flush()
		case strings.HasPrefix(r.URL.Path, "/404"):
			w.WriteHeader(http.StatusNotFound)
		case strings.HasPrefix(r.URL.Path, "/500"):
			w.WriteHeader(http.StatusInternalServerError)
		case strings.HasPrefix(r.URL.Path, "/hop"):
			w.Header()["Location"] = []string{"http://a" + inHeader + ".example/"}
			w.WriteHeader(http.StatusFound)
		default:
			_, _ = io.WriteString(w, answers[r.URL.Path])
		}
	})
	check := func(words ...string) (out, report, mistake string) {
		t.Helper()
		out, report, mistake = runCommand(words...)
		for _, text := range []string{out, report, mistake} {
			if !isClean(text) {
				t.Errorf("%q prints %q", words, text)
			}
		}
		if out+report+mistake == "" {
			t.Errorf("%q prints nothing", words)
		}
		return out, report, mistake
	}
	for _, format := range []string{"text", "json", "html"} {
		out, _, mistake := check("audit", address, "--charter", charter, "--format", format)
		if strings.Contains(mistake, address) || !strings.Contains(out, "500") {
			t.Errorf("%s: %s, %s", format, out, mistake)
		}
		var report audit.Report
		if format == "json" && (json.Unmarshal([]byte(out), &report) != nil || len(report.Visits) != 1 || !strings.Contains(report.Visits[0].Cookies[0].Name, "\u009b")) {
			t.Errorf("%s", out)
		}
		if format == "text" && strings.Contains(out, strings.Repeat("long", 100)) {
			t.Errorf("%s", out)
		}
		check("audit", address, "--charter", address+"/version", "--format", format)
	}
	for path := range answers {
		check("audit", address, "--charter", address+path)
	}
	for _, path := range []string{"/status", "/line", "/chunk", "/moved", "/port", "/hop"} {
		check("audit", address, "--charter", address+path)
		check("audit", address+path, "--charter", charter)
		check("import", address+path)
	}
	for _, path := range []string{"/table", "/lines"} {
		out, _, mistake := check("import", address+path)
		if mistake != "" || yaml.Unmarshal([]byte(out), new(any)) != nil || !strings.Contains(out, `\u009b`) {
			t.Errorf("%s: %s\n%s", path, mistake, out)
		}
	}
	for format := range map[string]string{"text": "", "html": ""} {
		if _, _, mistake := check("audit", address, "--format", format, "--charter", "\x1b"); mistake == "" {
			t.Error("finds a charter")
		}
	}

	// A certificate names hosts.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	named := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "\x1b[31m\u009b\u202e"}, DNSNames: []string{"a\x1b[31m"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, named, named, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	secure.StartTLS()
	defer secure.Close()
	check("import", secure.URL)
	check("audit", secure.URL, "--charter", charter)
}

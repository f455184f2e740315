package cookiecharter

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// moreThanChance tells whether a count of rare events is higher than another's by
// what chance would bring once in thirty thousand times, if both had the same
// rate: the difference of two such counts has their sum as its variance.
func moreThanChance(count, other int64) bool {
	return float64(count-other) > 4*math.Sqrt(float64(count+other))
}

// TestSoak loads a site with everything at once while Caddy reloads: pages,
// event streams, uploads, WebSockets, slow readers, visitors who leave, and an
// upstream that fails. No more requests are lost than plain Caddy loses beside it,
// by more than chance, no cookie escapes, and nothing grows.
// SOAK=10m makes it as long.
func TestSoak(t *testing.T) {
	length := 4 * time.Second
	if given := os.Getenv("SOAK"); given != "" {
		var err error
		if length, err = time.ParseDuration(given); err != nil {
			t.Fatal(err)
		}
	}
	large := strings.Repeat("x", 1<<20)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, cookie := range []string{"sessionid=1; Path=/", "tracker=1", "_pk_id.1=1; Path=/", "=1"} {
			w.Header().Add("Set-Cookie", cookie)
		}
		switch r.URL.Path {
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			for range 5 {
				fmt.Fprint(w, "data: x\n\n")
				http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		case "/upload":
			received, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, received)
		case "/fails":
			fmt.Fprint(w, "half of it")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/large":
			io.WriteString(w, large)
		default:
			if strings.Contains(r.Header.Get("Cookie"), "_pk_id") {
				w.Header().Set("Received", "what was refused")
			}
			io.WriteString(w, "ok")
		}
	}))
	defer origin.Close()
	sockets := webSocketUpstream(t)
	// A reload of plain Caddy resets connections that come at that moment, so the
	// site stands there twice, without the module and with it.
	ports := [2]string{strconv.Itoa(freePort()), strconv.Itoa(freePort())}
	reload := func(generation int) {
		sites := ""
		for i, module := range []string{"", "cookie_charter {\n  preset opendatasoft matomo\n }"} {
			sites += fmt.Sprintf("http://:%s {\n bind 127.0.0.1\n %s\n reverse_proxy /socket %s\n reverse_proxy %s {\n  transport http {\n   keepalive 500ms\n  }\n }\n header X-Generation %d\n}\n", ports[i], module, sockets, origin.URL, generation)
		}
		if err := tryLoadWith(t, "grace_period 10s", sites); err != nil {
			t.Error(err)
		}
	}
	reload(0)

	var answers, escapes, resets [2]atomic.Int64
	const withModule = 1
	look := func(site int, response *http.Response) {
		answers[site].Add(1)
		for _, line := range response.Header["Set-Cookie"] {
			if site == withModule && !strings.HasPrefix(line, "sessionid=") && !strings.HasPrefix(line, "_pk_id.1=; Max-Age=-1") {
				escapes[site].Add(1)
				t.Errorf("escaped: %q", line)
			}
		}
	}
	fetch := func(ctx context.Context, client *http.Client, site int, method, path string, body io.Reader, read func(io.Reader) error) error {
		request, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:"+ports[site]+path, body)
		if err != nil {
			return err
		}
		request.Header.Set("Cookie", "sessionid=1; _pk_id.1=1; cookies_preferences=%7B%22matomo%22%3Afalse%7D")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		look(site, response)
		if response.StatusCode != http.StatusOK || site == withModule && response.Header.Get("Received") != "" {
			return fmt.Errorf("%s, received %s", response.Status, response.Header.Get("Received"))
		}
		return read(response.Body)
	}
	all := func(want int) func(io.Reader) error {
		return func(body io.Reader) error {
			content, err := io.ReadAll(body)
			if err == nil && len(content) != want {
				err = fmt.Errorf("%d bytes, not %d", len(content), want)
			}
			return err
		}
	}
	discardAll := func(body io.Reader) error {
		_, err := io.Copy(io.Discard, body)
		return err
	}
	visitors := map[string]func(client *http.Client, site int) error{
		"page": func(client *http.Client, site int) error {
			return fetch(t.Context(), client, site, "GET", "/", nil, all(2))
		},
		"head": func(client *http.Client, site int) error {
			return fetch(t.Context(), client, site, "HEAD", "/", nil, all(0))
		},
		"charter": func(client *http.Client, site int) error {
			return fetch(t.Context(), client, site, "GET", pagePath, nil, discardAll)
		},
		"events": func(client *http.Client, site int) error {
			return fetch(t.Context(), client, site, "GET", "/events", nil, all(45))
		},
		"upload": func(client *http.Client, site int) error {
			return fetch(t.Context(), client, site, "POST", "/upload", strings.NewReader(large), all(7))
		},
		"cancelled": func(client *http.Client, site int) error {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Millisecond)
			defer cancel()
			_ = fetch(ctx, client, site, "GET", "/events", nil, all(45))
			return nil
		},
		"upstream fails": func(client *http.Client, site int) error {
			if err := fetch(t.Context(), client, site, "GET", "/fails", nil, all(0)); err == nil {
				return errors.New("half an answer is taken for a whole one")
			}
			return nil
		},
		"slow reader": func(client *http.Client, site int) error {
			return fetch(t.Context(), client, site, "GET", "/large", nil, func(body io.Reader) error {
				buffer, total := make([]byte, 64<<10), 0
				for {
					read, err := io.ReadFull(body, buffer)
					if total += read; err != nil {
						if total != len(large) {
							return fmt.Errorf("%d bytes: %w", total, err)
						}
						return nil
					}
					time.Sleep(5 * time.Millisecond)
				}
			})
		},
		"socket": func(_ *http.Client, site int) error {
			connection, err := net.Dial("tcp", "127.0.0.1:"+ports[site])
			if err != nil {
				return err
			}
			defer connection.Close()
			connection.SetDeadline(time.Now().Add(20 * time.Second))
			fmt.Fprintf(connection, "GET /socket HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", ports[site], "http://"+ports[site])
			reader := bufio.NewReader(connection)
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				return err
			}
			look(site, response)
			if response.StatusCode != http.StatusSwitchingProtocols {
				return errors.New(response.Status)
			}
			// A reload ends WebSockets, with the module or without.
			for range 3 {
				io.WriteString(connection, helloFrame)
				if _, err := io.ReadFull(reader, make([]byte, len(echoFrame))); err != nil {
					return nil
				}
			}
			return nil
		},
	}

	settled := func() (goroutines int, heap uint64) {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		for range 20 {
			runtime.GC()
			time.Sleep(50 * time.Millisecond)
		}
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		return runtime.NumGoroutine(), memory.HeapAlloc
	}
	run := func(length time.Duration) {
		end := time.Now().Add(length)
		var visits sync.WaitGroup
		for name, visit := range visitors {
			for site := range ports {
				visits.Go(func() {
					// On a connection of its own, as a request that is lost on one that is used
					// again is sent again in silence.
					transport := &http.Transport{DisableKeepAlives: name == "upload" || name == "page"}
					defer transport.CloseIdleConnections()
					client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
					for time.Now().Before(end) && !t.Failed() {
						err := visit(client, site)
						if lost, ok := errors.AsType[*net.OpError](err); ok && !lost.Timeout() || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
							resets[site].Add(1)
						} else if err != nil {
							t.Errorf("%s: %v", name, err)
						}
					}
				})
			}
		}
		for generation := 1; time.Now().Before(end); generation++ {
			time.Sleep(time.Second)
			reload(generation)
		}
		visits.Wait()
	}
	run(length / 4)
	goroutines, heap := settled()
	run(length)
	goroutinesAfter, heapAfter := settled()
	t.Logf("%d answers with the module, %d cookies escaped, %d connections reset, %d of plain Caddy's; %d goroutines, then %d; %d KiB of heap, then %d",
		answers[withModule].Load(), escapes[withModule].Load(), resets[withModule].Load(), resets[0].Load(), goroutines, goroutinesAfter, heap>>10, heapAfter>>10)
	if goroutinesAfter > goroutines+20 || heapAfter > heap+heap/4+4<<20 {
		t.Error("it grows")
	}
	if moreThanChance(resets[withModule].Load(), resets[0].Load()) {
		t.Error("requests are lost that plain Caddy does not lose")
	}
}

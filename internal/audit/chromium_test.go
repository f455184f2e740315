package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// A browser has its sandbox, unless somebody says otherwise.
func TestSandbox(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": checks.NecessaryCharter, "browser": "#!/bin/sh\necho \"$@\" > \"$0.arguments\"\n"})
	if err := os.Chmod(folder+"browser", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, noSandbox := range []bool{false, true} {
		_, err := Run(terminal.NewPrinter(io.Discard), []string{"http://127.0.0.1:1"}, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Format: "json", Pages: 1, Charter: folder + "charter.yaml", Browser: folder + "browser", NoSandbox: noSandbox})
		arguments, _ := os.ReadFile(folder + "browser.arguments")
		if err == nil || strings.Contains(string(arguments), "--no-sandbox") != noSandbox || strings.Contains(err.Error(), "it does not run as root") == noSandbox {
			t.Errorf("%t: %v\n%s", noSandbox, err, arguments)
		}
	}
	if _, err := Run(terminal.NewPrinter(io.Discard), []string{"http://127.0.0.1:1"}, Options{DefaultPage: "/terms/cookies-policy/", Load: loadFileAlone, Format: "json", Pages: 1, NoSandbox: true}); err == nil || !strings.Contains(err.Error(), "goes with --browser") {
		t.Errorf("%v", err)
	}
}

// What a browser tells of hostile pages is kept up to a bound, and read at a cost that
// grows as it does.
func TestChromiumHasBounds(t *testing.T) {
	parameters, err := json.Marshal(map[string]any{"headers": map[string]string{"x": strings.Repeat("x", checks.Megabyte)}})
	if err != nil {
		t.Fatal(err)
	}
	c := new(chromium)
	c.devtools = devtools{replies: make(chan reply, 1), handle: c.handleEvent}
	for range 2 * maxEvents / checks.Megabyte {
		for _, method := range []string{"Network.responseReceivedExtraInfo", "Network.dataReceived"} {
			c.replies <- reply{event: event{Method: method, Params: parameters}}
			if _, err := c.receive(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept := len(c.events)
	cookies, called := c.takeObservations()
	if omitted := c.takeOmissions(); kept > maxEvents/checks.Megabyte || len(cookies) != 0 || len(called) != 0 || len(omitted) != 1 || c.size != 0 {
		t.Errorf("keeps %d events, %q", kept, omitted)
	}

	output, browser := io.Pipe()
	c = &chromium{devtools: devtools{replies: make(chan reply, 8)}}
	go c.listen(output)
	go func() {
		defer browser.Close()
		fmt.Fprint(browser, `{"id":1}`+"\x00"+`{"id":2,"x":"`)
		for range maxMessage / checks.Megabyte {
			_, _ = browser.Write(bytes.Repeat([]byte("x"), checks.Megabyte))
		}
		fmt.Fprint(browser, `"}`+"\x00"+`{"id":3,"result":"`+strings.Repeat("x", checks.Megabyte)+`"}`+"\x00")
	}()
	var told []int
	for received := range c.replies {
		told = append(told, received.ID)
	}
	if !slices.Equal(told, []int{1, 3}) {
		t.Errorf("reads the messages %v", told)
	}

	checks.Linear(t, "blocked lines", 4<<10, func(size int) {
		var lines []string
		var blocked []map[string]string
		for i := range size / 8 {
			lines = append(lines, fmt.Sprintf("%x=1", i))
			blocked = append(blocked, map[string]string{"CookieLine": lines[i]})
		}
		sent, _ := json.Marshal(map[string]any{"requestId": "1", "request": map[string]string{"url": "http://a.example/"}})
		received, _ := json.Marshal(map[string]any{"requestId": "1", "headers": map[string]string{"Set-Cookie": strings.Join(lines, "\n")}, "blockedCookies": blocked})
		c := &chromium{events: []event{{Method: "Network.requestWillBeSent", Params: sent}, {Method: "Network.responseReceivedExtraInfo", Params: received}}}
		if cookies, _ := c.takeObservations(); len(cookies) != 0 {
			t.Error("tells of blocked cookies")
		}
	})
}

// A page is left when it has asked for nothing new for a while, be that soon or late, and
// one that never rests is left, too.
func TestPagesSettle(t *testing.T) {
	const wait = time.Second
	for _, page := range []struct {
		requests time.Duration // between them
		number   int
		settles  time.Duration
	}{
		{number: 0, settles: wait},
		{requests: 900 * time.Millisecond, number: 3, settles: 3*900*time.Millisecond + wait},
		{requests: 1100 * time.Millisecond, number: 3, settles: wait},
		{requests: 100 * time.Millisecond, number: 1000, settles: maxWaits * wait},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := &chromium{wait: wait}
			c.devtools = devtools{replies: make(chan reply, 2*page.number), handle: c.handleEvent}
			for number := range page.number {
				time.AfterFunc(time.Duration(number+1)*page.requests, func() { c.replies <- reply{event: event{Method: "Network.requestWillBeSent"}} })
				// What else a browser tells is no sign of unrest.
				time.AfterFunc(time.Duration(number+1)*page.requests+wait/2, func() { c.replies <- reply{event: event{Method: "Network.dataReceived"}} })
			}
			began := time.Now()
			if err := c.settle(t.Context()); err != nil || time.Since(began) != page.settles {
				t.Errorf("%d requests, each after %s: %s, not %s (%v)", page.number, page.requests, time.Since(began), page.settles, err)
			}
		})
	}
}

package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// Where Chromium is looked for.
var chromiumNames = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"}

// maxEvents is how long all events of one page may be, in bytes.
const maxEvents = 64 << 20

// appearance is how long a banner takes to appear, a page to tell of itself, or the
// browser to end.
const appearance = 10 * time.Second

// maxWaits is after how many times the wait a page that never rests is left.
const maxWaits = 5

// A chromium is a local Chromium without a window.
type chromium struct {
	devtools
	omissions

	product string
	page    string              // where the form for answers is
	site    charter.Origin      // whose pages are looked at
	clicks  map[string][]string // what to click instead, by visit
	wait    time.Duration       // how long a page has to ask for nothing new

	process  *exec.Cmd
	folder   string
	events   []event
	size     int                    // of the events, in bytes
	requests int                    // that were begun
	loaded   bool                   // since the last page was asked for
	isHere   bool                   // the page that is shown is of the site
	stopped  map[documentWrite]bool // what scripts wrote that does not reach the browser
	profile  string                 // the browser context, which has cookies of its own
	target   string
	session  string
	first    string // the first page that was opened
}

// withoutSandbox is what to do where Chromium does not start.
const withoutSandbox = "it does not run as root, nor where the system forbids its sandbox: run the audit as another user, or with --no-sandbox, so that nothing but the browser's own code keeps a hostile page from this machine"

// findChromium returns the path of a local Chromium.
func findChromium() (string, error) {
	for _, name := range chromiumNames {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no browser found; install one of %s, or name its path: --browser=/usr/bin/chromium", strings.Join(chromiumNames, ", "))
}

// startChromium starts a browser. It ends with the context.
func startChromium(ctx context.Context, path, page string, clicks map[string][]string, options Options) (*chromium, error) {
	folder, err := os.MkdirTemp("", "cookie_charter-")
	if err != nil {
		return nil, err
	}
	c := &chromium{page: page, clicks: clicks, wait: options.Wait, folder: folder}
	c.site, _ = parseOrigin(page)
	arguments := []string{
		"--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + folder, "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu",
	}
	if options.NoSandbox {
		arguments = append(arguments, "--no-sandbox")
	}
	// Otherwise, Debian's refuses the cookies of other sites.
	preferences := filepath.Join(folder, "Default", "Preferences")
	if err := errors.Join(os.Mkdir(filepath.Dir(preferences), 0o700), os.WriteFile(preferences, []byte(`{"profile":{"cookie_controls_mode":0,"block_third_party_cookies":false}}`), 0o600)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	commands, input, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	output, answers, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, commands.Close(), input.Close(), os.RemoveAll(folder))
	}
	c.devtools = devtools{input: input, replies: make(chan reply, 64), handle: c.handleEvent}
	c.process = exec.CommandContext(ctx, path, append(arguments, "about:blank")...) //nolint:gosec // the operator names it
	c.process.ExtraFiles = []*os.File{commands, answers}
	err = c.process.Start()
	err = errors.Join(err, commands.Close(), answers.Close())
	if err != nil {
		return nil, errors.Join(err, input.Close(), output.Close(), os.RemoveAll(folder))
	}
	go c.listen(output)
	var version struct{ Product string }
	err = c.call(ctx, "", "Browser.getVersion", nil, &version)
	if err == nil {
		err = c.call(ctx, "", "Target.setAutoAttach", autoAttachShared, nil)
	}
	if err != nil {
		err = fmt.Errorf("starting %s: %w", path, err)
		if !options.NoSandbox && errors.Is(err, errEnded) {
			err = fmt.Errorf("%w; %s", err, withoutSandbox)
		}
		return nil, errors.Join(err, c.close())
	}
	c.product = version.Product
	return c, nil
}

// handleEvent keeps what an event tells of cookies and hosts, and lets nothing stop the
// page.
func (c *chromium) handleEvent(received event) error {
	if received.Method == "Network.requestWillBeSent" {
		c.requests++
	}
	switch received.Method {
	case "Page.javascriptDialogOpening": // which would stop the page
		return c.send(received.SessionID, "Page.handleJavaScriptDialog", map[string]any{"accept": true})
	case "Target.attachedToTarget": // a frame of another site, or a worker
		return c.attach(received.Params)
	case "Runtime.bindingCalled":
		return c.readWrite(received.Params)
	case "Page.loadEventFired":
		c.loaded = true
	case "Network.requestWillBeSent", "Network.requestWillBeSentExtraInfo", "Network.responseReceived", "Network.responseReceivedExtraInfo", "Network.loadingFailed",
		"Network.webSocketCreated", "Network.webSocketWillSendHandshakeRequest", "Network.webTransportCreated", "Network.webTransportConnectionEstablished",
		"Audits.issueAdded", "Page.frameNavigated":
		if c.size += len(received.Params); c.size > maxEvents {
			c.omit("some of its requests, of which there are many or very long ones")
		} else {
			c.events = append(c.events, received)
		}
	default: // tells nothing of cookies and hosts
	}
	return nil
}

// attach has another target of the page tell of its requests.
func (c *chromium) attach(parameters json.RawMessage) error {
	var attached struct{ SessionID string }
	if err := json.Unmarshal(parameters, &attached); err != nil || attached.SessionID == c.session {
		return err
	}
	return errors.Join(
		c.send(attached.SessionID, "Network.enable", nil),
		c.send(attached.SessionID, "Audits.enable", nil),
		c.send(attached.SessionID, "Target.setAutoAttach", autoAttach),
		c.send(attached.SessionID, "Runtime.runIfWaitingForDebugger", nil),
	)
}

var autoAttach = map[string]any{"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true}

// autoAttachShared attaches to workers that several pages share, which are none's own.
var autoAttachShared = map[string]any{"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true, "filter": []map[string]any{{"type": "shared_worker"}}}

// settle lets the scripts of a page go on until they have asked for nothing new for a
// while: many send what they gather a second after they have loaded.
func (c *chromium) settle(ctx context.Context) error {
	wait := max(c.wait, 100*time.Millisecond)
	ctx, cancel := context.WithTimeout(ctx, maxWaits*wait) // for pages that never rest
	defer cancel()
	for {
		requests := c.requests
		quiet, cancel := context.WithTimeout(ctx, wait)
		var err error
		for err == nil && c.requests == requests {
			_, err = c.receive(quiet)
		}
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (c *chromium) name() string { return c.product }

func (c *chromium) close() error {
	err := c.input.Close() // it ends with its pipe
	late := time.AfterFunc(appearance, func() { _ = c.process.Process.Kill() })
	defer late.Stop()
	for range c.replies { // until then
		continue
	}
	_ = c.process.Wait()                         // how it ends is its own matter
	for until := time.Now().Add(appearance); ; { // its helpers end a little later
		if removed := os.RemoveAll(c.folder); removed == nil || time.Now().After(until) {
			return errors.Join(err, removed)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// begin opens an empty page with cookies of its own.
func (c *chromium) begin(ctx context.Context) error {
	if c.profile != "" {
		if err := c.call(ctx, "", "Target.disposeBrowserContext", map[string]any{"browserContextId": c.profile}, nil); err != nil {
			return err
		}
	}
	var created struct{ BrowserContextID string }
	if err := c.call(ctx, "", "Target.createBrowserContext", map[string]any{}, &created); err != nil {
		return err
	}
	c.profile, c.target = created.BrowserContextID, ""
	if err := c.call(ctx, "", "Browser.setDownloadBehavior", map[string]any{"behavior": "deny", "browserContextId": c.profile}, nil); err != nil {
		return err
	}
	return c.newPage(ctx)
}

// newPage opens an empty page, in the place of one that hangs.
func (c *chromium) newPage(ctx context.Context) error {
	if c.target != "" {
		if err := c.call(ctx, "", "Target.closeTarget", map[string]any{"targetId": c.target}, nil); err != nil {
			return err
		}
	}
	var created struct{ TargetID, SessionID string }
	if err := c.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": c.profile}, &created); err != nil {
		return err
	}
	if err := c.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": created.TargetID, "flatten": true}, &created); err != nil {
		return err
	}
	c.target, c.session = created.TargetID, created.SessionID
	return errors.Join(
		c.call(ctx, c.session, "Network.enable", nil, nil),
		c.call(ctx, c.session, "Audits.enable", nil, nil),
		c.call(ctx, c.session, "Page.enable", nil, nil),
		c.call(ctx, c.session, "Target.setAutoAttach", autoAttach, nil),
		c.watchWrites(ctx),
	)
}

// open visits a page with all that it loads.
func (c *chromium) open(ctx context.Context, address string) (landing, error) {
	if c.first == "" {
		c.first = address
	}
	var page struct {
		Address string
		Links   []string
		IsCut   bool
		Status  int
	}
	err := c.load(ctx, address)
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, appearance)
		defer cancel()
		err = c.evaluate(limited, fmt.Sprintf(`({
			address: location.href,
			links: Array.from(document.links).slice(0, %d).map((link) => link.href).filter((link) => link.length <= %d),
			isCut: document.links.length > %[1]d,
			status: performance.getEntriesByType("navigation")[0]?.responseStatus ?? 0,
		})`, maxReferences, fetch.MaxAddress), &page)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil { // a script that does not end
		return landing{}, errors.Join(err, c.newPage(ctx))
	}
	if err == nil {
		err = statusError(page.Status)
	}
	if page.IsCut {
		c.omit(fmt.Sprintf("its links after the first %d", maxReferences))
	}
	return landing{at: page.Address, status: page.Status, links: page.Links}, err
}

// picture returns a screenshot of the page that is shown, as PNG.
func (c *chromium) picture(ctx context.Context) ([]byte, error) {
	var shot struct{ Data []byte }
	err := c.call(ctx, c.session, "Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	return shot.Data, err
}

// load loads a page, and waits until it has settled.
func (c *chromium) load(ctx context.Context, address string) error {
	c.loaded = false
	var loaded struct{ ErrorText string }
	if err := c.call(ctx, c.session, "Page.navigate", map[string]any{"url": address}, &loaded); err != nil {
		return err
	}
	switch loaded.ErrorText {
	case "":
	case "net::ERR_ABORTED": // no page, but a download
		return c.settle(ctx)
	default:
		return errors.New(loaded.ErrorText)
	}
	limited, cancel := context.WithTimeout(ctx, fetch.RequestTimeout)
	defer cancel()
	for !c.loaded {
		if _, err := c.receive(limited); errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			break // a page that never ends to load is as good as loaded
		} else if err != nil {
			return err
		}
	}
	return c.settle(ctx)
}

// evaluate evaluates an expression in the page.
func (c *chromium) evaluate(ctx context.Context, expression string, result any) error {
	return c.evaluateIn(ctx, map[string]any{"userGesture": true}, expression, result)
}

// evaluateIn evaluates an expression with parameters, such as the world in which it does.
func (c *chromium) evaluateIn(ctx context.Context, parameters map[string]any, expression string, result any) error {
	var evaluated struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Text string }
	}
	parameters["expression"], parameters["returnByValue"], parameters["awaitPromise"] = expression, true, true
	if err := c.call(ctx, c.session, "Runtime.evaluate", parameters, &evaluated); err != nil {
		return err
	}
	if evaluated.ExceptionDetails != nil {
		return fmt.Errorf("a script of the audit failed: %s", evaluated.ExceptionDetails.Text)
	}
	return json.Unmarshal(evaluated.Result.Value, result)
}

// giveAnswer clicks the button of the charter page, or what it was told to click on
// the first page.
func (c *chromium) giveAnswer(ctx context.Context, answer answers.Answer, withdraws bool) (given, error) {
	visit := "accept"
	switch {
	case withdraws:
		visit = "withdraw"
	case answer == answers.Refused:
		visit = "refuse"
	}
	if len(c.clicks) == 0 {
		how := given{at: c.page, clicked: []string{formButton(answer)}}
		if err := c.load(ctx, c.page); err != nil {
			return how, err
		}
		clicked, err := c.click(ctx, formButton(answer))
		if err == nil && !clicked {
			err = fmt.Errorf("%w at %s", errNoQuestions, c.page)
		}
		if err != nil {
			return how, err
		}
		return how, c.waitUntilSaved(ctx)
	}
	how := given{at: c.first, clicked: c.clicks[visit]}
	if err := c.load(ctx, c.first); err != nil {
		return how, err
	}
	before, err := c.snapshot(ctx)
	if err != nil {
		return how, err
	}
	for _, selector := range c.clicks[visit] {
		for until := time.Now().Add(appearance); ; {
			clicked, err := c.click(ctx, selector)
			if err != nil {
				return how, err
			}
			if clicked {
				break
			}
			if time.Now().After(until) {
				return how, fmt.Errorf("%s has nothing for --%s %s to click", c.first, visit, selector)
			}
		}
	}
	for until := time.Now().Add(appearance); ; {
		after, err := c.snapshot(ctx)
		switch {
		case err != nil:
			return how, err
		case after != before:
			return how, nil
		case time.Now().After(until):
			return how, fmt.Errorf("clicking for --%s has stored nothing", visit)
		}
		if err := c.settle(ctx); err != nil {
			return how, err
		}
	}
}

// waitUntilSaved waits until the page tells that it has stored an answer.
func (c *chromium) waitUntilSaved(ctx context.Context) error {
	for end := time.Now().Add(fetch.RequestTimeout); ; {
		var status string
		if err := c.evaluate(ctx, `new URLSearchParams(location.search).get("status") ?? ""`, &status); err == nil && status == savedStatus {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the form at %s has not stored the answer", c.page)
		}
		if err := c.settle(ctx); err != nil {
			return err
		}
	}
}

// snapshot returns all that the browser has stored for the page, to be compared.
func (c *chromium) snapshot(ctx context.Context) (string, error) {
	var cookies json.RawMessage
	if err := c.call(ctx, "", "Storage.getCookies", map[string]any{"browserContextId": c.profile}, &cookies); err != nil {
		return "", err
	}
	var items string
	err := c.evaluate(ctx, `JSON.stringify(Object.entries(localStorage).sort())`, &items)
	return string(cookies) + items, err
}

// click clicks an element that can be seen, if there is one, and waits for what
// comes of it.
func (c *chromium) click(ctx context.Context, selector string) (clicked bool, err error) {
	quoted, err := json.Marshal(selector)
	if err != nil {
		return false, err
	}
	err = c.evaluate(ctx, fmt.Sprintf(`(() => {
		const found = Array.from(document.querySelectorAll(%s)).find((element) => element.checkVisibility());
		found?.click();
		return found !== undefined;
	})()`, quoted), &clicked)
	if err != nil {
		return clicked, err
	}
	return clicked, c.settle(ctx)
}

// cookies returns the cookies that the browser holds.
func (c *chromium) cookies(ctx context.Context) ([]browserCookie, error) {
	var stored struct{ Cookies []chromiumCookie }
	if err := c.call(ctx, "", "Storage.getCookies", map[string]any{"browserContextId": c.profile}, &stored); err != nil {
		return nil, err
	}
	held := make([]browserCookie, 0, len(stored.Cookies))
	for _, cookie := range stored.Cookies {
		held = append(held, cookie.browserCookie())
	}
	return held, nil
}

// A chromiumCookie is a cookie as the browser tells it.
type chromiumCookie struct {
	Name, Domain, Path string
	Expires            float64 // Unix seconds, negative for a session
}

func (c chromiumCookie) browserCookie() browserCookie {
	held := browserCookie{name: c.Name, domain: c.Domain, path: c.Path}
	if c.Expires >= 0 {
		held.life = setcookie.Lifetime{Seconds: int64(c.Expires) - time.Now().Unix(), Persistent: true}
	}
	return held
}

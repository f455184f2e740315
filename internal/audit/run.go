package audit

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/fetch"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// FindBrowser stands, in the place of a path, for a Chromium that is found by itself.
const FindBrowser = "found"

// Options are the flags of the command.
type Options struct {
	Charter   string        // a file, a Caddy config or a URL; "" for what the site publishes
	Page      string        // the path of the charter page; "" for that of the charter
	Browser   string        // the path of a Chromium, or FindBrowser; "" for one without scripts
	Format    string        // of the report: one of Formats
	Words     Words         // of the report's language
	By        string        // who makes the audit, "" if that is not said
	Tool      string        // what makes it, with its version
	Since     string        // a file with an earlier report, as JSON, "" for none
	Pictures  string        // a folder for screenshots, "" for none
	Pages     int           // how many to visit at most, where links are followed
	Wait      time.Duration // how long a page has to ask for nothing new before it is left
	NoSandbox bool          // the browser starts without its sandbox
	Hosts     bool          // hosts are held against the charter, whatever that says

	// Accept, Refuse and Withdraw are CSS selectors of what to click on the first page,
	// one after the other; nil for the form of the charter page.
	Accept, Refuse, Withdraw []string

	// DefaultPage is the path of charter pages where nothing else is known.
	DefaultPage string

	// Load loads the charter of a file or a config for a host.
	Load func(path, host string) (Charter, error)
}

// check returns what to click for which answer, nil for the form of the charter page, or what
// of the options does not go together.
func (o Options) check() (clicks map[string][]string, err error) {
	if err := checkFormat(o.Format); err != nil {
		return nil, err
	}
	if _, err := readLanguage(o.Words); err != nil {
		return nil, err
	}
	clicks = map[string][]string{"accept": o.Accept, "refuse": o.Refuse, "withdraw": o.Withdraw}
	given := 0
	for _, selectors := range clicks {
		given += min(len(selectors), 1)
	}
	hasBrowser := o.Browser != ""
	switch {
	case given > 0 && (given < len(clicks) || !hasBrowser):
		return nil, errors.New("--accept, --refuse and --withdraw go together, and with --browser")
	case o.Pages < 1:
		return nil, errors.New("--pages is at least 1")
	case o.NoSandbox && !hasBrowser:
		return nil, errors.New("--no-sandbox goes with --browser")
	case o.Hosts && !hasBrowser:
		return nil, errors.New("--hosts goes with --browser, without which no other hosts are seen")
	case o.Pictures != "" && !hasBrowser:
		return nil, errors.New("--screenshots goes with --browser, without which nothing is shown")
	case given == 0:
		return nil, nil
	}
	return clicks, nil
}

// readPages returns the addresses of pages of one site, and that of the first.
func readPages(named []string) (site *url.URL, pages []string, err error) {
	if len(named) == 0 {
		return nil, nil, errors.New("name the site: caddy cookie-charter audit https://opendata.example.fr --browser")
	}
	for _, page := range named {
		switch {
		case page == "findings" || page == "clean":
			return nil, nil, fmt.Errorf("%q is no address; write --publish=%s", page, page)
		case strings.HasSuffix(page, ".json") && !fetch.IsURL(page):
			return nil, nil, fmt.Errorf("there is no report %q, and it is no address", page)
		}
	}
	site, err = fetch.ParseSite(named[0])
	if err != nil || site.Scheme != "https" && site.Scheme != "http" || site.Host == "" {
		return nil, nil, fmt.Errorf("unusable address %q; write it as https://opendata.example.fr", named[0])
	}
	if site.User != nil {
		return nil, nil, errors.New("leave user and password out of the address; they would stand in the report")
	}
	for _, page := range named {
		if !sameSite(page, site.String()) {
			return nil, nil, fmt.Errorf("%q is not of the site %s://%s; audit one site at a time (the path of a browser is written --browser=/path)", page, site.Scheme, site.Host)
		}
		address, err := fetch.ParseSite(page)
		if err != nil {
			return nil, nil, err
		}
		pages = append(pages, address.String())
	}
	return site, pages, nil
}

// Run audits a site: the pages to which the links of one page lead, or several pages. It
// writes what it does to progress.
func Run(progress *terminal.Printer, named []string, options Options) (*Report, error) {
	clicks, err := options.check()
	if err != nil {
		return nil, err
	}
	site, pages, err := readPages(named)
	if err != nil {
		return nil, err
	}
	earlier, err := loadEarlier(options.Since, site)
	if err != nil {
		return nil, err
	}
	if options.Pictures != "" {
		if err := os.MkdirAll(options.Pictures, 0o700); err != nil {
			return nil, err
		}
	}
	most := options.Pages
	if len(pages) > 1 {
		most = len(pages)
	}
	charter, err := loadCharter(site, options)
	if err != nil {
		return nil, err
	}
	page := site.ResolveReference(&url.URL{Path: charter.Path}).String()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	a := &audit{charter: charter, pages: pages, namedPages: len(pages), maxPages: most, pictures: options.Pictures, progress: func(string) {}}
	a.report.Tool, a.report.By = options.Tool, options.By
	if progress.IsTerminal {
		a.progress = func(text string) { _ = progress.ReplaceLine(text) }
		defer a.progress("")
	}
	if len(charter.Hosts) > 0 && !slices.Contains(charter.Hosts, site.Hostname()) {
		a.note(fmt.Sprintf("The charter is that of other hosts: %s.", strings.Join(charter.Hosts, ", ")))
	}
	a.browser = newHTTPBrowser(page)
	if options.Browser != "" {
		path := options.Browser
		if path == FindBrowser {
			if path, err = findChromium(); err != nil {
				return nil, err
			}
		}
		if a.browser, err = startChromium(ctx, path, page, clicks, options); err != nil {
			return nil, err
		}
	}
	err = a.run(ctx, timeLimit(most, options.Wait))
	if err = errors.Join(err, a.browser.close()); err != nil {
		return nil, err
	}
	if earlier != nil {
		a.report.Since = a.report.compare(earlier)
	}
	return &a.report, a.report.seal()
}

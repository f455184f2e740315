package cookiecharter

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/draft"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
	"github.com/cookie-charter/cookie_charter/internal/judge"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
	"github.com/cookie-charter/cookie_charter/internal/terminal"
	"github.com/cookie-charter/cookie_charter/internal/verify"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "cookie-charter",
		Usage: "check|export|diff|import|inventory|audit|verify",
		Short: "Works with cookie charters",
		Long: `
Works with the charters of the module cookie_charter: drafts, checks and
exports them, compares them with each other or with what a running Caddy has seen,
shows that, and tests whether a site keeps its charter. A charter is a charter file
(YAML or JSON), or a Caddy config.

Exit codes: 0 all is well, 1 there are mistakes, or something cannot be read, 2
there are differences or violations.`,
		CobraFunc: addCommands,
	})
}

// exitDifferences is the exit code of a command that ends with errDifferences.
const exitDifferences = 2

var (
	// errDifferences is that a comparison, or an audit, has found some, and told them.
	errDifferences = errors.New("there are differences")

	// errIncomplete is that an audit has found nothing, but has not seen all.
	errIncomplete = errors.New("pages or visits are missing, so that it is not known whether the site keeps its charter; the report tells why")
)

func addCommands(root *cobra.Command) {
	root.Args = cobra.NoArgs // a command that there is not is a mistake
	root.RunE = func(command *cobra.Command, _ []string) error { return command.Help() }
	root.Version = moduleVersion() // for --version; "caddy version" tells Caddy's

	check := &cobra.Command{
		Use:   "check CHARTER...",
		Short: "Checks charters, and prints their tables",
		Long:  "Checks charters, and prints their tables. " + whatCharters,
		Example: `  caddy cookie-charter check charter.yaml
  caddy cookie-charter check Caddyfile --format json`,
		Args: cobra.MinimumNArgs(1),
	}
	format, language := "table", ""
	addChoice(check, "format", &format, []string{"table", "json", "yaml", "markdown", "none"}, "table, json, yaml or markdown; none prints nothing")
	addChoice(check, "language", &language, page.Languages, "of the texts; the page's own, if none is said")
	run(check, func(out, report *terminal.Printer) error {
		return runCheck(out, report, check.Flags().Args(), format, language)
	})

	export := &cobra.Command{
		Use:   "export CHARTER",
		Short: "Writes a charter in another format",
		Long:  "Writes a charter in another format. " + whatCharters,
		Example: `  caddy cookie-charter export charter.yaml --format markdown
  caddy cookie-charter export Caddyfile --format html --language fr > preview.html`,
		Args: cobra.ExactArgs(1),
	}
	exportAs, exportIn := "json", ""
	addChoice(export, "format", &exportAs, []string{"json", "yaml", "markdown", "edpb", "html", "notice"}, "json, yaml, markdown, edpb (the knowledge base of the EDPB's Website Auditing Tool), html, or notice (to be pasted into a portal's pages)")
	addChoice(export, "language", &exportIn, page.Languages, "of the texts; the page's own, if none is said")
	site := export.Flags().String("site", "", "the address of the site; default: that of the Caddy config, if one has a name")
	run(export, func(out, _ *terminal.Printer) error {
		return runExport(out, export.Flags().Args()[0], exportAs, exportIn, *site)
	})

	diff := &cobra.Command{
		Use:   "diff CHARTER [CHARTER]",
		Short: "Compares two charters, or one with what a running Caddy has seen",
		Long:  "Compares two charters, or one with what a running Caddy has seen. " + whatCharters,
		Example: `  caddy cookie-charter diff old.yaml new.yaml
  caddy cookie-charter diff charter.yaml --host opendata.example.fr`,
		Args: cobra.RangeArgs(1, 2),
	}
	diffAddresses := addressFlag(diff)
	diffHost := diff.Flags().String("host", "", "the site, of the inventory and of a Caddy config with several")
	run(diff, func(out, _ *terminal.Printer) error {
		if diff.Flags().NArg() == 2 && diff.Flags().Changed("address") {
			return errors.New("two charters are compared with each other alone; leave out one of them, or --address")
		}
		return runDiff(out, diff.Flags().Args(), *diffAddresses, *diffHost)
	})

	show := &cobra.Command{
		Use:   "inventory",
		Short: "Shows the cookies that a running Caddy has seen, and the hosts that were reported",
		Example: `  caddy cookie-charter inventory --host opendata.example.fr
  caddy cookie-charter inventory --address localhost:2021 --address localhost:2022 --format charter > draft.yaml`,
		Args: cobra.NoArgs,
	}
	showAddresses := addressFlag(show)
	showHost := show.Flags().String("host", "", "of one site; default: all")
	showAs := "table"
	addChoice(show, "format", &showAs, []string{"table", "json", "charter"}, "table, json, or charter: a charter file that declares what is undeclared")
	run(show, func(out, _ *terminal.Printer) error {
		return runInventory(out, *showAddresses, *showHost, showAs)
	})
	imports := &cobra.Command{
		Use:   "import FILE|URL",
		Short: "Drafts a charter file from an existing charter page",
		Long: `
Drafts a charter file from the tables of an existing charter page: HTML, Markdown,
or text with tabs, or a charter in JSON or YAML. The draft goes to the standard
output; what is unsure is marked in it by a comment, and listed on the standard
error, with what check refuses in it. What a table does not tell is left empty, so
that the draft cannot be used before somebody has said it. Columns are known by
what they are called, in any language of the page, and by what stands in them.`,
		Example: `  caddy cookie-charter import https://opendata.example.fr/terms/cookies-policy/ --language fr > charter.yaml`,
		Args:    cobra.ExactArgs(1),
	}
	importIn := "fr"
	addChoice(imports, "language", &importIn, page.Languages, "of the page")
	run(imports, func(out, report *terminal.Printer) error {
		return draft.Import(out, report, imports.Flags().Args()[0], importIn)
	})
	audits := &cobra.Command{
		Use:   "audit URL...|REPORT",
		Short: "Tests whether a site keeps its charter, as an inspector would",
		Long: `
Visits pages of a site four times: without an answer, after refusing, after
accepting, and after withdrawing, by the form of its charter page. It tells which
cookies were set, kept and sent each time, and which of them violate the charter:
those that are undeclared, those that were not allowed, and those that were set to
live longer than published. With --browser it tells which other hosts the pages
called, and with which cookies; where the charter says that the site keeps its pages
to the hosts that it declares, or with --hosts, these are held against it, too.

It visits the pages to which the links of one URL lead, on the same host, each
address once, or the URLs that are given, if they are several. What a site has more
of than an audit looks at (references, cookies, hosts, bytes, time) is told in the
report.

The charter is the one that the site publishes, unless another is named. Without
--browser no scripts run. --accept, --refuse and --withdraw are for sites whose
banner gives the answer: what to click on the first page, CSS selectors, each
repeated for one click after the other.

It is not signed in, and sees no other domain than browsers do on these pages.

The report is for the files: it tells when, with what and against which version of the
charter it was made, which pages were visited, which answers were given and how, what
it cannot see, and has a hash. --output writes it into files as well, in the formats
that their names say (.txt, .json, .html, .xml for junit). --since compares it with an
earlier one that was written as JSON.

--publish has a running Caddy keep the report beside the versions of the charter, and
show on the page of the site when it was last tested, if nothing was found. In the place
of a URL, a report that was written as JSON is written anew, or published: an audit that
another machine has made.`,
		Example: `  caddy cookie-charter audit https://opendata.example.fr --browser
  caddy cookie-charter audit https://opendata.example.fr --charter charter.yaml --format html > audit.html
  caddy cookie-charter audit https://opendata.example.fr --browser --language fr --by "DPO, Ville d'Ys" --output audit.html --output audit.json --since audit-2026-10.json
  caddy cookie-charter audit https://opendata.example.fr --browser --accept '#accept' --refuse '#refuse' --withdraw '#manage' --withdraw '#refuse'
  caddy cookie-charter audit https://opendata.example.fr --browser --publish
  caddy cookie-charter audit audit.json --publish --address localhost:2019`,
	}
	options := audit.Options{Format: audit.Formats[0]}
	var to delivery
	flags := audits.Flags()
	flags.StringVar(&options.Charter, "charter", "", "a charter file, a Caddy config, or the URL of an exported charter; default: what the site publishes")
	flags.StringVar(&options.Page, "page", "", "the path of the charter page; default: as in the Caddy config, else "+page.DefaultPath)
	flags.IntVar(&options.Pages, "pages", 20, "how many pages to visit at most, where links are followed")
	flags.StringVar(&options.Browser, "browser", "", "look with a local Chromium, found by itself or at this path")
	flags.Lookup("browser").NoOptDefVal = audit.FindBrowser
	flags.BoolVar(&options.NoSandbox, "no-sandbox", false, "start the browser without its sandbox, as root needs it: nothing but its own code keeps a hostile page from this machine then")
	flags.BoolVar(&options.Hosts, "hosts", false, "hold other hosts against the charter; default: where the charter says that the site keeps its pages to those that it declares")
	flags.StringArrayVar(&options.Accept, "accept", nil, "what to click to accept")
	flags.StringArrayVar(&options.Refuse, "refuse", nil, "what to click to refuse")
	flags.StringArrayVar(&options.Withdraw, "withdraw", nil, "what to click to withdraw")
	flags.DurationVar(&options.Wait, "wait", time.Second, "how long a page has to ask for nothing new before it is left")
	addChoice(audits, "format", &options.Format, audit.Formats, strings.Join(audit.Formats, ", "))
	flags.StringArrayVar(&to.outputs, "output", nil, "a file to write the report into as well, in the format that its name says; can be repeated")
	reportIn := "en"
	addChoice(audits, "language", &reportIn, page.Languages, "of the report, but for JSON")
	flags.StringVar(&options.By, "by", "", "who makes the audit, for the report")
	flags.StringVar(&options.Since, "since", "", "an earlier report, as JSON, to be compared with")
	addChoice(audits, "publish", &to.publish, []string{publishClean, publishFindings}, "has Caddy keep the report and the page show it: clean, if nothing was found, or findings, whatever was")
	flags.Lookup("publish").NoOptDefVal = publishClean
	flags.StringArrayVar(&to.addresses, "address", []string{caddy.DefaultAdminListen}, "of Caddy's admin endpoint, for --publish; repeat it for several instances that share no storage")
	flags.StringVar(&options.Pictures, "screenshots", "", "a folder for a screenshot of the first page on each visit")
	run(audits, func(out, report *terminal.Printer) error {
		if to.publish == "" && flags.Changed("address") {
			return errors.New("--address goes with --publish")
		}
		if isReport(flags.Args()) {
			for _, ofVisits := range []string{"charter", "page", "pages", "browser", "no-sandbox", "hosts", "accept", "refuse", "withdraw", "wait", "by", "since", "screenshots"} {
				if flags.Changed(ofVisits) {
					return fmt.Errorf("--%s is for audits that are made, and %s is the report of one", ofVisits, flags.Arg(0))
				}
			}
		}
		return runAudit(out, report, flags.Args(), reportIn, to, options)
	})

	verifies := &cobra.Command{
		Use:   "verify CONFIG|FOLDER|URL",
		Short: "Tells whether archived versions are what they were, and what is published is kept",
		Long: `
Each version in an archive names the hash of the one before. This tells of each
whether it is still what a later one names, which is missing, and which was not there
when later ones were kept. The versions are those of the archives that a Caddy
config names, in a folder or in Caddy's storage (ask as the user as whom Caddy
runs), those of the folder of an archive, or those that a site shows, from the one
in force on.

The charter that the config makes, or that --site publishes, is held against what is
kept of its version.

Nothing names the latest yet, and whoever can write in the archive can make all of it
anew. So keep its hash elsewhere, and compare.`,
		Example: `  caddy cookie-charter verify Caddyfile --site https://opendata.example.fr
  caddy cookie-charter verify https://opendata.example.fr`,
		Args: cobra.ExactArgs(1),
	}
	verified := verifies.Flags().String("site", "", "hold what this site publishes against the archive: its address, or that of its charter page")
	run(verifies, func(out, _ *terminal.Printer) error {
		return runVerify(out, verifies.Flags().Args()[0], *verified)
	})
	root.AddCommand(check, export, diff, imports, show, audits, verifies)
}

// whatCharters says what CHARTER stands for.
const whatCharters = "A charter is a charter file (YAML or JSON), or a Caddy config."

// addressFlag adds the flag that says of which instances the inventory is.
func addressFlag(command *cobra.Command) *[]string {
	return command.Flags().StringArray("address", []string{caddy.DefaultAdminListen}, "of Caddy's admin endpoint, or a file with the inventory as JSON; repeat it for several instances")
}

// addChoice adds a flag that takes one of some values, and has shells complete these.
func addChoice(command *cobra.Command, name string, chosen *string, values []string, usage string) {
	command.Flags().Var(choice{chosen, values}, name, usage)
	if err := command.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // it was registered twice
	}
}

// A choice is the value of a flag that takes one of some.
type choice struct {
	chosen *string
	values []string
}

// Type returns how the value is called where the flag is explained.
func (choice) Type() string { return "string" }

// String returns the value.
func (c choice) String() string { return *c.chosen }

// Set takes a value, be it the default one, which can be none.
func (c choice) Set(value string) error {
	if value != *c.chosen && !slices.Contains(c.values, value) {
		return fmt.Errorf("use one of %s", strings.Join(c.values, ", "))
	}
	*c.chosen = value
	return nil
}

// run has a sub-command do something. What it writes, and what it makes wrong, can
// be printed.
func run(command *cobra.Command, do func(out, report *terminal.Printer) error) {
	command.RunE = caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (code int, err error) {
		out, report := terminal.NewPrinter(command.OutOrStdout()), terminal.NewPrinter(command.ErrOrStderr())
		if err = do(out, report); errors.Is(err, errDifferences) {
			code, err = exitDifferences, nil
			command.SilenceErrors = true // they were told
		}
		return code, terminal.MakePrintable(errors.Join(err, out.Close(), report.Close()))
	})
}

// A siteHandler is a handler with the hosts that lead to it, none for all, and the
// addresses on which its server listens, none if it stands in a charter file.
type siteHandler struct {
	*Handler
	hosts, listen []string
}

// name is how the site is called.
func (h siteHandler) name() string { return siteName(h.hosts, h.listen) }

// address is where the site is, "" if no name of one leads there.
func (h siteHandler) address() string {
	i := slices.IndexFunc(h.hosts, func(host string) bool { return !strings.ContainsAny(host, "*{") })
	if i < 0 {
		return ""
	}
	return "https://" + h.hosts[i]
}

// mistakes returns all mistakes in options and charter files of a handler that cannot be
// used, nil if they are elsewhere.
func (h siteHandler) mistakes() error {
	mistakes := h.validateOptions()
	isAlone := len(h.Presets)+len(h.Cookies) == 0 && len(h.Charters) == 1
	for _, path := range h.Charters {
		mistakes = errors.Join(mistakes, errors.Join(charter.FileMistakes(path, isAlone)...))
	}
	return mistakes
}

// loadHandler returns the only handler of a charter file or a Caddy config, or
// that of a host.
func loadHandler(path, host string) (siteHandler, error) {
	handlers, err := loadHandlers(path)
	if err != nil {
		return siteHandler{}, err
	}
	return chooseHandler(handlers, path, host)
}

// chooseHandler returns the only one of a file's handlers, or that of a host.
func chooseHandler(handlers []siteHandler, path, host string) (siteHandler, error) {
	if len(handlers) == 1 {
		return handlers[0], nil
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, ""
	}
	var found, catchAll []siteHandler
	var sites []string
	for _, handler := range handlers {
		sites = append(sites, handler.name())
		if slices.Contains(handler.hosts, name) {
			found = append(found, handler)
		} else if len(handler.hosts) == 0 {
			catchAll = append(catchAll, handler)
		}
	}
	if len(found) == 0 && name != "" {
		found = catchAll
	}
	if len(found) > 1 && port != "" {
		found = slices.DeleteFunc(found, func(handler siteHandler) bool { return !listensOn(handler.listen, port) })
	}
	if len(found) != 1 {
		return siteHandler{}, fmt.Errorf("%s has %d charters, of the hosts %v, and %d of them for the host %q; name a host that has one, with its port where that tells them apart, or a charter file", path, len(handlers), sites, len(found), host)
	}
	return found[0], nil
}

// readConfig reads a charter file, or a Caddy config, as JSON.
func readConfig(path string) (content []byte, isConfig bool, err error) {
	if content, err = os.ReadFile(path); err != nil {
		return nil, false, err
	}
	extension := ascii.ToLower(filepath.Ext(path))
	if extension == ".caddyfile" || strings.HasPrefix(ascii.ToLower(filepath.Base(path)), "caddyfile") {
		content, _, err = caddyconfig.GetAdapter("caddyfile").Adapt(content, map[string]any{"filename": path})
		if err != nil {
			var mistakes []error
			for line := range strings.SplitSeq(err.Error(), "\n") { // Caddy keeps no more of them than the text
				mistakes = append(mistakes, errors.New(line))
			}
			err = errors.Join(mistakes...)
		}
		return content, true, err
	}
	var config struct {
		Apps json.RawMessage `json:"apps"`
	}
	return content, extension == ".json" && json.Unmarshal(content, &config) == nil && config.Apps != nil, nil
}

// loadHandlers returns the handlers that a charter file or a Caddy config makes,
// ready to be asked for their charters.
func loadHandlers(path string) ([]siteHandler, error) {
	content, isConfig, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	handlers := []siteHandler{{Handler: &Handler{Charters: []string{path}}}}
	if isConfig {
		if handlers, err = findHandlers(content); err != nil {
			return nil, err
		}
		if len(handlers) == 0 {
			return nil, fmt.Errorf("%s has no cookie_charter; write one in the block of a site, or name a charter file", path)
		}
	}
	var mistakes []error
	for _, handler := range handlers {
		if err := handler.prepare(); err != nil {
			mistakes = append(mistakes, cmp.Or(handler.mistakes(), err))
		}
	}
	return handlers, errors.Join(mistakes...)
}

// findHandlers returns the handlers in a Caddy config, wherever they stand.
func findHandlers(config []byte) ([]siteHandler, error) {
	if err := checkSites(config); err != nil {
		return nil, err
	}
	var found []siteHandler
	var find func(raw json.RawMessage, hosts, listen []string) error
	find = func(raw json.RawMessage, hosts, listen []string) (err error) {
		walkObjects(raw, func(object map[string]json.RawMessage) bool {
			if err != nil {
				return false
			}
			if isCharter(object) {
				var handler *Handler
				if handler, err = unmarshalHandler(object); err == nil {
					found = append(found, siteHandler{handler, hosts, listen})
				}
				return false
			}
			var match []map[string]json.RawMessage
			var inside []string
			isServer := json.Unmarshal(object["listen"], &inside) == nil
			if !isServer && json.Unmarshal(object["match"], &match) != nil {
				return true
			}
			if !isServer {
				inside = listen
			}
			under := slices.Concat(hosts, hostsOf(match))
			for _, key := range slices.Sorted(maps.Keys(object)) {
				if err == nil {
					err = find(object[key], under, inside)
				}
			}
			return false
		})
		return err
	}
	return found, find(config, nil, nil)
}

func runCheck(out, report io.Writer, paths []string, format, language string) error {
	if format == "table" {
		fmt.Fprintf(out, "cookie_charter %s\n", moduleVersion())
	}
	var mistakes []error
	for _, path := range paths {
		handlers, err := loadHandlers(path)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		for _, handler := range handlers {
			language, err := handler.page.SpokenLanguage(language)
			if err != nil {
				mistakes = append(mistakes, fmt.Errorf("%s: %w", path, err))
				continue
			}
			title := path
			if name := handler.name(); name != "" {
				title += ": " + name
			}
			for _, warning := range slices.Concat(handler.warnings(), handler.charter.Gaps()) {
				fmt.Fprintf(report, "%s: warning: %s\n", title, warning)
			}
			switch format {
			case "none":
			case "table":
				err = writeCharter(out, handler, title, language)
			default:
				err = writeExport(out, handler, format, language, "")
			}
			if err != nil {
				return err
			}
		}
	}
	return errors.Join(mistakes...)
}

// writeCharter writes what people check of a charter: what is in force, and its table.
func writeCharter(out io.Writer, handler siteHandler, title, language string) error {
	fmt.Fprintf(out, "%s: version %s, %s\n", title, handler.charter.Version, terminal.Count(len(handler.charter.Rows), "row"))
	if monitored := handler.monitored(); len(monitored) > 0 {
		fmt.Fprintf(out, "only monitored, and not enforced: %s\n", strings.Join(monitored, ", "))
	}
	for i := range handler.Preferences {
		for _, note := range handler.Preferences[i].Notes() {
			fmt.Fprintln(out, note)
		}
	}
	if handler.Hosts == "" {
		for _, missing := range handler.missingHosts() {
			fmt.Fprintln(out, missing)
		}
	}
	table := terminal.Table{Head: []string{"NAME", "CATEGORY", "CONSENT", "DURATION", "HOSTS", "STORAGE", "PROVIDER", "PURPOSE"}}
	for _, cookie := range handler.charter.Rows {
		lifetime := "-"
		if published, ok := handler.policy.PublishedDuration(cookie); ok {
			lifetime = published.String()
		}
		consent := cookie.Key
		if cookie.Exempt {
			consent += " (exempt)"
		}
		addRow(&table, cmp.Or(strings.Join(cookie.Name, " "), "-"), string(cookie.Category), consent, lifetime, cmp.Or(strings.Join(slices.Concat(cookie.Host, cookie.Script), " "), "-"), cmp.Or(strings.Join(cookie.Storage, " "), "-"), cookie.Provider.In(language, "en"), cookie.Purpose.In(language, "en"))
	}
	return writeTable(out, &table)
}

func runExport(out io.Writer, path, format, language, site string) error {
	address, err := url.Parse(site)
	if err != nil {
		return err
	}
	handler, err := loadHandler(path, address.Host)
	if err != nil {
		return err
	}
	if language, err = handler.page.SpokenLanguage(language); err != nil {
		return err
	}
	return writeExport(out, handler, format, language, site)
}

// writeExport writes what the page gives to who asks for a format, on a site, "" for that
// of the config.
func writeExport(out io.Writer, handler siteHandler, format, language, site string) error {
	site = strings.TrimSuffix(cmp.Or(site, handler.address()), "/")
	request, err := http.NewRequest(http.MethodGet, cmp.Or(site, "https://localhost")+handler.page.Path+"/", nil)
	if err != nil || request.Host == "" {
		return fmt.Errorf("unusable address %q; write it as https://opendata.example.fr", site)
	}
	request.Header.Set("Accept-Language", language)
	if request.URL.Scheme == "https" {
		request.TLS = &tls.ConnectionState{}
	}
	body, err := handler.page.Print(format, site, request)
	if err == nil {
		_, err = out.Write(body)
	}
	return err
}

func runDiff(out io.Writer, paths, addresses []string, host string) error {
	var handlers []siteHandler
	for _, path := range paths {
		handler, err := loadHandler(path, host)
		if err != nil {
			return err
		}
		handlers = append(handlers, handler)
	}
	var findings []string
	if len(handlers) == 2 {
		findings = charter.Diff(handlers[0].charter, handlers[1].charter)
	} else {
		bySite, err := fetchInventories(addresses, host)
		if err != nil {
			return err
		}
		for _, site := range slices.Sorted(maps.Keys(bySite)) {
			for _, finding := range diffInventory(handlers[0].Handler, bySite[site]) {
				findings = append(findings, site+": "+finding)
			}
		}
	}
	for _, finding := range findings {
		fmt.Fprintln(out, finding)
	}
	if len(findings) > 0 {
		return errDifferences
	}
	return nil
}

// diffInventory returns what was seen and is not declared, what is declared and was
// not seen, and what asks to live longer than it is declared to. That nobody has
// answered yet is no difference.
func diffInventory(h *Handler, entries []InventoryEntry) []string {
	var findings []string
	isSeen := map[*charter.Row]bool{}
	for _, entry := range entries {
		if entry.Reports != nil {
			if judge.JudgeHostAfter(answers.None, h.charter.Rows, entry.origin()).Verdict == judge.Undeclared {
				findings = append(findings, fmt.Sprintf("undeclared: host %q, reported %s from about %s, for %s", entry.Host, terminal.Count(entry.Reports.Count, "time"), terminal.Count(entry.Reports.Networks, "network"), strings.Join(entry.Reports.Directives, ", ")))
			}
			continue
		}
		if entry.Item != "" {
			if h.charter.FindItem(entry.Item) == nil {
				findings = append(findings, fmt.Sprintf("undeclared: stored item %q, found in pages %s", entry.Item, terminal.Count(entry.FromScripts, "time")))
			}
			continue
		}
		row := h.charter.Find(entry.Name)
		if row == nil || !setcookie.IsToken(entry.Name) {
			findings = append(findings, fmt.Sprintf("undeclared: %q, set by the portal %s, sent by browsers %s, found in pages %s", entry.Name, terminal.Count(entry.FromPortal, "time"), terminal.Count(entry.FromBrowser, "time"), terminal.Count(entry.FromScripts, "time")))
			continue
		}
		isSeen[row] = true
		if entry.Attributes == nil {
			continue
		}
		if seconds, err := strconv.Atoi(entry.Attributes.Lifetime); err == nil && seconds > row.Limit.Seconds() && row.Duration != "" {
			findings = append(findings, fmt.Sprintf("longer: %s asks for %s, declared are %s", entry.Name, charter.DurationOf(seconds), row.Duration))
		}
	}
	for _, row := range h.charter.Rows {
		// Hosts that are allowed are not reported.
		if !isSeen[row] && !h.answers.Rows[row] && len(row.Name) > 0 {
			findings = append(findings, "unseen: "+strings.Join(row.Name, " "))
		}
	}
	return findings
}

// fetchInventories reads the inventories of several instances as one: of all sites, or of
// one host.
func fetchInventories(addresses []string, host string) (map[string][]InventoryEntry, error) {
	bySite := map[string][]InventoryEntry{}
	for _, address := range addresses {
		read, err := fetchInventory(address)
		if err != nil {
			return nil, err
		}
		for site, entries := range read {
			bySite[site] = mergeEntries(bySite[site], entries)
		}
	}
	if host != "" {
		found := selectHost(bySite, host)
		if len(found) == 0 {
			return nil, fmt.Errorf("nothing was seen of the host %q; there are %v", host, slices.Sorted(maps.Keys(bySite)))
		}
		bySite = found
	}
	return bySite, nil
}

// fetchInventory reads the inventory from an admin endpoint or a file.
func fetchInventory(address string) (map[string][]InventoryEntry, error) {
	content, err := os.ReadFile(address)
	if err != nil {
		response, err := caddycmd.AdminAPIRequest(address, http.MethodGet, inventoryPath, http.Header{}, nil)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		if content, err = io.ReadAll(response.Body); err != nil {
			return nil, err
		}
	}
	var bySite map[string][]InventoryEntry
	if err := json.Unmarshal(content, &bySite); err != nil {
		return nil, fmt.Errorf("reading the inventory: %w", err)
	}
	return bySite, nil
}

func runInventory(out io.Writer, addresses []string, host, format string) error {
	bySite, err := fetchInventories(addresses, host)
	if err != nil {
		return err
	}
	switch format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(bySite)
	case "charter":
		var content []byte
		if content, err = draft.Charter(draftEntries(bySite)); err == nil {
			_, err = out.Write(content)
		}
	case "table":
		table := terminal.Table{Head: []string{"SITE", "NAME", "VERDICT", "DECLARED AS", "FROM PORTAL", "FROM BROWSERS", "FROM SCRIPTS", "NETWORKS", "LIFETIME", "LAST SEEN (UTC)"}}
		for _, site := range slices.Sorted(maps.Keys(bySite)) {
			for _, entry := range bySite[site] {
				if entry.Reports != nil || entry.Item != "" {
					continue
				}
				lifetime, networks := "-", "-"
				if entry.FromScripts > 0 {
					networks = fmt.Sprint(entry.Networks)
				}
				if entry.Attributes != nil {
					lifetime = entry.Attributes.Lifetime
					if seconds, err := strconv.Atoi(lifetime); err == nil {
						lifetime = charter.DurationOf(seconds).String()
					}
				}
				addRow(&table, site, strconv.Quote(entry.Name), entry.Verdict.String(), entry.Cookie, fmt.Sprint(entry.FromPortal), fmt.Sprint(entry.FromBrowser), fmt.Sprint(entry.FromScripts), networks, lifetime, entry.LastSeen.UTC().Format(time.DateTime))
			}
		}
		if err = writeTable(out, &table); err == nil {
			err = writeItems(out, bySite)
		}
		if err == nil {
			err = writeHosts(out, bySite)
		}
	}
	return err
}

// writeItems writes the table of stored items, if some were told.
func writeItems(out io.Writer, bySite map[string][]InventoryEntry) error {
	return writeSome(out, []string{"SITE", "STORED ITEM", "VERDICT", "DECLARED AS", "FROM SCRIPTS", "NETWORKS", "LAST SEEN (UTC)"}, bySite, func(entry InventoryEntry) []string {
		if entry.Item == "" {
			return nil
		}
		return []string{strconv.Quote(entry.Item), entry.Verdict.String(), entry.Cookie, fmt.Sprint(entry.FromScripts), fmt.Sprint(entry.Networks), entry.LastSeen.UTC().Format(time.DateTime)}
	})
}

// writeHosts writes the table of hosts, if some were reported.
func writeHosts(out io.Writer, bySite map[string][]InventoryEntry) error {
	return writeSome(out, []string{"SITE", "HOST", "VERDICT", "DECLARED AS", "REPORTS", "BLOCKED", "NETWORKS", "DIRECTIVES", "LAST SEEN (UTC)"}, bySite, func(entry InventoryEntry) []string {
		if entry.Reports == nil {
			return nil
		}
		return []string{entry.Host, entry.Verdict.String(), entry.Cookie, fmt.Sprint(entry.Reports.Count), fmt.Sprint(entry.Reports.Blocked), fmt.Sprint(entry.Reports.Networks), strings.Join(entry.Reports.Directives, " "), entry.LastSeen.UTC().Format(time.DateTime)}
	})
}

// writeSome writes a further table of the entries that have texts for it, if some have.
func writeSome(out io.Writer, head []string, bySite map[string][]InventoryEntry, texts func(InventoryEntry) []string) error {
	table, isEmpty := terminal.Table{Head: head}, true
	for _, site := range slices.Sorted(maps.Keys(bySite)) {
		for _, entry := range bySite[site] {
			if found := texts(entry); found != nil {
				isEmpty = false
				addRow(&table, append([]string{site}, found...)...)
			}
		}
	}
	if isEmpty {
		return nil
	}
	fmt.Fprintln(out)
	return writeTable(out, &table)
}

// addRow adds a row of texts to a table.
func addRow(table *terminal.Table, texts ...string) {
	cells := make([]terminal.Cell, 0, len(texts))
	for _, text := range texts {
		cells = append(cells, terminal.Cell{Text: text})
	}
	table.Add(cells...)
}

// writeTable writes a table as wide as what it is written to.
func writeTable(out io.Writer, table *terminal.Table) error {
	printer, ok := out.(*terminal.Printer)
	if !ok {
		printer = terminal.NewPrinter(out)
	}
	return table.Write(printer)
}

// The values of the flag that publishes a report.
const (
	publishClean    = "clean"
	publishFindings = "findings"
)

// isReport tells whether what is to be audited is a report that was written before.
func isReport(pages []string) bool {
	if len(pages) != 1 || fetch.IsURL(pages[0]) {
		return false
	}
	info, err := os.Stat(pages[0])
	return err == nil && info.Mode().IsRegular()
}

// A delivery is where a report goes beside the standard output.
type delivery struct {
	outputs   []string // files
	publish   string   // publishClean or publishFindings; "" to publish nothing
	addresses []string // of the admin endpoints of who publishes it
}

// runAudit makes an audit, or reads the report of one, and delivers it.
func runAudit(out, progress *terminal.Printer, pages []string, language string, to delivery, options audit.Options) error {
	options.DefaultPage, options.Load, options.Tool = page.DefaultPath, loadForAudit, fmt.Sprintf("cookie_charter %s, %s/%s", moduleVersion(), runtime.GOOS, runtime.GOARCH)
	words, err := page.WordsIn(language)
	if err != nil {
		return err
	}
	options.Words = words
	for _, output := range to.outputs { // before an audit that takes minutes
		_, err := auditFormat(output)
		if err == nil {
			_, err = os.Stat(filepath.Dir(output))
		}
		if err != nil {
			return err
		}
	}
	var report *audit.Report
	if isReport(pages) {
		report, err = audit.LoadReport(pages[0])
	} else {
		report, err = audit.Run(progress, pages, options)
	}
	if err == nil {
		err = report.Write(out, options.Format, options.Words)
	}
	for _, output := range to.outputs {
		if err == nil {
			err = writeReport(output, report, options.Words)
		}
	}
	if err == nil && to.publish != "" {
		err = to.publishReport(progress, report)
	}
	switch {
	case err != nil:
		return err
	case report.Violations > 0:
		return errDifferences
	case report.Incomplete:
		return errIncomplete
	}
	return nil
}

// publishReport has running Caddys publish a report, and tells where it is. That one is not
// published for what was found is told, too, and no mistake of its own.
func (d delivery) publishReport(progress io.Writer, report *audit.Report) error {
	path := auditsPath
	if d.publish == publishFindings {
		path += "?" + findingsAllowed
	}
	err := report.CheckPublication(d.publish == publishFindings, time.Now())
	if err != nil && (report.Violations > 0 || report.Incomplete) {
		fmt.Fprintf(progress, "not published: %v\n", err)
		return nil
	}
	content, unwritable := report.JSON()
	if err = cmp.Or(err, unwritable); err != nil {
		return fmt.Errorf("not published: %w", err)
	}
	for _, address := range d.addresses {
		response, err := caddycmd.AdminAPIRequest(address, http.MethodPost, path, http.Header{}, bytes.NewReader(content))
		if err != nil {
			return fmt.Errorf("not published by %s: %w", address, err)
		}
		defer response.Body.Close()
		var taken publication
		if err := json.NewDecoder(response.Body).Decode(&taken); err != nil {
			return fmt.Errorf("reading what %s answers: %w", address, err)
		}
		fmt.Fprintln(progress, taken)
	}
	return nil
}

// String tells where a report is, and what shows there.
func (p publication) String() string {
	told := "published at " + p.Page
	if !p.Later.IsZero() {
		told = fmt.Sprintf("kept; a later one, of %s, shows at %s", p.Later.Format(time.RFC3339), p.Page)
	}
	if !p.IsListening {
		told += "; no server here listens there, so what is in front of this Caddy has to lead from there to it"
	}
	return told
}

// auditFormat returns the format of a report in a file.
func auditFormat(path string) (string, error) {
	switch ascii.ToLower(filepath.Ext(path)) {
	case ".txt":
		return "text", nil
	case ".json":
		return "json", nil
	case ".html":
		return "html", nil
	case ".xml":
		return "junit", nil
	}
	return "", fmt.Errorf("unknown format of %q; end the name of the file in .txt, .json, .html or .xml", path)
}

// writeReport writes the report of an audit into a file.
func writeReport(path string, report *audit.Report, words audit.Words) error {
	format, err := auditFormat(path)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	out := terminal.NewPrinter(file)
	return errors.Join(report.Write(out, format, words), out.Close(), file.Close())
}

// loadForAudit loads the charter against which an audit holds a host.
func loadForAudit(path, host string) (audit.Charter, error) {
	handler, err := loadHandler(path, host)
	if err != nil {
		return audit.Charter{}, err
	}
	return audit.Charter{
		Charter: handler.charter, Version: handler.charter.Version, Path: handler.Page.Path, Hosts: handler.hosts,
		HoldsHosts: handler.hostsEffect() == document.Enforced, Published: handler.policy.PublishedDuration,
	}, nil
}

// runVerify tells whether the versions of archives are what they were when they were kept,
// and whether what is published is kept.
func runVerify(out *terminal.Printer, source, site string) error {
	var findings int
	var err error
	info, notThere := os.Stat(source)
	switch {
	case fetch.IsURL(source):
		if site != "" {
			return errors.New("--site is for archives and configs; a site is held against what it shows itself")
		}
		findings, err = verify.Site(out, source)
	case notThere == nil && info.IsDir():
		findings, err = verify.Folder(out, source, site)
	default:
		findings, err = verifyConfig(out, source, site)
	}
	if err == nil && findings > 0 {
		return errDifferences
	}
	return err
}

// verifyConfig verifies the archives of a Caddy config, and holds what it publishes, or what
// a site does, against them.
func verifyConfig(out *terminal.Printer, source, site string) (findings int, err error) {
	handlers, err := loadHandlers(source)
	if err != nil {
		return 0, err
	}
	if site != "" {
		address, err := url.Parse(site)
		if err != nil {
			return 0, err
		}
		handler, err := chooseHandler(handlers, source, address.Host)
		if err != nil {
			return 0, err
		}
		handlers = []siteHandler{handler}
	}
	handlers = slices.DeleteFunc(handlers, func(handler siteHandler) bool { return handler.Page.Archive == "" })
	if len(handlers) == 0 {
		return 0, fmt.Errorf("%s names no archive; write \"archive\" in the block of \"page\", or name a folder with versions, or the URL of a charter page", source)
	}
	storage, end, err := storageOf(source)
	if err != nil {
		return 0, err
	}
	defer end()
	for _, handler := range handlers {
		archive, err := verify.Open(handler.Page.Archive, storage)
		if err != nil {
			return 0, err
		}
		var found int
		if site != "" {
			found, err = archive.HoldSite(out, site, handler.Page.Path)
		} else {
			var own bytes.Buffer
			if err = writeExport(&own, handler, "json", "", ""); err == nil {
				found, err = archive.HoldConfig(out, own.Bytes(), cmp.Or(handler.name(), source))
			}
		}
		if err != nil {
			return 0, err
		}
		findings += found
	}
	return findings, nil
}

// storageOf returns the storage of a Caddy config, and what ends its use.
func storageOf(path string) (page.Storage, func(), error) {
	content, _, err := readConfig(path)
	if err != nil {
		return nil, nil, err
	}
	var config struct {
		StorageRaw json.RawMessage `json:"storage,omitempty" caddy:"namespace=caddy.storage inline_key=module"`
	}
	if err := json.Unmarshal(content, &config); err != nil {
		return nil, nil, err
	}
	if config.StorageRaw == nil {
		return caddy.DefaultStorage, func() {}, nil
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	loaded, err := ctx.LoadModule(&config, "StorageRaw")
	if err == nil {
		var storage page.Storage
		if storage, err = loaded.(caddy.StorageConverter).CertMagicStorage(); err == nil {
			return storage, cancel, nil
		}
	}
	cancel()
	return nil, nil, err
}

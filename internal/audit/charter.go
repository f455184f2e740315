package audit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/ascii"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/fetch"
)

// A Charter is what an audit holds the cookies against.
type Charter struct {
	*charter.Charter
	source  string   // the file or the address from which it comes
	hash    string   // SHA-256 of what was read there
	Version string   // as published
	Path    string   // of the page
	Hosts   []string // of a Caddy config, none for all

	HoldsHosts bool // pages are kept to the declared hosts, and so are held against them

	// Published returns the duration that is published of a row, if there is one.
	Published func(*charter.Row) (charter.Duration, bool)
}

// loadCharter loads the charter against which a site is held.
func loadCharter(site *url.URL, options Options) (Charter, error) {
	source, path := options.Charter, cmp.Or(options.Page, options.DefaultPage)
	if source == "" {
		source = site.ResolveReference(&url.URL{Path: path, RawQuery: "format=json"}).String()
	}
	if !fetch.IsURL(source) {
		loaded, err := options.Load(source, site.Host)
		if err != nil {
			return Charter{}, err
		}
		content, err := os.ReadFile(source)
		loaded.source, loaded.hash, loaded.Path, loaded.HoldsHosts = source, hashOf(content), cmp.Or(options.Page, loaded.Path), loaded.HoldsHosts || options.Hosts
		return loaded, err
	}
	shown := new(address.Redactor).Show(source)
	content, isWhole, err := fetch.ReadSource(source, maxCharter)
	if err == nil && !isWhole {
		err = fmt.Errorf("it has more than %d bytes", maxCharter)
	}
	if err != nil {
		return Charter{}, fmt.Errorf("reading the charter that is published at %s: %w; name another by --charter, or the path of its page by --page", shown, err)
	}
	declared, err := parsePublished(content, shown)
	if err != nil {
		return Charter{}, fmt.Errorf("%s publishes no charter of this module: %w; name one by --charter", shown, err)
	}
	published, err := charter.New(declared)
	if err == nil {
		err = published.ComputeVersion("")
	}
	if err != nil {
		return Charter{}, err
	}
	var document struct{ Version, Hosts string }
	_ = yaml.Unmarshal(content, &document) // as parsePublished has done
	return Charter{
		Charter: published, source: shown, hash: hashOf(content), Version: cmp.Or(document.Version, published.Version), Path: path, HoldsHosts: document.Hosts == "enforce" || options.Hosts,
		Published: func(row *charter.Row) (charter.Duration, bool) {
			declared, err := charter.ParseDuration(row.Duration)
			return declared, err == nil
		},
	}, nil
}

const (
	// maxCharter is how long a charter of somebody else's may be, in bytes, and
	// maxNames how many names, patterns and hosts it may have.
	maxCharter = 2 << 20
	maxNames   = 10_000
)

// parsePublished reads a charter that a site publishes, be it none.
func parsePublished(content []byte, name string) (charter.Source, error) {
	if !json.Valid(content) {
		if ascii.EqualFold(filepath.Ext(name), ".json") {
			return charter.Source{}, errors.New("it is no JSON")
		}
		var document yaml.Node
		if yaml.Unmarshal(content, &document) == nil && hasAlias(&document) {
			return charter.Source{}, errors.New("it has aliases, by which a few bytes can stand for many")
		}
	}
	declared, err := charter.Parse(content, name)
	if err != nil {
		return charter.Source{}, err
	}
	names := 0
	for _, row := range declared.Rows {
		names += len(row.Name) + len(row.Match) + len(row.Host) + len(row.Storage)
	}
	if names > maxNames {
		return charter.Source{}, fmt.Errorf("it has %d names, hosts and stored items; an audit takes up to %d", names, maxNames)
	}
	return declared, nil
}

func hasAlias(node *yaml.Node) bool {
	return node.Kind == yaml.AliasNode || slices.ContainsFunc(node.Content, hasAlias)
}

package cookiecharter

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"weak"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-charter/cookie_charter/internal/address"
	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// A configRoute is what is looked at of a route in a Caddy config.
type configRoute struct {
	Group    string                       `json:"group"`
	Match    []map[string]json.RawMessage `json:"match"`
	Handle   []json.RawMessage            `json:"handle"`
	Terminal bool                         `json:"terminal"`
}

// A configHandler is what is looked at of a handler in a Caddy config.
type configHandler struct {
	Handler string        `json:"handler"`
	Routes  []configRoute `json:"routes"` // of a subroute
	Errors  struct {
		Routes []configRoute `json:"routes"`
	} `json:"errors"`

	HandleResponse json.RawMessage `json:"handle_response"` // of a proxy, after which the next handler may answer
	PassThru       bool            `json:"pass_thru"`       // of files: likewise where there is none
}

// answersAll tells whether no handler comes behind one.
func (h configHandler) answersAll() bool {
	switch h.Handler {
	case "reverse_proxy":
		return h.HandleResponse == nil
	case "file_server":
		return !h.PassThru
	}
	return h.Handler == "static_response"
}

// isCharter tells whether an object of a config is a handler of this module.
func isCharter(object map[string]json.RawMessage) bool {
	return string(object["handler"]) == `"cookie_charter"`
}

// A configSite is what serves the same requests: routes of a server of which one
// leads to the next.
type configSite struct {
	listen   []string
	routes   []configRoute
	isErrors bool // they come after those of another site, whose charter they know
}

// splitSites returns the sites of a server: every route that ends a request's way is
// one of its own, and the rest are one.
func splitSites(listen []string, routes []configRoute, isErrors bool) []configSite {
	var sites []configSite
	rest := configSite{listen: listen, isErrors: isErrors}
	for _, route := range routes {
		if route.Terminal {
			sites = append(sites, configSite{listen, []configRoute{route}, isErrors})
		} else {
			rest.routes = append(rest.routes, route)
		}
	}
	if len(rest.routes) > 0 {
		sites = append(sites, rest)
	}
	return sites
}

// hosts returns the hosts that a site's routes match, none if one matches all.
func (s configSite) hosts() []string {
	var hosts []string
	for _, route := range s.routes {
		of := hostsOf(route.Match)
		if len(of) == 0 {
			return nil
		}
		hosts = append(hosts, of...)
	}
	return hosts
}

// hostsOf returns the hosts that a route's matchers name.
func hostsOf(match []map[string]json.RawMessage) []string {
	var hosts []string
	for _, matchers := range match {
		var named []string
		if json.Unmarshal(matchers["host"], &named) == nil {
			hosts = append(hosts, named...)
		}
	}
	return hosts
}

// siteName is how messages call a site: by its hosts, else by where it listens.
func siteName(hosts, listen []string) string {
	if len(hosts) > 0 {
		return strings.Join(hosts, " ")
	}
	return strings.Join(listen, " ")
}

// check returns an error if a request can go through two charters, if none can reach one,
// or if a matcher asks for a consent key that no charter of the site has.
func (s configSite) check() error {
	name := siteName(s.hosts(), s.listen)
	if _, twice := chartersIn(s.routes); twice {
		return fmt.Errorf("site %s: requests go through two cookie_charter, and only what both allow would pass; keep one, with all presets, files and rows in its block, or give each a handle block of its own", name)
	}
	if before, isBehind := answererBefore(s.routes); isBehind {
		return fmt.Errorf("site %s: cookie_charter stands behind %s, which answers all that comes, so that no cookie is judged; put it in front, or leave its order to Caddy", name, before)
	}
	asked := matcherKeys(s.routes)
	if len(asked) == 0 || s.isErrors {
		return nil
	}
	var keys []string
	handlers, err := handlersIn(s.routes)
	if err != nil {
		return err
	}
	for _, handler := range handlers {
		if err := handler.prepare(); err != nil {
			return fmt.Errorf("site %s: %w", name, err)
		}
		keys = append(keys, handler.charter.ConsentKeys()...)
	}
	if len(handlers) == 0 {
		return fmt.Errorf("site %s: cookie_consent asks for %q, but there is no cookie_charter; add one, or remove the matcher", name, asked[0])
	}
	for _, key := range asked {
		if !slices.Contains(keys, key) {
			return fmt.Errorf("site %s: cookie_consent asks for %q, but no row of its charter has this consent key; %s", name, key, charter.UseOneOf(keys))
		}
	}
	return nil
}

// checkSites returns the first mistake that sites of a config have, be it in their
// routes or in those for errors.
func checkSites(config []byte) error {
	type server struct {
		configHandler

		Listen []string `json:"listen"`
	}
	var read struct {
		Apps struct {
			HTTP struct {
				Servers map[string]server `json:"servers"`
			} `json:"http"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &read); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(read.Apps.HTTP.Servers)) {
		server := read.Apps.HTTP.Servers[name]
		for _, site := range slices.Concat(splitSites(server.Listen, server.Routes, false), splitSites(server.Listen, server.Errors.Routes, true)) {
			if err := site.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// chartersIn returns, for every cookie_charter in routes, the matchers that lead to
// it, "" if it stands on the way of every request, and tells whether a request can go
// through two. Where both have different matchers, that cannot be known.
func chartersIn(routes []configRoute) (found []string, twice bool) {
	overlap := func(some, others []string) bool {
		return slices.ContainsFunc(some, func(one string) bool {
			return slices.ContainsFunc(others, func(other string) bool { return one == "" || other == "" || one == other })
		})
	}
	ways := make([][]string, len(routes))
	for i, route := range routes {
		matchers := ""
		if len(route.Match) > 0 {
			encoded, err := json.Marshal(route.Match)
			if err != nil {
				continue // it was JSON
			}
			matchers = string(encoded)
		}
		var inRoute []string
		for _, raw := range route.Handle {
			var handler configHandler
			if json.Unmarshal(raw, &handler) != nil {
				continue // Caddy says what is wrong
			}
			var inHandler []string
			if handler.Handler == "cookie_charter" {
				inHandler = []string{""}
			} else {
				var inRoutes, inErrors bool
				inHandler, inRoutes = chartersIn(handler.Routes)
				_, inErrors = chartersIn(handler.Errors.Routes) // a chain of its own
				twice = twice || inRoutes || inErrors
			}
			twice = twice || overlap(inRoute, inHandler)
			inRoute = append(inRoute, inHandler...)
		}
		for _, way := range inRoute {
			ways[i] = append(ways[i], matchers+way)
		}
		for j, earlier := range routes[:i] {
			isOther := earlier.Terminal || earlier.Group != "" && earlier.Group == route.Group
			twice = twice || !isOther && overlap(ways[j], ways[i])
		}
		found = append(found, ways[i]...)
	}
	return found, twice
}

// answererBefore returns the handler that answers all that comes to routes, "" if none does
// for sure, and whether a cookie_charter stands behind it.
func answererBefore(routes []configRoute) (answerer string, isBehind bool) {
	for _, route := range routes {
		inRoute := answerer
		for _, raw := range route.Handle {
			var handler configHandler
			if json.Unmarshal(raw, &handler) != nil {
				continue // Caddy says what is wrong
			}
			charters, _ := chartersIn(handler.Routes)
			if inRoute != "" && (handler.Handler == "cookie_charter" || len(charters) > 0) {
				return inRoute, true
			}
			inner, isBehind := answererBefore(handler.Routes)
			if isBehind {
				return inner, true
			}
			if handler.answersAll() {
				inner = handler.Handler
			}
			inRoute = cmp.Or(inRoute, inner)
		}
		if len(route.Match) == 0 && route.Group == "" {
			answerer = inRoute
		}
	}
	return answerer, false
}

// matcherKeys returns the consent keys for which matchers in routes ask.
func matcherKeys(routes []configRoute) []string {
	var keys []string
	find := func(object map[string]json.RawMessage) bool {
		var asked []string
		if json.Unmarshal(object["cookie_consent"], &asked) == nil {
			keys = append(keys, asked...)
		}
		return true
	}
	for _, route := range routes {
		for _, matchers := range route.Match {
			find(matchers)
			for _, raw := range matchers {
				walkObjects(raw, find)
			}
		}
		for _, raw := range route.Handle {
			walkObjects(raw, find)
		}
	}
	return keys
}

// handlersIn returns the handlers of this module in routes.
func handlersIn(routes []configRoute) (handlers []*Handler, err error) {
	for _, route := range routes {
		for _, raw := range route.Handle {
			walkObjects(raw, func(object map[string]json.RawMessage) bool {
				if !isCharter(object) {
					return true
				}
				var handler *Handler
				if handler, err = unmarshalHandler(object); handler != nil {
					handlers = append(handlers, handler)
				}
				return false
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return handlers, nil
}

// unmarshalHandler returns the handler that an object of a config is.
func unmarshalHandler(object map[string]json.RawMessage) (*Handler, error) {
	object = maps.Clone(object)
	delete(object, "handler")
	inner, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	handler := new(Handler)
	if err := caddy.StrictUnmarshalJSON(inner, handler); err != nil {
		return nil, err
	}
	return handler, nil
}

// walkObjects calls visit for every object in a config, and for those inside it while
// it returns true.
func walkObjects(raw json.RawMessage, visit func(object map[string]json.RawMessage) bool) {
	var object map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case json.Unmarshal(raw, &object) == nil:
		if !visit(object) {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(object)) {
			walkObjects(object[key], visit)
		}
	case json.Unmarshal(raw, &list) == nil:
		for _, element := range list {
			walkObjects(element, visit)
		}
	}
}

// loadingSite returns the site of which a handler is being provisioned, and whether
// its routes are all there: Caddy loads handlers in the order of the routes, and
// forgets the JSON of those that it has loaded. There is none outside of servers and
// in named routes.
func loadingSite(ctx caddy.Context) (site configSite, isWhole bool) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return configSite{}, false
	}
	lists := []caddyhttp.RouteList{server.Routes}
	if server.Errors != nil {
		lists = append(lists, server.Errors.Routes)
	}
	for list, routes := range lists {
		current := slices.IndexFunc(routes, func(route caddyhttp.Route) bool { return route.HandlersRaw != nil })
		if current < 0 {
			continue
		}
		if routes[current].Terminal {
			return configSite{server.Listen, configRoutes(routes[current : current+1]), list > 0}, true
		}
		site = configSite{listen: server.Listen, isErrors: list > 0}
		isWhole = true
		for i, route := range routes {
			if !route.Terminal {
				site.routes = append(site.routes, configRoutes(routes[i:i+1])...)
				isWhole = isWhole && (i >= current || !slices.ContainsFunc(route.Handlers, func(handler caddyhttp.MiddlewareHandler) bool {
					return len(loadedHandlers(handler)) > 0
				}))
			}
		}
		return site, isWhole
	}
	return configSite{listen: server.Listen}, false
}

// configRoutes returns routes as they stand in a config. Their matchers are loaded
// before any handler.
func configRoutes(routes []caddyhttp.Route) []configRoute {
	converted := make([]configRoute, 0, len(routes))
	for _, route := range routes {
		match := make([]map[string]json.RawMessage, 0, len(route.MatcherSets))
		for _, set := range route.MatcherSets {
			match = append(match, configMatchers(set))
		}
		converted = append(converted, configRoute{Group: route.Group, Match: match, Handle: route.HandlersRaw, Terminal: route.Terminal})
	}
	return converted
}

// configMatchers returns loaded matchers as they stand in a config.
func configMatchers(set caddyhttp.MatcherSet) map[string]json.RawMessage {
	matchers := map[string]json.RawMessage{}
	for _, matcher := range set {
		module, ok := matcher.(caddy.Module)
		if !ok {
			continue
		}
		written := matcher
		if not, ok := matcher.(*caddyhttp.MatchNot); ok { // forgets its JSON as well
			sets := make([]map[string]json.RawMessage, 0, len(not.MatcherSets))
			for _, inner := range not.MatcherSets {
				sets = append(sets, configMatchers(inner))
			}
			written = sets
		}
		encoded, err := json.Marshal(written)
		if err != nil {
			encoded = json.RawMessage(strconv.Quote(fmt.Sprintf("%T %v", matcher, matcher))) // only to be compared
		}
		matchers[module.CaddyModule().ID.Name()] = encoded
	}
	return matchers
}

// loadedHandlers returns the handlers of this module that a loaded handler is, or
// leads to.
func loadedHandlers(handler any) []*Handler {
	switch handler := handler.(type) {
	case *Handler:
		return []*Handler{handler}
	case *caddyhttp.Subroute:
		found := loadedHandlersIn(handler.Routes)
		if handler.Errors != nil {
			found = append(found, loadedHandlersIn(handler.Errors.Routes)...)
		}
		return found
	default:
		return nil
	}
}

func loadedHandlersIn(routes caddyhttp.RouteList) []*Handler {
	var found []*Handler
	for _, route := range routes {
		for _, handler := range route.Handlers {
			found = append(found, loadedHandlers(handler)...)
		}
	}
	return found
}

// matcherServer returns the server of which a matcher is being provisioned, nil if there
// is none. Caddy loads the matchers of a server's own routes before it tells whose they
// are, and forgets the JSON of those that it has loaded.
func matcherServer(ctx caddy.Context) *caddyhttp.Server {
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		return server
	}
	for _, module := range ctx.Modules() {
		app, ok := module.(*caddyhttp.App)
		if !ok {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(app.Servers)) { // as Caddy does
			if server := app.Servers[name]; slices.ContainsFunc(server.Routes, func(route caddyhttp.Route) bool { return route.MatcherSetsRaw != nil }) {
				return server
			}
		}
	}
	return nil
}

// hasCharter tells whether a server has a handler of this module, loaded or not.
func hasCharter(server *caddyhttp.Server) bool {
	routes := slices.Clone(server.Routes)
	if server.Errors != nil {
		routes = append(routes, server.Errors.Routes...)
	}
	for _, named := range server.NamedRoutes {
		routes = append(routes, *named)
	}
	found := len(loadedHandlersIn(routes)) > 0
	for _, route := range routes {
		for _, raw := range route.HandlersRaw {
			walkObjects(raw, func(object map[string]json.RawMessage) bool {
				found = found || isCharter(object)
				return !found
			})
		}
	}
	return found
}

// A servedCharter is the charter of a handler, as the inventory remembers it, and where it
// runs; what has stopped is not kept by that.
type servedCharter struct {
	charter *charter.Charter
	server  weak.Pointer[caddyhttp.Server]
}

// A runningConfig is what serves now. Right after a reload it is the new one, though
// the old one may still end what it has begun.
type runningConfig struct {
	servers map[string]*caddyhttp.Server
}

// running returns the config that serves now, without servers if there is none.
func running() runningConfig {
	app, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		return runningConfig{}
	}
	return runningConfig{app.(*caddyhttp.App).Servers}
}

// has tells whether a charter that the inventory remembers is in force.
func (c runningConfig) has(served *servedCharter) bool {
	for _, server := range c.servers {
		if weak.Make(server) == served.server {
			return true
		}
	}
	return false
}

// charters returns those that can judge the cookies of a site of the inventory.
func (c runningConfig) charters(site string) []*charter.Charter {
	handlers := c.handlers(site)
	charters := make([]*charter.Charter, 0, len(handlers))
	for _, handler := range handlers {
		charters = append(charters, handler.charter)
	}
	return charters
}

// handlers returns those to which requests for a site can come: of the servers on its port,
// if there are some. Something in front of them can have another.
func (c runningConfig) handlers(site string) []*Handler {
	onPort, others := c.handlersByPort(site)
	if len(onPort) > 0 {
		return onPort
	}
	return others
}

// isListening tells whether some handler answers on the very port of an address, and so without
// anything in front.
func (c runningConfig) isListening(origin string) bool {
	at, err := url.Parse(origin)
	if err != nil {
		return false
	}
	onPort, _ := c.handlersByPort(net.JoinHostPort(at.Hostname(), cmp.Or(at.Port(), address.DefaultPorts[at.Scheme])))
	return len(onPort) > 0
}

// handlersByPort returns the handlers for a host: of the servers on its port, and of others.
func (c runningConfig) handlersByPort(site string) (onPort, others []*Handler) {
	host, port, err := net.SplitHostPort(site)
	if err != nil {
		host, port = site, ""
	}
	request := (&http.Request{Host: host}).WithContext(context.WithValue(context.Background(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
	for _, name := range slices.Sorted(maps.Keys(c.servers)) {
		server := c.servers[name]
		var found []*Handler
		for _, route := range server.Routes {
			if !matchesHost(route.MatcherSets, request) {
				continue
			}
			found = append(found, loadedHandlersIn(caddyhttp.RouteList{route})...)
			if route.Terminal && len(route.MatcherSets) > 0 && isByHostAlone(route.MatcherSets) {
				break
			}
		}
		if listensOn(server.Listen, port) {
			onPort = append(onPort, found...)
		} else {
			others = append(others, found...)
		}
	}
	return onPort, others
}

// matchesHost tells whether matchers let a request for a host through, whatever else
// it has.
func matchesHost(sets caddyhttp.MatcherSets, request *http.Request) bool {
	for _, set := range sets {
		matches := true
		for _, matcher := range set {
			if hosts, ok := matcher.(*caddyhttp.MatchHost); ok {
				matched, err := hosts.MatchWithError(request)
				matches = matches && matched && err == nil
			}
		}
		if matches {
			return true
		}
	}
	return len(sets) == 0
}

// isByHostAlone tells whether matchers look at nothing but the host.
func isByHostAlone(sets caddyhttp.MatcherSets) bool {
	for _, set := range sets {
		for _, matcher := range set {
			if _, ok := matcher.(*caddyhttp.MatchHost); !ok {
				return false
			}
		}
	}
	return true
}

// listensOn tells whether a server listens on a port, "" for those that an address
// need not say.
func listensOn(listen []string, port string) bool {
	ports := []string{port}
	if port == "" {
		ports = slices.Collect(maps.Values(address.DefaultPorts))
	}
	for _, written := range listen {
		network, err := caddy.ParseNetworkAddress(written)
		for _, port := range ports {
			number, notNumber := strconv.ParseUint(port, 10, 16)
			if err == nil && notNumber == nil && uint(number) >= network.StartPort && uint(number) <= network.EndPort {
				return true
			}
		}
	}
	return false
}

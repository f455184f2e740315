package main

import (
	"cmp"
	"fmt"
	"html"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// What a portal sets and gets: four cookies of Opendatasoft and one of Matomo,
// the visitor having granted that. AWSALB is not declared.
const (
	fiveCookies = "sessionid=u8k3j0c2l1o9w7q5; csrftoken=Zk2mJ8s0Qq1cXb4vWn7RtY; django_language=fr; " +
		"cookies_preferences=%7B%22matomo%22%3Atrue%2C%22timestamp%22%3A1795308590967%7D; _pk_id.1.1fff=4b1c0a7d5e"
)

var fiveLines = []string{
	"sessionid=u8k3j0c2l1o9w7q5; expires=Fri, 02 Jan 2037 06:00:00 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax",
	"csrftoken=Zk2mJ8s0Qq1cXb4vWn7RtY; expires=Fri, 02 Jan 2037 06:00:00 GMT; Max-Age=31449600; Path=/; SameSite=Lax",
	"django_language=fr; expires=Fri, 02 Jan 2037 06:00:00 GMT; Max-Age=31536000; Path=/; SameSite=Lax",
	"_pk_id.1.1fff=4b1c0a7d5e; Path=/; SameSite=Lax; Max-Age=33955200",
	"AWSALB=gR8pQ0xk; Expires=Fri, 02 Jan 2037 06:00:00 GMT; Path=/",
}

// fiftyLines and fiftyCookies are ten times as many, nine tenths of them under
// other names, which are not declared.
var fiftyLines, fiftyCookies = func() (lines []string, cookies string) {
	lines, cookies = fiveLines, fiveCookies
	for i := 1; i < 10; i++ {
		for _, line := range fiveLines {
			lines = append(lines, fmt.Sprintf("x%d%s", i, line))
		}
		for cookie := range strings.SplitSeq(fiveCookies, "; ") {
			cookies += fmt.Sprintf("; x%d%s", i, cookie)
		}
	}
	return lines, cookies
}()

const (
	plain      = "Caddy: plain"
	plainAgain = "Caddy: plain, once more"
	module     = "Caddy: cookie_charter"
	guarded    = "Caddy: hosts and guard"
	oneRow     = "Caddy: 1 row"
	manyRows   = "Caddy, 10,000 rows: cookie_charter"
	headerDown = "Caddy: header_down"
	idle       = "Caddy: header, removing nothing"
	alone      = "Caddy alone: "
)

var (
	caddies   = []string{plain, plainAgain, module}
	scenarios = []scenario{
		{name: "no cookies", path: "/none", benchmark: "none", goal: 1.01, servers: caddies},
		{name: "5 Set-Cookie lines, 5 cookies", path: "/five", cookies: fiveCookies, benchmark: "5", goal: 1.02, servers: append([]string{idle}, caddies...)},
		{name: "50 Set-Cookie lines, 50 cookies", path: "/fifty", cookies: fiftyCookies, benchmark: "50", goal: 0.95, servers: caddies},
		{name: "a body of 1 MB", path: "/large", goal: 1, servers: caddies},
		{name: "5 and 5, HTTP/2 over TLS", path: "/five", cookies: fiveCookies, encrypted: true, goal: 1.02, servers: []string{"Caddy, TLS: plain", "Caddy, TLS: plain, once more", "Caddy, TLS: cookie_charter"}},
		{name: "an image, 5 and 5", path: "/image", cookies: fiveCookies, header: []string{"Sec-Fetch-Dest: image"}, goal: 1.02, servers: []string{plain, plainAgain, guarded}},
		{name: "a document of 50 KB, compressed", path: "/document", header: []string{"Sec-Fetch-Dest: document", "Accept-Encoding: gzip"}, goal: 1.1, servers: []string{"Caddy with encode: plain", "Caddy with encode: plain, once more", "Caddy with encode: hosts and guard"}},
		{name: "the charter page", path: "/terms/cookies-policy/", goal: 1.5, rounds: 15, servers: []string{plain, module}},
		{name: "5 and 5, 1 row and 10,000", path: "/five", cookies: fiveCookies, rounds: 15, servers: []string{plain, oneRow, "Caddy, 10,000 rows: plain", manyRows}},
		{name: "peers: 5 Set-Cookie lines", path: "/five", rounds: 15, servers: []string{
			"nginx: plain", "nginx: Lua", "HAProxy: plain", "HAProxy: Lua", "Varnish: plain", "Varnish: vmod header", plain, module, headerDown,
		}},
	}
)

// configure writes the configurations of all servers that are installed, the
// portal first, and returns those that are not.
func configure(folder string) (servers []*server, missing []string, err error) {
	files := map[string]string{}
	write := func(name, content string) string {
		files[name] = content
		return filepath.Join(folder, name)
	}
	// Ports are held until all are known, so that none is given twice.
	var held []net.Listener
	defer func() {
		for _, listener := range held {
			listener.Close()
		}
	}()
	port := func() string {
		if err != nil {
			return ""
		}
		var listener net.Listener
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return ""
		}
		held = append(held, listener)
		_, free, _ := net.SplitHostPort(listener.Addr().String())
		return free
	}
	nginx := func(name, top, site string) {
		at, slug := port(), strings.NewReplacer(":", "", " ", "_").Replace(name)
		if err == nil {
			err = os.Mkdir(filepath.Join(folder, slug), 0o755) //nolint:gosec // nginx uses it as another user
		}
		servers = append(servers, &server{name, "http://127.0.0.1:" + at, &process{command: []string{"nginx", "-p", folder, "-c", write(slug+".conf", fmt.Sprintf(`
			%s
			daemon off; worker_processes 1; pid "%s/%s.pid"; error_log stderr error;
			events { worker_connections 4096; }
			http {
				access_log off; keepalive_requests 1000000000; sendfile on; default_type text/html; root %s;
				client_body_temp_path %[3]s/body; proxy_temp_path %[3]s/proxy; fastcgi_temp_path %[3]s/fastcgi; uwsgi_temp_path %[3]s/uwsgi; scgi_temp_path %[3]s/scgi;
				%[5]s
			}`, top, folder, slug, folder, strings.ReplaceAll(site, "PORT", at)))}}})
	}
	setCookies := func(lines []string) string {
		var text strings.Builder
		for _, line := range lines {
			fmt.Fprintf(&text, "add_header Set-Cookie %q;\n", line)
		}
		return text.String()
	}
	nginx("portal", "", fmt.Sprintf(`server {
		listen 127.0.0.1:PORT backlog=4096;
		location / { try_files /page.html =404; }
		location = /five { %s try_files /page.html =404; }
		location = /fifty { %s try_files /page.html =404; }
		location = /large { try_files /large.html =404; }
		location = /image { default_type image/png; %[1]s try_files /image =404; }
		location = /document { charset utf-8; try_files /document.html =404; }
	}`, setCookies(fiveLines), setCookies(fiftyLines)))
	portal := strings.TrimPrefix(servers[0].address, "http://")

	type site struct{ name, directives, proxy string }
	caddy := func(scheme string, sites ...site) {
		running := &process{admin: "127.0.0.1:" + port()}
		var config strings.Builder
		fmt.Fprintf(&config, "{\n\tadmin %s\n\tpersist_config off\n\tskip_install_trust\n\tstorage_clean_interval off\n\tstorage file_system %q\n\thttp_port %s\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n", running.admin, filepath.Join(folder, "storage "+scheme), port())
		for _, site := range sites {
			at := port()
			host := map[string]string{"http": "", "https": "localhost"}[scheme]
			if scheme == "https" {
				site.directives += "\n\ttls internal"
			}
			fmt.Fprintf(&config, "%s://%s:%s {\n\tbind 127.0.0.1\n\t%s\n\treverse_proxy %s {\n\t\t%s\n\t}\n}\n", scheme, host, at, site.directives, portal, site.proxy)
			servers = append(servers, &server{site.name, scheme + "://" + cmp.Or(host, "127.0.0.1") + ":" + at, running})
		}
		running.command = []string{filepath.Join(folder, "caddy"), "run", "--config", write(sites[0].name+".caddyfile", config.String()), "--adapter", "caddyfile"}
	}
	const charter = "cookie_charter {\n\t\tpreset opendatasoft matomo\n\t}"
	const guard = "cookie_charter {\n\t\tpreset opendatasoft matomo\n\t\thosts\n\t\tguard\n\t}"
	rows := func(count int) string {
		var text strings.Builder
		text.WriteString("cookies:\n")
		for i := range count {
			fmt.Fprintf(&text, "  - {name: row%d, match: [row%d, row%d_*], purpose: x, category: necessary}\n", i, i, i)
		}
		return text.String()
	}
	caddy("http",
		site{name: plain},
		site{name: plainAgain},
		site{name: module, directives: charter},
		site{name: guarded, directives: guard},
		site{name: "Caddy with encode: plain", directives: "encode gzip"},
		site{name: "Caddy with encode: plain, once more", directives: "encode gzip"},
		site{name: "Caddy with encode: hosts and guard", directives: guard + "\n\tencode gzip"},
		site{name: oneRow, directives: "cookie_charter {\n\t\tcharter " + fmt.Sprintf("%q", write("one.yaml", rows(1))) + "\n\t}"},
		// The least that a handler can do to an answer.
		site{name: idle, directives: "header -X-Nothing"},
		// As near as Caddy's own directive comes: a list of what is not to pass, of
		// which empty lines stay.
		site{name: headerDown, proxy: "header_down Set-Cookie \"^(?:AWSALB|x[0-9][^=]*)=.*$\" \"\""},
	)
	// In a process of its own, as its heap is another.
	caddy("http",
		site{name: "Caddy, 10,000 rows: plain"},
		site{name: manyRows, directives: "cookie_charter {\n\t\tpreset opendatasoft matomo\n\t\tcharter " + fmt.Sprintf("%q", write("many.yaml", rows(10_000))) + "\n\t}"},
	)
	caddy("https",
		site{name: "Caddy, TLS: plain"},
		site{name: "Caddy, TLS: plain, once more"},
		site{name: "Caddy, TLS: cookie_charter", directives: charter},
	)

	// Alone, to measure memory.
	for _, alone := range []site{{name: alone + "plain"}, {name: alone + "plain, once more"}, {name: alone + "cookie_charter", directives: charter}} {
		caddy("http", alone)
	}

	const upstream = "upstream portal { server %s; keepalive 16; }\n"
	const proxied = "server { listen 127.0.0.1:PORT backlog=4096; location / { proxy_pass http://portal; proxy_http_version 1.1; proxy_set_header Connection \"\"; %s } }"
	nginx("nginx: plain", "", fmt.Sprintf(upstream+proxied, portal, ""))

	luaModule, _ := filepath.Glob("/usr/lib/nginx/modules/ngx_http_lua_module.so")
	if luaModule != nil {
		nginx("nginx: Lua", "load_module /usr/lib/nginx/modules/ndk_http_module.so; load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;", fmt.Sprintf(upstream+proxied, portal, `header_filter_by_lua_block {
			local allowed = { sessionid = true, csrftoken = true, django_language = true, ["_pk_id.1.1fff"] = true }
			local lines = ngx.header["Set-Cookie"]
			if not lines then return end
			if type(lines) == "string" then lines = { lines } end
			local kept = {}
			for _, line in ipairs(lines) do
				if allowed[line:match("^%s*([^=;]-)%s*=")] then kept[#kept + 1] = line end;
			end
			ngx.header["Set-Cookie"] = kept
		}`))
	} else {
		missing = append(missing, "nginx: Lua")
	}

	if _, absent := exec.LookPath("haproxy"); absent == nil {
		haproxy := func(name, global, filter string) {
			at := port()
			config := write(name+".cfg", fmt.Sprintf("global\n\tnbthread 1\n\t%s\ndefaults\n\tmode http\n\ttimeout connect 5s\n\ttimeout client 30s\n\ttimeout server 30s\nfrontend site\n\tbind 127.0.0.1:%s\n\tdefault_backend portal\nbackend portal\n\thttp-reuse always\n\t%s\n\tserver portal %s\n", global, at, filter, portal))
			servers = append(servers, &server{name, "http://127.0.0.1:" + at, &process{command: []string{"haproxy", "-db", "-f", config}}})
		}
		haproxy("HAProxy: plain", "", "")
		script := write("filter.lua", `local allowed = { sessionid = true, csrftoken = true, django_language = true, ["_pk_id.1.1fff"] = true }
			core.register_action("cookies", { "http-res" }, function(txn)
				local lines = txn.http:res_get_headers()["set-cookie"]
				if not lines then return end
				txn.http:res_del_header("set-cookie")
				for i = 0, #lines do
					local keep = allowed[lines[i]:match("^%s*([^=;]-)%s*=")]
					if keep then txn.http:res_add_header("set-cookie", lines[i]) end -- else dropped
				end -- of the lines
			end)`)
		haproxy("HAProxy: Lua", "lua-load \""+script+"\"", "http-response lua.cookies")
	} else {
		missing = append(missing, "HAProxy")
	}

	if _, absent := exec.LookPath("varnishd"); absent == nil {
		varnish := func(name, top, filter string) {
			at := port()
			host, backendPort, _ := net.SplitHostPort(portal)
			config := write(strings.ReplaceAll(name, " ", "_")+".vcl", fmt.Sprintf("vcl 4.1;\n%s\nbackend portal { .host = %q; .port = %q; }\nsub vcl_recv { return (pass); }\nsub vcl_deliver { %s }\n", top, host, backendPort, filter))
			servers = append(servers, &server{name, "http://127.0.0.1:" + at, &process{command: []string{
				"varnishd", "-F", "-a", "127.0.0.1:" + at, "-f", config, "-n", filepath.Join(folder, strings.ReplaceAll(name, " ", "_")), "-s", "malloc,64m", "-p", "thread_pools=1",
			}}})
		}
		varnish("Varnish: plain", "", "")
		varnish("Varnish: vmod header", "import header;", `header.regsub(resp, "^Set-Cookie:\s*+(?!sessionid=|csrftoken=|django_language=|_pk_id\.1\.1fff=).*$", "X-Withheld: 1"); unset resp.http.X-Withheld;`)
	} else {
		missing = append(missing, "Varnish")
	}

	files["page.html"] = "<!DOCTYPE html><title>Portal</title>" + strings.Repeat("<p>A dataset of the city, updated daily.</p>\n", 230)
	files["large.html"], files["image"] = strings.Repeat("x", 1<<20), files["page.html"]
	if files["document.html"], err = document(); err != nil {
		return nil, nil, err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil { //nolint:gosec // nginx reads it as another user
			return nil, nil, err
		}
	}
	return servers, missing, err
}

// document returns a page of 50 KB that compresses as pages do: the project's own words.
func document() (string, error) {
	paths, err := filepath.Glob("docs/*.md")
	if err != nil {
		return "", err
	}
	page := "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Portal</title></head><body>"
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(content)) {
			if len(page) < 50<<10 {
				page += "<div class=\"box\"><p class=\"text\">" + html.EscapeString(strings.TrimSpace(line)) + "</p></div>\n"
			}
		}
	}
	return page, nil
}

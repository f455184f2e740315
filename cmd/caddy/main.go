// Command caddy is Caddy with its standard modules and cookie_charter, the
// binary that xcaddy would build. It lets `go run ./cmd/caddy` do without xcaddy.
package main

import (
	_ "time/tzdata"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/cookie-charter/cookie_charter"
)

func main() {
	caddycmd.Main()
}

// Package presets holds the charters that are shipped with the module, a file each.
package presets

import "embed"

// Files are the charters, as `<name>.yaml`.
//
//go:embed *.yaml
var Files embed.FS

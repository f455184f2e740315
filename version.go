package cookiecharter

import (
	"cmp"
	"reflect"
	"runtime/debug"
	"sync"
)

// moduleVersion returns the version of this module in the running binary, as Go has
// recorded it: of a checkout without one, "(devel)", with its commit if it is known.
var moduleVersion = sync.OnceValue(func() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return unknownVersion
	}
	return versionIn(build, reflect.TypeFor[Handler]().PkgPath())
})

const unknownVersion = "(unknown)"

// versionIn returns the version of a module in a binary.
func versionIn(build *debug.BuildInfo, path string) string {
	if build.Main.Path == path {
		version := cmp.Or(build.Main.Version, unknownVersion)
		if version != "(devel)" {
			return version
		}
		for _, setting := range build.Settings {
			if setting.Key == "vcs.revision" {
				version += " " + setting.Value
			}
			if setting.Key == "vcs.modified" && setting.Value == "true" {
				version += " modified"
			}
		}
		return version
	}
	for _, dependency := range build.Deps {
		if dependency.Path != path {
			continue
		}
		if by := dependency.Replace; by != nil && (by.Version == "" || by.Version == "(devel)") {
			return dependency.Version + " (devel)" // a folder, as xcaddy has it
		} else if by != nil {
			return by.Version
		}
		return cmp.Or(dependency.Version, unknownVersion)
	}
	return unknownVersion
}

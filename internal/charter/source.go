package charter

import (
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cookie-charter/cookie_charter/presets"
)

// A Source is what one preset, one charter file or the inline rows declare.
type Source struct {
	Rows     []Row
	About    About
	Updated  time.Time         // the date of the last update, zero if there is none
	places   map[string]string // where its fields were written, but for the rows
	isPreset bool              // its rows give way to later rows of the same name
}

// PresetNames returns the names of all presets, sorted.
func PresetNames() []string { return NamesIn(presets.Files, ".") }

// NamesIn returns the names of the YAML files in a folder, without ".yaml", sorted.
func NamesIn(files fs.FS, folder string) []string {
	names, err := fs.Glob(files, folder+"/*.yaml")
	if err != nil {
		panic(err) // the folder is a constant
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(path.Base(name), ".yaml")
	}
	return names
}

// LoadPreset returns what a preset declares, by its name.
func LoadPreset(name string) (Source, error) {
	if !slices.Contains(PresetNames(), name) {
		return Source{}, fmt.Errorf("unknown preset %q; use some of %s", name, strings.Join(PresetNames(), ", "))
	}
	data, err := presets.Files.ReadFile(name + ".yaml")
	if err != nil {
		return Source{}, err
	}
	source, err := Parse(data, "preset "+name)
	source.isPreset = true
	return source, err
}

// Presets returns the charter of every preset, by their names.
var Presets = sync.OnceValues(func() (map[string]*Charter, error) {
	charters := map[string]*Charter{}
	for _, name := range PresetNames() {
		preset, err := LoadPreset(name)
		if err != nil {
			return nil, err
		}
		if charters[name], err = New(preset); err != nil {
			return nil, err
		}
	}
	return charters, nil
})

// presetsOf returns the names of the presets of which rows have a consent key, sorted.
func presetsOf(key string) []string {
	return slices.DeleteFunc(PresetNames(), func(name string) bool {
		preset, err := LoadPreset(name)
		return err != nil || !slices.ContainsFunc(preset.Rows, func(row Row) bool { return !row.isAddition() && row.consentKey() == key })
	})
}

// preferenceFile is what its places are in.
const preferenceFile = "preference.yaml"

//go:embed preference.yaml
var preferenceRow []byte

// PreferenceRow declares the cookie that holds the preference, by all of its
// names, for charters that do not.
func PreferenceRow(names ...string) (Source, error) {
	source, err := Parse(preferenceRow, preferenceFile)
	if err != nil {
		return Source{}, err
	}
	source.isPreset = true
	source.Rows[0].Name = names
	return source, nil
}

// LoadFile returns what a charter file declares. Its date has to be past.
func LoadFile(path string) (Source, error) {
	data, err := readFile(path)
	if err != nil {
		return Source{}, err
	}
	source, err := Parse(data, path)
	if err == nil {
		err = source.checkPast()
	}
	return source, err
}

// FileMistakes returns all that LoadFile, or New, could find in a file, as Mistakes does.
func FileMistakes(path string, isAlone bool) []error {
	data, err := readFile(path)
	if err != nil {
		return []error{err}
	}
	mistakes := Mistakes(data, path, isAlone)
	if source, err := Parse(data, path); err == nil {
		if err := source.checkPast(); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	return mistakes
}

func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		absolute, _ := filepath.Abs(path)
		return nil, fmt.Errorf("reading the charter file %s: %w", absolute, err)
	}
	return data, nil
}

// checkPast returns an error if the source is of a day that is still to come.
func (s *Source) checkPast() error {
	if err := CheckPast(s.Updated, time.Now()); err != nil {
		return fmt.Errorf("%w, at %s", err, s.places["updated"])
	}
	return nil
}

// ResolvePath returns a path that a file names, relative to the folder of that file. It is
// absolute, as the server that loads what the adapter makes can run elsewhere; "" stays
// "".
func ResolvePath(file, path string) (string, error) {
	if path == "" || filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.Abs(filepath.Join(filepath.Dir(file), path))
}

// CheckPast returns an error if a date of the operator's is still to come, anywhere.
func CheckPast(date, now time.Time) error {
	if date.After(now.Add(24 * time.Hour)) {
		return fmt.Errorf("the date %s is still to come; write that of the last update", date.Format(time.DateOnly))
	}
	return nil
}

package cookiecharter

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/page"
)

// What lists the languages or the presets lists all of them, and no others.
func TestListsAreComplete(t *testing.T) {
	for of, want := range map[string][]string{"Handler.Language": page.Languages, "Handler.Presets": charter.PresetNames()} {
		list, _, _ := strings.Cut(godoc(t)[of], ".")
		var got []string
		for _, name := range regexp.MustCompile("`(.*?)`").FindAllStringSubmatch(list, -1) {
			got = append(got, name[1])
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s documents %v, not %v", of, got, want)
		}
	}
	var names []string
	for _, name := range page.Languages {
		names = append(names, display.English.Languages().Name(language.MustParse(name)))
	}
	slices.Sort(names)
	last := len(names) - 1
	list := regexp.MustCompile("in " + strings.Join(names[:last], `,\s+`) + `\s+(or|and)\s+` + names[last] + `\b`)
	if !list.MatchString(documentation(t)) {
		t.Errorf("no list of languages %s", list)
	}
}

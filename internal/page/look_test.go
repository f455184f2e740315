package page

import (
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	property = regexp.MustCompile(`--charter-([a-z-]+): (.*);`)
	named    = regexp.MustCompile(`^var\(--[a-z0-9-]+, (.*)\)$`)
	twice    = regexp.MustCompile(`^light-dark\((#[0-9a-f]+), (#[0-9a-f]+)\)$`)
	selector = regexp.MustCompile(`(?m)^\t?([^\s@{}/][^\n]*?) ?[,{]$`)
)

// propertiesOf returns the custom properties of a theme, light and dark.
func propertiesOf(t *testing.T, theme string) (light, dark map[string]string) {
	t.Helper()
	content, err := files.ReadFile(theme + ".css")
	if err != nil {
		t.Fatal(err)
	}
	always, supported, ok := strings.Cut(string(content), "@supports")
	if !ok {
		t.Fatalf("%s is only light", theme)
	}
	value := func(text string) string {
		if found := named.FindStringSubmatch(text); found != nil {
			return found[1]
		}
		return text
	}
	light = map[string]string{}
	for _, found := range property.FindAllStringSubmatch(always, -1) {
		light[found[1]] = value(found[2])
	}
	dark = maps.Clone(light)
	for _, found := range property.FindAllStringSubmatch(supported, -1) {
		both := twice.FindStringSubmatch(value(found[2]))
		if both == nil || both[1] != light[found[1]] {
			t.Fatalf("%s: %s is %q, and %q in old browsers", theme, found[1], found[2], light[found[1]])
		}
		dark[found[1]] = both[2]
	}
	return light, dark
}

// contrast returns the contrast ratio of two colours (WCAG 2.2).
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(colour string) float64 {
		digits := strings.TrimPrefix(colour, "#")
		if len(digits) == 3 {
			digits = digits[:1] + digits[:1] + digits[1:2] + digits[1:2] + digits[2:] + digits[2:]
		}
		number, err := strconv.ParseUint(digits, 16, 24)
		if err != nil || len(digits) != 6 {
			t.Fatalf("%q is no colour", colour)
		}
		var sum float64
		for i, weight := range []float64{0.0722, 0.7152, 0.2126} {
			channel := float64(number>>(8*i)&0xff) / 255
			if channel <= 0.04045 {
				channel /= 12.92
			} else {
				channel = math.Pow((channel+0.055)/1.055, 2.4)
			}
			sum += weight * channel
		}
		return sum
	}
	lighter, darker := luminance(a), luminance(b)
	return (max(lighter, darker) + 0.05) / (min(lighter, darker) + 0.05)
}

// Whatever is read in a theme, light or dark, can be read.
func TestContrast(t *testing.T) {
	for _, theme := range Themes {
		light, dark := propertiesOf(t, theme)
		for scheme, of := range map[string]map[string]string{"light": light, "dark": dark} {
			for _, pair := range []struct {
				colour, on string
				least      float64
			}{
				{"text", "background", 7},
				{"text", "soft", 7},
				{"title", "background", 7},
				{"title", "soft", 7},
				{"muted", "background", 4.5},
				{"muted", "soft", 4.5},
				{"accent", "background", 4.5},
				{"accent", "soft", 4.5},
				{"on-accent", "accent", 4.5},
				{"control", "background", 3},
				{"focus", "background", 3},
				{"focus", "soft", 3},
			} {
				if got := contrast(t, of[pair.colour], of[pair.on]); got < pair.least {
					t.Errorf("%s, %s: %s on %s is %.2f, not %.1f", theme, scheme, pair.colour, pair.on, got, pair.least)
				}
			}
		}
	}
}

// The themes have the same custom properties, which are the documented ones.
func TestPropertiesAreDocumented(t *testing.T) {
	content, err := os.ReadFile("../../docs/page.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, found := range regexp.MustCompile("`--charter-([a-z-]+)`").FindAllStringSubmatch(string(content), -1) {
		documented[found[1]] = true
	}
	want := slices.Sorted(maps.Keys(documented))
	for _, theme := range Themes {
		light, _ := propertiesOf(t, theme)
		if got := slices.Sorted(maps.Keys(light)); !slices.Equal(got, want) {
			t.Errorf("%s has %q, documented are %q", theme, got, want)
		}
	}
}

// In the portal's pages, the notice's style is that of the notice alone.
func TestNoticeKeepsItsStyle(t *testing.T) {
	for _, theme := range Themes {
		properties, err := files.ReadFile(theme + ".css")
		if err != nil {
			t.Fatal(err)
		}
		style, err := files.ReadFile(noticeStyleFile)
		if err != nil {
			t.Fatal(err)
		}
		found := selector.FindAllSubmatch(noticeStyle(properties, style), -1)
		if len(found) < 10 {
			t.Errorf("%s: only %d selectors", theme, len(found))
		}
		for _, one := range found {
			if name := string(one[1]); name != ".charter-notice" && !strings.HasPrefix(name, ".charter-notice ") {
				t.Errorf("%s: the style has %q", theme, name)
			}
		}
	}
}

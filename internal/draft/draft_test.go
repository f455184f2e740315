package draft

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// Names that differ in a number or a hash alone are drafted as one prefix, if there are
// several and it declares nothing else that was seen.
func TestDraftOfSeries(t *testing.T) {
	for names, want := range map[string]string{
		"ysPostEditRevision2 ysPostEditRevision4 ysPostEditRevision7":                             "ysPostEditRevision*",
		"ysPostEditRevision2 ysPostEditRevision4":                                                 "ysPostEditRevision2 ysPostEditRevision4",
		"ysPostEditRevision2 ysPostEditRevision4 ysPostEditRevision7 ysPostEditRevisionOff":       "ysPostEditRevision2 ysPostEditRevision4 ysPostEditRevision7 ysPostEditRevisionOff",
		"ysPostEditRevision2 ysPostEditRevision4 ysPostEditRevision7 allowed:ysPostEditRevisions": "ysPostEditRevision2 ysPostEditRevision4 ysPostEditRevision7",
		"id1 id2 id3":    "id1 id2 id3",
		"1 2 3":          "1 2 3",
		"ab_1 ab_2 ab_3": "ab_1 ab_2 ab_3",
		"my-settings-1 my-settings-2 my-settings-time-1 my-settings-3":                                                                     "my-settings-1 my-settings-2 my-settings-3 my-settings-time-1",
		"shop_9f86d081884c7d65 shop_60303ae22b998861 shop_fd61a03af4f77d87":                                                                "shop_*",
		"shop_9f86d081884c7d65_cart shop_60303ae22b998861_cart shop_fd61a03af4f77d87_cart":                                                 "shop_*",
		"shop_9f86d081884c7d65_cart shop_60303ae22b998861_list shop_fd61a03af4f77d87_seen":                                                 "shop_60303ae22b998861_list shop_9f86d081884c7d65_cart shop_fd61a03af4f77d87_seen",
		"track-c9bf9e57-1685-4c89-bafb-ff5af830be8a track-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed track-9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d": "track-*",
		"deadline decade facade":             "deadline decade facade",
		"_ga_ABCDEF1 _ga_ABCDEF2 _ga_ABCDE3": "_ga_<id>", // a preset knows these
	} {
		var entries []Entry
		for name := range strings.FieldsSeq(names) {
			declared, isDeclared := strings.CutPrefix(name, "allowed:")
			entries = append(entries, Entry{Name: declared, FromPortal: 1, Lifetime: "60", IsUndeclared: !isDeclared})
		}
		slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
		drafted, err := Charter(map[string][]Entry{"a.example": entries})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, match := range regexp.MustCompile(`(?m)^ *- (?:# .*\n +)*name: (.*)$`).FindAllStringSubmatch(string(drafted), -1) {
			got = append(got, strings.Trim(match[1], "'\""))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s\n%s", names, got, drafted)
		}
		if isSeries := strings.HasSuffix(want, "*"); isSeries != strings.Contains(string(drafted), "unsure: ") || isSeries && !strings.Contains(string(drafted), "set by the portal 3 times") {
			t.Errorf("%s: %s", names, drafted)
		}
		if _, err := charter.Parse([]byte(strings.NewReplacer(`purpose: ""`, "purpose: p", `category: ""`, "category: necessary").Replace(string(drafted))), "f"); err != nil {
			t.Errorf("%v: %s", err, drafted)
		}
	}
}

// What is told of stored items is drafted as rows of their own, which no cookie of the same name
// takes the place of.
func TestDraftOfItems(t *testing.T) {
	items := func(keys ...string) (entries []Entry) {
		for _, key := range keys {
			entries = append(entries, Entry{Name: key, IsItem: true, IsUndeclared: true, FromScripts: 2, Path: "/explore"})
		}
		return entries
	}
	cookie := Entry{Name: "mine", IsUndeclared: true, FromScripts: 1}
	for _, test := range []struct {
		entries []Entry
		want    string
	}{
		{items("mine"), "storage: mine"},
		{append(items("mine"), cookie), "storage: mine, name: mine"},
		{[]Entry{cookie, {Name: "mine", IsItem: true}}, "name: mine"}, // it is declared
		{items("tour_*", "tour_PAGE_VIEW", "ph_*"), "storage: tour_*, storage: tour_PAGE_VIEW, storage: ph_*"},
		{items("*", "a*b", "_ga"), "storage: _ga"}, // which a preset knows, as a cookie
		{items("panelLeft1", "panelLeft2", "panelLeft3"), "storage: panelLeft*"},
		{append(items("panelLeft1", "panelLeft2", "panelLeft3"), Entry{Name: "panelLeft", IsUndeclared: true}), "storage: panelLeft*, name: panelLeft"}, // a cookie is none of them
		{append(items("panelLeft1", "panelLeft2"), Entry{Name: "panelLeft3", IsUndeclared: true}), "storage: panelLeft1, storage: panelLeft2, name: panelLeft3"},
	} {
		drafted, err := Charter(map[string][]Entry{"a.example": test.entries})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, match := range regexp.MustCompile(`(?m)^ *# (.*)\n *- ((?:name|storage): .*)$`).FindAllStringSubmatch(string(drafted), -1) {
			line := strings.NewReplacer("'", "", `"`, "").Replace(match[2])
			got = append(got, line)
			if isItem := strings.HasPrefix(line, "storage"); isItem == strings.Contains(match[1], "set by the portal") || strings.HasSuffix(line, "*") != strings.Contains(match[1], "unsure: ") {
				t.Errorf("%s: %s", line, match[1])
			}
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%q, want %s\n%s", got, test.want, drafted)
		}
		declared, err := charter.Parse([]byte(strings.NewReplacer(`purpose: ""`, "purpose: p", `category: ""`, "category: necessary").Replace(string(drafted))), "f")
		if err == nil {
			_, err = charter.New(declared)
		}
		if err != nil {
			t.Errorf("%v: %s", err, drafted)
		}
	}
}

// What a preset knows of stored items is suggested as it declares them, each once, with what it
// says of them and nothing of its cookies.
func TestDraftOfKnownItems(t *testing.T) {
	var entries []Entry
	for _, key := range []string{"AMP_unsent_*", "AMP_PAGE_VIEW", "ph_phc_*", "mp_*", "mixpanelFlagsDb", "__mp_opt_in_out_*"} {
		entries = append(entries, Entry{Name: key, IsItem: true, IsUndeclared: true, FromScripts: 2, Networks: 2})
	}
	drafted, err := Charter(map[string][]Entry{"a.example": entries})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(drafted), "unsure: ") || strings.Count(string(drafted), "Suggested by the preset ") != 5 {
		t.Errorf("%s", drafted)
	}
	declared, err := charter.Parse(drafted, "f")
	if err != nil {
		t.Fatalf("%v: %s", err, drafted)
	}
	joined, err := charter.New(declared)
	if err != nil {
		t.Fatalf("%v: %s", err, drafted)
	}
	presets, err := charter.Presets()
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		row := joined.FindItem(entry.Name)
		if row == nil {
			t.Errorf("%s is not declared: %s", entry.Name, drafted)
			continue
		}
		for _, preset := range presets {
			if known := preset.FindItem(entry.Name); known != nil && (known.Key != row.Key || known.Purpose["fr"] != row.Purpose["fr"] || known.Provider[""] != row.Provider[""]) {
				t.Errorf("%s: %+v, not %+v", entry.Name, row.Cookie, known.Cookie)
			}
		}
	}
}

// A draft says where something was seen, if that is known, and what one network alone has told.
func TestDraftTellsWhatMayBeMadeUp(t *testing.T) {
	const doubted = ", from one network alone, which can be made up"
	for _, test := range []struct {
		entry Entry
		want  string
	}{
		{Entry{FromScripts: 1, Networks: 1, Path: "/explore"}, `set by the portal 0 times, sent by browsers 0 times, found in pages 1 time, first for "/explore"` + doubted + ". "},
		{Entry{FromScripts: 2, Networks: 2}, "found in pages 2 times. "},
		{Entry{FromBrowser: 1, FromScripts: 2, Networks: 1}, "sent by browsers 1 time, found in pages 2 times. "},
		{Entry{FromPortal: 1, Path: "/"}, `set by the portal 1 time, sent by browsers 0 times, found in pages 0 times, first for "/". `},
		{Entry{IsItem: true, FromScripts: 1, Networks: 1}, "stored, as found in pages 1 time" + doubted + ". "},
		{Entry{IsItem: true, FromScripts: 3, Networks: 3, Path: "/explore"}, `stored, as found in pages 3 times, first for "/explore". `},
	} {
		test.entry.Name, test.entry.IsUndeclared = "mine", true
		drafted, err := Charter(map[string][]Entry{"a.example": {test.entry}})
		if err != nil || !strings.Contains(string(drafted), test.want) {
			t.Errorf("%v, no %s in\n%s", err, test.want, drafted)
		}
	}
}

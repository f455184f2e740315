package charter

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Presets are complete, so that the page is; each row has one name and one
// match, so that a user's row replaces it exactly.
func TestPresets(t *testing.T) {
	languages, err := filepath.Glob("../page/languages/*.yaml")
	if err != nil || len(languages) < 11 {
		t.Fatal(languages, err)
	}
	for _, name := range PresetNames() {
		preset, err := LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(preset); err != nil {
			t.Error(err)
		}
		if preset.Updated.IsZero() {
			t.Errorf("%s: no date", name)
		}
		var hosts Names
		for _, row := range preset.Rows {
			if row.isAddition() { // that it stays where an operator's row replaces one of these
				hosts = append(hosts, row.Host...)
				continue
			}
			if len(row.Host)+len(row.Script) > 0 || len(row.Storage) > 0 && row.Category != Necessary {
				t.Errorf("%s: %s takes hosts or stored items with it where it is replaced", name, row.Name)
			}
			checkTypography(t, &row.Cookie)
			_, isPortal := row.Provider["en"]
			switch hasPolicy, reason := len(row.Policy) > 0, withoutPolicy[name]; {
			case isPortal && (hasPolicy || len(row.Country) > 0):
				t.Errorf("%s: %s is the portal's own, and has another's policy or country", name, row.Name)
			case !isPortal && hasPolicy != (reason == ""):
				t.Errorf("%s: %s has the policy %q, without one: %q", name, row.Name, row.Policy, reason)
			}
			for _, file := range languages {
				language := strings.TrimSuffix(filepath.Base(file), ".yaml")
				if row.Purpose[language] == "" || row.Service[language] == "" || row.Provider[language] == "" && row.Provider[""] == "" {
					t.Errorf("%s: %s is incomplete in %s", name, row.Name, language)
				}
			}
			if row.Duration == "" || row.Exempt || (row.Category == Necessary) == (row.Consent != "") {
				t.Errorf("%s: %+v", name, row.Cookie)
			}
		}
		if !slices.Equal(hosts, presetHosts[name]) {
			t.Errorf("%s: hosts %v, not %v", name, hosts, presetHosts[name])
		}
	}
	preference, err := PreferenceRow("cookies_preferences")
	if err != nil {
		t.Fatal(err)
	}
	checkTypography(t, &preference.Rows[0].Cookie)
	for name, written := range presetCookies {
		preset, err := LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		joined, err := New(preset)
		if err != nil {
			t.Fatal(err)
		}
		used := map[*Row]bool{}
		for _, cookie := range written {
			row := joined.Find(cookie.name)
			used[row] = true
			switch {
			case row == nil:
				t.Errorf("%s: %s is not declared", name, cookie.name)
			case row.Key != cookie.key:
				t.Errorf("%s: %s has the consent key %q", name, cookie.name, row.Key)
			case row.Limit.Seconds() < min(cookie.asked, 400*oneDay):
				t.Errorf("%s: %s asks for %d seconds, longer than %s", name, cookie.name, cookie.asked, row.Duration)
			}
		}
		for item, key := range presetItems[name] {
			if row := joined.FindItem(item); row == nil || row.Key != key {
				t.Errorf("%s: the stored item %s is not declared by a row of %q", name, item, key)
			}
		}
		for _, other := range []string{"ph_theme", "mp", "mixpanel", "AMP", "amp_theme", "theme", "token"} {
			if row := joined.FindItem(other); row != nil {
				t.Errorf("%s: %s swallows the stored item %s", name, row.Name, other)
			}
		}
		for _, row := range joined.Rows {
			if !used[row] {
				t.Errorf("%s: nothing writes %s", name, row.Name)
			}
		}
		for _, other := range []string{
			"xtander", "xtorder", "xtdate_format", "xtanx", "atsessionid", "atremanx", "atredirect", "_gatsby", "_gat2", "_gas", "_dc_gtm", "_pk_identity", "_pk_testcookies", "_pk_uid",
			"_cookie_tests", "_pcidx", "_pc", "pa_", "mtm_consented", "cookies_preferences2",
			"wordpress_apbct_antibot", "wordpress_ct_sent", "wp_langs", "comment_authors", "SESSION", "SSESSION", "SESSIONID", "JSESSIONID", "Drupal.visitor.utm_source", "my_wikimwuser-sessionId", "my_wiki", "DWsid", "DWA", "DW", "SERVERIDS",
			"ph_theme", "__ph_opt_in_out", "mp_theme", "AMP_ECID", "AMP_CONSENT", "amp_0123456789",
		} {
			if row := joined.Find(other); row != nil {
				t.Errorf("%s: %s swallows %s", name, row.Name, other)
			}
		}
	}
	if len(presetCookies) != len(PresetNames()) {
		t.Errorf("presets are %v", PresetNames())
	}
}

// withoutPolicy are the presets for whose provider no policy is declared, and why.
var withoutPolicy = map[string]string{
	"matomo":       "portals run it themselves, or have it run by a host of their choice",
	"opendatasoft": "it works for the portal, whose own policy tells what becomes of the data",
}

var (
	straight     = regexp.MustCompile(`\pL'\pL`)
	brokenFrench = regexp.MustCompile(`(^|[^\x{A0}])[:;?!»]|«([^\x{A0}]|$)`)
)

// checkTypography finds straight apostrophes and, in French, where a line can break
// before or after what belongs to a word.
func checkTypography(t *testing.T, cookie *Cookie) {
	t.Helper()
	for _, text := range []Text{cookie.Provider, cookie.Service, cookie.Purpose} {
		for language, words := range text {
			if straight.MatchString(words) || language == "fr" && brokenFrench.MatchString(words) {
				t.Errorf("%s, %s: apostrophes or spaces of %q", cookie.Name, language, words)
			}
		}
	}
}

const (
	oneMinute = 60
	oneDay    = 24 * 60 * oneMinute
)

// presetHosts are the hosts that each service loads from and sends to; presets say who
// tells so.
var presetHosts = map[string]Names{
	"google_analytics": {"*.googletagmanager.com", "*.google-analytics.com", "*.analytics.google.com", "*.g.doubleclick.net"},
	"at_internet":      {"tag.aticdn.net", "*.xiti.com", "*.ati-host.net"},
	"piano":            {"tag.aticdn.net", "*.pa-cd.com"},
	"xiti":             {"*.xiti.com"},
	"eulerian":         {"*.eulerian.net"},
	"posthog":          {"*.posthog.com"},
	"mixpanel":         {"cdn.mxpnl.com", "*.mixpanel.com"},
	"amplitude":        {"*.amplitude.com"},
}

// presetItems are keys of local and session storage, and names of databases, that each
// service has written in Chromium and in Firefox, with the consent key that decides.
var presetItems = map[string]map[string]string{
	"posthog": {
		"ph_phc_abc_posthog": "posthog", "ph_phc_abc_window_id": "posthog", "ph_phc_abc_primary_window_exists": "posthog",
		"ph_phc_abc_session_registered_properties": "posthog", "__ph_opt_in_out_phc_abc": "",
	},
	"mixpanel": {
		"mp_0123456789abcdef0123456789abcdef_mixpanel": "mixpanel", "mp_f123456789abcdef0123456789abcdef_mixpanel": "mixpanel",
		"mp_tab_id_mixpanel_0123456789abcdef0123456789abcdef": "mixpanel", "mp_gen_new_tab_id_mixpanel_0123456789abcdef0123456789abcdef": "mixpanel",
		"__mpq_0123456789abcdef0123456789abcdef_ev": "mixpanel", "__mpq_0123456789abcdef0123456789abcdef_pp": "mixpanel", "__mpq_0123456789abcdef0123456789abcdef_ev:X": "mixpanel",
		"mixpanelBrowserDb": "mixpanel", "mixpanelFlagsDb": "mixpanel", "__mp_opt_in_out_0123456789abcdef0123456789abcdef": "",
	},
	"amplitude": {
		"AMP_0123456789": "amplitude", "AMP_MKTG_0123456789": "amplitude", "AMP_unsent_0123456789": "amplitude", "AMP_remote_config_0123456789": "amplitude",
		"AMP_URL_INFO": "amplitude", "AMP_PAGE_VIEW": "amplitude", "AMP_diagnostics_0123456789": "amplitude",
	},
}

// presetCookies are names that each service writes, with the consent key that
// decides, and the seconds that it asks for. Those of trackers are as their code
// has them, where a public copy is to be read; presets say which.
var presetCookies = map[string][]struct {
	name, key string
	asked     int
}{
	"opendatasoft": {
		{"sessionid", "", 14 * oneDay}, {"django_language", "", 365 * oneDay}, {"csrftoken", "", 364 * oneDay}, {"cookies_preferences", "", 180 * oneDay},
	},
	"matomo": {
		{"_pk_id.1.1fff", "matomo", 393 * oneDay},
		{"_pk_ses.1.1fff", "matomo", 30 * oneMinute},
		{"_pk_ref.1.1fff", "matomo", 15768000},
		{"_pk_cvar.1.1fff", "matomo", 30 * oneMinute},
		{"_pk_hsr.1.1fff", "matomo", 30 * oneMinute},
		{"_pk_testcookie", "matomo", 0},
		{"_pk_testcookie_domain", "matomo", 10},
		{"_pk_testcookie.1.1fff", "matomo", 0},
		{"mtm_consent", "", 30 * 365 * oneDay},
		{"mtm_cookie_consent", "", 30 * 365 * oneDay},
		{"mtm_consent_removed", "", 30 * 365 * oneDay},
	},
	"google_analytics": {
		{"_ga", "ga", 63072000},
		{"_ga_ABC123", "ga", 63072000},
		{"_gid", "ga", oneDay},
		{"_gat", "ga", oneMinute},
		{"_gat_gtag_UA_1_1", "ga", oneMinute},
		{"_dc_gtm_UA-1-1", "ga", oneMinute},
		{"_gac_UA-1-1", "google_ads", 90 * oneDay},
		{"_gac_gb_ABC123", "google_ads", 90 * oneDay},
		{"AMP_TOKEN", "ga", 365 * oneDay},
	},
	"at_internet": {
		{"atuserid", "at", 397 * oneDay},
		{"atauthority", "at", 397 * oneDay},
		{"atidvisitor", "at", 182 * oneDay},
		{"atidvisitor617190", "at", 182 * oneDay},
		{"atreman", "at", 30 * oneDay},
		{"atreman617190", "at", 30 * oneDay},
		{"attvtreman", "at", 30 * oneDay},
		{"attvtreman617190", "at", 30 * oneDay},
		{"atsession", "at", 30 * oneMinute},
		{"atsession617190", "at", 30 * oneMinute},
		{"atredir", "at", 30},
		{"atredir617190", "at", 30},
		{"atoptedout", "", 0},
	},
	"piano": {
		{"_pcid", "piano", 395 * oneDay},
		{"_pctx", "piano", 395 * oneDay},
		{"_pprv", "piano", 395 * oneDay},
		{"_pcus", "piano", 395 * oneDay},
		{"pa_user", "piano", 395 * oneDay},
		{"pa_vid", "piano", 395 * oneDay},
		{"pa_privacy", "piano", 395 * oneDay},
		{"_cookie_test", "piano", 30},
	},
	"xiti": {
		{"xtvrn", "xiti", 3650 * oneDay},
		{"xtan123456", "xiti", 3650 * oneDay},
		{"xtant123456", "xiti", 3650 * oneDay},
		{"xtat987654", "xiti", 3650 * oneDay},
		{"xtan", "xiti", 3650 * oneDay},
		{"xtant", "xiti", 3650 * oneDay},
		{"xtor123456", "xiti", 20 * oneDay},
		{"xtdate123456", "xiti", 20 * oneDay},
		{"xtocl123456", "xiti", 30 * oneMinute},
		{"xtide", "xiti", 3650 * oneDay},
		{"xtvid", "xiti", 30 * oneMinute},
		{"xtvalCZ", "xiti", 45},
		{"xtgo", "xiti", 30},
		{"xtord", "xiti", 30},
		{"xtref", "xiti", 30},
		{"xtanrd", "xiti", 30},
		{"xtatrd", "xiti", 30},
	},
	"eulerian": {{"etuix", "eulerian", 0}},
	"posthog": {
		{"ph_phc_abc_posthog", "posthog", 365 * oneDay},
		{"__ph_cookie_support_0198c0de-0000-7000-8000-000000000000", "posthog", 0},
		{"__ph_opt_in_out_phc_abc", "", 365 * oneDay},
	},
	"mixpanel": {
		{"mp_0123456789abcdef0123456789abcdef_mixpanel", "mixpanel", 365 * oneDay},
		{"mp_f123456789abcdef0123456789abcdef_mixpanel", "mixpanel", 365 * oneDay},
		{"__mp_opt_in_out_0123456789abcdef0123456789abcdef", "", 365 * oneDay},
	},
	"amplitude": {
		{"AMP_0123456789", "amplitude", 365 * oneDay},
		{"AMP_f123456789", "amplitude", 365 * oneDay},
		{"AMP_MKTG_0123456789", "amplitude", 365 * oneDay},
		{"AMP_TEST", "amplitude", 0},
		{"AMP_TEST_1764369453", "amplitude", 0},
		{"AMP_TLDTEST", "amplitude", 0},
	},
	"django": {
		{"sessionid", "", 14 * oneDay}, {"csrftoken", "", 364 * oneDay}, {"django_language", "", 0}, {"messages", "", 0},
	},
	"ckan": {{"ckan", "", 0}, {"remember_token", "", 365 * oneDay}, {"auth_tkt", "", 0}},
	"php":  {{"PHPSESSID", "", 0}},
	"wordpress": {
		{"wordpress_sec_0123456789abcdef0123456789abcdef", "", 14*oneDay + oneDay/2},
		{"wordpress_logged_in_0123456789abcdef0123456789abcdef", "", 14*oneDay + oneDay/2},
		{"wordpress_test_cookie", "", 0},
		{"wp_lang", "", 0},
		{"wp-settings-1", "", 365 * oneDay},
		{"wp-settings-time-1", "", 365 * oneDay},
		{"wp-saving-post", "", oneDay},
		{"wp-postpass_0123456789abcdef0123456789abcdef", "", 10 * oneDay},
		{"wp-resetpass-0123456789abcdef0123456789abcdef", "", 0},
		{"wp-activate-0123456789abcdef0123456789abcdef", "", 0},
		{"wordpress_rec_0123456789abcdef0123456789abcdef", "", 7 * oneDay},
		{"comment_author_0123456789abcdef0123456789abcdef", "", 30000000},
		{"comment_author_email_0123456789abcdef0123456789abcdef", "", 30000000},
		{"comment_author_url_0123456789abcdef0123456789abcdef", "", 30000000},
	},
	"drupal": {
		{"SSESS0123456789abcdef0123456789abcdef", "", 2000000},
		{"SSESSf123456789abcdef0123456789abcdef", "", 2000000},
		{"SESS9123456789abcdef0123456789abcdef", "", 2000000},
		{"SESSa123456789abcdef0123456789abcdef", "", 2000000},
		{"big_pipe_nojs", "", 0},
		{"has_js", "", 0},
		{"Drupal.visitor.name", "comments", 365 * oneDay},
		{"Drupal.visitor.mail", "comments", 365 * oneDay},
		{"Drupal.visitor.homepage", "comments", 365 * oneDay},
		{"Drupal.toolbar.collapsed", "", 36500 * oneDay},
		{"Drupal.tableDrag.showWeight", "", 365 * oneDay},
	},
	"mediawiki": {
		{"my_wiki_session", "", 0},
		{"my_wikiUserID", "", 180 * oneDay},
		{"my_wikiUserName", "", 180 * oneDay},
		{"my_wikiToken", "", 180 * oneDay},
		{"my_wikiLoggedOut", "", oneDay},
		{"forceHTTPS", "", 30 * oneDay},
		{"my_wikiPostEditRevision17", "", 20 * oneMinute},
		{"my_wikiBlockID", "", oneDay},
		{"VEE", "", 30 * oneDay},
		{"my_wikihidetoc", "", 30 * oneDay},
		{"my_wikichangeslist-state", "", 30 * oneDay},
		{"my_wikircfilters-toplinks-collapsed-state", "", 30 * oneDay},
		{"UseDC", "", 10},
		{"UseCDNCache", "", 10},
		{"cpPosIndex", "", 10},
	},
	"dokuwiki": {
		{"DokuWiki", "", 0},
		{"DW0123456789abcdef0123456789abcdef", "", 365 * oneDay},
		{"DWe123456789abcdef0123456789abcdef", "", 365 * oneDay},
		{"DOKU_PREFS", "", 365 * oneDay},
	},
	"keycloak": {
		{"AUTH_SESSION_ID", "", 0},
		{"AUTH_SESSION_ID_LEGACY", "", 0},
		{"KC_RESTART", "", 0},
		{"KC_AUTH_SESSION_HASH", "", 60},
		{"KC_AUTH_SESSION", "", 60},
		{"KC_STATE_CHECKER", "", 300},
		{"WELCOME_STATE_CHECKER", "", 300},
		{"KEYCLOAK_IDENTITY", "", 36000},
		{"KEYCLOAK_IDENTITY_LEGACY", "", 36000},
		{"KEYCLOAK_SESSION", "", 36000},
		{"KEYCLOAK_SESSION_LEGACY", "", 36000},
		{"KEYCLOAK_REMEMBER_ME", "", 365 * oneDay},
		{"KEYCLOAK_LOCALE", "", 0},
		{"KEYCLOAK_3P_COOKIE", "", 60},
		{"KEYCLOAK_3P_COOKIE_SAMESITE", "", 60},
	},
	"haproxy":    {{"SERVERID", "", 0}},
	"nginx":      {{"srv_id", "", 0}, {"route", "", 0}, {"INGRESSCOOKIE", "", 0}},
	"cloudflare": {{"__cf_bm", "", 30 * oneMinute}, {"cf_clearance", "", 365 * oneDay}, {"_cfuvid", "", 0}, {"__cflb", "", oneDay}},
	"aws_alb":    {{"AWSALB", "", 7 * oneDay}, {"AWSALBCORS", "", 7 * oneDay}, {"AWSALBTG", "", 7 * oneDay}, {"AWSALBTGCORS", "", 7 * oneDay}},
}

func charterOf(t *testing.T, rows ...string) *Charter {
	t.Helper()
	var text strings.Builder
	text.WriteString("cookies:\n")
	for _, row := range rows {
		fmt.Fprintf(&text, "  - {purpose: p, category: statistics, %s}\n", row)
	}
	parsed, err := Parse([]byte(text.String()), "f")
	if err != nil {
		t.Fatal(err)
	}
	charter, err := New(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

// A name has the row of its literal or of the longest prefix.
func TestFind(t *testing.T) {
	charter := charterOf(t, "name: a*", "name: abc*", "name: abc", "name: ab*", `name: "what people read", match: [x, y.*]`, "name: [p, q]")
	for name, want := range map[string]string{
		"a": "a*", "ax": "a*", "ab": "ab*", "abd": "ab*", "abc": "abc", "abcd": "abc*",
		"x": "what people read", "y.": "what people read", "y.1": "what people read", "p": "p", "q": "p",
		"": "", "A": "", "xx": "", "y": "", "yx": "", "what people read": "", "*": "",
	} {
		got := ""
		if cookie := charter.Find(name); cookie != nil {
			got = cookie.Name[0]
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if charter.Find("p") != charter.Find("q") {
		t.Error("one row became two")
	}
}

// A stored item has the row of its key or of the longest prefix, which no cookie has.
func TestFindItem(t *testing.T) {
	charter := charterOf(t, "storage: [a*, x]", "storage: [ab*, abc*]", "storage: [abcd]", "name: c, storage: [d]")
	for key, want := range map[string]string{
		"a": "a*", "ax": "a*", "a*": "a*", "x": "a*", "ab": "ab*", "abcde": "ab*", "abcd": "abcd", "d": "c",
		"": "", "xx": "", "c": "", "*": "",
	} {
		got := ""
		if row := charter.FindItem(key); row != nil {
			got = row.FirstName()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
	if charter.Find("x") != nil || charter.Find("d") != nil {
		t.Error("an item declares a cookie")
	}
}

// A row of a later preset replaces that of an earlier one, and a user's own row both.
func TestPresetsGiveWay(t *testing.T) {
	preset := func(name string) Source {
		loaded, err := LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		return loaded
	}
	own, err := Parse([]byte("cookies:\n  - {name: sessionid, purpose: mine, category: necessary}\n  - {name: visitor, match: _pk_id.*, purpose: mine, category: necessary}"), "f")
	if err != nil {
		t.Fatal(err)
	}
	charter, err := New(preset("opendatasoft"), preset("django"), preset("matomo"), own)
	if err != nil {
		t.Fatal(err)
	}
	if got := charter.Find("csrftoken").Duration; got != "52 weeks" {
		t.Errorf("the later preset did not win: %s", got)
	}
	for _, name := range []string{"sessionid", "_pk_id.1.1"} {
		if got := charter.Find(name).Purpose.In("fr"); got != "mine" {
			t.Errorf("the user's row did not win for %s: %s", name, got)
		}
	}
	seen := map[string]bool{}
	for _, cookie := range charter.Rows {
		for _, pattern := range cookie.Patterns() {
			if seen[pattern] {
				t.Errorf("%s is on the page twice", pattern)
			}
			seen[pattern] = true
		}
	}
}

func TestTextIn(t *testing.T) {
	for _, test := range []struct {
		text Text
		want string
	}{
		{Text{"fr": "f", "en": "e", "": "all"}, "f"},
		{Text{"en": "e", "": "all"}, "all"},
		{Text{"en": "e", "nl": "n"}, "n"},
		{Text{"en": "e", "de": "d"}, "e"},
		{Text{"es": "s", "de": "d"}, "d"},
		{Text{"fr": "", "es": "s"}, "s"},
		{nil, ""},
	} {
		if got := test.text.In("fr", "nl", "en"); got != test.want {
			t.Errorf("%v: got %q, want %q", test.text, got, test.want)
		}
	}
}

// The table of fields has all fields of the struct, and no others.
func TestFieldsOfCookie(t *testing.T) {
	var names []string
	for field := range reflect.TypeFor[Cookie]().Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	if !slices.Equal(names, Fields.Names()) {
		t.Errorf("in the struct: %v\nin the table:  %v", names, Fields.Names())
	}
}

// signed returns the charter of rows as they are between brackets, with its version.
func signed(t *testing.T, rows string) *Charter {
	t.Helper()
	parsed, err := Parse([]byte("cookies: ["+rows+"]"), "f")
	if err != nil {
		t.Fatal(err)
	}
	charter, err := New(parsed)
	if err != nil {
		t.Fatal(err)
	}
	if err := charter.ComputeVersion("fr"); err != nil {
		t.Fatal(err)
	}
	return charter
}

// What a key covers does not hang on the order of its rows.
func TestFingerprint(t *testing.T) {
	const a, b = "{name: a, purpose: p, category: statistics}", "{name: b, purpose: q, category: statistics}"
	first, second := signed(t, a+", "+b), signed(t, b+", "+a)
	if got, want := first.Fingerprints["statistics"], second.Fingerprints["statistics"]; got != want || len(got) != 8 {
		t.Errorf("%s, %s", got, want)
	}
}

// The version is that of what is declared, however it is written.
func TestCharterVersion(t *testing.T) {
	version := func(rows string) string { return signed(t, rows).Version }
	const a, b = "{name: a, purpose: p, category: necessary}", "{name: b, category: necessary, purpose: p}"
	same := version(a + ", " + b)
	if version("{name: a, purpose: p, category: necessary, duration: 1800 s}") != version("{name: a, purpose: p, category: necessary, duration: 30 min}") {
		t.Error("the same duration in another unit is another version")
	}
	for _, block := range []string{b + ", " + a, "\n" + a + ",\n\n" + b, "{category: necessary, name: [a], purpose: p}, " + b} {
		if got := version(block); got != same {
			t.Errorf("%q has another version", block)
		}
	}
	for _, block := range []string{a, a + ", " + strings.Replace(b, "purpose: p", "purpose: q", 1), a + ", " + strings.Replace(b, "necessary", "statistics", 1), a + ", " + strings.Replace(b, "name: b", "name: c", 1)} {
		if got := version(block); got == same || len(got) != 12 {
			t.Errorf("%q has the version %s", block, got)
		}
	}
}

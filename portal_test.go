package cookiecharter

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// What is said of the portal is the same from a Caddyfile, from JSON and from a charter
// file, and is what the page shows.
func TestPortal(t *testing.T) {
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": `
site_name: {fr: Données d'Ys, en: Ys data}
intro: {fr: "Premier.\n\nSecond.", en: First.}
controller: Ville d'Ys, 29000 Ys
contact: {fr: Déléguée dpo@ys.example, en: "Officer mailto:dpo@ys.example"}
complaint: Autorité https://authority.example/plaintes
policy: {fr: /vie-privee/, en: Our policy /privacy/}
accessibility: {fr: "Accessibilité : partiellement conforme /rgaa/", en: Accessible}
cookies:
  - {name: a, purpose: p, category: third_party, provider: Tuiles SAS, policy: https://tuiles.example/, country: [FR, US]}
  - {name: b, purpose: q, category: third_party, provider: Tuiles SAS, policy: https://tuiles.example/, country: US, duration: 2 days}
  - {name: c, purpose: p, category: third_party, duration: session}
`})
	exported := map[string]bool{}
	for _, block := range []string{
		"charter " + folder + "charter.yaml",
		`site_name fr "Données d'Ys"
		site_name en "Ys data"
		intro fr "Premier.

Second."
		intro en First.
		controller "Ville d'Ys, 29000 Ys"
		contact fr "Déléguée dpo@ys.example"
		contact en "Officer mailto:dpo@ys.example"
		complaint "Autorité https://authority.example/plaintes"
		policy fr /vie-privee/
		policy en "Our policy /privacy/"
		accessibility fr "Accessibilité : partiellement conforme /rgaa/"
		accessibility en Accessible
		cookie a {
			purpose p
			category third_party
			provider "Tuiles SAS"
			policy https://tuiles.example/
			country FR US
		}
		cookie b {
			purpose q
			category third_party
			provider "Tuiles SAS"
			policy https://tuiles.example/
			country US
			duration "2 days"
		}
		cookie c {
			purpose p
			category third_party
			duration session
		}`,
	} {
		address := "http://" + serve(t, false, "cookie_charter {\n"+block+"\n}")
		_, charter := get(t, address+pagePath+"?format=json", nil)
		exported[charter] = true
		for language, wants := range map[string][]string{
			"fr": {
				"<title>Charte cookies – Données d&#39;Ys</title>", "À quoi servent les cookies sur la plateforme Données d&#39;Ys<", `<p class="charter-intro">Premier.</p>`, `<p class="charter-intro">Second.</p>`,
				">Ville d&#39;Ys, 29000 Ys<", `<a href="mailto:dpo@ys.example">Déléguée</a>`, `<a href="https://authority.example/plaintes">Autorité</a>`, `<a href="/vie-privee/">Politique de confidentialité</a>`,
				`<a href="/rgaa/">Accessibilité : partiellement conforme</a>`, `<a href="https://tuiles.example/">Tuiles SAS</a><br>Destination des données` + "\u00a0: France, États-Unis.", "p<br>q</dd>", "<dd>durée non déclarée</dd>",
			},
			"en": {"<title>Cookie policy – Ys data</title>", `<a href="mailto:dpo@ys.example">Officer</a>`, `<a href="/privacy/">Our policy</a>`, "<p>Accessible</p>", "Data go to: France, United States.", "<dd>duration not declared</dd>"},
			"de": {`<html lang="fr"`}, // not all is there in German
		} {
			_, shown := get(t, address+pagePath+"?flg="+language, nil)
			for _, want := range wants {
				if !strings.Contains(shown, want) {
					t.Errorf("%s: no %s", language, want)
				}
			}
			if strings.Contains(shown, "CNIL") || strings.Contains(shown, "at most") {
				t.Errorf("%s: an authority, or a duration that not all rows have", language)
			}
		}
		if _, refused := get(t, address+pagePath+"?format=xml&flg=en", nil); !strings.Contains(refused, " – Cookie policy – Ys data</title>") {
			t.Errorf("a refusal calls the portal otherwise: %s", refused)
		}
		_, notice := get(t, address+pagePath+"notice?flg=en", nil)
		for _, want := range []string{`<strong>Third-party cookies</strong> – <a href="https://tuiles.example/">Tuiles SAS</a> (duration not declared)<br>p q<`, "Responsible: Ville d&#39;Ys, 29000 Ys.", "You can change or withdraw your answer at any time", `?flg=en"`} {
			if !strings.Contains(notice, want) {
				t.Errorf("the notice has no %s: %s", want, notice)
			}
		}
	}
	if len(exported) != 1 {
		t.Errorf("exported differently: %v", exported)
	}
}

// Without a word of it, the portal is called by its address, and complaints go to the
// authority of the country whose language is the page's own.
func TestPortalOfNothing(t *testing.T) {
	for language, authority := range map[string]string{"fr": "https://www.cnil.fr/fr/plaintes", "es": "https://www.aepd.es/", "de": "", "en": ""} {
		address := "http://" + serve(t, false, "cookie_charter {\n preset matomo\n language "+language+"\n}")
		for _, read := range []string{"fr", "ar"} {
			_, shown := get(t, address+pagePath+"?flg="+read, nil)
			if authority != "" && !strings.Contains(shown, `<a href="`+authority+`"`) || authority == "" && strings.Contains(shown, "autorité de contrôle") || !strings.Contains(shown, "– "+address+"</title>") {
				t.Errorf("%s, read in %s: %.300s", language, read, shown)
			}
		}
		_, notice := get(t, address+pagePath+"notice?flg=en", nil)
		if !strings.Contains(notice, "Responsible: "+address+".") {
			t.Errorf("the notice does not say whose it is: %s", notice)
		}
	}
}

// Which languages the page speaks.
func TestLanguagesOfPage(t *testing.T) {
	const row = "cookie a {\n purpose fr Un\n purpose en One\n category necessary\n}\n"
	for block, wants := range map[string]map[string]string{
		"":                                      {"fr": "fr", "de": "de", "ar": "ar", "pl": "fr"},
		row:                                     {"fr": "fr", "en": "en", "de": "fr", "ar": "fr"},
		row + "language en":                     {"fr": "fr", "en": "en", "de": "en"},
		row + "language de":                     {"fr": "fr", "de": "de", "es": "de"},
		row + "languages de fr":                 {"fr": "fr", "en": "de", "de": "de"},
		row + "languages de":                    {"fr": "de", "en": "de"},
		row + "intro en First":                  {"fr": "fr", "en": "en"},
		row + "intro fr Premier":                {"fr": "fr", "en": "fr"},
		row + "intro en First\nlanguages fr en": {"fr": "fr", "en": "en"},
		row + "page {\n title en Ours\n}":       {"fr": "fr", "en": "en"},
		row + "page {\n title fr A\n}":          {"fr": "fr", "en": "fr"},
		"cookie a {\n purpose One\n category necessary\n}": {"fr": "fr", "de": "de"},
	} {
		address := "http://" + serve(t, false, "cookie_charter {\n"+block+"\n}")
		for asked, want := range wants {
			for _, query := range []string{"", "?flg=" + asked} {
				response, shown := get(t, address+pagePath+query, http.Header{"Accept-Language": {asked}})
				if got := response.Header.Get("Content-Language"); got != want {
					t.Errorf("%q: %s speaks %s", block, asked, got)
				}
				if strings.Contains(shown, "hreflang") != strings.Contains(shown, "<nav") {
					t.Errorf("%q: a switch to nothing", block)
				}
			}
		}
	}
	for block, want := range map[string]string{
		"languages fr en\nlanguage de": `the language "de" is the page's default, but none of its languages; add it to them, or remove it`,
		"languages fr tlh":             `the page does not speak "tlh"; use one of ar,`,
		"languages fr en fr":           `the language "fr" stands there twice; remove one`,
		"languages":                    "languages names none; write one or more behind it, such as fr en",
		"languages fr\nlanguages en":   "languages already specified",
		"intro tlh Qapla":              `the page does not speak "tlh"`,
		"intro":                        "intro takes a text, or a language and a text; put texts of several words in quotes",
		"intro fr two words":           "intro takes a text, or a language and a text; put texts of several words in quotes",
		`intro ""`:                     "intro is empty; write a text, or remove it",
		"intro A\nintro B":             "two texts without a language; keep one, or say their languages",
		"policy privacy":               "unusable policy: it has no link; write https://... or a path from the root of this site, such as /pages/privacy/",
		"contact javascript:alert(1)":  `unusable contact: "javascript:alert(1)" is no link; write`,
		"site_name \"a\u202eb\"":       "the text has the character U+202E, which people do not see; remove it",
	} {
		_, err := loadHandler(checks.WriteFiles(t, map[string]string{"Caddyfile": "http://:0 {\n cookie_charter {\n" + block + "\n}\n}"})+"Caddyfile", "")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Caddyfile:") && !strings.Contains(want, "none of its") {
			t.Errorf("%q: %v", block, err)
		}
	}
	// What two sources say of one thing is a mistake.
	folder := checks.WriteFiles(t, map[string]string{"charter.yaml": "intro: {fr: Un}\ncookies:\n  - {name: a, purpose: p, category: necessary}\n"})
	for block, want := range map[string]string{"intro fr Deux": "intro fr is declared twice; remove one of the two", "intro en Two": ""} {
		path := checks.WriteFiles(t, map[string]string{"Caddyfile": "http://:0 {\n cookie_charter {\n charter " + folder + "charter.yaml\n" + block + "\n}\n}"}) + "Caddyfile"
		if _, err := loadHandler(path, ""); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", block, err)
		}
	}
}

// A question names a provider once, with its policy if only some of its rows have one.
func TestProvidersOfQuestion(t *testing.T) {
	row := func(name, more string) string {
		return "cookie " + name + " {\n purpose p\n category third_party\n provider \"Tuiles SAS\"\n" + more + "}\n"
	}
	address := "http://" + serve(t, false, "cookie_charter {\n"+row("a", "")+row("b", "policy https://tuiles.example/\n")+row("c", "")+row("d", "policy https://tuiles.example/d\n")+"}")
	_, notice := get(t, address+pagePath+"notice?flg=en", nil)
	if want := `</strong> – <a href="https://tuiles.example/">Tuiles SAS</a>, <a href="https://tuiles.example/d">Tuiles SAS</a> (`; !strings.Contains(notice, want) {
		t.Errorf("no %s in %s", want, notice)
	}
	if _, shown := get(t, address+pagePath+"?flg=en", nil); !strings.Contains(shown, ">Third-party cookies – Tuiles SAS</legend>") {
		t.Error("the question is not called by its provider, once")
	}
}

// Lists have the comma of the page's language.
func TestLists(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n preset google_analytics\n}")
	for language, wants := range map[string][]string{"en": {"Ireland, United States.", "_ga</code>, <code"}, "ar": {"أيرلندا، الولايات المتحدة.", "_ga</code>، <code"}} {
		_, shown := get(t, address+pagePath+"?flg="+language, nil)
		for _, want := range wants {
			if !strings.Contains(shown, want) {
				t.Errorf("%s: no %s", language, want)
			}
		}
	}
}

package cookiecharter

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/cookie-charter/cookie_charter/internal/answers"
	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/document"
	"github.com/cookie-charter/cookie_charter/internal/page"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

const pagePath = "/terms/cookies-policy/"

// TestPageShowsWhatIsEnforced holds the rows on the page against the cookies
// that the filter lets through, before and after one row is taken away.
func TestPageShowsWhatIsEnforced(t *testing.T) {
	lines := []string{"sessionid=1", "_ga=1", "measure=1", "tool=1", "unknown=1"}
	site := func(rows string) string {
		var set strings.Builder
		for _, line := range lines {
			fmt.Fprintf(&set, "header +Set-Cookie %q\n", line)
		}
		return "cookie_charter {\n" + rows + "}\n" + set.String() + "respond ok"
	}
	row := func(name string) string {
		return fmt.Sprintf("cookie %s {\n purpose %q\n category first_party\n exempt\n}\n", name, "for "+name)
	}
	for _, rows := range []string{row("sessionid") + row("measure"), row("sessionid"), row("tool") + row("_g*")} {
		address := "http://" + serve(t, false, site(rows))
		response, _ := get(t, address+"/", nil)
		_, page := get(t, address+pagePath, nil)
		published := publishedNames(t, page)
		published = slices.DeleteFunc(published, func(name string) bool { return name == answers.PlainCookie || name == answers.HostCookie })
		var enforced []string
		for _, line := range response.Header["Set-Cookie"] {
			name, _, _ := strings.Cut(line, "=")
			enforced = append(enforced, strings.Replace(name, "_ga", "_g*", 1))
		}
		slices.Sort(enforced)
		slices.Sort(published)
		if !slices.Equal(enforced, published) || len(published) == 0 {
			t.Errorf("published %v, enforced %v", published, enforced)
		}
	}
}

// publishedNames returns the names in the row headers of the page's tables.
func publishedNames(t *testing.T, page string) []string {
	t.Helper()
	document, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for node := range document.Descendants() {
		if node.Data == "th" && slices.Contains(node.Attr, html.Attribute{Key: "scope", Val: "row"}) {
			for inner := range node.Descendants() {
				if inner.Type == html.TextNode {
					names = append(names, inner.Data)
				}
			}
		}
	}
	return names
}

func TestPage(t *testing.T) {
	address := "http://" + serve(t, false, `
		cookie_charter {
			preset opendatasoft matomo
			updated 2026-11-26
			cookie measure "<b>" {
				match measure
				provider "Ville d'Ys"
				service fr "Comptage (front office)"
				service en "Counting (front office)"
				purpose "<script>alert(1)</script>"
				category statistics
				exempt
			}
		}
		respond portal`)
	response, page := get(t, address+pagePath, http.Header{"Accept-Language": {"en"}})
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	for name, want := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"Content-Language":        "en",
		"Cache-Control":           "private, no-store",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":  "nosniff",
		"Referrer-Policy":         "same-origin",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, want := range []string{
		`<html lang="en" dir="ltr">`, "<h1>Cookie policy</h1>", "What is a cookie?", "The four kinds of cookies", "What the cookies on " + address + " are for",
		`<h3 id="rows-0">Necessary cookies</h3>`, `<h3 id="rows-1">Statistical cookies</h3>`, "2 weeks", "13 months", "30 minutes",
		`<code dir="ltr">_pk_id.&lt;site&gt;.&lt;hash&gt;</code>`, ">Ville d&#39;Ys</bdi></td>", ">Counting (front office)</bdi></td>", "&lt;script&gt;alert(1)&lt;/script&gt;",
		"Set without consent; you can object to it.", `<time datetime="2026-11-26">Last updated: 26 November 2026</time>`, "What the server cannot prevent",
		"Matomo – Statistical cookies", `name="answer.matomo" value="granted">`, `name="answer.statistics" value="refused">`, "Your choice is kept for: 6 months.",
		"No answer stored.", `<a class="fr-link" href="/">Back to the portal</a>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, unwanted := range []string{"<script", "<style", " style=", "javascript:", " checked", ">Third-party cookies</h3>", "<b>", "ZgotmplZ", "role=\"status\""} {
		if strings.Contains(page, unwanted) {
			t.Errorf("has %q", unwanted)
		}
	}

	// With and without the slash, and its style from either.
	for _, path := range []string{pagePath, strings.TrimSuffix(pagePath, "/")} {
		response, page := get(t, address+path, nil)
		href := regexp.MustCompile(`href="([^"]*style\.css[^"]*)"`).FindStringSubmatch(page)
		if response.StatusCode != http.StatusOK || href == nil {
			t.Fatalf("%s: %s", path, response.Status)
		}
		reference, err := response.Request.URL.Parse(href[1])
		if err != nil {
			t.Fatal(err)
		}
		style, content := get(t, reference.String(), nil)
		if style.Header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(content, ".charter") || !strings.Contains(style.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %v", reference, style.Header)
		}
	}
	if style, _ := get(t, address+pagePath+"style.css?v=old", nil); style.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("another version of the style: %v", style.Header)
	}
	for path, want := range map[string]string{"/": "portal", "/terms/": "portal", "/terms/cookies-policy/x": "portal", "/terms/cookies-policyx": "portal", "/terms/cookies-policy//": "portal"} {
		if _, got := get(t, address+path, nil); got != want {
			t.Errorf("%s: the page took it", path)
		}
	}

	response, body := do(t, http.MethodHead, address+pagePath, http.Header{"Accept-Language": {"en"}}, "")
	if response.StatusCode != http.StatusOK || body != "" || response.ContentLength != int64(len(page)) {
		t.Errorf("HEAD: %s, %d bytes of %d", response.Status, response.ContentLength, len(page))
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch, "BREW"} {
		response, _ := do(t, method, address+pagePath, nil, "")
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("%s: %s, Allow %q", method, response.Status, response.Header.Get("Allow"))
		}
	}
	if response, _ := do(t, http.MethodPost, address+pagePath+"style.css", form, "all=refused"); response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST to the style: %s", response.Status)
	}
}

// A question is a fieldset as the State's design system has it: a legend, and answers
// of which the input comes first and then its label. Accepting and refusing all are
// buttons of the same classes, on page and notice.
func TestFormAsDSFR(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n preset opendatasoft matomo google_analytics\n}")
	attribute := func(node *html.Node, name string) string {
		for _, attribute := range node.Attr {
			if attribute.Key == name {
				return attribute.Val
			}
		}
		return ""
	}
	elements := func(path, name string) (found []*html.Node) {
		_, page := get(t, address+pagePath+path, nil)
		document, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		for node := range document.Descendants() {
			if node.Type == html.ElementNode && node.Data == name {
				found = append(found, node)
			}
		}
		return found
	}
	hasClass := func(node *html.Node, class string) bool {
		return node != nil && slices.Contains(strings.Fields(attribute(node, "class")), class)
	}
	next := func(node *html.Node) *html.Node {
		for node = node.NextSibling; node != nil && node.Type != html.ElementNode; {
			node = node.NextSibling
		}
		return node
	}

	fieldsets := elements("", "fieldset")
	ids := map[string]bool{}
	for _, fieldset := range fieldsets {
		legend := next(&html.Node{NextSibling: fieldset.FirstChild})
		if !hasClass(fieldset, "fr-fieldset") || legend.Data != "legend" || !hasClass(legend, "fr-fieldset__legend") {
			t.Error("no fieldset with a legend first")
		}
		for node := next(legend); node != nil; node = next(node) {
			if !hasClass(node, "fr-fieldset__element") {
				t.Errorf("<%s> in the fieldset", node.Data)
			}
		}
		for node := range fieldset.Descendants() {
			if node.Data != "input" {
				continue
			}
			id, label := attribute(node, "id"), next(node)
			if !hasClass(node.Parent, "fr-radio-group") || !hasClass(label, "fr-label") || label.Data != "label" || attribute(label, "for") != id || id == "" || ids[id] {
				t.Errorf("an answer %q without a label of its own behind it", id)
			}
			ids[id] = true
		}
	}
	if len(fieldsets) == 0 || len(ids) != 2*len(fieldsets) {
		t.Errorf("%d answers in %d fieldsets", len(ids), len(fieldsets))
	}
	for _, path := range []string{"", "notice"} {
		var classes []string
		for _, button := range elements(path, "button") {
			if attribute(button, "name") == "all" {
				classes = append(classes, attribute(button, "class"))
			}
		}
		if len(classes) != 2 || classes[0] != classes[1] || !strings.Contains(classes[0], "fr-btn") {
			t.Errorf("%s: buttons of the classes %q", path, classes)
		}
	}
}

// Where a text is not there in the page's language, another's is marked so.
func TestFallbackLanguages(t *testing.T) {
	address := "http://" + serve(t, false, `
		cookie_charter {
			cookie a {
				provider Anybody
				service de "Karten"
				purpose fr "Montre des cartes"
				purpose es "Muestra mapas"
				category third_party
			}
			page {
				title fr "Nos cookies"
			}
			languages fr es ar
		}`)
	for language, want := range map[string][]string{
		"es": {">Anybody<", `<span lang="de" dir="auto">Karten</span>`, ">Muestra mapas<", `<h1><span lang="fr" dir="auto">Nos cookies</span></h1>`},
		"fr": {`<span lang="de" dir="auto">Karten</span>`, ">Montre des cartes<", "<h1>Nos cookies</h1>"},
		"ar": {`<html lang="ar" dir="rtl">`, `<span lang="fr" dir="auto">Montre des cartes</span>`, `<code dir="ltr">a</code>`},
	} {
		_, page := get(t, address+pagePath+"?flg="+language, nil)
		for _, want := range want {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %s", language, want)
			}
		}
	}
}

// The switcher keeps what the visitor was told.
func TestLanguageSwitcher(t *testing.T) {
	address := "http://" + serve(t, false, twoQuestions)
	at := fmt.Sprint(time.Now().UnixMilli())
	_, shown := get(t, address+pagePath+"?flg=fr&status=saved&at="+at+"&x=%22%3E", http.Header{"Cookie": {`cookies_preferences={"timestamp":` + at + "}"}})
	for _, want := range []string{
		`<li><a href="?at=` + at + `&amp;flg=de&amp;status=saved" lang="de" hreflang="de">Deutsch</a></li>`,
		`<li><a href="?at=` + at + `&amp;flg=fr&amp;status=saved" lang="fr" hreflang="fr" aria-current="true">Français</a></li>`,
		`<link rel="alternate" hreflang="ar" href="?flg=ar">`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %s", want)
		}
	}
	if got := strings.Count(shown, "hreflang="); got != 2*len(page.Languages) {
		t.Errorf("%d links", got)
	}
	if _, shown := get(t, address+pagePath+"?status=%22onx%3D&at=javascript:x", nil); strings.Contains(shown, "onx") || strings.Contains(shown, "javascript") {
		t.Error("the query comes back")
	}
}

// The visitor sees which cookies came with the request, and never a value.
func TestVisitorsOwnView(t *testing.T) {
	const secret = "S3cr3t"
	given := time.Now().UTC()
	until := given.Add(15778476 * time.Second)
	header := http.Header{"Accept-Language": {"en"}, "Cookie": {"sessionid=" + secret + "; _ga=" + secret + "; _pk_id.1.1=" + secret + "; " + secret + "; =" + secret + "; a b=" + secret + "; <b>=" + secret + "; sessionid=" + secret + "; cookies_preferences={\"matomo\":true,\"timestamp\":" + fmt.Sprint(given.UnixMilli()) + "}; " + strings.Repeat("x", 500) + "=1"}}
	for options, want := range map[string]map[string]string{
		"":                     {"sessionid": "It reaches the portal.", "_pk_id.1.1": "It reaches the portal.", "_ga": "It does not reach the portal, and", "without a name": "It stays in your browser", "a b": "It stays in your browser", "&lt;b&gt;": "It stays in your browser", strings.Repeat("x", setcookie.MaxShown): "It stays"},
		"request_cookies pass": {"sessionid": "It reaches the portal.", "_ga": "It reaches the portal all the same, and", "without a name": "It reaches the portal all the same."},
	} {
		address := "http://" + serve(t, false, "cookie_charter {\n preset opendatasoft matomo google_analytics\n"+options+"\n}")
		_, page := get(t, address+pagePath, header)
		_, mine, _ := strings.Cut(page, "The cookies of your browser")
		for name, outcome := range want {
			_, row, ok := strings.Cut(mine, ">"+name+"</")
			if row, _, _ = strings.Cut(row, "</tr>"); !ok || !strings.Contains(row, outcome) {
				t.Errorf("%s, %s: %q", options, name, row)
			}
		}
		if strings.Count(mine, ">sessionid<") != 1 || strings.Contains(page, secret) || strings.Contains(page, strings.Repeat("x", setcookie.MaxShown+1)) {
			t.Error("twice, a value, or a name without end")
		}
		if want := "Your answers were given on " + given.Format("2 January 2006") + " and hold until " + until.Format("2 January 2006") + "."; !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	address := "http://" + serve(t, false, twoQuestions)
	for _, at := range []string{"null", "true", "-5", "1", "99999999999999999", "1e400"} {
		_, page := get(t, address+pagePath+"?flg=en", http.Header{"Cookie": {`cookies_preferences={"matomo":true,"timestamp":` + at + "}"}})
		if strings.Contains(page, "Stored answer: accepted.") || strings.Contains(page, "Your answers were given") {
			t.Errorf("timestamp %s", at)
		}
	}
	if _, page := get(t, address+pagePath+"?flg=en", nil); !strings.Contains(page, "your browser sent no cookie.") {
		t.Error("does not say that there was none")
	}
}

// The page tells what Global Privacy Control opposes, beside the answers that are stored.
func TestPageTellsOpposition(t *testing.T) {
	address := "http://" + serve(t, false, twoQuestions)
	_, page := get(t, address+pagePath+"?flg=en", http.Header{"Sec-Gpc": {"1"}, "Cookie": {`cookies_preferences={"ga":true}`}})
	if strings.Count(page, "Global Privacy Control") != 1 || strings.Count(page, "Stored answer: accepted.") != 1 {
		t.Error("the page does not tell who opposes what")
	}
}

// To show the page to a visitor, only that is made which could be another's: most allocations
// of the page were for what is the same for all. To one without cookies, nothing is.
func TestPageAllocations(t *testing.T) {
	handler := benchmarkHandler(t, 5)
	for cookies, most := range map[string]float64{"": 200, benchmarkCookies: 1200} {
		if got := testing.AllocsPerRun(20, func() { pageLoad(t, handler, cookies, "") }); got > most {
			t.Errorf("%q: %v allocations", cookies, got)
		}
	}
}

// Only a page that takes answers says that they can be changed on it.
func TestWhereAnswersAreChanged(t *testing.T) {
	for block, here := range map[string]bool{
		"preset opendatasoft matomo":                                                       true,
		"preset matomo\n preference charter\n preference tarteaucitron":                    true,
		"preset matomo\n preference tarteaucitron":                                         false,
		"monitor\n preset matomo\n preference json site_consent {\n path *\n proof at\n }": false,
		"preference klaro\n cookie a {\n purpose x\n category statistics\n exempt\n }":     false,
	} {
		_, got := get(t, "http://"+serve(t, false, "cookie_charter {\n "+block+"\n}")+pagePath+"?flg=en", nil)
		_, choices, _ := strings.Cut(got, `id="choices"`)
		choices, _, _ = strings.Cut(choices, "</section>")
		if strings.Contains(choices, "on this page") != here || strings.Contains(choices, "<form") != here {
			t.Errorf("%q: %s", block, choices)
		}
	}
}

// What was made for a stranger is shown to no one whose page differs, and what was made for
// others is shown to no stranger.
func TestPageOfStrangers(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n preset opendatasoft matomo\n}")
	granted := http.Header{"Cookie": {"cookies_preferences=%7B%22matomo%22%3Atrue%7D; _pk_id.1.1fff=1"}}
	_, stranger := get(t, address+pagePath, nil)
	for query, header := range map[string]http.Header{
		"?flg=en": nil, "?": granted, "?1": {"Cookie": {"other=1"}}, "?2": {"Sec-Gpc": {"1"}}, "?3": {"Accept-Language": {"de"}},
	} {
		if _, got := get(t, address+pagePath+query, header); got == stranger {
			t.Errorf("%s %v: the page of strangers", query, header)
		}
		if _, got := get(t, address+pagePath, nil); got != stranger {
			t.Errorf("%s %v: after it, strangers see another page", query, header)
		}
	}
	if _, got := get(t, address+strings.TrimSuffix(pagePath, "/"), nil); got == stranger || !strings.Contains(got, `href="cookies-policy/style.css`) {
		t.Errorf("without a slash: %.300s", got)
	}
}

// The operator's files are put in, and mistakes in them are told at load.
func TestPageFiles(t *testing.T) {
	folder := t.TempDir()
	files := map[string]string{
		"header.html":  `<header id="top"><a href="/">Portal & more</a></header>`,
		"part.html":    `{{define "charter-promises"}}<p id="own">{{len .Promises}} {{.Text.PromiseTitle}}</p>{{end}}`,
		"whole.html":   `<!DOCTYPE html><title>{{.Title.Text}}</title>{{.Header}}{{range .Kinds}}{{range .Rows}}{{range .Names}}<i>{{.}}</i>{{end}}{{end}}{{end}}{{.Footer}}`,
		"mine.html":    `{{define "charter-portal"}}<p>{{range .Cookies}}{{.Name}}{{end}}</p>{{end}}`,
		"comment.html": "<!-- Ours -->\n{{define `charter-promises`}}OK{{end}}",
		"missing.html": `{{define "charter-promisses"}}OK{{end}}`,
		"broken.html":  `{{range .Kinds}}`,
		"wrong.html":   `{{range .Kinds}}{{.Rowz}}{{end}}`,
		"kept.html":    `{{define "charter-languages"}}{{(index .Languages 0).Name}}{{end}}`,
		"latin1.html":  "caf\xe9",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	page := func(options string) string {
		return "cookie_charter {\n page {\n" + strings.ReplaceAll(options, "@", folder+"/") + "\n}\n}"
	}
	for options, want := range map[string][]string{
		"header @header.html": {files["header.html"] + "\n<section class=\"charter charter-header fr-container\""},
		"footer @header.html": {"</section>\n" + files["header.html"] + "\n</body>"},
		"template @part.html": {`<p id="own">3 What the server enforces</p>`, `<main class="charter fr-container" id="content">`},
		"template @whole.html\n header @header.html\n title Own": {"<title>Own</title>" + files["header.html"] + "<i>", "<i>sessionid</i>"},
		"logo /logo.svg\n stylesheet /portal.css?v=1":            {`<img class="charter-logo" src="/logo.svg" alt="">`, `<link rel="stylesheet" href="/portal.css?v=1">`},
	} {
		_, got := get(t, "http://"+serve(t, false, page(options))+pagePath+"?flg=en", nil)
		for _, want := range want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s in %.300s", options, want, got)
			}
		}
	}
	// A part of the operator's can show what is one visitor's.
	_, got := get(t, "http://"+serve(t, false, page("template @mine.html"))+pagePath, http.Header{"Cookie": {"mine=1"}})
	if !strings.Contains(got, "<p>mine</p>") {
		t.Errorf("the visitor's cookie is not in the operator's part: %.300s", got)
	}
	for options, want := range map[string]string{
		"header @none.html": "the header of the page: open", "footer @latin1.html": "not in UTF-8", "template @broken.html": "broken.html", "template @wrong.html": "Rowz", "template @kept.html": "kept.html",
		"template @comment.html": "has text outside of it, which would be the whole page", "template @missing.html": `no part "charter-promisses"; define some of charter-alternates, charter-choices, charter-codes, charter-enforced, charter-exports, charter-kinds`,
	} {
		if err := tryLoad(t, "http://:0 {\n bind 127.0.0.1\n"+page(options)+"\n}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", options, err)
		}
	}
	_, neutral := get(t, "http://"+serve(t, false, "cookie_charter")+pagePath+"style.css", nil)
	_, dsfr := get(t, "http://"+serve(t, false, page("theme dsfr"))+pagePath+"style.css", nil)
	if neutral == dsfr || !strings.Contains(dsfr, "Marianne") || !strings.Contains(dsfr, ".charter-table") {
		t.Error("the themes are the same")
	}
	_, notice := get(t, "http://"+serve(t, false, page("theme dsfr"))+pagePath+"notice.css", nil)
	if !strings.Contains(notice, "Marianne") || strings.Contains(notice, ":root") {
		t.Error("the notice has not the theme, or not for itself")
	}
}

// The file that tells that Global Privacy Control is heeded is served where its date
// is configured.
func TestGPCFile(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n gpc 2026-11-21\n}\nrespond portal")
	response, body := get(t, address+page.GPCPath, nil)
	if body != `{"gpc":true,"lastUpdate":"2026-11-21"}` || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %q, %v", body, response.Header)
	}
	if response, _ := do(t, http.MethodPost, address+page.GPCPath, nil, ""); response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %s", response.Status)
	}
	address = "http://" + serve(t, false, "cookie_charter\nrespond portal")
	if _, body := get(t, address+page.GPCPath, nil); body != "portal" {
		t.Errorf("served unasked: %q", body)
	}
}

// The page is compressed, and small: page and style together are below 20 KB.
func TestPageIsSmall(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n preset opendatasoft matomo google_analytics at_internet piano xiti eulerian aws_alb\n page {\n theme dsfr\n }\n}")
	size := 0
	for _, path := range []string{"?flg=ar", "style.css"} {
		response, body := get(t, address+pagePath+path, http.Header{"Accept-Encoding": {"gzip"}})
		if response.Header.Get("Content-Encoding") != "gzip" || response.ContentLength != int64(len(body)) || !slices.Contains(response.Header["Vary"], "Accept-Encoding") {
			t.Errorf("%s: %v", path, response.Header)
		}
		size += len(body)
		for _, refused := range []string{"identity", "gzip;q=0", "br"} {
			if response, _ := get(t, address+pagePath+path, http.Header{"Accept-Encoding": {refused}}); response.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s: compressed for %s", path, refused)
			}
		}
	}
	if size > 20_000 || size < 2_000 {
		t.Errorf("%d bytes", size)
	}
	t.Logf("%d bytes", size)
}

var form = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}

func TestPageLanguage(t *testing.T) {
	addresses := map[string]string{}
	for _, name := range page.Languages {
		addresses[name] = "cookie_charter {\n language " + name + "\n}"
	}
	for _, fallback := range []string{"fr", "en"} {
		address := "http://" + serve(t, false, addresses[fallback])
		for _, test := range []struct{ query, cookie, accept, want string }{
			{"", "", "", fallback},
			{"", "", "ja, xx;q=0.5", fallback},
			{"", "", "de-DE, en;q=0.8, fr;q=0.7", "de"},
			{"", "", "pt-BR, en;q=0.8", "pt"},
			{"", "", "ar-MA", "ar"},
			{"flg=eu", "", "en", "eu"},
			{"", "", "fr-CA, en;q=0.8", "fr"},
			{"", "", "en;q=0.1, fr;q=0.7", "fr"},
			{"", "django_language=en-gb", "fr", "en"},
			{"", "django_language=fr", "en", "fr"},
			{"", "django_language=ja", "en", "en"},
			{"flg=fr", "django_language=en", "en", "fr"},
			{"flg=en-gb", "django_language=fr", "fr", "en"},
			{"flg=fr-fr", "", "en", "fr"},
			{"flg=%00%22%3E", "", "en", "en"},
			{"flg=" + strings.Repeat("-", 2000), "", "en", "en"},
		} {
			response, page := get(t, address+pagePath+"?"+test.query, http.Header{"Cookie": {test.cookie}, "Accept-Language": {test.accept}})
			if got := response.Header.Get("Content-Language"); got != test.want || !strings.Contains(page, `<html lang="`+test.want+`" dir="`) {
				t.Errorf("%+v, default %s: got %s", test, fallback, got)
			}
		}
	}
}

// A charter in which nothing can be answered has no form.
func TestPageWithoutForm(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter")
	_, page := get(t, address+pagePath, nil)
	if strings.Contains(page, "<form") || !strings.Contains(page, "aucun choix à faire") {
		t.Error("there is a form, or no word that there is none")
	}
	response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted")
	if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" || response.Header["Set-Cookie"] != nil {
		t.Errorf("POST: %s, %v", response.Status, response.Header)
	}
}

// The page promises no more than the configuration keeps.
func TestPagePromises(t *testing.T) {
	for options, want := range map[string]string{"": "data-label=\"Duration\">400 days</td>", "durations declare": "data-label=\"Duration\">2 years</td>"} {
		address := "http://" + serve(t, false, "cookie_charter {\n preset google_analytics\n"+options+"\n}")
		if _, page := get(t, address+pagePath+"?flg=en", nil); strings.Count(page, want) != 2 {
			t.Errorf("%q: published are other durations than enforced", options)
		}
	}
	for block, want := range map[string][]bool{
		"cookie_charter": {true, true, false, true}, // nothing can be refused
		"cookie_charter {\n preset opendatasoft matomo\n}":                                            {true, true, true, true},
		"cookie_charter {\n preset opendatasoft matomo\n request_cookies pass\n durations declare\n}": {true, false, true, false},
	} {
		address := "http://" + serve(t, false, block)
		_, page := get(t, address+pagePath+"?flg=en", nil)
		for i, words := range []string{"is removed from the answer", "does not reach the portal", "asks the browser to remove", "lives no longer than"} {
			if strings.Contains(page, words) != want[i] {
				t.Errorf("%s: %q", block, words)
			}
		}
	}
}

// checkSaid fails a test where a text says one of the sentences that it should not, or lacks
// one that it should say.
func checkSaid(t *testing.T, name, text string, sentences, want []string) {
	t.Helper()
	for _, words := range sentences {
		if strings.Contains(text, words) != slices.Contains(want, words) {
			t.Errorf("%q: %q is said, or is not", name, words)
		}
	}
}

// Each sentence of the page and of the notice holds by the options that are on: what is
// off is not said, and what is on is. Behind the words stands what the same site does.
func TestPageSaysWhatHolds(t *testing.T) {
	const (
		trial       = "Trial period"
		observes    = "The server only observes cookies: it does not apply"
		willHold    = "Your answer is stored and will hold as soon as the table is applied"
		undeclared  = "Cookies that are not in the table of this page are only observed"
		rows        = "The server only observes these cookies of the table"
		rowsHold    = "Your answer about them is stored and will hold"
		accepts     = "Nothing is accepted beforehand"
		isRefused   = "a cookie that needs your consent is refused."
		passesYet   = "those that are only observed pass all the same."
		isExempt    = "The cookies below are exempt from consent."
		answerIdle  = "Not enforced yet: it still passes, whatever the answer."
		partIdle    = "For now, some of these cookies are only observed"
		unasked     = "Set without consent, by exemption; to refuse is to object to it."
		partUnasked = "Some of these cookies are set without consent, by exemption"
		asks        = "No answer stored."
		opposed     = "Your browser objects to it"
		kept        = "Your choice is kept for"
		elsewhere   = "the server enforces what is stored there."
		readOnly    = "the server reads it, but does not apply it yet"
		stays       = "stays refused as long as"
		notKept     = "Your choices were not kept"
		saved       = "Your choices have been saved."
		reference   = "Reference of the record"
		enforces    = "This page is made from the table that the server enforces"
		nothingYet  = "it does not enforce the table of this page yet"
		someYet     = "the server only observes some of the cookies"
		removesAll  = "that is not in it, or that is refused, is removed from the answer"
		removesSome = "that is in it and is refused is removed from the answer"
		drops       = "If your browser sends such a cookie, it does not reach the portal."
		expires     = "the server asks the browser to remove it."
		shortens    = "for which a duration is told lives no longer than that."
		oneDay      = ">1 day<"
		longer      = ">13 months<"
		longest     = ">2 years<"
		reaches     = "You have not accepted it. It reaches the portal all the same.</td>"
		isWithheld  = "You have not accepted it. It does not reach the portal, and your browser is asked to remove it."
		isAsked     = "It reaches the portal all the same, and your browser is asked to remove it."
		strangeStay = "It does not reach the portal. It stays in your browser"
		strangePass = ">It reaches the portal all the same.<"
		noticeHolds = "They are refused until you accept them."
		noticeTrial = "This is a trial period: your answer is stored, but these cookies still pass, even if refused."
		noticePart  = "During the trial period, some of them still pass, even if refused."
	)
	all := []string{
		trial, observes, willHold, undeclared, rows, rowsHold, accepts, isRefused, passesYet, isExempt, answerIdle, partIdle, unasked, partUnasked, asks, opposed, kept, elsewhere, readOnly,
		stays, notKept, saved, reference, enforces, nothingYet, someYet, removesAll, removesSome, drops, expires, shortens, oneDay, longer, longest, reaches, isWithheld, isAsked, strangeStay, strangePass, noticeHolds, noticeTrial, noticePart,
	}
	cookie := func(name, more string) string {
		return "cookie " + name + " {\n purpose p\n category third_party\n consent " + strings.TrimRight(name, "0123456789") + "\n" + more + "\n}\n"
	}
	const lasts = "duration \"2 years\""
	promises := []string{enforces, removesAll, drops, expires}
	question := []string{kept, accepts, isRefused, asks}
	for name, test := range map[string]struct {
		block, query, field, cookie string
		want                        [][]string
		set                         string   // which of the portal's cookies leave: "ad", "ad2" and "strange"
		gpc                         bool     // the file tells that Global Privacy Control is heeded
		names                       []string // that are said to be observed
	}{
		"nothing":               {block: cookie("ad", "duration \"1 day\""), want: [][]string{promises, question, {shortens, oneDay, isWithheld, strangeStay, noticeHolds}}, gpc: true},
		"no durations":          {block: "preference osano\n" + cookie("ad", ""), want: [][]string{promises, {accepts, isRefused, asks, elsewhere, isWithheld, strangeStay}}, gpc: true},
		"a duration over all":   {block: cookie("ad", "exempt\n"+lasts), want: [][]string{promises, {kept, isExempt, asks, unasked, shortens, longer, strangeStay}}, set: "ad", gpc: true},
		"durations declare":     {block: "durations declare\n" + cookie("ad", lasts), want: [][]string{promises, question, {longest, isWithheld, strangeStay, noticeHolds}}, gpc: true},
		"request_cookies pass":  {block: "request_cookies pass\n" + cookie("ad", ""), want: [][]string{{enforces, removesAll, expires, shortens, isAsked, strangePass, noticeHolds}, question}, gpc: true},
		"a banner that writes":  {block: "preference osano\npreference charter\n" + cookie("ad", ""), want: [][]string{promises, question, {shortens, isWithheld, strangeStay, noticeHolds}}, gpc: true},
		"necessary alone":       {block: "preference osano\ncookie ad {\n purpose p\n category necessary\n}", want: [][]string{{enforces, removesAll, drops, strangeStay}}, set: "ad", gpc: true},
		"gpc":                   {block: cookie("ad", ""), field: "Sec-Gpc", want: [][]string{promises, {kept, accepts, isRefused, opposed, shortens, isWithheld, strangeStay}}, gpc: true},
		"gpc, exempt":           {block: cookie("ad", "exempt"), field: "Sec-Gpc", want: [][]string{promises, {kept, isExempt, opposed, shortens, isWithheld, strangeStay}}, gpc: true},
		"exempt":                {block: cookie("ad", "exempt"), want: [][]string{promises, {kept, isExempt, asks, unasked, shortens, strangeStay}}, set: "ad", gpc: true},
		"exempt and not":        {block: cookie("ad", "exempt") + cookie("ad2", ""), want: [][]string{promises, question, {partUnasked, shortens, isWithheld, strangeStay, noticeHolds}}, set: "ad", gpc: true},
		"exempt, refused":       {block: "preference json answers\n" + cookie("ad", "exempt"), cookie: `answers={"ad":false}`, want: [][]string{promises, {kept, isExempt, shortens, isWithheld, strangeStay}}, gpc: true},
		"exempt, lost":          {block: cookie("ad", "exempt"), query: "lost", want: [][]string{promises, {kept, isExempt, asks, unasked, shortens, strangeStay, notKept}}, set: "ad", gpc: true},
		"lost":                  {block: cookie("ad", ""), query: "lost", want: [][]string{promises, question, {shortens, isWithheld, strangeStay, notKept, stays, noticeHolds}}, gpc: true},
		"record_choices":        {block: "record_choices\n" + cookie("ad", ""), query: "saved", want: [][]string{promises, {kept, accepts, isRefused, saved, reference, shortens, isWithheld, strangeStay}}, gpc: true},
		"no record":             {block: cookie("ad", ""), query: "saved", want: [][]string{promises, {kept, accepts, isRefused, saved, shortens, isWithheld, strangeStay}}, gpc: true},
		"monitor":               {block: "monitor\n" + cookie("ad", lasts), want: [][]string{{trial, observes, willHold, kept, accepts, passesYet, asks, answerIdle, nothingYet, longest, reaches, strangePass, noticeTrial}}, set: "ad strange"},
		"monitor, pass":         {block: "monitor\nrequest_cookies pass\n" + cookie("ad", ""), want: [][]string{{trial, observes, willHold, kept, accepts, passesYet, asks, answerIdle, nothingYet, reaches, strangePass, noticeTrial}}, set: "ad strange"},
		"monitor, exempt":       {block: "monitor\n" + cookie("ad", "exempt"), want: [][]string{{trial, observes, willHold, kept, isExempt, asks, unasked, nothingYet, strangePass}}, set: "ad strange"},
		"monitor, gpc":          {block: "monitor\n" + cookie("ad", ""), field: "Sec-Gpc", want: [][]string{{trial, observes, willHold, kept, accepts, passesYet, opposed, answerIdle, nothingYet, reaches, strangePass}}, set: "ad strange"},
		"monitor, lost":         {block: "monitor\n" + cookie("ad", ""), query: "lost", want: [][]string{{trial, observes, willHold, kept, accepts, passesYet, asks, answerIdle, nothingYet, reaches, strangePass, notKept, noticeTrial}}, set: "ad strange"},
		"monitor, a banner":     {block: "monitor\npreference osano\n" + cookie("ad", ""), want: [][]string{{trial, observes, willHold, accepts, passesYet, asks, readOnly, answerIdle, nothingYet, reaches, strangePass}}, set: "ad strange"},
		"monitor, necessary":    {block: "monitor\ncookie ad {\n purpose p\n category necessary\n}", want: [][]string{{trial, observes, nothingYet, strangePass}}, set: "ad strange", gpc: true},
		"undeclared":            {block: "monitor undeclared\n" + cookie("ad", ""), want: [][]string{question, {trial, undeclared, someYet, enforces, removesSome, drops, expires, shortens, isWithheld, strangePass, noticeHolds}}, set: "strange", gpc: true},
		"undeclared, necessary": {block: "monitor undeclared\npreference osano\ncookie ad {\n purpose p\n category necessary\n}", want: [][]string{{trial, undeclared, nothingYet, strangePass}}, set: "ad strange", gpc: true},
		"a row":                 {block: "preference osano\n" + cookie("ad", lasts+"\nmonitor"), want: [][]string{{trial, rows, rowsHold, accepts, passesYet, asks, readOnly, answerIdle, someYet, enforces, removesAll, drops, longest, reaches, strangeStay}}, set: "ad", names: []string{"ad"}},
		"a row of two":          {block: cookie("ad", "monitor") + cookie("ad2", ""), want: [][]string{promises, {trial, rows, rowsHold, kept, accepts, passesYet, asks, partIdle, someYet, shortens, reaches, isWithheld, strangeStay, noticeHolds, noticePart}}, set: "ad", names: []string{"ad"}},
		"a row, undeclared":     {block: "monitor undeclared\n" + cookie("ad", "monitor"), want: [][]string{{trial, undeclared, rows, rowsHold, kept, accepts, passesYet, asks, answerIdle, someYet, enforces, shortens, reaches, strangePass, noticeTrial}}, set: "ad strange", names: []string{"ad"}},
		"a necessary row":       {block: "cookie ad {\n purpose p\n category necessary\n monitor\n}\n" + cookie("ad2", ""), want: [][]string{promises, question, {trial, rows, someYet, shortens, isWithheld, strangeStay, noticeHolds}}, set: "ad", gpc: true, names: []string{"ad"}},
	} {
		t.Run(name, func(t *testing.T) {
			address := "http://" + serve(t, false, "cookie_charter {\n gpc 2026-11-21\n"+test.block+"\n}\nheader +Set-Cookie ad=1\nheader +Set-Cookie ad2=1\nheader +Set-Cookie strange=1\nrespond portal")
			header := http.Header{"Accept-Language": {"en"}, "Cookie": {"ad=1; ad2=1; strange=1"}}
			if test.cookie != "" {
				header.Add("Cookie", test.cookie)
			}
			if test.field != "" {
				header.Set(test.field, "1")
			}
			query := ""
			if test.query != "" {
				query = "?status=" + test.query + "&at=" + fmt.Sprint(time.Now().UnixMilli())
			}
			if test.query == "saved" {
				response, _ := do(t, http.MethodPost, address+pagePath, form, "all=refused")
				query = response.Header.Get("Location")
				stored, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
				header.Add("Cookie", stored)
			}
			_, shown := get(t, address+pagePath+query, header)
			_, notice := get(t, address+pagePath+"notice", header)
			said := shown + notice
			want := slices.Concat(test.want...)
			checkSaid(t, name, said, all, want)
			isEnforced := strings.Contains(test.block, "consent ad") && !slices.Contains(want, willHold) && !slices.Contains(want, rowsHold)
			if strings.Contains(shown, "they are not allowed, and you lose only what they serve.") != isEnforced {
				t.Error("what either answer comes to is said, or is not")
			}
			if strings.Contains(said, trial) && strings.Index(said, trial) > strings.Index(said, "<h2") {
				t.Error("the page does not say first that it is a trial")
			}
			_, list, _ := strings.Cut(shown, rows)
			list, _, _ = strings.Cut(list, "</p>")
			list, _, _ = strings.Cut(list, "<br>")
			var names []string
			for _, match := range regexp.MustCompile(`<code[^>]*>([^<]*)<`).FindAllStringSubmatch(list, -1) {
				names = append(names, match[1])
			}
			if strings.Contains(shown, rows) && !slices.Equal(names, test.names) {
				t.Errorf("observed: %q", names)
			}

			response, _ := get(t, address+"/", header)
			var set []string
			for _, line := range response.Header["Set-Cookie"] {
				name, _, _ := strings.Cut(line, "=")
				if !strings.Contains(line, "=;") && (name != "ad2" || strings.Contains(test.block, name)) {
					set = append(set, name)
				}
			}
			if got := strings.Join(set, " "); got != test.set {
				t.Errorf("set: %q", got)
			}
			if _, file := get(t, address+page.GPCPath, nil); strings.Contains(file, `"gpc":true`) != test.gpc {
				t.Errorf("%s: %s", page.GPCPath, file)
			}
		})
	}
}

// Each sentence about other hosts holds by what the options do about them, and no other is
// said.
func TestPageSaysWhatHoldsOfHosts(t *testing.T) {
	const (
		trial     = "Trial period"
		observes  = "The server only observes which other domains pages call"
		pending   = ">Not enforced yet<"
		stillFree = "Nothing keeps pages from calling these domains of the table yet"
		others    = "For what is not a cookie, a refusal is not fully applied yet."
		keeps     = "A page of the portal loads only from the portal itself and those domains of the table that are not refused, and by itself sends data to them only."
		accepting = "Accepting also lets pages call the domains named here."
		open      = "a page that is already open keeps what it was allowed when it was loaded"
		anyOther  = "Another domain that the page calls, for a video or a map for example, can set cookies of its own."
		allowed   = "A domain of the table that is allowed can set cookies of its own, and so can a site to which a link or a form leads."
		idle      = "Not enforced yet: it still passes, whatever the answer."
		readable  = "A script of the page can write a cookie itself"
		listed    = "Loads from or sends to: "
		isTrial   = "these cookies still pass, even if refused."
	)
	all := []string{trial, pending, observes, stillFree, keeps, accepting, others, open, anyOther, allowed, idle, readable, listed, isTrial}
	const (
		cookie = "cookie ad {\n purpose p\n category third_party\n consent ad\n}\n"
		hosts  = "host video.example {\n purpose p\n category third_party\n consent video\n}\n"
		tiles  = "host tiles.example {\n purpose p\n category necessary\n}\n"
		more   = "host ad.example {\n consent ad\n}\n"
		script = "script /video.js {\n purpose p\n category third_party\n consent video\n}\n"
	)
	for name, test := range map[string]struct {
		block string
		want  []string
		keeps bool // documents have a policy
	}{
		"no option":              {cookie + more, []string{anyOther, readable, listed}, false},
		"no option, hosts alone": {cookie + hosts, []string{anyOther, readable, listed, pending, stillFree, others, idle}, false},
		"no option, necessary":   {cookie + tiles, []string{anyOther, readable, listed}, false},
		"no option, a script":    {cookie + script, []string{anyOther, readable}, false},
		"hosts":                  {"hosts\n" + cookie + more, []string{keeps, accepting, open, allowed, readable, listed}, true},
		"hosts alone":            {"hosts\n" + cookie + hosts, []string{keeps, accepting, open, allowed, readable, listed}, true},
		"hosts, necessary":       {"hosts\n" + cookie + tiles, []string{keeps, allowed, readable, listed}, true},
		"hosts monitor":          {"hosts monitor\n" + cookie + more, []string{trial, observes, anyOther, readable, listed}, false},
		"hosts monitor, alone":   {"hosts monitor\n" + hosts, []string{trial, observes, others, anyOther, readable, listed, idle}, false},
		"hosts, monitor":         {"hosts\nmonitor\n" + cookie + more, []string{trial, observes, anyOther, readable, listed, idle, isTrial}, false},
		"hosts, a row":           {"hosts\n" + strings.Replace(hosts, "purpose", "monitor\n purpose", 1) + cookie + more, []string{trial, stillFree, keeps, accepting, others, open, allowed, readable, listed, idle}, true},
		"third_party_cookies":    {"third_party_cookies omit\n" + cookie + more, []string{anyOther, readable, listed}, false},
	} {
		t.Run(name, func(t *testing.T) {
			address := "http://" + serve(t, false, "cookie_charter {\n gpc 2026-11-21\n"+test.block+"}\nheader Content-Type text/html\nrespond portal")
			_, shown := get(t, address+pagePath, http.Header{"Accept-Language": {"en"}})
			_, notice := get(t, address+pagePath+"notice", http.Header{"Accept-Language": {"en"}})
			checkSaid(t, name, shown+notice, all, test.want)
			response, _ := get(t, address+"/", nil)
			if hasPolicy := response.Header.Get(document.PolicyField) != ""; hasPolicy != test.keeps {
				t.Errorf("the policy is %q", response.Header.Get(document.PolicyField))
			}
			if slices.Contains(test.want, accepting) && (!strings.Contains(shown, accepting) || !strings.Contains(notice, accepting)) {
				t.Error("the page or the notice does not tell all that is accepted")
			}
			// Global Privacy Control is heeded where every answer is.
			if _, file := get(t, address+page.GPCPath, nil); strings.Contains(file, `"gpc":true`) == slices.Contains(test.want, idle) {
				t.Errorf("%s: %s", page.GPCPath, file)
			}
		})
	}
}

// Where nothing keeps pages from hosts, or scripts from stored items, all of these are told
// that an answer is about, in every language: it is no trial unless something is observed.
func TestPageListsWhatPasses(t *testing.T) {
	const (
		cookie    = "cookie ad {\n purpose p\n category third_party\n consent ad\n host ad.example\n storage ad_*\n}\n"
		necessary = "host tiles.example {\n purpose p\n category necessary\n storage tiles\n}\n"
		hosts     = "host video.example ad.example {\n purpose q\n category third_party\n consent video\n}\n"
		items     = "storage film {\n purpose q\n category third_party\n consent film\n}\n"
	)
	for block, test := range map[string]struct {
		title string
		lists [][]string
	}{
		cookie + necessary:                         {"", nil},
		cookie + necessary + hosts:                 {"Not enforced yet", [][]string{{"ad.example", "video.example"}}},
		cookie + necessary + items:                 {"Not enforced yet", [][]string{{"ad_*", "film"}}},
		"hosts\n" + cookie + necessary + items:     {"Not enforced yet", [][]string{{"ad_*", "film"}}},
		cookie + necessary + hosts + items:         {"Not enforced yet", [][]string{{"ad.example", "video.example"}, {"ad_*", "film"}}},
		"guard monitor\n" + cookie + hosts + items: {"Trial period", [][]string{nil, {"ad.example", "video.example"}, {"ad_*", "film"}}},
		"hosts\n" + cookie + strings.Replace(hosts, "purpose", "script /v.js\n monitor\n purpose", 1): {"Trial period", [][]string{{"video.example", "ad.example"}}},
		"hosts\n" + cookie + strings.Replace(hosts, "purpose", "monitor\n purpose", 1):                {"Trial period", [][]string{{"video.example", "ad.example"}}},
	} {
		address := "http://" + serve(t, false, "cookie_charter {\nlanguages "+strings.Join(page.Languages, " ")+"\n"+block+"}\nrespond portal")
		titles := map[string]bool{}
		for _, language := range page.Languages {
			_, shown := get(t, address+pagePath+"?flg="+language, nil)
			_, box, isThere := strings.Cut(shown, "fr-notice__title\">")
			box, _, _ = strings.Cut(box, "</p>")
			title, box, _ := strings.Cut(box, "</strong><br>")
			if titles[title] = true; language == "en" && title != test.title {
				t.Errorf("%q: the title is %q", block, title)
			}
			var lists [][]string
			if isThere {
				for said := range strings.SplitSeq(box, "<br>") {
					var names []string
					for _, match := range regexp.MustCompile(`<code[^>]*>([^<]*)<`).FindAllStringSubmatch(said, -1) {
						names = append(names, match[1])
					}
					lists = append(lists, names)
				}
			}
			if !reflect.DeepEqual(lists, test.lists) {
				t.Errorf("%q: %s: %q", block, language, lists)
			}
		}
		if want := len(page.Languages); test.title != "" && len(titles) != want {
			t.Errorf("%q: %d titles", block, len(titles))
		}
	}
}

// What is said of cookies holds by what is done about cookies, whatever passes beside them.
func TestPageSaysWhatHoldsOfCookiesBesideHosts(t *testing.T) {
	const (
		cookie  = "cookie ad {\n purpose p\n category third_party\n consent ad\n}\n"
		hosts   = "host video.example {\n purpose q\n category third_party\n consent video\n}\n"
		same    = "host video.example {\n purpose q\n category third_party\n consent ad\n}\n"
		others  = "For what is not a cookie, a refusal is not fully applied yet."
		comesTo = "if you refuse, they are not allowed, and you lose only what they serve."
		chooses = "without an answer from you, a cookie that needs your consent is refused."
		stays   = "A cookie that needs your consent stays refused as long as you have not accepted it."
		asks    = "They are refused until you accept them."
		alone   = "No answer stored. Not enforced yet: it still passes, whatever the answer."
		part    = "No answer stored. " + others
	)
	passing := []string{"some of these cookies", "some of them still pass", "these cookies still pass", "those that are only observed pass"}
	for block, wants := range map[string][]string{
		"hosts monitor\n" + cookie + hosts: {comesTo, chooses, stays, asks, others, alone},
		"hosts monitor\n" + cookie + same:  {comesTo, chooses, stays, asks, others, part},
		cookie + hosts:                     {comesTo, chooses, stays, asks, others, alone},
		cookie + strings.Replace(same, "host video.example", "storage film", 1):        {comesTo, chooses, stays, asks, others, part},
		"hosts\n" + cookie + strings.Replace(hosts, "purpose", "monitor\n purpose", 1): {comesTo, chooses, stays, asks, others, alone},
		"hosts monitor\n" + hosts: {others, alone}, // nothing is said of cookies
		"hosts monitor\n" + strings.Replace(cookie, "purpose", "monitor\n purpose", 1) + hosts:        {others, alone, passing[2], passing[3]},
		"hosts monitor\n" + strings.Replace(cookie, "purpose", "monitor\n purpose", 1) + same:         {others, alone, passing[2], passing[3]},
		"hosts monitor\n" + cookie + strings.Replace(cookie, "ad {\n", "ad2 {\n monitor\n", 1) + same: {asks, others, passing[0], passing[1], passing[3]},
	} {
		address := "http://" + serve(t, false, "cookie_charter {\n"+block+"}\nrespond portal")
		_, shown := get(t, address+pagePath+"?status=lost&at="+fmt.Sprint(time.Now().UnixMilli()), http.Header{"Accept-Language": {"en"}})
		_, notice := get(t, address+pagePath+"notice", http.Header{"Accept-Language": {"en"}})
		checkSaid(t, block, shown+notice, append([]string{comesTo, chooses, stays, asks, others, alone, part}, passing...), wants)
		if _, pasted := get(t, address+pagePath+"?format=notice&flg=en", nil); !strings.Contains(pasted, others) {
			t.Errorf("%q: what is pasted does not say that a refusal is not fully applied", block)
		}
	}
}

// Each sentence about cookies of scripts holds by what the guard does about them, and no
// other is said.
func TestPageSaysWhatHoldsOfScripts(t *testing.T) {
	const (
		trial    = "Trial period"
		observes = "The server only observes which cookies the scripts of pages write"
		writes   = "A script of a page of the portal writes no cookies there but those of the table that are not refused."
		declared = "A script of a page of the portal writes no cookie of the table there that is refused."
		free     = "A script of the page can write a cookie itself, or use the browser’s local storage."
		around   = "A script that is made to get around this protection can still write a cookie, and any script can use the browser’s local storage."
		anyOther = "Another domain that the page calls, for a video or a map for example, can set cookies of its own."
		allowed  = "A domain of the table that is allowed can set cookies of its own"
	)
	all := []string{trial, observes, writes, declared, free, around, anyOther, allowed}
	const (
		cookie    = "cookie ad {\n purpose p\n category third_party\n consent ad\n}\n"
		necessary = "cookie id {\n purpose p\n category necessary\n}\n"
	)
	for block, test := range map[string]struct {
		want []string
		does string // with cookies of scripts: that which the export says
	}{
		cookie:                                    {[]string{free, anyOther}, ""},
		"guard\n" + cookie:                        {[]string{writes, around, anyOther}, "enforce"},
		"guard\n" + necessary:                     {[]string{writes, around, anyOther}, "enforce"},
		"guard\nhosts\n" + cookie:                 {[]string{writes, around, allowed}, "enforce"},
		"guard monitor\n" + cookie:                {[]string{trial, observes, free, anyOther}, "monitor"},
		"guard\nmonitor\n" + cookie:               {[]string{trial, observes, free, anyOther}, "monitor"},
		"guard\nmonitor undeclared\n" + cookie:    {[]string{trial, declared, around, anyOther}, "enforce"},
		"guard\nmonitor undeclared\n" + necessary: {[]string{trial, around, anyOther}, "enforce"},
		"guard\n" + strings.Replace(cookie, "purpose", "monitor\n purpose", 1) + necessary: {[]string{trial, writes, around, anyOther}, "enforce"},
	} {
		address := "http://" + serve(t, false, "cookie_charter {\n"+block+"}\nheader Content-Type text/html\nrespond portal")
		_, shown := get(t, address+pagePath, http.Header{"Accept-Language": {"en"}})
		checkSaid(t, block, shown, all, test.want)
		_, exported := get(t, address+pagePath+"?format=json", nil)
		var said struct{ Guard string }
		if err := json.Unmarshal([]byte(exported), &said); err != nil || said.Guard != test.does {
			t.Errorf("%q: %v, the export says %q", block, err, said.Guard)
		}
		path := filepath.Join(t.TempDir(), "charter.json")
		if err := os.WriteFile(path, []byte(exported), 0o600); err != nil {
			t.Fatal(err)
		}
		if again, err := charter.LoadFile(path); err != nil || len(again.Rows) == 0 {
			t.Errorf("%q: read again: %v", block, err)
		}
		// What the script itself does.
		_, body := get(t, address+"/", nil)
		if reference := regexp.MustCompile(`guard\.js\?v=[0-9a-f]+`).FindString(body); (reference != "") != (test.does != "") {
			t.Errorf("%q: %q", block, body)
		} else if reference != "" {
			_, script := get(t, address+pagePath+reference, nil)
			if monitors := strings.Contains(script, "sendBeacon"); monitors != (test.does == "monitor") {
				t.Errorf("%q: the script monitors: %v", block, monitors)
			}
			if passes := !strings.Contains(script, ` 8 34560000 *`); passes != strings.Contains(block, "monitor undeclared") {
				t.Errorf("%q: the script lets through what no row declares: %v", block, passes)
			}
		}
	}
}

// The page lists hosts with their rows, in the tables and where it asks, in all languages.
func TestPageListsHosts(t *testing.T) {
	address := "http://" + serve(t, false, `cookie_charter {
	languages ar ca de en es eu fr it nl pt sv
	cookie ad {
		service Advertising
		purpose p
		category third_party
		consent ad
		duration "2 days"
		host ad.example *.ad.example
	}
	host more.example {
		consent ad
	}
	host video.example {
		purpose q
		category third_party
		consent ad
	}
	host film.example {
		purpose q
		category third_party
		consent film
	}
}`)
	for _, language := range page.Languages {
		_, shown := get(t, address+pagePath+"?flg="+language, nil)
		const listed = `<code dir="ltr">ad.example</code>, <code dir="ltr">*.ad.example</code>, <code dir="ltr">more.example</code>`
		if strings.Count(shown, listed+"</small></td>") != 1 || strings.Count(shown, listed+`, <code dir="ltr">video.example</code></dd>`) != 1 {
			t.Errorf("%s: hosts are not listed once in the table and once in the question: %s", language, shown)
		}
		if got := publishedNames(t, shown); !slices.Equal(got, []string{"charter_preference", "__Host-charter_preference", "ad", "–", "–"}) {
			t.Errorf("%s: rows %q", language, got)
		}
		// What is asked of cookies alone is told of these, and of nothing else.
		if strings.Count(shown, "<dt>") != 4+5+3 || strings.Count(shown, `<dd id="purposes.film">q</dd>`) != 1 {
			t.Errorf("%s: %d terms", language, strings.Count(shown, "<dt>"))
		}
	}
	for _, path := range []string{"notice?flg=en", "?flg=en&format=notice"} {
		_, notice := get(t, address+pagePath+path, nil)
		if strings.Count(notice, `<br>p q<br>Loads from or sends to: <code dir="ltr">ad.example</code>, <code dir="ltr">*.ad.example</code>, <code dir="ltr">more.example</code>, <code dir="ltr">video.example</code><`) != 1 ||
			strings.Count(notice, `<br>q<br>Loads from or sends to: <code dir="ltr">film.example</code><`) != 1 {
			t.Errorf("%s: hosts are not named after the purposes of their question: %s", path, notice)
		}
	}
	_, shown := get(t, address+pagePath+"?flg=en", nil)
	if !strings.Contains(shown, "<dd>2 days at most</dd>") {
		t.Error("a row of hosts takes away how long cookies are kept")
	}
	_, knowledge := get(t, address+pagePath+"?format=edpb", nil)
	if strings.Count(knowledge, `"name": "ad"`) != 1 || strings.Contains(knowledge, "video.example") {
		t.Errorf("the knowledge base knows cookies only: %s", knowledge)
	}
}

// The page lists stored items with the names of their rows' cookies, and says how long either is
// kept, in the tables, where it asks, and in the notice, in all languages. Tables without any
// have the heads that they have elsewhere.
func TestPageListsStorage(t *testing.T) {
	address := "http://" + serve(t, false, `cookie_charter {
	languages ar ca de en es eu fr it nl pt sv
	cookie ad {
		service Advertising
		purpose p
		category third_party
		consent ad
		duration "2 days"
		host ad.example
	}
	storage ad:<b> ad_* {
		consent ad
	}
	storage film {
		purpose q
		category statistics
		consent film
	}
	cookie old {
		purpose q
		category third_party
		consent old
		storage older
	}
	cookie both {
		purpose q
		category third_party
		consent both
		duration "3 days"
	}
	storage more {
		purpose q
		category third_party
		consent both
	}
}`)
	const items = `<code dir="ltr">ad:&lt;b&gt;</code>, <code dir="ltr">ad_*</code>`
	labels := regexp.MustCompile(`data-label="([^"]*)"`)
	for _, language := range page.Languages {
		_, shown := get(t, address+pagePath+"?flg="+language, nil)
		_, notice := get(t, address+pagePath+"notice?flg="+language, nil)
		for _, want := range []string{
			items + "</small></th>", items + "</dd>", `: <code dir="ltr">film</code></dd>`, `: <code dir="ltr">film</code></small></th>`,
			`<code dir="ltr">ad.example</code></small></td>`,
		} {
			if count := strings.Count(shown, want); count != 1 {
				t.Errorf("%s: %d times %s in %s", language, count, want, shown)
			}
		}
		if strings.Count(notice, items+" (") != 1 || strings.Count(notice, `: <code dir="ltr">film</code> (`) != 1 {
			t.Errorf("%s: the notice does not list what is stored: %s", language, notice)
		}
		names := map[string]int{}
		for _, label := range labels.FindAllStringSubmatch(shown, -1) {
			names[label[1]]++
		}
		heads := strings.Count(shown, `<th scope="col"`)
		if len(names) != 6 || heads != 15 {
			t.Errorf("%s: columns %v, %d heads", language, names, heads)
		}
	}
	_, shown := get(t, address+pagePath+"?flg=en", nil)
	_, notice := get(t, address+pagePath+"notice?flg=en", nil)
	for _, want := range []string{
		"<dt>How long</dt><dd>Cookies: 2 days at most<br>Stored in the browser: until deleted</dd>", "<dt>How long</dt><dd>Stored in the browser: until deleted</dd>",
		"<dt>How long</dt><dd>Cookies: 3 days at most<br>Stored in the browser: until deleted</dd>", "<dt>How long</dt><dd>Cookies: duration not declared<br>Stored in the browser: until deleted</dd>",
		`<dt>Name of the cookie or item</dt><dd>Stored in the browser: <code dir="ltr">film</code></dd>`,
		`data-label="Name of the cookie"><code dir="ltr">charter_preference</code>`, `data-label="Name of the cookie or item"><code dir="ltr">ad</code><br><small>Stored in the browser: ` + items,
		`data-label="Service and location">–</td>`,
		`data-label="Duration">6 months</td>`, `data-label="Duration">Cookies: 2 days<br><small>Stored in the browser: until deleted</small></td>`,
		`data-label="Duration"><small>Stored in the browser: until deleted</small></td>`, `data-label="Duration">Cookies: –<br><small>Stored in the browser: until deleted</small></td>`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %s in %s", want, shown)
		}
	}
	for _, want := range []string{
		` (Cookies: 2 days at most)<br>p<br>Loads from or sends to: <code dir="ltr">ad.example</code><br>Stored in the browser: ` + items + " (until deleted)<br>", `</bdi><br>q<br>Stored in the browser: <code dir="ltr">film</code> (until deleted)<br>`,
	} {
		if !strings.Contains(notice, want) {
			t.Errorf("no %s in %s", want, notice)
		}
	}
	_, markdown := get(t, address+pagePath+"?format=markdown&flg=en", nil)
	for _, want := range []string{
		"| Service and location | Name of the cookie | Purposes |", "| Service and location | Name of the cookie or item | Purposes |",
		`| Advertising; Loads from or sends to: ad.example | ad; Stored in the browser: ad:&lt;b>, ad\_\* | p | Cookies: 2 days; Stored in the browser: until deleted |`,
		"|  |  | Stored in the browser: film | q | Stored in the browser: until deleted |", "| old; Stored in the browser: older | q | Cookies: –; Stored in the browser: until deleted |",
	} {
		if !strings.Contains(markdown, want) {
			t.Errorf("no %s in %s", want, markdown)
		}
	}
	_, knowledge := get(t, address+pagePath+"?format=edpb", nil)
	if strings.Contains(knowledge, "ad_*") || strings.Contains(knowledge, "film") {
		t.Errorf("the knowledge base knows cookies only: %s", knowledge)
	}
}

// An answer about stored items counts where the guard keeps scripts to it, and the page says
// where it does not.
func TestPageSaysWhatHoldsOfStorage(t *testing.T) {
	const (
		row       = "storage ph_* {\n purpose p\n category statistics\n}\n"
		hosts     = "host stats.example {\n consent statistics\n}\n"
		stillFree = "Nothing keeps scripts from storing these items of the table in the browser yet, even if you refuse them:"
		hostsFree = "Nothing keeps pages from calling these domains of the table yet"
		idle      = "Not enforced yet: it still passes, whatever the answer."
	)
	for block, want := range map[string][]string{
		row:                     {stillFree, idle},
		"guard\n" + row:         nil,
		"guard monitor\n" + row: {stillFree, idle},
		"guard\n" + strings.Replace(row, "purpose", "monitor\n purpose", 1): {stillFree, idle},
		"guard\n" + row + hosts:                                              {hostsFree, idle},
		"hosts\n" + row + hosts:                                              {stillFree, idle},
		"hosts\nguard\n" + row + hosts:                                       nil,
		strings.Replace(row, "statistics", "necessary", 1):                   nil,
		"cookie _ph {\n storage ph_*\n purpose p\n category statistics\n}\n": nil, // its cookies are kept
	} {
		address := "http://" + serve(t, false, "cookie_charter {\n"+block+"}\nrespond portal")
		_, shown := get(t, address+pagePath, http.Header{"Accept-Language": {"en"}})
		checkSaid(t, block, shown, []string{stillFree, hostsFree, idle}, want)
	}
}

// Where the guard keeps scripts to a refusal of stored items, and only there, the page says
// that, on what either answer comes to, and no longer that scripts can store anything.
func TestPageSaysWhatIsDoneAboutStorage(t *testing.T) {
	const (
		row       = "storage ph_* {\n purpose p\n category statistics\n}\n"
		necessary = "storage cart {\n purpose p\n category necessary\n}\n"
		cookie    = "cookie ad {\n purpose p\n category third_party\n consent ad\n storage ad_*\n}\n"
		alone     = "cookie ad {\n purpose p\n category third_party\n consent ad\n}\n"
		keeps     = "A script of a page of the portal keeps no item of the table in the browser that is refused; those that are still there are removed."
		removed   = "Those that you refuse are removed by the portal’s pages."
		same      = "they are not allowed, and you lose only what they serve. The same holds for the items named here that are stored in the browser."
		itself    = "if you refuse, it is not allowed, and you lose only what it serves."
		free      = "A script of the page can write a cookie itself, or use the browser’s local storage."
		around    = "and any script can use the browser’s local storage."
		others    = "can still write a cookie or keep an item, and any script can use the browser’s storage for what is not in the table."
	)
	monitored := func(row string) string { return strings.Replace(row, "purpose", "monitor\n purpose", 1) }
	kept := []string{keeps, removed, same, others}
	keptAlone := []string{keeps, removed, itself, others} // no answer is about cookies
	for block, want := range map[string][]string{
		row:                                    {free},
		cookie:                                 {free},
		"guard monitor\n" + row:                {free},
		"guard\nmonitor\n" + row:               {free},
		"guard\n" + row:                        keptAlone,
		"guard\n" + cookie:                     kept,
		"guard\n" + cookie + row + necessary:   kept,
		"guard\nmonitor undeclared\n" + row:    keptAlone,
		"guard\n" + monitored(necessary) + row: keptAlone,
		"guard\n" + alone:                      {around},
		"guard\n" + necessary + alone:          {around}, // nobody can refuse it
		"guard\n" + monitored(row):             {around},
		"guard\n" + monitored(cookie):          {around},
		"guard\n" + monitored(row) + cookie:    {around}, // of some, nothing of it is so
		"guard\n" + monitored(cookie) + row:    {around},
		"guard\n" + row + monitored(alone):     {keeps, removed, others}, // of cookies, an answer comes to nothing yet
		"guard\nhosts\n" + row + "host a.example {\n consent statistics\n}\n": keptAlone,
	} {
		address := "http://" + serve(t, false, "cookie_charter {\n"+block+"}\nheader Content-Type text/html\nrespond portal")
		_, shown := get(t, address+pagePath, http.Header{"Accept-Language": {"en"}})
		_, notice := get(t, address+pagePath+"notice", http.Header{"Accept-Language": {"en"}})
		checkSaid(t, block, shown, []string{keeps, removed, same, itself, free, around, others}, want)
		for _, comesTo := range []string{same, itself} {
			if strings.Contains(notice, comesTo) != slices.Contains(want, comesTo) {
				t.Errorf("%q: the notice says %s", block, notice)
			}
		}
		// What the script itself does: it has the items, and the visitor's answer decides.
		_, body := get(t, address+"/", nil)
		_, script := get(t, address+pagePath+regexp.MustCompile(`guard\.js\?v=[0-9a-f]+|$`).FindString(body), nil)
		holds := false
		for _, kind := range regexp.MustCompile(`(\d+) \d+ (?:ph|ad)_\*`).FindAllStringSubmatch(script, -1) {
			number, _ := strconv.Atoi(kind[1])
			if holds = number>>3 > 1 && !strings.Contains(script, "sendBeacon"); !holds {
				break
			}
		}
		if holds != slices.Contains(want, keeps) {
			t.Errorf("%q: the script holds items: %v", block, holds)
		}
	}
}

// What the page means beside cookies, and by an asterisk, it says where its rows have that.
func TestPageSaysWhatItIsAbout(t *testing.T) {
	const (
		cookie  = "cookie ad {\n purpose p\n category third_party\n"
		storage = "This policy is also about items that scripts keep in the browser’s storage. Those of local storage and databases stay there until the site, you or the browser delete them; those of session storage, until the tab is closed."
		prefix  = "A name that ends in * stands for all names that begin with what comes before it."
	)
	for block, want := range map[string][]string{
		"":                             nil,
		cookie + "}":                   nil,
		cookie + "host *.a.example\n}": nil,
		cookie + "match ad_*\n}":       nil, // people do not read it
		"cookie ad_* {\n purpose p\n category necessary\n}": {prefix},
		cookie + "storage ad\n}":                            {storage},
		"storage ad {\n purpose p\n category necessary\n}":  {storage},
		cookie + "storage ad_*\n}":                          {storage, prefix},
	} {
		address := "http://" + serve(t, false, "cookie_charter {\nlanguages "+strings.Join(page.Languages, " ")+"\n"+block+"\n}\nrespond portal")
		_, shown := get(t, address+pagePath+"?flg=en", nil)
		checkSaid(t, block, shown, []string{storage, prefix}, want)
		for _, language := range page.Languages {
			_, shown := get(t, address+pagePath+"?flg="+language, nil)
			_, what, _ := strings.Cut(shown, "<section class=\"charter-section\">\n<h2>")
			what, _, _ = strings.Cut(what, "</section>")
			if strings.Contains(what, "*") != slices.Contains(want, prefix) {
				t.Errorf("%q: %s: %s", block, language, what)
			}
		}
	}
}

// Where answers decide about no cookie, the page and the notice ask of none.
func TestPageAsksOfWhatThereIs(t *testing.T) {
	const (
		cookie   = "cookie ad {\n purpose p\n category third_party\n consent ad\n}\n"
		more     = "storage ad_*\n"
		items    = "storage ph_* {\n purpose p\n category statistics\n}\n"
		hosts    = "host video.example {\n purpose q\n category third_party\n}\n"
		ofCookie = "without an answer from you, a cookie that needs your consent is refused."
		trial    = "a cookie that needs your consent counts as refused."
		ofAll    = "without an answer from you, what needs your consent counts as refused."
		cookies  = "This portal would like to use cookies that need your consent."
		follows  = "This portal asks for your consent to what follows. Without an answer from you, it counts as refused."
		others   = "For what is not a cookie, a refusal is not fully applied yet."
		allows   = "If you accept, these cookies are allowed"
		allowsIt = "If you accept, what is asked about here is allowed"
		lets     = "Accepting also lets pages call the domains named here."
		stays    = "A cookie that needs your consent stays refused"
	)
	for block, want := range map[string][]string{
		cookie: {ofCookie, cookies, allows, stays},
		strings.Replace(cookie, "purpose", more+"purpose", 1): {ofCookie, cookies, allows, stays},
		cookie + items:                    {ofCookie, cookies, allows, stays, others},
		"guard\n" + cookie + items:        {ofCookie, cookies, allows, stays},
		"monitor\n" + cookie + items:      {trial, cookies},
		"guard\n" + items:                 {ofAll, follows, allowsIt},
		"hosts\n" + hosts:                 {ofAll, follows, allowsIt, lets},
		"hosts\nguard\n" + hosts + items:  {ofAll, follows, allowsIt, lets},
		"hosts\n" + hosts + items:         {ofAll, follows, others}, // an answer comes to nothing for the items
		items:                             {ofAll, follows, others},
		"monitor\nguard\nhosts\n" + items: {ofAll, follows, others},
		"script /v.js {\n purpose p\n category third_party\n}\n": {ofCookie, cookies, allows, stays}, // which sets some
	} {
		address := "http://" + serve(t, false, "cookie_charter {\n"+block+"}\nrespond portal")
		_, shown := get(t, address+pagePath+"?status=lost&at="+fmt.Sprint(time.Now().UnixMilli()), http.Header{"Accept-Language": {"en"}})
		_, notice := get(t, address+pagePath+"notice", http.Header{"Accept-Language": {"en"}})
		checkSaid(t, block, shown+notice, []string{ofCookie, trial, ofAll, cookies, follows, others, allows, allowsIt, stays, lets}, want)
		for _, comesTo := range []string{allows, allowsIt, lets} {
			if strings.Contains(notice, comesTo) != strings.Contains(shown, comesTo) {
				t.Errorf("%q: the page and the notice differ in %q", block, comesTo)
			}
		}
	}
}

const twoQuestions = "cookie_charter {\n preset opendatasoft matomo\n cookie _ga {\n  provider Google\n  purpose \"Counts visitors\"\n  category statistics\n  consent ga\n }\n}\n"

func TestForm(t *testing.T) {
	address := "http://" + serve(t, false, twoQuestions)
	stored := fmt.Sprintf(`cookies_preferences={"matomo":true,"functional_cookies":true,"timestamp":%d}`, time.Now().Add(-time.Hour).UnixMilli())
	for _, test := range []struct {
		cookie, body, status string
		want                 map[string]string
	}{
		{"", "all=granted", "saved", map[string]string{"matomo": "granted", "ga": "granted"}},
		{"", "all=refused", "saved", map[string]string{"matomo": "refused", "ga": "refused"}},
		{"", "answer.matomo=granted", "saved", map[string]string{"matomo": "granted"}},
		{"", "answer.matomo=granted&answer.ga=refused", "saved", map[string]string{"matomo": "granted", "ga": "refused"}},
		{"", "answer.matomo=granted&all=refused", "saved", map[string]string{"matomo": "refused", "ga": "refused"}},
		{"", "answer.matomo=refused&all=granted", "saved", map[string]string{"matomo": "refused", "ga": "granted"}},
		{stored, "answer.ga=refused", "saved", map[string]string{"matomo": "granted", "ga": "refused", "functional_cookies": "granted"}},
		{stored, "answer.matomo=refused", "saved", map[string]string{"matomo": "refused", "functional_cookies": "granted"}},
		{"", "", "unchanged", nil},
	} {
		header := form.Clone()
		header.Set("Cookie", test.cookie)
		before := time.Now().Truncate(time.Millisecond)
		response, _ := do(t, http.MethodPost, address+pagePath, header, test.body)
		if response.StatusCode != http.StatusSeeOther || !regexp.MustCompile(`^\?(at=\d+&)?status=`+test.status+`(&turn=0)?$`).MatchString(response.Header.Get("Location")) || response.Header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: %s to %q", test.body, response.Status, response.Header.Get("Location"))
		}
		lines := response.Header["Set-Cookie"]
		if test.want == nil {
			if lines != nil {
				t.Errorf("%s: set %q", test.body, lines)
			}
			continue
		}
		if len(lines) != 1 {
			t.Fatalf("%s: set %q", test.body, lines)
		}
		pair, attributes, _ := strings.Cut(lines[0], ";")
		if attributes != " Path=/; SameSite=Lax; Max-Age=15778476" {
			t.Errorf("%s: attributes %q", test.body, attributes)
		}
		_, value, _ := strings.Cut(pair, "=")
		text, err := url.PathUnescape(value)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			t.Fatal(err)
		}
		if at, ok := members["timestamp"].(float64); !ok || int64(at) < before.UnixMilli() {
			t.Errorf("%s: timestamp in %q", test.body, pair)
		}
		stored := map[string]string{}
		for key, value := range members {
			if granted, ok := value.(bool); ok {
				stored[key] = map[bool]string{true: "granted", false: "refused"}[granted]
			}
		}
		if !maps.Equal(stored, test.want) {
			t.Errorf("%s: stored %v, want %v", test.body, stored, test.want)
		}

		// The page that follows says so.
		_, page := get(t, address+pagePath+response.Header.Get("Location")+"&flg=en", http.Header{"Cookie": {pair}})
		if !strings.Contains(page, `<p class="charter-status fr-alert fr-alert--success" role="status" tabindex="-1" autofocus>Your choices have been saved.</p>`) || !strings.Contains(page, "<title>Your choices have been saved. –") {
			t.Errorf("%s: no status", test.body)
		}
		for key, value := range test.want {
			input := fmt.Sprintf(`name="answer.%s" value="%s" checked>`, key, value)
			if strings.Contains(page, input) != (key != "functional_cookies") {
				t.Errorf("%s: %s is not shown", test.body, input)
			}
		}
	}
	stamped := func(at time.Time) string {
		return fmt.Sprintf(`cookies_preferences={"matomo":true,"timestamp":%d}`, at.UnixMilli())
	}
	now := time.Now()
	for cookies, want := range map[string]string{
		"":     "Your choices were not kept",
		stored: "Your choices were not kept",
		// Another copy counts where it says otherwise.
		stamped(now.Add(-time.Second)) + "; " + stamped(now):    "Your choices have been saved",
		stamped(now) + "; cookies_preferences={}":               "Your choices have been saved",
		stamped(now) + `; cookies_preferences={"matomo":false}`: "Your choices were not kept",
		stamped(now) + "; cookies_preferences=junk":             "Your choices were not kept",
		stamped(now): "Your choices have been saved",
		stamped(now.Add(time.Second)) + "; " + stamped(now): "Your choices have been saved",
		stamped(now.Add(48 * time.Hour)):                    "Your choices were not kept", // not one of ours
	} {
		query := "?flg=en&status=saved&at=" + fmt.Sprint(now.UnixMilli())
		response, page := get(t, address+pagePath+query, http.Header{"Cookie": {cookies}})
		if location := response.Header.Get("Location"); location != "" {
			_, page = get(t, address+pagePath+location, http.Header{"Cookie": {cookies}})
		}
		if !strings.Contains(page, want) {
			t.Errorf("does not say %s with %s", want, cookies)
		}
		// Where a link from elsewhere leads, nothing is told.
		response, page = get(t, address+pagePath+query, http.Header{"Cookie": {cookies}, "Sec-Fetch-Site": {"cross-site"}})
		if strings.Contains(page, "charter-status") || response.StatusCode != http.StatusOK {
			t.Errorf("a link tells what was done: %s", response.Status)
		}
	}
	// An address that comes back later tells nothing of what was done long ago.
	for _, at := range []string{"", "x", "2", fmt.Sprint(now.Add(-time.Hour).UnixMilli()), fmt.Sprint(now.Add(48 * time.Hour).UnixMilli())} {
		if _, page := get(t, address+pagePath+"?flg=en&status=saved&at="+at, nil); strings.Contains(page, "charter-status") {
			t.Errorf("tells of %q", at)
		}
	}
	_, page := get(t, address+pagePath+"?flg=en&status=%3Cb%3E", nil)
	if strings.Contains(page, "charter-status") {
		t.Error("an unknown status is shown")
	}
	response, _ := do(t, http.MethodPost, address+pagePath+"?flg=en-gb&status=lost", form, "all=granted")
	if got := response.Header.Get("Location"); !regexp.MustCompile(`^\?at=\d+&flg=en&status=saved$`).MatchString(got) {
		t.Errorf("leads to %q", got)
	}
}

// The answer to a form post goes by what it stores, not by what was stored.
func TestFormAnswersByNewAnswers(t *testing.T) {
	address := "http://" + serve(t, false, twoQuestions)
	for _, copies := range []int{1, 2} {
		header := form.Clone()
		header.Set("Cookie", strings.Repeat(`cookies_preferences={"matomo":false,"ga":true}; `, copies)+"_pk_id.1=x; _ga=x")
		response, _ := do(t, http.MethodPost, address+pagePath, header, "answer.matomo=granted&answer.ga=refused")
		lines := strings.Join(response.Header["Set-Cookie"], "\n")
		if !strings.Contains(lines, "_ga=; ") || strings.Contains(lines, "_pk_id") {
			t.Errorf("%d copies: set %s", copies, lines)
		}
	}
}

func TestFormRefusals(t *testing.T) {
	address := serve(t, false, twoQuestions)
	urlencoded := "application/x-www-form-urlencoded"
	for _, test := range []struct {
		header http.Header
		body   string
		want   int
	}{
		{http.Header{"Sec-Fetch-Site": {"cross-site"}}, "all=granted", http.StatusForbidden},
		{http.Header{"Sec-Fetch-Site": {"same-site"}}, "all=granted", http.StatusForbidden},
		{http.Header{"Origin": {"https://elsewhere.example"}}, "all=granted", http.StatusForbidden},
		{http.Header{"Origin": {"null"}}, "all=granted", http.StatusForbidden},
		{http.Header{"Sec-Fetch-Site": {"same-origin"}}, "all=granted", http.StatusSeeOther},
		{http.Header{"Origin": {"http://" + address}}, "all=granted", http.StatusSeeOther},
		{http.Header{"Content-Type": {urlencoded + "; charset=utf-8"}}, "all=granted", http.StatusSeeOther},
	} {
		header := form.Clone()
		maps.Copy(header, test.header)
		response, _ := do(t, http.MethodPost, "http://"+address+pagePath, header, test.body)
		if response.StatusCode != test.want {
			t.Errorf("%v %.40s: %s", test.header, test.body, response.Status)
		}
		if set := response.Header["Set-Cookie"]; (set != nil) != (test.want == http.StatusSeeOther) {
			t.Errorf("%v %.40s: set %q", test.header, test.body, set)
		}
	}
}

// The preference cookie is Secure where the visitor sees https, and lives as
// long as its row says.
func TestStoredCookie(t *testing.T) {
	address := serve(t, true, twoQuestions)
	for version, client := range clients(t) {
		response, err := client.Post("https://"+address+pagePath, form.Get("Content-Type"), strings.NewReader("all=refused"))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		head, err := client.Head("https://" + address + pagePath)
		if err != nil || head.StatusCode != http.StatusOK || head.ContentLength <= 0 {
			t.Errorf("%s: HEAD gives %v, %v", version, head, err)
		}
		if line := response.Header.Get("Set-Cookie"); !strings.HasSuffix(line, "; Path=/; SameSite=Lax; Max-Age=15778476; Secure") {
			t.Errorf("%s: %q", version, line)
		}
	}
	for duration, want := range map[string]string{"3 months": "; Path=/; SameSite=Lax; Max-Age=7889238", "1 year": "; Path=/; SameSite=Lax; Max-Age=31556952", "session": "; Path=/; SameSite=Lax"} {
		address := "http://" + serve(t, false, `
			cookie_charter {
				preset matomo
				preference opendatasoft choices
				cookie choices {
					purpose "Remembers the choice"
					category necessary
					duration "`+duration+`"
				}
			}`)
		response, _ := do(t, http.MethodPost, address+pagePath, form, "all=refused")
		if line := response.Header.Get("Set-Cookie"); !strings.HasPrefix(line, "choices=") || !strings.HasSuffix(line, want) {
			t.Errorf("%s: %q", duration, line)
		}
		_, page := get(t, address+pagePath+"?flg=en", nil)
		if told := "Your choice is kept for: " + strings.Replace(duration, "session", "Session", 1) + "."; !strings.Contains(page, told) {
			t.Errorf("the page does not tell %q", told)
		}
	}
}

// Keys of the portal's own banner are kept only while the cookie has room.
func TestStoredCookieHasRoom(t *testing.T) {
	address := "http://" + serve(t, false, twoQuestions)
	header := form.Clone()
	header.Set("Cookie", `cookies_preferences={"`+strings.Repeat("x", 4000)+`":true}`)
	response, _ := do(t, http.MethodPost, address+pagePath, header, "all=refused")
	line := response.Header.Get("Set-Cookie")
	if !strings.HasPrefix(line, "cookies_preferences=") || strings.Contains(line, "xxxx") {
		t.Errorf("%.200q", line)
	}
}

// All that the page answers refuses to be shown in a frame, so that nobody clicks
// on it unawares, and a post from inside one stores and records nothing.
func TestFrames(t *testing.T) {
	site := "cookie_charter {\n preset opendatasoft matomo\n record_choices\n}\nrespond portal"
	address := "http://" + serve(t, false, site)
	for _, request := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "", "", 200},
		{"HEAD", "", "", 200},
		{"GET", "?flg=ar", "", 200},
		{"GET", "?format=json", "", 200},
		{"GET", "?format=markdown", "", 200},
		{"GET", "?format=edpb", "", 200},
		{"GET", "notice", "", 200},
		{"GET", "notice?return=/x", "", 200},
		{"POST", "notice", "all=granted", 405},
		{"PUT", "", "", 405},
		{"POST", "", "all=granted", 303},
		{"POST", "", "all=maybe", 303},
		{"GET", "?format=xml", "", 400},
	} {
		response, _ := do(t, request.method, address+pagePath+request.path, form, request.body)
		if got := response.Header["Content-Security-Policy"]; len(got) != 1 || !strings.HasPrefix(got[0], "default-src 'none'; ") || response.StatusCode != request.status {
			t.Errorf("%s %s: %s, %q", request.method, request.path, response.Status, got)
		}
	}
	if _, notice := get(t, address+pagePath+"notice", http.Header{"Sec-Gpc": {"1"}}); notice != "" {
		t.Fatal("the notice is not empty")
	}
	for _, path := range []string{pagePath + "style.css", pagePath + "notice.css", pagePath + "charter.schema.json", "/"} {
		if response, _ := get(t, address+path, nil); response.Header["Content-Security-Policy"] != nil {
			t.Errorf("%s: %q", path, response.Header["Content-Security-Policy"])
		}
	}
	before := len(records(t))
	for _, destination := range []string{"iframe", "frame", "embed", "object", "fencedframe"} {
		header := form.Clone()
		maps.Copy(header, http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Dest": {destination}})
		response, body := do(t, http.MethodPost, address+pagePath+"?flg=en", header, "all=granted")
		if response.StatusCode != http.StatusForbidden || response.Header["Set-Cookie"] != nil || body != "Nothing was stored: choices cannot be made inside another page. Open "+address+pagePath+" and make them there.\n" {
			t.Errorf("%s: %s, %q, %q", destination, response.Status, response.Header, body)
		}
		// These words are the only ones that a frame can show.
		if response.Header["Content-Security-Policy"] != nil || response.Header.Get("Content-Type") != "text/plain; charset=utf-8" || response.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %q", destination, response.Header)
		}
	}
	if got := len(records(t)); got != before {
		t.Errorf("%d records of posts from frames", got-before)
	}
	header := form.Clone()
	maps.Copy(header, http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Dest": {"document"}})
	if response, _ := do(t, http.MethodPost, address+pagePath, header, "all=granted"); response.StatusCode != http.StatusSeeOther {
		t.Errorf("from the page itself: %s", response.Status)
	}
}

// What a browser did not keep is told to the visitor, counted, and recorded beside
// the choice, from the page and from the notice.
func TestLostChoices(t *testing.T) {
	for _, format := range []string{"charter", "opendatasoft", "json choice"} {
		address := "http://" + serve(t, false, "cookie_charter {\n preset matomo\n preference "+format+"\n record_choices\n}\nmetrics /metrics")
		lost := func() string {
			_, metrics := get(t, address+"/metrics", nil)
			return regexp.MustCompile(`\ncaddy_cookie_charter_lost_choices_total (\d+)\n`).FindStringSubmatch(metrics)[1]
		}
		follow := func(location string, header http.Header) (*http.Response, string) {
			response, page := get(t, address+pagePath+location+"&flg=en", header)
			if next := response.Header.Get("Location"); strings.HasPrefix(next, "?") {
				return get(t, address+pagePath+next, header)
			}
			return response, page
		}
		earlier, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted")
		for i, body := range []string{"all=granted", "all=refused&return=/explore"} {
			before := len(records(t))
			response, _ := do(t, http.MethodPost, address+pagePath, form, body)
			location, cookie := response.Header.Get("Location"), storedBy(response)
			sent, err := url.Parse(location)
			if err != nil || len(records(t)) != before+1 {
				t.Fatalf("%s, %s: %d records", format, body, len(records(t))-before)
			}
			reference := sent.Query().Get("reference")

			// Kept: it is told, or leads back.
			response, page := follow(location, http.Header{"Cookie": {cookie}, "Sec-Fetch-Site": {"same-origin"}})
			if i == 0 && !strings.Contains(page, "have been saved. Reference of the record, without your name: "+reference) || i == 1 && response.Header.Get("Location") != "/explore" {
				t.Errorf("%s, %s: %s, kept, %q", format, body, response.Status, response.Header.Get("Location"))
			}
			// A link from elsewhere can neither tell nor record anything, nor lead on.
			response, page = follow(location, http.Header{"Sec-Fetch-Site": {"cross-site"}})
			if response.StatusCode != http.StatusOK || strings.Contains(page, "charter-status") {
				t.Errorf("%s, %s: %s by a link", format, body, response.Status)
			}
			if len(records(t)) != before+1 || lost() != fmt.Sprint(2*i) {
				t.Errorf("%s, %s: kept, or by a link, and recorded as lost", format, body)
			}
			// Nor can it later, when the choice may have been deleted.
			later := sent.Query()
			later.Set("at", fmt.Sprint(time.Now().Add(-2*time.Minute).UnixMilli()))
			if _, page = follow("?"+later.Encode(), nil); strings.Contains(page, "charter-status") || len(records(t)) != before+1 {
				t.Errorf("%s, %s: recorded as lost after two minutes", format, body)
			}
			// Not kept, or not this one: both are recorded, with what is in force.
			for n, cookies := range []string{"", storedBy(earlier)} {
				_, page = follow(location, http.Header{"Cookie": {cookies}, "Sec-Fetch-Site": {"same-origin"}})
				if !strings.Contains(page, "Your choices were not kept") || strings.Contains(page, reference) {
					t.Errorf("%s, %s: a lost choice is not told", format, body)
				}
				found := records(t)
				if len(found) != before+2+n || !strings.Contains(string(found[len(found)-1]), `"msg":"choice not stored","reference":"`+reference+`"`) || !strings.Contains(string(found[len(found)-1]), `"in_force":{"matomo":"`+[]string{"none", "granted"}[n]+`"}`) || lost() != fmt.Sprint(2*i+n+1) {
					t.Errorf("%s, %s: %d records, %s lost", format, body, len(found)-before, lost())
				}
			}
		}
	}
}

// The page shows a reference to who has it stored, and to nobody else.
func TestReferenceIsTheVisitors(t *testing.T) {
	for _, format := range []string{"charter", "opendatasoft", "json choice"} {
		address := "http://" + serve(t, false, "cookie_charter {\n preset matomo\n preference "+format+"\n record_choices\n}")
		response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted")
		cookie, location := storedBy(response), response.Header.Get("Location")
		reference := regexp.MustCompile(`[A-Z2-7]{26}`).FindString(location)
		const made = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		for location, want := range map[string]string{
			location: reference, strings.Replace(location, reference, made, 1): "",
			strings.Replace(location, "saved", "unchanged", 1): reference, strings.Replace(strings.Replace(location, "saved", "unchanged", 1), reference, made, 1): "",
		} {
			_, page := get(t, address+pagePath+location, http.Header{"Cookie": {cookie}})
			_, status, _ := strings.Cut(page, `<p class="charter-status `)
			status, _, _ = strings.Cut(status, "</p>")
			if got := regexp.MustCompile(`[A-Z2-7]{26}`).FindString(status); got != want || strings.Contains(page, made) {
				t.Errorf("%s, %s: shows %q, want %q", format, location, got, want)
			}
		}
	}
}

// The path of Global Privacy Control is the page's where that is not served.
func TestPageAtThePathOfGPC(t *testing.T) {
	address := "http://" + serve(t, false, "cookie_charter {\n page /.well-known/gpc.json\n}\nrespond portal")
	if _, body := get(t, address+"/.well-known/gpc.json", nil); !strings.Contains(body, "<!DOCTYPE html>") {
		t.Errorf("got %.60s", body)
	}
}

// As long as a choice holds, the page shows when it was given, to which version, and the
// reference of its record: what the module has written, and nothing else.
func TestProofOfChoice(t *testing.T) {
	const given, to, of = "Your answers were given on ", "Your answers were given to version ", "Reference of the record"
	for _, format := range []string{"charter", "opendatasoft", "json choice"} {
		kept := t.TempDir()
		address := "http://" + serve(t, false, "cookie_charter {\n preset matomo\n preference "+format+"\n record_choices\n page {\n archive "+kept+"\n }\n}")
		show := func(cookies ...string) string {
			_, page := get(t, address+pagePath+"?flg=en", http.Header{"Cookie": {strings.Join(cookies, "; ")}})
			return page
		}
		_, exported := get(t, address+pagePath+"?format=json", nil)
		version := versionOf(exported)
		choose := func(body string) (cookie, reference string) {
			response, _ := do(t, http.MethodPost, address+pagePath, form, body)
			return storedBy(response), regexp.MustCompile(`[A-Z2-7]{26}`).FindString(response.Header.Get("Location"))
		}
		cookie, reference := choose("all=granted")
		now := time.Now().UTC()
		for _, want := range []string{given + now.Format("2 January 2006") + " and hold until ", `<a href="?version=` + version + `&amp;flg=en">` + to + version + " of this policy.</a>", of + ", without your name: " + reference + ".</p>"} {
			if page := show(cookie); !strings.Contains(page, want) {
				t.Errorf("%s: no %s", format, want)
			}
		}
		if page := show(); strings.Contains(page, given) || strings.Contains(page, to) || strings.Contains(page, of) {
			t.Errorf("%s: proves a choice that was not made", format)
		}
		// Another copy that disagrees, or that cannot be read: it could be of any choice.
		other, _ := choose("all=granted")
		refused, refusal := choose("all=refused")
		name, _, _ := strings.Cut(cookie, "=")
		for _, copies := range [][]string{{cookie, other}, {other, cookie}, {cookie, refused}, {refused, name + "=junk"}} {
			if page := show(copies...); strings.Contains(page, to) || strings.Contains(page, of) {
				t.Errorf("%s: %q proves something", format, copies)
			}
		}
		// What only looks like what the module writes.
		forge := func(from, to string) string { return strings.Replace(refused, from, to, 1) }
		for _, forged := range []string{
			forge(refusal, strings.ToLower(refusal)), forge(refusal, refusal+"A"), forge(refusal, refusal[1:]), forge(refusal, "0"+refusal[1:]), forge(refusal, "<b>"+refusal[3:]), forge(refusal, refusal+"."+refusal),
			forge("."+version+".", "."+strings.ToUpper(version)+"."), forge("."+version+".", ".x."), forge("."+version+".", "..."), forge("."+version+".", "."+version+"0."),
		} {
			if page := show(forged); forged == refused || strings.Contains(page, to) || strings.Contains(page, of) {
				t.Errorf("%s: %s proves something", format, forged)
			}
		}
		// A version that nobody has kept is no link.
		if page := show(forge("."+version+".", ".0123456789ab.")); !strings.Contains(page, " "+to+"0123456789ab of this policy. "+of) {
			t.Errorf("%s: no former version", format)
		}
		// A choice ends: by its time, or as what was granted is not what is asked.
		stamp := regexp.MustCompile(`1\d{12}`)
		ended := stamp.ReplaceAllString(refused, fmt.Sprint(now.AddDate(0, -7, 0).UnixMilli()))
		changed := regexp.MustCompile(`-y[0-9a-f]{8}`).ReplaceAllString(cookie, "-y00000000")
		for _, gone := range []string{ended, changed} {
			if page := show(gone); gone == cookie || gone == refused || strings.Contains(page, given) || strings.Contains(page, to) || strings.Contains(page, of) {
				t.Errorf("%s: %s still holds", format, gone)
			}
		}
	}

	// Without records, there is a version, and no reference.
	address := "http://" + serve(t, false, "cookie_charter {\n preset matomo\n preference charter\n}")
	response, _ := do(t, http.MethodPost, address+pagePath, form, "all=granted")
	if _, page := get(t, address+pagePath+"?flg=en", http.Header{"Cookie": {storedBy(response)}}); !strings.Contains(page, to) || strings.Contains(page, of) {
		t.Error("without records, the version is not told, or a reference is")
	}
	// In print, buttons are left out, and no part that proves anything.
	_, style := get(t, address+pagePath+"style.css", nil)
	_, print, _ := strings.Cut(style, "@media print")
	hidden := regexp.MustCompile(`(?s)([^{}]*)\{\s*display: none;`).FindStringSubmatch(print)
	if hidden == nil || !strings.Contains(hidden[1], ".charter-buttons") || strings.Contains(hidden[1], ".charter-given") {
		t.Errorf("in print, %q is left out", hidden)
	}
}

package insertion

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestBefore(t *testing.T) {
	const tag = "<script src=/g></script>"
	long := strings.Repeat(" ", 990)
	for head, want := range map[string]string{
		"":                                    tag,
		"<p>":                                 tag,
		"<!DOCTYPE html><html>":               "<!DOCTYPE html>" + tag,
		"<!doctype HTML >\n<title>a":          "<!doctype HTML >" + tag,
		" \n\t<!DOCTYPE html>":                "<!DOCTYPE html>" + tag,
		"<!-- a --><!DOCTYPE html>":           "<!DOCTYPE html>" + tag,
		"<html><!DOCTYPE html>":               tag,
		"a<!DOCTYPE html>":                    tag,
		"<!-- <!DOCTYPE html> --><html>":      tag,
		"\xEF\xBB\xBF<!DOCTYPE html><title>a": "<!DOCTYPE html>" + tag,
		"<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\"><html>": "<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">" + tag,
		"<!DOCTYPE html><meta charset=latin1>":                                                                   "<!DOCTYPE html>" + tag,
		"<!DOCTYPE html>" + long[:950] + "<meta charset=\"latin1\">":                                             "<!DOCTYPE html><meta charset=\"latin1\">" + tag,
		"<!DOCTYPE html>" + long[:930] + "<meta http-equiv=Content-Type content='text/html; charset=latin1'>":    "<!DOCTYPE html><meta charset=\"latin1\">" + tag,
		"<!DOCTYPE html>" + long[:930] + "<!--<meta charset=latin1>--><script>\"<meta charset=utf-7>\"</script>": "<!DOCTYPE html>" + tag,
		"<!--" + strings.Repeat("a", 1020):                                                                       "<!DOCTYPE html>" + tag,
		"\xFE\xFF\x00<":                                                                                          "",
		"<\x00?\x00x\x00m\x00":                                                                                   "",
		"\x00<\x00?\x00x\x00m":                                                                                   "",
		"<\x00!\x00":                                                                                             tag,
		"\xFF\xFE<\x00":                                                                                          "",
	} {
		if got := string(Before([]byte(head), false, []byte(tag))); got != want {
			t.Errorf("%.60q: %q, not %q", head, got, want)
		}
	}
	for _, head := range []string{"<!DOCTYPE html>", "<!doctype HTML><p>", "\xEF\xBB\xBF<!DOCTYPE html><meta charset=latin1>", "<!DOCTYPE html", "<!DOCTYPE html >", "<!DOCTYPE html PUBLIC>", "<!DOCTYPE htmlſ>", "a<!DOCTYPE html>", ""} {
		want := string(readBeginning([]byte(strings.TrimPrefix(head, "\xEF\xBB\xBF"))).doctype) + tag
		if got := string(Before([]byte(head), true, []byte(tag))); got != want {
			t.Errorf("%q, whose encoding is known: %q, not %q", head, got, want)
		}
	}
	for _, head := range []string{"<\x00?\x00x\x00", "\x00<\x00?\x00x"} {
		if got := string(Before([]byte(head), true, []byte(tag))); got != tag {
			t.Errorf("%q, with an encoding in the header: %q", head, got)
		}
		for end := range len(head) {
			if isBegun([]byte(head[:end])) {
				t.Errorf("%q can be of UTF-16 yet", head[:end])
			}
		}
	}
	late := "<!DOCTYPE html>" + long[:950] + "<meta charset=\"latin1\">"
	if got := string(Before([]byte(late), true, []byte(tag))); got != "<!DOCTYPE html>"+tag {
		t.Errorf("with an encoding in the header: %q", got)
	}
}

// A document behind its own doctype and a script is the same, but for that script.
func TestDocumentStaysTheSame(t *testing.T) {
	const tag = "<script src=/g></script>"
	for _, document := range []string{
		"", "text", "<p>a", "<title>a</title>b",
		"<!DOCTYPE html>\n<html lang=fr dir=rtl class=a>\n<head>\n<meta charset=utf-8><title>a</title></head>\n<body onload=a>b</body></html>\n",
		"<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 4.01 Transitional//EN\"><html><body bgcolor=red><table><tr><td>a</table>",
		"<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 3.2//EN\"><p><table>",
		"<!DOCTYPE html SYSTEM \"about:legacy-compat\"><p><table>",
		"<html><head><script>var a = '<!DOCTYPE html>'</script></head><frameset cols=*><frame src=a></frameset></html>",
		"<!DOCTYPE html><html><head></head><frameset><frame></frameset><noframes>a</noframes></html>",
		"<!DOCTYPE html><body><p>a</body><!-- b --></html><!-- c -->",
		"<!DOCTYPE html><base href=/a/><link rel=stylesheet href=b><style>c</style><noscript><img></noscript><template><p></template>",
		"<!DOCTYPE html></p></br><svg><title>a</title></svg>",
	} {
		want, got := parse(t, document), parse(t, string(Before([]byte(document), false, []byte(tag)))+document)
		got = strings.Replace(got, `<script src="/g"></script>`, "", 1)
		if got != want {
			t.Errorf("%q:\n%s\nnot\n%s", document, got, want)
		}
	}
}

// parse returns a document as parsers read it, without what stands between elements of
// its head.
func parse(t *testing.T, document string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	if err := html.Render(&shown, root); err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(shown.String(), "</head>")
	return strings.NewReplacer("\n", "", " ", "").Replace(strings.ReplaceAll(head, `<script src="/g"></script>`, "")) + body
}

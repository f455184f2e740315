package insertion

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

const mark = "<x-notice></x-notice>"

// markAt puts the mark into a document that comes in parts of a size.
func markAt(t testing.TB, document string, size int) string {
	t.Helper()
	var written bytes.Buffer
	body := AtBody(&written, []byte(mark))
	for part := range slices.Chunk([]byte(document), size) {
		if n, err := body.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	return written.String()
}

// The place is where | stands; without one, the document is left alone.
var openings = []string{
	"<!DOCTYPE html><html><head><title>a</title></head><body>|b</body></html>",
	"<!doctype html>\n<HTML lang=fr>\n<HEAD>\n<META charset=utf-8>\n</HEAD>\n<BODY class=a onload='a > b' data-b=\">\">|<p>b",
	"<!DOCTYPE html><title>a</title>|<p>b",
	"<!DOCTYPE html><title>a</title>|b",
	"<!DOCTYPE html><title><body></title>|<main>b</main>",
	"<!DOCTYPE html><head></head>\n|&amp;",
	"<!DOCTYPE html>|<3",
	"<!DOCTYPE html>|",
	"<!DOCTYPE html><html><head><title>a</title></head>|</html>",
	"<!DOCTYPE html><html><head>|</body></html>",
	"<!DOCTYPE html></p></head></div>|</br>",
	"<!DOCTYPE html><script>'<body>'</script><style>a > b{}</style><body>|",
	"<!DOCTYPE html><script><!-- <script> </script> <body> --></script><body>|",
	"<!DOCTYPE html><script><!-- <body> --> </script><body>|",
	"<!DOCTYPE html><script><!--> <script> </script><body>|",
	"<!DOCTYPE html><script><!-- </script><body>|",
	"<!DOCTYPE html><script>a</scripts></script ><body>|",
	"<!DOCTYPE html><script>a</script/ a='>'><body>|",
	"<!DOCTYPE html><script src=a/></script><body>|",
	"<!DOCTYPE html><noscript><style>a</style></noscript><body>|",
	"<!DOCTYPE html><noframes><body></noframes><body>|",
	"<!DOCTYPE html><template><p><body><template></template></p>b<3</template><body>|",
	"<!DOCTYPE html><template><textarea></template></textarea></template><body>|",
	"<!DOCTYPE html><!-- <body> --><!--><body>|",
	"<!DOCTYPE html><!---><body>|",
	"<!DOCTYPE html><!-- a --!><body>|-->",
	"<!DOCTYPE html><!--!> a --><body>|",
	"<!DOCTYPE html><!---!> a --><body>|",
	"<!DOCTYPE html><!----!><body>|-->",
	"<!DOCTYPE html><!-- --!-- a --><body>|",
	"<!DOCTYPE html><!a <body> <?a <body> </ > <//><body>|",
	"<!DOCTYPE html><![CDATA[<body>|]]>",
	"<?xml version=\"1.0\"?><!DOCTYPE html><html><body>|b",
	"<!DOCTYPE html><body a\"b'>|\"'>",
	"<!DOCTYPE html><body =\">|\">",
	"<!DOCTYPE html><body a = '>'>|b",
	"<!DOCTYPE html><body a=>|b>",
	"<!DOCTYPE html><body a=b'>|'>",
	"<!DOCTYPE html><body/>|",
	"<!DOCTYPE html><link a=b><base><basefont><bgsound><meta>|<bodyguard>",
	"<!DOCTYPE html>|<basefonts>",
	"<!DOCTYPE html><head>|<svg><title></title></svg>",
	"<html>|b", "<head>|b", "<body>|b", "\xEF\xBB\xBF<!DOCTYPE html>|b",
	"", "b", "<p>b", "<title>a</title><p>b", "<!-- a --><p>", " {}", "<3",
	"<!DOCTYPE html><frameset><frame></frameset>", "<html><head></head><FRAMESET cols=*><noframes><body></noframes>",
	"<!DOCTYPE html><title>a", "<!DOCTYPE html><script>", "<!DOCTYPE html><!-- ", "<!DOCTYPE html><body", "<!DOCTYPE html><template>",
	"<!DOCTYPE html><frameset></frameset>",
}

func TestBodyOpens(t *testing.T) {
	for _, want := range openings {
		document := strings.Replace(want, "|", "", 1)
		want = strings.Replace(want, "|", mark, 1)
		for size := 1; size <= len(document)+1; size++ {
			if got := markAt(t, document, size); got != want {
				t.Fatalf("%q in parts of %d: %q", document, size, got)
			}
		}
	}
}

// What came is written at once, but for a tag that is not finished.
func TestBodyIsNotHeldBack(t *testing.T) {
	var written bytes.Buffer
	body := AtBody(&written, []byte(mark))
	head := "<!DOCTYPE html><html><head><script>" + strings.Repeat("a", 1<<20)
	for _, one := range []struct{ part, want string }{
		{head, head}, {"</script><tit", "</script>"}, {"le>a", "<title>a"}, {"</title><body ", "</title><body "}, {"class=a", "class=a"}, {">b<", ">" + mark + "b<"}, {"body>", "body>"},
	} {
		written.Reset()
		body.Write([]byte(one.part))
		if got := written.String(); got != one.want {
			t.Errorf("after %.20q: %.60q", one.part, got)
		}
	}
}

// The markup is the first in the body that parsers make, and changes nothing else.
func FuzzBodyOpens(f *testing.F) {
	for _, document := range openings {
		f.Add(strings.Replace(document, "|", "", 1), 3)
	}
	f.Fuzz(func(t *testing.T, document string, size int) {
		marked := markAt(t, document, max(1, size))
		if marked == document {
			return
		}
		if strings.Replace(marked, mark, "", 1) != document {
			t.Fatalf("%q", marked)
		}
		if strings.Contains(document, "x-notice") || strings.ContainsAny(document, "\x00&") || unalike.MatchString(document) {
			return
		}
		root, err := html.Parse(strings.NewReader(marked))
		alone, errAlone := html.Parse(strings.NewReader(document))
		if err != nil || errAlone != nil {
			return // it nests deeper than that parser follows
		}
		place := find(root, "x-notice")
		if place == nil || place.Parent.Data != "body" || place.PrevSibling != nil {
			t.Fatalf("%q: %q", marked, render(t, root))
		}
		place.Parent.RemoveChild(place)
		if got, want := render(t, root), render(t, alone); got != want {
			t.Fatalf("%q: %q, not %q", marked, got, want)
		}
	})
}

// unalike is what is read otherwise by the parser that this is compared with, or made
// otherwise by any element in front of it.
var unalike = regexp.MustCompile(`(?i)^\x{FEFF}|frameset|<svg|<math|<template|<body[^>]*<|<html[^>]*<`)

func render(t *testing.T, root *html.Node) string {
	t.Helper()
	var shown strings.Builder
	if err := html.Render(&shown, root); err != nil {
		return ""
	}
	return shown.String()
}

// find returns the first element of a name.
func find(node *html.Node, name string) *html.Node {
	if node.Type == html.ElementNode && node.Data == name {
		return node
	}
	for child := node.FirstChild; child != nil; child = child.NextSibling {
		if found := find(child, name); found != nil {
			return found
		}
	}
	return nil
}

// What is compressed comes out as what is not, in whatever parts it comes.
func TestRepack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var document []byte
		for range random.IntN(200) {
			document = append(document, openings[random.IntN(len(openings))]...)
			document = append(document, bytes.Repeat([]byte{'a'}, random.IntN(1000))...)
		}
		document = append([]byte("<!DOCTYPE html>"), document...)
		packed := pack(t, document, random.IntN(10))
		if random.IntN(2) == 0 {
			packed = append(packed, pack(t, []byte("another"), 1)...) // browsers do not read it
		}
		var written bytes.Buffer
		repacker := Repack(&written, []byte(mark))
		for len(packed) > 0 {
			n := min(len(packed), 1+random.IntN(5000))
			if _, err := repacker.Write(packed[:n]); err != nil {
				t.Fatal(err)
			}
			if random.IntN(3) == 0 {
				repacker.Flush()
			}
			packed = packed[n:]
		}
		if err := repacker.Close(); err != nil {
			t.Fatal(err)
		}
		if got, want := string(unpack(t, written.Bytes())), markAt(t, string(document), len(document)); got != want {
			t.Fatalf("%.200q, not %.200q", got, want)
		}
	}
}

// What only says that it is compressed is left as it is, and of what was cut off, all comes
// that there is.
func TestRepackOfWhatIsBroken(t *testing.T) {
	repack := func(parts ...[]byte) (string, error) {
		var written bytes.Buffer
		repacker := Repack(&written, []byte(mark))
		for _, part := range parts {
			if _, err := repacker.Write(part); err != nil {
				repacker.Abandon()
				return "", err
			}
		}
		err := repacker.Close()
		return written.String(), err
	}
	for _, parts := range [][]string{{}, {"\x1f"}, {"\x1f", "\x8b\x08\x00"}, {"<!DOC", "TYPE html><body>", "a", "b"}} {
		var raw [][]byte
		for _, part := range parts {
			raw = append(raw, []byte(part))
		}
		if got, err := repack(raw...); got != strings.Join(parts, "") || err != nil {
			t.Errorf("%q became %q, %v", parts, got, err)
		}
	}
	packed := pack(t, []byte("<!DOCTYPE html><body>"+strings.Repeat("Données ", 3000)+"<i"), 0)
	got, err := repack(packed[:len(packed)-8])
	if err != nil {
		t.Fatal(err)
	}
	reader, err := gzip.NewReader(strings.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(reader); !strings.HasPrefix(string(text), "<!DOCTYPE html><body>"+mark+"Données ") || !strings.HasSuffix(string(text), "Données <i") || err == nil {
		t.Errorf("of what was cut off: %.80q ... %.20q, %v", text, text[len(text)-20:], err)
	}
	packed[200] ^= 0xff
	packed[len(packed)-7] ^= 0xff
	if _, err := repack(packed); err == nil {
		t.Error("nobody learns that the sum is wrong")
	}
}

// What was flushed comes before what follows it.
func TestRepackFlushes(t *testing.T) {
	var packed, written bytes.Buffer
	packer := gzip.NewWriter(&packed)
	repacker := Repack(&written, []byte(mark))
	for _, part := range []string{"<!DOCTYPE html><title>", "a</title><body>b", "c"} {
		io.WriteString(packer, part)
		packer.Flush()
		repacker.Write(packed.Bytes())
		packed.Reset()
		if err := repacker.Flush(); err != nil {
			t.Fatal(err)
		}
		reader, err := gzip.NewReader(bytes.NewReader(written.Bytes()))
		if err != nil {
			t.Fatal(part, err)
		}
		if text, _ := io.ReadAll(reader); !strings.HasSuffix(string(text), part[max(0, len(part)-1):]) {
			t.Errorf("after %q: %q", part, text)
		}
	}
	repacker.Abandon()
	repacker.Abandon()
}

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
	body := AtBody(&written, []byte(mark), nil)
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
	body := AtBody(&written, []byte(mark), nil)
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

// Whatever a document never ends, no more of it is held back than the names of a head have.
func TestBodyHoldsLittle(t *testing.T) {
	for _, head := range []string{
		"", "<", "</", "</a", "<!", "<!-", "<!--", "<!doctype", "<?", "<link", "<link a", "<link a=", "<link a='", `<link a="`, "</a b=",
		"<title>", "<title></", "<script><!--<script>", "<template>", "<template><", "<template></", "<template><a", "<template><a b='",
	} {
		for _, without := range "a<-/!?= '\"" {
			body := AtBody(io.Discard, []byte(mark), nil)
			body.Write([]byte("<!DOCTYPE html>" + head))
			for range 4 {
				body.Write(bytes.Repeat([]byte(string(without)), 1000))
				if len(body.held) > len("</")+maxName {
					t.Errorf("%q and many %q: %d bytes are held", head, without, len(body.held))
				}
			}
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

// repack puts the mark into a stream that comes in parts of a size.
func repack(t testing.TB, packed []byte, size int) []byte {
	t.Helper()
	var written bytes.Buffer
	repacker := Repack(&written, marked)
	for part := range slices.Chunk(packed, size) {
		if n, err := repacker.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := repacker.Close(); err != nil {
		t.Fatal(err)
	}
	return written.Bytes()
}

// shown returns what browsers show of a stream: its first member, whatever its sums are, as
// far as it can be unpacked (as measured in Chromium 156 and Firefox ESR 153).
func shown(packed []byte) string {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return ""
	}
	reader.Multistream(false)
	text, _ := io.ReadAll(reader)
	return string(text)
}

// maxLost is how much of a broken stream who unpacks it can lose or have more than another:
// some references, each to 258 bytes at most, and a tag that is not finished.
const maxLost = 1500

// What is compressed comes out as what is not, in whatever parts it comes, and what follows
// it as it came.
func TestRepack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var document []byte
		for range random.IntN(200) {
			document = append(document, openings[random.IntN(len(openings))]...)
			document = append(document, bytes.Repeat([]byte{'a'}, random.IntN(1000))...)
		}
		document = append([]byte("<!DOCTYPE html>"), document...)
		packed, behind := pack(t, document, random.IntN(10)), ""
		if random.IntN(2) == 0 {
			behind = "another"
			packed = append(packed, pack(t, []byte(behind), 1)...)
		}
		var written bytes.Buffer
		repacker := Repack(&written, marked)
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
		if got, want := string(unpack(t, written.Bytes())), markAt(t, string(document), len(document))+behind; got != want {
			t.Fatalf("%.200q, not %.200q", got, want)
		}
	}
}

// What only says that it is compressed is left as it is, and of what is broken, all comes
// that browsers show of it; others learn that it is.
func TestRepackOfWhatIsBroken(t *testing.T) {
	for _, text := range []string{"", "\x1f", "\x1f\x8b\x08\x00", "<!DOCTYPE html><body>ab"} {
		for size := 1; size <= len(text)+1; size++ {
			if got := string(repack(t, []byte(text), size)); got != text {
				t.Errorf("%q in parts of %d became %q", text, size, got)
			}
		}
	}
	packed := pack(t, []byte("<!DOCTYPE html><body>"+strings.Repeat("Données ", 3000)+"</body>"), 0)
	broken := func(change func(packed []byte) []byte) []byte { return change(bytes.Clone(packed)) }
	flip := func(at int) []byte {
		return broken(func(packed []byte) []byte { packed[at] ^= 0xff; return packed })
	}
	for name, one := range map[string]struct {
		packed []byte
		isTold bool
	}{
		"a wrong sum":    {flip(len(packed) - 7), false},
		"a wrong length": {flip(len(packed) - 2), false},
		"no sums":        {packed[:len(packed)-8], true},
		"half of them":   {packed[:len(packed)-4], true},
		"cut off":        {packed[:len(packed)/2], true},
		"corrupt":        {pack(t, []byte("<!DOCTYPE html><body>"+strings.Repeat("Données ", 3000)), 6)[:80], true},
		"no block":       {broken(func(packed []byte) []byte { return append(packed[:10], 7, 1, 2, 3) }), true},
		"zeros behind":   {append(bytes.Clone(packed), make([]byte, 50)...), true},
	} {
		for _, size := range []int{1, 7, len(one.packed)} {
			got := repack(t, one.packed, size)
			if missing, ok := strings.CutPrefix(markAt(t, shown(one.packed), 1<<20), shown(got)); !ok || len(missing) > maxLost {
				t.Errorf("%s in parts of %d: %.80q ..., %d bytes are missing", name, size, shown(got), len(missing))
			}
			reader, err := gzip.NewReader(bytes.NewReader(got))
			if err == nil {
				_, err = io.ReadAll(reader)
			}
			if isTold := err != nil; isTold != one.isTold {
				t.Errorf("%s in parts of %d: %v", name, size, err)
			}
		}
	}
}

// What was unpacked comes also of what is abandoned.
func TestRepackAbandoned(t *testing.T) {
	packed := pack(t, []byte("<!DOCTYPE html><body>"+strings.Repeat("a<b>c</b>", 3000)), 6)
	var written bytes.Buffer
	repacker := Repack(&written, marked)
	repacker.Write(packed[:len(packed)-9])
	repacker.Abandon()
	repacker.Abandon()
	if missing, ok := strings.CutPrefix(markAt(t, shown(packed[:len(packed)-9]), 1<<20), shown(written.Bytes())); !ok || len(missing) > maxLost || written.Len() == 0 {
		t.Errorf("%d bytes are missing", len(missing))
	}
}

// Whatever a stream is, browsers show of the new one what they show of it, but for a little
// at its end if it is broken.
func FuzzRepack(f *testing.F) {
	for i, document := range openings {
		packed := pack(f, []byte(strings.Replace(document, "|", "", 1)+strings.Repeat("<p>é", 50)), i%10)
		f.Add(packed, 7)
		f.Add(append(packed[:len(packed)-5], packed...), 100)
	}
	f.Fuzz(func(t *testing.T, packed []byte, size int) {
		repacked := repack(t, packed, max(1, size))
		if headerLength(packed) == 0 {
			if !bytes.Equal(repacked, packed) {
				t.Fatalf("%q became %q", packed, repacked)
			}
			return
		}
		got, want := shown(repacked), markAt(t, shown(packed), 1<<20)
		if !strings.HasPrefix(want, got) && !strings.HasPrefix(got, want) || max(len(got), len(want))-min(len(got), len(want)) > maxLost {
			t.Fatalf("%q, not %q", got, want)
		}
	})
}

// What was flushed comes before what follows it.
func TestRepackFlushes(t *testing.T) {
	var packed, written bytes.Buffer
	packer := gzip.NewWriter(&packed)
	repacker := Repack(&written, marked)
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

// marked puts the mark into what is unpacked.
func marked(below io.Writer) Body { return AtBody(below, []byte(mark), nil) }

// What stands at the end of a document comes into its body as the last, and nowhere else.
func TestEndOfBody(t *testing.T) {
	const end = "<x-end></x-end>"
	for _, document := range openings {
		document = strings.Replace(document, "|", "", 1)
		for _, size := range []int{1, 5, 1 << 20} {
			for _, markup := range []string{"", mark} {
				var written bytes.Buffer
				body := AtBody(&written, []byte(markup), []byte(end))
				for part := range slices.Chunk([]byte(document), size) {
					body.Write(part)
				}
				if err := body.Close(); err != nil {
					t.Fatal(err)
				}
				want := markAt(t, document, size)
				if strings.Contains(want, mark) {
					want = strings.Replace(want, mark, markup, 1) + end
				}
				if got := written.String(); got != want {
					t.Errorf("%q in parts of %d: %q", document, size, got)
				}
			}
		}
	}
	root, err := html.Parse(strings.NewReader("<!DOCTYPE html><body><p>a</p></body></html>\n<!-- a -->\n" + end))
	if err != nil {
		t.Fatal(err)
	}
	if place := find(root, "x-end"); place == nil || place.Parent.Data != "body" || place.NextSibling != nil {
		t.Error(render(t, root))
	}
	packed := pack(t, []byte("<!DOCTYPE html><body>"+strings.Repeat("a<b>c</b>", 3000)), 6)
	for at, want := range map[int]bool{len(packed): true, len(packed) - 20: false} {
		var written bytes.Buffer
		repacker := Repack(&written, func(below io.Writer) Body { return AtBody(below, nil, []byte(end)) })
		repacker.Write(packed[:at])
		if err := repacker.Close(); err != nil {
			t.Fatal(err)
		}
		if isThere := strings.HasSuffix(shown(written.Bytes()), end); isThere != want {
			t.Errorf("of %d of %d bytes: %v", at, len(packed), isThere)
		}
	}
}

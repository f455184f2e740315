package insertion

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"
)

// headAt puts the mark into an XHTML document that comes in parts of a size, and returns
// why not if it does not.
func headAt(t testing.TB, document string, size int) (written string, obstacle Obstacle) {
	t.Helper()
	var below bytes.Buffer
	body := InHead(&below, []byte(mark), func(found Obstacle) {
		if obstacle != "" {
			t.Error("it fails twice")
		}
		obstacle = found
	})
	for part := range slices.Chunk([]byte(document), size) {
		if n, err := body.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	return below.String(), obstacle
}

const root = `<html xmlns="http://www.w3.org/1999/xhtml">`

// The place is where | stands; without one, the document is left alone.
var xhtmlHeads = []string{
	root + "<head>|<title>a</title></head><body/></html>",
	"\xEF\xBB\xBF" + root + "<head>|</head></html>",
	"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<?xml-stylesheet href='a.css' type='text/css'?><?xml-stylesheet type=\"text/css\" href='xsl?a&amp;b'?><?xsl a?>\n<!-- <head> é \xe9 -->\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">\n" +
		"<html lang='fr' xmlns='http://www.w3.org/1999/xhtml' xmlns:svg='a' a='>'>\n<!-- a -->\n<head id='a' >|\n<meta charset='utf-8'/></head></html>",
	root + `<head xmlns="http://www.w3.org/1999/xhtml">|</head></html>`,
	root + "<head/></html>", root + "<head /></html>", root + "<body/></html>", root + "a<head></head></html>", root + "&nbsp;<head></head></html>",
	root + "<![CDATA[ a ]]><head></head></html>", root + "</html><head></head>", root + `<head xmlns="a"></head></html>`, root + `<head xmlns=""></head></html>`,
	root + "<HEAD></HEAD></html>", root + root + "<head></head></html></html>",
	"<html><head></head></html>", `<html xmlns="a"><head></head></html>`, `<HTML xmlns="http://www.w3.org/1999/xhtml"><head></head></HTML>`,
	`<h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:head></h:head></h:html>`, `<html xmlns="http://www.w3.org/1999/xhtml" xmlns:h="http://www.w3.org/1999/xhtml"><h:head></h:head></html>`,
	"<!DOCTYPE html [<!ATTLIST script type CDATA 'a'>]>" + root + "<head></head></html>",
	"<?xml-stylesheet type='text/xsl' href='a'?>" + root + "<head></head></html>",
	"<?xml-stylesheet type='TEXT/XSL' href='a'?>" + root + "<head></head></html>",
	"<?xml-stylesheet type='text/xml' href='a'?>" + root + "<head></head></html>",
	"<?xml-stylesheet type='text/x&#115;l' href='a'?>" + root + "<head></head></html>",
	"<?xml-stylesheet href='a'?>" + root + "<head></head></html>",
	"<?xml-stylesheet title='type=\"text/css\"' type='text/xml' href='a'?>" + root + "<head></head></html>",
	"<?xml-stylesheet title=' type=\"text/css\" ' type='text/xml' href='a'?>" + root + "<head></head></html>",
	"<?xml-stylesheet type='text/xml' type='text/css' href='a'?>" + root + "<head></head></html>",
	"<svg xmlns='http://www.w3.org/2000/svg'/>", "<!-- " + root + "<head> -->", "<!--" + strings.Repeat("a", maxHeld) + "-->" + root + "<head></head></html>",
	root + strings.Repeat("<!-- a -->", maxHeld/10) + "<head></head></html>",
	"", "a", "<", root, root + "<head", root + "<head a='", "<?xml version='1.0' encoding='utf-8'?><!DOCTYPE",
}

func TestHeadOpens(t *testing.T) {
	for _, want := range xhtmlHeads {
		document, isInserted := strings.Replace(want, "|", "", 1), strings.Contains(want, "|")
		want = strings.Replace(want, "|", mark, 1)
		for _, size := range []int{1, 2, 3, 7, 50, 1 << 20} {
			if got, obstacle := headAt(t, document, size); got != want || obstacle != "" == isInserted {
				t.Fatalf("%q in parts of %d: %q, %q", document, size, got, obstacle)
			}
		}
		if !isInserted {
			continue
		}
		tokens := xml.NewDecoder(strings.NewReader(want))
		tokens.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
		for {
			if _, err := tokens.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%q: %v", want, err)
			}
		}
	}
	for _, document := range []string{"\xFF\xFE<\x00h\x00t\x00m\x00l\x00", "<\x00?\x00x\x00m\x00l\x00"} {
		if _, obstacle := headAt(t, document, 100); obstacle != Charset {
			t.Errorf("UTF-16 is %q", obstacle)
		}
	}
}

// What is compressed comes out as what is not.
func TestHeadOfCompressed(t *testing.T) {
	document := strings.Replace(xhtmlHeads[2], "|", "", 1) + strings.Repeat("<!-- a -->", 5000)
	var written bytes.Buffer
	repacker := Repack(&written, func(below io.Writer) Body { return InHead(below, []byte(mark), nil) })
	for part := range slices.Chunk(pack(t, []byte(document), 6), 9) {
		repacker.Write(part)
	}
	if err := repacker.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := string(unpack(t, written.Bytes())), strings.Replace(xhtmlHeads[2], "|", mark, 1); !strings.HasPrefix(got, want) || len(got) != len(document)+len(mark) {
		t.Errorf("%.600q", got)
	}
}

// What came is written, but for what is not finished, and looking for the head takes no more
// than so much of it.
func TestHeadIsNotHeldBack(t *testing.T) {
	var written bytes.Buffer
	body := InHead(&written, []byte(mark), func(Obstacle) {})
	for _, one := range []struct{ part, want string }{
		{"<?xml version='1.0'?><!DOCTYPE html>" + root + "<he", "<?xml version='1.0'?><!DOCTYPE html>" + root},
		{"ad id='a'>b", "<head id='a'>" + mark + "b"},
		{"<title", "<title"},
	} {
		written.Reset()
		body.Write([]byte(one.part))
		if got := written.String(); got != one.want {
			t.Errorf("after %.20q: %.60q", one.part, got)
		}
	}
}

// Whatever a document is, and however it comes, it is the same but for the markup, and as
// well formed as it was.
func FuzzHeadOpens(f *testing.F) {
	for _, document := range xhtmlHeads {
		f.Add(strings.Replace(document, "|", "", 1), 3)
	}
	f.Fuzz(func(t *testing.T, document string, size int) {
		marked, obstacle := headAt(t, document, max(1, size))
		whole, _ := headAt(t, document, 1<<20)
		if strings.Contains(document, mark) {
			return
		}
		if strings.Replace(marked, mark, "", 1) != document || strings.Contains(marked, mark) != (obstacle == "") {
			t.Fatalf("%q", marked)
		}
		if len(document) < maxHeld && marked != whole {
			t.Fatalf("%q, not %q", marked, whole)
		}
		if isWellFormed(document) && !isWellFormed(marked) {
			t.Fatalf("%q is not well formed", marked)
		}
	})
}

func isWellFormed(document string) bool {
	tokens := xml.NewDecoder(strings.NewReader(document))
	for {
		if _, err := tokens.Token(); err != nil {
			return err == io.EOF
		}
	}
}

package insertion

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// Before returns what to put before a document that begins so, for a piece of markup to be
// the first in its head; nil if that cannot be done. It begins with the document's own
// doctype, by which browsers choose how to lay it out.
func Before(head []byte, hasCharset bool, markup []byte) []byte {
	if beginsWide(head, wideMarks) || !hasCharset && beginsWide(head, wideDeclarations) {
		return nil // its text is not of such bytes
	}
	hasMark := bytes.HasPrefix(head, byteOrderMark)
	text := bytes.TrimPrefix(head, byteOrderMark)
	if length := len(standardDoctype); (hasCharset || hasMark) && len(text) >= length && ascii.EqualFold(string(text[:length]), standardDoctype) {
		return slices.Concat(text[:length], markup) // what is read of most documents, at half the cost
	}
	begins := readBeginning(text)
	before := slices.Concat(begins.doctype, markup)
	if !hasCharset && !hasMark && begins.charset != "" && begins.charsetEnd+len(before) > headLength {
		// Parsers would not find it any more where it stands.
		before = slices.Concat(begins.doctype, []byte(`<meta charset="`+html.EscapeString(begins.charset)+`">`), markup)
	}
	return before
}

// wideMarks are the byte order marks of UTF-16, and wideDeclarations how "<?x" begins there,
// by which browsers know it where nothing else says the encoding (HTML, section 13.2.3.2).
var (
	wideMarks        = []string{"\xFE\xFF", "\xFF\xFE"}
	wideDeclarations = []string{"\x00<\x00?\x00x", "<\x00?\x00x\x00"}
)

// beginsWide tells whether a document begins in one of these ways.
func beginsWide(head []byte, ways []string) bool {
	return slices.ContainsFunc(ways, func(way string) bool { return bytes.HasPrefix(head, []byte(way)) })
}

// A beginning is what stands at the head of a document.
type beginning struct {
	doctype    []byte
	charset    string
	charsetEnd int // where what says it ends
}

// standardDoctype is taken to follow where nothing but comments is at the head.
const standardDoctype = "<!DOCTYPE html>"

// readBeginning reads how a document begins.
func readBeginning(head []byte) beginning {
	var begins beginning
	tokens := html.NewTokenizer(bytes.NewReader(head))
	isBeforeElements, end := true, 0
	for {
		kind := tokens.Next()
		end += len(tokens.Raw())
		switch kind {
		case html.ErrorToken:
			if isBeforeElements && len(head) >= headLength {
				begins.doctype = []byte(standardDoctype)
			}
			return begins
		case html.DoctypeToken:
			if isBeforeElements {
				begins.doctype = []byte(standardDoctype)
				if bytes.HasSuffix(tokens.Raw(), []byte(">")) { // else, it goes on behind the head
					begins.doctype = bytes.Clone(tokens.Raw())
				}
				isBeforeElements = false
			}
		case html.TextToken:
			if len(bytes.TrimLeft(tokens.Raw(), " \t\n\r\f")) > 0 {
				isBeforeElements = false
			}
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			isBeforeElements = false
			if charset := charsetOf(tokens.Token()); charset != "" && kind != html.EndTagToken {
				begins.charset, begins.charsetEnd = charset, end
				return begins
			}
		case html.CommentToken:
		}
	}
}

// isBegun tells whether a document that begins so has come to its doctype, or to what none
// follows.
func isBegun(head []byte) bool {
	if bytes.HasPrefix(byteOrderMark, head) || slices.ContainsFunc(wideDeclarations, func(way string) bool { return strings.HasPrefix(way, string(head)) }) {
		return false
	}
	tokens := html.NewTokenizer(bytes.NewReader(bytes.TrimPrefix(head, byteOrderMark)))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return false
		case html.DoctypeToken:
			return bytes.HasSuffix(tokens.Raw(), []byte(">"))
		case html.TextToken:
			text := bytes.TrimLeft(tokens.Raw(), " \t\n\r\f")
			if len(text) > 0 && !bytes.HasPrefix([]byte("</"), text) {
				return true
			}
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			return true
		case html.CommentToken:
		}
	}
}

// charsetOf returns the encoding that a meta element says, "" if it says none.
func charsetOf(token html.Token) string {
	if token.Data != "meta" {
		return ""
	}
	var content string
	isType := false
	for _, attribute := range token.Attr {
		switch attribute.Key {
		case "charset":
			return strings.TrimSpace(attribute.Val)
		case "content":
			content = attribute.Val
		case "http-equiv":
			isType = ascii.EqualFold(attribute.Val, "content-type")
		}
	}
	if isType {
		_, parameters := ascii.MediaType(content)
		return parameters["charset"]
	}
	return ""
}

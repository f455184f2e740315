package insertion

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
)

// A HeadWriter writes an XHTML document with a piece of markup at the begin of its head.
// All that is held back meanwhile is what is not finished of a tag, a comment or the like.
type HeadWriter struct {
	below  io.Writer
	markup []byte
	fail   func(Obstacle)
	held   []byte
	next   int  // how much has to be held before it is looked at again
	known  int  // how much was looked at for good
	inRoot bool // its tag was seen
	isDone bool // the markup is in its place, or has none
}

// InHead returns a writer of an XHTML document that is not compressed, with a piece of
// markup at the begin of its head. It leaves alone, and says why, what does not begin as such
// documents do: with a root and a head that are named html and head without a prefix, in the
// namespace of XHTML, before anything else that is shown or run.
func InHead(below io.Writer, markup []byte, fail func(Obstacle)) *HeadWriter {
	return &HeadWriter{below: below, markup: markup, fail: fail}
}

// Write writes a part of the document.
func (w *HeadWriter) Write(part []byte) (int, error) {
	if w.isDone && len(part) > 0 {
		return w.below.Write(part)
	}
	text := append(w.held, part...)
	w.held = nil
	at := 0
	if !w.isDone && len(text) >= w.next {
		var outcome outcome
		at, outcome = w.find(text)
		switch outcome {
		case opens:
			w.isDone = true
			return len(part), insert(w.below, text, at, w.markup)
		case never:
			w.giveUp(text)
			at = len(text)
		case notYet:
			w.next = 2 * (len(text) - at) // looking at it anew for each byte would cost its square
		}
	}
	if !w.isDone {
		w.held = text[at:]
	}
	if at == 0 {
		return len(part), nil
	}
	_, err := w.below.Write(text[:at])
	return len(part), err
}

// giveUp tells why a document that begins so is left alone.
func (w *HeadWriter) giveUp(text []byte) {
	w.isDone = true
	if w.known == 0 && (beginsWide(text, wideMarks) || beginsWide(text, wideDeclarations)) {
		w.fail(Charset)
	} else {
		w.fail(XML)
	}
}

// Flush writes what can be written.
func (w *HeadWriter) Flush() error {
	w.next = 0
	if _, err := w.Write(nil); err != nil {
		return err
	}
	return flush(w.below)
}

// Abandon ends the work on a document of which nothing more comes.
func (w *HeadWriter) Abandon() { abandon(w.below) }

// Close writes the end of the document.
func (w *HeadWriter) Close() error {
	if !w.isDone {
		if err := w.Flush(); err != nil {
			return err
		}
		if !w.isDone {
			w.giveUp(w.held)
			if _, err := w.below.Write(w.held); err != nil {
				return err
			}
		}
	}
	return closeBody(w.below)
}

// xhtmlSpace is the namespace of XHTML.
const xhtmlSpace = "http://www.w3.org/1999/xhtml"

// find looks at more of a document, and returns where the head opens; as long as that is not
// there, how much stands in front of what is not finished.
func (w *HeadWriter) find(text []byte) (at int, known outcome) {
	if len(text) < len("<head>") {
		return 0, notYet // nor can a character be cut off
	}
	tokens := xml.NewDecoder(bytes.NewReader(text))
	tokens.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil } // all that are read here have ASCII in them
	begun := w.known
	for {
		token, err := tokens.RawToken()
		var broken *xml.SyntaxError
		switch {
		case w.known > maxHeld, begun+len(text) > maxHeld && err != nil:
			return 0, never
		case errors.Is(err, io.EOF), errors.As(err, &broken) && broken.Msg == "unexpected EOF":
			return at, notYet
		case err != nil || !w.isInFront(token):
			return 0, never
		}
		at = int(tokens.InputOffset())
		w.known = begun + at
		switch start, _ := token.(xml.StartElement); {
		case start.Name.Local == "":
		case w.inRoot && text[at-2] != '/':
			return at, opens
		case w.inRoot:
			return 0, never
		default:
			w.inRoot = true
		}
	}
}

// styleSheet is what an instruction says that cannot make another document by XSLT, as those
// of many other types can: plainly that it is of CSS, by its first type.
var styleSheet = regexp.MustCompile(`^((href|title|media|charset|alternate)=("[^"&]*"|'[^'&]*')\s+)*type=("text/css"|'text/css')(\s|$)`)

// isInFront tells whether a token can stand in front of what is in a head, its tag included.
func (w *HeadWriter) isInFront(token xml.Token) bool {
	switch token := token.(type) {
	case xml.Comment:
		return true
	case xml.CharData:
		return len(bytes.Trim(token, " \t\r\n\uFEFF")) == 0
	case xml.Directive:
		return !bytes.ContainsRune(token, '[') // it can give elements other attributes
	case xml.ProcInst:
		return token.Target != "xml-stylesheet" || styleSheet.Match(token.Inst)
	case xml.StartElement:
		name, space := "html", ""
		if w.inRoot {
			name, space = "head", xhtmlSpace
		}
		for _, attribute := range token.Attr {
			if attribute.Name == (xml.Name{Local: "xmlns"}) {
				space = attribute.Value
			}
		}
		return token.Name == xml.Name{Local: name} && space == xhtmlSpace
	}
	return false
}

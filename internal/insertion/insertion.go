// Package insertion puts one piece of markup at the head of a document, in a stream:
// before everything else, so that no code of the document runs before it. Parsers take a
// document that follows its own doctype as if nothing stood between (HTML, sections 13.2.6.4.1
// to 13.2.6.4.4): its own doctype is ignored then, and the attributes of its html element
// are taken over. What is compressed is not unpacked.
package insertion

import (
	"bytes"
	"io"
)

const (
	// headLength is how much of a document is looked at: parsers look for its encoding
	// there (HTML, section 13.2.3.2).
	headLength = 1024

	// maxHeld is how much is held back until so much of a document is there, in bytes as
	// they came.
	maxHeld = 16 << 10
)

// A Writer writes a document with a piece of markup at its head.
type Writer struct {
	below  io.Writer
	markup func(head []byte) []byte // what is put before a document with such a head; nil leaves it alone
	gzip   *splice                  // nil if the document is not compressed
	held   []byte                   // until it is known how the document begins
	next   int                      // how much has to be held before it is looked at again
	isOpen bool                     // it is known
}

// New returns a writer of a document, compressed by gzip or not at all. It asks once what
// to put before it, by how it begins, unpacked.
func New(below io.Writer, isCompressed bool, markup func(head []byte) []byte) *Writer {
	w := &Writer{below: below, markup: markup}
	if isCompressed {
		w.gzip = new(splice)
	}
	return w
}

// Write writes a part of the document, or holds it back until enough of it is there.
func (w *Writer) Write(part []byte) (int, error) {
	if w.isOpen {
		return len(part), w.pass(part)
	}
	w.held = append(w.held, part...)
	if len(w.held) < w.next {
		return len(part), nil
	}
	w.next = 2 * len(w.held) // unpacking it anew for each byte would cost its square
	head, isEnough := w.head()
	if !isEnough && len(w.held) < maxHeld {
		return len(part), nil
	}
	return len(part), w.open(head)
}

// Flush writes what is held back, however little of the document it is.
func (w *Writer) Flush() error {
	if w.isOpen || len(w.held) == 0 {
		return nil
	}
	head, _ := w.head()
	if w.gzip != nil && len(head) == 0 {
		return nil // nothing can be told of a part of what is compressed
	}
	return w.open(head)
}

// Close writes the end of the document.
func (w *Writer) Close() error {
	if err := w.Flush(); err != nil {
		return err
	}
	if !w.isOpen {
		w.isOpen, w.gzip = true, nil
		return w.pass(w.held)
	}
	if w.gzip == nil {
		return nil
	}
	_, err := w.below.Write(w.gzip.end())
	return err
}

// head returns how the document begins, and whether that is enough.
func (w *Writer) head() (head []byte, isEnough bool) {
	if w.gzip != nil {
		head, isEnough = unpackHead(w.held)
	} else {
		head = w.held
	}
	if len(head) >= headLength {
		return head[:headLength], true
	}
	return head, isEnough
}

// open writes the markup, and what was held back behind it, at once: who compresses below
// decides by what is written first.
func (w *Writer) open(head []byte) error {
	w.isOpen = true
	held := w.held
	w.held = nil
	var markup []byte
	if w.gzip == nil || w.gzip.begin(held) {
		markup = w.markup(head)
	}
	if markup == nil {
		w.gzip = nil
		return w.pass(held)
	}
	if w.gzip != nil {
		start := w.gzip.start(markup)
		_, err := w.below.Write(append(start, w.gzip.keep(held[w.gzip.header:])...))
		return err
	}
	mark := 0
	if bytes.HasPrefix(held, byteOrderMark) {
		mark = len(byteOrderMark) // it tells the encoding only as the first bytes of all
	}
	joined := make([]byte, 0, len(markup)+len(held))
	joined = append(append(append(joined, held[:mark]...), markup...), held[mark:]...)
	_, err := w.below.Write(joined)
	return err
}

// pass writes a part of the document behind what was put before it.
func (w *Writer) pass(part []byte) error {
	if w.gzip != nil {
		part = w.gzip.keep(part)
	}
	if len(part) == 0 {
		return nil
	}
	_, err := w.below.Write(part)
	return err
}

// byteOrderMark begins a document in UTF-8 that says so.
var byteOrderMark = []byte("\xEF\xBB\xBF")

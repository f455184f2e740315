// Package insertion puts one piece of markup at the head of a document, in a stream:
// before everything else, so that no code of the document runs before it. Parsers take a
// document that follows its own doctype as if nothing stood between (HTML, sections 13.2.6.4.1
// to 13.2.6.4.4): its own doctype is ignored then, and the attributes of its html element
// are taken over. What is compressed is not unpacked, unless its place is further on.
package insertion

import (
	"bytes"
	"io"
	"sync"
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
		w.gzip, w.next = splices.Get().(*splice), headLength/2 //nolint:forcetypeassert // nothing else is in it
	}
	return w
}

// Write writes a part of the document, or holds it back until enough of it is there.
func (w *Writer) Write(part []byte) (int, error) {
	if w.isOpen {
		return len(part), w.pass(part)
	}
	held := part // the first can be enough, and is not copied then
	if len(w.held) > 0 {
		w.held = append(w.held, part...)
		held = w.held
	}
	if len(held) >= w.next {
		w.next = 2 * len(held) // unpacking it anew for each byte would cost its square
		if head, isEnough := w.head(held); isEnough || len(held) >= maxHeld {
			return len(part), w.open(held, head)
		}
	}
	if len(w.held) == 0 {
		w.held = append(make([]byte, 0, headLength), part...)
	}
	return len(part), nil
}

// Flush writes what is held back, however little of the document it is, unless nothing of it
// is shown yet and its doctype can follow.
func (w *Writer) Flush() error {
	if !w.isOpen && len(w.held) > 0 {
		head, isEnough := w.head(w.held)
		if !isEnough && !isBegun(head) {
			return nil
		}
		if err := w.open(w.held, head); err != nil {
			return err
		}
	}
	if w.isOpen && w.gzip != nil {
		if err := w.gzip.flush(w.below); err != nil {
			return err
		}
	}
	return flush(w.below)
}

// Abandon writes what there is of a document of which nothing more comes.
func (w *Writer) Abandon() {
	if w.isOpen && w.gzip != nil {
		_ = w.gzip.flush(w.below) // nobody is left to be told
	}
	abandon(w.below)
}

// Close writes the end of the document.
func (w *Writer) Close() error {
	if !w.isOpen && len(w.held) > 0 {
		head, _ := w.head(w.held)
		if w.gzip == nil || len(head) > 0 { // nothing can be told of a part of what is compressed
			if err := w.open(w.held, head); err != nil {
				return err
			}
		}
	}
	if !w.isOpen {
		w.isOpen, w.gzip = true, nil
		if err := w.pass(w.held); err != nil {
			return err
		}
	}
	if w.gzip != nil {
		err := w.gzip.close(w.below)
		w.gzip = nil
		if err != nil {
			return err
		}
	}
	return closeBody(w.below)
}

// head returns how the document begins of which something is there, and whether that is
// enough.
func (w *Writer) head(held []byte) (head []byte, isEnough bool) {
	if w.gzip != nil {
		head, isEnough = unpackHead(held)
	} else {
		head = held
	}
	if len(head) >= headLength {
		return head[:headLength], true
	}
	return head, isEnough
}

// open writes the markup, and what was held back behind it, at once: who compresses below
// decides by what is written first.
func (w *Writer) open(held, head []byte) error {
	w.isOpen = true
	w.held = nil
	if w.gzip != nil && bytes.HasPrefix(head, byteOrderMark) {
		// The mark has to stay first, and what stands behind it cannot stay compressed.
		w.gzip = nil
		w.below = Repack(w.below, func(below io.Writer) Body { return New(below, false, w.markup) })
		return w.pass(held)
	}
	var markup []byte
	if w.gzip == nil || w.gzip.begin(held) {
		markup = w.markup(head)
	}
	if markup == nil {
		w.gzip = nil
		return w.pass(held)
	}
	if w.gzip != nil {
		w.gzip.start(markup)
		return w.gzip.write(w.below, held[w.gzip.header:])
	}
	mark := 0
	if bytes.HasPrefix(held, byteOrderMark) {
		mark = len(byteOrderMark) // it tells the encoding only as the first bytes of all
	}
	return insert(w.below, held, mark, markup)
}

// pass writes a part of the document behind what was put before it.
func (w *Writer) pass(part []byte) error {
	if w.gzip != nil {
		return w.gzip.write(w.below, part)
	}
	if len(part) == 0 {
		return nil
	}
	_, err := w.below.Write(part)
	return err
}

// buffers are used again, as documents come in parts of much the same length.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// insert writes a text with markup at an index, at once: who compresses below decides by what
// is written first.
func insert(below io.Writer, text []byte, at int, markup []byte) error {
	buffer := buffers.Get().(*[]byte) //nolint:forcetypeassert // nothing else is in it
	defer buffers.Put(buffer)
	*buffer = append(append(append((*buffer)[:0], text[:at]...), markup...), text[at:]...)
	_, err := below.Write(*buffer)
	return err
}

// byteOrderMark begins a document in UTF-8 that says so.
var byteOrderMark = []byte("\xEF\xBB\xBF")

package insertion

import (
	"io"
	"slices"
)

// A Body is the body of an answer on its way.
type Body interface {
	io.Writer

	// Flush writes what can be written by now.
	Flush() error

	// Close writes the end.
	Close() error
}

// An Abandoner is a body on which work goes on until it is closed or abandoned.
type Abandoner interface {
	// Abandon writes what there is of a body of which nothing more comes.
	Abandon()
}

// A BodyWriter writes a document with a piece of markup where its body opens, and one at its
// end, which parsers take into the body, too. All that is held back meanwhile is a tag that is
// not finished.
type BodyWriter struct {
	below   io.Writer
	markup  []byte
	end     []byte // nothing if the body does not open
	opening opening
	held    []byte
	isDone  bool // the markup is in its place, or has none
}

// AtBody returns a writer of a document that is not compressed, with a piece of markup at
// the begin of its body and one at its end. Fragments and framesets it leaves alone.
func AtBody(below io.Writer, markup, end []byte) *BodyWriter {
	return &BodyWriter{below: below, markup: markup, end: end}
}

// Write writes a part of the document.
func (w *BodyWriter) Write(part []byte) (int, error) {
	if w.isDone {
		return w.below.Write(part)
	}
	known := len(w.held)
	text := part
	if known > 0 {
		text = append(w.held, part...)
		w.held = nil
	}
	at, outcome := w.opening.find(text, known)
	switch outcome {
	case opens:
		w.isDone = true
		return len(part), insert(w.below, text, at, w.markup)
	case never:
		w.isDone, w.end = true, nil
	case notYet:
		w.held = append(w.held, text[at:]...)
		text = text[:at]
	}
	if len(text) == 0 {
		return len(part), nil
	}
	_, err := w.below.Write(text)
	return len(part), err
}

// Flush has whoever is below write what can be written.
func (w *BodyWriter) Flush() error { return flush(w.below) }

// Abandon ends the work on a document of which nothing more comes.
func (w *BodyWriter) Abandon() { abandon(w.below) }

// Close writes the end of the document, with the markup if it ends before its body opens.
func (w *BodyWriter) Close() error {
	end := w.held
	switch {
	case w.isDone:
		end = w.end
	case w.opening.isAtEnd():
		end = slices.Concat(w.held, w.markup, w.end)
	}
	w.isDone, w.held, w.end = true, nil, nil
	if len(end) > 0 {
		if _, err := w.below.Write(end); err != nil {
			return err
		}
	}
	return closeBody(w.below)
}

// flush has a writer write what can be written, if it holds anything back.
func flush(writer io.Writer) error {
	if body, ok := writer.(Body); ok {
		return body.Flush()
	}
	return nil
}

// closeBody has a writer write the end, if it is one of a body.
func closeBody(writer io.Writer) error {
	if body, ok := writer.(Body); ok {
		return body.Close()
	}
	return nil
}

// abandon ends the work that a writer does on a body of which nothing more comes.
func abandon(writer io.Writer) {
	if body, ok := writer.(Abandoner); ok {
		body.Abandon()
	}
}

package insertion

import (
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// A Repacker unpacks a document that is compressed by gzip, puts a piece of markup where its
// body opens, and compresses it again: what stands in the middle of a stream cannot be put
// in without, as what follows refers to places in front of it.
type Repacker struct {
	below  io.Writer
	markup []byte
	packer *gzip.Writer // of what is unpacked; nil as long as nothing is

	next    func() (struct{}, bool) // unpacks what is there
	stop    func()
	input   []byte // what is there
	header  []byte // what was read so far, as long as it may be none of gzip
	isWhole bool   // nothing more comes
	isLost  bool   // nobody waits for it any more
	passes  bool   // what comes is no gzip, and left as it is
	err     error
}

// packers are used again, as each takes a lot of memory. They spend little time: of those
// who have not answered, robots ask for most pages.
var packers = sync.Pool{New: func() any {
	packer, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // there is such a level
	return packer
}}

// Repack returns a writer of a document that is compressed by gzip, with a piece of markup
// at the begin of its body. It has to be closed or abandoned.
func Repack(below io.Writer, markup []byte) *Repacker {
	r := &Repacker{below: below, markup: markup, header: []byte{}}
	r.next, r.stop = iter.Pull(r.unpack)
	return r
}

// Write writes a part of the document.
func (r *Repacker) Write(part []byte) (int, error) {
	if r.passes {
		return r.below.Write(part)
	}
	r.input = part
	r.next()
	if r.passes {
		_, err := r.below.Write(append(r.header, r.input...))
		return len(part), err
	}
	return len(part), r.err
}

// Flush writes what was unpacked so far.
func (r *Repacker) Flush() error {
	if r.packer != nil {
		if err := r.packer.Flush(); err != nil {
			return err
		}
	}
	return flush(r.below)
}

// Close writes the end of the document; of one that was cut off, what there is of it.
func (r *Repacker) Close() error {
	r.isWhole = true
	if wasPassing := r.passes; !wasPassing {
		r.input = nil
		r.next()
		if r.passes && len(r.header) > 0 {
			if _, err := r.below.Write(r.header); err != nil {
				return err
			}
		}
	}
	r.stop()
	if r.err != nil {
		return r.err
	}
	return closeBody(r.below)
}

// Abandon ends the work on a document of which nothing more is to be written.
func (r *Repacker) Abandon() {
	r.isLost = true
	r.stop()
}

// unpack reads the stream, and yields whenever nothing more of it is there.
func (r *Repacker) unpack(yield func(struct{}) bool) {
	stream, err := gzip.NewReader(&source{r, yield})
	if err != nil {
		r.passes = true
		return
	}
	r.header = nil
	stream.Multistream(false) // browsers read no second one
	r.packer = packers.Get().(*gzip.Writer)
	defer packers.Put(r.packer) // as it is now
	r.packer.Reset(r.below)
	body := AtBody(r.packer, r.markup)
	_, err = stream.WriteTo(body)
	switch {
	case r.isLost:
	case err == nil:
		r.err = body.Close()
	case errors.Is(err, io.ErrUnexpectedEOF) && r.isWhole:
		r.err = r.packer.Flush()
	default:
		r.err = err
	}
	r.packer = nil
}

// A source is what a stream is read from: what is there of it.
type source struct {
	*Repacker
	yield func(struct{}) bool
}

// await tells whether there is something to read, once there is.
func (s *source) await() bool {
	for len(s.input) == 0 {
		if s.isWhole || !s.yield(struct{}{}) {
			return false
		}
	}
	return true
}

// Read reads what is there.
func (s *source) Read(into []byte) (int, error) {
	if !s.await() {
		return 0, io.EOF
	}
	n := copy(into, s.input)
	s.read(n)
	return n, nil
}

// ReadByte reads one byte, so that nobody reads ahead.
func (s *source) ReadByte() (byte, error) {
	if !s.await() {
		return 0, io.EOF
	}
	char := s.input[0]
	s.read(1)
	return char, nil
}

// read takes account of what was read.
func (s *source) read(n int) {
	if s.header != nil {
		s.header = append(s.header, s.input[:n]...)
	}
	s.input = s.input[n:]
}

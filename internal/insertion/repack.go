package insertion

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// A Repacker unpacks a document that is compressed by gzip, has something put into it, and
// compresses it again: what stands in the middle of a stream cannot be put in without, as
// what follows refers to places in front of it. What browsers show of a stream that is
// broken, or wrong in its sums, they show of the new one; what follows a stream, which they
// do not read, stays as it is.
type Repacker struct {
	below  io.Writer
	inside func(below io.Writer) Body
	body   Body // what is unpacked goes there; nil as long as nothing does

	next    func() (struct{}, bool) // unpacks what is there
	stop    func()
	input   []byte // what is there
	left    []byte // what was read of what may be left as it is
	isWhole bool   // nothing more comes
	passes  bool   // what comes is left as it is: no gzip, or behind its end
	err     error
}

// packers are used again, as each takes a lot of memory, and so are unpackers. They spend
// little time: of those who have not answered, robots ask for most pages.
var (
	packers = sync.Pool{New: func() any {
		packer, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // there is such a level
		return packer
	}}
	streams = sync.Pool{New: func() any { return &stream{input: bufio.NewReader(nil)} }}
)

// A stream unpacks what it reads, a piece at a time.
type stream struct {
	gzip.Reader

	input *bufio.Reader
}

// Repack returns a writer of a document that is compressed by gzip, of which what is
// unpacked goes through another writer. It has to be closed or abandoned.
func Repack(below io.Writer, inside func(below io.Writer) Body) *Repacker {
	r := &Repacker{below: below, inside: inside}
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
		if left := append(r.left, r.input...); len(left) > 0 {
			_, err := r.below.Write(left)
			return len(part), err
		}
	}
	return len(part), r.err
}

// Flush writes what was unpacked so far.
func (r *Repacker) Flush() error {
	if r.body != nil {
		if err := r.body.Flush(); err != nil {
			return err
		}
	}
	return flush(r.below)
}

// Close writes the end of the document; of one that was cut off, what there is of it.
func (r *Repacker) Close() error {
	r.isWhole = true
	if !r.passes {
		r.input = nil
		r.next()
		if r.passes && len(r.left) > 0 {
			if _, err := r.below.Write(r.left); err != nil {
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

// Abandon writes what there is of a document of which nothing more comes.
func (r *Repacker) Abandon() {
	r.stop()
	abandon(r.below)
}

// unpack reads the stream, and yields whenever nothing more of it is there.
func (r *Repacker) unpack(yield func(struct{}) bool) {
	stream := streams.Get().(*stream) //nolint:forcetypeassert // nothing else is in it
	defer func() {
		stream.input.Reset(nil)
		streams.Put(stream)
	}()
	source := &source{Repacker: r, yield: yield, isHeader: true}
	stream.input.Reset(source)
	if err := stream.Reset(stream.input); err != nil {
		r.passes = true
		return
	}
	source.isHeader, r.left = false, nil
	stream.Multistream(false)
	packer := packers.Get().(*gzip.Writer) //nolint:forcetypeassert // nothing else is in it
	defer packers.Put(packer)
	packer.Reset(r.below)
	r.body = r.inside(packer)
	if _, err := stream.WriteTo(r.body); err == nil || errors.Is(err, gzip.ErrChecksum) {
		r.err = r.body.Close()
		r.passes = true
		behind, _ := stream.input.Peek(stream.input.Buffered())
		r.left = bytes.Clone(behind)
	} else {
		r.err = r.body.Flush()
	}
	r.body = nil
}

// A source is what a stream is read from: what is there of it.
type source struct {
	*Repacker

	yield    func(struct{}) bool
	isHeader bool // or may be none of gzip
}

// Read reads what is there, once something is.
func (s *source) Read(into []byte) (int, error) {
	for len(s.input) == 0 {
		if s.isWhole || !s.yield(struct{}{}) {
			return 0, io.EOF
		}
	}
	n := copy(into, s.input)
	if s.isHeader {
		s.left = append(s.left, s.input[:n]...)
	}
	s.input = s.input[n:]
	return n, nil
}

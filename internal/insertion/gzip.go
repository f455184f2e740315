package insertion

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// A splice puts bytes before what a gzip stream holds (RFC 1952), without unpacking it: a
// header of its own, the bytes as a block that is stored (RFC 1951, section 3.2.4), the
// compressed blocks as they came, whose references reach no further back than their own
// beginning, and the sums of both.
type splice struct {
	header int // how long the stream's own is
	sum    uint32
	length uint32
	came   uint64 // how many bytes of the stream
	buffer []byte // what is not written yet; its end are the stream's own sums, if nothing follows
}

// maxRatio is how many times its length a stream can hold at most (RFC 1951, section 3.2.5).
const maxRatio = 1032

// trailerLength is how long the sums are at the end of a stream.
const trailerLength = 8

// maxGathered is how much is gathered of what comes in small parts, as compressors write, in
// bytes: no more than servers do themselves, which keep nothing of a part that is larger.
const maxGathered = 2 << 10

// maxStored is the most that one block can store, in bytes.
const maxStored = 1<<16 - 1

// begin reads the header of a stream, and tells whether it is one.
func (s *splice) begin(stream []byte) bool {
	s.header = headerLength(stream)
	return s.header > 0
}

// start starts the new stream, with the bytes that are put before.
func (s *splice) start(stored []byte) {
	stored = stored[:min(len(stored), maxStored)]
	s.sum, s.length = crc32.ChecksumIEEE(stored), uint32(len(stored)) //nolint:gosec // at most maxStored
	s.buffer = append(s.buffer, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0)
	s.buffer = binary.LittleEndian.AppendUint16(s.buffer, uint16(len(stored)))  //nolint:gosec // at most maxStored
	s.buffer = binary.LittleEndian.AppendUint16(s.buffer, ^uint16(len(stored))) //nolint:gosec // at most maxStored
	s.buffer = append(s.buffer, stored...)
}

// write goes on with a part of the compressed blocks.
func (s *splice) write(below io.Writer, part []byte) error {
	s.buffer = append(s.buffer, part...)
	s.came += uint64(len(part))
	if len(s.buffer) < maxGathered {
		return nil
	}
	return s.flush(below)
}

// flush writes all but what may be the end.
func (s *splice) flush(below io.Writer) error {
	known := len(s.buffer) - int(min(s.came, trailerLength)) //nolint:gosec // at most trailerLength
	_, err := below.Write(s.buffer[:known])
	s.buffer = append(s.buffer[:0], s.buffer[known:]...)
	return err
}

// close writes the rest, which ends with the sums of the new stream; of one that has been cut
// off, what is left of it: hardly ever can that be taken for sums.
func (s *splice) close(below io.Writer) error {
	if s.came >= trailerLength {
		sums := s.buffer[len(s.buffer)-trailerLength:]
		sum, length := binary.LittleEndian.Uint32(sums), binary.LittleEndian.Uint32(sums[4:])
		if uint64(length) <= maxRatio*s.came {
			binary.LittleEndian.PutUint32(sums, joinSums(s.sum, sum, length))
			binary.LittleEndian.PutUint32(sums[4:], s.length+length)
		}
	}
	_, err := below.Write(s.buffer)
	*s = splice{buffer: s.buffer[:0]}
	splices.Put(s)
	return err
}

// splices are used again, for the sake of their buffers.
var splices = sync.Pool{New: func() any { return new(splice) }}

// The flags of a header that tell what follows it.
const (
	hasSum     = 1 << 1
	hasExtra   = 1 << 2
	hasName    = 1 << 3
	hasComment = 1 << 4
)

// headerLength returns how long the header of a stream is, 0 if all of it is not there or
// it is none.
func headerLength(stream []byte) int {
	const fixed = 10
	if len(stream) < fixed || stream[0] != 0x1f || stream[1] != 0x8b || stream[2] != 8 || stream[3]&0xe0 != 0 {
		return 0
	}
	flags, length := stream[3], fixed
	if flags&hasExtra != 0 {
		if len(stream) < length+2 {
			return 0
		}
		length += 2 + int(binary.LittleEndian.Uint16(stream[length:]))
	}
	for _, flag := range []byte{hasName, hasComment} {
		if flags&flag == 0 {
			continue
		}
		if length > len(stream) {
			return 0
		}
		end := bytes.IndexByte(stream[length:], 0)
		if end < 0 {
			return 0
		}
		length += end + 1
	}
	if flags&hasSum != 0 {
		length += 2
	}
	if length > len(stream) {
		return 0
	}
	return length
}

// unpackHead returns how what a stream holds begins, as far as that is there, and whether
// nothing more can be had: it is enough, or all, or the stream is none.
func unpackHead(stream []byte) (head []byte, isEnough bool) {
	header := headerLength(stream)
	if header == 0 {
		return nil, len(stream) >= 3 && !bytes.HasPrefix(stream, []byte{0x1f, 0x8b, 8})
	}
	head, blocks := make([]byte, headLength), stream[header:]
	for taken := headLength; ; taken *= 4 { // an unpacker does not stop before all is unpacked that it is given
		length, err := inflate(head, blocks[:min(taken, len(blocks))])
		if isCut := errors.Is(err, io.ErrUnexpectedEOF); !isCut || taken >= len(blocks) {
			return head[:length], !isCut
		}
	}
}

// inflate unpacks compressed blocks until nothing more fits, and tells how much that is.
func inflate(into, blocks []byte) (length int, err error) {
	unpacker := unpackers.Get().(flate.Resetter) //nolint:forcetypeassert // nothing else is in it
	defer unpackers.Put(unpacker)
	err = unpacker.Reset(bytes.NewReader(blocks), nil)
	for err == nil && length < len(into) {
		var more int
		more, err = unpacker.(io.Reader).Read(into[length:])
		length += more
	}
	return length, err
}

// unpackers are used again, as each takes some 40 KB.
var unpackers = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// joinSums returns the sum (CRC-32) of some bytes and others behind them, of which only the
// sums are known, and how many the others are: that of the first moves on by as many
// zeros.
func joinSums(first, second, length uint32) uint32 {
	for power := uint32(zeroByte); length > 0; length >>= 1 {
		if length&1 != 0 {
			first = multiply(power, first)
		}
		power = multiply(power, power)
	}
	return first ^ second
}

// zeroByte is x to the power of 8, by which a sum is multiplied for a byte of zeros behind
// it, with the highest power in the lowest bit.
const zeroByte = 1 << (31 - 8)

// multiply multiplies two polynomials modulo that of the sums.
func multiply(a, b uint32) uint32 {
	var product uint32
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.IEEE
		} else {
			b >>= 1
		}
	}
	return product
}

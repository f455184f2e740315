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
	last   []byte // the last of them: the stream's own sums, if nothing follows
}

// maxRatio is how many times its length a stream can hold at most (RFC 1951, section 3.2.5).
const maxRatio = 1032

// trailerLength is how long the sums are at the end of a stream.
const trailerLength = 8

// maxStored is the most that one block can store, in bytes.
const maxStored = 1<<16 - 1

// begin reads the header of a stream, and tells whether it is one.
func (s *splice) begin(stream []byte) bool {
	s.header = headerLength(stream)
	return s.header > 0
}

// start adds to a buffer how the new stream starts, with the bytes that are put before.
func (s *splice) start(buffer, stored []byte) []byte {
	stored = stored[:min(len(stored), maxStored)]
	s.sum, s.length = crc32.ChecksumIEEE(stored), uint32(len(stored)) //nolint:gosec // at most maxStored
	buffer = append(buffer, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0)
	buffer = binary.LittleEndian.AppendUint16(buffer, uint16(len(stored)))  //nolint:gosec // at most maxStored
	buffer = binary.LittleEndian.AppendUint16(buffer, ^uint16(len(stored))) //nolint:gosec // at most maxStored
	return append(buffer, stored...)
}

// keep adds to a buffer what of a part can be written, and keeps back what may be the end.
func (s *splice) keep(buffer, part []byte) []byte {
	known := len(buffer) + max(0, len(s.last)+len(part)-trailerLength)
	buffer = append(append(buffer, s.last...), part...)
	s.last = append(s.last[:0], buffer[known:]...)
	s.came += uint64(len(part))
	return buffer[:known]
}

// end returns the end of the new stream; of one that has been cut off, what is left of it:
// hardly ever can that be taken for sums.
func (s *splice) end() []byte {
	if len(s.last) < trailerLength {
		return s.last
	}
	sum, length := binary.LittleEndian.Uint32(s.last), binary.LittleEndian.Uint32(s.last[4:])
	if uint64(length) > maxRatio*s.came {
		return s.last
	}
	end := binary.LittleEndian.AppendUint32(nil, joinSums(s.sum, sum, length))
	return binary.LittleEndian.AppendUint32(end, s.length+length)
}

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
	head = make([]byte, headLength)
	unpacker := unpackers.Get().(flate.Resetter) //nolint:forcetypeassert // nothing else is in it
	defer unpackers.Put(unpacker)
	if err := unpacker.Reset(bytes.NewReader(stream[header:]), nil); err != nil {
		return nil, true
	}
	n, err := io.ReadFull(unpacker.(io.Reader), head)
	isCut := errors.Is(err, io.ErrUnexpectedEOF) && !isWhole(stream[header:])
	return head[:n], !isCut
}

// unpackers are used again, as each takes some 40 KB.
var unpackers = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// isWhole tells whether compressed blocks come to their end.
func isWhole(blocks []byte) bool {
	_, err := io.CopyN(io.Discard, flate.NewReader(bytes.NewReader(blocks)), headLength)
	return errors.Is(err, io.EOF)
}

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

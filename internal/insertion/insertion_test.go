package insertion

import (
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// pack compresses a document.
func pack(t testing.TB, document []byte, level int) []byte {
	t.Helper()
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(document); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// unpack returns what a stream holds, of which the sums are right and behind which nothing
// follows.
func unpack(t testing.TB, packed []byte) []byte {
	t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	document, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// written writes a document in parts of some length.
func written(t testing.TB, document []byte, length int, isCompressed bool, markup func([]byte) []byte) []byte {
	t.Helper()
	var written bytes.Buffer
	writer := New(&written, isCompressed, markup)
	for len(document) > 0 {
		part := document[:min(length, len(document))]
		if n, err := writer.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
		document = document[len(part):]
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return written.Bytes()
}

func TestJoinSums(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		first, second := make([]byte, random.IntN(3000)), make([]byte, random.IntN(3000))
		for _, part := range [][]byte{first, second} {
			for i := range part {
				part[i] = byte(random.Uint32())
			}
		}
		got := joinSums(crc32.ChecksumIEEE(first), crc32.ChecksumIEEE(second), uint32(len(second)))
		if want := crc32.ChecksumIEEE(append(first, second...)); got != want {
			t.Fatalf("%d and %d bytes: %08x, not %08x", len(first), len(second), got, want)
		}
	}
}

// Whatever a document is, and however it comes, it leaves behind the markup as it was.
func FuzzWriter(f *testing.F) {
	noise := make([]byte, 5000) // which cannot be compressed
	rand.NewChaCha8([32]byte{}).Read(noise)
	for _, document := range []string{"", "a", "<!DOCTYPE html><p>", "\xEF\xBB\xBF<p>", "\x1f\x8b\x08", string(bytes.Repeat([]byte("<p>é"), 9000)), string(noise)} {
		for _, length := range []int{1, 7, 1 << 20} {
			f.Add([]byte(document), length, 6)
		}
	}
	f.Fuzz(func(t *testing.T, document []byte, length, level int) {
		length, level = max(1, length), ((level%10)+10)%10
		const markup = "<script src=/a></script>"
		var head []byte
		put := func(begins []byte) []byte {
			head = bytes.Clone(begins)
			return []byte(markup)
		}
		want := append([]byte(markup), document...)
		if len(document) == 0 {
			want = nil
		}
		if bytes.HasPrefix(document, byteOrderMark) {
			want = append([]byte("\xEF\xBB\xBF"+markup), document[len(byteOrderMark):]...)
		}
		packed := written(t, pack(t, document, level), length, true, put)
		if got := unpack(t, packed); len(document) > 0 && !bytes.Equal(got, want) {
			t.Fatalf("packed: %q, not %q", got, want)
		}
		if len(document) > 0 && !bytes.Equal(head, document[:min(len(document), headLength)]) {
			t.Fatalf("the head is %q", head)
		}
		if got := written(t, document, length, false, put); !bytes.Equal(got, want) {
			t.Fatalf("plain: %q, not %q", got, want)
		}
		leave := func([]byte) []byte { return nil }
		for _, isCompressed := range []bool{false, true} {
			if got := written(t, document, length, isCompressed, leave); !bytes.Equal(got, document) {
				t.Fatalf("left alone: %q, not %q", got, document)
			}
		}
	})
}

// However little of a document was flushed, browsers lay it out as they would without the
// markup, which stands outside of its doctype.
func TestFlushedBeginnings(t *testing.T) {
	const markup = "<script src=/g></script>"
	put := func(head []byte) []byte { return Before(head, false, []byte(markup)) }
	for _, document := range []string{
		"\n<!-- a --><!DOCTYPE html><p>b",
		"\xEF\xBB\xBF<!DOCTYPE html><p>b",
		"<?xml version='1.0'?><!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'a'><p>b",
	} {
		mark := ""
		if strings.HasPrefix(document, "\xEF\xBB\xBF") {
			mark = "\xEF\xBB\xBF"
		}
		doctype := document[strings.Index(document, "<!DOCTYPE"):]
		doctype = doctype[:strings.Index(doctype, ">")+1]
		for _, isCompressed := range []bool{false, true} {
			for at := range len(document) - len("<p>b") + 1 {
				var packed, written bytes.Buffer
				writer := New(&written, isCompressed, put)
				packer := gzip.NewWriter(&packed)
				for _, part := range []string{document[:at], document[at:]} {
					if packed.Reset(); isCompressed {
						io.WriteString(packer, part)
						packer.Flush()
					} else {
						packed.WriteString(part)
					}
					writer.Write(packed.Bytes())
					if err := writer.Flush(); err != nil {
						t.Fatal(err)
					}
				}
				if written.Len() == 0 {
					t.Errorf("%q is held back", document)
				}
				if packed.Reset(); isCompressed {
					packer.Close()
					writer.Write(packed.Bytes())
				}
				if err := writer.Close(); err != nil {
					t.Fatal(err)
				}
				got := written.Bytes()
				if isCompressed {
					got = unpack(t, got)
				}
				if want := mark + doctype + markup + document[len(mark):]; string(got) != want {
					t.Errorf("flushed after %d bytes: %q, not %q", at, got, want)
				}
			}
		}
	}
	for _, document := range []string{"\n", "<!-- a -->", "<!DOCTYPE ht", "<", "\xEF\xBB\xBF", "a"} {
		mark := strings.Repeat("\xEF\xBB\xBF", strings.Count(document, "\xEF\xBB\xBF"))
		if got := written(t, []byte(document), 1, false, put); !strings.HasPrefix(string(got), mark+markup) && !strings.HasPrefix(string(got), standardDoctype+markup) {
			t.Errorf("%q became %q", document, got)
		}
	}
	if got := string(put([]byte("<!--" + strings.Repeat("a", headLength-20) + "--><!DOCTYPE html>")[:headLength])); got != standardDoctype+markup {
		t.Errorf("a doctype that goes on behind the head becomes %q", got)
	}
}

// Of a stream that is cut off, all is shown that browsers show of it, and nothing else.
func TestCutOff(t *testing.T) {
	const markup = "<script src=/g></script>"
	put := func([]byte) []byte { return []byte(markup) }
	random := rand.New(rand.NewPCG(1, 2))
	document := []byte("<!DOCTYPE html>")
	for range 3000 {
		document = append(document, "<p>"+strings.Repeat("é", random.IntN(9))...)
	}
	packed := pack(t, document, 6)
	for at := 1000; at < len(packed); at += 97 {
		if got, want := shown(written(t, packed[:at], 500, true, put)), markup+shown(packed[:at]); got != want {
			t.Errorf("cut off after %d bytes: %.80q of %d bytes, not %d", at, got, len(got), len(want))
		}
	}
	// An end of fewer bytes than sums have is no sums, though zeros could be some.
	short := append(pack(t, nil, 6)[:10], 0x4b, 0x04, 0, 0)
	if got, want := shown(written(t, short, 500, true, put)), markup+shown(short); got != want || !strings.HasSuffix(got, "a") {
		t.Errorf("cut off in its sums: %q, not %q", got, want)
	}
}

// pieces is a writer that keeps what is written at once.
type pieces [][]byte

func (p *pieces) Write(piece []byte) (int, error) {
	*p = append(*p, bytes.Clone(piece))
	return len(piece), nil
}

// What comes in small parts, as compressors write, leaves in fewer; when it is flushed, and when
// nothing more comes, all leaves that is not the end.
func TestSmallParts(t *testing.T) {
	const markup = "<script src=/g></script>"
	put := func([]byte) []byte { return []byte(markup) }
	random := rand.New(rand.NewPCG(1, 2))
	document := []byte("<!DOCTYPE html>")
	for len(document) < 50<<10 {
		document = append(document, byte('a'+random.IntN(26)))
	}
	packed := pack(t, document, 6)
	for name, leave := range map[string]func(*Writer) error{
		"closed":    (*Writer).Close,
		"flushed":   (*Writer).Flush,
		"abandoned": func(w *Writer) error { w.Abandon(); return nil },
	} {
		var left pieces
		writer, written := New(&left, true, put), packed
		if name != "closed" {
			written = packed[:len(packed)-1000]
		}
		for part := range slices.Chunk(written, 200) {
			if _, err := writer.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if err := leave(writer); err != nil {
			t.Fatal(err)
		}
		if most := len(written)/2048 + 2; len(left) > most {
			t.Errorf("%s: %d bytes leave in %d pieces, more than %d", name, len(written), len(left), most)
		}
		whole := bytes.Join(left, nil)
		if got, want := shown(whole), markup+shown(written[:len(written)-trailerLength]); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %d bytes leave, not %d", name, len(got), len(want))
		}
	}
}

// What unpacks the beginning of a document, 40 KB, is used again, however small the parts are.
func TestUnpackersAreUsedAgain(t *testing.T) {
	packed := pack(t, bytes.Repeat([]byte("<p>a dataset</p>"), 1000), 6)
	count := func(documents int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range documents {
			writer := New(io.Discard, true, func([]byte) []byte { return []byte("<script src=/g></script>") })
			for part := range slices.Chunk(packed, 10) {
				if _, err := writer.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			if err := writer.Close(); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	count(1)
	if got, most := count(100)/100, uint64(30<<10); got > most { // of what is pooled, the race detector drops a quarter
		t.Errorf("a document takes %d bytes, more than %d", got, most)
	}
}

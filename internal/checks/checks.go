// Package checks is what tests of several packages need: the corpora that they share
// with the end-to-end tests, and a bound on what some work may cost.
package checks

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Update is whether tests record what they see, in the place of comparing it with what
// is recorded.
var Update = flag.Bool("update", false, "record what is seen")

// ReadLines reads a file with a JSON value per line.
func ReadLines[T any](t testing.TB, file string) []T {
	t.Helper()
	content, err := os.ReadFile(file) //nolint:gosec // a corpus of the repository
	if err != nil {
		t.Fatal(err)
	}
	var values []T
	for line := range bytes.Lines(content) {
		var value T
		if err := json.Unmarshal(line, &value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	return values
}

// FromLatin1 returns the bytes that characters up to 255 stand for.
func FromLatin1(text string) string {
	raw := make([]byte, 0, len(text))
	for _, char := range text {
		raw = append(raw, byte(char))
	}
	return string(raw)
}

// ToLatin1 is the inverse of FromLatin1.
func ToLatin1(raw string) string {
	text := make([]rune, 0, len(raw))
	for i := range len(raw) {
		text = append(text, rune(raw[i]))
	}
	return string(text)
}

// Linear fails a test if what run does with some bytes grows faster than
// these: sixteen times as many may take 64 times as long, where 256 times would
// be quadratic. It bounds a ratio, of the fastest of several runs each, and no
// time.
func Linear(t testing.TB, name string, few int, run func(size int)) {
	t.Helper()
	const times, most = 16, 64
	fastest := func(size int) time.Duration {
		shortest := time.Duration(1<<63 - 1)
		for range 5 {
			rounds := max(1, 1<<14/size)
			start := time.Now()
			for range rounds {
				run(size)
			}
			shortest = min(shortest, time.Since(start)/time.Duration(rounds))
		}
		return max(shortest, time.Microsecond)
	}
	small, large := fastest(few), fastest(times*few)
	for range 20 { // what else the machine does disturbs the longer run more
		if large <= most*small {
			return
		}
		small, large = min(small, fastest(few)), min(large, fastest(times*few))
	}
	t.Errorf("%s: %d bytes take %v, %d bytes %v", name, few, small, times*few, large)
}

// Hostile returns the address of a server that nobody trusts.
func Hostile(t testing.TB, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// Peak returns how many bytes of memory the process had more than before, at most,
// while something was done.
func Peak(do func()) uint64 {
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	before, most := memory.HeapAlloc, uint64(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	for {
		runtime.ReadMemStats(&memory)
		most = max(most, memory.HeapAlloc)
		select {
		case <-done:
			return most - min(before, most)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// WriteFiles writes files into a folder of the test, and returns that with a slash.
func WriteFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder + "/"
}

// ManyNames returns so many names, each with a comma.
func ManyNames(count int) string {
	var names strings.Builder
	for i := range count {
		fmt.Fprintf(&names, "%x,", i)
	}
	return names.String()
}

// NecessaryCharter is a charter file with one cookie, which is necessary.
const NecessaryCharter = "cookies:\n  - {name: sessionid, purpose: signs in, category: necessary}\n"

// Megabyte is one, in bytes.
const Megabyte = 1 << 20

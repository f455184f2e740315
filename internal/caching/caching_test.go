package caching

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/checks"
)

// An answer is shared if any field lets a cache keep it for others.
func TestIsShared(t *testing.T) {
	future, past := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "Thu, 01 Jan 1970 00:00:00 GMT"
	for _, test := range []struct {
		header http.Header
		want   bool
	}{
		{nil, false},
		{http.Header{"Cache-Control": {"public"}}, true},
		{http.Header{"Cache-Control": {"must-revalidate, MAX-AGE=60"}}, true},
		{http.Header{"Cache-Control": {"must-revalidate", "s-maxage=60"}}, true},
		{http.Header{"Cache-Control": {"max-age=60, private"}}, false},
		{http.Header{"Cache-Control": {"max-age=60", "Private"}}, false},
		{http.Header{"Cache-Control": {"max-age=60, no-store"}}, false},
		{http.Header{"Cache-Control": {`max-age=60, private="x"`}}, true},
		{http.Header{"Cache-Control": {"max-age=60, prİvate"}}, true},
		{http.Header{"Cache-Control": {"max-age=60,\tPRIVATE\t"}}, false},
		{http.Header{"Cache-Control": {"no-cache"}, "Expires": {future}}, false},
		{http.Header{"Cache-Control": {"max-age=0"}}, false},
		{http.Header{"Expires": {future}}, true},
		{http.Header{"Expires": {past}}, false},
		{http.Header{"Expires": {"0"}}, false},
		{http.Header{"X-Accel-Expires": {"60"}}, true},
		{http.Header{"Cache-Control": {"private"}, "Cdn-Cache-Control": {"max-age=600"}}, true},
		{http.Header{"Surrogate-Control": {"max-age=60"}, "Cache-Control": {"max-age=0"}}, true},
	} {
		if got := IsShared(test.header, time.Now()); got != test.want {
			t.Errorf("%v: got %v", test.header, got)
		}
	}
}

func TestMakePrivate(t *testing.T) {
	shared := []string{"max-age=60"}
	for _, test := range []struct {
		header http.Header
		want   []string
	}{
		{http.Header{}, []string{"private"}},
		{http.Header{"Cache-Control": shared}, []string{"private, max-age=60"}},
		{http.Header{"Cache-Control": {"public", "max-age=60"}}, []string{"private, max-age=60"}},
		{http.Header{"Cache-Control": {"no-store, public"}}, []string{"private, no-store"}},
		{http.Header{"Cache-Control": {"private, max-age=60, s-maxage=60"}}, []string{"private, max-age=60"}},
		{http.Header{"Cache-Control": {"Max-Age=60,\tmust-revalidate ,", "Private"}}, []string{"private, Max-Age=60, must-revalidate"}},
		{http.Header{"Cache-Control": {"prİvate, max-age=6x, max-age=, max-age, immutable=1, immutable, x=\u212a"}}, []string{"private, immutable"}},
		{http.Header{"Cache-Control": {`no-cache="a, private, b"`}}, []string{"private"}},
		{http.Header{"Cache-Control": {`x="`, `max-age=600, y=", no-store`}}, []string{"private, max-age=600, no-store"}},
		{http.Header{"Cache-Control": {`private="a"`}}, []string{"private"}},
		{http.Header{"cache-control": {"max-age=60"}}, []string{"private, max-age=60"}},
		{http.Header{"cache-control": {"private"}, "Cache-Control": {"public"}}, []string{"private"}},
		{http.Header{"Cache-Control": {"private"}, "X-Accel-Expires": {"60"}, "cdn-cache-control": {"max-age=60"}}, []string{"private"}},
	} {
		var mark Mark
		mark.MakePrivate(test.header)
		mark.MakePrivate(test.header)
		if got := test.header["Cache-Control"]; !slices.Equal(got, test.want) || len(test.header) != 1 {
			t.Errorf("got %v, want %q", test.header, test.want)
		}
	}
	if shared[0] != "max-age=60" {
		t.Error("wrote to a shared slice")
	}
}

// A browser asks again before it uses what is marked so, whatever else is said.
func TestMakeAsked(t *testing.T) {
	for _, test := range []struct {
		header http.Header
		want   string
	}{
		{http.Header{}, "private, no-cache"},
		{http.Header{"Cache-Control": {"public, max-age=60, s-maxage=60, immutable"}}, "private, no-cache, max-age=60, immutable"},
		{http.Header{"Cache-Control": {"no-cache, private"}}, "private, no-cache"},
		{http.Header{"cache-control": {"no-store"}, "Cdn-Cache-Control": {"max-age=60"}}, "private, no-cache, no-store"},
		{http.Header{"Cache-Control": {`no-cache="Set-Cookie"`}}, "private, no-cache"},
	} {
		var mark Mark
		mark.MakeAsked(test.header)
		mark.MakeAsked(test.header)
		if got := test.header["Cache-Control"]; !slices.Equal(got, []string{test.want}) || len(test.header) != 1 {
			t.Errorf("got %v, want %q", test.header, test.want)
		}
	}
}

// However much a portal says to caches, reading it costs in proportion to its length.
func TestDirectivesAreLinear(t *testing.T) {
	checks.Linear(t, "max-age", 4<<10, func(size int) {
		var line strings.Builder
		for i := 0; line.Len() < size; i++ {
			fmt.Fprintf(&line, "max-age=%d,", i)
		}
		header := http.Header{"Cache-Control": {line.String()}}
		new(Mark).MakePrivate(header)
		new(Mark).MakeAsked(header)
		IsShared(header, time.Now())
	})
}

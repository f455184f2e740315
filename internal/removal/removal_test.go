package removal

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// fromOrigin returns from where a request for an address comes.
func fromOrigin(address string) Origin {
	parsed, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return Origin{strings.ToLower(parsed.Hostname()), parsed, parsed.Scheme == "https"}
}

func refusedNames(names ...string) []Cookie {
	var cookies []Cookie
	for _, name := range names {
		cookies = append(cookies, Cookie{name, &charter.Row{}})
	}
	return cookies
}

// A cookie is removed from wherever it can be, the likely places first.
func TestExpiries(t *testing.T) {
	const secure = "; Secure; SameSite=None"
	for _, test := range []struct {
		name, url string
		cookie    Cookie
		want      []string
	}{
		{"domains", "http://data.city.example/", Cookie{"a", &charter.Row{}}, []string{
			"a=; Max-Age=-1; Path=/",
			"a=; Max-Age=-1; Path=/; Domain=city.example",
			"a=; Max-Age=-1; Path=/; Domain=data.city.example",
		}},
		{"default path", "http://city.example/a/b.html?c/d", Cookie{"a", &charter.Row{}}, []string{
			"a=; Max-Age=-1; Path=/",
			"a=; Max-Age=-1; Path=/; Domain=city.example",
			"a=; Max-Age=-1; Path=/a",
			"a=; Max-Age=-1; Path=/a; Domain=city.example",
			"a=; Max-Age=-1; Path=/a/",
			"a=; Max-Age=-1; Path=/a/; Domain=city.example",
			"a=; Max-Age=-1; Path=/a/b.html",
			"a=; Max-Age=-1; Path=/a/b.html; Domain=city.example",
		}},
		{"prefixes of the path", "http://localhost/a/b/c/", Cookie{"a", &charter.Row{}}, []string{
			"a=; Max-Age=-1; Path=/",
			"a=; Max-Age=-1; Path=/a/b/c",
			"a=; Max-Age=-1; Path=/a",
			"a=; Max-Age=-1; Path=/a/",
			"a=; Max-Age=-1; Path=/a/b",
			"a=; Max-Age=-1; Path=/a/b/",
			"a=; Max-Age=-1; Path=/a/b/c/",
		}},
		{"declared path", "http://data.city.example/x/", Cookie{"a", &charter.Row{Cookie: charter.Cookie{Path: "/x"}}}, []string{
			"a=; Max-Age=-1; Path=/x",
			"a=; Max-Age=-1; Path=/x; Domain=city.example",
			"a=; Max-Age=-1; Path=/x; Domain=data.city.example",
			"a=; Max-Age=-1; Path=/",
			"a=; Max-Age=-1; Path=/; Domain=city.example",
			"a=; Max-Age=-1; Path=/; Domain=data.city.example",
			"a=; Max-Age=-1; Path=/x/",
			"a=; Max-Age=-1; Path=/x/; Domain=city.example",
			"a=; Max-Age=-1; Path=/x/; Domain=data.city.example",
		}},
		{"__Http-", "https://localhost/", Cookie{"__Http-a", &charter.Row{}}, []string{
			"__Http-a=; Max-Age=-1; Path=/" + secure + "; HttpOnly",
			"__Http-a=; Max-Age=-1; Path=/" + secure + "; HttpOnly; Partitioned",
		}},
		{"partitioned", "https://city.example/x", Cookie{"a", &charter.Row{}}, []string{
			"a=; Max-Age=-1; Path=/" + secure,
			"a=; Max-Age=-1; Path=/; Domain=city.example" + secure,
			"a=; Max-Age=-1; Path=/" + secure + "; Partitioned",
			"a=; Max-Age=-1; Path=/; Domain=city.example" + secure + "; Partitioned",
			"a=; Max-Age=-1; Path=/x" + secure,
			"a=; Max-Age=-1; Path=/x; Domain=city.example" + secure,
			"a=; Max-Age=-1; Path=/x" + secure + "; Partitioned",
			"a=; Max-Age=-1; Path=/x; Domain=city.example" + secure + "; Partitioned",
		}},
		{"public suffix", "http://data.gouv.fr/", Cookie{"a", &charter.Row{}}, []string{
			"a=; Max-Age=-1; Path=/",
			"a=; Max-Age=-1; Path=/; Domain=data.gouv.fr",
		}},
		{"nine labels", "http://a.b.c.d.e.f.g.city.example/", Cookie{"a", &charter.Row{}}, []string{
			"a=; Max-Age=-1; Path=/",
			"a=; Max-Age=-1; Path=/; Domain=city.example",
			"a=; Max-Age=-1; Path=/; Domain=a.b.c.d.e.f.g.city.example",
			"a=; Max-Age=-1; Path=/; Domain=b.c.d.e.f.g.city.example",
			"a=; Max-Age=-1; Path=/; Domain=c.d.e.f.g.city.example",
			"a=; Max-Age=-1; Path=/; Domain=d.e.f.g.city.example",
			"a=; Max-Age=-1; Path=/; Domain=e.f.g.city.example",
			"a=; Max-Age=-1; Path=/; Domain=f.g.city.example",
			"a=; Max-Age=-1; Path=/; Domain=g.city.example",
		}},
		{"public suffix itself", "http://gouv.fr/", Cookie{"a", &charter.Row{}}, []string{"a=; Max-Age=-1; Path=/"}},
		{"localhost", "http://localhost:8080/", Cookie{"a", &charter.Row{}}, []string{"a=; Max-Age=-1; Path=/"}},
		{"IPv4", "http://127.0.0.1:8080/", Cookie{"a", &charter.Row{}}, []string{"a=; Max-Age=-1; Path=/"}},
		{"IPv6", "http://[::1]:8080/", Cookie{"a", &charter.Row{}}, []string{"a=; Max-Age=-1; Path=/"}},
		{"a port", "http://city.example:8080/", Cookie{"a", &charter.Row{}}, []string{
			"a=; Max-Age=-1; Path=/",
			"a=; Max-Age=-1; Path=/; Domain=city.example",
		}},
		{"odd path", "http://localhost/a/b;c/d", Cookie{"a", &charter.Row{}}, []string{
			"a=; Max-Age=-1; Path=/", "a=; Max-Age=-1; Path=/a", "a=; Max-Age=-1; Path=/a/",
		}},
		{"odd file", "http://localhost/a/b;c", Cookie{"a", &charter.Row{}}, []string{
			"a=; Max-Age=-1; Path=/", "a=; Max-Age=-1; Path=/a", "a=; Max-Age=-1; Path=/a/",
		}},
		{"escaped path", "http://localhost/a%3Bb%C3%A9/", Cookie{"a", &charter.Row{}}, []string{
			"a=; Max-Age=-1; Path=/", "a=; Max-Age=-1; Path=/a%3Bb%C3%A9", "a=; Max-Age=-1; Path=/a%3Bb%C3%A9/",
		}},
		{"__Host-", "https://city.example/a/b", Cookie{"__Host-a", &charter.Row{}}, []string{
			"__Host-a=; Max-Age=-1; Path=/" + secure,
			"__Host-a=; Max-Age=-1; Path=/" + secure + "; Partitioned",
		}},
		{"__Secure- over http", "http://city.example/", Cookie{"__Secure-a", &charter.Row{}}, nil},
		{"declared place", "http://data.city.example/", Cookie{"a", &charter.Row{Cookie: charter.Cookie{Domain: "city.example", Path: "/x"}}}, []string{
			"a=; Max-Age=-1; Path=/x; Domain=city.example",
			"a=; Max-Age=-1; Path=/",
			"a=; Max-Age=-1; Path=/; Domain=city.example",
			"a=; Max-Age=-1; Path=/; Domain=data.city.example",
		}},
		{"declared domain", "https://city.example/", Cookie{"a", &charter.Row{Cookie: charter.Cookie{Domain: "city.example"}}}, []string{
			"a=; Max-Age=-1; Path=/; Domain=city.example" + secure,
			"a=; Max-Age=-1; Path=/" + secure,
			"a=; Max-Age=-1; Path=/; Domain=city.example" + secure + "; Partitioned",
			"a=; Max-Age=-1; Path=/" + secure + "; Partitioned",
		}},
		{"declared place elsewhere", "http://localhost/", Cookie{"a", &charter.Row{Cookie: charter.Cookie{Domain: "city.example"}}}, []string{"a=; Max-Age=-1; Path=/"}},
		{"registrable domain", "http://a.data.city.example/", Cookie{"a", &charter.Row{Cookie: charter.Cookie{Domain: "registrable"}}}, []string{
			"a=; Max-Age=-1; Path=/; Domain=city.example",
			"a=; Max-Age=-1; Path=/",
			"a=; Max-Age=-1; Path=/; Domain=a.data.city.example",
			"a=; Max-Age=-1; Path=/; Domain=data.city.example",
		}},
		{"no registrable domain", "http://127.0.0.1/", Cookie{"a", &charter.Row{Cookie: charter.Cookie{Domain: "registrable"}}}, []string{"a=; Max-Age=-1; Path=/"}},
	} {
		if got := Expiries([]Cookie{test.cookie}, fromOrigin(test.url), maxExpiries); !slices.Equal(got, test.want) {
			t.Errorf("%s: got\n%s", test.name, strings.Join(got, "\n"))
		}
	}
}

// TestExpiriesHaveBounds shows that an answer carries no more than its room,
// and that nothing waits for ever.
func TestExpiriesHaveBounds(t *testing.T) {
	for _, test := range []struct {
		address, names string
		lines, likely  int
	}{
		{"https://data.city.example/a/b", "a b c d e f g h i j k l m n o p q r s t u v w x y z", 26 * 3 * 4 * 2, 26 * 3},
		{"https://a.b.c.d.e.f.g.city.example/a", "a b c", 3 * 9 * 2 * 2, 3 * 9},
	} {
		cookies := refusedNames(strings.Fields(test.names)...)
		var all []string
		for position := 0; ; {
			lines, next := Withdrawal(cookies, fromOrigin(test.address), position, 3<<10)
			if next == position {
				break
			}
			all, position = append(all, lines...), next
		}
		if len(all) != test.lines {
			t.Fatalf("%d lines", len(all))
		}
		for i, line := range all[:test.likely] {
			if strings.Contains(line, "/a") || strings.Contains(line, "Partitioned") {
				t.Fatalf("line %d is no likely one: %s", i, line)
			}
		}
		for _, room := range []int{maxExpiries, 4000, 900, 300} {
			seen := map[string]bool{}
			for answers := 0; answers < 100_000 && (answers < 1000 || len(seen) < len(all)); answers++ { // drawn by chance
				size := 0
				answer := map[string]bool{}
				for _, line := range Expiries(cookies, fromOrigin(test.address), room) {
					size += len("Set-Cookie: \r\n") + len(line)
					if answer[line] {
						t.Fatalf("%q twice in an answer", line)
					}
					seen[line], answer[line] = true, true
				}
				if most := min(room, maxExpiries); size > most || size < most-130 {
					t.Fatalf("%d bytes, with room for %d", size, room)
				}
			}
			if len(seen) != len(all) {
				t.Errorf("with room for %d, %d of %d lines were ever sent", room, len(seen), len(all))
			}
		}
		for _, room := range []int{-4000, 0, 40} {
			if lines := Expiries(cookies, fromOrigin(test.address), room); len(lines) > 0 {
				t.Errorf("with room for %d: %q", room, lines)
			}
		}
	}
}

// The cookies of ordinary trackers are gone after one answer, as deep as the
// visited page may be, and more of them after few.
func TestLikelyPlacesFirst(t *testing.T) {
	var sources []charter.Source
	for _, name := range []string{"matomo", "google_analytics", "piano"} {
		preset, err := charter.LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, preset)
	}
	joined, err := charter.New(sources...)
	if err != nil {
		t.Fatal(err)
	}
	google := []string{"_ga", "_gid", "_gat", "_ga_ABCDEFGHIJ"}
	matomo := []string{"_pk_id.1.1fff", "_pk_ses.1.1fff", "_pk_ref.1.1fff"}
	piano := []string{"_pcid", "_pctx"}
	var many, own []string
	for i := range 30 {
		many = append(many, fmt.Sprintf("_ga_ABCDEFG%03d", i))
		own = append(own, fmt.Sprintf("_pk_id.%d.1fff", i))
	}
	for _, test := range []struct {
		onDomain, onHost []string // of those that say no path but "/"
		answers, turns   int
	}{
		{google, nil, 1, 1},
		{slices.Concat(google, piano), matomo, 1, 1},
		{matomo, nil, 1, 1}, // as few set them up
		{own[:13], nil, 3, 1},
		{slices.Concat(google, own[:9]), nil, 3, 1},
		{many, own, 5, 2},
	} {
		for _, address := range []string{"https://data.city.example/", "https://data.city.example/explore/dataset/x/information/?tab=1"} {
			held := map[string]string{}
			for _, name := range test.onDomain {
				held[name] = name + "=; Max-Age=-1; Path=/; Domain=city.example; Secure; SameSite=None"
			}
			for _, name := range test.onHost {
				held[name] = name + "=; Max-Age=-1; Path=/; Secure; SameSite=None"
			}
			until := func(remove func(left []Cookie) []string) int {
				left := map[string]string{}
				maps.Copy(left, held)
				for answers := 1; answers < 100; answers++ {
					var cookies []Cookie
					for _, name := range slices.Sorted(maps.Keys(left)) {
						cookies = append(cookies, Cookie{name, joined.Find(name)})
					}
					lines := remove(cookies)
					maps.DeleteFunc(left, func(_, line string) bool { return slices.Contains(lines, line) })
					if len(left) == 0 {
						return answers
					}
				}
				return 100
			}
			for range 20 {
				if answers := until(func(left []Cookie) []string { return Expiries(left, fromOrigin(address), maxExpiries) }); answers > test.answers {
					t.Errorf("%d and %d cookies, %s: %d answers", len(test.onDomain), len(test.onHost), address, answers)
				}
			}
			position := 0
			if turns := until(func(left []Cookie) (lines []string) {
				lines, position = Withdrawal(left, fromOrigin("https://data.city.example/terms/cookies-policy/"), position, 2900)
				return lines
			}); turns > test.turns {
				t.Errorf("%d and %d cookies: a withdrawal of %d answers", len(test.onDomain), len(test.onHost), turns)
			}
		}
	}
}

// What many refused cookies, a host of many labels and a long path cost grows no
// faster than they do.
func TestExpiriesAreLinear(t *testing.T) {
	cookies := refusedNames("a", "b", "c")
	for _, test := range []struct {
		name    string
		few     int
		visited func(size int) Origin
	}{
		{"path", 1 << 10, func(size int) Origin {
			return fromOrigin("https://data.city.example/" + strings.Repeat("a/", size/2))
		}},
		{"odd path", 1 << 10, func(size int) Origin {
			return fromOrigin("https://data.city.example/" + strings.Repeat("/", size/2) + strings.Repeat(";", size/2))
		}},
		{"long host", 1 << 10, func(size int) Origin {
			return fromOrigin("https://" + strings.Repeat("a.", size/2) + "city.example/a/b/c/d")
		}},
		{"host", 15, func(size int) Origin {
			return fromOrigin("https://" + strings.Repeat("a.", size/2) + "city.example/")
		}},
	} {
		origins := map[int]Origin{test.few: test.visited(test.few), 16 * test.few: test.visited(16 * test.few)}
		checks.Linear(t, test.name, test.few, func(size int) {
			Expiries(cookies, origins[size], maxExpiries)
			Withdrawal(cookies, origins[size], 0, maxExpiries)
		})
	}
	r := fromOrigin("https://a.b.c.d.e.f.g.city.example/a/b/c/d/e/f/g/h/i/j/k")
	for _, prefix := range []string{"_pk_id.", "__Host-", strings.Repeat("x", 50)} {
		sets := map[int][]Cookie{}
		for i := range 16 * 16 {
			sets[16*16] = append(sets[16*16], refusedNames(fmt.Sprintf("%s%d", prefix, i))...)
		}
		sets[16] = sets[16*16][:16]
		checks.Linear(t, "names "+prefix, 16, func(size int) {
			Expiries(sets[size], r, maxExpiries)
			Withdrawal(sets[size], r, 0, maxExpiries)
		})
	}
}

// A long host and a long path have so many places and no more.
func TestGuessesHaveBounds(t *testing.T) {
	long := fromOrigin("https://" + strings.Repeat("a.", 120) + "example/" + strings.Repeat("a/", 4000))
	if got := newExpirySite(long); len(got.guesses) != maxGuesses {
		t.Errorf("%d guesses", len(got.guesses))
	}
}

// Wherever the cookies of a withdrawal are, the next answers go on where the
// last one ended, and miss none.
func TestWithdrawalMissesNone(t *testing.T) {
	places := []string{"", "; Domain=data.city.example", "; Domain=city.example"}
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		var names []string
		held := map[string]string{}
		names = append(names, strings.Repeat("x", maxExpiry)) // there is never room for it
		for i := range 10 + random.IntN(21) {
			names = append(names, fmt.Sprintf("_pk_id.%d", i))
			held[names[i+1]] = names[i+1] + "=; Max-Age=-1; Path=/" + places[random.IntN(len(places))] + "; Secure; SameSite=None"
		}
		position := 0
		for range 1 + 8 {
			lines, next := Withdrawal(refusedNames(names...), fromOrigin("https://data.city.example/terms/cookies-policy/"), position, 2900)
			position = next
			names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(lines, held[name]) })
		}
		if len(names) > 1 {
			t.Errorf("seed %d: left %q", seed, names)
		}
	}
}

// BenchmarkExpiries measures what an answer costs more that removes cookies: of a
// portal's visitor, and at worst.
func BenchmarkExpiries(b *testing.B) {
	for _, count := range []int{7, setcookie.MaxCookies} {
		for _, address := range []string{"https://data.city.example/explore/", "https://" + strings.Repeat("a.", 110) + "city.example/" + strings.Repeat("a/", 2000)} {
			b.Run(fmt.Sprintf("cookies=%d/address=%d", count, len(address)), func(b *testing.B) {
				var cookies []Cookie
				for i := range count {
					cookies = append(cookies, Cookie{fmt.Sprintf("_pk_id.%d.1fff", i), &charter.Row{}})
				}
				from := fromOrigin(address)
				header := http.Header{"Content-Type": {"text/html"}, "Server": {"Caddy"}}
				b.ReportAllocs()
				for b.Loop() {
					Expiries(cookies, from, RoomFor(header, from.Address))
				}
			})
		}
	}
}

package answers

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/checks"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A vector is a Cookie header, a byte per character, and what it answers to
// consent keys of statistics, in a format with some options. Of the options,
// `exempt` is the rows', `cookie` names the cookie, and all others are as in a
// Caddyfile.
type vector struct {
	Format  string            `json:"format"`
	Options []string          `json:"options"`
	Cookie  string            `json:"cookie"`
	Want    map[string]string `json:"want"`
	From    string            `json:"from"`
}

const vectorFile = "../../testdata/preferences.jsonl"

// vectorsAsked is when the answers of the vectors are asked for: 2100-01-01.
const vectorsAsked Timestamp = 4_102_444_800_000

// Each format reads what its banner stores as the answer that was given.
func TestFormats(t *testing.T) {
	tested := map[string]map[string]bool{}
	for _, v := range checks.ReadLines[vector](t, vectorFile) {
		format, exempt := Config{Format: v.Format}, false
		for _, option := range v.Options {
			name, value, _ := strings.Cut(option, " ")
			switch name {
			case "exempt":
				exempt = true
			case "cookie":
				format.Cookie = value
			case "key":
				key, banner, _ := strings.Cut(value, " ")
				if format.Keys == nil {
					format.Keys = map[string]charter.Names{}
				}
				format.Keys[key] = strings.Fields(banner)
			case "path":
				format.Path = value
			case "list":
				format.List = value
			case "granted":
				format.Granted = strings.Fields(value)
			case "refused":
				format.Refused = strings.Fields(value)
			case "proof":
				path, words, _ := strings.Cut(value, " ")
				if format.Proofs == nil {
					format.Proofs = map[string]charter.Names{}
				}
				format.Proofs[path] = strings.Fields(words)
			case "revision":
				var err error
				if format.Revision, err = strconv.Atoi(value); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("unknown option %q", option)
			}
		}
		site := portalWith(t, "matomo google_analytics xiti", "{name: s, purpose: p, category: statistics}", format)
		if tested[v.Format] == nil {
			tested[v.Format] = map[string]bool{}
		}
		for key, want := range v.Want {
			visitor := &Visitor{Store: site.answers, Lines: setcookie.Lines{checks.FromLatin1(v.Cookie)}, now: vectorsAsked}
			row := &charter.Row{Cookie: charter.Cookie{Category: charter.Statistics, Exempt: exempt}, Key: key}
			if got := visitor.AnswerTo(row).String(); got != want {
				t.Errorf("%s, %s: %s is %s, want %s: %.120q", v.Format, v.From, key, got, want, v.Cookie)
			}
			tested[v.Format][want] = true
		}
	}
	// Every format has vectors for all three states.
	for format := range Formats {
		if len(tested[format]) != 3 {
			t.Errorf("%s: only %v", format, slices.Collect(maps.Keys(tested[format])))
		}
	}
}

// What a reader allocates is a small multiple of what a visitor can send.
func TestReadersAllocateLittle(t *testing.T) {
	fill := func(head, part, tail string) string {
		return head + strings.Repeat(part, (MaxPreference-len(head)-len(tail))/len(part)) + tail
	}
	var keys strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&keys, "!%d=true", i)
	}
	keyed := keys.String()[:MaxPreference]
	values := []string{
		fill("{", "[", ""), fill(`{"a":`, `{"a":`, ""), fill(`{"a":`, "[", ""), fill(`{"`, "a", `":true}`), fill(`{"a":true`, `,"b":true`, "}"), fill(`{"categories":["a"`, `,"b"`, "]}"),
		fill("%7B", "%22", ""), fill("", "%2525", ""), fill(`"`, `\"`, `"`), fill("", `"`, ""), fill("", "a=", ""), keyed, strings.ReplaceAll(keyed, "!", "|"),
		strings.NewReplacer("!", ",", "=", ":", "true", "1").Replace(keyed), "{stamp:'x'," + strings.NewReplacer("!", ",", "=", ":").Replace(keyed)[:4000] + "}",
		fill(`{"consents":{"a":{"status":1}`, `,"b":{"status":1}`, "}}"), fill(`{"timestamp":1,"purposes":{"a":true`, `,"b":true`, "}}"), fill(`{"consents":{"a":["b"]`, `,"c":["d"]`, "}}"), fill("0@1@a", ",b", "@c@1"), fill("0@1@a@b", ",c", "@1"),
		fill("groups=", "a%3A1%2C", ""), fill("", "&a=1", ""), fill("1.1.1", ".a-n", ""), fill("", ".", ""), fill("C", "A", ""), base64.StdEncoding.EncodeToString([]byte(fill(`{"purposes":{"enabled":["a"`, `,"b"`, "]}}")[:3000])),
	}
	worst := uint64(0)
	for name, format := range Formats {
		for _, value := range values {
			lines := setcookie.Lines{"cookies_preferences_set=true; OptanonAlertBoxClosed=1; Cookie_Consent=1; cmplz_banner-status=dismissed; cookie-agreed-categories=" + value}
			const runs = 5
			multiple := uint64(math.MaxUint64)
			for range 3 { // what earlier tests have left running allocates, too
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range runs {
					stored := Cookie{Name: "x", Value: value, Preference: &Preference{Config: Config{Format: name}}, charter: &charter.Charter{}}
					if format.prove != nil {
						stored.proof = format.prove(lines)
					}
					_, _ = format.read(stored)
				}
				runtime.ReadMemStats(&after)
				multiple = min(multiple, (after.TotalAlloc-before.TotalAlloc)/runs/MaxPreference)
			}
			if multiple > 80 {
				t.Errorf("%s: %d times %.40q", name, multiple, value)
			}
			worst = max(worst, multiple)
		}
	}
	t.Logf("at most %d times", worst)
}

// A readerSite has one format alone, and questions to which it can have answers.
func readerSite(t testing.TB, format string) portal {
	t.Helper()
	if len(Formats[format].Cookies) == 0 {
		format += " my-choice"
	}
	return portalOf(t, "matomo google_analytics", "", format)
}

// readerHeaders are Cookie headers of about so many bytes, with as much work for
// the reader of a format as they can hold: its vectors again and again, copies that
// all differ, and as many proofs as copies.
func readerHeaders(t testing.TB, format string, size int) []string {
	t.Helper()
	var cookies []string
	for _, v := range checks.ReadLines[vector](t, vectorFile) {
		if cookie := checks.FromLatin1(v.Cookie); v.Format == format && len(v.Cookie) < 300 && cookie != "" {
			cookies = append(cookies, cookie)
		}
	}
	if len(cookies) == 0 {
		t.Fatalf("%s has no vectors", format)
	}
	fill := func(part func(i int) string) string {
		var header strings.Builder
		for i := 0; header.Len() < size; i++ {
			header.WriteString(part(i) + "; ")
		}
		return header.String()
	}
	name := "my-choice"
	if names := Formats[format].Cookies; len(names) > 0 {
		name = names[0]
	}
	numbered := func(i int) string { return strings.Replace(name, "*", fmt.Sprint(i), 1) }
	proofs := slices.Concat(Formats[format].proofs, []string{"cmplz_banner-status"})
	headers := []string{
		fill(func(i int) string { return cookies[i%len(cookies)] }),
		fill(func(i int) string { return numbered(i) + "=" + fmt.Sprint(i) }),
		fill(func(i int) string { return numbered(i) + "=" }),
	}
	for _, cookie := range cookies {
		if _, value, ok := strings.Cut(cookie, "="); ok {
			value, _, _ = strings.Cut(value, ";")
			for _, proof := range []string{"true", "dismissed", "[%22a%22]", value} {
				headers = append(headers, fill(func(i int) string { return numbered(i) + "=" + value + "; " + proofs[i%len(proofs)] + "=" + proof }))
			}
			break
		}
	}
	return headers
}

// askAll asks a header for all that is ever asked of one.
func askAll(site portal, header string) {
	visitor := &Visitor{Store: site.answers, Lines: setcookie.Lines{header}}
	visitor.AnswerTo(site.charter.Find("_pk_id.1"))
	visitor.AnswerTo(site.charter.Find("_ga"))
	visitor.PageAnswerTo("matomo")
	visitor.AnswerTime()
	visitor.Keeps(1, "x")
	if site.answers.Preferences[0].IsWritten() {
		visitor.Save(map[string]Answer{"matomo": Granted}, "", time.Now())
	}
}

// Whatever a visitor sends, each format is read at a cost that is linear in it.
func TestReadersAreLinear(t *testing.T) {
	for name := range Formats {
		site := readerSite(t, name)
		site.answers.Preferences[0].recent = nil // which remembers all of few, and little of many
		const few = 4 << 10
		small, large := readerHeaders(t, name, few), readerHeaders(t, name, 16*few)
		for i := range small {
			checks.Linear(t, fmt.Sprintf("%s, %.60q", name, small[i]), few, func(size int) {
				if size == few {
					askAll(site, small[i])
				} else {
					askAll(site, large[i])
				}
			})
		}
	}
}

// BenchmarkReaders measures what the longest headers take that servers take, and
// longer ones, in each format.
func BenchmarkReaders(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(Formats)) {
		site := readerSite(b, name)
		for _, size := range []int{1, 4, 16, 64} {
			header := readerHeaders(b, name, size<<10)[0]
			b.Run(fmt.Sprintf("%s/%dKB", name, size), func(b *testing.B) {
				b.SetBytes(int64(len(header)))
				for b.Loop() {
					askAll(site, header)
				}
			})
		}
	}
}

// FuzzFormats looks for values that break a reader, are read differently each
// time, or break what the page writes beside them.
func FuzzFormats(f *testing.F) {
	row := &charter.Row{Cookie: charter.Cookie{Name: charter.Names{"x"}, Category: charter.Statistics}, Key: "a"}
	charterOfA := &charter.Charter{Rows: []*charter.Row{row}, Version: "0123456789ab", Fingerprints: map[string]string{"a": "01234567"}}
	formats := slices.Sorted(maps.Keys(Formats))
	for _, v := range checks.ReadLines[vector](f, vectorFile) {
		_, value, _ := strings.Cut(v.Cookie, "=")
		f.Add(uint8(slices.Index(formats, v.Format)), checks.FromLatin1(value), "cookies_preferences_set=true; OptanonAlertBoxClosed=1; Cookie_Consent=1; cmplz_banner-status=dismissed; cookie-agreed-categories=[%22a%22]")
	}
	f.Fuzz(func(t *testing.T, index uint8, value, others string) {
		name := formats[int(index)%len(formats)]
		format := Formats[name]
		cookie := "x"
		if len(format.Cookies) > 0 {
			cookie = strings.Replace(format.Cookies[0], "*", "x", 1)
		}
		stored := Cookie{Name: cookie, Value: value, Preference: &Preference{Config: Config{Format: name}}, charter: &charter.Charter{}}
		if format.prove != nil {
			stored.proof = format.prove(setcookie.Lines{others})
		}
		read, err := format.read(stored)
		if err != nil && (read.rest != None || len(read.answers) > 0) {
			t.Errorf("%s: %q is unreadable, and an answer: %v", name, value, read)
		}
		again, _ := format.read(stored)
		if !maps.Equal(read.answers, again.answers) || read.rest != again.rest {
			t.Errorf("%s: %q reads differently the second time", name, value)
		}
		if format.write == nil {
			return
		}
		// What the page writes beside it can be read, and is of now.
		w := writing{copies: []string{value}, inForce: map[string]Answer{"a": Granted}, answers: map[string]Answer{"a": Granted}, keys: []string{"a"}, at: time.UnixMilli(1_795_000_000_000), charter: charterOfA}
		stored.Value, stored.charter = format.write(w), charterOfA
		read, err = stored.read()
		if given := read.findKey("a"); err != nil || given != Granted || read.at != 1_795_000_000_000 {
			t.Errorf("%s: beside %q, the page writes %q, which is %v, %v", name, value, stored.Value, given, err)
		}
	})
}

// FuzzLayout looks for paths and values by which a JSON object is read differently each
// time, or by which something is granted without a word that grants.
func FuzzLayout(f *testing.F) {
	f.Add(`{"a":{"b":{"c":1}}}`, "a.*.c", "", "1", "a.b.c")
	f.Add(`{"a":["b"],"at":"x"}`, "", "a", "", "at")
	f.Add(`eyJhIjp0cnVlfQ==`, "", "", "", "a")
	for _, v := range checks.ReadLines[vector](f, vectorFile) {
		if _, value, ok := strings.Cut(v.Cookie, "="); ok && v.Format == "json" {
			f.Add(checks.FromLatin1(value), "consents.*.status", "", "1", "")
		}
	}
	f.Fuzz(func(t *testing.T, value, path, list, granted, proof string) {
		config := Config{Format: "json", Cookie: "x", Path: path, List: list}
		if granted != "" {
			config.Granted = charter.Names{granted}
		}
		if proof != "" {
			config.Proofs = map[string]charter.Names{proof: nil}
		}
		layout := config.layout()
		if config.validate() != nil || layout == nil {
			return
		}
		read, err := layout.read(Cookie{Value: value})
		again, _ := layout.read(Cookie{Value: value})
		if !maps.Equal(read.answers, again.answers) || read.rest != again.rest {
			t.Errorf("%q reads differently the second time", value)
		}
		if err != nil && (read.rest != None || len(read.answers) > 0) {
			t.Errorf("%q is unreadable, and an answer: %v", value, read)
		}
		if read.rest == Granted {
			t.Errorf("%q grants everything", value)
		}
		layout.vocabulary, layout.granted = vocabulary{"false": Refused}, nil
		read, _ = layout.read(Cookie{Value: value})
		for key, answer := range read.answers {
			if answer == Granted {
				t.Errorf("%q grants %q by no word", value, key)
			}
		}
	})
}

// An object of answers is read however it is encoded; anything else is unreadable.
func TestReadMap(t *testing.T) {
	const object = `{"matomo":true,"ga":false,"timestamp":1719830000000}`
	granted := map[string]Answer{"matomo": Granted, "ga": Refused}
	for _, test := range []struct {
		value string
		want  map[string]Answer
	}{
		// As it is written: raw, encoded in part, in whole, twice, in quotes.
		{object, granted},
		{strings.NewReplacer(`"`, "%22", ",", "%2C").Replace(object), granted},
		{url.PathEscape(object), granted},
		{url.QueryEscape(object), granted},
		{url.QueryEscape(url.QueryEscape(object)), granted},
		{`"` + object + `"`, granted},
		{`"` + url.QueryEscape(object) + `"`, granted},
		{url.QueryEscape(`"` + object + `"`), granted},
		{`"{\"matomo\": true\054 \"ga\": false}"`, granted},
		{`"{\173}"`, nil},
		{` { "matomo" : true } `, map[string]Answer{"matomo": Granted}},
		{`{"\u006datomo":true}`, map[string]Answer{"matomo": Granted}},

		// Of two answers to one key the stricter wins.
		{`{"matomo":true,"matomo":false}`, map[string]Answer{"matomo": Refused}},
		{`{"matomo":false,"matomo":true}`, map[string]Answer{"matomo": Refused}},

		// What is no boolean is no answer.
		{`{}`, map[string]Answer{}},
		{`{"matomo":"true","ga":1,"xiti":null,"at":[true],"piano":{"matomo":true}}`, map[string]Answer{}},
		{`{"Matomo":true}`, map[string]Answer{"Matomo": Granted}},

		// Unreadable.
		{"", nil},
		{"true", nil},
		{"[true]", nil},
		{`{"matomo":true`, nil},
		{`{"matomo":true}}`, nil},
		{`{"matomo":true} x`, nil},
		{`{"matomo":true,}`, nil},
		{`{matomo:true}`, nil},
		{"%7B%22matomo%22%3Atrue%7", nil},
		{"%7B%22matomo%22%3Atrue%7D%ZZ", nil},
		{url.QueryEscape(url.QueryEscape(url.QueryEscape(object))), nil},
		{"{\"matomo\":true,\"\xff\":true}", nil},
		{"%7B%22matomo%22%3Atrue%2C%22%FF%22%3Atrue%7D", nil},
		{"{\"matomo\":true\x00}", nil},
		{`{"matomo":true,"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`, map[string]Answer{"matomo": Granted}},
		{`{"matomo":true,"x":` + strings.Repeat("[", 2000) + `}`, nil},
	} {
		got, err := readMap(Cookie{Value: test.value})
		if !maps.Equal(got.answers, test.want) || (err != nil) != (test.want == nil) {
			t.Errorf("%.80s: got %v, %v, want %v", test.value, got, err, test.want)
		}
	}
}

// What is written is read back as the same, and keeps what others stored beside it.
func TestWriteMap(t *testing.T) {
	answers := map[string]Answer{"matomo": Granted, "ga": Refused, "é \"": Granted}
	asked := &charter.Charter{Version: "0123456789ab"}
	got := writeMap(writing{answers: answers, at: time.UnixMilli(1719830000000), charter: asked})
	want := "%7B%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22%C3%A9%20%5C%22%22%3Atrue%2C%22timestamp%22%3A1719830000000%2C%22charter%22%3A%221.1719830000000.0123456789ab%22%7D"
	if got != want {
		t.Errorf("got %s", got)
	}
	back, err := readWrittenMap(Cookie{Value: got, charter: asked})
	if err != nil || back.at != 1719830000000 {
		t.Errorf("%v, time %d", err, back.at)
	}
	if !maps.Equal(back.answers, map[string]Answer{"matomo": Granted, "ga": Refused, "é \"": Granted}) {
		t.Errorf("read back as %v", back.answers)
	}

	// Into what is stored already: what is not known is kept as it stands there,
	// in the same encoding.
	long := strings.Repeat("x", 2100)
	for _, test := range []struct{ stored, want string }{
		{`{"ga":true,"other":[1,{"x":"é\u00e9"}],"matomo":false,"timestamp":1}`, `{"ga":false,"other":[1,{"x":"é\u00e9"}],"matomo":true,"timestamp":2}`},
		{`%7B%22ga%22:%22yes%22,%22mine%22:true%7D`, `%7B%22ga%22%3Afalse%2C%22mine%22%3Atrue%2C%22matomo%22%3Atrue%2C%22timestamp%22%3A2%7D`},
		{`"{\"version\": 3}"`, `%7B%22version%22%3A3%2C%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22timestamp%22%3A2%7D`},
		// Of two copies, the stricter.
		{`{"mine":true,"yours":true};{"yours":false,"ours":true,"mine":1}`, `{"mine":true,"yours":false,"ours":true,"ga":false,"matomo":true,"timestamp":2}`},
		{`{"mine":1};%7B%22mine%22:true%7D`, `%7B%22mine%22%3Atrue%2C%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22timestamp%22%3A2%7D`},
		{`junk`, `%7B%22ga%22%3Afalse%2C%22matomo%22%3Atrue%2C%22timestamp%22%3A2%7D`},
		// Without room for all of it.
		{`{"xiti":true,"` + long + `":true};{"` + long + `2":true}`, `{"xiti":true,"ga":false,"matomo":true,"timestamp":2}`},
	} {
		got := writeMapAsStored(writing{
			name:        "p",
			copies:      strings.Split(test.stored, ";"),
			answers:     map[string]Answer{"matomo": Granted, "ga": Refused},
			keys:        []string{"matomo", "ga", "xiti"},
			validGrants: map[string]bool{"xiti": true},
			at:          time.UnixMilli(2),
			charter:     asked,
		})
		want := strings.Replace(test.want, `"timestamp":2}`, `"timestamp":2,"charter":"1.2.0123456789ab"}`, 1)
		want = strings.Replace(want, "%3A2%7D", "%3A2%2C%22charter%22%3A%221.2.0123456789ab%22%7D", 1)
		if got != want {
			t.Errorf("into %.100s: got %.300s", test.stored, got)
		}
		if got := writeMap(writing{copies: strings.Split(test.stored, ";"), charter: asked}); !strings.HasPrefix(got, "%7B") || strings.ContainsAny(got, `{" ,`) {
			t.Errorf("into %.100s: got %.300s", test.stored, got)
		}
	}
}

// decodeObject is parseObject by means of package json alone.
func decodeObject(text string) (members object, err error) {
	if !utf8.ValidString(text) {
		return nil, errUnreadable
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errUnreadable
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, errUnreadable
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return nil, errUnreadable
		}
		members = append(members, member{key.(string), string(value)})
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errUnreadable
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errUnreadable
	}
	return members, nil
}

// FuzzParseObject holds the members of objects against those that package json finds.
func FuzzParseObject(f *testing.F) {
	for _, text := range []string{
		`{}`, ` { "a" : true , "b" : [ 1 , { "c" : "}]\"," } ] } `, `{"a":1,"a":2}`, `{"\u0061\"":"\\","b":-1.5e3}`, `{"a":{}},`, `{"a":1 2}`, `{"\ud800":null}`, `{"a":"x:y","":[]}`, `{"a"}`, `{,}`,
	} {
		f.Add(text)
	}
	for _, v := range checks.ReadLines[vector](f, vectorFile) {
		_, value, _ := strings.Cut(v.Cookie, "=")
		for text := range decodings(checks.FromLatin1(value)) {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseObject(text)
		want, wantErr := decodeObject(text)
		if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%q: %q, %v; package json has %q, %v", text, got, err, want, wantErr)
		}
	})
}

// FuzzReadMap looks for answers that a second reading of what was read changes.
func FuzzReadMap(f *testing.F) {
	f.Add(`{"matomo":true}`)
	f.Add("%7B%22matomo%22%3Atrue%7D")
	f.Fuzz(func(t *testing.T, value string) {
		read, _ := readMap(Cookie{Value: value})
		live := map[string]bool{}
		for key := range read.answers {
			live[key] = true
		}
		for _, w := range []writing{{answers: read.answers, charter: &charter.Charter{}}, {copies: []string{value}, keys: slices.Collect(maps.Keys(read.answers)), validGrants: live, charter: &charter.Charter{}}} {
			written := writeMap(w)
			if back, _ := readMap(Cookie{Value: written}); read.answers != nil && !maps.Equal(back.answers, read.answers) {
				t.Errorf("%q: %v became %v", value, read.answers, back.answers)
			}
		}
	})
}

// What others write is told of, with what is not known of it.
func TestPreferenceNotes(t *testing.T) {
	for _, test := range []struct {
		format Config
		want   int
	}{
		{Config{Format: "charter"}, 0},
		{Config{Format: "opendatasoft"}, 0},
		{Config{Format: "json", Cookie: "p"}, 0},
		{Config{Format: "klaro"}, 1},
		{Config{Format: "klaro", LocalStorage: "klaro"}, 1},
		{Config{Format: "tarteaucitron"}, 2},
		{Config{Format: "wp_consent"}, 2},
		{Config{Format: "json", Cookie: "p", Path: "a.*"}, 2},
		{Config{Format: "json", Cookie: "p", List: "a"}, 2},
		{Config{Format: "json", Cookie: "p", Proofs: map[string]charter.Names{"a": nil}}, 1},
	} {
		if notes := test.format.Notes(); len(notes) != test.want {
			t.Errorf("%v: %q", test.format, notes)
		}
	}
}

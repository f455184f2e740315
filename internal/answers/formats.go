package answers

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A storageFormat is a way in which a consent banner stores the visitor's
// answers.
type storageFormat struct {
	// The usual names of the cookies that hold the answers, or prefixes that end
	// in "*". None: there is no usual name.
	Cookies []string

	// Other cookies that prove looks at, if cookies does not name them.
	proofs []string

	// prove returns what all other cookies of a request say of the answers in this
	// one, which read is given. None: nothing.
	prove func(setcookie.Lines) proof

	// Whether answers are to consent keys alone: nobody answers to a category.
	asksEachKey bool

	// Whether the cookies' names say what is in them, so that there are no others.
	hasNames bool

	// Whether answers are to one revision of the banner's texts.
	hasRevision bool

	// Whether the banner stores `true` unasked where it thinks that no consent
	// is needed: for an exempt row, that is no answer.
	grantsUnasked bool

	// read returns what one cookie says, or an error if that cannot be read. It
	// never sees more than maxPreference bytes.
	read func(cookie Cookie) (reading, error)

	// write returns the value that holds what the charter page stores. None: the
	// format is the banner's alone to write.
	write func(writing) string
}

// A Cookie is one copy of a cookie that holds answers.
type Cookie struct {
	Name, Value string
	proof       proof
	Preference  *Preference
	charter     *charter.Charter
}

// read returns what the cookie says.
func (c Cookie) read() (reading, error) {
	if len(c.Value) > MaxPreference {
		return reading{preference: c.Preference}, errOversized
	}
	read, err := Formats[c.Preference.Format].read(c)
	read.preference = c.Preference
	return read, err
}

// A proof is what other cookies say of answers, once for all copies of these.
type proof struct {
	isAnswered bool    // the visitor has answered
	list       reading // what is answered to each key, if another cookie lists that
	err        error   // that cannot be read
}

// A reading is what a stored value says.
type reading struct {
	preference *Preference
	answers    map[string]Answer // by the banner's keys
	rest       Answer            // to the keys that it does not name

	// If the format is written by the page: when the answers were given, what the
	// page has stored by the charter's keys (nil if it was a banner that stored the
	// rest), and the reference of their record.
	at          Timestamp
	pageAnswers map[string]Answer
	reference   string

	isOver  bool // its grants do not count any more
	isPlain bool // it is from plainCookie, where hostCookie takes its place over https
}

// A Timestamp is a time in Unix milliseconds.
type Timestamp int64

const (
	NoTime  Timestamp = 0
	badTime Timestamp = -1 // there is something that is no time
)

func timestampOf(at time.Time) Timestamp { return Timestamp(at.UnixMilli()) }

// ParseTime reads a timestamp as it is stored.
func ParseTime(text string) Timestamp {
	milliseconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || milliseconds <= 0 {
		return badTime
	}
	return Timestamp(milliseconds)
}

func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t)) }

// isPossible tells whether an answer can have been given then: since 2001, and not
// more than a day after now, as clocks differ.
func (t Timestamp) isPossible(now Timestamp) bool {
	const earliest, day Timestamp = 978_307_200_000, 86_400_000
	return t >= earliest && t < now+day
}

// A writing is what the charter page stores.
type writing struct {
	name        string            // of the cookie
	copies      []string          // the copies that the browser has
	inForce     map[string]Answer // all answers in force, by the charter's keys
	answers     map[string]Answer // those that were just given, by the banner's keys
	keys        []string          // all of the banner's keys that the charter asks for
	validGrants map[string]bool   // those of them of which a stored grant is in force
	at          time.Time
	reference   string // of the record, "" if there is none
	charter     *charter.Charter
}

// Formats are all formats. Many banners write their cookie before any
// answer, so each has its own proof that there was one.
var Formats = map[string]storageFormat{
	CharterFormat:           {Cookies: []string{PlainCookie, HostCookie}, asksEachKey: true, read: readCharterFormat, write: writeCharterFormat},
	"opendatasoft":          {Cookies: []string{"cookies_preferences"}, asksEachKey: true, read: readWrittenMap, write: writeMap},
	"json":                  {read: readWrittenMap, write: writeMapAsStored},
	"orejime":               {Cookies: []string{"eu-consent", "orejime"}, read: readMap},
	"klaro":                 {Cookies: []string{"klaro"}, read: readMap},
	"tarteaucitron":         {Cookies: []string{"tarteaucitron"}, grantsUnasked: true, read: readTarteaucitron},
	"cookieconsent":         {Cookies: []string{"cc_cookie"}, hasRevision: true, read: readCookieConsent},
	"cookieconsent2":        {Cookies: []string{"cc_cookie"}, hasRevision: true, read: readCookieConsent2},
	"govuk":                 {Cookies: []string{"cookies_policy"}, proofs: []string{"cookies_preferences_set"}, prove: proofByCookie("cookies_preferences_set", "true"), read: readGovUK},
	"nhsuk":                 {Cookies: []string{"nhsuk-cookie-consent"}, read: readMapWithProof("consented")},
	"django_cookie_consent": {Cookies: []string{"cookie_consent"}, read: readDjangoCookieConsent},
	"drupal":                {Cookies: []string{"cookie-agreed"}, proofs: []string{"cookie-agreed-categories"}, prove: proveDrupal, read: readDrupal},
	"complianz":             {Cookies: []string{"cmplz_*"}, hasNames: true, prove: proofByCookie("cmplz_banner-status", "dismissed"), read: readComplianz},
	"cookiebot":             {Cookies: []string{"CookieConsent"}, read: readCookiebot},
	"onetrust":              {Cookies: []string{"OptanonConsent"}, proofs: []string{"OptanonAlertBoxClosed"}, prove: proofByCookie("OptanonAlertBoxClosed", ""), read: readOneTrust},
	"axeptio":               {Cookies: []string{"axeptio_cookies"}, read: readMapWithProof("$$completed")},
	"didomi":                {Cookies: []string{"didomi_token"}, read: readDidomi},
	"c15t":                  {Cookies: []string{"c15t"}, read: readC15t},
	"osano":                 {Cookies: []string{"cookieconsent_status"}, read: readOsano},
	"tcf":                   {Cookies: []string{"euconsent-v2"}, read: readTCF},
	"matomo":                {Cookies: []string{"mtm_consent", "mtm_cookie_consent", "mtm_consent_removed"}, hasNames: true, read: readMatomo},
	"cookieyes":             {Cookies: []string{"cookieyes-consent"}, read: readCookieYes},
	"symfony":               {Cookies: []string{"Cookie_Category_*"}, hasNames: true, proofs: []string{"Cookie_Consent"}, prove: proofByCookie("Cookie_Consent", ""), read: readSymfony},
}

var (
	errUnreadable = errors.New("unreadable")
	errOversized  = errors.New("too long")

	// errContradictory is an error of the readers below, whose outcome is contradicting.
	errContradictory = errors.New("contradictory")
)

// proofByCookie returns a proof that there was an answer: a cookie, every copy of which
// has this value, or any if that is "".
func proofByCookie(name, wanted string) func(setcookie.Lines) proof {
	return func(lines setcookie.Lines) proof {
		found := false
		for value := range lines.Values(name) {
			if value == "" || wanted != "" && value != wanted {
				return proof{}
			}
			found = true
		}
		return proof{isAnswered: found}
	}
}

// contradiction is what something says that says two things at once, where no
// banner does: the stricter of all that it could say.
func contradiction() reading { return reading{rest: Refused} }

// answerOf returns the answer that a boolean stands for.
func answerOf(granted bool) Answer {
	if granted {
		return Granted
	}
	return Refused
}

// decodings yields a value as it is, and percent-decoded once and twice, as far
// as that changes it. Quotes around it are removed each time.
func decodings(value string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for range 3 {
			value = unquote(value)
			if !yield(value) {
				return
			}
			decoded, err := url.PathUnescape(value)
			if err != nil || decoded == value {
				return
			}
			value = decoded
		}
	}
}

// unquote removes the quotes around a value, and the escapes in it with which
// Python, and so Django, writes what does not go into a cookie: `\054`, `\"`.
func unquote(value string) string {
	quoted, ok := strings.CutPrefix(value, `"`)
	if !ok {
		return value
	}
	quoted = strings.TrimSuffix(quoted, `"`)
	var text strings.Builder
	for {
		before, escape, ok := strings.Cut(quoted, `\`)
		text.WriteString(before)
		if !ok {
			return text.String()
		}
		length := min(len(escape), 3)
		if char, err := strconv.ParseUint(escape[:length], 8, 8); err == nil && length == 3 {
			text.WriteByte(byte(char))
			quoted = escape[length:]
		} else if escape != "" {
			text.WriteByte(escape[0])
			quoted = escape[1:]
		} else {
			return text.String()
		}
	}
}

// readMap reads a JSON object from keys to booleans, raw, or percent-encoded in
// part or whole, once or twice, in quotes or not. What is no boolean is no
// answer.
func readMap(cookie Cookie) (reading, error) {
	for text := range decodings(cookie.Value) {
		if read, err := readObject(text); err == nil {
			return read, nil
		}
	}
	return reading{}, errUnreadable
}

// readWrittenMap is readMap where the page writes, too. What the page has asked
// then, and when, stands beside the answers: grants hold for that. Where the
// portal's banner has written since, at another time, only the banner knows what
// it asked.
func readWrittenMap(cookie Cookie) (reading, error) {
	for text := range decodings(cookie.Value) {
		members, err := parseObject(text)
		if err != nil {
			continue
		}
		read := readMembers(members)
		var times []Timestamp
		for _, m := range members {
			if m.key == charter.TimestampKey {
				times = append(times, m.time())
			}
		}
		for _, at := range times {
			if read.at == NoTime || at < read.at {
				read.at = at
			}
		}
		found := 0
		for _, m := range members {
			record, isText := m.text()
			if m.key != charter.CharterKey || !isText {
				continue
			}
			found++
			written, err := readCharterFormat(Cookie{Value: record, charter: cookie.charter})
			switch {
			case err != nil || found > 1:
				read.pageAnswers = map[string]Answer{} // one that could say anything, or one too many
			case len(times) == 0 || slices.Contains(times, written.at):
				read.pageAnswers, read.reference = written.answers, written.reference
			}
		}
		return read, nil
	}
	return reading{}, errUnreadable
}

// A member is a key of a JSON object with its raw value.
type member struct{ key, value string }

func (m member) isBoolean() bool { return m.value == "true" || m.value == "false" }

// text returns the value, if it is a string.
func (m member) text() (text string, ok bool) {
	ok = strings.HasPrefix(m.value, `"`) && json.Unmarshal([]byte(m.value), &text) == nil
	return text, ok
}

// time returns the time that the value is, be it a number or the same as a string.
func (m member) time() Timestamp {
	if text, ok := m.text(); ok {
		return ParseTime(text)
	}
	return ParseTime(m.value)
}

// readMembers returns what the boolean members of a JSON object answer.
func readMembers(members []member) reading {
	said := statements{}
	for _, m := range members {
		switch {
		case m.key == charter.TimestampKey:
		case m.isBoolean():
			said.add(m.key, answerOf(m.value == "true"))
		default:
			said.add(m.key, None)
		}
	}
	return reading{answers: said.answers()}
}

// statements are what a text says of keys, maybe several times: a refusal beats
// all else, and what is no answer beats a grant.
type statements map[string]Answer

// unclear marks a key of which something is said that is no answer.
const unclear Answer = -1

func (s statements) add(key string, answer Answer) {
	former, ok := s[key]
	switch {
	case former == Refused || answer == Refused:
		s[key] = Refused
	case answer == None || ok && former == unclear:
		s[key] = unclear
	default:
		s[key] = answer
	}
}

func (s statements) answers() map[string]Answer {
	maps.DeleteFunc(s, func(_ string, answer Answer) bool { return answer == unclear })
	return s
}

// readObject is readMembers of a text.
func readObject(text string) (reading, error) {
	members, err := parseObject(text)
	if err != nil {
		return reading{}, err
	}
	return readMembers(members), nil
}

// An object has the members of a JSON object by their keys, as they are written:
// encoding/json would take "Key" and "Key" for "key". What it has twice is contradictory.
type object struct {
	members       map[string]string
	contradictory map[string]bool
}

func newObject(members []member) object {
	o := object{members: make(map[string]string, len(members))}
	for _, m := range members {
		if _, ok := o.members[m.key]; ok {
			if o.contradictory == nil {
				o.contradictory = map[string]bool{}
			}
			o.contradictory[m.key] = true
		}
		o.members[m.key] = m.value
	}
	return o
}

// read reads one member into a variable, which stays as it is if there is none.
func (o object) read(key string, into any) error {
	value, ok := o.members[key]
	if !ok {
		return nil
	}
	if o.contradictory[key] {
		return errContradictory
	}
	if json.Unmarshal([]byte(value), into) != nil {
		return errUnreadable
	}
	return nil
}

// within returns the object that is one member, an empty one if there is none.
func (o object) within(key string) (object, error) {
	var inner json.RawMessage
	if err := o.read(key, &inner); err != nil || inner == nil || string(inner) == "null" {
		return object{}, err
	}
	members, err := parseObject(string(inner))
	return newObject(members), err
}

// parseObject returns the members of a JSON object as they stand there.
func parseObject(text string) ([]member, error) {
	// What is still percent-encoded is the usual case, and seen at its beginning.
	if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") || !utf8.ValidString(text) {
		return nil, errUnreadable
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errUnreadable
	}
	var members []member
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

// writeMap writes answers into the object that is stored, where what it does
// not know is kept while there is room. It is encoded as JavaScript's
// encodeURIComponent does.
func writeMap(w writing) string { return w.object(encodeURIComponent) }

// writeMapAsStored is writeMap, but what is stored raw stays so: the portal
// may read it without decoding.
func writeMapAsStored(w writing) string {
	isRaw := len(w.copies) > 0
	for _, value := range w.copies {
		_, err := parseObject(value)
		isRaw = isRaw && err == nil
	}
	if isRaw {
		return w.object(func(text string) string { return text })
	}
	return writeMap(w)
}

func encodeURIComponent(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// object returns the JSON object that holds the answers, encoded.
func (w writing) object(encode func(string) string) string {
	var members []member
	places := map[string]int{}
	put := func(m member) {
		if i, ok := places[m.key]; ok {
			members[i] = m
			return
		}
		places[m.key] = len(members)
		members = append(members, m)
	}
	stricter := func(m member) bool {
		i, ok := places[m.key]
		return !ok || m.value == "false" || m.value == "true" && !members[i].isBoolean()
	}
	for _, value := range w.copies {
		for text := range decodings(value) {
			parsed, err := parseObject(text)
			if err != nil {
				continue
			}
			for _, m := range parsed {
				if stricter(m) {
					put(m)
				}
			}
			break
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.answers)) {
		put(member{key, strconv.FormatBool(w.answers[key] == Granted)})
	}
	put(member{charter.TimestampKey, strconv.FormatInt(w.at.UnixMilli(), 10)})
	put(member{charter.CharterKey, `"` + writeCharterFormat(w) + `"`})

	asks := map[string]bool{charter.TimestampKey: true, charter.CharterKey: true}
	for _, key := range w.keys {
		asks[key] = true
	}
	// A grant that is over does not begin anew.
	members = slices.DeleteFunc(members, func(m member) bool {
		return m.value == "true" && asks[m.key] && w.answers[m.key] == None && !w.validGrants[m.key]
	})
	value := encode(formatObject(members))
	if len(w.name)+len(value) > MaxPreference {
		members = slices.DeleteFunc(members, func(m member) bool { return !asks[m.key] })
		value = encode(formatObject(members))
	}
	return value
}

func formatObject(members []member) string {
	var text bytes.Buffer
	for i, m := range members {
		text.WriteByte("{,"[min(i, 1)])
		key, err := json.Marshal(m.key)
		if err != nil {
			continue // a string always marshals
		}
		text.Write(key)
		text.WriteString(":" + m.value)
	}
	text.WriteByte('}')
	return text.String()
}

// readMapWithProof reads such a map that is an answer only if a member of it is true.
func readMapWithProof(key string) func(Cookie) (reading, error) {
	return func(cookie Cookie) (reading, error) {
		for text := range decodings(cookie.Value) {
			members, err := parseObject(text)
			if err != nil {
				continue
			}
			isProven, isDenied := false, false
			for _, m := range members {
				if m.key == key {
					isProven = isProven || m.value == "true"
					isDenied = isDenied || m.value != "true"
				}
			}
			switch {
			case !isProven:
				return reading{}, nil
			case isDenied:
				return contradiction(), nil
			}
			read := readMembers(members)
			delete(read.answers, key)
			return read, nil
		}
		return reading{}, errUnreadable
	}
}

// readDocument reads a JSON object that is raw or percent-encoded, by a function
// that returns errContradictory for what says two things at once.
func readDocument(value string, read func(object) (reading, error)) (reading, error) {
	for text := range decodings(value) {
		if members, err := parseObject(text); err == nil {
			return newObject(members).reading(read)
		}
	}
	return reading{}, errUnreadable
}

func (o object) reading(read func(object) (reading, error)) (reading, error) {
	found, err := read(o)
	if errors.Is(err, errContradictory) {
		return contradiction(), nil
	}
	return found, err
}

// readTarteaucitron reads `!matomo=true!youtube=wait`.
func readTarteaucitron(cookie Cookie) (reading, error) {
	return readPairs(cookie.Value, "!", "=", map[string]Answer{"true": Granted, "false": Refused})
}

// readPairs reads keys and values between separators, each value one of some
// words. As a part of them may be encoded, it decodes as far as that goes.
func readPairs(value, between, within string, words map[string]Answer) (reading, error) {
	for text := range decodings(value) {
		value = text
	}
	said := statements{}
	for pair := range strings.SplitSeq(value, between) {
		if key, word, ok := strings.Cut(pair, within); ok {
			said.add(key, words[word])
		}
	}
	if len(said) == 0 {
		return reading{}, errUnreadable
	}
	return reading{answers: said.answers()}, nil
}

// readCookieConsent reads vanilla-cookieconsent 3: categories that are granted,
// and services of theirs.
func readCookieConsent(cookie Cookie) (reading, error) {
	return readDocument(cookie.Value, func(stored object) (reading, error) {
		var categories []string
		var revision int
		var id, at string
		services, err := stored.within("services")
		err = cmp.Or(err, stored.read("categories", &categories), stored.read("revision", &revision), stored.read("consentId", &id), stored.read("consentTimestamp", &at))
		if err != nil {
			return reading{}, err
		}
		if id == "" || at == "" || revision != cookie.Preference.Revision {
			return reading{}, nil
		}
		read := readGrants(categories)
		for _, category := range categories {
			var keys []string
			if err := services.read(category, &keys); err != nil {
				return reading{}, err
			}
			for _, service := range keys {
				read.answers[service] = Granted
			}
		}
		return read, nil
	})
}

// readCookieConsent2 reads vanilla-cookieconsent 2, and 1 with its levels.
func readCookieConsent2(cookie Cookie) (reading, error) {
	return readDocument(cookie.Value, func(stored object) (reading, error) {
		var categories, level []string
		var revision int
		err := cmp.Or(stored.read("categories", &categories), stored.read("level", &level), stored.read("revision", &revision))
		if err != nil || categories == nil && level == nil || revision != cookie.Preference.Revision {
			return reading{}, err
		}
		return readGrants(slices.Concat(categories, level)), nil
	})
}

// readGrants returns the reading of a list that names what is granted.
func readGrants(keys []string) reading {
	read := reading{answers: map[string]Answer{}, rest: Refused}
	for _, key := range keys {
		read.answers[key] = Granted
	}
	return read
}

func readGovUK(cookie Cookie) (reading, error) {
	if !cookie.proof.isAnswered {
		return reading{}, nil
	}
	return readMap(cookie)
}

// readDjangoCookieConsent reads `group=date|group=-1`.
func readDjangoCookieConsent(cookie Cookie) (reading, error) {
	read := reading{answers: map[string]Answer{}}
	for pair := range strings.SplitSeq(unquote(cookie.Value), "|") {
		group, version, ok := strings.Cut(pair, "=")
		if !ok {
			return reading{}, errUnreadable
		}
		if version == "-1" {
			read.answers[group] = Refused
		} else if _, err := time.Parse(time.DateOnly, version[:min(len(version), len(time.DateOnly))]); err == nil {
			read.answers[group] = max(read.answers[group], Granted)
		}
	}
	return read, nil
}

// readDrupal reads EU Cookie Compliance.
func readDrupal(cookie Cookie) (reading, error) {
	isGranted := cookie.Value == "1" || cookie.Value == "2"
	if !isGranted && cookie.Value != "0" {
		return reading{}, errUnreadable
	}
	switch {
	case !isGranted:
		return reading{rest: Refused}, nil
	case cookie.proof.err != nil:
		return reading{}, cookie.proof.err
	case cookie.proof.list.answers != nil:
		return cookie.proof.list, nil
	}
	return reading{rest: Granted}, nil
}

// proveDrupal reads its lists of categories: of several copies, what is in all.
func proveDrupal(lines setcookie.Lines) proof {
	var common reading
	for value := range lines.Values("cookie-agreed-categories") {
		var categories []string
		if err := readList(value, &categories); err != nil {
			return proof{err: err}
		}
		read := readGrants(categories)
		if common.answers != nil {
			maps.DeleteFunc(read.answers, func(key string, _ Answer) bool { return common.answers[key] != Granted })
		}
		common = read
	}
	return proof{list: common}
}

// readList reads a JSON list that is raw or percent-encoded.
func readList(value string, into *[]string) error {
	if len(value) > MaxPreference {
		return errOversized
	}
	for text := range decodings(value) {
		if json.Unmarshal([]byte(text), into) == nil {
			return nil
		}
	}
	return errUnreadable
}

func readComplianz(cookie Cookie) (reading, error) {
	category := strings.TrimPrefix(cookie.Name, "cmplz_")
	if !cookie.proof.isAnswered {
		return reading{}, nil
	}
	words := map[string]Answer{"allow": Granted, "deny": Refused}
	return reading{answers: map[string]Answer{category: words[cookie.Value]}}, nil
}

// readCookiebot reads `{stamp:'x',statistics:true,method:'explicit'}`, which is
// no JSON.
func readCookiebot(cookie Cookie) (reading, error) {
	switch cookie.Value {
	case "-1": // outside of the regions where the banner asks
		return reading{}, nil
	case "0":
		return reading{rest: Refused}, nil
	}
	var text string
	for text = range decodings(cookie.Value) { // commas and quotes may be encoded apart
	}
	inner, ok := strings.CutPrefix(text, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	if !ok || !closed {
		return reading{}, errUnreadable
	}
	isStamped, isImplied := false, false
	for pair := range strings.SplitSeq(inner, ",") {
		key, value, _ := strings.Cut(pair, ":")
		value = strings.Trim(value, "'")
		isStamped = isStamped || key == "stamp" && value != ""
		isImplied = isImplied || key == "stamp" && (value == "" || value == "-1") || key == "method" && value != "" && value != "explicit"
	}
	read, err := readPairs(inner, ",", ":", map[string]Answer{"true": Granted, "false": Refused})
	if !isStamped || isImplied {
		return reading{}, err
	}
	return read, err
}

// readOneTrust reads a query string whose groups are `C0001:1,C0002:0`.
func readOneTrust(cookie Cookie) (reading, error) {
	fields, err := url.ParseQuery(cookie.Value)
	if err != nil {
		return reading{}, errUnreadable
	}
	if !cookie.proof.isAnswered || slices.Contains(fields["AwaitingReconsent"], "true") {
		return reading{}, nil
	}
	return readPairs(strings.Join(fields["groups"], ","), ",", ":", map[string]Answer{"1": Granted, "0": Refused})
}

// readDidomi reads base64 of JSON with lists of purposes and vendors.
func readDidomi(cookie Cookie) (reading, error) {
	for text := range decodings(cookie.Value) {
		text = strings.TrimRight(toStandardBase64.Replace(text), "=")
		decoded, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		members, err := parseObject(string(decoded))
		if err != nil {
			return reading{}, err
		}
		return newObject(members).reading(func(stored object) (reading, error) {
			var enabled, disabled [2][]string
			for i, key := range []string{"purposes", "vendors"} {
				lists, err := stored.within(key)
				if err = cmp.Or(err, lists.read("enabled", &enabled[i]), lists.read("disabled", &disabled[i])); err != nil {
					return reading{}, err
				}
			}
			read := readGrants(slices.Concat(enabled[:]...))
			read.rest = None
			for _, key := range slices.Concat(disabled[:]...) {
				read.answers[key] = Refused
			}
			return read, nil
		})
	}
	return reading{}, errUnreadable
}

var toStandardBase64 = strings.NewReplacer("-", "+", "_", "/")

// readC15t reads `c.measurement:1,i.t:1719830000000`.
func readC15t(cookie Cookie) (reading, error) {
	read, err := readPairs(cookie.Value, ",", ":", map[string]Answer{"1": Granted, "0": Refused})
	if err != nil {
		return reading{}, err
	}
	isProven, isDenied := false, false
	for text := range decodings(cookie.Value) {
		for pair := range strings.SplitSeq(text, ",") {
			at, ok := strings.CutPrefix(pair, "i.t:")
			isProven, isDenied = isProven || ok && at != "", isDenied || ok && at == ""
		}
	}
	if !isProven || isDenied {
		return reading{}, nil
	}
	answers := map[string]Answer{}
	for key, answer := range read.answers {
		if category, ok := strings.CutPrefix(key, "c."); ok {
			answers[category] = answer
		}
	}
	return reading{answers: answers, rest: Refused}, nil
}

func readOsano(cookie Cookie) (reading, error) {
	words := map[string]Answer{"allow": Granted, "deny": Refused, "dismiss": None}
	answer, ok := words[cookie.Value]
	if !ok {
		return reading{}, errUnreadable
	}
	return reading{rest: answer}, nil
}

// readTCF reads the purposes of IAB Europe's TC string, version 2: 24 bits from
// bit 152 of its first segment. The keys are the purposes' numbers.
func readTCF(cookie Cookie) (reading, error) {
	const firstByte, purposes = 152 / 8, 24
	core, _, _ := strings.Cut(cookie.Value, ".")
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(core, "="))
	if err != nil || len(data) < firstByte+purposes/8 || data[0]>>2 != 2 {
		return reading{}, errUnreadable
	}
	read := reading{answers: map[string]Answer{}}
	for i := range purposes {
		read.answers[strconv.Itoa(i+1)] = answerOf(data[firstByte+i/8]>>(7-i%8)&1 == 1)
	}
	return read, nil
}

// readMatomo reads Matomo's own consent cookies, each with a time.
func readMatomo(cookie Cookie) (reading, error) {
	if cookie.Name == "mtm_consent_removed" {
		return reading{answers: map[string]Answer{"matomo": Refused}}, nil
	}
	if _, err := strconv.ParseUint(cookie.Value, 10, 64); err != nil {
		return reading{}, errUnreadable
	}
	return reading{answers: map[string]Answer{"matomo": Granted}}, nil
}

// readCookieYes reads `action:yes,analytics:no`.
func readCookieYes(cookie Cookie) (reading, error) {
	read, err := readPairs(cookie.Value, ",", ":", map[string]Answer{"yes": Granted, "no": Refused})
	if err != nil || read.answers["action"] == None {
		return reading{}, err
	}
	for _, key := range []string{"action", "consent"} {
		delete(read.answers, key)
	}
	return read, nil
}

func readSymfony(cookie Cookie) (reading, error) {
	category := strings.TrimPrefix(cookie.Name, "Cookie_Category_")
	if !cookie.proof.isAnswered {
		return reading{}, nil
	}
	words := map[string]Answer{"true": Granted, "false": Refused}
	return reading{answers: map[string]Answer{category: words[cookie.Value]}}, nil
}

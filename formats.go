package cookiecharter

import (
	"bytes"
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
)

// A storedFormat is a way in which a consent banner stores the visitor's
// answers.
type storedFormat struct {
	// The usual names of the cookies that hold the answers, or prefixes that end
	// in "*". None: there is no usual name.
	cookies []string

	// Other cookies that read looks at, as proof of an answer.
	proofs []string

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
	read func(cookie storedCookie) (reading, error)

	// write returns the value that holds what the charter page stores. None: the
	// format is the banner's alone to write.
	write func(writing) string
}

// A storedCookie is one copy of a cookie that holds answers.
type storedCookie struct {
	name, value string
	others      cookieLines
	format      *PreferenceFormat
	charter     *charter
}

// read returns what the cookie says.
func (c storedCookie) read() (reading, error) {
	if len(c.value) > maxPreference {
		return reading{format: c.format}, errOversized
	}
	read, err := storedFormats[c.format.Format].read(c)
	read.format = c.format
	return read, err
}

// A reading is what a stored value says.
type reading struct {
	format  *PreferenceFormat
	answers map[string]answer // by the banner's keys
	rest    answer            // to the keys that it does not name
	at      timestamp         // if the format is written by the page
}

// A timestamp is a time in Unix milliseconds, 0 if there is none.
type timestamp int64

func timestampNow() timestamp { return timestamp(time.Now().UnixMilli()) }

// parseTimestamp reads a timestamp as it is stored; what is none is 0.
func parseTimestamp(text string) timestamp {
	milliseconds, _ := strconv.ParseInt(text, 10, 64)
	return timestamp(milliseconds)
}

func (t timestamp) time() time.Time { return time.UnixMilli(int64(t)) }

// isPossible tells whether an answer can have been given then: since 2001, and not
// more than a day after now, as clocks differ.
func (t timestamp) isPossible(now timestamp) bool {
	const earliest, day timestamp = 978_307_200_000, 86_400_000
	return t >= earliest && t < now+day
}

// A writing is what the charter page stores.
type writing struct {
	name    string            // of the cookie
	stored  []string          // the copies that the browser has
	answers map[string]answer // by the banner's keys
	keys    []string          // all of the banner's keys that the charter asks for
	at      time.Time
	charter *charter
}

// storedFormats are all formats. Many banners write their cookie before any
// answer, so each has its own proof that there was one.
var storedFormats = map[string]storedFormat{
	charterFormat:           {cookies: []string{"charter_preference"}, asksEachKey: true, read: readCharterFormat, write: writeCharterFormat},
	"opendatasoft":          {cookies: []string{"cookies_preferences"}, asksEachKey: true, read: readMap, write: writeMap},
	"json":                  {read: readMap, write: writeMapAsStored},
	"orejime":               {cookies: []string{"eu-consent", "orejime"}, read: readMap},
	"klaro":                 {cookies: []string{"klaro"}, read: readMap},
	"tarteaucitron":         {cookies: []string{"tarteaucitron"}, grantsUnasked: true, read: readTarteaucitron},
	"cookieconsent":         {cookies: []string{"cc_cookie"}, hasRevision: true, read: readCookieConsent},
	"cookieconsent2":        {cookies: []string{"cc_cookie"}, hasRevision: true, read: readCookieConsent2},
	"govuk":                 {cookies: []string{"cookies_policy"}, proofs: []string{"cookies_preferences_set"}, read: readGovUK},
	"nhsuk":                 {cookies: []string{"nhsuk-cookie-consent"}, read: provenBy("consented")},
	"django_cookie_consent": {cookies: []string{"cookie_consent"}, read: readDjangoCookieConsent},
	"drupal":                {cookies: []string{"cookie-agreed"}, proofs: []string{"cookie-agreed-categories"}, read: readDrupal},
	"complianz":             {cookies: []string{"cmplz_*"}, hasNames: true, read: readComplianz},
	"cookiebot":             {cookies: []string{"CookieConsent"}, read: readCookiebot},
	"onetrust":              {cookies: []string{"OptanonConsent"}, proofs: []string{"OptanonAlertBoxClosed"}, read: readOneTrust},
	"axeptio":               {cookies: []string{"axeptio_cookies"}, read: provenBy("$$completed")},
	"didomi":                {cookies: []string{"didomi_token"}, read: readDidomi},
	"c15t":                  {cookies: []string{"c15t"}, read: readC15t},
	"osano":                 {cookies: []string{"cookieconsent_status"}, read: readOsano},
	"tcf":                   {cookies: []string{"euconsent-v2"}, read: readTCF},
	"matomo":                {cookies: []string{"mtm_consent", "mtm_cookie_consent", "mtm_consent_removed"}, hasNames: true, read: readMatomo},
	"cookieyes":             {cookies: []string{"cookieyes-consent"}, read: readCookieYes},
	"symfony":               {cookies: []string{"Cookie_Category_*"}, hasNames: true, proofs: []string{"Cookie_Consent"}, read: readSymfony},
}

var (
	errUnreadable = errors.New("unreadable")
	errOversized  = errors.New("too long")
)

// answerOf returns the answer that a boolean stands for.
func answerOf(granted bool) answer {
	if granted {
		return answerGranted
	}
	return answerRefused
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
func readMap(cookie storedCookie) (reading, error) {
	for text := range decodings(cookie.value) {
		if read, err := readObject(text); err == nil {
			return read, nil
		}
	}
	return reading{}, errUnreadable
}

// A member is a key of a JSON object with its raw value.
type member struct{ key, value string }

func (m member) isBoolean() bool { return m.value == "true" || m.value == "false" }

// readObject returns what the boolean members of a JSON object answer, and its
// timestamp.
func readObject(text string) (reading, error) {
	members, err := parseObject(text)
	if err != nil {
		return reading{}, err
	}
	read := reading{answers: map[string]answer{}}
	for _, m := range members {
		if m.key == timestampKey {
			read.at = parseTimestamp(m.value)
		} else if m.isBoolean() {
			// encoding/json would let the last of two equal keys win.
			read.answers[m.key] = max(read.answers[m.key], answerOf(m.value == "true"))
		}
	}
	return read, nil
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
	isRaw := len(w.stored) > 0
	for _, value := range w.stored {
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
	put := func(m member) {
		i := slices.IndexFunc(members, func(other member) bool { return other.key == m.key })
		if i < 0 {
			members = append(members, m)
		} else {
			members[i] = m
		}
	}
	stricter := func(m member) bool {
		i := slices.IndexFunc(members, func(other member) bool { return other.key == m.key })
		return i < 0 || m.value == "false" || m.value == "true" && !members[i].isBoolean()
	}
	for _, value := range w.stored {
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
		put(member{key, strconv.FormatBool(w.answers[key] == answerGranted)})
	}
	put(member{timestampKey, strconv.FormatInt(w.at.UnixMilli(), 10)})

	value := encode(formatObject(members))
	if len(w.name)+len(value) > maxPreference {
		members = slices.DeleteFunc(members, func(m member) bool { return m.key != timestampKey && !slices.Contains(w.keys, m.key) })
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

// provenBy reads such a map that is an answer only if a member of it is true.
func provenBy(member string) func(storedCookie) (reading, error) {
	return func(cookie storedCookie) (reading, error) {
		read, err := readMap(cookie)
		if err != nil || read.answers[member] != answerGranted {
			return reading{}, err
		}
		delete(read.answers, member)
		return read, nil
	}
}

// readJSON decodes a JSON value that is raw or percent-encoded.
func readJSON(value string, into any) error {
	for text := range decodings(value) {
		if json.Unmarshal([]byte(text), into) == nil {
			return nil
		}
	}
	return errUnreadable
}

// readTarteaucitron reads `!matomo=true!youtube=wait`.
func readTarteaucitron(cookie storedCookie) (reading, error) {
	return readPairs(cookie.value, "!", "=", map[string]answer{"true": answerGranted, "false": answerRefused})
}

// readPairs reads keys and values between separators, each value one of some
// words. As a part of them may be encoded, it decodes as far as that goes.
func readPairs(value, between, within string, words map[string]answer) (reading, error) {
	for text := range decodings(value) {
		value = text
	}
	read := reading{answers: map[string]answer{}}
	found := false
	for pair := range strings.SplitSeq(value, between) {
		key, word, ok := strings.Cut(pair, within)
		found = found || ok
		if given := words[word]; ok && given != answerNone {
			read.answers[key] = max(read.answers[key], given)
		}
	}
	if !found {
		return reading{}, errUnreadable
	}
	return read, nil
}

// readCookieConsent reads vanilla-cookieconsent 3: categories that are granted,
// and services of theirs.
func readCookieConsent(cookie storedCookie) (reading, error) {
	var stored struct {
		Categories []string            `json:"categories"`
		Services   map[string][]string `json:"services"`
		Revision   int                 `json:"revision"`
		ID         string              `json:"consentId"`
		At         string              `json:"consentTimestamp"`
	}
	if err := readJSON(cookie.value, &stored); err != nil {
		return reading{}, err
	}
	if stored.ID == "" || stored.At == "" || stored.Revision != cookie.format.Revision {
		return reading{}, nil
	}
	read := reading{answers: map[string]answer{}, rest: answerRefused}
	for _, category := range stored.Categories {
		read.answers[category] = answerGranted
		for _, service := range stored.Services[category] {
			read.answers[service] = answerGranted
		}
	}
	return read, nil
}

// readCookieConsent2 reads vanilla-cookieconsent 2, and 1 with its levels.
func readCookieConsent2(cookie storedCookie) (reading, error) {
	var stored struct {
		Categories []string `json:"categories"`
		Level      []string `json:"level"`
		Revision   int      `json:"revision"`
	}
	if err := readJSON(cookie.value, &stored); err != nil {
		return reading{}, err
	}
	if stored.Categories == nil && stored.Level == nil || stored.Revision != cookie.format.Revision {
		return reading{}, nil
	}
	return granting(slices.Concat(stored.Categories, stored.Level)), nil
}

// granting returns the reading of a list that names what is granted.
func granting(keys []string) reading {
	read := reading{answers: map[string]answer{}, rest: answerRefused}
	for _, key := range keys {
		read.answers[key] = answerGranted
	}
	return read
}

func readGovUK(cookie storedCookie) (reading, error) {
	if !cookie.others.all("cookies_preferences_set", func(value string) bool { return value == "true" }) {
		return reading{}, nil
	}
	return readMap(cookie)
}

// readDjangoCookieConsent reads `group=date|group=-1`.
func readDjangoCookieConsent(cookie storedCookie) (reading, error) {
	read := reading{answers: map[string]answer{}}
	for pair := range strings.SplitSeq(unquote(cookie.value), "|") {
		group, version, ok := strings.Cut(pair, "=")
		if !ok {
			return reading{}, errUnreadable
		}
		if version == "-1" {
			read.answers[group] = answerRefused
		} else if _, err := time.Parse(time.DateOnly, version[:min(len(version), len(time.DateOnly))]); err == nil {
			read.answers[group] = max(read.answers[group], answerGranted)
		}
	}
	return read, nil
}

// readDrupal reads EU Cookie Compliance.
func readDrupal(cookie storedCookie) (reading, error) {
	agreed := cookie.value == "1" || cookie.value == "2"
	if !agreed && cookie.value != "0" {
		return reading{}, errUnreadable
	}
	read := reading{rest: answerOf(agreed)}
	for value := range cookie.others.values("cookie-agreed-categories") {
		var categories []string
		if err := readJSON(value, &categories); err != nil {
			return reading{}, err
		}
		if agreed {
			listed := granting(categories)
			if read.answers != nil {
				maps.DeleteFunc(listed.answers, func(key string, _ answer) bool { return read.answers[key] != answerGranted })
			}
			read = listed
		}
	}
	return read, nil
}

func readComplianz(cookie storedCookie) (reading, error) {
	category := strings.TrimPrefix(cookie.name, "cmplz_")
	if !cookie.others.all("cmplz_banner-status", func(value string) bool { return value == "dismissed" }) {
		return reading{}, nil
	}
	words := map[string]answer{"allow": answerGranted, "deny": answerRefused}
	return reading{answers: map[string]answer{category: words[cookie.value]}}, nil
}

// readCookiebot reads `{stamp:'x',statistics:true,method:'explicit'}`, which is
// no JSON.
func readCookiebot(cookie storedCookie) (reading, error) {
	switch cookie.value {
	case "-1": // outside of the regions where the banner asks
		return reading{}, nil
	case "0":
		return reading{rest: answerRefused}, nil
	}
	for text := range decodings(cookie.value) {
		inner, ok := strings.CutPrefix(text, "{")
		inner, closed := strings.CutSuffix(inner, "}")
		if !ok || !closed || !strings.Contains(inner, "'") { // the quotes may be encoded still
			continue
		}
		read, err := readPairs(inner, ",", ":", map[string]answer{"true": answerGranted, "false": answerRefused})
		fields := map[string]string{}
		for pair := range strings.SplitSeq(inner, ",") {
			key, value, _ := strings.Cut(pair, ":")
			fields[key] = strings.Trim(value, "'")
		}
		if fields["stamp"] == "" || fields["stamp"] == "-1" || fields["method"] != "" && fields["method"] != "explicit" {
			return reading{}, err
		}
		return read, err
	}
	return reading{}, errUnreadable
}

// readOneTrust reads a query string whose groups are `C0001:1,C0002:0`.
func readOneTrust(cookie storedCookie) (reading, error) {
	fields, err := url.ParseQuery(cookie.value)
	if err != nil {
		return reading{}, errUnreadable
	}
	isClosed := cookie.others.all("OptanonAlertBoxClosed", func(value string) bool { return value != "" })
	if !isClosed || fields.Get("AwaitingReconsent") == "true" {
		return reading{}, nil
	}
	return readPairs(strings.Join(fields["groups"], ","), ",", ":", map[string]answer{"1": answerGranted, "0": answerRefused})
}

// readDidomi reads base64 of JSON with lists of purposes and vendors.
func readDidomi(cookie storedCookie) (reading, error) {
	type lists struct {
		Enabled  []string `json:"enabled"`
		Disabled []string `json:"disabled"`
	}
	var stored struct {
		Purposes lists `json:"purposes"`
		Vendors  lists `json:"vendors"`
	}
	for text := range decodings(cookie.value) {
		text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
		decoded, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		if json.Unmarshal(decoded, &stored) != nil {
			return reading{}, errUnreadable
		}
		read := granting(slices.Concat(stored.Purposes.Enabled, stored.Vendors.Enabled))
		read.rest = answerNone
		for _, key := range slices.Concat(stored.Purposes.Disabled, stored.Vendors.Disabled) {
			read.answers[key] = answerRefused
		}
		return read, nil
	}
	return reading{}, errUnreadable
}

// readC15t reads `c.measurement:1,i.t:1719830000000`.
func readC15t(cookie storedCookie) (reading, error) {
	read, err := readPairs(cookie.value, ",", ":", map[string]answer{"1": answerGranted, "0": answerRefused})
	if err != nil {
		return reading{}, err
	}
	proven := false
	for text := range decodings(cookie.value) {
		for pair := range strings.SplitSeq(text, ",") {
			at, ok := strings.CutPrefix(pair, "i.t:")
			proven = proven || ok && at != ""
		}
	}
	if !proven {
		return reading{}, nil
	}
	answers := map[string]answer{}
	for key, given := range read.answers {
		if category, ok := strings.CutPrefix(key, "c."); ok {
			answers[category] = given
		}
	}
	return reading{answers: answers, rest: answerRefused}, nil
}

func readOsano(cookie storedCookie) (reading, error) {
	words := map[string]answer{"allow": answerGranted, "deny": answerRefused, "dismiss": answerNone}
	given, ok := words[cookie.value]
	if !ok {
		return reading{}, errUnreadable
	}
	return reading{rest: given}, nil
}

// readTCF reads the purposes of IAB Europe's TC string, version 2: 24 bits from
// bit 152 of its first segment. The keys are the purposes' numbers.
func readTCF(cookie storedCookie) (reading, error) {
	const firstByte, purposes = 152 / 8, 24
	core, _, _ := strings.Cut(cookie.value, ".")
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(core, "="))
	if err != nil || len(data) < firstByte+purposes/8 || data[0]>>2 != 2 {
		return reading{}, errUnreadable
	}
	read := reading{answers: map[string]answer{}}
	for i := range purposes {
		read.answers[strconv.Itoa(i+1)] = answerOf(data[firstByte+i/8]>>(7-i%8)&1 == 1)
	}
	return read, nil
}

// readMatomo reads Matomo's own consent cookies, each with a time.
func readMatomo(cookie storedCookie) (reading, error) {
	if cookie.name == "mtm_consent_removed" {
		return reading{answers: map[string]answer{"matomo": answerRefused}}, nil
	}
	if _, err := strconv.ParseUint(cookie.value, 10, 64); err != nil {
		return reading{}, errUnreadable
	}
	return reading{answers: map[string]answer{"matomo": answerGranted}}, nil
}

// readCookieYes reads `action:yes,analytics:no`.
func readCookieYes(cookie storedCookie) (reading, error) {
	read, err := readPairs(cookie.value, ",", ":", map[string]answer{"yes": answerGranted, "no": answerRefused})
	if err != nil || read.answers["action"] == answerNone {
		return reading{}, err
	}
	for _, key := range []string{"action", "consent"} {
		delete(read.answers, key)
	}
	return read, nil
}

func readSymfony(cookie storedCookie) (reading, error) {
	category := strings.TrimPrefix(cookie.name, "Cookie_Category_")
	if !cookie.others.all("Cookie_Consent", func(value string) bool { return value != "" }) {
		return reading{}, nil
	}
	words := map[string]answer{"true": answerGranted, "false": answerRefused}
	return reading{answers: map[string]answer{category: words[cookie.value]}}, nil
}

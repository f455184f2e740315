package answers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// readMap reads a JSON object from keys to booleans. What is no boolean is no answer.
var readMap = layout{words: []string{"*"}, vocabulary: booleans}.read

// readWrittenMap is readMap where the page writes, too. What the page has asked
// then, and when, stands beside the answers: grants hold for that. Where the
// portal's banner has written since, at another time, only the banner knows what
// it asked.
func readWrittenMap(cookie Cookie) (reading, error) {
	members, err := parseEncoded(cookie.Value)
	if err != nil {
		return reading{}, err
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
			read.pageAnswers, read.version, read.reference = written.answers, written.version, written.reference
		}
	}
	return read, nil
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

// An object has the members of a JSON object by their keys, as they are written:
// encoding/json would take "Key" and "Key" for "key". What it has twice is contradictory.
type object struct {
	ordered       []member // as they are written
	members       map[string]string
	contradictory map[string]bool
}

func newObject(members []member) object {
	o := object{ordered: members, members: make(map[string]string, len(members))}
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

// parseEncoded returns the members of a JSON object that is raw, or percent-encoded in part
// or whole, once or twice, in quotes or not.
func parseEncoded(value string) ([]member, error) {
	for text := range decodings(value) {
		if members, err := parseObject(text); err == nil {
			return members, nil
		}
	}
	return nil, errUnreadable
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
		parsed, err := parseEncoded(value)
		if err != nil {
			continue
		}
		for _, m := range parsed {
			if stricter(m) {
				put(m)
			}
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

// reading returns what a function reads in an object. It returns errContradictory for
// what says two things at once.
func (o object) reading(read func(object) (reading, error)) (reading, error) {
	found, err := read(o)
	if errors.Is(err, errContradictory) {
		return contradiction(), nil
	}
	return found, err
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

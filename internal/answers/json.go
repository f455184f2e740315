package answers

import (
	"bytes"
	"encoding/json"
	"errors"
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
	if inner, ok := strings.CutPrefix(m.value, `"`); ok && !strings.Contains(inner, `\`) {
		return strings.CutSuffix(inner, `"`)
	}
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

// An object has the members of a JSON object, as they are written: encoding/json would take
// "Key" and "Key" for "key".
type object []member

// named returns the members of a name. If there are several, they are contradictory.
func (o object) named(name string) object {
	var named object
	for _, m := range o {
		if m.key == name {
			named = append(named, m)
		}
	}
	return named
}

// read reads one member into a variable, which stays as it is if there is none.
func (o object) read(key string, into any) error {
	switch named := o.named(key); {
	case len(named) == 0:
		return nil
	case len(named) > 1:
		return errContradictory
	case json.Unmarshal([]byte(named[0].value), into) != nil:
		return errUnreadable
	}
	return nil
}

// parseEncoded returns the members of a JSON object that is raw, or percent-encoded in part
// or whole, once or twice, in quotes or not.
func parseEncoded(value string) (object, error) {
	for text := range decodings(value) {
		if members, err := parseObject(text); err == nil {
			return members, nil
		}
	}
	return nil, errUnreadable
}

// parseObject returns the members of a JSON object as they stand there. As they are told
// apart in what is JSON for certain, that takes little more than finding where each ends.
func parseObject(text string) (object, error) {
	rest, isObject := strings.CutPrefix(strings.TrimLeft(text, jsonSpace), "{")
	// What is still percent-encoded is the usual case, and seen at its beginning.
	if !isObject || !utf8.ValidString(text) || !json.Valid([]byte(text)) {
		return nil, errUnreadable
	}
	var members object
	for {
		rest = strings.TrimLeft(rest, jsonSpace+",")
		if strings.HasPrefix(rest, "}") {
			return members, nil
		}
		var m member
		m.key, rest = cutValue(rest)
		m.value, rest = cutValue(strings.TrimLeft(rest, jsonSpace+":"))
		m.key, _ = member{value: m.key}.text()
		members = append(members, m)
	}
}

const jsonSpace = " \t\r\n"

// cutValue cuts what is JSON after the value at its beginning.
func cutValue(text string) (value, rest string) {
	depth, inText := 0, false
	for i := 0; i < len(text); i++ {
		switch char := text[i]; {
		case inText && char == '\\':
			i++
		case char == '"':
			inText = !inText
		case inText:
		case char == '{' || char == '[':
			depth++
		case depth == 0 && strings.IndexByte(jsonSpace+":,}", char) >= 0:
			return text[:i], text[i:]
		case char == '}' || char == ']':
			depth--
		}
	}
	return text, ""
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

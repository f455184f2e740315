package answers

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/setcookie"
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

// ifProven returns a reader that reads nothing without the proof of other cookies.
func ifProven(read func(Cookie) (reading, error)) func(Cookie) (reading, error) {
	return func(cookie Cookie) (reading, error) {
		if !cookie.proof.isAnswered {
			return reading{}, nil
		}
		return read(cookie)
	}
}

// readTarteaucitron reads `!matomo=true!youtube=wait`.
func readTarteaucitron(cookie Cookie) (reading, error) {
	return readPairs(cookie.Value, "!", "=", vocabulary{"true": Granted, "false": Refused})
}

// readCookieConsent reads vanilla-cookieconsent 3: categories that are granted,
// and services of theirs.
func readCookieConsent(cookie Cookie) (reading, error) {
	stored, err := parseEncoded(cookie.Value)
	if err != nil {
		return reading{}, err
	}
	return stored.reading(func(stored object) (reading, error) {
		var categories []string
		var revision int
		var id, at string
		err := cmp.Or(stored.read("categories", &categories), stored.read("revision", &revision), stored.read("consentId", &id), stored.read("consentTimestamp", &at))
		if err != nil {
			return reading{}, err
		}
		if id == "" || at == "" || revision != cookie.Preference.Revision {
			return reading{}, nil
		}
		read, ofCategory := readGrants(categories), readGrants(categories)
		err = stored.walk("services.*", func(m member, isTwice bool) error {
			var services []string
			switch {
			case ofCategory.answers[m.key] != Granted:
				return nil
			case isTwice:
				return errContradictory
			case json.Unmarshal([]byte(m.value), &services) != nil:
				return errUnreadable
			}
			for _, service := range services {
				read.answers[service] = Granted
			}
			return nil
		})
		if err != nil {
			return reading{}, err
		}
		return read, nil
	})
}

// readDjangoCookieConsent reads `group=date|group=-1`.
func readDjangoCookieConsent(cookie Cookie) (reading, error) {
	said := statements{}
	for pair := range strings.SplitSeq(unquote(cookie.Value), "|") {
		group, version, ok := strings.Cut(pair, "=")
		if !ok {
			return reading{}, errUnreadable
		}
		answer := None
		if version == "-1" {
			answer = Refused
		} else if isDate(version) {
			answer = Granted
		}
		said.add(group, answer)
	}
	return reading{answers: said.answers()}, nil
}

// isDate tells whether that is a date, or one with a time, as Python writes them.
func isDate(text string) bool {
	return slices.ContainsFunc([]string{time.DateOnly, "2006-01-02T15:04:05", time.RFC3339}, func(layout string) bool {
		_, err := time.Parse(layout, text)
		return err == nil
	})
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
	read, err := readPairs(inner, ",", ":", vocabulary{"true": Granted, "false": Refused})
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
	return readPairs(strings.Join(fields["groups"], ","), ",", ":", vocabulary{"1": Granted, "0": Refused})
}

// readC15t reads `c.measurement:1,i.t:1719830000000`: categories, and when they were answered.
// Where a site tells c15t who a visitor is, it stores a time with no category, and no answer.
func readC15t(cookie Cookie) (reading, error) {
	read, err := readPairs(cookie.Value, ",", ":", vocabulary{"1": Granted, "0": Refused})
	if err != nil {
		return reading{}, err
	}
	isProven, isDenied := false, false
	for text := range decodings(cookie.Value) {
		for pair := range strings.SplitSeq(text, ",") {
			if at, ok := strings.CutPrefix(pair, "i.t:"); ok {
				isTime := ParseTime(at) != badTime
				isProven, isDenied = isProven || isTime, isDenied || !isTime
			}
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
	if len(answers) == 0 {
		return reading{}, nil
	}
	return reading{answers: answers, rest: Refused}, nil
}

// readWord reads a value that is one of some words, an answer to all keys.
func readWord(words vocabulary) func(Cookie) (reading, error) {
	return func(cookie Cookie) (reading, error) {
		answer, ok := words[cookie.Value]
		if !ok {
			return reading{}, errUnreadable
		}
		return reading{rest: answer}, nil
	}
}

// readCategory reads a cookie whose name is that of a category, after a prefix, and whose
// value is one of some words. Others of such names are no answers, unless they are asked for.
func readCategory(prefix string, words vocabulary) func(Cookie) (reading, error) {
	return func(cookie Cookie) (reading, error) {
		key := strings.TrimPrefix(cookie.Name, prefix)
		answer, ok := words[cookie.Value]
		if !ok && cookie.isAsked(key) {
			return reading{}, errUnreadable
		}
		return reading{answers: map[string]Answer{key: answer}}, nil
	}
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
	read, err := readPairs(cookie.Value, ",", ":", vocabulary{"yes": Granted, "no": Refused})
	if err != nil || read.answers["action"] != Granted {
		return reading{}, err
	}
	if read.answers["consent"] == Refused { // which contradicts all that is granted beside it
		return reading{rest: Refused}, nil
	}
	for _, key := range []string{"action", "consent"} {
		delete(read.answers, key)
	}
	return read, nil
}

// readCommandersAct reads `0@002|12|3441@1,3@4@1592900933049,...`: whether some categories
// are granted (0) or none is (1), the banner, the categories, those that are always on, the
// time of the answer, and more. A portal can have another separator than '@'.
func readCommandersAct(cookie Cookie) (reading, error) {
	var text string
	for text = range decodings(cookie.Value) { // what is between the separators may be encoded apart
	}
	if len(text) < 2 || strings.ContainsAny(text[1:2], "0123456789,|") {
		return reading{}, errUnreadable
	}
	fields := strings.Split(text, text[1:2])
	if len(fields) < 3 || text[0] != '0' && text[0] != '1' {
		return reading{}, errUnreadable
	}
	const granted, alwaysOn, times = 2, 3, 4
	read := reading{answers: map[string]Answer{}, rest: Refused}
	if text[0] == '0' {
		if len(fields) <= times {
			return reading{}, nil // as early versions wrote, without a time
		}
		if at, _, _ := strings.Cut(fields[times], ","); ParseTime(at) == badTime {
			return reading{}, nil
		}
		read = readGrants(strings.Split(fields[granted], ","))
	}
	if len(fields) > alwaysOn {
		for category := range strings.SplitSeq(fields[alwaysOn], ",") {
			read.answers[category] = unclear // nobody was asked
		}
	}
	return read, nil
}

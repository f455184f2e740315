package page

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"github.com/cookie-charter/cookie_charter/internal/audit"
	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// defaultLanguage is the language of the page if nothing else is said.
const defaultLanguage = "fr"

// languageFolder holds a file for each language that the page speaks: those of an
// Opendatasoft front office.
const languageFolder = "languages"

// Languages are the tags of all languages that the page speaks, sorted.
var Languages = charter.NamesIn(files, languageFolder)

// CheckLanguage returns an error if the page does not speak a language.
func CheckLanguage(name string) error {
	if !slices.Contains(Languages, name) {
		return fmt.Errorf("the page does not speak %q; use one of %s", name, strings.Join(Languages, ", "))
	}
	return nil
}

// DefaultOf returns the language of the page where the visitor asks for none that it
// speaks: the one that is chosen, or the first of those that are spoken, if they are.
func DefaultOf(spoken []string, chosen string) (string, error) {
	for _, name := range spoken {
		if err := CheckLanguage(name); err != nil {
			return "", err
		}
	}
	if len(spoken) == 0 {
		return cmp.Or(chosen, defaultLanguage), nil
	}
	if chosen != "" && !slices.Contains(spoken, chosen) {
		return "", fmt.Errorf("the language %q is the page's default, but none of its languages; add it to them, or remove it", chosen)
	}
	return cmp.Or(chosen, spoken[0]), nil
}

// Wording returns a hash over the page's own words, in all languages.
var Wording = sync.OnceValue(func() string {
	var all []byte
	for _, name := range Languages {
		content, err := fs.ReadFile(files, languagePath(name))
		if err != nil {
			panic(err) // it was listed
		}
		all = append(all, content...)
	}
	return charter.Hash(all, 8)
})

// texts are the page's own words in one language, read from its file.
type texts struct {
	Name               string                        `yaml:"name"`      // of the language
	Direction          string                        `yaml:"direction"` // "ltr" or "rtl"
	Comma              string                        `yaml:"comma"`     // in lists
	Title              string                        `yaml:"title"`
	Languages          string                        `yaml:"languages"`
	Date               string                        `yaml:"date"` // of day, month, year
	Days               map[int]string                `yaml:"days"` // that are not written as numbers
	Months             []string                      `yaml:"months"`
	Updated            string                        `yaml:"updated"` // of a date
	Back               string                        `yaml:"back"`
	Skip               string                        `yaml:"skip"` // to the content
	WhatTitle          string                        `yaml:"what_title"`
	What               string                        `yaml:"what"`
	WhatStorage        string                        `yaml:"what_storage"`         // after it, where rows have stored items
	WhatStorageRefused string                        `yaml:"what_storage_refused"` // after that, where the guard removes what is refused
	WhatPrefix         string                        `yaml:"what_prefix"`          // last, where names end in an asterisk
	KindsTitle         string                        `yaml:"kinds_title"`
	Kinds              map[charter.Category]kindText `yaml:"kinds"`
	UsedTitle          string                        `yaml:"used_title"` // of the site
	Columns            columnTexts                   `yaml:"columns"`
	Exempt             string                        `yaml:"exempt"`
	Countries          string                        `yaml:"countries"`     // of a list
	Hosts              string                        `yaml:"hosts"`         // before a list
	Storage            string                        `yaml:"storage"`       // before a list
	Cookies            string                        `yaml:"cookies"`       // before a duration, beside that of stored items
	UntilDeleted       string                        `yaml:"until_deleted"` // how long these stay
	Durations          map[string]map[string]string  `yaml:"durations"`     // by unit and plural form, of a number
	AtMost             string                        `yaml:"at_most"`       // of a duration
	Untold             string                        `yaml:"untold"`        // instead of one

	ChoiceTitle         string            `yaml:"choice_title"`
	Choice              string            `yaml:"choice"`
	ChoiceOthers        string            `yaml:"choice_others"`      // where nothing that is asked about is a cookie
	ChoiceHere          string            `yaml:"choice_here"`        // where the page takes answers
	ChoiceExempt        string            `yaml:"choice_exempt"`      // where no other can be chosen
	ChoiceExemptHere    string            `yaml:"choice_exempt_here"` // and the page takes answers
	ChoiceOpen          string            `yaml:"choice_open"`        // after the others, where hosts are enforced
	Consequences        string            `yaml:"consequences"`
	ConsequencesOthers  string            `yaml:"consequences_others"`  // where nothing that is asked about is a cookie
	ConsequencesStorage string            `yaml:"consequences_storage"` // after them, where the guard is in force for stored items
	ConsequencesHosts   string            `yaml:"consequences_hosts"`   // last, where hosts are enforced
	Question            questionTexts     `yaml:"question"`
	ChoiceKept          string            `yaml:"choice_kept"`  // of a duration
	ChoiceGiven         string            `yaml:"choice_given"` // of two dates
	ChoiceElsewhere     string            `yaml:"choice_elsewhere"`
	ChoiceBanner        string            `yaml:"choice_banner"`
	Manage              string            `yaml:"manage"`
	NothingToChoose     string            `yaml:"nothing_to_choose"`
	AcceptAll           string            `yaml:"accept_all"`
	RefuseAll           string            `yaml:"refuse_all"`
	Save                string            `yaml:"save"`
	Accept              string            `yaml:"accept"`
	Refuse              string            `yaml:"refuse"`
	Stored              map[string]string `yaml:"stored"`        // by answer
	StoredExempt        map[string]string `yaml:"stored_exempt"` // beside no answer, by whether all are exempt
	Opposed             string            `yaml:"opposed"`       // by Global Privacy Control
	Status              map[string]string `yaml:"status"`
	StillRefused        string            `yaml:"still_refused"` // after a choice was lost
	Remaining           map[string]string `yaml:"remaining"`     // refused cookies, by when they go
	Reference           string            `yaml:"reference"`     // of a record
	Framed              string            `yaml:"framed"`        // of the page's address

	AboutTitle    string `yaml:"about_title"`
	Controller    string `yaml:"controller"`
	Contact       string `yaml:"contact"`
	Complaint     string `yaml:"complaint"`
	Authority     string `yaml:"authority"` // that takes complaints, and its link; "" where a language is of several countries
	Policy        string `yaml:"policy"`
	Accessibility string `yaml:"accessibility"`

	MineTitle      string            `yaml:"mine_title"`
	Mine           string            `yaml:"mine"`
	MineNone       string            `yaml:"mine_none"`
	MineColumns    mineColumnTexts   `yaml:"mine_columns"`
	MineUnnamed    string            `yaml:"mine_unnamed"`
	MineUndeclared string            `yaml:"mine_undeclared"`
	Outcomes       map[string]string `yaml:"outcomes"` // by verdict

	PromiseTitle  string            `yaml:"promise_title"`
	Promise       string            `yaml:"promise"`
	Promises      map[string]string `yaml:"promises"`  // by what is kept
	Monitored     map[string]string `yaml:"monitored"` // by how much
	Trial         map[string]string `yaml:"trial"`     // what is only observed, and other words for what it concerns
	Tested        testedTexts       `yaml:"tested"`    // the last audit
	LimitsTitle   string            `yaml:"limits_title"`
	Limits        []string          `yaml:"limits"`         // of scripts, and of other domains
	LimitsScripts string            `yaml:"limits_scripts"` // of scripts, where the guard is in force
	LimitsStorage string            `yaml:"limits_storage"` // of scripts, where it is for stored items, too
	LimitsHosts   string            `yaml:"limits_hosts"`   // of other domains, where hosts are enforced
	LimitsAdvice  string            `yaml:"limits_advice"`

	VersionTitle string `yaml:"version_title"`
	Version      string `yaml:"version"` // of the version
	Versions     string `yaml:"versions"`
	Exports      string `yaml:"exports"`

	NoticeTitle       string `yaml:"notice_title"`
	Notice            string `yaml:"notice"`
	NoticeOthers      string `yaml:"notice_others"` // where nothing that is asked about is a cookie
	NoticeMore        string `yaml:"notice_more"`
	NoticeManage      string `yaml:"notice_manage"`      // at the end of each document
	NoticeLater       string `yaml:"notice_later"`       // how to withdraw
	NoticeResponsible string `yaml:"notice_responsible"` // of who is

	Unclear map[string]string `yaml:"unclear"` // status of posts that were not understood wholly
	Refused map[string]string `yaml:"refused"` // title, and sentences by reason

	Archived      string `yaml:"archived"`       // of the version, and the day when it was first served
	InForce       string `yaml:"in_force"`       // a link to the version that is
	ChoiceVersion string `yaml:"choice_version"` // after choice_given; of the version

	tag language.Tag
}

type kindText struct {
	Name       string `yaml:"name"`
	Definition string `yaml:"definition"`
}

type columnTexts struct {
	Provider string `yaml:"provider"`
	Service  string `yaml:"service"`
	Name     string `yaml:"name"`
	Item     string `yaml:"item"` // in the place of Name, where a table has stored items
	Purpose  string `yaml:"purpose"`
	Duration string `yaml:"duration"`
}

// questionTexts are the labels of what a question tells.
type questionTexts struct {
	Who     string `yaml:"who"`
	WhatFor string `yaml:"what_for"`
	HowLong string `yaml:"how_long"`
	Cookies string `yaml:"cookies"`
	Now     string `yaml:"now"`
}

// testedTexts tell of an audit.
type testedTexts struct {
	Clean          string `yaml:"clean"`       // of the date, pages and visits
	CleanHosts     string `yaml:"clean_hosts"` // the same, where hosts were held against the charter, too
	CleanItems     string `yaml:"clean_items"` // says so of the stored items of the charter
	Found          string `yaml:"found"`       // of these, and how much was
	Incomplete     string `yaml:"incomplete"`
	WithoutScripts string `yaml:"without_scripts"`
	OtherVersion   string `yaml:"other_version"` // of the version
	Report         string `yaml:"report"`        // a link to it
}

type mineColumnTexts struct {
	Name    string `yaml:"name"`
	Use     string `yaml:"use"`
	Outcome string `yaml:"outcome"`
}

// loadLanguages returns the page's words in the languages that it speaks, the default one
// first, and what finds a language among them.
func loadLanguages(first string, speaks func(language string) bool) ([]*texts, language.Matcher, error) {
	all, err := allTexts()
	if err != nil {
		return nil, nil, err
	}
	all = slices.Clone(all)
	if i := slices.Index(Languages, first); i > 0 {
		all[0], all[i] = all[i], all[0]
	}
	all = slices.DeleteFunc(all, func(text *texts) bool { return !speaks(text.tag.String()) })
	var tags []language.Tag
	for _, text := range all {
		tags = append(tags, text.tag)
	}
	return all, language.NewMatcher(tags), nil
}

// allTexts reads the page's words in all languages, once.
var allTexts = sync.OnceValues(func() ([]*texts, error) {
	return readTexts(files)
})

func readTexts(files fs.FS) ([]*texts, error) {
	var all []*texts
	for _, name := range charter.NamesIn(files, languageFolder) {
		loaded, err := loadTexts(files, name)
		if err != nil {
			return nil, err
		}
		all = append(all, loaded)
	}
	return all, nil
}

func languagePath(name string) string { return languageFolder + "/" + name + ".yaml" }

func loadTexts(files fs.FS, name string) (*texts, error) {
	path := languagePath(name)
	data, err := fs.ReadFile(files, path)
	if err != nil {
		return nil, err
	}
	tag, err := language.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	loaded := &texts{tag: tag}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(loaded); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return loaded, nil
}

// WordsIn returns the words of a language that reports of audits say, too.
func WordsIn(name string) (audit.Words, error) {
	if err := CheckLanguage(name); err != nil {
		return audit.Words{}, err
	}
	all, err := allTexts()
	if err != nil {
		return audit.Words{}, err
	}
	return all[slices.Index(Languages, name)].words(), nil
}

// words returns those that reports of audits say, too.
func (t *texts) words() audit.Words {
	return audit.Words{Language: t.tag.String(), Direction: t.Direction, Date: t.date, Duration: t.duration}
}

// pluralForms are CLDR's names of the plural categories.
var pluralForms = map[plural.Form]string{plural.Other: "other", plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}

// duration returns a lifetime in words.
func (t *texts) duration(d charter.Duration) string {
	if d.Unit == charter.Session {
		return t.Durations[charter.Session]["other"]
	}
	words, ok := t.Durations[d.Unit][pluralForms[plural.Cardinal.MatchPlural(t.tag, d.Count, 0, 0, 0, 0)]]
	if !ok {
		words = t.Durations[d.Unit]["other"] // as for millions in Romance languages
	}
	if !strings.Contains(words, "%d") {
		return words // Arabic has a form of the noun itself for one and for two
	}
	return fmt.Sprintf(words, d.Count)
}

// longest returns the longest of several lifetimes in words.
func (t *texts) longest(d charter.Duration) string {
	if d.Seconds() == 0 {
		return t.duration(d)
	}
	return fmt.Sprintf(t.AtMost, t.duration(d))
}

// date returns a day in words.
func (t *texts) date(day time.Time) string {
	return fmt.Sprintf(t.Date, cmp.Or(t.Days[day.Day()], strconv.Itoa(day.Day())), t.Months[day.Month()-1], day.Year())
}

package audit

import (
	"encoding/xml"
	"slices"
	"strings"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/terminal"
)

// A junitSuite is a report as JUnit writes one, which CI systems show: a test for each
// cookie, stored item and host, and one for whether nothing is missing.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     float64     `xml:"time,attr"` // in seconds
	Began    string      `xml:"timestamp,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMistake `xml:"failure"`
	Error   *junitMistake `xml:"error"`
}

type junitMistake struct {
	Message string `xml:"message,attr"`
}

func (v *view) writeJUnit(out *terminal.Printer) error {
	suite := junitSuite{Name: v.Title(), Time: v.Ended.Sub(v.Time).Seconds(), Began: v.Time.Format(time.RFC3339)}
	for _, seen := range v.allRows() {
		made := junitCase{Class: v.say(seen.Kind), Name: strings.TrimSpace(v.NameOf(seen.Finding) + " " + seen.Place())}
		if len(seen.Violations) > 0 {
			made.Failure = &junitMistake{v.What(seen.Finding)}
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, made)
	}
	for _, seen := range v.stoppedRows() {
		suite.Cases = append(suite.Cases, junitCase{Class: v.say("stopped"), Name: v.StoppedName(seen)})
	}
	whole := junitCase{Class: v.say("audit"), Name: v.say("no pages or visits are missing")}
	if v.Incomplete {
		whole.Error = &junitMistake{strings.Join(v.sayAll(slices.Concat(v.Failures, v.Notes)), "\n")}
		suite.Errors++
	}
	suite.Cases = append(suite.Cases, whole)
	suite.Tests = len(suite.Cases)
	content, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	_, err = out.Write([]byte(xml.Header + string(content) + "\n"))
	return err
}

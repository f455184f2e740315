package draft

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/charter"
)

// findKnowledge returns the cookies of a knowledge base of the European Data Protection
// Board's Website Auditing Tool, such as one that the page exports.
func findKnowledge(content []byte) *pageTables {
	tables := new(pageTables)
	content = bytes.TrimLeft(content, "\ufeff \t\r\n")
	var bases []struct {
		Knowledges []struct {
			Kind, Name, Category, Source, Controller, Policy, Comment string
		}
	}
	if !bytes.HasPrefix(content, []byte("[")) || json.Unmarshal(content, &bases) != nil {
		return tables
	}
	for _, base := range bases {
		tables.begin("")
		tables.add([]string{"Name", "Category", "Provider", "Purpose", "Duration"}, nil, "")
		for _, known := range base.Knowledges {
			if known.Kind != "cookie" {
				continue
			}
			if known.Source != "" && strings.HasPrefix(known.Policy, known.Source) {
				known.Policy = "" // that is the site's own page
			}
			purpose, duration := cutDuration(known.Comment)
			_, link := charter.SplitLink(known.Policy)
			tables.add([]string{known.Name, known.Category, known.Controller, purpose, duration}, []string{"", "", link}, "")
		}
	}
	return tables
}

// cutDuration returns a comment without the duration that the page writes behind the
// purpose, and that duration.
func cutDuration(comment string) (purpose, duration string) {
	at := strings.LastIndex(comment, ": ")
	if at < 0 {
		return comment, ""
	}
	before, after := comment[:at], comment[at+len(": "):]
	rest := before[:strings.LastIndexByte(before, ' ')+1]
	if _, isCertain := charter.FindDuration(after); !isCertain || !columnWords[0].words.areIn(before[len(rest):]) {
		return comment, ""
	}
	return strings.TrimSpace(rest), after
}

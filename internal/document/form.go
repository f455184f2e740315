package document

// A Form is one of this site that is put into documents, for which policies of the portal
// have to make room.
type Form struct {
	Origin string // of this site
	Action string // the address to which it posts; "" if nothing is to be posted
	Style  string // the address of its style sheet
}

// AdmitForm returns how the policies of a document let a form in, the lines that came if
// they do. They are not ok if the document is in a sandbox, where no form knows whose it is.
func AdmitForm(lines []string, form Form) (policies []string, ok bool) {
	isSandboxed := false
	policies = amendAll(lines, func(policy string) string {
		directives := parsePolicy(policy)
		isSandboxed = isSandboxed || find(directives, []string{"sandbox"}) != nil
		isAmended := false
		for _, one := range []struct {
			names  []string
			source string
		}{{styleDirectives, form.Style}, {formDirectives, form.Action}} {
			if directive := find(directives, one.names); directive != nil && one.source != "" && !directive.admits(one.source, form.Origin) {
				directives, _ = openFor(directives, one.names, one.source)
				isAmended = true
			}
		}
		if !isAmended {
			return policy
		}
		return textOf(directives)
	})
	if isSandboxed {
		return lines, false
	}
	return policies, true
}

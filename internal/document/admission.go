package document

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// A Guest is a script of this site, with what it asks for, for which policies of the portal
// have to make room.
type Guest struct {
	Origin    string // of this site
	Script    string // the script's address
	Integrity string // the script's hash, as policies and tags have it
	Asks      string // the address that the script asks
}

// Origin returns the origin of a host as policies have it. Hosts come from visitors: what
// would end a source or a policy, or stand for other hosts, is escaped.
func Origin(scheme, host string) string {
	var origin strings.Builder
	origin.WriteString(scheme + "://")
	for _, char := range []byte(host) {
		if char <= ' ' || strings.IndexByte(";,'*", char) >= 0 {
			fmt.Fprintf(&origin, "%%%02X", char)
		} else {
			origin.WriteByte(char)
		}
	}
	return origin.String()
}

// An Admission is what lets a guest in.
type Admission struct {
	Policies       []string // the lines of the field; those that came if none had to be amended
	Nonce          string   // that the script's tag has to carry; "" for none
	NeedsIntegrity bool     // the tag has to carry the hash
	Amended        []string // the directives that were amended, one for each time
}

// Admit returns how the policies of a document let a guest in. What they forbid otherwise
// they forbid as before: a directive that would stop the guest gets its address or its
// hash, unless the script's tag can carry a nonce that it takes.
func Admit(lines []string, guest Guest) Admission {
	admission := Admission{Nonce: sharedNonce(lines, guest)}
	admission.Policies = amendAll(lines, func(policy string) string { return admission.amend(policy, guest) })
	return admission
}

// amendAll amends each policy of some lines, and returns these: those that came if none changes.
func amendAll(lines []string, amend func(policy string) string) []string {
	amended := lines
	for i, line := range lines {
		policies := strings.Split(line, ",")
		for j, policy := range policies {
			policies[j] = amend(policy)
		}
		if all := strings.Join(policies, ","); all != line {
			if &amended[0] == &lines[0] {
				amended = slices.Clone(lines) // answers can share them
			}
			amended[i] = all
		}
	}
	return amended
}

// sharedNonce returns a nonce that every policy takes which would stop a guest's script;
// "" if there is none.
func sharedNonce(lines []string, guest Guest) string {
	var shared []string
	isFirst := true
	for _, line := range lines {
		for policy := range strings.SplitSeq(line, ",") {
			directive := find(parsePolicy(policy), scriptDirectives)
			if directive == nil || directive.admits(guest.Script, guest.Origin) {
				continue
			}
			nonces := directive.nonces()
			if !isFirst {
				before := make(map[string]bool, len(shared))
				for _, nonce := range shared {
					before[nonce] = true
				}
				nonces = slices.DeleteFunc(nonces, func(nonce string) bool { return !before[nonce] })
			}
			shared, isFirst = nonces, false
		}
	}
	if len(shared) == 0 {
		return ""
	}
	return shared[0]
}

// amend returns one policy as it lets a guest in.
func (a *Admission) amend(policy string, guest Guest) string {
	directives := parsePolicy(policy)
	isAmended := false
	open := func(names []string, source string) {
		var amended string
		directives, amended = openFor(directives, names, source)
		a.Amended = append(a.Amended, amended)
		isAmended = true
	}
	if directive := find(directives, scriptDirectives); directive != nil && !directive.admits(guest.Script, guest.Origin) {
		switch {
		case a.Nonce != "":
		case directive.has("'strict-dynamic'"):
			a.NeedsIntegrity = true
			open(scriptDirectives, "'"+guest.Integrity+"'")
		default:
			open(scriptDirectives, guest.Script)
		}
	}
	if directive := find(directives, connectDirectives); directive != nil && !directive.admits(guest.Asks, guest.Origin) {
		open(connectDirectives, guest.Asks)
	}
	if !isAmended {
		return policy
	}
	return textOf(directives)
}

// openFor has what decides of some matter let one more source through, and returns the name
// of the directive that does now.
func openFor(directives []policyDirective, names []string, source string) (opened []policyDirective, name string) {
	directive := find(directives, names)
	if directive.name == "default-src" {
		// It counts for other things, too, which stay as they are.
		directives = append(directives, policyDirective{names[len(names)-2], directive.sources})
		directive = &directives[len(directives)-1]
	}
	directive.add(source)
	return directives, directive.name
}

// textOf returns a policy as it is written.
func textOf(directives []policyDirective) string {
	texts := make([]string, 0, len(directives))
	for _, directive := range directives {
		texts = append(texts, strings.Join(append([]string{directive.name}, directive.sources...), " "))
	}
	return strings.Join(texts, "; ")
}

// What decides of a script's element and of what it asks for, of a style sheet and of where
// forms post to, the strongest first (Content Security Policy Level 3, sections 6.4.1 and
// 6.8.3).
var (
	scriptDirectives  = []string{"script-src-elem", "script-src", "default-src"}
	connectDirectives = []string{"connect-src", "default-src"}
	styleDirectives   = []string{"style-src-elem", "style-src", "default-src"}
	formDirectives    = []string{"form-action"}
)

// A policyDirective is one of a policy's.
type policyDirective struct {
	name    string
	sources []string
}

// parsePolicy reads the directives of a policy; of two of a name, the first counts (section
// 2.2.1).
func parsePolicy(policy string) []policyDirective {
	var directives []policyDirective
	for text := range strings.SplitSeq(policy, ";") {
		words := strings.FieldsFunc(text, func(char rune) bool { return char <= ' ' })
		if len(words) == 0 {
			continue
		}
		directives = append(directives, policyDirective{ascii.ToLower(words[0]), words[1:]})
	}
	return directives
}

// find returns the first directive of the strongest name, nil if there is none.
func find(directives []policyDirective, names []string) *policyDirective {
	for _, name := range names {
		for i := range directives {
			if directives[i].name == name {
				return &directives[i]
			}
		}
	}
	return nil
}

// has tells whether the directive has a source, in any case of letters.
func (d *policyDirective) has(source string) bool {
	return slices.ContainsFunc(d.sources, func(other string) bool { return ascii.EqualFold(other, source) })
}

// admits tells whether the directive lets an address of this site through, as far as that is
// plain: it may do so by what is not looked at here, and then one more source does no harm.
func (d *policyDirective) admits(address, origin string) bool {
	if d.has("'strict-dynamic'") {
		return false // then hosts count for nothing
	}
	scheme, _, _ := strings.Cut(origin, "//")
	return slices.ContainsFunc([]string{"'self'", "*", scheme, origin, origin + "/", address}, d.has)
}

// nonces returns those that the directive lets through.
func (d *policyDirective) nonces() []string {
	var nonces []string
	for _, source := range d.sources {
		if ascii.HasPrefixFold(source, "'nonce-") && strings.HasSuffix(source, "'") {
			nonces = append(nonces, source[len("'nonce-"):len(source)-1])
		}
	}
	return nonces
}

// add lets one more source through.
func (d *policyDirective) add(source string) {
	d.sources = slices.DeleteFunc(slices.Clone(d.sources), func(source string) bool { return ascii.EqualFold(source, "'none'") })
	d.sources = append(d.sources, source)
}

package insertion

import (
	"bytes"
	"slices"
	"strings"
)

// An opening looks for where the body of a document opens, in a stream, as parsers open it
// (HTML, sections 13.2.5 and 13.2.6.4.1 to 13.2.6.4.6): behind its tag, or, where there is
// none, before the first thing that is neither in a head nor ignored there.
type opening struct {
	state      state
	name       []byte // of the tag, in lower case, as far as it was read
	isEnd      bool   // of an element
	isDocument bool   // it has said so, by its doctype or an element that fragments do not have
	begun      int    // how many bytes of it were seen, as long as those can be a mark
	templates  int    // how many are open
	raw        string // the element that holds text alone
	word       []byte // of a declaration, or what follows the last "<" of such a text, as far as it can matter
	escape     escape // of a script
	hyphens    int    // that were read last, in a comment or a script
	isFresh    bool   // nothing but hyphens was read of a comment
	isBang     bool   // a "!" was read behind hyphens that can end it
}

// A state is in what of a document the next byte is.
type state uint8

const (
	inText state = iota
	inTag        // behind its "<"
	inName       // of a tag
	inDeclaration
	inComment
	inBogusComment
	beforeAttribute
	inAttribute
	afterAttribute
	beforeValue
	inValue
	inSingleQuotes
	inDoubleQuotes
	inRaw
)

// An escape is how far a script hides its own end (section 13.2.5.20 and on).
type escape uint8

const (
	unescaped     escape = iota
	escaped              // behind "<!--"
	doubleEscaped        // and behind a script's tag therein
)

// An outcome is what is known of a body's opening.
type outcome uint8

const (
	notYet outcome = iota
	opens
	never
)

// find looks at more of a document, from an index on, before which the last unfinished tag
// may stand, and returns where the body opens; as long as it does not, how much may pass
// because it does not open in front of that.
func (o *opening) find(text []byte, from int) (at int, known outcome) {
	tag := 0 // where the last one begins
	for i := from; i < len(text); i++ {
		char := text[i]
		switch o.state {
		case inText:
			switch {
			case char == '<':
				o.state, o.isEnd, tag = inTag, false, i
			case o.templates == 0 && !isSpace(char) && !o.isMark(char):
				return o.open(i)
			}
		case inTag:
			switch {
			case isLetter(char):
				o.state, o.name = inName, append(o.name[:0], lower(char))
			case o.isEnd && char == '>':
				o.state = inText
			case o.isEnd, char == '?':
				o.state = inBogusComment
			case char == '!':
				o.state, o.word = inDeclaration, o.word[:0]
			case char == '/':
				o.isEnd = true
			case o.templates == 0:
				return o.open(tag)
			default:
				o.state = inText
				i--
			}
		case inName:
			isRead := char == '>' || char == '/' || isSpace(char)
			if !isRead && len(o.name) <= maxName {
				o.name = append(o.name, lower(char))
			}
			if !isRead && len(o.name) <= maxName {
				continue
			}
			if o.opensBefore() {
				return o.open(tag)
			}
			if isRead {
				if o.isFrameset() {
					return 0, never
				}
				o.state = beforeAttribute
				i--
			}
		case inDeclaration:
			o.word = append(o.word, lower(char))
			switch word := string(o.word); {
			case word == "--":
				o.state, o.hyphens, o.isFresh, o.isBang = inComment, len(word), true, false
			case word == "doctype":
				o.isDocument = true
				o.state = inBogusComment
			case word != "-" && !strings.HasPrefix("doctype", word):
				o.state = inBogusComment
				i--
			}
		case inBogusComment:
			if char == '>' {
				o.state = inText
			}
		case inComment:
			o.readComment(char)
		case inRaw:
			if len(o.word) == 0 && o.escape == unescaped {
				next := bytes.IndexByte(text[i:], '<')
				if next < 0 {
					return len(text), notYet
				}
				i += next
				char = '<'
			}
			o.readRaw(char)
		default:
			if o.readAttributes(char); o.state == inText && o.endTag() {
				return i + 1, opens
			}
		}
	}
	if o.state == inTag || o.state == inName && len(o.name) <= maxName { // a longer one has been judged
		return tag, notYet
	}
	return len(text), notYet
}

// open returns that the body opens at an index, unless it is that of a fragment.
func (o *opening) open(at int) (int, outcome) {
	if !o.isDocument {
		return 0, never
	}
	return at, opens
}

// isAtEnd tells whether the body of a document that has ended opens there.
func (o *opening) isAtEnd() bool {
	return o.isDocument && o.state == inText && o.templates == 0
}

// maxName is how long the names are that elements of a head have.
const maxName = len("basefont")

// inHead are the elements that are in a head, and those that parsers take there for
// something else than content.
var inHead = []string{"html", "head", "body", "frameset", "title", "base", "basefont", "bgsound", "link", "meta", "noframes", "noscript", "script", "style", "template"}

// rawElements are those of which parsers take what is in them for text, outside of bodies;
// noscript is one to who runs scripts, and has nothing in it but a head's elements else.
var rawElements = []string{"title", "noframes", "noscript", "script", "style", "textarea", "xmp", "iframe", "noembed"}

// opensBefore tells whether a body opens before the tag of which the name was read.
func (o *opening) opensBefore() bool {
	switch {
	case o.templates > 0:
		return false
	case o.isEnd:
		return slices.Contains([]string{"body", "html", "br"}, string(o.name))
	}
	return !slices.Contains(inHead, string(o.name))
}

// isFrameset tells whether the tag of which the name was read takes the place of a body's.
func (o *opening) isFrameset() bool {
	return string(o.name) == "frameset" && !o.isEnd && o.templates == 0
}

// endTag takes account of a tag that has ended, and tells whether the body opens behind it.
func (o *opening) endTag() bool {
	name := string(o.name)
	switch {
	case name == "template" && o.isEnd:
		o.templates = max(0, o.templates-1)
	case o.isEnd:
	case name == "template":
		o.templates++
	case slices.Contains(rawElements, name):
		o.state, o.raw, o.word, o.escape = inRaw, name, o.word[:0], unescaped
		o.hyphens = 0
	case o.templates > 0:
	case name == "html", name == "head":
		o.isDocument = true
	case name == "body":
		o.isDocument = true
		return true
	}
	return false
}

// readAttributes reads a byte of a tag behind its name (sections 13.2.5.32 to 13.2.5.40).
func (o *opening) readAttributes(char byte) {
	switch {
	case o.state == inSingleQuotes:
		if char == '\'' {
			o.state = beforeAttribute
		}
	case o.state == inDoubleQuotes:
		if char == '"' {
			o.state = beforeAttribute
		}
	case char == '>':
		o.state = inText
	case o.state == beforeValue && isSpace(char):
	case o.state == beforeValue && char == '"':
		o.state = inDoubleQuotes
	case o.state == beforeValue && char == '\'':
		o.state = inSingleQuotes
	case o.state == beforeValue:
		o.state = inValue
	case o.state == inValue:
		if isSpace(char) {
			o.state = beforeAttribute
		}
	case char == '/':
		o.state = beforeAttribute
	case isSpace(char):
		if o.state == inAttribute {
			o.state = afterAttribute
		}
	case char == '=' && o.state != beforeAttribute:
		o.state = beforeValue
	default:
		o.state = inAttribute
	}
}

// readComment reads a byte of a comment (sections 13.2.5.43 to 13.2.5.52): the hyphens at
// its begin can be those at its end.
func (o *opening) readComment(char byte) {
	switch {
	case char == '-':
		o.hyphens++
		o.isBang = false
		return
	case char == '>' && (o.hyphens >= len("--") || o.isBang):
		o.state = inText
	}
	o.isBang = char == '!' && o.hyphens >= len("--") && (!o.isFresh || o.hyphens >= len("----"))
	o.hyphens, o.isFresh = 0, false
}

// readRaw reads a byte of an element that holds text alone (sections 13.2.5.2 to 13.2.5.31).
func (o *opening) readRaw(char byte) {
	if char == '-' {
		o.hyphens++
	} else if o.raw == "script" && char == '>' && o.hyphens >= len("--") {
		o.escape = unescaped
	}
	if char != '-' {
		o.hyphens = 0
	}
	tag := string(o.word)
	switch isRead := char == '>' || char == '/' && tag != "<" || isSpace(char); {
	case char == '<':
		o.word = append(o.word[:0], char)
	case tag == "":
	case !isRead:
		o.word = append(o.word, lower(char))
		if o.raw == "script" && string(o.word) == "<!--" && o.escape == unescaped {
			o.escape = escaped
		}
		if len(o.word) > maxWord {
			o.word = o.word[:0]
		}
	case tag == "<script" && o.escape == escaped:
		o.escape, o.word = doubleEscaped, o.word[:0]
	case tag == "</script" && o.escape == doubleEscaped:
		o.escape, o.word = escaped, o.word[:0]
	case tag == "</"+o.raw:
		o.name = append(o.name[:0], o.raw...)
		o.isEnd, o.state = true, beforeAttribute
		if o.readAttributes(char); o.state == inText {
			o.endTag()
		}
	default:
		o.word = o.word[:0]
	}
}

// maxWord is how long what follows a "<" in a text can be to matter.
const maxWord = len("</noscript")

// isMark tells whether a byte is one of the mark with which a document in UTF-8 can begin.
func (o *opening) isMark(char byte) bool {
	if o.begun == len(byteOrderMark) || byteOrderMark[o.begun] != char {
		return false
	}
	o.begun++
	return true
}

func isLetter(char byte) bool { return char|0x20 >= 'a' && char|0x20 <= 'z' }

func isSpace(char byte) bool {
	return char == ' ' || char == '\t' || char == '\n' || char == '\r' || char == '\f'
}

func lower(char byte) byte {
	if 'A' <= char && char <= 'Z' {
		char |= 0x20
	}
	return char
}

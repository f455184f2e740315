package charter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// Parse reads a charter, in JSON if the name of its file ends so, else in YAML. Errors
// have that name.
func Parse(data []byte, name string) (Source, error) {
	source, err := parseSource(data, name, func(err error) error { return err })
	return source, err
}

// Mistakes returns what of a charter cannot be used, in the order in which it stands there:
// all that cannot be read, then for each row that can the first mistake. Parse, or New,
// returns no more than the first of all. Where the charter stands alone, no other has the
// consent keys to which it adds.
func Mistakes(data []byte, name string, isAlone bool) []error {
	var mistakes []error
	source, err := parseSource(data, name, func(err error) error {
		mistakes = append(mistakes, err)
		return nil
	})
	if err != nil {
		return append(mistakes, err)
	}
	return append(mistakes, source.mistakes(isAlone)...)
}

// parseSource is Parse, and asks of each mistake whether to go on, which it does with what
// comes after. A row with a mistake is marked.
func parseSource(data []byte, name string, goOn func(error) error) (Source, error) {
	source := Source{places: map[string]string{}}
	place := func(node *yaml.Node) string { return name + ":" + strconv.Itoa(node.Line) }
	parse := parseYAML
	if ascii.EqualFold(filepath.Ext(name), ".json") {
		parse = parseJSON
	}
	root, line, err := parse(data)
	if err != nil {
		return source, fmt.Errorf("%w, at %s:%d", err, name, line)
	}
	if root.Kind != yaml.MappingNode {
		return source, fmt.Errorf("a charter has the fields %s; the name of a Caddyfile begins with Caddyfile or ends with .caddyfile; at %s", strings.Join(fileFields(), ", "), place(root))
	}
	fields := map[string]bool{}
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if fields[key.Value] {
			err = fmt.Errorf("%s already specified, at %s", key.Value, place(key))
		} else {
			fields[key.Value] = true
			err = source.setField(key, value, place, goOn)
		}
		if err != nil {
			if err := goOn(err); err != nil {
				return source, err
			}
		}
	}
	for _, option := range []string{"hosts", "guard"} {
		if fields[option] && !fields["version"] { // which an exported charter has
			return source, fmt.Errorf("%s is an option of the directive, not of a charter; write it in the block of cookie_charter, at %s", option, place(root))
		}
	}
	if len(source.Rows) == 0 {
		return source, fmt.Errorf(`the charter declares no cookie; add rows under "cookies", at %s`, place(root))
	}
	return source, nil
}

// setField stores a field of a charter file.
func (s *Source) setField(key, value *yaml.Node, place func(*yaml.Node) string, goOn func(error) error) (err error) {
	switch key.Value {
	case "$schema", "version", "module", "guard", "previous", "pages": // an exported charter, or one in an archive, has these
	case "hosts": // an exported charter tells by it what is done about others
		if value.Kind != yaml.ScalarNode {
			return fmt.Errorf(`hosts are declared by rows under "cookies", as "- host: stats.example.fr", at %s`, place(key))
		}
	case "updated":
		s.places["updated"] = place(value)
		if s.Updated, err = ParseDate(value.Value); err != nil {
			return fmt.Errorf("%w, at %s", err, place(value))
		}
	case "cookies":
		if value.Kind != yaml.SequenceNode {
			return fmt.Errorf(`"cookies" is a list of rows, at %s`, place(value))
		}
		for _, node := range value.Content {
			row, err := parseRow(node, place, goOn)
			if err != nil {
				return err
			}
			s.Rows = append(s.Rows, row)
		}
	default:
		return s.setAbout(key, value, place)
	}
	return nil
}

// yamlLine is how the library begins an error.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// yamlAlias is its error for an alias without an anchor, which has no line.
var yamlAlias = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// lineOfAlias returns the first line that has an alias outside of comments.
func lineOfAlias(data []byte, name string) int {
	alias := regexp.MustCompile(`(?:^|[\s,:\[{-])\*` + regexp.QuoteMeta(name) + `(?:$|[\s,\]}])`)
	for i, line := range bytes.Split(data, []byte("\n")) {
		line, _, _ = bytes.Cut(line, []byte(" #"))
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) && alias.Match(line) {
			return i + 1
		}
	}
	return 1
}

// maxSought is the length of files up to which the line of a mistake is sought.
const maxSought = 256 << 10

// lineOfMistake returns the line before which a file can be read, at or behind the one that
// the library names: of a list or a row that is indented unevenly, that is the first.
func lineOfMistake(data []byte, named int) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	if len(data) > maxSought || named > len(lines) {
		return named
	}
	isReadBefore := func(line int) bool {
		var document yaml.Node
		return yaml.Unmarshal(bytes.Join(lines[:line-1], nil), &document) == nil
	}
	// Before a row, all is complete, so that the one with the mistake can be found by halves.
	rows := []int{named}
	for line := named + 1; line <= len(lines); line++ {
		if bytes.HasPrefix(bytes.TrimLeft(lines[line-1], " "), []byte("- ")) {
			rows = append(rows, line)
		}
	}
	row := sort.Search(len(rows), func(i int) bool { return i > 0 && !isReadBefore(rows[i]) })
	end := len(lines)
	if row < len(rows) {
		end = rows[row] - 1
	}
	for line := min(end, rows[row-1]+maxRow); line > rows[row-1]; line-- {
		if isReadBefore(line) {
			return line
		}
	}
	return rows[row-1]
}

// maxRow is the number of lines of a row among which a mistake is sought.
const maxRow = 100

// parseYAML returns the root node of a YAML file, or an error and its line.
func parseYAML(data []byte) (root *yaml.Node, line int, err error) {
	for i, text := range bytes.Split(data, []byte("\n")) {
		if !utf8.Valid(text) {
			return nil, i + 1, errors.New("the file is not in UTF-8; save it in that encoding")
		}
		if err := checkVisible(string(text)); err != nil {
			return nil, i + 1, err
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, 1, errors.New(`the charter is empty; declare rows under "cookies"`)
	} else if err != nil {
		line, _ := strconv.Atoi(yamlLine.FindStringSubmatch(err.Error())[1])
		message := yamlLine.ReplaceAllString(err.Error(), "")
		if alias := yamlAlias.FindStringSubmatch(message); alias != nil {
			return nil, lineOfAlias(data, alias[1]), fmt.Errorf(`"*%s" stands for an anchor that there is not; put what begins with "*" in quotes, and write prefixes as "_pk_id.*"`, alias[1])
		}
		return nil, lineOfMistake(data, max(line, 1)), fmt.Errorf(`unreadable YAML: %s; indent all fields of a row alike, with spaces, and put texts that hold ": " or begin with "*" in quotes`, message)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, max(second.Line, 1), errors.New("the charter has a second document; keep one")
	}
	return document.Content[0], 0, nil
}

// parseJSON returns the root of a JSON file as if it were YAML, or an error and
// its line. Not all JSON is YAML. What it returns can be written as YAML.
func parseJSON(data []byte) (root *yaml.Node, line int, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	lines, counted := 1, 0
	lineAt := func(offset int64) int { // which only grows
		end := max(counted, min(int(offset), len(data)))
		lines += bytes.Count(data[counted:end], []byte("\n"))
		counted = end
		return lines
	}
	var parse func() (*yaml.Node, error)
	parse = func() (*yaml.Node, error) {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		node := &yaml.Node{Kind: yaml.ScalarNode, Line: lineAt(decoder.InputOffset())}
		switch value := token.(type) {
		case json.Delim:
			node.Kind = yaml.MappingNode
			if value == '[' {
				node.Kind = yaml.SequenceNode
			}
			for decoder.More() {
				child, err := parse()
				if err != nil {
					return nil, err
				}
				node.Content = append(node.Content, child)
			}
			_, err = decoder.Token() // the closing bracket
		case nil:
			node.Tag = nullTag
		case string:
			node.Tag, node.Value = "!!str", value
		default:
			node.Value = fmt.Sprint(value)
		}
		return node, err
	}
	root, err = parse()
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return root, 0, nil
		} else if err == nil {
			err = errors.New("text after the JSON object")
		}
	}
	offset := decoder.InputOffset()
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = syntax.Offset
	}
	// How an end is told, and where it is, depends on Go's version.
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.HasPrefix(err.Error(), "unexpected end") {
		err, offset = errors.New("it ends before its last bracket"), int64(len(bytes.TrimRight(data, " \t\r\n")))
	}
	return nil, lineAt(offset), fmt.Errorf("unreadable JSON: %w", err)
}

// nullTag is the tag of a value that is not there.
const nullTag = "!!null"

// parseRow reads a row.
func parseRow(node *yaml.Node, place func(*yaml.Node) string, goOn func(error) error) (Row, error) {
	row := NewRow(place(node))
	if node.Kind != yaml.MappingNode {
		row.isMistaken = true
		return row, goOn(fmt.Errorf("a row has the fields %s, and is no alias, at %s", strings.Join(Fields.Names(), ", "), place(node)))
	}
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		err := eachText(key.Value, node.Content[i+1], place, func(language string, values []string) error {
			if err := row.Set(key.Value, language, values, place(key)); err != nil {
				return fmt.Errorf("%w, at %s", err, place(key))
			}
			return nil
		})
		if err != nil {
			row.isMistaken = true
			if err := goOn(err); err != nil {
				return row, err
			}
		}
	}
	return row, nil
}

// eachText calls a function with the value of a field in each of its languages, or in
// none.
func eachText(field string, value *yaml.Node, place func(*yaml.Node) string, set func(language string, values []string) error) (err error) {
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	setNodes := func(language string, nodes ...*yaml.Node) error {
		values := make([]string, 0, len(nodes))
		for _, node := range nodes {
			if node.Kind != yaml.ScalarNode || node.Tag == nullTag {
				return fmt.Errorf("%s has a value that is no plain text, at %s", field, place(node))
			}
			values = append(values, node.Value)
		}
		return set(language, values)
	}
	switch value.Kind {
	case yaml.MappingNode:
		for j := 0; j < len(value.Content) && err == nil; j += 2 {
			err = setNodes(value.Content[j].Value, value.Content[j+1])
		}
	case yaml.SequenceNode:
		err = setNodes("", value.Content...)
	default:
		if value.Tag != nullTag {
			err = setNodes("", value)
		}
	}
	return err
}

// fileFields returns the names of all fields of a charter file that people write.
func fileFields() []string {
	names := []string{"updated", "cookies"}
	for _, field := range AboutFields {
		names = append(names, field.Name)
	}
	return append(names, languagesField)
}

const languagesField = "languages"

// setAbout stores what a charter file says of the portal.
func (s *Source) setAbout(key, value *yaml.Node, place func(*yaml.Node) string) error {
	s.places[key.Value] = place(key)
	i := slices.IndexFunc(AboutFields, func(field AboutField) bool { return field.Name == key.Value })
	if i < 0 && key.Value != languagesField {
		return fmt.Errorf("unknown field %q; a charter has %s, at %s", key.Value, strings.Join(fileFields(), ", "), place(key))
	}
	return eachText(key.Value, value, place, func(language string, values []string) (err error) {
		switch {
		case i < 0 && language == "" && len(values) > 0:
			s.About.Languages = values
		case i < 0:
			err = errors.New("languages is a list, such as [fr, en]")
		case len(values) != 1 || values[0] == "":
			err = fmt.Errorf("%s takes one text, or one per language", key.Value)
		default:
			into := AboutFields[i].Of(&s.About)
			*into, err = into.With(language, values[0])
		}
		if err != nil {
			return fmt.Errorf("%w, at %s", err, place(key))
		}
		return nil
	})
}

// at returns where a field about the portal was written, if that is known, to end an
// error.
func (s *Source) at(field string) string {
	name, _, _ := strings.Cut(field, " ")
	if place, ok := s.places[name]; ok {
		return ", at " + place
	}
	return ""
}

// ParseDate reads a date of the operator's, such as 2026-11-21.
func ParseDate(text string) (time.Time, error) {
	date, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return date, fmt.Errorf("unreadable date %q; write it as 2026-11-21", text)
	}
	return date, nil
}

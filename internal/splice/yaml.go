package splice

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// yamlFormat is block style YAML in one document. The nodes of yaml.v3 say where
// things begin; where they end is read from the text. Aliases are followed within
// the entries only, and only so far.
type yamlFormat struct{}

type yamlDocument struct {
	text      []byte
	starts    []int // of the lines
	place     Place
	root      *yaml.Node // nil if there is nothing
	path      []yamlPair // the keys to the collection, as far as they are there
	container *yaml.Node // nil if there is none
	found     []yamlEntry
	values    []any      // of the entries
	unclear   *yaml.Node // the text does not read as this node has it

	// the place that was asked for last
	lastLine, lastColumn, lastAt int
}

// yamlPair is a key with its value.
type yamlPair struct{ key, value *yaml.Node }

// yamlEntry is an entry with its name; the key is nil in a list.
type yamlEntry struct {
	name       string
	key, value *yaml.Node
}

func (yamlFormat) parse(text []byte, p Place) (document, error) {
	d := &yamlDocument{text: text, place: p, starts: []int{0}}
	for i, c := range text {
		if c == '\n' {
			d.starts = append(d.starts, i+1)
		}
	}
	if err := checkYAMLText(text); err != nil {
		return nil, err
	}
	if err := d.read(); err != nil {
		return nil, err
	}
	if err := d.findContainer(); err != nil {
		return nil, err
	}
	if err := d.findEntries(); err != nil {
		return nil, err
	}
	return d, nil
}

// checkYAMLText refuses what readers of YAML 1.1 and 1.2 see differently: line
// ends that are none to the other; and what is no text.
func checkYAMLText(text []byte) error {
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRune(text[at:])
		switch {
		case r == '\r' && at+1 < len(text) && text[at+1] == '\n':
		case r == '\r', r == '\u0085', r == '\u2028', r == '\u2029':
			return refuse(text, at, UnsupportedLayout, fmt.Sprintf("the character U+%04X, which not all programs take for a line end", r))
		case r < ' ' && r != '\t' && r != '\n' || r == 0x7f || r > 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff:
			return refuse(text, at, InvalidSyntax, fmt.Sprintf("the control character U+%04X", r))
		}
		at += n
	}
	if bytes.HasPrefix(text, []byte("%")) {
		return refuse(text, 0, UnsupportedLayout, "a directive before the document")
	}
	return nil
}

// read takes the one document of the text.
func (d *yamlDocument) read() error {
	if len(trimmed(d.text)) == 0 {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(d.text))
	var first, second yaml.Node
	err := dec.Decode(&first)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return d.syntax(err)
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		return refuse(d.text, d.offset(&second), MultipleDocuments, "a second document begins here")
	case !errors.Is(err, io.EOF):
		return d.syntax(err)
	}
	d.root = first.Content[0]
	if d.isAbsent(d.root) {
		d.root = nil
	}
	return nil
}

// yamlSays are the forms of what yaml.v3 says, compiled when it first says
// something.
var yamlSays = sync.OnceValue(func() (p struct{ line, anchor *regexp.Regexp }) {
	p.line = regexp.MustCompile(`^line (\d+): (did not find expected (?:key|'-'|',' or|node content|<))?`)
	p.anchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	return p
})

// syntax is the refusal for what yaml.v3 says, which gives no columns, and no
// line for the first one.
func (d *yamlDocument) syntax(err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := yamlSays().line.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1]) // only digits
		if m[2] != "" {
			line++ // its parser counts from 0, its scanner from 1
		}
		_, message, _ = strings.Cut(message, ": ")
	}
	at := d.starts[min(line, len(d.starts))-1]
	if m := yamlSays().anchor.FindStringSubmatch(message); m != nil {
		at = max(bytes.Index(d.text, []byte("*"+m[1])), 0)
		message = "an alias of no anchor; a text that begins with * must stand in quotes" // it may be a password
	} else {
		for at < len(d.text) && d.text[at] == ' ' {
			at++
		}
	}
	switch {
	case strings.Contains(message, "exceeded max depth"):
		return refuse(d.text, at, TooDeep, message)
	case at < len(d.text) && d.text[at] == '\t':
		message += "; YAML takes no tabs for indentation"
	case bytes.HasPrefix(d.text[at:], []byte("<<<<<<<")), bytes.HasPrefix(d.text[at:], []byte(">>>>>>>")):
		message = "this is a merge marker"
	}
	return refuse(d.text, at, InvalidSyntax, message)
}

// offset is where a node begins, its anchor and tag included.
func (d *yamlDocument) offset(n *yaml.Node) int {
	line := min(n.Line, len(d.starts)) - 1
	at, column := d.starts[line], 1
	if d.lastLine == line && d.lastColumn > 0 && d.lastColumn <= n.Column { // a long line is not counted anew for each node on it
		at, column = d.lastAt, d.lastColumn
	}
	for range n.Column - column {
		_, size := utf8.DecodeRune(d.text[at:])
		at += size
	}
	d.lastLine, d.lastColumn, d.lastAt = line, n.Column, at
	return at
}

// isAbsent says that nothing is written where the node stands.
func (d *yamlDocument) isAbsent(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Tag == "!!null" && n.Anchor == "" && n.Style == 0
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// scalarName is the name that a key stands for.
func scalarName(key *yaml.Node) (string, bool) {
	if key.Kind == yaml.AliasNode {
		key = key.Alias
	}
	return key.Value, key.Kind == yaml.ScalarNode && !isMerge(key)
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge"
}

// pairs are the members of a mapping.
func pairs(n *yaml.Node) []yamlPair {
	var all []yamlPair
	for i := 0; i+1 < len(n.Content); i += 2 {
		all = append(all, yamlPair{n.Content[i], n.Content[i+1]})
	}
	return all
}

// find is the member of that name, a zero pair if there is none.
func (d *yamlDocument) find(n *yaml.Node, name string) (yamlPair, error) {
	var found yamlPair
	for _, p := range pairs(n) {
		if s, ok := scalarName(p.key); !ok || s != name {
			continue
		}
		if found.key != nil {
			return found, refuse(d.text, d.offset(p.key), DuplicateKey, fmt.Sprintf("%q is there twice, here for the second time", name))
		}
		found = p
	}
	return found, nil
}

func (d *yamlDocument) findContainer() error {
	n := d.root
	for i, name := range d.place.Container {
		if n == nil || isNull(n) {
			return nil
		}
		if n.Kind == yaml.AliasNode {
			return refuse(d.text, d.offset(n), UnsupportedLayout, "what holds the servers is an alias of something else")
		}
		if n.Kind != yaml.MappingNode {
			return refuse(d.text, d.offset(n), WrongType, "a mapping is needed here")
		}
		p, err := d.find(n, name)
		if err != nil {
			return err
		}
		if p.key == nil {
			return d.notMerged(n, name)
		}
		d.path = append(d.path, p)
		n = p.value
		if i == len(d.place.Container)-1 {
			d.container = n
		}
	}
	if len(d.place.Container) == 0 {
		d.container = d.root
	}
	return nil
}

// notMerged refuses a name that a mapping has from another one, by a merge key.
func (d *yamlDocument) notMerged(n *yaml.Node, name string) error {
	for _, p := range pairs(n) {
		if !isMerge(p.key) {
			continue
		}
		budget := yamlBudget{}
		merged, err := d.resolve(p.value, &budget)
		if err != nil {
			return err
		}
		for _, o := range mergeSources(merged) {
			if o.index(name) >= 0 {
				return refuse(d.text, d.offset(p.key), UnsupportedLayout, fmt.Sprintf("%q comes from another mapping by this merge key", name))
			}
		}
	}
	return nil
}

func (d *yamlDocument) findEntries() error {
	n := d.container
	if n == nil || isNull(n) {
		return nil
	}
	switch {
	case n.Kind == yaml.AliasNode:
		return refuse(d.text, d.offset(n), UnsupportedLayout, "the collection of the servers is an alias of something else")
	case d.place.List && n.Kind != yaml.SequenceNode:
		return refuse(d.text, d.offset(n), WrongType, "the servers must be a list here, each with its name")
	case !d.place.List && n.Kind != yaml.MappingNode:
		return refuse(d.text, d.offset(n), WrongType, "the servers must be a mapping by name here")
	}
	if d.place.List {
		for _, item := range n.Content {
			d.found = append(d.found, yamlEntry{value: item})
		}
	} else {
		for _, p := range pairs(n) {
			if name, ok := scalarName(p.key); ok {
				d.found = append(d.found, yamlEntry{name, p.key, p.value})
			}
		}
	}
	budget := yamlBudget{}
	for i, e := range d.found {
		v, err := d.resolve(e.value, &budget)
		if err != nil {
			return err
		}
		d.values = append(d.values, v)
		if d.place.List {
			d.found[i].name = entryName(v)
		}
	}
	return nil
}

func (d *yamlDocument) entries() []Entry {
	var all []Entry
	for i, e := range d.found {
		at := e.key
		if at == nil {
			at = e.value
		}
		all = append(all, Entry{Name: e.name, Value: d.values[i], Line: at.Line, Column: at.Column})
	}
	return all
}

// entry gives the place of the entry of that name, -1 if there is none.
func (d *yamlDocument) entry(name string) (int, error) {
	found := -1
	for i, e := range d.found {
		if e.name != name || d.place.List && !hasName(d.values[i]) {
			continue
		}
		if found >= 0 {
			n := e.key
			if n == nil {
				n = e.value
			}
			return found, refuse(d.text, d.offset(n), DuplicateKey, fmt.Sprintf("there is a second entry named %q", name))
		}
		found = i
	}
	return found, nil
}

func hasName(v any) bool {
	o, _ := v.(Object)
	return o.index("name") >= 0
}

// warnings tell of names that others have twice.
func (d *yamlDocument) warnings() []string {
	var all []string
	seen := map[string]bool{}
	for _, e := range d.found {
		if seen[e.name] && e.name != "" {
			all = append(all, fmt.Sprintf("%q is there twice, for the second time on line %d; both stay as they are", e.name, e.value.Line))
		}
		seen[e.name] = true
	}
	return all
}

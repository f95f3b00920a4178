package splice

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlFormat is TOML 1.0; what is new in 1.1 is read and never written. go-toml
// says whether a text is valid and what it means; the places come from a scan of
// its expressions.
type tomlFormat struct{}

type tomlDocument struct {
	*tomlScan
	place     Place
	meaning   map[string]any // by go-toml
	container *tomlNode      // nil if there is none
}

func (tomlFormat) parse(text []byte, p Place) (document, error) {
	s, err := scanTOML(text)
	if err != nil {
		return nil, err
	}
	d := &tomlDocument{tomlScan: s, place: p}
	if err := toml.Unmarshal(slices.Clone(text), &d.meaning); err != nil {
		return nil, tomlSyntax(text, err)
	}
	if err := d.findContainer(); err != nil {
		return nil, err
	}
	return d, nil
}

// findContainer goes down the path of the place as far as there is something.
func (d *tomlDocument) findContainer() error {
	n := d.root
	for i, name := range d.place.Container {
		child := n.child(name)
		if child == nil {
			return nil
		}
		n = child
		if i < len(d.place.Container)-1 && !n.isTable() {
			return d.wrongType(n, "a table is needed here")
		}
	}
	d.container = n
	if !d.place.List {
		if !n.isTable() {
			return d.wrongType(n, "the servers must be tables by name here, such as ["+tomlKeyPath(d.place.Container)+".name]")
		}
		return nil
	}
	if n.kind != tomlTables && n.kind != tomlArray {
		return d.wrongType(n, "the servers must be an array of tables here, such as [["+tomlKeyPath(d.place.Container)+"]]")
	}
	for _, item := range n.items {
		if !item.isTable() {
			return d.wrongType(item, "a table is needed here")
		}
	}
	return nil
}

func (d *tomlDocument) wrongType(n *tomlNode, detail string) error {
	return refuse(d.text, n.at, WrongType, detail)
}

func (d *tomlDocument) entries() []Entry {
	var all []Entry
	at, line, column := 0, 1, 1
	for _, n := range d.entryNodes() { // in the order of their places
		for ; at < n.at; at++ {
			switch {
			case d.text[at] == '\n':
				line, column = line+1, 1
			case utf8.RuneStart(d.text[at]):
				column++
			}
		}
		all = append(all, Entry{Name: d.entryName(n), Value: n.meaning(), Line: line, Column: column})
	}
	return all
}

func (d *tomlDocument) entryNodes() []*tomlNode {
	switch {
	case d.container == nil:
		return nil
	case d.place.List:
		return d.container.items
	default:
		return d.container.members
	}
}

func (d *tomlDocument) entryName(n *tomlNode) string {
	if !d.place.List {
		return n.name
	}
	if name := n.child("name"); name != nil {
		s, _ := name.value.(string)
		return s
	}
	return ""
}

// entry is the node of that name, nil if there is none.
func (d *tomlDocument) entry(name string) (*tomlNode, error) {
	var found *tomlNode
	for _, n := range d.entryNodes() {
		if d.entryName(n) != name || d.place.List && n.child("name") == nil {
			continue
		}
		if found != nil {
			return nil, refuse(d.text, n.at, DuplicateKey, fmt.Sprintf("there is a second entry named %q", name))
		}
		found = n
	}
	return found, nil
}

func (d *tomlDocument) tree() (any, error) { return tomlTree(d.meaning) }

// tomlTree is what go-toml read, with members by name, since it keeps no order.
func tomlTree(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		object := Object{}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			value, err := tomlTree(v[name])
			if err != nil {
				return nil, err
			}
			object = append(object, Member{Name: name, Value: value})
		}
		return object, nil
	case []any:
		list := List{}
		for _, item := range v {
			value, err := tomlTree(item)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case string, bool:
		return v, nil
	case int64:
		return Number(strconv.FormatInt(v, 10)), nil
	case float64:
		return Number(tomlFloat(v)), nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case toml.LocalDate, toml.LocalTime, toml.LocalDateTime:
		return fmt.Sprint(v), nil
	default:
		return nil, fmt.Errorf("splice: go-toml gave a %T", v)
	}
}

func tomlFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	default:
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
}

// tomlSyntax is the refusal for what go-toml says of a text.
func tomlSyntax(text []byte, err error) error {
	var parse *unstable.ParserError
	if errors.As(err, &parse) {
		at := min(max(cap(text)-cap(parse.Highlight), 0), len(text))
		return tomlRefusal(text, at, parse.Message)
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, column := decode.Position()
		return tomlRefusal(text, placeAt(text, line, column), strings.TrimPrefix(decode.Error(), "toml: "))
	}
	return &Error{Reason: InvalidSyntax, Detail: strings.TrimPrefix(err.Error(), "toml: ")}
}

func tomlRefusal(text []byte, at int, message string) error {
	reason := InvalidSyntax
	if strings.Contains(message, "levels deep") {
		reason = TooDeep
	}
	line := text[lineStart(text, at):lineEnd(text, at)]
	if strings.Contains(message, "escape") || strings.Contains(message, "unicode") {
		message += `; a backslash in a string between double quotes must be doubled, as in "C:\\Users", or the string put between single quotes`
	} else if strings.HasPrefix(strings.TrimSpace(string(line)), "<<<<<<<") {
		message = "this is a merge marker"
	}
	return refuse(text, at, reason, message)
}

// twice is the refusal for a name that is there already.
func (s *tomlScan) twice(k tomlKey, what string) error {
	return refuse(s.text, k.start, InvalidSyntax, fmt.Sprintf("%q %s", k.name, what))
}

package splice

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxYAMLValues bounds what the aliases of a document may stand for: a few lines
// of them can stand for billions of values.
const maxYAMLValues = 100_000

// yamlBudget counts what aliases stand for.
type yamlBudget struct {
	spent   int
	aliases int // that stand above
	outer   *yaml.Node
}

// resolve is what a node means, its aliases followed and its merge keys applied.
func (d *yamlDocument) resolve(n *yaml.Node, budget *yamlBudget) (any, error) {
	if budget.aliases > 0 {
		budget.spent++
	}
	if budget.spent > maxYAMLValues {
		return nil, refuse(d.text, d.offset(budget.outer), UnsupportedLayout, fmt.Sprintf("the aliases stand for more than %d values", maxYAMLValues))
	}
	switch n.Kind {
	case yaml.AliasNode:
		if budget.aliases == 0 {
			budget.outer = n
		}
		budget.aliases++
		defer func() { budget.aliases-- }()
		return d.resolve(n.Alias, budget)
	case yaml.SequenceNode:
		list := List{}
		for _, item := range n.Content {
			v, err := d.resolve(item, budget)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return d.resolveMapping(n, budget)
	default:
		return yamlScalar(n), nil
	}
}

func (d *yamlDocument) resolveMapping(n *yaml.Node, budget *yamlBudget) (any, error) {
	object := Object{}
	var merged []Object
	for _, p := range pairs(n) {
		v, err := d.resolve(p.value, budget)
		if err != nil {
			return nil, err
		}
		if isMerge(p.key) {
			merged = append(merged, mergeSources(v)...)
			continue
		}
		object = append(object, Member{Name: yamlKeyName(p.key), Value: v})
	}
	for _, o := range merged {
		for _, m := range o {
			if object.index(m.Name) < 0 {
				object = append(object, m)
			}
		}
	}
	return object, nil
}

// mergeSources are the mappings that the value of a merge key names.
func mergeSources(v any) []Object {
	switch v := v.(type) {
	case Object:
		return []Object{v}
	case List:
		var all []Object
		for _, item := range v {
			if o, ok := item.(Object); ok {
				all = append(all, o)
			}
		}
		return all
	default:
		return nil
	}
}

// yamlKeyName is a key as the name of a member; what is no scalar gets a name
// that only its like has.
func yamlKeyName(key *yaml.Node) string {
	if name, ok := scalarName(key); ok || key.Kind == yaml.ScalarNode {
		return name
	}
	return "? " + fmt.Sprint(yamlTree(key, nil, nil))
}

func yamlScalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		return Number(n.Value)
	default:
		return n.Value
	}
}

func (d *yamlDocument) tree() (any, error) {
	if d.root == nil {
		return nil, nil
	}
	resolved := map[*yaml.Node]any{}
	for i, e := range d.found {
		resolved[e.value] = d.values[i]
	}
	return yamlTree(d.root, d.container, resolved), nil
}

// yamlTree is a node with its aliases as such, but for the entries of the
// container, which are there resolved. That other aliases still mean the same
// is ensured by the anchors: none of them is in what an edit changes.
func yamlTree(n, container *yaml.Node, resolved map[*yaml.Node]any) any {
	switch n.Kind {
	case yaml.AliasNode:
		return Object{{Name: "*" + n.Value}}
	case yaml.SequenceNode:
		list := List{}
		for _, item := range n.Content {
			if v, ok := resolved[item]; ok && n == container {
				list = append(list, v)
			} else {
				list = append(list, yamlTree(item, container, resolved))
			}
		}
		return list
	case yaml.MappingNode:
		object := Object{}
		for _, p := range pairs(n) {
			m := Member{Name: yamlKeyName(p.key)}
			if v, ok := resolved[p.value]; ok && n == container {
				m.Value = v
			} else {
				m.Value = yamlTree(p.value, container, resolved)
			}
			object = append(object, m)
		}
		return object
	default:
		return yamlScalar(n)
	}
}

// yamlWords are plain scalars that some readers do not take for text.
var yamlWords = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

// yamlName is a name as a key: plain where every reader takes it for text.
func yamlName(name string) string {
	if isPlainName(name) && !slices.Contains(yamlWords, strings.ToLower(name)) {
		return name
	}
	return yamlString(name)
}

// isPlainName tells a name of letters, digits, and after the first of . and -.
func isPlainName(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '.' && c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}

// yamlString is a text in double quotes, with the escapes that JSON has too.
func yamlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\r':
			b.WriteString(`\r`)
		case c < 0x20, c >= 0x7f && c < 0xa0, c == 0x2028, c == 0x2029, c == 0xfeff, c == 0xfffe, c == 0xffff:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// yamlValue is a value on one line, which JSON would write in the same way.
func yamlValue(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "null", nil
	case string:
		if !utf8.ValidString(v) {
			return "", fmt.Errorf("splice: a text for YAML is not UTF-8")
		}
		return yamlString(v), nil
	case bool:
		return fmt.Sprint(v), nil
	case Number:
		return string(v), nil
	case List:
		items := make([]string, len(v))
		for i, item := range v {
			s, err := yamlValue(item)
			if err != nil {
				return "", err
			}
			items[i] = s
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	case Object:
		items := make([]string, len(v))
		for i, m := range v {
			s, err := yamlValue(m.Value)
			if err != nil {
				return "", err
			}
			items[i] = yamlString(m.Name) + ": " + s
		}
		return "{" + strings.Join(items, ", ") + "}", nil
	default:
		return "", fmt.Errorf("splice: YAML cannot say %T", v)
	}
}

// yamlLines are the fields of an object, one a line.
func yamlLines(o Object) ([]string, error) {
	var lines []string
	for _, m := range o {
		value, err := yamlValue(m.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		lines = append(lines, yamlName(m.Name)+": "+value)
	}
	return lines, nil
}

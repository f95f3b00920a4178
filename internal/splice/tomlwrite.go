package splice

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tomlName is a name as a key: bare where it can be.
func tomlName(name string) string {
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return tomlString(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}

func tomlKeyPath(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = tomlName(name)
	}
	return strings.Join(quoted, ".")
}

// tomlString is a basic string of TOML 1.0.
func tomlString(s string) string {
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
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// tomlValue is a value on one line, as TOML 1.0 has it.
func tomlValue(v any) (string, error) {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return "", fmt.Errorf("splice: a text for TOML is not UTF-8")
		}
		return tomlString(v), nil
	case bool:
		return fmt.Sprint(v), nil
	case Number:
		return string(v), nil
	case List:
		items := make([]string, len(v))
		for i, item := range v {
			s, err := tomlValue(item)
			if err != nil {
				return "", err
			}
			items[i] = s
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	case Object:
		if len(v) == 0 {
			return "{}", nil
		}
		lines, err := tomlLines(v)
		return "{ " + strings.Join(lines, ", ") + " }", err
	default:
		return "", fmt.Errorf("splice: TOML cannot say %T", v)
	}
}

// tomlLines are the fields of an object, one a line.
func tomlLines(o Object) ([]string, error) {
	var lines []string
	for _, m := range o {
		value, err := tomlValue(m.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		lines = append(lines, tomlName(m.Name)+" = "+value)
	}
	return lines, nil
}

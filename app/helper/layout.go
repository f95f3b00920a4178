package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// layout says how JSON is laid out for readers: a value that fits into a line
// of this many columns stands on one. Scalars keep their bytes.
type layout struct{ objects, lists int }

var (
	compact = layout{1 << 30, 1 << 30} // one line, with spaces
	lines   = layout{110, 110}         // listings and reports
	sample  = layout{0, 1 << 30}       // client configurations: objects open, lists on a line
)

// apply lays out one JSON value and ends it with a line break.
func (l layout) apply(b []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	v, err := readValue(d)
	if err != nil {
		return nil, fmt.Errorf("lay out JSON: %w", err)
	}
	var out bytes.Buffer
	l.write(&out, v, "", 0)
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// value is a parsed JSON value that keeps the order of members.
type value struct {
	open, shut string // brackets; "" for a scalar
	scalar     []byte
	keys       [][]byte // of an object, quoted
	items      []value
}

func readValue(d *json.Decoder) (value, error) {
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return value{}, err
	}
	switch t {
	case json.Delim('{'):
		return readItems(d, value{open: "{", shut: "}"})
	case json.Delim('['):
		return readItems(d, value{open: "[", shut: "]"})
	default:
		b, err := encode(t)
		return value{scalar: b}, err
	}
}

func readItems(d *json.Decoder, v value) (value, error) {
	for d.More() {
		if v.open == "{" {
			t, err := d.Token()
			if err != nil {
				return v, err
			}
			k, err := encode(t)
			if err != nil {
				return v, err
			}
			v.keys = append(v.keys, k)
		}
		item, err := readValue(d)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
	}
	_, err := d.Token() // the closing bracket
	return v, err
}

// write puts v at column used of a line indented by indent.
func (l layout) write(out *bytes.Buffer, v value, indent string, used int) {
	limit := l.lists
	if v.open == "{" {
		limit = l.objects
	}
	one := v.inline()
	if v.open == "" || len(v.items) == 0 || used+utf8.RuneCount(one) <= limit {
		out.Write(one)
		return
	}
	deeper := indent + "  "
	out.WriteString(v.open)
	for i, item := range v.items {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n" + deeper)
		key := v.key(i)
		out.Write(key)
		l.write(out, item, deeper, len(deeper)+utf8.RuneCount(key)+1) // and a comma
	}
	out.WriteString("\n" + indent + v.shut)
}

func (v value) key(i int) []byte {
	if v.open == "{" {
		return append(v.keys[i][:len(v.keys[i]):len(v.keys[i])], ": "...)
	}
	return nil
}

// inline is v on one line: { "a": 1 }, ["b", "c"].
func (v value) inline() []byte {
	if v.open == "" {
		return v.scalar
	}
	var b bytes.Buffer
	b.WriteString(v.open)
	for i, item := range v.items {
		if i > 0 {
			b.WriteString(", ")
		} else if v.open == "{" {
			b.WriteByte(' ')
		}
		b.Write(v.key(i))
		b.Write(item.inline())
	}
	if v.open == "{" && len(v.items) > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(v.shut)
	return b.Bytes()
}

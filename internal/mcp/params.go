package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"drawbridge/internal/jsonrpc"
)

// Param is one argument of a tool that the schema wants repeated in a header,
// by its member "x-mcp-header".
type Param struct {
	Header string   // the whole name, as HTTP servers spell it
	Path   []string // to the argument, from the arguments' root
}

// annotation is the member of a schema that asks for a header.
const annotation = "x-mcp-header"

// Params are the headers that a tool's inputSchema asks for. The error says why
// the schema may not be used over HTTP: an annotation with a bad or repeated
// name, on a value that no header can carry, or at a place that is not reached
// from the root by properties alone.
func Params(schema []byte) ([]Param, error) {
	if !bytes.Contains(schema, []byte(annotation)) && !bytes.Contains(schema, []byte(`\u`)) {
		return nil, nil // the usual schema; \u could spell the annotation
	}
	w := paramWalk{}
	if err := w.schema(schema, nil, true); err != nil {
		return nil, err
	}
	return w.found, nil
}

type paramWalk struct{ found []Param }

// schema looks at one schema; reached says that properties alone lead there.
func (w *paramWalk) schema(value []byte, path []string, reached bool) error {
	if len(value) > 0 && value[0] == '[' { // allOf and its like
		for e := range jsonrpc.Elements(value) {
			if err := w.schema(e, path, false); err != nil {
				return err
			}
		}
		return nil
	}
	for quoted, member := range jsonrpc.Members(value) {
		name, _ := jsonrpc.String(quoted)
		var err error
		switch name {
		case annotation:
			err = w.annotated(value, member, path, reached)
		case "properties":
			err = w.named(member, path, reached)
		case "patternProperties", "$defs", "definitions", "dependentSchemas":
			err = w.named(member, path, false)
		case "default", "const", "enum", "examples", "required", "type", "description", "title":
			// data, no schema
		default:
			err = w.schema(member, path, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// named looks at schemas that an object holds by name.
func (w *paramWalk) named(object []byte, path []string, reached bool) error {
	for quoted, member := range jsonrpc.Members(object) {
		name, _ := jsonrpc.String(quoted)
		if err := w.schema(member, append(slices.Clip(path), name), reached); err != nil {
			return err
		}
	}
	return nil
}

func (w *paramWalk) annotated(schema, name []byte, path []string, reached bool) error {
	at := strings.Join(path, ".")
	text, ok := jsonrpc.String(name)
	switch {
	case !ok || !isToken(text):
		return fmt.Errorf("%s of %q is not the name of a header", annotation, at)
	case !reached || len(path) == 0:
		return fmt.Errorf("%s stands at %q, which properties alone do not lead to", annotation, at)
	case !isCarried(schema):
		return fmt.Errorf("%s of %q is neither string nor integer nor boolean", annotation, at)
	}
	p := Param{Header: textproto.CanonicalMIMEHeaderKey(HeaderParam + text), Path: path}
	for _, other := range w.found {
		if other.Header == p.Header {
			return fmt.Errorf("two arguments have the %s %q", annotation, text)
		}
	}
	w.found = append(w.found, p)
	return nil
}

// isCarried tells whether a header can carry what the schema describes. A
// header that is left out stands for null.
func isCarried(schema []byte) bool {
	value, _ := jsonrpc.Member(schema, "type")
	if len(value) == 0 || value[0] != '[' {
		return isPrimitive(value)
	}
	n := 0
	for e := range jsonrpc.Elements(value) {
		if string(e) == `"null"` {
			continue
		}
		if n++; n > 1 || !isPrimitive(e) {
			return false
		}
	}
	return n == 1
}

func isPrimitive(kind []byte) bool {
	s, _ := jsonrpc.String(kind)
	return s == "string" || s == "integer" || s == "boolean"
}

// isToken tells whether s is a header's name (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// Argument is the value that a header repeats, nil where there is none or it is
// null. The error says that two parsers could find different values.
func (p Param) Argument(arguments []byte) ([]byte, error) {
	value := arguments
	for _, name := range p.Path {
		if jsonrpc.Ambiguous(value, name) {
			return nil, fmt.Errorf("the argument %q is there more than once", strings.Join(p.Path, "."))
		}
		next, ok := jsonrpc.Member(value, name)
		if !ok {
			return nil, nil
		}
		value = next
	}
	if string(value) == "null" {
		return nil, nil
	}
	return value, nil
}

// errValue says that a value cannot stand in a header.
var errValue = errors.New("the value can be in no header")

// Text is what the header says of a value, before EncodeHeader.
func (p Param) Text(value []byte) (string, error) {
	if s, ok := jsonrpc.String(value); ok {
		return s, nil
	}
	if s := string(value); s == "true" || s == "false" {
		return s, nil
	}
	n, ok := safeInteger(string(value))
	if !ok {
		return "", errValue
	}
	return strconv.FormatInt(n, 10), nil
}

// Matches tells whether the text of a header, decoded, says the same as the
// value. Integers are compared as numbers.
func (p Param) Matches(text string, value []byte) bool {
	if s, ok := jsonrpc.String(value); ok {
		return s == text
	}
	if text == string(value) {
		return len(value) > 0 && value[0] != '{' && value[0] != '['
	}
	a, ok1 := safeInteger(string(value))
	b, ok2 := safeInteger(text)
	return ok1 && ok2 && a == b
}

// safeInteger reads an integer that every parser reads alike, in any of the
// ways a number can be written.
func safeInteger(s string) (int64, bool) {
	const most = 1<<53 - 1
	if s == "" || (s[0] != '-' && (s[0] < '0' || s[0] > '9')) || strings.ContainsAny(s, "xXpP_iInN") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f > most || f < -most || f != float64(int64(f)) {
		return 0, false
	}
	return int64(f), true
}

package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// document is the file's text and where in it things are.
type document struct {
	path    string
	bom     []byte
	text    []byte // what follows the byte order mark
	root    *hujson.Value
	servers *hujson.Value // nil when there is none
}

var bom = []byte("\xef\xbb\xbf")

// parseDocument reads the text of the file at path down to the servers' names.
// It keeps src.
func parseDocument(path string, src []byte) (*document, error) {
	text := bytes.TrimPrefix(src, bom)
	d := &document{path: path, bom: src[:len(src)-len(text)], text: text}
	if err := d.checkText(); err != nil {
		return nil, err
	}
	closed := text
	if !bytes.HasSuffix(closed, []byte("\n")) {
		closed = append(bytes.Clone(text), '\n') // hujson wants the end of a last // comment
	}
	root, err := hujson.Parse(closed)
	if err != nil {
		return nil, d.syntax(err)
	}
	d.root = &root
	return d, d.findServers()
}

func (d *document) checkText() error {
	switch {
	case len(d.text) > MaxBytes:
		return d.invalid(0, "the file is larger than %d bytes", MaxBytes)
	case len(bytes.TrimSpace(d.text)) == 0:
		return d.invalid(0, "the file is empty").Step("write {} into it, or delete it")
	}
	if at := splice.InvalidUTF8(d.text); at >= 0 {
		return d.invalid(at, "the file is not UTF-8").Step("save it as UTF-8 in your editor")
	}
	if at := splice.PastDepth(d.text, MaxDepth); at >= 0 {
		return d.invalid(at, "more than %d objects and lists in each other", MaxDepth)
	}
	return nil
}

// findServers checks the first level.
func (d *document) findServers() error {
	root, ok := d.root.Value.(*hujson.Object)
	if !ok {
		return d.invalid(d.root.StartOffset, "the file must hold an object")
	}
	// The version comes first: what a newer one holds is not for us to judge.
	if v := find(root, "version"); v != nil {
		version, ok := wholeNumber(v)
		if !ok {
			return d.invalid(v.StartOffset, `"version" must be a whole number from 1`)
		}
		if version > Version {
			return fault.New(fault.StateNewer, d.path)
		}
	}
	if err := d.checkNames(root, "version", "servers"); err != nil {
		return err
	}
	if d.servers = find(root, "servers"); d.servers == nil {
		return nil
	}
	servers, ok := d.servers.Value.(*hujson.Object)
	if !ok {
		return d.invalid(d.servers.StartOffset, `"servers" must be an object`)
	}
	return d.checkNames(servers)
}

func wholeNumber(v *hujson.Value) (n int64, ok bool) {
	lit, ok := v.Value.(hujson.Literal)
	if !ok || lit.Kind() != '0' || strings.ContainsAny(string(lit), ".eE-") {
		return 0, false
	}
	n, err := strconv.ParseInt(string(lit), 10, 64) // of one too large it gives the largest
	return n, n >= 1 && (err == nil || errors.Is(err, strconv.ErrRange))
}

// entries are the members of "servers".
func (d *document) entries() []hujson.ObjectMember {
	if d.servers == nil {
		return nil
	}
	return d.servers.Value.(*hujson.Object).Members // findServers has checked it
}

// find gives the value of the member of that name, nil for none.
func find(o *hujson.Object, name string) *hujson.Value {
	for i := range o.Members {
		if nameOf(&o.Members[i]) == name {
			return &o.Members[i].Value
		}
	}
	return nil
}

func nameOf(m *hujson.ObjectMember) string {
	raw := m.Name.Value.(hujson.Literal) // the parser takes only strings as names
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	return raw.String()
}

// checkNames refuses a name that is there twice, and one that differs in case
// only from a known one: programs differ on what these say.
func (d *document) checkNames(o *hujson.Object, known ...string) error {
	seen := make(map[string]bool, len(o.Members))
	for i := range o.Members {
		m := &o.Members[i]
		name := nameOf(m)
		if seen[name] {
			return d.invalid(m.Name.StartOffset, "%q is there twice", name)
		}
		seen[name] = true
		for _, k := range known {
			if err := d.checkSpelling(m, k); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *document) checkSpelling(m *hujson.ObjectMember, known string) error {
	if name := nameOf(m); name != known && strings.EqualFold(name, known) {
		return d.invalid(m.Name.StartOffset, "%q must be written %q", name, known)
	}
	return nil
}

// invalid is the error about the place at this byte of the text.
func (d *document) invalid(at int, format string, args ...any) *fault.Error {
	line := 1 + bytes.Count(d.text[:at], []byte("\n"))
	column := 1 + utf8.RuneCount(d.text[bytes.LastIndexByte(d.text[:at], '\n')+1:at])
	return fault.New(fault.CatalogInvalid, fmt.Sprintf("%s:%d:%d", d.path, line, column)).
		With("%s", fault.Excerpt(fmt.Sprintf(format, args...)))
}

// syntax is hujson's error with its place, which it gives in bytes.
func (d *document) syntax(err error) error {
	line, column, text := 1, 1, err.Error()
	if _, serr := fmt.Sscanf(text, "hujson: line %d, column %d: ", &line, &column); serr == nil {
		_, text, _ = strings.Cut(text, ": ")
		_, text, _ = strings.Cut(text, ": ")
	}
	at := 0
	for ; line > 1; line-- {
		n := bytes.IndexByte(d.text[at:], '\n')
		if n < 0 { // the line break that was added at the end
			at = len(d.text)
			break
		}
		at += n + 1
	}
	return d.invalid(min(at+column-1, len(bytes.TrimRight(d.text, "\n"))), "%s", text)
}

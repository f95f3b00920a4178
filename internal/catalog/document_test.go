package catalog

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/fault"
)

// first reads the first entry of a file.
func first(text string) (Server, error) {
	d, err := parseDocument("f", []byte(text))
	if err != nil {
		return Server{}, err
	}
	return d.server(&d.entries()[0])
}

func TestHandWrittenFilesAreRead(t *testing.T) {
	want := Server{Name: "a", Transport: Stdio, Command: "x", Args: []string{"//no comment", "/*"}, Timeout: Duration(30e9)}
	for name, text := range map[string]string{
		"plain":            `{"version":1,"servers":{"a":{"command":"x","args":["//no comment","/*"],"timeout":"30s"}}}`,
		"comments":         "// c\n{/*c*/\"servers\"/*c*/:/*c*/{//c\n\"a\"/*c*/:{/*c*/\"command\":\"x\"/*c*/,\"args\":[/*c*/\"//no comment\",\"/*\"//c\n],\"timeout\":\"30s\"}}}//end",
		"trailing commas":  "{\"servers\":{\"a\":{\"command\":\"x\",\"args\":[\"//no comment\",\"/*\",],\"timeout\":\"30s\",},},}",
		"byte order mark":  "\ufeff{\"servers\":{\"a\":{\"command\":\"x\",\"args\":[\"//no comment\",\"/*\"],\"timeout\":\"30s\"}}}\n",
		"CRLF":             "{\r\n\"servers\":{\r\n\"a\":{\"command\":\"x\", // c\r\n\"args\":[\"//no comment\",\"/*\"],\"timeout\":\"30s\"}}}\r\n",
		"escapes":          `{"\u0073ervers":{"\u0061":{"\u0063ommand":"\u0078","args":["\/\/no comment","\/*"],"timeout":"30s"}}}`,
		"unknown members":  `{"$schema":null,"Other":1,"servers":{"a":{"x-null":null,"command":"x","args":["//no comment","/*"],"timeout":"30s","later":{"a":1,"a":2}}}}`,
		"transport spelt":  `{"servers":{"a":{"transport":"stdio","command":"x","args":["//no comment","/*"],"timeout":"30s"}}}`,
		"another's fault":  `{"servers":{"a":{"command":"x","args":["//no comment","/*"],"timeout":"30s"},"b":17}}`,
		"version is known": `{"servers":{"a":{"command":"x","args":["//no comment","/*"],"timeout":"30000ms"}},"version":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := first(text)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}

func TestWhatIsWrongIsNamedWithItsPlace(t *testing.T) {
	for _, c := range []struct {
		name, text, place, say string
		code                   fault.Code
	}{
		{"empty", "", "f:1:1", "is empty", ""},
		{"blank", " \n\t", "f:1:1", "is empty", ""},
		{"cut off", "{\n  \"servers\": {", "f:2:15", "EOF", ""},
		{"no comma", "{\n  \"a\": 1\n  \"b\": 2\n}", "f:3:3", "invalid character", ""},
		{"more than one value", "{}\n{}", "f:2:1", "after top-level value", ""},
		{"open comment", "{} /* x", "f:1:4", "comment", ""},
		{"columns are characters", "{\"é\": \"é\", x}", "f:1:12", "invalid", ""},
		{"not UTF-8", "{\n\"a\": \"\xff\"}", "f:2:7", "not UTF-8", ""},
		{"UTF-16", "\xff\xfe{\x00}\x00", "f:1:1", "not UTF-8", ""},
		{"root", "[]", "f:1:1", "must hold an object", ""},
		{"servers", `{"servers": []}`, "f:1:13", "must be an object", ""},
		{"null servers", `{"servers": null}`, "f:1:13", "must be an object", ""},
		{"version text", `{"version": "1"}`, "f:1:13", "whole number", ""},
		{"version 0", `{"version": 0}`, "f:1:13", "whole number", ""},
		{"version 1.5", `{"version": 1.5}`, "f:1:13", "whole number", ""},
		{"newer", `{"version": 2, "servers": "of another kind"}`, "f", "newer Drawbridge", fault.StateNewer},
		{"much newer", `{"version": 99999999999999999999}`, "f", "newer Drawbridge", fault.StateNewer},
		{"servers twice", "{\"servers\": {},\n \"servers\": {}}", "f:2:2", "twice", ""},
		{"servers misspelt", `{"Servers": {}}`, "f:1:2", `must be written "servers"`, ""},
		{"name twice", `{"servers": {"a": {}, "\u0061": {}}}`, "f:1:23", `"a" is there twice`, ""},
		{"entry", `{"servers": {"a": 1}}`, "f:1:19", "must be an object", ""},
		{"member twice", `{"servers": {"a": {"url": "http://h", "url": "http://i"}}}`, "f:1:39", "twice", ""},
		{"member misspelt", `{"servers": {"a": {"URL": "http://h"}}}`, "f:1:20", `must be written "url"`, ""},
		{"inner member misspelt", `{"servers": {"a": {"url": "http://h", "tools": {"Deny": ["x"]}}}}`, "f:1:49", `must be written "deny"`, ""},
		{"variable twice", `{"servers": {"a": {"command": "x", "env": {"A": "1", "A": "2"}}}}`, "f:1:54", "twice", ""},
		{"null", `{"servers": {"a": {"url": "http://h", "tools": {"allow": null}}}}`, "f:1:58", "null", ""},
		{"wrong type", "{\"servers\": {\"a\": {\n \"command\": \"x\",\n \"args\": \"y\"}}}", "f:3:10", `"args" of the server "a" must be a list of strings`, ""},
		{"wrong inner type", `{"servers": {"a": {"command": "x", "env": {"A": 1}}}}`, "f:1:43", `"env" of the server "a" must be an object of strings`, ""},
		{"timeout", `{"servers": {"a": {"command": "x", "timeout": "soon"}}}`, "f:1:47", `"timeout" of the server "a" must be a length of time`, ""},
		{"timeout as a number", `{"servers": {"a": {"command": "x", "timeout": 30}}}`, "f:1:47", `"timeout" of the server "a" must be`, ""},
		{"name", `{"servers": {"a b": {"command": "x"}}}`, "f:1:14", "name cannot be used", ""},
		{"no way there", `{"servers": {"a": {}}}`, "f:1:14", "not a web address", ""},
		{"both", `{"servers": {"a": {"url": "http://h", "command": "x"}}}`, "f:1:14", "address", ""},
		{"transport", `{"servers": {"a": {"url": "http://h", "transport": "carrier"}}}`, "f:1:14", `"carrier" is not known`, ""},
		{"too deep", `{"x": ` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth) + `}`, "f:1:518", "in each other", ""},
		{"endlessly deep", strings.Repeat("[", 4<<20), "f:1:513", "in each other", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.code == "" {
				c.code = fault.CatalogInvalid
			}
			_, err := first(c.text)
			if !fault.IsCode(err, c.code) {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			if e := fault.Of(err, ""); e.Subject != c.place || !strings.Contains(e.Error(), c.say) {
				t.Errorf("got %v\nwant %q at %s", err, c.say, c.place)
			}
		})
	}
}

// TestTheSchemaNamesEveryField keeps schema.go, Server and each other together.
func TestTheSchemaNamesEveryField(t *testing.T) {
	tags := func(typ reflect.Type) (out []string) {
		for i := range typ.NumField() {
			if name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ","); name != "-" {
				out = append(out, name)
			}
		}
		return out
	}
	var all []string
	for _, f := range fields {
		all = append(all, f.name)
	}
	want := tags(reflect.TypeFor[Server]())
	slices.Sort(want)
	slices.Sort(all)
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("(-Server +fields)\n%s", diff)
	}
	for name, typ := range map[string]reflect.Type{"tls": reflect.TypeFor[TLS](), "tools": reflect.TypeFor[Tools]()} {
		if diff := cmp.Diff(tags(typ), fieldOf(name).inner); diff != "" {
			t.Errorf("%s (-type +fields)\n%s", name, diff)
		}
	}
}

// FuzzRead: what is read quickly is what is read slowly, and nothing panics.
func FuzzRead(f *testing.F) {
	f.Add(`{"version":1,"servers":{"a":{"command":"x"}}}`)
	f.Add("\ufeff// c\n{\"servers\":{\"a\":{\"url\":\"http://h\",\"tools\":{\"allow\":[]}},},}")
	f.Add(`{"servers":{"\u0061":{"command":"x","env":{"A":null}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		quick, ok := plainGet([]byte(text), "a")
		d, err := parseDocument("f", []byte(text))
		if err != nil {
			return
		}
		i := d.indexOf("a")
		if i < 0 {
			if ok {
				t.Errorf("%q: found %+v", text, quick)
			}
			return
		}
		slow, err := d.server(&d.entries()[i])
		if ok && (err != nil || !reflect.DeepEqual(quick, slow)) {
			t.Errorf("%q: quick %+v\nslow %+v, %v", text, quick, slow, err)
		}
	})
}

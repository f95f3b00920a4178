package mcp

import (
	"strings"
	"testing"

	"drawbridge/internal/jsonrpc"
)

// P3, protocol.md 2.6.
func TestHeaderValuesComeBack(t *testing.T) {
	for value, want := range map[string]string{
		"us-west1": "us-west1", "us west 1": "us west 1", "": "",
		" padded ": "=?base64?IHBhZGRlZCA=?=", "\tx": "=?base64?CXg=?=", "a\nb": "=?base64?YQpi?=",
		"Hello, 世界": "=?base64?SGVsbG8sIOS4lueVjA==?=", "=?base64?literal?=": "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=",
		"=?base64?SGVsbG8=": "=?base64?SGVsbG8=", "SGVsbG8=?=": "SGVsbG8=?=",
	} {
		got := EncodeHeader(value)
		if back, ok := DecodeHeader(got); got != want || !ok || back != value {
			t.Errorf("%q is written %q (want %q) and read %q, %v", value, got, want, back, ok)
		}
		if back, ok := DecodeHeader(EncodeParam(value)); EncodeParam(value) == "" || !ok || back != value {
			t.Errorf("%q of an argument is read %q, %v", value, back, ok)
		}
	}
	for _, bad := range []string{"=?base64?SGVsbG8?=", "=?base64?SGVs!!!bG8=?=", "=?base64?SGVsbG9=?=", "é", "a\x00b", "a\x7f"} {
		if got, ok := DecodeHeader(bad); ok {
			t.Errorf("%q is read as %q", bad, got)
		}
	}
}

func FuzzHeaderValues(f *testing.F) {
	for _, s := range []string{"", "a", " ", "=?base64??=", "\xff", "世"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := EncodeHeader(s)
		if back, ok := DecodeHeader(text); !ok || back != s {
			t.Errorf("%q is written %q and read %q, %v", s, text, back, ok)
		}
		if strings.ContainsAny(text, "\r\n\x00") || text != strings.TrimSpace(text) {
			t.Errorf("%q is written %q", s, text)
		}
	})
}

func FuzzParams(f *testing.F) {
	f.Add(`{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"items":{"x-mcp-header":"B"}}}}`, `{"a":"x"}`)
	f.Add(`{"properties":{"a":{"properties":{"a":{"type":["integer","null"],"x-mcp-header":"A"}}}}}`, `{"a":{"a":1.0}}`)
	f.Fuzz(func(t *testing.T, schema, arguments string) {
		m, err := jsonrpc.Parse([]byte(`{"jsonrpc":"2.0","method":"x","params":{"s":` + schema + `,"a":` + arguments + `}}`))
		if err != nil {
			return
		}
		s, _ := jsonrpc.Member(m.Params(), "s")
		a, _ := jsonrpc.Member(m.Params(), "a")
		list, err := Params(s)
		if err != nil {
			return
		}
		for _, p := range list {
			value, err := p.Argument(a)
			if err != nil || value == nil {
				continue
			}
			text, err := p.Text(value)
			if err == nil && !p.Matches(text, value) {
				t.Errorf("%s is written %q, which is not the same", value, text)
			}
		}
	})
}

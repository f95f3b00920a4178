package jsonrpc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Every byte is judged the same wherever it stands among the eight that are
// read at once, and before an end that is near or far.
func TestStringScanSeesEveryByteAtEveryPlace(t *testing.T) {
	for c := range 256 {
		for at := range 150 {
			for _, tail := range []string{"", "x", strings.Repeat("x", 50)} {
				body := strings.Repeat("a", at) + string([]byte{byte(c)}) + tail
				in := `"` + body + `"`
				want := c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\'
				if c == '\\' {
					want = json.Valid([]byte(in))
				}
				s := scanner{b: []byte(in)}
				if got := s.str(1) == len(in); got != want {
					t.Fatalf("str(%q) = %v, want %v", in, got, want)
				}
			}
		}
	}
}

// Strings of every mixture are judged as encoding/json and unicode/utf8 do.
func TestStringScanAgreesOnMixtures(t *testing.T) {
	parts := []string{
		"a", " ", "abcdefgh", strings.Repeat("long text ", 13), `\n`, `\"`, `\u00e9`, `\ud800`, `\x`, `\u12g4`, "\n", "\x7f",
		"é", "한", "ힿ", "\ue000", "€", "😀", "\u0800", "\U0010FFFF",
		"\x80", "\xC3", "\xC0\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\x9F", "\xEF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xFF",
	}
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				in := `"` + a + b + c + `"`
				want := json.Valid([]byte(in)) && utf8.ValidString(in)
				if got := wellFormed([]byte(in)); got != want {
					t.Fatalf("%q is well formed: %v, want %v", in, got, want)
				}
			}
		}
	}
}

// The scanner and encoding/json agree on what is JSON; UTF-8 apart, where
// encoding/json forgives.
func TestScanAgreesWithEncodingJSON(t *testing.T) {
	parts := []string{`{`, `}`, `[`, `]`, `,`, `:`, `"a"`, `1`, `null`, ` `}
	var try func(s string, n int)
	try = func(s string, n int) {
		if got, want := wellFormed([]byte(s)) && !strings.HasPrefix(s, " "), json.Valid([]byte(s)) && !strings.HasPrefix(s, " ") && !strings.HasSuffix(s, " "); got != want {
			t.Fatalf("wellFormed(%s) = %v, encoding/json says %v", s, got, want)
		}
		if n > 0 {
			for _, p := range parts {
				try(s+p, n-1)
			}
		}
	}
	try("", 5)
	try(`{"a":`, 4)
	try(`[[`, 4)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":[1,2.5e3,true,null,"\u00e9\ud83d\ude00"]},"_meta":{"progressToken":"x"}}}`,
		`{"jsonrpc":"2.0","id":"a","result":{"tools":[{"name":"x"}]}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"x"}}`,
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}`,
		`{"jsonrpc":"2.0","id":1,"meth\u006fd":"tools\/call","params":{"na\u006de":"a","Name\u0000":"b"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","paramſ":{},"params":{"name":"a","argument\u017f":1}}`,
		`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`,
		"\xEF\xBB\xBF{}", `{"a":"` + "\xff" + `"}`, `nonsense`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Parse(slices.Clone(raw))
		if err != nil {
			if _, ok := err.(*RefusedError); !ok {
				t.Fatalf("Parse: %T %v", err, err)
			}
			return
		}
		if string(m.Bytes()) != string(raw) {
			t.Fatalf("the bytes changed: %q", m.Bytes())
		}
		sameAsEncodingJSON(t, m)
	})
}

// sameAsEncodingJSON checks that the most forgiving reader, which takes any
// case and the last of several, reads the message as Message tells it: the part of S-75 that needs Go alone.
func sameAsEncodingJSON(t *testing.T, m Message) {
	t.Helper()
	var v struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  *string         `json:"method"`
		Params  json.RawMessage `json:"params"`
		Result  json.RawMessage `json:"result"`
		Error   json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(m.Bytes(), &v); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", m.Bytes(), err)
	}
	method := ""
	if v.Method != nil {
		method = *v.Method
	}
	got := fmt.Sprintf("%q %q %q %q %q %q", v.JSONRPC, v.ID, method, v.Params, v.Result, v.Error)
	want := fmt.Sprintf("%q %q %q %q %q %q", "2.0", m.ID(), m.Method(), m.Params(), m.Result(), m.Error())
	if got != want {
		t.Fatalf("encoding/json reads %s, Message tells %s, in %q", got, want, m.Bytes())
	}
	params := m.Params()
	if methods[method] == "" || len(params) == 0 || params[0] != '{' {
		return
	}
	var p struct {
		Name json.RawMessage `json:"name"`
		URI  json.RawMessage `json:"uri"`
		Task json.RawMessage `json:"taskId"`
		Meta json.RawMessage `json:"_meta"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		t.Fatalf("params %q: %v", params, err)
	}
	for name, read := range map[string]json.RawMessage{"name": p.Name, "uri": p.URI, "taskId": p.Task, "_meta": p.Meta} {
		if value, _ := Member(params, name); string(value) != string(read) {
			t.Fatalf("encoding/json reads %s as %q, Member as %q, in %q", name, read, value, m.Bytes())
		}
	}
	if string(p.Meta) != string(m.Meta()) {
		t.Fatalf("_meta is %q, Meta tells %q", p.Meta, m.Meta())
	}
}

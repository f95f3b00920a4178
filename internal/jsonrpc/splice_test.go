package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestMemberIsFoundByItsUnescapedName(t *testing.T) {
	object := []byte(` { "a" : 1 , "b":{"a":2}, "\u0063\n":[3], "a":4, "é":5 } `)
	for name, want := range map[string]string{"a": "1", "b": `{"a":2}`, "c\n": "[3]", "é": "5", "A": "", "": "", "c": ""} {
		got, ok := Member(object, name)
		if string(got) != want || ok != (want != "") {
			t.Errorf("Member(%q) = %s, %v; want %s", name, got, ok, want)
		}
	}
	for _, bad := range []string{"", " ", "[]", "1", "{", `{"a"`, `{"a":`, `{"b":}`, `{a:1}`, "{}"} {
		if got, ok := Member([]byte(bad), "a"); ok {
			t.Errorf("Member(%s) = %s", bad, got)
		}
	}
}

func TestAmbiguousMembersAreSeen(t *testing.T) {
	for in, want := range map[string]bool{
		`{"tools":[]}`:                                     false,
		`{"other":[],"x":{"tools":1,"Tools":2}}`:           false,
		`{"tools":[],"tools":[]}`:                          true,
		`{"tools":[],"Tools":[]}`:                          true,
		`{"TOOLS":[]}`:                                     true,
		`{"tool\u017f":[]}`:                                true,
		`{"tools\u0000":[]}`:                               true,
		`{"t\u006fols":[]}`:                                false,
		`{"tools":[],"t\u006fols":[]}`:                     true,
		`{"` + strings.Repeat("x", 200) + `":1,"tools":2}`: false,
	} {
		if got := Ambiguous([]byte(in), "tools"); got != want {
			t.Errorf("Ambiguous(%s) = %v, want %v", in, got, want)
		}
	}
}

func TestSetMember(t *testing.T) {
	tests := []struct{ in, want string }{
		{``, `{"m":9}`},
		{`{}`, `{"m":9}`},
		{` { } `, ` {"m":9 } `},
		{`{"a":1}`, `{"a":1,"m":9}`},
		{"{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\"m\":9\n}\n"},
		{`{"m":1,"a":2}`, `{"m":9,"a":2}`},
		{`{ "\u006d" : [1,2] , "m":3}`, `{ "\u006d" : 9 , "m":3}`},
		{`{"a":{"m":1}}`, `{"a":{"m":1},"m":9}`},
		{`[1]`, `[1]`},
	}
	for _, tt := range tests {
		if got := string(SetMember([]byte(tt.in), "m", []byte("9"))); got != tt.want {
			t.Errorf("SetMember(%s) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestDeleteMember(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{}`, `{}`},
		{`{"m":1}`, `{}`},
		{` { "m" : 1 } `, ` {  } `},
		{`{"m":1, "a":2}`, `{"a":2}`},
		{`{"a":2 , "m":1}`, `{"a":2}`},
		{`{"a":2 , "m":1 , "b":3 }`, `{"a":2 , "b":3 }`},
		{`{"m":0,"a":2,"m":1,"b":3,"\u006d":5}`, `{"a":2,"b":3}`},
		{`{"a":{"m":1}}`, `{"a":{"m":1}}`},
		{`{"m":1,"m":2}`, `{}`},
		{`["m"]`, `["m"]`},
	}
	for _, tt := range tests {
		if got := string(DeleteMember([]byte(tt.in), "m")); got != tt.want {
			t.Errorf("DeleteMember(%s) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

// S-04: what stays in a list stays byte for byte.
func TestDeleteElements(t *testing.T) {
	tests := []struct{ in, want string }{
		{`[]`, `[]`},
		{`[0]`, `[]`},
		{`[ 0 ]`, `[  ]`},
		{`[1 , {"x":1e3,"y":"\u00e9"}]`, `[1 , {"x":1e3,"y":"\u00e9"}]`},
		{`[0, 1 , 2]`, `[1 , 2]`},
		{`[1 , 0 , 2 ]`, `[1 , 2 ]`},
		{`[1,2 ,0]`, `[1,2]`},
		{`[0,0,1,0,0,2,0]`, `[1,2]`},
		{`{"a":0}`, `{"a":0}`},
	}
	for _, tt := range tests {
		in := []byte(tt.in)
		calls := 0
		got := DeleteElements(in, func(i int, elem []byte) bool {
			if i != calls {
				t.Errorf("%s: element %d is told as %d", tt.in, calls, i)
			}
			calls++
			return string(elem) != "0"
		})
		if string(got) != tt.want {
			t.Errorf("DeleteElements(%s) = %s, want %s", tt.in, got, tt.want)
		}
		if tt.in == tt.want && &got[0] != &in[0] {
			t.Errorf("DeleteElements(%s) copied what stayed", tt.in)
		}
		if string(in) != tt.in {
			t.Errorf("DeleteElements changed its input to %s", in)
		}
	}
}

func TestMembersAndElementsStopEarly(t *testing.T) {
	for range Elements([]byte(`[1,2]`)) {
		break
	}
	for range Members([]byte(`{"a":1,"b":2}`)) {
		break
	}
	var got []string
	for e := range Elements([]byte(` [ 1 , "a,]" , [2] ] `)) {
		got = append(got, string(e))
	}
	if want := []string{"1", `"a,]"`, "[2]"}; !slices.Equal(got, want) {
		t.Errorf("Elements = %q, want %q", got, want)
	}
}

func TestWithKeepsWhatTheMessageIsAbout(t *testing.T) {
	m := mustParse([]byte(`{"jsonrpc":"2.0","id":1,"method":"x","params":{}}`)).WithAbout("7")
	p, err := m.WithID("2").WithParams([]byte(`{"a":1}`))
	if err != nil || p.About() != "7" || m.WithAbout("").About() != "" {
		t.Errorf("About = %q, %v; want 7", p.About(), err)
	}
}

func TestWithKeepsAllOtherBytes(t *testing.T) {
	in := `{"x":1.0, "id" : "a" ,"method":"tools/call","params":{"_meta":{"a":1}} ,"jsonrpc":"2.0"}`
	m := mustParse([]byte(in))
	long := m.WithID(`"longer than before"`)
	if got, want := string(long.Bytes()), strings.Replace(in, `"a" `, `"longer than before" `, 1); got != want {
		t.Errorf("WithID = %s, want %s", got, want)
	}
	for _, id := range []ID{"1", `"longer than before"`, `"a"`} {
		got, want := m.WithID(id), mustParse(m.WithID(id).Bytes())
		if got.ID() != id || got.Method() != want.Method() || string(got.Params()) != string(want.Params()) || string(got.Meta()) != string(want.Meta()) {
			t.Errorf("WithID(%s) = %+v, parsed again %+v", id, got, want)
		}
	}
	if back := long.WithID(`"a"`); string(back.Bytes()) != in {
		t.Errorf("WithID back = %s, want %s", back.Bytes(), in)
	}
	p, err := m.WithParams([]byte(`{"name":"y"}`))
	if want := strings.Replace(in, `{"_meta":{"a":1}}`, `{"name":"y"}`, 1); err != nil || string(p.Bytes()) != want {
		t.Errorf("WithParams = %s, %v; want %s", p.Bytes(), err, want)
	}
	if p, err = p.WithParams(nil); err != nil || p.Params() != nil {
		t.Errorf("WithParams(nil) = %s, %v", p.Bytes(), err)
	}
	if p, err = p.WithParams([]byte(`{}`)); err != nil || string(p.Params()) != "{}" {
		t.Errorf("WithParams({}) = %s, %v", p.Bytes(), err)
	}
	var e *RefusedError
	if _, err = m.WithParams([]byte(`{"name":1,"Name":2}`)); !errors.As(err, &e) {
		t.Errorf("WithParams(ambiguous) = %v, want a refusal", err)
	}
	r := NewResult("1", []byte(`{"a":1}`))
	if r, err = r.WithResult([]byte(`{}`)); err != nil || string(r.Bytes()) != `{"jsonrpc":"2.0","id":1,"result":{}}` {
		t.Errorf("WithResult = %s, %v", r.Bytes(), err)
	}
	n := NewNotification("a", nil)
	if got := n.WithID("1"); got.Kind() != Notification || string(got.Bytes()) != string(n.Bytes()) {
		t.Errorf("WithID made a notification %s", got.Bytes())
	}
}

func TestNewMessages(t *testing.T) {
	tests := []struct {
		m    Message
		want string
	}{
		{NewRequest("1", "tools/list", nil), `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`},
		{NewRequest(`"a"`, "x\n<é>", []byte(`{}`)), `{"jsonrpc":"2.0","id":"a","method":"x\n<é>","params":{}}`},
		{NewNotification("a", []byte(`[1]`)), `{"jsonrpc":"2.0","method":"a","params":[1]}`},
		{NewResult("1.50", []byte(`{"a":1}`)), `{"jsonrpc":"2.0","id":1.50,"result":{"a":1}}`},
		{NewError("", -32700, `"\`, nil), `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"\"\\"}}`},
		{NewError("1", -1, "a", []byte(`[]`)), `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"a","data":[]}}`},
	}
	for _, tt := range tests {
		if got := string(tt.m.Bytes()); got != tt.want {
			t.Errorf("made %s, want %s", got, tt.want)
		}
	}
}

func TestStringAndQuoteAgreeWithEncodingJSON(t *testing.T) {
	for _, s := range []string{"", "a", "\x00\x01\x1f\x7f", "\b\f\n\r\t\"\\/", "<>&", "é한😀", "\u2028", "a\xffb", "\ufffd"} {
		var want string
		if err := json.Unmarshal(Quote(s), &want); err != nil || want != strings.ToValidUTF8(s, "\ufffd") {
			t.Errorf("Quote(%q) = %s, read as %q, %v", s, Quote(s), want, err)
		}
	}
	for _, in := range []string{`""`, `"a\/\b\f\n\r\t\"\\"`, `"\u00e9\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83d\u0041"`, `"\ud83dx"`, `"\ud83d\n"`, `"\uD83D\uD83D\uDE00"`} {
		var want string
		if err := json.Unmarshal([]byte(in), &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := String([]byte(in)); !ok || got != want {
			t.Errorf("String(%s) = %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, bad := range []string{``, `"`, `1`, `null`, `"a`, `"\"`, `"a"b"`, `"a" `, "\"\n\"", `{"a":1}`} {
		if got, ok := String([]byte(bad)); ok {
			t.Errorf("String(%s) = %q", bad, got)
		}
	}
}

// Set and delete undo each other; the result is what the edit says and JSON.
func FuzzSplice(f *testing.F) {
	f.Add([]byte(`{"a":1, "b":[1,2,3] }`), "m", []byte(`{"x":1}`), uint8(1))
	f.Add([]byte("{\n}"), "é\n", []byte(`0`), uint8(0))
	f.Add([]byte(`{"m":1,"\u006d":2}`), "m", []byte(`"s"`), uint8(7))
	f.Add([]byte(`[0 , 1,2 ]`), "", []byte(`[]`), uint8(5))
	f.Fuzz(func(t *testing.T, in []byte, name string, value []byte, mask uint8) {
		if !wellFormed(bytes.Trim(in, " \t\r\n")) || !wellFormed(value) {
			SetMember(in, name, value) // must not panic
			DeleteMember(in, name)
			return
		}
		name = strings.ToValidUTF8(name, "\ufffd")
		checkElements(t, in, mask)
		if bytes.TrimLeft(in, " \t\r\n")[0] != '{' {
			return
		}
		old, had := Member(in, name)
		set := SetMember(in, name, value)
		if got, ok := Member(set, name); !ok || string(got) != string(value) || !json.Valid(set) {
			t.Fatalf("SetMember(%q, %q, %q) = %q; Member tells %q", in, name, value, set, got)
		}
		back := DeleteMember(set, name)
		if had {
			back = SetMember(set, name, old)
		}
		if string(back) != string(in) {
			t.Fatalf("%q, set to %q, undone is %q", in, set, back)
		}
		gone := DeleteMember(in, name)
		if _, ok := Member(gone, name); ok || !json.Valid(gone) {
			t.Fatalf("DeleteMember(%q, %q) = %q", in, name, gone)
		}
	})
}

func checkElements(t *testing.T, in []byte, mask uint8) {
	var want [][]byte
	for e := range Elements(in) {
		if mask>>(len(want)%8)&1 == 0 || len(want) > 7 {
			want = append(want, e)
			continue
		}
		want = append(want, nil)
	}
	out := DeleteElements(in, func(i int, e []byte) bool { return i < len(want) && want[i] != nil })
	if !json.Valid(out) {
		t.Fatalf("DeleteElements(%q, %b) = %q", in, mask, out)
	}
	want = slices.DeleteFunc(want, func(e []byte) bool { return e == nil })
	got := slices.Collect(Elements(out))
	if !slices.EqualFunc(got, want, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Fatalf("DeleteElements(%q, %b) = %q", in, mask, out)
	}
}

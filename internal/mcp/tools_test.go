package mcp

import (
	"encoding/json"
	"strings"
	"testing"

	"drawbridge/internal/jsonrpc"
)

// resultOf is the result of a message that passed Parse, as CutTools gets it.
func resultOf(t testing.TB, result string) []byte {
	t.Helper()
	m, err := jsonrpc.Parse([]byte(`{"jsonrpc":"2.0","id":1,"result":` + result + `}`))
	if err != nil {
		t.Fatalf("%s: %v", result, err)
	}
	return m.Result()
}

func notDanger(name string) bool { return !strings.HasPrefix(name, "danger") }

func TestOnlyDeniedToolsAreCut(t *testing.T) { // F-065, S-04, W-06, W-07
	const (
		a = `{ "name" : "a","inputSchema":{"type":"object","oneOf":[{"x":1},{"y":2.0}],"maximum":9007199254740993}, "x-vendor":{"n":1e400,"k":null},"name2":"danger" }`
		b = `{"name":"b\u00e9\/","description":"<&>\u2028"}`
		d = `{"name":"danger","description":"]},{\"name\":\"b\""}`
		e = `{"description":"x" , "name":"\u0064anger_2"}`
	)
	for _, c := range []struct {
		name, in, want string
		cut            int
	}{
		{"nothing denied", `{"tools":[` + a + ` , ` + b + `],"nextCursor":"c"}`, `{"tools":[` + a + ` , ` + b + `],"nextCursor":"c"}`, 0},
		{"first", `{"tools":[` + d + `,` + a + `,` + b + `]}`, `{"tools":[` + a + `,` + b + `]}`, 1},
		{"middle", `{"tools":[` + a + `,` + d + `,` + b + `]}`, `{"tools":[` + a + `,` + b + `]}`, 1},
		{"last", `{"tools":[` + a + `,` + b + `,` + d + `]}`, `{"tools":[` + a + `,` + b + `]}`, 1},
		{"two and odd spacing", "{ \"nextCursor\" : \"x\" ,\t\"tools\" :[\n " + d + " ,\n " + a + "\n, " + e + " ]\n, \"_meta\":{\"danger\":1} }",
			"{ \"nextCursor\" : \"x\" ,\t\"tools\" :[\n " + a + " ]\n, \"_meta\":{\"danger\":1} }", 2},
		{"all", `{"tools":[` + d + `,` + e + `],"nextCursor":"c","ttlMs":9007199254740993}`, `{"tools":[],"nextCursor":"c","ttlMs":9007199254740993}`, 2},
		{"none there", `{"tools":[]}`, `{"tools":[]}`, 0},
		{"null", `{"tools":null,"nextCursor":"c"}`, `{"tools":[],"nextCursor":"c"}`, 0},
		{"no array", `{"tools":{"name":"danger"},"nextCursor":"c"}`, `{"tools":[],"nextCursor":"c"}`, 1},
		{"no tools", `{"task":{"taskId":"1"}}`, `{"task":{"taskId":"1"}}`, 0},
		{"escaped member name", `{"\u0074ools":[` + d + `,` + a + `]}`, `{"\u0074ools":[` + a + `]}`, 1},
		{"tools further down are not looked at", `{"tools":[` + a + `],"_meta":{"tools":[` + d + `]}}`, `{"tools":[` + a + `],"_meta":{"tools":[` + d + `]}}`, 0},
		{"public scope", `{"tools":[` + a + `],"cacheScope": "public","ttlMs":0}`, `{"tools":[` + a + `],"cacheScope": "private","ttlMs":0}`, 0},
		{"public scope and a denied tool", `{"cacheScope":"public","tools":[` + d + `]}`, `{"cacheScope":"private","tools":[]}`, 1},
		{"private scope", `{"tools":[],"cacheScope":"privat\u0065"}`, `{"tools":[],"cacheScope":"privat\u0065"}`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := resultOf(t, c.in)
			kept := string(in)
			out, cut := CutTools(in, notDanger)
			if string(out) != c.want || cut != c.cut {
				t.Errorf("got  %s, %d\nwant %s, %d", out, cut, c.want, c.cut)
			}
			if string(in) != kept {
				t.Error("the bytes that came were changed")
			}
		})
	}
}

func TestAToolWhoseNameIsNotSureIsCut(t *testing.T) { // S-72
	for _, tool := range []string{
		`{}`, `{"title":"a"}`, `{"name":null}`, `{"name":1}`, `{"name":["a"]}`, `{"name":{"name":"a"}}`,
		`null`, `"a"`, `1`, `[]`, `[{"name":"a"}]`,
		`{"name":"a","name":"danger"}`, `{"name":"danger","name":"a"}`, `{"name":"a","Name":"danger"}`, `{"NAME":"danger","name":"a"}`,
		`{"Name":"a"}`, `{"name":"a","n\u0061me":"danger"}`, `{"name":"a","name\u0000":"danger"}`,
		`{"name":"a\ud800"}`, `{"name":"a\ufffd"}`,
	} {
		for _, all := range []string{tool, tool + `,{"name":"b"}`, `{"name":"b"},` + tool} {
			out, cut := CutTools(resultOf(t, `{"tools":[`+all+`]}`), func(string) bool { return true })
			want := `{"tools":[{"name":"b"}]}`
			if all == tool {
				want = `{"tools":[]}`
			}
			if string(out) != want || cut != 1 {
				t.Errorf("%s: got %s, %d; want %s, 1", all, out, cut, want)
			}
		}
	}
}

func TestAListingThatCanBeReadTwoWaysIsEmptied(t *testing.T) { // S-72
	for _, result := range []string{
		`{"tools":[{"name":"a"}],"tools":[{"name":"danger"}]}`,
		`{"tools":[{"name":"a"}],"Tools":[{"name":"danger"}]}`,
		`{"TOOLS":[{"name":"danger"}]}`,
		`{"tools":[{"name":"a"}],"t\u006fols":[{"name":"danger"}]}`,
		`{"tools":[],"cacheScope":"private","cacheScope":"public"}`,
		`[{"name":"danger"}]`, `"danger"`,
	} {
		out, cut := CutTools(resultOf(t, result), notDanger)
		if string(out) != `{"tools":[]}` || cut == 0 {
			t.Errorf("%s: got %s, %d", result, out, cut)
		}
	}
}

func TestToolName(t *testing.T) {
	for _, c := range []struct {
		params, want string
		ok           bool
	}{
		{`{"name":"a","arguments":{"name":"b"}}`, "a", true},
		{`{"arguments":{},"n\u0061me":"\u0064anger"}`, "danger", true},
		{`{"name":""}`, "", true},
		{`{"name":" danger\u0000"}`, " danger\x00", true},
		{`{"name":1}`, "", false},
		{`{"arguments":{"name":"b"}}`, "", false},
		{`{"name":"a","Name":"b"}`, "", false},
		{`{"name":"a","name":"a"}`, "", false},
		{`{"name":"\udc00"}`, "", false},
		{`[]`, "", false},
		{``, "", false},
	} {
		if got, ok := ToolName([]byte(c.params)); ok != c.ok || (ok && got != c.want) {
			t.Errorf("%s: got %q, %v; want %q, %v", c.params, got, ok, c.want, c.ok)
		}
	}
}

// FuzzCutTools compares what is left with what encoding/json reads: no denied
// name may be in it, and nothing allowed and plain may be missing.
func FuzzCutTools(f *testing.F) {
	f.Add([]byte(`{"tools":[{"name":"a"},{"name":"danger"},{"x":1}],"nextCursor":"c"}`))
	f.Add([]byte(`{"Tools":[{"Name":"danger"}],"cacheScope":"public"}`))
	f.Fuzz(func(t *testing.T, result []byte) {
		m, err := jsonrpc.Parse([]byte(`{"jsonrpc":"2.0","id":1,"result":` + string(result) + `}`))
		if err != nil {
			return
		}
		out, cut := CutTools(m.Result(), notDanger)
		if !json.Valid(out) {
			t.Fatalf("%s became %s", result, out)
		}
		var got struct {
			Tools []struct{ Name string }
			Scope string `json:"cacheScope"`
		}
		if json.Unmarshal(out, &got) != nil {
			return
		}
		for _, tool := range got.Tools {
			if !notDanger(tool.Name) {
				t.Errorf("%s became %s", result, out)
			}
		}
		if got.Scope == "public" {
			t.Errorf("%s became %s: public", result, out)
		}
		if again, more := CutTools(out, notDanger); more != 0 || string(again) != string(out) {
			t.Errorf("%s became %s (%d) and then %s (%d)", result, out, cut, again, more)
		}
	})
}

func BenchmarkCutTools(b *testing.B) {
	tool := `{"name":"tool","description":"` + strings.Repeat("text ", 100) + `","inputSchema":{"type":"object","properties":{"a":{"type":"string"}}}}`
	result := resultOf(b, `{"tools":[`+strings.Repeat(tool+",", 99)+`{"name":"danger"}]}`)
	b.SetBytes(int64(len(result)))
	for b.Loop() {
		CutTools(result, notDanger)
	}
}

package wire

import "testing"

func TestScanFindsTheTopLevelMembers(t *testing.T) {
	for _, c := range []struct{ in, id, method, params, result string }{
		{`{"jsonrpc":"2.0","id":1,"method":"a/b","params":{"x":"}\"{","y":[1,{"z":"]"}]}}`, "1", "a/b", `{"x":"}\"{","y":[1,{"z":"]"}]}`, ""},
		{` { "id" : "q\\" , "result" : { } } `, `"q\\"`, "", "", "{ }"},
		{`{"id":null,"method":"n"}`, "", "n", "", ""},
		{`{"result":{"id":7},"id":9007199254740993}`, "9007199254740993", "", "", `{"id":7}`},
	} {
		m, err := Scan([]byte(c.in))
		if err != nil {
			t.Fatalf("%s: %v", c.in, err)
		}
		if string(m.ID) != c.id || m.Method != c.method || string(m.Params) != c.params || string(m.Result) != c.result {
			t.Errorf("%s: got id %q method %q params %q result %q", c.in, m.ID, m.Method, m.Params, m.Result)
		}
	}
}

func TestScanRefusesWhatIsNotAnObject(t *testing.T) {
	for _, bad := range []string{"", "[]", "hello", `{"a"`, `{"a":"b`, `{"a":{"b":1}`, `{a:1}`, `{"a" 1}`} {
		if _, err := Scan([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestGetReturnsRawMembers(t *testing.T) {
	obj := []byte(`{"name":"echo","arguments":{"text":"a\"b","name":"inner"},"_meta":{"progressToken":"t"}}`)
	if g := string(Get(obj, "name")); g != `"echo"` {
		t.Errorf("name = %s", g)
	}
	if g := string(Get(Get(obj, "arguments"), "text")); g != `"a\"b"` {
		t.Errorf("text = %s", g)
	}
	if Get(obj, "missing") != nil || Get(nil, "x") != nil || Get([]byte("[1]"), "x") != nil {
		t.Error("found what is not there")
	}
}

func TestOneLineKeepsTheValue(t *testing.T) {
	if g := string(OneLine([]byte("{\n \"a\": 1\r\n}\n"))); g != `{  "a": 1  }` {
		t.Errorf("%q", g)
	}
}

func TestBuiltMessagesScanBack(t *testing.T) {
	m, err := Scan(Error(nil, -32700, "a \"quoted\" cause"))
	if err != nil || m.ID != nil || string(Get(m.Error, "code")) != "-32700" {
		t.Errorf("error answer: %+v %v", m, err)
	}
	m, err = Scan(Request(7, "tools/call", `{"x":1}`))
	if err != nil || string(m.ID) != "7" || !m.IsRequest() || string(m.Params) != `{"x":1}` {
		t.Errorf("request: %+v %v", m, err)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"id":1,"method":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Scan(b); err == nil && m.ID != nil && Get(b, "id") == nil {
			t.Errorf("Scan finds an id that Get does not: %q", b)
		}
	})
}

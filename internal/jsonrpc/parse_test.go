package jsonrpc

import (
	"errors"
	"strings"
	"testing"
)

const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":`

// S-01, S-65, S-68: what two parsers could read differently is refused, what is
// no JSON is called that, and the request is named where it can be.
func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"k` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + itoa(i) + `":0`)
		}
		return b.String()
	}
	tests := []struct {
		name, in string
		code     int
		id       ID
	}{
		// What is no JSON.
		{"empty", "", CodeParseError, ""},
		{"blanks", " \t", CodeParseError, ""},
		{"garbage", "starting server on port 3000", CodeParseError, ""},
		{"half a message", `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"na`, CodeParseError, "5"},
		{"half a string id", `{"jsonrpc":"2.0","method":"ping","id":"ab`, CodeParseError, ""},
		{"half a number id", `{"jsonrpc":"2.0","method":"ping","id":12`, CodeParseError, ""},
		{"trailing value", `{"jsonrpc":"2.0","id":1,"method":"ping"} 2`, CodeParseError, "1"},
		{"two messages", `{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}`, CodeParseError, ""},
		{"trailing NUL", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\x00", CodeParseError, "1"},
		{"trailing comma", `{"jsonrpc":"2.0","id":1,"method":"ping",}`, CodeParseError, "1"},
		{"trailing comma in an array", call + `[1,]}`, CodeParseError, "1"},
		{"missing colon", `{"jsonrpc" "2.0"}`, CodeParseError, ""},
		{"missing comma", `{"jsonrpc":"2.0" "id":1}`, CodeParseError, ""},
		{"single quotes", `{'jsonrpc':'2.0'}`, CodeParseError, ""},
		{"comment", `{"jsonrpc":"2.0",/**/"id":1,"method":"ping"}`, CodeParseError, ""},
		{"brackets that do not match", call + `{"a":[1}]}`, CodeParseError, "1"},
		{"a close too many", `{"jsonrpc":"2.0","id":1,"method":"ping"}}`, CodeParseError, "1"},
		{"byte order mark", "\xEF\xBB\xBF" + `{"jsonrpc":"2.0","id":1,"method":"ping"}`, CodeParseError, "1"},
		{"UTF-16 LE", "\xFF\xFE{\x00}\x00", CodeParseError, ""},
		{"UTF-16 BE", "\x00{\x00}", CodeParseError, ""},
		{"invalid UTF-8", call + "{\"name\":\"a\xFFb\"}}", CodeParseError, "1"},
		{"overlong UTF-8", call + "{\"name\":\"\xC0\xAF\"}}", CodeParseError, "1"},
		{"overlong UTF-8 of three bytes", call + "{\"name\":\"\xE0\x80\xAF\"}}", CodeParseError, "1"},
		{"encoded surrogate", call + "{\"name\":\"\xED\xA0\x80\"}}", CodeParseError, "1"},
		{"cut UTF-8", call + "{\"name\":\"\xEA\xB0\"}}", CodeParseError, "1"},
		{"beyond Unicode", call + "{\"name\":\"\xF5\x80\x80\x80\"}}", CodeParseError, "1"},
		{"invalid UTF-8 outside strings", "\xFF{}", CodeParseError, ""},
		{"raw line feed in a string", call + "{\"name\":\"a\nb\"}}", CodeParseError, "1"},
		{"raw CR in a string", call + "{\"name\":\"a\rb\"}}", CodeParseError, "1"},
		{"raw NUL in a string", call + "{\"name\":\"a\x00b\"}}", CodeParseError, "1"},
		{"raw tab in a name", call + "{\"na\tme\":\"b\"}}", CodeParseError, "1"},
		{"form feed between tokens", call + "\f{}}", CodeParseError, "1"},
		{"vertical tab between tokens", call + "\v{}}", CodeParseError, "1"},
		{"escape \\x", call + `{"name":"\x41"}}`, CodeParseError, "1"},
		{"escape \\u with three digits", call + `{"name":"\u004"}}`, CodeParseError, "1"},
		{"escape \\u with other letters", call + `{"name":"\u00g1"}}`, CodeParseError, "1"},
		{"plus sign", call + `[+1]}`, CodeParseError, "1"},
		{"leading zero", call + `[01]}`, CodeParseError, "1"},
		{"no digit after the point", call + `[1.]}`, CodeParseError, "1"},
		{"no digit before the point", call + `[.5]}`, CodeParseError, "1"},
		{"no digit in the exponent", call + `[1e]}`, CodeParseError, "1"},
		{"lonely minus", call + `[-]}`, CodeParseError, "1"},
		{"hexadecimal", call + `[0x10]}`, CodeParseError, "1"},
		{"NaN", call + `[NaN]}`, CodeParseError, "1"},
		{"Infinity", call + `[-Infinity]}`, CodeParseError, "1"},
		{"True", call + `[True]}`, CodeParseError, "1"},
		{"nul", call + `[nul]}`, CodeParseError, "1"},
		{"a fault after an ambiguity", `{"jsonrpc":"2.0","id":1,"method":"ping","Method":"x",}`, CodeParseError, "1"},
		{"a batch with a fault", `[{"jsonrpc":"2.0"},]`, CodeParseError, ""},

		// JSON, but no message.
		{"number", `1`, CodeInvalidRequest, ""},
		{"string", `"ping"`, CodeInvalidRequest, ""},
		{"null", `null`, CodeInvalidRequest, ""},
		{"empty object", `{}`, CodeInvalidRequest, ""},
		{"depth", call + `{"arguments":` + deep + `}}`, CodeInvalidRequest, "1"},
		{"one too deep", call + `{"arguments":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `}}`, CodeInvalidRequest, "1"},
		{"depth of an unknown member", `{"jsonrpc":"2.0","x":` + deep + `,"id":1,"method":"ping"}`, CodeInvalidRequest, "1"},
		{"depth of a batch", deep, CodeInvalidRequest, ""},

		// Envelope.
		{"no jsonrpc", `{"id":1,"method":"ping"}`, CodeInvalidRequest, "1"},
		{"jsonrpc 1.0", `{"jsonrpc":"1.0","id":1,"method":"ping"}`, CodeInvalidRequest, "1"},
		{"jsonrpc as a number", `{"jsonrpc":2.0,"id":1,"method":"ping"}`, CodeInvalidRequest, "1"},
		{"id and nothing else", `{"jsonrpc":"2.0","id":1}`, CodeInvalidRequest, ""},
		{"method as a number", `{"jsonrpc":"2.0","id":1,"method":3}`, CodeInvalidRequest, "1"},
		{"method null", `{"jsonrpc":"2.0","id":1,"method":null}`, CodeInvalidRequest, "1"},
		{"params as a string", call + `"x"}`, CodeInvalidRequest, "1"},
		{"params null", call + `null}`, CodeInvalidRequest, "1"},
		{"id null", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, CodeInvalidRequest, ""},
		{"id null of a result", `{"jsonrpc":"2.0","id":null,"result":{}}`, CodeInvalidRequest, ""},
		{"id object", `{"jsonrpc":"2.0","id":{},"method":"ping"}`, CodeInvalidRequest, ""},
		{"id array", `{"jsonrpc":"2.0","id":[1],"method":"ping"}`, CodeInvalidRequest, ""},
		{"id true", `{"jsonrpc":"2.0","id":true,"method":"ping"}`, CodeInvalidRequest, ""},
		{"result without id", `{"jsonrpc":"2.0","result":{}}`, CodeInvalidRequest, ""},
		{"error that is no object", `{"jsonrpc":"2.0","id":1,"error":null}`, CodeInvalidRequest, ""},
		{"method with result", `{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}`, CodeInvalidRequest, "1"},
		{"method with error", `{"jsonrpc":"2.0","id":1,"error":{},"method":"ping"}`, CodeInvalidRequest, "1"},
		{"result with error", `{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`, CodeInvalidRequest, ""},
		{"half a surrogate pair in the method", `{"jsonrpc":"2.0","id":1,"method":"a\ud800"}`, CodeInvalidRequest, "1"},

		// Duplicates and variants in the envelope.
		{"method twice", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`, CodeInvalidRequest, "1"},
		{"id twice", `{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, CodeInvalidRequest, ""},
		{"id twice, once in another case", `{"jsonrpc":"2.0","ID":1,"id":2,"method":"ping"}`, CodeInvalidRequest, ""},
		{"method twice, escaped", `{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}`, CodeInvalidRequest, "1"},
		{"params twice", `{"jsonrpc":"2.0","id":1,"method":"vendor/x","params":{},"params":{}}`, CodeInvalidRequest, "1"},
		{"unknown member twice", `{"jsonrpc":"2.0","id":1,"method":"ping","x":1,"x":1}`, CodeInvalidRequest, "1"},
		{"unknown member twice, escaped", `{"jsonrpc":"2.0","id":1,"method":"ping","é":1,"\u00e9":1}`, CodeInvalidRequest, "1"},
		{"unknown member in two cases", `{"jsonrpc":"2.0","id":1,"method":"ping","Σx":1,"ςX":1}`, CodeInvalidRequest, "1"},
		{"unknown member twice past the array", `{"jsonrpc":"2.0","id":1,"method":"ping",` + many(100) + `,"late":1,"LATE":2}`, CodeInvalidRequest, "1"},
		{"a member as often as it may stand", `{"jsonrpc":"2.0","id":1,"method":"ping",` + many(MaxMembers) + `}`, CodeInvalidRequest, "1"},
		{"only Method", `{"jsonrpc":"2.0","id":1,"Method":"tools/call"}`, CodeInvalidRequest, "1"},
		{"method and Method", `{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}`, CodeInvalidRequest, "1"},
		{"PARAMS", `{"jsonrpc":"2.0","id":1,"method":"vendor/x","PARAMS":{}}`, CodeInvalidRequest, "1"},
		{"params with ſ", `{"jsonrpc":"2.0","id":1,"method":"tools/call","paramſ":{}}`, CodeInvalidRequest, "1"},
		{"result with escaped ſ", `{"jsonrpc":"2.0","id":1,"re\u017fult":{},"result":{}}`, CodeInvalidRequest, ""},
		{"jsonRPC", `{"jsonRPC":"2.0","id":1,"method":"ping"}`, CodeInvalidRequest, "1"},
		{"Error beside a result", `{"jsonrpc":"2.0","id":1,"result":{},"Error":{}}`, CodeInvalidRequest, ""},
		{"method with NUL", `{"jsonrpc":"2.0","id":1,"method":"ping","method\u0000":"x"}`, CodeInvalidRequest, "1"},
		{"only method with NUL", `{"jsonrpc":"2.0","id":1,"method\u0000":"x","result":{}}`, CodeInvalidRequest, "1"},
		{"params with two NUL", `{"jsonrpc":"2.0","id":1,"method":"v","params\u0000\u0000":{}}`, CodeInvalidRequest, "1"},
		{"half a surrogate pair in a name", `{"jsonrpc":"2.0","id":1,"method":"ping","a\udc00":1}`, CodeInvalidRequest, "1"},

		// The first level of params.
		{"name twice", call + `{"name":"safe","name":"danger"}}`, CodeInvalidRequest, "1"},
		{"name twice, escaped", call + `{"name":"safe","na\u006de":"danger"}}`, CodeInvalidRequest, "1"},
		{"name and Name", call + `{"name":"safe","Name":"danger"}}`, CodeInvalidRequest, "1"},
		{"only NAME", call + `{"NAME":"danger"}}`, CodeInvalidRequest, "1"},
		{"name with NUL", call + `{"name":"safe","name\u0000":"danger"}}`, CodeInvalidRequest, "1"},
		{"argumentſ", call + `{"name":"a","argument\u017f":{}}}`, CodeInvalidRequest, "1"},
		{"taſkId", `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taſkId":"x"}}`, CodeInvalidRequest, "1"},
		{"Kelvin sign in taskId", `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"tas\u212aId":"x"}}`, CodeInvalidRequest, "1"},
		{"Uri", `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"Uri":"x"}}`, CodeInvalidRequest, "1"},
		{"REF", `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"REF":{}}}`, CodeInvalidRequest, "1"},
		{"Cursor", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"Cursor":"x"}}`, CodeInvalidRequest, "1"},
		{"RequestState", call + `{"name":"a","RequestState":"x"}}`, CodeInvalidRequest, "1"},
		{"unknown param in two cases", call + `{"name":"a","vendor":1,"Vendor":2}}`, CodeInvalidRequest, "1"},
		{"params before the method", `{"jsonrpc":"2.0","params":{"name":"safe","name":"danger"},"id":1,"method":"tools/call"}`, CodeInvalidRequest, "1"},
		{"a method with an escape", `{"jsonrpc":"2.0","id":1,"method":"tools\/call","params":{"name":"a","Name":"b"}}`, CodeInvalidRequest, "1"},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"requestID":2}}`, CodeInvalidRequest, ""},
		{"half a surrogate pair in a tool name", call + `{"name":"a\ud83d"}}`, CodeInvalidRequest, "1"},
		{"half a surrogate pair in a param's name", call + `{"name":"a","b\ud83d":1}}`, CodeInvalidRequest, "1"},
		{"half a surrogate pair in a uri", `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"\udc00\ud800"}}`, CodeInvalidRequest, "1"},
		{"ref name twice", `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","Name":"b"}}}`, CodeInvalidRequest, "1"},
		{"ref URI", `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","URI":"b"}}}`, CodeInvalidRequest, "1"},
		{"ref name with half a pair", `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"name":"\ud800"}}}`, CodeInvalidRequest, "1"},
		{"ref uri with half a pair", `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"uri":"a\udc00","other":1}}}`, CodeInvalidRequest, "1"},

		// _meta.
		{"_meta twice", call + `{"name":"a","_meta":{},"_meta":{}}}`, CodeInvalidRequest, "1"},
		{"_META", call + `{"name":"a","_META":{}}}`, CodeInvalidRequest, "1"},
		{"_meta twice of a vendor's method", `{"jsonrpc":"2.0","id":1,"method":"v/x","params":{"_meta":{},"_m\u0065ta":{}}}`, CodeInvalidRequest, "1"},
		{"version twice", call + `{"_meta":{"io.modelcontextprotocol/protocolVersion":"a","io.modelcontextprotocol/protocolVersion":"b"}}}`, CodeInvalidRequest, "1"},
		{"version twice, escaped slash", call + `{"_meta":{"io.modelcontextprotocol/protocolVersion":"a","io.modelcontextprotocol\/protocolVersion":"b"}}}`, CodeInvalidRequest, "1"},
		{"version in another case", call + `{"_meta":{"io.modelcontextprotocol/ProtocolVersion":"a"}}}`, CodeInvalidRequest, "1"},
		{"prefix in another case", call + `{"_meta":{"IO.modelcontextprotocol/x":"a"}}}`, CodeInvalidRequest, "1"},
		{"unknown protocol key in two cases", call + `{"_meta":{"io.modelcontextprotocol/x":1,"io.modelcontextprotocol/X":2}}}`, CodeInvalidRequest, "1"},
		{"long protocol key twice", call + `{"_meta":{"io.modelcontextprotocol/` + strings.Repeat("k", 90) + `":1,"io.modelcontextprotocol/` + strings.Repeat("k", 90) + `":2}}}`, CodeInvalidRequest, "1"},
		{"progressToken twice", call + `{"_meta":{"progressToken":1,"progressToken":2}}}`, CodeInvalidRequest, "1"},
		{"ProgressToken", call + `{"_meta":{"ProgressToken":1}}}`, CodeInvalidRequest, "1"},
		{"progressToken with NUL", call + `{"_meta":{"progressToken\u0000":1}}}`, CodeInvalidRequest, "1"},
		{"protocol key twice in a result", `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/serverInfo":1,"io.modelcontextprotocol/serverInfo":2}}}`, CodeInvalidRequest, ""},
		{"protocol key twice of a vendor's method", `{"jsonrpc":"2.0","id":1,"method":"v","params":{"_meta":{"progressToken":1,"progressToken":2}}}`, CodeInvalidRequest, "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse([]byte(tt.in))
			var e *RefusedError
			if !errors.As(err, &e) {
				t.Fatalf("Parse(%.200s) = %q, %v; want a refusal", tt.in, m.Bytes(), err)
			}
			if e.Code != tt.code || e.ID != tt.id {
				t.Errorf("Parse(%.200s): code %d, id %q (%v); want %d, %q", tt.in, e.Code, e.ID, e, tt.code, tt.id)
			}
			if e.Offset < 0 || e.Offset > len(tt.in) || e.Reason == "" {
				t.Errorf("Parse(%.200s): offset %d, reason %q", tt.in, e.Offset, e.Reason)
			}
		})
	}
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + itoa(i%10)
}

// S-02, S-65: what passes is kept as it came.
func TestParseKeeps(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth-2) + strings.Repeat("]", MaxDepth-2)
	tests := []struct {
		name, in string
		kind     Kind
		id       ID
		method   string
	}{
		{"a request", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, Request, "1", "ping"},
		{"members in another order", `{"params":{"name":"x"},"method":"tools/call","id":1,"jsonrpc":"2.0"}`, Request, "1", "tools/call"},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, Notification, "", "notifications/initialized"},
		{"a call without an id", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}`, Notification, "", "tools/call"},
		{"a result", `{"jsonrpc":"2.0","id":"a","result":{}}`, Response, `"a"`, ""},
		{"a result that is null", `{"jsonrpc":"2.0","id":"a","result":null}`, Response, `"a"`, ""},
		{"an error", `{"jsonrpc":"2.0","id":1,"error":{"code":-31999,"message":"x"}}`, Response, "1", ""},
		{"an error with a null id", `{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}`, Response, "null", ""},
		{"an error without an id", `{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}`, Response, "", ""},
		{"a huge id", `{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, Request, "9007199254740993", "ping"},
		{"an id beyond floats", `{"jsonrpc":"2.0","id":1e400,"method":"ping"}`, Request, "1e400", "ping"},
		{"a fraction as id", `{"jsonrpc":"2.0","id":-1.50,"method":"ping"}`, Request, "-1.50", "ping"},
		{"an empty id", `{"jsonrpc":"2.0","id":"","method":"ping"}`, Request, `""`, "ping"},
		{"an escaped id", `{"jsonrpc":"2.0","id":"\u0061\ud800","method":"ping"}`, Request, `"\u0061\ud800"`, "ping"},
		{"an escaped method", `{"jsonrpc":"2.0","id":1,"method":"tools\/call"}`, Request, "1", "tools/call"},
		{"a vendor's method", `{"jsonrpc":"2.0","id":1,"method":"acme/\u00e9\n","params":{}}`, Request, "1", "acme/é\n"},
		{"an escaped member name", `{"jsonrpc":"2.0","\u0069d":1,"method":"ping"}`, Request, "1", "ping"},
		{"unknown members", `{"jsonrpc":"2.0","id":1,"method":"ping","trace":{"a":1,"a":2},"":0}`, Request, "1", "ping"},
		{"duplicates deep down", call + `{"name":"x","arguments":{"a":1,"a":2,"A":3,"name":"y"}}}`, Request, "1", "tools/call"},
		{"duplicates in a vendor's params", `{"jsonrpc":"2.0","id":1,"method":"acme/x","params":{"name":1,"name":2,"Name":3}}`, Request, "1", "acme/x"},
		{"duplicates in a result", `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"Tools":[],"x":1,"x":2}}`, Response, "1", ""},
		{"duplicates of other _meta keys", call + `{"_meta":{"acme/x":1,"acme/x":2,"progressTokens":1,"PROGRESSTOKENS":2}}}`, Request, "1", "tools/call"},
		{"halves of pairs deep down", call + `{"name":"x","arguments":{"a":"\ud83d","\udc00":1}}}`, Request, "1", "tools/call"},
		{"half a pair in a text", `{"jsonrpc":"2.0","method":"notifications/progress","params":{"message":"\ud83d"}}`, Notification, "", "notifications/progress"},
		{"an emoji as escapes", call + `{"name":"\ud83d\ude00"}}`, Request, "1", "tools/call"},
		{"params as an array", call + `[1,2]}`, Request, "1", "tools/call"},
		{"other scripts", call + `{"name":"도구","arguments":{"a":"ß€😀` + "\u0800\uFFFF\U0010FFFF" + `"}}}`, Request, "1", "tools/call"},
		{"blanks and line breaks", "\r\n {\t\"jsonrpc\" : \"2.0\" ,\n \"id\": 1, \"method\": \"ping\" }\r\n", Request, "1", "ping"},
		{"all numbers", call + `[0,-0,1.0,1e3,1E+3,1.25e-7,123456789012345678901234567890]}`, Request, "1", "tools/call"},
		{"the deepest", call + `{"arguments":` + deep + `}}`, Request, "1", "tools/call"},
		{"a name like TOOLS/CALL", `{"jsonrpc":"2.0","id":1,"method":"TOOLS/CALL","params":{"Name":1}}`, Request, "1", "TOOLS/CALL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse([]byte(tt.in))
			if err != nil {
				t.Fatalf("Parse(%s): %v", tt.in, err)
			}
			if string(m.Bytes()) != tt.in {
				t.Errorf("Bytes() = %s, want %s", m.Bytes(), tt.in)
			}
			if m.Kind() != tt.kind || m.ID() != tt.id || m.Method() != tt.method || string(m.IDBytes()) != string(tt.id) {
				t.Errorf("Parse(%s): %s %q %q, want %s %q %q", tt.in, m.Kind(), m.ID(), m.Method(), tt.kind, tt.id, tt.method)
			}
		})
	}
}

func TestMembersAreWhereTheyStand(t *testing.T) {
	m := mustParse([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params": {"name":"x","_meta": {"progressToken":7} } }`))
	if got, want := string(m.Params()), `{"name":"x","_meta": {"progressToken":7} }`; got != want {
		t.Errorf("Params() = %s, want %s", got, want)
	}
	if got, want := string(m.Meta()), `{"progressToken":7}`; got != want {
		t.Errorf("Meta() = %s, want %s", got, want)
	}
	if m.Result() != nil || m.Error() != nil {
		t.Errorf("a request has result %q, error %q", m.Result(), m.Error())
	}
	m = mustParse([]byte(`{"result":{"x":1,"_meta":{"a":1}},"id":1,"jsonrpc":"2.0"}`))
	if got, want := string(m.Result()), `{"x":1,"_meta":{"a":1}}`; got != want {
		t.Errorf("Result() = %s, want %s", got, want)
	}
	if got, want := string(m.Meta()), `{"a":1}`; got != want {
		t.Errorf("Meta() = %s, want %s", got, want)
	}
	m = mustParse([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":1}}`))
	if got, want := string(m.Error()), `{"code":1}`; got != want {
		t.Errorf("Error() = %s, want %s", got, want)
	}
	if m.Meta() != nil || m.Params() != nil {
		t.Errorf("an error has _meta %q, params %q", m.Meta(), m.Params())
	}
}

// A refused answer is told apart from a refused request, so that whoever waits
// for the answer can be told.
func TestRefusedAnswerNamesItsRequest(t *testing.T) {
	for in, want := range map[string]ID{
		`{"jsonrpc":"2.0","id":7,"result":{},"error":{}}`:        "7",
		`{"jsonrpc":"2.0","id":"a","result":{"x":"` + "\xff\"}}": `"a"`,
		`{"result":{"id":3},"jsonrpc":"2.0","id":8,}`:            "8",
		`{"jsonrpc":"2.0","id":7,"method":"x","result":{}}`:      "7",
		`{"jsonrpc":"2.0","id":7,"method":"x",}`:                 "",
	} {
		_, err := Parse([]byte(in))
		var e *RefusedError
		if !errors.As(err, &e) || e.Reply != want {
			t.Errorf("Parse(%s): %+v, want reply %q", in, e, want)
		}
	}
}

func TestParseRefusesTheTooLong(t *testing.T) {
	in := []byte(call + `{"name":"` + strings.Repeat("a", MaxBytes) + `"}}`)
	_, err := Parse(in)
	var e *RefusedError
	if !errors.As(err, &e) || !e.Size || e.Code != CodeInvalidRequest || e.ID != "1" {
		t.Errorf("Parse of %d bytes: %+v", len(in), e)
	}
}

// S-03: towards a transport that frames by lines a message is one line.
func TestOneLineChangesLineBreaksOnly(t *testing.T) {
	in := "{\r\n\t\"jsonrpc\":\"2.0\",\n\"id\":1,\r\"method\":\"a\\r\\nb\"}\n"
	m := mustParse([]byte(in))
	if got, want := string(m.OneLine()), "{  \t\"jsonrpc\":\"2.0\", \"id\":1, \"method\":\"a\\r\\nb\"} "; got != want {
		t.Errorf("OneLine() = %q, want %q", got, want)
	}
	if string(m.Bytes()) != in {
		t.Errorf("Bytes() = %q after OneLine, want %q", m.Bytes(), in)
	}
	m = mustParse([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if &m.OneLine()[0] != &m.Bytes()[0] {
		t.Error("OneLine copied a message that is on one line")
	}
}

// W-09.
func TestBatchIsSplit(t *testing.T) {
	in := ` [ {"jsonrpc":"2.0","id":1,"method":"ping"} ,{"x":[1,2]},[1]]`
	_, err := Parse([]byte(in))
	var e *RefusedError
	if !errors.As(err, &e) || !e.Batch || e.Code != CodeInvalidRequest || string(e.Raw) != in {
		t.Fatalf("Parse(batch): %+v", e)
	}
	parts, err := Split(e.Raw)
	want := []string{`{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"x":[1,2]}`, `[1]`}
	if err != nil || len(parts) != len(want) {
		t.Fatalf("Split = %q, %v", parts, err)
	}
	for i := range want {
		if string(parts[i]) != want[i] {
			t.Errorf("part %d = %s, want %s", i, parts[i], want[i])
		}
	}
	for _, bad := range []string{``, `[]`, `[ ]`, `{}`, `[1,]`, `[1] x`, `[1`, `[` + strings.Repeat("1,", MaxBatch) + `1]`} {
		if parts, err := Split([]byte(bad)); err == nil {
			t.Errorf("Split(%.20s) = %d parts, want a refusal", bad, len(parts))
		}
	}
	if parts, err := Split([]byte(`[` + strings.Repeat("1,", MaxBatch-1) + `1]`)); err != nil || len(parts) != MaxBatch {
		t.Errorf("Split of the largest batch = %d parts, %v", len(parts), err)
	}
}

// The id is found in pieces of any size.
func TestIDFinderReadsPieces(t *testing.T) {
	in := `{"params":{"id":3,"a":"}\"\\","b":[{}]},"method":"x","\u0069d":"q\"1"  ,"jsonrpc":"2.0"}`
	for size := 1; size <= len(in); size++ {
		var f IDFinder
		for b := []byte(in); len(b) > 0; {
			n := min(size, len(b))
			_, _ = f.Write(b[:n])
			b = b[n:]
		}
		if id, reply := f.IDs(); id != `"q\"1"` || reply != "" {
			t.Fatalf("in pieces of %d: id %q, reply %q", size, id, reply)
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	for _, in := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"\u0041 한국어"},"_meta":{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"vendor":1}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x"}],"_meta":{}},"x":{}}`,
		"{\n\"jsonrpc\":\"2.0\",\n\"method\":\"tools\\/call\"}",
	} {
		raw := []byte(in)
		if n := testing.AllocsPerRun(100, func() {
			m, err := Parse(raw)
			if err != nil || m.Method() == "?" || m.Meta() == nil && m.Params() != nil {
				t.Fatal(err)
			}
			Member(m.Params(), "arguments")
		}); n != 0 {
			t.Errorf("Parse(%s) made %v allocations", in, n)
		}
	}
}

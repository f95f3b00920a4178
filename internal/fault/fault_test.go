package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// codes reads every Code constant out of codes.go.
func codes(t *testing.T) []Code {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []Code
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != "Code" {
			return true
		}
		s, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Code(s))
		return true
	})
	if len(out) < 30 {
		t.Fatalf("found %d codes", len(out))
	}
	return out
}

// W-29: every code says what happened and one next step, in every form.
func TestEveryCodeHasItsForms(t *testing.T) {
	for _, c := range codes(t) {
		e := New(c, "srv")
		f := c.facts()
		if f.text == "" || f.next == "" || strings.HasSuffix(f.text, ".") || strings.HasSuffix(f.next, ".") {
			t.Errorf("%s: sentence %q, next step %q", c, f.text, f.next)
		}
		if !strings.HasPrefix(e.Error(), "["+string(c)+"] srv: ") || !strings.Contains(e.Error(), ". Next: ") {
			t.Errorf("%s reads %q", c, e.Error())
		}
		rpc, message, data := e.RPC()
		if rpc != -32602 && rpc != -32603 && rpc != -32700 && rpc != -32600 {
			t.Errorf("%s has JSON-RPC code %d", c, rpc)
		}
		var d struct{ Code, Server, Next string }
		if err := json.Unmarshal(data, &d); err != nil || d.Code != string(c) || d.Server != "srv" || d.Next == "" || message == "" {
			t.Errorf("%s has data %s, %v", c, data, err)
		}
		if e.Status() == 401 || e.Status() < 200 || e.Status() > 599 {
			t.Errorf("%s has HTTP status %d", c, e.Status())
		}
		if notice := c == ClientRestart; e.Exit() < 1 && !notice || e.Exit() > 6 {
			t.Errorf("%s has exit code %d", c, e.Exit())
		}
	}
}

func TestForeignTextIsMadeHarmless(t *testing.T) {
	got := Excerpt("a\x1b[31m\nb\u202e\t c\xff" + strings.Repeat("é", 300))
	if strings.ContainsAny(got, "\x1b\n\u202e") || len(got) > 256 || !utf8.ValidString(got) {
		t.Errorf("got %q (%d bytes)", got, len(got))
	}
	if !strings.HasPrefix(got, "a[31m b c") {
		t.Errorf("got %q", got)
	}
}

func TestOfKeepsTheCodeAndNamesTheServer(t *testing.T) {
	inner := New(Timeout, "")
	if got := Of(fmt.Errorf("call: %w", inner), "srv"); got.Code != Timeout || got.Subject != "srv" {
		t.Errorf("got %+v", got)
	}
	if inner.Subject != "" {
		t.Error("the error itself was changed")
	}
	if got := Of(errors.New("boom"), "srv"); got.Code != RequestFailed || !strings.Contains(got.Error(), "boom") {
		t.Errorf("got %v", got)
	}
	if Of(nil, "srv") != nil {
		t.Error("no error became one")
	}
	if got := New(RequestFailed, "srv").NextStep(); got != "run `drawbridge mcp check srv`" {
		t.Errorf("next step %q", got)
	}
}

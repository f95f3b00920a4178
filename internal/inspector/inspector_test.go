package inspector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/demo"
	"drawbridge/internal/fault"
	"drawbridge/internal/inspector"
	"drawbridge/internal/jsonrpc"
	"github.com/google/go-cmp/cmp"
)

// answering starts a server that answers each request by handle; "" is silence.
func answering(t *testing.T, handle func(c jsonrpc.Conn, m jsonrpc.Message) string) *inspector.Inspector {
	t.Helper()
	ours, theirs := jsonrpc.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := theirs.Recv(context.Background())
			if err != nil {
				return
			}
			raw := handle(theirs, m)
			if raw == "" {
				continue
			}
			reply, err := jsonrpc.Parse([]byte(strings.ReplaceAll(raw, "ID", string(m.ID()))))
			if err != nil {
				t.Errorf("the test's answer: %v", err)
				return
			}
			if theirs.Send(context.Background(), reply) != nil {
				return
			}
		}
	}()
	i := inspector.New(ours, "srv", "9")
	t.Cleanup(func() { i.Close(); <-done })
	return i
}

func TestDemoServerIsInspected(t *testing.T) {
	ours, theirs := jsonrpc.Pipe()
	done := make(chan error, 1)
	go func() { done <- demo.Local("ann", "1").Serve(context.Background(), theirs) }()
	i := inspector.New(ours, "demo", "1")
	w, err := i.Initialize(t.Context())
	if err != nil || w != (inspector.Welcome{Name: "drawbridge-demo", Version: "1", Protocol: "2025-11-25", HasTools: true}) {
		t.Fatalf("Initialize = %+v, %v", w, err)
	}
	list, err := i.Tools(t.Context())
	if err != nil || len(list) != 3 || list[0].Name != "drawbridge_user_info" {
		t.Fatalf("Tools = %+v, %v", list, err)
	}
	a, err := i.Call(t.Context(), "drawbridge_user_info", []byte("{}"))
	if err != nil || a.Failed || len(a.Blocks) != 1 || !strings.Contains(a.Blocks[0].Text, `"user_kind":"local"`) {
		t.Fatalf("Call = %+v, %v", a, err)
	}
	_, err = i.Call(t.Context(), "none", []byte("{}"))
	var refusal *inspector.Refusal
	if !errors.As(err, &refusal) || refusal.Code != -32602 {
		t.Fatalf("call of an unknown tool = %v, want a refusal with -32602", err)
	}
	i.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestResultAndToolsKeepTheirBytes(t *testing.T) {
	const tool = `{"name" : "t","inputSchema":{"oneOf":[]},"x":9007199254740993,"y":1.0 }`
	const result = `{"content":[],"n":1.0,"big":123456789012345678901234567890}`
	i := answering(t, func(_ jsonrpc.Conn, m jsonrpc.Message) string {
		if m.Method() == "tools/list" {
			return `{"jsonrpc":"2.0","id":ID,"result":{"tools":[` + tool + `]}}`
		}
		return `{"jsonrpc":"2.0","id":ID,"result":` + result + `}`
	})
	list, err := i.Tools(t.Context())
	if err != nil || len(list) != 1 || string(list[0].Raw) != tool {
		t.Errorf("Tools = %s, %v, want %s", list, err, tool)
	}
	a, err := i.Call(t.Context(), "t", []byte(`{}`))
	if err != nil || string(a.Raw) != result {
		t.Errorf("Call = %s, %v, want %s", a.Raw, err, result)
	}
}

func TestServersRequestsAreAnsweredMeanwhile(t *testing.T) {
	got := map[string]string{}
	i := answering(t, func(c jsonrpc.Conn, m jsonrpc.Message) string {
		if m.Kind() == jsonrpc.Response {
			got[string(m.ID())] = string(m.Result()) + string(m.Error())
			if len(got) == 2 {
				return `{"jsonrpc":"2.0","id":1,"result":{}}`
			}
			return ""
		}
		ctx := context.Background()
		_ = c.Send(ctx, jsonrpc.NewRequest(`"p"`, "ping", nil))
		_ = c.Send(ctx, jsonrpc.NewNotification("notifications/message", []byte(`{}`)))
		_ = c.Send(ctx, jsonrpc.NewRequest(`"s"`, "sampling/createMessage", []byte(`{}`)))
		return ""
	})
	if _, err := i.Ask(t.Context(), "x", nil); err != nil {
		t.Fatal(err)
	}
	if got[`"p"`] != "{}" {
		t.Errorf("ping answered with %s, want {}", got[`"p"`])
	}
	if !strings.Contains(got[`"s"`], "-32601") {
		t.Errorf("sampling answered with %s, want -32601", got[`"s"`])
	}
}

// S-65.
func TestListingThatDoesNotEndIsEnded(t *testing.T) {
	page := func(tools int, next string) string {
		list := make([]string, tools)
		for n := range list {
			list[n] = `{"name":"t"}`
		}
		return `{"jsonrpc":"2.0","id":ID,"result":{"tools":[` + strings.Join(list, ",") + `],"nextCursor":` + next + `}}`
	}
	tests := []struct {
		name string
		page func(n int) string
		want string // in the error; "" is none
		size int
	}{
		{"circle", func(n int) string { return page(1, fmt.Sprintf(`"%d"`, n%3)) }, "circle", 0},
		{"201 pages", func(n int) string { return page(1, fmt.Sprintf(`"%d"`, n)) }, "200 pages", 0},
		{"200 pages", func(n int) string {
			if n == 199 {
				return page(1, `""`)
			}
			return page(1, fmt.Sprintf(`"%d"`, n))
		}, "", 200},
		{"more than 10000 tools", func(n int) string { return page(5001, fmt.Sprintf(`"%d"`, n)) }, "10000", 0},
		{"null instead of a list", func(int) string { return `{"jsonrpc":"2.0","id":ID,"result":{"tools":null}}` }, "no list", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := -1
			i := answering(t, func(jsonrpc.Conn, jsonrpc.Message) string { n++; return tt.page(n) })
			list, err := i.Tools(t.Context())
			if tt.want == "" {
				if err != nil || len(list) != tt.size {
					t.Fatalf("Tools = %d, %v, want %d tools", len(list), err, tt.size)
				}
				return
			}
			if !fault.IsCode(err, fault.ProtocolError) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Tools = %v, want DB_PROTOCOL_ERROR with %q", err, tt.want)
			}
		})
	}
}

func TestCursorIsHandedBackAsGiven(t *testing.T) {
	var asked []string
	i := answering(t, func(_ jsonrpc.Conn, m jsonrpc.Message) string {
		asked = append(asked, string(m.Params()))
		if len(asked) == 1 {
			return `{"jsonrpc":"2.0","id":ID,"result":{"tools":[],"nextCursor":"a\"<é"}}`
		}
		return `{"jsonrpc":"2.0","id":ID,"result":{"tools":[]}}`
	})
	if _, err := i.Tools(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"", `{"cursor":"a\"<é"}`}, asked); d != "" {
		t.Error(d)
	}
}

// S-52.
func TestGivingUpTellsTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan string, 1)
		i := answering(t, func(_ jsonrpc.Conn, m jsonrpc.Message) string {
			if m.Method() == "notifications/cancelled" {
				told <- string(m.Params())
			}
			return ""
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := i.Call(ctx, "slow", []byte("{}")); !fault.IsCode(err, fault.Timeout) {
			t.Errorf("Call = %v, want DB_TIMEOUT", err)
		}
		var got struct{ RequestID int }
		if err := json.Unmarshal([]byte(<-told), &got); err != nil || got.RequestID != 1 {
			t.Errorf("cancelled %+v, %v, want request 1", got, err)
		}
	})
}

func TestServerThatLeavesIsAFault(t *testing.T) {
	i := answering(t, func(c jsonrpc.Conn, _ jsonrpc.Message) string { c.Close(); return "" })
	_, err := i.Initialize(t.Context())
	if !fault.IsCode(err, fault.UpstreamError) {
		t.Errorf("Initialize = %v, want DB_UPSTREAM_ERROR", err)
	}
	if _, err := i.Ask(t.Context(), "ping", nil); !fault.IsCode(err, fault.UpstreamError) {
		t.Errorf("Ask afterwards = %v, want DB_UPSTREAM_ERROR", err)
	}
}

func TestHandshakeWithoutVersionIsRefused(t *testing.T) {
	for _, result := range []string{`{}`, `[]`, `null`, `{"protocolVersion":7}`} {
		i := answering(t, func(jsonrpc.Conn, jsonrpc.Message) string { return `{"jsonrpc":"2.0","id":ID,"result":` + result + `}` })
		if _, err := i.Initialize(t.Context()); !fault.IsCode(err, fault.ProtocolError) {
			t.Errorf("%s: Initialize = %v, want DB_PROTOCOL_ERROR", result, err)
		}
	}
}

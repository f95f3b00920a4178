package demo_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"drawbridge/internal/demo"
	"drawbridge/internal/jsonrpc"
	"github.com/google/go-cmp/cmp"
)

// start serves the demo and returns a function that asks it one thing.
func start(t *testing.T, s demo.Server) func(method, params string) jsonrpc.Message {
	t.Helper()
	ours, theirs := jsonrpc.Pipe()
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background(), theirs) }()
	t.Cleanup(func() {
		ours.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v, want nil after the client left", err)
		}
	})
	return func(method, params string) jsonrpc.Message {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var p []byte
		if params != "" {
			p = []byte(params)
		}
		if err := ours.Send(ctx, jsonrpc.NewRequest(`"q"`, method, p)); err != nil {
			t.Fatal(err)
		}
		m, err := ours.Recv(ctx)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		if m.ID() != `"q"` {
			t.Fatalf("%s: answer to %s, want to \"q\"", method, m.ID())
		}
		return m
	}
}

func decode[T any](t *testing.T, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

// F-030.
func TestHandshakeAgreesOnEveryInitializeEraVersion(t *testing.T) {
	ask := start(t, demo.Local("ann", "1.2.3"))
	for asked, want := range map[string]string{
		"2024-11-05": "2024-11-05",
		"2025-03-26": "2025-03-26",
		"2025-06-18": "2025-06-18",
		"2025-11-25": "2025-11-25",
		"2026-07-28": "2025-11-25",
		"1999-01-01": "2025-11-25",
	} {
		m := ask("initialize", `{"protocolVersion":"`+asked+`","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`)
		got := decode[struct {
			ProtocolVersion string
			Capabilities    map[string]any
			ServerInfo      struct{ Name, Version string }
		}](t, m.Result())
		if got.ProtocolVersion != want {
			t.Errorf("asked for %s: got %s, want %s", asked, got.ProtocolVersion, want)
		}
		if got.ServerInfo.Name != "drawbridge-demo" || got.ServerInfo.Version != "1.2.3" {
			t.Errorf("serverInfo = %+v", got.ServerInfo)
		}
		if _, ok := got.Capabilities["tools"]; !ok {
			t.Errorf("capabilities = %v, want tools", got.Capabilities)
		}
	}
}

// F-031.
func TestToolsTakeNoArguments(t *testing.T) {
	ask := start(t, demo.Local("ann", "1"))
	got := decode[struct {
		Tools []struct {
			Name        string
			InputSchema struct {
				Type       string
				Properties map[string]any
			}
		}
	}](t, ask("tools/list", "").Result())
	var names []string
	for _, tool := range got.Tools {
		names = append(names, tool.Name)
		if tool.InputSchema.Type != "object" || tool.InputSchema.Properties == nil || len(tool.InputSchema.Properties) != 0 {
			t.Errorf("%s: inputSchema = %+v, want an object without properties", tool.Name, tool.InputSchema)
		}
	}
	want := []string{"drawbridge_user_info", "drawbridge_session_info", "drawbridge_demo_info"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
}

func call(t *testing.T, ask func(string, string) jsonrpc.Message, tool string) string {
	t.Helper()
	got := decode[struct {
		Content []struct{ Type, Text string }
	}](t, ask("tools/call", `{"name":"`+tool+`","arguments":{}}`).Result())
	if len(got.Content) != 1 || got.Content[0].Type != "text" {
		t.Fatalf("%s: content = %+v, want one text", tool, got.Content)
	}
	return got.Content[0].Text
}

// F-031, F-033.
func TestToolsReportUserAndSession(t *testing.T) {
	tests := []struct {
		name          string
		server        demo.Server
		user, session string
	}{
		{"local", demo.Local("ann", "1"),
			`{"name":"ann","user_kind":"local","roles":[]}`,
			`{"gateway":null,"app_name":"demo","app_description":"` + demo.Description + `","mcp_transport_type":"stdio"}`},
		{"gateway", demo.Server{User: "bob", Kind: "user", Roles: []string{"dev"}, Gateway: "gw.test:443", App: "d2", Transport: "stdio"},
			`{"name":"bob","user_kind":"user","roles":["dev"]}`,
			`{"gateway":"gw.test:443","app_name":"d2","app_description":"` + demo.Description + `","mcp_transport_type":"stdio"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ask := start(t, tt.server)
			if got := call(t, ask, "drawbridge_user_info"); got != tt.user {
				t.Errorf("user info = %s, want %s", got, tt.user)
			}
			if got := call(t, ask, "drawbridge_session_info"); got != tt.session {
				t.Errorf("session info = %s, want %s", got, tt.session)
			}
			if got := call(t, ask, "drawbridge_demo_info"); len(got) < 300 {
				t.Errorf("demo info is too short to answer from: %q", got)
			}
		})
	}
}

func TestEveryRequestIsAnswered(t *testing.T) {
	ask := start(t, demo.Local("ann", "1"))
	if got := string(ask("ping", "").Result()); got != "{}" {
		t.Errorf("ping = %s, want {}", got)
	}
	for method, want := range map[string]int{"server/discover": -32601, "resources/list": -32601, "tools/call": -32602} {
		got := decode[struct{ Code int }](t, ask(method, `{"name":"none"}`).Error())
		if got.Code != want {
			t.Errorf("%s: code = %d, want %d", method, got.Code, want)
		}
	}
	if got := decode[struct{ Code int }](t, ask("tools/call", `{"name":7}`).Error()); got.Code != -32602 {
		t.Errorf("call with a number for a name: code = %d, want -32602", got.Code)
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// perform opens the conversation and makes a scenario's calls.
func perform(ctx context.Context, h *host, scenario string) error {
	if err := h.open(ctx); err != nil {
		return err
	}
	switch scenario {
	case "json-schema-ref-no-deref", "request-metadata", "initialize":
		_, err := h.tools(ctx)
		return err
	case "json-schema-2020-12-preservation":
		return echoSchema(ctx, h)
	case "sep-2322-client-request-state":
		return callNamed(ctx, h, "test_mrtr_echo_state", "test_mrtr_unrelated", "test_mrtr_no_state", "test_mrtr_no_result_type")
	case "http-standard-headers":
		return oneOfEach(ctx, h)
	case "http-custom-headers":
		return callAsTold(ctx, h)
	case "http-invalid-tool-headers":
		return callAll(ctx, h)
	default:
		return callFirst(ctx, h)
	}
}

// tool is what a host reads of a tool.
type tool struct {
	Name        string          `json:"name"`
	InputSchema json.RawMessage `json:"inputSchema"`
}

func (h *host) tools(ctx context.Context) ([]tool, error) {
	var res struct{ Tools []tool }
	if err := h.get(ctx, "tools/list", map[string]any{}, &res); err != nil {
		return nil, err
	}
	return res.Tools, nil
}

func (h *host) callTool(ctx context.Context, name string, arguments any) error {
	return h.get(ctx, "tools/call", map[string]any{"name": name, "arguments": arguments}, nil)
}

func callFirst(ctx context.Context, h *host) error {
	tools, err := h.tools(ctx)
	if err != nil {
		return err
	}
	if len(tools) == 0 {
		return errors.New("tools/list has no tools")
	}
	arguments := map[string]any{}
	if tools[0].Name == "add_numbers" {
		arguments = map[string]any{"a": 2, "b": 3}
	}
	if err := think(ctx); err != nil {
		return err
	}
	return h.callTool(ctx, tools[0].Name, arguments)
}

// thinking is what lies between a host's list and its first call, where people
// and models take longer. Without it sse-retry judges chance: its server sends
// the answer on the first GET to come, and the session's own may be on its way.
const thinking = 200 * time.Millisecond

func think(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(thinking):
		return nil
	}
}

func callNamed(ctx context.Context, h *host, names ...string) error {
	if _, err := h.tools(ctx); err != nil {
		return err
	}
	for _, name := range names {
		if err := h.callTool(ctx, name, map[string]any{}); err != nil {
			return err
		}
	}
	return nil
}

func callAll(ctx context.Context, h *host) error {
	tools, err := h.tools(ctx)
	if err != nil {
		return err
	}
	for _, t := range tools {
		if err := h.callTool(ctx, t.Name, map[string]any{"region": "us-west1"}); err != nil {
			return err
		}
	}
	return nil
}

func callAsTold(ctx context.Context, h *host) error {
	told, err := readContext()
	if err != nil {
		return fmt.Errorf("read MCP_CONFORMANCE_CONTEXT: %w", err)
	}
	if _, err := h.tools(ctx); err != nil {
		return err
	}
	for _, c := range told.ToolCalls {
		if err := h.callTool(ctx, c.Name, c.Arguments); err != nil {
			return err
		}
	}
	return nil
}

// echoSchema sends a schema back as it was listed.
func echoSchema(ctx context.Context, h *host) error {
	tools, err := h.tools(ctx)
	if err != nil {
		return err
	}
	for _, t := range tools {
		if t.Name == "json_schema_2020_12_tool" {
			return h.callTool(ctx, "json_schema_echo", map[string]any{"schema": t.InputSchema})
		}
	}
	return errors.New("json_schema_2020_12_tool is not listed")
}

// oneOfEach lists and uses one tool, one resource and one prompt.
func oneOfEach(ctx context.Context, h *host) error {
	if err := callFirst(ctx, h); err != nil {
		return err
	}
	var resources struct{ Resources []struct{ URI string } }
	if err := h.get(ctx, "resources/list", map[string]any{}, &resources); err != nil {
		return err
	}
	if len(resources.Resources) == 0 {
		return errors.New("resources/list has no resources")
	}
	if err := h.get(ctx, "resources/read", map[string]any{"uri": resources.Resources[0].URI}, nil); err != nil {
		return err
	}
	var prompts struct{ Prompts []struct{ Name string } }
	if err := h.get(ctx, "prompts/list", map[string]any{}, &prompts); err != nil {
		return err
	}
	if len(prompts.Prompts) == 0 {
		return errors.New("prompts/list has no prompts")
	}
	return h.get(ctx, "prompts/get", map[string]any{"name": prompts.Prompts[0].Name}, nil)
}

package session

import (
	"bytes"
	"context"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
	"drawbridge/internal/policy"
)

// gate holds one server's rules: which tools may be called and seen.
type gate struct {
	server string
	rules  *policy.Rules
}

// newGate compiles the entry's rules; nil when it has none.
func newGate(s catalog.Server) (*gate, error) {
	if s.Tools == nil {
		return nil, nil
	}
	o := policy.Options{Unlisted: policy.AllowUnlisted, Syntax: policy.Globs}
	rules, err := policy.Compile(s.Tools.Allow, s.Tools.Deny, o)
	if err != nil {
		return nil, err
	}
	return &gate{server: s.Name, rules: rules}, nil
}

// Admit refuses calls of tools that are not allowed. A call whose tool cannot
// be told is one.
func (g *gate) Admit(_ context.Context, m jsonrpc.Message) error {
	if m.Method() != mcp.MethodToolsCall {
		return nil
	}
	name, ok := mcp.ToolName(m.Params())
	if ok && g.rules.Allows(name) {
		return nil
	}
	return fault.New(fault.ToolDenied, g.server).With("you may not use the tool %s", fault.Excerpt(name))
}

// Release cuts the tools that are not allowed out of a listing.
func (g *gate) Release(_ context.Context, request, answer jsonrpc.Message) (jsonrpc.Message, error) {
	if request.Method() != mcp.MethodToolsList || answer.Result() == nil {
		return answer, nil
	}
	out, cut := mcp.CutTools(answer.Result(), g.rules.Allows)
	if cut == 0 && bytes.Equal(out, answer.Result()) {
		return answer, nil
	}
	return answer.WithResult(out)
}

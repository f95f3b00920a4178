package inspector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// Limits of a listing (security S-65).
const (
	pagesMost = 200
	toolsMost = 10_000
)

// Tool is one entry of a listing.
type Tool struct {
	Name        string
	Description string
	Raw         json.RawMessage // as the server wrote it
}

// Tools lists the server's tools, page by page.
func (i *Inspector) Tools(ctx context.Context) ([]Tool, error) {
	var list []Tool
	seen := map[string]bool{}
	var params []byte
	for range pagesMost {
		result, err := i.Ask(ctx, mcp.MethodToolsList, params)
		if err != nil {
			return nil, err
		}
		page, next, err := readPage(result)
		if err != nil {
			return nil, fault.New(fault.ProtocolError, i.server).Because(err)
		}
		list = append(list, page...)
		if next == "" {
			return list, nil
		}
		if len(list) > toolsMost {
			return nil, fault.New(fault.ProtocolError, i.server).With("the server lists more than %d tools", toolsMost)
		}
		if seen[next] {
			return nil, fault.New(fault.ProtocolError, i.server).With("the server's tool list goes in a circle")
		}
		seen[next] = true
		params = []byte(`{"cursor":` + string(jsonrpc.Quote(next)) + `}`)
	}
	return nil, fault.New(fault.ProtocolError, i.server).With("the server's tool list has more than %d pages", pagesMost)
}

func readPage(result []byte) (list []Tool, next string, err error) {
	var page struct {
		Tools *[]json.RawMessage `json:"tools"`
		Next  string             `json:"nextCursor"`
	}
	if err := json.Unmarshal(result, &page); err != nil {
		return nil, "", fmt.Errorf("the answer to tools/list: %w", err)
	}
	if page.Tools == nil {
		return nil, "", errors.New("the answer to tools/list has no list of tools")
	}
	for n, raw := range *page.Tools {
		var t struct {
			Name        string `json:"name"`
			Description string `json:"description"`
		}
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, "", fmt.Errorf("tool %d of the list: %w", n+1, err)
		}
		list = append(list, Tool{t.Name, t.Description, raw})
	}
	return list, page.Next, nil
}

// Answer is what a tool answered.
type Answer struct {
	Raw    json.RawMessage // the result, as the server wrote it
	Failed bool            // the tool itself reports an error
	Blocks []Block
}

// Block is one piece of an answer's content.
type Block struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	MIME     string `json:"mimeType"`
	URI      string `json:"uri"` // of a resource_link
	Resource struct {
		URI  string `json:"uri"`
		MIME string `json:"mimeType"`
		Text string `json:"text"`
	} `json:"resource"`
}

// Call runs a tool; arguments is a JSON object.
func (i *Inspector) Call(ctx context.Context, tool string, arguments []byte) (Answer, error) {
	params := `{"name":` + string(jsonrpc.Quote(tool)) + `,"arguments":` + string(arguments) + `}`
	result, err := i.Ask(ctx, mcp.MethodToolsCall, []byte(params))
	if err != nil {
		return Answer{}, err
	}
	var r struct {
		Failed bool    `json:"isError"`
		Blocks []Block `json:"content"`
	}
	if err := json.Unmarshal(result, &r); err != nil {
		return Answer{}, fault.New(fault.ProtocolError, i.server).Because(fmt.Errorf("the answer to tools/call: %w", err))
	}
	return Answer{Raw: result, Failed: r.Failed, Blocks: r.Blocks}, nil
}

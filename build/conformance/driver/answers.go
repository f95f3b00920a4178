package main

import (
	"encoding/json"
	"fmt"
)

// asked is a result that may be questions.
type asked struct {
	ResultType    string `json:"resultType"`
	InputRequests map[string]struct {
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	} `json:"inputRequests"`
	RequestState *string `json:"requestState"`
}

// answerInto puts the answers and the state into the params of the next round.
func (a asked) answerInto(params map[string]any) error {
	responses := map[string]any{}
	for key, q := range a.InputRequests {
		result, err := answer(q.Method, q.Params)
		if err != nil {
			return fmt.Errorf("%s asked in a result: %w", q.Method, err)
		}
		responses[key] = result
	}
	params["inputResponses"] = responses
	delete(params, "requestState")
	if a.RequestState != nil {
		params["requestState"] = *a.RequestState
	}
	return nil
}

// answer is what this host says to a server's question.
func answer(method string, params json.RawMessage) (any, *wireError) {
	switch method {
	case "elicitation/create":
		return map[string]any{"action": "accept", "content": filled(params)}, nil
	case "sampling/createMessage":
		content := map[string]any{"type": "text", "text": "Hello."}
		return map[string]any{"role": "assistant", "content": content, "model": "none", "stopReason": "endTurn"}, nil
	case "roots/list":
		return map[string]any{"roots": []any{map[string]any{"uri": "file:///tmp", "name": "tmp"}}}, nil
	case "ping":
		return map[string]any{}, nil
	default:
		return nil, &wireError{Code: -32601, Message: "Method not found: " + method}
	}
}

// filled is a form with its defaults, and something of the right type where
// there is none.
func filled(params json.RawMessage) map[string]any {
	var form struct {
		RequestedSchema struct {
			Properties map[string]struct {
				Type    string          `json:"type"`
				Default json.RawMessage `json:"default"`
			} `json:"properties"`
		} `json:"requestedSchema"`
	}
	content := map[string]any{}
	if json.Unmarshal(params, &form) != nil {
		return content // the server will miss its answers
	}
	for name, p := range form.RequestedSchema.Properties {
		switch {
		case p.Default != nil:
			content[name] = p.Default
		case p.Type == "boolean":
			content[name] = true
		case p.Type == "integer", p.Type == "number":
			content[name] = 1
		default:
			content[name] = "text"
		}
	}
	return content
}

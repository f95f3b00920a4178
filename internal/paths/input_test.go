package paths

import (
	"encoding/json"
	"fmt"
	"strings"
)

// asksForInput tells whether a call of this method may be answered with a question
// since 2026-07-28.
func asksForInput(method string) bool {
	return method == "tools/call" || method == "prompts/get" || method == "resources/read"
}

// input has the server of one era ask the client of the other during a call: what
// is asked, and what is answered, comes in its own letters. What is left to be done
// is the call as the client sees it, and as the server does.
func (x *oddLine) input(r request, in incoming) (request, incoming, error) {
	x.breaks = false
	params, given := x.object(x.extras()...).String(), x.object(x.extras()...).String()
	if x.fromModern() {
		return x.inputHeld(r, in, params, given)
	}
	return x.inputRetried(r, in, params, given)
}

// inputHeld is a request of a server of the initialize era. The client gets it in
// place of an answer, and answers with the call sent again.
func (x *oddLine) inputHeld(r request, in incoming, params, given string) (request, incoming, error) {
	id := x.id()
	in.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"sampling/createMessage","params":%s}`, id, params))
	h, err := x.hear()
	if err == nil {
		err = holds("client", h.body, `"resultType":"input_required"`, `{"method":"sampling/createMessage","params":`+params+`}`)
	}
	if err != nil {
		return r, in, err
	}
	var asked struct {
		Result struct {
			InputRequests map[string]json.RawMessage
			RequestState  json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(h.body), &asked); err != nil || len(asked.Result.InputRequests) != 1 {
		return r, in, fmt.Errorf("the client is asked %.600s, %v", h.body, err)
	}
	for key := range asked.Result.InputRequests {
		quoted, err := json.Marshal(key)
		if err != nil {
			return r, in, err
		}
		r.params = r.params.with("inputResponses", "{"+string(quoted)+":"+given+"}").with("requestState", string(asked.Result.RequestState))
	}
	r.envelope = r.envelope.with("id", x.id()).with("params", r.params.String())
	if err := x.client.send(r.envelope.String()); err != nil {
		return r, in, err
	}
	back, err := arrives(x.came)
	if err == nil {
		err = holds("server", back.body, `"id":`+id+`,"result":`+given+`}`)
	}
	return r, in, err
}

// inputRetried is a question of a server of 2026-07-28 in place of an answer. The
// client gets it as a request, and the server the call again with the answer.
func (x *oddLine) inputRetried(r request, in incoming, params, given string) (request, incoming, error) {
	state := strings.ReplaceAll(x.text(), `\ud800`, "") // half a character is no state
	in.answer(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"sampling/createMessage","params":%s}},"requestState":%s}}`, in.ID, params, state))
	h, err := x.hear()
	if err != nil {
		return r, in, err
	}
	ask, err := headOf(h.body)
	if err != nil || ask.Method != "sampling/createMessage" || string(ask.Params) != params {
		return r, in, fmt.Errorf("the client is asked %.600s, want %.600s, %v", h.body, params, err)
	}
	if err := x.client.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, ask.ID, given)); err != nil {
		return r, in, err
	}
	again, err := arrives(x.came)
	if err != nil {
		return r, in, err
	}
	texts := []string{`"inputResponses":{"k":` + given + `}`, `"requestState":` + state}
	for _, m := range r.params.members {
		if m.name != "_meta" {
			texts = append(texts, m.key+m.value)
		}
	}
	if x.far == program {
		for i := range texts {
			texts[i] = breaks.Replace(texts[i])
		}
	}
	return r, again, holds("server", again.body, texts...)
}

//go:build e2e

package e2e

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/wire"
)

// protocol is the version the clients ask for.
const protocol = "2025-11-25"

type caller interface {
	Call(ctx context.Context, method, params string) (wire.Message, error)
}

// conversation is a client with sampling, elicitation and roots that writes
// down, as bytes, what the server sent it.
type conversation struct {
	*rig
	caller

	mu         sync.Mutex
	transcript []string
}

func (v *conversation) write(line string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.transcript = append(v.transcript, line)
}

// open performs the handshake.
func (v *conversation) open(handshake func() ([]byte, error)) {
	v.t.Helper()
	answer, err := handshake()
	v.must(err, "initialize")
	v.write("initialize: " + string(answer))
}

// answer is the person and the model on the client's side.
func (v *conversation) answer(m wire.Message) []byte {
	switch m.Method {
	case "sampling/createMessage":
		v.write("asked: " + m.Method + " " + string(m.Params))
		return wire.Result(m.ID, `{"role":"assistant","content":{"type":"text","text":"as \u00e9xpected"},"model":"none","stopReason":"endTurn"}`)
	case "elicitation/create":
		v.write("asked: " + m.Method + " " + string(m.Params))
		return wire.Result(m.ID, `{"action":"accept","content":{"name":"Ada","integer":7}}`)
	case "roots/list": // asked by a timer of the server, so at no fixed place
		return wire.Result(m.ID, `{"roots":[{"uri":"file:///tmp","name":"tmp"}]}`)
	default:
		return nil
	}
}

// note writes down progress; other notifications come when they like.
func (v *conversation) note(m wire.Message) {
	if m.Method == "notifications/progress" {
		v.write("progress: " + string(m.Raw))
	}
}

// call sends one request and writes the answer down.
func (v *conversation) call(method, params string) wire.Message {
	v.t.Helper()
	ctx, cancel := v.limited()
	defer cancel()
	m, err := v.Call(ctx, method, params)
	v.must(err, "%s %s", method, params)
	v.write(method + ": " + string(m.Raw))
	return m
}

// tool calls a tool that must succeed.
func (v *conversation) tool(name, arguments string) string {
	v.t.Helper()
	text, err := client.ToolText(v.call("tools/call", client.CallParams(name, arguments)))
	v.must(err, "tool %s", name)
	return text
}

// requests are what a conversation is compared by: every kind of answer whose
// bytes are the same each time.
var requests = [][2]string{
	{"tools/list", `{}`},
	{"resources/list", `{}`},
	{"resources/templates/list", `{}`},
	{"prompts/list", `{}`},
	{"tools/call", `{"name":"echo","arguments":{"message":"caf\u00e9 \ud83d\ude80 \"<&>\""}}`},
	{"tools/call", `{"name":"get-sum","arguments":{"a":0.1,"b":2e21}}`},
	{"tools/call", `{"name":"get-tiny-image","arguments":{}}`},
	{"tools/call", `{"name":"get-structured-content","arguments":{"location":"New York"}}`},
	{"tools/call", `{"name":"get-annotated-message","arguments":{"messageType":"error","includeImage":true}}`},
	{"tools/call", `{"name":"get-resource-links","arguments":{"count":3}}`},
	{"tools/call", `{"name":"no-such-tool","arguments":{}}`},
	{"resources/read", `{"uri":"demo://resource/static/document/architecture.md"}`},
	{"resources/read", `{"uri":"demo://nowhere"}`},
	{"prompts/get", `{"name":"simple-prompt"}`},
	{"prompts/get", `{"name":"args-prompt","arguments":{"city":"Seoul","state":"\u1112"}}`},
	{"completion/complete", `{"ref":{"type":"ref/prompt","name":"completable-prompt"},"argument":{"name":"department","value":"E"}}`},
	{"logging/setLevel", `{"level":"error"}`},
	{"ping", `{}`},
	{"x/unknown", `{"deep":{"n":9007199254740993}}`},
	{"tools/call", `{"name":"trigger-long-running-operation","arguments":{"duration":0.3,"steps":3},"_meta":{"progressToken":"p-1"}}`},
	{"tools/call", `{"name":"trigger-sampling-request","arguments":{"prompt":"say it","maxTokens":9}}`},
	{"tools/call", `{"name":"trigger-elicitation-request","arguments":{}}`},
}

// talk makes all the requests and returns the transcript.
func (v *conversation) talk() []string {
	v.t.Helper()
	for _, r := range requests {
		v.call(r[0], r[1])
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.transcript)
}

// S-02, W-01, W-10, F-132, F-145: a client gets the same bytes through us as
// without us: answers, errors, progress before its answer, and the server's own
// requests.
func TestBytesEqualThoseOfTheDirectConnection(t *testing.T) {
	for _, m := range modes {
		t.Run(m.arg, func(t *testing.T) {
			t.Parallel()
			e := newEverything(t, m)
			e.add()
			want := e.direct().talk()
			mustHold(t, want, "asked: sampling/createMessage", "asked: elicitation/create", "progress: ", "say it", "Ada", "Seoul", "architecture")
			for _, f := range faces {
				t.Run(f.name, func(t *testing.T) {
					inner := *e
					own := *e.rig
					own.t = t
					inner.rig = &own
					if diff := cmp.Diff(want, f.open(&inner).talk()); diff != "" {
						t.Errorf("transcript differs (-direct +through us):\n%s", diff)
					}
				})
			}
		})
	}
}

// mustHold guards against comparing nothing with nothing.
func mustHold(t *testing.T, transcript []string, parts ...string) {
	t.Helper()
	all := strings.Join(transcript, "\n")
	for _, p := range parts {
		if !strings.Contains(all, p) {
			t.Fatalf("the direct conversation lacks %q:\n%s", p, all)
		}
	}
}

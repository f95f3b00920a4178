package main

import (
	"context"
	"testing"
)

// plain answers every request without anything a probe looks for, as a bridge
// does that decodes and encodes.
type plain struct{}

func (plain) exchange(context.Context, string, int) ([]string, error) {
	return []string{`{"jsonrpc":"2.0","id":7,"result":{"content":[],"n":9007199254740992,"f":1}}`}, nil
}

func (plain) close() {}

func TestEveryProbeFailsOnADamagedAnswer(t *testing.T) {
	for _, p := range probes() {
		run := p.run
		if run == nil {
			run = probeBatch
		}
		if err := run(t.Context(), plain{}); err == nil {
			t.Errorf("the probe of %s passes", p.name)
		}
	}
	if err := open(t.Context(), plain{}, "2025-11-25"); err == nil {
		t.Error("the opening passes without the server's vendor fields")
	}
}

func TestAnswersAreCountedInMessagesAndBatches(t *testing.T) {
	for text, want := range map[string]int{
		`{"id":1,"result":{}}`:                          1,
		`{"id":1,"method":"ping"}`:                      0,
		`{"method":"notifications/x"}`:                  0,
		`[{"id":1,"result":{}},{"id":2,"error":{}},{}]`: 2,
		`nothing`: 0,
	} {
		if got := answers(text); got != want {
			t.Errorf("answers(%s) = %d, want %d", text, got, want)
		}
	}
}

func TestPayloadsOfAStreamAreItsData(t *testing.T) {
	got := payloads("text/event-stream", []byte("id: 1\ndata:\n\ndata: {\"a\":1}\n\n: note\ndata: {\"b\":2}\n\n"))
	if len(got) != 2 || got[0] != `{"a":1}` || got[1] != `{"b":2}` {
		t.Errorf("payloads %q, want two messages", got)
	}
}

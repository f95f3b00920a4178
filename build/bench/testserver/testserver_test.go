package testserver

import (
	"runtime"
	"strings"
	"testing"

	"drawbridge/build/bench/wire"
)

func handle(t *testing.T, s *Server, sess *Session, line string, emit func([]byte) error) wire.Message {
	t.Helper()
	m, err := wire.Scan([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	out, err := wire.Scan(s.Handle(t.Context(), sess, m, emit))
	if err != nil {
		t.Fatalf("the answer to %s does not scan: %v", line, err)
	}
	return out
}

func TestEchoReturnsTheTextAsWritten(t *testing.T) {
	const raw = `"\u00e9 \ud83d\ude80 \"q\""`
	m := handle(t, &Server{}, NewSession(), `{"id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":`+raw+`}}}`, nil)
	if !strings.Contains(string(m.Result), raw) {
		t.Errorf("result %s lacks %s", m.Result, raw)
	}
}

func TestInitializeAnswersTheVersionAsked(t *testing.T) {
	s := &Server{Name: "n"}
	for asked, want := range map[string]string{"2024-11-05": "2024-11-05", "2030-01-01": "2025-11-25"} {
		m := handle(t, s, NewSession(), `{"id":1,"method":"initialize","params":{"protocolVersion":"`+asked+`"}}`, nil)
		if got := strings.Trim(string(wire.Get(m.Result, "protocolVersion")), `"`); got != want {
			t.Errorf("asked %s, got %s, want %s", asked, got, want)
		}
	}
	if got := s.C.Initialize.Load(); got != 2 {
		t.Errorf("counted %d initialize, want 2", got)
	}
}

func TestServerRequestsReachTheClient(t *testing.T) {
	s, sess := &Server{}, NewSession()
	emit := func(b []byte) error {
		m, err := wire.Scan(b)
		if err != nil {
			return err
		}
		answer, err := wire.Scan(wire.Result(m.ID, `{"roots":["here"]}`))
		sess.Response(answer)
		return err
	}
	m := handle(t, s, sess, `{"id":1,"method":"tools/call","params":{"name":"roots"}}`, emit)
	if got := wire.Text(m.Result); !strings.Contains(got, "here") {
		t.Errorf("roots tool answered %q", got)
	}
}

func TestCancelledCallStops(t *testing.T) {
	s, sess := &Server{}, NewSession()
	done := make(chan string)
	go func() {
		m, err := wire.Scan([]byte(`{"id":5,"method":"tools/call","params":{"name":"sleep","arguments":{"ms":60000}}}`))
		if err != nil {
			panic(err)
		}
		out, err := wire.Scan(s.Handle(t.Context(), sess, m, nil))
		if err != nil {
			panic(err)
		}
		done <- wire.Text(out.Result)
	}()
	note, err := wire.Scan([]byte(`{"method":"notifications/cancelled","params":{"requestId":5}}`))
	if err != nil {
		t.Fatal(err)
	}
	for { // until the call is under way and the note finds it
		s.Notification(sess, note)
		select {
		case got := <-done:
			if got != "cancelled" || s.C.CancelCtx.Load() != 1 {
				t.Errorf("answer %q, %d stopped", got, s.C.CancelCtx.Load())
			}
			return
		default:
			runtime.Gosched()
		}
	}
}

package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"drawbridge/build/bench/wire"
)

func scan(t *testing.T, line string) wire.Message {
	t.Helper()
	m, err := wire.Scan([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSecondAnswersAreCounted(t *testing.T) {
	w := newWaiting()
	first, dropped := w.add("1"), w.add("2")
	w.drop("2")
	for _, line := range []string{`{"id":1,"result":{}}`, `{"id":1,"result":{}}`, `{"id":2,"result":{}}`, `{"id":9,"result":{}}`} {
		w.deliver(scan(t, line))
	}
	if got := w.unasked.Load(); got != 3 {
		t.Errorf("%d answers nobody waited for, want 3", got)
	}
	if len(first) != 1 || len(dropped) != 0 {
		t.Errorf("%d answers for the call, %d for the dropped one, want 1 and 0", len(first), len(dropped))
	}
}

// serve answers every POST with what f says for it.
func serve(t *testing.T, f func(w http.ResponseWriter, m wire.Message)) *HTTP {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		m, err := wire.Scan(b)
		if err != nil {
			t.Error(err)
		}
		f(w, m)
	}))
	t.Cleanup(s.Close)
	c := NewHTTP(s.URL)
	t.Cleanup(c.Close)
	return c
}

func TestAnswersOfBothKindsArrive(t *testing.T) {
	answer := func(m wire.Message) []byte { return wire.Result(m.ID, `{"content":[{"text":"hello"}]}`) }
	for name, f := range map[string]func(w http.ResponseWriter, m wire.Message){
		"JSON": func(w http.ResponseWriter, m wire.Message) {
			fmt.Fprintf(w, "%s", answer(m))
		},
		"event stream": func(w http.ResponseWriter, m wire.Message) {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, data := range [][]byte{wire.Notification("notifications/progress", "{}"), answer(m)} {
				if err := wire.WriteEvent(w, wire.Event{Data: data}); err != nil {
					t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, f)
			notified := 0
			c.OnNotification = func(wire.Message) { notified++ }
			got, err := c.Tool(10*time.Second, "echo", `{}`)
			if err != nil || got != "hello" {
				t.Errorf("got %q %v, want hello", got, err)
			}
			if name != "JSON" && notified != 1 {
				t.Errorf("%d notifications before the answer, want 1", notified)
			}
		})
	}
}

func TestRefusalsKeepTheirKind(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, m wire.Message) {
		if m.Method == "initialize" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "%s", wire.Error(m.ID, -32602, "no such tool"))
	})
	_, err := c.Init(10*time.Second, "2025-06-18")
	var status *HTTPError
	if !errors.As(err, &status) || status.Code != http.StatusForbidden {
		t.Errorf("initialize: %v, want HTTP 403", err)
	}
	_, err = c.Tool(10*time.Second, "x", `{}`)
	var refusal *RPCError
	if !errors.As(err, &refusal) || refusal.Code != -32602 {
		t.Errorf("call: %v, want the code -32602", err)
	}
}

package session

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/era"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/relay"
)

// line is a connection to a server that ends when it is cut.
type line struct {
	jsonrpc.Conn
	far jsonrpc.Conn
	cut chan struct{}
}

func (l *line) Send(ctx context.Context, m jsonrpc.Message) error {
	select {
	case <-l.cut:
		return errors.New("broken pipe")
	default:
		return l.Conn.Send(ctx, m)
	}
}

func (l *line) Recv(ctx context.Context) (jsonrpc.Message, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-l.cut:
			cancel()
		case <-stop:
		}
	}()
	m, err := l.Conn.Recv(ctx)
	if err != nil {
		err = fault.New(fault.CommandExited, "srv")
	}
	return m, err
}

// A conversation that is carried over to a stateless server goes on when the
// server is lost: what only reads is asked again, what may have taken effect is
// not, and the listen is opened anew.
func TestCarriedConversationGoesOnAfterTheServersLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := make(chan *line, 4)
		o := era.Options{Server: "srv", Log: slog.New(slog.DiscardHandler), Child: true, Protocol: era.Modern, Memory: &era.Memory{},
			Dial: func(context.Context) (jsonrpc.Conn, error) {
				near, far := jsonrpc.Pipe()
				l := &line{Conn: near, far: far, cut: make(chan struct{})}
				lines <- l
				return l, nil
			}}
		near, client := jsonrpc.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- relay.Run(t.Context(), near, relay.Options{Server: "srv", Log: o.Log, Reconnect: true, Discover: true,
				Dial: func(ctx context.Context) (jsonrpc.Conn, error) { return era.Open(ctx, o) }})
		}()
		say := func(c jsonrpc.Conn, s string) {
			t.Helper()
			if err := c.Send(t.Context(), parse(t, s)); err != nil {
				t.Fatal(err)
			}
		}
		hear := func(c jsonrpc.Conn, method string) jsonrpc.Message {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			m, err := c.Recv(ctx)
			if err != nil || m.Method() != method {
				t.Fatalf("got %s, %v, want %s", m.Bytes(), err, method)
			}
			return m
		}
		meet := func() *line {
			t.Helper()
			l := <-lines
			m := hear(l.far, "server/discover")
			say(l.far, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}}}}`)
			return l
		}
		say(client, `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}`)
		l := meet()
		hear(client, "")
		say(client, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
		hear(l.far, "subscriptions/listen")
		say(client, `{"jsonrpc":"2.0","id":"call","method":"tools/call","params":{"name":"a"}}`)
		say(client, `{"jsonrpc":"2.0","id":"list","method":"tools/list"}`)
		hear(l.far, "tools/call")
		hear(l.far, "tools/list")
		close(l.cut)
		if m := hear(client, ""); m.ID() != `"call"` || m.Error() == nil {
			t.Errorf("the call is answered with %s", m.Bytes())
		}
		l = meet()
		got := map[string]jsonrpc.Message{}
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			m, err := l.far.Recv(ctx)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			got[m.Method()] = m
		}
		if got["subscriptions/listen"].Kind() == "" || got["tools/list"].Kind() == "" {
			t.Fatalf("the next connection got %v", got)
		}
		say(l.far, `{"jsonrpc":"2.0","id":`+string(got["tools/list"].ID())+`,"result":{"tools":[]}}`)
		if m := hear(client, ""); m.ID() != `"list"` || m.Result() == nil {
			t.Errorf("the listing is answered with %s", m.Bytes())
		}
		client.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

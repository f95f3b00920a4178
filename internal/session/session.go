// Package session is one client's conversation put together: the client's
// Conn, the relay, the rules of the server's entry, and the way to the server.
//
// It promises what package relay promises, with the limits of one server's
// catalog entry applied. Where the client comes from (stdin, a local port) is
// left to the caller.
package session

import (
	"context"
	"log/slog"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/era"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/relay"
	"drawbridge/internal/upstream"
)

// Options are what a conversation needs besides its two ends.
type Options struct {
	Log       *slog.Logger
	Version   string            // product version
	Reconnect bool              // reach the server again after a loss
	MaxBytes  int               // of one message; 0 is jsonrpc.MaxBytes
	Patience  upstream.Patience // with a child at the end; zero is upstream.OwnEnd
	Era       *era.Memory       // what other conversations with this server found out; nil is nothing
	Known     *Known            // what earlier processes found out; nil is nothing
	Authorize string            // the client's own Authorization header, used if the entry passes it on
}

// Run serves the client until it leaves or the server is lost for good. It
// closes client and returns when nothing of the conversation is left.
func Run(ctx context.Context, client jsonrpc.Conn, s catalog.Server, o Options) error {
	gate, err := newGate(s)
	if err != nil {
		client.Close()
		return err
	}
	if s.PassAuth && o.Authorize != "" {
		s.Headers = withHeader(s.Headers, "Authorization", o.Authorize)
	}
	ro := relay.Options{
		Server:    s.Name,
		Log:       o.Log,
		Reconnect: o.Reconnect,
		Eager:     s.Transport != catalog.Stdio,
		Discover:  true,
	}
	if o.Era == nil {
		o.Era = &era.Memory{}
	}
	defer o.Known.attend(s, o.Era, o.Log)()
	if s.Transport == catalog.Stdio {
		ro.Limit = time.Duration(s.Timeout) // over HTTP, upstream ends the POST itself
	}
	if gate != nil {
		ro.Gate = gate
	}
	ro.Dial = dialer(s, upstream.Options{Log: o.Log, MaxBytes: o.MaxBytes, Version: o.Version, Patience: o.Patience}, o.Era)
	return relay.Run(ctx, client, ro)
}

func withHeader(h map[string]string, name, value string) map[string]string {
	out := make(map[string]string, len(h)+1)
	for k, v := range h {
		out[k] = v
	}
	out[name] = value
	return out
}

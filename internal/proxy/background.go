package proxy

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/session"
)

// Background keeps an endpoint for each of a changing list of servers.
type Background struct {
	Places  *Places
	Session session.Options
	Log     *slog.Logger
	// Changed is told when an endpoint listens (err nil) or could not. It must
	// not block.
	Changed func(e *Endpoint, name string, err error)
}

// The pauses between tries of an endpoint that cannot listen.
const (
	againFirst = time.Second
	againMost  = 2 * time.Minute
	againGood  = time.Minute // an endpoint that listened so long was no failure
)

// Run keeps the endpoints of the newest list that came from servers until ctx
// ends, and returns when all of them have stopped. An endpoint whose entry
// changed starts anew with it, on the same port.
func (b *Background) Run(ctx context.Context, servers <-chan []catalog.Server) error {
	type running struct {
		server catalog.Server
		cancel context.CancelFunc
		done   chan struct{}
	}
	now := map[string]running{}
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case list := <-servers:
			want := map[string]catalog.Server{}
			for _, s := range list {
				want[s.Name] = s
			}
			var ending []running // all at once: each may take a second
			for name, r := range now {
				if s, ok := want[name]; ok && reflect.DeepEqual(s, r.server) {
					continue
				}
				r.cancel()
				ending = append(ending, r)
				delete(now, name)
			}
			for _, r := range ending {
				<-r.done
			}
			for name, s := range want {
				if _, ok := now[name]; ok {
					continue
				}
				one, cancel := context.WithCancel(ctx)
				r := running{server: s, cancel: cancel, done: make(chan struct{})}
				now[name] = r
				wg.Go(func() { defer close(r.done); defer cancel(); b.keep(one, s) })
			}
		}
	}
}

// keep runs one endpoint, and again when it failed for a passing reason.
func (b *Background) keep(ctx context.Context, s catalog.Server) {
	for pause := time.Duration(0); ctx.Err() == nil; {
		began := time.Now()
		err := b.once(ctx, s)
		if ctx.Err() != nil {
			return
		}
		b.Changed(nil, s.Name, err)
		if fault.IsCode(err, fault.NameInvalid) || fault.IsCode(err, fault.StateNewer) {
			return // trying again changes nothing
		}
		pause = pauseAfter(pause, time.Since(began))
		t := time.NewTimer(pause + rand.N(pause/5+1))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// pauseAfter is the pause that follows a try: longer than the last, unless the
// endpoint listened a good while in between.
func pauseAfter(last, lived time.Duration) time.Duration {
	if lived >= againGood {
		last = 0
	}
	return min(max(2*last, againFirst), againMost)
}

func (b *Background) once(ctx context.Context, s catalog.Server) error {
	place, err := b.Places.Keyed(ctx, s.Name)
	if err != nil {
		return err
	}
	c := Config{Server: s, Port: place.Port, Key: place.Key, Session: b.Session}
	e, err := Listen(ctx, c)
	if fault.IsCode(err, fault.PortInUse) && place.Port != 0 {
		// Another program has our port and clients may have sent it the key
		// (S-19): go on elsewhere, with another key.
		b.Log.Warn("port taken by another program, choosing a new one", "server", s.Name, "port", place.Port)
		if place, err = b.Places.Rekey(ctx, s.Name); err != nil {
			return err
		}
		c.Port, c.Key = 0, place.Key
		e, err = Listen(ctx, c)
	}
	if err != nil {
		return err
	}
	defer e.Close()
	if err := b.Places.Keep(ctx, s.Name, e.Port()); err != nil {
		return err
	}
	b.Changed(e, s.Name, nil)
	if err := e.Run(ctx); err != nil {
		return err
	}
	return errors.New("the endpoint stopped")
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// probeLimit is for one answer, which takes milliseconds.
const probeLimit = 10 * time.Second

// wire is a client that sends bytes as they are and keeps what comes.
type wire interface {
	// exchange sends a message and returns all that came up to the responses,
	// as many as wanted.
	exchange(ctx context.Context, message string, responses int) ([]string, error)
	close()
}

// probe is a row of the fidelity table.
type probe struct {
	name string
	run  func(ctx context.Context, w wire) error
}

const (
	bigCall = `{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"t","arguments":{"n":9007199254740993,"f":1.0,"e":1e2,"s":"\u003c\/"}}%s}`
	big     = "9007199254740993"
)

// probes are the rows, in the table's order. Each has a conversation of its own.
func probes() []probe {
	return []probe{
		{"integers above 2^53", probeIntegers},
		{"id above 2^53", func(ctx context.Context, w wire) error {
			return arrives(ctx, w, fmt.Sprintf(bigCall, big, ""), `"id":`+big)
		}},
		{"unknown member of the envelope", func(ctx context.Context, w wire) error {
			return arrives(ctx, w, fmt.Sprintf(bigCall, "7", `,"x-extra":{"n":1.0}`))
		}},
		{"unknown method", func(ctx context.Context, w wire) error {
			return arrives(ctx, w, `{"jsonrpc":"2.0","id":"x-1","method":"x/custom","params":{"n":9007199254740993}}`, `"id":"x-1"`)
		}},
		{"vendor error code", func(ctx context.Context, w wire) error {
			return answered(ctx, w, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"fail"}}`, `"code":-31999`, `"data":{"n":9007199254740993}`, `"x-extra":1.0`)
		}},
		{"vendor fields of tools", func(ctx context.Context, w wire) error {
			return answered(ctx, w, `{"jsonrpc":"2.0","id":7,"method":"tools/list"}`, `"x-vendor":{"f":1.0}`, `"oneOf":[{"required":["n"]}]`, `"x-list":1.0`)
		}},
		{"vendor notification", func(ctx context.Context, w wire) error {
			return answered(ctx, w, fmt.Sprintf(bigCall, "7", ""), `"method":"notifications/x-vendor"`, `"x-extra":1.0`)
		}},
		{"batch", nil}, // in a conversation that knows batches
		{"float 1.0", func(ctx context.Context, w wire) error {
			return answered(ctx, w, fmt.Sprintf(bigCall, "7", ""), `"f":1.0,"saw"`, `\"f\":1.0`)
		}},
	}
}

func probeIntegers(ctx context.Context, w wire) error {
	if err := answered(ctx, w, fmt.Sprintf(bigCall, "7", ""), `\"n\":`+big, `"n":`+big+`,"f":1.0,"saw"`, `"params":{"n":`+big); err != nil {
		return err
	}
	return answered(ctx, w, `{"jsonrpc":"2.0","id":8,"method":"tools/list"}`, `"const":`+big)
}

// arrives tells whether a message came to the server in the bytes it was sent.
func arrives(ctx context.Context, w wire, message string, others ...string) error {
	saw, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return answered(ctx, w, message, append(others, `"saw":`+string(saw))...)
}

// answered sends a request and looks for each text in what comes back.
func answered(ctx context.Context, w wire, message string, texts ...string) error {
	got, err := w.exchange(ctx, message, 1)
	if err != nil {
		return err
	}
	all := strings.Join(got, "\n")
	for _, text := range texts {
		if !strings.Contains(all, text) {
			return fmt.Errorf("no %s in %s", text, ending(all))
		}
	}
	return nil
}

// probeBatch wants both requests answered.
func probeBatch(ctx context.Context, w wire) error {
	batch := "[" + fmt.Sprintf(bigCall, "71", "") + "," + fmt.Sprintf(bigCall, "72", "") + "]"
	got, err := w.exchange(ctx, batch, 2)
	if err != nil {
		return err
	}
	all := strings.Join(got, "\n")
	for _, id := range []string{"71", "72"} {
		if !strings.Contains(all, `"id":`+id+`,"result"`) {
			return fmt.Errorf("no answer to %s in %s", id, ending(all))
		}
	}
	return nil
}

// open begins a conversation; what the server says of itself is looked at too.
func open(ctx context.Context, w wire, version string) error {
	hello := fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"probe","version":"1"}}}`, version)
	if err := answered(ctx, w, hello, `"x-vendor":{"n":9007199254740993}`, `"x-extra":1.0`); err != nil {
		return err
	}
	_, err := w.exchange(ctx, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, 0)
	return err
}

// runFidelity runs the probes through Drawbridge.
func (r *rig) runFidelity(ctx context.Context, c cell, s *score) error {
	connect, end, err := r.probed(ctx, c.To)
	if err != nil {
		return err
	}
	defer end()
	for _, p := range probes() {
		version := "2025-11-25"
		if p.run == nil {
			p.run, version = probeBatch, "2025-03-26"
		}
		o := outcome{Scenario: p.name, Passed: true, Good: 1}
		if err := probeOnce(ctx, connect, version, p); err != nil {
			o = outcome{Scenario: p.name, Bad: 1, Says: []string{ending(err.Error())}}
		}
		s.Outcomes = append(s.Outcomes, o)
	}
	return nil
}

func probeOnce(ctx context.Context, connect func() (wire, error), version string, p probe) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	w, err := connect()
	if err != nil {
		return err
	}
	defer w.close()
	if err := open(ctx, w, version); err != nil {
		return err
	}
	return p.run(ctx, w)
}

// probed starts what lies between the probes and the echo server.
func (r *rig) probed(ctx context.Context, to target) (connect func() (wire, error), end func(), err error) {
	args := append([]string{"--"}, to.Fixture.command(r, "")...)
	var ends []func()
	end = func() {
		for _, e := range ends {
			e()
		}
	}
	var url string
	if to.Fixture.behind() == overHTTP {
		p, at, err := r.serveFixture(ctx, to.Fixture)
		if err != nil {
			return nil, nil, err
		}
		ends, url, args = append(ends, p.end), at, []string{at}
	}
	if to.Face == faceStdio {
		return func() (wire, error) { return r.dialStdio(ctx, r.helper, "mcp", "connect", url) }, end, nil
	}
	p, at, err := r.serveProxy(ctx, args...)
	if err != nil {
		end()
		return nil, nil, err
	}
	ends = append([]func(){p.end}, ends...)
	return func() (wire, error) { return &httpWire{url: at}, nil }, end, nil
}

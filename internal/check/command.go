package check

import (
	"context"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/inspector"
	"drawbridge/internal/upstream"
)

// command checks a server that is started as a program.
func (r *run) command(ctx context.Context) {
	if !r.timed("command", func() (string, error) { return upstream.FindCommand(r.server) }) {
		return
	}
	began := time.Now()
	conn, err := upstream.Dial(ctx, r.server, upstream.Options{Log: r.Log, Version: r.Version, Patience: upstream.OwnEnd})
	if !r.add("start", "", time.Since(began), err) {
		return
	}
	i := inspector.New(conn, r.server.Name, r.Version)
	defer i.Close()
	r.report.Transport = catalog.Stdio
	if !r.timed("initialize", func() (detail string, err error) {
		r.report.Server, err = i.Initialize(ctx)
		return describe(r.report.Server), refused(err, r.server.Name)
	}) {
		return
	}
	r.tools(ctx, i)
}

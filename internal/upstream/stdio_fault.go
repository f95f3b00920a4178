package upstream

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// startFault says why the command could not be run.
func startFault(s catalog.Server, err error) error {
	e := fault.New(fault.CommandNotFound, s.Name)
	e.Err = err
	var missing *platform.NotFoundError
	var start *platform.StartError
	switch {
	case errors.As(err, &missing) && missing.Denied != "":
		e.Text = missing.Denied + " may not be executed"
		e.Next = "make it executable, or correct the command"
	case errors.As(err, &missing):
		e.Text = "the command " + missing.Command + " was not found"
		e.Detail = "looked in " + strings.Join(missing.Places, ", ")
	case errors.As(err, &start):
		e.Text = "the command could not be started"
		e.Detail = start.Error()
		e.Next = "run its command in a terminal to see why"
	default:
		e.Text = "the command cannot be started as it is configured"
		e.Detail = err.Error()
		e.Next = "correct the server's command, folder or environment"
	}
	return e
}

// ended makes the error of a stream that failed with err: our own Close, the
// caller's context, or the end of the program with its status and last words.
func (c *stdioConn) ended(ctx context.Context, err error) error {
	if c.closing.Load() {
		return io.EOF
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := fault.New(fault.CommandExited, c.server)
	wait := time.NewTimer(exitWait)
	defer wait.Stop()
	select {
	case <-c.child.Exited():
		switch s := c.child.Status(); s.Lost {
		case "":
			e.Text = "the server program ended with " + s.String()
		default:
			e.Text = "the server program was ended: " + s.Lost
		}
	case <-wait.C:
		e.Text = "the server program closed its pipe"
	}
	if !errors.Is(err, io.EOF) {
		e.Err = err
	}
	e.Detail = partingWords(c.child.LastLines(), c.secrets)
	return e
}

// partingWords are the last lines of stderr that an error has room for. Stack
// frames are left out, what they belong to stands above them.
func partingWords(lines, secrets []string) string {
	const room = 240 // bytes, below what fault shows
	var words []string
	size := 0
	for _, l := range slices.Backward(lines) {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "at ") {
			continue
		}
		for _, s := range secrets {
			l = strings.ReplaceAll(l, s, "[hidden]")
		}
		if size += len(l) + 1; size > room && len(words) > 0 {
			break
		}
		words = append(words, l)
	}
	slices.Reverse(words)
	return strings.Join(words, "\n")
}

// secretsOf are the configured values that a program must not make us repeat:
// those that are long enough to be a key.
func secretsOf(s catalog.Server) []string {
	var list []string
	for _, v := range s.Env {
		if len(v) >= 8 {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	return list
}

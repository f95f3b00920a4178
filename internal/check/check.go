// Package check tries a server the way a client will use it, in stages, and
// says at which stage it fails, why, and what to do about it.
//
// It promises an end within ten seconds, one coded error with one next step for
// the first stage that fails, and no trace left behind: the session is closed
// and the child ended. It changes nothing; what to make of a report is left to
// the command line and the window.
package check

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/inspector"
)

// The limits of a check (F-122, F-123).
const (
	wholeLimit    = 10 * time.Second
	connectLimit  = 3 * time.Second
	endpointLimit = 3 * time.Second // the first event of HTTP+SSE
)

// Result is how a step went.
type Result string

// The results. A step is skipped when it does not apply or was not reached.
const (
	OK      Result = "ok"
	Failed  Result = "FAIL"
	Skipped Result = "skip"
)

// The steps, in their order: of a server reached by URL, and of a command.
var (
	remoteSteps  = []string{"address", "connect", "tls", "http", "auth", "transport", "initialize", "tools"}
	commandSteps = []string{"command", "start", "initialize", "tools"}
)

// Step is one stage.
type Step struct {
	Name   string
	Result Result
	Detail string // what was found, or the plain reason; may be empty
	Took   time.Duration
}

// Report is what a check found.
type Report struct {
	Subject   string            // what was checked, for errors
	Steps     []Step            // all of them, in order
	Transport catalog.Transport // as found; "" if that was not reached
	Server    inspector.Welcome
	Tools     int
	Err       *fault.Error // the first failure; nil is a pass
}

// Options are what a check needs besides the server.
type Options struct {
	Log     *slog.Logger
	Version string     // product version
	Step    func(Step) // told of each step as it ends; may be nil
}

// Run checks s. The name of s, or its address if it has none, is the subject of
// errors.
func Run(ctx context.Context, s catalog.Server, o Options) Report {
	if s.Name == "" {
		s.Name = Subject(s)
	}
	ctx, cancel := context.WithTimeout(ctx, wholeLimit)
	defer cancel()
	r := &run{Options: o, server: s, report: Report{Subject: s.Name}}
	all := remoteSteps
	if s.Transport == catalog.Stdio {
		all = commandSteps
		r.command(ctx)
	} else {
		r.remote(ctx)
	}
	for _, name := range all[len(r.report.Steps):] {
		r.skip(name, "not reached")
	}
	return r.report
}

// Subject names a server that has no name: by its address without what may be
// secret in it, or by its program.
func Subject(s catalog.Server) string {
	if s.Transport == catalog.Stdio {
		return s.Command
	}
	return shown(s.URL)
}

type run struct {
	Options
	server catalog.Server
	report Report
}

// add records a step that ended; err is its failure. It tells whether the check
// goes on.
func (r *run) add(name, detail string, took time.Duration, err error) bool {
	s := Step{Name: name, Result: OK, Detail: detail, Took: took}
	if err != nil {
		s.Result = Failed
		r.report.Err = r.coded(err)
		if s.Detail == "" {
			s.Detail = r.report.Err.What()
		}
	}
	r.tell(s)
	return err == nil
}

// timed runs one step and records it.
func (r *run) timed(name string, f func() (detail string, err error)) bool {
	began := time.Now()
	detail, err := f()
	return r.add(name, detail, time.Since(began), err)
}

func (r *run) skip(name, why string) { r.tell(Step{Name: name, Result: Skipped, Detail: why}) }

func (r *run) tell(s Step) {
	r.report.Steps = append(r.report.Steps, s)
	if r.Step != nil {
		r.Step(s)
	}
}

// coded gives an error its code and the subject of this check.
func (r *run) coded(err error) *fault.Error {
	if errors.Is(err, context.DeadlineExceeded) && !fault.IsCode(err, fault.EndpointUnreachable) {
		err = fault.New(fault.Timeout, "").With("no answer within %d s", wholeLimit/time.Second)
	}
	return fault.Of(err, r.server.Name)
}

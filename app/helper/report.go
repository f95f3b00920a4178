package main

import (
	"context"
	"errors"
	"fmt"

	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
)

// shown is an error that already stands in the command's output; its exit code
// is all that is left of it.
type shown struct{ err *fault.Error }

func (s shown) Error() string { return s.err.Error() }
func (s shown) Unwrap() error { return s.err }

// report prints the error a command ended with, the only place that does, and
// returns the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return 0
	}
	var s shown
	if errors.As(err, &s) {
		return s.err.Exit()
	}
	e := fault.Of(err, "")
	switch {
	case errors.Is(err, context.Canceled) && e.Code == fault.RequestFailed:
		e = fault.New(fault.RequestFailed, "").With("interrupted").Step("run it again")
	case e.Code == fault.RequestFailed && e.Subject == "":
		e = e.Step("run it again with `--debug` to see more")
	}
	if a.form == text {
		fmt.Fprintf(a.stderr, "%s\nNext: %s\n", e.Headline(), sentence(e.NextStep()))
		return e.Exit()
	}
	// Nobody is left to be told if stderr is closed.
	_ = a.form.write(a.stderr, struct {
		Error errorForm `json:"error"`
	}{formOf(e)}, lines)
	return e.Exit()
}

// errorForm is an error in machine output.
type errorForm struct {
	Code    fault.Code `json:"code"`
	Server  string     `json:"server,omitempty"`
	Reason  string     `json:"reason,omitempty"` // of a refused file of a client
	Message string     `json:"message"`
	Next    string     `json:"next"`
}

func formOf(e *fault.Error) errorForm {
	return errorForm{e.Code, e.Subject, string(clientconf.Reason(e)), sentence(e.What()), sentence(e.NextStep())}
}

// sentence ends s with one mark.
func sentence(s string) string {
	switch {
	case s == "":
		return ""
	case s[len(s)-1] == '.' || s[len(s)-1] == '?' || s[len(s)-1] == '!':
		return s
	default:
		return s + "."
	}
}

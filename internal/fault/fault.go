// Package fault holds the errors people meet: a stable DB_ code, what it is
// about, what happened, and one next step. Every face shows the same error in
// its own form (a line on a terminal, a JSON-RPC error, an HTTP status, an
// exit code); the forms are made here and nowhere else.
//
// It promises that no form carries a secret as long as no caller puts one in,
// and that a foreign text is cut short. It leaves the words of the window to
// package words.
package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is one failure, ready to be shown.
type Error struct {
	Code    Code
	Subject string // the server's name, or what the error is about
	Text    string // what happened; "" takes the code's own sentence
	Next    string // one step the reader can do; "" takes the code's own
	Detail  string // a foreign text, shown last and cut to 256 bytes
	Retry   bool   // the same request may succeed later
	Err     error  // the cause, for errors.Is and errors.As; not shown
}

// New makes an error with the code's own sentence and next step.
func New(code Code, subject string) *Error { return &Error{Code: code, Subject: subject} }

// With sets the sentence, formatted, and returns the error.
func (e *Error) With(format string, args ...any) *Error {
	e.Text = fmt.Sprintf(format, args...)
	return e
}

// Because sets the cause and, as detail, its text, and returns the error.
func (e *Error) Because(err error) *Error {
	e.Err = err
	if err != nil && e.Detail == "" {
		e.Detail = err.Error()
	}
	return e
}

// Step sets the next step and returns the error.
func (e *Error) Step(next string) *Error { e.Next = next; return e }

// Error is the one line: "[DB_X] subject: what happened. Next: step."
func (e *Error) Error() string { return e.Headline() + " Next: " + e.NextStep() + "." }

// Headline is the line without the next step.
func (e *Error) Headline() string {
	about := ""
	if e.Subject != "" {
		about = e.Subject + ": "
	}
	return "[" + string(e.Code) + "] " + about + e.What() + "."
}

// What is what happened, without code, subject, next step and full stop.
func (e *Error) What() string {
	text := e.Text
	if text == "" {
		text = e.Code.facts().text
	}
	if d := Excerpt(e.Detail); d != "" {
		text += " (" + d + ")"
	}
	return text
}

// NextStep is the step without a full stop.
func (e *Error) NextStep() string {
	if e.Next != "" {
		return e.Next
	}
	return strings.ReplaceAll(e.Code.facts().next, "NAME", e.Subject)
}

func (e *Error) Unwrap() error { return e.Err }

// Of finds the *Error in err. What has none becomes a DB_REQUEST_FAILED about
// subject. It returns nil for nil.
func Of(err error, subject string) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		if e.Subject == "" && subject != "" {
			named := *e
			named.Subject = subject
			return &named
		}
		return e
	}
	return New(RequestFailed, subject).Because(err)
}

// IsCode tells whether err carries this code.
func IsCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// Excerpt makes a foreign text fit to be shown: one line, no control
// characters, at most 256 bytes.
func Excerpt(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= 256 {
		return s
	}
	s = s[:253]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// RPC gives the error's form on an MCP face: the JSON-RPC code, the message
// and the data member. Only -32602, -32603, -32700 and -32600 are used.
func (e *Error) RPC() (code int, message string, data []byte) {
	d := struct {
		Code   Code   `json:"code"`
		Server string `json:"server,omitempty"`
		Next   string `json:"next"`
		Retry  bool   `json:"retryable"`
		Detail string `json:"detail,omitempty"`
	}{e.Code, e.Subject, e.NextStep(), e.Retry || e.Code.facts().retry, Excerpt(e.Detail)}
	data, err := json.Marshal(d)
	if err != nil {
		panic("fault: " + err.Error()) // strings and a bool always encode
	}
	return e.Code.facts().rpc, e.Error(), data
}

// Status is the HTTP status of a local endpoint that answers with this error.
// It is never 401, which would make a client start a sign-in of its own.
func (e *Error) Status() int { return e.Code.facts().status }

// Exit is the exit code of a command that ends with this error.
func (e *Error) Exit() int { return e.Code.facts().exit }

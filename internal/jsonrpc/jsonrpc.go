// Package jsonrpc holds one JSON-RPC 2.0 message as the bytes it came in, and
// the connection such messages travel on.
//
// It promises that a message which passed Parse is forwarded as it came:
// nothing is decoded and encoded again, members that are not known stay, and
// an id is compared as it was written. Parse refuses what two parsers could
// read differently, so a rule that looked at a member looked at the member
// every other parser sees. What MCP means by a method is left to package mcp.
package jsonrpc

import (
	"context"
	"fmt"
)

// Limits of one message. A longer or deeper one is refused.
const (
	// MaxBytes is 64 MiB of content and 64 KiB for the message around it, so
	// that a tool's 64 MiB argument fits. Framing is not counted.
	MaxBytes = 64<<20 + 64<<10
	MaxDepth = 512 // nested arrays and objects

	madeDeeper = 63 // a message of our own may be, around what a peer said
)

// Codes of JSON-RPC 2.0, section 5.1.
const (
	CodeParseError     = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternalError  = -32603
)

// Kind tells what a message is for.
type Kind string

// The kinds of messages. Response covers results and errors.
const (
	Request      Kind = "request"
	Notification Kind = "notification"
	Response     Kind = "response"
)

// ID is a request id as it was written on the wire, quotes included: `7`,
// `"a"`, `9007199254740993`. The zero value is no id; `null` is a null id,
// which only an error response may carry.
type ID string

// Conn carries messages to and from one peer. Send and Recv may be called at
// the same time; several goroutines may Send, one may Recv.
type Conn interface {
	// Recv returns the peer's next message, in the order the peer sent them.
	// A *CallError says that one request failed alone and the conversation
	// goes on; a *RefusedError says the same of one incoming message. Any other
	// error, io.EOF for a peer that left in order, ends the conversation.
	Recv(ctx context.Context) (Message, error)

	// Send hands the message on. It never waits for a reply; it may wait for
	// a peer that reads slowly. An error ends the conversation.
	Send(ctx context.Context, m Message) error

	// Close ends the conversation and wakes Recv. It may be called twice.
	Close() error
}

// CallError says that the request with this id got no answer, and why. It
// comes out of Recv in the place of the answer.
type CallError struct {
	ID  ID
	Err error
}

func (e *CallError) Error() string { return fmt.Sprintf("request %s: %v", e.ID, e.Err) }

// Unwrap gives the cause to errors.Is and errors.As.
func (e *CallError) Unwrap() error { return e.Err }

// RefusedError says why bytes were not taken as a message.
type RefusedError struct {
	Code   int    // CodeParseError or CodeInvalidRequest
	Reason string // for people, in lower case
	Offset int    // byte where it was seen
	ID     ID     // of the request that asks for an answer; "" when there is none or none could be told
	Reply  ID     // of the request that the refused bytes answer; "" as above
	Batch  bool   // the bytes are an array of messages; see Split
	Size   bool   // the bytes are more than the limit
	Raw    []byte // the bytes of a batch, nil for all else
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("not a JSON-RPC message: %s (byte %d)", e.Reason, e.Offset)
}

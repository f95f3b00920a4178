// Package splice changes one entry of one collection in a document that
// belongs to another program: JSON, JSON with comments, TOML or YAML.
//
// It promises that every byte outside the entry stays: comments, order,
// indentation, line ends, spellings of numbers and strings. Libraries find and
// verify; the bytes are spliced here. A plan is checked before it is given out
// (its inverse restores the document, the result parses, everything but the
// entry means the same, the entry reads back as intended), and a document that
// cannot be changed safely is refused with its place.
//
// It reads and writes no files, knows no client, and decides nothing about whose
// an entry is.
package splice

import "fmt"

// Format is how a document is written.
type Format string

// The formats.
const (
	JSON  Format = "json"  // comments and trailing commas, where they are, are kept
	JSONC Format = "jsonc" // the client reads comments and trailing commas
	TOML  Format = "toml"
	YAML  Format = "yaml"
)

// Limits of a document.
const (
	MaxBytes = 16 << 20
	MaxDepth = 10_000 // levels of brackets
)

// Place says where in a document the entries are and what the program that owns
// it accepts.
type Place struct {
	Format Format `json:"format"`
	// Strict refuses comments and trailing commas in JSON: the client would
	// ignore the file, or reset it.
	Strict bool `json:"strict,omitempty"`
	// NoBOM takes a byte order mark away with the edit: the client loses the
	// file's content over it.
	NoBOM bool `json:"no_bom,omitempty"`
	// Container is the path to the collection, one literal key an element.
	Container []string `json:"container"`
	// List means that the collection is a sequence (in TOML an array of
	// tables) whose entries carry their name in the field "name".
	List bool `json:"list,omitempty"`
	// Compact writes a document that is made anew on one line. One that is there
	// keeps its own way.
	Compact bool `json:"compact,omitempty"`
}

// Member is one field of an object.
type Member struct {
	Name  string
	Value any
}

// Object is a mapping in its order. Values are nil, bool, string, Number, List
// or Object.
type Object []Member

// List is a sequence of values.
type List []any

// Number is a number as it is written.
type Number string

// Entry is one entry of the collection as the document has it.
type Entry struct {
	Name         string
	Value        any // an Object, if the document is as its client wants it
	Line, Column int // from 1, of the name; columns count characters
}

// Edit replaces Delete bytes at At by Insert. At counts in the document as it
// was before all edits of its plan.
type Edit struct {
	At     int    `json:"at"`
	Delete int    `json:"delete"`
	Insert []byte `json:"insert"`
}

// Plan is a change of a document: none when Edits is empty.
type Plan struct {
	Edits    []Edit
	After    []byte   // the document after them
	Inverse  []Edit   // takes After back to the document as it was
	Warnings []string // what a person should know, sentences without a full stop
}

// Change is what is to become of the entry Name. Fields of Entry are set, those
// named in Drop are taken away, and all other fields stay. When there is no such
// entry it is added with just Entry.
type Change struct {
	Name   string
	Remove bool // the whole entry, whatever else it holds
	Entry  Object
	Drop   []string
}

// Reason says why a document is refused.
type Reason string

// The reasons.
const (
	InvalidEncoding   Reason = "invalid_encoding"
	InvalidSyntax     Reason = "invalid_syntax"
	NotAccepted       Reason = "not_accepted_by_client"
	DuplicateKey      Reason = "duplicate_key"
	WrongType         Reason = "wrong_type"
	MultipleDocuments Reason = "multiple_documents"
	UnsupportedLayout Reason = "unsupported_layout"
	AnchorInUse       Reason = "anchor_in_use"
	TooLarge          Reason = "too_large"
	TooDeep           Reason = "too_deep"
)

// Error is a refusal. Line and Column count from 1 (columns in characters) and
// are 0 where the whole document is meant.
type Error struct {
	Reason       Reason
	Line, Column int
	Detail       string // what is wrong there, no full stop
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Reason, e.Detail)
	}
	return fmt.Sprintf("%d:%d: %s: %s", e.Line, e.Column, e.Reason, e.Detail)
}

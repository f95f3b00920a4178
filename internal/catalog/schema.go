package catalog

import (
	"strings"

	"drawbridge/internal/splice"
)

// The file is JSON in UTF-8; comments (// and /* */), commas after a last item
// and a byte order mark are taken. It may be edited by hand at any time.
//
//	{
//	  "version": 1,            // of this description; none is 1, a higher one is refused
//	  "servers": {
//	    "everything": {        // the name: 1 to 63 of letters, digits, . _ -, not begun with . or -
//	      "transport": "auto", // auto, http (streamable HTTP), sse (HTTP+SSE) or stdio; without it:
//	                           // stdio where there is a command, else auto
//	      "description": "…",  // one line for people
//	      "labels": {"env": "dev"},
//
//	      // by URL
//	      "url": "https://example.com/mcp",     // http or https, no user name or password
//	      "headers": {"X-Team": "tools"},       // sent with every request
//	      "pass_authorization": false,          // hand on the client's own Authorization header
//	      "tls": {"ca": "/…", "cert": "/…", "key": "/…"}, // PEM files, absolute; cert and key go together
//
//	      // by command; no shell reads it
//	      "command": "npx",
//	      "args": ["-y", "@modelcontextprotocol/server-everything"],
//	      "env": {"KEY": "value"},              // besides the variables every child gets
//	      "cwd": "/…",                          // absolute; without it, that of the client
//
//	      "tools": {"allow": ["get_*"], "deny": ["delete_*"]}, // names, * for any part; deny wins;
//	                                            // no allow is all, an empty one none
//	      "protocol": "auto",                   // auto, legacy, modern, or a version such as 2025-11-25
//	      "timeout": "30s"                      // of one call: a number with h, m, s, ms; none or 0s is no limit
//	    }
//	  }
//	}
//
// Members that are not listed here are kept and have no meaning. A member twice,
// in other case, or null is refused, since programs differ on what it says.

// Version is the version of the file that is written, and the highest that is
// read.
const Version = 1

// Limits of the file.
const (
	MaxBytes = splice.MaxBytes // of the whole file
	MaxDepth = 512             // nested objects and arrays
	MaxName  = 63              // characters of a server's name
)

// field is a member of an entry that has a meaning.
type field struct {
	name  string
	shape string   // what it must be
	inner []string // its own members, where their names are fixed
}

var fields = []field{
	{name: "transport", shape: `"auto", "http", "sse" or "stdio"`},
	{name: "description", shape: "a string"},
	{name: "labels", shape: "an object of strings"},
	{name: "url", shape: "a string"},
	{name: "headers", shape: "an object of strings"},
	{name: "pass_authorization", shape: "true or false"},
	{name: "tls", shape: `an object with the strings "ca", "cert" and "key"`, inner: []string{"ca", "cert", "key"}},
	{name: "command", shape: "a string"},
	{name: "args", shape: "a list of strings"},
	{name: "env", shape: "an object of strings"},
	{name: "cwd", shape: "a string"},
	{name: "tools", shape: `an object with the lists "allow" and "deny"`, inner: []string{"allow", "deny"}},
	{name: "protocol", shape: "a string"},
	{name: "timeout", shape: `a length of time such as "30s"`},
}

// fieldOf gives the field of that name, in any case; nil for none.
func fieldOf(name string) *field {
	for i := range fields {
		if strings.EqualFold(fields[i].name, name) {
			return &fields[i]
		}
	}
	return nil
}

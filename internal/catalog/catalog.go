// Package catalog holds the servers added on this machine and the file they
// are kept in, catalog.json in the configuration folder.
//
// It promises that a change touches one server's entry and leaves every other
// byte of the file, comments included; that the file is at every moment the
// old one or the new one; and that of two writers neither loses what the other
// wrote. Secrets are not kept here.
package catalog

import "time"

// Transport is how a server is reached.
type Transport string

// The transports. Auto is streamable HTTP with a fall back to HTTP+SSE.
const (
	Stdio Transport = "stdio"
	HTTP  Transport = "http"
	SSE   Transport = "sse"
	Auto  Transport = "auto"
)

// Server is one MCP server as the user added it.
type Server struct {
	Name        string            `json:"-"` // the key in the file
	Transport   Transport         `json:"transport"`
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`

	// A server reached by URL.
	URL      string            `json:"url,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	PassAuth bool              `json:"pass_authorization,omitempty"` // hand on the client's own Authorization header
	TLS      *TLS              `json:"tls,omitempty"`

	// A server started as a command. Nothing passes through a shell.
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"` // added to the allow-list of package platform
	Dir     string            `json:"cwd,omitempty"`

	Tools    *Tools `json:"tools,omitempty"`
	Protocol string `json:"protocol,omitempty"` // auto (default), legacy, modern, or a version

	Timeout Duration `json:"timeout,omitzero"` // limit of one call; 0 is none
}

// Tools says which tools of a server may be used. Patterns are exact names or
// hold * for any run of characters; deny wins; no allow means all.
type Tools struct {
	Allow []string `json:"allow,omitzero"` // nil is no list: all; an empty list: none
	Deny  []string `json:"deny,omitempty"`
}

// TLS names PEM files: more authorities to trust, and a client certificate.
type TLS struct {
	CA   string `json:"ca,omitempty"`
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`
}

// Duration is written like "30s" in the file.
type Duration time.Duration

// MarshalText writes the duration as time.ParseDuration reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

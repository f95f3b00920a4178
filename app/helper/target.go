package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/check"
	"drawbridge/internal/fault"
)

// target is a server as a command line names it: a name of the catalog, or an
// address with flags.
type target struct {
	name      string
	transport transport
	headers   []string
	protocol  protocol
}

const transportHelp = "auto, http, sse or stdio: stdio is a program the client starts, the fastest and steadiest way; " +
	"http and sse (the older of the two) reach a server that several clients share"

func (t *target) flags(c *cobra.Command) {
	c.Flags().Var(&t.transport, "transport", transportHelp)
	c.Flags().StringArrayVarP(&t.headers, "header", "H", nil, "send this header with every request: \"Name: value\" (repeatable)")
	c.Flags().Var(&t.protocol, "protocol", "auto, legacy or modern: the protocol generation towards the server; or a version, such as 2025-11-25, to open with")
}

func (t target) with(name string) target { t.name = name; return t }

// isAddress tells whether the name is an address.
func (t target) isAddress() bool {
	low := strings.ToLower(t.name)
	return strings.HasPrefix(low, "http://") || strings.HasPrefix(low, "https://")
}

// find gives the server that is meant. Flags win over the server's entry.
func (a *app) find(t target) (s catalog.Server, err error) {
	switch {
	case t.isAddress():
		s = catalog.Server{Transport: catalog.Auto, URL: t.name}
		s.Name = check.Subject(s)
	case strings.Contains(t.name, "://"):
		return s, fault.New(fault.URLInvalid, fault.Excerpt(check.Subject(catalog.Server{URL: t.name})))
	default:
		if s, err = a.lookUp(t.name); err != nil {
			return s, err
		}
	}
	if t.transport != "" {
		if (t.transport == transport(catalog.Stdio)) != (s.Transport == catalog.Stdio) {
			return s, fault.New(fault.UsageInvalid, s.Name).With("this server is not reached by %s", t.transport).Step("leave `--transport` out")
		}
		s.Transport = catalog.Transport(t.transport)
	}
	if t.protocol != "" {
		s.Protocol = string(t.protocol)
	}
	if len(t.headers) > 0 {
		s.Headers, err = headers(s.Headers, t.headers)
	}
	return s, err
}

// headers adds "Name: value" lines to known headers.
func headers(known map[string]string, lines []string) (map[string]string, error) {
	all := map[string]string{}
	for k, v := range known {
		all[k] = v
	}
	for _, line := range lines {
		k, v, err := catalog.ParseHeader(line)
		if err != nil {
			return nil, err
		}
		for old := range all {
			if strings.EqualFold(old, k) {
				delete(all, old)
			}
		}
		all[k] = v
	}
	return all, nil
}

// pairs reads K=V flags.
func pairs(flag string, lines []string) (map[string]string, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	all := map[string]string{}
	for _, line := range lines {
		k, v, ok := strings.Cut(line, "=")
		if !ok || k == "" {
			// What stands there may be a secret: it is not repeated.
			return nil, fault.New(fault.UsageInvalid, flag).With("it takes a name and a value").Step(fmt.Sprintf("write it like `%s NAME=VALUE`", flag))
		}
		all[k] = v
	}
	return all, nil
}

// transport is the value of --transport; "" is not given.
type transport catalog.Transport

// Set takes the value of the flag.
func (t *transport) Set(s string) error {
	switch catalog.Transport(s) {
	case catalog.Auto, catalog.HTTP, catalog.SSE, catalog.Stdio:
		*t = transport(s)
		return nil
	default:
		return fmt.Errorf("the transports are auto, http, sse and stdio")
	}
}

func (t *transport) String() string { return string(*t) }

// Type names the value in the help text.
func (t *transport) Type() string { return "TRANSPORT" }

// protocol is the value of --protocol; "" is not given.
type protocol string

// Set takes the value of the flag.
func (p *protocol) Set(s string) error {
	_, err := time.Parse(time.DateOnly, s)
	if err != nil && s != "auto" && s != "legacy" && s != "modern" {
		return fmt.Errorf("the protocol is auto, legacy, modern, or a version such as 2025-11-25")
	}
	*p = protocol(s)
	return nil
}

func (p *protocol) String() string { return string(*p) }

// Type names the value in the help text.
func (p *protocol) Type() string { return "ERA" }

// hostOf is the host of an address, to name it by.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return "url"
	}
	return u.Hostname()
}

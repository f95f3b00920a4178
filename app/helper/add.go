package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/check"
	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
)

// defaultSSE is where a server is looked for when only its transport is given
// (F-114).
const defaultSSE = "http://127.0.0.1:8000/sse"

// newServer is what the flags of add say.
type newServer struct {
	target
	address     string
	command     []string
	env, labels []string
	description string
	allow, deny []string
	dir         string
	tls         catalog.TLS
	timeout     time.Duration
	passAuth    bool

	unchecked bool
	files     fileFlags
}

func (a *app) addCommand() *cobra.Command {
	var n newServer
	c := &cobra.Command{
		Use:   "add NAME URL | add NAME -- COMMAND [ARG…]",
		Short: "Remember a server, after checking it",
		Long: "Checks a server and remembers it under NAME. URL is where a running server answers; COMMAND is\n" +
			"started by each client that uses it, without a shell. With --client-config its entry is written into\n" +
			"that client's file in the same step.",
		Example: "  drawbridge mcp add everything http://127.0.0.1:3001/mcp\n" +
			"  drawbridge mcp add files --label env=dev -- npx -y @modelcontextprotocol/server-filesystem /tmp\n" +
			"  drawbridge mcp add everything --transport sse --client-config=claude --dry",
		Args: func(c *cobra.Command, args []string) error { return n.take(c, args) },
		RunE: func(c *cobra.Command, _ []string) error { return a.add(c.Context(), n) },
	}
	n.flags(c)
	f := c.Flags()
	f.StringArrayVar(&n.env, "env", nil, "set this variable for the command: K=V (repeatable)")
	f.StringVar(&n.dir, "cwd", "", "start the command in this folder")
	f.StringArrayVar(&n.labels, "label", nil, "k=v, to find the server by (repeatable)")
	f.StringVar(&n.description, "description", "", "what the server is, for listings")
	f.StringArrayVar(&n.allow, "allow-tool", nil, "allow only tools of this name or pattern, like read_* (repeatable)")
	f.StringArrayVar(&n.deny, "deny-tool", nil, "do not allow tools of this name or pattern (repeatable)")
	f.StringVar(&n.tls.CA, "ca", "", "trust the authorities in this PEM file, too")
	f.StringVar(&n.tls.Cert, "cert", "", "show the client certificate in this PEM file")
	f.StringVar(&n.tls.Key, "key", "", "the key of --cert, a PEM file")
	f.DurationVar(&n.timeout, "timeout", 0, "give up a call after this time, like 5m (default: never)")
	f.BoolVar(&n.passAuth, "pass-authorization", false, "hand on the Authorization header of clients that come over HTTP")
	f.BoolVar(&n.unchecked, "no-check", false, "remember the server without checking it")
	n.files.flags(f)
	f.BoolVar(&n.files.dry, "dry", false, "show what would be remembered and changed, and write nothing")
	completeClientFlags(c)
	return c
}

// take reads the arguments: NAME, then a URL or, behind --, a command.
func (n *newServer) take(c *cobra.Command, args []string) error {
	words := args
	if at := c.ArgsLenAtDash(); at >= 0 {
		words, n.command = args[:at], args[at:]
		if len(n.command) == 0 {
			return usage(c, "the command behind -- is missing")
		}
	}
	if len(words) == 0 {
		return usage(c, "the name is missing")
	}
	n.name = words[0]
	if len(words) > 1 {
		n.address = words[1]
	}
	isURL := n.address != "" || n.transport == transport(catalog.SSE)
	switch {
	case len(words) > 2:
		return usage(c, "%q is one argument too many; a command stands behind --", words[2])
	case n.address != "" && n.command != nil:
		return usage(c, "give a URL or a command, not both")
	case n.address != "" && n.transport == transport(catalog.Stdio):
		return usage(c, "a URL is not reached by stdio").Step("leave `--transport stdio` out, or give a command behind --")
	case n.command != nil && n.transport != "" && n.transport != transport(catalog.Stdio):
		return usage(c, "a command is reached by stdio only").Step("leave `--transport` out, or give a URL")
	case !isURL && n.command == nil:
		return usage(c, "the server's URL is missing").Step("give a URL, or a command behind --")
	}
	return nil
}

// server makes the entry.
func (n newServer) server() (catalog.Server, error) {
	s := catalog.Server{Name: n.name, Description: n.description, Protocol: string(n.protocol), Timeout: catalog.Duration(n.timeout)}
	var err error
	if s.Labels, err = pairs("--label", n.labels); err != nil {
		return s, err
	}
	if n.allow != nil || n.deny != nil {
		s.Tools = &catalog.Tools{Allow: n.allow, Deny: n.deny}
	}
	if n.command != nil {
		return n.asCommand(s)
	}
	return n.asRemote(s)
}

func (n newServer) asCommand(s catalog.Server) (_ catalog.Server, err error) {
	if len(n.headers) > 0 || n.tls != (catalog.TLS{}) || n.passAuth {
		return s, fault.New(fault.UsageInvalid, n.name).With("headers and certificates are for servers at a URL").Step("leave -H, --ca, --cert, --key and --pass-authorization out")
	}
	s.Transport, s.Command, s.Args = catalog.Stdio, n.command[0], n.command[1:]
	if filepath.Base(s.Command) != s.Command {
		// Clients start us in folders of their own.
		if s.Command, err = filepath.Abs(s.Command); err != nil {
			return s, fmt.Errorf("the command's path: %w", err)
		}
	}
	if n.dir != "" {
		if s.Dir, err = filepath.Abs(n.dir); err != nil {
			return s, fmt.Errorf("the path of --cwd: %w", err)
		}
	}
	s.Env, err = pairs("--env", n.env)
	return s, err
}

func (n newServer) asRemote(s catalog.Server) (_ catalog.Server, err error) {
	if len(n.env) > 0 || n.dir != "" {
		return s, fault.New(fault.UsageInvalid, n.name).With("variables and a folder are for servers started as a command").Step("leave --env and --cwd out")
	}
	s.Transport, s.URL, s.PassAuth = catalog.Transport(n.transport), n.address, n.passAuth
	if s.Transport == "" {
		s.Transport = catalog.Auto
	}
	if s.URL == "" {
		s.URL = defaultSSE
	}
	if !(target{name: s.URL}).isAddress() {
		return s, fault.New(fault.URLInvalid, n.name)
	}
	if len(n.headers) > 0 {
		if s.Headers, err = headers(nil, n.headers); err != nil {
			return s, err
		}
	}
	if n.tls != (catalog.TLS{}) {
		t := n.tls
		for _, path := range []*string{&t.CA, &t.Cert, &t.Key} {
			if *path == "" {
				continue
			}
			if *path, err = filepath.Abs(*path); err != nil {
				return s, fmt.Errorf("the path of a PEM file: %w", err)
			}
		}
		s.TLS = &t
	}
	return s, nil
}

// added is what add did, for machine output.
type added struct {
	Server  appForm    `json:"server"`
	Checked *checkForm `json:"check,omitempty"`
	Files   []fileForm `json:"files,omitempty"`
	Written bool       `json:"written"`
}

func (a *app) add(ctx context.Context, n newServer) error {
	n.files.fromEnvironment()
	if len(n.files.clients) == 0 && n.files.needClients() {
		return noClients("mcp add")
	}
	s, err := n.server()
	if err != nil {
		return err
	}
	book, err := a.book()
	if err != nil {
		return err
	}
	if err := vacant(book, s); err != nil {
		return err
	}
	var out added
	if !n.unchecked {
		r := a.tryOut(ctx, s, nil)
		if r.Err != nil {
			return a.notAdded(r)
		}
		f := reportForm(r)
		s.Transport, out.Checked = r.Transport, &f
		a.tell("Check   %s\n", verdict(s, r))
	}
	files, err := a.clientFiles(n.files)
	if err != nil {
		return err
	}
	targets, err := files.targets()
	if err != nil {
		return err
	}
	out.Server = formOfServer(s)
	previews, err := a.planEntries(files, targets, []catalog.Server{s}, configFlags{files: n.files})
	if err != nil {
		return err
	}
	err = a.addWith(ctx, book, files, previews, s, &out)
	if a.form == text || out.Files == nil && err != nil {
		return err
	}
	if werr := a.form.write(a.stdout, out, lines); err == nil {
		err = werr
	}
	return err
}

// addWith remembers the server and writes its entries, once that was agreed to.
func (a *app) addWith(ctx context.Context, book *catalog.File, c clientFiles, previews []*clientconf.Preview, s catalog.Server, out *added) error {
	out.Files = formsOf(previews)
	if c.flags.dry {
		entry, err := preview(s)
		if err != nil {
			return err
		}
		a.tell("File    %s\nChange\n%s", book.Path(), entry)
	}
	a.show(previews)
	if yes, err := a.agreed(ctx, previews, c.flags.dry); err != nil || !yes {
		return err
	}
	if err := book.Add(ctx, s); err != nil {
		return err
	}
	out.Written = true
	a.tell("Added   %s (%s) to %s\n", s.Name, s.TypeLabel(), book.Path())
	if len(previews) == 0 {
		a.tell("Next: run `drawbridge mcp config %s --client-config=CLIENT` to let an MCP client use it.\n", s.Name)
		return nil
	}
	forms, err := a.write(ctx, c, previews)
	out.Files = forms
	return err
}

// notAdded shows how far the check came, and returns its error.
func (a *app) notAdded(r check.Report) error {
	if a.form == text {
		for _, s := range r.Steps {
			if s.Result != check.Skipped {
				writeStep(a.stderr, s)
			}
		}
	}
	return r.Err
}

// verdict is like "http://127.0.0.1:8000/sse answers as SSE (11 tools)".
func verdict(s catalog.Server, r check.Report) string {
	tools := fmt.Sprintf("%d tools", r.Tools)
	if r.Tools == 1 {
		tools = "1 tool"
	}
	return fmt.Sprintf("%s answers as %s (%s)", check.Subject(s), s.TypeLabel(), tools)
}

package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"drawbridge/internal/catalog"
	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
	"drawbridge/internal/proxy"
)

// writeEntries writes the servers' entries into the files of --client-config.
func (a *app) writeEntries(ctx context.Context, list []catalog.Server, o configFlags) error {
	c, err := a.clientFiles(o.files)
	if err != nil {
		return err
	}
	targets, err := c.targets()
	if err != nil {
		return err
	}
	for i := range targets { // of files that are made; the others keep their own style
		targets[i].Place.Compact = o.style == "compact"
	}
	previews, err := a.planEntries(c, targets, list, o)
	if err != nil {
		return err
	}
	forms, err := a.change(ctx, c, previews)
	return a.endChange(forms, err)
}

// planEntries previews the entries of the servers in each of the files.
func (a *app) planEntries(c clientFiles, targets []clientconf.Target, list []catalog.Server, o configFlags) ([]*clientconf.Preview, error) {
	launches, err := a.launches(list, o.entry)
	if err != nil {
		return nil, err
	}
	return plans(targets, func(t clientconf.Target) (*clientconf.Preview, error) {
		var wishes []clientconf.Wish
		for i, s := range list {
			shape, err := o.entry.shape(t, s.Name, launches[i])
			if err != nil {
				return nil, err
			}
			wishes = append(wishes, clientconf.Wish{Shape: shape, Server: s.Name, Replace: o.files.replace})
		}
		return c.editor.Plan(t, wishes...)
	})
}

// shape is the entry of a server for a client's file: a program to start, or the
// local address.
func (o entryOptions) shape(t clientconf.Target, server string, l clientconf.Launch) (clientconf.Shape, error) {
	name := clientconf.EntryName(server)
	if !o.http {
		return clientconf.Entry(t, name, l), nil
	}
	url, err := localAddress(server)
	if err != nil {
		return clientconf.Shape{}, err
	}
	return clientconf.EntryHTTP(t, name, url, nil)
}

// localAddress is where the background serves the server.
func localAddress(server string) (string, error) {
	dirs, err := platform.OurDirs()
	if err != nil {
		return "", err
	}
	place, err := proxy.OpenPlaces(dirs.State).Of(server)
	if err != nil {
		return "", err
	}
	if place.Port == 0 || place.Key == "" {
		return "", fault.New(fault.ServerNotFound, server).With("it has no local address yet").Step("run `drawbridge up`, which gives it one")
	}
	return place.URL(), nil
}

// removeEntries takes entries out: those of the named servers, with --all every
// one of ours.
func (a *app) removeEntries(ctx context.Context, o configFlags) error {
	c, err := a.clientFiles(o.files)
	if err != nil {
		return err
	}
	ours, err := o.pick.ofEntries()
	if err != nil {
		return err
	}
	targets, err := c.chosen()
	if err != nil {
		return err
	}
	previews, err := a.planRemoval(c, targets, ours)
	if err != nil {
		return err
	}
	if len(previews) == 0 {
		a.tell("There is no such entry; nothing to do.\n")
	}
	forms, err := a.change(ctx, c, previews)
	return a.endChange(forms, err)
}

// ofEntries tells which entries are meant. Their servers may be forgotten
// already, so they are not looked up.
func (s selector) ofEntries() (func(server string) bool, error) {
	switch {
	case s.labels != "" || s.query != "":
		return nil, fault.New(fault.UsageInvalid, "mcp config --remove").With("entries are taken out by the servers' names").Step("give the names, or --all")
	case s.all && len(s.names) > 0:
		return nil, fault.New(fault.SelectorConflict, "")
	case s.all:
		return func(string) bool { return true }, nil
	case len(s.names) == 0:
		return nil, fault.New(fault.SelectorRequired, "").With("the name is missing")
	}
	return func(server string) bool {
		for _, name := range s.names {
			if name == server {
				return true
			}
		}
		return false
	}, nil
}

// planRemoval previews the files that hold such entries of ours, without them.
// Of those that another hand took out the record goes.
func (a *app) planRemoval(c clientFiles, targets []clientconf.Target, ours func(server string) bool) ([]*clientconf.Preview, error) {
	records, err := c.editor.Ledger()
	if err != nil {
		return nil, err
	}
	var previews []*clientconf.Preview
	for _, t := range targets {
		held, told, err := a.heldIn(c, t)
		if err != nil {
			return nil, err
		}
		var wishes []clientconf.Wish
		for _, r := range records {
			there := slices.ContainsFunc(held, func(h clientconf.Held) bool { return h.Name == r.Name })
			if !told && !there && r.Path == t.Path && slices.Equal(r.Container, t.Place.Container) && ours(r.Server) {
				wishes = append(wishes, clientconf.Wish{Shape: clientconf.Shape{Name: r.Name}, Remove: true, Server: r.Server})
			}
		}
		for _, h := range held {
			if server := serverOf(h); h.Ours && ours(server) {
				wishes = append(wishes, clientconf.Wish{Shape: clientconf.Shape{Name: h.Name}, Remove: true, Server: server})
			}
		}
		if len(wishes) == 0 {
			continue
		}
		p, err := c.editor.Plan(t, wishes...)
		if err != nil {
			return nil, err
		}
		previews = append(previews, p)
	}
	return previews, nil
}

// serverOf is the server that an entry of ours is for.
func serverOf(h clientconf.Held) string {
	if own, ok := clientconf.Own(h.Entry); ok {
		return own.Server
	}
	if h.Record != nil {
		return h.Record.Server
	}
	return ""
}

// undoChange takes back the last change of each file of --client-config.
func (a *app) undoChange(ctx context.Context, o configFlags) error {
	if len(o.files.clients) == 0 {
		return noClients("mcp config --undo")
	}
	if o.pick.any() {
		return fault.New(fault.UsageInvalid, "mcp config --undo").With("it takes back a whole change, whatever its servers").Step("leave the servers out, or use --remove")
	}
	c, err := a.clientFiles(o.files)
	if err != nil {
		return err
	}
	targets, err := c.targets()
	if err != nil {
		return err
	}
	previews, err := plans(targets, c.editor.PlanUndo)
	if err != nil {
		return err
	}
	forms, err := a.change(ctx, c, previews)
	return a.endChange(forms, err)
}

// repairEntries makes the entries of ours start this program (W-24, D-69).
func (a *app) repairEntries(ctx context.Context, o configFlags) error {
	if o.pick.any() && !o.pick.all {
		return fault.New(fault.UsageInvalid, "mcp config --repair").With("it is for all our entries of a file, whatever their servers").Step("leave the servers out")
	}
	c, err := a.clientFiles(o.files)
	if err != nil {
		return err
	}
	program, err := programPath(os.Args[0])
	if err != nil {
		return err
	}
	targets, err := c.chosen()
	if err != nil {
		return err
	}
	var previews []*clientconf.Preview
	for _, t := range targets {
		_, told, err := a.heldIn(c, t)
		if err != nil {
			return err
		}
		if told {
			continue
		}
		p, err := c.editor.PlanRepair(t, program)
		if err != nil {
			return err
		}
		if !p.Nothing() {
			previews = append(previews, p)
		}
	}
	if len(previews) == 0 {
		a.tell("All entries start this program; nothing to do.\n")
	}
	forms, err := a.change(ctx, c, previews)
	return a.endChange(forms, err)
}

// endChange prints what became of the files for programs. An error after a part
// was written leaves that part in the output.
func (a *app) endChange(forms []fileForm, err error) error {
	if a.form == text {
		return err
	}
	if forms == nil {
		forms = []fileForm{}
	}
	if werr := a.form.write(a.stdout, map[string]any{"files": forms}, lines); werr != nil && err == nil {
		return werr
	}
	return err
}

// printLinks prints the links that make clients add the entry themselves.
func (a *app) printLinks(list []catalog.Server, o configFlags) error {
	clients := o.files.clients
	if len(clients) == 0 {
		clients = []string{"cursor", "vscode"}
	}
	launches, err := a.launches(list, o.entry)
	if err != nil {
		return err
	}
	for _, name := range clients {
		client, err := clientconf.Find(name)
		if err != nil {
			return err
		}
		for i, s := range list {
			shape, err := o.entry.shape(clientconf.Target{Client: client.ID}, s.Name, launches[i])
			if err != nil {
				return err
			}
			link, err := clientconf.Link(client, shape)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(a.stdout, "%s %s %s\n", client.ID, s.Name, link); err != nil {
				return err
			}
		}
	}
	return nil
}

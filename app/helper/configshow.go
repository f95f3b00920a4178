package main

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"drawbridge/internal/catalog"
	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// entryState says how an entry of a file stands (F-112).
type entryState string

const (
	entryOK      entryState = "ok"
	entryStale   entryState = "stale path"     // it starts a program that is not this one
	entryChanged entryState = "changed"        // by another hand than ours
	entryOrphan  entryState = "missing server" // it connects to a server that is not known here
	entryForeign entryState = "-"              // not ours to judge
)

// shownEntry is a row of --show.
type shownEntry struct {
	Client string     `json:"client,omitempty"`
	File   string     `json:"file"`
	Name   string     `json:"name"`
	Owner  string     `json:"owner"`
	State  entryState `json:"state"`
	Server string     `json:"server,omitempty"`
	Starts string     `json:"starts,omitempty"` // the program, or the host of an address
}

// showEntries lists what clients' files hold. Of others' entries it shows the
// program and no argument, variable or header: they hold secrets.
func (a *app) showEntries(o configFlags) error {
	c, err := a.clientFiles(o.files)
	if err != nil {
		return err
	}
	targets, err := c.chosen()
	if err != nil {
		return err
	}
	known, err := a.serverNames()
	if err != nil {
		return err
	}
	program, err := programPath(os.Args[0])
	if err != nil {
		return err
	}
	rows := []shownEntry{}
	var failed error
	for _, t := range targets {
		held, _, err := a.heldIn(c, t)
		if err != nil { // the others are shown all the same
			a.report(err)
			failed = shown{fault.Of(err, t.Path)}
			continue
		}
		for _, h := range held {
			if r := rowOf(t, h, program, known); o.pick.shows(r) {
				rows = append(rows, r)
			}
		}
	}
	if err := a.writeEntryRows(rows); err != nil {
		return err
	}
	a.tell("%s", nextOf(c, targets, rows))
	return failed
}

// shows tells whether the entry is one that was asked for: of the named
// servers, with none named all.
func (s selector) shows(r shownEntry) bool {
	return len(s.names) == 0 || slices.Contains(s.names, r.Name) || r.Server != "" && slices.Contains(s.names, r.Server)
}

// nextOf is what to do about the first entry that is not as it should be, and
// about the like of it.
func nextOf(c clientFiles, targets []clientconf.Target, rows []shownEntry) string {
	at := slices.IndexFunc(rows, func(r shownEntry) bool { return r.State != entryOK && r.State != entryForeign })
	if at < 0 {
		return ""
	}
	r := rows[at]
	file := c.flagsFor(targets[slices.IndexFunc(targets, func(t clientconf.Target) bool { return t.Path == r.File })])
	if r.State != entryChanged && len(c.flags.clients) == 0 {
		file = "" // all of them
	}
	switch r.State {
	case entryStale:
		return fmt.Sprintf("Next: run `drawbridge mcp config --repair%s` to make the entries start this program.\n", file)
	case entryChanged:
		if r.Owner == "other" {
			file += " --replace"
		}
		return fmt.Sprintf("Next: if you did not mean to change %s, run `drawbridge mcp config %s%s` to write it anew.\n", r.Name, strings.TrimPrefix(r.Name, clientconf.EntryName("")), file)
	case entryOrphan:
		return fmt.Sprintf("Next: run `drawbridge mcp config --remove %s%s` if the server is not needed any more.\n", r.Server, file)
	default:
		return ""
	}
}

// flagsFor are the flags that name the target, with a blank before.
func (c clientFiles) flagsFor(t clientconf.Target) string {
	if client, err := clientconf.Find(t.Client); err == nil {
		if own, err := clientconf.Locate(client, c.system, look); err == nil && own.Path == t.Path {
			return " --client-config=" + client.ID
		}
	}
	flags := " --client-config=" + quoted(t.Path)
	if t.Client != "" {
		flags += " --client-format=" + t.Client
	}
	return flags
}

// quoted is a path as a word for shells.
func quoted(path string) string {
	if strings.ContainsAny(path, " '\"$`\\()&;<>|*?[]#~!{}") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

func (a *app) writeEntryRows(rows []shownEntry) error {
	if a.form != text {
		return a.form.write(a.stdout, rows, lines)
	}
	if len(rows) == 0 {
		a.tell("No entries.\n")
		return nil
	}
	t := table{header: []string{"Entry", "Owner", "State", "Starts", "File"}}
	for _, r := range rows {
		t.rows = append(t.rows, []string{r.Name, r.Owner, string(r.State), r.Starts, r.File})
	}
	return t.write(a.stdout, terminalColumns(a.stdout))
}

func rowOf(t clientconf.Target, h clientconf.Held, program string, known map[string]bool) shownEntry {
	r := shownEntry{Client: t.Client, File: t.Path, Name: h.Name, Owner: "other", State: entryForeign}
	if f, ok := clientconf.Read(t, h.Entry); ok {
		r.Starts = cmp.Or(f.Program, siteOf(f.URL.Reveal()))
	}
	if !h.Ours && h.Record != nil { // we wrote it, and now it starts something else
		r.Server, r.State = h.Record.Server, entryChanged
	}
	if !h.Ours {
		return r
	}
	r.Owner, r.Server, r.State = "drawbridge", serverOf(h), entryOK
	own, starts := clientconf.Own(h.Entry)
	switch {
	case starts && !sameProgram(own.Program, program):
		r.State = entryStale
	case !known[r.Server] && !(target{name: r.Server}).isAddress():
		r.State = entryOrphan
	case h.Record != nil && !h.Record.Same(h.Entry):
		r.State = entryChanged
	}
	return r
}

// sameProgram tells whether an entry's path leads to this program.
func sameProgram(path, program string) bool {
	if path == program {
		return true
	}
	one, err := os.Stat(path)
	if err != nil {
		return false
	}
	other, err := os.Stat(program)
	return err == nil && os.SameFile(one, other)
}

// serverNames are the servers of this machine.
func (a *app) serverNames() (map[string]bool, error) {
	dirs, err := platform.OurDirs()
	if err != nil {
		return nil, err
	}
	list, err := catalog.Open(dirs).Load()
	if err != nil && len(list) == 0 {
		return nil, err
	}
	names := map[string]bool{}
	for _, s := range list {
		names[s.Name] = true
	}
	return names, nil
}

// siteOf is the part of an address that is safe to show.
func siteOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

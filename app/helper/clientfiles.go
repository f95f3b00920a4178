package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
	"drawbridge/internal/splice"
)

// fileFlags say which clients' files a command changes, and how.
type fileFlags struct {
	clients []string
	dialect string
	replace bool
	inPlace bool
	restart bool
	dry     bool
}

func (o *fileFlags) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.clients, "client-config", nil, "write the entry into the file of this `CLIENT`: claude, claude-code, cursor, vscode, codex … or a path (repeatable)")
	f.StringVar(&o.dialect, "client-format", "", "the `CLIENT` whose file the path of --client-config is")
	f.BoolVar(&o.replace, "replace", false, "put our entry in the place of another one of its name")
	f.BoolVar(&o.inPlace, "in-place", false, "write into a file that has other names or is mounted, where nothing else can; a crash may then damage it")
	f.BoolVar(&o.restart, "restart", false, "restart the client, if it runs, so that it takes up the change")
}

// needClients tells whether a flag was given that is about clients' files.
func (o fileFlags) needClients() bool {
	return o.restart || o.replace || o.inPlace || o.dialect != ""
}

// fromEnvironment takes the default of --client-config (F-111).
func (o *fileFlags) fromEnvironment() {
	if v := os.Getenv("DRAWBRIDGE_MCP_CLIENT_CONFIG"); len(o.clients) == 0 && v != "" {
		o.clients = []string{v}
	}
}

// clientFiles are the clients' files on this machine, and what a command is to
// do with them.
type clientFiles struct {
	system clientconf.System
	editor *clientconf.Editor
	flags  fileFlags
}

func (a *app) clientFiles(o fileFlags) (clientFiles, error) {
	dirs, err := platform.OurDirs()
	if err != nil {
		return clientFiles{}, err
	}
	system, err := clientconf.ThisSystem()
	return clientFiles{system, clientconf.NewEditor(dirs), o}, err
}

// targets are the files that --client-config names, each once.
func (c clientFiles) targets() ([]clientconf.Target, error) {
	var list []clientconf.Target
	for _, name := range c.flags.clients {
		t, err := clientconf.Choose(name, c.flags.dialect, c.system, look)
		if err != nil {
			return nil, err
		}
		list = withTarget(list, t)
	}
	return list, nil
}

// known are all files in which an entry of ours may stand: those of the clients
// that are here, and those that the ledger names.
func (c clientFiles) known() ([]clientconf.Target, error) {
	var list []clientconf.Target
	for _, client := range clientconf.Clients() {
		if client.Confidence == clientconf.Low {
			continue
		}
		t, err := clientconf.Locate(client, c.system, look)
		if err != nil {
			continue // not here, or not to be told apart: then the ledger knows
		}
		if _, err := os.Stat(t.Path); !errors.Is(err, fs.ErrNotExist) { // one that cannot be looked at is told
			list = withTarget(list, t)
		}
	}
	owned, err := c.editor.Ledger()
	if err != nil {
		return nil, err
	}
	for _, o := range owned {
		t, err := clientconf.LocatePath(o.Path, o.Client, c.system, look)
		if err != nil {
			return nil, err
		}
		list = withTarget(list, t)
	}
	return list, nil
}

// heldIn lists the entries of a file. One that cannot be read and was not asked
// for by name, nor written to by us, is told and hides no other: told is then
// true.
func (a *app) heldIn(c clientFiles, t clientconf.Target) (held []clientconf.Held, told bool, err error) {
	held, err = c.editor.Held(t)
	if err == nil || len(c.flags.clients) > 0 {
		return held, false, err
	}
	owned, lerr := c.editor.Ledger()
	if lerr != nil {
		return nil, false, lerr
	}
	if slices.ContainsFunc(owned, func(w clientconf.Owned) bool { return w.Path == t.Path && w.Removed.IsZero() }) {
		return nil, false, err
	}
	a.report(err)
	return nil, true, nil
}

func withTarget(list []clientconf.Target, t clientconf.Target) []clientconf.Target {
	same := func(o clientconf.Target) bool {
		return o.Path == t.Path && slices.Equal(o.Place.Container, t.Place.Container)
	}
	if slices.ContainsFunc(list, same) {
		return list
	}
	return append(list, t)
}

// chosen are the files of --client-config, without it all known ones.
func (c clientFiles) chosen() ([]clientconf.Target, error) {
	if len(c.flags.clients) > 0 {
		return c.targets()
	}
	return c.known()
}

// look reads a file of a client, to see how it is written.
func look(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, splice.MaxBytes))
}

// nameOf is how people know the client of a file.
func nameOf(t clientconf.Target) string {
	if c, err := clientconf.Find(t.Client); err == nil {
		return c.Name
	}
	return "the client"
}

// plans previews a change of each file. One that is refused ends it all, before
// anything is written.
func plans(list []clientconf.Target, plan func(clientconf.Target) (*clientconf.Preview, error)) ([]*clientconf.Preview, error) {
	var previews []*clientconf.Preview
	for _, t := range list {
		p, err := plan(t)
		if err != nil {
			return nil, err
		}
		previews = append(previews, p)
	}
	return previews, nil
}

// fileForm is what became of a file, in machine output.
type fileForm struct {
	Client   string      `json:"client,omitempty"`
	File     string      `json:"file"`
	Entries  []entryForm `json:"entries"`
	Diff     string      `json:"diff,omitempty"`
	Warnings []string    `json:"warnings,omitempty"`
	Written  bool        `json:"written"`
	Backup   string      `json:"backup,omitempty"`
	Next     string      `json:"next,omitempty"`
}

type entryForm struct {
	Name   string            `json:"name"`
	Server string            `json:"server,omitempty"`
	Effect clientconf.Effect `json:"effect"`
}

func formOfPreview(p *clientconf.Preview) fileForm {
	f := fileForm{Client: p.Target.Client, File: p.File, Diff: p.Diff, Warnings: p.Warnings, Entries: []entryForm{}}
	for _, e := range p.Entries {
		f.Entries = append(f.Entries, entryForm{e.Name, e.Server, e.Effect})
	}
	return f
}

// change shows the previews, asks, and makes just what was shown. It returns
// what became of each file.
func (a *app) change(ctx context.Context, c clientFiles, previews []*clientconf.Preview) ([]fileForm, error) {
	a.show(previews)
	yes, err := a.agreed(ctx, previews, c.flags.dry)
	if err != nil || !yes {
		return formsOf(previews), err
	}
	return a.write(ctx, c, previews)
}

func (a *app) show(previews []*clientconf.Preview) {
	for _, p := range previews {
		a.showPreview(p)
	}
}

// agreed tells whether what was shown is to be written.
func (a *app) agreed(ctx context.Context, previews []*clientconf.Preview, dry bool) (bool, error) {
	if dry {
		a.tell("Nothing was written (--dry).\n")
		return false, nil
	}
	if !slices.ContainsFunc(previews, func(p *clientconf.Preview) bool { return !p.Nothing() }) {
		return true, nil
	}
	yes, err := a.confirm(ctx, "Write this?")
	if err != nil || !yes {
		a.tell("Nothing was written.\n")
	}
	return yes, err
}

// write makes the changes, one file after the other, and looks at each file
// again.
func (a *app) write(ctx context.Context, c clientFiles, previews []*clientconf.Preview) ([]fileForm, error) {
	forms := formsOf(previews)
	if err := c.editor.Recover(ctx); err != nil { // of what a killed run left; it hinders no other file
		e := fault.Of(err, "earlier changes")
		a.tell("Note    %s: %s.\nNext: %s.\n", e.Subject, e.What(), e.NextStep())
	}
	for i, p := range previews {
		if p.Nothing() { // but what is known of it may change: an undo is done, a removed entry forgotten
			if _, err := c.editor.Apply(ctx, p, clientconf.Consent{Again: !a.asks()}); err != nil {
				return forms, err
			}
			continue
		}
		if err := a.writeOne(ctx, c, p, &forms[i]); err != nil {
			return forms, err
		}
	}
	return forms, nil
}

func formsOf(previews []*clientconf.Preview) []fileForm {
	forms := make([]fileForm, len(previews))
	for i, p := range previews {
		forms[i] = formOfPreview(p)
	}
	return forms
}

// showPreview prints the file and the change of it.
func (a *app) showPreview(p *clientconf.Preview) {
	file := p.File
	if p.Linked {
		file = p.Target.Path + " -> " + p.File
	}
	a.tell("File    %s\n", file)
	for _, e := range p.Entries {
		if e.Effect == clientconf.Unchanged {
			a.tell("        %s needs no change.\n", e.Name)
		}
	}
	if p.Diff != "" {
		a.tell("Change\n%s", indented(p.Diff))
	}
	for _, folder := range p.Folders {
		a.tell("        The folder %s is made for it.\n", folder)
	}
	if p.Deletes {
		a.tell("        The file goes: Drawbridge made it.\n")
	}
	for _, w := range p.Warnings {
		a.tell("Note    %s.\n", w)
	}
}

// padded is an effect as the first word of a line.
func padded(effect string) string {
	word := strings.ToUpper(effect[:1]) + effect[1:]
	return fmt.Sprintf("%-8s", word)
}

// indented sets a diff apart from what is said about it. Its first two lines
// name the file, which was said.
func indented(diff string) string {
	var b strings.Builder
	for line := range strings.Lines(diff) {
		if strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ") {
			continue
		}
		b.WriteString("  " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}

// tell prints for people; a machine format gets its output at the end.
func (a *app) tell(format string, args ...any) {
	if a.form == text {
		// Where stdout is gone, what was to be done still is.
		fmt.Fprintf(a.stdout, format, args...)
	}
}

// noClients is the refusal of a flag that needs --client-config.
func noClients(flag string) error {
	return fault.New(fault.UsageInvalid, flag).With("the client is missing").Step("add `--client-config=CLIENT`")
}

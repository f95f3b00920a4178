package clientconf

import "drawbridge/internal/platform"

// Editor changes clients' files and remembers what it changed, in Drawbridge's
// own folder for state. Its methods may be called at once, from any process.
//
//	p, err := e.Plan(target, wish)      // nothing is written
//	show p.File, p.Diff, p.Warnings; ask
//	r, err := e.Apply(ctx, p, consent)  // just what was shown, or an error and the old file
//	err = e.Confirm(ctx, r, 0, 300*time.Millisecond, 2*time.Second)
type Editor struct {
	state string // the folder
}

// NewEditor makes an Editor. It reads and makes nothing yet.
func NewEditor(d platform.Dirs) *Editor { return &Editor{d.State} }

// Wish is what is to become of one entry: as the shape says, or gone.
type Wish struct {
	Shape          // to remove an entry, only its name
	Remove  bool   // take it out
	Replace bool   // also when it is somebody else's
	Server  string // its name in the catalog, for the ledger
}

// Effect is what a change does to one entry.
type Effect string

// The effects.
const (
	Added     Effect = "added"
	Updated   Effect = "updated"
	Replaced  Effect = "replaced" // it was somebody else's
	Removed   Effect = "removed"
	Unchanged Effect = "unchanged" // it is as wished, or there is none to remove
)

// EntryChange is what becomes of one entry.
type EntryChange struct {
	Name   string
	Server string
	Effect Effect
}

// Preview is a change of one file that is planned and not made.
type Preview struct {
	Target  Target
	File    string   // the file that changes: Target.Path, or what that links to
	Linked  bool     // Target.Path is a link, or lies behind one
	Creates bool     // there is no file yet
	Deletes bool     // the file goes, as Drawbridge made it
	Folders []string // that are made for it, from the top
	Before  string   // SHA-256 of the bytes shown, in hex; "" for no file
	// Diff is a unified diff. Of what is not ours it shows names, and values
	// only where they cannot be secrets. It is "" when nothing changes.
	Diff     string
	Entries  []EntryChange
	Warnings []string // sentences without a full stop

	plan planner
	made *change // what it came to
}

// Nothing tells that the file is as wished already. To apply it is a success
// that writes nothing.
func (p *Preview) Nothing() bool { return p.made.nothing() }

// Consent is what a person agreed to besides the preview.
type Consent struct {
	// Again makes the change to whatever the file holds by then, for a command
	// that is its own consent. Without it, a file that is not as it was shown is
	// DB_CLIENT_CONFIG_CHANGED.
	Again bool
	// InPlace writes into a file that has other names (hard links) or is a mount
	// of its own, where nothing else can: a crash then leaves a part of it, which
	// the next run repairs. Without it, such a file is DB_CLIENT_CONFIG_SHARED.
	InPlace bool
}

// Result is a change that was made.
type Result struct {
	Target   Target
	File     string // that was written
	Written  bool   // false when it was as wished
	Backup   string // the file as it was; "" when nothing was written or there was none
	Entries  []EntryChange
	Warnings []string

	made *change
}

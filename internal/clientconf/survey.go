package clientconf

import (
	"errors"
	"slices"
	"syscall"

	"drawbridge/internal/fault"
)

// Statuses tells the state of every client's file on this system, those of the
// table in its order and then other files that hold what we wrote. Content is
// read only of files that do (C-68, D-64). A client that has no file on this
// system is left out, and so is one of low confidence that nothing was written
// for.
func (e *Editor) Statuses(s System) ([]Status, error) {
	owned, err := e.Ledger()
	if err != nil {
		return nil, err
	}
	var list []Status
	for _, r := range rows(s, owned) {
		if f, ok := r.find(s, readAtRest); ok {
			list = append(list, e.status(f))
		}
	}
	return list, nil
}

// row is one file to tell of.
type row struct {
	client Client // the zero one for a path of no known client
	path   string // "" for the client's own file
	owned  []Owned
}

// rows are all files to tell of.
func rows(s System, owned []Owned) []row {
	var list []row
	for _, c := range clients().Clients {
		list = append(list, c.rows(s, of(owned, c.ID))...)
	}
	for _, o := range owned {
		if _, err := Find(o.Client); err != nil {
			list = withRecord(list, Client{}, o)
		}
	}
	return list
}

// of are the records of one client.
func of(owned []Owned, client string) []Owned {
	return slices.DeleteFunc(slices.Clone(owned), func(o Owned) bool { return o.Client != client })
}

// rows are the client's own file and others of it that hold what we wrote.
func (c Client) rows(s System, owned []Owned) []row {
	t, err := Locate(c, s, nil)
	var several *Ambiguous
	settled := errors.As(err, &several) && slices.ContainsFunc(owned, func(o Owned) bool { return slices.Contains(several.Paths, o.Path) })
	var list []row
	if (c.Confidence != Low || len(owned) > 0) && !settled { // else a person said already which file it is
		list = append(list, row{client: c})
	}
	gone := fault.IsCode(err, fault.ClientNotInstalled)
	for _, o := range owned {
		if err == nil && o.Path == t.Path || gone && slices.Contains(Files(c, s), o.Path) {
			list[0].owned = append(list[0].owned, o)
			continue
		}
		list = withRecord(list, c, o)
	}
	return list
}

// withRecord adds the record to the row of its path.
func withRecord(list []row, c Client, o Owned) []row {
	at := slices.IndexFunc(list, func(r row) bool { return r.path == o.Path && r.client.ID == c.ID })
	if at < 0 {
		return append(list, row{c, o.Path, []Owned{o}})
	}
	list[at].owned = append(list[at].owned, o)
	return list
}

// find finds out about the file of a row. ok is false for a client without a
// file on this system.
func (r row) find(s System, read Look) (f Finding, ok bool) {
	var look Look
	if len(r.owned) > 0 {
		look = readReal
	}
	f.Owned = r.owned
	if r.path != "" {
		f.Target, f.Err = LocatePath(r.path, r.client.ID, s, look)
	} else {
		f.Target, f.Err = Locate(r.client, s, look)
	}
	switch {
	case fault.IsCode(f.Err, fault.ClientUnsupported):
		return f, false
	case f.Err != nil:
		f.Target = Target{Client: r.client.ID, Path: r.path}
	case len(r.owned) > 0:
		f = f.reading(read)
	default:
		if _, err := s.Stat(f.Target.Path); err != nil && s.there(f.Target.Path) {
			f.Err = unreadable(f.Target.Path, err)
		}
	}
	f.Err = remedied(s, f.Err)
	return f, true
}

// remedied says what to do about a file that macOS keeps for the client alone
// (C-68).
func remedied(s System, err error) error {
	var e *fault.Error
	if s.OS == "darwin" && errors.As(err, &e) && e.Code == fault.ClientConfigDenied && errors.Is(err, syscall.EPERM) {
		e.With("macOS does not let this program read the file of another app").
			Step("allow it in System Settings, Privacy & Security; to be asked again, run `tccutil reset SystemPolicyAppData`")
	}
	return err
}

// reading reads the file of the finding.
func (f Finding) reading(read Look) Finding {
	f.Read = true
	o, err := followTarget(f.Target)
	if err != nil {
		f.Err = err
		return f
	}
	if o.info == nil {
		return f
	}
	if f.Text, err = read(o.real); err != nil {
		f.Err = unreadable(o.real, err)
	}
	return f
}

// status is the status of a finding. Before it says that others changed what we
// wrote, it looks whether we wrote just that.
func (e *Editor) status(f Finding) Status {
	s := f.Status()
	if s.State != StateChanged && s.State != StateRemoved {
		return s
	}
	j, err := e.loadJournal(f.Owned[0].Real)
	if err != nil || j.raw == nil {
		return s // the records tell nothing, so what the file tells counts
	}
	hash := hashOf(f.Text)
	f.OwnWrite = hash == j.Wrote || j.Pending != nil && hash == j.Pending.After
	return f.Status()
}

package clientconf

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// State is what there is to say about our entries in a client's file.
type State string

// The states.
const (
	StateNotInstalled State = "not installed"
	StateNotAdded     State = "not added"
	StateAdded        State = "added"
	StateChanged      State = "changed outside" // what we wrote there is not as we wrote it
	StateRemoved      State = "removed outside" // what we wrote there is gone, by another hand than ours
	StateUnreadable   State = "unreadable"
	StateDenied       State = "permission denied"
	StateAmbiguous    State = "ambiguous location"
)

// Status is the state of one client's file.
type Status struct {
	Target Target // its Path is "" where no place is known
	State  State  // of the entries, the worst of theirs
	// Read tells that the content was read. It is for files that hold what we
	// wrote and for those a person asks about; of others we know only what stat
	// tells (C-68).
	Read bool
	// Line and Column are where the file has an error, 0 for nowhere.
	Line, Column int
	// Problem says why the file is unreadable, not for us to open, not to be
	// told apart from others, or of a client that is not here; nil for others.
	Problem error
	// Places are the files of which the client uses one, when nothing tells
	// which.
	Places []string
	// Entries are ours: those in the file, in its order, then those that are
	// gone.
	Entries []EntryStatus
}

// EntryStatus is the state of one entry of ours: added, changed outside or
// removed outside.
type EntryStatus struct {
	Name   string
	Server string // "" when nobody knows
	State  State
	Line   int // 0 for one that is gone
	// Since is when it was found gone, zero for what is there or has just gone.
	Since time.Time
	// Record is what we wrote, nil for an entry that only looks like ours.
	Record *Owned
}

// Finding is all that the state of a client's file follows from.
type Finding struct {
	Target Target
	// Err is why there is no target or the file cannot be read: an error of
	// Locate or of reading.
	Err   error
	Read  bool
	Text  []byte  // when it was read; nil for no file
	Owned []Owned // what we wrote to it
	// OwnWrite tells that the text is what we wrote last. Where the ledger says
	// something else, it is about to follow.
	OwnWrite bool
}

// Status is the state of what was found. It looks at nothing else.
func (f Finding) Status() Status {
	s := Status{Target: f.Target, Read: f.Read}
	switch {
	case f.Err != nil:
		return s.without(f.Err)
	case !f.Read:
		s.State = StateNotAdded
		return s
	}
	entries, err := f.entries()
	if err != nil {
		return s.without(refused(f.Target.Path, err))
	}
	s.Entries = entries
	s.State = StateNotAdded
	for _, e := range entries {
		if worth(e.State) > worth(s.State) {
			s.State = e.State
		}
	}
	return s
}

// worth orders the states of entries by how much they are worth telling.
func worth(s State) int {
	return slices.Index([]State{StateNotAdded, StateAdded, StateChanged, StateRemoved}, s)
}

// without is the status of a file whose content is not known.
func (s Status) without(err error) Status {
	s.Problem = err
	var at *splice.Error
	var several *Ambiguous
	switch {
	case errors.As(err, &several):
		s.State, s.Places = StateAmbiguous, several.Paths
	case fault.IsCode(err, fault.ClientNotInstalled):
		s.State = StateNotInstalled
	case fault.IsCode(err, fault.ClientConfigDenied), errors.Is(err, fs.ErrPermission):
		s.State = StateDenied
	default:
		s.State = StateUnreadable
	}
	if errors.As(err, &at) {
		s.Line, s.Column = at.Line, at.Column
	}
	return s
}

// entries are ours in the text, and of those that we wrote, the ones that are
// gone from it.
func (f Finding) entries() ([]EntryStatus, error) {
	list, err := f.list(f.Target.Place.Container)
	if err != nil {
		return nil, err
	}
	var out []EntryStatus
	for _, e := range list {
		if o, ours := Own(e); ours && !slices.ContainsFunc(f.Owned, func(o Owned) bool { return f.wrote(o, e.Name) }) {
			out = append(out, EntryStatus{Name: e.Name, Server: o.Server, State: StateAdded, Line: e.Line})
		}
	}
	for _, o := range f.Owned {
		at := list
		if !slices.Equal(o.Container, f.Target.Place.Container) {
			if at, err = f.list(o.Container); err != nil {
				return nil, err
			}
		}
		if s, ok := f.entry(o, at); ok {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b EntryStatus) int {
		return cmp.Compare(cmp.Or(a.Line, math.MaxInt), cmp.Or(b.Line, math.MaxInt))
	})
	return out, nil
}

// wrote tells whether the record is of the entry of this name in the place
// where the client reads now.
func (f Finding) wrote(o Owned, name string) bool {
	return o.Name == name && slices.Equal(o.Container, f.Target.Place.Container)
}

// list are the entries of a collection of the text.
func (f Finding) list(container []string) ([]splice.Entry, error) {
	if f.Text == nil {
		return nil, nil
	}
	p := f.Target.Place
	p.Container = container
	return splice.Entries(bytes.Clone(f.Text), p)
}

// entry is the state of what we wrote. ok is false for what we took out
// ourselves just now.
func (f Finding) entry(o Owned, list []splice.Entry) (s EntryStatus, ok bool) {
	s = EntryStatus{Name: o.Name, Server: o.Server, Record: &o}
	i := slices.IndexFunc(list, func(e splice.Entry) bool { return e.Name == o.Name })
	switch {
	case i < 0 && f.OwnWrite && o.Removed.IsZero():
		return s, false
	case i < 0:
		s.State, s.Since = StateRemoved, o.Removed
	case f.OwnWrite || o.Same(list[i]):
		s.State, s.Line = StateAdded, list[i].Line
	default:
		s.State, s.Line = StateChanged, list[i].Line
	}
	return s, true
}

// blank tells whether the file is there and empty, as it is for a moment when a
// program writes it anew.
func (f Finding) blank() bool {
	return f.Text != nil && strings.TrimSpace(string(f.Text)) == ""
}

// invalid tells whether the status is of a text with an error in it.
func (s Status) invalid() bool {
	var e *splice.Error
	return s.Read && s.State == StateUnreadable && errors.As(s.Problem, &e)
}

// same tells whether two statuses say the same.
func (s Status) same(o Status) bool {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	return s.State == o.State && s.Target.Client == o.Target.Client && s.Target.Form == o.Target.Form && s.Target.Path == o.Target.Path &&
		s.Read == o.Read && s.Line == o.Line && s.Column == o.Column && text(s.Problem) == text(o.Problem) &&
		slices.Equal(s.Places, o.Places) && slices.EqualFunc(s.Entries, o.Entries, EntryStatus.same)
}

func (s EntryStatus) same(o EntryStatus) bool {
	return s.Name == o.Name && s.Server == o.Server && s.State == o.State && s.Line == o.Line && s.Since.Equal(o.Since)
}

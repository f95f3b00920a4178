package clientconf

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/platform"
	"drawbridge/internal/splice"
)

// Owned is an entry that Drawbridge wrote, as the ledger has it.
type Owned struct {
	Client    string    `json:"client,omitempty"`
	Path      string    `json:"path"` // as it was asked for
	Real      string    `json:"real"` // where the links led
	Container []string  `json:"container"`
	Name      string    `json:"name"`
	Server    string    `json:"server,omitempty"`
	Program   string    `json:"program,omitempty"`   // what it starts
	Fields    []string  `json:"fields"`              // those we set; the others are the user's
	EnvField  string    `json:"env_field,omitempty"` // the one of them of which only some variables are ours
	Env       []string  `json:"env,omitempty"`       // these
	Hash      string    `json:"hash"`                // of these
	Written   time.Time `json:"written"`
	// Removed is when it was found gone, by another hand than ours. Nothing adds
	// it again by itself.
	Removed time.Time `json:"removed,omitzero"`
}

// Same tells whether the entry's fields of ours are as we wrote them.
func (o Owned) Same(entry splice.Entry) bool {
	value, ok := entry.Value.(splice.Object)
	return ok && o.Name == entry.Name && o.hashOf(value) == o.Hash
}

func (o Owned) is(real string, container []string, name string) bool {
	return o.Real == real && o.Name == name && slices.Equal(o.Container, container)
}

// hashOf is the hash of the fields of an entry that we set. The order of
// members does not count.
func (o Owned) hashOf(entry splice.Object) string {
	h := sha256.New()
	for _, name := range slices.Sorted(slices.Values(o.Fields)) {
		value := o.ours(name, field(entry, name))
		fmt.Fprintf(h, "%q %t ", name, has(entry, name))
		canonical(h, value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ours is what is ours of the value of a field that we set.
func (o Owned) ours(name string, value any) any {
	if vars, ok := value.(splice.Object); ok && name == o.EnvField {
		return slices.DeleteFunc(slices.Clone(vars), func(m splice.Member) bool { return !slices.Contains(o.Env, m.Name) })
	}
	return value
}

// canonical writes a value so that equal ones are equal bytes.
func canonical(w io.Writer, value any) {
	switch v := value.(type) {
	case splice.Object:
		sorted := slices.Clone(v)
		slices.SortStableFunc(sorted, func(a, b splice.Member) int { return strings.Compare(a.Name, b.Name) })
		fmt.Fprint(w, "{")
		for _, m := range sorted {
			fmt.Fprintf(w, "%q:", m.Name)
			canonical(w, m.Value)
		}
		fmt.Fprint(w, "}")
	case splice.List:
		fmt.Fprint(w, "[")
		for _, x := range v {
			canonical(w, x)
		}
		fmt.Fprint(w, "]")
	default:
		fmt.Fprintf(w, "%T %q,", v, fmt.Sprint(v))
	}
}

// equal tells whether two values mean the same.
func equal(a, b any) bool {
	var x, y strings.Builder
	canonical(&x, a)
	canonical(&y, b)
	return x.String() == y.String()
}

// ledger is the list of all entries that we wrote.
type ledger struct {
	Version int     `json:"version"`
	Entries []Owned `json:"entries"`
}

func (l *ledger) find(real string, container []string, name string) *Owned {
	for i := range l.Entries {
		if l.Entries[i].is(real, container, name) {
			return &l.Entries[i]
		}
	}
	return nil
}

// of is the record of an entry of a file. A client that saves its file may put a
// plain one in the place of the link that led to it; what we wrote is then in
// that.
func (l *ledger) of(o *opened, container []string, name string) *Owned {
	if record := l.find(o.real, container, name); record != nil || o.linked {
		return record
	}
	for i, e := range l.Entries {
		if e.Path == o.target.Path && e.is(e.Real, container, name) {
			return &l.Entries[i]
		}
	}
	return nil
}

// set puts is in the place of the record, or none for nil.
func (l *ledger) set(real string, container []string, name string, is *Owned) {
	at := slices.IndexFunc(l.Entries, func(o Owned) bool { return o.is(real, container, name) })
	switch {
	case at < 0 && is != nil:
		l.Entries = append(l.Entries, *is)
	case at >= 0 && is == nil:
		l.Entries = slices.Delete(l.Entries, at, at+1)
	case at >= 0:
		l.Entries[at] = *is
	}
}

// Ledger lists all entries that Drawbridge wrote and has not taken out itself
// (DB_STATE_NEWER, or what kept it from being read).
func (e *Editor) Ledger() ([]Owned, error) {
	l := &ledger{}
	_, err := loadRecord(e.ledgerPath(), l)
	return l.Entries, err
}

// changeLedger changes the ledger under its own lock.
func (e *Editor) changeLedger(ctx context.Context, do func(*ledger)) error {
	path := e.ledgerPath()
	return e.holding(ctx, filepath.Join(e.state, "locks", "ledger.lock"), path, func() error {
		_ = platform.CleanTemps(e.state) // what a killed process left; only untidy
		l := &ledger{Version: recordVersion, Entries: []Owned{}}
		raw, err := loadRecord(path, l)
		if err != nil {
			return err
		}
		do(l)
		if raw == nil && len(l.Entries) == 0 {
			return nil
		}
		_, err = saveRecord(path, raw, l)
		return err
	})
}

// record takes up what a change did to the entries.
func (e *Editor) record(ctx context.Context, c *change) error {
	return e.changeLedger(ctx, func(l *ledger) {
		for _, t := range c.Entries {
			if t.Effect != Unchanged || !sameRecord(t.Was, t.Is) {
				if t.Was != nil && t.Was.Real != c.Real { // see of
					l.set(t.Was.Real, c.Place.Container, t.Name, nil)
				}
				l.set(c.Real, c.Place.Container, t.Name, t.Is)
			}
		}
	})
}

func sameRecord(a, b *Owned) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Hash == b.Hash && a.Removed.Equal(b.Removed)
}

// MarkRemoved records that another hand took out the entry.
func (e *Editor) MarkRemoved(ctx context.Context, o Owned) error {
	return e.changeLedger(ctx, func(l *ledger) {
		if at := l.find(o.Real, o.Container, o.Name); at != nil && at.Removed.IsZero() {
			at.Removed = now()
		}
	})
}

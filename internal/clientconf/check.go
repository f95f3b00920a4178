package clientconf

import (
	"context"
	"slices"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// Confirm reads the file again at each of the times after the call and tells
// with DB_ENTRY_REMOVED when an entry of the result is gone: some clients write
// their file back (F-118, C-53). A file that cannot be read for a moment is
// looked at again at the next time.
func (e *Editor) Confirm(ctx context.Context, r *Result, after ...time.Duration) error {
	begun := time.Now()
	var err error
	for _, d := range after {
		if d -= time.Since(begun); d > 0 {
			select {
			case <-time.After(d):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err = e.confirm(ctx, r); fault.IsCode(err, fault.EntryRemoved) {
			return err
		}
	}
	return err
}

func (e *Editor) confirm(ctx context.Context, r *Result) error {
	list, err := e.Held(r.Target)
	if err != nil {
		return err
	}
	for _, t := range r.made.Entries {
		wanted := t.Is != nil && t.Effect != Removed
		if !wanted || slices.ContainsFunc(list, func(h Held) bool { return h.Name == t.Name }) {
			continue
		}
		if err := e.MarkRemoved(ctx, *t.Is); err != nil {
			return err
		}
		return fault.New(fault.EntryRemoved, t.Name).With("the entry was written to %s and is gone again: the client or another program took it out", r.File).
			Step("quit the client fully, then add it again")
	}
	return nil
}

// Held is an entry as a file holds it.
type Held struct {
	splice.Entry
	Ours   bool
	Record *Owned // what the ledger says about the name in this file, nil for nothing
}

// Held lists the entries of a file; none for no file.
func (e *Editor) Held(t Target) ([]Held, error) {
	o, err := openTarget(t)
	if err != nil {
		return nil, err
	}
	l := &ledger{}
	if _, err := loadRecord(e.ledgerPath(), l); err != nil {
		return nil, err
	}
	list, err := newDraft(o).entries()
	if err != nil {
		return nil, err
	}
	var held []Held
	for _, entry := range list {
		record := l.of(o, t.Place.Container, entry.Name)
		held = append(held, Held{entry, isOur(entry, record), record})
	}
	return held, nil
}

// Wrote is the SHA-256, in hex, of what Drawbridge last wrote to the file at
// real, to tell its own writes from others' (C-67); "" when it wrote nothing.
func (e *Editor) Wrote(real string) (string, error) {
	j, err := e.loadJournal(real)
	return j.Wrote, err
}

package clientconf

import (
	"context"
	"slices"

	"drawbridge/internal/fault"
)

// ApplyBy has the client's own program make a change that only adds entries: one
// that rewrites its file all the time loses least that way (C-57). add is called
// for each entry, with its JSON. The file is then looked at, and what the
// program made of it is recorded, so that it can be taken back.
//
// On an error the program may have added an entry or none: Plan tells.
func (e *Editor) ApplyBy(ctx context.Context, p *Preview, add func(ctx context.Context, name, entry string) error) (*Result, error) {
	r := &Result{Target: p.Target, File: p.File}
	err := e.locked(ctx, p.File, func() error {
		j, err := e.settled(ctx, p.File)
		if err != nil {
			return err
		}
		o, err := openTarget(p.Target)
		if err != nil {
			return err
		}
		if o.hash() != p.Before {
			return changedMeanwhile(p.File, "the file was changed by another program meanwhile")
		}
		c := *p.made
		c.Time = now()
		if c.Backup, err = e.backUp(o); err != nil {
			return unrecorded(o.real, err)
		}
		if err := c.addBy(ctx, add); err != nil {
			return err
		}
		j.Pending = &c
		r.made, r.Entries, r.Written, r.Backup = &c, c.effects(), true, c.Backup
		r.Warnings = append(slices.Clone(c.warnings), e.finish(ctx, &c, j)...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// OnlyAdds tells whether the change adds entries and does nothing else.
func (p *Preview) OnlyAdds() bool {
	return !slices.ContainsFunc(p.Entries, func(e EntryChange) bool { return e.Effect != Added })
}

// addBy has add make the change, and makes c what it came to.
func (c *change) addBy(ctx context.Context, add func(ctx context.Context, name, entry string) error) error {
	for _, t := range c.Entries {
		entry, err := entryIn(c.after, c.Place, t.Name)
		if err != nil {
			return err
		}
		if err := add(ctx, t.Name, JSON(entry)); err != nil {
			return err
		}
	}
	text, err := readReal(c.Real)
	if err != nil {
		return unreadable(c.Real, err)
	}
	c.after, c.After = text, hashOf(text)
	c.hunks = []hunk{trim(hunk{0, 0, c.before, text})}
	c.Edits, c.Inverse = edits(c.hunks), inverse(c.hunks)
	made, err := c.within(text)
	if err == nil && !made {
		err = fault.New(fault.ClientConfigWrite, c.Real).With("the client's own program did not write the entry as it was told")
	}
	return err
}

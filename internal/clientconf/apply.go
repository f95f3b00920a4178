package clientconf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
	"drawbridge/internal/splice"
)

// swapTries is how often a change is made anew because another program, which
// does not know our lock, changed the file in between (C-48).
const swapTries = 5

// Apply makes the change of a preview. The file is then the old one or the new
// one, at every moment; on an error it is the old one.
//
// On the disk come first the backup and the record of what is to be done, then
// the file, then the record that it was done. A process killed in between leaves
// a record that the next run compares with the file.
func (e *Editor) Apply(ctx context.Context, p *Preview, consent Consent) (*Result, error) {
	r := &Result{Target: p.Target, File: p.File}
	err := e.locked(ctx, p.File, func() error {
		j, err := e.settled(ctx, p.File)
		if err != nil {
			return err
		}
		for range swapTries {
			if err = e.try(ctx, p, consent, j, r); !errors.Is(err, platform.ErrChanged) || !consent.Again {
				break
			}
		}
		if errors.Is(err, platform.ErrChanged) {
			return changedMeanwhile(p.File, "the file was changed by another program meanwhile")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// try makes one try; platform.ErrChanged says that the file is another one now.
func (e *Editor) try(ctx context.Context, p *Preview, consent Consent, j *journal, r *Result) error {
	o, err := openTarget(p.Target)
	if err != nil {
		return err
	}
	if o.real != p.File {
		return changedMeanwhile(p.Target.Path, "it led to "+p.File+" and leads to "+o.real+" now")
	}
	c := p.made
	if o.hash() != p.Before {
		if !consent.Again {
			return platform.ErrChanged
		}
		if c, err = p.plan(o); err != nil {
			return err
		}
	}
	if !c.nothing() {
		err = e.write(o, c, j, consent)
	} else if c.Undoes {
		j.Pending = c
	}
	if err != nil {
		return err
	}
	r.made, r.Entries, r.Written, r.Backup = c, c.effects(), !c.nothing(), c.Backup
	r.Warnings = append(slices.Clone(c.warnings), e.finish(ctx, c, j)...)
	return nil
}

// finish records what was done to the file. What fails here is done by the next
// run, as the record of what was to be done is on the disk.
func (e *Editor) finish(ctx context.Context, c *change, j *journal) (warnings []string) {
	err := e.record(ctx, c)
	if err == nil && j.Pending != nil {
		j.commit()
		err = e.saveJournal(j)
	}
	if err == nil {
		err = e.pruneBackups(c.Real, j)
	}
	if err != nil {
		warnings = append(warnings, "Drawbridge's own records could not be brought up to date; the next run does that ("+fault.Excerpt(err.Error())+")")
	}
	return warnings
}

// write makes the change on the disk.
func (e *Editor) write(o *opened, c *change, j *journal, consent Consent) error {
	if err := o.mayChange(); err != nil {
		return err
	}
	inPlace := o.names() > 1
	if inPlace && !consent.InPlace {
		return sharedFile(o.real, fmt.Sprintf("the file has %d names (hard links), and replacing it would part it from the others", o.names()))
	}
	if len(c.after) > len(c.before) && len(c.after) > splice.MaxBytes {
		return unreadable(o.real, errTooLarge)
	}
	var err error
	c.Time, c.InPlace = now(), consent.InPlace
	if c.Backup, err = e.backUp(o); err != nil {
		return unrecorded(o.real, err)
	}
	j.Pending = c
	if err = e.saveJournal(j); err == nil {
		err = replace(o, c, inPlace)
	}
	if err == nil {
		return nil
	}
	if text, rerr := readReal(o.real); inPlace && !errors.Is(err, platform.ErrChanged) && (rerr != nil || hashOf(text) != c.Before) {
		return err // the next run mends it by the record and the backup
	}
	// The file is as it was. That the record of this try goes, too, is only tidy:
	// the next run would find it and see that nothing was done.
	j.Pending = nil
	if serr := e.saveJournal(j); serr == nil && c.Backup != "" {
		_ = os.Remove(c.Backup)
	}
	c.Backup = ""
	return err
}

// replace puts the new text in the place of the old one, or leaves all as it is.
func replace(o *opened, c *change, inPlace bool) error {
	switch {
	case c.after == nil:
		if err := platform.RemoveFile(o.real, c.before); err != nil {
			return notReplaced(o.real, err)
		}
		removeFolders(c.Folders)
		return nil
	case inPlace:
		return notReplaced(o.real, platform.OverwriteFile(o.real, c.before, c.after))
	}
	_ = platform.CleanTemps(filepath.Dir(o.real)) // what a killed process left; only untidy
	if err := makeFolders(c.Folders); err != nil {
		return notReplaced(o.real, err)
	}
	err := platform.SwapFile(o.real, c.before, c.after, 0o600)
	if c.InPlace && c.before != nil && (errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV)) {
		err = platform.OverwriteFile(o.real, c.before, c.after)
	}
	if err != nil {
		removeFolders(c.Folders)
	}
	return notReplaced(o.real, err)
}

// notReplaced is the reason why a file was not replaced; a changed file is the
// caller's to look at again.
func notReplaced(real string, err error) error {
	if err == nil || errors.Is(err, platform.ErrChanged) {
		return err
	}
	return unwritable(real, err)
}

// makeFolders makes the folders, from the top, or none.
func makeFolders(folders []string) error {
	for i, dir := range folders {
		if err := os.Mkdir(dir, 0o700); err != nil {
			removeFolders(folders[:i])
			return err
		}
	}
	return nil
}

// removeFolders removes folders that we made, the innermost first. One that is
// not empty by now is somebody's, and stays.
func removeFolders(folders []string) {
	for _, dir := range slices.Backward(folders) {
		if os.Remove(dir) != nil {
			return
		}
	}
}

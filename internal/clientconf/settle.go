package clientconf

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"drawbridge/internal/platform"
)

// Recover brings the records of all files in line with the files, after a
// process was killed in the middle of a change. Apply does it for its file.
func (e *Editor) Recover(ctx context.Context) error {
	dir := filepath.Join(e.state, "journal")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") || filepath.Ext(entry.Name()) != ".json" {
			continue
		}
		j := &journal{}
		_, err := loadRecord(filepath.Join(dir, entry.Name()), j)
		if err == nil && j.Pending != nil {
			err = e.locked(ctx, j.Real, func() error { _, err := e.settled(ctx, j.Real); return err })
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// settled gives the journal of a file, after bringing it in line with the file.
func (e *Editor) settled(ctx context.Context, real string) (*journal, error) {
	_ = platform.CleanTemps(filepath.Join(e.state, "journal")) // what a killed process left; only untidy
	j, err := e.loadJournal(real)
	if err != nil || j.Pending == nil {
		return j, err
	}
	_ = platform.CleanTemps(filepath.Dir(real)) // the same
	text, err := readReal(real)
	if err != nil {
		return nil, unreadable(real, err)
	}
	if text, err = j.Pending.mended(text); err != nil {
		return nil, unwritable(real, err)
	}
	c := j.Pending
	made, err := j.settle(text)
	if err != nil {
		return nil, err
	}
	if made {
		err = e.record(ctx, c)
	}
	if err != nil {
		return nil, unrecorded(real, err)
	}
	if text == nil {
		removeFolders(c.Folders)
	}
	return j, e.saveJournal(j)
}

// settle decides by the file whether the pending change was made.
func (j *journal) settle(text []byte) (made bool, err error) {
	switch hashOf(text) {
	case j.Pending.After:
		made = true
	case j.Pending.Before:
	default: // another program wrote since
		made, err = j.Pending.within(text)
	}
	if err != nil {
		return false, err
	}
	if made {
		j.commit()
	}
	j.Pending = nil
	return made, nil
}

// within tells whether the entries of the change are in the text as it makes
// them.
func (c *change) within(text []byte) (bool, error) {
	d := newDraft(&opened{target: Target{Path: c.Path, Place: c.Place}, real: c.Real, text: text})
	list, err := d.entries()
	if err != nil {
		return false, err
	}
	for _, t := range c.Entries {
		entry, there := entryNamed(list, t.Name)
		if t.Effect != Unchanged && (there != (t.Is != nil) || there && !t.Is.Same(entry)) {
			return false, nil
		}
	}
	return true, nil
}

// mended makes a file whole of which writing in place left the first part new
// and the rest old. It gives the file's text.
func (c *change) mended(text []byte) ([]byte, error) {
	if h := hashOf(text); !c.InPlace || text == nil || h == c.Before || h == c.After {
		return text, nil
	}
	before, after, err := c.made()
	if err != nil || before == nil || after == nil {
		return text, nil //nolint:nilerr // without the backup it is just a file that another program wrote
	}
	n := 0
	for n < len(text) && n < len(after) && text[n] == after[n] {
		n++
	}
	if !bytes.Equal(text[n:], before[min(n, len(before)):]) {
		return text, nil
	}
	return before, platform.OverwriteFile(c.Real, text, before)
}

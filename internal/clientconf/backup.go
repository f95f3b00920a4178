package clientconf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drawbridge/internal/platform"
)

// keptBackups is how many backups are kept of each file, and how many changes
// can be taken back.
const keptBackups = 10

func (e *Editor) backupFolder(real string) string {
	return filepath.Join(e.state, "backups", fileKey(real))
}

// backUp writes the file's bytes into our own folder, because they may hold
// tokens. It gives the backup's path, "" for no file.
func (e *Editor) backUp(o *opened) (string, error) {
	if o.text == nil {
		return "", nil
	}
	dir := e.backupFolder(o.real)
	_ = platform.CleanTemps(dir) // what a killed process left; only untidy
	base := filepath.Base(o.real)
	name := filepath.Join(dir, now().Format("20060102T150405.000")+"-"+o.hash()[:8]+"-"+strings.ToValidUTF8(base[max(0, len(base)-80):], ""))
	return name, platform.ReplaceFile(name, o.text, 0o600)
}

// pruneBackups removes the oldest backups beyond the limit, but none that a
// change to take back needs.
func (e *Editor) pruneBackups(real string, j *journal) error {
	dir := e.backupFolder(real)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	extra := len(entries) - keptBackups
	for _, entry := range entries { // by name, so by time
		path := filepath.Join(dir, entry.Name())
		if extra <= 0 {
			return nil
		}
		if strings.HasPrefix(entry.Name(), ".") || slices.ContainsFunc(j.Changes, func(c *change) bool { return c.Backup == path }) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		extra--
	}
	return nil
}

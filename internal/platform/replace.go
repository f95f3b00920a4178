package platform

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ReplaceFile makes data the content of the file at path. At every moment, a
// killed process and a full disk included, the file is the old one or the new
// one; on an error it is the old one and nothing is left beside it.
//
// An existing file keeps its mode, and on Unix its owner; mode is for a new
// one, whose folder is made (0700) if need be. A symbolic link stays one: what
// it points to is replaced. A file without write permission is refused, though
// its folder would allow the rename. Extended attributes and hard links are not
// kept. The cause of an error (syscall.ENOSPC, fs.ErrPermission) is wrapped.
func ReplaceFile(path string, data []byte, mode fs.FileMode) error {
	return ReplaceFileIf(path, data, mode, func() error { return nil })
}

// ReplaceFileIf is ReplaceFile that asks still right before the new file takes
// the old one's place, and gives up with its error.
func ReplaceFileIf(path string, data []byte, mode fs.FileMode, still func() error) error {
	target, err := ResolveFile(path)
	if err != nil {
		return err
	}
	old, err := os.Lstat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
		if err := MakeDir(filepath.Dir(target)); err != nil {
			return err
		}
	case err != nil:
		return err
	case !old.Mode().IsRegular():
		return fmt.Errorf("replace %s: not a regular file", target)
	case old.Mode().Perm()&0o200 == 0:
		return &fs.PathError{Op: "replace", Path: target, Err: fs.ErrPermission}
	default:
		mode = old.Mode().Perm()
	}
	temp, err := writeTemp(target, data, mode, old)
	if err != nil {
		return err
	}
	if err := takePlace(temp, path, target, still); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	syncDir(filepath.Dir(target))
	return nil
}

// takePlace renames temp to target, if path still leads there and still agrees.
func takePlace(temp, path, target string, still func() error) error {
	if err := still(); err != nil {
		return err
	}
	now, err := ResolveFile(path)
	if err != nil {
		return err
	}
	if now != target {
		return fmt.Errorf("replace %s: it pointed to %s and now points to %s", path, target, now)
	}
	return renameOver(temp, target)
}

// writeTemp writes a file beside target that is ready to take its place.
func writeTemp(target string, data []byte, mode fs.FileMode, old fs.FileInfo) (name string, err error) {
	name = filepath.Join(filepath.Dir(target), tempName(filepath.Base(target)))
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	_, err = f.Write(data)
	if err == nil && old != nil {
		err = keepOwner(f, old)
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return name, err
}

// maxLinks is how many symbolic links are followed in a row, as Linux does.
const maxLinks = 40

// ResolveFile gives the file that path leads to through symbolic links. The
// file itself need not exist, and nor need the folder of one that is no link.
func ResolveFile(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil {
			if _, serr := os.Lstat(path); serr != nil && !errors.Is(serr, fs.ErrNotExist) {
				return "", serr
			}
			return path, nil // no link, or nothing there
		}
		if !filepath.IsAbs(to) {
			// The link counts from where its folder really is.
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			to = filepath.Join(dir, to)
		}
		path = to
	}
	return "", fmt.Errorf("follow %s: too many symbolic links", path)
}

// The name of a temporary file: tempPrefix, the target's name, the process, a
// random part, tempSuffix.
const (
	tempPrefix = ".drawbridge-"
	tempSuffix = ".tmp"
)

// tempAge is when a temporary file is nobody's any more: a write takes
// milliseconds.
const tempAge = time.Minute

func tempName(base string) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return tempPrefix + base[:min(len(base), 64)] + "-" + strconv.Itoa(os.Getpid()) + "-" + hex.EncodeToString(b[:]) + tempSuffix
}

// tempOwner is the process that made the temporary file of this name.
func tempOwner(name string) (pid int, ok bool) {
	name, ours := strings.CutPrefix(name, tempPrefix)
	name, temp := strings.CutSuffix(name, tempSuffix)
	if !ours || !temp {
		return 0, false
	}
	parts := strings.Split(name, "-")
	if len(parts) < 3 {
		return 0, false
	}
	pid, err := strconv.Atoi(parts[len(parts)-2])
	return pid, err == nil && pid > 0
}

// CleanTemps removes what killed writers left in a folder: temporary files of
// ReplaceFile whose process is gone or which are older than a minute. A folder
// that is not there holds none.
func CleanTemps(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var failed error
	for _, e := range entries {
		pid, ok := tempOwner(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil || (processLives(pid) && time.Since(info.ModTime()) < tempAge) {
			continue // gone by now, or in use
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = err
		}
	}
	return failed
}

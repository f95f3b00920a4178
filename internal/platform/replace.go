package platform

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrChanged is what SwapFile and RemoveFile give for a file that is not as it
// was read.
var ErrChanged = errors.New("the file was changed by another program meanwhile")

// ReplaceFile makes data the content of the file at path. At every moment, a
// killed process and a full disk included, the file is the old one or the new
// one; on an error it is the old one and nothing is left beside it.
//
// An existing file keeps its mode, and on Unix its owner and, where the system
// lets us, its extended attributes; mode is for a new one, whose folder is made
// (0700) if need be. A symbolic link stays one: what it points to is replaced.
// A file without write permission is refused, though its folder would allow the
// rename. Hard links are not kept. The cause of an error (syscall.ENOSPC,
// fs.ErrPermission) is wrapped.
func ReplaceFile(path string, data []byte, mode fs.FileMode) error {
	return replaceFile(path, data, mode, placing{func(*os.Root, string) error { return nil }, renameOver})
}

// SwapFile is ReplaceFile for a file that holds old, nil for no file; else it
// leaves the file and gives ErrChanged. Another program's save is lost only in
// the moment between the last look and the rename, and on Linux, where the two
// files change places and the old one is looked at again, not even then.
func SwapFile(path string, old, data []byte, mode fs.FileMode) error {
	return replaceFile(path, data, mode, placing{
		func(root *os.Root, name string) error { return holds(root, name, old) },
		func(root *os.Root, temp, name string) error {
			err := exchange(root, temp, name, old)
			if errors.Is(err, errors.ErrUnsupported) {
				err = renameOver(root, temp, name)
			}
			return err
		},
	})
}

// RemoveFile removes the file at path, if it holds old, and no link to it.
func RemoveFile(path string, old []byte) error {
	target, err := ResolveFile(path)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Dir(target))
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // a folder that was only looked into
	name := filepath.Base(target)
	if err := holds(root, name, old); err != nil {
		return err
	}
	if err := root.Remove(name); err != nil {
		return err
	}
	syncDir(root)
	return nil
}

// OverwriteFile writes data into the very file at path, which holds old, and
// makes nothing beside it. It is for files that a rename would part from their
// hard links or their mount: a process killed meanwhile leaves the first part of
// data and the last of old.
func OverwriteFile(path string, old, data []byte) error {
	target, err := ResolveFile(path)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Dir(target))
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // a folder that was only looked into
	name := filepath.Base(target)
	if err := holds(root, name, old); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = overwrite(f, data)
	if err != nil {
		err = errors.Join(err, overwrite(f, old)) // it has had room for that
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func overwrite(f *os.File, data []byte) error {
	if _, err := f.WriteAt(data, 0); err != nil {
		return err
	}
	if err := f.Truncate(int64(len(data))); err != nil {
		return err
	}
	return f.Sync()
}

// holds gives ErrChanged unless the file in root holds old, nil for no file.
func holds(root *os.Root, name string, old []byte) error {
	st, err := root.Lstat(name) // first, as a pipe in its place would never open
	switch {
	case errors.Is(err, fs.ErrNotExist) && old == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), err == nil && (old == nil || !st.Mode().IsRegular() || st.Size() != int64(len(old))):
		return ErrChanged
	case err != nil:
		return err
	}
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	now, err := io.ReadAll(io.LimitReader(f, int64(len(old))+1))
	if err == nil && !bytes.Equal(now, old) {
		return ErrChanged
	}
	return err
}

// placing is how a new file that is ready gets the old one's place.
type placing struct {
	still func(root *os.Root, name string) error // asked right before; replaceFile gives up with its error
	take  func(root *os.Root, temp, name string) error
}

func replaceFile(path string, data []byte, mode fs.FileMode, p placing) error {
	target, err := ResolveFile(path)
	if err != nil {
		return err
	}
	dir, name := filepath.Split(target)
	if err := MakeDir(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // a folder that was only looked into
	old, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return err
	case !old.Mode().IsRegular():
		return fmt.Errorf("replace %s: not a regular file", target)
	case old.Mode().Perm()&0o200 == 0:
		return &fs.PathError{Op: "replace", Path: target, Err: fs.ErrPermission}
	default:
		mode = old.Mode().Perm()
	}
	temp := tempName(name)
	if err := writeTemp(root, temp, data, mode, old, name); err != nil {
		return err
	}
	err = p.still(root, name)
	if err == nil {
		err = samePlace(root, path, target)
	}
	if err == nil {
		err = p.take(root, temp, name)
	}
	if err != nil {
		if rerr := root.Remove(temp); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
		return err
	}
	syncDir(root)
	return nil
}

// samePlace tells whether path still leads to target, and target's folder is
// still the one that is open.
func samePlace(root *os.Root, path, target string) error {
	now, err := ResolveFile(path)
	if err != nil {
		return err
	}
	if now != target {
		return fmt.Errorf("replace %s: it pointed to %s and now points to %s", path, target, now)
	}
	open, err := root.Stat(".")
	if err != nil {
		return err
	}
	dir, err := os.Stat(filepath.Dir(target))
	if err == nil && !os.SameFile(open, dir) {
		err = fmt.Errorf("replace %s: its folder was exchanged for another", path)
	}
	return err
}

// writeTemp writes a file that is ready to take the place of the one that is
// called name and was like old, nil for none.
func writeTemp(root *os.Root, temp string, data []byte, mode fs.FileMode, old fs.FileInfo, name string) (err error) {
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Remove(temp))
		}
	}()
	_, err = f.Write(data)
	if err == nil && old != nil {
		err = keepOwner(f, old)
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil && old != nil {
		keepAttributes(root, f, name)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
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
	// macOS makes no file with half a character in its name.
	base = strings.ToValidUTF8(base[:min(len(base), 64)], "")
	return tempPrefix + base + "-" + strconv.Itoa(os.Getpid()) + "-" + hex.EncodeToString(b[:]) + tempSuffix
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

package clientconf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
	"drawbridge/internal/splice"
)

// opened is a file as it was read.
type opened struct {
	target  Target
	real    string      // where the links lead
	linked  bool        // that is another path
	info    fs.FileInfo // nil for no file
	text    []byte      // pristine: nobody who could write into it gets it; nil for no file
	folders []string    // those that must be made first, from the top
}

// hash is the SHA-256 of the bytes, "" for no file.
func (o *opened) hash() string { return hashOf(o.text) }

func hashOf(text []byte) string {
	if text == nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// names is how many names (hard links) the file has.
func (o *opened) names() uint64 {
	if o.info == nil {
		return 0
	}
	return platform.Links(o.info)
}

// openTarget looks at the file and reads it, once. It refuses what is no file.
func openTarget(t Target) (*opened, error) {
	o, err := followTarget(t)
	if err != nil || o.info == nil {
		return o, err
	}
	if o.text, err = readAtRest(o.real); err != nil {
		return nil, unreadable(o.real, err)
	}
	if o.text == nil { // it went just now
		return nil, changedMeanwhile(o.real, "the file was removed just now")
	}
	return o, nil
}

// mayChange refuses what may not be written.
func (o *opened) mayChange() error {
	if o.info == nil {
		return o.mayMake()
	}
	return o.mayWrite()
}

// followTarget follows the links to the file.
func followTarget(t Target) (*opened, error) {
	st, err := os.Lstat(t.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return nil, unreadable(t.Path, err)
	}
	link := err == nil && st.Mode()&fs.ModeSymlink != 0
	real, err := platform.ResolveFile(t.Path)
	if err != nil && !link {
		return nil, unreadable(t.Path, err)
	}
	if err != nil {
		return nil, refuse(fault.ClientConfigNotAFile, t.Path, DanglingSymlink, "the link cannot be followed: "+err.Error())
	}
	o := &opened{target: t, real: real}
	o.folders, o.real, err = realFolder(real)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(fault.ClientConfigNotAFile, t.Path, DanglingSymlink, "its folder is a link to nothing")
	}
	if err != nil {
		return nil, unreadable(t.Path, err)
	}
	o.linked = o.real != filepath.Clean(t.Path)
	o.info, err = os.Lstat(o.real)
	switch {
	case errors.Is(err, fs.ErrNotExist) && link:
		return nil, refuse(fault.ClientConfigNotAFile, t.Path, DanglingSymlink, "it is a link to "+o.real+", which is not there").
			Step("restore that file, or remove the link")
	case errors.Is(err, fs.ErrNotExist):
		o.info = nil
		return o, nil
	case err != nil:
		return nil, unreadable(o.real, err)
	case !o.info.Mode().IsRegular():
		return nil, refuse(fault.ClientConfigNotAFile, o.real, NotRegular, "it is "+kindOf(o.info.Mode())+", not a file")
	default:
		return o, nil
	}
}

// realFolder resolves the folder of path as far as it is there and tells which
// folders are not, from the top.
func realFolder(path string) (missing []string, real string, err error) {
	dir, rest := filepath.Dir(path), filepath.Base(path)
	for {
		at, err := filepath.EvalSymlinks(dir)
		if err == nil {
			real = filepath.Join(at, rest)
			for d := filepath.Dir(real); d != at; d = filepath.Dir(d) {
				missing = append(missing, d)
			}
			slices.Reverse(missing)
			return missing, real, nil
		}
		if _, lerr := os.Lstat(dir); lerr == nil || !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
			return nil, "", err // a link to nothing, or what cannot be looked at
		}
		dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest)
	}
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	default:
		return "something else"
	}
}

// An empty file is looked at again for a while, because many programs empty
// their file and fill it then: what they write into it after we replaced it
// would be lost.
const (
	emptyFor   = 300 * time.Millisecond
	emptyEvery = 20 * time.Millisecond
)

// readAtRest is readReal that waits whether an empty file is being filled.
func readAtRest(real string) ([]byte, error) {
	for begun := time.Now(); ; time.Sleep(emptyEvery) {
		text, err := readReal(real)
		if err != nil || text == nil || len(bytes.TrimSpace(text)) > 0 || time.Since(begun) > emptyFor {
			return text, err
		}
	}
}

// readReal reads the file through its folder, so that no link that appears there
// now is followed out of it. It gives nil for no file.
func readReal(real string) ([]byte, error) {
	root, err := os.OpenRoot(filepath.Dir(real))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // only read
	name := filepath.Base(real)
	st, err := root.Lstat(name) // first, as a pipe in its place would never open
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, errNotRegular
	}
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	text := bytes.NewBuffer(make([]byte, 0, min(st.Size(), splice.MaxBytes)+bytes.MinRead))
	if _, err := text.ReadFrom(io.LimitReader(f, splice.MaxBytes+1)); err != nil {
		return nil, err
	}
	if text.Len() > splice.MaxBytes {
		return nil, errTooLarge
	}
	return text.Bytes(), nil
}

// mayWrite refuses a file that is not ours to write (C-08).
func (o *opened) mayWrite() error {
	if nixStore(o.real) {
		return unwritable(o.real, syscall.EROFS)
	}
	if !platform.OwnFile(o.info) {
		return refuse(fault.ClientConfigReadonly, o.real, NotOwner, "the file belongs to another user").Step("run Drawbridge as its owner")
	}
	if err := platform.MayWrite(o.real); err != nil {
		return unwritable(o.real, err)
	}
	if err := platform.MayWrite(filepath.Dir(o.real)); err != nil {
		return unwritable(o.real, err)
	}
	return nil
}

// mayMake refuses a file that cannot be made. A known client's file gets all its
// folders; another gets one, because a path with more of them missing is rather
// a mistyped one (F-107).
func (o *opened) mayMake() error {
	if len(o.folders) > 1 && o.target.Client == "" {
		return refuse(fault.ClientConfigNotAFile, o.real, NoFolder, "the folder "+filepath.Dir(o.folders[len(o.folders)-1])+" is not there")
	}
	in := filepath.Dir(o.real)
	if len(o.folders) > 0 {
		in = filepath.Dir(o.folders[0])
	}
	st, err := os.Stat(in)
	if err == nil && !st.IsDir() {
		return refuse(fault.ClientConfigNotAFile, o.real, NoFolder, in+" is not a folder")
	}
	if err == nil {
		err = platform.MayWrite(in)
	}
	if err != nil {
		return unwritable(o.real, err)
	}
	return nil
}

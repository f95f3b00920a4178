package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// File is the file of servers. It holds no state: each call reads the file, and
// all may be made at once, from any process. A file that is not there holds no
// servers; reading makes none.
type File struct {
	path string // of the file
	lock string // of the file writers lock; never beside a file people may keep elsewhere
}

// Open names the file catalog.json in the configuration folder.
func Open(d platform.Dirs) *File {
	return &File{filepath.Join(d.Config, "catalog.json"), filepath.Join(d.State, "catalog.lock")}
}

// Path is where the file is, or will be.
func (f *File) Path() string { return f.path }

// Load gives the servers by name. When entries cannot be used it gives the
// others, together with the error about the first of these; when the file
// cannot be read at all, none and the error (DB_CATALOG_INVALID,
// DB_STATE_NEWER).
func (f *File) Load() ([]Server, error) {
	src, err := f.read()
	if err != nil || src == nil {
		return nil, err
	}
	return f.list(src)
}

func (f *File) list(src []byte) ([]Server, error) {
	d, err := parseDocument(f.path, src)
	if err != nil {
		return nil, err
	}
	var list []Server
	var first error
	for i := range d.entries() {
		s, err := d.server(&d.entries()[i])
		if err == nil {
			list = append(list, s)
		} else if first == nil {
			first = err
		}
	}
	slices.SortFunc(list, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
	return list, first
}

// Get gives one server (DB_SERVER_NOT_FOUND). Entries of others are not looked
// into, so that a mistake in one leaves the others usable.
func (f *File) Get(name string) (Server, error) {
	src, err := f.read()
	if err != nil {
		return Server{}, err
	}
	if src == nil {
		return Server{}, fault.New(fault.ServerNotFound, name)
	}
	if s, ok := plainGet(src, name); ok {
		return s, nil
	}
	d, err := parseDocument(f.path, src)
	if err != nil {
		return Server{}, err
	}
	i := d.indexOf(name)
	if i < 0 {
		return Server{}, fault.New(fault.ServerNotFound, name)
	}
	return d.server(&d.entries()[i])
}

// Add adds a server (DB_SERVER_EXISTS; what Validate refuses).
func (f *File) Add(ctx context.Context, s Server) error {
	if err := s.Validate(); err != nil {
		return err
	}
	return f.change(ctx, func(d *document) ([]byte, error) { return d.withServer(s) })
}

// Put adds a server, or changes the one of its name: what stays the same in it
// is not touched.
func (f *File) Put(ctx context.Context, s Server) error {
	if err := s.Validate(); err != nil {
		return err
	}
	return f.change(ctx, func(d *document) ([]byte, error) { return d.withChanged(s) })
}

// Remove removes a server (DB_SERVER_NOT_FOUND).
func (f *File) Remove(ctx context.Context, name string) error {
	return f.change(ctx, func(d *document) ([]byte, error) { return d.withoutServer(name) })
}

// swapTries is how often an edit is made anew because another program, which
// does not know our lock, changed the file in between.
const swapTries = 5

// change reads the file, edits it and writes it, under the writers' lock. What
// could not be written is DB_CATALOG_WRITE, and the file is as it was.
func (f *File) change(ctx context.Context, edit func(*document) ([]byte, error)) error {
	unlock, err := platform.Lock(ctx, f.lock)
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.CatalogWrite, f.path).With("another process of Drawbridge is changing the list of servers").
			Step("repeat in a moment").Because(err)
	}
	if err != nil {
		return f.unwritten(fmt.Errorf("lock %s: %w", f.lock, err))
	}
	defer unlock()
	for range swapTries {
		if err = f.swap(edit); !errors.Is(err, platform.ErrChanged) {
			return err
		}
	}
	return f.unwritten(err)
}

// swap makes one try.
func (f *File) swap(edit func(*document) ([]byte, error)) error {
	src, err := f.read()
	if err != nil {
		return err
	}
	start := src
	if src == nil {
		start = []byte(fresh)
	}
	d, err := parseDocument(f.path, start)
	if err != nil {
		return err
	}
	out, err := edit(d)
	if err != nil {
		return err
	}
	if bytes.Equal(out, src) {
		return nil
	}
	return f.write(src, out)
}

// write replaces what was read as src, nil for no file.
func (f *File) write(src, out []byte) error {
	if target, err := platform.ResolveFile(f.path); err == nil {
		// What a killed writer left behind is only untidy, so this may not work.
		_ = platform.CleanTemps(filepath.Dir(target))
	}
	err := platform.SwapFile(f.path, src, out, 0o600)
	switch {
	case err == nil || errors.Is(err, platform.ErrChanged):
		return err
	default:
		return f.unwritten(err)
	}
}

func (f *File) unwritten(err error) error {
	return fault.New(fault.CatalogWrite, f.path).Because(err)
}

// read gives the bytes of the file, nil for no file.
func (f *File) read() ([]byte, error) {
	st, err := os.Stat(f.path) // first, as a pipe in its place would never open
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, f.unread(err)
	case !st.Mode().IsRegular():
		return nil, f.unread(errors.New("it is not a regular file"))
	}
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, f.unread(err)
	}
	defer file.Close() //nolint:errcheck // only read
	buf := bytes.NewBuffer(make([]byte, 0, min(st.Size(), MaxBytes)+bytes.MinRead))
	// One byte more than allowed: parseDocument refuses the file then.
	if _, err := buf.ReadFrom(io.LimitReader(file, MaxBytes+int64(len(bom))+1)); err != nil {
		return nil, f.unread(err)
	}
	return buf.Bytes(), nil
}

func (f *File) unread(err error) error {
	return fault.New(fault.CatalogInvalid, f.path).Because(err).Step("make it a file that you can read")
}

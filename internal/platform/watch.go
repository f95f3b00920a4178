package platform

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// The times of Watch.
const (
	watchQuiet = 150 * time.Millisecond // after the last event, so that one save is one change
	watchMost  = time.Second            // after the first event, when they never stop
	watchLook  = 30 * time.Second       // look without an event: network folders send none
	watchPoll  = 2 * time.Second        // the same, when the system gives no events at all
)

// watchBytes is how much of a file is compared; past it size and time count.
const watchBytes = 64 << 20

// Watch calls changed once when it has begun, and again whenever the content of
// the file at path has become another: written in place, replaced by rename,
// removed, made (its folder too), or reached through a link that now leads
// elsewhere. The calls come one after another, in the goroutine of Watch, and
// a moment after the change; several changes may be one call. A program that
// truncates and writes can be met halfway. Watch returns when ctx ends.
func Watch(ctx context.Context, path string, changed func()) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	w := &fileWatch{path: path}
	pause := watchLook
	// Without inotify (its instances are limited) looking now and then is enough.
	if w.notify, err = fsnotify.NewWatcher(); err == nil {
		defer w.notify.Close() //nolint:errcheck // the descriptor goes in any case
	} else {
		pause = watchPoll
	}
	w.arm()
	w.look()
	changed()
	w.follow(ctx, pause, changed)
	return nil
}

type fileWatch struct {
	path   string
	notify *fsnotify.Watcher // nil when the system gives none
	names  []string          // paths whose events matter
	stat   os.FileInfo       // as of the last look; nil for no file
	seen   imprint
}

// follow waits for events until ctx ends.
func (w *fileWatch) follow(ctx context.Context, pause time.Duration, changed func()) {
	var events <-chan fsnotify.Event
	var errs <-chan error
	if w.notify != nil {
		events, errs = w.notify.Events, w.notify.Errors
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	defer quiet.Stop()
	var first time.Time // of the events not looked at yet
	touch := func() {
		if first.IsZero() {
			first = time.Now()
		}
		quiet.Reset(min(watchQuiet, max(0, watchMost-time.Since(first))))
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				events = nil
			} else if w.matters(e.Name) {
				touch()
			}
		case _, ok := <-errs: // an overflow: something was missed
			if !ok {
				errs = nil
			} else {
				touch()
			}
		case <-tick.C:
			w.arm()
			if w.stirred() && first.IsZero() {
				touch()
			}
		case <-quiet.C:
			first = time.Time{}
			w.arm()
			if w.look() {
				changed()
			}
		}
	}
}

func (w *fileWatch) matters(name string) bool {
	for _, n := range w.names {
		if strings.EqualFold(n, name) { // some file systems do not tell case apart
			return true
		}
	}
	return false
}

// arm watches the folders through which path leads now, and no others. What is
// made while it looks is seen by looking again after each new watch.
func (w *fileWatch) arm() {
	if w.notify == nil {
		return
	}
	for range 4 {
		dirs, names := w.places()
		w.names = names
		fresh := false
		had := w.notify.WatchList()
		for _, d := range had {
			if !dirs[d] {
				_ = w.notify.Remove(d) // gone by itself with its folder
			}
		}
		for d := range dirs {
			// Again too for one that is watched: the folder may be a new one of
			// the same name. One that cannot be watched is looked at by the clock.
			if err := w.notify.Add(d); err == nil && !slices.Contains(had, d) {
				fresh = true
			}
		}
		if !fresh {
			return
		}
	}
}

// places are the folder of the file and of each link on the way to it, or the
// nearest above that exists, and the paths in them whose events matter.
func (w *fileWatch) places() (dirs map[string]bool, names []string) {
	dirs = map[string]bool{}
	for at, n := w.path, 0; n < maxLinks; n++ {
		dir, name := filepath.Dir(at), at
		for !isDir(dir) && filepath.Dir(dir) != dir {
			dir, name = filepath.Dir(dir), dir
		}
		dirs[dir] = true
		names = append(names, name, dir)
		to, err := os.Readlink(at)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			real, err := filepath.EvalSymlinks(filepath.Dir(at))
			if err != nil {
				break
			}
			to = filepath.Join(real, to)
		}
		at = to
	}
	return dirs, names
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// look reads the file again and reports whether its content is another one.
func (w *fileWatch) look() (changed bool) {
	w.stat, _ = os.Stat(w.path) // no file is an answer too
	now := content(w.path)
	changed = now != w.seen
	w.seen = now
	return changed
}

// stirred reports, without reading the file, whether a look is due.
func (w *fileWatch) stirred() bool {
	now, _ := os.Stat(w.path)
	if now == nil || w.stat == nil {
		return (now == nil) != (w.stat == nil)
	}
	return !os.SameFile(now, w.stat) || now.Size() != w.stat.Size() || !now.ModTime().Equal(w.stat.ModTime())
}

// imprint tells two contents of a file apart; it is zero for no file.
type imprint struct {
	there bool
	size  int64
	sum   [sha256.Size]byte // of the first watchBytes
}

func content(path string) imprint {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return imprint{}
	}
	p := imprint{there: true, size: st.Size()}
	f, err := os.Open(path)
	if err != nil {
		return p // there, and not for us to read
	}
	defer f.Close() //nolint:errcheck // only read
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, watchBytes))
	if err != nil {
		return p
	}
	p.size = max(n, st.Size())
	h.Sum(p.sum[:0])
	return p
}

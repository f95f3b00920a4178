package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// The times of a Watcher. One save is several events; watchQuiet, how long after
// the last one it is told, differs by system.
const (
	watchMost = time.Second             // after the first event, when they never stop
	watchLook = 30 * time.Second        // look without an event, in case one was missed
	watchPoll = 1500 * time.Millisecond // the same, where no events come: with watchQuiet under 2 s
)

// watchFolders is how many folders are watched at most. The files of the others
// are looked at by the clock.
const watchFolders = 512

// Watcher tells when files of other programs may have changed, with one handle
// of the system for all. It watches folders, never the files: the one a file
// lies in, those of the links on the way to it, or the nearest that exists.
// Where the system's events would hurt (macOS holds a descriptor for each entry
// of a folder, and asks the user about folders of some programs) or do not come
// (network folders, limits), it looks by stat alone, so that a change is seen
// within 2 s; everywhere it looks every 30 s besides.
type Watcher struct {
	events bool // false where files are only looked at
	add    func(*fsnotify.Watcher, string) error

	mu    sync.Mutex
	paths []string
	wake  chan struct{} // holds one: paths are others
}

// Stir is what a Watcher tells.
type Stir struct {
	// Paths are those that may lead to something else now, each once, in the
	// order of Set.
	Paths []string
	// Polls is why changes are seen only up to 2 s late, nil where the system
	// has told no limit.
	Polls error
}

// NewWatcher makes a Watcher of nothing.
func NewWatcher() *Watcher {
	return &Watcher{events: watchEvents, add: addWatch, wake: make(chan struct{}, 1)}
}

func addWatch(n *fsnotify.Watcher, dir string) error { return n.Add(dir) }

// Anything, as the last step of a path, stands for all that is in the folder.
const Anything = "*"

// Set says which absolute paths are watched from now on, instead of those
// before. Nothing need be there, and the folders need not either. It may be
// called at any time, from within told as well.
func (w *Watcher) Set(paths ...string) {
	w.mu.Lock()
	w.paths = slices.Clone(paths)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // it is about to look already
	}
}

// Run calls told with each path once it is watched, and again a moment after
// something happened to what it leads to; several changes may be one call, and
// a call need not mean a change. The calls come one after another, in the
// goroutine of Run. It returns when ctx ends.
func (w *Watcher) Run(ctx context.Context, told func(Stir)) error {
	now := time.Now()
	r := &watchRun{Watcher: w, told: told, quiet: time.NewTimer(time.Hour), tick: time.NewTimer(watchLook), last: now, looked: now}
	defer r.close()
	for {
		var events <-chan fsnotify.Event
		var errs <-chan error
		if r.notify != nil {
			events, errs = r.notify.Events, r.notify.Errors
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
			r.take()
		case e, ok := <-events:
			r.happened(e, ok)
		case err, ok := <-errs:
			r.lost(err, ok)
		case <-r.tick.C:
			r.look()
		case <-r.quiet.C:
			r.tell()
		}
	}
}

// watchRun is one Run, in one goroutine.
type watchRun struct {
	*Watcher
	told   func(Stir)
	notify *fsnotify.Watcher // nil while the system gives none
	limit  error
	files  []*watchedFile
	quiet  *time.Timer // until the next call of told
	tick   *time.Timer // until the next look without an event
	last   time.Time   // of those
	looked time.Time   // when all files were looked at
}

// watchedFile is a path that is watched.
type watchedFile struct {
	path  string
	trail trail
	polls bool // its folders send no events
	stat  glimpse
	first time.Time // when what was not told yet began, zero for nothing
	due   time.Time // when it is told
}

func (r *watchRun) close() {
	r.quiet.Stop()
	r.tick.Stop()
	if r.notify != nil {
		_ = r.notify.Close() // the descriptor goes in any case
	}
}

// take begins with the paths as they were set. Those that are watched already
// go on.
func (r *watchRun) take() {
	r.mu.Lock()
	paths := slices.Clone(r.paths)
	r.mu.Unlock()
	had := map[string]*watchedFile{}
	for _, f := range r.files {
		had[f.path] = f
	}
	r.files = r.files[:0:0]
	for _, p := range paths {
		f := had[p]
		if f == nil {
			f = &watchedFile{path: p}
			f.due = time.Now()
		}
		r.files = append(r.files, f)
	}
	r.tell()
}

func (r *watchRun) happened(e fsnotify.Event, open bool) {
	if !open {
		r.notify = nil
		return
	}
	touched := false
	for _, f := range r.files {
		if f.trail.leadsBy(e.Name) {
			f.touch()
			touched = true
		}
	}
	if touched {
		r.wind()
	}
}

// lost is for events that were dropped, as too many came: all is looked at.
func (r *watchRun) lost(_ error, open bool) {
	if !open {
		r.notify = nil
		return
	}
	for _, f := range r.files {
		f.touch()
	}
	r.wind()
}

// touch puts the file's call off until nothing happened for a moment, but not
// for ever.
func (f *watchedFile) touch() {
	now := time.Now()
	if f.first.IsZero() {
		f.first = now
	}
	f.due = now.Add(min(watchQuiet, max(0, watchMost-now.Sub(f.first))))
}

// look finds by stat what no event told of.
func (r *watchRun) look() {
	r.last = time.Now()
	all := r.last.Sub(r.looked) >= watchLook
	if all {
		r.looked = r.last
		limited := r.limit != nil
		r.arm() // what could not be watched before may be now
		if limited != (r.limit != nil) {
			r.told(Stir{Polls: r.limit})
		}
	}
	for _, f := range r.files {
		if (all || f.polls) && f.due.IsZero() && !f.stat.same(glance(f.path)) {
			f.touch()
		}
	}
	r.wind()
}

// tell calls told with the files whose time has come.
func (r *watchRun) tell() {
	now := time.Now()
	var due []*watchedFile
	for _, f := range r.files {
		if !f.due.IsZero() && !f.due.After(now) {
			due = append(due, f)
		}
	}
	r.arm(due...)
	s := Stir{Polls: r.limit}
	for _, f := range due {
		f.first, f.due = time.Time{}, time.Time{}
		f.stat = glance(f.path)
		s.Paths = append(s.Paths, f.path)
	}
	if len(due) > 0 {
		r.told(s)
	}
	r.wind()
}

// wind sets the timers.
func (r *watchRun) wind() {
	var next time.Time
	pause := watchLook
	for _, f := range r.files {
		if !f.due.IsZero() && (next.IsZero() || f.due.Before(next)) {
			next = f.due
		}
		if f.polls {
			pause = watchPoll
		}
	}
	r.quiet.Stop()
	if !next.IsZero() {
		r.quiet.Reset(max(0, time.Until(next)))
	}
	r.tick.Reset(max(0, time.Until(r.last.Add(pause))))
}

// armRounds is how often folders are added for what was made meanwhile. Each
// round goes at least one folder deeper.
const armRounds = 64

// arm watches the folders through which the paths lead now, and no others. What
// is made while it looks is found by looking again after each new watch, so
// that what comes later sends an event. Without files it is for all.
func (r *watchRun) arm(files ...*watchedFile) {
	if len(files) == 0 {
		files = r.files
	}
	r.open()
	for range armRounds {
		for _, f := range files {
			f.trail = follow(f.path)
		}
		if !r.addFolders() {
			return
		}
	}
	for _, f := range files {
		f.touch() // it changes as fast as we look: soon again
	}
}

// open gets the handle. The system limits how many a user has.
func (r *watchRun) open() {
	if !r.events || r.notify != nil {
		return
	}
	n, err := fsnotify.NewWatcher()
	if err != nil {
		r.limit = fmt.Errorf("watch for changes of files: %w", err)
		return
	}
	r.notify = n
}

// addFolders brings the watched folders in line with the trails of all files and
// reports whether one is new.
func (r *watchRun) addFolders() (fresh bool) {
	if r.notify == nil {
		for _, f := range r.files {
			f.polls = true
		}
		return false
	}
	had, silent := r.notify.WatchList(), map[string]bool{}
	wanted := map[string]bool{}
	r.limit = nil
	for _, f := range r.files {
		f.polls = false
		for _, d := range f.trail.dirs {
			if !wanted[d] {
				wanted[d] = true
				added, ok := r.addFolder(d, len(wanted), slices.Contains(had, d))
				silent[d], fresh = !ok, fresh || added
			}
			f.polls = f.polls || silent[d]
		}
	}
	for _, d := range had {
		if !wanted[d] {
			_ = r.notify.Remove(d) // gone by itself with its folder
		}
	}
	return fresh
}

// addFolder watches the n-th folder, or says with ok = false that no events will
// come. One that is watched is added too: it may be a new one of the same name.
func (r *watchRun) addFolder(dir string, n int, had bool) (fresh, ok bool) {
	if n > watchFolders || remoteFolder(dir) {
		return false, false
	}
	err := r.add(r.notify, dir)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		r.limit = fmt.Errorf("watch for changes in %s: %w", dir, err)
	}
	return err == nil && !had, err == nil
}

// glimpse is what stat tells about a path.
type glimpse struct {
	info os.FileInfo // nil for nothing to see
	why  string      // there is nothing
}

func glance(path string) glimpse {
	if filepath.Base(path) == Anything {
		path = filepath.Dir(path)
	}
	info, err := os.Stat(path)
	if err != nil {
		var e syscall.Errno
		errors.As(err, &e)
		return glimpse{why: e.Error()}
	}
	return glimpse{info: info}
}

func (g glimpse) same(o glimpse) bool {
	if g.info == nil || o.info == nil {
		return g.info == nil && o.info == nil && g.why == o.why
	}
	return os.SameFile(g.info, o.info) && g.info.Size() == o.info.Size() &&
		g.info.ModTime().Equal(o.info.ModTime()) && g.info.Mode() == o.info.Mode()
}

// leadsBy tells whether an event of this name matters. Some file systems do not
// tell case apart.
func (t trail) leadsBy(name string) bool {
	return slices.ContainsFunc(t.names, func(n string) bool {
		if dir, ok := strings.CutSuffix(n, string(filepath.Separator)+Anything); ok && strings.EqualFold(dir, filepath.Dir(name)) {
			return true
		}
		return strings.EqualFold(n, name)
	})
}

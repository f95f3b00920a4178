package clientconf

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/platform"
)

// The times of a Watcher. A program may empty its file before it writes it anew,
// so what is empty or has an error is read again before that is told (C-63).
// With the quiet moment of platform.Watcher it is told within 2 s.
var rereads = []time.Duration{300 * time.Millisecond, 400 * time.Millisecond, 500 * time.Millisecond}

// surveys is how often the clients are looked for whose coming changes no file
// of theirs, but only a folder of programs. It is by stat alone.
const surveys = 30 * time.Second

// Watcher follows the files of all clients and what is in those that hold what
// we wrote. It changes nothing in them, and adds nothing that was removed.
type Watcher struct {
	editor *Editor
	system System
	log    *slog.Logger
	files  *platform.Watcher
}

// NewWatcher makes a Watcher. It looks at nothing yet.
func NewWatcher(e *Editor, s System, log *slog.Logger) *Watcher {
	return &Watcher{editor: e, system: s, log: log, files: platform.NewWatcher()}
}

// Snapshot is the state of all clients' files, as of Statuses. It replaces the
// one before.
type Snapshot struct {
	Revision int // from 1
	Statuses []Status
	// Polls is why changes are seen only up to 2 s late; nil when the system
	// sets no limit.
	Polls error
}

// Run reports the state of all clients' files and then each change of it, a
// moment after it happened and within 2 s. Changes that come together are one
// report. What another hand took out is recorded in the ledger. The reports
// come one after another, in the goroutine of Run. It returns when ctx ends.
func (w *Watcher) Run(ctx context.Context, report func(Snapshot)) error {
	ctx, stop := context.WithCancel(ctx)
	stirs, ended := make(chan platform.Stir), make(chan error, 1)
	r := &watchRun{Watcher: w, report: report, again: time.NewTimer(time.Hour)}
	defer r.again.Stop()
	r.load()
	r.take()
	go func() {
		ended <- w.files.Run(ctx, func(s platform.Stir) {
			select {
			case stirs <- s:
			case <-ctx.Done():
			}
		})
	}()
	defer func() { stop(); <-ended }()
	survey := time.NewTicker(surveys)
	defer survey.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-stirs:
			r.stirred(ctx, s)
		case <-r.again.C:
			r.reread(ctx)
		case <-survey.C:
			r.survey(ctx)
		}
		r.tell()
	}
}

// watchRun is one Run, in one goroutine.
type watchRun struct {
	*Watcher
	report   func(Snapshot)
	owned    []Owned // the ledger
	rows     []*watchedRow
	paths    []string    // that are watched
	again    *time.Timer // for the next row to read again
	polls    error
	revision int
	told     []Status
	toldPoll string
}

// watchedRow is a row with what was found last.
type watchedRow struct {
	row
	paths  []string
	status Status
	known  bool // that
	stale  bool // it is to be found out anew
	shown  bool // the client has a file on this system
	hash   string
	tries  int       // how often an empty or broken file was read again
	again  time.Time // when it is next, zero for not
}

// take brings the rows in line with the ledger and with where the files are.
// Those that are the same go on.
func (r *watchRun) take() {
	had := r.rows
	r.rows = nil
	paths := []string{r.editor.ledgerPath()}
	for _, now := range rows(r.system, r.owned) {
		at := slices.IndexFunc(had, func(w *watchedRow) bool { return w.client.ID == now.client.ID && w.path == now.path })
		if at < 0 {
			r.rows = append(r.rows, &watchedRow{row: now, paths: now.watched(r.system)})
		} else {
			w := had[at]
			if !reflect.DeepEqual(w.owned, now.owned) {
				w.owned, w.stale = now.owned, true
			}
			r.rows = append(r.rows, w)
		}
		paths = append(paths, r.rows[len(r.rows)-1].paths...)
	}
	slices.Sort(paths)
	if paths = slices.Compact(paths); !slices.Equal(paths, r.paths) {
		r.paths = paths
		r.files.Set(paths...)
	}
}

// load reads the ledger. What was known stays, if it cannot be read.
func (r *watchRun) load() {
	owned, err := r.editor.Ledger()
	if err != nil {
		r.log.Warn("ledger not read", "error", err)
		return
	}
	r.owned = owned
}

// watched are the paths at which something happens when the row's state changes.
func (r row) watched(s System) []string {
	if r.path != "" {
		return []string{r.path}
	}
	list := Files(r.client, s)
	for _, pattern := range slices.Concat(onSystem(r.client.User, s), onSystem(r.client.Installed, s)) {
		if before, _, star := strings.Cut(pattern, "*"); star {
			pattern = before[:strings.LastIndex(before, "/")+1] + platform.Anything
		}
		if path, ok := s.expand(pattern); ok {
			list = append(list, path)
		}
	}
	return list
}

// stirred looks at what may have changed.
func (r *watchRun) stirred(ctx context.Context, s platform.Stir) {
	r.polls = s.Polls
	all := slices.Contains(s.Paths, r.editor.ledgerPath())
	if all {
		r.load()
	}
	r.take()
	for _, w := range r.rows {
		due := w.stale || !w.known && w.again.IsZero()
		if all || due || slices.ContainsFunc(w.paths, func(p string) bool { return slices.Contains(s.Paths, p) }) {
			r.look(ctx, w)
		}
	}
}

// survey looks at the rows of which no content is read.
func (r *watchRun) survey(ctx context.Context) {
	for _, w := range r.rows {
		if len(w.owned) == 0 {
			r.look(ctx, w)
		}
	}
}

// reread looks again at what was empty or broken.
func (r *watchRun) reread(ctx context.Context) {
	now := time.Now()
	for _, w := range r.rows {
		if !w.again.IsZero() && !w.again.After(now) {
			w.again = time.Time{}
			w.tries++
			r.look(ctx, w)
		}
	}
	r.wind()
}

// look finds out about a row.
func (r *watchRun) look(ctx context.Context, w *watchedRow) {
	f, ok := w.find(r.system, readReal)
	hash := hashOf(f.Text)
	same := w.known && !w.stale && f.Err == nil && f.Text != nil && hash == w.hash && f.Target.Path == w.status.Target.Path
	if w.shown = ok; !ok || same {
		w.calm()
		w.known, w.stale = true, false
		return
	}
	s := r.editor.status(f)
	if (f.blank() || s.invalid()) && w.tries < len(rereads) {
		if w.again.IsZero() {
			w.again = time.Now().Add(rereads[w.tries])
			r.wind()
		}
		return
	}
	w.calm()
	w.status, w.known, w.stale, w.hash = s, true, false, hash
	for _, e := range s.Entries {
		if err := r.record(ctx, e); err != nil {
			r.log.Warn("entry of a client's file not recorded", "file", e.Record.Path, "error", err)
		}
	}
}

func (w *watchedRow) calm() { w.tries, w.again = 0, time.Time{} }

// record writes down what another hand took out, so that nothing adds it again,
// and what it put back.
func (r *watchRun) record(ctx context.Context, e EntryStatus) error {
	switch o := e.Record; {
	case o == nil || o.Removed.IsZero() == (e.State != StateRemoved):
		return nil
	case e.State == StateRemoved:
		return r.editor.MarkRemoved(ctx, *o)
	default:
		return r.editor.changeLedger(ctx, func(l *ledger) {
			if at := l.find(o.Real, o.Container, o.Name); at != nil {
				at.Removed = time.Time{}
			}
		})
	}
}

// wind sets the timer for the next row to read again.
func (r *watchRun) wind() {
	r.again.Stop()
	var next time.Time
	for _, w := range r.rows {
		if !w.again.IsZero() && (next.IsZero() || w.again.Before(next)) {
			next = w.again
		}
	}
	if !next.IsZero() {
		r.again.Reset(max(0, time.Until(next)))
	}
}

// tell reports, if there is something new and all is known.
func (r *watchRun) tell() {
	var list []Status
	for _, w := range r.rows {
		if !w.known {
			return
		}
		if w.shown {
			list = append(list, w.status)
		}
	}
	poll := ""
	if r.polls != nil {
		poll = r.polls.Error()
	}
	if r.revision > 0 && poll == r.toldPoll && slices.EqualFunc(list, r.told, Status.same) {
		return
	}
	r.revision++
	r.told, r.toldPoll = list, poll
	r.report(Snapshot{Revision: r.revision, Statuses: slices.Clone(list), Polls: r.polls})
}

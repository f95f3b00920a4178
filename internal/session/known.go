package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/era"
	"drawbridge/internal/platform"
)

// Known is the file that remembers across processes what servers speak, so that
// a client which starts us anew need not wait for a question that was answered
// before. It is read at each start, so it is a line of text a server:
//
//	drawbridge eras 1
//	<hash of what the server is> legacy 1795219200
//
// Nobody locks it. Of two processes that write at the same time one may be
// forgotten, which costs a question.
type Known struct{ path string }

const (
	knownHead  = "drawbridge eras "
	knownForm  = 1
	knownMost  = 256            // servers
	knownBytes = 64 << 10       // of a file that is ours
	knownFor   = 24 * time.Hour // so that a server which learnt the other era is noticed
	keepAfter  = time.Second    // the start of a conversation has the machine for itself
)

// OpenKnown names the file in the state folder. Nothing is read or made before it
// is needed.
func OpenKnown(state string) *Known { return &Known{filepath.Join(state, "eras")} }

// attend tells memory what is known of the server and keeps what is found out
// until stop is called.
func (k *Known) attend(s catalog.Server, memory *era.Memory, log *slog.Logger) (stop func()) {
	if k == nil || s.Protocol != "" && s.Protocol != era.Auto || s.Transport == catalog.SSE {
		return func() {} // there is nothing to find out
	}
	key, err := keyOf(s)
	if err != nil {
		return func() {} // it will not be reached either
	}
	if found, _ := k.recall(key, time.Now()); found != "" {
		memory.Recall(found)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for over := false; !over; {
			select {
			case <-memory.News():
				over = waited(done, keepAfter)
			case <-done:
				select {
				case <-memory.News():
					over = true
				default:
					return
				}
			}
			if found, ok := memory.Found(); ok {
				if err := k.keep(key, found, time.Now()); err != nil {
					log.Debug("what the server speaks is not remembered", "server", s.Name, "err", err)
				}
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// waited waits; it is true when done came first.
func waited(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-done:
		return true
	}
}

// recall gives what is known of a server, "" for nothing.
func (k *Known) recall(key string, now time.Time) (found string, err error) {
	lines, err := k.read()
	for _, line := range lines {
		if found, ok := lineOf(line, key, now); ok {
			return found, err
		}
	}
	return "", err
}

// keep remembers what was found out of a server, or forgets it for "". What is
// in the file already keeps its age.
func (k *Known) keep(key, found string, now time.Time) error {
	lines, err := k.read()
	if err != nil {
		return err
	}
	old := ""
	rest := lines[:0]
	for _, line := range lines {
		switch f, ok := lineOf(line, key, now); {
		case ok:
			old = f
		case line != "" && !strings.HasPrefix(line, key+" "):
			rest = append(rest, line)
		}
	}
	if found == old {
		return nil
	}
	if found != "" {
		rest = slices.Insert(rest, 0, key+" "+found+" "+strconv.FormatInt(now.Unix(), 10))
	}
	rest = rest[:min(len(rest), knownMost)]
	text := knownHead + strconv.Itoa(knownForm) + "\n" + strings.Join(rest, "\n") + "\n"
	return platform.ReplaceFile(k.path, []byte(text), 0o600)
}

// lineOf reads one line, if it is that of the server and not too old.
func lineOf(line, key string, now time.Time) (found string, ok bool) {
	if !strings.HasPrefix(line, key) {
		return "", false
	}
	f := strings.Fields(line)
	if len(f) != 3 || f[0] != key || f[1] != era.Legacy && f[1] != era.Modern {
		return "", false
	}
	at, err := strconv.ParseInt(f[2], 10, 64)
	age := now.Sub(time.Unix(at, 0))
	return f[1], err == nil && age >= 0 && age < knownFor
}

// read gives the lines, newest first. A file that is not as we write it is as if
// there was none; one of a newer program is an error, for it is not replaced.
func (k *Known) read() ([]string, error) {
	f, err := os.Open(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, knownBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", k.path, err)
	}
	head, rest, _ := bytes.Cut(b, []byte{'\n'})
	form, ours := strings.CutPrefix(string(head), knownHead)
	n, err := strconv.Atoi(form)
	switch {
	case ours && err == nil && n > knownForm:
		return nil, fmt.Errorf("read %s: it is of a newer Drawbridge", k.path)
	case !ours || err != nil || len(b) > knownBytes:
		return nil, nil
	}
	return strings.Split(strings.TrimRight(string(rest), "\n"), "\n"), nil
}

// keyOf is a hash of what a server is: its address without the query, or its
// program with arguments, environment and the age and size of its file.
func keyOf(s catalog.Server) (string, error) {
	if s.Transport != catalog.Stdio {
		u, err := url.Parse(s.URL)
		if err != nil {
			return "", err
		}
		return hash("http", strings.ToLower(u.Scheme), strings.ToLower(u.Host), u.EscapedPath()), nil
	}
	dir := s.Dir
	if dir != "" {
		full, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		dir = full
	}
	found, err := platform.FindCommand(s.Command, s.Env, dir)
	if err != nil {
		return "", err
	}
	file, err := os.Stat(found.File)
	if err != nil {
		return "", err
	}
	parts := []string{"stdio", s.Command, dir, found.File, file.ModTime().UTC().Format(time.RFC3339Nano), strconv.FormatInt(file.Size(), 10), strconv.Itoa(len(s.Args))}
	parts = append(parts, s.Args...)
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		parts = append(parts, name, s.Env[name])
	}
	return hash(parts...), nil
}

// hash tells lists of texts apart and shows none of them.
func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(p), p) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

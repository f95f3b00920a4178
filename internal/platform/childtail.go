package platform

import (
	"bytes"
	"os"
	"strings"
	"sync"
)

// How much of a child's stderr is kept.
const (
	tailBytes = 8 << 10
	tailLines = 20
)

// tail reads a stream to its end as fast as it comes and keeps the last of it.
// Its memory does not grow.
type tail struct {
	f    *os.File
	done chan struct{} // closed at the stream's end

	mu   sync.Mutex
	kept []byte
	cut  bool // something was dropped in front of kept
}

// drain starts the reading; close ends it and waits.
func drain(f *os.File) *tail {
	t := &tail{f: f, done: make(chan struct{})}
	go t.run()
	return t
}

func (t *tail) run() {
	defer close(t.done)
	b := make([]byte, 1<<10) // grows for a child that writes much
	for {
		n, err := t.f.Read(b)
		t.add(b[:n])
		if err != nil {
			return
		}
		if n == len(b) && n < 64<<10 {
			b = make([]byte, 64<<10)
		}
	}
}

func (t *tail) add(b []byte) {
	if len(b) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(b) > tailBytes {
		b, t.kept, t.cut = b[len(b)-tailBytes:], t.kept[:0], true
	}
	if over := len(t.kept) + len(b) - tailBytes; over > 0 {
		t.kept, t.cut = t.kept[:copy(t.kept, t.kept[over:])], true
	}
	t.kept = append(t.kept, b...)
}

// lines gives what is kept, oldest first. A first line that lost its beginning
// is left out unless it is all there is.
func (t *tail) lines() []string {
	t.mu.Lock()
	kept, cut := bytes.Clone(t.kept), t.cut
	t.mu.Unlock()
	text := strings.ToValidUTF8(string(kept), "\uFFFD")
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	if cut && len(all) > 1 {
		all = all[1:]
	}
	return all[max(0, len(all)-tailLines):]
}

func (t *tail) close() {
	_ = t.f.Close() // a second close has no news
	<-t.done
}

package jsonrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func TestLineWriterWritesOneLineEach(t *testing.T) {
	var out bytes.Buffer
	l := NewLineWriter(&out)
	big := `{"jsonrpc":"2.0","id":2,"result":"` + strings.Repeat("a", 100<<10) + `"}`
	for _, s := range []string{ping, "{\"jsonrpc\":\"2.0\",\n\"id\":1,\r\n\"method\":\"ping\"}", big, ping} {
		if err := l.Write(mustParse([]byte(s))); err != nil {
			t.Fatal(err)
		}
	}
	want := ping + "\n" + `{"jsonrpc":"2.0", "id":1,  "method":"ping"}` + "\n" + big + "\n" + ping + "\n"
	if out.String() != want {
		t.Errorf("wrote %.300q, want %.300q", out.String(), want)
	}
}

// gate lets one write through at a time.
type gate struct {
	open   chan struct{}
	writes [][]byte
	err    error
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	if g.err != nil {
		return 0, g.err
	}
	g.writes = append(g.writes, bytes.Clone(b))
	return len(b), nil
}

func TestLineWriterGathersWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		l := NewLineWriter(g)
		var wg sync.WaitGroup
		send := func(i int) {
			wg.Go(func() {
				if err := l.Write(NewNotification(fmt.Sprintf("m%d", i), nil)); err != nil {
					t.Error(err)
				}
			})
		}
		send(0)
		synctest.Wait()
		for i := 1; i <= 50; i++ {
			send(i)
		}
		synctest.Wait()
		close(g.open)
		wg.Wait()
		if len(g.writes) != 2 {
			t.Errorf("%d writes, want one for the first message and one for the rest", len(g.writes))
		}
		if n := bytes.Count(bytes.Join(g.writes, nil), []byte("\n")); n != 51 {
			t.Errorf("%d lines, want 51", n)
		}
	})
}

func TestLineWriterHoldsBackWhatIsTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		l := NewLineWriter(g)
		m := NewNotification("m", []byte(`["`+strings.Repeat("x", 60<<10)+`"]`))
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := l.Write(m); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		l.mu.Lock()
		queued := len(l.queue)
		l.mu.Unlock()
		if queued > maxQueue {
			t.Errorf("%d bytes wait, want at most %d", queued, maxQueue)
		}
		close(g.open)
		wg.Wait()
		if n := len(bytes.Join(g.writes, nil)); n != 100*(len(m.Bytes())+1) {
			t.Errorf("%d bytes came out, want %d", n, 100*(len(m.Bytes())+1))
		}
	})
}

func TestLineWriterKeepsItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken pipe")
		g := &gate{open: make(chan struct{}), err: broken}
		l := NewLineWriter(g)
		small, big := NewNotification("m", nil), NewNotification("m", []byte(`["`+strings.Repeat("x", 100<<10)+`"]`))
		var wg sync.WaitGroup
		for _, m := range []Message{small, small, big, small} {
			wg.Go(func() {
				if err := l.Write(m); !errors.Is(err, broken) {
					t.Errorf("Write = %v, want %v", err, broken)
				}
			})
		}
		synctest.Wait()
		close(g.open)
		wg.Wait()
		for _, m := range []Message{small, big} {
			if err := l.Write(m); !errors.Is(err, broken) {
				t.Errorf("a later Write = %v, want %v", err, broken)
			}
		}
	})
}

// Many writers: every line comes out whole and once, those of one writer in
// order.
func TestLineWriterKeepsLinesWholeAndInOrder(t *testing.T) {
	r, w := io.Pipe()
	l := NewLineWriter(w)
	const writers, each = 16, 200
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for k := range each {
				var params []byte
				if k%50 == 0 {
					params = []byte(`["` + strings.Repeat("x", 70<<10) + `"]`)
				}
				if err := l.Write(NewRequest(ID(fmt.Sprint(k)), fmt.Sprintf("w%d", i), params)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { wg.Wait(); _ = w.Close() }()
	next := map[string]int{}
	in := NewLineReader(r, 0)
	for {
		m, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint(next[m.Method()]); string(m.ID()) != want {
			t.Fatalf("%s: message %s, want %s", m.Method(), m.ID(), want)
		}
		next[m.Method()]++
	}
	for i := range writers {
		if n := next[fmt.Sprintf("w%d", i)]; n != each {
			t.Errorf("writer %d: %d lines, want %d", i, n, each)
		}
	}
}

// half takes one line and then fails, as a pipe does whose reader died.
type half struct {
	turn chan struct{}
	n    int
}

func (h *half) Write(b []byte) (int, error) {
	<-h.turn
	if h.n++; h.n == 1 {
		return len(b), nil
	}
	return bytes.IndexByte(b, '\n') + 1, io.ErrClosedPipe
}

// A line that is out may have been read: its writer must not be told that it
// was not, though a line that went out with it failed.
func TestLineWriterTellsLinesOfOneBatchApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &half{turn: make(chan struct{})}
		l := NewLineWriter(h)
		errs := make([]error, 3)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = l.Write(NewNotification("m", nil)) })
			synctest.Wait()
		}
		close(h.turn)
		wg.Wait()
		if errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], io.ErrClosedPipe) {
			t.Errorf("got %v, want only the last line failed", errs)
		}
		if err := l.Write(NewNotification("m", nil)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("a later write gives %v", err)
		}
	})
}

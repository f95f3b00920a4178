package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// show writes the events of a stream in short, and how it ended.
func show(t *testing.T, r *Reader) string {
	t.Helper()
	var out []string
	for {
		e, err := r.Next()
		var size *SizeError
		switch {
		case errors.As(err, &size):
			out = append(out, "too long")
			continue
		case err == io.EOF:
			if _, again := r.Next(); again != io.EOF {
				t.Errorf("after the end: %v", again)
			}
			return strings.Join(out, " | ")
		case err != nil:
			return strings.Join(append(out, err.Error()), " | ")
		}
		s := ""
		if e.Name != "" {
			s += e.Name + ":"
		}
		if e.Data != nil {
			s += fmt.Sprintf("%q", e.Data)
		}
		if e.HasID {
			s += fmt.Sprintf(" id=%q", e.ID)
		}
		if e.HasRetry {
			s += fmt.Sprintf(" retry=%v", e.Retry)
		}
		out = append(out, s)
	}
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", 300<<10)
	tests := []struct{ name, in, want string }{
		{"nothing", "", ``},
		{"one event", "data: a\n\n", `"a"`},
		{"a message by name", "event: message\ndata: a\n\n", `"a"`},
		{"another name", "event: endpoint\ndata: /messages?id=1\n\n", `endpoint:"/messages?id=1"`},
		{"the last name counts", "event: a\nevent: b\ndata: 1\n\ndata: 2\n\n", `b:"1" | "2"`},
		{"CRLF", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", `"a\nb" | "c"`},
		{"CR", "data: a\rdata: b\r\rdata: c\r\r", `"a\nb" | "c"`},
		{"mixed line ends", "data: a\r\ndata: b\rdata: c\n\r\n", `"a\nb\nc"`},
		{"several data lines", "data: YHOO\ndata: +2\ndata\ndata: 10\n\n", `"YHOO\n+2\n\n10"`},
		{"one space goes", "data:a\n\ndata: b\n\ndata:  c\n\ndata:\td\n\n", `"a" | "b" | " c" | "\td"`},
		{"colons in data", "data: {\"a\":1}\n\n", `"{\"a\":1}"`},
		{"comments", ": hello\n\n:\n\n:data: x\ndata: a\n: b\n\n", `"a"`},
		{"fields without a colon", "data\n\ndata\ndata\n\n", `"" | "\n"`},
		{"a block without data", "event: x\n\ndata: a\n\n", `"a"`},
		{"a priming event", "id: 7\ndata: \n\n", `"" id="7"`},
		{"a priming event without space", "id:7\nretry:500\ndata:\n\n", `"" id="7" retry=500ms`},
		{"an id alone", "id: 7\n\ndata: a\n\n", ` id="7" | "a"`},
		{"an id set back", "id\ndata: a\n\n", `"a" id=""`},
		{"an id with NUL", "id: a\x00b\ndata: a\n\n", `"a"`},
		{"retry alone", "retry: 1500\n\n", ` retry=1.5s`},
		{"retry that is no number", "retry: 1s\ndata: a\n\nretry: -1\ndata: b\n\nretry:\ndata: c\n\nretry: 1.5\ndata: d\n\n", `"a" | "b" | "c" | "d"`},
		{"retry without end", "retry: 99999999999999999999999\n\n", ` retry=596h31m23.647s`},
		{"unknown fields", "foo: bar\n data: x\nDATA: y\ndata: a\n\n", `"a"`},
		{"byte order mark", "\xEF\xBB\xBFdata: a\n\n", `"a"`},
		{"a second byte order mark", "\xEF\xBB\xBF\xEF\xBB\xBFdata: a\n\ndata: b\n\n", `"b"`},
		{"half a byte order mark", "\xEF\xBBdata: a\n\ndata: b\n\n", `"b"`},
		{"only a byte order mark", "\xEF\xBB\xBF", ``},
		{"no blank line at the end", "data: a\n\ndata: b\n", `"a"`},
		{"half a line at the end", "data: a\n\ndata: b", `"a"`},
		{"blank lines before", "\n\n\r\n\rdata: a\n\n", `"a"`},
		{"long data", "data: " + long + "\n\ndata: a\n\ndata: " + long + "\r\n\r\nid: 1\ndata: b\n\n", fmt.Sprintf(`%q | "a" | %q | "b" id="1"`, long, long)},
		{"long data of two lines", "data: " + long + "\ndata: " + long + "\n\n", fmt.Sprintf(`%q`, long+"\n"+long)},
		{"many data lines", strings.Repeat("data: a\n", 1000) + "\n", fmt.Sprintf(`%q`, strings.Repeat("a\n", 999)+"a")},
	}
	for _, tt := range tests {
		for kind, r := range map[string]io.Reader{
			"whole":        strings.NewReader(tt.in),
			"halves":       iotest.HalfReader(strings.NewReader(tt.in)),
			"end with it":  iotest.DataErrReader(strings.NewReader(tt.in)),
			"byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)),
		} {
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				if got := show(t, NewReader(r, 0)); got != tt.want {
					t.Errorf("got %.300s, want %.300s", got, tt.want)
				}
			})
		}
	}
}

// An event is told as soon as its blank line is there, with CR too, where an
// LF might still follow.
func TestReaderDoesNotWaitForMore(t *testing.T) {
	for _, end := range []string{"\n\n", "\r\r", "\r\n\r\n", "\r\n\r"} {
		r := NewReader(io.MultiReader(strings.NewReader("data: a"+end), iotest.ErrReader(errors.New("read on"))), 0)
		if e, err := r.Next(); err != nil || string(e.Data) != "a" {
			t.Errorf("%q: Next = %q, %v", end, e.Data, err)
		}
	}
}

func TestReaderSkipsWhatIsTooLong(t *testing.T) {
	const max = 100
	y := func(n int) string { return strings.Repeat("y", n) }
	tests := []struct{ name, in, want, spilt string }{
		{"at the limit", "data: " + y(max) + "\n\n", fmt.Sprintf("%q", y(max)), ""},
		{"one more", "data: " + y(max+1) + "\n\ndata: a\n\n", `too long | "a"`, y(max + 1)},
		{"over the buffer", "data: " + y(100<<10) + "\n\ndata: a\n\n", `too long | "a"`, y(100 << 10)},
		{"over the buffer, CRLF", "id: 1\r\ndata:" + y(100<<10) + "\r\n\r\ndata: a\r\n\r\n", `too long | "a"`, y(100 << 10)},
		{"in many lines", strings.Repeat("data: "+y(50)+"\n", 5) + "id: 1\n\ndata: a\n\n", `too long | "a"`, y(250)},
		{"a long comment", ":" + y(100<<10) + "\ndata: a\n\n", `"a"`, ""},
		{"a long id", "id: " + y(100<<10) + "\ndata: a\n\ndata: b\n\n", `too long | "b"`, "a"},
		{"a long unknown field", y(100<<10) + "\ndata: a\n\ndata: b\n\n", `too long | "b"`, "a"},
		{"cut off", "data: " + y(100<<10), ``, y(100 << 10)},
	}
	for _, tt := range tests {
		for kind, in := range map[string]io.Reader{
			"whole":        strings.NewReader(tt.in),
			"byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)),
			"end with it":  iotest.DataErrReader(strings.NewReader(tt.in)),
		} {
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				var spilt bytes.Buffer
				r := NewReader(in, max)
				r.Spill = func(part []byte) { spilt.Write(part) }
				if got := show(t, r); got != tt.want {
					t.Errorf("got %.200s, want %s", got, tt.want)
				}
				if spilt.String() != tt.spilt {
					t.Errorf("spilt %.80q (%d), want %.80q (%d)", spilt.String(), spilt.Len(), tt.spilt, len(tt.spilt))
				}
			})
		}
	}
}

// A stream that never ends a line does not fill the memory.
func TestReaderKeepsLittleOfAnEndlessLine(t *testing.T) {
	r := NewReader(io.LimitReader(endless("data: y"), 8<<20), 1<<20)
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("Next = %v", err)
	}
	if len(r.buf) > readSize {
		t.Errorf("a buffer of %d bytes stays", len(r.buf))
	}
}

type endless string

func (e endless) Read(b []byte) (int, error) {
	for i := 0; i < len(b); {
		i += copy(b[i:], e)
	}
	return len(b), nil
}

func TestReaderGivesItsDataAway(t *testing.T) {
	big := strings.Repeat("b", 1<<20)
	r := NewReader(strings.NewReader("data: a\n\ndata: "+big+"\n\n"+strings.Repeat("data: zzzz\n\n", 20000)), 0)
	a, err1 := r.Next()
	b, err2 := r.Next()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if len(r.buf) > readSize {
		t.Errorf("a buffer of %d bytes stays", len(r.buf))
	}
	for {
		if _, err := r.Next(); err == io.EOF {
			break
		}
	}
	if string(a.Data) != "a" || string(b.Data) != big {
		t.Error("the data changed while the stream was read on")
	}
}

func TestReaderAllocatesOnceAnEvent(t *testing.T) {
	r := NewReader(&loop{b: []byte("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n")}, 0)
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations an event, want 1", n)
	}
}

func TestReaderEndsWithTheError(t *testing.T) {
	broken := errors.New("connection reset")
	r := NewReader(io.MultiReader(strings.NewReader("data: a\n\ndata: b\n"), iotest.ErrReader(broken)), 0)
	if got, want := show(t, r), `"a" | connection reset`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := show(t, NewReader(stuck{}, 0)), io.ErrNoProgress.Error(); got != want {
		t.Errorf("a source that gives nothing: %s, want %s", got, want)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// counter notes the size of each write.
type counter struct {
	bytes.Buffer
	writes int
	shared []byte // data that must be passed on, not copied
	kept   bool
}

func (c *counter) Write(b []byte) (int, error) {
	c.writes++
	c.kept = c.kept || len(c.shared) > 0 && len(b) > 0 && &b[0] == &c.shared[0]
	return c.Buffer.Write(b)
}

func TestWriteEvent(t *testing.T) {
	tests := []struct{ id, name, data, want string }{
		{"", "", "a", "data: a\n\n"},
		{"7", "endpoint", "/x", "event: endpoint\nid: 7\ndata: /x\n\n"},
		{"7", "", "", "id: 7\ndata: \n\n"},
		{"", "", "a\nb\r\nc\rd\n", "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"},
	}
	for _, tt := range tests {
		var c counter
		if err := WriteEvent(&c, tt.id, tt.name, []byte(tt.data)); err != nil || c.String() != tt.want || c.writes != 1 {
			t.Errorf("WriteEvent(%q, %q, %q) = %q in %d writes, %v; want %q in one", tt.id, tt.name, tt.data, c.String(), c.writes, err, tt.want)
		}
	}
	big := bytes.Repeat([]byte("b"), direct+1)
	c := counter{shared: big}
	if err := WriteEvent(&c, "1", "", big); err != nil || !c.kept || c.String() != "id: 1\ndata: "+string(big)+"\n\n" {
		t.Errorf("large data: kept %v, %v, %.40q", c.kept, err, c.String())
	}
	for _, bad := range []string{"a\nb", "a\rb", "a\x00"} {
		for _, err := range []error{WriteEvent(io.Discard, bad, "", nil), WriteEvent(io.Discard, "", bad, big)} {
			if !errors.Is(err, ErrField) {
				t.Errorf("an event with %q: %v", bad, err)
			}
		}
	}
	broken := errors.New("broken pipe")
	for _, data := range [][]byte{nil, big} {
		if err := WriteEvent(failing{broken}, "", "", data); !errors.Is(err, broken) {
			t.Errorf("WriteEvent = %v, want %v", err, broken)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestCommentsAndRetryAreWritten(t *testing.T) {
	var c counter
	if err := errors.Join(WriteComment(&c, "a\r\nb"), WriteRetry(&c, 1500*time.Millisecond), WriteRetry(&c, -time.Second)); err != nil {
		t.Fatal(err)
	}
	if want := ": a  b\n\nretry: 1500\n\nretry: 0\n\n"; c.String() != want || c.writes != 3 {
		t.Errorf("wrote %q in %d writes, want %q in 3", c.String(), c.writes, want)
	}
}

// The events are the same whatever the boundaries of the reads, and what the
// writer writes the reader reads.
func FuzzReader(f *testing.F) {
	f.Add([]byte("\xEF\xBB\xBFid: 1\r\ndata: a\rdata: b\n\nevent: x\n: c\nretry: 5\n\n\r\n"), uint8(3), uint8(0), "7", "n", []byte("a\r\nb"))
	f.Add([]byte("data: aaaaaaaaaaaaaaaaaaaaaa\n\ndata\n\n"), uint8(1), uint8(9), "", "", []byte(" x"))
	f.Add([]byte("unknown: "+strings.Repeat("a", 90)+"\n\n"), uint8(15), uint8(24), "", "", []byte("x"))
	f.Fuzz(func(t *testing.T, in []byte, step, max uint8, id, name string, data []byte) {
		whole := show(t, NewReader(bytes.NewReader(in), int(max)))
		parts := show(t, NewReader(&stepped{in, int(step) + 1}, int(max)))
		if whole != parts {
			t.Fatalf("%q at once %s, in parts of %d %s", in, whole, int(step)+1, parts)
		}
		var out bytes.Buffer
		if err := WriteEvent(&out, id, name, data); err != nil {
			return
		}
		if err := errors.Join(WriteComment(&out, name), WriteEvent(&out, "", "", nil)); err != nil {
			t.Fatal(err)
		}
		r := NewReader(&stepped{out.Bytes(), int(step) + 1}, 0)
		e, err := r.Next()
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
		if name == "message" {
			name = ""
		}
		if err != nil || e.ID != id || e.HasID != (id != "") || e.Name != name || string(e.Data) != want || e.Data == nil {
			t.Fatalf("wrote %q, read %+v, %v", out.String(), e, err)
		}
		if e, err = r.Next(); err != nil || len(e.Data) > 0 || e.HasID {
			t.Fatalf("the event after it: %+v, %v", e, err)
		}
	})
}

type stepped struct {
	b    []byte
	step int
}

func (s *stepped) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.b[:min(s.step, len(s.b))])
	s.b = s.b[n:]
	return n, nil
}

// loop gives the same bytes again and again, as a connection does.
type loop struct {
	b  []byte
	at int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), 32<<10)], l.b[l.at:])
	l.at = (l.at + n) % len(l.b)
	return n, nil
}

func BenchmarkReader(b *testing.B) {
	for name, size := range map[string]int{"small": 100, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			in, err := AppendEvent(nil, "", "message", bytes.Repeat([]byte("x"), size))
			if err != nil {
				b.Fatal(err)
			}
			r := NewReader(&loop{b: in}, 0)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWriteEvent(b *testing.B) {
	for name, size := range map[string]int{"small": 100, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			data := bytes.Repeat([]byte("x"), size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := WriteEvent(io.Discard, "17", "", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// S-47: who keeps an event keeps little more than its data, whatever came before.
func TestEventKeepsNoMuchLargerBuffer(t *testing.T) {
	const pairs, small = 16, 100 << 10
	var events []io.Reader
	for range pairs {
		for _, n := range []int{4 << 20, small} {
			events = append(events, strings.NewReader("data: "+strings.Repeat("a", n)+"\n\n"))
		}
	}
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	r := NewReader(io.MultiReader(events...), 0)
	before := heap()
	var kept []Event
	for range pairs {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, e)
	}
	if got, most := heap(), before+8*pairs*small; got > most {
		t.Errorf("%d events of %d KiB keep %d KiB", pairs, small>>10, (got-before)>>10)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(events) // what was read is not to be counted as freed
}

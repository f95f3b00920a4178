package jsonrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// read gives what the reader makes of in: the message, or the refusal in short.
func read(t *testing.T, r io.Reader, max int) []string {
	t.Helper()
	l := NewLineReader(r, max)
	var got []string
	for {
		m, err := l.Next()
		var e *RefusedError
		switch {
		case err == nil:
			got = append(got, string(m.Bytes()))
		case errors.As(err, &e):
			got = append(got, fmt.Sprintf("refused %d id=%s reply=%s size=%v batch=%v", e.Code, e.ID, e.Reply, e.Size, e.Batch))
		case err == io.EOF:
			if _, again := l.Next(); again != io.EOF {
				t.Errorf("after the end: %v", again)
			}
			return got
		default:
			return append(got, err.Error())
		}
	}
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

func TestLineReaderCutsLines(t *testing.T) {
	long := `{"jsonrpc":"2.0","id":2,"method":"x","params":["` + strings.Repeat("a", 300<<10) + `"]}`
	tests := []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"one", ping + "\n", []string{ping}},
		{"CRLF", ping + "\r\n" + ping + "\r\n", []string{ping, ping}},
		{"blank lines", "\n\r\n  \t\n" + ping + "\n\n", []string{ping}},
		{"blanks around it stay", " " + ping + " \n", []string{" " + ping + " "}},
		{"no line break at the end", ping + "\n" + ping, []string{ping, ping}},
		{"half a line at the end", ping + "\n" + ping[:37], []string{ping, "refused -32700 id=1 reply= size=false batch=false"}},
		{"garbage", "log line\n" + ping + "\n", []string{"refused -32700 id= reply= size=false batch=false", ping}},
		{"batch", "[" + ping + "]\n" + ping + "\n", []string{"refused -32600 id= reply= size=false batch=true", ping}},
		{"long lines between short ones", ping + "\n" + long + "\n" + ping + "\n" + long + "\n" + long + "\n" + ping + "\n", []string{ping, long, ping, long, long, ping}},
		{"long and blank", strings.Repeat(" ", 200<<10) + "\n" + ping + "\n", []string{ping}},
	}
	for _, tt := range tests {
		for kind, r := range map[string]io.Reader{
			"whole":        strings.NewReader(tt.in),
			"halves":       iotest.HalfReader(strings.NewReader(tt.in)),
			"end with it":  iotest.DataErrReader(strings.NewReader(tt.in)),
			"byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)),
		} {
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				got := read(t, r, 0)
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("got %.300q, want %.300q", got, tt.want)
				}
			})
		}
	}
}

// S-65, the size of a line: one over the limit is not kept, and its request can be answered
// wherever in it the id stands.
func TestLineReaderSkipsWhatIsTooLong(t *testing.T) {
	const max = 200
	pad := func(n int) string { return `"params":{"id":9,"x":"` + strings.Repeat("y", n) + `"}` }
	tests := []struct{ name, line, want string }{
		{"id before", `{"jsonrpc":"2.0","id":"a","method":"x",%s}`, `refused -32600 id="a" reply= size=true batch=false`},
		{"id behind", `{"method":"x",%s,"jsonrpc":"2.0","id":7}`, `refused -32600 id=7 reply= size=true batch=false`},
		{"an answer", `{%s,"result":{},"jsonrpc":"2.0","id":7}`, `refused -32600 id= reply=7 size=true batch=false`},
		{"a notification", `{"method":"x",%s}`, `refused -32600 id= reply= size=true batch=false`},
		{"no JSON", `%s`, `refused -32600 id= reply= size=true batch=false`},
	}
	for _, tt := range tests {
		for _, n := range []int{max, max + 1, 70 << 10, 200 << 10} {
			line := fmt.Sprintf(tt.line, pad(n))
			for _, in := range []string{ping + "\n" + line + "\r\n" + ping + "\n", ping + "\n" + line} {
				for kind, r := range map[string]io.Reader{
					"whole":  strings.NewReader(in),
					"halves": iotest.HalfReader(strings.NewReader(in)),
				} {
					want := []string{ping, tt.want}
					if strings.HasSuffix(in, "\n") {
						want = append(want, ping)
					}
					if got := read(t, r, max); fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%s, %d bytes, %s: got %.300q, want %q", tt.name, len(line), kind, got, want)
					}
				}
			}
		}
	}
}

// S-65.
func TestLineReaderLimitIsExact(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", ""} {
		if got := read(t, strings.NewReader(ping+end), len(ping)); fmt.Sprint(got) != fmt.Sprint([]string{ping}) {
			t.Errorf("a line of the limit, ended by %q: %q", end, got)
		}
		if got := read(t, strings.NewReader(ping+end), len(ping)-1); len(got) != 1 || !strings.Contains(got[0], "size=true") {
			t.Errorf("a line over the limit, ended by %q: %q", end, got)
		}
	}
}

func TestLineReaderEndsWithTheError(t *testing.T) {
	r := io.MultiReader(strings.NewReader(ping+"\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if got, want := read(t, r, 0), []string{ping, "unexpected EOF"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := read(t, stuck{}, 0); fmt.Sprint(got) != fmt.Sprint([]string{io.ErrNoProgress.Error()}) {
		t.Errorf("a source that gives nothing: %q", got)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// A message keeps its bytes whatever is read after it, and a large line leaves
// no large buffer behind.
func TestLineReaderGivesItsMessagesAway(t *testing.T) {
	big := `{"jsonrpc":"2.0","id":2,"method":"x","params":["` + strings.Repeat("a", 1<<20) + `"]}`
	l := NewLineReader(strings.NewReader(ping+"\n"+big+"\n"+strings.Repeat(strings.ToUpper(ping)+"\n", 5000)), 0)
	first, err1 := l.Next()
	second, err2 := l.Next()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if len(l.buf) > readSize {
		t.Errorf("a buffer of %d bytes stays", len(l.buf))
	}
	for {
		if _, err := l.Next(); err == io.EOF {
			break
		}
	}
	if string(first.Bytes()) != ping || string(second.Bytes()) != big {
		t.Errorf("the messages changed to %.60q and %.60q", first.Bytes(), second.Bytes())
	}
}

func TestLineReaderAllocatesOnceALine(t *testing.T) {
	l := NewLineReader(&endless{line: []byte(ping + "\n")}, 0)
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations a line, want 1", n)
	}
}

// The messages are the same wherever the reads end, and each line is either one
// message or one refusal.
func FuzzLines(f *testing.F) {
	f.Add([]byte(ping+"\n"+ping+"\r\n\n[1]\n{\"id\":1"), uint16(7), uint16(30))
	f.Add([]byte("x\n"+ping), uint16(1), uint16(0))
	f.Fuzz(func(t *testing.T, in []byte, step, max uint16) {
		whole := read(t, bytes.NewReader(in), int(max))
		parts := read(t, &stepped{in, int(step%200) + 1}, int(max))
		if fmt.Sprint(whole) != fmt.Sprint(parts) {
			t.Fatalf("at once %q, in parts of %d %q", whole, step%200+1, parts)
		}
		lines := 0
		for line := range bytes.SplitSeq(in, []byte("\n")) {
			if len(bytes.Trim(line, " \t\r")) > 0 || max > 0 && len(bytes.TrimSuffix(line, []byte("\r"))) > int(max) {
				lines++
			}
		}
		if len(whole) != lines {
			t.Fatalf("%d results of %d lines: %q", len(whole), lines, whole)
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

// S-47: who keeps messages keeps little more than their bytes, whatever came
// before them.
func TestLineKeepsNoMuchLargerBuffer(t *testing.T) {
	const pairs, small = 16, 100 << 10
	var lines []io.Reader
	for range pairs {
		for _, n := range []int{4 << 20, small} {
			text := `{"jsonrpc":"2.0","method":"x","params":["` + strings.Repeat("a", n) + "\"]}\n"
			lines = append(lines, strings.NewReader(text))
		}
	}
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	r := NewLineReader(io.MultiReader(lines...), 0)
	before := heap()
	var kept []Message
	for range pairs {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		m, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, m)
	}
	if got, most := heap(), before+8*pairs*small; got > most {
		t.Errorf("%d messages of %d KiB keep %d KiB", pairs, small>>10, (got-before)>>10)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(lines) // what was read is not to be counted as freed
}

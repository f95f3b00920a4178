package jsonrpc

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// sample messages of the speeds that are promised: 1 MiB that is one string in
// 0.2 ms, 1 MiB that is a tool list in 1.5 ms, no allocation.
func samples() map[string][]byte {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 1<<20/45)
	korean := strings.Repeat("다람쥐 헌 쳇바퀴에 타고파 ", 1<<20/36)
	var tools strings.Builder
	for i := 0; tools.Len() < 1<<20; i++ {
		fmt.Fprintf(&tools, `,{"name":"tool_%d","title":"Tool %d","description":"Searches the catalogue and returns the entries that match.\nUse it first.","inputSchema":{"type":"object","properties":{"query":{"type":"string","minLength":1},"limit":{"type":"integer","minimum":1,"maximum":100,"default":20},"tags":{"type":"array","items":{"type":"string"}}},"required":["query"],"additionalProperties":false},"annotations":{"readOnlyHint":true}}`, i, i)
	}
	wrap := func(s string) []byte {
		return []byte(`{"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"` + s + `"}]}}`)
	}
	return map[string][]byte{
		"string":  wrap(text),
		"korean":  wrap(korean),
		"escaped": wrap(strings.Repeat(`{\"name\":\"x\",\"value\":17,\"text\":\"line\\n\"}`, 1<<20/52)),
		"tools":   []byte(`{"jsonrpc":"2.0","id":17,"result":{"tools":[` + tools.String()[1:] + `]}}`),
		"call":    []byte(`{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"},"_meta":{"progressToken":17}}}`),
	}
}

func BenchmarkParse(b *testing.B) {
	for name, raw := range samples() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLineReader(b *testing.B) {
	for name, raw := range samples() {
		b.Run(name, func(b *testing.B) {
			l := NewLineReader(&endless{line: append(raw, '\n')}, 0)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// endless gives one line again and again, as a pipe does.
type endless struct {
	line []byte
	at   int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b[:min(len(b), 64<<10)], e.line[e.at:])
	e.at = (e.at + n) % len(e.line)
	return n, nil
}

func BenchmarkLineWriter(b *testing.B) {
	for name, raw := range samples() {
		m := mustParse(bytes.Clone(raw))
		b.Run(name, func(b *testing.B) {
			l := NewLineWriter(io.Discard)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Write(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLineWriterParallel(b *testing.B) {
	m := mustParse(samples()["call"])
	l := NewLineWriter(io.Discard)
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := l.Write(m); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

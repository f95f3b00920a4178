package splice

import (
	"bytes"
	"testing"
)

func BenchmarkMakeJSON(b *testing.B) {
	entry := []byte(`    "s": {"command": "npx", "args": ["-y", "x"], "env": {"TOKEN": "0123456789", "PORT": 8080}}, // note` + "\n")
	for name, n := range map[string]int{"small": 3, "5MiB": 5 << 20 / len(entry)} {
		doc := append([]byte("{\n  \"servers\": {\n"), bytes.Repeat(entry, n)...)
		doc = append(doc, "    \"last\": {}\n  }\n}\n"...)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Make(doc, jsonServers, oursShort); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package platform

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTheTailOfAStreamIsBounded(t *testing.T) {
	long := strings.Repeat("é", tailBytes)
	numbered := ""
	for i := range 50 {
		numbered += fmt.Sprintf("line %d\r\n", i)
	}
	for _, row := range []struct {
		name  string
		parts []string
		n     int
		last  string
	}{
		{"nothing", nil, 0, ""},
		{"an unfinished line", []string{"a\nb"}, 2, "b"},
		{"a line in pieces", []string{"a\nb", "c\n"}, 2, "bc"},
		{"more lines than are kept", []string{numbered}, tailLines, "line 49"},
		{"one line longer than is kept", []string{long}, 1, ""},
		{"a cut line in front", []string{long, "\nend\n"}, 1, "end"},
		{"not text", []string{"\xff\xfe\n"}, 1, "\uFFFD"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var s tail
			for _, p := range row.parts {
				s.add([]byte(p))
			}
			got := s.lines()
			if len(got) != row.n || len(s.kept) > tailBytes {
				t.Errorf("got %d lines of %d bytes, want %d", len(got), len(s.kept), row.n)
			}
			if row.last != "" && !slices.Equal(got[len(got)-1:], []string{row.last}) {
				t.Errorf("got %q, want %q", got[len(got)-1], row.last)
			}
		})
	}
}

func TestBatchFilesGetTheirArgumentsWhole(t *testing.T) {
	for _, row := range []struct{ arg, want string }{
		{"plain", `"plain"`},
		{"", `""`},
		{`a b`, `"a b"`},
		{`a"&calc"`, `"a""&calc"""`},
		{`c:\dir\`, `"c:\dir\\"`},
		{`x\"y`, `"x\\""y"`},
	} {
		got, err := batchLine(`C:\n\npx.cmd`, []string{row.arg})
		want := `cmd.exe /e:ON /v:OFF /d /c ""C:\n\npx.cmd" ` + row.want + `"`
		if err != nil || got != want {
			t.Errorf("%q: got %s, %v\nwant %s", row.arg, got, err, want)
		}
	}
	for _, arg := range []string{"a\nb", "a\rb", "a\x00b", "%PATH%", "50%"} {
		if got, err := batchLine("x.cmd", []string{arg}); err == nil {
			t.Errorf("%q was taken: %s", arg, got)
		}
	}
	if got, err := batchLine(`C:\%x%\npx.cmd`, nil); err == nil {
		t.Errorf("a path with a variable was taken: %s", got)
	}
}

func TestAMarkIsReadAsItWasWritten(t *testing.T) {
	m := mark{"abc", 12, "345", "pid:[4026531836]"}
	if got, ok := parseMark(m.value()); !ok || got != m {
		t.Errorf("got %+v, %v", got, ok)
	}
	for _, bad := range []string{"", "1", "1,,12,3,4", "1,a,x,3,4", "1,a,-1,3,4", "1,a,1,,4", "1,a,1,3,", "1,a,1,3,4,5", "2,a,1,3,4"} {
		if m, ok := parseMark(bad); ok {
			t.Errorf("%q was taken: %+v", bad, m)
		}
	}
}

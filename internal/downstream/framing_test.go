package downstream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestFramingFollowsRequestsInPiecesOfAnySize(t *testing.T) {
	post := func(body string) string {
		return fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: x\r\ncontent-length:  %d \r\n\r\n%s", len(body), body)
	}
	get := "GET / HTTP/1.0\r\nHost: x\r\n\r\n"
	for _, c := range []struct {
		name, text string
		bad        bool
	}{
		{"several", post("abc") + get + post("") + post("GET / HTTP/2.0\r\n\r\n") + get, false},
		{"after chunks nothing is looked at", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nwhat\never", false},
		{"empty lines between", post("abc") + "\r\n" + get, false},
		{"both lengths in the second", post("abc") + "POST / HTTP/1.1\r\nTransfer-Encoding: x\r\nContent-Length: 1\r\n\r\n", true},
		{"length twice, equal", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", true},
		{"length list", "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na", true},
		{"length signed", "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na", true},
		{"length folded", "POST / HTTP/1.1\r\nX: a\r\n Content-Length: 1\r\n\r\na", true},
		{"space before colon", "POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\na", true},
		{"coded in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", true},
		{"bare LF", "GET / HTTP/1.1\nHost: x\r\n\r\n", true},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true},
		{"no header", "GET / HTTP/1.1\r\nnothing\r\n\r\n", true},
		{"endless line", "GET /" + strings.Repeat("x", longestLine+10), true},
	} {
		for _, size := range []int{1, 2, 3, 7, 1 << 20} {
			var f framing
			var err error
			for b := []byte(c.text); len(b) > 0 && err == nil; {
				n := min(size, len(b))
				err = f.scan(b[:n])
				b = b[n:]
			}
			if (err != nil) != c.bad {
				t.Errorf("%s in pieces of %d: got %v, want bad %v", c.name, size, err, c.bad)
			}
		}
	}
}

// Where framing sees a request begin, net/http must see the same one: else one
// could hide inside the body of another.
func FuzzFraming(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: y\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n\r\nGET / HTTP/1.1\r\nHost:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		var bodies int
		for n := 0; n < 100; n++ {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			bodies += len(body)
			at := len(b) - r.Buffered() // all was read ahead: this is where net/http stands
			var fr framing
			if fr.scan(b[:at]) != nil || fr.in == inRest {
				return // refused, or the last one of its connection
			}
			if fr.in != inRequestLine || len(fr.line) > 0 {
				t.Fatalf("net/http ended request %d at byte %d, framing is at %v with %d bytes left", n, at, fr.in, fr.left)
			}
		}
	})
}

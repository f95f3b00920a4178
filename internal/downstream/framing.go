package downstream

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"drawbridge/internal/platform"
)

// wireConn is a connection seen by net/http, with what net/http does not do:
// it refuses requests whose end two programs could see at different places,
// and bounds slow bodies and peers that do not read.
type wireConn struct {
	net.Conn
	framing framing
	waiting bool // a deadline for the rest of a body is set

	writeUntil time.Time // deadline of writes, when last set

	peerOnce sync.Once
	peerErr  error
}

// The limits of one connection.
const (
	headerLimit = 10 * time.Second // from a request's first byte to the end of its header
	bodyLimit   = time.Minute      // from the header to the end of the body
	keepLimit   = 5 * time.Minute  // without a request
	writeLimit  = 30 * time.Second // a peer that does not read
	headerBytes = 12 << 10         // net/http adds 4 KiB of slack: a hard bound of 16 KiB
)

func (c *wireConn) Read(p []byte) (int, error) {
	if c.framing.in == inBody && !c.waiting {
		c.waiting = true
		if err := c.Conn.SetReadDeadline(time.Now().Add(bodyLimit)); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(p)
	if refusal := c.framing.scan(p[:n]); refusal != nil {
		return 0, refusal // net/http answers it with 400 and closes
	}
	if c.waiting && c.framing.in != inBody {
		c.waiting = false
		if err := c.Conn.SetReadDeadline(time.Time{}); err != nil {
			return n, err
		}
	}
	return n, err
}

// Write gives the peer between one and two writeLimits; the deadline is moved
// now and then only, for it costs as much as the rest of a small write.
func (c *wireConn) Write(p []byte) (int, error) {
	if now := time.Now(); c.writeUntil.Sub(now) < writeLimit {
		c.writeUntil = now.Add(2 * writeLimit)
		if err := c.Conn.SetWriteDeadline(c.writeUntil); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// sameUser asks the system once whose the other end is, when the first request
// is there: by then a peer that sent and left is gone and refused. Where the
// system does not tell, the key and the rest of the gate have to do.
func (c *wireConn) sameUser() error {
	c.peerOnce.Do(func() {
		local, ok1 := c.LocalAddr().(*net.TCPAddr)
		remote, ok2 := c.RemoteAddr().(*net.TCPAddr)
		if !ok1 || !ok2 {
			c.peerErr = platform.ErrPeerForeign
			return
		}
		c.peerErr = platform.SameUser(local.AddrPort(), remote.AddrPort())
		if errors.Is(c.peerErr, platform.ErrPeerUnknown) {
			c.peerErr = nil
		}
	})
	return c.peerErr
}

// wireListener makes wireConns.
type wireListener struct{ net.Listener }

func (l wireListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wireConn{Conn: c}, nil
}

// framing follows a stream of HTTP/1 requests: where headers begin and bodies
// end. It reads every header line that net/http will read, and refuses what
// net/http mends silently (RFC 9112, 6.1 and 6.3: a request with both
// Content-Length and Transfer-Encoding; lines that end with a bare LF) or
// hands on though we do not speak it (HTTP/2 with prior knowledge).
//
// After a request with Transfer-Encoding it follows no further: such a request
// is the last of its connection (see gate).
type framing struct {
	in     place
	line   []byte // the part of a line that came so far
	length int64  // the Content-Length, -1 for none
	coded  bool   // there is a Transfer-Encoding
	old    bool   // HTTP/1.0
	left   int64  // of the body
}

// place is where in a request the next byte belongs.
type place uint8

const (
	inRequestLine place = iota
	inHeader
	inBody
	inRest // of the connection, not followed
)

// longestLine is more than net/http reads of a header.
const longestLine = 32 << 10

// scan takes the next bytes. Its error is final.
func (f *framing) scan(p []byte) error {
	for len(p) > 0 {
		switch f.in {
		case inRest:
			return nil
		case inBody:
			n := min(int64(len(p)), f.left)
			p, f.left = p[n:], f.left-n
			if f.left == 0 {
				f.in = inRequestLine
			}
		case inRequestLine, inHeader:
			i := bytes.IndexByte(p, '\n')
			if i < 0 {
				if f.line = append(f.line, p...); len(f.line) > longestLine {
					return errors.New("a header line is too long")
				}
				return nil
			}
			line := p[:i+1]
			p = p[i+1:]
			if len(f.line) > 0 {
				f.line = append(f.line, line...)
				line = f.line
			}
			if err := f.take(line); err != nil {
				return err
			}
			f.line = f.line[:0]
		default:
			panic("downstream: unknown place in a request")
		}
	}
	return nil
}

// take reads one line, its end included.
func (f *framing) take(line []byte) error {
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return errors.New("a line ends with a bare LF")
	}
	line = line[:len(line)-2]
	if f.in == inRequestLine {
		return f.request(line)
	}
	if len(line) == 0 {
		return f.end()
	}
	return f.header(line)
}

func (f *framing) request(line []byte) error {
	switch {
	case len(line) == 0:
		return nil // a CRLF after a body; net/http skips or refuses it
	case bytes.HasSuffix(line, []byte(" HTTP/1.1")):
		f.old = false
	case bytes.HasSuffix(line, []byte(" HTTP/1.0")):
		f.old = true
	default:
		return errors.New("not HTTP/1")
	}
	f.in, f.length, f.coded = inHeader, -1, false
	return nil
}

func (f *framing) header(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || line[0] == ' ' || line[0] == '\t' || line[colon-1] == ' ' || line[colon-1] == '\t' {
		return errors.New("a malformed header line")
	}
	switch name := line[:colon]; {
	case len(name) == len("Content-Length") && strings.EqualFold(string(name), "Content-Length"):
		n, ok := digits(bytes.Trim(line[colon+1:], " \t"))
		if !ok || f.length >= 0 {
			return errors.New("a malformed or second Content-Length")
		}
		f.length = n
	case len(name) == len("Transfer-Encoding") && strings.EqualFold(string(name), "Transfer-Encoding"):
		f.coded = true
	}
	return nil
}

// digits reads a length; 18 digits are more than we ever take.
func digits(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// end is the empty line after a header.
func (f *framing) end() error {
	switch {
	case f.coded && f.length >= 0:
		return errors.New("both Content-Length and Transfer-Encoding")
	case f.coded && f.old:
		return errors.New("a Transfer-Encoding in HTTP/1.0")
	case f.coded:
		f.in = inRest
	case f.length > 0:
		f.in, f.left = inBody, f.length
	default:
		f.in = inRequestLine
	}
	return nil
}

package platform

import (
	"syscall"
	"time"
)

// LimitSilence has the system end a TCP connection when its peer does not
// acknowledge for d what was sent to it. Without it that takes a quarter of an
// hour on Linux, and keep-alive does not help: it probes idle connections only.
// A peer that lives but takes no byte for d counts as silent, too.
//
// It is meant for net.Dialer.Control. Where the system has no such limit the
// error is errors.ErrUnsupported.
func LimitSilence(c syscall.RawConn, d time.Duration) error {
	var set error
	if err := c.Control(func(fd uintptr) { set = limitSilence(fd, d) }); err != nil {
		return err
	}
	return set
}

package platform

import (
	"errors"
	"net/netip"
)

// What SameUser may find.
var (
	// ErrPeerForeign says that the program at the other end belongs to another
	// user, to nobody any more, or is not on this computer.
	ErrPeerForeign = errors.New("the other end of the connection is not a program of this user")

	// ErrPeerUnknown says that this system does not tell whose program it is.
	ErrPeerUnknown = errors.New("this system does not tell who is at the other end")
)

// SameUser tells whether the program at the other end of an accepted loopback
// TCP connection belongs to the user of this process; local and remote are the
// connection's own addresses as the accepting side sees them. Nil is yes. A
// connection whose program has closed it already has no owner and is refused:
// the kernel shows such a socket as root's.
//
// On systems where the answer is always ErrPeerUnknown a listener has to rely
// on a secret of its own. The answer is about the socket, so one look-up a
// connection is enough. A program in a container that reaches this computer
// through a forwarder running as the same user counts as the same user.
func SameUser(local, remote netip.AddrPort) error {
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	if !remote.Addr().IsLoopback() || !local.Addr().IsLoopback() {
		return ErrPeerForeign
	}
	return sameUser(local, remote)
}

package platform

import (
	"errors"

	"golang.org/x/sys/windows"
)

func isAddrInUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

// The table of listeners is read with the peer's user; the program is not named.
func portHolder(int) string { return "" }

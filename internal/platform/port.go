package platform

// PortHolder names the program that listens on a local TCP port, as
// "node (pid 4711)". It is "" where the system does not tell, as for another
// user's program or on systems other than Linux.
func PortHolder(port int) string { return portHolder(port) }

// IsAddrInUse tells whether err says that a local address is taken.
func IsAddrInUse(err error) bool { return isAddrInUse(err) }

package platform

// A child on Unix runs below a supervisor, its shim: this program once more,
// with shimWord as its first argument. The shim leads a session of its own,
// gives its stdin, stdout and stderr to the child as they are, and then only
// waits: for orders on descriptor 3, whose end means that the owner died, and
// for the child, about which it reports on descriptor 4.
const shimWord = "--supervise"

// ShimMain runs the supervisor of a child when args, which are os.Args, ask for
// it. Every program that starts children, test binaries included, calls it
// first of all in main and leaves with the code if it was handled. A supervisor
// that did its work does not return: nothing of the program that called is to
// run in it.
func ShimMain(args []string) (handled bool, code int) {
	if len(args) < 3 || args[1] != shimWord {
		return false, 0
	}
	return true, shim(args[2], args[2:])
}

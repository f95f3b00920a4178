//go:build linux || darwin

package platform

import (
	"bytes"
	"os"

	"golang.org/x/sys/unix"
)

// maxAttributes is how many bytes of extended attributes are kept: Linux allows
// 64 KiB of names and of each value.
const maxAttributes = 64 << 10

// keepAttributes gives f the extended attributes of the file it replaces,
// access lists among them. Some belong to the system and some file systems have
// none, so each that cannot be kept is left out.
func keepAttributes(root *os.Root, f *os.File, name string) {
	old, err := root.Open(name)
	if err != nil {
		return
	}
	defer old.Close() //nolint:errcheck // only read
	names := make([]byte, maxAttributes)
	n, err := unix.Flistxattr(int(old.Fd()), names)
	if err != nil || n == 0 {
		return
	}
	value := make([]byte, maxAttributes)
	for attr := range bytes.SplitSeq(bytes.TrimSuffix(names[:n], []byte{0}), []byte{0}) {
		if size, err := unix.Fgetxattr(int(old.Fd()), string(attr), value); err == nil {
			_ = unix.Fsetxattr(int(f.Fd()), string(attr), value[:size], 0) // see above
		}
	}
}

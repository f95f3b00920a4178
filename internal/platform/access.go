package platform

import "io/fs"

// Links is how many names (hard links) a file has; 1 where the system does not
// say.
func Links(info fs.FileInfo) uint64 { return links(info) }

// OwnFile tells whether a file belongs to the user of this process. Windows has
// other rules, so there it always does.
func OwnFile(info fs.FileInfo) bool { return ownFile(info) }

// MayWrite gives the reason why a file or a folder cannot be written to:
// fs.ErrPermission, syscall.EROFS. On Windows it looks at nothing but the
// read-only attribute; the write itself tells.
func MayWrite(path string) error { return mayWrite(path) }

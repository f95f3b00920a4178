package platform

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	watchEvents = true
	watchQuiet  = 300 * time.Millisecond
)

// remoteKinds are file systems that send no events of what other machines do.
var remoteKinds = []int64{
	unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC,
	unix.V9FS_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC,
}

// remoteFolder tells whether the folder is on a file system that sends no
// events, or not all.
func remoteFolder(dir string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false // nothing to watch then
	}
	return slices.Contains(remoteKinds, int64(uint32(st.Type)))
}

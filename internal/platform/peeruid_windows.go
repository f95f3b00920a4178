package platform

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/windows"
)

// sameUser finds the process at the other end in the system's table of TCP
// connections and compares the user of that process with our own.
func sameUser(local, remote netip.AddrPort) error {
	pid, err := connectionOwner(remote, local)
	if err != nil {
		return err
	}
	theirs, err := processUser(pid)
	if err != nil {
		return ErrPeerForeign // another user's process may not be opened
	}
	ours, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("read own token: %w", err)
	}
	if !ours.User.Sid.Equals(theirs.User.Sid) {
		return ErrPeerForeign
	}
	return nil
}

func processUser(pid uint32) (*windows.Tokenuser, error) {
	p, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return nil, err
	}
	defer windows.CloseHandle(p)
	var t windows.Token
	if err := windows.OpenProcessToken(p, windows.TOKEN_QUERY, &t); err != nil {
		return nil, err
	}
	defer t.Close()
	return t.GetTokenUser()
}

// The forms of GetExtendedTcpTable: MIB_TCPROW_OWNER_PID and
// MIB_TCP6ROW_OWNER_PID, without listeners.
const (
	tableConnections = 4 // TCP_TABLE_OWNER_PID_CONNECTIONS
	row4, row6       = 24, 56
	tableMost        = 16 << 20
)

// connectionOwner is the process that holds the connection's end own.
func connectionOwner(own, other netip.AddrPort) (uint32, error) {
	family, size := uint32(windows.AF_INET), row4
	if own.Addr().Is6() {
		family, size = windows.AF_INET6, row6
	}
	table, err := tcpTable(family)
	if err != nil {
		return 0, fmt.Errorf("read the table of connections: %w", err)
	}
	if len(table) < 4 {
		return 0, ErrPeerForeign
	}
	n := int(binary.LittleEndian.Uint32(table))
	for rows := table[4:]; n > 0 && len(rows) >= size; n, rows = n-1, rows[size:] {
		if pid, ok := rowOwner(rows[:size], own, other); ok && pid != 0 {
			return pid, nil
		}
	}
	return 0, ErrPeerForeign
}

// rowOwner reads one row. A port is the first two bytes of its field, in
// network order.
func rowOwner(row []byte, own, other netip.AddrPort) (pid uint32, ok bool) {
	address := func(b []byte, port []byte) netip.AddrPort {
		a, _ := netip.AddrFromSlice(b)
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(port))
	}
	if len(row) == row4 {
		return binary.LittleEndian.Uint32(row[20:]),
			address(row[4:8], row[8:]) == own && address(row[12:16], row[16:]) == other
	}
	return binary.LittleEndian.Uint32(row[52:]),
		address(row[0:16], row[20:]) == own && address(row[24:40], row[44:]) == other
}

func tcpTable(family uint32) ([]byte, error) {
	call := windows.NewLazySystemDLL("iphlpapi.dll").NewProc("GetExtendedTcpTable")
	if err := call.Find(); err != nil {
		return nil, err
	}
	size := uint32(64 << 10)
	for size <= tableMost {
		b := make([]byte, size)
		code, _, _ := call.Call(uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0,
			uintptr(family), tableConnections, 0)
		switch windows.Errno(code) {
		case 0:
			return b, nil
		case windows.ERROR_INSUFFICIENT_BUFFER:
			size += size / 4 // it grows while we look
		default:
			return nil, windows.Errno(code)
		}
	}
	return nil, fmt.Errorf("more than %d bytes of connections", tableMost)
}

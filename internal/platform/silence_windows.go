package platform

import (
	"time"

	"golang.org/x/sys/windows"
)

func limitSilence(fd uintptr, d time.Duration) error {
	return windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_TCP, windows.TCP_MAXRT, max(1, int(d.Seconds())))
}

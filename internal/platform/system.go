package platform

import "runtime"

// System names the operating system and the processor, like linux/amd64.
func System() string { return runtime.GOOS + "/" + runtime.GOARCH }

// OS is the operating system alone, as Go names it: linux, darwin or windows.
func OS() string { return runtime.GOOS }

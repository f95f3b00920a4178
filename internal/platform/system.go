package platform

import "runtime"

// System names the operating system and the processor, like linux/amd64.
func System() string { return runtime.GOOS + "/" + runtime.GOARCH }

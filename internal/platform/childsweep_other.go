//go:build !linux

package platform

func ownOrigin() (start, space string) { return "-", "-" }

func sweep() (int, error) { return 0, ErrNoSweep }

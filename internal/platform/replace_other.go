//go:build !linux

package platform

import (
	"errors"
	"os"
)

// exchange is for systems that can have two files change places.
func exchange(*os.Root, string, string, []byte) error { return errors.ErrUnsupported }

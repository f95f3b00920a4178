//go:build !linux && !darwin && !windows

package platform

import (
	"errors"
	"time"
)

func limitSilence(uintptr, time.Duration) error { return errors.ErrUnsupported }

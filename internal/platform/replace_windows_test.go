package platform

import (
	"io/fs"
	"testing"
)

func wantMode(*testing.T, string, fs.FileMode) {} // Windows has other rules

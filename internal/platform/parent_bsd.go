//go:build unix && !linux

package platform

import "context"

func watchParent(ctx context.Context, parent int) bool { return pollParent(ctx, parent) }

package platform

import "sync"

// loginPath is the PATH of the user's login shell, "" when it cannot be had.
// The shell is asked once and has three seconds.
var loginPath = sync.OnceValue(captureLoginPath)

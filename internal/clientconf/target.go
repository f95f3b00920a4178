package clientconf

import "drawbridge/internal/splice"

// Target is one configuration file of one client. Locate and LocatePath make
// them.
type Target struct {
	Client string // its id in the table, "" for a path of no known client
	// Form is which of the client's ways to write entries the file has, "" for
	// its usual one.
	Form  string
	Path  string // absolute; may be a symbolic link, may not exist yet
	Place splice.Place
}

// Package clientconf finds, watches, shows and changes the configuration files of
// MCP clients, and helps to restart the clients.
//
// It promises to change its own entry and nothing else, to show the change
// before it is made, to make just the change that was shown or none, to leave
// a file as it is when it cannot be changed safely, and to be able to take back
// what it did. A killed process leaves the old file or the new one. What a
// person or the client removed is not added again.
//
// Where clients have their files on Windows and macOS, the packages of the
// Windows store included, is tested by tables on Linux alone: a System says what
// the rules depend on.
//
// The clients are data (clients.json); how a document is changed is package
// splice; the servers themselves are package catalog.
package clientconf

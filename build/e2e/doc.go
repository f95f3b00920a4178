// Package e2e runs the built helper between real MCP servers and clients: the
// everything server and the inspector from npm, and the raw servers of the
// benchmark.
//
// It promises to test what a user would see, over processes and loopback
// sockets only, with a home folder of its own for every test. It has the build
// tag e2e and is started by go run ./build test, which fetches Node and the
// packages; what a package promises by itself is left to its own tests.
package e2e

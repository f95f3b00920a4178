// Package paths holds the tests that every path through Drawbridge has to pass:
// each way a client can speak to us, in each version of the protocol, joined with
// each way a server can be reached, of either era.
//
// It promises one table of these paths, which a test runs over as a whole, with
// real sockets, real pipes and a real process at the other end, and a client and
// a server that share no code with the product. What one transport or one package
// does by itself is tested beside it.
package paths

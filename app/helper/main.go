// Command drawbridge is what MCP clients start, and the command line for
// people. It connects a client's stdin and stdout with any MCP server, serves
// any server on a local port, and keeps the list of servers added here.
//
// It promises the names, flags, exit codes and output shapes that scripts and
// config entries rely on, that stdout carries the protocol and nothing else
// while a client is connected, and a quick start: what is linked here is paid
// for by every client.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"drawbridge/internal/platform"
)

// version is set by the linker: -X main.version=1.2.3.
var version = "0.1.0-dev"

func main() {
	// First of all: this may be the supervisor of a server's process.
	if handled, code := platform.ShimMain(os.Args); handled {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:]))
}

// memoryLimit is where the collector begins to work harder: room for four of
// the largest messages with a copy of each.
const memoryLimit = 512 << 20

// limitMemory sets memoryLimit, unless the environment says otherwise.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// run executes one command line and returns the exit code.
func run(args []string) int {
	limitMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, form: text}
	root := a.commands(args)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && a.form == text {
		a.form = formIn(args) // parsing may have stopped before the flag
	}
	return a.report(err)
}

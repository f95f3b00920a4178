package upstream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"drawbridge/internal/jsonrpc"
)

// serveStdio is a server with the manners that its name says.
func serveStdio(manners string, args []string) int {
	switch manners {
	case "says": // each argument as it is, then what an echo server does
		for _, a := range args {
			fmt.Print(a)
		}
	case "exits":
		fmt.Fprintln(os.Stderr, "Error: "+args[1]+" "+os.Getenv("API_KEY"))
		fmt.Fprintln(os.Stderr, "    at main (server.js:1:1)")
		code, _ := strconv.Atoi(args[0])
		return code
	case "crashes": // on the first call
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		fmt.Fprintln(os.Stderr, "panic: out of cheese")
		return 9
	case "hangs up": // closes stdout and lives on
		os.Stdout.Close()
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 0
	case "deaf": // never reads
		fmt.Println(`{"jsonrpc":"2.0","method":"ready"}`)
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGHUP)
		<-c
	case "large": // an answer of that many bytes to each request, its id last
		return large(args[0])
	case "chatty":
		n, _ := strconv.Atoi(args[0])
		w := bufio.NewWriter(os.Stdout)
		for i := range n {
			fmt.Fprintf(w, `{"jsonrpc":"2.0","method":"notifications/message","params":{"n":%d}}`+"\n", i)
		}
		w.Flush()
	default:
		panic("no such manners: " + manners)
	}
	return echo()
}

// echo answers each request with its params.
func echo() int {
	in, out := jsonrpc.NewLineReader(os.Stdin, 0), jsonrpc.NewLineWriter(os.Stdout)
	for {
		m, err := in.Next()
		if err != nil {
			return 0
		}
		if m.Kind() != jsonrpc.Request {
			continue
		}
		if out.Write(jsonrpc.NewResult(m.ID(), m.Params())) != nil {
			return 1
		}
	}
}

func large(size string) int {
	n, _ := strconv.Atoi(size)
	block := []byte(strings.Repeat("x", 1<<20))
	in := jsonrpc.NewLineReader(os.Stdin, 0)
	for {
		m, err := in.Next()
		if err != nil {
			return 0
		}
		fmt.Print(`{"result":{"text":"`)
		_, _ = io.CopyN(os.Stdout, &endless{block}, int64(n))
		fmt.Print(`"},"jsonrpc":"2.0","id":` + string(m.ID()) + "}\n")
		fmt.Println(`{"jsonrpc":"2.0","method":"after"}`)
	}
}

type endless struct{ block []byte }

func (e *endless) Read(b []byte) (int, error) { return bytes.NewReader(e.block).Read(b) }

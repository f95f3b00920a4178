// Echo is an MCP server of the initialize era for probes of fidelity, on stdio or
// with -http ADDR over streamable HTTP. What it writes holds what bridges damage:
// integers above 2^53, 1.0, vendor members. A result tells, as a string, the very
// bytes in which its request arrived.
//
// It knows no library, so that nothing but the bridge can damage a message, and
// leaves judging to the probes.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

const maxMessage = 1 << 20

func main() {
	address := flag.String("http", "", "serve streamable HTTP at this address instead of stdio")
	flag.Parse()
	serve := stdio
	if *address != "" {
		serve = func() error { return http.ListenAndServe(*address, http.HandlerFunc(post)) }
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func stdio() error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		for _, m := range reply(lines.Text()) {
			fmt.Println(m)
		}
	}
	return lines.Err()
}

func post(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if err != nil {
		return // the client is gone, or wrote too much
	}
	messages := reply(string(body))
	if len(messages) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, m := range messages {
		fmt.Fprintf(w, "data: %s\n\n", m)
	}
}

// reply is what the server says to a message.
func reply(line string) []string {
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			Name            string          `json:"name"`
			ProtocolVersion json.RawMessage `json:"protocolVersion"`
		} `json:"params"`
	}
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		return []string{`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no message"}}`}
	}
	result := func(members string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{%s}}`, m.ID, members)
	}
	switch {
	case m.ID == nil || m.Method == "":
		return nil
	case m.Method == "initialize":
		return []string{result(fmt.Sprintf(`"protocolVersion":%s,"capabilities":{"tools":{},"x-vendor":{"n":9007199254740993}},"serverInfo":{"name":"echo","version":"1","x-extra":1.0}`, m.Params.ProtocolVersion))}
	case m.Method == "server/discover", strings.Contains(line, "io.modelcontextprotocol/protocolVersion"):
		return []string{fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`, m.ID)}
	case m.Method == "tools/list":
		return []string{result(`"tools":[{"name":"t","inputSchema":{"type":"object","properties":{"n":{"const":9007199254740993}},"oneOf":[{"required":["n"]}]},"x-vendor":{"f":1.0}}],"x-list":1.0`)}
	case m.Params.Name == "fail":
		return []string{fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-31999,"message":"vendor","data":{"n":9007199254740993},"x-extra":1.0}}`, m.ID)}
	}
	saw, err := json.Marshal(line)
	if err != nil {
		panic("echo: a string is no JSON: " + err.Error())
	}
	return []string{
		`{"jsonrpc":"2.0","method":"notifications/x-vendor","params":{"n":9007199254740993,"f":1.0},"x-extra":1.0}`,
		result(`"content":[],"n":9007199254740993,"f":1.0,"saw":` + string(saw)),
	}
}

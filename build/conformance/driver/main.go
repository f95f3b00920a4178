// Driver plays an MCP host for the client scenarios of the conformance suite:
// it starts a bridge with the suite's URL, speaks to it over stdio in one era,
// and makes the calls that the scenario is about.
//
//	driver -era legacy|modern COMMAND ARG… {url} … URL
//
// {url} in the command becomes the URL that the suite adds as the last argument.
// The driver promises to exit with 0 only when every call had a result and every
// line on the bridge's stdout was a JSON-RPC message, to give each run a state
// folder of its own, and to leave no process behind. Judging what reached the
// suite's server is left to the suite.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// limit is what one scenario may take. The suite's own is longer, so that the
// driver is there to end the bridge.
const limit = 35 * time.Second

// era is the generation of the protocol that this host speaks.
type era string

const (
	legacy era = "legacy"
	modern era = "modern"
)

func main() {
	which := flag.String("era", string(legacy), "legacy or modern")
	flag.Parse()
	if err := run(era(*which), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(1)
	}
}

func run(e era, args []string) error {
	if e != legacy && e != modern {
		return fmt.Errorf("-era is legacy or modern, not %q", e)
	}
	if len(args) < 2 {
		return errors.New("want a command and a URL")
	}
	url, command := args[len(args)-1], args[:len(args)-1]
	for i := range command {
		command[i] = strings.ReplaceAll(command[i], "{url}", url)
	}
	state, err := os.MkdirTemp("", "drawbridge-driver-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	h, err := start(ctx, e, command, state)
	if err != nil {
		return err
	}
	err = perform(ctx, h, os.Getenv("MCP_CONFORMANCE_SCENARIO"))
	return errors.Join(err, h.close())
}

// scenarioContext is what the suite tells the client besides the URL.
type scenarioContext struct {
	ToolCalls []struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"toolCalls"`
}

func readContext() (scenarioContext, error) {
	var c scenarioContext
	text := os.Getenv("MCP_CONFORMANCE_CONTEXT")
	if text == "" {
		return c, nil
	}
	return c, json.Unmarshal([]byte(text), &c)
}

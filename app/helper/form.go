package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// form is the output format, the value of -f.
type form string

const (
	text   form = "text"
	inJSON form = "json"
	inYAML form = "yaml"
	inLink form = "deeplink" // of `mcp config` alone
)

// Set takes the value of the flag.
func (f *form) Set(s string) error {
	switch v := form(s); v {
	case text, inJSON, inYAML, inLink:
		*f = v
		return nil
	default:
		return errors.New("the formats are text, json and yaml")
	}
}

func (f *form) String() string { return string(*f) }

// Type names the value in the help text.
func (f *form) Type() string { return "FORMAT" }

// formIn finds the format in arguments that were not parsed to their end.
func formIn(args []string) form {
	f := text
	for i, arg := range args {
		if arg == "--" {
			break
		}
		value, joined := "", false
		for _, p := range []string{"--format=", "-f="} {
			if v, ok := strings.CutPrefix(arg, p); ok {
				value, joined = v, true
			}
		}
		if !joined && (arg == "-f" || arg == "--format") && i+1 < len(args) {
			value = args[i+1]
		}
		if value == "" && len(arg) > 2 && strings.HasPrefix(arg, "-f") && arg[2] != '=' {
			value = arg[2:]
		}
		if value != "" {
			_ = f.Set(value) // an unknown one is what is being reported
		}
		if f == inLink { // errors have no such form
			f = text
		}
	}
	return f
}

// write prints v in a machine format; style is for JSON.
func (f form) write(w io.Writer, v any, style layout) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	if f == inYAML {
		b, err = toYAML(b)
	} else {
		b, err = style.apply(b)
	}
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// encode is JSON with <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the output: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

package main

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// toYAML writes JSON, which is YAML too, in block style: members stay in their
// order and numbers keep their digits.
func toYAML(b []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("write as YAML: %w", err)
	}
	plain(&doc)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, fmt.Errorf("write as YAML: %w", err)
	}
	return out.Bytes(), e.Close()
}

// plain drops JSON's brackets and quotes. The encoder quotes again what YAML 1.2
// needs quoted; the words that only YAML 1.1 takes for booleans keep theirs.
func plain(n *yaml.Node) {
	switch strings.ToLower(n.Value) {
	case "y", "n", "yes", "no", "on", "off":
	default:
		if len(n.Content) > 0 || n.Kind == yaml.ScalarNode {
			n.Style = 0
		}
	}
	for _, c := range n.Content {
		plain(c)
	}
}

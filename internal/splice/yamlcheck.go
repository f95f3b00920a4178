package splice

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// checkAnchors refuses a change of what is used elsewhere by an alias: all that
// goes, and what holds the entry.
func (ch *yamlChange) checkAnchors(entry *yaml.Node) error {
	mine := nodesOf(entry)
	var above []*yaml.Node
	if ch.root != nil {
		above = append(above, ch.root)
	}
	for _, p := range ch.path {
		above = append(above, p.value)
	}
	if entry != nil {
		above = append(above, entry)
	}
	removed := map[*yaml.Node]bool{}
	for _, n := range ch.gone {
		for m := range nodesOf(n) {
			removed[m] = true
		}
	}
	for n := range nodesOf(ch.root) {
		if n.Kind != yaml.AliasNode {
			continue
		}
		used := n.Alias
		if removed[used] && !removed[n] || slices.Contains(above, used) && !mine[n] {
			return refuse(ch.text, ch.offset(used), AnchorInUse, fmt.Sprintf("the anchor &%s is used elsewhere, so that this would change more than the entry", used.Anchor))
		}
	}
	return nil
}

// checkPairs refuses keys that are not written, and those without a colon behind
// them: where they end depends on what follows.
func (ch *yamlChange) checkPairs() error {
	for n := range nodesOf(ch.root) {
		if n.Kind != yaml.MappingNode || isFlow(n) {
			continue
		}
		for _, p := range pairs(n) {
			at := ch.offset(p.value)
			if ch.isAbsent(p.key) || ch.isAbsent(p.value) && (at == 0 || ch.text[at-1] != ':') {
				return ch.unsupported(p.key, "a question mark with nothing behind it, or without a colon")
			}
		}
	}
	return nil
}

func nodesOf(n *yaml.Node) map[*yaml.Node]bool {
	all := map[*yaml.Node]bool{}
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		all[n] = true
		for _, child := range n.Content {
			walk(child)
		}
	}
	if n != nil {
		walk(n)
	}
	return all
}

// checkLastText refuses edits at the end of a document whose last line is a block
// of text without a line break: it would get one.
func (ch *yamlChange) checkLastText(edits []Edit) error {
	last := edits[len(edits)-1]
	if ch.root == nil || last.At < len(ch.text) || bytes.HasSuffix(ch.text, []byte("\n")) || !endsInText(ch.root) || bytes.Contains(ch.text[ch.end(ch.root):], []byte("\n")) {
		return nil
	}
	return refuse(ch.text, len(ch.text), UnsupportedLayout, "the document ends in a block of text without a line break")
}

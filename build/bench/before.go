package main

import (
	"fmt"
	"strings"
)

// beforeTable sets Drawbridge beside an earlier build of it, measured in the
// same run; "" when there was none.
func beforeTable(sets []*setReport) string {
	var rows []string
	for _, s := range sets {
		ours, old := s.find(own), s.find(earlier)
		if ours == nil || old == nil {
			continue
		}
		cells := []string{s.Title}
		for _, f := range forwardFigures() {
			cells = append(cells, against(f.of(ours), f.of(old)))
		}
		rows = append(rows, "| "+strings.Join(cells, " | ")+" |")
	}
	if rows == nil {
		return ""
	}
	head := []string{"drawbridge ÷ drawbridge before"}
	rule := []string{"---"}
	for _, f := range forwardFigures() {
		head, rule = append(head, f.name), append(rule, "---:")
	}
	return "| " + strings.Join(head, " | ") + " |\n| " + strings.Join(rule, " | ") + " |\n" + strings.Join(rows, "\n")
}

func against(x, y float64) string {
	if x == 0 || y == 0 {
		return "n/a"
	}
	return fmt.Sprintf("×%.2f", x/y)
}

package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"drawbridge/internal/platform"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  between(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			if a.form != text {
				return a.form.write(a.stdout, struct {
					Version string `json:"version"`
					Go      string `json:"go"`
					System  string `json:"system"`
				}{version, runtime.Version(), platform.System()}, lines)
			}
			_, err := fmt.Fprintf(a.stdout, "drawbridge %s\n%s %s\n", version, runtime.Version(), platform.System())
			return err
		},
	}
}

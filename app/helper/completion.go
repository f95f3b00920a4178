package main

import (
	"github.com/spf13/cobra"

	"drawbridge/internal/clientconf"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script for bash, zsh, fish or powershell",
		Long: "Prints a script that lets your shell complete the commands and server names of drawbridge.\n" +
			"For bash, for example:\n\n  source <(drawbridge completion bash)",
		Args:              between(1, 1, "the shell (bash, zsh, fish or powershell)"),
		ValidArgs:         shells,
		ValidArgsFunction: cobra.FixedCompletions(shells, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			switch root := c.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			default:
				return usage(c, "there is no completion for %q", args[0])
			}
		},
	}
}

// completeFlag lets shells complete a flag's value.
func completeFlag(c *cobra.Command, flag string, values cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, values); err != nil {
		panic("completion of --" + flag + ": " + err.Error()) // the flag is not there
	}
}

// completeClientFlags completes the flags that name a client's file.
func completeClientFlags(c *cobra.Command) {
	completeFlag(c, "client-config", clientNames)
	completeFlag(c, "client-format", clientNames)
}

// clientNames are the clients; the path of a file may stand there as well.
func clientNames(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var list []cobra.Completion
	for _, c := range clientconf.Clients() {
		list = append(list, cobra.CompletionWithDesc(c.ID, c.Name))
	}
	return list, cobra.ShellCompDirectiveDefault
}

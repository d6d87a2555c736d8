package app

import "github.com/spf13/cobra"

// Commands is the command line, for what is generated from it.
func Commands() *cobra.Command { return commands(&flags{}, func(verb, []string) {}) }

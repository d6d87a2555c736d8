package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// parent returns the command below which a verb of two words stands: the one
// with its first word, or root for a verb of one.
func parent(root *cobra.Command, first string) *cobra.Command {
	if first == "" {
		return root
	}
	for _, c := range root.Commands() {
		if c.Name() == first {
			return c
		}
	}
	group := &cobra.Command{Use: first, Short: groups[first], Args: cobra.ArbitraryArgs, RunE: secondWord}
	root.AddCommand(group)
	return group
}

// groups are the first words of the verbs that have two.
var groups = map[string]string{"state": "Look at the records and mend them"}

// secondWord explains a first word alone, or with a second that is none.
func secondWord(c *cobra.Command, args []string) error {
	var words []string
	for _, second := range c.Commands() {
		words = append(words, second.Name())
	}
	if len(args) == 0 {
		return fmt.Errorf("%s takes one more word: %s", c.Name(), strings.Join(words, ", "))
	}
	return fmt.Errorf("unknown verb %q; after %s comes one of %s", c.Name()+" "+args[0], c.Name(), strings.Join(words, ", "))
}

// hasFlag reports whether a verb at or below c has a flag of that name.
func hasFlag(c *cobra.Command, name string) bool {
	return c.Flags().Lookup(name) != nil ||
		slices.ContainsFunc(c.Commands(), func(below *cobra.Command) bool { return hasFlag(below, name) })
}

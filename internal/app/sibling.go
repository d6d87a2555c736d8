package app

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// buildForSibling is this program in a second container of its image: it builds
// for the one in the first. It is given logins and secrets, as a job is.
func buildForSibling(ctx context.Context, sys Sys) int {
	if err := Isolate(); err != nil {
		fmt.Fprintln(sys.Stderr, err)
		return exitFailed
	}
	err := build.ServeSibling(ctx, sys.Stdin, sys.Stdout, func(environ []string) (*http.Client, error) {
		m := &machine{Sys: sys, getenv: lookup(slices.Concat(sys.Environ, environ))}
		m.runner = workflow.New(m.getenv, sys.Stderr)
		return m.client()
	})
	if err != nil {
		fmt.Fprintln(sys.Stderr, err)
		return exitFailed
	}
	return exitDone
}

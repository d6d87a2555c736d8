// Package app is the command line, and the place where everything is wired.
//
// It decides nothing about deployments: it reads flags and inputs, opens what
// the engine needs, calls one verb, and shows what came of it.
package app

import (
	"context"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"

	"github.com/deploy-action/deploy-action/internal/builtin"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/oci/build/sibling"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// Sys is the machine as one invocation sees it.
type Sys struct {
	Args, Environ  []string
	Dir            string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	HTTP           *http.Client       // nil: one of its own
	Plugins        []component.Plugin // nil: the built-in ones

	// Self is this program again, for helper processes. Nil: the executable
	// itself.
	Self func(ctx context.Context, args ...string) *exec.Cmd
}

// postName is the name under which the runner calls the post step.
const postName = "deploy-action-post"

// plugins returns the plugins that use blocks can name.
func (s Sys) plugins() []component.Plugin {
	if s.Plugins != nil {
		return s.Plugins
	}
	return builtin.Plugins
}

// Main runs one invocation and returns its exit status. All it knows of the
// machine is in sys, so scripts run it in process as a testscript command,
// each with its own folder and fakes.
func Main(ctx context.Context, sys Sys) int {
	if len(sys.Args) > 1 && sys.Args[1] == sandbox.Verb {
		return sandbox.Helper(ctx, sys.Args[2:])
	}
	if sys.Self == nil {
		sys.Self = executable
	}
	if len(sys.Args) > 1 && sys.Args[1] == helperVerb {
		return runHelper(ctx, sys)
	}
	if len(sys.Args) == 2 && sys.Args[1] == sibling.Verb {
		return buildForSibling(ctx, sys)
	}
	m := &machine{Sys: sys, getenv: lookup(sys.Environ)}
	m.runner = workflow.New(m.getenv, sys.Stdout)
	args := sys.Args[1:]
	switch {
	case filepath.Base(sys.Args[0]) == postName:
		args = []string{postVerb}
	case len(args) == 0 && m.runner.Active() && m.runner.Input("command") != "":
		args = m.actionArgs()
	}
	return m.execute(ctx, args)
}

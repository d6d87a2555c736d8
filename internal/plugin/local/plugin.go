// Package local runs an image's process on this machine, without Docker: for
// trying things out, and for smoke tests inside a job.
//
//	deploy {
//	  use "local" {
//	    health_path = "/healthz"
//	  }
//	}
//
// Every deployment is a folder with the unpacked image, and a supervisor: a
// process of this same program that outlives the run, restarts the app when
// it crashes and keeps its output. The releaser runs a front for each app and
// workspace: a proxy on a stable port that switches between deployments
// without dropping a request.
//
// The package sets no limits on memory or CPU and gives the app no network of
// its own: it shares that of the machine. Isolation is as good as this user
// may have it, which the log says, and is no substitute for a container engine.
package local

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Plugin runs images as processes of this machine.
var Plugin = component.Plugin{
	Name:     "local",
	Summary:  "Run a container image as a process on this machine, without Docker.",
	Platform: component.NewPlatform(openPlatform),
	Releaser: component.NewReleaser(openReleaser),

	DefaultRelease: true,
	Helper:         help,
}

// What a helper process is started for: the first of its arguments.
const (
	verbSupervise = "supervise" // DIR: keeps the process of one deployment running
	verbFront     = "front"     // DIR: forwards traffic to the released deployment
	verbEnter     = "enter"     // becomes the app, inside its root
)

// help is [component.Plugin.Helper].
func help(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == verbEnter {
		return enterSandbox()
	}
	if len(args) != 2 {
		return fmt.Errorf("running a helper with %d arguments: want a verb and a folder", len(args))
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch verb, dir := args[0], args[1]; verb {
	case verbSupervise:
		return supervise(ctx, dir, self(len(args)))
	case verbFront:
		return runFront(ctx, dir)
	default:
		return fmt.Errorf("running a helper: no verb %q", verb)
	}
}

// Command deploy-action builds, deploys and releases the apps of a
// waypoint.hcl, on a terminal and as a GitHub action.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/deploy-action/deploy-action/internal/app"
)

func main() {
	inJob := os.Getenv("GITHUB_ACTIONS") == "true"
	if inJob {
		if err := app.Isolate(); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if !inJob { // a runner sends two, seconds apart, before it kills
		context.AfterFunc(ctx, stop) // a second signal ends the process at once
	}
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	os.Exit(app.Main(ctx, app.Sys{
		Args:    os.Args,
		Environ: os.Environ(),
		Dir:     dir,
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
	}))
}

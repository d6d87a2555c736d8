// Package sibling has an image built in a second container of this program's own
// image, which may mount where this one may not: its commands run with mount and
// process namespaces of their own, and reach neither the container engine's
// socket nor the job.
//
// This process asks the engine for the container and talks with the program in
// it over its input and output, in lines of JSON: what to build goes in, and
// logins and secrets with it, so that the engine shows none of them; progress,
// questions and the result come out. The image is written to the workspace, which
// both containers see at the same path. How an image is built is not the business
// of this package.
package sibling

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/oci/container"
)

// Verb is the only argument of this program when it is started in the second
// container.
const Verb = "build-sibling"

// attr is the attribute that asks for this.
const attr = "engine"

// travels are the variables that say how requests travel, which the program in
// the container is told.
var travels = []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "INPUT_CA-BUNDLE"}

// Container makes containers beside the one that this program is in.
type Container struct {
	engine  *container.Engine
	own     *container.Own
	program string // of this process, by its path
	environ []string
}

// Open connects to the Docker engine of this program's container. That there is
// none, or no such container, is a problem. The caller closes what it returns.
func Open(ctx context.Context, getenv func(string) string) (*Container, error) {
	if sandbox.Home() == "" {
		return nil, &diag.Problem{
			Summary: "Not in a container of the action's image",
			Detail: "The engine \"sibling\" builds in a second container of the image that this program comes from, and this program does not run in " +
				"a container of the action's image. Run it there, or choose another engine.",
			Attr: attr,
		}
	}
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return nil, fmt.Errorf("finding this program's file: %w", err)
	}
	engine, err := container.Open(ctx, getenv, oci.Credentials{}, container.Need{
		Summary: "Docker engine not reachable", Purpose: "The engine \"sibling\" builds in a second container, for which it needs a Docker engine",
		Instead: "choose another engine", Attr: attr,
	})
	if err != nil {
		return nil, err
	}
	c := &Container{engine: engine, program: program}
	if c.own, err = c.find(ctx); err != nil {
		_ = engine.Close() // nothing is under way
		return nil, err
	}
	for _, name := range travels {
		if value := getenv(name); value != "" {
			c.environ = append(c.environ, name+"="+value)
		}
	}
	return c, nil
}

// find asks the engine for the container that this program is in.
func (c *Container) find(ctx context.Context) (*container.Own, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("finding this program's own container: %w", err)
	}
	hostname, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding this program's own container: %w", err)
	}
	return c.engine.Own(ctx, string(mounts), hostname, attr)
}

// Close ends the connection.
func (c *Container) Close() error { return c.engine.Close() }

// Build has the image built in a container of its own, which is gone when it
// returns. When ctx ends the container is killed.
func (c *Container) Build(ctx context.Context, order Order, help Help) (Result, error) {
	workspace, err := c.workspace(order)
	if err != nil {
		return Result{}, err
	}
	order.Environ = c.environ
	input, toCommand := io.Pipe()
	fromCommand, output := io.Pipe()
	var complaints bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		status, err := c.engine.Run(ctx, container.Task{
			Image: c.own.Image, Command: []string{c.program, Verb},
			Labels: map[string]string{"deploy-action.dev/managed-by": "deploy-action", "deploy-action.dev/beside": c.own.ID},
			Input:  input, Errors: &complaints, Like: c.own,
			// What is unpacked needs a volume that keeps all of a file's attributes,
			// which the container's own root folder does not.
			Mounts:   []container.Mount{*workspace, {Target: filepath.Join(sandbox.Home(), "work")}},
			Mounting: true, Unlogged: true,
		}, output)
		if err == nil && status != 0 {
			err = endedEarly(status, complaints.String())
		}
		input.CloseWithError(io.ErrClosedPipe)
		output.Close()
		ended <- err
	}()
	result, err := converse(ctx, toCommand, fromCommand, order, help)
	_, _ = io.Copy(io.Discard, fromCommand) // it has said all, and ends
	return result, c.outcome(ctx, err, <-ended)
}

// outcome is the error of a build: what the program in the container said, or
// else how its container ended.
func (c *Container) outcome(ctx context.Context, said, ended error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(said, errSilent):
		return cmp.Or(ended, said)
	}
	return said
}

// workspace returns the mount that everything of a build has to be in.
func (c *Container) workspace(order Order) (*container.Mount, error) {
	mount := c.own.Holding(order.Root)
	if mount == nil {
		return nil, &diag.Problem{
			Summary: "The workspace is not mounted",
			Detail: fmt.Sprintf("The engine \"sibling\" builds in a second container, which sees the workspace only if that is mounted into this one. "+
				"%q is a folder of this container itself. Mount it, or choose another engine.", order.Root),
			Attr: attr,
		}
	}
	for _, dir := range []string{order.Layout, order.Steps, order.Caches} {
		if dir != "" && (!mount.Holds(dir) || mount.ReadOnly) {
			return nil, &diag.Problem{
				Summary: "The build's cache is out of the workspace",
				Detail: fmt.Sprintf("The engine \"sibling\" builds in a second container, which shares the folder %q with this one, and cannot write to %q. "+
					"Set cache_dir to a folder of the repository, such as \".cache\", and name it in .gitignore and .dockerignore.", mount.Target, dir),
				Attr: "cache_dir",
			}
		}
	}
	return mount, nil
}

// endedEarly says that the program in the container did not come to its end.
func endedEarly(status int, complaints string) error {
	detail := fmt.Sprintf("The second container in which the image was built ended with exit status %d before the build did.", status)
	if status == 137 {
		detail += " It was killed, as happens where memory runs out."
	}
	if text := strings.TrimSpace(complaints); text != "" {
		detail += " It said:\n" + text
	}
	return &diag.Problem{Summary: "The build's container ended early", Detail: detail}
}

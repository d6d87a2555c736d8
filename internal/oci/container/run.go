package container

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// removalTime is how long removing a container may take after its command was
// cancelled. A runner gives a few seconds in all.
const removalTime = 5 * time.Second

// Task is a command to run in an image.
type Task struct {
	Image   string
	Command []string               // in place of the image's own entry point and command
	Env     map[string]secret.Text // over that of the image
	Labels  map[string]string      // of the container

	// Input is what the command reads; nil for nothing. The command's input ends
	// with it, and also when this process is killed. After Run it must end, too.
	Input io.Reader

	// Errors takes what the command writes to its second stream; nil joins that
	// to the first.
	Errors io.Writer

	Like     *Own    // the container has the network and the working folder of that one; nil for the engine's own
	Mounts   []Mount // nothing else is shared with the command
	Mounting bool    // the command may mount: it is kept from the machine by its namespaces only
	Unlogged bool    // the engine keeps nothing of the output
}

// Run runs a command in a new container, writes its output to out, and returns
// its exit status once the container is gone. When ctx ends the command is
// killed. The engine must have the image.
func (e *Engine) Run(ctx context.Context, t Task, out io.Writer) (status int, err error) {
	// A name of ours finds the container also where the engine's answer to its
	// creation was lost.
	name := "deploy-action-" + strings.ToLower(rand.Text())
	defer func() { err = errors.Join(err, e.remove(ctx, name)) }()
	if _, err = e.docker.ContainerCreate(ctx, t.options(name)); err != nil {
		return 0, explain(ctx, fmt.Sprintf("making a container of %q", t.Image), err)
	}
	attached, err := e.docker.ContainerAttach(ctx, name, client.ContainerAttachOptions{Stream: true, Stdin: t.Input != nil, Stdout: true, Stderr: true})
	if err != nil {
		return 0, explain(ctx, "listening to the container", err)
	}
	defer attached.Close()
	// The connection is no HTTP request any more, so ctx does not end it.
	defer context.AfterFunc(ctx, attached.Close)()

	ended := e.docker.ContainerWait(ctx, name, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
	if _, err := e.docker.ContainerStart(ctx, name, client.ContainerStartOptions{}); err != nil {
		return 0, notStarted(ctx, t, err)
	}
	if t.Input != nil {
		go func() {
			// A command that has ended reads no more; how it ended says why.
			_, _ = io.Copy(attached.Conn, t.Input)
			_ = attached.CloseWrite()
		}()
	}
	errs := t.Errors
	if errs == nil {
		errs = out
	}
	if _, err := stdcopy.StdCopy(out, errs, attached.Reader); err != nil {
		return 0, explain(ctx, "reading the command's output", err)
	}
	select {
	case result := <-ended.Result:
		if result.Error != nil {
			return 0, fmt.Errorf("waiting for the command: %s", result.Error.Message)
		}
		return int(result.StatusCode), nil
	case err := <-ended.Error:
		return 0, explain(ctx, "waiting for the command", err)
	}
}

// options describe the container.
func (t Task) options(name string) client.ContainerCreateOptions {
	config := &container.Config{Image: t.Image, Entrypoint: t.Command[:1], Cmd: t.Command[1:], Env: entries(t.Env), Labels: t.Labels}
	if t.Input != nil {
		// Once: where we are killed, the engine closes the command's input.
		config.OpenStdin, config.StdinOnce, config.AttachStdin = true, true, true
	}
	host := &container.HostConfig{AutoRemove: true} // also where we are killed
	if t.Like != nil {
		config.WorkingDir, host.NetworkMode = t.Like.Dir, container.NetworkMode(t.Like.network())
	}
	for _, m := range t.Mounts {
		host.Mounts = append(host.Mounts, m.entry())
	}
	if t.Mounting {
		host.CapAdd = []string{"CAP_SYS_ADMIN"}
		host.SecurityOpt = []string{"seccomp=unconfined", "apparmor=unconfined"}
	}
	if t.Unlogged {
		host.LogConfig.Type = "none"
	}
	return client.ContainerCreateOptions{Name: name, Config: config, HostConfig: host}
}

// notStarted explains a command that the engine could not start.
func notStarted(ctx context.Context, t Task, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("The command %q cannot be started", t.Command[0]),
		Detail: fmt.Sprintf("It must be a program in the image %q. No shell reads it: its arguments go to args, one by one; "+
			"for a line of shell write command = \"sh\" and args = [\"-c\", \"LINE\"].", t.Image),
		Err: err,
	}
}

// remove removes a container, running or not. Most often it is gone, or going,
// by itself.
func (e *Engine) remove(ctx context.Context, name string) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalTime)
	defer cancel()
	_, err := e.docker.ContainerRemove(last, name, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || cerrdefs.IsNotFound(err) || cerrdefs.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("removing container %q: %w", name, err)
}

// entries returns NAME=VALUE entries, in the order of the names.
func entries(env map[string]secret.Text) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name].Reveal())
	}
	return list
}

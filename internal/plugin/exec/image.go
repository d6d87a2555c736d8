package exec

import (
	"context"
	"errors"
	"io"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// runInImage runs the command in the files of the image that the block names.
func (p *platform) runInImage(ctx context.Context, c command, out io.Writer) error {
	tail := &tailWriter{}
	task := build.Task{
		Image: p.cfg.Image, Args: c.argv, Env: build.TaskEnv(p.host.Environ()), Dir: c.dir,
		Client: oci.Client{HTTP: p.host.HTTP, Credentials: oci.Credentials{Getenv: p.host.Getenv, Environ: p.host.Environ, DockerConfig: p.host.DockerConfig}},
		Work:   p.host.TempDir, Output: io.MultiWriter(out, tail),
		Hidden: p.host.Hidden, Watched: p.host.Watched,
	}
	if p.cfg.Template != nil {
		task.Folders = []string{p.host.TempDir}
	}
	err := build.RunTask(ctx, task)
	if exit, ok := errors.AsType[*build.TaskError](err); ok {
		return c.explain(exit, tail.lines())
	}
	return err
}

package docker

import (
	"context"
	"fmt"
	"io"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// Exec implements [component.Platform].
func (p *platform) Exec(ctx context.Context, t component.Target[Deployment], req component.ExecRequest) (status int, err error) {
	if req.Instance != "" && req.Instance != t.ID {
		return 0, &diag.Problem{
			Summary: "No such instance",
			Detail:  fmt.Sprintf("A deployment to Docker has one instance, %q.", t.ID),
		}
	}
	c, err := p.running(ctx, t)
	if err != nil {
		return 0, err
	}
	created, err := p.engine.ExecCreate(ctx, c.ID, client.ExecCreateOptions{
		TTY: req.TTY, Cmd: req.Command,
		AttachStdin: req.Stdin != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return 0, p.engine.explain(ctx, fmt.Sprintf("running a command in %q", t.ID), err)
	}
	attached, err := p.engine.ExecAttach(ctx, created.ID, client.ExecAttachOptions{TTY: req.TTY})
	if err != nil {
		return 0, p.engine.explain(ctx, fmt.Sprintf("running a command in %q", t.ID), err)
	}
	defer attached.Close()
	// The connection is no HTTP request any more, so ctx does not end it.
	defer context.AfterFunc(ctx, attached.Close)()
	if err := converse(attached.HijackedResponse, req); err != nil {
		return 0, p.engine.explain(ctx, "reading the command's output", err)
	}
	err = retry.Poll(ctx, pollInterval, func(ctx context.Context) (bool, error) {
		result, err := p.engine.ExecInspect(ctx, created.ID, client.ExecInspectOptions{})
		status = result.ExitCode
		return !result.Running, p.engine.explain(ctx, "asking for the command's status", err)
	})
	return status, err
}

// converse carries input to a command and its output back, until the command
// ends. Input that is still to come is left unread.
func converse(conn client.HijackedResponse, req component.ExecRequest) error {
	if req.Stdin != nil {
		go func() {
			// A command that ends before its input does is no error.
			_, _ = io.Copy(conn.Conn, req.Stdin)
			_ = conn.CloseWrite()
		}()
	}
	var err error
	if req.TTY {
		_, err = io.Copy(req.Stdout, conn.Reader)
	} else {
		_, err = stdcopy.StdCopy(req.Stdout, req.Stderr, conn.Reader)
	}
	return err
}

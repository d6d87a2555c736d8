//go:build servers

package container_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/container"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// TestRealEngine runs commands on a real engine.
func TestRealEngine(t *testing.T) {
	t.Parallel()
	real := servers.Docker(t)
	real.ImportBusybox(t)
	e, err := container.Open(t.Context(), environ("DOCKER_HOST", real.Host), oci.Credentials{}, need)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	mark := map[string]string{"deploy-action.dev/test": t.Name()}
	task := func(command ...string) container.Task {
		return container.Task{Image: servers.Busybox, Command: command, Labels: mark, Env: map[string]secret.Text{"TOKEN": "t0ken"}}
	}

	t.Run("output and status", func(t *testing.T) {
		var out bytes.Buffer
		status, err := e.Run(t.Context(), task("sh", "-c", `echo "to $TOKEN"; echo oops >&2; exit 3`), &out)
		if err != nil || status != 3 || !strings.Contains(out.String(), "to t0ken\n") || !strings.Contains(out.String(), "oops\n") {
			t.Errorf("Run = %d, %v, and wrote %q", status, err, out.String())
		}
	})
	t.Run("input and errors", func(t *testing.T) {
		var out, errs bytes.Buffer
		reading := task("sh", "-c", "cat; echo oops >&2")
		reading.Input, reading.Errors, reading.Unlogged = strings.NewReader("read this\n"), &errs, true
		status, err := e.Run(t.Context(), reading, &out)
		if err != nil || status != 0 || out.String() != "read this\n" || errs.String() != "oops\n" {
			t.Errorf("Run = %d, %v, and wrote %q and %q", status, err, out.String(), errs.String())
		}
	})
	t.Run("much output", func(t *testing.T) {
		var out bytes.Buffer
		status, err := e.Run(t.Context(), task("sh", "-c", "seq 1 100000"), &out)
		if err != nil || status != 0 || !strings.HasSuffix(out.String(), "\n100000\n") {
			t.Errorf("Run = %d, %v, and wrote %d bytes, want all numbers", status, err, out.Len())
		}
	})
	t.Run("no such program", func(t *testing.T) {
		_, err := e.Run(t.Context(), task("no-such-program"), &bytes.Buffer{})
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || problem.Summary != `The command "no-such-program" cannot be started` {
			t.Errorf("Run = %v, want a problem", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := e.Run(ctx, task("sh", "-c", "echo started; sleep 600"), writes(func() { cancel() }))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want that it was cancelled", err)
		}
	})
	t.Run("an image that cannot be pulled", func(t *testing.T) {
		has, err := e.Has(t.Context(), "127.0.0.1:1/no/such:image")
		if has || err != nil {
			t.Errorf("Has = %v, %v", has, err)
		}
		err = e.Pull(t.Context(), "127.0.0.1:1/no/such:image")
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || problem.Summary != "Image cannot be pulled" || !strings.Contains(problem.Detail, "It was given no login") {
			t.Errorf("Pull = %v, want a problem", err)
		}
	})
	if has, err := e.Has(t.Context(), servers.Busybox); !has || err != nil {
		t.Errorf("Has(%q) = %v, %v", servers.Busybox, has, err)
	}

	left, err := real.Client.ContainerList(t.Context(), client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", "deploy-action.dev/test="+t.Name()),
	})
	if err != nil || len(left.Items) > 0 {
		t.Errorf("containers left = %v, %v, want none", left.Items, err)
	}
}

// writes calls itself when something is written.
type writes func()

func (w writes) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}

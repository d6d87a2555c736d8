package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Exec implements [component.Platform]. The command gets the files, variables
// and user of the app, isolated in the same way, but sees none of its
// processes.
func (p *platform) Exec(ctx context.Context, t component.Target[Deployment], req component.ExecRequest) (status int, err error) {
	if req.TTY {
		return 0, fmt.Errorf("running a command on a terminal of its own: %w", errors.ErrUnsupported)
	}
	if _, err := p.card(t.App, t.ID); err != nil {
		return 0, err
	}
	at := homeOf(p.host.DataDir, t.App, t.ID)
	state, err := supervisorOf(at)
	if err != nil {
		return 0, err
	}
	if state.Phase != phaseRunning {
		return 0, fmt.Errorf("running a command in deployment %q: it does not run (%s)", t.ID, state.Message)
	}
	var running spec
	if err := readJSON(at.path(specFile), &running); err != nil {
		return 0, err
	}
	box := running.Sandbox
	box.Root, box.Rung, box.Command = at.path(rootDir), state.Rung, req.Command

	cmd := p.host.Helper(ctx, verbEnter)
	cmd.Env = childEnv(p.host, cmd)
	cmd.Dir = at.dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = req.Stdin, req.Stdout, req.Stderr
	if cmd.Cancel != nil { // else it does not know ctx
		cmd.Cancel = func() error { return killGroup(cmd) }
	}
	cmd.WaitDelay = outputWait

	type result struct {
		status int
		err    error
	}
	done := make(chan result, 1)
	go func() {
		// The command ends with its thread, which nobody else may have.
		runtime.LockOSThread()
		status, err := box.run(cmd)
		done <- result{status, err}
	}()
	r := <-done
	if ctx.Err() != nil {
		return r.status, context.Cause(ctx)
	}
	return r.status, r.err
}

// run runs the program to its end and returns its exit status; that of a
// program killed by a signal is 128 and the signal, as in a shell.
func (s sandbox) run(cmd *exec.Cmd) (status int, err error) {
	if _, err := s.start(cmd); err != nil {
		return 0, err
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if wait, ok := exit.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
			return 128 + int(wait.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended; only its output was held open
	}
	return 0, err
}

// killGroup ends a command with all its children.
func killGroup(cmd *exec.Cmd) error {
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

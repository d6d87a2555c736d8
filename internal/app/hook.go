package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// checkHook reports a hook that cannot run here.
func (s *session) checkHook(h config.Hook) error {
	switch {
	case h.Image != "":
		_, err := oci.ParseReference(h.Image)
		return err // the program is the image's
	case len(h.Command) == 0:
		return nil // known only when it runs
	}
	_, err := s.lookPath(h.Command[0])
	return err
}

// runHook runs a hook's command beside the file, in a process group of its
// own, so that it ends with us. When we are killed, the command is killed too,
// but not what it has started.
func (s *session) runHook(ctx context.Context, app *config.App, h config.Hook, step component.Step) error {
	if err := s.machine.fence.check(); err != nil {
		return err
	}
	if len(h.Command) == 0 {
		return &diag.Problem{Summary: "A hook without a command", Detail: "`command` is an empty list. Name a program and its arguments, or remove the hook."}
	}
	if h.Image != "" {
		return s.runHookInImage(ctx, app, h, step)
	}
	path, err := s.lookPath(h.Command[0])
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, h.Command[1:]...)
	cmd.Dir = s.project.Dir()
	if cmd.Env, err = s.hookEnviron(ctx, app, h); err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = step.Output(), step.Output()
	cmd.SysProcAttr = groupOfItsOwn()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	err = runGroup(ctx, cmd)
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		err = nil // it ended well, and left something running that keeps its output open
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		return hookFailed(h, exit)
	}
	if err != nil {
		return fmt.Errorf("running hook %q: %w", strings.Join(h.Command, " "), err)
	}
	return nil
}

// runHookInImage runs a hook's command in the files of its image. It sees the
// checkout, and of the environment what other hooks see as well, but for the
// folders of this machine.
func (s *session) runHookInImage(ctx context.Context, app *config.App, h config.Hook, step component.Step) error {
	host, done, err := s.host(app, component.Plugin{Name: "hook"}, true)
	if err != nil {
		return err
	}
	defer done()
	environ, err := s.hookEnviron(ctx, app, h)
	if err != nil {
		return err
	}
	err = build.RunTask(ctx, build.Task{
		Image: h.Image, Args: h.Command, Env: build.TaskEnv(environ), Dir: s.project.Dir(),
		Client: oci.Client{HTTP: s.http, Credentials: oci.Credentials{Getenv: host.Getenv, Environ: host.Environ, DockerConfig: host.DockerConfig}},
		Work:   host.TempDir, Output: step.Output(), Hidden: host.Hidden, Watched: host.Watched,
	})
	if exit, ok := errors.AsType[*build.TaskError](err); ok {
		return hookFailed(h, exit)
	}
	return err
}

// hookEnviron is what a hook sees of the environment: what all children see, and
// the keys of the cloud identity where the file says so.
func (s *session) hookEnviron(ctx context.Context, app *config.App, h config.Hook) ([]string, error) {
	environ := s.childEnviron(app)
	if !h.Identity {
		return environ, nil
	}
	host, done, err := s.host(app, component.Plugin{Name: "hook"}, true)
	if err != nil {
		return nil, err
	}
	defer done()
	session, err := aws.Open(host, "")
	if err != nil {
		return nil, err
	}
	keys, err := session.Environ(ctx)
	return append(environ, keys...), err
}

func hookFailed(h config.Hook, how error) error {
	return &diag.Problem{
		Summary: fmt.Sprintf("Hook %q failed", strings.Join(h.Command, " ")),
		Detail:  fmt.Sprintf("It ended with %v. Its output stands above. To go on in spite of it, say on_failure = \"continue\".", how),
	}
}

// runGroup runs a command that leads a process group. Once ctx has ended
// nothing of the group is left.
func runGroup(ctx context.Context, cmd *exec.Cmd) error {
	ended := make(chan error)
	go func() {
		// The kernel kills the command with the thread that started it, so
		// that thread stays until the command has ended.
		runtime.LockOSThread()
		ended <- cmd.Run()
	}()
	err := <-ended
	if ctx.Err() != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // most often all are gone
	}
	return err
}

// lookPath finds a program on the PATH of child processes, or at a path beside
// the file.
func (s *session) lookPath(program string) (string, error) {
	if strings.ContainsRune(program, '/') {
		path := program
		if !filepath.IsAbs(path) {
			path = filepath.Join(s.project.Dir(), path)
		}
		return path, nil // a hook before may make it
	}
	if path, found := s.programs.Load(program); found {
		return path.(string), nil
	}
	for _, dir := range filepath.SplitList(s.machine.getenv("PATH")) {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			s.programs.Store(program, path)
			return path, nil
		}
	}
	detail := "It is not on the PATH. Install it."
	if s.machine.runner.Active() {
		detail = "It is not in the container of this action. Run it in a step before this one: both see the same workspace."
	}
	return "", &diag.Problem{Summary: fmt.Sprintf("Command %q not found", program), Detail: detail}
}

package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// grace is how long a command has to end by itself after it was told to.
const grace = 5 * time.Second

// command is a program that was found, ready to run.
type command struct {
	path string // of the program
	argv []string
	dir  string
}

// run runs the command to its end, with its output going to out. When ctx ends
// the command and all it started are told to stop, and killed after [grace].
func (c command) run(ctx context.Context, environ []string, out io.Writer) error {
	tail := &tailWriter{}
	both := io.MultiWriter(out, tail)
	cmd := exec.CommandContext(ctx, c.path, c.argv[1:]...)
	cmd.Args[0] = c.argv[0]
	cmd.Dir, cmd.Env = c.dir, environ
	cmd.Stdout, cmd.Stderr = both, both
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace

	ended := make(chan struct{})
	defer close(ended)
	err := start(cmd, ended)
	if err != nil {
		return fmt.Errorf("starting %q: %w", c.argv[0], err)
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		// What ignored the request to stop goes now. The group may be gone
		// already, which is as good.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		return context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return c.explain(exit, tail.lines())
	}
	return err
}

// explain makes a problem of how a command ended.
func (c command) explain(how error, lines []string) error {
	detail := fmt.Sprintf("The command %q ended with %s. A deploy succeeds when its command ends with status 0.", c.argv[0], how)
	if len(lines) > 0 {
		detail += "\n\nThe last it wrote:\n  " + strings.Join(lines, "\n  ")
	}
	return &diag.Problem{Summary: "Command failed", Detail: detail, Attr: "command"}
}

// lookPath finds the program called name as a shell in dir with that
// environment would.
func lookPath(name, dir string, environ []string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		path := inFolder(dir, name)
		if err := executable(path); err != nil {
			return "", missing(name, fmt.Sprintf("There is no program at %q.", path), err)
		}
		return path, nil
	}
	search := ""
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			search = value
		}
	}
	for _, folder := range filepath.SplitList(search) {
		path := filepath.Join(folder, name)
		if filepath.IsAbs(folder) && executable(path) == nil {
			return path, nil
		}
	}
	return "", missing(name, fmt.Sprintf("No folder of the search path %q has it.", search), nil)
}

// executable reports why the file at path cannot be run, or nil.
func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return &fs.PathError{Op: "executing", Path: path, Err: fs.ErrPermission}
	}
	return nil
}

func missing(name, where string, err error) error {
	return &diag.Problem{
		Summary: fmt.Sprintf("Command %q not found", name),
		Detail: where + " Correct the name, install the program in a step before, " +
			"or use the composite action \".github/actions/setup\", where commands find what the runner has.",
		Attr: "command",
		Err:  err,
	}
}

// The most that a problem repeats of a command's output.
const (
	tailLines = 10
	tailBytes = 2048
)

// tailWriter keeps the end of what is written to it.
type tailWriter struct{ kept []byte }

// Write implements [io.Writer].
func (t *tailWriter) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if surplus := len(t.kept) - tailBytes; surplus > 0 {
		t.kept = slices.Delete(t.kept, 0, surplus)
	}
	return len(p), nil
}

func (t *tailWriter) lines() []string {
	text := strings.TrimSpace(strings.ToValidUTF8(string(t.kept), ""))
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-tailLines):]
}

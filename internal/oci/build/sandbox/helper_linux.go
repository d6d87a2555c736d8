package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// What a helper process is started for: the first of its arguments.
const (
	verbEnter     = "enter"     // becomes the command, inside its root
	verbSupervise = "supervise" // RUNG: starts the former and ends all that it leaves
)

// Helper is this program as a helper of [Sandbox.Run]; args come after [Verb].
// It returns the exit status of the process.
func Helper(ctx context.Context, args []string) int {
	runtime.LockOSThread() // what follows sets some things for one thread only
	syscall.CloseOnExec(specFD)
	syscall.CloseOnExec(reportFD)
	syscall.CloseOnExec(undoFD)
	say := json.NewEncoder(os.NewFile(reportFD, "report"))
	err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	switch {
	case err != nil:
	case len(args) == 1 && args[0] == verbEnter:
		err = enter(say)
	case len(args) == 2 && args[0] == verbSupervise:
		err = supervise(ctx, args[1], say)
	default:
		err = errors.New("no such helper")
	}
	if err == nil {
		return 0
	}
	told := report{Error: err.Error()}
	if problem, ok := errors.AsType[*diag.Problem](err); ok {
		told = report{Summary: problem.Summary, Detail: problem.Detail}
	}
	// Nobody is left to be told that this cannot be told.
	_ = say.Encode(told)
	return 1
}

// enter turns this process into the command.
func enter(say *json.Encoder) error {
	closeInherited()
	from := os.NewFile(specFD, "spec")
	var s spec
	if err := json.NewDecoder(from).Decode(&s); err != nil {
		return fmt.Errorf("reading what to run: %w", err)
	}
	if s.Rung != Swap {
		made, err := s.isolate()
		if tellErr := say.Encode(report{Made: made}); err != nil || tellErr != nil {
			return errors.Join(err, tellErr)
		}
		if s.Hostname != "" {
			if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
				return fmt.Errorf("setting the host's name: %w", err)
			}
		}
	}
	return s.become(from, say)
}

// supervise starts the command and ends every process that it leaves behind.
func supervise(ctx context.Context, rung string, say *json.Encoder) error {
	number, err := strconv.Atoi(rung)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopting processes: %w", err)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	rescue, err := readRescue(undoFD)
	if err != nil {
		return err
	}
	pid, err := syscall.ForkExec(self, []string{"deploy-action", Verb, verbEnter}, &syscall.ProcAttr{
		Env: []string{}, Files: []uintptr{0, 1, 2, specFD, reportFD}, Sys: attributes(Rung(number), true),
	})
	if err != nil {
		return fmt.Errorf("starting a process: %w", err)
	}
	// What holds no pipe of the run's cannot keep it open.
	unix.Close(specFD)
	context.AfterFunc(ctx, func() {
		_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
	})
	status, err := wait(pid)
	if err != nil {
		return err
	}
	if err := endDescendants(); err != nil {
		return err
	}
	ended := report{Ended: true, Code: status.ExitStatus()}
	if status.Signaled() {
		ended.Code, ended.Signal = 0, status.Signal()
	}
	return errors.Join(say.Encode(ended), rescue.end())
}

// wait waits for a child, and for any that comes to this process meanwhile.
func wait(pid int) (syscall.WaitStatus, error) {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, fmt.Errorf("waiting for the command: %w", err)
		case ended == pid && (status.Exited() || status.Signaled()):
			return status, nil
		}
	}
}

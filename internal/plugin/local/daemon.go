package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// Names in the folder of a daemon.
const (
	lockName   = "lock"
	stopName   = "stop"
	helperName = "helper.log"
)

// daemonPoll is how often we look at what a daemon does.
const daemonPoll = 20 * time.Millisecond

// daemon is a helper process that outlives the run: a supervisor or a front.
// It is known by its folder. While it lives it holds a lock there, which the
// kernel takes back with the process: so there is never a second one, and no
// process that got the ID of a dead one is mistaken for it.
type daemon struct{ dir string }

// pid returns the process that holds the lock, or 0 where none does.
func (d daemon) pid() (int, error) {
	file, err := os.OpenFile(filepath.Join(d.dir, lockName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lock := wholeFile()
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("asking who holds %q: %w", file.Name(), err)
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	if lock.Pid <= 0 {
		return 0, fmt.Errorf("asking who holds %q: a process of another container", file.Name())
	}
	return int(lock.Pid), nil
}

func wholeFile() unix.Flock_t { return unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart} }

// start runs the helper verb for the folder, unless it runs already, and
// returns once it holds the lock.
func (d daemon) start(ctx context.Context, host component.Host, verb string) error {
	if pid, err := d.pid(); pid != 0 || err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(d.dir, stopName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	output, err := os.Create(filepath.Join(d.dir, helperName))
	if err != nil {
		return err
	}
	defer output.Close()

	if err := context.Cause(ctx); err != nil {
		return err
	}
	cmd := host.Helper(context.WithoutCancel(ctx), verb, d.dir)
	cmd.Env = childEnv(host, cmd)
	cmd.Dir = d.dir // holds no folder of the job in use
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the helper %q: %w", verb, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // so that it is no zombie if it ends before us

	return retry.Poll(ctx, daemonPoll, func(context.Context) (bool, error) {
		select {
		case err := <-ended:
			if pid, _ := d.pid(); pid != 0 {
				return true, nil // another one was quicker
			}
			return false, fmt.Errorf("starting the helper %q: it ended at once (%w): %s", verb, endOf(err), d.lastWords())
		default:
			pid, err := d.pid()
			return pid != 0, err
		}
	})
}

// childEnv is the environment of a helper: what it needs to know that it is one,
// and what children may see. It is never nil, which would be all we have.
func childEnv(host component.Host, cmd *exec.Cmd) []string {
	return append(append([]string{}, cmd.Env...), host.Environ()...)
}

// endOf is err, which is nil for a process that ended well.
func endOf(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// lastWords returns what the helper printed.
func (d daemon) lastWords() string {
	data, err := os.ReadFile(filepath.Join(d.dir, helperName))
	if err != nil || len(data) == 0 {
		return "it printed nothing"
	}
	return strings.TrimSpace(string(data[max(0, len(data)-1000):]))
}

// stop ends the daemon, by force after grace, and keeps one that is only just
// starting from going on. A daemon or folder that is gone is no error.
func (d daemon) stop(ctx context.Context, grace time.Duration) error {
	marker, err := os.Create(filepath.Join(d.dir, stopName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	marker.Close()

	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, 10 * time.Second}} {
		if err := d.signal(step.signal); err != nil {
			return err
		}
		gone, err := d.await(ctx, step.wait)
		if gone || err != nil {
			return err
		}
	}
	return fmt.Errorf("stopping the helper of %q: it does not end", d.dir)
}

// signal sends sig to the daemon, if it lives.
func (d daemon) signal(sig syscall.Signal) error {
	pid, err := d.pid()
	if pid == 0 || err != nil {
		return err
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer process.Release()
	// The process is pinned now. If it still holds the lock it is the daemon,
	// not another that was given the same ID in between.
	if again, err := d.pid(); again != pid {
		return err
	}
	if err := process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping process %d: %w", pid, err)
	}
	return nil
}

// await reports whether the daemon ended within limit.
func (d daemon) await(ctx context.Context, limit time.Duration) (gone bool, err error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = retry.Poll(limited, daemonPoll, func(context.Context) (bool, error) {
		pid, err := d.pid()
		return pid == 0, err
	})
	if limited.Err() != nil && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

// errStopped tells a daemon that it is not wanted any more.
var errStopped = errors.New("told to stop")

// become makes the calling process the daemon of the folder. The lock is held
// until the process ends. It fails where there is one already, and with
// errStopped where none is wanted any more.
func (d daemon) become() error {
	closeInherited()
	// The descriptor is never closed, and nothing else in this process may open
	// the file: a POSIX lock is gone with the first one that is closed.
	fd, err := unix.Open(filepath.Join(d.dir, lockName), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("opening the lock of %q: %w", d.dir, err)
	}
	lock := wholeFile()
	if err := unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &lock); err != nil {
		return fmt.Errorf("locking %q: %w", d.dir, err)
	}
	if _, err := os.Stat(filepath.Join(d.dir, stopName)); err == nil {
		return errStopped
	}
	// Whoever removes the folder removes the lock before the marker: so where
	// the lock is still there, no marker was missed.
	if _, err := os.Stat(filepath.Join(d.dir, lockName)); err != nil {
		return errStopped
	}
	return nil
}

// self returns a function that makes a command of this program with other
// helper arguments, in place of the last n that it was started with.
func self(n int) func(args ...string) *exec.Cmd {
	lead := os.Args[:len(os.Args)-n]
	return func(args ...string) *exec.Cmd {
		return &exec.Cmd{Path: ownExecutable(), Args: append(lead[:len(lead):len(lead)], args...)}
	}
}

// folderPoll is how often a daemon looks whether its folder is still there.
const folderPoll = 2 * time.Second

// while returns a context that ends with ctx, and soon after the file at path
// is gone: a daemon whose folder somebody removed could not be found any more,
// and nobody would ever end it.
func while(ctx context.Context, path string) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_ = retry.Poll(ctx, folderPoll, func(context.Context) (gone bool, _ error) { // it ends with ctx, too
			_, err := os.Stat(path)
			return errors.Is(err, fs.ErrNotExist), nil
		})
	}()
	return ctx
}

package sandbox

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// self is this program, even after its file was moved or removed. It cannot be
// written as long as this process runs.
const self = "/proc/self/exe"

// endTime is how long is waited for what should end at once: output that
// somebody else holds open, and a supervisor that is told to stop.
const endTime = 5 * time.Second

// launch starts the helpers of a run and waits until every process of it has
// ended. While they start it calls ready, unless that is nil; after an error of
// it they end. It returns what was made in the root to mount on. When ctx ends it
// kills them all. If this process is killed, its supervisor does back.
func (s *Sandbox) launch(ctx context.Context, sp spec, back *undo, ready func() error, output io.Writer) ([]stub, error) {
	pipes, err := openPipes()
	if err != nil {
		return nil, err
	}
	defer pipes.close()

	runtime.LockOSThread() // the first process ends with the thread that started it
	defer runtime.UnlockOSThread()
	cmd := s.helper(ctx)
	out := &pipe{output} // one for both streams keeps their lines in order
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = pipes.theirs
	err = cmd.Start()
	pipes.started()
	if err != nil {
		return nil, fmt.Errorf("starting a process: %w", err)
	}
	told := make(chan outcome, 1)
	go func() { told <- readReports(pipes.report, pipes.alive) }()
	var sendErr, refused error
	if ready != nil {
		refused = ready()
	}
	if refused == nil {
		sendErr = pipes.send(back, sp) // it broke off if the helper did, who says why
	} else {
		pipes.withhold()
	}
	waitErr := cmd.Wait()
	o := <-told
	if s.shared && o.ended == nil { // the supervisor was killed
		if err := sweep(); err != nil {
			return o.made, err
		}
	}
	switch {
	case ctx.Err() != nil:
		return o.made, context.Cause(ctx)
	case refused != nil:
		return o.made, refused
	case o.err != nil:
		return o.made, o.err
	case !o.started && sp.Probe:
		return o.made, fmt.Errorf("starting a process: %w", errors.Join(sendErr, waitErr))
	case !o.started:
		return o.made, fmt.Errorf("entering the sandbox: %w", errors.Join(errors.New("the helper ended early"), sendErr, waitErr))
	}
	if cmd.ProcessState == nil {
		return o.made, fmt.Errorf("waiting for the command: %w", waitErr)
	}
	return o.made, cmp.Or(o.exit(s.shared, cmd.ProcessState), outputError(waitErr))
}

// outputError returns why the output of a command could not be written, of what
// waiting for it returned; nil if it could.
func outputError(err error) error {
	_, ended := errors.AsType[*exec.ExitError](err)
	if err == nil || ended || errors.Is(err, exec.ErrWaitDelay) { // somebody else holds it open, who is not waited for
		return nil
	}
	return fmt.Errorf("writing the command's output: %w", err)
}

// helper is the first process of a run.
func (s *Sandbox) helper(ctx context.Context) *exec.Cmd {
	args := []string{Verb, verbEnter}
	attributes := attributes(s.rung, s.shared)
	if s.shared {
		args = []string{Verb, verbSupervise, strconv.Itoa(int(s.rung))}
		attributes = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0] = "deploy-action"
	cmd.Env = []string{} // nothing of ours
	cmd.Dir = "/"
	cmd.SysProcAttr = attributes
	cmd.WaitDelay = endTime
	if s.shared {
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	}
	return cmd
}

// pipe makes sure that a command never gets a descriptor of ours, which it would
// if the writer were a file. Without a writer it discards.
type pipe struct{ to io.Writer }

// Write implements [io.Writer].
func (p *pipe) Write(data []byte) (int, error) {
	if p.to == nil {
		return len(data), nil
	}
	return p.to.Write(data)
}

// attributes says how the process is made that becomes the command.
func attributes(r Rung, shared bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if r == Swap {
		return attr
	}
	attr.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	if !shared {
		attr.Cloneflags |= unix.CLONE_NEWPID
	}
	if r != UserNamespace {
		return attr
	}
	attr.Cloneflags |= unix.CLONE_NEWUSER
	if uid := os.Geteuid(); uid != 0 {
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
		return attr
	}
	attr.UidMappings, attr.GidMappings = identity("/proc/self/uid_map"), identity("/proc/self/gid_map")
	attr.GidMappingsEnableSetgroups = true
	return attr
}

// identity maps every number of this process's user namespace to itself.
func identity(path string) []syscall.SysProcIDMap {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil // then starting the process fails, which says why
	}
	var all []syscall.SysProcIDMap
	for line := range strings.Lines(string(data)) {
		var inside, outside, size int
		if _, err := fmt.Sscan(line, &inside, &outside, &size); err == nil {
			all = append(all, syscall.SysProcIDMap{ContainerID: inside, HostID: inside, Size: size})
		}
	}
	return all
}

// outcome is what the helpers of a run reported.
type outcome struct {
	made    []stub
	started bool
	ended   *report
	err     error // why the command did not start
}

// readReports reads to the end. When the supervisor is done, ended is called.
func readReports(from io.Reader, ended func()) outcome {
	var o outcome
	decoder := json.NewDecoder(bufio.NewReader(from))
	for {
		var r report
		if err := decoder.Decode(&r); err != nil {
			if err != io.EOF {
				o.err = errors.Join(o.err, fmt.Errorf("entering the sandbox: %w", err))
			}
			return o
		}
		o.made = append(o.made, r.Made...)
		o.started = o.started || r.Started
		switch {
		case r.Summary != "":
			o.err = r.problem()
		case r.Error != "":
			o.err = errors.New(r.Error)
		case r.Ended:
			o.ended = &r
			ended()
		}
	}
}

// exit returns how the command ended: as its supervisor said, or as its own
// process did.
func (o outcome) exit(supervised bool, state *os.ProcessState) error {
	var e ExitError
	switch status, ok := state.Sys().(syscall.WaitStatus); {
	case supervised && o.ended == nil:
		// The command killed whoever watched it.
		e.Signal = syscall.SIGKILL
	case supervised:
		e.Code, e.Signal = o.ended.Code, o.ended.Signal
	case ok && status.Signaled():
		e.Signal = status.Signal()
	default:
		e.Code = state.ExitCode()
	}
	if e.Signal != 0 {
		e.Code = 128 + int(e.Signal)
	}
	if e.Code == 0 {
		return nil
	}
	return &e
}

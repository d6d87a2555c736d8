package local

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// spec is spec.json: what a supervisor runs. It holds the values of the app's
// environment, which are nowhere else.
type spec struct {
	Sandbox     sandbox        `json:"sandbox"` // without Root and Rung
	StopSignal  syscall.Signal `json:"stop_signal"`
	StopTimeout time.Duration  `json:"stop_timeout"`
}

// phase is what a supervisor does.
type phase string

const (
	phaseStarting phase = "starting"
	phaseRunning  phase = "running"
	phaseWaiting  phase = "waiting" // until it starts the app again
	phaseEnded    phase = "ended"   // and the supervisor with it
)

// supervisorState is state.json.
type supervisorState struct {
	Phase   phase     `json:"phase"`
	Since   time.Time `json:"since"`
	PID     int       `json:"pid,omitempty"` // of the app, for people
	Rung    rung      `json:"rung,omitempty"`
	Exits   int       `json:"exits,omitempty"` // in a row
	Message string    `json:"message,omitempty"`
}

// How a process that crashes is started again: after pauses that double from
// firstPause to longestPause. After maxExits in a row the supervisor gives up; a
// process that ran for steady was no crash in that row.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
	maxExits     = 8
	steady       = 10 * time.Second
)

// outputWait is how long output is waited for that others still hold open
// after the process has ended.
const outputWait = time.Second

// supervisor keeps one process running.
type supervisor struct {
	home  home
	spec  spec
	card  card
	self  func(args ...string) *exec.Cmd
	log   *logFile
	state supervisorState
}

// supervise is the helper verb of the same name.
func supervise(ctx context.Context, dir string, self func(...string) *exec.Cmd) error {
	err := daemon{dir}.become()
	if errors.Is(err, errStopped) {
		return nil
	}
	if err != nil {
		return err
	}
	// The app ends with the thread that started it.
	runtime.LockOSThread()
	s := &supervisor{home: home{dir}, self: self}
	if err := readJSON(s.home.path(specFile), &s.spec); err != nil {
		return err
	}
	if err := readJSON(s.home.path(cardFile), &s.card); err != nil {
		return err
	}
	if s.log, err = openLog(s.home.path(logName)); err != nil {
		return err
	}
	s.spec.Sandbox.Root = s.home.path(rootDir)
	leftovers(s.card.Mark)
	return s.run(while(ctx, s.home.path(cardFile)))
}

// run starts the app again and again until ctx ends or it gives up.
func (s *supervisor) run(ctx context.Context) error {
	pause := firstPause
	for {
		started := time.Now()
		s.save(phaseStarting, 0, "")
		end, err := s.once(ctx)
		if ctx.Err() != nil {
			s.log.event("stopped: %s", end)
			s.save(phaseEnded, 0, "stopped")
			return nil
		}
		if err != nil {
			end = err.Error()
		}
		s.log.event("%s", end)
		if time.Since(started) >= steady {
			s.state.Exits, pause = 0, firstPause
		}
		s.state.Exits++
		if message := s.verdict(); message != "" {
			s.log.event("%s", message)
			s.save(phaseEnded, 0, end)
			return nil
		}
		s.save(phaseWaiting, 0, end)
		if retry.Sleep(ctx, pause) != nil {
			s.save(phaseEnded, 0, "stopped")
			return nil
		}
		pause = min(2*pause, longestPause)
	}
}

// verdict returns why the app is not started again, or "" when it is.
func (s *supervisor) verdict() string {
	var now card
	if err := readJSON(s.home.path(cardFile), &now); err != nil {
		return fmt.Sprintf("not started again: %v", err)
	}
	switch {
	case !now.Served:
		return "not started again: it never served"
	case s.state.Exits >= maxExits:
		return fmt.Sprintf("not started again: it ended %d times in a row", s.state.Exits)
	}
	return ""
}

// once runs the app until it ends, and says how it did. When ctx ends it ends
// the app.
func (s *supervisor) once(ctx context.Context) (end string, err error) {
	cmd, output, err := s.start()
	if err != nil {
		return "", err
	}
	s.log.event("started: process %d (%s)", cmd.Process.Pid, s.state.Rung)
	s.save(phaseRunning, cmd.Process.Pid, "")

	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-ctx.Done():
		s.signal(cmd, s.spec.StopSignal)
		grace := time.NewTimer(s.spec.StopTimeout)
		defer grace.Stop()
		select {
		case <-ended:
		case <-grace.C:
			s.log.event("did not end within %s of %s", s.spec.StopTimeout, s.spec.StopSignal)
			s.signal(cmd, syscall.SIGKILL)
			<-ended
		}
	}
	// Children may have outlived it.
	s.signal(cmd, syscall.SIGKILL)
	if !s.state.Rung.ownProcesses() {
		leftovers(s.card.Mark)
	}
	output.flush()
	return "ended: " + cmd.ProcessState.String(), nil
}

// signal sends sig to the process group of cmd, which may be gone.
func (*supervisor) signal(cmd *exec.Cmd, sig syscall.Signal) {
	_ = syscall.Kill(-cmd.Process.Pid, sig)
}

// start starts the app on the best rung that this machine permits, and keeps
// to that one.
func (s *supervisor) start() (*exec.Cmd, *lineWriter, error) {
	candidates := rungs()
	if s.state.Rung != "" {
		candidates = []rung{s.state.Rung}
	}
	var refusal error
	for _, candidate := range candidates {
		box := s.spec.Sandbox
		box.Rung = candidate
		output := &lineWriter{log: s.log} // one for both streams keeps their lines in order
		cmd := s.self(verbEnter)
		cmd.Dir = filepath.Dir(box.Root)
		cmd.Stdout, cmd.Stderr = output, output
		cmd.WaitDelay = outputWait
		notes, err := box.start(cmd)
		if refused, ok := errors.AsType[*isolationError](err); ok {
			s.log.event("%v", refused)
			refusal = err
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		s.state.Rung = candidate
		for _, note := range notes {
			s.log.event("isolated by %s: %s", candidate, note)
		}
		return cmd, output, nil
	}
	return nil, nil, refusal
}

// save writes state.json. A supervisor that cannot is kept going: the app
// matters more than what is known about it.
func (s *supervisor) save(p phase, pid int, message string) {
	s.state.Phase, s.state.Since = p, time.Now()
	s.state.PID, s.state.Message = pid, message
	if err := writeJSON(s.home.path(stateFile), s.state); err != nil {
		s.log.event("not known outside: %v", err)
	}
}

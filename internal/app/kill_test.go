package app_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// exitKilled is how a process ends that SIGKILL ended.
const exitKilled = -1

// statusAfter is the exit status of a run that a signal cut short.
func statusAfter(sig syscall.Signal) int {
	if sig == syscall.SIGKILL {
		return exitKilled
	}
	return 130
}

// A run that is killed after any line of its output loses no record and leaves
// no process that a record does not name; what was released goes on serving,
// and the next up ends with one healthy deployment.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for n, line := range s.steadyUp() {
		s.cut(n+1, syscall.SIGKILL, line)
	}
	s.destroy()
}

// An interrupt ends the run in good order, at whichever step it comes.
func TestInterruptedAtSomeSteps(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	lines := s.steadyUp()
	for _, c := range []struct {
		step string
		sig  syscall.Signal
	}{
		{"web: build", syscall.SIGINT},
		{"web: deploy", syscall.SIGTERM},
		{"start process", syscall.SIGINT},
		{"web: release", syscall.SIGINT},
		{"Destroying deployment", syscall.SIGTERM},
	} {
		s.cut(lineWith(t, lines, c.step), c.sig, c.step)
	}
	s.destroy()
}

// Where nothing was released yet, the next up makes the first release.
func TestFirstUpKilled(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"start process", "web: release", "switch the front"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.cut(firstLineWith(t, step), syscall.SIGKILL, step)
			s.destroy()
		})
	}
}

// firstUp is what the first up of a site prints, as far as it matters where it
// is cut.
var firstUp = []string{
	"web: build", "Building image", "web: push", "Pushing to the embedded registry", "web: deploy",
	"unpack", "start process", "wait until it serves", "web: release", "switch the front", "web: http",
}

func firstLineWith(t *testing.T, text string) int { return lineWith(t, firstUp, text) }

// lineWith returns the number of the first line that contains text.
func lineWith(t *testing.T, lines []string, text string) int {
	t.Helper()
	for n, line := range lines {
		if strings.Contains(line, text) {
			return n + 1
		}
	}
	t.Fatalf("no line has %q:\n%s", text, strings.Join(lines, "\n"))
	return 0
}

// cut runs up and sends it sig after so many lines of its output, checks what
// it left, and then that the next up heals it.
func (s *site) cut(lines int, sig syscall.Signal, where string) {
	s.t.Helper()
	before := s.records()
	status, output := s.run(signalAfter(lines, sig), "up")
	if strings.Count(output, "\n") < lines {
		s.t.Fatalf("up ended before line %d (%s): exit status %d\n%s", lines, where, status, output)
	}
	if want := statusAfter(sig); status != want {
		s.t.Errorf("%v after %q: exit status %d, want %d\n%s", sig, where, status, want, output)
	}
	s.heals(before, fmt.Sprintf("%v after %q", sig, where))
}

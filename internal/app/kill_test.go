package app_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
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

// lastLines is how many lines a run may print before a signal reaches it: on a
// busy machine it is through its last steps by then.
const lastLines = 3

// checkCut checks how a run ended that got sig after so many lines. One that
// had little left to do may have done it.
func (s *site) checkCut(lines int, sig syscall.Signal, what string, status int, output string) {
	s.t.Helper()
	printed := strings.Count(output, "\n")
	if printed < lines {
		s.t.Fatalf("%s: the run ended before, with exit status %d\n%s", what, status, output)
	}
	done := status == 0 && sig != syscall.SIGKILL && printed-lines <= lastLines
	if want := statusAfter(sig); status != want && !done {
		s.t.Errorf("%s: exit status %d, want %d\n%s", what, status, want, output)
	}
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
		{"Starting process", syscall.SIGINT},
		{"web: release", syscall.SIGINT},
		{"web: prune", syscall.SIGTERM},
	} {
		s.cut(lineWith(t, lines, c.step), c.sig, c.step)
	}
	s.destroy()
}

// Where nothing was released yet, the next up makes the first release.
func TestFirstUpKilled(t *testing.T) {
	t.Parallel()
	lines := firstUp(t)
	for _, step := range []string{"Starting process", "web: release", "Switching the front"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.cut(lineWith(t, lines, step), syscall.SIGKILL, step)
			s.destroy()
		})
	}
}

// firstUp returns the lines that the first up of a site prints.
func firstUp(t *testing.T) []string {
	t.Helper()
	s := newSite(t)
	lines := strings.Split(strings.TrimSpace(s.succeeds("up")), "\n")
	s.destroy()
	return lines
}

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
	what := fmt.Sprintf("%v after %q", sig, where)
	status, output := s.run(signalAfter(lines, sig), "up")
	s.checkCut(lines, sig, what, status, output)
	s.heals(before, what)
}

// Commands that configuration names end with the run, however that ends, and
// take their own children along where the run can still see to it.
func TestCommandsEndWithTheRun(t *testing.T) {
	t.Parallel()
	commands := map[string]string{
		"hook": `
    hook {
      when    = "before"
      command = ["sh", "command.sh", "DIR"]
    }
    use "null" {}`,
		"exec": `
    use "exec" {
      command = ["sh", "command.sh", "DIR"]
    }`,
	}
	const forever = "echo > started\nwhile :; do sleep 1; done\n"
	scripts := map[syscall.Signal]string{
		syscall.SIGINT:  "trap '' INT TERM\n(exec sh child.sh \"$1\") &\n" + forever,
		syscall.SIGKILL: forever,
	}
	for kind, block := range commands {
		for sig, script := range scripts {
			t.Run(kind+", "+sig.String(), func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				s.write("waypoint.hcl", fmt.Sprintf(`project = "shop"

app "web" {
  build {
    use "null" {}
  }
  deploy {%s
  }
}
`, strings.ReplaceAll(block, "DIR", s.dir)))
				s.write("command.sh", script)
				s.write("child.sh", forever)
				status, output := s.runUntil(s.appears("started"), sig, "up")
				if want := statusAfter(sig); status != want {
					t.Errorf("exit status %d, want %d\n%s", status, want, output)
				}
				s.checkProcesses("after its end")
			})
		}
	}
}

// appears returns a channel that has something once the file exists.
func (s *site) appears(name string) <-chan time.Time {
	there := make(chan time.Time, 1)
	go func() {
		err := retry.Poll(s.t.Context(), settlePoll, func(context.Context) (bool, error) {
			_, err := os.Stat(filepath.Join(s.dir, name))
			return err == nil, nil
		})
		if err == nil {
			there <- time.Time{}
		}
	}()
	return there
}

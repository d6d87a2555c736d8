//go:build servers

package app_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"
)

// signals are the ways in which a run is ended from outside.
var signals = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}

// TestCutAtEveryStep is the whole product of what kill_test.go samples: every
// signal after every line, of a first up and of a later one.
func TestCutAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, sig := range signals {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			for n, line := range s.steadyUp() {
				s.cut(n+1, sig, line)
			}
			s.destroy()
		})
		t.Run("first up, "+sig.String(), func(t *testing.T) {
			t.Parallel()
			for n, line := range firstUp(t) {
				s := newSite(t)
				s.cut(n+1, sig, line)
				s.destroy()
			}
		})
	}
}

// TestCutAtAnyMoment ends ups between their lines, too.
func TestCutAtAnyMoment(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := newSite(t)
	s.steadyUp()
	started := time.Now()
	s.succeeds("up")
	length := time.Since(started)
	for range 20 {
		sig := signals[random.IntN(len(signals))]
		s.cutAt(time.Duration(random.Int64N(int64(length))), sig, "up")
	}
	s.destroy()
}

// TestOtherVerbsKilled cuts the verbs that undo: a later up heals a rollback,
// and a later destroy completes a destroy.
func TestOtherVerbsKilled(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run("rollback, "+sig.String(), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.steadyUp()
			for n := range strings.Count(s.succeeds("rollback"), "\n") {
				before := s.records()
				what := fmt.Sprintf("%v after line %d of rollback", sig, n+1)
				status, output := s.run(signalAfter(n+1, sig), "rollback")
				s.checkCut(n+1, sig, what, status, output)
				s.heals(before, what)
			}
			s.destroy()
		})
		t.Run("destroy, "+sig.String(), func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				s := newSite(t)
				s.succeeds("up")
				s.succeeds("up")
				before := s.records()
				status, output := s.run(signalAfter(n, sig), "destroy")
				if status == 0 && strings.Count(output, "\n") < n {
					break // it has no such line
				}
				what := fmt.Sprintf("%v after line %d of destroy", sig, n)
				s.checkCut(n, sig, what, status, output)
				s.checkRecords(before, what)
				s.destroy()
			}
		})
	}
}

// cutAt runs the program and sends it sig after some time, by which it may have
// ended, and checks as cut does.
func (s *site) cutAt(moment time.Duration, sig syscall.Signal, verb string) {
	s.t.Helper()
	before := s.records()
	what := fmt.Sprintf("%v after %v of %s", sig, moment, verb)
	timer := time.NewTimer(moment)
	defer timer.Stop()
	status, output := s.runUntil(timer.C, sig, verb)
	switch {
	case status == 0 && strings.Contains(output, "web: http"): // it was quicker
	case status == exitKilled && output == "": // it did not listen for signals yet
	case status != statusAfter(sig):
		s.t.Errorf("%s: exit status %d, want %d\n%s", what, status, statusAfter(sig), output)
	}
	s.heals(before, what)
}

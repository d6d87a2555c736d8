package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/engine"
)

// defaults are the options of a call without flags.
var defaults = engine.Options{Retain: -1}

func mustUp(t *testing.T, w *world) engine.Result {
	t.Helper()
	results, err := w.engine(t, file).Up(t.Context(), defaults)
	if err != nil || len(results) != 1 {
		t.Fatalf("Up = %v, %v", results, err)
	}
	return results[0]
}

func TestUpDeploysReleasesAndPrunes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := mustUp(t, w)
	if first.Outcome != engine.Changed || first.URL != "http://web" || first.Sequence != 1 {
		t.Errorf("first Up = %+v", first)
	}
	mustUp(t, w)
	mustUp(t, w)
	want := []string{
		"build", "deploy sha256:one", "release 1",
		"build", "deploy sha256:one", "release 2",
		"build", "deploy sha256:one", "release 3", "destroy 1",
	}
	if diff := cmp.Diff(want, w.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if n := len(w.deployments()); n != 2 {
		t.Errorf("%d deployments are live, want the released one and one before it", n)
	}
}

func TestUpKeepsWhatAFailedDeployMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	w.fail = failOn("deploy sha256:one", errors.New("no capacity"))
	results, err := w.engine(t, file).Up(t.Context(), defaults)
	if err == nil {
		t.Fatal("Up succeeded, want a failure")
	}
	f := results[0].Failure
	if f == nil || f.Stage != "deploy" || !strings.Contains(f.Serving, "release 1") || !strings.Contains(f.Left, "deployment 2") {
		t.Errorf("Failure = %+v", f)
	}
	if len(f.Logs) != 1 || f.Logs[0].Text != "out of memory" {
		t.Errorf("Failure.Logs = %v", f.Logs)
	}
	w.fail = nil
	mustUp(t, w)
	want := []string{
		"build 1 succeeded", "push 1 succeeded", "deploy 1 succeeded", "release 1 succeeded",
		"build 2 succeeded", "push 2 succeeded", "deploy 2 destroyed",
		"build 3 succeeded", "push 3 succeeded", "deploy 3 succeeded", "release 2 succeeded",
	}
	if diff := cmp.Diff(want, w.records(t)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestUpHealsWhatACancelledRunLeft(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"build", "deploy sha256:one", "release 1"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			cut(t, w, moment)
			last := w.records(t)[len(w.records(t))-1]
			if !strings.HasSuffix(last, "interrupted") {
				t.Errorf("the last record is %q, want it interrupted", last)
			}
			mustUp(t, w)
			if unfinished := slices.ContainsFunc(w.records(t), func(r string) bool {
				return strings.HasSuffix(r, "running") || strings.HasSuffix(r, "interrupted")
			}); unfinished {
				t.Errorf("records = %v, want none unfinished", w.records(t))
			}
			if !w.live[w.traffic] {
				t.Errorf("traffic goes to %q, which is not live: %v", w.traffic, w.deployments())
			}
		})
	}
}

func TestUpFindsWhatAKilledRunLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	killed := errors.New("killed")
	func() {
		defer func() { _ = recover() }()
		w.fail = func(call string) error {
			if call == "deploy sha256:one" {
				panic(killed) // nothing after this is written
			}
			return nil
		}
		_, _ = w.engine(t, file).Up(t.Context(), defaults)
	}()
	w.fail = nil
	mustUp(t, w)
	if got := w.deployments(); len(got) != 1 || got[0] != w.traffic {
		t.Errorf("live = %v, want the released %q alone", got, w.traffic)
	}
}

func TestRerunAdoptsItsOwnDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run = 42
	cut(t, w, "deploy sha256:one")
	before := w.deployments()
	mustUp(t, w)
	if diff := cmp.Diff(before, w.deployments()); diff != "" {
		t.Errorf("deployments (-before +after the re-run):\n%s", diff)
	}
}

func TestHooksRunAroundTheirStage(t *testing.T) {
	t.Parallel()
	source := strings.Replace(file, `use "world" {}`, `use "world" {}
    hook {
      when    = "before"
      command = ["lint"]
    }
    hook {
      when       = "before"
      command    = ["may fail"]
      on_failure = "continue"
    }
    hook {
      when    = "after"
      command = ["sign"]
    }`, 1)
	cases := map[string]struct {
		failing string
		want    []string
	}{
		"all well":          {"", []string{"hook lint", "hook may fail", "build", "hook sign", "deploy sha256:one", "release 1"}},
		"one that may fail": {"hook may fail", []string{"hook lint", "hook may fail", "build", "hook sign", "deploy sha256:one", "release 1"}},
		"one before":        {"hook lint", []string{"hook lint"}},
		"one after":         {"hook sign", []string{"hook lint", "hook may fail", "build", "hook sign"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fail = failOn(c.failing, errors.New("exit status 1"))
			results, _ := w.engine(t, source).Up(t.Context(), defaults)
			if diff := cmp.Diff(c.want, w.log); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			noted := slices.Equal(results[0].Notes, []string{`The hook "may fail" failed; on_failure says to go on: exit status 1`})
			if noted != (c.failing == "hook may fail") {
				t.Errorf("notes = %q", results[0].Notes)
			}
		})
	}
}

// failOn fails the calls of that name.
func failOn(name string, err error) func(string) error {
	return func(call string) error {
		if call == name {
			return err
		}
		return nil
	}
}

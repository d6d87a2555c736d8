package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state"
)

// line is a history of commits without branches, in which the later letter is
// the newer one.
func line(_ context.Context, commit, to string) (engine.Ancestry, error) {
	if commit > to {
		return engine.Descendant, nil
	}
	return engine.Ancestor, nil
}

// of returns an engine for a run of a commit.
func (w *world) of(t *testing.T, run int64, commit, source string) *engine.Engine {
	t.Helper()
	e := w.engine(t, source)
	e.Origin.Run, e.Origin.Commit, e.Ancestry = run, commit, line
	return e
}

// verb is one of the engine's.
type verb func(*engine.Engine, context.Context, engine.Options) ([]engine.Result, error)

// does runs a verb that must go well.
func does(t *testing.T, e *engine.Engine, run verb, o engine.Options) engine.Result {
	t.Helper()
	o.Retain = -1
	results, err := run(e, t.Context(), o)
	if err != nil || len(results) != 1 {
		t.Fatalf("%v, %v", results, err)
	}
	return results[0]
}

// Neither verb that moves forward touches anything after a newer run.
func TestOutdatedTouchesNothing(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]verb{"up": (*engine.Engine).Up, "deploy": (*engine.Engine).Deploy, "release": (*engine.Engine).Release} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			does(t, w.of(t, 8, "b", file), (*engine.Engine).Up, defaults)
			w.log = nil
			before := w.records(t)
			got := does(t, w.of(t, 7, "a", file), run, defaults)
			if got.Outcome != engine.Outdated || !strings.HasPrefix(got.Outdated, "outdated: run 8 released b ") || len(got.Records) != 0 {
				t.Errorf("result = %+v", got)
			}
			if len(w.log) != 0 || !cmp.Equal(before, w.records(t)) {
				t.Errorf("it called %v, and there are records %v", w.log, w.records(t))
			}
			if !slices.Contains(w.printed, "web: "+got.Outdated) || !slices.Contains(w.printed, "  The reason: commit b descends from a, which this run would release.") {
				t.Errorf("the log says %q", w.printed)
			}
		})
	}
}

// A run that stood still before its release finds that another was faster. What
// it deployed stays, and the next prune removes it.
func TestOutdatedBeforeRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	does(t, w.of(t, 6, "a", file), (*engine.Engine).Up, defaults)
	does(t, w.of(t, 7, "b", file), (*engine.Engine).Build, defaults)
	held := does(t, w.of(t, 7, "b", file), (*engine.Engine).Deploy, engine.Options{NoRelease: true})
	faster := does(t, w.of(t, 8, "c", file), (*engine.Engine).Up, engine.Options{NoPrune: true})
	got := does(t, w.of(t, 7, "b", file), (*engine.Engine).Release, engine.Options{Deployment: held.Deployment})
	if got.Outcome != engine.Outdated || w.traffic != faster.Deployment {
		t.Errorf("release is %q, and traffic goes to %s, want %s", got.Outcome, w.traffic, faster.Deployment)
	}
	if !w.live[held.Deployment] {
		t.Error("what the outdated run deployed was removed by it")
	}
	does(t, w.of(t, 9, "d", file), (*engine.Engine).Up, defaults)
	if w.live[held.Deployment] {
		t.Error("the next up did not prune what the outdated run deployed")
	}
}

// unlocked is a store whose lock keeps nobody out.
type unlocked struct{ state.Store }

func (unlocked) Lock(context.Context, string, string, string, func(string)) (func(context.Context) error, error) {
	return func(context.Context) error { return nil }, nil
}

// Without a lock another run can release at any moment of ours: up to the one in
// which traffic moves that is seen.
func TestOutdatedMeanwhile(t *testing.T) {
	t.Parallel()
	hooked := strings.Replace(file, "  deploy {", "  release {\n    hook {\n      when = \"before\"\n      command = [\"migrate\"]\n    }\n  }\n  deploy {\n    rollback = \"auto\"", 1)
	cases := map[string]struct {
		moment   string // a call of the older run
		ancestry func(context.Context, string, string) (engine.Ancestry, error)
		records  []string // the older run's
		note     string
	}{
		"while it builds": {"build", line, []string{"build succeeded", "push succeeded"}, ""},
		"while it deploys": {
			"deploy sha256:one", line, []string{"build succeeded", "push succeeded", "deploy succeeded"}, "which this run made, is not released",
		},
		"in the hook before its release": {
			"hook migrate", line, []string{"build succeeded", "push succeeded", "deploy succeeded", "release failed"}, "which this run made, is not released",
		},
		"where nobody knows which is newer": {
			"deploy sha256:one", unknown, []string{"build succeeded", "push succeeded", "deploy succeeded"}, "which this run made, is not released",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.store = unlocked{w.store}
			does(t, w.of(t, 6, "a", hooked), (*engine.Engine).Up, defaults)
			e := w.of(t, 7, "b", hooked)
			e.Ancestry = c.ancestry
			var faster engine.Result
			w.fail = func(call string) error {
				if call != c.moment {
					return nil
				}
				w.fail = nil
				w.mu.Unlock() // which is held around this
				faster = does(t, w.of(t, 8, "c", hooked), (*engine.Engine).Up, engine.Options{NoPrune: true})
				w.mu.Lock()
				w.log = nil
				return nil
			}
			got := does(t, e, (*engine.Engine).Up, defaults)
			if got.Outcome != engine.Outdated || w.traffic != faster.Deployment {
				t.Errorf("the older run is %q, and traffic goes to %s, want %s", got.Outcome, w.traffic, faster.Deployment)
			}
			var records []string
			for _, r := range got.Records {
				records = append(records, r.Operation+" "+string(r.Status))
			}
			if m := state.Measure(got.Records, time.Time{}, e.Now()); len(m) != 1 || m[0].Failures != 0 {
				t.Errorf("measures = %+v, want no failure", m)
			}
			if diff := cmp.Diff(c.records, records); diff != "" {
				t.Errorf("records of the older run (-want +got):\n%s", diff)
			}
			if len(w.log) > 0 {
				t.Errorf("afterwards the older run called %v", w.log)
			}
			if notes := strings.Join(got.Notes, "\n"); !strings.Contains(notes, c.note) || !strings.Contains(notes, "outdated: run 8 released c") {
				t.Errorf("notes = %s", notes)
			}
		})
	}
}

func unknown(context.Context, string, string) (engine.Ancestry, error) {
	return "", errors.New("the clone is shallow")
}

// What goes on although something else is released, and what does not.
func TestNotOutdated(t *testing.T) {
	t.Parallel()
	allowed := strings.Replace(file, "  deploy {", "  deploy {\n    outdated = \"allow\"", 1)
	cases := map[string]struct {
		before func(*testing.T, *world)
		run    int64
		commit string
		source string
		verb   verb
	}{
		"the first run":       {nil, 7, "a", file, (*engine.Engine).Up},
		"a newer commit":      {ups(6, "a"), 7, "b", file, (*engine.Engine).Up},
		"the same commit":     {ups(8, "a"), 7, "a", file, (*engine.Engine).Up},
		"where it is allowed": {ups(8, "b"), 7, "a", allowed, (*engine.Engine).Up},
		"a rollback":          {func(t *testing.T, w *world) { ups(5, "a")(t, w); ups(8, "c")(t, w) }, 7, "b", file, (*engine.Engine).Rollback},
		"a fresh run after a rollback": {
			func(t *testing.T, w *world) {
				ups(5, "a")(t, w)
				ups(6, "b")(t, w)
				does(t, w.of(t, 7, "b", file), (*engine.Engine).Rollback, defaults)
			}, 8, "b", file, (*engine.Engine).Up,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.before != nil {
				c.before(t, w)
			}
			before := w.traffic
			if got := does(t, w.of(t, c.run, c.commit, c.source), c.verb, defaults); got.Outcome != engine.Changed || w.traffic == before {
				t.Errorf("outcome = %q, and traffic goes to %s as before", got.Outcome, w.traffic)
			}
		})
	}
}

// ups releases a commit by a run.
func ups(run int64, commit string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		does(t, w.of(t, run, commit, file), (*engine.Engine).Up, defaults)
	}
}

// A run that is run again after somebody went back from it stays outdated.
func TestOutdatedAfterRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ups(5, "a")(t, w)
	ups(6, "b")(t, w)
	does(t, w.of(t, 7, "b", file), (*engine.Engine).Rollback, defaults)
	serves := w.traffic
	got := does(t, w.of(t, 6, "b", file), (*engine.Engine).Up, defaults)
	if got.Outcome != engine.Outdated || w.traffic != serves || !strings.Contains(strings.Join(w.printed, "\n"), "by going back to an earlier one") {
		t.Errorf("outcome = %q, traffic goes to %s, and the log says %q", got.Outcome, w.traffic, w.printed)
	}
}

// That nobody can be asked is said, once, and the sequence of the runs decides.
func TestOutdatedUnknown(t *testing.T) {
	t.Parallel()
	for run, want := range map[int64]engine.Outcome{5: engine.Outdated, 7: engine.Changed} {
		w := newWorld(t)
		ups(6, "b")(t, w)
		e := w.of(t, run, "c", file)
		asked := 0
		e.Ancestry = func(ctx context.Context, commit, to string) (engine.Ancestry, error) {
			asked++
			return unknown(ctx, commit, to)
		}
		got := does(t, e, (*engine.Engine).Up, defaults)
		const line = `App "web": whether what is released descends from commit c is not known, so the sequence of the runs decides: the clone is shallow.`
		if got.Outcome != want || asked != 1 || !slices.Contains(w.printed, line) {
			t.Errorf("run %d: outcome %q, want %q; asked %d times; the log says %q", run, got.Outcome, want, asked, w.printed)
		}
	}
}

// What is promoted was made from the commit of its build, whatever commit the
// run that promotes it is of.
func TestOutdatedByTheArtifact(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		released string // there, by an earlier run
		named    string
		want     engine.Outcome
	}{
		"older than what is released":                        {"c", "", engine.Outdated},
		"older than what is released, and chosen on purpose": {"c", "1", engine.Changed},
		"newer than what is released":                        {"a", "", engine.Changed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			does(t, w.of(t, 5, "b", file), (*engine.Engine).Build, defaults)
			w.place = "production"
			ups(6, c.released)(t, w)
			got := does(t, w.of(t, 7, "d", file), (*engine.Engine).Deploy, engine.Options{From: "default", Artifact: c.named})
			if got.Outcome != c.want {
				t.Errorf("outcome = %q, want %q; the log says %q", got.Outcome, c.want, w.printed)
			}
			promoted, err := state.Latest(t.Context(), w.store, state.Query{Operation: "push", Workspace: "production"})
			if err != nil || promoted.Origin.Commit != "b" || promoted.Origin.Run != 7 {
				t.Errorf("the promoted artifact is of %+v, %v, want commit b", promoted.Origin, err)
			}
		})
	}
}

// What depends on a step that was outdated does not run, which is no failure.
func TestOutdatedStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ups(8, "c")(t, w)
	e := w.pipelines(t, strings.Replace(stepwise, `step "build" {
    use "build" {}
  }
  step "deploy" {
    use "deploy" {}
  }`, `step "up" {
    use "up" {}
  }`, 1))
	e.Origin.Run, e.Origin.Commit, e.Ancestry = 7, "b", line
	results, err := e.RunPipeline(t.Context(), "release", defaults)
	if err != nil || len(results) != 1 || results[0].Outcome != engine.Outdated {
		t.Fatalf("RunPipeline = %+v, %v, want that it is outdated", results, err)
	}
	const says = `pipeline release: step release does not run: it depends on step "up", which was outdated.`
	if !slices.Contains(w.printed, says) {
		t.Errorf("the log says %q, want %q", w.printed, says)
	}
}

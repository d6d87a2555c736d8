package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state"
)

// inSteps is the file with a release in steps.
func inSteps(more string) string {
	return strings.Replace(file, "\n}\n", `
  release {
    canary = [10, 50]
    pause  = "5m"
    `+more+`
  }
}
`, 1)
}

// inBubble runs a test on one world with weights and a release, in a time of
// its own.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.weights = true
		mustUp(t, w)
		w.log = nil
		test(t, w)
	})
}

// healths answers one health after the other, the last for ever.
func healths(states ...component.HealthState) func() (component.Health, error) {
	return func() (component.Health, error) {
		state := states[0]
		if len(states) > 1 {
			states = states[1:]
		}
		return component.Health{State: state, Message: "1 of 2 instances"}, nil
	}
}

func TestACanaryReleaseGoesInSteps(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.health = healths(component.Starting, component.Unknown, component.Ready)
		began := time.Now()
		results, err := w.engine(t, inSteps(`timeout = "1m"`)).Up(t.Context(), defaults)
		if err != nil {
			t.Fatal(err) // the pauses come on top of the timeout
		}
		want := []string{"build", "deploy sha256:one", "release 2 at 10", "release 2 at 50", "release 2"}
		if diff := cmp.Diff(want, w.log); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if took := time.Since(began); took != 10*time.Minute {
			t.Errorf("it took %v, want two pauses of 5m", took)
		}
		record := results[0].Records[3]
		if record.Status != state.Succeeded || record.Message != "100 % of the traffic" {
			t.Errorf("record = %+v", record)
		}
		notes := []string{
			"Deployment " + record.Deployment + " was ready with 10 % of the traffic for 5m.",
			"Deployment " + record.Deployment + " was ready with 50 % of the traffic for 5m.",
		}
		if diff := cmp.Diff(notes, results[0].Notes); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
		shares := results[0].Shares
		if len(shares) != 2 || shares[0].Percent != 10 || shares[1].Percent != 50 ||
			!record.Started.Before(shares[0].Started) || !shares[0].Started.Before(shares[0].Ended) ||
			!shares[0].Ended.Before(shares[1].Started) || !shares[1].Ended.Before(record.Ended) {
			t.Errorf("shares = %+v, want 10 and 50, one after the other within %+v", shares, record)
		}
		if want := "10 % of the traffic for 5m"; !slices.Contains(w.steps, want) {
			t.Errorf("steps = %q, want %q", w.steps, want)
		}
	})
}

func TestACanaryThatIsNotWell(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		health func() (component.Health, error)
		fail   func(string) error
		after  time.Duration // it ends
		calls  []string      // of the releaser
		want   string        // in the failure
	}{
		"is stopped before the pause is over": {
			health: healths(component.Ready, component.Ready, component.Down), after: 10 * time.Second,
			calls: []string{"release 2 at 10", "release 1"}, want: "stopped at 10 % of the traffic: Deployment",
		},
		"is degraded": {
			health: healths(component.Degraded), after: 0,
			calls: []string{"release 2 at 10", "release 1"}, want: "its health is degraded, 1 of 2 instances",
		},
		"never becomes ready": {
			health: healths(component.Starting), after: 5 * time.Minute,
			calls: []string{"release 2 at 10", "release 1"}, want: "its health is starting, 1 of 2 instances",
		},
		"cannot be asked": {
			health: func() (component.Health, error) { return component.Health{}, errors.ErrUnsupported }, after: 0,
			calls: []string{"release 2 at 10", "release 1"}, want: "its health is unknown, unsupported operation",
		},
		"cannot have its share": {
			health: healths(component.Ready), fail: failOn("release 2 at 50", errors.New("no such weight")), after: 5 * time.Minute,
			calls: []string{"release 2 at 10", "release 2 at 50", "release 1"}, want: "50 % of the traffic: no such weight",
		},
		"cannot have the last share": {
			health: healths(component.Ready), fail: failOn("release 2", errors.New("busy")), after: 10 * time.Minute,
			calls: []string{"release 2 at 10", "release 2 at 50", "release 2", "release 1"}, want: "100 % of the traffic: busy",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.health, w.fail = c.health, c.fail
				began := time.Now()
				results, err := w.engine(t, inSteps("")).Up(t.Context(), defaults)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Up = %v, want %q", err, c.want)
				}
				if took := time.Since(began); took != c.after {
					t.Errorf("it took %v, want %v", took, c.after)
				}
				if diff := cmp.Diff(c.calls, w.log[2:]); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
				f := results[0].Failure
				if !strings.HasPrefix(f.Serving, "again release 1, of deployment") || !strings.Contains(f.Left, "without traffic") {
					t.Errorf("Failure = %+v", f)
				}
				if record := results[0].Records[3]; record.Status != state.Failed || len(record.Result) != 0 {
					t.Errorf("record = %+v, want one that failed and made nothing", record)
				}
			})
		})
	}
}

func TestWhatWasGivenBackIsNotPutBackAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.inPlace, w.health = true, healths(component.Down)
		results, _ := w.engine(t, inSteps(`rollback = "auto"`)).Up(t.Context(), defaults)
		if diff := cmp.Diff([]string{"release 2 at 10", "release 1"}, w.log[2:]); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if s := results[0].Failure.Serving; !strings.HasPrefix(s, "again release 1") {
			t.Errorf("Serving = %q", s)
		}
	})
}

func TestACanaryThatCannotBeTakenBack(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.health = healths(component.Down)
		w.fail = failOn("release 1", errors.New("the load balancer is gone"))
		results, err := w.engine(t, inSteps("")).Up(t.Context(), defaults)
		if err == nil || !strings.Contains(err.Error(), "the load balancer is gone") {
			t.Errorf("Up = %v, want both causes", err)
		}
		if s := results[0].Failure.Serving; !strings.Contains(s, "release 2") || !strings.Contains(s, "release 1") {
			t.Errorf("Serving = %q, want both that may serve", s)
		}
	})
}

func TestAnInterruptedCanaryIsTakenBack(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Minute, cancel) // in the second pause
		results, err := w.engine(t, inSteps("")).Up(ctx, defaults)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Up = %v, want that it was cancelled", err)
		}
		if diff := cmp.Diff([]string{"release 2 at 10", "release 2 at 50", "release 1"}, w.log[2:]); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if s := results[0].Failure.Serving; !strings.HasPrefix(s, "again release 1") {
			t.Errorf("Serving = %q", s)
		}
	})
}

func TestTheFirstReleaseHasNobodyToShareWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.weights = true
	if _, err := w.engine(t, inSteps("")).Up(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"build", "deploy sha256:one", "release 1"}, w.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(w.printed, func(line string) bool { return strings.Contains(line, "all traffic at once") }) {
		t.Errorf("printed %q, want that it goes at once", w.printed)
	}
}

func TestACanaryNeedsWeights(t *testing.T) {
	t.Parallel()
	verbs := map[string]func(*engine.Engine, context.Context, engine.Options) ([]engine.Result, error){
		"up": (*engine.Engine).Up, "plan": (*engine.Engine).Plan, "release": (*engine.Engine).Release,
	}
	for name, verb := range verbs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			mustUp(t, w)
			w.log = nil
			_, err := verb(w.engine(t, inSteps("")), t.Context(), defaults)
			invalid, ok := errors.AsType[*engine.InvalidError](err)
			if !ok || !strings.Contains(invalid.Error(), `Plugin "world" gives a deployment all of the traffic or none`) || invalid.Diags[0].Subject == nil {
				t.Errorf("%s = %v, want a problem with its place", name, err)
			}
			if len(w.log) != 0 {
				t.Errorf("calls = %v, want none", w.log)
			}
		})
	}
}

func TestACanaryNeedsAReleaser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := strings.Replace(inSteps(""), "deploy {\n    use \"world\"", "deploy {\n    use \"slow\"", 1)
	err := w.engine(t, source, slow(w, 0, time.Minute)).Validate(t.Context(), defaults)
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok || !strings.Contains(err.Error(), "Nothing moves traffic") {
		t.Errorf("Validate = %v, want a problem", err)
	}
}

func TestALongPauseIsProgress(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		source := strings.Replace(inSteps(`rollback = "auto"`), `"5m"`, `"3h"`, 1)
		if _, err := w.engine(t, source).Up(t.Context(), defaults); err != nil {
			t.Error(err)
		}
	})
}

func TestARollbackGoesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.weights = true
	mustUp(t, w)
	mustUp(t, w)
	w.log = nil
	if _, err := w.engine(t, inSteps("")).Rollback(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"release 1"}, w.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestWhatServesAfterASplitThatCannotBeTakenBack(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		mustUp(t, w)
		w.health = healths(component.Ready)
		w.fail = func(call string) error {
			if call == "release 3 at 50" || call == "release 2" {
				return errors.New("the load balancer is gone")
			}
			return nil
		}
		results, _ := w.engine(t, inSteps("")).Up(t.Context(), defaults)
		if s := results[0].Failure.Serving; !strings.Contains(s, "release 3") || !strings.Contains(s, "release 2") {
			t.Errorf("Serving = %q, want both, for the first share was given", s)
		}
		w.fail, w.log = nil, nil
		if _, err := w.engine(t, file).Rollback(t.Context(), defaults); err != nil || !slices.Equal(w.log, []string{"release 2"}) {
			t.Errorf("Rollback = %v after %q, want the last that went well", err, w.log)
		}
	})
}

// stuck is the world's plugin, whose releases of all traffic never end by
// themselves.
func stuck(w *world) component.Plugin {
	p := w.plugin()
	p.Releaser = component.NewReleaser(func(component.Host, struct{}) (component.Releaser[deployment, release], error) {
		return stuckReleaser{releaser{w}}, nil
	})
	return p
}

type stuckReleaser struct{ releaser }

func (r stuckReleaser) Release(ctx context.Context, req component.ReleaseRequest[deployment]) (release, error) {
	if req.Percent == 100 {
		<-ctx.Done()
		return release{}, ctx.Err()
	}
	return r.releaser.Release(ctx, req)
}

func TestTakingACanaryBackEndsInTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		block string
		after time.Duration
		want  string
	}{
		"by its timeout":   {`timeout = "1m"`, time.Minute, "The release did not end within 1m"},
		"without progress": {"", 10 * time.Minute, "The release made no progress for 10m"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.health = healths(component.Down)
				began := time.Now()
				results, err := w.engine(t, inSteps(c.block), stuck(w)).Up(t.Context(), defaults)
				if took := time.Since(began); took != c.after {
					t.Errorf("it took %v, want %v", took, c.after)
				}
				if err == nil || !strings.Contains(err.Error(), "The canary release stopped at 10 %") || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Up = %v, want the cause and %q", err, c.want)
				}
				if s := results[0].Failure.Serving; !strings.Contains(s, "release 2") || !strings.Contains(s, "release 1") {
					t.Errorf("Serving = %q, want both", s)
				}
			})
		})
	}
}

func TestARollbackNeedsNoWeights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	w.log = nil
	if _, err := w.engine(t, inSteps("")).Rollback(t.Context(), defaults); err != nil || !slices.Equal(w.log, []string{"release 1"}) {
		t.Errorf("Rollback = %v after %q, want the release before", err, w.log)
	}
}

func TestRollbackAfterAnInterruptedCanary(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		mustUp(t, w)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel) // in the first pause
		results, _ := w.engine(t, inSteps("")).Up(ctx, defaults)
		if last := results[0].Records[3]; last.Status != state.Failed || !strings.HasPrefix(last.Message, "interrupted, and given back: ") {
			t.Errorf("record = %+v, want a release that is over", last)
		}
		w.log = nil
		if _, err := w.engine(t, file).Rollback(t.Context(), defaults); err != nil || !slices.Equal(w.log, []string{"release 1"}) {
			t.Errorf("Rollback = %v after %q, want the release before that which serves", err, w.log)
		}
	})
}

func TestTheResultNamesWhatServes(t *testing.T) {
	t.Parallel()
	t.Run("after a canary is taken back", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, w *world) {
			w.health = healths(component.Down)
			results, _ := w.engine(t, inSteps("")).Up(t.Context(), defaults)
			if r := results[0]; r.URL != "http://web" || r.Sequence != 1 || r.Deployment != w.traffic {
				t.Errorf("result = %+v, want the deployment that has the traffic", r)
			}
		})
	})
	t.Run("not after a release that failed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.fail = failOn("release 1", errors.New("no route"))
		results, _ := w.engine(t, file).Up(t.Context(), defaults)
		if r := results[0]; r.URL != "" || r.Outcome != engine.Changed {
			t.Errorf("result = %+v, want no URL", r)
		}
	})
}

func TestPruneSpendsItsRetentionOnWhatServed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.health = healths(component.Down)
		if _, err := w.engine(t, inSteps("")).Up(t.Context(), defaults); err == nil {
			t.Fatal("Up succeeded, want a canary that is not well")
		}
		w.health, w.log = healths(component.Ready), nil
		if _, err := w.engine(t, inSteps("")).Up(t.Context(), defaults); err != nil {
			t.Fatal(err)
		}
		if last := w.log[len(w.log)-1]; last != "destroy 2" || slices.Contains(w.log, "destroy 1") {
			t.Errorf("calls = %q, want that the canary that never served goes", w.log)
		}
	})
}

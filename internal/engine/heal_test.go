package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state"
)

// cut runs up and cancels it in the middle of a call.
func cut(t *testing.T, w *world, call string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w.fail = func(name string) error {
		if name == call {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	if _, err := w.engine(t, file).Up(ctx, defaults); !errors.Is(err, context.Canceled) {
		t.Fatalf("Up = %v, want that it was cancelled", err)
	}
	w.fail = nil
}

func TestAnAdoptedDeploymentIsNoLeftover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run = 5
	cut(t, w, "deploy sha256:one")
	mustUp(t, w) // the second attempt adopts and releases it
	w.run = 6
	served := true
	w.fail = func(call string) error {
		if strings.HasPrefix(call, "release") {
			served = w.live[w.traffic]
		}
		return nil
	}
	mustUp(t, w)
	if !served {
		t.Error("what served users was destroyed before the next release")
	}
	if slices.ContainsFunc(w.records(t), func(r string) bool { return strings.HasSuffix(r, "interrupted") }) {
		t.Errorf("records = %v, want none interrupted", w.records(t))
	}
}

func TestAnInterruptedUpdateInPlaceIsNotDestroyed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inPlace = true
	mustUp(t, w)
	cut(t, w, "deploy sha256:one")
	mustUp(t, w)
	if i := slices.IndexFunc(w.log, func(c string) bool { return strings.HasPrefix(c, "destroy") }); i >= 0 {
		t.Errorf("call %q destroys the object that serves", w.log[i])
	}
}

func TestAGreenRunReportsNoOldFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail = failOn("deploy sha256:one", errors.New("no capacity"))
	_, _ = w.engine(t, file).Up(t.Context(), defaults)
	w.fail = nil
	e := w.engine(t, file)
	told := &teller{}
	e.Reporter = told
	if _, err := e.Up(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(told.told, "deploy failed") {
		t.Errorf("reports = %v, want none of the earlier run", told.told)
	}
}

func TestWhatFailsBeforeThePlatformIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cut(t, w, "deploy sha256:one") // so that the next one asks Find
	strip(t, w)
	w.fail = failOn("find", errors.New("the platform is down"))
	e := w.engine(t, file)
	told := &teller{}
	e.Reporter = told
	if _, err := e.Up(t.Context(), defaults); err == nil {
		t.Fatal("Up succeeded, want a failure")
	}
	if !slices.Contains(told.told, "deploy failed") {
		t.Errorf("reports = %v, want that the deploy failed", told.told)
	}
}

func TestDestroyOneAsksThePlatformOfAKilledDeploy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cut(t, w, "deploy sha256:one")
	strip(t, w)
	if _, err := w.engine(t, file).Destroy(t.Context(), engine.Options{Deployment: "1"}); err != nil {
		t.Fatal(err)
	}
	if len(w.deployments()) != 0 {
		t.Errorf("left = %v, want nothing", w.deployments())
	}
}

func TestDestroyOneRefusesASharedObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inPlace = true
	mustUp(t, w)
	w.fail = failOn("deploy sha256:one", errors.New("no capacity"))
	_, _ = w.engine(t, file).Up(t.Context(), defaults)
	w.fail = nil
	_, err := w.engine(t, file).Destroy(t.Context(), engine.Options{Deployment: "2"})
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok {
		t.Errorf("Destroy = %v, want a refusal", err)
	}
}

func TestAfterAReleaseThatDidNotEndWell(t *testing.T) {
	t.Parallel()
	tested := strings.Replace(file, "\n}\n", `
  release {
    hook {
      when    = "after"
      command = ["smoke test"]
    }
  }
}
`, 1)
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	w.fail = failOn("hook smoke test", errors.New("502"))
	results, err := w.engine(t, tested).Up(t.Context(), defaults)
	if err == nil {
		t.Fatal("Up succeeded, want the hook of a bare release block to fail it")
	}
	if s := results[0].Failure.Serving; !strings.Contains(s, "release 3") || !strings.Contains(s, "release 2") {
		t.Errorf("Serving = %q, want both that may serve", s)
	}
	w.fail = nil
	w.log = nil
	if _, err := w.engine(t, file).Rollback(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"release 2"}, w.log); diff != "" {
		t.Errorf("Rollback, want the last that went well (-want +got):\n%s", diff)
	}
}

func TestRollbackRestoresAfterAFailedUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inPlace = true
	mustUp(t, w)
	w.fail = failOn("deploy sha256:one", errors.New("unhealthy"))
	_, _ = w.engine(t, file).Up(t.Context(), defaults)
	w.fail = nil
	w.log = nil
	if _, err := w.engine(t, file).Rollback(t.Context(), engine.Options{Deployment: "1"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"restore 1", "release 3"}, w.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestAPromotedArtifactIsRecordedHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	w.place = "production"
	if _, err := w.engine(t, file).Deploy(t.Context(), engine.Options{From: "default"}); err != nil {
		t.Fatal(err)
	}
	deployed, err := state.Latest(t.Context(), w.store, state.Query{Operation: "deploy", Workspace: "production"})
	if err != nil {
		t.Fatal(err)
	}
	parent, err := state.Latest(t.Context(), w.store, state.Query{ID: deployed.Parent, Workspace: "production"})
	if err != nil || parent.Digest != "sha256:one" || len(parent.Result) == 0 {
		t.Errorf("the deploy worked from %+v, %v, want a record of the artifact", parent, err)
	}
}

// strip takes what a deploy made out of its record, as a kill does.
func strip(t *testing.T, w *world) {
	t.Helper()
	record, err := state.Latest(t.Context(), w.store, state.Query{Operation: "deploy"})
	if err != nil {
		t.Fatal(err)
	}
	fresh := newWorld(t).store
	for r, err := range w.store.List(t.Context(), state.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.ID == record.ID {
			r.Status, r.Result = state.Running, nil
		}
		if err := fresh.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	w.store = fresh
}

// teller is a reporter that keeps what it was told.
type teller struct{ told []string }

func (r *teller) Report(_ context.Context, record state.Record) error {
	r.told = append(r.told, record.Operation+" "+string(record.Status))
	return nil
}

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/engine"
)

func TestRollback(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		ups     int
		inPlace bool
		options engine.Options
		want    []string // the last calls
	}{
		"to the release before":         {2, false, engine.Options{}, []string{"release 1"}},
		"to one that was pruned":        {3, false, engine.Options{Deployment: "1"}, []string{"deploy sha256:one", "release 4"}},
		"to one updated in place since": {2, true, engine.Options{}, []string{"restore 1", "release 3"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.inPlace = c.inPlace
			for range c.ups {
				mustUp(t, w)
			}
			before := len(w.log)
			if _, err := w.engine(t, file).Rollback(t.Context(), c.options); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, w.log[before:]); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRollbackWithNothingToGoBackTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	_, err := w.engine(t, file).Rollback(t.Context(), defaults)
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok {
		t.Errorf("Rollback = %v, want an invalid call", err)
	}
}

func TestRollbackCandidatesOfAnAppThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		mustUp(t, w)
	}
	candidates, err := w.engine(t, "project = \"shop\"\n").RollbackCandidates(t.Context(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range candidates {
		got = append(got, fmt.Sprintf("%s %d released:%t exists:%t", c.Record.App, c.Record.Sequence, c.Released, c.Exists))
	}
	want := []string{"web 3 released:true exists:true", "web 2 released:false exists:true", "web 1 released:false exists:false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("candidates (-want +got):\n%s", diff)
	}
	_, err = w.engine(t, file).RollbackCandidates(t.Context(), engine.Options{Apps: []string{"wbe"}})
	if err == nil || !strings.Contains(err.Error(), `Did you mean "web"?`) {
		t.Errorf("candidates of an unknown app: %v, want the name that was meant", err)
	}
}

func TestDestroyRemovesEverythingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	w.live["stray"] = true // no record names it
	if _, err := w.engine(t, file).Destroy(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if left := w.deployments(); len(left) != 0 {
		t.Errorf("left = %v", left)
	}
	for _, r := range w.records(t) {
		if (strings.HasPrefix(r, "deploy") || strings.HasPrefix(r, "release")) && !strings.HasSuffix(r, "destroyed") {
			t.Errorf("record %q is not destroyed", r)
		}
	}
	results, err := w.engine(t, file).Destroy(t.Context(), defaults)
	if err != nil || results[0].Outcome != engine.Unchanged {
		t.Errorf("second Destroy = %+v, %v, want that nothing changed", results, err)
	}
}

func TestDestroyKeepsTheRecordOfWhatThePlatformKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	w.fail = failOn("destroy 1", errors.New("busy"))
	if _, err := w.engine(t, file).Destroy(t.Context(), defaults); err == nil {
		t.Fatal("Destroy succeeded, want a failure")
	}
	if !slices.Contains(w.records(t), "deploy 1 succeeded") {
		t.Errorf("records = %v, want the deployment that is still there", w.records(t))
	}
	w.fail = nil
	if _, err := w.engine(t, file).Destroy(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if len(w.deployments()) != 0 {
		t.Errorf("left = %v", w.deployments())
	}
}

func TestPruneNeverDestroysALiveGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inPlace = true
	for range 4 {
		mustUp(t, w)
	}
	if i := slices.IndexFunc(w.log, func(c string) bool { return strings.HasPrefix(c, "destroy") }); i >= 0 {
		t.Errorf("call %q, want none that destroys", w.log[i])
	}
}

func TestNothingThatMayServeIsDestroyed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keepAll := engine.Options{NoPrune: true}
	for range 3 {
		if _, err := w.engine(t, file).Up(t.Context(), keepAll); err != nil {
			t.Fatal(err)
		}
	}
	w.fail = failOn("release 1", errors.New("cut off"))
	if _, err := w.engine(t, file).Rollback(t.Context(), engine.Options{Deployment: "1"}); err == nil {
		t.Fatal("Rollback succeeded, want a failure")
	}
	w.fail = nil
	if _, err := w.engine(t, file).Prune(t.Context(), engine.Options{}); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(w.log, "destroy 1") || !slices.Contains(w.log, "destroy 2") {
		t.Errorf("calls = %v, want that 2 is destroyed and 1, which may serve, is not", w.log)
	}
	_, err := w.engine(t, file).Destroy(t.Context(), engine.Options{Deployment: "1"})
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok {
		t.Errorf("Destroy of 1 = %v, want a refusal", err)
	}
}

func TestPlanChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.engine(t, file).Plan(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"build", "plan deploy", "plan release"}, w.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if records := w.records(t); len(records) != 0 {
		t.Errorf("records = %v, want none", records)
	}
	if len(w.plans) != 1 || len(w.plans[0].Changes) != 2 {
		t.Errorf("plans = %v", w.plans)
	}
}

// Only from the moment a deploy begins does anything sign in as who may change a
// platform.
func TestWhoSignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := func(run func(e *engine.Engine) error) []bool {
		t.Helper()
		w.changing = nil
		if err := run(w.engine(t, file)); err != nil {
			t.Fatal(err)
		}
		return slices.Compact(w.changing)
	}
	verbs := []struct {
		name string
		run  func(e *engine.Engine) error
		want []bool
	}{
		{"plan", func(e *engine.Engine) error { _, err := e.Plan(t.Context(), defaults); return err }, []bool{false}},
		{"build", func(e *engine.Engine) error { _, err := e.Build(t.Context(), defaults); return err }, []bool{false}},
		{"up", func(e *engine.Engine) error { _, err := e.Up(t.Context(), defaults); return err }, []bool{false, true}},
		{"status", func(e *engine.Engine) error { _, err := e.Status(t.Context(), defaults); return err }, []bool{false}},
		{"destroy", func(e *engine.Engine) error { _, err := e.Destroy(t.Context(), defaults); return err }, []bool{true}},
	}
	for _, v := range verbs {
		if diff := cmp.Diff(v.want, asked(v.run)); diff != "" {
			t.Errorf("%s signs in as who may change (-want +got):\n%s", v.name, diff)
		}
	}
}

func TestStatusAsksThePlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	delete(w.live, w.traffic)
	standings, err := w.engine(t, file).Status(t.Context(), defaults)
	if err != nil || len(standings) != 2 {
		t.Fatalf("Status = %v, %v", standings, err)
	}
	if s := standings[0]; !s.Released || s.Health.State != component.Missing || s.URL != "http://web" {
		t.Errorf("the released one = %+v", s)
	}
	if s := standings[1]; s.Released || s.Health.State != component.Ready {
		t.Errorf("the one before = %+v", s)
	}
}

func TestProblemsComeAllAtOnceAndTouchNothing(t *testing.T) {
	t.Parallel()
	source := `
project = "shop"
app "web" {
  build {
    use "wrld" {}
  }
  deploy {
    use "world" {
      colour = "red"
    }
  }
}
`
	w := newWorld(t)
	_, err := w.engine(t, source).Up(t.Context(), defaults)
	invalid, ok := errors.AsType[*engine.InvalidError](err)
	if !ok || len(invalid.Diags) != 2 {
		t.Fatalf("Up = %v, want two problems", err)
	}
	for _, want := range []string{`Did you mean "world"?`, "colour"} {
		if !slices.ContainsFunc(invalid.Diags.Errs(), func(err error) bool { return strings.Contains(err.Error(), want) }) {
			t.Errorf("problems = %v, want one that says %q", invalid.Diags, want)
		}
	}
	if len(w.log) != 0 || len(w.records(t)) != 0 {
		t.Errorf("calls = %v, records = %v, want none", w.log, w.records(t))
	}
}

// People are told that nobody is served any more, once and not for each release.
func TestDestroyIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	told := &teller{}
	e := w.engine(t, file)
	e.Reporter = told
	if _, err := e.Destroy(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"release destroyed"}, told.told); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

func TestRollbackIsNotToWhatNeverServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	w.fail = failOn("deploy sha256:one", errors.New("crash loop"))
	_, _ = w.engine(t, file).Up(t.Context(), defaults)
	w.fail, w.log = nil, nil
	_, err := w.engine(t, file).Rollback(t.Context(), engine.Options{Deployment: "2"})
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok || !strings.Contains(err.Error(), "`deploy --artifact 2` deploys its artifact again") {
		t.Errorf("Rollback = %v, want a refusal that says what to do", err)
	}
	if len(w.log) != 0 {
		t.Errorf("calls = %q, want none", w.log)
	}
}

func TestRollbackBringsBackWhatWasDestroyed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	if _, err := w.engine(t, file).Destroy(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	w.log = nil
	if _, err := w.engine(t, file).Rollback(t.Context(), engine.Options{Deployment: "1"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"deploy sha256:one", "release 2"}, w.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// foreign is a plugin that releases the world's deployments in its own way.
func foreign(w *world) component.Plugin {
	return component.Plugin{
		Name: "foreign",
		Releaser: component.NewReleaser(func(component.Host, struct{}) (component.Releaser[deployment, release], error) {
			return foreignReleaser{releaser{w}}, nil
		}),
	}
}

type foreignReleaser struct{ releaser }

func (r foreignReleaser) Destroy(context.Context, component.App, release) error {
	return r.w.call("destroy foreign release")
}

func TestDestroyTakesAwayTheReleaseOfEachPlugin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := strings.Replace(file, "\n}\n", "\n  release {\n    use \"foreign\" {}\n  }\n}\n", 1)
	for _, source := range []string{source, file} {
		if _, err := w.engine(t, source, foreign(w)).Up(t.Context(), defaults); err != nil {
			t.Fatal(err)
		}
	}
	w.log, w.fail = nil, failOn("destroy foreign release", errors.New("busy"))
	if _, err := w.engine(t, file, foreign(w)).Destroy(t.Context(), defaults); err == nil {
		t.Error("Destroy succeeded, want a failure")
	}
	if !slices.Equal(w.log[:2], []string{"destroy release", "destroy foreign release"}) {
		t.Errorf("calls = %q, want both releases first", w.log)
	}
	if records := w.records(t); !slices.Contains(records, "release 1 succeeded") || !slices.Contains(records, "release 2 destroyed") {
		t.Errorf("records = %q, want that only the first release is there", records)
	}
	w.log, w.fail = nil, nil
	if _, err := w.engine(t, file, foreign(w)).Destroy(t.Context(), defaults); err != nil || w.log[0] != "destroy foreign release" {
		t.Errorf("second Destroy = %v after %q, want that it goes", err, w.log)
	}
}

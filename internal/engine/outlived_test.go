package engine_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/memstore"
)

// outlived returns an engine whose store says that its newest records are lost.
func (w *world) outlived(t *testing.T) *engine.Engine {
	t.Helper()
	e := w.engine(t, file)
	e.Lost = func(app string) bool { return app == "web" }
	return e
}

// statuses returns what is recorded of the deployments, oldest first.
func (w *world) statuses(t *testing.T) (found []state.Status) {
	t.Helper()
	for _, r := range w.deploys(t) {
		found = append(found, r.Status)
	}
	return found
}

// What lost records have destroyed is not taken for something that exists.
func TestWhatIsGoneByLostRecordsIsForgotten(t *testing.T) {
	t.Parallel()
	up := func(e *engine.Engine) error { _, err := e.Up(t.Context(), engine.Options{NoPrune: true}); return err }
	back := func(e *engine.Engine) error {
		_, err := e.Rollback(t.Context(), engine.Options{Deployment: "2"})
		return err
	}
	cases := map[string]struct {
		inPlace bool
		gone    int // the oldest ones that are not there any more
		down    bool
		run     func(*engine.Engine) error
		want    []state.Status
	}{
		"up":                             {false, 1, false, up, []state.Status{state.Destroyed, state.Succeeded, state.Succeeded}},
		"up, of all that there was":      {false, 2, false, up, []state.Status{state.Destroyed, state.Destroyed, state.Succeeded}},
		"rollback":                       {false, 1, false, back, []state.Status{state.Destroyed, state.Succeeded}},
		"of an object that they share":   {true, 1, false, up, []state.Status{state.Succeeded, state.Succeeded, state.Succeeded}},
		"from a platform that is silent": {false, 1, true, up, []state.Status{state.Succeeded, state.Succeeded, state.Succeeded}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.inPlace = c.inPlace
			mustUp(t, w)
			mustUp(t, w)
			for _, r := range w.deploys(t)[:c.gone] {
				delete(w.live, r.Deployment)
			}
			if c.down {
				w.fail = failOn("find", errors.New("the platform is down"))
			}
			if err := c.run(w.outlived(t)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, w.statuses(t)); diff != "" {
				t.Errorf("deployments, oldest first (-want +got):\n%s", diff)
			}
		})
	}
}

// Where nothing is known to be lost, what a platform shows decides nothing.
func TestWhatIsGoneIsKnownByRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	delete(w.live, w.deploys(t)[0].Deployment)
	if _, err := w.engine(t, file).Up(t.Context(), engine.Options{NoPrune: true}); err != nil {
		t.Fatal(err)
	}
	if got := w.statuses(t); slices.Contains(got, state.Destroyed) {
		t.Errorf("deployments are %v, want none destroyed", got)
	}
}

// A run that died, and whose record was lost with what it made, is in nobody's
// way.
func TestALostRecordOfAnUnfinishedDeploy(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]error{"the platform shows nothing": nil, "the platform cannot be asked": errors.ErrUnsupported} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.store = memstore.New()
			err := w.store.Put(t.Context(), state.Record{
				ID: "A", Operation: "deploy", Status: state.Running, Project: "shop", App: "web", Workspace: "default", Plugin: "world",
				Sequence: 1, Deployment: "web-lost", Message: "rebuilt from GitHub Deployment 7", Started: w.clock,
			})
			if err != nil {
				t.Fatal(err)
			}
			w.fail = failOn("find", found)
			mustUp(t, w)
			if diff := cmp.Diff([]state.Status{state.Destroyed, state.Succeeded}, w.statuses(t)); diff != "" {
				t.Errorf("deployments, oldest first (-want +got):\n%s", diff)
			}
		})
	}
}

// Of a run that died nobody knows whether it moved traffic, if its records were
// lost: what it left goes when there is something else to send users to.
func TestALeftoverThatMayServe(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]struct {
		message string
		lost    bool
	}{
		"its record was rebuilt":  {"rebuilt from GitHub Deployment 7", false},
		"later records were lost": {"", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			mustUp(t, w)
			w.live["web-lost"], w.traffic = true, "web-lost"
			err := w.store.Put(t.Context(), state.Record{
				ID: "A", Operation: "deploy", Status: state.Running, Project: "shop", App: "web", Workspace: "default", Plugin: "world",
				Sequence: 2, Deployment: "web-lost", Message: lose.message, Started: w.clock.Add(time.Second),
			})
			if err != nil {
				t.Fatal(err)
			}
			e := w.engine(t, file)
			e.Lost = func(string) bool { return lose.lost }
			w.log = nil
			if _, err := e.Up(t.Context(), defaults); err != nil {
				t.Fatal(err)
			}
			released, destroyed := slices.Index(w.log, "release 3"), slices.Index(w.log, "destroy 2")
			if released < 0 || destroyed < released {
				t.Errorf("calls = %q, want the release before what was left is destroyed", w.log)
			}
		})
	}
}

// What rollback goes to by default is kept, though something newer is there that
// served before it.
func TestPruneKeepsWhatRollbackGoesTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		if _, err := w.engine(t, file).Up(t.Context(), engine.Options{NoPrune: true}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.engine(t, file).Rollback(t.Context(), engine.Options{Deployment: "1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine(t, file).Up(t.Context(), engine.Options{Retain: 1}); err != nil {
		t.Fatal(err)
	}
	want := []state.Status{state.Succeeded, state.Destroyed, state.Destroyed, state.Succeeded}
	if diff := cmp.Diff(want, w.statuses(t)); diff != "" {
		t.Errorf("deployments, oldest first (-want +got):\n%s", diff)
	}
}

package engine_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/memstore"
)

// forgetful makes the state of a world what GitHub would have told of it: the
// deploys alone, without what they made, and the releases.
func forgetful(t *testing.T, w *world) {
	t.Helper()
	told := memstore.New()
	for r, err := range w.store.List(t.Context(), state.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Operation != "deploy" && r.Operation != "release" {
			continue
		}
		r.Result, r.Config, r.Parent, r.Message = nil, nil, "", "rebuilt from GitHub Deployment 7"
		r.Ended = time.Time{}
		if r.Operation == "release" {
			r.Plugin = ""
		}
		if err := told.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	w.store = told
}

// deploys returns what is recorded of the deployments, oldest first.
func (w *world) deploys(t *testing.T) (found []state.Record) {
	t.Helper()
	for r, err := range w.store.List(t.Context(), state.Query{Operation: "deploy"}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, r)
	}
	slices.Reverse(found)
	return found
}

func TestWhatWasLostIsFoundOnThePlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	forgetful(t, w)
	first := w.deploys(t)[0]
	delete(w.live, first.Deployment)
	w.live["stray"] = true // no record names it
	w.log = nil
	if _, err := w.engine(t, file).Prune(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if len(w.log) != 0 {
		t.Errorf("Prune did %q: nothing is known to be older than what is released", w.log)
	}
	var got []string
	for _, r := range w.deploys(t) {
		got = append(got, r.Deployment+" "+string(r.Status)+" "+string(r.Result))
	}
	second := w.deploys(t)[len(got)-1].Deployment
	want := []string{
		`stray succeeded {"id":"stray"}`,
		first.Deployment + " destroyed ",
		second + ` succeeded {"id":"` + second + `"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deployments (-want +got):\n%s", diff)
	}
	// The true record, should it come back, is the better copy.
	real := w.deploys(t)[2]
	real.Message, real.Config, real.Ended = "", json.RawMessage(`{}`), real.Started.Add(1)
	if best := state.Merge(w.deploys(t), []state.Record{real}); best[0].Message != "" {
		t.Errorf("of two copies %+v is kept, want the true one", best[0])
	}
	if _, err := w.engine(t, file).Destroy(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(w.log, "destroy release") || len(w.deployments()) != 0 {
		t.Errorf("Destroy did %q and left %v", w.log, w.deployments())
	}
}

func TestNothingIsPrunedWhereTheStateIsIncomplete(t *testing.T) {
	t.Parallel()
	down := errors.New("the platform is down")
	cases := map[string]struct {
		lose       func(t *testing.T, w *world)
		fail       func(string) error
		incomplete bool
		want       string
	}{
		"its platform does not answer": {
			forgetful, failOn("find", down), false, "deployment 2 (",
		},
		"GitHub knows of more, and the platform does not answer": {
			func(*testing.T, *world) {}, failOn("find", down), true, "GitHub has Deployments of it that no record tells of (the platform is down)",
		},
		"its platform shows nothing": {
			func(t *testing.T, w *world) { forgetful(t, w); clear(w.live) }, nil, false, "it may be asked in the wrong place",
		},
		"GitHub knows of more, and the platform shows all": {
			func(*testing.T, *world) {}, nil, true, "",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			mustUp(t, w)
			mustUp(t, w)
			c.lose(t, w)
			w.fail, w.log = c.fail, nil
			e := func() *engine.Engine {
				e := w.engine(t, file)
				e.Incomplete = func(app string) bool { return c.incomplete && app == "web" }
				return e
			}
			for verb, run := range map[string]func() ([]engine.Result, error){
				"prune":   func() ([]engine.Result, error) { return e().Prune(t.Context(), engine.Options{}) },
				"destroy": func() ([]engine.Result, error) { return e().Destroy(t.Context(), defaults) },
			} {
				if c.want == "" {
					break
				}
				_, err := run()
				invalid, ok := errors.AsType[*engine.InvalidError](err)
				if !ok || !strings.Contains(invalid.Error(), "is incomplete") || !strings.Contains(invalid.Error(), c.want) {
					t.Errorf("%s = %v, want that it is incomplete: %s", verb, err, c.want)
				}
				if len(w.log) != 0 {
					t.Errorf("%s did %q", verb, w.log)
				}
			}
			results, err := e().Up(t.Context(), engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			pruned := slices.ContainsFunc(w.log, func(call string) bool { return strings.HasPrefix(call, "destroy") })
			noted := slices.ContainsFunc(results[0].Notes, func(note string) bool { return strings.Contains(note, `Nothing of app "web" is pruned`) })
			if whole := c.want == ""; pruned != whole || noted == whole {
				t.Errorf("Up pruned: %t, noted: %t after %q", pruned, noted, w.log)
			}
		})
	}
}

func TestWhatIsNotOnItsPlatformIsNotReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	first := w.deploys(t)[0].Deployment
	delete(w.live, first)
	w.log = nil
	_, err := w.engine(t, file).Release(t.Context(), engine.Options{Deployment: "1"})
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok || len(w.log) != 0 {
		t.Errorf("Release of what is gone = %v after %q", err, w.log)
	}
	if _, err := w.engine(t, file).Rollback(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"deploy sha256:one", "release 3"}, w.log); diff != "" {
		t.Errorf("rollback to what is gone (-want +got):\n%s", diff)
	}
}

// That a platform cannot be asked is not that a deployment is gone.
func TestWhatNobodyKnowsIsNotCalledGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	records := w.deploys(t)
	forgetful(t, w)
	w.fail = failOn("find", errors.New("the platform is down"))
	_, err := w.engine(t, file).Rollback(t.Context(), engine.Options{Deployment: records[0].Deployment})
	const says = `Deployment 1 of app "web" is not known to be on its platform (the platform is down). It is made again.`
	if !slices.Contains(w.printed, says) {
		t.Errorf("Rollback = %v, and the log says %q, want %q", err, w.printed, says)
	}
}

// The block of today may not know the address that the block of that time gave.
func TestTheRecordedAddressIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plain := w.plugin()
	plain.Releaser, plain.DefaultRelease = nil, false
	for range 2 {
		if _, err := w.engine(t, file, plain).Up(t.Context(), engine.Options{NoPrune: true}); err != nil {
			t.Fatal(err)
		}
	}
	first := w.deploys(t)[0].Deployment
	w.closed = true
	results, err := w.engine(t, file, plain).Rollback(t.Context(), defaults)
	if err != nil || results[0].Deployment != first || results[0].URL != "http://"+first {
		t.Errorf("Rollback = %+v, %v, want deployment %s where it was", results, err, first)
	}
}

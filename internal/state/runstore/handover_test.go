package runstore_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// handed is a handover of that many jobs.
func handed(jobs int) *runstore.Handover {
	h := &runstore.Handover{Made: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), Jobs: jobs, Apps: map[string]runstore.Handed{}}
	for i := range jobs {
		h.Apps[fmt.Sprint("app-", i)] = runstore.Handed{Turn: i}
	}
	return h
}

func TestTurns(t *testing.T) {
	t.Parallel()
	var none *runstore.Handover
	if none.Spares() || !none.Turn("app-1").IsZero() {
		t.Error("a job without a handover spares or waits")
	}
	for _, test := range []struct {
		jobs   int
		spares bool
		writes int // of a job
	}{
		{1, false, 9},
		{7, false, 9},
		{8, false, 9},
		{50, false, 9},
		{51, true, 4},
		{100, true, 4},
		{256, true, 4},
	} {
		h := handed(test.jobs)
		if h.Spares() != test.spares {
			t.Errorf("%d jobs: Spares() = %v", test.jobs, h.Spares())
		}
		if !h.Turn("unknown").IsZero() {
			t.Errorf("%d jobs: an app that is not in the matrix waits", test.jobs)
		}
		waits := test.jobs*test.writes > 70
		if got := !h.Turn("app-0").IsZero(); got != waits {
			t.Errorf("%d jobs: they take turns: %v, want %v", test.jobs, got, waits)
		}
		minutes, hours := map[int]int{}, map[int]int{}
		for app := range h.Apps {
			if at := h.Turn(app); !at.IsZero() {
				minutes[int(at.Sub(h.Made).Minutes())] += test.writes
				hours[int(at.Sub(h.Made).Hours())] += test.writes
			}
		}
		for minute, writes := range minutes {
			if writes > 80 {
				t.Errorf("%d jobs: %d writes in minute %d, want at most 80", test.jobs, writes, minute)
			}
		}
		for hour, writes := range hours {
			if writes > 450 {
				t.Errorf("%d jobs: %d writes in hour %d, want at most 450", test.jobs, writes, hour)
			}
		}
	}
}

// options are those that a step of the job opens its store with.
func (j job) options(t *testing.T) (o runstore.Options) {
	t.Helper()
	j.change = func(of *runstore.Options) { o = *of }
	j.step(t)
	return o
}

func TestHandoverIsStaleAfterAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gh := newFake(t)
		gh.AddRun(githubfake.Run{ID: 6})
		gh.AddRun(githubfake.Run{ID: 7})
		other := newJob(t, gh, 6).step(t)
		if _, err := other.Lock(t.Context(), "shop", "web", "production", nil); err != nil {
			t.Fatal(err)
		}
		ours := newJob(t, gh, 7)
		surveys := map[string]*claim.Survey{"web": {}, "api": {}}
		if err := runstore.HandOver(t.Context(), ours.options(t), []string{"web", "api"}, runstore.Found{Surveys: surveys}); err != nil {
			t.Fatal(err)
		}
		asks := func(app string) (deployments int) {
			store, before := ours.step(t), len(gh.Calls())
			_, err := store.Lock(t.Context(), "shop", app, "production", func(string) {
				gh.AddRun(githubfake.Run{ID: 6, Status: "completed", Conclusion: "failure"})
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range store.List(t.Context(), state.Query{App: app}) {
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, call := range gh.Calls()[before:] {
				if strings.HasSuffix(call.Path, "/deployments") {
					deployments++
				}
			}
			return deployments
		}
		if got := asks("api"); got != 1 {
			t.Errorf("the Deployments of api, whose lock is new, were asked for %d times, want once", got)
		}
		if got := asks("web"); got != 1 {
			t.Errorf("the Deployments of web, which another run deployed meanwhile, were asked for %d times, want once", got)
		}
	})
}

func TestHandoverOfAnotherAttempt(t *testing.T) {
	t.Parallel()
	gh := newFake(t)
	first := newJob(t, gh, 7)
	options := first.options(t)
	if err := runstore.HandOver(t.Context(), options, []string{"web", "api"}, runstore.Found{Matrix: json.RawMessage(`{"include":[]}`)}); err != nil {
		t.Fatal(err)
	}
	got, err := runstore.ReadHandover(t.Context(), options)
	if err != nil || got == nil || got.Jobs != 2 || got.Apps["api"].Turn != 1 || string(got.Matrix) != `{"include":[]}` {
		t.Errorf("ReadHandover() = %+v, %v; want what was handed over", got, err)
	}
	options.Workspace = "staging"
	if got, err := runstore.ReadHandover(t.Context(), options); got != nil || err != nil {
		t.Errorf("ReadHandover() of another workspace = %+v, %v; want none", got, err)
	}
	options = first.options(t)
	options.Run.Attempt = 2
	if got, err := runstore.ReadHandover(t.Context(), options); got != nil || err != nil {
		t.Errorf("ReadHandover() in another attempt = %+v, %v; want none", got, err)
	}
	if err := runstore.HandOver(t.Context(), options, []string{"web"}, runstore.Found{}); err != nil {
		t.Fatal(err)
	}
	if got, err := runstore.ReadHandover(t.Context(), options); err != nil || got == nil || got.Jobs != 1 {
		t.Errorf("ReadHandover() = %+v, %v; want that of the attempt", got, err)
	}
}

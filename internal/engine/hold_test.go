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

// holder returns an engine for a person who says why.
func holder(t *testing.T, w *world, source, actor, reason string) *engine.Engine {
	t.Helper()
	e := w.engine(t, source)
	e.Origin.Actor, e.Origin.Reason = actor, reason
	return e
}

func mustHold(t *testing.T, w *world, source, actor, reason string, apps ...string) {
	t.Helper()
	results, err := holder(t, w, source, actor, reason).Hold(t.Context(), engine.Options{Apps: apps})
	if err != nil || len(results) == 0 || results[0].Outcome != engine.Changed {
		t.Fatalf("Hold = %+v, %v, want that it changed something", results, err)
	}
}

// verbs that change what runs.
var changing = map[string]func(*engine.Engine, context.Context, engine.Options) ([]engine.Result, error){
	"up":       (*engine.Engine).Up,
	"deploy":   (*engine.Engine).Deploy,
	"release":  (*engine.Engine).Release,
	"rollback": (*engine.Engine).Rollback,
	"prune":    (*engine.Engine).Prune,
	"destroy":  (*engine.Engine).Destroy,
}

func TestHoldStopsWhatChangesAPlatform(t *testing.T) {
	t.Parallel()
	for verb, run := range changing {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			mustUp(t, w)
			mustUp(t, w)
			mustHold(t, w, file, "ann", "database migration")
			calls, records := len(w.log), w.records(t)
			_, err := run(w.engine(t, file), t.Context(), defaults)
			refused, ok := errors.AsType[*engine.InvalidError](err)
			if !ok || len(refused.Diags) != 1 {
				t.Fatalf("%s = %v, want one problem", verb, err)
			}
			said := refused.Diags[0].Summary + "\n" + refused.Diags[0].Detail
			for _, want := range []string{
				`App "web" is held in workspace "default"`, "held by ann since 2026-01-02 03:04 UTC: database migration",
				"`unhold --app web --workspace default`",
			} {
				if !strings.Contains(said, want) {
					t.Errorf("%s says %q, which lacks %q", verb, said, want)
				}
			}
			if diff := cmp.Diff(records, w.records(t)); diff != "" || len(w.log) != calls {
				t.Errorf("calls %v and records (-before +after):\n%s", w.log[calls:], diff)
			}

			results, err := w.engine(t, file).Unhold(t.Context(), defaults)
			if err != nil || results[0].Outcome != engine.Changed {
				t.Fatalf("Unhold = %+v, %v", results, err)
			}
			if _, err := run(w.engine(t, file), t.Context(), defaults); err != nil {
				t.Errorf("%s after Unhold = %v", verb, err)
			}
		})
	}
}

func TestHoldLetsOthersLookAndBuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustHold(t, w, file, "ann", "incident")
	if _, err := w.engine(t, file).Build(t.Context(), defaults); err != nil {
		t.Errorf("Build = %v", err)
	}
	for verb, look := range map[string]func() error{
		"plan":   func() error { _, err := w.engine(t, file).Plan(t.Context(), defaults); return err },
		"status": func() error { _, err := w.engine(t, file).Status(t.Context(), defaults); return err },
	} {
		w.printed = nil
		if err := look(); err != nil {
			t.Errorf("%s = %v", verb, err)
		}
		if !slices.ContainsFunc(w.printed, func(line string) bool { return strings.Contains(line, "held by ann") }) {
			t.Errorf("%s printed %q, want a note of the hold", verb, w.printed)
		}
	}
}

func TestHoldOfOneAppStopsAllBeforeTheFirst(t *testing.T) {
	t.Parallel()
	both := file + strings.NewReplacer(`project = "shop"`, "", `"web"`, `"api"`).Replace(file)
	w := newWorld(t)
	mustHold(t, w, both, "ann", "migration", "api")
	results, err := w.engine(t, both).Up(t.Context(), defaults)
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok || len(results) > 0 || len(w.log) > 0 {
		t.Errorf("Up = %v, %v after calls %v, want a refusal before any", results, err, w.log)
	}
	if _, err := w.engine(t, both).Up(t.Context(), engine.Options{Apps: []string{"web"}}); err != nil {
		t.Errorf("Up of the other app = %v", err)
	}
}

func TestHoldThatComesWhileAnUpWaitsForTheLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store = holdOnLock{w.store}
	results, err := w.engine(t, file).Up(t.Context(), defaults)
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok || len(w.log) > 0 {
		t.Errorf("Up = %+v, %v after calls %v, want a refusal", results, err, w.log)
	}
}

// holdOnLock is a store in which somebody holds the app while others wait.
type holdOnLock struct{ state.Store }

func (h holdOnLock) Lock(ctx context.Context, project, app, workspace string, waiting func(string)) (func(context.Context) error, error) {
	hold := state.Record{
		ID: "H", Operation: "hold", Status: state.Succeeded, Project: project, App: app, Workspace: workspace, Sequence: 1,
	}
	if err := h.Put(ctx, hold); err != nil {
		return nil, err
	}
	return h.Store.Lock(ctx, project, app, workspace, waiting)
}

func TestHoldAgainReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustHold(t, w, file, "ann", "migration")
	mustHold(t, w, file, "bob", "incident")
	if diff := cmp.Diff([]string{"hold 1 destroyed", "hold 2 succeeded"}, w.records(t)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	_, err := w.engine(t, file).Up(t.Context(), defaults)
	if err == nil || !strings.Contains(err.Error(), "held by bob") || strings.Contains(err.Error(), "ann") {
		t.Errorf("Up = %v, want that bob holds it", err)
	}
	if _, err := holder(t, w, file, "eve", "all well").Unhold(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	last, err := state.Latest(t.Context(), w.store, state.Query{Operation: "hold"})
	if err != nil || last.Status != state.Destroyed || last.Message != "lifted by eve: all well" || last.Ended.IsZero() {
		t.Errorf("the hold = %+v, %v, want that it says who lifted it", last, err)
	}
}

func TestUnholdWithoutAHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	results, err := w.engine(t, file).Unhold(t.Context(), defaults)
	if err != nil || len(results) != 1 || results[0].Outcome != engine.Unchanged || len(w.records(t)) != 0 {
		t.Errorf("Unhold = %+v, %v, records %v, want that nothing changed", results, err, w.records(t))
	}
}

func TestHoldWithoutAReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := holder(t, w, file, "ann", " ").Hold(t.Context(), defaults)
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok || !strings.Contains(err.Error(), "needs a reason") {
		t.Errorf("Hold = %v, want that it asks for a reason", err)
	}
	if records := w.records(t); len(records) != 0 {
		t.Errorf("records = %v, want none", records)
	}
}

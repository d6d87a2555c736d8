package engine_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest/inplace"
)

// weighed is a file with a platform that updates one job in place and moves
// traffic by weight.
var weighed = strings.NewReplacer(
	"deploy {\n    use \"world\" {}", "deploy {\n    use \"inplace\" {\n      pool = \"blue\"\n    }\n    rollback = \"auto\"",
	"\n}\n", `
  release {
    canary   = [10, 50]
    rollback = "auto"
    hook {
      when    = "after"
      command = ["smoke test"]
    }
  }
}
`).Replace(file)

// job is the app of the weighed file.
var job = component.App{Project: "shop", Name: "web", Workspace: "default"}

func TestTrafficOfAJobInPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		service := inplace.NewService(&plugintest.Calls{})
		up := func() ([]engine.Result, error) {
			return w.engine(t, weighed, inplace.New(service)).Up(t.Context(), defaults)
		}
		if _, err := up(); err != nil {
			t.Fatal(err)
		}
		w.content = "two"
		if _, err := up(); err != nil {
			t.Fatal(err)
		}
		if image := service.Image(inplace.JobName(job)); !strings.HasSuffix(image, "two") {
			t.Errorf("the job runs %q, want the second image", image)
		}
		w.content = "three"
		w.fail = once("hook smoke test", errors.New("502"))
		results, err := up()
		if err == nil {
			t.Fatal("Up succeeded, want the smoke test to fail it")
		}
		if image := service.Image(inplace.JobName(job)); !strings.HasSuffix(image, "two") {
			t.Errorf("the job runs %q, want the second image again", image)
		}
		shares := service.Traffic(inplace.JobName(job))
		if diff := cmp.Diff([]int{100}, slices.Collect(maps.Values(shares))); diff != "" {
			t.Errorf("shares of the traffic (-want +got):\n%s", diff)
		}
		if s := results[0].Failure.Serving; !strings.HasPrefix(s, "release 4, of deployment") {
			t.Errorf("Serving = %q", s)
		}
	})
}

// updated is a world with one release in place.
func updated(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.inPlace = true
	mustUp(t, w)
	w.log = nil
	return w
}

func TestAfterAnUpdateInPlaceThatFailed(t *testing.T) {
	t.Parallel()
	broken := errors.New("crash loop")
	cases := map[string]struct {
		source string
		fail   func(call string, cancel func()) error
		next   string
	}{
		"it is told": {
			source: file,
			fail:   func(call string, _ func()) error { return failOn("deploy sha256:one", broken)(call) },
		},
		"and could not be put back": {
			source: undone,
			fail: func(call string, _ func()) error {
				if strings.HasPrefix(call, "deploy") || strings.HasPrefix(call, "restore") {
					return broken
				}
				return nil
			},
			next: "mend the cause and run `rollback`",
		},
		"for it was cancelled": {
			source: undone,
			fail:   func(_ string, cancel func()) error { cancel(); return nil },
			next:   "run it again; `up` adopts or removes what this run left",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := updated(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.fail = func(call string) error {
				if call == "build" {
					return nil
				}
				return c.fail(call, cancel)
			}
			results, _ := w.engine(t, c.source).Up(ctx, defaults)
			f := results[0].Failure
			if !strings.HasPrefix(f.Serving, "release 1, of deployment") || !strings.Contains(f.Serving, ", whose object deployment ") {
				t.Errorf("Serving = %q, want that its object was changed", f.Serving)
			}
			if f.Left != "" || f.Next != c.next {
				t.Errorf("Left = %q, Next = %q, want nothing left, for the object serves, and %q", f.Left, f.Next, c.next)
			}
			w.fail, w.log = nil, nil
			if _, err := w.engine(t, file).Rollback(t.Context(), defaults); err != nil || w.log[0] != "restore 1" {
				t.Errorf("Rollback = %v after %q, want the deployment that was released", err, w.log)
			}
		})
	}
}

func TestRollbackAfterAFailedUpdateIsToTheReleasedOne(t *testing.T) {
	t.Parallel()
	w := updated(t)
	mustUp(t, w)
	w.fail = failOn("deploy sha256:one", errors.New("crash loop"))
	_, _ = w.engine(t, file).Up(t.Context(), defaults)
	w.fail, w.log = nil, nil
	if _, err := w.engine(t, file).Rollback(t.Context(), defaults); err != nil || w.log[0] != "restore 2" {
		t.Errorf("Rollback = %v after %q, want the deployment that was released last", err, w.log)
	}
}

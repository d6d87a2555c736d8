package engine_test

import (
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

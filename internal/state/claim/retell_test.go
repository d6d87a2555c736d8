package claim_test

import (
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestRebuildDestroyedLate destroys and deploys again in one job, whose post step
// tells of the end of the first release after the second one.
func TestRebuildDestroyedLate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	fake, err := githubfake.New(githubfake.Options{Repository: "octo/shop", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	j := newJob(t, fake, 1)
	intents := claim.Intents{Client: j.client(t), Run: j.run}
	ids := map[string]int64{}
	tell := func(name, status, text string) {
		t.Helper()
		var err error
		now = now.Add(time.Minute)
		if ids[name] == 0 {
			ids[name], err = intents.Create(t.Context(), state.Record{
				ID: name, Project: "shop", App: "web", Workspace: "production", Deployment: name, Sequence: len(ids) + 1, Plugin: "docker",
			}, "", 0)
		}
		if err == nil {
			now = now.Add(time.Second)
			err = intents.Client.SetDeploymentStatus(t.Context(), ids[name], github.DeploymentStatus{State: status, Description: text})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tell("web-1", "success", "released · web-1") // whose place was taken, which nobody told
	tell("web-2", "success", "released · web-2")
	tell("web-3", "success", "released · web-3")
	tell("web-2", "inactive", "destroyed")
	page, err := intents.Recent(t.Context(), production)
	if err != nil {
		t.Fatal(err)
	}
	all, err := intents.Rebuild(t.Context(), page.Intents, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]state.Status{"web-1": state.Destroyed, "web-2": state.Destroyed, "web-3": state.Succeeded}
	for _, r := range all {
		if r.Operation == "release" && r.Status != want[r.Deployment] {
			t.Errorf("the release of %s is %s, want %s", r.Deployment, r.Status, want[r.Deployment])
		}
	}
}

// TestRebuildBesideKept rebuilds a release in an app of which others are known.
func TestRebuildBesideKept(t *testing.T) {
	t.Parallel()
	j := newJob(t, newFake(t), 1)
	intents := claim.Intents{Client: j.client(t), Run: j.run}
	lost := state.Record{ID: "lost", Project: "shop", App: "web", Workspace: "production", Deployment: "web-lost", Sequence: 3, Plugin: "docker"}
	id, err := intents.Create(t.Context(), lost, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := intents.Client.SetDeploymentStatus(t.Context(), id, github.DeploymentStatus{State: "success", Description: "released · web-lost"}); err != nil {
		t.Fatal(err)
	}
	page, err := intents.Recent(t.Context(), production)
	if err != nil {
		t.Fatal(err)
	}
	all, err := intents.Rebuild(t.Context(), page.Intents, []state.Record{
		{ID: "r8", Operation: "release", Sequence: 8}, {ID: "r7", Operation: "release", Sequence: 7}, {ID: "d9", Operation: "deploy", Sequence: 9},
	})
	if err != nil || len(all) != 2 {
		t.Fatalf("Rebuild() = %+v, %v, want a deploy and a release", all, err)
	}
	if release := all[1]; release.Operation != "release" || release.Sequence != 9 || all[0].Sequence != 3 {
		t.Errorf("rebuilt %+v, want deploy 3, and release 9, the first number that no release has", all)
	}
}

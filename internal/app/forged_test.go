package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// forge uploads a state artifact as a run on main could that somebody else's
// workflow made: it is believed.
func (f *fleet) forge(t *testing.T, records ...state.Record) {
	t.Helper()
	f.runs++
	f.now = f.now.Add(time.Minute)
	id := 1000 + f.runs
	f.github.AddRun(githubfake.Run{ID: id, HeadSHA: fmt.Sprintf("%040x", id), HeadBranch: "main", Event: "push", Status: "completed", Conclusion: "success"})
	service, err := github.NewService(github.ServiceOptions{
		ResultsURL: "https://results.example.test", Token: secret.Text(f.github.Token(id, "x")), HTTP: &http.Client{Transport: f.github},
	})
	if err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	if err := state.Encode(&content, state.Header{}, state.Merge(records)); err != nil {
		t.Fatal(err)
	}
	if _, err := service.Upload(t.Context(), "deploy-action.shop.web.default", "state.jsonl.gz", content.Bytes()); err != nil {
		t.Fatal(err)
	}
}

// forgedDeploy is a record of a deployment that somebody made up, and the
// release of it.
func forgedDeploy(deployment, ship string, at time.Time, change func(*state.Record)) []state.Record {
	deploy := state.Record{
		ID: "forged-" + deployment, Operation: "deploy", Status: state.Succeeded, Project: "shop", App: "web", Workspace: "default",
		Plugin: "harbor", Sequence: 50, Deployment: deployment, Parent: "forged-push-" + deployment,
		Result: json.RawMessage(`{"ship":"` + ship + `"}`), Started: at, Ended: at,
	}
	if change != nil {
		change(&deploy)
	}
	release := deploy
	release.ID, release.Operation, release.Parent = "forged-release-"+deployment, "release", deploy.ID
	release.Result, release.Started = json.RawMessage(`{"front":"web.example.test"}`), at.Add(time.Second)
	return []state.Record{deploy, release}
}

// A record says where to look, and is no authority: what it points at is neither
// destroyed nor released unless its labels are the app's own.
func TestForgedRecords(t *testing.T) {
	t.Parallel()
	const production = "web-production"
	cases := map[string]func(t *testing.T, f *fleet, real string){
		"names a deployment of production": func(t *testing.T, f *fleet, _ string) {
			f.forge(t, forgedDeploy(production, production, f.now, nil)...)
		},
		"names one of its own, and points elsewhere": func(t *testing.T, f *fleet, real string) {
			f.forge(t, forgedDeploy(real, production, f.now, nil)...)
		},
		"is of another workspace": func(t *testing.T, f *fleet, _ string) {
			f.forge(t, forgedDeploy(production, production, f.now, func(r *state.Record) { r.Workspace = "production" })...)
		},
		"is of another project": func(t *testing.T, f *fleet, _ string) {
			f.forge(t, forgedDeploy(production, production, f.now, func(r *state.Record) { r.Project = "bank" })...)
		},
	}
	for name, forge := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			f.berths[production] = berth{"shop", "web", "production", 50, image(99)}
			f.berths["bank"] = berth{"bank", "web", "default", 50, image(99)}
			f.succeeds(t, "up")
			f.succeeds(t, "up")
			ids := f.deployments()
			forge(t, f, ids[0])
			for _, call := range [][]string{
				{"rollback"},
				{"rollback", "--deployment=" + production},
				{"rollback", "--deployment=50"},
				{"release", "--deployment=" + production},
				{"release", "--deployment=50"},
				{"release", "--deployment=" + ids[0]},
				{"destroy", "--deployment=" + production},
				{"prune", "--prune-retain=0"},
				{"up"},
				{"destroy"},
			} {
				_, log := f.run(t, call[0], call[1:]...)
				if to := f.traffic["web.default"]; to == production {
					t.Fatalf("%v sends users to %s\n%s", call, to, log)
				}
				if _, stands := f.berths[production]; !stands || len(f.berths["bank"].image) == 0 {
					t.Fatalf("%v destroyed what is not the app's\n%s", call, log)
				}
			}
			if got := f.deployments(); len(got) != 2 {
				t.Errorf("after destroy there are %v, want what is not the app's", got)
			}
		})
	}
}

// An image is deployed again only from the app's own repository.
func TestForgedImage(t *testing.T) {
	t.Parallel()
	evil := "evil.example/shop/web"
	digest := "sha256:" + strings.Repeat("e", 64)
	cases := map[string]func(t *testing.T, f *fleet){
		"in a record": func(t *testing.T, f *fleet) {
			records := forgedDeploy("web-forgedxxxx", "web-forgedxxxx", f.now, func(r *state.Record) { r.Digest = digest })
			push := state.Record{
				ID: "forged-push-web-forgedxxxx", Operation: "push", Status: state.Succeeded, Project: "shop", App: "web", Workspace: "default",
				Sequence: 50, Digest: digest, Result: json.RawMessage(`{"kind":"image","value":{"repository":"` + evil + `","digest":"` + digest + `"}}`), Started: f.now,
			}
			f.forge(t, append(records, push)...)
		},
		"in a Deployment, without any artifact": func(t *testing.T, f *fleet) {
			f.lose()
			f.tell(t, `"image":"`+evil+`","digest":"`+digest+`"`)
		},
	}
	for name, forge := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			f.succeeds(t, "up")
			f.succeeds(t, "up")
			forge(t, f)
			for range 2 {
				status, log := f.run(t, "rollback", "--deployment=web-forgedxxxx")
				if status != 2 || !strings.Contains(log, evil) || !strings.Contains(log, "registry.example/shop/web") {
					t.Errorf("exit status %d, want 2 and both repositories\n%s", status, log)
				}
			}
			for id, b := range f.berths {
				if strings.Contains(b.image, evil) {
					t.Errorf("deployment %s runs %s", id, b.image)
				}
			}
			if f.serving() != image(2) {
				t.Errorf("users get %s, want the second image", f.serving())
			}
		})
	}
}

// tell makes a Deployment that says that web-forgedxxxx was deployed and
// released, as a token with deployments: write can.
func (f *fleet) tell(t *testing.T, rest string) {
	t.Helper()
	f.now = f.now.Add(time.Minute)
	made, err := f.client.CreateDeployment(t.Context(), github.Deployment{
		Ref: fmt.Sprintf("%040x", 1001), Task: "deploy-action:shop/web", Environment: "default",
		Payload: json.RawMessage(`{"schema":1,"project":"shop","app":"web","workspace":"default","deployment":"web-forgedxxxx","record":"forged","sequence":50,"run":1001,"plugin":"harbor",` + rest + `}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	status := github.DeploymentStatus{State: "success", Description: "released · web-forgedxxxx · no. 50"}
	if err := f.client.SetDeploymentStatus(t.Context(), made.ID, status); err != nil {
		t.Fatal(err)
	}
}

package claim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// tells makes an intent of a deployment of an app, whose last status is given
// with its description.
func (j job) tells(t *testing.T, app, workspace, deployment, status string) {
	t.Helper()
	client := j.client(t)
	id, err := claim.Intents{Client: client, Run: j.run}.Create(t.Context(), state.Record{
		ID: "rec-" + deployment, Project: "shop", App: app, Workspace: workspace, Deployment: deployment, Sequence: 1,
		Origin: state.Origin{Run: j.run.RunID, Attempt: 1},
	}, "", 0)
	if err == nil && status != "" {
		status, text, _ := strings.Cut(status, " ")
		err = client.SetDeploymentStatus(t.Context(), id, github.DeploymentStatus{State: status, Description: text})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func succeeded(_ string, s github.DeploymentStatus) bool { return s.State == "success" }

func TestSurvey(t *testing.T) {
	t.Parallel()
	j := newJob(t, newFake(t), 7)
	j.tells(t, "web", "production", "web-1", "success")
	j.tells(t, "web", "production", "web-2", "success")
	j.tells(t, "web", "production", "web-3", "failure")
	j.tells(t, "web", "staging", "web-9", "success")
	j.tells(t, "api", "production", "api-1", "inactive")
	if _, err := j.client(t).CreateDeployment(t.Context(), github.Deployment{
		Ref: j.run.HeadSHA, Task: "deploy-action:shop/api", Environment: "production", Payload: json.RawMessage(`{"schema":99}`),
	}); err != nil {
		t.Fatal(err)
	}
	intents := claim.Intents{Client: j.client(t), Run: j.run}
	got, err := intents.Survey(t.Context(), "shop", "production", []string{"web", "api", "new"}, succeeded)
	if err != nil {
		t.Fatal(err)
	}
	for app, want := range map[string]string{"web": "3 0 web-2", "api": "1 1 ", "new": "0 0 "} {
		s, serving := got[app], ""
		if s.Serving != nil {
			serving = s.Serving.Deployment
		}
		if is := fmt.Sprintf("%d %d %s", len(s.Intents), s.Unreadable, serving); is != want || s.Full {
			t.Errorf("%s: %q, full: %v; want %q, false", app, is, s.Full, want)
		}
	}
	if got["web"].Serving.Commit != j.run.HeadSHA {
		t.Errorf("the commit is %q, want %q", got["web"].Serving.Commit, j.run.HeadSHA)
	}
	got, err = intents.Survey(t.Context(), "shop", "production", []string{"web"}, succeeded)
	if err != nil || !got["web"].Full || len(got["web"].Intents) != 2 {
		t.Errorf("Survey() of web = %+v, %v; want it to stop at the one that serves", got["web"], err)
	}
}

// TestSurveyOfDestroyed has a Deployment that says success though another one
// took its place, as where there were too many requests.
func TestSurveyOfDestroyed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		last string // status of the second of two
		back bool   // the first one was released again
		want string // what serves
	}{
		"destroyed":                  {"inactive destroyed", false, ""},
		"destroyed after a rollback": {"inactive destroyed", true, "web-1"},
		"superseded by a rollback":   {"inactive superseded by web-1", true, "web-1"},
		"it failed":                  {"failure", false, "web-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := newJob(t, newFake(t), 7)
				j.tells(t, "web", "production", "web-1", "success")
				time.Sleep(time.Minute)
				j.tells(t, "web", "production", "web-2", test.last)
				client := j.client(t)
				intents := claim.Intents{Client: client, Run: j.run}
				if test.back {
					time.Sleep(time.Minute)
					page, err := intents.Recent(t.Context(), production)
					if err == nil {
						err = client.SetDeploymentStatus(t.Context(), page.Intents[1].ID, github.DeploymentStatus{State: "success"})
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				got, err := intents.Survey(t.Context(), "shop", "production", []string{"web"}, succeeded)
				if err != nil {
					t.Fatal(err)
				}
				serving := ""
				if s := got["web"].Serving; s != nil {
					serving = s.Deployment
				}
				if serving != test.want {
					t.Errorf("%q serves, want %q", serving, test.want)
				}
			})
		})
	}
}

func TestSurveyOfPreview(t *testing.T) {
	t.Parallel()
	j := newJob(t, newFake(t), 7)
	j.tells(t, "web", "pr-4", "web-4", "success")
	j.tells(t, "web", "pr-5", "web-5", "success")
	got, err := claim.Intents{Client: j.client(t), Run: j.run}.Survey(t.Context(), "shop", "pr-4", []string{"web"}, succeeded)
	if err != nil || got["web"].Serving == nil || got["web"].Serving.Deployment != "web-4" {
		t.Errorf("Survey() of pr-4 = %+v, %v; want web-4", got["web"], err)
	}
}

func TestSurveyOfManyApps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		j := newJob(t, fake, 7)
		var apps []string
		for i := range 500 {
			apps = append(apps, fmt.Sprintf("app-%03d", i))
			j.tells(t, apps[i], "production", fmt.Sprintf("d-%d", i), "success")
			time.Sleep(15 * time.Second) // for the writes of an hour
		}
		before := len(fake.Calls())
		got, err := claim.Intents{Client: j.client(t), Run: j.run}.Survey(t.Context(), "shop", "production", apps, succeeded)
		if err != nil {
			t.Fatal(err)
		}
		for app, s := range got {
			if s.Serving == nil {
				t.Errorf("%s: nothing was found", app)
			}
		}
		if calls := len(fake.Calls()) - before; calls > 10 {
			t.Errorf("500 apps took %d calls, want at most 10", calls)
		}
	})
}

package github_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestCreateDeployment(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	client := newClient(t, fake)
	// A check that is not done would stop a Deployment that waits for checks.
	if err := client.SetStatus(t.Context(), head, github.Status{Context: "ci", State: "pending"}); err != nil {
		t.Fatal(err)
	}
	made, err := client.CreateDeployment(t.Context(), github.Deployment{
		Ref: head, Task: "deploy-action-preview:shop/web#5", Environment: "preview", Description: strings.Repeat("word ", 40),
		Payload: json.RawMessage(`{"schema":1,"id":"01J"}`), Transient: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []githubfake.Deployment{{
		ID: made.ID, Ref: head, SHA: head, Task: "deploy-action-preview:shop/web#5", Environment: "preview", Transient: true,
		Description: strings.TrimSpace(strings.Repeat("word ", 27)) + "…", Payload: json.RawMessage(`{"schema":1,"id":"01J"}`), Creator: "github-actions[bot]",
	}}
	if diff := cmp.Diff(want, fake.Deployments(), cmpopts.IgnoreFields(githubfake.Deployment{}, "Created")); diff != "" {
		t.Errorf("Deployments (-want +got):\n%s", diff)
	}
	if made.SHA != head || !made.Transient || made.Creator.Login != "github-actions[bot]" || made.Creator.ID == 0 || made.Created.IsZero() {
		t.Errorf("CreateDeployment() = %+v, want what was made", made)
	}
}

func TestDeploymentsNewestFirst(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	client := newClient(t, fake)
	other := strings.Repeat("a", 40)
	fake.SetRef("refs/heads/main", other)
	for i, d := range []github.Deployment{
		{Ref: head, Task: "web", Environment: "production"},
		{Ref: head, Task: "api", Environment: "production"},
		{Ref: "main", Task: "web", Environment: "staging"},
	} {
		d.Payload = json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))
		if _, err := client.CreateDeployment(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		query github.DeploymentQuery
		want  string
	}{
		"all":         {github.DeploymentQuery{}, `{"n":2} {"n":1} {"n":0}`},
		"task":        {github.DeploymentQuery{Task: "web"}, `{"n":2} {"n":0}`},
		"environment": {github.DeploymentQuery{Environment: "production"}, `{"n":1} {"n":0}`},
		"commit":      {github.DeploymentQuery{SHA: other}, `{"n":2}`},
		"ref":         {github.DeploymentQuery{Ref: "main"}, `{"n":2}`},
		"both":        {github.DeploymentQuery{Task: "web", Environment: "production"}, `{"n":0}`},
		"none":        {github.DeploymentQuery{Task: "worker"}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for d, err := range client.Deployments(t.Context(), c.query) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(d.Payload))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("Deployments(%+v) = %q, want %q", c.query, got, c.want)
			}
		})
	}
}

// TestSetDeploymentStatus succeeds a second time in one environment: the first
// Deployment must stay as it is.
func TestSetDeploymentStatus(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	client := newClient(t, fake)
	var last int64
	for _, id := range []string{"1", "2"} {
		d := deployment(id)
		d.Environment = "staging"
		made, err := client.CreateDeployment(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		last = made.ID
		for _, state := range []string{"in_progress", "success"} {
			err := client.SetDeploymentStatus(t.Context(), last, github.DeploymentStatus{
				State: state, Description: "web\nand more", EnvironmentURL: "https://web.example.test", LogURL: "https://github.example.test/run",
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if first := fake.Deployments()[0]; first.State() != "success" {
		t.Errorf("the first Deployment is %q, want success", first.State())
	}
	var got []github.DeploymentStatus
	for s, err := range client.DeploymentStatuses(t.Context(), last) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	status := github.DeploymentStatus{Description: "web…", EnvironmentURL: "https://web.example.test", LogURL: "https://github.example.test/run"}
	want := []github.DeploymentStatus{status, status}
	want[0].State, want[1].State = "success", "in_progress"
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(github.DeploymentStatus{}, "Created")); diff != "" {
		t.Errorf("DeploymentStatuses (-want +got):\n%s", diff)
	}
}

func TestDeploymentsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := w.client
	active, err := client.CreateDeployment(t.Context(), deployment("active"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		do   func() error
		want int
		text string
	}{
		"ref that is not": {
			func() error {
				return second(client.CreateDeployment(t.Context(), github.Deployment{Ref: "nowhere", Environment: "production"}))
			},
			http.StatusUnprocessableEntity, `creating a Deployment to "production": GitHub answered 422 Unprocessable Entity No ref found for: nowhere`,
		},
		"address that is none": {
			func() error {
				return client.SetDeploymentStatus(t.Context(), active.ID, github.DeploymentStatus{State: "success", EnvironmentURL: "tcp://web"})
			},
			http.StatusUnprocessableEntity, "must use http(s) scheme",
		},
		"deleting an active one": {
			func() error { return client.DeleteDeployment(t.Context(), active.ID) },
			http.StatusUnprocessableEntity, "cannot delete an active deployment",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.do()
			if answer, ok := errors.AsType[*github.AnswerError](err); !ok || answer.Status != c.want || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error = %v, want an AnswerError %d with %q", err, c.want, c.text)
			}
		})
	}
	w.fake.Refuse(refuseTimes(1, "/deployments", githubfake.Refusal{Status: http.StatusConflict, Body: `{"message":"Conflict","errors":[{"field":"ref","code":"already_merged"}]}`}))
	_, err = client.CreateDeployment(t.Context(), deployment("other"))
	if want := "GitHub answered 409 Conflict Conflict (ref already merged)"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error = %v, want one that ends with %q", err, want)
	}
}

func TestDeleteDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 { // the second time there is nothing left
		if err := w.client.DeleteDeployment(t.Context(), w.deploy); err != nil {
			t.Errorf("DeleteDeployment() = %v", err)
		}
	}
	if got := w.fake.Deployments(); len(got) != 0 {
		t.Errorf("Deployments = %v, want none", got)
	}
	err := w.client.SetDeploymentStatus(t.Context(), w.deploy, github.DeploymentStatus{State: "inactive"})
	if !errors.Is(err, github.ErrNotFound) {
		t.Errorf("SetDeploymentStatus() = %v, want ErrNotFound", err)
	}
}

package preview_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/preview"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const sha = "3f2c0000000000000000000000000000000000aa"

// repository is a GitHub and a client of it.
func repository(t *testing.T) (*githubfake.Fake, *github.Client) {
	t.Helper()
	fake, err := githubfake.New(githubfake.Options{Repository: "acme/shop"})
	if err != nil {
		t.Fatal(err)
	}
	fake.AddRun(githubfake.Run{ID: 42, HeadSHA: sha})
	client, err := github.New(github.Options{
		API: "https://api.example.test", Repository: "acme/shop", Token: "ghs_0123456789abcdef", HTTP: &http.Client{Transport: fake},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if broken := fake.Violations(); len(broken) > 0 {
			t.Errorf("the calls of GitHub break its API description:\n%s", strings.Join(broken, "\n"))
		}
	})
	return fake, client
}

// deployed leaves the Deployment of a preview, as a deploy does, and returns
// its ID. Without a state it is under way.
func deployed(t *testing.T, client *github.Client, app string, number int, id, state string) int64 {
	t.Helper()
	payload, err := json.Marshal(map[string]any{
		"schema": 1, "project": "shop", "app": app, "workspace": preview.Workspace(number), "deployment": id, "run": 42,
	})
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.CreateDeployment(t.Context(), github.Deployment{
		Ref: sha, Task: fmt.Sprintf("deploy-action-preview:shop/%s#%d", app, number), Environment: preview.Environment, Payload: payload, Transient: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if state == "" {
		return made.ID
	}
	err = client.SetDeploymentStatus(t.Context(), made.ID, github.DeploymentStatus{State: state, EnvironmentURL: "https://" + id + ".example.test"})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

func TestList(t *testing.T) {
	t.Parallel()
	_, client := repository(t)
	deployed(t, client, "web", 7, "web-1", "success")
	deployed(t, client, "web", 12, "web-2", "success")
	deployed(t, client, "api", 7, "api-1", "")
	deployed(t, client, "web", 7, "web-3", "success")
	for task, payload := range map[string]string{
		"deploy":                           `{"project": "shop", "app": "web", "workspace": "pr-7"}`,
		"deploy-action-preview:shop/web#8": `{"project": "shop", "app": "web", "workspace": "pr-9"}`,
		"deploy-action-preview:shop/web#9": `{"project": "other", "app": "web", "workspace": "pr-9"}`,
		"deploy-action-preview:shop/web#0": `{"project": "shop", "app": "web", "workspace": "pr-0"}`,
		"deploy-action-preview:shop/web#5": ``,
	} {
		_, err := client.CreateDeployment(t.Context(), github.Deployment{
			Ref: sha, Task: task, Environment: preview.Environment, Payload: json.RawMessage(payload),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	found, err := preview.List(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found {
		got = append(got, fmt.Sprintf("%s/%s#%d: %d", p.Project, p.App, p.Number, len(p.Deployments)))
	}
	if diff := cmp.Diff([]string{"shop/api#7: 1", "shop/web#7: 2", "shop/web#12: 1"}, got); diff != "" {
		t.Errorf("previews (-want +got):\n%s", diff)
	}
	if got := preview.Of(found, 7, "shop"); len(got) != 2 || len(preview.Of(found, 7, "other")) != 0 {
		t.Errorf("the previews of #7 are %v", got)
	}
	for _, c := range []struct {
		number, most int
		want         bool
	}{{7, 1, true}, {8, 2, false}, {8, 3, true}} {
		if got := preview.Room(found, "shop", "web", c.number, c.most); got != c.want {
			t.Errorf("room for #%d among %d: %v, want %v", c.number, c.most, got, c.want)
		}
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	fake, client := repository(t)
	deployed(t, client, "web", 7, "web-1", "success")
	deployed(t, client, "web", 7, "web-2", "")
	kept := deployed(t, client, "web", 8, "web-3", "success")
	found, err := preview.List(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if err := preview.Forget(t.Context(), client, found[0]); err != nil {
		t.Fatal(err)
	}
	if left := fake.Deployments(); len(left) != 1 || left[0].ID != kept {
		t.Errorf("left are %v, want only %d", left, kept)
	}
}

func TestStand(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		states []string // oldest first
		ended  bool     // the run
		want   preview.Standing
	}{
		"under way":             {states: []string{""}, want: preview.Standing{State: preview.Deploying}},
		"cut short":             {states: []string{""}, ended: true, want: preview.Standing{State: preview.Cancelled}},
		"ready":                 {states: []string{"inactive", "success"}, want: preview.Standing{State: preview.Ready, URL: "https://web-1.example.test"}},
		"failed":                {states: []string{"failure"}, want: preview.Standing{State: preview.Failed}},
		"failed, older serves":  {states: []string{"success", "failure"}, want: preview.Standing{State: preview.Failed, URL: "https://web-0.example.test", Serving: sha}},
		"cancelled":             {states: []string{"inactive"}, want: preview.Standing{State: preview.Cancelled}},
		"pushed while it ran":   {states: []string{"success", ""}, want: preview.Standing{State: preview.Deploying, URL: "https://web-0.example.test", Serving: sha}},
		"two that went wrong":   {states: []string{"success", "failure", "error"}, want: preview.Standing{State: preview.Failed, URL: "https://web-0.example.test", Serving: sha}},
		"nothing serves at all": {states: []string{"inactive", "failure"}, want: preview.Standing{State: preview.Failed}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, client := repository(t)
			if c.ended {
				fake.AddRun(githubfake.Run{ID: 42, HeadSHA: sha, Status: "completed", Conclusion: "cancelled"})
			}
			for i, state := range c.states {
				deployed(t, client, "web", 7, fmt.Sprintf("web-%d", i), state)
			}
			found, err := preview.List(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			got, err := preview.Stand(t.Context(), client, found[0])
			if err != nil {
				t.Fatal(err)
			}
			if got.Updated.IsZero() || got.Commit != sha {
				t.Errorf("it was updated %v, made from %q", got.Updated, got.Commit)
			}
			got.Updated, got.Commit = time.Time{}, ""
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("standing (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOver(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	rules := config.DefaultPreview()
	gated := rules
	gated.Label = "preview"
	open := &github.PullRequest{Open: true, Labels: []string{"bug"}}
	cases := map[string]struct {
		age   time.Duration
		pull  *github.PullRequest
		rules config.Preview
		want  string
	}{
		"young and open":   {71 * time.Hour, open, rules, ""},
		"old and open":     {72 * time.Hour, open, rules, "older than 72h"},
		"closed":           {0, &github.PullRequest{}, rules, "closed"},
		"merged":           {0, &github.PullRequest{Merged: true}, rules, "merged"},
		"unlabeled":        {0, open, gated, "without the label preview"},
		"labeled":          {0, &github.PullRequest{Open: true, Labels: []string{"preview"}}, gated, ""},
		"unknown":          {time.Hour, nil, gated, ""},
		"unknown, and old": {73 * time.Hour, nil, gated, "older than 72h"},
		"own time":         {2 * time.Hour, open, config.Preview{TTL: 90 * time.Minute, Max: 1}, "older than 1h30m"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := preview.Preview{Deployments: []github.Deployment{{Created: now.Add(-c.age)}, {Created: now.Add(-1000 * time.Hour)}}}
			if got := preview.Over(p, c.pull, c.rules, now); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

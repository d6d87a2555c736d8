package github_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestRunEnded(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	fake.AddRun(githubfake.Run{ID: 7, Status: "completed"})
	fake.AddRun(githubfake.Run{ID: 8, Status: "in_progress"})
	client := newClient(t, fake)
	for run, want := range map[int64]bool{7: true, 8: false} {
		if got, err := client.RunEnded(t.Context(), run); err != nil || got != want {
			t.Errorf("RunEnded(%d) = %v, %v, want %v", run, got, err, want)
		}
	}
	fake.Refuse(refuseTimes(1, "/runs/7", githubfake.Refusal{Status: http.StatusForbidden, Body: `{"message":"no"}`}))
	if ended, err := client.RunEnded(t.Context(), 7); err == nil || ended {
		t.Errorf("RunEnded = %v, %v, want an error where the token may not ask", ended, err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	fake.AddRun(githubfake.Run{
		ID: 7, Status: "completed", Conclusion: "failure", Attempt: 3, HeadBranch: "mine", HeadSHA: head, Event: "pull_request", Workflow: ".github/workflows/x.yml", Fork: true,
	})
	got, err := newClient(t, fake).Run(t.Context(), 7)
	want := github.Run{
		ID: 7, Attempt: 3, Status: "completed", Conclusion: "failure", Event: "pull_request", Workflow: ".github/workflows/x.yml",
		HeadBranch: "mine", HeadSHA: head, HeadRepository: "fork/shop",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Run() error %v (-want +got):\n%s", err, diff)
	}
	if _, err := newClient(t, fake).Run(t.Context(), 8); !errors.Is(err, github.ErrNotFound) {
		t.Errorf("Run(8) = %v, want ErrNotFound", err)
	}
}

func TestRunAttemptJobs(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	fake.AddRun(githubfake.Run{ID: 7, Attempt: 2, Jobs: []githubfake.Job{
		{Name: "deploy", Status: "completed", Conclusion: "failure"},
		{Name: "deploy (web)", Attempt: 2, Runner: "runner-1"},
		{Name: "deploy (api)", Attempt: 2, Status: "completed", Conclusion: "success"},
	}})
	client := newClient(t, fake)
	var got []github.Job
	for job, err := range client.RunAttemptJobs(t.Context(), 7, 2) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, job)
	}
	want := []github.Job{
		{Name: "deploy (web)", Status: "in_progress", Runner: "runner-1"},
		{Name: "deploy (api)", Status: "completed", Conclusion: "success"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(github.Job{}, "ID")); diff != "" {
		t.Errorf("RunAttemptJobs (-want +got):\n%s", diff)
	}
	if err := drain(client.RunAttemptJobs(t.Context(), 7, 3)); !errors.Is(err, github.ErrNotFound) {
		t.Errorf("RunAttemptJobs of attempt 3 = %v, want ErrNotFound", err)
	}
}

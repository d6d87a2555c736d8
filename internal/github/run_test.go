package github_test

import (
	"net/http"
	"testing"

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

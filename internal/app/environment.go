package app

import (
	"context"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

const (
	// jobTask and jobCreator are those of the Deployment that GitHub makes by
	// itself for a job with an `environment:`.
	jobTask    = "deploy"
	jobCreator = "github-actions[bot]"

	// mostOfJobs is how many Deployments of jobs are looked at: those of a run
	// are among the newest.
	mostOfJobs = 20
)

// noticeEnvironment says how to do without the Deployment that GitHub makes for
// a job with an `environment:`, if there is one beside ours. It goes by what a
// release left to change, and asks nothing without. What GitHub does not tell is
// no matter.
func (m *machine) noticeEnvironment(ctx context.Context, client *github.Client, changes []report.Change) {
	if len(changes) == 0 || (claim.Key{Workspace: changes[0].Workspace}).Preview() != "" {
		return
	}
	run, environment := m.runner.Context(), changes[0].Workspace
	seen := 0
	for d, err := range client.Deployments(ctx, github.DeploymentQuery{Task: jobTask, Environment: environment}) {
		if seen++; err != nil || seen > mostOfJobs {
			return
		}
		if d.Creator.Login == jobCreator && (d.SHA == run.SHA || d.SHA == run.HeadSHA) {
			m.runner.Notice(fmt.Sprintf("Beside ours there is a Deployment to %q of this commit that says nothing of an app. GitHub makes it for a job with `environment: %s`; "+
				"write `environment: { name: %s, deployment: false }` to have ours alone.", environment, environment, environment))
			return
		}
	}
}

package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
)

// Standing is how a preview fares, as its Deployments tell it.
type Standing struct {
	State   string // deploying, ready, failed or cancelled
	Commit  string // of the newest deploy
	LogURL  string // of its run; or ""
	Updated time.Time

	URL     string // where users reach the deploy that serves; or ""
	Serving string // its commit, where that is an older one; or ""
}

// The states of a [Standing].
const (
	Deploying = "deploying"
	Ready     = "ready"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// mostAsked bounds how many Deployments of a preview are looked at in search of
// one that serves.
const mostAsked = 10

// Stand asks how a preview fares.
func Stand(ctx context.Context, client *github.Client, p Preview) (Standing, error) {
	newest := p.Deployments[0]
	standing := Standing{State: Deploying, Commit: newest.SHA, Updated: newest.Created}
	for i, d := range p.Deployments[:min(len(p.Deployments), mostAsked)] {
		status, told, err := lastStatus(ctx, client, d.ID)
		if err != nil {
			return standing, fmt.Errorf("asking how the preview of %s fares: %w", p.App, err)
		}
		if i == 0 {
			standing.LogURL = status.LogURL
			if told {
				standing.Updated = status.Created
			}
			if standing.State, err = stateOf(ctx, client, d, status); err != nil {
				return standing, err
			}
		}
		if status.State != "success" {
			continue
		}
		standing.URL = status.EnvironmentURL
		if i > 0 {
			standing.Serving = d.SHA
		}
		break
	}
	return standing, nil
}

// lastStatus returns the newest status of a Deployment, if there is one.
func lastStatus(ctx context.Context, client *github.Client, id int64) (status github.DeploymentStatus, told bool, err error) {
	for status, err := range client.DeploymentStatuses(ctx, id) {
		return status, err == nil, err
	}
	return github.DeploymentStatus{}, false, nil
}

// stateOf puts a Deployment's state in our words. One that is under way though
// its run has ended was cut short.
func stateOf(ctx context.Context, client *github.Client, d github.Deployment, status github.DeploymentStatus) (string, error) {
	switch status.State {
	case "success":
		return Ready, nil
	case "failure", "error":
		return Failed, nil
	case "inactive":
		return Cancelled, nil
	}
	var made struct{ Run int64 }
	if json.Unmarshal(d.Payload, &made) != nil || made.Run == 0 {
		return Deploying, nil
	}
	ended, err := client.RunEnded(ctx, made.Run)
	if _, refused := errors.AsType[*github.PermissionError](err); refused || errors.Is(err, github.ErrNotFound) {
		return Deploying, nil // as far as we may know
	}
	if ended {
		return Cancelled, err
	}
	return Deploying, err
}

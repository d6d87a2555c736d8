package github

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/go-github/v82/github"
)

// DeploymentStatus is one step in the life of a Deployment.
//
// See https://docs.github.com/rest/deployments/statuses.
type DeploymentStatus struct {
	State          string // queued, in_progress, pending, success, failure, error or inactive
	Description    string // one line; cut after 140 characters
	EnvironmentURL string // where to see the result, over HTTP; or ""
	LogURL         string // where to see how it went, over HTTP; or ""
	Created        time.Time
}

// SetDeploymentStatus adds a status to a Deployment, and leaves all other
// Deployments alone. It waits a few seconds for a rate limit, not longer: then
// it returns a [LimitError].
func (c *Client) SetDeploymentStatus(ctx context.Context, id int64, s DeploymentStatus) error {
	body := &github.DeploymentStatusRequest{State: &s.State, AutoInactive: new(false)}
	if description := cut(s.Description, descriptionLimit); description != "" {
		body.Description = &description
	}
	if s.EnvironmentURL != "" {
		body.EnvironmentURL = &s.EnvironmentURL
	}
	if s.LogURL != "" {
		body.LogURL = &s.LogURL
	}
	err := c.call(ctx, writeDeployments, reportPatience, func() error {
		_, _, err := c.rest.Repositories.CreateDeploymentStatus(ctx, c.owner, c.name, id, body)
		return err
	})
	if err != nil {
		return fmt.Errorf("setting the status of Deployment %d: %w", id, err)
	}
	return nil
}

// DeploymentStatuses yields the statuses of a Deployment, newest first, in the
// way of [Client.Deployments].
func (c *Client) DeploymentStatuses(ctx context.Context, id int64) iter.Seq2[DeploymentStatus, error] {
	q := question{fmt.Sprintf("the statuses of Deployment %d", id), readDeployments, readPatience}
	return pages(ctx, c, q, func(page github.ListOptions) ([]DeploymentStatus, *github.Response, error) {
		found, response, err := c.rest.Repositories.ListDeploymentStatuses(ctx, c.owner, c.name, id, &page)
		// The order is GitHub's habit, not its promise.
		slices.SortStableFunc(found, func(a, b *github.DeploymentStatus) int { return cmp.Compare(b.GetID(), a.GetID()) })
		return each(found, deploymentStatusOf), response, err
	})
}

func deploymentStatusOf(s *github.DeploymentStatus) DeploymentStatus {
	return DeploymentStatus{
		State: s.GetState(), Description: s.GetDescription(), EnvironmentURL: s.GetEnvironmentURL(), LogURL: s.GetLogURL(), Created: s.GetCreatedAt().Time,
	}
}

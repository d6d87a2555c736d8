package github

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/google/go-github/v82/github"
)

const (
	readDeployments  = "deployments: read"
	writeDeployments = "deployments: write"
)

// Deployment is one entry of the repository's list of Deployments. It cannot be
// changed: only statuses are added to it.
//
// See https://docs.github.com/rest/deployments/deployments.
type Deployment struct {
	ID          int64 // GitHub gives it; greater for every later one
	SHA         string
	Ref         string // what to deploy, as it was given: a commit, a branch or a tag
	Task        string
	Environment string // made by GitHub if it does not exist
	Description string // one line; cut after 140 characters
	Payload     json.RawMessage
	Created     time.Time
	Creator     Author

	// What follows is only sent. Of Deployments that are neither, GitHub makes
	// earlier ones inactive when somebody else deploys to their environment.
	Transient  bool // its environment will go away
	Production bool // users see its environment
}

// DeploymentQuery says which Deployments to list. Empty fields match all.
type DeploymentQuery struct {
	Task        string
	Environment string
	SHA         string
	Ref         string
}

// CreateDeployment makes a Deployment of d.Ref and returns it with its ID. It
// merges nothing and waits for no check. Payload, if there is one, must be a
// JSON object that no other Deployment has: that is how a second try knows
// whether the first one, which got no answer, was carried out.
func (c *Client) CreateDeployment(ctx context.Context, d Deployment) (Deployment, error) {
	body := &github.DeploymentRequest{
		Ref: &d.Ref, Task: &d.Task, Environment: &d.Environment,
		AutoMerge: new(false), RequiredContexts: &[]string{},
		TransientEnvironment: &d.Transient, ProductionEnvironment: &d.Production,
	}
	if description := cut(d.Description, descriptionLimit); description != "" {
		body.Description = &description
	}
	if len(d.Payload) > 0 {
		body.Payload = d.Payload
	}
	var made *github.Deployment
	err := c.create(ctx, writeDeployments, readPatience, func() (err error) {
		made, _, err = c.rest.Repositories.CreateDeployment(ctx, c.owner, c.name, body)
		return err
	}, func() (bool, error) {
		recent, _, err := c.rest.Repositories.ListDeployments(ctx, c.owner, c.name, &github.DeploymentsListOptions{Task: d.Task, Environment: d.Environment})
		at := slices.IndexFunc(recent, func(other *github.Deployment) bool {
			return other.GetRef() == d.Ref && sameJSON(other.Payload, d.Payload)
		})
		if at >= 0 {
			made = recent[at]
		}
		return at >= 0, err
	})
	if err != nil {
		return Deployment{}, fmt.Errorf("creating a Deployment to %q: %w", d.Environment, err)
	}
	created := deploymentOf(made)
	created.Transient, created.Production = d.Transient, d.Production
	return created, nil
}

// sameJSON reports whether two documents mean the same. What is no JSON is the
// same as nothing.
func sameJSON(a, b []byte) bool {
	var left, right any
	return json.Unmarshal(a, &left) == nil && json.Unmarshal(b, &right) == nil && reflect.DeepEqual(left, right)
}

// Deployments yields the Deployments that match a query, newest first, page by
// page: who stops early saves requests. It yields an error at most once, as the
// last thing.
func (c *Client) Deployments(ctx context.Context, query DeploymentQuery) iter.Seq2[Deployment, error] {
	q := question{"Deployments", readDeployments, readPatience}
	return pages(ctx, c, q, func(page github.ListOptions) ([]Deployment, *github.Response, error) {
		found, response, err := c.rest.Repositories.ListDeployments(ctx, c.owner, c.name, &github.DeploymentsListOptions{
			SHA: query.SHA, Ref: query.Ref, Task: query.Task, Environment: query.Environment, ListOptions: page,
		})
		// The order is GitHub's habit, not its promise.
		slices.SortStableFunc(found, func(a, b *github.Deployment) int { return cmp.Compare(b.GetID(), a.GetID()) })
		return each(found, deploymentOf), response, err
	})
}

// DeleteDeployment deletes a Deployment whose last status is not success; GitHub
// keeps others. It is no error if there is none.
func (c *Client) DeleteDeployment(ctx context.Context, id int64) error {
	err := c.remove(ctx, writeDeployments, func() error {
		_, err := c.rest.Repositories.DeleteDeployment(ctx, c.owner, c.name, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("deleting Deployment %d: %w", id, err)
	}
	return nil
}

func deploymentOf(d *github.Deployment) Deployment {
	return Deployment{
		ID: d.GetID(), SHA: d.GetSHA(), Ref: d.GetRef(), Task: d.GetTask(), Environment: d.GetEnvironment(),
		Description: d.GetDescription(), Payload: d.Payload, Created: d.GetCreatedAt().Time, Creator: authorOf(d.Creator),
	}
}

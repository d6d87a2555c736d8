package github

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"
)

// LatestDeployment is a Deployment with the last of its statuses.
type LatestDeployment struct {
	Deployment
	Status DeploymentStatus // its State is "" where there is none
}

// latestDeployments asks for a page of Deployments, each with its last status.
// The REST API would tell statuses one Deployment at a time.
const latestDeployments = `query ($owner: String!, $name: String!, $environment: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    deployments(environments: [$environment], first: 100, after: $after, orderBy: {field: CREATED_AT, direction: DESC}) {
      nodes { databaseId commitOid task payload createdAt latestStatus { state description createdAt } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`

// latestPage is the answer to latestDeployments.
type latestPage struct {
	Repository struct {
		Deployments struct {
			Nodes    []latestNode `json:"nodes"`
			PageInfo struct {
				HasNextPage bool   `json:"hasNextPage"`
				EndCursor   string `json:"endCursor"`
			} `json:"pageInfo"`
		} `json:"deployments"`
	} `json:"repository"`
}

type latestNode struct {
	DatabaseID   int64     `json:"databaseId"`
	CommitOID    string    `json:"commitOid"`
	Task         string    `json:"task"`
	Payload      string    `json:"payload"`
	CreatedAt    time.Time `json:"createdAt"`
	LatestStatus *struct {
		State       string    `json:"state"`
		Description string    `json:"description"`
		CreatedAt   time.Time `json:"createdAt"`
	} `json:"latestStatus"`
}

// LatestDeployments yields the Deployments of an environment, newest first, 100
// with each request: who stops early saves requests. It yields an error at most
// once, as the last thing.
func (c *Client) LatestDeployments(ctx context.Context, environment string) iter.Seq2[LatestDeployment, error] {
	return func(yield func(LatestDeployment, error) bool) {
		variables := map[string]any{"owner": c.owner, "name": c.name, "environment": environment, "after": nil}
		for {
			var page latestPage
			if err := c.query(ctx, readDeployments, graphqlRequest{latestDeployments, variables}, &page); err != nil {
				yield(LatestDeployment{}, fmt.Errorf("listing the Deployments to %q: %w", environment, err))
				return
			}
			found := page.Repository.Deployments
			for _, node := range found.Nodes {
				if !yield(node.deployment(environment), nil) {
					return
				}
			}
			if !found.PageInfo.HasNextPage || found.PageInfo.EndCursor == "" {
				return
			}
			variables["after"] = found.PageInfo.EndCursor
		}
	}
}

// deployment is n as REST tells of it: states in small letters, and a payload
// that is JSON.
func (n latestNode) deployment(environment string) LatestDeployment {
	d := LatestDeployment{Deployment: Deployment{
		ID: n.DatabaseID, SHA: n.CommitOID, Task: n.Task, Environment: environment, Payload: payloadOf(n.Payload), Created: n.CreatedAt,
	}}
	if s := n.LatestStatus; s != nil {
		d.Status = DeploymentStatus{State: strings.ToLower(s.State), Description: s.Description, Created: s.CreatedAt}
	}
	return d
}

// payloadOf returns the JSON that a payload is. The schema calls it a text, and
// some are texts within a text.
func payloadOf(text string) json.RawMessage {
	var inner string
	if json.Unmarshal([]byte(text), &inner) == nil {
		text = inner
	}
	if !json.Valid([]byte(text)) {
		return nil
	}
	return json.RawMessage(text)
}

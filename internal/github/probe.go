package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-github/v82/github"
)

// nowhere is what a probe asks about: no commit has that name, so that nothing
// can come of it.
const nowhere = "0badc0de0badc0de0badc0de0badc0de0badc0de"

// probes ask for what a permission allows, by the line of the permission. GitHub
// looks at the permission before it looks at what is asked, so a write that
// cannot be carried out tells whether it would be allowed.
var probes = map[string]func(ctx context.Context, c *Client) error{
	readActions: func(ctx context.Context, c *Client) error {
		_, _, err := c.rest.Actions.ListArtifacts(ctx, c.owner, c.name, &github.ListArtifactsOptions{Name: new("deploy-action"), ListOptions: github.ListOptions{PerPage: 1}})
		return err
	},
	writeContents: func(ctx context.Context, c *Client) error {
		_, _, err := c.rest.Git.UpdateRef(ctx, c.owner, c.name, "refs/deploy-action/nowhere", github.UpdateRef{SHA: nowhere, Force: new(false)})
		return err
	},
	writeDeployments: func(ctx context.Context, c *Client) error {
		_, _, err := c.rest.Repositories.CreateDeployment(ctx, c.owner, c.name, &github.DeploymentRequest{
			Ref: new(nowhere), Task: new("deploy-action-doctor"), AutoMerge: new(false), RequiredContexts: &[]string{},
		})
		return err
	},
	"statuses: write": func(ctx context.Context, c *Client) error {
		_, _, err := c.rest.Repositories.CreateStatus(ctx, c.owner, c.name, nowhere, github.RepoStatus{
			State: new("pending"), Context: new("deploy-action/doctor"),
		})
		return err
	},
	readPulls: func(ctx context.Context, c *Client) error {
		_, _, err := c.rest.PullRequests.List(ctx, c.owner, c.name, &github.PullRequestListOptions{ListOptions: github.ListOptions{PerPage: 1}})
		return err
	},
}

// Probe asks whether the token has a permission, such as "statuses: write",
// without making anything: what it asks to write names a commit or a ref that
// cannot exist. Its error is a [PermissionError] where the token lacks it, and
// nil where it has it.
func (c *Client) Probe(ctx context.Context, permission string) error {
	probe, known := probes[permission]
	if !known {
		return fmt.Errorf("asking for the permission %q: nothing harmless shows it", permission)
	}
	return c.probe(ctx, permission, func() error { return probe(ctx, c) })
}

// ProbeComments asks in the way of [Client.Probe] whether the token may comment
// on a pull request that exists: with a comment without text, which GitHub does
// not take.
func (c *Client) ProbeComments(ctx context.Context, number int) error {
	return c.probe(ctx, writePulls, func() error {
		_, _, err := c.rest.Issues.CreateComment(ctx, c.owner, c.name, number, &github.IssueComment{Body: new("")})
		return err
	})
}

func (c *Client) probe(ctx context.Context, permission string, request func() error) error {
	err := c.call(ctx, permission, readPatience, request)
	if answer, ok := errors.AsType[*AnswerError](err); ok && answer.Status < http.StatusInternalServerError {
		return nil // who may not is not told what is wrong with the request
	}
	return err
}

// Clock is what GitHub says of time and of requests.
type Clock struct {
	Told        bool          // GitHub has told the time
	Ahead       time.Duration // of our clock before GitHub's; negative where it is behind
	Limit, Left int           // requests of an hour; both 0 where GitHub counts none
	Reset       time.Time     // when there are Limit again
}

// Clock asks GitHub for the time and for the requests that are left, at the cost
// of none. GitHub tells time in whole seconds.
func (c *Client) Clock(ctx context.Context) (Clock, error) {
	var clock Clock
	err := c.call(ctx, "", readPatience, func() error {
		began := time.Now()
		limits, response, err := c.rest.RateLimit.Get(ctx)
		if response == nil {
			return err
		}
		if date, unreadable := http.ParseTime(response.Header.Get("Date")); unreadable == nil {
			middle := began.Add(time.Since(began) / 2)
			// The whole second that GitHub names lasts for one more.
			clock.Told, clock.Ahead = true, middle.Sub(date.Add(time.Second/2))
		}
		if core := limits.GetCore(); core != nil {
			clock.Limit, clock.Left, clock.Reset = core.Limit, core.Remaining, core.Reset.Time
		}
		if response.StatusCode == http.StatusNotFound {
			return nil // GitHub Enterprise Server without limits
		}
		return err
	})
	if err != nil {
		return Clock{}, fmt.Errorf("asking GitHub for the time: %w", err)
	}
	return clock, nil
}

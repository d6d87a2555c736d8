package github

import (
	"context"
	"fmt"

	"github.com/google/go-github/v82/github"
)

// RunEnded reports whether a workflow run is over: no job of it is running or
// waiting.
func (c *Client) RunEnded(ctx context.Context, run int64) (bool, error) {
	var found *github.WorkflowRun
	err := c.call(ctx, "actions: read", readPatience, func() (err error) {
		found, _, err = c.rest.Actions.GetWorkflowRunByID(ctx, c.owner, c.name, run)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("asking whether run %d has ended: %w", run, err)
	}
	return found.GetStatus() == "completed", nil
}

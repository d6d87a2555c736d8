package github

import (
	"context"
	"fmt"
	"iter"

	"github.com/google/go-github/v82/github"
)

// Run is one run of a workflow.
//
// See https://docs.github.com/rest/actions/workflow-runs.
type Run struct {
	ID             int64
	Attempt        int    // the latest one, from 1
	Status         string // completed, in_progress, queued, …
	Conclusion     string // success, failure, cancelled, …; "" until it is completed
	Event          string // what started it
	Workflow       string // the path of its file
	HeadBranch     string // the name of a tag where one was pushed
	HeadSHA        string
	HeadRepository string // owner/name of where its commit came from; "" where it was deleted
}

// Ended reports whether no job of the run is running or waiting.
func (r Run) Ended() bool { return r.Status == "completed" }

// Job is one job of one attempt of a run.
type Job struct {
	ID         int64
	Name       string // as it is shown, with the values of its matrix
	Status     string // as of a [Run]
	Conclusion string
	Runner     string // the name of what runs it; "" before something does
}

// Ended reports whether the job is over, with its post steps.
func (j Job) Ended() bool { return j.Status == "completed" }

// Run reads one run.
func (c *Client) Run(ctx context.Context, id int64) (Run, error) {
	var found *github.WorkflowRun
	err := c.call(ctx, readActions, readPatience, func() (err error) {
		found, _, err = c.rest.Actions.GetWorkflowRunByID(ctx, c.owner, c.name, id)
		return err
	})
	if err != nil {
		return Run{}, fmt.Errorf("reading run %d: %w", id, err)
	}
	return Run{
		ID: found.GetID(), Attempt: found.GetRunAttempt(), Status: found.GetStatus(), Conclusion: found.GetConclusion(),
		Event: found.GetEvent(), Workflow: found.GetPath(), HeadBranch: found.GetHeadBranch(), HeadSHA: found.GetHeadSHA(),
		HeadRepository: found.GetHeadRepository().GetFullName(),
	}, nil
}

// RunEnded reports whether a workflow run is over: no job of it is running or
// waiting.
func (c *Client) RunEnded(ctx context.Context, id int64) (bool, error) {
	run, err := c.Run(ctx, id)
	return err == nil && run.Ended(), err
}

// RunAttemptJobs yields the jobs of one attempt of a run, in the way of
// [Client.Deployments].
//
// See https://docs.github.com/rest/actions/workflow-jobs.
func (c *Client) RunAttemptJobs(ctx context.Context, id int64, attempt int) iter.Seq2[Job, error] {
	q := question{fmt.Sprintf("the jobs of run %d", id), readActions, readPatience}
	return pages(ctx, c, q, func(page github.ListOptions) ([]Job, *github.Response, error) {
		found, response, err := c.rest.Actions.ListWorkflowJobsAttempt(ctx, c.owner, c.name, id, int64(attempt), &page)
		if err != nil {
			return nil, nil, err
		}
		return each(found.Jobs, jobOf), response, nil
	})
}

func jobOf(j *github.WorkflowJob) Job {
	return Job{ID: j.GetID(), Name: j.GetName(), Status: j.GetStatus(), Conclusion: j.GetConclusion(), Runner: j.GetRunnerName()}
}

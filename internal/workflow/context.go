package workflow

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Context is what the runner tells about the job and the event that started
// it. Off a runner it has addresses only.
type Context struct {
	Repository    string // owner/name
	Owner, Name   string // the parts of Repository
	RepositoryID  int64
	DefaultBranch string // "" where the event does not tell

	SHA     string // the commit that is checked out; a merge commit in a pull request
	HeadSHA string // the commit that people look at
	Ref     string // such as refs/heads/main
	RefName string // such as main
	HeadRef string // the branch of the pull request, or ""
	BaseRef string // the branch that the pull request is for, or ""
	Before  string // of a push that is not forced: what SHA descends from; zeros for a new branch, or ""

	RunID       int64
	RunNumber   int
	Attempt     int
	Job         string // its key in the workflow
	Workflow    string // its name
	WorkflowRef string // its file at a ref: owner/name/.github/workflows/x.yml@ref
	WorkflowSHA string // the commit of that file

	Actor           string // who caused the event
	TriggeringActor string // who started this attempt
	Event           string // its name, such as push
	Action          string // of the event, such as opened; or ""
	PullRequest     *PullRequest
	EventErr        error // why the event could not be read; its fields are zero then

	ServerURL     string // without a slash at the end
	APIURL        string // without a slash at the end
	Workspace     string // the folder of the repository
	TempDir       string // emptied at the end of the job; "" on old runners
	RetentionDays int    // the longest that an artifact may be kept; 0 where unknown
}

// PullRequest is the pull request of an event. Context has none where the
// event is about something else.
type PullRequest struct {
	Number   int
	HeadSHA  string
	HeadRef  string
	HeadRepo string // owner/name; "" where it was deleted
	BaseRef  string
	Fork     bool // its branch is not in this repository, or not any more
	Draft    bool
	Merged   bool
	State    string   // open or closed
	Labels   []string // names
	Label    string   // the one that a labeled or unlabeled event is about, or ""
}

// RunURL returns the page of the run's attempt, or "" off a runner.
func (c Context) RunURL() string {
	if c.RunID == 0 {
		return ""
	}
	return fmt.Sprintf("%s/%s/actions/runs/%d/attempts/%d", c.ServerURL, c.Repository, c.RunID, max(c.Attempt, 1))
}

// Context returns what the runner tells. The event is read at the first call.
func (r *Runner) Context() Context { return r.context() }

// readContext joins the environment with the event.
func (r *Runner) readContext() Context {
	// All that can go wrong in the library's part is a number that is none; it
	// stays 0 then.
	known, _ := r.action.Context()
	c := Context{
		Repository:      known.Repository,
		RepositoryID:    r.number("GITHUB_REPOSITORY_ID"),
		SHA:             known.SHA,
		HeadSHA:         known.SHA,
		Ref:             known.Ref,
		RefName:         known.RefName,
		HeadRef:         known.HeadRef,
		BaseRef:         known.BaseRef,
		RunID:           known.RunID,
		RunNumber:       int(known.RunNumber),
		Attempt:         int(known.RunAttempt),
		Job:             known.Job,
		Workflow:        known.Workflow,
		WorkflowRef:     r.getenv("GITHUB_WORKFLOW_REF"),
		WorkflowSHA:     r.getenv("GITHUB_WORKFLOW_SHA"),
		Actor:           known.Actor,
		TriggeringActor: known.TriggeringActor,
		Event:           known.EventName,
		ServerURL:       strings.TrimSuffix(known.ServerURL, "/"),
		APIURL:          strings.TrimSuffix(known.APIURL, "/"),
		Workspace:       known.Workspace,
		TempDir:         r.getenv("RUNNER_TEMP"),
		RetentionDays:   int(known.RetentionDays),
	}
	c.Owner, c.Name = known.Repo()
	e, err := readEvent(r.getenv(eventPath))
	if err != nil {
		c.EventErr = err
		return c
	}
	c.Action = e.Action
	c.DefaultBranch = e.Repository.DefaultBranch
	c.HeadSHA = cmp.Or(e.headSHA(), c.SHA)
	if c.Event == "push" && !e.Forced && e.After == c.SHA {
		c.Before = e.Before
	}
	c.PullRequest = e.pullRequest()
	return c
}

// number reads a decimal number of the environment. The runner writes these;
// one that is no number is as good as absent.
func (r *Runner) number(variable string) int64 {
	n, _ := strconv.ParseInt(r.getenv(variable), 10, 64)
	return n
}

// Package preview is the life of a pull request's preview: what an event asks
// for, which previews there are, and when the time of one is over.
//
// A preview is an app deployed to the workspace of a pull request. The list of
// previews is GitHub's own: each deploy left a Deployment with a task of ours in
// the environment that all previews share, and those of a preview go when the
// preview does. So it names also apps that the file at hand never had.
package preview

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
)

// Environment is the one that all previews share: a job's token may not delete
// environments, so one for each would stay for ever.
const Environment = "preview"

// taskPrefix begins the task of every Deployment of a preview.
const taskPrefix = "deploy-action-preview:"

// Workspace is the workspace of a pull request.
func Workspace(number int) string { return fmt.Sprintf("pr-%d", number) }

// Preview is one app of one pull request, as its Deployments tell it.
type Preview struct {
	Project string
	App     string
	Number  int // of the pull request

	Deployments []github.Deployment // newest first, never empty
}

// Pushed is when the preview was deployed last.
func (p Preview) Pushed() time.Time { return p.Deployments[0].Created }

// payload is what we read of what a Deployment carries.
type payload struct {
	Project   string `json:"project"`
	App       string `json:"app"`
	Workspace string `json:"workspace"`
}

// List returns the previews of the repository, ordered by pull request, project
// and app.
func List(ctx context.Context, client *github.Client) ([]Preview, error) {
	var previews []Preview
	for d, err := range client.Deployments(ctx, github.DeploymentQuery{Environment: Environment}) {
		if err != nil {
			return nil, fmt.Errorf("listing the previews: %w", err)
		}
		found, ours := read(d)
		if !ours {
			continue
		}
		at := slices.IndexFunc(previews, found.same)
		if at < 0 {
			previews = append(previews, found)
			continue
		}
		previews[at].Deployments = append(previews[at].Deployments, d)
	}
	slices.SortFunc(previews, func(a, b Preview) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Project, b.Project), cmp.Compare(a.App, b.App))
	})
	return previews, nil
}

// read takes a Deployment for the only one of its preview. It is ours if its
// task says the same as its payload: names may hold what separates the parts of
// a task.
func read(d github.Deployment) (p Preview, ours bool) {
	var said payload
	if !strings.HasPrefix(d.Task, taskPrefix) || json.Unmarshal(d.Payload, &said) != nil {
		return Preview{}, false
	}
	p = Preview{Project: said.Project, App: said.App, Deployments: []github.Deployment{d}}
	if _, err := fmt.Sscanf(said.Workspace, "pr-%d", &p.Number); err != nil || said.Workspace != Workspace(p.Number) {
		return Preview{}, false
	}
	return p, p.Number > 0 && d.Task == fmt.Sprintf("%s%s/%s#%d", taskPrefix, p.Project, p.App, p.Number)
}

func (p Preview) same(other Preview) bool {
	return p.Project == other.Project && p.App == other.App && p.Number == other.Number
}

// Of returns those of previews that belong to a pull request and, unless it is
// "", to a project.
func Of(previews []Preview, number int, project string) []Preview {
	return slices.DeleteFunc(slices.Clone(previews), func(p Preview) bool {
		return p.Number != number || project != "" && p.Project != project
	})
}

// Room reports whether a pull request may have a preview of an app where there
// may be most at a time: it has one already, or there are fewer.
func Room(previews []Preview, project, app string, number, most int) bool {
	others := 0
	for _, p := range previews {
		if p.Project != project || p.App != app {
			continue
		}
		if p.Number == number {
			return true
		}
		others++
	}
	return others < most
}

// Forget deletes the Deployments of a preview that was destroyed. GitHub keeps
// those that are not inactive.
func Forget(ctx context.Context, client *github.Client, p Preview) error {
	for _, d := range slices.Backward(p.Deployments) {
		err := client.SetDeploymentStatus(ctx, d.ID, github.DeploymentStatus{State: "inactive", Description: "destroyed"})
		if err == nil {
			err = client.DeleteDeployment(ctx, d.ID)
		}
		if err != nil {
			return fmt.Errorf("taking the Deployments of a destroyed preview away: %w", err)
		}
	}
	return nil
}

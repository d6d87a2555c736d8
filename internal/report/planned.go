package report

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/github"
)

// Plan is what a plan says of one app, as the comment of a pull request tells
// it.
type Plan struct {
	App       string
	Workspace string
	Text      string // in short: that of [PlanText], or why there is none
	Failed    bool
	RunURL    string         // of the run that made it; or ""
	Whole     component.Plan // empty where another run made it
}

// planWords say what is counted of a plan, in the order of the text.
var planWords = []struct {
	action component.Action
	words  string
}{
	{component.Create, "to create"}, {component.Update, "to update"}, {component.Replace, "to replace"}, {component.Delete, "to delete"},
}

// PlanText is a plan in one line: how much would change.
func PlanText(p component.Plan) string {
	var parts []string
	for _, w := range planWords {
		count := 0
		for _, c := range p.Changes {
			if c.Action == w.action {
				count++
			}
		}
		if count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count, w.words))
		}
	}
	if len(parts) == 0 {
		return "nothing would change"
	}
	return strings.Join(parts, ", ")
}

// planStatus is how the commit status of a plan is called. Names of projects
// and apps hold no slash, so no app's own status is called so.
func planStatus(project string, p Plan) string {
	return fmt.Sprintf("deploy-action/plan/%s/%s (%s)", project, p.App, p.Workspace)
}

var planStatusName = regexp.MustCompile(`^deploy-action/plan/([^/ ]+)/([^/ ]+) \(([^() ]+)\)$`)

// Planned tells what a plan came to by a status of the commit. It is what is
// left of the plan for those who write the comment later: they read it with
// [Plans].
func (r *Reporter) Planned(ctx context.Context, project string, p Plan) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	sha := r.options.Run.HeadSHA
	if sha == "" || r.options.NoStatuses {
		return nil
	}
	to := success
	if p.Failed {
		to = failure
	}
	name := planStatus(project, p)
	return r.tell(ctx, "statuses", name, func(ctx context.Context) error {
		return r.options.Client.SetStatus(ctx, sha, github.Status{
			Context: name, State: to, TargetURL: p.RunURL,
			Description: statusText(r.options.Secrets.RedactString(p.Text), identity{}),
		})
	})
}

// mostStatuses bounds how many statuses of a commit are looked at in search of
// plans.
const mostStatuses = 500

// Plans returns the plans of a project's apps that were made of a commit, as
// its statuses tell them.
func Plans(ctx context.Context, client *github.Client, project, commit string) ([]Plan, error) {
	var found []Plan
	seen := 0
	for s, err := range client.Statuses(ctx, commit) {
		if err != nil {
			return nil, err
		}
		name := planStatusName.FindStringSubmatch(s.Context)
		if name != nil && name[1] == project {
			p := Plan{App: name[2], Workspace: name[3], Text: s.Description, Failed: s.State != success, RunURL: s.TargetURL}
			if !slices.ContainsFunc(found, p.same) { // the newest one counts
				found = append(found, p)
			}
		}
		if seen++; seen == mostStatuses {
			break
		}
	}
	return found, nil
}

// same reports whether other is about the same app in the same workspace.
func (p Plan) same(other Plan) bool { return p.App == other.App && p.Workspace == other.Workspace }

// MergePlans returns plans in the order of the comment: those that this run
// made take the place of what was read of them.
func MergePlans(read, own []Plan) []Plan {
	merged := slices.Clone(own)
	for _, p := range read {
		if !slices.ContainsFunc(own, p.same) {
			merged = append(merged, p)
		}
	}
	slices.SortFunc(merged, func(a, b Plan) int {
		return strings.Compare(a.App+" "+a.Workspace, b.App+" "+b.Workspace)
	})
	return merged
}

package claim

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
)

// mostSurveyed is how many Deployments a survey looks at: ten pages.
const mostSurveyed = 1000

// Survey is what the newest Deployments tell of one app.
type Survey struct {
	Page
	Serving *Intent // the newest that is released; nil where none was found

	destroyed time.Time // when the newest Deployment was made of those that were destroyed
}

// Survey looks at the newest Deployments to a workspace, 100 with each request,
// until it has found one of each app by whose last status released takes it for
// released, or has seen 1,000. It returns a survey for each of the apps.
//
// Statuses of those whose place another one took may be missing. So what was
// released before a Deployment was made that is destroyed by now serves nobody.
func (in Intents) Survey(ctx context.Context, project, workspace string, apps []string, released func(app string, s github.DeploymentStatus) bool) (map[string]*Survey, error) {
	surveys, keys := map[string]*Survey{}, map[string]Key{}
	for _, app := range apps {
		k := Key{project, app, workspace}
		surveys[app], keys[k.task("")] = &Survey{}, k
	}
	missing, seen := len(surveys), 0
	for d, err := range in.Client.LatestDeployments(ctx, Key{Workspace: workspace}.environment()) {
		if err != nil {
			return nil, err
		}
		if missing == 0 || seen == mostSurveyed {
			for _, s := range surveys {
				s.Full = true
			}
			break
		}
		seen++
		k, ours := keys[d.Task]
		if ours && surveys[k.App].add(k, d, released) {
			missing--
		}
	}
	return surveys, nil
}

// add adds a Deployment with the task of k. It reports whether it is the first
// one that says released, which decides what serves.
func (s *Survey) add(k Key, d github.LatestDeployment, released func(app string, s github.DeploymentStatus) bool) bool {
	var p Payload
	err := json.Unmarshal(d.Payload, &p)
	if err == nil && p.Lock {
		return false
	}
	if err != nil || !p.known() {
		s.Unreadable++
		return false
	}
	if p.Project != k.Project || p.App != k.App || p.Workspace != k.Workspace {
		return false
	}
	s.Intents = append(s.Intents, Intent{d.ID, d.SHA, d.Created, p})
	if d.Status.State == "inactive" && strings.HasPrefix(d.Status.Description, textDestroyed) && d.Created.After(s.destroyed) {
		s.destroyed = d.Created
	}
	if s.Serving != nil || !released(k.App, d.Status) {
		return false
	}
	if s.destroyed.IsZero() || d.Status.Created.After(s.destroyed) { // as after a rollback
		s.Serving = new(s.Intents[len(s.Intents)-1])
	}
	return true
}

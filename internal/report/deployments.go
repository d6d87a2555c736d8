package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
)

// Change is a status that a Deployment is to have, and that the post step sets:
// it has the time to look for Deployments of other runs. A file carries it
// there.
type Change struct {
	Project    string `json:"project"`
	App        string `json:"app"`
	Workspace  string `json:"workspace"`
	Deployment string `json:"deployment"`
	ID         int64  `json:"id,omitempty"` // of the Deployment; 0 where it has to be looked for

	State       string `json:"state"`
	Description string `json:"description"`
	URL         string `json:"url,omitempty"`
}

// Left returns, once, the changes that are left to the post step: the Deployment
// whose place another one took, or that was destroyed, is inactive now, and one
// of an earlier run that was released again serves.
func (r *Reporter) Left() []Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := r.left
	r.left = nil
	if r.spares() {
		for _, change := range left {
			r.dropped[change.Deployment+" "+change.State] = true
		}
		return nil
	}
	return left
}

// Environment returns the environment of a Deployment that was told of; "" for
// none.
func (r *Reporter) Environment() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.told {
		for _, own := range p.made {
			if own.told != "" {
				return placeOf(own.wanted).Environment
			}
		}
	}
	return ""
}

// deployed is a deployment of this run, and what was told of it.
type deployed struct {
	identity
	wanted Change // its last status; without a state until that is known
	told   string // the state that its Deployment has; "" for none
}

// setDeployment sets the status of the Deployment that the last operation was
// about. One of another run changes only by serving again. Where that undoes a
// failure it never ceased to, as far as people were told.
func (r *Reporter) setDeployment(ctx context.Context, p *progress, to, what string, undoing bool) error {
	if r.options.Intent == nil || p.about.deployment == "" {
		return nil
	}
	id, found := r.options.Intent(p.about.deployment)
	change := Change{
		Project: p.last.Project, App: p.last.App, Workspace: p.last.Workspace, Deployment: p.about.deployment, ID: id,
		State: to, Description: r.text(p, what), URL: p.last.URL,
	}
	own := p.made[p.about.deployment]
	serves := to == success && p.last.Operation == "release"
	switch {
	case own == nil && (!serves || undoing), own != nil && !found && !r.options.Late:
		return nil
	case own == nil:
		r.left = append(r.left, change)
	case !found:
		own.wanted, own.told = change, to
		r.left = append(r.left, change)
	default:
		own.wanted = change
	}
	if serves {
		r.supersede(ctx, p)
	}
	return r.sendOwn(ctx, own)
}

// sendOwn sends the wanted status of a Deployment of this run.
func (r *Reporter) sendOwn(ctx context.Context, own *deployed) error {
	if own == nil || own.wanted.State == own.told {
		return nil
	}
	return r.tell(ctx, "deployments", own.deployment+" "+own.wanted.State, func(ctx context.Context) error {
		err := r.send(ctx, own.wanted)
		if err == nil {
			own.told = own.wanted.State
		}
		return err
	})
}

// settleDeployments ends the Deployments of an app that no operation has ended:
// what they are about serves nobody.
func (r *Reporter) settleDeployments(ctx context.Context, p *progress) error {
	var errs []error
	for _, deployment := range slices.Sorted(maps.Keys(p.made)) {
		own := p.made[deployment]
		if own.wanted.State == "" {
			p.about = own.identity
			errs = append(errs, r.setDeployment(ctx, p, inactive, "not released", false))
			continue
		}
		errs = append(errs, r.sendOwn(ctx, own))
	}
	return errors.Join(errs...)
}

// supersede leaves it to the post step to make the Deployment inactive that was
// released before the one that is now.
func (r *Reporter) supersede(ctx context.Context, p *progress) {
	if r.options.Store == nil {
		return
	}
	now := p.last
	releases := state.Query{Project: now.Project, App: now.App, Workspace: now.Workspace, Operation: "release", Known: true}
	for former, err := range r.options.Store.List(ctx, releases) {
		if err != nil {
			return // what cannot be known now is superseded by the next release
		}
		served := former.Status == state.Succeeded || former.Status == state.Destroyed
		if !served || former.ID == now.ID {
			continue
		}
		if former.Deployment == now.Deployment {
			return
		}
		id, _ := r.options.Intent(former.Deployment)
		r.left = append(r.left, Change{
			Project: now.Project, App: now.App, Workspace: now.Workspace, Deployment: former.Deployment, ID: id,
			State: inactive, Description: statusText("superseded by "+now.Deployment, identity{}),
		})
		return
	}
}

// destroyed leaves it to the post step to make the Deployment of a release
// inactive that was taken away. Those of previews are deleted as a whole.
func (r *Reporter) destroyed(record state.Record) {
	if r.options.Intent == nil || record.Operation != "release" || previewName.MatchString(record.Workspace) {
		return
	}
	id, _ := r.options.Intent(record.Deployment)
	r.left = append(r.left, Change{
		Project: record.Project, App: record.App, Workspace: record.Workspace, Deployment: record.Deployment, ID: id,
		State: inactive, Description: "destroyed",
	})
}

// Finish carries out what an earlier process left to the post step. A
// Deployment that is not there any more is no error.
func (r *Reporter) Finish(ctx context.Context, changes []Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, c := range changes {
		errs = append(errs, r.tell(ctx, "deployments", c.Deployment+" "+c.State, func(ctx context.Context) error {
			if c.ID == 0 {
				id, err := r.find(ctx, c)
				if err != nil || id == 0 {
					return err
				}
				c.ID = id
			}
			return r.send(ctx, c)
		}))
	}
	return errors.Join(errs...)
}

// send sets the status of a Deployment.
func (r *Reporter) send(ctx context.Context, c Change) error {
	return r.options.Client.SetDeploymentStatus(ctx, c.ID, github.DeploymentStatus{
		State: c.State, Description: c.Description, EnvironmentURL: webURL(c.URL), LogURL: r.options.Run.RunURL(),
	})
}

// mostListed bounds the search for a Deployment: an older one is on no page
// that people look at.
const mostListed = 100

// find returns the Deployment of a deployment; 0 where there is none.
func (r *Reporter) find(ctx context.Context, c Change) (int64, error) {
	listed := 0
	for d, err := range r.options.Client.Deployments(ctx, placeOf(c)) {
		if err != nil {
			return 0, err
		}
		var payload struct{ Deployment string }
		// A payload that is not ours is of no Deployment of ours.
		if json.Unmarshal(d.Payload, &payload) == nil && payload.Deployment == c.Deployment {
			return d.ID, nil
		}
		if listed++; listed == mostListed {
			break
		}
	}
	return 0, nil
}

// previewName is how the workspace of a pull request is called.
var previewName = regexp.MustCompile(`^pr-([0-9]+)$`)

// placeOf says which Deployments the store makes for an app in a workspace. All
// previews share an environment.
func placeOf(c Change) github.DeploymentQuery {
	if number := previewName.FindStringSubmatch(c.Workspace); number != nil {
		return github.DeploymentQuery{Task: fmt.Sprintf("deploy-action-preview:%s/%s#%s", c.Project, c.App, number[1]), Environment: "preview"}
	}
	return github.DeploymentQuery{Task: fmt.Sprintf("deploy-action:%s/%s", c.Project, c.App), Environment: c.Workspace}
}

// webURL returns an address that GitHub may link to, without user and query;
// "" for all others.
func webURL(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return shown.String()
}

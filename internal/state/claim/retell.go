package claim

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
)

// How the texts of a Deployment's statuses begin that say more than its states
// do. Package report writes them.
const (
	textReleased  = "released"
	textDestroyed = "destroyed"
)

// Rebuild makes records of intents of one app in one workspace whose own records
// are lost: of each deploy one, of the image that it was given a push, and of
// each time that it got the traffic a release. What a release made, and by which
// plugin, was told to nobody. The sequences of pushes and releases are none of
// those in kept, the records of the app that are not lost.
func (in Intents) Rebuild(ctx context.Context, intents []Intent, kept []state.Record) ([]state.Record, error) {
	var all []state.Record
	for _, i := range intents {
		statuses, err := in.statuses(ctx, i.ID)
		if err != nil {
			return nil, err
		}
		deploy := i.rebuilt(statuses)
		if push, ok := i.push(deploy); ok {
			deploy.Parent = push.ID
			all = append(all, push)
		}
		all = append(all, deploy)
		all = append(all, releases(deploy, statuses)...)
	}
	endReleases(all)
	number(all, kept, "push")
	number(all, kept, "release")
	return all, nil
}

// statuses returns what a Deployment was told, newest first.
func (in Intents) statuses(ctx context.Context, id int64) ([]github.DeploymentStatus, error) {
	var all []github.DeploymentStatus
	for s, err := range in.Client.DeploymentStatuses(ctx, id) {
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// push is the record of the image that was deployed, if there was one.
func (i Intent) push(deploy state.Record) (state.Record, bool) {
	if i.Image == "" || i.Digest == "" {
		return state.Record{}, false
	}
	// This is the form of package artifact, which stores do not know.
	image, err := json.Marshal(map[string]any{
		"kind": "image", "value": map[string]string{"repository": i.Image, "digest": i.Digest},
	})
	if err != nil {
		return state.Record{}, false // strings have a form always
	}
	push := told(deploy, "push", "image", deploy.Started)
	push.Deployment, push.Digest, push.Result = "", i.Digest, image
	return push, true
}

// releases are the records of the times that a deployment got the traffic.
func releases(deploy state.Record, statuses []github.DeploymentStatus) []state.Record {
	var found []state.Record
	destroyed := time.Time{}
	for _, s := range statuses {
		switch {
		case s.State == "inactive" && strings.HasPrefix(s.Description, textDestroyed):
			destroyed = s.Created
		case s.State == "success" && strings.HasPrefix(s.Description, textReleased):
			release := told(deploy, "release", fmt.Sprintf("release-%d", s.Created.Unix()), s.Created)
			release.Digest, release.URL = deploy.Digest, s.EnvironmentURL
			release.Parent = deploy.ID
			if !destroyed.IsZero() {
				release.Status, release.Ended = state.Destroyed, destroyed
			}
			found = append(found, release)
		}
	}
	return found
}

// told is a record beside that of a deploy, which its Deployment tells of, too.
func told(deploy state.Record, operation, name string, at time.Time) state.Record {
	return state.Record{
		Schema: state.Schema, ID: deploy.ID + "-" + name, Operation: operation, Status: state.Succeeded,
		Project: deploy.Project, App: deploy.App, Workspace: deploy.Workspace, Deployment: deploy.Deployment,
		Origin: deploy.Origin, Started: at, Message: deploy.Message,
	}
}

// endReleases destroys every release before one that was taken away: then
// nothing of the app was released any more. One that began later is another
// life, also where it began before GitHub was told of the end: that is left to
// the end of the job.
func endReleases(records []state.Record) {
	var last state.Record // the newest release that was taken away
	for _, r := range records {
		if r.Operation == "release" && r.Status == state.Destroyed && r.Started.After(last.Started) {
			last = r
		}
	}
	for n, r := range records {
		if r.Operation == "release" && r.Started.Before(last.Started) && r.Status != state.Destroyed {
			records[n].Status, records[n].Ended = state.Destroyed, last.Ended
		}
	}
}

// number gives the records of an operation sequences in the order of time. The
// true ones are lost; the last is as high as that of any deploy, so that those
// which follow were most likely never given. All are above those that are kept.
func number(records, kept []state.Record, operation string) {
	highest, given := 0, 0
	for _, r := range kept {
		if r.Operation == operation {
			given = max(given, r.Sequence)
		}
	}
	var order []int
	for n, r := range records {
		switch r.Operation {
		case operation:
			order = append(order, n)
		case "deploy":
			highest = max(highest, r.Sequence)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(records[a].Started.Compare(records[b].Started), cmp.Compare(records[a].ID, records[b].ID))
	})
	first := max(highest-len(order), given) + 1
	for n, at := range order {
		records[at].Sequence = first + n
	}
}

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

// Rebuild makes records of intents of one app in one workspace whose own are
// lost: of each deploy what its Deployment tells, of the image that it was given
// a push, and of each time that it got the traffic a release. What a release
// made, and by which plugin, was told to nobody.
//
// Kept is what is left of the records. A deploy that is among them stays as it
// is, unless it had not ended and did succeed. Of releases they know better, but
// for those after the last that is kept. The sequences of pushes and releases are
// none of theirs.
func (in Intents) Rebuild(ctx context.Context, intents []Intent, kept []state.Record) ([]state.Record, error) {
	var all []state.Record
	for _, i := range intents {
		statuses, err := in.statuses(ctx, i.ID)
		if err != nil {
			return nil, err
		}
		deploy := i.rebuilt(statuses)
		begun, known := i.recordIn(kept)
		push, pushed := i.push(deploy)
		switch {
		case known && deploy.Status == state.Succeeded && begun.Status != state.Succeeded:
			begun.Status, begun.URL, begun.Message = deploy.Status, deploy.URL, deploy.Message
			all = append(all, begun)
		case known:
		case pushed:
			deploy.Parent = push.ID
			all = append(all, push, deploy)
		default:
			all = append(all, deploy)
		}
		all = append(all, after(kept, releases(deploy, statuses))...)
	}
	endReleases(all)
	number(all, kept, "push")
	number(all, kept, "release")
	return all, nil
}

// recordIn returns the record of the deploy that i tells of.
func (i Intent) recordIn(records []state.Record) (state.Record, bool) {
	at := slices.IndexFunc(records, func(r state.Record) bool { return r.ID == i.Record })
	if at < 0 {
		return state.Record{}, false
	}
	return records[at], true
}

// after returns those of the releases of one deployment, newest first, of which
// the kept records know nothing. A status is told a while after the release that
// it is about began, so that they are counted.
func after(kept, releases []state.Record) []state.Record {
	if len(releases) == 0 {
		return nil
	}
	last, unknown := time.Time{}, len(releases)
	for _, r := range kept {
		if r.Operation != "release" {
			continue
		}
		if r.Started.After(last) {
			last = r.Started
		}
		if r.Deployment == releases[0].Deployment {
			unknown--
		}
	}
	newest := releases[:max(0, unknown)]
	return slices.DeleteFunc(newest, func(r state.Record) bool { return r.Started.Before(last) })
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

// number gives the records of an operation sequences in the order of time, after
// those that are kept. The true ones are lost; the last is as high as that of any
// deploy, so that those which follow were most likely never given.
func number(records, kept []state.Record, operation string) {
	highest, taken := 0, 0
	for _, r := range kept {
		switch r.Operation {
		case operation:
			taken = max(taken, r.Sequence)
		case "deploy":
			highest = max(highest, r.Sequence)
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
	first := max(highest-len(order), taken) + 1
	for n, at := range order {
		records[at].Sequence = first + n
	}
}

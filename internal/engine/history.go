package engine

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/state"
)

// history is what is recorded of one app in one workspace, newest first.
type history []state.Record

// history reads what is recorded of an app in this run's workspace.
func (e *Engine) history(ctx context.Context, app string) (history, error) {
	return e.historyIn(ctx, e.Workspace, app)
}

// historyIn reads what is recorded of an app in a workspace.
func (e *Engine) historyIn(ctx context.Context, workspace, app string) (history, error) {
	return e.historyOf(ctx, state.Query{Project: e.Project.Name(), App: app, Workspace: workspace})
}

// historyOf reads what a query selects, which is of one app in one workspace.
func (e *Engine) historyOf(ctx context.Context, q state.Query) (history, error) {
	var h history
	for r, err := range e.Store.List(ctx, q) {
		if err != nil {
			return nil, unreadable(err)
		}
		h = append(h, r)
	}
	return h, nil
}

// unreadable makes an error of the store one that stopped the verb before it
// touched anything.
func unreadable(err error) error { return &InvalidError{diag.Locate(err, nil, hcl.Range{})} }

// put replaces the record of r's ID, or adds r as the newest.
func (h history) put(r state.Record) history {
	for i := range h {
		if h[i].ID == r.ID {
			h[i] = r
			return h
		}
	}
	return append(history{r}, h...)
}

// next returns the sequence of the next operation of that name.
func (h history) next(operation string) int {
	highest := 0
	for _, r := range h {
		if r.Operation == operation {
			highest = max(highest, r.Sequence)
		}
	}
	return highest + 1
}

// latest returns the newest record of an operation in a status.
func (h history) latest(operation string, status state.Status) (state.Record, bool) {
	for _, r := range h {
		if r.Operation == operation && r.Status == status {
			return r, true
		}
	}
	return state.Record{}, false
}

// released returns the release that serves users.
func (h history) released() (state.Record, bool) {
	return h.latest(stageRelease, state.Succeeded)
}

// releases returns the releases that were not taken away.
func (h history) releases() []state.Record {
	var found []state.Record
	for _, r := range h {
		if r.Operation == stageRelease && r.Status != state.Destroyed {
			found = append(found, r)
		}
	}
	return found
}

// unsettled returns the newest release that may have moved traffic, if it did
// not end well: it made something, or its run died.
func (h history) unsettled() (state.Record, bool) {
	for _, r := range h.releases() {
		if r.Status != state.Failed || len(r.Result) > 0 {
			return r, r.Status != state.Succeeded
		}
	}
	return state.Record{}, false
}

// serving returns the deployments that may have traffic: the released one, and
// those of later releases that did not end well, for nobody knows how far they
// came.
func (h history) serving() map[string]bool {
	serving := map[string]bool{}
	for _, r := range h.releases() {
		serving[r.Deployment] = true
		if r.Status == state.Succeeded {
			break
		}
	}
	return serving
}

// deployments returns one record for each deployment that may still exist,
// newest first: the one that got furthest.
func (h history) deployments() []state.Record {
	var (
		found     []state.Record
		index     = map[string]int{}
		destroyed = map[string]bool{}
	)
	for _, r := range h {
		if r.Operation != stageDeploy || r.Deployment == "" {
			continue
		}
		if r.Status == state.Destroyed {
			destroyed[r.Deployment] = true
		}
		i, known := index[r.Deployment]
		switch {
		case !known:
			index[r.Deployment] = len(found)
			found = append(found, r)
		case found[i].Status != state.Succeeded && r.Status == state.Succeeded:
			found[i] = r
		}
	}
	live := found[:0]
	for _, r := range found {
		if !destroyed[r.Deployment] {
			live = append(live, r)
		}
	}
	return live
}

// attempts returns every record of a deployment's operation.
func (h history) attempts(deployment string) []state.Record {
	var found []state.Record
	for _, r := range h {
		if r.Operation == stageDeploy && r.Deployment == deployment {
			found = append(found, r)
		}
	}
	return found
}

// find returns the record that ref names among those of an operation: a number
// is a sequence, anything else the ID of a record or of a deployment.
func (h history) find(operation, ref string) (state.Record, bool) {
	sequence, err := strconv.Atoi(strings.TrimPrefix(ref, "v"))
	for _, r := range h {
		if r.Operation != operation {
			continue
		}
		if (err == nil && r.Sequence == sequence) || r.ID == ref || (r.Deployment != "" && r.Deployment == ref) {
			return r, true
		}
	}
	return state.Record{}, false
}

// parent returns the record that r worked from.
func (h history) parent(r state.Record) (state.Record, bool) {
	for _, p := range h {
		if p.ID == r.Parent {
			return p, true
		}
	}
	return state.Record{}, false
}

// deploymentEncoding is base32 in lower case: safe in DNS labels.
var deploymentEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newDeploymentID returns the app's name as a DNS label of at most 19
// characters, a dash, and 10 random characters.
func newDeploymentID(app string) string {
	random := make([]byte, 7)
	_, _ = rand.Read(random) // crypto/rand: never fails
	return component.Label(app, 19) + "-" + deploymentEncoding.EncodeToString(random)[:10]
}

package claim

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// schema is the newest schema of payloads. Readers accept every older one.
const schema = 1

// newest is how many Deployments are looked at: one page of GitHub's list.
const newest = 100

// Intents are the Deployments that say what will be deployed. The zero value is
// of no use: it needs a client, and the run that deploys.
type Intents struct {
	Client *github.Client
	Run    workflow.Context
}

// Intent is one deployment that GitHub was told of.
type Intent struct {
	ID      int64 // of the Deployment at GitHub
	Commit  string
	Created time.Time
	Payload
}

// Told returns as much of the record of a deploy as an intent tells.
func (i Intent) Told() state.Record {
	return state.Record{
		ID: i.Record, Operation: "deploy", Project: i.Project, App: i.App, Workspace: i.Workspace,
		Sequence: i.Sequence, Deployment: i.Deployment,
	}
}

// Payload is what the Deployment of an intent holds. It cannot be changed
// later, and anybody who may make Deployments can make one up.
type Payload struct {
	Schema     int    `json:"schema"`
	Project    string `json:"project"`
	App        string `json:"app"`
	Workspace  string `json:"workspace"`
	Deployment string `json:"deployment"` // our ID of it
	Record     string `json:"record"`     // ID of its record
	Sequence   int    `json:"sequence"`
	Run        int64  `json:"run,omitempty"`
	Attempt    int    `json:"attempt,omitempty"`
	Plugin     string `json:"plugin"`
	Image      string `json:"image,omitempty"` // without its digest
	Digest     string `json:"digest,omitempty"`

	// Newest is the newest artifact whose records the run had; 0 for none.
	Newest int64 `json:"newest,omitempty"`

	// Lock says that it is no intent, but a place in the queue of a lock.
	Lock bool `json:"lock,omitempty"`
}

// known reports whether we can say what p is about.
func (p Payload) known() bool {
	return p.Schema >= 1 && p.Schema <= schema && p.Deployment != "" && p.Record != ""
}

// Create tells GitHub of the deployment that r is about to make, from image,
// by whoever has read the state up to the artifact newest, and returns the
// Deployment's ID. Once it returns, the deployment is known even if the machine is
// lost.
func (in Intents) Create(ctx context.Context, r state.Record, image string, newest int64) (id int64, err error) {
	k := Key{r.Project, r.App, r.Workspace}
	content, err := json.Marshal(Payload{
		Schema: schema, Project: r.Project, App: r.App, Workspace: r.Workspace, Deployment: r.Deployment, Record: r.ID,
		Sequence: r.Sequence, Run: r.Origin.Run, Attempt: r.Origin.Attempt, Plugin: r.Plugin, Image: image, Digest: r.Digest,
		Newest: newest,
	})
	if err != nil {
		return 0, fmt.Errorf("writing an intent: %w", err)
	}
	made, err := in.Client.CreateDeployment(ctx, github.Deployment{
		Ref: in.Run.HeadSHA, Task: k.task(""), Environment: k.environment(), Payload: content,
		Transient: k.Preview() != "", Production: k.Workspace == "production",
		Description: fmt.Sprintf("%s #%d: %s", r.App, r.Sequence, r.Deployment),
	})
	return made.ID, err
}

// Page is the newest of our Deployments of one app in one workspace.
type Page struct {
	Intents    []Intent // newest first
	Unreadable int      // Deployments with our task whose payload says nothing to us
	Full       bool     // there may be older ones
	Left       []Left   // newest first; empty where nobody looked for tickets
}

// Left is what a ticket of a lock by Deployments tells: a run has uploaded what no
// list leads to.
type Left struct {
	Run  int64
	Kept int64 // the newest artifact that it is known to have uploaded; 0 for none
}

// Recent returns the newest intents of k, with one request.
func (in Intents) Recent(ctx context.Context, k Key) (Page, error) {
	page, _, err := listed(ctx, in.Client, k, k.task(""))
	return page, err
}

// listed returns the newest intents of k and the tickets of its lock, both newest
// first, as far as they have the task.
func listed(ctx context.Context, client *github.Client, k Key, task string) (page Page, tickets []ticket, err error) {
	seen := 0
	for d, err := range client.Deployments(ctx, github.DeploymentQuery{Task: task, Environment: k.environment()}) {
		if err != nil {
			return Page{}, nil, err
		}
		var p Payload
		var l lockPayload
		switch err := json.Unmarshal(d.Payload, &p); {
		case err == nil && p.Lock:
			if json.Unmarshal(d.Payload, &l) == nil && l.Key == k {
				tickets = append(tickets, ticket{id: d.ID, Holder: l.Holder, free: l.Free, kept: l.Kept})
				if l.Free && l.Run != 0 {
					page.Left = append(page.Left, Left{l.Run, l.Kept})
				}
			}
		case err != nil || !p.known():
			page.Unreadable++
		case p.Project == k.Project && p.App == k.App && p.Workspace == k.Workspace:
			page.Intents = append(page.Intents, Intent{d.ID, d.SHA, d.Created, p})
		}
		if seen++; seen == newest {
			page.Full = true
			break
		}
	}
	return page, tickets, nil
}

// rebuilt is the record of the deploy, as statuses tell, newest first. It says
// less than the lost record and loses against any copy of it that is as far
// along.
func (i Intent) rebuilt(statuses []github.DeploymentStatus) state.Record {
	r := state.Record{
		Schema: state.Schema, ID: i.Record, Operation: "deploy", Status: state.Running,
		Project: i.Project, App: i.App, Workspace: i.Workspace, Plugin: i.Plugin, Sequence: i.Sequence,
		Deployment: i.Deployment, Digest: i.Digest, Started: i.Created,
		Origin:  state.Origin{Commit: i.Commit, Run: i.Run, Attempt: i.Attempt},
		Message: fmt.Sprintf("%sGitHub Deployment %d", state.RebuiltFrom, i.ID),
	}
	for _, s := range statuses {
		switch s.State {
		case "success":
			// A deployment that served once did succeed, though it is
			// inactive by now: a later one took its place.
			r.Status, r.URL = state.Succeeded, s.EnvironmentURL
			return r
		case "failure", "error":
			r.Status = state.Failed
		}
	}
	return r
}

// Package report makes what people look at outside the log: the commit status
// of each app, the statuses of its Deployments, and the page of the run.
//
// It tells what others have done and decides nothing. It creates no GitHub
// Deployment, and an error of it never changes how an operation ends.
package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// Options says where a [Reporter] reports, and about which run.
type Options struct {
	Client  *github.Client
	Run     workflow.Context
	Secrets *secret.Set

	// Store is where deployments of earlier runs are looked up, to name them in
	// full and to know which one a release takes the place of. Nil where none
	// can be asked.
	Store state.Store

	// Intent returns the GitHub Deployment that the store left before a deploy.
	// Nil where there are no Deployments: then nothing is told of any.
	Intent func(deployment string) (id int64, found bool)

	NoStatuses bool // no commit statuses
	Late       bool // another process made the Deployments: one that Intent does not know may exist

	// Spare reports whether the run has to do with few requests. Then it tells
	// how its own Deployments ended, and nothing else. Nil says no.
	Spare func() bool
}

// Reporter sets one commit status for each app, on the commit that people look
// at, and the status of each Deployment that its run made. It implements the
// engine's Reporter and is safe for concurrent use.
//
// The first operation of an app that goes wrong decides what its commit says:
// what the run does to the app after that undoes the failure. A Deployment gets
// its last status only. That it is under way its environment shows without one,
// and the requests of a repository are few.
type Reporter struct {
	options Options

	mu      sync.Mutex
	told    map[string]*progress // by name of the status
	left    []Change             // for the post step
	dropped map[string]bool      // what could not be told
	refused map[string]bool      // of which kind nothing can be told
	limited map[string]bool      // of these, the kinds that may be told later
}

// progress is what we know of one app, and what was told about it.
type progress struct {
	last    state.Record
	about   identity // of the deployment of last
	state   string   // that its commit has; "" for none
	verdict string   // that it is to have, once its operations have ended
	text    string   // that goes with it
	made    map[string]*deployed
}

// wrong reports whether an operation of the app went wrong. What is done after
// that puts back what served before.
func (p *progress) wrong() bool { return p.verdict == failure || p.verdict == failed }

// The states of a commit status. Deployments share two of them.
const (
	pending  = "pending"
	success  = "success"
	failure  = "failure"
	failed   = "error"    // GitHub's word for what was neither well nor badly done
	inactive = "inactive" // of a Deployment: it serves nobody
)

// New returns a Reporter that has told nothing yet.
func New(o Options) *Reporter {
	return &Reporter{options: o, told: map[string]*progress{}, dropped: map[string]bool{}, refused: map[string]bool{}, limited: map[string]bool{}}
}

// Report tells where the operation of r stands, if that changes what was told:
// pending from the app's first operation on, success after its release, failure
// or error when an operation ends so. That a release was destroyed is told of its
// Deployment alone.
//
// It returns an error for what could not be told, but complains only once that
// the token may not tell it, and that the requests are used up.
func (r *Reporter) Report(ctx context.Context, record state.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case record.Status == state.Destroyed:
		r.destroyed(record)
		return nil
	case record.Operation == "hold":
		return nil
	}
	p := r.progress(ctx, record)
	switch record.Status {
	case state.Running:
		if p.wrong() {
			return nil
		}
		p.verdict = ""
		return r.setStatus(ctx, p, pending, r.text(p, record.Operation+" is running"))
	case state.Failed:
		return r.end(ctx, p, failure, failure, fmt.Sprintf("%s failed: %s", record.Operation, record.Message))
	case state.Interrupted:
		return r.end(ctx, p, failed, inactive, record.Operation+" was cancelled")
	case state.Succeeded:
		if record.Operation == "release" {
			return r.end(ctx, p, success, success, doneWords[record.Operation])
		}
	}
	return nil
}

// Settle ends what is still pending, for nothing may stay so for ever: with
// success where the app's last operation went well and the run did too, as
// after a deploy without a release; else with error. It tries again what could
// not be told before, also what had to wait: first where something else is
// shown. Call it once, at the end.
func (r *Reporter) Settle(ctx context.Context, well bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.refused, func(kind string, _ bool) bool { return r.limited[kind] })
	names := slices.SortedFunc(maps.Keys(r.told), func(a, b string) int {
		return cmp.Or(-cmp.Compare(r.told[a].state, r.told[b].state), cmp.Compare(a, b))
	})
	var errs []error
	for _, name := range names {
		p := r.told[name]
		switch {
		case p.verdict != "":
			errs = append(errs, r.setStatus(ctx, p, p.verdict, p.text))
		case p.last.Status != state.Succeeded:
			errs = append(errs, r.end(ctx, p, failed, inactive, p.last.Operation+" did not end"))
		case well:
			errs = append(errs, r.end(ctx, p, success, success, doneWords[p.last.Operation]))
		default:
			errs = append(errs, r.end(ctx, p, failed, inactive, "stopped after "+p.last.Operation))
		}
		errs = append(errs, r.settleDeployments(ctx, p))
	}
	return errors.Join(errs...)
}

// Dropped returns how much could not be told.
func (r *Reporter) Dropped() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.dropped)
}

// progress returns what is known of the app of record, with record added.
func (r *Reporter) progress(ctx context.Context, record state.Record) *progress {
	name := statusName(record)
	p := r.told[name]
	if p == nil {
		p = &progress{made: map[string]*deployed{}}
		r.told[name] = p
	}
	p.last, p.about = record, identity{}
	if record.Deployment == "" {
		return p
	}
	own := p.made[record.Deployment]
	switch {
	case own != nil:
		p.about = own.identity
	case record.Operation == "deploy":
		p.about = identity{record.Deployment, record.Sequence, record.Digest}
		p.made[record.Deployment] = &deployed{identity: p.about}
	default:
		p.about = r.recorded(ctx, record)
	}
	return p
}

// recorded returns the identity of a deployment that another run made.
func (r *Reporter) recorded(ctx context.Context, release state.Record) identity {
	known := identity{deployment: release.Deployment, digest: release.Digest}
	if r.options.Store == nil {
		return known
	}
	query := state.Query{Project: release.Project, App: release.App, Workspace: release.Workspace, Operation: "deploy", Deployment: release.Deployment, Known: true}
	// A text leaves out what cannot be had.
	if record, err := state.Latest(ctx, r.options.Store, query); err == nil {
		known.sequence, known.digest = record.Sequence, record.Digest
	}
	return known
}

// end gives the app and its deployment their last statuses. An app that went
// wrong stays so, also when the failure is undone.
func (r *Reporter) end(ctx context.Context, p *progress, commit, deployment, what string) error {
	undoing := p.wrong()
	var err error
	if !undoing {
		p.verdict, p.text = commit, r.text(p, what)
		err = r.setStatus(ctx, p, commit, p.text)
	}
	return errors.Join(err, r.setDeployment(ctx, p, deployment, what, undoing))
}

// text is what a status says of the last operation.
func (r *Reporter) text(p *progress, what string) string {
	return statusText(r.options.Secrets.RedactString(what), p.about)
}

func statusName(record state.Record) string {
	return fmt.Sprintf("deploy-action/%s (%s)", record.App, record.Workspace)
}

// setStatus sets the commit status of an app, unless it has that state already.
func (r *Reporter) setStatus(ctx context.Context, p *progress, to, text string) error {
	sha := r.options.Run.HeadSHA
	if sha == "" || r.options.NoStatuses || p.state == to {
		return nil
	}
	if r.spares() {
		p.state = to
		r.dropped[statusName(p.last)+" "+to] = true
		return nil
	}
	return r.tell(ctx, "statuses", statusName(p.last)+" "+to, func(ctx context.Context) error {
		err := r.options.Client.SetStatus(ctx, sha, github.Status{
			Context:     statusName(p.last),
			State:       to,
			Description: text,
			TargetURL:   r.options.Run.RunURL(),
		})
		if err == nil {
			p.state = to
		}
		return err
	})
}

func (r *Reporter) spares() bool { return r.options.Spare != nil && r.options.Spare() }

// patience is how long sending one thing may take, with all tries. A platform
// must not wait for those who are told about it.
const patience = 20 * time.Second

// tell sends something, unless it is of a kind that was refused before, or that
// nobody took in time.
func (r *Reporter) tell(ctx context.Context, kind, name string, send func(context.Context) error) error {
	if r.refused[kind] {
		r.dropped[name] = true
		return nil
	}
	sending, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := send(sending)
	if err == nil {
		delete(r.dropped, name)
		return nil
	}
	r.dropped[name] = true
	_, forbidden := errors.AsType[*github.PermissionError](err)
	_, limited := errors.AsType[*github.LimitError](err)
	late := sending.Err() != nil && ctx.Err() == nil
	r.refused[kind], r.limited[kind] = forbidden || limited || late, limited
	return err
}

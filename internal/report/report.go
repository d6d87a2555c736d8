// Package report makes what people look at outside the log: the commit status
// of each app, and the page of the run.
//
// It tells what others have done and decides nothing. It creates no GitHub
// Deployment, and an error of it never changes how an operation ends.
package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

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
}

// Reporter sets one commit status for each app, on the commit that people look
// at. It implements the engine's Reporter and is safe for concurrent use.
type Reporter struct {
	options Options

	mu      sync.Mutex
	told    map[string]*progress // by name of the status
	refused bool                 // the token may not set statuses
	dropped int
}

// progress is what we know of one app, and what was told about it.
type progress struct {
	state    string // that GitHub has; "" for none
	last     state.Record
	digest   string
	sequence int // of the deployment, whatever operation is under way
}

// The states of a commit status.
const (
	pending = "pending"
	success = "success"
	failure = "failure"
	failed  = "error" // GitHub's word for what was neither well nor badly done
)

// New returns a Reporter that has told nothing yet.
func New(o Options) *Reporter {
	return &Reporter{options: o, told: map[string]*progress{}}
}

// Report tells where the operation of r stands, with one request, if that
// changes what the status says: pending from the app's first operation on,
// success after its release, failure or error when an operation ends so.
//
// It returns an error for each status that could not be set, but complains only
// once that the token may not set any.
func (r *Reporter) Report(ctx context.Context, record state.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if record.Operation == "hold" || record.Status == state.Destroyed {
		return nil
	}
	p := r.progress(record)
	switch record.Status {
	case state.Running:
		return r.set(ctx, p, pending, record.Operation+" is running")
	case state.Failed:
		return r.set(ctx, p, failure, fmt.Sprintf("%s failed: %s", record.Operation, record.Message))
	case state.Interrupted:
		return r.set(ctx, p, failed, record.Operation+" was cancelled")
	case state.Succeeded:
		if record.Operation == "release" {
			return r.set(ctx, p, success, p.achieved())
		}
	}
	return nil
}

// Settle ends what is still pending, for no status may stay so for ever: with
// success where the app's last operation went well and the run did too, as
// after a deploy without a release; else with error. Call it once, at the end.
func (r *Reporter) Settle(ctx context.Context, well bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(r.told)) {
		p := r.told[name]
		if p.state != pending {
			continue
		}
		switch {
		case p.last.Status != state.Succeeded:
			errs = append(errs, r.set(ctx, p, failed, p.last.Operation+" did not end"))
		case well:
			errs = append(errs, r.set(ctx, p, success, p.achieved()))
		default:
			errs = append(errs, r.set(ctx, p, failed, "stopped after "+p.last.Operation))
		}
	}
	return errors.Join(errs...)
}

// Dropped returns how many statuses could not be set.
func (r *Reporter) Dropped() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

// progress returns what is known of the app of record, with record added.
func (r *Reporter) progress(record state.Record) *progress {
	name := statusName(record)
	p := r.told[name]
	if p == nil {
		p = &progress{}
		r.told[name] = p
	}
	p.last = record
	if record.Digest != "" {
		p.digest = record.Digest
	}
	if record.Operation == "deploy" || p.sequence == 0 {
		p.sequence = record.Sequence
	}
	return p
}

func statusName(record state.Record) string {
	return fmt.Sprintf("deploy-action/%s (%s)", record.App, record.Workspace)
}

// set sends a status unless the app has that state already.
func (r *Reporter) set(ctx context.Context, p *progress, to, description string) error {
	sha := r.options.Run.HeadSHA
	if p.state == to || sha == "" {
		return nil
	}
	if r.refused {
		r.dropped++
		return nil
	}
	err := r.options.Client.SetStatus(ctx, sha, github.Status{
		Context:     statusName(p.last),
		State:       to,
		Description: r.options.Secrets.RedactString(description),
		TargetURL:   r.options.Run.RunURL(),
	})
	if err != nil {
		r.dropped++
		_, r.refused = errors.AsType[*github.PermissionError](err)
		return err
	}
	p.state = to
	return nil
}

// achieved says what the app's last operation came to.
func (p *progress) achieved() string {
	words := map[string]string{"build": "built", "push": "pushed", "deploy": "deployed", "release": "released"}
	parts := []string{strings.TrimSpace(words[p.last.Operation] + " " + p.last.Deployment)}
	if p.last.Deployment != "" && p.sequence > 0 {
		parts = append(parts, fmt.Sprintf("sequence %d", p.sequence))
	}
	if p.digest != "" {
		parts = append(parts, shortDigest(p.digest))
	}
	return strings.Join(parts, " · ")
}

// shortDigest is as much of a digest as people compare.
func shortDigest(digest string) string {
	const shown = len("sha256:") + 12
	return digest[:min(len(digest), shown)]
}

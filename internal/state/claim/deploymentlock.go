package claim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
)

// deploymentLock locks with a queue of Deployments, one for each job that wants
// the lock: the lowest ID whose holder is still there has it. Lists of GitHub
// may lag, so this is best effort, for tokens that may not write contents.
type deploymentLock struct {
	crew
	held   map[Key]bool    // by this process
	places map[Key][]int64 // of this job in the queues, where it has the lock
}

// lockPayload is the payload of a lock's Deployment.
type lockPayload struct {
	Schema int `json:"schema"`
	Key
	Holder
}

// ticket is one place in the queue.
type ticket struct {
	id int64
	Holder
}

func (l *deploymentLock) try(ctx context.Context, k Key, ended holders, first bool) (other *Holder, g grant, err error) {
	var queue []ticket
	if !first { // or else the job has no place in it
		if queue, err = l.queue(ctx, k); err != nil {
			return nil, grant{}, err
		}
	}
	own, had := l.ours(queue)
	held := places(queue, l.us())
	switch {
	case had && l.lasting(own.Until):
	case had && time.Now().Before(own.Until):
		// A payload cannot be changed. Another place makes the lease longer, and
		// the first one stays where it is in the queue.
		longer, err := l.enqueue(ctx, k)
		if err != nil {
			return nil, grant{}, err
		}
		own.Until, held = longer.Until, append(held, longer.id)
	default:
		if had { // too late
			if _, err := l.release(ctx, k); err != nil {
				return nil, grant{}, err
			}
		}
		if own, queue, err = l.begin(ctx, k); err != nil {
			return nil, grant{}, err
		}
		held = []int64{own.id}
	}
	for _, t := range queue {
		switch {
		case t.id >= own.id: // behind us
		case ended.has(t.Holder), l.gone(ctx, t.Holder):
			// Whoever comes next meets it again, should this fail.
			_ = l.remove(ctx, t.id)
		default:
			return &t.Holder, grant{}, nil
		}
	}
	g = grant{fresh: !l.held[k], until: own.Until}
	l.held[k], l.places[k] = true, held
	return nil, g, nil
}

// settle does nothing: whoever has this lock makes Deployments, which name runs.
func (l *deploymentLock) settle(Key) {}

func (l *deploymentLock) mark(k Key) mark { return mark{Places: l.places[k]} }

func (l *deploymentLock) recall(k Key, m mark) bool {
	if len(l.places[k]) == 0 && len(m.Places) > 0 {
		l.places[k] = m.Places
	}
	return len(m.Places) > 0
}

// begin stands in line, at its end, and returns the queue as it is then: who
// came between the look before and our place must be seen.
func (l *deploymentLock) begin(ctx context.Context, k Key) (own ticket, queue []ticket, err error) {
	delete(l.held, k)
	if own, err = l.enqueue(ctx, k); err != nil {
		return ticket{}, nil, err
	}
	queue, err = l.queue(ctx, k)
	return own, queue, err
}

func (l *deploymentLock) release(ctx context.Context, k Key) (had bool, err error) {
	delete(l.held, k)
	own := l.places[k]
	if len(own) == 0 {
		queue, err := l.queue(ctx, k)
		if err != nil {
			return false, err
		}
		own = places(queue, l.us())
	}
	err = l.removeAll(ctx, own)
	if err == nil {
		delete(l.places, k)
	}
	return len(own) > 0, err
}

// places returns those that a holder has in a queue.
func places(queue []ticket, h Holder) []int64 {
	var ids []int64
	for _, t := range queue {
		if t.same(h) {
			ids = append(ids, t.id)
		}
	}
	return ids
}

// ours returns our first place in the queue.
func (l *deploymentLock) ours(queue []ticket) (ticket, bool) {
	us := l.us()
	at := slices.IndexFunc(queue, func(t ticket) bool { return t.same(us) })
	if at < 0 {
		return ticket{}, false
	}
	return queue[at], true
}

// queue returns all places, in their order. The lease of a holder with several
// places is the longest of theirs.
func (l *deploymentLock) queue(ctx context.Context, k Key) ([]ticket, error) {
	var queue []ticket
	for d, err := range l.client.Deployments(ctx, github.DeploymentQuery{Task: k.task("lock"), Environment: k.environment()}) {
		if err != nil {
			return nil, err
		}
		var p lockPayload
		if json.Unmarshal(d.Payload, &p) == nil && p.Key == k {
			queue = append(queue, ticket{d.ID, p.Holder})
		}
	}
	slices.Reverse(queue)
	for i, t := range queue {
		for _, other := range queue {
			if other.same(t.Holder) && other.Until.After(queue[i].Until) {
				queue[i].Until = other.Until
			}
		}
	}
	return queue, nil
}

func (l *deploymentLock) enqueue(ctx context.Context, k Key) (ticket, error) {
	us := l.us()
	payload, err := json.Marshal(lockPayload{schema, k, us})
	if err != nil {
		return ticket{}, fmt.Errorf("writing a lock: %w", err)
	}
	made, err := l.client.CreateDeployment(ctx, github.Deployment{
		Ref: l.run.HeadSHA, Task: k.task("lock"), Environment: k.environment(), Transient: true, Payload: payload,
		Description: fmt.Sprintf("Lock of app %q in workspace %q", k.App, k.Workspace),
	})
	return ticket{made.ID, us}, err
}

// removeAll takes places out of the queue. It is no error if one is not there.
func (l *deploymentLock) removeAll(ctx context.Context, ids []int64) error {
	for _, id := range ids {
		if err := l.remove(ctx, id); err != nil && !errors.Is(err, github.ErrNotFound) {
			return err
		}
	}
	return nil
}

// remove takes a place out of the queue. GitHub deletes only what is inactive.
func (l *deploymentLock) remove(ctx context.Context, id int64) error {
	if err := l.client.SetDeploymentStatus(ctx, id, github.DeploymentStatus{State: "inactive"}); err != nil {
		return err
	}
	return l.client.DeleteDeployment(ctx, id)
}

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
//
// Whoever gives the lock back leaves the queue, and most leave nothing else. One
// that has uploaded what no list leads to leaves a ticket that says so, until
// somebody else has uploaded it, too. Where it was killed, whoever finds that out
// does so in its place.
type deploymentLock struct {
	crew
	queues map[Key]*queue
}

// queue is what this process knows of one lock.
type queue struct {
	held   bool    // by this process
	places []int64 // of this job, to be given up
	left   []int64 // tickets of jobs that have left something
	before []int64 // runs that have, newest first
	dead   []int64 // those of them that have no ticket any more
	page   *Page   // the newest intents, as the list showed them that the queue is from
	read   time.Time
}

// lockPayload is the payload of a lock's Deployment.
type lockPayload struct {
	Schema int  `json:"schema"`
	Lock   bool `json:"lock"`
	Key
	Holder

	// Free says that the holder is in no line any more, and only tells of what it
	// has left: see [legacy].
	Free bool  `json:"free,omitempty"`
	Kept int64 `json:"kept,omitempty"`
}

// ticket is one place in the queue, or what somebody has left who had one.
type ticket struct {
	id int64
	Holder
	free bool
	kept int64
}

func (l *deploymentLock) of(k Key) *queue {
	if l.queues[k] == nil {
		l.queues[k] = &queue{}
	}
	return l.queues[k]
}

func (l *deploymentLock) try(ctx context.Context, k Key, ended holders, first bool) (other *Holder, g grant, err error) {
	var line, left []ticket
	if !first { // or else the job has no place in it
		if line, left, err = l.tickets(ctx, k); err != nil {
			return nil, grant{}, err
		}
	}
	own, had := l.ours(line)
	held := places(line, l.us())
	switch {
	case had && l.lasting(own.Until):
	case had && l.now().Before(own.Until):
		// A payload cannot be changed. Another place makes the lease longer, and
		// the first one stays where it is in the queue.
		longer, err := l.enqueue(ctx, k, lockPayload{Holder: l.us()})
		if err != nil {
			return nil, grant{}, err
		}
		own.Until, held = longer.Until, append(held, longer.id)
	default:
		if had { // too late
			if _, err := l.release(ctx, k, legacy{}); err != nil {
				return nil, grant{}, err
			}
		}
		if own, line, left, err = l.begin(ctx, k); err != nil {
			return nil, grant{}, err
		}
		held = []int64{own.id}
	}
	other, dead := l.ahead(ctx, line, own, ended)
	if other != nil {
		return other, grant{}, nil
	}
	q := l.of(k)
	g = q.inherit(l.run.RunID, left, dead)
	g.fresh, g.taken, g.again, g.until = !q.held, !had, g.again || had, own.Until
	q.held, q.places = true, held
	return nil, g, nil
}

// ahead returns the first in the line that is still there and before us, or nil,
// and who was there and is not any more.
func (l *deploymentLock) ahead(ctx context.Context, line []ticket, own ticket, ended holders) (first *Holder, dead []ticket) {
	for _, t := range line {
		switch {
		case t.id >= own.id: // behind us
		case ended.has(t.Holder), l.gone(ctx, t.Holder):
			// Whoever comes next meets it again, should this fail.
			_ = l.remove(ctx, t.id)
			dead = append(dead, t)
		default:
			return &t.Holder, dead
		}
	}
	return nil, dead
}

// inherit takes note of the tickets of those who had the lock before run.
func (q *queue) inherit(run int64, left, dead []ticket) (g grant) {
	all := slices.Concat(left, dead)
	slices.SortFunc(all, func(a, b ticket) int { return int(b.id - a.id) })
	for _, t := range all {
		g.again = g.again || t.Run == run
		g.kept = max(g.kept, t.kept)
		if t.Run == run || t.Run == 0 {
			continue
		}
		if !slices.Contains(q.before, t.Run) && len(q.before) < mostBefore {
			q.before = append(q.before, t.Run)
		}
		if !t.free && !slices.Contains(q.dead, t.Run) {
			q.dead = append(q.dead, t.Run)
		}
	}
	q.left = nil
	for _, t := range left {
		q.left = append(q.left, t.id)
	}
	g.former = q.before
	return g
}

func (l *deploymentLock) settle(k Key) {
	q := l.of(k)
	q.places = append(q.places, q.left...)
	q.left, q.before, q.dead = nil, nil, nil
}

func (l *deploymentLock) mark(k Key) mark {
	q := l.of(k)
	return mark{position: position{Before: q.before}, Places: q.places, Dead: q.dead}
}

func (l *deploymentLock) recall(k Key, m mark) bool {
	if q := l.of(k); len(q.places) == 0 && len(m.Places) > 0 {
		q.places, q.before, q.dead = m.Places, m.Before, m.Dead
	}
	return len(m.Places) > 0
}

// begin stands in line, at its end, and returns the queue as it is then: who
// came between the look before and our place must be seen.
func (l *deploymentLock) begin(ctx context.Context, k Key) (own ticket, line, left []ticket, err error) {
	l.of(k).held = false
	if own, err = l.enqueue(ctx, k, lockPayload{Holder: l.us()}); err != nil {
		return ticket{}, nil, nil, err
	}
	line, left, err = l.tickets(ctx, k)
	return own, line, left, err
}

func (l *deploymentLock) release(ctx context.Context, k Key, left legacy) (had bool, err error) {
	q := l.of(k)
	q.held = false
	own := q.places
	if len(own) == 0 {
		line, _, err := l.tickets(ctx, k)
		if err != nil {
			return false, err
		}
		own = places(line, l.us())
	}
	if len(own) == 0 {
		return false, nil
	}
	err = l.leaveTickets(ctx, k, left)
	if err == nil {
		err = l.removeAll(ctx, own)
	}
	if err == nil {
		delete(l.queues, k)
	}
	return true, err
}

// leaveTickets leaves what tells of uploads that nothing else leads to. Previews
// get none: they end, and nobody would take it away.
func (l *deploymentLock) leaveTickets(ctx context.Context, k Key, left legacy) error {
	var tickets []lockPayload
	if left.Later {
		tickets = append(tickets, lockPayload{Holder: l.us(), Kept: left.Kept})
	}
	for _, run := range l.of(k).dead {
		tickets = append(tickets, lockPayload{Holder: Holder{Run: run, Since: l.us().Since}})
	}
	if k.Preview() != "" {
		return nil
	}
	for _, p := range tickets {
		p.Free = true
		made, err := l.enqueue(ctx, k, p)
		if err == nil {
			err = l.client.SetDeploymentStatus(ctx, made.id, github.DeploymentStatus{State: "inactive"})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// places returns those that a holder has in a line.
func places(line []ticket, h Holder) []int64 {
	var ids []int64
	for _, t := range line {
		if t.same(h) {
			ids = append(ids, t.id)
		}
	}
	return ids
}

// ours returns our first place in the line.
func (l *deploymentLock) ours(line []ticket) (ticket, bool) {
	us := l.us()
	at := slices.IndexFunc(line, func(t ticket) bool { return t.same(us) })
	if at < 0 {
		return ticket{}, false
	}
	return line[at], true
}

// tickets returns all places, in their order, and what others have left. The
// lease of a holder with several places is the longest of theirs.
func (l *deploymentLock) tickets(ctx context.Context, k Key) (line, left []ticket, err error) {
	page, all, err := listed(ctx, l.client, k, k.lockTask())
	if err != nil {
		return nil, nil, err
	}
	if k.lockTask() == k.task("") {
		q := l.of(k)
		q.page, q.read = &page, time.Now()
	}
	for _, t := range slices.Backward(all) {
		if t.free {
			left = append(left, t)
		} else {
			line = append(line, t)
		}
	}
	for i, t := range line {
		for _, other := range line {
			if other.same(t.Holder) && other.Until.After(line[i].Until) {
				line[i].Until = other.Until
			}
		}
	}
	return line, left, nil
}

// seen returns, once, the newest intents of k if they were read a moment ago.
func (l *deploymentLock) seen(k Key) (Page, bool) {
	q := l.of(k)
	page := q.page
	q.page = nil
	if page == nil || time.Since(q.read) > firstPause {
		return Page{}, false
	}
	return *page, true
}

func (l *deploymentLock) enqueue(ctx context.Context, k Key, p lockPayload) (ticket, error) {
	p.Schema, p.Lock, p.Key = schema, true, k
	payload, err := json.Marshal(p)
	if err != nil {
		return ticket{}, fmt.Errorf("writing a lock: %w", err)
	}
	made, err := l.client.CreateDeployment(ctx, github.Deployment{
		Ref: l.run.HeadSHA, Task: k.lockTask(), Environment: k.environment(), Transient: true, Payload: payload,
		Description: fmt.Sprintf("Lock of app %q in workspace %q", k.App, k.Workspace),
	})
	return ticket{id: made.ID, Holder: p.Holder}, err
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

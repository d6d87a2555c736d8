package claim

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

const (
	// usuallyLongest is the longest that a deploy takes unless a file says more.
	usuallyLongest = time.Hour

	// slack is how much longer a lease lasts than an operation.
	slack = 10 * time.Minute

	// The pauses between looks at a lock that somebody holds. All jobs of a
	// repository share 1,000 requests an hour.
	firstPause   = 5 * time.Second
	longestPause = 30 * time.Second

	// firstClash is the pause after somebody was faster, before it grows.
	firstClash = time.Second
)

// LockOptions says who locks, and how.
type LockOptions struct {
	Client *github.Client
	Run    workflow.Context
	Job    string // tells jobs of one attempt apart, also those of a matrix
	Runner string // its name, by which GitHub's list of jobs tells whether the job has ended; "" for none
	Notes  string // required: file beside the journal that tells the post step what to release

	// Longest is how long one operation may take at most. What is below an hour
	// counts as one. A lease lasts a little longer.
	Longest time.Duration

	// NoDeployments forbids to lock by Deployments where the token may not
	// write contents.
	NoDeployments bool

	// Known tells of runs that somebody has asked about before this job began.
	// Nil knows none.
	Known func(run int64) (github.Run, bool)
}

// UnlockableError means that the token allows neither kind of lock.
type UnlockableError struct{ Refs, Deployments error }

// Error implements error.
func (e *UnlockableError) Error() string {
	return fmt.Sprintf("the token allows no lock: %v; %v", e.Refs, e.Deployments)
}

// Unwrap returns both refusals.
func (e *UnlockableError) Unwrap() []error { return []error{e.Refs, e.Deployments} }

// errTakenOver means that another job has, or had, what was ours.
var errTakenOver = errors.New("another run has deployed meanwhile")

// errNoDeployments stands for a refusal where Deployments are turned off.
var errNoDeployments = errors.New("to lock by Deployments is turned off")

// kind is one way to lock.
type kind interface {
	// try takes the lock, or returns who has it. Those who ended do not have it.
	// Where the job has it, it makes a lease longer of which less than half is
	// left. First says that the job has never asked for it. It returns
	// [github.ErrConflict] where somebody changed it meanwhile.
	try(ctx context.Context, k Key, ended holders, first bool) (other *Holder, g grant, err error)

	// mark returns where the lock is that the job has, as far as this process
	// knows, and recall makes a process know it to which another has told. It
	// reports whether the mark is of this kind.
	mark(k Key) mark
	recall(k Key, m mark) bool

	// settle forgets the runs that had the lock before.
	settle(k Key)

	// release gives back what this job has, or waits for, and reports whether
	// there was such a thing. Whoever has the lock next is told what is left. It
	// is no error if somebody has taken it over.
	release(ctx context.Context, k Key, left legacy) (had bool, err error)

	// holder returns who has the lock, dead or alive. It only reads.
	holder(ctx context.Context, k Key) (h Holder, found bool, err error)

	// evict takes the lock away from a job, which had it a moment ago.
	evict(ctx context.Context, k Key, h Holder) error
}

// grant is a lock that this job has.
type grant struct {
	fresh  bool      // somebody else may have had it since this job began
	taken  bool      // this job did not have it a moment ago
	again  bool      // this run may have had it before this job did
	until  time.Time // when its lease is over
	former []int64   // the runs that had it before and left something, newest first, as far as they are known
	kept   int64     // the newest artifact that they are known to have uploaded
}

// Locker takes locks for one job and keeps them until Release, because later
// steps of the job share them. It is safe for concurrent use, and asks GitHub
// for one lock at a time.
type Locker struct {
	mu     sync.Mutex
	kinds  []kind // the first one that the token allows is used
	notes  notes
	crew   crew
	leases map[Key]time.Time // of the locks that this process has
	former map[Key][]int64   // the runs that had each of them before
	kept   map[Key]int64     // what these are known to have uploaded last
	lost   map[Key]error     // of those that another job has taken over

	legacies map[Key]legacy // of this job, as far as this process knows
}

// NewLocker returns a Locker. It sends nothing.
func NewLocker(o LockOptions) *Locker {
	c := crew{o.Client, o.Run, o.Job, o.Runner, max(o.Longest, usuallyLongest) + slack, o.Known}
	if c.run.RunID == 0 {
		c.job = rand.Text() // two terminals are not one job
	}
	l := &Locker{
		kinds: []kind{&refLock{crew: c, held: map[Key]position{}}},
		notes: notes{o.Notes}, crew: c, leases: map[Key]time.Time{}, former: map[Key][]int64{}, kept: map[Key]int64{},
		lost: map[Key]error{}, legacies: map[Key]legacy{},
	}
	if !o.NoDeployments {
		l.kinds = append(l.kinds, &deploymentLock{crew: c, queues: map[Key]*queue{}})
	}
	return l
}

// Lock takes the lock of k. While somebody else has it, it waits until ctx ends,
// and calls waiting, which may be nil, with each new holder. Fresh is false
// where nobody can have written since this job began: it had the lock before, or
// whoever had it is known to have ended before.
//
// It returns an [*UnlockableError] where the token allows no kind of lock.
func (l *Locker) Lock(ctx context.Context, k Key, waiting func(holder string)) (fresh bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	noted, err := l.notes.find(k)
	if err == nil && noted == nil {
		// Before it is asked for: a lock that nobody knows of would be kept by a
		// killed job.
		err = l.notes.add(note{Key: k})
	}
	if err != nil {
		return false, err
	}
	var refused []error
	for n, kind := range l.kinds {
		g, err := l.wait(ctx, kind, k, noted == nil, waiting)
		if _, may := errors.AsType[*github.PermissionError](err); may && ctx.Err() == nil {
			refused = append(refused, err)
			continue
		}
		l.kinds = l.kinds[n:]
		if err == nil {
			l.leases[k], l.former[k] = g.until, g.former
			delete(l.lost, k)
			l.inherit(ctx, k, noted, g)
			_ = l.note(ctx, note{Key: k, mark: l.mark(k)}) // it would spare requests, no more
		}
		return g.fresh, err
	}
	return false, &UnlockableError{refused[0], cmp.Or(at(refused, 1), errNoDeployments)}
}

// mark returns where the lock of k is that this process has, and what is left.
func (l *Locker) mark(k Key) mark {
	m := l.kinds[0].mark(k)
	m.legacy = l.legacies[k]
	return m
}

// note seals a note and writes it down. Who cannot read it looks for the lock.
func (l *Locker) note(ctx context.Context, one note) error {
	seal, err := l.seal(ctx, one)
	if err != nil {
		one.mark = mark{}
	}
	one.Seal = seal
	return l.notes.add(one)
}

// seal returns the seal of a note of this job.
func (l *Locker) seal(ctx context.Context, n note) (string, error) {
	n.Seal = ""
	text, err := json.Marshal(n)
	if err != nil {
		return "", err
	}
	return l.crew.client.Seal(ctx, fmt.Sprintf("lock of run %d, attempt %d, job %q\n%s", l.crew.run.RunID, l.crew.run.Attempt, l.crew.job, text))
}

// at returns an error of a list that may be shorter.
func at(list []error, n int) error {
	if n < len(list) {
		return list[n]
	}
	return nil
}

// Renew makes the lease of a lock that this process has longer, if less than half
// of it is left. It returns an error where somebody has taken the lock over, for
// then nothing more may be begun. It is called before each operation, and sends
// nothing in most cases.
func (l *Locker) Renew(ctx context.Context, k Key) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.lost[k]; err != nil {
		return err
	}
	until, held := l.leases[k]
	if !held || l.crew.lasting(until) {
		return nil
	}
	var clashes clash
	for {
		other, g, err := l.kinds[0].try(ctx, k, nil, false)
		if errors.Is(err, github.ErrConflict) {
			err = clashes.pause(ctx)
			if err == nil {
				continue
			}
		}
		switch {
		case err != nil:
			return fmt.Errorf("renewing the lock of app %q in workspace %q: %w", k.App, k.Workspace, err)
		case other != nil || g.fresh:
			delete(l.leases, k)
			l.lost[k] = fmt.Errorf("the lock of app %q in workspace %q was lost: the lease was over and %w", k.App, k.Workspace, errTakenOver)
			return l.lost[k]
		}
		l.leases[k] = g.until
		_ = l.note(ctx, note{Key: k, mark: l.mark(k)})
		return nil
	}
}

// Exclusive reports whether this process has the lock of k on a ref, which no
// other can have at the same time. One by Deployments is best effort.
func (l *Locker) Exclusive(k Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, held := l.leases[k]
	_, byRef := l.kinds[0].(*refLock)
	return held && byRef
}

// Former returns the runs that had the lock of k before this job took it, newest
// first, as far as they are known. Notes of another step may tell them, so they
// are good for nothing but to look at what those runs left.
func (l *Locker) Former(k Key) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if former, known := l.former[k]; known {
		return former
	}
	noted, err := l.notes.find(k)
	if err != nil || noted == nil {
		return nil
	}
	return noted.Before[:min(len(noted.Before), mostBefore)]
}

// Seen returns the newest intents of k where a list has shown them a moment ago,
// once, as it does who takes a lock by Deployments. It sends nothing.
func (l *Locker) Seen(k Key) (Page, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if queued, ok := l.kinds[0].(*deploymentLock); ok {
		return queued.seen(k)
	}
	return Page{}, false
}

// Settle says that all that the former runs left is in what this job has uploaded
// by now: whoever has the lock next need not ask them.
func (l *Locker) Settle(ctx context.Context, k Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, held := l.leases[k]; held {
		l.kinds[0].settle(k)
		_ = l.note(ctx, note{Key: k, mark: l.mark(k)})
	}
}

// Release gives back every lock of this job, also those that a step before or a
// process that was killed has taken. A second Release sends nothing.
func (l *Locker) Release(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	noted, err := l.notes.read()
	if err != nil {
		return err
	}
	var failed []error
	for _, n := range noted {
		if err := l.release(ctx, n); err != nil {
			failed = append(failed, fmt.Errorf("releasing the lock of app %q in workspace %q: %w", n.App, n.Workspace, err))
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	clear(l.leases)
	return l.notes.clear()
}

// Keep leaves every lock of this job as it is, which sends nothing. Whoever wants
// it takes it over once the job is known to have ended, or the run. It is for runs whose jobs are too many to release each its own.
func (l *Locker) Keep() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.leases)
	return l.notes.clear()
}

// release gives back a lock where a sealed note says that it is. Without one it
// asks one kind after the other, for another process may have found
// another one allowed. What the token may not even look at it has not taken; a
// token that GitHub does not know says nothing of the one before.
func (l *Locker) release(ctx context.Context, n note) error {
	kinds, left := l.kinds, l.legacies[n.Key]
	if l.sealed(ctx, n) {
		left = n.legacy
		if at := slices.IndexFunc(kinds, func(one kind) bool { return one.recall(n.Key, n.mark) }); at >= 0 {
			kinds = kinds[at : at+1]
		}
	}
	for _, kind := range kinds {
		had, err := kind.release(ctx, n.Key, left)
		refusal, refused := errors.AsType[*github.PermissionError](err)
		if had || err != nil && (!refused || refusal.Status == http.StatusUnauthorized) {
			return err
		}
	}
	return nil
}

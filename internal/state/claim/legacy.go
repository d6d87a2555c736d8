package claim

import (
	"context"
	"crypto/hmac"
	"errors"

	"github.com/deploy-action/deploy-action/internal/github"
)

// legacy is what a job leaves to those who have the lock after it. Its zero value
// is that nobody knows.
type legacy struct {
	// Idle says that the run has uploaded nothing, so that nobody need look.
	Idle bool `json:"idle,omitempty"`

	// Kept is the newest artifact that the run is known to have uploaded; 0 for
	// none.
	Kept int64 `json:"kept,omitempty"`

	// Later says that it has uploaded something under a name by which nobody looks
	// for it. Whoever was led to the run by a Deployment may have been too early:
	// lists lag.
	Later bool `json:"later,omitempty"`
}

// Uploading says that this job is about to upload records of k: whoever has the
// lock next has to look for them. Later says that the name is none by which runs
// are found. It is called before each upload, and sends nothing.
func (l *Locker) Uploading(ctx context.Context, k Key, later bool) {
	l.leave(ctx, k, func(left *legacy) { left.Idle, left.Later = false, left.Later || later })
}

// Uploaded says which artifact it was, so that its loss is noticed.
func (l *Locker) Uploaded(ctx context.Context, k Key, artifact int64) {
	l.leave(ctx, k, func(left *legacy) { left.Kept = artifact })
}

// Kept returns the newest artifact that the runs which had the lock of k before
// this job are known to have uploaded; 0 where none is known.
func (l *Locker) Kept(k Key) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept[k]
}

// Look reads what those have left who had the lock of k on a ref, for a job that has
// no lock: then [Locker.Former] and [Locker.Kept] tell it. Of one by Deployments a
// [Page] tells. It takes nothing, and sends two requests.
func (l *Locker) Look(ctx context.Context, k Key) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	byRef, ok := l.kinds[0].(*refLock)
	if _, held := l.leases[k]; held || !ok {
		return nil
	}
	_, now, err := byRef.read(ctx, k)
	if _, refused := errors.AsType[*github.PermissionError](err); refused {
		return nil
	}
	if err == nil {
		l.former[k], l.kept[k] = now.followed(l.crew.run.RunID), now.Kept
	}
	return err
}

// leave changes what is noted of the legacy of this job, which is how the post
// step knows it. Of a note without a seal nobody believes anything.
func (l *Locker) leave(ctx context.Context, k Key, change func(*legacy)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := note{Key: k, mark: l.mark(k)}
	if _, held := l.leases[k]; !held {
		noted, err := l.notes.find(k)
		if err != nil || noted == nil || !l.sealed(ctx, *noted) {
			change(&one.legacy) // for our own Release
			l.legacies[k] = one.legacy
			return
		}
		one = *noted
	}
	idle := one.Idle
	change(&one.legacy)
	l.legacies[k] = one.legacy
	if err := l.note(ctx, one); err != nil && idle {
		// The note that is there is not true any more. Without one the lock is
		// left to end with the run.
		_ = l.notes.clear()
	}
}

// sealed reports whether a note was made with the token of this job.
func (l *Locker) sealed(ctx context.Context, n note) bool {
	seal, err := l.seal(ctx, n)
	return err == nil && n.Seal != "" && hmac.Equal([]byte(seal), []byte(n.Seal))
}

// inherit begins the legacy of this job when it has got a lock: noted is what its
// earlier steps have written down, nil where it never asked before.
func (l *Locker) inherit(ctx context.Context, k Key, noted *note, g grant) {
	left, known := l.legacies[k]
	switch {
	case noted == nil:
		left = legacy{Idle: !g.again}
	case !known && l.sealed(ctx, *noted):
		left = noted.legacy
	}
	if noted != nil && g.taken { // it was lost meanwhile, or never had
		left.Idle = false
	}
	l.legacies[k], l.kept[k] = left, g.kept
}

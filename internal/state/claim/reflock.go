package claim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/github"
)

// refLock locks with a ref whose commit names the holder. Taking, taking over
// and releasing are each one move to a child of the commit that was read, never
// forced, so of two that try at once GitHub lets one through.
type refLock struct {
	crew
	held map[Key]position
}

// position is where a lock is.
type position struct {
	Commit string  `json:"commit,omitempty"`
	Tree   string  `json:"tree,omitempty"`
	Before []int64 `json:"before,omitempty"` // as in its message
	Newest int64   `json:"newest,omitempty"` // the artifact that its message names
}

// lockMessage is the message of a lock's commit, as JSON.
type lockMessage struct {
	Free bool `json:"free,omitempty"`
	Holder

	// Idle says of a lock that was given back that its holder's run has uploaded
	// nothing.
	Idle bool `json:"idle,omitempty"`

	// Kept is the newest artifact that the holder or one before it is known to
	// have uploaded; 0 where there is none, or none is known.
	Kept int64 `json:"kept,omitempty"`

	// Before are the runs that had the lock before the holder's, newest first,
	// and left what nobody has put together since.
	Before []int64 `json:"before,omitempty"`
}

// mostBefore is how many runs a lock remembers.
const mostBefore = 5

// behind returns the runs that had the lock and left something, newest first.
func (m lockMessage) behind() []int64 {
	if m.Idle {
		return m.Before
	}
	return append([]int64{m.Run}, m.Before...)
}

// followed returns what is behind run when it takes the lock.
func (m lockMessage) followed(run int64) []int64 {
	var before []int64
	for _, former := range m.behind() {
		if former != 0 && former != run && !slices.Contains(before, former) {
			before = append(before, former)
		}
	}
	return before[:min(len(before), mostBefore)]
}

// emptyTree is the tree without files, which git knows in every repository.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

func (l *refLock) try(ctx context.Context, k Key, ended holders, _ bool) (other *Holder, g grant, err error) {
	at, now, err := l.read(ctx, k)
	if err != nil {
		return nil, grant{}, err
	}
	us := l.us()
	ours := !now.Free && now.same(us)
	switch {
	case ours && l.lasting(now.Until):
		l.held[k] = at
		return nil, grant{again: true, until: now.Until, former: now.Before, kept: now.Kept}, nil
	case ours, now.Free, ended.has(now.Holder), l.gone(ctx, now.Holder):
		before := now.followed(us.Run)
		at, err = l.move(ctx, k, at, lockMessage{Holder: us, Kept: now.Kept, Before: before})
		if err == nil {
			l.held[k] = at
		}
		return nil, grant{
			fresh: !ours && !l.over(now.Holder), taken: !ours, again: slices.Contains(now.behind(), us.Run),
			until: us.Until, former: before, kept: now.Kept,
		}, err
	}
	return &now.Holder, grant{}, nil
}

func (l *refLock) settle(k Key) {
	if at, held := l.held[k]; held {
		at.Before = nil
		l.held[k] = at
	}
}

func (l *refLock) mark(k Key) mark { return mark{position: l.held[k]} }

func (l *refLock) recall(k Key, m mark) bool {
	if _, known := l.held[k]; !known && m.Commit != "" {
		l.held[k] = m.position
	}
	return m.Commit != ""
}

func (l *refLock) release(ctx context.Context, k Key, left legacy) (had bool, err error) {
	at, known := l.held[k]
	if known {
		if err := l.free(ctx, k, at, left); !moved(err) {
			return true, err
		}
		delete(l.held, k) // it may be ours still, and somewhere else
	}
	at, now, err := l.read(ctx, k)
	if err != nil || now.Free || !now.same(l.us()) {
		return known, err
	}
	if err := l.free(ctx, k, at, left); !moved(err) {
		return true, err
	}
	return true, nil // somebody has taken it over
}

// moved reports whether an error says that the ref is not where it was.
func moved(err error) bool {
	return errors.Is(err, github.ErrConflict) || errors.Is(err, github.ErrNotFound)
}

func (l *refLock) free(ctx context.Context, k Key, at position, left legacy) error {
	_, err := l.move(ctx, k, at, lockMessage{
		Free: true, Holder: l.us(), Idle: left.Idle, Kept: cmp.Or(left.Kept, at.Newest), Before: at.Before,
	})
	if err == nil {
		delete(l.held, k)
	}
	return err
}

// read returns where the lock is and what it says. A lock that nobody ever took
// is nowhere, and free.
func (l *refLock) read(ctx context.Context, k Key) (position, lockMessage, error) {
	sha, found, err := l.client.Ref(ctx, k.ref())
	if err != nil || !found {
		return position{}, lockMessage{Free: true}, err
	}
	commit, err := l.client.Commit(ctx, sha)
	if err != nil {
		return position{}, lockMessage{}, err
	}
	var m lockMessage
	if err := json.Unmarshal([]byte(commit.Message), &m); err != nil {
		return position{}, lockMessage{}, fmt.Errorf("reading the lock %s: commit %s is not ours: delete that ref if nobody uses it", k.ref(), sha)
	}
	return position{sha, commit.Tree, m.Before, m.Kept}, m, nil
}

// move makes a child of the commit that was read and points the ref to it.
func (l *refLock) move(ctx context.Context, k Key, from position, m lockMessage) (position, error) {
	if from.Commit == "" {
		return l.begin(ctx, k, m)
	}
	to, err := l.commit(ctx, m, from.Tree, from.Commit)
	if err != nil {
		return position{}, err
	}
	return position{to, from.Tree, m.Before, m.Kept}, l.client.UpdateRef(ctx, k.ref(), from.Commit, to)
}

// begin makes the first commit of a lock, and its ref.
func (l *refLock) begin(ctx context.Context, k Key, m lockMessage) (position, error) {
	tree := emptyTree
	sha, err := l.commit(ctx, m, tree)
	if _, unknown := errors.AsType[*github.AnswerError](err); unknown {
		// A server that does not know the empty tree gets one with a file.
		if tree, err = l.explainedTree(ctx); err != nil {
			return position{}, err
		}
		sha, err = l.commit(ctx, m, tree)
	}
	if err != nil {
		return position{}, err
	}
	return position{sha, tree, m.Before, m.Kept}, l.client.CreateRef(ctx, k.ref(), sha)
}

func (l *refLock) commit(ctx context.Context, m lockMessage, tree string, parents ...string) (sha string, err error) {
	message, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("writing a lock: %w", err)
	}
	return l.client.CreateCommit(ctx, github.Commit{Message: string(message), Tree: tree, Parents: parents, Date: m.Since})
}

func (l *refLock) explainedTree(ctx context.Context) (sha string, err error) {
	blob, err := l.client.CreateBlob(ctx, []byte("The commit of this ref says who deploys to a workspace.\n"))
	if err != nil {
		return "", err
	}
	return l.client.CreateTree(ctx, []github.TreeEntry{{Path: "README", Blob: blob}})
}

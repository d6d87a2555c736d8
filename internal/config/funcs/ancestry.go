package funcs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// mostCommits is how many commits are read to find out how two of them stand to
// each other: about a second's work.
const mostCommits = 20_000

// ErrShallow means that a repository lacks the part of its history that would
// answer, or has more of it than is worth reading.
var ErrShallow = errors.New("the history that is checked out does not reach that far")

// Relation says how the commit a stands to b in the Git repository around dir:
// whether it descends from b, or b from it. Both are false where neither does.
// Its error is [ErrShallow] where the history at hand does not tell: that a
// shallow clone shows no way from one to the other proves nothing.
func Relation(ctx context.Context, dir, a, b string) (descends, precedes bool, err error) {
	r, err := openRepository(dir)
	if err != nil {
		return false, false, err
	}
	// Both ways are gone side by side, for the one that there is is mostly short.
	back, forth := newWalk(r, a, b), newWalk(r, b, a)
	for read := 0; len(back.open)+len(forth.open) > 0; read++ {
		if read == mostCommits {
			return false, false, ErrShallow
		}
		if err := ctx.Err(); err != nil {
			return false, false, err
		}
		for _, w := range []*walk{back, forth} {
			if err := w.step(); err != nil {
				return false, false, fmt.Errorf("reading the Git repository %q: %w", r.worktree, err)
			}
		}
		if back.found || forth.found {
			return back.found, forth.found, nil
		}
	}
	if back.cut || forth.cut {
		return false, false, ErrShallow
	}
	return false, false, nil
}

// Head returns the commit that is checked out around dir, and the whole ref of
// the branch that it is on; "" where there is none.
func Head(dir string) (commit, branch string) {
	r, err := openRepository(dir)
	if err != nil {
		return "", ""
	}
	if symbolic, err := r.store.Reference(plumbing.HEAD); err == nil && symbolic.Target().IsBranch() {
		branch = symbolic.Target().String()
	}
	commit, err = r.head()
	if err != nil {
		return "", branch
	}
	return commit, branch
}

// walk goes from a commit to all that it descends from, nearest first.
type walk struct {
	repository *repository
	goal       plumbing.Hash
	open       []plumbing.Hash
	seen       map[plumbing.Hash]bool
	found      bool // the goal
	cut        bool // a commit is not there
}

func newWalk(r *repository, from, to string) *walk {
	start := plumbing.NewHash(from)
	return &walk{repository: r, goal: plumbing.NewHash(to), open: []plumbing.Hash{start}, seen: map[plumbing.Hash]bool{start: true}}
}

// step reads one commit, if there is another one.
func (w *walk) step() error {
	if len(w.open) == 0 {
		return nil
	}
	next := w.open[0]
	w.open = w.open[1:]
	if next == w.goal {
		w.found = true
		return nil
	}
	parents, err := w.repository.parents(next)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		w.cut = true
		return nil
	}
	for _, parent := range parents {
		if !w.seen[parent] {
			w.seen[parent] = true
			w.open = append(w.open, parent)
		}
	}
	return err
}

// parents reads the commits that a commit follows.
func (r *repository) parents(commit plumbing.Hash) ([]plumbing.Hash, error) {
	object, err := r.store.EncodedObject(plumbing.CommitObject, commit)
	if err != nil {
		return nil, err
	}
	content, err := object.Reader()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	var found []plumbing.Hash
	for lines := bufio.NewReader(content); ; {
		line, err := lines.ReadString('\n')
		if name, ok := strings.CutPrefix(line, "parent "); ok {
			found = append(found, plumbing.NewHash(strings.TrimSpace(name)))
		}
		switch {
		case errors.Is(err, io.EOF), line == "\n": // the message follows
			return found, nil
		case err != nil:
			return nil, err
		}
	}
}

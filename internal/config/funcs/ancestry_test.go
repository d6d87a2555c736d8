package funcs_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

func TestRelation(t *testing.T) {
	t.Parallel()
	r := newRealRepository(t)
	first := r.git(t, "rev-parse", "HEAD")
	r.git(t, "checkout", "-q", "-b", "branch")
	r.commit(t, "b.txt", "b")
	branch := r.git(t, "rev-parse", "HEAD")
	r.git(t, "checkout", "-q", "main")
	r.commit(t, "c.txt", "c")
	second := r.git(t, "rev-parse", "HEAD")
	r.git(t, "merge", "-q", "--no-edit", "branch")
	merged := r.git(t, "rev-parse", "HEAD")
	r.git(t, "checkout", "-q", "--orphan", "alone")
	r.commit(t, "d.txt", "parent "+first+"\n")
	alone := r.git(t, "rev-parse", "HEAD")
	r.git(t, "checkout", "-q", "main")
	packed := r.clone(t)
	packed.git(t, "gc", "-q")

	cases := map[string]struct {
		in                 realRepository
		a, b               string
		descends, precedes bool
		err                error
	}{
		"after":                           {r, second, first, true, false, nil},
		"before":                          {r, first, merged, false, true, nil},
		"after, by the second parent":     {r, merged, branch, true, false, nil},
		"beside":                          {r, second, branch, false, false, nil},
		"of a history of its own":         {r, alone, merged, false, false, nil},
		"a pack":                          {packed, merged, first, true, false, nil},
		"a commit that is not there":      {r, strings.Repeat("ab", 20), first, false, false, funcs.ErrShallow},
		"no commit":                       {r, "main", first, false, false, funcs.ErrShallow},
		"a shallow clone":                 {r.clone(t, "--depth", "1"), merged, first, false, false, funcs.ErrShallow},
		"beside, in a shallow clone":      {r.clone(t, "--depth", "2"), second, branch, false, false, funcs.ErrShallow},
		"within the depth of the clone":   {r.clone(t, "--depth", "2"), merged, second, true, false, nil},
		"newer than the clone, which has": {r.clone(t, "--branch", "branch", "--single-branch"), branch, second, false, false, funcs.ErrShallow},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			descends, precedes, err := funcs.Relation(t.Context(), c.in.dir, c.a, c.b)
			if descends != c.descends || precedes != c.precedes || !errors.Is(err, c.err) {
				t.Errorf("Relation = %v, %v, %v, want %v, %v, %v", descends, precedes, err, c.descends, c.precedes, c.err)
			}
		})
	}
}

func TestRelationWithoutRepository(t *testing.T) {
	t.Parallel()
	if _, _, err := funcs.Relation(t.Context(), t.TempDir(), "a", "b"); err == nil || errors.Is(err, funcs.ErrShallow) {
		t.Errorf("Relation = %v, want that there is no repository", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newRealRepository(t)
	if _, _, err := funcs.Relation(ctx, r.dir, "a", "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("Relation = %v, want the end of its context", err)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	r := newRealRepository(t)
	head := r.git(t, "rev-parse", "HEAD")
	check := func(what, dir, wantCommit, wantBranch string) {
		t.Helper()
		if commit, branch := funcs.Head(dir); commit != wantCommit || branch != wantBranch {
			t.Errorf("%s: Head = %q, %q, want %q, %q", what, commit, branch, wantCommit, wantBranch)
		}
	}
	check("on a branch", r.dir, head, "refs/heads/main")
	r.git(t, "checkout", "-q", "--orphan", "new")
	check("before the first commit", r.dir, "", "refs/heads/new")
	r.git(t, "checkout", "-q", "--detach", head)
	check("on no branch", r.dir, head, "")
	check("without a repository", t.TempDir(), "", "")
}

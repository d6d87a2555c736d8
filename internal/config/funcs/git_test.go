package funcs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

func TestGitFunctions(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	place := r.place("below")
	r.want(t, place, `gitrefhash()`, r.head)
	r.want(t, place, `gitrefpretty()`, r.head)
	r.want(t, place, `gitreftag()`, "")
	r.want(t, place, `gitremoteurl("origin")`, "https://example.com/shop.git")
	if _, err := evaluate(place, `gitremoteurl("upstream")`); err == nil || !strings.Contains(err.Error(), `no remote named "upstream"`) {
		t.Errorf("gitremoteurl of a missing remote: %v, want an error that names it", err)
	}
}

func TestGitTags(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	signature := &object.Signature{Name: "x", When: time.Unix(1, 0)}
	for _, name := range []string{"v2", "v1"} {
		r.must(t, r.git.Storer.SetReference(plumbing.NewHashReference(plumbing.NewTagReferenceName(name), plumbing.NewHash(r.head))))
	}
	_, err := r.git.CreateTag("v3-annotated", plumbing.NewHash(r.head), &git.CreateTagOptions{Tagger: signature, Message: "x"})
	r.must(t, err)
	r.want(t, r.place(""), `gitreftag()`, "v2")
	r.want(t, r.place(""), `gitrefpretty()`, "v2")
	r.want(t, r.place(""), `gitrefhash()`, r.head)
}

func TestGitChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(t *testing.T, r *testRepository)
		changed bool
	}{
		"nothing":           {func(*testing.T, *testRepository) {}, false},
		"an untracked file": {func(t *testing.T, r *testRepository) { write(t, r.path("new.txt"), "new") }, false},
		"other content":     {func(t *testing.T, r *testRepository) { write(t, r.path("a.txt"), "changed") }, true},
		"the same length":   {func(t *testing.T, r *testRepository) { write(t, r.path("a.txt"), "b") }, true},
		"only its time": {func(t *testing.T, r *testRepository) {
			r.must(t, os.Chtimes(r.path("a.txt"), time.Time{}, time.Unix(9, 0)))
		}, false},
		"a removed file":     {func(t *testing.T, r *testRepository) { r.must(t, os.Remove(r.path("below/b.txt"))) }, true},
		"the executable bit": {func(t *testing.T, r *testRepository) { r.must(t, os.Chmod(r.path("a.txt"), 0o755)) }, true},
		"a link instead": {func(t *testing.T, r *testRepository) {
			r.must(t, os.Remove(r.path("a.txt")))
			r.must(t, os.Symlink("below/b.txt", r.path("a.txt")))
		}, true},
		"another link": {func(t *testing.T, r *testRepository) {
			r.must(t, os.Remove(r.path("link")))
			r.must(t, os.Symlink("elsewhere", r.path("link")))
		}, true},
		"a staged change": {func(t *testing.T, r *testRepository) {
			write(t, r.path("a.txt"), "staged")
			r.add(t, "a.txt")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t)
			c.change(t, r)
			got, err := evaluate(r.place(""), `gitrefpretty()`)
			r.must(t, err)
			if suffixed := regexp.MustCompile(`^` + r.head + `_CHANGES_\d+$`).MatchString(got.AsString()); suffixed != c.changed {
				t.Errorf("gitrefpretty() = %q, want a suffix: %v", got.AsString(), c.changed)
			}
		})
	}
}

func TestGitDetachedHead(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.must(t, r.git.Storer.SetReference(plumbing.NewHashReference(plumbing.HEAD, plumbing.NewHash(r.head))))
	r.want(t, r.place(""), `gitrefhash()`, r.head)
}

// A linked worktree has a file instead of .git, and its own HEAD and index.
func TestGitLinkedWorktree(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	linked := filepath.Join(t.TempDir(), "linked")
	own := r.path(".git/worktrees/linked")
	write(t, filepath.Join(linked, ".git"), "gitdir: "+own+"\n")
	write(t, filepath.Join(own, "HEAD"), r.head+"\n")
	write(t, filepath.Join(own, "commondir"), "../..\n")
	place := &funcs.Place{Dir: linked, Root: linked}
	r.want(t, place, `gitrefhash()`, r.head)
	r.want(t, place, `gitremoteurl("origin")`, "https://example.com/shop.git")
}

func TestGitWithoutCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := git.PlainInit(dir, false); err != nil {
		t.Fatal(err)
	}
	_, err := evaluate(&funcs.Place{Dir: dir, Root: dir}, `gitrefpretty()`)
	if err == nil || !strings.Contains(err.Error(), "has no commit yet") {
		t.Errorf("gitrefpretty() = %v, want that there is no commit", err)
	}
}

// All calls of a run answer the same, whatever happens to the files meanwhile.
func TestGitAnswersOnce(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	table := r.place("").Functions()
	before, err := table["gitrefpretty"].Call(nil)
	r.must(t, err)
	write(t, r.path("a.txt"), "changed")
	after, err := table["gitrefpretty"].Call(nil)
	r.must(t, err)
	if !before.RawEquals(after) {
		t.Errorf("gitrefpretty() = %#v and then %#v", before, after)
	}
}

// testRepository is a repository with one commit.
type testRepository struct {
	dir, head string
	git       *git.Repository
}

func newRepository(t *testing.T) *testRepository {
	t.Helper()
	r := &testRepository{dir: t.TempDir()}
	var err error
	r.git, err = git.PlainInit(r.dir, false)
	r.must(t, err)
	_, err = r.git.CreateRemote(&config.RemoteConfig{Name: "origin", URLs: []string{"https://example.com/shop.git"}})
	r.must(t, err)
	write(t, r.path("a.txt"), "a")
	write(t, r.path("below/b.txt"), "b")
	r.must(t, os.Symlink("a.txt", r.path("link")))
	r.add(t, ".")
	worktree, err := r.git.Worktree()
	r.must(t, err)
	hash, err := worktree.Commit("first", &git.CommitOptions{Author: &object.Signature{Name: "x", When: time.Unix(1, 0)}})
	r.must(t, err)
	r.head = hash.String()
	return r
}

func (r *testRepository) add(t *testing.T, path string) {
	t.Helper()
	worktree, err := r.git.Worktree()
	r.must(t, err)
	_, err = worktree.Add(path)
	r.must(t, err)
}

func (r *testRepository) path(name string) string { return filepath.Join(r.dir, name) }

func (r *testRepository) place(below string) *funcs.Place {
	return &funcs.Place{Dir: r.path(below), Root: r.dir}
}

func (r *testRepository) want(t *testing.T, place *funcs.Place, call, want string) {
	t.Helper()
	got, err := evaluate(place, call)
	if err != nil || got.AsString() != want {
		t.Errorf("%s = %#v, %v, want %q", call, got, err, want)
	}
}

func (r *testRepository) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

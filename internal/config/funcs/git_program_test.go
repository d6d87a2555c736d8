package funcs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// realRepository is a repository that the git program made.
type realRepository struct{ dir string }

func newRealRepository(t *testing.T) realRepository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git program")
	}
	r := realRepository{t.TempDir()}
	r.git(t, "init", "-q", "-b", "main")
	r.git(t, "remote", "add", "origin", "https://example.com/a.git")
	r.git(t, "remote", "add", "fork", "git@example.com:b.git")
	r.commit(t, "a.txt", "a")
	return r
}

// git runs git in the repository and returns what it prints.
func (r realRepository) git(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", args...)
	command.Dir = r.dir
	command.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + r.dir, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=x@example.com", "GIT_COMMITTER_NAME=x", "GIT_COMMITTER_EMAIL=x@example.com",
	}
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r realRepository) commit(t *testing.T, name, content string) {
	t.Helper()
	write(t, filepath.Join(r.dir, name), content)
	r.git(t, "add", name)
	r.git(t, "commit", "-q", "-m", name)
}

// clone returns a copy that git made with more arguments.
func (r realRepository) clone(t *testing.T, args ...string) realRepository {
	t.Helper()
	to := filepath.Join(t.TempDir(), "clone")
	r.git(t, append(append([]string{"clone", "-q"}, args...), "file://"+r.dir, to)...)
	return realRepository{to}
}

func (r realRepository) place() *funcs.Place { return &funcs.Place{Dir: r.dir, Root: r.dir} }

// want compares what the functions say with what git says. The tag is the one
// expected, and changed whether tracked files differ from what is staged.
func (r realRepository) want(t *testing.T, tag string, changed bool) {
	t.Helper()
	head := r.git(t, "rev-parse", "HEAD")
	place := r.place()
	if got, err := evaluate(place, `gitrefhash()`); err != nil || got.AsString() != head {
		t.Errorf("gitrefhash() = %#v, %v, want %q", got, err, head)
	}
	if got, err := evaluate(place, `gitreftag()`); err != nil || got.AsString() != tag {
		t.Errorf("gitreftag() = %#v, %v, want %q", got, err, tag)
	}
	pretty := regexp.QuoteMeta(head)
	if tag != "" {
		pretty = regexp.QuoteMeta(tag)
	}
	if changed {
		pretty += `_CHANGES_\d+`
	}
	got, err := evaluate(place, `gitrefpretty()`)
	if err != nil || !regexp.MustCompile(`^`+pretty+`$`).MatchString(got.AsString()) {
		t.Errorf("gitrefpretty() = %#v, %v, want %s", got, err, pretty)
	}
}

func TestGitProgram(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]func(t *testing.T, r realRepository){
		"lightweight tags": func(t *testing.T, r realRepository) {
			r.git(t, "tag", "v1")
			r.git(t, "tag", "v2")
			r.want(t, "v2", false)
		},
		"packed tags": func(t *testing.T, r realRepository) {
			r.git(t, "tag", "v1")
			r.git(t, "pack-refs", "--all")
			r.git(t, "gc", "-q")
			r.want(t, "v1", false)
		},
		"an annotated tag": func(t *testing.T, r realRepository) { r.git(t, "tag", "-a", "v1", "-m", "x"); r.want(t, "", false) },
		"a tag further below": func(t *testing.T, r realRepository) {
			r.git(t, "tag", "v1")
			r.commit(t, "b", "b")
			r.want(t, "", false)
		},
		"a detached head": func(t *testing.T, r realRepository) { r.git(t, "checkout", "-q", "--detach"); r.want(t, "", false) },
		"a shallow clone": func(t *testing.T, r realRepository) {
			r.commit(t, "b", "b")
			r.git(t, "tag", "v1")
			r.clone(t, "--depth", "1").want(t, "v1", false)
		},
		"a dirty file": func(t *testing.T, r realRepository) {
			write(t, filepath.Join(r.dir, "a.txt"), "b")
			r.want(t, "", true)
		},
		"an untracked file": func(t *testing.T, r realRepository) { write(t, filepath.Join(r.dir, "new"), "b"); r.want(t, "", false) },
		"a staged file": func(t *testing.T, r realRepository) {
			write(t, filepath.Join(r.dir, "a.txt"), "b")
			r.git(t, "add", "a.txt")
			r.want(t, "", false)
		},
		"a linked worktree": func(t *testing.T, r realRepository) {
			r.git(t, "tag", "v1")
			linked := realRepository{filepath.Join(t.TempDir(), "linked")}
			r.git(t, "worktree", "add", "-q", linked.dir)
			linked.want(t, "v1", false)
			linked.commit(t, "b", "b")
			linked.want(t, "", false)
		},
		"a submodule": func(t *testing.T, r realRepository) {
			inner := newRealRepository(t)
			r.git(t, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.dir, "sub")
			realRepository{filepath.Join(r.dir, "sub")}.want(t, "", false)
			r.git(t, "commit", "-q", "-m", "sub")
			r.want(t, "", false)
		},
		"another owner": func(t *testing.T, r realRepository) {
			if os.Getuid() != 0 {
				t.Skip("only root can give files away")
			}
			head := r.git(t, "rev-parse", "HEAD")
			for _, path := range []string{r.dir, filepath.Join(r.dir, ".git")} {
				if err := os.Chown(path, 12345, 12345); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := evaluate(r.place(), `gitrefpretty()`); err != nil || got.AsString() != head {
				t.Errorf("gitrefpretty() = %#v, %v, want %q", got, err, head)
			}
		},
		"remotes": func(t *testing.T, r realRepository) {
			wantValue(t, r.place(), `gitremoteurl("fork")`, `"git@example.com:b.git"`)
			wantError(t, r.place(), `gitremoteurl("upstream")`, `has no remote named "upstream"; it has fork, origin`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, newRealRepository(t))
		})
	}
}

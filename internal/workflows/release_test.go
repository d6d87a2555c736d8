package workflows_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// releases is a clone that releases are made from, and the bare repository that
// it was cloned from.
type releases struct {
	clone, remote string
	environ       []string // beside that of the test
}

// newReleases makes a repository that has the given files on main.
func newReleases(t *testing.T, files ...string) *releases {
	t.Helper()
	r := &releases{clone: t.TempDir(), remote: t.TempDir()}
	for _, file := range files {
		info, err := os.Stat(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(r.clone, file), read(t, filepath.Join(root, file)), info.Mode().Perm())
	}
	git(t, r.remote, "init", "--quiet", "--bare", "--initial-branch=main")
	git(t, r.clone, "init", "--quiet", "--initial-branch=main")
	git(t, r.clone, "remote", "add", "origin", r.remote)
	r.commit(t)
	git(t, r.clone, "push", "--quiet", "origin", "main")
	return r
}

// commit commits what is in the clone.
func (r *releases) commit(t *testing.T) {
	t.Helper()
	git(t, r.clone, "add", "--all")
	git(t, r.clone, "commit", "--quiet", "--allow-empty", "--message", "change")
}

// release runs the script.
func (r *releases) release(t *testing.T, version string) (log string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", filepath.Join(r.clone, ".ci/release"), version)
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=Acme/deploy-action")
	cmd.Env = append(cmd.Env, r.environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// refs returns the refs of the remote, one a line.
func (r *releases) refs(t *testing.T) string {
	t.Helper()
	return git(t, r.remote, "for-each-ref", "--format=%(refname) %(objectname)")
}

// What may not be released is refused before anything changes, and before
// anything is compiled.
func TestReleaseRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version string
		prepare func(*testing.T, *releases)
		said    string
	}{
		"no version":     {said: "a version is like v1.2.3, and not empty"},
		"half a version": {version: "v1.2", said: "a version is like v1.2.3, and not v1.2"},
		"changes": {
			version: "v1.2.3",
			prepare: func(t *testing.T, r *releases) {
				write(t, filepath.Join(r.clone, "notes"), "half done", 0o600)
			},
			said: "there are changes that are not committed: ?? notes",
		},
		"not on main": {
			version: "v1.2.3",
			prepare: func(t *testing.T, r *releases) { r.commit(t) },
			said:    "is not on main",
		},
		"released already": {
			version: "v1.2.3",
			prepare: func(t *testing.T, r *releases) {
				r.commit(t)
				git(t, r.clone, "push", "--quiet", "origin", "main")
				git(t, r.clone, "push", "--quiet", "origin", "HEAD:refs/tags/v1.2.3")
				r.commit(t)
				git(t, r.clone, "push", "--quiet", "origin", "main")
			},
			said: "v1.2.3 exists and is made of another commit; what was released never changes, so take the next number",
		},
		"pinned on main": {
			version: "v1.2.3",
			prepare: func(t *testing.T, r *releases) {
				path := filepath.Join(r.clone, "action.yml")
				write(t, path, strings.Replace(read(t, path), "image: Dockerfile", "image: docker://acme/deploy-action:v1", 1), 0o644)
				r.commit(t)
				git(t, r.clone, "push", "--quiet", "origin", "main")
			},
			said: `action.yml does not say "image: Dockerfile"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReleases(t, ".ci/release", ".ci/lib.sh", "action.yml")
			if c.prepare != nil {
				c.prepare(t, r)
			}
			before := r.refs(t)
			log, err := r.release(t, c.version)
			if err == nil || !strings.Contains(log, "release: "+c.said) && !strings.Contains(log, c.said+"\n") {
				t.Errorf("the script ended with %v and wrote\n%swant a failure that says %q", err, log, c.said)
			}
			if after := r.refs(t); after != before {
				t.Errorf("the remote was changed from\n%s\nto\n%s", before, after)
			}
		})
	}
}

// git runs git in a folder, with nobody's settings, and returns its output.
func git(t *testing.T, folder string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder, "-c", "user.name=Tester", "-c", "user.email=tester@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

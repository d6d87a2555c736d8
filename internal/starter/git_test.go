package starter_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-git/go-git/v5"
	gitconfig "github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/starter"
)

func TestReadGit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		remote string
		want   starter.Git
	}{
		"the form of ssh":      {"git@github.com:Acme/Shop.git", starter.Git{Name: "Shop", Image: "ghcr.io/acme/shop"}},
		"without a user":       {"github.com:acme/shop", starter.Git{Name: "shop", Image: "ghcr.io/acme/shop"}},
		"https":                {"https://github.com/acme/shop", starter.Git{Name: "shop", Image: "ghcr.io/acme/shop"}},
		"https with a token":   {"https://x:token@github.com/acme/shop.git/", starter.Git{Name: "shop", Image: "ghcr.io/acme/shop"}},
		"ssh":                  {"ssh://git@github.com:22/acme/shop.git", starter.Git{Name: "shop", Image: "ghcr.io/acme/shop"}},
		"another host":         {"https://git.example.com/a/b/shop.git", starter.Git{Name: "shop"}},
		"a folder":             {"/srv/shop.git", starter.Git{}},
		"no remote, as before": {"", starter.Git{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			repository := initialize(t, dir)
			if tt.remote != "" {
				if _, err := repository.CreateRemote(&gitconfig.RemoteConfig{Name: "origin", URLs: []string{tt.remote}}); err != nil {
					t.Fatal(err)
				}
			}
			tt.want.Branch, tt.want.Folder = "trunk", "."
			if diff := cmp.Diff(tt.want, starter.ReadGit(dir)); diff != "" {
				t.Errorf("ReadGit (-want +got):\n%s", diff)
			}
		})
	}
}

// initialize makes a repository without a commit.
func initialize(t *testing.T, dir string) *git.Repository {
	t.Helper()
	repository, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{
		InitOptions: git.InitOptions{DefaultBranch: plumbing.NewBranchReferenceName("trunk")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return repository
}

func TestReadGitBelowTheRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	repository := initialize(t, dir)
	head := plumbing.NewSymbolicReference("refs/remotes/origin/HEAD", "refs/remotes/origin/release/1")
	if err := repository.Storer.SetReference(head); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(starter.Git{Branch: "release/1", Folder: "a/b"}, starter.ReadGit(folder)); diff != "" {
		t.Errorf("ReadGit (-want +got):\n%s", diff)
	}
}

func TestReadGitWithout(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(starter.Git{Folder: "."}, starter.ReadGit(t.TempDir())); diff != "" {
		t.Errorf("ReadGit (-want +got):\n%s", diff)
	}
}

package starter

import (
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
)

// Git is what version control says about a folder. Its zero value is a folder
// without any.
type Git struct {
	Name    string // of the repository, by its remote; or ""
	Image   string // where its images go: ghcr.io/OWNER/NAME for a repository on github.com; or ""
	Branch  string // what the remote shows first, or else the present one; or ""
	Commits bool   // there is a commit
	Folder  string // the folder that was looked at, from the repository's root, with slashes; "." at the root
}

// ReadGit reads the repository around the folder dir. What cannot be read is
// as if it were not there.
func ReadGit(dir string) Git {
	repository, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if err != nil {
		return Git{Folder: "."}
	}
	g := Git{Folder: "."}
	if tree, err := repository.Worktree(); err == nil {
		if folder, err := filepath.Rel(tree.Filesystem.Root(), dir); err == nil && filepath.IsLocal(folder) {
			g.Folder = filepath.ToSlash(folder)
		}
	}
	_, err = repository.Head()
	g.Commits = err == nil
	g.Branch = branch(repository)
	if remote, err := repository.Remote("origin"); err == nil && len(remote.Config().URLs) > 0 {
		host, name := splitRemote(remote.Config().URLs[0])
		if name != "" {
			g.Name = path.Base(name)
		}
		if host == "github.com" && strings.Count(name, "/") == 1 {
			g.Image = "ghcr.io/" + strings.ToLower(name)
		}
	}
	return g
}

// branch returns the branch that counts: the remote's own, or else the present
// one, which need not have a commit yet.
func branch(repository *git.Repository) string {
	if head, err := repository.Reference("refs/remotes/origin/HEAD", false); err == nil {
		return strings.TrimPrefix(head.Target().Short(), "origin/")
	}
	if head, err := repository.Reference(plumbing.HEAD, false); err == nil && head.Target().IsBranch() {
		return head.Target().Short()
	}
	return ""
}

// splitRemote takes the address of a repository apart, in the form of a URL or
// in that of ssh.
func splitRemote(address string) (host, name string) {
	if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
		host, name = parsed.Hostname(), parsed.Path
	} else if before, after, ok := strings.Cut(address, ":"); ok {
		host, name = before[strings.LastIndex(before, "@")+1:], after
	}
	return host, strings.TrimSuffix(strings.Trim(name, "/"), ".git")
}

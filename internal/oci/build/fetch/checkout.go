package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Checkout writes the files of a commit, as [Git.Resolve] returned it for the
// same source, into the empty folder dir. Modes are those that git knows, 755
// and 644, whatever the process's own. After an error dir holds a part.
func (g Git) Checkout(ctx context.Context, identifier string, attributes map[string]string, commit Commit, dir string) error {
	r, err := parseGit(identifier, attributes)
	if err != nil {
		return err
	}
	auth, err := g.auth(ctx, r)
	if err != nil {
		return err
	}
	work := dir
	if r.subfolder != "" {
		if work, err = os.MkdirTemp(dir, ".checkout-*"); err != nil {
			return fmt.Errorf("fetching %s: %w", r.url, err)
		}
	}
	repo, err := r.fetch(ctx, auth, commit, work)
	if err != nil {
		return err
	}
	if !r.withoutSubmodule {
		if err := g.submodules(ctx, repo, r, 0); err != nil {
			return err
		}
	}
	if err := settle(work, r.keepGit && r.subfolder == ""); err != nil {
		return fmt.Errorf("fetching %s: %w", r.url, err)
	}
	if r.subfolder == "" {
		return nil
	}
	return r.narrow(work, dir)
}

// fetch fetches a commit without its history and writes its files.
func (r repository) fetch(ctx context.Context, auth transport.AuthMethod, commit Commit, work string) (*git.Repository, error) {
	// BoundOS writes links as they are; the default makes absolute ones point
	// into work.
	files := osfs.New(work, osfs.WithBoundOS())
	objects := filesystem.NewStorage(osfs.New(filepath.Join(work, git.GitDirName), osfs.WithBoundOS()), cache.NewObjectLRUDefault())
	repo, err := git.Init(objects, files)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", r.url, err)
	}
	remote, err := repo.CreateRemote(&config.RemoteConfig{Name: "origin", URLs: []string{r.url.String()}})
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", r.url, err)
	}
	if err := r.fetchCommit(ctx, remote, repo, auth, commit); err != nil {
		return nil, r.explain(err)
	}
	tree, err := repo.Worktree()
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", r.url, err)
	}
	if err := tree.Checkout(&git.CheckoutOptions{Hash: plumbing.NewHash(commit.Hash), Force: true}); err != nil {
		return nil, fmt.Errorf("writing the files of %s: %w", r.url, err)
	}
	return repo, nil
}

// fetchCommit tries, from the cheapest on, what servers allow: the reference,
// the commit by its hash, and all that there is.
func (r repository) fetchCommit(ctx context.Context, remote *git.Remote, repo *git.Repository, auth transport.AuthMethod, commit Commit) error {
	hash := plumbing.NewHash(commit.Hash)
	tries := []git.FetchOptions{
		{Depth: 1, Tags: git.NoTags, RefSpecs: []config.RefSpec{config.RefSpec(commit.Hash + ":refs/heads/fetched")}},
		{Tags: git.AllTags, RefSpecs: []config.RefSpec{"+refs/heads/*:refs/remotes/origin/*"}},
	}
	if commit.ref != "" {
		byName := config.RefSpec("+" + commit.ref + ":" + commit.ref)
		tries = append([]git.FetchOptions{{Depth: 1, Tags: git.NoTags, RefSpecs: []config.RefSpec{byName}}}, tries...)
	}
	var err error
	for _, options := range tries {
		options.Auth = auth
		err = remote.FetchContext(ctx, &options)
		if _, missing := repo.CommitObject(hash); missing == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
	}
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return err
	}
	return refused(fmt.Sprintf("The repository %s has no commit %s.", r.url, commit.Hash), nil)
}

// settle gives files the modes that git knows, and drops what git keeps.
func settle(work string, keepGit bool) error {
	return filepath.WalkDir(work, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Name() == git.GitDirName {
			if !keepGit {
				err = os.RemoveAll(name)
			}
			if err == nil && entry.IsDir() {
				err = fs.SkipDir
			}
			return err
		}
		if entry.IsDir() {
			return os.Chmod(name, 0o755)
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		return os.Chmod(name, mode)
	})
}

// narrow leaves in dir what the subfolder of the checkout has.
func (r repository) narrow(work, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("fetching %s: %w", r.url, err)
	}
	defer root.Close()
	checkout := filepath.Base(work)
	inside := filepath.Join(checkout, filepath.FromSlash(r.subfolder))
	folder, err := root.Open(inside)
	if err != nil {
		return refused(fmt.Sprintf("The repository %s has no folder %q at that commit.", r.url, r.subfolder), err)
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return refused(fmt.Sprintf("%q in the repository %s is not a folder.", r.subfolder, r.url), err)
	}
	for _, name := range names {
		if err := root.Rename(filepath.Join(inside, name), name); err != nil {
			return fmt.Errorf("fetching %s: %w", r.url, err)
		}
	}
	return root.RemoveAll(checkout)
}

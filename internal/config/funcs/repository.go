package funcs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// repository is a Git repository, read without the git program and whoever
// owns it. It uses go-git's storage only: its top package would bring SSH, HTTP
// and OpenPGP to the start of every run.
type repository struct {
	worktree string // the folder that holds .git
	gitDir   string // where HEAD and the index are; in a linked worktree, its own
	store    *filesystem.Storage
}

// openRepository finds the repository that holds dir.
func openRepository(dir string) (*repository, error) {
	for folder := dir; ; folder = filepath.Dir(folder) {
		info, err := os.Stat(filepath.Join(folder, ".git"))
		switch {
		case err == nil:
			return newRepository(folder, info.IsDir())
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("finding the Git repository: %w", err)
		case folder == filepath.Dir(folder):
			return nil, fmt.Errorf("the folder %q is in no Git repository; in a workflow, a step before this one must check it out", dir)
		}
	}
}

// newRepository opens the repository at worktree, whose .git is a folder or,
// in a linked worktree and a submodule, a file that names one.
func newRepository(worktree string, isDir bool) (*repository, error) {
	gitDir := filepath.Join(worktree, ".git")
	if !isDir {
		content, err := os.ReadFile(gitDir)
		if err != nil {
			return nil, fmt.Errorf("opening the Git repository: %w", err)
		}
		target, ok := strings.CutPrefix(strings.TrimSpace(string(content)), "gitdir: ")
		if !ok {
			return nil, fmt.Errorf("opening the Git repository: the file %q does not name a folder", gitDir)
		}
		gitDir = beside(worktree, target)
	}
	var common billy.Filesystem // nil when it is gitDir itself
	content, err := os.ReadFile(filepath.Join(gitDir, "commondir"))
	if err == nil {
		common = osfs.New(beside(gitDir, strings.TrimSpace(string(content))))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening the Git repository: %w", err)
	}
	files := dotgit.NewRepositoryFilesystem(osfs.New(gitDir), common)
	return &repository{
		worktree: worktree,
		gitDir:   gitDir,
		store:    filesystem.NewStorage(files, cache.NewObjectLRUDefault()),
	}, nil
}

// beside makes a path absolute that may be relative to folder.
func beside(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// resolveHead returns what HEAD points at, through a branch or, when it is
// detached, straight.
func (r *repository) resolveHead() (*plumbing.Reference, error) {
	return storer.ResolveReference(r.store, plumbing.HEAD)
}

// changed reports whether a tracked file differs from what is staged, as
// `git diff --quiet` does. It knows no filters: a file that git would convert
// counts as changed once its size or time differ from what git noted.
func (r *repository) changed() (bool, error) {
	staged, err := r.store.Index()
	if err != nil {
		return false, fmt.Errorf("reading the index of the Git repository %q: %w", r.worktree, err)
	}
	config, err := r.store.Config()
	if err != nil {
		return false, fmt.Errorf("reading the configuration of the Git repository %q: %w", r.worktree, err)
	}
	modes := config.Raw.Section("core").Option("filemode") != "false"
	written := time.Time{}
	if info, err := os.Stat(filepath.Join(r.gitDir, "index")); err == nil {
		written = info.ModTime()
	}
	for _, entry := range staged.Entries {
		if entry.SkipWorktree || entry.Mode == filemode.Submodule {
			continue
		}
		same, err := r.same(entry, written, modes)
		if err != nil || !same {
			return !same, err
		}
	}
	return false, nil
}

// same reports whether the file of entry is as it was staged. The index was
// written at that time; modes says whether the executable bit counts.
func (r *repository) same(entry *index.Entry, written time.Time, modes bool) (bool, error) {
	path := filepath.Join(r.worktree, filepath.FromSlash(entry.Name))
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("comparing a file with the Git index: %w", err)
	}
	link := info.Mode()&fs.ModeSymlink != 0
	executable := info.Mode()&0o100 != 0
	switch {
	case link != (entry.Mode == filemode.Symlink), !link && !info.Mode().IsRegular():
		return false, nil
	case modes && !link && executable != (entry.Mode == filemode.Executable):
		return false, nil
	}
	// A file that is as old as the index may have been changed after it was
	// staged, within the same tick of the clock.
	fresh := info.ModTime().Before(written)
	if fresh && info.ModTime().Equal(entry.ModifiedAt) && uint32(info.Size()) == entry.Size {
		return true, nil
	}
	hash, err := blobHash(path, info, link)
	return hash == entry.Hash, err
}

// blobHash returns the hash that Git gives to the content of a file.
func blobHash(path string, info fs.FileInfo, link bool) (plumbing.Hash, error) {
	if link {
		target, err := os.Readlink(path)
		if err != nil {
			return plumbing.ZeroHash, fmt.Errorf("comparing a file with the Git index: %w", err)
		}
		return plumbing.ComputeHash(plumbing.BlobObject, []byte(target)), nil
	}
	file, err := os.Open(path)
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("comparing a file with the Git index: %w", err)
	}
	defer file.Close()
	hasher := plumbing.NewHasher(plumbing.BlobObject, info.Size())
	if _, err := io.Copy(hasher, file); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("comparing a file with the Git index: %w", err)
	}
	return hasher.Sum(), nil
}

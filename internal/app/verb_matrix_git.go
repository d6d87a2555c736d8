package app

import (
	"cmp"
	"errors"
	"path/filepath"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/deploy-action/deploy-action/internal/workflow"
)

// tree is the repository around the project, as far as it is checked out.
type tree struct {
	root       string          // its top folder
	repository *git.Repository // nil where there is none
	commit     string          // ours, that people look at; "" where it is not known
}

// openTree finds the repository around a folder.
func openTree(dir string, run workflow.Context) tree {
	t := tree{root: cmp.Or(run.Workspace, dir), commit: run.HeadSHA}
	repository, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if err != nil {
		return t
	}
	t.repository = repository
	if worktree, err := repository.Worktree(); err == nil {
		t.root = worktree.Filesystem.Root()
	}
	if head, err := repository.Head(); err == nil && t.commit == "" {
		t.commit = head.Hash().String()
	}
	return t
}

// below names a file or folder from the top of the repository; "." for the top
// itself, and for what is not below it.
func (t tree) below(path string) string {
	relative, err := filepath.Rel(t.root, path)
	if err != nil || !filepath.IsLocal(relative) {
		return "."
	}
	return filepath.ToSlash(relative)
}

// errNoRepository means that there is no repository to look into.
var errNoRepository = errors.New("there is no Git repository")

// changed returns the files that differ between a commit and ours, from the top
// of the repository. It needs the trees of both, and nothing that lies between.
func (t tree) changed(base string) ([]string, error) {
	if t.repository == nil {
		return nil, errNoRepository
	}
	before, err := t.treeOf(base)
	if err != nil {
		return nil, err
	}
	after, err := t.treeOf(t.commit)
	if err != nil {
		return nil, err
	}
	var files []string
	err = t.compare(before, after, "", &files)
	return files, err
}

func (t tree) treeOf(commit string) (*object.Tree, error) {
	found, err := t.repository.CommitObject(plumbing.NewHash(commit))
	if err != nil {
		return nil, err
	}
	return found.Tree()
}

// compare adds the files that differ between two trees, either of which may be
// nil. Folders that are equal are not looked into.
func (t tree) compare(before, after *object.Tree, folder string, files *[]string) error {
	was, is := entries(before), entries(after)
	for name, entry := range was {
		if is[name] != entry {
			if err := t.differs(entry, is[name], folder+name, files); err != nil {
				return err
			}
		}
	}
	for name, entry := range is {
		if _, both := was[name]; !both {
			if err := t.differs(object.TreeEntry{}, entry, folder+name, files); err != nil {
				return err
			}
		}
	}
	return nil
}

// differs adds a path whose entries differ: itself where one is a file, and the
// files below it where one is a folder.
func (t tree) differs(before, after object.TreeEntry, path string, files *[]string) error {
	isFile := func(e object.TreeEntry) bool { return e.Mode != filemode.Dir && e.Mode != filemode.Empty }
	if isFile(before) || isFile(after) {
		*files = append(*files, path)
	}
	var trees [2]*object.Tree
	for i, e := range []object.TreeEntry{before, after} {
		if e.Mode != filemode.Dir {
			continue
		}
		found, err := t.repository.TreeObject(e.Hash)
		if err != nil {
			return err
		}
		trees[i] = found
	}
	if trees[0] == nil && trees[1] == nil {
		return nil
	}
	return t.compare(trees[0], trees[1], path+"/", files)
}

// entries returns what lies right in a tree, by name.
func entries(tree *object.Tree) map[string]object.TreeEntry {
	named := map[string]object.TreeEntry{}
	if tree != nil {
		for _, e := range tree.Entries {
			named[e.Name] = e
		}
	}
	return named
}

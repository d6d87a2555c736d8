package fetch

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5"
)

// deepest bounds submodules in submodules.
const deepest = 10

// submodules fetches the repositories that one refers to. They may only be
// where a repository itself may be: a path would be one of this machine.
func (g Git) submodules(ctx context.Context, repo *git.Repository, r repository, depth int) error {
	if depth == deepest {
		return refused(fmt.Sprintf("The repository %s has submodules in submodules, more than %d deep.", r.url, deepest), nil)
	}
	tree, err := repo.Worktree()
	if err != nil {
		return fmt.Errorf("reading submodules of %s: %w", r.url, err)
	}
	modules, err := tree.Submodules()
	if err != nil {
		return fmt.Errorf("reading submodules of %s: %w", r.url, err)
	}
	for _, module := range modules {
		name, address := module.Config().Name, module.Config().URL
		below, err := r.relative(address)
		if err != nil {
			return refused(fmt.Sprintf("The submodule %q of %s is at %q. This build engine fetches submodules over https only.", name, r.url, address), nil)
		}
		module.Config().URL = below.url.String()
		auth, err := g.auth(ctx, below)
		if err != nil {
			return err
		}
		// Not Depth: many servers show no more than their branches' last commits.
		if err := module.UpdateContext(ctx, &git.SubmoduleUpdateOptions{Init: true, Auth: auth}); err != nil {
			return below.explain(err)
		}
		inner, err := module.Repository()
		if err != nil {
			return fmt.Errorf("reading the submodule %q of %s: %w", name, r.url, err)
		}
		if err := g.submodules(ctx, inner, below, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// relative resolves the address of a submodule. What signs in to the same host
// signs in to it too.
func (r repository) relative(address string) (repository, error) {
	full := address
	if strings.HasPrefix(address, "./") || strings.HasPrefix(address, "../") {
		full = r.url.JoinPath(address).String()
	}
	below, err := parseGit("git://", map[string]string{"git.fullurl": full})
	if err != nil {
		return repository{}, err
	}
	if below.user == nil && below.url.Host == r.url.Host && below.url.Scheme == r.url.Scheme {
		below.user = r.user
	}
	return below, nil
}

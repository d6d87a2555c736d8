package funcs

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// gitFunctions returns the functions on the Git repository that holds dir. It
// is opened at the first call, and what was read then is the answer to every
// later one: all apps of a run get the same.
func gitFunctions(dir string) map[string]function.Function {
	open := sync.OnceValues(func() (*repository, error) { return openRepository(dir) })
	head := sync.OnceValues(func() (string, error) {
		r, err := open()
		if err != nil {
			return "", err
		}
		return r.head()
	})
	tag := sync.OnceValues(func() (string, error) {
		r, err := open()
		if err != nil {
			return "", err
		}
		return r.tag()
	})
	pretty := sync.OnceValues(func() (string, error) {
		r, err := open()
		if err != nil {
			return "", err
		}
		return r.pretty(time.Now())
	})
	return map[string]function.Function{
		"gitrefhash":   gitFunction(head),
		"gitrefpretty": gitFunction(pretty),
		"gitreftag":    gitFunction(tag),
		"gitremoteurl": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "name", Type: cty.String}},
			Type:   function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				r, err := open()
				if err != nil {
					return cty.NilVal, err
				}
				url, err := r.remote(args[0].AsString())
				return cty.StringVal(url), err
			},
		}),
	}
}

// gitFunction makes a function without arguments.
func gitFunction(read func() (string, error)) function.Function {
	return function.New(&function.Spec{
		Type: function.StaticReturnType(cty.String),
		Impl: func([]cty.Value, cty.Type) (cty.Value, error) {
			text, err := read()
			return cty.StringVal(text), err
		},
	})
}

// head returns the full hash of the commit that is checked out.
func (r *repository) head() (string, error) {
	reference, err := r.resolveHead()
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return "", fmt.Errorf("the repository %q has no commit yet", r.worktree)
	}
	if err != nil {
		return "", fmt.Errorf("reading the Git repository %q: %w", r.worktree, err)
	}
	return reference.Hash().String(), nil
}

// tag returns the last tag that points straight at the commit that is checked
// out, or "". An annotated tag points at an object of its own.
func (r *repository) tag() (string, error) {
	head, err := r.head()
	if err != nil {
		return "", err
	}
	references, err := r.store.IterReferences()
	if err != nil {
		return "", fmt.Errorf("reading the tags of %q: %w", r.worktree, err)
	}
	var tags []string
	err = references.ForEach(func(reference *plumbing.Reference) error {
		if reference.Name().IsTag() && reference.Hash().String() == head {
			tags = append(tags, reference.Name().Short())
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("reading the tags of %q: %w", r.worktree, err)
	}
	if len(tags) == 0 {
		return "", nil
	}
	return slices.Max(tags), nil
}

// pretty returns the tag of the commit that is checked out, or else its hash;
// and now, where tracked files differ from what was staged.
func (r *repository) pretty(now time.Time) (string, error) {
	name, err := r.tag()
	if err != nil {
		return "", err
	}
	if name == "" {
		if name, err = r.head(); err != nil {
			return "", err
		}
	}
	changed, err := r.changed()
	if err != nil {
		return "", err
	}
	if changed {
		name = fmt.Sprintf("%s_CHANGES_%d", name, now.Unix())
	}
	return name, nil
}

// remote returns the first URL of a remote.
func (r *repository) remote(name string) (string, error) {
	config, err := r.store.Config()
	if err != nil {
		return "", fmt.Errorf("reading the configuration of the Git repository %q: %w", r.worktree, err)
	}
	remote, found := config.Remotes[name]
	if !found || len(remote.URLs) == 0 {
		return "", function.NewArgErrorf(0, "the Git repository %q has no remote named %q", r.worktree, name)
	}
	return remote.URLs[0], nil
}

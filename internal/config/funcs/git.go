package funcs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// gitEntries are the functions on the Git repository that holds dir. It is
// opened at the first call, and what was read then is the answer to every later
// one: all apps of a run get the same.
func gitEntries(dir string) []entry {
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
	configured := sync.OnceValues(func() (*remotes, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return r.remotes()
	})
	return []entry{
		{name: "gitrefhash", function: gitFunction(head), summary: "Returns the full hash of the commit that is checked out."},
		{name: "gitrefpretty", function: gitFunction(pretty), summary: "Returns the lightweight tag or the hash of the commit that is checked out, with _CHANGES_ and a time where tracked files differ from it."},
		{name: "gitreftag", function: gitFunction(tag), summary: "Returns the last lightweight tag of the commit that is checked out, or \"\"."},
		{name: "gitremoteurl", function: remoteFunction(configured), summary: "Returns the first URL of a remote."},
	}
}

// remoteFunction makes the function that returns the URL of a remote.
func remoteFunction(configured func() (*remotes, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			known, err := configured()
			if err != nil {
				return cty.NilVal, err
			}
			url, err := known.url(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(url), nil
		},
	})
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

// remotes are the remotes of a repository.
type remotes struct {
	worktree string
	urls     map[string]string // the first of each, by name
}

// remotes returns what the configuration says of remotes.
func (r *repository) remotes() (*remotes, error) {
	config, err := r.store.Config()
	if err != nil {
		return nil, fmt.Errorf("reading the configuration of the Git repository %q: %w", r.worktree, err)
	}
	known := &remotes{worktree: r.worktree, urls: map[string]string{}}
	for name, remote := range config.Remotes {
		if len(remote.URLs) > 0 {
			known.urls[name] = remote.URLs[0]
		}
	}
	return known, nil
}

// url returns the first URL of a remote.
func (r *remotes) url(name string) (string, error) {
	if url, found := r.urls[name]; found {
		return url, nil
	}
	names := slices.Sorted(maps.Keys(r.urls))
	if len(names) == 0 {
		return "", fmt.Errorf("the Git repository %q has no remote named %q, nor any other", r.worktree, name)
	}
	return "", fmt.Errorf("the Git repository %q has no remote named %q; it has %s", r.worktree, name, strings.Join(names, ", "))
}

package vault

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"
)

// engine is a secrets engine that the token may know of.
type engine struct {
	path      string // ends with a slash
	kind      string // "kv", "database", …
	versioned bool   // version 2 of the key/value engine
}

// needsMounts reports whether it takes the list of engines to know what of the
// API a path means. Where "data/" is in it, it most probably is the API's.
func needsMounts(path string) bool { return !strings.Contains(path, "/data/") }

// listMounts asks for the engines that the token may see, once: one request
// for all paths, which Vault answers for every token. A Vault that does not
// leaves the list empty.
func (s *sourcer) listMounts(ctx context.Context) error {
	if s.mounts != nil {
		return nil
	}
	var list *api.Secret
	err := s.client.try(ctx, func(ctx context.Context) (err error) {
		list, err = s.client.Logical().ReadWithContext(ctx, "sys/internal/ui/mounts")
		return err
	})
	if err := s.concernsAll(err); err != nil {
		return err
	}
	s.mounts = []engine{}
	if list == nil {
		return nil
	}
	mounts, _ := list.Data["secret"].(map[string]any)
	for path, about := range mounts {
		about, _ := about.(map[string]any)
		kind, _ := about["type"].(string)
		options, _ := about["options"].(map[string]any)
		s.mounts = append(s.mounts, engine{path, kind, kind == "kv" && options["version"] == "2"})
	}
	slices.SortFunc(s.mounts, func(a, b engine) int { return strings.Compare(a.path, b.path) })
	return nil
}

// engineOf returns the engine that serves a path, or nil where none is known.
// Vault has no engine inside of another.
func engineOf(path string, mounts []engine) *engine {
	for i, m := range mounts {
		if strings.HasPrefix(path+"/", m.path) {
			return &mounts[i]
		}
	}
	return nil
}

// candidate is a path of the API that an author's path may mean.
type candidate struct {
	path     string
	inserted bool // with "data/" put in
}

// candidates returns what to try, in this order.
func candidates(path string, mounts []engine) []candidate {
	asGiven := candidate{path, false}
	if !needsMounts(path) {
		return []candidate{asGiven}
	}
	if m := engineOf(path, mounts); m != nil {
		if rest, ok := strings.CutPrefix(path, m.path); ok && m.versioned {
			// As given it may be "secret/metadata/web".
			return []candidate{{m.path + "data/" + rest, true}, asGiven}
		}
		return []candidate{asGiven}
	}
	if first, rest, ok := strings.Cut(path, "/"); ok {
		return []candidate{asGiven, {first + "/data/" + rest, true}}
	}
	return []candidate{asGiven}
}

// result is what came of reading one path.
type result struct {
	answer *answer     // nil where there is no value
	path   string      // of the API, that was tried first
	empty  *api.Secret // an answer without a value, or nil
	err    error       // an error that concerns the path only, or nil
}

// read reads what an author's path means. The error is for what concerns every
// path.
func (s *sourcer) read(ctx context.Context, path string) (result, error) {
	var first result
	for i, c := range candidates(path, s.mounts) {
		var found *api.Secret
		err := s.client.try(ctx, func(ctx context.Context) (err error) {
			found, err = s.client.Logical().ReadWithContext(ctx, c.path)
			return err
		})
		if err := s.concernsAll(err); err != nil {
			return result{}, err
		}
		if err == nil && hasValue(found) {
			return result{answer: newAnswer(c.path, found, c.inserted)}, nil
		}
		if i == 0 {
			first = result{path: c.path, empty: found, err: err}
		}
	}
	return first, nil
}

// hasValue reports whether an answer holds a secret. One of which only the
// metadata is left has null in its place.
func hasValue(found *api.Secret) bool {
	if found == nil || len(found.Data) == 0 {
		return false
	}
	inside, has := found.Data["data"]
	return !has || inside != nil || found.Data["metadata"] == nil
}

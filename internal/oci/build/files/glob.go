package files

import (
	"context"
	"path"
	"strings"
)

// hasWildcard reports whether a part of a path is a pattern.
func hasWildcard(name string) bool {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '*', '?', '[':
			return true
		case '\\':
			i++
		}
	}
	return false
}

// glob returns what a pattern matches, sorted. Links before the first wildcard
// are followed, those that wildcards match are not. A name without wildcards
// stands for itself, whether it exists or not.
func glob(ctx context.Context, v View, pattern string) ([]string, error) {
	parts := strings.Split(clean(pattern), "/")
	plain := 0
	for plain < len(parts) && !hasWildcard(parts[plain]) {
		plain++
	}
	if plain == len(parts) {
		return []string{clean(pattern)}, nil
	}
	start, err := Resolve(ctx, v, path.Join(parts[:plain]...))
	if err != nil {
		return nil, err
	}
	e, err := v.Lstat(ctx, start)
	if err != nil {
		return nil, err
	}
	if !e.folder() {
		return nil, nil
	}
	found := []string{start}
	for i, part := range parts[plain:] {
		if found, err = matchIn(ctx, v, found, part, i < len(parts[plain:])-1); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// matchIn returns what a pattern matches in folders; with foldersOnly, what
// is a folder itself.
func matchIn(ctx context.Context, v View, folders []string, pattern string, foldersOnly bool) ([]string, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, invalid("the pattern %q cannot be read: write a backslash before a bracket that is part of a name", pattern)
	}
	var found []string
	for _, folder := range folders {
		entries, err := v.ReadDir(ctx, folder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			// Pattern and view were checked above.
			matched, _ := path.Match(pattern, path.Base(e.Name))
			if matched && (e.folder() || !foldersOnly) {
				found = append(found, e.Name)
			}
		}
	}
	return found, nil
}

package files

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/buildkit/solver/pb"
)

// TestDigest changes one thing at a time and looks whether that counts.
func TestDigest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(dir string) error
		action func(a *pb.FileActionCopy)
		keep   bool
		counts bool
	}{
		"nothing": {change: func(string) error { return nil }},
		"time":    {change: func(dir string) error { return os.Chtimes(filepath.Join(dir, "d/x"), time.Time{}, time.Unix(9, 0)) }},
		"time that is kept": {
			change: func(dir string) error { return os.Chtimes(filepath.Join(dir, "d/x"), time.Time{}, time.Unix(9, 0)) },
			keep:   true, counts: true,
		},
		"content":          {change: func(dir string) error { return os.WriteFile(filepath.Join(dir, "d/x"), []byte("Y"), 0o644) }, counts: true},
		"mode":             {change: func(dir string) error { return os.Chmod(filepath.Join(dir, "d/x"), 0o755) }, counts: true},
		"mode of a folder": {change: func(dir string) error { return os.Chmod(filepath.Join(dir, "d/e"), 0o700) }, counts: true},
		"name":             {change: func(dir string) error { return os.Rename(filepath.Join(dir, "d/x"), filepath.Join(dir, "d/z")) }, counts: true},
		"new folder":       {change: func(dir string) error { return os.Mkdir(filepath.Join(dir, "d/n"), 0o755) }, counts: true},
		"hard link":        {change: func(dir string) error { return relink(filepath.Join(dir, "d/x"), filepath.Join(dir, "d/y")) }, counts: true},
		"target of a link": {
			change: func(dir string) error {
				link := filepath.Join(dir, "d/l")
				if err := os.Remove(link); err != nil {
					return err
				}
				return os.Symlink("e", link)
			},
			counts: true,
		},
		"elsewhere": {change: func(dir string) error { return os.WriteFile(filepath.Join(dir, "other"), nil, 0o644) }},
		"excluded": {
			change: func(dir string) error { return os.WriteFile(filepath.Join(dir, "d/x"), []byte("Y"), 0o644) },
			action: func(a *pb.FileActionCopy) { a.ExcludePatterns = []string{"x"} },
		},
		"not included": {
			change: func(dir string) error { return os.WriteFile(filepath.Join(dir, "d/e/new"), []byte("Y"), 0o644) },
			action: func(a *pb.FileActionCopy) { a.IncludePatterns = []string{"x"} },
		},
		"folder of what is included": {
			change: func(dir string) error { return os.Chmod(filepath.Join(dir, "d/e"), 0o700) },
			action: func(a *pb.FileActionCopy) { a.IncludePatterns = []string{"e/f"} },
			counts: true,
		},
		"name that a pattern finds": {
			change: func(dir string) error { return os.Rename(filepath.Join(dir, "d/e"), filepath.Join(dir, "d/ee")) },
			action: func(a *pb.FileActionCopy) { a.Src, a.AllowWildcard = "/d/e*", true },
			counts: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"d/x": "X", "d/y": "X", "d/e/f": "F", "d/l": "→x"})
			action := copyAction("/d", "/to/")
			if test.action != nil {
				test.action(action)
			}
			digest := func() string {
				root, err := os.OpenRoot(dir)
				if err != nil {
					t.Fatal(err)
				}
				defer root.Close()
				return must(Digest(t.Context(), action, Context(root, nil), Times{Keep: test.keep}))
			}
			before := digest()
			if err := test.change(dir); err != nil {
				t.Fatal(err)
			}
			if counts := digest() != before; counts != test.counts {
				t.Errorf("the digest changes: %v, want %v", counts, test.counts)
			}
		})
	}
}

// relink makes a name another one of a file.
func relink(file, name string) error {
	if err := os.Remove(name); err != nil {
		return err
	}
	return os.Link(file, name)
}

// TestDigestOfNothing reports what is not there.
func TestDigestOfNothing(t *testing.T) {
	t.Parallel()
	if _, err := Digest(t.Context(), copyAction("/none", "/"), contextOf(t, nil), Times{}); err == nil {
		t.Error("a missing source has a digest")
	}
}

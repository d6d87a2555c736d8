package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/patternmatcher"
	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// listAll lists everything in a view.
func listAll(t testing.TB, v View) []string {
	t.Helper()
	var found []string
	var walk func(folder string)
	walk = func(folder string) {
		entries, err := v.ReadDir(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			seen, err := v.Lstat(t.Context(), e.Name)
			if err != nil || seen.Header.Typeflag != e.Header.Typeflag {
				t.Errorf("Lstat(%q) = %+v, %v; ReadDir says %+v", e.Name, seen, err, e)
			}
			if e.folder() {
				found = append(found, e.Name+"/")
				walk(e.Name)
			} else {
				found = append(found, e.Name)
			}
		}
	}
	walk(".")
	return found
}

func TestIgnore(t *testing.T) {
	t.Parallel()
	content := map[string]string{
		"a.txt": "", "b.md": "", "dir/a.txt": "", "dir/sub/b.md": "", "dir/sub/c": "", "dir/empty/": "", "node/x/y": "",
	}
	tests := map[string]struct {
		ignore []string
		want   []string
	}{
		"nothing":            {nil, []string{"a.txt", "b.md", "dir/", "dir/a.txt", "dir/empty/", "dir/sub/", "dir/sub/b.md", "dir/sub/c", "node/", "node/x/", "node/x/y"}},
		"folder":             {[]string{"dir", "node"}, []string{"a.txt", "b.md"}},
		"anywhere":           {[]string{"**/*.md", "**/a.txt", "node/**"}, []string{"dir/", "dir/empty/", "dir/sub/", "dir/sub/c", "node/"}},
		"exception":          {[]string{"*", "!dir/sub/c"}, []string{"dir/", "dir/sub/", "dir/sub/c"}},
		"exception of all":   {[]string{"*", "!dir/sub/*"}, []string{"dir/", "dir/sub/", "dir/sub/b.md", "dir/sub/c"}},
		"exception anywhere": {[]string{"*", "!**/*.md"}, []string{"b.md", "dir/", "dir/sub/", "dir/sub/b.md"}},
		"order counts":       {[]string{"!dir/sub/c", "dir"}, []string{"a.txt", "b.md", "node/", "node/x/", "node/x/y"}},
		"of an exception":    {[]string{"*", "!dir", "dir/sub"}, []string{"dir/", "dir/a.txt", "dir/empty/"}},
		"everything":         {[]string{"**"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, listAll(t, contextOf(t, content, test.ignore...))); diff != "" {
				t.Errorf("context (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadIgnore(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		content map[string]string
		ignored bool
		want    string
	}{
		"none":                  {nil, false, ""},
		"in the context":        {map[string]string{"ctx/.dockerignore": "x\n"}, true, ""},
		"beside the Dockerfile": {map[string]string{"ctx/.dockerignore": "x\n", "Dockerfile.dockerignore": "y\n"}, false, ""},
		"bad pattern":           {map[string]string{"ctx/.dockerignore": "a[\n"}, false, ".dockerignore has a pattern that cannot be read"},
		"leads out":             {map[string]string{"ctx/.dockerignore": "→/etc/passwd"}, false, `".dockerignore" is not in the repository`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"ctx/": ""})
			write(t, dir, test.content)
			repository, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer repository.Close()
			folder, err := repository.OpenRoot("ctx")
			if err != nil {
				t.Fatal(err)
			}
			defer folder.Close()
			matcher, err := ReadIgnore(repository, folder, "Dockerfile")
			if test.want != "" {
				if p, ok := errors.AsType[*diag.Problem](err); !ok || !strings.Contains(p.Detail, test.want) {
					t.Errorf("ReadIgnore() = %v, want a problem with %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := matcher.MatchesOrParentMatches("x"); err != nil || got != test.ignored {
				t.Errorf("x is ignored: %v, %v", got, err)
			}
		})
	}
}

// TestSpecialFiles are not in a context, which says so; a stage's pipes are kept.
func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"d/a": "A"})
	if err := unix.Mkfifo(filepath.Join(dir, "d/pipe"), 0o640); err != nil {
		t.Skip("this machine makes no pipes:", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	view := Context(root, nil)
	if diff := cmp.Diff([]string{"d/", "d/a"}, listAll(t, view)); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"d/pipe"}, Skipped(view)); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if got := problem(t, step(copyAction("d/pipe", "/")), layers(t), view); !strings.Contains(got, "neither a file nor a folder nor a link") {
		t.Errorf("problem is %s", got)
	}
	folder, err := Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"d/", "d/a", "d/pipe"}, listAll(t, folder)); diff != "" {
		t.Errorf("folder (-want +got):\n%s", diff)
	}
}

// TestChanges has a file change between planning and writing.
func TestChanges(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(name string) error
		want   string
	}{
		"grew": {func(n string) error { return os.WriteFile(n, []byte("longer"), 0o644) }, `reading "d/a": it changed while the image was built`},
		"same size": {func(n string) error {
			return errors.Join(os.WriteFile(n, []byte("B"), 0o644), os.Chtimes(n, time.Now(), time.Unix(9, 0)))
		}, "it changed"},
		"vanished":   {os.Remove, `adding "x/a": `},
		"is a link":  {func(n string) error { return errors.Join(os.Remove(n), os.Symlink("/etc/passwd", n)) }, `adding "x/a": `},
		"is a pipe":  {func(n string) error { return errors.Join(os.Remove(n), unix.Mkfifo(n, 0o600)) }, "it changed"},
		"is no file": {func(n string) error { return errors.Join(os.Remove(n), os.Mkdir(n, 0o755)) }, "it changed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"d/a": "A"})
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			entries, err := Plan(t.Context(), step(copyAction("d", "/x")), []View{layers(t), Context(root, nil)})
			if err != nil {
				t.Fatal(err)
			}
			if err := test.change(filepath.Join(dir, "d/a")); err != nil {
				t.Fatal(err)
			}
			err = writeTo(t.Context(), io.Discard, entries)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "a\"") {
				t.Errorf("Write() = %v, want %q", err, test.want)
			}
		})
	}
}

// TestCancel stops within a folder.
func TestCancel(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if _, err := Plan(ctx, step(copyAction("dir", "/")), []View{layers(t), contextOf(t, sources)}); !errors.Is(err, stop) {
		t.Errorf("Plan() = %v", err)
	}
}

// FuzzPaths resolves and copies by any name: nothing comes from outside of the
// context, and nothing goes outside of the image.
func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"a", "../a", "dir/../..", "l/../x", "l*", "[a", "/", ".", "", "a//b/./c/", "\\*", "out/out/out"} {
		f.Add(seed, seed)
	}
	dir := f.TempDir()
	write(f, dir, map[string]string{
		"secret": "S", "ctx/a": "A", "ctx/dir/b": "B", "ctx/l": "→dir/../../secret", "ctx/out": "→..", "ctx/abs": "→/secret", "ctx/loop": "→loop/x",
	})
	root, err := os.OpenRoot(filepath.Join(dir, "ctx"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source, target string) {
		view := Context(root, must(patternmatcher.New([]string{"b"})))
		resolved, err := Resolve(t.Context(), view, source)
		if err == nil && !fs.ValidPath(resolved) && path.Clean(resolved) != resolved {
			t.Errorf("Resolve(%q) = %q", source, resolved)
		}
		base := layers(t, "777 0:0 up→../../..", "777 0:0 at→/up/x", "777 0:0 loop→loop")
		entries, err := Plan(t.Context(), step(copyAction(source, target)), []View{base, view})
		if err != nil {
			return
		}
		for _, p := range entries {
			name := strings.TrimSuffix(p.name, "/")
			if path.Clean("/"+name) != "/"+name {
				t.Errorf("COPY %q %q makes %q", source, target, p.name)
			}
			if p.body == nil {
				continue
			}
			r, err := p.body.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if text, _ := io.ReadAll(r); strings.Contains(string(text), "S") {
				t.Errorf("COPY %q %q reads what is outside", source, target)
			}
			r.Close()
		}
	})
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

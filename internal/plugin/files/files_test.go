package files_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/files"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// quiet is progress that nobody watches.
type quiet struct{}

// Step implements [component.Progress].
func (quiet) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, quiet{})
}
func (quiet) Update(string, ...any) {}
func (quiet) Output() io.Writer     { return io.Discard }

// openRegistry opens the registry on body.
func openRegistry(t *testing.T, body string) (component.AnyRegistry, error) {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(body), "waypoint.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	registry, diags, err := files.Plugin.Registry.Open(component.Host{Progress: quiet{}}, func(into any) hcl.Diagnostics {
		return gohcl.DecodeBody(file.Body, nil, into)
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return registry, err
}

// mustOpen opens the registry, which must work.
func mustOpen(t *testing.T, body string) component.AnyRegistry {
	t.Helper()
	registry, err := openRegistry(t, body)
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

// write makes files in folder. A name that ends in a star is executable.
func write(t *testing.T, folder string, content map[string]string) {
	t.Helper()
	for name, text := range content {
		mode := os.FileMode(0o644)
		if executable, ok := strings.CutSuffix(name, "*"); ok {
			name, mode = executable, 0o755
		}
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// read is the inverse of write. Links show what they point to.
func read(t *testing.T, folder string) map[string]string {
	t.Helper()
	content := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(folder, path)
		if link, err := os.Readlink(path); err == nil {
			content[name] = "-> " + link
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode()&0o100 != 0 {
			name += "*"
		}
		text, err := os.ReadFile(path)
		content[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func request(folder string) component.PushRequest[artifact.Artifact] {
	return component.PushRequest[artifact.Artifact]{
		App:      component.App{Name: "web", Path: folder},
		Artifact: artifact.Files{Path: folder},
	}
}

func TestBuilder(t *testing.T) {
	t.Parallel()
	plugintest.Builder(t, plugintest.BuilderCase{
		Plugin: files.Plugin,
		New:    func(*testing.T, *plugintest.Calls) plugintest.World { return plugintest.World{} },
	})
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	plugintest.Registry(t, plugintest.RegistryCase{
		Plugin: files.Plugin,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			source := t.TempDir()
			write(t, source, map[string]string{"index.html": "hello"})
			return plugintest.World{Config: `path = "dist"`, Source: source, Artifact: artifact.Files{Path: source}}
		},
	})
}

func TestPushCopiesContent(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, folder, map[string]string{
		"index.html": "hello", "bin/run*": "#!/bin/sh", ".git/config": "token", "sub/.git": "gitdir", ".deploy-action/state": "x",
	})
	if err := os.Symlink("../index.html", filepath.Join(folder, "bin/page")); err != nil {
		t.Fatal(err)
	}
	registry := mustOpen(t, `path = "dist"`)
	pushed, err := registry.Push(t.Context(), request(folder))
	if err != nil {
		t.Fatal(err)
	}
	place := pushed.(artifact.Files).Path
	if got, want := filepath.Dir(place), filepath.Join(folder, "dist", "web"); got != want {
		t.Errorf("Push() copies to %q, want a folder in %q", place, want)
	}
	want := map[string]string{"index.html": "hello", "bin/run*": "#!/bin/sh", "bin/page": "-> ../index.html"}
	if diff := cmp.Diff(want, read(t, place)); diff != "" {
		t.Errorf("the copy (-want +got):\n%s", diff)
	}
	left, err := os.ReadDir(filepath.Dir(place))
	if err != nil || len(left) != 1 {
		t.Errorf("the folder of copies holds %v, want only the copy (%v)", left, err)
	}
}

func TestPlaceFollowsContent(t *testing.T) {
	t.Parallel()
	base := map[string]string{"a": "1", "b/c": "2"}
	place := func(t *testing.T, content map[string]string) string {
		folder, store := t.TempDir(), t.TempDir()
		write(t, folder, content)
		pushed, err := mustOpen(t, `path = "`+store+`"`).Push(t.Context(), request(folder))
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Base(pushed.(artifact.Files).Path)
	}
	want := place(t, base)
	if got := place(t, base); got != want {
		t.Errorf("the same content in another folder goes to %q, want %q", got, want)
	}
	changes := map[string]map[string]string{
		"content":    {"a": "2", "b/c": "2"},
		"name":       {"z": "1", "b/c": "2"},
		"executable": {"a*": "1", "b/c": "2"},
		"more":       {"a": "1", "b/c": "2", "d": ""},
		"moved byte": {"a": "", "b/c": "12"},
	}
	places := []string{want}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		places = append(places, place(t, changes[name]))
	}
	slices.Sort(places)
	if got := len(slices.Compact(places)); got != len(changes)+1 {
		t.Errorf("%d different contents have %d places", len(changes)+1, got)
	}
}

func TestPlanKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, folder, map[string]string{"a": "1"})
	registry := mustOpen(t, `path = "dist"`)
	_, plan, err := registry.Plan(t.Context(), request(folder))
	if err != nil || plan.Changes[0].Action != component.Create {
		t.Errorf("Plan() = %v, %v, want create", plan, err)
	}
	if _, err := os.Stat(filepath.Join(folder, "dist")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("planning made the folder (%v)", err)
	}
	if _, err := registry.Push(t.Context(), request(folder)); err != nil {
		t.Fatal(err)
	}
	_, plan, err = registry.Plan(t.Context(), request(folder))
	if err != nil || plan.Changes[0].Action != component.Keep {
		t.Errorf("Plan() after Push = %v, %v, want keep", plan, err)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body    string
		link    string // made in the folder
		summary string
	}{
		"empty path":    {body: `path = ""`, summary: "No folder to copy to"},
		"outside":       {body: `path = "../dist"`, summary: "Folder outside of the app"},
		"itself":        {body: `path = "."`, summary: "Folder would be copied into itself"},
		"not writable":  {body: `path = "/proc/nothing"`, summary: "Files cannot be copied"},
		"link out":      {body: `path = "dist"`, link: "../secret", summary: "Link leads out of the folder"},
		"absolute link": {body: `path = "dist"`, link: "/etc/passwd", summary: "Link leads out of the folder"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			write(t, folder, map[string]string{"a": "1"})
			if c.link != "" {
				if err := os.Symlink(c.link, filepath.Join(folder, "link")); err != nil {
					t.Fatal(err)
				}
			}
			registry, err := openRegistry(t, c.body)
			if err == nil {
				_, err = registry.Push(t.Context(), request(folder))
			}
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Summary != c.summary {
				t.Errorf("got %v, want %q", err, c.summary)
			}
		})
	}
}
